"""Knobs of seeing into shadow: rendered scenes, the sensor in low light, the networks, and how they are measured."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lunarsite.settings.base import FilePath, Longitude, Positive, Section
from lunarsite.settings.learning import TrainingSettings

Electrons = Annotated[float, Field(ge=0.0, le=1e6)]


class LitScenesSettings(Section):
    """Patches of the elevation models, rendered in sunlight and in the light that sunlit slopes scatter."""

    tile_px: Annotated[int, Field(ge=64, le=512, multiple_of=32)] = 128
    """Side of a scene, pixels."""
    tiles_per_model: Annotated[int, Field(ge=1, le=100_000)] = 16
    """Places drawn on each elevation model. Of those on the run's own, half lie in the test sector."""
    training_tiles: Annotated[int, Field(ge=0, le=100_000)] = 0
    """Further places on the run's own elevation model, all for training: measuring needs few, a network needs many."""
    suns_per_tile: Annotated[int, Field(ge=1, le=100)] = 2
    """Sub-solar points drawn for each place: a scene each."""
    least_shadow_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5
    """A scene is kept if at least this share of it sees no part of the Sun's disc."""
    directions: Annotated[int, Field(ge=8, le=360)] = 32
    """Map directions from which scattered light is gathered."""
    reach_m: Annotated[float, Field(ge=1_000.0, le=200_000.0)] = 40_000.0
    """How far away slopes still scatter light, metres."""
    albedo_spread: Annotated[float, Field(ge=0.0, le=0.5)] = 0.06
    """Standard deviation of the ground's albedo about its mean, as a share of it."""
    validation_lon_deg: tuple[Longitude, Longitude] = (75.0, 115.0)
    """Sector, from the first longitude eastwards to the second, whose scenes choose epochs and thresholds."""
    test_lon_deg: tuple[Longitude, Longitude] = (-180.0, 0.0)
    """Sector whose scenes are measured and nothing else. Scenes that reach into two sectors are left out."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1610
    """Seed of places, sub-solar points and albedo."""
    elevation_credit: Annotated[str, Field(max_length=2_000)] = ""
    """Who made the elevation models and under which terms, for the credit of scenes and of networks trained on them;
    empty: the credit says where the run's record of its sources is."""


class SensorSettings(Section):
    """A camera in low light: what it makes of a scene's radiance."""

    least_electrons: Positive = 2.0
    """Electrons that the scene's median pixel gives at the lowest signal of training."""
    most_electrons: Positive = 400.0
    """The same at the highest signal."""
    dark_electrons: tuple[Electrons, Electrons] = (0.2, 4.0)
    """Dark current over the exposure, electrons: drawn between the two for each image."""
    read_noise_electrons: tuple[Electrons, Electrons] = (0.5, 3.0)
    """Read noise, standard deviation in electrons: drawn between the two for each image."""
    stripe_electrons: tuple[Electrons, Electrons] = (0.0, 1.0)
    """Column-to-column offsets, standard deviation in electrons: drawn between the two for each image."""
    gain_spread: Annotated[float, Field(ge=0.0, le=0.2)] = 0.01
    """Column-to-column gain, standard deviation as a share."""
    bits: Annotated[int, Field(ge=6, le=16)] = 8
    """Bits of a stored number, after companding by the square root."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.least_electrons > self.most_electrons:
            raise ValueError("least_electrons exceeds most_electrons")
        for name in ("dark_electrons", "read_noise_electrons", "stripe_electrons"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name}: the first number exceeds the second")
        return self


class DenoiserTrainingSettings(TrainingSettings):
    """Training of the paired denoiser, for each member of the ensemble."""

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 8
    steps_per_epoch: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    crop_px: Annotated[int, Field(ge=32, le=2_048, multiple_of=32)] = 128
    averaging: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.995


class DenoiserSettings(Section):
    """The paired denoiser: U-Nets that tell a mean and its error."""

    members: Annotated[int, Field(ge=1, le=20)] = 2
    """Networks of the ensemble; their disagreement is part of the error."""
    channels: Annotated[int, Field(ge=4, le=256)] = 24
    """Channels at half resolution, the finest that the networks work at."""
    depth: Annotated[int, Field(ge=2, le=5)] = 2
    """Levels below half resolution."""
    training: DenoiserTrainingSettings = DenoiserTrainingSettings()


class CycleSettings(Section):
    """CycleGAN (Zhu et al. 2017) between images of sunlit and of shadowed ground, without pairs."""

    steps: Annotated[int, Field(ge=1, le=10_000_000)] = 1_500
    """Steps of training; the learning rate falls linearly to 0 over the second half."""
    batch: Annotated[int, Field(ge=1, le=1_024)] = 1
    crop_px: Annotated[int, Field(ge=64, le=1_024, multiple_of=32)] = 96
    """Side of a training crop, pixels."""
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 2e-4
    """Adam, betas 0.5 and 0.999."""
    generator_channels: Annotated[int, Field(ge=4, le=256)] = 16
    """Channels at full resolution; the residual blocks have four times as many."""
    generator_blocks: Annotated[int, Field(ge=1, le=20)] = 6
    """Residual blocks between the two steps down and the two steps up."""
    discriminator_channels: Annotated[int, Field(ge=4, le=256)] = 32
    """Channels of the first layer of the PatchGAN, whose field of view is 70 px."""
    attention: bool = False
    """Self-attention (Zhang et al. 2019) after the middle residual block."""
    adversarial: Literal["lsgan", "bce"] = "lsgan"
    buffer: Annotated[int, Field(ge=0, le=10_000)] = 50
    """Earlier results of each generator from which the discriminator's are drawn half of the time."""
    cycle_weight: Annotated[float, Field(ge=0.0, le=1_000.0)] = 10.0
    """Weight of (there and back) = 1, lambda_cycle."""
    identity_weight: Annotated[float, Field(ge=0.0, le=1_000.0)] = 5.0
    """Weight of (already there) = 1, lambda_identity."""
    l1_weight: Annotated[float, Field(ge=0.0, le=1_000.0)] = 2.0
    """lambda_L1 within the cycle and identity terms."""
    perceptual_weight: Annotated[float, Field(ge=0.0, le=1_000.0)] = 1.0
    """lambda_perc within them."""
    ssim_weight: Annotated[float, Field(ge=0.0, le=1_000.0)] = 1.0
    """lambda_ssim of 1 - SSIM within them."""
    perceptual_encoder: Annotated[str, Field(min_length=1, max_length=100)] = "mobilenetv2_100"
    """Encoder of the perceptual term, a model of timm."""
    perceptual_weights: FilePath | None = None
    """Its weights, a safetensors file. null: random ones, which the card says."""
    clip_norm: Annotated[float, Field(gt=0.0)] = 1.0
    """Gradients are scaled down to this Euclidean norm."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    """Arithmetic; mixed precision is for GPUs."""
    keep_every: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """Steps between two checkpoints, and between two sample pictures."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1817
    """Seed of weights, crops and the buffer."""


