"""Reliability, ECE, Brier and log score: made-up predictors whose calibration is known."""

from __future__ import annotations

import numpy as np
import pytest

from lunarsite.vision.rock.reliability import brier, calibration, class_ece, ece, log_score


def constant(confidence: float, shape: tuple[int, int]) -> np.ndarray:
    """Ground with a confidence, the rest shared by the other classes."""
    found = np.full((4, *shape), (1.0 - confidence) / 3.0, np.float32)
    found[0] = confidence
    return found


def test_a_calibrated_predictor_has_no_error() -> None:
    truth = np.zeros((10, 10), np.uint8)
    truth[:3] = np.resize([1, 2, 3], (3, 10))
    found = calibration(constant(0.7, truth.shape), truth, 15)
    assert ece(found.top) == pytest.approx(0.0, abs=1e-6)
    assert ece(found.by_class) == pytest.approx([0.0] * 4, abs=1e-6)
    assert class_ece(found.by_class) == pytest.approx(0.0, abs=1e-6)


def test_overconfidence_is_the_gap() -> None:
    truth = np.resize([0, 1], (10, 10)).astype(np.uint8)
    found = calibration(constant(0.9, truth.shape), truth, 15)
    assert ece(found.top) == pytest.approx(0.4, abs=1e-6)
    assert found.top[:, 0].sum() == 100.0
    assert ece(found.by_class)[1] == pytest.approx(0.5 - 0.1 / 3.0, abs=1e-6), "class by class"


def test_gaps_of_bins_do_not_cancel() -> None:
    truth = np.zeros((1, 20), np.uint8)
    truth[0, :10] = 1
    probability = np.concatenate([constant(0.9, (1, 10)), constant(0.6, (1, 10))], axis=2)
    counts = calibration(probability, truth, 15).top
    assert ece(counts) == pytest.approx(0.5 * 0.9 + 0.5 * 0.4, abs=1e-6)
    one_bin = calibration(probability, truth, 1).top
    assert ece(one_bin) == pytest.approx(0.25, abs=1e-6), "in one bin they do: that is what bins are for"


def test_proper_scores() -> None:
    truth = np.zeros((2, 2), np.uint8)
    sums = calibration(constant(0.7, truth.shape), truth, 15).scores
    assert brier(sums) == pytest.approx(0.3**2 + 3 * 0.1**2, abs=1e-6)
    assert log_score(sums) == pytest.approx(-np.log(0.7), abs=1e-6)
    sure_and_wrong = calibration(constant(1.0, truth.shape), truth + 1, 15).scores
    assert brier(sure_and_wrong) == pytest.approx(2.0)
    assert np.isfinite(log_score(sure_and_wrong)), "a probability of 0 has a bounded cost"


def test_edges_of_bins() -> None:
    truth = np.zeros((1, 1), np.uint8)
    for confidence, number in ((0.5, 7), (1.0, 15), (0.53125, 8)):
        counts = calibration(constant(confidence, truth.shape), truth, 16).top
        assert np.flatnonzero(counts[:, 0]).tolist() == [number], confidence


def test_unknown_pixels_do_not_count() -> None:
    truth = np.full((3, 3), 255, np.uint8)
    found = calibration(constant(0.7, truth.shape), truth, 15)
    assert np.isnan(ece(found.top))
    assert np.isnan(brier(found.scores))
    truth[0, 0] = 0
    assert calibration(constant(0.7, truth.shape), truth, 15).scores[0] == 1.0


def test_what_is_said_is_believed_as_far_as_its_own_probability() -> None:
    # Rock with 0.6, small with 0.35: ground's 0.4 is the largest of the four and is not said.
    probability = np.broadcast_to(np.array([0.4, 0.35, 0.25, 0.0], np.float32)[:, None, None], (4, 10, 10))
    found = calibration(probability, np.full((10, 10), 1, np.uint8), 20)
    assert found.top.sum(axis=0) == pytest.approx([100.0, 35.0, 100.0])
