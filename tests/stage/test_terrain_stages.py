"""Terrain stages: tiles leave no seam; outputs keep their contracts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lunarsite.artefact import raster
from lunarsite.artefact.contracts import DEM, ELEVATION_ERROR, ROUGHNESS, SLOPE
from lunarsite.gradient import slope_deg, with_border
from lunarsite.grid import Grid
from lunarsite.settings import TerrainSettings
from lunarsite.stage import Job
from lunarsite.terrain import stages
from lunarsite.terrain.plane import roughness_m


@pytest.fixture
def job() -> Job:
    job = Job("terrain-test", "default", "0" * 16, "0" * 64)
    job.origin = "synthetic"
    return job


@pytest.fixture
def dem(tmp_path: Path, job: Job) -> Path:
    grid = Grid(-30_000.0, 20_000.0, 240.0, 70, 90)
    heights = np.random.default_rng(0).normal(0, 40, grid.shape).astype(np.float32)
    heights[30:33, 40:50] = np.nan
    raster.write(tmp_path / "dem.tif", DEM, grid, {"elevation_m": heights}, job.stamp(DEM))
    return tmp_path / "dem.tif"


def test_tiles_leave_no_seam(tmp_path: Path, dem: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "_TILE_PX", 32)
    stages.slope(job, dem, tmp_path / "slope.tif")
    stages.roughness(job, TerrainSettings(roughness_baseline_m=500.0), dem, tmp_path / "roughness.tif")
    with raster.opened(dem, DEM) as source:
        heights, grid = source.read(), source.grid
    whole = slope_deg(with_border(heights, (1, 1, 1, 1)), grid.scale_factor(), grid.pixel_m)
    np.testing.assert_array_equal(raster.read(tmp_path / "slope.tif", SLOPE, grid)["slope_deg"], whole)
    found = raster.read(tmp_path / "roughness.tif", ROUGHNESS, grid)["roughness_m"]
    np.testing.assert_allclose(found, roughness_m(heights, 2), rtol=1e-5)


def test_elevation_error_stands_where_heights_do(tmp_path: Path, dem: Path, job: Job) -> None:
    stages.elevation_error(job, TerrainSettings(elevation_error_m=3.0), dem, tmp_path / "error.tif")
    error = raster.read(tmp_path / "error.tif", ELEVATION_ERROR)["elevation_error_m"]
    heights = raster.read(dem, DEM)["elevation_m"]
    np.testing.assert_array_equal(np.isnan(error), np.isnan(heights))
    assert np.nanmin(error) == np.nanmax(error) == 3.0


def test_a_baseline_below_the_pixels_is_said(
    tmp_path: Path, dem: Path, job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    stages.roughness(job, TerrainSettings(), dem, tmp_path / "roughness.tif")
    assert "the window's radius is 240 m" in caplog.text
