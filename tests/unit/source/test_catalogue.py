from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.grid import Grid
from lunarsite.settings import CatalogueColumns
from lunarsite.source.catalogue import read_craters
from lunarsite.source.kinds import LocalError

GRID = Grid(-100_000.0, 100_000.0, 240.0, 834, 834)


def read(tmp_path: Path, text: str, **declared: object):
    path = tmp_path / "craters.csv"
    path.write_text(text, encoding="utf-8")
    return read_craters(path, GRID, "source.local.craters", **declared)


def test_places_ids_and_depths(tmp_path) -> None:
    table = read(
        tmp_path,
        "id,lon_deg,lat_deg,diameter_m,depth_m,source\n9,270,-89,2000,150,1\n3,90,-88,5000,0,1\n4,0,-89,900,,1\n5,0,-70,900,9,1\n",
        lon="0..360",
    )
    assert list(table["id"]) == [3, 4, 9]
    assert table.attrs["read"] == 4
    assert table["lon_deg"].tolist() == [90.0, 0.0, -90.0]
    assert table["x_m"].to_numpy() == pytest.approx([60_653.0, 0.0, -30_324.0], abs=1.0)
    assert np.isnan(table["depth_m"][0])
    assert np.isnan(table["depth_m"][1])
    assert table["depth_m"][2] == 150.0


def test_without_ids_rows_are_counted_and_names_kept(tmp_path) -> None:
    table = read(tmp_path, "name,lon_deg,lat_deg,diameter_m\nNA,10,-89,2000\n,20,-89,3000\n")
    assert list(table["id"]) == [0, 1]
    assert list(table["name"]) == ["NA", ""]
    assert table["depth_m"].isna().all()


def test_a_catalogue_of_the_other_pole_is_refused(tmp_path) -> None:
    with pytest.raises(LocalError, match=r"none of its 2 craters lies on the run's map .* check grid\.pole"):
        read(tmp_path, "lon_deg,lat_deg,diameter_m\n0,90,1000\n0,85,1000\n")


@given(
    st.lists(
        st.tuples(st.floats(-180.0, 180.0), st.floats(-89.9, -87.5), st.floats(600.0, 20_000.0)),
        min_size=1,
        max_size=8,
    )
)
def test_every_way_of_writing_a_catalogue_gives_the_same(tmp_path_factory, craters: list) -> None:
    folder = tmp_path_factory.mktemp("catalogue")
    plain = "lon_deg,lat_deg,diameter_m,depth_m\n"
    other = "LON,LAT,DIAM,DEEP\n"
    for lon, lat, diameter in craters:
        plain += f"{lon},{lat},{diameter},{0.1 * diameter}\n"
        other += f"{lon % 360.0},{lat},{1e-3 * diameter},{1e-4 * diameter}\n"
    columns = CatalogueColumns(lon="LON", lat="LAT", diameter="DIAM", depth="DEEP")
    first = read(folder, plain)
    second = read(folder, other, lon="0..360", unit="km", columns=columns)
    for name in ("x_m", "y_m", "lat_deg", "diameter_m", "depth_m"):
        assert np.allclose(first[name], second[name], rtol=1e-9, atol=1e-3)
    assert second["lon_deg"].between(-180.0, 180.0).all()


HEADER = "lon_deg,lat_deg,diameter_m\n"


@pytest.mark.parametrize(
    ("text", "declared", "words"),
    [
        (
            HEADER + "1,-89,2000\n200,-89,2000\n",
            {},
            r"line 3: lon_deg is '200', allowed are -180..180.*craters_lon: 0..36",
        ),
        (HEADER + "-1,-89,2000\n", {"lon": "0..360"}, r"lon_deg is '-1', allowed are 0..360.*craters_lon: -180..180"),
        (HEADER + "1,-89,0.8\n1,-89,3.5\n", {}, r"line 2: diameter_m is '0.8'.*craters_unit: km"),
        (HEADER + "1,-89,1.2\n1,-89,365\n", {}, r"largest crater on the map is 365 m.*craters_unit: km"),
        (HEADER + "1,-89,4000\n", {"unit": "km"}, r"diameter_m is '4000', allowed are 0.001..3000.*craters_unit: m"),
        (HEADER + "1,-89,900\n" * 30, {"unit": "km"}, r"cover the map 30 times over.*craters_unit: m"),
        (HEADER, {}, "holds no craters"),
        (HEADER + "1,-89,nan\n", {}, r"line 2: diameter_m is 'nan', allowed are 1..3e\+06$"),
        (HEADER + "1,-89,2000,7\n", {}, "no readable CSV"),
        (HEADER + "1,-89,9\n", {"columns": CatalogueColumns(lon="LON")}, "column 'LON' is missing.*craters_columns"),
        (HEADER + "1,-89,9\n", {"columns": CatalogueColumns(depth="DEEP")}, "column 'DEEP' is missing"),
    ],
)
def test_what_contradicts_the_declaration_is_refused(tmp_path, text: str, declared: dict, words: str) -> None:
    with pytest.raises(LocalError, match=words) as error:
        read(tmp_path, text, **declared)
    assert str(error.value).startswith("source.local.craters")
    assert "craters.csv" in str(error.value)


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path) -> None:
    assert len(read(tmp_path, "\ufeff" + HEADER + "1,-89,2000\n")) == 1


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("lon_deg,lat_deg\n1,-89\n", "column 'diameter_m' is missing"),
        ("lon_deg,lat_deg,diameter_m\n1,-89,2000\n1,-91,2000\n", "line 3: lat_deg is '-91'"),
        ("lon_deg,lat_deg,diameter_m\n1,-89,wide\n", "line 2: diameter_m is 'wide'"),
        ("lon_deg,lat_deg,diameter_m\n1,-89,\n", "line 2: diameter_m is ''"),
        ("lon_deg,lat_deg,diameter_m\n1,-89,0.5\n", "allowed are 1..3e\\+06"),
        ("lon_deg,lat_deg,diameter_m,depth_m\n1,-89,500,-3\n", "depth_m is '-3'"),
        ("id,lon_deg,lat_deg,diameter_m\n1,1,-89,500\n1,1,-89,500\n", "id 1 stands twice"),
        ("", "no readable CSV"),
    ],
)
def test_bad_tables_are_refused_with_field_file_and_line(tmp_path, text: str, word: str) -> None:
    with pytest.raises(LocalError, match=word) as error:
        read(tmp_path, text)
    assert "source.local.craters" in str(error.value)
    assert "craters.csv" in str(error.value)


def test_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(LocalError, match="does not exist"):
        read_craters(tmp_path / "absent.csv", GRID, "source.local.craters")
