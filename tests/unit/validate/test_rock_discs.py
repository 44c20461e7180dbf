"""Whether ground that is called safe is: the truth's discs, where they can be judged, and intervals over scenes."""

from __future__ import annotations

import numpy as np
import pytest

from lunarsite.settings.rock import RockHazardSettings
from lunarsite.validate.rock_disc_record import NO_GROUND, NOTHING_CALLED, disc_rows, disc_verdict
from lunarsite.validate.rock_discs import disc_counts, safe_discs
from lunarsite.validate.rock_intervals import Draws
from lunarsite.vision.rock.camera import Camera
from lunarsite.vision.rock.classes import BACKGROUND, LARGE, SKY
from lunarsite.vision.rock.ground_plan import NO, clearance_m

from .made_rocks import sure

CAMERA = Camera(1.6, 12.0, 60.0, 128, 192)
WANTED = RockHazardSettings(disc_radius_m=0.4)


def scene(*, rock: bool = True, edge: bool = False) -> np.ndarray:
    truth = np.full((128, 192), BACKGROUND, np.uint8)
    truth[:40] = SKY
    if rock:
        truth[80:92, 90:102] = LARGE
    if edge:
        truth[60:128, :6] = LARGE
    return truth


def counts(truth: np.ndarray, said: np.ndarray, confidence: float = 0.98) -> np.ndarray:
    return disc_counts(truth, said, sure(said, confidence), CAMERA, WANTED)


def test_who_says_the_truth_errs_nowhere() -> None:
    judged, rocky, called, wrong = counts(scene(), scene())
    # About the disc's area, and as much again for what the rock hides.
    assert 0.5 < rocky < 3.0
    assert judged > 2.0 * rocky
    assert wrong == 0.0
    assert called == pytest.approx(judged - rocky)


def test_a_rock_that_is_overlooked_makes_safe_ground_wrong() -> None:
    judged, rocky, called, wrong = counts(scene(), scene(rock=False))
    assert called == judged
    assert wrong == rocky > 0.0


def test_ground_in_doubt_is_not_called_safe() -> None:
    assert counts(scene(), scene(), confidence=0.8)[2] == 0.0


def test_ground_is_judged_where_its_disc_is_whole() -> None:
    """Of ground at the picture's edge one can know that it is not safe, never that it is: it would look worse."""
    without, with_edge = counts(scene(), scene()), counts(scene(edge=True), scene(edge=True))
    assert with_edge[0] == pytest.approx(without[0], rel=1e-6), "rocks do not change what is judged"
    truth = scene(edge=True)
    held = clearance_m(truth, CAMERA, WANTED.disc_radius_m)[1] == NO
    known = CAMERA.ground_per_px(np.arange(128)[:, None], np.arange(192)[None])[held].sum()
    assert known > with_edge[1] + 0.2


def test_an_unknown_truth_is_not_judged() -> None:
    truth = scene()
    truth[40:] = 255
    assert counts(truth, scene()).tolist() == [0.0] * 4


def draws(count: int) -> Draws:
    return Draws([f"s{k}" for k in range(count)], 200, 1)


def of_shares(called: np.ndarray, rocky: np.ndarray, area: float = 100.0) -> list[np.ndarray]:
    """All ground is called safe; shares of it that hold rocks."""
    return [np.array([area, area * one, area, area * other]) for other, one in zip(called, rocky, strict=True)]


def test_shares_are_of_all_ground_and_their_difference_is_paired() -> None:
    rocky = np.linspace(0.1, 0.6, 8)
    found = safe_discs(of_shares(rocky - 0.05, rocky), draws(8), 2.5)
    assert found is not None
    assert found.difference.within == pytest.approx((-0.05, -0.05)), "scenes are as rocky on both sides"
    assert found.rocky.high is not None
    assert found.rocky.high - found.rocky.low > 0.1  # type: ignore[operator]
    claim = disc_verdict(found, "ensemble")
    assert claim.holds
    assert claim.value == pytest.approx(-0.05)
    pooled = safe_discs([np.array([10.0, 5.0, 2.0, 1.0]), np.array([90.0, 9.0, 8.0, 0.0])], draws(2), 2.5)
    assert pooled is not None
    assert (pooled.called_rocky.value, pooled.rocky.value) == (0.1, 0.14), "of the sums, not a mean of shares"
    assert pooled.safe_called.value == pytest.approx(9.0 / 86.0)
    (row,) = disc_rows(pooled)
    assert (row["judged_m2"], row["called_safe_m2"], row["radius_m"]) == (100.0, 10.0, 2.5)


def test_what_is_no_better_than_all_ground_fails() -> None:
    rocky = np.linspace(0.1, 0.6, 8)
    for called in (rocky, rocky + 0.05, rocky + np.where(np.arange(8) % 2, -0.3, 0.25) * 0.3):
        claim = disc_verdict(safe_discs(of_shares(called, rocky), draws(8), 2.5), "ensemble")
        assert claim.holds is False


def test_without_ground_scenes_or_the_ensemble_nothing_is_claimed() -> None:
    shares = np.full(8, 0.2)
    nothing = [np.array([100.0, 20.0, 0.0, 0.0])] * 8
    told = {
        "unknown: fewer than 5 scenes": disc_verdict(
            safe_discs(of_shares(shares, shares)[:4], draws(4), 1), "ensemble"
        ),
        NOTHING_CALLED: disc_verdict(safe_discs(nothing, draws(8), 1), "ensemble"),
        NO_GROUND: disc_verdict(safe_discs([], draws(5), 1), "ensemble"),
        "unknown: the run delivers by 'single scaled'": disc_verdict(None, "single"),
    }
    for why, claim in told.items():
        assert claim.value is claim.holds is None
        assert claim.why.startswith(why)
    assert disc_rows(None) == []
