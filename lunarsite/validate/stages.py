"""Stages of the validation: from scores and references to records of verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lunarsite.artefact.contracts import (
    ARTEMIS_RECORD,
    CELLS,
    CRATER_CANDIDATES,
    CRATER_CURVE,
    CRATER_MATCHES,
    CRATER_MODEL,
    CRATER_RECORD,
    CRATERS,
    CYCLE_MODEL,
    DEM,
    DENOISER_MODEL,
    DETECTED,
    EARTH_ANY,
    EARTH_MEAN,
    ENHANCE_RECORD,
    ENHANCE_SAMPLES,
    ENHANCED_FRAMES,
    FRAME_LIGHT,
    ILLUMINATION_CELLS,
    ILLUMINATION_RECORD,
    LABELS,
    LIT_SCENES,
    PSR,
    PSR_IMAGES,
    PUBLISHED_SLOPE,
    REGION_SITES,
    ROCK_ABLATION,
    ROCK_MODEL,
    ROCK_RECORD,
    ROCK_SAMPLES,
    ROCK_SCENES,
    ROCK_SIZES,
    ROCK_TRUTH,
    SCORES,
    SHADOWCAM,
    SHADOWCAM_FRAMES,
    SHADOWCAM_RECORD,
    SHADOWCAM_SAMPLES,
    SITE_RECORD,
    SITES,
    SLOPE,
    SLOPE_RECORD,
    SOURCE_RECORD,
    SUN_ANY,
    SUN_MEAN,
)
from lunarsite.settings import (
    ArtemisSettings,
    CatalogueSettings,
    CraterReferenceSettings,
    DetectionSettings,
    EnhancementSettings,
    EnhanceReferenceSettings,
    GridSettings,
    IlluminationReferenceSettings,
    RockHazardSettings,
    RockInferenceSettings,
    RockReferenceSettings,
    RockSplitSettings,
    RulesSettings,
    ScorerSettings,
    SensorSettings,
    ShadowCamReferenceSettings,
    SiteReferenceSettings,
    SplitSettings,
)
from lunarsite.stage import Input, Job, Output, StageError, stage


@stage
def artemis(
    job: Job,
    grid: GridSettings,
    rules: RulesSettings,
    scorer: ScorerSettings,
    comparison: ArtemisSettings,
    scores: Annotated[Path, Input(SCORES)],
    cells: Annotated[Path, Input(CELLS)],
    labels: Annotated[Path, Input(LABELS)],
    sites: Annotated[Path, Input(SITES)],
    regions: Annotated[Path, Input(None)],
    artemis: Annotated[Path, Output(ARTEMIS_RECORD)],
) -> None:
    """Compare the best cells and sites with the Artemis candidate regions, with nulls and the plain rule."""
    from lunarsite.artefact import record as records
    from lunarsite.artefact import table as tables
    from lunarsite.site.place.regions import read_regions
    from lunarsite.validate.artemis import Ruled, judge
    from lunarsite.validate.population import read_population

    job.seed = comparison.seed
    outlines = read_regions(regions, grid.pole)
    named = rules.named()
    ruled = [
        Ruled(name, named[name], read_population(learned, cells, labels, grid, named[name], name))
        for name, learned in ((scorer.target, scores), ("cassa", None), ("hls", None))
        if learned is not None or name != scorer.target
    ]
    population = ruled[0].population
    job.log.info("%d of %d cells have all inputs of the rule", population.count, population.cells)
    placed = tables.read(sites, SITES, ["rank", "x_m", "y_m"])[0].sort_values("rank", kind="stable")
    places = placed["x_m"].to_numpy(), placed["y_m"].to_numpy()
    result = judge(ruled, places, outlines, comparison, synthetic=job.synthetic)
    for verdict in result.verdicts:
        job.log.info("%s: %s, bound %s: %s", verdict.name, verdict.value, verdict.bound, verdict.holds)
    records.write(artemis, ARTEMIS_RECORD, result, job.stamp(ARTEMIS_RECORD))


@stage
def site(
    job: Job,
    grid: GridSettings,
    rules: RulesSettings,
    scorer: ScorerSettings,
    reference: SiteReferenceSettings,
    sites: Annotated[Path, Input(SITES)],
    region_sites: Annotated[Path, Input(REGION_SITES)],
    cells: Annotated[Path, Input(CELLS)],
    labels: Annotated[Path, Input(LABELS)],
    truth: Annotated[Path | None, Input(SOURCE_RECORD)],
    experts: Annotated[Path | None, Input(None)],
    rivals: Annotated[Path | None, Input(None)],
    regions: Annotated[Path, Input(None)],
    site: Annotated[Path, Output(SITE_RECORD)],
) -> None:
    """Compare the sites with those of experts, of another system, and with the synthetic Moon's truth."""
    from lunarsite.artefact import record as records
    from lunarsite.site.place.regions import read_regions
    from lunarsite.validate.site import judge_site
    from lunarsite.validate.site_evidence import read_evidence
    from lunarsite.validate.site_rivals import read_others
    from lunarsite.validate.site_truth import read_massifs

    job.seed = reference.seed
    outlines = read_regions(regions, grid.pole)
    evidence = read_evidence((sites, region_sites, cells, labels), grid, rules, scorer.target, outlines)
    built = None if truth is None else records.read(truth, SOURCE_RECORD)[0].tables.get("good_ground")
    massifs = None if truth is None or built is None else read_massifs(truth, built)
    result = judge_site(
        evidence,
        read_others(experts, "experts", "experts' sites", grid.pole),
        read_others(rivals, "rivals", "another system's sites", grid.pole),
        massifs,
        reference,
        synthetic=job.synthetic,
    )
    for verdict in result.verdicts:
        job.log.info("%s: %s, bound %s: %s", verdict.name, verdict.value, verdict.bound, verdict.holds)
    records.write(site, SITE_RECORD, result, job.stamp(SITE_RECORD))


