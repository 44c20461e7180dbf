"""The networks that come with lunarsite on the reference elevation models and ShadowCam's frames (`make reference`)."""

from __future__ import annotations

import os

import pytest

from lunarsite.artefact import record
from lunarsite.artefact.contracts import ENHANCE_RECORD
from lunarsite.artefact.record import Record
from tests.workflow.checkout import REPOSITORY

RECORD = REPOSITORY / os.environ.get("LUNARSITE_REFERENCE_RUN", "results/reference") / "validate" / "enhance.json"

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not RECORD.exists(), reason=f"REFERENCE RUN NOT MADE: no {RECORD}; make reference"),
]


@pytest.fixture(scope="module")
def told() -> Record:
    found = record.read(RECORD, ENHANCE_RECORD)[0]
    for verdict in found.verdicts:
        print(f"{verdict.holds!s:5} {verdict.name}: {verdict.value} ({verdict.bound}); {verdict.why}")
    return found


def test_a_network_beats_every_classical_baseline_at_the_lowest_signal(told: Record) -> None:
    claim = next(one for one in told.verdicts if one.name.startswith("A network better than every classical baseline"))
    assert claim.holds, f"{claim.value} ({claim.bound}); {claim.why}"


def test_every_method_is_measured_at_three_signals(told: Record) -> None:
    methods = {str(row["method"]) for row in told.tables["by_level"]}
    own = {"raw", "median", "gaussian", "non-local means", "total variation", "clahe", "denoiser", "CycleGAN"}
    assert own <= methods
    assert len(told.tables["by_level"]) == 3 * len(methods)
    assert all(row["psnr_db_low"] is not None for row in told.tables["by_level"]), "there is ground enough"


def test_bm3d_is_among_the_baselines(told: Record) -> None:
    if "bm3d" not in {str(row["method"]) for row in told.tables["by_level"]}:
        pytest.skip("MEASURED WITHOUT BM3D: pip install 'lunarsite[baselines]', and make validate/enhance.json again")
    first = told.verdicts[0]
    assert first.name.startswith("A network better than every classical baseline in")
    # Whether the claim then holds is the record's to say; that it was put to BM3D too is what is asked here.
    assert {row["over"] for row in told.tables["gains"]} >= {"bm3d"}


def test_no_strength_is_the_end_of_its_grid(told: Record) -> None:
    ends = [(row["method"], row["electrons"]) for row in told.tables["strengths"] if row["at_edge"]]
    assert not ends, "a filter may be better beyond the strengths that were tried"


def test_the_test_ground_is_new_to_the_networks(told: Record) -> None:
    assert not [note for note in told.notes if "its claims are unknown" in note]


def test_more_light_helps_every_method(told: Record) -> None:
    for method in {str(row["method"]) for row in told.tables["by_level"]}:
        rows = [row for row in told.tables["by_level"] if row["method"] == method]
        values = [float(str(row["ssim"])) for row in sorted(rows, key=lambda row: float(str(row["electrons"])))]
        assert values == sorted(values), method


def test_invention_is_told_beside_every_method(told: Record) -> None:
    for row in told.tables["craters"]:
        assert row["invented_per_100km2"] is not None
        assert row["chance_recall"] is not None
        assert float(str(row["recall"])) > float(str(row["chance_recall"])) or float(str(row["recall"])) < 0.05


def test_frames_are_asked(told: Record) -> None:
    assert (told.metric("frames") or 0.0) >= 20.0
    for row in told.tables["frames_agreement"]:
        assert row["correlation_raw_low"] is not None
