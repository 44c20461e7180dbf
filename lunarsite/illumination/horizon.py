"""The horizon of every pixel of a polar elevation model, one azimuth at a time.

`HorizonSweep` is prepared once and asked for azimuths; nothing is stored between them. It knows heights, map
directions and the sphere; it must not know of the Sun, the Earth, time or files.

Method: an O(N) convex-hull sweep along straight map lines (Timonen & Westerholm 2010, Computer Graphics Forum 29, 517,
doi 10.1111/j.1467-8659.2009.01621.x) on the exact sphere (`horizon_geometry`), with two details that decide accuracy:
the first samples of every ray are marched exactly from the pixel's own centre (`horizon_march`), and beyond them the
horizons of the two lines beside the pixel are blended (`horizon_hull`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunarsite.grid import MOON_RADIUS_M, Pole
from lunarsite.illumination.horizon_geometry import (
    MAX_COLATITUDE_DEG,
    NO_FAR_LINES,
    GridFrame,
    far_lines,
    near_samples,
    sight_vector,
    sweep_frame,
    tangent_fit,
)
from lunarsite.illumination.horizon_hull import sweep_lines
from lunarsite.illumination.horizon_march import march_near

PIT_M = np.float32(-1.0e12)
"""Height that stands for 'no data' inside: a pit that never hides anything, even where a sample touches it."""

_NO_DATA_BELOW_M = -1.0e11
_HEIGHT_LIMIT_M = 50_000.0
_LONGEST_MARCH_RAD = 0.05
_HIGHEST_OBSERVER_M = 10_000.0


@dataclass(frozen=True)
class Terrain:
    """Heights on a polar stereographic grid; pixels are areas, row 0 is at the top (largest y).

    Args:
        height_m: (rows, cols) float32 metres above the sphere of `MOON_RADIUS_M`; NaN = no data.
        x_min_m: Map x of the left border.
        y_max_m: Map y of the upper border.
        pixel_m: Pixel size in map metres.
        pole: The pole at the map's origin.

    Raises:
        ValueError: A field has a wrong shape, dtype or value; the message names it and the mend.
    """

    height_m: NDArray[np.float32]
    x_min_m: float
    y_max_m: float
    pixel_m: float
    pole: Pole = "south"

    def __post_init__(self) -> None:
        heights = self.height_m
        if not isinstance(heights, np.ndarray) or heights.ndim != 2:
            raise ValueError(f"height_m must be a 2-D array (rows, cols), got shape {np.shape(heights)}")
        if heights.dtype != np.float32:
            raise ValueError(f"height_m must be float32, got {heights.dtype}; convert with .astype(np.float32)")
        if min(heights.shape) < 2:
            raise ValueError(f"height_m needs at least 2 rows and 2 columns, got {heights.shape}")
        for field in ("x_min_m", "y_max_m", "pixel_m"):
            if not math.isfinite(getattr(self, field)):
                raise ValueError(f"{field} must be finite, got {getattr(self, field)}")
        if self.pixel_m <= 0.0:
            raise ValueError(f"pixel_m must be positive, got {self.pixel_m}; use the pixel's size in metres")
        if self.pole not in {"south", "north"}:
            raise ValueError(f"pole must be 'south' or 'north', got {self.pole!r}")
        lowest, highest = np.fmin.reduce(heights, axis=None), np.fmax.reduce(heights, axis=None)
        if np.isnan(lowest):
            raise ValueError("height_m has no valid pixel: every height is NaN; check the window and the no-data value")
        if max(abs(float(lowest)), abs(float(highest))) > _HEIGHT_LIMIT_M:
            raise ValueError(
                f"height_m ranges from {lowest:g} to {highest:g} m, which is no terrain of the Moon; "
                "turn the file's no-data value into NaN and apply its scale"
            )
        if self.frame.largest_radius_m() > self._limit_m():
            raise ValueError(
                f"the grid reaches {self.frame.largest_radius_m() / 1e3:.0f} km from the pole on the map, beyond "
                f"{MAX_COLATITUDE_DEG:g} degrees colatitude ({self._limit_m() / 1e3:.0f} km), where straight map "
                "lines stray from great circles; check x_min_m, y_max_m and pixel_m or cut the grid"
            )

    @staticmethod
    def _limit_m() -> float:
        return 2.0 * MOON_RADIUS_M * math.tan(0.5 * math.radians(MAX_COLATITUDE_DEG))

    @property
    def frame(self) -> GridFrame:
        """The grid in plain numbers."""
        rows, cols = self.height_m.shape
        half = 0.5 * self.pixel_m
        return GridFrame(self.x_min_m + half, self.y_max_m - half, self.pixel_m, rows, cols)

    @property
    def bounds_m(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top in map metres."""
        rows, cols = self.height_m.shape
        return (
            self.x_min_m,
            self.y_max_m - rows * self.pixel_m,
            self.x_min_m + cols * self.pixel_m,
            self.y_max_m,
        )


