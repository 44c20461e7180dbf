"""The run on the reference elevation models (`make reference`) against published tables of the real Moon.

The table pgda69_5km.csv gives means over cells of 4.96 km around the pole, x >= 0: heights of PGDA product 90 and
illumination of PGDA product 69 (Mazarico et al. 2011), the latter times 1.02 (scaled by 1/25 500 instead of 1/25 000).
"""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from lunarsite.artefact import raster, record, table
from lunarsite.artefact.contracts import (
    ARTEMIS_RECORD,
    CELLS,
    DEM,
    EARTH_ANY,
    ILLUMINATION_RECORD,
    PSR,
    SCORES,
    SUN_ANY,
    SUN_MEAN,
)
from lunarsite.grid import Grid, lonlat_to_xy
from tests.workflow.checkout import REPOSITORY

RUN = REPOSITORY / os.environ.get("LUNARSITE_REFERENCE_RUN", "results/reference")
DATA = REPOSITORY / os.environ.get("LUNARSITE_REFERENCE", "../shared/moon")
TABLE_CELL_M = 4960.0
TABLE_SCALE = 1.02
PSR_KM2_240M = 16_055.0  # south of 80 S at 240 m, Mazarico et al. 2011

pytestmark = pytest.mark.reference
needs_run = pytest.mark.skipif(
    not (RUN / "site" / "scores.parquet").exists(), reason=f"REFERENCE RUN NOT MADE: no scores in {RUN}; make reference"
)
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"REFERENCE DATA ABSENT: {DATA}; set LUNARSITE_REFERENCE")


def overlap(
    cells_m: NDArray[np.float64], cell_m: float, pixels_m: NDArray[np.float64], pixel_m: float
) -> NDArray[np.float64]:
    """Length that each pixel (columns) covers of each cell (rows), given the centres of both."""
    low = np.maximum(cells_m[:, None] - cell_m / 2, pixels_m[None, :] - pixel_m / 2)
    high = np.minimum(cells_m[:, None] + cell_m / 2, pixels_m[None, :] + pixel_m / 2)
    return np.clip(high - low, 0.0, None)


def cell_means(
    values: NDArray[np.float32], grid: Grid, x_m: NDArray[np.float64], y_m: NDArray[np.float64], cell_m: float
) -> NDArray[np.float64]:
    """Area-weighted mean over square cells centred at (x_m, y_m); pixels without data have no weight."""
    columns, rows = np.unique(x_m), np.unique(y_m)
    across = overlap(columns, cell_m, grid.x_m(), grid.pixel_m)
    down = overlap(rows, cell_m, grid.y_m(), grid.pixel_m)
    valid = np.isfinite(values)
    sums = down @ np.where(valid, values, 0.0) @ across.T
    weights = down @ valid.astype(np.float64) @ across.T
    means = np.divide(sums, weights, out=np.full(sums.shape, np.nan), where=weights > 0)
    return means[np.searchsorted(rows, y_m), np.searchsorted(columns, x_m)]


def test_cell_means_of_a_plane_are_its_values_at_the_centres() -> None:
    grid = Grid(-6000.0, 6000.0, 240.0, 50, 50)
    plane = 3.0 * grid.x_m()[None, :] - 2.0 * grid.y_m()[:, None]
    x_m, y_m = np.array([1040.0, 1040.0, -1000.0]), np.array([-1040.0, 500.0, -1040.0])
    # Cut pixels count with their centre's value: up to an eighth of a pixel squared per cell's side, each way.
    slack = (3.0 + 2.0) * 240.0**2 / 8 / 4960.0 * 2
    np.testing.assert_allclose(cell_means(plane, grid, x_m, y_m, 4960.0), 3.0 * x_m - 2.0 * y_m, atol=slack)


def published() -> pd.DataFrame:
    return pd.read_csv(DATA / "illumination" / "pgda69_5km.csv")


def means_of(name: str, spec: raster.RasterSpec, places: pd.DataFrame) -> NDArray[np.float64]:
    folder = "terrain" if spec is DEM else "illumination"
    with raster.opened(RUN / folder / f"{name}.tif", spec) as source:
        values, grid = source.read(), source.grid
    x_m, y_m = places["x_m"].to_numpy(float), places["y_m"].to_numpy(float)
    return cell_means(values, grid, x_m, y_m, TABLE_CELL_M)


def inner(places: pd.DataFrame) -> NDArray[np.bool_]:
    """Without the outermost ring of the table's square, whose illumination may be averaged over a part only."""
    outermost = {"x_m": [places["x_m"].max()], "y_m": [places["y_m"].min(), places["y_m"].max()]}
    return ~(places["x_m"].isin(outermost["x_m"]) | places["y_m"].isin(outermost["y_m"])).to_numpy()


