"""The model of rocks on the dataset's unseen scenes and photographs (`make reference`)."""

from __future__ import annotations

import os

import pytest

from lunarsite.artefact import record
from lunarsite.artefact.contracts import ROCK_RECORD
from lunarsite.artefact.record import Record
from tests.workflow.checkout import REPOSITORY

RECORD = REPOSITORY / os.environ.get("LUNARSITE_REFERENCE_RUN", "results/reference") / "validate" / "rock.json"
CALIBRATED = ("single", "single scaled", "ensemble", "ensemble scaled", "dropout")

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not RECORD.exists(), reason=f"REFERENCE RUN NOT MADE: no {RECORD}; make reference"),
]


@pytest.fixture(scope="module")
def told() -> Record:
    found = record.read(RECORD, ROCK_RECORD)[0]
    for verdict in found.verdicts:
        print(f"{verdict.holds!s:5} {verdict.name}: {verdict.value} ({verdict.bound}); {verdict.why}")
    return found


@pytest.mark.parametrize(
    "start",
    [
        "The ensemble is no worse in ECE than the single network, held-out renders",
        "Temperature scaling is no worse in ECE than the single network, held-out renders",
        "ECE of the best method, held-out renders",
        "mIoU above the majority map's, held-out renders",
        "mIoU above the classical baseline's, held-out renders",
    ],
)
def test_claims_on_scenes_never_trained_on_hold(told: Record, start: str) -> None:
    claim = next(one for one in told.verdicts if one.name.startswith(start))
    assert claim.holds, f"{claim.value} {claim.why}"


def test_renders_and_photographs_are_measured_with_intervals_beside_baselines(told: Record) -> None:
    for group in ("held-out renders", "photographs"):
        rows = [row for row in told.tables["segmentation"] if row["group"] == group]
        assert {"majority", "classical", *CALIBRATED} <= {row["method"] for row in rows}
        means = [row for row in rows if row["class"] == "mean"]
        assert all(row["iou_low"] is not None for row in means), f"{group}: there are scenes enough"


def test_methods_are_calibrated_side_by_side(told: Record) -> None:
    rows = [row for row in told.tables["calibration"] if row["group"] == "held-out renders"]
    assert {row["method"] for row in rows} == set(CALIBRATED)
    assert all(row["ece_sky"] is not None and row["ece_small_rocks"] is not None for row in rows)
    bins = [row["bin"] for row in told.tables["reliability"] if row["group"] == "held-out renders"]
    assert max(int(str(one)) for one in bins) == 15


def test_the_ensemble_is_scored_as_one(told: Record) -> None:
    rows = {row["method"]: row for row in told.tables["members"] if row["group"] == "held-out renders"}
    assert {"member 1", "mean of members", "ensemble"} <= set(rows)
    assert rows["ensemble"]["miou"] != rows["mean of members"]["miou"]


def test_the_unfamiliar_is_told_from_held_out_renders(told: Record) -> None:
    rows = told.tables["out_of_distribution"]
    assert {row["against"] for row in rows} == {"held-out renders"}
    kinds = {row["images"] for row in rows}
    assert {"photographs", "rendered orbital images", "noise", "blur", "inverted", "shuffled blocks"} <= kinds
    assert {"mutual information", "entropy", "brightness", "contrast"} == {row["statistic"] for row in rows}
    assert all(row["auroc"] is not None for row in rows)


def test_handing_over_doubt_leaves_less_error_than_chance(told: Record) -> None:
    areas = {row["statistic"]: row["aurc"] for row in told.tables["aurc"] if row["group"] == "held-out renders"}
    assert float(str(areas["oracle"])) < float(str(areas["entropy"])) < float(str(areas["random"]))
