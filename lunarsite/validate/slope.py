"""Slopes against published ones: how well they agree, and what a limit on ours lets through.

A slope belongs to a length. Ours is taken over two or three pixels of the run; a published one of 20 m sees what lies
between them, so its mean over a pixel is larger, and its maximum larger still. (Of a product that is no finer than the
run the maximum is the mean; the record leaves it out.) That a pixel or a cell passes a limit at
our length says little about the steepest ground in it. Everything is summed band by band: memory does not grow with the
map. How either slope was computed is not known here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lunarsite.grid import Cells, colatitude_deg, map_radius_m
from lunarsite.validate.illumination import Windowed

Floats = NDArray[np.float64]

CLASSES_DEG = (0.0, 2.0, 5.0, 8.0, 12.0, 20.0, 90.001)
"""Edges of the classes of our slope."""
RING_DEG = 0.5
_BAND_ROWS = 512
_RINGS = round(90.0 / RING_DEG)


@dataclass
class Sums:
    """Sums over pairs of ours and the published value, from which agreement follows."""

    n: int = 0
    ours: float = 0.0
    fine: float = 0.0
    ours_squared: float = 0.0
    fine_squared: float = 0.0
    product: float = 0.0
    steepest: float = 0.0

    def add(self, ours: Floats, fine: Floats, steepest: Floats) -> None:
        """Add pairs, and the steepest fine slope beside each."""
        self.n += ours.size
        self.ours += float(ours.sum())
        self.fine += float(fine.sum())
        self.ours_squared += float((ours**2).sum())
        self.fine_squared += float((fine**2).sum())
        self.product += float((ours * fine).sum())
        self.steepest += float(steepest.sum())

    @property
    def bias(self) -> float | None:
        """Mean of ours less the published; None without pairs."""
        return (self.ours - self.fine) / self.n if self.n else None

    @property
    def rms(self) -> float | None:
        """Root mean square of ours less the published."""
        if not self.n:
            return None
        return math.sqrt(max(self.ours_squared - 2.0 * self.product + self.fine_squared, 0.0) / self.n)

    @property
    def correlation(self) -> float | None:
        """Correlation of ours with the published; None where either is the same everywhere."""
        spreads = [
            square * self.n - total**2
            for square, total in ((self.ours_squared, self.ours), (self.fine_squared, self.fine))
        ]
        scale = max(self.ours_squared, self.fine_squared) * self.n
        if self.n < 3 or min(spreads) <= 1e-12 * scale:
            return None
        return (self.product * self.n - self.ours * self.fine) / math.sqrt(spreads[0] * spreads[1])


@dataclass
class Passing:
    """Pixels or cells that pass a limit at our length, and how many of them finer slopes would not pass.

    Args:
        limit_deg: The limit.
        known: All with both slopes.
        passing: Those whose slope of ours is at most the limit.
        mean_above: Those of `passing` whose mean fine slope exceeds it.
        steepest_above: Those of `passing` that hold a fine slope that exceeds it.
        all_mean_above: Of all known, those whose mean fine slope exceeds it: what a choice at random would let through.
        all_steepest_above: Of all known, those that hold a fine slope that exceeds it.
        fine_passing_missed: Those whose mean fine slope passes and whose slope of ours does not.
    """

    limit_deg: float
    known: int = 0
    passing: int = 0
    mean_above: int = 0
    steepest_above: int = 0
    all_mean_above: int = 0
    all_steepest_above: int = 0
    fine_passing_missed: int = 0

    def add(self, ours: Floats, fine: Floats, steepest: Floats) -> None:
        """Add pixels or cells: our slope, and mean and largest fine slope."""
        passes, above, top = ours <= self.limit_deg, fine > self.limit_deg, steepest > self.limit_deg
        self.known += ours.size
        self.passing += int(passes.sum())
        self.mean_above += int((passes & above).sum())
        self.steepest_above += int((passes & top).sum())
        self.all_mean_above += int(above.sum())
        self.all_steepest_above += int(top.sum())
        self.fine_passing_missed += int((~passes & ~above).sum())


@dataclass(frozen=True)
class Comparison:
    """All sums of a comparison.

    Args:
        pixel_m: Pixel size of our slopes.
        cell_m: Side of the cells.
        overall: All pixels poleward of the limit with both slopes.
        classes: By our slope, between `CLASSES_DEG`.
        pixels: What limits let through, pixel by pixel.
        cells: The same for means over whole cells, which the rules read.
        baseline_rms: RMS of the published mean about its own mean in its ring of latitude; None without pixels.
        baseline_correlation: Correlation of that ring's mean with the published.
    """

    pixel_m: float
    cell_m: float
    overall: Sums
    classes: tuple[Sums, ...]
    pixels: tuple[Passing, ...]
    cells: tuple[Passing, ...]
    baseline_rms: float | None
    baseline_correlation: float | None


@dataclass
class _Rings:
    """Sums of the published slope by rings of latitude."""

    n: Floats = field(default_factory=lambda: np.zeros(_RINGS))
    total: Floats = field(default_factory=lambda: np.zeros(_RINGS))
    squared: float = 0.0

    def add(self, colatitude: Floats, fine: Floats) -> None:
        ring = np.minimum((colatitude / RING_DEG).astype(np.int64), _RINGS - 1)
        self.n += np.bincount(ring, minlength=_RINGS)
        self.total += np.bincount(ring, weights=fine, minlength=_RINGS)
        self.squared += float((fine**2).sum())

    def baseline(self) -> tuple[float | None, float | None]:
        """Return what latitude alone explains: RMS that it leaves, and its correlation."""
        count = self.n.sum()
        if count < 3:
            return None, None
        held = self.n > 0
        between = float((self.total[held] ** 2 / self.n[held]).sum())
        rms = math.sqrt(max(self.squared - between, 0.0) / count)
        mean = self.total.sum() ** 2 / count
        spread = self.squared - mean
        if spread <= 1e-12 * self.squared:
            return rms, None
        return rms, math.sqrt(max(between - mean, 0.0) / spread)


def compare_slopes(
    ours: Windowed,
    fine: Windowed,
    cells: Cells,
    limits_deg: Sequence[float],
    progress: Callable[[float, float, str], None] | None = None,
) -> Comparison:
    """Compare two maps of slope on one grid, poleward of the cells' limit.

    Args:
        ours: Our slopes, degrees; NaN = no data.
        fine: Published slopes, bands `slope_mean_deg` and `slope_max_deg` of their own pixels in each of ours.
        cells: The cells over the grid. A cell counts if every pixel of it has both slopes.
        limits_deg: Limits on slope.
        progress: Told after each band.
    """
    grid, per_cell = cells.grid, cells.pixels_per_cell
    step = max(_BAND_ROWS // per_cell, 1) * per_cell
    edge_m = float(map_radius_m(90.0 - cells.latitude_limit_deg))
    x_m, y_m = grid.x_m(), grid.y_m()
    overall, rings = Sums(), _Rings()
    classes = tuple(Sums() for _ in CLASSES_DEG[1:])
    by_pixel, by_cell = (tuple(Passing(limit) for limit in limits_deg) for _ in range(2))
    for first in range(0, grid.rows, step):
        rows = slice(first, min(first + step, grid.rows))
        window = rows, slice(0, grid.cols)
        mine = ours.read(window=window).astype(np.float64)
        mean = fine.read("slope_mean_deg", window).astype(np.float64)
        top = fine.read("slope_max_deg", window).astype(np.float64)
        unknown = ~(np.isfinite(mine) & np.isfinite(mean) & np.isfinite(top))
        mine[unknown] = mean[unknown] = top[unknown] = np.nan
        kept = cells.kept[first // per_cell : -(-rows.stop // per_cell)]
        whole = [
            _by_cell(values, per_cell, kept.shape, reduce)
            for values, reduce in ((mine, np.mean), (mean, np.mean), (top, np.max))
        ]
        chosen = kept & np.isfinite(whole[0])
        for passing in by_cell:
            passing.add(*(values[chosen] for values in whole))
        radius_m = np.hypot(x_m[None, :], y_m[rows, None])
        known = ~unknown & (radius_m <= edge_m)
        pairs = mine[known], mean[known], top[known]
        overall.add(*pairs)
        rings.add(colatitude_deg(radius_m[known]), pairs[1])
        number = np.digitize(pairs[0], CLASSES_DEG) - 1
        for index, sums in enumerate(classes):
            sums.add(*(values[number == index] for values in pairs))
        for passing in by_pixel:
            passing.add(*pairs)
        if progress is not None:
            progress(rows.stop, grid.rows, "row")
    return Comparison(grid.pixel_m, cells.cell_m, overall, classes, by_pixel, by_cell, *rings.baseline())


def _by_cell(values: Floats, per_cell: int, shape: tuple[int, ...], reduce: Callable[..., Floats]) -> Floats:
    """Return the mean or largest value of each cell; NaN where a pixel is unknown or beyond the grid."""
    rows, cols = shape
    padded = np.full((rows * per_cell, cols * per_cell), np.nan)
    padded[: values.shape[0], : values.shape[1]] = values
    return reduce(padded.reshape(rows, per_cell, cols, per_cell), axis=(1, 3))
