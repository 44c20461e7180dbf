"""The convex-hull sweep: compiled, in float64, one line of the map after the other, O(N) per line.

It must not know azimuths or files: `horizon_geometry` gives it the lines. Heights come reduced, with a margin, and
without NaN: no data is a bottomless pit that hides nothing and that the next sample pops off the hull.

A block of neighbouring lines is worked on at once: sheared out of the grid (`horizon_shear`), swept, sheared back.
Blocks do not depend on the number of threads, so neither do results. numba notices a change of compiled code in this
file but not in the files it calls: after changing `horizon_shear`, touch this file too.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from lunarsite.grid import MOON_RADIUS_M
from lunarsite.illumination.horizon_geometry import (
    TANGENT_TERMS,
    FarLines,
    LineIndex,
    MapLines,
    Strides,
    TangentFit,
)
from lunarsite.illumination.horizon_march import NOTHING_AHEAD
from lunarsite.illumination.horizon_shear import gather_block, scatter_block, span

LINES_PER_BLOCK = 64
_BOTTOM = -1.0e6  # b of the point that every hull stands on


@njit(cache=True, error_model="numpy")
def _line_tangent(w_m: float, fit: TangentFit, terms: NDArray[np.float64]) -> float:
    """Fill the coefficients of tan(theta) on a line at distance w from the pole; return t per metre of u."""
    root = math.sqrt(1.0 + (w_m / (2.0 * MOON_RADIUS_M)) ** 2)
    for i in range(TANGENT_TERMS):
        terms[i] = 0.0
    for j in range(TANGENT_TERMS):
        t = math.sqrt(fit.nodes[j])
        value = math.tan(2.0 / root * math.atan(t)) / t
        for i in range(TANGENT_TERMS):
            terms[i] += fit.inverse[i, j] * value
    return 1.0 / (2.0 * MOON_RADIUS_M * root)


@njit(cache=True, error_model="numpy", fastmath={"contract"}, inline="always")
def _tangent(t: float, terms: NDArray[np.float64]) -> float:
    q = t * t
    value = terms[TANGENT_TERMS - 1]
    for i in range(TANGENT_TERMS - 2, -1, -1):
        value = value * q + terms[i]
    return float(value * t)


@njit(cache=True, error_model="numpy", fastmath={"contract"}, inline="always")
def _lifted(reduced: float, height: float) -> float:
    """Return z* / R of an observer: z* / R of the ground, raised by height / R, to (height / R)^3."""
    g = 1.0 - reduced
    lift = height * g
    return reduced + g * lift * (1.0 - lift)


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _project_line(
    row_a: NDArray[np.float32],
    row_b: NDArray[np.float32],
    fractions: NDArray[np.float64],
    t_0: float,
    t_p: float,
    terms: NDArray[np.float64],
    base_m: float,
    a: NDArray[np.float64],
    secant: NDArray[np.float64],
    b: NDArray[np.float64],
) -> None:
    """Fill (a, b) of a line's samples, between the pixels A below and B above, and the secant."""
    per_radius = 1.0 / MOON_RADIUS_M
    for i in range(a.size):
        tangent = _tangent(t_0 + i * t_p, terms)
        f = fractions[i]
        a[i] = tangent
        secant[i] = math.sqrt(1.0 + tangent * tangent)
        b[i] = secant[i] * ((row_a[i] * (1.0 - f) + row_b[i] * f + base_m) * per_radius - 1.0)


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _project_eyes(
    reduced: NDArray[np.float32], base_m: float, height_m: float, secant: NDArray[np.float64], eyes: NDArray[np.float64]
) -> None:
    """Fill b of the observers in a row of pixels."""
    height = height_m / MOON_RADIUS_M
    for i in range(eyes.size):
        eyes[i] = secant[i] * (_lifted((reduced[i] + base_m) / MOON_RADIUS_M, height) - 1.0)


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _far_samples(
    far: NDArray[np.float32],
    place: FarLines,
    line: int,
    first: int,
    t_1: float,
    t_p: float,
    terms: NDArray[np.float64],
    base_m: float,
    a: NDArray[np.float64],
    b: NDArray[np.float64],
) -> int:
    """Fill (a, b) of the far grid's samples beyond position `first` of a line, nearest first; return their number.

    t_1 is t one position ahead of `first`, where the far samples begin.
    """
    rows, cols = far.shape
    row = place.row_0 + line * place.row_k + (first - 1) * place.row_p
    col = place.col_0 + line * place.col_k + (first - 1) * place.col_p
    d_row, d_col = -place.row_p * place.step_p, -place.col_p * place.step_p
    count = 0
    while 0.0 <= row <= rows - 1 and 0.0 <= col <= cols - 1 and count < a.size:
        i, j = min(int(row), rows - 2), min(int(col), cols - 2)
        fr, fc = row - i, col - j
        upper = far[i, j] * (1.0 - fc) + far[i, j + 1] * fc
        lower = far[i + 1, j] * (1.0 - fc) + far[i + 1, j + 1] * fc
        tangent = _tangent(t_1 - count * place.step_p * t_p, terms)
        a[count] = tangent
        z = upper * (1.0 - fr) + lower * fr + base_m
        b[count] = math.sqrt(1.0 + tangent * tangent) * (z / MOON_RADIUS_M - 1.0)
        count += 1
        row += d_row
        col += d_col
    return count


