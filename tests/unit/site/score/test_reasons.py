"""Reasons in words: three different things, signs, units, unknown values, and clear refusals."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.settings import RulesSettings
from lunarsite.site.score.families import FAMILIES, context_features, directions, family_of
from lunarsite.site.score.population import FEATURES
from lunarsite.site.score.reasons import _WORDS, family_shares, reasons

RULES = RulesSettings()
NAMES = (*FEATURES, "buffered_slope_deg")
CELL = dict.fromkeys(NAMES, 1.0) | {
    "slope_mean": 2.14,
    "slope_max": 4.0,
    "buffered_slope_deg": 3.36,
    "avg_illumination_pct": 31.96,
    "illumination_min_pct": 20.0,
    "earth_visibility_pct": 71.0,
    "psr_fraction": 0.0,
}
NOTHING = dict.fromkeys(NAMES, 0.0)


def test_every_feature_has_one_family_and_every_family_words() -> None:
    listed = [feature for family in FAMILIES for feature in family.features]
    assert sorted(listed) == sorted(NAMES)
    assert set(_WORDS) == set(FAMILIES)


def test_directions_follow_the_rule() -> None:
    found = dict(zip(NAMES, directions(NAMES), strict=True))
    assert {name for name, way in found.items() if way == -1} == {
        *(f"slope_{statistic}" for statistic in ("mean", "std", "min", "max")),
        "buffered_slope_deg",
        "psr_fraction",
    }
    assert {name for name, way in found.items() if way == 1} == {
        "avg_illumination_pct",
        "illumination_min_pct",
        "earth_visibility_pct",
    }
    context = context_features(NAMES)
    assert all(found[name] == 0 for name in context)
    assert {"roughness_mean", "elevation_mean", "crater_count_5km"} <= set(context)
    with pytest.raises(KeyError, match=r"'gravity' belongs to no family"):
        family_of("gravity")


def test_statistics_of_one_thing_are_one_reason_with_its_number_and_the_limit() -> None:
    shap = NOTHING | {"slope_mean": 1.5, "slope_max": 0.4, "slope_min": -0.1, "earth_visibility_pct": 0.7}
    shap |= {"avg_illumination_pct": -2.0}
    found = reasons(CELL, shap, RULES.cassa)
    assert found == (
        [
            "slope 2.1° on average (the rule allows 5°), 4.0° at the steepest pixel: +1.80 log-odds",
            "Earth in view 71.0 % of the time (the rule asks for 50 %): +0.70 log-odds",
        ],
        ["sunlight 32.0 % of the time (the rule asks for 33 %), 20.0 % at the darkest pixel: -2.00 log-odds"],
    )


def test_a_rule_with_a_buffer_names_the_buffered_slope() -> None:
    shap = NOTHING | {"buffered_slope_deg": -1.0}
    assert "3.4° with the steepest ground within 100 m" in reasons(CELL, shap, RULES.hls)[1][0]
    unresolved = CELL | {"buffered_slope_deg": CELL["slope_mean"]}
    assert "within 100 m" not in reasons(unresolved, shap, RULES.hls)[1][0]


def test_unknown_values_read_as_unknown() -> None:
    cell = dict.fromkeys(NAMES, math.nan)
    shap = NOTHING | {family.features[0]: 1.0 + index for index, family in enumerate(FAMILIES)}
    told, against = reasons(cell, shap, RULES.cassa, most=99)
    assert len(told) == len(FAMILIES)
    assert against == []
    assert all("unknown" in sentence and "nan" not in sentence for sentence in told)
    half = CELL | {"crater_coverage_pct": math.nan, "crater_coverage_5km_pct": 12.0}
    shap = NOTHING | {"crater_count": -1.0}
    assert reasons(half, shap, RULES.cassa)[1] == ["craters on 12.0 % of the ground within 5 km: -1.00 log-odds"]


def test_a_cell_without_score_has_no_reasons() -> None:
    assert reasons(CELL, dict.fromkeys(NAMES, math.nan), RULES.cassa) == ([], [])


def test_what_does_not_fit_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"\['slope_mean'\] are NaN"):
        reasons(CELL, NOTHING | {"slope_mean": math.nan}, RULES.cassa)
    with pytest.raises(KeyError, match="roughness_mean"):
        reasons({k: v for k, v in CELL.items() if k != "roughness_mean"}, NOTHING, RULES.cassa)
    with pytest.raises(KeyError, match="shap_slope_mean"):
        reasons(CELL, {"shap_slope_mean": 1.0}, RULES.cassa)


@given(st.lists(st.floats(-9.0, 9.0), min_size=len(NAMES), max_size=len(NAMES)), st.integers(1, 9))
def test_they_are_the_largest_shares_by_sign_and_order(values: list[float], most: int) -> None:
    shap = dict(zip(NAMES, values, strict=True))
    shares = family_shares(shap)
    assert sum(shares.values()) == pytest.approx(sum(values), abs=1e-9)
    for sign, told in zip((1, -1), reasons(CELL, shap, RULES.cassa, most), strict=True):
        numbers = [float(sentence.rsplit(": ", 1)[1].split(" ")[0]) for sentence in told]
        expected = sorted((s for s in shares.values() if sign * s >= 0.005), key=lambda s: -abs(s))[:most]
        assert numbers == pytest.approx(expected, abs=0.0051)
