"""Contracts of crater detection: tiles, models, responses, tables of craters and what they are worth."""

from __future__ import annotations

from lunarsite.artefact.model import ModelSpec
from lunarsite.artefact.partial import PartialSpec
from lunarsite.artefact.raster import Band, RasterSpec
from lunarsite.artefact.record import RecordSpec
from lunarsite.artefact.table import Column, TableSpec
from lunarsite.artefact.tiles import TilesSpec

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
