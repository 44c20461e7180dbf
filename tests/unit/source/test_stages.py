"""Both stages through the command line, on a tiny grid."""

import json
from pathlib import Path

import numpy as np
import pytest

from lunarsite import command
from lunarsite.artefact import contracts, raster, record, table
from lunarsite.grid import Grid, lonlat_to_xy

RESOURCES = Path(__file__).parents[3] / "resources"
GRID = {"pixel_m": 240.0, "half_width_m": 9_600.0, "far_pixel_m": 480.0, "far_half_width_m": 19_200.0}
NEAR = Grid(-9_600.0, 9_600.0, 240.0, 80, 80)
FAR = Grid(-19_200.0, 19_200.0, 480.0, 80, 80)


def run(stage: str, folder: Path, inputs: dict[str, Path], outputs: list[str], settings: dict) -> int:
    names = {"dem": "dem.tif", "far_dem": "far.tif", "craters": "craters.parquet", "record": "record.json"}
    names["elevation_error"] = "error.tif"
    call = [stage, "--in", *(f"{name}={path}" for name, path in inputs.items())]
    call += ["--out", *(f"{name}={folder / names[name]}" for name in outputs)]
    return command.main([*call, "--settings", json.dumps(settings)])


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic")
    inputs = {"named_features": RESOURCES / "named_features.csv"}
    outputs = ["dem", "far_dem", "craters", "record"]
    assert run("source-synthetic", folder, inputs, outputs, {"grid": GRID, "synthetic": {"seed": 7}}) == 0
    return folder


def test_synthetic_leaves_its_artefacts_and_truth(synthetic: Path, moon) -> None:
    heights = raster.read(synthetic / "dem.tif", contracts.DEM, NEAR)["elevation_m"]
    assert np.array_equal(heights, moon.heights(NEAR))
    far = raster.read(synthetic / "far.tif", contracts.FAR_DEM, FAR)["elevation_m"]
    assert np.array_equal(far, moon.heights(FAR))
    craters, stamp = table.read(synthetic / "craters.parquet", contracts.CRATERS)
    assert (stamp.origin, stamp.seed) == ("synthetic", 7)
    assert craters["diameter_m"].tolist() == moon.crater_table(NEAR)["diameter_m"].tolist()
    written, _ = record.read(synthetic / "record.json", contracts.SOURCE_RECORD)
    assert written.metric("craters") == len(craters)
    assert {row["name"] for row in written.tables["good_ground"]} == {"Shackleton Rim", "Connecting Ridge"} & {
        row["name"] for row in written.tables["good_ground"]
    }
    assert any("Synthetic" in note for note in written.notes)


def test_local_reads_back_what_synthetic_wrote(synthetic: Path, tmp_path: Path) -> None:
    catalogue = tmp_path / "mine.csv"
    catalogue.write_text("lon_deg,lat_deg,diameter_m\n10,-89.9,1200\n10,-60,1200\n", encoding="utf-8")
    inputs = {"dem_file": synthetic / "dem.tif", "far_dem_file": synthetic / "far.tif", "craters_file": catalogue}
    assert run("source-local", tmp_path, inputs, ["dem", "far_dem", "craters", "record"], {"grid": GRID}) == 0
    for name, spec in (("dem.tif", contracts.DEM), ("far.tif", contracts.FAR_DEM)):
        again, before = raster.read(tmp_path / name, spec), raster.read(synthetic / name, spec)
        assert np.array_equal(again["elevation_m"], before["elevation_m"])
        assert raster.read_stamp(tmp_path / name).origin == "local"
    craters, _ = table.read(tmp_path / "craters.parquet", contracts.CRATERS)
    x_m, y_m = lonlat_to_xy(10.0, -89.9)
    assert craters[["x_m", "y_m"]].to_numpy() == pytest.approx(np.array([[float(x_m), float(y_m)]]))
    written, _ = record.read(tmp_path / "record.json", contracts.SOURCE_RECORD)
    assert written.metric("dem_file_pixels") == 1.0
    assert any("copied" in note for note in written.notes)
    assert any("1 of 2 craters" in note for note in written.notes)


def test_warping_is_told_in_log_and_record(synthetic: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert run("source-local", tmp_path, {"dem_file": synthetic / "far.tif"}, ["dem", "record"], {"grid": GRID}) == 0
    written, _ = record.read(tmp_path / "record.json", contracts.SOURCE_RECORD)
    assert any("interpolated" in note for note in written.notes)
    assert any("No far field" in note for note in written.notes)
    assert written.metric("dem_file_pixels") == pytest.approx(0.5, rel=1e-3)


@pytest.mark.parametrize(
    ("inputs", "outputs", "code"),
    [
        ({"dem_file": "absent.tif"}, ["dem"], command.EXIT_ARTEFACT),
        ({"dem_file": "dem.tif", "far_dem_file": "far.tif"}, ["dem"], command.EXIT_USAGE),
        ({"dem_file": "dem.tif"}, ["dem", "craters"], command.EXIT_USAGE),
        ({"dem_file": "craters.parquet"}, ["dem"], command.EXIT_ARTEFACT),
    ],
)
def test_wrong_calls_exit_with_their_code(
    synthetic: Path, tmp_path: Path, inputs: dict[str, str], outputs: list[str], code: int
) -> None:
    files = {name: synthetic / file for name, file in inputs.items()}
    assert run("source-local", tmp_path, files, outputs, {"grid": GRID}) == code


def test_a_grid_beyond_the_synthetic_moon_is_refused(tmp_path: Path) -> None:
    grid = GRID | {"far_half_width_m": 800_000.0, "far_pixel_m": 5_000.0}
    inputs = {"named_features": RESOURCES / "named_features.csv"}
    settings = {"grid": grid}
    assert run("source-synthetic", tmp_path, inputs, ["dem", "far_dem", "craters"], settings) == command.EXIT_ARTEFACT
