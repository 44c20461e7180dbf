"""What the network should say of a crop: where centres are, how large, where rims run.

A centre is a Gaussian bump of 0.22 radii, on each of the four maps weighted by how near the diameter is to the map's
own (a Gaussian of 0.3 octaves), so a crater speaks on two neighbouring maps and its size can be read between them.
This module must not know files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunarsite.vision.crater.network import DIAMETERS_PX, STRIDE

Maps = NDArray[np.float32]

_CENTRE_SIGMA_RADII = 0.22
_SIZE_SIGMA_OCTAVES = 0.3
_SIZE_REACH_OCTAVES = 0.75
_RIM_SIGMA = 0.8
"""Half width of a rim, output pixels."""
SMALLEST_PX = 7.0
"""Craters below this belong to a finer level, input pixels."""
LARGEST_PX = 60.0
"""Rims beyond this belong to a coarser level."""


@dataclass(frozen=True)
class Targets:
    """Targets of a crop of (H, W) pixels, at the output's resolution h = H / 2, w = W / 2."""

    centre: Maps
    """(4, h, w), 0..1."""
    size: Maps
    """(4, h, w), log2 of the diameter over the map's own."""
    size_weight: Maps
    """(4, h, w), where `size` counts."""
    rim: Maps
    """(h, w), 0..1."""


def rasterise(x_px: Maps, y_px: Maps, diameter_px: Maps, shape: tuple[int, int]) -> Targets:
    """Return the targets of a crop.

    Args:
        x_px: Columns of the centres, 0 at the centre of the first pixel.
        y_px: Rows of the centres.
        diameter_px: Diameters, input pixels.
        shape: (H, W) of the crop.
    """
    rows, cols = shape[0] // STRIDE, shape[1] // STRIDE
    maps = len(DIAMETERS_PX)
    found = Targets(
        np.zeros((maps, rows, cols), np.float32),
        np.zeros((maps, rows, cols), np.float32),
        np.zeros((maps, rows, cols), np.float32),
        np.zeros((rows, cols), np.float32),
    )
    drawn = (diameter_px >= SMALLEST_PX / 2.0 ** (1.0 / 2.0)) & (diameter_px <= LARGEST_PX)
    for x, y, diameter in zip(x_px[drawn], y_px[drawn], diameter_px[drawn], strict=True):
        # Output pixel i covers input pixels 2 i and 2 i + 1.
        _draw(found, (x - 0.5) / STRIDE, (y - 0.5) / STRIDE, float(diameter))
    return found


def _draw(found: Targets, x: float, y: float, diameter_px: float) -> None:
    radius = 0.5 * diameter_px / STRIDE
    rows, cols = found.rim.shape
    top, bottom = max(int(y - radius - 2), 0), min(int(y + radius + 3), rows)
    left, right = max(int(x - radius - 2), 0), min(int(x + radius + 3), cols)
    if top >= bottom or left >= right:
        return
    window = np.s_[top:bottom, left:right]
    down, across = np.ogrid[top:bottom, left:right]
    distance = np.hypot(across - x, down - y)
    if diameter_px >= SMALLEST_PX:
        np.maximum(found.rim[window], np.exp(-0.5 * ((distance - radius) / _RIM_SIGMA) ** 2), out=found.rim[window])
    # The constant keeps the smallest bumps above a pixel.
    bump = np.exp(-0.5 * (distance / (_CENTRE_SIGMA_RADII * radius + 0.25)) ** 2)
    for index, own_px in enumerate(DIAMETERS_PX):
        octaves = np.log2(diameter_px / own_px)
        if abs(octaves) > _SIZE_REACH_OCTAVES:
            continue
        level = bump * np.exp(-0.5 * (octaves / _SIZE_SIGMA_OCTAVES) ** 2)
        np.maximum(found.centre[index][window], level, out=found.centre[index][window])
        counts = np.where(distance < 0.6 * radius + 1.0, bump, 0.0)
        nearer = counts > found.size_weight[index][window]
        found.size[index][window][nearer] = octaves
        found.size_weight[index][window][nearer] = counts[nearer]
