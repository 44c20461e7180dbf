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
_BLACK_LEVEL = 3
"""A JPEG's black is not always 0."""
_SOLID_PX = 9
"""Frames of mosaics are solid; a dark sky has stars and noise in every square of so many pixels."""
_LEAST_FRAME_SHARE = 0.005

Rgb = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def is_grey(rgb: Rgb) -> bool:
    """Whether all channels are equal everywhere."""
    return bool((rgb[..., :1] == rgb[..., 1:]).all())


def black_share(rgb: Rgb, where: Mask) -> float:
    """Return the share of pixels of a mask that are pure black; 1 where the mask is empty."""
    return float((rgb[where] == 0).all(axis=-1).mean()) if where.any() else 1.0


def seen_of_image(rgb: Rgb) -> Mask:
    """Return where an image shows the sky: the black frame of a mosaic, solid and touching a corner, is none.

    Stars and noise keep a dark sky from being taken for a frame: the frame must fill squares of 9 pixels with a level
    of at most 3 of 255 in every channel. It is then grown by 2 pixels, over which JPEG and resizing smear its border.
    """
    from scipy import ndimage

    height, width = rgb.shape[:2]
    # Beyond the border the frame goes on, else it could never be solid there.
    dark = np.pad(rgb.max(axis=-1) <= _BLACK_LEVEL, _SOLID_PX, mode="edge")
    solid = ndimage.binary_opening(dark, np.ones((_SOLID_PX, _SOLID_PX), dtype=bool))
    solid = solid[_SOLID_PX:-_SOLID_PX, _SOLID_PX:-_SOLID_PX]
    parts, _ = ndimage.label(solid)
    corners = {int(parts[row, col]) for row in (0, height - 1) for col in (0, width - 1)} - {0}
    frame = np.isin(parts, sorted(corners))
    if frame.mean() < _LEAST_FRAME_SHARE:
        return np.ones((height, width), dtype=bool)
    grown: Mask = ndimage.binary_dilation(frame, np.ones((3, 3), dtype=bool), iterations=2)
    return ~grown


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
