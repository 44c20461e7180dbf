"""Windows of the map's layers around a place, for its landing ellipse; beyond the map everything is unknown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lunarsite.artefact.raster import RasterSpec
from lunarsite.grid import Cells, Grid, scale_factor
from lunarsite.site.layers import opened_layer
from lunarsite.site.place.ellipse import Patch, reach_px
from lunarsite.site.reduction import Read

Ints = NDArray[np.int64]

_CENTRES_APART_M = 60.0


@contextmanager
def opened_layers(files: Mapping[str, tuple[Path, RasterSpec]], area: Grid) -> Iterator[dict[str, Read]]:
    """Open the layers 'slope', 'sun', 'earth', 'psr' and 'height' on the run's grid."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(opened_layer(path, spec, area)) for name, (path, spec) in files.items()}


def patch_around(
    layers: Mapping[str, Read], cells: Cells, centre_m: tuple[float, float], semi_axes_m: tuple[float, float]
) -> tuple[Patch, tuple[Ints, Ints]]:
    """Return the pixels around a cell as far as an ellipse may reach, and those of the cell that may be its centre.

    Centres stand some 60 m apart where pixels are smaller: an ellipse hardly changes over less, and at 20 m all 2 304
    pixels of a cell would take nine times as long.

    Args:
        layers: Readers of 'slope', 'sun', 'earth', 'psr' and 'height'.
        cells: The map's cells.
        centre_m: Map x and y of the cell's centre.
        semi_axes_m: Semi-axes of the ellipse, true metres.
    """
    area, side = cells.grid, cells.pixels_per_cell
    x_m, y_m = centre_m
    row, col = (int(index) for index in area.index(x_m - 0.5 * cells.cell_m + 1e-6, y_m + 0.5 * cells.cell_m - 1e-6))
    reach = reach_px(semi_axes_m, area.pixel_m, float(scale_factor(x_m, y_m)))
    top, left, size = row - reach, col - reach, side + 2 * reach
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
    step = max(1, int(_CENTRES_APART_M / area.pixel_m))
    first = (side - 1) % step // 2
    rows, cols = (index.ravel() + reach for index in np.mgrid[first:side:step, first:side:step])
    on_map = (rows + top < area.rows) & (cols + left < area.cols)
    patch = Patch(grid, found["slope"], 100.0 * found["sun"], 100.0 * found["earth"], found["psr"], found["height"])
    return patch, (rows[on_map].astype(np.int64), cols[on_map].astype(np.int64))
