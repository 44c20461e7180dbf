"""Shares, sizes in metres, clearance and safe discs, against geometry."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from lunarsite.settings import RockHazardSettings
from lunarsite.vision.rock.camera import Camera
from lunarsite.vision.rock.ground_plan import clearance_m, clearance_px, farthest_m
from lunarsite.vision.rock.hazard import area_shares, hazards
from lunarsite.vision.rock.sizes import in_metres, rocks, seen_px

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


def test_corners_connect_and_few_pixels_are_not_counted() -> None:
    classes = np.zeros((20, 30), dtype=np.uint8)
    classes[2:4, 2:4] = classes[4:6, 4:6] = 1
    classes[4:6, 8:10] = 2
    classes[15, 15:18] = 1
    found = rocks(classes, sure(classes), None, 4)
    assert [(rock.kind, rock.area_px) for rock in found] == [("small_rocks", 8), ("large_rocks", 4)]
    assert len(rocks(classes, sure(classes), None, 3)) == 3
    assert rocks(np.zeros((20, 30), dtype=np.uint8), sure(classes), None, 1) == ()


def test_a_rock_of_both_kinds_is_one_and_of_the_kind_that_most_of_it_is() -> None:
    classes = dome(CAMERA, 0.0, 6.0, 0.5)
    (whole,) = rocks(classes, sure(classes), CAMERA, 4)
    top = int(np.nonzero(classes == 2)[0].min())
    for cut, kind in ((top + 5, "large_rocks"), (int(whole.row) - 2, "small_rocks")):
        mixed = classes.copy()
        mixed[:cut][mixed[:cut] == 2] = 1
        assert {1, 2} <= set(np.unique(mixed))
        (rock,) = rocks(mixed, sure(mixed), CAMERA, 4)
        assert rock.kind == kind
        # Its foot is its own: apart, the upper part would stand farther off and be a larger rock.
        assert (rock.row, rock.diameter_m, rock.area_px) == (whole.row, whole.diameter_m, whole.area_px)
    even = np.zeros((20, 30), dtype=np.uint8)
    even[5, 5:9], even[6, 5:9] = 1, 2
    assert [rock.kind for rock in rocks(even, sure(even), None, 4)] == ["large_rocks"]


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


def test_a_disc_with_ground_that_may_be_rock_is_not_known_to_be_safe() -> None:
    classes = view(CAMERA, 0.0, 1e6, 0.1)
    x, y = CAMERA.on_ground(np.arange(256)[:, None], np.arange(384)[None, :])
    off = np.hypot(x, y - 6.0)
    free = hazards(classes, sure(classes), CAMERA, SETTINGS)
    probability = sure(classes)
    with np.errstate(invalid="ignore"):
        patch, far = off <= 0.2, off > 1.3
    for chance, known in ((0.09, True), (0.11, False), (0.45, False)):
        probability[patch] = (1.0 - chance, 0.5 * chance, 0.5 * chance, 0.0)
        found = hazards(classes, probability, CAMERA, SETTINGS)
        assert ((found.safe == 1) == (free.safe == 1)).all() == known
        assert not (found.safe == 0).any(), "it is ground by its class"
        assert (found.safe[far] == free.safe[far]).all(), "discs that do not hold it stay as they are"
        np.testing.assert_array_equal(found.clearance, free.clearance)
    with np.errstate(invalid="ignore"):
        assert (free.safe[off < 1.1] == 1).all()
        assert (found.safe[off < 1.1] == 255).all(), "as far as the disc's radius"
    # Where a rock is seen as well, it decides.
    rock = view(CAMERA, 0.4, 6.0, 0.1)
    probability = sure(rock)
    probability[patch & (rock == 0)] = (0.55, 0.25, 0.2, 0.0)
    with np.errstate(invalid="ignore"):
        near = (np.hypot(x - 0.4, y - 6.0) < 0.9) & (rock == 0)
    assert (hazards(rock, probability, CAMERA, SETTINGS).safe[near] == 0).all()


def test_a_single_doubtful_pixel_counts_also_where_it_shares_a_cell_of_the_plan() -> None:
    classes = view(CAMERA, 0.0, 1e6, 0.1)
    free = clearance_m(classes, CAMERA, 1.0)[1]
    x, y = CAMERA.on_ground(np.arange(256)[:, None], np.arange(384)[None, :])
    doubtful = np.zeros(classes.shape, dtype=np.bool_)
    doubtful[246, 192] = True
    with np.errstate(invalid="ignore"):
        held = np.hypot(x - x[246, 192], y - y[246, 192]) < 0.95
    assert (free[held] == 1).any()
    assert (clearance_m(classes, CAMERA, 1.0, doubtful)[1][held] == 255).all()


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
    assert (found.ground_px, found.seen_px) == (0, None)
    familiar = hazards(classes, sure(classes), CAMERA, SETTINGS)
    assert len(familiar.rocks) == 1
    assert familiar.ground_px == (classes != 3).sum()
    np.testing.assert_array_equal(familiar.seen_px, seen_px(classes, CAMERA))
    assert hazards(classes, sure(classes), None, SETTINGS).seen_px is None


def test_shapes_must_agree() -> None:
    classes = np.zeros((4, 5), dtype=np.uint8)
    with pytest.raises(ValueError, match="one more axis of 4"):
        hazards(classes, np.zeros((4, 5, 3), np.float32), None, SETTINGS)
    with pytest.raises(ValueError, match="the maps are"):
        hazards(classes, sure(classes), CAMERA, SETTINGS)
