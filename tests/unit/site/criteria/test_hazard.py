"""Craters within any distance of a cell's centre."""

from __future__ import annotations

import numpy as np
import pytest

from lunarsite.grid import Cells, Grid
from lunarsite.site.craters import NEAR_M, columns_of_all, hazard_within

CELLS = Cells(Grid.centred(24_000.0, 240.0, 960.0), 960.0, 89.0)


def test_within_5_km_they_are_the_columns_of_the_cells() -> None:
    draws = np.random.default_rng(0)
    x_m, y_m = draws.uniform(-26_000.0, 26_000.0, (2, 60))
    diameter_m = draws.uniform(500.0, 9_000.0, 60)
    count, covered = hazard_within(x_m, y_m, diameter_m, CELLS, NEAR_M)
    columns = columns_of_all(x_m, y_m, diameter_m, CELLS)
    np.testing.assert_array_equal(count, columns["crater_count_5km"])
    np.testing.assert_array_equal(covered, columns["crater_coverage_5km_pct"])


def test_a_crater_at_the_edge_of_1_km() -> None:
    x_m, y_m = (float(axis[600]) for axis in CELLS.centres_m())
    diameter_m = np.array([600.0])
    for away_m, expected in ((999.0, 1.0), (1_001.0, 0.0)):
        count, _ = hazard_within(np.array([x_m + away_m]), np.array([y_m]), diameter_m, CELLS, 1_000.0)
        assert count[600] == expected


@pytest.mark.parametrize(("diameter_m", "share_pct"), [(1_000.0, 25.0), (400.0, 4.0), (4_000.0, 100.0)])
def test_the_covered_share_of_1_km(diameter_m: float, share_pct: float) -> None:
    x_m, y_m = (float(axis[600]) for axis in CELLS.centres_m())
    _, covered = hazard_within(np.array([x_m]), np.array([y_m]), np.array([diameter_m]), CELLS, 1_000.0)
    assert covered[600] == pytest.approx(share_pct, rel=0.01)
