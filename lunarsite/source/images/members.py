"""The files of an image set: those that a receipt tells of, or those below a user's folder; and whose they are."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lunarsite.artefact import contracts, download
from lunarsite.artefact.images import Credit
from lunarsite.artefact.stamp import digest
from lunarsite.source.folders import MOST_FILES
from lunarsite.source.kinds import LocalError


@dataclass(frozen=True)
class ImageSet:
    """Files by their names (with forward slashes), whose they are, and the setting or product that names them."""

    files: Mapping[str, Path]
    credit: Credit
    field: str


def fetched(receipt_file: Path) -> ImageSet:
    """Return the files of a product that has been fetched.

    Raises:
        ArtefactError: The receipt breaks its contract, or a file is gone.
    """
    receipt, _ = download.read(receipt_file, contracts.DOWNLOAD)
    credit = Credit(title=receipt.title, licence=receipt.licence, citation=receipt.citation)
    return ImageSet(download.files(receipt_file, contracts.DOWNLOAD), credit, receipt.product)


def below(folder: Path, credit: Credit, field: str) -> ImageSet:
    """Return all files below a user's folder, in the order of their names; hidden ones are left out.

    Raises:
        LocalError: There is no such folder, or it holds too many files.
    """
    if not folder.is_dir():
        raise LocalError(
            f"{field}: {folder}: does not exist as a folder; paths are relative to the folder snakemake is started in"
        )
    found: dict[str, Path] = {}
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if not name.startswith("."):
                path = Path(place) / name
                found[path.relative_to(folder).as_posix()] = path
        if len(found) > MOST_FILES:
            raise LocalError(f"{field}: {folder}: holds more than {MOST_FILES} files; name the set's own folder")
    return ImageSet(dict(sorted(found.items())), credit, field)


def digest_of(files: Mapping[str, Path]) -> str:
    """Return the SHA-256 of names and bytes of files, for a stamp: folders are no inputs that a stage is given."""
    sha = hashlib.sha256()
    for name, path in sorted(files.items()):
        sha.update(f"{digest(path)} {name}\n".encode())
    return sha.hexdigest()


def listed(names: Iterable[str], most: int = 3) -> str:
    """Return the first of some names, and how many there are, for messages."""
    ordered = sorted(names)
    return ", ".join(ordered[:most]) + (f" and {len(ordered) - most} more" if len(ordered) > most else "")