@njit(cache=True, error_model="numpy", fastmath={"contract"}, inline="always")
def _push(
    top: int,
    a: float,
    b: float,
    hull_a: NDArray[np.float64],
    hull_b: NDArray[np.float64],
    slope: NDArray[np.float64],
    intercept: NDArray[np.float64],
) -> int:
    """Put a sample on the hull; a point is popped once the new sample lies on or above its edge's extension."""
    while b >= slope[top] * a + intercept[top]:
        top -= 1
    edge = (hull_b[top] - b) / (hull_a[top] - a)
    top += 1
    hull_a[top] = a
    hull_b[top] = b
    slope[top] = edge
    intercept[top] = b - edge * a
    return top


@njit(cache=True, error_model="numpy", fastmath={"contract"}, inline="always")
def _tangent_point(
    start: int, top: int, a: float, b: float, slope: NDArray[np.float64], intercept: NDArray[np.float64]
) -> int:
    """Return the hull point that an observer at (a, b) sees as the horizon, searching from `start` both ways."""
    point = start
    while b >= slope[point] * a + intercept[point]:
        point -= 1
    while point < top and b < slope[point + 1] * a + intercept[point + 1]:
        point += 1
    return point


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _sweep_line(
    near_count: int,
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    eyes: NDArray[np.float64],
    far_count: int,
    far_step: float,
    far_a: NDArray[np.float64],
    far_b: NDArray[np.float64],
    hull_a: NDArray[np.float64],
    hull_b: NDArray[np.float64],
    slope: NDArray[np.float64],
    intercept: NDArray[np.float64],
    last: NDArray[np.int64],
    seen_a: NDArray[np.float64],
    seen_b: NDArray[np.float64],
) -> None:
    """Sweep one line from the far end towards the observers; fill the hull points (a, b) that each observer sees.

    Samples within `near_count` positions are left to the exact march, whose margin holds far heights too. The hull
    stands on a point far ahead and far below whose edge can never be passed, so neither loop needs to look at the
    stack's depth.
    """
    hull_a[0] = (far_a[far_count - 1] if far_count > 0 else a[0]) + 1.0
    hull_b[0] = _BOTTOM
    slope[0] = 0.0
    intercept[0] = np.inf
    top = 0
    waiting = far_count - 1
    last[:] = 0
    for i in range(a.size):
        while waiting >= 0 and i + 1 + waiting * far_step > near_count:
            top = _push(top, far_a[waiting], far_b[waiting], hull_a, hull_b, slope, intercept)
            waiting -= 1
        if i > near_count:
            passed = i - near_count - 1
            top = _push(top, a[passed], b[passed], hull_a, hull_b, slope, intercept)
        for e in range(eyes.shape[0]):
            point = _tangent_point(min(last[e], top), top, a[i], eyes[e, i], slope, intercept)
            last[e] = point
            seen_a[e, i] = hull_a[point]
            seen_b[e, i] = hull_b[point]


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _elevations(
    reduced: NDArray[np.float32],
    base_m: float,
    height_m: float,
    a: NDArray[np.float64],
    secant: NDArray[np.float64],
    eye: NDArray[np.float64],
    seen_a: NDArray[np.float64],
    seen_b: NDArray[np.float64],
    tangents: NDArray[np.float32],
) -> None:
    """Turn the hull points seen into tan(elevation) = a + mu secant r / R, with r / R = 1 / (1 - z* / R)."""
    height = height_m / MOON_RADIUS_M
    for i in range(a.size):
        q = _lifted((reduced[i] + base_m) / MOON_RADIUS_M, height)
        radius = 1.0 + q * (1.0 + q * (1.0 + q))
        tangents[i] = np.float32(a[i] + (seen_b[i] - eye[i]) / (seen_a[i] - a[i]) * secant[i] * radius)


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _blend_lines(
    before: NDArray[np.float32],
    here: NDArray[np.float32],
    fractions: NDArray[np.float64],
    blended: NDArray[np.float32],
) -> None:
    """Blend the horizons of the two lines beside a pixel; where one meets no terrain, the nearer line decides."""
    for i in range(here.size):
        f = np.float32(fractions[i])
        mixed = here[i] * (np.float32(1.0) - f) + before[i] * f
        nearer = here[i] if f < np.float32(0.5) else before[i]
        lower = here[i] if here[i] < before[i] else before[i]
        blended[i] = nearer if lower < NOTHING_AHEAD else mixed


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _sweep_block(
    first: int,
    block: NDArray[np.float32],
    rising: bool,
    index: LineIndex,
    lines: MapLines,
    fit: TangentFit,
    near_count: int,
    heights_m: NDArray[np.float64],
    base_m: float,
    far: NDArray[np.float32],
    far_place: FarLines,
    blended: NDArray[np.float32],
) -> None:
    """Sweep the lines of a sheared block, whose row 0 belongs to the line before its first."""
    n_heights, n_lines, n_along = blended.shape
    terms = np.empty(TANGENT_TERMS)
    places = np.empty((3, n_along))
    observed = np.empty((3, 2 * n_heights * n_along))
    far_capacity = 2 * max(far.shape) + 2 if far.size > 0 else 0
    far_a, far_b = np.empty(far_capacity), np.empty(far_capacity)
    hull = np.empty((4, n_along + far_capacity + 1))
    last = np.empty(2 * n_heights, np.int64)
    before = np.full((n_heights, n_along), 2.0 * NOTHING_AHEAD, np.float32)
    here = np.empty(n_along, np.float32)
    for r in range(n_lines + 1):
        line = first - 1 + r
        lo, hi = span(index.offsets, rising, line, -1, index.n_across - 1)
        if hi <= lo:
            continue
        t_per_m = _line_tangent(lines.w_0 + line * lines.w_k, fit, terms)
        t_p = lines.u_p * t_per_m
        t_0 = (lines.u_0 + line * lines.u_k) * t_per_m + lo * t_p
        # Compact views, indexed from 0: only then do the loops over them vectorise.
        row_a, row_b, f = block[r, lo:hi], block[r + 1, lo:hi], index.fractions[lo:hi]
        a, secant, b = places[0, lo:hi], places[1, lo:hi], places[2, lo:hi]
        shape = (2 * n_heights, hi - lo)
        eyes = observed[0, : shape[0] * shape[1]].reshape(shape)
        seen_a = observed[1, : shape[0] * shape[1]].reshape(shape)
        seen_b = observed[2, : shape[0] * shape[1]].reshape(shape)
        _project_line(row_a, row_b, f, t_0, t_p, terms, base_m, a, secant, b)
        for h in range(n_heights):
            _project_eyes(row_a, base_m, heights_m[h], secant, eyes[2 * h])
            _project_eyes(row_b, base_m, heights_m[h], secant, eyes[2 * h + 1])
        far_count = 0
        if far.size > 0:
            far_count = _far_samples(far, far_place, line, lo, t_0 - t_p, t_p, terms, base_m, far_a, far_b)
        _sweep_line(
            near_count,
            a,
            b,
            eyes,
            far_count,
            far_place.step_p,
            far_a,
            far_b,
            hull[0],
            hull[1],
            hull[2],
            hull[3],
            last,
            seen_a,
            seen_b,
        )
        for h in range(n_heights):
            e, other = 2 * h, before[h, lo:hi]
            if r > 0:
                _elevations(row_a, base_m, heights_m[h], a, secant, eyes[e], seen_a[e], seen_b[e], here[lo:hi])
                _blend_lines(other, here[lo:hi], f, blended[h, r - 1, lo:hi])
            _elevations(row_b, base_m, heights_m[h], a, secant, eyes[e + 1], seen_a[e + 1], seen_b[e + 1], other)


