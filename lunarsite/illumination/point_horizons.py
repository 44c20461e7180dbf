"""Horizons of single places, marched along great circles: for a handful of places a sweep of the whole map is waste.

Each direction is followed on the sphere itself, with heights interpolated (bilinear) from the near field and, where it
has none, from the far field. Samples start one pixel away, the resolution of the ground, lie a twentieth of a pixel
apart up to 40 pixels and a tenth beyond: coarser ones miss the crests of a bilinear surface. A direction ends where
even the highest ground of the maps could not rise above what stands in the way already, so no search distance is
chosen. Cost: about a tenth of a millisecond for each place and direction.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from lunarsite.grid import MOON_RADIUS_M
from lunarsite.illumination.horizon import Terrain
from lunarsite.illumination.points import HorizonProfiles

Floats = NDArray[np.float64]

_FINE_STEP_PX = 0.05
_COARSE_STEP_PX = 0.1
_FINE_REACH_PX = 40.0


def point_horizons(
    near: Terrain,
    far: Terrain | None,
    rows: NDArray[np.int64],
    cols: NDArray[np.int64],
    directions: int,
    observer_height_m: float = 0.0,
) -> HorizonProfiles:
    """Return the horizons of chosen pixels of the near field in evenly spaced map directions.

    Args:
        near: The near field.
        far: The far field around it, on the map of the same pole, or None.
        rows: Rows of the pixels, (n,).
        cols: Their columns, (n,).
        directions: How many directions; the first is +x of the map, the next ones go towards +y.
        observer_height_m: Height of the eye above the ground.

    Returns:
        Tangents of the horizon's elevation; NaN for a pixel without data. Where no terrain lies ahead the horizon is
        the dip of a sphere at the height of the place's own ground.

    Raises:
        ValueError: A pixel lies outside the near field, or the fields show different poles.
    """
    if far is not None and far.pole != near.pole:
        raise ValueError(f"the near field shows the {near.pole} pole, the far field the {far.pole} pole")
    shape = near.height_m.shape
    outside = (rows < 0) | (rows >= shape[0]) | (cols < 0) | (cols >= shape[1])
    if outside.any():
        first = int(np.flatnonzero(outside)[0])
        raise ValueError(f"pixel ({rows[first]}, {cols[first]}) lies outside the grid of {shape}")
    x_m = near.x_min_m + (cols.astype(np.float64) + 0.5) * near.pixel_m
    y_m = near.y_max_m - (rows.astype(np.float64) + 0.5) * near.pixel_m
    eye_m = MOON_RADIUS_M + near.height_m[rows, cols].astype(np.float64) + observer_height_m
    azimuth = np.arange(directions, dtype=np.float64) * (2.0 * math.pi / directions)
    grounds = near if far is None else far
    highest_m = MOON_RADIUS_M + max(float(np.nanmax(ground.height_m)) for ground in (near, grounds))
    tangent = _march(*_plain(near), *_plain(grounds), x_m, y_m, eye_m, azimuth, highest_m, observer_height_m)
    return HorizonProfiles(x_m, y_m, azimuth, tangent.astype(np.float32), near.pole)


def _plain(ground: Terrain) -> tuple[NDArray[np.float32], float, float, float]:
    """Heights, the map place of the first pixel's centre, and the pixel size."""
    frame = ground.frame
    return ground.height_m, frame.x_first_m, frame.y_first_m, frame.pixel_m


@njit(cache=True, nogil=True)
def _height(z: NDArray[np.float32], x_first: float, y_first: float, pixel: float, x: float, y: float) -> float:
    """Return the bilinear height at a map place; NaN beyond the outermost centres and beside no data."""
    col, row = (x - x_first) / pixel, (y_first - y) / pixel
    if not (0.0 <= row <= z.shape[0] - 1.0 and 0.0 <= col <= z.shape[1] - 1.0):
        return np.nan
    i, j = min(int(row), z.shape[0] - 2), min(int(col), z.shape[1] - 2)
    down, across = row - i, col - j
    upper = z[i, j] * (1.0 - across) + z[i, j + 1] * across
    lower = z[i + 1, j] * (1.0 - across) + z[i + 1, j + 1] * across
    return float(upper * (1.0 - down) + lower * down)


@njit(cache=True, nogil=True, parallel=True)
def _march(
    near: NDArray[np.float32],
    near_x: float,
    near_y: float,
    near_pixel: float,
    far: NDArray[np.float32],
    far_x: float,
    far_y: float,
    far_pixel: float,
    x_m: Floats,
    y_m: Floats,
    eye_m: Floats,
    azimuth: Floats,
    highest_m: float,
    observer_height_m: float,
) -> Floats:
    found = np.full((x_m.size, azimuth.size), np.nan)
    for job in prange(x_m.size * azimuth.size):
        place, direction = job // azimuth.size, job % azimuth.size
        eye = eye_m[place]
        if np.isnan(eye):
            continue
        # The unit vector of the place, and that of the map direction there, on the sphere (inverse stereographic).
        mx, my = x_m[place] / (2.0 * MOON_RADIUS_M), y_m[place] / (2.0 * MOON_RADIUS_M)
        d = 1.0 + mx * mx + my * my
        c, s = math.cos(azimuth[direction]), math.sin(azimuth[direction])
        up_x, up_y, up_z = 2.0 * mx / d, 2.0 * my / d, (2.0 - d) / d
        ahead_x = (c * (d - 2.0 * mx * mx) - s * 2.0 * mx * my) / d
        ahead_y = (s * (d - 2.0 * my * my) - c * 2.0 * mx * my) / d
        ahead_z = (-c * 2.0 * mx - s * 2.0 * my) / d
        pixel = near_pixel / (MOON_RADIUS_M * d)
        fine, coarse, switch = _FINE_STEP_PX * pixel, _COARSE_STEP_PX * pixel, _FINE_REACH_PX * pixel
        gamma = pixel
        # Beyond the maps the Moon goes on as a smooth sphere at the height of the place's own ground, as in the sweep.
        ground = eye - observer_height_m
        best = -math.sqrt(eye * eye - ground * ground) / ground
        while gamma < math.pi / 2.0:
            cosine, sine = math.cos(gamma), math.sin(gamma)
            if (highest_m * cosine - eye) / (highest_m * sine) <= best:
                break
            scale = 2.0 * MOON_RADIUS_M / (1.0 + up_z * cosine + ahead_z * sine)
            x, y = (up_x * cosine + ahead_x * sine) * scale, (up_y * cosine + ahead_y * sine) * scale
            height = _height(near, near_x, near_y, near_pixel, x, y)
            if np.isnan(height):
                height = _height(far, far_x, far_y, far_pixel, x, y)
            if not np.isnan(height):
                radius = MOON_RADIUS_M + height
                best = max(best, (radius * cosine - eye) / (radius * sine))
            gamma += fine if gamma < switch else coarse
        found[place, direction] = best
    return found
