"""A user's own files on real ones: the reference elevation models, LOLA windows and crater catalogue."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio

from lunarsite.grid import Grid, lonlat_to_xy, scale_factor
from lunarsite.source.catalogue import read_craters
from lunarsite.source.features import read_features
from lunarsite.source.local import opened
from lunarsite.source.population import cumulative_per_m2

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = Path(os.environ.get("LUNARSITE_REFERENCE", str(ROOT.parent / "shared" / "moon")))
NEAR = Grid.centred(304_000.0, 240.0, 960.0)

pytestmark = pytest.mark.reference


def reference(name: str) -> Path:
    path = REFERENCE / name
    if not path.is_file():
        pytest.skip(f"REFERENCE DATA ABSENT: {path} (set LUNARSITE_REFERENCE)")
    return path


def read(name: str, grid: Grid) -> tuple[np.ndarray, object]:
    with opened(reference(name), grid, "source.local.dem") as raster:
        return raster.read(), raster.reading


@pytest.fixture(scope="module")
def near() -> np.ndarray:
    return read("dem/polar80S_240m.tif", NEAR)[0]


def test_default_grid_is_copied_with_its_scale(near: np.ndarray) -> None:
    with rasterio.open(reference("dem/polar80S_240m.tif")) as dataset:
        stored, nodata = dataset.read(1), dataset.nodata
    assert np.array_equal(near, np.where(stored == nodata, np.nan, stored * np.float32(0.5)), equal_nan=True)
    assert float(np.nanmin(near)) == -6993.0
    assert float(np.nanmax(near)) == 7016.5


def test_far_field_comes_onto_its_own_grid_and_agrees_with_the_near(near: np.ndarray) -> None:
    far, reading = read("dem/polar70S_480m.tif", Grid.centred(614_400.0, 480.0, 480.0))
    assert reading.method == "copied"
    assert far.shape == (2560, 2560)
    refined, reading = read("dem/polar70S_480m.tif", NEAR)
    assert reading.method == "interpolated"
    assert abs(np.nanmean(refined - near)) < 0.1
    assert np.nanstd(refined - near) < 6.0


@pytest.mark.parametrize("name", ["connecting_ridge", "haworth", "malapert_massif"])
def test_lola_windows_average_to_the_same_heights(near: np.ndarray, name: str) -> None:
    window, reading = read(f"dem/windows_40m/{name}.tif", NEAR)
    whole = np.isfinite(window)
    assert reading.method == "averaged"
    assert reading.file_pixels == pytest.approx(6.0, rel=1e-3)
    # The data's own description: bias within 2.7 m, sigma up to 8 m.
    difference = (window - near)[whole]
    assert abs(difference.mean()) < 3.0
    assert difference.std() < 8.5


def test_catalogue_is_read_with_its_unmeasured_depths() -> None:
    table = read_craters(reference("craters/lu1319381_polar.csv"), NEAR, "source.local.craters")
    assert table.attrs["read"] == 12_345
    polar = table[table["lat_deg"] <= -80.0]
    assert len(polar) == 5_340
    assert table["depth_m"].isna().sum() == 2


def test_named_craters_sit_on_depressions(near: np.ndarray) -> None:
    features = read_features(ROOT / "resources" / "named_features.csv")
    checked = 0
    for crater in features:
        if crater.kind != "crater" or crater.lat_deg > -81.0:
            continue
        x_m, y_m = (float(value) for value in lonlat_to_xy(crater.lon_deg, crater.lat_deg))
        radius_m = 0.5 * crater.diameter_m * float(scale_factor(x_m, y_m))
        distance = np.hypot(NEAR.x_m()[None, :] - x_m, NEAR.y_m()[:, None] - y_m) / radius_m
        rim, floor = near[(distance > 0.9) & (distance < 1.1)].mean(), near[distance < 0.6].mean()
        assert rim - floor > 0.2 * crater.relief_m, crater.name
        checked += 1
    assert checked > 20


def test_synthetic_counts_are_those_of_the_catalogue() -> None:
    """Half the catalogue (x >= 0, poleward of 75 degrees) against the law that random craters are drawn from."""
    table = pd.read_csv(reference("craters/lu1319381_polar.csv"))
    area_m2 = 0.5 * 2.0 * np.pi * 1_737_400.0**2 * (1.0 - np.cos(np.radians(15.0)))
    for diameter_m in (1_000.0, 2_000.0, 3_000.0, 5_000.0, 10_000.0):
        found = int((table["diameter_m"] >= diameter_m).sum())
        # The law is that of both halves, which differ by up to a fifth from one another.
        assert found / area_m2 == pytest.approx(float(cumulative_per_m2(diameter_m)), rel=0.25)
