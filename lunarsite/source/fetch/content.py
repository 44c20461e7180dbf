"""Whether a file holds what it should, by its first bytes: a server that has moved a file often sends a page instead.

At most 64 KiB from the start and as much from the end are read, whatever the file's size. What is found here is no
promise that the rest is sound: checksums, sizes and readers look at that. This module must not know what the files
are used for.
"""

from __future__ import annotations

import html
import re
import struct
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lunarsite.artefact import ArtefactError
from lunarsite.source.products import Content


class ContentError(ArtefactError):
    """A file that is not what it should be; the message says what it is instead."""


_HEAD_BYTES = _TAIL_BYTES = 2**16
_TAR_BLOCK = 512
_TITLE_CHARACTERS = 160
_MESSAGE_BYTES = 1_024
"""A binary product is longer; a text up to this long in its place is a server's message."""

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_ZIP_END = b"PK\x05\x06"
_ZIP_END_BYTES = 22
_GZIP = b"\x1f\x8b\x08"
_TIFFS = {b"II*\x00": "<I", b"MM\x00*": ">I", b"II+\x00": "<Q", b"MM\x00+": ">Q"}
_JP2 = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_JP2_STREAM = b"\xff\x4f\xff\x51"
_PNG = b"\x89PNG\r\n\x1a\n"
# The fourth byte is a marker's; without it pixels of a raw image could pass for a JPEG.
_JPEG = re.compile(rb"\xff\xd8\xff[\xc0-\xfe]")

_KNOWN: tuple[tuple[bytes, str], ...] = (
    *((magic, "TIFF") for magic in _TIFFS),
    (_JP2, "JPEG 2000"),
    (_JP2_STREAM, "JPEG 2000"),
    (_PNG, "PNG"),
    (_HDF5, "HDF5"),
    (_ZIP, "zip"),
    (_ZIP_END, "empty zip"),
    (_GZIP, "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"(\xb5/\xfd", "zstd"),
    (b"GIF8", "GIF"),
    (b"%PDF-", "PDF"),
    (b"SIMPLE  =", "FITS"),
    (b"SQLite format 3\x00", "SQLite"),
    (b"\x7fELF", "a program"),
)
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_HTML = re.compile(
    r"<(!doctype\s+html|html|head|body|title|meta|script|style|link|div|p|h[1-6]|center|table|pre|iframe|frameset|br)"
    r"[\s/>]",
    re.IGNORECASE,
)
_BLANKS = re.compile(r"\s*")
# Grey levels of a raw image may be printable: two or three characters of a kind do not make it JSON.
_JSON_START = re.compile(r"[\[{]\s*[\[{\"]")
_TEXT_CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\r\f\x1a")
_DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class _Look:
    """What has been read of a file."""

    head: bytes
    tail: bytes
    bytes: int

    @property
    def text(self) -> str | None:
        """The head as text without blanks before it, None if it is none."""
        for bom, encoding in _BOMS:
            if self.head.startswith(bom):
                return self.head[len(bom) :].decode(encoding, "replace").lstrip()
        if any(byte in _TEXT_CONTROLS for byte in self.head):
            return None
        # Whatever it is encoded in: markup and delimiters are ASCII. Latin-1 takes every byte.
        return self.head.decode("latin-1").lstrip()


def check_content(path: Path, content: Content, where: str) -> None:
    """Refuse a file that does not hold what it should.

    Args:
        path: An existing file.
        content: What it should hold.
        where: Product, file and address, for messages.

    Raises:
        ContentError: It is empty, an HTML page (the message gives its title), or of another kind.
    """
    look = _look(path)
    if look.bytes == 0:
        raise ContentError(f"{where}: is empty, needed is {_NAMES[content]}; fetch it again, or from another address")
    title = _page(look)
    if title is not None:
        raise ContentError(
            f"{where}: the server sent an HTML page{title and f' {title!r}'} instead of {_NAMES[content]}; the file may"
            " have moved or need a log-in: open the address in a browser, and mend it in resources/products.yaml"
        )
    wrong = _CHECKS[content](look)
    if wrong is not None:
        raise ContentError(
            f"{where}: is not {_NAMES[content]}: {wrong}; fetch it again, or mend its address in"
            " resources/products.yaml"
        )


def _look(path: Path) -> _Look:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL_BYTES))
        return _Look(head, file.read(_TAIL_BYTES), size)


def _page(look: _Look) -> str | None:
    """Return an HTML page's title, an empty string if it has none, or None if the file is no page."""
    text = _after_preamble(look.text or "")
    if not _HTML.match(text):
        return None
    small = text.lower()
    begin = small.find("<title")
    opened = small.find(">", begin) if begin >= 0 else -1
    closed = small.find("</title", opened) if opened >= 0 else -1
    if closed < 0:
        return ""
    title = " ".join(html.unescape(text[opened + 1 : closed]).split())
    return _printable(title[:_TITLE_CHARACTERS])


def _after_preamble(text: str) -> str:
    """Return text after XML's declaration, instructions, comments and blanks."""
    start = 0
    while True:
        start = _blanks_end(text, start)
        ends = next((end for begin, end in (("<!--", "-->"), ("<?", "?>")) if text.startswith(begin, start)), None)
        if ends is None:
            return text[start:]
        found = text.find(ends, start)
        if found < 0:
            return ""
        start = found + len(ends)


def _blanks_end(text: str, start: int) -> int:
    found = _BLANKS.match(text, start)
    return found.end() if found else start


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


def _magic(head: bytes) -> str | None:
    """Return the kind that a file's first bytes declare, None if they declare none of the list."""
    known = next((name for magic, name in _KNOWN if head.startswith(magic)), None)
    if known is None and _JPEG.match(head):
        return "JPEG"
    return "tar" if known is None and _is_tar_block(head) else known


