"""The convex-hull sweep: compiled, in float64, one line of the map after the other, O(N) per line.

It must not know azimuths or files: `horizon_geometry` gives it the lines. Heights come padded by one pixel on every
side, without NaN: no data is a pit so deep (`horizon.PIT_M`) that it never hides anything and is popped off the hull
by the next sample.

A block of neighbouring lines is worked on at once. It is sheared out of the grid first, so that every line is
contiguous (and memory pages are visited tile by tile), swept, and sheared back. Blocks do not depend on the number of
threads, so neither do results.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from lunarsite.grid import MOON_RADIUS_M
from lunarsite.illumination.horizon_geometry import TANGENT_TERMS, FarLines, MapLines, Strides

LINES_PER_BLOCK = 32
_TILE = 64  # positions along that are sheared together
_FLOOR_RADIUS = 1e-6  # of R: where a pit's radius is cut off, to keep the projective map finite
_NOTHING = np.float32(-1.0e4)  # tangents below this mean that no terrain was met


@njit(cache=True, inline="always")
def _first_at_least(values: NDArray[np.int64], rising: bool, bound: int) -> int:
    """Return the first index whose value is >= bound (rising) or <= bound (falling), or the size."""
    low, high = 0, values.size
    while low < high:
        middle = (low + high) // 2
        reached = values[middle] >= bound if rising else values[middle] <= bound
        if reached:
            high = middle
        else:
            low = middle + 1
    return low


@njit(cache=True, inline="always")
def _span(offsets: NDArray[np.int64], rising: bool, line: int, lowest: int, highest: int) -> tuple[int, int]:
    """Return the positions [first, stop) where lowest <= line + offset <= highest."""
    if rising:
        return (
            _first_at_least(offsets, True, lowest - line),
            _first_at_least(offsets, True, highest + 1 - line),
        )
    return (
        _first_at_least(offsets, False, highest - line),
        _first_at_least(offsets, False, lowest - 1 - line),
    )


@njit(cache=True)
def _line_tangent(
    w_m: float, nodes: NDArray[np.float64], fit: NDArray[np.float64], terms: NDArray[np.float64]
) -> float:
    """Fill the coefficients of tan(theta) on a line at distance w from the pole; return t per metre of u."""
    root = math.sqrt(1.0 + (w_m / (2.0 * MOON_RADIUS_M)) ** 2)
    for i in range(TANGENT_TERMS):
        terms[i] = 0.0
    for j in range(TANGENT_TERMS):
        t = math.sqrt(nodes[j])
        value = math.tan(2.0 / root * math.atan(t)) / t
        for i in range(TANGENT_TERMS):
            terms[i] += fit[i, j] * value
    return 1.0 / (2.0 * MOON_RADIUS_M * root)


@njit(cache=True, fastmath={"contract"}, inline="always")
def _tangent(t: float, terms: NDArray[np.float64]) -> float:
    q = t * t
    value = terms[TANGENT_TERMS - 1]
    for i in range(TANGENT_TERMS - 2, -1, -1):
        value = value * q + terms[i]
    return float(value * t)


@njit(cache=True, fastmath={"contract"})
def _project_line(
    row_a: NDArray[np.float32],
    row_b: NDArray[np.float32],
    fractions: NDArray[np.float64],
    first: int,
    t_0: float,
    t_p: float,
    terms: NDArray[np.float64],
    heights_m: NDArray[np.float64],
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    eye_a: NDArray[np.float64],
    eye_b: NDArray[np.float64],
) -> None:
    """Fill (a, b) of the line's samples and b of the observers in the two pixels beside each."""
    per_radius = 1.0 / MOON_RADIUS_M
    for i in range(a.size):
        tangent = _tangent(t_0 + (first + i) * t_p, terms)
        secant = math.sqrt(1.0 + tangent * tangent)
        z = row_a[i] * (1.0 - fractions[i]) + row_b[i] * fractions[i]
        radius = 1.0 + z * per_radius
        a[i] = tangent
        b[i] = -secant / (radius if radius > _FLOOR_RADIUS else _FLOOR_RADIUS)
    for h in range(heights_m.size):
        for i in range(a.size):
            secant = math.sqrt(1.0 + a[i] * a[i])
            radius_a = 1.0 + (row_a[i] + heights_m[h]) * per_radius
            radius_b = 1.0 + (row_b[i] + heights_m[h]) * per_radius
            eye_a[h, i] = -secant / (radius_a if radius_a > _FLOOR_RADIUS else _FLOOR_RADIUS)
            eye_b[h, i] = -secant / (radius_b if radius_b > _FLOOR_RADIUS else _FLOOR_RADIUS)


