"""Boundaries of rocks: tolerance, absent classes, unknown pixels."""

from __future__ import annotations

import numpy as np
import pytest

from lunarsite.validate.rock_scores import boundary, boundary_f1, mean_boundary_f1
from tests.unit.vision.rock.test_scores import picture


def test_a_perfect_boundary() -> None:
    truth = picture("3333", "3003", "0110", "0122")
    assert boundary_f1(boundary(truth, truth, 0.0)).tolist() == [1.0] * 4


def test_unknown_pixels_make_no_boundary() -> None:
    edges = boundary(picture("00??", "00??"), picture("0012", "0032"), 1.0)
    assert edges.sum() == 0.0, "neither what is said of unknown pixels nor their border is a boundary"


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
