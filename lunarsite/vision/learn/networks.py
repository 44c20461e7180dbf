"""Networks that map an image to maps of the same ground, and the spec that they are rebuilt from."""

from __future__ import annotations

from typing import Annotated, Literal, cast

import torch
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from torch import Tensor, nn
from torch.nn import functional

from lunarsite.vision.learn import LearningError
from lunarsite.vision.learn.torchvision_repair import ensure_torchvision

MULTIPLE_PX = 32
"""Height and width of what a network is given are multiples of this: no level below full resolution has half pixels."""
_WIDEST = 160
# Libraries whose errors mean that a host or a file is out of reach.
_OUT_OF_REACH = ("huggingface_hub", "httpx", "requests", "urllib3", "urllib")

Width = Annotated[int, Field(ge=1, le=4_096)]


class NetworkSpec(BaseModel):
    """What a network is built from: `build(NetworkSpec.model_validate(card.spec))` gives the same layers again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["plain-unet", "smp-unet"]
    inputs: Annotated[int, Field(ge=1, le=1_024)]
    """Channels of the image."""
    outputs: Annotated[int, Field(ge=1, le=1_024)]
    """Channels of the result."""
    stride: Literal[1, 2] = 1
    """Pixels of the image per pixel of the result."""
    encoder: str = "resnet34"
    """smp-unet: the encoder's name in segmentation-models-pytorch."""
    encoder_weights: Literal["imagenet"] | None = None
    """smp-unet: weights that the encoder starts from."""
    decoder_channels: Annotated[tuple[Width, ...], Field(min_length=3, max_length=5)] = (256, 128, 64, 32, 16)
    """smp-unet: channels of the decoder, from its deepest level up."""
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """smp-unet: probability with which each level of the decoder drops a channel (Dropout2d)."""
    padding: Literal["symmetric", "same"] = "symmetric"
    """smp-unet: 'same' pads as TensorFlow does, which weights learned there need; encoders of timm alone ('tu-')."""
    channels: Annotated[int, Field(ge=1, le=256)] = 16
    """plain-unet: channels at full resolution."""
    depth: Annotated[int, Field(ge=2, le=5)] = 4
    """plain-unet: levels below full resolution."""

    def to_json(self) -> dict[str, JsonValue]:
        """Return the spec as a model card holds it."""
        return cast(dict[str, JsonValue], self.model_dump(mode="json"))


class MapNetwork(nn.Module):
    """Maps (N, inputs, H, W) to logits (N, outputs, H / stride, W / stride)."""

    spec: NetworkSpec

    @property
    def last(self) -> nn.Conv2d:
        """The convolution that gives the logits: a room may set its bias to the rarity of what it looks for.

        Raises:
            LearningError: A room has put a last layer of its own in its place.
        """
        raise NotImplementedError


def build(spec: NetworkSpec) -> MapNetwork:
    """Return a new network; its weights are drawn from torch's global generator.

    Raises:
        LearningError: There is no such encoder, or the weights that it shall start from cannot be had.
    """
    return PlainUnet(spec) if spec.kind == "plain-unet" else SmpUnet(spec)


class PlainUnet(MapNetwork):
    """A U-Net (Ronneberger et al. 2015) of padded 3 x 3 convolutions with batch normalisation, 160 channels at most."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        width = [min(spec.channels * 2**level, _WIDEST) for level in range(spec.depth + 1)]
        top = spec.stride - 1  # with stride 2 the last step up is left out
        self.down = nn.ModuleList([_convolutions(a, b) for a, b in zip([spec.inputs, *width], width, strict=False)])
        ups = range(spec.depth, top, -1)
        self.up = nn.ModuleList([nn.ConvTranspose2d(width[i], width[i - 1], 2, 2) for i in ups])
        self.merge = nn.ModuleList([_convolutions(2 * width[i - 1], width[i - 1]) for i in ups])
        self.head = nn.Sequential(*_convolution(width[top], width[top]), nn.Conv2d(width[top], spec.outputs, 1))

    @property
    def last(self) -> nn.Conv2d:
        """The layer that gives the logits."""
        return cast(nn.Conv2d, self.head[-1])

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits."""
        _check(image, self.spec)
        levels: list[Tensor] = []
        for step in self.down:
            levels.append(step(functional.max_pool2d(levels[-1], 2) if levels else image))
        features = levels.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            features = merge(torch.cat((up(features), levels.pop()), dim=1))
        return cast(Tensor, self.head(features))


