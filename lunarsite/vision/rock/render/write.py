"""The stage that writes rendered scenes and the truth of their rocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.artefact import images, table
from lunarsite.artefact.contracts import ROCK_SCENES, ROCK_TRUTH
from lunarsite.artefact.images import Credit
from lunarsite.settings import RockRenderSettings
from lunarsite.stage import Job, StageError
from lunarsite.vision.rock.render.rocks import RenderError
from lunarsite.vision.rock.render.scene import LEAST_WIDTH_PX, TOLD_PX, WIDTH_PX, Scene, scene

CREDIT = Credit(
    title="Lunar ground with rocks, rendered",
    licence="CC0 1.0",
    citation="Rendered by lunarsite: fractal ground, rocks after Golombek and Rapp (1997), Hapke's reflectance",
    notes=(
        f"Masks leave out rocks narrower than {LEAST_WIDTH_PX:g} pixels at a picture width of {WIDTH_PX}, the table of"
        f" rocks those that would look narrower than {TOLD_PX:g} pixels."
    ),
)


def render_stage(job: Job, render: RockRenderSettings, scenes: Path, truth: Path) -> None:
    """Draw the scenes one by one and write them with the truth of their rocks.

    Raises:
        StageError: The settings ask for more rocks than can be drawn.
    """
    job.seed, job.origin = render.seed, "synthetic"
    sides = {"height": render.height_px, "width": render.width_px}
    told = []
    with images.creating(scenes, ROCK_SCENES, job.stamp(ROCK_SCENES), CREDIT, sides) as writer:
        for number in range(render.scenes):
            try:
                drawn = scene(render, number)
            except RenderError as error:
                raise StageError(f"{job.stage}: {error}") from error
            name = scene_name(render.seed, number)
            writer.append(arrays(drawn, name))
            told.append(
                pd.DataFrame(
                    {
                        "scene": name,
                        "diameter_m": drawn.diameter_m,
                        "range_m": drawn.range_m,
                        "visible_px": drawn.visible_px,
                    }
                )
            )
            job.progress(number + 1, render.scenes, "scene")
    rocks = pd.concat(told, ignore_index=True).astype({"scene": object})
    rocks.insert(0, "id", np.arange(len(rocks), dtype=np.int64))
    table.write(truth, ROCK_TRUTH, rocks, job.stamp(ROCK_TRUTH))
    shown = int((rocks["visible_px"] > 0).sum())
    job.log.info("%d scenes; %d rocks in view, %d of them seen", render.scenes, len(rocks), shown)


def scene_name(seed: int, number: int) -> str:
    """Return the name of a scene; no name of the published dataset begins so."""
    return f"lunarsite_{seed}_{number:05d}"


def arrays(drawn: Scene, name: str) -> dict[str, NDArray[Any]]:
    """Return one scene under the contract ROCK_SCENES."""
    rows, cols = drawn.mask.shape
    return {
        "images": drawn.image[None],
        "masks": drawn.mask[None],
        "name": np.array([name], dtype=object),
        "scene": np.array([name], dtype=object),
        "kind": np.array([ROCK_SCENES.class_number("kind", "render")], dtype=np.uint8),
        "mask_kind": np.array([ROCK_SCENES.class_number("mask_kind", "clean")], dtype=np.uint8),
        "valid_height": np.array([rows], dtype=np.int64),
        "valid_width": np.array([cols], dtype=np.int64),
        "unknown_share": np.zeros(1),
        "camera_height_m": np.array([drawn.camera.height_m]),
        "camera_pitch_deg": np.array([drawn.camera.pitch_deg]),
        "camera_field_of_view_deg": np.array([drawn.camera.field_of_view_deg]),
    }
