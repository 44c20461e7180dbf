"""The photometric function's limits."""

from __future__ import annotations

import numpy as np
import pytest

from lunarsite.illumination.light.photometry import lommel_seeliger_weight, lunar_lambert


def test_without_its_weight_it_is_lamberts_law() -> None:
    mu0 = np.linspace(-1.0, 1.0, 21)
    np.testing.assert_allclose(lunar_lambert(mu0, 0.7, 0.0), np.maximum(mu0, 0.0))


def test_with_full_weight_it_is_the_lommel_seeliger_law() -> None:
    mu0 = np.array([0.1, 0.5, 1.0])
    np.testing.assert_allclose(lunar_lambert(mu0, 0.25, 1.0), 2.0 * mu0 / (mu0 + 0.25))


def test_ground_seen_and_lit_from_the_zenith_has_its_albedo() -> None:
    assert lunar_lambert(1.0, 1.0, 0.37) == pytest.approx(1.0)


def test_ground_neither_lit_nor_seen_is_dark_and_unknown_ground_unknown() -> None:
    assert lunar_lambert(0.0, 0.0, 1.0) == 0.0
    assert np.isnan(lunar_lambert(np.nan, 1.0, 0.5))


def test_the_weight_falls_from_one_at_full_moon_and_stays_a_share() -> None:
    phase = np.linspace(0.0, 180.0, 181)
    weight = lommel_seeliger_weight(phase)
    assert weight[0] == 1.0
    # McEwen's polynomial, by hand: 1 - 1.71 + 1.9602 - 1.06434.
    assert weight[90] == pytest.approx(0.18586, abs=1e-5)
    assert (weight >= 0.0).all()
    assert (weight <= 1.0).all()
    assert weight[-1] == 0.0
