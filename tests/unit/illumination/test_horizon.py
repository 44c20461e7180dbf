"""The horizon sweep against analytic truths: spheres, walls, cones, peaks; and its symmetries."""

import math

import numba
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lunarsite.grid import MOON_RADIUS_M
from lunarsite.illumination.horizon import HorizonSweep, Terrain, sky_view_contribution
from tests.unit.illumination.brute_force import sphere_point
from tests.unit.illumination.relief import cratered_heights

AZIMUTHS = (0.0, 0.4, math.pi / 4, 1.2, math.pi / 2, 2.5, 3.9, 5.8)


def terrain(height_m, pixel_m=240.0, x_min_m=None, y_max_m=None, pole="south"):
    """Terrain centred on the pole unless placed."""
    rows, cols = np.shape(height_m)
    return Terrain(
        np.asarray(height_m, np.float32),
        -0.5 * cols * pixel_m if x_min_m is None else x_min_m,
        0.5 * rows * pixel_m if y_max_m is None else y_max_m,
        pixel_m,
        pole,
    )


def elevation_tangent(land, observer, target, lift_m=0.0):
    """tan(elevation) of one pixel's centre from another's, from the triangle with the sphere's centre."""
    points = []
    for row, col in (observer, target):
        x = np.array(land.x_min_m + (col + 0.5) * land.pixel_m)
        y = np.array(land.y_max_m - (row + 0.5) * land.pixel_m)
        points.append(sphere_point(x, y))
    gamma = math.acos(float(points[0] @ points[1]))
    eye = MOON_RADIUS_M + float(land.height_m[observer]) + lift_m
    top = MOON_RADIUS_M + float(land.height_m[target])
    return (top * math.cos(gamma) - eye) / (top * math.sin(gamma))


@pytest.mark.parametrize("azimuth_rad", AZIMUTHS)
@pytest.mark.parametrize("ground_m", [-3000.0, 0.0, 5000.0])
def test_smooth_sphere_shows_its_own_curvature(azimuth_rad, ground_m):
    """Off the pole, at any level: an observer on the ground sees it fall away, a raised one sees the dip."""
    land = terrain(np.full((300, 320), ground_m), 240.0, x_min_m=150_000.0, y_max_m=-100_000.0)
    sweep = HorizonSweep(land, observer_heights_m=(0.0, 10.0, 100.0))
    horizon = sweep.horizon(azimuth_rad)[:, 130:170, 140:180].astype(float)
    first_sample = -0.5 * 240.0 / MOON_RADIUS_M
    # Equal heights are seen below the horizontal by half the angle between them; the sample lies at one pixel.
    assert np.allclose(horizon[0], first_sample, rtol=0.03, atol=1e-7)
    for plane, height_m in ((1, 10.0), (2, 100.0)):
        dip = -math.sqrt((1.0 + height_m / (MOON_RADIUS_M + ground_m)) ** 2 - 1.0)
        assert np.allclose(horizon[plane], dip, rtol=6e-4)


def test_wall_straight_ahead():
    """A wall one pixel thick across the map, seen along a row from the first pixel to far beyond the near march."""
    heights = np.zeros((80, 400))
    heights[:, 300] = 500.0
    land = terrain(heights)
    horizon = HorizonSweep(land).horizon(0.0)[0]
    for col in (130, 250, 267, 268, 269, 298, 299):
        assert horizon[40, col] == pytest.approx(elevation_tangent(land, (40, col), (40, 300)), rel=1e-5, abs=1e-7)
    # 41 km away its top sinks below the horizontal.
    assert elevation_tangent(land, (40, 100), (40, 300)) < horizon[40, 100] < 0.0
    # Seen from the other side it is behind.
    assert horizon[40, 301] < 0.0


@pytest.mark.parametrize("slope", [(1, 2), (-1, 3), (3, 4)])
def test_wall_obliquely(slope):
    """The same wall under a lattice direction, so that the ray meets pixel centres of the wall exactly."""
    heights = np.zeros((420, 420))
    heights[:, 300] = 500.0
    land = terrain(heights)
    up, along = slope
    azimuth = math.atan2(up, along)
    horizon = HorizonSweep(land).horizon(azimuth)[0]
    for steps in (1, 5, 8, 20, 30):
        observer, target = (210 + up * steps, 300 - along * steps), (210, 300)
        expected = elevation_tangent(land, observer, target)
        assert expected > 0.0
        assert horizon[observer] == pytest.approx(expected, abs=1e-6)


