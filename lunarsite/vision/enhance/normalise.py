"""The standard scale: one invertible map from an image's own numbers to what every network of this room works in.

    y = asinh((x - median) / spread),    x = median + spread sinh(y)

The spread is half the distance from the 16th to the 84th percentile, so it is the standard deviation of values that
spread normally, whatever a few bright slopes do. Near the median the scale is linear; far from it it grows as the
logarithm (Lupton et al. 1999, AJ 118, 1406), so that bright ground stays within reach and negative numbers are legal.
It belongs to the whole image: tiles of one image share it, so there are no seams, and its inverse gives the image's
radiometry back.

Values that many pixels share with the image's maximum are overexposed: they say nothing of the ground, and a spread
that they took part in would be that of the exposure. They are left out of the statistics, and of nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunarsite.vision.learn import LearningError

Floats = NDArray[np.float32]

OVEREXPOSED_SHARE = 1e-3
"""Share of an image's known pixels that must lie at its very maximum for them to be taken for overexposed."""
_SAMPLE = 1 << 22
"""Values that the percentiles of a large image are taken from. Their standard error is then below 0.001 spreads."""
_SEED = 1999


@dataclass(frozen=True)
class Scale:
    """The standard scale of one image."""

    median: float
    """In the image's numbers, as `spread` and `most`."""
    spread: float
    most: float = float("inf")
    """Values from here on are overexposed; infinite if none are."""

    def forward(self, values: NDArray[Any]) -> Floats:
        """Return values of the image in the standard scale; NaN stays NaN."""
        return np.asarray(np.arcsinh((np.asarray(values, np.float64) - self.median) / self.spread), np.float32)

    def inverse(self, standard: NDArray[Any]) -> Floats:
        """Return standard values in the image's numbers."""
        return np.asarray(self.median + self.spread * np.sinh(np.asarray(standard, np.float64)), np.float32)

    def error(self, standard: NDArray[Any], standard_error: NDArray[Any]) -> Floats:
        """Return standard errors in the image's numbers, to first order: |dx/dy| = spread cosh(y) times that in y."""
        return np.asarray(self.spread * np.cosh(np.asarray(standard, np.float64)) * standard_error, np.float32)

    def overexposed(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Return where values are overexposed; False where they are NaN."""
        return np.asarray(np.asarray(values) >= self.most)


def fit(values: NDArray[Any]) -> Scale:
    """Return the standard scale of an image of any shape; what is not finite is unknown.

    Raises:
        LearningError: Nothing is known, or all that is known is one value.
    """
    return fit_strips([values], int(np.size(values)))


def fit_strips(strips: Iterable[NDArray[Any]], size: int, sample: int = _SAMPLE) -> Scale:
    """Return the standard scale of an image that comes in pieces.

    Of an image of more than `sample` pixels the percentiles are those of that many, drawn evenly by a fixed seed; its
    maximum is exact.

    Args:
        strips: The image's pieces, in order, of any shape.
        size: Pixels of the whole image, unknown ones included.
        sample: Values that are kept.

    Raises:
        LearningError: Nothing is known, or all that is known is one value.
    """
    share, rng = min(1.0, sample / max(size, 1)), np.random.default_rng(_SEED)
    kept: list[NDArray[np.float64]] = []
    known, most, at_most = 0, -np.inf, 0
    for strip in strips:
        flat = np.asarray(strip).reshape(-1)
        flat = flat[np.isfinite(flat)]
        if flat.size == 0:
            continue
        known += flat.size
        highest = float(flat.max())
        if highest >= most:
            at_most = int(np.count_nonzero(flat == highest)) + (at_most if highest == most else 0)
            most = highest
        kept.append((flat if share == 1.0 else flat[rng.random(flat.size) < share]).astype(np.float64))
    if known == 0:
        raise LearningError("the image holds no known pixel: there is nothing to enhance")
    found = np.concatenate(kept)
    below = found[found < most]
    if at_most <= OVEREXPOSED_SHARE * known:
        most = np.inf
    elif below.size:
        found = below
    low, median, high = np.percentile(found, (16.0, 50.0, 84.0)) if found.size else (0.0, 0.0, 0.0)
    # An image of few grey levels may hold one of them in more than two thirds of its pixels.
    spread = 0.5 * (high - low) or (float(found.std()) if found.size else 0.0)
    if not spread > 0.0:
        raise LearningError(
            f"all {known} known pixels of the image that are not overexposed hold one value: there is no signal to"
            " enhance"
        )
    return Scale(float(median), float(spread), float(most))
