"""Outlines: the shapes that were written, in whichever coordinates; areas against caps and squares of known size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from lunarsite.artefact import download
from lunarsite.artefact.contracts import DOWNLOAD
from lunarsite.grid import MOON_RADIUS_M, Grid, geographic_crs, lonlat_to_xy, lunar_crs, map_radius_m
from lunarsite.source.kinds import LocalError
from lunarsite.source.published import shapes
from lunarsite.source.published.psr_polygons import read_psr_polygons, write_outlines
from lunarsite.source.published.shapes import map_area_km2, read_polygons, true_area_km2, vector_file
from lunarsite.validate.illumination_record import read_polygons as read_reference
from tests.layouts import tables as made

HALF_M = 24_000.0
GRID = Grid.centred(HALF_M, 240.0, 960.0)
WIDE = Grid.centred(304_000.0, 240.0, 960.0)
SOUTH = lunar_crs().to_wkt()
NO_CRS = "ignore:'crs' was not provided:UserWarning"
KM_MAP = (
    'PROJCS["other",GEOGCS["Moon",DATUM["D",SPHEROID["S",1737400,0]],PRIMEM["P",0],UNIT["degree",0.0174532925199433]],'
    'PROJECTION["Polar_Stereographic"],PARAMETER["latitude_of_origin",-80],PARAMETER["central_meridian",40],'
    'PARAMETER["false_easting",0],PARAMETER["false_northing",0],UNIT["kilometre",1000]]'
)


def written(path: Path, outlines: list[shapely.Geometry], crs: object = SOUTH) -> Path:
    pyogrio.write_dataframe(gpd.GeoDataFrame({"n": range(len(outlines))}, geometry=outlines, crs=crs), path)
    return path


def read(path: Path, grid: Grid = WIDE, **options: bool) -> shapes.Polygons:
    return read_polygons(path, grid, f"here: {path}", {}, **options)


def disc(colatitude_deg: float, points: int = 720) -> shapely.Polygon:
    """A cap about the pole by longitude and latitude, closed along the pole's latitude as in a plate carree."""
    lon = np.linspace(-180.0, 180.0, points + 1)
    rim = np.column_stack([lon, np.full(points + 1, colatitude_deg - 90.0)])
    return shapely.Polygon([*rim, (180.0, -90.0), (-180.0, -90.0)])


@pytest.mark.parametrize("name", ["a.shp", "a.gpkg"])
def test_squares_on_the_polar_map_are_what_they_were(tmp_path: Path, name: str) -> None:
    square, far = shapely.box(1_000, 2_000, 5_000, 4_000), shapely.box(-9e4, 8e4, -8.5e4, 9e4)
    found = read(written(tmp_path / name, [square, far]))
    assert found.coordinates == "the polar map"
    assert (found.read, found.empty, found.repaired) == (2, 0, 0)
    assert [shape.equals(other) for shape, other in zip(found.shapes, [square, far], strict=True)] == [True, True]
    assert map_area_km2(found.shapes) == pytest.approx([8.0, 50.0])


@pytest.mark.parametrize("crs", [KM_MAP, geographic_crs().to_wkt()], ids=["another map", "lon lat"])
def test_other_coordinates_give_the_same_places(tmp_path: Path, crs: str) -> None:
    # Sides of a few metres: where sides are straight makes no difference.
    island = shapely.Point(60e3, -50e3).buffer(1_000.0, quad_segs=300)
    shape = shapely.Point(60e3, -50e3).buffer(4_000.0, quad_segs=900).difference(island)
    frame = gpd.GeoDataFrame(geometry=[shape], crs=SOUTH).to_crs(crs)
    found = read(written(tmp_path / "a.gpkg", list(frame.geometry), crs))
    assert found.shapes[0].symmetric_difference(shape).area < 1e-4 * shape.area
    assert shapely.get_num_interior_rings(shapely.get_parts(found.shapes[0])[0]) == 1
    assert found.repaired == 0


def test_a_cap_in_longitude_and_latitude_holds_the_pole_and_has_its_area(tmp_path: Path) -> None:
    found = read(written(tmp_path / "a.gpkg", [disc(3.0)], geographic_crs().to_wkt()))
    assert shapely.contains_xy(found.shapes[0], 0.0, 1.0)
    expected = 2.0 * np.pi * (MOON_RADIUS_M / 1e3) ** 2 * (1.0 - np.cos(np.radians(3.0)))
    assert true_area_km2(found.shapes)[0] == pytest.approx(expected, rel=1e-5)
    assert map_area_km2(found.shapes)[0] == pytest.approx(np.pi * float(map_radius_m(3.0) / 1e3) ** 2, rel=1e-5)


