"""How well a score agrees with a rule's label: in the sample, on blocks of the map it never saw, and beside the rule.

Neighbouring cells are alike, so a random split would test a scorer on what it has seen. Whole square blocks of the map
are held out instead (Roberts et al. 2017, doi 10.1111/ecog.02881).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from lunarsite.settings import ScorerSettings
from lunarsite.site.scorer import margins, train

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Agreement:
    """Area under the ROC curve and average precision over cells; None where they are undefined, and why."""

    auc: float | None
    average_precision: float | None
    cells: int
    why: str = ""


def agreement(score: NDArray[np.floating], suitable: Bools) -> Agreement:
    """Return how well a score separates suitable cells from the others."""
    if suitable.all() or not suitable.any():
        return Agreement(None, None, suitable.size, "all cells carry one label")
    return Agreement(
        float(roc_auc_score(suitable, score)), float(average_precision_score(suitable, score)), suitable.size
    )


def spatial_folds(
    x_m: NDArray[np.float64], y_m: NDArray[np.float64], suitable: Bools, block_km: float, folds: int, seed: int
) -> NDArray[np.int64]:
    """Deal square blocks of the map out to folds and return each cell's fold, (cells,).

    Suitable cells are rare and stand close together. Blocks are therefore dealt from the one with most of them down,
    each to the fold with fewest of them so far (with fewest cells, where that is equal); the seed settles ties.
    """
    corner = np.column_stack([np.floor(x_m / (1e3 * block_km)), np.floor(y_m / (1e3 * block_km))])
    _, block = np.unique(corner, axis=0, return_inverse=True)
    block = block.reshape(-1)
    cells, positives = np.bincount(block), np.bincount(block, weights=suitable)
    shuffled = np.random.default_rng(seed).permutation(cells.size)
    fold_of_block = np.empty(cells.size, dtype=np.int64)
    held_positives, held_cells = np.zeros(folds), np.zeros(folds)
    for index in sorted(shuffled, key=lambda b: (-positives[b], -cells[b])):
        fold = int(np.lexsort((held_cells, held_positives))[0])
        fold_of_block[index] = fold
        held_positives[fold] += positives[index]
        held_cells[fold] += cells[index]
    return fold_of_block[block]


def cross_validated(
    features: pd.DataFrame,
    suitable: Bools,
    fold: NDArray[np.int64],
    settings: ScorerSettings,
    threads: int = 1,
    progress: Callable[[], None] = lambda: None,
) -> Agreement:
    """Return the agreement of scores that were given to each fold by trees trained on all others, pooled.

    A fold whose training part lacks a class makes the whole undefined rather than easier.
    """
    if (np.bincount(fold, minlength=settings.folds) == 0).any():
        return Agreement(None, None, 0, f"the map has fewer blocks of {settings.block_km:g} km than folds")
    for index in range(settings.folds):
        held = fold == index
        if suitable[~held].all() or not suitable[~held].any():
            why = f"without fold {index} all cells carry one label; blocks of {settings.block_km:g} km are too large"
            return Agreement(None, None, 0, why)

    def held_out(index: int) -> NDArray[np.float32]:
        held = fold == index
        return margins(train(features[~held], suitable[~held], settings), features[held])

    score = np.full(suitable.size, np.nan, dtype=np.float32)
    with ThreadPoolExecutor(threads) as pool:
        for index, found in enumerate(pool.map(held_out, range(settings.folds))):
            score[fold == index] = found
            progress()
    return agreement(score, suitable)


def shared_share(one: NDArray[np.floating], other: NDArray[np.floating], most: int) -> float:
    """Return the share of the best `most` cells by one score that are among the best by the other; ties go by order."""
    best = [np.argsort(-score, kind="stable")[:most] for score in (one, other)]
    return float(np.isin(best[0], best[1]).mean())
