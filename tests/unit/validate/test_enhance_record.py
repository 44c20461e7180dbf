"""The record of enhancement: verdicts follow from the numbers, and tables hold every method and level."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from lunarsite.artefact.record import Record, Verdict
from lunarsite.settings.enhance import EnhanceReferenceSettings
from lunarsite.validate.enhance_classical import CLASSICAL
from lunarsite.validate.enhance_measures import Truth
from lunarsite.validate.enhance_record import Evidence, judge_scenes
from lunarsite.validate.enhance_results import Measured
from lunarsite.validate.enhance_scenes import Chosen, LitScene

METHODS = ("raw", "gaussian", "bm3d", "denoiser", "CycleGAN")
COUNT = 20
REFERENCE = EnhanceReferenceSettings(electrons=(4.0, 20.0), draws=200)
TRUTH = Truth(np.ones((100, 100)), np.ones((100, 100), dtype=np.bool_))


def measured(grounds: int = 10) -> Measured:
    """All methods alike and right about themselves, but for what a test changes."""
    scenes = [
        LitScene(k, f"s{k}", f"g{k % grounds}", TRUTH, np.zeros((100, 100), np.float32), 40.0, 0.0)
        for k in range(COUNT)
    ]
    found = Measured(METHODS, REFERENCE.electrons, tuple(scenes))
    rng = np.random.default_rng(0)
    for values in found.metrics.values():
        values[:] = 20.0 + rng.normal(size=COUNT)
    found.metrics["within_one"][:], found.metrics["within_two"][:] = 0.68, 0.95
    found.metrics["supported_px"][:], found.metrics["unsupported_px"][:] = 6_000.0, 4_000.0
    found.metrics["supported_squared"][:], found.metrics["unsupported_squared"][:] = 6.0, 40.0
    for name, value in (("truth", 4.0), ("result", 3.0), ("found", 2.0), ("invented", 1.0)):
        found.counts[name][:] = value
    found.counts["chance_found"][:], found.counts["chance_invented"][:] = 0.1, 3.0
    found.spectra[:] = np.array([4.0, 1.0, 2.0])[:, None]
    return found


def judged(found: Measured, absent: bool = False, synthetic: bool = False, **kept: Any) -> dict[str, Verdict]:
    return {one.name: one for one in record(found, absent, synthetic, **kept).verdicts}


def record(
    found: Measured, absent: bool = False, synthetic: bool = False, strength: float = 2.0, **kept: Any
) -> Record:
    gaussian = next(one for one in CLASSICAL if one.name == "gaussian")
    bm3d = next(one for one in CLASSICAL if one.name == "bm3d")
    chosen = {electrons: [Chosen(gaussian, False, strength, 1.4, 20.0, 0.5)] for electrons in REFERENCE.electrons}
    evidence = Evidence(found, chosen, (bm3d,) if absent else (), ("denoiser", "CycleGAN"), (0.7, 5.0, 0.5), 4, **kept)
    return judge_scenes(evidence, REFERENCE, synthetic=synthetic)


def at(method: str) -> int:
    return METHODS.index(method)


def test_better_than_all_but_one_is_not_better_than_every_one() -> None:
    found = measured()
    for metric in ("psnr_db", "ssim"):
        found.metrics[metric][at("denoiser")] += 1.0
    held = judged(found)
    assert held["PSNR of the denoiser above that of every classical baseline, 4 electrons"].value == pytest.approx(1.0)
    assert held["A network better than every classical baseline in PSNR and in SSIM, 4 electrons"].holds
    assert not held["PSNR of the CycleGAN above that of every classical baseline, 4 electrons"].holds
    found.metrics["ssim"][at("bm3d")] += 2.0
    held = judged(found)
    assert not held["SSIM of the denoiser above that of every classical baseline, 4 electrons"].holds
    both = held["A network better than every classical baseline in PSNR and in SSIM, 4 electrons"]
    assert (both.value, both.holds) == (0.0, False)


def test_claims_are_about_the_lowest_signal() -> None:
    found = measured()
    for metric in ("psnr_db", "ssim"):
        found.metrics[metric][at("denoiser"), 1] += 9.0
    assert not judged(found)["PSNR of the denoiser above that of every classical baseline, 4 electrons"].holds


ANY = "The denoiser invents no more craters than any classical baseline, 4 electrons"
BEST = "The denoiser invents no more craters than gaussian, 4 electrons"
REVEALS = "The denoiser reveals more craters than it invents, 4 electrons"


def test_no_more_invented_is_told_by_the_upper_end() -> None:
    found = measured()
    assert (judged(found)[ANY].value, judged(found)[ANY].holds) == (0.0, True)
    # One crater more in two of ten grounds: 0.2 of 10 000 px on average, and up to twice that.
    found.counts["invented"][at("denoiser"), 0, :2] += 1.0
    told = judged(found)[ANY]
    assert told.holds is False
    assert told.value is not None
    assert told.value > 1.0
    assert "not shown" in told.why, "the lower end does not show more either"
    found.counts["invented"][at("denoiser")] += 1.0
    assert "shown to invent more" in judged(found)[ANY].why


def test_every_filter_is_a_rival_and_the_one_best_on_validation_is_named() -> None:
    found = measured()
    found.counts["invented"][at("bm3d")] = 0.0
    assert judged(found)[BEST].holds
    told = judged(found)[ANY]
    assert (told.value, told.holds) == (pytest.approx(10.0), False), "one more than BM3D in 10 000 pixels"
    assert "best PSNR" in judged(found)[BEST].why
    # What is measured on test scenes has no say in which filter is named.
    found.metrics["psnr_db"][at("bm3d")] += 50.0
    assert BEST in judged(found)


def test_revealed_and_invented_are_counted_among_the_same_craters() -> None:
    found = measured()
    assert not judged(found)[REVEALS].holds, "as much as the raw image shows is nothing revealed"
    found.counts["result"][at("raw")], found.counts["invented"][at("raw")] = 0.5, 0.0
    assert judged(found)[REVEALS].value == pytest.approx(5.0), "2 borne out less 0.5 of the raw image less 1 invented"
    assert judged(found)[REVEALS].holds
    found.counts["found"][at("denoiser")] = 4.0
    assert judged(found)[REVEALS].value == pytest.approx(5.0), "what is seen at the low threshold alone is not counted"


@pytest.mark.parametrize(("share", "holds"), [(0.60, False), (0.65, True), (0.72, True), (0.80, False)])
def test_coverage_is_two_sided(share: float, holds: bool) -> None:
    found = measured()
    found.metrics["within_one"][at("denoiser")] = share
    assert judged(found)[COVERAGE].holds is holds


COVERAGE = "Truth within one of the denoiser's standard errors, each level"


def test_coverage_must_hold_at_every_level() -> None:
    found = measured()
    found.metrics["within_one"][at("denoiser"), 0], found.metrics["within_one"][at("denoiser"), 1] = 0.55, 0.80
    told = judged(found)[COVERAGE]
    assert told.holds is False, "on average it is right"
    assert told.value == pytest.approx(0.55)
    assert "0.550" in told.why
    assert "0.800" in told.why


def test_the_end_of_a_grid_is_told() -> None:
    assert not any("end of a grid" in note for note in record(measured()).notes)
    told = record(measured(), strength=8.0)
    assert any("end of a grid" in note and "gaussian at 4 electrons" in note for note in told.notes)
    assert [row["at_edge"] for row in told.tables["strengths"]] == [True, True]


def test_a_baseline_that_is_missing_is_missing_in_the_claims() -> None:
    told = judged(measured(), absent=True)
    assert "PSNR of the denoiser above that of every classical baseline but bm3d (not installed), 4 electrons" in told
    assert (
        "A network better than every classical baseline but bm3d (not installed) in PSNR and in SSIM, 4 electrons"
        in (told)
    )


def test_nothing_is_claimed_of_a_network_that_may_have_seen_the_ground() -> None:
    found = measured()
    for metric in ("psnr_db", "ssim"):
        found.metrics[metric][at("denoiser")] += 1.0
    told = judged(found, doubts={"denoiser": "it was trained here"})
    own = [one for name, one in told.items() if "denoiser" in name]
    assert own
    assert all(one.holds is None and "it was trained here" in one.why for one in own)
    assert told["A network better than every classical baseline in PSNR and in SSIM, 4 electrons"].holds is None
    assert told["PSNR of the CycleGAN above that of every classical baseline, 4 electrons"].holds is False
    assert any(
        "it was trained here" in note for note in record(found, doubts={"denoiser": "it was trained here"}).notes
    )


def test_what_strengths_were_chosen_on_is_told() -> None:
    told = record(measured(), chosen_on="training")
    assert any("no validation scene" in note for note in told.notes)
    assert "training scenes" in next(one.why for one in told.metrics if one.name == "validation_scenes")
    assert not any("no validation scene" in note for note in record(measured()).notes)


def test_support() -> None:
    found = measured()
    name = "What the CycleGAN calls supported is nearer to the truth than what it does not, 4 electrons"
    assert judged(found)[name].value == pytest.approx(0.01 - 0.001)
    found.metrics["supported_squared"][at("CycleGAN")] = 120.0
    assert not judged(found)[name].holds
    found.metrics["unsupported_px"][at("CycleGAN")] = 0.0
    assert judged(found)[name].holds is None, "all is supported: nothing to compare"


def test_few_grounds_claim_nothing() -> None:
    told = judged(measured(grounds=3))
    assert all(one.holds is None for one in told.values()), "coverage too"


def test_tables_hold_every_method_and_level() -> None:
    told = record(measured(), absent=True, synthetic=True)
    for name in ("by_level", "craters"):
        assert [(row["electrons"], row["method"]) for row in told.tables[name]] == [
            (electrons, method) for electrons in (4.0, 20.0) for method in METHODS
        ]
    assert len(told.tables["gains"]) == 2 * 2 * 3
    row = next(row for row in told.tables["craters"] if row["method"] == "denoiser")
    # 20 scenes of 16 km2 each.
    assert row["invented_per_100km2"] == pytest.approx(20.0 / 3.2)
    assert row["lost_per_100km2"] == pytest.approx(40.0 / 3.2)
    assert (row["recall"], row["chance_recall"]) == pytest.approx((0.5, 0.025))
    spectrum = told.tables["spectrum"][0]
    assert (spectrum["power_ratio"], spectrum["correlation"]) == pytest.approx((0.25, 1.0))
    errors = told.tables["errors"][0]
    assert (errors["supported_share"], errors["rms_supported"], errors["rms_unsupported"]) == pytest.approx(
        (0.6, np.sqrt(0.001), 0.1)
    )
    assert {row["pixel_m"] for row in told.tables["craters_by_pixel"]} == {40.0}
    assert any("'bm3d'" in note and "not installed" in note for note in told.notes)
    assert any("synthetic" in note for note in told.notes)
    assert told.metric("psnr_denoiser_4e") == pytest.approx(20.0, abs=1.0)
    names = [one.name for one in told.metrics]
    assert len(names) == len(set(names))


def test_pixels_of_two_sizes_are_told_apart() -> None:
    found = measured()
    scenes = [dataclasses.replace(one, pixel_m=240.0 if k < 5 else 40.0) for k, one in enumerate(found.scenes)]
    found.scenes = tuple(scenes)
    rows = [row for row in record(found).tables["craters_by_pixel"] if row["method"] == "raw"]
    assert [(row["pixel_m"], row["scenes"], row["grounds"]) for row in rows[:1] + rows[2:3]] == [
        (40.0, 15, 10),
        (240.0, 5, 5),
    ]
    assert rows[0]["invented_per_100km2"] == pytest.approx(36.0 * rows[2]["invented_per_100km2"])
    # One in each 10 000 pixels, whatever their size.
    for row in (rows[0], rows[2]):
        assert row["invented_per_100000px"] == row["invented_per_100000px_low"] == pytest.approx(10.0)
    assert record(found).metric("craters_invented_raw_4e") == pytest.approx(10.0), "not diluted by large pixels"
