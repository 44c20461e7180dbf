"""The Sun over every pixel of a tile and of the ground around it, at one sub-solar point.

Each pixel has its own direction to the Sun. The ray follows the great circle of that direction through the nested grids
(`nested`): with t the tangent of half the angle from the pixel P towards D, a point of it lies on the map at

    2 R (P (1 - t^2) + 2 t D)_xy / ((1 + t^2) + (P (1 - t^2) + 2 t D)_z)

and ground of radius r there stands at the elevation tan(e) = (r (1 - t^2) - r_P (1 + t^2)) / (2 t r): exact, and free
of trigonometry. The ray ends where nothing ahead could change the answer.

The disc is cut by a straight limb at the height of the horizon below its centre. Within 0.27 degrees to either side the
horizon may differ, which would blur the shadows of sharp peaks by 5 m per km. The Sun's parallax (2.4 arc seconds) is
left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from lunarsite.grid import MOON_RADIUS_M
from lunarsite.illumination.light.nested import BLOCK_PX, REACH_PX, Nested
from lunarsite.illumination.visibility_tables import map_direction_rad, poleward_deg

SUN_RADIUS_RAD = 0.00465047
"""The Sun's radius as seen from one astronomical unit; it varies by 1.7 per cent over a year."""

STEP_PX = 0.5
"""Samples of a ray toward the Sun, in pixels of the level that is read."""

Flat = NDArray[np.float32]
Floats = NDArray[np.float64]
Table = NDArray[np.int64]

_LOWEST_TANGENT = -0.12
"""Below the dip that the highest ground of the Moon sees of the lowest."""


@dataclass(frozen=True)
class Sun:
    """Where the Sun stands at the zenith, degrees."""

    lon_deg: float
    lat_deg: float

    def vector(self, nested: Nested) -> Floats:
        """Return the unit vector towards it; axes: map x, map y, the map's pole."""
        pole = nested.tile.pole
        direction = float(map_direction_rad(np.array(self.lon_deg), pole))
        latitude = math.radians(float(poleward_deg(np.array(self.lat_deg), pole)))
        level = math.cos(latitude)
        return np.array([level * math.cos(direction), level * math.sin(direction), math.sin(latitude)])


@dataclass(frozen=True)
class Sunlight:
    """Sunlight on a window of a level, (rows, cols) float32 each, NaN = unknown.

    Attributes:
        fraction: Visible share of the Sun's disc, 0..1.
        cos_incidence: Cosine of the angle between the Sun's centre and the ground's normal, negative behind it.
        cos_emission: Cosine of the slope: of the angle between the normal and a viewer straight above.
        elevation_deg: Elevation of the Sun's centre over the local horizontal plane.
    """

    fraction: Flat
    cos_incidence: Flat
    cos_emission: Flat
    elevation_deg: Flat


def sunlight(nested: Nested, level: int, window: tuple[int, int, int, int], sun: Sun, every: int = 1) -> Sunlight:
    """Return the Sun's light on a window of a level.

    Args:
        nested: Ground around the tile.
        level: Which of its levels.
        window: First and last-but-one row, first and last-but-one column.
        sun: Where the Sun stands.
        every: Of the window's rows and columns, take every so many-th.
    """
    top, bottom, left, right = window
    rows, cols = np.arange(top, bottom, every), np.arange(left, right, every)
    found = np.empty((4, rows.size, cols.size), np.float32)
    _sunlight(
        nested.height_m, nested.highest_m, nested.shape, nested.place, level, rows, cols, sun.vector(nested), found
    )
    return Sunlight(*found)


@njit(cache=True, error_model="numpy", inline="always")
def read(flat: Flat, first: int, cols: int, row: float, col: float) -> float:
    """Return the bilinear value at fractional rows and columns of a level, which must lie inside it."""
    i, j = int(row), int(col)
    down, across = row - i, col - j
    at = first + i * cols + j
    upper = flat[at] * (1.0 - across) + flat[at + 1] * across
    lower = flat[at + cols] * (1.0 - across) + flat[at + cols + 1] * across
    return float(upper * (1.0 - down) + lower * down)


