"""Pictures that people bring: PNG, JPEG and TIFF, grey or in colour, 8 or 16 bits, as RGB of 8 bits.

A picture is turned upright as its EXIF says. Of 16 bits the full scale is the least of 10, 12, 14 and 16 bits that
holds its brightest pixel, for cameras store 12 bits in 16. Transparent pixels are unknown. What would have to be
guessed is refused: floats (no full scale), CMYK (no colours without its profile), files of several pictures. This
module must not know what is done with a picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps

from lunarsite.artefact import pictures
from lunarsite.artefact.stamp import ArtefactError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
_FORMATS = ("PNG", "JPEG", "TIFF")
_SCALES = (255, 1023, 4095, 16383, 65535)
_OPAQUE = 255
_MEND = "save it as a plain PNG of 8 bits"
# Pillow keeps the upper eight of 16 bits in colour, and of those with transparency.
_READ = ("L", "LA", "RGB", "RGBA", "P", "PA")


@dataclass(frozen=True)
class Picture:
    """A picture, upright."""

    rgb: NDArray[np.uint8]
    """(H, W, 3); 0 where unknown."""
    known: NDArray[np.bool_] | None
    """(H, W); None if all of it is."""
    full_scale: int
    """Number of the file that became 255."""


def read_picture(path: Path) -> Picture:
    """Return a picture from outside.

    Raises:
        ArtefactError: It is missing, damaged, of another kind, too large, of several pictures, wholly transparent, or
            its pixels cannot be brought to RGB of 8 bits without a guess.
    """
    with pictures.opened(path, str(path), _FORMATS) as picture:
        frames = pictures.guarded(lambda: getattr(picture, "n_frames", 1), str(path), _FORMATS)
        if frames > 1:
            raise ArtefactError(f"{path}: holds {frames} pictures; save the one that is meant")
        mode = str(picture.mode)
        if mode not in _READ and not mode.startswith("I;16"):
            raise ArtefactError(f"{path}: has pixels of kind '{mode}', read are grey and RGB; {_MEND}")
        upright = pictures.guarded(lambda: _upright(picture), str(path), _FORMATS)
        values = np.asarray(upright)
    if values.dtype != np.uint8:
        return _narrowed(values.astype(np.uint16))
    if values.ndim == 2:
        return Picture(np.repeat(values[:, :, None], 3, axis=2), None, _OPAQUE)
    return _opaque(path, values)


def _upright(picture: Any) -> Any:
    """Decode the whole; return it upright, with colours where it names them by a palette."""
    picture.load()
    picture = ImageOps.exif_transpose(picture)
    if picture.mode in ("P", "PA"):
        return picture.convert("RGBA" if picture.mode == "PA" or "transparency" in picture.info else "RGB")
    if picture.mode in ("L", "RGB") and "transparency" in picture.info:
        return picture.convert("LA" if picture.mode == "L" else "RGBA")  # one colour that stands for 'transparent'
    return picture


def _opaque(path: Path, values: NDArray[np.uint8]) -> Picture:
    """Return a picture of two (grey), three or four channels, the last of which may tell what is seen."""
    channels = values.shape[2]
    known = values[:, :, -1] == _OPAQUE if channels in (2, 4) else None
    colours = values[:, :, :1].repeat(3, axis=2) if channels == 2 else values[:, :, :3]
    if known is None or known.all():
        return Picture(np.ascontiguousarray(colours), None, _OPAQUE)
    if not known.any():
        raise ArtefactError(f"{path}: is transparent everywhere; {_MEND} without transparency")
    return Picture(np.where(known[:, :, None], colours, np.uint8(0)), known, _OPAQUE)


def _narrowed(values: NDArray[np.uint16]) -> Picture:
    """Return a grey picture of 16 bits in 8."""
    most = int(values.max())
    full = next(scale for scale in _SCALES if most <= scale)
    table = np.rint(np.arange(full + 1) * (_OPAQUE / full)).astype(np.uint8)
    return Picture(np.repeat(table[values][:, :, None], 3, axis=2), None, full)
