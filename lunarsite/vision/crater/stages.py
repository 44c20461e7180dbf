"""Stages of the crater room: tiles, training, calibration, inference, extraction, and a rival that learns nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lunarsite.artefact.contracts import (
    CRATER_LEVELS,
    CRATER_MODEL,
    CRATER_PROBABILITY,
    CRATER_TILES,
    CRATER_TRAINING,
    CRATERS,
    DEM,
    DETECTED,
)
from lunarsite.settings import (
    CatalogueSettings,
    DetectionSettings,
    FinetuningSettings,
    InferenceSettings,
    NetworkSettings,
    PretrainingSettings,
    SplitSettings,
    TileSettings,
)
from lunarsite.stage import Input, Job, Output, stage

if TYPE_CHECKING:
    from lunarsite.artefact.raster import RasterReader
    from lunarsite.grid import Pole
    from lunarsite.vision.crater.calibration import Calibration
    from lunarsite.vision.crater.inference import Candidates
    from lunarsite.vision.crater.pyramid import Pyramid
    from lunarsite.vision.crater.resample import ReadWindow


@stage
def tiles(
    job: Job,
    tiling: TileSettings,
    split: SplitSettings,
    catalogue: CatalogueSettings,
    dem: Annotated[Path, Input(DEM)],
    craters: Annotated[Path, Input(CRATERS)],
    tiles: Annotated[Path, Output(CRATER_TILES)],
) -> None:
    """Cut the run's elevation model into tiles with the given catalogue's craters, for training and validation."""
    from lunarsite.vision.crater.tiles import write_tiles

    write_tiles(job, tiling, split, catalogue, dem, craters, tiles)


@stage
def pretrain(
    job: Job,
    network: NetworkSettings,
    training: PretrainingSettings,
    tiles: Annotated[Path, Input(CRATER_TILES)],
    weights: Annotated[Path, Output(CRATER_MODEL)],
    record: Annotated[Path, Output(CRATER_TRAINING)],
) -> None:
    """Train the network on tiles of other ground."""
    from lunarsite.vision.crater.training import train_stage

    train_stage(job, network, training, [(tiles, 1.0)], None, weights, record)


@stage
def finetune(
    job: Job,
    network: NetworkSettings,
    training: FinetuningSettings,
    tiles: Annotated[Path, Input(CRATER_TILES)],
    pretraining_tiles: Annotated[Path | None, Input(CRATER_TILES)],
    initial: Annotated[Path | None, Input(CRATER_MODEL)],
    weights: Annotated[Path, Output(CRATER_MODEL)],
    record: Annotated[Path, Output(CRATER_TRAINING)],
) -> None:
    """Train the network on tiles of the run's own map, from the weights of the first training where there are any."""
    from lunarsite.vision.crater.training import train_stage

    files = [(tiles, 1.0 if pretraining_tiles is None else 1.0 - training.pretraining_share)]
    if pretraining_tiles is not None:
        files.append((pretraining_tiles, training.pretraining_share))
    train_stage(job, network, training, files, initial, weights, record)


@stage
def calibrate(
    job: Job,
    split: SplitSettings,
    catalogue: CatalogueSettings,
    detection: DetectionSettings,
    inference: InferenceSettings,
    weights: Annotated[Path, Input(CRATER_MODEL)],
    dem: Annotated[Path, Input(DEM)],
    craters: Annotated[Path, Input(CRATERS)],
    model: Annotated[Path, Output(CRATER_MODEL)],
) -> None:
    """Fit the score and choose the threshold on the validation ground; both go into the model's card."""
    import numpy as np

    from lunarsite.artefact import model as models
    from lunarsite.artefact import raster
    from lunarsite.vision.crater.inference import find_candidates, infer_shard, pyramid_of
    from lunarsite.vision.crater.model import load_network, with_calibration

    network, card = load_network(weights)
    whole = inference.model_copy(update={"shards": 1})
    with raster.opened(dem, DEM) as source:
        pyramid, read = pyramid_of(source.grid, detection), _windows(source)
        levels = infer_shard(
            read, source.grid, pyramid, network, whole, 0, lambda done, of: job.progress(done, of, "inference")
        )
        # Rounded as the shards' files round them: a detection that sets the threshold must meet it again.
        outputs = [maps.astype(np.float16).astype(np.float32) for maps in levels]
        found = find_candidates(read, source.grid, pyramid, outputs, detection, inference.least_probability)
        pole = source.grid.pole
    calibration, metrics = _calibrated(craters, found, split, catalogue, detection, pole)
    for name, value in metrics.items():
        job.log.info("%s: %.4g", name, value)
    tensors, _, _ = models.read_tensors(weights, CRATER_MODEL)
    models.write_tensors(
        model, CRATER_MODEL, tensors, with_calibration(card, calibration, metrics, split), job.stamp(CRATER_MODEL)
    )