@stage
def illumination(
    job: Job,
    grid: GridSettings,
    reference: IlluminationReferenceSettings,
    sun_mean: Annotated[Path, Input(SUN_MEAN)],
    sun_any: Annotated[Path, Input(SUN_ANY)],
    earth_mean: Annotated[Path, Input(EARTH_MEAN)],
    earth_any: Annotated[Path, Input(EARTH_ANY)],
    psr: Annotated[Path, Input(PSR)],
    table: Annotated[Path | None, Input(None)],
    polygons: Annotated[Path | None, Input(None)],
    sun_reference: Annotated[Path | None, Input(SUN_ANY)],
    earth_reference: Annotated[Path | None, Input(EARTH_ANY)],
    psr_reference: Annotated[Path | None, Input(PSR)],
    record: Annotated[Path, Output(ILLUMINATION_RECORD)],
    cells: Annotated[Path, Output(ILLUMINATION_CELLS)],
) -> None:
    """Compare light, Earth view and permanent shadow with published references, beside trivial guesses."""
    from contextlib import ExitStack

    from lunarsite.artefact import raster
    from lunarsite.artefact import record as records
    from lunarsite.artefact import table as tables
    from lunarsite.validate.illumination_maps import check_one_reference, reference_table
    from lunarsite.validate.illumination_record import (
        Averages,
        Published,
        judge_illumination,
        read_polygons,
        read_table,
    )

    check_one_reference(table=table is not None, sun=sun_reference is not None, earth=earth_reference is not None)
    with ExitStack() as stack:
        shadow = stack.enter_context(raster.opened(psr, PSR))
        lattice = shadow.grid
        averages = {
            name: stack.enter_context(raster.opened(path, spec, lattice))
            for name, path, spec in (
                ("sun_mean", sun_mean, SUN_MEAN),
                ("sun_any", sun_any, SUN_ANY),
                ("earth_mean", earth_mean, EARTH_MEAN),
                ("earth_any", earth_any, EARTH_ANY),
            )
        }
        known = None if table is None else read_table(table)
        if sun_reference is not None and earth_reference is not None:
            sun = stack.enter_context(raster.opened(sun_reference, SUN_ANY, lattice))
            earth = stack.enter_context(raster.opened(earth_reference, EARTH_ANY, lattice))
            known = reference_table(sun, earth, lattice, reference.table_cell_m)
            job.log.info("the published maps cover %d cells of %g m", len(known), reference.table_cell_m)
        shadowed = None
        if psr_reference is not None:
            with raster.opened(psr_reference, PSR, lattice) as source:
                shadowed = source.read()
        result, frame = judge_illumination(
            Averages(lattice, averages, shadow.read()),
            Published(
                known,
                None if polygons is None else read_polygons(polygons, lattice),
                shadowed,
                from_maps=sun_reference is not None,
            ),
            reference,
            grid.latitude_limit_deg,
            synthetic=job.synthetic,
        )
    for verdict in result.verdicts:
        job.log.info("%s: %s, bound %s: %s", verdict.name, verdict.value, verdict.bound, verdict.holds)
    records.write(record, ILLUMINATION_RECORD, result, job.stamp(ILLUMINATION_RECORD))
    tables.write(cells, ILLUMINATION_CELLS, frame, job.stamp(ILLUMINATION_CELLS))


