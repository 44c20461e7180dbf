"""Roughness: how far the ground departs from a plane.

Definition: the root mean square of the vertical residuals from the least-squares plane through all pixels of a square
window, divided by the number of pixels (not by the degrees of freedom). The window reaches `radius_px` pixels to each
side, one at least; it is named by its radius in metres, 100 m by default, and by one pixel where pixels are larger. A
tilt is no roughness; the map's scale factor cancels, for it stretches the window and not the residuals. It is the
'RMS deviation from the local plane' of the LOLA roughness products (Rosenburg et al. 2011, J. Geophys. Res. 116,
E02001, who detrend in the same way along tracks).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

Array = NDArray[np.float32]


def window_radius_px(baseline_m: float, pixel_m: float) -> int:
    """Return the window's radius in pixels for a radius in metres: the nearest, at least one."""
    return max(1, round(baseline_m / pixel_m))


def roughness_m(height_m: Array, radius_px: int) -> Array:
    """Return the RMS deviation from the local plane.

    Args:
        height_m: (rows, cols) heights, NaN = no data.
        radius_px: Window radius; the window is (2 radius + 1) pixels wide.

    Returns:
        (rows, cols) float32 metres; NaN where the window leaves the array or holds a pixel without data.

    Raises:
        ValueError: The radius is below one pixel.
    """
    if radius_px < 1:
        raise ValueError(f"radius_px is {radius_px}; a plane needs a window of at least 3 x 3 pixels")
    width = 2 * radius_px + 1
    unknown = np.isnan(height_m)
    if min(height_m.shape) < width or unknown.all():
        return np.full(height_m.shape, np.nan, np.float32)
    # The residuals' variance by moments, with the window's own coordinates: x and y are uncorrelated in it, so
    # var(residual) = var(z) - cov(x, z)^2 / var(x) - cov(y, z)^2 / var(y). Heights are centred to keep digits.
    z = np.where(unknown, 0.0, height_m - np.nanmean(height_m, dtype=np.float64))
    flat, ramp = np.full(width, 1.0 / width), np.arange(-radius_px, radius_px + 1) / width
    mean = _window(z, flat, flat)
    variance = _window(z * z, flat, flat) - mean * mean
    spread = radius_px * (radius_px + 1) / 3.0
    explained = (_window(z, flat, ramp) ** 2 + _window(z, ramp, flat) ** 2) / spread
    result = np.sqrt(np.maximum(variance - explained, 0.0)).astype(np.float32)
    touched = _window(unknown.astype(np.float64), flat, flat) > 0.5 / width**2
    result[touched] = np.nan
    result[:radius_px], result[-radius_px:] = np.nan, np.nan
    result[:, :radius_px], result[:, -radius_px:] = np.nan, np.nan
    return result


def _window(values: NDArray[np.float64], down: NDArray[np.float64], across: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = correlate1d(correlate1d(values, down, axis=0), across, axis=1)
    return result
