"""The record of ShadowCam: claims that hold, fail and are unknown, and what is said of each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lunarsite.artefact.record import Record, Verdict
from lunarsite.settings import ShadowCamReferenceSettings
from lunarsite.validate.nulls import Null
from lunarsite.validate.shadowcam_composite import Comparison, Sweep
from lunarsite.validate.shadowcam_frame import FrameComparison, Overlap
from lunarsite.validate.shadowcam_ranks import Crossed, Estimate
from lunarsite.validate.shadowcam_record import judge_shadowcam, median
from lunarsite.validate.shadowcam_shifts import Registration

REFERENCE = ShadowCamReferenceSettings(draws=200)


def frame(number: int, auc: float | None) -> FrameComparison:
    overlap = Overlap(0.1, 0.8, 0.9, 0.2, 0.9, 0.7)
    return FrameComparison(
        name=f"M{number}S",
        pixel_m=60.0,
        pixels=10_000,
        gap_share=0.2,
        lit_share=0.2 if auc is not None else 0.0,
        penumbra_share=0.05,
        edge_share=0.1,
        rim_ratio=4.0,
        dem_pixel_m=40.0,
        why="" if auc is not None else "all dark: 0 of 10000 pixels are predicted to be lit",
        auc=Estimate(auc, None if auc is None else auc - 0.02, None if auc is None else auc + 0.01),
        measured=Estimate(None if auc is None else auc - 0.1),
        height=0.6,
        facing=0.7,
        registration=Registration(1, 0, 0.97, 0.96, at_limit=False),
        far=(0.5, 0.55),
        otsu=overlap,
        sweep=(overlap,) * 5,
        scattered=Estimate(0.4, 0.2, 0.5),
    )


def test_frames_of_the_same_ground_are_drawn_together() -> None:
    """Ten frames of each of six places tell no more than one of each."""
    values = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    alone = median(values, list(range(6)), REFERENCE)
    again = median([value for value in values for _ in range(10)], [k for k in range(6) for _ in range(10)], REFERENCE)
    apart = median([value for value in values for _ in range(10)], list(range(60)), REFERENCE)
    assert alone.low is not None
    assert alone.high is not None
    assert apart.low is not None
    assert apart.high is not None
    assert (again.low, again.high) == pytest.approx((alone.low, alone.high))
    assert apart.high - apart.low < 0.6 * (alone.high - alone.low)
    assert median(values, [0, 0, 0, 1, 2, 3], REFERENCE).low is None, "four places"
    square = frozenset({(0, 0)})
    told = judge_shadowcam([], [replace(frame(k, 0.95), ground=square) for k in range(8)], REFERENCE, synthetic=False)
    assert next(one for one in told.metrics if one.name == "frame_auc").low is None
    assert told.metric("frame_clusters") == 1.0


def composite(low: float = 0.4) -> Comparison:
    both = Crossed(
        share=0.5,
        hit=Estimate(0.85, 0.8, 0.9),
        base=0.861,
        lift=Estimate(0.98, 0.9, 1.05),
        odds=Estimate(0.8, 0.3, 1.6),
        phi=Estimate(-0.05, -0.2, 0.1),
        agreement=0.5,
        majority=0.861,
    )
    return Comparison(
        composite="top",
        map="computed",
        map_pixel_m=240.0,
        pixels=9_000,
        why="",
        base=0.861,
        saturated=900,
        auc=Estimate(low + 0.05, low, low + 0.1),
        correlation=Estimate(0.1, 0.05, 0.2),
        null=Null(0.5, 0.3, 0.7, 0.4, 300),
        null_kind="turned about the pole",
        sweep=(Sweep(0.5, 1.2, both), Sweep(0.9, None, None)),
    )


def verdict(record: Record, name: str) -> Verdict:
    (found,) = [verdict for verdict in record.verdicts if name in verdict.name]
    return found


def judged(values: list[float | None]) -> Record:
    return judge_shadowcam([], [frame(n, value) for n, value in enumerate(values)], REFERENCE, synthetic=False)


def test_bounds_of_frames_hold_and_fail() -> None:
    record = judged([0.95] * 24 + [None] * 2)
    assert verdict(record, "frames with an area").holds
    assert verdict(record, "frames with an area").bound == ">= 20, 77% of 26"
    assert verdict(record, "gaps as brightest").holds
    assert not verdict(record, "pixels with data alone").holds
    assert verdict(record, "highest ground").holds
    assert verdict(record, "median shift").value == 60.0
    record = judged([0.95] * 5 + [0.7] * 14 + [None] * 7)
    assert not verdict(record, "frames with an area").holds
    assert not verdict(record, "gaps as brightest").holds
    rows = record.tables["frames"]
    assert rows[0]["why_below_bound"] == ""
    assert rows[6]["why_below_bound"] != ""
    assert rows[-1]["why_no_auc"].startswith("all dark")


def test_a_rival_that_does_as_well_makes_its_claim_fail() -> None:
    frames = [replace(frame(n, 0.95), height=0.96) for n in range(26)]
    record = judge_shadowcam([], frames, REFERENCE, synthetic=False)
    found = verdict(record, "highest ground")
    assert (found.holds, found.value) == (False, pytest.approx(-0.01))


def test_without_frames_of_both_kinds_claims_are_unknown_and_say_why() -> None:
    record = judged([None] * 6)
    assert verdict(record, "gaps as brightest").holds is None
    assert "0 of 6 frames" in verdict(record, "gaps as brightest").why
    assert not verdict(record, "frames with an area").holds
    assert record.metric("frame_auc") is None


def test_shares_of_dark_ground_stand_beside_the_base_rate() -> None:
    record = judge_shadowcam([composite()], [], REFERENCE, synthetic=False)
    assert not verdict(record, "outside permanent shadow").holds
    assert verdict(record, "darker half").holds is False
    assert "85.0 % of the darker half is permanently shadowed, of all 86.1 %" in verdict(record, "darker half").why
    assert verdict(record, "rises with average sunlight").holds
    assert verdict(record, "moved shadow").holds is False
    assert any("they are the base rate" in note for note in record.notes)
    row, saturated = record.tables["composite_sweep"]
    assert (row["psr_of_deep"], row["psr_base_share"], row["agreement_one_answer"]) == (0.85, 0.861, 0.861)
    assert saturated["why_unknown"] == "the limit lies among saturated pixels"
    assert record.tables["composites"][0]["saturated_share"] == 0.1


def test_images_of_the_moon_say_nothing_of_a_synthetic_one() -> None:
    record = judge_shadowcam([composite(0.6)], [frame(1, 0.99)] * 26, REFERENCE, synthetic=True)
    assert {verdict.holds for verdict in record.verdicts} == {None}
    assert "synthetic" in record.notes[-1]


def test_medians_have_intervals_over_frames() -> None:
    values = list(np.linspace(0.8, 1.0, 26))
    found = median(values, list(range(len(values))), REFERENCE)
    assert found.value == pytest.approx(0.9)
    assert found.low < 0.9 < found.high
    assert median([0.8, 0.9], [0, 1], REFERENCE) == Estimate(pytest.approx(0.85))
    assert median([], [], REFERENCE) == Estimate()
