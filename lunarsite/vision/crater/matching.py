"""One-to-one matching of detected craters with a catalogue's, on the sphere.

A detected crater can be a catalogue's crater if their centres lie within a share of the catalogue's radius and their
diameters within a share of the catalogue's diameter. Among all ways to pair them so that nothing is used twice, the one
with the most pairs is taken, and among those the one with the least sum of costs (distance over radius plus
|ln(diameter ratio)|). The order of rows plays no part, so a matching of fewer detections has at most as many pairs: a
sweep over thresholds never loses recall as it lowers the score. The same rule
calibrates and validates. This module must not know scores or splits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching
from scipy.spatial import cKDTree

from lunarsite.grid import MOON_RADIUS_M

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NOTHING = -1
"""Partner of a crater that has none."""
CENTRE_TOLERANCE, DIAMETER_TOLERANCE = 0.5, 0.35
"""Centres within half a radius, diameters within 35 %, both of the catalogue's crater."""
_UNPAIRED = 1e4
"""Cost of leaving a detection unpaired: above any sum of costs that one more pair could add along a chain."""


@dataclass(frozen=True)
class Circles:
    """Craters as places on the map (map metres) with diameters (true metres); each (n,)."""

    x_m: Floats
    y_m: Floats
    diameter_m: Floats

    def __len__(self) -> int:
        """Return the number of craters."""
        return int(self.x_m.size)

    def take(self, chosen: NDArray[np.bool_] | Ints) -> Circles:
        """Return some of them, by mask or index."""
        return Circles(self.x_m[chosen], self.y_m[chosen], self.diameter_m[chosen])


@dataclass(frozen=True)
class Pairs:
    """All admissible pairs of a detection and a catalogue crater; each array (pairs,)."""

    detection: Ints
    truth: Ints
    distance_m: Floats
    """Between the centres, along the surface."""
    cost: Floats

    def of(self, chosen: NDArray[np.bool_]) -> Pairs:
        """Return the pairs of some detections; indices stay those of all detections."""
        kept = chosen[self.detection]
        return Pairs(self.detection[kept], self.truth[kept], self.distance_m[kept], self.cost[kept])


def sphere_points(x_m: Floats, y_m: Floats) -> Floats:
    """Return the points of the sphere at map places, metres from the pole, (n, 3)."""
    squared = x_m**2 + y_m**2
    scale = 1.0 + squared / (2.0 * MOON_RADIUS_M) ** 2
    return np.column_stack([x_m / scale, y_m / scale, squared / (2.0 * MOON_RADIUS_M * scale)])


def arc_m(chord_m: Floats) -> Floats:
    """Return the distance along the surface of points whose straight distance is given."""
    return 2.0 * MOON_RADIUS_M * np.arcsin(np.clip(chord_m / (2.0 * MOON_RADIUS_M), 0.0, 1.0))


def neighbours(centres: Circles, others: Circles, reach_m: Floats) -> tuple[Ints, Ints, Floats]:
    """Return index pairs (centre, other) whose places lie within each centre's reach, and their distances.

    Args:
        centres: Craters around which is looked.
        others: Craters that are looked for.
        reach_m: (len(centres),) distance along the surface, at most a quarter of the circumference.
    """
    if not len(centres) or not len(others):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    here, there = sphere_points(centres.x_m, centres.y_m), sphere_points(others.x_m, others.y_m)
    chord_m = 2.0 * MOON_RADIUS_M * np.sin(np.clip(reach_m / (2.0 * MOON_RADIUS_M), 0.0, np.pi / 4.0))
    found = cKDTree(there).query_ball_point(here, chord_m * (1.0 + 1e-12))
    counts = np.array([len(one) for one in found])
    centre = np.repeat(np.arange(len(centres)), counts)
    other = np.concatenate([np.asarray(one, dtype=np.int64) for one in found])
    return centre, other, arc_m(np.linalg.norm(here[centre] - there[other], axis=1))


def admissible(
    detected: Circles,
    catalogue: Circles,
    centre_tolerance: float = CENTRE_TOLERANCE,
    diameter_tolerance: float = DIAMETER_TOLERANCE,
) -> Pairs:
    """Return every pair that may match.

    Args:
        detected: Detected craters.
        catalogue: The catalogue's craters.
        centre_tolerance: Centres lie closer than this many radii of the catalogue's crater.
        diameter_tolerance: Diameters differ by less than this share of the catalogue's, below 1.
    """
    radius_m = 0.5 * catalogue.diameter_m
    truth, detection, distance_m = neighbours(catalogue, detected, centre_tolerance * radius_m)
    ratio = detected.diameter_m[detection] / catalogue.diameter_m[truth]
    offset = distance_m / radius_m[truth]
    kept = (offset < centre_tolerance) & (np.abs(ratio - 1.0) < diameter_tolerance)
    cost = offset[kept] + np.abs(np.log(ratio[kept]))
    return Pairs(detection[kept], truth[kept], distance_m[kept], cost)


def match(detected: Circles, catalogue: Circles) -> Ints:
    """Return the partner in the catalogue of each detection at the usual tolerances, `NOTHING` where it has none."""
    return assign(admissible(detected, catalogue), len(detected), len(catalogue))


def assign(pairs: Pairs, detections: int, truths: int) -> Ints:
    """Return the partner in the catalogue of each detection, `NOTHING` where it has none, (detections,).

    Args:
        pairs: The admissible pairs.
        detections: Number of detections.
        truths: Number of craters in the catalogue.
    """
    partner = np.full(detections, NOTHING, dtype=np.int64)
    if pairs.detection.size == 0:
        return partner
    # Most pairs stand alone: both of their craters have no other choice.
    alone = np.bincount(pairs.detection, minlength=detections)[pairs.detection] == 1
    alone &= np.bincount(pairs.truth, minlength=truths)[pairs.truth] == 1
    partner[pairs.detection[alone]] = pairs.truth[alone]
    crowded = ~alone
    if crowded.any():
        row, col = _solve(pairs.detection[crowded], pairs.truth[crowded], pairs.cost[crowded])
        partner[row] = col
    return partner


def _solve(detection: Ints, truth: Ints, cost: Floats) -> tuple[Ints, Ints]:
    """Solve the assignment exactly, group by group; every detection may also stay alone, at a prohibitive price."""
    rows, row = np.unique(detection, return_inverse=True)
    cols, col = np.unique(truth, return_inverse=True)
    n, m = rows.size, cols.size
    links = coo_array((np.ones(row.size), (row, n + col)), shape=(n + m, n + m))
    group = connected_components(links, directed=False)[1]
    order = np.argsort(group[row], kind="stable")
    starts = np.flatnonzero(np.diff(group[row][order], prepend=-1))
    found_row, found_col = [], []
    for part in np.split(order, starts[1:]):
        ours, r = np.unique(row[part], return_inverse=True)
        theirs, c = np.unique(col[part], return_inverse=True)
        # One column per detection stands for 'no partner'. Explicit zeros would be no edges: costs start at 1.
        data = np.concatenate([1.0 + cost[part], np.full(ours.size, _UNPAIRED)])
        at = (np.concatenate([r, np.arange(ours.size)]), np.concatenate([c, theirs.size + np.arange(ours.size)]))
        matrix = csr_array((data, at), shape=(ours.size, theirs.size + ours.size))
        chosen_row, chosen_col = min_weight_full_bipartite_matching(matrix)
        paired = chosen_col < theirs.size
        found_row.append(rows[ours[chosen_row[paired]]])
        found_col.append(cols[theirs[chosen_col[paired]]])
    return np.concatenate(found_row), np.concatenate(found_col)
