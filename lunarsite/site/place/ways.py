"""The ways of the sites to permanent shadow, followed over the rasters of ways' lengths in windows."""

from __future__ import annotations

import math
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from lunarsite.artefact import raster
from lunarsite.artefact.contracts import REACH, ROUTES
from lunarsite.artefact.raster import RasterReader
from lunarsite.grid import Cells, Grid, scale_factor
from lunarsite.site.criteria.routes import Route, route

MOVERS = ("walk", "rover")


def sites_routes(sites: gpd.GeoDataFrame, files: dict[str, Path], cells: Cells) -> pd.DataFrame:
    """Return the points of every site's ways, as the contract of routes has them.

    A way starts at the pixel of the ellipse's centre, or, where none leads from there, at the nearest pixel of the
    site's best cell from which one does. Sites without a way have no rows.

    Args:
        sites: The sites.
        files: The raster of ways' lengths of each mover.
        cells: The map's cells.
    """
    parts = []
    for mover in MOVERS:
        with raster.opened(files[mover], REACH, cells.grid) as lengths:
            for site in sites.itertuples():
                way = _way(lengths, cells, int(site.cell_id), float(site.x_m), float(site.y_m))
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


def _way(lengths: RasterReader, cells: Cells, cell: int, x_m: float, y_m: float) -> Route | None:
    """Return a site's way, None where none leads."""
    grid, side = cells.grid, cells.pixels_per_cell
    (row,), (col,) = grid.index([x_m], [y_m])
    top, left = row // side * side, col // side * side
    own = lengths.read(window=(slice(top, min(top + side, grid.rows)), slice(left, min(left + side, grid.cols))))
    reached = np.argwhere(~np.isnan(own))
    if not len(reached):
        return None
    apart = np.hypot(reached[:, 0] + top - row, reached[:, 1] + left - col)
    start = reached[int(apart.argmin())]
    row, col = int(start[0] + top), int(start[1] + left)
    # No point of a way lies farther off than the way is long: a window of that reach holds it, whatever the map's size.
    left_m, bottom_m, right_m, top_m = np.abs(grid.bounds_m)
    scale = float(scale_factor(max(left_m, right_m), max(bottom_m, top_m)))
    reach = math.ceil(float(own[tuple(start)]) * scale / grid.pixel_m) + 2
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
