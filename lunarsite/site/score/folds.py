"""Dealing the map out to folds: single cells at random, or whole square blocks.

Neighbouring cells are alike, so a random deal tests a scorer on what it has seen. Whole blocks of the map are held out
instead, and a zone about them is trained on by no one (Roberts et al. 2017, doi 10.1111/ecog.02881).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Ints = NDArray[np.int64]
Doubles = NDArray[np.float64]
Bools = NDArray[np.bool_]


def block_of(x_m: Doubles, y_m: Doubles, block_km: float) -> Ints:
    """Return the block of each cell, (cells,), counted from 0; with 0 km each cell is its own."""
    if block_km == 0.0:
        return np.arange(x_m.size)
    corner = np.column_stack([np.floor(x_m / (1e3 * block_km)), np.floor(y_m / (1e3 * block_km))])
    return np.asarray(np.unique(corner, axis=0, return_inverse=True)[1].reshape(-1), dtype=np.int64)


def deal(block: Ints, suitable: Bools, folds: int, seed: int) -> Ints:
    """Deal blocks out to folds and return each cell's fold, (cells,).

    Suitable cells are rare and stand close together. Blocks that hold any are therefore dealt from the one with most of
    them down, each to the fold with fewest of them so far; the others after them, the largest first, each to the fold
    with fewest cells. The seed settles ties. Single cells are dealt in turn after a shuffle.
    """
    draws = np.random.default_rng(seed)
    cells = np.bincount(block)
    if (cells == 1).all():
        return draws.permutation(block.size) % folds
    positives = np.bincount(block, weights=suitable)
    fold_of_block = np.empty(cells.size, dtype=np.int64)
    held_positives, held_cells = np.zeros(folds), np.zeros(folds)
    for index in sorted(draws.permutation(cells.size), key=lambda b: (-positives[b], -cells[b])):
        fewest = (held_cells, held_positives) if positives[index] else (held_cells,)
        fold = int(np.lexsort(fewest)[0])
        fold_of_block[index] = fold
        held_positives[fold] += positives[index]
        held_cells[fold] += cells[index]
    return fold_of_block[block]


def training_cells(x_m: Doubles, y_m: Doubles, fold: Ints, folds: int, dead_zone_km: float) -> Bools:
    """Return which cells the model of each fold is trained on, (folds, cells).

    Args:
        x_m: Map coordinates of the cells, (cells,).
        y_m: The same.
        fold: The fold in which each cell is held out, (cells,).
        folds: How many there are.
        dead_zone_km: Cells closer than that to a held-out one are left out.
    """
    trained: Bools = np.not_equal(fold, np.arange(folds)[:, None])
    if dead_zone_km == 0.0:
        return trained
    places = np.column_stack([x_m, y_m])
    for index, rest in enumerate(trained):
        if rest.any() and not rest.all():
            held = cKDTree(places[fold == index])
            distance_m, _ = held.query(places[rest], distance_upper_bound=1e3 * dead_zone_km)
            rest[rest] = np.isinf(distance_m)  # the bound itself is no longer too close
    return trained


def why_not(fold: Ints, trained: Bools, suitable: Bools, dead_zone_km: float = 0.0) -> str:
    """Return why a deal cannot be used, or '': a fold is empty, or leaves no cells or only one label to train on.

    Args:
        fold: The fold in which each cell is held out, (cells,).
        trained: Which cells the model of each fold is trained on, (folds, cells).
        suitable: Which cells pass the hard rule, (cells,).
        dead_zone_km: The zone in which no cell was trained on.
    """
    if (np.bincount(fold, minlength=len(trained)) == 0).any():
        return "the map has fewer blocks than folds"
    zone = f" and {dead_zone_km:g} km around it" if dead_zone_km else ""
    small = "too small for site.crossvalidation.dead_zone_km"
    for index, cells in enumerate(trained):
        rest = suitable[cells]
        if not rest.size:
            return f"without fold {index}{zone} no cell is left to train on; the blocks are {small}"
        if rest.all() or not rest.any():
            large = f"too large, or {small}" if zone else "too large"
            return f"without fold {index}{zone} all cells carry one label; the blocks are {large}"
    return ""
