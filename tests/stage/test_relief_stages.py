"""Finer elevation models, optional layers and relief, from a user's files to artefacts by way of the command line."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine

from lunarsite import command
from lunarsite.artefact import contracts, raster, table
from lunarsite.grid import Cells, Grid, lunar_crs

GRID = {"half_width_m": 4_800.0, "pixel_m": 240.0, "latitude_limit_deg": 80.0, "far_half_width_m": 9_600.0}
RUN = Cells(Grid.centred(4_800.0, 240.0, 960.0), 960.0, 80.0)


def call(stage: str, inputs: list[tuple[str, Path]], output: tuple[str, Path], **sections: object) -> int:
    arguments = [stage, "--run", "fake", "--settings", json.dumps({"grid": GRID, **sections})]
    arguments += ["--in", *(f"{name}={path}" for name, path in inputs), "--out", f"{output[0]}={output[1]}"]
    return command.main(arguments)


def geotiff(path: Path, grid: Grid, values: np.ndarray) -> Path:
    profile = {"driver": "GTiff", "width": grid.cols, "height": grid.rows, "count": 1, "dtype": "float32"}
    with rasterio.open(path, "w", crs=lunar_crs(), transform=Affine(*tuple(grid.affine)[:6]), **profile) as dataset:
        dataset.write(values.astype(np.float32)[None])
    return path


def fine_dem(folder: Path, name: str, grid: Grid, values: np.ndarray) -> Path:
    source = geotiff(folder / f"{name}_source.tif", grid, values)
    assert call("source-fine-dem", [("fine_dem_file", source)], ("fine_dem", folder / f"{name}.tif")) == 0
    return folder / f"{name}.tif"


def relief(folder: Path, *models: Path, **knobs: float) -> pd.DataFrame:
    inputs = [("fine_dems", model) for model in models]
    assert call("terrain-relief", inputs, ("cells", folder / "relief.parquet"), relief=knobs) == 0
    frame, stamp = table.read(folder / "relief.parquet", contracts.RELIEF)
    assert stamp.origin == "local"
    return frame.set_index("cell_id")


def cell_at(x_m: float, y_m: float) -> int:
    return int(RUN.id_at(x_m, y_m))


def test_the_finest_model_that_covers_a_cell_tells_its_relief_in_any_order(tmp_path: Path) -> None:
    wide, narrow = Grid(0.0, 1_920.0, 40.0, 48, 48), Grid(960.0, 1_920.0, 20.0, 48, 48)
    corner = Grid(0.0, 1_920.0, 10.0, 40, 40)
    models = [
        fine_dem(tmp_path, "wide", wide, 0.10 * np.broadcast_to(wide.x_m(), wide.shape)),
        fine_dem(tmp_path, "narrow", narrow, 0.20 * np.broadcast_to(narrow.x_m(), narrow.shape)),
        fine_dem(tmp_path, "corner", corner, 0.30 * np.broadcast_to(corner.x_m(), corner.shape)),
    ]
    found = relief(tmp_path, *models)
    pd.testing.assert_frame_equal(relief(tmp_path, *reversed(models)), found)
    # 'corner' is the finest model of its cell but covers a sixth of it.
    expected = {(480, 1_440): (40.0, 0.10), (1_440, 1_440): (20.0, 0.20), (480, 480): (40.0, 0.10)}
    for place, (pixel_m, tangent) in expected.items():
        row = found.loc[cell_at(*place)]
        assert row["pixel_m"] == pixel_m
        assert row["p95_slope_deg"] == pytest.approx(np.degrees(np.arctan(tangent)), abs=1e-3)
        assert row["covered_share"] == 1.0
    assert len(found) == 4
    assert (found["steep_share"] == [0.0, 1.0, 0.0, 0.0]).all()


def test_models_that_do_not_resolve_the_discs_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grid = Grid(0.0, 1_920.0, 80.0, 24, 24)
    model = fine_dem(tmp_path, "coarse", grid, np.zeros(grid.shape))
    output = "cells", tmp_path / "relief.parquet"
    assert call("terrain-relief", [("fine_dems", model)], output) == command.EXIT_ARTEFACT
    assert (
        "coarse.tif: has pixels of 80 m, too coarse for discs of 100 m radius (site.relief.radius_m)"
        in capsys.readouterr().err
    )
    assert not output[1].exists()
    assert len(relief(tmp_path, model, radius_m=160.0)) == 4


def test_a_model_too_small_for_a_disc_leaves_an_empty_table_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = Grid(0.0, 1_920.0, 20.0, 8, 8)
    assert relief(tmp_path, fine_dem(tmp_path, "small", grid, np.zeros(grid.shape))).empty
    assert "small.tif: holds no whole disc in any cell of the run" in capsys.readouterr().err


@pytest.mark.parametrize(
    "case",
    [
        ("source-temperature", "temperature", contracts.TEMPERATURE, 110.0, -163.0, "degrees Celsius"),
        ("source-ice-depth", "ice_depth", contracts.ICE_DEPTH, 0.4, -9_999.0, "no-data value"),
    ],
)
def test_layers_come_onto_the_run_s_grid_or_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: tuple[str, str, raster.RasterSpec, float, float, str]
) -> None:
    stage, name, spec, sound, wrong, word = case
    own = Grid(-1_440.0, 1_440.0, 480.0, 6, 6)
    output = name, tmp_path / f"{name}.tif"
    source = geotiff(tmp_path / "sound.tif", own, np.full(own.shape, sound))
    assert call(stage, [(f"{name}_file", source)], output) == 0
    assert f"source.local.{name}: sound.tif: interpolated" in capsys.readouterr().err
    values = raster.read(output[1], spec, RUN.grid)[spec.bands[0].name]
    known = np.isfinite(values)
    np.testing.assert_allclose(values[known], sound, rtol=1e-6)
    assert 12**2 <= known.sum() <= 14**2
    output[1].unlink()
    source = geotiff(tmp_path / "wrong.tif", own, np.full(own.shape, wrong))
    assert call(stage, [(f"{name}_file", source)], output) == command.EXIT_ARTEFACT
    said = capsys.readouterr().err
    assert f"source.local.{name}: {source}: holds {wrong:g}" in said
    assert word in said
    assert not output[1].exists()


def scarps(folder: Path, *lines: list[list[float]]) -> gpd.GeoDataFrame:
    features = [
        {"type": "Feature", "properties": {}, "geometry": {"type": "LineString", "coordinates": line}} for line in lines
    ]
    source = folder / "scarps.geojson"
    source.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    assert call("source-scarps", [("scarps_file", source)], ("scarps", folder / "scarps.parquet")) == 0
    frame, stamp = table.read(folder / "scarps.parquet", contracts.SCARPS)
    assert stamp.origin == "local"
    return frame


def test_scarps_of_a_geojson_are_the_moon_s(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = scarps(tmp_path, [[0.0, 10.0], [5.0, 10.0]], [[90.0, -89.9], [90.0, -90.0]], [[0.0, -85.0], [0.0, -90.0]])
    assert found["id"].tolist() == [1, 2]
    assert shapely.length(found.geometry.to_numpy()) == pytest.approx([3_032.3, 4_800.0], abs=0.1)
    warned = [line for line in capsys.readouterr().err.splitlines() if " WARNING " in line]
    assert any("scarps.geojson is labelled WGS 84" in line and "on the Moon" in line for line in warned)


def test_scarps_elsewhere_leave_an_empty_table_and_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scarps(tmp_path, [[0.0, 10.0], [5.0, 10.0]]).empty
    assert "no line lies on the map" in capsys.readouterr().err
