"""Closeness of two sets of places: known answers, and chance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, box

from lunarsite.grid import MOON_RADIUS_M, lonlat_to_xy
from lunarsite.validate import nulls
from lunarsite.validate.site_points import (
    PRECISION,
    RECALL,
    TO_CHOSEN,
    TO_TARGET,
    Chosen,
    Finding,
    Ground,
    Points,
    Pool,
    agree,
    distances_m,
    measured,
    measures,
)

from .places import CELLS

ANGLES = nulls.sorted_angles(400, 5)
DRAWS = (ANGLES, 100, 3)
EVERYWHERE = Ground(CELLS, np.ones(CELLS.count, dtype=bool))
KM = (2.0, 5.0)


def at(lon_deg: list[float] | NDArray[np.float64], lat_deg: list[float] | NDArray[np.float64]) -> Points:
    return Points(*lonlat_to_xy(np.asarray(lon_deg), np.asarray(lat_deg)))


def scattered(seed: int, count: int = 30) -> Points:
    rng = np.random.default_rng(seed)
    return at(rng.uniform(-180.0, 180.0, count), rng.uniform(-89.5, -87.3, count))


def by_name(findings: list[Finding]) -> dict[tuple[str, float | None], Finding]:
    return {(found.measure, found.distance_km): found for found in findings}


@given(st.tuples(*[st.floats(-180.0, 180.0)] * 2), st.tuples(*[st.floats(-90.0, -60.0)] * 2))
@settings(max_examples=80, deadline=None)
def test_distances_are_great_circles_at_either_pole(lon: tuple[float, float], lat: tuple[float, float]) -> None:
    (a, b), (c, d) = np.radians(lon), np.radians(lat)
    # The haversine formula.
    half = math.sin(0.5 * (d - c)) ** 2 + math.cos(c) * math.cos(d) * math.sin(0.5 * (b - a)) ** 2
    expected = 2.0 * MOON_RADIUS_M * math.asin(math.sqrt(min(half, 1.0)))
    south = distances_m(at([lon[0]], [lat[0]]), at([lon[1]], [lat[1]]))[0, 0]
    x, y = lonlat_to_xy(np.array(lon), -np.array(lat), "north")
    north = distances_m(Points(x[:1], y[:1]), Points(x[1:], y[1:]))[0, 0]
    assert south == pytest.approx(expected, abs=1e-3)
    assert north == pytest.approx(expected, abs=1e-3)


def test_a_set_against_itself_agrees_wholly_and_by_more_than_chance() -> None:
    places = scattered(1)
    found = by_name(agree(places, Chosen("top", "sites", places), EVERYWHERE, KM, DRAWS))
    assert list(found) == measures(KM)
    for km in KM:
        for measure in (RECALL, PRECISION):
            one = found[measure, km]
            assert one.value == 1.0
            assert one.rotation is not None
            # Turns by less than the distance keep all pairs.
            assert one.rotation.p < 0.05
    for measure in (TO_CHOSEN, TO_TARGET):
        one = found[measure, None]
        assert one.value == 0.0
        assert one.rotation is not None
        assert one.rotation.low > 0.0
        assert one.rotation.p == pytest.approx(1.0 / (ANGLES.size + 1))


def test_recall_and_precision_are_of_either_side() -> None:
    # Four targets 10 km apart; one chosen place 1 km from the first, one 4 km from the second, one far from all.
    degree_m = math.radians(1.0) * MOON_RADIUS_M
    lat = -88.0 + np.array([0.0, 10.0, 20.0, 30.0]) * 1000.0 / degree_m
    targets = at(np.zeros(4), lat)
    chosen = at([0.0, 0.0, 180.0], [lat[0] - 1000.0 / degree_m, lat[1] + 4000.0 / degree_m, -87.5])
    values = measured(targets, chosen, (2.0, 5.0))
    recall_2, recall_5, precision_2, precision_5, to_chosen, to_target = values
    assert (recall_2, recall_5) == (0.25, 0.5)
    assert (precision_2, precision_5) == pytest.approx((1.0 / 3.0, 2.0 / 3.0))
    # From the targets: 1, 4, 6 and 16 km; from the chosen places: 1, 4 and more than 100 km.
    assert to_chosen == pytest.approx(5.0, abs=1e-6)
    assert to_target == pytest.approx(4.0, abs=1e-6)


def test_the_rotation_null_of_one_pair_is_an_arc() -> None:
    # A place at the same latitude lies within d after turning by less than an angle known beforehand.
    lat, km = -88.0, 20.0
    one = at([0.0], [lat])
    half = math.asin(math.sin(0.5 * km * 1000.0 / MOON_RADIUS_M) / math.cos(math.radians(lat))) * 2.0
    angles = nulls.sorted_angles(4_000, 9)
    found = by_name(agree(one, Chosen("top", "site", one), EVERYWHERE, (km,), (angles, 100, 1)))[RECALL, km]
    assert found.rotation is not None
    expected = 2.0 * half / (2.0 * math.pi)
    assert found.rotation.p == pytest.approx(expected, abs=4.0 * math.sqrt(expected / 4_000))


def test_a_turned_set_agrees_as_chance_does() -> None:
    places = scattered(2, 60)
    p = []
    for seed in range(10):
        angle = float(np.random.default_rng(seed).uniform(0.3, 6.0))
        found = by_name(agree(places, Chosen("top", "sites", places.turned(angle)), EVERYWHERE, (5.0,), DRAWS))
        rotation = found[RECALL, 5.0].rotation
        assert rotation is not None
        p.append(rotation.p)
    assert np.mean(p) > 0.25
    assert min(p) > 1.0 / (ANGLES.size + 1)


@given(st.integers(0, 10_000), st.floats(0.0, 6.2))
@settings(max_examples=25, deadline=None)
def test_turning_both_sets_changes_nothing(seed: int, angle: float) -> None:
    one, other = scattered(seed, 12), scattered(seed + 1, 9)
    before, after = (measured(*pair, KM) for pair in ((one, other), (one.turned(angle), other.turned(angle))))
    np.testing.assert_allclose(before, after, atol=1e-6)
    swapped = measured(other, one, KM)
    np.testing.assert_allclose(swapped[:4], before[[2, 3, 0, 1]], atol=1e-12)


def test_ground_that_is_left_out_drops_targets_and_chosen_alike() -> None:
    targets = Points(np.array([30e3, -30e3, 0.0]), np.array([0.0, 0.0, 50e3]))
    chosen = Points(np.array([30e3, -30e3]), np.array([500.0, 30e3]))
    left_out = MultiPolygon([box(20e3, -10e3, 40e3, 10e3)])
    found = by_name(
        agree(targets, Chosen("top", "sites", chosen), Ground(CELLS, EVERYWHERE.known, left_out), KM, DRAWS)
    )
    # The first target and the only site close to one are gone.
    assert found[RECALL, 2.0].value == 0.0
    whole = by_name(agree(targets, Chosen("top", "sites", chosen), EVERYWHERE, KM, DRAWS))
    assert whole[RECALL, 2.0].value == pytest.approx(1.0 / 3.0)


def test_turns_onto_unknown_ground_do_not_count() -> None:
    x = CELLS.centres_m()[0]
    half = Ground(CELLS, x > 0.0)
    places = at([80.0, 85.0, 95.0, 100.0], [-88.0, -88.5, -88.2, -87.8])
    found = by_name(agree(places, Chosen("top", "sites", places), half, KM, DRAWS))[RECALL, 2.0]
    assert found.value == 1.0
    assert found.rotation is not None
    assert 0.4 * ANGLES.size < found.rotation.draws < 0.6 * ANGLES.size
    few = by_name(agree(places, Chosen("top", "sites", places), half, KM, (ANGLES[::4], 100, 3)))[RECALL, 2.0]
    assert (few.value, few.rotation) == (1.0, None)
    assert "turns stay on known ground" in few.why


def test_random_targets_on_half_known_ground_agree_as_chance_does() -> None:
    # Turns that lose many of the places to unknown ground would find less: p would be too small.
    ground = Ground(CELLS, CELLS.centres_m()[0] > 0.0)

    def scattered_on_it(rng: np.random.Generator, count: int) -> Points:
        places = at(rng.uniform(0.0, 180.0, count), -90.0 + 3.0 * np.sqrt(rng.uniform(0.02, 0.9, count)))
        return places.take(ground.is_known(places))

    # Turns further than a right angle lose more than half of the places in any case.
    half_turns = np.random.default_rng(5).uniform(-0.5 * math.pi, 0.5 * math.pi, 1_000)
    angles, p = np.sort(np.mod(half_turns, 2.0 * math.pi)), []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        targets, chosen = scattered_on_it(rng, 25), scattered_on_it(rng, 40)
        found = by_name(agree(targets, Chosen("top", "sites", chosen), ground, (8.0,), (angles, 100, 1)))
        rotation = found[RECALL, 8.0].rotation
        assert rotation is not None
        p.append(rotation.p)
    assert 0.4 < np.mean(p) < 0.7
    assert np.mean(np.array(p) <= 0.25) < 0.35


def test_places_beside_the_map_leave_the_nulls_alone() -> None:
    # Three of five chosen places lie off the map: turns are counted by the two that do not.
    targets = scattered(6)
    near = targets.take(np.arange(2))
    mixed = Points(np.append(near.x_m, [4e5, 5e5, 6e5]), np.append(near.y_m, np.zeros(3)))
    whole, part = (
        by_name(agree(targets, Chosen("top", "sites", places), EVERYWHERE, KM, DRAWS)) for places in (near, mixed)
    )
    assert part == whole
    assert part[PRECISION, 2.0].value == 1.0


def test_nothing_to_compare_is_unknown() -> None:
    places, nowhere = scattered(4), Points(np.array([500e3]), np.array([0.0]))
    for targets, chosen, said in (
        (nowhere, places, "none of these places lies on known ground"),
        (places, nowhere, "none of the sites counts here"),
    ):
        findings = agree(targets, Chosen("top", "sites", chosen), EVERYWHERE, KM, DRAWS)
        assert {found.value for found in findings} == {None}
        assert all(said in found.why for found in findings)
    unmade = agree(places, Chosen("top", "sites", None, why="too few"), EVERYWHERE, KM, DRAWS)
    assert {found.why for found in unmade} == {"too few"}


def test_chance_draws_cells_of_the_same_groups_without_repeating_one() -> None:
    rng = np.random.default_rng(0)
    centres = Points(*CELLS.centres_m())
    group = np.where(centres.x_m > 0.0, "east", "west")
    pool = Pool(centres, group, "cells")
    for drawn in pool.draws({"east": 30, "west": 5}, 20, 7):
        assert int((drawn.x_m > 0.0).sum()) == 30
        assert len(set(zip(drawn.x_m.tolist(), drawn.y_m.tolist(), strict=True))) == 35
    assert pool.lacks({"east": 30}) == ""
    assert "north" in pool.lacks({"north": 1})
    chosen = Chosen("top", "sites", centres.take(rng.choice(len(centres), 35)), np.full(35, "east"), pool)
    found = by_name(agree(scattered(1), chosen, EVERYWHERE, (20.0,), DRAWS))[RECALL, 20.0]
    assert found.random is not None
    assert found.random.draws == 100
    few = Pool(centres.take(np.arange(40)), np.full(40, "east"), "cells")
    lacking = agree(scattered(1), Chosen("t", "s", chosen.places, chosen.group, few), EVERYWHERE, KM, DRAWS)[0]
    assert lacking.random is None
    assert "only 40 cells in east, 70 are needed" in lacking.why
