"""Classes of probabilities, and the mean of a doubt below the sky."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lunarsite.vision.rock.classes import BACKGROUND, LARGE, SKY, SMALL
from lunarsite.vision.rock.uncertainty import (
    beyond,
    classes_of,
    confidence_of,
    mean_below_sky,
    tempered,
    unfamiliarity_of,
)

VALUES = np.array([[0.0, 0.0, 0.0], [0.3, 0.6, 0.9]], dtype=np.float32)


def test_more_sky_makes_an_image_no_more_familiar() -> None:
    classes = np.array([[SKY] * 3, [BACKGROUND] * 3], dtype=np.uint8)
    assert mean_below_sky(VALUES, classes) == pytest.approx(0.6)
    more = np.concatenate([VALUES[:1], VALUES]), np.concatenate([classes[:1], classes])
    assert mean_below_sky(*more) == pytest.approx(0.6)


def test_where_no_ground_is_known_nothing_tells() -> None:
    assert math.isnan(mean_below_sky(VALUES, np.full((2, 3), SKY, dtype=np.uint8)))
    classes = np.array([[SKY] * 3, [BACKGROUND] * 3], dtype=np.uint8)
    assert math.isnan(unfamiliarity_of(0.3, classes, classes == SKY))
    assert unfamiliarity_of(0.3, classes) == unfamiliarity_of(0.3, classes, classes != SKY) == 0.3
    assert [beyond(value, 0.1) for value in (0.1, 0.2, math.nan)] == [False, True, None]


@pytest.mark.parametrize(
    ("probability", "expected"),
    [
        ((0.4, 0.3, 0.3, 0.0), 1),  # rock with 0.6, whose size nobody knows
        ((0.4, 0.25, 0.35, 0.0), 2),
        ((0.5, 0.1, 0.39, 0.01), 0),
        ((0.2, 0.2, 0.1, 0.5), 3),
        ((0.1, 0.3, 0.3, 0.3), 1),
    ],
)
def test_a_pixel_is_rock_before_it_is_small_or_large(probability: tuple[float, ...], expected: int) -> None:
    values = np.array(probability, dtype=np.float32)[:, None, None]
    found = classes_of(values)
    assert found.dtype == np.uint8
    assert found.tolist() == [[expected]]
    assert classes_of(values[:, :, 0]).tolist() == [expected]


@pytest.mark.parametrize("temperature", [0.4, 1.0, 1.32, 3.0])
def test_a_temperature_changes_no_class(temperature: float) -> None:
    drawn = np.random.default_rng(4).dirichlet(np.full(4, 0.7), size=(60, 70)).astype(np.float32).transpose(2, 0, 1)
    found = tempered(drawn, temperature)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=0), 1.0, atol=1e-5)
    assert (classes_of(found) == classes_of(drawn)).all()
    assert (found.argmax(axis=0) != drawn.argmax(axis=0)).any() or temperature <= 1.0, "the largest of four does change"


def test_doubt_about_size_makes_nothing_a_rock() -> None:
    values = np.array([[0.54, 0.23, 0.23, 0.0], [0.54, 0.46, 0.0, 0.0]], dtype=np.float32).T[:, :, None]
    halved, sure = tempered(values, 1.32)[SMALL : LARGE + 1].sum(axis=0)[:, 0]
    assert halved == pytest.approx(sure, abs=1e-5)
    logit = np.log(0.46 / 0.54) / 1.32
    assert halved == pytest.approx(1.0 / (1.0 + np.exp(-logit)), abs=1e-4)


def test_confidence_is_that_of_the_class_that_is_said() -> None:
    values = np.array([[0.4, 0.35, 0.25, 0.0], [0.1, 0.1, 0.1, 0.7]], dtype=np.float32).T[:, :, None]
    assert confidence_of(values, classes_of(values))[:, 0] == pytest.approx([0.35, 0.7])
