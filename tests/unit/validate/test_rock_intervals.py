"""Draws of scenes: pooled counts, pairing, too few scenes."""

from __future__ import annotations

import numpy as np
import pytest

from lunarsite.validate.rock_intervals import Draws, mean_of


def share(sums: np.ndarray) -> np.ndarray:
    return np.asarray(sums[:, 0] / sums[:, 1])


def test_counts_are_pooled_before_the_ratio() -> None:
    counts = np.array([[1.0, 10.0], [90.0, 100.0], [0.0, 1.0], [5.0, 10.0], [2.0, 2.0]])
    found = Draws(list("abcde"), 200, 1).of(counts, share)
    assert found.value == pytest.approx(98.0 / 123.0)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 98.0 / 123.0 < found.high


def test_images_of_one_scene_are_drawn_together() -> None:
    counts = np.array([[1.0, 1.0], [0.0, 1.0]] * 5)
    # Every scene has one of each, so every draw is one half.
    found = Draws([name for name in "abcde" for _ in range(2)], 100, 1).of(counts, share)
    assert found.within == (0.5, 0.5)
    apart = Draws([str(k) for k in range(10)], 100, 1).of(counts, share)
    assert apart.low is not None
    assert apart.low < 0.5


def test_differences_are_paired() -> None:
    rng = np.random.default_rng(0)
    base = np.stack([rng.random(12), np.ones(12)], axis=1)
    better = base + np.array([0.1, 0.0])
    draws = Draws([str(k) for k in range(12)], 300, 2)
    gain = draws.of(better, share) - draws.of(base, share)
    assert gain.within == pytest.approx((0.1, 0.1))
    again = Draws([str(k) for k in range(12)], 300, 2).of(better, share) - draws.of(base, share)
    assert again.within == pytest.approx((0.1, 0.1)), "the same scenes and seed are the same draws"


def test_few_scenes_have_no_interval() -> None:
    counts = np.array([[1.0, 2.0]] * 4)
    found = Draws(list("abcd"), 100, 1).of(counts, share)
    assert found.value == 0.5
    assert found.within is None
    unknown = Draws(list("abcde"), 100, 1).of(np.zeros((5, 2)), lambda sums: np.full(len(sums), np.nan))
    assert unknown.value is None


def test_a_mean_of_numbers_keeps_their_draws() -> None:
    draws = Draws([str(k) for k in range(6)], 100, 1)
    one = draws.of(np.stack([np.arange(6.0), np.ones(6)], axis=1), share)
    other = draws.of(np.stack([10.0 - np.arange(6.0), np.ones(6)], axis=1), share)
    both = mean_of([one, other])
    assert both.value == 5.0
    assert both.within == pytest.approx((5.0, 5.0))
    assert mean_of([one, draws.of(np.zeros((6, 2)), lambda sums: np.full(len(sums), np.nan))]).value is None
    assert mean_of([one]).within == one.within
