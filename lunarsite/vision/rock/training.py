"""Training of the segmenter: members one after another, then what makes their probabilities and their doubt true.

A member learns from cross-entropy and Dice alike (as published), with the averaged weights of the epoch that did best
on validation scenes. Temperatures and limits are fitted on whole validation scenes with the views that inference uses:
the temperature of each method is that of the least negative log-likelihood of its pooled probability, and an image is
out of distribution where its statistic exceeds that of 95 % of the validation renders, and of the photographs.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import JsonValue
from scipy.optimize import minimize_scalar
from torch import Tensor, nn
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
from lunarsite.vision.rock.augment import UNKNOWN
from lunarsite.vision.rock.augment_figure import write_figure
from lunarsite.vision.rock.data import Crops, Place, Whole, places, style_of
from lunarsite.vision.rock.network import METHODS, Method, RockSpec, Unfamiliarity, save_model, start
from lunarsite.vision.rock.segmenter import Segmenter
from lunarsite.vision.rock.split import TRAINING, VALIDATION
from lunarsite.vision.rock.uncertainty import entropy, pool_of, tempered

if TYPE_CHECKING:
    from lunarsite.stage import Job

Floats = NDArray[np.float32]

FAMILIAR_SHARE = 0.95
"""Of the validation images that are within the limit of unfamiliarity."""
_STATISTICS_IMAGES = 32
"""Crops that folded weights take the statistics of their normalisation from."""
_PIXELS_PER_IMAGE = 4_000
"""Of each validation image that temperatures are fitted on: neighbours say nearly the same."""
_TEMPERATURES = (0.2, 5.0)


def rock_loss(logits: Tensor, batch: Mapping[str, Tensor]) -> tuple[Tensor, Mapping[str, Tensor]]:
    """Return cross-entropy plus Dice, in equal parts, over the pixels that are known; (N, 4, H, W) logits."""
    target = batch["target"]
    known = (target != UNKNOWN).float()
    entropy_part = losses.cross_entropy(logits, target, known)
    dice_part = _dice(logits, torch.where(known > 0, target, 0), known)
    return entropy_part + dice_part, {"cross_entropy": entropy_part, "dice": dice_part}


def train_stage(
    job: Job,
    split: RockSplitSettings,
    learning: RockLearningSettings,
    inference: RockInferenceSettings,
    scenes: tuple[Path, ...],
    model: Path,
    record: Path,
    pictures: Path | None,
) -> None:
    """Train the members on files of scenes, calibrate them, and write model, record and the figure of changes.

    A member's checkpoint stays until the model is written, so a killed training goes on where it was.

    Raises:
        ArtefactError: The files hold no scenes for training or validation.
        LearningError: The encoder's weights do not fit, or the training diverges.
    """
    job.seed = learning.training.seed
    folder = model.with_name(f"{model.stem}.checkpoints")
    taught = places(scenes, split, TRAINING, labelled=learning.photograph_labels)
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
    held = places(scenes, split, VALIDATION, labelled=learning.photograph_labels)
    fitted, measured = calibrated(job, networks, spec, Whole(scenes, held, inference.longest_side_px), inference)
    told = _told(learning, split, scenes, source, trained, measured, taught, held)
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

    Returns:
        The member, the spec that rebuilds it, and where its encoder's weights came from.
    """
    base = learning.training
    settings = base.model_copy(update={"seed": (base.seed + 7_919 * number) % 2**32})
    taught = places(scenes, split, TRAINING, labelled=learning.photograph_labels)
    # Renders choose where photographs lend no labels, so that a training without them never sees one.
    held = places(scenes, split, VALIDATION, labelled=learning.photograph_labels)
    if not held:
        raise ArtefactError(
            f"{', '.join(map(str, scenes))}: no scenes are left to choose by; raise rock.split.validation_share"
        )
    side = inference.longest_side_px
    style = style_of(scenes, split) if learning.augmentation.style else None
    crops = Crops(scenes, taught, learning, side, style, settings.seed)
    whole = Whole(scenes, held, side)
    first = torch.stack([crops[index]["image"] for index in range(_STATISTICS_IMAGES)])
    network, spec, source = start(learning.network, first, settings.seed)
    trained = train(
        network,
        rock_loss,
        crops,
        whole,
        settings,
        folder=folder,
        key=_key(job, number, learning),
        job_log=job.log,
        progress=lambda done, of, phase: job.progress(number * of + done, learning.members * of, phase),
    )
    crops.close()
    whole.close()
    return trained, spec, source