class SmpUnet(MapNetwork):
    """The U-Net of segmentation-models-pytorch; with stride 2 its logits are averaged over 2 x 2 pixels."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        self.unet = _smp_unet(spec)

    @property
    def last(self) -> nn.Conv2d:
        """The layer that gives the logits."""
        head = self.unet.segmentation_head
        if not isinstance(head, nn.Sequential):
            raise LearningError(f"the last layer is a {type(head).__name__}, and no convolution of its own")
        return cast(nn.Conv2d, head[0])

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits."""
        _check(image, self.spec)
        logits = self.unet(image)
        return functional.avg_pool2d(logits, 2) if self.spec.stride == 2 else cast(Tensor, logits)


def _convolution(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def _convolutions(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*_convolution(inputs, outputs), *_convolution(outputs, outputs))


def _check(image: Tensor, spec: NetworkSpec) -> None:
    if image.ndim != 4 or image.shape[1] != spec.inputs or image.shape[2] % MULTIPLE_PX or image.shape[3] % MULTIPLE_PX:
        raise LearningError(
            f"the network takes (N, {spec.inputs}, H, W) with H and W multiples of {MULTIPLE_PX}, "
            f"not {tuple(image.shape)}"
        )


def _smp_unet(spec: NetworkSpec) -> nn.Module:
    ensure_torchvision()
    import segmentation_models_pytorch as smp  # type: ignore[import-untyped]

    timm_name = spec.encoder.removeprefix("tu-")
    if timm_name == spec.encoder and spec.encoder not in smp.encoders.get_encoder_names():
        raise LearningError(
            f"network.encoder: segmentation-models-pytorch has no encoder '{spec.encoder}'; name one of "
            "smp.encoders.get_encoder_names(), or 'tu-' and a model of timm"
        )
    if timm_name != spec.encoder:
        import timm

        if not timm.is_model(timm_name):
            raise LearningError(f"network.encoder: timm has no model '{timm_name}'; see timm.list_models()")
    # 'tu-' encoders take True: which weights they mean is part of their name.
    weights = (spec.encoder_weights if timm_name == spec.encoder else True) if spec.encoder_weights else None
    # smp's own encoders swallow options that they do not know, without a word.
    if spec.padding == "same" and timm_name == spec.encoder:
        raise _cannot_pad(spec)
    options = {"pad_type": "same"} if spec.padding == "same" else {}
    try:
        unet = smp.Unet(
            spec.encoder,
            encoder_weights=weights,
            encoder_depth=len(spec.decoder_channels),
            decoder_channels=spec.decoder_channels,
            in_channels=spec.inputs,
            classes=spec.outputs,
            **options,
        )
    except TypeError as error:
        if not options:
            raise
        raise _cannot_pad(spec) from error
    except Exception as error:
        # Which class of error a failed download ends in differs between the libraries and their releases.
        if weights is None or not _out_of_reach(error):
            raise
        raise LearningError(
            f"network.encoder_weights: the {spec.encoder_weights} weights of '{spec.encoder}' cannot be had "
            f"({type(error).__name__}: {error}); go where the network is reachable, put them into Hugging Face's "
            "cache, or set encoder_weights: null to start from random ones"
        ) from error
    if spec.dropout > 0.0:
        for block in unet.decoder.blocks:
            # smp's hook for attention at the end of a level: without attention it is nothing at all.
            block.attention2 = nn.Dropout2d(spec.dropout)
    return cast(nn.Module, unet)


def _cannot_pad(spec: NetworkSpec) -> LearningError:
    return LearningError(
        f"network.encoder: '{spec.encoder}' cannot pad as TensorFlow does, which its weights need; name 'tu-' and a"
        " convolutional model of timm such as tu-mobilenetv2_100"
    )


def _out_of_reach(error: Exception) -> bool:
    return isinstance(error, OSError | KeyError) or type(error).__module__.split(".")[0] in _OUT_OF_REACH
