"""The stages of the score as the command line calls them: contracts, bytes, clear refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lunarsite import command
from lunarsite.artefact import model as models
from lunarsite.artefact import record as records
from lunarsite.artefact import table
from lunarsite.artefact.contracts import (
    CALIBRATION,
    CELLS,
    CROSSVALIDATION_RECORD,
    HELD_OUT,
    LABELS,
    SCORER,
    SCORER_RECORD,
    SCORES,
    SWEEPS,
)
from lunarsite.stage import Job
from tests.unit.site.conftest import table_of_cells, table_of_labels

SETTINGS: dict[str, Any] = {
    "scorer": {"trees": 15, "max_depth": 3, "seed": 5},
    "crossvalidation": {"folds": 2, "blocks_km": [0.0, 8.0], "headline_block_km": 8.0, "dead_zone_km": 1.0, "seed": 6},
    "rules": {
        "own": {"gentle": {"max_slope_deg": 6.0, "min_illumination_pct": 40.0, "min_earth_visibility_pct": 40.0}}
    },
}
TRAIN = {"scores": "parquet", "model": "ubj", "record": "json", "sweeps": "parquet"}
CROSSVALIDATE = {"record": "json", "calibration": "parquet", "held_out": "parquet"}
DARK = 200


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cells of which some have no light, with labels of both rules and of one of the run's own."""
    folder = tmp_path_factory.mktemp("score")
    job = Job("site-test", "default", "0" * 16, "0" * 64)
    job.origin = "synthetic"
    cells = table_of_cells()
    cells.loc[: DARK - 1, ["avg_illumination_pct", "illumination_min_pct"]] = np.float32(np.nan)
    cells.loc[: DARK - 1, ["label_cassa", "label_hls"]] = "unknown"
    columns = {column.name: column.dtype for column in CELLS.columns if column.dtype.startswith(("int", "float"))}
    table.write(folder / "cells.parquet", CELLS, cells.astype(columns), job.stamp(CELLS))
    labels = table_of_labels(cells)
    own = labels[labels["rule"] == "hls"].assign(rule="gentle")
    everything = pd.concat([labels, own], ignore_index=True).sort_values(["rule", "cell_id"], ignore_index=True)
    table.write(folder / "labels.parquet", LABELS, everything, job.stamp(LABELS))
    return folder


def call(stage: str, inputs: Path, folder: Path, outputs: dict[str, str], **changed: Any) -> int:
    folder.mkdir(exist_ok=True)
    settings = {name: {**SETTINGS[name], **changed.get(name, {})} for name in SETTINGS}
    wanted = ("rules", "scorer") if stage == "score-train" else ("rules", "scorer", "crossvalidation")
    return command.main(
        [
            stage,
            "--in",
            *(f"{name}={inputs / name}.parquet" for name in ("cells", "labels")),
            "--out",
            *(f"{name}={folder / name}.{suffix}" for name, suffix in outputs.items()),
            "--settings",
            json.dumps({name: settings[name] for name in wanted}),
        ]
    )


def test_train_leaves_scores_trees_sweeps_and_record_that_belong_together(inputs: Path, tmp_path: Path) -> None:
    assert call("score-train", inputs, tmp_path, TRAIN) == command.EXIT_OK
    scores, stamp = table.read(tmp_path / "scores.parquet", SCORES)
    assert stamp.seed == 5
    unknown = scores["label"] == "unknown"
    assert unknown.sum() == DARK
    assert (scores["rank"] == 0).equals(unknown.rename("rank"))
    assert scores["score"].isna().equals(unknown.rename("score"))
    booster, card, _ = models.read_trees(tmp_path / "model.ubj", SCORER)
    assert booster.feature_names is not None
    assert [name.split(" ")[0] for name in card.inputs] == booster.feature_names
    assert {f"shap_{name}" for name in booster.feature_names} <= set(scores.columns)
    record, _ = records.read(tmp_path / "record.json", SCORER_RECORD)
    assert record.metric("cells_unranked") == DARK
    assert len(record.verdicts) == 6
    # The wide pixels of the default run do not resolve a buffer, but CASSA has none.
    assert not any("buffer" in note for note in record.notes)
    sweeps, _ = table.read(tmp_path / "sweeps.parquet", SWEEPS)
    assert set(sweeps["input"]) == {"slope", "light", "earth"}