def test_a_cap_without_a_line_to_the_pole_is_a_ring_around_it(tmp_path: Path) -> None:
    rim = shapely.Polygon(np.asarray(disc(3.0).exterior.coords)[:721])
    found = read(written(tmp_path / "a.gpkg", [rim], geographic_crs().to_wkt()))
    assert found.repaired == 0
    ring = shapely.get_parts(found.shapes[0])[0].exterior
    assert ring.is_simple
    steps = np.hypot(*np.diff(np.asarray(ring.coords), axis=0).T)
    assert steps[steps < 1.0].max(initial=0.0) == 0.0, "it closes exactly"
    assert shapely.contains_xy(found.shapes[0], 0.0, 0.0)


def test_an_outline_across_the_seam_of_longitudes_goes_the_short_way(tmp_path: Path) -> None:
    corners = [(178.0, -85.0), (-178.0, -85.0), (-178.0, -86.0), (178.0, -86.0)]
    found = read(written(tmp_path / "a.gpkg", [shapely.Polygon(corners)], geographic_crs().to_wkt()))
    x_m, y_m = lonlat_to_xy(180.0, -85.5)
    assert shapely.contains_xy(found.shapes[0], x_m, y_m)
    one_degree_km = np.radians(1.0) * MOON_RADIUS_M / 1e3
    assert true_area_km2(found.shapes)[0] == pytest.approx(4 * one_degree_km**2 * np.sin(np.radians(4.5)), rel=1e-3)


@pytest.mark.filterwarnings(NO_CRS)
def test_straight_sides_keep_their_corners_alone(tmp_path: Path) -> None:
    corners = [(10.0, -85.0), (60.0, -85.0), (60.0, -88.0), (10.0, -88.0)]
    path = written(tmp_path / "a.geojson", [shapely.Polygon(corners)], None)
    x_m, y_m = lonlat_to_xy(*np.transpose(corners))
    found = read(path, straight=True)
    assert found.shapes[0].equals(shapely.MultiPolygon([shapely.Polygon(np.column_stack([x_m, y_m]))]))
    assert read(path).shapes[0].area > 1.05 * found.shapes[0].area, "the parallel bulges beyond its chord"


def test_wgs84_of_a_geojson_is_set_aside(tmp_path: Path) -> None:
    found = read(written(tmp_path / "a.geojson", [shapely.box(10.0, -86.0, 20.0, -85.0)], 4326))
    assert found.relabelled
    assert found.coordinates == "lunar longitude and latitude"
    x_m, y_m = lonlat_to_xy(15.0, -85.5)
    assert shapely.contains_xy(found.shapes[0], x_m, y_m)


def test_rings_that_cross_themselves_are_repaired_and_counted(tmp_path: Path) -> None:
    bow = shapely.Polygon([(0, 0), (2e3, 2e3), (2e3, 0), (0, 2e3)])
    flat = shapely.Polygon([(0, 0), (5e3, 0), (2e3, 0)])
    path = written(tmp_path / "a.gpkg", [bow, shapely.box(0, 0, 1e3, 1e3), flat, shapely.Polygon()])
    found = read(path)
    assert (found.read, found.repaired, found.empty) == (4, 1, 2)
    assert shapely.is_valid(found.shapes).all()
    assert map_area_km2(found.shapes) == pytest.approx([2.0, 1.0]), "two triangles of 1 km2 each"


