"""Stages of published rasters: elevation, light, permanent shadow and slopes, read onto the run's grid."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from lunarsite.artefact import contracts
from lunarsite.settings import GridSettings
from lunarsite.stage import Input, Job, Output, stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from lunarsite.artefact.raster import RasterSpec
    from lunarsite.artefact.record import Metric
    from lunarsite.grid import Grid, Tile
    from lunarsite.source.published.layers import Layer


@stage
def elevation(
    job: Job,
    grid: GridSettings,
    dem_files: Annotated[Path, Input(contracts.DOWNLOAD)],
    far_dem_files: Annotated[Path | None, Input(contracts.DOWNLOAD)],
    elevation_error_files: Annotated[Path | None, Input(contracts.DOWNLOAD)],
    crater_files: Annotated[Path | None, Input(contracts.DOWNLOAD)],
    dem: Annotated[Path, Output(contracts.DEM)],
    far_dem: Annotated[Path | None, Output(contracts.FAR_DEM)],
    elevation_error: Annotated[Path | None, Output(contracts.ELEVATION_ERROR)],
    craters: Annotated[Path | None, Output(contracts.CRATERS)],
    record: Annotated[Path | None, Output(contracts.SOURCE_RECORD)],
) -> None:
    """Read published elevation models and a published crater catalogue onto the run's grids."""
    from lunarsite.artefact import download
    from lunarsite.source import local as files
    from lunarsite.source.published import rasters
    from lunarsite.source.published.catalogues import read_published_craters
    from lunarsite.source.writing import grids, pair, write_craters, write_layer, write_record

    job.origin = "published"
    near, far = grids(grid)
    notes: list[str] = []
    metrics: list[Metric] = []
    for name, receipt, target, spec, onto, quantity in (
        ("dem", dem_files, dem, contracts.DEM, near, files.HEIGHT),
        ("far_dem", far_dem_files, far_dem, contracts.FAR_DEM, far, files.HEIGHT),
        (
            "elevation_error",
            elevation_error_files,
            elevation_error,
            contracts.ELEVATION_ERROR,
            near,
            files.HEIGHT_ERROR,
        ),
    ):
        given = pair(job, f"{name}_files", name, receipt, target)
        if given is None:
            continue
        with rasters.opened(given[0], f"source.published.{name}", quantity) as source:
            with files.placed(source.dataset, source.path, onto, source.field, quantity) as raster:
                note, numbers = write_layer(job, source.field, given[1], spec, onto, raster)
            notes += [note, source.citation]
            metrics += numbers
    if far_dem is None:
        notes.append("No far field was named (source.published.far_dem): horizons end where the elevation model ends.")
        job.log.warning("%s", notes[-1])
    n_craters = 0
    given = pair(job, "crater_files", "craters", crater_files, craters)
    if given is not None:
        table = read_published_craters(given[0], near)
        n_craters = len(table)
        catalogue, _ = download.read(given[0], contracts.DOWNLOAD)
        field = f"source.published.craters ({catalogue.product})"
        notes += [f"{field}: {n_craters} of {table.attrs['read']} craters lie on the grid.", rasters.cited(catalogue)]
        job.log.info("%s", notes[-2])
        write_craters(job, given[1], table, near)
    if record is not None:
        write_record(job, record, "Published products", metrics, n_craters, notes=tuple(notes))


@stage
def fine_dem(
    job: Job,
    grid: GridSettings,
    fine_dem_files: Annotated[Path, Input(contracts.DOWNLOAD)],
    fine_dem: Annotated[Path, Output(contracts.FINE_DEM)],
) -> None:
    """Read a published elevation model that is finer than the run's, at its own resolution."""
    from lunarsite.source.fine import grid_of
    from lunarsite.source.local import placed
    from lunarsite.source.published.rasters import opened
    from lunarsite.source.writing import grids, write_layer

    job.origin = "published"
    near, _ = grids(grid)
    with opened(fine_dem_files, "source.published.fine_dems") as source:
        own = grid_of(source.dataset, source.path, near, source.field)
        job.log.info("kept on %d x %d pixels of %g m", own.rows, own.cols, own.pixel_m)
        with placed(source.dataset, source.path, own, source.field) as raster:
            _, metrics = write_layer(job, source.field, fine_dem, contracts.FINE_DEM, own, raster)
    for metric in metrics:
        job.log.info("%s: %g %s", metric.name, metric.value, metric.unit)


