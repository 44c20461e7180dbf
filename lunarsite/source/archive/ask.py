"""One request of a crawler and its answer: bounded in bytes and in time, whatever the server sends, and how slowly.

Every request has a line of its own, which is cut when a limit of time has passed: a socket's time-out begins anew with
every byte, so a head, a body or the length of a chunk that comes byte by byte would hold us for hours.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests
import urllib3

from lunarsite import __version__
from lunarsite.source.fetch.errors import BrokenError, RefusedError
from lunarsite.source.fetch.line import Line
from lunarsite.source.fetch.patience import retry_after_s

if TYPE_CHECKING:
    from lunarsite.settings import FetchSettings

AGENT = "lunarsite"
USER_AGENT = f"{AGENT}/{__version__} (landing-site research; reads slowly, keeps what it read)"
GONE = {404, 410}
_REDIRECTS = {301, 302, 303, 307, 308}
_BUSY = {408, 425, 429, 500, 502, 503, 504}
_BLOCK_BYTES = 64 * 2**10
_EXCERPT_BYTES = 2_000


@dataclass(frozen=True)
class Wanted:
    """What is taken.

    Attributes:
        kinds: Content types; none for a robots.txt, of which any kind, any 4xx and the beginning is taken.
        most_bytes: Length of the body; more is refused.
    """

    kinds: Collection[str]
    most_bytes: int


@dataclass(frozen=True)
class Reply:
    """An answer that can be used: 200, gone, or a redirect.

    Attributes:
        status: HTTP status.
        content_type: Without parameters, in small letters.
        location: Where a redirect leads to, as it is written; None for all others.
        body: Empty unless the status is 200.
    """

    status: int
    content_type: str
    location: str | None
    body: bytes


def ask(url: str, wanted: Wanted, settings: FetchSettings, wall_s: float) -> Reply:
    """Send one request and read its answer; redirects are left to the caller.

    A head may take connect_timeout_s + read_timeout_s. In a body nothing may be waited for longer than read_timeout_s,
    and after that time least_rate_kib_s is asked of it.

    Args:
        url: The address.
        wanted: What is taken.
        settings: Limits of time.
        wall_s: Seconds since 1970, for waits that a server names by a date.

    Raises:
        BrokenError: An answer that may be better the next time: none, half a one, too slow a one, or 'busy'.
        RefusedError: An answer that would be the same the next time.
    """
    line = Line()
    with line.session() as session, _head(session, line, url, settings) as response:
        status, robots = response.status_code, not wanted.kinds
        content_type = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
        location = response.headers.get("Location")
        if status in _REDIRECTS and location:
            return Reply(status, content_type, location, b"")
        if status in _BUSY:
            wait_s = retry_after_s(response.headers.get("Retry-After"), wall_s, settings.longest_wait_s)
            raise BrokenError(f"the server is busy or in trouble (status {status})", wait_s)
        if status in GONE or (robots and 400 <= status < 500):
            return Reply(status, content_type, None, b"")
        if status != 200:
            raise RefusedError(f"the server answers with status {status}: {_excerpt(response, line, settings)}")
        if response.headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
            raise RefusedError("the answer is packed, though we asked for none such")
        if not robots and content_type not in wanted.kinds:
            raise RefusedError(
                f"the answer is '{content_type}', needed is {' or '.join(wanted.kinds)}:"
                f" {_excerpt(response, line, settings)}"
            )
        return Reply(status, content_type, None, _body(response, line, settings, wanted.most_bytes, cut=robots))


def _head(session: requests.Session, line: Line, url: str, settings: FetchSettings) -> requests.Response:
    """Send the request and return the answer, its body unread."""
    longest_s = settings.connect_timeout_s + settings.read_timeout_s
    late = BrokenError(f"no whole head of an answer came within {longest_s:g} s")
    try:
        with line.within(longest_s):
            response = session.get(
                url,
                # A small packed answer could unpack to any size.
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
                stream=True,
                allow_redirects=False,
                timeout=(settings.connect_timeout_s, settings.read_timeout_s),
            )
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        if line.late:
            raise late from error
        if isinstance(error, requests.exceptions.SSLError):
            raise RefusedError(f"the server's certificate or TLS does not hold ({error}); nothing is read") from error
        if isinstance(error, requests.ConnectionError | requests.Timeout):
            raise BrokenError(f"the connection failed ({error})") from error
        raise RefusedError(f"cannot be asked for ({error})") from error
    if line.late:
        # The standard library takes a head that breaks off for a whole one.
        response.close()
        raise late
    return response


def _body(response: requests.Response, line: Line, settings: FetchSettings, most_bytes: int, cut: bool) -> bytes:
    """Return the body; a robots.txt that is too long is cut, anything else is refused."""
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length[:18]) > most_bytes and not cut:
        raise RefusedError(f"has {length} bytes, {most_bytes} are read")
    start_s, parts, count = time.monotonic(), [], 0
    while part := _piece(response, line, settings.read_timeout_s):
        parts.append(part)
        count += len(part)
        spent_s = time.monotonic() - start_s
        if count > most_bytes:
            if cut:
                return b"".join(parts)[:most_bytes]
            raise RefusedError(f"has more than {most_bytes} bytes, which is all that is read")
        if spent_s > settings.read_timeout_s and count < spent_s * settings.least_rate_kib_s * 2**10:
            raise BrokenError(
                f"only {count} bytes came in {spent_s:.3g} s, less than source.fetch.least_rate_kib_s asks for"
            )
    if length.isdecimal() and count != int(length[:18]):
        raise BrokenError(f"{count} bytes came of {length}")
    return b"".join(parts)


def _piece(response: requests.Response, line: Line, seconds: float) -> bytes:
    """Return what has arrived, at least one byte, b'' at the end; never waits until a block is full."""
    try:
        with line.within(seconds):
            piece: bytes | None = response.raw.read1(_BLOCK_BYTES, decode_content=False)
    except urllib3.exceptions.HTTPError as error:
        if line.late or isinstance(error, urllib3.exceptions.ReadTimeoutError):
            raise BrokenError(f"the answer stood still for {seconds:g} s") from error
        raise BrokenError(f"the connection broke within the answer ({error})") from error
    if line.late:
        raise BrokenError(f"the answer stood still for {seconds:g} s")
    return piece or b""


def _excerpt(response: requests.Response, line: Line, settings: FetchSettings) -> str:
    """Return the beginning of an answer on one line: services tell there what was wrong."""
    body, end_s = b"", time.monotonic() + settings.read_timeout_s
    # The answer is refused anyway: what has come until the connection breaks is told.
    with contextlib.suppress(BrokenError):
        while len(body) < _EXCERPT_BYTES and time.monotonic() < end_s:
            piece = _piece(response, line, settings.read_timeout_s)
            if not piece:
                break
            body += piece
    words = re.sub(r"<[^>]*>", " ", body[:_EXCERPT_BYTES].decode("utf-8", errors="replace"))
    return repr(" ".join(words.split())[:300])
