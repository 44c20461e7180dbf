"""The part of a file: what survives, what is forgotten, and its checksums."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.source.fetch import part as module
from lunarsite.source.fetch.control import Control
from lunarsite.source.fetch.digests import Digests
from lunarsite.source.fetch.errors import StoppedError
from lunarsite.source.fetch.part import Note, Part

URL = "http://moon.example/file"


def note(**changes: object) -> Note:
    plain = {"url": URL, "etag": '"1"', "last_modified": None, "validator": '"1"', "length": 100, "boot": module.boot()}
    return Note.model_validate({**plain, **changes})


def left(target: Path, content: bytes, **changes: object) -> None:
    """Leave a part as a process does that ends."""
    part = Part(target, with_md5=False)
    part.start(note(**changes))
    part.write(content)
    part.sync()
    part.close()


def taken_up(target: Path, url: str = URL) -> int:
    part = Part(target, with_md5=False)
    try:
        return part.take_up(url, Control())
    finally:
        part.close()


def test_goes_on_with_the_checksums_of_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "file"
    left(target, b"a" * 60)
    part = Part(target, with_md5=True)
    assert part.take_up(URL, Control()) == 60
    assert part.resumed
    part.write(b"b" * 40)
    whole = b"a" * 60 + b"b" * 40
    assert part.digests.sha256 == hashlib.sha256(whole).hexdigest()
    assert part.digests.md5 == hashlib.md5(whole).hexdigest()
    part.place(target)
    part.close()
    assert target.read_bytes() == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


@pytest.mark.parametrize("changes", [{"validator": None}, {"length": None}, {"length": 59}, {"url": "http://other"}])
def test_is_of_no_use(changes: dict[str, object], tmp_path: Path) -> None:
    left(tmp_path / "file", b"a" * 60, **changes)
    assert taken_up(tmp_path / "file") == 0


def test_another_address_leaves_it_until_a_file_is_begun(tmp_path: Path) -> None:
    left(tmp_path / "file", b"a" * 60)
    assert taken_up(tmp_path / "file", "http://other") == 0
    assert taken_up(tmp_path / "file") == 60
    left(tmp_path / "file", b"b", url="http://other")
    assert taken_up(tmp_path / "file") == 0


def test_what_came_is_made_safe_while_more_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SYNC_BYTES", 10)
    part = Part(tmp_path / "file", with_md5=False)
    part.start(note())
    for _ in range(5):
        part.write(b"a" * 10)
        part._wait_for_sync()
    found = Note.model_validate_json(part.note_path.read_bytes())
    part.close()
    assert found.done == 50


def test_only_what_was_made_safe_counts_after_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = Part(tmp_path / "file", with_md5=False)
    part.start(note())
    part.write(b"a" * 30)
    part.sync()
    part.write(b"a" * 30)
    part.close()
    assert taken_up(tmp_path / "file") == 60
    monkeypatch.setattr(module, "boot", lambda: "another run of the system")
    assert taken_up(tmp_path / "file") == 30
    assert part.path.stat().st_size == 30


def test_a_system_without_a_name_for_its_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "boot", lambda: None)
    part = Part(tmp_path / "file", with_md5=False)
    part.start(note(boot=None))
    part.write(b"a" * 30)
    part.sync()
    part.write(b"a" * 30)
    part.close()
    assert taken_up(tmp_path / "file") == 30


@given(st.lists(st.binary(max_size=5_000), max_size=60), st.booleans())
def test_digests_are_those_of_the_bytes_in_their_order(blocks: list[bytes], with_md5: bool) -> None:
    digests = Digests(with_md5)
    for block in blocks:
        digests.update(block)
    digests.close()
    whole = b"".join(blocks)
    assert digests.sha256 == hashlib.sha256(whole).hexdigest()
    assert digests.md5 == (hashlib.md5(whole).hexdigest() if with_md5 else None)


def test_hashing_a_file_can_be_stopped(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a")
    control, digests = Control(), Digests(with_md5=False)
    control.stop()
    with pytest.raises(StoppedError):
        digests.update_file(tmp_path / "file", 1, control)
    digests.close()


def test_a_link_in_its_place_is_never_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"keep me")
    part = Part(tmp_path / "file", with_md5=False)
    part.path.symlink_to(precious)
    part.note_path.write_text(note(done=3).model_dump_json())
    assert part.take_up(URL, Control()) == 0
    with pytest.raises(OSError, match="symbolic links"):
        part._open()
    part.close()
    assert precious.read_bytes() == b"keep me"
