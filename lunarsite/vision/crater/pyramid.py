"""The pyramid: at which pixel sizes a map is shown to the network, and which of its outputs speak of which diameter.

Levels are half an octave apart, as the network's centre maps are, so a diameter is seen by up to four levels. What they
say is averaged. This module must not know files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunarsite.vision.crater.network import DIAMETERS_PX, STRIDE

Maps = NDArray[np.float32]

_HALF_BIN_OCTAVES = 0.25


@dataclass(frozen=True)
class Pyramid:
    """Pixel sizes of the levels, map metres, finest first, each sqrt(2) times the one before."""

    pixel_m: tuple[float, ...]

    @classmethod
    def covering(cls, least_diameter_m: float, largest_diameter_m: float) -> Pyramid:
        """Return the levels that see diameters (map metres) from the least to the largest."""
        finest_m = least_diameter_m / (DIAMETERS_PX[0] * 2.0**-_HALF_BIN_OCTAVES)
        reach = largest_diameter_m / (finest_m * DIAMETERS_PX[-1] * 2.0**_HALF_BIN_OCTAVES)
        levels = 1 + max(0, math.ceil(2.0 * math.log2(reach) - 1e-9))
        return cls(tuple(finest_m * 2.0 ** (level / 2.0) for level in range(levels)))

    def scales(self) -> list[Scale]:
        """Return the diameters that are told apart, smallest first."""
        levels, maps = len(self.pixel_m), len(DIAMETERS_PX)
        return [
            Scale(
                self.pixel_m[0] * DIAMETERS_PX[0] * 2.0 ** (step / 2.0),
                tuple((level, step - level) for level in range(max(0, step - maps + 1), min(levels, step + 1))),
            )
            for step in range(levels + maps - 1)
        ]


@dataclass(frozen=True)
class Scale:
    """One diameter and who speaks of it."""

    diameter_m: float
    """Map metres."""
    seen_by: tuple[tuple[int, int], ...]
    """(level, index of its centre map), finest level first."""


@dataclass(frozen=True)
class ScaleMaps:
    """What all levels together say of one diameter."""

    diameter_m: float
    pixel_m: float
    """Size of a pixel of the maps, map metres; the first one's upper-left corner is the map's."""
    centre: Maps
    """(rows, cols), 0..1."""
    octaves: Maps
    """(rows, cols), log2 of the diameter over `diameter_m`."""


def combine(pyramid: Pyramid, outputs: Sequence[Maps], scale: Scale) -> ScaleMaps:
    """Return the mean over the levels that see a scale, on the pixels of the finest of them.

    Args:
        pyramid: The levels.
        outputs: (9, rows, cols) of every level.
        scale: One of its scales.
    """
    finest = scale.seen_by[0][0]
    pixel_m = STRIDE * pyramid.pixel_m[finest]
    shape = outputs[finest].shape[1:]
    sums = [np.zeros(shape, np.float32), np.zeros(shape, np.float32)]
    for level, index in scale.seen_by:
        factor = pyramid.pixel_m[finest] / pyramid.pixel_m[level]
        for kind, channel in enumerate((index, len(DIAMETERS_PX) + index)):
            part = outputs[level][channel]
            sums[kind] += part if level == finest else enlarge(part, factor, shape)
    centre, octaves = (total / np.float32(len(scale.seen_by)) for total in sums)
    return ScaleMaps(scale.diameter_m, pixel_m, centre, octaves)


def enlarge(values: NDArray[np.floating], factor: float, shape: tuple[int, ...], first_row: int = 0) -> Maps:
    """Return values on another lattice that shares the upper-left corner, linear between pixel centres.

    Args:
        values: (rows, cols).
        factor: Size of the new pixels over that of the old ones.
        shape: Rows and columns of the new lattice that are wanted.
        first_row: The first of these rows.
    """
    found = np.asarray(values, dtype=np.float32)
    for axis, first in ((0, first_row), (1, 0)):
        at = np.clip((np.arange(first, first + shape[axis]) + 0.5) * factor - 0.5, 0.0, found.shape[axis] - 1.0)
        low = np.minimum(at.astype(np.int64), max(found.shape[axis] - 2, 0))
        share = (at - low).astype(np.float32)
        share = share[:, None] if axis == 0 else share[None, :]
        high = np.minimum(low + 1, found.shape[axis] - 1)
        found = found.take(low, axis) * (1.0 - share) + found.take(high, axis) * share
    return found
