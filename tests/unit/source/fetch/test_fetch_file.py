"""A server that breaks things on purpose: the right file in the end or a clear error, and never many requests."""

from __future__ import annotations

import contextlib
import gc
import re
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lunarsite.source.fetch.control import Control
from lunarsite.source.fetch.errors import FetchError, StoppedError
from lunarsite.source.fetch.file import FIRST_DOWNLOAD, Trust
from lunarsite.source.fetch.part import boot
from lunarsite.source.fetch.pins import Pins
from tests.stage import test_fetch_stages

from . import cases, test_fetch_processes, test_tls
from .badserver import Answer, BadServer
from .case import ATTEMPTS, BODY, MD5, OTHER, Case
from .case_list import CASES
from .fetching import SHA256, Waits, fetch, leftovers, serving


@pytest.fixture
def server() -> Iterator[BadServer]:
    with BadServer().running() as running:
        yield running


def assert_in_place(folder: Path) -> None:
    assert (folder / "file.img").read_bytes() == BODY
    assert leftovers(folder) == ["file.img"]
    assert stat.S_IMODE((folder / "file.img").stat().st_mode) == 0o444


def assert_requests(server: BadServer, expected: tuple[int | None, ...], folder: Path) -> None:
    starts = server.starts("/file.img")
    assert len(starts) == len(expected)
    for found, wanted in zip(starts, expected, strict=True):
        # -1: somewhere in the file, as far as time went.
        assert (found or 0) > 0 if wanted == -1 else found == wanted


@pytest.mark.parametrize("case", [case for case in CASES if not case.test], ids=lambda case: case.title)
def test_cases(case: Case, server: BadServer, tmp_path: Path) -> None:
    sources = [serving(server, case.body)]
    server.script["/file.img"] = list(case.script)
    if case.mirror:
        sources.append(serving(server, BODY, "/mirror.img"))
    control = Waits()
    if case.error:
        with pytest.raises(FetchError, match=re.escape(case.error)) as caught:
            fetch(tmp_path, sources, control, file=case.file, **case.settings)
        assert "could not be fetched" in str(caught.value)
        assert sources[0] in str(caught.value)
        assert not (tmp_path / "file.img").exists()
    else:
        fetched = fetch(tmp_path, sources, control, file=case.file, **case.settings)
        assert (fetched.bytes, fetched.sha256) == (len(BODY), SHA256)
        assert fetched.url == sources[-1]
        assert fetched.checked == ("md5 of the publisher" if "md5" in case.file else FIRST_DOWNLOAD)
        assert_in_place(tmp_path)
    assert_requests(server, case.starts, tmp_path)
    assert len(server.starts("/mirror.img")) == case.mirror
    if case.waits_s is not None:
        assert len(control.waits_s) == len(case.waits_s)
        for waited, least in zip(control.waits_s, case.waits_s, strict=True):
            assert least <= waited <= least + 1.0


def test_every_case_of_the_table_is_tried() -> None:
    tests = {**globals(), **vars(test_fetch_processes), **vars(test_tls), **vars(test_fetch_stages)}
    assert [case.test for case in CASES if case.test and not callable(tests.get(case.test))] == []
    assert len({case.title for case in CASES}) == len(CASES)


def test_page_holds_the_table() -> None:
    text = cases.PAGE.read_text(encoding="utf-8")
    assert text == cases.page(text), "run python -m tests.unit.source.fetch.cases"


def test_requests_say_who_asks_and_for_plain_bytes(server: BadServer, tmp_path: Path) -> None:
    server.script["/file.img"] = [Answer(cut=70_000), Answer()]
    fetch(tmp_path, [serving(server)])
    first, second = (request.headers for request in server.requests)
    assert first["Accept-Encoding"] == "identity"
    assert first["User-Agent"].startswith("lunarsite/")
    assert "If-Range" not in first
    assert second["If-Range"].startswith('"')


