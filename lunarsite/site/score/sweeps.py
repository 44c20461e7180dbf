"""Is the score soft? Cells near a limit of the rule, moved across it by one input alone.

A scorer of hard labels is a step: two cells a tenth of a degree apart on both sides of a limit get probabilities near 1
and 0, although no elevation model tells them apart. A soft one changes little by little and never the wrong way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.settings import RuleSettings
from lunarsite.site.rules import limit_margins, rule_inputs
from lunarsite.site.score.families import LIGHT, SLOPE
from lunarsite.site.score.population import Population

Floats = NDArray[np.float32]

STEPS = 61
MOST_CELLS = 1_000
"""Cells that are swept, drawn at random from those near the limit."""
QUANTILES = (10.0, 50.0, 90.0)
_SLOPE_REACH = 0.5
"""How far a sweep of the slope reaches on both sides, as a share of its limit."""
_PERCENT_REACH = 15.0
"""The same for light and Earth view, percent of time."""


@dataclass(frozen=True)
class Sweep:
    """Probabilities of cells as one input of the rule takes one value after another.

    Attributes:
        name: slope, light or earth.
        limit: The rule's limit, in the input's unit.
        unit: deg or %.
        direction: -1 where more of it can only be worse, 1 where it can only be better.
        value: (steps,), ascending, in the input's unit.
        probability: (steps, cells).
    """

    name: str
    limit: float
    unit: str
    direction: int
    value: NDArray[np.float64]
    probability: Floats

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
    keeps = limit_margins(people.columns, rule, target) >= 0.0
    draws = np.random.default_rng(seed)
    found = []
    for index, plan in enumerate(_plans(people, rule, target)):
        value = np.linspace(max(0.0, plan.limit - plan.reach), min(plan.top, plan.limit + plan.reach), STEPS)
        at = people.inputs[plan.column].to_numpy(np.float64)
        near = (at >= value[0]) & (at <= value[-1]) & np.delete(keeps, index, axis=0).all(axis=0)
        rows = np.flatnonzero(near)
        if rows.size > MOST_CELLS:
            rows = np.sort(draws.choice(rows, MOST_CELLS, replace=False))
        probability = np.empty((STEPS, rows.size), dtype=np.float32)
        if rows.size:
            features = people.features.iloc[rows]
            for step, to in enumerate(value):
                probability[step] = predict(_moved(features, plan, to - at[rows]))
        found.append(Sweep(plan.name, plan.limit, plan.unit, plan.direction, value, probability))
    return found


@dataclass(frozen=True)
class _Plan:
    name: str
    column: str
    limit: float
    unit: str
    direction: int
    reach: float
    top: float
    together: Sequence[str]


def _plans(people: Population, rule: RuleSettings, target: str) -> tuple[_Plan, _Plan, _Plan]:
    slope, light, earth = rule_inputs(target, rule)
    # The spread of slopes within a cell stays as it is when all of them move.
    slopes = [name for name in people.names if name in SLOPE.features and name != "slope_std"]
    lights = [name for name in people.names if name in LIGHT.features]
    limits = rule.max_slope_deg, rule.min_illumination_pct, rule.min_earth_visibility_pct
    return (
        _Plan("slope", slope, limits[0], "deg", -1, _SLOPE_REACH * limits[0], 90.0, slopes),
        _Plan("light", light, limits[1], "%", 1, _PERCENT_REACH, 100.0, lights),
        _Plan("earth", earth, limits[2], "%", 1, _PERCENT_REACH, 100.0, [earth]),
    )


def _moved(features: pd.DataFrame, plan: _Plan, offset: NDArray[np.float64]) -> pd.DataFrame:
    moved = features.copy()
    for name in plan.together:
        moved[name] = np.clip(features[name].to_numpy(np.float64) + offset, 0.0, plan.top).astype(np.float32)
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
