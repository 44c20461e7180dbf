"""Archives of products, unpacked without trusting them: zip, tar and tar.gz.

Every name is checked (`members`); bytes are counted while they come, whatever headers tell; members land in a temporary
folder and are renamed into place when all of them are whole. Links, devices and encrypted members are refused; archives
in archives are files like any other. Memory holds a zip's directory of at most 100 000 entries and one chunk of data.
This module must not know what the files are used for.
"""

from __future__ import annotations

import glob
import gzip
import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from lunarsite.source.fetch.members import MOST_MEMBERS, ArchiveError, Names
from lunarsite.source.fetch.tars import walk

MOST_BYTES = 128 * 2**30
"""Unpacked bytes that an archive may hold."""
MOST_RATIO = 200
RATIO_BYTES = 10 * 2**20
"""More unpacked bytes than this may not have come from less than a two-hundredth of them."""
_CHUNK_BYTES = 2**20
_MOST_DIRECTORY_BYTES = 64 * 2**20
_SYNCED_ONE_BY_ONE = 1_000
"""So many files are flushed to disk one by one; of more, all of the disk is flushed once."""
_MOST_COMMENT_BYTES, _END_BYTES, _ZIP64_BYTES = 2**16, 22, 56 + 20
"""Of a zip's end: the comment behind its end record, the record, and the ZIP64 record and locator before it."""
_ENCRYPTED = 0x1 | 0x40 | 0x2000

# What a damaged archive makes the standard library raise. UnicodeDecodeError is a ValueError.
_BROKEN = zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, struct.error, NotImplementedError, ValueError


def unpack(
    archive: Path,
    content: Literal["zip", "tar"],
    patterns: Sequence[str],
    folder: Path,
    *,
    most_bytes: int = MOST_BYTES,
) -> tuple[Path, ...]:
    """Unpack the members of an archive that match a pattern.

    An archive that is refused leaves the folder as it was. Files of the same names are replaced. The new ones are
    read-only. If the disk fails while whole files are renamed into place, none of them stays: the folder then lacks
    those that had been replaced by then.

    Args:
        archive: A zip, tar or tar.gz file.
        content: Which of them; 'tar' may be compressed with gzip.
        patterns: Patterns (fnmatch, case counts, '*' crosses folders) of the members' names; each must match one.
        folder: Where the files go, within the folders that their names tell. It must exist.
        most_bytes: Bytes that the archive may unpack to.

    Returns:
        The files, sorted.

    Raises:
        ArchiveError: The archive is damaged, is a bomb, holds names that lead out of the folder, too many or too large
            members, wanted ones that are links, devices, encrypted or doubled; no member matches a pattern; or the disk
            is full.
    """
    names = Names(archive, patterns)
    with _workshop(archive, folder) as shop:
        try:
            if content == "zip":
                _unpack_zip(archive, names, shop, most_bytes)
            else:
                _unpack_tar(archive, names, shop, most_bytes)
            names.check_all_found()
            return _put_in_place(shop, folder, names.selected, archive)
        except ArchiveError:
            raise
        except _BROKEN as error:
            raise ArchiveError(f"{archive}: is damaged ({error or type(error).__name__}); fetch it again") from error
        except OSError as error:
            raise ArchiveError(f"{archive}: cannot be unpacked in {folder} ({error}); see to the disk") from error


@contextmanager
def _workshop(archive: Path, folder: Path) -> Iterator[Path]:
    """Yield an empty folder within the folder; those that a killed process left behind are removed first."""
    for stale in folder.glob(f".{glob.escape(archive.name)}.unpacking-*"):
        shutil.rmtree(stale)
    shop = folder / f".{archive.name}.unpacking-{os.getpid()}"
    shop.mkdir()
    try:
        yield shop
    finally:
        shutil.rmtree(shop)


class _Meter:
    """Counts unpacked bytes and refuses a bomb while it goes off."""

    def __init__(self, archive: Path, most_bytes: int) -> None:
        self._archive, self._most = archive, most_bytes
        self._total = 0

    def add(self, count: int) -> int:
        """Count bytes and return how many they are by now."""
        self._total += count
        if self._total > self._most:
            raise ArchiveError(f"{self._archive}: unpacks to more than {self._most} bytes; it may be a bomb")
        return self._total

    def check_ratio(self, unpacked: int, packed: int) -> None:
        """Refuse too many bytes that have come from too few."""
        if unpacked > RATIO_BYTES and unpacked > MOST_RATIO * packed:
            raise ArchiveError(
                f"{self._archive}: {unpacked} bytes come from {packed}, more than {MOST_RATIO} times as many; it may be"
                " a bomb"
            )


def _unpack_zip(archive: Path, names: Names, shop: Path, most_bytes: int) -> None:
    _check_directory(archive)
    meter = _Meter(archive, most_bytes)
    with zipfile.ZipFile(archive) as packed:
        wanted = list[tuple[zipfile.ZipInfo, PurePosixPath]]()
        for info in packed.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            # The standard library cuts names off at a zero byte; what is checked is what stands there.
            path = names.take(info.orig_filename, is_folder=info.orig_filename.endswith("/"))
            if path is not None:
                _check_zip_member(archive, info, kind)
                wanted.append((info, path))
        infos = [info for info, _ in wanted]
        _check_apart(archive, infos)
        for info in infos:
            meter.check_ratio(info.file_size, info.compress_size)
        declared = sum(info.file_size for info in infos)
        _Meter(archive, most_bytes).add(declared)
        _check_room(archive, shop, declared)
        for info, path in wanted:
            with packed.open(info) as source:
                chunks = _zip_chunks(source, info, meter)
                _write(shop / path, chunks, info.file_size, f"{archive}: member {info.orig_filename!r}")


