"""The ablation: its variants, its scores and intervals, and what it says of made-up results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from lunarsite.artefact import ArtefactError
from lunarsite.settings.rock import RockAblationSettings, RockLearningSettings, RockSplitSettings
from lunarsite.vision.rock import ablation, ablation_record
from lunarsite.vision.rock import ablation_scores as scores
from lunarsite.vision.rock.ablation_record import (
    CHOOSING,
    GAP,
    GAP_LABELS,
    GAP_PLAIN,
    GROUPS,
    HEAD,
    PHOTOGRAPHS,
    RENDERS,
    Measured,
    Seen,
    Variant,
)
from lunarsite.vision.rock.classes import BACKGROUND, SKY
from lunarsite.vision.rock.scores import iou
from tests.unit.vision.rock.made_rocks import PHOTOGRAPH, RENDER, write_scenes

SETTINGS = RockAblationSettings(seeds=2, draws=400)
ALL = SETTINGS.variants
SCENES = {
    PHOTOGRAPHS: ("a", "a", "b", "c", "d", "e", "f"),
    RENDERS: tuple(f"r{number}" for number in range(12)),
    CHOOSING: ("v", "w"),
}


def counts(
    images: int, right: float | Sequence[float] | NDArray[np.float64], total: float = 1_000.0
) -> NDArray[np.float64]:
    """Return confusions (images, 4, 4) with a share of each class's pixels right and the rest said to be the next."""
    shares = np.broadcast_to(np.asarray(right, np.float64), images)
    eye, wrong = np.eye(4), np.roll(np.eye(4), 1, axis=1)
    return total * (shares[:, None, None] * eye + (1.0 - shares[:, None, None]) * wrong)


def measured(
    name: str,
    photographs: float | Sequence[float],
    choosing: float,
    seen: Seen = "nothing",
    *,
    trained: bool = True,
    renders: float = 0.9,
    rival_of: str = "",
) -> Measured:
    values = {PHOTOGRAPHS: photographs, RENDERS: renders, CHOOSING: choosing}
    found = {group: np.stack([counts(len(SCENES[group]), values[group])] * 2) for group in GROUPS}
    return Measured(Variant(name, f"adds {name}", seen, trained=trained, rival_of=rival_of), found)


def test_the_null_calls_sky_what_is_black_and_reaches_the_top() -> None:
    image = np.full((12, 10, 3), 120, np.uint8)
    image[:4] = 3
    image[7:9, 3:5] = 0
    image[2, 5] = 200
    found = scores.no_rocks(image)
    sky = np.zeros((12, 10), bool)
    sky[:4], sky[2, 5] = True, False
    assert (found == np.where(sky, SKY, BACKGROUND)).all()
    assert (scores.no_rocks(image[4:]) == BACKGROUND).all(), "a shadow is no sky"


def test_intervals_cover_what_scenes_and_seeds_differ_by() -> None:
    scenes = [f"scene {number}" for number in range(40)]
    rng = np.random.default_rng(3)
    shares = rng.uniform(0.4, 0.9, 40)
    drawn = scores.Resampled(scenes, 2, 4_000, 1)
    one = drawn.score(np.stack([counts(40, shares)] * 2))
    # Summed counts: (r) / (2 - r) of the mean share, the same for every class.
    mean = shares.mean()
    assert one.value == pytest.approx(mean / (2.0 - mean))
    low, high = one.within or (np.nan, np.nan)
    slope = 2.0 / (2.0 - mean) ** 2
    assert high - low == pytest.approx(2 * 1.96 * slope * shares.std() / np.sqrt(40), rel=0.15)
    # Seeds that differ widen it, and scenes that differ alike in two variants do not widen their difference.
    wider = drawn.score(np.stack([counts(40, shares - 0.2), counts(40, shares + 0.1)]))
    assert wider.within is not None
    assert wider.within[1] - wider.within[0] > 2.0 * (high - low)
    gain = drawn.score(np.stack([counts(40, shares + 0.05)] * 2)) - one
    assert gain.within is not None
    assert gain.within[0] > 0.0
    assert gain.within[1] - gain.within[0] < 0.2 * (high - low)


