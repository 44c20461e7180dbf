"""Relief at the scale of a lander: what the gentlest disc of a cell looks like in a finer elevation model.

A disc of a radius in true metres is laid about the centre of every pixel of the fine model. Of each disc the 95th
percentile of the slope is taken, Horn's over three pixels of the fine model (`gradient`): the smallest slope that at
least 95 % of its pixels do not exceed. A cell is described by its gentlest disc, where a lander would go, and by the
median over its discs, which tells how particular that place is.

The step is the largest height difference between two pixels of the disc that share a side, after the disc's
least-squares plane was taken off: a ledge that a leg meets and that the tilt of the ground does not tell. It is a
difference over one pixel. Legs stand some metres apart, so it is a leg's hazard only with pixels of a few metres; with
40 m it tells how much the ground breaks over 40 m.

Missing heights make no ground good or bad: a disc counts only if the slope of all its pixels is known. Values of
models with different pixels differ by what the coarser one does not resolve, and every one is a lower bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunarsite.gradient import slope_deg
from lunarsite.grid import Cells, Grid, scale_factor
from lunarsite.terrain.relief_kernels import disc_rank

Array = NDArray[np.float32]
Slices = tuple[slice, slice]
Reader = Callable[[Slices], Array]

LEAST_RADIUS_PX = 2.0
"""Discs of a smaller radius hold too few pixels for a percentile: 13 have a radius of two."""
_SHARE = 0.95
# The median over discs is told to half a bin; the gentlest disc's figures are exact.
_BIN_DEG = 0.005
_N_BINS = round(90.0 / _BIN_DEG) + 1
# Cells are worked on in square blocks of so many pixels of the fine model, one cell at least.
_BLOCK_PX = 2_048
_STRIP_ROWS = 256


class ReliefError(ValueError):
    """An elevation model that does not resolve the discs."""


@dataclass(frozen=True)
class CellRelief:
    """Relief of one cell in one elevation model; the fields are those of the table `relief`."""

    cell_id: int
    pixel_m: float
    covered_share: float
    x_m: float
    y_m: float
    p95_slope_deg: float
    steep_share: float
    step_m: float
    median_p95_slope_deg: float

    @property
    def order(self) -> tuple[float, ...]:
        """What comes first of several models of a cell, whatever the order in which they were read.

        The finest of those that cover at least half of it; if none does, the one that covers most. Of equals the
        steeper, which is the more cautious.
        """
        covers = self.covered_share >= 0.5
        first = (0.0, self.pixel_m, -self.covered_share) if covers else (1.0, -self.covered_share, self.pixel_m)
        return (*first, -self.p95_slope_deg, -self.median_p95_slope_deg, -self.step_m, self.x_m, self.y_m)


def disc_reach(radius_px: float) -> NDArray[np.int64]:
    """Return, for each row of a disc from its top, how many pixels to either side of its middle it holds.

    A pixel belongs to the disc if its centre is no farther than the radius.
    """
    whole = math.floor(radius_px + 1e-9)
    down = np.arange(-whole, whole + 1)
    reach: NDArray[np.int64] = np.floor(np.sqrt(np.maximum(radius_px**2 - down**2, 0.0)) + 1e-9).astype(np.int64)
    return reach


def disc_mask(reach: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return the disc as a square mask."""
    radius = reach.size // 2
    return np.asarray(np.abs(np.arange(-radius, radius + 1))[None, :] <= reach[:, None])


def step_m(height_m: Array, mask: NDArray[np.bool_]) -> float:
    """Return the largest difference of side-by-side pixels of a disc after its least-squares plane was taken off.

    Args:
        height_m: (n, n) heights, known throughout the disc.
        mask: (n, n) which pixels belong to the disc.
    """
    row, col = (axis - axis.mean() for axis in np.nonzero(mask))
    height = height_m[mask].astype(np.float64)
    design = np.column_stack([np.ones(height.size), col, row])
    plane = np.linalg.lstsq(design, height - height.mean(), rcond=None)[0]
    residual = np.full(mask.shape, np.nan)
    residual[mask] = height - height.mean() - design @ plane
    steps = [np.abs(np.diff(residual, axis=axis)) for axis in (0, 1)]
    return max(float(np.nanmax(step)) for step in steps)


