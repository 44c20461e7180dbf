"""Intervals of the variants of a training over scenes and over seeds.

Counts of all images are summed and the ratio is taken of the sums. A draw of the bootstrap takes scenes with
replacement, images of one scene together, and seeds of the training with replacement; every variant is drawn with the
same scenes and seeds, so that what two variants share does not widen the interval of their difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunarsite.sky import black_above
from lunarsite.vision.rock.classes import BACKGROUND, COUNT, SKY
from lunarsite.vision.rock.scores import Classes, Floats, iou, mean_iou, rock_iou

FEWEST_SCENES = 5
"""With fewer scenes than this there is no interval, and nothing is claimed."""
_LEVELS = (0.025, 0.975)


def no_rocks(image: NDArray[np.uint8]) -> Classes:
    """Return the null of all variants, (H, W): sky is what is black and reaches the top, all else is ground."""
    return np.where(black_above(image), SKY, BACKGROUND).astype(np.uint8)


@dataclass(frozen=True)
class Score:
    """A number, and what the draws make of it, (draws,)."""

    value: float
    draws: Floats

    @property
    def within(self) -> tuple[float, float] | None:
        """The 95 % interval; None if it is not known."""
        known = self.draws[np.isfinite(self.draws)]
        if known.size == 0 or not np.isfinite(self.value):
            return None
        low, high = np.quantile(known, _LEVELS)
        return float(low), float(high)

    def __sub__(self, other: Score) -> Score:
        """Return the paired difference."""
        return Score(self.value - other.value, self.draws - other.draws)


class Resampled:
    """Draws of scenes and of seeds: the same ones for every variant.

    Args:
        scenes: (images,), the scene of each image.
        seeds: Number of trainings of each variant; a variant that is not trained counts as that many equal ones.
        draws: Number of draws.
        seed: Of the draws.
    """

    def __init__(self, scenes: Sequence[str], seeds: int, draws: int, seed: int) -> None:
        names, self._at = np.unique(np.asarray(scenes, dtype=str), return_inverse=True)
        self.scenes, self.seeds = int(names.size), seeds
        generator = np.random.default_rng(seed)
        shares = np.full(self.scenes, 1.0 / max(self.scenes, 1))
        drawn = generator.multinomial(self.scenes, shares, size=draws)
        self._images = drawn[:, self._at].astype(np.float64)
        self._seeds = generator.multinomial(seeds, np.full(seeds, 1.0 / seeds), size=draws) / seeds

    def score(self, counts: Floats, measure: str = "mean", number: int | None = None) -> Score:
        """Return the mean over seeds of a measure of the summed counts.

        Args:
            counts: (seeds, images, 4, 4).
            measure: 'mean' over classes, 'rocks' of either kind, or 'class'.
            number: The class, for 'class'.

        Returns:
            Its draws are NaN where there are fewer than FEWEST_SCENES scenes.
        """
        flat = counts.reshape(*counts.shape[:2], COUNT * COUNT)
        drawn = np.einsum("di,sik->dsk", self._images, flat).reshape(-1, self.seeds, COUNT, COUNT)
        values, spread = (_measured(one, measure, number) for one in (counts.sum(axis=1), drawn))
        if self.scenes < FEWEST_SCENES:
            return Score(float(np.mean(values)), np.full(len(drawn), np.nan))
        return Score(float(np.mean(values)), (self._seeds * spread).sum(axis=1))


def _measured(matrix: Floats, measure: str, number: int | None) -> Floats:
    if measure == "mean":
        return mean_iou(matrix)
    if measure == "rocks":
        return rock_iou(matrix)
    if measure == "class" and number is not None:
        return iou(matrix)[..., number]
    raise ValueError(f"measure '{measure}' of class {number} is not known")
