"""Pictures from outside, decoded within bounds: PNG and JPEG only, sizes looked at before any pixel is unpacked.

Nothing is guessed: transparency, moving pictures, turned pictures (EXIF) and unknown pixel types are refused with the
file's name and a mend. This module must not know what the pictures show.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunarsite.artefact import pictures
from lunarsite.source.kinds import LocalError

_FORMATS = ("PNG", "JPEG")
_EXIF_ORIENTATION = 0x0112
_UPRIGHT = (0, 1)
_OPAQUE = 255
_PNG_BITS = (1, 2, 4, 8, 16)
_MEND = "save it as a plain PNG of 8 bits"


def picture_size(path: Path, field: str) -> tuple[int, int]:
    """Return (height, width) of a picture from its header.

    Args:
        path: PNG or JPEG.
        field: Setting or product that the file belongs to, for messages.

    Raises:
        LocalError: It is missing, no PNG or JPEG, or has too many pixels.
    """
    with _opened(path, field) as picture:
        return picture.height, picture.width


def read_picture(path: Path, field: str) -> NDArray[Any]:
    """Return a picture's numbers as they are, (height, width) or (height, width, 3), uint8 or uint16 (grey only).

    Pictures with a palette become the colours that it names.

    Raises:
        LocalError: It is missing, damaged, no PNG or JPEG, too large, turned by EXIF, moving, partly transparent or of
            a pixel type that would lose numbers.
    """
    with _opened(path, field) as picture:
        where = f"{field}: {path}"
        turn = _guarded(lambda: picture.getexif().get(_EXIF_ORIENTATION, 1), where)
        if turn not in _UPRIGHT:
            raise LocalError(
                f"{where}: is to be shown turned or mirrored (EXIF orientation {turn}), and whether what belongs to it"
                " is turned alike is not known; turn the pixels themselves (exiftran -ai, mogrify -auto-orient)"
            )
        if getattr(picture, "n_frames", 1) > 1:
            raise LocalError(f"{where}: holds several pictures; {_MEND}")
        bits, grey = _png_bits(path, where)
        if bits == 16 and not grey:
            raise LocalError(f"{where}: has colours of 16 bits, which would be cut; {_MEND}, or in one grey band")
        return _numbers(picture, where, bits)


def read_rgb(path: Path, field: str) -> NDArray[np.uint8]:
    """Return a picture as (height, width, 3) uint8; grey ones get three equal channels. See `read_picture`."""
    values = read_picture(path, field)
    if values.dtype != np.uint8:
        raise LocalError(f"{field}: {path}: has 16 bits, needed are 8; {_MEND}")
    return values if values.ndim == 3 else np.repeat(values[:, :, None], 3, axis=2)


def read_grey(path: Path, field: str, most_colour: int = 0) -> NDArray[Any]:
    """Return a picture as (height, width), uint8 or uint16.

    Args:
        path: PNG or JPEG.
        field: For messages.
        most_colour: Channels of a colour picture may differ by so much; their mean is taken.

    Raises:
        LocalError: It shows colours; and see `read_picture`.
    """
    values = read_picture(path, field)
    if values.ndim == 2:
        return values
    spread = int((values.max(axis=2) - values.min(axis=2)).max())
    if spread > most_colour:
        raise LocalError(f"{field}: {path}: shows colours (its channels differ by up to {spread}), needed is grey")
    return values[:, :, 0] if spread == 0 else np.rint(values.mean(axis=2, dtype=np.float32)).astype(values.dtype)


@contextmanager
def _opened(path: Path, field: str) -> Iterator[Any]:
    with pictures.opened(path, f"{field}: {path}", _FORMATS, LocalError) as picture:
        yield picture


def _guarded(call: Any, where: str) -> Any:
    """Return what a call of Pillow returns, or raise the file's error."""
    return pictures.guarded(call, where, _FORMATS, LocalError)


def _numbers(picture: Any, where: str, bits: int) -> NDArray[Any]:
    _guarded(picture.load, where)
    if picture.mode == "P":
        picture = _guarded(lambda: picture.convert("RGBA" if "transparency" in picture.info else "RGB"), where)
    values = np.asarray(picture)
    if picture.mode in ("LA", "RGBA"):
        transparent = int(values[:, :, -1].min()) < _OPAQUE
        values = values[:, :, 0] if picture.mode == "LA" else values[:, :, :3]
    elif picture.mode in ("L", "RGB") or picture.mode.startswith("I;16"):
        values = values.astype(np.uint16) if picture.mode.startswith("I;16") else values
        transparent = _shows(values, picture.info.get("transparency"), bits)
    else:
        raise LocalError(f"{where}: has pixels of kind '{picture.mode}', read are grey and RGB; {_MEND}")
    if transparent:
        raise LocalError(f"{where}: is partly transparent; {_MEND} without transparency")
    return values


def _shows(values: NDArray[Any], colour: int | tuple[int, int, int] | None, bits: int) -> bool:
    """Whether any pixel has the one colour that a PNG calls transparent (chunk tRNS), told in the file's own bits."""
    if colour is None:
        return False
    # Pillow widens levels of two and of four bits to eight, but not this colour's. Bits above the depth do not count.
    most = (1 << bits) - 1
    levels = np.bitwise_and(colour, most) * (np.iinfo(values.dtype).max // most)
    same = values == levels
    return bool((same.all(axis=2) if values.ndim == 3 else same).any())


def _png_bits(path: Path, where: str) -> tuple[int, bool]:
    """Return bits of a channel and whether a PNG is grey; of colours of 16 bits Pillow would drop the lower byte."""
    with path.open("rb") as file:
        head = file.read(26)
    if not head.startswith(b"\x89PNG"):
        return 8, False
    # Pillow takes headers that do not come first, where they cannot be looked at here.
    if len(head) < 26 or head[12:16] != b"IHDR" or head[24] not in _PNG_BITS:
        raise LocalError(f"{where}: does not begin with the header of a PNG; {_MEND}")
    return head[24], head[25] == 0
