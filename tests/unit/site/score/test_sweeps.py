"""A soft score is soft: graded and monotone along each input; one of hard labels is a step, and that is seen."""

from __future__ import annotations

from collections.abc import Callable

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import xgboost
from numpy.typing import NDArray
from scipy.stats import norm

from lunarsite.artefact.record import Verdict
from lunarsite.settings import RulesSettings, ScorerSettings, UncertaintySettings
from lunarsite.site.score.limits import STEPS
from lunarsite.site.score.population import Population, population
from lunarsite.site.score.scorer import margins, probabilities, train
from lunarsite.site.score.scorer_record import Findings, scorer_record
from lunarsite.site.score.sweeps import MOST_CELLS, Sweep, sweep_table, sweeps

CASSA = RulesSettings().cassa
Floats = NDArray[np.float32]
Predict = Callable[[pd.DataFrame], Floats]


@pytest.fixture
def people(cells: gpd.GeoDataFrame, labelled: pd.DataFrame) -> Population:
    return population(cells, labelled, "cassa", CASSA)


def verdicts(found: list[Sweep]) -> dict[str, Verdict]:
    in_sample: dict[str, float | None] = {"auc": 0.9, "brier_probability": 0.1}
    findings = Findings({"suitable": 1, "unsuitable": 1}, 0.5, in_sample, {}, {}, 0.0, found, found)
    return {verdict.name: verdict for verdict in scorer_record(findings, (), ScorerSettings()).verdicts}


def exact(features: pd.DataFrame) -> Floats:
    """The probability itself, for sigmas of half a degree, 2.9 % and 5 %."""
    return np.asarray(
        norm.cdf((5.0 - features["slope_mean"]) / 0.5)
        * norm.cdf((features["avg_illumination_pct"] - 33.0) / 2.9)
        * norm.cdf((features["earth_visibility_pct"] - 50.0) / 5.0),
        dtype=np.float32,
    )


def step(features: pd.DataFrame) -> Floats:
    passes = (features["slope_mean"] <= 5.0) & (features["avg_illumination_pct"] >= 33.0)
    return (passes & (features["earth_visibility_pct"] >= 50.0)).to_numpy(np.float32)


def trees(people: Population, target: NDArray[np.generic], monotone: bool) -> Predict:
    many = ScorerSettings(trees=120, learning_rate=0.1)
    return forecasts(train(people.features, np.asarray(target), many, monotone))


def forecasts(booster: xgboost.Booster) -> Predict:
    return lambda features: probabilities(margins(booster, features))


def test_the_probability_itself_is_soft(people: Population) -> None:
    found = sweeps(people, CASSA, "cassa", exact, 0)
    assert [sweep.name for sweep in found] == ["slope", "light", "earth"]
    assert all(verdict.holds for verdict in verdicts(found).values())
    slope = found[0]
    assert (slope.value[0], slope.value[-1], slope.value.size) == (2.5, 7.5, STEPS)
    assert slope.median[0] > 0.8
    assert slope.median[-1] < 0.01
    assert slope.largest_change() == pytest.approx(slope.step * norm.pdf(0.0) / 0.5, rel=0.25)
    assert (slope.largest_change_of_cells(0.0) or 0.0) <= (slope.largest_change_of_cells(0.9) or 0.0)
    for sweep, sigma in zip(found, (0.5, 2.9, 5.0), strict=True):
        most = 2.0 * norm.cdf(0.5 * sweep.step / sigma) - 1.0
        assert sweep.largest_change_of_cells(0.9) <= most + 1e-4
        assert sweep.learned_change is None or sweep.learned_change == pytest.approx(most, rel=0.05)
    assert slope.learned_change is not None


def test_a_rule_is_monotone_but_a_step(people: Population) -> None:
    for name, verdict in verdicts(sweeps(people, CASSA, "cassa", step, 0)).items():
        assert verdict.holds == ("gradually" not in name)
        assert verdict.value == (1.0 if "gradually" in name else 0.0)


def test_trees_of_probabilities_are_soft_and_trees_of_labels_are_not(people: Population) -> None:
    soft = verdicts(sweeps(people, CASSA, "cassa", trees(people, people.probability, monotone=True), 0))
    assert all(verdict.holds for verdict in soft.values()), soft
    hard = verdicts(sweeps(people, CASSA, "cassa", trees(people, people.suitable, monotone=False), 0))
    gradual = [verdict for name, verdict in hard.items() if "gradually" in name]
    assert not any(verdict.holds for verdict in gradual), gradual
    assert min(verdict.value or 0.0 for verdict in gradual) > 0.4


def test_a_score_that_turns_back_is_seen(people: Population) -> None:
    def wavy(features: pd.DataFrame) -> Floats:
        return np.asarray(0.5 + 0.3 * np.sin(features["avg_illumination_pct"]), dtype=np.float32)

    found = verdicts(sweeps(people, CASSA, "cassa", wavy, 0))
    assert found["The score never falls as sunlight alone grows"].holds is False
    assert found["The score never rises as slope alone grows"].holds is True


