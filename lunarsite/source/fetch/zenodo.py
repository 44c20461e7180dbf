"""What a Zenodo record says of its files: names, sizes and md5 sums.

The text is another's: its size is bounded before it is parsed, everything in it is checked, and no address is taken
from it - files lie where Zenodo's API puts them, under the record's own address.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lunarsite.artefact import ArtefactError
from lunarsite.source.products import Product, ProductFile

MOST_RECORD_BYTES = 8 * 2**20
"""No record is larger: one with thousands of files has a megabyte."""


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    key: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^/\\\x00-\x1f]+$")]
    size: Annotated[int, Field(ge=0)]
    checksum: Annotated[str, Field(pattern=r"^md5:[0-9a-f]{32}$")]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    id: int
    files: Annotated[list[_File], Field(min_length=1, max_length=20_000)]


def published_checksums(record: bytes, where: str = "the Zenodo record") -> dict[str, tuple[str, int]]:
    """Return md5 and size (bytes) of a record's files by name, from the JSON that the API gives for a record.

    Raises:
        ArtefactError: The text is too long, no JSON, no record, or lists no files.
    """
    return {file.key: (file.checksum.removeprefix("md5:"), file.size) for file in _parsed(record, where).files}


def check_record(path: Path, product: Product, where: str) -> None:
    """Check that a file is the record of a product; whether the table agrees with it is another question.

    Args:
        path: What was answered, or lies there.
        product: A product with `zenodo`.
        where: How an error calls the file.

    Raises:
        ArtefactError: It is none, or another one's.
    """
    _record_of(product, read_record(path), where)


def read_record(path: Path) -> bytes:
    """Return a file's text, cut off one byte after the longest that a record can have."""
    with path.open("rb") as file:
        return file.read(MOST_RECORD_BYTES + 1)


def completed(product: Product, record: bytes) -> Product:
    """Return a product with the sizes, md5 sums and addresses that its record gives; addresses of the table go first.

    Args:
        product: A product with `zenodo`.
        record: What the API answers under that address, no longer than MOST_RECORD_BYTES.

    Raises:
        ArtefactError: The text is no record or another one's, lacks a file, or contradicts the table's size or md5.
    """
    if product.zenodo is None:
        raise ArtefactError(f"{product.title}: has no Zenodo record")
    where = product.zenodo
    parsed = _record_of(product, record, where)
    files = tuple(_completed(file, _chosen(file, parsed, where), where) for file in product.files)
    return product.model_copy(update={"files": files})


def _record_of(product: Product, record: bytes, where: str) -> _Record:
    parsed = _parsed(record, where)
    if product.zenodo is None or parsed.id != int(product.zenodo.rsplit("/", 1)[1]):
        raise ArtefactError(
            f"{where}: answers with record {parsed.id}, not with {product.zenodo}; correct 'zenodo' in the table if"
            " that is wrong"
        )
    return parsed


def _parsed(record: bytes, where: str) -> _Record:
    if len(record) > MOST_RECORD_BYTES:
        raise ArtefactError(f"{where}: is larger than any record ({len(record)} bytes)")
    try:
        return _Record.model_validate(json.loads(record))
    except ValidationError as error:
        issue = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in issue["loc"]) or "(root)"
        raise ArtefactError(f"{where}: is no record with files: {place}: {issue['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise ArtefactError(f"{where}: is no readable JSON ({error})") from error


def _chosen(file: ProductFile, record: _Record, where: str) -> _File:
    wanted = file.published_as or file.name
    exact = [entry for entry in record.files if entry.key == wanted]
    found = exact or [entry for entry in record.files if file.published_as and fnmatchcase(entry.key, wanted)]
    if len(found) != 1:
        names = ", ".join(entry.key for entry in record.files[:20])
        raise ArtefactError(
            f"{where}: {'no file' if not found else 'more than one file'} of the record is '{wanted}'; it has {names}."
            f" Name the right one in the table of products ('published_as' of {file.name})"
        )
    return found[0]


def _completed(file: ProductFile, entry: _File, where: str) -> ProductFile:
    md5 = entry.checksum.removeprefix("md5:")
    if file.md5 is not None and file.md5 != md5:
        raise ArtefactError(f"{where}: {entry.key} has md5 {md5}, the table of products says {file.md5}")
    if file.size_is == "published" and file.bytes is not None and file.bytes != entry.size:
        raise ArtefactError(f"{where}: {entry.key} has {entry.size} bytes, the table of products says {file.bytes}")
    if entry.size == 0:
        raise ArtefactError(f"{where}: {entry.key} is empty")
    address = f"{where}/files/{quote(entry.key)}/content"
    urls = file.urls if address in file.urls else (*file.urls, address)
    return file.model_copy(update={"md5": md5, "bytes": entry.size, "size_is": "published", "urls": urls})
