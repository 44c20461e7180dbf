"""Networks of the CycleGAN (Zhu et al. 2017): residual generators and judges that see 70 pixels.

Images are (N, 1, H, W) in the standard scale. A generator adds detail to a smoothed copy of what it is given: coarse
brightness passes unchanged, and noise, which no network can foretell, has to take the narrow way through the residual
blocks. Added to the image itself, the noise would stay: the cycle term asks for it back. The normalisation takes each
image's own statistics at first (instance normalisation) and ends with their running means: then what a generator makes
of a pixel depends on that pixel's neighbourhood alone, and tiles of one image fit together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal, cast

import torch
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from torch import Tensor, nn
from torch.nn import functional

from lunarsite.vision.learn import LearningError

STRIDE_PX = 4
"""Height and width of what a generator is given are multiples of this: two steps down by 2."""
FIELD_PX = 70
"""Side of the square of the image that one number of a judge depends on."""
_MOMENTUM = 0.01
"""Share of the latest statistics in their running mean, once a hundred steps are behind it."""
_FADE = (0.25, 0.5)
"""Parts of a training between which running means take the place of an image's own statistics. At one stroke they would
throw the generators out of all they have learned."""
_LEAK = 0.2
_LEAST_VARIANCE = 1e-5


class GeneratorSpec(BaseModel):
    """What a generator is built from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["residual"] = "residual"
    channels: Annotated[int, Field(ge=1, le=256)]
    """Channels at full resolution; the residual blocks, at a quarter of it, have four times as many."""
    blocks: Annotated[int, Field(ge=1, le=20)]
    attention: bool = False
    """Self-attention after the middle block: a pixel's result then depends on the whole tile."""
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    """Probability that a channel within a residual block is left out in training."""
    smoothing_px: Annotated[float, Field(gt=0.0, le=8.0)] = 1.5
    """Standard deviation of the Gaussian by which the copy is smoothed."""

    def to_json(self) -> dict[str, JsonValue]:
        """Return the spec as a model card holds it."""
        return cast(dict[str, JsonValue], self.model_dump(mode="json"))


class Reflect(nn.Module):
    """Continue an image by reflection about its border pixels.

    Torch's own padding has no deterministic gradient on GPUs.
    """

    def __init__(self, margin_px: int) -> None:
        super().__init__()
        self.margin_px = margin_px

    def forward(self, image: Tensor) -> Tensor:
        """Return (N, C, H + 2 margin, W + 2 margin)."""
        for axis in (2, 3):
            length, margin = image.shape[axis], self.margin_px
            before = image.narrow(axis, 1, margin).flip(axis)
            after = image.narrow(axis, length - margin - 1, margin).flip(axis)
            image = torch.cat((before, image, after), dim=axis)
        return image


class Norm(nn.Module):
    """Instance normalisation (Ulyanov et al. 2017) that fades into one by fixed statistics.

    In training, statistics are the image's own and running means of them, mixed by `share`; in evaluation they are the
    running means.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.share, self.momentum = 0.0, _MOMENTUM

    def follow(self, step: int, steps: int) -> None:
        """Set shares as a training's step asks for.

        Running means of the first steps are plain means, which no first guess has a part in.
        """
        self.momentum = max(_MOMENTUM, 1.0 / (step + 1))
        start, end = _FADE
        self.share = min(max((step / steps - start) / (end - start), 0.0), 1.0)

    def forward(self, image: Tensor) -> Tensor:
        """Return (N, C, H, W)."""
        if not self.training or self.share == 1.0:
            return functional.batch_norm(
                image, self.running_mean, self.running_var, self.weight, self.bias, eps=_LEAST_VARIANCE
            )
        variance, mean = torch.var_mean(image.float(), dim=(2, 3), correction=0, keepdim=True)
        with torch.no_grad():
            self.running_mean.lerp_(mean.mean(dim=0).flatten(), self.momentum)
            self.running_var.lerp_(variance.mean(dim=0).flatten(), self.momentum)
        if self.share > 0.0:
            mean = mean + self.share * (self.running_mean.clone()[:, None, None] - mean)
            variance = variance + self.share * (self.running_var.clone()[:, None, None] - variance)
        scale = self.weight[:, None, None] * torch.rsqrt(variance + _LEAST_VARIANCE)
        return (image * scale + (self.bias[:, None, None] - mean * scale)).to(image.dtype)


class Residual(nn.Module):
    """x + convolutions(x), of which the channels in the middle may be left out at random."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Sequential(Reflect(1), _convolution(channels, channels, 3), Norm(channels), nn.ReLU(True))
        self.second = nn.Sequential(Reflect(1), _convolution(channels, channels, 3), Norm(channels))
        self.dropout = dropout

    def forward(self, image: Tensor, keep: Tensor | None = None) -> Tensor:
        """Return (N, C, H, W); `keep` (C,) scales the channels in the middle, in the place of dropout's own draw."""
        middle = self.first(image)
        if keep is None:
            middle = functional.dropout2d(middle, self.dropout, self.training)
        else:
            middle = middle * keep[:, None, None]
        return cast(Tensor, image + self.second(middle))


