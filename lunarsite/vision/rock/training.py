"""Training of the segmenter: members one after another, then what makes their probabilities and their doubt true.

A member learns from cross-entropy and Dice alike (as published), and from the Dice of all rocks as one where the
settings ask for it, with the averaged weights of the epoch that did best on validation scenes. `calibration` does the
rest.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from pydantic import JsonValue
from torch import Tensor
from torch.nn import functional

from lunarsite.artefact import images
from lunarsite.artefact import record as records
from lunarsite.artefact.contracts import ROCK_MODEL, ROCK_SCENES, ROCK_TRAINING
from lunarsite.artefact.record import Metric, Record
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.settings.rock import RockInferenceSettings, RockLearningSettings, RockSplitSettings
from lunarsite.vision.learn import losses
from lunarsite.vision.learn.encoder_weights import Source
from lunarsite.vision.learn.networks import NetworkSpec
from lunarsite.vision.learn.saved import rounded
from lunarsite.vision.learn.training import Trained, train
from lunarsite.vision.rock.augment_figure import write_figure
from lunarsite.vision.rock.calibration import FAMILIAR_SHARE, calibrated, fit_familiarity
from lunarsite.vision.rock.classes import BACKGROUND, ROCKS, SKY, UNKNOWN
from lunarsite.vision.rock.data import Crops, Place, Whole, places, style_of
from lunarsite.vision.rock.familiarity import FEWEST_IMAGES
from lunarsite.vision.rock.network import save_model, start
from lunarsite.vision.rock.split import TRAINING, VALIDATION

if TYPE_CHECKING:
    from lunarsite.stage import Job

_STATISTICS_IMAGES = 32
"""Crops that folded weights take the statistics of their normalisation from."""
MOST_TIMES = 1_000
"""That a training shows an image; more, and the log warns. The published recipe has 50."""


@dataclass(frozen=True)
class RockLoss:
    """Cross-entropy plus Dice by class, in equal parts, plus what rocks have of their own; unknown pixels count not."""

    rock_weight: float
    """Weight of the Dice of small and large rocks taken as one, and of the cross-entropy of small against large where
    there is a rock: that there is one is surer than how large it counts."""

    def __call__(self, logits: Tensor, batch: Mapping[str, Tensor]) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the loss of logits (N, 4, H, W), its parts, and 'rock_iou', which only tells of the rocks."""
        target = batch["target"]
        known = (target != UNKNOWN).float()
        entropy_part = losses.cross_entropy(logits, target, known)
        target = torch.where(known > 0, target, 0)
        share = logits.float().softmax(dim=1) * known[:, None]
        truth = functional.one_hot(target, logits.shape[1]).permute(0, 3, 1, 2) * known[:, None]
        rocks = slice(ROCKS[0], ROCKS[-1] + 1)
        one = (share[:, rocks].sum(dim=1, keepdim=True), truth[:, rocks].sum(dim=1, keepdim=True))
        sizes = logits[:, rocks].float().log_softmax(dim=1) * truth[:, rocks]
        parts = {
            "cross_entropy": entropy_part,
            "dice": _dice(share, truth),
            "rock_dice": _dice(*one),
            "size": -sizes.sum() / truth[:, rocks].sum().clamp(min=1.0),
        }
        total = parts["cross_entropy"] + parts["dice"] + self.rock_weight * (parts["rock_dice"] + parts["size"])
        return total, {**parts, "rock_iou": _rock_iou(logits, target, known)}


