"""Pixels to cells: against plain numpy, at borders, with missing pixels, and whatever the blocks are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lunarsite.grid import Cells, Grid
from lunarsite.site import reduction
from lunarsite.site.reduction import disc_half_widths, greatest_within, reduce_layer

# 50 x 62 pixels of 240 m: the last row and column of cells are cut off.
GRID = Grid(-7_000.0, 6_000.0, 240.0, 50, 62)
CELLS = Cells(GRID, 960.0, 89.5)


def layer(seed: int = 0, missing: float = 0.2) -> NDArray[np.float32]:
    draws = np.random.default_rng(seed)
    values = (6000.0 + draws.normal(0.0, 30.0, GRID.shape)).astype(np.float32)
    values[draws.random(GRID.shape) < missing] = np.nan
    values[8:12, 20:24] = np.nan  # one whole cell
    return values


def pixels_of(values: NDArray[np.float32], row: int, col: int) -> NDArray[np.float64]:
    found = values[4 * row : 4 * row + 4, 4 * col : 4 * col + 4].astype(np.float64)
    return found[~np.isnan(found)]


def test_statistics_are_those_of_the_valid_pixels() -> None:
    values = layer()
    found = reduce_layer(values.__getitem__, CELLS)
    for cell, (row, col) in enumerate(zip(*np.nonzero(CELLS.kept), strict=True)):
        pixels = pixels_of(values, row, col)
        assert found.valid_fraction[cell] == np.float32(pixels.size / 16)
        if pixels.size == 0:
            assert np.isnan([found.mean[cell], found.std[cell], found.min[cell], found.max[cell]]).all()
            continue
        expected = [pixels.mean(), pixels.std(), pixels.min(), pixels.max()]
        got = [found.mean[cell], found.std[cell], found.min[cell], found.max[cell]]
        np.testing.assert_allclose(got, expected, rtol=1e-6)
    assert (found.valid_fraction == 0.0).sum() == 1
    assert found.buffered is None


def test_cells_at_the_border_have_the_pixels_inside() -> None:
    wide = Cells(GRID, 960.0, 60.0)
    found = reduce_layer(layer(missing=0.0).__getitem__, wide)
    corner = wide.ids[-1, -1]
    assert found.valid_fraction[corner] == 4 / 16
    assert found.mean[corner] == pytest.approx(layer(missing=0.0)[48:, 60:].mean(dtype=np.float64), rel=1e-7)


def test_high_flat_ground_has_no_spread() -> None:
    found = reduce_layer(np.full(GRID.shape, 6999.9, np.float32).__getitem__, CELLS)
    assert (found.std == 0.0).all()
    assert (found.mean == np.float32(6999.9)).all()


@pytest.mark.parametrize("pixel_m", [20.0, 64.0, 240.0])
def test_blocks_leave_no_seam(monkeypatch: pytest.MonkeyPatch, pixel_m: float) -> None:
    grid = Grid(-4_800.0, 4_800.0, pixel_m, round(9_600 / pixel_m) - 3, round(9_600 / pixel_m))
    values = np.random.default_rng(1).normal(size=grid.shape).astype(np.float32)
    cells = Cells(grid, 960.0, 80.0)
    whole = reduce_layer(values.__getitem__, cells, 130.0)
    monkeypatch.setattr(reduction, "_LARGEST_WINDOW_PX", 100)
    parts = reduce_layer(values.__getitem__, cells, 130.0)
    for name in ("mean", "std", "min", "max", "valid_fraction", "buffered"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


@pytest.mark.parametrize("per_cell", [4, 12, 48])
def test_windows_cut_no_block_of_the_files(per_cell: int) -> None:
    cells = Cells(Grid(-304_000.0, 304_000.0, 960.0 / per_cell, 8000, 8000), 960.0)
    rows = {block[0].start * per_cell for block in reduction._blocks(cells)}
    assert all(row % 512 == 0 for row in rows)


def test_a_layer_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="pixels for the window"):
        reduce_layer(layer()[:40].__getitem__, CELLS)


def test_discs() -> None:
    assert disc_half_widths(100.0, 240.0).tolist() == [0]
    assert disc_half_widths(100.0, 80.0).tolist() == [0, 1, 0]
    assert disc_half_widths(100.0, 20.0).tolist() == [0, 3, 4, 4, 4, 5, 4, 4, 4, 3, 0]


@given(radius=st.floats(0.0, 4.0), seed=st.integers(0, 100))
def test_greatest_within_a_disc(radius: float, seed: int) -> None:
    draws = np.random.default_rng(seed)
    values = draws.random((9, 11)).astype(np.float32)
    values[draws.random(values.shape) < 0.2] = np.nan
    found = greatest_within(values, disc_half_widths(radius, 1.0))
    row, col = np.indices(values.shape)
    for r, c in np.ndindex(*values.shape):
        near = (row - r) ** 2 + (col - c) ** 2 <= (radius + 1e-9) ** 2
        expected = np.nan if np.isnan(values[r, c]) else np.nanmax(values[near])
        np.testing.assert_equal(found[r, c], expected)


def test_the_buffer_reaches_over_the_cell_border() -> None:
    grid = Grid(-4_800.0, 4_800.0, 80.0, 120, 120)
    cells = Cells(grid, 960.0, 80.0)
    slope = np.zeros(grid.shape, np.float32)
    slope[59, 60] = 30.0  # in the last row of the cell above
    found = reduce_layer(slope.__getitem__, cells, 100.0)
    assert found.buffered is not None
    above, below = cells.ids[4, 5], cells.ids[5, 5]
    # Its own pixel, one above and one to the right; the pixels to the left and below lie in other cells.
    assert found.buffered[above] == pytest.approx(3 * 30.0 / 144)
    assert found.buffered[below] == pytest.approx(30.0 / 144)
    assert found.mean[below] == 0.0
