"""The map: projection, pixels, cells, tiles and shards."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS, Transformer

from lunarsite.grid import (
    MOON_RADIUS_M,
    Cells,
    Grid,
    GridError,
    geographic_crs,
    is_lunar,
    is_polar_map,
    lonlat_to_xy,
    lunar_crs,
    map_circles,
    scale_factor,
    shard,
    xy_to_lonlat,
)

poles = st.sampled_from(["south", "north"])
grids = st.builds(
    Grid,
    x_min_m=st.floats(-6e5, 6e5),
    y_max_m=st.floats(-6e5, 6e5),
    pixel_m=st.floats(1.0, 2000.0),
    rows=st.integers(1, 60),
    cols=st.integers(1, 60),
    pole=poles,
)


@given(lon=st.floats(-180, 180), colatitude=st.floats(0.001, 60), pole=poles)
def test_lonlat_xy_round_trip(lon: float, colatitude: float, pole: str) -> None:
    lat = (colatitude - 90) if pole == "south" else (90 - colatitude)
    back_lon, back_lat = xy_to_lonlat(*lonlat_to_xy(lon, lat, pole), pole)
    assert back_lat == pytest.approx(lat, abs=1e-9)
    assert math.remainder(float(back_lon) - lon, 360) == pytest.approx(0, abs=1e-7)


@given(
    lon=st.floats(-180, 180),
    lat=st.floats(60, 90),
    diameter_m=st.floats(1e3, 1e6),
    bearing=st.floats(0, 2 * np.pi),
    pole=poles,
)
def test_places_on_a_circle_of_the_sphere_lie_on_its_circle_of_the_map(
    lon: float, lat: float, diameter_m: float, bearing: float, pole: str
) -> None:
    lat = lat if pole == "north" else -lat
    x, y = lonlat_to_xy([lon], [lat], pole)
    centre_x, centre_y, radius = map_circles(x, y, np.array([diameter_m]))
    # The place half a diameter from the centre in a direction, along the sphere.
    angle, phi = 0.5 * diameter_m / MOON_RADIUS_M, np.radians(lat)
    sine = np.clip(np.sin(phi) * np.cos(angle) + np.cos(phi) * np.sin(angle) * np.cos(bearing), -1.0, 1.0)
    turn = np.arctan2(np.sin(bearing) * np.sin(angle) * np.cos(phi), np.cos(angle) - np.sin(phi) * sine)
    rim_x, rim_y = lonlat_to_xy(lon + np.degrees(turn), np.degrees(np.arcsin(sine)), pole)
    # Next to the pole latitudes in double precision leave centimetres.
    assert np.hypot(rim_x - centre_x, rim_y - centre_y) == pytest.approx(radius, rel=1e-6, abs=0.1)


def test_circles_of_the_map_at_the_pole_and_small_ones_far_from_it() -> None:
    x, y, radius = map_circles(np.array([0.0, 3e5]), np.array([0.0, 0.0]), np.array([20_000.0, 100.0]))
    assert (x[0], y[0]) == (0.0, 0.0)
    assert radius[0] == pytest.approx(2.0 * MOON_RADIUS_M * math.tan(5_000.0 / MOON_RADIUS_M))
    assert x[1] == pytest.approx(3e5, abs=0.01)
    assert radius[1] == pytest.approx(50.0 * float(scale_factor(3e5, 0.0)), rel=1e-6)
    assert map_circles(np.zeros(0), np.zeros(0), np.zeros(0))[2].shape == (0,)


@given(grid=grids, data=st.data())
def test_index_of_every_pixel_centre(grid: Grid, data: st.DataObject) -> None:
    row, col = data.draw(st.integers(0, grid.rows - 1)), data.draw(st.integers(0, grid.cols - 1))
    found_row, found_col = grid.index(grid.x_m()[col], grid.y_m()[row])
    assert (found_row, found_col) == (row, col)
    lonlat = xy_to_lonlat(grid.x_m()[col], grid.y_m()[row], grid.pole)
    again = grid.index(*lonlat_to_xy(*lonlat, grid.pole))
    assert (again[0], again[1]) == (row, col)
    assert grid.contains(grid.x_m()[col], grid.y_m()[row])


@pytest.mark.parametrize("pole", ["south", "north"])
def test_projection_agrees_with_proj(pole: str) -> None:
    lon, lat = np.meshgrid(np.linspace(-179, 180, 37), np.linspace(60, 89.99, 13))
    lat = -lat if pole == "south" else lat
    crs = CRS.from_user_input(lunar_crs(pole))
    expected = Transformer.from_crs(geographic_crs(), crs, always_xy=True).transform(lon, lat)
    np.testing.assert_allclose(lonlat_to_xy(lon, lat, pole), expected, rtol=0, atol=1e-6)


def test_orientation() -> None:
    assert lonlat_to_xy(0, -85)[1] > 0, "south: +y is longitude 0"
    assert lonlat_to_xy(90, -85)[0] > 0, "south: +x is 90 E"
    assert lonlat_to_xy(0, 85, "north")[1] < 0
    assert lonlat_to_xy(90, 85, "north")[0] > 0


def test_scale_factor_is_map_over_true_length() -> None:
    step_deg = 1e-4
    y = lonlat_to_xy(np.zeros(2), np.array([-80.0, -80.0 + step_deg]))[1]
    true_m = math.radians(step_deg) * MOON_RADIUS_M
    assert (y[1] - y[0]) / true_m == pytest.approx(float(scale_factor(0, y[0])), rel=1e-6)
    assert float(scale_factor(0, y[0])) == pytest.approx(1.0077, abs=1e-4)


def test_crs_survives_the_loss_of_its_authority() -> None:
    for pole in ("south", "north"):
        variant_b = CRS.from_user_input(f"+proj=stere +lat_0={-90 if pole == 'south' else 90} +lon_0=0 +k=1 +R=1737400")
        assert is_polar_map(variant_b, pole)
        assert not is_polar_map(variant_b, "north" if pole == "south" else "south")


@pytest.mark.parametrize(
    "foreign",
    [
        "EPSG:4326",
        "EPSG:3031",
        "+proj=stere +lat_0=-90 +lon_0=0 +k=1 +R=1738000",
        "+proj=stere +lat_0=-90 +lon_0=10 +k=1 +R=1737400",
        "+proj=stere +lat_0=-90 +lon_0=0 +k=0.994 +R=1737400",
        "+proj=longlat +R=1737400",
        None,
    ],
)
def test_foreign_crs_is_refused(foreign: str | None) -> None:
    assert not is_polar_map(foreign)


def test_is_lunar() -> None:
    assert is_lunar("+proj=longlat +R=1737400")
    assert not is_lunar("EPSG:4326")
    assert not is_lunar("no such thing")


@pytest.mark.parametrize("pixel_m", [20.0, 80.0, 240.0, 480.0, 960.0])
def test_cells_of_the_lola_map(pixel_m: float) -> None:
    cells = Cells(Grid.centred(304_000, pixel_m, 960))
    assert cells.count == 315_034
    _, lat = cells.centres_lonlat()
    assert lat.max() <= -80
    x, y = cells.centres_m()
    assert np.all(np.diff(y) <= 0), "ids run from the top"
    assert np.all(np.diff(x)[np.diff(y) == 0] > 0), "and left to right"
    np.testing.assert_array_equal(cells.id_at(x, y), np.arange(cells.count))


def test_cells_area_is_the_caps() -> None:
    cells = Cells(Grid.centred(304_000, 240, 960))
    cap_m2 = 2 * math.pi * MOON_RADIUS_M**2 * (1 - math.cos(math.radians(10)))
    assert cap_m2 == pytest.approx(288_139e6, rel=1e-5)
    assert cells.true_area_m2().sum() == pytest.approx(cap_m2, rel=1e-4)


def test_places_without_a_cell() -> None:
    cells = Cells(Grid.centred(48_000, 240, 960), latitude_limit_deg=89.0)
    np.testing.assert_array_equal(cells.id_at([1e6, -1e6, 47_900], [0, 0, 47_900]), [-1, -1, -1])


@given(grid=grids, size=st.integers(1, 25), halo=st.integers(0, 9))
def test_tiles_cover_once_and_halos_stay_inside(grid: Grid, size: int, halo: int) -> None:
    values = np.arange(grid.rows * grid.cols).reshape(grid.shape)
    times = np.zeros(grid.shape, dtype=int)
    for tile in grid.tiles(size, halo):
        times[tile.core] += 1
        np.testing.assert_array_equal(values[tile.read][tile.inner], values[tile.core])
    assert (times == 1).all()


@given(n_items=st.integers(0, 500), n_shards=st.integers(1, 40))
def test_shards_partition(n_items: int, n_shards: int) -> None:
    parts = [shard(n_items, index, n_shards) for index in range(n_shards)]
    assert [i for part in parts for i in part] == list(range(n_items))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_bad_grids_are_refused() -> None:
    with pytest.raises(GridError, match="positive"):
        Grid(0, 0, -1, 2, 2)
    with pytest.raises(GridError, match="finite"):
        Grid(math.nan, 0, 1, 2, 2)
    with pytest.raises(GridError, match="whole number"):
        Grid.centred(304_000, 250, 960)
    with pytest.raises(GridError, match="no cell"):
        Cells(Grid(300_000, 300_000, 240, 8, 8))
    with pytest.raises(GridError, match="absolute latitude"):
        Cells(Grid.centred(4_800, 240, 960), latitude_limit_deg=-80.0)
    with pytest.raises(GridError, match="no shard"):
        shard(10, 3, 3)
    with pytest.raises(GridError, match="tile"):
        list(Grid.centred(4_800, 240, 960).tiles(0))