class Attention(nn.Module):
    """Self-attention (Zhang et al. 2019, SAGAN): keys and values at half the resolution, a gain that starts at 0."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(channels // 8, 1)
        self.query, self.key = nn.Conv2d(channels, inner, 1), nn.Conv2d(channels, inner, 1)
        self.value, self.out = nn.Conv2d(channels, channels // 2, 1), nn.Conv2d(channels // 2, channels, 1)
        self.gain = nn.Parameter(torch.zeros(1))

    def forward(self, image: Tensor) -> Tensor:
        """Return (N, C, H, W)."""
        small = functional.avg_pool2d(image, 2, ceil_mode=True)
        query, key, value = (
            x.flatten(2).transpose(1, 2) for x in (self.query(image), self.key(small), self.value(small))
        )
        # The result is never larger than the map: torch computes it block by block.
        found = functional.scaled_dot_product_attention(query[:, None], key[:, None], value[:, None])[:, 0]
        mixed = found.transpose(1, 2).reshape(len(image), -1, *image.shape[2:])
        return cast(Tensor, image + self.gain * self.out(mixed))


class Generator(nn.Module):
    """From one domain to the other: two steps down, residual blocks, two steps up by repetition and convolution.

    Steps up by transposed convolution would leave a chequered pattern (Odena et al. 2016), which a search for craters
    would meet.
    """

    window: Tensor

    def __init__(self, spec: GeneratorSpec) -> None:
        super().__init__()
        self.spec = spec
        c, reach = spec.channels, math.ceil(3.0 * spec.smoothing_px)
        weight = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / spec.smoothing_px) ** 2)
        self.register_buffer("window", weight / weight.sum(), persistent=False)
        self.around = Reflect(reach)
        self.down = nn.Sequential(
            *(Reflect(3), _convolution(1, c, 7), Norm(c), nn.ReLU(True)),
            *(Reflect(1), _convolution(c, 2 * c, 3, 2), Norm(2 * c), nn.ReLU(True)),
            *(Reflect(1), _convolution(2 * c, 4 * c, 3, 2), Norm(4 * c), nn.ReLU(True)),
        )
        self.blocks = nn.ModuleList([Residual(4 * c, spec.dropout) for _ in range(spec.blocks)])
        self.attention = Attention(4 * c) if spec.attention else None
        self.up = nn.Sequential(
            *(nn.Upsample(scale_factor=2), Reflect(1), _convolution(4 * c, 2 * c, 3), Norm(2 * c), nn.ReLU(True)),
            *(nn.Upsample(scale_factor=2), Reflect(1), _convolution(2 * c, c, 3), Norm(c), nn.ReLU(True)),
            *(Reflect(3), nn.Conv2d(c, 1, 7)),
        )
        self.apply(_start)

    def forward(self, image: Tensor, keep: Tensor | None = None) -> Tensor:
        """Return the image as the other domain would show it; `keep` (blocks, 4 channels) as in `Residual`."""
        return self.finished(image, self.features(image), keep)

    def features(self, image: Tensor) -> Tensor:
        """Return what the residual blocks are given, (N, 4 channels, H / 4, W / 4)."""
        if image.ndim != 4 or image.shape[1] != 1 or image.shape[2] % STRIDE_PX or image.shape[3] % STRIDE_PX:
            raise LearningError(
                f"the generator takes (N, 1, H, W) with H and W multiples of {STRIDE_PX}, not {tuple(image.shape)}"
            )
        return cast(Tensor, self.down(image))

    def finished(self, image: Tensor, features: Tensor, keep: Tensor | None = None) -> Tensor:
        """Return the result for an image whose `features` are known."""
        for index, block in enumerate(self.blocks):
            features = block(features, None if keep is None else keep[index])
            if self.attention is not None and index == len(self.blocks) // 2:
                features = self.attention(features)
        return cast(Tensor, self.smoothed(image) + self.up(features))

    def smoothed(self, image: Tensor) -> Tensor:
        """Return the copy that detail is added to."""
        rows = functional.conv2d(self.around(image), self.window[None, None, :, None])
        return functional.conv2d(rows, self.window[None, None, None, :])

    def follow(self, step: int, steps: int) -> None:
        """Normalise as a training's step asks for."""
        for layer in self.modules():
            if isinstance(layer, Norm):
                layer.follow(step, steps)


class Judge(nn.Module):
    """PatchGAN (Isola et al. 2017): a score for every square of 70 pixels, high where it looks real."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(1, channels, 4, 2, 1), nn.LeakyReLU(_LEAK, True)]
        for inputs, stride in ((channels, 2), (2 * channels, 2), (4 * channels, 1)):
            norm = nn.InstanceNorm2d(2 * inputs)
            layers += [nn.Conv2d(inputs, 2 * inputs, 4, stride, 1), norm, nn.LeakyReLU(_LEAK, True)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(8 * channels, 1, 4, 1, 1))
        self.apply(_start)

    def forward(self, image: Tensor) -> Tensor:
        """Return scores (N, 1, H / 8 - 2, W / 8 - 2) without bounds."""
        return cast(Tensor, self.layers(image))


def keeps(spec: GeneratorSpec, passes: int, seed: int) -> Tensor:
    """Return which channels each of several passes with dropout keeps, (passes, blocks, 4 channels), mean 1.

    Whole channels are left out, the same ones everywhere in the image, so that tiles fit together.
    """
    drawn = torch.rand((passes, spec.blocks, 4 * spec.channels), generator=torch.Generator().manual_seed(seed))
    return (drawn >= spec.dropout).float() / (1.0 - spec.dropout)


def trainable(networks: Sequence[nn.Module]) -> list[nn.Parameter]:
    """Return the parameters of several networks."""
    return [parameter for network in networks for parameter in network.parameters()]


def _convolution(inputs: int, outputs: int, side: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, side, stride, bias=False)


def _start(layer: nn.Module) -> None:
    """Draw weights as the paper does: normal, 0.02."""
    if isinstance(layer, nn.Conv2d):
        nn.init.normal_(layer.weight, 0.0, 0.02)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
