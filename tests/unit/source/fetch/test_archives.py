"""Archives: what is whole is unpacked, what is hostile or damaged leaves nothing behind."""

from __future__ import annotations

import gzip
import io
import os
import stat
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.source.fetch import archives, members, tars
from lunarsite.source.fetch.archives import ArchiveError, unpack

Kind = Literal["zip", "tar"]
MIB = 2**20
NOISE = bytes((k * 7919 + (k >> 8) * 104729) % 251 for k in range(5_000))


def zipped(path: Path, *entries: tuple[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name), content, packing)
    return path


def tarred(path: Path, *entries: tuple[str, bytes], mode: str = "w:gz", layout: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, mode, format=layout) as archive:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


MAKERS: dict[str, tuple[Kind, Callable[..., Path]]] = {
    "zip": ("zip", zipped),
    "tar": ("tar", lambda path, *entries: tarred(path, *entries, mode="w")),
    "tar.gz": ("tar", tarred),
}


def refused(archive: Path, kind: Kind, told: str, patterns: Sequence[str] = ("*",), **limits: int) -> None:
    """The archive is refused for a reason, and the folder is as it was."""
    folder = archive.parent / "out"
    folder.mkdir()
    (folder / "old.txt").write_text("old")
    before = sorted(archive.parent.rglob("*"))
    with pytest.raises(ArchiveError) as caught:
        unpack(archive, kind, patterns, folder, **limits)
    assert told in str(caught.value)
    assert str(archive) in str(caught.value)
    assert sorted(archive.parent.rglob("*")) == before
    assert (folder / "old.txt").read_text() == "old"


@pytest.mark.parametrize("name", MAKERS)
def test_wanted_members_are_unpacked(tmp_path: Path, name: str) -> None:
    kind, make = MAKERS[name]
    wanted = ("x/b.shp", NOISE), ("a.shp", b""), ("./c.dbf", NOISE[:512])
    archive = make(tmp_path / "a.bin", *wanted, ("x/b.txt", b"no"), ("x/A.SHP", b""))
    found = unpack(archive, kind, ("*.shp", "c.*"), tmp_path)
    assert found == tuple(tmp_path / path for path in ("a.shp", "c.dbf", "x/b.shp"))
    assert [path.read_bytes() for path in found] == [b"", NOISE[:512], NOISE]
    assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o444}
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.bin", "a.shp", "b.shp", "c.dbf", "x"]


@pytest.mark.parametrize("name", MAKERS)
def test_unpacking_again_replaces(tmp_path: Path, name: str) -> None:
    kind, make = MAKERS[name]
    unpack(make(tmp_path / "a.bin", ("b.txt", b"old")), kind, ("*",), tmp_path)
    unpack(make(tmp_path / "a.bin", ("b.txt", b"new")), kind, ("*",), tmp_path)
    assert (tmp_path / "b.txt").read_bytes() == b"new"


