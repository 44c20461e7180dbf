"""The exact march over the first samples of every ray: compiled, in float32, vectorised along rows.

It must not know azimuths or maps: `horizon_geometry.near_samples` gives it the samples. It works on reduced heights
(`horizon_geometry`) inside a margin wide enough for all samples, without NaN: no data is a bottomless pit.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from lunarsite.grid import MOON_RADIUS_M
from lunarsite.illumination.horizon_geometry import NearSamples

NOTHING_AHEAD = np.float32(-1.0e4)
"""Tangents below this mean that no terrain was met: only pits lie that low."""

_STRIP = 1024  # columns at a time: the strip's float32 rows stay in the first-level cache


@njit(parallel=True, cache=True, error_model="numpy", fastmath={"contract"})
def march_near(
    reduced: NDArray[np.float32],
    origin: int,
    width: int,
    crossings: NearSamples,
    inside: NearSamples,
    u_m: tuple[float, float, float],
    row_radius2: NDArray[np.float64],
    col_radius2: NDArray[np.float64],
    heights_m: NDArray[np.float64],
    base_m: float,
    deepest_m: float,
    out: NDArray[np.float32],
) -> None:
    """Raise `out` to the largest tan(elevation) over the near samples of every pixel, and finish it.

    With a = tan(gamma) of the angle to a sample, g = 1 - z* / R, z* the reduced heights of sample and observer:
    tan(e) = (dz* / R a - g (sqrt(1 + a^2) - 1) / a) / g_observer. On the map 1 / gamma = R sqrt(k k') / d, and
    sqrt(k') = sqrt(k) (1 + d u / 4 R^2 k) to the first order in d. The factor k / g_observer is positive and the same
    for all samples of a pixel, so it is applied to the maximum.

    Args:
        reduced: Reduced heights with their margin, flat, metres.
        origin: Index of the first pixel in `reduced`.
        width: Length of a row of `reduced`.
        crossings: Samples between two pixels, an even number of them.
        inside: Samples among four pixels.
        u_m: u of the first pixel (map metres along the sight), and its change per row and per column.
        row_radius2: Squared map y of each row, (rows,), in units of 4 R^2.
        col_radius2: Squared map x of each column, (cols,), in units of 4 R^2.
        heights_m: Observer heights above the surface, (heights,).
        base_m: What `reduced` is counted from.
        deepest_m: Ground at or below this is no data: NaN.
        out: (heights, rows, cols), holds the horizon beyond the near samples.
    """
    n_heights, rows, cols = out.shape
    for row in prange(rows):
        strip = np.empty((5, _STRIP), np.float32)
        for start in range(0, cols, _STRIP):
            size = min(_STRIP, cols - start)
            first = origin + row * width + start
            ground = reduced[first : first + size]
            eye, bend, bias = strip[0, :size], strip[1, :size], strip[2, :size]
            gain, best = strip[3, :size], strip[4, :size]
            for h in range(n_heights):
                for x in range(size):
                    g = 1.0 - (ground[x] + base_m) / MOON_RADIUS_M
                    g = g / (1.0 + heights_m[h] / MOON_RADIUS_M * g)
                    scale = 1.0 + row_radius2[row] + col_radius2[start + x]
                    u = u_m[0] + row * u_m[1] + (start + x) * u_m[2]
                    eye[x] = np.float32((1.0 - g) * MOON_RADIUS_M - base_m)
                    bend[x] = np.float32(g / (scale * scale))
                    bias[x] = np.float32(u / (4.0 * MOON_RADIUS_M * MOON_RADIUS_M * scale))
                    gain[x] = np.float32(scale / g)
                    best[x] = np.float32(-1.0e30)
                _march_crossings(reduced, first, crossings, eye, bend, bias, best)
                _march_inside(reduced, first, inside, eye, bend, bias, best)
                _finish(ground, gain, best, heights_m[h], base_m, deepest_m, out[h, row, start : start + size])


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _march_crossings(
    reduced: NDArray[np.float32],
    first: int,
    samples: NearSamples,
    eye: NDArray[np.float32],
    bend: NDArray[np.float32],
    bias: NDArray[np.float32],
    best: NDArray[np.float32],
) -> None:
    """Two samples at a time, which halves the traffic of the observers' own arrays."""
    size, offset, weight, distance_m = best.size, samples.offset, samples.weight, samples.distance_m
    for s in range(0, distance_m.size, 2):
        z_00 = reduced[first + offset[s, 0] : first + offset[s, 0] + size]
        z_01 = reduced[first + offset[s, 1] : first + offset[s, 1] + size]
        z_10 = reduced[first + offset[s + 1, 0] : first + offset[s + 1, 0] + size]
        z_11 = reduced[first + offset[s + 1, 1] : first + offset[s + 1, 1] + size]
        w_00, w_01 = weight[s, 0], weight[s, 1]
        w_10, w_11 = weight[s + 1, 0], weight[s + 1, 1]
        near_0, near_1 = np.float32(1.0 / distance_m[s]), np.float32(1.0 / distance_m[s + 1])
        half_0 = np.float32(distance_m[s] / (2.0 * MOON_RADIUS_M))
        half_1 = np.float32(distance_m[s + 1] / (2.0 * MOON_RADIUS_M))
        for x in range(size):
            rise_0 = (z_00[x] * w_00 - eye[x]) + z_01[x] * w_01
            rise_1 = (z_10[x] * w_10 - eye[x]) + z_11[x] * w_11
            tangent_0 = rise_0 * (near_0 + bias[x]) - half_0 * bend[x]
            tangent_1 = rise_1 * (near_1 + bias[x]) - half_1 * bend[x]
            higher = tangent_0 if tangent_0 > tangent_1 else tangent_1
            best[x] = higher if higher > best[x] else best[x]


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _march_inside(
    reduced: NDArray[np.float32],
    first: int,
    samples: NearSamples,
    eye: NDArray[np.float32],
    bend: NDArray[np.float32],
    bias: NDArray[np.float32],
    best: NDArray[np.float32],
) -> None:
    size, offset, weight, distance_m = best.size, samples.offset, samples.weight, samples.distance_m
    for s in range(distance_m.size):
        z_0 = reduced[first + offset[s, 0] : first + offset[s, 0] + size]
        z_1 = reduced[first + offset[s, 1] : first + offset[s, 1] + size]
        z_2 = reduced[first + offset[s, 2] : first + offset[s, 2] + size]
        z_3 = reduced[first + offset[s, 3] : first + offset[s, 3] + size]
        w_0, w_1, w_2, w_3 = weight[s, 0], weight[s, 1], weight[s, 2], weight[s, 3]
        near = np.float32(1.0 / distance_m[s])
        half = np.float32(distance_m[s] / (2.0 * MOON_RADIUS_M))
        for x in range(size):
            rise = ((z_0[x] * w_0 - eye[x]) + z_1[x] * w_1) + (z_2[x] * w_2 + z_3[x] * w_3)
            tangent = rise * (near + bias[x]) - half * bend[x]
            best[x] = tangent if tangent > best[x] else best[x]


@njit(cache=True, error_model="numpy")
def _finish(
    ground: NDArray[np.float32],
    gain: NDArray[np.float32],
    best: NDArray[np.float32],
    height_m: float,
    base_m: float,
    deepest_m: float,
    out: NDArray[np.float32],
) -> None:
    """Join the march with the horizon beyond it; the dip where nothing lies ahead, NaN where there is no ground."""
    unknown = np.float32(np.nan)
    deepest = np.float32(deepest_m)
    for x in range(out.size):
        tangent = best[x] * gain[x]
        tangent = out[x] if out[x] > tangent else tangent
        out[x] = unknown if ground[x] <= deepest else tangent
    for x in range(out.size):
        if out[x] < NOTHING_AHEAD:
            lift = 1.0 + height_m / MOON_RADIUS_M * (1.0 - (ground[x] + base_m) / MOON_RADIUS_M)
            out[x] = np.float32(-math.sqrt(lift * lift - 1.0))
