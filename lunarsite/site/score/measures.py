"""How good a forecast is: does it order cells as the rule does, and do its probabilities mean what they say?

Order: area under the ROC curve and average precision against the hard rule's label. Probabilities: the Brier score (the
mean square error) and the expected calibration error (ECE: by bins of the forecast, the mean distance of forecast and
truth, weighted by cells; Naeini et al. 2015, AAAI), against the Monte Carlo probability and against the hard label. A
constant forecast at the base rate is perfectly calibrated and useless, so its Brier score stands beside.

Nineteen cells of twenty are so steep or dark that any forecast is right. The undecided ones, whose Monte Carlo
probability is neither near 0 nor near 1, are therefore measured on their own as well.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

Bools = NDArray[np.bool_]
Values = NDArray[np.floating[Any]]

BINS = 15
UNDECIDED = (0.05, 0.95)
"""Monte Carlo probabilities of cells that count as undecided."""


def measures(score: Values, predicted: Values, probability: Values, suitable: Bools) -> dict[str, float | None]:
    """Return all measures of a forecast, those of the undecided cells with the prefix 'undecided_'.

    Args:
        score: What orders the cells, (cells,).
        predicted: Its probability, (cells,), 0 to 1.
        probability: The Monte Carlo probability, (cells,).
        suitable: Which cells pass the hard rule, (cells,).

    Returns:
        By name; None where there is no cell, or only one label, to measure it.
    """
    zone = undecided(probability)
    inside = _measures(score[zone], predicted[zone], probability[zone], suitable[zone])
    return _measures(score, predicted, probability, suitable) | {f"undecided_{k}": v for k, v in inside.items()}


def undecided(probability: Values) -> Bools:
    """Return which cells are neither clearly good nor clearly bad."""
    return np.asarray((probability >= UNDECIDED[0]) & (probability <= UNDECIDED[1]))


def _measures(score: Values, predicted: Values, probability: Values, suitable: Bools) -> dict[str, float | None]:
    auc, average_precision = ranking(score, suitable)
    found: dict[str, float | None] = {
        "cells": float(suitable.size),
        "base_rate": float(suitable.mean()) if suitable.size else None,
        "auc": auc,
        "average_precision": average_precision,
    }
    for name, truth in (("probability", probability), ("label", suitable)):
        known = suitable.size > 0
        found |= {
            f"brier_{name}": brier(predicted, truth) if known else None,
            f"brier_base_{name}": brier(np.full(truth.size, truth.mean()), truth) if known else None,
            f"ece_{name}": ece(predicted, truth, equal_width_bins(predicted)) if known else None,
            f"ece_equal_mass_{name}": ece(predicted, truth, equal_mass_bins(predicted)) if known else None,
        }
    return found


def ranking(score: Values, suitable: Bools) -> tuple[float | None, float | None]:
    """Return AUC and average precision against a label; None where all cells carry one label."""
    if suitable.size == 0 or suitable.all() or not suitable.any():
        return None, None
    return float(roc_auc_score(suitable, score)), float(average_precision_score(suitable, score))


def brier(predicted: Values, truth: Values | Bools) -> float:
    """Return the mean square difference of a forecast and what is true."""
    return float(np.mean((predicted.astype(np.float64) - truth.astype(np.float64)) ** 2))


def ece(predicted: Values, truth: Values | Bools, bins: NDArray[np.int64]) -> float:
    """Return the expected calibration error over bins: the mean distance of mean forecast and mean truth."""
    gaps = np.bincount(bins, weights=predicted.astype(np.float64) - truth.astype(np.float64))
    return float(np.abs(gaps).sum() / predicted.size)


def equal_width_bins(predicted: Values) -> NDArray[np.int64]:
    """Return the bin of each forecast, 0 to `BINS` - 1, of bins of equal width."""
    return np.minimum((predicted * BINS).astype(np.int64), BINS - 1)


def equal_mass_bins(predicted: Values) -> NDArray[np.int64]:
    """Return the bin of each forecast, of bins of equally many cells in the order of the forecast."""
    found = np.empty(predicted.size, dtype=np.int64)
    found[np.argsort(predicted, kind="stable")] = np.arange(predicted.size) * BINS // max(predicted.size, 1)
    return found


def calibration_bins(predicted: Values, probability: Values, suitable: Bools) -> pd.DataFrame:
    """Return a row for each bin of equal width that holds cells: bin, predicted, expected, passing, cells."""
    columns = {"predicted": predicted, "expected": probability, "passing": suitable}
    frame = pd.DataFrame({name: values.astype(np.float64) for name, values in columns.items()})
    groups = frame.groupby(equal_width_bins(predicted).astype(np.int32))
    found = groups.mean().clip(0.0, 1.0).assign(cells=groups.size().astype(np.int64))
    return found.rename_axis("bin").reset_index()
