"""The table of published products: what they are, where they lie, who made them and under which licence.

`resources/products.yaml` is the only place that knows an address. This module must not open a connection.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lunarsite.artefact import ArtefactError

Content = Literal["tiff", "jp2", "pds3-image", "pds3-label", "hdf5", "zip", "tar", "csv", "json", "text", "jpeg", "png"]
"""What a file must turn out to hold, by its first bytes."""
Access = Literal["files", "credentials", "pages", "service"]
"""files: fetched from addresses. credentials: given out to registered users, or at no address that a program may use: a
person puts the files there; without a list of files, whatever lies in the product's folder is it. pages: read one by
one. service: computed by a server on request."""
Url = Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=1_000)]
_MOST_BYTES = 4 * 2**20
_OWN_NAMES = ("receipt.json", "zenodo-record.json")
_OWN_SUFFIXES = (".part", ".part.json", ".lock")


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ProductFile(_Entry):
    """One file of a product."""

    name: Annotated[str, Field(max_length=200)]
    """Path in the product's folder, with forward slashes."""
    urls: tuple[Url, ...] = ()
    """Addresses, the best first; the others are mirrors of the same bytes. None: the record of `zenodo` gives it."""
    published_as: Annotated[str, Field(max_length=200)] | None = None
    """Name in the record of `zenodo` where it is another than `name`; may be a pattern (fnmatch) that fits one file."""
    content: Content
    bytes: Annotated[int, Field(gt=0)] | None = None
    """Size."""
    size_is: Literal["published", "estimated"] = "estimated"
    """'published': another size is an error; 'estimated': for planning only."""
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """The publisher's checksums, where it gives any; else the first download is what later ones are held against."""
    unpack: tuple[str, ...] = ()
    """Of an archive: patterns (fnmatch) of the members that are unpacked beside it; none: it is kept as it is."""

    @model_validator(mode="after")
    def _inside(self) -> Self:
        parts = PurePosixPath(self.name).parts
        plain = self.name.isprintable() and "\\" not in self.name and str(PurePosixPath(self.name)) == self.name
        if not parts or self.name.startswith("/") or ".." in parts or not plain:
            raise ValueError(f"name {self.name!r} is no plain path below the product's folder")
        if parts[-1] in _OWN_NAMES or parts[-1].startswith(".") or parts[-1].endswith(_OWN_SUFFIXES):
            raise ValueError(f"name '{self.name}' is one that fetching keeps for itself")
        if self.unpack and self.content not in ("zip", "tar"):
            raise ValueError(f"'{self.name}' is '{self.content}' and nothing can be unpacked of it")
        return self


class Product(_Entry):
    """A published product in one version."""

    title: str
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    """Version or date of release; a folder's name."""
    publisher: str
    licence: str
    citation: str
    page: Url
    """Where a person reads about it."""
    access: Access = "files"
    pole: Literal["south", "north", "both"] = "south"
    """The pole whose surroundings it shows; 'both': the whole Moon, or no place on a map."""
    zenodo: Annotated[str, Field(pattern=r"^https?://[^\s?#]+/records/[0-9]+$", max_length=200)] | None = None
    """Its record in Zenodo's API, which gives sizes, checksums and addresses of the files."""
    kaggle: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}/[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")] | None = (
        None
    )
    """Its data set on Kaggle, whose own client fetches it for users who have that and a token."""
    roots: tuple[Url, ...] = ()
    """Of pages and services: the address they lie under, and then further servers that their images come from."""
    files: tuple[ProductFile, ...] = ()
    reader: Annotated[str, Field(min_length=1)] | None = None
    """The stage that reads it. None: it is fetched for a user's own use, and no stage reads it."""
    used_by: tuple[str, ...]
    """Settings that name it, or stages that take it without being told."""
    instructions: str = ""
    """What a person does who must get it by hand."""
    notes: str = ""
    """What is known to be unsure about this entry, such as an address that could not be tried."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.access == "files" and not self.files:
            raise ValueError("access 'files' needs files")
        if self.access == "credentials" and not self.instructions:
            raise ValueError("access 'credentials' needs instructions")
        if self.kaggle is not None and (self.access != "credentials" or not self.files):
            raise ValueError("kaggle needs access 'credentials' and files")
        if self.access in ("pages", "service") and not self.roots:
            raise ValueError(f"access '{self.access}' needs roots")
        if self.reader is None and (self.used_by or self.access in ("pages", "service")):
            raise ValueError("what is used, or is no set of files, needs a reader")
        nowhere = [file.name for file in self.files if not file.urls and self.access == "files" and not self.zenodo]
        if nowhere:
            raise ValueError(f"{nowhere[0]} has no address: give urls, or zenodo, or access 'credentials'")
        if len({file.name.casefold() for file in self.files}) < len(self.files):
            raise ValueError("two files have one name, at least where capital letters do not count")
        return self

    @property
    def bytes(self) -> int | None:
        """Size of all files, None if one is unknown."""
        sizes = [file.bytes for file in self.files]
        return None if not sizes or None in sizes else sum(size for size in sizes if size is not None)


def read_products(path: Path) -> dict[str, Product]:
    """Return the products by name, in the table's order.

    Raises:
        ArtefactError: The table is missing, no YAML, or an entry breaks the schema; the message names it.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise ArtefactError(f"{path}: is larger than any table of products")
        values = yaml.load(content.decode("utf-8"), _Loader)  # noqa: S506 - it makes nothing but texts
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ArtefactError(f"{path}: is no readable table of products ({error})") from error
    entries = values.get("products") if isinstance(values, dict) else None
    if not isinstance(entries, dict) or set(values) != {"products"}:
        raise ArtefactError(f"{path}: needs one key, 'products', with an entry for each product")
    return {name: _product(path, name, entry) for name, entry in entries.items()}


def _product(path: Path, name: Any, entry: Any) -> Product:
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9][a-z0-9_]{0,63}", name):
        raise ArtefactError(f"{path}: '{name}' is no name of a product; take small letters, digits and _")
    try:
        return Product.model_validate(entry)
    except ValidationError as error:
        issues = [
            f"{'.'.join(str(part) for part in issue['loc']) or 'the entry'}: {issue['msg']}"
            for issue in error.errors(include_url=False)
        ]
        raise ArtefactError(f"{path}: product '{name}' does not hold: {'; '.join(issues[:10])}") from error


class _Loader(yaml.BaseLoader):
    """YAML in which every scalar is a text or nothing, so that version 2023 is no number; a key stands once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = sorted({key for key in keys if keys.count(key) > 1}) if len(set(keys)) < len(keys) else []
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"'{twice[0]}' stands there twice", node.start_mark)
        return super().construct_mapping(node, deep)


_NULL = "tag:yaml.org,2002:null"
_Loader.add_implicit_resolver(_NULL, re.compile(r"^(?:~|null|)$"), ["~", "n", ""])
_Loader.add_constructor(_NULL, lambda _loader, _node: None)


def product_folder(folder: Path, name: str, product: Product) -> Path:
    """Return where a product's files are kept."""
    return folder / name / product.version


def receipt_path(folder: Path, name: str, product: Product) -> Path:
    """Return the receipt of a product that has been fetched."""
    return product_folder(folder, name, product) / "receipt.json"
