"""Crater columns: circles on the map, counts, diameters and the union's area."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lunarsite.grid import MOON_RADIUS_M, Cells, Grid, lonlat_to_xy
from lunarsite.site.craters import crater_columns, map_circles

CELLS = Cells(Grid.centred(24_000.0, 240.0, 960.0), 960.0, 89.0)


def columns(*craters: tuple[float, float, float]) -> dict[str, NDArray[np.float32]]:
    x_m, y_m, diameter_m = np.array(craters, dtype=np.float64).reshape(-1, 3).T
    return crater_columns(x_m, y_m, diameter_m, CELLS)


@given(
    lon=st.floats(-180, 180), lat=st.floats(-90, -60), diameter_m=st.floats(1e3, 1e6), bearing=st.floats(0, 2 * np.pi)
)
def test_a_circle_on_the_sphere_is_that_circle_on_the_map(
    lon: float, lat: float, diameter_m: float, bearing: float
) -> None:
    x, y = lonlat_to_xy(lon, lat)
    centre_x, centre_y, radius = map_circles(x[None], y[None], np.array([diameter_m]))
    angle, phi = 0.5 * diameter_m / MOON_RADIUS_M, np.radians(lat)
    rim_lat = np.arcsin(np.sin(phi) * np.cos(angle) + np.cos(phi) * np.sin(angle) * np.cos(bearing))
    rim_lon = np.radians(lon) + np.arctan2(
        np.sin(bearing) * np.sin(angle) * np.cos(phi), np.cos(angle) - np.sin(phi) * np.sin(rim_lat)
    )
    rim_x, rim_y = lonlat_to_xy(np.degrees(rim_lon), np.degrees(rim_lat))
    # Next to the pole latitudes in double precision leave half a centimetre.
    assert np.hypot(rim_x - centre_x[0], rim_y - centre_y[0]) == pytest.approx(radius[0], rel=1e-6, abs=0.1)


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
    found = crater_columns(x_m, y_m, diameter_m, CELLS)["crater_coverage_pct"]
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
