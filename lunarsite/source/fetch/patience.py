"""How often and how long is waited for an address before the next one is asked."""

from __future__ import annotations

import email.utils
import math
import random

from lunarsite.source.fetch.errors import BrokenError, RefusedError

FIRST_WAIT_S, LONGEST_BACKOFF_S = 1.0, 60.0
_STEP_BYTES = 2**20
_MOST_STEPS = 100


class Patience:
    """Counts the tries of one address that brought nothing.

    A try that brings a good piece of the file (1 MiB and a hundredth of it) further than any before starts the count
    anew: a line that breaks every gigabyte still brings ten. So requests are bounded by 100 times the tries, whatever
    the server does.
    """

    def __init__(self, attempts: int, done: int) -> None:
        self.attempts = attempts
        self.tries = 0
        self._furthest = done

    def note(self, done: int, length: int | None) -> None:
        """Count a try that failed with `done` bytes kept of `length`."""
        if length is not None and done - self._furthest >= max(_STEP_BYTES, length // _MOST_STEPS):
            self.tries = 0
            self._furthest = done
        self.tries += 1

    @property
    def spent(self) -> bool:
        """Whether the address has had all its tries."""
        return self.tries >= self.attempts

    def wait_s(self, error: BrokenError, longest_s: float) -> float:
        """Return the seconds to the next try: what the server asked for, else twice the last wait; with jitter.

        Clients that were all cut off or told to wait at one moment must not all come back at one moment.
        """
        jitter_s = random.random() * min(1.0, longest_s)
        if error.retry_after_s is not None:
            return error.retry_after_s + jitter_s
        return min(FIRST_WAIT_S * 2.0 ** (min(self.tries, 20) - 1) + jitter_s, LONGEST_BACKOFF_S, longest_s)


def retry_after_s(value: str | None, now: float, longest_s: float) -> float | None:
    """Return the wait that a Retry-After header asks for, in seconds; None if there is none or it cannot be read.

    Args:
        value: Seconds, or a date of HTTP (RFC 9110, 10.2.3).
        now: Seconds since 1970.
        longest_s: The longest wait that is granted.

    Raises:
        RefusedError: The server asks for a longer one.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        asked = float(text[:12])
    else:
        try:
            asked = email.utils.parsedate_to_datetime(text).timestamp() - now
        except (ValueError, OverflowError):
            return None
    if not math.isfinite(asked):
        return None
    if asked > longest_s:
        raise RefusedError(
            f"asks to wait {asked:.0f} s (Retry-After), longer than source.fetch.longest_wait_s ({longest_s:g} s);"
            " start again later"
        )
    return max(asked, 0.0)
