"""Measures of enhancement against what is known by construction."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.metrics import structural_similarity

from lunarsite.validate import enhance_measures as em
from lunarsite.validate.enhance_measures import Truth

SIDE = 96
RNG = np.random.default_rng(1)
RADIANCE = ndimage.gaussian_filter(RNG.normal(size=(SIDE, SIDE)), 3.0)
RADIANCE = 3e-4 * (1.0 + 0.3 * RADIANCE / RADIANCE.std())
EVERYWHERE = np.ones((SIDE, SIDE), dtype=np.bool_)
WHOLE = Truth(RADIANCE, EVERYWHERE)
NOISE = RNG.normal(size=(SIDE, SIDE))


def half() -> Truth:
    shadow = EVERYWHERE.copy()
    shadow[:, : SIDE // 2] = False
    radiance = RADIANCE.copy()
    radiance[:10, :10] = np.nan
    return Truth(radiance, shadow)


def test_psnr_is_the_range_over_the_error() -> None:
    low, high = np.percentile(RADIANCE, (1.0, 99.0))
    assert pytest.approx(high - low) == WHOLE.range
    assert em.psnr_db(RADIANCE + 0.01 * WHOLE.range, WHOLE) == pytest.approx(40.0)
    assert em.psnr_db(RADIANCE, WHOLE) == np.inf


def test_only_shadow_counts() -> None:
    truth = half()
    spoilt = truth.radiance + 0.1 * truth.range
    spoilt[:, : SIDE // 2] = 1e9
    assert em.psnr_db(spoilt, truth) == pytest.approx(20.0)
    assert em.ssim(np.where(truth.shadow, RADIANCE, np.nan), truth) == pytest.approx(1.0)
    assert em.edge_recall(np.where(truth.shadow, RADIANCE, np.nan), truth) == pytest.approx(1.0)
    assert np.isfinite(em.spectrum(spoilt, truth)).all()


def test_fit_forgives_gain_and_offset_alone() -> None:
    assert em.fitted(-2.0 * RADIANCE + 7.0, WHOLE) == pytest.approx(RADIANCE)
    assert em.fitted(np.full_like(RADIANCE, 5.0), WHOLE) == pytest.approx(RADIANCE.mean())
    noisy = RADIANCE + 0.1 * WHOLE.range * NOISE
    assert em.psnr_db(em.fitted(noisy, WHOLE), WHOLE) >= em.psnr_db(noisy, WHOLE)


def test_ssim_is_that_of_the_literature() -> None:
    """As scikit-image gives it over the whole image, away from its border."""
    noisy = RADIANCE + 0.2 * WHOLE.range * NOISE
    known = structural_similarity(
        RADIANCE, noisy, data_range=WHOLE.range, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert em.ssim(noisy, WHOLE) == pytest.approx(known, abs=1e-9)
    assert np.isnan(em.ssim(noisy, Truth(RADIANCE, ~EVERYWHERE)))


def test_edges_are_found_at_equal_false_alarms() -> None:
    step = np.where(np.arange(SIDE) < 50, 1.0, 2.0)[None, :] + 1e-3 * NOISE
    truth = Truth(step, EVERYWHERE)
    assert em.edge_recall(step, truth) == pytest.approx(1.0)
    # The contrast does not matter, the place does: 1 px off is found, 4 px off is not.
    assert em.edge_recall(9.0 * step, truth) == pytest.approx(1.0)
    edges, _ = truth.edges
    found = em.edge_recall(np.roll(step, 1, axis=1), truth)
    assert found > 0.9 * (np.abs(np.nonzero(edges)[1] - 49.5) < 3).mean()
    assert em.edge_recall(np.roll(step, 5, axis=1), truth) < 0.5 * found
    # Noise instead of the image marks edges by chance: no more than the neighbourhoods of its false alarms.
    other = np.random.default_rng(2).normal(size=(SIDE, SIDE))
    assert em.edge_recall(other, truth) < 9.0 * 1.5 * em.FALSE_ALARMS


def test_spectrum_tells_power_and_correlation() -> None:
    truth, own, cross = em.spectrum(RADIANCE, WHOLE)
    assert own == pytest.approx(truth)
    assert cross == pytest.approx(truth)
    truth, own, cross = em.spectrum(2.0 * RADIANCE, WHOLE)
    assert own == pytest.approx(4.0 * truth)
    assert cross / np.sqrt(own * truth) == pytest.approx(1.0)
    noise = em.spectrum(WHOLE.range * NOISE, WHOLE)
    assert np.abs(noise[2] / np.sqrt(noise[1] * noise[0]))[4:].max() < 0.3
    # White noise of unit variance has unit power at every frequency.
    assert noise[1][5:] == pytest.approx(1.0, abs=0.25)


def test_errors_and_support() -> None:
    error = np.full_like(RADIANCE, 0.1 * WHOLE.range)
    result = RADIANCE + error * NOISE
    support = (np.abs(NOISE) < 1.0).astype(np.uint8)
    found = em.errors(result, error, support, WHOLE)
    assert found.within_one == pytest.approx(0.683, abs=0.02)
    assert found.within_two == pytest.approx(0.954, abs=0.01)
    assert sum(found.pixels) == SIDE**2
    assert found.squared[0] / found.pixels[0] < 0.01 < found.squared[1] / found.pixels[1]
    error[: SIDE // 2] = np.nan
    support[SIDE // 2 :] = 255
    unknown = em.errors(result, error, support, WHOLE)
    assert unknown.pixels == (0, 0)
    assert np.isnan(em.errors(result, np.full_like(error, np.nan), support, WHOLE).within_one)


def test_what_cannot_be_measured() -> None:
    few = ~EVERYWHERE
    few[:10, :10] = True
    assert not Truth(RADIANCE, few).measurable
    assert not Truth(np.ones_like(RADIANCE), EVERYWHERE).measurable
    assert Truth(RADIANCE, ~EVERYWHERE).range == 0.0
    assert np.isnan(em.edge_recall(RADIANCE, Truth(np.ones_like(RADIANCE), EVERYWHERE)))
    assert WHOLE.measurable


def test_windows_end_at_the_shadow() -> None:
    mask = EVERYWHERE.copy()
    mask[40, 40] = False
    inner = em.eroded(mask, 5)
    assert not inner[35:46, 35:46].any()
    assert inner[34, 40]
    assert not inner[4].any(), "beyond the border nothing is in shadow"
