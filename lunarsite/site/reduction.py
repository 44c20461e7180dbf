"""From pixels to cells: mean, population standard deviation, least and greatest value of every cell.

A layer is read block by block, so memory does not grow with the map. Missing pixels (NaN) are left out; a cell
without any pixel of a layer is NaN. Cells that reach beyond the grid have the pixels inside. This module must not know
what the layers mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lunarsite.grid import Cells

Floats = NDArray[np.float32]
Slices = tuple[slice, slice]
Read = Callable[[Slices], Floats]
"""Returns the pixels of a window of the grid as float32, NaN where they are missing."""

# Blocks of the rasters' files: windows that cut none of them are read without unpacking a block twice.
_FILE_BLOCK_PX = 512
_LARGEST_WINDOW_PX = 2048


@dataclass(frozen=True)
class LayerStatistics:
    """Statistics of one layer over cells, float32 in the layer's unit, each (count,) in the order of the cells' ids.

    `std` is the population's standard deviation. `valid_fraction` is the share of a whole cell's pixels that have
    data. `buffered` is the mean of the greatest value within a distance of each pixel, where one was asked for.
    """

    mean: Floats
    std: Floats
    min: Floats
    max: Floats
    valid_fraction: Floats
    buffered: Floats | None = None


@njit(cache=True, nogil=True)
def cell_statistics(values: Floats, per_cell: int, out: Floats) -> None:
    """Fill mean, std, min, max and valid share of the cells of a window; sums are taken in double precision.

    Args:
        values: (rows, cols) pixels; the last cells may be cut off.
        per_cell: Pixels along a cell's side.
        out: (5, cell rows, cell cols) to be filled.
    """
    rows, cols = values.shape
    for i in range(out.shape[1]):
        top, bottom = i * per_cell, min((i + 1) * per_cell, rows)
        for j in range(out.shape[2]):
            left, right = j * per_cell, min((j + 1) * per_cell, cols)
            count, total = 0, 0.0
            least, most = np.float32(np.inf), np.float32(-np.inf)
            for r in range(top, bottom):
                for c in range(left, right):
                    value = values[r, c]
                    if not math.isnan(value):
                        count += 1
                        total += value
                        least, most = min(least, value), max(most, value)
            out[4, i, j] = count / (per_cell * per_cell)
            if count == 0:
                out[:4, i, j] = np.nan
                continue
            mean, squares = total / count, 0.0
            for r in range(top, bottom):
                for c in range(left, right):
                    value = values[r, c]
                    if not math.isnan(value):
                        squares += (value - mean) ** 2
            out[0, i, j], out[1, i, j] = mean, math.sqrt(squares / count)
            out[2, i, j], out[3, i, j] = least, most


@njit(cache=True, nogil=True)
def greatest_within(values: Floats, half_widths: NDArray[np.int64]) -> Floats:
    """Return the greatest value of the pixels in a disc about each pixel; NaN is left out, but stays where it is.

    Args:
        values: (rows, cols) pixels.
        half_widths: Reach of the disc to both sides by row, from its uppermost to its lowest row.
    """
    rows, cols = values.shape
    reach = half_widths.size // 2
    out = np.full(values.shape, np.float32(-np.inf), np.float32)
    for r in range(rows):
        for k in range(half_widths.size):
            source = r + k - reach
            if source < 0 or source >= rows:
                continue
            for shift in range(-half_widths[k], half_widths[k] + 1):
                for c in range(max(0, -shift), min(cols, cols - shift)):
                    value = values[source, c + shift]
                    out[r, c] = max(out[r, c], value)
        for c in range(cols):
            if math.isnan(values[r, c]):
                out[r, c] = np.nan
    return out


def disc_half_widths(radius_m: float, pixel_m: float) -> NDArray[np.int64]:
    """Return the rows of the disc of pixels whose centres lie within a radius; one pixel if it reaches no other."""
    reach = math.floor(radius_m / pixel_m + 1e-9)
    radius_px_squared = (radius_m / pixel_m + 1e-9) ** 2
    return np.array(
        [math.floor(math.sqrt(radius_px_squared - k * k)) for k in range(-reach, reach + 1)], dtype=np.int64
    )


def reduce_layer(read: Read, cells: Cells, buffer_m: float | None = None) -> LayerStatistics:
    """Return the statistics of one layer over the kept cells.

    Args:
        read: Reads a window of the layer on the cells' grid.
        cells: The cells.
        buffer_m: Distance of the greatest value around each pixel, map metres; None leaves it out.
    """
    per_cell = cells.pixels_per_cell
    found = np.full((6, cells.rows, cells.cols), np.nan, dtype=np.float32)
    half_widths = None if buffer_m is None else disc_half_widths(buffer_m, cells.grid.pixel_m)
    halo = 0 if half_widths is None else half_widths.size // 2
    for block in _blocks(cells):
        if not cells.kept[block].any():
            continue
        core, halved, inner = _window(cells, block, halo)
        pixels = np.ascontiguousarray(read(halved), dtype=np.float32)
        part = np.empty((5, block[0].stop - block[0].start, block[1].stop - block[1].start), dtype=np.float32)
        if pixels[inner].shape != (core[0].stop - core[0].start, core[1].stop - core[1].start):
            raise ValueError(f"the layer gave {pixels.shape} pixels for the window {halved}")
        cell_statistics(pixels[inner], per_cell, part)
        found[:5, *block] = part
        if half_widths is not None:
            cell_statistics(greatest_within(pixels, half_widths)[inner], per_cell, part)
            found[5, *block] = part[0]
    kept = found[:, cells.kept]
    mean, std, least, most, valid, buffered = kept
    return LayerStatistics(mean, std, least, most, valid, None if half_widths is None else buffered)


def valid_shares(read: Read, cells: Cells) -> Floats:
    """Return the share of each cell's pixels that have data, kept or not, (rows, cols)."""
    found = np.empty((5, cells.rows, cells.cols), dtype=np.float32)
    for block in _blocks(cells):
        core, _, _ = _window(cells, block, 0)
        part = np.empty((5, block[0].stop - block[0].start, block[1].stop - block[1].start), dtype=np.float32)
        cell_statistics(np.ascontiguousarray(read(core), dtype=np.float32), cells.pixels_per_cell, part)
        found[:, *block] = part
    return np.asarray(found[4])


def _blocks(cells: Cells) -> Iterator[Slices]:
    """Yield blocks of cells whose windows cut no block of the files where that can be had."""
    whole = math.lcm(cells.pixels_per_cell, _FILE_BLOCK_PX)
    if whole <= _LARGEST_WINDOW_PX:
        side = _LARGEST_WINDOW_PX // whole * whole // cells.pixels_per_cell
    else:
        side = max(1, _LARGEST_WINDOW_PX // cells.pixels_per_cell)
    for row in range(0, cells.rows, side):
        for col in range(0, cells.cols, side):
            yield slice(row, min(row + side, cells.rows)), slice(col, min(col + side, cells.cols))


def _window(cells: Cells, block: Slices, halo: int) -> tuple[Slices, Slices, Slices]:
    """Return the pixels of a block of cells, those with a halo, and the former within the latter."""
    cores, reads, inners = [], [], []
    for part, size in zip(block, cells.grid.shape, strict=True):
        start, stop = part.start * cells.pixels_per_cell, min(part.stop * cells.pixels_per_cell, size)
        first, last = max(0, start - halo), min(size, stop + halo)
        cores.append(slice(start, stop))
        reads.append(slice(first, last))
        inners.append(slice(start - first, stop - first))
    return (cores[0], cores[1]), (reads[0], reads[1]), (inners[0], inners[1])
