"""Places of scenes: one split each, and one ground for all that could overlap."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from lunarsite.grid import Grid
from lunarsite.illumination.light import scenes as light_scenes
from lunarsite.illumination.light.nested import BLEND_PX, Model
from lunarsite.illumination.light.places import (
    TEST,
    TRAINING,
    TURNS,
    VALIDATION,
    Place,
    Sectors,
    dealt,
    lattice_of,
    part,
    places,
)
from lunarsite.settings import LitScenesSettings
from lunarsite.validate.enhance_intervals import FEWEST_GROUNDS

from .grounds import model

SECTORS = Sectors((75.0, 115.0), (-180.0, 0.0))
COARSE = model(lambda x, y: 0.0 * x, 1_000.0, 512)
FINE_GRID = Grid(30_000.0, 40_000.0, 100.0, 300, 250)
FINE = Model(np.zeros(FINE_GRID.shape, np.float32), FINE_GRID)


def drawn(model: Model, seed: int = 0) -> list[Place]:
    lattice = lattice_of(COARSE.grid, 32)
    return list(places(model, lattice, 32, SECTORS, np.random.default_rng(seed)))


def test_a_tile_lies_in_the_sector_that_holds_it_whole() -> None:
    def split(x_m: float, y_m: float) -> int | None:
        return SECTORS.split(Grid(x_m, y_m, 100.0, 32, 32))

    assert split(-50_000.0, 0.0) == TEST
    assert split(50_000.0, 50_000.0) == TRAINING
    assert split(50_000.0, 1_600.0) == VALIDATION
    # Across longitude 0, across the validation sector's border, and over the pole.
    assert split(-1_000.0, 50_000.0) is None
    assert split(50_000.0, 15_000.0) is None
    assert split(-1_600.0, 1_600.0) is None


def test_the_tip_of_a_sector_inside_a_tile_is_seen() -> None:
    # The validation sector starts at the pole: all four corners of this tile lie outside it.
    assert Sectors((85.0, 95.0), (-180.0, 0.0)).split(Grid(0.5, 20_000.0, 1_250.0, 32, 32)) is None


def test_overlapping_places_are_of_one_ground_and_a_ground_of_one_split() -> None:
    found = drawn(FINE) + drawn(COARSE)
    boxes = [place.tile.bounds_m for place in found]
    for (one, a), (two, b) in itertools.combinations(zip(found, boxes, strict=True), 2):
        overlap = a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
        assert not overlap or (one.ground, one.split) == (two.ground, two.split)
    assert {place.split for place in found} == {TRAINING, VALIDATION, TEST}


def test_the_own_models_squares_come_once_each() -> None:
    tiles = [(place.tile.x_min_m, place.tile.y_max_m) for place in drawn(COARSE)]
    assert len(set(tiles)) == len(tiles) > 100
    assert all(x % 32_000.0 == 0.0 and y % 32_000.0 == 0.0 for x, y in tiles)


def test_places_keep_off_a_finer_models_rim_and_off_unknown_ground() -> None:
    holed = Model(FINE.height_m.copy(), FINE.grid)
    holed.height_m[:, :100] = np.nan
    found = drawn(holed)
    left, bottom, right, top = FINE.grid.bounds_m
    rim_m = BLEND_PX * FINE.grid.pixel_m
    assert len(found) > 20
    for place in found:
        box = place.tile.bounds_m
        assert box[0] >= left + 10_000.0
        assert box[2] <= right - rim_m
        assert bottom + rim_m <= box[1]
        assert box[3] <= top - rim_m


def test_the_draw_is_the_seeds() -> None:
    assert drawn(FINE, 5) == drawn(FINE, 5) != drawn(FINE, 6)


def test_a_model_smaller_than_a_tile_gives_none() -> None:
    grid = Grid(30_000.0, 40_000.0, 100.0, 40, 40)
    assert drawn(Model(np.zeros(grid.shape, np.float32), grid)) == []


def test_parts_of_a_grid() -> None:
    assert part(FINE_GRID, 10, 20, 32) == Grid(32_000.0, 39_000.0, 100.0, 32, 32)


def test_splits_take_turns_and_half_of_the_places_are_measured_on() -> None:
    splits = [place.split for place in itertools.islice(dealt(drawn(COARSE), lambda place: place), 12)]
    assert splits == 3 * list(TURNS)
    assert splits.count(TEST) == 6


def test_a_place_that_gives_nothing_costs_its_split_no_turn() -> None:
    tried: list[Place] = []

    def every_third_of_the_test(place: Place) -> Place | None:
        tried.append(place)
        tests = sum(one.split == TEST for one in tried)
        return place if place.split != TEST or tests % 3 == 0 else None

    splits = [place.split for place in itertools.islice(dealt(drawn(COARSE), every_third_of_the_test), 12)]
    assert splits == 3 * list(TURNS)
    assert len(tried) == 24
    assert len(set(map(str, tried))) == 24, "none is tried twice"


def test_a_split_without_places_leaves_its_turns_to_the_others() -> None:
    found = [place for place in drawn(COARSE) if place.split != VALIDATION]
    splits = [place.split for place in dealt(found, lambda place: place)]
    assert sorted(splits) == sorted(place.split for place in found)
    assert splits[:6] == [TEST, TEST, TRAINING] * 2
    assert list(dealt([], lambda place: place)) == []


def test_default_settings_give_ground_enough_to_claim_something(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run's own model alone, of which every other place has no shadow with light in it."""
    served = np.random.default_rng(0)

    def some(ground: object, number: int, lit: object, draws: object, place: Place) -> list[SimpleNamespace]:
        return [SimpleNamespace(place=place)] if served.random() < 0.5 else []

    monkeypatch.setattr(light_scenes, "_scenes_at", some)
    own = Model(np.zeros((2_533, 2_533), np.float32), Grid(-304_000.0, 304_000.0, 240.0, 2_533, 2_533))
    ground = light_scenes.of_models(None, own, [], ["dem"])
    found = [one.place for _, scenes in light_scenes.scenes(ground, LitScenesSettings()) for one in scenes]
    grounds = {place.ground for place in found if place.split == TEST}
    assert len(grounds) >= FEWEST_GROUNDS + 2, "one or two of them may be too dark to be measured"
