"""Polite reading of web pages: one connection to a server at a time, no faster than it wants, nothing asked for twice.

A crawler knows the servers that it may ask. It reads a server's robots.txt first, waits between requests, tells who it
is, tries again when a server is busy (as long as it says, within bounds) and keeps every answer. What is kept is never
asked for again, so a crawl that was killed goes on where it stopped. Offline it lives on what is kept.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import urljoin, urlsplit

from lunarsite.artefact import ArtefactError
from lunarsite.source.archive.ask import AGENT, GONE, Reply, Wanted, ask
from lunarsite.source.archive.markup import MOST_PAGE_BYTES
from lunarsite.source.archive.robots import MOST_BYTES as MOST_ROBOTS_BYTES
from lunarsite.source.archive.robots import Robots, read_robots
from lunarsite.source.archive.store import Answer, Store
from lunarsite.source.fetch.errors import BrokenError, RefusedError
from lunarsite.source.fetch.patience import Patience

if TYPE_CHECKING:
    from filelock import BaseFileLock

    from lunarsite.settings import FetchSettings

_LOG = logging.getLogger("lunarsite.archive")
_MOST_REDIRECTS = 5
_ROBOTS_AGE_S = 24 * 3_600.0
"""A robots.txt is read anew after a day, as RFC 9309 asks."""
_ROBOTS = Wanted((), MOST_ROBOTS_BYTES)

T = TypeVar("T")


class CrawlError(ArtefactError):
    """A page that could not be read; the message names the address, what was tried and what to do."""


class GoneError(CrawlError):
    """A page that is not there (404, 410). That is kept too: the server is not asked again."""


class OfflineError(CrawlError):
    """A page that was never read, while the network must not be used."""


class ClosedError(CrawlError):
    """A page that the server's robots.txt closes to crawlers."""


@dataclass(frozen=True)
class Clock:
    """Time, so that tests need none."""

    now_s: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    wall_s: Callable[[], float] = time.time
    """Seconds since 1970, for waits that a server names by a date."""


