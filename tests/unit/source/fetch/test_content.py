"""What a file holds, told from its first bytes."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import h5py
import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import example, given
from hypothesis import strategies as st

from lunarsite.source.fetch.content import ContentError, check_content
from lunarsite.source.products import Content

WHERE = "lola_dem: LDEM.TIF (http://127.0.0.1/LDEM.TIF)"
LABEL = "PDS_VERSION_ID = PDS3\r\nRECORD_TYPE = FIXED_LENGTH\r\n^IMAGE = ('A.IMG')\r\nEND\r\n"
PAGE = "<!DOCTYPE html><html><head><title>File  moved &amp; gone</title></head><body>log in</body></html>"


def raster(driver: str, **options: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with rasterio.open(
            path, "w", driver=driver, width=16, height=16, count=1, dtype="uint8", crs="IAU_2015:30135",
            transform=Affine(240, 0, 0, 0, -240, 0), **options
        ) as out:  # fmt: skip
            out.write(np.arange(256, dtype=np.uint8).reshape(16, 16), 1)

    return make


def hdf5(libver: str, userblock: int = 0) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with h5py.File(path, "w", libver=libver, userblock_size=userblock) as file:
            file["input_images"] = np.zeros((2, 8, 8), dtype=np.uint8)

    return make


def packed(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "text")
        archive.comment = b"made by a publisher"


def tar(mode: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with tarfile.open(path, mode) as archive:
            archive.addfile(tarfile.TarInfo("a.txt"), io.BytesIO())

    return make


def raw(content: str | bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content.encode() if isinstance(content, str) else content) and None


def heights(path: Path) -> None:
    np.arange(-3000, 3000, dtype="<i2").tofile(path)


GOOD: dict[str, tuple[Content, Callable[[Path], None]]] = {
    "tiff": ("tiff", raster("GTiff")),
    "bigtiff": ("tiff", raster("GTiff", BIGTIFF="YES")),
    "big-endian tiff": ("tiff", raster("GTiff", ENDIANNESS="BIG")),
    "big-endian bigtiff": ("tiff", raster("GTiff", ENDIANNESS="BIG", BIGTIFF="YES")),
    "jp2": ("jp2", raster("JP2OpenJPEG", REVERSIBLE="YES", QUALITY="100")),
    "heights": ("pds3-image", heights),
    "image with its label": ("pds3-image", raw(LABEL)),
    # Grey levels that are all printable, beginning with '<' and '{'.
    "printable pixels": ("pds3-image", raw(b"<" + bytes(range(33, 126)) * 20)),
    "other printable pixels": ("pds3-image", raw(b"{" + bytes(range(60, 126)) * 20)),
    "label": ("pds3-label", raw(LABEL)),
    "label of records": ("pds3-label", raw("CCSD3ZF0000100000001NJPL3IF0PDSX00000001\r\n" + LABEL)),
    "hdf5": ("hdf5", hdf5("earliest")),
    "new hdf5": ("hdf5", hdf5("latest")),
    "hdf5 behind a user block": ("hdf5", hdf5("earliest", 1024)),
    "zip": ("zip", packed),
    "tar": ("tar", tar("w")),
    "tar.gz": ("tar", tar("w:gz")),
    "csv": ("csv", raw("LAT,LON\n1,2\n")),
    "csv with a mark": ("csv", raw(b"\xef\xbb\xbfLAT;LON\r\n1;2\r\n")),
    "csv of another encoding": ("csv", raw("name\tlat\nPeirce\xe9\t1\n".encode("latin-1"))),
    "json": ("json", raw(' \n{"files": []}')),
    "json list": ("json", raw("[1, 2]")),
    "text": ("text", raw("image.jpg 3\n")),
    "jpeg": ("jpeg", raster("JPEG")),
    "png": ("png", raster("PNG")),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_right_passes(tmp_path: Path, name: str) -> None:
    content, make = GOOD[name]
    make(tmp_path / "file")
    check_content(tmp_path / "file", content, WHERE)


def test_every_kind_is_tried() -> None:
    assert {content for content, _ in GOOD.values()} == set(get_args(Content))


@pytest.mark.parametrize("name", ["tiff", "jp2", "hdf5", "zip", "tar", "tar.gz", "jpeg", "png"])
@pytest.mark.parametrize("content", get_args(Content))
def test_one_kind_is_no_other(tmp_path: Path, name: str, content: Content) -> None:
    own, make = GOOD[name]
    make(tmp_path / "file")
    if content == own:
        return
    with pytest.raises(ContentError, match=r"LDEM\.TIF .*: is not .*: it (is|begins)"):
        check_content(tmp_path / "file", content, WHERE)


PAGES = {
    "plain": PAGE,
    "capitals": PAGE.replace("<!DOCTYPE html><html>", "<HTML>").replace("title", "TITLE"),
    "a mark": "\ufeff" + PAGE,
    "blanks": " \r\n\t" * 300 + PAGE,
    "comments": "<!-- a --><!-- <title>wrong</title> -->\n" + PAGE,
    "xhtml": '<?xml version="1.0"?>\n<!-- x -->' + PAGE,
    "only a head": "<head><title>File moved & gone</title>",
    "a title with attributes": PAGE.replace("<title>", '<title lang="en">'),
}


@pytest.mark.parametrize("content", get_args(Content))
@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_refused_with_its_title(tmp_path: Path, page: str, content: Content) -> None:
    (tmp_path / "file").write_text(PAGES[page], encoding="utf-8")
    with pytest.raises(ContentError, match=r"LDEM\.TIF .*: the server sent an HTML page 'File moved & gone' instead"):
        check_content(tmp_path / "file", content, WHERE)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_a_page_in_another_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    (tmp_path / "file").write_bytes(mark + PAGE.encode(encoding))
    with pytest.raises(ContentError, match="HTML page 'File moved & gone'"):
        check_content(tmp_path / "file", "pds3-image", WHERE)


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("<html><body>no title</body></html>", "an HTML page instead"),
        ("<html><title></title></html>", "an HTML page instead"),
        ("<html><title>never closed", "an HTML page instead"),
        ("<html><title>" + "long " * 5000 + "</title>", "an HTML page 'long long"),
        ("<html><title>a\x7fb\u202ec</title></html>", "an HTML page 'a?b?c' instead"),
    ],
)
def test_odd_titles(tmp_path: Path, page: str, told: str) -> None:
    (tmp_path / "file").write_text(page, encoding="utf-8-sig")
    with pytest.raises(ContentError) as caught:
        check_content(tmp_path / "file", "tiff", WHERE)
    assert told in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("content", "bytes_", "told"),
    [
        ("tiff", b"II*\x00", "its header is broken"),
        ("tiff", b"II*\x00" + struct.pack("<I", 5_000) + bytes(100), "its directory lies at byte 5000 of 108"),
        ("tiff", b"MM\x00*" + struct.pack(">I", 0) + bytes(100), "its directory lies at byte 0 of 108"),
        ("tiff", b"II+\x00" + b"\x04\x00\x00\x00" + bytes(100), "its header is broken"),
        ("tiff", b'{"error": "no such key"}', "it is text that begins with '{"),
        ("jp2", b"\x00\x00\x00\x0cjP  \r\n\x00\n" + bytes(30), "it begins with the bytes 00 00 00 0c"),
        ("pds3-image", b"404 page not found\n", "it is text that begins with '404 page not found'"),
        ("pds3-image", b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>' + b" " * 5_000, "it is XML"),
        ("pds3-image", b'{"message": "gone", "detail": "' + b"x" * 5_000 + b'"}', "it is text"),
        ("pds3-label", b"no label\n", "it is text that begins with 'no label'"),
        ("pds3-label", LABEL.encode() + bytes(200), "it holds binary data"),
        ("hdf5", b"\x89HDF\r\n\x1a\n" + b"\x09" + bytes(200), "its superblock is broken"),
        ("hdf5", b"\x89HDF\r\n\x1a\n", "its superblock is broken"),
        ("zip", b"PK\x03\x04" + bytes(400), "it is cut: its directory"),
        ("tar", b"\x1f\x8b\x08" + bytes(7) + b"\xff" * 100, "its compression is broken"),
        ("tar", gzip.compress(b"x" * 600, mtime=0), "it is gzip without a tar"),
        ("tar", b"a.txt" + bytes(600), "it begins with the bytes"),
        ("csv", b"no delimiter\n1,2\n", "its first line has neither"),
        ("csv", b'{"error": "1,2"}', "it is text"),
        ("csv", b"a,b\n1,\x00\n", "it begins with the bytes"),
        ("json", b"oops", "it is text"),
        ("text", b"a\x00b", "it begins with the bytes"),
        ("jpeg", b"\xff\xd8\xff\x00", "it begins with the bytes"),
        ("png", b"\x89PNG\r\n\x1a\n" + bytes(40), "its header is broken"),
    ],
    ids=lambda value: value if isinstance(value, str) else "bytes",
)
def test_broken_starts_are_refused(tmp_path: Path, content: Content, bytes_: bytes, told: str) -> None:
    (tmp_path / "file").write_bytes(bytes_)
    with pytest.raises(ContentError) as caught:
        check_content(tmp_path / "file", content, WHERE)
    assert told in str(caught.value)


@pytest.mark.parametrize("content", get_args(Content))
def test_an_empty_file_is_refused(tmp_path: Path, content: Content) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ContentError, match="is empty"):
        check_content(tmp_path / "file", content, WHERE)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_a_cut_hdf5_is_refused(tmp_path: Path, libver: str) -> None:
    hdf5(libver)(tmp_path / "file")
    whole = (tmp_path / "file").stat().st_size
    with (tmp_path / "file").open("rb+") as file:
        file.truncate(whole - 1)
    with pytest.raises(ContentError, match=f"it is cut: {whole - 1} of {whole} bytes"):
        check_content(tmp_path / "file", "hdf5", WHERE)


def test_a_huge_file_costs_a_few_blocks(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.truncate(2**40)
    check_content(tmp_path / "file", "pds3-image", WHERE)


@pytest.mark.parametrize("start", ["<!---->", "<?>", "<title", "<!--", " "])
def test_hostile_pages_cost_no_time(tmp_path: Path, start: str) -> None:
    (tmp_path / "file").write_text(start * 100_000)
    with pytest.raises(ContentError):
        check_content(tmp_path / "file", "tiff", WHERE)


MAGICS = b"\x89HDF\r\n\x1a\n", b"II+\x00", b"\x1f\x8b\x08", b"\xff\xfe<", b""


@given(st.sampled_from(MAGICS), st.binary(max_size=600), st.sampled_from(get_args(Content)))
@example(MAGICS[0], b"\x00" * 5 + b"\xff" * 200, "hdf5")
def test_nothing_but_the_declared_error(
    tmp_path_factory: pytest.TempPathFactory, magic: bytes, rest: bytes, content: Content
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(magic + rest)
    try:
        check_content(path, content, WHERE)
    except ContentError as error:
        assert str(error).startswith(WHERE)  # noqa: PT017