@settings(deadline=None, max_examples=25)
@given(
    st.floats(-250e3, 250e3),
    st.floats(-250e3, 250e3),
    st.floats(500.0, 60e3),
    st.integers(3, 40),
    st.floats(0.0, 0.9),
)
def test_true_areas_agree_with_sums_over_small_pieces(
    x_m: float, y_m: float, radius_m: float, corners: int, hole: float
) -> None:
    angles = np.linspace(0.0, 2.0 * np.pi, corners, endpoint=False)
    rim = np.column_stack([x_m + radius_m * np.cos(angles), y_m + radius_m * np.sin(angles)])
    inner = (rim - (x_m, y_m)) * hole + (x_m, y_m)
    shape = shapely.Polygon(rim, [inner] if hole > 0.05 else [])
    # A fan of small triangles about the centre, each with the scale at its middle.
    steps = np.linspace(hole if hole > 0.05 else 0.0, 1.0, 61)
    total = 0.0
    spokes = rim - (x_m, y_m)
    for first, second in zip(spokes, np.roll(spokes, -1, axis=0), strict=True):
        wedge = abs(float(np.cross(np.r_[first, 0.0], np.r_[second, 0.0])[2])) / 2.0
        middle = (steps[1:] + steps[:-1]) / 2.0
        along = (np.arange(30) + 0.5) / 30
        place = middle[:, None, None] * (first + along[None, :, None] * (second - first)) + (x_m, y_m)
        scale = 1.0 + (place**2).sum(axis=-1) / (2.0 * MOON_RADIUS_M) ** 2
        total += wedge * float((np.diff(steps**2)[:, None] / 30 / scale**2).sum())
    assert true_area_km2(np.array([shape], dtype=object))[0] == pytest.approx(total / 1e6, rel=2e-4)


def test_areas_of_nothing_and_of_several_parts() -> None:
    two = shapely.MultiPolygon([shapely.box(0, 0, 1e3, 1e3), shapely.box(3e3, 0, 4e3, 2e3)])
    assert true_area_km2(np.array([two, shapely.box(0, 0, 1e3, 1e3)], dtype=object)) == pytest.approx(
        [3.0, 1.0], rel=1e-4
    )
    assert true_area_km2(np.array([], dtype=object)).size == 0


def _lines(path: Path) -> Path:
    return written(path, [shapely.LineString([(0, 0), (1, 1)])])


def _no_number(path: Path) -> Path:
    ring = np.array([(0.0, 0.0), (1e3, 0.0), (np.nan, 1e3), (0.0, 0.0)])
    with np.errstate(invalid="ignore"):
        return written(path, [shapely.polygons(shapely.linearrings(ring, handle_nan="allow"))])


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "lines": (lambda path: _lines(path / "a.gpkg"), "holds LineString, needs polygons"),
    "nan": (lambda path: _no_number(path / "a.gpkg"), "feature 0 has a point that is no number"),
    "earth": (lambda path: written(path / "a.gpkg", [shapely.box(0, 0, 1, 1)], 3031), "not on the Moon's sphere"),
    "bare": (lambda path: written(path / "a.gpkg", [shapely.box(0, 0, 1, 1)], None), "has no CRS"),
    "metres": (lambda path: written(path / "a.geojson", [shapely.box(0, -9e3, 9, 9)], None), "no longitude and lati"),
    "missing": (lambda path: path / "a.gpkg", "does not exist as a file"),
}


@pytest.mark.filterwarnings(NO_CRS)
@pytest.mark.parametrize("case", REFUSED)
def test_files_that_cannot_be_used_are_refused(case: str, tmp_path: Path) -> None:
    make, words = REFUSED[case]
    with pytest.raises(LocalError, match=words) as error:
        read(make(tmp_path))
    assert str(error.value).startswith(f"here: {tmp_path}")


def test_points_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.gpkg", [disc(3.0)], geographic_crs().to_wkt())
    monkeypatch.setattr(shapes, "MOST_POINTS", 800)
    with pytest.raises(LocalError, match="too long for the Moon"):
        read(path)
    monkeypatch.setattr(shapes, "MOST_POINTS", 100)
    with pytest.raises(LocalError, match="has 724 points, at most 100"):
        read(path)


@pytest.mark.parametrize(("suffix", "cut"), [(".shp", 40), (".shx", 8), (".dbf", 9), (".dbf", 10_000)])
def test_a_shapefile_that_is_cut_off_is_refused(tmp_path: Path, suffix: str, cut: int) -> None:
    path = written(tmp_path / "a.shp", [shapely.box(0, 0, 1e3, 1e3), shapely.box(2e3, 0, 3e3, 1e3)])
    files = {one.name: one for one in tmp_path.iterdir()}
    part = path.with_suffix(suffix)
    whole = part.read_bytes()
    part.write_bytes(whole[:-cut])
    with pytest.raises(LocalError, match=f"a{suffix} (has|is cut)"):
        vector_file(files, "product")
    part.write_bytes(whole + b"\x00\x00")
    with pytest.raises(LocalError, match=f"a{suffix} has"):
        vector_file(files, "product")


