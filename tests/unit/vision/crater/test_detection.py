"""The way from maps of centres to craters: pyramid, peaks, merging, depth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunarsite.vision.crater.depth import measure_depths
from lunarsite.vision.crater.detect import Peaks, find_peaks, merge
from lunarsite.vision.crater.network import DIAMETERS_PX, OUTPUTS, STRIDE
from lunarsite.vision.crater.pyramid import Pyramid, ScaleMaps, combine, enlarge


def test_the_pyramid_sees_every_wanted_diameter_near_the_middle_of_a_map() -> None:
    pyramid = Pyramid.covering(1_400.0, 60_000.0)
    middles = np.array([scale.diameter_m for scale in pyramid.scales()])
    for diameter_m in np.geomspace(1_400.0, 60_000.0, 40):
        assert np.abs(np.log2(diameter_m / middles)).min() <= 0.2501
    assert np.allclose(np.diff(np.log2(middles)), 0.5)
    assert pyramid.pixel_m[0] * DIAMETERS_PX[0] * 2**-0.25 == pytest.approx(1_400.0)


def test_a_scale_is_seen_by_four_levels_but_at_the_ends() -> None:
    scales = Pyramid.covering(1_000.0, 50_000.0).scales()
    assert scales[0].seen_by == ((0, 0),)
    assert len(scales[5].seen_by) == 4
    for scale in scales:
        for level, index in scale.seen_by:
            pixel_m = Pyramid.covering(1_000.0, 50_000.0).pixel_m[level]
            assert pixel_m * DIAMETERS_PX[index] == pytest.approx(scale.diameter_m)


def test_a_least_diameter_above_the_largest_leaves_one_level() -> None:
    assert len(Pyramid.covering(5_000.0, 5_000.0).pixel_m) == 1


def test_enlarging_keeps_a_ramp_in_its_place() -> None:
    coarse = np.add.outer(10.0 * (np.arange(20) + 0.5), 3.0 * (np.arange(30) + 0.5)).astype(np.float32)
    fine = enlarge(coarse, 0.5, (40, 60))
    wanted = np.add.outer(10.0 * (np.arange(40) + 0.5) / 2, 3.0 * (np.arange(60) + 0.5) / 2)
    assert np.abs(fine - wanted)[1:-1, 1:-1].max() < 1e-4


def test_what_the_levels_say_is_averaged_in_place() -> None:
    pyramid = Pyramid((100.0, 100.0 * np.sqrt(2.0)))
    outputs = [np.zeros((len(OUTPUTS), *shape), np.float32) for shape in ((40, 40), (29, 29))]
    outputs[0][1], outputs[1][0] = 0.8, 0.4
    outputs[0][5], outputs[1][4] = 0.2, 0.0
    maps = combine(pyramid, outputs, pyramid.scales()[1])
    assert maps.pixel_m == STRIDE * 100.0
    assert maps.centre.shape == (40, 40)
    assert np.allclose(maps.centre, 0.6)
    assert np.allclose(maps.octaves, 0.1)


def bump(row: float, col: float, shape: tuple[int, int] = (40, 50), sigma: float = 2.5) -> np.ndarray:
    rows, cols = np.indices(shape)
    return np.exp(-0.5 * ((rows - row) ** 2 + (cols - col) ** 2) / sigma**2).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(row=st.floats(8.0, 30.0), col=st.floats(8.0, 40.0), octaves=st.floats(-0.5, 0.5))
def test_a_peak_is_placed_between_pixels(row: float, col: float, octaves: float) -> None:
    maps = ScaleMaps(2_000.0, 300.0, 0.9 * bump(row, col), np.full((40, 50), octaves, np.float32))
    found = merge(find_peaks([maps], 0.3))
    assert len(found) == 1
    assert found.right_m[0] == pytest.approx((col + 0.5) * 300.0, abs=0.05 * 300.0)
    assert found.down_m[0] == pytest.approx((row + 0.5) * 300.0, abs=0.05 * 300.0)
    assert found.diameter_m[0] == pytest.approx(2_000.0 * 2.0**octaves, rel=1e-5)


def test_the_same_crater_on_two_scales_is_one_and_a_nested_one_stays() -> None:
    def maps(diameter_m: float, height: float) -> ScaleMaps:
        return ScaleMaps(diameter_m, 300.0, height * bump(20, 20), np.zeros((40, 50), np.float32))

    found = merge(find_peaks([maps(2_000.0, 0.5), maps(2_000.0 * 2**0.45, 0.9), maps(9_000.0, 0.7)], 0.2))
    assert found.diameter_m == pytest.approx([2_000.0 * 2**0.45, 9_000.0])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(0, 60))
def test_merging_leaves_no_pair_that_is_one_and_loses_no_strongest(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    response = np.sort(rng.uniform(0.1, 1.0, count))[::-1]
    peaks = Peaks(rng.uniform(0, 9e3, count), rng.uniform(0, 9e3, count), rng.uniform(1e3, 6e3, count), response)
    left = merge(peaks)
    for i in range(len(left)):
        for j in range(i):
            near = np.hypot(left.right_m[i] - left.right_m[j], left.down_m[i] - left.down_m[j])
            same_size = abs(np.log2(left.diameter_m[i] / left.diameter_m[j])) < 0.5
            assert not (same_size and near < 0.3 * min(left.diameter_m[i], left.diameter_m[j]))
    assert len(left) == 0 if count == 0 else left.response[0] == response[0]


def test_maps_without_a_peak_give_nothing() -> None:
    flat = ScaleMaps(2_000.0, 300.0, np.zeros((9, 9), np.float32), np.zeros((9, 9), np.float32))
    small = ScaleMaps(2_000.0, 300.0, np.ones((2, 2), np.float32), np.zeros((2, 2), np.float32))
    assert len(merge(find_peaks([flat, small], 0.1))) == 0


def bowl(depth_m: float, radius_px: float, size: int = 121) -> np.ndarray:
    rows, cols = np.indices((size, size)) - size // 2
    distance = np.hypot(rows, cols) / radius_px
    return np.where(distance < 1.0, depth_m * (distance**2 - 1.0), 0.0).astype(np.float32)


def measured(heights: np.ndarray, radius_px: float) -> float:
    middle = np.array([0.5 * heights.shape[0]])
    return float(measure_depths(heights, 1.0, middle, middle, np.array([2.0 * radius_px]))[0])


def test_the_depth_of_a_bowl_on_a_slope() -> None:
    tilt = np.add.outer(np.arange(121) * 1.5, np.zeros(121)).astype(np.float32)
    # The floor is the mean of the lowest fifth of half the radius: a paraboloid has risen by 1 / 40 of its depth there.
    assert measured(bowl(300.0, 30.0), 30.0) == pytest.approx(300.0 * (1 - 0.025), rel=0.03)
    assert measured(bowl(300.0, 30.0) + tilt, 30.0) == pytest.approx(300.0, rel=0.1)


def test_a_mound_has_no_depth_and_unknown_ground_an_unknown_one() -> None:
    assert measured(-bowl(300.0, 30.0), 30.0) == 0.0
    half = bowl(300.0, 30.0)
    half[:, :70] = np.nan
    assert np.isnan(measured(half, 30.0))
    assert np.isnan(measure_depths(bowl(1.0, 5.0), 1.0, np.array([-50.0]), np.array([9.0]), np.array([8.0]))[0])
    assert measure_depths(bowl(1.0, 5.0), 1.0, np.zeros(0), np.zeros(0), np.zeros(0)).shape == (0,)
