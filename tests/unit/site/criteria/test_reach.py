"""Ways to permanent shadow against lengths that can be told by hand, and what holds of every map."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lunarsite.grid import MOON_RADIUS_M, Grid
from lunarsite.site.criteria.reach import Reach, Shadow, find_ways, shadow_regions

GRID = Grid.centred(4_800.0, 240.0, 960.0)
"""Around the pole: the scale differs from 1 by less than 5e-6."""
PIXEL_KM2 = 0.24**2


def shaded(*pixels: tuple[int, int], grid: Grid = GRID) -> NDArray[np.uint8]:
    psr = np.zeros(grid.shape, np.uint8)
    for pixel in pixels:
        psr[pixel] = 1
    return psr


def ways(slope_deg: NDArray[np.float32], psr: NDArray[np.uint8], grid: Grid = GRID, limit_deg: float = 15.0) -> Reach:
    return find_ways(slope_deg, shadow_regions(psr, grid, 1e-6), grid, limit_deg)


def flat(grid: Grid = GRID) -> NDArray[np.float32]:
    return np.full(grid.shape, 2.0, np.float32)


def test_on_open_ground_ways_take_eight_directions() -> None:
    found = ways(flat(), shaded((20, 20)))
    row, col = np.indices(GRID.shape)
    along, across = np.abs(row - 20), np.abs(col - 20)
    octile = np.maximum(along, across) + (math.sqrt(2.0) - 1.0) * np.minimum(along, across)
    np.testing.assert_allclose(found.path_m, 240.0 * octile, rtol=1e-5)
    assert (found.way == 1.0).all()
    assert found.path_m[20, 20] == 0.0


def test_a_wall_is_passed_at_its_gap() -> None:
    slope = flat()
    slope[:, 20] = 15.1
    slope[35, 20] = 15.0
    found = ways(slope, shaded((10, 25)))
    diagonal = math.sqrt(2.0)
    # To the gap and from there: each 25 rows apart, of which as many diagonally as there are columns to change.
    expected = 240.0 * ((25 - 5) + 5 * diagonal + (25 - 5) + 5 * diagonal)
    assert found.path_m[10, 15] == pytest.approx(expected, rel=1e-5)
    assert np.isnan(found.path_m[9, 20])
    assert found.way[9, 20] == 0.0


def test_an_enclosed_piece_has_no_way() -> None:
    slope = flat()
    slope[10:15, 10:15] = 40.0
    slope[11:14, 11:14] = 2.0
    found = ways(slope, shaded((30, 30)))
    assert np.isnan(found.path_m[11:14, 11:14]).all()
    assert (found.way[10:15, 10:15] == 0.0).all()
    assert (found.way == 1.0).sum() == GRID.rows * GRID.cols - 25


@pytest.mark.parametrize("unknown", ["slope", "shadow", "shadow beside a small region"])
def test_an_enclosed_piece_with_unknown_ground_is_unknown(unknown: str) -> None:
    slope, psr = flat(), shaded((30, 30), (30, 31))
    slope[10:15, 10:15] = 40.0
    slope[11:14, 11:14] = 2.0
    if unknown == "slope":
        slope[10, 12] = np.nan  # may be a gap of the wall
    elif unknown == "shadow":
        psr[12, 12] = 255
    else:
        psr[11, 12] = 1
        psr[10, 12] = 255  # steep, but would make the region large enough
    found = find_ways(slope, shadow_regions(psr, GRID, 1.5 * PIXEL_KM2), GRID, 15.0)
    assert np.isnan(found.way[11:14, 11:14]).all()
    assert np.isnan(found.path_m[11:14, 11:14]).all()
    assert found.way[10, 10] == 0.0
    assert found.way[5, 5] == 1.0


def test_unknown_ground_inside_an_enclosed_piece_alone_makes_no_way() -> None:
    slope = flat()
    slope[8:17, 8:17] = 40.0
    slope[10:15, 10:15] = 2.0
    slope[12, 12] = np.nan
    found = ways(slope, shaded((30, 30)))
    assert np.isnan(found.way[12, 12])
    assert found.way[10, 10] == 0.0


def test_beyond_the_map_may_be_shadow() -> None:
    slope = flat()
    slope[:, 20] = 30.0
    found = ways(slope, shaded((20, 5)))
    assert (found.way[:, :20] == 1.0).all()
    assert (found.way[:, 20] == 0.0).all()
    assert np.isnan(found.way[:, 21:]).all()


def test_without_any_shadow_all_is_unknown_or_impassable() -> None:
    slope = flat()
    slope[5, 5] = 30.0
    found = ways(slope, shaded())
    assert np.isnan(found.path_m).all()
    assert np.isnan(found.way).sum() == found.way.size - 1


def test_a_shadow_too_steep_to_enter_is_no_destination() -> None:
    slope = flat()
    slope[20, 20] = 20.0
    assert np.isnan(ways(slope, shaded((20, 20))).path_m).all()
    assert ways(slope, shaded((20, 20)), limit_deg=25.0).path_m[20, 30] == pytest.approx(2_400.0, rel=1e-5)


def test_a_step_is_its_length_on_the_sphere() -> None:
    grid = Grid(-4_800.0, 304_000.0, 240.0, 40, 40)
    psr = shaded((0, 20), grid=grid)
    found = ways(flat(grid), psr, grid)
    y_m = grid.y_m()
    # Along a meridian the way is the arc, of which the trapezoids miss less than 1e-8.
    x_m = grid.x_m()[20]
    colatitude = 2.0 * np.arctan(np.hypot(x_m, y_m) / (2.0 * MOON_RADIUS_M))
    np.testing.assert_allclose(found.path_m[:, 20], MOON_RADIUS_M * (colatitude[0] - colatitude), rtol=2e-6, atol=1e-3)
    assert found.path_m[-1, 20] < 0.9935 * 240.0 * 39


def test_regions_count_by_true_area_and_edges() -> None:
    psr = shaded((2, 2), (2, 3), (3, 4), (10, 10), (10, 11), (11, 11))
    found = shadow_regions(psr, GRID, 3.0 * PIXEL_KM2 * (1.0 - 1e-4))
    # The first three pixels meet in a corner only.
    assert {tuple(pixel) for pixel in np.argwhere(found.certain)} == {(10, 10), (10, 11), (11, 11)}
    assert (found.possible == found.certain).all()
    far = Grid(-304_000.0, 304_000.0, 240.0, 40, 40)
    scale = far.scale_factor()[20, 20]
    assert scale > 1.014
    assert not shadow_regions(shaded((20, 20), grid=far), far, PIXEL_KM2).certain.any()
    assert shadow_regions(shaded((20, 20), grid=far), far, PIXEL_KM2 / scale**2).certain.any()


def test_regions_that_may_go_on_are_possible() -> None:
    psr = shaded((0, 5), (10, 10), (20, 20))
    psr[10, 11] = 255
    found = shadow_regions(psr, GRID, 10.0)
    assert not found.certain.any()
    assert {tuple(pixel) for pixel in np.argwhere(found.possible)} == {(0, 5), (10, 10), (10, 11)}


def random_map(seed: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    draws = np.random.default_rng(seed)
    slope = draws.uniform(0.0, 26.0, GRID.shape).astype(np.float32)
    slope[draws.uniform(size=GRID.shape) < 0.02] = np.nan
    psr = (draws.uniform(size=GRID.shape) < 0.02).astype(np.uint8)
    psr[draws.uniform(size=GRID.shape) < 0.01] = 255
    return slope, psr


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100_000))
def test_a_way_is_no_shorter_than_the_straight_line(seed: int) -> None:
    slope, psr = random_map(seed)
    found = ways(slope, psr)
    x, y = np.meshgrid(GRID.x_m(), GRID.y_m())
    dark = psr == 1
    away = np.hypot(x[..., None] - x[dark], y[..., None] - y[dark]).min(axis=2) / GRID.scale_factor().max()
    there = found.way == 1.0
    assert (found.path_m[there] >= away[there] * (1.0 - 1e-6)).all()
    assert np.isnan(found.path_m[~there]).all()
    assert (slope[there] <= 15.0).all()
    assert np.isnan(found.way[np.isnan(slope)]).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from(["steeper", "less shadow", "lower limit"]))
def test_less_ground_never_shortens_a_way(seed: int, change: str) -> None:
    slope, psr = random_map(seed)
    before = ways(slope, psr)
    lost = np.random.default_rng(seed + 1).uniform(size=GRID.shape) < 0.1
    if change == "steeper":
        after = ways(np.where(lost, np.float32(30.0), slope), psr)
    elif change == "less shadow":
        after = ways(slope, np.where(lost & (psr == 1), 0, psr).astype(np.uint8))
    else:
        after = ways(slope, psr, limit_deg=12.0)
    still = after.way == 1.0
    assert (before.way[still] == 1.0).all()
    assert (after.path_m[still] >= before.path_m[still] * (1.0 - 1e-6)).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100_000))
def test_what_unknown_ground_turns_out_to_be_never_contradicts(seed: int) -> None:
    slope, psr = random_map(seed)
    before = ways(slope, psr)
    draws = np.random.default_rng(seed + 1)
    filled = np.where(np.isnan(slope), draws.uniform(0.0, 26.0, GRID.shape), slope).astype(np.float32)
    shadow = np.where(psr == 255, draws.integers(0, 2, GRID.shape), psr).astype(np.uint8)
    after = ways(filled, shadow)
    assert (after.way[before.way == 1.0] == 1.0).all()
    assert (after.way[before.way == 0.0] != 1.0).all()
    assert isinstance(shadow_regions(psr, GRID, 1.0), Shadow)
