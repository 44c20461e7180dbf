"""Label stages from rasters to probabilities through the command line: shards, unknown ground, bytes, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lunarsite import command
from lunarsite.artefact import partial, raster, record, table
from lunarsite.artefact.contracts import (
    CELLS,
    CLONES,
    DEM,
    EARTH_ANY,
    ELEVATION_ERROR,
    ILLUMINATION_RECORD,
    LABELS,
    LABELS_RECORD,
    PSR,
    ROUGHNESS,
    SLOPE,
    SUN_ANY,
    SUN_MEAN,
)
from lunarsite.artefact.record import Metric, Record
from lunarsite.gradient import slope_deg, with_border
from lunarsite.grid import Cells, Grid
from lunarsite.settings import CatalogueSettings, GridSettings, RulesSettings
from lunarsite.site import stages as site_stages
from lunarsite.site.label import clones as clones_module
from lunarsite.stage import Job

GRID = GridSettings(pixel_m=80.0, half_width_m=12_000.0, latitude_limit_deg=89.6, far_half_width_m=24_000.0)
AREA = Grid.centred(12_000.0, 80.0, 960.0)
PLACES = Cells(AREA, 960.0, 89.6)
OWN = {"max_slope_deg": 12.0, "min_illumination_pct": 0.0, "min_earth_visibility_pct": 0.0}
UNCERTAINTY: dict[str, Any] = {"draws": 8, "correlation_m": 300.0, "shards": 2}
DARK, VOID = (slice(120, 144), slice(120, 156)), (slice(60, 86), slice(96, 122))
"""Pixels without light (two by three cells), and without heights."""


@pytest.fixture
def job() -> Job:
    job = Job("label-test", "default", "0" * 16, "0" * 64)
    job.origin = "synthetic"
    return job


@pytest.fixture
def files(tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    monkeypatch.setattr(clones_module, "_LEAST_SIDE_PX", 64)
    x, y = np.meshgrid(AREA.x_m(), AREA.y_m())
    draws = np.random.default_rng(0)
    height = (500.0 * np.sin(x / 4e3) * np.cos(y / 5e3) + draws.normal(0.0, 2.0, AREA.shape)).astype(np.float32)
    height[VOID] = np.nan
    light = np.clip(0.35 + 0.2 * np.sin(x / 3e3), 0.0, 1.0)
    light[DARK] = np.nan
    layers: dict[str, tuple[raster.RasterSpec, Any]] = {
        "dem": (DEM, height),
        "slope": (SLOPE, slope_deg(with_border(height, (1, 1, 1, 1)), AREA.scale_factor(), 80.0)),
        "roughness": (ROUGHNESS, np.full(AREA.shape, 2.0)),
        "elevation_error": (ELEVATION_ERROR, np.where(np.isnan(height), np.nan, 3.0)),
        "sun_any": (SUN_ANY, light),
        "sun_mean": (SUN_MEAN, 0.9 * light),
        "earth_any": (EARTH_ANY, np.clip(0.55 + 0.3 * np.cos(y / 4e3), 0.0, 1.0)),
        "psr": (PSR, np.zeros(AREA.shape)),
    }
    paths = {name: tmp_path / f"{name}.tif" for name in layers}
    for name, (spec, values) in layers.items():
        raster.write(paths[name], spec, AREA, {spec.bands[0].name: values.astype(spec.dtype)}, job.stamp(spec))
    paths["cells"] = tmp_path / "cells.parquet"
    site_stages.cells(
        job, GRID, RulesSettings(), CatalogueSettings(), **{name: paths[name] for name in layers}, craters=None,
        detected=None, cells=paths["cells"],
    )  # fmt: skip
    measured = Record(
        title="made up",
        metrics=(
            Metric(name="sun_any_rms", value=5.0),
            Metric(name="sun_any_bias", value=3.0),
            Metric(name="earth_any_rms", value=None),
        ),
    )
    paths["illumination"] = tmp_path / "illumination.json"
    record.write(paths["illumination"], ILLUMINATION_RECORD, measured, job.stamp(ILLUMINATION_RECORD))
    return paths


def settings(**changed: Any) -> str:
    return json.dumps(
        {
            "grid": GRID.model_dump(mode="json"),
            "rules": {"own": {"gentle": OWN}},
            "uncertainty": {**UNCERTAINTY, **changed},
        }
    )


def draw(files: dict[str, Path], folder: Path, **changed: Any) -> list[Path]:
    folder.mkdir(exist_ok=True)
    found = []
    for shard in range({**UNCERTAINTY, **changed}["shards"]):
        found.append(folder / f"clones_{shard}.h5")
        call = ["label-clones", "--in", f"dem={files['dem']}", f"elevation_error={files['elevation_error']}"]
        call += ["--out", f"clones={found[-1]}", "--settings", settings(**changed), "--shard", str(shard)]
        assert command.main(call) == command.EXIT_OK
    return found


def label(
    files: dict[str, Path], clones: list[Path], folder: Path, illumination: bool = True, text: str | None = None
) -> int:
    call = ["label-labels", "--in", f"cells={files['cells']}", *(f"clones={path}" for path in clones)]
    call += [f"illumination={files['illumination']}"] if illumination else []
    call += ["--out", f"labels={folder / 'labels.parquet'}", f"record={folder / 'labels.json'}"]
    return command.main([*call, "--settings", text or settings()])


def read(folder: Path) -> tuple[pd.DataFrame, Record]:
    return table.read(folder / "labels.parquet", LABELS)[0], record.read(folder / "labels.json", LABELS_RECORD)[0]


def test_from_rasters_to_probabilities(tmp_path: Path, files: dict[str, Path]) -> None:
    assert label(files, draw(files, tmp_path / "run"), tmp_path) == command.EXIT_OK
    found, told = read(tmp_path)
    assert found["rule"].unique().tolist() == ["cassa", "gentle", "hls"]
    assert len(found) == 3 * PLACES.count
    cells, _ = table.read(files["cells"], CELLS)
    for rule in ("cassa", "hls"):
        part = found[found["rule"] == rule].reset_index(drop=True)
        assert part["label"].equals(cells[f"label_{rule}"])
        assert part.loc[part["label"] == "suitable", "probability"].mean() > 0.5
        assert part.loc[part["label"] == "unsuitable", "probability"].mean() < 0.3
        assert (part["probability"].isna() == (part["label"] == "unknown")).all()
    part = found[found["rule"] == "cassa"].reset_index(drop=True)
    dark = PLACES.ids[10:12, 10:13].ravel()
    assert (part.loc[dark, "unknown_because"] == "light").all()
    assert part["unknown_because"].isin(["", "light", "slope"]).all()
    assert (part["unknown_because"] == "slope").sum() >= 4
    assert part["probability"].between(0.05, 0.95).any()
    assert (told.metric("light_bias"), told.metric("light_sigma")) == (3.0, 4.0)
    row = next(row for row in told.tables["rules"] if row["rule"] == "cassa")
    assert row["expected_bias_removed"] == told.metric("cassa_expected_suitable")
    assert told.metric("earth_sigma") == 2.8, "the run could not measure it"
    stamp = table.read_stamp(tmp_path / "labels.parquet")
    assert stamp.seed == 11
    assert stamp.origin == "synthetic"


def test_the_sharing_leaves_no_trace_and_the_bytes_are_the_same(tmp_path: Path, files: dict[str, Path]) -> None:
    found = []
    for shards in (1, 8):
        clones = draw(files, tmp_path / str(shards), shards=shards)
        assert label(files, clones, tmp_path / str(shards), text=settings(shards=shards)) == command.EXIT_OK
        found.append(read(tmp_path / str(shards)))
    pd.testing.assert_frame_equal(found[0][0], found[1][0], check_exact=True)
    assert found[0][1] == found[1][1]
    for folder in ("again", "once_more"):
        draw(files, tmp_path / folder)
    first, second = (tmp_path / folder / "clones_1.h5" for folder in ("again", "once_more"))
    assert first.read_bytes() == second.read_bytes()


def test_more_shards_than_blocks_leave_some_empty(
    tmp_path: Path, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clones_module, "_LEAST_SIDE_PX", 512)  # one block holds the whole map
    clones = draw(files, tmp_path / "run")
    with partial.opened(clones[0], CLONES) as source:
        assert source.read("cell_id").size == 0
    assert label(files, clones, tmp_path) == command.EXIT_OK


def test_without_a_reference_the_settings_hold(tmp_path: Path, files: dict[str, Path]) -> None:
    assert label(files, draw(files, tmp_path / "run"), tmp_path, illumination=False) == command.EXIT_OK
    told = read(tmp_path)[1]
    assert (told.metric("light_sigma"), told.metric("earth_sigma")) == (2.9, 2.8)


def test_a_bias_moves_probabilities_and_no_label(tmp_path: Path, files: dict[str, Path]) -> None:
    clones, found = draw(files, tmp_path / "run"), []
    for remove in (True, False):
        folder = tmp_path / str(remove)
        folder.mkdir()
        assert label(files, clones, folder, text=settings(remove_bias=remove)) == command.EXIT_OK, "no new clones"
        found.append(read(folder))
    (removed, told), (kept, told_kept) = found
    assert removed["label"].equals(kept["label"])
    assert removed["probability"].sum() < kept["probability"].sum()
    assert (told_kept.metric("light_bias"), told_kept.metric("light_sigma")) == (0.0, 5.0)
    for row, other in zip(told.tables["rules"], told_kept.tables["rules"], strict=True):
        for name in ("expected_bias_removed", "expected_bias_kept", "likely_bias_removed", "likely_bias_kept"):
            assert row[name] == pytest.approx(other[name], rel=1e-6)


def test_clones_of_other_settings_are_refused(
    tmp_path: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    clones = draw(files, tmp_path / "run")
    assert label(files, clones, tmp_path, text=settings(draws=9)) == command.EXIT_ARTEFACT
    assert "was drawn under other settings; rerun label-clones" in capsys.readouterr().err
    assert label(files, clones[:1], tmp_path) == command.EXIT_ARTEFACT
    assert "1 shards of clones given, the settings have 2" in capsys.readouterr().err
    assert label(files, [clones[0], clones[0]], tmp_path) == command.EXIT_ARTEFACT
    assert "once; rerun site-cells and label-clones" in capsys.readouterr().err
    other = draw(files, tmp_path / "other", seed=5)
    assert label(files, [clones[0], other[1]], tmp_path) == command.EXIT_ARTEFACT
    assert "was drawn under another plan" in capsys.readouterr().err


def test_errors_of_light_need_no_new_clones(tmp_path: Path, files: dict[str, Path]) -> None:
    clones = draw(files, tmp_path / "run")
    text = settings(light_sigma_pct=0.0, earth_sigma_pct=0.0)
    assert label(files, clones, tmp_path, illumination=False, text=text) == command.EXIT_OK
    part = read(tmp_path)[0].query("rule == 'cassa' and label == 'unsuitable'")
    shares = part["probability"].to_numpy() * 8.0
    np.testing.assert_allclose(shares, np.round(shares), atol=1e-6)


def test_heights_without_an_error_are_refused(
    tmp_path: Path, files: dict[str, Path], job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    error = raster.read(files["elevation_error"], ELEVATION_ERROR)["elevation_error_m"]
    error[150:153, 150] = np.nan
    raster.write(
        files["elevation_error"], ELEVATION_ERROR, AREA, {"elevation_error_m": error}, job.stamp(ELEVATION_ERROR)
    )
    call = ["label-clones", "--in", f"dem={files['dem']}", f"elevation_error={files['elevation_error']}"]
    call += ["--out", f"clones={tmp_path / 'clones.h5'}", "--settings", settings(shards=1), "--shard", "0"]
    assert command.main(call) == command.EXIT_ARTEFACT
    message = capsys.readouterr().err
    assert "elevation_error.tif: " in message
    assert "pixels have a height and no error; give an error wherever" in message


def test_cells_of_another_grid_are_refused(
    tmp_path: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    clones = draw(files, tmp_path / "run", draws=2)
    smaller = json.loads(settings(draws=2))
    smaller["grid"]["latitude_limit_deg"] = 89.7
    assert label(files, clones, tmp_path, text=json.dumps(smaller)) == command.EXIT_ARTEFACT
    assert "cells.parquet: its " in capsys.readouterr().err
