from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS

from lunarsite.grid import Grid, geographic_crs, is_lunar, lonlat_to_xy, lunar_crs, turned_crs, xy_to_lonlat
from lunarsite.source.kinds import LocalError
from lunarsite.source.local import HEIGHT_ERROR, ICE_DEPTH, TEMPERATURE, Quantity, opened

GRID = Grid(-4_800.0, 4_800.0, 240.0, 40, 40)
# How GeoTIFF gives the polar map back: a standard parallel instead of the scale at the pole.
OTHER_WRITING = "+proj=stere +lat_0=-90 +lat_ts=-90 +lon_0=0 +x_0=0 +y_0=0 +R=1737400 +units=m +no_defs"


def write(path: Path, values: np.ndarray, affine: Affine, crs: object = None, **profile: object) -> Path:
    scale, offset = profile.pop("scale", None), profile.pop("offset", None)
    bands = values[None] if values.ndim == 2 else values
    options = {"driver": "GTiff", "width": bands.shape[2], "height": bands.shape[1], "count": bands.shape[0]}
    options |= {"dtype": values.dtype.name, "transform": affine, "crs": lunar_crs() if crs is None else crs}
    with rasterio.open(path, "w", **(options | profile)) as dataset:
        dataset.write(bands)
        if scale is not None:
            dataset.scales, dataset.offsets = (scale,), (offset,)
    return path


def read(path: Path, grid: Grid = GRID) -> tuple[np.ndarray, object]:
    with opened(path, grid, "source.local.dem") as raster:
        return raster.read(), raster.reading


def plane(grid: Grid) -> np.ndarray:
    return (500.0 + 0.1 * grid.x_m()[None, :] - 0.05 * grid.y_m()[:, None]).astype(np.float32)


@pytest.mark.parametrize("crs", [None, CRS.from_string(OTHER_WRITING)])
def test_own_grid_is_copied_exactly(tmp_path, crs: object) -> None:
    values = np.random.default_rng(1).normal(0, 1_000, GRID.shape).astype(np.float32)
    values[3, 5] = np.nan
    found, reading = read(write(tmp_path / "dem.tif", values, GRID.affine, crs, nodata=np.nan))
    assert reading.method == "copied"
    assert np.array_equal(found, values, equal_nan=True)


def test_integers_get_scale_offset_and_nodata(tmp_path) -> None:
    stored = np.arange(1600, dtype=np.int16).reshape(40, 40)
    stored[0, 0] = -32768
    path = write(tmp_path / "dem.tif", stored, GRID.affine, nodata=-32768, scale=0.5, offset=-100.0)
    found, reading = read(path)
    assert (reading.method, reading.scale, reading.offset) == ("copied", 0.5, -100.0)
    assert np.isnan(found[0, 0])
    assert found[1, 0] == 0.5 * 40 - 100.0
    assert np.isnan(found).sum() == 1


def test_a_larger_file_is_cut_and_a_smaller_one_padded(tmp_path) -> None:
    larger = Grid(-7_200.0, 9_600.0, 240.0, 90, 80)
    found, reading = read(write(tmp_path / "large.tif", plane(larger), larger.affine))
    assert reading.method == "copied"
    assert np.array_equal(found, plane(GRID))
    smaller = Grid(-2_400.0, 2_400.0, 240.0, 10, 12)
    found, reading = read(write(tmp_path / "small.tif", plane(smaller), smaller.affine))
    assert reading.method == "copied"
    assert np.isfinite(found).sum() == 120
    assert np.array_equal(found[10:20, 10:22], plane(GRID)[10:20, 10:22])


def test_finer_files_are_averaged(tmp_path) -> None:
    fine = Grid(-4_800.0, 4_800.0, 40.0, 240, 240)
    values = np.random.default_rng(2).normal(0, 100, fine.shape).astype(np.float32)
    found, reading = read(write(tmp_path / "fine.tif", values, fine.affine))
    assert reading.method == "averaged"
    assert reading.file_pixels == pytest.approx(6.0, rel=1e-3)
    assert np.allclose(found, values.reshape(40, 6, 40, 6).mean(axis=(1, 3)), atol=1e-3)
    assert "averaged" in str(reading)


