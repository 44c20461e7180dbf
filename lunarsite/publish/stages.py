"""Stages of the publication: figures, the report that embeds them, and the catalogue of the run's artefacts."""

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
    CRATER_PROBABILITY,
    CRATER_RECORD,
    CRATERS,
    DEM,
    DETECTED,
    EARTH_ANY,
    EARTH_MEAN,
    ELEVATION_ERROR,
    FAR_DEM,
    ILLUMINATION_CELLS,
    ILLUMINATION_RECORD,
    NIGHT,
    PLACE_PROFILES,
    PLACE_SERIES,
    PSR,
    PSR_MARGIN,
    ROUGHNESS,
    SCORER,
    SCORER_RECORD,
    SCORES,
    SKY_VIEW,
    SLOPE,
    SUN_ANY,
    SUN_MEAN,
    SUN_MONTHS,
)
from lunarsite.settings import (
    CatalogueSettings,
    CraterReferenceSettings,
    DarknessSettings,
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
    from lunarsite.publish.style import PRINT_DPI, save

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
    for done, (png, pdf, draw) in enumerate(drawn, start=1):
        figure = draw()
        save(figure, png, publish.figure_dpi)
        save(figure, pdf, PRINT_DPI)
        job.progress(done, len(drawn), "figures")


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
    from lunarsite.publish.style import PRINT_DPI, save

    comparison = Comparison.read(cells, illumination, dem, reference)
    job.log.info("draws %d compared cells", len(comparison.cells))
    differences, scatter = draw_differences(comparison, grid.pole), draw_scatter(comparison)
    save(differences, light_differences_png, publish.figure_dpi)
    save(differences, light_differences_pdf, PRINT_DPI)
    save(scatter, light_scatter_png, publish.figure_dpi)
    save(scatter, light_scatter_pdf, PRINT_DPI)


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
    from lunarsite.publish.style import PRINT_DPI, save

    found = Nights.read(grid, span, darkness, night, dem, named_features)
    job.log.info("draws %d cells", len(found.rows))
    longest, together = found.draw_longest(), found.draw_together()
    save(longest, night_png, publish.figure_dpi)
    save(longest, night_pdf, PRINT_DPI)
    save(together, sun_and_earth_png, publish.figure_dpi)
    save(together, sun_and_earth_pdf, PRINT_DPI)


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
    from lunarsite.publish.style import PRINT_DPI, save

    ground = Ground.read(dem, named_features)
    found, responses = Detections.read(detected, ground), Responses.read(probability, ground)
    job.log.info("draws %d accepted craters of %d", len(found.craters), found.total)
    craters, quick_look = found.draw(), responses.draw()
    save(craters, crater_map_png, publish.figure_dpi)
    save(craters, crater_map_pdf, PRINT_DPI)
    save(quick_look, crater_probability_png, publish.figure_dpi)
    save(quick_look, crater_probability_pdf, PRINT_DPI)


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
    from lunarsite.publish.style import PRINT_DPI, save

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
    for png, pdf, draw in drawn:
        figure = draw()
        save(figure, png, publish.figure_dpi)
        save(figure, pdf, PRINT_DPI)


@stage
def report(
    job: Job,
    publish: PublishSettings,
    grid: GridSettings,
    rules: RulesSettings,
    scorer: ScorerSettings,
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
    artemis: Annotated[Path, Input(ARTEMIS_RECORD)],
    illumination: Annotated[Path | None, Input(ILLUMINATION_RECORD)],
    craters: Annotated[Path | None, Input(CRATERS)],
    detected: Annotated[Path | None, Input(DETECTED)],
    crater_model: Annotated[Path | None, Input(CRATER_MODEL)],
    crater_record: Annotated[Path | None, Input(CRATER_RECORD)],
    crater_candidates: Annotated[Path | None, Input(CRATER_CANDIDATES)],
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
    report: Annotated[Path, Output(None)],
) -> None:
    """Write the run's report: one HTML file without external parts."""
    from lunarsite.publish.compose import compose
    from lunarsite.publish.crater_story import CraterFiles
    from lunarsite.publish.report import render

    figures = {
        "score_map": score_map_png,
        "close_up": close_up_png,
        "elevation": elevation_png,
        "slope": slope_png,
        "sun": sun_png,
        "earth": earth_png,
        "psr": psr_png,
        "shap": shap_png,
        "artemis": artemis_png,
        "night": night_png,
        "sun_and_earth": sun_and_earth_png,
        "light_differences": light_differences_png,
        "light_scatter": light_scatter_png,
        "crater_map": crater_map_png,
        "crater_probability": crater_probability_png,
        "crater_matches": crater_matches_png,
        "crater_curve": crater_curve_png,
        "crater_reliability": crater_reliability_png,
        "crater_recall": crater_recall_png,
    }
    drawn = {name: path for name, path in figures.items() if path is not None}
    settings = publish, grid, rules, scorer.target
    rooms = CraterFiles(detected, crater_model, crater_record, crater_candidates)
    context = compose(job, settings, cells, scores, scorer_record, artemis, illumination, rooms, named_features, drawn)
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
    report: Plain,
    catalogue: Annotated[Path, Output(None)],
    entries: Annotated[Path, Output(None)],
) -> None:
    """Write the run's STAC catalogue: which artefacts exist, where they come from, and their checksums."""
    from lunarsite.publish.catalogue import write_catalogue
    from lunarsite.publish.entries import list_entries

    files = {
        "dem": dem,
        "far_dem": far_dem,
        "elevation_error": elevation_error,
        "craters": craters,
        "slope": slope,
        "roughness": roughness,
        "sun_mean": sun_mean,
        "sun_any": sun_any,
        "earth_mean": earth_mean,
        "earth_any": earth_any,
        "psr": psr,
        "psr_margin": psr_margin,
        "sky_view": sky_view,
        "sun_months": sun_months,
        "cells": cells,
        "scores": scores,
        "scorer": scorer,
        "scorer_record": scorer_record,
        "artemis": artemis,
        "illumination": illumination,
        "illumination_cells": illumination_cells,
        "night": night,
        "place_profiles": place_profiles,
        "place_series": place_series,
        "crater_model": crater_model,
        "crater_probability": crater_probability,
        "detected_craters": detected_craters,
        "crater_record": crater_record,
        "crater_matches": crater_matches,
        "crater_candidates": crater_candidates,
        "crater_curve": crater_curve,
    }
    listed = list_entries(job, {name: path for name, path in files.items() if path is not None}, report)
    write_catalogue(catalogue, entries, publish.title, listed, grid, span)
    job.log.info("catalogued %d artefacts", len(listed))
