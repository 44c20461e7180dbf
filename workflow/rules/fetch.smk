"""Published products: where their receipts lie, and the one rule that downloads."""

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


if SETTINGS.source.kind == "published":
    lunarsite.source.needs.check_products(SETTINGS, products())
NEEDED = receipts(*lunarsite.source.needs.needed_products(SETTINGS))

if NEEDED and workflow.is_main_process:
    # Before anything is done, and so in a dry run too: what is fetched, from where, and what the run will cost.
    if SETTINGS.source.fetch.offline and (missing := lunarsite.source.listing.missing_text(SETTINGS, products())):
        raise WorkflowError(missing)
    logger.info("\n".join(lunarsite.source.listing.run_lines(SETTINGS, products())))


rule fetch_product:
    input:
        # What changes of another product's entry is no reason to look at this one again.
        products=ancient(PRODUCTS),
    output:
        # The files beside it, and the parts of unfinished ones, are none of snakemake's: it would remove them when a job
        # fails, and a download of gigabytes would begin anew.
        receipt=f"{FETCHED}/{{product}}/{{version}}/receipt.json",
    log:
        f"{RESULTS}/log/fetch-product_{{product}}_{{version}}.log",
    benchmark:
        f"{RESULTS}/benchmark/fetch-product_{{product}}_{{version}}.tsv"
    wildcard_constraints:
        product=r"[a-z0-9][a-z0-9_]*",
        version=r"[A-Za-z0-9][A-Za-z0-9._-]*",
    # The stage itself tries again, and resumes.
    retries: 0
    # Nodes of clusters often reach no network: the machine that snakemake runs on does it.
    localrule: True
    conda:
        "../../envs/source.yaml"
    resources:
        mem_mb=1000,
        runtime=2880,
        # The profiles say how many products are fetched side by side.
        downloads=1,
    params:
        run=RUN,
        entry=entry_of,
        # Neither a new time-out nor new code makes a download stale: settings are a function of the input as well, which
        # snakemake does not count among the reasons to rerun, and there is no fingerprint of the code.
        settings=lambda wildcards, input: settings_of("fetch-product")(wildcards),
        inputs=inputs,
        outputs=outputs,
    shell:
        "python -m lunarsite fetch-product --in {params.inputs:q} --out {params.outputs:q}"
        " --settings {params.settings:q} --run {params.run} --product {wildcards.product} --log {log}"
