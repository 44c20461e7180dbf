"""The learned score: XGBoost on the probability that a cell keeps a rule, with the share of every feature in it.

The trees learn a probability, not a label, so that ground near a limit is graded and not split (`sweeps`). They are
monotone: more slope or permanent shadow never raises a score, more sunlight or Earth view never lowers it, all else
equal. As in the reference system what they learn is a function of columns that are features as well, so agreement with
the rule is no evidence of good landing ground. Cells that lack an input of the rule are neither learned from nor
scored: the trees would learn that missing light means bad ground.

The score is the model's margin (log-odds), the probability its logistic function; the SHAP values of a cell and the
model's bias add up to its score (Lundberg et al. 2020, doi 10.1038/s42256-019-0138-9).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xgboost
from numpy.typing import NDArray

from lunarsite.settings import ScorerSettings
from lunarsite.site.score.families import directions
from lunarsite.site.score.tree_shap import MAX_FEATURES, forest_leaves, forest_shap

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]

_CHUNK = 16_384


def train(
    features: pd.DataFrame,
    target: NDArray[np.floating] | Bools,
    settings: ScorerSettings,
    monotone: bool = True,
    weight: Floats | None = None,
) -> xgboost.Booster:
    """Return trees trained on (cells, features); the same input gives the same trees.

    Args:
        features: Features of the cells; NaN is unknown.
        target: The probability to learn, 0 to 1; a label is learned as the reference system does.
        settings: Of the trees.
        monotone: Whether features may only act in the direction of their family.
        weight: What each cell counts, (cells,); all the same if not given.
    """
    parameters = {
        "objective": "binary:logistic",
        "tree_method": "hist",
        "max_depth": settings.max_depth,
        "learning_rate": settings.learning_rate,
        "subsample": settings.subsample,
        "colsample_bytree": settings.colsample,
        # Bins hold about equally many cells: where few cells lie, wide ones would be steps across the rule's limits.
        "max_bin": settings.max_bin,
        "seed": settings.seed,
        # Threads of one training wait for one another at every node; the trees are the same with any number of them.
        "nthread": 1,
    }
    if monotone:
        parameters["monotone_constraints"] = directions([str(name) for name in features.columns])
    matrix = xgboost.DMatrix(features, target.astype(np.float32), weight=weight, nthread=1)
    return xgboost.train(parameters, matrix, settings.trees)


def margins(booster: xgboost.Booster, features: pd.DataFrame) -> Floats:
    """Return the log-odds of cells, (cells,)."""
    return np.asarray(booster.predict(xgboost.DMatrix(features, nthread=1), output_margin=True), dtype=np.float32)


def shap_values(booster: xgboost.Booster, features: pd.DataFrame, threads: int = 1) -> tuple[Floats, float]:
    """Return exact tree-SHAP values (cells, features) in log-odds and the model's bias.

    Trees whose paths are too wide for tables are explained by XGBoost itself, some ten times slower; the values are the
    same.

    Args:
        booster: The trees.
        features: Features of the cells.
        threads: Blocks of cells that are explained side by side; the values do not depend on it.
    """
    leaves = forest_leaves(booster)
    if leaves.widest > MAX_FEATURES:
        parts = [_library_shap(booster, features[i : i + _CHUNK]) for i in range(0, len(features), _CHUNK)]
        contributions = np.concatenate(parts)
        return contributions[:, :-1], float(contributions[0, -1])
    bias = _library_shap(booster, features[:1])[0, -1]  # the same for every cell
    return forest_shap(leaves, features.to_numpy(np.float32), threads), float(bias)


def _library_shap(booster: xgboost.Booster, features: pd.DataFrame) -> Floats:
    return np.asarray(booster.predict(xgboost.DMatrix(features, nthread=1), pred_contribs=True), dtype=np.float32)


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
