"""The validation against published maps, from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lunarsite.artefact import contracts, raster, record, table
from lunarsite.grid import Grid

from .fake_run import GRID, FakeRun

AVERAGES = ("sun_mean", "sun_any", "earth_mean", "earth_any", "psr")
MAPS = ("sun_reference", "earth_reference", "psr_reference=psr")
SETTINGS: dict[str, object] = {"grid": {**GRID, "latitude_limit_deg": 87.0}, "reference": {"table_cell_m": 4_960.0}}
LATTICE = Grid.centred(96_000.0, 960.0, 960.0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    made = FakeRun(tmp_path_factory.mktemp("run"))
    for name, spec, shift in (("sun", contracts.SUN_ANY, 0.03), ("earth", contracts.EARTH_ANY, -0.02)):
        values = np.clip(made.layers[spec.name] + shift, 0.0, 1.0).astype(np.float32)
        values[:, :20] = np.nan
        bands = {spec.bands[0].name: values}
        raster.write(made.path(f"{name}_reference"), spec, LATTICE, bands, made.stamp(spec.name, "published-test"))
    slope = made.layers["slope"].astype(np.float32)
    fine = {"slope_mean_deg": np.minimum(1.2 * slope + 0.5, 90.0), "slope_max_deg": np.minimum(2.0 * slope + 2.0, 90.0)}
    stamp = made.stamp("published_slope", "published-slope")
    facts = {"published_pixel_m": 40.0, "published_is_finer": 1.0}
    raster.write(made.path("published_slope"), contracts.PUBLISHED_SLOPE, LATTICE, fine, stamp, facts)
    same = dict.fromkeys(fine, fine["slope_mean_deg"])
    facts = {"published_pixel_m": 960.0, "published_is_finer": 0.0}
    raster.write(made.path("no_finer_slope"), contracts.PUBLISHED_SLOPE, LATTICE, same, stamp, facts)
    return made


def test_published_maps_are_references(run: FakeRun, tmp_path: Path) -> None:
    out = {"record": tmp_path / "illumination.json", "cells": tmp_path / "cells.parquet"}
    assert run.call("validate-illumination", (*AVERAGES, *MAPS), out, SETTINGS) == 0
    found, stamp = record.read(out["record"], contracts.ILLUMINATION_RECORD)
    cells, _ = table.read(out["cells"], contracts.ILLUMINATION_CELLS)
    assert found.metric("sun_any_bias") == pytest.approx(-3.0, abs=0.2)
    assert found.metric("earth_any_bias") == pytest.approx(2.0, abs=0.2)
    assert found.metric("sun_any_cells") == np.isfinite(cells[["sun_any_pct", "sun_reference_pct"]]).all(axis=1).sum()
    assert cells["x_m"].min() > -96_000.0 + 20 * 960.0, "cells that the maps do not cover whole are left out"
    assert found.metric("psr_map_overlap") == 1.0
    assert found.metric("psr_map_phi_displaced") < 0.6
    assert stamp.origin == "synthetic", "what is compared is, whatever the reference"


def test_a_table_and_maps_together_are_refused(
    run: FakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run.path("table").write_text("x_m,y_m,avg_illumination_pct,earth_visibility_pct\n0,0,1,1\n")
    out = {"record": tmp_path / "illumination.json", "cells": tmp_path / "cells.parquet"}
    assert run.call("validate-illumination", (*AVERAGES, *MAPS, "table"), out, SETTINGS) != 0
    assert "give one of them" in capsys.readouterr().err
    assert run.call("validate-illumination", (*AVERAGES, "sun_reference"), out, SETTINGS) != 0
    assert "earth_reference" in capsys.readouterr().err
    assert not out["record"].exists()


def test_a_map_on_another_grid_is_refused(run: FakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grid = Grid.centred(48_000.0, 960.0, 960.0)
    values = {"psr": np.zeros(grid.shape, np.uint8)}
    raster.write(run.path("other_psr"), contracts.PSR, grid, values, run.stamp("psr", "published-test"))
    out = {"record": tmp_path / "illumination.json", "cells": tmp_path / "cells.parquet"}
    assert run.call("validate-illumination", (*AVERAGES, "psr_reference=other_psr"), out, SETTINGS) != 0
    assert "other_psr.tif: lies on" in capsys.readouterr().err


def test_slopes_are_compared_and_the_rules_limits_are_told(run: FakeRun, tmp_path: Path) -> None:
    settings: dict[str, object] = {"grid": GRID, "rules": {"own": {"steep": _rule(15.0)}}}
    out = {"record": tmp_path / "slope.json"}
    assert run.call("validate-slope", ("slope", "published_slope"), out, settings) == 0
    found, _ = record.read(out["record"], contracts.SLOPE_RECORD)
    rows = pd.DataFrame(found.tables["what_limits_hide"])
    assert sorted(rows["max_slope_deg"].unique()) == [5.0, 8.0, 15.0]
    passing = rows[(rows["pieces"] == "pixels of 960 m") & (rows["max_slope_deg"] == 5.0)].iloc[0]
    # Mean fine slopes are 1.2 s + 0.5, the steepest 2 s + 2: above 5 degrees from 3.75 and from 1.5 on.
    x = LATTICE.x_m()
    slope = np.broadcast_to(12.0 * np.abs(np.cos(x / 21_000.0)), LATTICE.shape)
    inside = np.hypot(*np.meshgrid(x, LATTICE.y_m())) <= 2 * 1_737_400.0 * np.tan(np.radians(1.5))
    known = inside & np.isfinite(slope)
    passes = slope[known][slope[known] <= 5.0]
    assert passing["passing"] == passes.size
    assert passing["mean_above_share"] == pytest.approx((passes > 3.75).mean(), abs=1e-3)
    assert passing["steepest_above_share"] == pytest.approx((passes > 1.5).mean(), abs=1e-3)
    assert found.metric("slope_correlation") == pytest.approx(1.0)
    assert [verdict.holds for verdict in found.verdicts][:2] == [True, True]
    assert found.title == "Slopes against finer published ones of 40 m pixels"
    again = {"record": tmp_path / "again.json"}
    assert run.call("validate-slope", ("slope", "published_slope"), again, settings) == 0
    assert again["record"].read_bytes() == out["record"].read_bytes()


def test_slopes_that_are_no_finer_tell_of_no_steepest_ground(run: FakeRun, tmp_path: Path) -> None:
    out = {"record": tmp_path / "slope.json"}
    assert run.call("validate-slope", ("slope", "published_slope=no_finer_slope"), out, {"grid": GRID}) == 0
    found, _ = record.read(out["record"], contracts.SLOPE_RECORD)
    assert found.title == "Slopes against published ones of 960 m pixels"
    assert not [key for rows in found.tables.values() for row in rows for key in row if "steepest" in key]


def _rule(slope_deg: float) -> dict[str, float]:
    return {"max_slope_deg": slope_deg, "min_illumination_pct": 10.0, "min_earth_visibility_pct": 10.0}
