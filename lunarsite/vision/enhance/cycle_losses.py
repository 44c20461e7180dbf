"""What the CycleGAN minimises: how alike two images are, and what the judges think of them.

Everything is computed in 32 bits, whatever the networks' precision.
"""

from __future__ import annotations

import functools
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from lunarsite.settings.enhance import CycleSettings

RANGE = 4.0
"""The standard scale's range as SSIM counts it: two spreads on either side of the median."""
_WINDOW_PX, _SIGMA_PX = 11, 1.5
_K1, _K2 = 0.01, 0.03
Adversarial = Literal["lsgan", "bce"]


def ssim(first: Tensor, second: Tensor, data_range: float = RANGE) -> Tensor:
    """Return the structural similarity of images (N, 1, H, W), a scalar at most 1 (Wang et al. 2004).

    A Gaussian window of 11 pixels and sigma 1.5; the mean over where it lies within the image, and over the images.
    Images in the standard scale lie about 0, and the measure is made for numbers from 0 to the range: around 0 it would
    divide by means that vanish, and change its sign with theirs. So half of the range is added to both.

    Raises:
        ValueError: The images are narrower than the window, or differ in shape.
    """
    if first.shape != second.shape or first.shape[1] != 1 or min(first.shape[2:]) < _WINDOW_PX:
        raise ValueError(
            f"images {tuple(first.shape)} and {tuple(second.shape)}: one channel, {_WINDOW_PX} px at least"
        )
    first, second = first.float() + 0.5 * data_range, second.float() + 0.5 * data_range
    both = torch.cat((first, second, first * first, second * second, first * second))
    mean_a, mean_b, square_a, square_b, product = _blurred(both).chunk(5)
    variance_a, variance_b = square_a - mean_a * mean_a, square_b - mean_b * mean_b
    covariance = product - mean_a * mean_b
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    alike = (2.0 * mean_a * mean_b + c1) * (2.0 * covariance + c2)
    return (alike / ((mean_a * mean_a + mean_b * mean_b + c1) * (variance_a + variance_b + c2))).mean()


class Likeness(nn.Module):
    """lambda_L1 L1 + lambda_perc perceptual + lambda_ssim (1 - SSIM) of two images (N, 1, H, W); 0 if they are one.

    The perceptual part is that of Zhang et al. (2018, CVPR) without its learned weights: features of an encoder, each
    pixel's scaled to length 1, and the square of their difference, averaged over pixels and levels.
    """

    def __init__(self, settings: CycleSettings, encoder: nn.Module | None) -> None:
        super().__init__()
        if settings.perceptual_weight > 0.0 and encoder is None:
            raise ValueError("a perceptual term needs an encoder")
        self.l1, self.ssim, self.perceptual = settings.l1_weight, settings.ssim_weight, settings.perceptual_weight
        self.encoder = encoder if settings.perceptual_weight > 0.0 else None

    def forward(self, found: Tensor, wanted: Tensor) -> Tensor:
        """Return the weighted sum, a scalar."""
        total = self.l1 * (found.float() - wanted.float()).abs().mean()
        if self.ssim > 0.0:
            total = total + self.ssim * (1.0 - ssim(found, wanted))
        if self.encoder is not None:
            total = total + self.perceptual * distance(self.encoder(found), self.encoder(wanted))
        return total


def distance(first: list[Tensor], second: list[Tensor]) -> Tensor:
    """Return the mean over levels of the squared differences of features (N, C, h, w) of length 1, 0 to 4."""
    parts = [
        (functional.normalize(a.float(), dim=1) - functional.normalize(b.float(), dim=1)).square().sum(dim=1).mean()
        for a, b in zip(first, second, strict=True)
    ]
    return torch.stack(parts).mean()


def adversarial(scores: Tensor, real: bool, kind: Adversarial) -> Tensor:
    """Return how far a judge's scores are from 'real' or 'not real', a scalar at least 0.

    'lsgan': the mean square from 1 or 0 (Mao et al. 2017); 'bce': cross-entropy of the scores as logits.
    """
    scores = scores.float()
    wanted = torch.full_like(scores, float(real))
    if kind == "lsgan":
        return functional.mse_loss(scores, wanted)
    return functional.binary_cross_entropy_with_logits(scores, wanted)


def _blurred(images: Tensor) -> Tensor:
    window = _window(images.device)
    return functional.conv2d(functional.conv2d(images, window[None, None, :, None]), window[None, None, None, :])


@functools.cache
def _window(device: torch.device) -> Tensor:
    at = torch.arange(_WINDOW_PX, device=device, dtype=torch.float32) - _WINDOW_PX // 2
    weight = torch.exp(-0.5 * (at / _SIGMA_PX) ** 2)
    return weight / weight.sum()
