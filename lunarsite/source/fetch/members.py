"""Names of an archive's members: which are wanted, and that none leads anywhere but into the folder.

Rules are those of the strictest file system that a folder may lie on, so that an archive that passes here passes
everywhere. This module must not know how archives are packed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import NoReturn

from lunarsite.artefact import ArtefactError

MOST_MEMBERS = 100_000
_MOST_NAME_BYTES, _MOST_PATH_BYTES = 255, 1_024
_MOST_DEPTH = 16
_DRIVE = re.compile(r"[A-Za-z]:")
_RECEIPT = "receipt.json"
_SHOWN = 5


class ArchiveError(ArtefactError):
    """An archive that is not unpacked; the message names it, the member, and what is wrong with it."""


class Names:
    """Names of one archive's members, one after the other.

    Args:
        archive: Its path, for messages; no member may replace it.
        patterns: Patterns (fnmatch, case counts) of the members that are wanted.
    """

    def __init__(self, archive: Path, patterns: Sequence[str]) -> None:
        self._archive = archive
        self._found = dict.fromkeys(patterns, False)
        self._seen = 0
        self._first: list[str] = []
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self.selected: list[PurePosixPath] = []

    def take(self, name: str, *, is_folder: bool) -> PurePosixPath | None:
        """Return where a member goes, relative to the folder; None if it is not wanted, or a folder.

        Raises:
            ArchiveError: Its name is not plain, stands twice among the wanted ones (case aside), or is a file's and a
                folder's; or there are too many members.
        """
        self._seen += 1
        if self._seen > MOST_MEMBERS:
            raise ArchiveError(f"{self._archive}: holds more than {MOST_MEMBERS} members, which is not read")
        path = self._checked(name.rstrip("/") if is_folder else name, name)
        if path is None or is_folder:
            return None
        if len(self._first) < _SHOWN:
            self._first.append(str(path))
        matching = [pattern for pattern in self._found if fnmatchcase(str(path), pattern)]
        if not matching:
            return None
        self._found |= dict.fromkeys(matching, True)
        self._claim(path, name)
        self.selected.append(path)
        return path

    def check_all_found(self) -> None:
        """Refuse an archive that lacks what a pattern asks for."""
        absent = [pattern for pattern, found in self._found.items() if not found]
        if absent:
            holds = ", ".join(self._first) + (", ..." if self._seen > len(self._first) else "") or "nothing"
            raise ArchiveError(
                f"{self._archive}: none of its {self._seen} members matches '{absent[0]}'; it holds {holds}:"
                " mend 'unpack' in resources/products.yaml"
            )

    def _checked(self, name: str, raw: str) -> PurePosixPath | None:
        """Return a plain relative path, None for the archive's own root ('./')."""
        if not name:
            self._refuse(raw, "is empty")
        if name.startswith("/") or _DRIVE.match(name):
            self._refuse(raw, "is absolute")
        if "\\" in name or not name.isprintable():
            # Undecodable bytes arrive as lone surrogates, which are not printable either.
            self._refuse(raw, "holds a backslash or characters that cannot be printed")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            self._refuse(raw, "leads out of the folder")
        longest = max((len(part.encode()) for part in parts), default=0)
        if longest > _MOST_NAME_BYTES or len(name.encode()) > _MOST_PATH_BYTES or len(parts) > _MOST_DEPTH:
            self._refuse(
                raw, f"is longer than {_MOST_NAME_BYTES} bytes ({_MOST_PATH_BYTES} with its folders), or too deep"
            )
        return PurePosixPath(*parts) if parts else None

    def _claim(self, path: PurePosixPath, raw: str) -> None:
        key = _key(str(path))
        if key in (_key(self._archive.name), _RECEIPT):
            self._refuse(raw, "is the archive's own, or the receipt's")
        if key in self._files:
            self._refuse(raw, "stands twice (upper and lower case are one on some disks)")
        parents = {_key(str(parent)) for parent in path.parents if parent.parts}
        if key in self._folders or parents & self._files:
            self._refuse(raw, "is a file's and a folder's")
        self._files.add(key)
        self._folders |= parents

    def _refuse(self, raw: str, wrong: str) -> NoReturn:
        shown = raw if len(raw) <= 120 else raw[:117] + "..."
        raise ArchiveError(f"{self._archive}: the name of member {shown!r} {wrong}; nothing of it is unpacked")


def _key(name: str) -> str:
    """Return a name as file systems that ignore case and the writing of accents see it."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
