"""The lock file of first downloads: what came first is what counts, for every process and every later day."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.artefact import ArtefactError
from lunarsite.source.fetch import pins as module
from lunarsite.source.fetch.pins import Pin, Pins, read_pins

A, B = "a" * 64, "b" * 64
KEY = "dem/2023/heights.tif"


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "resources" / "checksums.lock"


def test_nothing_is_expected_of_the_first(lock: Path) -> None:
    assert Pins(lock).expected(KEY) is None
    assert not lock.parent.exists()


def test_what_came_first_is_expected_by_everyone(lock: Path) -> None:
    Pins(lock).pin(KEY, A, 7, "https://data.example/heights.tif")
    assert Pins(lock).expected(KEY) == Pin(sha256=A, bytes=7, url="https://data.example/heights.tif")
    assert Pins(lock).expected("dem/2023/other.tif") is None


def test_the_same_bytes_from_elsewhere_change_nothing(lock: Path) -> None:
    Pins(lock).pin(KEY, A, 7, "https://data.example/heights.tif")
    before, status = lock.read_bytes(), lock.stat()
    Pins(lock).pin(KEY, A, 7, "https://mirror.example/heights.tif")
    assert lock.read_bytes() == before
    assert lock.stat().st_ino == status.st_ino


@pytest.mark.parametrize(("sha256", "size"), [(B, 7), (A, 8)])
def test_other_bytes_are_refused_and_the_first_stay(lock: Path, sha256: str, size: int) -> None:
    pins = Pins(lock)
    pins.pin(KEY, A, 7, "")
    with pytest.raises(ArtefactError, match=r"has changed since the first download.*released it anew.*checksums\.lock"):
        pins.pin(KEY, sha256, size, "")
    assert pins.expected(KEY) == Pin(sha256=A, bytes=7, url="")


def test_a_line_removed_by_hand_is_forgotten_at_once(lock: Path) -> None:
    pins = Pins(lock)
    pins.pin(KEY, A, 7, "")
    pins.pin("dem/2023/z.tif", A, 7, "")
    lock.write_text("".join(line for line in lock.read_text().splitlines(keepends=True) if KEY not in line))
    assert pins.expected(KEY) is None
    pins.pin(KEY, B, 9, "")
    assert set(read_pins(lock)) == {KEY, "dem/2023/z.tif"}


def test_the_file_is_for_people_too(lock: Path) -> None:
    pins = Pins(lock)
    for name in ("b", "a", "ü"):
        pins.pin(f"dem/2023/{name}", A, 7, "")
    comment, *_, first, second, third = lock.read_text(encoding="utf-8").splitlines()
    assert comment.startswith("#")
    assert [json.loads(line)["key"][-1] for line in (first, second, third)] == ["a", "b", "ü"]
    # A comment or an empty line of a reader's own is left out of what is read, not refused.
    lock.write_text(lock.read_text(encoding="utf-8") + "\n# mine\n", encoding="utf-8")
    assert len(read_pins(lock)) == 3


LINE = json.dumps({"key": KEY, "sha256": A, "bytes": 7, "url": ""})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{LINE}\nno json", "line 2: is no pin"),
        (f"# head\n\n{LINE[:-1]}", "line 3: is no pin"),
        (f"{LINE}\n{LINE}", f"line 2: '{KEY}' stands there twice"),
        (LINE.replace(A, "A" * 64), "line 1: is no pin"),
        (LINE.replace("7", "-7"), "line 1: is no pin"),
        (LINE.replace("7", '"7"'), "line 1: is no pin"),
        (LINE.replace("}", ', "more": 1}'), "line 1: is no pin"),
        (LINE.replace(KEY, "dem/heights.tif"), "line 1: is no pin"),
        ("[" * 100_000, "line 1: is no pin"),
        ("null", "line 1: is no pin"),
    ],
)
def test_a_garbled_line_is_named(lock: Path, text: str, message: str) -> None:
    lock.parent.mkdir()
    lock.write_text(text)
    with pytest.raises(ArtefactError, match=message):
        Pins(lock).expected(KEY)
    with pytest.raises(ArtefactError, match=message):
        Pins(lock).pin("dem/2023/other.tif", A, 7, "")
    assert lock.read_text() == text


@pytest.mark.parametrize("content", [b"\xff\xfe", b" " * 1_100])
def test_what_is_no_text_or_too_long_is_refused(lock: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 1_000)
    lock.parent.mkdir()
    lock.write_bytes(content)
    with pytest.raises(ArtefactError, match=r"checksums\.lock"):
        read_pins(lock)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "resources").write_text("a file")
    with pytest.raises(ArtefactError, match=r"checksums\.lock: cannot be written"):
        Pins(tmp_path / "resources" / "checksums.lock").pin(KEY, A, 7, "")


def test_whoever_waits_too_long_is_told_for_whom(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_WAIT_S", 0.2)
    lock.parent.mkdir()
    with (
        FileLock(lock.with_name(".checksums.lock.guard")),
        pytest.raises(ArtefactError, match="another process has held"),
    ):
        Pins(lock).pin(KEY, A, 7, "")
    assert not lock.exists()


def test_threads_lose_nothing(lock: Path) -> None:
    pins = Pins(lock)
    threads = [threading.Thread(target=pins.pin, args=(f"dem/2023/{index}", A, 7, "")) for index in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_pins(lock)) == 24


def test_processes_lose_nothing(lock: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from lunarsite.source.fetch.pins import Pins\n"
        "for i in range(12): Pins(Path(sys.argv[1])).pin(f'dem/2023/{sys.argv[2]}-{i}', 'a' * 64, 7, '')"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, str(lock), str(number)]) for number in range(3)]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    assert len(read_pins(lock)) == 36
    assert sorted(path.name for path in lock.parent.iterdir()) == [".checksums.lock.guard", "checksums.lock"]


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f"{LINE}\n{text}".encode()))
def test_any_bytes_are_read_or_refused(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.lock"
    path.write_bytes(content)
    try:
        found = read_pins(path)
    except ArtefactError:
        return
    assert all(isinstance(pin, Pin) for pin in found.values())
