"""One request: redirects are followed one by one under rules; what goes wrong is sorted into 'again' and 'never'."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urljoin, urlsplit

import requests
import urllib3

from lunarsite import __version__
from lunarsite.source.fetch.errors import AddressError, BrokenError, RefusedError, shown
from lunarsite.source.fetch.line import Line
from lunarsite.source.fetch.patience import retry_after_s

if TYPE_CHECKING:
    from lunarsite.settings import FetchSettings
    from lunarsite.source.fetch.control import Control

USER_AGENT = f"lunarsite/{__version__} (fetches published lunar data for its user; python-requests)"
MOST_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that may be better the next time."""


@contextlib.contextmanager
def opened(
    url: str, headers: Mapping[str, str], settings: FetchSettings, control: Control
) -> Iterator[requests.Response]:
    """Yield the answer to a request, after redirects, with its body unread.

    Raises:
        BrokenError: The address cannot be reached now, or is busy.
        RefusedError: It answers with an error, a certificate that does not hold, or a redirect that is not followed.
        StoppedError: The transfers were asked to stop.
    """
    line = Line()
    with line.session() as session, control.watching(line):
        seen = [url]
        while True:
            with _ask(session, line, seen[-1], headers, settings, control) as response:
                if response.status_code not in _REDIRECTS:
                    _check_status(response, settings, control)
                    yield response
                    return
                seen.append(_next(seen, response.headers.get("Location")))


def _ask(
    session: requests.Session,
    line: Line,
    url: str,
    headers: Mapping[str, str],
    settings: FetchSettings,
    control: Control,
) -> requests.Response:
    own = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
    longest_s = settings.connect_timeout_s + settings.read_timeout_s
    control.check()
    try:
        with line.within(longest_s):
            response = session.get(
                url,
                headers={**own, **headers},
                stream=True,
                allow_redirects=False,
                timeout=(settings.connect_timeout_s, settings.read_timeout_s),
            )
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
        control.check()
        if not line.late:
            raise _sorted(error, settings) from error
        response = None
    if response is None or line.late:
        # The standard library takes a head that breaks off for a whole one.
        if response is not None:
            response.close()
        raise BrokenError(f"no whole answer within {longest_s:g} s")
    return response


def _sorted(error: Exception, settings: FetchSettings) -> AddressError:
    """Return what the failure of a request means for its address."""
    cause = root(error)
    kinds = requests.exceptions
    if isinstance(error, kinds.SSLError):
        if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return BrokenError(f"the connection ended while it was set up ({cause})")
        return RefusedError(
            f"TLS: {cause}; a server that cannot prove who it is is never trusted (behind a proxy with a certificate of"
            " its own: name its file in the environment variable REQUESTS_CA_BUNDLE)"
        )
    if isinstance(error, kinds.ConnectTimeout):
        return BrokenError(f"no connection within {settings.connect_timeout_s:g} s")
    if isinstance(error, kinds.ReadTimeout):
        return BrokenError(f"no answer within {settings.read_timeout_s:g} s")
    if isinstance(error, kinds.ConnectionError):
        return BrokenError(f"no connection ({cause})")
    return RefusedError(f"no request can be made ({cause})")


def _check_status(response: requests.Response, settings: FetchSettings, control: Control) -> None:
    status = response.status_code
    if status in (200, 206, 416):
        return
    told = f"answers {status} {response.reason or ''}".strip()
    if status in _BUSY:
        try:
            wait_s = retry_after_s(response.headers.get("Retry-After"), control.wall(), settings.longest_wait_s)
        except RefusedError as error:
            raise RefusedError(f"{told} and {error}") from error
        raise BrokenError(told, wait_s)
    raise RefusedError(told)


def _next(seen: list[str], location: str | None) -> str:
    way = " -> ".join(shown(url) for url in seen)
    if not location:
        raise RefusedError(f"redirects to nowhere ({way})")
    # Header bytes come as Latin-1; an address in UTF-8 is given back its bytes, and both are escaped.
    with contextlib.suppress(UnicodeError):
        location = location.encode("latin-1").decode("utf-8")
    try:
        url = requests.utils.requote_uri(urldefrag(urljoin(seen[-1], location)).url)
        old, new = urlsplit(seen[-1]).scheme.lower(), urlsplit(url).scheme.lower()
    except (ValueError, requests.exceptions.InvalidURL) as error:
        raise RefusedError(f"redirects to what is no address ({way} -> {location[:200]})") from error
    if new not in ("http", "https"):
        raise RefusedError(f"redirects to '{new}:', which is not followed ({way} -> {shown(url)})")
    if old == "https" and new == "http":
        raise RefusedError(f"redirects from https to http, which is not followed ({way} -> {shown(url)})")
    if url in seen:
        raise RefusedError(f"redirects in a circle ({way} -> {shown(url)})")
    if len(seen) > MOST_REDIRECTS:
        raise RefusedError(f"redirects more than {MOST_REDIRECTS} times ({way})")
    return url


def root(error: BaseException) -> BaseException:
    """Return what an error goes back to: requests wraps urllib3's errors, which wrap the socket's."""
    seen = {id(error)}
    while True:
        inner = [getattr(error, "reason", None), *error.args, error.__cause__, error.__context__]
        cause = next((one for one in inner if isinstance(one, BaseException) and id(one) not in seen), None)
        if cause is None:
            return error
        seen.add(id(cause))
        error = cause