def test_wall_under_steep_directions_equals_transposed():
    heights = np.zeros((420, 420))
    heights[100, :] = 500.0
    land = terrain(heights)
    horizon = HorizonSweep(land).horizon(math.pi / 2)[0]
    for row in (101, 120, 132, 133, 134, 220):
        expected = elevation_tangent(land, (row, 77), (100, 77))
        assert expected > 0.0
        assert horizon[row, 77] == pytest.approx(expected, rel=1e-5, abs=1e-7)


@pytest.fixture(scope="module")
def cone():
    """A cone of 1000 m on a base of 10 km radius, on the pole."""
    axis_m = (np.arange(601) - 300) * 240.0
    distance_m = 2.0 * MOON_RADIUS_M * np.arctan(np.hypot(axis_m[None, :], axis_m[:, None]) / (2.0 * MOON_RADIUS_M))
    return terrain(np.maximum(1000.0 * (1.0 - distance_m / 10_000.0), 0.0))


@pytest.mark.parametrize("azimuth_rad", AZIMUTHS)
def test_cone_from_its_apex(cone, azimuth_rad):
    """The flank falls off steeper than the plain's dip, which lies 59 km away in every direction."""
    seen = HorizonSweep(cone).horizon(azimuth_rad)[0, 300, 300]
    assert seen == pytest.approx(-math.sqrt((1.0 + 1000.0 / MOON_RADIUS_M) ** 2 - 1.0), rel=1e-4)


@pytest.mark.parametrize(("up", "along", "steps"), [(0, 1, 60), (1, 2, 45), (-3, 4, 15), (2, -1, 20), (1, 1, 100)])
def test_cone_seen_from_the_plain(cone, up, along, steps):
    """Its tip stands on the horizon; on the flank the flank itself does."""
    horizon = HorizonSweep(cone).horizon(math.atan2(up, along))[0]
    observer = (300 + up * steps, 300 - along * steps)
    expected = elevation_tangent(cone, observer, (300, 300))
    assert expected > 0.0
    # Lines beside the pixel pass beside the tip, which costs up to half a pixel of its slope.
    assert horizon[observer] == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("steps", [12, 40, 52])
def test_single_far_peak(steps):
    """A broad summit on a plain, up to 100 km away, seen over the curvature from a lattice direction."""
    heights = np.zeros((600, 700))
    row, col = 300, 650
    heights[row - 4 : row + 5, col - 4 : col + 5] = 4000.0
    land = terrain(heights, 480.0)
    observer = (row + steps, col - 4 * steps)
    horizon = HorizonSweep(land).horizon(math.atan2(1, 4))[0]
    front = elevation_tangent(land, observer, (row + 1, col - 4))  # where the ray enters the summit
    assert front > 0.005
    assert horizon[observer] == pytest.approx(front, rel=1e-4)
    assert -2e-4 < horizon[observer[0] + 12, observer[1]] < 0.0


def test_nothing_ahead_is_the_dip_of_the_observers_own_ground():
    land = terrain(cratered_heights(100, seed=3) - 2000.0)
    sweep = HorizonSweep(land, observer_heights_m=(0.0, 30.0))
    horizon = sweep.horizon(0.0)
    assert (horizon[0, :, -1] == 0.0).all()
    dip = -np.sqrt((1.0 + 30.0 / (MOON_RADIUS_M + land.height_m[:, -1].astype(float))) ** 2 - 1.0)
    assert np.allclose(horizon[1, :, -1], dip, rtol=1e-4)
    assert (sweep.horizon(math.pi)[0, :, 0] == 0.0).all()
    assert (sweep.horizon(math.pi / 2)[0, 0] == 0.0).all()
    assert (sweep.horizon(-math.pi / 2)[0, -1] == 0.0).all()


def test_no_data_neither_blocks_nor_breaks_a_line():
    heights = cratered_heights(240, seed=5)
    hidden = heights.copy()
    hidden[60:180, 90:130] = np.nan
    hidden[200, 10:230] = np.nan
    pits = np.where(np.isnan(hidden), -45_000.0, heights)
    for azimuth in AZIMUTHS:
        with_holes = HorizonSweep(terrain(hidden)).horizon(azimuth)[0]
        assert np.array_equal(np.isnan(with_holes), np.isnan(hidden))
        with_pits = HorizonSweep(terrain(pits)).horizon(azimuth)[0]
        known = ~np.isnan(hidden)
        # A pit 45 km deep hides nothing either; beside its edge its walls count as (sinking) ground.
        assert (with_holes[known] <= with_pits[known] + 1e-5).all()
        assert np.quantile(np.abs(with_holes - with_pits)[known], 0.98) < 1e-4


