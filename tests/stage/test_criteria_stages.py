"""Stages of the criteria on a small made-up map: contracts, unknown ground, bytes, missing layers, clear refusals."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from lunarsite import command
from lunarsite.artefact import raster, table
from lunarsite.artefact.contracts import (
    CELLS,
    CRATERS,
    CRITERIA,
    DETECTED,
    ICE_DEPTH,
    LABELS,
    NIGHT,
    PSR,
    REACH,
    RELIEF,
    SCARPS,
    SLOPE,
    TEMPERATURE,
)
from lunarsite.artefact.stamp import Stamp
from lunarsite.grid import Cells, Grid, xy_to_lonlat

SETTINGS = {"grid": {"half_width_m": 24_000.0, "pixel_m": 240.0, "latitude_limit_deg": 89.3, "far_half_width_m": 48e3}}
AREA = Grid.centred(24_000.0, 240.0, 960.0)
PLACES = Cells(AREA, 960.0, 89.3)
NEEDED = ("cells", "labels", "psr", "walk", "rover")
OPTIONAL = ("night", "detected", "relief", "temperature", "ice_depth", "scarps")


def stamp(spec: Any) -> Stamp:
    return Stamp.model_validate(
        {
            "artefact": spec.name,
            "stage": "test",
            "run": "fake",
            "settings_hash": "5" * 64,
            "code": "c" * 16,
            "inputs": {},
            "git_commit": None,
            "git_dirty": None,
            "seed": None,
            "origin": "synthetic",
        }
    )


class Files:
    """Artefacts of a made-up run by their names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        draws = np.random.default_rng(0)
        x, y = np.meshgrid(AREA.x_m(), AREA.y_m())
        slope = (6.0 + 5.0 * np.sin(x / 3_000.0) + draws.normal(0.0, 1.0, AREA.shape)).clip(0.0)
        slope[:, 140:144] = 18.0  # a rover passes, nobody on foot
        slope[40:60, 40:60] = 40.0
        slope[44:56, 44:56] = 3.0  # nobody leaves
        psr = (np.hypot(x - 3_000.0, y + 2_000.0) < 1_500.0).astype(np.uint8)
        psr[100:108, 60:64] = 255
        self.raster("slope", SLOPE, slope)
        self.raster("psr", PSR, psr)
        temperature = 90.0 + 20.0 * np.cos(x / 9_000.0)
        temperature[80:88, 80:88] = np.nan
        temperature[90:92, 80:84] = np.nan  # half of a cell
        temperature[90:92, 84:88] = temperature[89, 84] = np.nan  # and one pixel more
        self.raster("temperature", TEMPERATURE, temperature)
        self.raster("ice_depth", ICE_DEPTH, np.hypot(x, y) / 1_000.0)
        self._tables(draws)
        self._craters(draws)

    def path(self, name: str) -> Path:
        """Path of an artefact by its name."""
        suffix = "tif" if name in {"slope", "psr", "walk", "rover", "temperature", "ice_depth"} else "parquet"
        return self.folder / f"{name}.{suffix}"

    def raster(self, name: str, spec: raster.RasterSpec, values: Any) -> None:
        """Write a raster of one band."""
        raster.write(self.path(name), spec, AREA, {spec.bands[0].name: values.astype(spec.dtype)}, stamp(spec))

    def table(self, name: str, spec: table.TableSpec, frame: pd.DataFrame, geometry: Any = None) -> None:
        """Write a table; columns of the contract that are not given are made up."""
        whole = pd.DataFrame(index=frame.index)
        made_up = {"string": "", "bool": True, "timestamp[ms]": np.datetime64("2028-01-01", "ms")}
        for column in spec.columns:
            values = frame.get(column.name, pd.Series(made_up.get(column.dtype, 0.0), index=frame.index))
            whole[column.name] = (
                values.astype(column.dtype) if column.dtype.startswith(("int", "float")) else values.to_numpy()
            )
        if geometry is not None:
            whole = gpd.GeoDataFrame(whole, geometry=geometry)
        table.write(self.path(name), spec, whole, stamp(spec))

    def _tables(self, draws: np.random.Generator) -> None:
        x_m, y_m = PLACES.centres_m()
        points = gpd.points_from_xy(x_m, y_m)
        cells = pd.DataFrame({"cell_id": np.arange(PLACES.count), "crater_count_5km": 2.0})
        cells["crater_coverage_5km_pct"] = 11.0
        cells.loc[:9, ["crater_count_5km", "crater_coverage_5km_pct"]] = np.nan
        self.table("cells", CELLS, cells, points)
        night = pd.DataFrame({"cell_id": np.arange(PLACES.count), "longest_night_h": 100.0 + np.abs(x_m) / 1_000.0})
        night["sun_and_earth_h_per_year"] = 4_000.0
        night.loc[5, "longest_night_h"] = np.nan
        self.table("night", NIGHT, night, points)
        probability = np.where(np.hypot(x_m, y_m) < 4_000.0, 0.8, 0.2)
        probability[7] = np.nan
        labels = [
            pd.DataFrame({"cell_id": np.arange(PLACES.count), "rule": rule, "label": "unknown", "probability": value})
            for rule, value in (("cassa", probability), ("hls", np.full(PLACES.count, 0.9)))
        ]
        self.table("labels", LABELS, pd.concat(labels, ignore_index=True))
        relief = pd.DataFrame({"cell_id": [3, 30], "pixel_m": 5.0, "p95_slope_deg": [7.0, 9.0], "steep_share": 0.1})
        self.table("relief", RELIEF, relief.assign(step_m=0.5))
        lines = [shapely.LineString([(0.0, -20_000.0), (0.0, 20_000.0)]), shapely.LineString([(9e3, 0), (9e3, 1e3)])]
        self.table("scarps", SCARPS, pd.DataFrame({"id": [0, 1]}), lines)

    def _craters(self, draws: np.random.Generator) -> None:
        x_m, y_m = draws.uniform(-20_000.0, 20_000.0, (2, 200))
        lon_deg, lat_deg = xy_to_lonlat(x_m, y_m)
        frame = pd.DataFrame({"id": np.arange(200), "lon_deg": lon_deg, "lat_deg": lat_deg, "x_m": x_m, "y_m": y_m})
        frame["diameter_m"] = draws.uniform(700.0, 3_000.0, 200)
        points = gpd.points_from_xy(x_m, y_m)
        self.table("craters", CRATERS, frame, points)
        self.table("detected", DETECTED, frame.assign(accepted=np.arange(200) % 2 == 0), points)

    def call(self, stage: str, inputs: Iterable[str], output: str, *more: str, **settings: Any) -> int:
        """Run a stage as the command line does; return the exit code."""
        arguments = [stage, "--run", "fake", "--settings", json.dumps(SETTINGS | settings), *more]
        return command.main([*arguments, "--in", *(f"{name}={self.path(name)}" for name in inputs), "--out", output])

    def reach(self, mover: str, **settings: Any) -> int:
        """Find a mover's ways."""
        output = f"path={self.path(mover)}"
        return self.call("criteria-reach", ("slope", "psr"), output, "--mover", mover, **settings)

    def gather(self, inputs: Iterable[str], name: str = "criteria", **settings: Any) -> pd.DataFrame:
        """Gather criteria and read them back."""
        assert self.call("criteria-gather", inputs, f"criteria={self.path(name)}", **settings) == 0
        frame, _ = table.read(self.path(name), CRITERIA)
        return frame


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    made = Files(tmp_path_factory.mktemp("criteria"))
    assert made.reach("walk") == 0
    assert made.reach("rover") == 0
    return made


