"""The Sun over a tile: shadows whose place is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lunarsite.grid import lonlat_to_xy
from lunarsite.illumination.horizon import Terrain
from lunarsite.illumination.light.moment import SUN_RADIUS_RAD, Sun, horizon_tangent, sunlight
from lunarsite.illumination.light.nested import Model, nested
from lunarsite.illumination.point_horizons import point_horizons

from .grounds import around, model, relief

STEP_M, SUN_DEG = 200.0, 5.0


def test_level_ground_is_lit_with_the_sine_of_the_suns_elevation() -> None:
    found = around(model(lambda x, y: 0.0 * x, 100.0, 512), 64)
    seen = sunlight(found, 0, found.tile_window(), Sun(30.0, -2.0))
    assert (seen.fraction == 1.0).all()
    # Over the tile the elevation changes by 0.1 degrees, as the ground curves.
    x, y = np.meshgrid(found.tile.x_m(), found.tile.y_m())
    toward = (x * math.sin(math.radians(30.0)) + y * math.cos(math.radians(30.0))) / 1_737_400.0
    np.testing.assert_allclose(seen.elevation_deg, 2.0 + np.degrees(toward), atol=1e-3)
    np.testing.assert_allclose(seen.cos_incidence, np.sin(np.radians(seen.elevation_deg)), atol=1e-6)
    np.testing.assert_allclose(seen.cos_emission, 1.0)


def test_a_slope_facing_the_sun_is_lit_steeply_and_one_facing_away_not_at_all() -> None:
    found = around(model(lambda x, y: 0.3 * y, 100.0, 512), 64)
    away, toward = (sunlight(found, 0, (220, 230, 220, 230), Sun(lon, -2.0)) for lon in (0.0, 180.0))
    slope = math.atan(0.3)
    np.testing.assert_allclose(toward.cos_incidence, math.sin(math.radians(2.0) + slope), atol=1e-2)
    assert (toward.fraction == 1.0).all()
    assert (away.cos_incidence < 0.0).all()
    assert (away.fraction == 0.0).all()


def test_a_step_casts_a_shadow_of_known_length_and_blur() -> None:
    pixel_m = 20.0
    found = around(model(lambda x, y: np.where(y > 1_000.0, STEP_M, 0.0), pixel_m, 512), 256, 4_000.0)
    seen = sunlight(found, 0, found.tile_window(), Sun(0.0, -SUN_DEG))
    column = seen.fraction[:, 128].astype(np.float64)
    y = found.tile.y_m()
    below = y < 1_000.0
    # The edge stands half a pixel above the first pixel of the step; ground rises to it over one pixel.
    edge_m = 1_000.0 + 0.5 * pixel_m

    def shadow_m(elevation_rad: float) -> float:
        return STEP_M / math.tan(elevation_rad)

    centre = math.radians(SUN_DEG)
    half = np.interp(0.5, column[below], y[below])
    assert edge_m - half == pytest.approx(shadow_m(centre), abs=1.5 * pixel_m)
    blur = (column[below] > 0.0) & (column[below] < 1.0)
    expected = shadow_m(centre - SUN_RADIUS_RAD) - shadow_m(centre + SUN_RADIUS_RAD)
    assert blur.sum() * pixel_m == pytest.approx(expected, abs=2.5 * pixel_m)
    assert (np.diff(column[below]) >= -1e-6).all()


def test_a_disc_behind_its_horizon_is_half_seen_where_its_centre_touches_it() -> None:
    found = around(relief(512, 100.0, 3), 64)
    sun = Sun(40.0, -1.0)
    seen = sunlight(found, 0, found.tile_window(), sun)
    partly = (seen.fraction > 0.0) & (seen.fraction < 1.0)
    assert partly.sum() > 10
    top, _, left, _ = found.tile_window()
    for row, col in np.argwhere(partly)[:10]:
        vector = sun.vector(found)
        place = float(found.tile.x_m()[col]), float(found.tile.y_m()[row])
        height = float(found.level(0)[top + row, left + col])
        azimuth = math.atan2(vector[1], vector[0])
        tangent = horizon_tangent(
            found.height_m,
            found.highest_m,
            found.shape,
            found.place,
            0,
            (*place, height),
            (math.cos(azimuth), math.sin(azimuth)),
            -1.0,
            10.0,
        )
        above = (math.radians(float(seen.elevation_deg[row, col])) - math.atan(tangent)) / SUN_RADIUS_RAD
        expected = 0.5 + (above * math.sqrt(1.0 - above * above) + math.asin(above)) / math.pi
        # A pixel of the tile lies up to 4.5 km from the pole, where the azimuth differs by some thousandths.
        assert float(seen.fraction[row, col]) == pytest.approx(expected, abs=0.05)


def test_horizons_agree_with_those_marched_in_small_steps() -> None:
    ground = relief(640, 100.0, 5)
    terrain = Terrain(ground.height_m, ground.grid.x_min_m, ground.grid.y_max_m, 100.0)
    rows, cols = (a.ravel() for a in np.meshgrid(np.arange(300, 340, 8), np.arange(300, 340, 8), indexing="ij"))
    marched = point_horizons(terrain, None, rows, cols, 16)
    found = around(ground, 64, 30_000.0)
    ours = np.empty_like(marched.tan_horizon)
    for k, (x, y, row, col) in enumerate(zip(marched.x_m, marched.y_m, rows, cols, strict=True)):
        for a, azimuth in enumerate(marched.azimuth_rad):
            spot = float(x), float(y), float(ground.height_m[row, col])
            way = math.cos(azimuth), math.sin(azimuth)
            ours[k, a] = horizon_tangent(
                found.height_m, found.highest_m, found.shape, found.place, 0, spot, way, -1.0, 10.0
            )
    # Their horizons are never below the level, ours may be.
    error_deg = np.degrees(np.arctan(np.maximum(ours, 0.0)) - np.arctan(marched.tan_horizon))
    assert np.sqrt((error_deg**2).mean()) < 0.05
    assert np.abs(error_deg).max() < 0.4


def test_leaping_over_low_ground_changes_nothing() -> None:
    found = around(relief(512, 100.0, 7), 64)
    leaping = sunlight(found, 0, found.tile_window(), Sun(100.0, -1.5)).fraction
    found.highest_m[:] = 1e5
    found.place[:, 3] = 1e5
    np.testing.assert_array_equal(leaping, sunlight(found, 0, found.tile_window(), Sun(100.0, -1.5)).fraction)


def test_far_mountains_are_met_on_coarse_levels() -> None:
    # A ridge 3 km high, 60 km ahead: it stands 1.87 degrees above the level, after the ground's curvature.
    near = model(lambda x, y: 0.0 * x, 100.0, 512)
    far = model(lambda x, y: np.where(np.abs(y - 60_000.0) < 4_000.0, 3_000.0, 0.0), 400.0, 512)
    found = nested([far, near], around(near, 64).tile)
    window = found.tile_window()
    assert (sunlight(found, 0, window, Sun(0.0, -1.4)).fraction == 0.0).all()
    assert (sunlight(found, 0, window, Sun(0.0, -2.7)).fraction == 1.0).all()


def test_the_suns_place_is_that_of_the_map() -> None:
    found = around(relief(256, 100.0, 1), 64)
    x, y = lonlat_to_xy(33.0, -80.0)
    vector = Sun(33.0, -1.0).vector(found)
    assert math.atan2(vector[1], vector[0]) == pytest.approx(math.atan2(float(y), float(x)))
    assert vector[2] == pytest.approx(math.sin(math.radians(1.0)))


def test_unknown_ground_has_no_light_and_hides_none() -> None:
    ground = model(lambda x, y: 0.0 * x, 100.0, 512)
    holed = Model(ground.height_m.copy(), ground.grid)
    holed.height_m[256, 256] = np.nan
    found = around(holed, 64)
    seen = sunlight(found, 0, found.tile_window(), Sun(0.0, -1.0))
    assert np.isnan(seen.fraction[32, 32])
    # Its neighbours have no slope either; all else is lit as before.
    assert int(np.isnan(seen.fraction).sum()) == 5
    assert np.nanmin(seen.fraction) == 1.0
