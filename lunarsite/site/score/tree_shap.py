"""Exact SHAP values of a forest of shallow trees, some ten times faster than tree SHAP as XGBoost has it.

To a leaf a cell is only the set of the path's features whose splits it meets. The leaf's share in the SHAP values is
therefore tabulated once for each of these sets (FastTreeSHAP v2: Yang 2021, arXiv 2109.09847), which pays where cells
are many and trees shallow. Values are those of path-dependent tree SHAP (Lundberg et al. 2020, doi
10.1038/s42256-019-0138-9): what lies below a split that is not met counts by its share of the training's weight.

A leaf with d features costs d comparisons and d additions for each cell, and d 2^d numbers once. Tables are made for as
many leaves at a time as fit `_TABLE_NUMBERS`, so that memory does not grow with the forest.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xgboost

MAX_FEATURES = 8
"""Tables double with every feature of a path; beyond this XGBoost's own algorithm is the better one."""

Doubles = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_BLOCK = 512
"""Cells that are explained together: their sums stay in the processor's cache."""
_TABLE_NUMBERS = 4_194_304
"""Numbers of the tables that are held at a time: 32 MiB."""
_Path = dict[int, tuple[float, float, bool, float]]


@dataclass(frozen=True)
class Leaves:
    """All leaves of a forest, each with the splits above it gathered by feature.

    A cell meets a path's splits on a feature if low <= value < high, or if the value is NaN and all splits send NaN
    down the path. `start` (leaves + 1) delimits each leaf's conditions, `weight` is its value, and `absent` the
    product of the shares of weight that a condition's splits send down the path.
    """

    start: Ints
    weight: Doubles
    feature: Ints
    low: Singles
    high: Singles
    takes_nan: Bools
    absent: Doubles

    @property
    def widest(self) -> int:
        """Features of the path that splits on most."""
        return int(np.diff(self.start).max(initial=0))


def forest_leaves(booster: xgboost.Booster) -> Leaves:
    """Read the leaves of a booster with one output and numeric splits from its JSON form."""
    model = json.loads(bytes(booster.save_raw("json")))
    found: list[tuple[float, _Path]] = []
    for tree in model["learner"]["gradient_booster"]["model"]["trees"]:
        _descend(tree, 0, {}, found)
    conditions = [condition for _, path in found for condition in path.items()]
    return Leaves(
        start=np.concatenate([[0], np.cumsum([len(path) for _, path in found])]).astype(np.int64),
        weight=np.array([weight for weight, _ in found], dtype=np.float64),
        feature=np.array([feature for feature, _ in conditions], dtype=np.int64),
        low=np.array([low for _, (low, _, _, _) in conditions], dtype=np.float32),
        high=np.array([high for _, (_, high, _, _) in conditions], dtype=np.float32),
        takes_nan=np.array([nan for _, (_, _, nan, _) in conditions], dtype=np.bool_),
        absent=np.array([share for _, (_, _, _, share) in conditions], dtype=np.float64),
    )


def forest_shap(leaves: Leaves, features: Singles, threads: int = 1) -> Singles:
    """Return the SHAP values (cells, features) of a forest, without the bias.

    Args:
        leaves: The forest's leaves.
        features: (cells, features), in the order in which the booster was trained; NaN is unknown.
        threads: Parts of the cells that are explained side by side; the values do not depend on it.

    Raises:
        ValueError: A path splits on more than `MAX_FEATURES` features.
    """
    if leaves.widest > MAX_FEATURES:
        raise ValueError(f"a path splits on {leaves.widest} features; tables are for at most {MAX_FEATURES}")
    columns = np.ascontiguousarray(features.T, dtype=np.float32)
    sums = np.zeros(columns.shape)
    with ThreadPoolExecutor(threads) as pool:
        for first, last in _batches(leaves.start):
            _add_batch(leaves, first, last, columns, sums, pool, threads)
    return np.ascontiguousarray(sums.T, dtype=np.float32)


def _add_batch(
    leaves: Leaves, first: int, last: int, columns: Singles, sums: Doubles, pool: ThreadPoolExecutor, threads: int
) -> None:
    """Add the shares of the leaves first to last (not included) to the SHAP values of all cells."""
    start, cells = leaves.start[first : last + 1], columns.shape[1]
    table_start = _table_starts(start)
    tables = _tables(start, leaves.weight[first:last], leaves.absent, table_start)
    splits = leaves.feature, leaves.low, leaves.high, leaves.takes_nan

    def explain(begin: int) -> None:
        _explain(columns, begin, min(begin + part, cells), start, *splits, table_start, tables, sums)

    part = _BLOCK * max(1, math.ceil(cells / (_BLOCK * 4 * threads)))  # whole blocks, a few parts for each thread
    list(pool.map(explain, range(0, cells, part)))


