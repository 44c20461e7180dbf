"""Stages of the criteria beyond the rule: ways to permanent shadow, and all criteria of each cell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lunarsite.artefact.contracts import (
    CELLS,
    CRATERS,
    CRITERIA,
    DETECTED,
    ICE_DEPTH,
    LABELS,
    NIGHT,
    PSR,
    REACH,
    RELIEF,
    SCARPS,
    SLOPE,
    TEMPERATURE,
)
from lunarsite.settings import GridSettings, PlacingSettings, ReachSettings, ScorerSettings
from lunarsite.stage import Input, Job, Output, StageError, stage


@stage
def reach(
    job: Job,
    grid: GridSettings,
    reach: ReachSettings,
    slope: Annotated[Path, Input(SLOPE)],
    psr: Annotated[Path, Input(PSR)],
    path: Annotated[Path, Output(REACH)],
    mover: str,
) -> None:
    """Find the shortest ways from everywhere to permanent shadow, on foot ('walk') or by rover ('rover')."""
    import numpy as np

    from lunarsite.artefact import raster
    from lunarsite.grid import Grid
    from lunarsite.site.criteria.reach import find_ways, shadow_regions

    limits_deg = {"walk": reach.walk_slope_deg, "rover": reach.rover_slope_deg}
    if mover not in limits_deg:
        raise StageError(f"criteria-reach: --mover is '{mover}', must be one of {list(limits_deg)}")
    area = Grid.centred(grid.half_width_m, grid.pixel_m, grid.cell_m, grid.pole)
    shadow = shadow_regions(raster.read(psr, PSR, area)["psr"], area, reach.psr_area_km2)
    if not shadow.certain.any():
        job.log.warning(
            "no permanently shadowed region has %g km2 (site.reach.psr_area_km2): no way leads to one",
            reach.psr_area_km2,
        )
    found = find_ways(raster.read(slope, SLOPE, area)["slope_deg"], shadow, area, limits_deg[mover])
    job.log.info(
        "%s: a way leads from %d pixels, none from %d, unknown is it of %d",
        mover,
        (found.way == 1.0).sum(),
        (found.way == 0.0).sum(),
        np.isnan(found.way).sum(),
    )
    raster.write(path, REACH, area, found._asdict(), job.stamp(REACH))


@stage
def gather(
    job: Job,
    grid: GridSettings,
    scorer: ScorerSettings,
    placing: PlacingSettings,
    reach: ReachSettings,
    cells: Annotated[Path, Input(CELLS)],
    labels: Annotated[Path, Input(LABELS)],
    psr: Annotated[Path, Input(PSR)],
    walk: Annotated[Path, Input(REACH)],
    rover: Annotated[Path, Input(REACH)],
    night: Annotated[Path | None, Input(NIGHT)],
    craters: Annotated[Path | None, Input(CRATERS)],
    detected: Annotated[Path | None, Input(DETECTED)],
    relief: Annotated[Path | None, Input(RELIEF)],
    temperature: Annotated[Path | None, Input(TEMPERATURE)],
    ice_depth: Annotated[Path | None, Input(ICE_DEPTH)],
    scarps: Annotated[Path | None, Input(SCARPS)],
    criteria: Annotated[Path, Output(CRITERIA)],
) -> None:
    """Gather the criteria beyond the rule for each cell; one that is missing is unknown."""
    from lunarsite.artefact import table
    from lunarsite.grid import Cells, Grid
    from lunarsite.site.criteria import reading
    from lunarsite.site.criteria.gathering import Columns, build_criteria

    if craters is not None and detected is not None:
        raise StageError(
            "criteria-gather: got both 'craters' and 'detected'; give one of them, the one that site.craters names"
        )
    area = Grid.centred(grid.half_width_m, grid.pixel_m, grid.cell_m, grid.pole)
    places = Cells(area, grid.cell_m, grid.latitude_limit_deg)
    columns: Columns = reading.shadow(psr, reach.psr_area_km2, places)
    columns |= reading.ways(walk, "walk", places) | reading.ways(rover, "rover", places)
    columns |= reading.craters(cells, craters, detected, places)
    columns |= reading.good_ground(labels, scorer.target, placing.least_probability, places)
    if night is not None:
        columns |= reading.nights(night, places)
    if relief is not None:
        columns |= reading.relief(relief, places)
    if temperature is not None:
        columns |= reading.layer(temperature, TEMPERATURE, "mean", places)
    if ice_depth is not None:
        columns |= reading.layer(ice_depth, ICE_DEPTH, "min", places)
    if scarps is not None:
        columns |= reading.scarps(scarps, places)
    built = build_criteria(columns, places)
    absent = (
        (night, "longest_night_h, sun_and_earth_h_per_year", "the run searches no nights (darkness.enabled)"),
        (craters or detected, "crater_*_1km*", "the run has no crater catalogue (site.craters)"),
        (relief, "relief_*", "the run has no finer elevation model (source.local.fine_dems)"),
        (temperature, "temperature_k", "the run has no such map (source.local.temperature)"),
        (ice_depth, "ice_depth_m", "the run has no such map (source.local.ice_depth)"),
        (scarps, "scarp_distance_m", "the run has no such lines (source.local.scarps)"),
    )
    for names, why in ((names, why) for path, names, why in absent if path is None):
        job.log.info("%s: unknown everywhere, as %s", names, why)
    if built["psr_distance_m"].isna().all():
        job.log.warning(
            "psr_distance_m: unknown everywhere, as no region has %g km2 (site.reach.psr_area_km2)", reach.psr_area_km2
        )
    for name in built.columns[3:-1]:
        if built[name].dtype.kind == "f":
            job.log.info("%s: a value in %d of %d cells", name, built[name].notna().sum(), len(built))
        else:
            counts = built[name].value_counts()
            job.log.info("%s: %s", name, ", ".join(f"{count} {kind}" for kind, count in counts.items()))
    table.write(criteria, CRITERIA, built, job.stamp(CRITERIA), grid.pole)