@njit(cache=True, fastmath={"contract"})
def _far_samples(
    far: NDArray[np.float32],
    place: FarLines,
    line: int,
    first: int,
    t_0: float,
    t_p: float,
    terms: NDArray[np.float64],
    a: NDArray[np.float64],
    b: NDArray[np.float64],
) -> int:
    """Fill (a, b) of the far grid's samples beyond position `first` of a line, nearest first; return their number."""
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
        radius = 1.0 + (upper * (1.0 - fr) + lower * fr) / MOON_RADIUS_M
        tangent = _tangent(t_0 + (first - 1 - count * place.step_p) * t_p, terms)
        a[count] = tangent
        b[count] = -math.sqrt(1.0 + tangent * tangent) / (radius if radius > _FLOOR_RADIUS else _FLOOR_RADIUS)
        count += 1
        row += d_row
        col += d_col
    return count


@njit(cache=True, fastmath={"contract"}, inline="always")
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


@njit(cache=True, fastmath={"contract"}, inline="always")
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


@njit(cache=True, fastmath={"contract"})
def _sweep_line(
    near_count: int,
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    eye_a: NDArray[np.float64],
    eye_b: NDArray[np.float64],
    far_count: int,
    far_a: NDArray[np.float64],
    far_b: NDArray[np.float64],
    hull_a: NDArray[np.float64],
    hull_b: NDArray[np.float64],
    slope: NDArray[np.float64],
    intercept: NDArray[np.float64],
    last: NDArray[np.int64],
    mu_a: NDArray[np.float64],
    mu_b: NDArray[np.float64],
) -> None:
    """Sweep one line from the far end towards the observers; fill the horizon's slope seen from both pixels.

    Samples closer than `near_count` are left to the exact march. The hull stands on a pit far ahead whose edge can
    never be passed, so neither loop needs to look at the stack's depth.
    """
    n_heights = eye_a.shape[0]
    hull_a[0] = (far_a[far_count - 1] if far_count > 0 else a[0]) + 1.0
    hull_b[0] = -1.0 / _FLOOR_RADIUS
    slope[0] = 0.0
    intercept[0] = np.inf
    top = 0
    for i in range(far_count - 1, -1, -1):
        top = _push(top, far_a[i], far_b[i], hull_a, hull_b, slope, intercept)
    for h in range(2 * n_heights):
        last[h] = top
    for i in range(a.size):
        if i > near_count:
            passed = i - near_count - 1
            top = _push(top, a[passed], b[passed], hull_a, hull_b, slope, intercept)
        here = a[i]
        for h in range(n_heights):
            point = _tangent_point(min(last[2 * h], top), top, here, eye_a[h, i], slope, intercept)
            last[2 * h] = point
            mu_a[h, i] = (hull_b[point] - eye_a[h, i]) / (hull_a[point] - here)
            point = _tangent_point(min(last[2 * h + 1], top), top, here, eye_b[h, i], slope, intercept)
            last[2 * h + 1] = point
            mu_b[h, i] = (hull_b[point] - eye_b[h, i]) / (hull_a[point] - here)


