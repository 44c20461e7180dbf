"""Fetching a product by its stage: the receipt, the folder, what a person is told who must get it by hand."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from lunarsite.artefact import download
from lunarsite.artefact.contracts import DOWNLOAD
from lunarsite.command import EXIT_ARTEFACT, EXIT_OK, EXIT_TERMINATED, EXIT_USAGE, main
from lunarsite.source.fetch.pins import read_pins
from tests.unit.source.fetch.badserver import Answer, BadServer
from tests.unit.source.fetch.case import BODY, OTHER

ROOT = Path(__file__).parents[2]
FIRST, SECOND = BODY, OTHER


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BadServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with BadServer().running() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "resources"


def file(server: BadServer, name: str, content: str = "pds3-image", body: bytes = FIRST, **more: Any) -> dict[str, Any]:
    """An entry of the table, whose file the server has."""
    server.files[f"/data/{quote(name)}"] = body
    return {"name": name, "content": content, "urls": [f"{server.url}/data/{quote(name)}"], **more}


def product(*files: dict[str, Any], **more: Any) -> dict[str, Any]:
    words = dict.fromkeys(("title", "publisher", "licence", "citation", "reader"), "made up")
    return {
        **words,
        "version": "1.0",
        "page": "http://page.example",
        "used_by": ["nothing"],
        "files": list(files),
        **more,
    }


def arguments(folder: Path, entry: dict[str, Any], **knobs: Any) -> list[str]:
    table = folder.parent / "products.yaml"
    table.write_text(yaml.safe_dump({"products": {"moon": entry}}), encoding="utf-8")
    receipt = folder / "moon" / "1.0" / "receipt.json"
    quick = {"folder": str(folder), "attempts": 1, "spare_disk_gib": 0.001, **knobs}
    call = ["fetch-product", "--in", f"products={table}", "--out", f"receipt={receipt}", "--product", "moon"]
    return [*call, "--settings", json.dumps({"fetch": quick})]


def receipt(folder: Path) -> download.Receipt:
    return download.read(folder / "moon" / "1.0" / "receipt.json", DOWNLOAD)[0]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_fetches_all_files_and_writes_their_receipt(server: BadServer, folder: Path) -> None:
    entry = product(
        file(server, "one.img", sha256=sha256(FIRST), bytes=len(FIRST), size_is="published"),
        file(server, "deep/two.img", body=SECOND),
    )
    assert main(arguments(folder, entry)) == EXIT_OK
    found, stamp = download.read(folder / "moon" / "1.0" / "receipt.json", DOWNLOAD)
    assert stamp.origin == "published"
    assert (found.product, found.version, found.licence) == ("moon", "1.0", "made up")
    assert [(one.name, one.sha256, one.checked) for one in found.files] == [
        ("one.img", sha256(FIRST), "sha256 of the publisher"),
        ("deep/two.img", sha256(SECOND), "first download"),
    ]
    assert [one.url for one in found.files] == [f"{server.url}/data/one.img", f"{server.url}/data/deep/two.img"]
    paths = download.files(folder / "moon" / "1.0" / "receipt.json", DOWNLOAD)
    assert paths["deep/two.img"].read_bytes() == SECOND
    assert sorted(read_pins(folder / "checksums.lock")) == ["moon/1.0/deep/two.img", "moon/1.0/one.img"]


def test_a_second_start_asks_for_nothing_and_writes_the_same_receipt(server: BadServer, folder: Path) -> None:
    call = arguments(folder, product(file(server, "one.img"), file(server, "two.img", body=SECOND)))
    assert main(call) == EXIT_OK
    text = (folder / "moon" / "1.0" / "receipt.json").read_bytes()
    before = len(server.requests)
    assert main(call) == EXIT_OK
    assert len(server.requests) == before
    assert (folder / "moon" / "1.0" / "receipt.json").read_bytes() == text


def test_a_file_that_changed_since_the_first_download(
    server: BadServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = arguments(folder, product(file(server, "one.img")))
    assert main(call) == EXIT_OK
    (folder / "moon" / "1.0" / "one.img").unlink()
    server.files["/data/one.img"] = SECOND
    assert main(call) == EXIT_ARTEFACT
    assert "has changed since the first download" in capsys.readouterr().err
    assert not (folder / "moon" / "1.0" / "one.img").exists()


def test_mirrors_are_asked_first(server: BadServer, folder: Path) -> None:
    entry = product(file(server, "one.img"), file(server, "two file.img", body=SECOND))
    server.files["/mirror/moon/1.0/two%20file.img"] = SECOND
    assert main(arguments(folder, entry, mirrors=[f"{server.url}/mirror/"])) == EXIT_OK
    assert [one.url.removeprefix(server.url) for one in receipt(folder).files] == [
        "/data/one.img",
        "/mirror/moon/1.0/two%20file.img",
    ]
    assert server.starts("/mirror/moon/1.0/one.img") == [None]
    assert server.starts("/data/two%20file.img") == []


def test_a_failure_names_the_setting_that_does_without(
    server: BadServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.script["/data/sites.img"] = [Answer(status=404, body=b"")] * 2
    used_by = ["source.published.experts", "validate-site"]
    assert main(arguments(folder, product(file(server, "sites.img"), used_by=used_by))) == EXIT_ARTEFACT
    said = capsys.readouterr().err
    assert "answers 404" in said
    assert "A run that can do without it leaves it out: source.published.experts: null\n" in said
    needed = product(file(server, "sites.img"), used_by=["source.published.dem"])
    assert main(arguments(folder, needed)) == EXIT_ARTEFACT
    assert "leaves it out" not in capsys.readouterr().err


def test_one_bad_file_leaves_the_others(server: BadServer, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [file(server, f"{name}.img") for name in ("a", "b", "c", "d")]
    server.script["/data/b.img"] = [Answer(status=404, body=b"")]
    server.script["/data/c.img"] = [Answer(status=410, body=b"")]
    call = arguments(folder, product(*files))
    assert main(call) == EXIT_ARTEFACT
    err = capsys.readouterr().err
    assert "moon: 2 of 4 files failed" in err
    assert "answers 404" in err
    assert "answers 410" in err
    assert (folder / "moon" / "1.0" / "d.img").read_bytes() == FIRST
    assert not (folder / "moon" / "1.0" / "receipt.json").exists()
    del server.script["/data/b.img"], server.script["/data/c.img"]
    assert main(call) == EXIT_OK
    assert server.starts("/data/d.img") == [None]


def test_files_side_by_side_are_bounded(server: BadServer, folder: Path) -> None:
    files = [file(server, f"{n}.img") for n in range(5)]
    for n in range(5):
        server.script[f"/data/{n}.img"] = [Answer(drip=(50_000, 0.02))]
    assert main(arguments(folder, product(*files), parallel=2)) == EXIT_OK
    assert server.most_at_once == 2


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from Linux's /proc")
def test_the_command_takes_little_memory(server: BadServer, folder: Path) -> None:
    files = [file(server, name, body=FIRST * 200) for name in ("one.img", "two.img")]
    code = (
        "import sys; from lunarsite.command import main; code = main(sys.argv[1:]);"
        "print(sorted({'pandas', 'geopandas', 'pyarrow', 'rasterio', 'h5py', 'pyproj'} & set(sys.modules)));"
        "print(open('/proc/self/status').read()); sys.exit(code)"
    )
    call = [sys.executable, "-c", code, *arguments(folder, product(*files), parallel=2)]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == EXIT_OK, done.stderr
    assert done.stdout.startswith("[]\n")
    # What the stage logs (getrusage) begins with the memory of the process that started it: here the tests'.
    peak_kib = re.search(r"VmHWM:\s+(\d+) kB", done.stdout)
    assert peak_kib is not None
    assert int(peak_kib[1]) < 140 * 2**10


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return stream.getvalue()


def test_archives_are_unpacked_and_listed(server: BadServer, folder: Path) -> None:
    body = zipped(in__csv=b"a,b\n1,2\n", out__exe=b"MZ")
    entry = product(file(server, "all.zip", "zip", body, unpack=["*.csv"]))
    assert main(arguments(folder, entry)) == EXIT_OK
    url = f"{server.url}/data/all.zip"
    assert [(one.name, one.url, one.checked) for one in receipt(folder).files] == [
        ("all.zip", url, "first download"),
        ("in.csv", url, "unpacked from all.zip"),
    ]
    assert (folder / "moon" / "1.0" / "in.csv").read_bytes() == b"a,b\n1,2\n"
    assert not (folder / "moon" / "1.0" / "out.exe").exists()
    (folder / "moon" / "1.0" / "receipt.json").unlink()
    assert main(arguments(folder, entry)) == EXIT_OK


def test_a_member_with_the_name_of_another_file_is_refused(
    server: BadServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = product(file(server, "all.zip", "zip", zipped(one__img=b"x" * 100), unpack=["*"]), file(server, "one.img"))
    assert main(arguments(folder, entry)) == EXIT_ARTEFACT
    assert "has the name of another file" in capsys.readouterr().err
    assert not (folder / "moon" / "1.0" / "receipt.json").exists()


def test_offline_says_what_is_missing_and_where_to_put_it(
    server: BadServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = product(
        file(server, "one.img", bytes=3 * 2**30), file(server, "two.img", bytes=len(FIRST), size_is="published")
    )
    assert main(arguments(folder, entry, offline=True)) == EXIT_ARTEFACT
    err = capsys.readouterr().err
    assert "one.img, about 3 GiB" in err
    assert "two.img, 195 KiB" in err
    assert f"{server.url}/data/one.img" in err
    assert str(folder / "moon" / "1.0") in err
    for name in ("one.img", "two.img"):
        (folder / "moon" / "1.0" / name).write_bytes(FIRST)
    assert main(arguments(folder, entry, offline=True)) == EXIT_OK
    assert [one.url for one in receipt(folder).files] == ["", ""]
    assert server.requests == []


def test_a_wrong_file_of_the_user_is_refused_offline(
    server: BadServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = folder / "moon" / "1.0" / "one.img"
    place.parent.mkdir(parents=True)
    place.write_bytes(SECOND)
    entry = product(file(server, "one.img", sha256=sha256(FIRST)))
    assert main(arguments(folder, entry, offline=True)) == EXIT_ARTEFACT
    assert "the publisher's file has" in capsys.readouterr().err
    assert place.read_bytes() == SECOND


def test_too_little_room_for_all_files(server: BadServer, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = product(file(server, "one.img"), file(server, "two.img", bytes=10**16))
    assert main(arguments(folder, entry)) == EXIT_ARTEFACT
    assert "are to come, but only" in capsys.readouterr().err
    assert server.requests == []


def test_too_little_room_to_unpack(
    server: BadServer, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    body = zipped(in__csv=b"a,b\n1,2\n" * 1_000)
    entry = product(file(server, "all.zip", "zip", body, unpack=["*.csv"], bytes=2**20))
    # Room for the archive and what must stay free, but not for as much again.
    free = int(2**20 * 1.5 + 0.001 * 2**30)
    monkeypatch.setattr("shutil.disk_usage", lambda _: types.SimpleNamespace(free=free))
    assert main(arguments(folder, entry)) == EXIT_ARTEFACT
    assert "2 MiB are to come, but only" in capsys.readouterr().err
    assert server.requests == []
    del entry["files"][0]["unpack"]
    assert main(arguments(folder, entry)) == EXIT_OK


@pytest.mark.parametrize("listed", [True, False])
def test_a_product_behind_a_log_in(
    listed: bool, server: BadServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [{"name": "deep/rocks.img", "content": "pds3-image"}] if listed else []
    entry = product(*files, access="credentials", instructions="Register, then download.")
    assert main(arguments(folder, entry)) == EXIT_ARTEFACT
    err = capsys.readouterr().err
    assert "Register, then download." in err
    assert str(folder / "moon" / "1.0") in err
    place = folder / "moon" / "1.0" / "deep" / "rocks.img"
    place.parent.mkdir(parents=True)
    place.write_bytes(FIRST)
    assert main(arguments(folder, entry)) == EXIT_OK
    (found,) = receipt(folder).files
    assert (found.name, found.url) == ("deep/rocks.img", "")
    assert found.checked == ("first seen: it was there already" if listed else "nothing: put there by the user")
    # The receipt and lock files are none of the product's.
    assert main(arguments(folder, entry)) == EXIT_OK
    assert len(receipt(folder).files) == 1
    assert server.requests == []


def test_a_mirror_may_hold_what_lies_behind_a_log_in(server: BadServer, folder: Path) -> None:
    entry = product({"name": "rocks.img", "content": "pds3-image"}, access="credentials", instructions="Register.")
    server.files["/moon/1.0/rocks.img"] = FIRST
    assert main(arguments(folder, entry, mirrors=[server.url])) == EXIT_OK
    assert receipt(folder).files[0].url == f"{server.url}/moon/1.0/rocks.img"


@pytest.mark.parametrize("access", ["pages", "service"])
def test_pages_and_services_are_read_by_another_stage(
    access: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = product(access=access, roots=["http://x.example"], reader="archive-index")
    assert main(arguments(folder, entry)) == EXIT_ARTEFACT
    assert "the stage archive-index asks its server" in capsys.readouterr().err


def test_a_receipt_in_another_place_is_refused(
    server: BadServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = arguments(folder, product(file(server, "one.img")))
    elsewhere = [word.replace("/1.0/", "/2.0/") for word in call]
    assert main(elsewhere) == EXIT_USAGE
    assert "belongs to" in capsys.readouterr().err
    assert main([*call[:-4], "--product", "sun", *call[-2:]]) == EXIT_USAGE
    assert "has no product 'sun'; it has: moon" in capsys.readouterr().err
    assert server.requests == []


def record(server: BadServer, **files: bytes) -> bytes:
    """A record as Zenodo's API gives it."""
    listed = [
        {
            "id": "0" * 36,
            "key": name.replace("__", "."),
            "size": len(content),
            "checksum": f"md5:{hashlib.md5(content).hexdigest()}",
            "links": {"self": f"{server.url}/api/records/12/files/{name}/content"},
        }
        for name, content in files.items()
    ]
    return json.dumps({"id": 12, "metadata": {"title": "made up"}, "files": listed}).encode()


