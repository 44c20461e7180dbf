"""Intervals over ground."""

from __future__ import annotations

import numpy as np
import pytest

from lunarsite.validate.enhance_intervals import FEWEST_GROUNDS, Grounds, estimate, lowest

NAMES = [f"g{k // 2}" for k in range(40)]
VALUES = np.random.default_rng(0).normal(3.0, 1.0, 40)


def grounds(names: list[str] = NAMES) -> Grounds:
    return Grounds(names, 2_000, 1)


def test_interval_is_that_of_the_mean() -> None:
    found = grounds([f"g{k}" for k in range(40)]).mean(VALUES)
    assert found.value == pytest.approx(VALUES.mean())
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low == pytest.approx(2.0 * 1.96 * VALUES.std() / np.sqrt(40.0), rel=0.1)


def test_scenes_of_one_ground_are_drawn_together() -> None:
    """Twice the same scene tells no more than once."""
    once = Grounds([f"g{k}" for k in range(20)], 2_000, 1).mean(VALUES[:20])
    twice = Grounds([f"g{k}" for k in range(20)] * 2, 2_000, 1).mean(np.tile(VALUES[:20], 2))
    assert twice.within == pytest.approx(once.within)


def test_differences_share_their_draws() -> None:
    own, other = grounds().mean(VALUES + 0.1), grounds().mean(VALUES)
    gain = own - other
    assert gain.value == pytest.approx(0.1)
    assert gain.within == pytest.approx((0.1, 0.1))


def test_unknown_scenes_do_not_count() -> None:
    spoilt = VALUES.copy()
    spoilt[:4] = np.nan
    assert grounds().mean(spoilt).value == pytest.approx(VALUES[4:].mean())
    assert grounds().mean(np.full(40, np.nan)).value is None
    assert (grounds().mean(VALUES) - grounds().mean(np.full(40, np.nan))).value is None


def test_rates_are_ratios_of_sums() -> None:
    found = grounds().ratio(np.full(40, 3.0), np.arange(1.0, 41.0))
    assert found.value == pytest.approx(120.0 / np.arange(1.0, 41.0).sum())
    assert grounds().ratio(np.ones(40), np.zeros(40)).value is None


def test_few_grounds_have_no_interval() -> None:
    names = [f"g{k % (FEWEST_GROUNDS - 1)}" for k in range(40)]
    found = grounds(names).mean(VALUES)
    assert found.value == pytest.approx(VALUES.mean())
    assert found.within is None


def test_lowest_is_taken_draw_by_draw() -> None:
    one, other = estimate(1.0, np.array([0.0, 2.0])), estimate(0.5, np.array([1.0, 1.0]))
    found = lowest([one, other])
    assert found.value == 0.5
    assert found.draws == pytest.approx([0.0, 1.0])
    assert lowest([one, estimate(None, np.array([1.0, 1.0]))]).value is None
    assert lowest([]).value is None
