"""Experts' sites and candidate regions: what the validation and the regions' table read."""

from __future__ import annotations

import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

from lunarsite.grid import Grid
from lunarsite.site.place.regions import read_regions
from lunarsite.source.kinds import LocalError
from lunarsite.source.published import sites
from lunarsite.source.published.regions import read_published_regions, write_regions
from lunarsite.source.published.sites import read_published_sites, write_sites
from lunarsite.validate.site_tables import read_places
from tests.layouts import tables as made

GRID = Grid.centred(24_000.0, 240.0, 960.0)
NORTH = Grid.centred(24_000.0, 240.0, 960.0, "north")


def listed(folder: Path, text: str, grid: Grid = GRID) -> pd.DataFrame:
    (folder / "sites.csv").write_text(text)
    return read_published_sites(made.receipt_of("wueller_2026", folder), grid)


def test_the_experts_sites_come_back_as_the_validation_reads_them(tmp_path: Path) -> None:
    found = read_published_sites(made.unpacked("wueller_2026", tmp_path), GRID)
    assert list(found.columns) == ["lon", "lat", "name", "sun_days", "earth_days"]
    assert len(found) == 130
    write_sites(tmp_path / "out" / "experts.csv", found)
    read = read_places(tmp_path / "out" / "experts.csv", "experts")
    assert read.repeated == 0
    assert read.lon_deg == pytest.approx(found["lon"].to_numpy(), abs=1e-6)
    assert read.lat_deg == pytest.approx(found["lat"].to_numpy(), abs=1e-6)


def test_what_the_list_lacks_is_left_out_and_empty_days_are_unknown(tmp_path: Path) -> None:
    found = listed(tmp_path, "lon,lat\n350,-85\n20,-86\n")
    assert list(found.columns) == ["lon", "lat"]
    assert found["lon"].tolist() == [-10.0, 20.0]
    found = listed(tmp_path, "Site,Lat (N),Lon (E),Sun days\nA,-85,1,\nB,-85,2,7.5\n")
    assert found["name"].tolist() == ["A", "B"]
    assert np.isnan(found["sun_days"][0])
    assert found["sun_days"][1] == 7.5
    assert listed(tmp_path, "lon,lat\n1,85\n", NORTH)["lat"].tolist() == [85.0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x,y\n1,2\n", r"no column is known as lon: it has \[x, y\]"),
        ("lon,lat\n", "lists no site"),
        ("lon,lat\n1,85\n", r"line 2: lat is '85', allowed are -90\.\.0"),
        ("lon,lat\n1,-85\n,-85\n", "line 3: lon is ''"),
        ("lon,lat\n-1,-85\n190,-85\n", "count neither -180"),
        ("lon,lat,Sun days\n1,-85,many\n", "sun_days is 'many'"),
        ("lon,lat\n" + "1,-85\n" * 8, "more than 5 rows"),
    ],
)
def test_lists_that_cannot_be_used_are_refused(
    tmp_path: Path, text: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sites, "_MOST_SITES", 5)
    with pytest.raises(LocalError, match=words) as error:
        listed(tmp_path, text)
    assert str(error.value).startswith(f"source.published.experts: {tmp_path}")


def test_a_list_is_one_table(tmp_path: Path) -> None:
    made.unpacked("wueller_2026", tmp_path)
    (tmp_path / "sites.csv").rename(tmp_path / "sites.xlsx")
    with pytest.raises(LocalError, match=r"needs one table of text among its files.*sites.xlsx"):
        read_published_sites(made.receipt_of("wueller_2026", tmp_path), GRID)


def test_our_regions_are_those_of_the_published_layout(tmp_path: Path) -> None:
    found = read_published_regions(made.unpacked("artemis_regions_2024", tmp_path), GRID)
    write_regions(tmp_path / "regions.csv", found)
    ours = {one.code: one for one in read_regions(made.RESOURCES / "artemis_regions.csv")}
    theirs = {one.code: one for one in read_regions(tmp_path / "regions.csv")}
    assert list(theirs) == list(ours)
    for code, region in ours.items():
        assert theirs[code].name == region.name
        assert theirs[code].area_km2 == region.area_km2
        assert theirs[code].outline.symmetric_difference(region.outline).area < 1e3, "square metres"
        assert "10.5066/P1MEQ6UK" in theirs[code].source


def _regions(folder: Path, frame: gpd.GeoDataFrame) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    pyogrio.write_dataframe(frame, folder / "regions.gpkg")
    return made.receipt_of("artemis_regions_2024", folder)


def test_regions_that_are_not_what_the_file_says_are_refused(tmp_path: Path) -> None:
    good, folder = made.regions(), tmp_path / "a"
    two = shapely.MultiPolygon([shapely.box(0, 0, 1e4, 1e4), shapely.box(2e4, 0, 3e4, 1e4)])
    hole = shapely.box(0, 0, 3e4, 1e4).difference(shapely.box(1e3, 1e3, 2e3, 2e3))
    cases = {
        "has no column for|no column for the code": good.drop(columns="RegionCode"),
        "is listed with": good.assign(Area_km2=good["Area_km2"] * 1.1),
        "several parts or holes": good.assign(Area_km2=200.0).iloc[:1].set_geometry([two]),
        r"region 'N2' has several parts or holes": good.assign(Area_km2=299.0).iloc[:1].set_geometry([hole]),
        "two regions have one code": good.assign(RegionCode="X"),
    }
    for words, frame in cases.items():
        frame = frame.set_crs(good.crs, allow_override=True)  # noqa: PLW2901
        with pytest.raises(LocalError, match=words):
            read_published_regions(_regions(folder, frame), GRID)
    found = read_published_regions(_regions(folder, good.drop(columns="Area_km2")), GRID)
    assert found.groupby("code", sort=False)["area_km2"].first().to_numpy() == pytest.approx(
        good["Area_km2"].to_numpy(), abs=0.2
    ), "ours where the file lists none"