def calibrated(
    job: Job, networks: Sequence[nn.Module], spec: NetworkSpec, held: Whole, inference: RockInferenceSettings
) -> tuple[RockSpec, dict[str, float]]:
    """Return members' spec with temperatures and limits, and what they were on validation images.

    Args:
        job: Whose log tells of it.
        networks: The members.
        spec: What rebuilds one.
        held: Validation images.
        inference: Views and passes; every method is fitted, whichever is set.
    """
    start_with = RockSpec(network=spec, members=len(networks), temperature={}, unfamiliarity={})
    segmenter = Segmenter([network.eval() for network in networks], start_with)
    methods = METHODS if spec.dropout > 0.0 else tuple(method for method in METHODS if method != "dropout")
    temperature: dict[Method, float] = {}
    limits: dict[Method, Unfamiliarity] = {}
    measured: dict[str, float] = {}
    for method in methods:
        pools = _pools(segmenter, held, inference.model_copy(update={"method": method}))
        probability = np.concatenate([pool for pool, _, _, _ in pools], axis=1)
        target = np.concatenate([truth for _, truth, _, _ in pools])
        temperature[method] = fitted_temperature(probability, target)
        alone = method == "single" or (method == "ensemble" and len(networks) == 1)
        statistic = "entropy" if alone else "mutual_information"
        told = [
            float(entropy(tempered(mean, temperature[method])).mean()) if alone else disagreement
            for _, _, mean, disagreement in pools
        ]
        limits[method] = Unfamiliarity(statistic=statistic, limit=familiar_limit(told, held.places))
        measured |= {
            f"temperature_{method}": temperature[method],
            f"nll_{method}": likelihood(probability, target, 1.0),
            f"nll_tempered_{method}": likelihood(probability, target, temperature[method]),
            f"limit_{method}": limits[method].limit,
        }
        job.log.info(
            "%s: temperature %.3f, limit of %s %.4f",
            method,
            temperature[method],
            statistic,
            measured[f"limit_{method}"],
        )
    for method in METHODS:  # a network without dropout is never run by that method, and says so
        temperature.setdefault(method, 1.0)
        limits.setdefault(method, limits["single"])
    return start_with.model_copy(update={"temperature": temperature, "unfamiliarity": limits}), measured


def familiar_limit(told: Sequence[float], found: Sequence[Place]) -> float:
    """Return the limit of unfamiliarity: what 95 % of the renders do not exceed, nor of the photographs.

    Photographs are few, and stranger to a model that has learned from renders: pooled, most of them could exceed it.
    """
    kinds = np.array([place.photograph for place in found], dtype=bool)
    values = np.asarray(told)
    return max(float(np.quantile(values[kinds == kind], FAMILIAR_SHARE)) for kind in np.unique(kinds))


def fitted_temperature(probability: Floats, target: NDArray[np.uint8]) -> float:
    """Return the temperature of the least negative log-likelihood of (4, n) probabilities at classes (n,)."""
    low, high = np.log(_TEMPERATURES)
    found = minimize_scalar(
        lambda value: likelihood(probability, target, float(np.exp(value))), bounds=(low, high), method="bounded"
    )
    return float(np.exp(found.x))


def likelihood(probability: Floats, target: NDArray[np.uint8], temperature: float) -> float:
    """Return the mean negative log-likelihood, nats, of tempered probabilities (4, n) at classes (n,)."""
    at = tempered(probability[:, None, :], temperature)[target, 0, np.arange(target.size)]
    return float(-np.log(np.maximum(at, 1e-12), dtype=np.float64).mean())


def _pools(
    segmenter: Segmenter, held: Whole, inference: RockInferenceSettings
) -> list[tuple[Floats, NDArray[np.uint8], Floats, float]]:
    """Return what a method says of each image.

    The pooled probability of some pixels (4, n), their classes (n,), the pooled probability of every 4th row and column
    (4, h, w), and the mean mutual information, nats.
    """
    found = []
    for number in range(len(held)):
        image, mask = held.picture(number)
        pool = pool_of(segmenter.member_logits(image, inference))
        known = np.flatnonzero(mask.ravel() != UNKNOWN)
        some = known[:: max(1, known.size // _PIXELS_PER_IMAGE)]
        mean = pool.mean
        at = mean.reshape(mean.shape[0], -1)[:, some]
        found.append((at, mask.ravel()[some], mean[:, ::4, ::4], float(pool.mutual_information.mean())))
    return found


def _dice(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Return 1 - Dice, the mean of the classes that the batch holds."""
    share = logits.float().softmax(dim=1) * known[:, None]
    truth = functional.one_hot(target, logits.shape[1]).permute(0, 3, 1, 2) * known[:, None]
    both, size = ((share * truth).sum(dim=(0, 2, 3)), (share + truth).sum(dim=(0, 2, 3)))
    held = truth.sum(dim=(0, 2, 3)) > 0
    lost = torch.where(held, 1.0 - 2.0 * both / size.clamp(min=1.0), 0.0)
    return lost.sum() / held.sum().clamp(min=1)


def _key(job: Job, number: int, learning: RockLearningSettings) -> str:
    """What a checkpoint must have been made from to be gone on with."""
    inputs = (f"{name}={digest}" for name, digest in sorted(job.inputs.items()))
    return " ".join([job.settings_hash, job.code, *inputs, f"member={number}", learning.model_dump_json()])


def _counts(found: Sequence[Place]) -> dict[str, JsonValue]:
    real = [place for place in found if place.photograph]
    return {
        "renders": len(found) - len(real),
        "photographs": len(real),
        "photograph_scenes": cast(JsonValue, sorted({place.scene for place in real})),
    }


def _told(
    learning: RockLearningSettings,
    split: RockSplitSettings,
    scenes: tuple[Path, ...],
    source: Source,
    trained: Sequence[Trained],
    measured: dict[str, float],
    taught: Sequence[Place],
    held: Sequence[Place],
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
        # Whatever file they come from, these are no strangers to the model.
        "seen": cast(JsonValue, sorted({place.scene for place in (*taught, *held)})),
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
            *(Metric(name=name, value=value, unit="1") for name, value in measured.items()),
        ),
        tables={"history": rows},
        notes=(
            f"Seed {settings.seed}; {settings.batch} crops of {settings.crop_px} px a step.",
            f"{len(taught)} images taught, {len(held)} chose epochs, temperatures and limits.",
            f"An image is out of distribution beyond what {FAMILIAR_SHARE:.0%} of the validation renders, or of the"
            " photographs, do not exceed, whichever is more.",
        ),
    )
