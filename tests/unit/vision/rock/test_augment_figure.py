"""The picture of the changes of training images: a row each, of which only that change differs, and the true mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lunarsite.settings.rock import RockAugmentationSettings, RockLearningSettings, RockSplitSettings
from lunarsite.settings.rock import RockTrainingSettings as Training
from lunarsite.vision.rock.augment_figure import EXAMPLES, WORDS, write_figure
from lunarsite.vision.rock.data import Crops, places, style_of
from lunarsite.vision.rock.split import TRAINING
from tests.unit.vision.rock.made_rocks import PHOTOGRAPH, RENDER, write_scenes

SIDE, LEFT, TOP, STEP = 32, 130, 18, 36
PALETTE = {(0, 0, 0), (240, 228, 66), (0, 114, 178), (204, 121, 167), (120, 120, 120)}


def drawn(tmp_path: Path, kinds: list[int]) -> NDArray[np.uint8]:
    write_scenes(tmp_path / "scenes.h5", kinds)
    paths, split = (tmp_path / "scenes.h5",), RockSplitSettings()
    learning = RockLearningSettings(training=Training(crop_px=SIDE))
    crops = Crops(paths, places(paths, split, TRAINING, labelled=True), learning, 480, style_of(paths, split), 1)
    for name in ("first", "second"):
        write_figure(tmp_path / f"{name}.png", crops)
    crops.close()
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()
    with Image.open(tmp_path / "first.png") as opened:
        return np.asarray(opened.convert("RGB"))


@pytest.fixture
def figure(tmp_path: Path) -> NDArray[np.uint8]:
    return drawn(tmp_path, [RENDER] * 6 + [PHOTOGRAPH] * 3)


def panel(figure: NDArray[np.uint8], row: int, column: int) -> NDArray[np.uint8]:
    top, left = TOP + row * STEP, LEFT + column * STEP
    return figure[top : top + SIDE, left : left + SIDE]


def test_every_setting_of_augmentation_has_a_row_in_which_it_is_seen(figure: NDArray[np.uint8]) -> None:
    assert set(WORDS) == set(RockAugmentationSettings.model_fields)
    assert figure.shape[0] == TOP + len(WORDS) * STEP
    for row, name in enumerate(WORDS):
        plain = panel(figure, row, 0)
        changed = [panel(figure, row, column) for column in range(1, EXAMPLES + 1)]
        assert any(not np.array_equal(plain, each) for each in changed), name
        assert {tuple(colour) for colour in panel(figure, row, EXAMPLES + 1).reshape(-1, 3).tolist()} <= PALETTE
        if name in ("shadow_rotation", "photometry", "style", "contrast"):
            # The sky of the mask is black in the picture and stays it.
            sky = (panel(figure, row, EXAMPLES + 1) == (204, 121, 167)).all(axis=2)
            assert all(np.array_equal(each[sky], plain[sky]) for each in changed), name


def test_without_photographs_no_row_pretends_to_show_their_look(tmp_path: Path) -> None:
    figure = drawn(tmp_path, [RENDER] * 9)
    rows = [name for name in WORDS if name != "style"]
    assert figure.shape[0] == TOP + len(rows) * STEP
    for row, name in enumerate(rows):
        changed = [panel(figure, row, column) for column in range(1, EXAMPLES + 1)]
        assert any(not np.array_equal(panel(figure, row, 0), each) for each in changed), name
