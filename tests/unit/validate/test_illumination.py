"""Agreement of averages and permanent shadow with references."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from lunarsite.grid import Grid
from lunarsite.validate.illumination import (
    Agreement,
    agreement,
    by_bin,
    cap_mask,
    cell_means,
    displaced_overlap,
    large_regions,
    overlap,
    rasterised,
    true_area_km2,
)

GRID = Grid(-4800, 4800, 240, 40, 40)


@given(
    x=st.floats(-3000, 3000),
    y=st.floats(-3000, 3000),
    cell=st.floats(100, 3000),
    a=st.floats(-1, 1),
    b=st.floats(-1, 1),
)
def test_cell_means_equal_a_fine_sum(x: float, y: float, cell: float, a: float, b: float) -> None:
    values = (a * GRID.x_m()[None, :] + b * GRID.y_m()[:, None]).astype(np.float32)
    fine = (np.arange(400) + 0.5) / 400 * cell - cell / 2
    rows, cols = GRID.index(x + fine, y + fine)
    expected = values[np.ix_(rows, cols)].mean(dtype=np.float64)
    found = cell_means(values, GRID, np.array([x]), np.array([y]), cell)[0]
    assert found == pytest.approx(expected, abs=2.0 + 0.01 * cell)


def test_aligned_cells_are_exact_and_unknown_stays_unknown() -> None:
    values = np.random.default_rng(0).normal(size=GRID.shape).astype(np.float32)
    values[0, 0] = np.nan
    x, y = np.array([-4320.0, -3360.0, 4800.0]), np.array([4320.0, 4320.0, 0.0])
    found = cell_means(values, GRID, x, y, 960.0)
    assert np.isnan(found[0]), "holds a pixel without data"
    assert found[1] == pytest.approx(values[:4, 4:8].mean(dtype=np.float64), abs=1e-9)
    assert np.isnan(found[2]), "reaches beyond the raster"


def test_agreement_and_its_baseline() -> None:
    rng = np.random.default_rng(1)
    lat = rng.uniform(80, 90, 500)
    reference = 3 * lat + rng.normal(size=500)
    found = agreement(reference + 2, reference, lat)
    assert (found.n, found.bias, found.rms, found.correlation) == (500, *map(pytest.approx, (2, 2, 1)))
    assert 1.0 < found.baseline_rms < 1.3, "latitude explains all but the noise and half a ring's trend"
    assert agreement(np.full(5, np.nan), np.ones(5), np.ones(5)) == Agreement(0, None, None, None, None)


@pytest.mark.parametrize("constant", [0.0, 1.0, 100.0 / 3.0])
def test_a_constant_has_no_correlation_however_it_was_rounded(constant: float) -> None:
    # Means from running sums repeat a constant up to rounding, which correlates with nothing.
    rounded = constant * (1.0 + 1e-14 * np.arange(7.0))
    for ours, reference in ((rounded, np.arange(7.0)), (np.arange(7.0), rounded)):
        found = agreement(ours, reference, np.full(7, 85.0))
        assert found.correlation is None
        assert found.rms == pytest.approx(np.sqrt(np.mean((ours - reference) ** 2)))
    assert agreement(constant + np.arange(7.0), np.arange(7.0), np.ones(7)).correlation == pytest.approx(1.0)


def test_bins() -> None:
    rows = by_bin(np.array([1.0, 2, 4]), np.array([0.0, 0, 0]), np.array([5.0, 15, 15]), [0, 10, 20, 30])
    assert [(row["cells"], row["bias"]) for row in rows] == [(1, 1.0), (2, 3.0), (0, None)]


def test_true_area_of_the_cap() -> None:
    grid = Grid.centred(304_000, 960, 960)
    assert true_area_km2(cap_mask(grid, 80.0), grid) == pytest.approx(288_139, rel=1e-4)


def test_large_regions() -> None:
    mask = np.zeros(GRID.shape, bool)
    mask[2:10, 2:10] = True  # 3.7 km2 at x < 0
    mask[20:28, 30:38] = True  # as large at x > 0
    mask[35, 35] = True
    kept = large_regions(mask, GRID, 1.0, None)
    assert kept.sum() == 128
    assert large_regions(mask, GRID, 1.0, 0.0).sum() == 64
    assert not large_regions(mask, GRID, 5.0, None).any()


def test_overlap_and_its_null() -> None:
    mask = rasterised([box(-1200, -1200, 1200, 1200)], GRID)
    assert mask.sum() == 100
    assert overlap(mask, mask) == 1.0
    assert max(displaced_overlap(mask, mask, 8)) < 0.3
    assert np.isnan(overlap(np.zeros_like(mask), np.zeros_like(mask)))
