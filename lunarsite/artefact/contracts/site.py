"""Contracts of the site room: cells, labels, scores, criteria and sites, and of the layers that feed criteria."""

from __future__ import annotations

from lunarsite.artefact.contracts.terrain import HEIGHT
from lunarsite.artefact.model import ModelSpec
from lunarsite.artefact.partial import PartialSpec
from lunarsite.artefact.raster import Band, RasterSpec
from lunarsite.artefact.record import RecordSpec
from lunarsite.artefact.table import Column, TableSpec

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
LABELS = TableSpec(
    "labels",
    (
        Column("cell_id", "int64"),
        Column("rule", "string"),
        Column("label", "string"),  # suitable, unsuitable, unknown
        # Share of the clones of the elevation model whose slope passes, times the probabilities that light and Earth
        # view do: these two are integrated over their errors, not drawn.
        Column("probability", "float32", "1", nullable=True, valid_min=0.0, valid_max=1.0),
        # Mean and spread over the clones of the slope that the rule reads.
        Column("slope_mean_deg", "float32", "deg", nullable=True, valid_min=0.0, valid_max=90.0),
        Column("slope_sigma_deg", "float32", "deg", nullable=True, valid_min=0.0, valid_max=90.0),
        Column("unknown_because", "string"),  # the rule's inputs that are missing, comma-separated; '' if none is
    ),
    sort=("rule", "cell_id"),
)
"""A row for each rule and cell."""
CLONES = PartialSpec("clones")
LABELS_RECORD = RecordSpec(name="labels")
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
SWEEPS = TableSpec(
    "sweeps",
    (
        Column("input", "string"),  # slope, light, earth
        Column("limit", "float64"),  # the rule's, in the unit of the input
        Column("value", "float64"),  # of the input, in its unit (degrees, percent of time)
        *(
            Column(f"probability_{name}", "float32", "1", valid_min=0.0, valid_max=1.0)
            for name in ("low", "median", "high")  # 10, 50 and 90 % of the cells that are swept
        ),
        Column("cells", "int64", valid_min=1),
    ),
    allow_empty=True,
)
"""What the scorer makes of cells near a limit as that input alone is moved across it."""
CALIBRATION = TableSpec(
    "calibration",
    (
        Column("model", "string"),  # full, context, logistic, margin
        Column("block_km", "float64", "km", valid_min=0.0),
        Column("bin", "int32"),
        Column("predicted", "float64", "1", valid_min=0.0, valid_max=1.0),
        Column("expected", "float64", "1", valid_min=0.0, valid_max=1.0),  # mean Monte Carlo probability
        Column("passing", "float64", "1", valid_min=0.0, valid_max=1.0),  # share that pass the hard rule
        Column("cells", "int64", valid_min=1),
    ),
    allow_empty=True,
)
CROSSVALIDATION_RECORD = RecordSpec(name="crossvalidation")
HELD_OUT = TableSpec(
    "held_out",
    (
        Column("cell_id", "int64"),
        Column("fold", "int32", valid_min=-1),  # -1: unknown inputs
        Column("probability", "float32", "1", nullable=True, valid_min=0.0, valid_max=1.0),
        Column("context_probability", "float32", "1", nullable=True, valid_min=0.0, valid_max=1.0),
    ),
    key="cell_id",
    sort=("cell_id",),
)
"""What trees that never saw a cell's block (of the headline size) make of it."""

