"""Published rasters on real ones: LOLA windows of 40 m, and the pole's heights behind a label of PDS3."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import rasterio

from lunarsite.grid import Grid
from lunarsite.source.fine import grid_of
from lunarsite.source.local import placed
from lunarsite.source.published.rasters import opened
from tests.layouts.rasters import write_img
from tests.layouts.tables import receipt_of

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = Path(os.environ.get("LUNARSITE_REFERENCE", str(ROOT.parent / "shared" / "moon")))
NEAR = Grid.centred(304_000.0, 240.0, 960.0)

pytestmark = pytest.mark.reference


def reference(name: str) -> Path:
    path = REFERENCE / name
    if not path.is_file():
        pytest.skip(f"REFERENCE DATA ABSENT: {path} (set LUNARSITE_REFERENCE)")
    return path


def read(receipt: Path, grid: Grid | None = None) -> tuple[Grid, np.ndarray, object]:
    """Return the product's heights on a grid, or on its own if none is given."""
    with opened(receipt, "source.published.dem") as source:
        onto = grid or grid_of(source.dataset, source.path, NEAR, source.field)
        with placed(source.dataset, source.path, onto, source.field) as raster:
            return onto, raster.read(), raster.reading


@pytest.mark.parametrize("name", ["connecting_ridge", "haworth", "malapert_massif"])
def test_lola_windows_are_copied_and_averaged_by_area(tmp_path: Path, name: str) -> None:
    path = reference(f"dem/windows_40m/{name}.tif")
    (tmp_path / "LDEM_80S_40MPP_ADJ.TIF").symlink_to(path)
    receipt = receipt_of("lola_dem_80s_40m", tmp_path)
    with rasterio.open(path) as dataset:
        stored, affine = dataset.read(1), dataset.transform
    own, copied, reading = read(receipt)
    assert reading.method == "copied"
    assert (own.pixel_m, own.x_min_m, own.y_max_m) == (40.0, affine.c, affine.f)
    assert np.array_equal(copied, stored, equal_nan=True)
    _, averaged, reading = read(receipt, NEAR)
    assert reading.method == "averaged"
    # Both grids' edges lie on multiples of 40 m: whole pixels of the one in each of the other.
    row, col = (round(shift / 40.0) for shift in (NEAR.y_max_m - affine.f, affine.c - NEAR.x_min_m))
    padded = np.full((6 * NEAR.rows, stored.shape[1]), np.nan)
    padded[row : row + stored.shape[0]] = stored
    first = -(-col // 6)
    skip = 6 * first - col
    width = (stored.shape[1] - skip) // 6
    blocks = padded[:, skip : skip + 6 * width].reshape(NEAR.rows, 6, width, 6)
    whole = np.isfinite(blocks).all(axis=(1, 3))
    expected = blocks.mean(axis=(1, 3))[whole]
    found = averaged[:, first : first + width][whole]
    worst = np.abs(found - expected).max()
    print(f"{name}: {whole.sum()} pixels of 240 m, largest difference {worst:.1e} m")
    assert whole.sum() > 5_000
    assert worst < 1e-3  # heights are kept in 32 bits


def test_the_pole_behind_a_label_is_the_pole_in_a_geotiff(tmp_path: Path) -> None:
    path = reference("dem/polar80S_240m.tif")
    with rasterio.open(path) as dataset:
        numbers, nodata, affine = dataset.read(1), dataset.nodata, dataset.transform
    own = Grid(affine.c, affine.f, affine.a, *numbers.shape)
    missing = f"1737400.\n  MISSING_CONSTANT = {int(nodata)}"
    write_img(tmp_path / "LDEM_60S_240M.IMG", own, numbers * 0.5, OFFSET=missing)
    _, found, reading = read(receipt_of("lola_dem_60s_240m", tmp_path), NEAR)
    assert reading.method == "copied"
    assert np.array_equal(found, np.where(numbers == nodata, np.nan, numbers * np.float32(0.5)), equal_nan=True)
    assert (float(np.nanmin(found)), float(np.nanmax(found))) == (-6993.0, 7016.5)
