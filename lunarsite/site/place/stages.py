"""The stage from cells, labels, scores and criteria to ranked sites."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lunarsite.artefact.contracts import (
    CELLS,
    CRITERIA,
    DEM,
    EARTH_ANY,
    LABELS,
    LABELS_RECORD,
    PSR,
    REACH,
    REGION_SITES,
    ROUTES,
    SCORES,
    SITE_RANKS,
    SITES,
    SITES_RECORD,
    SLOPE,
    SUN_ANY,
    SUN_MEAN,
)
from lunarsite.settings import (
    GridSettings,
    PlacingSettings,
    RankingSettings,
    ReachSettings,
    RulesSettings,
    ScorerSettings,
)
from lunarsite.stage import Input, Job, Output, stage


@stage
def sites(
    job: Job,
    grid: GridSettings,
    rules: RulesSettings,
    scorer: ScorerSettings,
    placing: PlacingSettings,
    ranking: RankingSettings,
    reach: ReachSettings,
    cells: Annotated[Path, Input(CELLS)],
    labels: Annotated[Path, Input(LABELS)],
    labels_record: Annotated[Path, Input(LABELS_RECORD)],
    scores: Annotated[Path, Input(SCORES)],
    criteria: Annotated[Path, Input(CRITERIA)],
    dem: Annotated[Path, Input(DEM)],
    slope: Annotated[Path, Input(SLOPE)],
    sun_any: Annotated[Path, Input(SUN_ANY)],
    sun_mean: Annotated[Path, Input(SUN_MEAN)],
    earth_any: Annotated[Path, Input(EARTH_ANY)],
    psr: Annotated[Path, Input(PSR)],
    walk: Annotated[Path, Input(REACH)],
    rover: Annotated[Path, Input(REACH)],
    regions: Annotated[Path, Input(None)],
    sites: Annotated[Path, Output(SITES)],
    region_sites: Annotated[Path, Output(REGION_SITES)],
    ranks: Annotated[Path, Output(SITE_RANKS)],
    routes: Annotated[Path, Output(ROUTES)],
    record: Annotated[Path, Output(SITES_RECORD)],
    sites_geojson: Annotated[Path, Output(None)],
    region_sites_geojson: Annotated[Path, Output(None)],
    sites_gpkg: Annotated[Path, Output(None)],
) -> None:
    """Place sites on good ground, rank them, and say how firm their order is."""
    from lunarsite.artefact import record as records
    from lunarsite.artefact import table
    from lunarsite.grid import Cells, Grid
    from lunarsite.site.place import facts, listing, summary, vector, ways
    from lunarsite.site.place.patches import opened_layers
    from lunarsite.site.place.regional import regional_sites
    from lunarsite.site.place.regions import read_regions

    area = Grid.centred(grid.half_width_m, grid.pixel_m, grid.cell_m, grid.pole)
    places = Cells(area, grid.cell_m, grid.latitude_limit_deg)
    outlines = read_regions(regions, grid.pole)
    tables = facts.read_tables(cells, labels, labels_record, criteria, scores, places.count)
    files = {
        "slope": (slope, SLOPE),
        "sun": (sun_mean, SUN_MEAN) if rules.illumination == "mean" else (sun_any, SUN_ANY),
        "earth": (earth_any, EARTH_ANY),
        "psr": (psr, PSR),
        "height": (dem, DEM),
    }
    job.seed = ranking.seed
    target, learned = scorer.target, rules.named()[scorer.target]
    movers = {"walk": walk, "rover": rover}
    with opened_layers(files, area) as layers, ways.opened_ways(movers, area) as lengths:

        def task(name: str) -> listing.Task:
            rule = rules.named()[name]
            return listing.Task(
                cells=places,
                centres_m=places.centres_m(),
                layers=layers,
                facts=tables.facts(name, rule),
                name=name,
                rule=rule,
                ways=lengths,
                reasons=tables.reasons(learned, target, name),
                sigmas_pct=tables.sigmas_pct,
                biases_pct=tables.biases_pct,
                placing=placing,
                ranking=ranking,
                reach=reach,
            )

        overall = task(target)
        found = listing.candidates(overall)
        job.log.info("%d cells of good ground in %d pieces", found.ground.ids.size, found.ground.components)
        listed = listing.list_sites(
            overall,
            found,
            1_000.0 * placing.spacing_km,
            placing.most,
            progress=lambda done, total: job.progress(done, total, "placing sites"),
        )
        by_region, region_rows, regional = regional_sites(task("hls"), outlines)
    frame = listing.mark_regions(listed.frame, outlines)
    if frame.empty:
        job.log.warning("there is no good ground by the rule '%s': the list of sites is empty", target)
    found_routes = ways.sites_routes(frame, movers, places)
    notes = summary.resolution_notes({target: learned, "hls": rules.hls}, placing, grid.pixel_m)
    result = summary.summary(target, found, listed, by_region, region_rows, placing, ranking, notes)
    for metric in result.metrics:
        job.log.info("%s: %s", metric.name, "unknown" if metric.value is None else f"{metric.value:.6g}")
    for note in result.notes:
        job.log.info("%s", note)
    table.write(sites, SITES, frame, job.stamp(SITES), grid.pole)
    table.write(region_sites, REGION_SITES, regional.frame, job.stamp(REGION_SITES), grid.pole)
    table.write(ranks, SITE_RANKS, listing.rank_rows(listed), job.stamp(SITE_RANKS))
    table.write(routes, ROUTES, found_routes, job.stamp(ROUTES))
    records.write(record, SITES_RECORD, result, job.stamp(SITES_RECORD))
    vector.write_geojson(sites_geojson, frame, job.stamp(SITES), grid.pole)
    vector.write_geojson(region_sites_geojson, regional.frame, job.stamp(REGION_SITES), grid.pole)
    lists = {"sites": (frame, listed.ellipses), "region_sites": (regional.frame, regional.ellipses)}
    vector.write_geopackage(sites_gpkg, lists, found_routes, grid.pole)
