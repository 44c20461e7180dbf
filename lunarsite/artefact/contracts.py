"""The contracts of the files in which the rooms meet. A room never imports another: it reads one of these.

Names follow results/<run>/; each contract's `name` is what the stamp of its file says.
"""

from __future__ import annotations

from lunarsite.artefact.model import ModelSpec
from lunarsite.artefact.partial import PartialSpec
from lunarsite.artefact.raster import Band, RasterSpec
from lunarsite.artefact.record import RecordSpec
from lunarsite.artefact.table import Column, TableSpec
from lunarsite.artefact.tiles import TilesSpec

_HEIGHT = Band("elevation_m", "m", -12_000.0, 12_000.0)

DEM = RasterSpec("dem", (_HEIGHT,), description="Height above the sphere of 1737.4 km")
FAR_DEM = RasterSpec("far_dem", (_HEIGHT,), description="Height above the sphere of 1737.4 km, far field")
ELEVATION_ERROR = RasterSpec(
    "elevation_error", (Band("elevation_error_m", "m", 0.0, 5_000.0),), description="One-sigma height error"
)
SLOPE = RasterSpec("slope", (Band("slope_deg", "deg", 0.0, 90.0),), description="Slope, Horn 1981, true lengths")
ROUGHNESS = RasterSpec(
    "roughness", (Band("roughness_m", "m", 0.0, 10_000.0),), description="RMS deviation from the local plane"
)

SUN_MEAN = RasterSpec(
    "sun_mean", (Band("sun_mean", "1", 0.0, 1.0),), description="Mean visible fraction of the Sun's disc"
)
SUN_ANY = RasterSpec("sun_any", (Band("sun_any", "1", 0.0, 1.0),), description="Share of time with any part of the Sun")
EARTH_MEAN = RasterSpec(
    "earth_mean", (Band("earth_mean", "1", 0.0, 1.0),), description="Mean visible fraction of the Earth's disc"
)
EARTH_ANY = RasterSpec(
    "earth_any", (Band("earth_any", "1", 0.0, 1.0),), description="Share of time with any part of the Earth"
)
SUN_MONTHS = RasterSpec(
    "sun_months",
    tuple(Band(f"sun_mean_month_{month:02d}", "1", 0.0, 1.0) for month in range(1, 13)),
    description="Mean visible fraction of the Sun's disc by calendar month (UTC)",
)
SKY_VIEW = RasterSpec("sky_view", (Band("sky_view", "1", 0.0, 1.0),), description="Sky-view factor of level ground")
PSR_MARGIN = RasterSpec(
    "psr_margin",
    (Band("psr_margin_deg", "deg", -180.0, 180.0),),
    description="How far the Sun's upper limb stays below the horizon at its closest; negative where it rises",
)
ILLUMINATION_PARTIAL = PartialSpec("illumination_partial")
PROFILES_PARTIAL = PartialSpec("profiles_partial")
PSR = RasterSpec("psr", (Band("psr", "class", 0.0, 1.0),), "uint8", "1 = permanently shadowed, 0 = lit at some time")

NIGHT = TableSpec(
    "night",
    (
        Column("cell_id", "int64"),
        Column("lon", "float64", "deg", valid_min=-180.0, valid_max=180.0),
        Column("lat", "float64", "deg", valid_min=-90.0, valid_max=90.0),
        Column("lit_fraction", "float32", "1", nullable=True, valid_min=0.0, valid_max=1.0),
        Column("longest_night_h", "float32", "h", nullable=True, valid_min=0.0),
        Column("longest_night_start", "timestamp[ms]", nullable=True),
        Column("longest_light_h", "float32", "h", nullable=True, valid_min=0.0),
        *(Column(f"nights_over_{hours}h", "float32", "1", nullable=True, valid_min=0.0) for hours in (24, 72, 150)),
        Column("best_month", "timestamp[ms]", nullable=True),
        Column("best_month_lit_fraction", "float32", "1", nullable=True, valid_min=0.0, valid_max=1.0),
        Column("earth_fraction", "float32", "1", nullable=True, valid_min=0.0, valid_max=1.0),
        Column("sun_and_earth_h_per_year", "float32", "h", nullable=True, valid_min=0.0, valid_max=8766.0),
    ),
    key="cell_id",
    sort=("cell_id",),
    geometry="point",
)
PLACE_PROFILES = TableSpec(
    "place_profiles",
    (
        Column("place", "string"),
        Column("lon_deg", "float64", "deg"),
        Column("lat_deg", "float64", "deg"),
        Column("compass_deg", "float64", "deg", valid_min=0.0, valid_max=360.0),
        Column("horizon_deg", "float32", "deg", valid_min=-90.0, valid_max=90.0),
    ),
)
PLACE_SERIES = TableSpec(
    "place_series",
    (
        Column("place", "string"),
        Column("time_utc", "timestamp[ms]"),
        *(
            Column(f"{body}_{name}", "float32", unit, nullable=True)
            for body in ("sun", "earth")
            for name, unit in (
                ("elevation_deg", "deg"),
                ("compass_deg", "deg"),
                ("above_horizon_deg", "deg"),
                ("visible_fraction", "1"),
            )
        ),
    ),
)

