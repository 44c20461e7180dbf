"""The scorer: who is learned from, scores and ranks, what is refused, and honest agreement."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest

from lunarsite.artefact.contracts import REFERENCE_COLUMNS
from lunarsite.publish import story
from lunarsite.settings import RulesSettings, ScorerSettings
from lunarsite.site.agreement import Agreement, agreement, cross_validated, shared_share, spatial_folds
from lunarsite.site.craters import CRATER_COLUMNS, NEAR_COLUMNS
from lunarsite.site.scorer import (
    FEATURES,
    REFERENCE_FEATURES,
    ScorerError,
    context_features,
    margins,
    population,
    ranks,
    shap_values,
    train,
)
from lunarsite.site.scorer_record import scorer_record
from lunarsite.site.scoring import score_cells

RULES = RulesSettings()


def without_light(cells: gpd.GeoDataFrame, count: int) -> gpd.GeoDataFrame:
    cells.loc[: count - 1, ["avg_illumination_pct", "illumination_min_pct"]] = np.nan
    cells.loc[: count - 1, ["label_cassa", "label_hls"]] = "unknown"
    return cells


def test_features_are_the_reference_columns_without_place_and_the_craters_near() -> None:
    assert len(REFERENCE_COLUMNS) == 29
    assert len(REFERENCE_FEATURES) == 24
    assert REFERENCE_FEATURES[0] == "elevation_mean"
    assert REFERENCE_FEATURES[-1] == "earth_visibility_pct"
    assert (*REFERENCE_FEATURES, *NEAR_COLUMNS) == FEATURES
    assert set(CRATER_COLUMNS) == {name for name in FEATURES if name.startswith("crater_")}
    assert [name for name in context_features(FEATURES) if "slope" in name or "illumination" in name] == []
    assert "roughness_mean" in context_features(FEATURES)


def test_unknown_cells_have_no_score_and_rank_0(cells: gpd.GeoDataFrame, small: ScorerSettings) -> None:
    found = score_cells(without_light(cells, 300), RULES.cassa, small).scores
    unknown = found["label"] == "unknown"
    assert unknown.sum() == 300
    shap = [name for name in found.columns if name.startswith("shap_")]
    assert len(shap) == len(FEATURES)
    assert found.loc[unknown, ["score", "probability", *shap]].isna().all().all()
    assert (found.loc[unknown, "rank"] == 0).all()
    assert found.loc[~unknown, ["score", "probability", *shap]].notna().all().all()
    assert sorted(found.loc[~unknown, "rank"]) == list(range(1, (~unknown).sum() + 1))


def test_unknown_cells_teach_nothing(cells: gpd.GeoDataFrame, small: ScorerSettings) -> None:
    light = without_light(cells.copy(), 300)
    other = without_light(cells.copy(), 300)
    other.loc[:299, "slope_mean"] = np.float32(80.0)
    one, two = (score_cells(frame, RULES.cassa, small) for frame in (light, other))
    assert one.booster.save_raw("ubj") == two.booster.save_raw("ubj")


def test_score_probability_rank_and_shap_hang_together(cells: gpd.GeoDataFrame, small: ScorerSettings) -> None:
    found = score_cells(cells, RULES.cassa, small)
    frame, people = found.scores.sort_values("rank"), population(cells, "cassa")
    assert (np.diff(frame["score"]) <= 0).all()
    tied = np.diff(frame["score"]) == 0
    assert tied.any()
    assert (np.diff(frame["cell_id"])[tied] > 0).all()
    np.testing.assert_allclose(frame["probability"], 1 / (1 + np.exp(-frame["score"].astype(float))), rtol=1e-6)
    shap, bias = shap_values(found.booster, people.features)
    np.testing.assert_allclose(shap.sum(axis=1) + bias, margins(found.booster, people.features), atol=1e-4)
    assert found.record.metric("shap_gap") < 1e-3
    assert not any("rely" in note for note in found.record.notes)


@pytest.mark.parametrize(("gap", "told"), [(1e-5, False), (0.5, True)])
def test_the_self_check_is_no_claim_but_its_failure_is_told(gap: float, told: bool) -> None:
    names = ("in_sample", "blocked", "context_blocked", "plain_rule")
    agreements = dict.fromkeys(names, Agreement(0.9, 0.5, 10))
    record = scorer_record({"suitable": 5, "unsuitable": 5}, agreements, {}, {}, gap, (), ScorerSettings())
    assert record.metric("shap_gap") == gap
    assert not any("SHAP" in verdict.name for verdict in record.verdicts)
    assert story.tally([record]).startswith("Of 1 claims")
    assert any("do not rely on them" in note for note in record.notes) == told


def test_the_same_cells_give_the_same_bytes(cells: gpd.GeoDataFrame, small: ScorerSettings) -> None:
    one, two = (score_cells(cells.copy(), RULES.cassa, small, threads=threads) for threads in (1, 2))
    assert one.booster.save_raw("ubj") == two.booster.save_raw("ubj")
    assert one.record == two.record
    assert one.scores.equals(two.scores)


def test_without_a_catalogue_the_crater_features_are_left_out(cells: gpd.GeoDataFrame, small: ScorerSettings) -> None:
    cells[list(CRATER_COLUMNS)] = np.float32(np.nan)
    found = score_cells(cells, RULES.cassa, small)
    assert not [name for name in found.scores.columns if "crater" in name]
    assert any("crater_count" in note for note in found.record.notes)
    assert not [name for name in found.card.inputs if "crater" in name]


def test_a_catalogue_of_half_the_map_makes_no_cell_unknown(cells: gpd.GeoDataFrame, small: ScorerSettings) -> None:
    whole = score_cells(cells.copy(), RULES.cassa, small)
    assert not any("unknown for" in note for note in whole.record.notes)
    far = (cells["x_m"] < 0.0).to_numpy()
    cells.loc[far, list(CRATER_COLUMNS)] = np.float32(np.nan)
    people = population(cells, "cassa")
    assert people.known.all()
    assert people.left_out == ()
    assert people.craters_unknown == far.sum()
    found = score_cells(cells, RULES.cassa, small)
    assert (found.scores["rank"] > 0).all()
    assert found.scores[["score", *[f"shap_{name}" for name in FEATURES]]].notna().all().all()
    assert found.record.metric("shap_gap") < 1e-3
    assert any(f"unknown for {far.sum()} of the {len(cells)} cells" in note for note in found.record.notes)


def test_an_empty_feature_is_refused(cells: gpd.GeoDataFrame) -> None:
    cells["roughness_std"] = np.float32(np.nan)
    with pytest.raises(ScorerError, match=r"\['roughness_std'\] hold no value"):
        population(cells, "cassa")


def test_no_cell_with_light_is_refused(cells: gpd.GeoDataFrame) -> None:
    with pytest.raises(ScorerError, match="avg_illumination_pct"):
        population(without_light(cells, len(cells)), "cassa")


@pytest.mark.parametrize(("label", "words"), [("unsuitable", "no cell passes"), ("suitable", "every known cell")])
def test_one_label_is_refused(cells: gpd.GeoDataFrame, label: str, words: str) -> None:
    cells["label_cassa"] = label
    with pytest.raises(ScorerError, match=words):
        population(cells, "cassa")


def test_the_buffered_slope_is_a_feature_where_it_is_resolved(cells: gpd.GeoDataFrame) -> None:
    assert "buffered_slope_deg" not in population(cells, "hls").names
    cells["buffered_slope_deg"] = cells["slope_mean"] + np.float32(0.5)
    assert "buffered_slope_deg" in population(cells, "hls").names
    assert "buffered_slope_deg" not in population(cells, "cassa").names


def test_ranks() -> None:
    known = np.array([True, False, True, True, True])
    assert ranks(np.array([1.0, 3.0, 1.0, 2.0], np.float32), known).tolist() == [3, 0, 1, 4, 2]


def test_blocks_stay_whole_and_positives_are_dealt_evenly(cells: gpd.GeoDataFrame) -> None:
    x_m, y_m = cells["x_m"].to_numpy(), cells["y_m"].to_numpy()
    suitable = population(cells, "cassa").suitable
    fold = spatial_folds(x_m, y_m, suitable, 16.0, 3, 42)
    block = np.floor(x_m / 16e3) * 1000 + np.floor(y_m / 16e3)
    assert all(len(set(fold[block == b])) == 1 for b in set(block))
    counts = np.bincount(fold, weights=suitable, minlength=3)
    assert counts.min() > 0.2 * counts.sum()
    none = np.zeros_like(suitable)
    assert (spatial_folds(x_m, y_m, none, 16.0, 3, 42) != spatial_folds(x_m, y_m, none, 16.0, 3, 43)).any()


def test_held_out_agreement_of_noise_is_that_of_chance(cells: gpd.GeoDataFrame, small: ScorerSettings) -> None:
    people = population(cells, "cassa")
    draws = np.random.default_rng(0)
    noise = people.features.copy()
    noise[:] = draws.normal(size=noise.shape).astype(np.float32)
    suitable = draws.random(len(noise)) < 0.1
    fold = spatial_folds(cells["x_m"].to_numpy(), cells["y_m"].to_numpy(), suitable, 16.0, 3, 1)
    found = cross_validated(noise, suitable, fold, small)
    in_sample = agreement(margins(train(noise, suitable, small), noise), suitable)
    assert found.auc == pytest.approx(0.5, abs=0.06)
    assert in_sample.auc is not None
    assert in_sample.auc > 0.75


def test_agreement_is_unknown_where_a_fold_cannot_be_trained(cells: gpd.GeoDataFrame, small: ScorerSettings) -> None:
    people = population(cells, "cassa")
    fold = np.where(people.suitable, 0, 1)
    assert cross_validated(people.features, people.suitable, fold, small).auc is None
    lone = np.zeros(len(people.features), dtype=np.int64)
    assert "fewer blocks" in cross_validated(people.features, people.suitable, lone, small).why


def test_the_record_sets_the_scorer_beside_the_plain_rule(cells: gpd.GeoDataFrame, small: ScorerSettings) -> None:
    record = score_cells(cells, RULES.cassa, small).record
    assert record.metric("auc_plain_rule") == 1.0
    base_rate, context = record.metric("base_rate"), record.metric("auc_context_blocked")
    in_sample = record.metric("auc_in_sample")
    assert base_rate == pytest.approx((cells["label_cassa"] == "suitable").mean())
    assert context is not None
    assert in_sample is not None
    assert context < in_sample
    assert any("says nothing about how good the ground is" in note for note in record.notes)


def test_shared_best() -> None:
    score = np.arange(10.0)
    assert shared_share(score, score, 4) == 1.0
    assert shared_share(score, -score, 4) == 0.0
