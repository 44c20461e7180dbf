"""Ranks of brightness with intervals from blocks: known areas, correlations and counts, ties and too little ground."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from lunarsite.validate.shadowcam_ranks import Blocks, auc, auc_estimate, blocks_of, correlation_estimate, crossed


def ground(seed: int, pixels: int = 4_000, side_m: float = 1_000.0, draws: int = 400) -> tuple[NDArray, Blocks]:
    generator = np.random.default_rng(seed)
    x_m, y_m = generator.uniform(-6_000.0, 6_000.0, (2, pixels))
    return generator.normal(size=pixels), blocks_of(x_m, y_m, side_m, draws, seed)


def test_area_is_that_of_a_peer_with_ties_and_infinite_scores() -> None:
    generator = np.random.default_rng(3)
    score = np.round(generator.normal(size=5_000), 1)
    positive = generator.random(5_000) < 1.0 / (1.0 + np.exp(-score))
    assert auc(score, positive) == pytest.approx(roc_auc_score(positive, score), abs=1e-12)
    saturated = np.where(score > 1.0, np.inf, score)
    expected = roc_auc_score(positive, np.minimum(score, 1.1))
    assert auc(saturated, positive) == pytest.approx(expected, abs=1e-12)


def test_area_knows_perfect_reversed_and_no_order() -> None:
    score = np.arange(10.0)
    assert auc(score, score >= 4) == 1.0
    assert auc(-score, score >= 4) == 0.0
    assert auc(np.zeros(10), score >= 4) == 0.5
    assert auc(score, np.ones(10, np.bool_)) is None
    assert auc(score, np.zeros(10, np.bool_)) is None


def test_drawn_areas_are_those_of_the_drawn_pixels() -> None:
    """A draw takes whole blocks, some of them several times: its area is that of the pixels laid side by side."""
    score, blocks = ground(5, pixels=600, draws=100)
    positive = np.random.default_rng(6).random(600) < 0.3
    found = auc_estimate(score, positive, blocks)
    laid = []
    for weight in blocks.weights:
        taken = np.repeat(np.arange(600), weight[blocks.block].astype(int))
        laid.append(roc_auc_score(positive[taken], score[taken]))
    low, high = np.quantile(laid, (0.025, 0.975))
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)


def test_many_different_scores_are_told_apart_well_enough() -> None:
    score, blocks = ground(7, pixels=30_000, draws=200)
    positive = score + np.random.default_rng(8).normal(size=score.size) > 1.0
    found = auc_estimate(score, positive, blocks)
    coarse = auc_estimate(np.round(score * 150.0), positive, blocks)
    assert found.value == pytest.approx(roc_auc_score(positive, score), abs=1e-12)
    assert (found.low, found.high) == pytest.approx((coarse.low, coarse.high), abs=2e-4)
    assert found.low < found.value < found.high


def test_an_interval_from_blocks_is_wider_where_neighbours_are_alike() -> None:
    generator = np.random.default_rng(11)
    x_m, y_m = generator.uniform(0.0, 12_000.0, (2, 8_000))
    pieces = generator.normal(size=(12, 12))[(y_m // 1_000).astype(int), (x_m // 1_000).astype(int)]
    positive = pieces + 0.1 * generator.normal(size=8_000) > 0.5
    score = (
        np.roll(pieces, 0) * 0.3
        + generator.normal(size=(12, 12))[(y_m // 1_000).astype(int), (x_m // 1_000).astype(int)]
    )
    wide, narrow = (auc_estimate(score, positive, blocks_of(x_m, y_m, side_m, 500, 1)) for side_m in (1_000.0, 20.0))
    assert wide.high - wide.low > 4.0 * (narrow.high - narrow.low)


def test_too_few_blocks_have_no_interval() -> None:
    score = np.arange(100.0)
    blocks = blocks_of(score, score, 30.0, 100, 1)
    found = auc_estimate(score, score > 50, blocks)
    assert (found.value, found.low, found.high) == (1.0, None, None)


def test_correlation_is_spearmans_and_unknown_for_a_constant() -> None:
    first, blocks = ground(13)
    second = np.round(first + np.random.default_rng(14).normal(size=first.size), 1)
    found = correlation_estimate(first, second, blocks)
    assert found.value == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)
    assert found.low < found.value < found.high
    assert correlation_estimate(first, np.full(first.size, 0.1), blocks).value is None
    assert correlation_estimate(first[:2], second[:2], blocks.of(np.arange(first.size) < 2)).value is None


def test_masks_are_crossed_as_a_table_of_four_counts() -> None:
    chosen = np.repeat([True, True, False, False], [30, 10, 40, 20])
    other = np.repeat([True, False, True, False], [30, 10, 40, 20])
    x_m = np.tile(np.arange(10.0), 10)
    found = crossed(chosen, other, blocks_of(x_m, np.zeros(100), 1.0, 300, 2))
    assert found is not None
    assert (found.share, found.base, found.agreement, found.majority) == (0.4, 0.7, 0.5, 0.7)
    assert found.hit.value == 0.75
    assert found.lift.value == pytest.approx(0.75 / 0.7)
    assert found.odds.value == pytest.approx((30.5 * 20.5) / (10.5 * 40.5))
    assert found.phi.value == pytest.approx(np.corrcoef(chosen, other)[0, 1])
    assert found.hit.low <= 0.75 <= found.hit.high
    assert crossed(np.ones(100, np.bool_), other, blocks_of(x_m, x_m, 1.0, 100, 2)) is None


def test_a_kind_that_is_missing_has_no_odds() -> None:
    chosen = np.arange(100) < 30
    found = crossed(chosen, np.ones(100, np.bool_), blocks_of(np.arange(100.0), np.zeros(100), 10.0, 100, 2))
    assert found is not None
    assert found.hit.value == 1.0
    assert found.odds.value is None
    assert found.phi.value is None


def test_a_choice_that_has_nothing_to_do_with_shadow_has_lift_one() -> None:
    """The base rate is what any choice reaches: here 85 % of it is shadow, and so is 85 % of all."""
    generator = np.random.default_rng(17)
    x_m, y_m = generator.uniform(0.0, 20_000.0, (2, 20_000))
    shadow, chosen = generator.random(20_000) < 0.85, generator.random(20_000) < 0.5
    found = crossed(chosen, shadow, blocks_of(x_m, y_m, 1_000.0, 500, 3))
    assert found is not None
    assert found.hit.value == pytest.approx(0.85, abs=0.01)
    assert found.lift.low < 1.0 < found.lift.high
    assert found.odds.low < 1.0 < found.odds.high
    assert found.agreement < found.majority