@needs_run
def test_run_is_complete_and_of_the_users_files() -> None:
    for name in ("site/cells.parquet", "site/scores.parquet", "validate/artemis.json", "publish/report.html"):
        assert (RUN / name).stat().st_size > 0
    cells, stamp = table.read(RUN / "site" / "cells.parquet", CELLS, columns=["cell_id"])
    assert (len(cells), stamp.origin, stamp.run) == (315_034, "local", "reference")
    assert len(table.read(RUN / "site" / "scores.parquet", SCORES, columns=["cell_id"])[0]) == 315_034
    assert record.read(RUN / "validate" / "artemis.json", ARTEMIS_RECORD)[0].verdicts
    page = (RUN / "publish" / "report.html").read_text(encoding="utf-8")
    assert "SYNTHETIC" not in page, "the banner of a made Moon"


@needs_run
@needs_data
def test_heights_agree_with_pgda90() -> None:
    places = published()
    difference = means_of("dem", DEM, places) - places["elevation_mean_m"].to_numpy()
    rms = float(np.sqrt(np.mean(difference**2)))
    print(f"heights: bias {difference.mean():.2f} m, RMS {rms:.2f} m over {len(places)} cells")
    assert rms <= 10.0


@needs_run
@needs_data
@pytest.mark.parametrize(
    ("name", "spec", "column", "least_correlation", "largest_bias"),
    [
        ("sun_mean", SUN_MEAN, "avg_illumination_pct", 0.98, 1.0),
        # Any part of a disc counts more than its mean fraction does: only the pattern is compared.
        ("sun_any", SUN_ANY, "avg_illumination_pct", 0.98, 5.0),
        ("earth_any", EARTH_ANY, "earth_visibility_pct", 0.97, 5.0),
    ],
)
def test_visibility_agrees_with_pgda69(
    name: str, spec: raster.RasterSpec, column: str, least_correlation: float, largest_bias: float
) -> None:
    places = published()
    kept = inner(places)
    ours = 100.0 * means_of(name, spec, places)[kept]
    theirs = places[column].to_numpy()[kept] / TABLE_SCALE
    difference = ours - theirs
    correlation = float(np.corrcoef(ours, theirs)[0, 1])
    rms = float(np.sqrt(np.mean(difference**2)))
    print(f"{name}: r {correlation:.4f}, bias {difference.mean():+.2f} %, RMS {rms:.2f} %, {kept.sum()} cells")
    assert correlation >= least_correlation
    assert abs(difference.mean()) <= largest_bias


@needs_run
def test_permanent_shadow_agrees_with_mazarico() -> None:
    with raster.opened(RUN / "illumination" / "psr.tif", PSR) as source:
        shadow, grid = source.read() == 1, source.grid
    limit_m = abs(float(lonlat_to_xy(0.0, -80.0)[1]))
    inside = np.hypot(grid.x_m()[None, :], grid.y_m()[:, None]) <= limit_m
    area_km2 = float((grid.pixel_m**2 / grid.scale_factor()[shadow & inside] ** 2).sum() / 1e6)
    print(f"permanent shadow south of 80 S: {area_km2:.0f} km2, published {PSR_KM2_240M:.0f} km2")
    # Heights of 2011 against later ones; finer maps find up to 20 900 km2 (O'Brien and Byrne 2022).
    assert abs(area_km2 / PSR_KM2_240M - 1.0) <= 0.05


@needs_run
@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("sun_mean correlation", 0.99, 1.0),
        ("sun_mean |bias|", 0.0, 1.0),
        ("sun_mean RMS", 0.0, 2.2),
        ("earth_mean correlation", 0.97, 1.0),
        ("PSR area south of 80 S against Mazarico et al. 2011", -0.05, 0.05),
        ("PSR overlap with published polygons", 0.87, 1.0),
    ],
)
def test_claims_about_light_hold(name: str, least: float, most: float) -> None:
    found = record.read(RUN / "validate" / "illumination.json", ILLUMINATION_RECORD)[0]
    # The claims about any part of the disc are left out: at 240 m the ground is too smooth for them.
    named = [verdict for verdict in found.verdicts if verdict.name == name]
    assert len(named) == 1, [verdict.name for verdict in found.verdicts]
    print(f"{name}: {named[0].value} ({named[0].bound}): {named[0].holds}")
    assert named[0].holds is True, named[0].why
    assert named[0].value is not None
    assert least <= named[0].value <= most, "the record's own bound is looser than this one"
