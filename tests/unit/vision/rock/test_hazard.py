"""Shares, sizes in metres, clearance and safe discs, against geometry and against rendered truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from lunarsite.settings import RockHazardSettings, RockRenderSettings
from lunarsite.vision.rock.camera import Camera
from lunarsite.vision.rock.ground_plan import clearance_m, clearance_px, farthest_m
from lunarsite.vision.rock.hazard import area_shares, hazards
from lunarsite.vision.rock.render.scene import scene
from lunarsite.vision.rock.sizes import in_metres, rocks, seen_ground, size_distribution, true_distribution

CAMERA = Camera(2.0, 20.0, 60.0, 256, 384)
SETTINGS = RockHazardSettings(least_px=4, disc_radius_m=1.0)

Mask = NDArray[np.uint8]


def sure(classes: Mask) -> NDArray[np.float32]:
    """Probabilities that are sure of the classes."""
    return np.stack([classes == number for number in range(4)], axis=-1).astype(np.float32)


def view(camera: Camera, x0: float, y0: float, radius: float) -> Mask:
    """A flat disc on level ground as the camera sees it; sky above the horizon."""
    x, y = camera.on_ground(np.arange(camera.rows)[:, None], np.arange(camera.cols)[None, :])
    classes = np.where(np.isnan(x), 3, 0).astype(np.uint8)
    with np.errstate(invalid="ignore"):
        classes[np.hypot(x - x0, y - y0) <= radius] = 2
    return classes


def dome(camera: Camera, x0: float, y0: float, radius: float) -> Mask:
    """Half a sphere on level ground as the camera sees it."""
    right, forward, up = camera.directions(np.arange(camera.rows)[:, None], np.arange(camera.cols)[None, :])
    rays = np.stack([right, forward, up], axis=-1)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    centre = np.array([x0, y0, -camera.height_m])
    along = rays @ centre
    inside = radius**2 - (centre @ centre - along**2)
    met = along - np.sqrt(np.maximum(inside, 0.0))
    classes = np.where(up >= 0.0, 3, 0).astype(np.uint8)
    classes[(inside > 0.0) & (camera.height_m + met * rays[..., 2] >= 0.0)] = 2
    return classes


@pytest.mark.parametrize(("x0", "y0", "radius"), [(0.0, 6.0, 0.5), (1.5, 5.0, 0.2), (-2.0, 9.0, 1.0)])
def test_half_a_sphere_at_a_known_range_gives_its_size(x0: float, y0: float, radius: float) -> None:
    classes = dome(CAMERA, x0, y0, radius)
    (rock,) = rocks(classes, sure(classes), CAMERA, 4)
    assert rock.kind == "large_rocks"
    assert rock.area_px == (classes == 2).sum()
    assert rock.probability == 1.0
    assert rock.diameter_m == pytest.approx(2.0 * radius, rel=0.06)
    assert rock.range_m == pytest.approx(math.hypot(x0, y0), rel=0.02)


def test_without_a_camera_widths_are_in_pixels_alone() -> None:
    classes = np.zeros((20, 30), dtype=np.uint8)
    classes[5:9, 10:16] = 1
    (rock,) = rocks(classes, sure(classes), None, 4)
    assert (rock.row, rock.col, rock.area_px, rock.diameter_px) == (8.0, 12.5, 24, 6.0)
    assert rock.range_m is None
    assert rock.diameter_m is None


def test_corners_connect_kinds_do_not_and_few_pixels_are_not_counted() -> None:
    classes = np.zeros((20, 30), dtype=np.uint8)
    classes[2:4, 2:4] = classes[4:6, 4:6] = 1
    classes[4:6, 6:8] = 2
    classes[15, 15:18] = 1
    found = rocks(classes, sure(classes), None, 4)
    assert [(rock.kind, rock.area_px) for rock in found] == [("small_rocks", 8), ("large_rocks", 4)]
    assert len(rocks(classes, sure(classes), None, 3)) == 3


def test_metres_are_not_told_where_they_are_not_known() -> None:
    classes = np.zeros((256, 384), dtype=np.uint8)
    classes[:6] = 3
    for box in (np.s_[250:256, 100:110], np.s_[100:110, 0:8], np.s_[100:110, 380:384], np.s_[3:8, 200:210]):
        classes[box] = 2
    found = rocks(classes, sure(classes), CAMERA, 4)
    assert len(found) == 4
    assert all(rock.diameter_m is None and rock.range_m is None for rock in found)
    # A rock as wide as the picture just before the lens.
    assert in_metres(Camera(2.0, 20.0, 119.0, 256, 384), 200.0, 191.5, 380.0) is None


def test_shares_of_rock_and_of_doubt() -> None:
    classes = np.array([[3, 3, 3, 3], [0, 0, 0, 1], [0, 2, 255, 255]], dtype=np.uint8)
    probability = sure(np.where(classes == 255, 0, classes).astype(np.uint8))
    probability[classes == 255] = np.nan
    assert area_shares(classes, probability) == (pytest.approx(2 / 6),) * 3
    probability[1, 3] = (0.4, 0.5, 0.1, 0.0)
    probability[1, 0] = (0.8, 0.1, 0.1, 0.0)
    assert area_shares(classes, probability) == tuple(pytest.approx(count / 6) for count in (2, 1, 3))
    assert all(map(math.isnan, area_shares(np.full((2, 2), 3, np.uint8), np.zeros((2, 2, 4), np.float32))))


def test_clearance_about_a_disc_is_the_distance_to_it() -> None:
    classes = view(CAMERA, 0.5, 6.0, 0.4)
    clearance, safe = clearance_m(classes, CAMERA, 1.0)
    x, y = CAMERA.on_ground(np.arange(256)[:, None], np.arange(384)[None, :])
    distance = np.hypot(x - 0.5, y - 6.0) - 0.4
    near = (classes == 0) & (np.hypot(x, y) < 12.0)
    assert np.abs(clearance - distance)[near].max() < 0.1
    assert (clearance[classes == 2] == 0.0).all()
    assert np.isnan(clearance[classes == 3]).all()
    assert (safe[near & (distance < 0.9)] == 0).all()
    assert not (safe[distance > 1.1] == 0).any()
    assert (safe[classes == 3] == 255).all()


def test_a_disc_is_safe_only_where_all_of_it_is_seen() -> None:
    classes = view(CAMERA, 0.0, 1e6, 0.1)
    clearance, safe = clearance_m(classes, CAMERA, 1.0)
    x, y = CAMERA.on_ground(np.arange(256)[:, None], np.arange(384)[None, :])
    assert set(np.unique(safe)) == {1, 255}
    nearest = float(y[255, 192])
    column = safe[:, 192]
    assert (column[(y[:, 192] < nearest + 0.9)] == 255).all()
    middle = (y[:, 192] > nearest + 1.5) & (y[:, 192] < 12.0)
    assert (column[middle] == 1).all()
    reach = farthest_m(CAMERA, 1.0)
    beyond = (y[:, 192] > reach - 0.9) & (classes[:, 192] == 0)
    assert (column[beyond] == 255).all()
    # No rock is seen: ground on the plan is as far from one as can be, what lies beyond it is not known.
    assert np.isinf(clearance[np.hypot(x, y) < reach]).all()
    assert np.isnan(clearance[(np.hypot(x, y) > 1.01 * reach) & (classes == 0)]).all()


def test_ground_hidden_by_a_rock_is_not_safe() -> None:
    classes = dome(CAMERA, 0.0, 6.0, 0.8)
    clearance, _ = clearance_m(classes, CAMERA, 1.0)
    _, y = CAMERA.on_ground(np.arange(256), np.full(256, 192))
    behind = (classes[:, 192] == 0) & (y > 6.8)
    assert behind.any()
    # The first ground that is seen again behind it borders on what is hidden.
    assert np.nanmin(clearance[:, 192][behind]) < 0.3


def test_no_ground_and_a_whole_picture_of_rock() -> None:
    sky = np.full((256, 384), 3, dtype=np.uint8)
    clearance, safe = clearance_m(sky, CAMERA, 1.0)
    assert np.isnan(clearance).all()
    assert (safe == 255).all()
    rock = np.full((256, 384), 2, dtype=np.uint8)
    clearance, safe = clearance_m(rock, CAMERA, 1.0)
    assert (clearance == 0.0).all()
    assert (safe == 0).all()


def test_clearance_in_pixels() -> None:
    classes = np.zeros((5, 7), dtype=np.uint8)
    classes[0], classes[2, 3], classes[4, 6] = 3, 1, 255
    clearance = clearance_px(classes)
    assert clearance[2, 3] == 0.0
    assert clearance[2, 6] == 3.0
    assert clearance[4, 2] == pytest.approx(math.sqrt(5.0))
    assert np.isnan(clearance[0]).all()
    assert np.isnan(clearance[4, 6])
    assert np.isinf(clearance_px(np.zeros((3, 3), dtype=np.uint8))).all()


def test_an_image_out_of_distribution_has_no_hazards() -> None:
    classes = dome(CAMERA, 0.0, 6.0, 0.8)
    found = hazards(classes, sure(classes), CAMERA, SETTINGS, out_of_distribution=True)
    assert found.rocks == ()
    assert np.isnan(found.clearance).all()
    assert (found.safe == 255).all()
    assert np.isnan([found.rock_area_share, found.rock_area_share_low, found.rock_area_share_high]).all()
    assert math.isnan(found.safe_share)
    assert len(hazards(classes, sure(classes), CAMERA, SETTINGS).rocks) == 1


def test_shapes_must_agree() -> None:
    classes = np.zeros((4, 5), dtype=np.uint8)
    with pytest.raises(ValueError, match="one more axis of 4"):
        hazards(classes, np.zeros((4, 5, 3), np.float32), None, SETTINGS)
    with pytest.raises(ValueError, match="the maps are"):
        hazards(classes, sure(classes), CAMERA, SETTINGS)


def test_size_distribution_weighs_rocks_by_the_ground_that_shows_them() -> None:
    ground = seen_ground(np.zeros((256, 384), dtype=np.uint8), CAMERA)
    per_m2, counted = size_distribution([((0.5, math.nan, 0.2, 3.0), (40.0, 30.0, 3.0, 50.0), ground)], (0.1, 1.0))
    assert counted.tolist() == [2, 1]
    # A rock of 3 m is seen wide enough on all of the ground, its width's share at the sides left out.
    assert per_m2[1] > 1.0 / ground.area_m2[-1]
    assert per_m2[0] > per_m2[1]
    near = ground.up_to(CAMERA.focal_px * 0.5 / 8.0)
    assert per_m2[0] - per_m2[1] == pytest.approx(1.0 / near, rel=0.25)
    twice, _ = size_distribution([((0.5,), (40.0,), ground), ((), (), ground)], (0.1,))
    assert twice[0] == pytest.approx(0.5 * (per_m2[0] - per_m2[1]))


def test_no_ground_gives_no_density() -> None:
    sky = seen_ground(np.full((256, 384), 3, dtype=np.uint8), CAMERA)
    per_m2, counted = size_distribution([((), (), sky)], (0.1, 1.0))
    assert np.isnan(per_m2).all()
    assert counted.tolist() == [0, 0]


def test_sizes_recovered_from_the_masks_of_rendered_scenes_are_the_true_ones() -> None:
    render = RockRenderSettings(height_px=192, width_px=288, rock_share=(0.05, 0.1), seed=12)
    found, known = [], []
    for number in range(8):
        drawn = scene(render, number)
        seen = rocks(drawn.mask, sure(drawn.mask), drawn.camera, 4)
        metres = [math.nan if rock.diameter_m is None else rock.diameter_m for rock in seen]
        found.append((metres, [rock.diameter_px for rock in seen], seen_ground(drawn.mask, drawn.camera)))
        known.append((drawn.diameter_m, drawn.range_m, drawn.camera))
    diameters = (0.1, 0.2, 0.3)
    measured, counted = size_distribution(found, diameters)
    true, true_counted = true_distribution(known, diameters)
    assert counted.min() > 30
    assert true_counted.min() > 100
    # Relief, rocks that touch, and flat or deep rocks keep it from being closer.
    assert np.abs(np.log(measured / true)).max() < math.log(1.35)
