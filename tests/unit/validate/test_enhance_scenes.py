"""Which scenes are measured, and how strengths are chosen."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lunarsite.settings.enhance import EnhanceReferenceSettings, SensorSettings
from lunarsite.validate import enhance_results, enhance_scenes
from lunarsite.validate.enhance_classical import CLASSICAL
from lunarsite.validate.enhance_results import Network, measure
from lunarsite.validate.enhance_scenes import Chosen, choose, read_scenes
from tests.unit.vision.enhance.made_scenes import TEST, TRAINING, VALIDATION, write_scenes

SENSOR = SensorSettings()
REFERENCE = EnhanceReferenceSettings(electrons=(4.0, 100.0), draws=100)
FILTERS = [one for one in CLASSICAL if one.name in ("median", "gaussian")]


def quiet(done: float, total: float, what: str) -> None:
    assert 0 <= done <= total


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scenes") / "scenes.h5"
    write_scenes(path, [TRAINING] * 2 + [VALIDATION] * 4 + [TEST] * 8)
    return path


def test_only_the_split_and_every_ground_first(scenes: Path) -> None:
    found = read_scenes(scenes, "test", 4, 1)
    assert len({one.ground for one in found}) == 4
    everything = read_scenes(scenes, "test", 99, 1)
    assert sorted(one.index for one in everything) == list(range(6, 14))
    assert [one.name for one in everything[:4]] == [one.name for one in found]
    assert [one.index for one in read_scenes(scenes, "test", 99, 2)] != [one.index for one in everything]
    assert {one.index for one in read_scenes(scenes, "validation", 99, 1)} == {2, 3, 4, 5}


def test_shadow_is_known_and_sunless(scenes: Path) -> None:
    one = read_scenes(scenes, "test", 1, 1)[0]
    assert not one.truth.shadow[:8].any()
    assert not one.truth.shadow[20:24, 20:24].any()
    assert one.truth.shadow.sum() == 64 * 56 - 16


def test_noise_is_the_same_at_every_signal(scenes: Path) -> None:
    one, other = read_scenes(scenes, "test", 2, 1)
    low, high = (one.exposed(electrons, SENSOR, 5).conditions for electrons in (4.0, 100.0))
    assert (low.dark, low.read_noise) == (high.dark, high.read_noise)
    assert (one.exposed(4.0, SENSOR, 5).image[30] == one.exposed(4.0, SENSOR, 5).image[30]).all()
    assert other.exposed(4.0, SENSOR, 5).conditions.dark != low.dark


def test_less_light_asks_for_more_smoothing(scenes: Path) -> None:
    found = choose(read_scenes(scenes, "validation", 4, 1), FILTERS, REFERENCE, SENSOR, quiet)
    assert list(found) == [4.0, 100.0]
    assert [one.method.name for one in found[4.0]] == ["median", "gaussian"]
    assert found[4.0][1].for_psnr > found[100.0][1].for_psnr
    assert found[4.0][1].psnr_db > found[4.0][0].psnr_db


def test_a_strength_at_the_end_of_its_grid_is_told() -> None:
    variation = next(one for one in CLASSICAL if one.name == "total variation")
    first, second, last = (variation.strengths[k] for k in (0, 1, -1))
    assert not Chosen(variation, False, second, second, 20.0, 0.5).at_edge
    assert Chosen(variation, False, first, second, 20.0, 0.5).at_edge
    assert Chosen(variation, False, second, last, 20.0, 0.5).at_edge
    # Without a score there was nothing to choose, and the first stands for any.
    assert not Chosen(variation, False, second, first, 20.0, -np.inf).at_edge
    # Less than no smoothing there is not.
    gaussian = FILTERS[1]
    assert not Chosen(gaussian, False, gaussian.strengths[0], gaussian.strengths[1], 20.0, 0.5).at_edge
    assert Chosen(gaussian, False, gaussian.strengths[-1], gaussian.strengths[1], 20.0, 0.5).at_edge


def test_perfect_and_useless_networks(scenes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enhance_results, "PICTURED", 1)
    test = read_scenes(scenes, "test", 3, 1)
    chosen = choose(read_scenes(scenes, "validation", 2, 1), FILTERS[:1], REFERENCE, SENSOR, quiet)
    left = [one.truth.radiance for one in test for _ in REFERENCE.electrons]

    def perfect(image: np.ndarray) -> SimpleNamespace:
        truth = left.pop(0)
        return SimpleNamespace(enhanced=truth, error=np.full_like(truth, 1e-9), support=np.ones(truth.shape, np.uint8))

    def useless(image: np.ndarray) -> SimpleNamespace:
        flat = np.full(image.shape, 3e-4, np.float32)
        return SimpleNamespace(enhanced=flat, error=flat, support=np.zeros(image.shape, np.uint8))

    networks = {"perfect": Network(perfect), "useless": Network(useless, lambda image: np.full(image.shape, 0.5))}
    found = measure(test, chosen, networks, 0.7, REFERENCE, SENSOR, quiet)
    assert found.methods == ("raw", "median", "perfect", "useless")
    assert (found.metrics["psnr_db"][2] == np.inf).all() or (found.metrics["psnr_db"][2] > 80.0).all()
    assert found.metrics["ssim"][2] == pytest.approx(1.0, abs=1e-6)
    assert found.metrics["edge_recall"][2] == pytest.approx(1.0)
    assert found.metrics["within_one"][2] == pytest.approx(1.0)
    assert (found.counts["found"][2] == found.counts["truth"][2]).all()
    assert (found.counts["invented"][2] == 0.0).all()
    assert (found.counts["result"][3] == 0.0).all()
    assert found.spectra[3, 0, 0, 1].max() < 1e-9 * found.spectra[3, 0, 0, 0].max()
    assert found.metrics["residual"][3] == pytest.approx(0.5)
    assert np.isnan(found.metrics["residual"][2]).all()
    assert {one.name for one in found.pictures} == {test[0].name}
    assert enhance_scenes.LEAST_VALIDATION == 4


def test_scenes_without_whole_windows_still_choose(tmp_path: Path) -> None:
    """Shadow in strips narrower than SSIM's window: structure is unknown, the error is not."""
    write_scenes(tmp_path / "scenes.h5", [VALIDATION], lit_px=54)
    scenes = read_scenes(tmp_path / "scenes.h5", "validation", 1, 1)
    assert not scenes[0].truth.inner.any()
    one = choose(scenes, FILTERS[:1], REFERENCE, SENSOR, quiet)[4.0][0]
    assert np.isfinite(one.psnr_db)
    assert one.ssim == -np.inf
