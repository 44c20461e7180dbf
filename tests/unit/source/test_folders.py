"""The state of a folder: what changes it, and what does not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lunarsite.source import folders
from lunarsite.source.folders import state_of

TIME_NS = 1_700_000_000_123_456_789


def put(path: Path, content: bytes = b"abc", time_ns: int = TIME_NS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, ns=(time_ns, time_ns))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put(tmp_path / "set" / "a.png")
    put(tmp_path / "set" / "deep" / "er" / "b.png")
    return tmp_path / "set"


CHANGES: dict[str, Callable[[Path], object]] = {
    "one more": lambda folder: put(folder / "c.png"),
    "one less, deep down": lambda folder: (folder / "deep" / "er" / "b.png").unlink(),
    "longer, at its old time": lambda folder: put(folder / "deep" / "er" / "b.png", b"abcd"),
    "as long, written again": lambda folder: put(folder / "deep" / "er" / "b.png", b"xyz", TIME_NS + 1),
    "another name": lambda folder: (folder / "a.png").rename(folder / "b.png"),
    "moved": lambda folder: (folder / "a.png").rename(folder / "deep" / "a.png"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_changes_it(folder: Path, change: Callable[[Path], object]) -> None:
    before = state_of(folder)
    change(folder)
    assert state_of(folder) != before


def test_what_does_not(folder: Path, tmp_path: Path) -> None:
    before = state_of(folder)
    put(folder / ".hidden")
    put(folder / ".cache" / "a.png")
    (folder / "empty").mkdir()
    (folder / "gone.png").symlink_to(folder / "nowhere")
    assert state_of(folder) == before
    folder.rename(tmp_path / "elsewhere")
    assert state_of(tmp_path / "elsewhere") == before, "where it lies is a setting of its own"


def test_two_folders_are_not_one(folder: Path, tmp_path: Path) -> None:
    put(tmp_path / "other" / "c.png")
    other = tmp_path / "other"
    states = [
        state_of(*given) for given in ((folder, other), (other, folder), (folder,), (folder, None), (None, folder))
    ]
    assert len(set(states)) == len(states)
    assert state_of(tmp_path / "nowhere") == state_of(tmp_path / "no other")


def test_a_folder_of_the_whole_disk_does_not_take_for_ever(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST_FILES", 3)
    for number in range(20):
        put(folder / f"many{number}.png")
    assert len(list(folders._lines(folder))) == 4
    assert state_of(folder)