@njit(parallel=True, cache=True, error_model="numpy")
def sweep_lines(
    reduced: NDArray[np.float32],
    index: LineIndex,
    lines: MapLines,
    stored: Strides,
    plain: Strides,
    fit: TangentFit,
    near_count: int,
    heights_m: NDArray[np.float64],
    base_m: float,
    far: NDArray[np.float32],
    far_place: FarLines,
    out: NDArray[np.float32],
) -> None:
    """Fill `out` with the horizons beyond the near samples; far below `NOTHING_AHEAD` where there is no terrain.

    Args:
        reduced: Reduced heights with a margin of at least one pixel, flat, metres.
        index: The lines in pixels.
        lines: The lines on the map.
        stored: Where (position, across) lies in `reduced`.
        plain: Where (position, across) lies in a plane of `out`.
        fit: From `tangent_fit`.
        near_count: Samples along that the march covers.
        heights_m: Observer heights, (heights,).
        base_m: What `reduced` and `far` are counted from.
        far: Reduced far heights, (far rows, far cols) metres, or (0, 0).
        far_place: Where the lines lie on the far grid.
        out: (heights, rows * cols) tan(elevation).
    """
    offsets, n_across = index.offsets, index.n_across
    n_along, n_heights = offsets.size, heights_m.size
    rising = bool(offsets[n_along - 1] >= offsets[0])
    lowest = min(offsets[0], offsets[n_along - 1])
    first_line = -1 - max(offsets[0], offsets[n_along - 1])
    n_blocks = (n_across - lowest - first_line + LINES_PER_BLOCK - 1) // LINES_PER_BLOCK
    # Neighbouring blocks have lines of similar length; a stride deals long and short ones to all threads.
    n_strides = (n_blocks + 7) // 8
    for turn in prange(n_strides * 8):
        number = (turn % 8) * n_strides + turn // 8
        if number < n_blocks:
            first = first_line + number * LINES_PER_BLOCK
            block = np.empty((LINES_PER_BLOCK + 2, n_along), np.float32)
            blended = np.empty((n_heights, LINES_PER_BLOCK, n_along), np.float32)
            gather_block(reduced, stored, offsets, rising, first - 1, n_across, block)
            _sweep_block(
                first, block, rising, index, lines, fit, near_count, heights_m, base_m, far, far_place, blended
            )
            scatter_block(blended, plain, offsets, rising, first, n_across, out)
