"""Rasters of products: which file it is, labelled images to the last pixel, and refusals with the way out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lunarsite.artefact import ArtefactError
from lunarsite.grid import Grid, is_polar_map, xy_to_lonlat
from lunarsite.source import local
from lunarsite.source.local import HEIGHT, placed
from lunarsite.source.published.rasters import PublishedError, Source, opened
from tests.layouts import rasters
from tests.layouts.tables import receipt_of

GRID = Grid(-4_800.0, 4_800.0, 240.0, 40, 40)
FAR = "lola_dem_60s_240m"
ROLE = "source.published.far_dem"


def heights(grid: Grid = GRID, seed: int = 3) -> np.ndarray:
    return 0.5 * np.random.default_rng(seed).integers(-16_000, 16_000, grid.shape)


def on_grid(source: Source, grid: Grid) -> np.ndarray:
    with placed(source.dataset, source.path, grid, source.field) as raster:
        return raster.read()


def image(folder: Path, grid: Grid = GRID, **changes: str) -> Path:
    rasters.write_img(folder / "LDEM_60S_240M.IMG", grid, heights(grid), **changes)
    return receipt_of(FAR, folder)


def test_a_raw_image_is_read_to_the_last_pixel_where_its_label_puts_it(tmp_path: Path) -> None:
    with opened(image(tmp_path), ROLE) as source:
        assert is_polar_map(source.dataset.crs)
        assert source.dataset.transform == GRID.affine
        with placed(source.dataset, source.path, GRID, source.field) as raster:
            assert raster.reading.method == "copied"
            assert np.array_equal(raster.read(), heights())
        assert source.field == f"{ROLE} ({FAR})"
        assert "LRO-L-LOLA-4-GDR-V1.0" in source.citation


def test_a_pole_between_pixels_is_not_taken_for_one_on_a_pixel(tmp_path: Path) -> None:
    """The offset of the published labels, (lines - 1) / 2, has the pole in the middle of the file."""
    slope = Grid(-4_800.0, 4_800.0, 240.0, 40, 40)
    plane = np.broadcast_to(np.round(0.1 * slope.x_m()), slope.shape)
    rasters.write_img(tmp_path / "LDEM_60S_240M.IMG", slope, plane)
    receipt = receipt_of(FAR, tmp_path)
    finer = Grid(-2_400.0, 2_400.0, 60.0, 80, 80)
    with opened(receipt, ROLE) as source:
        found = on_grid(source, finer)
    expected = 0.1 * finer.x_m()
    assert np.abs(found - expected).max() < 0.5 + 1e-3  # numbers are half metres; half a pixel would be 12 m
    assert abs(float((found - expected).mean())) < 1e-3


@pytest.mark.parametrize(
    ("kind", "bits", "dtype"), [("MSB_INTEGER", "16", ">i2"), ("PC_REAL", "32", "<f4"), ("IEEE_REAL", "64", ">f8")]
)
def test_orders_of_bytes_types_and_missing_data(tmp_path: Path, kind: str, bits: str, dtype: str) -> None:
    numbers = heights().astype(dtype)
    numbers[2, 3] = -32_768
    path = tmp_path / "LDEM_60S_240M.IMG"
    with path.open("wb") as file:
        file.write(b"head")
        numbers.tofile(file)
    missing = f"{bits}\n  MISSING_CONSTANT = -32768"
    changes = {
        "SAMPLE_TYPE": kind,
        "SAMPLE_BITS": missing,
        "SCALING_FACTOR": "1",
        "^IMAGE": f'("{path.name}", 5 <BYTES>)',
    }
    path.with_suffix(".LBL").write_text(rasters.label_text(path.name, GRID, **changes), encoding="ascii")
    with opened(receipt_of(FAR, tmp_path), ROLE) as source:
        found = on_grid(source, GRID)
    expected = heights().astype(np.float32)
    expected = np.trunc(expected) if "INTEGER" in kind else expected
    expected[2, 3] = np.nan
    assert np.array_equal(found, expected, equal_nan=True)


def test_a_label_beside_jpeg_2000_gives_the_same_heights(tmp_path: Path) -> None:
    rasters.write_jp2(tmp_path / "LDEM_60S_240M.JP2", GRID, heights())
    with opened(receipt_of(FAR, tmp_path), ROLE) as source:
        assert np.array_equal(on_grid(source, GRID), heights())


def test_cylindrical_maps_come_onto_the_polar_map(tmp_path: Path) -> None:
    step = 1.0 / 16.0
    lat = -70.0 - step * (np.arange(320) + 0.5)
    lon = step * (np.arange(5_760) + 0.5)
    ground = 2_000.0 * np.cos(np.radians(lon))[None, :] + 100.0 * (lat + 80.0)[:, None]
    square = Grid(0.0, 0.0, 1.0, 320, 5_760)
    changes = {
        "MAP_PROJECTION_TYPE": '"SIMPLE CYLINDRICAL"',
        "MAP_RESOLUTION": "16 <pix/deg>",
        "CENTER_LATITUDE": "0 <deg>",
        "CENTER_LONGITUDE": "180 <deg>",
        "LINE_PROJECTION_OFFSET": f"{-70.0 * 16 - 0.5} <pix>",
        "SAMPLE_PROJECTION_OFFSET": "2879.5 <pix>",
    }
    rasters.write_img(tmp_path / "LDEM_60S_240M.IMG", square, ground, **changes)
    grid = Grid(100_000.0, -120_000.0, 960.0, 30, 30)
    with opened(receipt_of(FAR, tmp_path), ROLE) as source:
        found = on_grid(source, grid)
    lon_deg, lat_deg = xy_to_lonlat(grid.x_m()[None, :], grid.y_m()[:, None])
    expected = 2_000.0 * np.cos(np.radians(lon_deg)) + 100.0 * (lat_deg + 80.0)
    assert np.abs(found - expected).max() < 3.0


@pytest.mark.parametrize(
    "pointer",
    ["../LDEM_60S_240M.IMG", "/etc/passwd", "LDEM_60S_240M.LBL", "receipt.json", "OTHER.IMG", "/vsicurl/x.IMG"],
)
def test_a_label_points_to_images_of_its_product_alone(tmp_path: Path, pointer: str) -> None:
    with (
        pytest.raises(PublishedError, match=r"which is no image \(.IMG, .JP2\) of this product"),
        opened(image(tmp_path, **{"^IMAGE": f'"{pointer}"'}), ROLE),
    ):
        pass


@pytest.mark.parametrize("change", [-1, 1, 4_000])
def test_an_image_of_another_size_than_the_label_s_is_refused(tmp_path: Path, change: int) -> None:
    path = rasters.write_img(tmp_path / "LDEM_60S_240M.IMG", GRID, heights(), RECORD_BYTES="1").with_suffix(".IMG")
    content = path.read_bytes()
    path.write_bytes(content[:change] if change < 0 else content + bytes(change))
    with (
        pytest.raises(PublishedError, match=r"tells of 3200 bytes .40 x 40 numbers of 16 bits.*another version"),
        opened(receipt_of(FAR, tmp_path), ROLE),
    ):
        pass


def test_a_last_record_may_be_filled_up(tmp_path: Path) -> None:
    path = rasters.write_img(tmp_path / "LDEM_60S_240M.IMG", GRID, heights(), RECORD_BYTES="512").with_suffix(".IMG")
    path.write_bytes(path.read_bytes() + bytes(512 - 3_200 % 512))
    with opened(receipt_of(FAR, tmp_path), ROLE) as source:
        assert np.array_equal(on_grid(source, GRID), heights())


@pytest.mark.parametrize("change", [{"LINES": "41"}, {"SAMPLE_TYPE": "LSB_UNSIGNED_INTEGER"}])
def test_a_packed_image_that_is_not_the_label_s_is_refused(tmp_path: Path, change: dict[str, str]) -> None:
    label = rasters.write_jp2(tmp_path / "LDEM_60S_240M.JP2", GRID, heights())
    label.write_text(rasters.label_text("LDEM_60S_240M.JP2", GRID, packed=True, **change), encoding="ascii")
    with pytest.raises(PublishedError, match="the label tells of"), opened(receipt_of(FAR, tmp_path), ROLE):
        pass


def test_what_calls_itself_jpeg_2000_is_looked_at(tmp_path: Path) -> None:
    label = rasters.write_jp2(tmp_path / "LDEM_60S_240M.JP2", GRID, heights())
    rasters.write_tiff(label.with_suffix(".JP2"), GRID, heights().astype(np.int16))
    with pytest.raises(PublishedError, match="is no JPEG 2000 image"), opened(receipt_of(FAR, tmp_path), ROLE):
        pass


def test_a_broken_label_is_refused_with_product_file_and_way_out(tmp_path: Path) -> None:
    receipt = image(tmp_path, A_AXIS_RADIUS="3396.19 <km>")
    with pytest.raises(PublishedError) as error, opened(receipt, ROLE):
        pass
    assert str(error.value).startswith(
        f"{ROLE} ({FAR}): {tmp_path / 'LDEM_60S_240M.LBL'}: A_AXIS_RADIUS is 3.39619e+06"
    )
    assert "source.kind: local" in str(error.value)


def test_what_is_found_while_reading_names_the_way_out_once(tmp_path: Path) -> None:
    rasters.write_tiff(tmp_path / "LDEM_80S_80MPP_ADJ.TIF", GRID, np.full(GRID.shape, 1_737_400.0, np.float32))
    receipt = receipt_of("lola_dem_80s_80m", tmp_path)
    with pytest.raises(PublishedError, match="is it a radius") as error, opened(receipt, "dem", HEIGHT) as source:
        on_grid(source, GRID)
    assert str(error.value).count("source.kind: local") == 1


@pytest.mark.parametrize("names", [("a.TIF", "b.TIF"), ("a.LBL", "b.LBL"), ("a.IMG",), ("a.csv",)])
def test_a_product_has_one_raster(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    with (
        pytest.raises(PublishedError, match="needed is one GeoTIFF, or one label"),
        opened(receipt_of("x", tmp_path), "x"),
    ):
        pass


def test_a_file_that_has_changed_since_it_was_fetched_is_refused(tmp_path: Path) -> None:
    receipt = image(tmp_path)
    (tmp_path / "LDEM_60S_240M.IMG").write_bytes(b"")
    with pytest.raises(ArtefactError, match="not the 3200 that were fetched"), opened(receipt, ROLE):
        pass


@pytest.mark.parametrize("product", rasters.PRODUCTS)
def test_every_published_layout_is_opened_on_its_own_pixels(tmp_path: Path, product: str) -> None:
    rasters.write(product, tmp_path, 2_000.0)
    grid = rasters.grid_of(product, 2_000.0)
    with opened(receipt_of(product, tmp_path), "x") as source:
        assert source.dataset.transform == grid.affine
        assert source.dataset.shape == grid.shape
        assert is_polar_map(source.dataset.crs)


def test_a_packed_image_of_huge_tiles_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a label GDAL tells the blocks of the description, not those of the image."""
    receipt = _tiled(tmp_path, 64)
    with opened(receipt, "dem"):
        pass
    monkeypatch.setattr(local, "_MOST_BLOCK_BYTES", 64 * 64 * 2 - 1)
    with (
        pytest.raises(PublishedError, match=r"LDEM_60S_240M.JP2: has blocks of 8192 bytes, .*TILED=YES"),
        opened(receipt, "dem"),
    ):
        pass


