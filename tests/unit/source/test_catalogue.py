from pathlib import Path

import numpy as np
import pytest

from lunarsite.grid import Grid
from lunarsite.source.catalogue import read_craters
from lunarsite.source.local import LocalError

GRID = Grid(-100_000.0, 100_000.0, 240.0, 834, 834)


def read(tmp_path: Path, text: str):
    path = tmp_path / "craters.csv"
    path.write_text(text, encoding="utf-8")
    return read_craters(path, GRID, "source.local.craters")


def test_places_ids_and_depths(tmp_path) -> None:
    table = read(
        tmp_path,
        "id,lon_deg,lat_deg,diameter_m,depth_m,source\n9,270,-89,2000,150,1\n3,90,-88,5000,0,1\n4,0,-89,900,,1\n5,0,-70,900,9,1\n",
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


def test_the_far_pole_is_off_the_map(tmp_path) -> None:
    assert read(tmp_path, "lon_deg,lat_deg,diameter_m\n0,90,1000\n0,85,1000\n").empty


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
