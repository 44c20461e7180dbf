"""Strips of push-broom frames: gaps within them belong to the frame, what lies beyond does not."""

from __future__ import annotations

import numpy as np
import pytest

from lunarsite.swath import EDGE_PX, FEWEST_PX, covered


def strip(angle_deg: float, half_length: float, half_width: float, size: int = 241) -> tuple[np.ndarray, np.ndarray]:
    """Distances along and across a strip through the centre, (size, size) each, pixels."""
    row, col = np.indices((size, size)) - size // 2
    angle = np.radians(angle_deg)
    return row * np.sin(angle) + col * np.cos(angle), -row * np.cos(angle) + col * np.sin(angle)


@pytest.mark.parametrize("angle_deg", [0.0, 17.0, 45.0, 90.0, 141.0])
def test_gaps_within_the_strip_are_covered_and_ground_beyond_is_not(angle_deg: float) -> None:
    along, across = strip(angle_deg, 90.0, 20.0)
    whole = (np.abs(along) <= 90.0) & (np.abs(across) <= 20.0)
    gaps = whole & ((np.abs(along - 30.0) < 15.0) | ((np.abs(along + 40.0) < 8.0) & (across > -5.0)))
    found = covered(whole & ~gaps)
    assert (found >= (whole & ~gaps)).all()
    deep = gaps & (np.abs(across) <= 20.0 - EDGE_PX - 1.0)
    assert found[deep].all()
    assert not found[~whole].any()


def test_data_in_pieces_make_one_strip() -> None:
    along, across = strip(30.0, 90.0, 15.0)
    whole = (np.abs(along) <= 90.0) & (np.abs(across) <= 15.0)
    ends = whole & (np.abs(along) > 70.0)
    found = covered(ends)
    assert found.sum() > 0.9 * whole.sum()
    assert not found[~whole].any()


def test_the_edge_of_the_strip_is_left_to_the_data() -> None:
    valid = np.zeros((60, 80), dtype=np.bool_)
    valid[10:50, 5:75] = True
    valid[10, 20:40] = False
    valid[30, 20:40] = False
    found = covered(valid)
    assert not found[10, 20:40].any()
    assert found[30, 20:40].all()
    assert found.sum() == valid.sum() + 20


@pytest.mark.parametrize("pixels", [0, 1, FEWEST_PX - 1])
def test_too_few_pixels_tell_nothing_of_a_strip(pixels: int) -> None:
    valid = np.zeros((20, 20), dtype=np.bool_)
    valid.flat[:: 400 // max(pixels, 1) + 1][:pixels] = True
    found = covered(valid)
    assert (found == valid).all()


def test_pixels_on_one_line_tell_nothing_of_a_strip() -> None:
    valid = np.zeros((40, 40), dtype=np.bool_)
    valid[20, ::2] = True
    assert (covered(valid) == valid).all()