def test_a_line_that_breaks_every_megabyte_still_brings_a_file(server: BadServer, tmp_path: Path) -> None:
    body = bytes(5_000_000)
    url = serving(server, body)
    server.script["/file.img"] = [Answer(cut=1_100_000)]
    fetched = fetch(tmp_path, [url], file={"bytes": len(body), "size_is": "published"}, attempts=2)
    assert fetched.bytes == len(body)
    assert server.starts("/file.img") == [None, 1_100_000, 2_200_000, 3_300_000, 4_400_000]


def test_small_steps_are_bounded(server: BadServer, tmp_path: Path) -> None:
    url = serving(server)
    server.script["/file.img"] = [Answer(cut=100)]
    with pytest.raises(FetchError, match="the connection broke"):
        fetch(tmp_path, [url], attempts=4)
    assert server.starts("/file.img") == [None, 100, 200, 300]


def test_a_part_outlives_an_address_that_refuses(server: BadServer, tmp_path: Path) -> None:
    url, mirror = serving(server), server.url + "/mirror.img"
    server.script["/file.img"] = [Answer(cut=70_000), Answer(status=403, body=b"")]
    with pytest.raises(FetchError, match="answers 403 Forbidden"):
        fetch(tmp_path, [url, mirror])
    assert leftovers(tmp_path) == ["file.img.part", "file.img.part.json"]
    server.script["/file.img"] = [Answer()]
    fetch(tmp_path, [url])
    assert server.starts("/file.img") == [None, 70_000, 70_000]
    assert_in_place(tmp_path)


def test_no_address(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="no address is known"):
        fetch(tmp_path, [])


def test_error_tells_what_every_address_said_and_no_secrets(server: BadServer, tmp_path: Path) -> None:
    serving(server)
    port = server.url.rsplit(":", 1)[1]
    sources = [f"http://me:secret@127.0.0.1:{port}/gone?token=hidden", f"{server.url}/away"]
    with pytest.raises(FetchError) as caught:
        fetch(tmp_path, sources)
    text = str(caught.value)
    assert f"http://127.0.0.1:{port}/gone: answers 404" in text
    assert f"{server.url}/away: answers 404" in text
    assert "secret" not in text
    assert "hidden" not in text


def test_a_redirect_is_followed(server: BadServer, tmp_path: Path) -> None:
    serving(server, BODY, "/data/ü file.img")
    for path in ("/data/%C3%BC%20file.img",):
        server.files[path] = BODY
    server.script["/file.img"] = [
        Answer(status=301, headers={"Location": "data/ü file.img".encode().decode("latin-1")}, body=b"")
    ]
    fetched = fetch(tmp_path, [server.url + "/file.img"])
    assert fetched.url == server.url + "/file.img"
    assert [request.path for request in server.requests] == ["/file.img", "/data/%C3%BC%20file.img"]
    assert_in_place(tmp_path)


def test_endless_redirects(server: BadServer, tmp_path: Path) -> None:
    for step in range(50):
        server.script[f"/{step}"] = [Answer(status=302, headers={"Location": f"/{step + 1}"}, body=b"")]
    with pytest.raises(FetchError, match="redirects more than 10 times"):
        fetch(tmp_path, [server.url + "/0"])
    assert len(server.requests) == 11


def test_the_body_of_a_redirect_is_not_read(server: BadServer, tmp_path: Path) -> None:
    serving(server)
    headers: dict[str, str | None] = {"Location": "/file.img", "Content-Length": "99000000000"}
    server.script["/there"] = [Answer(status=302, headers=headers, body=bytes(100), stall=100)]
    assert fetch(tmp_path, [server.url + "/there"]).sha256 == SHA256


@pytest.mark.parametrize("place", ["ftp://127.0.0.1/x", "data:text/plain,x", "gopher://x/", "http://[::1/x"])
def test_other_redirects_are_refused(place: str, server: BadServer, tmp_path: Path) -> None:
    server.script["/file.img"] = [Answer(status=307, headers={"Location": place}, body=b"")]
    with pytest.raises(FetchError, match="redirects to"):
        fetch(tmp_path, [server.url + "/file.img"])
    assert len(server.requests) == 1


