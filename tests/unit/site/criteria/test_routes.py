"""Routes are the ways whose lengths the search found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunarsite.grid import Grid
from lunarsite.site.criteria.reach import find_ways, shadow_regions
from lunarsite.site.criteria.routes import RouteError, route

GRID = Grid(-4_800.0, 304_000.0, 240.0, 40, 40)


def test_a_straight_route() -> None:
    path_m = np.full(GRID.shape, np.nan, np.float32)
    path_m[10, 5:9] = [720.0, 480.0, 240.0, 0.0]
    found = route(path_m, GRID, 10, 5)
    np.testing.assert_allclose(found.points_m[:, 0], GRID.x_m()[5:9])
    np.testing.assert_allclose(found.points_m[:, 1], GRID.y_m()[10])
    scale = GRID.scale_factor()[10, 5]
    np.testing.assert_allclose(found.lengths_m, np.array([0.0, 240.0, 480.0, 720.0]) / scale, rtol=1e-5)


def test_a_destination_is_a_route_of_one_point() -> None:
    found = route(np.zeros(GRID.shape, np.float32), GRID, 3, 4)
    assert found.points_m.tolist() == [[GRID.x_m()[4], GRID.y_m()[3]]]
    assert found.lengths_m.tolist() == [0.0]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 100_000))
def test_a_route_is_as_long_as_the_search_says(seed: int) -> None:
    draws = np.random.default_rng(seed)
    slope = draws.uniform(0.0, 24.0, GRID.shape).astype(np.float32)
    psr = (draws.uniform(size=GRID.shape) < 0.01).astype(np.uint8)
    psr[20, 20] = 1
    slope[20, 20] = 0.0
    path_m = find_ways(slope, shadow_regions(psr, GRID, 1e-6), GRID, 15.0).path_m
    reached = np.argwhere(np.isfinite(path_m))
    for row, col in reached[draws.integers(len(reached), size=8)]:
        found = route(path_m, GRID, int(row), int(col))
        rows, cols = GRID.index(*found.points_m.T)
        assert (rows[0], cols[0]) == (row, col)
        assert (np.diff(path_m[rows, cols]) < 0.0).all()
        assert psr[rows[-1], cols[-1]] == 1
        assert (slope[rows, cols] <= 15.0).all()
        assert (np.maximum(np.abs(np.diff(rows)), np.abs(np.diff(cols))) == 1).all()
        assert found.lengths_m[-1] == pytest.approx(path_m[row, col], rel=1e-5, abs=1e-3)
        np.testing.assert_allclose(found.lengths_m + path_m[rows, cols], path_m[row, col], rtol=1e-5)


def test_what_is_no_way_is_refused() -> None:
    path_m = np.full(GRID.shape, 500.0, np.float32)
    path_m[0, 0] = np.nan
    with pytest.raises(RouteError, match="no way is known from row 0, column 0"):
        route(path_m, GRID, 0, 0)
    with pytest.raises(RouteError, match="outside the map of 40 x 40"):
        route(path_m, GRID, 40, 0)
    with pytest.raises(RouteError, match="do not fall from row 5, column 5"):
        route(path_m, GRID, 5, 5)
