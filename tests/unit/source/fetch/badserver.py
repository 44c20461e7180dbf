"""A server on the loopback that serves files well, but for the answers that a script tells it to give."""

from __future__ import annotations

import hashlib
import http.server
import re
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

MODIFIED, NOW = "Mon, 01 Jan 2024 00:00:00 GMT", "Tue, 02 Jan 2024 00:00:00 GMT"


@dataclass(frozen=True)
class Answer:
    """How one request is answered; by default well."""

    status: int | None = None
    """None: 200, or 206 where a range is asked for."""
    headers: dict[str, str | None] = field(default_factory=dict)
    """Added to the usual ones, or in their place; None takes one away."""
    body: bytes | None = None
    """Instead of the file."""
    cut: int | None = None
    """The connection is broken after so many bytes of the body."""
    stall: int | None = None
    """Nothing more comes after so many bytes of the body, until the client goes away or the server ends."""
    drip: tuple[int, float] | None = None
    """Bytes and seconds between them."""
    ranges: bool = True
    """Whether a range that is asked for is given."""
    checks_range: bool = True
    """Whether If-Range is looked at."""
    chunked: bool = False
    """Chunks and no Content-Length."""
    bare: bool = False
    """Neither chunks nor Content-Length: the end of the connection ends the file."""


GOOD = Answer()


@dataclass(frozen=True)
class Request:
    """A request that came."""

    path: str
    headers: dict[str, str]

    @property
    def start(self) -> int | None:
        """First byte of the range that is asked for."""
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(found[1]) if found else None


class BadServer:
    """Files by path, the answers that each path gives in turn, and the requests that came."""

    def __init__(self, tls: Path | None = None) -> None:
        self.files: dict[str, bytes] = {}
        self.script: dict[str, list[Answer]] = {}
        """Answers in turn; the last one is given for ever after."""
        self.requests: list[Request] = []
        self.ending = threading.Event()
        self.most_at_once = 0
        """Answers that were being sent at one moment."""
        self._at_once = 0
        self._guard = threading.Lock()
        server = self

        class Handler(_Handler):
            owner = server

        self._http = _Quiet(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._http.server_port}"

    @contextmanager
    def running(self) -> Iterator[BadServer]:
        thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.ending.set()
            self._http.shutdown()
            self._http.server_close()
            thread.join()

    @contextmanager
    def counted(self) -> Iterator[None]:
        with self._guard:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield
        finally:
            with self._guard:
                self._at_once -= 1

    def next_answer(self, path: str) -> Answer:
        answers = self.script.get(path, [GOOD])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def starts(self, path: str) -> list[int | None]:
        """First bytes of the ranges that were asked of a path, in turn; None: the whole file was asked for."""
        return [request.start for request in self.requests if request.path == path]


class _Quiet(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Clients that go away in the middle are what is tested."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: BadServer

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.owner.requests.append(Request(path, dict(self.headers.items())))
        answer = self.owner.next_answer(path)
        whole = self.owner.files.get(path)
        if whole is None and answer.body is None and answer.status is None:
            answer = Answer(status=404, body=b"nothing here")
        body, status, headers = self._content(answer, whole or b"")
        self.send_response_only(answer.status or status)
        for name, value in {**headers, **answer.headers}.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        try:
            with self.owner.counted():
                self._send(answer, body)
        except OSError:
            self.close_connection = True

    def _content(self, answer: Answer, whole: bytes) -> tuple[bytes, int, dict[str, str | None]]:
        etag = f'"{hashlib.sha256(whole).hexdigest()[:12]}"'
        headers: dict[str, str | None] = {"ETag": etag, "Last-Modified": MODIFIED, "Date": NOW}
        if answer.body is not None:
            return answer.body, 200, {"Content-Length": str(len(answer.body)), "Date": NOW}
        start = Request("", dict(self.headers.items())).start
        asked = self.headers.get("If-Range")
        valid = not answer.checks_range or asked in (None, etag, MODIFIED)
        if start is None or not answer.ranges or not valid:
            if not answer.chunked and not answer.bare:
                headers["Content-Length"] = str(len(whole))
            if answer.chunked:
                headers["Transfer-Encoding"] = "chunked"
            return whole, 200, headers
        if start >= len(whole):
            return b"", 416, {"Content-Length": "0", "Content-Range": f"bytes */{len(whole)}"}
        body = whole[start:]
        headers["Content-Range"] = f"bytes {start}-{len(whole) - 1}/{len(whole)}"
        headers["Content-Length"] = str(len(body))
        return body, 206, headers

    def _send(self, answer: Answer, body: bytes) -> None:
        end = next((n for n in (answer.cut, answer.stall) if n is not None), len(body))
        if answer.drip is not None:
            size, seconds = answer.drip
            for start in range(0, end, size):
                if self.owner.ending.is_set():
                    break
                time.sleep(seconds)
                self.connection.sendall(body[start : start + size])
        elif answer.chunked:
            for start in range(0, end, 1_000):
                piece = body[start : min(start + 1_000, end)]
                self.connection.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            if end == len(body):
                self.connection.sendall(b"0\r\n\r\n")
        else:
            self.connection.sendall(body[:end])
        if answer.stall is not None:
            self.owner.ending.wait(60.0)
        if answer.cut is not None or answer.stall is not None or answer.bare:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass
