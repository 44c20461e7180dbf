"""Stages of the terrain room. All read the elevation model by tiles, so that memory does not grow with the map."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from lunarsite.artefact.contracts import DEM, ELEVATION_ERROR, FINE_DEM, RELIEF, ROUGHNESS, SLOPE
from lunarsite.settings import GridSettings, ReliefSettings, TerrainSettings
from lunarsite.stage import Input, Job, Output, stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lunarsite.grid import Cells
    from lunarsite.terrain.relief import CellRelief

_TILE_PX = 2048


@stage
def slope(job: Job, dem: Annotated[Path, Input(DEM)], slope: Annotated[Path, Output(SLOPE)]) -> None:
    """Compute the slope of every pixel, in true lengths."""
    from lunarsite.artefact import raster
    from lunarsite.gradient import HALO_PX, slope_deg, with_border
    from lunarsite.grid import scale_factor

    with raster.opened(dem, DEM) as heights, raster.creating(slope, SLOPE, heights.grid, job.stamp(SLOPE)) as out:
        grid = heights.grid
        x_m, y_m = grid.x_m(), grid.y_m()
        for tile in grid.tiles(_TILE_PX, HALO_PX):
            rows, cols = tile.core
            border = (
                rows.start == 0,
                rows.stop == grid.rows,
                cols.start == 0,
                cols.stop == grid.cols,
            )
            top, bottom, left, right = (int(side) for side in border)
            window = with_border(heights.read(window=tile.read), (top, bottom, left, right))
            scale = scale_factor(x_m[None, cols], y_m[rows, None])
            out.write(slope_deg(window, scale, grid.pixel_m), window=tile.core)
            job.progress(rows.stop, grid.rows, "row")


@stage
def roughness(
    job: Job,
    terrain: TerrainSettings,
    dem: Annotated[Path, Input(DEM)],
    roughness: Annotated[Path, Output(ROUGHNESS)],
) -> None:
    """Compute the RMS deviation of the ground from its local plane."""
    from lunarsite.artefact import raster
    from lunarsite.terrain.plane import roughness_m, window_radius_px

    with raster.opened(dem, DEM) as heights:
        grid = heights.grid
        radius_px = window_radius_px(terrain.roughness_baseline_m, grid.pixel_m)
        reached_m = radius_px * grid.pixel_m
        if abs(reached_m - terrain.roughness_baseline_m) > 0.5 * grid.pixel_m:
            job.log.warning(
                "pixels of %g m are too large for a baseline of %g m; the window's radius is %g m",
                grid.pixel_m,
                terrain.roughness_baseline_m,
                reached_m,
            )
        with raster.creating(roughness, ROUGHNESS, grid, job.stamp(ROUGHNESS)) as out:
            for tile in grid.tiles(_TILE_PX, radius_px):
                out.write(roughness_m(heights.read(window=tile.read), radius_px)[tile.inner], window=tile.core)
                job.progress(tile.core[0].stop, grid.rows, "row")


@stage
def elevation_error(
    job: Job,
    terrain: TerrainSettings,
    dem: Annotated[Path, Input(DEM)],
    elevation_error: Annotated[Path, Output(ELEVATION_ERROR)],
) -> None:
    """Write the configured height error wherever there are heights, for products that give none of their own."""
    import numpy as np

    from lunarsite.artefact import raster

    sigma_m, nothing = np.float32(terrain.elevation_error_m), np.float32(np.nan)
    with (
        raster.opened(dem, DEM) as heights,
        raster.creating(elevation_error, ELEVATION_ERROR, heights.grid, job.stamp(ELEVATION_ERROR)) as out,
    ):
        for tile in heights.grid.tiles(_TILE_PX):
            known = ~np.isnan(heights.read(window=tile.core))
            out.write(np.where(known, sigma_m, nothing), window=tile.core)


@stage
def relief(
    job: Job,
    grid: GridSettings,
    relief: ReliefSettings,
    fine_dems: Annotated[tuple[Path, ...], Input(FINE_DEM)],
    cells: Annotated[Path, Output(RELIEF)],
) -> None:
    """Describe the gentlest disc of every cell that a finer elevation model covers."""
    import dataclasses

    import pandas as pd

    from lunarsite.artefact import table
    from lunarsite.grid import Cells, Grid

    near = Grid.centred(grid.half_width_m, grid.pixel_m, grid.cell_m, grid.pole)
    run = Cells(near, grid.cell_m, grid.latitude_limit_deg)
    best: dict[int, CellRelief] = {}
    for index, path in enumerate(fine_dems):
        held: list[CellRelief] = []
        for share, found in _surveyed(path, run, relief):
            held += found
            job.progress(index + share, len(fine_dems), "finer elevation models")
        if held:
            job.log.info("%s: pixels of %g m, discs in %d cells", path.name, held[0].pixel_m, len(held))
        else:
            job.log.warning("%s: holds no whole disc in any cell of the run", path.name)
        for cell in held:
            known = best.get(cell.cell_id, cell)
            best[cell.cell_id] = min(cell, known, key=lambda one: one.order)
    columns = [column.name for column in RELIEF.columns]
    frame = pd.DataFrame([dataclasses.asdict(best[cell]) for cell in sorted(best)], columns=columns)
    frame = frame.astype({column.name: column.dtype for column in RELIEF.columns})
    table.write(cells, RELIEF, frame, job.stamp(RELIEF))


def _surveyed(path: Path, run: Cells, relief: ReliefSettings) -> Iterator[tuple[float, list[CellRelief]]]:
    """Survey one elevation model; what does not fit names the file."""
    from lunarsite.artefact import ArtefactError, raster
    from lunarsite.terrain.relief import ReliefError, survey

    with raster.opened(path, FINE_DEM) as heights:
        try:
            yield from survey(
                lambda window: heights.read(window=window), heights.grid, run, relief.radius_m, relief.steep_deg
            )
        except ReliefError as error:
            raise ArtefactError(f"{path}: {error}") from error
