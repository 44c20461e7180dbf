"""Nested grids around a tile."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lunarsite.grid import Grid
from lunarsite.illumination.light.nested import BLEND_PX, Model, finest_pixel_m, nested

from .grounds import around, centred, model, relief


def test_the_finest_level_holds_the_models_own_heights() -> None:
    ground = relief(512, 100.0, 1)
    found = around(ground, 64)
    top, bottom, left, right = found.tile_window()
    np.testing.assert_allclose(found.level(0)[top:bottom, left:right], ground.height_m[224:288, 224:288], atol=1e-3)


def test_levels_double_their_pixels_and_hold_the_tile_in_their_middle() -> None:
    found = nested([relief(256, 100.0, 1)], centred(64, 100.0), 150_000.0)
    assert [grid.pixel_m for grid in found.grids] == [100.0, 200.0, 400.0, 800.0]
    for number, grid in enumerate(found.grids):
        top, _, left, _ = found.window(number, 0)
        assert grid.x_m()[left] - 0.5 * grid.pixel_m == -3_200.0
        assert grid.y_m()[top] + 0.5 * grid.pixel_m == 3_200.0


def test_a_plane_is_a_plane_on_every_level() -> None:
    found = nested([model(lambda x, y: 0.01 * x - 0.02 * y, 100.0, 1_024)], centred(64, 100.0), 40_000.0)
    for number, grid in enumerate(found.grids):
        level = found.level(number)
        inside = np.hypot(grid.x_m()[None, :], grid.y_m()[:, None]) < 40_000.0
        expected = 0.01 * grid.x_m()[None, :] - 0.02 * grid.y_m()[:, None]
        np.testing.assert_allclose(level[inside], expected[inside], atol=0.05)


def test_beyond_the_models_ground_is_unknown() -> None:
    found = around(relief(128, 100.0, 1), 64)
    assert np.isnan(found.level(0)[0, 0])
    assert 0.0 < found.known_share(19_000.0) < 0.2
    assert found.known_share(2_000.0) == 1.0


def test_a_finer_model_lies_on_top_and_passes_into_the_coarser_at_its_rim() -> None:
    coarse, fine = model(lambda x, y: 0.0 * x, 400.0, 256), model(lambda x, y: 100.0 + 0.0 * x, 100.0, 128)
    level = nested([coarse, fine], centred(64, 100.0), 19_000.0).level(0)
    middle = level.shape[0] // 2
    row = level[middle, middle:]
    assert row[0] == 100.0
    rim = 64  # pixels from the centre to the fine model's border
    assert row[rim - int(BLEND_PX) - 1] == pytest.approx(100.0)
    assert row[rim] == pytest.approx(0.0)
    blend = row[rim - int(BLEND_PX) : rim]
    assert (np.diff(blend) < 0.0).all()
    assert -np.diff(row).min() < 10.0


def test_holes_of_a_finer_model_show_the_coarser_one() -> None:
    coarse, fine = model(lambda x, y: 5.0 + 0.0 * x, 400.0, 256), model(lambda x, y: 5.0 + 0.0 * x, 100.0, 128)
    fine.height_m[60:70, 60:70] = np.nan
    assert np.isfinite(nested([coarse, fine], centred(64, 100.0), 19_000.0).level(0)).all()
    assert np.isnan(nested([fine], centred(64, 100.0), 19_000.0).level(0)).any()


def test_interpolated_slopes_have_no_steps() -> None:
    ground = model(lambda x, y: 50.0 * np.sin(x / 1_500.0), 400.0, 256)
    found = nested([ground], centred(64, 50.0), 9_000.0)
    row = found.level(0)[found.grids[0].rows // 2].astype(np.float64)
    bend = np.abs(np.diff(row, 2))
    # A sine of this length bends by 50 (50 / 1500)^2 = 0.056 m per pixel; linear pieces bend by 0.44 at their joints.
    assert bend.max() < 0.15


def test_highest_ground_is_found_in_every_block_around() -> None:
    ground = model(lambda x, y: 0.0 * x, 100.0, 512)
    ground.height_m[300, 300] = 500.0
    found = around(ground, 64)
    blocks = found.highest_m[: found.shape[1, 3]].reshape(-1, found.shape[0, 4])
    row, col = np.nonzero(found.level(0) == 500.0)
    block = int(row[0]) // 16, int(col[0]) // 16
    higher = np.argwhere(blocks > 0.0)
    assert {tuple(place) for place in higher.tolist()} == {
        (block[0] + i, block[1] + j) for i in (-1, 0, 1) for j in (-1, 0, 1)
    }
    assert found.place[0, 3] == 500.0


def test_finest_pixels_are_told() -> None:
    coarse, fine = model(lambda x, y: 0.0 * x, 400.0, 64), model(lambda x, y: 0.0 * x, 100.0, 32)
    frame = centred(1_000, 60.0)
    wanted = np.zeros(frame.shape, np.bool_)
    wanted[500, 500] = wanted[500, 600] = wanted[0, 0] = True
    np.testing.assert_array_equal(finest_pixel_m([coarse, fine], frame, wanted), [np.nan, 100.0, 400.0])


def test_bad_ground_is_refused() -> None:
    ground = relief(64, 100.0, 1)
    with pytest.raises(ValueError, match="the grid has"):
        Model(ground.height_m[1:], ground.grid)
    with pytest.raises(ValueError, match="pole"):
        nested([ground], replace(centred(64, 100.0), pole="north"))
    with pytest.raises(ValueError, match="levels to reach"):
        nested([ground], Grid(0.0, 0.0, 1e-6, 8, 8))
    with pytest.raises(ValueError, match="pixels beyond the tile"):
        around(ground, 64).window(0, 500)
