"""Stages of the illumination room: azimuths are swept in shards, and the shards' sums gathered into rasters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lunarsite.artefact.contracts import (
    DEM,
    EARTH_ANY,
    EARTH_MEAN,
    FAR_DEM,
    ILLUMINATION_PARTIAL,
    NIGHT,
    PLACE_PROFILES,
    PLACE_SERIES,
    PROFILES_PARTIAL,
    PSR,
    PSR_MARGIN,
    SITE_MONTHS,
    SITES,
    SKY_VIEW,
    SUN_ANY,
    SUN_MEAN,
    SUN_MONTHS,
)
from lunarsite.settings import DarknessSettings, GridSettings, IlluminationSettings, PlacesSettings
from lunarsite.stage import Input, Job, Output, stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lunarsite.grid import Grid
    from lunarsite.illumination.ephemeris import Ephemeris
    from lunarsite.illumination.horizon import HorizonSweep, Terrain
    from lunarsite.illumination.points import HorizonProfiles
    from lunarsite.illumination.visibility_sums import VisibilityModel

_BLOCK_ROWS = 512


@stage
def sweep(
    job: Job,
    illumination: IlluminationSettings,
    dem: Annotated[Path, Input(DEM)],
    far_dem: Annotated[Path | None, Input(FAR_DEM)],
    partial: Annotated[Path, Output(ILLUMINATION_PARTIAL)],
    shard: int,
) -> None:
    """Sweep one shard of the directions and write their sums."""
    from lunarsite import grid
    from lunarsite.artefact import partial as partials
    from lunarsite.illumination.visibility import accumulate_visibility

    horizons, lattice = _sweep(job, illumination.near_samples, illumination.observer_heights_m, dem, far_dem)
    model = _model(illumination, lattice)
    directions = grid.shard(model.size, shard, illumination.shards)
    job.log.info("%d of %d directions over %d x %d pixels", len(directions), model.size, *lattice.shape)
    sums = accumulate_visibility(horizons, lattice, model, directions, lambda n, of: job.progress(n, of, "direction"))
    partials.write(
        partial, ILLUMINATION_PARTIAL, sums.state(), _plan(job, illumination, lattice), job.stamp(ILLUMINATION_PARTIAL)
    )


@stage
def gather(
    job: Job,
    illumination: IlluminationSettings,
    partials: Annotated[tuple[Path, ...], Input(ILLUMINATION_PARTIAL)],
    sun_mean: Annotated[Path, Output(SUN_MEAN)],
    sun_any: Annotated[Path, Output(SUN_ANY)],
    earth_mean: Annotated[Path, Output(EARTH_MEAN)],
    earth_any: Annotated[Path, Output(EARTH_ANY)],
    psr: Annotated[Path, Output(PSR)],
    psr_margin: Annotated[Path, Output(PSR_MARGIN)],
    sky_view: Annotated[Path, Output(SKY_VIEW)],
    sun_months: Annotated[Path | None, Output(SUN_MONTHS)],
    height: int,
) -> None:
    """Add up the shards' sums and write the averages for one of the observer's heights (by its index)."""
    from contextlib import ExitStack

    from lunarsite.artefact import partial, raster

    targets: dict[str, tuple[Path | None, Any]] = {
        "sun_mean": (sun_mean, SUN_MEAN),
        "sun_any": (sun_any, SUN_ANY),
        "earth_mean": (earth_mean, EARTH_MEAN),
        "earth_any": (earth_any, EARTH_ANY),
        "psr": (psr, PSR),
        "psr_margin_deg": (psr_margin, PSR_MARGIN),
        "sky_view": (sky_view, SKY_VIEW),
        "sun_groups": (sun_months, SUN_MONTHS),
    }
    with ExitStack() as stack:
        sources = [stack.enter_context(partial.opened(path, ILLUMINATION_PARTIAL)) for path in partials]
        lattice = _common_grid(sources, illumination)
        writers = {
            name: stack.enter_context(raster.creating(path, spec, lattice, job.stamp(spec)))
            for name, (path, spec) in targets.items()
            if path is not None
        }
        model = _model(illumination, lattice)
        for start in range(0, lattice.rows, _BLOCK_ROWS):
            rows = slice(start, min(start + _BLOCK_ROWS, lattice.rows))
            averages = _gathered(sources, model, lattice, rows, height)
            for name, writer in writers.items():
                bands = averages[name].reshape(-1, rows.stop - rows.start, lattice.cols)
                for band, values in zip(writer.spec.bands, bands, strict=True):
                    writer.write(values, band.name, (rows, slice(0, lattice.cols)))
            job.progress(rows.stop, lattice.rows, "row")


@stage
def profiles(
    job: Job,
    grid: GridSettings,
    illumination: IlluminationSettings,
    dem: Annotated[Path, Input(DEM)],
    far_dem: Annotated[Path | None, Input(FAR_DEM)],
    sun_any: Annotated[Path, Input(SUN_ANY)],
    partial: Annotated[Path, Output(PROFILES_PARTIAL)],
    shard: int,
) -> None:
    """Sweep one shard of the directions again and keep the horizons of each cell's best-lit pixel."""
    from lunarsite import grid as geometry
    from lunarsite.artefact import partial as partials
    from lunarsite.artefact import raster
    from lunarsite.illumination.darkness import best_lit_pixels
    from lunarsite.illumination.points import ProfileGatherer
    from lunarsite.illumination.visibility import sweep_plan

    heights_m = illumination.observer_heights_m[:1]
    horizons, lattice = _sweep(job, illumination.near_samples, heights_m, dem, far_dem)
    cells = geometry.Cells(lattice, grid.cell_m, grid.latitude_limit_deg)
    with raster.opened(sun_any, SUN_ANY, lattice) as source:
        rows, cols, known = best_lit_pixels(source.read(), cells)
    model = _model(illumination, lattice)
    directions = geometry.shard(model.size, shard, illumination.shards)
    gatherer = ProfileGatherer(lattice, model, rows, cols)
    sweep_plan(horizons, model, [gatherer], directions, lambda n, of: job.progress(n, of, "direction"))
    chosen = slice(directions.start, directions.stop)
    arrays: dict[str, Any] = {"tan_horizon": gatherer.tan_horizon[chosen], "rows": rows, "cols": cols, "known": known}
    partials.write(partial, PROFILES_PARTIAL, arrays, _plan(job, illumination, lattice), job.stamp(PROFILES_PARTIAL))


