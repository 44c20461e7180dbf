"""Stages of rocks in images from the ground: scenes, training, segmentation, hazards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lunarsite.artefact.contracts import ROCK_HAZARD, ROCK_MAPS, ROCK_MODEL, ROCK_SCENES, ROCK_SIZES, ROCK_TRUTH
from lunarsite.settings import RockHazardSettings, RockInferenceSettings, RockRenderSettings
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
) -> None:
    """Tell from segmented images how much rock there is, how large it is, and where a lander finds room."""
    from lunarsite.vision.rock.hazard_files import hazard_stage

    hazard_stage(job, hazard, maps, hazard_maps, sizes)
