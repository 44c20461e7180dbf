"""What other measures and chance would say of detected craters, for comparison only.

- DeepMoon's own rule (Silburt et al. 2019, Icarus 317, 27): a pair matches if d^2 / min(r)^2 < 1.8 and |dr| < min(r),
  and one crater may serve many partners. It flatters.
- Agreement of ring pixels, both sides drawn as rings of two pixels at 80 m. Two careful catalogues of the same craters
  reach an intersection over union of 0.18 there, so it saturates.
- Chance: the detections of a split turned about the pole within its sector, which keeps their latitudes, sizes, scores
  and crowding.

This module must not know verdicts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lunarsite.grid import Pole, lonlat_to_xy, scale_factor
from lunarsite.vision.crater.matching import Circles, neighbours

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

RING_PIXEL_M, RING_WIDTH_PX = 80.0, 2.0
_DEEPMOON_DISTANCE, _DEEPMOON_SIZE = 1.8, 1.0
_MOST_PIXELS = 400_000_000


def deepmoon_rule(detected: Circles, catalogue: Circles) -> tuple[Mask, Mask]:
    """Return which detections and which catalogue craters have any partner by DeepMoon's rule."""
    radius_m = 0.5 * detected.diameter_m
    # The smaller of the two radii is at most the detection's.
    first, second, distance_m = neighbours(detected, catalogue, np.sqrt(_DEEPMOON_DISTANCE) * radius_m)
    one, other = radius_m[first], 0.5 * catalogue.diameter_m[second]
    least = np.minimum(one, other)
    matched = (distance_m**2 / least**2 < _DEEPMOON_DISTANCE) & (np.abs(one - other) / least < _DEEPMOON_SIZE)
    ours, theirs = np.zeros(len(detected), dtype=bool), np.zeros(len(catalogue), dtype=bool)
    ours[first[matched]] = True
    theirs[second[matched]] = True
    return ours, theirs


def ring_agreement(detected: Circles, catalogue: Circles) -> tuple[float, float, float] | None:
    """Return intersection over union, precision and recall of ring pixels; None if either side is empty.

    Raises:
        ValueError: The craters' extent is too large to be drawn at 80 m.
    """
    if not len(detected) or not len(catalogue):
        return None
    left = min(float((c.x_m - c.diameter_m).min()) for c in (detected, catalogue))
    low = min(float((c.y_m - c.diameter_m).min()) for c in (detected, catalogue))
    right = max(float((c.x_m + c.diameter_m).max()) for c in (detected, catalogue))
    high = max(float((c.y_m + c.diameter_m).max()) for c in (detected, catalogue))
    shape = round((high - low) / RING_PIXEL_M) + 1, round((right - left) / RING_PIXEL_M) + 1
    if shape[0] * shape[1] > _MOST_PIXELS:
        raise ValueError(f"rings over {shape[0]} x {shape[1]} pixels are too many to draw; narrow the split's sector")
    ours, theirs = (_rings(circles, left, low, shape) for circles in (detected, catalogue))
    both, ours_only, theirs_only = (int(np.count_nonzero(m)) for m in (ours & theirs, ours & ~theirs, theirs & ~ours))
    return both / (both + ours_only + theirs_only), both / (both + ours_only), both / (both + theirs_only)


def _rings(circles: Circles, left_m: float, low_m: float, shape: tuple[int, int]) -> Mask:
    """Return which pixels' centres lie within half the width of a ring."""
    drawn = np.zeros(shape, dtype=bool)
    scale = scale_factor(circles.x_m, circles.y_m)
    half = 0.5 * RING_WIDTH_PX
    for x_m, y_m, radius_m in zip(circles.x_m, circles.y_m, 0.5 * circles.diameter_m * scale, strict=True):
        x, y, r = (x_m - left_m) / RING_PIXEL_M, (y_m - low_m) / RING_PIXEL_M, radius_m / RING_PIXEL_M
        row, col, reach = round(y), round(x), int(r + half) + 1
        rows = slice(max(row - reach, 0), min(row + reach + 1, shape[0]))
        cols = slice(max(col - reach, 0), min(col + reach + 1, shape[1]))
        if rows.start >= rows.stop or cols.start >= cols.stop:
            continue
        off = np.hypot(np.arange(rows.start, rows.stop)[:, None] - y, np.arange(cols.start, cols.stop)[None, :] - x)
        drawn[rows, cols] |= np.abs(off - r) <= half
    return drawn


def turned(
    circles: Circles, lon_deg: Floats, lat_deg: Floats, sector_deg: tuple[float, float], angle_deg: float, pole: Pole
) -> tuple[Circles, Floats]:
    """Return craters of a sector turned about the pole within it, and their longitudes.

    What leaves the sector at its end enters it at its beginning.

    Args:
        circles: Craters.
        lon_deg: Their longitudes; all lie in the sector.
        lat_deg: Their latitudes.
        sector_deg: From the first longitude eastwards to the second.
        angle_deg: The turn.
        pole: The pole at the map's origin.
    """
    width = (sector_deg[1] - sector_deg[0]) % 360.0 or 360.0
    moved_deg = sector_deg[0] + (lon_deg - sector_deg[0] + angle_deg) % width
    x_m, y_m = lonlat_to_xy(moved_deg, lat_deg, pole)
    return Circles(x_m, y_m, circles.diameter_m), (moved_deg + 180.0) % 360.0 - 180.0
