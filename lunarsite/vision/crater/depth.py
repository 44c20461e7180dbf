"""The depth of a crater as the elevation model shows it: from the rim's crest to the floor.

The crest is the median over 16 sectors of each sector's highest point between 0.8 and 1.2 radii: a neighbour's wall or
a breach moves few sectors. The floor is the mean of the lowest fifth within half a radius. This module must not know
files.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]

_SECTORS, _PER_SECTOR = 16, 4
_CREST_RADII = np.linspace(0.8, 1.2, 9, dtype=np.float64)
_FLOOR_RADII = np.linspace(0.0, 0.5, 8, dtype=np.float64)
_AT_ONCE = 4_096


def measure_depths(
    heights_m: NDArray[np.float32], pixel_m: float, right_m: Floats, down_m: Floats, diameter_m: Floats
) -> Floats:
    """Return depths, metres, (n,): NaN where a third of the sectors or the floor have no elevation, else at least 0.

    Args:
        heights_m: (rows, cols), NaN without data.
        pixel_m: Pixel size, map metres.
        right_m: Distance of the centres from the left border, map metres.
        down_m: Distance from the upper border.
        diameter_m: Diameters, map metres.
    """
    depths = [
        _depths(heights_m, right_m[part] / pixel_m, down_m[part] / pixel_m, 0.5 * diameter_m[part] / pixel_m)
        for part in (slice(start, start + _AT_ONCE) for start in range(0, right_m.size, _AT_ONCE))
    ]
    return np.concatenate(depths) if depths else np.zeros(0)


def _depths(heights_m: NDArray[np.float32], right: Floats, down: Floats, radius: Floats) -> Floats:
    angles = np.linspace(0.0, 2.0 * np.pi, _SECTORS * _PER_SECTOR, endpoint=False, dtype=np.float64)
    crest = _sample(heights_m, right, down, radius, angles, _CREST_RADII)
    crest = np.fmax.reduce(crest.reshape(-1, _SECTORS, _PER_SECTOR * _CREST_RADII.size), axis=2)
    floor = _sample(heights_m, right, down, radius, angles, _FLOOR_RADII).reshape(right.size, -1)
    known = np.isfinite(floor)
    # Area counts: each ring of samples stands for an area that grows with its radius.
    area = np.broadcast_to(np.tile(_FLOOR_RADII + 0.02, angles.size), floor.shape)
    order = np.argsort(np.where(known, floor, np.inf), axis=1)
    sorted_m = np.take_along_axis(np.where(known, floor, 0.0), order, axis=1)
    share = np.take_along_axis(np.where(known, area, 0.0), order, axis=1)
    lowest = share * (np.cumsum(share, axis=1) - share < 0.2 * share.sum(axis=1, keepdims=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        floor_m = (sorted_m * lowest).sum(axis=1) / lowest.sum(axis=1)
    enough = (np.isfinite(crest).sum(axis=1) >= 2 * _SECTORS // 3) & (known.mean(axis=1) > 0.5)
    depths = np.full(right.size, np.nan)
    # Only known ones: a median of nothing would warn.
    depths[enough] = np.maximum(np.nanmedian(crest[enough], axis=1) - floor_m[enough], 0.0)
    return depths


def _sample(
    heights_m: NDArray[np.float32], right: Floats, down: Floats, radius: Floats, angles: Floats, radii: Floats
) -> Floats:
    """Return heights at (crater, angle, radius), linear between pixel centres, NaN beyond the map."""
    reach = radius[:, None, None] * radii
    rows = down[:, None, None] - reach * np.cos(angles)[None, :, None] - 0.5
    cols = right[:, None, None] + reach * np.sin(angles)[None, :, None] - 0.5
    return np.asarray(
        ndimage.map_coordinates(heights_m, [rows, cols], order=1, mode="constant", cval=np.nan, output=np.float64)
    )
