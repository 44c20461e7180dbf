"""Which pixels may show a rock or its shadow: boxes in the picture, never too small."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lunarsite.vision.rock.camera import Camera

_BLOCK = 100_000
_CORNERS = np.array([(x, y, z) for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])

Floats = NDArray[np.float64]
Boxes = NDArray[np.int64]


def boxes(
    camera: Camera, centres: Floats, radii: Floats, ends: Floats | None = None
) -> tuple[Boxes, NDArray[np.bool_]]:
    """Return the boxes of pixels that may show balls, and which of them may be seen at all.

    Args:
        camera: The camera.
        centres: (m, 3) metres.
        radii: (m,) metres.
        ends: (m, 3) where the balls are swept to, or None.

    Returns:
        (m, 4) first and last row, first and last column, all inclusive; (m,) whether any pixel may show it.
    """
    found = np.zeros((len(centres), 4), dtype=np.int64)
    seen = np.zeros(len(centres), dtype=np.bool_)
    for start in range(0, len(centres), _BLOCK):
        block = slice(start, start + _BLOCK)
        swept = [centres[block]] if ends is None else [centres[block], ends[block]]
        corners = np.concatenate([ball[:, None, :] + radii[block, None, None] * _CORNERS for ball in swept], axis=1)
        found[block], seen[block] = _of_corners(camera, corners)
    return found, seen


def _of_corners(camera: Camera, corners: Floats) -> tuple[Boxes, NDArray[np.bool_]]:
    x, y, above = corners[..., 0], corners[..., 1], corners[..., 2] - camera.height_m
    depth = y * camera.cos_pitch - above * camera.sin_pitch
    down = -y * camera.sin_pitch - above * camera.cos_pitch
    wide, high = 0.5 * (camera.cols + 1) / camera.focal_px, 0.5 * (camera.rows + 1) / camera.focal_px
    nearest = 0.02 * camera.height_m
    # Outside: all corners beyond one side of the pyramid that the picture spans.
    outside = np.all(depth < nearest, axis=1)
    for across, half in ((x, wide), (down, high)):
        outside |= np.all(across > half * depth, axis=1) | np.all(across < -half * depth, axis=1)
    before = np.all(depth >= nearest, axis=1)
    safe = np.maximum(depth, nearest)
    ends = []
    for across, middle, count in ((down, camera.middle[0], camera.rows), (x, camera.middle[1], camera.cols)):
        at = middle + across * camera.focal_px / safe
        # What reaches behind the lens may show anywhere.
        low = np.where(before, np.floor(at.min(axis=1)) - 1, 0)
        high_end = np.where(before, np.ceil(at.max(axis=1)) + 1, count - 1)
        ends += [np.clip(low, 0, count - 1), np.clip(high_end, 0, count - 1)]
    return np.stack(ends, axis=1).astype(np.int64), np.asarray(~outside)
