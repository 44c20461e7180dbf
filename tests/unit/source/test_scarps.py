import json
import warnings
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

from lunarsite.grid import Grid, lonlat_to_xy, map_radius_m
from lunarsite.source import scarps, vectors
from lunarsite.source.kinds import LocalError
from lunarsite.source.scarps import read_scarps

GRID = Grid.centred(304_000.0, 240.0, 960.0)
FIELD = "source.local.scarps"
MOON_MAP, MOON_LONLAT = "IAU_2015:30135", "IAU_2015:30100"
GEOJSON_MAP = {"type": "name", "properties": {"name": "urn:ogc:def:crs:IAU_2015::30135"}}


def geojson(path: Path, *lines: object, **members: object) -> Path:
    """Write lines (lists of points) and other geometries (dictionaries, or None) as a GeoJSON."""
    shapes = [{"type": "LineString", "coordinates": line} if isinstance(line, list) else line for line in lines]
    features = [{"type": "Feature", "properties": {"name": "a"}, "geometry": shape} for shape in shapes]
    path.write_text(json.dumps({"type": "FeatureCollection", **members, "features": features}), encoding="utf-8")
    return path


def vector(path: Path, crs: str | None, *lines: shapely.Geometry, **options: object) -> Path:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided", UserWarning)
        gpd.GeoDataFrame(geometry=list(lines), crs=crs).to_file(path, **options)
    return path


@pytest.mark.parametrize("name", ["scarps.gpkg", "scarps.shp", "scarps.fgb"])
def test_lines_on_the_polar_map_are_taken_as_they_are(tmp_path, name: str) -> None:
    line = shapely.LineString([(0.0, 0.0), (10_000.0, 50_000.0), (20_000.0, 50_000.0)])
    found = read_scarps(vector(tmp_path / name, MOON_MAP, line), GRID, FIELD)
    assert (found.coordinates, found.relabelled, found.read) == ("the polar map", False, 1)
    assert found.lines[0].equals(line)


def test_a_geojson_in_map_metres_says_so_itself(tmp_path) -> None:
    found = read_scarps(geojson(tmp_path / "a.geojson", [[0, 0], [1e5, 1e5]], crs=GEOJSON_MAP), GRID, FIELD)
    assert (found.coordinates, found.relabelled) == ("the polar map", False)
    assert found.lines[0].length == pytest.approx(np.sqrt(2.0) * 1e5)


def test_wgs84_of_a_geojson_is_a_label_and_nothing_is_turned_by_it(tmp_path) -> None:
    path = geojson(tmp_path / "a.geojson", [[10.0, -85.0], [10.0, -87.0]])
    found = read_scarps(path, GRID, FIELD)
    assert (found.coordinates, found.relabelled) == ("lunar longitude and latitude", True)
    ends = np.array(found.lines[0].coords)[[0, -1]]
    assert ends == pytest.approx(np.column_stack(lonlat_to_xy([10.0, 10.0], [-85.0, -87.0])), abs=1e-6)


def test_long_lines_along_a_parallel_stay_on_it(tmp_path) -> None:
    path = vector(tmp_path / "a.gpkg", MOON_LONLAT, shapely.LineString([(10.0, -80.5), (100.0, -80.5)]))
    found = read_scarps(path, GRID, FIELD)
    assert not found.relabelled
    rho = float(map_radius_m(9.5))
    assert found.lines[0].length == pytest.approx(0.5 * np.pi * rho, rel=1e-6)
    assert found.lines[0].distance(shapely.Point(0.0, 0.0)) == pytest.approx(rho, abs=0.05)


def test_lines_across_the_seam_of_longitudes_go_the_short_way(tmp_path) -> None:
    lines = [[175.0, -86.0], [-175.0, -86.0], [175.0, -86.0]], [[359.0, -86.0], [1.0, -86.0]]
    found = read_scarps(geojson(tmp_path / "a.geojson", *lines), GRID, FIELD)
    rho = float(map_radius_m(4.0))
    assert found.lines[0].length == pytest.approx(rho * np.radians(20.0), rel=1e-5)
    assert found.lines[1].length == pytest.approx(rho * np.radians(2.0), rel=1e-5)


def test_other_lunar_projections_are_turned_to_the_map(tmp_path) -> None:
    mercator = "+proj=eqc +lat_ts=0 +lon_0=0 +R=1737400 +units=m +no_defs"
    y_m = -np.radians(85.0) * 1_737_400.0
    x_m = np.radians(60.0) * 1_737_400.0
    path = vector(tmp_path / "a.gpkg", mercator, shapely.LineString([(0.0, y_m), (x_m, y_m)]))
    found = read_scarps(path, GRID, FIELD)
    assert found.lines[0].length == pytest.approx(float(map_radius_m(5.0)) * np.pi / 3.0, rel=1e-6)


def test_lines_are_cut_at_the_map_s_border_and_keep_their_numbers(tmp_path) -> None:
    outside, across = [[0.0, 10.0], [5.0, 10.0]], [[0.0, 60.0], [0.0, -90.0]]
    twice = {"type": "MultiLineString", "coordinates": [[[0, -85], [0, -86]], [[5, -85, 3.0], [5, -86, 3.0]]]}
    lone = {"type": "LineString", "coordinates": [[7.0, -85.0], [7.0, -85.0]]}
    found = read_scarps(geojson(tmp_path / "a.geojson", outside, None, across, lone, twice), GRID, FIELD)
    assert (found.ids.tolist(), found.read, found.empty) == ([2, 4], 5, 2)
    assert found.lines[0].length == pytest.approx(304_000.0)
    assert found.lines[1].geom_type == "MultiLineString"
    assert not shapely.has_z(found.lines).any()
    assert shapely.is_valid(found.lines).all()
    left, bottom, right, top = GRID.bounds_m
    assert (shapely.bounds(found.lines) >= (left, bottom, left, bottom)).all()
    assert (shapely.bounds(found.lines) <= (right, top, right, top)).all()


