"""Hard rules for landing ground: which cells pass, fail or are unknown, and by how much.

A rule is the conjunction of three limits. A cell with a missing input is unknown, never unsuitable, even where a known
limit fails already: counts of unsuitable cells would otherwise depend on which data a run happens to have.

A run has the rules cassa and hls, and its own under names of their own (`site.rules.own`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunarsite.settings import RuleSettings

Target = str
"""A rule's name: cassa, hls or one of the run's own."""
Floats = NDArray[np.float64]

SLOPE_COLUMN: dict[Target, str] = {"cassa": "slope_mean", "hls": "buffered_slope_deg"}
"""The column that the slope limits of the two shipped rules read; that of another rule follows from its buffer."""
INPUTS = ("slope", "light", "earth")
"""What a rule reads, in the order of `rule_inputs`."""


def slope_column(target: Target, rule: RuleSettings | None = None) -> str:
    """Return the column that a rule's slope limit reads: the mean slope, or the one with the buffer.

    Without a buffer (0 m) the two columns hold the same values.

    Raises:
        ValueError: The rule is one of the run's own and its settings are not given.
    """
    if target in SLOPE_COLUMN:
        return SLOPE_COLUMN[target]
    if rule is None:
        raise ValueError(f"rule '{target}' is not one of {list(SLOPE_COLUMN)}: its inputs follow from its settings")
    return "buffered_slope_deg" if rule.slope_buffer_m > 0.0 else "slope_mean"


def rule_inputs(target: Target, rule: RuleSettings | None = None) -> tuple[str, str, str]:
    """Return the three columns that a rule reads: slope, light, Earth view.

    Raises:
        ValueError: The rule is one of the run's own and its settings are not given.
    """
    return slope_column(target, rule), "avg_illumination_pct", "earth_visibility_pct"


def limit_margins(columns: Mapping[str, NDArray[Any]], rule: RuleSettings, target: Target) -> Floats:
    """Return how far each cell is on the good side of each limit, (3, cells); NaN where the input is missing.

    Slope counts as a share of its limit, light and Earth view as a share of all time. 0, the rule's border, passes.
    """
    names = rule_inputs(target, rule)
    slope_deg, light_pct, earth_pct = (np.asarray(columns[name], dtype=np.float64) for name in names)
    return np.stack(
        [
            (rule.max_slope_deg - slope_deg) / rule.max_slope_deg,
            (light_pct - rule.min_illumination_pct) / 100.0,
            (earth_pct - rule.min_earth_visibility_pct) / 100.0,
        ]
    )


def labels(columns: Mapping[str, NDArray[Any]], rule: RuleSettings, target: Target) -> NDArray[np.object_]:
    """Return 'suitable', 'unsuitable' or 'unknown' for each cell."""
    margins = limit_margins(columns, rule, target)
    found = np.full(margins.shape[1], "suitable", dtype=object)
    found[(margins < 0.0).any(axis=0)] = "unsuitable"
    found[np.isnan(margins).any(axis=0)] = "unknown"
    return found


def missing_inputs(columns: Mapping[str, NDArray[Any]], rule: RuleSettings, target: Target) -> NDArray[np.object_]:
    """Return what each cell lacks of `INPUTS`, comma-separated; '' where every input is known."""
    absent = [np.isnan(np.asarray(columns[name], dtype=np.float64)) for name in rule_inputs(target, rule)]
    kinds = np.array([",".join(n for bit, n in enumerate(INPUTS) if code >> bit & 1) for code in range(8)], object)
    code = sum((lost.astype(np.int64) << bit for bit, lost in enumerate(absent)), np.zeros(absent[0].shape, np.int64))
    return np.asarray(kinds[code])


def rule_margin(columns: Mapping[str, NDArray[Any]], rule: RuleSettings, target: Target) -> Floats:
    """Return the smallest of the three margins: the plain rule as a graded score; NaN where an input is missing."""
    return np.asarray(limit_margins(columns, rule, target).min(axis=0))