def _descend(tree: dict[str, Any], node: int, path: _Path, found: list[tuple[float, _Path]]) -> None:
    left, right = tree["left_children"][node], tree["right_children"][node]
    if left == -1:
        found.append((tree["split_conditions"][node], path))
        return
    feature, split = tree["split_indices"][node], tree["split_conditions"][node]
    nan_goes_left = bool(tree["default_left"][node])
    low, high, takes_nan, absent = path.get(feature, (-math.inf, math.inf, True, 1.0))
    for child, bounds, nan in (
        (left, (low, min(high, split)), nan_goes_left),
        (right, (max(low, split), high), not nan_goes_left),
    ):
        share = tree["sum_hessian"][child] / tree["sum_hessian"][node]
        _descend(tree, child, {**path, feature: (*bounds, takes_nan and nan, absent * share)}, found)


def _table_starts(start: Ints) -> Ints:
    widths = np.diff(start)
    return np.concatenate([[0], np.cumsum(widths << widths)]).astype(np.int64)


def _batches(start: Ints) -> Iterator[tuple[int, int]]:
    """Yield runs of leaves, first and one past the last, whose tables fit `_TABLE_NUMBERS`; one leaf at the least."""
    ends, first = _table_starts(start), 0
    while first < start.size - 1:
        last = max(first + 1, int(np.searchsorted(ends, ends[first] + _TABLE_NUMBERS, side="right")) - 1)
        yield first, last
        first = last


@njit(cache=True, nogil=True)
def _tables(start: Ints, weight: Doubles, absent: Doubles, table_start: Ints) -> Doubles:
    """Tabulate each leaf's share in the SHAP values by the set of met conditions: [set, condition], leaf by leaf.

    For condition j of d and the set P of met ones it is weight * (met_j - absent_j) times the sum over subsets S of
    P without j of |S|! (d - |S| - 1)! / d! * product of absent_k over all k neither in S nor j.
    """
    tables = np.empty(table_start[-1])
    for leaf in range(weight.size):
        first, d = start[leaf], start[leaf + 1] - start[leaf]
        sums = np.empty(d + 1)  # by the size of S
        for met in range(1 << d):
            for j in range(d):
                sums[:] = 0.0
                sums[0] = 1.0
                for k in range(d):
                    if k == j:
                        continue
                    share = absent[first + k]
                    joins = (met >> k) & 1
                    for size in range(d, 0, -1):
                        sums[size] = share * sums[size] + joins * sums[size - 1]
                    sums[0] *= share
                total, chance = 0.0, 1.0 / d  # |S|! (d - |S| - 1)! / d!
                for size in range(d):
                    total += chance * sums[size]
                    chance *= (size + 1.0) / max(d - size - 1.0, 1.0)
                gain = ((met >> j) & 1) - absent[first + j]
                tables[table_start[leaf] + met * d + j] = weight[leaf] * gain * total
    return tables


@njit(cache=True, nogil=True)
def _explain(
    columns: Singles,
    begin: int,
    end: int,
    start: Ints,
    feature: Ints,
    low: Singles,
    high: Singles,
    takes_nan: Bools,
    table_start: Ints,
    tables: Doubles,
    out: Doubles,
) -> None:
    """Add the share of some leaves to the SHAP values of the cells begin to end: out (features, cells)."""
    met = np.empty(_BLOCK, np.int64)
    for at in range(begin, end, _BLOCK):
        size = min(_BLOCK, end - at)
        for leaf in range(start.size - 1):
            first, d = start[leaf], start[leaf + 1] - start[leaf]
            met[:] = 0
            for k in range(d):
                column = columns[feature[first + k]]
                least, most, nan = low[first + k], high[first + k], takes_nan[first + k]
                bit = 1 << k
                for i in range(size):
                    value = column[at + i]
                    inside = (value >= least) & (value < most)
                    missing = (value != value) & nan  # noqa: PLR0124 - only NaN differs from itself
                    met[i] += bit * (inside | missing)
            table = tables[table_start[leaf] : table_start[leaf + 1]]
            for k in range(d):
                total = out[feature[first + k]]
                for i in range(size):
                    total[at + i] += table[met[i] * d + k]