def test_images_of_one_scene_are_drawn_together() -> None:
    shares = np.repeat([0.3, 0.5, 0.6, 0.7, 0.9], 8)
    apart = scores.Resampled([str(number) for number in range(40)], 1, 2_000, 1)
    together = scores.Resampled([str(number // 8) for number in range(40)], 1, 2_000, 1)
    widths = []
    for drawn in (apart, together):
        within = drawn.score(counts(40, shares)[None]).within
        assert within is not None
        widths.append(within[1] - within[0])
    assert widths[1] > 2.0 * widths[0]
    few = scores.Resampled(["a", "a", "b", "c", "d"], 1, 200, 1).score(counts(5, 0.5)[None])
    assert few.within is None
    assert few.value == pytest.approx(1 / 3)


def test_measures_by_name() -> None:
    drawn = scores.Resampled(list("abcdef"), 1, 200, 1)
    found = counts(6, 0.5)[None]
    assert drawn.score(found, "class", 2).value == pytest.approx(1 / 3)
    # Of 2000 rock pixels 1500 are called rocks, and of the ground's 1000 half are.
    assert drawn.score(found, "rocks").value == pytest.approx(1_500 / 2_500)
    with pytest.raises(ValueError, match="not known"):
        drawn.score(found, "class")


def test_the_record_tells_gains_and_chooses_without_the_test() -> None:
    one = [0.5, 0.55, 0.6, 0.5, 0.45, 0.5, 0.52]
    entries = [
        measured("no rocks", 0.2, 0.9, trained=False),
        measured("geometry", one, 0.4),
        measured("style", [share + 0.1 for share in one], 0.6, "pictures"),
        measured("lucky", [share + 0.3 for share in one], 0.5, "pictures and labels"),
    ]
    record = ablation_record.judged(entries, SCENES, SETTINGS, "2 steps", 1.5)
    rows = {str(row["variant"]): row for row in record.tables["ablation"]}
    assert list(rows) == ["no rocks", "geometry", "style", "lucky"]
    assert [name for name, row in rows.items() if row["chosen"]] == ["style"], "the test would have chosen another"
    base = rows["geometry"]
    assert base["photograph_gain"] is None
    assert base["photograph_scenes_better"] is None
    style = rows["style"]
    assert style["photograph_scenes_better"] == style["photograph_scenes"] == 6
    assert rows["no rocks"]["photograph_scenes_better"] == 0
    assert (rows["no rocks"]["seeds"], style["seeds"]) == (0, 2)
    assert style["photograph_gain"] == pytest.approx(style["photograph_miou"] - base["photograph_miou"])  # type: ignore[operator]
    assert 0.0 < style["photograph_gain_low"] < style["photograph_gain"] < style["photograph_gain_high"]  # type: ignore[operator]
    assert style["render_gain"] == pytest.approx(0.0)
    assert style["photograph_miou_worst_seed"] == style["photograph_miou_best_seed"]
    assert style["seen_of_photographs"] == "pictures"
    assert record.metric("photograph_gain_over_geometry") == pytest.approx(style["photograph_gain"])
    assert record.verdicts[0].holds is True
    assert record.verdicts[0].value == pytest.approx(style["photograph_gain_low"])
    seeds = record.tables["seeds"]
    assert [(row["variant"], row["seed"]) for row in seeds][:3] == [("geometry", 0), ("geometry", 1), ("style", 0)]
    assert seeds[2]["photographs_miou"] == pytest.approx(style["photograph_miou"])
    assert any("'style' is chosen" in note for note in record.notes)
    # The null is no training, but the chosen one is held against it.
    null = next(row for row in record.tables["photograph_gains"] if row["over"] == "no rocks")
    assert null["photograph_gain"] == pytest.approx(style["photograph_miou"] - rows["no rocks"]["photograph_miou"])  # type: ignore[operator]
    assert 0.0 < null["photograph_gain_low"] < null["photograph_gain"] < null["photograph_gain_high"]  # type: ignore[operator]
    assert null["photograph_scenes_better"] == 6
    assert record.metric("photograph_gain_over_no_rocks") == pytest.approx(null["photograph_gain"])


ONE = [0.5, 0.55, 0.6, 0.5, 0.45, 0.5, 0.52]


def more(by: float) -> list[float]:
    return [share + by for share in ONE]


def test_the_claim_is_held_against_every_training_on_renders_alone() -> None:
    best = measured("few labels", more(0.1), 0.6, "pictures and labels")
    entries = [measured("geometry", ONE, 0.4), measured("augmented", more(0.12), 0.5)]
    alone = ablation_record.judged([entries[0], best], SCENES, SETTINGS, "", 0.0).verdicts
    assert [(one.name, one.holds) for one in alone] == [(GAP_PLAIN, True), (GAP, True)]
    record = ablation_record.judged([*entries, best], SCENES, SETTINGS, "", 0.0)
    plain, claim = record.verdicts
    assert (plain.name, claim.name) == (GAP_PLAIN, GAP)
    assert plain.holds is True
    assert plain.value == alone[0].value, "'augmented' takes no part in it"
    assert "'augmented'" not in plain.why
    assert claim.holds is False, "it is above the weakest of them alone"
    assert claim.value is not None
    assert claim.value < 0.0
    for words in (
        "on renders alone",
        "'geometry' +",
        "'augmented' -",
        "6 of 6 scenes (sign test: p = 0.016)",
        "0 of 6",
    ):
        assert words in claim.why
    assert "every scene" in claim.bound
    rows = record.tables["photograph_gains"]
    assert [(row["over"], row["photograph_scenes_better"]) for row in rows] == [("geometry", 6), ("augmented", 0)]
    assert rows[0]["chance_by_sign_test"] == pytest.approx(1 / 64)


def test_a_variant_on_renders_alone_is_no_gain_over_itself() -> None:
    entries = [measured("geometry", ONE, 0.4), measured("augmented", more(0.1), 0.6)]
    record = ablation_record.judged(entries, SCENES, SETTINGS, "", 0.0)
    plain, claim = record.verdicts
    assert plain.holds is True, "augmentations close a part of it"
    assert claim.holds is False
    assert "it is one of them" in claim.why
    assert [row["over"] for row in record.tables["photograph_gains"]] == ["geometry"]


def test_labels_are_held_against_photographs_without_labels() -> None:
    entries = [measured("geometry", ONE, 0.4), measured("style", more(0.1), 0.5, "pictures")]
    labels = measured("few labels", more(0.2), 0.6, "pictures and labels")
    _, gap, claim = ablation_record.judged([*entries, labels], SCENES, SETTINGS, "", 0.0).verdicts
    assert (gap.name, claim.name) == (GAP, GAP_LABELS)
    assert gap.holds is claim.holds is True
    assert "but no labels: over 'style'" in claim.why
    assert gap.value is not None
    assert claim.value is not None
    assert gap.value > claim.value > 0.0
    _, gap, claim = ablation_record.judged(entries, SCENES, SETTINGS, "", 0.0).verdicts
    assert gap.holds is True, "style closes a part of it"
    assert claim.holds is None
    assert "has no labels" in claim.why


LABELLED: Seen = "pictures and labels"


@pytest.mark.parametrize(("plain", "holds"), [(0.8, True), (0.9, False), (0.95, False)])
def test_the_horizon_head_is_held_against_the_plain_one(plain: float, holds: bool) -> None:
    entries = [
        measured("geometry", ONE, 0.4),
        measured("few labels", more(0.1), 0.6, LABELLED),
        # By validation photographs it would be the choice.
        measured("plain head", more(0.2), 0.9, LABELLED, renders=plain, rival_of="few labels"),
    ]
    record = ablation_record.judged(entries, SCENES, SETTINGS, "", 0.0)
    rows = {str(row["variant"]): row for row in record.tables["ablation"]}
    assert list(rows) == ["geometry", "few labels"], "a rival adds nothing to the one above it"
    assert [name for name, row in rows.items() if row["chosen"]] == ["few labels"], "a rival is no candidate"
    (claim,) = [one for one in record.verdicts if one.name == HEAD]
    assert claim.holds is holds
    assert "'few labels' over 'plain head'" in claim.why
    # Of a share r of right pixels the IoU is r / (2 - r).
    gain = 0.9 / 1.1 - plain / (2.0 - plain)
    assert claim.value == pytest.approx(gain), "scenes are alike: the interval is a point"
    assert record.metric("render_head_gain") == pytest.approx(gain)
    by_photographs = record.metric("photograph_head_gain")
    assert by_photographs is not None
    assert by_photographs < 0.0, "photographs are told of, whatever they say"
    heads = record.tables["heads"]
    assert {(row["variant"], row["over"]) for row in heads} == {("few labels", "plain head")}
    assert [row["class"] for row in heads] == ["mean", "all rocks", "small rocks", "large rocks"] * 2
    by_class = {(row["group"], row["class"]): row["difference"] for row in heads}
    assert by_class[RENDERS, "mean"] == by_class[RENDERS, "large rocks"] == pytest.approx(gain)
    assert by_class[PHOTOGRAPHS, "mean"] == pytest.approx(by_photographs)
    assert "plain head" in {row["variant"] for row in record.tables["seeds"]}
    assert any("takes no part in the choice" in note for note in record.notes)


def test_a_rival_is_no_training_that_the_gap_is_judged_by() -> None:
    # Without labels of photographs all variants are trained on renders alone, and so is the rival.
    entries = [measured("geometry", ONE, 0.4), measured("few labels", more(0.1), 0.6)]
    rival = measured("plain head", more(0.3), 0.9, rival_of="few labels")
    without, beside = (
        ablation_record.judged(given, SCENES, SETTINGS, "", 0.0) for given in (entries, [*entries, rival])
    )
    assert beside.verdicts[0] == without.verdicts[0]
    assert beside.tables["photograph_gains"] == without.tables["photograph_gains"]
    assert beside.tables["ablation"] == without.tables["ablation"]
    assert "heads" not in without.tables
    assert HEAD not in {one.name for one in without.verdicts}
    few = {**SCENES, RENDERS: ("a", "b", "c", "d") * 3}
    claim = ablation_record.judged([*entries, rival], few, SETTINGS, "", 0.0).verdicts[-1]
    assert (claim.name, claim.holds) == (HEAD, None)
    assert "fewer than 5 scenes" in claim.why


def test_of_few_scenes_every_one_must_be_better() -> None:
    # All but the last scene gain much: the interval is above 0, the last scene is not.
    other = [*more(0.2)[:-1], ONE[-1] - 0.01]
    entries = [measured("geometry", ONE, 0.4), measured("style", other, 0.6, "pictures")]
    claim = ablation_record.judged(entries, SCENES, SETTINGS, "", 0.0).verdicts[0]
    assert claim.value is not None
    assert claim.value > 0.0
    assert claim.holds is False
    assert "5 of 6 scenes" in claim.why


def test_a_gain_by_chance_does_not_hold_and_few_scenes_tell_nothing() -> None:
    other = [0.58, 0.55, 0.5, 0.55, 0.4, 0.5, 0.56]
    entries = [measured("geometry", ONE, 0.4), measured("style", other, 0.6, "pictures")]
    claim = ablation_record.judged(entries, SCENES, SETTINGS, "", 0.0).verdicts[0]
    assert claim.holds is False
    assert claim.value is not None
    assert claim.value <= 0.0
    few = {**SCENES, PHOTOGRAPHS: ("a", "a", "a", "b", "b", "c", "d")}
    record = ablation_record.judged(entries, few, SETTINGS, "", 0.0)
    assert record.verdicts[0].holds is None
    assert "fewer than 5 scenes" in record.verdicts[0].why
    assert record.tables["ablation"][1]["photograph_gain"] is not None
    assert record.tables["ablation"][1]["photograph_gain_low"] is None


def test_each_variant_has_what_those_before_it_have() -> None:
    learning = RockLearningSettings()
    *found, (rival, plain) = ablation.variants(learning, ALL, own=True)
    assert [one.name for one, _ in found] == ["geometry", "augmented", "style", "few labels", "own renders"]
    assert [one.own for one, _ in found] == [False] * 4 + [True]
    assert [settings.photograph_labels for _, settings in found] == [False] * 3 + [True] * 2
    seen = [one.photographs for one, _ in found]
    assert seen == ["nothing"] * 2 + ["pictures"] + ["pictures and labels"] * 2
    first = found[0][1].augmentation.model_dump()
    assert first.pop("geometry") == learning.augmentation.geometry
    assert not any(first.values())
    assert found[1][1].augmentation.style == 0.0
    assert found[1][1].augmentation.sensor == learning.augmentation.sensor
    assert found[2][1].augmentation == found[4][1].augmentation == learning.augmentation
    assert all(settings.network == learning.network for _, settings in found)
    # The rival has the crops of the one that it is held against, and the plain last layer.
    labelled = found[3][1]
    assert (rival.name, rival.rival_of, rival.own, rival.photographs) == ("plain head", "few labels", False, LABELLED)
    assert plain.network.head == "plain"
    assert plain.model_copy(update={"network": labelled.network}) == labelled
    assert plain.network.model_copy(update={"head": "horizon"}) == labelled.network
    assert [one.name for one, _ in ablation.variants(learning, ALL, own=False)][-2:] == ["few labels", "plain head"]
    published = learning.model_copy(update={"network": plain.network})
    assert [one.name for one, _ in ablation.variants(published, ALL, own=False)][-1] == "few labels", (
        "there is no rival"
    )
    without = learning.model_copy(update={"photograph_labels": False})
    names = [one.name for one, _ in ablation.variants(without, ALL, own=True)]
    assert names == ["geometry", "augmented", "style", "own renders"], "no labels, so none that adds them, and no rival"
    assert not any(settings.photograph_labels for _, settings in ablation.variants(without, ALL, own=True))
    plainer = learning.model_copy(update={"augmentation": learning.augmentation.model_copy(update={"style": 0.0})})
    assert "style" not in [one.name for one, _ in ablation.variants(plainer, ALL, own=True)]


def test_variants_are_left_out_by_name() -> None:
    learning = RockLearningSettings()
    found = [one.name for one, _ in ablation.variants(learning, ("few labels", "augmented"), own=True)]
    assert found == ["geometry", "augmented", "few labels"], "in their own order"
    assert [one.name for one, _ in ablation.variants(learning, (), own=True)] == ["geometry"]
    with pytest.raises(ValidationError, match="'plain head' without 'few labels'"):
        RockAblationSettings(variants=("plain head",))


def test_what_is_measured_is_test_and_chooses_not(tmp_path: Path) -> None:
    path = tmp_path / "scenes.h5"
    kinds = [RENDER] * 10 + [PHOTOGRAPH] * 8
    write_scenes(path, kinds, padding_px=5)
    places = ablation.measured_images([path], RockSplitSettings())
    taken = [one.index for found in places.values() for one in found]
    assert len(taken) == len(set(taken)), "no image is in two groups"
    assert {kinds[one.index] for one in places[RENDERS]} == {RENDER}
    assert {kinds[one.index] for name in (PHOTOGRAPHS, CHOOSING) for one in places[name]} == {PHOTOGRAPH}
    found = ablation.null(places, 2)
    assert not found.variant.trained
    assert found.counts[RENDERS].shape == (2, len(places[RENDERS]), 4, 4)
    assert found.counts[RENDERS][0, 0].sum() == 64 * 64, "padding counts nowhere"
    assert iou(found.counts[RENDERS][0].sum(axis=0))[1:] == pytest.approx([0.0, 0.0, 1.0])

    write_scenes(path, [RENDER] * 6)
    with pytest.raises(ArtefactError, match="no photographs and no validation photographs"):
        ablation.measured_images([path], RockSplitSettings())
    with pytest.raises(ArtefactError, match="no file but own renders"):
        ablation.measured_images([], RockSplitSettings())
