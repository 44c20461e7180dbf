"""Light that sunlit ground scatters onto other ground: one bounce, gathered ray by ray.

From each pixel rays leave in evenly spaced map directions. Where ground rises above all that lies before it, it fills
the sight between two elevations; its radiance, times the cosine of incidence on the pixel's own slope, is integrated
over that patch of the sky in closed form. With T the tangent of the elevation, and the pixel's normal n (n_h of it
along the ray, n_z upright), a wedge of the width w of ground of radiance B (as I/F) adds

    w / pi (G(T_2) - G(T_1)) B,   G(T) = n_h (atan T + T / (1 + T^2)) / 2 + n_z T^2 / (1 + T^2) / 2.

The sum is what a white Lambert surface at the pixel would show, as I/F. It begins at the pixel's own tangent plane, so
light comes from below the horizontal too, as it does for a slope that looks down on a sunlit floor. Facets are
Lambert's. Nothing of the second bounce is counted: it is smaller by the albedo times the share of the sky that ground
fills, a few per cent in a crater.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from lunarsite.grid import MOON_RADIUS_M
from lunarsite.illumination.light import nested as nested_grids
from lunarsite.illumination.light.moment import frame_of, gradient, hidden, read
from lunarsite.illumination.light.nested import BLOCK_PX, Nested

REACH_PX = 32
"""How far away a level is read, its own pixels; the next level lies beyond. A pixel is 0.9 to 1.8 degrees wide then."""

STEP_PX = 1.0
"""Samples of a ray, in pixels of the level that is read."""

Flat = NDArray[np.float32]
Floats = NDArray[np.float64]
Table = NDArray[np.int64]


@dataclass(frozen=True)
class Gathered:
    """Scattered light on a tile, for each of n suns.

    Attributes:
        irradiance: (n, rows, cols) float32: I/F of a white Lambert surface there; NaN = unknown or not asked for.
        towards: (n, directions): sum of it over the pixels that were counted, by the direction that it comes from.
        azimuth_rad: The directions, from the map's +x towards +y.
    """

    irradiance: Flat
    towards: Floats
    azimuth_rad: Floats

    def main_azimuth_deg(self, number: int) -> float:
        """Return the direction that most light comes from (vector mean), clockwise from the map's +y, 0..360."""
        x, y = self.towards[number] @ np.cos(self.azimuth_rad), self.towards[number] @ np.sin(self.azimuth_rad)
        return math.degrees(math.atan2(x, y)) % 360.0


def farthest_m(reach_m: float) -> float:
    """Return how far nested grids must reach so that light can be gathered from within `reach_m`."""
    return reach_m * nested_grids.REACH_PX / REACH_PX


def levels_within(nested: Nested, reach_m: float) -> int:
    """Return how many levels a ray of this length reads.

    Raises:
        ValueError: It would need more than there are.
    """
    for number, grid in enumerate(nested.grids):
        if REACH_PX * grid.pixel_m >= reach_m:
            return number + 1
    raise ValueError(
        f"{len(nested.grids)} levels are too few to gather light from within {reach_m:g} m; lay the nested grids"
        f" out to {farthest_m(reach_m):g} m"
    )


def gather(
    nested: Nested,
    radiance: Flat,
    directions: int,
    reach_m: float,
    wanted: NDArray[np.bool_] | None = None,
    counted: NDArray[np.bool_] | None = None,
) -> Gathered:
    """Gather scattered light on the tile.

    Args:
        nested: Ground around the tile.
        radiance: (n, size of `nested.height_m`) float32 I/F of the ground in direct light, 0 where it is not lit.
        directions: How many rays leave a pixel.
        reach_m: How far they go, metres; see `farthest_m`.
        wanted: Pixels of the tile to be done; all if None.
        counted: (n, rows, cols) pixels that `towards` counts; all if None.

    Raises:
        ValueError: An array does not fit the ground, or the ground does not reach far enough.
    """
    shape = nested.tile.shape
    suns = radiance.shape[0]
    wanted = np.ones(shape, np.bool_) if wanted is None else wanted
    counted = np.ones((suns, *shape), np.bool_) if counted is None else counted
    if radiance.shape[1] != nested.height_m.size or wanted.shape != shape or counted.shape != (suns, *shape):
        raise ValueError(
            f"radiance {radiance.shape}, wanted {wanted.shape}, counted {counted.shape} do not fit a tile of {shape}"
            f" in ground of {nested.height_m.size} pixels"
        )
    # Half a step off the axes, along which samples would fall on pixel centres only.
    azimuth: Floats = (np.arange(directions, dtype=np.float64) + np.float64(0.5)) * (2.0 * math.pi / directions)
    top, _, left, _ = nested.tile_window()
    irradiance = np.full((suns, *shape), np.nan, np.float32)
    towards = np.zeros((shape[0], suns, directions))
    levels = levels_within(nested, reach_m)
    vectors = np.stack([np.cos(azimuth), np.sin(azimuth)], axis=1)
    _gather(
        nested.height_m,
        nested.highest_m,
        nested.shape,
        nested.place,
        np.ascontiguousarray(radiance),
        (top, left, levels),
        (float(REACH_PX), STEP_PX),
        vectors,
        reach_m,
        wanted,
        counted,
        irradiance,
        towards,
    )
    return Gathered(irradiance, towards.sum(0), azimuth)


