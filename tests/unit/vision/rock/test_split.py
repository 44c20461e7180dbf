"""Splits of scenes: whole scenes, their shares, and what a scene more or less changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lunarsite.artefact.contracts import ROCK_SCENES
from lunarsite.artefact.images import opened
from lunarsite.settings.rock import RockSplitSettings
from lunarsite.vision.rock.split import TEST, TRAINING, VALIDATION, dealt, splits
from tests.unit.vision.rock.made_rocks import PHOTOGRAPH, RENDER, write_scenes

CLEAN, GROUND, DRAWN = 0, 1, 2
SETTINGS = RockSplitSettings()


def renders(count: int, mask_kinds: list[int] | None = None, **change: float) -> NDArray[np.uint8]:
    scenes = np.array([f"render{number:04d}" for number in range(count)], dtype=object)
    kinds = np.zeros(count, np.uint8)
    masks = np.array(mask_kinds if mask_kinds is not None else [CLEAN] * count, np.uint8)
    return dealt(scenes, kinds, masks, SETTINGS.model_copy(update=change))


def photographs(scenes: list[str], **change: float) -> NDArray[np.uint8]:
    count = len(scenes)
    return dealt(
        np.array(scenes, dtype=object),
        np.full(count, PHOTOGRAPH, np.uint8),
        np.full(count, DRAWN, np.uint8),
        SETTINGS.model_copy(update=change),
    )


def counts(found: NDArray[np.uint8]) -> tuple[int, int, int]:
    return tuple(int(np.sum(found == part)) for part in (TRAINING, VALIDATION, TEST))  # type: ignore[return-value]


def test_shares_of_clean_renders_and_what_holds_every_rock_teaches() -> None:
    assert counts(renders(100)) == (65, 15, 20)
    mixed = renders(120, [CLEAN] * 100 + [GROUND] * 20)
    assert counts(mixed) == (85, 15, 20)
    assert (mixed[100:] == TRAINING).all()
    # The clean ones are dealt as if the others were not there.
    np.testing.assert_array_equal(mixed[:100], renders(100))


def test_the_split_is_that_of_the_seed_and_of_names_not_of_order() -> None:
    scenes = np.array([f"render{number:04d}" for number in range(60)], dtype=object)
    clean = np.zeros(60, np.uint8)
    found = dealt(scenes, clean, clean, SETTINGS)
    turned = dealt(scenes[::-1], clean, clean, SETTINGS)
    np.testing.assert_array_equal(found, turned[::-1])
    other = dealt(scenes, clean, clean, SETTINGS.model_copy(update={"seed": 43}))
    assert not np.array_equal(found, other)
    # One scene less moves one or two others, not all.
    assert np.sum(dealt(scenes[1:], clean[1:], clean[1:], SETTINGS) != found[1:]) <= 2


def test_a_scene_stays_on_one_side() -> None:
    scenes = np.array([f"render{number // 3:04d}" for number in range(90)], dtype=object)
    masks = np.zeros(90, np.uint8)
    masks[4] = GROUND
    found = dealt(scenes, np.zeros(90, np.uint8), masks, SETTINGS)
    assert all(len(set(found[scenes == scene])) == 1 for scene in set(scenes))
    assert (found[3:6] == TRAINING).all()
    assert {TRAINING, VALIDATION, TEST} == set(found.tolist())


@pytest.mark.parametrize(
    ("count", "expected"), [(1, (1, 0, 0)), (2, (1, 1, 0)), (3, (1, 1, 1)), (4, (2, 1, 1)), (10, (6, 2, 2))]
)
def test_few_renders_teach_first_and_choose_then(count: int, expected: tuple[int, int, int]) -> None:
    assert counts(renders(count)) == expected


def test_no_share_is_none() -> None:
    assert counts(renders(10, validation_share=0.0, test_share=0.0)) == (10, 0, 0)
    assert counts(photographs(list("abcd"), photograph_training_share=0.0, photograph_validation_share=0.0)) == (
        0,
        0,
        4,
    )


@pytest.mark.parametrize(("count", "expected"), [(1, (0, 0, 1)), (2, (1, 0, 1)), (3, (1, 1, 1)), (8, (2, 1, 5))])
def test_photographs_are_measured_first(count: int, expected: tuple[int, int, int]) -> None:
    assert counts(photographs([f"TCAM{number}" for number in range(count)])) == expected


def test_many_views_of_one_place_teach() -> None:
    # Of ten scenes one has six of fifteen photographs: whatever the seed it teaches, and is one of the two that do.
    scenes = ["PCAM1"] * 6 + [f"TCAM{number}" for number in range(9)]
    for seed in range(5):
        found = photographs(scenes, seed=seed)
        assert (found[:6] == TRAINING).all()
        assert counts(found) == (7, 2, 6)


def test_a_file_of_both_kinds(tmp_path: Path) -> None:
    path = tmp_path / "scenes.h5"
    write_scenes(path, [RENDER] * 8 + [PHOTOGRAPH] * 4, side_px=32)
    with opened(path, ROCK_SCENES) as reader:
        found = splits(reader, SETTINGS)
    assert found.shape == (12,)
    assert counts(found[:8]) == (5, 1, 2)
    assert counts(found[8:]) == (1, 1, 2)