@stage
def slope(
    job: Job,
    grid: GridSettings,
    rules: RulesSettings,
    slope: Annotated[Path, Input(SLOPE)],
    published_slope: Annotated[Path, Input(PUBLISHED_SLOPE)],
    record: Annotated[Path, Output(SLOPE_RECORD)],
) -> None:
    """Compare slopes with published ones: how well they agree, and what a limit on ours lets through."""
    from lunarsite.artefact import raster
    from lunarsite.artefact import record as records
    from lunarsite.grid import Cells
    from lunarsite.validate.slope import compare_slopes
    from lunarsite.validate.slope_record import judge_slopes

    limits = sorted({rule.max_slope_deg for rule in rules.named().values()})
    with raster.opened(slope, SLOPE) as ours, raster.opened(published_slope, PUBLISHED_SLOPE, ours.grid) as fine:
        cells = Cells(ours.grid, grid.cell_m, grid.latitude_limit_deg)
        found = compare_slopes(ours, fine, cells, limits, job.progress)
        facts = fine.facts
    result = judge_slopes(
        found,
        rules,
        published_pixel_m=facts["published_pixel_m"],
        is_finer=facts["published_is_finer"] > 0.0,
        synthetic=job.synthetic,
    )
    for verdict in result.verdicts:
        job.log.info("%s: %s, bound %s: %s", verdict.name, verdict.value, verdict.bound, verdict.holds)
    records.write(record, SLOPE_RECORD, result, job.stamp(SLOPE_RECORD))


@stage
def crater(
    job: Job,
    grid: GridSettings,
    coverage: CatalogueSettings,
    split: SplitSettings,
    detection: DetectionSettings,
    reference: CraterReferenceSettings,
    detected: Annotated[Path, Input(DETECTED)],
    model: Annotated[Path, Input(CRATER_MODEL)],
    catalogue: Annotated[Path, Input(CRATERS)],
    dem: Annotated[Path, Input(DEM)],
    base: Annotated[Path | None, Input(DETECTED)],
    classical: Annotated[Path | None, Input(DETECTED)],
    record: Annotated[Path, Output(CRATER_RECORD)],
    matches: Annotated[Path, Output(CRATER_MATCHES)],
    candidates: Annotated[Path, Output(CRATER_CANDIDATES)],
    curve: Annotated[Path, Output(CRATER_CURVE)],
) -> None:
    """Compare detected craters with the given catalogue one to one, beside their rivals and chance."""
    from lunarsite.artefact import raster
    from lunarsite.artefact import record as records
    from lunarsite.artefact import table as tables
    from lunarsite.artefact.model import read_tensors
    from lunarsite.validate.crater_products import candidate_table, check_unseen, gather, match_table
    from lunarsite.validate.crater_record import NETWORK, judge_craters

    if not job.synthetic:
        check_unseen(model, read_tensors(model, CRATER_MODEL)[1], split)
    job.seed = reference.seed
    files = {NETWORK: detected, "base": base, "classical": classical}
    detectors = {name: tables.read(path, DETECTED)[0] for name, path in files.items() if path is not None}
    given = tables.read(catalogue, CRATERS)[0]
    with raster.opened(dem, DEM) as source:
        heights, lattice = source.read(), source.grid
    evidence = gather(
        given, detectors, heights, lattice, grid.latitude_limit_deg, (coverage, split, detection, reference)
    )
    result, curves = judge_craters(evidence, reference, synthetic=job.synthetic)
    for verdict in result.verdicts:
        job.log.info("%s: %s, bound %s: %s", verdict.name, verdict.value, verdict.bound, verdict.holds)
    found = detectors[NETWORK]
    compared = match_table(evidence, given, found, detection.least_diameter_m)
    unknown = candidate_table(evidence, found, heights, lattice)
    job.log.info("%d accepted detections on hollow ground are not in the catalogue", len(unknown))
    records.write(record, CRATER_RECORD, result, job.stamp(CRATER_RECORD))
    tables.write(matches, CRATER_MATCHES, compared, job.stamp(CRATER_MATCHES), lattice.pole)
    tables.write(candidates, CRATER_CANDIDATES, unknown, job.stamp(CRATER_CANDIDATES), lattice.pole)
    tables.write(curve, CRATER_CURVE, curves, job.stamp(CRATER_CURVE))