@stage
def darkness(
    job: Job,
    grid: GridSettings,
    illumination: IlluminationSettings,
    darkness: DarknessSettings,
    partials: Annotated[tuple[Path, ...], Input(PROFILES_PARTIAL)],
    night: Annotated[Path, Output(NIGHT)],
) -> None:
    """Walk through the span hour by hour at each cell's best-lit pixel: nights, days, Sun and Earth together."""
    from contextlib import ExitStack

    import geopandas as gpd
    import numpy as np

    from lunarsite.artefact import partial, table
    from lunarsite.grid import Cells
    from lunarsite.illumination.darkness import night_statistics

    with ExitStack() as stack:
        sources = [stack.enter_context(partial.opened(path, PROFILES_PARTIAL)) for path in partials]
        lattice = _common_grid(sources, illumination)
        profiles = _gathered_profiles(sources, illumination, lattice)
    sky = _sky(illumination)
    job.log.info("%d cells, %d epochs", len(profiles), sky.times.size)
    nights = night_statistics(profiles, sky, least_lit_fraction=darkness.least_lit_fraction).frame()
    cells = Cells(lattice, grid.cell_m, grid.latitude_limit_deg)
    lon, lat = cells.centres_lonlat()
    nights.insert(0, "cell_id", np.arange(cells.count))
    nights.insert(1, "lon", lon)
    nights.insert(2, "lat", lat)
    places = gpd.GeoDataFrame(nights, geometry=gpd.points_from_xy(*cells.centres_m()))
    table.write(night, NIGHT, places, job.stamp(NIGHT), lattice.pole)


@stage
def places(
    job: Job,
    illumination: IlluminationSettings,
    places: PlacesSettings,
    dem: Annotated[Path, Input(DEM)],
    far_dem: Annotated[Path | None, Input(FAR_DEM)],
    table: Annotated[Path, Input(None)],
    profiles: Annotated[Path, Output(PLACE_PROFILES)],
    series: Annotated[Path, Output(PLACE_SERIES)],
) -> None:
    """Tell the horizon of named places, and where the Sun and the Earth stand over it, epoch by epoch."""
    from lunarsite.artefact import table as tables
    from lunarsite.illumination.place_tables import profile_frame, read_places, series_frame
    from lunarsite.illumination.points import point_series

    named = read_places(table)
    names = named["name"].tolist()
    place = named["lon_deg"].to_numpy(), named["lat_deg"].to_numpy()
    seen = _horizons_at(job, illumination, places.height_m, (dem, far_dem), table, names, place)
    frame = series_frame(names, point_series(seen, _places_sky(places)))
    tables.write(profiles, PLACE_PROFILES, profile_frame(names, seen), job.stamp(PLACE_PROFILES))
    tables.write(series, PLACE_SERIES, frame, job.stamp(PLACE_SERIES))


