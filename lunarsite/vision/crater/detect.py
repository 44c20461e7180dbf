"""From maps of centres to a list of craters: peaks in space and scale, placed between pixels, each crater once.

This module must not know files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from lunarsite.vision.crater.pyramid import ScaleMaps

Floats = NDArray[np.float64]

_SIZE_LIMIT_OCTAVES = 0.6
"""How far a size may lie from its map's own."""
_SAME_CENTRE_RADII = 0.6
_SAME_SIZE_OCTAVES = 0.5
"""Two peaks closer than both are one crater: the catalogue's own pairs are farther apart."""


@dataclass(frozen=True)
class Peaks:
    """Candidates on the map: distances from its upper-left corner and diameters, map metres; responses 0..1."""

    right_m: Floats
    down_m: Floats
    diameter_m: Floats
    response: Floats

    def __len__(self) -> int:
        return int(self.response.size)

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> Peaks:
        """Return some of them."""
        return Peaks(self.right_m[chosen], self.down_m[chosen], self.diameter_m[chosen], self.response[chosen])


def find_peaks(scales: Iterable[ScaleMaps], least: float) -> Peaks:
    """Return the peaks of every scale whose response is at least `least`, strongest first, not yet merged."""
    parts = [_peaks_of(maps, least) for maps in scales]
    found = Peaks(*(np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS))
    # Ties in a fixed order, so that the result does not hang on the sorting.
    return found.take(np.lexsort((found.right_m, found.down_m, -found.response)))


_FIELDS = ("right_m", "down_m", "diameter_m", "response")


def merge(peaks: Peaks) -> Peaks:
    """Return the peaks without those that tell a stronger one's crater again. `peaks` are strongest first."""
    if len(peaks) == 0:
        return peaks
    at = np.stack([peaks.right_m, peaks.down_m], axis=1)
    tree = cKDTree(at)
    alive = np.ones(len(peaks), dtype=bool)
    octaves = np.log2(peaks.diameter_m)
    near = tree.query_ball_point(at, 0.5 * _SAME_CENTRE_RADII * peaks.diameter_m, return_sorted=True)
    for index, found in enumerate(near):
        if not alive[index]:
            continue
        weaker = np.asarray(found[np.searchsorted(found, index + 1) :] if len(found) else [], dtype=np.int64)
        smaller_m = np.minimum(peaks.diameter_m[weaker], peaks.diameter_m[index])
        apart_m = np.hypot(*(at[weaker] - at[index]).T)
        same = (np.abs(octaves[weaker] - octaves[index]) < _SAME_SIZE_OCTAVES) & (
            apart_m < 0.5 * _SAME_CENTRE_RADII * smaller_m
        )
        alive[weaker[same]] = False
    return peaks.take(alive)


def _peaks_of(maps: ScaleMaps, least: float) -> Peaks:
    centre = maps.centre
    if min(centre.shape) < 3:
        nothing = np.zeros(0)
        return Peaks(nothing, nothing, nothing, nothing)
    highest = ndimage.maximum_filter(centre, size=3, mode="nearest")
    row, col = np.nonzero((centre == highest) & (centre >= max(least, 1e-6)))
    inner = (row > 0) & (col > 0) & (row < centre.shape[0] - 1) & (col < centre.shape[1] - 1)
    row, col = row[inner], col[inner]
    value = centre[row, col].astype(np.float64)
    down = row + _vertex(centre[row - 1, col], value, centre[row + 1, col])
    right = col + _vertex(centre[row, col - 1], value, centre[row, col + 1])
    octaves = np.clip(maps.octaves[row, col].astype(np.float64), -_SIZE_LIMIT_OCTAVES, _SIZE_LIMIT_OCTAVES)
    return Peaks(
        (right + 0.5) * maps.pixel_m,
        (down + 0.5) * maps.pixel_m,
        maps.diameter_m * 2.0**octaves,
        np.minimum(value, 1.0),
    )


def _vertex(before: NDArray[np.floating], at: Floats, after: NDArray[np.floating]) -> Floats:
    """Return where a parabola through three neighbouring values peaks, pixels from the middle one."""
    before, after = before.astype(np.float64), after.astype(np.float64)
    bend = before - 2.0 * at + after
    shift = np.divide(0.5 * (before - after), bend, out=np.zeros_like(bend), where=bend < -1e-12)
    return np.asarray(np.clip(shift, -0.5, 0.5))