def train_stage(
    job: Job,
    split: RockSplitSettings,
    learning: RockLearningSettings,
    inference: RockInferenceSettings,
    files: tuple[tuple[Path, ...], tuple[Path, ...]],
    model: Path,
    record: Path,
    pictures: Path | None,
) -> None:
    """Train the members on files of scenes, calibrate them, and write model, record and the figure of changes.

    A member's checkpoint stays until the model is written, so a killed training goes on where it was.

    Args:
        job: Whose log and progress tell of it.
        split: Which scenes teach, which choose.
        learning: What is trained.
        inference: Views and passes that probabilities are calibrated with.
        files: Files of scenes that teach, and of scenes that teach nothing but are to be familiar.
        model: Where the model goes.
        record: Where the record goes.
        pictures: Where the figure goes; None: nowhere.

    Raises:
        ArtefactError: The files hold no scenes for training or validation, or too few to tell what is familiar.
        LearningError: The encoder's weights do not fit, the training diverges, or its members see no ground.
    """
    job.seed = learning.training.seed
    scenes, familiar = files
    folder = model.with_name(f"{model.stem}.checkpoints")
    taught = places(scenes, split, TRAINING, labelled=learning.photograph_labels)
    if len(taught) < FEWEST_IMAGES:
        raise ArtefactError(
            f"{', '.join(map(str, scenes))}: {len(taught)} scene(s) would teach, too few to tell what is familiar;"
            " lower rock.split.test_share and rock.split.validation_share, or give more scenes"
        )
    _warn_of_repetition(job, learning, len(taught))
    if pictures is not None:
        crops = Crops(scenes, taught, learning, inference.longest_side_px, style_of(scenes, split), job.seed)
        write_figure(pictures, crops)
        crops.close()
    trained, networks = [], []
    for number in range(learning.members):
        job.log.info("member %d of %d", number + 1, learning.members)
        found, spec, source = train_member(job, split, learning, inference, scenes, number, folder / f"{number:02d}")
        trained.append(found)
        # Plain strides, whether a member was just trained or read back: what is fitted is the same to the last bit.
        networks.append(rounded(found.network).to(memory_format=torch.contiguous_format))  # type: ignore[call-overload]
    side = inference.longest_side_px
    with (
        closing(Whole(scenes, taught, side)) as pictures_taught,
        closing(Whole(familiar, places(familiar, split, TRAINING, labelled=False), side)) as shown,
    ):
        fit_familiarity(job, networks, (pictures_taught, shown))
    held = places(scenes, split, VALIDATION, labelled=learning.photograph_labels)
    with (
        closing(Whole(scenes, held, side)) as whole,
        closing(Whole(familiar, places(familiar, split, VALIDATION, labelled=False), side)) as shown,
    ):
        fitted, measured = calibrated(job, networks, spec, whole, inference, shown)
    told = _told(learning, split, scenes, source, trained, measured, taught, held, _seen(learning, split, *files))
    save_model(model, networks, fitted, job.stamp(ROCK_MODEL), told)
    records.write(record, ROCK_TRAINING, _record(learning, trained, measured, taught, held), job.stamp(ROCK_TRAINING))
    shutil.rmtree(folder)


def train_member(
    job: Job,
    split: RockSplitSettings,
    learning: RockLearningSettings,
    inference: RockInferenceSettings,
    scenes: tuple[Path, ...],
    number: int,
    folder: Path,
    held: tuple[Place, ...] | None = None,
) -> tuple[Trained, NetworkSpec, Source]:
    """Train one member, or read it back where its training is done; see `train_stage`.

    Args:
        job: Whose log and progress tell of it.
        split: Which scenes teach and which choose the epoch.
        learning: What is trained; members differ in seeds.
        inference: How far pictures are reduced.
        scenes: Files of scenes.
        number: Of the member, from 0.
        folder: Where its checkpoint lies.
        held: What chooses the epoch; None: all validation scenes, photographs if they teach with labels.

    Returns:
        The member, the spec that rebuilds it, and where its encoder's weights came from.
    """
    base = learning.training
    settings = base.model_copy(update={"seed": (base.seed + 7_919 * number) % 2**32})
    taught = places(scenes, split, TRAINING, labelled=learning.photograph_labels)
    if held is None:
        # Renders choose where photographs lend no labels, so that a training without them never sees one.
        held = places(scenes, split, VALIDATION, labelled=learning.photograph_labels)
    if not held:
        raise ArtefactError(
            f"{', '.join(map(str, scenes))}: no scenes are left to choose by; raise rock.split.validation_share. Masks"
            " of kind 'ground' never choose: take 'clean' or 'either' for source.rock_images.masks"
        )
    side = inference.longest_side_px
    style = style_of(scenes, split) if learning.augmentation.style else None
    crops = Crops(scenes, taught, learning, side, style, settings.seed)
    whole = Whole(scenes, held, side)
    first = torch.stack([crops[index]["image"] for index in range(_STATISTICS_IMAGES)])
    network, spec, source = start(learning.network, first, settings.seed)
    trained = train(
        network,
        RockLoss(learning.rock_weight),
        crops,
        whole,
        settings,
        folder=folder,
        key=_key(job, number, learning, source),
        job_log=job.log,
        progress=lambda done, of, phase: job.progress(number * of + done, learning.members * of, phase),
    )
    crops.close()
    whole.close()
    return trained, spec, source


def _dice(share: Tensor, truth: Tensor) -> Tensor:
    """Return 1 - Dice of probabilities and truth (N, classes, H, W), the mean of the classes that the batch holds."""
    both, size = ((share * truth).sum(dim=(0, 2, 3)), (share + truth).sum(dim=(0, 2, 3)))
    held = truth.sum(dim=(0, 2, 3)) > 0
    lost = torch.where(held, 1.0 - 2.0 * both / size.clamp(min=1.0), 0.0)
    return lost.sum() / held.sum().clamp(min=1)


