"""The encoder of the perceptual term: any model of timm that gives features, with weights from a file or random ones.

Nothing is ever downloaded; see `learn.encoder_weights` for the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from lunarsite.vision.learn import LearningError
from lunarsite.vision.learn.encoder_weights import HALF, Source, digest, fill, is_folded, read, unfolded
from lunarsite.vision.learn.torchvision_repair import ensure_torchvision

LEVELS = (0, 1, 2)
"""Feature levels that are compared: an encoder's first three, mostly at 1/2, 1/4 and 1/8 of the image's resolution."""
_GREY_RANGE = 6.0
"""Spreads of the standard scale that an encoder sees as black to white."""
_FIELDS = ("enhance.cycle.perceptual_weights", "perceptual_encoder")


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


def load_encoder(name: str, weights: Path | None, seed: int) -> tuple[Encoder, Source]:
    """Return an encoder and where its weights come from.

    Args:
        name: A model of timm that gives features.
        weights: A safetensors file; None: the weights are drawn.
        seed: Of the draw.

    Raises:
        LearningError: There is no such model, or the file is not a file of its weights.
    """
    tensors = {} if weights is None else read(weights, _FIELDS[0])
    folded = is_folded(tensors)
    body = _body(name, folded, seed)
    normalisation = cast(Mapping[str, Any], getattr(body, "pretrained_cfg", None) or getattr(body, "default_cfg", {}))
    mean, deviation = (HALF, HALF) if folded else (normalisation.get("mean", HALF), normalisation.get("std", HALF))
    if weights is None:
        return Encoder(body, mean, deviation), Source(name, "random", None)
    if folded:
        tensors = unfolded(tensors, body, weights)
    fill(body, tensors, name, weights, _FIELDS)
    return Encoder(body, mean, deviation), Source(name, weights.name, digest(weights))


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
