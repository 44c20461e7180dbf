"""Changes of training images that leave their masks true: where, how lit, how taken.

Every change is a pure function of image, mask and random numbers. What moves pixels moves the mask with them; what
changes light and camera never changes a mask, and leaves the sky as it was, for on the Moon it is black; all but
`sensor`, whose blur, noise and stripes fall on the sky as well. How often each is drawn is a setting; `augment_figure`
shows them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lunarsite.settings.rock import RockAugmentationSettings
from lunarsite.vision.rock.augment_camera import changed_contrast, noisy
from lunarsite.vision.rock.augment_ground import with_craters
from lunarsite.vision.rock.augment_light import changed_photometry, relit
from lunarsite.vision.rock.classes import ROCKS, UNKNOWN

if TYPE_CHECKING:
    from lunarsite.vision.rock.style import StyleStatistics

Bytes = NDArray[np.uint8]
Change = Callable[[Bytes, Bytes, np.random.Generator], Bytes]

CHANGES: dict[str, Change] = {
    "craters": with_craters,
    "shadow_rotation": relit,
    "photometry": changed_photometry,
    "contrast": changed_contrast,
    "sensor": noisy,
}
"""By the name of their setting, in the order of nature: ground, light, camera. Style comes before the camera's."""
_ZOOM = (0.9, 1.1)
"""Not more: what is a small rock, a large one or none at all is a matter of its size in the picture."""
_TRIES = 3
"""Places tried for a crop; the one with the most rock is taken, for rocks are rare."""
_CONTENT = 0.4
"""Chance that the places tried so far are enough."""


def augment(
    image: Bytes,
    mask: Bytes,
    settings: RockAugmentationSettings,
    crop_px: int,
    generator: np.random.Generator,
    style: StyleStatistics | None = None,
) -> tuple[Bytes, Bytes]:
    """Return a crop of an image and of its mask, changed by chance.

    Args:
        image: (h, w, 3), levels 0..255.
        mask: (h, w) of classes.
        settings: Chance of each change.
        crop_px: Side of the crop, pixels. A smaller image is mirrored at its borders, where the mask is unknown.
        generator: Source of all chance.
        style: Statistics of photographs; None leaves style out, whatever its chance.

    Returns:
        (crop_px, crop_px, 3) and (crop_px, crop_px).
    """
    image, mask = cropped(image, mask, crop_px, generator, free=generator.random() < settings.geometry)
    for name, change in CHANGES.items():
        if name == "contrast" and style is not None and generator.random() < settings.style:
            from lunarsite.vision.rock import style as styles

            image = styles.style(image, mask, style, generator)
        if generator.random() < getattr(settings, name):
            image = change(image, mask, generator)
    return image, mask


def cropped(
    image: Bytes, mask: Bytes, crop_px: int, generator: np.random.Generator, *, free: bool
) -> tuple[Bytes, Bytes]:
    """Return a crop at a place drawn among those with rocks; if `free`, zoomed by 0.9 to 1.1 and mirrored by chance.

    It begins at the picture's top: where the horizon is tells how large a rock is.
    """
    zoom = float(np.exp(generator.uniform(*np.log(_ZOOM)))) if free else 1.0
    side = max(1, round(crop_px / zoom))
    image, mask = _widened(image, mask, side)
    window = _with_rocks(mask, side, generator)
    image, mask = image[window], mask[window]
    if side != crop_px:
        image = np.asarray(Image.fromarray(image).resize((crop_px, crop_px), Image.Resampling.BILINEAR, reducing_gap=2))
        mask = np.asarray(Image.fromarray(mask).resize((crop_px, crop_px), Image.Resampling.NEAREST))
    if free and generator.random() < 0.5:
        image, mask = image[:, ::-1], mask[:, ::-1]
    return np.ascontiguousarray(image), np.ascontiguousarray(mask)


def _widened(image: Bytes, mask: Bytes, side: int) -> tuple[Bytes, Bytes]:
    below, right = (max(0, side - length) for length in mask.shape)
    if not below and not right:
        return image, mask
    return (
        np.pad(image, ((0, below), (0, right), (0, 0)), mode="symmetric"),
        np.pad(mask, ((0, below), (0, right)), constant_values=UNKNOWN),
    )


def _with_rocks(mask: Bytes, side: int, generator: np.random.Generator) -> tuple[slice, slice]:
    best, most = (slice(0, side), slice(0, side)), -1
    for _ in range(_TRIES):
        left = int(generator.integers(mask.shape[1] - side + 1))
        window = slice(0, side), slice(left, left + side)
        rocks = int(np.isin(mask[window], ROCKS).sum())
        if rocks > most:
            best, most = window, rocks
        if generator.random() < _CONTENT:
            break
    return best