class Crawler:
    """Reads pages of some servers into a store. Use it as a context: it holds a lock for each server."""

    def __init__(
        self,
        store: Store,
        roots: Collection[str],
        settings: FetchSettings,
        seconds_between: float,
        clock: Clock | None = None,
    ) -> None:
        """Make a crawler that has asked for nothing yet.

        Args:
            store: Where answers are kept.
            roots: Addresses whose servers may be asked, redirects included.
            settings: Time-outs, attempts, and whether the network may be used at all.
            seconds_between: Least time between two requests to one server, seconds.
            clock: Time; the real one by default.
        """
        self.store = store
        self.requests = 0
        """Requests sent so far."""
        self._origins = {_origin(root) for root in roots}
        self._settings, self._between_s, self._clock = settings, seconds_between, clock or Clock()
        self._fresh: set[str] = set()
        """Addresses that were read from their servers since the start."""
        self._robots: dict[str, Robots] = {}
        self._ended_s: dict[str, float] = {}
        self._locks: dict[str, BaseFileLock] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for lock in self._locks.values():
            lock.release()

    def read(
        self,
        url: str,
        parse: Callable[[bytes], T],
        kinds: Collection[str] = ("text/html",),
        most_bytes: int = MOST_PAGE_BYTES,
    ) -> T:
        """Return what stands at an address, kept or fresh.

        A kept answer that `parse` refuses is asked for again, once a start: it may be a page that said 'back soon'.
        Offline it is refused again.

        Args:
            url: The address, on one of the crawler's servers.
            parse: Reads the answer; raises an ArtefactError if it is not what it should be.
            kinds: Content types that are taken.
            most_bytes: More is refused.

        Raises:
            OfflineError: It is not kept and the network must not be used.
            GoneError: It is not there.
            ClosedError: robots.txt closes it.
            CrawlError: All attempts failed, or the answer is of another kind, too long, or leads elsewhere.
            ArtefactError: What `parse` raises, with the file in which the answer lies.
        """
        answer = self.store.find(url)
        if answer is None and self._settings.offline:
            raise OfflineError(f"{url}: was not read before, and source.fetch.offline forbids the network")
        if answer is not None:
            try:
                return self._parsed(answer, parse)
            except GoneError:
                raise
            except ArtefactError as error:
                if self._settings.offline or url in self._fresh:
                    raise
                _LOG.info("%s; it is asked for again", error)
        answer = self._persist(url, Wanted(kinds, most_bytes))
        self._fresh.add(url)
        return self._parsed(answer, parse)

    def _parsed(self, answer: Answer, parse: Callable[[bytes], T]) -> T:
        url, status = answer.note.url, answer.note.status
        if status in GONE:
            raise GoneError(f"{url}: is not there (status {status})")
        try:
            return parse(answer.body)
        except ArtefactError as error:
            raise type(error)(f"{error} (the answer lies in {self.store.path(url)})") from error

    def _persist(self, url: str, wanted: Wanted, obey: bool = True) -> Answer:
        """Ask until there is an answer that can be kept."""
        patience = Patience(self._settings.attempts, 0)
        while True:
            try:
                return self._follow(url, wanted, obey)
            except RefusedError as error:
                raise CrawlError(f"{url}: {error}; what was read so far is kept") from error
            except BrokenError as error:
                patience.note(0, None)
                if patience.spent:
                    raise CrawlError(
                        f"{url}: {patience.tries} attempts failed, the last one: {error}; try again later, what was"
                        " read so far is kept"
                    ) from error
                wait_s = patience.wait_s(error, self._settings.longest_wait_s)
                _LOG.warning("%s: %s; attempt %d follows in %.0f s", url, error, patience.tries + 1, wait_s)
                self._clock.sleep(wait_s)

    def _follow(self, url: str, wanted: Wanted, obey: bool) -> Answer:
        """Ask once, and go where the server sends us as long as that is one of our servers."""
        if _origin(url) not in self._origins:
            raise CrawlError(f"{url}: is on none of the servers of the table of products (roots in products.yaml)")
        seen = [url]
        while True:
            here = seen[-1]
            self._ready(here, obey)
            reply = self._ask(here, wanted)
            if reply.location is None:
                return self.store.keep(url, here, reply.status, reply.content_type, reply.body)
            try:
                there = urljoin(here, reply.location).split("#")[0]
                urlsplit(there)
            except ValueError as error:
                raise CrawlError(f"{url}: is redirected to {reply.location[:200]!r}, which is no address") from error
            if there in seen or len(seen) > _MOST_REDIRECTS:
                raise CrawlError(f"{url}: the server sends us in a circle or too far: {' -> '.join([*seen, there])}")
            if _origin(there) not in self._origins and not self._upgraded(here, there):
                raise CrawlError(
                    f"{url}: is redirected to {there}, which is none of the servers of the table of products; look at"
                    " the address, and at 'roots' in resources/products.yaml"
                )
            seen.append(there)

    def _upgraded(self, here: str, there: str) -> bool:
        """Whether a redirect leads to the same server by https."""
        old, new = urlsplit(here), urlsplit(there)
        return (
            (old.scheme, new.scheme) == ("http", "https") and old.hostname == new.hostname and new.port in (None, 443)
        )

    def _ready(self, url: str, obey: bool) -> None:
        """Wait until the server may be asked for this address; refuse what its robots.txt closes."""
        host = urlsplit(url).netloc
        if host not in self._locks:
            self._locks[host] = self._lock(host)
        if not obey:  # the robots.txt itself
            self._wait(host, self._between_s)
            return
        origin = _origin(url)
        if origin not in self._robots:
            self._robots[origin] = self._read_robots(origin)
        rules = self._robots[origin]
        if not rules.allows(url):
            raise ClosedError(f"{url}: the server's robots.txt closes this address to crawlers; it is left alone")
        if rules.delay_s > self._settings.longest_wait_s:
            raise CrawlError(
                f"{url}: the server's robots.txt asks for {rules.delay_s:g} s between requests, longer than"
                f" source.fetch.longest_wait_s ({self._settings.longest_wait_s:g} s)"
            )
        self._wait(host, max(self._between_s, rules.delay_s))

    def _wait(self, host: str, between_s: float) -> None:
        if host in self._ended_s:
            pause_s = self._ended_s[host] + between_s - self._clock.now_s()
            if pause_s > 0.0:
                self._clock.sleep(pause_s)

    def _lock(self, host: str) -> BaseFileLock:
        """Hold a server for this process: two crawls would ask twice as fast as one may."""
        from filelock import FileLock, Timeout

        self.store.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.store.folder / f"{host.replace(':', '_')}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            _LOG.warning("%s: another process reads from this server; waiting for it (%s)", host, lock.lock_file)
            lock.acquire()
        return lock

    def _read_robots(self, origin: str) -> Robots:
        url = f"{origin}/robots.txt"
        answer = self.store.find(url, _ROBOTS_AGE_S)
        if answer is None:
            # A server in trouble keeps its rules to itself, so it is left alone; one without rules has none.
            answer = self._persist(url, _ROBOTS, obey=False)
        return read_robots(answer.body, AGENT) if answer.note.status == 200 else Robots()

    def _ask(self, url: str, wanted: Wanted) -> Reply:
        """Send one request."""
        self.requests += 1
        try:
            return ask(url, wanted, self._settings, self._clock.wall_s())
        finally:
            # The pause begins when the answer has ended: a slow server is not pressed.
            self._ended_s[urlsplit(url).netloc] = self._clock.now_s()


def store_of(folder: Path, product: str, version: str, settings: FetchSettings) -> Store:
    """Return where the answers of a product's servers are kept."""
    return Store(folder / product / version, settings)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        return f"not an address: {url[:200]}"
    return f"{parts.scheme}://{parts.netloc.lower()}"
