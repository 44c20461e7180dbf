"""Slopes against finer ones: sums against whole arrays, limits against counts, latitude as the trivial guess."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lunarsite.artefact.record import Record
from lunarsite.grid import Cells, Grid, xy_to_lonlat
from lunarsite.settings import RulesSettings
from lunarsite.validate import slope
from lunarsite.validate.illumination import agreement
from lunarsite.validate.slope import Comparison, Sums, compare_slopes
from lunarsite.validate.slope_record import judge_slopes

GRID = Grid.centred(19_200.0, 240.0, 960.0)
CELLS = Cells(GRID, 960.0, 89.5)


class Map:
    """A raster in memory."""

    def __init__(self, **bands: NDArray[np.floating]) -> None:
        self.bands = bands

    def read(self, band: str | None = None, window: tuple[slice, slice] | None = None) -> NDArray[np.float32]:
        values = self.bands[band] if band else next(iter(self.bands.values()))
        return (values if window is None else values[window]).astype(np.float32)


def compared(ours: NDArray, mean: NDArray, top: NDArray, cells: Cells = CELLS) -> Comparison:
    return compare_slopes(Map(slope=ours), Map(slope_mean_deg=mean, slope_max_deg=top), cells, (5.0, 8.0))


def judged(
    found: Comparison, *, published_pixel_m: float = 20.0, is_finer: bool = True, synthetic: bool = False
) -> Record:
    return judge_slopes(
        found, RulesSettings(), published_pixel_m=published_pixel_m, is_finer=is_finer, synthetic=synthetic
    )


@pytest.fixture
def ground() -> tuple[NDArray, NDArray, NDArray]:
    rng = np.random.default_rng(3)
    ours = rng.gamma(2.0, 3.0, GRID.shape).astype(np.float32)
    mean = (1.1 * ours + rng.normal(1.0, 1.5, GRID.shape)).clip(0.0).astype(np.float32)
    top = (mean + rng.gamma(2.0, 2.0, GRID.shape)).astype(np.float32)
    return ours, mean, top


def test_agreement_is_that_of_the_whole_arrays(ground, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, mean, top = ground
    ours[10:20, 30:40] = np.nan
    mean[70, 80] = np.nan
    top[90, 90] = np.nan
    monkeypatch.setattr(slope, "_BAND_ROWS", 37)
    found = compared(ours, mean, top)
    x, y = np.meshgrid(GRID.x_m(), GRID.y_m())
    lat = np.abs(xy_to_lonlat(x, y)[1])
    inside = (lat >= 89.5) & np.isfinite(ours) & np.isfinite(mean) & np.isfinite(top)
    one, other = ours[inside].astype(float), mean[inside].astype(float)
    expected = agreement(one, other, lat[inside])
    assert found.overall.n == expected.n
    assert found.overall.bias == pytest.approx(expected.bias)
    assert found.overall.rms == pytest.approx(expected.rms)
    assert found.overall.correlation == pytest.approx(expected.correlation)
    rings = pd.Series(other).groupby(np.floor((90.0 - lat[inside]) / slope.RING_DEG)).transform("mean")
    assert found.baseline_rms == pytest.approx(float(np.sqrt(np.mean((other - rings) ** 2))))
    classes = np.digitize(one, slope.CLASSES_DEG)
    for number, sums in enumerate(found.classes, 1):
        assert sums.n == (classes == number).sum()
        assert sums.steepest / sums.n == pytest.approx(top[inside][classes == number].mean())
    for passing in found.pixels:
        passes = one <= passing.limit_deg
        assert passing.passing == passes.sum()
        assert passing.mean_above == (passes & (other > passing.limit_deg)).sum()
        assert passing.all_steepest_above == (top[inside] > passing.limit_deg).sum()
        assert passing.fine_passing_missed == (~passes & (other <= passing.limit_deg)).sum()


def test_cells_are_means_of_ours_and_of_the_fine_and_the_steepest_of_all(ground) -> None:
    ours, mean, top = ground
    ours[0:4, 80:84] = np.nan
    ours[79, 79] = np.nan
    found = compared(ours, mean, top).cells[1]
    blocks = [
        reduce(values.reshape(40, 4, 40, 4).astype(float), axis=(1, 3))[CELLS.kept]
        for values, reduce in ((ours, np.mean), (mean, np.mean), (top, np.max))
    ]
    known = np.isfinite(blocks[0])
    assert known.sum() == CELLS.count - 1, "a cell with an unknown pixel is unknown; the other lies beyond the limit"
    passes = known & (blocks[0] <= 8.0)
    assert (found.known, found.passing) == (known.sum(), passes.sum())
    assert found.mean_above == (passes & (blocks[1] > 8.0)).sum() > 0
    assert found.steepest_above == (passes & (blocks[2] > 8.0)).sum() > found.mean_above


def test_a_grid_that_ends_within_a_cell() -> None:
    grid = Grid(-1_920.0, 1_920.0, 240.0, 15, 16)
    cells = Cells(grid, 960.0, 89.8)
    flat = np.full(grid.shape, 3.0)
    found = compared(flat, flat, flat, cells)
    assert found.overall.n == 15 * 16
    assert found.cells[0].known == 3 * 4, "the last row of cells has rows beyond the grid"


def test_latitude_alone_is_no_worse_where_slope_follows_it() -> None:
    x, y = np.meshgrid(GRID.x_m(), GRID.y_m())
    ring = np.floor((90.0 - np.abs(xy_to_lonlat(x, y)[1])) / slope.RING_DEG)
    by_latitude = 5.0 + 3.0 * ring
    cells = Cells(GRID, 960.0, 89.2)
    noisy = by_latitude + np.random.default_rng(0).normal(0.0, 1.0, GRID.shape)
    found = compared(noisy, by_latitude, by_latitude, cells)
    assert found.baseline_correlation == pytest.approx(1.0)
    assert found.baseline_rms == pytest.approx(0.0, abs=1e-6)
    record = judged(found)
    assert record.verdicts[0].holds is False, "no better than latitude"


def test_slopes_that_follow_hold_and_noise_does_not(ground) -> None:
    ours, mean, top = ground
    record = judged(compared(ours, mean, top))
    assert [verdict.holds for verdict in record.verdicts] == [True, True, True, True]
    noise = np.random.default_rng(9).permutation(ours.ravel()).reshape(GRID.shape)
    noise[:, ::2] = np.flip(noise[:, ::2])
    record = judged(compared(noise, mean, top), synthetic=True)
    assert record.verdicts[1].holds is False
    assert "synthetic" in record.notes[-1]


def test_rows_tell_what_limits_hide(ground) -> None:
    ours, mean, top = ground
    found = compared(ours, mean, top)
    record = judged(found)
    rows = record.tables["what_limits_hide"]
    assert [(row["pieces"], row["max_slope_deg"], row["rules"]) for row in rows] == [
        ("pixels of 240 m", 5.0, "cassa"),
        ("pixels of 240 m", 8.0, "hls"),
        ("cells of 960 m", 5.0, "cassa"),
        ("cells of 960 m", 8.0, "hls"),
    ]
    assert rows[0]["mean_above_share"] == found.pixels[0].mean_above / found.pixels[0].passing
    assert rows[0]["mean_above_share"] < rows[0]["mean_above_base_share"]
    assert sum(int(row["pixels"]) for row in record.tables["slope_by_class"]) == found.overall.n


def test_the_product_s_pixels_are_named(ground) -> None:
    found = compared(*ground)
    record = judged(found, published_pixel_m=40.0)
    assert record.title == "Slopes against finer published ones of 40 m pixels"
    assert "that of pixels of 40 m. Finer slopes are steeper" in record.notes[0]
    assert "20 m" not in " ".join(record.notes)
    assert "fine_steepest_deg" in record.tables["slope_by_class"][0]
    assert "steepest_above_share" in record.tables["what_limits_hide"][0]


def test_a_product_that_is_no_finer_knows_no_steepest_slope(ground) -> None:
    finer = judged(compared(*ground))
    record = judged(compared(*ground), published_pixel_m=240.0, is_finer=False)
    assert record.title == "Slopes against published ones of 240 m pixels"
    assert "no finer than ours" in record.notes[0]
    keys = {key for rows in record.tables.values() for row in rows for key in row}
    assert not [key for key in keys if "steepest" in key]
    assert {"mean_above_share", "fine_mean_deg"} <= keys
    told = " ".join(
        (record.title, *record.notes, *(text for each in record.verdicts for text in (each.name, each.why)))
    )
    assert "steepest" not in told
    assert "finer length" not in told
    assert record.metrics == finer.metrics


def test_without_common_ground_everything_is_unknown() -> None:
    nothing = np.full(GRID.shape, np.nan)
    record = judged(compared(nothing, nothing, nothing))
    assert all(verdict.holds is None for verdict in record.verdicts)
    assert record.metric("slope_pixels") == 0
    assert record.metric("slope_rms") is None
    assert {row["why_unknown"] for row in record.tables["what_limits_hide"]} == {"none has both slopes"}


def test_steep_ground_passes_nothing_and_says_so() -> None:
    steep = np.full(GRID.shape, 30.0)
    record = judged(compared(steep, steep, steep))
    assert {row["why_unknown"] for row in record.tables["what_limits_hide"]} == {"none passes"}
    assert record.metric("slope_correlation") is None, "a constant"
    assert record.metric("slope_bias") == 0.0


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 90), st.floats(0, 90)), min_size=3, max_size=30))
def test_sums_in_parts_are_the_sums_of_all(pairs: list[tuple[float, float]]) -> None:
    one, other = np.array(pairs).T
    whole, parts = Sums(), Sums()
    whole.add(one, other, other)
    for start in range(0, one.size, 7):
        parts.add(one[start : start + 7], other[start : start + 7], other[start : start + 7])
    assert parts.rms == pytest.approx(whole.rms, abs=1e-6)
    assert parts.rms == pytest.approx(float(np.sqrt(np.mean((one - other) ** 2))), abs=1e-4)
    if whole.correlation is not None:
        assert -1.0 - 1e-6 <= whole.correlation <= 1.0 + 1e-6


def test_ground_at_the_limit_passes_it() -> None:
    at = np.full(GRID.shape, 5.0)
    found = compared(at, at, at)
    for passing in (found.pixels[0], found.cells[0]):
        assert passing.passing == passing.known > 0, "rules say 'at most'"
        assert (passing.mean_above, passing.steepest_above) == (0, 0)
