"""What the catalogue lists: each artefact with its room, its title, its stamp, its checksum and its grid."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lunarsite.artefact import raster
from lunarsite.artefact.contracts import (
    ARTEMIS_RECORD,
    CRATER_PROBABILITY,
    DEM,
    EARTH_ANY,
    EARTH_MEAN,
    ELEVATION_ERROR,
    FAR_DEM,
    PSR,
    PSR_MARGIN,
    ROUGHNESS,
    SKY_VIEW,
    SLOPE,
    SUN_ANY,
    SUN_MEAN,
    SUN_MONTHS,
)
from lunarsite.artefact.raster import RasterSpec
from lunarsite.publish.catalogue import Entry
from lunarsite.stage import Job

_RASTERS: dict[str, RasterSpec] = {
    "dem": DEM,
    "far_dem": FAR_DEM,
    "elevation_error": ELEVATION_ERROR,
    "slope": SLOPE,
    "roughness": ROUGHNESS,
    "sun_mean": SUN_MEAN,
    "sun_any": SUN_ANY,
    "earth_mean": EARTH_MEAN,
    "earth_any": EARTH_ANY,
    "psr": PSR,
    "psr_margin": PSR_MARGIN,
    "sky_view": SKY_VIEW,
    "sun_months": SUN_MONTHS,
    "crater_probability": CRATER_PROBABILITY,
}
_OWN = frozenset({"run", "origin"})
"""Parts of a stamp that an entry tells by itself."""
_TITLES: dict[str, tuple[str, str]] = {
    "dem": ("terrain", "Elevation"),
    "far_dem": ("terrain", "Elevation of the far field"),
    "elevation_error": ("terrain", "Elevation error"),
    "slope": ("terrain", "Slope"),
    "roughness": ("terrain", "Roughness"),
    "craters": ("source", "Craters"),
    "sun_mean": ("illumination", "Mean visible fraction of the Sun"),
    "sun_any": ("illumination", "Share of time with any part of the Sun"),
    "earth_mean": ("illumination", "Mean visible fraction of the Earth"),
    "earth_any": ("illumination", "Share of time with any part of the Earth"),
    "psr": ("illumination", "Permanent shadow"),
    "psr_margin": ("illumination", "How far the Sun stays below the horizon"),
    "sky_view": ("illumination", "Sky-view factor"),
    "sun_months": ("illumination", "Mean visible fraction of the Sun by month"),
    "night": ("illumination", "Nights and days of the cells"),
    "place_profiles": ("illumination", "Horizons of named places"),
    "place_series": ("illumination", "Sun and Earth over named places"),
    "cells": ("site", "Cells and their features"),
    "scores": ("site", "Scores of the cells"),
    "scorer": ("site", "Scorer"),
    "scorer_record": ("site", "Record of the scorer"),
    "artemis": ("validate", "Agreement with the Artemis regions"),
    "illumination": ("validate", "Agreement of light and shadow with references"),
    "illumination_cells": ("validate", "Cells compared with published light"),
    "crater_model": ("crater", "Network that finds craters"),
    "crater_probability": ("crater", "Response to craters' centres and rims"),
    "detected_craters": ("crater", "Detected craters"),
    "crater_record": ("validate", "Agreement of the detected craters with the catalogue"),
    "crater_matches": ("validate", "Hits, misses and false alarms, crater by crater"),
    "crater_candidates": ("validate", "Detected craters that the catalogue lacks"),
    "crater_curve": ("validate", "Precision and recall of detectors by score"),
    "report": ("publish", "Report"),
}


def list_entries(job: Job, files: Mapping[str, Path], report: Path) -> list[Entry]:
    """Return the catalogue's entries in the order of `files`, the report last.

    Args:
        job: The running stage, which has read the inputs' stamps and checksums.
        files: Stamped artefacts by the stage's name for them.
        report: The report, which carries no stamp: only its stage is told.
    """
    stamped = [name for name in job.inputs if name != "report"]
    stamps = dict(zip(stamped, job.input_stamps, strict=True))
    entries = []
    run, origin = job.run, job.stamp(ARTEMIS_RECORD).origin
    for name, path in files.items():
        grid = None
        if name in _RASTERS:
            with raster.opened(path, _RASTERS[name]) as source:
                grid = source.grid
        provenance = {key: value for key, value in stamps[name].model_dump(mode="json").items() if key not in _OWN}
        entries.append(Entry(name, *_TITLES[name], path, job.inputs[name], run, stamps[name].origin, provenance, grid))
    entries.append(
        Entry("report", *_TITLES["report"], report, job.inputs["report"], run, origin, {"stage": "publish-report"})
    )
    return entries
