"""Support: where the image bears the result out, and that what is invented, unsure or noise is not supported."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from lunarsite.vision.enhance.support import MARGIN_PX, SUPPORTED, UNKNOWN, UNSUPPORTED, support

Floats = NDArray[np.float32]


def ground(seed: int = 0, sigma: float = 5.0) -> Floats:
    found = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((160, 160)), sigma)
    return (found / found.std()).astype(np.float32)


def noise(seed: int = 9) -> Floats:
    return np.random.default_rng(seed).standard_normal((160, 160)).astype(np.float32)


def share(found: NDArray[np.uint8]) -> float:
    return float((found == SUPPORTED).mean())


def test_the_truth_is_supported_through_noise() -> None:
    truth = ground()
    found = support(truth + 1.5 * noise(), truth, np.full_like(truth, 0.1))
    assert share(found) > 0.95
    assert set(np.unique(found)) <= {UNSUPPORTED, SUPPORTED}


def test_drowned_truth_is_not() -> None:
    truth = ground()
    shares = [share(support(truth + s * noise(), truth, np.full_like(truth, 0.1))) for s in (1.0, 4.0, 10.0, 40.0)]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < 0.02


@pytest.mark.parametrize("scatter", [0.05, 1.0])
def test_inventions_are_not(scatter: float) -> None:
    truth, other = ground(), ground(1)
    assert share(support(truth + scatter * noise(), other, np.full_like(truth, 0.01))) < 0.35
    flat = support(scatter * noise(), other, np.full_like(truth, 0.01))
    assert share(flat) < 0.01


def test_an_invented_crater_in_true_ground_is_not() -> None:
    truth = 0.3 * ground(sigma=8.0)
    result = truth.copy()
    y, x = np.mgrid[:160, :160] - 80
    result -= np.where(np.hypot(x, y) < 12, 2.0, 0.0).astype(np.float32)
    image = truth + 0.1 * noise()
    found = support(image, result, np.full_like(truth, 0.02))
    assert (found[np.hypot(x, y) < 14] == SUPPORTED).mean() < 0.05
    true = support(image, truth, np.full_like(truth, 0.02))
    assert (true[np.hypot(x, y) < 14] == SUPPORTED).mean() > 0.9


def test_exaggeration_is_not() -> None:
    truth = ground()
    image = truth + 0.3 * noise()
    assert share(support(image, 1.3 * truth, np.full_like(truth, 0.05))) > 0.9
    assert share(support(image, 4.0 * truth, np.full_like(truth, 0.05))) < 0.02


def test_errors_as_large_as_the_contrast_are_not() -> None:
    truth = ground()
    image = truth + 0.3 * noise()
    assert share(support(image, truth, np.full_like(truth, 2.0))) < 0.01
    half = np.full_like(truth, 0.05)
    half[:, 80:] = 2.0
    found = support(image, truth, half)
    assert share(found[:, :80]) > 0.9
    assert share(found[:, 80:]) < 0.02


def test_unknown_and_unreliable_pixels() -> None:
    truth = ground()
    image, error = truth + 0.3 * noise(), np.full_like(truth, 0.05)
    image[10:30, 40:60], error[100:120, 40:60] = np.nan, np.nan
    found = support(image, truth, error)
    assert (found[10:30, 40:60] == UNKNOWN).all()
    assert (found == UNKNOWN).sum() == 400
    assert (found[100:120, 40:60] == UNSUPPORTED).all()
    # Known ground beside the hole keeps its support.
    assert share(found[31:34, 40:60]) > 0.8
    blind = support(image, truth, np.full_like(truth, np.nan))
    assert np.array_equal(blind == UNSUPPORTED, np.isfinite(image))
    assert (support(np.full_like(truth, np.nan), truth, error) == UNKNOWN).all()


def test_constants_are_not_supported() -> None:
    truth, flat = ground(), np.full((160, 160), 3.0, np.float32)
    error = np.zeros_like(truth)
    assert share(support(flat, truth, error)) == 0.0
    assert share(support(truth, flat, error)) == 0.0
    assert share(support(flat, flat, error)) == 0.0


def test_parts_with_their_margin_are_parts_of_the_whole() -> None:
    truth = ground()
    image, error = truth + noise(), np.full_like(truth, 0.3)
    image[70:80, 30:50] = np.nan
    whole = support(image, truth, error)
    assert 0.1 < share(whole) < 0.9
    part = slice(50, 110)
    margin = slice(50 - MARGIN_PX, 110 + MARGIN_PX)
    found = support(image[margin], truth[margin], error[margin])[MARGIN_PX:-MARGIN_PX]
    assert np.array_equal(found, whole[part])
