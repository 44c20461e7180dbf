"""Light scattered once, where theory knows how much."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from lunarsite.illumination.light import render as render_module
from lunarsite.illumination.light import scatter
from lunarsite.illumination.light.moment import Sun
from lunarsite.illumination.light.nested import Nested
from lunarsite.illumination.light.photometry import ALBEDO
from lunarsite.illumination.light.render import render
from lunarsite.illumination.light.scatter import gather

from .grounds import around, model, relief


def bright(found: Nested, above_m: float) -> NDArray[np.float32]:
    """Radiance 1 on all ground above a height, nothing elsewhere."""
    return np.where(found.height_m > above_m, 1.0, 0.0).astype(np.float32)[None]


def test_level_ground_scatters_nothing_onto_itself() -> None:
    found = around(model(lambda x, y: 0.0 * x, 100.0, 512), 64, 90_000.0)
    light = gather(found, bright(found, -1.0), 16, 15_000.0)
    assert (light.irradiance == 0.0).all()


def test_a_tilted_plane_scatters_nothing_onto_itself() -> None:
    found = around(model(lambda x, y: 0.3 * x + 0.1 * y, 100.0, 512), 64, 60_000.0)
    light = gather(found, np.ones((1, found.height_m.size), np.float32), 16, 10_000.0)
    assert light.irradiance.max() < 1e-3


# A ray meets the wall's top up to one sample late: of a pixel at 1/16 to 1/32 of the distance, up to 12 per cent.
@pytest.mark.parametrize(("step_px", "tolerance"), [(0.1, 0.03), (scatter.STEP_PX, 0.12)])
def test_an_endless_wall_lights_a_plane_by_the_strip_law(
    monkeypatch: pytest.MonkeyPatch, step_px: float, tolerance: float
) -> None:
    """A strip without end that stands up to the elevation theta has the form factor (1 - cos theta) / 2."""
    monkeypatch.setattr(scatter, "STEP_PX", step_px)
    height_m, pixel_m = 400.0, 50.0
    found = around(model(lambda x, y: np.where(x > 1_600.0, height_m, 0.0), pixel_m, 800), 64, 60_000.0)
    radiance = np.zeros((1, found.height_m.size), np.float32)
    # The wall's foot is bright too: between the two pixels of the step the wall rises.
    for number, level in enumerate(found.grids):
        found.level(number, radiance[0])[:, level.x_m() > 1_600.0 - level.pixel_m] = 1.0
    light = gather(found, radiance, 64, 10_000.0).irradiance[0]
    distance_m = 1_600.0 + 0.5 * pixel_m - found.tile.x_m()
    expected = 0.5 * (1.0 - np.cos(np.arctan(height_m / distance_m)))
    # Within the first level, where the wall is one pixel thick.
    inside = (distance_m > 2.0 * height_m) & (distance_m < 0.9 * scatter.REACH_PX * pixel_m)
    assert inside.sum() > 10
    np.testing.assert_allclose(light[:, inside].mean(0), expected[inside], rtol=tolerance)


def test_light_comes_from_where_it_is() -> None:
    for turn_deg in (0.0, 70.0):
        c, s = math.cos(math.radians(turn_deg)), math.sin(math.radians(turn_deg))
        wall = model(lambda x, y, c=c, s=s: np.where(c * x + s * y > 2_400.0, 400.0, 0.0), 50.0, 800)
        found = around(wall, 64, 60_000.0)
        light = gather(found, bright(found, 10.0), 32, 10_000.0)
        turned = (light.main_azimuth_deg(0) - (90.0 - turn_deg) + 180.0) % 360.0 - 180.0
        assert abs(turned) < 2.0


# Coarse pixels round the rim off, where the wall is brightest; where only the finest level is read, little is lost.
@pytest.mark.parametrize(
    ("reach_px", "step_px", "tolerance"), [(160, 0.25, 0.03), (scatter.REACH_PX, scatter.STEP_PX, 0.08)]
)
def test_a_spherical_bowl_lights_its_shadow_evenly(
    monkeypatch: pytest.MonkeyPatch, reach_px: int, step_px: float, tolerance: float
) -> None:
    """Between any two places of a sphere the form factor is the same (Ingersoll et al. 1992, Icarus 100, 40)."""
    monkeypatch.setattr(scatter, "STEP_PX", step_px)
    for module in (scatter, render_module):
        monkeypatch.setattr(module, "REACH_PX", reach_px)
    radius_m, depth_m, sun_deg = 2_000.0, 600.0, 12.0
    sphere_m = (radius_m**2 + depth_m**2) / (2.0 * depth_m)

    def height(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        inside = np.sqrt(np.maximum(sphere_m**2 - x**2 - y**2, 0.0))
        return np.where(np.hypot(x, y) < radius_m, sphere_m - depth_m - inside, 0.0)

    found = around(model(height, 25.0, 512), 64, 30_000.0)
    light = render(found, [Sun(0.0, -sun_deg)], directions=64, reach_m=5_000.0)
    dark = light.sun_fraction[0] == 0.0
    assert dark.sum() > 1_000
    share = (radius_m * depth_m / (radius_m**2 + depth_m**2)) ** 2
    expected = ALBEDO**2 * math.sin(math.radians(sun_deg)) * share
    shadow = light.scattered[0][dark]
    assert shadow.mean() == pytest.approx(expected, rel=tolerance)
    assert shadow.std() / shadow.mean() < 0.01


def test_no_ground_gets_more_than_its_sky_full_of_the_brightest() -> None:
    found = around(relief(512, 100.0, 11), 64, 90_000.0)
    light = gather(found, np.full((1, found.height_m.size), 0.7, np.float32), 32, 15_000.0)
    assert light.irradiance.max() <= 0.7
    assert light.irradiance.min() >= 0.0


def test_light_is_linear_in_its_sources() -> None:
    found = around(relief(512, 100.0, 13), 64, 90_000.0)
    draws = np.random.default_rng(0)
    one, two = draws.random((2, found.height_m.size)).astype(np.float32)
    light = gather(found, np.stack([one, two, one + two]), 8, 10_000.0).irradiance
    np.testing.assert_allclose(light[0] + light[1], light[2], rtol=1e-4, atol=1e-7)


def test_turning_the_ground_and_the_sun_turns_the_picture() -> None:
    ground = relief(512, 100.0, 17)
    turned = type(ground)(np.ascontiguousarray(np.rot90(ground.height_m, -1)), ground.grid)
    # A quarter turn clockwise carries the map's +y, longitude 0, to +x, longitude 90.
    here, there = (
        render(around(one, 64, 90_000.0), [Sun(lon, -1.2)], directions=16, reach_m=10_000.0)
        for one, lon in ((ground, 20.0), (turned, 110.0))
    )
    assert 0.05 < (here.sun_fraction == 0.0).mean() < 0.95
    for name in ("sun_fraction", "direct", "scattered"):
        image = getattr(here, name)[0]
        np.testing.assert_allclose(np.rot90(image, -1), getattr(there, name)[0], rtol=2e-3, atol=2e-5)
    moved = (there.light_azimuth_deg[0] - here.light_azimuth_deg[0]) % 360.0
    assert moved == pytest.approx(90.0, abs=0.5)


def test_only_wanted_pixels_are_done_and_the_texture_scales_them() -> None:
    found = around(relief(512, 100.0, 19), 64, 90_000.0)
    wanted = np.zeros((64, 64), np.bool_)
    wanted[10:20] = True
    texture = np.full((64, 64), 1.5, np.float32)
    plain = render(found, [Sun(0.0, -1.0)], directions=8, reach_m=5_000.0, wanted=wanted)
    textured = render(found, [Sun(0.0, -1.0)], directions=8, reach_m=5_000.0, texture=texture)
    for image in (plain.sun_fraction, plain.direct, plain.scattered):
        np.testing.assert_array_equal(np.isfinite(image[0]), wanted)
    np.testing.assert_allclose(textured.direct[0][wanted], 1.5 * plain.direct[0][wanted], rtol=1e-5)
    np.testing.assert_allclose(textured.scattered[0][wanted], 1.5 * plain.scattered[0][wanted], rtol=1e-5)


def test_arrays_of_another_ground_are_refused() -> None:
    found = around(relief(256, 100.0, 1), 64)
    with pytest.raises(ValueError, match="do not fit"):
        gather(found, np.zeros((1, 5), np.float32), 8, 5_000.0)
    with pytest.raises(ValueError, match="too few"):
        gather(found, np.zeros((1, found.height_m.size), np.float32), 8, 50_000.0)