def test_parts_of_two_shapefiles_are_told_apart(tmp_path: Path) -> None:
    path = written(tmp_path / "a.shp", [shapely.box(0, 0, 1e3, 1e3), shapely.box(2e3, 0, 3e3, 1e3)])
    other = written(tmp_path / "b.shp", [shapely.box(0, 0, 1e3, 1e3)])
    path.with_suffix(".dbf").write_bytes(other.with_suffix(".dbf").read_bytes())
    with pytest.raises(LocalError, match="its table has 1 rows, its index 2 shapes"):
        vector_file({path.name: path}, "product")


@pytest.mark.parametrize(("suffix", "what"), [(".prj", "coordinate system"), (".shx", "index"), (".dbf", "table")])
def test_parts_of_a_shapefile_must_be_there(tmp_path: Path, suffix: str, what: str) -> None:
    path = written(tmp_path / "a.shp", [shapely.box(0, 0, 1e3, 1e3)])
    files = {one.name: one for one in tmp_path.iterdir()}
    assert vector_file(files, "product") == path
    path.with_suffix(suffix).unlink()
    with pytest.raises(LocalError, match=rf"its {what} \(a{suffix}\) is missing"):
        vector_file(files, "product")
    with pytest.raises(LocalError, match="needs one vector file"):
        vector_file({}, "product")


def test_suffixes_may_be_in_capitals(tmp_path: Path) -> None:
    path = written(tmp_path / "a.shp", [shapely.box(0, 0, 1e3, 1e3)])
    for part in list(tmp_path.iterdir()):
        part.rename(part.with_suffix(part.suffix.upper()))
    found = vector_file({one.name: one for one in tmp_path.iterdir()}, "product")
    assert found.suffix == ".SHP"
    assert map_area_km2(read(path.with_suffix(".SHP")).shapes) == pytest.approx([1.0])


def test_outlines_of_shadow_are_those_of_the_layout_and_the_validation_reads_them(tmp_path: Path) -> None:
    truth = made.shadows(HALF_M)
    found = read_psr_polygons(made.unpacked("psr_polygons_south", tmp_path, HALF_M), GRID)
    frame = found.frame
    assert list(frame["psr_id"]) == list(truth["PSR_ID"])
    assert frame["area_km2"].iloc[:-1].to_numpy() == pytest.approx(truth.area.iloc[:-1].to_numpy() / 1e6, rel=1e-6)
    assert (frame["true_area_km2"] < frame["area_km2"]).all()
    assert (found.read.repaired, found.read.coordinates) == (1, "the polar map")
    assert found.listed_ratio == pytest.approx(1.0, abs=1e-6)
    x_m, y_m = lonlat_to_xy(frame["lon_deg"].to_numpy(), frame["lat_deg"].to_numpy())
    assert np.hypot(x_m - frame.centroid.x, y_m - frame.centroid.y).max() < 0.01
    target = tmp_path / "out" / "psr.gpkg"
    write_outlines(target, frame, "south")
    first = target.read_bytes()
    write_outlines(target, frame, "south")
    assert target.read_bytes() == first, "the same outlines are the same bytes"
    reference = read_reference(target, GRID)
    assert reference.area.sum() / 1e6 == pytest.approx(frame["area_km2"].sum())


def test_outlines_of_another_place_are_refused(tmp_path: Path) -> None:
    receipt = made.unpacked("psr_polygons_south", tmp_path, HALF_M)
    with pytest.raises(LocalError, match="none of its 9 outlines touches the run's map"):
        read_psr_polygons(receipt, Grid(200_000.0, 224_000.0, 240.0, 100, 100))


def test_areas_in_another_unit_are_told(tmp_path: Path) -> None:
    frame = made.shadows(HALF_M).assign(AREA_KM2=lambda one: one["AREA_KM2"] * 100.0)
    made._zipped_shapefile(tmp_path / "a.zip", frame, "a")
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        packed.extractall(tmp_path)
    receipt = made.receipt_of("psr_polygons_south", tmp_path)
    assert set(download.files(receipt, DOWNLOAD)) >= {"a.shp", "a.prj"}
    found = read_psr_polygons(receipt, GRID)
    assert found.listed_ratio == pytest.approx(100.0, rel=1e-6)
