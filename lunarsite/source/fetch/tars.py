"""Members of a tar stream, one after the other, forward only.

The standard library decodes the blocks; the walk over them is written here, because its own reads headers of any
claimed size into memory, takes a broken header for the end of the archive, and can be sent in circles (CVE-2024-6232,
CVE-2025-8194). Read are POSIX.1-1988 (ustar), POSIX.1-2001 (PAX) and GNU archives. Only `path` and `size` of PAX
records count. This module must not know where the files go.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from lunarsite.source.fetch.members import ArchiveError

_BLOCK = 512
_MOST_HEADER_BYTES = 2**16
"""Of a long name or of PAX records, which stand before a member."""
_MOST_HEADERS = 8
"""In a row, before one member."""
_CHUNK_BYTES = 2**20
_MOST_SIZE = 2**60

Kind = Literal["file", "folder", "link", "device", "sparse file"]
_KINDS: dict[bytes, Kind] = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.DIRTYPE: "folder",
    tarfile.LNKTYPE: "link",
    tarfile.SYMTYPE: "link",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
    tarfile.FIFOTYPE: "device",
    tarfile.GNUTYPE_SPARSE: "sparse file",
}
_WITHOUT_DATA = (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE)


@dataclass(frozen=True)
class Member:
    """One member: its name, what it is, its size (bytes), and its data, to be read once before the next member."""

    name: str
    kind: Kind
    size: int
    chunks: Iterator[bytes]


def walk(read: Callable[[int], bytes], where: str) -> Iterator[Member]:
    """Yield the members of a tar stream.

    Args:
        read: Reads so many bytes or, at the stream's end, fewer; it raises if the stream is broken.
        where: The archive, for messages.

    Raises:
        ArchiveError: A header is broken or of an unknown kind, or the archive ends before its end mark.
    """
    while (found := _next_header(read, where)) is not None:
        header, extended = found
        name, size = extended.get("path", header.name), _size(extended.get("size"), header.size, where)
        kind = _KINDS.get(header.type)
        if kind is None:
            raise ArchiveError(f"{where}: member {name[:120]!r} is of the unknown kind {header.type!r}; repack it")
        if any(key.startswith("GNU.sparse.") for key in extended):
            kind = "sparse file"
        stored = 0 if header.type in _WITHOUT_DATA else size
        chunks = _chunks(read, stored, where)
        yield Member(name, kind, stored, chunks)
        for _ in chunks:  # what was not read
            pass


def _next_header(read: Callable[[int], bytes], where: str) -> tuple[tarfile.TarInfo, dict[str, str]] | None:
    """Return the next member's header with what stood before it, None at the end mark."""
    extended: dict[str, str] = {}
    for _ in range(_MOST_HEADERS):
        block = _exactly(read, _BLOCK, where)
        if not any(block):
            return None
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise ArchiveError(f"{where}: is damaged ({error}); fetch it again") from error
        if header.type == tarfile.GNUTYPE_LONGNAME:
            extended["path"] = _extension(read, header.size, where).rstrip(b"\0").decode("utf-8", "surrogateescape")
        elif header.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
            extended |= _records(_extension(read, header.size, where), where)
        elif header.type in (tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK):
            _extension(read, header.size, where)  # comments; targets of links, which are not followed
        else:
            return header, extended
    raise ArchiveError(f"{where}: has more than {_MOST_HEADERS} headers before one member; repack it")


def _extension(read: Callable[[int], bytes], size: int, where: str) -> bytes:
    if not 0 <= size <= _MOST_HEADER_BYTES:
        raise ArchiveError(f"{where}: has a header of {size} bytes, allowed are {_MOST_HEADER_BYTES}")
    return _exactly(read, size + -size % _BLOCK, where)[:size]


def _records(block: bytes, where: str) -> dict[str, str]:
    """Return PAX records, each '<length> <key>=<value>' and a line's end; the length counts all of it."""
    found, at = {}, 0
    while at < len(block):
        digits = block[at : at + 8].split(b" ", 1)[0]
        length = int(digits) if digits.isdigit() else 0
        record = block[at : at + length]
        key, equals, value = record[len(digits) + 1 :].partition(b"=")
        if not equals or len(record) != length or not record.endswith(b"\n"):
            raise ArchiveError(f"{where}: is damaged (PAX records); fetch it again")
        found[key.decode("utf-8", "replace")] = value[:-1].decode("utf-8", "surrogateescape")
        at += length
    return found


def _size(text: str | None, told: int, where: str) -> int:
    size = told if text is None else int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if not 0 <= size <= _MOST_SIZE:
        raise ArchiveError(f"{where}: is damaged (a member's size is {text or told}); fetch it again")
    return size


def _chunks(read: Callable[[int], bytes], size: int, where: str) -> Iterator[bytes]:
    """Yield a member's bytes, then step over what fills its last block."""
    left = size
    while left:
        chunk = _exactly(read, min(left, _CHUNK_BYTES), where)
        left -= len(chunk)
        yield chunk
    _exactly(read, -size % _BLOCK, where)


def _exactly(read: Callable[[int], bytes], count: int, where: str) -> bytes:
    found = read(count)
    if len(found) < count:
        raise ArchiveError(f"{where}: ends in the middle; it may be truncated: fetch it again")
    return found
