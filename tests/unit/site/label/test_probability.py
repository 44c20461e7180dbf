"""Probabilities of light and Earth view: exact at known places, and no wider than drawing would be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.site.label.probability import NO_ERROR, ShareError, monte_carlo_error, share_at_least

VALUES = np.array([33.0, 32.999, 36.0, 30.0, 0.0, 100.0, np.nan])


def test_known_values() -> None:
    found = share_at_least(VALUES, 33.0, ShareError(3.0))
    # Phi(0), Phi(1), Phi(-1), and NaN.
    np.testing.assert_allclose(found[[0, 2, 3]], [0.5, 0.8413447460685429, 0.15865525393145707], rtol=1e-12)
    assert np.isnan(found[6])
    assert found[4] < 1e-20
    assert found[5] == 1.0


def test_without_error_the_step_is_hard_and_the_limit_passes() -> None:
    np.testing.assert_array_equal(share_at_least(VALUES, 33.0, NO_ERROR), [1.0, 0.0, 1.0, 0.0, 0.0, 1.0, np.nan])


@pytest.mark.parametrize("sigma_pct", [0.0, 5.0])
def test_a_limit_of_nothing_is_always_met(sigma_pct: float) -> None:
    np.testing.assert_array_equal(share_at_least(VALUES, 0.0, ShareError(sigma_pct, 2.0)), [1.0] * 6 + [np.nan])


@given(
    st.floats(0.0, 100.0),
    st.floats(0.0, 100.0),
    st.floats(0.1, 100.0),
    st.one_of(st.just(0.0), st.floats(1e-3, 50.0)),
    st.floats(-20.0, 20.0),
)
def test_more_light_is_never_worse(low: float, more: float, least: float, sigma: float, bias: float) -> None:
    one, other = share_at_least(np.array([low, min(low + more, 100.0)]), least, ShareError(sigma, bias))
    assert 0.0 <= one <= other <= 1.0


def test_a_bias_is_taken_off() -> None:
    found = share_at_least(VALUES, 33.0, ShareError(3.0, 3.0))
    # A value on the limit is one sigma below it, one that is higher by the bias is on it.
    np.testing.assert_allclose(found[[0, 2]], [0.15865525393145707, 0.5], rtol=1e-12)
    np.testing.assert_array_equal(share_at_least(VALUES, 33.0, ShareError(0.0, 2.0))[:4], [0.0, 0.0, 1.0, 0.0])
    np.testing.assert_array_equal(share_at_least(VALUES, 33.0, ShareError(0.0, -4.0))[:4], [1.0, 1.0, 1.0, 1.0])


def test_a_bias_that_stays_widens_the_error_to_the_root_mean_square() -> None:
    widened = ShareError(3.0, -4.0, "told").widened()
    assert (widened.sigma_pct, widened.bias_pct, widened.source) == (5.0, 0.0, "told")


def test_less_bias_predicts_truth_better() -> None:
    # Ours is the truth and a biased Gaussian error: taking the bias off must be calibrated, widening must promise more.
    random = np.random.default_rng(5)
    truth = random.uniform(20.0, 46.0, 20_000)
    ours = truth + random.normal(2.3, 1.7, truth.size)
    error = ShareError(1.7, 2.3)
    passes = truth >= 33.0
    removed, kept = (share_at_least(ours, 33.0, found) for found in (error, error.widened()))
    assert removed.sum() == pytest.approx(passes.sum(), rel=0.01)
    assert kept.sum() > 1.1 * passes.sum()
    assert np.mean((removed - passes) ** 2) < 0.8 * np.mean((kept - passes) ** 2)


def test_the_product_is_what_drawing_all_three_finds_with_less_noise() -> None:
    draws, tries, slope_share, light, earth = 200, 4_000, 0.6, 35.0, 52.0
    random = np.random.default_rng(2)
    slope = random.random((tries, draws)) < slope_share
    rest = float(
        share_at_least(np.array(light), 33.0, ShareError(3.0)) * share_at_least(np.array(earth), 50.0, ShareError(2.8))
    )
    bright = light + random.normal(0.0, 3.0, slope.shape) >= 33.0
    seen = earth + random.normal(0.0, 2.8, slope.shape) >= 50.0
    all_drawn, ours = (slope & bright & seen).mean(axis=1), slope.mean(axis=1) * rest
    assert ours.mean() == pytest.approx(slope_share * rest, abs=2e-3)
    assert all_drawn.mean() == pytest.approx(ours.mean(), abs=2e-3)
    assert ours.std() == pytest.approx(rest * float(monte_carlo_error(np.array(slope_share), draws)), rel=0.05)
    assert ours.std() < 0.8 * all_drawn.std()
