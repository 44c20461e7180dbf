"""Stages of the publication: figures, the report that embeds them, and the catalogue of the run's artefacts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lunarsite.artefact.contracts import (
    ARTEMIS_RECORD,
    CALIBRATION,
    CELLS,
    CRATER_CANDIDATES,
    CRATER_CURVE,
    CRATER_MATCHES,
    CRATER_MODEL,
    CRATER_PROBABILITY,
    CRATER_RECORD,
    CRATERS,
    CRITERIA,
    CROSSVALIDATION_RECORD,
    CYCLE_MODEL,
    DEM,
    DENOISER_MODEL,
    DETECTED,
    EARTH_ANY,
    EARTH_MEAN,
    ELEVATION_ERROR,
    ENHANCE_RECORD,
    ENHANCE_SAMPLES,
    ENHANCE_TRAINING,
    ENHANCED_FRAMES,
    FAR_DEM,
    FRAME_LIGHT,
    HELD_OUT,
    ICE_DEPTH,
    ILLUMINATION_CELLS,
    ILLUMINATION_RECORD,
    LABELS,
    LABELS_RECORD,
    LIT_SCENES,
    NIGHT,
    PLACE_PROFILES,
    PLACE_SERIES,
    PSR,
    PSR_MARGIN,
    PUBLISHED_SLOPE,
    REACH,
    REGION_SITES,
    RELIEF,
    ROCK_ABLATION,
    ROCK_DISTRIBUTION,
    ROCK_HAZARD,
    ROCK_MAPS,
    ROCK_MODEL,
    ROCK_RECORD,
    ROCK_SAMPLES,
    ROCK_SCENES,
    ROCK_SIZES,
    ROCK_TRAINING,
    ROCK_TRUTH,
    ROUGHNESS,
    ROUTES,
    SCARPS,
    SCORER,
    SCORER_RECORD,
    SCORES,
    SHADOWCAM,
    SHADOWCAM_FRAMES,
    SHADOWCAM_RECORD,
    SHADOWCAM_SAMPLES,
    SITE_MONTHS,
    SITE_RANKS,
    SITE_RECORD,
    SITES,
    SITES_RECORD,
    SKY_VIEW,
    SLOPE,
    SLOPE_RECORD,
    SUN_ANY,
    SUN_MEAN,
    SUN_MONTHS,
    SWEEPS,
    TEMPERATURE,
)
from lunarsite.settings import (
    CatalogueSettings,
    CraterReferenceSettings,
    DarknessSettings,
    EnhancementSettings,
    GridSettings,
    IlluminationReferenceSettings,
    PlacesSettings,
    PublishSettings,
    RulesSettings,
    ScorerSettings,
    SpanSettings,
    SplitSettings,
)
from lunarsite.stage import Input, Job, Output, stage

Plain = Annotated[Path, Input(None)]
MaybePlain = Annotated[Path | None, Input(None)]
Figure = Annotated[Path, Output(None)]
MaybeFigure = Annotated[Path | None, Output(None)]


@stage
def figures(
    job: Job,
    publish: PublishSettings,
    grid: GridSettings,
    rules: RulesSettings,
    dem: Annotated[Path, Input(DEM)],
    slope: Annotated[Path, Input(SLOPE)],
    sun_mean: Annotated[Path, Input(SUN_MEAN)],
    sun_any: Annotated[Path, Input(SUN_ANY)],
    earth_any: Annotated[Path, Input(EARTH_ANY)],
    psr: Annotated[Path, Input(PSR)],
    cells: Annotated[Path, Input(CELLS)],
    scores: Annotated[Path, Input(SCORES)],
    artemis: Annotated[Path, Input(ARTEMIS_RECORD)],
    named_features: Plain,
    regions: Plain,
    score_map_png: Figure,
    score_map_pdf: Figure,
    close_up_png: Figure,
    close_up_pdf: Figure,
    elevation_png: Figure,
    elevation_pdf: Figure,
    slope_png: Figure,
    slope_pdf: Figure,
    sun_png: Figure,
    sun_pdf: Figure,
    earth_png: Figure,
    earth_pdf: Figure,
    psr_png: Figure,
    psr_pdf: Figure,
    shap_png: Figure,
    shap_pdf: Figure,
    artemis_png: Figure,
    artemis_pdf: Figure,
) -> None:
    """Draw the maps and charts of a run, each as PNG for the screen and as PDF for print."""
    from lunarsite.publish.charts import draw_agreement, draw_shap
    from lunarsite.publish.gather import Run
    from lunarsite.publish.style import save_drawn

    run = Run.read(grid, dem, cells, scores, artemis, named_features, regions)
    job.log.info("draws %d cells, %d of them known", len(run.scores), run.known)
    light = ("sun_mean", sun_mean, SUN_MEAN) if rules.illumination == "mean" else ("sun_any", sun_any, SUN_ANY)
    drawn = (
        (score_map_png, score_map_pdf, run.score_map),
        (close_up_png, close_up_pdf, run.close_up),
        (elevation_png, elevation_pdf, lambda: run.layer("elevation", dem, DEM)),
        (slope_png, slope_pdf, lambda: run.layer("slope", slope, SLOPE)),
        (sun_png, sun_pdf, lambda: run.layer(*light)),
        (earth_png, earth_pdf, lambda: run.layer("earth", earth_any, EARTH_ANY)),
        (psr_png, psr_pdf, lambda: run.shadow(psr)),
        (shap_png, shap_pdf, lambda: draw_shap(run.scores, run.cells, run.stamp)),
        (artemis_png, artemis_pdf, lambda: draw_agreement(run.agreement, run.stamp)),
    )
    save_drawn(drawn, publish.figure_dpi, job.progress)


@stage
def light(
    job: Job,
    publish: PublishSettings,
    grid: GridSettings,
    reference: IlluminationReferenceSettings,
    dem: Annotated[Path, Input(DEM)],
    cells: Annotated[Path, Input(ILLUMINATION_CELLS)],
    illumination: Annotated[Path, Input(ILLUMINATION_RECORD)],
    light_differences_png: Figure,
    light_differences_pdf: Figure,
    light_scatter_png: Figure,
    light_scatter_pdf: Figure,
) -> None:
    """Draw light and Earth view against a published reference: maps of differences, and cell by cell."""
    from lunarsite.publish.light import Comparison, draw_differences, draw_scatter
    from lunarsite.publish.style import save_drawn

    comparison = Comparison.read(cells, illumination, dem, reference)
    job.log.info("draws %d compared cells", len(comparison.cells))
    drawn = (
        (light_differences_png, light_differences_pdf, lambda: draw_differences(comparison, grid.pole)),
        (light_scatter_png, light_scatter_pdf, lambda: draw_scatter(comparison)),
    )
    save_drawn(drawn, publish.figure_dpi, job.progress)


@stage
def nights(
    job: Job,
    publish: PublishSettings,
    grid: GridSettings,
    span: SpanSettings,
    darkness: DarknessSettings,
    dem: Annotated[Path, Input(DEM)],
    night: Annotated[Path, Input(NIGHT)],
    named_features: Plain,
    night_png: Figure,
    night_pdf: Figure,
    sun_and_earth_png: Figure,
    sun_and_earth_pdf: Figure,
) -> None:
    """Draw the longest night of each cell, and its hours per year with Sun and Earth in view."""
    from lunarsite.publish.light import Nights
    from lunarsite.publish.style import save_drawn

    found = Nights.read(grid, span, darkness, night, dem, named_features)
    job.log.info("draws %d cells", len(found.rows))
    drawn = (
        (night_png, night_pdf, found.draw_longest),
        (sun_and_earth_png, sun_and_earth_pdf, found.draw_together),
    )
    save_drawn(drawn, publish.figure_dpi, job.progress)


@stage
def places(
    job: Job,
    publish: PublishSettings,
    places: PlacesSettings,
    dem: Annotated[Path, Input(DEM)],
    profiles: Annotated[Path, Input(PLACE_PROFILES)],
    series: Annotated[Path, Input(PLACE_SERIES)],
    places_png: Figure,
    places_pdf: Figure,
) -> None:
    """Draw the sky over the named places: one page each in the PDF, the first ones together in the PNG."""
    from lunarsite.publish.places import NamedPlaces
    from lunarsite.publish.style import PRINT_DPI, save, save_pages

    named = NamedPlaces.read(profiles, series, dem, places)
    job.log.info("draws %d places", len(named.places))
    save(named.sheet(), places_png, publish.figure_dpi)
    save_pages(named.pages(), places_pdf, PRINT_DPI)


@stage
def craters(
    job: Job,
    publish: PublishSettings,
    dem: Annotated[Path, Input(DEM)],
    detected: Annotated[Path, Input(DETECTED)],
    probability: Annotated[Path, Input(CRATER_PROBABILITY)],
    named_features: Plain,
    crater_map_png: Figure,
    crater_map_pdf: Figure,
    crater_probability_png: Figure,
    crater_probability_pdf: Figure,
) -> None:
    """Draw the detected craters on the map, and what the network answers there."""
    from lunarsite.publish.crater_sheet import Ground
    from lunarsite.publish.craters import Detections, Responses
    from lunarsite.publish.style import save_drawn

    ground = Ground.read(dem, named_features)
    found, responses = Detections.read(detected, ground), Responses.read(probability, ground)
    job.log.info("draws %d accepted craters of %d", len(found.craters), found.total)
    drawn = (
        (crater_map_png, crater_map_pdf, found.draw),
        (crater_probability_png, crater_probability_pdf, responses.draw),
    )
    save_drawn(drawn, publish.figure_dpi, job.progress)


@stage
def crater_checks(
    job: Job,
    publish: PublishSettings,
    grid: GridSettings,
    catalogue: CatalogueSettings,
    split: SplitSettings,
    reference: CraterReferenceSettings,
    dem: Annotated[Path, Input(DEM)],
    detected: Annotated[Path, Input(DETECTED)],
    matches: Annotated[Path, Input(CRATER_MATCHES)],
    curve: Annotated[Path, Input(CRATER_CURVE)],
    record: Annotated[Path, Input(CRATER_RECORD)],
    named_features: Plain,
    crater_matches_png: Figure,
    crater_matches_pdf: Figure,
    crater_curve_png: Figure,
    crater_curve_pdf: Figure,
    crater_reliability_png: Figure,
    crater_reliability_pdf: Figure,
    crater_recall_png: Figure,
    crater_recall_pdf: Figure,
) -> None:
    """Draw detected craters against the given catalogue: hits and misses on the map, and the charts of agreement."""
    from lunarsite.publish.crater_agreement import Agreement
    from lunarsite.publish.crater_matches import Matches
    from lunarsite.publish.crater_sheet import Ground
    from lunarsite.publish.style import save_drawn

    ground = Ground.read(dem, named_features)
    compared = Matches.read(matches, detected, ground, catalogue, split, reference, grid.latitude_limit_deg)
    agreement = Agreement.read(record, curve)
    job.log.info("draws %d craters of at least %g km", len(compared.rows), compared.least_m / 1000.0)
    drawn = (
        (crater_matches_png, crater_matches_pdf, compared.draw),
        (crater_curve_png, crater_curve_pdf, agreement.curve),
        (crater_reliability_png, crater_reliability_pdf, agreement.reliability),
        (crater_recall_png, crater_recall_pdf, agreement.recall),
    )
    save_drawn(drawn, publish.figure_dpi, job.progress)


@stage
def enhance(
    job: Job,
    publish: PublishSettings,
    record: Annotated[Path, Input(ENHANCE_RECORD)],
    samples: Annotated[Path, Input(ENHANCE_SAMPLES)],
    enhance_samples_png: Figure,
    enhance_samples_pdf: Figure,
    enhance_levels_png: Figure,
    enhance_levels_pdf: Figure,
    enhance_spectrum_png: Figure,
    enhance_spectrum_pdf: Figure,
    enhance_frames_png: MaybeFigure,
    enhance_frames_pdf: MaybeFigure,
) -> None:
    """Draw what enhancement makes of shadow: pictures beside the truth, metrics by signal, and real frames."""
    from lunarsite.publish.enhance_charts import Measured
    from lunarsite.publish.enhance_pictures import Samples
    from lunarsite.publish.style import save_drawn

    pictures, measured = Samples.read(samples), Measured.read(record)
    job.log.info("draws %d sample pictures", len(pictures.found))
    drawn = [
        (enhance_samples_png, enhance_samples_pdf, pictures.draw_scenes),
        (enhance_levels_png, enhance_levels_pdf, measured.draw_levels),
        (enhance_spectrum_png, enhance_spectrum_pdf, measured.draw_spectrum),
    ]
    if enhance_frames_png is not None and enhance_frames_pdf is not None:
        drawn.append((enhance_frames_png, enhance_frames_pdf, pictures.draw_frames))
    save_drawn(drawn, publish.figure_dpi, job.progress)


@stage
def shadowcam(
    job: Job,
    publish: PublishSettings,
    record: Annotated[Path, Input(SHADOWCAM_RECORD)],
    samples: Annotated[Path, Input(SHADOWCAM_SAMPLES)],
    shadowcam_pictures_png: Figure,
    shadowcam_pictures_pdf: Figure,
    shadowcam_aucs_png: MaybeFigure,
    shadowcam_aucs_pdf: MaybeFigure,
) -> None:
    """Draw ShadowCam's images beside predicted light and shadow, and how well both agree frame by frame."""
    from lunarsite.publish.shadowcam_charts import Compared
    from lunarsite.publish.shadowcam_pictures import Samples
    from lunarsite.publish.style import save_drawn

    pictures, compared = Samples.read(samples), Compared.read(record)
    job.log.info("draws %d images", len(pictures.found))
    drawn = [(shadowcam_pictures_png, shadowcam_pictures_pdf, pictures.draw)]
    if shadowcam_aucs_png is not None and shadowcam_aucs_pdf is not None:
        drawn.append((shadowcam_aucs_png, shadowcam_aucs_pdf, compared.draw_aucs))
    save_drawn(drawn, publish.figure_dpi, job.progress)