@stage
def enhance(
    job: Job,
    enhancement: EnhancementSettings,
    sensor: SensorSettings,
    reference: EnhanceReferenceSettings,
    scenes: Annotated[Path, Input(LIT_SCENES)],
    denoiser: Annotated[Path, Input(DENOISER_MODEL)],
    cycle: Annotated[Path | None, Input(CYCLE_MODEL)],
    frames: Annotated[Path | None, Input(SHADOWCAM_FRAMES)],
    enhanced: Annotated[Path | None, Input(ENHANCED_FRAMES)],
    light: Annotated[Path | None, Input(FRAME_LIGHT)],
    craters: Annotated[Path | None, Input(CRATERS)],
    record: Annotated[Path, Output(ENHANCE_RECORD)],
    samples: Annotated[Path, Output(ENHANCE_SAMPLES)],
) -> None:
    """Compare enhanced images with the truth of rendered scenes, beside classical filters, and ask real frames."""
    from lunarsite.artefact import record as records
    from lunarsite.validate.enhance import Files, validate
    from lunarsite.validate.enhance_samples import write_samples

    job.seed = reference.seed
    files = Files(scenes, denoiser, cycle, frames, enhanced, light, craters)
    result, pictures, credit = validate(job, enhancement, sensor, reference, files)
    for verdict in result.verdicts:
        job.log.info("%s: %s, bound %s: %s", verdict.name, verdict.value, verdict.bound, verdict.holds)
    records.write(record, ENHANCE_RECORD, result, job.stamp(ENHANCE_RECORD))
    write_samples(samples, pictures, job.stamp(ENHANCE_SAMPLES), credit)


@stage
def shadowcam(
    job: Job,
    reference: ShadowCamReferenceSettings,
    composites: Annotated[tuple[Path, ...] | None, Input(SHADOWCAM)],
    psr: Annotated[Path, Input(PSR)],
    sun_any: Annotated[Path, Input(SUN_ANY)],
    published_psr: Annotated[Path | None, Input(PSR)],
    frames: Annotated[Path | None, Input(SHADOWCAM_FRAMES)],
    light: Annotated[Path | None, Input(FRAME_LIGHT)],
    record: Annotated[Path, Output(SHADOWCAM_RECORD)],
    samples: Annotated[Path | None, Output(SHADOWCAM_SAMPLES)],
) -> None:
    """Compare permanent shadow with ShadowCam's composites, and predicted light with its timed frames."""
    from lunarsite.artefact import record as records
    from lunarsite.validate.shadowcam import judge
    from lunarsite.validate.shadowcam_samples import write_samples

    if (frames is None) != (light is None):
        raise StageError(f"{job.stage}: inputs 'frames' and 'light' are given together or not at all")
    if not composites and frames is None:
        raise StageError(f"{job.stage}: neither composites nor frames are given, so there is nothing to compare with")
    job.seed = reference.seed
    timed = None if frames is None or light is None else (frames, light)
    result, pictures, credit = judge(job, reference, composites or (), (psr, sun_any, published_psr), timed)
    for verdict in result.verdicts:
        job.log.info("%s: %s, bound %s: %s", verdict.name, verdict.value, verdict.bound, verdict.holds)
    records.write(record, SHADOWCAM_RECORD, result, job.stamp(SHADOWCAM_RECORD))
    if samples is not None:
        write_samples(samples, pictures, job.stamp(SHADOWCAM_SAMPLES), credit)


@stage
def rock(
    job: Job,
    split: RockSplitSettings,
    inference: RockInferenceSettings,
    reference: RockReferenceSettings,
    hazard: RockHazardSettings,
    scenes: Annotated[tuple[Path, ...], Input(ROCK_SCENES)],
    model: Annotated[Path, Input(ROCK_MODEL)],
    truth: Annotated[Path | None, Input(ROCK_TRUTH)],
    sizes: Annotated[Path | None, Input(ROCK_SIZES)],
    lit_scenes: Annotated[Path | None, Input(LIT_SCENES)],
    orbital: Annotated[Path | None, Input(PSR_IMAGES)],
    ablation: Annotated[Path | None, Input(ROCK_ABLATION)],
    record: Annotated[Path, Output(ROCK_RECORD)],
    samples: Annotated[Path, Output(ROCK_SAMPLES)],
) -> None:
    """Measure segmented rocks: right, calibrated, aware of the unknown, on scenes that no training saw."""
    from lunarsite.artefact import record as records
    from lunarsite.validate.rock import Files, validate
    from lunarsite.validate.rock_samples import write_samples

    job.seed = reference.seed
    files = Files(scenes, model, truth, sizes, lit_scenes, orbital, ablation)
    result, pictures, credit = validate(job, split, inference, reference, hazard, files)
    for verdict in result.verdicts:
        job.log.info("%s: %s, bound %s: %s", verdict.name, verdict.value, verdict.bound, verdict.holds)
    records.write(record, ROCK_RECORD, result, job.stamp(ROCK_RECORD))
    write_samples(samples, pictures, job.stamp(ROCK_SAMPLES), credit)
