"""A composite against maps of shadow: known answers, saturation, base rates and moved shadow."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.stats import rankdata

from lunarsite.grid import Grid
from lunarsite.settings import ShadowCamReferenceSettings
from lunarsite.validate.shadowcam_composite import Composite, Map, _shifted, compare_composite, under
from lunarsite.validate.shadowcam_ranks import auc

GRID = Grid(-30_000.0, 40_000.0, 60.0, 90, 110)
WHOLE = Grid(-60_000.0, 60_000.0, 240.0, 500, 500)
REFERENCE = ShadowCamReferenceSettings(draws=300, block_km=0.6)


def pieces(seed: int, shape: tuple[int, int], size: float, share: float) -> NDArray[np.bool_]:
    field = gaussian_filter(np.random.default_rng(seed).normal(size=shape), size, mode="wrap")
    return np.asarray(field > np.quantile(field, 1.0 - share))


def composite(brightness: NDArray[np.float64], saturated: NDArray[np.bool_] | None = None) -> Composite:
    told = np.full(GRID.shape, np.nan) if saturated is None else saturated.astype(float)
    return Composite("top", GRID, brightness.astype(np.float32), told.astype(np.float32))


def given(shadow: NDArray[np.bool_], sun: NDArray[np.float64] | None = None) -> Map:
    return Map("published", shadow.astype(np.uint8), None if sun is None else sun.astype(np.float32), 60.0)


def test_brightness_that_follows_sunlight_is_told_from_moved_shadow() -> None:
    generator = np.random.default_rng(1)
    sun = gaussian_filter(generator.normal(size=GRID.shape), 4.0)
    shadow = sun < np.quantile(sun, 0.7)
    found = compare_composite(composite(np.exp(3.0 * sun)), given(shadow, np.where(shadow, 0.0, sun)), REFERENCE)
    assert found.auc.value == 1.0
    assert found.base == pytest.approx(0.7, abs=1e-3)
    assert found.saturated is None
    assert found.correlation.low > 0.5
    assert found.null.p < 0.01
    assert found.null_kind == "moved round the composite's own frame"
    half = found.sweep[4].crossed
    assert half.hit.value == 1.0
    assert half.lift.value == pytest.approx(1.0 / 0.7, rel=1e-3)


def test_brightness_that_has_nothing_to_do_with_shadow_reaches_the_base_rate() -> None:
    brightness = np.random.default_rng(2).random(GRID.shape)
    found = compare_composite(composite(brightness), given(pieces(3, GRID.shape, 4.0, 0.85)), REFERENCE)
    assert found.null.p > 0.05
    for step in found.sweep:
        assert step.crossed.base == pytest.approx(0.85, abs=0.01)
        assert step.crossed.lift.value == pytest.approx(1.0, abs=0.05)
        assert step.crossed.agreement <= step.crossed.majority + 0.03


def test_saturated_pixels_tie_at_the_top_and_limits_among_them_are_unknown() -> None:
    generator = np.random.default_rng(4)
    true = generator.random(GRID.shape).astype(np.float32).astype(np.float64)
    saturated = true > 0.55
    shadow = pieces(5, GRID.shape, 3.0, 0.5)
    found = compare_composite(composite(np.minimum(true, 0.55), saturated), given(shadow), REFERENCE)
    told = auc(np.where(saturated, 2.0, true).ravel(), ~shadow.ravel())
    assert found.auc.value == pytest.approx(told, abs=1e-9)
    assert found.saturated == saturated.sum()
    assert found.auc_unsaturated.value == pytest.approx(auc(true[~saturated], ~shadow[~saturated]), abs=1e-9)
    assert [step.crossed is None for step in found.sweep] == [False] * 5 + [True] * 4
    assert all(step.brightness is None for step in found.sweep[5:])
    # Whatever order the saturated pixels have among themselves, what is known of the others stays.
    other = compare_composite(composite(np.where(saturated, 9.0, true), saturated), given(shadow), REFERENCE)
    assert other.auc == found.auc
    assert other.sweep == found.sweep


def test_shadow_that_is_the_same_everywhere_leaves_all_unknown_but_the_base_rate() -> None:
    brightness = np.random.default_rng(6).random(GRID.shape)
    found = compare_composite(composite(brightness), given(np.ones(GRID.shape, np.bool_)), REFERENCE)
    assert found.why == "unknown: all of its ground is permanently shadowed in this map"
    assert (found.base, found.auc.value, found.null) == (1.0, None, None)
    brightness[:] = np.nan
    found = compare_composite(composite(brightness), given(np.ones(GRID.shape, np.bool_)), REFERENCE)
    assert found.why.startswith("unknown: 0 pixels")
    assert found.base is None


def test_shadow_of_a_whole_map_is_turned_about_the_pole() -> None:
    whole = pieces(7, WHOLE.shape, 6.0, 0.6).astype(np.uint8)
    shadow = under(whole, WHOLE, GRID, 255)
    sun = np.where(shadow == 0, 0.5, 0.0) + 0.01 * np.random.default_rng(8).random(GRID.shape)
    told = Map("computed", shadow, sun.astype(np.float32), 240.0, (whole, WHOLE))
    found = compare_composite(composite(sun), told, REFERENCE)
    assert found.null_kind == "turned about the pole"
    assert found.null.p == pytest.approx(1.0 / (found.null.draws + 1.0))
    assert 0.3 < found.null.median < 0.7
    unknown = whole.copy()
    unknown[::2] = 255
    lacking = Map("computed", shadow, None, 240.0, (unknown, WHOLE))
    assert compare_composite(composite(sun), lacking, REFERENCE).null is None, "no turn has known shadow throughout"


def test_moved_shadow_has_the_area_of_shadow_that_is_rolled() -> None:
    generator = np.random.default_rng(9)
    score = np.round(generator.random(GRID.shape), 2)
    known = pieces(10, GRID.shape, 6.0, 0.7)
    shadow = pieces(11, GRID.shape, 5.0, 0.5)
    drawn = _shifted(composite(score), given(shadow), known, score[known]).reshape(GRID.shape)
    ranks = rankdata(score[known])
    assert ranks.size == known.sum()
    for down, right in ((20, 0), (45, 60), (70, 5)):
        lit = ~np.roll(shadow, (down, right), axis=(0, 1))[known]
        assert drawn[down, right] == pytest.approx(auc(score[known], lit), abs=1e-9)
    assert np.isnan(drawn[0, 0])
    assert np.isnan(drawn[3, -4]), "a shift of 300 m is none"


def test_a_map_is_read_where_pixels_have_their_centres() -> None:
    values = np.arange(WHOLE.rows * WHOLE.cols, dtype=np.float32).reshape(WHOLE.shape)
    taken = under(values, WHOLE, GRID, np.nan)
    x_m, y_m = GRID.x_m(), GRID.y_m()
    for row, col in ((0, 0), (17, 53), (89, 109)):
        at = int((WHOLE.y_max_m - y_m[row]) // 240.0), int((x_m[col] - WHOLE.x_min_m) // 240.0)
        assert taken[row, col] == values[at]
    beyond = Grid(55_000.0, 0.0, 60.0, 90, 110)
    assert np.isnan(under(values, WHOLE, beyond, np.nan)[:, -1]).all()
