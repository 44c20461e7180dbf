"""Windows around cells: aligned with the map, and unknown beyond it."""

from __future__ import annotations

import numpy as np
import pytest

from lunarsite.grid import Cells, Grid
from lunarsite.site.place.patches import patch_around

AREA = Grid.centred(4_800.0, 240.0, 960.0)
CELLS = Cells(AREA, 960.0, 89.8)
X, Y = np.meshgrid(AREA.x_m(), AREA.y_m())
LAYERS = {
    "slope": lambda window: X[window].astype(np.float32),
    "sun": lambda window: np.full(X[window].shape, 0.25, dtype=np.float32),
    "earth": lambda window: np.full(X[window].shape, 0.5, dtype=np.float32),
    "psr": lambda window: np.zeros(X[window].shape, dtype=np.float32),
    "height": lambda window: Y[window].astype(np.float32),
}


@pytest.mark.parametrize("cell", [0, 40, CELLS.count - 1])
def test_pixels_lie_where_the_patch_says(cell: int) -> None:
    x_m, y_m = (float(axis[cell]) for axis in CELLS.centres_m())
    patch, (rows, cols), _ = patch_around(LAYERS, CELLS, CELLS.kept, (x_m, y_m), (500.0, 300.0))
    assert rows.size == 16
    own_x, own_y = patch.grid.x_m()[cols], patch.grid.y_m()[rows]
    assert (CELLS.id_at(own_x, own_y) == cell).all()
    grid_x, grid_y = np.meshgrid(patch.grid.x_m(), patch.grid.y_m())
    on_map = AREA.contains(grid_x, grid_y)
    np.testing.assert_allclose(patch.slope_deg[on_map], grid_x[on_map])
    np.testing.assert_allclose(patch.height_m[on_map], grid_y[on_map])
    assert (patch.sun_pct[on_map] == 25.0).all()
    for layer in (patch.slope_deg, patch.sun_pct, patch.earth_pct, patch.shadow, patch.height_m):
        assert np.isnan(layer[~on_map]).all()


def test_a_cell_at_the_border_has_unknown_ground_around_it() -> None:
    wide = Cells(AREA, 960.0, 80.0)  # every cell of the map, its corners too
    x_m, y_m = (float(axis[0]) for axis in wide.centres_m())
    patch, (rows, cols), _ = patch_around(LAYERS, wide, wide.kept, (x_m, y_m), (500.0, 300.0))
    assert np.isnan(patch.slope_deg[0]).all()
    assert not np.isnan(patch.slope_deg[rows, cols]).any()


def test_pixels_of_a_cell_beyond_the_map_are_no_candidates() -> None:
    cut = Grid(-4_800.0, 4_800.0, 240.0, 38, 40)  # the lowest cells have two rows of pixels
    cells = Cells(cut, 960.0, 80.0)
    x_m, y_m = (float(axis[-1]) for axis in cells.centres_m())
    layers = {name: lambda window: np.ones(cut.shape, dtype=np.float32)[window] for name in LAYERS}
    _, (rows, _), further = patch_around(layers, cells, cells.kept, (x_m, y_m), (500.0, 300.0))
    assert rows.size == 8
    assert further[0].size == 8 + 2 * 16  # one cut neighbour beside it, two whole ones above; none beyond the map


def test_centres_stand_apart_where_pixels_are_small() -> None:
    fine = Grid.centred(2_880.0, 20.0, 960.0)
    cells = Cells(fine, 960.0, 89.8)
    x_m, y_m = (float(axis[7]) for axis in cells.centres_m())
    layers = {name: lambda window: np.ones(fine.shape, dtype=np.float32)[window] for name in LAYERS}
    patch, (rows, cols), _ = patch_around(layers, cells, cells.kept, (x_m, y_m), (500.0, 300.0))
    assert rows.size == 16**2
    assert np.unique(np.diff(np.unique(cols))).tolist() == [3]
    own = patch.grid.x_m()[cols]
    assert abs(own.mean() - x_m) <= 20.0


def test_ground_hangs_together_with_the_cell_and_only_it_may_hold_a_centre() -> None:
    good = np.zeros(CELLS.kept.shape, dtype=bool)
    row, col = good.shape[0] // 2, good.shape[1] // 2
    good[row, col], good[row, col + 1], good[row + 1, col - 1] = True, True, True  # the last only touches a corner
    cell = int(CELLS.ids[row, col])
    x_m, y_m = (float(axis[cell]) for axis in CELLS.centres_m())
    patch, own, further = patch_around(LAYERS, CELLS, good, (x_m, y_m), (500.0, 300.0))
    on_x, on_y = np.meshgrid(patch.grid.x_m() - x_m, patch.grid.y_m() - y_m)
    expected = (np.abs(on_y) < 480.0) & (on_x > -480.0) & (on_x < 1_440.0)
    assert ((patch.ground == 1.0) == expected).all()
    assert own[0].size == further[0].size == 16
    assert (patch.grid.x_m()[further[1]] - x_m > 480.0).all()
