"""Servers on loopback: one with scripted answers, and the three of the made-up sky."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml

from lunarsite.source.archive.crawl import Clock
from tests.layouts import pages


@dataclass
class Answer:
    """An answer; `cut` ends the connection after so many bytes of the body, `parts` follow it."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "text/html; charset=utf-8"})
    cut: int | None = None
    parts: Callable[[], Iterator[bytes]] | None = None


Respond = Callable[[str], Answer]


@dataclass
class Server:
    """A running server: its address, what it was asked for (path with query), with which headers and by whom."""

    root: str
    asked: list[str] = field(default_factory=list)
    heads: list[dict[str, str]] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    open_at_once: int = 0
    _open: int = 0
    _guard: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def serving(respond: Respond) -> Iterator[Server]:
    """Serve answers on loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with server._guard:
                server._open += 1
                server.open_at_once = max(server.open_at_once, server._open)
                server.asked.append(self.path)
                server.heads.append(dict(self.headers.items()))
                server.agents.add(self.headers.get("User-Agent", ""))
            answer = respond(self.path)
            body = answer.body if answer.cut is None else answer.body[: answer.cut]
            self._head(answer)
            if body:
                self.end_headers()
                self.wfile.write(body[:-1])
            # A client that has the last byte may send its next request before this thread goes on.
            with server._guard:
                server._open -= 1
            if not body:
                self.end_headers()
            self.wfile.write(body[-1:])
            for part in answer.parts() if answer.parts else ():
                self.wfile.write(part)
            self.close_connection = answer.cut is not None

        def _head(self, answer: Answer) -> None:
            self.send_response(answer.status)
            length = {} if "Transfer-Encoding" in answer.headers else {"Content-Length": str(len(answer.body))}
            for name, value in {**length, **answer.headers}.items():
                self.send_header(name, value)

        def log_message(self, *_: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A client that hangs up before it has read everything is no error."""

    http = Quiet(("127.0.0.1", 0), Handler)
    server = Server(f"http://127.0.0.1:{http.server_address[1]}/")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


class FakeClock:
    """Time that passes only while someone sleeps, and the sleeps."""

    def __init__(self) -> None:
        self.time_s = 1_000.0
        self.sleeps_s: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.sleeps_s.append(seconds)
        self.time_s += seconds

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.time_s, self.sleep, lambda: self.time_s)


@dataclass
class Sky:
    """The servers of the made-up sky, and a table of products that points to them."""

    hubble: Server
    webb: Server
    hips2fits: Server
    products: Path

    @property
    def asked(self) -> list[str]:
        """Everything that was asked for."""
        return [*self.hubble.asked, *self.webb.asked, *self.hips2fits.asked]


@contextmanager
def sky(folder: Path, faults: dict[str, list[Answer]] | None = None, delay_s: float = 0.0) -> Iterator[Sky]:
    """Serve the made-up sky.

    Args:
        folder: Where its files and the table of products are written.
        faults: Answers that are given once each, in turn, instead of the right one, by path without query.
        delay_s: Time that every answer takes.
    """
    scripted = faults or {}
    made: dict[str, bytes] = {}

    def respond_from(site: Path) -> Respond:
        def respond(path: str) -> Answer:
            time.sleep(delay_s)
            plain = urlsplit(path).path
            if scripted.get(plain):
                return scripted[plain].pop(0)
            place = site / (plain + "index.html" if plain.endswith("/") else plain).lstrip("/")
            if not place.is_file():
                return Answer(404, b"<html><body>Not here</body></html>")
            kind = {".html": "text/html", ".jpg": "image/jpeg", ".txt": "text/plain"}[place.suffix]
            return Answer(200, place.read_bytes(), {"Content-Type": kind})

        return respond

    def cutouts(path: str) -> Answer:
        time.sleep(delay_s)
        parts = urlsplit(path)
        if scripted.get(parts.path):
            return scripted[parts.path].pop(0)
        if parts.path != "/hips-image-services/hips2fits":
            return Answer(404)
        try:
            if path not in made:
                made[path] = pages.cutout(dict(parse_qsl(parts.query, strict_parsing=True)))
        except ValueError as error:
            return Answer(
                400,
                f'{{"title": "Bad Request", "description": "{error}"}}'.encode(),
                {"Content-Type": "application/json"},
            )
        return Answer(200, made[path], {"Content-Type": "image/png"})

    sites = {"esahubble_images": folder / "hubble", "esawebb_images": folder / "webb"}
    for product, place in sites.items():
        pages.write(product, place)
    with (
        serving(respond_from(folder / "hubble")) as hubble,
        serving(respond_from(folder / "webb")) as webb,
        serving(cutouts) as service,
    ):
        products = folder / "products.yaml"
        roots = {
            "esahubble_images": [hubble.root, f"{hubble.root}cdn/"],
            "esawebb_images": [webb.root, f"{webb.root}cdn/"],
            "hips2fits": [f"{service.root}hips-image-services/hips2fits"],
        }
        products.write_text(yaml.safe_dump({"products": {key: entry(key, root) for key, root in roots.items()}}))
        yield Sky(hubble, webb, service, products)


def entry(key: str, roots: list[str]) -> dict[str, Any]:
    """Return an entry of the table of products."""
    words = dict.fromkeys(("title", "publisher", "citation"), key) | {"licence": "CC BY 4.0", "reader": "archive-index"}
    access = "service" if key == "hips2fits" else "pages"
    return {**words, "version": "1", "page": roots[0], "access": access, "roots": roots, "used_by": ["tests"]}
