"""The paired denoiser: an ensemble of small U-Nets, each of which tells a mean and its variance.

The method is that of Lakshminarayanan et al. (2017, NeurIPS 30). A member looks at the image, at Gaussian blurs of it
and at flattened versions that keep its edges (total variation), and says for each pixel how to blend them, what to add,
and the logarithm of the variance of what is left. It blends radiances, because a mean of their logarithms would be too
dark where noise is strong; so it starts from smoothing, which is the best guess where noise is all there is, and learns
where not to (after the kernels predicted by Bako et al. 2017, ACM TOG 36, 97). It sees radiances as roots, in which the
noise of photons is about as strong in what is bright as in what is dark. It works at half resolution, on the four
pixels of each 2 x 2 as channels (Zhang et al. 2018, IEEE TIP 27, 4608): a third of the cost at full resolution, and
twice the view. The ensemble's mean is that of its members; its variance is the mean of theirs and the variance of their
means, times one factor that is fitted on validation ground: trained members know what noise hides, their disagreement
what the training did not settle.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, cast

import torch
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from torch import Tensor, nn
from torch.nn import functional

from lunarsite.settings.enhance import DenoiserSettings
from lunarsite.vision.learn import LearningError
from lunarsite.vision.learn.networks import MULTIPLE_PX, MapNetwork, NetworkSpec, build

INPUTS = ("radiance in the standard scale, 1",)
OUTPUTS = ("mean", "variance")
MOST_STANDARD = 8.0
"""The network sees the standard scale cut off here, on both sides: overexposed ground may lie anywhere beyond."""
_LOG_VARIANCE = (-12.0, 4.0)
# A raw 0 is a log variance of 0, and there one grows as the other.
_START = math.log(-_LOG_VARIANCE[0] / _LOG_VARIANCE[1])
_SLOPE = 1.0 / _LOG_VARIANCE[1] - 1.0 / _LOG_VARIANCE[0]
_FOLD = 2
_BLURS_PX = (0.8, 1.6, 3.2, 6.4)
"""Standard deviations of the blurs."""
_DIMMED = 5.0
"""Brighter pixels count as this bright in what is made of their surroundings: 74 spreads above the median."""
_FLATTENING = (0.12, 0.3, 0.7)
"""Weights of the total variation in the standard scale: from what 100 electrons need to what 4 do."""
_FLATTENING_STEPS = 40
_FLOOR = 1e-4
"""Mean square differences far below this, in the standard scale, are not worth more effort."""


class EnsembleSpec(BaseModel):
    """What an ensemble is built from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: NetworkSpec
    contrast: Literal["square root"]
    """How members see radiances and correct them (`even`); files from before this was told are refused."""
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
        # At first a member blends evenly, about as sure of it as the scale is wide.
        nn.init.zeros_(self.body.last.weight)
        if self.body.last.bias is not None:
            nn.init.zeros_(self.body.last.bias)

    def forward(self, image: Tensor) -> Tensor:
        """Return mean and log variance."""
        return self.judged(*looked_at(image))

    def judged(self, views: Tensor, roughness: Tensor) -> Tensor:
        """Return mean and log variance (N, 2, H, W) of what `looked_at` gives."""
        height, width = views.shape[2:]
        below, right = (-side % (_FOLD * MULTIPLE_PX) for side in (height, width))
        seen = torch.cat((even(views), roughness), dim=1)
        folded = functional.pixel_unshuffle(functional.pad(seen, (0, right, 0, below)), _FOLD)
        found = functional.pixel_shuffle(self.body(folded), _FOLD)[:, :, :height, :width]
        shares = torch.softmax(found[:, 2:], dim=1)
        blend = (shares * views).sum(dim=1, keepdim=True)
        mean = torch.asinh(blend + found[:, :1] * torch.sqrt(1.0 + blend.abs()))
        # Smooth up to its limits: a hard cut would leave members that once exceed it without a gradient.
        low, high = _LOG_VARIANCE
        spread = low + (high - low) * torch.sigmoid(found[:, 1:2] * _SLOPE + _START)
        return torch.cat((mean, spread), dim=1)


