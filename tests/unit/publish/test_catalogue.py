from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import shape

from lunarsite.grid import Grid, lonlat_to_xy
from lunarsite.publish.catalogue import footprint, interval
from lunarsite.settings import SpanSettings


def test_a_grid_around_the_pole_covers_all_longitudes() -> None:
    geometry, box = footprint(Grid.centred(304_000.0, 240.0, 960.0))
    assert box[:3] == [-180.0, -90.0, 180.0]
    # The corner of the map is its farthest place from the pole.
    assert box[3] == pytest.approx(-75.86, abs=0.01)
    assert shape(geometry).bounds == tuple(box)


def test_a_northern_grid_reaches_the_north_pole() -> None:
    _, box = footprint(Grid.centred(48_000.0, 240.0, 960.0, "north"))
    assert box[0::2] == [-180.0, 180.0]
    assert box[3] == 90.0
    assert 87.0 < box[1] < 90.0


@pytest.mark.parametrize("centre_lon", [0.0, 90.0, 179.9, -120.0])
@pytest.mark.parametrize("pole", ["south", "north"])
def test_a_grid_beside_the_pole_is_a_valid_polygon_around_its_middle(centre_lon: float, pole: str) -> None:
    lat = -85.0 if pole == "south" else 85.0
    x, y = (float(v) for v in lonlat_to_xy(centre_lon, lat, pole))  # type: ignore[arg-type]
    geometry, box = footprint(Grid(x - 24_000.0, y + 24_000.0, 240.0, 200, 200, pole))  # type: ignore[arg-type]
    polygon = shape(geometry)
    assert polygon.is_valid
    assert polygon.exterior.is_ccw
    middle = polygon.centroid
    assert middle.y == pytest.approx(lat, abs=0.1)
    assert (middle.x - centre_lon + 180.0) % 360.0 - 180.0 == pytest.approx(0.0, abs=1.0)
    assert box[2] - box[0] < 30.0


@given(
    st.floats(-300_000.0, 300_000.0),
    st.floats(-300_000.0, 300_000.0),
    st.integers(2, 2000),
    st.integers(2, 2000),
)
def test_footprints_are_boxes_in_range(x: float, y: float, rows: int, cols: int) -> None:
    _, (west, south, east, north) = footprint(Grid(x, y, 240.0, rows, cols))
    assert -90.0 <= south < north <= -60.0
    assert west < east
    assert east - west <= 360.0


def test_the_span_is_in_whole_seconds_utc() -> None:
    start, end = interval(SpanSettings(start_utc=dt.date(2025, 1, 1), years=1.0))
    assert start == dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    assert end == dt.datetime(2026, 1, 1, 6, tzinfo=dt.UTC)
