"""The connections of one request, which another thread can cut: a wait for bytes has no other end but its time-out."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    from urllib3 import PoolManager


class Line:
    """Sockets that were opened for one request and the redirects after it."""

    def __init__(self) -> None:
        self.late = False
        """Whether it was cut because a limit of time had passed."""
        self._guard = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._is_cut = False

    def add(self, opened: socket.socket | None) -> None:
        """Take a socket that has been connected."""
        with self._guard:
            if opened is not None:
                self._sockets.append(opened)
            if self._is_cut:
                self._cut_all()

    def cut(self) -> None:
        """End every read and write on it, and on sockets that are still to come."""
        with self._guard:
            self._is_cut = True
            self._cut_all()

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Cut the line if the body takes longer.

        A socket's time-out begins anew with every byte; a server that sends the head of its answer byte by byte would
        hold us for hours.
        """
        timer = threading.Timer(seconds, self._cut_late)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def session(self) -> requests.Session:
        """Return a session whose connections belong to this line."""
        session = _Session()
        session.auth = _no_password
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Adapter(self))
        return session

    def _cut_late(self) -> None:
        self.late = True
        self.cut()

    def _cut_all(self) -> None:
        for one in self._sockets:
            # Those that are closed already need no cutting.
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return nothing: even where it follows no redirects requests reads a redirect's body, of whatever size."""
        return None


def _no_password(request: requests.PreparedRequest) -> requests.PreparedRequest:
    # Without this the user's ~/.netrc would be looked up for every host that a redirect leads to.
    return request


class _Adapter(HTTPAdapter):
    """Opens connections that tell their line of themselves, also those to proxies."""

    def __init__(self, line: Line) -> None:
        self._pools = _pools(line)
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **keywords: Any) -> None:
        super().init_poolmanager(*arguments, **keywords)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **keywords: Any) -> PoolManager:
        manager: PoolManager = super().proxy_manager_for(proxy, **keywords)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _pools(line: Line) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            line.add(self.sock)

    class Encrypted(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            line.add(self.sock)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}
