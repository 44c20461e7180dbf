"""One request: redirects are followed one by one under rules; what goes wrong is sorted into 'again' and 'never'."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urljoin, urlsplit

import requests

from lunarsite import __version__
from lunarsite.source.fetch.errors import BrokenError, RefusedError, shown
from lunarsite.source.fetch.patience import retry_after_s

if TYPE_CHECKING:
    from lunarsite.settings import FetchSettings
    from lunarsite.source.fetch.control import Control

USER_AGENT = f"lunarsite/{__version__} (fetches published lunar data for its user; python-requests)"
MOST_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that may be better the next time."""


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return nothing: even where it follows no redirects requests reads a redirect's body, of whatever size."""
        return None


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
    with _Session() as session:
        session.auth = _no_password
        seen = [url]
        while True:
            control.check()
            with _ask(session, seen[-1], headers, settings) as response, control.watching(response):
                if response.status_code not in _REDIRECTS:
                    _check_status(response, settings, control)
                    yield response
                    return
                seen.append(_next(seen, response.headers.get("Location")))


def _no_password(request: requests.PreparedRequest) -> requests.PreparedRequest:
    # Without this the user's ~/.netrc would be looked up for every host that a redirect leads to.
    return request


def _ask(session: requests.Session, url: str, headers: Mapping[str, str], settings: FetchSettings) -> requests.Response:
    own = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
    try:
        return session.get(
            url,
            headers={**own, **headers},
            stream=True,
            allow_redirects=False,
            timeout=(settings.connect_timeout_s, settings.read_timeout_s),
        )
    except requests.exceptions.SSLError as error:
        cause = root(error)
        if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            raise BrokenError(f"the connection ended while it was set up ({cause})") from error
        raise RefusedError(
            f"TLS: {cause}; a server that cannot prove who it is is never trusted (behind a proxy with a certificate of"
            " its own: name its file in the environment variable REQUESTS_CA_BUNDLE)"
        ) from error
    except requests.exceptions.ConnectTimeout as error:
        raise BrokenError(f"no connection within {settings.connect_timeout_s:g} s") from error
    except requests.exceptions.ReadTimeout as error:
        raise BrokenError(f"no answer within {settings.read_timeout_s:g} s") from error
    except requests.exceptions.ConnectionError as error:
        raise BrokenError(f"no connection ({root(error)})") from error
    except requests.exceptions.RequestException as error:
        raise RefusedError(f"no request can be made ({root(error)})") from error


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
