"""Classes of ways by cell, and contiguous good ground."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lunarsite.grid import Cells, Grid, scale_factor
from lunarsite.site.criteria.ground import cell_ways, good_area_km2
from lunarsite.site.reduction import Read

CELLS = Cells(Grid.centred(9_600.0, 240.0, 960.0), 960.0, 89.7)


def reading(values: NDArray[np.float32]) -> Read:
    return lambda window: values[window]


def pixels_of(cell: int) -> tuple[slice, slice]:
    row, col = (int(index[cell]) for index in np.nonzero(CELLS.kept))
    return slice(4 * row, 4 * row + 4), slice(4 * col, 4 * col + 4)


def test_classes_of_ways() -> None:
    path_m = np.full(CELLS.grid.shape, np.nan, np.float32)
    way = np.zeros(CELLS.grid.shape, np.float32)
    # One pixel with a way, the others unknown; one unknown among pixels without; none; all unknown.
    path_m[pixels_of(0)][1, 2] = 300.0
    path_m[pixels_of(0)][3, 3] = 200.0
    way[pixels_of(0)] = np.nan
    way[pixels_of(0)][1, 2] = way[pixels_of(0)][3, 3] = 1.0
    way[pixels_of(1)][0, 0] = np.nan
    way[pixels_of(3)] = np.nan
    length_m, kinds = cell_ways(reading(path_m), reading(way), CELLS)
    assert kinds[:4].tolist() == ["reached", "unknown", "no way", "unknown"]
    assert length_m[0] == 200.0
    assert np.isnan(length_m[1:]).all()
    assert set(kinds[4:]) == {"no way"}


def test_good_ground_is_joined_by_edges() -> None:
    probability = np.zeros((CELLS.rows, CELLS.cols), np.float32)
    probability[10, 8:11] = 0.5
    probability[11, 10] = 0.9
    probability[12, 11] = 0.9  # meets the last in a corner only
    probability[5, 5] = 0.499
    probability[6, 6] = np.nan
    found = np.full(CELLS.kept.shape, np.nan, np.float32)
    found[CELLS.kept] = good_area_km2(probability[CELLS.kept], 0.5, CELLS)
    np.testing.assert_allclose(found[[10, 10, 10, 11], [8, 9, 10, 10]], 4 * 0.9216, rtol=1e-4)
    assert found[12, 11] == pytest.approx(0.9216, rel=1e-4)
    assert found[5, 5] == 0.0
    assert np.isnan(found[6, 6])


def test_area_is_true() -> None:
    far = Cells(Grid(-304_000.0, 960.0, 240.0, 8, 80), 960.0, 80.0)
    probability = np.zeros(far.count, np.float32)
    probability[3] = 1.0
    x, y = (axis[3] for axis in far.centres_m())
    scale = float(scale_factor(x, y))
    assert scale > 1.007
    assert good_area_km2(probability, 0.5, far)[3] == pytest.approx(0.9216 / scale**2, rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100_000), st.floats(0.05, 0.95), st.floats(0.0, 0.3))
def test_more_good_ground_never_makes_less_area(seed: int, least: float, more: float) -> None:
    draws = np.random.default_rng(seed)
    probability = draws.uniform(size=CELLS.count).astype(np.float32)
    probability[draws.uniform(size=CELLS.count) < 0.05] = np.nan
    before = good_area_km2(probability, least, CELLS)
    after = good_area_km2(probability, max(least - more, 0.01), CELLS)
    known = ~np.isnan(probability)
    assert (np.isnan(before) == ~known).all()
    assert (after[known] >= before[known]).all()
    assert ((before[known] > 0.0) == (probability[known] >= least)).all()