CRATERS = TableSpec(
    "craters",
    (
        Column("id", "int64"),
        Column("name", "string", nullable=True),
        Column("lon_deg", "float64", "deg", valid_min=-180.0, valid_max=180.0),
        Column("lat_deg", "float64", "deg", valid_min=-90.0, valid_max=90.0),
        Column("x_m", "float64", "m"),
        Column("y_m", "float64", "m"),
        Column("diameter_m", "float64", "m", valid_min=1.0, valid_max=3e6),
        Column("depth_m", "float64", "m", nullable=True, valid_min=0.0, valid_max=15_000.0),
        Column("score", "float64", "1", nullable=True, valid_min=0.0, valid_max=1.0),
    ),
    key="id",
    sort=("id",),
    geometry="point",
    allow_empty=True,
)

CRATER_TILES = TilesSpec(
    "crater_tiles",
    size_px=256,
    per_tile=(
        ("longlat_bounds", (4,)),
        ("km_per_px", ()),
        ("pix_distortion", ()),
        ("elev_min_m", ()),
        ("elev_max_m", ()),
        ("least_diameter_px", ()),
        ("split", ()),
    ),
    craters=True,
)
"""`split`: 0 = training, 1 = validation; ground that tests is in no tile. The craters of a tile are complete from
`least_diameter_px` on."""
CRATER_MODEL = ModelSpec("crater_model", "safetensors", portable=True)
CRATER_TRAINING = RecordSpec(name="crater_training")
CRATER_LEVELS = PartialSpec("crater_levels")
CRATER_PROBABILITY = RasterSpec(
    "crater_probability",
    (Band("centre", "1", 0.0, 1.0), Band("rim", "1", 0.0, 1.0)),
    description="Highest response over all sizes to a crater's centre and to its rim",
)
_PLACE = (
    Column("id", "int64"),
    Column("lon_deg", "float64", "deg", valid_min=-180.0, valid_max=180.0),
    Column("lat_deg", "float64", "deg", valid_min=-90.0, valid_max=90.0),
    Column("x_m", "float64", "m"),
    Column("y_m", "float64", "m"),
    Column("diameter_m", "float64", "m", valid_min=1.0, valid_max=3e6),
    Column("depth_m", "float64", "m", nullable=True, valid_min=0.0, valid_max=15_000.0),
)
_DETECTION = (
    *_PLACE,
    # The share of detections like this one that the catalogue of the validation ground confirms.
    Column("score", "float64", "1", valid_min=0.0, valid_max=1.0),
    # The network's own response, before calibration.
    Column("response", "float64", "1", valid_min=0.0, valid_max=1.0),
    # Whether the score reaches the threshold that was chosen on the validation ground.
    Column("accepted", "bool"),
)
DETECTED = TableSpec("detected_craters", _DETECTION, key="id", sort=("id",), geometry="point", allow_empty=True)
CRATER_MATCHES = TableSpec(
    "crater_matches",
    (
        Column("catalogue_id", "int64"),  # -1: the catalogue has no such crater
        Column("detected_id", "int64"),  # -1: not detected
        Column("outcome", "string"),  # hit, miss, false_alarm
        *_PLACE[1:],  # the catalogue's crater where there is one, the detected one's otherwise
        Column("detected_diameter_m", "float64", "m", nullable=True),
        Column("centre_error_radii", "float64", "1", nullable=True, valid_min=0.0),
        Column("score", "float64", "1", nullable=True, valid_min=0.0, valid_max=1.0),
        Column("split", "string"),  # training, validation, test
    ),
    geometry="point",
    allow_empty=True,
)
CRATER_CANDIDATES = TableSpec(
    "crater_candidates", _DETECTION, key="id", sort=("id",), geometry="point", allow_empty=True
)
CRATER_RECORD = RecordSpec(name="crater")
CRATER_CURVE = TableSpec(
    "crater_curve",
    (
        Column("detector", "string"),  # network, base (before fine-tuning), classical
        Column("split", "string"),  # training, validation, test
        Column("least_diameter_m", "float64", "m", valid_min=1.0),
        Column("score", "float64", "1", valid_min=0.0, valid_max=1.0),
        Column("precision", "float64", "1", nullable=True, valid_min=0.0, valid_max=1.0),
        Column("recall", "float64", "1", nullable=True, valid_min=0.0, valid_max=1.0),
    ),
    allow_empty=True,
)
"""Precision and recall of all detections at or above each score."""