def test_peak_is_seen_across_a_hole():
    heights = np.zeros((60, 300), np.float32)
    heights[:, 250] = 1000.0
    heights[:, 100:200] = np.nan
    land = terrain(heights)
    horizon = HorizonSweep(land).horizon(0.0)[0]
    assert horizon[30, 50] == pytest.approx(elevation_tangent(land, (30, 50), (30, 250)), abs=2e-6)
    assert np.isnan(horizon[30, 150])
    heights[:, 250] = np.nan
    assert HorizonSweep(terrain(heights)).horizon(0.0)[0, 30, 50] < 0.0


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(azimuth_rad=st.floats(-7.0, 7.0), seed=st.integers(0, 3))
def test_turning_and_mirroring_the_map_turns_the_horizon(azimuth_rad, seed):
    """Rectangular grid away from the pole: all four octant paths of the code must agree."""
    heights = cratered_heights(128, seed=seed)[:, :100]
    x_min, y_max, pixel = 40_000.0, 90_000.0, 240.0
    rows, cols = heights.shape
    straight = HorizonSweep(terrain(heights, pixel, x_min, y_max)).horizon(azimuth_rad)[0]
    # A quarter turn counter-clockwise: (x, y) -> (-y, x).
    turned_land = terrain(np.rot90(heights), pixel, -y_max, x_min + cols * pixel)
    turned = HorizonSweep(turned_land).horizon(azimuth_rad + math.pi / 2)[0]
    assert np.allclose(turned, np.rot90(straight), atol=3e-6)
    mirrored_land = terrain(heights[::-1], pixel, x_min, -(y_max - rows * pixel))
    mirrored = HorizonSweep(mirrored_land).horizon(-azimuth_rad)[0]
    assert np.allclose(mirrored, straight[::-1], atol=3e-6)


def test_both_poles_share_the_map_plane():
    heights = cratered_heights(120, seed=1)
    south = HorizonSweep(terrain(heights)).horizon(0.7)
    north = HorizonSweep(terrain(heights, pole="north")).horizon(0.7)
    assert np.array_equal(south, north)


def test_several_heights_share_a_sweep():
    land = terrain(cratered_heights(200, seed=2))
    together = HorizonSweep(land, observer_heights_m=(0.0, 2.0, 10.0)).horizon(1.9)
    assert together.shape == (3, 200, 200)
    for plane, height_m in enumerate((0.0, 2.0, 10.0)):
        assert np.array_equal(together[plane], HorizonSweep(land, observer_heights_m=(height_m,)).horizon(1.9)[0])
    # Who stands higher sees a lower horizon; strictly so where terrain is ahead.
    assert (together[1][5:-5, 5:-5] < together[0][5:-5, 5:-5]).all()
    assert (together[2][5:-5, 5:-5] < together[1][5:-5, 5:-5]).all()


def test_bit_identical_for_any_number_of_threads():
    land = terrain(cratered_heights(300, seed=4))
    before = numba.get_num_threads()
    results = []
    try:
        for threads in range(1, min(numba.config.NUMBA_NUM_THREADS, 4) + 1):
            numba.set_num_threads(threads)
            results.append(HorizonSweep(land).horizon(2.2))
    finally:
        numba.set_num_threads(before)
    assert all(np.array_equal(result, results[0]) for result in results)
    assert len(results) == 1 or before > 1


def test_out_is_written_and_returned_and_full_turns_do_not_matter():
    sweep = HorizonSweep(terrain(cratered_heights(100, seed=6)))
    out = np.full(sweep.shape, np.nan, np.float32)
    assert sweep.horizon(1.0, out=out) is out
    assert np.array_equal(out, sweep.horizon(1.0))
    assert np.allclose(out, sweep.horizon(1.0 + 2.0 * math.pi), atol=1e-6)


def test_sky_view_of_a_bowl_and_of_a_plain():
    """All around at 30 degrees: cos^2(30 deg) = 3/4 (Dozier & Frew 1990); below the horizontal nothing is added."""
    assert sky_view_contribution(np.tan(np.radians(np.float32([30.0])))) == pytest.approx(0.75)
    assert sky_view_contribution(np.float32([-0.2, 0.0])).tolist() == [1.0, 1.0]
    assert np.isnan(sky_view_contribution(np.float32([np.nan]))).all()
    land = terrain(np.full((100, 100), 100.0))
    sweep = HorizonSweep(land)
    mean = np.mean([sky_view_contribution(sweep.horizon(azimuth)) for azimuth in AZIMUTHS], axis=0)
    assert (mean == 1.0).all()