def _tiled(folder: Path, tile_px: int) -> Path:
    grid = Grid(-12_000.0, 12_000.0, 240.0, 100, 100)
    label = rasters.write_jp2(folder / "LDEM_60S_240M.JP2", grid, np.zeros(grid.shape), tile_px)
    return receipt_of("lola_dem_60s_240m", label.parent)


WINDOW = """
import sys
from pathlib import Path
from rasterio.windows import Window
from lunarsite.source.local import checked
def peak_mib():
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
with checked(Path(sys.argv[1]), "dem") as dataset:
    before = peak_mib()
    for corner in (0, dataset.width - 64):
        dataset.read(1, window=Window(corner, corner, 64, 64))
    print("RESULT", dataset.width, peak_mib() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's high-water mark is Linux's")
def test_an_image_of_one_tile_is_not_unpacked_whole(tmp_path: Path) -> None:
    """36 million pixels, which the decoder would hold in 4 bytes each, and once more for the wavelets."""
    side = 6_000
    grid = Grid(-720_000.0, 720_000.0, 240.0, side, side)
    rasters.write_jp2(tmp_path / "LDEM_60S_240M.JP2", grid, np.zeros(grid.shape, np.float32), side)
    call = [sys.executable, "-c", WINDOW, str(tmp_path / "LDEM_60S_240M.JP2")]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    width, grown_mib = done.stdout.split("RESULT")[1].split()
    assert int(width) == side
    assert float(grown_mib) < 100.0