class EnhancementSettings(Section):
    """How an image is enhanced."""

    method: Literal["denoiser", "cycle"] = "denoiser"
    """Which network. The report tells why the denoiser is the default."""
    tile_px: Annotated[int, Field(ge=64, le=4_096, multiple_of=32)] = 512
    """Side of a tile without its halo, pixels."""
    halo_px: Annotated[int, Field(ge=32, le=1_024, multiple_of=32)] = 64
    """Margin around a tile, pixels."""


class EnhanceSettings(Section):
    """Seeing into shadow."""

    enabled: bool = True
    """Whether the run enhances ShadowCam frames, where it has any, and measures the networks on rendered scenes."""
    model: Literal["pretrained", "train"] = "pretrained"
    """'pretrained': the models that come with lunarsite; 'train': train them on this run's scenes."""
    scenes: LitScenesSettings = LitScenesSettings()
    sensor: SensorSettings = SensorSettings()
    denoiser: DenoiserSettings = DenoiserSettings()
    cycle: CycleSettings = CycleSettings()
    enhancement: EnhancementSettings = EnhancementSettings()


class EnhanceReferenceSettings(Section):
    """Enhancement, measured: on rendered scenes with their truth, and on real frames without."""

    electrons: Annotated[tuple[Positive, ...], Field(min_length=1)] = (4.0, 20.0, 100.0)
    """Signal levels, electrons of the median pixel, ascending."""
    most_scenes: Annotated[int, Field(ge=1, le=100_000)] = 40
    """Test scenes measured, at most."""
    draws: Annotated[int, Field(ge=100, le=1_000_000)] = 1_000
    """Draws of the bootstrap over ground."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 11

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if list(self.electrons) != sorted(set(self.electrons)):
            raise ValueError("electrons: must be ascending, each level once; claims are put to the first")
        return self


class ShadowCamReferenceSettings(Section):
    """Light and shadow as predicted, against ShadowCam's images."""

    block_km: Annotated[float, Field(gt=0.0, le=500.0)] = 1.0
    """Side of the blocks that the bootstrap draws on a composite, km."""
    frame_block_km: Annotated[float, Field(gt=0.0, le=500.0)] = 5.0
    """The same on a timed frame: shadows of a low Sun are longer than those of average light are wide."""
    most_shift_px: Annotated[int, Field(ge=0, le=50)] = 6
    """Largest shift of a frame that is tried, pixels."""
    draws: Annotated[int, Field(ge=100, le=1_000_000)] = 1_000
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 13
