"""What the elevation model shows at a crater's place, and which doubts speak against a catalogue's entry.

The relief of a circle is the mean height on its rim less the mean height within 0.3 radii. Means are taken on both
sides, so that a slope cancels and a place picked at random has no relief on average; it is less than the depth from the
crest to the floor, which chance alone makes positive. This module must not know what was detected.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lunarsite.grid import Grid, scale_factor
from lunarsite.vision.crater.matching import Circles, neighbours

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_AZIMUTHS = 32
_RIM_RADII = np.array([0.95, 1.0, 1.05])
_FLOOR_RADII = np.array([0.0, 0.1, 0.2, 0.3])
_LEAST_KNOWN = 0.7
_LARGER = 1.5
"""A crater that can destroy another one's rim is at least this many times as large."""


def known_at(heights: NDArray[Any], grid: Grid, x_m: Floats, y_m: Floats) -> Mask:
    """Return whether the map has a height at places; beyond the map it has none."""
    row, col = grid.index(x_m, y_m)
    inside = (row >= 0) & (row < grid.rows) & (col >= 0) & (col < grid.cols)
    known = np.zeros(row.size, dtype=bool)
    known[inside] = np.isfinite(heights[row[inside], col[inside]])
    return known


def relief_ratio(heights: NDArray[np.float32], grid: Grid, circles: Circles) -> Floats:
    """Return relief over diameter, (n,): positive for hollows, NaN where too little of the circle is known."""
    radius_px = 0.5 * circles.diameter_m * scale_factor(circles.x_m, circles.y_m) / grid.pixel_m
    col = (circles.x_m - grid.x_min_m) / grid.pixel_m - 0.5
    row = (grid.y_max_m - circles.y_m) / grid.pixel_m - 0.5
    rim = _mean(heights, row, col, radius_px, _RIM_RADII)
    floor = _mean(heights, row, col, radius_px, _FLOOR_RADII)
    return np.asarray((rim - floor) / circles.diameter_m)


def _mean(heights: NDArray[np.float32], row: Floats, col: Floats, radius: Floats, radii: Floats) -> Floats:
    """Return the mean over rings, each weighted by its length."""
    angle = np.arange(_AZIMUTHS) * (2.0 * np.pi / _AZIMUTHS)
    total, weight = np.zeros(row.size), np.zeros(row.size)
    for share in radii:
        rows = row[:, None] + share * radius[:, None] * np.cos(angle)
        cols = col[:, None] + share * radius[:, None] * np.sin(angle)
        heard = ndimage.map_coordinates(heights, [rows, cols], order=1, mode="constant", cval=np.nan, output=np.float64)
        known = np.isfinite(heard)
        length = share + 0.05  # the middle stands for a small disc
        total += length * np.where(known, heard, 0.0).sum(axis=1)
        weight += length * known.sum(axis=1)
    most = _AZIMUTHS * float(np.sum(radii + 0.05))
    mean = total / np.where(weight > 0.0, weight, 1.0)
    return np.where(weight >= _LEAST_KNOWN * most, mean, np.nan)


def crossed(circles: Circles, depth_ratio: Floats) -> Mask:
    """Return which craters are cut by the rim of a larger and fresher one (greater depth over diameter), (n,).

    A larger crater's rim passes within half a radius of the smaller one's centre. Where a depth is unknown nothing is
    said.
    """
    radius_m = 0.5 * circles.diameter_m
    found = np.zeros(len(circles), dtype=bool)
    large, small, distance_m = neighbours(circles, circles, 1.5 * radius_m)
    larger = radius_m[large] >= _LARGER * radius_m[small]
    fresher = depth_ratio[large] > depth_ratio[small]
    cut = np.abs(distance_m - radius_m[large]) < 0.5 * radius_m[small]
    found[small[larger & fresher & cut]] = True
    return found
