"""Stages of the archives of images: the list of what there is, and pairs with cut-outs of surveys."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

from lunarsite.artefact import contracts
from lunarsite.settings import ArchiveSettings, FetchSettings
from lunarsite.stage import Input, Job, Output, stage


@stage
def index(
    job: Job,
    fetch: FetchSettings,
    archive: ArchiveSettings,
    products: Annotated[Path, Input()],
    index: Annotated[Path, Output(contracts.ARCHIVE_INDEX)],
) -> None:
    """List the newest images of the ESA/Hubble and ESA/Webb archives: place, credit, what speaks against them."""
    from lunarsite.artefact import table
    from lunarsite.source.archive.crawl import Crawler, store_of
    from lunarsite.source.archive.listing import index_frame, list_images, read_images
    from lunarsite.source.archive.sites import archive_site
    from lunarsite.source.products import read_products

    job.origin = "published"
    known = read_products(products)
    with ExitStack() as stack:
        crawlers = {
            site: stack.enter_context(
                Crawler(
                    store_of(fetch.folder, site.key, site.product.version, fetch),
                    site.roots[:1],
                    fetch,
                    archive.seconds_between_pages,
                )
            )
            for site in (archive_site(name, known) for name in dict.fromkeys(archive.sites))
        }
        images = list_images(crawlers, archive.most_images)
        listed = []
        for image in read_images(images, crawlers, archive.least_field_arcmin):
            listed.append(image)
            job.progress(len(listed), len(images), "pages")
        asked = sum(crawler.requests for crawler in crawlers.values())
    frame = index_frame(listed)
    usable = int(frame["excluded_because"].isna().sum())
    job.log.info("%d of %d images may make pairs; %d requests were sent", usable, len(frame), asked)
    table.write(index, contracts.ARCHIVE_INDEX, frame, job.stamp(contracts.ARCHIVE_INDEX))


@stage
def pairs(
    job: Job,
    fetch: FetchSettings,
    archive: ArchiveSettings,
    products: Annotated[Path, Input()],
    index: Annotated[Path, Input(contracts.ARCHIVE_INDEX)],
    pairs: Annotated[Path, Output(contracts.ARCHIVE_PAIRS)],
) -> None:
    """Make pairs of an archive's image and a survey's cut-out of the same sky, on the same pixels."""
    import math

    import numpy as np

    from lunarsite.artefact import ArtefactError, images, table
    from lunarsite.source.archive.crawl import Crawler, store_of
    from lunarsite.source.archive.pairs import Pairing
    from lunarsite.source.archive.sites import SERVICE, archive_site, cutout_service
    from lunarsite.source.products import read_products

    job.origin = "published"
    known = read_products(products)
    service, spec = cutout_service(known), contracts.ARCHIVE_PAIRS
    frame, _ = table.read(index, contracts.ARCHIVE_INDEX)
    usable = int(frame["excluded_because"].isna().sum())
    used = [archive_site(name, known) for name in sorted(set(frame["site"]))]
    with ExitStack() as stack:
        pause_s = archive.seconds_between_pages
        stores = {site: store_of(fetch.folder, site.key, site.product.version, fetch) for site in used}
        sites = {
            site.name: (site, stack.enter_context(Crawler(store, site.roots, fetch, pause_s)))
            for site, store in stores.items()
        }
        store = store_of(fetch.folder, SERVICE, service.version, fetch)
        cutouts = stack.enter_context(Crawler(store, service.roots, fetch, pause_s))
        pairing = Pairing(sites, service.roots, cutouts, tuple(dict.fromkeys(archive.surveys)), archive.longest_side_px)
        credit = images.Credit(
            title="Images of the ESA/Hubble and ESA/Webb archives, and cut-outs of surveys of the same sky",
            licence="; ".join(dict.fromkeys([*(site.product.licence for site in used), service.licence])),
            citation="; ".join(dict.fromkeys([*(site.product.citation for site in used), service.citation])),
        )
        alike: list[float] = []
        made = pairing.pairs(frame)
        with images.creating(pairs, spec, job.stamp(spec), credit, {"side": archive.longest_side_px}) as writer:
            for done, found in made:
                for pair in found:
                    writer.append(pair.arrays(archive.longest_side_px, spec.class_number("survey", pair.survey)))
                    alike.append(pair.agreement)
                job.progress(done, usable, "images")
            reasons = "; ".join(f"{count} times {reason}" for reason, count in sorted(pairing.reasons.items()))
            reasons = reasons or "nothing"
            writer.notes = f"Left out: {reasons}."
            if not alike:
                raise ArtefactError(f"{index}: none of its {usable} usable images makes a pair; left out: {reasons}")
            job.log.info("%d pairs of %d images; left out: %s", len(alike), usable, reasons)
    known_alike = [value for value in alike if math.isfinite(value)]
    job.log.info(
        "median correlation of image and cut-out %.2f; near 0 they would not show the same sky",
        float(np.median(known_alike)) if known_alike else math.nan,
    )
