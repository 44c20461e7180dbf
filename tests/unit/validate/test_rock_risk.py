"""Risk-coverage: orders whose curve and area are known, ties, oracle and chance."""

from __future__ import annotations

import numpy as np
import pytest

from lunarsite.validate.rock_risk import (
    area,
    image_error,
    oracle_area,
    oracle_error,
    remaining_error,
    risk_counts,
    total_error,
)


def counts(doubt: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    truth = np.zeros(doubt.shape, np.uint8)
    return risk_counts(doubt.astype(np.float32), wrong.astype(bool), truth)[None]


def test_doubt_that_knows_every_error_is_the_oracle() -> None:
    wrong = np.zeros((10, 10))
    wrong[:2] = 1
    found = counts(np.where(wrong > 0, 1.0, 0.01), wrong)
    assert total_error(found) == pytest.approx(0.2)
    for share in (0.0, 0.1, 0.2, 0.5):
        assert remaining_error(found, share) == pytest.approx(max(0.2 - share, 0.0) / (1.0 - share))
        assert oracle_error(share)(found) == pytest.approx(remaining_error(found, share))
    assert area(found) == pytest.approx(0.2 + 0.8 * np.log(0.8))
    assert oracle_area(found) == pytest.approx(area(found))


def test_equal_doubt_is_chance() -> None:
    wrong = np.zeros((10, 10))
    wrong[3] = 1
    found = counts(np.full((10, 10), 0.3), wrong)
    assert remaining_error(found, 0.5) == pytest.approx(0.1), "ties are handed over in no order"
    assert area(found) == pytest.approx(0.1)


def test_doubt_that_is_wrong_about_itself_is_worse_than_chance() -> None:
    wrong = np.zeros((10, 10))
    wrong[:2] = 1
    found = counts(np.where(wrong > 0, 1e-4, 1.0), wrong)
    assert remaining_error(found, 0.8) == pytest.approx(1.0)
    assert area(found) > total_error(found)


def test_area_is_the_mean_of_the_curve() -> None:
    rng = np.random.default_rng(1)
    doubt = rng.random((200, 200)) ** 6
    found = counts(doubt, rng.random(doubt.shape) < 0.5 * doubt)
    shares = (np.arange(2_000) + 0.5) / 2_000
    curve = [remaining_error(found, share)[0] for share in shares]
    assert area(found) == pytest.approx(np.mean(curve), rel=2e-3)
    assert oracle_area(found) < area(found) < total_error(found)


def test_small_doubts_are_told_apart_and_unknown_pixels_left_out() -> None:
    doubt, wrong = np.array([[1e-7, 2e-6, 1e-3]]), np.array([[0, 1, 0]])
    assert remaining_error(counts(doubt, wrong), 2.0 / 3.0) == pytest.approx(0.0)
    truth = np.array([[0, 255, 0]], np.uint8)
    left = risk_counts(doubt.astype(np.float32), wrong.astype(bool), truth)
    assert left.sum(axis=0).tolist() == [2.0, 0.0]
    assert np.isnan(area(np.zeros((1, 5, 2))))


def test_whole_images_are_handed_over_by_their_doubt_and_weight() -> None:
    doubt = np.array([0.1, 0.9, 0.5])
    both = np.array([[100.0, 0.0], [100.0, 50.0], [300.0, 30.0]])
    once = np.ones((1, 3))
    assert image_error(doubt, both, once, 0.0) == pytest.approx(80.0 / 500.0)
    assert image_error(doubt, both, once, 1.0 / 3.0) == pytest.approx(30.0 / 400.0)
    assert image_error(doubt, both, once, 0.5) == pytest.approx(15.0 / 250.0), "half of the image at the limit"
    twice = np.array([[0.0, 2.0, 1.0]])
    assert image_error(doubt, both, twice, 0.0) == pytest.approx(130.0 / 500.0)
