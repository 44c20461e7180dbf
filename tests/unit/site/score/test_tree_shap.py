"""SHAP values from tables of leaves: against XGBoost's own and against the definition."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lunarsite.site.score import tree_shap
from lunarsite.site.score.tree_shap import MAX_FEATURES, forest_leaves, forest_shap


def trained(depth: int, missing: float, trees: int = 25) -> tuple[xgboost.Booster, NDArray[np.float32]]:
    draws = np.random.default_rng(depth)
    values = draws.normal(size=(3000, 10)).astype(np.float32)
    label = (values[:, 0] + values[:, 1] * values[:, 2] + draws.normal(0, 0.5, 3000)) > 0.3
    values[draws.random(values.shape) < missing] = np.nan
    parameters = {"objective": "binary:logistic", "max_depth": depth, "subsample": 0.8, "seed": 1, "nthread": 1}
    return xgboost.train(parameters, xgboost.DMatrix(values, label), trees), values


@pytest.mark.parametrize("depth", [1, 3, 6, MAX_FEATURES])
@pytest.mark.parametrize("missing", [0.0, 0.15])
def test_they_are_those_of_xgboost(depth: int, missing: float) -> None:
    booster, values = trained(depth, missing)
    expected = booster.predict(xgboost.DMatrix(values), pred_contribs=True)
    np.testing.assert_allclose(forest_shap(forest_leaves(booster), values), expected[:, :-1], atol=2e-5)


def test_they_are_shapley_values_by_definition() -> None:
    booster, values = trained(4, 0.1, trees=3)
    leaves, cell = forest_leaves(booster), values[7]

    def worth(chosen: frozenset[int]) -> float:
        total = 0.0
        for leaf in range(leaves.weight.size):
            share = leaves.weight[leaf]
            for k in range(leaves.start[leaf], leaves.start[leaf + 1]):
                value, feature = cell[leaves.feature[k]], int(leaves.feature[k])
                met = bool(leaves.takes_nan[k]) if np.isnan(value) else bool(leaves.low[k] <= value < leaves.high[k])
                share *= float(met) if feature in chosen else leaves.absent[k]
            total += float(share)
        return total

    found = forest_shap(forest_leaves(booster), values[7:8])[0]
    count = values.shape[1]
    for feature in range(3):
        others = [other for other in range(count) if other != feature]
        expected = 0.0
        for size in range(count):
            chance = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
            for chosen in itertools.combinations(others, size):
                expected += chance * (worth(frozenset(chosen) | {feature}) - worth(frozenset(chosen)))
        assert found[feature] == pytest.approx(expected, abs=1e-6)


def test_trees_without_a_split_share_nothing() -> None:
    values = np.zeros((50, 3), np.float32)
    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(values, np.arange(50) % 2), 2)
    assert (forest_shap(forest_leaves(booster), values) == 0.0).all()


def test_deep_trees_are_refused() -> None:
    booster, values = trained(14, 0.0)
    with pytest.raises(ValueError, match="at most 8"):
        forest_shap(forest_leaves(booster), values)


@given(
    st.integers(0, 2**20),
    st.integers(1, 700),
    st.integers(1, 5),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.3, 0.9]),
    st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_any_small_forest_agrees_with_xgboost(
    seed: int, cells: int, features: int, depth: int, missing: float, coarse: bool
) -> None:
    draws = np.random.default_rng(seed)
    values = draws.normal(size=(cells, features)).astype(np.float32)
    if coarse:  # many values on the very splits
        values = np.round(values)
    target = draws.random(cells)
    values[draws.random(values.shape) < missing] = np.nan
    parameters = {
        "objective": "binary:logistic",
        "max_depth": depth,
        "min_child_weight": 0.0,
        "base_score": 0.3,
        "nthread": 1,
    }
    booster = xgboost.train(parameters, xgboost.DMatrix(values, target), 4)
    expected = booster.predict(xgboost.DMatrix(values), pred_contribs=True)
    np.testing.assert_allclose(forest_shap(forest_leaves(booster), values), expected[:, :-1], atol=2e-5)


def test_neither_threads_nor_batches_of_leaves_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    booster, values = trained(5, 0.1)
    leaves = forest_leaves(booster)
    whole = forest_shap(leaves, values)
    assert forest_shap(leaves, values, threads=3).tobytes() == whole.tobytes()
    monkeypatch.setattr(tree_shap, "_TABLE_NUMBERS", 200)
    batches = list(tree_shap._batches(leaves.start))
    assert len(batches) > 10
    assert [first for first, _ in batches[1:]] == [last for _, last in batches[:-1]]
    assert (batches[0][0], batches[-1][1]) == (0, leaves.weight.size)
    np.testing.assert_allclose(forest_shap(leaves, values), whole, atol=1e-6)
