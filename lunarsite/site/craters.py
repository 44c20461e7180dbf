"""What a crater catalogue says of each cell: how many craters are centred in it, how large, and how much they cover.

On the polar stereographic map a circle on the sphere is a circle, though its centre is not the circle's centre on the
map (Snyder 1987, p. 154); both are computed here. The union of all craters is measured along lines: exactly along
each line, by the midpoint rule across lines. This module must not know where the catalogue came from.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lunarsite.grid import MOON_RADIUS_M, Cells

Floats = NDArray[np.float64]

_LINES_PER_CELL = 32


def map_circles(x_m: Floats, y_m: Floats, diameter_m: Floats) -> tuple[Floats, Floats, Floats]:
    """Return centre and radius on the map of circles on the sphere, map metres.

    Args:
        x_m: Map x of the circles' centres on the sphere.
        y_m: Their map y.
        diameter_m: Diameters along the surface, true metres.
    """
    rho_m = np.hypot(x_m, y_m)
    half_colatitude = np.arctan(rho_m / (2.0 * MOON_RADIUS_M))
    quarter_angle = 0.25 * diameter_m / MOON_RADIUS_M  # half the angular radius
    near_m = 2.0 * MOON_RADIUS_M * np.tan(half_colatitude - quarter_angle)
    far_m = 2.0 * MOON_RADIUS_M * np.tan(half_colatitude + quarter_angle)
    outward = 0.5 * (near_m + far_m) / np.where(rho_m > 0.0, rho_m, 1.0)
    return x_m * outward, y_m * outward, 0.5 * (far_m - near_m)


def crater_columns(x_m: Floats, y_m: Floats, diameter_m: Floats, cells: Cells) -> dict[str, NDArray[np.float32]]:
    """Return the crater columns of the kept cells, each (count,).

    `crater_count`, `crater_mean_diameter_m` and `crater_max_diameter_m` are of the craters centred in the cell; the
    diameters are NaN where there is none. `crater_coverage_pct` is the share of the cell inside any crater.

    Args:
        x_m: Map x of the craters' centres.
        y_m: Their map y.
        diameter_m: Their diameters, true metres.
        cells: The cells.
    """
    at = cells.id_at(x_m, y_m)
    inside = at >= 0
    count = np.bincount(at[inside], minlength=cells.count)
    total_m = np.bincount(at[inside], weights=diameter_m[inside], minlength=cells.count)
    largest_m = np.full(cells.count, -np.inf)
    np.maximum.at(largest_m, at[inside], diameter_m[inside])
    none = count == 0
    covered = _coverage(*map_circles(x_m, y_m, diameter_m), cells)
    return {
        "crater_count": count.astype(np.float32),
        "crater_coverage_pct": (100.0 * np.clip(covered, 0.0, 1.0)).astype(np.float32),
        "crater_mean_diameter_m": np.where(none, np.nan, total_m / np.maximum(count, 1)).astype(np.float32),
        "crater_max_diameter_m": np.where(none, np.nan, largest_m).astype(np.float32),
    }


def unknown_columns(cells: Cells) -> dict[str, NDArray[np.float32]]:
    """Return the crater columns where no catalogue was given: all NaN."""
    names = ("crater_count", "crater_coverage_pct", "crater_mean_diameter_m", "crater_max_diameter_m")
    return {name: np.full(cells.count, np.nan, dtype=np.float32) for name in names}


def _coverage(x_m: Floats, y_m: Floats, radius_m: Floats, cells: Cells) -> Floats:
    """Return the share of each kept cell within any circle of the map."""
    # In cells from the upper-left corner; y runs down like rows.
    x = (x_m - cells.grid.x_min_m) / cells.cell_m
    y = (cells.grid.y_max_m - y_m) / cells.cell_m
    radius = radius_m / cells.cell_m
    lines = cells.rows * _LINES_PER_CELL
    first = np.clip(np.ceil((y - radius) * _LINES_PER_CELL - 0.5), 0, lines).astype(np.int64)
    last = np.clip(np.floor((y + radius) * _LINES_PER_CELL - 0.5) + 1, 0, lines).astype(np.int64)
    crossed = np.maximum(last - first, 0)
    crossed[(x + radius <= 0.0) | (x - radius >= cells.cols)] = 0
    share = np.zeros((cells.rows, cells.cols))
    _cover(x, y, radius, first, crossed, share)
    return np.asarray(share[cells.kept])


@njit(cache=True, nogil=True)
def _cover(
    x: Floats, y: Floats, radius: Floats, first: NDArray[np.int64], crossed: NDArray[np.int64], share: Floats
) -> None:
    rows, cols = share.shape
    lines = rows * _LINES_PER_CELL
    starts = np.zeros(lines + 1, np.int64)  # of each line's chords
    for k in range(x.size):
        for line in range(first[k], first[k] + crossed[k]):
            starts[line + 1] += 1
    starts = np.cumsum(starts)
    filled = starts[:-1].copy()
    left, right = np.empty(starts[-1]), np.empty(starts[-1])
    for k in range(x.size):
        for line in range(first[k], first[k] + crossed[k]):
            off = (line + 0.5) / _LINES_PER_CELL - y[k]
            half = np.sqrt(max(radius[k] * radius[k] - off * off, 0.0))
            left[filled[line]], right[filled[line]] = x[k] - half, x[k] + half
            filled[line] += 1
    for line in range(lines):
        low, high = starts[line], starts[line + 1]
        order = np.argsort(left[low:high])
        reached = 0.0
        for index in order:
            start, stop = max(left[low + index], reached), min(right[low + index], float(cols))
            if stop > start:
                _add(share[line // _LINES_PER_CELL], start, stop)
                reached = stop


@njit(cache=True, nogil=True)
def _add(row: Floats, start: float, stop: float) -> None:
    for col in range(int(start), min(int(stop) + 1, row.size)):
        row[col] += max(min(stop, col + 1.0) - max(start, float(col)), 0.0) / _LINES_PER_CELL
