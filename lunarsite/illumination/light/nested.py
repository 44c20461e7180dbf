"""Ground around a place at falling resolution: nested grids, each of twice the pixels of the one before.

Rays that leave a tile need fine heights beside it and coarse ones far away. Level k has pixels of 2^k times the tile's
and reaches `REACH_PX` of them beyond the tile on every side (a clipmap: Losasso & Hoppe 2004, ACM Trans. Graph. 23,
769, doi 10.1145/1015706.1015799), so that a ray may read level k out to that distance and the cost grows with the
logarithm of the reach. At its distance a pixel is 1/192 to 1/384 wide.

Heights come from elevation models laid over each other, the coarsest first. Finer pixels are averaged down to a level,
coarser ones interpolated (Catmull and Rom's cubic, whose slopes have no steps). A finer model is blended in over its
outermost pixels: two models of the same ground differ by metres, and a step would cast a shadow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from lunarsite.grid import Grid

REACH_PX = 192
"""How far beyond the tile a level's heights are read, its own pixels."""

FARTHEST_M = 250_000.0
"""Where rays end: ground 8 km high sinks below the horizon of the lowest at 232 km."""

BLEND_PX = 12.0
"""Width of the rim over which a model passes into the coarser one below, its own pixels."""

BLOCK_PX = 16
"""Rays leap over this many pixels where no ground around rises into them."""

_SPARE_PX = 4
_MOST_LEVELS = 24

Heights = NDArray[np.float32]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """An elevation model.

    Args:
        height_m: (rows, cols) float32 metres above the Moon's sphere; NaN = unknown.
        grid: Its pixels.
    """

    height_m: Heights
    grid: Grid

    def __post_init__(self) -> None:
        if self.height_m.shape != self.grid.shape or self.height_m.dtype != np.float32:
            raise ValueError(f"heights are {self.height_m.dtype} {self.height_m.shape}, the grid has {self.grid.shape}")

    @cached_property
    def halvings(self) -> tuple[Heights, ...]:
        """The heights, and their means over 2, 4, 8, ... pixels; unknown where more than half of the four are."""
        levels = [self.height_m]
        while min(levels[-1].shape) >= 4:
            levels.append(_halved(levels[-1]))
        return tuple(levels)