@njit(cache=True, fastmath={"contract"})
def _blend_lines(
    a: NDArray[np.float64],
    mu_a: NDArray[np.float64],
    mu_b: NDArray[np.float64],
    eye_a: NDArray[np.float64],
    eye_b: NDArray[np.float64],
    fractions: NDArray[np.float64],
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    blended: NDArray[np.float32],
) -> None:
    """Turn slopes into tan(elevation): blend this line with the one before it, keep what the next line needs.

    A pixel lies between two lines. Where one of them meets no terrain, the other stands alone.
    """
    for i in range(a.size):
        stretch = 1.0 + a[i] * a[i]
        here = np.float32(a[i] - mu_a[i] * stretch / eye_a[i])
        other = before[i]
        f = np.float32(fractions[i])
        mixed = here * (np.float32(1.0) - f) + other * f
        mixed = here if other < _NOTHING else mixed
        blended[i] = other if here < _NOTHING else mixed
        after[i] = np.float32(a[i] - mu_b[i] * stretch / eye_b[i])


@njit(cache=True)
def _gather_block(
    padded: NDArray[np.float32],
    place: Strides,
    offsets: NDArray[np.int64],
    rising: bool,
    first_row: int,
    n_across: int,
    block: NDArray[np.float32],
) -> None:
    """Shear the pixels first_row + r + offset out of the padded grid, into row r of the block."""
    for tile in range(0, offsets.size, _TILE):
        stop = min(tile + _TILE, offsets.size)
        for r in range(block.shape[0]):
            low, high = _span(offsets[tile:stop], rising, first_row + r, -1, n_across)
            start = place.first + (first_row + r) * place.across
            for p in range(tile + low, tile + high):
                block[r, p] = padded[start + p * place.along + offsets[p] * place.across]


