"""Intervals over ground: scenes of one ground are drawn together, and every method with the same ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunarsite.validate.crater_counts import interval

Floats = NDArray[np.float64]

FEWEST_GROUNDS = 5
"""With fewer grounds than this there is no interval, so that no claim rests on chance in two or three places."""


@dataclass(frozen=True)
class Estimate:
    """A number, its 95 % interval (None: too few grounds), and the draws that it comes from."""

    value: float | None
    within: tuple[float, float] | None
    draws: Floats

    @property
    def low(self) -> float | None:
        """Lower end of the interval."""
        return None if self.within is None else self.within[0]

    @property
    def high(self) -> float | None:
        """Upper end of the interval."""
        return None if self.within is None else self.within[1]

    def __sub__(self, other: Estimate) -> Estimate:
        """Return the difference; draw by draw, so that what both share does not widen its interval."""
        value = None if self.value is None or other.value is None else self.value - other.value
        return estimate(value, self.draws - other.draws)

    def over(self, other: Estimate) -> Estimate:
        """Return the ratio, draw by draw; unknown where the other may be 0."""
        known = self.value is not None and other.value is not None and other.value != 0.0
        with np.errstate(invalid="ignore", divide="ignore"):
            draws = np.where(other.draws != 0.0, self.draws / other.draws, np.nan)
        return estimate(self.value / other.value if known else None, draws)  # type: ignore[operator]


def lowest(estimates: Sequence[Estimate]) -> Estimate:
    """Return the smallest of several: of the values, and of each draw."""
    values = [one.value for one in estimates]
    value = None if not values or None in values else min(one for one in values if one is not None)
    return estimate(value, np.min([one.draws for one in estimates], axis=0) if estimates else np.zeros(0))


def highest(estimates: Sequence[Estimate]) -> Estimate:
    """Return the largest of several: of the values, and of each draw."""
    values = [one.value for one in estimates]
    value = None if not values or None in values else max(one for one in values if one is not None)
    return estimate(value, np.max([one.draws for one in estimates], axis=0) if estimates else np.zeros(0))


class Grounds:
    """The ground of each scene, and the bootstrap's draws of it."""

    def __init__(self, grounds: Sequence[str], draws: int, seed: int) -> None:
        self._names, self._draws, self._seed = np.asarray(grounds, dtype=str), draws, seed
        names, at = np.unique(self._names, return_inverse=True)
        self.count = int(names.size)
        shares = np.full(self.count, 1.0 / max(self.count, 1))
        drawn = np.random.default_rng(seed).multinomial(self.count, shares, size=draws)
        self._weights = drawn[:, at].astype(np.float64)

    def of(self, scenes: NDArray[np.bool_]) -> Grounds:
        """Return the grounds of some of the scenes, a mask of them, drawn among themselves."""
        return Grounds(list(self._names[scenes]), self._draws, self._seed)

    def mean(self, values: Floats) -> Estimate:
        """Return the mean over scenes, (scenes,); those that are NaN do not count."""
        return self.ratio(values, np.ones(values.shape))

    def ratio(self, above: Floats, below: Floats) -> Estimate:
        """Return the sum over scenes of one number over that of another; scenes where one is NaN do not count."""
        known = np.isfinite(above) & np.isfinite(below)
        both = np.stack([np.where(known, above, 0.0), np.where(known, below, 0.0)], axis=1)
        total = both.sum(axis=0)
        drawn = self._weights @ both
        with np.errstate(invalid="ignore", divide="ignore"):
            draws = drawn[:, 0] / drawn[:, 1]
        if self.count < FEWEST_GROUNDS:
            draws = np.full(draws.shape, np.nan)
        return estimate(float(total[0] / total[1]) if total[1] != 0.0 else None, draws)


def estimate(value: float | None, draws: Floats) -> Estimate:
    """Return a number with the interval of its draws."""
    return Estimate(value, None if value is None else interval(draws), draws)
