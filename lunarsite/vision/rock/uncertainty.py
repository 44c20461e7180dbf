"""Probabilities of several members or passes: their mean, its calibration, and what they know and do not know.

Members are pooled first and calibrated then: the mean of their probabilities is taken as it is, and one temperature
corrects the mean (Rahaman & Thiery 2021: members that are calibrated one by one make an underconfident mean). Entropy
of the mean is the whole uncertainty of a pixel; the mutual information of class and member is the part that the members
disagree about (Depeweg et al. 2018; Gal, Islam & Ghahramani 2017), which is what an image of an unknown kind raises.
Both are in nats: at most ln(4) = 1.386 with four classes. All functions are pure; arrays are (..., classes, H, W).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_AXIS = -3
# A probability below what 32 bits tell from nothing adds nothing to an entropy, and its logarithm must be finite.
_LEAST = np.float32(1e-12)


def softmax(logits: Floats) -> Floats:
    """Return the probabilities (..., C, H, W) of logits of that shape."""
    powers = np.exp(logits - logits.max(axis=_AXIS, keepdims=True))
    return np.asarray(powers / powers.sum(axis=_AXIS, keepdims=True), dtype=np.float32)


def pooled(logits: Floats) -> Floats:
    """Return the mean probability (C, H, W) of members or passes with logits (M, C, H, W)."""
    return np.asarray(softmax(logits).mean(axis=0), dtype=np.float32)


def tempered(probability: Floats, temperature: float) -> Floats:
    """Return probabilities (..., C, H, W) whose logarithms are divided by a temperature; 1 leaves them as they are."""
    if temperature == 1.0:
        return probability
    scaled: Floats = np.log(np.maximum(probability, _LEAST)) / np.float32(temperature)
    return softmax(scaled)


def entropy(probability: Floats) -> Floats:
    """Return the entropy (..., H, W) of probabilities (..., C, H, W), nats."""
    return np.asarray(-(probability * np.log(np.maximum(probability, _LEAST))).sum(axis=_AXIS), dtype=np.float32)


def mutual_information(logits: Floats) -> Floats:
    """Return what members with logits (M, C, H, W) disagree about, (H, W), nats: 0 for one member.

    It is the entropy of their mean less the mean of their entropies, before any calibration.
    """
    members = softmax(logits)
    # It is never negative (entropy is concave); what falls below is rounding.
    mean = np.asarray(members.mean(axis=0), dtype=np.float32)
    return np.asarray(np.maximum(entropy(mean) - entropy(members).mean(axis=0), 0.0), dtype=np.float32)
