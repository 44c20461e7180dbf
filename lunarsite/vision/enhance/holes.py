"""Holes of an image: pixels without data, and overexposed ones, filled for a network that must be given something."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunarsite.vision.enhance.denoiser import MOST_STANDARD

Floats = NDArray[np.float32]

FILL_REACH_PX = 12
"""A hole's filling depends on what is this near."""
_FILL_SIGMA_PX = 4.0
_FILL_LEAST = 0.01
"""Share of known ground in a hole's surroundings, by their weights, below which the fill goes towards the median."""


def filled(standard: Floats, known: NDArray[np.bool_]) -> Floats:
    """Return the image with holes filled by the mean of their surroundings, which fades to 0, the median, far off.

    Args:
        standard: (H, W), in the standard scale.
        known: (H, W), False in holes.
    """
    from scipy import ndimage

    def window(values: NDArray[Any]) -> Floats:
        found: Floats = ndimage.gaussian_filter(
            values.astype(np.float32), _FILL_SIGMA_PX, mode="constant", radius=FILL_REACH_PX
        )
        return found

    if known.all():
        return standard
    # Bright ground beside a hole is a matter of the bright ground.
    limited = np.where(known, np.clip(np.nan_to_num(standard), -MOST_STANDARD, MOST_STANDARD), 0.0)
    weights = window(known)
    return np.where(known, standard, window(limited) / np.maximum(weights, np.float32(_FILL_LEAST))).astype(np.float32)
