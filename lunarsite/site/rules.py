"""Hard rules for landing ground: which cells pass, fail or are unknown, and by how much.

A rule is the conjunction of three limits. A cell with a missing input is unknown, never unsuitable, even where a known
limit fails already: counts of unsuitable cells would otherwise depend on which data a run happens to have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lunarsite.settings import RuleSettings

Target = Literal["cassa", "hls"]
Floats = NDArray[np.float64]

SLOPE_COLUMN: dict[Target, str] = {"cassa": "slope_mean", "hls": "buffered_slope_deg"}
"""The column that each rule's slope limit reads."""


def rule_inputs(target: Target) -> tuple[str, str, str]:
    """Return the three columns that a rule reads: slope, light, Earth view."""
    return SLOPE_COLUMN[target], "avg_illumination_pct", "earth_visibility_pct"


def limit_margins(columns: Mapping[str, NDArray[Any]], rule: RuleSettings, target: Target) -> Floats:
    """Return how far each cell is on the good side of each limit, (3, cells); NaN where the input is missing.

    Slope counts as a share of its limit, light and Earth view as a share of all time. 0, the rule's border, passes.
    """
    slope_deg, light_pct, earth_pct = (np.asarray(columns[name], dtype=np.float64) for name in rule_inputs(target))
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


def rule_margin(columns: Mapping[str, NDArray[Any]], rule: RuleSettings, target: Target) -> Floats:
    """Return the smallest of the three margins: the plain rule as a graded score; NaN where an input is missing."""
    return np.asarray(limit_margins(columns, rule, target).min(axis=0))
