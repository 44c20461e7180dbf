"""Downloads that are killed, stopped, raced for, or run out of disk."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lunarsite.source.fetch.control import Control
from lunarsite.source.fetch.errors import DiskError, StoppedError

from .badserver import Answer, BadServer
from .case import BODY
from .fetching import SHA256, fetch, leftovers, serving

ROOT = Path(__file__).parents[4]
FETCH = """
import json, sys
from pathlib import Path
from tests.unit.source.fetch.fetching import fetch
fetched = fetch(Path(sys.argv[1]), [sys.argv[2]])
print(json.dumps([fetched.sha256, fetched.bytes]))
"""
FILL = """
import json, sys
from pathlib import Path
from lunarsite.source.fetch.control import Control
from lunarsite.source.fetch.errors import DiskError
from lunarsite.source.fetch.file import fetch_file
from lunarsite.source.fetch.progress import Progress
from tests.unit.source.fetch.fetching import leftovers, product_file, settings

folder, url = Path(sys.argv[1]), sys.argv[2]
filler = folder / "filler"


class Filling:
    '''Fills the disk once 200 kB have come.'''

    def __init__(self):
        self.done = 0

    def begin(self, done, total):
        pass

    def advance(self, count):
        self.done += count
        if self.done > 200_000 and not filler.exists():
            with filler.open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(bytes(4096))
                except OSError:
                    pass


def once():
    knobs = settings(folder, spare_disk_gib=0.0)
    return fetch_file(product_file(), folder / "file.img", [url], knobs, Filling(), control=Control())


try:
    once()
except DiskError as error:
    told = str(error)
left = leftovers(folder)
filler.unlink()
filler.mkdir()
print(json.dumps([told, left, once().sha256]))
"""


@pytest.fixture
def server() -> Iterator[BadServer]:
    with BadServer().running() as running:
        yield running


def started(script: str, *arguments: str, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    command = [*before, sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60.0
    while not holds():
        assert time.monotonic() < end, "did not come to pass within a minute"
        time.sleep(0.01)


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def test_kill_and_resume(server: BadServer, tmp_path: Path) -> None:
    server.script["/file.img"] = [Answer(stall=70_000), Answer()]
    url = serving(server)
    process = started(FETCH, str(tmp_path), url)
    wait_until(lambda: size(tmp_path / "file.img.part") == 70_000)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert leftovers(tmp_path) == ["file.img.part", "file.img.part.json"]
    assert fetch(tmp_path, [url]).sha256 == SHA256
    assert server.starts("/file.img") == [None, 70_000]
    assert leftovers(tmp_path) == ["file.img"]


def test_two_processes(server: BadServer, tmp_path: Path) -> None:
    server.script["/file.img"] = [Answer(drip=(20_000, 0.05)), Answer(status=500, body=b"")]
    url = serving(server)
    processes = [started(FETCH, str(tmp_path), url) for _ in range(2)]
    for process in processes:
        out, err = process.communicate(timeout=60.0)
        assert process.returncode == 0, err
        assert json.loads(out) == [SHA256, len(BODY)]
    assert server.starts("/file.img") == [None]
    assert leftovers(tmp_path) == ["file.img"]


def test_stopping_wakes_a_transfer_that_waits_for_bytes(server: BadServer, tmp_path: Path) -> None:
    server.script["/file.img"] = [Answer(stall=70_000), Answer()]
    url, control, said = serving(server), Control(), list[BaseException]()

    def run() -> None:
        try:
            fetch(tmp_path, [url], control, read_timeout_s=60.0)
        except StoppedError as error:
            said.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: size(tmp_path / "file.img.part") == 70_000)
    start = time.monotonic()
    control.stop()
    thread.join()
    assert time.monotonic() - start < 5.0
    assert [str(error) for error in said] == ["stopped; what has come so far is kept and will be resumed"]
    assert fetch(tmp_path, [url]).sha256 == SHA256
    assert server.starts("/file.img") == [None, 70_000]


@pytest.mark.parametrize("asked", [1, 300])
def test_stopping_ends_a_wait_for_the_next_try(asked: int, server: BadServer, tmp_path: Path) -> None:
    server.script["/file.img"] = [Answer(status=503, headers={"Retry-After": str(asked + 300)}, body=b"")]
    control = Control()
    timer = threading.Timer(0.2, control.stop)
    timer.start()
    with pytest.raises(StoppedError):
        fetch(tmp_path, [serving(server)], control)
    timer.join()
    assert len(server.requests) == 1


def test_a_full_disk(server: BadServer, tmp_path: Path) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("unshare gives the test a file system of its own, and is not installed")
    body = BODY * 3
    url = serving(server, body)
    server.script["/file.img"] = [Answer(drip=(50_000, 0.01))]
    mount = 'mount -t tmpfs -o size=1m none "$0" && exec "$@"'
    before = ("unshare", "--map-root-user", "--mount", "sh", "-c", mount, str(tmp_path))
    process = started(FILL, str(tmp_path), url, before=before)
    out, err = process.communicate(timeout=60.0)
    if process.returncode != 0 and ("unshare:" in err or "mount:" in err):
        pytest.skip(f"no file system of its own can be mounted here: {err.strip()}")
    assert process.returncode == 0, err
    told, left, sha256 = json.loads(out)
    assert "the disk is full" in told
    assert left == ["file.img.part", "file.img.part.json", "filler"]
    begun = server.starts("/file.img")
    assert begun[0] is None
    assert len(begun) == 2
    assert (begun[1] or 0) >= 200_000
    assert sha256 == hashlib.sha256(body).hexdigest()


def test_a_full_disk_without_a_file_system_of_its_own(
    server: BadServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = os.write, [0]

    def full(descriptor: int, block: bytes) -> int:
        if written[0] >= 70_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        written[0] += (count := write(descriptor, block[:30_000]))
        return count

    url = serving(server)
    monkeypatch.setattr("lunarsite.source.fetch.part.os.write", full)
    with pytest.raises(DiskError, match=r"file.img: the disk is full.*kept in file.img.part"):
        fetch(tmp_path, [url])
    monkeypatch.undo()
    assert leftovers(tmp_path) == ["file.img.part", "file.img.part.json"]
    assert fetch(tmp_path, [url]).sha256 == SHA256
    begun = server.starts("/file.img")
    assert len(begun) == 2
    assert (begun[1] or 0) >= 70_000
    assert leftovers(tmp_path) == ["file.img"]