@stage
def rock(
    job: Job,
    publish: PublishSettings,
    record: Annotated[Path, Input(ROCK_RECORD)],
    samples: Annotated[Path, Input(ROCK_SAMPLES)],
    renders: Annotated[Path, Input(ROCK_DISTRIBUTION)],
    images: Annotated[Path | None, Input(ROCK_DISTRIBUTION)],
    rock_samples_png: Figure,
    rock_samples_pdf: Figure,
    rock_overlap_png: Figure,
    rock_overlap_pdf: Figure,
    rock_reliability_png: Figure,
    rock_reliability_pdf: Figure,
    rock_risk_png: Figure,
    rock_risk_pdf: Figure,
    rock_unfamiliar_png: Figure,
    rock_unfamiliar_pdf: Figure,
    rock_hazards_png: Figure,
    rock_hazards_pdf: Figure,
    rock_gap_png: MaybeFigure,
    rock_gap_pdf: MaybeFigure,
) -> None:
    """Draw rocks as they are seen and told: pictures, overlap, calibration, doubt and hazards.

    `renders` and `images` tell how many rocks of which size were found in own renders and in the user's dataset. What
    closes the gap to photographs is drawn of a record that has an ablation.
    """
    from lunarsite.publish.rock import charts
    from lunarsite.publish.rock.doubt import draw_unfamiliar
    from lunarsite.publish.rock.gap import draw_gap
    from lunarsite.publish.rock.hazards import draw_hazards, read_sizes
    from lunarsite.publish.rock.pictures import Samples
    from lunarsite.publish.rock.tables import Measured
    from lunarsite.publish.style import save_drawn

    pictures, found = Samples.read(samples), Measured.read(record)
    files = {"own renders": renders, "the dataset's images": images}
    sizes = {name: read_sizes(path) for name, path in files.items() if path is not None}
    job.log.info("draws %d sample images", len(pictures.found))
    drawn = [
        (rock_samples_png, rock_samples_pdf, pictures.draw),
        (rock_overlap_png, rock_overlap_pdf, lambda: charts.draw_overlap(found)),
        (rock_reliability_png, rock_reliability_pdf, lambda: charts.draw_reliability(found)),
        (rock_risk_png, rock_risk_pdf, lambda: charts.draw_risk(found)),
        (rock_unfamiliar_png, rock_unfamiliar_pdf, lambda: draw_unfamiliar(found)),
        (rock_hazards_png, rock_hazards_pdf, lambda: draw_hazards(found, sizes)),
    ]
    if rock_gap_png is not None and rock_gap_pdf is not None:
        drawn.append((rock_gap_png, rock_gap_pdf, lambda: draw_gap(found)))
    save_drawn(drawn, publish.figure_dpi, job.progress)


