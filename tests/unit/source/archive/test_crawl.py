"""A polite crawler: pauses, robots, retries, redirects, bounds and what is kept; its clock is a made-up one."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from lunarsite.settings import FetchSettings
from lunarsite.source.archive.crawl import ClosedError, Crawler, CrawlError, GoneError, OfflineError
from lunarsite.source.archive.markup import PageError
from lunarsite.source.archive.store import Store
from lunarsite.source.fetch.errors import DiskError
from tests.unit.source.archive.servers import Answer, FakeClock, Server, serving

FETCH = FetchSettings(attempts=3, longest_wait_s=600.0, spare_disk_gib=0.0, connect_timeout_s=5.0, read_timeout_s=5.0)
PAGE = b"<html>page</html>"


class World:
    """A server with scripted answers by path, a store and a clock."""

    def __init__(self, server: Server, script: dict[str, list[Answer] | Answer], folder: Path) -> None:
        self.server, self.script, self.folder = server, script, folder
        self.time = FakeClock()
        self.roots = [server.root]

    def crawler(self, pause_s: float = 1.0, **changes: Any) -> Crawler:
        fetch = FETCH.model_copy(update=changes)
        return Crawler(Store(self.folder, fetch), self.roots, fetch, pause_s, self.time.clock)

    def url(self, path: str) -> str:
        return f"{self.server.root}{path}"

    def read(self, path: str, **changes: Any) -> bytes:
        with self.crawler(**changes) as crawler:
            return crawler.read(self.url(path), bytes)

    def count(self, path: str) -> int:
        return self.server.asked.count(f"/{path}")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with made(tmp_path) as found:
        yield found


@contextmanager
def made(folder: Path) -> Iterator[World]:
    script: dict[str, list[Answer] | Answer] = {"/robots.txt": Answer(404)}

    def respond(path: str) -> Answer:
        found = script.get(path, Answer(200, PAGE))
        if isinstance(found, list):
            return found.pop(0) if found else Answer(200, PAGE)
        return found

    with serving(respond) as server:
        yield World(server, script, folder)


def test_pauses_are_at_least_as_long_as_asked(world: World) -> None:
    with world.crawler(pause_s=1.5) as crawler:
        for k in range(4):
            assert crawler.read(world.url(f"p{k}"), bytes) == PAGE
    assert len(world.server.asked) == 5, "four pages and robots.txt"
    assert world.time.sleeps_s == [1.5] * 4


@pytest.mark.parametrize(("delay", "expected_s"), [("7", 7.0), ("0.5", 1.0)])
def test_crawl_delay_counts_when_it_is_longer(world: World, delay: str, expected_s: float) -> None:
    world.script["/robots.txt"] = Answer(200, f"User-agent: *\nCrawl-delay: {delay}\n".encode())
    with world.crawler(pause_s=1.0) as crawler:
        for k in range(3):
            crawler.read(world.url(f"p{k}"), bytes)
    assert world.time.sleeps_s == [expected_s] * 3


def test_absurd_crawl_delay_is_an_error(world: World) -> None:
    world.script["/robots.txt"] = Answer(200, b"User-agent: *\nCrawl-delay: 999999\n")
    with pytest.raises(CrawlError, match=r"999999 s between requests, longer than source\.fetch\.longest_wait_s"):
        world.read("p")
    assert world.time.sleeps_s == []


def test_time_that_passed_anyway_is_no_pause(world: World) -> None:
    with world.crawler(pause_s=1.0) as crawler:
        crawler.read(world.url("p0"), bytes)
        world.time.time_s += 0.75
        crawler.read(world.url("p1"), bytes)
        world.time.time_s += 5.0
        crawler.read(world.url("p2"), bytes)
    assert world.time.sleeps_s == [1.0, 0.25]


def test_robots_are_obeyed_and_read_once_a_day(world: World) -> None:
    world.script["/robots.txt"] = Answer(200, b"User-agent: *\nDisallow: /closed/\n")
    with world.crawler() as crawler:
        with pytest.raises(ClosedError, match=r"robots\.txt closes this address"):
            crawler.read(world.url("closed/p"), bytes)
        assert crawler.read(world.url("open/p"), bytes) == PAGE
    assert world.read("open/q") == PAGE
    assert world.server.asked == ["/robots.txt", "/open/p", "/open/q"]
    note = next(path for path in world.folder.rglob("*.json") if "robots" in path.read_text())
    values = json.loads(note.read_text())
    note.write_text(json.dumps({**values, "read_at_s": values["read_at_s"] - 25 * 3_600}))
    world.read("open/r")
    assert world.count("robots.txt") == 2


@pytest.mark.parametrize("status", [500, 503, 429])
def test_server_that_keeps_its_robots_is_left_alone(world: World, status: int) -> None:
    world.script["/robots.txt"] = Answer(status)
    with pytest.raises(CrawlError, match=rf"robots\.txt: 3 attempts failed.*status {status}"):
        world.read("p")
    assert world.server.asked == ["/robots.txt"] * 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_server_without_robots_allows_everything(world: World, status: int) -> None:
    world.script["/robots.txt"] = Answer(status)
    assert world.read("p") == PAGE


def test_kept_pages_are_not_asked_for_again(world: World) -> None:
    assert world.read("p") == world.read("p") == PAGE
    assert world.count("p") == 1
    assert world.read("p", offline=True) == PAGE
    with pytest.raises(OfflineError, match="was not read before"):
        world.read("q", offline=True)
    assert world.count("q") == 0


@pytest.mark.parametrize("status", [404, 410])
def test_what_is_gone_is_kept_as_gone(world: World, status: int) -> None:
    world.script["/p"] = Answer(status)
    for offline in (False, False, True):
        with pytest.raises(GoneError, match=f"status {status}"):
            world.read("p", offline=offline)
    assert world.count("p") == 1


@pytest.mark.parametrize("what", ["body", "note", "other", "no body"])
def test_damaged_answers_are_read_again(world: World, what: str, caplog: pytest.LogCaptureFixture) -> None:
    world.read("p")
    body = Store(world.folder, FETCH).path(world.url("p"))
    if what == "body":
        body.write_bytes(b"x" * len(PAGE))
    elif what == "no body":
        body.unlink()
    elif what == "note":
        body.with_suffix(".json").write_text("{")
    else:
        note = json.loads(body.with_suffix(".json").read_text())
        body.with_suffix(".json").write_text(json.dumps({**note, "url": "http://elsewhere/"}))
    assert world.read("p") == PAGE
    assert world.count("p") == 2
    assert "is damaged and will be read again" in caplog.text


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_busy_servers_are_asked_again_ever_later(world: World, status: int) -> None:
    world.script["/p"] = [Answer(status), Answer(status)]
    assert world.read("p", pause_s=0.0) == PAGE
    first_s, second_s = (pause for pause in world.time.sleeps_s if pause)
    assert 1.0 <= first_s <= 2.0 <= second_s <= 3.0


def test_attempts_are_bounded(world: World) -> None:
    world.script["/p"] = Answer(503)
    with pytest.raises(CrawlError, match="3 attempts failed, the last one: the server is busy or in trouble"):
        world.read("p")
    assert world.count("p") == 3


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_obeyed(world: World, form: str) -> None:
    then = format_datetime(datetime.fromtimestamp(world.time.time_s + 90.0, UTC), usegmt=True)
    value = "90" if form == "seconds" else then
    world.script["/p"] = [Answer(503, headers={"Retry-After": value})]
    assert world.read("p", pause_s=0.0) == PAGE
    (pause_s,) = (pause for pause in world.time.sleeps_s if pause)
    assert 90.0 <= pause_s <= 91.0


def test_too_long_a_wait_is_an_error_at_once(world: World) -> None:
    world.script["/p"] = Answer(429, headers={"Retry-After": "86400"})
    with pytest.raises(CrawlError, match=r"wait 86400 s .*longest_wait_s"):
        world.read("p")
    assert world.count("p") == 1


def test_cut_answers_are_asked_for_again_and_never_kept(world: World) -> None:
    world.script["/p"] = [Answer(200, b"half and half", cut=4), Answer(200, b"half and half", cut=4)]
    assert world.read("p") == PAGE
    assert world.count("p") == 3
    world.script["/q"] = Answer(200, b"half and half", cut=4)
    with pytest.raises(CrawlError, match="3 attempts failed"):
        world.read("q")
    with pytest.raises(OfflineError):
        world.read("q", offline=True)


def test_server_that_is_not_there(tmp_path: Path) -> None:
    with made(tmp_path) as world:
        pass
    with pytest.raises(CrawlError, match="3 attempts failed, the last one: the connection failed"):
        world.read("p")


@pytest.mark.parametrize("status", [400, 401, 403, 451, 206])
def test_other_answers_are_final_and_tell_what_the_server_said(world: World, status: int) -> None:
    world.script["/p"] = Answer(status, b"<html><b>No HiPS</b> matches</html>")
    with pytest.raises(CrawlError, match=f"status {status}: 'No HiPS matches'"):
        world.read("p")
    assert world.count("p") == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            Answer(200, b"{}", {"Content-Type": "application/json"}),
            "is 'application/json', needed is text/html",
        ),
        (Answer(200, b"x" * 9_000_000), "has 9000000 bytes, 8388608 are read"),
        (Answer(200, b"x", {"Content-Type": "text/html", "Content-Encoding": "gzip"}), "is packed"),
    ],
    ids=["kind", "size", "packed"],
)
def test_answers_of_another_kind_are_refused(world: World, answer: Answer, message: str) -> None:
    world.script["/p"] = answer
    with pytest.raises(CrawlError, match=message):
        world.read("p")
    assert world.count("p") == 1


def test_endless_answer_without_a_length_is_cut_off(world: World) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    world.script["/p"] = Answer(200, chunk * 200, {"Content-Type": "text/html", "Transfer-Encoding": "chunked"})
    with pytest.raises(CrawlError, match="has more than 8388608 bytes"):
        world.read("p")
    assert world.count("p") == 1
    assert not list(world.folder.rglob("*.partial*"))


def redirect(place: str, status: int = 302) -> Answer:
    return Answer(status, headers={"Location": place})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_within_the_servers_are_followed_politely(world: World, status: int) -> None:
    world.script["/p"] = redirect("/q", status)
    assert world.read("p", pause_s=2.0) == PAGE
    assert world.server.asked == ["/robots.txt", "/p", "/q"]
    assert world.time.sleeps_s == [2.0, 2.0]
    assert world.read("p", offline=True) == PAGE


def test_bodies_of_redirects_are_not_read(world: World) -> None:
    sent = 0

    def parts() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1_000):
            sent += 0x10000
            yield b"x" * 0x10000

    world.script["/p"] = Answer(302, b"", {"Location": "/q", "Content-Length": str(1_000 * 0x10000)}, parts=parts)
    assert world.read("p") == PAGE
    assert sent < 32 * 2**20


def test_redirects_obey_robots(world: World) -> None:
    world.script["/robots.txt"] = Answer(200, b"User-agent: *\nDisallow: /q\n")
    world.script["/p"] = redirect("/q")
    with pytest.raises(ClosedError):
        world.read("p")
    assert world.count("q") == 0


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://user:pw@127.0.0.1:1/", "//[::1/"])
def test_redirects_to_strange_places_are_refused(world: World, place: str) -> None:
    world.script["/p"] = redirect(place)
    with pytest.raises(CrawlError, match=r"is redirected to"):
        world.read("p")


def test_redirects_to_other_servers_are_refused(world: World, tmp_path: Path) -> None:
    with made(tmp_path / "other") as other:
        world.script["/p"] = redirect(other.url("q"))
        with pytest.raises(CrawlError, match=r"none of the servers of the table of products"):
            world.read("p")
        assert other.server.asked == []
        world.roots.append(other.server.root)
        assert world.read("p") == PAGE
        assert other.server.asked == ["/robots.txt", "/q"]


def test_circles_and_long_ways_are_refused(world: World) -> None:
    world.script |= {"/a": redirect("/b"), "/b": redirect("/a")}
    with pytest.raises(CrawlError, match=r"in a circle or too far: .*/a -> .*/b -> .*/a"):
        world.read("a")
    world.script |= {f"/r{k}": redirect(f"/r{k + 1}") for k in range(20)}
    with pytest.raises(CrawlError, match="in a circle or too far"):
        world.read("r0")
    assert len(world.server.asked) < 15


def test_addresses_of_other_servers_are_never_asked(world: World) -> None:
    world.roots.clear()
    with pytest.raises(CrawlError, match="none of the servers"):
        world.read("p")
    assert world.server.asked == []


def test_full_disk_is_told_and_keeps_what_is_there(world: World) -> None:
    world.read("p")
    with pytest.raises(DiskError, match=r"spare_disk_gib"):
        world.read("q", spare_disk_gib=1e4)
    assert world.read("p") == PAGE


def test_a_second_process_waits_for_the_first(world: World) -> None:
    first, second = world.crawler(), world.crawler()
    done = threading.Event()

    def go() -> None:
        with second as crawler:
            crawler.read(world.url("q"), bytes)
        done.set()

    with first as crawler:
        crawler.read(world.url("p"), bytes)
        thread = threading.Thread(target=go)
        thread.start()
        assert not done.wait(0.3)
        assert world.count("q") == 0
    assert done.wait(10.0)
    thread.join()
    assert world.count("q") == 1


def test_tls_that_does_not_hold_is_final(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> requests.Response:
        raise requests.exceptions.SSLError("self-signed certificate")

    monkeypatch.setattr(requests.Session, "get", refuse)
    with pytest.raises(CrawlError, match="certificate or TLS does not hold"):
        world.read("p")


def test_cookies_and_passwords_are_not_sent(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    world.script["/p"] = Answer(200, PAGE, {"Content-Type": "text/html", "Set-Cookie": "who=you; Path=/"})
    with world.crawler() as crawler:
        crawler.read(world.url("p"), bytes)
        crawler.read(world.url("q"), bytes)
    assert len(world.server.heads) == 3
    assert not [name for head in world.server.heads for name in head if name.lower() in ("cookie", "authorization")]


# Servers that send byte by byte: each byte starts a socket's time-out anew.


@contextmanager
def dripping(first: bytes, drop: bytes = b"1", longest_s: float = 4.0) -> Iterator[str]:
    """A server without robots.txt that sends the beginning of an answer at once and then a drop every 20 ms."""

    def serve(one: socket.socket) -> None:
        with one, contextlib.suppress(OSError):
            if b"/robots.txt" in one.recv(65_536):
                one.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            one.sendall(first)
            end_s = time.monotonic() + longest_s
            while time.monotonic() < end_s:
                one.sendall(drop)
                time.sleep(0.02)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                serve(listener.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
DRIPS: dict[str, tuple[bytes, bytes, str]] = {
    "head": (b"HTTP/1.1 200 OK\r\nX: ", b"a", "no whole head of an answer came within 0.6 s"),
    "status": (b"HTTP/1.1 2", b"0", "no whole head|connection failed"),
    "body": (HEAD + b"Content-Length: 100000\r\n\r\n", b"a", r"only \d+ bytes came in 0\.3"),
    "body without length": (HEAD + b"\r\n", b"a", r"only \d+ bytes came in 0\.3"),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n", r"only \d+ bytes came in 0\.3"),
    "length of a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0", r"stood still for 0\.3 s"),
    "trailer": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"a", r"stood still for 0\.3 s"),
    "reason of a refusal": (b"HTTP/1.1 403 No\r\nContent-Length: 5000\r\n\r\nCome later", b".", r"'Come later\.\."),
}


@pytest.mark.parametrize("what", DRIPS)
def test_answers_that_drip_are_broken_off(tmp_path: Path, what: str) -> None:
    first, drop, told = DRIPS[what]
    fetch = FETCH.model_copy(update={"attempts": 1, "connect_timeout_s": 0.3, "read_timeout_s": 0.3})
    with dripping(first, drop) as root, Crawler(Store(tmp_path, fetch), [root], fetch, 0.0) as crawler:
        start_s = time.monotonic()
        with pytest.raises(CrawlError, match=told):
            crawler.read(f"{root}p", bytes)
        assert time.monotonic() - start_s < 2.5
    assert len(list(tmp_path.rglob("*.json"))) == 1, "robots.txt alone is kept"


def test_a_body_that_is_slow_but_not_too_slow_is_read(tmp_path: Path) -> None:
    page = HEAD + b"Content-Length: 100000\r\n\r\n"
    fetch = FETCH.model_copy(update={"attempts": 1, "read_timeout_s": 0.3, "least_rate_kib_s": 1.0})
    with dripping(page, b"a" * 2_000) as root, Crawler(Store(tmp_path, fetch), [root], fetch, 0.0) as crawler:
        assert crawler.read(f"{root}p", bytes) == b"a" * 100_000


# Answers that their reader refuses.


def read_good(body: bytes) -> bytes:
    if body != PAGE:
        raise PageError("p: says 'back soon'")
    return body


def test_an_answer_that_its_reader_refuses_is_asked_for_again(world: World) -> None:
    world.script["/p"] = [Answer(200, b"back soon")] * 3
    lies = world.folder.rglob("*.bin")
    with world.crawler() as crawler:
        for _ in range(2):
            with pytest.raises(PageError, match=r"^p: says 'back soon' \(the answer lies in .*\.bin\)$") as caught:
                crawler.read(world.url("p"), read_good)
    assert world.count("p") == 1, "once a start"
    assert b"back soon" in {path.read_bytes() for path in lies if str(path) in str(caught.value)}
    with world.crawler(offline=True) as crawler, pytest.raises(PageError, match="back soon"):
        crawler.read(world.url("p"), read_good)
    assert world.count("p") == 1
    with world.crawler() as crawler, pytest.raises(PageError, match="back soon"):
        crawler.read(world.url("p"), read_good)
    assert world.count("p") == 2
    world.script["/p"] = Answer(200, PAGE)
    for offline in (False, False, True):
        with world.crawler(offline=offline) as crawler:
            assert crawler.read(world.url("p"), read_good) == PAGE
    assert world.count("p") == 3, "a good answer is never asked for again"
