"""Rules: limits, unknown inputs, margins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.settings import RuleSettings, RulesSettings, SettingsError
from lunarsite.site.cells import check_rules
from lunarsite.site.rules import labels, rule_inputs, rule_margin

RULE = RuleSettings(max_slope_deg=5.0, min_illumination_pct=33.0, min_earth_visibility_pct=50.0)
NAN = float("nan")


@pytest.mark.parametrize(
    ("slope", "light", "earth", "label"),
    [
        (2.0, 60.0, 80.0, "suitable"),
        (5.0, 33.0, 50.0, "suitable"),
        (5.1, 60.0, 80.0, "unsuitable"),
        (2.0, 32.9, 80.0, "unsuitable"),
        (2.0, 60.0, 49.9, "unsuitable"),
        (2.0, NAN, 80.0, "unknown"),
        (2.0, NAN, NAN, "unknown"),
        (NAN, 60.0, 80.0, "unknown"),
        (NAN, NAN, NAN, "unknown"),
        (9.0, NAN, NAN, "unknown"),
        (NAN, 10.0, 80.0, "unknown"),
    ],
)
def test_labels(slope: float, light: float, earth: float, label: str) -> None:
    for target in ("cassa", "hls"):
        columns = dict(zip(rule_inputs(target), np.array([[slope], [light], [earth]]), strict=True))
        assert labels(columns, RULE, target).tolist() == [label]


@given(st.tuples(st.floats(0, 60), st.floats(0, 100), st.floats(0, 100)))
def test_the_margin_agrees_with_the_label(inputs: tuple[float, float, float]) -> None:
    columns = dict(zip(rule_inputs("cassa"), np.array(inputs)[:, None], strict=True))
    assert (rule_margin(columns, RULE, "cassa")[0] >= 0.0) == (labels(columns, RULE, "cassa")[0] == "suitable")


def test_an_unknown_input_leaves_no_margin() -> None:
    columns = dict(zip(rule_inputs("cassa"), np.array([[9.0], [NAN], [80.0]]), strict=True))
    assert np.isnan(rule_margin(columns, RULE, "cassa")[0])


def test_a_buffer_on_the_rule_of_the_mean_slope_is_refused() -> None:
    buffered = RULE.model_copy(update={"slope_buffer_m": 50.0})
    with pytest.raises(SettingsError, match=r"site\.rules\.cassa\.slope_buffer_m"):
        check_rules(RulesSettings(cassa=buffered))
    check_rules(RulesSettings(hls=buffered))
