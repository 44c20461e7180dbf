"""The horizon sweep against brute force on the real Moon: LOLA windows of 40 m, and the cap with its far field."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
import rasterio

from lunarsite.illumination.horizon import HorizonSweep, Terrain
from tests.unit.illumination.brute_force import brute_force_tan_horizon, elevation_error_deg

ROOT = Path(__file__).resolve().parents[2]
DEM = Path(os.environ.get("LUNARSITE_REFERENCE", str(ROOT.parent / "shared" / "moon"))) / "dem"

pytestmark = pytest.mark.reference


def load(name):
    path = DEM / name
    if not path.is_file():
        pytest.skip(f"REFERENCE DATA ABSENT: {path} (set LUNARSITE_REFERENCE)")
    with rasterio.open(path) as file:
        band = file.read(1, masked=True)
        heights = band.astype(np.float32).filled(np.nan) * np.float32(file.scales[0])
        return Terrain(heights, file.transform.c, file.transform.f, file.transform.a)


def errors_deg(near, far, height_m, azimuths, pixels, seed):
    """Errors at pixels and azimuths drawn at random, borders included."""
    rng = np.random.default_rng(seed)
    sweep = HorizonSweep(near, far, observer_heights_m=(height_m,))
    rows, cols = near.height_m.shape
    found = []
    for azimuth in rng.uniform(0.0, 2.0 * math.pi, azimuths):
        row, col = rng.integers(0, rows, pixels), rng.integers(0, cols, pixels)
        truth = brute_force_tan_horizon(near, azimuth, row, col, far=far, observer_height_m=height_m)
        found.append(elevation_error_deg(sweep.horizon(azimuth)[0, row, col].astype(float), truth))
    return np.concatenate(found)


def assert_accurate(error, expected):
    assert error.size > 0.95 * expected
    assert np.sqrt(np.mean(error**2)) <= 0.03
    assert np.quantile(np.abs(error), 0.99) <= 0.15
    assert abs(error.mean()) <= 0.002


@pytest.mark.parametrize("height_m", [0.0, 10.0])
@pytest.mark.parametrize("name", ["connecting_ridge", "haworth", "malapert_massif"])
def test_windows_of_40_m(name, height_m):
    assert_accurate(errors_deg(load(f"windows_40m/{name}.tif"), None, height_m, 6, 200, seed=21), 1200)


def test_cap_with_far_field():
    """Over 600 km, where straight map lines have left the great circles, and across the seam between the grids."""
    near, far = load("polar80S_240m.tif"), load("polar70S_480m.tif")
    assert_accurate(errors_deg(near, far, 0.0, 5, 40, seed=22), 200)


def test_no_seam_between_near_and_far():
    """A window cut out of the 240 m cap, the rest of the cap around it at 480 m: errors do not gather at its border."""
    cap = load("polar80S_240m.tif")
    rows = cap.height_m.shape[0]
    coarse = cap.height_m.reshape(rows // 2, 2, rows // 2, 2).mean(axis=(1, 3), dtype=np.float64).astype(np.float32)
    far = Terrain(coarse, cap.x_min_m, cap.y_max_m, 2.0 * cap.pixel_m)
    cut = slice(1000, 1500)
    near = Terrain(
        np.ascontiguousarray(cap.height_m[cut, cut]),
        cap.x_min_m + cut.start * cap.pixel_m,
        cap.y_max_m - cut.start * cap.pixel_m,
        cap.pixel_m,
    )
    whole, nested = HorizonSweep(cap), HorizonSweep(near, far)
    for azimuth in (0.4, 2.2, 4.6):
        error = np.degrees(np.arctan(nested.horizon(azimuth)[0]) - np.arctan(whole.horizon(azimuth)[0, cut, cut]))
        border = np.ones(error.shape, bool)
        border[10:-10, 10:-10] = False
        # What is left is the far field's coarser relief, which matters most next to the border.
        assert np.sqrt(np.mean(error**2)) < 0.08
        assert abs(error.mean()) < 0.01
        assert np.sqrt(np.mean(error[border] ** 2)) < 0.3
        assert abs(np.median(error[border])) < 0.001
