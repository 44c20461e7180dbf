"""One transfer: ask an address for what is missing of a file, and append what it sends to the part."""

from __future__ import annotations

import http.client
import re
import time
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import requests
import urllib3

from lunarsite.source.fetch.digests import BLOCK_BYTES
from lunarsite.source.fetch.errors import BrokenError, RefusedError, amount
from lunarsite.source.fetch.part import Note, Part, boot
from lunarsite.source.fetch.request import opened, root
from lunarsite.source.fetch.room import check_room

if TYPE_CHECKING:
    from lunarsite.settings import FetchSettings
    from lunarsite.source.fetch.control import Control
    from lunarsite.source.fetch.progress import FileProgress
    from lunarsite.source.products import ProductFile

_ESTIMATE_FACTOR, _ESTIMATE_SLACK_BYTES = 10, 64 * 2**20
"""A file this much larger than its estimated size is not the file that was meant."""
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")


def transfer(
    url: str, part: Part, file: ProductFile, settings: FetchSettings, control: Control, progress: FileProgress
) -> None:
    """Ask an address once; after it `part` holds the whole file, as far as the server tells its length.

    Raises:
        BrokenError: The transfer ended early; what has come is kept in `part`.
        RefusedError: The answer is none of the file that was asked for.
        DiskError: There is no room for it.
        StoppedError: The transfers were asked to stop.
    """
    done = part.take_up(url, control)
    note = part.note if done > 0 else None
    progress.begin(done, file.bytes if note is None else note.length)
    headers = {}
    if note is not None:
        if done == note.length:
            return
        assert note.validator is not None
        headers = {"Range": f"bytes={done}-", "If-Range": note.validator}
    if file.bytes is not None:
        check_room(part.path.parent, file.bytes - done, settings)
    with opened(url, headers, settings, control) as response:
        if headers and response.status_code == 206:
            _check_continues(response, part)
            part.resumed = True
        elif response.status_code == 200:
            note = _describe(url, response)
            _check_length(note.length, response, file)
            part.start(note)
        else:
            # 416, or a range that nobody asked for: what we have is of another version of the file.
            part.remove()
            raise BrokenError(f"answers {response.status_code} to a request that does not call for it; begins anew")
        progress.begin(part.done, part.note.length if part.note and part.note.length else file.bytes)
        if part.note is not None and part.note.length is not None:
            check_room(part.path.parent, part.note.length - part.done, settings)
        _receive(response, part, file, settings, control, progress)


def _check_continues(response: requests.Response, part: Part) -> None:
    """Check that a range is the one that was asked for, of the version that we have the beginning of."""
    note = part.note
    assert note is not None
    assert note.length is not None
    told = response.headers.get("Content-Range", "")
    found = _RANGE.fullmatch(told.strip())
    etag, modified = response.headers.get("ETag"), response.headers.get("Last-Modified")
    whole = found is not None and tuple(int(n) for n in found.groups()) == (part.done, note.length - 1, note.length)
    # A server repeats the validator that the range was asked under (RFC 9110, 15.3.7); one that is silent about it may
    # not have looked, and without a published checksum nothing else would tell two versions apart.
    same = note.validator in (etag, modified) and etag in (None, note.etag) and modified in (None, note.last_modified)
    coded = response.headers.get("Content-Encoding", "identity") != "identity"
    if not whole or not same or coded:
        why = "another part than was asked for" if not whole else "another version of the file"
        part.remove()
        raise BrokenError(f"goes on with {why} (Content-Range '{told[:100]}'); begins anew")


def _describe(url: str, response: requests.Response) -> Note:
    etag, modified = response.headers.get("ETag"), response.headers.get("Last-Modified")
    validator = None
    if etag is not None and etag.startswith('"'):
        validator = etag
    elif etag is None and _has_rested(modified, response.headers.get("Date")):
        # A weak ETag (W/"...") says that there may be versions which differ by bytes.
        validator = modified
    length = response.headers.get("Content-Length", "").strip()
    known = length.isascii() and length.isdigit() and len(length) < 19 and not response.raw.chunked
    return Note(
        url=url,
        etag=etag,
        last_modified=modified,
        validator=validator,
        length=int(length) if known else None,
        boot=boot(),
    )