FINE_DEM = RasterSpec("fine_dem", (HEIGHT,), description="Height above the sphere of 1737.4 km, a part of the map")
TEMPERATURE = RasterSpec("temperature", (Band("temperature_k", "K", 0.0, 500.0),), description="Temperature")
ICE_DEPTH = RasterSpec(
    "ice_depth", (Band("ice_depth_m", "m", 0.0, 1_000.0),), description="Depth at which ice is stable"
)
SCARPS = TableSpec("scarps", (Column("id", "int64"),), key="id", sort=("id",), geometry="line", allow_empty=True)
RELIEF = TableSpec(
    "relief",
    (
        Column("cell_id", "int64"),
        Column("pixel_m", "float32", "m", valid_min=0.0),  # of the finest model that covers the cell
        Column("covered_share", "float32", "1", valid_min=0.0, valid_max=1.0),
        # The gentlest disc of the cell (least p95 slope): its place and its relief.
        Column("x_m", "float64", "m"),
        Column("y_m", "float64", "m"),
        Column("p95_slope_deg", "float32", "deg", valid_min=0.0, valid_max=90.0),
        Column("steep_share", "float32", "1", valid_min=0.0, valid_max=1.0),
        Column("step_m", "float32", "m", valid_min=0.0),
        # Over all discs of the cell.
        Column("median_p95_slope_deg", "float32", "deg", valid_min=0.0, valid_max=90.0),
    ),
    key="cell_id",
    sort=("cell_id",),
    allow_empty=True,
)
"""Cells that a finer elevation model covers; others are not listed."""
REACH = RasterSpec(
    "reach",
    (Band("path_m", "m", 0.0, 1e7), Band("way", "1", 0.0, 1.0)),
    description="Length of the shortest way to permanently shadowed ground over ground that is not too steep",
    allow_empty=True,
)
"""`path_m` is NaN where no way is known. `way`: 1 a way leads, 0 none does, NaN unknown ground could hold one."""
CRITERIA = TableSpec(
    "criteria",
    (
        Column("cell_id", "int64"),
        Column("lon", "float64", "deg", valid_min=-180.0, valid_max=180.0),
        Column("lat", "float64", "deg", valid_min=-90.0, valid_max=90.0),
        # Both of the cell's best-lit pixel.
        Column("longest_night_h", "float32", "h", nullable=True, valid_min=0.0),
        Column("sun_and_earth_h_per_year", "float32", "h", nullable=True, valid_min=0.0, valid_max=8766.0),
        Column("psr_distance_m", "float32", "m", nullable=True, valid_min=0.0),
        *(
            column
            for mover in ("walk", "rover")
            for column in (
                Column(f"psr_{mover}_m", "float32", "m", nullable=True, valid_min=0.0),
                Column(f"psr_{mover}", "string"),  # reached, no way, unknown
            )
        ),
        *(
            column
            for reach in ("1km", "5km")
            for column in (
                Column(f"crater_count_{reach}", "float32", "1", nullable=True, valid_min=0.0),
                Column(f"crater_coverage_{reach}_pct", "float32", "%", nullable=True, valid_min=0.0, valid_max=100.0),
            )
        ),
        Column("relief_pixel_m", "float32", "m", nullable=True, valid_min=0.0),
        Column("relief_p95_slope_deg", "float32", "deg", nullable=True, valid_min=0.0, valid_max=90.0),
        Column("relief_steep_share", "float32", "1", nullable=True, valid_min=0.0, valid_max=1.0),
        Column("relief_step_m", "float32", "m", nullable=True, valid_min=0.0),
        Column("good_area_km2", "float32", "km2", nullable=True, valid_min=0.0),  # 0 on ground that is not good
        Column("temperature_k", "float32", "K", nullable=True, valid_min=0.0),
        Column("ice_depth_m", "float32", "m", nullable=True, valid_min=0.0),
        Column("scarp_distance_m", "float32", "m", nullable=True, valid_min=0.0),
    ),
    key="cell_id",
    sort=("cell_id",),
    geometry="point",
)

