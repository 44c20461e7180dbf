"""Averages over the real Moon: against PGDA product 69, the published shadow area, and a direct hourly series."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import rasterio

from lunarsite.grid import Grid
from lunarsite.illumination.ephemeris import ephemeris
from lunarsite.illumination.horizon import HorizonSweep, Terrain
from lunarsite.illumination.points import ProfileGatherer, point_series
from lunarsite.illumination.visibility import average_visibility, sweep_plan, visibility_model

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


def test_a_40_m_window_agrees_with_product_69():
    # Product 69 counts any part of the disc, on 60 m terrain: here nothing is left to the resolution.
    near, grid = terrain("windows_40m/shoemaker_rim_c.tif")
    span = ephemeris("2007-01-01")
    far, _ = terrain("polar80S_240m.tif")
    maps = average_visibility(HorizonSweep(near, far), grid, span.sun, span.earth, 120)
    left, bottom, right, top = grid.bounds_m
    half = 0.5 * CELL_M
    cells = product_69()
    x, y = cells[:, 0], cells[:, 1]
    cells = cells[(x - half >= left) & (x + half <= right) & (y - half >= bottom) & (y + half <= top)]
    assert len(cells) >= 12
    for name, worst_bias, worst_rms in (("sun_any", 0.5, 0.7), ("earth_any", 1.0, 1.4)):
        correlation, bias, rms = compared(maps, grid, cells, name)
        assert correlation > 0.995, name
        assert abs(bias) < worst_bias, name
        assert rms < worst_rms, name


def test_averages_on_real_horizons_agree_with_the_direct_series():
    near, grid = terrain("windows_40m/connecting_ridge.tif")
    span = ephemeris("2007-01-01")
    sweep = HorizonSweep(near)
    maps = average_visibility(sweep, grid, span.sun, span.earth, 180)
    rows, cols = np.random.default_rng(7).integers(0, grid.rows, (2, 60))
    fine = visibility_model(grid, span.sun, None, 720)
    gatherer = ProfileGatherer(grid, fine, rows, cols)
    sweep_plan(sweep, fine, [gatherer])
    series = point_series(gatherer.result(), span)
    for name, body, bound in (("sun", series.sun, 0.05), ("earth", series.earth, 0.06)):
        error = 100.0 * (maps[f"{name}_mean"][0, rows, cols] - body.visible_fraction.mean(axis=1, dtype=np.float64))
        assert np.sqrt(np.mean(error**2)) < bound, name
    shadowed = (series.sun.visible_fraction == 0.0).all(axis=1)
    clear = np.abs(maps["psr_margin_deg"][0, rows, cols]) > 0.05
    assert (shadowed == (maps["psr"][0, rows, cols] == 1))[clear].all()


@pytest.mark.slow
def test_the_whole_cap_against_product_69_and_the_published_shadow():
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
    x, y = np.meshgrid(grid.x_m(), grid.y_m())
    within = np.hypot(x, y) <= 2 * 1_737_400.0 * np.tan(np.radians(5.0))
    area_km2 = (grid.pixel_m / 1000.0) ** 2 / grid.scale_factor() ** 2
    shadow = area_km2[within & (maps["psr"][0] == 1)].sum()
    assert shadow == pytest.approx(16_055.0, rel=0.07)  # Mazarico et al. 2011, 240 m


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
