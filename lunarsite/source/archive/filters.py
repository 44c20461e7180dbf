"""Which images and cut-outs make a pair to learn from: pure functions of pixels.

The limits are those of the published reader of these archives (docs/archive.md); all shares and levels are of full
scale, 0 to 1. Pictures are (H, W, 3) uint8, masks (H, W) bool.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BRIGHTEST_MEAN = 0.90
LEAST_SPREAD, SPREAD_COUNTS_ABOVE = 0.04, 0.2
MOST_BLACK_SHARE = {"sdss9": 0.02}
"""By survey: what is pure black lies outside its footprint. DSS2 covers the whole sky."""
LEAST_SEEN_SHARE = 0.5
"""Of an image: a mosaic with more black than picture is left out."""
_BLACK_LEVEL, _SKY_LEVEL = 3, 8
"""Of 255: a JPEG's black is not always 0, and the sky beside a frame is brighter than that."""
_FADED_SHARE = 0.6
"""Beside a frame the sky has at least this share of its brightness some pixels farther out."""
_SOLID_PX = 9
_LEAST_FRAME_SHARE = 0.005
_MOST_CORNERS = 16
_STRAIGHT_PX, _STRAIGHT_SHARE = 3.0, 0.005
"""So far a straight edge may stray: pixels at least, and as a share of the longer side."""

Rgb = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def is_grey(rgb: Rgb) -> bool:
    """Whether all channels are equal everywhere."""
    return bool((rgb[..., :1] == rgb[..., 1:]).all())


def black_share(rgb: Rgb, where: Mask) -> float:
    """Return the share of pixels of a mask that are pure black; 1 where the mask is empty."""
    return float((rgb[where] == 0).all(axis=-1).mean()) if where.any() else 1.0


def seen_of_image(rgb: Rgb) -> Mask:
    """Return where an image shows the sky: the black frame of a mosaic shows none.

    Many images end in a sky that is as black as a frame. A frame touches a corner of the image, is solid (it fills
    squares of 9 pixels), has few corners with straight edges between them, and ends at once: the sky beside it is
    bright, and no brighter farther out. It is grown by 2 pixels, over which JPEG and resizing smear its edge.
    """
    from scipy import ndimage

    height, width = rgb.shape[:2]
    level = rgb.max(axis=-1)
    # Beyond the border the frame goes on, else it could never be solid there.
    dark = np.pad(level <= _BLACK_LEVEL, _SOLID_PX, mode="edge")
    solid = ndimage.binary_opening(dark, np.ones((_SOLID_PX, _SOLID_PX), dtype=bool))
    solid = solid[_SOLID_PX:-_SOLID_PX, _SOLID_PX:-_SOLID_PX]
    parts, _ = ndimage.label(solid)
    seen = np.ones((height, width), dtype=bool)
    for corner in sorted({int(parts[row, col]) for row in (0, height - 1) for col in (0, width - 1)} - {0}):
        part = parts == corner
        grown = ndimage.binary_dilation(part, np.ones((3, 3), dtype=bool), iterations=2)
        if part.mean() >= _LEAST_FRAME_SHARE and _has_straight_edges(part) and _ends_at_once(grown, level):
            seen &= ~grown
    return seen


def _ends_at_once(grown: Mask, level: NDArray[np.uint8]) -> bool:
    """Whether the sky beside an area is as bright as that a few pixels farther out: it does not fade into the area."""
    from scipy import ndimage

    square = np.ones((3, 3), dtype=bool)
    near = ndimage.binary_dilation(grown, square, iterations=2)
    middle = ndimage.binary_dilation(near, square, iterations=4)
    far = ndimage.binary_dilation(middle, square, iterations=3) & ~middle
    near &= ~grown
    if not near.any() or not far.any():
        return False
    beside = float(np.median(level[near]))
    return beside > _SKY_LEVEL and beside >= _FADED_SHARE * float(np.median(level[far]))


def _has_straight_edges(part: Mask) -> bool:
    """Whether the outline of a connected area is a polygon of few corners."""
    from rasterio import features
    from shapely.geometry import shape

    outlines = [shape(found) for found, _ in features.shapes(part.astype(np.uint8), mask=part)]
    tolerance_px = max(_STRAIGHT_PX, _STRAIGHT_SHARE * max(part.shape))
    simple = [outline.simplify(tolerance_px) for outline in outlines]
    rings = [ring for outline in simple for ring in (outline.exterior, *outline.interiors)]
    return sum(len(ring.coords) - 1 for ring in rings) <= _MOST_CORNERS


def image_refused(rgb: Rgb, seen: Mask) -> str | None:
    """Return why an image is left out, None if it is not."""
    if is_grey(rgb):
        return "the image is grey"
    if seen.mean() < LEAST_SEEN_SHARE:
        return "more than half of the image is black frame"
    return None


def cutout_refused(rgb: Rgb, seen: Mask, survey: str) -> str | None:
    """Return why a cut-out is left out, None if it is not.

    Args:
        rgb: The cut-out.
        seen: Where both the survey and the image show anything; nothing else is judged.
        survey: Short name of the survey.
    """
    if not seen.any():
        return "the cut-out is empty"
    if black_share(rgb, seen) > MOST_BLACK_SHARE.get(survey, 1.0):
        return "the cut-out reaches beyond the survey"
    level = rgb[seen].astype(np.float64) / 255.0
    if level.mean() > BRIGHTEST_MEAN:
        return "the cut-out is overexposed"
    spread = float(level.std(axis=0).mean())
    if spread == 0.0 or (spread < LEAST_SPREAD and level.mean() > SPREAD_COUNTS_ABOVE):
        return "the cut-out has one colour"
    return None


def agreement(image: Rgb, cutout: Rgb, seen: Mask, blur_px: float) -> float:
    """Return the correlation of two pictures' brightness, both blurred; NaN if one of them is uniform.

    It tells whether they show the same sky: near 0 they do not, or one is turned.

    Args:
        image: One picture.
        cutout: The other one.
        seen: Pixels that count; beyond them both are taken as their mean.
        blur_px: Standard deviation of the blur, which hides that one is sharper.
    """
    from scipy import ndimage

    flat = []
    for rgb in (image, cutout):
        level = rgb.mean(axis=-1, dtype=np.float64)
        level = np.where(seen, level - level[seen].mean(), 0.0) if seen.any() else np.zeros(level.shape)
        flat.append(ndimage.gaussian_filter(level, blur_px)[seen])
    first, second = flat
    if first.size < 2 or min(first.std(), second.std()) < 1e-9:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])
