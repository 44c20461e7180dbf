"""Stages of seeing into shadow: training of the networks, and images enhanced by them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lunarsite.artefact.contracts import (
    CYCLE_MODEL,
    DENOISER_MODEL,
    ENHANCE_TRAINING,
    ENHANCED_FRAMES,
    LIT_SCENES,
    PSR_IMAGES,
    SHADOWCAM_FRAMES,
)
from lunarsite.settings import CycleSettings, DenoiserSettings, EnhancementSettings, SensorSettings
from lunarsite.stage import Input, Job, Output, StageError, stage


@stage
def train(
    job: Job,
    sensor: SensorSettings,
    denoiser: DenoiserSettings,
    scenes: Annotated[Path, Input(LIT_SCENES)],
    model: Annotated[Path, Output(DENOISER_MODEL)],
    record: Annotated[Path, Output(ENHANCE_TRAINING)],
) -> None:
    """Train the paired denoiser on rendered scenes that the sensor looks at in low light."""
    from lunarsite.vision.enhance.training import train_stage

    train_stage(job, sensor, denoiser, scenes, model, record)


@stage
def cycle(
    job: Job,
    sensor: SensorSettings,
    cycle: CycleSettings,
    scenes: Annotated[Path, Input(LIT_SCENES)],
    images: Annotated[Path | None, Input(PSR_IMAGES)],
    model: Annotated[Path, Output(CYCLE_MODEL)],
    record: Annotated[Path, Output(ENHANCE_TRAINING)],
    pictures: Annotated[Path | None, Output(None)],
) -> None:
    """Train the CycleGAN on images of sunlit and of shadowed ground, without pairs."""
    from lunarsite.vision.enhance.cycle_training import cycle_stage

    cycle_stage(job, sensor, cycle, scenes, images, model, record, pictures)


@stage
def frames(
    job: Job,
    enhancement: EnhancementSettings,
    frames: Annotated[Path, Input(SHADOWCAM_FRAMES)],
    denoiser: Annotated[Path | None, Input(DENOISER_MODEL)],
    cycle: Annotated[Path | None, Input(CYCLE_MODEL)],
    enhanced: Annotated[Path, Output(ENHANCED_FRAMES)],
) -> None:
    """Enhance ShadowCam's timed frames, with each pixel's error and whether the image's own signal supports it."""
    from lunarsite.vision.enhance.frames import frames_stage

    model = denoiser if enhancement.method == "denoiser" else cycle
    if model is None:
        raise StageError(
            f"enhancement.method is '{enhancement.method}', and its model is not given; give --in"
            f" {enhancement.method}=PATH"
        )
    frames_stage(job, enhancement, frames, model, enhanced)