_SITE = (
    Column("site_id", "int64"),
    Column("rank", "int64", valid_min=1),
    Column("cell_id", "int64"),  # the cell that holds the best place
    # Of the ellipse's centre, which lies in that cell or, where no ellipse there is without fault, beside it.
    Column("lon", "float64", "deg", valid_min=-180.0, valid_max=180.0),
    Column("lat", "float64", "deg", valid_min=-90.0, valid_max=90.0),
    Column("x_m", "float64", "m"),
    Column("y_m", "float64", "m"),
    Column("region", "string"),  # code of the Artemis region that holds it, or ''
    Column("cells", "int64", valid_min=1),
    Column("area_km2", "float64", "km2", valid_min=0.0),  # of the polygon, true area
    # The contiguous good ground that it is part of, numbered from 1 by falling area; several sites may share one.
    Column("piece_id", "int64", valid_min=1),
    # The landing ellipse: its pixels, not the cell's.
    Column("ellipse_semi_major_m", "float64", "m", valid_min=0.0),
    Column("ellipse_semi_minor_m", "float64", "m", valid_min=0.0),
    Column("ellipse_map_angle_deg", "float64", "deg", valid_min=0.0, valid_max=180.0),  # from +x towards +y
    Column("ellipse_inside_share", "float64", "1", valid_min=0.0, valid_max=1.0),  # of its area, in the polygon
    Column("ellipse_slope_mean_deg", "float32", "deg", nullable=True, valid_min=0.0, valid_max=90.0),
    Column("ellipse_slope_max_deg", "float32", "deg", nullable=True, valid_min=0.0, valid_max=90.0),
    Column("ellipse_sun_pct", "float32", "%", nullable=True, valid_min=0.0, valid_max=100.0),
    Column("ellipse_earth_pct", "float32", "%", nullable=True, valid_min=0.0, valid_max=100.0),
    # Of its best cell, but the ways psr_walk and psr_rover, which start at the ellipse's centre. longest_night_h and
    # sun_and_earth_h_per_year are those of the cell's best-lit pixel, which may lie beside the ellipse.
    Column("label", "string"),
    Column("probability", "float32", "1", valid_min=0.0, valid_max=1.0),  # Monte Carlo
    Column("score", "float32", "1", nullable=True),  # the learned score's log-odds
    Column("slope_deg", "float32", "deg", valid_min=0.0, valid_max=90.0),
    Column("illumination_pct", "float32", "%", valid_min=0.0, valid_max=100.0),
    Column("earth_visibility_pct", "float32", "%", valid_min=0.0, valid_max=100.0),
    *(Column(c.name, c.dtype, c.unit, c.nullable, c.valid_min, c.valid_max) for c in CRITERIA.columns[3:]),
    # The order among the sites, and how firm it is.
    Column("merit_topsis", "float64", "1", valid_min=0.0, valid_max=1.0),
    Column("merit_weighted_sum", "float64", "1", valid_min=0.0, valid_max=1.0),
    Column("rank_topsis", "int64", valid_min=1),
    Column("rank_weighted_sum", "int64", valid_min=1),
    Column("rank_low", "float64", valid_min=1.0),  # 2.5, 50 and 97.5 % of the draws
    Column("rank_median", "float64", valid_min=1.0),
    Column("rank_high", "float64", valid_min=1.0),
    Column("share_top_20", "float64", "1", valid_min=0.0, valid_max=1.0),
    Column("share_top_100", "float64", "1", valid_min=0.0, valid_max=1.0),
    # One sentence a line.
    Column("reasons_for", "string"),
    Column("reasons_against", "string"),
    Column("unknown", "string"),
)
SITES = TableSpec("sites", _SITE, key="site_id", sort=("rank",), geometry="polygon", allow_empty=True)
REGION_SITES = TableSpec(
    "region_sites", _SITE, key="site_id", sort=("region", "rank"), geometry="polygon", allow_empty=True
)
"""Up to so many sites in each Artemis region; `rank` counts within the region."""
SITE_RANKS = TableSpec(
    "site_ranks",
    (
        Column("site_id", "int64"),
        Column("draw", "int32", valid_min=0),
        Column("rank", "int32", valid_min=1),
    ),
    sort=("draw", "site_id"),
    allow_empty=True,
)
ROUTES = TableSpec(
    "routes",
    (
        Column("site_id", "int64"),
        Column("mover", "string"),  # walk, rover
        Column("point", "int32", valid_min=0),
        Column("x_m", "float64", "m"),
        Column("y_m", "float64", "m"),
        Column("path_m", "float64", "m", valid_min=0.0),  # from the site
    ),
    sort=("site_id", "mover", "point"),
    allow_empty=True,
)
"""The shortest ways from the centres of the sites' ellipses to permanently shadowed ground."""
SITES_RECORD = RecordSpec(name="sites")
SITE_MONTHS = TableSpec(
    "site_months",
    (
        Column("place", "string"),
        Column("month", "int32", valid_min=1, valid_max=12),
        *(
            Column(f"{body}_{name}", "float32", "1", valid_min=0.0, valid_max=1.0)
            for body in ("sun", "earth")
            for name in ("mean", "low", "high")  # share of time over all years, and in the worst and the best year
        ),
    ),
    sort=("place", "month"),
    allow_empty=True,
)
SITE_RECORD = RecordSpec(name="site")
SCORER_RECORD = RecordSpec(name="scorer_record")
