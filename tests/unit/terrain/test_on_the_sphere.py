"""Slopes against the geometry itself: the angle between the ground's normal and the vertical, in three dimensions."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lunarsite.gradient import slope_deg, with_border
from lunarsite.grid import MOON_RADIUS_M, Grid, xy_to_lonlat

Floats = NDArray[np.float64]


def hills_m(x_m: Floats, y_m: Floats) -> Floats:
    return 60.0 * np.sin(x_m / 700.0) * np.cos(y_m / 500.0)


def ground_m(x_m: Floats, y_m: Floats, pole: str) -> Floats:
    """Return the ground's points about the Moon's centre, (rows, cols, 3)."""
    lon, lat = (np.radians(angle) for angle in xy_to_lonlat(x_m, y_m, pole))
    up = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
    return (MOON_RADIUS_M + hills_m(x_m, y_m))[..., None] * up


def true_slope_deg(x_m: Floats, y_m: Floats, pole: str) -> Floats:
    step_m = 0.5
    east = ground_m(x_m + step_m, y_m, pole) - ground_m(x_m - step_m, y_m, pole)
    north = ground_m(x_m, y_m + step_m, pole) - ground_m(x_m, y_m - step_m, pole)
    normal, up = np.cross(east, north), ground_m(x_m, y_m, pole)
    across = np.linalg.norm(np.cross(normal, up), axis=-1)
    return np.degrees(np.arctan2(across, np.abs((normal * up).sum(axis=-1))))


@pytest.mark.parametrize("pole", ["south", "north"])
def test_slope_is_the_angle_between_normal_and_vertical(pole: str) -> None:
    grid = Grid(x_min_m=-302_000.0, y_max_m=6_000.0, pixel_m=20.0, rows=120, cols=150, pole=pole)
    x_m, y_m = np.meshgrid(grid.x_m(), grid.y_m())
    height_m = with_border(hills_m(x_m, y_m).astype(np.float32), (1, 1, 1, 1))
    expected = true_slope_deg(x_m, y_m, pole)[1:-1, 1:-1]
    found = slope_deg(height_m, grid.scale_factor(), grid.pixel_m)[1:-1, 1:-1]
    map_alone = slope_deg(height_m, np.ones(grid.shape), grid.pixel_m)[1:-1, 1:-1]
    assert expected.max() > 6.0
    assert np.abs(found - expected).max() < 0.006
    assert np.abs(map_alone - expected).max() > 0.04, "the test would notice a missing scale factor"