@stage
def sites(
    job: Job,
    illumination: IlluminationSettings,
    places: PlacesSettings,
    dem: Annotated[Path, Input(DEM)],
    far_dem: Annotated[Path | None, Input(FAR_DEM)],
    sites: Annotated[Path, Input(SITES)],
    profiles: Annotated[Path, Output(PLACE_PROFILES)],
    series: Annotated[Path, Output(PLACE_SERIES)],
    months: Annotated[Path, Output(SITE_MONTHS)],
) -> None:
    """Tell the horizon of the best sites, the sky over them epoch by epoch, and their light by calendar month."""
    from lunarsite.artefact import table as tables
    from lunarsite.illumination.months import month_frame
    from lunarsite.illumination.place_tables import empty_frame, profile_frame, series_frame, site_places
    from lunarsite.illumination.points import point_series

    names, place = site_places(sites, places.best_sites)
    if not names:
        job.log.warning("no site is asked for or none was found; the tables of their light are empty")
        for path, spec in ((profiles, PLACE_PROFILES), (series, PLACE_SERIES), (months, SITE_MONTHS)):
            tables.write(path, spec, empty_frame(spec), job.stamp(spec))
        return
    seen = _horizons_at(job, illumination, places.height_m, (dem, far_dem), sites, names, place)
    frame = series_frame(names, point_series(seen, _places_sky(places)))
    tables.write(profiles, PLACE_PROFILES, profile_frame(names, seen), job.stamp(PLACE_PROFILES))
    tables.write(series, PLACE_SERIES, frame, job.stamp(PLACE_SERIES))
    by_month = month_frame(names, seen, _sky(illumination))
    if by_month.empty:
        job.log.warning("illumination.span holds no calendar month from end to end; the table of months is empty")
        by_month = empty_frame(SITE_MONTHS)
    tables.write(months, SITE_MONTHS, by_month, job.stamp(SITE_MONTHS))


def _horizons_at(
    job: Job,
    illumination: IlluminationSettings,
    height_m: float,
    terrain: tuple[Path, Path | None],
    table: Path,
    names: Sequence[str],
    lonlat_deg: tuple[Any, Any],
) -> HorizonProfiles:
    """Return the horizons of single places that `table` names."""
    import numpy as np

    from lunarsite.artefact.stamp import ArtefactError
    from lunarsite.illumination.point_horizons import point_horizons
    from lunarsite.illumination.points import pixels_at

    near, far, lattice = _grounds(job, *terrain)
    try:
        rows, cols = pixels_at(lattice, *lonlat_deg)
    except ValueError as error:
        raise ArtefactError(f"{table}: {error}") from error
    seen = point_horizons(near, far, rows, cols, illumination.azimuths, height_m)
    blind = [name for name, horizon in zip(names, seen.tan_horizon, strict=True) if np.isnan(horizon).any()]
    if blind:
        raise ArtefactError(
            f"{table}: the places {blind} lie on ground without data in {terrain[0]}; move or remove them"
        )
    return seen


def _places_sky(places: PlacesSettings) -> Ephemeris:
    from lunarsite.illumination.ephemeris import DAYS_PER_YEAR, ephemeris

    return ephemeris(places.start_utc.isoformat(), places.days / DAYS_PER_YEAR, places.step_h)


def _sweep(
    job: Job, near_samples: int, heights_m: tuple[float, ...], dem: Path, far_dem: Path | None
) -> tuple[HorizonSweep, Grid]:
    from lunarsite.artefact.stamp import ArtefactError
    from lunarsite.illumination.horizon import HorizonSweep

    near, far, lattice = _grounds(job, dem, far_dem)
    try:
        return HorizonSweep(near, far, observer_heights_m=heights_m, near_samples=near_samples), lattice
    except ValueError as error:
        raise ArtefactError(f"{dem}, {far_dem or 'no far field'}: {error}") from error