@stage
def infer(
    job: Job,
    detection: DetectionSettings,
    inference: InferenceSettings,
    dem: Annotated[Path, Input(DEM)],
    model: Annotated[Path, Input(CRATER_MODEL)],
    partial: Annotated[Path, Output(CRATER_LEVELS)],
    shard: int,
) -> None:
    """Run the network over this shard's rows of tiles of every level of the map."""
    import numpy as np

    from lunarsite.artefact import partial as partials
    from lunarsite.artefact import raster
    from lunarsite.vision.crater.inference import infer_shard, pyramid_of
    from lunarsite.vision.crater.model import load_network

    network, _ = load_network(model)
    with raster.opened(dem, DEM) as source:
        pyramid = pyramid_of(source.grid, detection)
        outputs = infer_shard(
            _windows(source),
            source.grid,
            pyramid,
            network,
            inference,
            shard,
            lambda done, of: job.progress(done, of, "inference"),
        )
        # Half precision resolves a probability to 0.0005 and a size to 0.1 %.
        arrays = {f"level_{level:02d}": maps.astype(np.float16) for level, maps in enumerate(outputs)}
    plan = {**_plan(job, pyramid, inference), "shard": shard, "shards": inference.shards}
    partials.write(partial, CRATER_LEVELS, arrays, plan, job.stamp(CRATER_LEVELS))


@stage
def extract(
    job: Job,
    detection: DetectionSettings,
    inference: InferenceSettings,
    dem: Annotated[Path, Input(DEM)],
    model: Annotated[Path, Input(CRATER_MODEL)],
    partials: Annotated[tuple[Path, ...], Input(CRATER_LEVELS)],
    craters: Annotated[Path, Output(DETECTED)],
    probability: Annotated[Path | None, Output(CRATER_PROBABILITY)],
) -> None:
    """Join the shards: the table of craters with scores, and the raster of responses."""
    from lunarsite.artefact import raster, table
    from lunarsite.vision.crater.inference import detections, find_candidates, probability_strips, pyramid_of
    from lunarsite.vision.crater.model import calibration_of, joined_levels

    calibration = calibration_of(model)
    with raster.opened(dem, DEM) as source:
        grid, pyramid, read = source.grid, pyramid_of(source.grid, detection), _windows(source)
        outputs = joined_levels(partials, _plan(job, pyramid, inference))
        found = find_candidates(read, grid, pyramid, outputs, detection, inference.least_probability)
        frame = detections(found, calibration, grid)
        table.write(craters, DETECTED, frame, job.stamp(DETECTED), grid.pole)
        job.log.info("%d craters accepted of %d candidates", int(frame["accepted"].sum()), len(frame))
        if probability is not None:
            with raster.creating(probability, CRATER_PROBABILITY, grid, job.stamp(CRATER_PROBABILITY)) as writer:
                for rows, strip in probability_strips(grid, pyramid, outputs, read):
                    for name, values in strip.items():
                        writer.write(values, name, (rows, slice(0, grid.cols)))


@stage
def classical(
    job: Job,
    split: SplitSettings,
    catalogue: CatalogueSettings,
    detection: DetectionSettings,
    dem: Annotated[Path, Input(DEM)],
    craters: Annotated[Path, Input(CRATERS)],
    classical: Annotated[Path, Output(DETECTED)],
) -> None:
    """Find craters without learning, by templates of a bowl: what the network is measured against."""
    from lunarsite.artefact import raster, table
    from lunarsite.vision.crater.classical import detect_classical
    from lunarsite.vision.crater.inference import detections

    with raster.opened(dem, DEM) as source:
        grid = source.grid
        heights = source.read()
    found = detect_classical(heights, grid, detection.least_diameter_m, detection.largest_diameter_m)
    calibration, metrics = _calibrated(craters, found, split, catalogue, detection, grid.pole)
    for name, value in metrics.items():
        job.log.info("%s: %.4g", name, value)
    frame = detections(found, calibration, grid)
    table.write(classical, DETECTED, frame, job.stamp(DETECTED), grid.pole)


def _plan(job: Job, pyramid: Pyramid, inference: InferenceSettings) -> dict[str, Any]:
    """What the shards and the extraction that joins them must agree on."""
    return {
        "model": job.inputs["model"],
        "dem": job.inputs["dem"],
        "pixel_m": list(pyramid.pixel_m),
        "tiling": inference.model_dump(mode="json", exclude={"least_probability"}),
    }


def _calibrated(
    craters: Path,
    found: Candidates,
    split: SplitSettings,
    catalogue: CatalogueSettings,
    detection: DetectionSettings,
    pole: Pole,
) -> tuple[Calibration, dict[str, float]]:
    """Return `calibrate_on` of a catalogue's file.

    Raises:
        ArtefactError: The catalogue and the detections are too few on the validation ground.
    """
    from lunarsite.artefact import ArtefactError, table
    from lunarsite.vision.crater.calibration import CalibrationError
    from lunarsite.vision.crater.tuning import calibrate_on

    try:
        return calibrate_on(found, table.read(craters, CRATERS)[0], split, catalogue, detection, pole)
    except CalibrationError as error:
        raise ArtefactError(f"{craters}: {error}") from error


def _windows(source: RasterReader) -> ReadWindow:
    return lambda window: source.read(window=window)
