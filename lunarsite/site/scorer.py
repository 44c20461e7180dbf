"""The learned score: XGBoost on the label of a hard rule, with the share that each feature has in every cell's score.

As in the reference system the label is a function of columns that are features as well, so agreement with the label is
no evidence of good landing ground: the plain rule agrees with itself perfectly. Cells that lack an input of the rule
are neither learned from nor scored: the trees would learn that missing light means bad ground.

The score is the model's margin (log-odds), the probability its logistic function; the SHAP values of a cell and the
model's bias add up to its score (Lundberg et al. 2020, doi 10.1038/s42256-019-0138-9).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xgboost
from numpy.typing import NDArray

from lunarsite.artefact.contracts import REFERENCE_COLUMNS
from lunarsite.settings import ScorerSettings
from lunarsite.site.craters import CRATER_COLUMNS, NEAR_COLUMNS
from lunarsite.site.rules import Target, rule_inputs

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]

REFERENCE_FEATURES = REFERENCE_COLUMNS[5:]
"""The 24 features of the reference system: all of its columns but the cell's id and place."""
FEATURES = (*REFERENCE_FEATURES, *NEAR_COLUMNS)
_FAMILIES_OF_THE_RULES = ("slope_", "buffered_slope", "avg_illumination", "illumination_min", "psr_", "earth_")
_CHUNK = 16_384


class ScorerError(ValueError):
    """Cells from which no scorer can be learned."""


@dataclass(frozen=True)
class Population:
    """The cells of which a scorer is made.

    Attributes:
        known: Which of all cells have every input of the rule, (cells,).
        suitable: Which of the known cells pass it, (known,).
        features: Features of the known cells, (known, features), float32; NaN is unknown.
        left_out: Features that hold no value because the run has no crater to describe.
        craters_unknown: Known cells about which the catalogue tells nothing; the trees have them all the same.
    """

    known: Bools
    suitable: Bools
    features: pd.DataFrame
    left_out: tuple[str, ...]
    craters_unknown: int

    @property
    def names(self) -> list[str]:
        """Names of the features, in order."""
        return [str(name) for name in self.features.columns]


def population(cells: pd.DataFrame, target: Target) -> Population:
    """Return the cells to learn from.

    Raises:
        ScorerError: A feature holds no value at all, or no cell passes the rule, or none fails it.
    """
    known = cells[list(rule_inputs(target))].notna().all(axis=1).to_numpy()
    names = list(FEATURES)
    if target == "hls" and not cells["buffered_slope_deg"].equals(cells["slope_mean"]):
        names.append("buffered_slope_deg")
    empty = [name for name in names if cells[name][known].isna().all()]
    if empty and known.any() and set(empty) <= set(CRATER_COLUMNS):
        names = [name for name in names if name not in empty]
    elif empty:
        raise ScorerError(
            f"the columns {empty} hold no value in any cell whose inputs of the rule '{target}' are known"
            f" ({known.sum()} of {known.size}); look at the stages that feed them"
        )
    suitable = cells[f"label_{target}"].to_numpy()[known] == "suitable"
    counts = f"{suitable.sum()} pass and {(~suitable).sum()} fail of {known.size} cells"
    if not suitable.any():
        raise ScorerError(
            f"no cell passes the rule '{target}' ({counts}), so there is nothing to learn: relax site.rules.{target}"
            " or look at slope, light and Earth view"
        )
    if suitable.all():
        raise ScorerError(f"every known cell passes the rule '{target}' ({counts}): tighten site.rules.{target}")
    features = cells.loc[known, names].astype(np.float32)
    craters_unknown = int(cells.loc[known, "crater_count_5km"].isna().sum())
    return Population(known, suitable, features, tuple(empty), craters_unknown)


def train(features: pd.DataFrame, suitable: Bools, settings: ScorerSettings) -> xgboost.Booster:
    """Return trees trained on (cells, features); the same input gives the same trees."""
    parameters = {
        "objective": "binary:logistic",
        "tree_method": "hist",
        "max_depth": settings.max_depth,
        "learning_rate": settings.learning_rate,
        "subsample": settings.subsample,
        "colsample_bytree": settings.colsample,
        "seed": settings.seed,
        # Threads of one training wait for one another at every node; the trees are the same with any number of them.
        "nthread": 1,
    }
    matrix = xgboost.DMatrix(features, suitable.astype(np.float32), nthread=1)
    return xgboost.train(parameters, matrix, settings.trees)


def margins(booster: xgboost.Booster, features: pd.DataFrame) -> Floats:
    """Return the log-odds of cells, (cells,)."""
    return np.asarray(booster.predict(xgboost.DMatrix(features, nthread=1), output_margin=True), dtype=np.float32)


def shap_values(booster: xgboost.Booster, features: pd.DataFrame, threads: int = 1) -> tuple[Floats, float]:
    """Return exact tree-SHAP values (cells, features) in log-odds and the model's bias.

    Args:
        booster: The trees.
        features: Features of the cells.
        threads: Blocks of cells that are explained side by side; the values do not depend on it.
    """
    starts = range(0, len(features), _CHUNK)

    def explained(start: int) -> Floats:
        matrix = xgboost.DMatrix(features.iloc[start : start + _CHUNK], nthread=1)
        return np.asarray(booster.predict(matrix, pred_contribs=True), dtype=np.float32)

    with ThreadPoolExecutor(threads) as pool:
        contributions = np.concatenate(list(pool.map(explained, starts)))
    return contributions[:, :-1], float(contributions[0, -1])


def probabilities(score: Floats) -> Floats:
    """Return the logistic function of log-odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-score.astype(np.float64))), dtype=np.float32)


def ranks(score: Floats, known: Bools) -> NDArray[np.int64]:
    """Return the rank of every cell, 1 for the best; ties go by the order of the cells, unknown cells have 0.

    Args:
        score: Scores of the known cells, (known,).
        known: Which cells are known, (cells,).
    """
    order = np.flatnonzero(known)[np.argsort(-score, kind="stable")]
    found = np.zeros(known.size, dtype=np.int64)
    found[order] = np.arange(1, order.size + 1)
    return found


def context_features(names: Sequence[str]) -> list[str]:
    """Return the features that are neither inputs of the rules nor their near copies (other statistics of them)."""
    return [name for name in names if not name.startswith(_FAMILIES_OF_THE_RULES)]
