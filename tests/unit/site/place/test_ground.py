"""Contiguous good ground, spaced best places, and the ground that belongs to each."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lunarsite.grid import MOON_RADIUS_M, Cells, Grid, scale_factor
from lunarsite.site.place.ground import apart, best_places, good_ground, outline, pieces, unit_vectors

CELLS = Cells(Grid.centred(9_600.0, 960.0, 960.0), 960.0, 89.6)
SHAPE = CELLS.kept.shape


def probabilities(picture: str) -> NDArray[np.float64]:
    """Probability by cell id from a picture around the pole: '#' good, '.' poor, '?' unknown."""
    values = np.full(SHAPE, 0.1)
    rows = [row.strip() for row in picture.strip().splitlines()]
    top, left = (SHAPE[0] - len(rows)) // 2, (SHAPE[1] - len(rows[0])) // 2
    for i, row in enumerate(rows):
        for j, sign in enumerate(row):
            values[top + i, left + j] = {"#": 0.9, ".": 0.1, "?": math.nan}[sign]
    return values[CELLS.kept]


def distance_m(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(MOON_RADIUS_M * np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b))


def test_corners_do_not_join_and_unknown_ground_is_not_good() -> None:
    ground = good_ground(CELLS, probabilities("##...\n##...\n..##?\n..#.#"), 0.5)
    assert ground.ids.size == 8
    assert ground.components == 3
    assert np.unique(ground.component, return_counts=True)[1].tolist() == [4, 3, 1]
    # By falling area, wherever the piece lies.
    turned = good_ground(CELLS, probabilities("...#.\n##..#\n##..#"), 0.5)
    assert turned.component.tolist() == [3, 1, 1, 2, 1, 1, 2]
    assert (np.diff(turned.area_km2[np.argsort(turned.component)]) <= 1e-9).all()


def test_area_is_true_area_of_the_whole_piece() -> None:
    ground = good_ground(CELLS, probabilities("###"), 0.5)
    x_m, y_m = CELLS.centres_m()
    own = (960.0 / scale_factor(x_m[ground.ids], y_m[ground.ids])) ** 2
    np.testing.assert_allclose(ground.area_km2, own.sum() / 1e6)
    assert ground.of(np.array([True, False, False])).area_km2 == pytest.approx(own.sum() / 1e6)


def test_the_least_probability_itself_is_good() -> None:
    assert good_ground(CELLS, np.full(CELLS.count, 0.5), 0.5).ids.size == CELLS.count
    empty = good_ground(CELLS, np.full(CELLS.count, np.nan), 0.5)
    assert (empty.ids.size, empty.components) == (0, 0)
    assert best_places(np.zeros(0), empty.unit, 1_000.0, 5).size == 0
    assert pieces(empty, np.zeros(0, dtype=np.int64), 1_000.0) == []


@given(st.integers(0, 2**32 - 1), st.floats(500.0, 9_000.0), st.integers(1, 30))
def test_places_are_spaced_the_best_is_first_and_none_is_left_out(seed: int, spacing_m: float, most: int) -> None:
    draws = np.random.default_rng(seed)
    merit = draws.integers(0, 9, CELLS.count).astype(float)
    unit = unit_vectors(*CELLS.centres_lonlat())
    chosen = best_places(merit, unit, spacing_m, most)
    assert 1 <= chosen.size <= most
    assert merit[chosen[0]] == merit.max()
    assert (np.diff(merit[chosen]) <= 0.0).all()
    apart = [distance_m(unit[a], unit[b]) for i, a in enumerate(chosen) for b in chosen[:i]]
    assert min(apart, default=math.inf) >= spacing_m * (1.0 - 1e-9)
    if chosen.size < most:
        # Each other place lies too near a chosen one that is at least as good.
        near = (
            MOON_RADIUS_M * 2.0 * np.arcsin(0.5 * np.linalg.norm(unit[:, None] - unit[None, chosen], axis=2))
            < spacing_m
        )
        assert (near & (merit[chosen][None, :] >= merit[:, None])).any(axis=1).all()


@given(st.integers(0, 2**32 - 1), st.floats(1_000.0, 6_000.0), st.floats(0.0, 2_000.0))
def test_the_spacing_is_that_of_where_sites_settle(seed: int, spacing_m: float, astray_m: float) -> None:
    draws = np.random.default_rng(seed)
    merit, unit = draws.uniform(size=CELLS.count), unit_vectors(*CELLS.centres_lonlat())
    settled: list[NDArray[np.float64]] = []

    def settle(place: int, taken: NDArray[np.float64]) -> NDArray[np.float64] | None:
        near = unit[place] + draws.uniform(-1.0, 1.0, (6, 3)) * astray_m / MOON_RADIUS_M
        near /= np.linalg.norm(near, axis=1, keepdims=True)
        free = near[apart(near, taken, spacing_m)]
        if not len(free):
            return None
        settled.append(free[0])
        return free[0]

    chosen = best_places(merit, unit, spacing_m, 40, settle)
    assert chosen.size == len(settled)
    assert np.unique(chosen).size == chosen.size
    gaps = [distance_m(a, b) for i, a in enumerate(settled) for b in settled[:i]]
    assert min(gaps, default=math.inf) >= spacing_m * (1.0 - 1e-9)


def test_equal_merits_go_by_cell() -> None:
    unit = unit_vectors(*CELLS.centres_lonlat())
    assert best_places(np.ones(CELLS.count), unit, 1.0, 3).tolist() == [0, 1, 2]


@given(st.integers(0, 2**32 - 1), st.floats(1_000.0, 8_000.0))
def test_pieces_are_contiguous_apart_and_within_reach(seed: int, spacing_m: float) -> None:
    draws = np.random.default_rng(seed)
    ground = good_ground(CELLS, draws.uniform(0.0, 1.0, CELLS.count), 0.35)
    chosen = best_places(draws.uniform(size=ground.ids.size), ground.unit, spacing_m, 12)
    found = pieces(ground, chosen, spacing_m)
    taken = np.concatenate([piece.ids for piece in found])
    assert np.unique(taken).size == taken.size
    unit = unit_vectors(*CELLS.centres_lonlat())
    component = dict(zip(ground.ids.tolist(), ground.component.tolist(), strict=True))
    x_m, y_m = CELLS.centres_m()
    for place, piece in zip(chosen, found, strict=True):
        assert piece.best == ground.ids[place]
        assert piece.best in piece.ids
        assert {component[cell] for cell in piece.ids.tolist()} == {int(ground.component[place])}
        assert all(distance_m(unit[piece.best], unit[cell]) <= spacing_m * (1.0 + 1e-9) for cell in piece.ids)
        shape = outline(x_m[piece.ids], y_m[piece.ids], 960.0)
        assert shape.is_valid
        assert shape.geom_type == "Polygon"
        assert shape.area == pytest.approx(piece.ids.size * 960.0**2)


def test_ground_goes_to_the_nearest_place_of_its_own_piece() -> None:
    ground = good_ground(CELLS, probabilities("#######.#\n........#"), 0.5)
    # Best places: both ends of the lane; the short piece beside it has none.
    lane = np.flatnonzero(ground.component == 1)
    found = pieces(ground, np.array([lane[0], lane[6]]), 20_000.0)
    assert [piece.ids.size for piece in found] == [4, 3]  # the middle cell is equally near to both: the better has it
    capped = pieces(ground, np.array([lane[0]]), 2_000.0)
    assert capped[0].ids.size == 3


def test_a_part_that_another_place_cuts_off_is_left_out() -> None:
    # The lower left end is nearest to the first place as the crow flies, but is cut off from it by the second's ground.
    ground = good_ground(CELLS, probabilities("#....\n#####\n....#\n#####"), 0.5)
    ids = ground.ids.tolist()
    rows, cols = np.unravel_index(np.flatnonzero(CELLS.kept.ravel())[ground.ids], SHAPE)
    first = int(np.flatnonzero((rows == rows.min() + 1) & (cols == cols.min()))[0])
    second = int(np.flatnonzero((rows == rows.min() + 2) & (cols == cols.max()))[0])
    found = pieces(ground, np.array([first, second]), 20_000.0)
    lower_left = ids[int(np.flatnonzero((rows == rows.max()) & (cols == cols.min()))[0])]
    assert lower_left not in np.concatenate([piece.ids for piece in found])


def test_an_outline_keeps_its_holes() -> None:
    ground = good_ground(CELLS, probabilities("###\n#.#\n###"), 0.5)
    x_m, y_m = CELLS.centres_m()
    shape = outline(x_m[ground.ids], y_m[ground.ids], 960.0)
    assert len(shape.interiors) == 1
    assert shape.area == pytest.approx(8 * 960.0**2)
