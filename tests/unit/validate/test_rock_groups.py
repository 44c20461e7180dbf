"""Which images are measured: never what taught or chose, never masks of another kind."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lunarsite.artefact.model import Card
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.settings.rock import RockSplitSettings
from lunarsite.validate.rock_groups import HELD_OUT, OWN, PHOTOGRAPHS, Group, gather

from .made_rocks import HEIGHT, WIDTH, truth_of, write_rocks

SPLIT = RockSplitSettings()


def card(**training: Any) -> Card:
    return Card(spec={}, inputs=("red",), training=training)


def found(paths: list[Path], told: Card, split: RockSplitSettings = SPLIT, most: int = 60) -> dict[str, Group]:
    with ExitStack() as stack:
        return {one.name: one for one in gather(stack, paths, told, Path("model"), split, most, 1)}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("rocks")
    dataset, own = folder / "dataset.h5", folder / "own.h5"
    write_rocks(dataset, 20, 6, grounds=4)
    write_rocks(own, 10, stage="rock-render", prefix="lunarsite_1_")
    return dataset, own


def test_groups_are_apart_and_unseen(files: tuple[Path, Path]) -> None:
    groups = found([*files], card(seen=["render3", "PCAM27"]))
    assert list(groups) == [HELD_OUT, OWN, PHOTOGRAPHS]
    held, own, real = groups.values()
    assert 3 <= len(held.measured) <= 4
    assert not {one.scene for one in held.measured} & {one.scene for one in held.choosing}
    assert all(one.scene.startswith("render") for one in held.measured)
    assert all(int(one.name[6:]) < 20 for one in held.others), "masks that hold every rock are in no score"
    assert len(own.measured) + len(own.choosing) == 10, "all that chose nothing: the model has seen none"
    assert own.choosing
    assert len(real.measured) in (2, 3)
    assert all(one.scene.startswith("PCAM") for one in real.measured)


def test_what_the_model_has_seen_is_left_out_whatever_the_split_says(files: tuple[Path, Path]) -> None:
    free = found([*files], card(seen=[]))
    names = [one.scene for one in free[HELD_OUT].measured]
    fewer = found([*files], card(seen=names[:2]))
    assert [one.scene for one in fewer[HELD_OUT].measured] == names[2:]


def test_own_renders_that_taught_leave_their_test_scenes(files: tuple[Path, Path]) -> None:
    every = [f"lunarsite_1_{number}" for number in range(10)]
    unseen = found([files[1]], card(seen=[]))[OWN].measured
    assert len(unseen) >= 8
    test = found([files[1]], card(split=SPLIT.model_dump(mode="json")))[OWN].measured
    assert len(test) == 2, "a card that lists no scenes says nothing of them"
    title = {"title": "Scenes of lunarsite_1_"}
    for data, count in (([title], 2), ([{"title": "Scenes of render"}], len(unseen))):
        told = card(split=SPLIT.model_dump(mode="json"), data=data)
        assert len(found([files[1]], told)[OWN].measured) == count, "data of that title taught, or did not"
    taught = sorted(set(every) - {one.scene for one in test})
    assert found([files[1]], card(seen=taught))[OWN].measured[0].scene == test[0].scene


def test_another_split_is_refused_and_so_is_nothing_left(files: tuple[Path, Path]) -> None:
    with pytest.raises(ArtefactError, match=r"rock\.split .*take the model's split"):
        found([*files], card(split={"seed": 1}))
    with pytest.raises(ArtefactError, match=r"raise rock\.split\.test_share"):
        found([*files], card(seen=[f"render{k}" for k in range(30)] + [f"lunarsite_1_{k}" for k in range(10)]))


def test_few_are_drawn_of_many(files: tuple[Path, Path]) -> None:
    groups = found([*files], card(seen=[]), most=3)
    assert [len(one.measured) for one in groups.values()] == [3, 3, min(3, len(groups[PHOTOGRAPHS].measured))]
    again = found([*files], card(seen=[]), most=3)
    assert [one.name for one in again[OWN].measured] == [one.name for one in groups[OWN].measured]


def test_images_are_cut_to_what_they_show(tmp_path: Path) -> None:
    write_rocks(tmp_path / "own.h5", 6, stage="rock-render", prefix="lunarsite_1_")
    with ExitStack() as stack:
        groups = gather(stack, [tmp_path / "own.h5"], card(seen=[]), Path("model"), SPLIT, 60, 1)
        every = {one.name: one for group in groups for one in group.others}
        small, whole = every["lunarsite_1_0"], every["lunarsite_1_1"]
        assert small.image.shape == (HEIGHT - 6, WIDTH - 8, 3)
        assert (small.truth != 255).all()
        assert np.array_equal(whole.truth, truth_of(1))
        assert whole.camera == (1.6, 12.0, 60.0)
