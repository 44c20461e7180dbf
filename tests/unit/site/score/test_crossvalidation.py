"""Held-out ground: chance stays chance, unseen blocks stay unseen, and the record says what fails."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from lunarsite.settings import CrossValidationSettings, RulesSettings, ScorerSettings
from lunarsite.site.score.crossvalidation import (
    MODELS,
    Deal,
    calibration_table,
    context_null,
    crossvalidate,
    headline,
    held_out_table,
    model_rows,
)
from lunarsite.site.score.crossvalidation_record import crossvalidation_record
from lunarsite.site.score.population import Population, population
from tests.unit.site.conftest import table_of_labels

CASSA = RulesSettings().cassa
SETTINGS = CrossValidationSettings(folds=3, blocks_km=(0.0, 8.0, 16.0), headline_block_km=16.0, dead_zone_km=1.0)


@pytest.fixture
def few(small: ScorerSettings) -> ScorerSettings:
    return small.model_copy(update={"trees": 40, "learning_rate": 0.15})


@pytest.fixture
def people(cells: gpd.GeoDataFrame, labelled: pd.DataFrame) -> Population:
    return population(cells, labelled, "cassa", CASSA)


def run(cells: gpd.GeoDataFrame, people: Population, scorer: ScorerSettings, **changed: Any) -> list[Deal]:
    settings = SETTINGS.model_copy(update=changed)
    x_m, y_m = (cells[name].to_numpy()[people.known] for name in ("x_m", "y_m"))
    return crossvalidate(people, x_m, y_m, CASSA, scorer, settings)


def test_every_model_forecasts_every_cell_once(
    cells: gpd.GeoDataFrame, people: Population, few: ScorerSettings
) -> None:
    deals = run(cells, people, few)
    assert [deal.block_km for deal in deals] == [0.0, 8.0, 16.0]
    assert [set(deal.forecasts) for deal in deals] == [set(MODELS), set(MODELS) - {"context"}, set(MODELS)]
    for deal in deals:
        for made in deal.forecasts.values():
            assert np.isfinite(made.score).all()
            assert ((made.probability >= 0.0) & (made.probability <= 1.0)).all()
    everywhere = run(cells, people, few, blocks_km=(8.0, 16.0), context_everywhere=True)
    assert [set(deal.forecasts) for deal in everywhere] == [set(MODELS), set(MODELS)]
    rows = model_rows(deals, people, 16.0, 1)
    by_name = {(row["model"], row["block_km"]): row for row in rows}
    assert by_name["margin", 16.0]["auc"] == 1.0
    full, context = by_name["full", 16.0], by_name["context", 16.0]
    assert full["auc"] > context["auc"]
    assert full["brier_probability"] < context["brier_probability"]
    assert full["auc_low"] <= full["auc"] + 1e-3
    assert "auc_low" not in by_name["full", 8.0]
    assert not any(name.startswith("ece") and name.endswith(("_low", "_high")) for name in full)
    # The dead zone of one ring of cells costs small blocks more than large ones, and single cells nothing.
    shares = [float(by_name["full", block_km]["trained_share"]) for block_km in (8.0, 16.0, 0.0)]  # type: ignore[arg-type]
    assert 0.5 < shares[0] < shares[1] < shares[2] == 1.0
    table = calibration_table(deals, people)
    counts = table.groupby(["model", "block_km"])["cells"].sum()
    assert (counts == len(people.features)).all()
    assert len(counts) == len(rows) == 11


def test_held_out_blocks_are_unseen(cells: gpd.GeoDataFrame, people: Population, few: ScorerSettings) -> None:
    """The place is learned by heart where neighbours are seen, and worth nothing where whole blocks are held out."""
    draws = np.random.default_rng(0)
    place = np.floor(cells["x_m"] / 16e3) * 7.0 + np.floor(cells["y_m"] / 16e3)
    luck = pd.Series(draws.random(place.nunique()), index=np.unique(place))
    probability = place.map(luck).to_numpy(np.float32)
    noise = people.features.copy()
    noise[:] = draws.normal(size=noise.shape).astype(np.float32)
    noise["elevation_mean"], noise["elevation_min"] = cells["x_m"], cells["y_m"]
    lucky = replace(people, features=noise, probability=probability, suitable=probability > 0.5)
    rows = model_rows(run(cells, lucky, few), lucky, 16.0, 1)
    auc = {row["block_km"]: row["auc"] for row in rows if row["model"] == "full"}
    assert auc[0.0] > 0.85
    assert auc[16.0] < 0.7


def test_noise_is_worth_nothing_and_the_verdict_says_so(
    cells: gpd.GeoDataFrame, people: Population, few: ScorerSettings
) -> None:
    draws = np.random.default_rng(1)
    noise = people.features.copy()
    noise[:] = draws.normal(size=noise.shape).astype(np.float32)
    empty = replace(people, features=noise)
    deals = run(cells, empty, few, blocks_km=(16.0,))
    rows = model_rows(deals, empty, 16.0, 1)
    x_m, y_m = (cells[name].to_numpy() for name in ("x_m", "y_m"))
    spun = context_null(deals[0], empty, x_m, y_m, 1)
    record = crossvalidation_record(rows, "", spun, few, SETTINGS)
    assert (record.metric("auc_context") or 1.0) < 0.56
    holds = {verdict.name.split(" on held-out")[0]: verdict.holds for verdict in record.verdicts}
    assert holds["Mean height, roughness and craters of a cell tell suitable cells from others"] is False
    assert holds["The scorer forecasts the Monte Carlo probability better than the baselines"] is False


def test_the_record_holds_what_the_report_reads(
    cells: gpd.GeoDataFrame, people: Population, few: ScorerSettings
) -> None:
    deals = run(cells, people, few)
    rows = model_rows(deals, people, 16.0, 1)
    spun = context_null(headline(deals, SETTINGS), people, cells["x_m"].to_numpy(), cells["y_m"].to_numpy(), 1)
    record = crossvalidation_record(rows, "", spun, few, SETTINGS)
    assert record.metric("headline_block_km") == 16.0
    assert record.metric("base_rate") == pytest.approx(people.suitable.mean())
    for model in MODELS:
        for measure in ("auc", "average_precision", "brier_probability", "brier_label", "ece_probability", "ece_label"):
            assert record.metric(f"{measure}_{model}") is not None
    assert len(record.tables["models"]) == 11
    first = record.verdicts[0]
    assert first.bound == "<= 0.03"
    assert first.holds == (first.value is not None and first.value <= 0.03)
    assert all(f"{model} 0." in first.why for model in ("context", "logistic", "margin"))
    assert "Brier score" in first.why
    assert any("undecided" in note for note in record.notes)
    assert any("closer than 1 km to a held-out block are not trained on" in note for note in record.notes)
    assert any("what that probability is worth on real ground" in note.lower() for note in record.notes)
    eces = [metric for metric in record.metrics if metric.name.startswith("ece")]
    assert all(metric.low is metric.high is None and "no interval" in metric.why for metric in eces)


def test_an_uncalibrated_score_fails(people: Population, few: ScorerSettings) -> None:
    rows = [
        {"model": model, "block_km": 16.0, "auc": 0.9, "base_rate": 0.05, "cells": 100.0, "undecided_cells": 5.0}
        | {
            f"{p}{m}_{t}": 0.05
            for p in ("", "undecided_")
            for m in ("ece", "brier", "brier_base")
            for t in ("label", "probability")
        }
        for model in ("full", "logistic")
    ]
    record = crossvalidation_record(rows, "", None, few, SETTINGS)
    assert [verdict.holds for verdict in record.verdicts[:3]] == [False, False, False]
    assert record.verdicts[4].holds is None


def test_a_headline_that_cannot_be_dealt_is_unknown_and_said(
    cells: gpd.GeoDataFrame, people: Population, few: ScorerSettings
) -> None:
    settings = SETTINGS.model_copy(update={"blocks_km": (0.0, 500.0), "headline_block_km": 500.0, "folds": 5})
    x_m, y_m = (cells[name].to_numpy() for name in ("x_m", "y_m"))
    deals = crossvalidate(people, x_m, y_m, CASSA, few, settings)
    best = headline(deals, settings)
    assert "fewer blocks than folds" in best.why
    assert best.forecasts == {}
    rows = model_rows(deals, people, 500.0, 1)
    record = crossvalidation_record(rows, best.why, context_null(best, people, x_m, y_m, 1), few, settings)
    assert record.metric("auc_full") is None
    assert all(verdict.holds is None for verdict in record.verdicts)
    assert any("fewer blocks than folds" in note for note in record.notes)
    table = held_out_table(cells["cell_id"].to_numpy(), people, best)
    assert (table["fold"] == -1).all()
    assert table["probability"].isna().all()
    assert not calibration_table(deals, people).empty


def test_a_dead_zone_that_leaves_nothing_is_unknown_and_said(
    cells: gpd.GeoDataFrame, people: Population, few: ScorerSettings
) -> None:
    best = run(cells, people, few, blocks_km=(8.0,), headline_block_km=8.0, dead_zone_km=40.0)[0]
    assert "40 km around it no cell is left to train on" in best.why
    assert "site.crossvalidation.dead_zone_km" in best.why
    assert best.forecasts == {}


def test_what_lies_within_the_dead_zone_teaches_nothing(
    cells: gpd.GeoDataFrame, people: Population, few: ScorerSettings
) -> None:
    """Cells at the borders of blocks carry another probability than those within: with the zone no model learns it."""
    deal = run(cells, people, few, blocks_km=(16.0,))[0]
    near = ~deal.trained.any(axis=0)
    assert near.any()
    other = replace(people, probability=np.where(near, 1.0 - people.probability, people.probability))
    again = run(cells, other, few, blocks_km=(16.0,))[0]
    for model in MODELS:
        assert np.array_equal(deal.forecasts[model].score, again.forecasts[model].score), model


def test_cells_with_unknown_inputs_are_in_no_fold(cells: gpd.GeoDataFrame, few: ScorerSettings) -> None:
    cells.loc[:99, "avg_illumination_pct"] = np.float32(np.nan)
    cells.loc[:99, ["label_cassa", "label_hls"]] = "unknown"
    people = population(cells, table_of_labels(cells), "cassa", CASSA)
    deals = run(cells, people, few, blocks_km=(16.0,))
    table = held_out_table(cells["cell_id"].to_numpy(), people, deals[0])
    assert (table["fold"][:100] == -1).all()
    assert table["probability"][:100].isna().all()
    assert set(table["fold"][100:]) == {0, 1, 2}
    assert table[["probability", "context_probability"]][100:].notna().all().all()


def test_the_same_cells_give_the_same_numbers_with_any_threads(
    cells: gpd.GeoDataFrame, people: Population, few: ScorerSettings
) -> None:
    x_m, y_m = (cells[name].to_numpy() for name in ("x_m", "y_m"))
    settings = SETTINGS.model_copy(update={"blocks_km": (16.0,)})
    one, two = (crossvalidate(people, x_m, y_m, CASSA, few, settings, threads=threads) for threads in (1, 2))
    assert model_rows(one, people, 16.0, 1) == model_rows(two, people, 16.0, 1)
