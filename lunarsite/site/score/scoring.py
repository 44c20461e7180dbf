"""From cells and their probabilities to scores, trees, sweeps and record: the scorer trained, applied and explained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
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
from lunarsite.site.rules import rule_margin
from lunarsite.site.score.families import directions
from lunarsite.site.score.limits import limit_weights
from lunarsite.site.score.measures import measures
from lunarsite.site.score.population import Population, population
from lunarsite.site.score.scorer import margins, probabilities, ranks, shap_values, train
from lunarsite.site.score.scorer_record import Findings, scorer_record
from lunarsite.site.score.sweeps import Sweep, sweep_table, sweeps

Floats = NDArray[np.float32]

_SHARED_BEST = (100, 500, 1000)
_UNITS = {column.name: column.unit for column in CELLS.columns}


@dataclass(frozen=True)
class Scoring:
    """What scoring leaves: the table of scores, the trees with their card, the sweeps and the record."""

    scores: gpd.GeoDataFrame
    booster: xgboost.Booster
    card: Card
    sweeps: pd.DataFrame
    record: Record


def score_cells(
    cells: gpd.GeoDataFrame,
    labels: pd.DataFrame,
    rule: RuleSettings,
    settings: ScorerSettings,
    notes: tuple[str, ...] = (),
    threads: int = 1,
    log: Callable[[str], None] = lambda message: None,
) -> Scoring:
    """Train the scorer on the cells' probabilities, score, rank and explain them, and sweep it across the limits.

    Args:
        cells: The table of cells.
        labels: The table of labels.
        rule: The target's rule, as the labels were made with.
        settings: The scorer's settings.
        notes: What the record must say beside its own notes.
        threads: Trainings, and parts of the cells to explain, that run side by side.
        log: Called with what has been done.

    Raises:
        lunarsite.site.score.population.ScorerError: There is nothing to learn from these cells.
    """
    people = population(cells, labels, settings.target, rule)
    booster, step = _trained(people, rule, settings, threads)
    log("trained")
    score = margins(booster, people.features)
    shap, bias = shap_values(booster, people.features, threads)
    log("explained")
    swept = _swept(people, booster, rule, settings)
    stepped = _swept(people, step, rule, settings)
    log("swept")
    plain = rule_margin(people.columns, rule, settings.target)
    record = scorer_record(
        Findings(
            counts={
                "suitable": int(people.suitable.sum()),
                "unsuitable": int((~people.suitable).sum()),
                "unranked": int((~people.known).sum()),
            },
            mean_probability=float(people.probability.mean(dtype=np.float64)),
            in_sample=measures(score, probabilities(score), people.probability, people.suitable),
            importance=dict(zip(people.names, np.abs(shap).mean(axis=0, dtype=np.float64).tolist(), strict=True)),
            shared={most: shared_share(score, plain, most) for most in _SHARED_BEST if most < score.size},
            shap_gap=float(np.abs(shap.sum(axis=1, dtype=np.float64) + bias - score).max()),
            sweeps=swept,
            stepped=stepped,
        ),
        notes=(*_crater_notes(people), *notes),
        settings=settings,
    )
    frame = _frame(cells, labels, people, score, shap, settings)
    return Scoring(frame, booster, _card(people, record, settings), sweep_table(swept), record)


def _trained(
    people: Population, rule: RuleSettings, settings: ScorerSettings, threads: int
) -> tuple[xgboost.Booster, xgboost.Booster]:
    """Return the scorer, and beside it the reference system's way: the hard label, no constraints, no weights."""
    weight = limit_weights(people.columns, rule, settings.target, settings.limit_share)
    with ThreadPoolExecutor(threads) as pool:
        soft = pool.submit(train, people.features, people.probability, settings, weight=weight)
        hard = pool.submit(train, people.features, people.suitable, settings, monotone=False)
        return soft.result(), hard.result()


def _swept(
    people: Population, booster: xgboost.Booster, rule: RuleSettings, settings: ScorerSettings
) -> Sequence[Sweep]:
    def predict(features: pd.DataFrame) -> Floats:
        return probabilities(margins(booster, features))

    return sweeps(people, rule, settings.target, predict, settings.seed)


def shared_share(one: NDArray[np.floating], other: NDArray[np.floating], most: int) -> float:
    """Return the share of the best `most` cells by one score that are among the best by the other; ties go by order."""
    best = [np.argsort(-score, kind="stable")[:most] for score in (one, other)]
    return float(np.isin(best[0], best[1]).mean())


def _frame(
    cells: gpd.GeoDataFrame,
    labels: pd.DataFrame,
    people: Population,
    score: Floats,
    shap: Floats,
    settings: ScorerSettings,
) -> gpd.GeoDataFrame:
    def spread(values: Floats) -> Floats:
        whole = np.full(people.known.size, np.nan, dtype=np.float32)
        whole[people.known] = values
        return whole

    columns = {
        "cell_id": cells["cell_id"].to_numpy(),
        "lon": cells["lon"].to_numpy(),
        "lat": cells["lat"].to_numpy(),
        "label": labels.loc[labels["rule"] == settings.target, "label"].to_numpy(),
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
        spec={
            "library": "xgboost",
            "objective": "binary:logistic",
            "monotone_constraints": list(directions(people.names)),
            **settings.model_dump(mode="json"),
        },
        inputs=tuple(f"{name} ({_UNITS[name]})" for name in people.names),
        normalisation={"missing": "NaN"},
        classes=("unsuitable", "suitable"),
        training={
            "target": f"Monte Carlo probability that the cell keeps the rule '{settings.target}'",
            "cells": int(people.known.sum()),
            "suitable": int(people.suitable.sum()),
            "seed": settings.seed,
            "metrics": {metric.name: metric.value for metric in record.metrics},
            "notes": list(record.notes),
        },
    )
