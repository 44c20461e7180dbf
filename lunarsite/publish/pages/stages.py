"""Stage of the pages: one HTML page for each of the best sites and each candidate region, and their provenance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lunarsite.artefact.contracts import (
    ARTEMIS_RECORD,
    CELLS,
    CRITERIA,
    DEM,
    EARTH_ANY,
    ENHANCE_RECORD,
    HELD_OUT,
    LABELS,
    PLACE_PROFILES,
    PLACE_SERIES,
    PSR,
    REGION_SITES,
    ROUTES,
    SCORES,
    SHADOWCAM_RECORD,
    SITE_MONTHS,
    SITE_RANKS,
    SITE_RECORD,
    SITES,
    SITES_RECORD,
    SLOPE,
    SUN_ANY,
    SUN_MEAN,
)
from lunarsite.artefact.contracts.source import DOWNLOAD
from lunarsite.settings import (
    GridSettings,
    PlacesSettings,
    PublishSettings,
    RankingSettings,
    ReachSettings,
    RulesSettings,
    ScorerSettings,
)
from lunarsite.stage import Input, Job, Output, stage


@stage
def write(
    job: Job,
    publish: PublishSettings,
    places: PlacesSettings,
    grid: GridSettings,
    rules: RulesSettings,
    scorer: ScorerSettings,
    ranking: RankingSettings,
    reach: ReachSettings,
    dem: Annotated[Path, Input(DEM)],
    slope: Annotated[Path, Input(SLOPE)],
    sun_any: Annotated[Path, Input(SUN_ANY)],
    sun_mean: Annotated[Path, Input(SUN_MEAN)],
    earth_any: Annotated[Path, Input(EARTH_ANY)],
    psr: Annotated[Path, Input(PSR)],
    cells: Annotated[Path, Input(CELLS)],
    labels: Annotated[Path, Input(LABELS)],
    scores: Annotated[Path, Input(SCORES)],
    criteria: Annotated[Path, Input(CRITERIA)],
    sites: Annotated[Path, Input(SITES)],
    region_sites: Annotated[Path, Input(REGION_SITES)],
    ranks: Annotated[Path, Input(SITE_RANKS)],
    routes: Annotated[Path, Input(ROUTES)],
    held_out: Annotated[Path, Input(HELD_OUT)],
    profiles: Annotated[Path | None, Input(PLACE_PROFILES)],
    series: Annotated[Path | None, Input(PLACE_SERIES)],
    months: Annotated[Path | None, Input(SITE_MONTHS)],
    sites_record: Annotated[Path, Input(SITES_RECORD)],
    artemis: Annotated[Path, Input(ARTEMIS_RECORD)],
    site: Annotated[Path, Input(SITE_RECORD)],
    enhance: Annotated[Path | None, Input(ENHANCE_RECORD)],
    shadowcam: Annotated[Path | None, Input(SHADOWCAM_RECORD)],
    named_features: Annotated[Path, Input(None)],
    regions: Annotated[Path, Input(None)],
    receipts: Annotated[tuple[Path, ...] | None, Input(DOWNLOAD)],
    pages: Annotated[Path, Output(None)],
) -> None:
    """Write a folder of pages: an overview, the best sites, the candidate regions, and what every number rests on."""
    from lunarsite.publish.pages import gather, render

    chosen = gather.Chosen(publish, places, grid, rules, scorer, ranking, reach)
    rasters = {
        "dem": dem,
        "slope": slope,
        "sun_any": sun_any,
        "sun_mean": sun_mean,
        "earth_any": earth_any,
        "psr": psr,
    }
    tables = {
        "cells": cells,
        "labels": labels,
        "scores": scores,
        "criteria": criteria,
        "sites": sites,
        "region_sites": region_sites,
        "ranks": ranks,
        "routes": routes,
        "held_out": held_out,
    }
    light = {"profiles": profiles, "series": series, "months": months}
    records = {
        "sites_record": sites_record,
        "artemis": artemis,
        "site": site,
        "enhance": enhance,
        "shadowcam": shadowcam,
    }
    others = {"named_features": named_features, "regions": regions}
    # The command line reads one stamp for each input under a contract, in the order of their digests.
    stamped = [name for name in job.inputs if name not in others]
    stamps = dict(zip(stamped, job.input_stamps, strict=True))
    downloads, stamps, digests = gather.name_receipts(receipts or (), stamps, job.inputs)
    origin = job.stamp(SITES_RECORD).origin
    paths = {**rasters, **tables, **light, **records, **others}
    run = gather.read(job.run, chosen, paths, stamps, digests, origin, downloads)
    job.log.info("%d of %d sites get a page, and %d regions", len(run.paged), len(run.sites), len(run.regions))
    count = render.write(pages, run, lambda done, total: job.progress(done, total, "page"))
    job.log.info("%d pages in %s", count, pages.name)
