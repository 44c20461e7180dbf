"""The whole of the validation of rocks with a predictor whose mistakes are known: tables, verdicts, pictures."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lunarsite.artefact import images, record, table
from lunarsite.artefact.contracts import PSR_IMAGES, ROCK_ABLATION, ROCK_SAMPLES, ROCK_SIZES, ROCK_TRUTH
from lunarsite.artefact.images import Credit
from lunarsite.artefact.model import Card
from lunarsite.artefact.record import Record, Verdict
from lunarsite.settings.rock import (
    RockAblationSettings,
    RockHazardSettings,
    RockReferenceSettings,
    RockSplitSettings,
)
from lunarsite.stage import Job
from lunarsite.validate.enhance_intervals import estimate
from lunarsite.validate.rock import Files, measure
from lunarsite.validate.rock_disc_record import CLAIM, NO_GROUND, NOTHING_CALLED
from lunarsite.validate.rock_doubts import Kinds
from lunarsite.validate.rock_groups import HELD_OUT, OWN, PHOTOGRAPHS
from lunarsite.validate.rock_predict import DELIVERED, ENSEMBLE, METHODS, SINGLE, Doubt, Predicted
from lunarsite.validate.rock_record import MOST_ECE, _above, _auroc_verdict, _aware
from lunarsite.validate.rock_results import Facts, Picture
from lunarsite.validate.rock_samples import write_samples
from lunarsite.vision.rock import ablation_record
from lunarsite.vision.rock.ablation_record import GAP, GAP_PLAIN, HEAD, Measured, Variant
from lunarsite.vision.rock.network import Method
from lunarsite.vision.rock.scores import SignTest
from tests.unit.artefact.conftest import make_stamp

from .made_rocks import KnowsGreys, Overlooks, sure, write_rocks

SETTINGS = (
    RockSplitSettings(test_share=0.4),
    RockReferenceSettings(draws=100),
    RockHazardSettings(disc_radius_m=0.5),
)
SEEN = Card(spec={}, inputs=("red",), training={"seen": []})


def job() -> Job:
    return Job("validate-rock", "default", "code", "settings", origin="local", git=(None, None))


def files(*scenes: Path, **others: Path) -> Files:
    given: dict[str, Any] = dict.fromkeys(("truth", "sizes", "lit_scenes", "orbital", "ablation"))
    return Files(scenes, Path("model"), **{**given, **others})


def write_orbital(path: Path) -> None:
    """Tiles of two scenes from orbit, sunlit and shadowed, one of them without brightness."""
    credit = Credit(title="Orbital", licence="none stated", citation="of orbital")
    with images.creating(path, PSR_IMAGES, make_stamp(PSR_IMAGES.name), credit, {"tile": 32}) as writer:
        for number in range(12):
            tile = np.random.default_rng(number).random((1, 32, 32)).astype(np.float32)
            writer.append(
                {
                    "images": tile if number else np.ones_like(tile),
                    "name": np.array([f"tile {number}"], dtype=object),
                    "scene": np.array([f"orbit {number}"], dtype=object),
                    "domain": np.array([number % 2], np.uint8),
                    "row": np.zeros(1, np.int64),
                    "col": np.zeros(1, np.int64),
                    "full_scale": np.array([np.nan]),
                    "valid_share": np.ones(1) * (1.0 if number != 2 else 0.5),
                }
            )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("rocks")
    write_rocks(made / "dataset.h5", 20, 10)
    write_rocks(made / "own.h5", 7, stage="rock-render", prefix="lunarsite_1_")
    write_orbital(made / "orbital.h5")
    for name, contract in (("truth", ROCK_TRUTH), ("sizes", ROCK_SIZES)):
        dtypes = {one.name: object if one.dtype == "string" else one.dtype for one in contract.columns}
        none = pd.DataFrame(columns=list(dtypes)).astype(dtypes)
        table.write(made / f"{name}.parquet", contract, none, make_stamp(contract.name))
    return made


@pytest.fixture(scope="module")
def judged(folder: Path) -> tuple[Record, list[Picture], Credit]:
    given = files(folder / "dataset.h5", folder / "own.h5", orbital=folder / "orbital.h5")
    return measure(job(), KnowsGreys(), SEEN, SETTINGS, given)


def row(told: Record, table: str, **where: object) -> dict[str, Any]:
    found = [one for one in told.tables[table] if all(one[key] == value for key, value in where.items())]
    assert len(found) == 1, f"{table} {where}: {len(found)} rows"
    return found[0]


def verdict(told: Record, start: str) -> Verdict:
    return next(one for one in told.verdicts if one.name.startswith(start))


def test_every_group_method_and_class_is_told(judged: tuple[Record, list[Picture], Credit]) -> None:
    told = judged[0]
    for group in (HELD_OUT, OWN, PHOTOGRAPHS):
        for method in ("majority", "no rocks", "classical", *METHODS):
            rows = [one for one in told.tables["segmentation"] if (one["group"], one["method"]) == (group, method)]
            assert [one["class"] for one in rows] == ["background", "small rocks", "large rocks", "sky", "mean"]
    perfect = row(told, "segmentation", group=HELD_OUT, method=DELIVERED, **{"class": "mean"})
    assert perfect["iou"] == perfect["boundary_f1"] == perfect["iou_low"] == 1.0
    blind = row(told, "members", group=HELD_OUT, method="member 2")
    assert blind["miou"] < 0.8, "it sees no small rocks"
    mean = row(told, "members", group=HELD_OUT, method="mean of members")
    assert mean["miou"] == pytest.approx((1.0 + blind["miou"]) / 2.0)
    assert row(told, "members", group=HELD_OUT, method=ENSEMBLE)["miou"] == 1.0, "not the mean of the members"
    assert row(told, "segmentation", group=HELD_OUT, method="majority", **{"class": "sky"})["iou"] > 0.6


def test_calibration_and_its_verdicts(judged: tuple[Record, list[Picture], Credit]) -> None:
    told = judged[0]
    for method, confidence in zip(METHODS, KnowsGreys().confidence, strict=True):
        found = row(told, "calibration", group=HELD_OUT, method=method)
        assert found["ece"] == pytest.approx(1.0 - confidence, abs=1e-6), "always right, never sure"
        assert found["nll"] == pytest.approx(-np.log(confidence), abs=1e-6)
        assert row(told, "reliability", group=HELD_OUT, method=method)["accuracy"] == 1.0
    ensemble = verdict(told, "The ensemble is no worse in ECE")
    assert ensemble.holds
    assert ensemble.value == pytest.approx(-0.1, abs=1e-6)
    assert verdict(told, "Temperature scaling is no worse").holds
    best = verdict(told, "ECE of the best method, held-out renders")
    assert best.value == pytest.approx(0.02, abs=1e-6)
    assert best.holds
    assert "'ensemble scaled', which users get, has 0.0200" in best.why
    assert "'ensemble scaled'" in next(note for note in told.notes if note.startswith("The run delivers by"))


def test_a_null_without_rocks_has_a_small_ece_and_no_overlap(judged: tuple[Record, list[Picture], Credit]) -> None:
    told = judged[0]
    null = row(told, "calibration", group=HELD_OUT, method="no rocks")
    assert null["kind"] == "null"
    assert 0.0 < null["ece"] < MOST_ECE, "the bound says nothing of rocks"
    assert f"'no rocks', which finds none, has {null['ece']:.4f}" in verdict(told, "ECE of the best method").why
    for name in ("small rocks", "large rocks"):
        assert row(told, "segmentation", group=HELD_OUT, method="no rocks", **{"class": name})["iou"] == 0.0
    claim = verdict(told, f"mIoU above that of no rocks at all, {HELD_OUT}")
    assert claim.holds
    gain = row(told, "differences", group=HELD_OUT, measure="miou", method=DELIVERED, over="no rocks")
    assert claim.value == gain["difference_low"]
    assert not [one for one in told.tables["reliability"] if one["method"] == "no rocks"]


def test_who_sees_no_rocks_is_no_better_than_the_null(folder: Path) -> None:
    told = measure(job(), Overlooks(), SEEN, SETTINGS, files(folder / "dataset.h5", folder / "own.h5"))[0]
    assert verdict(told, f"mIoU above that of no rocks at all, {HELD_OUT}").holds is False


def test_classes_are_calibrated_one_by_one(judged: tuple[Record, list[Picture], Credit]) -> None:
    told = judged[0]
    found = row(told, "calibration", group=HELD_OUT, method=DELIVERED)
    for name in ("background", "small_rocks", "sky"):
        assert found[f"ece_{name}_low"] < found[f"ece_{name}"] < found[f"ece_{name}_high"], name
    rows = [one for one in told.tables["reliability_by_class"] if one["group"] == HELD_OUT]
    assert {one["method"] for one in rows} == {SINGLE, DELIVERED}
    assert {one["class"] for one in rows} == {"small rocks", "large rocks"}
    small = [one for one in rows if (one["method"], one["class"]) == (DELIVERED, "small rocks")]
    # It says 0.98 of what is a small rock, and a third of 0.02 of all else.
    assert [(one["bin"], one["accuracy"]) for one in small] == [(1, 0.0), (15, 1.0)]
    assert [one["confidence"] for one in small] == pytest.approx([0.02 / 3.0, 0.98], abs=1e-5)
    away, there = (float(str(one["share"])) for one in small)
    assert away + there == pytest.approx(1.0)
    assert found["ece_small_rocks"] == pytest.approx(0.02 / 3.0 * away + 0.02 * there, abs=1e-5)


def test_a_worse_ensemble_fails(folder: Path) -> None:
    bad = KnowsGreys(confidence=(0.9, 0.85, 0.8, 0.95, 0.9))
    told = measure(job(), bad, SEEN, SETTINGS, files(folder / "dataset.h5"))[0]
    assert verdict(told, "The ensemble is no worse in ECE").holds is False
    assert verdict(told, "Temperature scaling is no worse").holds is False
    assert verdict(told, "ECE of the best method").holds is False
    assert verdict(told, "Images from orbit").holds is None, "there are none"
    assert verdict(told, "Images from orbit are told").holds is None
    for gap in (GAP, GAP_PLAIN):
        assert verdict(told, gap).holds is None
        assert "rock.ablate" in verdict(told, gap).why


def test_overlap_is_held_against_baselines(judged: tuple[Record, list[Picture], Credit]) -> None:
    told = judged[0]
    assert verdict(told, "mIoU above the majority map's, held-out renders").holds
    assert verdict(told, "mIoU above the majority map's, photographs").holds
    photographs = verdict(told, "mIoU above the majority map's, photographs")
    assert "better in 6 of 6 scenes (sign test: p = 0.016)" in photographs.why
    assert "every scene" in photographs.bound
    gain = row(told, "differences", group=HELD_OUT, measure="miou", method=DELIVERED, over="classical")
    classical = row(told, "segmentation", group=HELD_OUT, method="classical", **{"class": "mean"})
    assert gain["difference"] == pytest.approx(1.0 - classical["iou"])
    assert row(told, "parameters", group=HELD_OUT)["validation_images"] > 0


def test_of_few_scenes_every_one_must_be_better() -> None:
    draws = np.linspace(0.01, 0.1, 100)
    above = estimate(0.05, draws)
    for better, scenes, holds in ((5, 5, True), (4, 5, False), (10, 11, True)):
        told = _above("a claim", above, estimate(0.5, draws), SignTest(better, scenes))
        assert told.holds is holds
        assert ("every scene" in told.bound) == (scenes == 5)
    assert _above("a claim", estimate(0.05, draws - 0.05), above, SignTest(5, 5)).holds is False
    assert _above("a claim", estimate(0.05, np.full(9, np.nan)), above, SignTest(4, 4)).holds is None


def test_images_from_orbit_are_told_apart_above_chance(judged: tuple[Record, list[Picture], Credit]) -> None:
    told = judged[0]
    claim = verdict(told, "Orbital images are told from held-out renders by feature distance")
    found = row(told, "out_of_distribution", images="orbital images", statistic="feature distance")
    # Four tiles only: of so few scenes there is no interval, and no claim.
    assert found["auroc_low"] is None
    assert claim.holds is None
    for low, holds in ((0.51, True), (0.5, False), (None, None)):
        one = {**found, "auroc_low": low, "auroc_high": 1.0}
        assert _auroc_verdict("orbital images", HELD_OUT, "feature distance", [one], "> 0.5").holds is holds


def test_the_unfamiliar_is_asked(judged: tuple[Record, list[Picture], Credit]) -> None:
    told = judged[0]
    inverted = row(told, "out_of_distribution", images="inverted", statistic="feature distance")
    assert inverted["auroc"] == 1.0
    assert inverted["fpr_at_95"] == 0.0
    turned = row(told, "out_of_distribution", images="turned by 90 degrees", statistic="brightness")
    assert turned["auroc"] == 0.5, "turning changes no grey level"
    assert row(told, "unfamiliarity", images=HELD_OUT)["flagged_share"] == 0.0
    orbital = row(told, "unfamiliarity", images="orbital images")
    assert orbital["count"] == 4, "neither the one without brightness nor the one without data"
    assert row(told, "unfamiliarity", images="shadowed orbital images")["count"] == 6
    assert orbital["flagged_share"] == 1.0, "none of its greys is a class's"
    assert verdict(told, "Orbital images are called").holds
    assert verdict(told, "Held-out renders are not called").holds
    assert {one["images"] for one in told.tables["out_of_distribution"]} >= {OWN, PHOTOGRAPHS, "noise", "blur"}


def test_images_beyond_the_limit_are_counted_against_their_bounds() -> None:
    def facts(flagged: int) -> list[Facts]:
        return [Facts(f"{k}", {}, {}, 0.0, k < flagged) for k in range(20)]

    for caught, alarms, holds in ((18, 3, True), (17, 4, False)):
        kinds = Kinds({HELD_OUT: facts(alarms), "orbital images": facts(caught)}, HELD_OUT, [])
        told = _aware(kinds, SETTINGS[1])
        assert [one.value for one in told] == [caught / 20, alarms / 20]
        assert [one.holds for one in told] == [holds, holds]


def test_risk_falls_as_doubt_is_handed_over(folder: Path) -> None:
    told = measure(job(), Overlooks(), SEEN, SETTINGS, files(folder / "own.h5"))[0]
    curves: dict[str, dict[float, float]] = {}
    for one in told.tables["risk_coverage"]:
        error = float(str(one["error"]))
        curves.setdefault(str(one["statistic"]), {})[float(str(one["handed_over"]))] = error
    assert list(curves) == ["entropy", "mutual information", "confidence", "oracle", "random"]
    areas = {one["statistic"]: float(str(one["aurc"])) for one in told.tables["aurc"]}
    total = curves["random"][0.0]
    assert total == pytest.approx(told.metric("error_own_renders"), rel=1e-4)
    assert total > 0.04, "all rocks are overlooked"
    assert set(curves["random"].values()) == {total}
    for name in ("entropy", "mutual information", "confidence"):
        curve = curves[name]
        assert curve[0.0] == total
        assert curve[0.01] < total - 0.008, "all that is handed over first is wrong"
        assert curve[0.9] == pytest.approx(curve[0.1], rel=0.2), "large rocks are overlooked without any doubt"
        assert curve[0.9] > 0.5 * total
        assert areas["oracle"] < areas[name] < areas["random"], name
    assert curves["oracle"][0.1] == 0.0
    images = [one for one in told.tables["risk_coverage_images"] if one["statistic"] == "oracle"]
    assert float(str(images[-1]["error"])) < float(str(images[0]["error"]))


def test_safe_ground_is_held_against_the_truth(judged: tuple[Record, list[Picture], Credit]) -> None:
    told = judged[0]
    found = row(told, "safe_discs", group=OWN)
    assert (found["radius_m"], found["scenes"]) == (0.5, 6)
    assert found["called_rocky_share"] == 0.0
    assert found["safe_called_share"] == 1.0
    assert 0.1 < found["rocky_share_low"] < found["rocky_share"] < found["rocky_share_high"] < 0.9
    assert found["rocky_difference"] == -found["rocky_share"]
    assert 0.0 < found["called_safe_m2"] == pytest.approx((1.0 - found["rocky_share"]) * found["judged_m2"], rel=1e-4)
    claim = verdict(told, CLAIM)
    assert claim.holds
    assert claim.value == found["rocky_difference_high"]
    assert told.metric("rocky_share") == found["rocky_share"]


def test_who_sees_no_rocks_calls_no_ground_safer_than_all(folder: Path) -> None:
    class Blind(KnowsGreys):
        """Sees no rocks, and never doubts."""

        def predict(self, image: np.ndarray) -> Predicted:
            told = self.doubt(image)
            probability = dict.fromkeys(METHODS, sure(told.classes, 0.98))
            return Predicted(probability, (probability[SINGLE],), told)

        def doubt(self, image: np.ndarray) -> Doubt:
            told = super().doubt(image)
            return replace(told, classes=np.where(told.classes == 3, told.classes, np.uint8(0)))

    told = measure(job(), Blind(), SEEN, SETTINGS, files(folder / "own.h5"))[0]
    found = row(told, "safe_discs", group=OWN)
    assert found["called_rocky_share"] == found["rocky_share"] > 0.1
    assert found["safe_called_share"] == 1.0
    claim = verdict(told, CLAIM)
    assert claim.value == 0.0
    assert claim.holds is False


def test_safe_ground_is_unknown_where_little_tells(folder: Path) -> None:
    def told(predictor: KnowsGreys, scenes: str, most: int = 60) -> Verdict:
        settings = SETTINGS[0], SETTINGS[1].model_copy(update={"most_scenes": most}), SETTINGS[2]
        given = files(folder / scenes, truth=folder / "truth.parquet", sizes=folder / "sizes.parquet")
        found = measure(job(), predictor, SEEN, settings, given)[0]
        assert bool(found.tables["sizes"]) == bool(found.tables["safe_discs"]), "of the same scenes"
        claim = verdict(found, CLAIM)
        assert claim.value is claim.holds is None
        return claim

    assert told(KnowsGreys(), "dataset.h5").why == NO_GROUND, "nobody knows its cameras"
    assert told(KnowsGreys(limit=("feature distance", 0.0)), "own.h5").why == NO_GROUND, "it finds all unfamiliar"
    assert told(KnowsGreys(), "own.h5", most=4).why.startswith("unknown: fewer than 5 scenes")
    doubtful = KnowsGreys(confidence=(0.8, 0.8, 0.8, 0.8, 0.8))
    assert told(doubtful, "own.h5").why == NOTHING_CALLED, "of all ground it says that a rock may be there"


@pytest.mark.parametrize(("method", "given"), [("single", "'single scaled'"), ("dropout", "'dropout'")])
def test_what_another_method_delivers_is_not_called_the_ensembles(folder: Path, method: Method, given: str) -> None:
    told = measure(job(), KnowsGreys(method=method), SEEN, SETTINGS, files(folder / "own.h5"))[0]
    assert told.tables["safe_discs"] == told.tables["sizes"] == []
    assert verdict(told, CLAIM).holds is None
    note = next(note for note in told.notes if note.startswith("The run delivers by"))
    assert given in note
    assert "Sizes and safe discs are not measured" in note
    assert f"{given}, which users get" in verdict(told, "ECE of the best method").why
    assert not any("'ensemble scaled'" in note and "users get" in note for note in told.notes)


def test_rock_area_is_the_truths(judged: tuple[Record, list[Picture], Credit]) -> None:
    for one in judged[0].tables["rock_area"]:
        assert one["share"] == pytest.approx(one["truth_share"])
        assert one["share_low"] <= one["share"] <= one["share_high"]  # type: ignore[operator]


def test_numbers_are_json_and_told_in_metrics(judged: tuple[Record, list[Picture], Credit], tmp_path: Path) -> None:
    told = judged[0]
    assert told.metric("unfamiliarity_limit") == 0.1
    assert told.metric("miou_held_out_renders") == 1.0
    assert told.metric("ece_photographs") == pytest.approx(0.02, abs=1e-6)
    Record.model_validate_json(told.model_dump_json())


def test_few_scenes_hold_no_claim(folder: Path) -> None:
    settings = RockSplitSettings(), *SETTINGS[1:]
    told = measure(job(), KnowsGreys(), SEEN, settings, files(folder / "dataset.h5"))[0]
    assert told.metric("scenes_held_out_renders") == 4.0
    assert verdict(told, "ECE of the best method").holds is None
    assert verdict(told, "The ensemble is no worse").holds is None
    assert any("too few for intervals" in note for note in told.notes)


def test_own_renders_alone_stand_for_the_familiar(folder: Path) -> None:
    told = measure(job(), KnowsGreys(), SEEN, SETTINGS, files(folder / "own.h5"))[0]
    assert {one["against"] for one in told.tables["out_of_distribution"]} == {OWN}
    assert any("no dataset" in note for note in told.notes)
    assert any("no photographs" in note for note in told.notes)


def written_by_the_ablation() -> Record:
    """The record of two made-up variants and a rival, in the ablation's own words."""
    scenes = dict.fromkeys(ablation_record.GROUPS, tuple("abcdef"))
    shares = {"geometry": np.linspace(0.4, 0.6, 6), "few labels": np.linspace(0.6, 0.7, 6)}
    shares["plain head"] = shares["few labels"] - 0.1
    right, wrong = np.eye(4), np.roll(np.eye(4), 1, axis=1)
    entries = [
        Measured(
            Variant(
                name,
                "",
                "nothing" if name == "geometry" else "pictures and labels",
                rival_of="few labels" if name == "plain head" else "",
            ),
            dict.fromkeys(scenes, share[None, :, None, None] * right + (1.0 - share[None, :, None, None]) * wrong),
        )
        for name, share in shares.items()
    ]
    return ablation_record.judged(entries, scenes, RockAblationSettings(seeds=1, draws=100), "", 1.0)


