"""The CycleGAN's training as a stage: data, loop, calibration, model file, record, pictures."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from pydantic import JsonValue

from lunarsite.artefact import ArtefactError
from lunarsite.artefact import record as records
from lunarsite.artefact.contracts.enhance import CYCLE_MODEL, ENHANCE_TRAINING
from lunarsite.artefact.model import Card
from lunarsite.artefact.record import Metric, Record
from lunarsite.settings.enhance import CycleSettings, SensorSettings
from lunarsite.vision.enhance import cycle_encoder, ground
from lunarsite.vision.enhance.cycle_data import MOST_STANDARD, REAL_SHARE, Domains
from lunarsite.vision.enhance.cycle_encoder import load_encoder
from lunarsite.vision.enhance.cycle_loop import Trained, generator_spec, train
from lunarsite.vision.enhance.cycle_losses import Likeness
from lunarsite.vision.enhance.cycle_measure import calibrate
from lunarsite.vision.enhance.cycle_model import INPUTS, OUTPUTS, CycleEnhancer, CycleSpec
from lunarsite.vision.enhance.cycle_networks import Generator
from lunarsite.vision.enhance.cycle_pictures import Watch, write_series
from lunarsite.vision.enhance.pairs import usable
from lunarsite.vision.learn.encoder_weights import Source
from lunarsite.vision.learn.saved import rounded, save

if TYPE_CHECKING:
    from lunarsite.stage import Job

_MOST_CALIBRATING = 60
"""Validation scenes that errors are calibrated on, at most."""
_SAMPLES = "samples"


def cycle_stage(
    job: Job,
    sensor: SensorSettings,
    cycle: CycleSettings,
    scenes: Path,
    real: Path | None,
    model: Path,
    record: Path,
    pictures: Path | None,
) -> None:
    """Train both generators without pairs; write them, the record of the training, and a picture of its course.

    The checkpoint, and a picture of every one of them, lie beside the model until it is written, so a killed training
    goes on where it was.

    Raises:
        ArtefactError: A file holds too little for training or validation.
        LearningError: The training diverges, or what it needs is not there.
    """
    job.seed = cycle.seed
    held = usable(scenes, "validation")
    if not held.size:
        raise ArtefactError(
            f"{scenes}: holds no scenes for validation with shadow that gets light; widen its sectors (enhance.scenes)"
            " or draw more tiles (enhance.scenes.tiles_per_model)"
        )
    encoder, source = None, Source("none", "none", None)
    if cycle.perceptual_weight > 0.0:
        encoder, source = load_encoder(cycle.perceptual_encoder, cycle.perceptual_weights, cycle.seed)
        job.log.info("perceptual term: %s", source.words)
    folder = model.with_name(f"{model.stem}.checkpoints")
    with Domains(scenes, real, cycle.crop_px, cycle.batch, cycle.seed, sensor) as domains:
        job.log.info("images: %s", ", ".join(f"{count} {name}" for name, count in domains.counts().items()))
        trained = train(
            domains,
            Likeness(cycle, encoder),
            cycle,
            folder=folder,
            key=_key(job, source),
            job_log=job.log,
            progress=job.progress,
            observe=Watch(scenes, held, sensor, folder / _SAMPLES),
        )
        data: dict[str, Any] = {
            "sources": [credit.model_dump(mode="json") for credit in domains.credits],
            **domains.counts(),
        }
    places = ground.json_of(scenes)
    networks = rounded(trained.networks)
    both = cast(Generator, networks.to_sunlit), cast(Generator, networks.to_shadowed)
    spec = CycleSpec(generator=generator_spec(cycle))
    chosen = held[:: -(-held.size // _MOST_CALIBRATING)]
    variance, measured = calibrate(CycleEnhancer(spec, *both).eval(), scenes, chosen, sensor)
    for name, value in measured.items():
        job.log.info("%s: %.4g", name, value)
    enhancer = CycleEnhancer(spec.model_copy(update={"variance": variance}), *both).eval()
    card = _card(enhancer.spec, cycle, sensor, data, places, source, trained, measured)
    save(model, CYCLE_MODEL, enhancer, card, job.stamp(CYCLE_MODEL))
    records.write(record, ENHANCE_TRAINING, _record(cycle, source, trained, measured), job.stamp(ENHANCE_TRAINING))
    if pictures is not None:
        write_series(folder / _SAMPLES, pictures)
    shutil.rmtree(folder)


def _key(job: Job, source: Source) -> str:
    """What a checkpoint must have been made from to be gone on with."""
    inputs = (f"{name}={digest}" for name, digest in sorted(job.inputs.items()))
    return " ".join([job.settings_hash, job.code, *inputs, f"encoder={source.sha256}"])


def _card(
    spec: CycleSpec,
    cycle: CycleSettings,
    sensor: SensorSettings,
    data: dict[str, Any],
    places: dict[str, Any],
    source: Source,
    trained: Trained,
    measured: dict[str, float],
) -> Card:
    settings = cycle.model_dump(mode="json")
    if cycle.perceptual_weights is not None:
        settings["perceptual_weights"] = cycle.perceptual_weights.name
    training: dict[str, Any] = {
        "settings": settings,
        "sensor": sensor.model_dump(mode="json"),
        "data": {**data, "real_share": REAL_SHARE},
        ground.KEY: places,
        "perceptual": source.words,
        "perceptual_levels": list(cycle_encoder.LEVELS),
        "steps": cycle.steps,
        "validation": measured,
        "seconds": round(trained.seconds),
        "hardware": _hardware(),
        "limits": (
            "trained without pairs, to make images look sunlit: shapes and shading that no signal supports may be"
            " invented"
        ),
    }
    normalisation: dict[str, JsonValue] = {
        "standard_scale": "asinh((x - median) / spread), spread half of p16..p84 of the image's known values",
        "cut_off": MOST_STANDARD,
    }
    return Card(spec=spec.to_json(), inputs=INPUTS, normalisation=normalisation, classes=OUTPUTS, training=training)


def _hardware() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0)
    return f"CPU, {torch.get_num_threads()} threads"


def _record(cycle: CycleSettings, source: Source, trained: Trained, measured: dict[str, float]) -> Record:
    rows: list[dict[str, JsonValue]] = [dict(entry) for entry in trained.history]
    return Record(
        title="Training of the CycleGAN",
        metrics=(
            Metric(name="steps", value=float(cycle.steps), unit="1"),
            Metric(name="seconds", value=trained.seconds, unit="s"),
            *(Metric(name=f"validation_{name}", value=value, unit="1") for name, value in measured.items()),
        ),
        tables={"history": rows},
        notes=(
            f"Seed {cycle.seed}; {cycle.batch} crops of {cycle.crop_px} px a step from each domain, not of one place.",
            f"Perceptual term: {source.words}.",
            "Squares are differences from the noise-free truth in the standard scale, on validation scenes, which the"
            " training never sees; on them the weights of the error are fitted.",
        ),
    )
