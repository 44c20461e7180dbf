"""Errors of an elevation model: their variance, their correlation, and that nothing wraps around."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lunarsite.settings import SettingsError
from lunarsite.site.label.noise import ErrorField, _amplitude, reach_px

SHAPE = (40, 56)


def fields(correlation_m: float, pairs: int, shape: tuple[int, int] = SHAPE) -> NDArray[np.float64]:
    """(2 pairs, rows, cols) fields on pixels of 100 m."""
    field, draws = ErrorField(shape, 100.0, correlation_m), np.random.default_rng(5)
    return np.array([one for _ in range(pairs) for one in field.pair(draws)], dtype=np.float64)


def test_correlation_falls_exponentially() -> None:
    drawn = fields(400.0, 150)
    # Over pixels and draws: some 500 000 products, which are some 10 000 independent ones.
    assert np.mean(drawn**2) == pytest.approx(1.0, abs=0.05)
    for down, across in ((0, 1), (1, 0), (2, 2), (0, 4), (8, 0), (3, 4), (0, 20)):
        product = drawn[:, : SHAPE[0] - down, : SHAPE[1] - across] * drawn[:, down:, across:]
        assert product.mean() == pytest.approx(np.exp(-np.hypot(down, across) / 4.0), abs=0.05), (down, across)


def test_the_far_sides_know_nothing_of_each_other() -> None:
    drawn = fields(400.0, 400)
    assert np.mean(drawn[:, :, 0] * drawn[:, :, -1]) == pytest.approx(0.0, abs=0.03)
    assert np.mean(drawn[:, 0] * drawn[:, -1]) == pytest.approx(0.0, abs=0.03)


def test_both_fields_of_a_pair_are_independent() -> None:
    drawn = fields(400.0, 200)
    assert np.mean(drawn[::2] * drawn[1::2]) == pytest.approx(0.0, abs=0.03)


def test_without_correlation_the_noise_is_white() -> None:
    drawn = fields(0.0, 60)
    assert np.mean(drawn**2) == pytest.approx(1.0, abs=0.02)
    assert np.mean(drawn[:, :, 1:] * drawn[:, :, :-1]) == pytest.approx(0.0, abs=0.02)


@given(
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    correlation_m=st.floats(0.0, 3_000.0),
)
def test_the_variance_is_one_whatever_the_window(shape: tuple[int, int], correlation_m: float) -> None:
    field = ErrorField(shape, 100.0, correlation_m)
    assert np.sum(field._amplitude.astype(np.float64) ** 2) == pytest.approx(1.0, rel=1e-4)
    one, other = field.pair(np.random.default_rng(0))
    assert one.shape == other.shape == shape
    assert one.dtype == np.float32


def test_the_torus_holds_the_covariance_that_is_asked_for() -> None:
    # What the eigenvalues below zero cost: without that the transform of the squared factors is the covariance.
    factors = _amplitude((96, 96), 100.0, 800.0).astype(np.float64)
    covariance = np.fft.ifft2(factors**2).real * factors.size
    near = np.arange(40)
    np.testing.assert_allclose(covariance[0, near], np.exp(-near / 8.0), atol=5e-3)


def test_errors_that_reach_too_far_are_refused() -> None:
    assert reach_px(800.0, 240.0) == 20
    with pytest.raises(SettingsError, match=r"site\.uncertainty\.correlation_m: is 50000, .* at most 6826"):
        ErrorField(SHAPE, 20.0, 50_000.0)
