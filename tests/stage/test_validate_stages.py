from __future__ import annotations

from pathlib import Path

import pytest

from lunarsite.artefact import record
from lunarsite.artefact.contracts import ARTEMIS_RECORD

from .fake_run import GRID, FakeRun

INPUTS = ("scores", "cells", "regions")
SETTINGS: dict[str, object] = {"grid": GRID, "comparison": {"selected": [20, 100], "draws": 200}}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    return FakeRun(tmp_path_factory.mktemp("run"))


def test_artemis_writes_a_record_with_nulls_and_verdicts(run: FakeRun, tmp_path: Path) -> None:
    path = tmp_path / "artemis.json"
    assert run.call("validate-artemis", INPUTS, {"artemis": path}, SETTINGS) == 0
    found, stamp = record.read(path, ARTEMIS_RECORD)
    assert (stamp.origin, stamp.seed, stamp.run) == ("synthetic", 7, "fake")
    assert found.metric("base_rate_all") is not None
    assert len(found.verdicts) == 5 + 2 * 2, "the score against the rule at two sizes, with and without the Moutons"
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
    assert "scores.parquet" in said
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
