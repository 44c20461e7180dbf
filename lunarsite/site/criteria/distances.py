"""True distances from cells to permanently shadowed ground and to lines, on the sphere.

This module must not know files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from lunarsite.grid import MOON_RADIUS_M, Cells, Pole, xy_to_lonlat

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_QUERIES = 500_000
"""Pixels whose nearest neighbours are sought at a time."""


def shadow_distance_m(shadow: Bools, cells: Cells) -> Floats:
    """Return the true distance of each kept cell to the nearest of some pixels, (count,); NaN where there are none.

    From the nearest of the cell's pixels, centre to centre, along the great circle: 0 where the cell holds one of them.
    Exact for these points; a border between pixels lies up to 0.7 pixels off their centres.

    Args:
        shadow: (rows, cols) of the cells' grid, the pixels sought.
        cells: The cells.
    """
    distance_m = np.full(cells.count, np.nan)
    if not shadow.any():
        return distance_m
    grid, size = cells.grid, cells.pixels_per_cell
    # From without, the nearest pixel of a region shares an edge with ground outside it.
    row, col = np.nonzero(shadow & ~ndimage.binary_erosion(shadow, border_value=1))
    if row.size == 0:  # all of the map is shadow
        return np.zeros(cells.count)
    tree = KDTree(_directions(grid.x_m()[col], grid.y_m()[row], grid.pole))
    holds = np.zeros(cells.count, dtype=np.bool_)
    row, col = np.nonzero(shadow)
    inside = cells.ids[row // size, col // size]
    holds[inside[inside >= 0]] = True
    distance_m[holds] = 0.0
    rim = _rim(size)
    outside = np.flatnonzero(~holds)
    tops, lefts = (size * index[outside] for index in np.nonzero(cells.kept))
    for start in range(0, outside.size, max(1, _QUERIES // len(rim))):
        part = slice(start, start + max(1, _QUERIES // len(rim)))
        # Cells that the map's border cuts have the rim of what is left.
        rows = np.minimum(tops[part, None] + rim[:, 0], grid.rows - 1)
        cols = np.minimum(lefts[part, None] + rim[:, 1], grid.cols - 1)
        chord, _ = tree.query(_directions(grid.x_m()[cols], grid.y_m()[rows], grid.pole))
        distance_m[outside[part]] = _arc_m(chord.min(axis=1))
    return distance_m


def line_distance_m(lines: Sequence[Any] | NDArray[Any], cells: Cells) -> Floats:
    """Return the true distance of each kept cell's centre to the nearest line, (count,); NaN where there is no line.

    The nearest point is that on the map, its distance that on the sphere. The map's scale grows by 1.5 % from the pole
    to the corners of a map of 80 degrees: by no more can the point found lie farther than the truly nearest, by 0.5 %
    at distances up to 50 km.

    Args:
        lines: Lines of any kind in map metres (shapely).
        cells: The cells.
    """
    # A tree of single segments: boxes of whole lines overlap, and their nearest point would take all their vertices.
    vertices, line = shapely.get_coordinates(shapely.get_parts(np.asarray(lines, dtype=object)), return_index=True)
    joined = np.flatnonzero(line[1:] == line[:-1])
    if joined.size == 0:
        return np.full(cells.count, np.nan)
    segments = shapely.linestrings(np.stack([vertices[joined], vertices[joined + 1]], axis=1))
    x_m, y_m = cells.centres_m()
    centres = shapely.points(x_m, y_m)
    _, nearest = shapely.STRtree(segments).query_nearest(centres, all_matches=False)
    ends = shapely.get_coordinates(shapely.shortest_line(centres, segments[nearest]))[1::2]
    pole = cells.grid.pole
    return _arc_m(np.linalg.norm(_directions(x_m, y_m, pole) - _directions(ends[:, 0], ends[:, 1], pole), axis=1))


def _rim(size: int) -> NDArray[np.int64]:
    """Return rows and columns of the outermost pixels of a cell, (pixels, 2): from without, the nearest is one."""
    row, col = np.indices((size, size)).reshape(2, -1)
    outer = (row % max(size - 1, 1) == 0) | (col % max(size - 1, 1) == 0)
    return np.stack([row[outer], col[outer]], axis=1)


def _directions(x_m: Floats, y_m: Floats, pole: Pole) -> Floats:
    """Return unit vectors of places of the map, (..., 3)."""
    lon, lat = np.radians(xy_to_lonlat(x_m, y_m, pole))
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def _arc_m(chord: Floats) -> Floats:
    """Return the distances on the Moon of chords of the unit sphere."""
    return 2.0 * MOON_RADIUS_M * np.arcsin(np.clip(0.5 * chord, 0.0, 1.0))