class Ensemble(nn.Module):
    """Maps (N, 1, H, W) to (N, 2, H, W): mean and variance. What members look at is made once for all."""

    def __init__(self, spec: EnsembleSpec, members: Sequence[Member] | None = None) -> None:
        super().__init__()
        self.spec = spec
        given = [Member(spec.network) for _ in range(spec.members)] if members is None else list(members)
        if len(given) != spec.members:
            raise LearningError(f"an ensemble of {spec.members} members was given {len(given)}")
        self.members = nn.ModuleList(given)

    def forward(self, image: Tensor) -> Tensor:
        """Return mean and variance."""
        seen = looked_at(image)
        told = [cast(Member, member).judged(*seen).float() for member in self.members]
        means, variances = torch.stack(told).chunk(2, dim=2)
        total = variances.exp().mean(dim=0) + means.var(dim=0, correction=0)
        # Members are averaged as radiances, not as their logarithms.
        mean = torch.asinh(torch.sinh(means).mean(dim=0))
        return torch.cat((mean, self.spec.variance_factor * total), dim=1)


def member_spec(settings: DenoiserSettings) -> NetworkSpec:
    """Return what a member of these settings is built from."""
    return folded_spec(settings.channels, settings.depth)


def folded_spec(channels: int, depth: int) -> NetworkSpec:
    """Return the spec of a network at half resolution: `channels` there, `depth` levels below it."""
    views = 1 + len(_BLURS_PX) + len(_FLATTENING)
    inputs, outputs = _FOLD**2 * (views + 1), _FOLD**2 * (2 + views)
    return NetworkSpec(kind="plain-unet", inputs=inputs, outputs=outputs, channels=channels, depth=depth)


def build_ensemble(spec: Mapping[str, JsonValue]) -> Ensemble:
    """Return the ensemble of a card's spec, with weights drawn from torch's global generator.

    Raises:
        LearningError: The spec is not one of an ensemble, or of one that looks at images in another way.
    """
    if "network" in spec and "contrast" not in spec:
        raise LearningError("its networks see radiances in another scale than those of this version")
    try:
        found = EnsembleSpec.model_validate(spec)
    except ValidationError as error:
        raise LearningError(f"the spec is not one of an ensemble of denoisers: {error}") from error
    if found.network != folded_spec(found.network.channels, found.network.depth):
        raise LearningError("its network is not one of this version: it looks at other views, or at another resolution")
    return Ensemble(found)


