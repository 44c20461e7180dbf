"""Which of a rule's limits fails on a piece of ground, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunarsite.settings import RuleSettings

Floats = NDArray[np.float64]

MOST = 0.5
"""A limit that fails on more than this share of the known area is named as the reason."""


@dataclass(frozen=True)
class Failing:
    """Shares of a piece of ground's known area. Limits may fail together, so shares need not add up to one."""

    slope: float
    light: float
    earth: float
    passing: float

    def row(self) -> dict[str, float]:
        """Return the shares as columns of a table."""
        return {
            "too_steep_share": self.slope,
            "too_dark_share": self.light,
            "no_earth_share": self.earth,
            "passing_share": self.passing,
        }


def failing(margins: Floats, area_m2: Floats, held: NDArray[np.bool_]) -> Failing | None:
    """Return where the limits fail on the held cells; None where none of them is known.

    Args:
        margins: Margins of slope, light and Earth view as `site.rules` gives them, (3, cells); NaN = unknown.
        area_m2: True area of each cell, (cells,).
        held: The cells of the ground, (cells,).
    """
    known = held & np.isfinite(margins).all(axis=0)
    total = float(area_m2[known].sum())
    if total == 0.0:
        return None
    fails = margins[:, known] < 0.0
    shares = [float(area_m2[known][one].sum()) / total for one in (*fails, ~fails.any(axis=0))]
    return Failing(*shares)


def reason(found: Failing | None, rule: RuleSettings) -> str:
    """Return in words which limits fail on most of the ground; a sentence's part without its full stop."""
    if found is None:
        return "none of it is known"
    limits = (
        (found.slope, f"is steeper than {rule.max_slope_deg:g} degrees"),
        (found.light, f"has less sunlight than {rule.min_illumination_pct:g} %"),
        (found.earth, f"sees the Earth less than {rule.min_earth_visibility_pct:g} % of the time"),
    )
    most = [f"{100 * share:.0f} % of it {words}" for share, words in sorted(limits, reverse=True) if share > MOST]
    if most:
        return " and ".join(most)
    each = ", ".join(f"{100 * share:.0f} % {words}" for share, words in limits)
    return f"no limit fails on most of it ({each}; {100 * found.passing:.0f} % passes all three)"
