"""One file: from whichever address gives it, checked before it is put in place; one process at a time."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from tenacity import RetryCallState, Retrying, retry_if_exception_type

from lunarsite.artefact import ArtefactError
from lunarsite.source.fetch.content import check_content
from lunarsite.source.fetch.digests import Digests
from lunarsite.source.fetch.errors import AddressError, BrokenError, FetchError, RefusedError, StoppedError, shown
from lunarsite.source.fetch.part import Part
from lunarsite.source.fetch.patience import Patience
from lunarsite.source.fetch.pins import Pin, Pins, changed
from lunarsite.source.fetch.room import check_room, telling_when_full
from lunarsite.source.fetch.transfer import transfer

if TYPE_CHECKING:
    from lunarsite.settings import FetchSettings
    from lunarsite.source.fetch.control import Control
    from lunarsite.source.fetch.progress import FileProgress
    from lunarsite.source.products import ProductFile

_LOG = logging.getLogger("lunarsite.fetch")
_LOCK_POLL_S = 0.1
FIRST_DOWNLOAD = "first download"
FIRST_SEEN = "first seen: it was there already"
Examine = Callable[[Path, str], None]
"""Reads a whole file, which an error calls by the second argument, before it is put in place; raises ArtefactError."""


@dataclass(frozen=True)
class Fetched:
    """A file that is in place and is the one that was asked for."""

    path: Path
    bytes: int
    sha256: str
    url: str
    """Where it came from; empty if it lay there and nothing tells."""
    checked: str
    """What it was held against: 'sha256 of the publisher', 'md5 of the publisher', 'first download', or
    'first seen: ...' of a file that nobody here has fetched."""
    md5: str | None = None
    """The publisher's md5 that it was held against."""


@dataclass(frozen=True)
class Trust:
    """What came first of a file, which later downloads must match."""

    pins: Pins
    key: str
    """'<product>/<version>/<name>'."""

    def check(self, n_bytes: int, sha256: str) -> None:
        """Raise RefusedError if other bytes came first."""
        first = self.pins.expected(self.key)
        if first is not None and (first.bytes, first.sha256) != (n_bytes, sha256):
            raise RefusedError(changed(self.pins.path, self.key, first, Pin(bytes=n_bytes, sha256=sha256, url="")))


def fetch_file(
    file: ProductFile,
    target: Path,
    sources: Sequence[str],
    settings: FetchSettings,
    progress: FileProgress,
    *,
    trust: Trust | None = None,
    examine: Examine | None = None,
    control: Control,
) -> Fetched:
    """Return a file that is in place at `target`, fetching it if it is not there.

    Only a whole file that matches its size, checksums, first download and kind of content is put in place; until then
    its bytes lie in `<name>.part` and are gone on from the next time. A file that is there already is held to the same.

    Args:
        file: What the table of products says of it.
        target: Where it goes; parent folders are made.
        sources: Addresses, asked in turn.
        settings: Tries, waits and limits.
        progress: Told of bytes.
        trust: What came first of it and where that is written down; None for a file that may change.
        examine: A further check of what the file holds.
        control: Stops the transfer.

    Raises:
        FetchError: No address gives the file; the message lists what each said. Or the file that is there is another.
        DiskError: The disk has no room for it.
        StoppedError: `control` was asked to stop.
    """
    with telling_when_full(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target, control):
            if target.is_file():
                return verify(file, target, progress, trust=trust, examine=examine, control=control)
            check_room(target.parent, 0, settings)
            said = []
            with contextlib.closing(Part(target, with_md5=file.md5 is not None)) as part:
                for url in sources:
                    try:
                        return _from_address(url, part, file, target, settings, progress, trust, examine, control)
                    except AddressError as error:
                        said.append(f"{shown(url)}: {error}")
                        _LOG.warning("%s: %s", file.name, said[-1])
    told = "".join(f"\n  {line}" for line in said) or "\n  no address is known"
    raise FetchError(f"{target}: could not be fetched:{told}\nPut the file there yourself if you have it.")


def verify(
    file: ProductFile,
    target: Path,
    progress: FileProgress,
    *,
    trust: Trust | None,
    examine: Examine | None = None,
    control: Control,
) -> Fetched:
    """Return a file that is there already, after the checks that a fetched one passes.

    Raises:
        FetchError: It is another file than the one that is meant.
    """
    size = target.stat().st_size
    progress.begin(0, size)
    with contextlib.closing(Digests(with_md5=file.md5 is not None)) as digests:
        digests.update_file(target, size, control)
    try:
        checked = _judge(target, str(target), size, digests, file, trust, examine)
    except RefusedError as error:
        raise FetchError(f"{target}: {error}; remove the file to have it fetched again") from error
    progress.begin(size, size)
    first = trust.pins.expected(trust.key) if trust is not None else None
    url = first.url if first is not None else ""
    if checked == FIRST_DOWNLOAD and not url:
        # Nobody here has fetched it: a person has put it there, or a copy of a folder without its lock file.
        checked = FIRST_SEEN
    return Fetched(target, size, digests.sha256, url, checked, file.md5)


