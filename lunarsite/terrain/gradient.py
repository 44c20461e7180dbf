"""Slope of the ground on the sphere, from an elevation model on the polar map.

Gradients are taken on the map by Horn's method (Horn 1981, Proc. IEEE 69, 14, doi 10.1109/PROC.1981.11918), which
weights the eight neighbours of a pixel. The map stretches lengths by its scale factor k (1.0077 at 80 degrees), so the
true gradient is k times the map's. Heights are above the sphere: ground of constant height is level wherever it lies.
"""

from __future__ import annotations

import numpy as np
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
    """
    z = height_m.astype(np.float64)
    west, east = (z[:-2, side] + 2.0 * z[1:-1, side] + z[2:, side] for side in (slice(None, -2), slice(2, None)))
    north, south = (z[side, :-2] + 2.0 * z[side, 1:-1] + z[side, 2:] for side in (slice(None, -2), slice(2, None)))
    rise = np.hypot(east - west, north - south) / (8.0 * pixel_m)
    # Horn's weights leave the pixel itself out; a pixel without a height of its own has no slope.
    rise[np.isnan(z[1:-1, 1:-1])] = np.nan
    return np.degrees(np.arctan(scale_factor * rise)).astype(np.float32)


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
