"""Pictures from outside: what is decoded, what is refused, and in how much memory."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lunarsite.source.archive.pictures import MOST_PICTURE_BYTES, PictureError, decode


def encoded(values: Any, kind: str = "PNG", **options: Any) -> bytes:
    target = io.BytesIO()
    (values if isinstance(values, Image.Image) else Image.fromarray(values)).save(target, kind, **options)
    return target.getvalue()


def ramp(width: int = 40, height: int = 20) -> np.ndarray:
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([x * 6 % 256, y * 12 % 256, (x + y) * 3 % 256], axis=-1).astype(np.uint8)


def claiming(width: int, height: int) -> bytes:
    """A PNG that claims a size and has hardly any data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


def test_small_pictures_stay_as_they_are() -> None:
    found = decode(encoded(ramp()), "x", 40)
    assert (found.rgb == ramp()).all()
    assert found.seen.all()
    assert decode(encoded(ramp()), "x", 4_000).rgb.shape == (20, 40, 3)


def test_larger_ones_are_averaged() -> None:
    found = decode(encoded(ramp()), "x", 20).rgb
    expected = ramp().reshape(10, 2, 20, 2, 3).mean(axis=(1, 3))
    assert found.shape == (10, 20, 3)
    inner = expected[:, :, 0] < 240  # where the ramp wraps the mean is of a jump
    assert np.abs(found[inner] - expected[inner]).max() <= 1.0


def test_jpeg_is_decoded_at_a_fraction_and_still_the_same() -> None:
    smooth = np.repeat(np.repeat(ramp(20, 10), 40, axis=0), 40, axis=1)
    found = decode(encoded(smooth, "JPEG", quality=95), "x", 80).rgb.astype(int)
    expected = np.repeat(np.repeat(ramp(20, 10), 4, axis=0), 4, axis=1)
    assert np.abs(found[1::4, 1::4] - expected[1::4, 1::4]).max() < 12


def test_transparent_is_not_seen_and_grey_has_three_channels() -> None:
    values = np.dstack([ramp(), np.full((20, 40), 255, dtype=np.uint8)])
    values[:5, :, 3] = 0
    found = decode(encoded(values), "x", 40)
    assert not found.seen[:5].any()
    assert found.seen[5:].all()
    grey = decode(encoded(ramp()[..., 0]), "x", 40).rgb
    assert (grey[..., 0] == grey[..., 2]).all()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no whole PNG or JPEG"),
        (b"<html>", "no whole PNG or JPEG"),
        (encoded(ramp(), "GIF"), "no whole PNG or JPEG"),
        (encoded(ramp(), "TIFF"), "no whole PNG or JPEG"),
        (encoded(ramp())[:-60], "no whole PNG or JPEG"),
        (encoded(ramp(400, 300), "JPEG")[:-2_000], "no whole PNG or JPEG"),
        (encoded(np.zeros((9, 9), dtype=np.uint16)), "of the kind 'I"),
        (encoded(Image.fromarray(ramp()).convert("P")), "of the kind 'P'"),
        (encoded(Image.fromarray(ramp()).convert("CMYK"), "JPEG"), "of the kind 'CMYK'"),
        (claiming(7_000, 7_000), "7000 x 7000 pixels, too many"),
        (claiming(30_000, 10), "30000 x 10 pixels, too many"),
        (claiming(2**31 - 1, 2**31 - 1), "no whole PNG|too many"),
        (claiming(12_000, 12_000), "no whole PNG|too many"),
        (b"\x89PNG" + b" " * MOST_PICTURE_BYTES, "bytes"),
    ],
    ids=range(14),
)
def test_others_are_refused(body: bytes, message: str) -> None:
    with pytest.raises(PictureError, match=message) as caught:
        decode(body, "https://x/a.jpg", 40)
    assert str(caught.value).startswith("https://x/a.jpg: ")


def test_turned_by_its_metadata() -> None:
    image = Image.fromarray(ramp())
    exif = image.getexif()
    exif[0x0112] = 6
    with pytest.raises(PictureError, match="EXIF data turn it"):
        decode(encoded(image, "JPEG", exif=exif), "x", 40)
    exif[0x0112] = 1
    assert decode(encoded(image, "JPEG", exif=exif), "x", 40).seen.all()


@settings(max_examples=200)
@given(st.integers(0, 700), st.integers(0, 255), st.sampled_from(["PNG", "JPEG"]))
def test_one_wrong_byte_is_read_or_refused(place: int, value: int, kind: str) -> None:
    body = bytearray(encoded(ramp(), kind))
    body[place % len(body)] = value
    try:
        found = decode(bytes(body), "x", 40)
    except PictureError:
        return
    assert found.rgb.shape[:2] == found.seen.shape


def test_bomb_takes_no_memory(tmp_path: Path) -> None:
    """40 million pixels are the most that a header may claim; what lies above costs nothing."""
    (tmp_path / "bomb.png").write_bytes(claiming(20_000, 19_999))
    code = """
import resource, sys
from pathlib import Path
from lunarsite.source.archive.pictures import decode, PictureError
body, before = Path(sys.argv[1]).read_bytes(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    decode(body, 'x', 100)
except PictureError:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "bomb.png")],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[4],
    )
    assert int(done.stdout) < 50 * 1024