def test_an_ablation_is_taken_in_as_it_is(folder: Path, tmp_path: Path) -> None:
    ablation = written_by_the_ablation()
    record.write(tmp_path / "ablation.json", ROCK_ABLATION, ablation, make_stamp(ROCK_ABLATION.name))
    given = files(folder / "dataset.h5", ablation=tmp_path / "ablation.json")
    told = measure(job(), KnowsGreys(), SEEN, SETTINGS, given)[0]
    assert [row["variant"] for row in told.tables["ablation"]] == ["geometry", "few labels"]
    assert all(told.tables[name] == ablation.tables[name] for name in ("ablation", "heads"))
    of_variants = [one for one in told.verdicts if one.name in (GAP_PLAIN, GAP, HEAD)]
    assert of_variants == list(ablation.verdicts), "known by their names, once"
    assert all(one.holds is True for one in of_variants)
    assert told.notes[-1] == ablation.notes[-1]


def test_pictures_and_credit(judged: tuple[Record, list[Picture], Credit], tmp_path: Path) -> None:
    _, pictures, credit = judged
    assert {one.kind for one in pictures} == {"render", "photograph", "orbital", "corrupted"}
    assert {"Scenes of render", "Scenes of lunarsite_1_", "Orbital"} <= set(credit.title.split("; "))
    write_samples(tmp_path / "samples.h5", pictures, make_stamp(ROCK_SAMPLES.name), credit)
    images.validate(tmp_path / "samples.h5", ROCK_SAMPLES)
    with images.opened(tmp_path / "samples.h5", ROCK_SAMPLES) as reader:
        assert len(reader) == len(pictures)
        truths = reader.read("truth")
        scores = reader.read("miou")
        for k, one in enumerate(pictures):
            height, width = one.image.shape[:2]
            assert np.array_equal(reader.read("picture", slice(k, k + 1))[0, :height, :width], one.image)
            assert (truths[k] == 255).all() == (one.truth is None)
            assert np.isnan(scores[k]) == (one.truth is None)
            assert np.isnan(reader.read("entropy", slice(k, k + 1))[0, height:]).all()


def test_progress_is_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        measure(job(), KnowsGreys(), SEEN, SETTINGS, files(folder / "dataset.h5"))
    assert "held-out renders: 8 images are measured" in caplog.text
