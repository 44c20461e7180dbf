"""Means by area, interpolation, nearest and largest, held against sums over every small square."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.source.resample import WHOLE, Axis, largest, resampled


def axes(first: float, step: float, n: int, size: int) -> tuple[Axis, Axis]:
    return Axis.of(first, step, slice(0, n), size), Axis.of(first, step, slice(0, n), size)


def windowed(rows: Axis, cols: Axis, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    part = values[rows.window(), cols.window()]
    return part, np.isfinite(part)


def test_the_grid_s_own_pixels_are_copied_bit_by_bit() -> None:
    values = np.random.default_rng(0).normal(0.0, 1e3, (9, 9))
    values[3, 4] = np.nan
    rows, cols = axes(2.0 + 1e-9, 1.0, 5, 9)
    for method in ("mean", "bilinear", "nearest"):
        found, share = resampled(rows, cols, *windowed(rows, cols, values), method)
        assert np.array_equal(found, values[2:7, 2:7], equal_nan=True)
        assert np.array_equal(share >= WHOLE, np.isfinite(values[2:7, 2:7]))


def test_whole_pixels_average_to_their_blocks() -> None:
    values = np.random.default_rng(1).normal(size=(12, 12))
    rows, cols = axes(0.0, 4.0, 3, 12)
    found, share = resampled(rows, cols, *windowed(rows, cols, values), "mean")
    assert np.allclose(found, values.reshape(3, 4, 3, 4).mean(axis=(1, 3)))
    assert np.array_equal(share, np.ones((3, 3)))
    assert np.array_equal(
        largest(rows, cols, *windowed(rows, cols, values)), values.reshape(3, 4, 3, 4).max(axis=(1, 3))
    )


@given(st.integers(0, 40), st.integers(4, 50), st.integers(0, 2**32 - 1))
def test_parts_of_pixels_weigh_by_their_area(first: int, step: int, seed: int) -> None:
    """Edges in tenths of a file pixel: every file pixel is a hundred small squares, which are counted."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(12, 12))
    values[rng.random(values.shape) < 0.2] = np.nan
    rows, cols = axes(first / 10.0, step / 10.0, 3, 12)
    found, share = resampled(rows, cols, *windowed(rows, cols, values), "mean")
    most = largest(rows, cols, *windowed(rows, cols, values))
    small = np.full((400, 400), np.nan)
    small[:120, :120] = np.repeat(np.repeat(values, 10, axis=0), 10, axis=1)
    for row in range(3):
        for col in range(3):
            block = small[first + row * step : first + (row + 1) * step, first + col * step : first + (col + 1) * step]
            known = np.isfinite(block)
            assert share[row, col] == pytest.approx(known.mean(), abs=1e-9)
            if known.any():
                assert found[row, col] == pytest.approx(block[known].mean(), abs=1e-9)
                assert most[row, col] == block[known].max()
            else:
                assert np.isnan(found[row, col])
                assert np.isnan(most[row, col])


def test_interpolation_is_exact_on_planes_and_keeps_to_what_is_known() -> None:
    row, col = np.mgrid[:20, :20]
    values = 3.0 * row - 2.0 * col
    rows, cols = axes(5.0, 0.3, 20, 20)
    found, _ = resampled(rows, cols, *windowed(rows, cols, values), "bilinear")
    centre = 5.0 + 0.3 * (np.arange(20) + 0.5) - 0.5
    assert np.allclose(found, 3.0 * centre[:, None] - 2.0 * centre[None, :])
    values[8, 8] = np.nan
    holed, share = resampled(rows, cols, *windowed(rows, cols, values), "bilinear")
    assert np.nanmax(np.abs(holed - found)) < 5.0
    assert (np.isfinite(holed) | (share < WHOLE)).all()
    inside = slice(11, 13)  # whole within pixel 8, which has no data
    assert np.array_equal(share[inside, inside], np.zeros((2, 2)))


def test_the_nearest_pixel_is_the_one_that_the_centre_lies_in() -> None:
    values = np.arange(64.0).reshape(8, 8)
    rows, cols = axes(0.0, 0.4, 20, 8)
    found, _ = resampled(rows, cols, *windowed(rows, cols, values), "nearest")
    index = np.floor(0.4 * (np.arange(20) + 0.5) + 1e-9).astype(int)
    assert np.array_equal(found, values[np.ix_(index, index)])


@pytest.mark.parametrize("first", [-30.0, 40.0])
def test_nothing_is_known_outside_the_file(first: float) -> None:
    values = np.ones((8, 8))
    rows, cols = axes(first, 1.5, 4, 8)
    part, present = windowed(rows, cols, values)
    for method in ("mean", "bilinear", "nearest"):
        found, share = resampled(rows, cols, part, present, method)
        assert np.isnan(found).all()
        assert not share.any()
    assert np.isnan(largest(rows, cols, part, present)).all()


def test_a_pixel_half_outside_the_file_is_known_by_half() -> None:
    rows, cols = axes(-1.0, 2.0, 2, 8)
    found, share = resampled(rows, cols, *windowed(rows, cols, np.full((8, 8), 7.0)), "mean")
    assert np.array_equal(found, np.full((2, 2), 7.0))
    assert share == pytest.approx(np.array([[0.25, 0.5], [0.5, 1.0]]))


@given(st.integers(0, 9), st.integers(3, 37), st.integers(1, 7))
def test_tiles_are_windows_of_the_whole(first: int, step: int, cut: int) -> None:
    values = np.random.default_rng(step).normal(size=(40, 40))
    whole = Axis.of(first / 3.0, step / 10.0, slice(0, 8), 40)
    expected, _ = resampled(whole, whole, *windowed(whole, whole, values), "mean")
    parts = [Axis.of(first / 3.0, step / 10.0, part, 40) for part in (slice(0, cut), slice(cut, 8))]
    found = np.vstack([resampled(part, whole, *windowed(part, whole, values), "mean")[0] for part in parts])
    assert np.array_equal(found, expected)
