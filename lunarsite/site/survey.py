"""The ground whose craters a catalogue knows: elsewhere 'no crater' means that nobody looked.

This module must not know the craters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lunarsite.grid import MOON_RADIUS_M, Cells, Grid, in_sector, scale_factor, xy_to_lonlat

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEAST_SHARE = 0.9
"""Of the ground around a cell, that must be surveyed for its craters to be known: single pixels may lack a height."""


@dataclass(frozen=True)
class Survey:
    """Ground whose craters are known.

    Attributes:
        share: Surveyed share of each cell of the map, kept or not, (rows, cols).
        sector_deg: Longitudes between which it lies, from the first eastwards to the second; see `sector_depth_m`.
    """

    share: NDArray[np.floating]
    sector_deg: tuple[float, float] = (-180.0, 180.0)

    def known(self, cells: Cells, radius_m: float) -> Bools:
        """Return for which kept cells the ground within a true distance of the centre is known, (count,).

        That ground must lie within the sector, and `LEAST_SHARE` of it on the map and surveyed.
        """
        x_m, y_m = cells.centres_m()
        inside = sector_depth_m(x_m, y_m, self.sector_deg, cells.grid) >= radius_m
        row, col = np.nonzero(cells.kept)
        reach = radius_m * scale_factor(x_m, y_m) / cells.cell_m
        surveyed = _mean_around(np.asarray(self.share, dtype=np.float64), row, col, reach)
        return np.asarray(inside & (surveyed >= LEAST_SHARE))


def whole_map(cells: Cells) -> NDArray[np.float32]:
    """Return the share of each cell that lies on the map, (rows, cols): the last ones may be cut off."""
    size = cells.pixels_per_cell
    down, across = (np.minimum(size, n - size * np.arange(-(-n // size))) / size for n in cells.grid.shape)
    return np.asarray(down[:, None] * across[None, :], dtype=np.float32)


def sector_depth_m(x_m: Floats, y_m: Floats, sector_deg: tuple[float, float], grid: Grid) -> Floats:
    """Return how far inside a sector of longitude places lie: true metres to its nearer meridian, -inf outside.

    Args:
        x_m: Map x of the places.
        y_m: Their map y.
        sector_deg: From the first longitude eastwards to the second, degrees; a whole turn has no border.
        grid: The map.
    """
    first, second = sector_deg
    width = (second - first) % 360.0
    if width == 0.0:
        return np.full(np.shape(x_m), np.inf)
    lon_deg, lat_deg = xy_to_lonlat(x_m, y_m, grid.pole)
    along = (lon_deg - first) % 360.0
    colatitude = np.radians(90.0 - np.abs(lat_deg))
    depth_m = np.minimum(_to_meridian_m(along, colatitude), _to_meridian_m(width - along, colatitude))
    return np.where(in_sector(lon_deg, sector_deg), depth_m, -np.inf)


def _to_meridian_m(away_deg: Floats, colatitude: Floats) -> Floats:
    """Return the true distance to a meridian, from pole to pole, that is so many degrees of longitude away."""
    away = np.radians(away_deg)
    beside = np.arcsin(np.clip(np.sin(colatitude) * np.abs(np.sin(away)), 0.0, 1.0))
    # More than a quarter turn away the pole is the meridian's nearest point.
    return MOON_RADIUS_M * np.where(np.cos(away) > 0.0, beside, colatitude)


@njit(cache=True, nogil=True)
def _mean_around(share: Floats, row: NDArray[np.int64], col: NDArray[np.int64], reach: Floats) -> Floats:
    """Return the mean of the cells whose centres lie within a reach, in cells, of each cell; 0 beyond the map."""
    rows, cols = share.shape
    found = np.empty(row.size)
    for k in range(row.size):
        count, total, most = 0, 0.0, int(reach[k])
        for i in range(-most, most + 1):
            half = int(np.sqrt(reach[k] * reach[k] - i * i))
            count += 2 * half + 1
            if 0 <= row[k] + i < rows:
                for j in range(max(col[k] - half, 0), min(col[k] + half + 1, cols)):
                    total += share[row[k] + i, j]
        found[k] = total / count
    return found
