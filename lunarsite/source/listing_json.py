"""The listing of published products for programs: `python -m lunarsite sources --json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lunarsite import plan
from lunarsite.source.stock import free_bytes

if TYPE_CHECKING:
    from lunarsite.source.listing import Listing
    from lunarsite.source.products import ProductFile


def as_json(listing: Listing) -> dict[str, Any]:
    """Return the listing for programs; sizes in bytes, times in seconds, memory in MiB."""
    return {
        "run": listing.settings.run,
        "products": {name: _json_product(listing, name) for name in listing.products},
        "needed": list(listing.needed),
        "lacking": list(listing.lacking),
        "by_hand": list(listing.by_hand),
        "by_kaggle": [name for name in (*listing.lacking, *listing.for_sets) if listing.is_by_kaggle(name)],
        "datasets": list(listing.for_sets),
        "bytes_to_fetch": listing.bytes_to_fetch,
        "bytes_to_unpack": listing.bytes_to_unpack,
        "bytes_free": free_bytes(listing.settings.source.fetch.folder),
        "bytes_lacking": sum(room.lacking_bytes for room in listing.rooms),
        "bytes_of_results": round(plan.result_bytes(listing.settings, listing.product_bytes)),
        "costs": [
            {
                "stage": cost.stage,
                "jobs": cost.jobs,
                "cpu_s": round(cost.cpu_s, 1),
                "memory_mib": round(cost.memory_mib),
                "basis": cost.basis,
            }
            for cost in listing.costs
        ],
    }


def _json_product(listing: Listing, name: str) -> dict[str, Any]:
    product, stock = listing.products[name], listing.stocks[name]
    return {
        "title": product.title,
        "version": product.version,
        "publisher": product.publisher,
        "licence": product.licence,
        "citation": product.citation,
        "page": product.page,
        "access": product.access,
        "bytes": product.bytes,
        "size_is": "published" if all(file.size_is == "published" for file in product.files) else "estimated",
        "reader": product.reader,
        "used_by": list(product.used_by),
        "record": product.zenodo,
        "kaggle": product.kaggle,
        "roots": list(product.roots),
        "files": [_file(file) for file in product.files],
        "state": stock.state,
        "folder": str(stock.folder.absolute()),
        "bytes_to_fetch": 0 if stock.usable else stock.bytes_to_fetch,
        "missing": [file.name for file in stock.missing],
        "note": stock.note,
        "unsure": product.notes,
    }


def _file(file: ProductFile) -> dict[str, Any]:
    """Return one file of the table: its own addresses, the best first, and what its publisher says of its bytes."""
    return {
        "name": file.name,
        "published_as": file.published_as,
        "content": file.content,
        "addresses": list(file.urls),
        "bytes": file.bytes,
        "size_is": file.size_is,
        "md5": file.md5,
        "sha256": file.sha256,
        "unpack": list(file.unpack),
    }