def _rock_iou(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Return the IoU of rock of either size in a batch, 1 where neither truth nor answer has any.

    Rock is found where both sizes together outweigh ground and sky each, as `uncertainty.classes_of` has it.
    """
    with torch.no_grad():
        rock = logits[:, ROCKS[0] : ROCKS[-1] + 1].float().logsumexp(dim=1)
        found = (rock > logits[:, BACKGROUND]) & (rock >= logits[:, SKY]) & (known > 0)
        true = (target >= ROCKS[0]) & (target <= ROCKS[-1]) & (known > 0)
        either = (found | true).sum()
        return torch.where(either > 0, (found & true).sum() / either.clamp(min=1), 1.0)


def _warn_of_repetition(job: Job, learning: RockLearningSettings, images: int) -> None:
    settings = learning.training
    times = settings.epochs * settings.steps_per_epoch * settings.batch * settings.devices / images
    if times > MOST_TIMES:
        job.log.warning(
            "each of %d images will be seen %.0f times: the recipe is made for more of them; name the whole dataset"
            " (source.rock_images.folder), or lower rock.learning.training.epochs or steps_per_epoch",
            images,
            times,
        )


def _key(job: Job, number: int, learning: RockLearningSettings, source: Source) -> str:
    """What a checkpoint must have been made from to be gone on with."""
    inputs = (f"{name}={digest}" for name, digest in sorted(job.inputs.items()))
    first = f"weights={source.sha256}"
    return " ".join([job.settings_hash, job.code, *inputs, first, f"member={number}", learning.model_dump_json()])


def _counts(found: Sequence[Place]) -> dict[str, JsonValue]:
    real = [place for place in found if place.photograph]
    return {
        "renders": len(found) - len(real),
        "photographs": len(real),
        "photograph_scenes": cast(JsonValue, sorted({place.scene for place in real})),
    }


def _seen(
    learning: RockLearningSettings, split: RockSplitSettings, scenes: tuple[Path, ...], familiar: tuple[Path, ...]
) -> list[str]:
    """Return the scenes that are no strangers to the model, whatever file they come from."""
    # Photographs that lend their look without their labels are none either.
    labelled = learning.photograph_labels or learning.augmentation.style > 0.0
    found = [
        place
        for part in (TRAINING, VALIDATION)
        for place in (*places(scenes, split, part, labelled=labelled), *places(familiar, split, part, labelled=False))
    ]
    return sorted({place.scene for place in found})


def _told(
    learning: RockLearningSettings,
    split: RockSplitSettings,
    scenes: tuple[Path, ...],
    source: Source,
    trained: Sequence[Trained],
    measured: dict[str, float],
    taught: Sequence[Place],
    held: Sequence[Place],
    seen: list[str],
) -> dict[str, JsonValue]:
    data = []
    for path in scenes:
        with images.opened(path, ROCK_SCENES) as reader:
            data.append(reader.credit.model_dump(mode="json", exclude={"notes"}))
    settings = learning.model_dump(mode="json")
    # Where the file lay on the trainer's disk is nobody's matter; what it was stands beside.
    settings["network"]["encoder_weights"] = None
    return {
        "data": cast(JsonValue, data),
        "encoder": source.words,
        "settings": settings,
        "split": split.model_dump(mode="json"),
        "training": _counts(taught),
        "validation": _counts(held),
        "seen": cast(JsonValue, seen),
        "measured_on_validation": cast(JsonValue, measured),
        "best_epochs": [found.best_epoch for found in trained],
        "seconds": round(sum(found.seconds for found in trained)),
        "limits": "views of ground from near it; images from orbit are out of distribution",
    }


def _record(
    learning: RockLearningSettings,
    trained: Sequence[Trained],
    measured: dict[str, float],
    taught: Sequence[Place],
    held: Sequence[Place],
) -> Record:
    rows: list[dict[str, JsonValue]] = [
        {"member": number, **epoch} for number, found in enumerate(trained) for epoch in found.history
    ]
    best = [found.history[found.best_epoch - 1]["validation_loss"] for found in trained]
    settings = learning.training
    return Record(
        title="Training of the segmenter of rocks",
        metrics=(
            Metric(name="members", value=float(len(trained)), unit="1"),
            Metric(name="epochs", value=float(sum(len(found.history) for found in trained)), unit="1"),
            Metric(name="seconds", value=sum(found.seconds for found in trained), unit="s"),
            Metric(name="validation_loss", value=float(np.mean(best)), unit="1"),
            *(
                Metric(name=name, value=value, unit="nat" if name.startswith("nll") else "1")
                for name, value in measured.items()
            ),
        ),
        tables={"history": rows},
        notes=(
            f"Seed {settings.seed}; {settings.batch} crops of {settings.crop_px} px a step.",
            f"{len(taught)} images taught, {len(held)} chose epochs, temperatures and limits.",
            "An image is out of distribution where its features are farther from those of the images that taught than"
            f" those of {FAMILIAR_SHARE:.0%} of the validation renders, of the photographs, or of lunarsite's own"
            " renders, whichever is most.",
        ),
    )
