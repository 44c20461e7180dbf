"""Other pixel sizes: means conserve volume, interpolation keeps planes, gaps stay gaps, strips change nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.grid import Grid
from lunarsite.vision.crater import resample
from lunarsite.vision.crater.resample import level_grid, level_heights, level_shape


def level(heights: np.ndarray, pixel_m: float, target_m: float) -> np.ndarray:
    return level_heights(lambda window: heights[window], heights.shape, pixel_m, target_m)


def brute_force(heights: np.ndarray, ratio: float) -> np.ndarray:
    """Area means, pixel by pixel; unknown where less than half of the area is known."""
    rows, cols = (int(np.ceil(n / ratio - 1e-9)) for n in heights.shape)
    out = np.full((rows, cols), np.nan)
    for i, j in np.ndindex(rows, cols):
        area = total = 0.0
        for r, c in np.ndindex(*heights.shape):
            height = max(0.0, min(r + 1, (i + 1) * ratio) - max(r, i * ratio))
            width = max(0.0, min(c + 1, (j + 1) * ratio) - max(c, j * ratio))
            if np.isfinite(heights[r, c]):
                area += height * width
                total += height * width * heights[r, c]
        if area >= 0.5 * ratio**2 - 1e-9:
            out[i, j] = total / area
    return out


def test_the_same_pixel_size_gives_the_same_heights() -> None:
    heights = np.random.default_rng(1).normal(0, 3000, (37, 41)).astype(np.float32)
    heights[3:9, 5] = np.nan
    assert np.array_equal(level(heights, 240.0, 240.0), heights, equal_nan=True)


@given(st.integers(1, 14), st.integers(1, 14), st.floats(1.0, 5.0), st.integers(0, 2**16))
def test_area_means_are_those_of_a_plain_loop(rows: int, cols: int, ratio: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    heights = generator.normal(0, 1000, (rows, cols))
    heights[generator.random((rows, cols)) < 0.2] = np.nan
    expected = brute_force(heights, ratio)
    found = level(heights, 1.0, ratio)
    assert found.shape == expected.shape
    assert np.allclose(found, expected, rtol=1e-5, atol=1e-2, equal_nan=True)


@given(st.floats(0.15, 0.999), st.integers(2, 12), st.integers(2, 12))
def test_interpolation_keeps_planes_between_the_outermost_centres(ratio: float, rows: int, cols: int) -> None:
    plane = 3.0 * np.arange(rows)[:, None] - 7.0 * np.arange(cols)[None, :]
    found = level(plane, 1.0, ratio)
    row, col = ((np.arange(n) + 0.5) * ratio - 0.5 for n in found.shape)
    expected = 3.0 * np.clip(row, 0, rows - 1)[:, None] - 7.0 * np.clip(col, 0, cols - 1)[None, :]
    assert np.allclose(found, expected, atol=1e-4)


def test_interpolation_leaves_gaps_where_the_nearest_pixel_is_unknown() -> None:
    heights = np.zeros((5, 5))
    heights[2, 2] = np.nan
    found = level(heights, 4.0, 1.0)
    gap = np.isnan(found)
    assert gap[9:11, 9:11].all()
    assert not gap[:7].any()
    assert not gap[:, 13:].any()


def test_a_sliver_beyond_the_border_is_unknown() -> None:
    found = level(np.ones((5, 5)), 1.0, 4.0)
    assert found.shape == (2, 2)
    assert found[0, 0] == 1.0
    assert np.isnan(found[1]).all()
    assert np.isnan(found[:, 1]).all()


@pytest.mark.parametrize("ratio", [0.7, 1.0, 1.41, 4.0])
@pytest.mark.parametrize("strip", [1, 40, 333])
def test_strips_change_nothing(monkeypatch: pytest.MonkeyPatch, ratio: float, strip: int) -> None:
    heights = np.random.default_rng(3).normal(0, 2000, (61, 33))
    heights[40:50, 3:7] = np.nan
    whole = level(heights, 1.0, ratio)
    asked = []
    monkeypatch.setattr(resample, "_STRIP_PIXELS", strip)
    parts = level_heights(lambda window: asked.append(window[0]) or heights[window], heights.shape, 1.0, ratio)
    assert np.array_equal(parts, whole, equal_nan=True)
    assert len(asked) > 5
    assert max(rows.stop - rows.start for rows in asked) <= max(6, strip // 33)


def test_rounding_adds_no_row() -> None:
    assert level_shape((30_400, 30_400), 20.0, 240.0) == (2_534, 2_534)
    assert level_shape((2_400, 2_400), 240.0, 0.1) == (5_760_000, 5_760_000)
    assert level_shape((3, 3), 0.1, 0.3) == (1, 1)
    grid = level_grid(Grid(-304_000.0, 304_000.0, 240.0, 2_536, 2_536), 480.0)
    assert (grid.shape, grid.pixel_m, grid.y_max_m) == ((1_268, 1_268), 480.0, 304_000.0)


@pytest.mark.parametrize(("pixel_m", "target_m"), [(0.0, 1.0), (1.0, -1.0), (float("nan"), 1.0)])
def test_sizes_that_are_none(pixel_m: float, target_m: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        level(np.ones((3, 3)), pixel_m, target_m)


def test_a_reader_that_gives_another_shape() -> None:
    with pytest.raises(ValueError, match="3 columns are due"):
        level_heights(lambda window: np.ones((3, 2)), (3, 3), 1.0, 2.0)
