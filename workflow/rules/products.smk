"""Published products: where their receipts lie, and what a run says of them before it begins."""

import functools
import hashlib
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

import lunarsite.source.listing
import lunarsite.source.needs
import lunarsite.source.products

FETCHED = SETTINGS.source.fetch.folder
PRODUCTS = f"{RESOURCES}/products.yaml"


@functools.cache
def products():
    """The table of published products; runs that use none do not read it."""
    return lunarsite.source.products.read_products(Path(PRODUCTS))


def product(name):
    """One entry of the table."""
    if name not in products():
        raise lunarsite.settings.SettingsError(f"{PRODUCTS}: has no product '{name}'; see python -m lunarsite sources")
    return products()[name]


def receipts(*names):
    """The receipts of products; a name that is None has none."""
    return [str(lunarsite.source.products.receipt_path(FETCHED, name, product(name))) for name in names if name]


def fetched(*names):
    """The same for the products of which only some jobs know, as an input function."""
    return lambda wildcards: receipts(*names)


def entry_of(wildcards):
    """The digest of a product's entry: a changed entry is looked at again, and no other product is."""
    entry = product(wildcards.product)
    if entry.version != wildcards.version:
        raise lunarsite.settings.SettingsError(
            f"{PRODUCTS}: has version {entry.version} of {wildcards.product}, not {wildcards.version}"
        )
    return hashlib.sha256(entry.model_dump_json().encode()).hexdigest()


def priority_of(wildcards):
    """Small products first, a step for each factor of two; from a gibibyte on as any other job, or cores would idle."""
    return max(0, 31 - (product(wildcards.product).bytes or 0).bit_length())


if SETTINGS.source.kind == "published":
    lunarsite.source.needs.check_products(SETTINGS, products())
NEEDED = receipts(*lunarsite.source.needs.needed_products(SETTINGS))

if NEEDED and workflow.is_main_process:
    # Before anything is done, and so in a dry run too: what is fetched, from where, and what the run will cost.
    if SETTINGS.source.fetch.offline and (missing := lunarsite.source.listing.missing_text(SETTINGS, products())):
        raise WorkflowError(missing)
    logger.info("\n".join(lunarsite.source.listing.run_lines(SETTINGS, products())))
