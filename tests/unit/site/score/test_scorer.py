"""The scorer: who is learned from, scores and ranks, monotone trees, and what is refused."""

from __future__ import annotations

import itertools

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import xgboost

from lunarsite.artefact.contracts import REFERENCE_COLUMNS
from lunarsite.publish import story
from lunarsite.settings import RulesSettings, ScorerSettings
from lunarsite.site.craters import CRATER_COLUMNS, NEAR_COLUMNS
from lunarsite.site.score.families import context_features, directions, family_of
from lunarsite.site.score.population import FEATURES, REFERENCE_FEATURES, ScorerError, population
from lunarsite.site.score.scorer import margins, probabilities, ranks, shap_values, train
from lunarsite.site.score.scorer_record import Findings, scorer_record
from lunarsite.site.score.scoring import score_cells, shared_share
from lunarsite.site.score.tree_shap import MAX_FEATURES, forest_leaves
from tests.unit.site.conftest import table_of_labels

RULES = RulesSettings()
CASSA = RULES.cassa


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


def made_up_statistics() -> pd.DataFrame:
    """Return the statistics of heights and slopes of some 2 000 cells of 4 x 4 pixels of a made-up rough terrain."""
    draws = np.random.default_rng(3)
    waves = np.fft.rfft2(draws.normal(size=(192, 192)))
    number = np.hypot(*np.meshgrid(np.fft.fftfreq(192), np.fft.rfftfreq(192), indexing="ij"))
    waves *= np.divide(1.0, number**2, out=np.zeros_like(number), where=number > 0.0)
    height = np.fft.irfft2(waves, s=(192, 192))
    slope = np.hypot(*np.gradient(240.0 * height / np.abs(np.diff(height)).max(), 240.0))
    frame = pd.DataFrame()
    for name, layer in (("elevation", height), ("slope", slope)):
        pixels = layer.reshape(48, 4, 48, 4).swapaxes(1, 2).reshape(-1, 16)
        for statistic in ("mean", "std", "min", "max"):
            frame[f"{name}_{statistic}"] = getattr(pixels, statistic)(axis=1)
    return frame


def test_the_context_holds_no_copy_of_a_rules_input_not_even_as_a_difference() -> None:
    frame = made_up_statistics()

    def closest(names: list[str]) -> float:
        tried = frame[names].copy()
        for one, other in itertools.combinations(names, 2):
            tried[f"{one} - {other}"] = frame[one] - frame[other]
        return float(tried.apply(lambda column: column.corr(frame["slope_mean"], method="spearman")).abs().max())

    heights = [name for name in FEATURES if name in frame.columns and name.startswith("elevation")]
    assert closest(heights) > 0.9
    kept = context_features(list(FEATURES))
    assert closest([name for name in kept if name in frame.columns]) < 0.6
    assert not [name for name in kept if family_of(name).of_the_rule]
    assert set(FEATURES) - set(kept) == {
        *(f"slope_{statistic}" for statistic in ("mean", "std", "min", "max")),
        *("elevation_std", "elevation_min", "elevation_max", "psr_fraction"),
        *("avg_illumination_pct", "illumination_min_pct", "earth_visibility_pct"),
    }


def test_unknown_cells_have_no_score_and_rank_0(cells: gpd.GeoDataFrame, small: ScorerSettings) -> None:
    dark = without_light(cells, 300)
    found = score_cells(dark, table_of_labels(dark), CASSA, small)
    unknown = found.scores["label"] == "unknown"
    assert unknown.sum() == 300
    shap = [name for name in found.scores.columns if name.startswith("shap_")]
    assert len(shap) == len(FEATURES)
    assert found.scores.loc[unknown, ["score", "probability", *shap]].isna().all().all()
    assert (found.scores.loc[unknown, "rank"] == 0).all()
    assert found.scores.loc[~unknown, ["score", "probability", *shap]].notna().all().all()
    assert sorted(found.scores.loc[~unknown, "rank"]) == list(range(1, (~unknown).sum() + 1))
    assert found.record.metric("cells_unranked") == 300.0


def test_unknown_cells_teach_nothing(cells: gpd.GeoDataFrame, small: ScorerSettings) -> None:
    light = without_light(cells.copy(), 300)
    other = without_light(cells.copy(), 300)
    other.loc[:299, "slope_mean"] = np.float32(80.0)
    one, two = (score_cells(frame, table_of_labels(frame), CASSA, small) for frame in (light, other))
    assert one.booster.save_raw("ubj") == two.booster.save_raw("ubj")


def test_the_probability_is_learned_and_not_the_label(
    cells: gpd.GeoDataFrame, labelled: pd.DataFrame, small: ScorerSettings
) -> None:
    more = small.model_copy(update={"trees": 150, "learning_rate": 0.1})
    found = score_cells(cells, labelled, CASSA, more).scores
    expected = labelled.loc[labelled["rule"] == "cassa", "probability"].to_numpy()
    to_probability = np.abs(found["probability"] - expected).mean()
    to_label = np.abs(found["probability"] - (found["label"] == "suitable")).mean()
    assert to_probability < 0.03
    assert to_probability < 0.5 * to_label