class TestErrors:
    good = np.zeros((80, 80), np.float32)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"height_m": np.full((80, 80), np.nan, np.float32)}, "no valid pixel"),
            ({"height_m": np.zeros((80, 80))}, "float32"),
            ({"height_m": np.zeros(80, np.float32)}, "2-D"),
            ({"height_m": np.full((80, 80), -3.4e38, np.float32)}, "no-data value"),
            ({"height_m": np.array([[0.0, np.inf], [0.0, 0.0]], np.float32)}, "no-data value"),
            ({"height_m": np.zeros((1, 80), np.float32)}, "at least 2 rows"),
            ({"pixel_m": 0.0}, "pixel_m must be positive"),
            ({"pixel_m": -240.0}, "pixel_m must be positive"),
            ({"pixel_m": math.nan}, "pixel_m must be finite"),
            ({"x_min_m": math.inf}, "x_min_m must be finite"),
            ({"y_max_m": math.nan}, "y_max_m must be finite"),
            ({"pole": "east"}, "'south' or 'north'"),
            ({"x_min_m": 2.0e6}, "colatitude"),
        ],
    )
    def test_terrain(self, change, words):
        fields = {"height_m": self.good, "x_min_m": -9600.0, "y_max_m": 9600.0, "pixel_m": 240.0, "pole": "south"}
        Terrain(**fields)
        with pytest.raises(ValueError, match=words):
            Terrain(**(fields | change))

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"observer_heights_m": ()}, "empty"),
            ({"observer_heights_m": (0.0, -1.0)}, "not negative"),
            ({"observer_heights_m": (math.nan,)}, "finite"),
            ({"observer_heights_m": (2.0e4,)}, "10 km"),
            ({"near_samples": 0}, "at least 1"),
            ({"near_samples": 80}, "smaller than its near march"),
        ],
    )
    def test_sweep(self, change, words):
        with pytest.raises(ValueError, match=words):
            HorizonSweep(terrain(self.good), **change)

    def test_march_beyond_its_range(self):
        with pytest.raises(ValueError, match="fewer near_samples"):
            HorizonSweep(terrain(self.good, 5000.0))

    @pytest.mark.parametrize(
        ("far", "words"),
        [
            (terrain(np.zeros((40, 40)), 480.0, pole="north"), "same pole"),
            (terrain(np.zeros((30, 40)), 480.0), "does not cover"),
            (terrain(np.zeros((200, 200)), 120.0), "finer"),
        ],
    )
    def test_far(self, far, words):
        with pytest.raises(ValueError, match=words):
            HorizonSweep(terrain(self.good), far)

    def test_horizon(self):
        sweep = HorizonSweep(terrain(self.good))
        with pytest.raises(ValueError, match="azimuth_rad"):
            sweep.horizon(math.nan)
        for out in (
            np.empty((80, 80), np.float32),
            np.empty((1, 80, 80)),
            np.empty((1, 80, 160), np.float32)[:, :, ::2],
        ):
            with pytest.raises(ValueError, match="out must be"):
                sweep.horizon(0.0, out=out)


def test_near_map_without_data_around_it_sees_the_far_terrain():
    """A small map padded with no data up to its grid: the ridge beyond it stands in the far terrain alone."""
    size, pixel_m = 160, 240.0
    far_size = 200
    far_z = np.zeros((far_size, far_size), np.float32)
    far_z[:, 135:139] = 2_000.0  # within the near grid's footprint, 35 px of 480 m east of the centre
    far = Terrain(far_z, -0.5 * far_size * 480.0, 0.5 * far_size * 480.0, 480.0)
    near_z = np.full((size, size), np.nan, np.float32)
    near_z[60:100, 60:100] = 0.0
    corner = 0.5 * size * pixel_m
    near = Terrain(near_z, -corner, corner, pixel_m)
    seen = HorizonSweep(near, far).horizon(0.0)[0]
    assert np.array_equal(np.isnan(seen), np.isnan(near_z)), "ground without data has no horizon of its own"
    whole = HorizonSweep(Terrain(np.nan_to_num(near_z), -corner, corner, pixel_m), far).horizon(0.0)[0]
    distance_m = 35.0 * 480.0
    expected = np.arctan2(2_000.0 - distance_m**2 / (2.0 * 1_737_400.0), distance_m)
    assert np.degrees(np.arctan(seen[80, 80])) == pytest.approx(np.degrees(expected), abs=0.15)
    assert np.degrees(np.arctan(whole[80, 80])) < 0.01, "where the near map says flat ground, the far one is not asked"
