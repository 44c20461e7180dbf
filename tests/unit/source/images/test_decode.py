"""Pictures: numbers as they are, and refusals that name the file."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lunarsite.source.images.decode import picture_size, read_grey, read_picture, read_rgb
from lunarsite.source.kinds import LocalError

GREY = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
COLOUR = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)


def png(path: Path, width: int, height: int, depth: int, colour: int, data: bytes, clear: bytes = b"") -> Path:
    """Write a PNG of any header, honest or not; `clear` is the colour that it calls transparent."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    told = chunk(b"IHDR", header) + (chunk(b"tRNS", clear) if clear else b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + told + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize("values", [GREY, COLOUR, GREY.astype(np.uint16) * 257])
def test_numbers_are_kept(tmp_path, values: np.ndarray) -> None:
    Image.fromarray(values).save(tmp_path / "p.png")
    found = read_picture(tmp_path / "p.png", "set")
    assert found.dtype == values.dtype
    assert np.array_equal(found, values)
    assert picture_size(tmp_path / "p.png", "set") == (4, 6)


def test_palettes_become_their_colours_and_opaque_alpha_is_dropped(tmp_path) -> None:
    few = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 8, 7]], np.uint8)[np.arange(24).reshape(4, 6) % 4]
    Image.fromarray(few).quantize(8).save(tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.mode == "P"
    assert np.array_equal(read_picture(tmp_path / "p.png", "set"), few)
    Image.fromarray(np.dstack([COLOUR, np.full((4, 6), 255, np.uint8)])).save(tmp_path / "a.png")
    assert np.array_equal(read_picture(tmp_path / "a.png", "set"), COLOUR)


def test_rgb_and_grey(tmp_path) -> None:
    Image.fromarray(GREY).save(tmp_path / "grey.png")
    assert np.array_equal(read_rgb(tmp_path / "grey.png", "set"), np.dstack([GREY] * 3))
    three = np.dstack([GREY, GREY, GREY])
    Image.fromarray(three).save(tmp_path / "three.png")
    assert np.array_equal(read_grey(tmp_path / "three.png", "set"), GREY)
    three[0, 0] = 1, 2, 6
    Image.fromarray(three).save(tmp_path / "three.png")
    with pytest.raises(LocalError, match=r"three\.png: shows colours \(its channels differ by up to 5\)"):
        read_grey(tmp_path / "three.png", "set", 4)
    assert read_grey(tmp_path / "three.png", "set", 5)[0, 0] == 3
    Image.fromarray(GREY.astype(np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(LocalError, match="has 16 bits"):
        read_rgb(tmp_path / "deep.png", "set")


def test_a_turned_picture_is_refused(tmp_path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(COLOUR).save(tmp_path / "p.jpg", exif=exif)
    with pytest.raises(LocalError, match=r"set: .*p\.jpg: .*EXIF orientation 6"):
        read_picture(tmp_path / "p.jpg", "set")
    exif[0x0112] = 1
    Image.fromarray(COLOUR).save(tmp_path / "p.jpg", exif=exif)
    assert read_picture(tmp_path / "p.jpg", "set").shape == (4, 6, 3)


def test_transparent_moving_and_other_pictures_are_refused(tmp_path) -> None:
    alpha = np.full((4, 6), 255, np.uint8)
    alpha[0, 0] = 254
    Image.fromarray(np.dstack([COLOUR, alpha])).save(tmp_path / "p.png")
    with pytest.raises(LocalError, match="partly transparent"):
        read_picture(tmp_path / "p.png", "set")
    frames = [Image.fromarray(COLOUR), Image.fromarray(COLOUR[::-1])]
    frames[0].save(tmp_path / "p.png", save_all=True, append_images=frames[1:])
    with pytest.raises(LocalError, match="several pictures"):
        read_picture(tmp_path / "p.png", "set")
    Image.fromarray(COLOUR).convert("CMYK").save(tmp_path / "p.jpg")
    with pytest.raises(LocalError, match="kind 'CMYK'"):
        read_picture(tmp_path / "p.jpg", "set")
    Image.fromarray(COLOUR).save(tmp_path / "p.png", format="BMP")
    with pytest.raises(LocalError, match="no readable PNG or JPEG"):
        read_picture(tmp_path / "p.png", "set")
    png(tmp_path / "p.png", 2, 1, 16, 2, b"\0" + bytes(12))
    with pytest.raises(LocalError, match="colours of 16 bits"):
        read_picture(tmp_path / "p.png", "set")


# Two pixels each: depth, colour type, bytes of the row, a colour that is in it and one that is not.
CLEAR = {
    "grey": (8, 0, bytes([7, 200]), struct.pack(">H", 200), struct.pack(">H", 201)),
    "grey of 4 bits": (4, 0, bytes([0x7C]), struct.pack(">H", 0xC), struct.pack(">H", 0xD)),
    "grey of 2 bits": (2, 0, bytes([0b01110000]), struct.pack(">H", 3), struct.pack(">H", 2)),
    "grey of 16 bits": (16, 0, struct.pack(">HH", 300, 40_000), struct.pack(">H", 40_000), struct.pack(">H", 64)),
    "colours": (8, 2, bytes([7, 8, 9, 200, 100, 0]), struct.pack(">HHH", 200, 100, 0), struct.pack(">HHH", 200, 8, 9)),
}


@pytest.mark.parametrize("name", CLEAR)
def test_a_colour_that_stands_for_transparent_is_refused_where_a_pixel_has_it(tmp_path, name: str) -> None:
    depth, kind, row, shown, absent = CLEAR[name]
    png(tmp_path / "p.png", 2, 1, depth, kind, b"\0" + row, shown)
    with pytest.raises(LocalError, match=r"set: .*p\.png: is partly transparent; save it as a plain PNG of 8 bits"):
        read_picture(tmp_path / "p.png", "set")
    png(tmp_path / "p.png", 2, 1, depth, kind, b"\0" + row, absent)
    png(tmp_path / "q.png", 2, 1, depth, kind, b"\0" + row)
    assert np.array_equal(read_picture(tmp_path / "p.png", "set"), read_picture(tmp_path / "q.png", "set"))


def test_a_header_that_does_not_come_first_is_refused(tmp_path) -> None:
    whole = png(tmp_path / "p.png", 2, 1, 16, 2, b"\0" + bytes(12)).read_bytes()
    remark = b"\x00\x00\x00\x04tEXta\0bc" + struct.pack(">I", zlib.crc32(b"tEXta\0bc"))
    (tmp_path / "p.png").write_bytes(whole[:8] + remark + whole[8:])
    with pytest.raises(LocalError, match=r"p\.png: does not begin with the header of a PNG; save it as a plain PNG"):
        read_picture(tmp_path / "p.png", "set")


def test_palettes_are_refused_where_a_pixel_is_transparent(tmp_path) -> None:
    picture = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6) % 3, mode="P")
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 8, 7])
    for clear in (2, bytes([255, 255, 254, 255])):
        picture.save(tmp_path / "p.png", transparency=clear)
        with pytest.raises(LocalError, match="partly transparent"):
            read_picture(tmp_path / "p.png", "set")
    for clear in (3, bytes([255, 255, 255, 0])):
        picture.save(tmp_path / "p.png", transparency=clear)
        assert np.array_equal(read_picture(tmp_path / "p.png", "set"), np.asarray(picture.convert("RGB")))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path) -> None:
    for side in (9_500, 12_000, 60_000):  # above our bound, and above those at which Pillow warns and refuses
        png(tmp_path / "p.png", side, side, 8, 0, bytes(1000))
        for read in (read_picture, picture_size):
            with pytest.raises(
                LocalError, match=r"p\.png: has .* pixels, at most 89000000 are read; cut it into parts"
            ):
                read(tmp_path / "p.png", "set")
    with pytest.raises(LocalError, match="does not exist"):
        read_picture(tmp_path / "q.png", "set")


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_truncated_files_are_refused(tmp_path, suffix: str) -> None:
    values = np.random.default_rng(1).integers(0, 256, (64, 64), dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / f"p.{suffix}")
    whole = (tmp_path / f"p.{suffix}").read_bytes()
    for share in (0.0, 0.02, 0.5, 0.95):
        (tmp_path / f"p.{suffix}").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(LocalError, match=rf"p\.{suffix}: is no readable PNG or JPEG"):
            read_picture(tmp_path / f"p.{suffix}", "set")


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"]))
def test_any_bytes_give_numbers_or_the_declared_error(tmp_path_factory, data: bytes, magic: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "p.png"
    path.write_bytes(magic + data)
    with pytest.raises(LocalError):
        read_picture(path, "set")


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_gives_numbers_or_the_declared_error(tmp_path_factory, place: int, value: int) -> None:
    path = tmp_path_factory.mktemp("any") / "p.png"
    Image.fromarray(COLOUR).save(path)
    data = bytearray(path.read_bytes())
    data[place % len(data)] = value
    path.write_bytes(bytes(data))
    with suppress(LocalError):
        assert read_picture(path, "set").ndim in (2, 3)
