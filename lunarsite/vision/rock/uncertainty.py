"""Probabilities of several members or passes: their mean, its calibration, and what they know and do not know.

Members are pooled first and calibrated then: the mean of their probabilities is taken as it is, and one temperature
corrects the mean (Rahaman & Thiery 2021: members that are calibrated one by one make an underconfident mean). Entropy
of the mean is the whole uncertainty of a pixel; the mutual information of class and member is the part that the members
disagree about (Depeweg et al. 2018; Gal, Islam & Ghahramani 2017), which an image of an unknown kind raises as a rule.
Both are in nats: at most ln(4) = 1.386 with four classes. Arrays are (classes, H, W), members or passes before them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunarsite.vision.rock.classes import BACKGROUND, LARGE, SKY, SMALL

Floats = NDArray[np.float32]

_AXIS = -3
# A probability below that adds nothing to an entropy, and its logarithm must be finite.
_LEAST = 1e-12


class Pool:
    """Takes members or passes one by one, and holds two sums of them: memory does not grow with their number."""

    def __init__(self) -> None:
        self._count = 0
        self._sum: Floats = np.zeros((), dtype=np.float32)
        self._entropy: Floats = np.zeros((), dtype=np.float32)

    def add(self, probability: Floats) -> None:
        """Take the probabilities (C, H, W) of one."""
        self._count += 1
        self._sum = self._sum + probability
        self._entropy = self._entropy + entropy(probability)

    @property
    def mean(self) -> Floats:
        """The mean probability (C, H, W)."""
        return np.divide(self._sum, self._count, dtype=np.float32)

    @property
    def mutual_information(self) -> Floats:
        """What they disagree about, (H, W), nats: entropy of the mean less mean of the entropies; 0 for one."""
        # It is never negative (entropy is concave); what falls below is rounding.
        least = np.float32(0.0) if self._count > 1 else np.inf
        excess = entropy(self.mean) - np.divide(self._entropy, self._count, dtype=np.float32)
        return np.where(excess > least, excess, np.float32(0.0))


def pool_of(logits: Floats) -> Pool:
    """Return the pool of members with logits (M, C, H, W)."""
    pool = Pool()
    for member in logits:
        pool.add(softmax(member))
    return pool


def pooled(logits: Floats) -> Floats:
    """Return the mean probability (C, H, W) of members with logits (M, C, H, W)."""
    return pool_of(logits).mean


def mutual_information(logits: Floats) -> Floats:
    """Return what members with logits (M, C, H, W) disagree about, before any calibration; see `Pool`."""
    return pool_of(logits).mutual_information


def softmax(logits: Floats) -> Floats:
    """Return the probabilities (..., C, H, W) of logits of that shape."""
    powers = np.exp(logits - logits.max(axis=_AXIS, keepdims=True))
    return np.asarray(powers / powers.sum(axis=_AXIS, keepdims=True), dtype=np.float32)


def logarithm(probability: Floats) -> Floats:
    """Return logits of probabilities: their logarithm, finite."""
    return np.log(np.maximum(probability, _LEAST), dtype=np.float32)


def tempered(probability: Floats, temperature: float) -> Floats:
    """Return probabilities (..., 4, H, W) whose logarithms are divided by a temperature; 1 leaves them as they are.

    Ground, rock and sky are tempered, and apart from that small against large where there is a rock. So a temperature
    changes no class (see `classes_of`), and doubt about a rock's size makes it neither more nor less of a rock.
    """
    if temperature == 1.0:
        return probability
    kinds = _divided(np.concatenate(_kinds(probability), axis=_AXIS), temperature)
    sizes = _divided(probability[..., SMALL : LARGE + 1, :, :], temperature)
    ground, rock, sky = (kinds[..., k : k + 1, :, :] for k in range(3))
    return np.concatenate([ground, rock * sizes, sky], axis=_AXIS)


def entropy(probability: Floats) -> Floats:
    """Return the entropy (..., H, W) of probabilities (..., C, H, W), nats."""
    terms: Floats = probability * logarithm(probability)
    # The least sum of rounded terms is a little below 0 where one class is sure.
    return np.asarray(np.maximum(-terms.sum(axis=_AXIS), 0.0), dtype=np.float32)


def classes_of(probability: Floats) -> NDArray[np.uint8]:
    """Return the class (H, W) of probabilities (4, H, W): first ground, rock or sky, then the rock's size.

    Where a probability of rock of 0.6 is divided between small and large, ground with 0.4 must not win.
    """
    ground, sky = probability[BACKGROUND], probability[SKY]
    rock = probability[SMALL] + probability[LARGE]
    found = np.where(probability[LARGE] > probability[SMALL], np.uint8(LARGE), np.uint8(SMALL))
    found[(ground >= rock) & (ground >= sky)] = BACKGROUND
    found[(sky > rock) & (sky > ground)] = SKY
    return found


def confidence_of(probability: Floats, classes: NDArray[np.uint8]) -> Floats:
    """Return the probability (...) of the class (...) that is said, of probabilities (4, ...).

    It is not always the largest of the four: a rock's is divided between sizes.
    """
    return np.asarray(np.take_along_axis(probability, classes[None].astype(np.intp), axis=0)[0])


def _kinds(probability: Floats) -> tuple[Floats, Floats, Floats]:
    """Return ground, rock of either size, and sky, (..., 1, H, W) each, of probabilities (..., 4, H, W)."""
    ground, sky = (probability[..., k : k + 1, :, :] for k in (BACKGROUND, SKY))
    return ground, probability[..., SMALL : LARGE + 1, :, :].sum(axis=_AXIS, keepdims=True), sky


def _divided(probability: Floats, temperature: float) -> Floats:
    return softmax(np.divide(logarithm(probability), temperature, dtype=np.float32))


def unfamiliarity_of(distance: float, classes: NDArray[Any], known: NDArray[np.bool_] | None = None) -> float:
    """Return how unfamiliar an image is: the distance of its features, NaN where no known pixel is ground or rock.

    Args:
        distance: Of the image's features.
        classes: (H, W).
        known: (H, W), where the image shows anything; None: everywhere.
    """
    ground = classes != SKY
    return distance if (ground if known is None else ground & known).any() else math.nan


def mean_below_sky(values: Floats, classes: NDArray[Any]) -> float:
    """Return the mean of values (H, W) over the pixels that are not called sky; NaN if there are none.

    The sky is black and never doubtful: with it, a picture would look the more familiar the more sky it shows, and a
    black one, of which nothing can be known, the most familiar of all.

    Args:
        values: Of each pixel.
        classes: (H, W).
    """
    ground = classes != SKY
    return float(np.mean(values, dtype=np.float64, where=ground)) if ground.any() else math.nan


def beyond(unfamiliarity: float, limit: float) -> bool | None:
    """Return whether an image is out of distribution; None where nothing tells, for it shows no ground (NaN)."""
    return None if math.isnan(unfamiliarity) else unfamiliarity > limit
