"""Stages of published outlines and lists, which the run's own shadow and sites are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from lunarsite.artefact.contracts import DOWNLOAD
from lunarsite.settings import GridSettings
from lunarsite.stage import Input, Job, Output, stage

if TYPE_CHECKING:
    from lunarsite.grid import Grid

_LISTED_TOLERANCE = 0.02


@stage
def psr(
    job: Job,
    grid: GridSettings,
    polygons_files: Annotated[Path, Input(DOWNLOAD)],
    polygons: Annotated[Path, Output(None)],
) -> None:
    """Read published outlines of permanently shadowed regions onto the run's map."""
    from lunarsite.source.published.psr_polygons import read_psr_polygons, write_outlines

    found = read_psr_polygons(polygons_files, _grid(grid))
    read, frame = found.read, found.frame
    job.log.info(
        "%d of %d outlines touch the map, %.0f km2 on the map, %.0f km2 true; read as %s; %d repaired, %d without area",
        len(frame),
        read.read,
        frame["area_km2"].sum(),
        frame["true_area_km2"].sum(),
        read.coordinates,
        read.repaired,
        read.empty,
    )
    if found.listed_ratio is not None and abs(found.listed_ratio - 1.0) > _LISTED_TOLERANCE:
        job.log.warning(
            "the file's own areas are %.3g times ours on the map: another unit, or areas on the sphere; ours are kept",
            found.listed_ratio,
        )
    write_outlines(polygons, frame, grid.pole)


@stage
def experts(
    job: Job,
    grid: GridSettings,
    experts_files: Annotated[Path, Input(DOWNLOAD)],
    experts: Annotated[Path, Output(None)],
) -> None:
    """Read the sites that experts chose."""
    from lunarsite.source.published.sites import read_published_sites, write_sites

    found = read_published_sites(experts_files, _grid(grid))
    job.log.info("%d sites, with %s", len(found), ", ".join(str(name) for name in found.columns))
    write_sites(experts, found)


@stage
def regions(
    job: Job,
    grid: GridSettings,
    regions_files: Annotated[Path, Input(DOWNLOAD)],
    regions: Annotated[Path, Output(None)],
) -> None:
    """Read published outlines of candidate regions as a table of corners."""
    from lunarsite.source.published.regions import read_published_regions, write_regions

    found = read_published_regions(regions_files, _grid(grid))
    job.log.info("%d regions with %d corners", found["code"].nunique(), len(found))
    write_regions(regions, found)


def _grid(settings: GridSettings) -> Grid:
    from lunarsite.grid import Grid

    return Grid.centred(settings.half_width_m, settings.pixel_m, settings.cell_m, settings.pole)
