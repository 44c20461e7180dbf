"""Knobs of the rock room: rendered scenes, splits, training, inference, hazards, and how it is all measured."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lunarsite.settings.base import FilePath, Fraction, Positive, Section
from lunarsite.settings.learning import TrainingSettings

Seed = Annotated[int, Field(ge=0, lt=2**32)]
MOST_VIEW_PX = 4_096
"""Longest side of what a network is given; the memory it takes grows with the square."""
SunElevation = Annotated[float, Field(ge=1.0, le=90.0)]


class RockCameraSettings(Section):
    """A camera on a lander or a mast, over ground that is level on the whole."""

    height_m: Annotated[float, Field(gt=0.05, le=100.0)] = 1.6
    """Height of the lens above the ground, metres."""
    pitch_deg: Annotated[float, Field(gt=-45.0, lt=90.0)] = 12.0
    """Angle of the optical axis below the horizontal, degrees."""
    field_of_view_deg: Annotated[float, Field(ge=5.0, le=120.0)] = 60.0
    """Horizontal field of view, degrees."""


class RockRenderSettings(Section):
    """Scenes of rocky ground as a camera near it would see them, with their truth: what a run without data has."""

    scenes: Annotated[int, Field(ge=1, le=100_000)] = 24
    """Number of scenes."""
    height_px: Annotated[int, Field(ge=32, le=2_048, multiple_of=32)] = 256
    width_px: Annotated[int, Field(ge=32, le=2_048, multiple_of=32)] = 384
    camera: RockCameraSettings = RockCameraSettings()
    """The mean camera; height and pitch are drawn about it."""
    rock_share: tuple[Fraction, Fraction] = (0.005, 0.08)
    """Share of the ground under rocks, drawn between the two for each scene."""
    sun_elevation_deg: tuple[SunElevation, SunElevation] = (5.0, 45.0)
    """Height of the Sun, degrees: drawn between the two."""
    large_heights: Annotated[float, Field(gt=0.0, le=100.0)] = 0.4
    """Rocks that are wider than that many heights of the camera are large ones, as in the dataset (docs/rocks.md)."""
    seed: Seed = 4217

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for name in ("rock_share", "sun_elevation_deg"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} begins at {low:g} and ends at {high:g}; write the smaller one first")
        return self


class RockSplitSettings(Section):
    """Which scenes teach, which choose, which test: whole scenes, by a seed."""

    validation_share: Fraction = 0.15
    """Share of the renders that choose epochs, temperature and thresholds."""
    test_share: Fraction = 0.2
    """Share of the renders that are measured and nothing else. Of masks that leave out tiny rocks, those alone."""
    photograph_training_share: Fraction = 0.25
    """Share of the photographs' scenes that a training with real labels may see."""
    photograph_validation_share: Fraction = 0.15
    """Share of them that choose; the rest are measured and nothing else."""
    seed: Seed = 42

    @model_validator(mode="after")
    def _something_left(self) -> Self:
        if self.validation_share + self.test_share >= 1.0:
            raise ValueError("validation_share and test_share leave no renders to train on")
        if self.photograph_training_share + self.photograph_validation_share >= 1.0:
            raise ValueError("photograph_training_share and photograph_validation_share leave none to test on")
        return self


class RockNetworkSettings(Section):
    """The network: a U-Net of segmentation-models-pytorch."""

    encoder: Annotated[str, Field(min_length=1, max_length=100)] = "tu-mobilenetv2_100"
    """Encoder, by its name in segmentation-models-pytorch ('tu-': one of timm); the published recipe has resnet34."""
    encoder_weights: FilePath | Literal["imagenet"] | None = None
    """Weights that the encoder starts from: a safetensors file, ImageNet's (which are downloaded), or random ones."""
    decoder_channels: Annotated[
        tuple[Annotated[int, Field(ge=4, le=1_024)], ...], Field(min_length=4, max_length=5)
    ] = (48, 32, 24, 16, 16)
    """Channels of the decoder from its deepest level up; the published recipe has 256, 128, 64, 32, 16. With fewer than
    four the encoder would not see the sixteenth of an image's size at which strange images are told."""
    head: Literal["horizon", "plain"] = "horizon"
    """Last layer: 'horizon' tells small rocks from large ones by how far below the horizon they are as well; 'plain' is
    that of the published recipe."""
    dropout: Annotated[float, Field(ge=0.0, lt=0.9)] = 0.1
    """Share of the decoder's channels that are dropped in training, and in each pass of Monte Carlo dropout."""


class RockAugmentationSettings(Section):
    """How often a training image is changed in each way; 0 leaves one out."""

    geometry: Fraction = 1.0
    """Mirrored left to right, scaled and cropped."""
    shadow_rotation: Fraction = 0.15
    """Shading turned to another Sun."""
    contrast: Fraction = 0.25
    """Extreme contrast: gamma, crushed shadows, blown highlights."""
    photometry: Fraction = 0.25
    """Another photometric function's falloff (Hapke-like), and ground of another brightness."""
    craters: Fraction = 0.1
    """Synthetic craters laid over the ground."""
    sensor: Fraction = 0.25
    """Noise, blur, stripes, compression by few bits."""
    style: Fraction = 0.25
    """Statistics of grey levels and colours taken from photographs without their labels."""


