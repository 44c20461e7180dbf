"""Stages of the source room: elevation, craters, optional layers and a record of their origin; tiles of others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from lunarsite.artefact import contracts
from lunarsite.settings import GridSettings, LocalSettings, PretrainingTilesSettings, SyntheticSettings
from lunarsite.stage import Input, Job, Output, stage

if TYPE_CHECKING:
    from lunarsite.artefact.raster import RasterSpec
    from lunarsite.artefact.record import Metric
    from lunarsite.grid import Grid
    from lunarsite.source.local import Quantity


@stage
def synthetic(
    job: Job,
    grid: GridSettings,
    synthetic: SyntheticSettings,
    named_features: Annotated[Path, Input()],
    dem: Annotated[Path, Output(contracts.DEM)],
    far_dem: Annotated[Path, Output(contracts.FAR_DEM)],
    craters: Annotated[Path, Output(contracts.CRATERS)],
    record: Annotated[Path | None, Output(contracts.SOURCE_RECORD)],
) -> None:
    """Make the seeded synthetic Moon and its truth: craters, and the high ground that was built gentle."""
    from lunarsite.source.features import read_features
    from lunarsite.source.synthetic import SyntheticMoon
    from lunarsite.source.writing import grids, write_blocks, write_craters, write_record

    job.seed, job.origin = synthetic.seed, "synthetic"
    near, far = grids(grid)
    moon = SyntheticMoon.build(
        read_features(named_features), seed=synthetic.seed, pole=grid.pole, crater_density=synthetic.crater_density
    )
    smallest_m = synthetic.min_crater_diameter_m
    metrics = [
        *write_blocks(job, dem, contracts.DEM, near, moon.blocks(near, smallest_m)),
        *write_blocks(job, far_dem, contracts.FAR_DEM, far, moon.blocks(far, smallest_m)),
    ]
    table = moon.crater_table(near, smallest_m)
    write_craters(job, craters, table, near)
    if record is None:
        return
    ground = moon.ground_table()
    ground = ground[near.contains(ground["x_m"], ground["y_m"])]
    rows = [{str(key): value for key, value in row.items()} for row in ground.to_dict(orient="records")]
    write_record(
        job,
        record,
        "Synthetic Moon",
        metrics,
        len(table),
        tables={"good_ground": rows},
        notes=(
            f"Synthetic terrain, seed {synthetic.seed}: named craters and high ground stand at their real places,"
            " everything else is drawn at random. Nothing here is a statement about the Moon.",
            f"Random craters from {smallest_m:g} m, {synthetic.crater_density:g} times the Moon's density; a grid shows"
            " those of at least 1.5 pixels.",
        ),
    )


@stage
def local(
    job: Job,
    grid: GridSettings,
    local: LocalSettings,
    dem_file: Annotated[Path, Input()],
    far_dem_file: Annotated[Path | None, Input()],
    elevation_error_file: Annotated[Path | None, Input()],
    craters_file: Annotated[Path | None, Input()],
    dem: Annotated[Path, Output(contracts.DEM)],
    far_dem: Annotated[Path | None, Output(contracts.FAR_DEM)],
    elevation_error: Annotated[Path | None, Output(contracts.ELEVATION_ERROR)],
    craters: Annotated[Path | None, Output(contracts.CRATERS)],
    record: Annotated[Path | None, Output(contracts.SOURCE_RECORD)],
) -> None:
    """Read a user's elevation models and crater catalogue onto the run's grids."""
    from lunarsite.source import local as files
    from lunarsite.source.catalogue import read_craters
    from lunarsite.source.writing import grids, pair, write_craters, write_layer, write_record

    job.origin = "local"
    near, far = grids(grid)
    notes: list[str] = []
    metrics: list[Metric] = []
    for name, source, target, spec, onto, quantity in (
        ("dem", dem_file, dem, contracts.DEM, near, files.HEIGHT),
        ("far_dem", far_dem_file, far_dem, contracts.FAR_DEM, far, files.HEIGHT),
        ("elevation_error", elevation_error_file, elevation_error, contracts.ELEVATION_ERROR, near, files.HEIGHT_ERROR),
    ):
        given = pair(job, f"{name}_file", name, source, target)
        if given is None:
            continue
        field = f"source.local.{name}"
        with files.opened(given[0], onto, field, quantity) as raster:
            note, numbers = write_layer(job, field, given[1], spec, onto, raster)
        notes.append(note)
        metrics += numbers
    if far_dem is None:
        notes.append("No far field was given (source.local.far_dem): horizons end where the elevation model ends.")
        job.log.warning("%s", notes[-1])
    n_craters = 0
    given = pair(job, "craters_file", "craters", craters_file, craters)
    if given is not None:
        table = read_craters(
            given[0],
            near,
            "source.local.craters",
            lon=local.craters_lon,
            unit=local.craters_unit,
            columns=local.craters_columns,
        )
        n_craters = len(table)
        notes.append(f"source.local.craters: {n_craters} of {table.attrs['read']} craters lie on the grid.")
        job.log.info("%s", notes[-1])
        write_craters(job, given[1], table, near)
    if record is not None:
        write_record(job, record, "The user's own files", metrics, n_craters, notes=tuple(notes))


@stage
def deepmoon(
    job: Job,
    pretraining_tiles: PretrainingTilesSettings,
    images_file: Annotated[Path, Input()],
    craters_file: Annotated[Path | None, Input()],
    tiles: Annotated[Path, Output(contracts.CRATER_TILES)],
) -> None:
    """Read a user's crater tiles in DeepMoon's layout, split by longitude."""
    import numpy as np

    from lunarsite.artefact import tiles as tile_files
    from lunarsite.source.deepmoon import (
        CAP_DEG,
        LEFT_OUT,
        TRAINING,
        VALIDATION,
        opened,
        reaches_cap,
        split_by_longitude,
    )
    from lunarsite.source.kinds import LocalError

    job.origin = "local"
    field, least = "crater.pretraining_tiles", pretraining_tiles
    with opened(images_file, craters_file, field) as source:
        bounds_deg = source.bounds_deg()
        polar = reaches_cap(bounds_deg)
        split = np.where(polar, LEFT_OUT, split_by_longitude(bounds_deg))
        numbers = {
            name: int((split == number).sum()) for name, number in (("train", TRAINING), ("validate", VALIDATION))
        }
        for name, number in numbers.items():
            if number == 0:
                raise LocalError(
                    f"{field}.images: {images_file}: none of its {source.count} tiles lies where tiles {name}; tiles of"
                    " the first 20 degrees of longitude of every 120 validate, others train, and those that reach"
                    f" {CAP_DEG:g} degrees of latitude do neither: give more tiles"
                )
        job.log.info(
            "%d tiles train, %d validate; %d straddle a border and %d reach %g degrees of latitude and are left out",
            numbers["train"],
            numbers["validate"],
            int(((split == LEFT_OUT) & ~polar).sum()),
            int(polar.sum()),
            CAP_DEG,
        )
        with tile_files.creating(tiles, contracts.CRATER_TILES, job.stamp(contracts.CRATER_TILES)) as writer:
            for done, block in source.blocks(split, least.least_diameter_px, least.least_diameter_km):
                writer.append(block.images, block.masks, block.per_tile, block.craters)
                job.progress(done, source.count, "tiles")


@stage
def fine_dem(
    job: Job,
    grid: GridSettings,
    fine_dem_file: Annotated[Path, Input()],
    fine_dem: Annotated[Path, Output(contracts.FINE_DEM)],
) -> None:
    """Read a user's finer elevation model of a part of the map, at its own resolution."""
    from lunarsite.source.fine import fine_grid
    from lunarsite.source.local import HEIGHT
    from lunarsite.source.writing import grids

    field = "source.local.fine_dems"
    own = fine_grid(fine_dem_file, grids(grid)[0], field)
    job.log.info("kept on %d x %d pixels of %g m", own.rows, own.cols, own.pixel_m)
    _read_raster(job, field, fine_dem_file, fine_dem, contracts.FINE_DEM, own, HEIGHT)


