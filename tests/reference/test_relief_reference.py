"""Relief at the scale of a lander on real ground: LOLA windows of 40 m and a site model of 5 m."""

import os
from pathlib import Path

import numpy as np
import pytest

from lunarsite.grid import Cells, Grid
from lunarsite.source.fine import fine_grid
from lunarsite.source.local import opened
from lunarsite.terrain.relief import CellRelief, survey

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = Path(os.environ.get("LUNARSITE_REFERENCE", str(ROOT.parent / "shared" / "moon")))
CELLS = Cells(Grid.centred(304_000.0, 240.0, 960.0), 960.0, 80.0)
FIELD = "source.local.fine_dems"

pytestmark = pytest.mark.reference


def heights(name: str) -> tuple[Grid, np.ndarray]:
    path = REFERENCE / "dem" / name
    if not path.is_file():
        pytest.skip(f"REFERENCE DATA ABSENT: {path} (set LUNARSITE_REFERENCE)")
    grid = fine_grid(path, CELLS.grid, FIELD)
    with opened(path, grid, FIELD) as raster:
        assert raster.reading.method == "copied"
        return grid, raster.read()


def relief(grid: Grid, values: np.ndarray) -> dict[int, CellRelief]:
    parts = survey(lambda window: values[window], grid, CELLS, radius_m=100.0, steep_deg=8.0)
    return {cell.cell_id: cell for _, found in parts for cell in found}


def test_windows_that_overlap_tell_the_same_where_both_cover_a_cell() -> None:
    """The two windows hold identical heights where they overlap (data description), and 73 % of them do."""
    first, second = (relief(*heights(f"windows_40m/{name}.tif")) for name in ("shoemaker", "shoemaker_rim_f"))
    both = [cell for cell in first.keys() & second.keys() if first[cell].covered_share == 1.0]
    both = [cell for cell in both if second[cell].covered_share == 1.0]
    assert len(both) > 300
    # A cell at the border of one window lacks there the discs that reach beyond it.
    same = [first[cell] == second[cell] for cell in both]
    assert np.mean(same) > 0.8


def test_the_coarser_the_pixels_the_gentler_the_ground_seems() -> None:
    """The same 5 m heights averaged to 40 m: relief at 40 m is a lower bound."""
    grid, values = heights("nobile_rim_2_5m.tif")
    told = {}
    for n in (1, 2, 4, 8):
        rows = grid.rows // n
        coarser = values.reshape(rows, n, rows, n).mean(axis=(1, 3), dtype=np.float64).astype(np.float32)
        told[n] = relief(Grid(grid.x_min_m, grid.y_max_m, n * grid.pixel_m, rows, rows), coarser)
    assert {tuple(sorted(found)) for found in told.values()} == {(95_922, 96_523)}
    for cell in (95_922, 96_523):
        for figure in ("p95_slope_deg", "median_p95_slope_deg"):
            falling = [getattr(told[n][cell], figure) for n in (1, 2, 4, 8)]
            assert falling == sorted(falling, reverse=True)
    assert told[1][95_922].median_p95_slope_deg == pytest.approx(6.25, abs=0.02)
    assert told[8][95_922].median_p95_slope_deg == pytest.approx(4.43, abs=0.02)


def test_one_metre_pixels_without_relief_of_their_own_add_none() -> None:
    """The 1 m file is interpolated from the 5 m one: slopes are the same but for the baseline of 2 m against 10 m."""
    fine, coarse = relief(*heights("nobile_rim_2_1m.tif")), relief(*heights("nobile_rim_2_5m.tif"))
    assert fine[95_922].median_p95_slope_deg == pytest.approx(coarse[95_922].median_p95_slope_deg, rel=0.05)
    # A fifth of the step over 5 m, spread over five pixels.
    assert fine[95_922].step_m < 0.4 * coarse[95_922].step_m
