"""Pictures from outside, opened within bounds: kinds told by content, sizes looked at before pixels are unpacked.

What is read of a picture, and what is refused, each room decides for itself. This module must not know what pictures
show.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from lunarsite.artefact.atomic import replacing
from lunarsite.artefact.stamp import ArtefactError

MOST_PX = 89_000_000
"""Pixels of a picture. Pillow warns above 89 478 485: this is less, so that it is the bound that holds."""
_MOST_BYTES = 1 << 29
# What Pillow raises for damaged and hostile files; of damaged metadata it warns.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
    UserWarning,
)
_Result = TypeVar("_Result")


def write_png(image: Image.Image, path: Path) -> None:
    """Write a picture as PNG; the file appears when it is whole."""
    # Pillow leaves a file that it opened itself open when something other than an error stops it.
    with replacing(path) as partial, partial.open("wb") as file:
        image.save(file, format="PNG")


@contextmanager
def opened(
    path: Path, where: str, formats: tuple[str, ...], error: type[ArtefactError] = ArtefactError
) -> Iterator[Any]:
    """Open a picture by its header.

    Args:
        path: The file.
        where: How messages name it.
        formats: Pillow's names of the kinds that are read.
        error: What is raised.

    Raises:
        ArtefactError: It is missing, of another kind, damaged in its header, or too large.
    """
    if not path.is_file():
        raise error(f"{where}: does not exist as a file")
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise error(f"{where}: has {size} bytes, pictures of {_MOST_BYTES} at most are read")

    with guarded(lambda: Image.open(path, formats=formats), where, formats, error) as picture:
        if picture.width * picture.height > MOST_PX:
            raise error(_too_large(where, f"{picture.height} x {picture.width}"))
        yield picture


def guarded(
    call: Callable[[], _Result], where: str, formats: tuple[str, ...], error: type[ArtefactError] = ArtefactError
) -> _Result:
    """Return what a call of Pillow returns, or raise the file's error; see `opened`."""
    try:
        with warnings.catch_warnings():
            # Up to twice its bound Pillow warns and opens: `opened` tells the size then.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            warnings.simplefilter("error", UserWarning)
            return call()
    except Image.DecompressionBombError as bomb:
        raise error(_too_large(where, "too many")) from bomb
    except _DAMAGE as damage:
        raise error(
            f"{where}: is no readable {' or '.join(formats)} ({damage}); it may be truncated: copy or download it"
            " again, or save it anew"
        ) from damage


def _too_large(where: str, how_many: str) -> str:
    return f"{where}: has {how_many} pixels, at most {MOST_PX} are read; cut it into parts"