@stage
def temperature(
    job: Job,
    grid: GridSettings,
    temperature_file: Annotated[Path, Input()],
    temperature: Annotated[Path, Output(contracts.TEMPERATURE)],
) -> None:
    """Read a user's map of temperature onto the run's grid."""
    from lunarsite.source.local import TEMPERATURE
    from lunarsite.source.writing import grids

    near, _ = grids(grid)
    field = "source.local.temperature"
    _read_raster(job, field, temperature_file, temperature, contracts.TEMPERATURE, near, TEMPERATURE)


@stage
def ice_depth(
    job: Job,
    grid: GridSettings,
    ice_depth_file: Annotated[Path, Input()],
    ice_depth: Annotated[Path, Output(contracts.ICE_DEPTH)],
) -> None:
    """Read a user's map of the depth at which ice is stable onto the run's grid."""
    from lunarsite.source.local import ICE_DEPTH
    from lunarsite.source.writing import grids

    near, _ = grids(grid)
    field = "source.local.ice_depth"
    _read_raster(job, field, ice_depth_file, ice_depth, contracts.ICE_DEPTH, near, ICE_DEPTH)


@stage
def scarps(
    job: Job,
    grid: GridSettings,
    scarps_file: Annotated[Path, Input()],
    scarps: Annotated[Path, Output(contracts.SCARPS)],
) -> None:
    """Read a user's lobate scarps onto the run's map."""
    import pandas as pd

    from lunarsite.artefact import table as tables
    from lunarsite.source.scarps import read_scarps
    from lunarsite.source.writing import grids

    job.origin = "local"
    near, _ = grids(grid)
    field = "source.local.scarps"
    found = read_scarps(scarps_file, near, field)
    job.log.info(
        "%s: %d of %d lines lie on the map; coordinates are %s", field, found.ids.size, found.read, found.coordinates
    )
    if found.relabelled:
        job.log.warning(
            "%s: %s is labelled WGS 84, as files of its kind are; its coordinates are taken as longitude and latitude"
            " on the Moon (planetocentric, east positive), and nothing is turned by the Earth's ellipsoid",
            field,
            scarps_file.name,
        )
    if found.empty:
        job.log.warning("%s: %d features without any length are left out", field, found.empty)
    if found.ids.size == 0:
        job.log.warning("%s: no line lies on the map; the distance to a scarp will be unknown everywhere", field)
    frame = pd.DataFrame({"id": found.ids, "geometry": found.lines})
    tables.write(scarps, contracts.SCARPS, frame, job.stamp(contracts.SCARPS), near.pole)


def _read_raster(
    job: Job, field: str, source: Path, target: Path, spec: RasterSpec, grid: Grid, quantity: Quantity
) -> None:
    """Read a user's raster onto a grid, and say in the log how and what."""
    from lunarsite.source import local as files
    from lunarsite.source.writing import write_layer

    job.origin = "local"
    with files.opened(source, grid, field, quantity) as raster:
        _, metrics = write_layer(job, field, target, spec, grid, raster)
    for metric in metrics:
        job.log.info("%s: %g %s", metric.name, metric.value, metric.unit)
