"""Crops and whole pictures that members learn from."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from lunarsite.artefact.stamp import ArtefactError
from lunarsite.settings.rock import RockLearningSettings, RockSplitSettings, RockTrainingSettings
from lunarsite.vision.rock.data import Crops, Whole, places, style_of, without_tiny
from lunarsite.vision.rock.split import TEST, TRAINING, VALIDATION
from tests.unit.vision.rock.made_rocks import PHOTOGRAPH, RENDER, write_scenes

SPLIT = RockSplitSettings()
LEARNING = RockLearningSettings(training=RockTrainingSettings(crop_px=32, batch=2))


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    path = tmp_path / "scenes.h5"
    write_scenes(path, [RENDER] * 12 + [PHOTOGRAPH] * 6, padding_px=16, mask_kinds=[1, 1] + [0] * 10 + [2] * 6)
    return path


def test_parts_share_no_scene_and_masks_with_every_rock_only_teach(scenes: Path) -> None:
    parts = {part: places((scenes,), SPLIT, part, labelled=True) for part in (TRAINING, VALIDATION, TEST)}
    names = [{place.scene for place in found} for found in parts.values()]
    assert all(names)
    assert len(set.union(*names)) == sum(map(len, names)) == 18
    assert {place.number for place in parts[TRAINING] if place.every_rock} == {0, 1}
    assert not any(place.every_rock for part in (VALIDATION, TEST) for place in parts[part])


def test_without_labels_no_photograph_teaches(scenes: Path) -> None:
    assert not any(place.photograph for place in places((scenes,), SPLIT, TRAINING, labelled=False))


def test_a_crop_depends_on_seed_and_index_alone(scenes: Path) -> None:
    taught = places((scenes,), SPLIT, TRAINING, labelled=True)
    style = style_of((scenes,), SPLIT)
    crops = Crops((scenes,), taught, LEARNING, 480, style, 7)
    first = crops[5]
    _ = crops[11]
    # Another process gets the data set without its open file.
    other = pickle.loads(pickle.dumps(crops))
    for again in (crops[5], other[5]):
        assert torch.equal(first["image"], again["image"])
        assert torch.equal(first["target"], again["target"])
    assert not torch.equal(first["image"], Crops((scenes,), taught, LEARNING, 480, style, 8)[5]["image"])
    assert first["image"].shape == (3, 32, 32)
    assert first["target"].dtype == torch.int64
    assert -1.0 <= first["image"].min() <= first["image"].max() <= 1.0
    crops.close()
    other.close()


@pytest.mark.parametrize(("weight", "least", "most"), [(0.0, 0.0, 0.0), (0.5, 0.35, 0.65), (1.0, 1.0, 1.0)])
def test_photographs_are_the_share_that_is_asked_for(scenes: Path, weight: float, least: float, most: float) -> None:
    nothing = dict.fromkeys(type(LEARNING.augmentation).model_fields, 0.0)
    learning = LEARNING.model_copy(
        update={
            "photograph_weight": weight,
            "augmentation": LEARNING.augmentation.model_copy(update=nothing),
        }
    )
    crops = Crops((scenes,), places((scenes,), SPLIT, TRAINING, labelled=True), learning, 480, None, 1)
    # Photographs of the made-up scenes are brown, renders grey.
    brown = [bool(np.ptp(crops[k]["image"].numpy(), axis=0).max() > 0.1) for k in range(100)]
    assert least <= np.mean(brown) <= most
    crops.close()


def test_whole_pictures_are_unknown_beyond_their_size(scenes: Path) -> None:
    whole = Whole((scenes,), places((scenes,), SPLIT, VALIDATION, labelled=True), 90)
    item = whole[0]
    assert item["image"].shape == (3, 96, 96)
    assert (item["target"][64:] == 255).all()
    assert (item["target"][:64, :64] != 255).all()
    with pytest.raises(IndexError):
        _ = whole[len(whole)]
    whole.close()


def test_pictures_are_reduced_as_inference_reduces_them(scenes: Path) -> None:
    whole = Whole((scenes,), places((scenes,), SPLIT, VALIDATION, labelled=True), 32)
    image, mask = whole.picture(0)
    assert image.shape == (32, 32, 3)
    assert set(np.unique(mask)) <= {0, 1, 2, 3}
    whole.close()


def test_tiny_rocks_are_unknown_and_touching_ones_count_together() -> None:
    mask = np.zeros((480, 480), np.uint8)
    mask[10:19, 10:19] = 1  # 81 px
    mask[50:59, 50:59], mask[59:65, 59:65] = 1, 2  # 81 + 36 px, touching at a corner
    mask[100:111, 100:111] = 2  # 121 px
    found = without_tiny(mask)
    assert (found[10:19, 10:19] == 255).all()
    assert (found[50:59, 50:59] == 1).all()
    assert (found[59:65, 59:65] == 2).all()
    assert (found[100:111, 100:111] == 2).all()
    assert (found == 255).sum() == 81


def test_no_scenes_to_train_on_is_told(scenes: Path) -> None:
    with pytest.raises(ArtefactError, match=r"no scenes are left to train on; lower rock\.split"):
        Crops((scenes,), (), LEARNING, 480, None, 1)
