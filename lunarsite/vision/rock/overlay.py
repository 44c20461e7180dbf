"""A picture with the outlines of what was found in it, and a legend, for people to look at.

Colours are those of Okabe and Ito (2008), which people with any common colour blindness tell apart; kinds of rock also
differ in the outline's width.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from lunarsite.vision.rock.classes import CLASSES

MOST_SIDE_PX, LEAST_SIDE_PX = 1_600, 480
"""Longest side of an overlay; larger pictures are reduced to the one, smaller ones enlarged to the other."""
_STYLES = {
    "small_rocks": ("small rocks", (230, 159, 0), 1),
    "large_rocks": ("large rocks", (86, 180, 233), 2),
    "sky": ("edge of the sky", (204, 121, 167), 1),
}
_INK, _PAPER, _ALARM = (0, 0, 0), (255, 255, 255), (213, 94, 0)
_LINE_PX, _GAP_PX, _FONT_PX, _SWATCH_PX = 24, 10, 15, 26
STRANGE = "OUT OF DISTRIBUTION: no picture of the kind the model knows. Outlines and maps mean nothing."
NOT_JUDGED = "NOT JUDGED: no ground is seen, so nothing tells whether the model knows such pictures."


def overlay(image: NDArray[np.uint8], classes: NDArray[np.uint8], out_of_distribution: bool | None) -> Image.Image:
    """Return a picture (H, W, 3) with the outlines of its classes (H, W), a legend below.

    Above the legend it is said whether the picture is out of distribution, or that nothing tells (None).
    """
    picture = Image.fromarray(image)
    scale = min(1.0, MOST_SIDE_PX / max(picture.size))
    scale = max(scale, LEAST_SIDE_PX / max(picture.size)) if scale == 1.0 else scale
    size = tuple(max(1, round(side * scale)) for side in picture.size)
    way = Image.Resampling.BOX if scale < 1.0 else Image.Resampling.BICUBIC
    drawn = np.array(picture.resize(size, way))  # type: ignore[arg-type]
    found = np.asarray(Image.fromarray(classes).resize(size, Image.Resampling.NEAREST))  # type: ignore[arg-type]
    for name, (_, colour, width) in _STYLES.items():
        drawn[_outline(found == CLASSES.index(name), width)] = colour
    return _with_legend(Image.fromarray(drawn), out_of_distribution)


def _outline(mask: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Return the inner edge of a mask; the picture's own border is no edge."""
    inner = ndimage.binary_erosion(mask, ndimage.generate_binary_structure(2, 2), width, border_value=1)
    return np.asarray(mask & ~inner, dtype=np.bool_)


def _with_legend(picture: Image.Image, out_of_distribution: bool | None) -> Image.Image:
    font = ImageFont.load_default(_FONT_PX)
    entries = [(words, colour, width) for words, colour, width in _STYLES.values()]
    alarm = {True: STRANGE, None: NOT_JUDGED}.get(out_of_distribution)
    lines = [] if alarm is None else _lines(alarm, font, picture.width)
    rows = _rows([_SWATCH_PX + 2 * _GAP_PX + int(font.getlength(words)) for words, *_ in entries], picture.width)
    height = picture.height + (len(lines) + max(rows) + 1) * _LINE_PX + _GAP_PX
    whole = Image.new("RGB", (picture.width, height), _PAPER)
    whole.paste(picture, (0, 0))
    draw = ImageDraw.Draw(whole)
    top = picture.height + _GAP_PX // 2
    for line in lines:
        draw.rectangle((0, top, whole.width, top + _LINE_PX), fill=_ALARM)
        draw.text((_GAP_PX, top + 3), line, _PAPER, font)
        top += _LINE_PX
    left, last = _GAP_PX, 0
    for row, (words, colour, width) in zip(rows, entries, strict=True):
        left, last = (left, last) if row == last else (_GAP_PX, row)
        y = top + row * _LINE_PX + 4
        draw.rectangle((left, y, left + _SWATCH_PX - 10, y + 14), outline=colour, width=width + 1)
        draw.text((left + _SWATCH_PX - 4, y - 1), words, _INK, font)
        left += _SWATCH_PX + 2 * _GAP_PX + int(font.getlength(words))
    return whole


def _rows(widths: list[int], width: int) -> list[int]:
    """Return the row that each of some boxes comes to stand in."""
    rows, row, used = [], 0, _GAP_PX
    for box in widths:
        if used + box > width and used > _GAP_PX:
            row, used = row + 1, _GAP_PX
        rows.append(row)
        used += box
    return rows


def _lines(words: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """Return a text, broken to a width."""
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) > width - 2 * _GAP_PX and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
