"""Tests of the sky in pictures that are taken on the Moon."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lunarsite.sky import BLACK, black_above


def picture() -> NDArray[np.uint8]:
    return np.full((12, 10, 3), 120, np.uint8)


def test_black_that_reaches_the_upper_edge_is_sky() -> None:
    image = picture()
    image[:4] = BLACK - 1
    image[7:9, 3:5] = 0
    assert np.array_equal(black_above(image), np.indices((12, 10))[0] < 4), "a shadow below is none"


def test_two_pieces_of_sky_beside_a_hill() -> None:
    image = picture()
    image[:3] = 0
    image[:, 5] = 120
    found = black_above(image)
    assert found[:3, [0, 9]].all()
    assert not found[:, 5].any()
    assert found.sum() == 3 * 9


def test_one_bright_channel_is_no_sky() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    image[..., 2] = BLACK
    assert not black_above(image).any()


def test_a_picture_without_black_has_no_sky() -> None:
    assert not black_above(picture()).any()
