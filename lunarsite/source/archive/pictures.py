"""Pictures from outside, decoded within bounds: PNG and JPEG of a sane size, as 8-bit colour.

The size is read from the header before a pixel is decoded. What is no such picture is refused.
"""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lunarsite.artefact import ArtefactError

MOST_PICTURE_BYTES = 64 * 2**20
_MOST_PIXELS = 40_000_000
"""Of the file: a progressive JPEG keeps six bytes for each of them while it is decoded."""
_MOST_SIDE_PX = 20_000
_ORIENTATION = 0x0112


class PictureError(ArtefactError):
    """A picture that cannot be used; the message says which and why."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    Attributes:
        rgb: (H, W, 3) uint8.
        seen: (H, W) whether there is anything at a pixel: what the file calls transparent is not.
    """

    rgb: NDArray[np.uint8]
    seen: NDArray[np.bool_]


def decode(body: bytes, where: str, longest_side_px: int) -> Picture:
    """Return a picture, reduced by averaging areas to a longest side if it is larger; it is never enlarged.

    Raises:
        PictureError: It is neither PNG nor JPEG, too large, damaged, of a strange kind, or turned by its EXIF data.
    """
    if len(body) > MOST_PICTURE_BYTES:
        raise PictureError(f"{where}: the picture has {len(body)} bytes, {MOST_PICTURE_BYTES} are read")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow warns of damaged metadata and of bombs
            with Image.open(io.BytesIO(body), formats=("PNG", "JPEG")) as image:
                _check(image, where)
                return _decoded(image, longest_side_px)
    except (
        OSError,
        SyntaxError,
        ValueError,
        struct.error,
        EOFError,
        OverflowError,
        Warning,
        Image.DecompressionBombError,
    ) as error:
        if isinstance(error, PictureError):
            raise
        raise PictureError(f"{where}: is no whole PNG or JPEG picture ({error})") from error


def _check(image: Image.Image, where: str) -> None:
    width, height = image.size
    if width * height > _MOST_PIXELS or max(width, height) > _MOST_SIDE_PX or min(width, height) < 1:
        raise PictureError(f"{where}: the picture has {width} x {height} pixels, too many to read")
    if image.mode not in ("RGB", "RGBA", "L"):
        raise PictureError(f"{where}: the picture is of the kind '{image.mode}', needed is 8-bit colour")
    if image.getexif().get(_ORIENTATION, 1) != 1:
        raise PictureError(f"{where}: the picture's EXIF data turn it, so its place on the sky is uncertain")


def _decoded(image: Image.Image, longest_side_px: int) -> Picture:
    factor = min(1.0, longest_side_px / max(image.size))
    width, height = (max(1, round(side * factor)) for side in image.size)
    if image.mode != "RGBA":
        image.draft(image.mode, (width, height))  # a JPEG can be decoded at a half, a quarter or an eighth
    if image.size != (width, height):
        reduced = image.resize((width, height), Image.Resampling.BOX)
    else:
        image.load()
        reduced = image
    seen = np.ones((height, width), dtype=bool)
    if reduced.mode == "RGBA":
        seen = np.asarray(reduced.getchannel("A")) > 0
    return Picture(np.array(reduced.convert("RGB"), dtype=np.uint8), seen)
