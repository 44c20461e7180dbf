"""Images of no familiar kind, made of familiar ones, and images from orbit as a segmenter would be given them.

Corruptions keep the size of the picture; the harm is set once, so that it is the same in every run. Pictures alone are
read here, never masks: a system that told masks from photographs would have shown nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Image = NDArray[np.uint8]

NOISE_GREY = 40.0
BLUR_PX = 4.0
"""At a picture width of 480."""
CONTRAST = 0.15
BLOCKS = 4


def noisy(image: Image, rng: np.random.Generator) -> Image:
    """Return an image with independent Gaussian noise."""
    return _eight_bit(image + rng.normal(0.0, NOISE_GREY, image.shape))


def blurred(image: Image, rng: np.random.Generator) -> Image:
    """Return an image out of focus."""
    del rng
    sigma = BLUR_PX * image.shape[1] / 480.0
    return _eight_bit(ndimage.gaussian_filter(image.astype(np.float32), (sigma, sigma, 0.0)))


def faded(image: Image, rng: np.random.Generator) -> Image:
    """Return an image with little contrast about mid-grey."""
    del rng
    return _eight_bit(128.0 + CONTRAST * (image.astype(np.float32) - 128.0))


def inverted(image: Image, rng: np.random.Generator) -> Image:
    """Return the negative."""
    del rng
    return np.asarray(255 - image, dtype=np.uint8)


def turned(image: Image, rng: np.random.Generator) -> Image:
    """Return an image turned by 90 degrees: the sky stands at one side."""
    del rng
    return np.ascontiguousarray(np.rot90(image))


def shuffled(image: Image, rng: np.random.Generator) -> Image:
    """Return an image cut into 4 x 4 blocks in another order; what does not divide by 4 stays at the margin."""
    height, width = (side // BLOCKS for side in image.shape[:2])
    found = image.copy()
    for to, origin in enumerate(rng.permutation(BLOCKS * BLOCKS)):
        (row, col), (from_row, from_col) = divmod(to, BLOCKS), divmod(int(origin), BLOCKS)
        found[row * height : (row + 1) * height, col * width : (col + 1) * width] = image[
            from_row * height : (from_row + 1) * height, from_col * width : (from_col + 1) * width
        ]
    return found


CORRUPTIONS: dict[str, Callable[[Image, np.random.Generator], Image]] = {
    "noise": noisy,
    "blur": blurred,
    "low contrast": faded,
    "inverted": inverted,
    "turned by 90 degrees": turned,
    "shuffled blocks": shuffled,
}


def stretched(values: NDArray[Any]) -> Image | None:
    """Return an orbital image (H, W) in 8 bits and three equal channels, its 0.5 % to 99.5 % range stretched.

    Pixels without data are black. None if there is no range.
    """
    known = np.isfinite(values)
    if not known.any():
        return None
    low, high = (float(one) for one in np.percentile(values[known], (0.5, 99.5)))
    if not high > low:
        return None
    grey = _eight_bit(np.where(known, (values.astype(np.float64) - low) / (high - low) * 255.0, 0.0))
    return np.repeat(grey[..., None], 3, axis=-1)


def _eight_bit(values: NDArray[Any]) -> Image:
    return np.asarray(np.clip(np.rint(values), 0.0, 255.0), dtype=np.uint8)
