"""Pairs: functions of seed and index, in the scale of the noisy image, with truth where there is any."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from lunarsite.artefact import images
from lunarsite.artefact.contracts import LIT_SCENES
from lunarsite.settings.enhance import SensorSettings
from lunarsite.vision.enhance.normalise import fit
from lunarsite.vision.enhance.pairs import Pairs, pair, scene, standard_pair, usable
from lunarsite.vision.enhance.sensor import Conditions, expose
from lunarsite.vision.learn import LearningError
from tests.unit.vision.enhance.made_scenes import TEST, TRAINING, VALIDATION, radiance, write_scenes

SENSOR = SensorSettings()


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scenes") / "scenes.h5"
    write_scenes(path, [TRAINING, VALIDATION, TRAINING, TEST])
    return path


def test_scenes_of_a_split(scenes: Path) -> None:
    assert usable(scenes, "training").tolist() == [0, 2]
    assert usable(scenes, "validation").tolist() == [1]
    assert usable(scenes, "test").tolist() == [3]


def test_scenes_without_shadow_are_not_used(tmp_path: Path) -> None:
    write_scenes(tmp_path / "lit.h5", [TRAINING], lit_px=60)
    assert usable(tmp_path / "lit.h5", "training").size == 0


def test_a_pair_depends_on_seed_and_index_alone(scenes: Path) -> None:
    first = Pairs(scenes, [0, 2], 10, 32, 5, SENSOR)
    again = pickle.loads(pickle.dumps(first))
    again[3]
    for name, values in first[7].items():
        assert torch.equal(values, again[7][name]), name
        assert values.shape == (1, 32, 32)
        assert values.dtype == torch.float32
        assert torch.isfinite(values).all()
    assert not torch.equal(first[7]["image"], first[8]["image"])
    assert not torch.equal(first[7]["image"], Pairs(scenes, [0, 2], 10, 32, 6, SENSOR)[7]["image"])
    with pytest.raises(IndexError):
        first[10]


def test_image_and_truth_differ_by_noise_alone() -> None:
    light, fine = radiance(128, 3), SensorSettings(bits=16, gain_spread=0.0)
    exposure = expose(light, np.zeros_like(light), Conditions(400.0, 0.0, 0.0, 0.0), fine, np.random.default_rng(1))
    scale = fit(exposure.image)
    image, truth, weight = standard_pair(exposure, light, scale)
    assert (weight == 1.0).all()
    photons = np.sqrt(light / exposure.electrons_per_unit) / (scale.spread * np.cosh(truth))
    off = (image - truth) / photons
    assert off.mean() == pytest.approx(0.0, abs=0.03)
    assert off.std() == pytest.approx(1.0, rel=0.03)


def test_what_is_unknown_or_overexposed_has_no_weight(scenes: Path) -> None:
    with images.opened(scenes, LIT_SCENES) as reader:
        light, sun = scene(reader, 0)
    exposure = expose(light, sun, Conditions(10.0, 1.0, 1.0, 0.0), SENSOR, np.random.default_rng(1))
    image, truth, weight = standard_pair(exposure, light, fit(exposure.image))
    assert np.isfinite(image).all()
    assert np.isfinite(truth).all()
    assert not weight[:8].any()
    assert not weight[20:24, 20:24].any()
    assert weight.sum() == 64 * 56 - 16


def test_crops_show_the_whole_scene_in_every_pose() -> None:
    light = np.full((64, 64), 1e-4, np.float32)
    light[:, :32] *= 8.0
    sensor = SensorSettings(least_electrons=400.0, most_electrons=400.0, stripe_electrons=(0.0, 0.0))
    brighter = set()
    for seed in range(60):
        target = pair(light, np.zeros_like(light), 64, sensor, np.random.default_rng(seed))["target"][0]
        halves = {"left": target[:, :32], "right": target[:, 32:], "top": target[:32], "bottom": target[32:]}
        brighter.add(max(halves, key=lambda name: float(halves[name].mean())))
    assert brighter == {"left", "right", "top", "bottom"}


def test_stripes_run_both_ways() -> None:
    light = np.full((64, 64), 1e-4, np.float32)
    sensor = SensorSettings(least_electrons=50.0, most_electrons=50.0, stripe_electrons=(40.0, 40.0))
    along = []
    for seed in range(60):
        image = pair(light, np.zeros_like(light), 64, sensor, np.random.default_rng(seed))["image"][0]
        along.append(bool(image.mean(dim=0).std() > image.mean(dim=1).std()))
    assert 0.5 < np.mean(along) < 0.95


def test_a_crop_finds_the_shadow() -> None:
    light, sun = radiance(128, 1), np.zeros((128, 128), np.float32)
    sun[:, 40:] = 1.0
    shares = [float(pair(light, sun, 32, SENSOR, np.random.default_rng(seed))["weight"].mean()) for seed in range(40)]
    assert np.mean(np.array(shares) >= 0.1) > 0.9


def test_a_scene_smaller_than_the_crop_is_refused() -> None:
    light = radiance(64, 1)
    with pytest.raises(LearningError, match="smaller than a crop of 96"):
        pair(light, np.zeros_like(light), 96, SENSOR, np.random.default_rng(1))
