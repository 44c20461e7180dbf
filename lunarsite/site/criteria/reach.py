"""Shortest ways to permanently shadowed ground, over ground that is not too steep.

A way goes from pixel to one of its eight neighbours; a step is as long as it is on the sphere: its length on the map
over the map's scale, the mean of both ends. Ways are found from all destinations outwards by Dijkstra's algorithm as
scikit-image has it (`MCP_Geometric`), so one search serves every pixel of the map. Across open ground eight directions
make a way at most 1 / cos 22.5 deg = 1.082 times as long as the straight line, 1.055 times on average. Heights do not
count: along a slope of 15 degrees a step is 3.5 % longer than on the map, of 25 degrees 10 %. This module must not know
files.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.graph import MCP_Geometric

from lunarsite.grid import Grid

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

_BLOCKED = -1.0
"""What `MCP_Geometric` takes for ground that no way crosses."""
_EIGHT = np.ones((3, 3), dtype=np.bool_)


class Shadow(NamedTuple):
    """Permanently shadowed regions that are large enough to go to, each (rows, cols).

    `certain` are those regions as far as they are known. `possible` holds them, all ground whose shadow is unknown, and
    smaller regions that may go on in unknown ground or beyond the map.
    """

    certain: Bools
    possible: Bools


class Reach(NamedTuple):
    """Ways from every pixel, each float32 (rows, cols).

    `path_m` is the way's true length, 0 at a destination and NaN where no way is known. `way` is 1 where a way leads, 0
    where none does, and NaN where unknown ground, or ground beyond the map, could hold one.
    """

    path_m: Floats
    way: Floats


def shadow_regions(psr: NDArray[np.uint8], grid: Grid, least_km2: float) -> Shadow:
    """Return the permanently shadowed regions of at least so large a true area; a region's pixels share edges.

    Args:
        psr: (rows, cols) 1 where permanently shadowed, 0 where not, 255 where that is unknown.
        grid: The map.
        least_km2: Smallest true area of a region, km2.
    """
    unknown = psr > 1
    regions, count = ndimage.label(psr == 1)
    pixels_km2 = (1e-3 * grid.pixel_m / grid.scale_factor()) ** 2
    area_km2 = np.bincount(regions.ravel(), weights=pixels_km2.ravel(), minlength=count + 1)
    # Sums of thousands of pixels round; a region of just that area counts.
    large = area_km2 >= least_km2 * (1.0 - 1e-9)
    large[0] = False
    certain = large[regions]
    regions, count = ndimage.label((psr == 1) | unknown)
    endless = np.zeros(count + 1, dtype=np.bool_)
    for end in (regions[unknown], regions[0], regions[-1], regions[:, 0], regions[:, -1]):
        endless[end] = True
    endless[0] = False
    return Shadow(certain, certain | endless[regions])


def find_ways(slope_deg: Floats, shadow: Shadow, grid: Grid, limit_deg: float) -> Reach:
    """Return the shortest ways to permanently shadowed ground, over ground no steeper than a limit.

    A way ends on shadowed ground that is itself no steeper. A diagonal step is legal between two
    pixels that are too steep. Ground of unknown slope is not crossed, so a way is as short as known ground allows.

    Args:
        slope_deg: (rows, cols) slope of each pixel, degrees; NaN where unknown.
        shadow: What `shadow_regions` returned.
        grid: The map.
        limit_deg: Steepest ground of a way, degrees.
    """
    passable = slope_deg <= limit_deg
    path_m = np.full(slope_deg.shape, np.nan, dtype=np.float32)
    destinations = np.argwhere(shadow.certain & passable)
    if destinations.size:
        # The cost of a step is its length in pixels times the mean of both ends: here a pixel's true length.
        search = MCP_Geometric(np.where(passable, grid.pixel_m / grid.scale_factor(), _BLOCKED))
        costs, _ = search.find_costs(destinations)
        reached = np.isfinite(costs)
        path_m[reached] = costs[reached]
    way = np.where(np.isnan(path_m), np.float32(0.0), np.float32(1.0))
    way[_undecided(slope_deg, passable, shadow.possible) & (way == 0.0)] = np.nan
    return Reach(path_m, way)


def _undecided(slope_deg: Floats, passable: Bools, possible: Bools) -> Bools:
    """Return from where a way would lead if all unknown ground were good, or whose ground is unknown, (rows, cols)."""
    unknown = np.isnan(slope_deg)
    crossed = np.pad(passable | unknown, 1, constant_values=True)  # what lies beyond the map is unknown
    pieces, count = ndimage.label(crossed, _EIGHT)
    hopeful = np.zeros(count + 1, dtype=np.bool_)
    hopeful[pieces[0, 0]] = True
    inner = pieces[1:-1, 1:-1]
    hopeful[inner[possible & (passable | unknown)]] = True
    hopeful[0] = False
    return np.asarray(hopeful[inner] | unknown)
