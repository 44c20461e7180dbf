"""The horizon sweep against brute force on synthetic terrain, and the seam between near and far terrain."""

import math

import numpy as np
import pytest

from lunarsite.grid import MOON_RADIUS_M
from lunarsite.illumination.horizon import HorizonSweep, Terrain
from tests.unit.illumination.brute_force import brute_force_tan_horizon, elevation_error_deg
from tests.unit.illumination.relief import cratered_heights

RMS_DEG, P99_DEG, BIAS_DEG = 0.03, 0.15, 0.002


def errors_deg(near, far=None, *, heights_m=(0.0,), azimuths=6, pixels=150, seed=0, margin=0):
    """Errors of the sweep at random pixels and azimuths, (heights, samples) degrees."""
    rng = np.random.default_rng(seed)
    sweep = HorizonSweep(near, far, observer_heights_m=heights_m)
    rows, cols = near.height_m.shape
    found = []
    for azimuth in rng.uniform(0.0, 2.0 * math.pi, azimuths):
        row = rng.integers(margin, rows - margin, pixels)
        col = rng.integers(margin, cols - margin, pixels)
        horizon = sweep.horizon(azimuth)[:, row, col].astype(float)
        # Who stands on the last pixel before the border has no terrain ahead, for brute force too.
        truths = [brute_force_tan_horizon(near, azimuth, row, col, far=far, observer_height_m=h) for h in heights_m]
        ahead = np.isfinite(truths[0])
        found.append(
            [elevation_error_deg(one[ahead], truth[ahead]) for one, truth in zip(horizon, truths, strict=True)]
        )
    return np.concatenate(found, axis=1)


def assert_accurate(error):
    assert np.sqrt(np.mean(error**2)) <= RMS_DEG
    assert np.quantile(np.abs(error), 0.99) <= P99_DEG
    assert abs(error.mean()) <= BIAS_DEG


@pytest.mark.parametrize(
    ("pole", "x_min_m", "y_max_m"), [("south", -200_000.0, 250_000.0), ("north", 30_000.0, 20_000.0)]
)
def test_fractal_with_craters(pole, x_min_m, y_max_m):
    heights = cratered_heights(420, seed=11)[:, :360]
    land = Terrain(np.ascontiguousarray(heights), x_min_m, y_max_m, 240.0, pole)
    for error in errors_deg(land, heights_m=(0.0, 2.0, 10.0)):
        assert error.size > 800
        assert_accurate(error)


def test_lander_scale_pixels():
    land = Terrain(cratered_heights(400, seed=12, relief_m=15.0, pixel_m=5.0), 150_000.0, 90_000.0, 5.0)
    assert_accurate(errors_deg(land)[0])


@pytest.fixture(scope="module")
def fine():
    """A fine terrain over everything, and its coarse version of twice the pixel."""
    heights = cratered_heights(1000, seed=13, relief_m=900.0)
    coarse = heights.reshape(500, 2, 500, 2).mean(axis=(1, 3))
    return Terrain(heights, -120_000.0, 120_000.0, 240.0), Terrain(coarse, -120_000.0, 120_000.0, 480.0)


def window(land, first, size):
    """Cut a square window of a terrain."""
    heights = np.ascontiguousarray(land.height_m[first : first + size, first : first + size])
    return Terrain(
        heights, land.x_min_m + first * land.pixel_m, land.y_max_m - first * land.pixel_m, land.pixel_m, land.pole
    )


@pytest.mark.parametrize("azimuth_rad", [0.0, 0.6, math.pi / 2, 2.4, 4.0, 5.5])
def test_window_in_far_field_of_its_own_resolution_sees_what_the_whole_sees(fine, azimuth_rad):
    whole, _ = fine
    near = window(whole, 300, 400)
    expected = HorizonSweep(whole).horizon(azimuth_rad)[0, 300:700, 300:700]
    error = np.degrees(np.arctan(HorizonSweep(near, whole).horizon(azimuth_rad)[0]) - np.arctan(expected))
    # Only the far samples' bilinear heights between lines differ; rows beside the border are as good as any.
    assert np.sqrt(np.mean(error**2)) < 0.01
    assert abs(error.mean()) < 0.001
    border = np.ones(error.shape, bool)
    border[3:-3, 3:-3] = False
    assert np.sqrt(np.mean(error[border] ** 2)) < 0.01


@pytest.mark.parametrize("azimuth_rad", [0.3, 2.0, 3.7, 5.2])
def test_coarse_far_field_leaves_no_seam(fine, azimuth_rad):
    """Errors of a far field of twice the pixel, and none of them gathered along the border."""
    whole, coarse = fine
    near = window(whole, 300, 400)
    expected = HorizonSweep(whole).horizon(azimuth_rad)[0, 300:700, 300:700]
    with_far = HorizonSweep(near, coarse).horizon(azimuth_rad)[0]
    alone = HorizonSweep(near).horizon(azimuth_rad)[0]
    error = np.degrees(np.arctan(with_far) - np.arctan(expected))
    assert np.sqrt(np.mean(error**2)) < 0.1
    missed = np.degrees(np.arctan(alone) - np.arctan(expected))
    assert np.sqrt(np.mean(missed**2)) > 5.0 * np.sqrt(np.mean(error**2))
    inner = error[60:-60, 60:-60]
    border = np.concatenate([error[:20].ravel(), error[-20:].ravel(), error[:, :20].ravel(), error[:, -20:].ravel()])
    assert abs(np.median(border)) < 0.01
    assert np.abs(inner).mean() < 0.05


@pytest.mark.parametrize("azimuth_rad", [0.0, 0.9, 2.8, 4.4])
def test_smooth_sphere_has_no_seam(azimuth_rad):
    """On a sphere of constant height the dip is the same everywhere, over the border too."""
    near = Terrain(np.full((200, 240), 1500.0, np.float32), -30_000.0, 20_000.0, 240.0)
    far = Terrain(np.full((300, 300), 1500.0, np.float32), -72_000.0, 72_000.0, 480.0)
    horizon = HorizonSweep(near, far, observer_heights_m=(50.0,)).horizon(azimuth_rad)[0].astype(float)
    dip = -math.sqrt((1.0 + 50.0 / (MOON_RADIUS_M + 1500.0)) ** 2 - 1.0)
    assert np.allclose(horizon, dip, rtol=1e-3)


def test_far_field_against_brute_force(fine):
    whole, coarse = fine
    assert_accurate(errors_deg(window(whole, 350, 300), coarse, azimuths=6, pixels=100)[0])


def test_far_field_is_not_used_inside_the_near_footprint():
    near = Terrain(np.zeros((100, 100), np.float32), -12_000.0, 12_000.0, 240.0)
    false_peaks = np.zeros((100, 100), np.float32)
    false_peaks[27:73, 27:73] = 3000.0
    far = Terrain(false_peaks, -24_000.0, 24_000.0, 480.0)
    assert (HorizonSweep(near, far).horizon(0.5)[0] <= 0.0).all()
