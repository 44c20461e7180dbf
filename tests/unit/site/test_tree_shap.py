"""SHAP values from tables of leaves: against XGBoost's own and against the definition."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

from lunarsite.site.tree_shap import MAX_DEPTH, forest_leaves, forest_shap


def trained(depth: int, missing: float, trees: int = 25) -> tuple[xgboost.Booster, NDArray[np.float32]]:
    draws = np.random.default_rng(depth)
    values = draws.normal(size=(3000, 10)).astype(np.float32)
    label = (values[:, 0] + values[:, 1] * values[:, 2] + draws.normal(0, 0.5, 3000)) > 0.3
    values[draws.random(values.shape) < missing] = np.nan
    parameters = {"objective": "binary:logistic", "max_depth": depth, "subsample": 0.8, "seed": 1, "nthread": 1}
    return xgboost.train(parameters, xgboost.DMatrix(values, label), trees), values


@pytest.mark.parametrize("depth", [1, 3, 6, MAX_DEPTH])
@pytest.mark.parametrize("missing", [0.0, 0.15])
def test_they_are_those_of_xgboost(depth: int, missing: float) -> None:
    booster, values = trained(depth, missing)
    expected = booster.predict(xgboost.DMatrix(values), pred_contribs=True)
    np.testing.assert_allclose(forest_shap(booster, values), expected[:, :-1], atol=2e-5)


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

    found = forest_shap(booster, values[7:8])[0]
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
    assert (forest_shap(booster, values) == 0.0).all()


def test_deep_trees_are_refused() -> None:
    booster, values = trained(14, 0.0)
    with pytest.raises(ValueError, match="at most 8"):
        forest_shap(booster, values)
