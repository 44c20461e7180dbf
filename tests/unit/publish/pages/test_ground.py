from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely

from lunarsite.artefact import raster
from lunarsite.artefact.contracts import SLOPE
from lunarsite.artefact.stamp import Stamp
from lunarsite.grid import Grid
from lunarsite.publish.pages.ground import Ground, ellipse, heights_along, square, window

GRID = Grid.centred(4_800.0, 240.0, 960.0)
STAMP = Stamp(
    artefact="slope", stage="terrain-slope", run="r", settings_hash="0" * 64, code="0" * 16, inputs={},
    git_commit=None, git_dirty=None, seed=None, origin="local",
)  # fmt: skip


@pytest.fixture
def slope(tmp_path: Path) -> Path:
    values = np.arange(GRID.rows * GRID.cols, dtype=np.float32).reshape(GRID.shape) / (GRID.rows * GRID.cols) * 40.0
    values[5, 7] = np.nan
    raster.write(tmp_path / "slope.tif", SLOPE, GRID, {"slope_deg": values}, STAMP)
    return tmp_path / "slope.tif"


def whole(path: Path) -> np.ndarray:
    return raster.read(path, SLOPE)["slope_deg"]


def test_a_window_holds_the_rasters_own_pixels(slope: Path) -> None:
    found = window(slope, SLOPE, square(120.0, -120.0, 1_000.0))
    assert found.pixel_m == 240.0
    x, y = found.centres()
    rows, cols = GRID.index(x, y)
    np.testing.assert_array_equal(found.pixels, whole(slope)[rows, cols].astype(np.float64))
    left, right, bottom, top = found.extent
    assert left <= 120.0 - 500.0
    assert right >= 120.0 + 500.0
    assert bottom <= -120.0 - 500.0
    assert top >= -120.0 + 500.0


def test_a_window_beyond_the_map_is_unknown_there(slope: Path) -> None:
    left, _, right, top = GRID.bounds_m
    found = window(slope, SLOPE, square(left, top, 2_000.0))
    x, y = found.centres()
    outside = (x < left) | (y > top)
    assert outside.any()
    assert np.isnan(found.pixels[outside]).all()
    assert np.isfinite(found.pixels[~outside]).all()
    far = window(slope, SLOPE, square(right + 50_000.0, 0.0, 1_000.0))
    assert np.isnan(far.pixels).all()


def test_outlines_run_along_pixel_edges_with_holes() -> None:
    mask = np.ones((3, 3), dtype=bool)
    mask[1, 1] = False
    (found,) = Ground(np.zeros((3, 3)), 100.0, 400.0, 10.0).outlines(mask)
    assert found.bounds == (100.0, 370.0, 130.0, 400.0)
    assert found.area == 800.0


def test_inside_takes_centres_and_at_least_the_nearest_pixel() -> None:
    ground = Ground(np.arange(9.0).reshape(3, 3), 0.0, 30.0, 10.0)
    assert ground.inside(shapely.box(0.0, 10.0, 20.0, 30.0)).tolist() == [0.0, 1.0, 3.0, 4.0]
    assert ground.inside(shapely.box(16.0, 16.0, 18.0, 18.0)).tolist() == [4.0]
    ground.pixels[1, 1] = np.nan
    assert ground.inside(shapely.box(16.0, 16.0, 18.0, 18.0)).size == 0


def test_the_ellipse_has_its_axes_and_angle() -> None:
    site = pd.Series(
        {
            "x_m": 1_000.0, "y_m": -2_000.0, "ellipse_semi_major_m": 500.0, "ellipse_semi_minor_m": 300.0,
            "ellipse_map_angle_deg": 90.0,
        }
    )  # fmt: skip
    found = ellipse(site, 400)
    np.testing.assert_allclose(found.bounds, (700.0, -2_500.0, 1_300.0, -1_500.0), atol=0.1)
    assert found.area == pytest.approx(np.pi * 500.0 * 300.0, rel=1e-3)


def test_heights_along_a_way(slope: Path) -> None:
    x, y = np.array([120.0, 360.0, 1e6]), np.array([-120.0, -120.0, 0.0])
    rows, cols = GRID.index(x[:2], y[:2])
    found = heights_along(slope, x, y)
    np.testing.assert_allclose(found[:2], whole(slope)[rows, cols])
    assert np.isnan(found[2])
    hole = GRID.x_m()[[7]], GRID.y_m()[[5]]
    assert np.isnan(heights_along(slope, *hole)).all()