def _zip_chunks(source: IO[bytes], info: zipfile.ZipInfo, meter: _Meter) -> Iterator[bytes]:
    done = 0
    while chunk := source.read(_CHUNK_BYTES):
        done += len(chunk)
        meter.add(len(chunk))
        meter.check_ratio(done, info.compress_size)
        yield chunk


def _check_zip_member(archive: Path, info: zipfile.ZipInfo, kind: int) -> None:
    what = f"{archive}: member {info.orig_filename[:120]!r}"
    if info.flag_bits & _ENCRYPTED:
        raise ArchiveError(f"{what} is encrypted, which is not read; unpack it by hand")
    if kind not in (0, stat.S_IFREG):
        raise ArchiveError(f"{what} is a {'link' if kind == stat.S_IFLNK else 'device'}, which is not unpacked")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Others may ask for gigabytes of memory.
        raise ArchiveError(f"{what} is packed by method {info.compress_type}, read are stored and deflated ones")


def _check_apart(archive: Path, infos: Sequence[zipfile.ZipInfo]) -> None:
    """Refuse members that share packed bytes: a small file would unpack to any size (Fifield 2019, WOOT)."""
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise ArchiveError(f"{archive}: member {info.orig_filename[:120]!r} lies in another one; it may be a bomb")
        end = info.header_offset + zipfile.sizeFileHeader + info.compress_size  # type: ignore[attr-defined]


def _check_directory(archive: Path) -> None:
    """Refuse a zip's directory that is too large before the standard library makes an object of each entry.

    Its end record is found as `zipfile` finds it; the directory lies straight before it (APPNOTE 6.3.10, 4.3). Where
    a ZIP64 locator stands before the end record, the ZIP64 record must stand right before that, and the locator must
    say so: versions of Python differ in where they look for another one.
    """
    with archive.open("rb") as file:
        size = file.seek(0, 2)
        first = max(0, size - _MOST_COMMENT_BYTES - _END_BYTES - _ZIP64_BYTES)
        file.seek(first)
        tail = file.read()
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or at + _END_BYTES > len(tail):
            raise ArchiveError(f"{archive}: is damaged (its directory of members is missing); fetch it again")
        length, end = struct.unpack_from("<I", tail, at + 12)[0], first + at
        if at >= 20 and tail[at - 20 : at - 16] == b"PK\x06\x07":
            told = struct.unpack_from("<Q", tail, at - 12)[0]
            end -= _ZIP64_BYTES
            if at < _ZIP64_BYTES or tail[at - _ZIP64_BYTES : at - 72] != b"PK\x06\x06" or told != end:
                raise ArchiveError(f"{archive}: is damaged (its ZIP64 record is not where it must be); fetch it again")
            length = struct.unpack_from("<Q", tail, at - 36)[0]
        if length > min(_MOST_DIRECTORY_BYTES, end):
            raise ArchiveError(f"{archive}: its directory claims {length} bytes, too many or more than there are")
        file.seek(end - length)
        if file.read(length).count(b"PK\x01\x02") > MOST_MEMBERS:
            raise ArchiveError(f"{archive}: holds more than {MOST_MEMBERS} members, which is not read")


def _unpack_tar(archive: Path, names: Names, shop: Path, most_bytes: int) -> None:
    meter = _Meter(archive, most_bytes)
    with archive.open("rb") as raw:
        is_gzip = raw.peek(2)[:2] == b"\x1f\x8b"
        with gzip.GzipFile(fileobj=raw, mode="rb") if is_gzip else raw as stream:

            def read(count: int) -> bytes:
                found = stream.read(count)
                total = meter.add(len(found))
                if is_gzip:
                    meter.check_ratio(total, raw.tell())
                return found

            for member in walk(read, str(archive)):
                path = names.take(member.name, is_folder=member.kind == "folder")
                if path is not None:
                    what = f"{archive}: member {member.name[:120]!r}"
                    if member.kind != "file":
                        raise ArchiveError(f"{what} is a {member.kind}, which is not unpacked")
                    _check_room(archive, shop, member.size)
                    _write(shop / path, member.chunks, member.size, what)
            while read(_CHUNK_BYTES):  # to the end, where gzip's checksum stands
                pass


def _check_room(archive: Path, shop: Path, needed: int) -> None:
    free = shutil.disk_usage(shop).free
    if needed > free:
        raise ArchiveError(f"{archive}: needs {needed} bytes, {shop.parent} has {free}; make room and try again")


def _write(target: Path, chunks: Iterable[bytes], size: int, what: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with target.open("xb") as file:
        for chunk in chunks:
            written += file.write(chunk)
    if written != size:
        raise ArchiveError(f"{what} holds {written} bytes, its header tells {size}; fetch the archive again")


def _put_in_place(shop: Path, folder: Path, names: Sequence[PurePosixPath], archive: Path) -> tuple[Path, ...]:
    """Flush whole files to disk and rename them into the folder; after an error of renaming none of them stays there.

    Older files are not kept for that: a folder never holds files of two archives, and unpacking again brings them all.
    """
    one_by_one = len(names) <= _SYNCED_ONE_BY_ONE
    for name in names:
        (shop / name).chmod(0o444)
        if one_by_one:
            _sync(shop / name)
    if not one_by_one:
        os.sync()
    root = folder.resolve()
    for name in names:
        place = folder / name
        if place.is_dir() or not place.parent.resolve().is_relative_to(root):
            raise ArchiveError(f"{archive}: {place} is a folder, or lies behind a link; remove it")
    done = list[Path]()
    try:
        for name in names:
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            (shop / name).replace(place)
            done.append(place)
    except OSError:
        for place in done:
            place.unlink()
        raise
    for parent in {place.parent for place in done} | {folder}:
        _sync(parent)
    return tuple(sorted(done))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
