"""What every running transfer obeys: the wish to stop, and the clock."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from lunarsite.source.fetch.errors import StoppedError

if TYPE_CHECKING:
    from lunarsite.source.fetch.line import Line


class Control:
    """Stops transfers that run in other threads, also those that wait for bytes, for a lock or for their next try.

    Args:
        sleep: Waits that many seconds; None waits for real. Tests pass their own.
        wall: Seconds since 1970, for waits that a server names by a date.
    """

    def __init__(self, sleep: Callable[[float], None] | None = None, wall: Callable[[], float] = time.time) -> None:
        self.wall = wall
        self._sleep = sleep
        self._stopping = threading.Event()
        self._guard = threading.Lock()
        self._open: set[Line] = set()

    def stop(self) -> None:
        """Ask every transfer to stop: those that wait for bytes are woken by cutting their lines."""
        self._stopping.set()
        with self._guard:
            for line in self._open:
                line.cut()

    def check(self) -> None:
        """Raise StoppedError if the transfers were asked to stop."""
        if self._stopping.is_set():
            raise StoppedError("stopped; what has come so far is kept and will be resumed")

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than until the transfers are asked to stop."""
        if self._sleep is not None:
            self._sleep(seconds)
        else:
            self._stopping.wait(seconds)
        self.check()

    @contextlib.contextmanager
    def watching(self, line: Line) -> Iterator[None]:
        """Have a line cut if the transfers are asked to stop meanwhile."""
        with self._guard:
            self._open.add(line)
        try:
            self.check()
            yield
        finally:
            with self._guard:
                self._open.discard(line)
