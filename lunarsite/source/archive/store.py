"""What has been read is kept: answers of servers on disk, by address, so that nothing is asked for twice.

An answer is there when its note is there: the note is written last and holds the digest of the body.
"""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from lunarsite.artefact.atomic import replacing
from lunarsite.source.fetch.room import check_room, telling_when_full

if TYPE_CHECKING:
    from lunarsite.settings import FetchSettings

_LOG = logging.getLogger("lunarsite.archive")
_MOST_NOTE_BYTES = 64 * 2**10


class Note(BaseModel):
    """What is known of a kept answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    final_url: str
    """After redirects."""
    status: int
    content_type: str
    sha256: str
    bytes: int
    read_at_s: float
    """When it was read, seconds since 1970."""


@dataclass(frozen=True)
class Answer:
    """A kept answer: its note and its body."""

    note: Note
    body: bytes


class Store:
    """Answers kept in a folder."""

    def __init__(self, folder: Path, settings: FetchSettings) -> None:
        self.folder = folder
        self._settings = settings

    def find(self, url: str, most_age_s: float = float("inf")) -> Answer | None:
        """Return the kept answer for an address, if there is a whole one that is not older than that."""
        body_path, note_path = self._paths(url)
        if not note_path.exists():
            return None
        note = _read_note(note_path, url)
        if note is not None and time.time() - note.read_at_s > most_age_s:
            return None
        body = (
            body_path.read_bytes() if note and body_path.is_file() and body_path.stat().st_size == note.bytes else None
        )
        if note is None or body is None or hashlib.sha256(body).hexdigest() != note.sha256:
            _LOG.warning("%s: the kept answer for %s is damaged and will be read again", note_path, url)
            return None
        return Answer(note, body)

    def keep(self, url: str, final_url: str, status: int, content_type: str, body: bytes) -> Answer:
        """Keep an answer.

        Raises:
            FetchError: The disk has too little room, or cannot be written.
        """
        body_path, note_path = self._paths(url)
        body_path.parent.mkdir(parents=True, exist_ok=True)
        check_room(body_path.parent, len(body), self._settings)
        note = Note(
            url=url,
            final_url=final_url,
            status=status,
            content_type=content_type[:200],
            sha256=hashlib.sha256(body).hexdigest(),
            bytes=len(body),
            read_at_s=time.time(),
        )
        with telling_when_full(body_path):
            with replacing(body_path) as partial:
                partial.write_bytes(body)
            with replacing(note_path) as partial:
                partial.write_text(note.model_dump_json(indent=1) + "\n", encoding="utf-8")
        return Answer(note, body)

    def path(self, url: str) -> Path:
        """Return where the body for an address lies, or would lie."""
        return self._paths(url)[0]

    def _paths(self, url: str) -> tuple[Path, Path]:
        name = hashlib.sha256(url.encode()).hexdigest()
        folder = self.folder / name[:2]
        return folder / f"{name}.bin", folder / f"{name}.json"


def _read_note(path: Path, url: str) -> Note | None:
    """Return the note of an address; None if it is damaged or another's."""
    if path.stat().st_size > _MOST_NOTE_BYTES:
        return None
    try:
        note = Note.model_validate_json(path.read_bytes())
    except ValidationError:
        return None
    return note if note.url == url else None
