"""Changes of training images: what they may change and what they must leave."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lunarsite.settings.rock import RockAugmentationSettings
from lunarsite.vision.rock.augment import CHANGES, augment, cropped
from lunarsite.vision.rock.augment_ground import slope
from lunarsite.vision.rock.augment_light import relit
from lunarsite.vision.rock.classes import SKY, UNKNOWN
from lunarsite.vision.rock.style import gathered

NOTHING = RockAugmentationSettings(**dict.fromkeys(RockAugmentationSettings.model_fields, 0.0))
EVERYTHING = RockAugmentationSettings(**dict.fromkeys(RockAugmentationSettings.model_fields, 1.0))
Bytes = NDArray[np.uint8]


def coded(height: int = 90, width: int = 120) -> tuple[Bytes, Bytes]:
    """A picture whose levels tell the class: sky black, ground 60 to 120 in waves, rocks 200 and 240."""
    rows, cols = np.mgrid[:height, :width]
    mask = np.zeros((height, width), np.uint8)
    mask[: height // 3] = SKY
    mask[60:66, 20:28], mask[70:84, 70:90] = 1, 2
    levels = np.where(mask == SKY, 0.0, 90.0 + 30.0 * np.sin(rows / 3.0) * np.cos(cols / 4.0))
    levels = np.select([mask == 1, mask == 2], [200.0, 240.0], levels)
    return np.repeat(levels.astype(np.uint8)[:, :, None], 3, axis=2), mask


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("seed", range(4))
def test_a_change_keeps_shape_and_mask_and_leaves_its_inputs(name: str, seed: int) -> None:
    image, mask = coded()
    before = image.copy(), mask.copy()
    changed = CHANGES[name](image, mask, np.random.default_rng(seed))
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    assert not np.array_equal(changed, image)
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(mask, before[1])
    np.testing.assert_array_equal(changed, CHANGES[name](image, mask, np.random.default_rng(seed)))
    if name == "sensor":
        # Noise alone: a dark sky stays dark.
        assert changed[mask == SKY].mean() < 12.0
    else:
        np.testing.assert_array_equal(changed[mask == SKY], image[mask == SKY])


@pytest.mark.parametrize("seed", range(3))
def test_craters_are_laid_on_ground_alone(seed: int) -> None:
    image, mask = coded()
    changed = CHANGES["craters"](image, mask, np.random.default_rng(seed))
    np.testing.assert_array_equal(changed[mask != 0], image[mask != 0])


def test_a_bowl_is_dark_towards_the_sun_and_bright_away_from_it() -> None:
    facing = slope((81, 81), (40, 40), 20.0, 1.0, 0.0)  # the Sun at the right
    assert facing[40, 50] < -0.4 < 0.4 < facing[40, 30]
    assert facing[40, 62] > 0.1  # the outer slope of the rim that faces the Sun
    assert np.abs(facing[:, 40]).max() == pytest.approx(0.0, abs=1e-9)
    assert (facing[np.hypot(*(np.mgrid[:81, :81] - 40.0)) > 33.0] == 0.0).all()


def test_turned_light_turns_the_shading_of_waves() -> None:
    # Waves along both diagonals. The light runs along (1, 1), where brightness varies most: it shows the first, and is
    # turned; what varies along the other is brightness of the ground, and stays.
    rows, cols = np.mgrid[:96, :96] * 2.0 * np.pi / 96.0
    first, second = np.sin(12 * cols + 12 * rows), np.sin(12 * cols - 12 * rows)
    image = np.repeat((100.0 * np.exp(0.4 * first + 0.1 * second))[:, :, None], 3, axis=2).astype(np.uint8)
    mask = np.zeros((96, 96), np.uint8)
    before = np.log(image.mean(axis=2) + 4.0)
    signs = set()
    for seed in range(12):
        light = np.log(relit(image, mask, np.random.default_rng(seed)).mean(axis=2) + 4.0)
        share = (light * first).mean() / (before * first).mean()
        assert -1.0 <= share < 0.95, "shading goes with the cosine of the turn"
        assert (light * second).mean() == pytest.approx((before * second).mean(), rel=0.2)
        signs.add(bool(share > 0.0))
    assert signs == {True, False}


@pytest.mark.parametrize("seed", range(6))
def test_the_mask_moves_with_the_image(seed: int) -> None:
    image, mask = coded(200, 240)
    crop, told = cropped(image, mask, 64, np.random.default_rng(seed), free=True)
    assert crop.shape == (64, 64, 3)
    assert told.shape == (64, 64)
    level = crop[:, :, 0]
    # Away from borders, which interpolation blurs, levels tell the class.
    inner = np.ones_like(told, dtype=bool)
    for shift in ((0, 1), (1, 0), (0, -1), (-1, 0), (0, 2), (2, 0), (0, -2), (-2, 0)):
        inner &= np.roll(told, shift, axis=(0, 1)) == told
    inner[:2], inner[-2:], inner[:, :2], inner[:, -2:] = False, False, False, False
    assert (level[inner & (told == SKY)] < 30).all()
    assert (level[inner & (told == 2)] > 180).all()
    assert ((level[inner & (told == 0)] > 40) & (level[inner & (told == 0)] < 150)).all()


def test_without_geometry_a_crop_is_a_window_at_the_top() -> None:
    image, mask = coded()
    image = np.arange(image.size, dtype=np.int64).reshape(image.shape).astype(np.uint8)
    crop, told = augment(image, mask, NOTHING, 48, np.random.default_rng(3))
    at = [c for c in range(mask.shape[1] - 47) if np.array_equal(image[:48, c : c + 48], crop)]
    assert any(np.array_equal(mask[:48, c : c + 48], told) for c in at)


def test_a_small_picture_is_unknown_beyond_its_borders() -> None:
    image, mask = coded(90, 120)
    crop, told = augment(image, mask, NOTHING, 160, np.random.default_rng(0))
    assert crop.shape == (160, 160, 3)
    assert (told[90:] == UNKNOWN).all()
    assert (told[:, 120:] == UNKNOWN).all()
    np.testing.assert_array_equal(told[:90, :120], mask)


def test_crops_come_from_where_rocks_are() -> None:
    mask = np.zeros((300, 300), np.uint8)
    mask[20:60, 260:] = 2
    image = np.full((300, 300, 3), 90, np.uint8)
    rng = np.random.default_rng(0)
    found = [(augment(image, mask, NOTHING, 64, rng)[1] == 2).any() for _ in range(2_000)]
    # One draw sees it from 40 of 237 columns; two draws on average see it nearly twice as often.
    assert np.mean(found) > 1.5 * (40 / 237)


def test_everything_at_once_is_reproducible_and_style_needs_statistics() -> None:
    image, mask = coded()
    warm = np.repeat(np.linspace(20, 220, 64, dtype=np.uint8)[None, :, None], 64, axis=0) * np.array([1.0, 0.9, 0.6])
    style = gathered([warm.astype(np.uint8)])
    first = augment(image, mask, EVERYTHING, 64, np.random.default_rng(5), style)
    again = augment(image, mask, EVERYTHING, 64, np.random.default_rng(5), style)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    only = NOTHING.model_copy(update={"style": 1.0})
    styled = augment(image, mask, only, 64, np.random.default_rng(5), style)[0]
    plain = augment(image, mask, only, 64, np.random.default_rng(5), None)[0]
    assert np.ptp(plain.astype(int), axis=2).max() == 0
    assert np.ptp(styled.astype(int), axis=2).max() > 0


def test_extreme_contrast_leaves_most_of_the_ground_to_be_seen() -> None:
    rng = np.random.default_rng(1)
    for level in (25.0, 90.0, 220.0):
        image = np.clip(level * np.exp(0.2 * rng.standard_normal((64, 64, 1))), 0.0, 255.0).astype(np.uint8)
        image = np.repeat(image, 3, axis=2)
        mask = np.zeros((64, 64), np.uint8)
        changed = [CHANGES["contrast"](image, mask, np.random.default_rng(seed)) for seed in range(100)]
        lost = [max((one == one.max()).mean(), (one == 0).mean()) for one in changed]
        assert np.mean(np.array(lost) > 0.8) <= 0.02
        assert np.std([one.std() for one in changed]) > 3.0


def test_photometry_is_bright_at_one_point_and_towards_the_horizon() -> None:
    mask = np.zeros((80, 120), np.uint8)
    level = np.full((80, 120, 3), 60, np.uint8)
    upper, lower = [], []
    for seed in range(40):
        found = CHANGES["photometry"](level, mask, np.random.default_rng(seed)).astype(int)
        # Another albedo, and no more than that on the whole.
        assert 0.5 * 60 < found.mean() < 1.55 * 60
        assert (np.ptp(found, axis=2) == 0).all()
        # The surge falls with the angle from one point: each row rises to its column and falls beyond it.
        for row in found[::16, :, 0]:
            peak = int(row.argmax())
            assert (np.diff(row[: peak + 1]) >= 0).all()
            assert (np.diff(row[peak:]) <= 0).all()
        upper.append(found[:20].mean() / found.mean())
        lower.append(found[-20:].mean() / found.mean())
    # Lommel and Seeliger: grazing views are brighter.
    assert np.mean(upper) > 1.1
    assert np.mean(lower) < 0.95


def test_the_sensors_noise_is_that_of_photons() -> None:
    mask = np.zeros((48, 48), np.uint8)

    def variance(level: int) -> float:
        flat = np.full((48, 48, 3), level, np.uint8)
        found = [CHANGES["sensor"](flat, mask, np.random.default_rng(seed)) for seed in range(200)]
        assert all((np.ptp(one.astype(int), axis=2) == 0).all() for one in found), "one grey sensor"
        return float(np.mean([one[..., 0].var() for one in found]))

    # Of photons alone the variance grows with the level: by 255 levels over the photons of white, whose reciprocal has
    # this mean where their logarithm is even between 150 and 4000.
    reciprocal = (1 / 150 - 1 / 4_000) / np.log(4_000 / 150)
    assert (variance(190) - variance(40)) / (150 * 255 * reciprocal) == pytest.approx(1.0, abs=0.15)