def test_the_record_gives_checksums_and_addresses(server: BadServer, folder: Path) -> None:
    server.files["/api/records/12"] = record(server, one__img=FIRST)
    server.files["/api/records/12/files/one.img/content"] = FIRST
    entry = product({"name": "one.img", "content": "pds3-image"}, zenodo=f"{server.url}/api/records/12")
    call = arguments(folder, entry)
    assert main(call) == EXIT_OK
    (found,) = receipt(folder).files
    assert found.checked == "md5 of the publisher"
    assert found.url.endswith("/files/one.img/content")
    place = folder / "moon" / "1.0" / "receipt.json"
    text, before = place.read_bytes(), len(server.requests)
    place.unlink()
    assert main(arguments(folder, entry, offline=True)) == EXIT_OK
    assert receipt(folder).files[0].checked == "md5 of the publisher"
    place.unlink()
    assert main(call) == EXIT_OK
    assert place.read_bytes() == text
    assert len(server.requests) == before


def test_a_file_that_is_not_the_records_is_refused(
    server: BadServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.files["/api/records/12"] = record(server, one__img=FIRST)
    server.files["/api/records/12/files/one.img/content"] = SECOND
    entry = product({"name": "one.img", "content": "pds3-image"}, zenodo=f"{server.url}/api/records/12")
    assert main(arguments(folder, entry)) == EXIT_ARTEFACT
    assert "the publisher's file has" in capsys.readouterr().err


def test_without_its_record_the_first_download_is_trusted_aloud(
    server: BadServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = product(file(server, "one.img"), zenodo=f"{server.url}/api/records/12")
    assert main(arguments(folder, entry)) == EXIT_OK
    assert receipt(folder).files[0].checked == "first download"
    assert "the record that gives checksums cannot be had" in capsys.readouterr().err


BUSY = b'{"status": "maintenance", "message": "back soon"}'


@pytest.mark.parametrize("bad", [BUSY, b'{"id": 13, "files": []}', b"[]"])
def test_an_answer_that_is_no_record_does_not_stay(
    bad: bytes, server: BadServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.files["/api/records/12"] = record(server, one__img=FIRST)
    server.script["/api/records/12"] = [Answer(body=bad), Answer()]
    server.files["/api/records/12/files/one.img/content"] = FIRST
    entry = product({"name": "one.img", "content": "pds3-image"}, zenodo=f"{server.url}/api/records/12")
    assert main(arguments(folder, entry)) == EXIT_ARTEFACT
    assert "is no record with files" in capsys.readouterr().err
    assert not (folder / "moon" / "1.0" / "zenodo-record.json").exists()
    assert main(arguments(folder, entry)) == EXIT_OK
    assert receipt(folder).files[0].checked == "md5 of the publisher"


def test_a_mirrors_bad_record_gives_way_to_zenodos(server: BadServer, folder: Path) -> None:
    server.files["/mirror/moon/1.0/zenodo-record.json"] = json.dumps({"id": 13, "files": []}).encode()
    server.files["/api/records/12"] = record(server, one__img=FIRST)
    entry = product(file(server, "one.img"), zenodo=f"{server.url}/api/records/12")
    assert main(arguments(folder, entry, mirrors=[f"{server.url}/mirror"])) == EXIT_OK
    assert receipt(folder).files[0].checked == "md5 of the publisher"


def test_a_bad_record_that_is_there_is_named(
    server: BadServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = folder / "moon" / "1.0" / "zenodo-record.json"
    place.parent.mkdir(parents=True)
    place.write_bytes(BUSY)
    nowhere = product({"name": "one.img", "content": "pds3-image"}, zenodo=f"{server.url}/api/records/12")
    assert main(arguments(folder, nowhere)) == EXIT_ARTEFACT
    assert f"{place}: is no record with files: id: Field required; remove the file" in capsys.readouterr().err
    entry = product(file(server, "one.img"), zenodo=f"{server.url}/api/records/12")
    assert main(arguments(folder, entry)) == EXIT_OK
    assert receipt(folder).files[0].checked == "first download"
    assert f"{place}: is no record with files" in capsys.readouterr().err


def test_a_record_that_contradicts_the_table_is_named(
    server: BadServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.files["/api/records/12"] = record(server, two__img=FIRST)
    entry = product(file(server, "one.img"), zenodo=f"{server.url}/api/records/12")
    assert main(arguments(folder, entry)) == EXIT_ARTEFACT
    err = capsys.readouterr().err
    assert "no file of the record is 'one.img'" in err
    assert f"read from {folder / 'moon' / '1.0' / 'zenodo-record.json'}; remove that" in err


def test_a_record_that_alone_knows_the_address_is_needed(
    server: BadServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = product({"name": "one.img", "content": "pds3-image"}, zenodo=f"{server.url}/api/records/12")
    assert main(arguments(folder, entry)) == EXIT_ARTEFACT
    err = capsys.readouterr().err
    assert "its record tells where one.img lies, and cannot be had" in err
    assert "/api/records/12: answers 404" in err


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_terminated_and_resumed(sent: signal.Signals, server: BadServer, folder: Path) -> None:
    entry = product(file(server, "one.img"), file(server, "two.img"), file(server, "three.img"))
    for name in ("one", "two"):
        server.script[f"/data/{name}.img"] = [Answer(stall=70_000), Answer()]
    call = arguments(folder, entry, parallel=2)
    with subprocess.Popen(
        [sys.executable, "-m", "lunarsite", *call], cwd=ROOT, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        try:
            parts = [folder / "moon" / "1.0" / f"{name}.img.part" for name in ("one", "two")]
            end = time.monotonic() + 60.0
            while not all(part.exists() and part.stat().st_size == 70_000 for part in parts):
                assert time.monotonic() < end, process.poll()
                time.sleep(0.02)
            start = time.monotonic()
            process.send_signal(sent)
            _, err = process.communicate(timeout=60.0)
        finally:
            process.kill()
    assert time.monotonic() - start < 10.0
    assert process.returncode == (EXIT_TERMINATED if sent == signal.SIGTERM else 130), err
    assert server.starts("/data/three.img") == []
    assert main(call) == EXIT_OK
    assert server.starts("/data/one.img") == [None, 70_000]
    assert server.starts("/data/two.img") == [None, 70_000]