@njit(cache=True)
def _scatter_block(
    blended: NDArray[np.float32],
    padded: NDArray[np.float32],
    padded_place: Strides,
    plain_place: Strides,
    offsets: NDArray[np.int64],
    rising: bool,
    first_line: int,
    n_lines: int,
    n_across: int,
    deepest_m: float,
    heights_m: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    """Shear a block back and join it with the near march that `out` already holds."""
    for tile in range(0, offsets.size, _TILE):
        stop = min(tile + _TILE, offsets.size)
        for r in range(n_lines):
            line = first_line + r
            low, high = _span(offsets[tile:stop], rising, line, 0, n_across - 1)
            for h in range(heights_m.size):
                for p in range(tile + low, tile + high):
                    across = line + offsets[p]
                    ground_m = padded[padded_place.first + p * padded_place.along + across * padded_place.across]
                    index = plain_place.first + p * plain_place.along + across * plain_place.across
                    tangent = max(out[h, index], blended[h, r, p])
                    if tangent < _NOTHING:
                        lift = 1.0 + heights_m[h] / (MOON_RADIUS_M + ground_m)
                        tangent = np.float32(-math.sqrt(lift * lift - 1.0))
                    out[h, index] = np.float32(np.nan) if ground_m <= deepest_m else tangent


@njit(parallel=True, cache=True)
def sweep_lines(
    padded: NDArray[np.float32],
    padded_place: Strides,
    plain_place: Strides,
    offsets: NDArray[np.int64],
    fractions: NDArray[np.float64],
    n_across: int,
    lines: MapLines,
    nodes: NDArray[np.float64],
    fit: NDArray[np.float64],
    near_count: int,
    heights_m: NDArray[np.float64],
    far: NDArray[np.float32],
    far_place: FarLines,
    far_capacity: int,
    deepest_m: float,
    out: NDArray[np.float32],
) -> None:
    """Sweep all lines of one azimuth and finish `out`, which holds the near march's maxima.

    Args:
        padded: Heights, flat, of (rows + 2, cols + 2) metres.
        padded_place: Where (position, across) lies in `padded`.
        plain_place: Where (position, across) lies in a plane of `out`.
        offsets: Pixel below the lines at each position, less the line's number, (n_along,).
        fractions: Distance of the lines from that pixel, (n_along,).
        n_across: Pixels across the sight.
        lines: Map coordinates of the lines.
        nodes: Squared nodes of `tangent_fit`.
        fit: Matrix of `tangent_fit`.
        near_count: Samples along that the march has covered.
        heights_m: Observer heights, (heights,).
        far: Far heights, (far rows, far cols) metres, or (0, 0).
        far_place: Where the lines lie on the far grid.
        far_capacity: Largest number of far samples on a line.
        deepest_m: Ground at or below this is no data and becomes NaN.
        out: (heights, rows * cols) tan(elevation), in and out.
    """
    n_along, n_heights = offsets.size, heights_m.size
    rising = bool(offsets[n_along - 1] >= offsets[0])
    lowest = min(offsets[0], offsets[n_along - 1])
    highest = max(offsets[0], offsets[n_along - 1])
    first_line = -1 - highest
    n_blocks = (n_across - lowest - first_line + LINES_PER_BLOCK - 1) // LINES_PER_BLOCK
    # Neighbouring blocks have lines of similar length; a stride deals long and short ones to all threads.
    n_strides = (n_blocks + 7) // 8
    for turn in prange(n_strides * 8):
        number = (turn % 8) * n_strides + turn // 8
        if number < n_blocks:
            first = first_line + number * LINES_PER_BLOCK
            block = np.empty((LINES_PER_BLOCK + 2, n_along), np.float32)
            # Row 0 belongs to the line before the block, which the first line is blended with.
            _gather_block(padded, padded_place, offsets, rising, first - 1, n_across, block)
            blended = np.empty((n_heights, LINES_PER_BLOCK, n_along), np.float32)
            before = np.full((n_heights, n_along), np.float32(-1.0e30), np.float32)
            after = np.full((n_heights, n_along), np.float32(-1.0e30), np.float32)
            terms = np.empty(TANGENT_TERMS)
            line_ab = np.empty((2, n_along))
            eyes = np.empty((2, n_heights, n_along))
            mus = np.empty((2, n_heights, n_along))
            far_ab = np.empty((2, far_capacity))
            hull = np.empty((4, n_along + far_capacity + 1))
            last = np.empty(2 * n_heights, np.int64)
            for r in range(LINES_PER_BLOCK + 1):
                line = first - 1 + r
                lo, hi = _span(offsets, rising, line, -1, n_across - 1)
                if hi > lo:
                    t_per_m = _line_tangent(lines.w_0 + line * lines.w_k, nodes, fit, terms)
                    t_0, t_p = (lines.u_0 + line * lines.u_k) * t_per_m, lines.u_p * t_per_m
                    a, b = line_ab[0, lo:hi], line_ab[1, lo:hi]
                    eye_a, eye_b = eyes[0, :, lo:hi], eyes[1, :, lo:hi]
                    mu_a, mu_b = mus[0, :, lo:hi], mus[1, :, lo:hi]
                    _project_line(
                        block[r, lo:hi], block[r + 1, lo:hi], fractions[lo:hi], lo, t_0, t_p, terms, heights_m,
                        a, b, eye_a, eye_b,
                    )  # fmt: skip
                    far_count = 0
                    if far.size > 0:
                        far_count = _far_samples(far, far_place, line, lo, t_0, t_p, terms, far_ab[0], far_ab[1])
                    _sweep_line(
                        near_count, a, b, eye_a, eye_b, far_count, far_ab[0], far_ab[1],
                        hull[0], hull[1], hull[2], hull[3], last, mu_a, mu_b,
                    )  # fmt: skip
                    for h in range(n_heights):
                        _blend_lines(
                            a, mu_a[h], mu_b[h], eye_a[h], eye_b[h], fractions[lo:hi], before[h, lo:hi],
                            after[h, lo:hi], blended[h, max(r - 1, 0), lo:hi],
                        )  # fmt: skip
                before, after = after, before
            _scatter_block(
                blended, padded, padded_place, plain_place, offsets, rising, first, LINES_PER_BLOCK, n_across,
                deepest_m, heights_m, out,
            )  # fmt: skip
