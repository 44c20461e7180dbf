"""Slopes that are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.gradient import slope_deg, with_border
from lunarsite.grid import MOON_RADIUS_M, Grid, xy_to_lonlat

GRID = Grid(-302_000.0, 6_000.0, 240.0, 40, 50)


def slopes(height_m: np.ndarray, grid: Grid = GRID) -> np.ndarray:
    return slope_deg(with_border(height_m.astype(np.float32), (1, 1, 1, 1)), grid.scale_factor(), grid.pixel_m)


@given(height=st.floats(-9000, 9000))
def test_ground_of_constant_height_is_level(height: float) -> None:
    assert np.abs(slopes(np.full(GRID.shape, height))).max() < 1e-4


@given(east=st.floats(-1, 1), north=st.floats(-1, 1))
def test_map_plane_is_steeper_by_the_scale_factor(east: float, north: float) -> None:
    x, y = np.meshgrid(GRID.x_m() - GRID.x_m().mean(), GRID.y_m())
    expected = np.degrees(np.arctan(GRID.scale_factor() * np.hypot(east, north)))
    np.testing.assert_allclose(slopes(east * x + north * y), expected, atol=2e-3)


def test_ground_that_rises_with_colatitude_has_that_slope() -> None:
    _, lat = xy_to_lonlat(*np.meshgrid(GRID.x_m(), GRID.y_m()))
    arc_m = np.radians(90.0 + lat) * MOON_RADIUS_M
    tilt = np.tan(np.radians(8.0))
    found = slopes(tilt * (arc_m - arc_m.mean()))
    np.testing.assert_allclose(found, 8.0, atol=0.005), "true lengths, not the map's (which give 7.94 here)"
    assert np.degrees(np.arctan(tilt / GRID.scale_factor())).max() < 7.95


def test_paraboloid() -> None:
    grid = Grid(-2_400.0, 2_400.0, 20.0, 240, 240)
    x, y = np.meshgrid(grid.x_m(), grid.y_m())
    found = slopes((x * x + y * y) / 10_000.0, grid)
    expected = np.degrees(np.arctan(grid.scale_factor() * np.hypot(x, y) / 5_000.0))
    np.testing.assert_allclose(found[1:-1, 1:-1], expected[1:-1, 1:-1], atol=2e-3)


def test_cone() -> None:
    grid = Grid(-2_400.0, 2_400.0, 20.0, 240, 240)
    x, y = np.meshgrid(grid.x_m(), grid.y_m())
    away = np.hypot(x, y) > 500
    away[[0, -1]] = away[:, [0, -1]] = False  # one-sided there
    np.testing.assert_allclose(slopes(0.1 * np.hypot(x, y), grid)[away], np.degrees(np.arctan(0.1)), atol=5e-3)


def test_no_data_spreads_by_one_pixel() -> None:
    height = np.zeros(GRID.shape)
    height[10, 20] = np.nan
    unknown = np.isnan(slopes(height))
    assert unknown[9:12, 19:22].all()
    assert unknown.sum() == 9


def test_border_is_one_sided() -> None:
    x = np.meshgrid(GRID.x_m(), GRID.y_m())[0]
    found = slopes(0.2 * (x - x.mean()))
    assert found[0, 0] == pytest.approx(found[5, 5], abs=0.02)
