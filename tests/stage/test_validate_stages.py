from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from pydantic import JsonValue

from lunarsite.artefact import model as models
from lunarsite.artefact import record, table
from lunarsite.artefact.contracts import (
    ARTEMIS_RECORD,
    CRATER_CANDIDATES,
    CRATER_CURVE,
    CRATER_MATCHES,
    CRATER_MODEL,
    CRATER_RECORD,
    CRATERS,
    DETECTED,
    SITE_RECORD,
    SITES,
    SOURCE_RECORD,
)
from lunarsite.artefact.model import Card
from lunarsite.grid import xy_to_lonlat

from .fake_run import GRID, FakeRun

INPUTS = ("scores", "cells", "labels", "sites", "regions")
COMPARISON = {"selected": [20, 100], "selected_sites": [5, 20], "draws": 200}
SETTINGS: dict[str, object] = {"grid": GRID, "comparison": COMPARISON}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    return FakeRun(tmp_path_factory.mktemp("run"))


def test_artemis_writes_a_record_with_nulls_and_verdicts(run: FakeRun, tmp_path: Path) -> None:
    path = tmp_path / "artemis.json"
    assert run.call("validate-artemis", INPUTS, {"artemis": path}, SETTINGS) == 0
    found, stamp = record.read(path, ARTEMIS_RECORD)
    assert (stamp.origin, stamp.seed, stamp.run) == ("synthetic", 7, "fake")
    assert found.metric("base_rate_all") is not None
    by_rule = [verdict for verdict in found.verdicts if "by the plain rule" in verdict.name]
    assert len(by_rule) == 2 * 2, "the score against the rule at two sizes, with and without the Moutons"
    assert len([verdict for verdict in found.verdicts if "20 best sites" in verdict.name]) == 2
    assert len([verdict for verdict in found.verdicts if "hls rule" in verdict.name]) == 4
    says = {str(row["where"]): str(row["says"]) for row in found.tables["in_words"]}
    scopes = ("all regions", "without the two Moutons")
    limits = {f"{scope}, limit by limit" for scope in scopes}
    assert set(says) == {*scopes, *limits, "Region NR", "Region MM", "Region MP"}
    assert all("Rule cassa: " in says[where] and "Rule hls: " in says[where] for where in limits)
    assert any("synthetic" in note for note in found.notes)
    # The 400 cells without light are unknown and are left out, whatever their slope.
    assert found.notes[0].startswith("27844 of 28244 cells have every input")
    again = tmp_path / "again.json"
    assert run.call("validate-artemis", INPUTS, {"artemis": again}, SETTINGS) == 0
    assert again.read_bytes() == path.read_bytes()


