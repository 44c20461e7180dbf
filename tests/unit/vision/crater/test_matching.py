"""One-to-one matching on the sphere."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunarsite.grid import MOON_RADIUS_M, lonlat_to_xy
from lunarsite.vision.crater.matching import (
    NOTHING,
    Circles,
    Pairs,
    admissible,
    arc_m,
    assign,
    match,
    neighbours,
    sphere_points,
)


def circles(*rows: tuple[float, float, float]) -> Circles:
    return Circles(*np.array(rows, dtype=np.float64).reshape(-1, 3).T)


crowd = st.lists(
    st.tuples(st.floats(-3000, 3000), st.floats(-3000, 3000), st.floats(2000, 9000)), min_size=0, max_size=5
).map(lambda rows: circles(*rows))


def best_by_hand(pairs: Pairs, detections: int, truths: int) -> tuple[int, float]:
    """Most pairs and their least cost, by trying everything."""
    cost = {(int(d), int(t)): float(c) for d, t, c in zip(pairs.detection, pairs.truth, pairs.cost, strict=True)}
    slots = [*range(truths), *[None] * detections]
    best = (0, 0.0)
    for choice in permutations(slots, detections):
        used = [(d, t) for d, t in enumerate(choice) if t is not None and (d, t) in cost]
        if any(t is not None and (d, t) not in cost for d, t in enumerate(choice)):
            continue
        found = (len(used), sum(cost[pair] for pair in used))
        best = max(best, found, key=lambda one: (one[0], -one[1]))
    return best


@settings(max_examples=60, deadline=None)
@given(detected=crowd.filter(lambda c: len(c) <= 4), catalogue=crowd.filter(lambda c: len(c) <= 4))
def test_as_many_pairs_as_possible_and_of_those_the_closest(detected: Circles, catalogue: Circles) -> None:
    pairs = admissible(detected, catalogue, 1.2, 0.8)
    partner = assign(pairs, len(detected), len(catalogue))
    cost = {(int(d), int(t)): float(c) for d, t, c in zip(pairs.detection, pairs.truth, pairs.cost, strict=True)}
    chosen = [(d, int(t)) for d, t in enumerate(partner) if t != NOTHING]
    count, least = best_by_hand(pairs, len(detected), len(catalogue))
    assert len(chosen) == count
    assert sum(cost[pair] for pair in chosen) == pytest.approx(least, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(detected=crowd, catalogue=crowd)
def test_nothing_is_used_twice_and_every_pair_is_admissible(detected: Circles, catalogue: Circles) -> None:
    partner = match(detected, catalogue)
    used = partner[partner != NOTHING]
    assert np.unique(used).size == used.size
    for d, t in enumerate(partner):
        if t == NOTHING:
            continue
        apart = arc_m(
            np.linalg.norm(
                sphere_points(detected.x_m, detected.y_m)[d] - sphere_points(catalogue.x_m, catalogue.y_m)[t]
            )
        )
        assert apart < 0.25 * catalogue.diameter_m[t]
        assert abs(detected.diameter_m[d] / catalogue.diameter_m[t] - 1.0) < 0.35


@settings(max_examples=40, deadline=None)
@given(detected=crowd, catalogue=crowd, data=st.data())
def test_fewer_detections_never_find_more(detected: Circles, catalogue: Circles, data: st.DataObject) -> None:
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=len(detected), max_size=len(detected))), dtype=bool)
    pairs = admissible(detected, catalogue)
    whole = assign(pairs, len(detected), len(catalogue))
    part = assign(pairs.of(kept), len(detected), len(catalogue))
    assert (part != NOTHING).sum() <= (whole != NOTHING).sum()
    assert not (part[~kept] != NOTHING).any()


def test_borders_of_the_tolerances() -> None:
    truth = circles((0.0, 0.0, 10_000.0))
    for x_m, diameter_m, found in (
        (2_499.0, 10_000.0, True),
        (2_501.0, 10_000.0, False),
        (0.0, 13_499.0, True),
        (0.0, 13_501.0, False),
        (0.0, 6_501.0, True),
        (0.0, 6_499.0, False),
    ):
        assert bool(match(circles((x_m, 0.0, diameter_m)), truth)[0] == 0) is found


def test_distances_are_those_on_the_sphere() -> None:
    # One degree of longitude at 60 degrees of latitude, where the map is enlarged by 7 %.
    lon, lat = np.array([10.0, 11.0]), np.array([-60.0, -60.0])
    x, y = lonlat_to_xy(lon, lat)
    places = Circles(x, y, np.full(2, 1000.0))
    first, second, distance_m = neighbours(places, places, np.full(2, 100_000.0))
    apart = distance_m[(first == 0) & (second == 1)]
    half = np.sin(np.radians(0.5)) * np.cos(np.radians(60.0))
    assert apart[0] == pytest.approx(2.0 * MOON_RADIUS_M * np.arcsin(half), rel=1e-9)


def test_a_close_pair_gives_way_for_a_second_pair() -> None:
    # The first detection is nearest to the first crater, but the second detection has no other choice.
    truths = circles((0.0, 0.0, 4_000.0), (900.0, 0.0, 4_000.0))
    found = circles((100.0, 0.0, 4_000.0), (-900.0, 0.0, 4_000.0))
    assert match(found, truths).tolist() == [1, 0]


def test_nothing_to_match() -> None:
    one, none = circles((0.0, 0.0, 1000.0)), circles()
    assert match(one, none).tolist() == [NOTHING]
    assert match(none, one).size == 0
    assert match(none, none).size == 0


def test_many_craters_take_little_time() -> None:
    rng = np.random.default_rng(0)
    truth = Circles(*rng.uniform(-3e5, 3e5, (2, 20_000)), 1000.0 * rng.uniform(1.0, 5.0, 20_000))
    kept = rng.permutation(20_000)[:10_000]
    moved = Circles(truth.x_m[kept] + 50.0, truth.y_m[kept], 1.05 * truth.diameter_m[kept])
    partner = match(moved, truth)
    assert (partner == kept).mean() > 0.97
    assert (partner != NOTHING).all()
