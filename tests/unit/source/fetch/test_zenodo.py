"""Zenodo's records, in the exact layout of its API's answer (records/<id>, InvenioRDM's legacy JSON)."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.artefact import ArtefactError
from lunarsite.source.fetch.zenodo import MOST_RECORD_BYTES, completed, published_checksums
from lunarsite.source.products import Product

API = "https://zenodo.org/api/records/1133969"
MD5 = "0123456789abcdef0123456789abcdef"


def entry(key: str, size: int, md5: str = MD5) -> dict[str, Any]:
    return {
        "id": "6c9ffb1c-2b7e-4f0a-9a39-3f1f5a0d5a11",
        "key": key,
        "size": size,
        "checksum": f"md5:{md5}",
        "links": {"self": f"{API}/files/{key}/content"},
    }


RECORD: dict[str, Any] = {
    "created": "2018-01-02T16:37:41.129631+00:00",
    "modified": "2020-01-24T19:26:12.217543+00:00",
    "id": 1133969,
    "conceptrecid": "1133968",
    "doi": "10.5281/zenodo.1133969",
    "conceptdoi": "10.5281/zenodo.1133968",
    "doi_url": "https://doi.org/10.5281/zenodo.1133969",
    "metadata": {
        "title": "Lunar crater tiles",
        "doi": "10.5281/zenodo.1133969",
        "publication_date": "2018-01-02",
        "description": "<p>Tiles</p>",
        "access_right": "open",
        "creators": [{"name": "A, B", "affiliation": None}],
        "resource_type": {"title": "Dataset", "type": "dataset"},
        "license": {"id": "cc-by-4.0"},
        "relations": {"version": [{"index": 0, "is_last": True, "parent": {"pid_type": "recid"}}]},
    },
    "title": "Lunar crater tiles",
    "links": {"self": API, "files": f"{API}/files", "archive": f"{API}/files-archive"},
    "updated": "2020-01-24T19:26:12.217543+00:00",
    "recid": "1133969",
    "revision": 9,
    "files": [entry("train_images.hdf5", 9_900_000_123), entry("test images.hdf5", 5, "f" * 32)],
    "swh": {},
    "owners": [{"id": "37519"}],
    "status": "published",
    "stats": {"downloads": 1, "unique_downloads": 1, "views": 1},
    "state": "done",
    "submitted": True,
}


def text(**changes: Any) -> bytes:
    return json.dumps({**copy.deepcopy(RECORD), **changes}).encode()


def product(**file: Any) -> Product:
    return Product.model_validate(
        {
            "title": "Tiles",
            "version": "2018",
            "publisher": "Zenodo",
            "licence": "CC BY 4.0",
            "citation": "A (2018)",
            "page": "https://zenodo.org/records/1133969",
            "zenodo": API,
            "files": [{"name": "train_images.hdf5", "content": "hdf5", "bytes": 9_900_000_000, **file}],
            "reader": "source-deepmoon",
            "used_by": [],
        }
    )


def test_sizes_and_checksums_by_name() -> None:
    assert published_checksums(text()) == {
        "train_images.hdf5": (MD5, 9_900_000_123),
        "test images.hdf5": ("f" * 32, 5),
    }


def test_an_estimated_size_gives_way_to_the_published_one() -> None:
    file = completed(product(), text()).files[0]
    assert (file.bytes, file.size_is, file.md5) == (9_900_000_123, "published", MD5)
    assert file.urls == (f"{API}/files/train_images.hdf5/content",)


def test_addresses_of_the_table_are_asked_first_and_none_twice() -> None:
    own = "https://mirror.example/train_images.hdf5"
    address = f"{API}/files/train_images.hdf5/content"
    assert completed(product(urls=[own]), text()).files[0].urls == (own, address)
    assert completed(product(urls=[address, own]), text()).files[0].urls == (address, own)


def test_no_address_is_taken_from_the_record() -> None:
    files = copy.deepcopy(RECORD["files"])
    files[0]["links"]["self"] = "https://evil.example/train_images.hdf5"
    assert "evil" not in str(completed(product(), text(files=files)))


@pytest.mark.parametrize("published_as", ["test images.hdf5", "test*", "t*t im*.hdf5"])
def test_a_file_may_be_published_under_another_name(published_as: str) -> None:
    file = completed(product(published_as=published_as), text()).files[0]
    assert (file.name, file.bytes) == ("train_images.hdf5", 5)
    assert file.urls == (f"{API}/files/test%20images.hdf5/content",)


def test_a_name_that_is_exact_is_no_pattern() -> None:
    files = [entry("a[1].csv", 1), entry("a1.csv", 2)]
    assert completed(product(published_as="a[1].csv"), text(files=files)).files[0].bytes == 1


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ({"name": "other.hdf5"}, r"no file of the record is 'other\.hdf5'; it has train_images\.hdf5, test images"),
        ({"published_as": "*.csv"}, r"no file of the record is '\*\.csv'"),
        ({"published_as": "*.hdf5"}, "more than one file of the record"),
        ({"md5": "e" * 32}, "the table of products says eeee"),
        ({"bytes": 7, "size_is": "published"}, "the table of products says 7"),
        ({"published_as": "test*", "md5": MD5}, f"has md5 {'f' * 32}"),
    ],
)
def test_what_the_record_contradicts_is_refused(file: dict[str, Any], message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        completed(product(**file), text())


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (text(id=7), "answers with record 7"),
        (text(id="1133969"), r"id: Input should be a valid integer"),
        (text(files=[]), "is no record with files: files"),
        (text(files=None), "is no record with files: files"),
        (text(files=[{**entry("a", 1), "checksum": "sha256:00"}]), "files.0.checksum"),
        (text(files=[{**entry("a", 1), "size": -1}]), "files.0.size"),
        (text(files=[{**entry("a", 1), "size": "1"}]), "files.0.size"),
        (text(files=[entry("../a", 1)]), "files.0.key"),
        (text(files=[entry("a\nb", 1)]), "files.0.key"),
        (text(files=[entry("train_images.hdf5", 0)]), "is empty"),
        (b'{"status": 404, "message": "The persistent identifier does not exist."}', "is no record with files"),
        (b"<!doctype html><title>Zenodo</title>", "is no readable JSON"),
        (b"[]", "is no record with files"),
        (b"\xff", "is no readable JSON"),
        (b"[" * 200_000, "is no readable JSON"),
        (b'{"id": ' + b"9" * 5_000 + b"}", "is no readable JSON"),
        (b" " * (MOST_RECORD_BYTES + 1), "is larger than any record"),
    ],
)
def test_what_is_no_record_is_refused(record: bytes, message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        completed(product(), record)


def test_a_product_without_a_record_is_an_error() -> None:
    with pytest.raises(ArtefactError, match="has no Zenodo record"):
        completed(product().model_copy(update={"zenodo": None}), text())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "files", "key", "size"]), inner),
    max_leaves=12,
)


@given(record=JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=100))
def test_any_answer_is_read_or_refused(record: bytes) -> None:
    with pytest.raises(ArtefactError):
        completed(product(), record)
