"""What is on disk of a published product, from a look at names and sizes; no byte is hashed and nothing is fetched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lunarsite.artefact import ArtefactError, download
from lunarsite.source.products import Product, ProductFile, product_folder, receipt_path

State = Literal["fetched", "unverified", "partial", "missing", "damaged", "online"]
"""fetched: with a receipt that fits the table; unverified: all files are there, fetch-product will check them; partial:
some files, or a part of one; damaged: a receipt that its files do not fit, or a file that has not the published size;
online: pages or a service, asked when a run needs them."""
_PART, _OWN = ".part", (".part", ".part.json", ".lock")


@dataclass(frozen=True)
class Stock:
    """What there is of a product and what is lacking."""

    state: State
    folder: Path
    """Where its files are kept, whether it exists or not."""
    missing: tuple[ProductFile, ...] = ()
    """Files that the table lists and that are not there, or others in their place."""
    part_bytes: int = 0
    """What has come already of files that are not whole yet."""
    note: str = ""
    """What is wrong with a damaged one, or why a receipt does not count."""

    @property
    def usable(self) -> bool:
        """Whether a run goes on without fetching anything."""
        return self.state in ("fetched", "unverified")

    @property
    def bytes_to_fetch(self) -> int | None:
        """What is still to be transferred, bytes; None if a size is unknown."""
        sizes = [file.bytes for file in self.missing]
        if any(size is None for size in sizes):
            return None
        return max(0, sum(size for size in sizes if size is not None) - self.part_bytes)


def look(name: str, product: Product, folder: Path) -> Stock:
    """Return what is on disk of a product.

    Args:
        name: Its name in the table.
        product: Its entry.
        folder: Where downloads are kept (source.fetch.folder).
    """
    place = product_folder(folder, name, product)
    if product.access in ("pages", "service"):
        return Stock("online", place)
    receipt, note = receipt_path(folder, name, product), ""
    missing = tuple(file for file in product.files if _lacks(place, file))
    parts = sum(_size(place / f"{file.name}{_PART}") for file in missing)
    if receipt.exists():
        try:
            told, _ = download.read(receipt, download.DOWNLOAD)
        except ArtefactError as error:
            return Stock("damaged", place, missing, parts, str(error))
        note = _outdated(product, told)
        if not note:
            return Stock("fetched", place)
    if not product.files:
        return Stock("unverified" if any(_others(place)) else "missing", place)
    others = [file for file in missing if (place / file.name).is_file()]
    state: State = "unverified"
    if others:
        state, note = "damaged", _other_sizes(place, others)
    elif missing:
        state = "partial" if parts or len(missing) < len(product.files) else "missing"
    return Stock(state, place, missing, parts, note)


def unpacked_bytes(files: tuple[ProductFile, ...]) -> int:
    """Return roughly what unpacking takes beside the archives, bytes: as much again."""
    return sum(file.bytes or 0 for file in files if file.unpack)


def free_bytes(folder: Path) -> int:
    """Return the free space of the disk that a folder lies on, or will lie on once it is made."""
    return shutil.disk_usage(_existing(folder)).free


def same_disk(one: Path, other: Path) -> bool:
    """Whether two folders lie, or will lie once they are made, on one file system."""
    return _existing(one).stat().st_dev == _existing(other).stat().st_dev


def _existing(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that there is."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    return there


def _published_bytes(file: ProductFile) -> int | None:
    return file.bytes if file.size_is == "published" else None


def _lacks(place: Path, file: ProductFile) -> bool:
    """Return whether a file is not there, or surely another one is."""
    path = place / file.name
    return not path.is_file() or _published_bytes(file) not in (None, path.stat().st_size)


def _other_sizes(place: Path, files: list[ProductFile]) -> str:
    told = (
        f"{place / file.name} has {(place / file.name).stat().st_size} bytes, the publisher's file has {file.bytes}"
        for file in files
    )
    return f"{'; '.join(told)}; remove or replace {'it' if len(files) == 1 else 'them'}"


def _outdated(product: Product, told: download.Receipt) -> str:
    """Return what a receipt does not say, or says otherwise, of the files as the table has them now; '' if nothing."""
    entries = {entry.name: entry for entry in told.files}
    for file in product.files:
        entry = entries.get(file.name)
        if entry is None:
            return f"the receipt does not tell of {file.name}, which the table lists"
        for what, wanted, found in (
            ("size", _published_bytes(file), entry.bytes),
            ("sha256", file.sha256, entry.sha256),
            ("md5", file.md5, entry.md5),
        ):
            if wanted is not None and wanted != found:
                return f"{file.name} was not fetched under the {what} that the table gives now ({wanted})"
    return ""


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _others(place: Path) -> Iterator[Path]:
    """Yield files that a person may have put there."""
    for root, folders, names in os.walk(place):
        folders[:] = [folder for folder in folders if not folder.startswith(".")]
        yield from (Path(root, name) for name in names if not name.startswith(".") and not name.endswith(_OWN))
