"""Overlap of classes of rocks, and the sign test of scenes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lunarsite.vision.rock.scores import (
    FEW_SCENES,
    SignTest,
    confusion,
    error_rate,
    iou,
    mean_iou,
    rock_iou,
    sign_test,
)


def picture(*rows: str) -> NDArray[np.uint8]:
    """Classes by digit; '?' is unknown."""
    return np.array([[255 if one == "?" else int(one) for one in row] for row in rows], dtype=np.uint8)


def test_a_perfect_prediction_has_iou_1_and_no_error() -> None:
    truth = picture("3333", "3003", "0110", "0122")
    matrix = confusion(truth, truth)
    assert iou(matrix).tolist() == [1.0, 1.0, 1.0, 1.0]
    assert mean_iou(matrix) == 1.0
    assert error_rate(matrix) == 0.0


def test_a_known_confusion() -> None:
    truth, said = picture("0011", "0033"), picture("0111", "0033")
    matrix = confusion(truth, said)
    assert matrix[0].tolist() == [3.0, 1.0, 0.0, 0.0], "rows are the truth"
    values = iou(matrix)
    assert values[[0, 1, 3]].tolist() == [0.75, pytest.approx(2.0 / 3.0), 1.0]
    assert np.isnan(values[2]), "large rocks neither are nor are said to be"
    assert mean_iou(matrix) == pytest.approx((0.75 + 2.0 / 3.0 + 1.0) / 3.0), "an absent class does not count"
    assert error_rate(matrix) == pytest.approx(1.0 / 8.0)


def test_a_class_that_is_said_but_is_not_there_costs() -> None:
    matrix = confusion(picture("0000"), picture("0002"))
    assert iou(matrix)[2] == 0.0
    assert mean_iou(matrix) == pytest.approx(0.75 / 2.0)


def test_unknown_pixels_count_nowhere() -> None:
    truth, said = picture("00??", "00??"), picture("0012", "0032")
    matrix = confusion(truth, said)
    assert matrix.sum() == 4.0
    assert mean_iou(matrix) == 1.0
    assert mean_iou(confusion(picture("??"), picture("01"))) != mean_iou(matrix)
    assert np.isnan(mean_iou(confusion(picture("??"), picture("01")))), "nothing is known"


def test_sums_of_counts_are_taken_before_ratios() -> None:
    small = confusion(picture("01"), picture("00"))
    large = confusion(np.ones((10, 10), np.uint8), np.ones((10, 10), np.uint8))
    assert iou(small + large)[1] == pytest.approx(100.0 / 101.0)
    assert iou(np.stack([small, large])).shape == (2, 4)


def test_small_taken_for_large_is_no_error_of_finding_rocks() -> None:
    matrix = confusion(picture("0011", "223?"), picture("0112", "2230"))
    assert rock_iou(matrix) == pytest.approx(4 / 5), "four right, one false"
    assert np.isnan(rock_iou(confusion(picture("00"), picture("00"))))


def halves(*right: float) -> NDArray[np.float64]:
    """Return confusions (n, 4, 4) with a share of each class's pixels right."""
    shares = np.array(right)[:, None, None]
    return 100.0 * (shares * np.eye(4) + (1.0 - shares) * np.roll(np.eye(4), 1, axis=1))


def test_scenes_are_counted_by_their_images_together_and_by_the_mean_of_seeds() -> None:
    theirs = np.stack([halves(0.5, 0.5, 0.5, 0.5, 0.5)] * 2)
    # 'a': one image better, one worse by more; 'b' and 'd': better by one seed, less worse by the other; 'c': equal.
    ours = np.stack([halves(0.6, 0.2, 0.9, 0.5, 0.45), halves(0.6, 0.2, 0.45, 0.5, 0.9)])
    found = sign_test(ours, theirs, ["a", "a", "b", "c", "d"])
    assert (found.better, found.scenes) == (2, 4), "equal is not better"
    assert sign_test(theirs, theirs, list("abcde")).better == 0


@pytest.mark.parametrize(
    ("better", "scenes", "chance"), [(5, 5, 1 / 32), (4, 5, 6 / 32), (0, 5, 1.0), (9, 10, 11 / 1024), (1, 1, 0.5)]
)
def test_chance_of_so_many_scenes(better: int, scenes: int, chance: float) -> None:
    found = SignTest(better, scenes)
    assert found.chance == pytest.approx(chance)
    assert f"{better} of {scenes} scenes" in found.words
    assert f"p = {chance:.2g}" in found.words


def test_of_few_scenes_all_must_agree() -> None:
    assert SignTest(5, 5).suffices
    assert not SignTest(4, 5).suffices
    assert not SignTest(FEW_SCENES - 1, FEW_SCENES).suffices
    assert SignTest(FEW_SCENES, FEW_SCENES + 1).suffices, "there the interval is wide enough"
    assert "every scene" in SignTest(5, 5).bound
    assert "every scene" not in SignTest(11, 11).bound