def _grounds(job: Job, dem: Path, far_dem: Path | None) -> tuple[Terrain, Terrain | None, Grid]:
    from lunarsite.artefact.stamp import ArtefactError

    if far_dem is None:
        job.log.warning("no far field: beyond the border of the elevation model the horizon is the bare sphere's")
    # What the engine refuses is a matter of the user's elevation models, not of the program.
    try:
        near, lattice = _terrain(dem, DEM)
        return near, None if far_dem is None else _terrain(far_dem, FAR_DEM)[0], lattice
    except ValueError as error:
        raise ArtefactError(f"{dem}, {far_dem or 'no far field'}: {error}") from error


def _gathered_profiles(sources: list[Any], illumination: IlluminationSettings, lattice: Grid) -> HorizonProfiles:
    import numpy as np

    from lunarsite.grid import shard
    from lunarsite.illumination.points import ProfileGatherer

    model = _model(illumination, lattice)
    gatherer = ProfileGatherer(lattice, model, sources[0].read("rows"), sources[0].read("cols"))
    for index, source in enumerate(sources):
        directions = shard(model.size, index, illumination.shards)
        gatherer.tan_horizon[directions.start : directions.stop] = source.read("tan_horizon")
        gatherer.done[directions.start : directions.stop] = True
    gatherer.tan_horizon[:, ~sources[0].read("known")] = np.nan
    return gatherer.result()


def _terrain(path: Path, spec: Any) -> tuple[Terrain, Grid]:
    from lunarsite.artefact import raster
    from lunarsite.illumination.horizon import Terrain

    with raster.opened(path, spec) as source:
        lattice = source.grid
        return Terrain(source.read(), lattice.x_min_m, lattice.y_max_m, lattice.pixel_m, lattice.pole), lattice


def _model(illumination: IlluminationSettings, lattice: Grid) -> VisibilityModel:
    import numpy as np

    from lunarsite.illumination.visibility import visibility_model

    sky = _sky(illumination)
    months = sky.times.astype("datetime64[M]").astype(np.int64) % 12 if illumination.months else None
    return visibility_model(
        lattice,
        sky.sun,
        sky.earth,
        illumination.azimuths,
        earth_step_deg=illumination.earth_step_deg,
        groups=months,
    )


def _sky(illumination: IlluminationSettings) -> Ephemeris:
    from lunarsite.illumination.ephemeris import ephemeris

    span = illumination.span
    return ephemeris(span.start_utc.isoformat(), span.years, span.step_h)


def _plan(job: Job, illumination: IlluminationSettings, lattice: Grid) -> dict[str, Any]:
    """Return what shards that are gathered together must agree on: map, settings and the files swept over."""
    from dataclasses import asdict

    return {"grid": asdict(lattice), "illumination": illumination.model_dump(mode="json"), "inputs": job.inputs}


def _common_grid(sources: list[Any], illumination: IlluminationSettings) -> Grid:
    import json

    from lunarsite.artefact.stamp import ArtefactError
    from lunarsite.grid import Grid

    mend = "rerun the shards with the settings of this run"
    if len(sources) != illumination.shards:
        raise ArtefactError(f"{len(sources)} partials given, the settings have {illumination.shards} shards; {mend}")
    first = sources[0]
    for source in sources[1:]:
        if source.plan != first.plan:
            raise ArtefactError(f"{source.path}: was swept under another plan than {first.path}; {mend}")
    plan = json.loads(first.plan)
    if plan["illumination"] != illumination.model_dump(mode="json"):
        raise ArtefactError(f"{first.path}: was swept under other settings; {mend}")
    return Grid(**plan["grid"])


def _gathered(sources: list[Any], model: VisibilityModel, lattice: Grid, rows: slice, height: int) -> dict[str, Any]:
    """Averages of a block of rows for one height, by name: (rows, cols), or (groups, rows, cols)."""
    from dataclasses import replace

    from lunarsite.illumination.visibility_sums import Accumulator

    block = replace(lattice, y_max_m=lattice.y_max_m - rows.start * lattice.pixel_m, rows=rows.stop - rows.start)
    total = Accumulator(block, model)
    for source in sources:
        part = (slice(height, height + 1), rows)
        total.absorb({n: source.read(n) if n == "done" else source.read(n, part) for n in source.names()})
    return {name: values[0] for name, values in total.result().items()}
