"""Pictures that people bring: depths, palettes, transparency, EXIF, and what is refused by name."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile

from lunarsite.artefact import ArtefactError, pictures
from lunarsite.vision.rock.pictures import read_picture

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
COLOUR = np.stack([GREY, GREY[::-1], 255 - GREY], axis=2)


def saved(path: Path, values: Any, mode: str | None = None, **options: Any) -> Path:
    picture = Image.fromarray(values)
    (picture.convert(mode) if mode else picture).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_colours_come_as_they_are(tmp_path: Path, suffix: str) -> None:
    found = read_picture(saved(tmp_path / f"a{suffix}", COLOUR))
    np.testing.assert_array_equal(found.rgb, COLOUR)
    assert found.rgb.dtype == np.uint8
    assert found.known is None
    assert found.full_scale == 255


def test_a_jpeg_is_read(tmp_path: Path) -> None:
    found = read_picture(saved(tmp_path / "a.jpg", np.full((16, 24, 3), 90, np.uint8)))
    assert np.abs(found.rgb.astype(int) - 90).max() <= 2


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_grey_has_three_equal_channels(tmp_path: Path, suffix: str) -> None:
    found = read_picture(saved(tmp_path / f"a{suffix}", GREY))
    np.testing.assert_array_equal(found.rgb, np.repeat(GREY[:, :, None], 3, axis=2))


@pytest.mark.parametrize(("most", "full"), [(1000, 1023), (4000, 4095), (16383, 16383), (16384, 65535)])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_are_scaled_by_the_least_depth_that_holds_them(
    tmp_path: Path, suffix: str, most: int, full: int
) -> None:
    values = np.linspace(0, most, 12).astype(np.uint16).reshape(3, 4)
    found = read_picture(saved(tmp_path / f"a{suffix}", values))
    assert found.full_scale == full
    np.testing.assert_allclose(found.rgb[:, :, 1], values * (255.0 / full), atol=0.5)


def test_transparent_pixels_are_unknown(tmp_path: Path) -> None:
    alpha = np.full((3, 4, 1), 255, dtype=np.uint8)
    opaque = read_picture(saved(tmp_path / "a.png", np.concatenate([COLOUR, alpha], axis=2)))
    assert opaque.known is None
    np.testing.assert_array_equal(opaque.rgb, COLOUR)
    alpha[0, 1], alpha[2, 3] = 0, 128
    for values in (np.concatenate([COLOUR, alpha], axis=2), np.concatenate([GREY[:, :, None], alpha], axis=2)):
        found = read_picture(saved(tmp_path / "a.png", values))
        assert found.known is not None
        assert sorted(np.argwhere(~found.known).tolist()) == [[0, 1], [2, 3]]
        assert not found.rgb[~found.known].any()
        np.testing.assert_array_equal(found.rgb[1], values[1, :, : found.rgb.shape[2]] if values.shape[2] == 4 else
                                      np.repeat(GREY[1][:, None], 3, axis=1))  # fmt: skip
    alpha[:] = 0
    with pytest.raises(ArtefactError, match="transparent everywhere"):
        read_picture(saved(tmp_path / "a.png", np.concatenate([COLOUR, alpha], axis=2)))


def test_a_palette_gives_its_colours(tmp_path: Path) -> None:
    picture = Image.fromarray(COLOUR).convert("P", palette=Image.Palette.ADAPTIVE)
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png").rgb, np.asarray(picture.convert("RGB")))
    picture.save(tmp_path / "b.png", transparency=int(np.asarray(picture)[0, 0]))
    found = read_picture(tmp_path / "b.png")
    assert found.known is not None
    assert not found.known[0, 0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(tmp_path: Path, orientation: int) -> None:
    # What each orientation does to the upright picture before it is stored (EXIF 2.3, table 6).
    stored = {
        1: COLOUR,
        2: COLOUR[:, ::-1],
        3: COLOUR[::-1, ::-1],
        4: COLOUR[::-1],
        5: COLOUR.transpose(1, 0, 2),
        6: np.rot90(COLOUR),
        7: np.rot90(COLOUR.transpose(1, 0, 2), 2),
        8: np.rot90(COLOUR, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "a.png", np.ascontiguousarray(stored), exif=exif)
    np.testing.assert_array_equal(read_picture(path).rgb, COLOUR)


@pytest.mark.parametrize(
    ("name", "mode", "words"),
    [("a.jpg", "CMYK", "'CMYK'"), ("a.tif", "F", "'F'"), ("a.tif", "I", "'I'"), ("a.png", "1", "'1'")],
)
def test_what_would_have_to_be_guessed_is_refused(tmp_path: Path, name: str, mode: str, words: str) -> None:
    path = saved(tmp_path / name, GREY if mode != "CMYK" else COLOUR, mode)
    with pytest.raises(ArtefactError, match=f"pixels of kind {words}.*save it as") as told:
        read_picture(path)
    assert str(path) in str(told.value)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_truncated_files_are_named(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    path = saved(tmp_path / name, noise)
    whole = path.read_bytes()
    for share in (0.0, 0.1, 0.5, 0.9):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(ArtefactError, match=name):
            read_picture(path)


def test_several_pictures_and_other_kinds_are_refused(tmp_path: Path) -> None:
    pages = [Image.fromarray(GREY), Image.fromarray(GREY)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(ArtefactError, match="holds 2 pictures"):
        read_picture(tmp_path / "a.tif")
    Image.fromarray(GREY).save(tmp_path / "b.gif")
    (tmp_path / "b.gif").rename(tmp_path / "b.png")
    with pytest.raises(ArtefactError, match="no readable PNG or JPEG or TIFF"):
        read_picture(tmp_path / "b.png")
    with pytest.raises(ArtefactError, match="does not exist as a file"):
        read_picture(tmp_path / "none.png")


def test_a_bomb_is_refused_by_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PNG of a few bytes that claims 60 000 x 60 000 pixels is not unpacked."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + body)
    with monkeypatch.context() as watched:
        watched.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("unpacked"))
        with pytest.raises(ArtefactError, match=r"a\.png: has too many pixels, at most 89000000 are read; cut it"):
            read_picture(tmp_path / "a.png")
    monkeypatch.setattr(pictures, "MOST_PX", 1_000)
    with pytest.raises(ArtefactError, match="at most 1000 are read; cut it"):
        read_picture(saved(tmp_path / "b.png", np.zeros((40, 40), np.uint8)))