@stage
def illumination(
    job: Job,
    grid: GridSettings,
    sun_files: Annotated[tuple[Path, ...], Input(contracts.DOWNLOAD)],
    earth_files: Annotated[tuple[Path, ...], Input(contracts.DOWNLOAD)],
    psr_files: Annotated[tuple[Path, ...], Input(contracts.DOWNLOAD)],
    sun_any: Annotated[Path, Output(contracts.SUN_ANY)],
    earth_any: Annotated[Path, Output(contracts.EARTH_ANY)],
    psr: Annotated[Path, Output(contracts.PSR)],
) -> None:
    """Read published maps of light, Earth view and permanent shadow: where the finest has no data, the next one."""
    from contextlib import ExitStack

    import numpy as np

    from lunarsite.source.published import layers as published
    from lunarsite.source.published.rasters import opened
    from lunarsite.source.writing import grids

    job.origin = "published"
    near, _ = grids(grid)
    for name, receipts, spec, target in (
        ("sun", sun_files, contracts.SUN_ANY, sun_any),
        ("earth", earth_files, contracts.EARTH_ANY, earth_any),
        ("psr", psr_files, contracts.PSR, psr),
    ):
        quantity = published.CLASSES if name == "psr" else published.SHARE
        with ExitStack() as stack:
            sources = [stack.enter_context(opened(path, f"source.published.{name}", quantity)) for path in receipts]
            shadows = [published.shadow_value(source) for source in sources] if name == "psr" else []
            maps = [stack.enter_context(published.layer(source, near, quantity)) for source in sources]
            published.check_order(maps)
            _warn_of_samples(job, maps)
            counts = np.zeros(len(maps), dtype=np.int64)
            blocks: Iterable[tuple[Tile, NDArray[np.float32]] | tuple[Tile, NDArray[np.uint8]]]
            if name == "psr":
                blocks = published.shadow(list(zip(maps, shadows, strict=True)), counts)
            else:
                blocks = published.shares(maps, counts)
            _write_tiles(job, spec, target, near, ((tile, (values,)) for tile, values in blocks))
            _log_shares(job, maps, counts)


@stage
def slope(
    job: Job,
    grid: GridSettings,
    slope_files: Annotated[Path, Input(contracts.DOWNLOAD)],
    slope: Annotated[Path, Output(contracts.PUBLISHED_SLOPE)],
) -> None:
    """Read published slopes, finer than the run's: their mean and the largest in each pixel."""
    from lunarsite.source.published import layers as published
    from lunarsite.source.published.rasters import opened
    from lunarsite.source.writing import grids

    job.origin = "published"
    near, _ = grids(grid)
    with (
        opened(slope_files, "source.published.slope", published.SLOPE) as source,
        published.layer(source, near, published.SLOPE) as fine,
    ):
        job.log.log(
            logging.INFO if fine.finer else logging.WARNING,
            "%s: %.2f file pixels along a pixel's side%s",
            source.field,
            fine.file_pixels,
            "" if fine.finer else ": it is no finer than the map, so the largest slope in a pixel is its mean",
        )
        _warn_of_samples(job, [fine])
        tiles = ((tile, (mean, most)) for tile, mean, most in published.slopes(fine))
        # What reads this file tells the product's pixels in words: seven digits are those of any published size.
        facts = {"published_pixel_m": float(f"{fine.pixel_m:.7g}"), "published_is_finer": float(fine.finer)}
        _write_tiles(job, contracts.PUBLISHED_SLOPE, slope, near, tiles, facts)


def _write_tiles(
    job: Job,
    spec: RasterSpec,
    target: Path,
    grid: Grid,
    tiles: Iterable[tuple[Tile, tuple[NDArray[np.float32] | NDArray[np.uint8], ...]]],
    facts: Mapping[str, float] | None = None,
) -> None:
    """Write tiles as they come, one array for each band, and what the contract wants told of them all."""
    from lunarsite.artefact import raster

    done = 0
    with raster.creating(target, spec, grid, job.stamp(spec), facts) as writer:
        for tile, bands in tiles:
            for band, values in zip(spec.bands, bands, strict=True):
                writer.write(values, band.name, tile.core)
            done += tile.rows * tile.cols
            job.progress(done, grid.rows * grid.cols, f"{spec.name}: pixels")


def _warn_of_samples(job: Job, maps: list[Layer]) -> None:
    """Say which maps of another projection are too fine for all of their pixels to count."""
    for each in maps:
        if each.skips:
            job.log.warning(
                "%s: %s has up to %.1f file pixels along a pixel's side in another projection, of which samples are"
                " taken, %d along it; so means, shares and largest values leave pixels of it out",
                each.source.field,
                each.source.path,
                each.columns,
                each.samples,
            )


def _log_shares(job: Job, maps: list[Layer], counts: NDArray[np.int64]) -> None:
    """Say in the log which product covers how much."""
    whole = maps[0].grid.rows * maps[0].grid.cols
    for each, count in zip(maps, counts, strict=True):
        job.log.info(
            "%s, version %s: %.2f %% of the map, from %.3f file pixels along a pixel's side; value = number x %g + %g",
            each.source.field,
            each.source.receipt.version,
            100.0 * count / whole,
            each.file_pixels,
            each.source.dataset.scales[0],
            each.source.dataset.offsets[0],
        )
        if count == 0:
            job.log.warning("%s: gives no pixel; another product covers all that it has", each.source.field)
    job.log.info("unknown: %.2f %% of the map", 100.0 * (whole - int(counts.sum())) / whole)