@njit(cache=True, error_model="numpy")
def frame_of(x_m: float, y_m: float) -> tuple[float, float, float, float, float, float, float, float, float]:
    """Return the place's unit vector, and those of the map's x and y directions there."""
    u, v = x_m / (2.0 * MOON_RADIUS_M), y_m / (2.0 * MOON_RADIUS_M)
    d = 1.0 + u * u + v * v
    return (
        2.0 * u / d,
        2.0 * v / d,
        (2.0 - d) / d,
        (d - 2.0 * u * u) / d,
        -2.0 * u * v / d,
        -2.0 * u / d,
        -2.0 * u * v / d,
        (d - 2.0 * v * v) / d,
        -2.0 * v / d,
    )


@njit(cache=True, error_model="numpy")
def gradient(flat: Flat, shape: Table, place: Floats, level: int, row: int, col: int) -> tuple[float, float]:
    """Return the rise of the ground along map x and y per true length, by central differences; NaN = unknown."""
    first, cols = shape[level, 0], shape[level, 2]
    at = first + row * cols + col
    x_m = place[level, 0] + col * place[level, 2]
    y_m = place[level, 1] - row * place[level, 2]
    scale = 1.0 + (x_m * x_m + y_m * y_m) / (4.0 * MOON_RADIUS_M * MOON_RADIUS_M)
    per_m = scale / (2.0 * place[level, 2])
    two = np.float64(1.0)
    return (two * flat[at + 1] - flat[at - 1]) * per_m, (two * flat[at - cols] - flat[at + cols]) * per_m


@njit(cache=True, error_model="numpy", inline="always")
def hidden(highest_m: float, eye: float, tangent: float, t: float) -> bool:
    """Whether ground up to a height, from t on, stays below a line of sight of this tangent."""
    top = MOON_RADIUS_M + highest_m
    # Higher ground looks the lower the farther away it is; ground below the eye never reaches the horizontal.
    if top > eye:
        return top * (1.0 - t * t) - eye * (1.0 + t * t) <= tangent * 2.0 * t * top
    return tangent >= 0.0


