"""Heights at another pixel size: means over the area of larger pixels, bilinear interpolation at smaller ones.

Both are one separable weighting of the pixels along rows and along columns. What is missing (NaN) has no weight, and a
target pixel of which less than half is known stays unknown. This module must not know what the heights are for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from lunarsite.grid import Grid

ReadWindow = Callable[[tuple[slice, slice]], NDArray[Any]]
"""Gives the heights (rows, cols) of a window of the source, NaN where there are none."""

_STRIP_PIXELS = 16_000_000
_LEAST_KNOWN = 0.5
# Sizes are ratios of decimal numbers: 2536 * 240 / 340 may come out a hair above a whole number.
_ROUNDING = 1e-9


def level_grid(grid: Grid, pixel_m: float) -> Grid:
    """Return the grid of another pixel size with the same upper-left corner that just covers `grid`."""
    rows, cols = level_shape(grid.shape, grid.pixel_m, pixel_m)
    return Grid(grid.x_min_m, grid.y_max_m, pixel_m, rows, cols, grid.pole)


def level_shape(shape: tuple[int, int], pixel_m: float, target_pixel_m: float) -> tuple[int, int]:
    """Return the rows and columns of pixels of another size that just cover an extent.

    Raises:
        ValueError: A size is not positive.
    """
    if not (pixel_m > 0.0 and target_pixel_m > 0.0 and min(shape) > 0):
        raise ValueError(f"pixels and shapes must be positive, got {shape}, {pixel_m:g} m and {target_pixel_m:g} m")
    ratio = pixel_m / target_pixel_m
    rows, cols = (math.ceil(count * ratio * (1.0 - _ROUNDING)) for count in shape)
    return rows, cols


def level_heights(
    read_window: ReadWindow, shape: tuple[int, int], pixel_m: float, target_pixel_m: float
) -> NDArray[np.float32]:
    """Return heights at another pixel size. The source is read in strips of whole rows and never held whole.

    Args:
        read_window: Reads (slice of rows, slice of columns) of the source.
        shape: Rows and columns of the source.
        pixel_m: Its pixel size.
        target_pixel_m: The pixel size that is wanted; both grids share the upper-left corner.

    Returns:
        (ceil(rows * pixel_m / target_pixel_m), ceil(cols * ...)) float32, NaN where less than half of a pixel's area
        (when averaging) or of its neighbours' weight (when interpolating) is known. What lies beyond the source's
        right and lower border is unknown. At equal pixel sizes these are the source's own values.

    Raises:
        ValueError: A size is not positive, or a window comes back in another shape.
    """
    target = level_shape(shape, pixel_m, target_pixel_m)
    down, across = (_weights(shape[axis], target[axis], target_pixel_m / pixel_m) for axis in (0, 1))
    out = np.empty(target, dtype=np.float32)
    first = 0
    while first < target[0]:
        last = _strip_end(down, first, max(1, _STRIP_PIXELS // shape[1]))
        part = down[first:last]
        used = part.indices
        rows = slice(int(used.min()), int(used.max()) + 1)
        heights = np.asarray(read_window((rows, slice(0, shape[1]))))
        if heights.shape != (rows.stop - rows.start, shape[1]):
            raise ValueError(f"rows {rows.start}..{rows.stop} came back as {heights.shape}, {shape[1]} columns are due")
        out[first:last] = _weighted(heights.astype(np.float64), part[:, rows], across)
        first = last
    return out


def _strip_end(down: scipy.sparse.csr_array, first: int, most_rows: int) -> int:
    """Return the end of the longest run of target rows that needs at most `most_rows` source rows (one at least)."""
    top = int(down.indices[down.indptr[first]])
    # The last source row of each target row; weights of a row stand in ascending order of columns.
    last_used = down.indices[down.indptr[first + 1 :] - 1]
    return first + max(1, int(np.searchsorted(last_used, top + most_rows)))


def _weights(count: int, target: int, step: float) -> scipy.sparse.csr_array:
    """Return (target, count) weights along one axis; `step` is a target pixel's length in source pixels."""
    return _area_weights(count, target, step) if step >= 1.0 else _bilinear_weights(count, target, step)


def _area_weights(count: int, target: int, step: float) -> scipy.sparse.csr_array:
    """Weights are the shares of each target pixel's length; a pixel that reaches beyond the source has less than 1."""
    start = np.arange(target) * step
    stop = start + step
    width = math.ceil(step) + 1
    index = np.floor(start).astype(np.int64)[:, None] + np.arange(width)
    overlap = np.minimum(index + 1.0, stop[:, None]) - np.maximum(index, start[:, None])
    # Rounding leaves slivers of a neighbour that the pixel only touches.
    kept = (overlap > _ROUNDING * step) & (index < count)
    return _sparse(index, overlap / step, kept, (target, count))


def _bilinear_weights(count: int, target: int, step: float) -> scipy.sparse.csr_array:
    """Weights of the two nearest pixel centres; beyond the outermost centre its value holds."""
    place = np.clip((np.arange(target) + 0.5) * step - 0.5, 0.0, count - 1.0)
    lower = np.minimum(np.floor(place).astype(np.int64), max(count - 2, 0))
    index = lower[:, None] + np.arange(2)
    share = np.stack((1.0 - (place - lower), place - lower), axis=1)
    return _sparse(index, share, (share > 0.0) & (index < count), (target, count))


def _sparse(
    index: NDArray[np.int64], share: NDArray[np.float64], kept: NDArray[np.bool_], shape: tuple[int, int]
) -> scipy.sparse.csr_array:
    row = np.broadcast_to(np.arange(shape[0])[:, None], index.shape)
    return scipy.sparse.csr_array((share[kept], (row[kept], index[kept])), shape=shape)


def _weighted(
    heights: NDArray[np.float64], down: scipy.sparse.csr_array, across: scipy.sparse.csr_array
) -> NDArray[np.float32]:
    present = np.isfinite(heights)
    if present.all():
        # Everywhere known: the weights factor, and half of the work is spared.
        weight = down.sum(axis=1)[:, None] * across.sum(axis=1)[None, :]
    else:
        heights = np.where(present, heights, 0.0)
        weight = _along_both(present.astype(np.float64), down, across)
    total = _along_both(heights, down, across)
    known = weight >= _LEAST_KNOWN - _ROUNDING
    return np.where(known, total / np.where(known, weight, 1.0), np.nan).astype(np.float32)


def _along_both(
    values: NDArray[np.float64], down: scipy.sparse.csr_array, across: scipy.sparse.csr_array
) -> NDArray[np.float64]:
    # Whichever axis comes first, a sparse product runs along contiguous rows.
    return np.asarray((across @ np.ascontiguousarray((down @ values).T)).T)
