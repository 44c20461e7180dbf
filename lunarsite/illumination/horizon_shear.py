"""Shearing slanted lines out of a grid and back: compiled copies that make every line of a block contiguous.

Memory is visited tile by tile, which keeps caches and page tables warm at any size of grid. It knows index arithmetic
only; see 'Lines of a sweep' in `horizon_geometry`.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lunarsite.illumination.horizon_geometry import Strides

_TILE = 256  # positions along that are sheared together


@njit(cache=True, error_model="numpy", inline="always")
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


@njit(cache=True, error_model="numpy", inline="always")
def span(offsets: NDArray[np.int64], rising: bool, line: int, lowest: int, highest: int) -> tuple[int, int]:
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


@njit(cache=True, error_model="numpy")
def gather_block(
    reduced: NDArray[np.float32],
    place: Strides,
    offsets: NDArray[np.int64],
    rising: bool,
    first_row: int,
    n_across: int,
    block: NDArray[np.float32],
) -> None:
    """Shear the pixels first_row + r + offset out of the grid, into row r of the block."""
    for tile in range(0, offsets.size, _TILE):
        stop = min(tile + _TILE, offsets.size)
        for r in range(block.shape[0]):
            low, high = span(offsets[tile:stop], rising, first_row + r, -1, n_across)
            start = place.first + (first_row + r) * place.across
            for p in range(tile + low, tile + high):
                block[r, p] = reduced[start + p * place.along + offsets[p] * place.across]


@njit(cache=True, error_model="numpy")
def scatter_block(
    blended: NDArray[np.float32],
    place: Strides,
    offsets: NDArray[np.int64],
    rising: bool,
    first_line: int,
    n_across: int,
    out: NDArray[np.float32],
) -> None:
    """Shear a block of (heights, lines, positions) back into the planes of `out`."""
    n_heights, n_lines, n_along = blended.shape
    for tile in range(0, n_along, _TILE):
        stop = min(tile + _TILE, n_along)
        for r in range(n_lines):
            low, high = span(offsets[tile:stop], rising, first_line + r, 0, n_across - 1)
            start = place.first + (first_line + r) * place.across
            for h in range(n_heights):
                for p in range(tile + low, tile + high):
                    out[h, start + p * place.along + offsets[p] * place.across] = blended[h, r, p]
