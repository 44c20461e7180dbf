"""The exact march over the first samples of every ray: compiled, in float32, vectorised along rows.

It must not know azimuths or maps: `horizon_geometry.near_samples` gives it the samples. Heights come padded by one
pixel on every side, without NaN (no data is a bottomless pit, `horizon.PIT_M`).
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from lunarsite.grid import MOON_RADIUS_M
from lunarsite.illumination.horizon_geometry import NearSamples

NOTHING_AHEAD = np.float32(-1.0e30)
"""Value of a pixel whose ray meets no sample."""

_STRIP = 1024  # columns at a time: the strip's five float32 rows stay in the first-level cache


@njit(parallel=True, cache=True, fastmath={"contract"})
def march_near(
    padded: NDArray[np.float32],
    crossings: NearSamples,
    inside: NearSamples,
    u_m: tuple[float, float, float],
    row_radius2: NDArray[np.float64],
    col_radius2: NDArray[np.float64],
    heights_m: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    """Write the largest tan(elevation) over the near samples of every pixel.

    With gamma the central angle to a sample and q = dz / (R + z), tan(e) = q (1 - q) / gamma - gamma / 2 up to
    gamma^3 / 24. On the map 1 / gamma = R sqrt(k k') / d, and sqrt(k') = sqrt(k) (1 + d u / 4 R^2 k) to the first
    order in d. The factor R k / (R + z) is positive and the same for all samples, so it is applied to the maximum.

    Args:
        padded: Heights, (rows + 2, cols + 2) metres.
        crossings: Samples between two pixels.
        inside: Samples among four pixels.
        u_m: u of the first pixel (map metres along the sight), and its change per row and per column.
        row_radius2: Squared map y of each row, (rows,), in units of 4 R^2.
        col_radius2: Squared map x of each column, (cols,), in units of 4 R^2.
        heights_m: Observer heights above the surface, (heights,).
        out: Result, (heights, rows, cols); NOTHING_AHEAD where a ray meets no sample.
    """
    n_heights, rows, cols = out.shape
    for row in prange(rows):
        strip = np.empty((4, _STRIP), np.float32)
        for start in range(0, cols, _STRIP):
            size = min(_STRIP, cols - start)
            ground = padded[row + 1, start + 1 : start + 1 + size]
            eye, bend, bias, gain = strip[0, :size], strip[1, :size], strip[2, :size], strip[3, :size]
            for h in range(n_heights):
                best = out[h, row, start : start + size]
                for x in range(size):
                    radius = MOON_RADIUS_M + np.float64(ground[x]) + heights_m[h]
                    scale = 1.0 + row_radius2[row] + col_radius2[start + x]
                    u = u_m[0] + row * u_m[1] + (start + x) * u_m[2]
                    eye[x] = np.float32(radius - MOON_RADIUS_M)
                    bend[x] = np.float32(radius / (MOON_RADIUS_M * scale * scale))
                    bias[x] = np.float32(u / (4.0 * MOON_RADIUS_M * MOON_RADIUS_M * scale))
                    gain[x] = np.float32(scale * MOON_RADIUS_M / radius)
                    best[x] = NOTHING_AHEAD
                _march_crossings(padded, crossings, row, start, eye, bend, bias, best)
                _march_inside(padded, inside, row, start, eye, bend, bias, best)
                for x in range(size):
                    best[x] *= gain[x]


@njit(cache=True, inline="always")
def _window(
    sample_row: NDArray[np.int64], sample_col: NDArray[np.int64], row: int, start: int, size: int, rows: int, cols: int
) -> tuple[int, int]:
    """Return the columns [first, stop) of a strip whose sample lies on the padded grid."""
    if row + sample_row.min() < -1 or row + sample_row.max() > rows:
        return 0, 0
    return max(0, -1 - sample_col.min() - start), min(size, cols + 1 - sample_col.max() - start)


@njit(cache=True, fastmath={"contract"})
def _march_crossings(
    padded: NDArray[np.float32],
    samples: NearSamples,
    row: int,
    start: int,
    eye: NDArray[np.float32],
    bend: NDArray[np.float32],
    bias: NDArray[np.float32],
    best: NDArray[np.float32],
) -> None:
    per_radius = np.float32(1.0 / MOON_RADIUS_M)
    rows, cols = padded.shape[0] - 2, padded.shape[1] - 2
    for s in range(samples.distance_m.size):
        lo, hi = _window(samples.row[s], samples.col[s], row, start, best.size, rows, cols)
        if hi <= lo:
            continue
        first, second = start + lo + 1 + samples.col[s, 0], start + lo + 1 + samples.col[s, 1]
        z_0 = padded[row + 1 + samples.row[s, 0], first : first + hi - lo]
        z_1 = padded[row + 1 + samples.row[s, 1], second : second + hi - lo]
        w_0, w_1 = samples.weight[s, 0], samples.weight[s, 1]
        per_distance = np.float32(1.0 / samples.distance_m[s])
        half_angle = np.float32(samples.distance_m[s] / (2.0 * MOON_RADIUS_M))
        e, g, c, t = eye[lo:hi], bend[lo:hi], bias[lo:hi], best[lo:hi]
        for x in range(hi - lo):
            rise = z_0[x] * w_0 + z_1[x] * w_1 - e[x]
            tangent = (rise - rise * rise * per_radius) * (per_distance + c[x]) - half_angle * g[x]
            t[x] = tangent if tangent > t[x] else t[x]


@njit(cache=True, fastmath={"contract"})
def _march_inside(
    padded: NDArray[np.float32],
    samples: NearSamples,
    row: int,
    start: int,
    eye: NDArray[np.float32],
    bend: NDArray[np.float32],
    bias: NDArray[np.float32],
    best: NDArray[np.float32],
) -> None:
    per_radius = np.float32(1.0 / MOON_RADIUS_M)
    rows, cols = padded.shape[0] - 2, padded.shape[1] - 2
    for s in range(samples.distance_m.size):
        lo, hi = _window(samples.row[s], samples.col[s], row, start, best.size, rows, cols)
        if hi <= lo:
            continue
        at = start + lo + 1 + samples.col[s]
        z_0 = padded[row + 1 + samples.row[s, 0], at[0] : at[0] + hi - lo]
        z_1 = padded[row + 1 + samples.row[s, 1], at[1] : at[1] + hi - lo]
        z_2 = padded[row + 1 + samples.row[s, 2], at[2] : at[2] + hi - lo]
        z_3 = padded[row + 1 + samples.row[s, 3], at[3] : at[3] + hi - lo]
        w_0, w_1, w_2, w_3 = samples.weight[s, 0], samples.weight[s, 1], samples.weight[s, 2], samples.weight[s, 3]
        per_distance = np.float32(1.0 / samples.distance_m[s])
        half_angle = np.float32(samples.distance_m[s] / (2.0 * MOON_RADIUS_M))
        e, g, c, t = eye[lo:hi], bend[lo:hi], bias[lo:hi], best[lo:hi]
        for x in range(hi - lo):
            rise = (z_0[x] * w_0 + z_1[x] * w_1) + (z_2[x] * w_2 + z_3[x] * w_3) - e[x]
            tangent = (rise - rise * rise * per_radius) * (per_distance + c[x]) - half_angle * g[x]
            t[x] = tangent if tangent > t[x] else t[x]
