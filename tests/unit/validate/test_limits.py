"""Which limit fails on a piece of ground."""

from __future__ import annotations

import numpy as np
import pytest

from lunarsite.settings import RuleSettings
from lunarsite.validate.limits import failing, reason

RULE = RuleSettings(max_slope_deg=5.0, min_illumination_pct=33.0, min_earth_visibility_pct=50.0)
EVERY = np.ones(4, dtype=bool)


def test_shares_are_of_known_area() -> None:
    margins = np.array([[-1.0, -1.0, 0.5, 0.0], [0.1, -0.1, 0.1, 0.2], [0.1, 0.1, np.nan, 0.1]])
    found = failing(margins, np.array([1.0, 2.0, 50.0, 1.0]), EVERY)
    assert found is not None
    assert (found.slope, found.light, found.earth, found.passing) == (0.75, 0.5, 0.0, 0.25)
    assert found.row()["too_dark_share"] == 0.5


def test_the_limits_that_fail_on_most_of_it_are_named_worst_first() -> None:
    dark_and_steep = np.array([[-1.0, -1.0, -1.0, 1.0], [-0.1, -0.1, -0.1, -0.1], [0.1] * 4])
    said = reason(failing(dark_and_steep, np.ones(4), EVERY), RULE)
    assert said == "100 % of it has less sunlight than 33 % and 75 % of it is steeper than 5 degrees"


def test_where_no_limit_fails_on_most_all_are_told() -> None:
    mixed = np.array([[-1.0, 1.0, 1.0, 1.0], [0.1, -0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.1]])
    said = reason(failing(mixed, np.ones(4), EVERY), RULE)
    assert said.startswith("no limit fails on most of it (25 % is steeper")
    assert said.endswith("50 % passes all three)")


@pytest.mark.parametrize("held", [np.zeros(4, dtype=bool), EVERY])
def test_unknown_ground_has_no_shares(held: np.ndarray) -> None:
    assert failing(np.full((3, 4), np.nan), np.ones(4), held) is None
    assert reason(None, RULE) == "none of it is known"
