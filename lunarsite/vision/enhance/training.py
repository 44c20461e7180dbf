"""Training of the denoiser: members one after another, then one factor that makes their errors true."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import JsonValue

from lunarsite.artefact import ArtefactError, images
from lunarsite.artefact import record as records
from lunarsite.artefact.contracts.enhance import DENOISER_MODEL, ENHANCE_TRAINING, LIT_SCENES
from lunarsite.artefact.model import Card
from lunarsite.artefact.record import Metric, Record
from lunarsite.settings.enhance import DenoiserSettings, SensorSettings
from lunarsite.vision.enhance import ground
from lunarsite.vision.enhance.denoiser import (
    INPUTS,
    OUTPUTS,
    Ensemble,
    EnsembleSpec,
    Member,
    denoiser_loss,
    member_spec,
)
from lunarsite.vision.enhance.normalise import OVEREXPOSED_SHARE, fit
from lunarsite.vision.enhance.pairs import Pairs, scene, standard_pair, usable
from lunarsite.vision.enhance.sensor import draw_conditions, expose
from lunarsite.vision.learn.saved import rounded, save
from lunarsite.vision.learn.training import Trained, train

if TYPE_CHECKING:
    from lunarsite.stage import Job

_VALIDATION_BATCHES = 16
_VALIDATION_SEED = 1
_CALIBRATION_SEED = 2
_MOST_CALIBRATING = 60
"""Validation scenes that errors are calibrated on, at most."""
_ONE_ERROR, _TWO_ERRORS = 0.6827, 0.9545
"""Shares of a normal distribution within one and two standard deviations."""


def train_stage(
    job: Job, sensor: SensorSettings, denoiser: DenoiserSettings, scenes: Path, model: Path, record: Path
) -> None:
    """Train the ensemble on a file of scenes; write it and the record of its training.

    A member's checkpoint stays until the model is written, so a killed training goes on where it was.

    Raises:
        ArtefactError: The file holds no scenes for training or validation.
    """
    settings = denoiser.training
    job.seed = settings.seed
    drawn, held = usable(scenes, "training"), usable(scenes, "validation")
    for what, found in (("training", drawn), ("validation", held)):
        if not found.size:
            raise ArtefactError(
                f"{scenes}: holds no scenes for {what} with shadow that gets light; widen its sectors (enhance.scenes)"
                " or draw more tiles (enhance.scenes.tiles_per_model)"
            )
    job.log.info("%d scenes for training, %d for validation", drawn.size, held.size)
    folder = model.with_name(f"{model.stem}.checkpoints")
    trained = [
        _member(job, sensor, denoiser, scenes, (drawn, held), folder, number) for number in range(denoiser.members)
    ]
    spec = EnsembleSpec(network=member_spec(denoiser), contrast="square root", members=denoiser.members)
    # Plain strides, whether a member was just trained or read back: the factor is then the same to the last bit.
    members = [cast(Member, rounded(found.network).to(memory_format=torch.contiguous_format)) for found in trained]  # type: ignore[call-overload]
    measured = measure(Ensemble(spec, members).eval(), scenes, held[:: -(-held.size // _MOST_CALIBRATING)], sensor)
    factor = measured["factor"]
    ensemble = Ensemble(spec.model_copy(update={"variance_factor": factor**2}), members).eval()
    for name, value in measured.items():
        job.log.info("%s: %.4g", name, value)
    card = _card(ensemble.spec, denoiser, sensor, scenes, trained, measured, (drawn.size, held.size))
    save(model, DENOISER_MODEL, ensemble, card, job.stamp(DENOISER_MODEL))
    records.write(record, ENHANCE_TRAINING, _record(denoiser, trained, measured), job.stamp(ENHANCE_TRAINING))
    shutil.rmtree(folder)


def measure(
    ensemble: Ensemble, scenes: Path, numbers: Sequence[int] | NDArray[np.int64], sensor: SensorSettings
) -> dict[str, float]:
    """Return how far an ensemble is off on whole scenes, each exposed once at a signal drawn in its logarithm.

    Returns:
        `factor`: what errors must be multiplied by for 68.27 % of the truth to lie within one of them;
        `within_one`, `within_two`: shares within one and two errors so multiplied; `square_raw`, `square`: mean
        square difference from the truth, in the standard scale, of the image and of the result; the same for the
        darker and the brighter half of the signals, `_low` and `_high`.
    """
    z: list[NDArray[np.float64]] = []
    squares: list[tuple[float, float, float]] = []
    with images.opened(scenes, LIT_SCENES) as reader, torch.inference_mode():
        for number in numbers:
            rng = np.random.default_rng([_CALIBRATION_SEED, int(number)])
            radiance, sun = scene(reader, int(number))
            exposure = expose(radiance, sun, draw_conditions(sensor, rng), sensor, rng)
            image, truth, weight = standard_pair(exposure, radiance, fit(exposure.image))
            mean, variance = ensemble(torch.from_numpy(image)[None, None])[0].numpy().astype(np.float64)
            counted = weight > 0.0
            off = (mean - truth)[counted]
            z.append(np.abs(off) / np.sqrt(variance[counted]))
            raw = float(np.mean((image - truth)[counted].astype(np.float64) ** 2))
            squares.append((exposure.conditions.electrons, raw, float(np.mean(off**2))))
    ratios, table = np.concatenate(z), np.array(squares)
    factor = float(np.quantile(ratios, _ONE_ERROR))
    low = table[:, 0] <= np.sqrt(sensor.least_electrons * sensor.most_electrons)
    found = {
        "factor": factor,
        "within_one": float(np.mean(ratios <= factor)),
        "within_two": float(np.mean(ratios <= 2.0 * factor)),
    }
    for name, rows in (("", table), ("_low", table[low]), ("_high", table[~low])):
        if len(rows):
            found[f"square_raw{name}"], found[f"square{name}"] = (float(rows[:, k].mean()) for k in (1, 2))
    return found


def _member(
    job: Job,
    sensor: SensorSettings,
    denoiser: DenoiserSettings,
    scenes: Path,
    split: tuple[NDArray[np.int64], NDArray[np.int64]],
    folder: Path,
    number: int,
) -> Trained:
    """Train one member, or read it back where its training is done."""
    base = denoiser.training
    settings = base.model_copy(update={"seed": (base.seed + 7_919 * number) % 2**32})
    count = settings.epochs * settings.steps_per_epoch * settings.batch * settings.devices
    training = Pairs(scenes, split[0], count, settings.crop_px, settings.seed, sensor)
    # Every member's epoch is chosen by the same pairs.
    validation = Pairs(
        scenes, split[1], _VALIDATION_BATCHES * settings.batch, settings.crop_px, base.seed + _VALIDATION_SEED, sensor
    )
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        network = Member(member_spec(denoiser))
    job.log.info("member %d of %d", number + 1, denoiser.members)
    trained = train(
        network,
        denoiser_loss,
        training,
        validation,
        settings,
        folder=folder / f"member_{number:02d}",
        key=_key(job, number),
        job_log=job.log,
        progress=lambda done, of, phase: job.progress(number * of + done, denoiser.members * of, phase),
    )
    training.close()
    validation.close()
    return trained


def _key(job: Job, number: int) -> str:
    """What a checkpoint must have been made from to be gone on with."""
    inputs = (f"{name}={digest}" for name, digest in sorted(job.inputs.items()))
    return " ".join([job.settings_hash, job.code, *inputs, f"member={number}"])


def _card(
    spec: EnsembleSpec,
    denoiser: DenoiserSettings,
    sensor: SensorSettings,
    scenes: Path,
    trained: Sequence[Trained],
    measured: dict[str, float],
    count: tuple[int, int],
) -> Card:
    with images.opened(scenes, LIT_SCENES) as reader:
        data = reader.credit.model_dump(mode="json")
    training: dict[str, Any] = {
        "settings": denoiser.model_dump(mode="json"),
        "sensor": sensor.model_dump(mode="json"),
        "data": {**data, "training_scenes": count[0], "validation_scenes": count[1]},
        ground.KEY: ground.json_of(scenes),
        "validation": measured,
        "best_epochs": [found.best_epoch for found in trained],
        "limits": "trained on rendered scenes with simulated noise alone; real images may hold noise of other kinds",
    }
    normalisation: dict[str, JsonValue] = {
        "standard_scale": "asinh((x - median) / spread), spread half of p16..p84 of the image's known values",
        "overexposed": f"values that more than {OVEREXPOSED_SHARE:g} of the image share with its maximum take no part",
    }
    return Card(spec=spec.to_json(), inputs=INPUTS, normalisation=normalisation, classes=OUTPUTS, training=training)


def _hardware() -> str:
    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name(0)}"
    return f"CPU, {torch.get_num_threads()} threads"


def _record(denoiser: DenoiserSettings, trained: Sequence[Trained], measured: dict[str, float]) -> Record:
    rows: list[dict[str, JsonValue]] = [
        {"member": number, **epoch} for number, found in enumerate(trained) for epoch in found.history
    ]
    best = [found.history[found.best_epoch - 1]["validation_loss"] for found in trained]
    settings = denoiser.training
    return Record(
        title="Training of the denoiser",
        metrics=(
            Metric(name="members", value=float(len(trained)), unit="1"),
            Metric(name="epochs", value=float(sum(len(found.history) for found in trained)), unit="1"),
            Metric(name="seconds", value=sum(found.seconds for found in trained), unit="s"),
            Metric(name="validation_loss", value=float(np.mean(best)), unit="1"),
            *(Metric(name=f"validation_{name}", value=value, unit="1") for name, value in measured.items()),
        ),
        tables={"history": rows},
        notes=(
            f"Seed {settings.seed}; {settings.batch} crops of {settings.crop_px} px a step.",
            f"Trained on {_hardware()}.",
            "Squares are differences from the truth in the standard scale, on validation scenes. Errors are multiplied"
            f" by the factor, so that {_ONE_ERROR:.2%} of the truth lies within one of them there; if they are normal,"
            f" {_TWO_ERRORS:.2%} lies within two.",
        ),
    )