def test_a_rule_of_the_runs_own_is_learned_by_its_name(inputs: Path, tmp_path: Path) -> None:
    assert call("score-train", inputs, tmp_path, TRAIN, scorer={"target": "gentle"}) == command.EXIT_OK
    sweeps, _ = table.read(tmp_path / "sweeps.parquet", SWEEPS)
    assert set(sweeps["limit"]) == {6.0, 40.0}


def test_a_buffer_that_pixels_do_not_resolve_is_said(inputs: Path, tmp_path: Path) -> None:
    assert call("score-train", inputs, tmp_path, TRAIN, scorer={"target": "hls"}) == command.EXIT_OK
    record, _ = records.read(tmp_path / "record.json", SCORER_RECORD)
    assert any("do not resolve the rule's buffer of 100 m" in note for note in record.notes)


def test_crossvalidation_leaves_record_bins_and_forecasts(inputs: Path, tmp_path: Path) -> None:
    assert call("score-crossvalidate", inputs, tmp_path, CROSSVALIDATE) == command.EXIT_OK
    record, stamp = records.read(tmp_path / "record.json", CROSSVALIDATION_RECORD)
    assert stamp.seed == 6
    assert {(row["model"], row["block_km"]) for row in record.tables["models"]} == {
        (model, block) for model in ("full", "context", "logistic", "margin") for block in (0.0, 8.0)
    }
    assert record.metric("auc_margin") == 1.0
    bins, _ = table.read(tmp_path / "calibration.parquet", CALIBRATION)
    held_out, _ = table.read(tmp_path / "held_out.parquet", HELD_OUT)
    assert (held_out["fold"] == -1).sum() == DARK
    of_full = bins[(bins["model"] == "full") & (bins["block_km"] == 8.0)]
    assert of_full["cells"].sum() == len(held_out) - DARK
    mean = (of_full["predicted"] * of_full["cells"]).sum() / of_full["cells"].sum()
    assert mean == pytest.approx(held_out["probability"].mean(), rel=1e-4)


def test_blocks_larger_than_the_map_leave_an_unknown_headline(inputs: Path, tmp_path: Path) -> None:
    changed = {"blocks_km": [500.0], "headline_block_km": 500.0, "folds": 5}
    assert call("score-crossvalidate", inputs, tmp_path, CROSSVALIDATE, crossvalidation=changed) == command.EXIT_OK
    record, _ = records.read(tmp_path / "record.json", CROSSVALIDATION_RECORD)
    assert all(verdict.holds is None for verdict in record.verdicts)
    assert table.read(tmp_path / "calibration.parquet", CALIBRATION)[0].empty


@pytest.mark.parametrize(("stage", "outputs"), [("score-train", TRAIN), ("score-crossvalidate", CROSSVALIDATE)])
def test_two_runs_leave_the_same_bytes(inputs: Path, tmp_path: Path, stage: str, outputs: dict[str, str]) -> None:
    for name in ("one", "two"):
        assert call(stage, inputs, tmp_path / name, outputs) == command.EXIT_OK
    for name, suffix in outputs.items():
        one, two = ((tmp_path / run / f"{name}.{suffix}").read_bytes() for run in ("one", "two"))
        assert one == two, name


@pytest.mark.parametrize(("stage", "outputs"), [("score-train", TRAIN), ("score-crossvalidate", CROSSVALIDATE)])
def test_labels_of_other_cells_are_refused_with_file_and_mend(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], stage: str, outputs: dict[str, str]
) -> None:
    labels, _ = table.read(inputs / "labels.parquet", LABELS)
    job = Job("label-labels", "default", "0" * 16, "0" * 64)
    job.origin = "synthetic"
    other = tmp_path / "other"
    other.mkdir()
    (other / "cells.parquet").write_bytes((inputs / "cells.parquet").read_bytes())
    table.write(
        other / "labels.parquet", LABELS, labels[labels["rule"] == "hls"].reset_index(drop=True), job.stamp(LABELS)
    )
    assert call(stage, other, tmp_path, outputs) == command.EXIT_ARTEFACT
    told = capsys.readouterr().err
    assert "labels.parquet" in told
    assert "no rule 'cassa', only ['hls']; rerun label-labels" in told
