"""The encoder of the perceptual term: any model of timm that gives features, with weights from a file or random ones.

Nothing is ever downloaded. Weights are a safetensors file with timm's own names, or MobileNetV2 as a chain of
convolutions in their order (`000_conv.weight`, ...) with the batch normalisation folded into them, which is how
TensorFlow's models are passed on; those pad and scale their input as TensorFlow does.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from lunarsite.vision.learn import LearningError
from lunarsite.vision.learn.torchvision_repair import ensure_torchvision

LEVELS = (0, 1, 2)
"""Feature levels that are compared: an encoder's first three, mostly at 1/2, 1/4 and 1/8 of the image's resolution."""
_MOST_BYTES = 2**30
_GREY_RANGE = 6.0
"""Spreads of the standard scale that an encoder sees as black to white."""
_FOLDED = re.compile(r"^\d{3}_(conv|dw)\.(weight|bias)$")
_HALF = (0.5, 0.5, 0.5)


class Encoder(nn.Module):
    """Features of images in the standard scale: (N, 1, H, W) to a list of (N, C, h, w). It does not learn."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, body: nn.Module, mean: tuple[float, ...], deviation: tuple[float, ...]) -> None:
        super().__init__()
        self.body = body
        self.register_buffer("mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("deviation", torch.tensor(deviation)[:, None, None])
        self.requires_grad_(False).eval()

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the features of every level."""
        grey = 0.5 + image / _GREY_RANGE
        return cast(list[Tensor], self.body((grey - self.mean) / self.deviation))

    def train(self, mode: bool = True) -> Encoder:
        """Stay in evaluation mode: statistics of normalisation are part of the weights."""
        return super().train(False)


@dataclass(frozen=True)
class Source:
    """Where an encoder's weights come from, as a model card says it."""

    encoder: str
    weights: str
    """'random', or the file's name."""
    sha256: str | None

    @property
    def words(self) -> str:
        """What a reader of the card is told."""
        if self.sha256 is None:
            return f"{self.encoder} with random weights"
        return f"{self.encoder} with the weights of {self.weights} (SHA-256 {self.sha256})"


def load_encoder(name: str, weights: Path | None, seed: int) -> tuple[Encoder, Source]:
    """Return an encoder and where its weights come from.

    Args:
        name: A model of timm that gives features.
        weights: A safetensors file; None: the weights are drawn.
        seed: Of the draw.

    Raises:
        LearningError: There is no such model, or the file is not a file of its weights.
    """
    tensors = {} if weights is None else _read(weights)
    folded = bool(tensors) and all(_FOLDED.match(key) for key in tensors)
    body = _body(name, folded, seed)
    normalisation = cast(Mapping[str, Any], getattr(body, "pretrained_cfg", None) or getattr(body, "default_cfg", {}))
    mean, deviation = (_HALF, _HALF) if folded else (normalisation.get("mean", _HALF), normalisation.get("std", _HALF))
    if weights is None:
        return Encoder(body, mean, deviation), Source(name, "random", None)
    if folded:
        tensors = unfolded(tensors, body, weights)
    _fill(body, tensors, name, weights)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    return Encoder(body, mean, deviation), Source(name, weights.name, digest)


def unfolded(tensors: Mapping[str, Tensor], body: nn.Module, path: Path) -> dict[str, Tensor]:
    """Return the state of a network from a chain of folded convolutions.

    The file's convolutions and the network's are the same ones in the same order; what follows each in the network, a
    batch normalisation, becomes the addition of its bias. A file may hold more than the network has.

    Raises:
        LearningError: The file ends before the network does, or shapes differ.
    """
    chain = sorted(key.removesuffix(".weight") for key in tensors if key.endswith(".weight"))
    layers = [(name, layer) for name, layer in body.named_modules() if isinstance(layer, nn.Conv2d | nn.BatchNorm2d)]
    pairs = list(zip(layers[::2], layers[1::2], strict=False))
    if len(pairs) > len(chain):
        raise LearningError(f"{path}: holds {len(chain)} convolutions, the encoder has {len(pairs)}")
    state: dict[str, Tensor] = {}
    for key, ((convolution, _), (norm, layer)) in zip(chain, pairs, strict=False):
        if not isinstance(layer, nn.BatchNorm2d):
            raise LearningError(
                f"{path}: folded convolutions fit an encoder in which a batch normalisation follows each of them;"
                f" '{norm}' is none"
            )
        bias = tensors.get(f"{key}.bias")
        if bias is None:
            raise LearningError(f"{path}: '{key}' has no bias")
        state[f"{convolution}.weight"] = tensors[f"{key}.weight"]
        state |= {f"{norm}.weight": torch.ones_like(bias), f"{norm}.bias": bias}
        state |= {f"{norm}.running_mean": torch.zeros_like(bias)}
        state |= {f"{norm}.running_var": torch.full_like(bias, 1.0 - layer.eps)}
    return state


def _body(name: str, folded: bool, seed: int) -> nn.Module:
    ensure_torchvision()
    import timm

    if not timm.is_model(name):
        raise LearningError(
            f"enhance.cycle.perceptual_encoder: timm has no model '{name}'; see timm.list_models() for those it has"
        )
    # TensorFlow pads less before than behind an image of even size, which shifts what a layer with stride 2 sees.
    padding: dict[str, Any] = {"pad_type": "same"} if folded else {}
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return timm.create_model(name, pretrained=False, features_only=True, out_indices=LEVELS, **padding)
    except (RuntimeError, AttributeError, AssertionError, TypeError, ValueError, IndexError) as error:
        # What a model of timm raises that gives no features, or fewer levels, differs from model to model.
        raise LearningError(
            f"enhance.cycle.perceptual_encoder: '{name}' gives no features at {len(LEVELS)} levels"
            f" ({type(error).__name__}: {error}); name a convolutional encoder such as mobilenetv2_100"
        ) from error


def _read(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    words = f"{path}: enhance.cycle.perceptual_weights"
    if not path.is_file():
        raise LearningError(f"{words} does not exist; name a safetensors file, or null for random weights")
    if path.stat().st_size > _MOST_BYTES:
        raise LearningError(f"{words} has {path.stat().st_size} bytes, too large for an encoder")
    try:
        found = load_file(path)
    except SafetensorError as error:
        raise LearningError(f"{words} is no readable safetensors file ({error})") from error
    for key, value in found.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise LearningError(f"{words}: weights '{key}' are not finite")
    return {key: value.float() if value.is_floating_point() else value for key, value in found.items()}


def _fill(body: nn.Module, tensors: Mapping[str, Tensor], name: str, path: Path) -> None:
    # How many batches the statistics were taken from matters to training alone, and not every file tells it.
    expected = {key: value for key, value in body.state_dict().items() if not key.endswith("num_batches_tracked")}
    missing = sorted(expected.keys() - tensors.keys())
    wrong = [key for key in expected.keys() & tensors.keys() if expected[key].shape != tensors[key].shape]
    if missing or wrong:
        what = f"lacks '{missing[0]}'" if missing else f"has '{wrong[0]}' in another shape"
        raise LearningError(
            f"{path}: {what}; enhance.cycle.perceptual_weights must be those of perceptual_encoder '{name}'"
        )
    body.load_state_dict({key: tensors[key] for key in expected}, strict=False)
