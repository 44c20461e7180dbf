"""Stages of published outlines, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest

from lunarsite import command
from lunarsite.grid import is_polar_map
from tests.layouts import tables as made

GRID = {"half_width_m": 24_000.0, "pixel_m": 240.0, "far_half_width_m": 30_000.0, "latitude_limit_deg": 89.0}


def call(stage: str, name: str, receipt: Path, target: Path) -> int:
    settings = json.dumps({"grid": GRID})
    given = ["--in", f"{name}_files={receipt}", "--out", f"{name}={target}"]
    return command.main([stage, "--run", "made", "--settings", settings, *given])


def test_outlines_of_shadow(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "psr.gpkg"
    receipt = made.unpacked("psr_polygons_south", tmp_path / "psr", 24_000.0)
    assert call("outlines-psr", "polygons", receipt, target) == 0
    frame = gpd.read_file(target)
    assert is_polar_map(frame.crs)
    assert len(frame) == 9
    assert frame["area_km2"].to_numpy() == pytest.approx(frame.area.to_numpy() / 1e6)
    assert "9 of 9 outlines touch the map" in capfd.readouterr().err


def test_sites_of_experts(tmp_path: Path) -> None:
    target = tmp_path / "experts.csv"
    assert call("outlines-experts", "experts", made.unpacked("wueller_2026", tmp_path / "sites"), target) == 0
    assert list(pd.read_csv(target).columns) == ["lon", "lat", "name", "sun_days", "earth_days"]


def test_candidate_regions(tmp_path: Path) -> None:
    target = tmp_path / "regions.csv"
    receipt = made.unpacked("artemis_regions_2024", tmp_path / "regions")
    assert call("outlines-regions", "regions", receipt, target) == 0
    ours = pd.read_csv(made.RESOURCES / "artemis_regions.csv")
    assert list(pd.read_csv(target).columns) == list(ours.columns)


def test_a_file_that_was_changed_behind_the_receipt_is_refused(tmp_path: Path) -> None:
    receipt = made.unpacked("wueller_2026", tmp_path / "sites")
    with (tmp_path / "sites" / "sites.csv").open("a") as file:
        file.write("1,2\n")
    assert call("outlines-experts", "experts", receipt, tmp_path / "experts.csv") != 0
    assert not (tmp_path / "experts.csv").exists()
