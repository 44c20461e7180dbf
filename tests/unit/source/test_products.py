"""The table of products: strict, and its errors name the entry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.artefact import ArtefactError
from lunarsite.source import products as module
from lunarsite.source.products import Product, product_folder, read_products, receipt_path

FILE = {"name": "heights.tif", "urls": ["https://data.example/heights.tif"], "content": "tiff", "bytes": 7}
ENTRY: dict[str, Any] = {
    "title": "Heights",
    "version": "2023",
    "publisher": "Somebody",
    "licence": "CC BY 4.0",
    "citation": "Somebody (2023)",
    "page": "https://data.example",
    "files": [FILE],
    "reader": "published-elevation",
    "used_by": ["source.published.dem"],
}


def table(folder: Path, **changes: Any) -> Path:
    """A table with one product, some of its fields changed; None leaves a field out."""
    entry = {key: value for key, value in {**ENTRY, **changes}.items() if value is not None}
    path = folder / "products.yaml"
    path.write_text(yaml.safe_dump({"products": {"dem": entry}}), encoding="utf-8")
    return path


def test_a_product_and_its_places(tmp_path: Path) -> None:
    product = read_products(table(tmp_path))["dem"]
    assert product.bytes == 7
    assert product_folder(Path("resources"), "dem", product) == Path("resources/dem/2023")
    assert receipt_path(Path("resources"), "dem", product) == Path("resources/dem/2023/receipt.json")


def test_what_no_stage_reads_has_no_reader(tmp_path: Path) -> None:
    assert read_products(table(tmp_path, reader=None, used_by=[]))["dem"].reader is None


def test_the_order_of_the_table_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "products.yaml"
    path.write_text(yaml.safe_dump({"products": dict.fromkeys(["z", "a", "m"], ENTRY)}, sort_keys=False))
    assert list(read_products(path)) == ["z", "a", "m"]


def test_a_size_that_is_unknown_makes_the_sum_unknown(tmp_path: Path) -> None:
    files = [FILE, {**FILE, "name": "b.tif", "bytes": 3}]
    assert read_products(table(tmp_path, files=files))["dem"].bytes == 10
    assert read_products(table(tmp_path, files=[FILE, {**FILE, "name": "b.tif", "bytes": None}]))["dem"].bytes is None
    assert read_products(table(tmp_path, files=[], access="credentials", instructions="Ask."))["dem"].bytes is None


def test_a_version_without_quotes_is_a_text(tmp_path: Path) -> None:
    path = table(tmp_path)
    path.write_text(path.read_text().replace("version: '2023'", "version: 2023.10"))
    assert read_products(path)["dem"].version == "2023.10"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"titel": "Heights"}, "titel: Extra inputs"),
        ({"title": None}, "title: Field required"),
        ({"version": "../2023"}, "version: "),
        ({"version": ".."}, "version: "),
        ({"page": "file:///etc/passwd"}, "page: "),
        ({"page": "https://data.example/a b"}, "page: "),
        ({"zenodo": "https://zenodo.org/records/1133969?x"}, "zenodo: "),
        ({"zenodo": "1133969"}, "zenodo: "),
        ({"access": "ftp"}, "access: "),
        ({"files": []}, "access 'files' needs files"),
        ({"reader": None}, "what is used, or is no set of files, needs a reader"),
        ({"reader": ""}, "reader: "),
        ({"kaggle": "somebody/rocks"}, "kaggle needs access 'credentials' and files"),
        ({"kaggle": "--help/rocks"}, "kaggle: "),
        ({"kaggle": "a/b/../c"}, "kaggle: "),
        ({"files": [], "access": "credentials"}, "needs instructions"),
        ({"files": [], "access": "pages"}, "access 'pages' needs roots"),
        ({"files": [], "access": "service"}, "access 'service' needs roots"),
        ({"files": [FILE, FILE]}, "two files have one name"),
        ({"files": [FILE, {**FILE, "name": "HEIGHTS.tif"}]}, "two files have one name"),
        ({"files": [{**FILE, "urls": []}]}, "heights.tif has no address"),
    ],
)
def test_an_entry_that_does_not_hold_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = table(tmp_path, **changes)
    with pytest.raises(ArtefactError, match=r"products\.yaml: product 'dem' does not hold: ") as caught:
        read_products(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"urls": ["ftp://data.example/heights.tif"]}, "files.0.urls.0: "),
        ({"content": "exe"}, "files.0.content: "),
        ({"bytes": 0}, "files.0.bytes: "),
        ({"bytes": "many"}, "files.0.bytes: "),
        ({"md5": "A" * 32}, "files.0.md5: "),
        ({"sha256": "0" * 63}, "files.0.sha256: "),
        ({"size_is": "guessed"}, "files.0.size_is: "),
        ({"unpack": ["*.tif"]}, "nothing can be unpacked of it"),
        *(
            ({"name": name}, "no plain path below the product's folder")
            for name in ("", "/etc/passwd", "../a", "a/../../b", "a\\b", "a//b", "./a", "a/", "a\nb", "a\x00b")
        ),
        *(
            ({"name": name}, "one that fetching keeps for itself")
            for name in ("receipt.json", "a/receipt.json", "zenodo-record.json", ".hidden", "a.part", "a.lock")
        ),
    ],
)
def test_a_file_that_does_not_hold_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ArtefactError, match="product 'dem' does not hold: files") as caught:
        read_products(table(tmp_path, files=[{**FILE, **changes}]))
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["Dem", "dem-80", "../dem", "_dem", "d" * 65, "dém", ""])
def test_names_of_products_are_folders_anywhere(tmp_path: Path, name: str) -> None:
    path = tmp_path / "products.yaml"
    path.write_text(yaml.safe_dump({"products": {name: ENTRY}}))
    with pytest.raises(ArtefactError, match="is no name of a product"):
        read_products(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "needs one key, 'products'"),
        ("products: [a]", "needs one key, 'products'"),
        ("products: {}\nmore: 1", "needs one key, 'products'"),
        ("products: {a: null}", "product 'a' does not hold"),
        ("products: {a: {}, a: {}}", "'a' stands there twice"),
        ("products: {a: {title: b, title: c}}", "'title' stands there twice"),
        ("products: {? [a, b] : c}", "is no name of a product|is no readable table"),
        ("products: {a: &x [*x]}", "is no readable table"),
        ("products: !!python/object/apply:os.system [true]", "needs one key, 'products'"),
        ("products: {a: !!int ''}", "product 'a' does not hold"),
        ("products: {a", "is no readable table"),
        ("[" * 20_000, "is no readable table"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "products.yaml"
    path.write_text(text)
    with pytest.raises(ArtefactError, match=message):
        read_products(path)


def test_a_table_that_is_missing_or_far_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArtefactError, match="is no readable table"):
        read_products(tmp_path / "products.yaml")
    monkeypatch.setattr(module, "_MOST_BYTES", 100)
    with pytest.raises(ArtefactError, match="larger than any table"):
        read_products(table(tmp_path))


@given(text=st.text(st.sampled_from("products:{}[],&*!?|>-#\"' \n\tadem~0.<="), max_size=60))
def test_any_text_is_read_or_refused(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        found = read_products(path)
    except ArtefactError:
        return
    assert all(isinstance(product, Product) for product in found.values())
