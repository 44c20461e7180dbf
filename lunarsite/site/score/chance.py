"""What chance does to a measure: intervals by drawing blocks of the map anew, and maps spun about the pole.

Cells of one block are alike, so blocks are drawn, not cells. All measures are sums over blocks (of bins, for those that
order cells), so that a thousand draws are a product of two matrices. The expected calibration error gets no interval:
it is a sum of distances, to which every draw adds its noise, so that the draws lie above it and may all miss it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Doubles = NDArray[np.float64]
Bools = NDArray[np.bool_]
Values = NDArray[np.floating[Any]]

DRAWS = 1_000
SPINS = 200
_EDGES = 400
"""Quantiles of the scores of each label between which cells count as tied in the intervals of AUC and precision."""


def block_intervals(
    block: Ints, score: Values, predicted: Values, probability: Values, suitable: Bools, seed: int
) -> dict[str, tuple[float, float]]:
    """Return 95 % intervals of measures by name, from `DRAWS` draws of the blocks with replacement.

    Args:
        block: Block of each cell, counted from 0, (cells,).
        score: What orders the cells.
        predicted: Its probability.
        probability: The Monte Carlo probability.
        suitable: Which cells pass the hard rule.
        seed: Of the draws.
    """
    blocks = int(block.max()) + 1
    times = np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1.0 / blocks), DRAWS).astype(np.float64)
    cells = times @ np.bincount(block, minlength=blocks)
    found: dict[str, Doubles] = {}
    for name, truth in (("probability", probability), ("label", suitable)):
        error = predicted.astype(np.float64) - truth
        found[f"brier_{name}"] = times @ np.bincount(block, weights=error**2, minlength=blocks) / cells
    edges = np.unique(
        np.concatenate([np.quantile(score[of], np.linspace(0.0, 1.0, _EDGES + 1)) for of in (suitable, ~suitable)])
    )
    rank = np.clip(np.searchsorted(edges, score, side="right"), 1, edges.size) - 1
    good, bad = (times @ _by_block(block, rank, edges.size, of.astype(np.float64)) for of in (suitable, ~suitable))
    found |= {"auc": binned_auc(good, bad), "average_precision": binned_average_precision(good, bad)}
    ends: Mapping[str, Doubles] = {name: np.nanquantile(values, (0.025, 0.975)) for name, values in found.items()}
    return {name: (float(low), float(high)) for name, (low, high) in ends.items()}


def _by_block(block: Ints, at: Ints, bins: int, weights: Doubles) -> Doubles:
    blocks = int(block.max()) + 1
    sums = np.bincount(block * bins + at, weights=weights, minlength=blocks * bins)
    return np.asarray(sums.reshape(blocks, bins), dtype=np.float64)


def binned_auc(good: Doubles, bad: Doubles) -> Doubles:
    """Return AUC from counts of suitable and other cells in bins of ascending score, (..., bins); NaN without any."""
    below = np.cumsum(bad, axis=-1) - 0.5 * bad
    pairs = good.sum(axis=-1) * bad.sum(axis=-1)
    found = np.divide((good * below).sum(axis=-1), pairs, out=np.full(np.shape(pairs), np.nan), where=pairs > 0.0)
    return np.asarray(found)


def binned_average_precision(good: Doubles, bad: Doubles) -> Doubles:
    """Return average precision from the same counts; cells of a bin count as tied."""
    hits, all_ = (np.cumsum(counts[..., ::-1], axis=-1) for counts in (good, good + bad))
    precision = np.divide(hits, all_, out=np.zeros(hits.shape), where=all_ > 0.0)
    total = hits[..., -1]
    area = (precision * good[..., ::-1]).sum(axis=-1)
    return np.asarray(np.divide(area, total, out=np.full(np.shape(total), np.nan), where=total > 0.0))


def spun_aucs(x_m: Doubles, y_m: Doubles, score: Values, suitable: Bools, seed: int) -> Doubles:
    """Return the AUC of scores of maps that are spun about the pole by random angles, (spins,).

    A spun map keeps its latitudes and its patches but not its ground: what it still reaches is due to latitude and
    chance. Cells that the spun map does not know are left out.

    Args:
        x_m: Map coordinates of the cells, (cells,), on a square lattice about the pole.
        y_m: The same.
        score: Of the cells.
        suitable: Which cells pass the hard rule.
        seed: Of the angles.
    """
    side_m = float(np.diff(np.unique(x_m)).min())
    left_m, low_m = float(x_m.min()), float(y_m.min())
    cols, rows = (round((float(axis.max()) - least) / side_m) + 1 for axis, least in ((x_m, left_m), (y_m, low_m)))
    bins = np.unique(np.quantile(score, np.linspace(0.0, 1.0, 2 * _EDGES + 1)))
    rank = np.searchsorted(bins, score, side="right")
    lattice = np.full((rows, cols), -1, dtype=np.int64)

    def places(x: Doubles, y: Doubles) -> tuple[Ints, Ints]:
        return np.rint((y - low_m) / side_m).astype(np.int64), np.rint((x - left_m) / side_m).astype(np.int64)

    lattice[places(x_m, y_m)] = rank
    found = np.empty(SPINS)
    for index, angle in enumerate(np.random.default_rng(seed).uniform(0.0, 2.0 * np.pi, SPINS)):
        row, col = places(x_m * np.cos(angle) - y_m * np.sin(angle), x_m * np.sin(angle) + y_m * np.cos(angle))
        inside = (row >= 0) & (row < rows) & (col >= 0) & (col < cols)
        spun = np.full(x_m.size, -1, dtype=np.int64)
        spun[inside] = lattice[row[inside], col[inside]]
        good, bad = (np.bincount(spun[of & (spun >= 0)], minlength=bins.size + 1) for of in (suitable, ~suitable))
        found[index] = binned_auc(good.astype(np.float64), bad.astype(np.float64))
    return found