@dataclass(frozen=True)
class Nested:
    """Heights around a tile.

    Attributes:
        tile: The tile's own pixels.
        grids: The levels' grids, the finest first.
        height_m: All levels one after the other, flat; NaN = unknown.
        shape: (levels, 5) int64: index of a level's first height, rows, columns; of its first block, columns of blocks.
        place: (levels, 4) float64: map x and y of the first pixel's centre, pixel size, the highest ground of this
            level and all coarser ones; metres.
        highest_m: For each block of `BLOCK_PX` squared pixels, level by level, the highest ground in it and in the
            eight blocks around it.
    """

    tile: Grid
    grids: tuple[Grid, ...]
    height_m: Heights
    shape: NDArray[np.int64]
    place: Floats
    highest_m: Heights

    def level(self, number: int, flat: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Return one level of the heights, or of other numbers in the same layout, (rows, cols), as a view."""
        first, rows, cols = (int(n) for n in self.shape[number, :3])
        values = self.height_m if flat is None else flat
        return values[first : first + rows * cols].reshape(rows, cols)

    def window(self, number: int, reach_px: int) -> tuple[int, int, int, int]:
        """Return first and last-but-one row, first and last-but-one column within `reach_px` pixels of the tile."""
        grid, rest = self.grids[number], REACH_PX + _SPARE_PX - reach_px
        if rest < 1:
            raise ValueError(f"levels reach {REACH_PX} pixels beyond the tile, {reach_px} were asked for")
        return rest, grid.rows - rest, rest, grid.cols - rest

    def tile_window(self) -> tuple[int, int, int, int]:
        """Return the tile's own window of the finest level."""
        return self.window(0, 0)

    def known_share(self, reach_m: float) -> float:
        """Return the share of known ground within a distance of the tile."""
        number = next((k for k, grid in enumerate(self.grids) if REACH_PX * grid.pixel_m >= reach_m), -1)
        grid = self.grids[number]
        reach_px = min(REACH_PX, math.ceil(reach_m / grid.pixel_m))
        top, bottom, left, right = self.window(number % len(self.grids), reach_px)
        return float(np.isfinite(self.level(number)[top:bottom, left:right]).mean())


def nested(models: Sequence[Model], tile: Grid, farthest_m: float = FARTHEST_M) -> Nested:
    """Lay nested grids around a tile and fill them.

    Args:
        models: Elevation models of one map, the coarsest first; later ones cover earlier ones.
        tile: The pixels to be lit.
        farthest_m: Map distance that the last level reaches.

    Raises:
        ValueError: The tile shows another pole than a model, or no level would be enough.
    """
    for model in models:
        if model.grid.pole != tile.pole:
            raise ValueError(f"a model shows the {model.grid.pole} pole, the tile the {tile.pole} pole")
    count = 1 + max(0, math.ceil(math.log2(farthest_m / (REACH_PX * tile.pixel_m))))
    if count > _MOST_LEVELS:
        raise ValueError(f"pixels of {tile.pixel_m:g} m need {count} levels to reach {farthest_m:g} m")
    margin = REACH_PX + _SPARE_PX
    grids = []
    for number in range(count):
        pixel_m = tile.pixel_m * 2**number
        rows, cols = (math.ceil(side / 2**number) + 2 * margin for side in tile.shape)
        grids.append(
            Grid(tile.x_min_m - margin * pixel_m, tile.y_max_m + margin * pixel_m, pixel_m, rows, cols, tile.pole)
        )
    blocks = [tuple(math.ceil(side / BLOCK_PX) for side in grid.shape) for grid in grids]
    first = np.concatenate([[0], np.cumsum([grid.rows * grid.cols for grid in grids])])
    first_block = np.concatenate([[0], np.cumsum([rows * cols for rows, cols in blocks])])
    shape = np.array(
        [(first[k], *grid.shape, first_block[k], blocks[k][1]) for k, grid in enumerate(grids)], dtype=np.int64
    )
    heights = np.full(int(first[-1]), np.nan, np.float32)
    found = Nested(tile, tuple(grids), heights, shape, np.empty((count, 4)), np.empty(int(first_block[-1]), np.float32))
    above_m = -np.inf
    for number in reversed(range(count)):
        grid, level = grids[number], found.level(number)
        for model in models:
            _lay(level, grid, model)
        highest = _block_maxima(level)
        found.highest_m[first_block[number] : first_block[number + 1]] = highest.ravel()
        above_m = max(above_m, float(highest.max()))
        half = 0.5 * grid.pixel_m
        found.place[number] = grid.x_min_m + half, grid.y_max_m - half, grid.pixel_m, above_m
    return found


def finest_pixel_m(models: Sequence[Model], grid: Grid, wanted: NDArray[np.bool_]) -> Floats:
    """Return the pixel size of the last model that knows the ground of each wanted pixel, NaN where none does."""
    rows, cols = np.nonzero(wanted)
    x_m, y_m = grid.x_m()[cols], grid.y_m()[rows]
    pixel_m = np.full(rows.size, np.nan)
    for model in models:
        inside = np.flatnonzero(model.grid.contains(x_m, y_m))
        row, col = model.grid.index(x_m[inside], y_m[inside])
        pixel_m[inside[np.isfinite(model.height_m[row, col])]] = model.grid.pixel_m
    return pixel_m


def _lay(heights: Heights, grid: Grid, model: Model) -> None:
    """Lay a model over what a level holds."""
    number = max(0, min(math.floor(math.log2(grid.pixel_m / model.grid.pixel_m) + 1e-9), len(model.halvings) - 1))
    source, pixel_m = model.halvings[number], model.grid.pixel_m * 2**number
    half = 0.5 * pixel_m
    x_first, y_first = model.grid.x_min_m + half, model.grid.y_max_m - half
    left, bottom, right, top = model.grid.bounds_m
    cols, rows = grid.x_m(), grid.y_m()
    inside_c, inside_r = np.flatnonzero((cols > left) & (cols < right)), np.flatnonzero((rows > bottom) & (rows < top))
    if not (inside_c.size and inside_r.size):
        return
    part = heights[inside_r[0] : inside_r[-1] + 1, inside_c[0] : inside_c[-1] + 1]
    cubic = pixel_m > 1.0001 * grid.pixel_m
    edges = (left, bottom, right, top)
    blend_m = BLEND_PX * model.grid.pixel_m
    _paint(part, cols[inside_c], rows[inside_r], source, (x_first, y_first, pixel_m), edges, blend_m, cubic)


def _block_maxima(level: Heights) -> Heights:
    """Return the highest ground of each block and its neighbours, (block rows, block columns); -inf = none known."""
    rows, cols = (math.ceil(side / BLOCK_PX) for side in level.shape)
    padded = np.full((rows * BLOCK_PX, cols * BLOCK_PX), -np.inf, np.float32)
    padded[: level.shape[0], : level.shape[1]] = np.where(np.isnan(level), -np.inf, level)
    blocks = np.pad(padded.reshape(rows, BLOCK_PX, cols, BLOCK_PX).max((1, 3)), 1, constant_values=-np.inf)
    around = np.lib.stride_tricks.sliding_window_view(blocks, (3, 3))
    return np.ascontiguousarray(around.max((2, 3)))


def _halved(heights: Heights) -> Heights:
    rows, cols = heights.shape[0] // 2 * 2, heights.shape[1] // 2 * 2
    fours = heights[:rows, :cols].reshape(rows // 2, 2, cols // 2, 2)
    known = np.isfinite(fours)
    count = known.sum((1, 3))
    total = np.where(known, fours, np.float32(0.0)).sum((1, 3), dtype=np.float64)
    return np.where(count >= 2, total / np.maximum(count, 1), np.nan).astype(np.float32)


@njit(cache=True, parallel=True, error_model="numpy")
def _paint(
    target: Heights,
    x_m: Floats,
    y_m: Floats,
    source: Heights,
    place: tuple[float, float, float],
    edges: tuple[float, float, float, float],
    blend_m: float,
    cubic: bool,
) -> None:
    x_first, y_first, pixel = place
    left, bottom, right, top = edges
    for r in prange(y_m.size):
        for c in range(x_m.size):
            row, col = (y_first - y_m[r]) / pixel, (x_m[c] - x_first) / pixel
            height = _cubic(source, row, col) if cubic else np.nan
            if math.isnan(height):
                height = _bilinear(source, row, col)
            if math.isnan(height):
                continue
            rim = min(x_m[c] - left, right - x_m[c], y_m[r] - bottom, top - y_m[r])
            weight = min(1.0, rim / blend_m)
            if not math.isnan(target[r, c]):
                height = weight * height + (1.0 - weight) * target[r, c]
            target[r, c] = height


@njit(cache=True, error_model="numpy")
def _bilinear(z: Heights, row: float, col: float) -> float:
    """Half a pixel at the border, which no pair of centres encloses, has the height of the outermost pixel."""
    row = min(max(row, 0.0), z.shape[0] - 1.0)
    col = min(max(col, 0.0), z.shape[1] - 1.0)
    i, j = max(0, min(int(row), z.shape[0] - 2)), max(0, min(int(col), z.shape[1] - 2))
    i1, j1 = min(i + 1, z.shape[0] - 1), min(j + 1, z.shape[1] - 1)
    down, across = row - i, col - j
    # A pixel without weight must not make the height unknown.
    total = 0.0
    if (1.0 - down) * (1.0 - across) > 0.0:
        total += (1.0 - down) * (1.0 - across) * z[i, j]
    if (1.0 - down) * across > 0.0:
        total += (1.0 - down) * across * z[i, j1]
    if down * (1.0 - across) > 0.0:
        total += down * (1.0 - across) * z[i1, j]
    if down * across > 0.0:
        total += down * across * z[i1, j1]
    return total


@njit(cache=True, error_model="numpy")
def _cubic(z: Heights, row: float, col: float) -> float:
    """Catmull and Rom's interpolation; NaN at the border and beside unknown ground."""
    i, j = math.floor(row), math.floor(col)
    if i < 1 or j < 1 or i > z.shape[0] - 3 or j > z.shape[1] - 3:
        return np.nan
    total = 0.0
    for a in range(4):
        line = 0.0
        for b in range(4):
            line += _weight(b - 1 - (col - j)) * z[i - 1 + a, j - 1 + b]
        total += _weight(a - 1 - (row - i)) * line
    return total


@njit(cache=True, error_model="numpy")
def _weight(distance: float) -> float:
    d = abs(distance)
    if d < 1.0:
        return 1.0 + d * d * (1.5 * d - 2.5)
    return 2.0 + d * (-4.0 + d * (2.5 - 0.5 * d)) if d < 2.0 else 0.0
