"""Clones against theory, the slopes of the map against the table's, and that blocks and shards leave no trace."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from lunarsite.gradient import slope_deg, with_border
from lunarsite.grid import Cells, Grid, shard
from lunarsite.settings import RuleSettings, RulesSettings, UncertaintySettings
from lunarsite.site.label import clones as module
from lunarsite.site.label.clones import CloneError, Clones, CloneSums, SlopeLimits
from lunarsite.site.reduction import Read, reduce_layer

Floats = NDArray[np.float32]
LOOSE = RuleSettings(max_slope_deg=45.0, min_illumination_pct=0.0, min_earth_visibility_pct=0.0)
HORN = np.outer([1.0, 2.0, 1.0], [-1.0, 0.0, 1.0]) / 8.0


def read(values: Floats) -> Read:
    return lambda window: np.asarray(values[window], dtype=np.float32)


def rules(limit_deg: float, buffer_m: float = 0.0) -> RulesSettings:
    limit = LOOSE.model_copy(update={"max_slope_deg": limit_deg})
    return RulesSettings(cassa=limit, hls=limit.model_copy(update={"slope_buffer_m": buffer_m}))


def drawn(
    cells: Cells, height: Floats, sigma_m: float | Floats, rule: RulesSettings, **settings: float
) -> tuple[CloneSums, UncertaintySettings]:
    wanted = UncertaintySettings.model_validate({"draws": 200, "correlation_m": 0.0, **settings})
    error = np.broadcast_to(np.float32(sigma_m), height.shape)
    made = Clones(cells, SlopeLimits.of(rule, cells.grid.pixel_m), wanted)
    return made.sums(read(height), read(error), range(len(made.blocks))), wanted


def rough(grid: Grid, seed: int = 0) -> Floats:
    draws = np.random.default_rng(seed)
    x, y = np.meshgrid(grid.x_m(), grid.y_m())
    return (800.0 * np.sin(x / 9e3) * np.cos(y / 7e3) + draws.normal(0.0, 3.0, grid.shape)).astype(np.float32)


@pytest.mark.parametrize("correlation_m", [0.0, 300.0, 2_000.0])
def test_level_ground_has_slopes_of_rayleighs_distribution(correlation_m: float) -> None:
    # Both gradients of level ground are Gaussian, independent and alike, so tan(slope) is Rayleigh distributed.
    grid, sigma_m = Grid.centred(6_000.0, 240.0, 240.0), 6.0
    cells = Cells(grid, 240.0, 89.85)
    row, col = np.mgrid[:3, :3]
    apart_m = 240.0 * np.hypot(row.ravel()[:, None] - row.ravel(), col.ravel()[:, None] - col.ravel())
    covariance = np.exp(-apart_m / correlation_m) if correlation_m else np.eye(9)
    spread = sigma_m / 240.0 * math.sqrt(HORN.ravel() @ covariance @ HORN.ravel())
    if correlation_m == 0.0:
        assert spread == pytest.approx(sigma_m / 240.0 * math.sqrt(12.0) / 8.0)
    limit_deg = math.degrees(math.atan(1.2 * spread))
    found, settings = drawn(
        cells, np.zeros(grid.shape, np.float32), sigma_m, rules(limit_deg), correlation_m=correlation_m
    )
    passing = found.passing[0] / settings.draws
    assert passing.mean() == pytest.approx(1.0 - math.exp(-0.5 * 1.2**2), abs=0.015)
    mean_deg = math.degrees(spread * math.sqrt(math.pi / 2.0))  # tan(slope) = slope at such small angles
    assert np.mean(found.shift_deg[0] / settings.draws) == pytest.approx(mean_deg, rel=0.02)
    mean_square = math.degrees(math.degrees(2.0 * spread**2))
    assert np.mean(found.squares_deg2[0] / settings.draws) == pytest.approx(mean_square, rel=0.04)


def test_the_error_of_a_cell_is_smaller_than_that_of_its_pixels() -> None:
    grid = Grid.centred(6_000.0, 240.0, 960.0)
    x = np.broadcast_to((0.2 * grid.x_m()).astype(np.float32), grid.shape)
    per_cell = {}
    for cell_m in (240.0, 960.0):
        found, settings = drawn(Cells(grid, cell_m, 89.85), x, 3.0, rules(45.0))
        shift = found.shift_deg[0] / settings.draws
        per_cell[cell_m] = float(np.sqrt(np.mean(found.squares_deg2[0] / settings.draws - shift**2)))
    # On a steep plane the slope's error is that of the gradient along it, times cos^2.
    tilt = math.atan(0.2)
    expected = math.degrees(3.0 / 240.0 * math.sqrt(12.0) / 8.0) * math.cos(tilt) ** 2
    assert per_cell[240.0] == pytest.approx(expected, rel=0.05)
    assert per_cell[960.0] < 0.5 * per_cell[240.0]


def test_ground_far_from_the_limit_is_sure() -> None:
    grid = Grid.centred(6_000.0, 240.0, 960.0)
    cells = Cells(grid, 960.0, 89.85)
    steep = np.broadcast_to((0.3 * grid.x_m()).astype(np.float32), grid.shape)
    for height, share in ((steep, 0.0), (np.zeros(grid.shape, np.float32), 1.0)):
        found, settings = drawn(cells, height, 3.0, rules(8.0), correlation_m=800.0)
        assert (found.passing == share * settings.draws).all()


@pytest.mark.parametrize("pixel_m", [80.0, 240.0])
def test_without_error_every_clone_is_the_map(pixel_m: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LEAST_SIDE_PX", 24)
    grid = Grid.centred(12_000.0, pixel_m, 960.0)
    cells, height = Cells(grid, 960.0, 89.5), rough(grid)
    height[40:60, 30:70] = np.nan
    slope = slope_deg(with_border(height, (1, 1, 1, 1)), grid.scale_factor(), pixel_m)
    expected = reduce_layer(read(slope), cells, 100.0)
    median = float(np.nanmedian(expected.mean))
    found, settings = drawn(cells, height, 0.0, rules(median, buffer_m=100.0), draws=3)
    assert len(Clones(cells, SlopeLimits.of(RulesSettings(), pixel_m), settings).blocks) > 4
    order = np.argsort(found.cell_id)
    np.testing.assert_array_equal(found.cell_id[order], np.arange(cells.count))
    np.testing.assert_array_equal(found.map_deg[0][order], expected.mean.astype(np.float64))
    if pixel_m == 80.0:
        assert expected.buffered is not None
        np.testing.assert_array_equal(found.map_deg[1][order], expected.buffered.astype(np.float64))
    else:
        assert len(found.map_deg) == 1, "pixels of 240 m do not resolve 100 m"
    passing = np.where(expected.mean.astype(np.float64) <= median, 3, 0)
    np.testing.assert_array_equal(found.passing[0][order], passing)
    assert np.nanmax(np.abs(found.shift_deg)) == np.nanmax(found.squares_deg2) == 0.0
    unknown = np.isnan(expected.mean)
    assert unknown.any()
    np.testing.assert_array_equal(np.isnan(found.shift_deg[0][order]), unknown)


def test_a_slope_on_the_limit_passes_and_no_rounding_lets_a_steeper_one_through() -> None:
    grid = Grid.centred(3_000.0, 240.0, 960.0)
    cells = Cells(grid, 960.0, 89.9)
    height = rough(grid)
    exact = drawn(cells, height, 0.0, rules(45.0), draws=2)[0].map_deg[0]
    cell = int(np.argmax(exact))
    for limit_deg, share in ((float(exact[cell]), 2), (float(np.nextafter(exact[cell], 0.0)), 0)):
        assert drawn(cells, height, 0.0, rules(limit_deg), draws=2)[0].passing[0][cell] == share


@pytest.mark.parametrize("shards", [2, 8, 40])
def test_the_sharing_leaves_no_trace(shards: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LEAST_SIDE_PX", 24)
    grid = Grid.centred(12_000.0, 240.0, 960.0)
    cells, height, error = Cells(grid, 960.0, 89.6), rough(grid), np.full(grid.shape, 5.0, np.float32)
    settings = UncertaintySettings(draws=5, correlation_m=100.0)
    made = Clones(cells, SlopeLimits.of(rules(4.0), 240.0), settings)
    assert 8 < len(made.blocks) < 40
    whole = made.sums(read(height), read(error), range(len(made.blocks)))
    parts = [made.sums(read(height), read(error), shard(len(made.blocks), i, shards)) for i in range(shards)]
    for name, values in whole.arrays().items():
        together = np.concatenate([part.arrays()[name] for part in parts], axis=-1)
        assert together.dtype == values.dtype
        np.testing.assert_array_equal(together, values)


def test_longer_series_begin_with_the_shorter_ones() -> None:
    grid = Grid.centred(6_000.0, 240.0, 960.0)
    cells, height = Cells(grid, 960.0, 89.85), rough(grid)
    counts = [drawn(cells, height, 5.0, rules(4.0), draws=n, correlation_m=800.0)[0].passing[0] for n in (4, 5, 9)]
    for (fewer, more), added in zip(pairwise(counts), (1, 4), strict=True):
        assert ((more >= fewer) & (more <= fewer + added)).all()
    assert (counts[2] != counts[0]).any()
    other = drawn(cells, height, 5.0, rules(4.0), draws=9, correlation_m=800.0, seed=12)[0].passing[0]
    assert (other != counts[2]).any(), "another seed draws other errors"


def test_blocks_have_errors_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LEAST_SIDE_PX", 24)
    grid = Grid.centred(5_760.0, 240.0, 960.0)  # four blocks of the same shape
    found, _ = drawn(Cells(grid, 960.0, 80.0), np.zeros(grid.shape, np.float32), 5.0, rules(1.0), draws=2)
    first, second = found.shift_deg[0].reshape(4, -1)[:2]
    assert not np.isclose(first, second).any()


def test_the_buffer_is_judged_by_its_own_slope() -> None:
    grid = Grid.centred(6_000.0, 80.0, 960.0)
    cells = Cells(grid, 960.0, 89.85)
    found, settings = drawn(cells, np.zeros(grid.shape, np.float32), 3.0, rules(2.0, buffer_m=100.0))
    limits = SlopeLimits.of(rules(2.0, buffer_m=100.0), 80.0)
    assert dict(zip(limits.rules, limits.reads, strict=True)) == {"cassa": 0, "hls": 1}
    assert (found.shift_deg[1] > 1.3 * found.shift_deg[0]).all(), "the steepest neighbour is steeper than the mean"
    assert found.passing[1].sum() < found.passing[0].sum()
    assert settings.draws * cells.count >= found.passing.max()


def test_own_rules_are_counted_beside_the_shipped_ones() -> None:
    own = {
        "alpha": LOOSE.model_copy(update={"max_slope_deg": 1.0}),
        "zeta": LOOSE.model_copy(update={"max_slope_deg": 3.0}),
    }
    limits = SlopeLimits.of(RulesSettings(own=own), 240.0)
    assert limits.rules == ("alpha", "cassa", "hls", "zeta")
    assert limits.limits_deg == (1.0, 5.0, 8.0, 3.0)


def test_heights_without_an_error_are_refused() -> None:
    grid = Grid.centred(3_000.0, 240.0, 960.0)
    error = np.full(grid.shape, 5.0, np.float32)
    error[3, 4] = np.nan
    with pytest.raises(CloneError, match=r"^1 of \d+ pixels have a height and no error"):
        drawn(Cells(grid, 960.0, 89.9), np.zeros(grid.shape, np.float32), error, rules(5.0))


def test_no_block_is_larger_than_memory_allows() -> None:
    grid = Grid.centred(304_000.0, 20.0, 960.0)
    made = Clones(Cells(grid, 960.0, 80.0), SlopeLimits.of(RulesSettings(), 20.0), UncertaintySettings())
    sides = [48 * (part.stop - part.start) for block in made.blocks for part in block]
    assert max(sides) <= 2048
    kept = np.zeros(made.cells.kept.shape, dtype=int)
    for block in made.blocks:
        kept[block] += 1
    assert kept.max() == 1
    assert (kept[made.cells.kept] == 1).all()
