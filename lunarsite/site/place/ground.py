"""From cells to pieces of ground: contiguous good ground, its best places, and the ground that belongs to each.

Distances are true ones on the sphere. This module must not know why ground is good or one place better than another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree
from shapely.geometry import Polygon

from lunarsite.grid import MOON_RADIUS_M, Cells

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Settle = Callable[[int, Floats], Floats | None]

# Places exactly at the least distance may both be chosen, whatever the last bit says.
_BORDER = 1e-12


@dataclass(frozen=True)
class Ground:
    """Good cells and how they hang together.

    Attributes:
        cells: All cells of the map.
        ids: Ids of the good cells, ascending, (good,).
        component: Number of the contiguous ground (4 neighbours) of each, from 1 by falling area, (good,).
        area_km2: True area of that contiguous ground, (good,).
        unit: Unit vectors of the cells' centres, (good, 3).
    """

    cells: Cells
    ids: Ints
    component: Ints
    area_km2: Floats
    unit: Floats

    @property
    def components(self) -> int:
        """Number of pieces of contiguous ground."""
        return int(np.unique(self.component).size)

    def of(self, chosen: NDArray[np.bool_]) -> Ground:
        """Return the part of the ground that a mask (good,) chooses; pieces and their areas stay those of the whole."""
        return Ground(self.cells, self.ids[chosen], self.component[chosen], self.area_km2[chosen], self.unit[chosen])


@dataclass(frozen=True)
class Piece:
    """A site's ground: its best cell and all its cells, contiguous, as ids."""

    best: int
    ids: Ints


def good_ground(cells: Cells, probability: Floats, least: float) -> Ground:
    """Return the ground whose probability, (cells,) by id with NaN where unknown, is at least `least`."""
    good = np.zeros(cells.kept.shape, dtype=bool)
    good[cells.kept] = probability >= least
    labels, count = ndimage.label(good)
    ids = cells.ids[good]
    label = labels[good].astype(np.int64) - 1
    area_km2 = np.bincount(label, cells.true_area_m2()[ids] / 1e6, count)
    number = np.empty(count, dtype=np.int64)
    # Areas that differ by their last bits count as equal: those go by their first cell.
    number[np.argsort(-np.round(area_km2, 6), kind="stable")] = np.arange(1, count + 1)
    return Ground(cells, ids, number[label], area_km2[label], unit_vectors(*cells.centres_lonlat())[ids])


def unit_vectors(lon_deg: Floats, lat_deg: Floats) -> Floats:
    """Return unit vectors (n, 3) of longitudes and latitudes in degrees."""
    lon, lat = np.radians(lon_deg), np.radians(lat_deg)
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def chord(distance_m: float) -> float:
    """Return the straight distance between places of the unit sphere that lie `distance_m` apart along the Moon."""
    return float(2.0 * np.sin(min(0.5 * distance_m / MOON_RADIUS_M, 0.5 * np.pi)))


def best_places(merit: Floats, unit: Floats, spacing_m: float, most: int, settle: Settle | None = None) -> Ints:
    """Return the best places that lie at least `spacing_m` apart, best first: greedy non-maximum suppression.

    Args:
        merit: (places,); of equal merits the earlier place comes first.
        unit: (places, 3) unit vectors.
        spacing_m: Least true distance of two chosen places.
        most: Largest number of places.
        settle: Returns where about a place, given those taken before (n, 3), a site really lies, or None if nothing
            there is far enough from them; the spacing is then that of these. None: at the place itself.
    """
    if not merit.size:
        return np.zeros(0, dtype=np.int64)
    tree = cKDTree(unit)
    free = np.ones(merit.size, dtype=bool)
    reach = chord(spacing_m) * (1.0 - _BORDER)
    chosen: list[int] = []
    taken: list[Floats] = []
    for place in np.argsort(-merit, kind="stable"):
        if free[place]:
            at = unit[place] if settle is None else settle(int(place), np.array(taken).reshape(-1, 3))
            if at is None:
                continue
            chosen.append(int(place))
            taken.append(at)
            free[tree.query_ball_point(at, reach)] = False
            if len(chosen) == most:
                break
    return np.array(chosen, dtype=np.int64)


def apart(unit: Floats, taken: Floats, spacing_m: float) -> NDArray[np.bool_]:
    """Whether each place, (n, 3) unit vectors, lies at least `spacing_m` from all that are taken, (m, 3)."""
    if not len(taken):
        return np.ones(len(unit), dtype=np.bool_)
    return np.asarray(cKDTree(taken).query(unit)[0] >= chord(spacing_m) * (1.0 - _BORDER))


def pieces(ground: Ground, chosen: Ints, reach_m: float, at: Floats | None = None) -> list[Piece]:
    """Return the ground that belongs to each chosen place.

    A good cell belongs to the nearest chosen place of its contiguous ground (of equally near ones the better), if that
    lies within `reach_m`. What is cut off from its place by the ground of others is left out, so each piece is
    contiguous.

    Args:
        ground: The good cells.
        chosen: Positions among them of the best places, best first.
        reach_m: Largest true distance from the place.
        at: (chosen, 3) unit vectors of where each site really lies; None: at its place.
    """
    centres = ground.unit[chosen] if at is None else at
    owner = np.full(ground.ids.size, -1, dtype=np.int64)
    for component in np.unique(ground.component[chosen]):
        own = np.flatnonzero(ground.component[chosen] == component)
        members = np.flatnonzero(ground.component == component)
        nearest = _nearest(centres[own], ground.unit[members], chord(reach_m))
        owner[members[nearest >= 0]] = own[nearest[nearest >= 0]]
    owner[chosen] = np.arange(chosen.size)
    on_map = np.full(ground.cells.kept.shape, -1, dtype=np.int64)
    rows, cols = np.unravel_index(np.flatnonzero(ground.cells.kept.ravel())[ground.ids], ground.cells.kept.shape)
    on_map[rows, cols] = owner
    boxes = ndimage.find_objects(on_map + 1, chosen.size)
    found = []
    for index, place in enumerate(chosen):
        box = boxes[index]
        joined, _ = ndimage.label(on_map[box] == index)
        here = joined == joined[rows[place] - box[0].start, cols[place] - box[1].start]
        found.append(Piece(int(ground.ids[place]), ground.cells.ids[box][here]))
    return found


def outline(x_m: Floats, y_m: Floats, cell_m: float) -> Polygon:
    """Return the union of the squares of contiguous cells, given their centres, in map metres; it may have holes."""
    half = 0.5 * cell_m
    return shapely.normalize(shapely.union_all(shapely.box(x_m - half, y_m - half, x_m + half, y_m + half)))


def _nearest(places: Floats, of: Floats, reach: float) -> Ints:
    """Return the nearest place (the first of equally near ones) of each, -1 where none is within reach."""
    # Rounded to some 2 mm on the Moon, so that ties do not go by the last bit.
    distance, index = cKDTree(places).query(of, k=min(2, len(places)))
    distance, index = distance.reshape(len(of), -1), index.reshape(len(of), -1)
    first = index[:, 0]
    if index.shape[1] == 2:
        tied = np.abs(distance[:, 1] - distance[:, 0]) < 1e-9
        first = np.where(tied, index.min(axis=1), first)
    return np.where(distance[:, 0] <= reach * (1.0 + 1e-12), first, -1).astype(np.int64)
