"""What the score is worth on ground it never saw: four forecasts, on blocks of several sizes.

The full model is the scorer as it is; 'context' is the same of mean height, roughness and craters alone; 'logistic' and
'margin' are the baselines. All learn the Monte Carlo probability from the same folds. No model is trained on cells of
the blocks that it is measured on, nor of the dead zone about them: what lies across a block's border tells nearly as
much as the block itself. The context model costs as much as the full one; unless `context_everywhere` asks for all, it
is measured on single cells and the headline's blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.settings import CrossValidationSettings, RuleSettings, ScorerSettings
from lunarsite.site.rules import rule_margin
from lunarsite.site.score import baselines
from lunarsite.site.score.chance import block_intervals, spun_aucs
from lunarsite.site.score.families import context_features
from lunarsite.site.score.folds import block_of, deal, training_cells, why_not
from lunarsite.site.score.limits import limit_weights
from lunarsite.site.score.measures import calibration_bins, measures
from lunarsite.site.score.population import Population
from lunarsite.site.score.scorer import margins, probabilities, train

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Values = NDArray[np.floating]

MODELS = ("full", "context", "logistic", "margin")


@dataclass(frozen=True)
class Forecast:
    """What models that never saw a cell's block make of it: what orders the cells, and probabilities, (known,)."""

    score: Values
    probability: Values


@dataclass(frozen=True)
class Deal:
    """One deal of the map: its blocks and folds, and the forecasts by model; or why there are none.

    `trained` (folds, known) is which cells the models of each fold are trained on.
    """

    block_km: float
    block: Ints
    fold: Ints
    trained: Bools
    why: str
    forecasts: dict[str, Forecast] = field(default_factory=dict)


def crossvalidate(
    people: Population,
    x_m: NDArray[np.float64],
    y_m: NDArray[np.float64],
    rule: RuleSettings,
    scorer: ScorerSettings,
    settings: CrossValidationSettings,
    threads: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Deal]:
    """Return the deals of `settings.blocks_km` with the forecasts of all models.

    Args:
        people: The cells.
        x_m: Map coordinates of the known cells, (known,).
        y_m: The same.
        rule: The rule that is learned.
        scorer: Settings of the trees.
        settings: Of the blocks and folds.
        threads: Trainings that run side by side; the forecasts do not depend on it.
        progress: Called with trainings done and in all.
    """
    deals = []
    for block_km in settings.blocks_km:
        block = block_of(x_m, y_m, block_km)
        fold = deal(block, people.suitable, settings.folds, settings.seed)
        dead_zone_km = settings.dead_zone_km if block_km else 0.0  # single cells at random have no border to keep from
        trained = training_cells(x_m, y_m, fold, settings.folds, dead_zone_km)
        deals.append(Deal(block_km, block, fold, trained, why_not(fold, trained, people.suitable, dead_zone_km)))
    of_context = {0.0, settings.headline_block_km, *(settings.blocks_km if settings.context_everywhere else ())}
    margin = rule_margin(people.columns, rule, scorer.target)
    learned = {"full": people.features, "context": people.features[context_features(people.names)]}
    jobs = [
        (found, model, fold)
        for found in deals
        if not found.why
        for model in MODELS
        if model != "context" or found.block_km in of_context
        for fold in range(settings.folds)
    ]

    def forecast(job: tuple[Deal, str, int]) -> Forecast:
        found, model, index = job
        held, rest = found.fold == index, found.trained[index]
        truth = people.probability[rest]
        if model == "logistic":
            made = baselines.logistic(people.inputs[rest], truth, people.inputs[held])
            return Forecast(made, made)
        if model == "margin":
            return Forecast(margin[held], baselines.margin(margin[rest], truth, margin[held]))
        features, weight = learned[model], None
        if model == "full":  # the context does not see the inputs: weights by them would bias its probabilities
            near = {name: values[rest] for name, values in people.columns.items()}
            weight = limit_weights(near, rule, scorer.target, scorer.limit_share)
        score = margins(train(features[rest], truth, scorer, weight=weight), features[held])
        return Forecast(score, probabilities(score))

    with ThreadPoolExecutor(threads) as pool:
        for done, ((found, model, index), part) in enumerate(zip(jobs, pool.map(forecast, jobs), strict=True), start=1):
            held = found.fold == index
            empty = Forecast(np.full(held.size, np.nan), np.full(held.size, np.nan))
            whole = found.forecasts.setdefault(model, empty)
            whole.score[held], whole.probability[held] = part.score, part.probability
            progress(done, len(jobs))
    return deals


def model_rows(deals: Sequence[Deal], people: Population, headline_km: float, seed: int) -> list[dict[str, object]]:
    """Return a row of measures for each model and deal; the headline's have intervals over its blocks."""
    rows: list[dict[str, object]] = []
    for found in deals:
        for model in MODELS:
            made = found.forecasts.get(model)
            if made is None:
                continue
            truth = people.probability, people.suitable
            row: dict[str, object] = {"model": model, "block_km": found.block_km}
            row["trained_share"] = float(found.trained.sum() / (found.fold.size * (len(found.trained) - 1)))
            row |= measures(made.score, made.probability, *truth)
            if found.block_km == headline_km:
                ends = block_intervals(found.block, made.score, made.probability, *truth, seed)
                row |= {
                    f"{name}_{end}": value
                    for name, pair in ends.items()
                    for end, value in zip(_ENDS, pair, strict=True)
                }
            rows.append(row)
    return rows


_ENDS = ("low", "high")


def headline(deals: Sequence[Deal], settings: CrossValidationSettings) -> Deal:
    """Return the deal whose figures are the headline."""
    return next(found for found in deals if found.block_km == settings.headline_block_km)


def context_null(found: Deal, people: Population, x_m: Values, y_m: Values, seed: int) -> Values | None:
    """Return the AUC of the context model's map spun about the pole, (spins,); None if there is no such model."""
    if found.why:
        return None
    return spun_aucs(
        x_m.astype(np.float64), y_m.astype(np.float64), found.forecasts["context"].score, people.suitable, seed
    )


def calibration_table(deals: Sequence[Deal], people: Population) -> pd.DataFrame:
    """Return the bins of all models and deals, as the contract has them."""
    parts = [
        calibration_bins(made.probability, people.probability, people.suitable).assign(
            model=model, block_km=found.block_km
        )
        for found in deals
        for model, made in found.forecasts.items()
    ]
    columns = ["model", "block_km", "bin", "predicted", "expected", "passing", "cells"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame({name: [] for name in columns})


def held_out_table(cell_id: Values, people: Population, found: Deal) -> pd.DataFrame:
    """Return fold and forecasts of all cells on the headline's blocks; cells with unknown inputs have fold -1."""

    def spread(values: Mapping[str, Forecast], model: str) -> NDArray[np.float32]:
        whole = np.full(people.known.size, np.nan, dtype=np.float32)
        if model in values:
            whole[people.known] = values[model].probability
        return whole

    fold = np.full(people.known.size, -1, dtype=np.int32)
    if not found.why:
        fold[people.known] = found.fold
    return pd.DataFrame(
        {
            "cell_id": cell_id,
            "fold": fold,
            "probability": spread(found.forecasts, "full"),
            "context_probability": spread(found.forecasts, "context"),
        }
    )
