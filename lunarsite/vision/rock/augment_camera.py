"""Another camera: extreme contrast, and what a sensor adds and takes away."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lunarsite.vision.rock.classes import SKY

Bytes = NDArray[np.uint8]

_GAMMA = (0.55, 1.8)
_CRUSHED = (0.0, 25.0)
"""Percentile of the ground's levels below which all may be black: a dim picture is no other scene."""
_BLOWN = (92.0, 100.0)
"""Percentile above which all is white: more would blow out rocks and the ground around them alike."""
_WHITE = (0.7, 1.0)
"""What white is stored as, as a share of the highest level."""
_PHOTONS = (150.0, 4_000.0)
"""Photons of a white pixel."""
_READ_LEVELS = (0.0, 4.0)
_STRIPE_LEVELS = (0.0, 2.5)
_BLUR_PX = (0.0, 1.2)
_BITS = (6, 8)


def changed_contrast(image: Bytes, mask: Bytes, generator: np.random.Generator) -> Bytes:
    """Return an image (h, w, 3) with another gamma, shadows crushed to black and highlights blown; the sky stays."""
    ground = mask != SKY
    if not ground.any():
        return image
    low = generator.random() * np.percentile(image[ground], generator.uniform(*_CRUSHED))
    high = max(np.percentile(image[ground], generator.uniform(*_BLOWN)), low + 1.0)
    gamma = float(np.exp(generator.uniform(*np.log(_GAMMA))))
    white = 255.0 * generator.uniform(*_WHITE)
    levels = np.clip((np.arange(256) - low) / (high - low), 0.0, 1.0) ** gamma
    changed = np.rint(white * levels).astype(np.uint8)[image]
    return np.asarray(np.where(ground[:, :, None], changed, image), dtype=np.uint8)


def noisy(image: Bytes, mask: Bytes, generator: np.random.Generator) -> Bytes:
    """Return an image (h, w, 3) blurred, with photon and read noise, column stripes and few bits.

    The noise is that of one grey sensor: alike in the three channels. The sky gets it as well, as it would.
    """
    values = image.astype(np.float64)
    if generator.random() < 0.5:
        blur = generator.uniform(*_BLUR_PX)
        values = ndimage.gaussian_filter(values, (blur, blur, 0.0))
    photons = float(np.exp(generator.uniform(*np.log(_PHOTONS))))
    grey = values.mean(axis=2)
    noise = generator.normal(size=grey.shape) * np.sqrt(grey * 255.0 / photons)
    noise += generator.normal(0.0, generator.uniform(*_READ_LEVELS), grey.shape)
    noise += generator.normal(0.0, generator.uniform(*_STRIPE_LEVELS), (1, grey.shape[1]))
    step = 2.0 ** (8 - int(generator.integers(_BITS[0], _BITS[1] + 1)))
    taken: Bytes = np.clip(np.rint((values + noise[:, :, None]) / step) * step, 0.0, 255.0).astype(np.uint8)
    return taken
