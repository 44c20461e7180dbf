"""Distances on the sphere from cells to shadow and to lines."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lunarsite.grid import MOON_RADIUS_M, Cells, Grid, lonlat_to_xy, xy_to_lonlat
from lunarsite.site.criteria.distances import line_distance_m, shadow_distance_m

CELLS = Cells(Grid.centred(9_600.0, 240.0, 960.0), 960.0, 89.7)


def haversine_m(first: tuple[NDArray[np.float64], ...], second: tuple[NDArray[np.float64], ...]) -> NDArray[np.float64]:
    (lon, lat), (lon_2, lat_2) = (np.radians(xy_to_lonlat(*place)) for place in (first, second))
    half = np.sin(0.5 * (lat - lat_2)) ** 2 + np.cos(lat) * np.cos(lat_2) * np.sin(0.5 * (lon - lon_2)) ** 2
    return 2.0 * MOON_RADIUS_M * np.arcsin(np.sqrt(half))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100_000), st.floats(0.001, 0.6))
def test_shadow_is_as_far_as_the_nearest_of_all_pairs_of_pixels(seed: int, share: float) -> None:
    draws = np.random.default_rng(seed)
    shadow = draws.uniform(size=CELLS.grid.shape) < share
    shadow[7, 9] = True
    found = shadow_distance_m(shadow, CELLS)
    x, y = np.meshgrid(CELLS.grid.x_m(), CELLS.grid.y_m())
    rows, cols = np.nonzero(CELLS.kept)
    for cell in draws.integers(CELLS.count, size=5):
        block = (slice(4 * rows[cell], 4 * rows[cell] + 4), slice(4 * cols[cell], 4 * cols[cell] + 4))
        pairs = haversine_m((x[block].reshape(-1, 1), y[block].reshape(-1, 1)), (x[shadow], y[shadow]))
        assert found[cell] == pytest.approx(pairs.min(), rel=1e-9, abs=1e-3)


def test_far_from_the_pole_distances_are_true() -> None:
    cells = Cells(Grid(-304_000.0, 9_600.0, 240.0, 80, 800), 960.0, 80.0)
    shadow = np.zeros(cells.grid.shape, np.bool_)
    shadow[40, 100] = True
    x_m, y_m = (float(axis[index]) for axis, index in ((cells.grid.x_m(), 100), (cells.grid.y_m(), 40)))
    cell = int(cells.id_at(x_m + 100_000.0, y_m))
    near_x = cells.centres_m()[0][cell] - 360.0  # the cell's pixel that faces the shadow
    expected = haversine_m((np.array(near_x), np.array(y_m)), (np.array(x_m), np.array(y_m)))
    assert shadow_distance_m(shadow, cells)[cell] == pytest.approx(float(expected), rel=1e-9)


def test_no_shadow_is_no_distance_and_nothing_but_shadow_none() -> None:
    assert np.isnan(shadow_distance_m(np.zeros(CELLS.grid.shape, np.bool_), CELLS)).all()
    assert (shadow_distance_m(np.ones(CELLS.grid.shape, np.bool_), CELLS) == 0.0).all()


@pytest.mark.parametrize("pixel_m", [480.0, 960.0])
def test_cells_of_few_pixels(pixel_m: float) -> None:
    cells = Cells(Grid.centred(9_600.0, pixel_m, 960.0), 960.0, 89.7)
    shadow = np.zeros(cells.grid.shape, np.bool_)
    shadow[0, 0] = True
    found = shadow_distance_m(shadow, cells)
    x, y = cells.centres_m()
    away = np.hypot(x - cells.grid.x_m()[0], y - cells.grid.y_m()[0])
    np.testing.assert_allclose(found, away, atol=0.71 * 960.0)


def test_a_line_on_a_meridian() -> None:
    longitude, far = 90.0, 85.0
    line = shapely.linestrings(np.stack(lonlat_to_xy([longitude, longitude], [-far, -89.9]), axis=1))
    found = line_distance_m([line], CELLS)
    x_m, y_m = CELLS.centres_m()
    beside = (x_m > 4_000.0) & (x_m < 9_000.0)
    # The distance to a great circle through the pole.
    lon, lat = np.radians(xy_to_lonlat(x_m, y_m))
    expected = MOON_RADIUS_M * np.arcsin(np.abs(np.cos(lat) * np.cos(lon)))
    assert beside.sum() > 40
    np.testing.assert_allclose(found[beside], expected[beside], rtol=1e-4, atol=1.0)


def test_the_nearest_of_several_lines_and_of_their_segments() -> None:
    lines = [
        shapely.LineString([(-50_000.0, 5_000.0), (0.0, 50_000.0), (0.0, 3_000.0)]),
        shapely.MultiLineString([[(2_000.0, -2_000.0), (6_000.0, -2_000.0)], [(80_000.0, 0.0), (90_000.0, 0.0)]]),
    ]
    found = line_distance_m(lines, CELLS)
    x_m, y_m = CELLS.centres_m()
    expected = np.min([shapely.distance(shapely.points(x_m, y_m), line) for line in lines], axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_farther_line_does_not_change_the_nearest() -> None:
    near = shapely.LineString([(1_000.0, 0.0), (1_000.0, 900.0)])
    far = shapely.LineString([(70_000.0, 0.0), (70_000.0, 900.0)])
    assert (line_distance_m([near], CELLS) == line_distance_m([far, near], CELLS)).all()


def test_no_line_is_no_distance() -> None:
    assert np.isnan(line_distance_m([], CELLS)).all()