def test_another_grid_is_refused_with_the_file(
    run: FakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {**SETTINGS, "grid": {**GRID, "latitude_limit_deg": 88.0}}
    assert run.call("validate-artemis", INPUTS, {"artemis": tmp_path / "a.json"}, settings) == 3
    said = capsys.readouterr().err
    assert "labels.parquet" in said
    assert "run's grid" in said


def test_regions_of_the_other_pole_are_unknown(tmp_path: Path) -> None:
    run = FakeRun(tmp_path)
    path = tmp_path / "artemis_out.json"
    north = tmp_path / "north.csv"
    rows = run.path("regions").read_text(encoding="utf-8").replace(",-8", ",8")
    north.write_text(rows, encoding="utf-8")
    assert ",-8" not in rows
    run.path = lambda name, own=run.path: north if name == "regions" else own(name)  # type: ignore[method-assign,misc]
    assert run.call("validate-artemis", INPUTS, {"artemis": path}, SETTINGS) == 0
    found, _ = record.read(path, ARTEMIS_RECORD)
    assert {verdict.holds for verdict in found.verdicts} == {None}


CRATER_SETTINGS: dict[str, object] = {
    "grid": GRID,
    "coverage": {"lon_deg": [0.0, 180.0]},
    "split": {"validation_lon_deg": [115.0, 155.0], "test_lon_deg": [40.0, 100.0]},
    "reference": {"draws": 100, "block_km": 20.0},
}
OUTPUTS = ("record", "matches", "candidates", "curve")


def write_craters(run: FakeRun, count: int = 120) -> None:
    """A catalogue of the fake run's map, a detector that finds all but every third crater, and one that finds half."""
    rng = np.random.default_rng(8)
    side = np.arange(-60e3, 61e3, 8e3)
    x, y = (axis.ravel()[rng.permutation(side.size**2)[:count]] for axis in np.meshgrid(side, side))
    lon, lat = xy_to_lonlat(x, y)
    diameter = rng.uniform(3_000.0, 7_000.0, count)
    frame = pd.DataFrame({"id": np.arange(count), "lon_deg": lon, "lat_deg": lat, "x_m": x, "y_m": y})
    given = frame.assign(name="", diameter_m=diameter, depth_m=0.1 * diameter, score=np.nan)
    write(run, "catalogue", CRATERS, given)
    for name, step in (("detected", 3), ("base", 2)):
        kept = np.arange(count) % step != 0
        found = frame[kept].assign(diameter_m=diameter[kept], depth_m=np.nan, response=0.7, score=0.7, accepted=True)
        write(run, name, DETECTED, found)


def write(run: FakeRun, name: str, spec: table.TableSpec, frame: pd.DataFrame) -> None:
    order = [column.name for column in spec.columns]
    geo = gpd.GeoDataFrame(frame[order].reset_index(drop=True), geometry=gpd.points_from_xy(frame["x_m"], frame["y_m"]))
    table.write(run.folder / f"{name}.parquet", spec, geo, run.stamp(spec.name, f"test-{name}"))


@pytest.fixture(scope="module")
def cratered(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    run = FakeRun(tmp_path_factory.mktemp("cratered"), origin="local")
    write_craters(run)
    own = run.path
    tables = {name: run.folder / f"{name}.parquet" for name in ("catalogue", "detected", "base")}
    for name, split in (("model", CRATER_SETTINGS["split"]), ("other_model", {"validation_lon_deg": [0.0, 9.0]})):
        tables[name] = run.folder / f"{name}.safetensors"
        card = Card(spec={}, inputs=("height",), training={"split": split})
        models.write_tensors(
            tables[name], CRATER_MODEL, {"w": np.ones(1)}, card, run.stamp("crater_model", "crater-calibrate")
        )
    run.path = lambda name: tables.get(name) or own(name)  # type: ignore[method-assign]
    return run


def outputs(folder: Path) -> dict[str, Path]:
    return {name: folder / f"{name}.{'json' if name == 'record' else 'parquet'}" for name in OUTPUTS}


def test_craters_are_compared_with_the_catalogue(cratered: FakeRun, tmp_path: Path) -> None:
    files = outputs(tmp_path)
    inputs = ("detected", "model", "catalogue", "dem", "base")
    assert cratered.call("validate-crater", inputs, files, CRATER_SETTINGS) == 0
    found, stamp = record.read(files["record"], CRATER_RECORD)
    assert (stamp.origin, stamp.seed) == ("local", 7)
    assert found.metric("precision_3km") == 1.0
    matches, _ = table.read(files["matches"], CRATER_MATCHES)
    test = matches[matches["split"] == "test"]
    assert found.metric("recall_3km") == pytest.approx((test["outcome"] == "hit").sum() / len(test))
    assert {verdict.name.split(",")[0] for verdict in found.verdicts} >= {"F1", "F1 above that of 'base'"}
    curve, _ = table.read(files["curve"], CRATER_CURVE)
    assert set(curve["detector"]) == {"network", "base"}
    assert set(curve["split"]) == {"training", "validation", "test"}
    assert table.read(files["candidates"], CRATER_CANDIDATES)[0].empty
    (tmp_path / "again").mkdir()
    again = outputs(tmp_path / "again")
    assert cratered.call("validate-crater", inputs, again, CRATER_SETTINGS) == 0
    for name in OUTPUTS:
        assert again[name].read_bytes() == files[name].read_bytes(), name


def test_craters_that_are_no_detections_are_refused(
    cratered: FakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = ("detected=catalogue", "model", "catalogue", "dem")
    assert cratered.call("validate-crater", inputs, outputs(tmp_path), CRATER_SETTINGS) == 3
    assert "catalogue.parquet" in capsys.readouterr().err


def test_ground_that_the_model_may_have_seen_is_not_called_unseen(
    cratered: FakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = ("detected", "model=other_model", "catalogue", "dem")
    assert cratered.call("validate-crater", inputs, outputs(tmp_path), CRATER_SETTINGS) == 3
    message = capsys.readouterr().err
    assert "other_model.safetensors" in message
    assert "crater.split" in message


SITE_SETTINGS: dict[str, object] = {"grid": GRID, "reference": {"selected": [5, 20], "draws": 100}}
SITE_INPUTS = ("sites", "region_sites", "cells", "labels", "regions")


def with_files(run: FakeRun, **files: Path) -> None:
    """Let the run take further files under the stages' names for them."""
    own = run.path
    run.path = lambda name: files.get(name) or own(name)  # type: ignore[method-assign]


def test_sites_without_any_table_are_unknown_with_reasons(run: FakeRun, tmp_path: Path) -> None:
    path = tmp_path / "site.json"
    assert run.call("validate-site", SITE_INPUTS, {"site": path}, SITE_SETTINGS) == 0
    found, stamp = record.read(path, SITE_RECORD)
    assert (stamp.origin, stamp.seed) == ("synthetic", 7)
    assert {verdict.holds for verdict in found.verdicts} == {None}
    assert all(verdict.why for verdict in found.verdicts)
    assert len(found.verdicts) == 3, "one for each table that is missing"


def test_sites_are_compared_with_tables_and_truth(tmp_path: Path) -> None:
    run = FakeRun(tmp_path)
    sites = table.read(run.path("sites"), SITES)[0]
    experts, rivals, truth = (tmp_path / name for name in ("experts.csv", "rivals.csv", "truth.json"))
    sites[["lon", "lat"]].to_csv(experts, index=False)
    sites.assign(score=-sites["rank"], lon=sites["lon"] % 360.0)[["score", "lat", "lon"]].to_csv(rivals, index=False)
    rows: list[dict[str, JsonValue]] = [
        {"name": f"Rise {index}", "x_m": float(x), "y_m": float(y), "diameter_m": 6_000.0}
        for index, (x, y) in enumerate(zip(sites["x_m"][:4], sites["y_m"][:4], strict=True))
    ]
    metrics = tuple(record.Metric(name=name, value=1.0) for name in SOURCE_RECORD.metrics)
    built = record.Record(title="Source", metrics=metrics, tables={"good_ground": rows})
    record.write(truth, SOURCE_RECORD, built, run.stamp("source", "source-synthetic"))
    with_files(run, experts=experts, rivals=rivals, truth=truth)
    path, again = tmp_path / "site.json", tmp_path / "again.json"
    inputs = (*SITE_INPUTS, "experts", "rivals", "truth")
    assert run.call("validate-site", inputs, {"site": path}, SITE_SETTINGS) == 0
    found, _ = record.read(path, SITE_RECORD)
    for name in ("experts_precision_2km_top_20_all", "rivals_recall_2km_top_20_all"):
        assert found.metric(name) is not None
    assert found.metric("experts_precision_2km_top_20_all") == 1.0
    assert found.metric("experts_median_site_to_target_km_top_20_all") == pytest.approx(0.0, abs=1e-6)
    assert len(found.tables["massifs"]) == 4
    assert all(row["has_site"] for row in found.tables["massifs"])
    assert run.call("validate-site", inputs, {"site": again}, SITE_SETTINGS) == 0
    assert again.read_bytes() == path.read_bytes()


def test_a_bad_list_of_experts_is_refused_with_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = FakeRun(tmp_path)
    experts = tmp_path / "experts.csv"
    experts.write_text("lon,lat\n10,-88\n20,88\n", encoding="utf-8")
    with_files(run, experts=experts)
    assert run.call("validate-site", (*SITE_INPUTS, "experts"), {"site": tmp_path / "s.json"}, SITE_SETTINGS) == 3
    said = capsys.readouterr().err
    assert "validation.site.experts" in said
    assert "experts.csv, line 3" in said
