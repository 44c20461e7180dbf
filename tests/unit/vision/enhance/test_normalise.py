"""The standard scale: its definition, its inverse, and images that have none."""

from __future__ import annotations

import numpy as np
import pytest

from lunarsite.vision.enhance.normalise import Scale, fit, fit_strips
from lunarsite.vision.learn import LearningError


def test_median_and_spread_are_those_of_the_known_values() -> None:
    values = np.random.default_rng(1).normal(40.0, 3.0, (300, 400))
    values[:50] = np.nan
    values[50, 0] = np.inf
    scale = fit(values)
    assert scale.median == pytest.approx(40.0, abs=0.05)
    assert scale.spread == pytest.approx(3.0, rel=0.02)
    assert scale.most == np.inf


def test_the_scale_is_the_inverse_hyperbolic_sine() -> None:
    scale = Scale(10.0, 2.0)
    assert scale.forward(np.array([10.0, 12.0, 8.0])) == pytest.approx([0.0, np.arcsinh(1.0), -np.arcsinh(1.0)])
    assert np.isnan(scale.forward(np.array([np.nan]))).all()
    assert scale.forward(np.array([1.0])).dtype == np.float32


def test_the_inverse_gives_the_radiometry_back() -> None:
    values = np.concatenate([np.geomspace(1e-6, 1.0, 500), -np.geomspace(1e-6, 1e-3, 50)])
    scale = fit(values)
    assert scale.inverse(scale.forward(values)) == pytest.approx(values, rel=1e-4, abs=1e-6 * scale.spread)


def test_shift_and_gain_of_an_image_change_nothing() -> None:
    values = np.random.default_rng(2).gamma(2.0, size=5_000)
    first, second = fit(values), fit(3.0 * values - 7.0)
    assert first.forward(values) == pytest.approx(second.forward(3.0 * values - 7.0), abs=1e-4)


def test_errors_follow_the_slope_of_the_scale() -> None:
    scale, standard = Scale(5.0, 0.3), np.linspace(-3.0, 3.0, 31)
    step = 1e-3
    slope = (scale.inverse(standard + step).astype(float) - scale.inverse(standard - step)) / (2.0 * step)
    assert scale.error(standard, np.full(31, 0.2)) == pytest.approx(0.2 * slope, rel=2e-3)


def test_overexposed_ground_takes_no_part() -> None:
    rng = np.random.default_rng(3)
    dark = rng.normal(10.0, 1.0, 10_000)
    both = np.concatenate([dark, np.full(9_000, 4095.0)])
    scale = fit(both)
    assert scale.most == 4095.0
    assert (scale.median, scale.spread) == (fit(dark).median, fit(dark).spread)
    assert np.count_nonzero(scale.overexposed(both)) == 9_000
    assert not scale.overexposed(np.array([np.nan, 4094.9])).any()
    # A single brightest pixel is no overexposure.
    assert fit(np.append(dark, 50.0)).most == np.inf


def test_strips_give_the_whole_image_s_scale() -> None:
    rng = np.random.default_rng(4)
    image = np.minimum(rng.gamma(2.0, size=(257, 101)), 5.0)
    image[rng.random(image.shape) < 0.1] = np.nan
    whole = fit(image)
    assert fit_strips([image[:100], image[100:101], image[101:]], image.size) == whole
    assert whole.most == 5.0


def test_a_sample_stands_for_a_large_image() -> None:
    image = np.minimum(np.random.default_rng(5).gamma(2.0, size=(1_000, 400)), 5.0)
    whole, sampled = fit(image), fit_strips(np.array_split(image, 7), image.size, sample=40_000)
    assert sampled.most == whole.most == 5.0
    assert sampled != whole
    assert sampled.median == pytest.approx(whole.median, rel=0.03)
    assert sampled.spread == pytest.approx(whole.spread, rel=0.03)


def test_an_image_of_few_grey_levels_has_a_scale() -> None:
    image = np.zeros(1_000)
    image[:100] = 1.0
    image[100:105] = 2.0
    scale = fit(image)
    assert scale.most == 2.0
    assert 0.0 < scale.spread < 1.0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.full((4, 4), np.nan), "no known pixel"),
        (np.zeros((0, 3)), "no known pixel"),
        (np.zeros((4, 4)), "all 16 known pixels.*one value"),
        (np.full((4, 4), 7, np.uint8), "one value"),
        (np.array([0.0] * 500 + [255.0] * 500), "one value"),
    ],
)
def test_an_image_without_signal_is_refused(values: np.ndarray, words: str) -> None:
    with pytest.raises(LearningError, match=words):
        fit(values)
