"""Kaggle's client: asked only where it is and has a token; what it brings is looked at before it is put in place."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest
import yaml

from lunarsite.artefact import download
from lunarsite.artefact.contracts.source import DOWNLOAD
from lunarsite.command import EXIT_ARTEFACT, EXIT_OK, main
from lunarsite.source.fetch import kaggle, kaggle_client
from lunarsite.source.fetch.control import Control
from lunarsite.source.fetch.errors import DiskError, FetchError, StoppedError

from .fetching import product_file, settings

DATA_SET = "somebody/rocks-of-the-moon"
NAME = "rocks-of-the-moon.zip"
TOKEN = {"KAGGLE_USERNAME": "me", "KAGGLE_KEY": "secret"}
WRITES = "open(folder / 'rocks-of-the-moon.zip', 'wb').write(PACKED)"
FILE = product_file(name=NAME, content="zip", bytes=1_000)


def packed() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("images/a.png", b"a picture")
    return stream.getvalue()


def client(place: Path, body: str) -> Path:
    """A client that writes down how it was called, and then does as it is told."""
    place.mkdir(exist_ok=True)
    path = place / "kaggle"
    head = f"import json, os, subprocess, sys, time; from pathlib import Path; PACKED = {packed()!r}"
    note = f"Path({str(place / 'calls')!r}).open('a').write(json.dumps(sys.argv[1:]) + '\\n')"
    path.write_text(f"#!{sys.executable}\n{head}\n{note}\nfolder = Path(sys.argv[-1])\n{body}\n")
    path.chmod(0o755)
    return path


def calls(place: Path) -> list[list[str]]:
    return [json.loads(line) for line in (place / "calls").read_text().splitlines()]


def fetch(tmp_path: Path, body: str, control: Control | None = None, **changes: float) -> Path:
    folder = tmp_path / "rocks"
    folder.mkdir(exist_ok=True)
    program = client(tmp_path / "bin", body)
    kaggle.fetch_set(str(program), DATA_SET, [FILE], folder, settings(tmp_path, **changes), control or Control())
    return folder


def left(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "rocks").iterdir() if path.suffix != ".lock")


def test_it_is_asked_only_where_it_is_and_has_a_token(tmp_path: Path) -> None:
    program = str(client(tmp_path / "bin", ""))
    (tmp_path / "home/.kaggle").mkdir(parents=True)
    here = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path / "home")}
    assert kaggle_client.client(here) is None
    assert kaggle_client.client({**here, "KAGGLE_USERNAME": "me"}) is None
    assert kaggle_client.client({**here, "KAGGLE_USERNAME": "me", "KAGGLE_KEY": ""}) is None
    assert kaggle_client.client({**here, **TOKEN}) == program
    assert kaggle_client.client({**here, **TOKEN, "PATH": str(tmp_path)}) is None
    (tmp_path / "home/.kaggle/kaggle.json").write_text("{}")
    assert kaggle_client.client(here) == program
    assert kaggle_client.client({**here, "KAGGLE_CONFIG_DIR": str(tmp_path)}) is None
    (tmp_path / "kaggle.json").write_text("{}")
    assert kaggle_client.client({**here, "HOME": str(tmp_path), "KAGGLE_CONFIG_DIR": str(tmp_path)}) == program


def test_what_it_brings_is_put_in_place(tmp_path: Path) -> None:
    folder = fetch(tmp_path, WRITES)
    assert (folder / NAME).read_bytes() == packed()
    assert left(tmp_path) == [NAME]
    (call,) = calls(tmp_path / "bin")
    assert call[:5] == ["datasets", "download", "-d", DATA_SET, "-p"]
    assert Path(call[5]).parent == folder  # on the same disk, so that a file is renamed into place whole
    fetch(tmp_path, WRITES)
    assert len(calls(tmp_path / "bin")) == 1


HARMS = {
    "it fails": (f"{WRITES}; sys.exit('403 - Forbidden\\x1b[31m')", "ended with 1: 403 - Forbidden [31m"),
    "it brings nothing": ("print('Warning: done')", f"there is no file {NAME}; there is nothing\nIt said: Warning"),
    "it brings another": ("(folder / 'b.zip').touch()", f"there is no file {NAME}; there is b.zip"),
    "a page": (f"(folder / {NAME!r}).write_text('<html><title>Sign in</title>' * 99)", "Sign in"),
    "a link": (f"(folder / {NAME!r}).symlink_to('/etc/passwd')", "there is no file"),
    "far too much": (f"(folder / {NAME!r}).open('wb').truncate(2**27); time.sleep(60)", "brings more than 64 MiB"),
    "it does not end": ("time.sleep(60)", "has brought nothing for 1 s"),
    "it cannot be ended softly": (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)",
        "has brought nothing for 1 s",
    ),
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_client_that_fails_leaves_nothing(tmp_path: Path, harm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kaggle, "_END_S", 0.5)
    body, told = HARMS[harm]
    began = time.monotonic()
    with pytest.raises(FetchError) as caught:
        fetch(tmp_path, body, read_timeout_s=0.1)
    assert told in str(caught.value)
    assert str(caught.value).isprintable() or "\n" in str(caught.value)
    assert left(tmp_path) == []
    assert time.monotonic() - began < 30.0


def test_what_it_has_started_is_ended_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kaggle, "_END_S", 0.5)
    note = tmp_path / "child"
    child = f"child = subprocess.Popen(['sleep', '60']); Path({str(note)!r}).write_text(str(child.pid)); time.sleep(60)"
    with pytest.raises(FetchError, match="has brought nothing"):
        fetch(tmp_path, child, read_timeout_s=0.2)
    state = Path("/proc", note.read_text(), "stat")
    end = time.monotonic() + 10.0
    while state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z" and time.monotonic() < end:
        time.sleep(0.05)
    assert time.monotonic() < end


def test_a_run_that_is_stopped_ends_it(tmp_path: Path) -> None:
    control = Control()
    threading.Timer(0.5, control.stop).start()
    began = time.monotonic()
    with pytest.raises(StoppedError):
        fetch(tmp_path, "time.sleep(60)", control)
    assert time.monotonic() - began < 20.0
    assert left(tmp_path) == []


def test_a_disk_without_room(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="GiB are free"):
        fetch(tmp_path, "time.sleep(60)", spare_disk_gib=10_000.0)


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "rocks/.kaggle-1/b").mkdir(parents=True)
    fetch(tmp_path, WRITES)
    assert left(tmp_path) == [NAME]


def test_a_client_that_cannot_be_started(tmp_path: Path) -> None:
    (tmp_path / "kaggle").write_text("#!/nowhere/at/all\n")
    (tmp_path / "kaggle").chmod(stat.S_IRWXU)
    with pytest.raises(FetchError, match="cannot be started"):
        kaggle.fetch_set(str(tmp_path / "kaggle"), DATA_SET, [FILE], tmp_path, settings(tmp_path), Control())


# The stage as a whole.


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A call of fetch-product for a data set of Kaggle, with a client on the PATH and a token."""
    client(tmp_path / "bin", WRITES)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KAGGLE_CONFIG_DIR", raising=False)
    for name, value in TOKEN.items():
        monkeypatch.setenv(name, value)
    entry = {
        **dict.fromkeys(("title", "publisher", "licence", "citation", "reader"), "made up"),
        "version": "1",
        "page": "http://page.example",
        "used_by": [],
        "access": "credentials",
        "kaggle": DATA_SET,
        "instructions": "Ask somebody.",
        "files": [{"name": NAME, "content": "zip", "unpack": ["*.png"]}],
    }
    (tmp_path / "products.yaml").write_text(yaml.safe_dump({"products": {"rocks": entry}}))
    return command(tmp_path)


