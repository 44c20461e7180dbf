"""Sizes of rocks against their truth: the same estimate as the hazards', and intervals over scenes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lunarsite.validate.rock_hazards import DIAMETERS_M, View, compare_sizes, distribution
from lunarsite.validate.rock_intervals import Draws
from lunarsite.vision.rock.camera import Camera
from lunarsite.vision.rock.distribution import size_distribution
from lunarsite.vision.rock.sizes import SeenGround, ground_for, pooled, seen_ground, seen_px

CAMERA = Camera(1.6, 12.0, 60.0, 256, 384)


@pytest.fixture(scope="module")
def ground() -> SeenGround:
    return seen_ground(seen_px(np.zeros((256, 384), np.uint8), CAMERA), CAMERA)


def test_the_estimate_is_that_of_the_hazards(ground: SeenGround) -> None:
    rng = np.random.default_rng(0)
    diameter = rng.uniform(0.1, 1.5, 60)
    scene = rng.integers(0, 6, 60)
    theirs = size_distribution(diameter, pooled([ground] * 6), DIAMETERS_M)[0]
    draws = Draws([str(k) for k in range(6)], 100, 1)
    ours = distribution(diameter, scene.astype(np.int64), [ground] * 6, draws, whole=True)
    assert [one.value for one in ours] == pytest.approx(theirs.tolist())
    assert all(one.low <= one.value <= one.high for one in ours if one.value)  # type: ignore[operator]


def test_ground_for_a_rock(ground: SeenGround) -> None:
    without = ground_for(ground, np.array([0.1, 0.5, 2.0]), whole=False)
    within = ground_for(ground, np.array([0.1, 0.5, 2.0]), whole=True)
    assert (np.diff(without) > 0.0).all(), "a larger rock is seen farther away"
    assert (within < without).all()
    assert within[0] > 0.9 * without[0], "a small one seldom is cut"
    assert ground_for(ground, np.array([1e-4]), whole=True).tolist() == [0.0]


def test_true_and_found_rocks_are_compared_scene_by_scene(ground: SeenGround) -> None:
    views = [View(f"s{k}", CAMERA, ground, ground) for k in range(6)]
    rows = [(f"s{k}", 0.5, 3.0, 40) for k in range(6)] + [("s0", 0.5, 3.0, 0), ("s1", 0.1, 20.0, 9), ("x", 1.0, 3.0, 9)]
    truth = pd.DataFrame(rows, columns=["scene", "diameter_m", "range_m", "visible_px"])
    found = [(f"s{k}", 0.55, 50.0) for k in range(3)] + [("s4", np.nan, 30.0), ("s5", 0.2, 3.0), ("x", 0.5, 60.0)]
    sizes = pd.DataFrame(found, columns=["image", "diameter_m", "diameter_px"])
    draws = Draws([view.scene for view in views], 100, 1)
    result = compare_sizes(views, truth, sizes, draws)
    assert result is not None
    assert (result.true_rocks, result.found_rocks) == (6, 3), "hidden, tiny, unmeasured and other scenes' do not count"
    at = DIAMETERS_M.index(0.4)
    assert result.true[at].value == pytest.approx(
        6 / (6 * ground_for(ground, np.array([0.5]), whole=False)[0]), rel=0.02
    )
    assert result.found[at].value is not None
    assert result.found[at].value < result.true[at].value  # type: ignore[operator]
    assert result.true[at + 1].value == 0.0, "ground is seen, and no such rock lies on it"
    assert compare_sizes([], truth, sizes, draws) is None


def test_no_rock_and_no_ground(ground: SeenGround) -> None:
    draws = Draws([str(k) for k in range(6)], 100, 1)
    none = distribution(np.zeros(0), np.zeros(0, np.int64), [ground] * 6, draws, whole=True)
    assert [one.value for one in none] == [0.0] * len(DIAMETERS_M)
    empty = SeenGround(np.zeros(0), np.zeros(0), np.zeros(0))
    unseen = distribution(np.zeros(0), np.zeros(0, np.int64), [empty] * 6, draws, whole=False)
    assert [one.value for one in unseen] == [None] * len(DIAMETERS_M)
