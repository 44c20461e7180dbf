"""Cumulative size distributions, against sums by hand and against rendered truth."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lunarsite.settings import RockRenderSettings
from lunarsite.vision.rock.camera import Camera
from lunarsite.vision.rock.distribution import (
    ALL,
    DIAMETERS_M,
    WIDTHS_PX,
    Census,
    counting_m,
    distributions,
    size_distribution,
)
from lunarsite.vision.rock.render.scene import scene
from lunarsite.vision.rock.sizes import (
    LEAST_DEPRESSION_DEG,
    Rock,
    SeenGround,
    ground_for,
    per_square_metre,
    pooled,
    rocks,
    seen_ground,
    seen_px,
)

from .true_sizes import true_distribution

CAMERA = Camera(2.0, 20.0, 60.0, 256, 384)
NOTHING = SeenGround(*(np.zeros(0),) * 3)


def ground_of(classes: NDArray[np.uint8], camera: Camera = CAMERA) -> SeenGround:
    return seen_ground(seen_px(classes, camera), camera)


@pytest.fixture(scope="module")
def ground() -> SeenGround:
    return ground_of(np.zeros((256, 384), dtype=np.uint8))


def pixel_by_pixel(classes: NDArray[np.uint8], diameter_m: float, whole: bool, camera: Camera = CAMERA) -> float:
    """The ground for a rock, from the width in pixels that it has at each pixel of ground."""
    rows, cols = np.arange(camera.rows)[:, None], np.arange(camera.cols)[None, :]
    _, y = camera.on_ground(rows, cols)
    width = camera.focal_px * diameter_m / (y * camera.cos_pitch + camera.height_m * camera.sin_pitch)
    counts = (classes == 0) & (camera.depression_deg(rows, cols) >= LEAST_DEPRESSION_DEG) & (width >= 8.0)
    share = np.clip(1.0 - width / camera.cols, 0.0, 1.0) if whole else np.ones(width.shape)
    return float((camera.ground_per_px(rows, cols) * share)[counts].sum())


@pytest.mark.parametrize("whole", [True, False])
def test_ground_for_a_rock_is_the_sum_over_pixels(whole: bool) -> None:
    classes = np.zeros((256, 384), dtype=np.uint8)
    classes[:20], classes[150:200, 100:250], classes[:, 380:] = 3, 2, 255
    wanted = (0.03, 0.1, 0.5, 2.0, 5.0, 20.0)
    by_hand = [pixel_by_pixel(classes, diameter, whole) for diameter in wanted]
    assert by_hand[0] == 0.0 < by_hand[1]
    assert ground_for(ground_of(classes), wanted, whole=whole) == pytest.approx(by_hand, rel=1e-9, abs=1e-9)


def test_ground_of_several_pictures_adds_up(ground: SeenGround) -> None:
    other = Camera(1.0, 10.0, 90.0, 100, 150)
    smaller = ground_of(np.zeros((100, 150), dtype=np.uint8), other)
    wanted = np.array([0.05, 0.2, 1.0, 4.0])
    apart = ground_for(ground, wanted) + ground_for(smaller, wanted)
    assert ground_for(pooled([ground, smaller]), wanted) == pytest.approx(apart, rel=1e-9)
    assert ground_for(pooled([]), wanted).tolist() == [0.0] * 4
    assert ground_for(ground, []).shape == (0,)


def test_rocks_weigh_by_the_ground_that_shows_them(ground: SeenGround) -> None:
    found, counted, reached = size_distribution((0.5, 3.0), ground, (0.1, 1.0))
    assert counted.tolist() == [2, 1]
    assert reached == pytest.approx(ground_for(ground, (0.1, 1.0)))
    small, large = (1.0 / one for one in ground_for(ground, (0.5, 3.0)))
    assert small > large
    assert found == pytest.approx([small + large, large])
    twice, *_ = size_distribution((0.5, 3.0), pooled([ground, ground]), (0.1, 1.0))
    assert twice == pytest.approx(0.5 * found)


def test_what_is_not_seen_is_not_known(ground: SeenGround) -> None:
    found, counted, reached = size_distribution((0.5, 1e-4), ground, (1e-4, 0.1, 2.0))
    # Of a rock too small for any ground nothing follows, and no smaller one could have been counted.
    assert math.isnan(found[0])
    assert found[1:] == pytest.approx([1.0 / ground_for(ground, 0.5)[0], 0.0])
    assert (counted.tolist(), reached[0]) == ([1, 1, 0], 0.0)
    found, counted, _ = size_distribution((), NOTHING, (0.1, 1.0))
    assert np.isnan(found).all()
    assert counted.tolist() == [0, 0]


def test_weights_count_rocks_and_ground_alike() -> None:
    wanted, weights = (0.1, 0.5), np.array([[1.0, 2.0], [0.0, 1.0]])
    found = per_square_metre((0.2, 0.6), weights, [[4.0, 5.0], [4.0, 0.0]], wanted, [[1.0, 1.0], [1.0, 0.0]])
    assert found[0] == pytest.approx([1.0 / 4.0 + 2.0 / 5.0, 2.0 / 5.0])
    assert found[1, 0] == 0.0, "no ground, no word of a rock"
    assert math.isnan(found[1, 1])


def test_only_wide_rocks_of_known_size_count_in_metres() -> None:
    def rock(width: float, diameter: float | None) -> Rock:
        return Rock("small_rocks", 9.0, 9.0, 9, width, None, diameter, 1.0)

    assert counting_m([rock(8.0, 0.3), rock(7.9, 0.2), rock(40.0, None)]) == (0.3,)


def rows_of(pictures: dict[str, Census], name: str, unit: str) -> dict[float, dict[str, Any]]:
    rows = [row for row in distributions(list(pictures.items())) if row["image"] == name]
    return {float(row[f"diameter_{unit}"]): row for row in rows if not math.isnan(float(row[f"diameter_{unit}"]))}


def test_the_table_tells_of_all_pictures_and_of_each(ground: SeenGround) -> None:
    pictures = {
        "near": Census((8.0, 3.0, 40.0), 50_000, (0.1, 0.5), ground),
        "far": Census((5.0,), 150_000, (), ground),
        "no camera": Census((600.0,), 0, (), None),
    }
    rows = list(distributions(list(pictures.items())))
    assert list(dict.fromkeys(row["image"] for row in rows)) == [ALL, *pictures]
    assert all(list(row) == list(rows[0]) for row in rows)
    near = rows_of(pictures, "near", "px")
    assert list(near) == list(WIDTHS_PX)
    assert [near[width]["rocks"] for width in (3.0, 4.0, 8.0, 12.0, 48.0)] == [3, 2, 2, 1, 0]
    assert near[8.0]["per_mpx"] == pytest.approx(2 / 0.05)
    together = rows_of(pictures, ALL, "px")
    assert (together[3.0]["rocks"], together[3.0]["images"], together[3.0]["ground_px"]) == (5, 3, 200_000)
    assert together[512.0]["per_mpx"] == pytest.approx(1 / 0.2)
    assert math.isnan(rows_of(pictures, "no camera", "px")[3.0]["per_mpx"]), "no ground, no share of it"
    assert not rows_of(pictures, "no camera", "m")
    metres = {name: rows_of(pictures, name, "m") for name in (ALL, "near", "far")}
    assert all(list(found) == list(DIAMETERS_M) for found in metres.values())
    assert metres[ALL][0.1]["images"] == 2, "without a camera there are no metres"
    expected = 1.0 / ground_for(ground, (0.1, 0.5))
    assert metres["near"][0.1]["per_m2"] == pytest.approx(expected.sum())
    assert metres[ALL][0.4]["per_m2"] == pytest.approx(0.5 * expected[1])
    assert (metres[ALL][0.1]["rocks"], metres["far"][0.1]["rocks"], metres["far"][0.1]["per_m2"]) == (2, 0, 0.0)
    assert metres["far"][0.1]["ground_m2"] == pytest.approx(ground_for(ground, 0.1)[0])
    assert math.isnan(metres["near"][0.025]["per_m2"])
    assert metres["near"][0.025]["ground_m2"] == 0.0
    assert not list(distributions([]))


def test_sizes_recovered_from_the_masks_of_rendered_scenes_are_the_true_ones() -> None:
    render = RockRenderSettings(height_px=192, width_px=288, rock_share=(0.05, 0.1), seed=12)
    found, grounds, known = [], [], []
    for number in range(8):
        drawn = scene(render, number)
        sure = np.eye(4, dtype=np.float32)[drawn.mask]
        found += counting_m(rocks(drawn.mask, sure, drawn.camera, 4))
        grounds.append(ground_of(drawn.mask, drawn.camera))
        known.append((drawn.diameter_m, drawn.range_m, drawn.camera))
    diameters = (0.1, 0.2, 0.3)
    measured, counted, _ = size_distribution(found, pooled(grounds), diameters)
    true, true_counted = true_distribution(known, diameters)
    assert counted.min() > 30
    assert true_counted.min() > 100
    # Relief, rocks that touch, and flat or deep rocks keep it from being closer.
    assert np.abs(np.log(measured / true)).max() < math.log(1.35)
