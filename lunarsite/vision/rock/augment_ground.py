"""Other ground: synthetic craters, as shading on what is ground and no rock."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lunarsite.vision.rock.classes import BACKGROUND

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]

_MOST = 4
_RADIUS = (0.03, 0.2)
"""Semi-major axis, as a share of the picture's width."""
_FLATNESS = (0.15, 0.6)
"""Semi-minor by semi-major axis: craters lie on ground seen at a low angle, flattest at the horizon."""
_STRENGTH = (0.3, 0.9)
_RIM = 1.6
"""Where the rim's outer slope ends, radii."""


def with_craters(image: Bytes, mask: Bytes, generator: np.random.Generator) -> Bytes:
    """Return an image (h, w, 3) with one to four craters shaded into its ground; rocks, sky and the unknown stay.

    A crater is a parabolic bowl with a rim that falls off linearly. Light comes from one side for all of them.
    """
    ground = mask == BACKGROUND
    if not ground.any():
        return image
    height, width = mask.shape
    rows, cols = np.nonzero(ground)
    sun = generator.uniform(0.0, 2.0 * np.pi)
    strength = generator.uniform(*_STRENGTH)
    factor = np.ones(mask.shape)
    for _ in range(int(generator.integers(1, _MOST + 1))):
        chosen = int(generator.integers(rows.size))
        radius = float(np.exp(generator.uniform(*np.log(_RADIUS)))) * width
        flatness = np.interp(rows[chosen] / max(height - 1, 1), (0.0, 1.0), _FLATNESS)
        factor *= 1.0 + strength * slope(mask.shape, (rows[chosen], cols[chosen]), radius, flatness, sun)
    changed = np.clip(np.rint(image * factor[:, :, None]), 0.0, 255.0).astype(np.uint8)
    return np.where(ground[:, :, None], changed, image)


def slope(shape: tuple[int, ...], centre: tuple[int, int], radius: float, flatness: float, sun: float) -> Floats:
    """Return how much a crater's surface is turned to the Sun, -1..1.

    It is below 0 on the wall of the bowl that is nearer to the Sun and above 0 on the other, and the other way round
    on the rim's outer slope.

    Args:
        shape: (h, w).
        centre: Row and column.
        radius: Semi-major axis, pixels.
        flatness: Semi-minor by semi-major axis.
        sun: Direction of the Sun in the ground's plane, radians from +col towards the upright of the picture.
    """
    row, col = np.mgrid[: shape[0], : shape[1]]
    across, away = (col - centre[1]) / radius, (centre[0] - row) / (radius * flatness)
    distance = np.hypot(across, away)
    towards = (across * np.cos(sun) + away * np.sin(sun)) / np.maximum(distance, 1e-6)
    bowl = np.where(distance < 1.0, -distance, 0.0)
    rim = np.where((distance >= 1.0) & (distance < _RIM), (_RIM - distance) / (_RIM - 1.0), 0.0)
    return np.asarray(towards * (bowl + 0.5 * rim))