class HorizonSweep:
    """Horizons of all pixels of `near` in any map direction, seen over `near` and, beyond its border, over `far`.

    No data neither blocks nor breaks a sight line: a sample between two pixels of which one has no data (and carries
    weight) counts as no terrain, and the line goes on behind it. A pixel without data has no horizon (NaN). With a far
    terrain, near pixels without data are obstacles of the far heights: a near map that is smaller than its grid, or
    has corners without data, is surrounded by the far terrain and not by nothing.

    Where no terrain at all lies ahead (the last pixels before the border, without a far field) the Moon is taken to
    go on as a smooth sphere at the height of the pixel's own ground: the horizon is its dip, tan(e) =
    -sqrt((1 + h / (R + z))^2 - 1), 0 for an observer on the ground. Near a border without a far field horizons are
    lower bounds; terrain of 8 km relief needs 232 km of surroundings to be safe.

    Cost: time is O(pixels) per azimuth and does not grow with the length of the lines; memory is 4 bytes per near
    pixel and height for the result, 4 for the heights (beside the caller's own), 4 per far pixel, and a few MB per
    thread. Results are bit-identical for any number of threads.

    Args:
        near: The terrain whose pixels are observers.
        far: Coarser terrain around it. Used only outside the near grid's footprint, so there is no seam of
            resolution inside it.
        observer_heights_m: Heights above the surface; all are answered by the same sweep.
        near_samples: Samples of each ray that are marched exactly, in pixels along the nearer grid axis.

    Raises:
        ValueError: The terrains do not fit each other, or an argument is out of range.
    """

    def __init__(
        self,
        near: Terrain,
        far: Terrain | None = None,
        *,
        observer_heights_m: Sequence[float] = (0.0,),
        near_samples: int = 32,
    ) -> None:
        heights = np.array(list(observer_heights_m), dtype=np.float64)
        _check_observers(heights)
        _check_march(near, near_samples)
        if far is not None:
            _check_far(near, far)
        self.near = near
        self._frame = near.frame
        self._heights_m = heights
        self._near_samples = near_samples
        self._far_frame = None if far is None else far.frame
        self._margin = near_samples + 1
        self._base_m = float(np.nanmean(near.height_m, dtype=np.float64))
        self._far = np.empty((0, 0), np.float32) if far is None else _reduced(far.height_m, self._base_m)
        self._reduced = _reduced(_with_margin(near, far, self._margin), self._base_m).ravel()
        unknown = np.isnan(near.height_m)
        self._unknown = unknown if far is not None and unknown.any() else None
        reach_m = max(frame.largest_radius_m() for frame in (self._frame, self._far_frame) if frame is not None)
        self._fit = tangent_fit(reach_m)
        four_r2 = (2.0 * MOON_RADIUS_M) ** 2
        rows, cols = near.height_m.shape
        y_m: NDArray[np.float64] = self._frame.y_first_m - np.arange(rows, dtype=np.float64) * near.pixel_m
        x_m: NDArray[np.float64] = self._frame.x_first_m + np.arange(cols, dtype=np.float64) * near.pixel_m
        self._row_radius2 = np.square(y_m) / four_r2
        self._col_radius2 = np.square(x_m) / four_r2

    @property
    def observer_heights_m(self) -> tuple[float, ...]:
        """Heights of the observers above the surface, in the order of the result."""
        return tuple(float(height) for height in self._heights_m)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of a result: heights, rows, columns."""
        return self._heights_m.size, self._frame.rows, self._frame.cols

    def horizon(self, azimuth_rad: float, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Return tan(elevation) of the horizon in one map direction.

        Args:
            azimuth_rad: Map direction of sight, from +x towards +y (counter-clockwise): sight is (cos, sin). The map
                is conformal, so this is the true direction at the pixel, relative to the map's axes.
            out: Array to write into: `shape`, float32, C-contiguous. Allocated if absent.

        Returns:
            (heights, rows, cols) float32, tangent of the elevation above the local horizontal plane (of the sphere)
            at the observer; NaN where the pixel has no data.

        Raises:
            ValueError: The azimuth is not finite or `out` does not fit.
        """
        if not math.isfinite(azimuth_rad):
            raise ValueError(f"azimuth_rad must be finite, got {azimuth_rad}")
        if out is None:
            out = np.empty(self.shape, np.float32)
        elif out.shape != self.shape or out.dtype != np.float32 or not out.flags.c_contiguous:
            raise ValueError(
                f"out must be a C-contiguous float32 array of shape {self.shape}, got {out.dtype} {out.shape}"
            )
        frame = self._frame
        sweep = sweep_frame(frame, azimuth_rad, self._margin)
        far_place = NO_FAR_LINES
        if self._far_frame is not None:
            far_place = far_lines(frame, self._far_frame, azimuth_rad, sweep.lines)
        sweep_lines(
            self._reduced,
            sweep.index,
            sweep.lines,
            sweep.stored,
            sweep.plain,
            self._fit,
            self._near_samples,
            self._heights_m,
            self._base_m,
            self._far,
            far_place,
            out.reshape(self._heights_m.size, -1),
        )
        self._march(azimuth_rad, out)
        if self._unknown is not None:
            out[:, self._unknown] = np.nan
        return out

    def _march(self, azimuth_rad: float, out: NDArray[np.float32]) -> None:
        """Raise `out` by the first samples of every ray and finish it."""
        frame, margin = self._frame, self._margin
        width = frame.cols + 2 * margin
        crossings, inside = near_samples(azimuth_rad, frame.pixel_m, self._near_samples, width)
        cos, sin = sight_vector(azimuth_rad)
        march_near(
            self._reduced,
            margin * width + margin,
            width,
            crossings,
            inside,
            (frame.x_first_m * cos + frame.y_first_m * sin, -sin * frame.pixel_m, cos * frame.pixel_m),
            self._row_radius2,
            self._col_radius2,
            self._heights_m,
            self._base_m,
            _NO_DATA_BELOW_M,
            out,
        )