def test_coarser_files_are_interpolated(tmp_path) -> None:
    coarse = Grid(-9_600.0, 9_600.0, 480.0, 40, 40)
    found, reading = read(write(tmp_path / "coarse.tif", plane(coarse), coarse.affine))
    assert reading.method == "interpolated"
    assert np.allclose(found, plane(GRID), atol=0.05)


def test_shifted_pixels_are_not_passed_off_as_the_grid_s(tmp_path) -> None:
    shifted = Grid(-9_600.0 + 60.0, 9_600.0, 240.0, 80, 80)
    found, reading = read(write(tmp_path / "shifted.tif", plane(shifted), shifted.affine))
    assert reading.method == "interpolated"
    assert np.allclose(found, plane(GRID), atol=0.05)


def test_longitude_and_latitude_are_sound_across_the_seam_and_the_pole(tmp_path) -> None:
    step = 1.0 / 16.0
    lon = np.arange(-180.0, 180.0, step) + 0.5 * step
    lat = np.arange(-80.0, -90.0, -step) - 0.5 * step

    def truth(lon_deg: np.ndarray, lat_deg: np.ndarray) -> np.ndarray:
        return 5_000.0 * np.cos(np.radians(lon_deg)) * np.cos(np.radians(lat_deg)) + 100.0 * (lat_deg + 85.0)

    values = truth(lon[None, :], lat[:, None]).astype(np.float32)
    path = write(
        tmp_path / "geo.tif",
        values,
        Affine(step, 0.0, -180.0, 0.0, -step, -80.0),
        CRS.from_authority("IAU_2015", 30100),
    )
    for x_min_m, y_max_m, pixel_m, method in (
        (-192_000.0, 192_000.0, 4_800.0, "averaged"),
        (-19_200.0, 19_200.0, 480.0, "averaged"),
        (-9_600.0, -200_000.0, 240.0, "interpolated"),
    ):
        grid = Grid(x_min_m, y_max_m, pixel_m, 81, 81)
        found, reading = read(path, grid)
        lon_deg, lat_deg = xy_to_lonlat(grid.x_m()[None, :], grid.y_m()[:, None])
        assert reading.method == method
        assert np.abs(found - truth(lon_deg, lat_deg)).max() < 5.0


def test_undeclared_nan_does_not_spread_into_averages(tmp_path) -> None:
    fine = Grid(-4_800.0, 4_800.0, 80.0, 120, 120)
    values = np.full(fine.shape, 7.0, dtype=np.float32)
    values[60, 60] = np.nan
    found, _ = read(write(tmp_path / "fine.tif", values, fine.affine))
    assert np.array_equal(found, np.full(GRID.shape, 7.0, dtype=np.float32))


def test_blocks_are_windows_of_the_whole(tmp_path) -> None:
    tall = Grid(0.0, 0.0, 10.0, 1_300, 3)
    path = write(tmp_path / "tall.tif", plane(tall), tall.affine)
    with opened(path, tall, "source.local.dem") as raster:
        parts = list(raster.blocks())
    assert len(parts) > 2
    assert np.array_equal(np.concatenate([values for _, values in parts]), plane(tall))


EARTH = CRS.from_epsg(3031)
MARS = CRS.from_string("+proj=stere +lat_0=-90 +R=3396190 +units=m +no_defs")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"crs": EARTH}, "not on the Moon's sphere"),
        ({"crs": MARS}, "not on the Moon's sphere"),
        ({"crs": CRS()}, "has no CRS.*gdal_edit"),
        ({"affine": Affine(240.0, 0.0, 1e6, 0.0, -240.0, 1e6)}, "does not overlap"),
        ({"values": np.full((40, 40), np.nan, np.float32)}, "no valid height"),
        ({"values": np.full((40, 40), 1_737_400.0, np.float32)}, "is it a radius"),
        ({"values": np.zeros((2, 40, 40), np.float32)}, "has 2 bands"),
        ({"values": np.zeros((40, 40), np.complex64)}, "complex64"),
    ],
)
def test_files_that_cannot_be_used_are_refused_with_field_file_and_mend(tmp_path, change: dict, word: str) -> None:
    call = {"values": plane(GRID), "affine": GRID.affine, "crs": None} | change
    path = write(tmp_path / "dem.tif", call["values"], call["affine"], call["crs"])
    with pytest.raises(LocalError, match=word) as error:
        read(path)
    assert str(error.value).startswith(f"source.local.dem: {path}")


