"""The image buffer and the two domains: nothing of one ground on both sides of a step, and crops by number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from lunarsite.artefact import ArtefactError, images
from lunarsite.artefact.contracts import PSR_IMAGES
from lunarsite.artefact.images import Credit
from lunarsite.settings import SensorSettings
from lunarsite.stage import Job
from lunarsite.vision.enhance import cycle_data, pairs
from lunarsite.vision.enhance.cycle_buffer import ImageBuffer
from lunarsite.vision.enhance.cycle_data import MOST_STANDARD, Domains
from tests.unit.vision.enhance.made_scenes import TEST, TRAINING, VALIDATION, write_scenes

SENSOR = SensorSettings()


def write_real(path: Path, domains: Sequence[int], tile_px: int = 64, blank: int = -1) -> Path:
    """Real tiles; two of them share a scene; tile `blank` holds one number."""
    rng = np.random.default_rng(3)
    tiles = rng.integers(0, 30, (len(domains), tile_px, tile_px)).astype(np.float32)
    if blank >= 0:
        tiles[blank] = 7.0
    count = len(domains)
    stamp = Job("images-psr", "default", "code", "settings", origin="published", git=(None, None)).stamp(PSR_IMAGES)
    credit = Credit(title="made-up photographs", licence="CC0", citation="tests")
    with images.creating(path, PSR_IMAGES, stamp, credit, {"tile": tile_px}) as writer:
        writer.append(
            {
                "images": tiles,
                "name": np.array([f"tile {k}" for k in range(count)], dtype=object),
                "scene": np.array([f"photograph {k // 2}" for k in range(count)], dtype=object),
                "domain": np.array(domains, np.uint8),
                "row": np.zeros(count, np.int64),
                "col": np.zeros(count, np.int64),
                "full_scale": np.full(count, 255.0),
                "valid_share": np.ones(count),
            }
        )
    return path


def test_a_full_buffer_shows_old_images_half_of_the_time() -> None:
    buffer, rng = ImageBuffer(50), np.random.default_rng(1)
    shown = [float(buffer.exchange(torch.full((1, 1, 2, 2), float(k)), rng).mean()) for k in range(2_050)]
    # It fills first, and shows what it is given.
    assert shown[:50] == [float(k) for k in range(50)]
    old = np.array([value != k for k, value in enumerate(shown)][50:])
    # Binomial: four standard deviations of 2000 draws.
    assert old.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(2_000))
    assert len(buffer.images) == 50
    ages = np.arange(50, 2_050)[old] - np.array(shown[50:])[old]
    assert ages.min() >= 1
    # An image stays for 2 * 50 exchanges on average.
    assert ages.mean() == pytest.approx(100.0, rel=0.15)
    # What is shown in the place of a new image leaves, so it is shown at most twice.
    assert max(np.unique(shown, return_counts=True)[1]) <= 2


def test_a_buffer_of_no_images_shows_what_is_new() -> None:
    buffer, rng = ImageBuffer(0), np.random.default_rng(1)
    fresh = torch.randn(4, 1, 2, 2, requires_grad=True)
    shown = buffer.exchange(fresh, rng)
    assert torch.equal(shown, fresh)
    assert not shown.requires_grad


def test_an_image_is_not_swapped_for_one_of_its_own_batch() -> None:
    buffer, rng = ImageBuffer(2), np.random.default_rng(1)
    for k in range(50):
        fresh = torch.arange(4.0).view(4, 1, 1, 1) + 10.0 * k
        shown = buffer.exchange(fresh, rng)
        assert len(shown) == 4
        if k == 0:
            assert torch.equal(shown, fresh)


@pytest.mark.parametrize("real", [False, True])
def test_no_ground_is_on_both_sides_of_a_step(tmp_path: Path, real: bool) -> None:
    write_scenes(tmp_path / "scenes.h5", [TRAINING] * 5 + [VALIDATION, TEST])
    photographs = write_real(tmp_path / "real.h5", [0, 1, 0, 1, 1, 0, 0]) if real else None
    seen: dict[str, set[str]] = {"shadowed": set(), "sunlit": set()}
    with Domains(tmp_path / "scenes.h5", photographs, 64, 3, 1, SENSOR) as domains:
        for step in range(24):
            drawn = domains.draw(step)
            assert not drawn.grounds["shadowed"] & drawn.grounds["sunlit"]
            for crops in (drawn.shadowed, drawn.sunlit):
                assert crops.shape == (3, 1, 64, 64)
                assert torch.isfinite(crops).all()
                assert crops.abs().max() <= MOST_STANDARD
            for side, grounds in drawn.grounds.items():
                seen[side] |= grounds
        # Scenes 0 to 4 are ground 0, 1 and 2; validation and test ground is never drawn.
        places = {"ground 0", "ground 1", "ground 2"}
        photographed = {f"photograph {k}" for k in range(4)}
        assert seen["shadowed"] == places | (photographed - {"photograph 3"} if real else set())
        assert seen["sunlit"] == places | (photographed if real else set())
        assert domains.counts()["rendered_shadowed"] == 5
        assert [credit.title for credit in domains.credits] == ["made-up scenes", "made-up photographs"][: 1 + real]


def test_crops_are_a_function_of_the_step(tmp_path: Path) -> None:
    write_scenes(tmp_path / "scenes.h5", [TRAINING] * 4)
    with Domains(tmp_path / "scenes.h5", None, 32, 2, 1, SENSOR) as domains:
        first, other = domains.draw(3), domains.draw(4)
        again = domains.draw(3)
    assert torch.equal(first.shadowed, again.shadowed)
    assert torch.equal(first.sunlit, again.sunlit)
    assert not torch.equal(first.shadowed, other.shadowed)
    with Domains(tmp_path / "scenes.h5", None, 32, 2, 2, SENSOR) as domains:
        assert not torch.equal(first.shadowed, domains.draw(3).shadowed)


def test_real_tiles_without_signal_are_left_out(tmp_path: Path) -> None:
    write_scenes(tmp_path / "scenes.h5", [TRAINING] * 4)
    write_real(tmp_path / "real.h5", [0, 0, 0, 1], blank=1)
    with Domains(tmp_path / "scenes.h5", tmp_path / "real.h5", 64, 1, 1, SENSOR) as domains:
        assert domains.counts() == {
            "rendered_shadowed": 4, "rendered_sunlit": 4, "real_shadowed": 1, "real_sunlit": 2
        }  # fmt: skip


def test_one_place_alone_is_refused(tmp_path: Path) -> None:
    write_scenes(tmp_path / "scenes.h5", [TRAINING, TRAINING, VALIDATION, TEST])
    with pytest.raises(ArtefactError, match=r"scenes.h5: holds scenes for training of 1 places; two at least"):
        Domains(tmp_path / "scenes.h5", None, 64, 1, 1, SENSOR)


def test_images_smaller_than_a_crop_are_refused(tmp_path: Path) -> None:
    write_scenes(tmp_path / "scenes.h5", [TRAINING] * 4)
    with pytest.raises(ArtefactError, match="64 px are smaller than a crop of 96"):
        Domains(tmp_path / "scenes.h5", None, 96, 1, 1, SENSOR).__enter__()
    write_real(tmp_path / "real.h5", [0, 1], tile_px=32)
    with pytest.raises(ArtefactError, match=r"real.h5: images of 32 px"):
        Domains(tmp_path / "scenes.h5", tmp_path / "real.h5", 64, 1, 1, SENSOR).__enter__()


def test_crops_in_shadow_are_preferred_to_overexposed_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path / "scenes.h5", [TRAINING] * 4, lit_px=32)
    # Left as it is, overexposed ground can be counted.
    monkeypatch.setattr(pairs, "filled", lambda standard, known: standard)

    def overexposed() -> float:
        with Domains(tmp_path / "scenes.h5", None, 32, 1, 1, SENSOR) as domains:
            return float(np.mean([(domains.draw(step).shadowed == MOST_STANDARD).float().mean() for step in range(40)]))

    tried = overexposed()
    monkeypatch.setattr(cycle_data, "_TRIES", 1)
    assert tried < 0.6 * overexposed()
