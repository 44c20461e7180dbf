"""Averages of sunlight and Earth visibility, and permanent shadow, from horizons that are never stored.

Each direction of the sweep adds its share to the sums and is forgotten. Directions are independent, so the work is
shared by direction: every worker holds an `Accumulator` for its part of the plan, and accumulators merge to the very
same bits, in any order. The method is that of Mazarico et al. 2011 (Icarus 211, 1066) turned inside out: instead of
comparing a stored horizon with an hourly ephemeris, the ephemeris is folded into tables once (`visibility_tables`).

Two definitions are kept side by side, for they differ by several percent: the mean visible fraction of the disc, and
the share of time with any part of it in sight (that of the published maps). How a horizon comes about is not known
here, nor where results go.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lunarsite.grid import Grid, colatitude_deg
from lunarsite.illumination.ephemeris import highest_limb_deg
from lunarsite.illumination.visibility_sums import Accumulator, VisibilityModel
from lunarsite.illumination.visibility_tables import earth_tables, sun_tables, sun_tables_by_group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from lunarsite.illumination.ephemeris import BodyTrack

_LONGITUDES = 36


class Sink(Protocol):
    """Takes each direction's horizon: an `Accumulator`, or a `lunarsite.illumination.points.ProfileGatherer`."""

    def add(self, index: int, tan_horizon: NDArray[np.float32]) -> None:
        """Take the horizon of one direction of the plan; the array is reused afterwards."""
        ...


class Sweep(Protocol):
    """What is needed of a horizon engine (`lunarsite.illumination.horizon.HorizonSweep` is one)."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Heights of the observer, rows, columns."""
        ...

    def horizon(self, azimuth_rad: float, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Tangent of the horizon's elevation in a map direction, (heights, rows, cols), NaN = unknown."""
        ...


def visibility_model(
    grid: Grid,
    sun: BodyTrack,
    earth: BodyTrack | None,
    n_azimuths: int = 180,
    *,
    earth_step_deg: float = 1.0,
    groups: NDArray[np.int64] | None = None,
) -> VisibilityModel:
    """Fold the tracks into tables for a grid.

    Args:
        grid: Pixels that will be averaged.
        sun: The Sun's track.
        earth: The Earth's track, or None.
        n_azimuths: Directions for the Sun.
        earth_step_deg: Spacing of the directions for the Earth.
        groups: Group of each of the Sun's epochs, for averages by month, say; see `sun_tables_by_group`.
    """
    farthest = np.hypot(np.abs(grid.x_m()).max(), np.abs(grid.y_m()).max())
    largest_deg = float(colatitude_deg(farthest))
    longitudes = min(_LONGITUDES, n_azimuths)  # every bin must be met by a direction
    tables = sun_tables(sun, grid.pole, longitudes=longitudes)
    # Permanent is not a matter of the span asked for: a year's track would call two percent more ground shadowed.
    highest = max(tables.highest_deg, highest_limb_deg(grid.pole))
    return VisibilityModel(
        sun=replace(tables, highest_deg=highest),
        earth=None
        if earth is None
        else earth_tables(earth, grid.pole, largest_colatitude_deg=max(largest_deg, 0.5), bin_deg=earth_step_deg),
        n_azimuths=n_azimuths,
        groups=() if groups is None else sun_tables_by_group(sun, groups, grid.pole, longitudes=longitudes),
    )


def sweep_plan(
    sweep: Sweep,
    model: VisibilityModel,
    sinks: Sequence[Sink],
    directions: Iterable[int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Hand the horizons of the plan's directions, one after the other, to all sinks.

    Args:
        sweep: Horizon engine.
        model: Tables and plan.
        sinks: What takes the horizons.
        directions: Indices into the plan: one worker's part; all of them by default.
        progress: Called after each direction with the number done and the number asked for.
    """
    chosen = list(range(model.size) if directions is None else directions)
    horizon: NDArray[np.float32] | None = None
    for done, index in enumerate(chosen, start=1):
        azimuth, _ = model.direction(index)
        horizon = sweep.horizon(azimuth, out=horizon)
        for sink in sinks:
            sink.add(index, horizon)
        if progress is not None:
            progress(done, len(chosen))


def accumulate_visibility(
    sweep: Sweep,
    grid: Grid,
    model: VisibilityModel,
    directions: Iterable[int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Accumulator:
    """Sweep directions of the plan and sum them up: all of them, or one worker's part; see `sweep_plan`.

    Raises:
        ValueError: If the sweep's pixels are not the grid's, or a direction is not in the plan or asked for twice.
    """
    if sweep.shape[1:] != grid.shape:
        raise ValueError(f"the sweep has {sweep.shape[1:]} pixels, the grid {grid.shape}: give the near terrain's grid")
    accumulator = Accumulator(grid, model, sweep.shape[0])
    sweep_plan(sweep, model, [accumulator], directions, progress)
    return accumulator


def average_visibility(
    sweep: Sweep,
    grid: Grid,
    sun: BodyTrack,
    earth: BodyTrack | None,
    n_azimuths: int = 180,
    *,
    earth_step_deg: float = 1.0,
    groups: NDArray[np.int64] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, NDArray[np.generic]]:
    """Averages over a whole plan in one process; see `Accumulator.result` for the arrays."""
    model = visibility_model(grid, sun, earth, n_azimuths, earth_step_deg=earth_step_deg, groups=groups)
    return accumulate_visibility(sweep, grid, model, progress=progress).result()