def sky_view_contribution(tan_horizon: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return one azimuth's part of the sky-view factor of a horizontal surface: cos^2(e) for e > 0, else 1.

    The mean over equally spaced azimuths is the cosine-weighted share of the hemisphere's light that reaches the
    surface from the sky, V = (1 / 2 pi) integral cos^2(e) d(azimuth) (Dozier & Frew 1990, IEEE Trans. Geosci. Remote
    Sensing 28, 963, eq. 7 with slope 0; their H is the zenith angle of the horizon). Zaksek et al. 2011 (Remote
    Sensing 3, 398) weight by solid angle instead, 1 - sin(e).

    Args:
        tan_horizon: Tangent of the horizon's elevation, any shape.
    """
    raised = np.maximum(tan_horizon, np.float32(0.0))
    return np.asarray(np.float32(1.0) / (np.float32(1.0) + raised * raised), dtype=np.float32)


def _reduced(heights_m: NDArray[np.float32], base_m: float) -> NDArray[np.float32]:
    """Return reduced heights z / (1 + z / R) above a base (for float32's sake), with pits for no data."""
    reduced = np.empty(heights_m.shape, np.float32)
    for row, heights in enumerate(heights_m):  # row by row: no full-size temporaries
        z = heights.astype(np.float64)
        reduced[row] = np.where(np.isnan(z), PIT_M, z / (1.0 + z / MOON_RADIUS_M) - base_m)
    return reduced


def _with_margin(near: Terrain, far: Terrain | None, margin: int) -> NDArray[np.float32]:
    """Return the near heights inside a margin; far heights stand in the margin and wherever the near has no data."""
    rows, cols = near.height_m.shape
    stored = np.full((rows + 2 * margin, cols + 2 * margin), np.nan, dtype=np.float32)
    stored[margin:-margin, margin:-margin] = near.height_m
    if far is not None:
        all_rows, all_cols = np.arange(-margin, rows + margin), np.arange(-margin, cols + margin)
        low, high = slice(None, margin), slice(-margin, None)
        for row, col in ((low, slice(None)), (high, slice(None)), (slice(None), low), (slice(None), high)):
            stored[row, col] = _far_heights(near, far, all_rows[row][:, None], all_cols[col][None, :])
        hole_row, hole_col = np.nonzero(np.isnan(near.height_m))
        stored[margin + hole_row, margin + hole_col] = _far_heights(near, far, hole_row, hole_col)
    return stored


def _far_heights(near: Terrain, far: Terrain, row: NDArray[np.int64], col: NDArray[np.int64]) -> NDArray[np.float32]:
    """Interpolate the far heights at near pixels (bilinear; NaN outside the far grid's outermost centres)."""
    far_col = (near.x_min_m + (col + 0.5) * near.pixel_m - far.x_min_m) / far.pixel_m - 0.5
    far_row = (far.y_max_m - near.y_max_m + (row + 0.5) * near.pixel_m) / far.pixel_m - 0.5
    rows, cols = far.height_m.shape
    inside = (far_row >= 0) & (far_row <= rows - 1) & (far_col >= 0) & (far_col <= cols - 1)
    i = np.clip(np.floor(far_row), 0, rows - 2).astype(np.int64)
    j = np.clip(np.floor(far_col), 0, cols - 2).astype(np.int64)
    fr, fc = far_row - i, far_col - j
    z = far.height_m
    upper = z[i, j] * (1.0 - fc) + z[i, j + 1] * fc
    lower = z[i + 1, j] * (1.0 - fc) + z[i + 1, j + 1] * fc
    return np.where(inside, upper * (1.0 - fr) + lower * fr, np.nan).astype(np.float32)


def _check_observers(heights_m: NDArray[np.float64]) -> None:
    if heights_m.size == 0:
        raise ValueError("observer_heights_m is empty; give at least one height, 0.0 for the surface")
    if not np.isfinite(heights_m).all() or (heights_m < 0.0).any():
        raise ValueError(f"observer_heights_m must be finite and not negative, got {heights_m.tolist()}")
    if (heights_m > _HIGHEST_OBSERVER_M).any():
        raise ValueError(f"observer_heights_m must stay below 10 km, got {heights_m.tolist()}; give metres")


def _check_march(near: Terrain, count: int) -> None:
    if count < 1:
        raise ValueError(f"near_samples must be at least 1, got {count}")
    if count >= min(near.height_m.shape):
        raise ValueError(
            f"the near terrain of {near.height_m.shape} pixels is smaller than its near march of {count} samples; "
            "use a larger window or fewer near_samples"
        )
    longest_rad = math.sqrt(2.0) * count * near.pixel_m / MOON_RADIUS_M
    if longest_rad > _LONGEST_MARCH_RAD:
        raise ValueError(
            f"near_samples of {count} at {near.pixel_m:g} m per pixel march {math.degrees(longest_rad):.1f} degrees of "
            f"arc, beyond the march's range of {math.degrees(_LONGEST_MARCH_RAD):.1f}; use fewer near_samples"
        )


def _check_far(near: Terrain, far: Terrain) -> None:
    if near.pole != far.pole:
        raise ValueError(f"near and far terrain must show the same pole, got {near.pole!r} and {far.pole!r}")
    if far.pixel_m < near.pixel_m:
        raise ValueError(
            f"the far terrain ({far.pixel_m:g} m) is finer than the near terrain ({near.pixel_m:g} m); swap them"
        )
    slack = 0.5 * far.pixel_m
    left, bottom, right, top = near.bounds_m
    far_left, far_bottom, far_right, far_top = far.bounds_m
    if left < far_left - slack or bottom < far_bottom - slack or right > far_right + slack or top > far_top + slack:
        raise ValueError(
            f"the far terrain {far.bounds_m} does not cover the near terrain {near.bounds_m} (left, bottom, right, "
            "top in metres); give a far field that surrounds it, or none"
        )
