"""The part of a file that has come so far: bytes, checksums and what is needed to go on after a kill.

A part is `<name>.part`, beside it `<name>.part.json` says of which version of the file it is and how many of its bytes
have reached the disk. A process that is killed loses nothing that it wrote. After a power cut only what had reached the
disk counts: a file may then be longer than what is right of it.
"""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lunarsite.artefact.atomic import replacing
from lunarsite.source.fetch.digests import Digests

if TYPE_CHECKING:
    from lunarsite.source.fetch.control import Control

_SYNC_BYTES, _SYNC_S = 64 * 2**20, 5.0
_MOST_NOTE_BYTES = 2**16


class Note(BaseModel):
    """What `<name>.part.json` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    """Address that was asked. The one it led to may have been good for one request only."""
    etag: str | None
    last_modified: str | None
    validator: str | None
    """What If-Range is given; None if nothing names the version so surely that a transfer could be resumed."""
    length: Annotated[int, Field(ge=0)] | None
    """Size of the whole file, bytes, as the server tells it."""
    done: Annotated[int, Field(ge=0)] = 0
    """Bytes that have reached the disk."""
    boot: str | None = None
    """Names the run of the system in which they were written; None if it gives itself no name."""

    @property
    def resumable(self) -> bool:
        """Whether what is missing can be asked for and told from another version of the file."""
        return self.validator is not None and self.length is not None


class Part:
    """The part of `target` that has come so far.

    Every byte that is written is hashed on its way; a part that another process left is hashed when it is taken up.
    """

    def __init__(self, target: Path, with_md5: bool) -> None:
        self.path = target.with_name(f"{target.name}.part")
        self.note_path = target.with_name(f"{target.name}.part.json")
        self.note: Note | None = None
        self.done = 0
        self.resumed = False
        """Whether its bytes came in more than one transfer."""
        self._with_md5 = with_md5
        self.digests = Digests(with_md5)
        self._descriptor: int | None = None
        self._syncer = ThreadPoolExecutor(1, "sync")
        self._syncing: Future[None] | None = None
        self._synced, self._synced_at = 0, 0.0

    def take_up(self, url: str, control: Control) -> int:
        """Return how many bytes of `url` are there to go on from.

        What came from another address stays until a new file is begun: that address may be asked again tomorrow.
        """
        if self._descriptor is None:
            note = self._read_note()
            if note is None or note.url != url or not note.resumable or note.done == 0:
                return 0
            self._open()
            os.ftruncate(self._file, note.done)
            os.lseek(self._file, note.done, os.SEEK_SET)
            self.note, self.done, self._synced = note, note.done, note.done
            self._renew_digests()
            self.digests.update_file(self.path, note.done, control)
            self.resumed = True
        return self.done_of(url) if self.note is not None and self.note.resumable else 0

    def done_of(self, url: str) -> int:
        """Return how many bytes have come from `url`."""
        return self.done if self.note is not None and self.note.url == url else 0

    def start(self, note: Note) -> None:
        """Begin the file anew, as the version that `note` tells of."""
        self.remove()
        self._open()
        os.ftruncate(self._file, 0)
        self.note = note
        _write_note(self.note_path, note)

    def write(self, block: bytes) -> None:
        """Append bytes. What has come is made safe every few seconds, while more comes."""
        left = memoryview(block)
        while left:
            left = left[os.write(self._file, left) :]
        self.digests.update(block)
        self.done += len(block)
        if self.done - self._synced >= _SYNC_BYTES or time.monotonic() - self._synced_at >= _SYNC_S:
            if self._syncing is not None and not self._syncing.done():
                return
            self._wait_for_sync()
            self._syncing = self._syncer.submit(self._make_safe, self._next_note())

    def sync(self) -> None:
        """Make what has come survive a power cut."""
        if self._descriptor is not None and self.note is not None:
            self._wait_for_sync()
            self._make_safe(self._next_note())

    def place(self, target: Path) -> None:
        """Put the whole file in place, read-only, in one step."""
        self._wait_for_sync()
        os.fsync(self._file)
        os.fchmod(self._file, 0o444)
        self._close_file()
        self.path.replace(target)
        self.note_path.unlink(missing_ok=True)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def remove(self) -> None:
        """Forget what has come."""
        self._close_file()
        self.note_path.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        self.note, self.done, self.resumed = None, 0, False
        self._synced, self._synced_at = 0, time.monotonic()
        self._renew_digests()

    def close(self) -> None:
        """Close the file and end the threads; what has been made safe stays for the next time."""
        self._syncer.shutdown(wait=True)
        self.digests.close()
        self._close_file()

    def _next_note(self) -> Note:
        assert self.note is not None
        self.note = self.note.model_copy(update={"done": self.done})
        self._synced, self._synced_at = self.done, time.monotonic()
        return self.note

    def _make_safe(self, note: Note) -> None:
        # First the bytes, then the note that tells of them.
        os.fsync(self._file)
        _write_note(self.note_path, note)

    def _wait_for_sync(self) -> None:
        syncing, self._syncing = self._syncing, None
        if syncing is not None:
            syncing.result()

    def _renew_digests(self) -> None:
        self.digests.close()
        self.digests = Digests(self._with_md5)

    @property
    def _file(self) -> int:
        assert self._descriptor is not None
        return self._descriptor

    def _open(self) -> None:
        # Never through a link: the name is known to whoever may write to the folder.
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, 0o644)
        self._synced_at = time.monotonic()

    def _close_file(self) -> None:
        if self._descriptor is not None:
            try:
                self._wait_for_sync()
            finally:
                os.close(self._descriptor)
                self._descriptor = None

    def _read_note(self) -> Note | None:
        """Return what the part is, with the bytes that can be gone on from; None if it is of no use."""
        try:
            if self.note_path.stat().st_size > _MOST_NOTE_BYTES:
                return None
            note = Note.model_validate_json(self.note_path.read_bytes())
            size = self.path.lstat().st_size
        except (FileNotFoundError, ValidationError):
            return None
        whole = self.path.is_file() and not self.path.is_symlink() and size >= note.done
        if whole and note.boot is not None and note.boot == boot():
            note = note.model_copy(update={"done": size})
        return note if whole and (note.length is None or note.done <= note.length) else None


def boot() -> str | None:
    """Return what names this run of the operating system: what it holds in memory for the disk is not lost in it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None


def _write_note(path: Path, note: Note) -> None:
    with replacing(path) as partial:
        partial.write_text(json.dumps(note.model_dump(), indent=1) + "\n", encoding="utf-8")
