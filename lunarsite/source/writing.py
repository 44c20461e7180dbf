"""Writing what the source stages have read: heights and other layers, craters, and the record of their origin.

Shared by the stages of a user's own files and of published products. This module must not know where the values are
from.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lunarsite.artefact import contracts, raster, record
from lunarsite.artefact.raster import RasterSpec
from lunarsite.artefact.record import Metric
from lunarsite.grid import Grid
from lunarsite.settings import GridSettings
from lunarsite.stage import Job, StageError

if TYPE_CHECKING:
    import pandas as pd

    from lunarsite.source.local import LocalRaster


def grids(grid: GridSettings) -> tuple[Grid, Grid]:
    """Return the run's near and far grid."""
    return (
        Grid.centred(grid.half_width_m, grid.pixel_m, grid.cell_m, grid.pole),
        Grid.centred(grid.far_half_width_m, grid.far_pixel_m, grid.far_pixel_m, grid.pole),
    )


def pair(job: Job, given: str, wanted: str, source: Path | None, target: Path | None) -> tuple[Path, Path] | None:
    """Return an optional input and its output, or None if neither is given.

    Args:
        job: The job.
        given: Name of the input, for the message.
        wanted: Name of the output.
        source: The input's path.
        target: The output's path.

    Raises:
        StageError: One is given without the other.
    """
    if source is not None and target is not None:
        return source, target
    if source is not None or target is not None:
        raise StageError(f"{job.stage}: input '{given}' and output '{wanted}' are given together or not at all")
    return None


def write_layer(
    job: Job, field: str, target: Path, spec: RasterSpec, grid: Grid, source: LocalRaster
) -> tuple[str, list[Metric]]:
    """Write an opened raster onto a grid; return, and log, how it came there, and what is on it."""
    note = f"{field}: {source.reading}"
    job.log.log(logging.INFO if source.reading.method == "copied" else logging.WARNING, "%s", note)
    metrics = write_blocks(job, target, spec, grid, source.blocks())
    return note, [*metrics, metric(f"{spec.name}_file_pixels", source.reading.file_pixels)]


def write_blocks(job: Job, path: Path, spec: RasterSpec, grid: Grid, blocks: Iterable[tuple[Any, Any]]) -> list[Metric]:
    """Write blocks as they come and return what share of the grid holds data, and the range."""
    valid, low, high = 0, np.inf, -np.inf
    with raster.creating(path, spec, grid, job.stamp(spec)) as writer:
        for window, values in blocks:
            writer.write(values, window=window)
            present = values[np.isfinite(values)]
            valid += present.size
            if present.size:
                low, high = min(low, float(present.min())), max(high, float(present.max()))
            job.progress(window[0].stop, grid.rows, f"{spec.name}: rows")
    return [
        metric(f"{spec.name}_valid_share", valid / (grid.rows * grid.cols)),
        metric(f"{spec.name}_min", low, spec.bands[0].unit),
        metric(f"{spec.name}_max", high, spec.bands[0].unit),
    ]


def metric(name: str, value: float, unit: str = "1") -> Metric:
    """Return a number of the record."""
    return Metric(name=name, value=value, unit=unit)


def write_craters(job: Job, path: Path, table: pd.DataFrame, grid: Grid) -> None:
    """Write a catalogue's craters, none of which has a score."""
    import geopandas as gpd

    from lunarsite.artefact import table as tables

    columns = [column.name for column in contracts.CRATERS.columns]
    frame = table.assign(score=np.full(len(table), np.nan), id=table["id"].astype("int64"))[columns]
    frame = frame.assign(geometry=gpd.points_from_xy(table["x_m"], table["y_m"]))
    tables.write(path, contracts.CRATERS, frame, job.stamp(contracts.CRATERS), grid.pole)


def write_record(
    job: Job,
    path: Path,
    title: str,
    metrics: list[Metric],
    n_craters: int,
    *,
    notes: tuple[str, ...],
    tables: dict[str, list[dict[str, Any]]] | None = None,
) -> None:
    """Write the record of where a run's elevation and craters are from."""
    content = record.Record(
        title=title, metrics=(*metrics, metric("craters", n_craters)), tables=tables or {}, notes=notes
    )
    record.write(path, contracts.SOURCE_RECORD, content, job.stamp(contracts.SOURCE_RECORD))
