"""How far probabilities can be believed: reliability, ECE, Brier and log score, as counts that add up over images.

Of the probability of the class that is said (top label) and of each class by itself (Nixon et al. 2019). The expected
calibration error of bins is biased upwards, the more the fewer pixels a bin has; with millions of pixels the scenes,
not the pixels, are what is few, and intervals draw those.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunarsite.vision.rock.classes import COUNT, UNKNOWN
from lunarsite.vision.rock.scores import Classes, ratio
from lunarsite.vision.rock.uncertainty import classes_of, confidence_of

Floats = NDArray[np.float64]
LEAST = 1e-12
"""Probabilities count as at least that in a logarithm."""


@dataclass(frozen=True)
class Calibration:
    """Counts of one image.

    Attributes:
        top: (bins, 3): pixels, sum of their confidence, and how many are right, by confidence.
        by_class: (4, bins, 3): pixels, sum of the class's probability, and how many are of the class, by probability.
        scores: (3,): pixels, sum of squared errors of the probabilities, sum of -ln of the true class's probability.
    """

    top: Floats
    by_class: Floats
    scores: Floats


def calibration(
    probability: NDArray[np.float32], truth: Classes, bins: int, classes: Classes | None = None
) -> Calibration:
    """Return the counts of an image.

    Args:
        probability: (4, H, W).
        truth: (H, W), 255 where it is unknown.
        bins: Bins of equal width between 0 and 1; their upper ends belong to them.
        classes: (H, W), the class that is said; None: what follows from the probability.
    """
    known = truth != UNKNOWN
    given = probability[:, known].astype(np.float64)
    true = truth[known]
    said = classes_of(probability[:, known]) if classes is None else classes[known]
    top = _binned(confidence_of(probability[:, known], said).astype(np.float64), said == true, bins)
    hits = np.arange(COUNT)[:, None] == true[None]
    by_class = np.stack([_binned(given[k], hits[k], bins) for k in range(COUNT)])
    own = np.take_along_axis(given, true[None].astype(np.int64), axis=0)[0]
    scores = np.array([true.size, ((given - hits) ** 2).sum(), -np.log(np.maximum(own, LEAST)).sum()])
    return Calibration(top, by_class, scores)


def ece(counts: Floats) -> Floats:
    """Return the expected calibration error, (...), of counts by bin (..., bins, 3); NaN without pixels."""
    total = counts[..., 0].sum(axis=-1)
    gaps = np.abs(counts[..., 1] - counts[..., 2]).sum(axis=-1)
    return ratio(gaps, total)


def class_ece(counts: Floats) -> Floats:
    """Return the mean over classes of their calibration errors, (...), of counts (..., 4, bins, 3)."""
    return np.asarray(ece(counts).mean(axis=-1))


def brier(scores: Floats) -> Floats:
    """Return the mean over pixels of the squared errors summed over classes (0 to 2), (...), of scores (..., 3)."""
    return _per_pixel(scores, 1)


def log_score(scores: Floats) -> Floats:
    """Return the mean negative logarithm of the true class's probability, nats, (...), of scores (..., 3)."""
    return _per_pixel(scores, 2)


def _per_pixel(scores: Floats, which: int) -> Floats:
    return ratio(scores[..., which], scores[..., 0])


def _binned(values: Floats, right: NDArray[np.bool_], bins: int) -> Floats:
    at = np.clip(np.ceil(values * bins).astype(np.int64) - 1, 0, bins - 1)
    sums = (np.bincount(at, weights, bins) for weights in (None, values, right))
    return np.stack([np.asarray(one, dtype=np.float64) for one in sums], axis=-1)