def looked_at(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return what a member sees of an image (N, 1, H, W) in the standard scale: views and roughness.

    Returns:
        Radiances over the scale's spread (N, views, H, W): as they are, blurred, flattened; and `_roughness`.
    """
    image = image.clamp(-MOST_STANDARD, MOST_STANDARD)
    # The glare of single bright pixels must not fill the blurs.
    dimmed = image.clamp(-_DIMMED, _DIMMED)
    linear, flat = torch.sinh(dimmed), torch.sinh(flattened(dimmed, _FLATTENING))
    blurs = [_blurred(linear, sigma) for sigma in _BLURS_PX]
    return torch.cat((torch.sinh(image), *blurs, flat), dim=1), _roughness(even(linear))


def even(radiance: Tensor) -> Tensor:
    """Return radiances over the scale's spread in a scale in which the noise of photons is about as strong everywhere.

    Far from the median the standard scale is a logarithm, in which what is bright has hardly any contrast left to see.
    """
    return 2.0 * radiance.sign() * (torch.sqrt(1.0 + radiance.abs()) - 1.0)


def denoiser_loss(raw: Tensor, batch: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss of a batch and its parts.

    `fidelity` teaches the mean: half the logarithm of an item's mean square difference from the truth, in radiance
    over the scale's spread, averaged over items (Chen et al. 2021, CVPR workshops, HINet), so that an image of few
    photons counts as much as one of many; the mean square itself would be that of the noisiest alone. `likelihood`
    teaches the variance: the Gaussian negative log likelihood, whose gradient the mean does not see. With it, means
    are drawn to pixels that are already well known (Seitzer et al. 2022, ICLR).

    Args:
        raw: (N, 2, H, W), mean and log variance.
        batch: `target` and `weight` (N, 1, H, W), as `Pairs` gives them; pixels without a weight do not count.
    """
    mean, log_variance = raw.float().chunk(2, dim=1)
    weight = batch["weight"].float()
    target = torch.where(weight > 0.0, batch["target"], mean.detach())
    off = torch.sinh(target) - torch.sinh(mean)
    square = off.square()
    counted = weight.sum(dim=(1, 2, 3))
    some = counted > 0.0
    each = (weight * square).sum(dim=(1, 2, 3)) / torch.where(some, counted, 1.0)
    fidelity = (some * 0.5 * torch.log(each + _FLOOR)).sum() / some.sum().clamp(min=1)
    # To first order: a difference in the standard scale is that of the radiances over the scale's slope.
    standard = (off / torch.cosh(mean)).detach().square()
    pixel = 0.5 * (standard * torch.exp(-log_variance) + log_variance)
    likelihood = (weight * pixel).sum() / counted.sum().clamp(min=1.0)
    return fidelity + likelihood, {"fidelity": fidelity, "likelihood": likelihood}


def _blurred(image: Tensor, sigma_px: float) -> Tensor:
    """Return (N, 1, H, W) blurred, beyond whose borders nothing is known."""
    reach = math.ceil(3.0 * sigma_px)
    at = torch.arange(-reach, reach + 1, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-0.5 * (at / sigma_px) ** 2)
    weight = torch.ones_like(image[:1])
    for shape, pad in (((1, 1, -1, 1), (reach, 0)), ((1, 1, 1, -1), (0, reach))):
        image, weight = (functional.conv2d(values, kernel.reshape(shape), padding=pad) for values in (image, weight))
    return image / weight


def _roughness(image: Tensor) -> Tensor:
    """Return (N, 1, H, W): logarithm of the mean square of the finest detail around, which in low light is noise.

    Without it a network must learn first to tell a noisy image from a clean one.
    """
    detail = (image - _blurred(image, _BLURS_PX[0])).square()
    return torch.log(_blurred(detail, _BLURS_PX[-1]) + _FLOOR)


@torch.no_grad()
def flattened(image: Tensor, weights: Sequence[float]) -> Tensor:
    """Return (N, weights, H, W): an image of little total variation for each weight (Chambolle 2004, JMIV 20, 89).

    So many steps of the projection do not end where the largest weight would, but they reach no farther than a halo.

    Args:
        image: (N, 1, H, W).
        weights: Of the total variation beside half the square difference from the image.
    """
    step = 0.25
    share = step / torch.tensor(weights, dtype=image.dtype, device=image.device).reshape(1, -1, 1, 1)
    shape = (image.shape[0], len(weights), *image.shape[2:])
    down, across = image.new_zeros(shape), image.new_zeros(shape)
    result = image.expand(shape)
    for _ in range(_FLATTENING_STEPS):
        slope_down = functional.pad(result[:, :, 1:] - result[:, :, :-1], (0, 0, 0, 1))
        slope_across = functional.pad(result[:, :, :, 1:] - result[:, :, :, :-1], (0, 1))
        length = 1.0 + share * torch.sqrt(slope_down.square() + slope_across.square())
        down, across = (down - step * slope_down) / length, (across - step * slope_across) / length
        result = image - down - across
        result[:, :, 1:] += down[:, :, :-1]
        result[:, :, :, 1:] += across[:, :, :, :-1]
    return result
