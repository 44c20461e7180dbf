"""The page of published products, docs/products.md, as the table of products gives it.

`python -m lunarsite.source.product_page` writes it into docs/ of the current folder; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from lunarsite.source.fetch.errors import amount
from lunarsite.source.products import Product, read_products

_ACCESS = {
    "files": "is fetched",
    "credentials": "a person gets it",
    "pages": "pages are read",
    "service": "is asked for each image",
}
_HEAD = """\
# Published products

What a real run reads from outside: what it is, who made it and under which licence, and where it lies. Generated from
`resources/products.yaml` (`python -m lunarsite.source.product_page`); that file is the only one that knows an address.

    python -m lunarsite sources                      all products, what is on disk of them, what sets of images read
      --configfile workflow/runs/south_pole.yaml     and what that run would fetch and cost
      --offline                                      fails if that run lacks a product
      --json                                         the same for programs

The command opens no connection and hashes nothing; it looks at names and sizes. A product is *fetched* when a receipt
stands beside its files; *there, not verified* when only the files do (the run checks them before it reads them);
*partly there* when files or the rest of one are lacking; and *damaged* when its files do not fit its receipt.
`--offline`, or `source.fetch.offline: true`, ends with status 3 and lists each missing file with its size, its
addresses and the folder to put it in. What fetching does with servers that fail is on its own page
([fetching](fetching.md)).

What a run costs is estimated from its settings alone (`lunarsite/plan.py`): processor time and memory of each stage, by
laws through measured runs and the figures of the rooms' pages. At 240 m it is within a factor of two of each stage of
the default run, which a test holds; "guessed" marks stages of which no large run has been measured.

Addresses, names of files and sizes that could not be tried when the table was written say so under "Unsure". If one has
moved: correct it in the table, name a mirror (`source.fetch.mirrors`), or put the files into
`resources/<product>/<version>/` yourself; they are checked in the same way. Sizes marked "about" are estimated from the
number of pixels or rows.

Whoever passes on results keeps to the licences and citations below; the page of provenance that each run writes repeats
those of the products it read. The strictest is that of the rock images, CC BY-NC-SA 4.0: images and models made from
them must say so.

"""


def page_text(products: Mapping[str, Product]) -> str:
    """Return the page."""
    return _HEAD + "\n".join([*_overview(products), "", *_details(products)]) + "\n"


def _overview(products: Mapping[str, Product]) -> Iterator[str]:
    yield "| product | what | version | size | licence | how |"
    yield "|---|---|---|---|---|---|"
    for name, product in products.items():
        size = _size(product.bytes, all(file.size_is == "published" for file in product.files))
        cells = (f"[{name}](#{name})", product.title, product.version, size, product.licence, _ACCESS[product.access])
        yield f"| {' | '.join(_cell(text) for text in cells)} |"


def _details(products: Mapping[str, Product]) -> Iterator[str]:
    for name, product in products.items():
        yield f"## {name}"
        yield ""
        yield f"{product.title}, version {product.version}. {product.publisher}, <{product.page}>. {product.licence}."
        yield ""
        yield f"- Cite: {product.citation}"
        yield f"- {_reading(name, product)}"
        yield from (f"- Record: <{url}>" for url in [product.zenodo] if url)
        yield from (f"- Lies under <{url}>" for url in product.roots)
        for file in product.files:
            size = _size(file.bytes, file.size_is == "published")
            known = f", in the record `{file.published_as}`" if file.published_as else ""
            parts = f"; unpacked of it: {', '.join(f'`{pattern}`' for pattern in file.unpack)}" if file.unpack else ""
            yield f"- `{file.name}`{known} ({file.content}, {size}){parts}"
            yield from (f"    - <{url}>" for url in file.urls)
        yield from (f"- By hand: {text}" for text in [product.instructions] if text)
        yield from (f"- Unsure: {text}" for text in [product.notes] if text)
        yield ""


def _reading(name: str, product: Product) -> str:
    if product.reader is None:
        place = f"resources/{name}/{product.version}/receipt.json"
        return f"No stage reads it; for a use of your own it is fetched by `snakemake {place} --cores 1`"
    uses = ", ".join(f"`{use}`" for use in product.used_by if use != product.reader)
    return f"Read by `{product.reader}`{f'; named by {uses}' if uses else ''}"


def _size(n_bytes: int | None, published: bool) -> str:
    return "unknown" if n_bytes is None else f"{'' if published else 'about '}{amount(n_bytes)}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Write docs/products.md below the current folder."""
    text = page_text(read_products(Path("resources/products.yaml")))
    Path("docs/products.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