def test_a_dead_server(server: BadServer, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}/file.img"
        control = Waits()
        fetched = fetch(tmp_path, [dead, serving(server)], control)
    assert fetched.url == server.url + "/file.img"
    assert len(control.waits_s) == ATTEMPTS - 1


def answering(answer: bytes, count: list[int]) -> tuple[socket.socket, threading.Thread]:
    """A listener that gives every connection the same bytes and keeps it open, or drips for ever after '...'."""
    listener = socket.create_server(("127.0.0.1", 0))
    kept = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                break
            count[0] += 1
            kept.append(connection)
            connection.sendall(answer.removesuffix(b"..."))
            with contextlib.suppress(OSError):
                while answer.endswith(b"..."):
                    connection.sendall(b"a")
                    time.sleep(0.01)
        for connection in kept:
            connection.close()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    return listener, thread


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "no answer within 0.1 s"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "no connection"),
        (b"HTTP/1.1 abc\r\n\r\n", "no connection"),
        (b"HTTP/1.1 200 OK\r\nX-Name: ...", "no whole answer within 0.2 s"),
    ],
    ids=["silent", "ssh", "garbled", "dripping head"],
)
def test_a_silent_server(answer: bytes, error: str, tmp_path: Path) -> None:
    count = [0]
    listener, thread = answering(answer, count)
    try:
        with pytest.raises(FetchError, match=error):
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
            fetch(tmp_path, [url], connect_timeout_s=0.1, read_timeout_s=0.1)
        assert count == [ATTEMPTS]
        gc.collect()  # an answer that was left open would warn
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_stopping_wakes_a_wait_for_an_answer(tmp_path: Path) -> None:
    count, control = [0], Control()
    listener, thread = answering(b"", count)
    timer = threading.Timer(0.2, control.stop)
    timer.start()
    start = time.monotonic()
    try:
        with pytest.raises(StoppedError):
            fetch(tmp_path, [f"http://127.0.0.1:{listener.getsockname()[1]}/x"], control, read_timeout_s=60.0)
        assert time.monotonic() - start < 5.0
        assert count == [1]
    finally:
        timer.join()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_changed_since_the_first_download(server: BadServer, tmp_path: Path) -> None:
    trust = Trust(Pins(tmp_path / "checksums.lock"), "moon/1/file.img")
    trust.pins.pin(trust.key, SHA256, len(BODY), "http://first")
    url = serving(server, OTHER)
    folder = tmp_path / "moon"
    with pytest.raises(FetchError, match=r"moon/1/file.img: has changed since the first download.*checksums.lock"):
        fetch(folder, [url], trust=trust)
    assert leftovers(folder) == []
    mirror = serving(server, BODY, "/mirror.img")
    assert fetch(folder, [url, mirror], trust=trust).url == mirror


def test_a_file_that_is_there(server: BadServer, tmp_path: Path) -> None:
    (tmp_path / "file.img").write_bytes(BODY)
    trust = Trust(Pins(tmp_path / "lock" / "checksums.lock"), "moon/1/file.img")
    fetched = fetch(tmp_path, [serving(server)], trust=trust, file={"md5": MD5})
    assert (fetched.sha256, fetched.url, fetched.checked) == (SHA256, "", "md5 of the publisher")
    assert fetch(tmp_path, [], trust=trust).checked == "first seen: it was there already"
    trust.pins.pin(trust.key, SHA256, len(BODY), "")
    assert fetch(tmp_path, [], trust=trust).checked == "first seen: it was there already"


def test_a_file_that_was_fetched_before(server: BadServer, tmp_path: Path) -> None:
    (tmp_path / "file.img").write_bytes(BODY)
    trust = Trust(Pins(tmp_path / "lock" / "checksums.lock"), "moon/1/file.img")
    trust.pins.pin(trust.key, SHA256, len(BODY), "http://first")
    fetched = fetch(tmp_path, [serving(server)], trust=trust)
    assert (fetched.url, fetched.checked) == ("http://first", "first download")
    assert server.requests == []