def test_no_georeference_is_refused(tmp_path) -> None:
    path = tmp_path / "plain.tif"
    with (
        pytest.warns(rasterio.errors.NotGeoreferencedWarning),
        rasterio.open(
            path, "w", driver="GTiff", width=4, height=4, count=1, dtype="float32", crs=lunar_crs()
        ) as dataset,
    ):
        dataset.write(np.zeros((1, 4, 4), np.float32))
    with pytest.raises(LocalError, match="not georeferenced"):
        read(path)


def test_missing_foreign_and_truncated_files_are_refused(tmp_path) -> None:
    with pytest.raises(LocalError, match="does not exist"):
        read(tmp_path / "absent.tif")
    text = tmp_path / "text.tif"
    text.write_text("no raster", encoding="utf-8")
    with pytest.raises(LocalError, match="no readable raster"):
        read(text)
    whole = write(tmp_path / "whole.tif", plane(GRID), GRID.affine)
    cut = tmp_path / "cut.tif"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(LocalError):
        read(cut)


@pytest.mark.parametrize(("first_lon_deg", "width_deg"), [(0.0, 360), (-90.0, 360), (170.0, 20), (200.0, 20)])
def test_files_that_count_longitude_to_360_are_read_whole(tmp_path, first_lon_deg: float, width_deg: int) -> None:
    step = 1.0 / 16.0
    lon = first_lon_deg + (np.arange(width_deg * 16) + 0.5) * step
    lat = -86.0 - (np.arange(32) + 0.5) * step
    values = (1_000.0 * np.cos(np.radians(lon))[None, :] + 100.0 * (lat + 86.0)[:, None]).astype(np.float32)
    affine = Affine(step, 0.0, first_lon_deg, 0.0, -step, -86.0)
    path = write(tmp_path / "geo.tif", values, affine, CRS.from_authority("IAU_2015", 30100))
    grid = Grid(-124_800.0, 124_800.0, 2_400.0, 104, 104)
    found, _ = read(path, grid)
    lon_deg, lat_deg = xy_to_lonlat(grid.x_m()[None, :], grid.y_m()[:, None])
    inside = (lat_deg < -86.1) & (lat_deg > -87.9) & ((lon_deg - first_lon_deg) % 360.0 < width_deg - 1.0)
    inside &= (lon_deg - first_lon_deg) % 360.0 > 1.0
    assert np.isfinite(found[inside]).all()
    truth = 1_000.0 * np.cos(np.radians(lon_deg)) + 100.0 * (lat_deg + 86.0)
    assert np.abs(found - truth)[inside].max() < 12.0


@pytest.mark.parametrize("pole", ["south", "north"])
def test_a_turned_crs_is_the_same_map(pole: str) -> None:
    sign = 1.0 if pole == "north" else -1.0
    lon_deg, lat_deg = np.array([10.0, 179.0, 200.0, -90.0]), sign * np.array([81.0, 85.0, 89.9, 70.0])
    turned = turned_crs(205.0, pole)
    transform = Transformer.from_crs(geographic_crs(), turned.to_wkt(), always_xy=True)
    found = transform.transform(lon_deg - 205.0, lat_deg)
    assert np.allclose(found, lonlat_to_xy(lon_deg, lat_deg, pole), atol=1e-3)
    assert is_lunar(turned)


@pytest.mark.parametrize(
    ("quantity", "value", "word"),
    [
        (TEMPERATURE, -160.0, r"allowed are 0..500 K; is it in degrees Celsius"),
        (ICE_DEPTH, -9_999.0, r"allowed are 0..1000 m; .* is a no-data value"),
        (HEIGHT_ERROR, -3.0, r"allowed are 0..5000 m"),
    ],
)
def test_every_quantity_has_its_range_and_unit(tmp_path, quantity: Quantity, value: float, word: str) -> None:
    path = write(tmp_path / "layer.tif", np.full(GRID.shape, value, np.float32), GRID.affine)
    with opened(path, GRID, "source.local.layer", quantity) as raster, pytest.raises(LocalError, match=word):
        raster.read()
    fine = write(tmp_path / "sound.tif", np.full(GRID.shape, 100.0, np.float32), GRID.affine)
    with opened(fine, GRID, "source.local.layer", quantity) as raster:
        assert str(raster.reading).endswith(f"; {quantity.name} = number x 1 + 0 {quantity.unit}")
        assert float(raster.read().max()) == 100.0
