"""Relief of the right roughness at every level, without seams; craters."""

from __future__ import annotations

import numpy as np
import pytest

from lunarsite.vision.rock.camera import Camera
from lunarsite.vision.rock.render.ground import EQUILIBRIUM, HURST, finer, ground, relief
from lunarsite.vision.rock.render.kernels import add_craters, heights_at

CAMERA = Camera(1.6, 12.0, 60.0, 64, 96)


def test_heights_differ_by_the_power_of_their_distance() -> None:
    cells, cell_m, slope = 512, 0.5, 0.1
    fields = [relief(cells, cell_m, slope, 0.0, np.random.default_rng(seed)) for seed in range(8)]
    for lag in (4, 8, 16):
        # Second differences: waves longer than the field, which it cannot have, hardly count.
        bends = [np.roll(field, lag, axis=1) + np.roll(field, -lag, axis=1) - 2.0 * field for field in fields]
        expected = slope**2 * (lag * cell_m) ** (2.0 * HURST) * (4.0 - 4.0**HURST)
        assert np.mean(np.square(bends)) == pytest.approx(expected, rel=0.1)


def test_a_finer_level_repeats_its_parent() -> None:
    rows, cols = np.mgrid[0:128, 0:128].astype(np.float32)
    parent = (0.3 * rows - 0.2 * cols + 1.0).astype(np.float32)
    fine = finer(parent)
    rows, cols = np.mgrid[0:128, 0:128] / 2.0
    assert np.allclose(fine, 0.3 * (rows + 8) - 0.2 * (cols + 32) + 1.0, atol=1e-4)


def test_roughness_is_that_of_the_whole_at_the_finest_level_too() -> None:
    land = ground(CAMERA, 0.1, 0.0, np.random.default_rng(3))
    inner = land.heights[0, 40:90, 40:90]
    lag = 4
    measured = np.sqrt(np.mean((inner[:, lag:] - inner[:, :-lag]) ** 2))
    # One small place of a random field.
    assert measured == pytest.approx(0.1 * (lag * land.cell_m) ** HURST, rel=0.5)


def test_the_camera_stands_on_the_ground_and_levels_join_without_a_step() -> None:
    land = ground(CAMERA, 0.1, 1.0, np.random.default_rng(1))
    assert heights_at(land.heights, land.cell_m, np.zeros(1), np.zeros(1))[0] == pytest.approx(0.0, abs=1e-6)
    cells = land.heights.shape[1]
    for level in range(3):
        cell = land.cell_m * 2.0**level
        end = cell * (cells - 2) * 0.875
        both = heights_at(land.heights, land.cell_m, np.zeros(2), np.array([end - 1e-3 * cell, end + 1e-3 * cell]))
        assert abs(both[1] - both[0]) < 0.05 * cell


def test_ground_reaches_to_the_horizon_and_ends() -> None:
    land = ground(CAMERA, 0.1, 1.0, np.random.default_rng(1))
    assert land.farthest_m > 1_000.0 * CAMERA.height_m
    found = heights_at(land.heights, land.cell_m, np.zeros(2), np.array([0.9, 1.1]) * land.farthest_m)
    assert np.isfinite(found[0])
    assert np.isnan(found[1])


def test_a_crater_has_a_floor_and_a_rim() -> None:
    heights = np.zeros((64, 64), dtype=np.float32)
    add_craters(heights, np.ones((64, 64), dtype=np.float32), np.array([[32.0, 32.0, 20.0, 10.0]]))
    assert heights[32, 32] == pytest.approx(-1.6, rel=0.05)
    assert heights[32, 42] == pytest.approx(0.4, rel=0.05)
    assert heights[32, 55] == 0.0


def test_craters_have_the_density_of_equilibrium(monkeypatch: pytest.MonkeyPatch) -> None:
    laid = []
    monkeypatch.setattr(
        "lunarsite.vision.rock.render.ground.add_craters", lambda _heights, _window, craters: laid.append(craters)
    )
    land = ground(CAMERA, 0.1, 1.0, np.random.default_rng(1))
    levels, cells, _ = land.heights.shape
    for level, craters in zip(reversed(range(levels - 1)), laid[1:], strict=True):
        side, cell = cells * land.cell_m * 2.0**level, land.cell_m * 2.0**level
        diameter = craters[:, 2] * cell
        assert diameter.min() >= 6.0 * cell
        assert diameter.max() <= 12.0 * cell
        expected = EQUILIBRIUM * side**2 * ((6.0 * cell) ** -2 - (12.0 * cell) ** -2)
        assert len(craters) == pytest.approx(expected, abs=4.0 * np.sqrt(expected))
