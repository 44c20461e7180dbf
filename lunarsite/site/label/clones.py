"""Clones of an elevation model: in how many of them is a cell's slope within a rule's limit?

A clone is the model plus an error as large as the model's own: Gaussian, with each pixel's one-sigma error and a
correlation that falls exponentially with distance. Each clone's slopes are computed as the map's are, by Horn's method
in true lengths, and averaged over cells, for rules with a buffer after the buffer; then they are forgotten. What stays
of a cell are counts and sums.

The map is cut into blocks of cells, each with its own errors, with the margin that slopes and the buffer need. A cell
lies wholly in one block, so its own distribution over the clones is right whatever the blocks; two cells of different
blocks are not wrong together in the same draw, and nothing here asks whether they are. Blocks depend on the map and
the correlation length alone, and every draw of every block has a seed of its own. So the result does not depend on how
blocks are dealt out, the first draws of a longer series are those of a shorter one, and memory is bounded by a block.

The model has its error already, so a clone has it twice and is rougher than the ground: clones are steeper on average,
most where the ground is flattest. A model that is too smooth, as interpolated ones are, errs the other way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lunarsite.gradient import HALO_PX, slope_deg, with_border
from lunarsite.grid import Cells, scale_factor
from lunarsite.settings import RulesSettings, UncertaintySettings
from lunarsite.site.label.noise import ErrorField, reach_px
from lunarsite.site.reduction import Floats, Read, Slices, cell_statistics, disc_half_widths, greatest_within
from lunarsite.site.rules import slope_column

Doubles = NDArray[np.float64]

_LEAST_SIDE_PX, _MOST_SIDE_PX = 512, 2048
_SIDE_REACHES = 8
"""Blocks are this many times wider than the margin that errors need around them, where memory allows."""


class CloneError(ValueError):
    """Rasters of which no clones can be made."""


@dataclass(frozen=True)
class SlopeLimits:
    """Which slope each rule reads, and its limit.

    Attributes:
        rules: Names of the rules.
        limits_deg: Their slope limits.
        columns: The columns of the cells that are made again, 'slope_mean' first.
        reads: For each rule the index of its column.
        half_widths: Rows of the buffer's disc, pixels.
    """

    rules: tuple[str, ...]
    limits_deg: tuple[float, ...]
    columns: tuple[str, ...]
    reads: tuple[int, ...]
    half_widths: NDArray[np.int64]

    @classmethod
    def of(cls, rules: RulesSettings, pixel_m: float) -> SlopeLimits:
        """Return those of a run's rules; a buffer that pixels do not resolve leaves the mean slope alone."""
        half_widths = disc_half_widths(rules.hls.slope_buffer_m, pixel_m)
        named = dict(sorted(rules.named().items()))  # one order for all shards, however the settings were written
        wanted = {name: slope_column(name, rule) for name, rule in named.items()}
        resolved = half_widths.size > 1
        columns = ("slope_mean", "buffered_slope_deg") if resolved else ("slope_mean",)
        return cls(
            tuple(named),
            tuple(rule.max_slope_deg for rule in named.values()),
            columns,
            tuple(columns.index(wanted[name]) if resolved else 0 for name in named),
            half_widths,
        )

    @property
    def reach_px(self) -> int:
        """Pixels to which the buffer reaches."""
        return self.half_widths.size // 2