_STATISTICS = ("mean", "std", "min", "max")
_TERRAIN = (("elevation", "m"), ("slope", "deg"), ("roughness", "m"), ("elevation_error", "m"))

CELLS = TableSpec(
    "cells",
    (
        Column("cell_id", "int64"),
        Column("lon", "float64", "deg", valid_min=-180.0, valid_max=180.0),
        Column("lat", "float64", "deg", valid_min=-90.0, valid_max=90.0),
        Column("x_m", "float64", "m"),
        Column("y_m", "float64", "m"),
        *(
            Column(f"{layer}_{statistic}", "float32", unit, nullable=True)
            for layer, unit in _TERRAIN
            for statistic in _STATISTICS
        ),
        Column("crater_count", "float32", "1", nullable=True, valid_min=0.0),
        Column("crater_coverage_pct", "float32", "%", nullable=True, valid_min=0.0, valid_max=100.0),
        Column("crater_mean_diameter_m", "float32", "m", nullable=True, valid_min=0.0),
        Column("crater_max_diameter_m", "float32", "m", nullable=True, valid_min=0.0),
        Column("avg_illumination_pct", "float32", "%", nullable=True, valid_min=0.0, valid_max=100.0),
        Column("psr_fraction", "float32", "1", nullable=True, valid_min=0.0, valid_max=1.0),
        Column("illumination_min_pct", "float32", "%", nullable=True, valid_min=0.0, valid_max=100.0),
        Column("earth_visibility_pct", "float32", "%", nullable=True, valid_min=0.0, valid_max=100.0),
        # The 29 columns of the reference system end here; ours follow.
        Column("buffered_slope_deg", "float32", "deg", nullable=True, valid_min=0.0, valid_max=90.0),
        Column("crater_count_5km", "float32", "1", nullable=True, valid_min=0.0),
        Column("crater_coverage_5km_pct", "float32", "%", nullable=True, valid_min=0.0, valid_max=100.0),
        Column("crater_mean_diameter_5km_m", "float32", "m", nullable=True, valid_min=0.0),
        Column("crater_max_diameter_5km_m", "float32", "m", nullable=True, valid_min=0.0),
        Column("valid_fraction", "float32", "1", valid_min=0.0, valid_max=1.0),
        Column("label_cassa", "string"),
        Column("label_hls", "string"),
    ),
    key="cell_id",
    sort=("cell_id",),
    geometry="point",
)
REFERENCE_COLUMNS = tuple(column.name for column in CELLS.columns[:29])

SCORES = TableSpec(
    "scores",
    (
        Column("cell_id", "int64"),
        Column("lon", "float64", "deg", valid_min=-180.0, valid_max=180.0),
        Column("lat", "float64", "deg", valid_min=-90.0, valid_max=90.0),
        Column("label", "string"),
        Column("score", "float32", "1", nullable=True),
        Column("probability", "float32", "1", nullable=True, valid_min=0.0, valid_max=1.0),
        Column("rank", "int64", valid_min=0),
    ),
    key="cell_id",
    sort=("cell_id",),
    geometry="point",
    extra_prefixes=("shap_",),
)
SCORER = ModelSpec("scorer", "ubj")

SOURCE_RECORD = RecordSpec(name="source", metrics=("dem_valid_share", "craters"))
ILLUMINATION_CELLS = TableSpec(
    "illumination_cells",
    (
        Column("x_m", "float64", "m"),
        Column("y_m", "float64", "m"),
        *(
            Column(f"{name}_pct", "float64", "%", nullable=True, valid_min=0.0, valid_max=100.0)
            for name in ("sun_reference", "earth_reference", "sun_mean", "sun_any", "earth_mean", "earth_any")
        ),
    ),
    allow_empty=True,
)
ILLUMINATION_RECORD = RecordSpec(name="illumination")
SCORER_RECORD = RecordSpec(name="scorer_record")
ARTEMIS_RECORD = RecordSpec(name="artemis")
