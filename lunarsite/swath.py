"""The ground that a push-broom frame covered, from the pixels of it that hold data.

A mapped frame of such a camera is a straight strip, here within half a pixel over 150 km: the smallest rectangle about
its data. Within the strip a frame may lack data, and that tells something: ShadowCam is 200 times as sensitive as the
camera that it descends from, ground in direct sunlight saturates it, and mapped frames leave saturated pixels out. Who
predicts what a frame shows, or judges a prediction, must look at these gaps too: the sunlit ground lies in them. The
module must not know whose frames these are, nor what is made of the gaps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FEWEST_PX = 16
"""Frames with less data than this tell nothing of their strip."""
EDGE_PX = 1.5
"""Pixels without data count as gaps if their centres lie deeper in the strip than this: its edge is not sharp."""


def covered(valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which pixels a frame covered: those with data, and gaps between them within its strip.

    The strip is the smallest rectangle, at any angle, about the centres of the pixels with data; `EDGE_PX` at its
    border are left to the data. It ends where the data end, so ground without data before the first and behind the last
    pixel remains unknown.

    Args:
        valid: Pixels with data, (rows, cols).

    Returns:
        (rows, cols); `valid` itself where fewer than `FEWEST_PX` pixels have data or all lie on one line.
    """
    import shapely

    rows, cols = _outermost(valid)
    if np.count_nonzero(valid) < FEWEST_PX:
        return valid.copy()
    strip = shapely.MultiPoint(np.stack([cols, rows], axis=1)).minimum_rotated_rectangle.buffer(
        -EDGE_PX, join_style="mitre"
    )
    if strip.is_empty or strip.geom_type != "Polygon":
        return valid.copy()
    corners = np.array(strip.exterior.coords)[:-1]
    edges = np.roll(corners, -1, axis=0) - corners
    # The rectangle is convex: its inside is on one side of all of its edges, whichever way they run.
    turn = np.sign(np.linalg.det(edges[:2]))
    row, col = np.ogrid[: valid.shape[0], : valid.shape[1]]
    inside = np.ones(valid.shape, dtype=np.bool_)
    for (x, y), (dx, dy) in zip(corners, edges, strict=True):
        inside &= turn * (dx * (row - y) - dy * (col - x)) >= 0.0
    return inside | valid


def _outermost(valid: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first and last pixel with data of each row: the hull of these is the hull of all."""
    rows = np.flatnonzero(valid.any(axis=1))
    first = valid[rows].argmax(axis=1)
    last = valid.shape[1] - 1 - valid[rows, ::-1].argmax(axis=1)
    return np.concatenate([rows, rows]), np.concatenate([first, last])
