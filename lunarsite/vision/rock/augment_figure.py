"""What the changes of training images do, one row each: the crop as it is, three times changed, and its mask.

Where no photographs lend their look, the row of it is left out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lunarsite.artefact.pictures import write_png
from lunarsite.settings.rock import RockAugmentationSettings
from lunarsite.vision.rock.augment import augment
from lunarsite.vision.rock.classes import CLASSES
from lunarsite.vision.rock.data import Crops

Bytes = NDArray[np.uint8]

EXAMPLES = 3
WORDS = {
    "geometry": "zoom, mirror",
    "craters": "craters",
    "shadow_rotation": "turned light",
    "photometry": "photometry",
    "style": "look of a photograph",
    "contrast": "contrast",
    "sensor": "sensor",
}
"""By setting, in the order of the rows."""
# Okabe & Ito: ground, small rocks, large rocks, sky, unknown.
_COLOURS = {
    "background": (0, 0, 0),
    "small_rocks": (240, 228, 66),
    "large_rocks": (0, 114, 178),
    "sky": (204, 121, 167),
}
_UNKNOWN = (120, 120, 120)
_MARGIN_PX, _HEAD_PX, _LABEL_PX = 4, 18, 130
_SEED = 1


def write_figure(path: Path, crops: Crops) -> None:
    """Write the figure (PNG) of the pictures that crops are drawn from; each row has another picture."""
    nothing = RockAugmentationSettings(**dict.fromkeys(RockAugmentationSettings.model_fields, 0.0))
    side = crops.learning.training.crop_px
    shown = {name: words for name, words in WORDS.items() if name != "style" or crops.style is not None}
    rows = []
    for number, name in enumerate(shown):
        image, mask = crops.picture(number * len(crops.places) // len(shown))
        # One window for all, large enough for the zoom to move in it.
        image, mask = augment(image, mask, nothing, 2 * side, np.random.default_rng([_SEED, number]))
        only = nothing.model_copy(update={name: 1.0})
        changed = [_changed(image, mask, only, side, number, example, crops) for example in range(EXAMPLES)]
        plain, truth = augment(image, mask, nothing, side, np.random.default_rng([_SEED, number, 0]))
        rows.append([plain, *changed, _coloured(truth)])
    write_png(_laid(rows, list(shown.values()), side), path)


def _changed(
    image: Bytes, mask: Bytes, only: RockAugmentationSettings, side: int, number: int, example: int, crops: Crops
) -> Bytes:
    if only.geometry:
        return augment(image, mask, only, side, np.random.default_rng([_SEED, number, example]))[0]
    nothing = only.model_copy(update=dict.fromkeys(RockAugmentationSettings.model_fields, 0.0))
    window, told = augment(image, mask, nothing, side, np.random.default_rng([_SEED, number, 0]))
    return augment(window, told, only, side, np.random.default_rng([_SEED, number, example]), crops.style)[0]


def _coloured(mask: Bytes) -> Bytes:
    found = np.full((*mask.shape, 3), _UNKNOWN, np.uint8)
    for name, colour in _COLOURS.items():
        found[mask == CLASSES.index(name)] = colour
    return found


def _laid(rows: list[list[Bytes]], labels: list[str], side: int) -> Image.Image:
    step = side + _MARGIN_PX
    page = Image.new("RGB", (_LABEL_PX + step * len(rows[0]), _HEAD_PX + step * len(rows)), "white")
    pen = ImageDraw.Draw(page)
    heads = ("as it is", *(f"changed, {k + 1}" for k in range(EXAMPLES)), "mask")
    for at, head in enumerate(heads):
        pen.text((_LABEL_PX + at * step + _MARGIN_PX, 3), head, fill="black")
    for row, (words, pictures) in enumerate(zip(labels, rows, strict=True)):
        top = _HEAD_PX + row * step
        pen.text((_MARGIN_PX, top + side // 2 - 6), words, fill="black")
        for at, picture in enumerate(pictures):
            page.paste(Image.fromarray(picture), (_LABEL_PX + at * step, top))
    return page
