"""Knobs of whatever learns from images: the network, its training, its inference."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lunarsite.settings.base import Fraction, Section


class TrainingSettings(Section):
    """One training of a network: how long, on what hardware, with what optimiser."""

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Most epochs; the learning rate follows a half cosine over them."""
    steps_per_epoch: Annotated[int, Field(ge=1, le=1_000_000)] = 150
    """Batches in an epoch: crops are drawn at random, so an epoch is a number, not a pass."""
    batch: Annotated[int, Field(ge=1, le=4_096)] = 8
    """Crops in a batch, on each device."""
    crop_px: Annotated[int, Field(ge=32, le=2_048, multiple_of=32)] = 224
    """Side of a training crop, pixels."""
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 3e-3
    """Highest learning rate (AdamW)."""
    weight_decay: Annotated[float, Field(ge=0.0, le=1.0)] = 1e-4
    """Decoupled weight decay."""
    warmup_fraction: Annotated[float, Field(ge=0.0, le=0.5)] = 0.08
    """Share of the steps over which the learning rate rises linearly."""
    clip_norm: Annotated[float, Field(gt=0.0)] = 5.0
    """Gradients are scaled down to this Euclidean norm."""
    averaging: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.998
    """Decay of the moving average of the weights, which is what is kept; 0 keeps the last weights."""
    patience: Annotated[int, Field(ge=1)] = 8
    """Epochs without a better validation loss after which the training stops."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    """Arithmetic. bf16-mixed and 16-mixed are for GPUs; on some processors they are slower or not there at all."""
    devices: Annotated[int, Field(ge=1, le=1_024)] = 1
    """GPUs (or processes) that share the training."""
    workers: Annotated[int, Field(ge=0, le=256)] = 1
    """Processes that prepare crops, for each device; the crops do not depend on it. 0: the training itself does."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1609
    """Seed of weights, crops and augmentations."""


class NetworkSettings(Section):
    """The network that is built where none is given."""

    kind: Literal["smp-unet", "plain-unet"] = "smp-unet"
    """'smp-unet': a U-Net of segmentation-models-pytorch on an encoder; 'plain-unet': convolutions only, small."""
    encoder: Annotated[str, Field(min_length=1, max_length=100)] = "resnet34"
    """Encoder of the smp-unet, by its name in segmentation-models-pytorch."""
    encoder_weights: Literal["imagenet"] | None = None
    """Weights that the encoder starts from: none, or ImageNet's, which are downloaded if they are not there yet."""
    channels: Annotated[int, Field(ge=4, le=256)] = 16
    """Channels of the plain-unet at full resolution; each level below has twice as many."""
    depth: Annotated[int, Field(ge=2, le=5)] = 4
    """Levels of the plain-unet below full resolution."""


class InferenceSettings(Section):
    """How a network is run over a map."""

    tile_px: Annotated[int, Field(ge=64, le=4_096, multiple_of=32)] = 512
    """Side of a tile without its halo, pixels."""
    halo_px: Annotated[int, Field(ge=32, le=1_024, multiple_of=32)] = 64
    """Margin around a tile, pixels, no wider than the tile; neighbouring tiles are blended over it."""
    views: Literal[1, 4, 8] = 1
    """Views of each tile that are averaged: 1; 4 quarter turns; 8 turns and their mirror images."""
    shards: Annotated[int, Field(ge=1, le=1_000)] = 1
    """Jobs among which the rows of tiles are dealt out."""
    least_probability: Fraction = 0.02
    """Peaks below this are not kept as candidates."""

    @model_validator(mode="after")
    def _narrow(self) -> Self:
        if self.halo_px > self.tile_px:
            raise ValueError(f"halo_px ({self.halo_px}) must not exceed tile_px ({self.tile_px})")
        return self