@stage
def site_checks(
    job: Job,
    publish: PublishSettings,
    grid: GridSettings,
    dem: Annotated[Path, Input(DEM)],
    cells: Annotated[Path, Input(CELLS)],
    scores: Annotated[Path, Input(SCORES)],
    sweeps: Annotated[Path, Input(SWEEPS)],
    calibration: Annotated[Path, Input(CALIBRATION)],
    crossvalidation: Annotated[Path, Input(CROSSVALIDATION_RECORD)],
    sites: Annotated[Path, Input(SITES)],
    ranks: Annotated[Path, Input(SITE_RANKS)],
    named_features: Plain,
    regions: Plain,
    calibration_png: Figure,
    calibration_pdf: Figure,
    blocks_png: Figure,
    blocks_pdf: Figure,
    sweeps_png: Figure,
    sweeps_pdf: Figure,
    dependence_png: Figure,
    dependence_pdf: Figure,
    site_map_png: Figure,
    site_map_pdf: Figure,
    site_ranks_png: Figure,
    site_ranks_pdf: Figure,
) -> None:
    """Draw what the score is worth on held-out ground, how it depends on its inputs, and the best sites."""
    from lunarsite.publish.crater_sheet import Ground
    from lunarsite.publish.score_checks import ScoreChecks
    from lunarsite.publish.site_charts import Sites
    from lunarsite.publish.style import save_drawn
    from lunarsite.site.place.regions import read_regions

    checks = ScoreChecks.read(cells, scores, sweeps, calibration, crossvalidation)
    placed = Sites.read(sites, ranks, Ground.read(dem, named_features), read_regions(regions, grid.pole))
    job.log.info("draws the checks of %d models and %d sites", len(checks.models), len(placed.sites))
    drawn = (
        (calibration_png, calibration_pdf, checks.calibration),
        (blocks_png, blocks_pdf, checks.blocks),
        (sweeps_png, sweeps_pdf, checks.sweeps),
        (dependence_png, dependence_pdf, checks.dependence),
        (site_map_png, site_map_pdf, placed.draw_map),
        (site_ranks_png, site_ranks_pdf, placed.draw_ranks),
    )
    save_drawn(drawn, publish.figure_dpi, job.progress)


