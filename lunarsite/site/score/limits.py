"""The limits of a rule: how far about each of them the score is looked at, and what the cells there weigh in training.

Few cells lie near a limit, and fewer still that keep the other two. Left to their number, trees make one step where a
gap among them lies and the score turns from bad to good there at once. So the cells near each limit together weigh a
set share of all cells, and evenly along the input. The weights depend only on what the trees see: they change which
errors matter most, and not what is expected of a cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunarsite.settings import RuleSettings
from lunarsite.site.rules import INPUTS, limit_margins, rule_inputs

Floats = NDArray[np.float32]

STEPS = 61
"""Values of an input, evenly about its limit, at which the score is looked at."""
_SLOPE_REACH = 0.5
"""How far that reaches on both sides of the slope's limit, as a share of it."""
_PERCENT_REACH = 15.0
"""The same for light and Earth view, percent of time."""
_MOST_WEIGHT = 50.0
"""No cell counts as more than so many: a single one in a wide gap would be learned by heart."""


@dataclass(frozen=True)
class Limit:
    """A limit of a rule.

    Attributes:
        name: slope, light or earth.
        column: The column that it is about.
        limit: In the column's unit.
        unit: deg or %.
        direction: -1 where more of it must not raise the score, 1 where it must not lower it.
        reach: How far about it the score is looked at, on both sides, in the column's unit.
        top: Largest value that is possible.
    """

    name: str
    column: str
    limit: float
    unit: str
    direction: int
    reach: float
    top: float

    def values(self) -> NDArray[np.float64]:
        """Return the values about the limit, (STEPS,), ascending."""
        return np.linspace(max(0.0, self.limit - self.reach), min(self.top, self.limit + self.reach), STEPS)


def limits(rule: RuleSettings, target: str) -> tuple[Limit, Limit, Limit]:
    """Return the three limits of a rule: slope, light, Earth view."""
    slope, light, earth = rule_inputs(target, rule)
    at = rule.max_slope_deg, rule.min_illumination_pct, rule.min_earth_visibility_pct
    return (
        Limit(INPUTS[0], slope, at[0], "deg", -1, _SLOPE_REACH * at[0], 90.0),
        Limit(INPUTS[1], light, at[1], "%", 1, _PERCENT_REACH, 100.0),
        Limit(INPUTS[2], earth, at[2], "%", 1, _PERCENT_REACH, 100.0),
    )


def near_limits(columns: Mapping[str, NDArray[Any]], rule: RuleSettings, target: str) -> NDArray[np.bool_]:
    """Return which cells are near each limit and keep the other two, (3, cells).

    Args:
        columns: The rule's inputs by name, (cells,) each, without unknown ones.
        rule: The rule's limits.
        target: Its name.
    """
    keeps = limit_margins(columns, rule, target) >= 0.0
    near = np.empty_like(keeps)
    for index, limit in enumerate(limits(rule, target)):
        value, ends = columns[limit.column], limit.values()[[0, -1]]
        near[index] = (value >= ends[0]) & (value <= ends[1]) & np.delete(keeps, index, axis=0).all(axis=0)
    return near


def limit_weights(columns: Mapping[str, NDArray[Any]], rule: RuleSettings, target: str, share: float) -> Floats:
    """Return what each cell weighs in training, 1 or more, (cells,).

    Args:
        columns: The rule's inputs by name, (cells,) each, without unknown ones.
        rule: The rule's limits.
        target: Its name.
        share: What the cells near a limit weigh together, as a share of the number of all cells, spread evenly over
            the values about the limit; less where no cell lies, or so few that each would weigh too much. Cells that
            weigh more by their number alone keep weight 1. 0 makes all weights 1.
    """
    near = near_limits(columns, rule, target)
    weight = np.ones(near.shape[1], dtype=np.float32)
    each = share * near.shape[1] / (STEPS - 1)
    for index, limit in enumerate(limits(rule, target)):
        edges = limit.values()
        step = np.clip(np.searchsorted(edges, columns[limit.column][near[index]], side="right") - 1, 0, STEPS - 2)
        count = np.bincount(step, minlength=STEPS - 1)[step]
        weight[near[index]] = np.maximum(weight[near[index]], np.minimum(each / count, _MOST_WEIGHT))
    return weight
