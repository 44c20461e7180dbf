import numpy as np
import pytest

from lunarsite.grid import lonlat_to_xy, scale_factor
from lunarsite.source.features import Feature
from lunarsite.source.population import LARGE_M, cumulative_per_m2, large_craters, small_craters

# N(>=D) per million km2 of LU1319381 poleward of 75 S.
CATALOGUE = {1e3: 38_995, 2e3: 14_059, 3e3: 7_215, 5e3: 2_361, 10e3: 659, 20e3: 226, 50e3: 65}
BOX = (-300e3, -300e3, 300e3, 300e3)


def true_area_m2(box: tuple[float, float, float, float]) -> float:
    axis_x, axis_y = np.linspace(box[0], box[2], 201), np.linspace(box[1], box[3], 201)
    return float(
        np.mean(scale_factor(axis_x[None, :], axis_y[:, None]) ** -2.0) * (box[2] - box[0]) * (box[3] - box[1])
    )


@pytest.fixture(scope="module")
def small():
    return small_craters(BOX, seed=1, pole="south", density=1.0, min_diameter_m=1_000.0, margin=0.0)


@pytest.fixture(scope="module")
def large(features):
    return large_craters(600e3, features, seed=1, pole="south", density=1.0)


@pytest.mark.parametrize("diameter_m", CATALOGUE)
def test_cumulative_count_is_the_catalogue_s(diameter_m: float) -> None:
    assert float(cumulative_per_m2(diameter_m)) * 1e12 == pytest.approx(CATALOGUE[diameter_m])


def test_small_craters_follow_the_catalogue(small) -> None:
    for low, high in ((1e3, 2e3), (2e3, 3e3)):
        wanted = (CATALOGUE[low] - CATALOGUE[high]) * 1e-12 * true_area_m2(BOX)
        found = np.count_nonzero((small.diameter_m >= low) & (small.diameter_m < high))
        assert abs(found - wanted) < 4.0 * np.sqrt(wanted)


def test_counts_are_per_true_area_not_per_map_area() -> None:
    box = (300e3, 300e3, 700e3, 700e3)  # the map shows this ground a tenth too large
    far = small_craters(box, seed=1, pole="south", density=1.0, min_diameter_m=1_000.0, margin=0.0)
    wanted = (CATALOGUE[1e3] - float(cumulative_per_m2(LARGE_M)) * 1e12) * 1e-12 * true_area_m2(box)
    assert abs(len(far) - wanted) < 3.0 * np.sqrt(wanted)


def test_large_craters_follow_the_catalogue_with_the_named_ones_among_them(large) -> None:
    craters, _ = large
    area = true_area_m2((-600e3, -600e3, 600e3, 600e3))
    for low, high in ((5e3, 10e3), (10e3, 20e3), (20e3, 50e3)):
        wanted = (CATALOGUE[low] - CATALOGUE[high]) * 1e-12 * area
        found = np.count_nonzero((craters.diameter_m >= low) & (craters.diameter_m < high))
        assert abs(found - wanted) < 4.0 * np.sqrt(wanted)


@pytest.mark.parametrize(
    ("low", "high", "quantiles"),
    [(1e3, 1.5e3, (0.037, 0.059, 0.104)), (2e3, 3e3, (0.042, 0.072, 0.112)), (3e3, 4e3, (0.041, 0.077, 0.130))],
)
def test_depths_follow_the_catalogue(small, low: float, high: float, quantiles: tuple[float, ...]) -> None:
    chosen = small.take((small.diameter_m >= low) & (small.diameter_m < high))
    found = np.percentile(chosen.depth_m / chosen.diameter_m, (10, 50, 90))
    assert found == pytest.approx(quantiles, rel=0.08)


def test_a_window_sees_the_same_craters_as_the_whole(small) -> None:
    window = (-40e3, 10e3, 55e3, 70e3)
    part = small_craters(window, seed=1, pole="south", density=1.0, min_diameter_m=1_000.0, margin=0.0)
    inside = (small.x_m > window[0]) & (small.x_m < window[2]) & (small.y_m > window[1]) & (small.y_m < window[3])
    assert len(part) > 100
    assert np.array_equal(part.x_m, small.x_m[inside])
    assert np.array_equal(part.depth_m, small.depth_m[inside])


def test_the_smallest_diameter_does_not_change_the_larger_ones(small) -> None:
    coarse = small_craters(BOX, seed=1, pole="south", density=1.0, min_diameter_m=1_700.0, margin=0.0)
    assert np.array_equal(coarse.x_m, small.x_m[small.diameter_m >= 1_700.0])


def test_margin_brings_in_craters_that_only_reach_in() -> None:
    window = (0.0, 0.0, 5e3, 5e3)
    knobs = {"seed": 1, "pole": "south", "density": 1.0, "min_diameter_m": 1_000.0}
    centres, reaching = small_craters(window, margin=0.0, **knobs), small_craters(window, margin=2.5, **knobs)
    assert len(reaching) > len(centres)
    gap = np.maximum(np.maximum(-reaching.x_m, reaching.x_m - 5e3), np.maximum(-reaching.y_m, reaching.y_m - 5e3))
    assert (gap < 1.25 * reaching.diameter_m * 1.01).all()


def test_density_scales_counts_and_zero_leaves_the_named(features) -> None:
    craters, names = large_craters(600e3, features, seed=1, pole="south", density=0.0)
    assert len(craters) > 50
    assert all(names)
    knobs = {"seed": 1, "pole": "south", "min_diameter_m": 1_000.0, "margin": 0.0}
    assert len(small_craters(BOX, density=0.0, **knobs)) == 0
    ratio = len(small_craters(BOX, density=2.0, **knobs)) / len(small_craters(BOX, density=1.0, **knobs))
    assert ratio == pytest.approx(2.0, rel=0.05)


def test_named_craters_stand_where_they_are(large) -> None:
    craters, names = large
    index = names.index("Shackleton")
    assert (craters.x_m[index], craters.y_m[index]) == pytest.approx(
        tuple(float(value) for value in lonlat_to_xy(129.78, -89.67))
    )
    assert craters.diameter_m[index] == 20_900.0


def test_no_random_crater_of_its_size_wrecks_a_named_one(large) -> None:
    craters, names = large
    named = np.array([bool(name) for name in names])
    for index in np.flatnonzero(named):
        gap = np.hypot(craters.x_m - craters.x_m[index], craters.y_m - craters.y_m[index])
        rivals = ~named & (craters.diameter_m > 0.3 * craters.diameter_m[index])
        assert (gap[rivals] >= 0.5 * craters.diameter_m[index]).all()


def test_large_craters_come_largest_first_and_no_smaller_than_the_limit(large) -> None:
    craters, _ = large
    assert (np.diff(craters.diameter_m) <= 0).all()
    assert craters.diameter_m.min() >= LARGE_M


def test_the_north_has_no_southern_names() -> None:
    crater = Feature("Somewhere", "crater", -89.0, 10.0, 20e3, 3e3, "a test")
    assert "Somewhere" in large_craters(600e3, (crater,), seed=1, pole="south", density=0.1)[1]
    assert "Somewhere" not in large_craters(600e3, (crater,), seed=1, pole="north", density=0.1)[1]
