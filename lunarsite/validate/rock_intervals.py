"""Intervals over scenes: sums of counts over images, and draws of the scenes that those images show.

A figure of merit of many images is that of their summed counts (pixels of all images are pooled), never a mean of
images' own figures. Images of one scene are drawn together, and whatever is compared is drawn with the same scenes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lunarsite.validate.enhance_intervals import Estimate, estimate
from lunarsite.vision.rock.ablation_scores import FEWEST_SCENES

Floats = NDArray[np.float64]
Measure = Callable[[Floats], Floats]
"""From summed counts (n, ...) to one number each, (n,), NaN where there is none."""

_BLOCK = 256


class Draws:
    """Scenes drawn with replacement. The same scenes, draws and seed give the same draws."""

    def __init__(self, scenes: Sequence[str], draws: int, seed: int) -> None:
        names, at = np.unique(np.asarray(scenes, dtype=str), return_inverse=True)
        self.count = int(names.size)
        """Number of scenes."""
        shares = np.full(self.count, 1.0 / max(self.count, 1))
        drawn = np.random.default_rng(seed).multinomial(self.count, shares, size=draws)
        self._weights = drawn.astype(np.uint16)[:, at]

    @property
    def weights(self) -> Floats:
        """How often each image is drawn, (draws, images)."""
        return self._weights.astype(np.float64)

    def of(self, counts: Floats, measure: Measure) -> Estimate:
        """Return a measure of the summed counts of all images with its interval.

        Args:
            counts: (images, ...), one summand per image.
            measure: What is made of their sum.
        """
        flat = counts.reshape(len(counts), -1).astype(np.float64)
        parts = [
            measure((self._weights[start : start + _BLOCK].astype(np.float64) @ flat).reshape(-1, *counts.shape[1:]))
            for start in range(0, len(self._weights), _BLOCK)
        ]
        return self.given(measure(flat.sum(axis=0).reshape(1, *counts.shape[1:]))[0], np.concatenate(parts))

    def given(self, value: float, draws: Floats) -> Estimate:
        """Return a number with what the draws make of it, (draws,); NaN is unknown; few scenes have no interval."""
        known = draws if self.count >= FEWEST_SCENES else np.full(draws.shape, np.nan)
        return estimate(float(value) if np.isfinite(value) else None, known)


def mean_of(estimates: Sequence[Estimate]) -> Estimate:
    """Return the mean of several numbers that were drawn with the same scenes; unknown if one of them is."""
    values = [one.value for one in estimates]
    known = [value for value in values if value is not None]
    value = float(np.mean(known)) if known and len(known) == len(values) else None
    return estimate(value, np.mean([one.draws for one in estimates], axis=0))
