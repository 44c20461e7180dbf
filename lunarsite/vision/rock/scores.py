"""How right classes are, as counts that add up over images, and in how many scenes one is better than another.

Pixels whose truth is unknown count nowhere, whatever is said of them. This module must not know networks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunarsite.vision.rock.classes import COUNT, LARGE, SMALL, UNKNOWN

Classes = NDArray[np.uint8]
Floats = NDArray[np.float64]

FEW_SCENES = 10
"""With so many scenes or fewer every one must be better before a claim holds: intervals from percentiles of the
bootstrap are too narrow there. Of normal gains those of 95 % cover the truth in 85 % of cases with five scenes, in 90 %
with ten."""
ABOVE_ZERO = "> 0 at the lower end of the 95 % interval"
"""What is asked of a gain."""


def ratio(above: NDArray[Any], below: NDArray[Any]) -> Floats:
    """Return a quotient of arrays of one shape, NaN where the divisor is 0."""
    return np.asarray(np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below != 0.0))


def confusion(truth: Classes, classes: Classes) -> Floats:
    """Return (4, 4): pixels by their true class (rows) and by the class that is said (columns).

    Args:
        truth: (H, W), 255 where it is unknown.
        classes: (H, W) of 0 to 3.
    """
    known = truth != UNKNOWN
    both = truth[known].astype(np.int64) * COUNT + classes[known]
    return np.bincount(both, minlength=COUNT * COUNT).reshape(COUNT, COUNT).astype(np.float64)


def iou(matrix: Floats) -> Floats:
    """Return the intersection over union of each class, (..., 4), of confusions (..., 4, 4).

    NaN where a class neither is nor is said to be.
    """
    both = np.diagonal(matrix, axis1=-2, axis2=-1)
    return ratio(both, matrix.sum(axis=-1) + matrix.sum(axis=-2) - both)


def mean_iou(matrix: Floats) -> Floats:
    """Return the mean over classes, (...), of confusions (..., 4, 4): over those that are there or said to be."""
    values = iou(matrix)
    known = np.isfinite(values)
    return ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1))


def rock_iou(matrix: Floats) -> Floats:
    """Return the intersection over union of rocks of either kind, (...), of confusions (..., 4, 4)."""
    rocks = slice(SMALL, LARGE + 1)
    both = matrix[..., rocks, rocks].sum(axis=(-2, -1))
    return ratio(both, matrix[..., rocks, :].sum(axis=(-2, -1)) + matrix[..., :, rocks].sum(axis=(-2, -1)) - both)


def error_rate(matrix: Floats) -> Floats:
    """Return the share of pixels whose class is wrong, (...)."""
    total = matrix.sum(axis=(-2, -1))
    right = np.diagonal(matrix, axis1=-2, axis2=-1).sum(axis=-1)
    return ratio(total - right, total)


@dataclass(frozen=True)
class SignTest:
    """In how many scenes one thing is better than another: a test that asks nothing of the gains' distribution."""

    better: int
    scenes: int

    @property
    def chance(self) -> float:
        """How likely so many or more are better if each scene is so by the toss of a coin; 1/2^n where all n are."""
        return float(
            sum(math.comb(self.scenes, count) for count in range(self.better, self.scenes + 1)) / 2**self.scenes
        )

    @property
    def suffices(self) -> bool:
        """Whether a claim that its interval bears out may stand: of few scenes every one must be better."""
        return self.better == self.scenes or self.scenes > FEW_SCENES

    @property
    def bound(self) -> str:
        """What is asked of a gain, in words."""
        return ABOVE_ZERO if self.scenes > FEW_SCENES else f"{ABOVE_ZERO}, and better in every scene"

    @property
    def words(self) -> str:
        """The result."""
        return f"better in {self.better} of {self.scenes} scenes (sign test: p = {self.chance:.2g})"


def sign_test(ours: Floats, theirs: Floats, scenes: Sequence[str]) -> SignTest:
    """Return in how many scenes one mean IoU is above another; equal ones are not.

    Args:
        ours: (seeds, images, 4, 4), confusions; of each scene they are summed, and the mean IoU is averaged over seeds.
        theirs: The same of what it is held against.
        scenes: (images,), the scene of each image.
    """
    at = np.asarray(scenes, dtype=str)
    values = np.array(
        [[mean_iou(one[:, at == name].sum(axis=1)).mean() for name in np.unique(at)] for one in (ours, theirs)]
    )
    return SignTest(int((values[0] > values[1]).sum()), values.shape[1])
