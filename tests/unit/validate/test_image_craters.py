"""Craters seen in images: patterns where they were put, bumps told apart, and counts by two thresholds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lunarsite.validate import image_craters as ic
from lunarsite.validate.enhance_measures import Truth
from lunarsite.validate.image_craters import Seen
from lunarsite.vision.crater.classical import bowl

SIDE = 128
CRATERS = ((30, 40, 12.0), (90, 30, 20.0), (60, 95, 8.0), (100, 98, 28.0))
EVERYWHERE = np.ones((SIDE, SIDE), dtype=np.bool_)


def lit(azimuth_deg: float, sign: float = 1.0) -> np.ndarray:
    """Slopes towards the light of ground with craters; `sign` -1: with bumps."""
    rows, cols = np.indices((SIDE, SIDE))
    height = sum(sign * size * bowl(np.hypot(rows - row, cols - col) / (0.5 * size)) for row, col, size in CRATERS)
    down, right = np.gradient(np.asarray(height))
    azimuth = math.radians(azimuth_deg)
    return 1.0 - (right * math.sin(azimuth) - down * math.cos(azimuth))


def seen(col: list[float], size: float = 10.0, score: float = 0.9) -> Seen:
    count = len(col)
    return Seen(np.array(col), np.full(count, 50.0), np.full(count, size), np.full(count, score))


@pytest.mark.parametrize("azimuth_deg", [0.0, 90.0, 200.0, 315.0])
@pytest.mark.parametrize("known", [True, False])
def test_craters_are_found_where_they_are(azimuth_deg: float, known: bool) -> None:
    found = ic.seen(lit(azimuth_deg), EVERYWHERE, 1.0, azimuth_deg if known else math.nan).above(0.9)
    places = {(round(row), round(col)) for row, col in zip(found.row, found.col, strict=True)}
    assert places == {(row, col) for row, col, _ in CRATERS}
    for row, _, size in CRATERS:
        own = found.diameter_px[np.rint(found.row) == row]
        assert own == pytest.approx([size], rel=0.1)


def test_light_from_the_other_side_shows_bumps() -> None:
    image = lit(30.0)
    assert len(ic.seen(image, EVERYWHERE, 1.0, 210.0).above(0.9)) == 0
    assert len(ic.seen(image, EVERYWHERE, 1.0, 30.0, bumps=True).above(0.9)) == 0
    assert len(ic.seen(lit(30.0, sign=-1.0), EVERYWHERE, 1.0, 30.0, bumps=True).above(0.9)) == len(CRATERS)


def test_pattern_is_bright_where_it_faces_the_light() -> None:
    """Lit from the top, the far wall of a bowl (the lower one) faces the light."""
    found = ic.pattern(12.0, 0.0)
    assert found.shape[0] % 2 == 1
    middle = found.shape[0] // 2
    assert found[middle + 3, middle] > 0.0 > found[middle - 3, middle]
    assert found.mean() == pytest.approx(0.0, abs=1e-12)
    assert ic.pattern(12.0, 180.0) == pytest.approx(-found, abs=1e-12)


def test_only_shadow_counts() -> None:
    shadow = EVERYWHERE.copy()
    shadow[:, :64] = False
    image = np.where(shadow, lit(90.0), np.nan)
    found = ic.seen(image, shadow, 1.0, 90.0).above(0.9)
    assert sorted(np.rint(found.col).astype(int)) == [95, 98]
    assert len(ic.seen(image, np.zeros_like(shadow), 1.0, 90.0)) == 0


def test_faint_patterns_are_no_craters() -> None:
    assert len(ic.seen(1.0 + 1e-3 * lit(90.0), EVERYWHERE, 1.0, 90.0)) == 0


def test_noise_alone_shows_no_reliable_crater() -> None:
    noise = np.random.default_rng(0).normal(size=(SIDE, SIDE))
    assert len(ic.seen(noise, EVERYWHERE, 1.0, 0.0).above(0.6)) == 0


def test_counts_use_two_thresholds() -> None:
    truth = Seen(np.array([20.0, 60.0]), np.full(2, 50.0), np.full(2, 10.0), np.array([0.9, 0.65]))
    # One is confirmed at the high threshold, one at the low one only, one is nowhere in the truth.
    result = seen([21.0, 61.0, 100.0])
    found = ic.compared(result, truth, 0.7)
    assert (found.truth, found.result, found.found, found.invented, found.lost) == (1, 3, 1, 1, 0)
    # A crater of the truth that the result shows faintly is not lost; one that it does not show at all is.
    assert ic.compared(seen([20.0], score=0.65), truth, 0.7).lost == 0
    assert ic.compared(seen([20.0], score=0.5), truth, 0.7).lost == 1


@pytest.mark.parametrize(("move", "size", "matched"), [(2.4, 10.0, 1), (2.6, 10.0, 0), (0.0, 13.4, 1), (0.0, 13.6, 0)])
def test_tolerances(move: float, size: float, matched: int) -> None:
    assert ic.compared(seen([20.0 + move], size), seen([20.0]), 0.7).found == matched


def test_one_crater_serves_one_partner() -> None:
    assert ic.compared(seen([19.0, 21.0]), seen([20.0]), 0.7).invented == 1


def test_threshold_is_where_bumps_are_few() -> None:
    bowls = [Truth(lit(90.0), EVERYWHERE)] * 3
    threshold, count, bumps = ic.reliable_threshold(bowls, [90.0] * 3)
    assert threshold < ic.THRESHOLDS[-1]
    assert count >= len(CRATERS)
    assert bumps <= ic.MOST_BUMP_SHARE * count
    hills = [Truth(lit(90.0, sign=-1.0), EVERYWHERE)] * 3
    assert ic.reliable_threshold(hills, [90.0] * 3)[0] == ic.THRESHOLDS[-1]
