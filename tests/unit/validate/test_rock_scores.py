"""Overlap and boundaries of rocks: known confusions, absent classes, unknown pixels."""

from __future__ import annotations

import numpy as np
import pytest

from lunarsite.validate.rock_scores import (
    boundary,
    boundary_f1,
    confusion,
    error_rate,
    iou,
    mean_boundary_f1,
    mean_iou,
)


def picture(*rows: str) -> np.ndarray:
    """Classes by digit; '?' is unknown."""
    return np.array([[255 if one == "?" else int(one) for one in row] for row in rows], dtype=np.uint8)


def test_a_perfect_prediction_has_iou_1_and_no_error() -> None:
    truth = picture("3333", "3003", "0110", "0122")
    matrix = confusion(truth, truth)
    assert iou(matrix).tolist() == [1.0, 1.0, 1.0, 1.0]
    assert mean_iou(matrix) == 1.0
    assert error_rate(matrix) == 0.0
    assert boundary_f1(boundary(truth, truth, 0.0)).tolist() == [1.0] * 4


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
    edges = boundary(truth, said, 1.0)
    assert edges.sum() == 0.0, "neither what is said of unknown pixels nor their border is a boundary"


def test_sums_of_counts_are_taken_before_ratios() -> None:
    small = confusion(picture("01"), picture("00"))
    large = confusion(np.ones((10, 10), np.uint8), np.ones((10, 10), np.uint8))
    assert iou(small + large)[1] == pytest.approx(100.0 / 101.0)
    assert iou(np.stack([small, large])).shape == (2, 4)


def test_boundaries_within_the_tolerance_count() -> None:
    truth, said = np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8)
    truth[:, 10:], said[:, 12:] = 3, 3
    assert boundary_f1(boundary(truth, said, 2.0))[3] == 1.0
    assert boundary_f1(boundary(truth, said, 1.9))[3] == 0.0
    assert boundary_f1(boundary(truth, truth, 0.0))[0] == 1.0
    said[:, 12:] = 0
    assert boundary_f1(boundary(truth, said, 2.0))[3] == 0.0, "a boundary that is missed"
    assert np.isnan(boundary_f1(boundary(truth, said, 2.0))[1]), "a class without boundaries"


def test_the_border_of_the_picture_is_no_boundary() -> None:
    whole = np.full((5, 5), 3, np.uint8)
    counts = boundary(whole, whole, 1.0)
    assert counts.sum() == 0.0
    assert np.isnan(mean_boundary_f1(counts))


def test_precision_and_recall_of_boundaries_differ() -> None:
    truth, said = np.zeros((30, 30), np.uint8), np.zeros((30, 30), np.uint8)
    truth[5:8, 5:8] = 1
    said[5:8, 5:8] = said[20:23, 20:23] = 1
    counts = boundary(truth, said, 1.0)[1]
    assert counts.tolist() == [16.0, 8.0, 8.0, 8.0]
    assert boundary_f1(counts[None])[0] == pytest.approx(2.0 * 0.5 / 1.5)