@pytest.mark.parametrize(
    ("file", "pinned", "why"),
    [
        ({"md5": MD5}, False, "has md5"),
        ({"bytes": 10, "size_is": "published"}, False, "has 200000 bytes"),
        ({"content": "tiff"}, False, "is not a"),
        ({}, True, "has changed since the first download"),
    ],
)
def test_another_file_is_there(
    file: dict[str, object], pinned: bool, why: str, server: BadServer, tmp_path: Path
) -> None:
    (tmp_path / "file.img").write_bytes(OTHER)
    trust = Trust(Pins(tmp_path / "lock" / "checksums.lock"), "moon/1/file.img")
    if pinned:
        trust.pins.pin(trust.key, SHA256, len(BODY), "http://first")
    with pytest.raises(FetchError, match=rf"{why}.*remove the file to have it fetched again"):
        fetch(tmp_path, [serving(server)], trust=trust, file=file)
    assert (tmp_path / "file.img").read_bytes() == OTHER
    assert server.requests == []


def test_power_cut(server: BadServer, tmp_path: Path) -> None:
    url = serving(server)
    server.script["/file.img"] = [Answer(cut=70_000), Answer(status=404, body=b"")]
    with pytest.raises(FetchError):
        fetch(tmp_path, [url])
    with (tmp_path / "file.img.part").open("ab") as part:
        part.write(bytes(5_000))
    note = tmp_path / "file.img.part.json"
    note.write_text(note.read_text().replace(str(boot()), "the run before"))
    server.script["/file.img"] = [Answer()]
    fetch(tmp_path, [url])
    assert server.starts("/file.img")[-1] == 70_000
    assert_in_place(tmp_path)


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b'{"url": 3}', bytes(100_000), None, b"long"])
def test_a_damaged_note(note: bytes | None, server: BadServer, tmp_path: Path) -> None:
    url = serving(server)
    server.script["/file.img"] = [Answer(cut=70_000), Answer(status=404, body=b"")]
    with pytest.raises(FetchError):
        fetch(tmp_path, [url])
    place = tmp_path / "file.img.part.json"
    if note is None:
        (tmp_path / "file.img.part").unlink()
    elif note == b"long":
        # More bytes than there are.
        place.write_text(place.read_text().replace('"done": 70000', '"done": 80000'))
    else:
        place.write_bytes(note)
    server.script["/file.img"] = [Answer()]
    fetch(tmp_path, [url])
    assert server.starts("/file.img")[-1] is None
    assert_in_place(tmp_path)


def test_a_whole_part_is_put_in_place_without_a_request(server: BadServer, tmp_path: Path) -> None:
    """A kill between the last byte and the renaming."""
    url = serving(server)
    server.script["/file.img"] = [Answer(cut=70_000), Answer(status=404, body=b"")]
    with pytest.raises(FetchError):
        fetch(tmp_path, [url])
    (tmp_path / "file.img.part").write_bytes(BODY)
    place = tmp_path / "file.img.part.json"
    place.write_text(place.read_text().replace('"done": 70000', f'"done": {len(BODY)}'))
    before = len(server.requests)
    fetch(tmp_path, [url])
    assert len(server.requests) == before
    assert_in_place(tmp_path)


def test_a_part_that_is_a_link_is_not_written_through(server: BadServer, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"keep me")
    folder = tmp_path / "product"
    folder.mkdir()
    (folder / "file.img.part").symlink_to(precious)
    fetch(folder, [serving(server)])
    assert precious.read_bytes() == b"keep me"
    assert_in_place(folder)


def test_too_little_room(server: BadServer, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"must stay so \(source.fetch.spare_disk_gib\)"):
        fetch(tmp_path, [serving(server)], spare_disk_gib=9_999.0)
    assert server.requests == []
    with pytest.raises(FetchError, match="are to come, but only"):
        fetch(tmp_path, [serving(server)], file={"bytes": 10**16})
    assert server.requests == []


def test_a_folder_that_cannot_be_written(server: BadServer, tmp_path: Path) -> None:
    (tmp_path / "product").write_text("a file")
    with pytest.raises(FetchError, match="cannot be written"):
        fetch(tmp_path / "product" / "1", [serving(server)])
    assert server.requests == []
