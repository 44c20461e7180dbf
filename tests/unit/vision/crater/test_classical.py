"""The detector without learning on bowls whose places and sizes are known."""

from __future__ import annotations

import numpy as np
import pytest

from lunarsite.grid import Grid, scale_factor
from lunarsite.vision.crater.classical import bowl, detect_classical
from lunarsite.vision.crater.inference import Candidates

GRID = Grid(-40_000.0, 40_000.0, 200.0, 400, 400)
BOWLS = ((-20_000.0, 15_000.0, 3_000.0), (12_050.0, -9_970.0, 5_200.0), (18_000.0, 20_000.0, 11_000.0))


def terrain(bowls: tuple[tuple[float, float, float], ...] = BOWLS, noise_m: float = 3.0) -> np.ndarray:
    x, y = GRID.x_m()[None, :], GRID.y_m()[:, None]
    heights = 0.05 * x - 0.03 * y + np.random.default_rng(4).normal(scale=noise_m, size=GRID.shape)
    for at_x, at_y, diameter_m in bowls:
        heights = heights + 0.5 * diameter_m * bowl(np.hypot(x - at_x, y - at_y) / (0.5 * diameter_m))
    return heights.astype(np.float32)


def nearest(found: Candidates, x_m: float, y_m: float) -> int:
    return int(np.argmin(np.hypot(found.x_m - x_m, found.y_m - y_m)))


@pytest.fixture(scope="module")
def found() -> Candidates:
    return detect_classical(terrain(), GRID, 2_000.0, 20_000.0)


def test_bowls_are_the_strongest_and_are_where_they_were_put(found: Candidates) -> None:
    for x_m, y_m, diameter_m in BOWLS:
        at = nearest(found, x_m, y_m)
        assert at < len(BOWLS), "the three bowls respond most"
        assert np.hypot(found.x_m[at] - x_m, found.y_m[at] - y_m) < 0.05 * diameter_m
        true_m = diameter_m / scale_factor(x_m, y_m)
        assert found.diameter_m[at] == pytest.approx(true_m, rel=0.12)
        assert found.depth_m[at] == pytest.approx(0.5 * 0.21 * diameter_m, rel=0.25)
    assert found.response[len(BOWLS) :].max() < 0.7 * found.response[len(BOWLS) - 1]


def test_responses_descend_and_keep_to_the_wanted_sizes(found: Candidates) -> None:
    assert (np.diff(found.response) <= 0.0).all()
    assert ((found.response >= 0.0) & (found.response <= 1.0)).all()
    assert ((found.diameter_m >= 2_000.0) & (found.diameter_m <= 20_000.0)).all()
    assert GRID.contains(found.x_m, found.y_m).all()


def test_a_hill_is_no_crater() -> None:
    found = detect_classical(-terrain(BOWLS[2:]), GRID, 2_000.0, 20_000.0)
    at = nearest(found, *BOWLS[2][:2])
    near = np.hypot(found.x_m[at] - BOWLS[2][0], found.y_m[at] - BOWLS[2][1]) < 1_000.0
    assert not near or found.response[at] < 0.3


def test_ground_without_heights_holds_nothing_and_hides_nothing_far_from_it() -> None:
    heights = terrain()
    heights[:, :100] = np.nan  # x below -20 km: the first bowl's rim
    found = detect_classical(heights, GRID, 2_000.0, 20_000.0)
    assert not (found.x_m < -20_000.0).any()
    for x_m, y_m, diameter_m in BOWLS[1:]:
        at = nearest(found, x_m, y_m)
        assert np.hypot(found.x_m[at] - x_m, found.y_m[at] - y_m) < 0.05 * diameter_m
    assert detect_classical(np.full(GRID.shape, np.nan, np.float32), GRID, 2_000.0, 20_000.0).x_m.size == 0


def test_flat_ground_and_a_map_smaller_than_a_crater() -> None:
    assert detect_classical(np.zeros(GRID.shape, np.float32), GRID, 2_000.0, 20_000.0).x_m.size == 0
    small = Grid(0.0, 0.0, 200.0, 12, 12)
    assert detect_classical(np.zeros(small.shape, np.float32), small, 20_000.0, 40_000.0).x_m.size == 0