def _kind(look: _Look) -> str:
    """Return what a file seems to be, for messages."""
    known, text = _magic(look.head), look.text
    if known is None and text is not None:
        if not text.startswith("<"):
            return f"it is text that begins with {_printable(' '.join(text[:80].split()))!r}"
        known = "XML"
    return f"it is {known}" if known else f"it begins with the bytes {look.head[:12].hex(' ')}"


def _tiff(look: _Look) -> str | None:
    number = _TIFFS.get(look.head[:4])
    if number is None:
        return _kind(look)
    big = number[1] == "Q"
    if len(look.head) < 16 or (big and look.head[4:8] not in (b"\x08\x00\x00\x00", b"\x00\x08\x00\x00")):
        return "its header is broken"
    offset = struct.unpack_from(number, look.head, 8 if big else 4)[0]
    return None if 8 <= offset < look.bytes else f"its directory lies at byte {offset} of {look.bytes}"


def _jp2(look: _Look) -> str | None:
    return None if look.head.startswith((_JP2, _JP2_STREAM)) else _kind(look)


def _pds3_image(look: _Look) -> str | None:
    """Raw pixels have no magic: refused is what is certainly something else."""
    text = look.text
    if text is not None and text.startswith("PDS_VERSION_ID"):
        return None
    markup = text is not None and (text.startswith("<?xml") or _JSON_START.match(text) is not None)
    message = text is not None and look.bytes <= _MESSAGE_BYTES
    return _kind(look) if markup or message or _magic(look.head) else None


def _pds3_label(look: _Look) -> str | None:
    if b"PDS_VERSION_ID" not in look.head[:1_024]:
        return _kind(look)
    return None if b"\x00" not in look.head[:1_024] else "it holds binary data"


def _hdf5(look: _Look) -> str | None:
    offset = next((at for at in (0, *(512 << k for k in range(8))) if look.head.startswith(_HDF5, at)), None)
    if offset is None:
        return _kind(look)
    end = _hdf5_end(look.head[offset:])
    if end is None:
        return "its superblock is broken"
    return None if end <= look.bytes else f"it is cut: {look.bytes} of {end} bytes are there"


def _hdf5_end(block: bytes) -> int | None:
    """Return the address of the end of file that a superblock tells (HDF5 File Format Specification 3.0, II.A)."""
    if len(block) < 96 or block[8] > 3:
        return None
    old = block[8] < 2
    width = block[13] if old else block[9]
    if width not in (2, 4, 8):
        return None
    begin = {0: 24, 1: 28}.get(block[8], 12) + 2 * width
    return int.from_bytes(block[begin : begin + width], "little")


def _zip(look: _Look) -> str | None:
    if not look.head.startswith((_ZIP, _ZIP_END)):
        return _kind(look)
    at = look.tail.rfind(_ZIP_END)
    whole = at >= 0 and at + _ZIP_END_BYTES <= len(look.tail)
    return None if whole else "it is cut: its directory of members is missing"


def _tar(look: _Look) -> str | None:
    block = look.head
    if block.startswith(_GZIP):
        try:
            block = zlib.decompressobj(wbits=31).decompress(block, _TAR_BLOCK)
        except zlib.error as error:
            return f"its compression is broken ({error})"
        return None if _is_tar_block(block) else "it is gzip without a tar archive in it"
    return None if _is_tar_block(block) else _kind(look)


def _is_tar_block(block: bytes) -> bool:
    """Whether a header's checksum holds (POSIX.1-1988 tar: the sum of its bytes, its own field taken as blanks)."""
    if len(block) < _TAR_BLOCK or not block[0]:
        return False
    try:
        told = tarfile.nti(block[148:156])  # type: ignore[attr-defined]
    except tarfile.HeaderError:
        return False
    return bool(told == sum(block[:148]) + 8 * 0x20 + sum(block[156:_TAR_BLOCK]))


def _csv(look: _Look) -> str | None:
    text = look.text
    if text is None or text.startswith(("<", "{")):
        return _kind(look)
    first = text.split("\n", 1)[0]
    return None if any(mark in first for mark in _DELIMITERS) else "its first line has neither ',', ';', '|' nor a tab"


def _json(look: _Look) -> str | None:
    text = look.text
    return None if text is not None and text.startswith(("{", "[")) else _kind(look)


def _text(look: _Look) -> str | None:
    return _kind(look) if look.text is None else None


def _jpeg(look: _Look) -> str | None:
    return None if _JPEG.match(look.head) else _kind(look)


def _png(look: _Look) -> str | None:
    if not look.head.startswith(_PNG):
        return _kind(look)
    return None if look.head[12:16] == b"IHDR" else "its header is broken"


_CHECKS: dict[str, Callable[[_Look], str | None]] = {
    "tiff": _tiff,
    "jp2": _jp2,
    "pds3-image": _pds3_image,
    "pds3-label": _pds3_label,
    "hdf5": _hdf5,
    "zip": _zip,
    "tar": _tar,
    "csv": _csv,
    "json": _json,
    "text": _text,
    "jpeg": _jpeg,
    "png": _png,
}
_NAMES: dict[str, str] = {
    "tiff": "a TIFF",
    "jp2": "a JPEG 2000 image",
    "pds3-image": "a PDS3 image",
    "pds3-label": "a PDS3 label",
    "hdf5": "an HDF5 file",
    "zip": "a zip archive",
    "tar": "a tar archive",
    "csv": "a CSV table",
    "json": "JSON",
    "text": "text",
    "jpeg": "a JPEG image",
    "png": "a PNG image",
}
