"""Telling unfamiliar images from familiar ones: separable, equal, ties, pairing, alterations."""

from __future__ import annotations

import numpy as np
import pytest

from lunarsite.settings.rock import RockReferenceSettings
from lunarsite.validate.rock_corruptions import CORRUPTIONS, stretched
from lunarsite.validate.rock_doubts import Kinds, spread_rows
from lunarsite.validate.rock_predict import Doubt
from lunarsite.validate.rock_results import Facts, image_facts
from lunarsite.validate.rock_unfamiliar import detection
from lunarsite.vision.rock.classes import SKY


def names(count: int, prefix: str = "s") -> list[str]:
    return [f"{prefix}{k}" for k in range(count)]


def test_what_is_apart_is_told_apart() -> None:
    own, others = np.arange(10.0), 20.0 + np.arange(8.0)
    found = detection((own, names(10)), (others, names(8, "o")), 100, 1)
    assert found.auroc.value == 1.0
    assert found.auroc.within == (1.0, 1.0)
    assert found.false_alarms.value == 0.0
    behind = detection((others, names(8)), (own, names(10, "o")), 100, 1)
    assert behind.auroc.value == 0.0
    assert behind.false_alarms.value == 1.0


def test_images_without_ground_are_not_judged() -> None:
    """They count as missed, wherever it is told what is caught, and have no part in how unfamiliar a kind is."""
    told = [Facts(f"{k}", {}, {}, value, flag) for k, (value, flag) in enumerate([(0.3, True), (np.nan, None)])]
    kinds = Kinds({"orbital images": told, "noise": told[1:]}, "orbital images", [])
    seen, blind = spread_rows(kinds, "feature distance", RockReferenceSettings(draws=100))
    assert (seen["count"], seen["not_judged"], seen["flagged_share"]) == (2, 1, 0.5)
    assert seen["q05"] == seen["q95"] == 0.3
    assert (blind["not_judged"], blind["flagged_share"], blind["q50"]) == (1, 0.0, None)
    none, sky = np.full((4, 6), 0.5, np.float32), np.full((4, 6), SKY, np.uint8)
    facts = image_facts("a", np.zeros((4, 6, 3), np.uint8), Doubt(none, none, sky, np.nan, None))
    assert facts.below_sky == {"feature distance": 0.0, "entropy": 0.0, "mutual information": 0.0}
    assert facts.flagged is None


def test_ties_are_one_half() -> None:
    found = detection((np.ones(6), names(6)), (np.ones(6), names(6, "o")), 100, 1)
    assert found.auroc.value == 0.5
    assert found.false_alarms.value == 1.0, "no limit catches one without the other"


def test_false_alarms_at_95_percent() -> None:
    own = np.arange(100.0)
    others = np.concatenate([np.full(95, 89.5), np.full(5, -1.0)])
    found = detection((own, names(100)), (others, names(100, "o")), 100, 1)
    assert found.false_alarms.value == pytest.approx(0.1)
    assert found.auroc.value == pytest.approx(0.95 * 0.9)


def test_altered_copies_are_drawn_with_their_originals() -> None:
    own = np.linspace(0.0, 10.0, 30)
    altered = own[:12] + 0.01
    paired = detection((own, names(30)), (altered, names(12)), 400, 1)
    apart = detection((own, names(30)), (altered, names(12, "o")), 400, 1)
    assert paired.auroc.value == apart.auroc.value
    widths = [one.auroc.within[1] - one.auroc.within[0] for one in (paired, apart) if one.auroc.within]
    assert len(widths) == 2
    assert widths[0] < 0.85 * widths[1], "what both share does not widen the interval"


def test_few_scenes_and_nothing_at_all() -> None:
    few = detection((np.arange(9.0), names(9)), (np.arange(4.0), names(4, "o")), 100, 1)
    assert few.auroc.value is not None
    assert few.auroc.within is None
    one_scene = detection((np.arange(9.0), names(9)), (np.arange(9.0), ["o"] * 9), 100, 1)
    assert one_scene.auroc.within is None, "nine images of one place are one scene"
    nothing = detection((np.arange(9.0), names(9)), (np.zeros(0), []), 100, 1)
    assert nothing.auroc.value is None
    assert nothing.false_alarms.value is None


def test_alterations_do_what_they_say() -> None:
    rng = np.random.default_rng(0)
    image = np.repeat(rng.integers(40, 200, (65, 98, 1)), 3, axis=2).astype(np.uint8)
    image[:20] = 0
    made = {name: alter(image, np.random.default_rng(3)) for name, alter in CORRUPTIONS.items()}
    for name, found in made.items():
        assert found.dtype == np.uint8, name
        assert not np.array_equal(found, image), name
        assert np.array_equal(found, CORRUPTIONS[name](image, np.random.default_rng(3))), f"{name}: the same by seed"
    assert np.array_equal(made["inverted"], 255 - image)
    assert made["turned by 90 degrees"].shape == (98, 65, 3)
    assert made["low contrast"].std() < 0.2 * image.std()
    steps = [np.abs(np.diff(one[30:].astype(float), axis=1)).mean() for one in (made["blur"], image)]
    assert steps[0] < 0.5 * steps[1]
    assert sorted(made["shuffled blocks"][:64, :96].ravel()) == sorted(image[:64, :96].ravel())
    assert np.array_equal(made["shuffled blocks"][64:], image[64:])


def test_orbital_images_are_stretched() -> None:
    values = np.linspace(3.0, 4.0, 1_000).reshape(20, 50)
    values[0, :5] = np.nan
    found = stretched(values)
    assert found is not None
    assert found.shape == (20, 50, 3)
    assert (found[0, :5] == 0).all()
    assert found[-1, -1].tolist() == [255, 255, 255]
    assert stretched(np.full((5, 5), 7.0)) is None
    assert stretched(np.full((5, 5), np.nan)) is None
