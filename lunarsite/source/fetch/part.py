"""The part of a file that has come so far: bytes, checksums and what is needed to go on after a kill.

A part is `<name>.part`, beside it `<name>.part.json` says of which version of the file it is and how many of its bytes
have reached the disk. Only those count: after a power cut a file may be longer than what was written of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lunarsite.artefact.atomic import replacing

if TYPE_CHECKING:
    from lunarsite.source.fetch.control import Control

BLOCK_BYTES = 2**20
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

    @property
    def resumable(self) -> bool:
        """Whether what is missing can be asked for and told from another version of the file."""
        return self.validator is not None and self.length is not None


class Digests:
    """SHA-256 and, where the publisher gives one, MD5 of what passes."""

    def __init__(self, with_md5: bool) -> None:
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False) if with_md5 else None

    def update(self, block: bytes | memoryview) -> None:
        """Take the next bytes."""
        self._sha256.update(block)
        if self._md5 is not None:
            self._md5.update(block)

    def update_file(self, path: Path, n_bytes: int, control: Control) -> None:
        """Take the first `n_bytes` of a file."""
        with path.open("rb", buffering=0) as file:
            block = memoryview(bytearray(BLOCK_BYTES))
            left = n_bytes
            while left > 0 and (count := file.readinto(block[: min(left, BLOCK_BYTES)])):
                control.check()
                self.update(block[:count])
                left -= count

    @property
    def sha256(self) -> str:
        """Checksum of what has passed, hexadecimal."""
        return self._sha256.hexdigest()

    @property
    def md5(self) -> str | None:
        """The same, None if none is kept."""
        return None if self._md5 is None else self._md5.hexdigest()


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
        self._synced, self._synced_at = 0, 0.0

    def take_up(self, url: str, control: Control) -> int:
        """Return how many bytes of `url` are there to go on from; what is of no use is removed."""
        if self._descriptor is not None and self.note is not None and self.note.url == url and self.note.resumable:
            return self.done
        if self._descriptor is None:
            note = self._read_note()
            if note is not None and note.url == url and note.resumable and note.done > 0:
                self._open()
                os.ftruncate(self._file, note.done)
                self.note, self.done, self._synced = note, note.done, note.done
                self.digests = Digests(self._with_md5)
                self.digests.update_file(self.path, note.done, control)
                os.lseek(self._file, note.done, os.SEEK_SET)
                return self.done
        self.remove()
        return 0

    def start(self, note: Note) -> None:
        """Begin the file anew, as the version that `note` tells of."""
        self.remove()
        self._open()
        os.ftruncate(self._file, 0)
        self.note = note
        self._write_note()

    def write(self, block: memoryview) -> None:
        """Append bytes. What has come is made safe every few seconds."""
        left = block
        while left:
            count = os.write(self._file, left)
            self.digests.update(left[:count])
            self.done += count
            left = left[count:]
        if self.done - self._synced >= _SYNC_BYTES or time.monotonic() - self._synced_at >= _SYNC_S:
            self.sync()

    def sync(self) -> None:
        """Make what has come survive a power cut."""
        if self._descriptor is None or self.note is None:
            return
        os.fsync(self._descriptor)
        self.note = self.note.model_copy(update={"done": self.done})
        self._write_note()
        self._synced, self._synced_at = self.done, time.monotonic()

    def place(self, target: Path) -> None:
        """Put the whole file in place, read-only, in one step."""
        os.fsync(self._file)
        os.fchmod(self._file, 0o444)
        self.close()
        self.path.replace(target)
        self.note_path.unlink(missing_ok=True)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def remove(self) -> None:
        """Forget what has come."""
        self.close()
        self.note_path.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        self.note, self.done, self.resumed = None, 0, False
        self.digests = Digests(self._with_md5)
        self._synced, self._synced_at = 0, time.monotonic()

    def close(self) -> None:
        """Close the file; its bytes stay for the next time."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        """Return the part itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    @property
    def _file(self) -> int:
        assert self._descriptor is not None
        return self._descriptor

    def _open(self) -> None:
        # Never through a link: the name is known to whoever may write to the folder.
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, 0o644)
        self._synced_at = time.monotonic()

    def _read_note(self) -> Note | None:
        try:
            if self.note_path.stat().st_size > _MOST_NOTE_BYTES:
                return None
            note = Note.model_validate_json(self.note_path.read_bytes())
            whole = self.path.is_file() and self.path.stat().st_size >= note.done
        except (FileNotFoundError, ValidationError):
            return None
        return note if whole and (note.length is None or note.done <= note.length) else None

    def _write_note(self) -> None:
        assert self.note is not None
        with replacing(self.note_path) as partial:
            partial.write_text(json.dumps(self.note.model_dump(), indent=1) + "\n", encoding="utf-8")
