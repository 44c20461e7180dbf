"""Where a result is borne out by the image's own signal, and where it might be the network's invention.

Around each pixel a window (a Gaussian of 6 px) is looked at. Two things must hold:

- The standard error, as the network tells it, is below a share of the result's contrast, its standard deviation in the
  window. Where the ground is as flat as the error is large, what structure there is may be error.
- The structure is there in the image before enhancement: result and image agree by more than the noise lets them agree
  by chance. With the window's sums, the structure's strength in the image is the slope of the image on the result; its
  standard error is noise / (contrast sqrt(n)), n pixels of the window, the noise being what the result leaves of the
  image. The slope must exceed so many of its errors, the noise floor, and be no less than a share of the 1 that a true
  result has: a network that draws a crater where there was none, or makes one deeper, fails here.

The second is a matched filter whose template is the result itself. A result that merely smooths its own image's noise
agrees with it too, so it takes both.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

UNSUPPORTED, SUPPORTED, UNKNOWN = 0, 1, 255
MARGIN_PX = 15
"""Pixels further away than this have no say."""
ERROR_SHARE = 0.5
"""Largest standard error, as a share of the contrast."""
NOISE_FLOOR = 5.0
"""Least slope of the image on the result, in standard errors of the slope."""
LEAST_SLOPE = 0.5
"""Least slope of the image on the result."""
_SIGMA_PX = 6.0
# The sum of the squares of a Gaussian's weights is 1 / (4 pi sigma^2): so many pixels count in full.
_PIXELS = 4.0 * math.pi * _SIGMA_PX**2
_LEAST_KNOWN = 0.05


def support(image: NDArray[Any], result: NDArray[Any], error: NDArray[Any]) -> NDArray[np.uint8]:
    """Return SUPPORTED, UNSUPPORTED or UNKNOWN for each pixel.

    A pixel depends on those up to MARGIN_PX away, so parts of a map with such a margin are parts of the map's support.

    Args:
        image: (H, W), before enhancement, in the standard scale, in which noise is more even than in the image's
            numbers, and the median 0; NaN where unknown.
        result: (H, W), enhanced, in the same scale.
        error: (H, W), its standard error, in the same scale; NaN where the result is not to be relied on
            (overexposed), which is then unsupported.
    """
    known = np.isfinite(image)
    counted = known & np.isfinite(result) & np.isfinite(error)
    if not counted.any():
        return np.where(known, UNSUPPORTED, UNKNOWN).astype(np.uint8)
    contrast, slope, slope_error = _agreement(image, result, counted)
    with np.errstate(invalid="ignore"):  # NaN is no support
        borne_out = (slope > NOISE_FLOOR * slope_error) & (slope >= LEAST_SLOPE)
        found = counted & (np.asarray(error) < ERROR_SHARE * contrast) & borne_out
    return np.where(known, np.where(found, SUPPORTED, UNSUPPORTED), UNKNOWN).astype(np.uint8)


def _agreement(image: NDArray[Any], result: NDArray[Any], counted: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """Return the result's contrast, the slope of the image on it, and the slope's standard error; NaN where too few."""
    # Of the window, the part that counts: not all of it does at the image's border either.
    share = _window(counted.astype(np.float32))
    share = np.where(counted & (share >= _LEAST_KNOWN), share, np.float32(np.nan))
    x, y = (np.where(counted, values, 0.0).astype(np.float32) for values in (result, image))

    def mean(values: Floats) -> Floats:
        return _window(values) / share

    mean_x, mean_y = mean(x), mean(y)
    var_x, cov, var_y = mean(x * x) - mean_x**2, mean(x * y) - mean_x * mean_y, mean(y * y) - mean_y**2
    # What rounding leaves of a constant is no contrast.
    var_x = np.where(var_x > 1e-5 * (mean_x**2 + np.finfo(np.float32).tiny), var_x, np.nan)
    slope = cov / var_x
    left = np.maximum(var_y - 2.0 * cov + var_x, 0.0)
    return np.sqrt(var_x), slope, np.sqrt(left / (var_x * _PIXELS * share))


def _window(values: Floats) -> Floats:
    """Return the weighted sums of the windows; beyond the array all is 0."""
    from scipy import ndimage

    found: Floats = ndimage.gaussian_filter(values, _SIGMA_PX, mode="constant", radius=MARGIN_PX)
    return found
