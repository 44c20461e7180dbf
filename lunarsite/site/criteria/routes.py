"""The way itself from a place to permanently shadowed ground, followed over a raster of ways' lengths.

This module must not know files.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lunarsite.grid import Grid, scale_factor

Floats = NDArray[np.float64]

_NEIGHBOURS = tuple((i, j, math.hypot(i, j)) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0))


class RouteError(ValueError):
    """A place without a way, or lengths that no ways can have."""


class Route(NamedTuple):
    """A way: map x and y of its pixels' centres, (points, 2), and true lengths from its start on, (points,), metres."""

    points_m: Floats
    lengths_m: Floats


def route(path_m: NDArray[np.floating], grid: Grid, row: int, col: int) -> Route:
    """Return the shortest way from a pixel to where `path_m` is 0.

    Each step goes to the neighbour by which the pixel's length was found: the one whose own length and the step to it
    add up to least. Lengths fall strictly from step to step. Of equal neighbours the uppermost, then leftmost is taken.

    Args:
        path_m: (rows, cols) lengths of the shortest ways as `find_ways` returns them, metres; NaN where no way leads.
        grid: Their map.
        row: Row of the first pixel.
        col: Its column.

    Raises:
        RouteError: The pixel lies outside the map, no way leads from it, or the lengths do not fall along one.
    """
    if not (0 <= row < grid.rows and 0 <= col < grid.cols):
        raise RouteError(f"row {row}, column {col} lies outside the map of {grid.rows} x {grid.cols} pixels")
    if math.isnan(path_m[row, col]):
        raise RouteError(f"no way is known from row {row}, column {col}")
    pixels, lengths_m = [(row, col)], [0.0]
    while path_m[row, col] > 0.0:
        below, row, col, step_m = _next(path_m, grid, row, col)
        if below >= path_m[pixels[-1]]:
            raise RouteError(
                f"lengths do not fall from row {pixels[-1][0]}, column {pixels[-1][1]}: these are no shortest ways"
            )
        pixels.append((row, col))
        lengths_m.append(lengths_m[-1] + step_m)
    rows, cols = np.array(pixels, dtype=np.int64).T
    return Route(np.stack([grid.x_m()[cols], grid.y_m()[rows]], axis=1), np.array(lengths_m))


def _next(path_m: NDArray[np.floating], grid: Grid, row: int, col: int) -> tuple[float, int, int, float]:
    """Return length, row, column and distance of the neighbour through which the shortest way leads."""
    own_m = _pixel_m(grid, row, col)
    best = (math.inf, math.inf, row, col, 0.0)
    for i, j, pixels in _NEIGHBOURS:
        r, c = row + i, col + j
        if not (0 <= r < grid.rows and 0 <= c < grid.cols) or math.isnan(path_m[r, c]):
            continue
        step_m = 0.5 * pixels * (own_m + _pixel_m(grid, r, c))
        total_m = float(path_m[r, c]) + step_m
        if total_m < best[0]:
            best = (total_m, float(path_m[r, c]), r, c, step_m)
    return best[1:]


def _pixel_m(grid: Grid, row: int, col: int) -> float:
    """Return the true side of a pixel, metres."""
    x_m = grid.x_min_m + (col + 0.5) * grid.pixel_m
    y_m = grid.y_max_m - (row + 0.5) * grid.pixel_m
    return grid.pixel_m / float(scale_factor(x_m, y_m))
