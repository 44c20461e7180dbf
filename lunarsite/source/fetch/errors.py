"""What can go wrong with a download: for now, for this address, or for good."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from lunarsite.artefact import ArtefactError


class FetchError(ArtefactError):
    """A download that cannot be had; the message says why and what to do."""


class DiskError(FetchError):
    """The disk has no room. No other address would help."""


class StoppedError(FetchError):
    """The run was asked to stop; what has come so far is kept."""


class AddressError(Exception):
    """What one address answered. Another address may still serve."""


class RefusedError(AddressError):
    """An answer that would be the same the next time."""


class BrokenError(AddressError):
    """An answer that may be better the next time."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        """Keep the reason and the wait that the server asked for, seconds."""
        super().__init__(reason)
        self.retry_after_s = retry_after_s


def shown(url: str) -> str:
    """Return an address as logs may show it: without a password, and without a query, which may carry a signature."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def amount(n_bytes: float) -> str:
    """Return a number of bytes for a reader: '512 bytes', '1.5 MiB'."""
    size = float(n_bytes)
    if size < 2**10:
        return f"{size:.0f} bytes"
    units = ["KiB", "MiB", "GiB", "TiB"]
    while (size := size / 2**10) >= 999.5 and len(units) > 1:
        units.pop(0)
    return f"{size:.3g} {units[0]}"
