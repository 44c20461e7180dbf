"""How much ground circles cover together: of cells, and of discs that are larger than cells.

The union of all circles is cut by parallel lines: its length is exact along each line, the midpoint rule joins the
lines. Lengths are in cells from the map's upper-left corner, y runs down like rows. This module must not know what the
circles are.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LINES_PER_CELL = 32
_LINES_PER_DISC = 160
"""At most about twice as many lines are read in a disc; of finer ones every second, third, ... is."""


class Circles(NamedTuple):
    """Circles on the map, each (circles,), in cells."""

    x: Floats
    y: Floats
    radius: Floats


class Chords(NamedTuple):
    """The union of circles along lines: disjoint chords from left to right, line by line.

    `starts` (lines + 1,) gives each line's chords; `left`, `right` (chords,) their ends, and `before` the length that
    the chords further left on the same line cover.
    """

    starts: Integers
    left: Floats
    right: Floats
    before: Floats


def chords(circles: Circles, rows: int, cols: int) -> Chords:
    """Return the union of circles within a map of cells."""
    x, y, radius = circles
    lines = rows * LINES_PER_CELL
    first = np.clip(np.ceil((y - radius) * LINES_PER_CELL - 0.5), 0, lines).astype(np.int64)
    last = np.clip(np.floor((y + radius) * LINES_PER_CELL - 0.5) + 1, 0, lines).astype(np.int64)
    crossed = np.maximum(last - first, 0)
    crossed[(x + radius <= 0.0) | (x - radius >= cols)] = 0
    return Chords(*_chords(x, y, radius, first, crossed, lines, float(cols)))


def covered_cells(union: Chords, rows: int, cols: int) -> Floats:
    """Return the share of each cell that the union covers, (rows, cols)."""
    share = np.zeros((rows, cols))
    _add_chords(union.starts, union.left, union.right, share)
    return np.clip(share, 0.0, 1.0)


def covered_discs(union: Chords, discs: Circles, cols: int) -> Floats:
    """Return the share of each disc that the union covers, (discs,); of a disc's part on the map if it leaves it.

    A disc that no line crosses on the map is NaN.
    """
    widest = 2.0 * float(discs.radius.max(initial=0.0)) * LINES_PER_CELL
    stride = max(1, int(widest // _LINES_PER_DISC))
    return np.asarray(_covered_discs(*union, *discs, float(cols), stride))


@njit(cache=True, nogil=True)
def _chords(
    x: Floats, y: Floats, radius: Floats, first: Integers, crossed: Integers, lines: int, width: float
) -> tuple[Integers, Floats, Floats, Floats]:
    starts = np.zeros(lines + 1, np.int64)
    for k in range(x.size):
        for line in range(first[k], first[k] + crossed[k]):
            starts[line + 1] += 1
    starts = np.cumsum(starts)
    filled = starts[:-1].copy()
    left, right = np.empty(starts[-1]), np.empty(starts[-1])
    for k in range(x.size):
        for line in range(first[k], first[k] + crossed[k]):
            off = (line + 0.5) / LINES_PER_CELL - y[k]
            half = math.sqrt(max(radius[k] * radius[k] - off * off, 0.0))
            left[filled[line]], right[filled[line]] = x[k] - half, x[k] + half
            filled[line] += 1
    joined = np.zeros(lines + 1, np.int64)
    start, stop, before = np.empty(left.size), np.empty(left.size), np.empty(left.size)
    kept = 0
    for line in range(lines):
        low, high = starts[line], starts[line + 1]
        reached, covered = 0.0, 0.0
        for index in np.argsort(left[low:high]):
            begin, end = max(left[low + index], reached), min(right[low + index], width)
            if end > begin:
                start[kept], stop[kept], before[kept] = begin, end, covered
                covered += end - begin
                reached = end
                kept += 1
        joined[line + 1] = kept
    return joined, start[:kept].copy(), stop[:kept].copy(), before[:kept].copy()


@njit(cache=True, nogil=True)
def _add_chords(starts: Integers, left: Floats, right: Floats, share: Floats) -> None:
    cols = share.shape[1]
    for line in range(starts.size - 1):
        row = share[line // LINES_PER_CELL]
        for k in range(starts[line], starts[line + 1]):
            for col in range(int(left[k]), min(int(right[k]) + 1, cols)):
                row[col] += max(min(right[k], col + 1.0) - max(left[k], float(col)), 0.0) / LINES_PER_CELL


@njit(cache=True, nogil=True)
def _covered_discs(
    starts: Integers,
    left: Floats,
    right: Floats,
    before: Floats,
    x: Floats,
    y: Floats,
    radius: Floats,
    width: float,
    stride: int,
) -> Floats:
    lines = starts.size - 1
    share = np.empty(x.size)
    for k in range(x.size):
        first = max(math.ceil((y[k] - radius[k]) * LINES_PER_CELL - 0.5), 0)
        last = min(math.floor((y[k] + radius[k]) * LINES_PER_CELL - 0.5) + 1, lines)
        covered, crossed = 0.0, 0.0
        # Whole multiples of the stride: neighbouring discs read the same lines.
        for line in range(-(-first // stride) * stride, last, stride):
            off = (line + 0.5) / LINES_PER_CELL - y[k]
            half = math.sqrt(max(radius[k] * radius[k] - off * off, 0.0))
            begin, end = max(x[k] - half, 0.0), min(x[k] + half, width)
            if end > begin:
                low, high = starts[line], starts[line + 1]
                crossed += end - begin
                covered += _length(left, right, before, low, high, end) - _length(left, right, before, low, high, begin)
        share[k] = min(max(covered / crossed, 0.0), 1.0) if crossed > 0.0 else np.nan
    return share


@njit(cache=True, nogil=True)
def _length(left: Floats, right: Floats, before: Floats, low: int, high: int, x: float) -> float:
    """Return the covered length left of x on the line whose chords are low..high."""
    first = low
    while low < high:
        middle = (low + high) // 2
        if left[middle] <= x:
            low = middle + 1
        else:
            high = middle
    if low == first:
        return 0.0
    return float(before[low - 1] + min(x, right[low - 1]) - left[low - 1])