class RockTrainingSettings(TrainingSettings):
    """Training of each member."""

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 8
    """Most epochs; the learning rate follows a half cosine over them."""
    steps_per_epoch: Annotated[int, Field(ge=1, le=1_000_000)] = 150
    batch: Annotated[int, Field(ge=1, le=4_096)] = 4
    crop_px: Annotated[int, Field(ge=32, le=2_048, multiple_of=32)] = 320
    """The height of a reduced picture: crops begin at its top, for the horizon tells how large a rock is."""
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 1e-3
    averaging: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.99
    patience: Annotated[int, Field(ge=1)] = 100


class RockLearningSettings(Section):
    """What is trained."""

    members: Annotated[int, Field(ge=1, le=20)] = 3
    """Networks of the deep ensemble; they differ in their seeds."""
    network: RockNetworkSettings = RockNetworkSettings()
    augmentation: RockAugmentationSettings = RockAugmentationSettings()
    photograph_labels: bool = True
    """Whether photographs of the training scenes teach with their labels."""
    photograph_weight: Fraction = 0.25
    """Share of the crops that come from them."""
    rock_weight: Annotated[float, Field(ge=0.0, le=100.0)] = 1.0
    """Weight of two losses beside cross-entropy and the Dice of each class: the Dice of all rocks as one, and how wrong
    small is told from large where there is a rock. The published recipe has neither."""
    training: RockTrainingSettings = RockTrainingSettings()


class RockAblationSettings(Section):
    """What closes the gap to photographs: small trainings, each with one thing more, and one with the plain head."""

    seeds: Annotated[int, Field(ge=1, le=20)] = 2
    """Trainings of each variant; they differ in their seeds."""
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 4
    """Of each of them, in the place of learning.training.epochs."""
    steps_per_epoch: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """In the place of learning.training.steps_per_epoch. Of four crops a step: less than about 400 steps in all show
    nothing, for a network that has not learned the renders has no gap to photographs that anything could close."""
    variants: tuple[Literal["augmented", "style", "few labels", "own renders", "plain head"], ...] = (
        *("augmented", "style", "few labels", "own renders", "plain head"),
    )
    """What is trained besides renders with geometry alone: each has what those named before it here have, whether these
    are trained or not; 'plain head' is 'few labels' with the plain last layer, and needs it."""
    draws: Annotated[int, Field(ge=100, le=1_000_000)] = 2_000
    """Draws of the bootstrap over scenes and seeds."""
    seed: Seed = 71
    """Of the draws."""

    @model_validator(mode="after")
    def _has_its_rival(self) -> Self:
        if "plain head" in self.variants and "few labels" not in self.variants:
            raise ValueError("variants has 'plain head' without 'few labels', which it is held against; add that")
        return self


class RockInferenceSettings(Section):
    """How images are segmented."""

    method: Literal["ensemble", "single", "dropout"] = "ensemble"
    """'ensemble': the members' mean probability; 'single': the first member; 'dropout': Monte Carlo dropout of it."""
    flips: Literal[1, 2, 4] = 2
    """Views averaged: 1; 2 with the image left to right; 4 with both upside down as well (the published recipe;
    what these gain is not measured)."""
    scales: Annotated[tuple[Annotated[float, Field(ge=0.25, le=4.0)], ...], Field(min_length=1, max_length=8)] = (1.0,)
    """Sizes of the image that are averaged."""
    passes: Annotated[int, Field(ge=2, le=1_000)] = 20
    """Passes of Monte Carlo dropout."""
    longest_side_px: Annotated[int, Field(ge=64, le=MOST_VIEW_PX)] = 480
    """Larger images are reduced to that before they are segmented, and their maps brought back. Times the largest of
    scales it is at most 4 096."""
    seed: Seed = 99

    @model_validator(mode="after")
    def _views_fit(self) -> Self:
        side = round(self.longest_side_px * max(self.scales))
        if side > MOST_VIEW_PX:
            raise ValueError(
                f"longest_side_px ({self.longest_side_px}) times the largest of scales ({max(self.scales):g}) is"
                f" {side} px, and at most {MOST_VIEW_PX} fit into memory; lower longest_side_px or that scale"
            )
        return self


class RockHazardSettings(Section):
    """What a lander makes of the rocks."""

    least_px: Annotated[int, Field(ge=1, le=10_000)] = 9
    """Rocks of fewer pixels are not counted."""
    disc_radius_m: Positive = 2.5
    """Radius of the ground that a lander needs, metres, where the camera is known."""


class RockSettings(Section):
    """Rocks in images from the ground."""

    enabled: bool = True
    """Whether the run segments scenes: those of source.rock_images, if it names a folder, and rendered ones."""
    model: Literal["pretrained", "train"] = "pretrained"
    """'pretrained': the model that comes with lunarsite; 'train': train one on this run's scenes."""
    ablate: bool = False
    """Whether the run also measures, by small trainings of its own, what closes the gap to photographs."""
    render: RockRenderSettings = RockRenderSettings()
    split: RockSplitSettings = RockSplitSettings()
    learning: RockLearningSettings = RockLearningSettings()
    ablation: RockAblationSettings = RockAblationSettings()
    inference: RockInferenceSettings = RockInferenceSettings()
    hazard: RockHazardSettings = RockHazardSettings()


class RockReferenceSettings(Section):
    """Rocks, measured."""

    most_scenes: Annotated[int, Field(ge=1, le=100_000)] = 60
    """Test renders measured, at most."""
    boundary_px: Annotated[int, Field(ge=1, le=50)] = 2
    """How far off a boundary still counts as found, pixels."""
    bins: Annotated[int, Field(ge=2, le=1_000)] = 15
    """Bins of the reliability diagram."""
    draws: Annotated[int, Field(ge=100, le=1_000_000)] = 1_000
    """Draws of the bootstrap over scenes."""
    seed: Seed = 17
