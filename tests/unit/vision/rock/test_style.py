"""Style: the statistics that are asked for are reached, and nothing of a picture's geometry moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lunarsite.vision.learn import LearningError
from lunarsite.vision.rock import style as styles
from lunarsite.vision.rock.classes import SKY
from tests.unit.vision.rock.made_rocks import PHOTOGRAPH, RENDER, write_scenes


def ground(seed: int, side_px: int = 64, mean: float = 110.0, spread: float = 18.0) -> NDArray[np.uint8]:
    """Return rough coloured ground without black."""
    rng = np.random.default_rng(seed)
    levels = mean + spread * rng.standard_normal((side_px, side_px, 1)) + np.array([8.0, 4.0, -12.0])
    return np.asarray(np.clip(levels, 25.0, 250.0), np.uint8)


def with_sky(picture: NDArray[np.uint8], rows: int = 20) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    picture, mask = picture.copy(), np.zeros(picture.shape[:2], np.uint8)
    picture[:rows], mask[:rows] = 0, SKY
    return picture, mask


def test_matched_levels_have_the_photographs_distribution_whatever_the_sky() -> None:
    photograph, (render, mask) = ground(1, mean=140.0, spread=9.0), with_sky(ground(2, mean=90.0, spread=30.0))
    target = styles.gathered([photograph]).levels[0]
    found = styles.match_levels(render, target)
    lit = mask != SKY
    for share in (0.05, 0.25, 0.5, 0.75, 0.95):
        wanted, reached = (np.quantile(one, share, axis=0) for one in (photograph.reshape(-1, 3), found[lit]))
        assert np.abs(wanted - reached).max() <= 2.0, share
    assert (found[~lit] == 0).all()
    half = styles.match_levels(render, target, 0.5)[lit].mean()
    assert half == pytest.approx(0.5 * (render[lit].mean() + found[lit].mean()), abs=1.0)
    # The map never turns the order of two levels.
    order = np.argsort(render[lit][:, 0], kind="stable")
    assert (np.diff(found[lit][:, 0][order].astype(int)) >= 0).all()


def test_statistics_of_the_photograph_itself_change_nothing() -> None:
    photograph, _ = with_sky(ground(3))
    statistics = styles.gathered([photograph])
    for found in (
        styles.match_levels(photograph, statistics.levels[0]),
        styles.match_logarithm(photograph, statistics.levels[0]),
        styles.exchange_amplitudes(photograph, statistics.amplitudes[0], styles.MOST_CYCLES),
    ):
        assert np.abs(found.astype(int) - photograph).max() <= 1


def test_matched_logarithm_has_the_photographs_mean_and_spread() -> None:
    photograph, render = ground(4, mean=60.0, spread=6.0), ground(5, mean=120.0, spread=20.0)
    found = styles.match_logarithm(render, styles.gathered([photograph]).levels[0])
    wanted, reached = (np.log1p(one.reshape(-1, 3).astype(float)) for one in (photograph, found))
    assert np.abs(wanted.mean(axis=0) - reached.mean(axis=0)).max() < 0.02
    assert wanted.std(axis=0).mean() == pytest.approx(reached.std(axis=0).mean(), rel=0.1)


def test_contrast_is_not_raised_without_bound() -> None:
    flat, strong = ground(6, spread=1.0), ground(7, spread=45.0)
    found = styles.match_logarithm(flat, styles.gathered([strong]).levels[0]).astype(float)
    assert found.std() < 2.5 * flat.std()


def test_exchanged_amplitudes_take_the_low_frequencies_and_leave_the_rest() -> None:
    side = 64
    col = np.arange(side) / side
    wave, fine = np.cos(2 * np.pi * (2.0 * col + 0.1)), np.cos(2 * np.pi * 20.0 * col)
    photograph = np.broadcast_to((100.0 + 40.0 * wave)[None, :, None], (side, side, 3))
    shifted = np.cos(2 * np.pi * (2.0 * col + 0.35))
    render = np.broadcast_to((120.0 + 10.0 * shifted + 15.0 * fine)[None, :, None], (side, side, 3))
    statistics = styles.gathered([np.asarray(np.rint(photograph), np.uint8)])
    found = styles.exchange_amplitudes(np.asarray(np.rint(render), np.uint8), statistics.amplitudes[0], 2)
    # Amplitude and mean of the photograph, phase and fine structure of the render.
    wanted = 100.0 + 40.0 * shifted + 15.0 * fine
    assert np.abs(found[0, :, 0] - wanted).max() < 3.0
    below = styles.exchange_amplitudes(np.asarray(np.rint(render), np.uint8), statistics.amplitudes[0], 1)
    assert np.abs(below[0, :, 0] - (100.0 + 10.0 * shifted + 15.0 * fine)).max() < 3.0


@pytest.mark.parametrize("side_px", [9, 64, 65])
def test_every_way_keeps_the_sky_and_the_form_and_follows_its_seed(side_px: int) -> None:
    statistics = styles.gathered([ground(8), ground(9, side_px=33, mean=150.0)])
    render, mask = with_sky(ground(10, side_px), rows=3)
    render[0, 0] = 7
    seen = set()
    for seed in range(40):
        found, again = (styles.style(render, mask, statistics, np.random.default_rng(seed)) for _ in range(2))
        assert found.shape == render.shape
        assert found.dtype == np.uint8
        assert (found == again).all()
        assert (found[mask == SKY] == render[mask == SKY]).all()
        assert (found[mask != SKY] != render[mask != SKY]).any()
        assert (styles.style(render, None, statistics, np.random.default_rng(seed))[2] == 0).all()
        seen.add(found.tobytes())
    assert len(seen) > 30, "photograph, way and strength are drawn"


def test_a_black_picture_stays_and_draws_as_many_numbers() -> None:
    statistics = styles.gathered([ground(11)])
    black = np.zeros((32, 32, 3), np.uint8)
    one, two = np.random.default_rng(5), np.random.default_rng(5)
    assert (styles.style(black, None, statistics, one) == black).all()
    styles.style(ground(12), None, statistics, two)
    assert one.integers(2**30) == two.integers(2**30)


def test_an_image_of_one_level_goes_to_the_median() -> None:
    photograph = ground(13)
    found = styles.match_levels(np.full((32, 32, 3), 80, np.uint8), styles.gathered([photograph]).levels[0])
    assert np.abs(found[0, 0] - np.median(photograph.reshape(-1, 3), axis=0)).max() <= 2.0


def test_pictures_without_style_are_refused_or_left_out() -> None:
    with pytest.raises(LearningError, match="photograph_training_share"):
        styles.gathered([])
    with pytest.raises(LearningError, match="photograph_training_share"):
        styles.gathered([np.zeros((32, 32, 3), np.uint8)])
    assert len(styles.gathered([np.zeros((32, 32, 3), np.uint8), ground(14)])) == 1
    pictures: list[Any] = [
        np.zeros((32, 32), np.uint8),
        np.zeros((32, 32, 3), np.uint16),
        np.zeros((8, 32, 3), np.uint8),
    ]
    for bad in pictures:
        with pytest.raises(LearningError, match="8 bits, 3 channels"):
            styles.gathered([bad])
        with pytest.raises(LearningError, match="8 bits, 3 channels"):
            styles.style(bad, None, styles.gathered([ground(15)]), np.random.default_rng(0))


def test_only_chosen_photographs_are_read_and_without_their_padding(tmp_path: Path) -> None:
    path = tmp_path / "scenes.h5"
    write_scenes(path, [RENDER, PHOTOGRAPH, PHOTOGRAPH, PHOTOGRAPH], padding_px=7)
    chosen = np.array([True, True, False, True])
    found = styles.photographs(path, chosen)
    assert [one.shape for one in found] == [(64, 64, 3)] * 2
    with pytest.raises(LearningError, match="4"):
        styles.photographs(path, chosen[:3])
