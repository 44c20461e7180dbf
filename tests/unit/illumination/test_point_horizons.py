"""Horizons of single places: against brute force on rough ground, and on shapes whose horizon is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lunarsite.grid import MOON_RADIUS_M
from lunarsite.illumination.horizon import Terrain
from lunarsite.illumination.point_horizons import point_horizons
from tests.unit.illumination.brute_force import brute_force_tan_horizon, elevation_error_deg

PIXEL_M = 240.0


def _rough(half: int, pixel_m: float, seed: int, height_m: float = 800.0) -> Terrain:
    side = 2 * half
    y, x = np.mgrid[:side, :side] * pixel_m / 1000.0
    rng = np.random.default_rng(seed)
    waves = rng.uniform(0.02, 1.2, (40, 2)) * rng.choice([-1.0, 1.0], (40, 2))
    heights = sum(
        height_m / (1.0 + 9.0 * np.hypot(u, v)) * np.cos(u * x + v * y + rng.uniform(0.0, 6.3)) for u, v in waves
    )
    return Terrain(np.asarray(heights, dtype=np.float32), -half * pixel_m, half * pixel_m, pixel_m)


def _level(half: int, height_m: float = 0.0) -> Terrain:
    return Terrain(np.full((2 * half, 2 * half), height_m, np.float32), -half * PIXEL_M, half * PIXEL_M, PIXEL_M)


@pytest.mark.parametrize("with_far", [False, True])
@pytest.mark.parametrize("height_m", [0.0, 10.0])
def test_agrees_with_brute_force(with_far: bool, height_m: float) -> None:
    near, far = _rough(100, PIXEL_M, 1), _rough(150, 2 * PIXEL_M, 2) if with_far else None
    rows, cols = np.array([20, 100, 177]), np.array([150, 101, 35])
    found = point_horizons(near, far, rows, cols, 24, height_m)
    for index, azimuth in enumerate(found.azimuth_rad):
        truth = brute_force_tan_horizon(near, azimuth, rows, cols, far=far, observer_height_m=height_m)
        error = elevation_error_deg(found.tan_horizon[:, index].astype(float), truth)
        # Brute force leaves a gap of one pixel between the fields, in which ours still sees the near one.
        assert np.abs(error).max() < 0.05
        assert np.sqrt(np.mean(error**2)) < 0.02


@pytest.mark.parametrize("height_m", [0.0, 2.0, 100.0])
def test_level_ground_shows_the_dip(height_m: float) -> None:
    found = point_horizons(_level(60, 1000.0), None, np.array([60]), np.array([60]), 8, height_m)
    ground = MOON_RADIUS_M + 1000.0
    dip = math.sqrt((ground + height_m) ** 2 - ground**2) / ground
    assert found.tan_horizon[0] == pytest.approx(-dip, abs=2e-6)


def test_a_wall_stands_where_it_stands() -> None:
    # A wall 2000 m high and three pixels wide, 24 km off in +x; nothing in the other directions.
    near = _level(150)
    near.height_m[:, 250:253] = 2000.0
    found = point_horizons(near, None, np.array([150]), np.array([150]), 4)
    gamma = 2.0 * math.atan(100.5 * PIXEL_M / (2.0 * MOON_RADIUS_M)) - 2.0 * math.atan(
        0.5 * PIXEL_M / (2.0 * MOON_RADIUS_M)
    )
    radius = MOON_RADIUS_M + 2000.0
    expected = (radius * math.cos(gamma) - MOON_RADIUS_M) / (radius * math.sin(gamma))
    assert found.tan_horizon[0, 0] == pytest.approx(expected, rel=1e-3)
    assert found.tan_horizon[0, 1:] == pytest.approx(0.0, abs=1e-6)


def test_unknown_ground_is_unknown_and_far_ground_fills_holes() -> None:
    near, far = _level(80), _rough(80, 2 * PIXEL_M, 3)
    near.height_m[70:90, 100:120] = np.nan
    far.height_m[:] = 0.0
    far.height_m[76:84, 92:98] = 1500.0
    places = np.array([80, 80]), np.array([60, 110])
    found = point_horizons(near, far, *places, 4)
    assert np.isnan(found.tan_horizon[1]).all()
    assert found.tan_horizon[0, 0] > 0.05
    bare = point_horizons(near, None, *places, 4)
    assert bare.tan_horizon[0, 0] == pytest.approx(0.0, abs=1e-6)


def test_places_off_the_map_and_other_poles_are_refused() -> None:
    near = _level(10)
    with pytest.raises(ValueError, match=r"pixel \(20, 3\) lies outside"):
        point_horizons(near, None, np.array([20]), np.array([3]), 4)
    far = Terrain(near.height_m, near.x_min_m, near.y_max_m, near.pixel_m, "north")
    with pytest.raises(ValueError, match="south pole, the far field the north pole"):
        point_horizons(near, far, np.array([2]), np.array([3]), 4)