@dataclass(frozen=True)
class CloneSums:
    """What is kept of the clones of some cells; NaN (and a count of 0) where the slope is unknown.

    Attributes:
        cell_id: (cells,) int64.
        passing: (rules, cells) int32, the clones in which the slope is within the rule's limit.
        map_deg: (columns, cells) slopes of the map itself, degrees.
        shift_deg: (columns, cells) sums over the clones of slope less the map's, degrees.
        squares_deg2: (columns, cells) sums of its square.
    """

    cell_id: NDArray[np.int64]
    passing: NDArray[np.int32]
    map_deg: Doubles
    shift_deg: Doubles
    squares_deg2: Doubles

    def arrays(self) -> Mapping[str, NDArray[np.generic]]:
        """Return all arrays by name."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True)
class _Block:
    """Pixels of a block of cells: what slopes are averaged over, where slopes are needed, which heights those need."""

    cells: Slices
    core: Slices
    slopes: Slices
    heights: Slices
    border: tuple[int, int, int, int]

    @property
    def inner(self) -> Slices:
        (rows, cols), (top, left) = self.core, self.slopes
        return (
            slice(rows.start - top.start, rows.stop - top.start),
            slice(cols.start - left.start, cols.stop - left.start),
        )


@dataclass(frozen=True)
class Clones:
    """Draws the clones of a map, block by block.

    Args:
        cells: The cells.
        limits: What is asked of their slopes.
        settings: Number and seed of the clones, and the correlation of their errors.
    """

    cells: Cells
    limits: SlopeLimits
    settings: UncertaintySettings

    @cached_property
    def blocks(self) -> tuple[Slices, ...]:
        """Blocks of cells (rows, cols) that hold any kept cell, each cut down to these."""
        per_cell, kept = self.cells.pixels_per_cell, self.cells.kept
        reach = reach_px(self.settings.correlation_m, self.cells.grid.pixel_m)
        side_px = min(max(_SIDE_REACHES * reach, _LEAST_SIDE_PX), _MOST_SIDE_PX)
        side = max(1, side_px // per_cell)
        found = []
        for row in range(0, self.cells.rows, side):
            for col in range(0, self.cells.cols, side):
                rows, cols = np.nonzero(kept[row : row + side, col : col + side])
                if rows.size:
                    found.append(
                        (
                            slice(row + int(rows.min()), row + int(rows.max()) + 1),
                            slice(col + int(cols.min()), col + int(cols.max()) + 1),
                        )
                    )
        return tuple(found)

    def sums(
        self,
        height: Read,
        error: Read,
        chosen: Sequence[int],
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> CloneSums:
        """Return the sums over all clones for the cells of some blocks, by their index in `blocks`.

        Args:
            height: Reads heights, metres; NaN = no data.
            error: Reads their one-sigma errors, metres.
            chosen: The blocks.
            progress: Told how many draws are done, of how many.

        Raises:
            CloneError: There is a height without an error.
        """
        parts = []
        for done, index in enumerate(chosen):
            parts.append(self._block_sums(height, error, index))
            progress(done + 1, len(chosen))
        rules, columns = len(self.limits.rules), len(self.limits.columns)
        empty = CloneSums(
            np.empty(0, np.int64),
            np.empty((rules, 0), np.int32),
            *(np.empty((columns, 0), np.float64) for _ in range(3)),
        )
        joined = [[part.arrays()[name] for part in (empty, *parts)] for name in empty.arrays()]
        return CloneSums(*(np.concatenate(arrays, axis=-1) for arrays in joined))

    def _block_sums(self, height: Read, error: Read, index: int) -> CloneSums:
        block = _block(self.cells, self.blocks[index], self.limits.reach_px)
        height_m, sigma_m = height(block.heights), error(block.heights)
        bare = int((np.isnan(sigma_m) & ~np.isnan(height_m)).sum())
        if bare:
            raise CloneError(f"{bare} of {height_m.size} pixels have a height and no error")
        grid = self.cells.grid
        scale = scale_factor(grid.x_m()[None, block.slopes[1]], grid.y_m()[block.slopes[0], None])
        kept = self.cells.kept[block.cells]

        def slopes(clone_m: Floats) -> Doubles:
            found = slope_deg(with_border(clone_m, block.border), scale, grid.pixel_m)
            pixels = [found[block.inner]]
            if self.limits.reach_px:
                pixels.append(greatest_within(found, self.limits.half_widths)[block.inner])
            return np.stack([_cell_means(values, self.cells.pixels_per_cell, kept) for values in pixels])

        map_deg = slopes(height_m)
        passing = np.zeros((len(self.limits.rules), map_deg.shape[1]), dtype=np.int32)
        shift, squares = np.zeros_like(map_deg), np.zeros_like(map_deg)
        limits_deg, reads = np.array(self.limits.limits_deg)[:, None], list(self.limits.reads)
        for noise in [] if np.isnan(map_deg).all() else self._errors(height_m.shape, index):
            found = slopes(height_m + sigma_m * noise)
            # Deviations from the map's slope, not slopes, are summed: squares of these would lose digits.
            deviation = found - map_deg
            shift += deviation
            squares += deviation * deviation
            passing += found[reads] <= limits_deg
        shift[np.isnan(map_deg)] = squares[np.isnan(map_deg)] = np.nan
        return CloneSums(self.cells.ids[block.cells][kept], passing, map_deg, shift, squares)

    def _errors(self, shape: tuple[int, ...], index: int) -> Iterator[Floats]:
        field = ErrorField((shape[0], shape[1]), self.cells.grid.pixel_m, self.settings.correlation_m)
        for pair in range(math.ceil(self.settings.draws / 2)):
            seed = np.random.SeedSequence(self.settings.seed, spawn_key=(index, pair))
            yield from field.pair(np.random.default_rng(seed))[: self.settings.draws - 2 * pair]


def _cell_means(pixels: Floats, per_cell: int, kept: NDArray[np.bool_]) -> Doubles:
    """Return the means of the kept cells of a block as the table of cells has them (rounded to single precision)."""
    found = np.empty((5, *kept.shape), dtype=np.float32)
    cell_statistics(np.ascontiguousarray(pixels), per_cell, found)
    return np.asarray(found[0][kept], dtype=np.float64)


def _block(cells: Cells, block: Slices, reach_px: int) -> _Block:
    per_cell, sizes = cells.pixels_per_cell, cells.grid.shape
    core, slopes, heights = [], [], []
    for part, size in zip(block, sizes, strict=True):
        start, stop = part.start * per_cell, min(part.stop * per_cell, size)
        first, last = max(0, start - reach_px), min(size, stop + reach_px)
        core.append(slice(start, stop))
        slopes.append(slice(first, last))
        heights.append(slice(max(0, first - HALO_PX), min(size, last + HALO_PX)))
    (top, left), (rows, cols) = slopes, sizes
    border = int(top.start == 0), int(top.stop == rows), int(left.start == 0), int(left.stop == cols)
    return _Block(block, (core[0], core[1]), (slopes[0], slopes[1]), (heights[0], heights[1]), border)
