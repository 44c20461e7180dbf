"""ShadowCam: averages are the ground's, no data never leaks in, and frames keep their times."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.artefact.images import Credit
from lunarsite.grid import Grid
from lunarsite.source.images import shadowcam
from lunarsite.source.images.members import ImageSet, below
from lunarsite.source.kinds import LocalError
from lunarsite.source.local import opened
from tests.layouts.images import FRAMES, LOWEST, SHADOWCAM_PIXEL_M, composite, write_composite, write_frames

CREDIT = Credit(title="ShadowCam", licence="CC BY 4.0", citation="Robinson et al.")
RUN = Grid(-4_800.0, 4_800.0, 960.0, 10, 10)
X_MIN_M, Y_MAX_M, SIDE_PX = -300.5, 800.25, 500


def image_set(folder: Path) -> ImageSet:
    return below(folder, CREDIT, "shadowcam")


def averaged(path: Path, pixel_m: float = 20.0) -> tuple[Grid, np.ndarray]:
    grid = shadowcam.snapped_grid(path, RUN, pixel_m, "shadowcam")
    with opened(path, grid, "shadowcam", shadowcam.BRIGHTNESS) as raster:
        return grid, raster.read()


def declare(path: Path, text: bytes) -> None:
    """Change how a file writes down its no-data value, in the file's bytes."""
    data, old = path.read_bytes(), repr(LOWEST).encode()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, text.ljust(len(old), b"\0")))


