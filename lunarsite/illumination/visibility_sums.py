"""The sums over directions: what one worker holds, and how workers' parts become averages.

Sums are scaled integers and minima, so that parts merge to the very same bits in any order and any sharing. Where the
horizons come from is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from lunarsite.grid import MOON_RADIUS_M, Grid
from lunarsite.illumination import visibility_kernels as kernels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lunarsite.illumination.visibility_tables import EarthTables, SunTables

Body = Literal["sun", "earth"]

# The Jacobian averages to one over all directions; the room above it is for its discrete mean and for short spans.
_LARGEST_SUM = 1.2
_INTEGER_ROOM = float(2**31 - 2**20)


@dataclass(frozen=True)
class VisibilityModel:
    """Tables of both bodies and the directions that a sweep must take for them.

    Attributes:
        sun: The Sun's tables.
        earth: The Earth's tables; None leaves the Earth out.
        n_azimuths: Directions for the Sun, evenly over the circle.
        groups: Tables per group of epochs (months), for the mean disc fraction alone; may be empty.
    """

    sun: SunTables
    earth: EarthTables | None
    n_azimuths: int
    groups: Sequence[SunTables] = ()

    def __post_init__(self) -> None:
        if self.n_azimuths < 8:
            raise ValueError(f"n_azimuths = {self.n_azimuths}: at least 8 are needed")
        if self.earth is not None and self.earth.pole != self.sun.pole:
            raise ValueError(f"the Sun's tables are for the {self.sun.pole}, the Earth's for the {self.earth.pole}")

    @property
    def size(self) -> int:
        """Number of directions in the plan: the Sun's, then the Earth's."""
        return self.n_azimuths + (0 if self.earth is None else self.earth.azimuths_rad().size)

    def direction(self, index: int) -> tuple[float, Body]:
        """Map direction in radians, and the body that is averaged over it."""
        if not 0 <= index < self.size:
            raise ValueError(f"direction {index} is not in the plan of {self.size}")
        if index < self.n_azimuths:
            return 2.0 * np.pi * (index + 0.5) / self.n_azimuths, "sun"
        assert self.earth is not None
        return float(self.earth.azimuths_rad()[index - self.n_azimuths]), "earth"


@dataclass
class Accumulator:
    """Sums over directions.

    Args:
        grid: Pixels.
        model: Tables and plan; the same for all accumulators that are to be merged.
        n_heights: Heights of the observer in each horizon.
    """

    grid: Grid
    model: VisibilityModel
    n_heights: int = 1
    done: NDArray[np.bool_] = field(init=False)
    sums: dict[str, NDArray[np.int32]] = field(init=False)
    margin: NDArray[np.float32] = field(init=False)
    unknown: NDArray[np.uint8] = field(init=False)

    def __post_init__(self) -> None:
        if self.grid.pole != self.model.sun.pole:
            raise ValueError(f"the grid lies at the {self.grid.pole} pole, the tables at the {self.model.sun.pole}")
        if self.n_heights < 1:
            raise ValueError(f"n_heights = {self.n_heights}: at least one height of the observer is needed")
        shape = (self.n_heights, *self.grid.shape)
        self.done = np.zeros(self.model.size, dtype=np.bool_)
        names = ["sun_mean", "sun_any", "sky_view"]
        names += [] if self.model.earth is None else ["earth_mean", "earth_any"]
        self.sums = {name: np.zeros(shape, dtype=np.int32) for name in names}
        if self.model.groups:
            self.sums["sun_groups"] = np.zeros((*shape, len(self.model.groups)), dtype=np.int32)
        self.margin = np.full(shape, np.inf, dtype=np.float32)
        self.unknown = np.zeros(shape, dtype=np.uint8)
        self._x = (self.grid.x_m() / MOON_RADIUS_M).astype(np.float32)
        self._y = (self.grid.y_m() / MOON_RADIUS_M).astype(np.float32)

    def add(self, index: int, tan_horizon: NDArray[np.float32]) -> None:
        """Add the horizon of one direction of the plan.

        Args:
            index: Index into the plan.
            tan_horizon: Tangent of the horizon's elevation, (heights, rows, cols) float32, NaN = unknown.

        Raises:
            ValueError: If the shape or type is wrong, or the direction was added before.
        """
        if tan_horizon.shape != self.margin.shape or tan_horizon.dtype != np.float32:
            raise ValueError(
                f"tan_horizon is {tan_horizon.dtype} {tan_horizon.shape}, expected float32 {self.margin.shape}"
            )
        azimuth, body = self.model.direction(index)
        if self.done[index]:
            raise ValueError(f"direction {index} of the plan was added before: each counts once")
        for height in range(self.n_heights):
            if body == "sun":
                self._add_sun(height, azimuth, tan_horizon[height])
            else:
                self._add_earth(height, azimuth, tan_horizon[height])
        self.done[index] = True

    def _add_sun(self, height: int, azimuth: float, tangent: NDArray[np.float32]) -> None:
        tables = self.model.sun
        cos, sin = np.float32(np.cos(azimuth)), np.float32(np.sin(azimuth))
        kernels.add_sun(
            tangent,
            self._x,
            self._y,
            cos,
            sin,
            tables.towards(azimuth),
            _axis(tables.sin_limit, tables.values.shape[1]),
            (np.float32(tables.radius_rad), np.float32(tables.parallax)),
            np.float32(self._scale("sun")),
            self.sums["sun_mean"][height],
            self.sums["sun_any"][height],
            self.sums["sky_view"][height],
            self.margin[height],
            self.unknown[height],
        )
        if self.model.groups:
            first = self.model.groups[0]
            table = np.stack([group.towards(azimuth)[:, :2] for group in self.model.groups], axis=-1)
            kernels.add_groups(
                tangent,
                self._x,
                self._y,
                cos,
                sin,
                np.ascontiguousarray(table),
                _axis(first.sin_limit, first.values.shape[1]),
                np.float32(first.parallax),
                np.float32(self._scale("sun")),
                self.sums["sun_groups"][height],
            )

    def _add_earth(self, height: int, azimuth: float, tangent: NDArray[np.float32]) -> None:
        tables = self.model.earth
        assert tables is not None
        shears = tables.values.shape[1]
        axes = (
            *_axis(tables.sin_limit, tables.values.shape[2]),
            np.float32(tables.shear_limit),
            np.float32((shears - 1) / (2.0 * tables.shear_limit)),
            np.float32(1.0 / tables.bin_rad),
        )
        kernels.add_earth(
            tangent,
            self._x,
            self._y,
            np.float32(np.cos(azimuth)),
            np.float32(np.sin(azimuth)),
            tables.values,
            np.float32((azimuth - tables.first_rad) / tables.bin_rad),
            axes,
            (np.float32(tables.radius_rad), np.float32(tables.parallax)),
            np.float32(self._scale("earth")),
            self.sums["earth_mean"][height],
            self.sums["earth_any"][height],
            self.unknown[height],
        )

    def _scale(self, body: Body) -> float:
        """Integer units of 1.0 in one direction."""
        return _INTEGER_ROOM / _LARGEST_SUM / (self.model.n_azimuths if body == "sun" else 1)

    def merge(self, other: Accumulator) -> None:
        """Add another worker's sums.

        Raises:
            ValueError: If grid, plan or heights differ, or a direction is in both.
        """
        if (other.grid, other.n_heights, other.model.n_azimuths) != (self.grid, self.n_heights, self.model.n_azimuths):
            raise ValueError("accumulators of different grids, heights or plans cannot be merged")
        self.absorb(other.state())

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Everything that another process needs in order to merge this one: arrays by name."""
        return {**self.sums, "margin": self.margin, "unknown": self.unknown, "done": self.done}

    def absorb(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Add sums that `state` gave, perhaps in another process; see `merge`."""
        mine = self.state()
        if set(state) != set(mine):
            raise ValueError(f"the state holds {sorted(state)}, expected {sorted(mine)}")
        for name, array in mine.items():
            if state[name].shape != array.shape or state[name].dtype != array.dtype:
                raise ValueError(
                    f"{name} is {state[name].dtype} {state[name].shape}, expected {array.dtype} {array.shape}"
                )
        both = np.flatnonzero(self.done & state["done"].astype(np.bool_))
        if both.size:
            raise ValueError(f"directions {both[:5].tolist()} are in both accumulators: each counts once")
        for name in self.sums:
            self.sums[name] += state[name].astype(np.int32, copy=False)
        np.minimum(self.margin, state["margin"], out=self.margin)
        np.maximum(self.unknown, state["unknown"], out=self.unknown)
        np.logical_or(self.done, state["done"], out=self.done)

    def result(self) -> dict[str, NDArray[np.generic]]:
        """Averages by name, each (heights, rows, cols); unknown ground is NaN or 255.

        sun_mean, sun_any, earth_mean, earth_any: fractions of time 0..1, float32 (mean visible fraction of the disc;
            any part of it in sight). sky_view: float32, mean over the directions of the squared cosine of the horizon
            (Dozier & Frew 1990, IEEE Trans. Geosci. Remote Sens. 28, 963, on level ground). psr: uint8, 1 where no part
            of the Sun ever rises. psr_margin_deg: float32, by how much the Sun's highest limb stays below the horizon
            in the direction where it comes closest; negative where it rises. sun_groups (if asked for): (heights,
            groups, rows, cols), mean visible fraction by group.

        Raises:
            ValueError: If directions of the plan are missing.
        """
        missing = np.flatnonzero(~self.done)
        if missing.size:
            raise ValueError(
                f"{missing.size} of {self.model.size} directions are missing, first {missing[:5].tolist()}"
            )
        if any((total < 0).any() for total in self.sums.values()):
            raise ValueError("a sum left the range of its integers: the span is far too short for its directions")
        known = self.unknown == 0
        fractions: dict[str, NDArray[np.generic]] = {}
        for name, total in self.sums.items():
            body: Body = "earth" if name.startswith("earth") else "sun"
            scale = self._scale(body) * (self.model.n_azimuths if body == "sun" else 1)
            values = np.minimum(total * (1.0 / scale), 1.0).astype(np.float32)
            if name == "sun_groups":
                values = np.moveaxis(values, -1, 1)
                fractions[name] = np.where(known[:, None], values, np.float32(np.nan))
            else:
                fractions[name] = np.where(known, values, np.float32(np.nan))
        lowest = np.degrees(np.arcsin(np.clip(self.margin, -1.0, 1.0))) - np.float32(self.model.sun.highest_deg)
        fractions["psr_margin_deg"] = np.where(known, lowest, np.float32(np.nan)).astype(np.float32)
        fractions["psr"] = np.where(known, lowest > 0.0, 255).astype(np.uint8)
        return fractions


def _axis(sin_limit: float, count: int) -> tuple[np.float32, np.float32]:
    return np.float32(-sin_limit), np.float32((count - 1) / (2.0 * sin_limit))