def _from_address(
    url: str,
    part: Part,
    file: ProductFile,
    target: Path,
    settings: FetchSettings,
    progress: FileProgress,
    trust: Trust | None,
    examine: Examine | None,
    control: Control,
) -> Fetched:
    """Fetch a file from one address, with retries, and put it in place."""
    patience = Patience(settings.attempts, part.take_up(url, control))

    def wait_s(state: RetryCallState) -> float:
        # Tenacity asks for the wait first and then whether there is another try at all.
        patience.note(part.done_of(url), part.note.length if part.note is not None else None)
        return patience.wait_s(_broken(state), settings.longest_wait_s)

    def spent(state: RetryCallState) -> bool:
        return patience.spent

    def tell(state: RetryCallState) -> None:
        _LOG.warning(
            "%s: %s: %s; try %d of %d follows in %.1f s",
            *(file.name, shown(url), _broken(state), patience.tries + 1, settings.attempts),
            state.next_action.sleep if state.next_action is not None else 0.0,
        )

    checked = ""
    retrying = Retrying(
        retry=retry_if_exception_type(BrokenError),
        stop=spent,
        wait=wait_s,
        sleep=control.sleep,
        before_sleep=tell,
        reraise=True,
    )
    try:
        for attempt in retrying:
            with attempt:
                checked = _once(url, part, file, settings, progress, trust, examine, control)
    except BrokenError as error:
        raise BrokenError(f"{error} (tried {retrying.statistics['attempt_number']} times)") from error
    fetched = Fetched(target, part.done, part.digests.sha256, url, checked, file.md5)
    part.place(target)
    return fetched


def _once(
    url: str,
    part: Part,
    file: ProductFile,
    settings: FetchSettings,
    progress: FileProgress,
    trust: Trust | None,
    examine: Examine | None,
    control: Control,
) -> str:
    try:
        transfer(url, part, file, settings, control, progress)
    except (BrokenError, StoppedError):
        part.sync()
        raise
    try:
        return _judge(part.path, shown(url), part.done, part.digests, file, trust, examine)
    except RefusedError as error:
        pieced = part.resumed
        part.remove()
        if pieced:
            # Two transfers may have been of two versions, whatever the server said of them.
            raise BrokenError(f"{error}; it came in pieces and is fetched anew") from error
        raise


def _judge(
    path: Path,
    where: str,
    size: int,
    digests: Digests,
    file: ProductFile,
    trust: Trust | None,
    examine: Examine | None,
) -> str:
    """Return what a whole file was held against.

    Raises:
        RefusedError: It is another file than the one that is meant.
    """
    if file.bytes is not None and file.size_is == "published" and size != file.bytes:
        raise RefusedError(f"has {size} bytes, the publisher's file has {file.bytes}")
    try:
        check_content(path, file.content, where)
        if examine is not None:
            examine(path, where)
    except ArtefactError as error:
        raise RefusedError(str(error).removeprefix(f"{where}: ")) from error
    for name, published, found in (
        ("sha256", file.sha256, digests.sha256),
        ("md5", file.md5, digests.md5),
    ):
        if published is not None and published != found:
            raise RefusedError(f"has {name} {found}, the publisher's file has {published}")
    if trust is not None:
        trust.check(size, digests.sha256)
    published_by = "sha256" if file.sha256 is not None else "md5" if file.md5 is not None else None
    return FIRST_DOWNLOAD if published_by is None else f"{published_by} of the publisher"


def _broken(state: RetryCallState) -> BrokenError:
    error = state.outcome.exception() if state.outcome is not None else None
    return error if isinstance(error, BrokenError) else BrokenError("failed")


@contextlib.contextmanager
def locked(target: Path, control: Control) -> Iterator[None]:
    """Hold the lock file of `target`, waiting for a process that holds it; the system frees a dead process's locks.

    Raises:
        FetchError: The folder's file system has no locks.
        StoppedError: The transfers were asked to stop.
    """
    lock = FileLock(target.with_name(f"{target.name}.lock"), thread_local=False)
    told = False
    try:
        while True:
            try:
                lock.acquire(timeout=_LOCK_POLL_S, poll_interval=_LOCK_POLL_S)
                break
            except Timeout:
                control.check()
                if not told:
                    _LOG.info("%s: another process is fetching it; waits for that", target)
                    told = True
    except NotImplementedError as error:
        raise FetchError(
            f"{target.parent}: its file system has no file locks ({error}); name another folder in source.fetch.folder"
        ) from error
    try:
        yield
    finally:
        lock.release()