@pytest.mark.parametrize("declared", [b"-1.7976931348623157e+308", b"-1.79769313486232e+308"])
def test_composites_are_averaged_area_by_area_without_no_data(tmp_path, declared: bytes) -> None:
    """The second writing is lower than the lowest number: GDAL takes it for minus infinity."""
    path = write_composite(tmp_path / "topillum-avg.tif", "topillum-avg", X_MIN_M, Y_MAX_M, SIDE_PX)
    declare(path, declared)
    grid, found = averaged(path)
    assert (grid.pixel_m, grid.x_min_m % 20.0, grid.y_max_m % 20.0) == (20.0, 0.0, 0.0)
    assert X_MIN_M - 20.0 < grid.x_min_m <= X_MIN_M
    assert Y_MAX_M <= grid.y_max_m < Y_MAX_M + 20.0
    wanted = composite(grid.x_m()[None, :], grid.y_m()[:, None], "topillum-avg")
    left_m = X_MIN_M + SHADOWCAM_PIXEL_M * (SIDE_PX // 10)
    right_m, bottom_m = X_MIN_M + SIDE_PX * SHADOWCAM_PIXEL_M, Y_MAX_M - SIDE_PX * SHADOWCAM_PIXEL_M
    x_m, y_m = np.meshgrid(grid.x_m(), grid.y_m())
    inside = (x_m - 10 >= left_m) & (x_m + 10 <= right_m) & (y_m + 10 <= Y_MAX_M) & (y_m - 10 >= bottom_m)
    assert inside.sum() > 1_000
    # A plane's mean over a pixel is its middle's value; pixels that the no-data strip cuts are the mean of the rest.
    assert np.abs(found - wanted)[inside].max() < 1e-6
    outside = (x_m + 10 < left_m) | (y_m - 10 > Y_MAX_M)
    assert np.isnan(found[outside]).all()
    present = found[np.isfinite(found)]
    assert 0.0 < present.min() <= present.max() < 0.09


def test_no_data_on_the_own_pixels_is_found_however_it_is_declared(tmp_path) -> None:
    path = write_composite(tmp_path / "a.tif", "topillum-avg", X_MIN_M, Y_MAX_M, 50)
    declare(path, b"-1.79769313486232e+308")
    grid, found = averaged(path, 1.0)
    assert grid.pixel_m == SHADOWCAM_PIXEL_M  # coarser than wanted: kept
    assert np.isnan(found).sum() == 50 * 5


def test_undeclared_no_data_is_refused(tmp_path) -> None:
    path = write_composite(tmp_path / "a.tif", "topillum-avg", X_MIN_M, Y_MAX_M, 50)
    with rasterio.open(path, "r+") as dataset:
        dataset.nodata = None
    with pytest.raises(LocalError, match="is its no-data value declared"):
        averaged(path, 1.0)


def test_a_composite_elsewhere_and_a_far_run_are_told(tmp_path) -> None:
    path = write_composite(tmp_path / "a.tif", "topillum-avg", 30_000.0, 0.0, 50)
    with pytest.raises(LocalError, match="does not overlap"):
        averaged(path)


def test_parts_are_found_by_name(tmp_path) -> None:
    for part in ("topillum-avg", "bottomillum-avg"):
        write_composite(tmp_path / "deep" / f"{part}.tif", part, X_MIN_M, Y_MAX_M, 20)
    assert shadowcam.part_of(image_set(tmp_path), "bottomillum-avg").name == "bottomillum-avg.tif"
    with pytest.raises(
        LocalError, match="holds 0 rasters called 'left', needed is one; there are bottomillum-avg, top"
    ):
        shadowcam.part_of(image_set(tmp_path), "left")


def test_frames_keep_their_times_and_places(tmp_path) -> None:
    images = image_set(write_frames(tmp_path))
    frames = shadowcam.frames_of(images)
    assert [frame.name for frame in frames] == [name for name, *_ in FRAMES]
    assert frames[0].utc == dt.datetime(2022, 12, 30, 6, 55, 7, 9662, tzinfo=dt.UTC)
    # Longitudes beyond 180 come back from the west.
    assert frames[2].subsolar_lon_deg == pytest.approx(-3.961)
    assert frames[2].subsolar_lat_deg == -1.474
    grids = shadowcam.frame_grids(frames, RUN, 60.0, "shadowcam")
    arrays = list(shadowcam.frame_arrays(frames, grids, "shadowcam"))
    for frame, grid, values in zip(frames, grids, arrays, strict=True):
        with rasterio.open(frame.path) as dataset:
            stored = dataset.read(1)
            assert (grid.x_min_m, grid.y_max_m) == (dataset.transform.c, dataset.transform.f)
        rows, cols = int(values["rows"][0]), int(values["cols"][0])
        assert (rows, cols) == stored.shape
        assert values["brightness"].shape == (1, 38, 50)
        assert np.array_equal(values["brightness"][0, :rows, :cols], stored, equal_nan=True)
        assert np.isnan(values["brightness"][0, rows:]).all()
    assert arrays[0]["utc"][0] == "2022-12-30T06:55:07.009662Z"


def test_frames_are_averaged_onto_coarser_pixels(tmp_path) -> None:
    frames = shadowcam.frames_of(image_set(write_frames(tmp_path)))[:1]
    grids = shadowcam.frame_grids(frames, RUN, 120.0, "shadowcam")
    (values,) = shadowcam.frame_arrays(frames, grids, "shadowcam")
    with rasterio.open(frames[0].path) as dataset:
        stored = dataset.read(1).astype(np.float64)
    blocks = stored.reshape(15, 2, 25, 2)[:, :, 13:]
    assert grids[0].shape == (15, 25)
    assert np.allclose(values["brightness"][0, :, 13:], blocks.mean(axis=(1, 3)), rtol=1e-6)


def test_table_and_images_must_agree(tmp_path) -> None:
    write_frames(tmp_path)
    (tmp_path / "M013049982S.60m.tif").rename(tmp_path / "other.tif")
    with pytest.raises(LocalError, match=r"of 3 frames 1 are not there \(M013.*\), and of 1 images it does not tell"):
        shadowcam.frames_of(image_set(tmp_path))
    (tmp_path / "images.csv").unlink()
    with pytest.raises(LocalError, match=r"holds 0 tables images\.csv"):
        shadowcam.frames_of(image_set(tmp_path))


HEAD = "file,utc,subsolar_lat_deg,subsolar_lon_deg\n"
ROW = "a.tif,2023-01-03T00:07:43+00:00,-1.4,49.1\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,utc\n", "lacks the columns"),
        (HEAD, "no frames"),
        (HEAD + ROW + ROW, "names twice: a"),
        (HEAD + "a.tif,yesterday,-1.4,49.1\n", "line 2: .*ISO 8601"),
        (HEAD + "a.tif,0001-01-01T00:00+14:00,-1.4,49.1\n", "line 2: "),
        (HEAD + "a.tif,2019-01-03,-1.4,49.1\n", "before ShadowCam flew"),
        (HEAD + "a.tif,2023-01-03,-84.7,49.1\n", "the Sun is never overhead at latitude -84.7"),
        (HEAD + "a.tif,2023-01-03,nan,49.1\n", "the Sun is never"),
        (HEAD + "a.tif,2023-01-03,-1.4,400\n", "the Sun is never"),
        (HEAD + "a.tif,2023-01-03,-1.4\n", "another number of values"),
        (HEAD + "a.tif,2023-01-03,-1.4,49.1,5\n", "another number of values"),
        (HEAD + "a.img,2023-01-03,-1.4,49.1\n", "no GeoTIFF's name"),
        (HEAD + '"a.tif', "no readable CSV"),
    ],
)
def test_broken_tables_are_refused(text: str, message: str) -> None:
    with pytest.raises(LocalError, match=message):
        shadowcam.parse_frames(text.encode(), "table")


def test_times_of_other_zones_become_utc() -> None:
    rows = shadowcam.parse_frames((HEAD + "x/a.tif,2023-01-03T02:07:43+02:00,-1.4,270\n").encode(), "table")
    assert rows == [("a.tif", dt.datetime(2023, 1, 3, 0, 7, 43, tzinfo=dt.UTC), -90.0, -1.4)]


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: (HEAD + text).encode())))
def test_any_bytes_are_frames_or_the_declared_error(data: bytes) -> None:
    with suppress(LocalError):
        assert shadowcam.parse_frames(data, "table")
