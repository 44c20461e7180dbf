"""Measures, folds, intervals, nulls and baselines against what is known of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from lunarsite.site.score import baselines
from lunarsite.site.score.chance import (
    DRAWS,
    binned_auc,
    binned_average_precision,
    block_intervals,
    spun_aucs,
)
from lunarsite.site.score.folds import block_of, deal, training_cells, why_not
from lunarsite.site.score.measures import (
    BINS,
    brier,
    calibration_bins,
    ece,
    equal_mass_bins,
    equal_width_bins,
    measures,
    ranking,
)

X_M, Y_M = (axis.ravel() * 960.0 for axis in np.meshgrid(np.arange(-30, 31), np.arange(-30, 31)))


def test_calibrated_forecasts_have_no_ece_and_shifted_ones_their_shift() -> None:
    draws = np.random.default_rng(0)
    truth = draws.random(200_000)
    label = draws.random(truth.size) < truth
    bins = equal_width_bins(truth)
    assert ece(truth, truth, bins) == 0.0
    assert ece(truth, label, bins) < 0.005
    shifted = np.clip(truth + 0.1, 0.0, 1.0)
    assert ece(shifted, truth, equal_width_bins(shifted)) == pytest.approx(0.095, abs=0.001)
    assert ece(shifted, truth, equal_mass_bins(shifted)) == pytest.approx(0.095, abs=0.001)
    assert brier(truth, label) == pytest.approx(1.0 / 6.0, abs=0.002)  # the mean of p (1 - p)


def test_a_constant_at_the_base_rate_is_calibrated_and_has_the_brier_score_of_its_variance() -> None:
    suitable = np.arange(1000) < 50
    found = measures(np.zeros(1000), np.full(1000, 0.05), suitable * 0.9 + 0.01, suitable)
    assert found["ece_label"] == pytest.approx(0.0)
    assert found["brier_label"] == found["brier_base_label"] == pytest.approx(0.05 * 0.95)
    assert found["auc"] == pytest.approx(0.5)
    assert found["average_precision"] == found["base_rate"] == pytest.approx(0.05)


def test_undecided_cells_are_measured_on_their_own() -> None:
    probability = np.array([0.0, 0.0, 0.0, 0.04, 0.05, 0.5, 0.95, 0.96, 1.0])
    suitable = probability > 0.4
    forecast = np.where((probability > 0.04) & (probability < 0.96), probability + 0.05, probability)
    found = measures(forecast, forecast, probability, suitable)
    assert found["undecided_cells"] == 3
    assert found["undecided_ece_probability"] == pytest.approx(0.05)
    assert found["ece_probability"] == pytest.approx(0.05 / 3.0)
    none = measures(forecast[:3], forecast[:3], probability[:3], suitable[:3])
    assert none["undecided_cells"] == 0
    assert none["auc"] is none["undecided_brier_label"] is None


@pytest.mark.parametrize("suitable", [[], [True], [False, False]])
def test_order_is_unknown_with_one_label(suitable: list[bool]) -> None:
    assert ranking(np.arange(len(suitable), dtype=float), np.array(suitable, dtype=bool)) == (None, None)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=200))
def test_bins_hold_every_cell_and_equal_mass_is_equal(values: list[float]) -> None:
    forecast = np.array(values)
    width, mass = equal_width_bins(forecast), equal_mass_bins(forecast)
    assert ((width >= 0) & (width < BINS)).all()
    counts = np.bincount(mass, minlength=BINS)
    assert counts.max() - counts.min() <= 1 or forecast.size < BINS
    table = calibration_bins(forecast, forecast, forecast > 0.5)
    assert table["cells"].sum() == forecast.size
    assert table["cells"].min() >= 1
    np.testing.assert_allclose(table["predicted"], table["expected"])


def test_blocks_stay_whole_and_positives_are_dealt_evenly() -> None:
    suitable = np.hypot(X_M - 9e3, Y_M) < 15e3
    block = block_of(X_M, Y_M, 10.0)
    assert block.max() + 1 == 36
    fold = deal(block, suitable, 3, 42)
    assert all(len(set(fold[block == b])) == 1 for b in set(block))
    counts = np.bincount(fold, weights=suitable, minlength=3)
    assert counts.min() > 0.2 * counts.sum()
    # Blocks without a suitable cell are many and go to all folds.
    sizes = np.bincount(fold, minlength=3)
    assert sizes.min() > 0.8 * sizes.max()
    none = np.zeros_like(suitable)
    assert (deal(block, none, 3, 42) != deal(block, none, 3, 43)).any()
    assert (deal(block, none, 3, 42) == deal(block, none, 3, 42)).all()


def test_no_block_deals_single_cells_evenly() -> None:
    block = block_of(X_M, Y_M, 0.0)
    assert (block == np.arange(X_M.size)).all()
    fold = deal(block, X_M > 0.0, 5, 1)
    counts = np.bincount(fold)
    assert counts.max() - counts.min() <= 1
    assert (fold[1:] != fold[:-1]).mean() > 0.7


def test_a_deal_that_cannot_be_used_says_why() -> None:
    suitable = np.array([True, True, False, False])
    x_m, y_m = np.arange(4) * 1e3, np.zeros(4)

    def why(fold: list[int], folds: int, dead_zone_km: float = 0.0) -> str:
        held = np.array(fold)
        return why_not(held, training_cells(x_m, y_m, held, folds, dead_zone_km), suitable, dead_zone_km)

    assert why([0, 1, 0, 1], 2) == ""
    assert "fewer blocks than folds" in why([0, 1, 0, 1], 3)
    assert "without fold 0 all cells carry one label; the blocks are too large" in why([0, 0, 1, 1], 2)
    assert "without fold 0 and 1.5 km around it no cell is left to train on" in why([0, 1, 0, 1], 2, 1.5)
    assert "too large, or too small for site.crossvalidation.dead_zone_km" in why([0, 0, 1, 1], 2, 1.0)


@pytest.mark.parametrize("dead_zone_km", [0.0, 0.96, 1.0, 5.0])
def test_no_model_is_trained_within_the_dead_zone_of_what_it_is_measured_on(dead_zone_km: float) -> None:
    far = np.hypot(X_M, Y_M) < 20e3
    x_m, y_m = X_M[far], Y_M[far]
    fold = deal(block_of(x_m, y_m, 12.0), x_m > 0.0, 3, 7)
    trained = training_cells(x_m, y_m, fold, 3, dead_zone_km)
    for index, cells in enumerate(trained):
        held = fold == index
        apart = np.hypot(x_m[:, None] - x_m[held], y_m[:, None] - y_m[held]).min(axis=1)
        assert (cells == (~held & (apart >= 1e3 * dead_zone_km))).all()
        assert cells.any()


def test_binned_measures_are_those_of_the_library_on_tied_scores() -> None:
    draws = np.random.default_rng(1)
    rank = draws.integers(0, 12, 3000)
    suitable = draws.random(3000) < 0.05 + 0.05 * rank
    good, bad = (np.bincount(rank[of], minlength=12).astype(float) for of in (suitable, ~suitable))
    assert float(binned_auc(good, bad)) == pytest.approx(roc_auc_score(suitable, rank))
    assert float(binned_average_precision(good, bad)) == pytest.approx(average_precision_score(suitable, rank))
    assert np.isnan(binned_auc(good, 0.0 * bad))


def test_intervals_hold_the_measure_and_grow_with_fewer_blocks() -> None:
    draws = np.random.default_rng(2)
    probability = draws.random(X_M.size)
    suitable = probability > 0.5
    score = probability + draws.normal(0.0, 0.3, X_M.size)
    predicted = np.clip(score, 0.0, 1.0)
    widths = []
    for side in (5.0, 20.0):
        found = block_intervals(block_of(X_M, Y_M, side), score, predicted, probability, suitable, 3)
        point = measures(score, predicted, probability, suitable)
        assert set(found) == {"brier_probability", "brier_label", "auc", "average_precision"}
        for name, (low, high) in found.items():
            assert low <= (point[name] or 0.0) * 1.02 + 0.01, name
            assert (point[name] or 0.0) <= high * 1.02, name
            assert high > low
        widths.append(found["auc"][1] - found["auc"][0])
    assert DRAWS >= 500
    sampling = 2 * 1.96 * np.sqrt(0.9 * 0.1 / X_M.size)
    assert 0.2 * sampling < widths[0] < 3.0 * sampling


def test_spun_maps_keep_latitude_and_lose_ground() -> None:
    draws = np.random.default_rng(4)
    spot = np.hypot(X_M - 15e3, Y_M) < 8e3
    found = spun_aucs(X_M, Y_M, np.where(spot, 1.0, 0.0) + 1e-3 * draws.random(X_M.size), spot, 5)
    assert (found < 0.9).mean() > 0.7
    assert found.max() > 0.9  # spun by almost nothing
    ring = np.hypot(X_M, Y_M) < 10e3
    kept = spun_aucs(X_M, Y_M, -np.hypot(X_M, Y_M), ring, 5)
    assert kept.min() > 0.99
    noise = spun_aucs(X_M, Y_M, draws.random(X_M.size), draws.random(X_M.size) < 0.1, 5)
    assert noise.mean() == pytest.approx(0.5, abs=0.02)


def test_logistic_regression_learns_a_probability() -> None:
    draws = np.random.default_rng(6)
    inputs = pd.DataFrame(draws.normal(size=(20_000, 3)), columns=["a", "b", "c"])
    probability = 1.0 / (1.0 + np.exp(-(1.0 + 2.0 * inputs["a"] - inputs["b"] * inputs["c"]).to_numpy()))
    found = baselines.logistic(inputs[:15_000], probability[:15_000], inputs[15_000:])
    assert np.abs(found - probability[15_000:]).max() < 0.02


def test_the_margin_becomes_a_monotone_probability_within_0_to_1() -> None:
    margin = np.linspace(-1.0, 1.0, 2_000)
    probability = np.clip(0.5 + margin, 0.0, 1.0)
    found = baselines.margin(margin[::2], probability[::2], np.array([-9.0, -0.25, 0.0, 0.25, 9.0]))
    assert found == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0], abs=0.01)
