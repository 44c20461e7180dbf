"""Pictures from outside: their bound holds at its own number, and the message says what helps."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path

import pytest
from PIL import Image

from lunarsite.artefact import ArtefactError
from lunarsite.artefact.pictures import MOST_PX, opened


def claiming(path: Path, width: int, height: int) -> Path:
    """Write the header of a grey PNG without a pixel."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    return path


def test_the_bound_is_one_that_pillow_lets_pass() -> None:
    assert MOST_PX == 89_000_000
    assert Image.MAX_IMAGE_PIXELS is not None
    assert MOST_PX <= Image.MAX_IMAGE_PIXELS


def test_a_picture_at_the_bound_is_opened(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with opened(claiming(tmp_path / "a.png", 8_900, 10_000), "a.png", ("PNG",)) as picture:
            assert picture.width * picture.height == MOST_PX


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [
        (8_900, 10_001, "10001 x 8900"),
        (9_459, 9_459, "9459 x 9459"),  # Pillow's own bound is passed: 89.47 million
        (9_500, 9_500, "9500 x 9500"),
        (10_000, 10_000, "10000 x 10000"),
        (1, 100_000_001, "100000001 x 1"),
        (13_000, 13_000, "13000 x 13000"),
        (13_377, 13_379, "too many"),  # twice of it: Pillow raises, and tells no sides
        (2**31 - 1, 2**31 - 1, "too many"),
    ],
)
@pytest.mark.parametrize("strict", [False, True])
def test_what_lies_above_is_to_be_cut(tmp_path: Path, width: int, height: int, size: str, strict: bool) -> None:
    path = claiming(tmp_path / "a.png", width, height)
    with warnings.catch_warnings():
        warnings.simplefilter("error" if strict else "default")
        with (
            pytest.raises(ArtefactError) as told,
            opened(path, "a.png", ("PNG", "JPEG")),
        ):
            pass
    assert str(told.value) == f"a.png: has {size} pixels, at most 89000000 are read; cut it into parts"
    assert Image.MAX_IMAGE_PIXELS == 89_478_485


def test_a_header_that_is_cut_off_is_to_be_copied_again(tmp_path: Path) -> None:
    path = claiming(tmp_path / "a.png", 20_000, 20_000)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ArtefactError, match=r"a\.png: is no readable PNG .*; it may be truncated: copy or download it"):
        opened(path, "a.png", ("PNG",)).__enter__()
