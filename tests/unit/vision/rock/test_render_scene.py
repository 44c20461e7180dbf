"""Scenes against geometry that can be told by hand: balls on flat ground, shadows, masks; and what a seed fixes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from lunarsite.settings import RockCameraSettings, RockRenderSettings
from lunarsite.vision.rock.camera import Camera
from lunarsite.vision.rock.classes import BACKGROUND, LARGE, SKY, SMALL
from lunarsite.vision.rock.render.ground import ground
from lunarsite.vision.rock.render.light import Sensor
from lunarsite.vision.rock.render.rocks import Rocks, ball
from lunarsite.vision.rock.render.scene import Light, Scene, World, picture, scene

CAMERA = Camera(2.0, 15.0, 60.0, 128, 192)
CLEAN = Sensor(level=0.6, gamma=1.0, electrons=1e9, tint=(1.0, 1.0, 1.0), vignetting=0.0)
TINY = RockRenderSettings(scenes=2, height_px=64, width_px=96, seed=3)


def balls(
    *placed: tuple[float, float, float], lift: float = 0.5, light: Light | None = None, camera: Camera = CAMERA
) -> Scene:
    """Look at balls (x, y, diameter) on flat ground; `lift` is the height of their centres in diameters."""
    count = len(placed)
    given = np.array(placed, dtype=np.float64).reshape(count, 3)
    rocks = Rocks(given[:, :2], given[:, 2], np.zeros(count, dtype=np.int64), np.zeros(count), np.ones(count))
    draws = np.random.default_rng(0)
    land = ground(camera, 0.0, 0.0, draws, flat=True)
    sun = light or Light(40.0, 120.0, 0.0, 0.0, 0.0)
    return picture(World(camera, land, ball(lift), rocks, sun), CLEAN, 0.4, draws)


def test_pixels_of_a_ball_are_those_whose_rays_pass_it() -> None:
    found = balls((1.0, 8.0, 1.2))
    right, forward, up = CAMERA.directions(np.arange(128)[:, None], np.arange(192)[None, :])
    rays = np.stack([right, forward, up], axis=-1)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    centre = np.array([1.0, 8.0, 0.6 - 2.0])
    past = np.linalg.norm(centre - (rays @ centre)[..., None] * rays, axis=-1)
    assert ((found.rock == 0) == (past < 0.6)).all()
    assert found.visible_px.tolist() == [(past < 0.6).sum()]
    assert found.diameter_m.tolist() == [1.2]
    assert found.range_m[0] == pytest.approx(math.hypot(1.0, 8.0))


def test_sky_lies_above_the_horizon_of_flat_ground() -> None:
    found = balls()
    depression = CAMERA.depression_deg(np.arange(128)[:, None], np.arange(192)[None, :])
    assert (found.mask[depression < -0.2] == SKY).all()
    assert (found.mask[depression > 0.2] == BACKGROUND).all()
    assert found.image[depression < -1.0].max() <= 2
    assert found.image[depression > 1.0].min() > 30


def test_a_ball_casts_its_shadow_away_from_the_sun() -> None:
    light = Light(elevation_deg=30.0, azimuth_deg=90.0, scattered=0.0, patches=0.0, rough=0.0)
    found = balls((0.0, 6.0, 0.8), light=light)
    x, y = CAMERA.on_ground(np.arange(128)[:, None], np.arange(192)[None, :])
    # Seen from the Sun a place lies behind the ball where its line to the Sun passes the centre within the radius.
    sun = light.sun
    place = np.stack([x, y - 6.0, np.full_like(x, -0.4)], axis=-1)
    past = np.linalg.norm(place - (place @ sun)[..., None] * sun, axis=-1)
    # Pixels beside the ball show a part of it.
    ground_px = ndimage.binary_erosion(found.mask == BACKGROUND, np.ones((3, 3)))
    near = np.hypot(x, y) < 20.0
    dark = found.image[:, :, 0] < 5
    assert dark[ground_px & near & (past < 0.36) & (x < 0.0)].all()
    assert not dark[ground_px & near & ((past > 0.44) | (x > 0.5))].any()
    assert (ground_px & near & (past < 0.36) & (x < 0.0)).sum() > 50


def test_a_far_rock_is_large_that_looks_narrower_than_a_near_small_one() -> None:
    # 0.4 heights of the camera are 0.8 m.
    found = balls((0.0, 8.0, 0.6), (8.0, 30.0, 1.0))
    widths = [np.ptp(np.nonzero(found.rock == number)[1]) + 1 for number in range(2)]
    assert widths[0] > 1.5 * widths[1]
    assert [found.mask[found.rock == number].max() for number in range(2)] == [SMALL, LARGE]


def test_narrow_rocks_are_left_out() -> None:
    # Widths at 192 columns count half: 3 px is the least in a mask, 1 px in the table.
    focal = CAMERA.focal_px
    far, middle, near = 0.12, 0.4, 1.5
    found = balls((-2.0, 10.0, far), (0.0, 10.0, middle), (3.0, 10.0, near), (1.0, 10.0, 0.04), lift=0.0)
    shown = [np.unique(found.mask[found.rock == number]).tolist() for number in range(3)]
    assert [round(focal * size / 10.3, 1) for size in (far, middle, near)] == [1.9, 6.5, 24.2]
    assert shown == [[BACKGROUND], [SMALL], [LARGE]]
    assert found.diameter_m.tolist() == [far, middle, near]


def test_a_hidden_rock_is_told_with_no_pixels() -> None:
    found = balls((0.0, 5.0, 1.6), (0.0, 7.5, 0.3))
    assert found.visible_px[0] > 100
    assert found.visible_px[1] == 0


def test_a_rock_at_the_lens_is_left_out() -> None:
    assert balls((0.0, 0.3, 2.5)).diameter_m.size == 0


def test_light_scattered_from_the_ground_shows_what_the_sun_does_not() -> None:
    dark = Light(10.0, 180.0, 0.0, 0.0, 0.0)
    lit_from_behind = Light(10.0, 20.0, 0.0, 0.0, 0.0)
    without = balls((0.0, 5.0, 1.0), light=lit_from_behind)
    with_it = balls((0.0, 5.0, 1.0), light=Light(10.0, 20.0, 0.2, 0.0, 0.0))
    face = (without.rock == 0) & (np.arange(128)[:, None] > np.nonzero(without.rock == 0)[0].mean())
    assert np.median(without.image[face]) <= 2
    assert np.median(with_it.image[face]) > 5
    assert np.median(balls((0.0, 5.0, 1.0), light=dark).image[face]) > 50


def test_a_scene_is_a_function_of_seed_and_number() -> None:
    once, again = scene(TINY, 1), scene(TINY.model_copy(update={"scenes": 9}), 1)
    assert (once.image == again.image).all()
    assert (once.mask == again.mask).all()
    assert once.diameter_m.tolist() == again.diameter_m.tolist()
    assert (once.image != scene(TINY, 0).image).any()
    assert (once.image != scene(TINY.model_copy(update={"seed": 4}), 1).image).any()


def test_scenes_vary_about_their_camera() -> None:
    cameras = [scene(TINY, number).camera for number in range(4)]
    assert len({camera.height_m for camera in cameras}) == 4
    for camera in cameras:
        assert 0.7 < camera.height_m / TINY.camera.height_m < 1.42
        assert abs(camera.pitch_deg - TINY.camera.pitch_deg) <= 8.0
        assert camera.field_of_view_deg == TINY.camera.field_of_view_deg


@pytest.mark.parametrize(
    ("height_m", "pitch_deg", "field_of_view_deg"),
    [(0.1, 0.0, 100.0), (100.0, 85.0, 60.0), (2.0, -40.0, 20.0), (2.0, 12.0, 120.0)],
)
def test_every_camera_sees_something(height_m: float, pitch_deg: float, field_of_view_deg: float) -> None:
    camera = RockCameraSettings(height_m=height_m, pitch_deg=pitch_deg, field_of_view_deg=field_of_view_deg)
    found = scene(TINY.model_copy(update={"camera": camera}), 0)
    assert found.image.shape == (64, 96, 3)
    assert set(np.unique(found.mask)) <= {BACKGROUND, SMALL, LARGE, SKY}
    assert (pitch_deg < -30.0) == bool((found.mask == SKY).all())


def test_ground_without_rocks() -> None:
    bare = scene(TINY.model_copy(update={"rock_share": (0.0, 0.0)}), 0)
    assert (bare.rock == -1).all()
    assert bare.diameter_m.size == 0


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="write the smaller one first"):
        RockRenderSettings(rock_share=(0.1, 0.05))
    with pytest.raises(ValueError, match="sun_elevation_deg"):
        RockRenderSettings(sun_elevation_deg=(-3.0, 10.0))
