"""Trust on first use: the bytes that came first are the ones that every later download must match.

Few publishers give checksums of their files. So the first download of a file is written down in `checksums.lock`, and
whoever downloads the same version of it again - on another machine, a year later - gets the same bytes or an error. The
file is text with one line of JSON for each file, sorted, so that people can read it, keep it under version control and
merge it. It must know nothing of how files are transferred.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lunarsite.artefact import ArtefactError
from lunarsite.artefact.atomic import replacing

_HEAD = """\
# What came first of each published product: bytes, sha256, and where from. Later downloads must match.
# Remove a line to accept what a publisher has released anew. Written by fetch-product.
"""
_MOST_BYTES = 16 * 2**20
_LONGEST_WAIT_S = 60.0


class Pin(BaseModel):
    """The bytes of one file as they came first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0, strict=True)]
    url: Annotated[str, Field(max_length=2_000)]
    """Where they came from; empty if a person put the file there."""


class _Line(Pin):
    key: Annotated[str, Field(pattern=r"^[^/\s]+/[^/\s]+/[^\x00-\x1f]+$", max_length=600)]


class Pins:
    """The lock file, shared by processes: read whenever it has changed, replaced in one step under a lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[tuple[int, int, int] | None, dict[str, Pin]] = (None, {})

    def expected(self, key: str) -> Pin | None:
        """Return what came first under a key, '<product>/<version>/<name>'; None if nothing did.

        Raises:
            ArtefactError: The lock file is unreadable, or one of its lines is; the message names the line.
        """
        return self._read().get(key)

    def pin(self, key: str, sha256: str, bytes: int, url: str) -> None:  # noqa: A002 - the word of receipts
        """Write down what came. Doing so again with the same bytes changes nothing.

        Raises:
            ArtefactError: Other bytes came first, the lock file does not hold, or cannot be written.
        """
        line = _Line(key=key, sha256=sha256, bytes=bytes, url=url)
        guard = self.path.with_name(f".{self.path.name}.guard")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(guard, timeout=_LONGEST_WAIT_S):
                self._add(line)
        except Timeout as error:
            raise ArtefactError(
                f"{self.path}: another process has held {guard} for {_LONGEST_WAIT_S:.0f} s; try again when it is done"
            ) from error
        except OSError as error:
            raise ArtefactError(f"{self.path}: cannot be written ({error}); later downloads rest on it") from error

    def _add(self, line: _Line) -> None:
        pins = self._read()
        first = pins.get(line.key)
        if first is not None and (first.sha256, first.bytes) == (line.sha256, line.bytes):
            return
        if first is not None:
            raise ArtefactError(changed(self.path, line.key, first, line))
        pins = {**pins, line.key: Pin(**line.model_dump(exclude={"key"}))}
        with replacing(self.path) as partial:
            partial.write_text(_HEAD + "".join(_text(key, pins[key]) for key in sorted(pins)), encoding="utf-8")

    def _read(self) -> dict[str, Pin]:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return {}
        signature = (status.st_ino, status.st_mtime_ns, status.st_size)
        if self._seen[0] != signature:
            # The signature is older than what is read: at worst the file is read once more.
            self._seen = (signature, read_pins(self.path))
        return self._seen[1]


def read_pins(path: Path) -> dict[str, Pin]:
    """Return all pins of a lock file by key.

    Raises:
        ArtefactError: It is too large, no text, or a line is no pin or a key's second one; the message names the line.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise ArtefactError(f"{path}: is larger than any lock file of downloads")
        lines = content.decode("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ArtefactError(f"{path}: is no readable lock file ({error}); restore it from a copy") from error
    pins: dict[str, Pin] = {}
    for number, text in enumerate(lines, start=1):
        if not text.strip() or text.startswith("#"):
            continue
        line = _parsed(text, f"{path}, line {number}")
        if line.key in pins:
            raise ArtefactError(f"{path}, line {number}: '{line.key}' stands there twice; keep the right one")
        pins[line.key] = Pin(**line.model_dump(exclude={"key"}))
    return pins


def changed(path: Path, key: str, first: Pin, now: Pin) -> str:
    """Return what to say when a file's bytes are not those that came first."""
    return (
        f"{key}: has changed since the first download: {now.bytes} bytes with sha256 {now.sha256[:16]}... instead of"
        f" {first.bytes} with {first.sha256[:16]}...; if the publisher has released it anew, remove its line from"
        f" {path}"
    )


def _parsed(text: str, where: str) -> _Line:
    try:
        return _Line.model_validate(json.loads(text))
    except (ValueError, RecursionError) as error:
        what = error.errors(include_url=False)[0]["msg"] if isinstance(error, ValidationError) else error
        raise ArtefactError(f"{where}: is no pin of a download ({what}); mend or remove the line") from error


def _text(key: str, pin: Pin) -> str:
    return json.dumps({"key": key, **pin.model_dump()}, ensure_ascii=False) + "\n"