@njit(cache=True, parallel=True, error_model="numpy")
def _gather(
    flat: Flat,
    blocks: Flat,
    shape: Table,
    place: Floats,
    radiance: Flat,
    where: tuple[int, int, int],
    sampling: tuple[float, float],
    vectors: Floats,
    reach_m: float,
    wanted: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    irradiance: Flat,
    towards: Floats,
) -> None:
    top, left, levels = where
    suns, directions = radiance.shape[0], vectors.shape[0]
    # A wedge's width over pi.
    width = 2.0 / directions
    for r in prange(wanted.shape[0]):
        # Per sun: light of one ray, radiance of the sample before, of this one, and the pixel's sum.
        part = np.zeros((4, suns))
        for c in range(wanted.shape[1]):
            height = flat[(top + r) * shape[0, 2] + left + c]
            rise_x, rise_y = gradient(flat, shape, place, 0, top + r, left + c)
            if not wanted[r, c] or math.isnan(height + rise_x + rise_y):
                continue
            x_m, y_m = place[0, 0] + (left + c) * place[0, 2], place[0, 1] - (top + r) * place[0, 2]
            part[3] = 0.0
            for a in range(directions):
                part[:3] = 0.0
                _ray(
                    flat,
                    blocks,
                    shape,
                    place,
                    radiance,
                    levels,
                    sampling,
                    (x_m, y_m, height),
                    (rise_x, rise_y),
                    (vectors[a, 0], vectors[a, 1]),
                    reach_m,
                    part,
                )
                for s in range(suns):
                    part[3, s] += part[0, s]
                    if counted[s, r, c]:
                        towards[r, s, a] += width * part[0, s]
            for s in range(suns):
                irradiance[s, r, c] = width * part[3, s]


@njit(cache=True, error_model="numpy")
def _ray(
    flat: Flat,
    blocks: Flat,
    shape: Table,
    place: Floats,
    radiance: Flat,
    levels: int,
    sampling: tuple[float, float],
    eye: tuple[float, float, float],
    rise: tuple[float, float],
    direction: tuple[float, float],
    reach_m: float,
    part: Floats,
) -> None:
    """Add the light that one ray meets to `part[0]`."""
    x_m, y_m, height = eye
    cos_a, sin_a = direction
    up_x, up_y, up_z, xx, xy, xz, yx, yy, yz = frame_of(x_m, y_m)
    ahead_x, ahead_y, ahead_z = cos_a * xx + sin_a * yx, cos_a * xy + sin_a * yy, cos_a * xz + sin_a * yz
    scale = 1.0 + (x_m * x_m + y_m * y_m) / (4.0 * MOON_RADIUS_M * MOON_RADIUS_M)
    eye_radius = MOON_RADIUS_M + height
    upright = 1.0 / math.sqrt(1.0 + rise[0] * rise[0] + rise[1] * rise[1])
    own = rise[0] * cos_a + rise[1] * sin_a
    along = -own * upright
    unit = place[0, 2] / (2.0 * MOON_RADIUS_M * scale)
    best, before = own, _sight(own, along, upright)
    k, t, wait, joined = 0, unit, 0, False
    limit, per_m, last = sampling[0] * unit, 1.0 / place[0, 2], reach_m / (2.0 * MOON_RADIUS_M)
    while t <= last:
        if t > limit:
            k, unit, limit, per_m, wait = k + 1, 2.0 * unit, 2.0 * limit, 0.5 * per_m, 0
            if k == levels:
                break
        one, less = 1.0 + t * t, 1.0 - t * t
        toward = 2.0 * MOON_RADIUS_M / (one + up_z * less + 2.0 * t * ahead_z)
        x = (up_x * less + 2.0 * t * ahead_x) * toward
        y = (up_y * less + 2.0 * t * ahead_y) * toward
        row, col = (place[k, 1] - y) * per_m, (x - place[k, 0]) * per_m
        if wait == 0:
            if hidden(place[k, 3], eye_radius, best, t):
                break
            block = shape[k, 3] + (int(row) // BLOCK_PX) * shape[k, 4] + int(col) // BLOCK_PX
            if hidden(blocks[block], eye_radius, best, t):
                t += BLOCK_PX * unit
                joined = False
                continue
            wait = 8
        wait -= 1
        found = read(flat, shape[k, 0], shape[k, 2], row, col)
        radius = MOON_RADIUS_M + found
        rise_m, run_m = radius * less - eye_radius * one, 2.0 * t * radius
        # Unknown ground compares as lower.
        if rise_m > best * run_m:
            tangent = rise_m / run_m
            after = _sight(tangent, along, upright)
            for s in range(radiance.shape[0]):
                here = read(radiance[s], shape[k, 0], shape[k, 2], row, col)
                part[2, s] = here
                # Ground that joins on to what was seen before passes evenly from its radiance to this one.
                light = 0.5 * (here + part[1, s]) if joined else here
                part[0, s] += light * (after - before)
                part[1, s] = here
            best, before, joined = tangent, after, True
        else:
            joined = False
        t += sampling[1] * unit


@njit(cache=True, error_model="numpy")
def _sight(tangent: float, along: float, upright: float) -> float:
    """G(T) of the module's formula."""
    bent = tangent / (1.0 + tangent * tangent)
    return 0.5 * (along * (math.atan(tangent) + bent) + upright * tangent * bent)