def _has_rested(modified: str | None, date: str | None) -> bool:
    """Return whether a file had rested for a second when it was sent: its date is then surely of this version.

    RFC 9110, 8.8.2.2. Dates count whole seconds, so a file of the same second may still have been written to.
    """
    try:
        rested = parsedate_to_datetime(date or "") - parsedate_to_datetime(modified or "")
    except (ValueError, TypeError, OverflowError):
        # Not there, no date, or one of them without a time zone.
        return False
    return rested >= timedelta(seconds=1)


def _check_length(length: int | None, response: requests.Response, file: ProductFile) -> None:
    coding = response.headers.get("Content-Encoding", "identity").lower()
    if coding != "identity":
        raise RefusedError(f"sends the file '{coding[:40]}'-coded, though only the file as it is was asked for")
    published = file.bytes if file.size_is == "published" else None
    if length is None:
        if published is None and file.md5 is None and file.sha256 is None and not response.raw.chunked:
            raise RefusedError(
                "does not say how long the file is, and neither size nor checksum is published: its end could not be"
                " told from a connection that broke"
            )
        return
    if published is not None and length != published:
        raise RefusedError(f"offers {length} bytes; the file has {published}")
    if length > _most_bytes(file):
        raise RefusedError(
            f"offers {amount(length)}; about {amount(file.bytes or 0)} were expected (if that is the file: correct its"
            " size in the table of products)"
        )
    if length == 0:
        raise RefusedError("offers an empty file")


def _most_bytes(file: ProductFile) -> float:
    if file.bytes is None:
        return float("inf")
    if file.size_is == "published":
        return file.bytes
    return file.bytes * _ESTIMATE_FACTOR + _ESTIMATE_SLACK_BYTES


def _receive(
    response: requests.Response,
    part: Part,
    file: ProductFile,
    settings: FetchSettings,
    control: Control,
    progress: FileProgress,
) -> None:
    assert part.note is not None
    length = part.note.length
    most = _most_bytes(file) if length is None else length
    pace = _Pace(settings, part.done)
    checked_at = part.done
    while length is None or part.done < length:
        piece = _read(response, BLOCK_BYTES if length is None else min(BLOCK_BYTES, length - part.done), part, settings)
        control.check()
        if not piece:
            break
        if part.done + len(piece) > most:
            part.remove()
            raise RefusedError(f"sends more than {amount(most)}, which is more than the file has")
        part.write(piece)
        progress.advance(len(piece))
        pace.check(part.done)
        if length is None and part.done - checked_at >= 64 * BLOCK_BYTES:
            check_room(part.path.parent, 0, settings)
            checked_at = part.done
    if length is not None and part.done < length:
        raise BrokenError(_broke(part))
    if length is None and file.size_is == "published" and file.bytes is not None and part.done < file.bytes:
        raise BrokenError(f"ends after {part.done} bytes; the file has {file.bytes}")


def _read(response: requests.Response, most: int, part: Part, settings: FetchSettings) -> bytes:
    """Return what has arrived, at least one byte, b'' at the end. Never waits until `most` bytes are there."""
    try:
        return response.raw.read1(most, decode_content=False) or b""
    except urllib3.exceptions.ReadTimeoutError as error:
        raise BrokenError(f"sent nothing for {settings.read_timeout_s:g} s, after {amount(part.done)}") from error
    except urllib3.exceptions.HTTPError as error:
        cause = root(error)
        why = "" if isinstance(cause, http.client.IncompleteRead) else f" ({cause})"
        raise BrokenError(_broke(part) + why) from error


def _broke(part: Part) -> str:
    whole = f" of {amount(part.note.length)}" if part.note is not None and part.note.length is not None else ""
    return f"the connection broke after {amount(part.done)}{whole}"


class _Pace:
    """Breaks off a transfer that only drips: each drop would start the socket's time-out anew."""

    def __init__(self, settings: FetchSettings, done: int) -> None:
        self._window_s = settings.read_timeout_s
        self._least = settings.least_rate_kib_s * 2**10 * settings.read_timeout_s
        self._since, self._from = time.monotonic(), done

    def check(self, done: int) -> None:
        now = time.monotonic()
        if now - self._since < self._window_s:
            return
        if done - self._from < self._least:
            raise BrokenError(
                f"only {amount(done - self._from)} came in {now - self._since:.3g} s, less than"
                " source.fetch.least_rate_kib_s"
            )
        self._since, self._from = now, done