@stage
def report(
    job: Job,
    publish: PublishSettings,
    grid: GridSettings,
    rules: RulesSettings,
    scorer: ScorerSettings,
    places: PlacesSettings,
    enhancement: EnhancementSettings,
    dem: Annotated[Path, Input(DEM)],
    slope: Annotated[Path, Input(SLOPE)],
    roughness: Annotated[Path, Input(ROUGHNESS)],
    sun_mean: Annotated[Path, Input(SUN_MEAN)],
    sun_any: Annotated[Path, Input(SUN_ANY)],
    earth_mean: Annotated[Path, Input(EARTH_MEAN)],
    earth_any: Annotated[Path, Input(EARTH_ANY)],
    psr: Annotated[Path, Input(PSR)],
    cells: Annotated[Path, Input(CELLS)],
    scores: Annotated[Path, Input(SCORES)],
    scorer_record: Annotated[Path, Input(SCORER_RECORD)],
    labels: Annotated[Path, Input(LABELS)],
    labels_record: Annotated[Path, Input(LABELS_RECORD)],
    crossvalidation: Annotated[Path, Input(CROSSVALIDATION_RECORD)],
    criteria: Annotated[Path, Input(CRITERIA)],
    sites: Annotated[Path, Input(SITES)],
    sites_record: Annotated[Path, Input(SITES_RECORD)],
    site_record: Annotated[Path, Input(SITE_RECORD)],
    artemis: Annotated[Path, Input(ARTEMIS_RECORD)],
    illumination: Annotated[Path | None, Input(ILLUMINATION_RECORD)],
    slope_record: Annotated[Path | None, Input(SLOPE_RECORD)],
    craters: Annotated[Path | None, Input(CRATERS)],
    detected: Annotated[Path | None, Input(DETECTED)],
    crater_model: Annotated[Path | None, Input(CRATER_MODEL)],
    crater_record: Annotated[Path | None, Input(CRATER_RECORD)],
    crater_candidates: Annotated[Path | None, Input(CRATER_CANDIDATES)],
    enhance_record: Annotated[Path | None, Input(ENHANCE_RECORD)],
    denoiser: Annotated[Path | None, Input(DENOISER_MODEL)],
    cycle: Annotated[Path | None, Input(CYCLE_MODEL)],
    shadowcam_record: Annotated[Path | None, Input(SHADOWCAM_RECORD)],
    rock_record: Annotated[Path | None, Input(ROCK_RECORD)],
    rock_model: Annotated[Path | None, Input(ROCK_MODEL)],
    named_features: Plain,
    score_map_png: Plain,
    close_up_png: Plain,
    elevation_png: Plain,
    slope_png: Plain,
    sun_png: Plain,
    earth_png: Plain,
    psr_png: Plain,
    shap_png: Plain,
    artemis_png: Plain,
    calibration_png: Plain,
    blocks_png: Plain,
    sweeps_png: Plain,
    dependence_png: Plain,
    site_map_png: Plain,
    site_ranks_png: Plain,
    night_png: MaybePlain,
    sun_and_earth_png: MaybePlain,
    light_differences_png: MaybePlain,
    light_scatter_png: MaybePlain,
    crater_map_png: MaybePlain,
    crater_probability_png: MaybePlain,
    crater_matches_png: MaybePlain,
    crater_curve_png: MaybePlain,
    crater_reliability_png: MaybePlain,
    crater_recall_png: MaybePlain,
    enhance_samples_png: MaybePlain,
    enhance_levels_png: MaybePlain,
    enhance_spectrum_png: MaybePlain,
    enhance_frames_png: MaybePlain,
    shadowcam_pictures_png: MaybePlain,
    shadowcam_aucs_png: MaybePlain,
    rock_samples_png: MaybePlain,
    rock_overlap_png: MaybePlain,
    rock_reliability_png: MaybePlain,
    rock_risk_png: MaybePlain,
    rock_unfamiliar_png: MaybePlain,
    rock_hazards_png: MaybePlain,
    rock_gap_png: MaybePlain,
    report: Annotated[Path, Output(None)],
) -> None:
    """Write the run's report: one HTML file without external parts."""
    given = locals()
    from lunarsite.publish.compose import Chosen, Files, compose
    from lunarsite.publish.crater_story import CraterFiles
    from lunarsite.publish.enhance_story import EnhanceFiles
    from lunarsite.publish.report import render
    from lunarsite.publish.rock.story import RockFiles

    # Of all inputs the job knows those that were given; figures are the ones that end so.
    drawn = {name.removesuffix("_png"): given[name] for name in job.inputs if name.endswith("_png")}
    rooms = CraterFiles(detected, crater_model, crater_record, crater_candidates)
    files = Files(
        cells=cells,
        scores=scores,
        labels=labels,
        criteria=criteria,
        sites=sites,
        scorer_record=scorer_record,
        labels_record=labels_record,
        crossvalidation=crossvalidation,
        sites_record=sites_record,
        site_record=site_record,
        artemis=artemis,
        illumination=illumination,
        slopes=slope_record,
        craters=rooms,
        enhance=EnhanceFiles(enhance_record, denoiser, cycle),
        shadowcam=shadowcam_record,
        rocks=RockFiles(rock_record, rock_model),
        named_features=named_features,
    )
    context = compose(
        job, Chosen(publish, grid, rules, scorer.target, enhancement.method, places.best_sites), files, drawn
    )
    render(report, context)
    job.log.info("%s", context["tally"])


