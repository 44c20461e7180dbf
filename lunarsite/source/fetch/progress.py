"""How far the files of a product are, how fast they come and how long it will take."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from lunarsite.source.fetch.errors import amount

_REPORT_S, _RATE_WINDOW_S, _RATE_STEP_S = 5.0, 60.0, 0.25


class Progress:
    """Progress of all files of a product; files may be fetched in several threads.

    Args:
        what: Its name in the log.
        tell: Takes a line for the log.
        now: The clock, seconds.
    """

    def __init__(self, what: str, tell: Callable[[str], None], now: Callable[[], float] = time.monotonic) -> None:
        self._what, self._tell, self._now = what, tell, now
        self._guard = threading.Lock()
        self._done: dict[str, int] = {}
        self._total: dict[str, int | None] = {}
        self._received: deque[tuple[float, int]] = deque()
        self._told_at = now()

    def file(self, name: str, n_bytes: int | None) -> FileProgress:
        """Return the progress of one file, of `n_bytes` if that is known."""
        with self._guard:
            self._done.setdefault(name, 0)
            self._total.setdefault(name, n_bytes)
        return FileProgress(self, name)

    def place(self, name: str, done: int, total: int | None) -> None:
        """Say where a file stands, without counting that as received."""
        with self._guard:
            self._done[name] = done
            self._total[name] = total

    def advance(self, name: str, count: int) -> None:
        """Count bytes that were received, and tell the log every five seconds."""
        now = self._now()
        with self._guard:
            self._done[name] += count
            if self._received and now - self._received[-1][0] < _RATE_STEP_S:
                # Bytes come in thousands of pieces a second.
                now_then, before = self._received.pop()
                self._received.append((now_then, before + count))
            else:
                self._received.append((now, count))
            while self._received[0][0] < now - _RATE_WINDOW_S:
                self._received.popleft()
            due = now - self._told_at >= _REPORT_S
            if due:
                self._told_at = now
            line = self._line(now) if due else None
        if line is not None:
            self._tell(line)

    def line(self) -> str:
        """Return the state in one line: 'name: 1.2 of 3.4 GiB (35 %), 5.6 MiB/s, 6 min left'."""
        with self._guard:
            return self._line(self._now())

    def _line(self, now: float) -> str:
        done = sum(self._done.values())
        known = [total for total in self._total.values() if total is not None]
        total = sum(known) if len(known) == len(self._total) else None
        seconds = now - self._received[0][0] if self._received else 0.0
        rate = sum(count for _, count in self._received) / seconds if seconds > 0.0 else 0.0
        parts = [f"{self._what}: {amount(done)}"]
        if total is not None:
            parts[0] += f" of {amount(total)} ({100.0 * min(done / max(total, 1), 1.0):.0f} %)"
        if rate > 0.0:
            parts.append(f"{amount(rate)}/s")
            if total is not None and total > done:
                parts.append(f"{duration((total - done) / rate)} left")
        return ", ".join(parts)


class FileProgress:
    """Progress of one file."""

    def __init__(self, whole: Progress, name: str) -> None:
        self._whole, self._name = whole, name

    def begin(self, done: int, total: int | None) -> None:
        """Say where the file stands when a transfer begins or it is found on disk."""
        self._whole.place(self._name, done, total)

    def advance(self, count: int) -> None:
        """Count bytes that were received."""
        self._whole.advance(self._name, count)


def duration(seconds: float) -> str:
    """Return a time for a reader: '40 s', '12 min', '3.5 h'."""
    if seconds < 100.0:
        return f"{seconds:.0f} s"
    if seconds < 6_000.0:
        return f"{seconds / 60.0:.0f} min"
    return f"{seconds / 3_600.0:.3g} h"
