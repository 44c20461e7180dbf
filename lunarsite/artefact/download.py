"""Receipts: what was downloaded of a published product, from where, and which bytes it is.

A receipt stands beside the files that it tells of and is what stages take as their input; `files` hands out the files
after a look at their sizes. Downloads belong to no run: several share them. The bytes are hashed once, when the receipt
is written; a stage that reads ten gigabytes need not hash them again.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lunarsite.artefact.atomic import replacing
from lunarsite.artefact.stamp import ArtefactError, Stamp, parse_stamp

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_MOST_BYTES = 64 * 2**20


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Downloaded(_Entry):
    """One file of a product."""

    name: str
    """Path relative to the receipt's folder, with forward slashes; never outside it."""
    bytes: Annotated[int, Field(ge=0)]
    sha256: Sha256
    url: str
    """Where it came from; empty if the user put it there."""
    checked: str
    """What its bytes were held against: 'md5 of the publisher', 'first download', ..."""
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    """The publisher's md5 that it was held against, if it gives one."""

    @model_validator(mode="after")
    def _inside(self) -> Self:
        parts = PurePosixPath(self.name).parts
        if not parts or self.name.startswith("/") or "\\" in self.name or ".." in parts:
            raise ValueError(f"name '{self.name}' leads out of the product's folder")
        return self


class Receipt(_Entry):
    """What is on disk of a product, and what its users must say of it."""

    product: str
    version: str
    title: str
    licence: str
    citation: str
    files: Annotated[tuple[Downloaded, ...], Field(min_length=1)]


class DownloadSpec(BaseModel):
    """Contract of a receipt."""

    model_config = ConfigDict(frozen=True)

    name: str = "download"
    portable: bool = True
    """A run may use what another has fetched."""


DOWNLOAD = DownloadSpec()
"""Receipts have this one contract. It stands here, and among the other contracts by import, so that what fetches need
not load the libraries of rasters and tables that those rest on: they would take more memory than the download."""


def write(path: Path, spec: DownloadSpec, receipt: Receipt, stamp: Stamp) -> None:
    """Write a receipt beside its files.

    Raises:
        ArtefactError: A file is missing or has another size.
    """
    _check(path, receipt)
    values = {"stamp": stamp.model_dump(mode="json"), **receipt.model_dump(mode="json")}
    with replacing(path) as partial:
        partial.write_text(json.dumps(values, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def read(path: Path, spec: DownloadSpec) -> tuple[Receipt, Stamp]:
    """Return a receipt and its stamp; its files are there and have their sizes.

    Raises:
        ArtefactError: It is missing, truncated or breaks the contract, or a file is missing or has another size.
    """
    values, stamp = _load(path, spec.name)
    try:
        receipt = Receipt.model_validate({key: value for key, value in values.items() if key != "stamp"})
    except ValidationError as error:
        raise ArtefactError(f"{path}: is no receipt ({error}); rerun fetch-product") from error
    _check(path, receipt)
    return receipt, stamp


def files(path: Path, spec: DownloadSpec) -> dict[str, Path]:
    """Return the product's files by name, in the receipt's order. See `read` for the errors raised."""
    receipt, _ = read(path, spec)
    return {file.name: path.parent / file.name for file in receipt.files}


def validate(path: Path, spec: DownloadSpec) -> None:
    """Read the receipt once and refuse what breaks the contract."""
    read(path, spec)


def read_stamp(path: Path) -> Stamp:
    """Return the stamp of any receipt."""
    return _load(path, None)[1]


def _load(path: Path, name: str | None) -> tuple[dict[str, object], Stamp]:
    if not path.exists():
        raise ArtefactError(f"{path}: does not exist; fetch the product first (fetch-product)")
    if path.stat().st_size > _MOST_BYTES:
        raise ArtefactError(f"{path}: is larger than any receipt; remove it and rerun fetch-product")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ArtefactError(f"{path}: is no readable JSON ({error}); rerun fetch-product") from error
    stamp = values.get("stamp") if isinstance(values, dict) else None
    return values, parse_stamp(json.dumps(stamp) if stamp else None, path, name)


def _check(path: Path, receipt: Receipt) -> None:
    for file in receipt.files:
        place = path.parent / file.name
        if not place.is_file():
            raise ArtefactError(
                f"{place}: does not exist, though {path.name} tells of it; remove {path} and rerun fetch-product"
            )
        if place.stat().st_size != file.bytes:
            raise ArtefactError(
                f"{place}: has {place.stat().st_size} bytes, not the {file.bytes} that were fetched; remove it and"
                f" {path}, and rerun fetch-product"
            )
