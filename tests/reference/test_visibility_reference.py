"""Averages over the real Moon: against PGDA product 69, and direct hourly series over brute-force horizons."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import rasterio

from lunarsite.grid import Grid
from lunarsite.illumination.ephemeris import ephemeris
from lunarsite.illumination.horizon import HorizonSweep, Terrain
from lunarsite.illumination.points import HorizonProfiles, point_series
from lunarsite.illumination.visibility import average_visibility
from tests.unit.illumination.brute_force import brute_force_tan_horizon

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = Path(os.environ.get("LUNARSITE_REFERENCE", str(ROOT.parent / "shared" / "moon")))
CELL_M = 4960.0

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(
        not (REFERENCE / "dem").is_dir(), reason=f"REFERENCE DATA ABSENT: {REFERENCE} (set LUNARSITE_REFERENCE)"
    ),
]


def terrain(name: str) -> tuple[Terrain, Grid]:
    with rasterio.open(REFERENCE / "dem" / name) as file:
        raw, transform = file.read(1), file.transform
        heights = raw.astype(np.float32) * np.float32(file.scales[0])
        if file.nodata is not None and not np.isnan(file.nodata):
            heights[raw == file.nodata] = np.nan
    near = Terrain(heights, transform.c, transform.f, transform.a, "south")
    return near, Grid(transform.c, transform.f, transform.a, *heights.shape)


def product_69() -> np.ndarray:
    """Columns x_m, y_m, Sun and Earth in percent of time; the table's values are 1.02 times too high."""
    with (REFERENCE / "illumination" / "pgda69_5km.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = ("x_m", "y_m", "avg_illumination_pct", "earth_visibility_pct")
    return np.array([[float(row[name]) for name in columns] for row in rows]) / [1.0, 1.0, 1.02, 1.02]


def cell_mean(values: np.ndarray, grid: Grid, x_m: float, y_m: float) -> float:
    """Mean over a cell, in percent, border pixels weighted with their part of it."""
    size = CELL_M / grid.pixel_m
    parts, weights = [], []
    for low in ((grid.y_max_m - y_m) / grid.pixel_m - size / 2, (x_m - grid.x_min_m) / grid.pixel_m - size / 2):
        pixels = np.arange(int(np.floor(low)), int(np.ceil(low + size)))
        weights.append(np.minimum(pixels + 1, low + size) - np.maximum(pixels, low))
        parts.append(slice(pixels[0], pixels[-1] + 1))
    return float(100.0 * (weights[0] @ values[tuple(parts)] @ weights[1]) / size**2)


def compared(maps, grid: Grid, cells: np.ndarray, name: str) -> tuple[float, float, float]:
    """Correlation, bias and rms in percent of time."""
    found = np.array([cell_mean(maps[name][0], grid, x, y) for x, y in cells[:, :2]])
    error = found - cells[:, 2 if name.startswith("sun") else 3]
    return np.corrcoef(found, found - error)[0, 1], error.mean(), np.sqrt(np.mean(error**2))


def crop(whole: Terrain, left: float, bottom: float, right: float, top: float) -> tuple[Terrain, Grid]:
    """The pixels that meet a rectangle of the map."""
    pixel = whole.pixel_m
    first_col, first_row = int((left - whole.x_min_m) // pixel), int((whole.y_max_m - top) // pixel)
    last_col, last_row = int(-((whole.x_min_m - right) // pixel)), int(-((bottom - whole.y_max_m) // pixel))
    heights = np.ascontiguousarray(whole.height_m[first_row:last_row, first_col:last_col])
    x_min, y_max = whole.x_min_m + first_col * pixel, whole.y_max_m - first_row * pixel
    return Terrain(heights, x_min, y_max, pixel, whole.pole), Grid(x_min, y_max, pixel, *heights.shape)


@pytest.mark.parametrize(
    ("window", "sun_bias", "sun_rms"),
    [("shoemaker_rim_c", 0.5, 0.7), ("nobile_rim_1", 1.0, 1.0), ("leibnitz_beta_plateau_extended", 1.0, 1.0)],
)
def test_40_m_windows_agree_with_product_69_and_240_m_is_too_bright(
    window: str, sun_bias: float, sun_rms: float
) -> None:
    """Product 69 counts any part of the disc, on 60 m terrain: at 40 m nothing is left to the resolution."""
    near, grid = terrain(f"windows_40m/{window}.tif")
    far, _ = terrain("polar80S_240m.tif")
    span = ephemeris("2007-01-01")
    left, bottom, right, top = grid.bounds_m
    half = 0.5 * CELL_M
    cells = product_69()
    x, y = cells[:, 0], cells[:, 1]
    cells = cells[(x - half >= left) & (x + half <= right) & (y - half >= bottom) & (y + half <= top)]
    assert len(cells) >= 12
    fine = average_visibility(HorizonSweep(near, far), grid, span.sun, span.earth, 120)
    smooth, smooth_grid = crop(far, left, bottom, right, top)
    coarse = average_visibility(HorizonSweep(smooth, far), smooth_grid, span.sun, span.earth, 120)
    for name, worst_bias, worst_rms in (("sun_any", sun_bias, sun_rms), ("earth_any", 1.0, 1.4)):
        correlation, bias, rms = compared(fine, grid, cells, name)
        _, coarse_bias, coarse_rms = compared(coarse, smooth_grid, cells, name)
        print(f"{window} {name}: r {correlation:.4f}, bias {bias:+.2f} %, RMS {rms:.2f} %; 240 m {coarse_bias:+.2f} %")
        assert correlation > 0.995, name
        assert abs(bias) <= worst_bias, name
        assert rms <= worst_rms, name
        # The same cells, code and epochs: what changes is the ground's resolution alone.
        assert coarse_bias > bias + 0.5, name
        assert coarse_rms > rms, name


def test_averages_agree_with_the_direct_series_over_brute_force_horizons() -> None:
    """Only the heights, the track and the disc's law are shared with the sweep and its tables.

    Pixels are drawn a far pixel (6 near ones) or more inside the near map: across the seam the ground next to the
    observer is known at 240 m only, and what lies between two models is for each method to choose.
    """
    pixels, azimuths, batch, seam = 300, 360, 30, 6
    window, _ = terrain("windows_40m/connecting_ridge.tif")
    cap, _ = terrain("polar80S_240m.tif")
    near, grid = crop(window, -13_520.0, -21_480.0, -1_520.0, -9_480.0)
    left, bottom, right, top = grid.bounds_m
    far, _ = crop(cap, left - 15_000.0, bottom - 15_000.0, right + 15_000.0, top + 15_000.0)
    span = ephemeris("2007-01-01")
    maps = average_visibility(HorizonSweep(near, far), grid, span.sun, None, 180)
    rows, cols = np.random.default_rng(7).integers(seam, grid.rows - seam, (2, pixels))
    azimuth = 2.0 * np.pi * np.arange(azimuths) / azimuths
    tangent = np.empty((pixels, azimuths), dtype=np.float32)
    for index, angle in enumerate(azimuth):
        tangent[:, index] = brute_force_tan_horizon(near, float(angle), rows, cols, far=far, step_px=0.1)
    assert np.isfinite(tangent).all()
    direct = {"sun_mean": np.empty(pixels), "sun_any": np.empty(pixels)}
    for first in range(0, pixels, batch):
        part = slice(first, first + batch)
        profiles = HorizonProfiles(grid.x_m()[cols[part]], grid.y_m()[rows[part]], azimuth, tangent[part], "south")
        fraction = point_series(profiles, span).sun.visible_fraction
        direct["sun_mean"][part] = fraction.mean(axis=1, dtype=np.float64)
        direct["sun_any"][part] = (fraction > 0.0).mean(axis=1)
    for name, expected in direct.items():
        error = 100.0 * (maps[name][0, rows, cols] - expected)
        rms = float(np.sqrt(np.mean(error**2)))
        print(f"{name}: RMS {rms:.3f} %, bias {error.mean():+.4f} %, largest {np.abs(error).max():.2f} %")
        assert rms <= 0.05, name
    shadowed = direct["sun_any"] == 0.0
    agreement = float((shadowed == (maps["psr"][0, rows, cols] == 1)).mean())
    print(f"permanent shadow: {shadowed.sum()} of {pixels} pixels, agreement {agreement:.4f}")
    assert shadowed.sum() >= 5, "too few to judge"
    assert agreement >= 0.995


@pytest.mark.slow
def test_the_whole_cap_against_product_69() -> None:
    """The area of permanent shadow is held in test_reference_run, on the run's own number of directions."""
    near, grid = terrain("polar80S_240m.tif")
    far, _ = terrain("polar70S_480m.tif")
    span = ephemeris("2007-01-01")
    maps = average_visibility(HorizonSweep(near, far), grid, span.sun, span.earth, 180)
    cells = product_69()
    correlation, bias, rms = compared(maps, grid, cells, "sun_mean")
    assert correlation >= 0.99
    assert abs(bias) <= 1.0  # two errors that cancel, see docs/illumination.md
    assert rms <= 2.2
    for name in ("sun_any", "earth_any"):
        correlation, bias, rms = compared(maps, grid, cells, name)
        assert correlation >= 0.99, name
        assert abs(bias) <= 3.0, name  # this terrain resolves half a kilometre


def test_connecting_ridge_is_as_bright_as_published() -> None:
    """Glaser et al. 2014 (20 m model, 19 years): 92.27 % at 2 m and 95.65 % at 10 m, best place of the ridge."""
    near, grid = terrain("windows_40m/connecting_ridge.tif")
    far, _ = terrain("polar80S_240m.tif")
    sky = ephemeris("2000-01-01", 19.0, 2.0)
    maps = average_visibility(HorizonSweep(near, far, observer_heights_m=(2.0, 10.0)), grid, sky.sun, None, 180)
    best = 100.0 * np.nanmax(maps["sun_any"], axis=(1, 2))
    mean = 100.0 * np.nanmax(maps["sun_mean"], axis=(1, 2))
    print("Connecting Ridge, any part / mean disc at 2 m and 10 m:", best, mean)
    np.testing.assert_allclose(best, [92.27, 95.65], atol=0.5)
    assert (best - mean > 2.0).all(), "the two definitions differ by more than the model's error"