def test_reach(files: Files) -> None:
    walk, rover = (raster.read(files.path(mover), REACH, AREA) for mover in ("walk", "rover"))
    psr, slope = raster.read(files.path("psr"), PSR)["psr"], raster.read(files.path("slope"), SLOPE)["slope_deg"]
    assert (walk["path_m"][(psr == 1) & (slope <= 15.0)] == 0.0).all()
    east = np.s_[:, 150:]
    assert np.isnan(walk["path_m"][east]).all()
    # East of the barrier a way could leave the map.
    assert np.isnan(walk["way"][east][slope[east] <= 15.0]).all()
    assert (rover["way"][east][slope[east] <= 25.0] == 1.0).all()
    assert (walk["way"][44:56, 44:56] == 0.0).all()
    both = ~np.isnan(walk["path_m"])
    assert (rover["path_m"][both] <= walk["path_m"][both] * (1.0 + 1e-6)).all()


def test_two_searches_leave_the_same_bytes(files: Files) -> None:
    before = files.path("walk").read_bytes()
    assert files.reach("walk") == 0
    assert files.path("walk").read_bytes() == before


def test_no_region_is_large_enough(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    path = files.folder / "nowhere.tif"
    arguments = ("criteria-reach", ("slope", "psr"), f"path={path}", "--mover", "rover")
    assert files.call(*arguments, reach={"psr_area_km2": 5_000.0}) == 0
    assert "no permanently shadowed region has 5000 km2" in capsys.readouterr().err
    assert np.isnan(raster.read(path, REACH)["path_m"]).all()


def test_another_mover_is_refused(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    output = f"path={files.folder / 'none.tif'}"
    code = files.call("criteria-reach", ("slope", "psr"), output, "--mover", "hopper")
    assert code == command.EXIT_USAGE
    assert "--mover is 'hopper', must be one of ['walk', 'rover']" in capsys.readouterr().err
    assert not (files.folder / "none.tif").exists()


def test_all_criteria(files: Files) -> None:
    found = files.gather((*NEEDED, *OPTIONAL))
    x_m, y_m = PLACES.centres_m()
    assert found["longest_night_h"][0] == pytest.approx(100.0 + abs(x_m[0]) / 1_000.0)
    assert np.isnan(found["longest_night_h"][5])
    assert (found["sun_and_earth_h_per_year"] == 4_000.0).all()
    in_shadow = int(PLACES.id_at(3_000.0, -2_000.0))
    assert found["psr_distance_m"][in_shadow] == 0.0
    assert found["psr_walk_m"][in_shadow] == 0.0
    unknown_shadow = int(PLACES.id_at(AREA.x_m()[61], AREA.y_m()[102]))
    assert np.isnan(found["psr_distance_m"][unknown_shadow])
    enclosed = int(PLACES.id_at(AREA.x_m()[49], AREA.y_m()[49]))
    assert found["psr_walk"][enclosed] == found["psr_rover"][enclosed] == "no way"
    east = int(PLACES.id_at(AREA.x_m()[155], 0.0))
    assert (found["psr_walk"][east], found["psr_rover"][east]) == ("unknown", "reached")
    for mover in ("walk", "rover"):
        there = found[f"psr_{mover}"] == "reached"
        assert there.equals(found[f"psr_{mover}_m"].notna().rename(f"psr_{mover}"))
        assert (found[f"psr_{mover}_m"][there] >= found["psr_distance_m"][there].fillna(0.0) * (1.0 - 1e-6)).all()
    assert found["crater_count_1km"][:10].isna().all()
    assert found["crater_coverage_1km_pct"][10:].notna().all()
    assert (found["crater_coverage_5km_pct"][10:] == 11.0).all()
    assert found["relief_p95_slope_deg"].notna().sum() == 2
    assert found["relief_p95_slope_deg"][30] == 9.0
    assert found["good_area_km2"].max() == pytest.approx(np.sum(np.hypot(x_m, y_m) < 4_000.0) * 0.9216, rel=1e-4)
    assert np.isnan(found["good_area_km2"][7])
    block = np.s_[80:84, 80:84]
    assert np.isnan(found["temperature_k"][int(PLACES.id_at(AREA.x_m()[81], AREA.y_m()[81]))])
    half, less = (int(PLACES.id_at(AREA.x_m()[col], AREA.y_m()[90])) for col in (81, 85))
    assert found["temperature_k"][half] > 0.0
    assert np.isnan(found["temperature_k"][less])
    ice = raster.read(files.path("ice_depth"), ICE_DEPTH)["ice_depth_m"][block].min()
    assert found["ice_depth_m"][int(PLACES.id_at(AREA.x_m()[81], AREA.y_m()[81]))] == ice
    west = (x_m < 0.0) & (np.abs(y_m) < 20_000.0)
    np.testing.assert_allclose(found["scarp_distance_m"][west], np.abs(x_m[west]), rtol=1e-3)


def test_accepted_craters_count(files: Files) -> None:
    given = files.gather((*NEEDED, "craters"), "given")
    detected = files.gather((*NEEDED, "detected"), "detected_only")
    known = detected["crater_count_1km"].notna()
    assert (detected["crater_count_1km"][known] <= given["crater_count_1km"][known]).all()
    assert 0.0 < detected["crater_count_1km"].sum() < given["crater_count_1km"].sum()


def test_missing_layers_are_unknown_and_said(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    found = files.gather(NEEDED, "bare")
    said = capsys.readouterr().err
    missing = ["longest_night_h", "crater_count_1km", "relief_step_m", "temperature_k", "ice_depth_m"]
    assert found[[*missing, "scarp_distance_m"]].isna().all().all()
    assert found["psr_rover_m"].notna().any()
    assert found["crater_count_5km"].notna().any()
    for words in ("darkness.enabled", "site.craters", "source.local.fine_dems", "source.local.temperature"):
        assert words in said
    assert f"temperature_k: a value in 0 of {PLACES.count} cells" in said


def test_two_gatherings_leave_the_same_bytes(files: Files) -> None:
    files.gather((*NEEDED, *OPTIONAL), "once")
    files.gather((*NEEDED, *OPTIONAL), "again")
    assert files.path("once").read_bytes() == files.path("again").read_bytes()


@pytest.mark.parametrize(
    ("inputs", "settings", "code", "message"),
    [
        ((*NEEDED, "craters", "detected"), {}, command.EXIT_USAGE, "both 'craters' and 'detected'"),
        (NEEDED, {"scorer": {"target": "mine"}}, command.EXIT_ARTEFACT, "not site.scorer.target ('mine')"),
        (NEEDED, {"grid": SETTINGS["grid"] | {"pixel_m": 480.0}}, command.EXIT_ARTEFACT, "one run has one grid"),
        (
            NEEDED,
            {"grid": SETTINGS["grid"] | {"latitude_limit_deg": 89.4}},
            command.EXIT_ARTEFACT,
            "cells.parquet: 'cell_id' has",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    files: Files,
    capsys: pytest.CaptureFixture[str],
    inputs: tuple[str, ...],
    settings: dict[str, Any],
    code: int,
    message: str,
) -> None:
    output = files.path("refused")
    assert files.call("criteria-gather", inputs, f"criteria={output}", **settings) == code
    assert message in capsys.readouterr().err
    assert not output.exists()
