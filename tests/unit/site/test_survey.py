"""Surveyed ground: sectors of longitude on the sphere, and cells that the map's border cuts off."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.grid import MOON_RADIUS_M, Cells, Grid, Pole, lonlat_to_xy
from lunarsite.site.survey import sector_depth_m, whole_map

PER_DEGREE_M = MOON_RADIUS_M * np.pi / 180.0
SOUTH = Grid.centred(304_000.0, 960.0, 960.0)
LON = st.floats(-180.0, 360.0)


def depth_m(lon_deg: float, lat_deg: float, sector_deg: tuple[float, float], pole: Pole = "south") -> float:
    grid = Grid.centred(304_000.0, 960.0, 960.0, pole)
    x, y = lonlat_to_xy(np.array([lon_deg]), np.array([lat_deg]), pole)
    return float(sector_depth_m(x, y, sector_deg, grid)[0])


@pytest.mark.parametrize("sector_deg", [(-180.0, 180.0), (0.0, 360.0), (40.0, 400.0 - 360.0)])
def test_a_whole_turn_has_no_border(sector_deg: tuple[float, float]) -> None:
    assert depth_m(-180.0, -85.0, sector_deg) == np.inf


def test_depth_is_the_distance_to_the_nearer_meridian() -> None:
    # On the great circle at right angles to the half circle's middle, and straight down from the pole.
    assert depth_m(90.0, -80.0, (0.0, 180.0)) == pytest.approx(10.0 * PER_DEGREE_M, rel=1e-9)
    away = np.degrees(np.arcsin(np.sin(np.radians(10.0)) * np.sin(np.radians(30.0))))
    assert depth_m(30.0, -80.0, (0.0, 180.0)) == pytest.approx(away * PER_DEGREE_M, rel=1e-9)
    assert depth_m(150.0, 80.0, (0.0, 180.0), "north") == pytest.approx(away * PER_DEGREE_M, rel=1e-9)
    assert depth_m(-30.0, -80.0, (0.0, 180.0)) == -np.inf


def test_a_sector_may_pass_180() -> None:
    assert depth_m(-175.0, -80.0, (170.0, -160.0)) > 0.0
    assert depth_m(175.0, -80.0, (170.0, 200.0)) > 0.0
    assert depth_m(-150.0, -80.0, (170.0, -160.0)) == -np.inf


def test_in_a_wide_sector_the_pole_may_be_the_nearest_border() -> None:
    assert depth_m(0.0, -88.0, (-170.0, 170.0)) == pytest.approx(2.0 * PER_DEGREE_M, rel=1e-6)


@given(lon=LON, colatitude=st.floats(0.1, 10.0), first=LON, second=LON)
def test_depth_against_points_along_both_meridians(lon: float, colatitude: float, first: float, second: float) -> None:
    found = depth_m(lon, colatitude - 90.0, (first, second))
    if not np.isfinite(found):
        return
    lat = np.radians(np.linspace(-90.0, -60.0, 30_001))
    at, phi = np.radians(lon), np.radians(colatitude - 90.0)
    nearest = np.inf
    for border in np.radians([first, second]):
        cosine = np.sin(phi) * np.sin(lat) + np.cos(phi) * np.cos(lat) * np.cos(border - at)
        nearest = min(nearest, float(np.arccos(np.clip(cosine, -1.0, 1.0)).min()))
    assert found == pytest.approx(nearest * MOON_RADIUS_M, abs=20.0)


def test_cells_that_the_border_cuts_off_are_on_the_map_in_part() -> None:
    share = whole_map(Cells(Grid(-4_800.0, 4_800.0, 240.0, 38, 41), 960.0))
    assert share.shape == (10, 11)
    assert (share[:9, :10] == 1.0).all()
    assert share[9, 0] == 0.5
    assert share[0, 10] == 0.25
    assert share[9, 10] == 0.125
