"""One call of the fetcher as tests make it: short waits, no log of progress."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lunarsite.settings import FetchSettings
from lunarsite.source.fetch.control import Control
from lunarsite.source.fetch.file import Fetched, Trust, fetch_file
from lunarsite.source.fetch.progress import Progress
from lunarsite.source.products import ProductFile

from .badserver import BadServer
from .case import ATTEMPTS, BODY

WALL = 1_704_153_600.0
"""2024-01-02 00:00:00 UTC, which the bad server's answers carry as their date."""
SHA256 = hashlib.sha256(BODY).hexdigest()


class Waits(Control):
    """Waits for nothing, and keeps what it should have waited for, seconds."""

    def __init__(self) -> None:
        super().__init__(sleep=self._note, wall=lambda: WALL)
        self.waits_s: list[float] = []

    def _note(self, seconds: float) -> None:
        self.waits_s.append(seconds)


def settings(folder: Path, **changes: Any) -> FetchSettings:
    plain = {"folder": folder, "attempts": ATTEMPTS, "spare_disk_gib": 0.001, "read_timeout_s": 5.0}
    return FetchSettings.model_validate({**plain, "connect_timeout_s": 5.0, **changes})


def product_file(**changes: Any) -> ProductFile:
    return ProductFile.model_validate({"name": "file.img", "content": "pds3-image", **changes})


def fetch(
    folder: Path,
    sources: Sequence[str],
    control: Control | None = None,
    trust: Trust | None = None,
    file: dict[str, Any] | None = None,
    **changes: Any,
) -> Fetched:
    entry = product_file(**(file or {}))
    bar = Progress("test", lambda line: None).file(entry.name, entry.bytes)
    target = folder / entry.name
    return fetch_file(entry, target, sources, settings(folder, **changes), bar, trust=trust, control=control or Waits())


def leftovers(folder: Path) -> list[str]:
    """Names of what lies in a folder, but for lock files."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def serving(server: BadServer, body: bytes = BODY, path: str = "/file.img") -> str:
    """Put a file on a server and return its address."""
    server.files[path] = body
    return server.url + path
