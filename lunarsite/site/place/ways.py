"""The ways of the sites to permanent shadow, followed over the rasters of ways' lengths in windows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.artefact import raster
from lunarsite.artefact.contracts import REACH, ROUTES
from lunarsite.artefact.raster import RasterReader
from lunarsite.grid import Cells, Grid, scale_factor
from lunarsite.site.criteria.ground import NO_WAY, REACHED, UNKNOWN
from lunarsite.site.criteria.routes import Route, route
from lunarsite.site.layers import opened_layer
from lunarsite.site.reduction import Read

Floats = NDArray[np.float64]

MOVERS = ("walk", "rover")
Ways = Mapping[str, tuple[Read, Read]]
"""Of each mover what reads the ways' lengths, and what reads whether ways lead."""


@contextmanager
def opened_ways(files: Mapping[str, Path], area: Grid) -> Iterator[Ways]:
    """Open the rasters of ways of each mover on the run's grid."""
    with ExitStack() as stack:
        yield {
            mover: (
                stack.enter_context(opened_layer(path, REACH, area, "path_m")),
                stack.enter_context(opened_layer(path, REACH, area, "way")),
            )
            for mover, path in files.items()
        }


def ways_from(ways: Ways, grid: Grid, x_m: Floats, y_m: Floats) -> dict[str, list[float] | list[str]]:
    """Return the length (metres, NaN where none leads) and the class of the way from each place, under sites' names."""
    found: dict[str, list[float] | list[str]] = {}
    for mover, (path_m, way) in ways.items():
        pixels = [_one(*_pixel(grid, x, y)) for x, y in zip(x_m.tolist(), y_m.tolist(), strict=True)]
        lengths = [float(path_m(pixel)[0, 0]) for pixel in pixels]
        leads = [float(way(pixel)[0, 0]) for pixel in pixels]
        found[f"psr_{mover}_m"] = lengths
        found[f"psr_{mover}"] = [
            REACHED if not math.isnan(length) else NO_WAY if known == 0.0 else UNKNOWN
            for length, known in zip(lengths, leads, strict=True)
        ]
    return found


def sites_routes(sites: gpd.GeoDataFrame, files: dict[str, Path], cells: Cells) -> pd.DataFrame:
    """Return the points of every site's ways, as the contract of routes has them.

    A way starts at the pixel of the ellipse's centre. Sites from which none leads have no rows.

    Args:
        sites: The sites.
        files: The raster of ways' lengths of each mover.
        cells: The map's cells.
    """
    parts = []
    for mover in MOVERS:
        with raster.opened(files[mover], REACH, cells.grid) as lengths:
            for site in sites.itertuples():
                way = _way(lengths, cells.grid, float(site.x_m), float(site.y_m))
                if way is not None:
                    parts.append(
                        pd.DataFrame(
                            {
                                "site_id": int(site.site_id),
                                "mover": mover,
                                "point": np.arange(len(way.lengths_m), dtype=np.int32),
                                "x_m": way.points_m[:, 0],
                                "y_m": way.points_m[:, 1],
                                "path_m": way.lengths_m,
                            }
                        )
                    )
    columns = [column.name for column in ROUTES.columns]
    kinds = {column.name: "object" if column.dtype == "string" else column.dtype for column in ROUTES.columns}
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    return found.astype(kinds).sort_values(list(ROUTES.sort), kind="stable").reset_index(drop=True)


def _pixel(grid: Grid, x_m: float, y_m: float) -> tuple[int, int]:
    (row,), (col,) = grid.index([x_m], [y_m])
    return int(row), int(col)


def _one(row: int, col: int) -> tuple[slice, slice]:
    return slice(row, row + 1), slice(col, col + 1)


def _way(lengths: RasterReader, grid: Grid, x_m: float, y_m: float) -> Route | None:
    """Return the way from a place, None where none leads."""
    row, col = _pixel(grid, x_m, y_m)
    length_m = float(lengths.read(window=_one(row, col))[0, 0])
    if math.isnan(length_m):
        return None
    # No point of a way lies farther off than the way is long: a window of that reach holds it, whatever the map's size.
    left_m, bottom_m, right_m, top_m = np.abs(grid.bounds_m)
    scale = float(scale_factor(max(left_m, right_m), max(bottom_m, top_m)))
    reach = math.ceil(length_m * scale / grid.pixel_m) + 2
    rows = slice(max(0, row - reach), min(grid.rows, row + reach + 1))
    cols = slice(max(0, col - reach), min(grid.cols, col + reach + 1))
    part = Grid(
        grid.x_min_m + cols.start * grid.pixel_m,
        grid.y_max_m - rows.start * grid.pixel_m,
        grid.pixel_m,
        rows.stop - rows.start,
        cols.stop - cols.start,
        grid.pole,
    )
    return route(lengths.read(window=(rows, cols)), part, row - rows.start, col - cols.start)
