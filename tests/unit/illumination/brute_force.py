"""Horizons by brute force: float64, fine steps along the true great circle, bilinear heights. Slow and plain.

The reference that the sweep is measured against. It shares no code with it: points are stepped on the unit sphere
and projected one by one, elevations come from the plane triangle of sphere centre, observer and sample.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lunarsite.grid import MOON_RADIUS_M
from lunarsite.illumination.horizon import Terrain

Floats = NDArray[np.float64]


def sphere_point(x_m: Floats, y_m: Floats) -> Floats:
    """Unit vectors (..., 3) of map points; the third axis leaves through the map's pole, the others are the map's."""
    mx, my = x_m / (2.0 * MOON_RADIUS_M), y_m / (2.0 * MOON_RADIUS_M)
    d = 1.0 + mx * mx + my * my
    return np.stack([2.0 * mx / d, 2.0 * my / d, (2.0 - d) / d], axis=-1)


def sight_tangent(x_m: Floats, y_m: Floats, azimuth_rad: float) -> Floats:
    """Unit tangent vectors (..., 3) on the sphere of one map direction at map points."""
    mx, my = x_m / (2.0 * MOON_RADIUS_M), y_m / (2.0 * MOON_RADIUS_M)
    d = 1.0 + mx * mx + my * my
    along_x = np.stack([d - 2.0 * mx * mx, -2.0 * mx * my, -2.0 * mx], axis=-1) / d[..., None]
    along_y = np.stack([-2.0 * mx * my, d - 2.0 * my * my, -2.0 * my], axis=-1) / d[..., None]
    return math.cos(azimuth_rad) * along_x + math.sin(azimuth_rad) * along_y


def bilinear(terrain: Terrain, x_m: Floats, y_m: Floats) -> Floats:
    """Heights between pixel centres; NaN outside the outermost centres and beside no data."""
    rows, cols = terrain.height_m.shape
    col = (x_m - terrain.x_min_m) / terrain.pixel_m - 0.5
    row = (terrain.y_max_m - y_m) / terrain.pixel_m - 0.5
    tolerance = 1e-6
    inside = (row >= -tolerance) & (row <= rows - 1 + tolerance) & (col >= -tolerance) & (col <= cols - 1 + tolerance)
    i = np.clip(np.floor(row), 0, rows - 2).astype(np.int64)
    j = np.clip(np.floor(col), 0, cols - 2).astype(np.int64)
    fr, fc = row - i, col - j
    z = terrain.height_m
    upper = z[i, j] * (1.0 - fc) + z[i, j + 1] * fc
    lower = z[i + 1, j] * (1.0 - fc) + z[i + 1, j + 1] * fc
    return np.where(inside, upper * (1.0 - fr) + lower * fr, np.nan)


def brute_force_tan_horizon(
    near: Terrain,
    azimuth_rad: float,
    rows: NDArray[np.int64],
    cols: NDArray[np.int64],
    *,
    far: Terrain | None = None,
    observer_height_m: float = 0.0,
    step_px: float = 0.02,
) -> Floats:
    """Return tan(elevation) of the horizon of chosen pixels, (pixels,); -inf where no terrain lies ahead.

    Samples on the near grid start at one pixel of the map, the resolution of the ground, and go on in steps of
    `step_px` up to 40 pixels, of five times that beyond; outside the near grid they lie at a quarter far pixel. Coarser
    steps miss the crests of a bilinear surface: at 0.25 pixels horizons come out 0.005 degrees too low on average.
    """
    x_m = near.x_min_m + (cols + 0.5) * near.pixel_m
    y_m = near.y_max_m - (rows + 0.5) * near.pixel_m
    eye_m = MOON_RADIUS_M + near.height_m[rows, cols].astype(np.float64) + observer_height_m
    up, ahead = sphere_point(x_m, y_m), sight_tangent(x_m, y_m, azimuth_rad)
    per_map_metre = 1.0 / (MOON_RADIUS_M * (1.0 + (x_m**2 + y_m**2) / (2.0 * MOON_RADIUS_M) ** 2))
    reach_px = math.hypot(*near.height_m.shape) * 1.05
    best = np.full(rows.shape, -np.inf)
    close_px = np.arange(1.0, 40.0, step_px)
    for distance_px in (close_px, np.arange(40.0, reach_px, 5.0 * step_px)):
        _raise_to(best, near, up, ahead, eye_m, distance_px * near.pixel_m, per_map_metre, None)
    if far is not None:
        reach_m = 1.1 * math.hypot(far.bounds_m[2] - far.bounds_m[0], far.bounds_m[3] - far.bounds_m[1])
        distance_m = np.arange(near.pixel_m, reach_m, 0.25 * far.pixel_m)
        _raise_to(best, far, up, ahead, eye_m, distance_m, per_map_metre, near)
    return best


def _raise_to(
    best: Floats,
    terrain: Terrain,
    up: Floats,
    ahead: Floats,
    eye_m: Floats,
    distance_m: Floats,
    per_map_metre: Floats,
    hidden: Terrain | None,
) -> None:
    """Raise `best` by the terrain's samples at map distances from the observers, except those on hidden terrain."""
    for first in range(0, distance_m.size, 4096):
        gamma = distance_m[None, first : first + 4096] * per_map_metre[:, None]
        point = up[:, None, :] * np.cos(gamma)[..., None] + ahead[:, None, :] * np.sin(gamma)[..., None]
        x_m = 2.0 * MOON_RADIUS_M * point[..., 0] / (1.0 + point[..., 2])
        y_m = 2.0 * MOON_RADIUS_M * point[..., 1] / (1.0 + point[..., 2])
        z = bilinear(terrain, x_m, y_m)
        if hidden is not None:
            z[np.isfinite(bilinear(hidden, x_m, y_m))] = np.nan
        radius_m = MOON_RADIUS_M + z
        tangent = (radius_m * np.cos(gamma) - eye_m[:, None]) / (radius_m * np.sin(gamma))
        np.maximum(best, np.where(np.isnan(tangent), -np.inf, tangent).max(axis=1), out=best)


def elevation_error_deg(tangent: Floats, reference: Floats) -> Floats:
    """Difference of two horizons as angles, degrees, without the pixels that have no horizon in either."""
    both = np.isfinite(tangent) & np.isfinite(reference)
    return np.degrees(np.arctan(tangent[both]) - np.arctan(reference[both]))
