from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lunarsite.artefact import raster
from lunarsite.artefact.contracts import DEM, PSR
from lunarsite.artefact.stamp import ArtefactError, Stamp
from lunarsite.grid import Grid
from lunarsite.publish.rasters import View, hillshade, picture, whole_view

GRID = Grid(-60_000.0, 60_000.0, 240.0, 500, 400)


def stamp(artefact: str) -> Stamp:
    return Stamp(
        artefact=artefact,
        stage="test",
        run="default",
        settings_hash="0" * 64,
        code="0" * 16,
        inputs={},
        git_commit=None,
        git_dirty=None,
        seed=1,
        origin="local",
    )


@pytest.fixture
def dem(tmp_path: Path) -> Path:
    path = tmp_path / "dem.tif"
    x, y = np.meshgrid(GRID.x_m(), GRID.y_m())
    height = (0.01 * x + 0.02 * y).astype(np.float32)
    height[:40, :40] = np.nan
    raster.write(path, DEM, GRID, {"elevation_m": height}, stamp("dem"))
    return path


@pytest.mark.parametrize("most", [50, 123, 400, 5000])
def test_a_picture_is_no_larger_than_asked_and_shows_the_same_ground(dem: Path, most: int) -> None:
    shown = picture(dem, DEM, most)
    assert max(shown.data.shape) <= most
    assert shown.view == whole_view(GRID)
    rows, cols = shown.data.shape
    x = shown.view.x_min_m + (np.arange(cols) + 0.5) * shown.view.width_m / cols
    y = shown.view.y_max_m - (np.arange(rows) + 0.5) * shown.view.height_m / rows
    expected = 0.01 * x[None, :] + 0.02 * y[:, None]
    known = np.isfinite(shown.data)
    assert np.abs(shown.data - expected)[known].max() <= 0.03 * shown.pixel_m
    assert not known[0, 0]
    assert known[-1, -1]


def test_a_view_is_cut_at_the_grid(dem: Path) -> None:
    shown = picture(dem, DEM, 5000, View(0.0, 12_000.0, -500_000.0, 0.0))
    assert shown.view == View(0.0, 12_240.0, -60_000.0, 0.0)
    assert shown.data.shape == (250, 51)
    assert shown.data[0, 0] == pytest.approx(0.01 * 120.0 - 0.02 * 120.0, abs=1e-3)


def test_a_view_beside_the_grid_is_refused(dem: Path) -> None:
    with pytest.raises(ArtefactError, match="beside its grid"):
        picture(dem, DEM, 100, View(900_000.0, 912_000.0, 0.0, 12_000.0))


def test_classes_stay_classes(tmp_path: Path) -> None:
    path = tmp_path / "psr.tif"
    values = np.zeros(GRID.shape, dtype=np.uint8)
    values[:, 200:] = 1
    values[:100] = 255
    raster.write(path, PSR, GRID, {"psr": values}, stamp("psr"))
    shown = picture(path, PSR, 60)
    assert set(np.unique(shown.data[np.isfinite(shown.data)])) == {0.0, 1.0}
    assert np.isnan(shown.data[0]).all()


def test_shading_of_a_plane_is_its_lambert_cosine() -> None:
    flat = hillshade(np.zeros((5, 5), dtype=np.float32), 10.0, elevation_deg=40.0)
    assert flat == pytest.approx(np.sin(np.radians(40.0)), abs=1e-6)
    # Rising towards the lower right, a plane faces the light from the upper left by its slope.
    row, col = np.mgrid[:6, :6]
    tilt = np.tan(np.radians(20.0)) / np.sqrt(2.0)
    facing = hillshade((10.0 * tilt * (row + col)).astype(np.float32), 10.0, 315.0, 40.0)
    assert facing[2, 2] == pytest.approx(np.sin(np.radians(60.0)), abs=1e-5)


def test_shading_knows_no_ground_without_heights() -> None:
    height = np.zeros((6, 6), dtype=np.float32)
    height[2, 2] = np.nan
    shade = hillshade(height, 10.0)
    assert np.isnan(shade[2, 1])
    assert shade[5, 5] > 0.0
