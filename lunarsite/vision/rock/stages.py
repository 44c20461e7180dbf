"""Stages of rocks in images from the ground: scenes, training, segmentation, hazards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lunarsite.artefact.contracts import (
    ROCK_ABLATION,
    ROCK_DISTRIBUTION,
    ROCK_HAZARD,
    ROCK_MAPS,
    ROCK_MODEL,
    ROCK_SCENES,
    ROCK_SIZES,
    ROCK_TRAINING,
    ROCK_TRUTH,
)
from lunarsite.settings import (
    RockAblationSettings,
    RockHazardSettings,
    RockInferenceSettings,
    RockLearningSettings,
    RockRenderSettings,
    RockSplitSettings,
)
from lunarsite.stage import Input, Job, Output, stage


@stage
def render(
    job: Job,
    render: RockRenderSettings,
    scenes: Annotated[Path, Output(ROCK_SCENES)],
    truth: Annotated[Path, Output(ROCK_TRUTH)],
) -> None:
    """Render scenes of rocky ground as a camera near it sees them, with the truth of their rocks."""
    from lunarsite.vision.rock.render.write import render_stage

    render_stage(job, render, scenes, truth)


@stage
def train(
    job: Job,
    split: RockSplitSettings,
    learning: RockLearningSettings,
    inference: RockInferenceSettings,
    scenes: Annotated[tuple[Path, ...], Input(ROCK_SCENES)],
    familiar: Annotated[tuple[Path, ...] | None, Input(ROCK_SCENES)],
    model: Annotated[Path, Output(ROCK_MODEL)],
    record: Annotated[Path, Output(ROCK_TRAINING)],
    pictures: Annotated[Path | None, Output(None)],
) -> None:
    """Train the members of the segmenter, and calibrate their probabilities and their doubt.

    `pictures` (PNG) shows what the changes of training images do. Scenes that are `familiar` teach nothing; they tell
    what is not strange.
    """
    from lunarsite.vision.rock.training import train_stage

    train_stage(job, split, learning, inference, (scenes, familiar or ()), model, record, pictures)


@stage
def infer(
    job: Job,
    inference: RockInferenceSettings,
    scenes: Annotated[Path, Input(ROCK_SCENES)],
    model: Annotated[Path, Input(ROCK_MODEL)],
    maps: Annotated[Path, Output(ROCK_MAPS)],
) -> None:
    """Segment scenes: what each pixel is, how sure that is, and whether the image is of a familiar kind."""
    from lunarsite.vision.rock.inference import infer_stage

    infer_stage(job, inference, scenes, model, maps)


@stage
def hazard(
    job: Job,
    hazard: RockHazardSettings,
    maps: Annotated[Path, Input(ROCK_MAPS)],
    hazard_maps: Annotated[Path, Output(ROCK_HAZARD)],
    sizes: Annotated[Path, Output(ROCK_SIZES)],
    distribution: Annotated[Path, Output(ROCK_DISTRIBUTION)],
) -> None:
    """Tell from segmented images how much rock there is, how large it is, and where a lander finds room."""
    from lunarsite.vision.rock.hazard_files import hazard_stage

    hazard_stage(job, hazard, maps, hazard_maps, sizes, distribution)


@stage
def ablate(
    job: Job,
    split: RockSplitSettings,
    learning: RockLearningSettings,
    ablation: RockAblationSettings,
    inference: RockInferenceSettings,
    scenes: Annotated[tuple[Path, ...], Input(ROCK_SCENES)],
    record: Annotated[Path, Output(ROCK_ABLATION)],
) -> None:
    """Train the same network again and again, each time with one thing more, and measure what closes the gap."""
    from lunarsite.vision.rock.ablation import ablate_stage

    ablate_stage(job, split, learning, ablation, inference, scenes, record)