def test_files_without_a_line_on_the_map_are_legal(tmp_path) -> None:
    for path in (geojson(tmp_path / "none.geojson"), geojson(tmp_path / "far.geojson", [[0.0, 10.0], [0.0, 20.0]])):
        assert read_scarps(path, GRID, FIELD).ids.size == 0
    away = vector(tmp_path / "away.gpkg", MOON_MAP, shapely.LineString([(1e6, 0.0), (2e6, 0.0)]))
    assert read_scarps(away, GRID, FIELD).ids.size == 0


def test_kml_knows_the_earth_only(tmp_path) -> None:
    path = tmp_path / "a.kml"
    line = "<LineString><coordinates>0,-85 0,-86</coordinates></LineString>"
    path.write_text(f"<kml><Document><Placemark>{line}</Placemark></Document></kml>", encoding="utf-8")
    found = read_scarps(path, GRID, FIELD)
    assert found.relabelled
    assert found.lines[0].length == pytest.approx(float(map_radius_m(5.0) - map_radius_m(4.0)))


LINE = shapely.LineString([(0.0, 0.0), (1.0, 1.0)])
EARTH = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3031"}}


VRT = (
    '<OGRVRTDataSource><OGRVRTLayer name="hidden"><SrcDataSource relativeToVRT="1">hidden.geojson'
    "</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
)


def text(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def two_layers(path: Path) -> Path:
    return vector(vector(path, MOON_MAP, LINE, layer="one"), MOON_MAP, LINE, layer="two", mode="a")


def without_geometry(path: Path) -> Path:
    pyogrio.write_dataframe(pd.DataFrame({"name": ["a"]}), path)
    return path


BAD = {
    "absent": lambda folder: folder / "absent.gpkg",
    "folder": lambda folder: folder,
    "junk": lambda folder: text(folder / "junk.gpkg", "no vectors"),
    "nan": lambda folder: text(folder / "nan.geojson", '{"type":"LineString","coordinates":[[NaN,1],[2,3]]}'),
    "cut": lambda folder: text(folder / "cut.geojson", '{"type":"LineString","coordinates":[[0,-85],[2'),
    "points": lambda folder: geojson(folder / "a.geojson", {"type": "Point", "coordinates": [0, -85]}),
    "metres": lambda folder: geojson(folder / "a.geojson", [[10_000.0, -85_000.0], [10_000.0, -86_000.0]]),
    "earth": lambda folder: geojson(folder / "a.geojson", [[0, 0], [1, 1]], crs=EARTH),
    "labelled": lambda folder: vector(folder / "a.gpkg", "EPSG:4326", LINE),
    "unlabelled": lambda folder: vector(folder / "a.gpkg", None, LINE),
    "vrt": lambda folder: text(geojson(folder / "hidden.geojson", [[0, -85], [0, -86]]).with_name("a.vrt"), VRT),
    "table": lambda folder: text(folder / "a.csv", "lon,lat\n0,-85\n"),
    "bare": lambda folder: without_geometry(folder / "a.gpkg"),
    "two": lambda folder: two_layers(folder / "a.gpkg"),
    "feet": lambda folder: vector(
        folder / "a.gpkg", "+proj=merc +R=1737400 +units=m", shapely.LineString([(0, 0), (1e12, 0)])
    ),
}


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("absent", "does not exist"),
        ("folder", "does not exist as a file"),
        ("junk", "no readable vector file"),
        ("nan", "feature 0 has a point that is no number"),
        ("cut", "no readable vector file"),
        ("points", "holds Point, needs lines"),
        ("metres", r"\(10000, -85000\), which is no longitude and latitude .*ogr2ogr -a_srs IAU_2015:30135"),
        ("earth", "not on the Moon's sphere"),
        ("labelled", "label is wrong: assign the lunar CRS .*ogr2ogr -a_srs IAU_2015:30100"),
        ("unlabelled", "has no CRS; assign"),
        ("vrt", "kind '.vrt', read are .*; convert it"),
        ("table", "holds no geometry, for it is a table"),
        ("bare", "holds no geometry; give the layer of shapes"),
        ("two", "has 2 layers .*extract it"),
        ("feet", "too long to be lines on the Moon"),
    ],
)
def test_files_that_cannot_be_used_are_refused_with_field_file_and_mend(tmp_path, name: str, word: str) -> None:
    path = BAD[name](tmp_path)
    with pytest.raises(LocalError, match=word) as error:
        read_scarps(path, GRID, FIELD)
    assert str(error.value).startswith(f"{FIELD}: {path}: ")


@pytest.mark.parametrize(
    ("limit", "value", "word"),
    [
        ("_MOST_BYTES", 10, "larger than"),
        ("_MOST_FEATURES", 1, "has 2 features, at most 1"),
        ("MOST_POINTS", 3, "has 4 points, at most 3"),
    ],
)
def test_files_that_are_too_large_are_refused(
    tmp_path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, word: str
) -> None:
    path = geojson(tmp_path / "a.geojson", [[0, -85], [0, -86]], [[1, -85], [1, -86]])
    monkeypatch.setattr(scarps if hasattr(scarps, limit) else vectors, limit, value)
    with pytest.raises(LocalError, match=word):
        read_scarps(path, GRID, FIELD)
