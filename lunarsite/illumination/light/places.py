"""Where scenes are drawn: tiles of the elevation models, the ground they belong to, and its split.

The map is divided into a lattice of squares, as wide as a tile of the run's own elevation model. Such a tile is a
square of the lattice; a tile of a finer model lies at random, but within one square. So tiles that overlap, from
whatever models, lie in one square and are of one `ground`, and squares do not chain up. A tile lies in one split as a
whole: where it reaches into two sectors it is left out. It keeps its distance from its model's rim, where the coarser
one shows through (`nested.BLEND_PX`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import TypeVar

import numpy as np

from lunarsite.grid import Grid, in_sector, xy_to_lonlat
from lunarsite.illumination.light.nested import BLEND_PX, Model

TRAINING, VALIDATION, TEST = 0, 1, 2
TURNS = (TEST, VALIDATION, TEST, TRAINING)
"""How places on the run's own model are dealt: half are for measuring, so that a few places are ground enough."""

_PROBES = 17  # along a tile's side: the longitudes of a tile are looked up on so many squared points
_TRIES = 40

Made = TypeVar("Made")


@dataclass(frozen=True)
class Sectors:
    """Longitude sectors, from the first longitude eastwards to the second; what lies in neither is for training."""

    validation_lon_deg: tuple[float, float]
    test_lon_deg: tuple[float, float]

    def split(self, tile: Grid) -> int | None:
        """Return the split that a tile lies in as a whole, or None."""
        left, bottom, right, top = tile.bounds_m
        x, y = np.meshgrid(np.linspace(left, right, _PROBES), np.linspace(bottom, top, _PROBES))
        lon_deg, _ = xy_to_lonlat(x, y, tile.pole)
        test = in_sector(lon_deg, self.test_lon_deg)
        validation = in_sector(lon_deg, self.validation_lon_deg) & ~test
        for split, inside in ((TEST, test), (VALIDATION, validation), (TRAINING, ~(test | validation))):
            if inside.all():
                return split
        return None


@dataclass(frozen=True)
class Place:
    """A tile to be lit.

    Attributes:
        tile: Its pixels, those of its model.
        ground: Names the ground that it shares with all tiles that could overlap it.
        split: `TRAINING`, `VALIDATION` or `TEST`.
    """

    tile: Grid
    ground: str
    split: int


def places(model: Model, lattice: Grid, tile_px: int, sectors: Sectors, draws: np.random.Generator) -> Iterator[Place]:
    """Yield places on a model in random order.

    Of the run's own model each square comes once; of a finer one come 40 times as many tries as tiles fit side by side.

    Args:
        model: The elevation model.
        lattice: The lattice's squares as pixels.
        tile_px: Side of a tile, pixels.
        sectors: The splits.
        draws: Where random numbers come from.
    """
    grid = model.grid
    own = own_tiles(model, lattice, tile_px)
    corners = _squares(grid, tile_px, draws) if own else _anywhere(grid, tile_px, draws)
    return _usable(model, lattice, tile_px, sectors, corners)


def own_tiles(model: Model, lattice: Grid, tile_px: int) -> bool:
    """Whether a model's tiles are the lattice's squares: it is the run's own."""
    return math.isclose(lattice.pixel_m, tile_px * model.grid.pixel_m)


def dealt(found: Iterable[Place], make: Callable[[Place], Made]) -> Iterator[Made]:
    """Yield what is made of places, the splits taking the `TURNS`; nothing that is empty.

    A place that nothing can be made of costs its split no turn: the next one of the split is tried. A split without
    further places leaves its turns to the others.

    Args:
        found: Places, in the order in which a split's are tried.
        make: Makes something of a place, or nothing.
    """
    left: dict[int, list[Place]] = {split: [] for split in TURNS}
    for place in found:
        left[place.split].append(place)
    queues = {split: iter(places) for split, places in left.items()}
    for split in cycle(TURNS):
        made = next((one for one in map(make, queues.get(split, iter(()))) if one), None)
        if made:
            yield made
        else:
            queues.pop(split, None)
            if not queues:
                return


def lattice_of(grid: Grid, tile_px: int) -> Grid:
    """Return the lattice over the run's own model; its last squares may reach beyond the model."""
    rows, cols = (math.ceil(side / tile_px) for side in grid.shape)
    return Grid(grid.x_min_m, grid.y_max_m, tile_px * grid.pixel_m, rows, cols, grid.pole)


def part(grid: Grid, row: int, col: int, side_px: int) -> Grid:
    """Return a square part of a grid by its first row and column."""
    x_min_m, y_max_m = grid.x_min_m + col * grid.pixel_m, grid.y_max_m - row * grid.pixel_m
    return Grid(x_min_m, y_max_m, grid.pixel_m, side_px, side_px, grid.pole)


def _usable(
    model: Model, lattice: Grid, tile_px: int, sectors: Sectors, corners: Iterator[tuple[int, int]]
) -> Iterator[Place]:
    for row, col in corners:
        tile = part(model.grid, row, col, tile_px)
        square = _square(tile, lattice)
        split = sectors.split(tile)
        heights = model.height_m[row : row + tile_px, col : col + tile_px]
        if square is not None and split is not None and np.isfinite(heights).all():
            yield Place(tile, f"{square[0]:03d}_{square[1]:03d}_{split}", split)


def _squares(grid: Grid, tile_px: int, draws: np.random.Generator) -> Iterator[tuple[int, int]]:
    whole = grid.rows // tile_px, grid.cols // tile_px
    for number in draws.permutation(whole[0] * whole[1]):
        yield int(number) // whole[1] * tile_px, int(number) % whole[1] * tile_px


def _anywhere(grid: Grid, tile_px: int, draws: np.random.Generator) -> Iterator[tuple[int, int]]:
    rim = math.ceil(BLEND_PX)
    free = [side - tile_px - 2 * rim for side in grid.shape]
    if min(free) < 0:
        return
    fit = math.ceil(grid.rows / tile_px) * math.ceil(grid.cols / tile_px)
    for _ in range(_TRIES * fit):
        yield int(draws.integers(free[0] + 1)) + rim, int(draws.integers(free[1] + 1)) + rim


def _square(tile: Grid, lattice: Grid) -> tuple[int, int] | None:
    """Return the square that a tile lies in, or None if it lies in several."""
    half = 0.5 * tile.pixel_m
    left, bottom, right, top = tile.bounds_m
    rows, cols = lattice.index(np.array([left + half, right - half]), np.array([top - half, bottom + half]))
    return (int(rows[0]), int(cols[0])) if rows[0] == rows[1] and cols[0] == cols[1] else None
