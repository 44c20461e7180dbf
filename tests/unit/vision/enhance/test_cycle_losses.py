"""What the CycleGAN minimises, against known values."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor, nn

from lunarsite.settings.enhance import CycleSettings
from lunarsite.vision.enhance.cycle_losses import RANGE, Likeness, adversarial, distance, ssim


def images(seed: int = 1, count: int = 2) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    smooth = nn.functional.avg_pool2d(torch.randn(count, 1, 52, 60), 5, 1)
    return smooth, 0.8 * smooth + 0.15 * torch.randn_like(smooth) + 0.1


class Features(nn.Module):
    """Two levels: the image beside its square, and the same at half the resolution."""

    def forward(self, image: Tensor) -> list[Tensor]:
        both = torch.cat((image, image.square()), dim=1)
        return [both, nn.functional.avg_pool2d(both, 2)]


def test_ssim_is_that_of_scikit_image() -> None:
    first, second = images()
    expected = [
        structural_similarity(
            a[0].numpy().astype(np.float64) + RANGE / 2, b[0].numpy().astype(np.float64) + RANGE / 2, data_range=RANGE,
            gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        )
        for a, b in zip(first, second, strict=True)
    ]  # fmt: skip
    assert 0.2 < np.mean(expected) < 0.95
    assert float(ssim(first, second)) == pytest.approx(np.mean(expected), abs=2e-5)
    assert float(ssim(first, first)) == pytest.approx(1.0, abs=1e-6)


def test_ssim_knows_no_zero_of_brightness() -> None:
    """Ground at the median is as much like ground a hundredth of a spread brighter as any other ground is."""
    dark, flat = torch.full((1, 1, 24, 24), -0.05), torch.full((1, 1, 24, 24), 0.05)
    assert float(ssim(dark, flat)) > 0.99
    texture = 0.2 * torch.randn(1, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    assert float(ssim(texture - 0.02, texture + 0.02)) > 0.98


def test_ssim_has_the_gradient_of_its_values() -> None:
    first, second = images(count=1)
    first.requires_grad_()
    ssim(first, second).backward()
    assert first.grad is not None
    direction = torch.randn_like(first)
    step = 1e-2 * direction
    with torch.no_grad():
        slope = (ssim(first + step, second) - ssim(first - step, second)) / 2e-2
    assert float((first.grad * direction).sum()) == pytest.approx(float(slope), rel=0.02)


def test_ssim_refuses_what_its_window_does_not_fit_in() -> None:
    with pytest.raises(ValueError, match="11 px"):
        ssim(torch.zeros(1, 1, 10, 32), torch.zeros(1, 1, 10, 32))


def test_likeness_is_the_weighted_sum_of_its_terms() -> None:
    first, second = images()
    encoder = Features()
    settings = CycleSettings(l1_weight=2.0, perceptual_weight=0.5, ssim_weight=3.0)
    terms = (
        2.0 * (first - second).abs().mean()
        + 0.5 * distance(encoder(first), encoder(second))
        + 3.0 * (1.0 - ssim(first, second))
    )
    assert float(Likeness(settings, encoder)(first, second)) == pytest.approx(float(terms), rel=1e-6)
    assert float(Likeness(settings, encoder)(first, first)) == pytest.approx(0.0, abs=1e-5)
    alone = settings.model_copy(update={"perceptual_weight": 0.0, "ssim_weight": 0.0})
    assert float(Likeness(alone, None)(first, first + 0.25)) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="needs an encoder"):
        Likeness(settings, None)


def test_distance_of_features_that_are_orthogonal_and_opposite() -> None:
    one = torch.tensor([3.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 4, 4)
    other = torch.tensor([0.0, 0.5]).view(1, 2, 1, 1).expand(1, 2, 4, 4)
    assert float(distance([one], [other])) == pytest.approx(2.0)
    assert float(distance([one], [-one])) == pytest.approx(4.0)
    assert float(distance([one, one], [7.0 * one, other])) == pytest.approx(1.0)


def test_verdicts_of_judges() -> None:
    scores = torch.tensor([0.5, 2.0])
    assert float(adversarial(scores, True, "lsgan")) == pytest.approx((0.25 + 1.0) / 2)
    assert float(adversarial(scores, False, "lsgan")) == pytest.approx((0.25 + 4.0) / 2)
    assert float(adversarial(torch.zeros(3), True, "bce")) == pytest.approx(math.log(2.0))
    assert float(adversarial(torch.full((3,), 4.0), False, "bce")) == pytest.approx(math.log1p(math.exp(4.0)))
