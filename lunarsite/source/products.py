"""The table of published products: what they are, where they lie, who made them and under which licence.

`resources/products.yaml` is the only place that knows an address. This module must not open a connection.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

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
        if not parts or self.name.startswith("/") or "\\" in self.name or ".." in parts or parts[-1] == "receipt.json":
            raise ValueError(f"name '{self.name}' leads out of the product's folder, or is the receipt's")
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
    zenodo: Annotated[str, Field(pattern=r"^https?://[^\s?#]+/records/[0-9]+$", max_length=200)] | None = None
    """Its record in Zenodo's API, which gives sizes, checksums and addresses of the files."""
    roots: tuple[Url, ...] = ()
    """Of pages and services: the address they lie under, and then further servers that their images come from."""
    files: tuple[ProductFile, ...] = ()
    reader: str
    """Module or stage that reads it."""
    used_by: tuple[str, ...]
    """Settings that name it, or stages that take it."""
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
        if self.access in ("pages", "service") and not self.roots:
            raise ValueError(f"access '{self.access}' needs roots")
        nowhere = [file.name for file in self.files if not file.urls and self.access == "files" and not self.zenodo]
        if nowhere:
            raise ValueError(f"{nowhere[0]} has no address: give urls, or zenodo, or access 'credentials'")
        if len({file.name for file in self.files}) < len(self.files):
            raise ValueError("two files have one name")
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
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ArtefactError(f"{path}: is no readable table of products ({error})") from error
    entries = values.get("products") if isinstance(values, dict) else None
    if not isinstance(entries, dict):
        raise ArtefactError(f"{path}: needs one key, 'products', with an entry for each product")
    found = {}
    for name, entry in entries.items():
        try:
            found[str(name)] = Product.model_validate(entry)
        except ValidationError as error:
            raise ArtefactError(f"{path}: product '{name}' does not hold: {error}") from error
    return found


def product_folder(folder: Path, name: str, product: Product) -> Path:
    """Return where a product's files are kept."""
    return folder / name / product.version


def receipt_path(folder: Path, name: str, product: Product) -> Path:
    """Return the receipt of a product that has been fetched."""
    return product_folder(folder, name, product) / "receipt.json"