def test_statistics_of_one_input_move_together_and_stay_possible(people: Population) -> None:
    seen: list[pd.DataFrame] = []

    def watch(features: pd.DataFrame) -> Floats:
        seen.append(features)
        return np.zeros(len(features), dtype=np.float32)

    found = sweeps(people, CASSA, "cassa", watch, 0)
    assert len(seen) == 3 * STEPS
    start = people.features.loc[seen[0].index]
    offset = seen[0]["slope_mean"] - start["slope_mean"]
    assert np.allclose(seen[0]["slope_mean"], found[0].value[0])
    np.testing.assert_allclose(seen[0]["slope_max"], (start["slope_max"] + offset).clip(0.0, 90.0), atol=1e-4)
    assert seen[0]["slope_std"].equals(start["slope_std"])
    light = seen[STEPS]
    assert light["illumination_min_pct"].between(0.0, 100.0).all()
    assert light["slope_mean"].equals(people.features.loc[light.index, "slope_mean"])
    # Cells of a sweep keep the other two limits.
    assert (light["slope_mean"] <= 5.0).all()
    assert (light["earth_visibility_pct"] >= 50.0).all()


def test_many_cells_are_drawn_from_and_none_is_told(people: Population, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lunarsite.site.score.sweeps.MOST_CELLS", 7)
    found = sweeps(people, CASSA, "cassa", exact, 0)
    assert {sweep.probability.shape[1] for sweep in found} == {7} != {MOST_CELLS}
    other = sweeps(people, CASSA, "cassa", exact, 1)
    assert not np.array_equal(found[0].probability, other[0].probability)
    far = CASSA.model_copy(update={"max_slope_deg": 0.001})
    empty = sweeps(people, far, "cassa", exact, 0)
    assert {sweep.probability.shape[1] for sweep in empty} == {0}
    assert all(verdict.holds is None and "unknown" in verdict.why for verdict in verdicts(empty).values())
    assert sweep_table(empty).empty


def test_the_table_has_quantiles_in_order(people: Population) -> None:
    frame = sweep_table(sweeps(people, CASSA, "cassa", exact, 0))
    assert frame.groupby("input").size().to_dict() == {"slope": STEPS, "light": STEPS, "earth": STEPS}
    assert (frame["probability_low"] <= frame["probability_median"]).all()
    assert (frame["probability_median"] <= frame["probability_high"]).all()
    assert set(frame["limit"]) == {5.0, 33.0, 50.0}


def people_who_see_the_earth_never_or_always(few: float) -> Population:
    """Return cells with the default errors of light and Earth view of which but a few see the Earth at times."""
    draws, count, errors = np.random.default_rng(8), 30_000, UncertaintySettings()
    ends_pct = draws.choice([0.0, 98.0], count) + draws.uniform(0.0, 2.0, count)
    inputs = pd.DataFrame(
        {
            "slope_mean": draws.uniform(0.0, 8.0, count),
            "avg_illumination_pct": draws.uniform(10.0, 90.0, count),
            "earth_visibility_pct": np.where(draws.random(count) < few, draws.uniform(0.0, 100.0, count), ends_pct),
        }
    ).astype(np.float32)
    probability = np.asarray(
        norm.cdf((CASSA.max_slope_deg - inputs["slope_mean"]) / 0.3)
        * norm.cdf((inputs["avg_illumination_pct"] - CASSA.min_illumination_pct) / errors.light_sigma_pct)
        * norm.cdf((inputs["earth_visibility_pct"] - CASSA.min_earth_visibility_pct) / errors.earth_sigma_pct),
        dtype=np.float32,
    )
    return Population(np.ones(count, dtype=np.bool_), probability, probability > 0.5, inputs, inputs, (), 0)


def test_bins_of_the_default_are_fine_enough_where_most_cells_see_the_earth_never_or_always(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lunarsite.site.score.sweeps.MOST_CELLS", 200)
    crowd = people_who_see_the_earth_never_or_always(few=0.25)
    name = "The score changes gradually across the limit of Earth view"
    changed = {}
    for settings in (ScorerSettings(), ScorerSettings(max_bin=256)):
        quick = settings.model_copy(update={"trees": 150, "learning_rate": 0.1})
        booster = train(crowd.features, crowd.probability, quick)
        found = sweeps(crowd, CASSA, "cassa", forecasts(booster), 0)
        verdict = verdicts(found)[name]
        changed[settings.max_bin] = verdict.holds, verdict.value
        assert found[2].learned_change == pytest.approx(0.0712, rel=0.05)  # sigma 2.8 %, steps of 0.5 %
        assert f"{found[2].learned_change:.2f} for the probability it learns" in verdict.why
    assert changed[ScorerSettings().max_bin][0] is True, changed
    assert changed[256][0] is False, changed
