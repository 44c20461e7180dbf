from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity
from shapely.geometry import MultiPolygon, Polygon

from lunarsite.grid import MOON_RADIUS_M, lonlat_to_xy, xy_to_lonlat
from lunarsite.site.place.regions import inside
from lunarsite.validate import nulls

ANGLES = nulls.sorted_angles(300, 5)


def turned_sum(ground: MultiPolygon, x: np.ndarray, y: np.ndarray, weight: np.ndarray, angle: float) -> float:
    turned = affinity.rotate(ground, angle, origin=(0.0, 0.0), use_radians=True)
    return float(weight[inside(turned, x, y)].sum())


def test_p_value_counts_ties_and_never_is_zero() -> None:
    null = nulls.compare(3.0, np.array([1.0, 2.0, 3.0, 4.0]))
    assert null.p == pytest.approx((2 + 1) / (4 + 1))
    assert nulls.compare(9.0, np.zeros(99)).p == pytest.approx(0.01)
    assert (null.median, null.draws) == (2.5, 4)


@pytest.mark.parametrize("draws", [[], [1.0, float("nan")]])
def test_a_null_needs_finite_draws(draws: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        nulls.compare(1.0, np.array(draws))


GROUNDS = {
    "beside the pole": Polygon([(10, 5), (20, 4), (22, 15), (9, 14)]),
    "around the pole": Polygon([(-10, -12), (15, -9), (12, 16), (-14, 11)]),
    "concave": Polygon([(5, 5), (25, 5), (25, 25), (15, 10), (5, 25)]),
    "with a hole": Polygon([(4, 4), (30, 4), (30, 30), (4, 30)], [[(10, 10), (20, 10), (20, 20), (10, 20)]]),
    "clockwise": Polygon([(9, 14), (22, 15), (20, 4), (10, 5)]),
    "touching the pole": Polygon([(0, 0), (20, 0), (20, 20)]),
}


@pytest.mark.parametrize("ground", GROUNDS.values(), ids=GROUNDS.keys())
def test_exact_turning_equals_turned_polygons(ground: Polygon) -> None:
    generator = np.random.default_rng(1)
    x, y = generator.uniform(-40.0, 40.0, (2, 500))
    weight = generator.uniform(0.5, 2.0, 500)
    whole = MultiPolygon([ground])
    found = nulls.weight_inside(whole, x, y, weight, ANGLES)
    for index in range(0, ANGLES.size, 7):
        assert found[index] == pytest.approx(turned_sum(whole, x, y, weight, ANGLES[index]), abs=1e-8)


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=3, max_size=8), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_exact_turning_holds_for_any_hull(corners: list[tuple[float, float]], seed: int) -> None:
    hull = MultiPolygon([p] if isinstance(p := Polygon(corners).convex_hull, Polygon) and p.area > 1.0 else [])
    generator = np.random.default_rng(seed)
    x, y = generator.uniform(-60.0, 60.0, (2, 60))
    found = nulls.weight_inside(hull, x, y, np.ones(60), ANGLES)
    for index in (0, 100, 299):
        assert found[index] == pytest.approx(turned_sum(hull, x, y, np.ones(60), ANGLES[index]), abs=1e-8)


def test_a_full_turn_keeps_the_mean_of_a_ring() -> None:
    # Places spread evenly on one circle hold the same weight inside at every angle, up to their spacing.
    theta = np.linspace(0.0, 2.0 * math.pi, 3600, endpoint=False)
    ground = MultiPolygon([GROUNDS["beside the pole"]])
    held = nulls.weight_inside(ground, 15.0 * np.cos(theta), 15.0 * np.sin(theta), np.ones(3600), ANGLES)
    assert np.ptp(held) <= 2.0


def test_centres_matched_by_turning_equal_great_circle_distances() -> None:
    generator = np.random.default_rng(3)
    lon, lat = generator.uniform(-180.0, 180.0, 40), generator.uniform(-89.9, -84.0, 40)
    centres = np.column_stack([generator.uniform(-180.0, 180.0, 6), generator.uniform(-89.99, -84.0, 6)])
    found = nulls.matched_by_rotation(centres, lon, lat, 20_000.0, ANGLES)
    for index in range(0, ANGLES.size, 11):
        turned = centres + np.array([math.degrees(ANGLES[index]), 0.0])
        assert found[index] == nulls.near_any(turned, lon, lat, 20_000.0).any(axis=0).sum()


def test_a_centre_near_the_pole_is_matched_at_every_angle() -> None:
    centres = np.array([[0.0, -89.99]])
    found = nulls.matched_by_rotation(centres, np.array([170.0]), np.array([-89.98]), 5_000.0, ANGLES)
    assert found.tolist() == [1.0] * ANGLES.size


def test_near_any_measures_on_the_sphere() -> None:
    reach = math.radians(1.0) * MOON_RADIUS_M
    places = np.array([-88.99, -89.01, -90.0, -87.01, -86.99])
    near = nulls.near_any(np.array([[10.0, -88.0]]), np.full(5, 10.0), places, reach)
    assert near[:, 0].tolist() == [True, False, False, True, False]


def test_random_cells_hold_the_base_rate_on_average() -> None:
    held = np.arange(1000) < 137
    shares = nulls.random_shares(np.ones(1000), held, 100, 2000, 1)
    # Hypergeometric: mean 0.137, standard deviation sqrt(0.137 * 0.863 / 100 * 900 / 999).
    spread = math.sqrt(0.137 * 0.863 / 100.0 * 900.0 / 999.0)
    assert shares.mean() == pytest.approx(0.137, abs=4.0 * spread / math.sqrt(2000.0))
    assert shares.std() == pytest.approx(spread, rel=0.08)


def test_random_cells_match_nearly_every_centre_of_nine() -> None:
    # The density of 1000 cells on the cap of 80 S puts 2.45 of them within 15 km of any place: 91 % are matched.
    generator = np.random.default_rng(0)
    lon, lat = generator.uniform(-180, 180, 9), generator.uniform(-88.0, -83.5, 9)
    z = generator.uniform(-1.0, -math.cos(math.radians(10.0)), 50_000)
    everywhere = np.degrees(np.arcsin(z))
    near = nulls.near_any(np.column_stack([lon, lat]), generator.uniform(-180, 180, 50_000), everywhere, 15_000.0)
    assert nulls.random_matches(near, 1000, 300, 2).mean() == pytest.approx(9 * 0.914, abs=0.35)


def test_the_same_seed_gives_the_same_draws() -> None:
    held = np.arange(50) % 3 == 0
    once, again, other = (nulls.random_shares(np.ones(50), held, 10, 50, seed) for seed in (1, 1, 2))
    assert (once == again).all()
    assert not (once == other).all()


def test_map_turns_are_turns_about_the_pole() -> None:
    x, y = lonlat_to_xy(30.0, -86.0)
    turned = math.radians(40.0)
    around = x * math.cos(turned) - y * math.sin(turned), x * math.sin(turned) + y * math.cos(turned)
    lon, lat = xy_to_lonlat(*around)
    assert (float(lon), float(lat)) == (pytest.approx(-10.0), pytest.approx(-86.0))