@stage
def catalogue(
    job: Job,
    publish: PublishSettings,
    span: SpanSettings,
    grid: GridSettings,
    dem: Annotated[Path, Input(DEM)],
    far_dem: Annotated[Path | None, Input(FAR_DEM)],
    elevation_error: Annotated[Path | None, Input(ELEVATION_ERROR)],
    craters: Annotated[Path | None, Input(CRATERS)],
    slope: Annotated[Path, Input(SLOPE)],
    roughness: Annotated[Path, Input(ROUGHNESS)],
    sun_mean: Annotated[Path, Input(SUN_MEAN)],
    sun_any: Annotated[Path, Input(SUN_ANY)],
    earth_mean: Annotated[Path, Input(EARTH_MEAN)],
    earth_any: Annotated[Path, Input(EARTH_ANY)],
    psr: Annotated[Path, Input(PSR)],
    psr_margin: Annotated[Path | None, Input(PSR_MARGIN)],
    sky_view: Annotated[Path | None, Input(SKY_VIEW)],
    sun_months: Annotated[Path | None, Input(SUN_MONTHS)],
    cells: Annotated[Path, Input(CELLS)],
    scores: Annotated[Path, Input(SCORES)],
    scorer: Annotated[Path, Input(SCORER)],
    scorer_record: Annotated[Path, Input(SCORER_RECORD)],
    labels: Annotated[Path, Input(LABELS)],
    labels_record: Annotated[Path, Input(LABELS_RECORD)],
    sweeps: Annotated[Path, Input(SWEEPS)],
    crossvalidation: Annotated[Path, Input(CROSSVALIDATION_RECORD)],
    calibration: Annotated[Path, Input(CALIBRATION)],
    held_out: Annotated[Path, Input(HELD_OUT)],
    criteria: Annotated[Path, Input(CRITERIA)],
    walk: Annotated[Path, Input(REACH)],
    rover: Annotated[Path, Input(REACH)],
    relief: Annotated[Path | None, Input(RELIEF)],
    temperature: Annotated[Path | None, Input(TEMPERATURE)],
    ice_depth: Annotated[Path | None, Input(ICE_DEPTH)],
    scarps: Annotated[Path | None, Input(SCARPS)],
    published_sun: Annotated[Path | None, Input(SUN_ANY)],
    published_earth: Annotated[Path | None, Input(EARTH_ANY)],
    published_psr: Annotated[Path | None, Input(PSR)],
    published_slope: Annotated[Path | None, Input(PUBLISHED_SLOPE)],
    shadowcam: Annotated[tuple[Path, ...] | None, Input(SHADOWCAM)],
    slope_record: Annotated[Path | None, Input(SLOPE_RECORD)],
    sites: Annotated[Path, Input(SITES)],
    region_sites: Annotated[Path, Input(REGION_SITES)],
    site_ranks: Annotated[Path, Input(SITE_RANKS)],
    routes: Annotated[Path, Input(ROUTES)],
    sites_record: Annotated[Path, Input(SITES_RECORD)],
    site_profiles: Annotated[Path | None, Input(PLACE_PROFILES)],
    site_series: Annotated[Path | None, Input(PLACE_SERIES)],
    site_months: Annotated[Path | None, Input(SITE_MONTHS)],
    site_record: Annotated[Path, Input(SITE_RECORD)],
    artemis: Annotated[Path, Input(ARTEMIS_RECORD)],
    illumination: Annotated[Path | None, Input(ILLUMINATION_RECORD)],
    illumination_cells: Annotated[Path | None, Input(ILLUMINATION_CELLS)],
    night: Annotated[Path | None, Input(NIGHT)],
    place_profiles: Annotated[Path | None, Input(PLACE_PROFILES)],
    place_series: Annotated[Path | None, Input(PLACE_SERIES)],
    crater_model: Annotated[Path | None, Input(CRATER_MODEL)],
    crater_probability: Annotated[Path | None, Input(CRATER_PROBABILITY)],
    detected_craters: Annotated[Path | None, Input(DETECTED)],
    crater_record: Annotated[Path | None, Input(CRATER_RECORD)],
    crater_matches: Annotated[Path | None, Input(CRATER_MATCHES)],
    crater_candidates: Annotated[Path | None, Input(CRATER_CANDIDATES)],
    crater_curve: Annotated[Path | None, Input(CRATER_CURVE)],
    lit_scenes: Annotated[Path | None, Input(LIT_SCENES)],
    denoiser: Annotated[Path | None, Input(DENOISER_MODEL)],
    denoiser_training: Annotated[Path | None, Input(ENHANCE_TRAINING)],
    cycle: Annotated[Path | None, Input(CYCLE_MODEL)],
    cycle_training: Annotated[Path | None, Input(ENHANCE_TRAINING)],
    shadowcam_frames: Annotated[Path | None, Input(SHADOWCAM_FRAMES)],
    frame_light: Annotated[Path | None, Input(FRAME_LIGHT)],
    enhanced_frames: Annotated[Path | None, Input(ENHANCED_FRAMES)],
    enhance_record: Annotated[Path | None, Input(ENHANCE_RECORD)],
    enhance_samples: Annotated[Path | None, Input(ENHANCE_SAMPLES)],
    shadowcam_record: Annotated[Path | None, Input(SHADOWCAM_RECORD)],
    shadowcam_samples: Annotated[Path | None, Input(SHADOWCAM_SAMPLES)],
    rock_renders: Annotated[Path | None, Input(ROCK_SCENES)],
    rock_truth: Annotated[Path | None, Input(ROCK_TRUTH)],
    rock_images: Annotated[Path | None, Input(ROCK_SCENES)],
    rock_model: Annotated[Path | None, Input(ROCK_MODEL)],
    rock_training: Annotated[Path | None, Input(ROCK_TRAINING)],
    rock_ablation: Annotated[Path | None, Input(ROCK_ABLATION)],
    rock_maps: Annotated[tuple[Path, ...] | None, Input(ROCK_MAPS)],
    rock_hazard: Annotated[tuple[Path, ...] | None, Input(ROCK_HAZARD)],
    rock_sizes: Annotated[tuple[Path, ...] | None, Input(ROCK_SIZES)],
    rock_distribution: Annotated[tuple[Path, ...] | None, Input(ROCK_DISTRIBUTION)],
    rock_record: Annotated[Path | None, Input(ROCK_RECORD)],
    rock_samples: Annotated[Path | None, Input(ROCK_SAMPLES)],
    report: Plain,
    pages: Plain,
    catalogue: Annotated[Path, Output(None)],
    entries: Annotated[Path, Output(None)],
) -> None:
    """Write the run's STAC catalogue: which artefacts exist, where they come from, and their checksums."""
    given = locals()
    from lunarsite.publish.catalogue import write_catalogue
    from lunarsite.publish.entries import list_entries

    # Of several files of one kind the job knows each by its number.
    paths = {
        f"{name}[{i}]": path for name, many in given.items() if isinstance(many, tuple) for i, path in enumerate(many)
    }
    listed = list_entries(job, {name: paths.get(name) or given[name] for name in job.inputs})
    write_catalogue(catalogue, entries, publish.title, listed, grid, span)
    job.log.info("catalogued %d artefacts", len(listed))
