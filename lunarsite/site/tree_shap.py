"""Exact SHAP values of a forest of shallow trees, some ten times faster than tree SHAP as XGBoost has it.

To a leaf a cell is only the set of the path's features whose splits it meets. The leaf's share in the SHAP values is
therefore tabulated once for each of these sets (FastTreeSHAP v2: Yang 2021, arXiv 2109.09847), which pays where cells
are many and trees shallow. Values are those of path-dependent tree SHAP (Lundberg et al. 2020, doi
10.1038/s42256-019-0138-9): what lies below a split that is not met counts by its share of the training's weight.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xgboost

MAX_DEPTH = 8
"""Tables double with every level; beyond this depth XGBoost's own algorithm is the better one."""

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

_BLOCK = 512


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
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    takes_nan: NDArray[np.bool_]
    absent: Doubles


def forest_shap(booster: xgboost.Booster, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the SHAP values (cells, features) of a forest with one output, without the bias.

    Args:
        booster: Trees with numeric splits.
        features: (cells, features), in the order in which the booster was trained.

    Raises:
        ValueError: A path splits on more than `MAX_DEPTH` features.
    """
    leaves = forest_leaves(booster)
    widths = np.diff(leaves.start)
    if widths.size and widths.max() > MAX_DEPTH:
        raise ValueError(f"a path splits on {widths.max()} features; tables are for at most {MAX_DEPTH}")
    table_start = np.concatenate([[0], np.cumsum(widths << widths)])
    tables = _tables(leaves.start, leaves.weight, leaves.absent, table_start)
    columns = np.ascontiguousarray(features.T, dtype=np.float32)
    return np.asarray(
        _explain(
            columns, leaves.start, leaves.feature, leaves.low, leaves.high, leaves.takes_nan, table_start, tables
        ).T
    )


def forest_leaves(booster: xgboost.Booster) -> Leaves:
    """Read the leaves of a booster from its JSON form."""
    model = json.loads(bytes(booster.save_raw("json")))
    found: list[tuple[float, dict[int, tuple[float, float, bool, float]]]] = []
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


def _descend(
    tree: dict[str, Any],
    node: int,
    path: dict[int, tuple[float, float, bool, float]],
    found: list[tuple[float, dict[int, tuple[float, float, bool, float]]]],
) -> None:
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


@njit(cache=True)
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


@njit(cache=True, parallel=True)
def _explain(
    columns: NDArray[np.float32],
    start: Ints,
    feature: Ints,
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    takes_nan: NDArray[np.bool_],
    table_start: Ints,
    tables: Doubles,
) -> NDArray[np.float32]:
    count, cells = columns.shape
    out = np.empty(columns.shape, np.float32)
    for block in prange((cells + _BLOCK - 1) // _BLOCK):
        begin = block * _BLOCK
        size = min(_BLOCK, cells - begin)
        sums = np.zeros((count, _BLOCK))
        met = np.empty(_BLOCK, np.int64)
        for leaf in range(start.size - 1):
            first, d = start[leaf], start[leaf + 1] - start[leaf]
            met[:] = 0
            for k in range(d):
                column = columns[feature[first + k]]
                least, most, nan = low[first + k], high[first + k], takes_nan[first + k]
                bit = 1 << k
                for i in range(size):
                    value = column[begin + i]
                    inside = (value >= least) & (value < most)
                    missing = (value != value) & nan  # noqa: PLR0124 - only NaN differs from itself
                    met[i] += bit * (inside | missing)
            table = tables[table_start[leaf] : table_start[leaf + 1]]
            for k in range(d):
                total = sums[feature[first + k]]
                for i in range(size):
                    total[i] += table[met[i] * d + k]
        for f in range(count):
            for i in range(size):
                out[f, begin + i] = sums[f, i]
    return out
