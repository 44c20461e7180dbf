"""What the catalogue lists: each artefact with its room, its title, its stamp, its checksum and its grid."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lunarsite.artefact import raster
from lunarsite.artefact.contracts import (
    CRATER_PROBABILITY,
    DEM,
    EARTH_ANY,
    EARTH_MEAN,
    ELEVATION_ERROR,
    FAR_DEM,
    ICE_DEPTH,
    PSR,
    PSR_MARGIN,
    PUBLISHED_SLOPE,
    REACH,
    ROUGHNESS,
    SHADOWCAM,
    SKY_VIEW,
    SLOPE,
    SUN_ANY,
    SUN_MEAN,
    SUN_MONTHS,
    TEMPERATURE,
)
from lunarsite.artefact.raster import RasterSpec
from lunarsite.publish.catalogue import Entry
from lunarsite.publish.report import ground_origin
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
    "walk": REACH,
    "rover": REACH,
    "temperature": TEMPERATURE,
    "ice_depth": ICE_DEPTH,
    "published_sun": SUN_ANY,
    "published_earth": EARTH_ANY,
    "published_psr": PSR,
    "published_slope": PUBLISHED_SLOPE,
    "shadowcam": SHADOWCAM,
}
_PLAIN = {"report": "publish-report", "pages": "pages-write"}
"""Files without a stamp, and the stages that write them."""
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
    "labels": ("site", "Labels of the cells with their probabilities"),
    "labels_record": ("site", "Record of the labels"),
    "sweeps": ("site", "The score across the rule's limits"),
    "crossvalidation": ("site", "Record of the score on held-out blocks"),
    "calibration": ("site", "Calibration of the score on held-out blocks"),
    "held_out": ("site", "Scores of the cells by models that had not seen them"),
    "criteria": ("site", "Criteria of the cells beyond the rule"),
    "walk": ("site", "Ways on foot to permanent shadow"),
    "rover": ("site", "A rover's ways to permanent shadow"),
    "relief": ("terrain", "Relief at the scale of a lander"),
    "temperature": ("source", "Temperature"),
    "ice_depth": ("source", "Depth at which ice is stable"),
    "scarps": ("source", "Lobate scarps"),
    "published_sun": ("source", "Published share of time with any part of the Sun"),
    "published_earth": ("source", "Published share of time with any part of the Earth"),
    "published_psr": ("source", "Published permanent shadow"),
    "published_slope": ("source", "Published slopes, of the pixels in each pixel"),
    "shadowcam": ("source", "ShadowCam image of permanently shadowed ground"),
    "slope_record": ("validate", "Agreement of slopes with published ones"),
    "lit_scenes": ("illumination", "Scenes rendered in sunlight and in scattered light"),
    "frame_light": ("illumination", "Predicted light at each ShadowCam frame's time"),
    "denoiser": ("enhance", "Networks that denoise shadow, with their errors"),
    "denoiser_training": ("enhance", "Record of the denoiser's training"),
    "cycle": ("enhance", "CycleGAN between sunlit and shadowed ground"),
    "cycle_training": ("enhance", "Record of the CycleGAN's training"),
    "shadowcam_frames": ("source", "ShadowCam frames with their times"),
    "enhanced_frames": ("enhance", "ShadowCam frames, enhanced, with standard errors and support"),
    "enhance_record": ("validate", "Enhancement against truth and classical filters"),
    "enhance_samples": ("validate", "Sample pictures of enhancement"),
    "shadowcam_record": ("validate", "Predicted light and shadow against ShadowCam's images"),
    "shadowcam_samples": ("validate", "ShadowCam's images beside predicted light and shadow"),
    "rock_renders": ("rock", "Rendered scenes of rocky ground, with masks"),
    "rock_truth": ("rock", "Rocks of the rendered scenes"),
    "rock_images": ("source", "Renders and photographs of rocky ground, with masks"),
    "rock_model": ("rock", "Networks that tell rocks from ground and sky"),
    "rock_training": ("rock", "Record of their training"),
    "rock_ablation": ("rock", "What closes the gap between renders and photographs"),
    "rock_maps": ("rock", "Classes of rocky ground, with their probabilities and doubt"),
    "rock_hazard": ("rock", "Clearance from rocks, and ground that is safe to land on"),
    "rock_sizes": ("rock", "Rocks found, with their sizes"),
    "rock_distribution": ("rock", "How many rocks there are of which size"),
    "rock_record": ("validate", "Rocks against masks, and doubt against errors"),
    "rock_samples": ("validate", "Sample pictures of rocks"),
    "sites": ("site", "Sites"),
    "region_sites": ("site", "Sites of the Artemis regions"),
    "site_ranks": ("site", "Ranks of the sites by draw"),
    "routes": ("site", "Ways from the sites to permanent shadow"),
    "sites_record": ("site", "Record of the sites"),
    "site_profiles": ("illumination", "Horizons of the best sites"),
    "site_series": ("illumination", "Sun and Earth over the best sites"),
    "site_months": ("illumination", "Light of the best sites by month"),
    "site_record": ("validate", "Agreement of the sites with others"),
    "report": ("publish", "Report"),
    "pages": ("publish", "Pages of the sites and regions"),
}


def list_entries(job: Job, files: Mapping[str, Path]) -> list[Entry]:
    """Return the catalogue's entries in the order of `files`.

    Args:
        job: The running stage, which has read the inputs' stamps and checksums.
        files: The files by the stage's name for them, 'name[0]' and on where it takes several of one kind: these are
            listed by their files' names. The report and the pages carry no stamp: their stage is told.
    """
    stamped = [name for name in job.inputs if name not in _PLAIN]
    stamps = dict(zip(stamped, job.input_stamps, strict=True))
    entries = []
    run, origin = job.run, ground_origin(stamps)
    for name, path in files.items():
        kind, _, several = name.partition("[")
        if kind in _PLAIN:
            told = {"stage": _PLAIN[kind]}
            entries.append(Entry(kind, *_TITLES[kind], path, job.inputs[name], run, origin, told))
            continue
        grid = None
        if kind in _RASTERS:
            with raster.opened(path, _RASTERS[kind]) as source:
                grid = source.grid
        provenance = {key: value for key, value in stamps[name].model_dump(mode="json").items() if key not in _OWN}
        listed, digest = path.stem if several else kind, job.inputs[name]
        entries.append(Entry(listed, *_TITLES[kind], path, digest, run, stamps[name].origin, provenance, grid))
    return entries
