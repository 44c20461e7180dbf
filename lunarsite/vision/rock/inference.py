"""Scenes segmented one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunarsite.artefact import images
from lunarsite.artefact.contracts import ROCK_ANSWERS, ROCK_MAPS, ROCK_SCENES
from lunarsite.settings.rock import RockInferenceSettings
from lunarsite.stage import Job
from lunarsite.vision.rock.classes import UNKNOWN
from lunarsite.vision.rock.segmenter import Segmented, load_segmenter

_KEPT = ("name", "valid_height", "valid_width", "camera_height_m", "camera_pitch_deg", "camera_field_of_view_deg")


def infer_stage(job: Job, inference: RockInferenceSettings, scenes: Path, model: Path, maps: Path) -> None:
    """Segment the valid part of every scene; the rest is unknown.

    Raises:
        ArtefactError: A file breaks its contract.
        LearningError: The network's result cannot be used, or a scene is too large.
    """
    segmenter = load_segmenter(model)
    with images.opened(scenes, ROCK_SCENES) as source:
        count, (height, width, _) = len(source), source.sides("images")
        values = {name: source.read(name) for name in _KEPT}
        # The maps are made of the pictures, so the pictures' licence binds them.
        credit = source.credit.model_copy(update={"title": f"{source.credit.title}, segmented ({inference.method})"})
        stamp, sides = job.stamp(ROCK_MAPS), {"height": height, "width": width}
        strange = without_ground = 0
        with images.creating(maps, ROCK_MAPS, stamp, credit, sides) as target:
            for index in range(count):
                block = slice(index, index + 1)
                rows, cols = (int(values[name][index]) for name in ("valid_height", "valid_width"))
                found = segmenter.segment(source.read("images", block)[0, :rows, :cols], inference)
                strange += found.out_of_distribution is True
                without_ground += found.out_of_distribution is None
                target.append(_padded(found, height, width) | {name: values[name][block] for name in _KEPT})
                job.progress(index + 1, count, "scenes")
        job.log.info("%d of %d scenes are out of distribution: their maps mean nothing", strange, count)
        if without_ground:
            job.log.warning(
                "%d of %d scenes show no ground: nothing tells whether they are familiar", without_ground, count
            )


def _padded(found: Segmented, height: int, width: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of the contract ROCK_MAPS for one scene, unknown at the right and below."""
    margins = [(0, side - own) for side, own in zip((height, width), found.classes.shape, strict=True)]

    def stack(values: NDArray[Any], unknown: float) -> NDArray[Any]:
        wide = margins + [(0, 0)] * (values.ndim - 2)
        return np.pad(values, wide, constant_values=unknown)[None]

    return {
        "classes": stack(found.classes, UNKNOWN),
        "probability": stack(found.probability, np.nan),
        "entropy": stack(found.entropy, np.nan),
        "mutual_information": stack(found.mutual_information, np.nan),
        "unfamiliarity": np.array([found.unfamiliarity]),
        "out_of_distribution": np.array(
            [ROCK_MAPS.class_number("out_of_distribution", ROCK_ANSWERS[found.out_of_distribution])], dtype=np.uint8
        ),
    }