@njit(cache=True, error_model="numpy")
def horizon_tangent(
    flat: Flat,
    blocks: Flat,
    shape: Table,
    place: Floats,
    level: int,
    spot: tuple[float, float, float],
    direction: tuple[float, float],
    lowest: float,
    highest: float,
) -> float:
    """Return the tangent of the horizon's elevation towards a map direction.

    Args:
        flat: Heights, see `Nested`.
        blocks: Highest ground by block.
        shape: Their layout.
        place: Where the levels lie.
        level: The level of the pixel.
        spot: Map x and y of the eye, and its height above the sphere.
        direction: Cosine and sine of the map direction, from +x towards +y.
        lowest: A horizon below this tangent need not be exact.
        highest: Nor one above this.
    """
    x_m, y_m, eye_m = spot
    up_x, up_y, up_z, xx, xy, xz, yx, yy, yz = frame_of(x_m, y_m)
    cos_a, sin_a = direction
    ahead_x, ahead_y, ahead_z = cos_a * xx + sin_a * yx, cos_a * xy + sin_a * yy, cos_a * xz + sin_a * yz
    scale = 1.0 + (x_m * x_m + y_m * y_m) / (4.0 * MOON_RADIUS_M * MOON_RADIUS_M)
    eye = MOON_RADIUS_M + eye_m
    # One pixel of the level, as a step of t.
    unit = place[level, 2] / (2.0 * MOON_RADIUS_M * scale)
    k, t, best, met, wait = level, unit, _LOWEST_TANGENT, False, 0
    limit, per_m = REACH_PX * unit, 1.0 / place[level, 2]
    levels = shape.shape[0]
    while True:
        if t > limit:
            k, unit, limit, per_m, wait = k + 1, 2.0 * unit, 2.0 * limit, 0.5 * per_m, 0
            if k == levels:
                break
        one, less = 1.0 + t * t, 1.0 - t * t
        toward = 2.0 * MOON_RADIUS_M / (one + up_z * less + 2.0 * t * ahead_z)
        x = (up_x * less + 2.0 * t * ahead_x) * toward
        y = (up_y * less + 2.0 * t * ahead_y) * toward
        row, col = (place[k, 1] - y) * per_m, (x - place[k, 0]) * per_m
        if row < 0.0 or col < 0.0 or row >= shape[k, 1] - 1 or col >= shape[k, 2] - 1:
            # The pixel lies near the level's border; the next level holds the place.
            k, unit, limit, per_m, wait = k + 1, 2.0 * unit, 2.0 * limit, 0.5 * per_m, 0
            if k == levels:
                break
            continue
        if wait == 0:
            if hidden(place[k, 3], eye, max(best, lowest), t):
                break
            block = shape[k, 3] + (int(row) // BLOCK_PX) * shape[k, 4] + int(col) // BLOCK_PX
            if hidden(blocks[block], eye, max(best, lowest), t):
                t += BLOCK_PX * unit
                continue
            wait = 8
        wait -= 1
        height = read(flat, shape[k, 0], shape[k, 2], row, col)
        if not math.isnan(height):
            met = True
            radius = MOON_RADIUS_M + height
            rise, run = radius * less - eye * one, 2.0 * t * radius
            if rise > best * run:
                best = rise / run
                if best >= highest:
                    break
        t += STEP_PX * unit
    # Where no ground is known the Moon goes on as a sphere at the height of the place itself.
    return best if met or k < levels else max(best, 0.0)


@njit(cache=True, parallel=True, error_model="numpy")
def _sunlight(
    flat: Flat,
    blocks: Flat,
    shape: Table,
    place: Floats,
    level: int,
    rows: Table,
    cols: Table,
    sun: Floats,
    found: Flat,
) -> None:
    for r in prange(rows.size):
        for c in range(cols.size):
            row, col = rows[r], cols[c]
            height = flat[shape[level, 0] + row * shape[level, 2] + col]
            rise_x, rise_y = gradient(flat, shape, place, level, row, col)
            if math.isnan(height) or math.isnan(rise_x) or math.isnan(rise_y):
                found[:, r, c] = np.nan
                continue
            x_m = place[level, 0] + col * place[level, 2]
            y_m = place[level, 1] - row * place[level, 2]
            up_x, up_y, up_z, xx, xy, xz, yx, yy, yz = frame_of(x_m, y_m)
            upward = up_x * sun[0] + up_y * sun[1] + up_z * sun[2]
            along_x = xx * sun[0] + xy * sun[1] + xz * sun[2]
            along_y = yx * sun[0] + yy * sun[1] + yz * sun[2]
            level_part = math.sqrt(along_x * along_x + along_y * along_y)
            elevation = math.atan2(upward, level_part)
            normal = 1.0 / math.sqrt(1.0 + rise_x * rise_x + rise_y * rise_y)
            low, high = math.tan(elevation - SUN_RADIUS_RAD), math.tan(elevation + SUN_RADIUS_RAD)
            horizon = horizon_tangent(
                flat,
                blocks,
                shape,
                place,
                level,
                (x_m, y_m, height),
                (along_x / level_part, along_y / level_part),
                low,
                high,
            )
            found[0, r, c] = _seen((elevation - math.atan(horizon)) / SUN_RADIUS_RAD)
            found[1, r, c] = (upward - along_x * rise_x - along_y * rise_y) * normal
            found[2, r, c] = normal
            found[3, r, c] = math.degrees(elevation)


@njit(cache=True, error_model="numpy")
def _seen(height_in_radii: float) -> float:
    """Visible share of the disc, as `visibility_tables.disc_fraction`."""
    q = min(max(height_in_radii, -1.0), 1.0)
    return 0.5 + (q * math.sqrt(1.0 - q * q) + math.asin(q)) / math.pi
