"""Rules: limits, unknown inputs, margins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.settings import RuleSettings, RulesSettings, SettingsError
from lunarsite.site.cells import check_rules
from lunarsite.site.rules import labels, missing_inputs, rule_inputs, rule_margin

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


OWN = RuleSettings(max_slope_deg=10.0, min_illumination_pct=20.0, min_earth_visibility_pct=0.0)


@pytest.mark.parametrize(("buffer_m", "slope"), [(0.0, "slope_mean"), (100.0, "buffered_slope_deg")])
def test_a_rule_of_the_runs_own_reads_the_slope_of_its_buffer(buffer_m: float, slope: str) -> None:
    rule = OWN.model_copy(update={"slope_buffer_m": buffer_m})
    assert rule_inputs("gentle", rule)[0] == slope
    columns = {"slope_mean": np.array([9.0]), "buffered_slope_deg": np.array([11.0])}
    columns |= {"avg_illumination_pct": np.array([20.0]), "earth_visibility_pct": np.array([0.0])}
    assert labels(columns, rule, "gentle").tolist() == ["unsuitable" if buffer_m else "suitable"]


def test_the_inputs_of_an_own_rule_are_not_guessed() -> None:
    with pytest.raises(ValueError, match="'gentle' is not one of"):
        rule_inputs("gentle")
    assert rule_inputs("cassa") == rule_inputs("cassa", RULE)


def test_what_is_missing_is_named() -> None:
    values = np.array([[2.0, NAN, NAN, 9.0], [60.0, 60.0, NAN, NAN], [80.0, 80.0, NAN, 80.0]])
    columns = dict(zip(rule_inputs("hls"), values, strict=True))
    found = missing_inputs(columns, RULE, "hls")
    assert found.tolist() == ["", "slope", "slope,light,earth", "light"]
    assert ((found == "") == (labels(columns, RULE, "hls") != "unknown")).all()
