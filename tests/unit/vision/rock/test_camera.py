"""A pinhole over level ground: there and back, horizon, areas."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lunarsite.vision.rock.camera import Camera

CAMERA = Camera(1.6, 12.0, 60.0, 256, 384)


def test_the_axis_meets_the_ground_where_the_pitch_says() -> None:
    row, col = CAMERA.middle
    x, y = CAMERA.on_ground(row, col)
    assert x == pytest.approx(0.0)
    assert y == pytest.approx(1.6 / math.tan(math.radians(12.0)))
    assert CAMERA.depression_deg(row, col) == pytest.approx(12.0)


def test_the_field_of_view_spans_all_columns() -> None:
    right, forward, _ = Camera(1.0, 0.0, 60.0, 100, 200).directions(49.5, 199.5)
    assert math.degrees(math.atan2(right, forward)) == pytest.approx(30.0)


def test_ground_and_pixels_there_and_back() -> None:
    rows, cols = np.arange(150, 256, 7)[:, None], np.arange(0, 384, 13)[None, :]
    row, col, depth = CAMERA.seen(*CAMERA.on_ground(rows, cols))
    assert np.allclose(row, np.broadcast_to(rows, row.shape))
    assert np.allclose(col, np.broadcast_to(cols, col.shape))
    assert (depth > 0.0).all()


def test_nothing_is_on_the_ground_above_the_horizon_or_seen_behind_the_lens() -> None:
    level = Camera(2.0, 0.0, 60.0, 101, 101)
    x, y = level.on_ground([49.0, 50.0, 51.0], [50.0, 50.0, 50.0])
    assert np.isnan(y[:2]).all()
    assert np.isfinite([x[2], y[2]]).all()
    row, col, depth = level.seen(0.0, -5.0)
    assert np.isnan([row, col]).all()
    assert depth == pytest.approx(-5.0)


def test_areas_of_pixels_add_up_to_the_ground_between_their_corners() -> None:
    rows, cols = np.arange(170, 250), np.arange(50, 300)
    total = CAMERA.ground_per_px(rows[:, None], cols[None, :]).sum()
    x, y = CAMERA.on_ground([169.5, 169.5, 249.5, 249.5], [49.5, 299.5, 299.5, 49.5])
    polygon = 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
    assert total == pytest.approx(polygon, rel=1e-3)


def test_a_camera_of_which_a_number_is_missing_is_not_known() -> None:
    assert Camera.known(1.0, math.nan, 60.0, 10, 10) is None
    assert Camera.known(1.0, 5.0, 60.0, 10, 20) == Camera(1.0, 5.0, 60.0, 10, 20)


@pytest.mark.parametrize("wrong", [(0.0, 10.0, 60.0), (1.0, 90.0, 60.0), (1.0, 10.0, 180.0)])
def test_no_camera(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="height_m must exceed 0"):
        Camera(*wrong, 10, 10)
