"""The site stage from rasters to cells: contracts, unknown ground, bytes, and clear refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest

from lunarsite.artefact import ArtefactError, raster, table
from lunarsite.artefact.contracts import (
    CELLS,
    CRATERS,
    DEM,
    DETECTED,
    EARTH_ANY,
    ELEVATION_ERROR,
    PSR,
    REFERENCE_COLUMNS,
    ROUGHNESS,
    SLOPE,
    SUN_ANY,
    SUN_MEAN,
)
from lunarsite.grid import Cells, Grid, xy_to_lonlat
from lunarsite.settings import CatalogueSettings, GridSettings, RulesSettings
from lunarsite.site import stages
from lunarsite.stage import Job, StageError

GRID = GridSettings(pixel_m=80.0, half_width_m=24_000.0, latitude_limit_deg=89.3, far_half_width_m=48_000.0)
AREA = Grid.centred(24_000.0, 80.0, 960.0)
RULES = RulesSettings()
CATALOGUE = CatalogueSettings()
DARK = (slice(240, 288), slice(240, 300))
"""Pixels whose light is unknown: four by five cells."""


@pytest.fixture
def job() -> Job:
    job = Job("site-test", "default", "0" * 16, "0" * 64)
    job.origin = "synthetic"
    return job


@pytest.fixture
def files(tmp_path: Path, job: Job) -> dict[str, Path]:
    x, y = np.meshgrid(AREA.x_m() / 4_000.0, AREA.y_m() / 4_000.0)
    draws = np.random.default_rng(0)

    def noise(scale: float) -> Any:
        return draws.normal(0.0, scale, AREA.shape)

    light = np.clip(0.4 + 0.3 * np.sin(x) + noise(0.05), 0.0, 1.0)
    light[DARK] = np.nan
    layers: dict[str, tuple[raster.RasterSpec, Any]] = {
        "dem": (DEM, 500.0 * np.sin(0.7 * x) * np.cos(y) + noise(5.0)),
        "slope": (SLOPE, np.abs(4.0 + 4.0 * np.sin(y) + noise(1.0))),
        "roughness": (ROUGHNESS, np.abs(2.0 + noise(0.5))),
        "elevation_error": (ELEVATION_ERROR, np.full(AREA.shape, 6.2)),
        "sun_any": (SUN_ANY, light),
        "sun_mean": (SUN_MEAN, 0.9 * light),
        "earth_any": (EARTH_ANY, np.clip(0.55 + 0.3 * np.cos(x + y) + noise(0.05), 0.0, 1.0)),
        "psr": (PSR, np.where(np.isnan(light), 255, light < 0.1)),
    }
    paths = {name: tmp_path / f"{name}.tif" for name in layers}
    for name, (spec, values) in layers.items():
        raster.write(paths[name], spec, AREA, {spec.bands[0].name: values.astype(spec.dtype)}, job.stamp(spec))
    paths["craters"] = tmp_path / "craters.parquet"
    x_m, y_m = draws.uniform(-20_000, 20_000, (2, 200))
    lon_deg, lat_deg = xy_to_lonlat(x_m, y_m)
    frame = gpd.GeoDataFrame(
        {
            "id": np.arange(200),
            "name": None,
            "lon_deg": lon_deg,
            "lat_deg": lat_deg,
            "x_m": x_m,
            "y_m": y_m,
            "diameter_m": draws.uniform(700, 6_000, 200),
            "depth_m": np.nan,
            "score": np.nan,
        },
        geometry=gpd.points_from_xy(x_m, y_m),
    )
    table.write(paths["craters"], CRATERS, frame, job.stamp(CRATERS))
    return paths


def cells_of(
    job: Job,
    files: dict[str, Path],
    target: Path,
    rules: RulesSettings = RULES,
    catalogue: CatalogueSettings = CATALOGUE,
    **changed: Path | None,
) -> gpd.GeoDataFrame:
    stages.cells(job, GRID, rules, catalogue, **{"detected": None, **files, **changed}, cells=target)
    frame, _ = table.read(target, CELLS)
    return frame


def test_cells(tmp_path: Path, job: Job, files: dict[str, Path]) -> None:
    frame = cells_of(job, files, tmp_path / "cells.parquet")
    assert tuple(frame.columns[:29]) == REFERENCE_COLUMNS
    places = Cells(AREA, 960.0, 89.3)
    assert len(frame) == places.count
    dark = places.ids[20:24, 20:25].ravel()
    assert frame.loc[dark, ["avg_illumination_pct", "illumination_min_pct", "psr_fraction"]].isna().all().all()
    assert (frame.loc[dark, ["label_cassa", "label_hls"]] == "unknown").all().all()
    assert (frame.loc[dark, "valid_fraction"] == 0.0).all()
    lit = frame.drop(index=dark)
    assert lit["valid_fraction"].eq(1.0).all()
    assert {"suitable", "unsuitable"} == set(lit["label_cassa"])
    passes = (lit["slope_mean"] <= 5.0) & (lit["avg_illumination_pct"] >= 33.0) & (lit["earth_visibility_pct"] >= 50.0)
    assert (passes == (lit["label_cassa"] == "suitable")).all()
    assert (frame["buffered_slope_deg"] > frame["slope_mean"]).all()
    slope = raster.read(files["slope"], SLOPE)["slope_deg"].astype(np.float64)
    row, col = (int(index[5]) for index in np.nonzero(places.kept))
    pixels = slope[12 * row : 12 * row + 12, 12 * col : 12 * col + 12]
    assert frame["slope_std"][5] == pytest.approx(pixels.std(), rel=1e-6)


def test_light_is_the_average_that_the_rules_name(tmp_path: Path, job: Job, files: dict[str, Path]) -> None:
    any_part = cells_of(job, files, tmp_path / "any.parquet")["avg_illumination_pct"]
    rules = RULES.model_copy(update={"illumination": "mean"})
    mean_part = cells_of(job, files, tmp_path / "mean.parquet", rules)["avg_illumination_pct"]
    np.testing.assert_allclose(mean_part, 0.9 * any_part, rtol=1e-5)


def test_no_catalogue_leaves_craters_unknown(tmp_path: Path, job: Job, files: dict[str, Path]) -> None:
    frame = cells_of(job, files, tmp_path / "cells.parquet", craters=None)
    assert frame.filter(like="crater_").isna().all().all()


def detected_from(job: Job, files: dict[str, Path], path: Path) -> Path:
    """Write the given craters as detected ones, of which every second was rejected."""
    frame, _ = table.read(files["craters"], CRATERS)
    frame = frame.drop(columns="name").assign(score=0.5, response=0.5, accepted=np.arange(len(frame)) % 2 == 0)
    order = [column.name for column in DETECTED.columns]
    table.write(path, DETECTED, frame[[*order, "geometry"]], job.stamp(DETECTED))
    return path


def test_of_detected_craters_the_accepted_count(
    tmp_path: Path, job: Job, files: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="lunarsite.site-test")
    given = cells_of(job, files, tmp_path / "given.parquet")
    assert "200 given craters" in caplog.text
    detected = detected_from(job, files, tmp_path / "detected.parquet")
    found = cells_of(job, files, tmp_path / "cells.parquet", craters=None, detected=detected)
    assert "100 detected craters" in caplog.text
    accepted, _ = table.read(detected, DETECTED, ["x_m", "y_m", "accepted"])
    accepted = accepted[accepted["accepted"]]
    at = Cells(AREA, 960.0, 89.3).id_at(accepted["x_m"], accepted["y_m"])
    known = found["crater_count"].notna()
    assert known.mean() > 0.9
    np.testing.assert_array_equal(found["crater_count"][known], np.bincount(at[at >= 0], minlength=len(found))[known])
    assert found["crater_count"].sum() < given["crater_count"].sum()


def test_detected_craters_are_unknown_where_heights_are(tmp_path: Path, job: Job, files: dict[str, Path]) -> None:
    heights = raster.read(files["dem"], DEM)["elevation_m"]
    heights[:, :300] = np.nan
    holed = tmp_path / "holed.tif"
    raster.write(holed, DEM, AREA, {"elevation_m": heights}, job.stamp(DEM))
    detected = detected_from(job, files, tmp_path / "detected.parquet")
    found = cells_of(job, files, tmp_path / "cells.parquet", craters=None, detected=detected, dem=holed)
    np.testing.assert_array_equal(found["crater_count"].isna(), found["x_m"] < 0.0)
    assert found["crater_count_5km"][found["x_m"] < 2_900.0].isna().all()
    assert found["crater_count_5km"].notna().any()
    # The hard rule reads no crater: those cells keep their labels.
    whole = cells_of(job, files, tmp_path / "whole.parquet", craters=None, detected=detected)
    assert (found["label_cassa"] == whole["label_cassa"]).all()


def test_a_given_catalogue_of_a_sector_leaves_the_rest_unknown(
    tmp_path: Path, job: Job, files: dict[str, Path]
) -> None:
    half = CatalogueSettings(lon_deg=(0.0, 180.0))
    found = cells_of(job, files, tmp_path / "cells.parquet", catalogue=half)
    assert found.filter(like="crater_")[found["x_m"] < 0.0].isna().all().all()
    whole = cells_of(job, files, tmp_path / "whole.parquet")
    known = found["crater_count_5km"].notna()
    assert known.any()
    for name in ("crater_count_5km", "crater_coverage_5km_pct", "crater_coverage_pct"):
        assert found[name][known].equals(whole[name][known])


def test_two_catalogues_are_refused(tmp_path: Path, job: Job, files: dict[str, Path]) -> None:
    detected = detected_from(job, files, tmp_path / "detected.parquet")
    with pytest.raises(StageError, match=r"both 'craters' and 'detected'.*site\.craters"):
        cells_of(job, files, tmp_path / "cells.parquet", detected=detected)


def test_pixels_larger_than_the_buffer_are_said(
    tmp_path: Path, job: Job, files: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    near = RULES.model_copy(update={"hls": RULES.hls.model_copy(update={"slope_buffer_m": 50.0})})
    frame = cells_of(job, files, tmp_path / "cells.parquet", near)
    assert "do not resolve the buffer of 50 m" in caplog.text
    assert frame["buffered_slope_deg"].equals(frame["slope_mean"].rename("buffered_slope_deg"))


def test_a_layer_on_another_grid_is_refused(tmp_path: Path, job: Job, files: dict[str, Path]) -> None:
    other = Grid.centred(24_000.0, 240.0, 960.0)
    path = tmp_path / "other.tif"
    raster.write(path, SLOPE, other, {"slope_deg": np.ones(other.shape, np.float32)}, job.stamp(SLOPE))
    with pytest.raises(ArtefactError, match="one run has one grid"):
        cells_of(job, files, tmp_path / "cells.parquet", slope=path)


def test_two_runs_leave_the_same_bytes(tmp_path: Path, job: Job, files: dict[str, Path]) -> None:
    once, again = tmp_path / "once.parquet", tmp_path / "again.parquet"
    cells_of(job, files, once)
    cells_of(job, files, again)
    assert once.read_bytes() == again.read_bytes()
