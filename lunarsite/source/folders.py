"""The state of a user's folder, from names, sizes and times alone: what tells a workflow that its content has changed.

A folder is no input of a rule: its own time changes only with what lies directly in it, and listing a hundred thousand
images as inputs would slow every start. No byte is read here; the stages hash what they read.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

MOST_FILES = 1_000_000
"""A set of images holds fewer. Beyond this the number of files is all that counts, and the stage refuses the folder."""


def state_of(*folders: Path | None) -> str:
    """Return a digest of the relative names, sizes and times of all files below some folders, hidden ones left out.

    Folders that are not named or do not exist count as such: the stage that reads them says what is wrong.
    """
    sha = hashlib.sha256()
    for folder in folders:
        sha.update(b"none\n" if folder is None else b"folder\n")
        for number, line in enumerate([] if folder is None else sorted(_lines(folder))):
            if number >= MOST_FILES:
                sha.update(b"and more\n")
                break
            sha.update(line)
    return sha.hexdigest()[:16]


def _lines(folder: Path) -> Iterator[bytes]:
    """Yield name, size and time of each file, none more than can be counted."""
    count = 0
    for place, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in names:
            path = Path(place) / name
            if name.startswith(".") or not path.is_file():
                continue
            told = path.stat()
            yield os.fsencode(path.relative_to(folder)) + f"\0{told.st_size}\0{told.st_mtime_ns}\n".encode()
            count += 1
            if count > MOST_FILES:
                return