@pytest.mark.parametrize("layout", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_in_tar(tmp_path: Path, layout: int) -> None:
    name = "folder/" * 5 + "ü" * 120 + ".txt"
    archive = tarred(tmp_path / "a.tar", (name, NOISE), ("short.txt", b"s"), layout=layout)
    assert [path.read_bytes() for path in unpack(archive, "tar", ("*",), tmp_path)] == [NOISE, b"s"]
    assert (tmp_path / name).is_file()


def test_a_size_in_a_pax_record_counts(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("a.txt")
        info.size, info.pax_headers = 5_000, {"size": "5000", "comment": "x" * 3_000}
        archive.addfile(info, io.BytesIO(NOISE))
    assert unpack(tmp_path / "a.tar", "tar", ("*",), tmp_path)[0].read_bytes() == NOISE


def test_thousands_of_files(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", *((f"map/{k:05}.jpg", b"%d" % k) for k in range(1_200)))
    found = unpack(archive, "zip", ("map/*.jpg",), tmp_path)
    assert [path.read_bytes() for path in found] == [b"%d" % k for k in range(1_200)]


def test_an_archive_within_is_a_file(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", ("../escape.txt", b"x")).read_bytes()
    found = unpack(zipped(tmp_path / "a.zip", ("b.zip", inner), packing=0), "zip", ("*",), tmp_path)
    assert found == (tmp_path / "b.zip",)
    assert found[0].read_bytes() == inner


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", ("b.txt", b"x"))
    (tmp_path / ".a.zip.unpacking-1/b").mkdir(parents=True)
    unpack(archive, "zip", ("*",), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "b.txt"]


NAMES = {
    "/etc/passwd": "is absolute",
    "//host/share": "is absolute",
    "C:/windows": "is absolute",
    "c:x.txt": "is absolute",
    "../x": "leads out of the folder",
    "a/../../x": "leads out of the folder",
    "a/..": "leads out of the folder",
    "..": "leads out of the folder",
    "a\\..\\x": "holds a backslash",
    "a\nb": "characters that cannot be printed",
    "a\u202etxt.exe": "characters that cannot be printed",
    "n" * 256: "is longer than 255 bytes",
    "ü" * 128: "is longer than 255 bytes",
    "/".join(["n" * 250] * 5): "is longer than",
    "d/" * 17 + "x": "too deep",
    "receipt.json": "is the archive's own, or the receipt's",
    "Receipt.JSON": "is the archive's own, or the receipt's",
    "A.BIN": "is the archive's own, or the receipt's",
}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("name", NAMES)
def test_names_that_lead_elsewhere(tmp_path: Path, name: str, kind: str) -> None:
    content, make = MAKERS[kind]
    refused(make(tmp_path / "a.bin", ("good.txt", b"g"), (name, b"x")), content, NAMES[name])


@pytest.mark.parametrize("kind", MAKERS)
def test_names_are_checked_though_nobody_wants_the_member(tmp_path: Path, kind: str) -> None:
    content, make = MAKERS[kind]
    refused(make(tmp_path / "a.bin", ("good.txt", b"g"), ("../x.bin", b"x")), content, "leads out", ("*.txt",))


def test_a_zero_byte_in_a_zip_name(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", ("good.txtX../x", b"x"))
    archive.write_bytes(archive.read_bytes().replace(b"good.txtX", b"good.txt\0"))
    refused(archive, "zip", "cannot be printed")


def test_an_undecodable_tar_name(tmp_path: Path) -> None:
    archive = tarred(tmp_path / "a.tar", ("good\udcff.txt", b"x"), mode="w", layout=tarfile.GNU_FORMAT)
    refused(archive, "tar", "cannot be printed")


PAIRS = {
    "twice": ("a.txt", "a.txt", "stands twice"),
    "by case": ("a.txt", "A.TXT", "stands twice"),
    "by folder's case": ("x/a.txt", "X/a.txt", "stands twice"),
    "by accent": ("\u00e9.txt", "e\u0301.txt", "stands twice"),
    "sharp s": ("straße", "STRASSE", "stands twice"),
    "dots": ("x/a.txt", "x/./a.txt", "stands twice"),
    "file, then folder": ("a", "A/b", "is a file's and a folder's"),
    "folder, then file": ("a/b/c", "a/B", "is a file's and a folder's"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("pair", PAIRS)
def test_names_that_are_one(tmp_path: Path, pair: str, kind: str) -> None:
    content, make = MAKERS[kind]
    first, second, told = PAIRS[pair]
    refused(make(tmp_path / "a.bin", (first, b"1"), (second, b"2")), content, told)


def special(path: Path, entry: bytes) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("good.txt"))
        info = tarfile.TarInfo("odd")
        info.type, info.linkname = entry, "/etc/passwd"
        archive.addfile(info)
    return path


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (tarfile.SYMTYPE, "is a link"),
        (tarfile.LNKTYPE, "is a link"),
        (tarfile.CHRTYPE, "is a device"),
        (tarfile.BLKTYPE, "is a device"),
        (tarfile.FIFOTYPE, "is a device"),
        (b"Z", "is of the unknown kind b'Z'"),
    ],
)
def test_links_and_devices_in_tar(tmp_path: Path, entry: bytes, told: str) -> None:
    refused(special(tmp_path / "a.tar", entry), "tar", told)


def test_a_link_that_nobody_wants_is_left_alone(tmp_path: Path) -> None:
    found = unpack(special(tmp_path / "a.tar", tarfile.SYMTYPE), "tar", ("*.txt",), tmp_path)
    assert found == (tmp_path / "good.txt",)
    assert not (tmp_path / "odd").exists()


@pytest.mark.parametrize(
    ("mode", "told"), [(stat.S_IFLNK, "is a link"), (stat.S_IFCHR, "is a device"), (stat.S_IFIFO, "is a device")]
)
def test_links_and_devices_in_zip(tmp_path: Path, mode: int, told: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("odd")
        info.external_attr = (mode | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    refused(tmp_path / "a.zip", "zip", told)


@pytest.mark.parametrize("fields", [{"GNU.sparse.map": "0,1"}, {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}])
def test_sparse_members(tmp_path: Path, fields: dict[str, str]) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("a.txt")
        info.pax_headers = fields
        archive.addfile(info)
    refused(tmp_path / "a.tar", "tar", "is a sparse file")


def patched(path: Path, offset: int, value: bytes, signature: bytes) -> Path:
    """Change a field of a zip's first header of a kind."""
    content = bytearray(path.read_bytes())
    at = content.index(signature) + offset
    content[at : at + len(value)] = value
    path.write_bytes(content)
    return path


CENTRAL, LOCAL, END = b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"


def test_an_encrypted_member(tmp_path: Path) -> None:
    archive = patched(zipped(tmp_path / "a.zip", ("a.txt", NOISE)), 8, b"\x01\x00", CENTRAL)
    refused(archive, "zip", "is encrypted")


@pytest.mark.parametrize("packing", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_packing_that_may_ask_for_any_memory(tmp_path: Path, packing: int) -> None:
    refused(zipped(tmp_path / "a.zip", ("a.txt", NOISE), packing=packing), "zip", "read are stored and deflated")


@pytest.mark.parametrize("size", [1_000, 9_000, 2**31])
def test_a_zip_header_that_lies_about_the_size(tmp_path: Path, size: int) -> None:
    archive = patched(zipped(tmp_path / "a.zip", ("a.txt", NOISE), packing=0), 24, struct.pack("<I", size), CENTRAL)
    refused(archive, "zip", "bomb" if size > MIB else "")


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_changed_byte_in_zip(tmp_path: Path, packing: int) -> None:
    archive = zipped(tmp_path / "a.zip", ("a.txt", NOISE), packing=packing)
    content = bytearray(archive.read_bytes())
    content[200] ^= 0x10
    archive.write_bytes(content)
    refused(archive, "zip", "is damaged")


def test_a_changed_byte_in_gzip(tmp_path: Path) -> None:
    content = tarred(tmp_path / "plain", ("a.txt", NOISE), mode="w").read_bytes()
    packed = bytearray(gzip.compress(content))
    packed[-6] ^= 0x10  # of the checksum, which stands behind all members
    (tmp_path / "plain").unlink()
    (tmp_path / "a.tar").write_bytes(packed)
    refused(tmp_path / "a.tar", "tar", "is damaged (CRC check failed")


def test_local_and_central_names_that_differ(tmp_path: Path) -> None:
    archive = patched(zipped(tmp_path / "a.zip", ("a.txt", NOISE)), 30, b"b.txt", LOCAL)
    refused(archive, "zip", "is damaged")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.8])
@pytest.mark.parametrize("kind", MAKERS)
def test_a_truncated_archive(tmp_path: Path, kind: str, share: float) -> None:
    content, make = MAKERS[kind]
    archive = make(tmp_path / "a.bin", *((f"{k}.txt", os.urandom(3_000)) for k in range(10)))
    with archive.open("rb+") as file:
        file.truncate(int(share * archive.stat().st_size))
    refused(archive, content, "")


@pytest.mark.parametrize("blocks", [0, 2, 4])
def test_a_tar_cut_between_members(tmp_path: Path, blocks: int) -> None:
    archive = tarred(tmp_path / "a.tar", ("a.txt", b"1"), ("b.txt", b"2"), mode="w", layout=tarfile.USTAR_FORMAT)
    with archive.open("rb+") as file:
        file.truncate(512 * blocks)
    refused(archive, "tar", "ends in the middle")


def header(name: str, size: int, kind: bytes = b"0") -> bytes:
    """A ustar header with any size, a negative one too."""
    info = tarfile.TarInfo(name)
    info.type = kind
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[124:136] = tarfile.itn(size, 12, tarfile.GNU_FORMAT)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (header("a.txt", -512), "a member's size is -512"),
        (header("a.txt", 2**70), "a member's size is"),
        (header("a.txt", 2**50), "bytes"),
        (header("a.txt", 100), "ends in the middle"),
        (header("x", 2**40, tarfile.GNUTYPE_LONGNAME), "has a header of 1099511627776 bytes"),
        (header("x", 2**30, tarfile.XHDTYPE), "has a header of 1073741824 bytes"),
        (header("x", -512, tarfile.XGLTYPE), "has a header of -512 bytes"),
        (header("x", 0, tarfile.XGLTYPE) * 2_000, "more than 8 headers"),
        (header("x", 60_000, tarfile.XHDTYPE) + b"1" * 60_416, "PAX records"),
        (header("x", 512, tarfile.XHDTYPE) + b"0 size=1\n".ljust(512, b"\0"), "PAX records"),
        (header("x", 12, tarfile.XHDTYPE) + b"12 size=-10\n".ljust(512, b"\0") + header("a", 0), "size is -10"),
        (header("a.txt", 0)[:-1] + b"x", "is damaged (bad checksum)"),
        (header("a.txt", 0) + b"x" * 512, "is damaged (invalid header)"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_hostile_tar_headers(tmp_path: Path, content: bytes, told: str, packed: bool) -> None:
    (tmp_path / "a.tar").write_bytes(gzip.compress(content) if packed else content)
    refused(tmp_path / "a.tar", "tar", told)


def test_headers_before_a_member_that_nobody_needs(tmp_path: Path) -> None:
    block = header("x", 6, tarfile.XGLTYPE) + b"6 a=b\n".ljust(512, b"\0") + header("x", 9, tarfile.GNUTYPE_LONGLINK)
    (tmp_path / "a.tar").write_bytes(block + b"elsewhere".ljust(512, b"\0") + header("a.txt", 0) + bytes(1_024))
    assert unpack(tmp_path / "a.tar", "tar", ("*",), tmp_path) == (tmp_path / "a.txt",)


def test_zip_and_gzip_bombs(tmp_path: Path) -> None:
    for name, make in (("z", zipped), ("t", tarred)):
        place = tmp_path / name
        place.mkdir()
        refused(make(place / "a.bin", ("a.txt", bytes(11 * MIB))), "zip" if name == "z" else "tar", "may be a bomb")


def test_a_bomb_behind_the_end_mark(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(gzip.compress(header("a.txt", 0) + bytes(20 * MIB)))
    refused(tmp_path / "a.tar", "tar", "may be a bomb")


def test_a_bomb_in_a_member_that_nobody_wants(tmp_path: Path) -> None:
    archive = tarred(tmp_path / "a.tar", ("big.bin", bytes(20 * MIB)), ("a.txt", b"x"))
    refused(archive, "tar", "may be a bomb", ("a.txt",))


@pytest.mark.parametrize("kind", MAKERS)
def test_more_bytes_than_allowed(tmp_path: Path, kind: str) -> None:
    content, make = MAKERS[kind]
    archive = make(tmp_path / "a.bin", ("a.txt", NOISE), ("b.txt", NOISE))
    refused(archive, content, "unpacks to more than 9999 bytes", most_bytes=9_999)


def test_small_files_may_be_packed_well(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", ("a.txt", bytes(9 * MIB)))
    assert unpack(archive, "zip", ("*",), tmp_path)[0].stat().st_size == 9 * MIB


def test_members_that_share_their_bytes(tmp_path: Path) -> None:
    """A quoted overlap: the first member's data are the second one's header and data."""
    inner = zipped(tmp_path / "inner", ("b.txt", NOISE), packing=0).read_bytes()
    end = inner.index(CENTRAL)
    local = inner[:end]
    name = b"a.txt"
    crc = zlib.crc32(local)
    quote = LOCAL + struct.pack("<5H3I2H", 20, 0, 0, 0, 0, crc, end, end, 5, 0) + name
    second = bytearray(inner[end : inner.index(END)])
    second[42:46] = struct.pack("<I", len(quote))
    first = CENTRAL + struct.pack("<6H3I5H2I", 20, 20, 0, 0, 0, 0, crc, end, end, 5, 0, 0, 0, 0, 0, 0) + name
    directory = first + bytes(second)
    tail = END + struct.pack("<4H2IH", 0, 0, 2, 2, len(directory), len(quote) + end, 0)
    (tmp_path / "inner").unlink()
    (tmp_path / "a.zip").write_bytes(quote + local + directory + tail)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:  # the file is well-formed but for that
        assert archive.namelist() == ["a.txt", "b.txt"]
        assert archive.read("b.txt") == NOISE
    refused(tmp_path / "a.zip", "zip", "lies in another one")


@pytest.mark.parametrize("kind", MAKERS)
def test_too_many_members(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "MOST_MEMBERS", 20)
    monkeypatch.setattr(archives, "MOST_MEMBERS", 20)
    content, make = MAKERS[kind]
    refused(make(tmp_path / "a.bin", *((f"{k}.bin", b"") for k in range(21))), content, "more than 20 members", ("x",))


def zip64(count: int, comment_bytes: int, gap: bytes = b"", shift: int = 0) -> bytes:
    """A zip of `count` names for one member; the ZIP64 record has the directory's length, the end record claims 46."""
    local = LOCAL + struct.pack("<5H3I2H", 20, 0, 0, 0, 0, 0, 1, 1, 5, 0) + b"a.txtx"
    entry = struct.pack("<6H3I5H2I", 20, 20, 0, 0, 0, 0, zlib.crc32(b"x"), 1, 1, 7, 0, 0, 0, 0, 0, 0)
    directory = b"".join(CENTRAL + entry + b"%07d" % k for k in range(count))
    at = len(local) + len(directory)
    record = b"PK\x06\x06" + struct.pack("<Q2H2I4Q", 44, 45, 45, 0, 0, count, count, len(directory), len(local))
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, at + shift, 1)
    end = END + struct.pack("<4H2IH", 0, 0, 2**16 - 1, 2**16 - 1, 46, len(local), comment_bytes) + bytes(comment_bytes)
    return local + directory + record + gap + locator + end


@pytest.mark.parametrize("comment_bytes", [0, 1, 60_000, 2**16 - 78, *range(2**16 - 22, 2**16, 7), 2**16 - 1])
def test_too_many_members_behind_a_zip64_record(
    tmp_path: Path, comment_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 20)
    (tmp_path / "a.zip").write_bytes(zip64(21, comment_bytes))
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:  # which reads them all
        assert len(archive.infolist()) == 21
    # Told by the look at the directory, which comes before the standard library makes an object of each.
    refused(tmp_path / "a.zip", "zip", "holds more than 20 members", ("x",))


@pytest.mark.parametrize("comment_bytes", [0, 2**16 - 1])
def test_a_zip64_record_elsewhere(tmp_path: Path, comment_bytes: int) -> None:
    for name, content in {
        "gap": zip64(3, comment_bytes, gap=b"extensible data"),
        "locator": zip64(3, comment_bytes, shift=-1),
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.zip").write_bytes(content)
        refused(tmp_path / name / "a.zip", "zip", "its ZIP64 record is not where it must be")


def test_a_sound_zip64_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", NOISE)
    content = (tmp_path / "a.zip").read_bytes()
    at = content.index(END)
    length, offset = struct.unpack_from("<2I", content, at + 12)
    record = b"PK\x06\x06" + struct.pack("<Q2H2I4Q", 44, 45, 45, 0, 0, 1, 1, length, offset)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, at, 1)
    end = END + struct.pack("<4H2IH", 0, 0, 2**16 - 1, 2**16 - 1, 2**32 - 1, 2**32 - 1, 0)
    (tmp_path / "a.zip").write_bytes(content[:at] + record + locator + end)
    assert unpack(tmp_path / "a.zip", "zip", ("*",), tmp_path)[0].read_bytes() == NOISE


def test_a_directory_that_claims_more_than_there_is(tmp_path: Path) -> None:
    archive = patched(zipped(tmp_path / "a.zip", ("a.txt", b"x")), 12, struct.pack("<I", 2**31), END)
    refused(archive, "zip", "its directory claims 2147483648 bytes")


@pytest.mark.parametrize("kind", MAKERS)
def test_a_pattern_that_nothing_matches(tmp_path: Path, kind: str) -> None:
    content, make = MAKERS[kind]
    archive = make(tmp_path / "a.bin", ("x/a.txt", b"x"), ("b.txt", b""))
    refused(archive, content, "none of its 2 members matches '*.csv'; it holds x/a.txt, b.txt:", ("*.txt", "*.csv"))


@pytest.mark.parametrize("kind", MAKERS)
def test_an_empty_archive(tmp_path: Path, kind: str) -> None:
    content, make = MAKERS[kind]
    refused(make(tmp_path / "a.bin"), content, "it holds nothing")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_what_is_no_archive(tmp_path: Path, kind: Kind) -> None:
    (tmp_path / "a.bin").write_bytes(b"<html>not found</html>" * 100)
    refused(tmp_path / "a.bin", kind, "is damaged")


def test_a_folder_or_link_in_the_way(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", ("b.txt", b"new"), ("x/y.txt", b"new"))
    out = tmp_path / "out"
    (out / "x/y.txt").mkdir(parents=True)
    with pytest.raises(ArchiveError, match="is a folder, or lies behind a link"):
        unpack(archive, "zip", ("*",), out)
    assert [path.name for path in out.iterdir()] == ["x"]
    (out / "x/y.txt").rmdir()
    (out / "x").rmdir()
    (tmp_path / "elsewhere").mkdir()
    (out / "x").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArchiveError, match="is a folder, or lies behind a link"):
        unpack(archive, "zip", ("*",), out)
    assert not list((tmp_path / "elsewhere").iterdir())
    assert not (out / "b.txt").exists()


def test_a_link_in_a_files_place_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "b.txt").symlink_to(tmp_path / "mine.txt")
    unpack(zipped(tmp_path / "a.zip", ("b.txt", b"new")), "zip", ("*",), tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert not (tmp_path / "b.txt").is_symlink()


@pytest.mark.parametrize("kind", MAKERS)
def test_a_full_disk(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content, make = MAKERS[kind]
    archive = make(tmp_path / "a.bin", ("a.txt", NOISE))
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 4_999}))
    refused(archive, content, "needs 5000 bytes")


def test_a_disk_that_fills_meanwhile(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", ("a.txt", os.urandom(MIB)))
    code = (
        "import resource, signal, sys; from pathlib import Path;"
        "from lunarsite.source.fetch.archives import unpack;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000));"
        "unpack(Path(sys.argv[1]), 'zip', ['*'], Path(sys.argv[1]).parent)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(archive)], capture_output=True, text=True, check=False)
    assert "cannot be unpacked" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_disk_that_fails_while_files_are_put_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("old")
    (tmp_path / "c.txt").write_text("old")
    archive = zipped(tmp_path / "a.zip", *((f"{name}.txt", b"new") for name in "abc"))
    replace = Path.replace

    def failing(source: Path, target: Path) -> Path:
        if target.name == "b.txt":
            raise OSError(5, "Input/output error")
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(ArchiveError, match="cannot be unpacked"):
        unpack(archive, "zip", ("*",), tmp_path)
    # Nothing of the new archive stays, and what it had replaced is gone.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "c.txt"]
    assert (tmp_path / "c.txt").read_text() == "old"


PEAK = """
import resource, sys, time
from pathlib import Path
from lunarsite.source.fetch.archives import unpack
from lunarsite.source.fetch.members import ArchiveError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    unpack(Path(sys.argv[1]), sys.argv[2], ["*"], Path(sys.argv[1]).parent)
except ArchiveError as error:
    print(error, file=sys.stderr)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def peak_mib(archive: Path, kind: str) -> float:
    """Memory that unpacking takes beyond what the process had before."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(archive), kind], capture_output=True, text=True, check=True, timeout=60
    )
    return float(done.stdout)


@pytest.mark.parametrize("kind", MAKERS)
def test_memory_does_not_grow_with_the_members(tmp_path: Path, kind: str) -> None:
    content, make = MAKERS[kind]
    archive = make(tmp_path / "a.bin", ("a.txt", os.urandom(MIB) * 100))
    assert peak_mib(archive, content) < 20
    assert (tmp_path / "a.txt").stat().st_size == 100 * MIB


def test_memory_and_time_of_hostile_archives(tmp_path: Path) -> None:
    # A directory of a million entries, and headers that claim gigabytes.
    entry = CENTRAL + struct.pack("<6H3I5H2I", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    count = 1_000_000
    tail = END + struct.pack("<4H2IH", 0, 0, 1, 1, count * len(entry), 0, 0)
    (tmp_path / "a.zip").write_bytes(entry * count + tail)
    (tmp_path / "b.tar").write_bytes(gzip.compress(header("x", 2**33, tarfile.GNUTYPE_LONGNAME) + bytes(100 * MIB)))
    (tmp_path / "c.tar").write_bytes((header("x", 60_000, tarfile.XHDTYPE) + b"1" * 60_416) * 100)
    began = time.monotonic()
    assert peak_mib(tmp_path / "a.zip", "zip") < 150
    assert peak_mib(tmp_path / "b.tar", "tar") < 20
    assert peak_mib(tmp_path / "c.tar", "tar") < 20
    assert time.monotonic() - began < 20.0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "b.tar", "c.tar"]


NAME = st.text(st.sampled_from("ab./\\C:\0\n"), max_size=8) | st.text(max_size=6)


@given(st.lists(st.tuples(NAME, st.binary(max_size=40)), max_size=4))
def test_nothing_is_written_outside(tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, bytes]]) -> None:
    place = tmp_path_factory.mktemp("any")
    folder = place / "folder/out"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(place / "a.zip", "w") as archive:
        for k, (name, content) in enumerate(entries):
            info = zipfile.ZipInfo(f"{k}")
            info.filename = info.orig_filename = name
            try:
                archive.writestr(info, content)
            except (UnicodeEncodeError, UserWarning):
                return
    try:
        found = unpack(place / "a.zip", "zip", ("*",), folder)
    except ArchiveError:
        found = ()
    files = {path for path in place.rglob("*") if path.is_file()}
    assert files == {place / "a.zip", *found}
    assert all(path.is_relative_to(folder) for path in found)


@given(st.binary(min_size=1, max_size=1_500), st.integers(0, 3))
def test_random_tars_raise_nothing_else(content: bytes, blocks: int) -> None:
    good = header("a.txt", 600) + NOISE[:1024] + header("x", 20, tarfile.XHDTYPE) + b"20 path=abcdefghij\n".ljust(512)
    stream = io.BytesIO(good[: 512 * blocks] + content)
    try:
        for member in tars.walk(stream.read, "a.tar"):
            assert sum(map(len, member.chunks)) == member.size
    except ArchiveError as error:
        assert str(error).startswith("a.tar")  # noqa: PT017
