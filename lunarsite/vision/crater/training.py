"""Training of the crater network on tiles: what both trainings share."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from pydantic import JsonValue

from lunarsite.artefact import ArtefactError
from lunarsite.artefact import record as records
from lunarsite.artefact.contracts import CRATER_MODEL, CRATER_TRAINING
from lunarsite.artefact.model import Card
from lunarsite.artefact.record import Metric, Record
from lunarsite.settings import NetworkSettings, TrainingSettings
from lunarsite.vision.crater.crops import CraterCrops, shares
from lunarsite.vision.crater.loss import crater_loss
from lunarsite.vision.crater.model import load_network
from lunarsite.vision.crater.network import CHANNELS, OUTPUTS, CraterNetwork, body_spec, to_spec
from lunarsite.vision.learn.saved import save
from lunarsite.vision.learn.training import Trained, train

if TYPE_CHECKING:
    from lunarsite.stage import Job

_VALIDATION_BATCHES = 12
_VALIDATION_SEED = 1


def train_stage(
    job: Job,
    network_settings: NetworkSettings,
    settings: TrainingSettings,
    files: Sequence[tuple[Path, float]],
    initial: Path | None,
    weights: Path,
    record: Path,
) -> None:
    """Train a network on tiles and write its weights and the record of the training.

    Args:
        job: The running stage.
        network_settings: The network that is built where `initial` is None.
        settings: The training.
        files: Tile files, each with its share of the crops. The first one's validation tiles choose the epoch.
        initial: A model whose network is trained on.
        weights: Where the trained network goes.
        record: Where its record goes.
    """
    job.seed = settings.seed
    drawn, held = shares(files, split=0), shares(files[:1], split=1)
    for what, found in (("training", drawn), ("validation", held)):
        if not found:
            raise ArtefactError(
                f"{files[0][0]}: holds no tiles for {what}; widen its sectors (crater.split), or tile at smaller pixels"
                " (crater.tiles.pixel_m)"
            )
    count = settings.epochs * settings.steps_per_epoch * settings.batch * settings.devices
    training = CraterCrops(drawn, count, settings.crop_px, settings.seed)
    validation = CraterCrops(
        held, _VALIDATION_BATCHES * settings.batch, settings.crop_px, settings.seed + _VALIDATION_SEED
    )
    folder = weights.with_name(f"{weights.stem}.checkpoints")
    trained = train(
        _start(network_settings, initial, settings.seed),
        crater_loss,
        training,
        validation,
        settings,
        folder=folder,
        key=_key(job),
        job_log=job.log,
        progress=job.progress,
        image="heights",
    )
    training.close()
    validation.close()
    network = cast(CraterNetwork, trained.network)
    save(weights, CRATER_MODEL, network, _card(network, settings, files, initial, trained), job.stamp(CRATER_MODEL))
    records.write(record, CRATER_TRAINING, _record(settings, trained), job.stamp(CRATER_TRAINING))
    shutil.rmtree(folder)


def _start(settings: NetworkSettings, initial: Path | None, seed: int) -> CraterNetwork:
    if initial is not None:
        return load_network(initial)[0]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return CraterNetwork(body_spec(settings))


def _key(job: Job) -> str:
    """What a checkpoint must have been made from to be gone on with."""
    return " ".join([job.settings_hash, job.code, *(f"{name}={digest}" for name, digest in sorted(job.inputs.items()))])


def _card(
    network: CraterNetwork,
    settings: TrainingSettings,
    files: Sequence[tuple[Path, float]],
    initial: Path | None,
    trained: Trained,
) -> Card:
    card: dict[str, Any] = {
        "settings": settings.model_dump(mode="json"),
        "shares": [share for _, share in files],
        "best_epoch": trained.best_epoch,
        "epochs": len(trained.history),
        "validation_loss": trained.history[trained.best_epoch - 1]["validation_loss"],
    }
    if initial is not None:
        card["first_training"] = load_network(initial)[1].training
    return Card(
        spec=to_spec(network.body.spec),
        inputs=("height over pixel size, 1", *CHANNELS),
        normalisation=to_spec(network.body.spec)["front"],
        classes=OUTPUTS,
        training=card,
    )


def _record(settings: TrainingSettings, trained: Trained) -> Record:
    best = trained.history[trained.best_epoch - 1]
    rows: list[dict[str, JsonValue]] = [dict(epoch) for epoch in trained.history]
    return Record(
        title="Training of the crater network",
        metrics=(
            Metric(name="epochs", value=float(len(trained.history)), unit="1"),
            Metric(name="best_epoch", value=float(trained.best_epoch), unit="1"),
            Metric(name="seconds", value=trained.seconds, unit="s"),
            Metric(name="validation_loss", value=float(best["validation_loss"]), unit="1"),
        ),
        tables={"history": rows},
        notes=(f"Seed {settings.seed}; {settings.batch} crops of {settings.crop_px} px a step.",),
    )
