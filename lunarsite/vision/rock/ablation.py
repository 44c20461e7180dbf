"""What closes the gap between renders and photographs: one training after another, each with one thing more.

Every variant has the same network, steps and seeds, starts from the same weights (but for the statistics that batch
normalisation begins with, which are of its own crops), and has its best epoch chosen by the same renders; its crops
differ in what the variant adds. One more is trained as 'few labels' is, crops and all, with the plain last layer in the
place of the horizon head, so that the default layer is held against something. All are measured on test photographs and
on test renders of the dataset. Which one is best is told by validation photographs alone; test photographs tell only
how good that choice was.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lunarsite.artefact import ArtefactError, images
from lunarsite.artefact import record as records
from lunarsite.artefact.contracts import ROCK_SCENES
from lunarsite.artefact.contracts.rock import ROCK_ABLATION
from lunarsite.settings.rock import (
    RockAblationSettings,
    RockAugmentationSettings,
    RockInferenceSettings,
    RockLearningSettings,
    RockSplitSettings,
)
from lunarsite.vision.rock.ablation_record import (
    CHOOSING,
    GROUPS,
    PHOTOGRAPHS,
    RENDERS,
    Measured,
    Seen,
    Variant,
    judged,
)
from lunarsite.vision.rock.ablation_scores import no_rocks
from lunarsite.vision.rock.scores import Classes, Floats, confusion
from lunarsite.vision.rock.split import OWN_STAGE, TEST, VALIDATION, splits

if TYPE_CHECKING:
    from lunarsite.stage import Job

Segment = Callable[[NDArray[np.uint8]], Classes]
"""From an image (H, W, 3) to its classes (H, W)."""

FIRST, LABELS, PLAIN = "geometry", "few labels", "plain head"
"""The variant that is always trained, the one that adds labels of photographs, and its rival."""
_RENDER, _PHOTOGRAPH = (ROCK_SCENES.class_number("kind", name) for name in ("render", "photograph"))
_PARTS = {PHOTOGRAPHS: (_PHOTOGRAPH, TEST), RENDERS: (_RENDER, TEST), CHOOSING: (_PHOTOGRAPH, VALIDATION)}
"""Kind and part of the split of each group."""


@dataclass(frozen=True)
class MeasuredImage:
    """One image that is measured."""

    path: Path
    index: int
    scene: str


def variants(
    learning: RockLearningSettings, wanted: Collection[str], *, own: bool
) -> list[tuple[Variant, RockLearningSettings]]:
    """Return what is trained, from geometry alone to all of the settings; each has what those before it have.

    After them comes the rival of 'few labels' with the plain last layer, if the settings have the horizon head.

    Args:
        learning: The training that the run asks for; a thing that it leaves out is left out here too, and so is the
            variant that would add nothing else.
        wanted: Names of the variants that are trained besides 'geometry'.
        own: Whether there are renders of lunarsite's own.
    """
    whole = learning.augmentation
    nothing = dict.fromkeys(RockAugmentationSettings.model_fields, 0.0)
    steps = (
        (FIRST, "renders of the dataset, mirrored, scaled and cropped", {"geometry": whole.geometry}, False),
        ("augmented", "lunar augmentations without style", {**whole.model_dump(), "style": 0.0}, False),
        ("style", "grey levels and colours of unlabelled photographs", whole.model_dump(), False),
        (LABELS, "labels of the photographs for training", whole.model_dump(), True),
        ("own renders", "renders of lunarsite's own", whole.model_dump(), True),
    )
    idle = {
        *(() if own else ("own renders",)),
        *(() if whole.style else ("style",)),
        *(() if learning.photograph_labels else (LABELS,)),
    }
    found = []
    for name, adds, augmentation, labels in steps:
        if name not in (FIRST, *wanted) or name in idle:
            continue
        changed = {
            "augmentation": RockAugmentationSettings.model_validate({**nothing, **augmentation}),
            "photograph_labels": labels and learning.photograph_labels,
        }
        settings = learning.model_copy(update=changed)
        found.append((Variant(name, adds, seen_by(settings), own=name == "own renders"), settings))
    rivalled = [one for one in found if one[0].name == LABELS]
    if learning.network.head == "horizon" and PLAIN in wanted and rivalled:
        found.append(_with_plain_head(*rivalled[0]))
    return found


def _with_plain_head(variant: Variant, learning: RockLearningSettings) -> tuple[Variant, RockLearningSettings]:
    plain = learning.network.model_copy(update={"head": "plain"})
    adds = f"no horizon head: '{variant.name}' with the plain last layer"
    rival = Variant(PLAIN, adds, variant.photographs, rival_of=variant.name)
    return rival, learning.model_copy(update={"network": plain})


def seen_by(learning: RockLearningSettings) -> Seen:
    """Return what a training sees of photographs."""
    if learning.photograph_labels:
        return "pictures and labels"
    return "pictures" if learning.augmentation.style else "nothing"


def ablate_stage(
    job: Job,
    split: RockSplitSettings,
    learning: RockLearningSettings,
    ablation: RockAblationSettings,
    inference: RockInferenceSettings,
    scenes: Sequence[Path],
    record: Path,
) -> None:
    """Train every variant with every seed, measure them, and write the record.

    Checkpoints stay until the record is written, so a killed run goes on where it was.

    Raises:
        ArtefactError: There are no photographs to test on or to choose by, or no renders to test on.
        LearningError: A training fails.
    """
    from lunarsite.vision.rock.ablation_training import segmenter_of
    from lunarsite.vision.rock.data import places as training_places

    own = tuple(path for path in scenes if images.read_stamp(path).stage == OWN_STAGE)
    dataset = tuple(path for path in scenes if path not in own)
    places = measured_images(dataset, split)
    for name, found in places.items():
        job.log.info("%s: %d images of %d scenes", name, len(found), len({one.scene for one in found}))
    training = learning.training.model_copy(
        update={"epochs": ablation.epochs, "steps_per_epoch": ablation.steps_per_epoch}
    )
    job.seed = training.seed
    learning = learning.model_copy(update={"training": training})
    chosen = variants(learning, ablation.variants, own=bool(own))
    # Renders of the dataset choose the epoch of every variant: photographs would choose those with labels alone.
    held = training_places(dataset, split, VALIDATION, labelled=False)
    folder = record.with_name(f"{record.stem}.checkpoints")
    started, done = time.monotonic(), 0
    counts: list[dict[str, list[Floats]]] = [{name: [] for name in GROUPS} for _ in chosen]
    # Seed by seed: what is there when time runs out is a whole table of fewer seeds.
    for seed in range(ablation.seeds):
        for number, (variant, settings) in enumerate(chosen):
            job.log.info("seed %d of %d, variant '%s'", seed + 1, ablation.seeds, variant.name)
            files = (*dataset, *(own if variant.own else ()))
            segment = segmenter_of(job, settings, split, inference, (files, held), seed, folder / f"{number}_{seed}")
            for name, confusions in counted(places, segment).items():
                counts[number][name].append(confusions)
            done += 1
            job.progress(done, len(chosen) * ablation.seeds, "trainings")
    measured = [null(places, ablation.seeds)]
    for (variant, _), each in zip(chosen, counts, strict=True):
        measured.append(Measured(variant, {name: np.stack(found) for name, found in each.items()}))
    grounds = {name: tuple(one.scene for one in found) for name, found in places.items()}
    told = judged(measured, grounds, ablation, settings_words(learning), time.monotonic() - started)
    records.write(record, ROCK_ABLATION, told, job.stamp(ROCK_ABLATION))
    if folder.exists():
        shutil.rmtree(folder)


def measured_images(paths: Sequence[Path], split: RockSplitSettings) -> dict[str, list[MeasuredImage]]:
    """Return the images that are measured, by group.

    Raises:
        ArtefactError: A group has none.
    """
    found: dict[str, list[MeasuredImage]] = {name: [] for name in GROUPS}
    for path in paths:
        with images.opened(path, ROCK_SCENES) as reader:
            kinds, scenes, part_of = reader.read("kind"), reader.read("scene"), splits(reader, split)
        for name, (kind, part) in _PARTS.items():
            found[name] += [
                MeasuredImage(path, int(k), str(scenes[k])) for k in np.flatnonzero((kinds == kind) & (part_of == part))
            ]
    lacking = [name for name, places in found.items() if not places]
    if lacking:
        raise ArtefactError(
            f"{', '.join(map(str, paths)) or 'no file but own renders'}: has no {' and no '.join(lacking)}, so nothing"
            " tells what closes the gap; name the dataset with its photographs in source.rock_images.folder, raise the"
            " shares of rock.split, or leave rock.ablate out"
        )
    return found


def counted(places: Mapping[str, Sequence[MeasuredImage]], segment: Segment) -> dict[str, Floats]:
    """Return confusions (images, 4, 4) of each group, one image at a time."""
    return {name: np.stack([confusion(*_answer(one, segment)) for one in found]) for name, found in places.items()}


def null(places: Mapping[str, Sequence[MeasuredImage]], seeds: int) -> Measured:
    """Return what finds no rock at all: sky where it is black above, ground elsewhere."""
    counts = {name: np.repeat(found[None], seeds, axis=0) for name, found in counted(places, no_rocks).items()}
    return Measured(
        Variant("no rocks", "nothing is learned: black above is sky, the rest ground", trained=False), counts
    )


def settings_words(learning: RockLearningSettings) -> str:
    """Return how each variant is trained, in words."""
    training = learning.training
    return (
        f"{training.epochs * training.steps_per_epoch} steps of {training.batch} crops of {training.crop_px} px,"
        f" encoder {learning.network.encoder}"
    )


def _answer(place: MeasuredImage, segment: Segment) -> tuple[Classes, Classes]:
    with images.opened(place.path, ROCK_SCENES) as reader:
        block = slice(place.index, place.index + 1)
        rows, cols = (int(reader.read(f"valid_{side}", block)[0]) for side in ("height", "width"))
        image, truth = (reader.read(name, block)[0, :rows, :cols] for name in ("images", "masks"))
    return truth, segment(np.ascontiguousarray(image))