def survey(
    read: Reader, fine: Grid, cells: Cells, radius_m: float, steep_deg: float
) -> Iterator[tuple[float, list[CellRelief]]]:
    """Yield, block by block, the share of the model that is done and the relief of the cells that hold whole discs.

    Args:
        read: Returns a window of the fine model's heights, metres, NaN = no data.
        fine: The fine model's grid.
        cells: The run's cells.
        radius_m: Radius of the discs, true metres.
        steep_deg: Slope above which ground is steep, degrees.

    Raises:
        ReliefError: The radius is less than two of the model's pixels, or the poles differ.
    """
    if radius_m < LEAST_RADIUS_PX * fine.pixel_m * (1.0 - 1e-9):
        raise ReliefError(
            f"has pixels of {fine.pixel_m:g} m, too coarse for discs of {radius_m:g} m radius (site.relief.radius_m):"
            f" the radius must be {LEAST_RADIUS_PX:g} pixels at least; raise it to"
            f" {LEAST_RADIUS_PX * fine.pixel_m:g} m, or leave the model out of source.local.fine_dems"
        )
    if fine.pole != cells.grid.pole:
        raise ReliefError(f"lies at the {fine.pole} pole, the run at the {cells.grid.pole} pole; leave it out")
    rows, cols = _cell_of_pixels(fine, cells)
    per_block = max(1, int(_BLOCK_PX * fine.pixel_m // cells.cell_m))
    row_blocks = range(max(0, int(rows[0])), min(cells.rows - 1, int(rows[-1])) + 1, per_block)
    col_blocks = range(max(0, int(cols[0])), min(cells.cols - 1, int(cols[-1])) + 1, per_block)
    done, total = 0, max(1, len(row_blocks) * len(col_blocks))
    for top in row_blocks:
        for left in col_blocks:
            found = []
            if (cells.ids[top : top + per_block, left : left + per_block] >= 0).any():
                block = _Block.read(read, fine, cells, (top, left), per_block, radius_m)
                found = list(block.cells(steep_deg))
            done += 1
            yield done / total, found


def _cell_of_pixels(fine: Grid, cells: Cells) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return row and column of the cells in which the pixels' centres lie, ascending; beyond the map they go on."""
    row = np.floor((cells.grid.y_max_m - fine.y_m()) / cells.cell_m).astype(np.int64)
    col = np.floor((fine.x_m() - cells.grid.x_min_m) / cells.cell_m).astype(np.int64)
    return row, col


def _lattice_count(first_m: float, pixel_m: float, cell_m: float) -> int:
    """Return how many centres first + k pixel, k any whole number, lie within [0, cell)."""
    return math.ceil((cell_m - first_m) / pixel_m) - math.ceil(-first_m / pixel_m)


@dataclass
class _Block:
    """A window of the fine model about a block of cells, with what is known of each pixel and each disc."""

    fine: Grid
    run: Cells
    corner: tuple[int, int]
    per_block: int
    window: Slices
    radius_m: float
    height_m: Array
    slope_deg: Array

    @classmethod
    def read(
        cls, read: Reader, fine: Grid, cells: Cells, corner: tuple[int, int], per_block: int, radius_m: float
    ) -> _Block:
        """Read the heights of a block of cells and around it, and work out the slopes."""
        largest = float(np.max(scale_factor(*(np.abs(fine.bounds_m).reshape(2, 2).max(axis=0)))))
        halo = math.ceil(radius_m * largest / fine.pixel_m) + 1
        rows, cols = _cell_of_pixels(fine, cells)
        first_row, last_row = np.searchsorted(rows, [corner[0], corner[0] + per_block])
        first_col, last_col = np.searchsorted(cols, [corner[1], corner[1] + per_block])
        window = (
            slice(max(0, int(first_row) - halo), min(fine.rows, int(last_row) + halo)),
            slice(max(0, int(first_col) - halo), min(fine.cols, int(last_col) + halo)),
        )
        heights = read(window)
        return cls(fine, cells, corner, per_block, window, radius_m, heights, _slopes(heights, fine, window))

    def cells(self, steep_deg: float) -> Iterator[CellRelief]:
        """Yield the relief of the block's cells that hold a whole disc."""
        bins = _bins(self.slope_deg)
        rows, cols = (
            place[span] for place, span in zip(_cell_of_pixels(self.fine, self.run), self.window, strict=True)
        )
        (top, left), ids = self.corner, self.run.ids
        for row in range(top, min(top + self.per_block, self.run.rows)):
            for col in range(left, min(left + self.per_block, self.run.cols)):
                core = _span(rows, row), _span(cols, col)
                if ids[row, col] < 0 or core[0].start == core[0].stop or core[1].start == core[1].stop:
                    continue
                reach = self._reach(row, col)
                ranks = _disc_ranks(bins, core, reach)
                if (ranks >= 0).any():
                    yield self._relief((row, col), core, reach, ranks, steep_deg)

    def _reach(self, row: int, col: int) -> NDArray[np.int64]:
        """Return the discs of a cell, whose true radius the map stretches."""
        cells = self.run
        x_m = cells.grid.x_min_m + (col + 0.5) * cells.cell_m
        y_m = cells.grid.y_max_m - (row + 0.5) * cells.cell_m
        return disc_reach(self.radius_m * float(scale_factor(x_m, y_m)) / self.fine.pixel_m)

    def _relief(
        self,
        cell: tuple[int, int],
        core: Slices,
        reach: NDArray[np.int64],
        ranks: NDArray[np.int32],
        steep_deg: float,
    ) -> CellRelief:
        row, col = cell
        grid, cell_m, pixel_m = self.run.grid, self.run.cell_m, self.fine.pixel_m
        x_m = self.fine.x_min_m + (np.arange(core[1].start, core[1].stop) + self.window[1].start + 0.5) * pixel_m
        y_m = self.fine.y_max_m - (np.arange(core[0].start, core[0].stop) + self.window[0].start + 0.5) * pixel_m
        left_m, top_m = grid.x_min_m + col * cell_m, grid.y_max_m - row * cell_m
        whole = ranks >= 0
        i, j = _gentlest(np.where(whole, ranks, _N_BINS), x_m - left_m - 0.5 * cell_m, top_m - 0.5 * cell_m - y_m)
        disc, mask = _window(core[0].start + i, core[1].start + j, reach.size // 2), disc_mask(reach)
        slopes = self.slope_deg[disc][mask]
        pixels = _lattice_count(float(x_m[0]) - left_m, pixel_m, cell_m)
        pixels *= _lattice_count(top_m - float(y_m[0]), pixel_m, cell_m)
        return CellRelief(
            cell_id=int(self.run.ids[row, col]),
            pixel_m=pixel_m,
            covered_share=float(np.isfinite(self.height_m[core]).sum()) / pixels,
            x_m=float(x_m[j]),
            y_m=float(y_m[i]),
            p95_slope_deg=float(np.percentile(slopes, 100.0 * _SHARE, method="inverted_cdf")),
            steep_share=float((slopes > steep_deg).mean()),
            step_m=step_m(self.height_m[disc], mask),
            median_p95_slope_deg=float((np.median(ranks[whole]) + 0.5) * _BIN_DEG),
        )


def _disc_ranks(bins: NDArray[np.uint16], core: Slices, reach: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the bin of the 95th percentile of the discs about a window's pixels, -1 where one is not whole."""
    radius, pixels = reach.size // 2, int((2 * reach + 1).sum())
    parts, margins = [], []
    for span, size in zip(core, bins.shape, strict=True):
        parts.append(slice(max(0, span.start - radius), min(size, span.stop + radius)))
        margins.append((max(0, radius - span.start), max(0, span.stop + radius - size)))
    around = np.pad(bins[parts[0], parts[1]], margins, constant_values=_N_BINS)
    ranks = np.empty((core[0].stop - core[0].start, core[1].stop - core[1].start), np.int32)
    disc_rank(around, reach, math.ceil(_SHARE * pixels - 1e-9), _N_BINS, ranks)
    return ranks


def _gentlest(ranks: NDArray[np.int32], east_m: NDArray[np.float64], south_m: NDArray[np.float64]) -> tuple[int, int]:
    """Return row and column of the disc of least rank; of equals the one nearest to the cell's centre."""
    rows, cols = np.nonzero(ranks == ranks.min())
    nearest = int(np.argmin(np.round(np.hypot(south_m[rows], east_m[cols]), 6)))
    return int(rows[nearest]), int(cols[nearest])


def _window(row: int, col: int, radius: int) -> Slices:
    return slice(row - radius, row + radius + 1), slice(col - radius, col + radius + 1)


def _slopes(heights: Array, fine: Grid, window: Slices) -> Array:
    """Return the slope of a window's pixels; its outermost ring has none."""
    slopes = np.full(heights.shape, np.nan, np.float32)
    x_m, y_m = fine.x_m()[window[1]], fine.y_m()[window[0]]
    if min(heights.shape) < 3:
        return slopes
    for first in range(1, heights.shape[0] - 1, _STRIP_ROWS):
        last = min(first + _STRIP_ROWS, heights.shape[0] - 1)
        scale = scale_factor(x_m[None, 1:-1], y_m[first:last, None])
        slopes[first:last, 1:-1] = slope_deg(heights[first - 1 : last + 1], scale, fine.pixel_m)
    return slopes


def _span(places: NDArray[np.int64], place: int) -> slice:
    """Return where a place stands in ascending places."""
    first, last = np.searchsorted(places, [place, place + 1])
    return slice(int(first), int(last))


def _bins(slopes: Array) -> NDArray[np.uint16]:
    """Return each slope's bin; _N_BINS where it is unknown."""
    unknown = np.isnan(slopes)
    bins = np.where(unknown, 0.0, slopes) / _BIN_DEG
    return np.where(unknown, _N_BINS, np.minimum(bins, _N_BINS - 1)).astype(np.uint16)
