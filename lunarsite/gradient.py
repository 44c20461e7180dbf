"""Slope of the ground on the sphere, from an elevation model on the polar map.

Gradients are taken on the map by Horn's method (Horn 1981, Proc. IEEE 69, 14, doi 10.1109/PROC.1981.11918), which
weights the eight neighbours of a pixel. The map stretches lengths by its scale factor k (1.0077 at 80 degrees), so the
true gradient is k times the map's. Heights are above the sphere: ground of constant height is level wherever it lies.

The one definition of slope in the project, beside `grid` because two rooms need it: terrain makes the map of slopes,
and site asks what the same map would be if heights were a little off. This module must not know files.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float32]
HALO_PX = 1


def slope_deg(height_m: Array, scale_factor: NDArray[np.float64], pixel_m: float) -> Array:
    """Return the slope of every pixel but the outermost ring.

    Args:
        height_m: (rows + 2, cols + 2) heights with a halo of one pixel; NaN = no data. See `with_border`.
        scale_factor: (rows, cols) map length over true length at the pixels.
        pixel_m: Pixel size, map metres.

    Returns:
        (rows, cols) float32 degrees, 0..90; NaN where the pixel or any of its eight neighbours has no data.

    Raises:
        ValueError: The scale factors do not belong to the pixels inside the halo.
    """
    rows, cols = height_m.shape[0] - 2, height_m.shape[1] - 2
    if scale_factor.shape != (rows, cols):
        raise ValueError(f"scale_factor is {scale_factor.shape}, the pixels inside the halo are {(rows, cols)}")
    out = np.empty((rows, cols), np.float32)
    _horn(np.ascontiguousarray(height_m, dtype=np.float32), np.ascontiguousarray(scale_factor), pixel_m, out)
    return out


@njit(cache=True, nogil=True)
def _horn(height_m: Array, scale_factor: NDArray[np.float64], pixel_m: float, out: Array) -> None:
    z, two = height_m, np.float64(2.0)  # float64 factors: sums are taken in double precision
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            # Horn's weights leave the pixel itself out; a pixel without a height of its own has no slope.
            if math.isnan(z[r + 1, c + 1]):
                out[r, c] = np.float32(np.nan)
                continue
            west = z[r, c] + two * z[r + 1, c] + z[r + 2, c]
            east = z[r, c + 2] + two * z[r + 1, c + 2] + z[r + 2, c + 2]
            north = z[r, c] + two * z[r, c + 1] + z[r, c + 2]
            south = z[r + 2, c] + two * z[r + 2, c + 1] + z[r + 2, c + 2]
            rise = math.sqrt((east - west) ** 2 + (north - south) ** 2) / (8.0 * pixel_m)
            out[r, c] = np.float32(math.degrees(math.atan(scale_factor[r, c] * rise)))


def with_border(height_m: Array, missing: tuple[int, int, int, int]) -> Array:
    """Continue heights linearly beyond the map's border, so that slopes there come from one-sided differences.

    Args:
        height_m: Heights, at least two pixels wide wherever they are continued.
        missing: Rows or columns to add at the top, bottom, left and right (0 or 1 each).
    """
    z = height_m
    top, bottom, left, right = missing
    if top:
        z = np.vstack([2.0 * z[:1] - z[1:2], z])
    if bottom:
        z = np.vstack([z, 2.0 * z[-1:] - z[-2:-1]])
    if left:
        z = np.hstack([2.0 * z[:, :1] - z[:, 1:2], z])
    if right:
        z = np.hstack([z, 2.0 * z[:, -1:] - z[:, -2:-1]])
    return np.asarray(z, dtype=np.float32)
