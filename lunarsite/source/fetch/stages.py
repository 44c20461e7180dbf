"""The stage that fetches a published product."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lunarsite.artefact.download import DOWNLOAD
from lunarsite.settings import FetchSettings
from lunarsite.stage import Input, Job, Output, StageError, stage


@stage
def product(
    job: Job,
    fetch: FetchSettings,
    products: Annotated[Path, Input()],
    receipt: Annotated[Path, Output(DOWNLOAD)],
    product: str,
) -> None:
    """Fetch the files of a published product, or verify those that are there, and write their receipt."""
    from lunarsite.artefact import download
    from lunarsite.source.fetch.control import Control
    from lunarsite.source.fetch.errors import FetchError, StoppedError
    from lunarsite.source.fetch.product import fetch_product, receipt_of
    from lunarsite.source.needs import ways_out
    from lunarsite.source.products import read_products, receipt_path

    job.origin = "published"
    table = read_products(products)
    if product not in table:
        raise StageError(f"{products} has no product '{product}'; it has: {', '.join(sorted(table))}")
    entry = table[product]
    place = receipt_path(fetch.folder, product, entry)
    if place.absolute() != receipt.absolute():
        raise StageError(f"the receipt of '{product}' belongs to {place}, not to {receipt}")
    try:
        files = fetch_product(product, entry, place.parent, fetch, Control())
    except StoppedError:
        raise
    except FetchError as error:
        ways = ways_out(product, entry)
        if not ways:
            raise
        raise FetchError(f"{error}\nA run that can do without it leaves it out: {'; or '.join(ways)}") from error
    download.write(receipt, DOWNLOAD, receipt_of(product, entry, files), job.stamp(DOWNLOAD))
    job.log.info("%d files of %s: %s; %s", len(files), product, entry.title, entry.licence)
