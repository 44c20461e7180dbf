"""Crater columns: counts, diameters and the union's area, in the cell and within 5 km."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lunarsite.grid import MOON_RADIUS_M, Cells, Grid, map_circles, xy_to_lonlat
from lunarsite.site.craters import (
    CELL_COLUMNS,
    CRATER_COLUMNS,
    NEAR_COLUMNS,
    Catalogue,
    columns_of_all,
    crater_columns,
)
from lunarsite.site.survey import Survey, whole_map

Floats = NDArray[np.float64]

CELLS = Cells(Grid.centred(24_000.0, 240.0, 960.0), 960.0, 89.0)


def columns(*craters: tuple[float, float, float]) -> dict[str, NDArray[np.float32]]:
    x_m, y_m, diameter_m = np.array(craters, dtype=np.float64).reshape(-1, 3).T
    return columns_of_all(x_m, y_m, diameter_m, CELLS)


def test_counts_and_diameters_are_of_the_craters_centred_in_the_cell() -> None:
    x, y = (float(value[100]) for value in CELLS.centres_m())
    found = columns((x, y, 500.0), (x + 400.0, y - 400.0, 900.0), (x + 1000.0, y, 700.0), (1e6, 1e6, 5e3))
    assert found["crater_count"][100] == 2.0
    assert found["crater_mean_diameter_m"][100] == 700.0
    assert found["crater_max_diameter_m"][100] == 900.0
    assert found["crater_count"][101] == 1.0
    assert found["crater_count"].sum() == 3.0
    empty = found["crater_count"] == 0.0
    assert np.isnan(found["crater_mean_diameter_m"][empty]).all()
    assert np.isnan(found["crater_max_diameter_m"][empty]).all()


def test_coverage_of_one_crater_is_its_area() -> None:
    found = columns((300.0, -200.0, 9_000.0))
    area_m2 = found["crater_coverage_pct"].sum(dtype=np.float64) / 100.0 * 960.0**2
    assert area_m2 == pytest.approx(np.pi * 4_500.0**2, rel=1e-4)
    assert found["crater_coverage_pct"].max() == 100.0


def test_a_small_crater_within_a_cell() -> None:
    x, y = (float(value[100]) for value in CELLS.centres_m())
    found = columns((x, y, 300.0))
    assert found["crater_coverage_pct"][100] == pytest.approx(100.0 * np.pi * 150.0**2 / 960.0**2, rel=0.02)
    assert (found["crater_coverage_pct"] > 0).sum() == 1


def test_overlaps_count_once() -> None:
    one = columns((300.0, -200.0, 9_000.0))
    twice = columns((300.0, -200.0, 9_000.0), (300.0, -200.0, 9_000.0), (400.0, -100.0, 5_000.0))
    np.testing.assert_allclose(twice["crater_coverage_pct"], one["crater_coverage_pct"], atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_union_of_many_against_fine_samples(seed: int) -> None:
    draws = np.random.default_rng(seed)
    x_m, y_m = draws.uniform(-26_000, 26_000, (2, 40))
    diameter_m = draws.uniform(500, 12_000, 40)
    found = columns_of_all(x_m, y_m, diameter_m, CELLS)["crater_coverage_pct"]
    centre_x, centre_y, radius = map_circles(x_m, y_m, diameter_m)
    cell = int(draws.integers(CELLS.count))
    cell_x, cell_y = (float(value[cell]) for value in CELLS.centres_m())
    offset = (np.arange(96) + 0.5) * 10.0 - 480.0
    near = np.hypot(cell_x + offset[None, :, None] - centre_x, cell_y + offset[:, None, None] - centre_y) <= radius
    assert found[cell] == pytest.approx(100.0 * near.any(axis=2).mean(), abs=0.6)


def test_a_crater_centred_outside_the_grid_covers_cells_inside() -> None:
    found = columns((30_000.0, 0.0, 20_000.0))
    assert found["crater_count"].sum() == 0.0
    assert (found["crater_coverage_pct"] > 0).any()


def test_an_empty_catalogue_knows_of_no_crater() -> None:
    found = columns()
    assert (found["crater_count"] == 0.0).all()
    assert (found["crater_coverage_pct"] == 0.0).all()
    assert np.isnan(found["crater_max_diameter_m"]).all()
    assert (found["crater_count_5km"] == 0.0).all()
    assert (found["crater_coverage_5km_pct"] == 0.0).all()
    assert np.isnan(found["crater_mean_diameter_5km_m"]).all()


def arc_m(x: Floats, y: Floats, x_m: Floats, y_m: Floats) -> Floats:
    """Return the distance on the sphere between places and craters, (places, craters), from their directions."""

    def directions(x_m: Floats, y_m: Floats) -> Floats:
        lon, lat = np.radians(xy_to_lonlat(x_m, y_m))
        return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)

    chord = np.linalg.norm(directions(x, y)[:, None] - directions(x_m, y_m)[None], axis=2)
    return np.asarray(2.0 * MOON_RADIUS_M * np.arcsin(0.5 * chord))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_near_craters_are_those_within_5_km_on_the_sphere(seed: int) -> None:
    # Far from the pole, where map metres are longer than true ones by 3 %.
    cells = Cells(Grid(480_000.0, 200_000.0, 960.0, 30, 35), 960.0, 60.0)
    draws = np.random.default_rng(seed)
    x_m, y_m = draws.uniform(478_000, 515_000, 150), draws.uniform(168_000, 202_000, 150)
    diameter_m = draws.uniform(500, 12_000, 150)
    found = columns_of_all(x_m, y_m, diameter_m, cells)
    near = arc_m(*cells.centres_m(), x_m, y_m) <= 5_000.0
    count = near.sum(axis=1)
    assert count.max() > 0
    np.testing.assert_array_equal(found["crater_count_5km"], count)
    known = count > 0
    mean_m = (near * diameter_m).sum(axis=1)[known] / count[known]
    np.testing.assert_allclose(found["crater_mean_diameter_5km_m"][known], mean_m, rtol=1e-6)
    largest_m = np.where(near, diameter_m, -np.inf).max(axis=1)[known]
    np.testing.assert_allclose(found["crater_max_diameter_5km_m"][known], largest_m, rtol=1e-6)
    for name in NEAR_COLUMNS[2:]:
        np.testing.assert_array_equal(np.isnan(found[name]), ~known)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([240.0, 960.0, 4_800.0]))
def test_the_covered_share_of_the_disc_against_fine_samples(seed: int, cell_m: float) -> None:
    cells = Cells(Grid.centred(24_000.0, 240.0, cell_m), cell_m, 89.4)
    draws = np.random.default_rng(seed)
    x_m, y_m = draws.uniform(-26_000, 26_000, (2, 60))
    diameter_m = draws.uniform(500, 8_000, 60)
    found = columns_of_all(x_m, y_m, diameter_m, cells)["crater_coverage_5km_pct"]
    centre_x, centre_y, radius = map_circles(x_m, y_m, diameter_m)
    cell = int(draws.integers(cells.count))
    at_x, at_y = (value[cell : cell + 1] for value in cells.centres_m())
    disc_x, disc_y, disc_radius = (float(value[0]) for value in map_circles(at_x, at_y, np.array([10_000.0])))
    offset = (np.arange(500) + 0.5) * 20.0 / 5_000.0 * disc_radius - disc_radius
    x, y = (axis.ravel() for axis in np.meshgrid(offset, offset))
    inside = np.hypot(x, y) <= disc_radius
    x, y = disc_x + x[inside], disc_y + y[inside]
    covered = np.zeros(x.size, dtype=bool)
    for k in range(60):
        covered |= np.hypot(x - centre_x[k], y - centre_y[k]) <= radius[k]
    assert found[cell] == pytest.approx(100.0 * covered.mean(), abs=0.7)


def test_one_crater_about_the_cell_covers_its_share_of_the_disc() -> None:
    cell = int(CELLS.id_at(2_000.0, -3_000.0))
    x, y = (float(value[cell]) for value in CELLS.centres_m())
    assert columns((x, y, 5_000.0))["crater_coverage_5km_pct"][cell] == pytest.approx(25.0, abs=0.1)
    assert columns((x, y, 60_000.0))["crater_coverage_5km_pct"][cell] == 100.0


def test_a_disc_that_leaves_the_map_counts_what_is_on_it() -> None:
    edge = Cells(Grid.centred(24_000.0, 240.0, 960.0), 960.0, 60.0)
    covered = columns_of_all(np.array([0.0]), np.array([0.0]), np.array([200_000.0]), edge)["crater_coverage_5km_pct"]
    assert (covered == 100.0).all()


def catalogue(survey: Survey) -> Catalogue:
    draws = np.random.default_rng(3)
    x_m, y_m = draws.uniform(-24_000, 24_000, (2, 300))
    return Catalogue(x_m, y_m, draws.uniform(700, 3_000, 300), survey)


def test_where_all_is_surveyed_all_is_known() -> None:
    given_craters = catalogue(Survey(whole_map(CELLS)))
    found = crater_columns(given_craters, Cells(CELLS.grid, 960.0, 89.4))
    assert not np.isnan(found["crater_count"]).any()
    assert not np.isnan(found["crater_count_5km"]).any()
    known = columns_of_all(given_craters.x_m, given_craters.y_m, given_craters.diameter_m, CELLS)
    assert set(known) == set(found) == set(CRATER_COLUMNS)


def test_without_a_catalogue_all_is_unknown() -> None:
    found = crater_columns(None, CELLS)
    assert tuple(found) == CRATER_COLUMNS
    assert all(values.dtype == np.float32 and np.isnan(values).all() for values in found.values())


def test_beyond_the_sector_of_the_catalogue_craters_are_unknown_never_none() -> None:
    cells = Cells(CELLS.grid, 960.0, 89.4)
    found = crater_columns(catalogue(Survey(whole_map(cells), (0.0, 180.0))), cells)
    x_m, _ = cells.centres_m()
    np.testing.assert_array_equal(np.isnan(found["crater_count"]), x_m < 678.0)
    for name in ("crater_count_5km", "crater_coverage_pct", "crater_coverage_5km_pct"):
        np.testing.assert_array_equal(np.isnan(found[name]), x_m < 5_000.0)
    for name in (*CELL_COLUMNS[2:], *NEAR_COLUMNS[2:]):
        assert np.isnan(found[name][x_m < 0.0]).all()


def test_without_heights_around_craters_are_unknown() -> None:
    share = whole_map(CELLS).copy()
    share[:, : CELLS.cols // 2] = 0.0
    cells = Cells(CELLS.grid, 960.0, 89.4)
    found = crater_columns(catalogue(Survey(share)), cells)
    x_m, _ = cells.centres_m()
    np.testing.assert_array_equal(np.isnan(found["crater_count"]), x_m < 0.0)
    unknown = np.isnan(found["crater_count_5km"])
    # A tenth of the disc is beyond a line 3.4 km off its centre.
    assert unknown[x_m < 2_900.0].all()
    assert not unknown[x_m > 3_900.0].any()
    np.testing.assert_array_equal(np.isnan(found["crater_coverage_pct"]), unknown)


def test_single_pixels_without_height_hide_no_crater() -> None:
    share = whole_map(CELLS).copy()
    share[::7, ::5] = 0.9
    cells = Cells(CELLS.grid, 960.0, 89.4)
    assert not np.isnan(crater_columns(catalogue(Survey(share)), cells)["crater_count_5km"]).any()


def test_the_map_border_is_the_end_of_what_is_known() -> None:
    wide = Cells(CELLS.grid, 960.0, 60.0)
    found = crater_columns(catalogue(Survey(whole_map(wide))), wide)
    assert not np.isnan(found["crater_count"]).any()
    x_m, y_m = wide.centres_m()
    inward_m = 24_000.0 - np.maximum(np.abs(x_m), np.abs(y_m))
    assert np.isnan(found["crater_count_5km"][inward_m < 2_900.0]).all()
    assert not np.isnan(found["crater_count_5km"][inward_m > 4_500.0]).any()
