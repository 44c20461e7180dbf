"""Stages of the site room: from rasters and craters to cells."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lunarsite.artefact.contracts import (
    CELLS,
    CRATERS,
    DEM,
    DETECTED,
    EARTH_ANY,
    ELEVATION_ERROR,
    PSR,
    ROUGHNESS,
    SLOPE,
    SUN_ANY,
    SUN_MEAN,
)
from lunarsite.settings import CatalogueSettings, GridSettings, RulesSettings
from lunarsite.stage import Input, Job, Output, StageError, stage

_THREADS = 2
"""As many as the stages' rules ask for."""
_CRATER = ("x_m", "y_m", "diameter_m")


@stage
def cells(
    job: Job,
    grid: GridSettings,
    rules: RulesSettings,
    catalogue: CatalogueSettings,
    dem: Annotated[Path, Input(DEM)],
    slope: Annotated[Path, Input(SLOPE)],
    roughness: Annotated[Path, Input(ROUGHNESS)],
    elevation_error: Annotated[Path, Input(ELEVATION_ERROR)],
    sun_mean: Annotated[Path, Input(SUN_MEAN)],
    sun_any: Annotated[Path, Input(SUN_ANY)],
    earth_any: Annotated[Path, Input(EARTH_ANY)],
    psr: Annotated[Path, Input(PSR)],
    craters: Annotated[Path | None, Input(CRATERS)],
    detected: Annotated[Path | None, Input(DETECTED)],
    cells: Annotated[Path, Output(CELLS)],
) -> None:
    """Build the table of cells with their features and both rules' labels."""
    import contextlib

    from lunarsite.artefact import table
    from lunarsite.grid import Cells, Grid
    from lunarsite.site.cells import build_cells, check_rules, layer_statistics
    from lunarsite.site.craters import Catalogue
    from lunarsite.site.layers import opened_layer
    from lunarsite.site.reduction import valid_shares
    from lunarsite.site.survey import Survey, whole_map

    check_rules(rules)
    if craters is not None and detected is not None:
        raise StageError(
            "site-cells: got both 'craters' and 'detected'; give one of them, the one that site.craters names"
        )
    area = Grid.centred(grid.half_width_m, grid.pixel_m, grid.cell_m, grid.pole)
    places = Cells(area, grid.cell_m, grid.latitude_limit_deg)
    buffer_m = rules.hls.slope_buffer_m
    if 0.0 < buffer_m < area.pixel_m:
        job.log.warning(
            "pixels of %g m do not resolve the buffer of %g m to steep ground; buffered_slope_deg is the mean slope",
            area.pixel_m,
            buffer_m,
        )
    sun = (sun_mean, SUN_MEAN) if rules.illumination == "mean" else (sun_any, SUN_ANY)
    files = {
        "elevation": (dem, DEM),
        "slope": (slope, SLOPE),
        "roughness": (roughness, ROUGHNESS),
        "elevation_error": (elevation_error, ELEVATION_ERROR),
        "sun": sun,
        "earth": (earth_any, EARTH_ANY),
        "psr": (psr, PSR),
    }
    with contextlib.ExitStack() as stack:
        layers = {name: stack.enter_context(opened_layer(path, spec, area)) for name, (path, spec) in files.items()}
        statistics = layer_statistics(layers, places, buffer_m, _THREADS)
        heights = valid_shares(layers["elevation"], places) if detected is not None else None
    counted: Catalogue | None = None
    if craters is not None:
        frame, _ = table.read(craters, CRATERS, _CRATER)
        counted = Catalogue.of(frame, Survey(whole_map(places), catalogue.lon_deg))
    elif detected is not None and heights is not None:
        frame, _ = table.read(detected, DETECTED, [*_CRATER, "accepted"])
        counted = Catalogue.of(frame[frame["accepted"]], Survey(heights))
    if counted is None:
        job.log.warning("there is no crater catalogue: the crater columns are unknown")
    built = build_cells(statistics, counted, places, rules)
    if counted is not None:
        job.log.info(
            "%d %s craters; those within 5 km are unknown in %d of %d cells",
            counted.x_m.size,
            "given" if detected is None else "detected",
            built["crater_count_5km"].isna().sum(),
            len(built),
        )
    for rule in ("cassa", "hls"):
        counts = built[f"label_{rule}"].value_counts()
        job.log.info("%s: %s", rule, ", ".join(f"{count} {label}" for label, count in counts.items()))
    table.write(cells, CELLS, built, job.stamp(CELLS), grid.pole)
