"""Stages of seeing into shadow: training of the networks, and images enhanced by them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lunarsite.artefact.contracts import DENOISER_MODEL, ENHANCE_TRAINING, LIT_SCENES
from lunarsite.settings import DenoiserSettings, SensorSettings
from lunarsite.stage import Input, Job, Output, stage


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
