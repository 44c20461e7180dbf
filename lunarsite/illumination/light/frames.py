"""What an elevation model says of a mapped frame's ground at the frame's moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lunarsite.grid import Grid
from lunarsite.illumination.light.moment import Sun
from lunarsite.illumination.light.nested import FARTHEST_M, Model, finest_pixel_m, nested
from lunarsite.illumination.light.render import render
from lunarsite.illumination.light.scatter import farthest_m
from lunarsite.swath import covered

_TILE_PX = 256
"""Frames are lit tile by tile: narrow strips fill a few per cent of their rectangle."""

Images = NDArray[np.float32]


@dataclass(frozen=True)
class FrameLight:
    """Light on a frame's pixels, (rows, cols) float32 each; see `contracts.FRAME_LIGHT`."""

    sun_fraction: Images
    sunlit: Images
    scattered: Images
    unshadowed: Images
    elevation: Images
    dem_pixel_m: float


def frame_light(
    models: Sequence[Model], frame: Grid, valid: NDArray[np.bool_], sun: Sun, *, directions: int, reach_m: float
) -> FrameLight:
    """Light the ground that a frame covered: its valid pixels, and the gaps in which saturated ones were left out.

    Args:
        models: Elevation models, the coarsest first.
        frame: The frame's pixels.
        valid: (rows, cols) pixels with data.
        sun: The sub-solar point of its moment.
        directions: Map directions from which scattered light is gathered.
        reach_m: How far away slopes still scatter light.

    Returns:
        The light, NaN elsewhere and where no model reaches.
    """
    valid = covered(valid)
    images = np.full((5, *frame.shape), np.nan, np.float32)
    for tile in frame.tiles(_TILE_PX):
        rows, cols = slice(tile.row, tile.row + tile.rows), slice(tile.col, tile.col + tile.cols)
        inside = np.nonzero(valid[rows, cols])
        if not inside[0].size:
            continue
        # Only the rectangle that holds data: the ground around it is laid anew for each tile.
        top, left = (int(index.min()) for index in inside)
        height, width = (int(index.max()) + 1 - least for index, least in zip(inside, (top, left), strict=True))
        box = slice(tile.row + top, tile.row + top + height), slice(tile.col + left, tile.col + left + width)
        part = replace(
            frame,
            x_min_m=frame.x_min_m + box[1].start * frame.pixel_m,
            y_max_m=frame.y_max_m - box[0].start * frame.pixel_m,
            rows=height,
            cols=width,
        )
        around = nested(models, part, max(FARTHEST_M, farthest_m(reach_m)))
        found = render(around, [sun], directions=directions, reach_m=reach_m, wanted=valid[box])
        images[0][box] = found.sun_fraction[0]
        images[1][box] = found.direct[0] + found.scattered[0]
        images[2][box] = found.scattered[0]
        images[3][box] = found.unshadowed[0]
        top, bottom, left, right = around.tile_window()
        images[4][box] = np.where(valid[box], around.level(0)[top:bottom, left:right], np.nan)
    pixels = finest_pixel_m(models, frame, valid)
    sizes, counts = np.unique(pixels[np.isfinite(pixels)], return_counts=True)
    dem_pixel_m = float(sizes[counts.argmax()]) if sizes.size else np.nan
    return FrameLight(images[0], images[1], images[2], images[3], images[4], dem_pixel_m)
