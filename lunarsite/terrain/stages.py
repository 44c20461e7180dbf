"""Stages of the terrain room. All read the elevation model by tiles, so that memory does not grow with the map."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lunarsite.artefact.contracts import DEM, ELEVATION_ERROR, ROUGHNESS, SLOPE
from lunarsite.settings import TerrainSettings
from lunarsite.stage import Input, Job, Output, stage

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