def command(tmp_path: Path, **knobs: object) -> list[str]:
    fetch = {"folder": str(tmp_path / "data"), "attempts": 1, "spare_disk_gib": 0.001, **knobs}
    out = f"receipt={tmp_path / 'data/rocks/1/receipt.json'}"
    words = ["fetch-product", "--in", f"products={tmp_path / 'products.yaml'}", "--out", out, "--product", "rocks"]
    return [*words, "--settings", json.dumps({"fetch": fetch})]


def test_the_stage_unpacks_what_the_client_brings(tmp_path: Path, call: list[str]) -> None:
    assert main(call) == EXIT_OK
    files = download.files(tmp_path / "data/rocks/1/receipt.json", DOWNLOAD)
    assert list(files) == [NAME, "images/a.png"]
    assert files["images/a.png"].read_bytes() == b"a picture"
    assert main(call) == EXIT_OK
    assert len(calls(tmp_path / "bin")) == 1


@pytest.mark.parametrize("why", ["no token", "offline"])
def test_without_it_a_person_is_told_what_to_do(
    tmp_path: Path, call: list[str], why: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("KAGGLE_KEY") if why == "no token" else None
    assert main(command(tmp_path, offline=why == "offline")) == EXIT_ARTEFACT
    said = capsys.readouterr().err
    assert "Ask somebody." in said
    assert str(tmp_path / "data/rocks/1") in said
    assert not (tmp_path / "bin/calls").exists()


def test_the_token_is_never_shown(tmp_path: Path, call: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    client(tmp_path / "bin", "sys.exit('401 - Unauthorized')")
    assert main(call) == EXIT_ARTEFACT
    shown = capsys.readouterr()
    assert "401 - Unauthorized" in shown.err
    assert "secret" not in shown.err + shown.out
