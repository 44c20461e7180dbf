"""From the table of cells to scores, model and record: the scorer trained, applied, explained and put to the test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import xgboost
from numpy.typing import NDArray

from lunarsite.artefact.contracts import CELLS
from lunarsite.artefact.model import Card
from lunarsite.artefact.record import Record
from lunarsite.settings import RuleSettings, ScorerSettings
from lunarsite.site.agreement import agreement, cross_validated, shared_share, spatial_folds
from lunarsite.site.rules import rule_margin
from lunarsite.site.scorer import (
    Population,
    context_features,
    margins,
    population,
    probabilities,
    ranks,
    shap_values,
    train,
)
from lunarsite.site.scorer_record import scorer_record

_SHARED_BEST = (100, 500, 1000)
_UNITS = {column.name: column.unit for column in CELLS.columns}


@dataclass(frozen=True)
class Scoring:
    """What scoring leaves: the table of scores, the trees with their card, and the record."""

    scores: gpd.GeoDataFrame
    booster: xgboost.Booster
    card: Card
    record: Record


def score_cells(
    cells: gpd.GeoDataFrame,
    rule: RuleSettings,
    settings: ScorerSettings,
    notes: tuple[str, ...] = (),
    threads: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Scoring:
    """Train the scorer on the cells' labels, score and rank them, and measure what that is worth.

    Args:
        cells: The table of cells.
        rule: The target's rule, as the labels were made with.
        settings: The scorer's settings.
        notes: What the record must say beside its own notes.
        threads: Trainings, and blocks of cells to explain, that run side by side.
        progress: Called with trainings done and in all.

    Raises:
        lunarsite.site.scorer.ScorerError: There is nothing to learn from these cells.
    """
    people = population(cells, settings.target)
    trainings, done = 1 + 2 * settings.folds, 0

    def step() -> None:
        nonlocal done
        done += 1
        progress(done, trainings)

    booster = train(people.features, people.suitable, settings)
    step()
    score = margins(booster, people.features)
    shap, bias = shap_values(booster, people.features, threads)
    frame = _frame(cells, people, score, shap, settings)
    plain = rule_margin(cells[people.known], rule, settings.target)
    known_cells = cells[people.known]
    fold = spatial_folds(
        known_cells["x_m"].to_numpy(),
        known_cells["y_m"].to_numpy(),
        people.suitable,
        settings.block_km,
        settings.folds,
        settings.seed,
    )
    context = people.features[context_features(people.names)]
    record = scorer_record(
        counts={
            "suitable": int(people.suitable.sum()),
            "unsuitable": int((~people.suitable).sum()),
            "unranked": int((~people.known).sum()),
        },
        agreements={
            "in_sample": agreement(score, people.suitable),
            "blocked": cross_validated(people.features, people.suitable, fold, settings, threads, step),
            "context_blocked": cross_validated(context, people.suitable, fold, settings, threads, step),
            "plain_rule": agreement(plain, people.suitable),
        },
        importance=dict(zip(people.names, np.abs(shap).mean(axis=0, dtype=np.float64).tolist(), strict=True)),
        shared={most: shared_share(score, plain, most) for most in _SHARED_BEST if most < score.size},
        shap_gap=float(np.abs(shap.sum(axis=1, dtype=np.float64) + bias - score).max()),
        notes=(*_crater_notes(people), *notes),
        settings=settings,
    )
    return Scoring(frame, booster, _card(people, record, settings), record)


def _frame(
    cells: gpd.GeoDataFrame,
    people: Population,
    score: NDArray[np.float32],
    shap: NDArray[np.float32],
    settings: ScorerSettings,
) -> gpd.GeoDataFrame:
    def spread(values: NDArray[np.float32]) -> NDArray[np.float32]:
        whole = np.full(people.known.size, np.nan, dtype=np.float32)
        whole[people.known] = values
        return whole

    columns = {
        "cell_id": cells["cell_id"].to_numpy(),
        "lon": cells["lon"].to_numpy(),
        "lat": cells["lat"].to_numpy(),
        "label": cells[f"label_{settings.target}"].to_numpy(),
        "score": spread(score),
        "probability": spread(probabilities(score)),
        "rank": ranks(score, people.known),
        **{f"shap_{name}": spread(shap[:, index]) for index, name in enumerate(people.names)},
    }
    return gpd.GeoDataFrame(pd.DataFrame(columns), geometry=cells.geometry.to_numpy())


def _crater_notes(people: Population) -> tuple[str, ...]:
    notes = []
    if people.left_out:
        notes.append(f"Left out, because no crater is known to this run: {', '.join(people.left_out)}.")
    if 0 < people.craters_unknown < people.suitable.size:
        notes.append(
            f"The craters within 5 km are unknown for {people.craters_unknown} of the {people.suitable.size} cells: the"
            " catalogue covers a part of the map. The trees can tell such cells from others by that alone."
        )
    return tuple(notes)


def _card(people: Population, record: Record, settings: ScorerSettings) -> Card:
    return Card(
        spec={"library": "xgboost", "objective": "binary:logistic", **settings.model_dump(mode="json")},
        inputs=tuple(f"{name} ({_UNITS[name]})" for name in people.names),
        normalisation={"missing": "NaN"},
        classes=("unsuitable", "suitable"),
        training={
            "cells": int(people.known.sum()),
            "suitable": int(people.suitable.sum()),
            "seed": settings.seed,
            "metrics": {metric.name: metric.value for metric in record.metrics},
            "notes": list(record.notes),
        },
    )
