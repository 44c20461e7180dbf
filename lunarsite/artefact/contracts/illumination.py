"""Contracts of light, Earth view, permanent shadow, nights and the skies of places."""

from __future__ import annotations

from lunarsite.artefact.partial import PartialSpec
from lunarsite.artefact.raster import Band, RasterSpec
from lunarsite.artefact.record import RecordSpec
from lunarsite.artefact.table import Column, TableSpec

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
    allow_empty=True,  # of a run without any site
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
    allow_empty=True,
)

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
