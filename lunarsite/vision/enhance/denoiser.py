"""The paired denoiser: an ensemble of small U-Nets, each of which tells a mean and its variance.

The method is that of Lakshminarayanan et al. (2017, NeurIPS 30). A member takes the image in the standard scale and
gives what must be added to it and the logarithm of the variance of what is left. The ensemble's mean is that of its
members; its variance is the mean of theirs and the variance of their means, times one factor that is fitted on
validation ground: trained members know what noise hides, their disagreement what the training did not settle.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, cast

import torch
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from torch import Tensor, nn

from lunarsite.settings.enhance import DenoiserSettings
from lunarsite.vision.learn import LearningError
from lunarsite.vision.learn.networks import MapNetwork, NetworkSpec, build

INPUTS = ("radiance in the standard scale, 1",)
OUTPUTS = ("mean", "variance")
MOST_STANDARD = 8.0
"""The network sees the standard scale cut off here, on both sides: overexposed ground may lie anywhere beyond."""
_LOG_VARIANCE = (-12.0, 4.0)
# A raw 0 is a log variance of 0, and there one grows as the other.
_START = math.log(-_LOG_VARIANCE[0] / _LOG_VARIANCE[1])
_SLOPE = 1.0 / _LOG_VARIANCE[1] - 1.0 / _LOG_VARIANCE[0]
BETA = 0.5
"""Exponent of the variance that weighs a pixel: 0 is the plain likelihood, which neglects what it believes noisy; 1
weighs errors as the mean square does (Seitzer et al. 2022, ICLR)."""


class EnsembleSpec(BaseModel):
    """What an ensemble is built from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: NetworkSpec
    members: Annotated[int, Field(ge=1, le=20)]
    variance_factor: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 1.0

    def to_json(self) -> dict[str, JsonValue]:
        """Return the spec as a model card holds it."""
        return cast(dict[str, JsonValue], self.model_dump(mode="json"))


class Member(nn.Module):
    """Maps (N, 1, H, W) to (N, 2, H, W): mean and logarithm of the variance."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.body: MapNetwork = build(spec)
        # At first a member gives its input back, about as sure of it as the scale is wide.
        nn.init.zeros_(self.body.last.weight)
        if self.body.last.bias is not None:
            nn.init.zeros_(self.body.last.bias)

    def forward(self, image: Tensor) -> Tensor:
        """Return mean and log variance."""
        image = image.clamp(-MOST_STANDARD, MOST_STANDARD)
        found = self.body(image)
        # Smooth up to its limits: a hard cut would leave members that once exceed it without a gradient.
        low, high = _LOG_VARIANCE
        spread = low + (high - low) * torch.sigmoid(found[:, 1:] * _SLOPE + _START)
        return torch.cat((image + found[:, :1], spread), dim=1)


class Ensemble(nn.Module):
    """Maps (N, 1, H, W) to (N, 2, H, W): mean and variance."""

    def __init__(self, spec: EnsembleSpec, members: Sequence[Member] | None = None) -> None:
        super().__init__()
        self.spec = spec
        given = [Member(spec.network) for _ in range(spec.members)] if members is None else list(members)
        if len(given) != spec.members:
            raise LearningError(f"an ensemble of {spec.members} members was given {len(given)}")
        self.members = nn.ModuleList(given)

    def forward(self, image: Tensor) -> Tensor:
        """Return mean and variance."""
        means, variances = torch.stack([member(image).float() for member in self.members]).chunk(2, dim=2)
        total = variances.exp().mean(dim=0) + means.var(dim=0, correction=0)
        return torch.cat((means.mean(dim=0), self.spec.variance_factor * total), dim=1)


def member_spec(settings: DenoiserSettings) -> NetworkSpec:
    """Return what a member of these settings is built from."""
    return NetworkSpec(kind="plain-unet", inputs=1, outputs=2, channels=settings.channels, depth=settings.depth)


def build_ensemble(spec: Mapping[str, JsonValue]) -> Ensemble:
    """Return the ensemble of a card's spec, with weights drawn from torch's global generator.

    Raises:
        LearningError: The spec is not one of an ensemble.
    """
    try:
        found = EnsembleSpec.model_validate(spec)
    except ValidationError as error:
        raise LearningError(f"the spec is not one of an ensemble of denoisers: {error}") from error
    return Ensemble(found)


def denoiser_loss(raw: Tensor, batch: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss of a batch and its parts.

    Gaussian negative log likelihood, each pixel weighed by its variance to the power BETA, which no gradient flows
    through (beta-NLL).

    Args:
        raw: (N, 2, H, W), mean and log variance.
        batch: `target` and `weight` (N, 1, H, W), as `Pairs` gives them; pixels without a weight do not count.
    """
    mean, log_variance = raw.float().chunk(2, dim=1)
    weight = batch["weight"].float()
    total = weight.sum().clamp(min=1.0)
    square = (batch["target"] - mean).square()
    likelihood = 0.5 * (square * torch.exp(-log_variance) + log_variance)
    weighed = likelihood * torch.exp(BETA * log_variance.detach())
    parts = {"likelihood": (weight * likelihood).sum() / total, "square": (weight * square).sum() / total}
    return (weight * weighed).sum() / total, parts