def test_score_probability_rank_and_shap_hang_together(
    cells: gpd.GeoDataFrame, labelled: pd.DataFrame, small: ScorerSettings
) -> None:
    found = score_cells(cells, labelled, CASSA, small)
    frame, people = found.scores.sort_values("rank"), population(cells, labelled, "cassa", CASSA)
    assert (np.diff(frame["score"]) <= 0).all()
    tied = np.diff(frame["score"]) == 0
    assert tied.any()
    assert (np.diff(frame["cell_id"])[tied] > 0).all()
    np.testing.assert_allclose(frame["probability"], 1 / (1 + np.exp(-frame["score"].astype(float))), rtol=1e-6)
    shap, bias = shap_values(found.booster, people.features)
    np.testing.assert_allclose(shap.sum(axis=1) + bias, margins(found.booster, people.features), atol=1e-4)
    assert found.record.metric("shap_gap") < 1e-3
    assert not any("rely" in note for note in found.record.notes)


@pytest.mark.parametrize("monotone", [True, False])
def test_constraints_are_what_makes_trees_monotone(
    cells: gpd.GeoDataFrame, labelled: pd.DataFrame, small: ScorerSettings, monotone: bool
) -> None:
    people = population(cells, labelled, "cassa", CASSA)
    noisy = (people.probability > np.random.default_rng(0).random(people.suitable.size)).astype(np.float32)
    booster = train(people.features, noisy, small, monotone)
    worst = 0.0
    for name, direction in zip(people.names, directions(people.names), strict=True):
        if direction == 0:
            continue
        some = people.features.iloc[::100]
        grid = np.linspace(0.0, 100.0, 51, dtype=np.float32)
        swept = np.stack([margins(booster, some.assign(**{name: value})) for value in grid])
        worst = max(worst, float((-direction * np.diff(swept, axis=0)).max()))
    assert (worst <= 1e-5) == monotone


def test_paths_too_wide_for_tables_are_explained_by_the_library(
    cells: gpd.GeoDataFrame, labelled: pd.DataFrame, small: ScorerSettings
) -> None:
    people = population(cells, labelled, "cassa", CASSA)
    some = people.features[:700]
    noise = np.random.default_rng(0).random(len(some))
    booster = train(some, noise, small.model_copy(update={"max_depth": 12, "trees": 3}), monotone=False)
    assert forest_leaves(booster).widest > MAX_FEATURES
    shap, bias = shap_values(booster, some)
    expected = booster.predict(xgboost.DMatrix(some), pred_contribs=True)
    np.testing.assert_allclose(shap, expected[:, :-1], atol=1e-6)
    assert bias == pytest.approx(float(expected[0, -1]))


@pytest.mark.parametrize(("gap", "told"), [(1e-5, False), (0.5, True)])
def test_the_self_check_is_no_claim_but_its_failure_is_told(
    cells: gpd.GeoDataFrame, labelled: pd.DataFrame, small: ScorerSettings, gap: float, told: bool
) -> None:
    in_sample: dict[str, float | None] = {"auc": 0.9, "brier_probability": 0.1}
    found = Findings({"suitable": 5, "unsuitable": 5}, 0.5, in_sample, {"slope_mean": 1.0}, {}, gap, (), ())
    record = scorer_record(found, (), small)
    assert record.metric("shap_gap") == gap
    assert record.verdicts == ()
    assert any("do not rely on them" in note for note in record.notes) == told
    swept = score_cells(cells, labelled, CASSA, small).record
    assert not any("SHAP" in verdict.name for verdict in swept.verdicts)
    assert story.tally([swept]).startswith("Of 6 claims")


def test_the_same_cells_give_the_same_bytes(
    cells: gpd.GeoDataFrame, labelled: pd.DataFrame, small: ScorerSettings
) -> None:
    one, two = (score_cells(cells.copy(), labelled, CASSA, small, threads=threads) for threads in (1, 2))
    assert one.booster.save_raw("ubj") == two.booster.save_raw("ubj")
    assert one.record == two.record
    assert one.scores.equals(two.scores)
    assert one.sweeps.equals(two.sweeps)


def test_without_a_catalogue_the_crater_features_are_left_out(
    cells: gpd.GeoDataFrame, labelled: pd.DataFrame, small: ScorerSettings
) -> None:
    cells[list(CRATER_COLUMNS)] = np.float32(np.nan)
    found = score_cells(cells, labelled, CASSA, small)
    assert not [name for name in found.scores.columns if "crater" in name]
    assert any("crater_count" in note for note in found.record.notes)
    assert not [name for name in found.card.inputs if "crater" in name]


