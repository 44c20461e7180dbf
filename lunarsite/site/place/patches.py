"""Windows of the map's layers around a place, for its landing ellipse; beyond the map everything is unknown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lunarsite.artefact.raster import RasterSpec
from lunarsite.grid import Cells, Grid, scale_factor
from lunarsite.site.layers import opened_layer
from lunarsite.site.place.ellipse import Patch, reach_px
from lunarsite.site.reduction import Read

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_CENTRES_APART_M = 60.0


@contextmanager
def opened_layers(files: Mapping[str, tuple[Path, RasterSpec]], area: Grid) -> Iterator[dict[str, Read]]:
    """Open the layers 'slope', 'sun', 'earth', 'psr' and 'height' on the run's grid."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(opened_layer(path, spec, area)) for name, (path, spec) in files.items()}


class Surroundings(NamedTuple):
    """Pixels around a cell and those that may be an ellipse's centre, as rows and columns of the patch.

    `own` are pixels of the cell itself, `further` those of the good cells around it that hang together with it.
    """

    patch: Patch
    own: tuple[Ints, Ints]
    further: tuple[Ints, Ints]


def patch_around(
    layers: Mapping[str, Read],
    cells: Cells,
    good: Bools,
    centre_m: tuple[float, float],
    semi_axes_m: tuple[float, float],
) -> Surroundings:
    """Return the pixels around a cell and its eight neighbours as far as an ellipse may reach, and possible centres.

    Centres stand some 60 m apart where pixels are smaller, twice that around the cell: an ellipse hardly changes over
    less, and at 20 m all 2 304 pixels of a cell would take nine times as long.

    Args:
        layers: Readers of 'slope', 'sun', 'earth', 'psr' and 'height'.
        cells: The map's cells.
        good: Whether a cell is good ground, as a map (rows, cols) of cells; the cell itself must be.
        centre_m: Map x and y of the cell's centre.
        semi_axes_m: Semi-axes of the ellipse, true metres.
    """
    area, side = cells.grid, cells.pixels_per_cell
    x_m, y_m = centre_m
    row, col = (int(index) for index in area.index(x_m - 0.5 * cells.cell_m + 1e-6, y_m + 0.5 * cells.cell_m - 1e-6))
    reach = reach_px(semi_axes_m, area.pixel_m, float(scale_factor(x_m, y_m)))
    margin = side + reach
    top, left, size = row - margin, col - margin, side + 2 * margin
    window = tuple(
        slice(max(0, start), min(start + size, limit))
        for start, limit in zip((top, left), (area.rows, area.cols), strict=True)
    )
    inner = tuple(slice(part.start - start, part.stop - start) for part, start in zip(window, (top, left), strict=True))
    found = {}
    for name, read in layers.items():
        values = np.full((size, size), np.nan)
        values[inner] = read((window[0], window[1]))
        found[name] = values
    grid = Grid(
        area.x_min_m + left * area.pixel_m, area.y_max_m - top * area.pixel_m, area.pixel_m, size, size, area.pole
    )
    ground = _ground(good, row // side, col // side, side, margin)
    patch = Patch(
        grid, found["slope"], 100.0 * found["sun"], 100.0 * found["earth"], found["psr"], found["height"], ground
    )
    step = max(1, int(_CENTRES_APART_M / area.pixel_m))
    rows, cols = _lattice(margin, side, step)
    own = (rows + top < area.rows) & (cols + left < area.cols)
    more_rows, more_cols = _lattice(reach, 3 * side, max(1, int(2.0 * _CENTRES_APART_M / area.pixel_m)))
    within = (np.abs(2 * (more_rows - margin) - side + 1) < side) & (np.abs(2 * (more_cols - margin) - side + 1) < side)
    on_map = (more_rows + top < area.rows) & (more_cols + left < area.cols)
    more = ~within & on_map & (ground[more_rows, more_cols] > 0.0)
    return Surroundings(patch, (rows[own], cols[own]), (more_rows[more], more_cols[more]))


def _lattice(start: int, length: int, step: int) -> tuple[Ints, Ints]:
    """Return rows and columns, `step` apart and centred, of a square of pixels of a patch."""
    first = (length - 1) % step // 2
    rows, cols = (index.ravel() + start for index in np.mgrid[first:length:step, first:length:step])
    return rows.astype(np.int64), cols.astype(np.int64)


def _ground(good: Bools, row: int, col: int, side: int, margin: int) -> Floats:
    """Return the patch's pixels, 1 on good cells that hang together with the cell at (row, col) within the patch."""
    around = -(-margin // side)
    shown = np.zeros((2 * around + 1, 2 * around + 1), dtype=np.bool_)
    window = tuple(
        slice(max(0, at - around), min(at + around + 1, limit))
        for at, limit in zip((row, col), good.shape, strict=True)
    )
    inner = tuple(
        slice(part.start - at + around, part.stop - at + around) for part, at in zip(window, (row, col), strict=True)
    )
    shown[inner] = good[window]
    labels, _ = ndimage.label(shown)
    joined = labels == labels[around, around] if shown[around, around] else np.zeros_like(shown)
    cut = around * side - margin
    pixels = np.kron(joined, np.ones((side, side)))
    return pixels[cut : pixels.shape[0] - cut, cut : pixels.shape[1] - cut]
