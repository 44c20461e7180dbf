"""Is the score soft? Cells near a limit of the rule, moved across it by one input alone.

A scorer of hard labels is a step: two cells a tenth of a degree apart on both sides of a limit get probabilities near 1
and 0, although no elevation model tells them apart. A soft one changes little by little and never the wrong way.

How gradual it can be is set by what it learns: the Monte Carlo probability of a cell that clears the other two limits
is the distribution function of one input's error, as steep as that error is small. That is measured as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from lunarsite.settings import RuleSettings
from lunarsite.site.score.families import LIGHT, SLOPE
from lunarsite.site.score.limits import STEPS, Limit, limits, near_limits
from lunarsite.site.score.population import Population

Floats = NDArray[np.float32]

MOST_CELLS = 1_000
"""Cells that are swept, drawn at random from those near the limit."""
QUANTILES = (10.0, 50.0, 90.0)
_CLEAR = 0.75
"""How far a cell clears a limit that does not decide about it, as a share of the sweep's reach."""
_GRADED = (0.1, 0.9)
"""Monte Carlo probabilities that tell how steep they are; nearer to 0 or 1 noise and the other limits count."""
_LEAST_GRADED = 30
"""Cells with such a probability that it takes to measure the steepness."""


@dataclass(frozen=True)
class Sweep:
    """Probabilities of cells as one input of the rule takes one value after another.

    Attributes:
        name: slope, light or earth.
        limit: The rule's limit, in the input's unit.
        unit: deg or %.
        direction: -1 where more of it must not raise the score, 1 where it must not lower it.
        value: (steps,), ascending, in the input's unit.
        probability: (steps, cells).
        learned_change: Largest change in a step of what is learned, the Monte Carlo probability of cells that clear
            the other two limits; None where too few cells tell it.
    """

    name: str
    limit: float
    unit: str
    direction: int
    value: NDArray[np.float64]
    probability: Floats
    learned_change: float | None = None

    @property
    def step(self) -> float:
        """How far neighbouring values are apart."""
        return float(self.value[1] - self.value[0])

    @property
    def median(self) -> Floats:
        """Median of the cells' probabilities, (steps,)."""
        return np.asarray(np.median(self.probability, axis=1), dtype=np.float32)

    def largest_change(self) -> float | None:
        """Return the largest change of the median between neighbouring values; None if there is no cell."""
        return float(np.abs(np.diff(self.median)).max()) if self.probability.shape[1] else None

    def largest_change_of_cells(self, share: float) -> float | None:
        """Return what that share of the cells does not exceed with its own largest change; None if there is no cell."""
        if not self.probability.shape[1]:
            return None
        return float(np.quantile(np.abs(np.diff(self.probability, axis=0)).max(axis=0), share))

    def largest_step_back(self) -> float | None:
        """Return the largest change of any cell in the wrong direction, 0 if there is none; None without a cell."""
        if not self.probability.shape[1]:
            return None
        return float(np.maximum(-self.direction * np.diff(self.probability.astype(np.float64), axis=0), 0.0).max())


def sweeps(
    people: Population, rule: RuleSettings, target: str, predict: Callable[[pd.DataFrame], Floats], seed: int
) -> list[Sweep]:
    """Move cells across each limit of a rule and return what becomes of their probabilities.

    A cell takes part in the sweep of an input if it lies within the sweep's range and keeps the other two limits.
    Statistics of one input move together: least, mean and largest slope by the same offset, within what is possible.

    Args:
        people: The cells.
        rule: The rule's limits.
        target: Its name.
        predict: From features to probabilities, (cells,).
        seed: Of the draw of cells.
    """
    found = []
    places = limits(rule, target)
    near = near_limits(people.columns, rule, target)
    clears = np.stack([_clears(people, limit) for limit in places])
    draws = np.random.default_rng(seed)
    for index, limit in enumerate(places):
        value = limit.values()
        at = people.inputs[limit.column].to_numpy(np.float64)
        rows = np.flatnonzero(near[index])
        if rows.size > MOST_CELLS:
            rows = np.sort(draws.choice(rows, MOST_CELLS, replace=False))
        probability = np.empty((STEPS, rows.size), dtype=np.float32)
        if rows.size:
            features = people.features.iloc[rows]
            for step, to in enumerate(value):
                probability[step] = predict(_moved(features, limit, to - at[rows]))
        alone = np.delete(clears, index, axis=0).all(axis=0)
        learned = _learned_change(at[alone], people.probability[alone], float(value[1] - value[0]))
        found.append(Sweep(limit.name, limit.limit, limit.unit, limit.direction, value, probability, learned))
    return found


def _moving_together(limit: Limit, features: Sequence[str]) -> list[str]:
    """Return the features that are statistics of a limit's input."""
    # The spread of slopes within a cell stays as it is when all of them move.
    together = {"slope": set(SLOPE.features) - {"slope_std"}, "light": set(LIGHT.features)}
    return [name for name in features if name in together.get(limit.name, {limit.column})]


def _clears(people: Population, limit: Limit) -> NDArray[np.bool_]:
    """Return which cells are on the good side of a limit by a share of what its sweep reaches, or as is possible."""
    at = people.inputs[limit.column].to_numpy(np.float64)
    if limit.direction < 0:
        return np.asarray(at <= limit.limit - _CLEAR * limit.reach)
    return np.asarray(at >= min(limit.top, limit.limit + _CLEAR * limit.reach))


def _learned_change(value: NDArray[np.float64], probability: Floats, step: float) -> float | None:
    """Return how much a probability changes over a step about its middle, from cells on which one input alone decides.

    Errors are Gaussian or nearly so: the probit of the probability is a line in the input, whose slope is fitted.

    Args:
        value: The input, (cells,).
        probability: The Monte Carlo probability, (cells,).
        step: In the input's unit.
    """
    graded = (probability > _GRADED[0]) & (probability < _GRADED[1])
    if graded.sum() < _LEAST_GRADED or np.ptp(value[graded]) == 0.0:
        return None
    slope = float(np.polynomial.Polynomial.fit(value[graded], ndtri(probability[graded]), 1).convert().coef[-1])
    return float(2.0 * ndtr(0.5 * step * abs(slope)) - 1.0)


def _moved(features: pd.DataFrame, limit: Limit, offset: NDArray[np.float64]) -> pd.DataFrame:
    moved = features.copy()
    for name in _moving_together(limit, list(features.columns)):
        moved[name] = np.clip(features[name].to_numpy(np.float64) + offset, 0.0, limit.top).astype(np.float32)
    return moved


def sweep_table(found: Sequence[Sweep]) -> pd.DataFrame:
    """Return the table of sweeps; inputs without a cell to sweep have no rows."""
    parts = []
    for sweep in found:
        if not sweep.probability.shape[1]:
            continue
        low, median, high = np.percentile(sweep.probability, QUANTILES, axis=1).astype(np.float32)
        part = pd.DataFrame({"input": sweep.name, "limit": sweep.limit, "value": sweep.value})
        parts.append(
            part.assign(
                probability_low=low, probability_median=median, probability_high=high, cells=sweep.probability.shape[1]
            )
        )
    columns = ["input", "limit", "value", "probability_low", "probability_median", "probability_high", "cells"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({name: [] for name in columns})
