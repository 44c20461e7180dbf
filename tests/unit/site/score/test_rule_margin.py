"""The plain rule as a graded score."""

from __future__ import annotations

import numpy as np
import pytest

from lunarsite.settings import RuleSettings
from lunarsite.site.rules import rule_margin

RULE = RuleSettings(max_slope_deg=5.0, min_illumination_pct=33.0, min_earth_visibility_pct=50.0)


def margin_of(slope: np.ndarray, light: np.ndarray, earth: np.ndarray) -> np.ndarray:
    columns = {"slope_mean": slope, "avg_illumination_pct": light, "earth_visibility_pct": earth}
    return rule_margin(columns, RULE, "cassa")


@pytest.mark.parametrize(
    ("slope", "light", "earth", "margin"),
    [
        (5.0, 60.0, 90.0, 0.0),
        (0.0, 33.0, 90.0, 0.0),
        (0.0, 60.0, 50.0, 0.0),
        (2.5, 83.0, 100.0, 0.5),
        (2.5, 53.0, 100.0, 0.2),
        (10.0, 83.0, 100.0, -1.0),
        (0.0, 23.0, 100.0, -0.1),
    ],
)
def test_the_margin_is_the_worst_of_three(slope: float, light: float, earth: float, margin: float) -> None:
    found = margin_of(np.array([slope]), np.array([light]), np.array([earth]))
    assert found[0] == pytest.approx(margin)


def test_the_margin_is_positive_just_where_the_rule_passes() -> None:
    generator = np.random.default_rng(0)
    slope, light, earth = generator.uniform([[0.0], [0.0], [0.0]], [[20.0], [100.0], [100.0]], (3, 5000))
    passes = (slope <= 5.0) & (light >= 33.0) & (earth >= 50.0)
    assert ((margin_of(slope, light, earth) >= 0.0) == passes).all()