def test_a_catalogue_of_half_the_map_makes_no_cell_unknown(
    cells: gpd.GeoDataFrame, labelled: pd.DataFrame, small: ScorerSettings
) -> None:
    whole = score_cells(cells.copy(), labelled, CASSA, small)
    assert not any("unknown for" in note for note in whole.record.notes)
    far = (cells["x_m"] < 0.0).to_numpy()
    cells.loc[far, list(CRATER_COLUMNS)] = np.float32(np.nan)
    people = population(cells, labelled, "cassa", CASSA)
    assert people.known.all()
    assert people.left_out == ()
    assert people.craters_unknown == far.sum()
    found = score_cells(cells, labelled, CASSA, small)
    assert (found.scores["rank"] > 0).all()
    assert found.scores[["score", *[f"shap_{name}" for name in FEATURES]]].notna().all().all()
    assert found.record.metric("shap_gap") < 1e-3
    assert any(f"unknown for {far.sum()} of the {len(cells)} cells" in note for note in found.record.notes)


def test_an_empty_feature_is_refused(cells: gpd.GeoDataFrame, labelled: pd.DataFrame) -> None:
    cells["roughness_std"] = np.float32(np.nan)
    with pytest.raises(ScorerError, match=r"\['roughness_std'\] hold no value"):
        population(cells, labelled, "cassa", CASSA)


def test_no_cell_with_light_is_refused(cells: gpd.GeoDataFrame) -> None:
    dark = without_light(cells, len(cells))
    with pytest.raises(ScorerError, match="avg_illumination_pct"):
        population(dark, table_of_labels(dark), "cassa", CASSA)


@pytest.mark.parametrize(("label", "words"), [("unsuitable", "no cell passes"), ("suitable", "every known cell")])
def test_one_label_is_refused(cells: gpd.GeoDataFrame, labelled: pd.DataFrame, label: str, words: str) -> None:
    labelled["label"] = label
    with pytest.raises(ScorerError, match=words):
        population(cells, labelled, "cassa", CASSA)


def test_labels_that_do_not_fit_the_cells_are_refused(cells: gpd.GeoDataFrame, labelled: pd.DataFrame) -> None:
    with pytest.raises(ScorerError, match=r"no rule 'own', only \['cassa', 'hls'\]"):
        population(cells, labelled, "own", CASSA)
    with pytest.raises(ScorerError, match="of other cells"):
        population(cells.iloc[1:], labelled, "cassa", CASSA)
    cells.loc[:4, "avg_illumination_pct"] = np.float32(np.nan)
    with pytest.raises(ScorerError, match="5 cells have a probability but lack one of"):
        population(cells, labelled, "cassa", CASSA)


def test_the_buffered_slope_is_a_feature_where_the_rule_reads_it_and_it_is_resolved(cells: gpd.GeoDataFrame) -> None:
    assert "buffered_slope_deg" not in population(cells, table_of_labels(cells), "hls", RULES.hls).names
    cells["buffered_slope_deg"] = cells["slope_mean"] + np.float32(0.5)
    labels = table_of_labels(cells)
    assert "buffered_slope_deg" in population(cells, labels, "hls", RULES.hls).names
    assert "buffered_slope_deg" not in population(cells, labels, "cassa", CASSA).names
    own = labels[labels["rule"] == "hls"].assign(rule="own")
    assert "buffered_slope_deg" in population(cells, own, "own", RULES.hls).names
    assert "buffered_slope_deg" not in population(cells, own, "own", CASSA).names


def test_ranks() -> None:
    known = np.array([True, False, True, True, True])
    assert ranks(np.array([1.0, 3.0, 1.0, 2.0], np.float32), known).tolist() == [3, 0, 1, 4, 2]


def test_probabilities_of_large_scores_neither_warn_nor_leave_0_to_1() -> None:
    found = probabilities(np.array([-90.0, 0.0, 90.0], np.float32))
    assert found.tolist() == pytest.approx([0.0, 0.5, 1.0])


def test_the_record_tells_what_was_learned(
    cells: gpd.GeoDataFrame, labelled: pd.DataFrame, small: ScorerSettings
) -> None:
    found = score_cells(cells, labelled, CASSA, small)
    record = found.record
    assert record.metric("base_rate") == pytest.approx((cells["label_cassa"] == "suitable").mean())
    mine = labelled.loc[labelled["rule"] == "cassa", "probability"]
    assert record.metric("mean_probability") == pytest.approx(mine.mean(), rel=1e-5)
    assert 0.0 <= (record.metric("best_100_shared_with_plain_rule") or 0.0) <= 1.0
    rows = record.tables["importance"]
    assert [row["mean_abs_shap"] for row in rows] == sorted((row["mean_abs_shap"] for row in rows), reverse=True)
    assert {row["family"] for row in rows[:6]} >= {"slope", "light", "earth"}
    assert found.card.spec["monotone_constraints"] == list(
        directions(population(cells, labelled, "cassa", CASSA).names)
    )
    assert any("no chance of safe landing" in note for note in record.notes)


def test_shared_best() -> None:
    score = np.arange(10.0)
    assert shared_share(score, score, 4) == 1.0
    assert shared_share(score, -score, 4) == 0.0
