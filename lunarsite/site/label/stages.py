"""Stages of the labels: clones of the elevation model are counted in shards, and the counts become probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lunarsite.artefact.contracts import (
    CELLS,
    CLONES,
    DEM,
    ELEVATION_ERROR,
    ILLUMINATION_RECORD,
    LABELS,
    LABELS_RECORD,
)
from lunarsite.settings import GridSettings, RulesSettings, UncertaintySettings
from lunarsite.stage import Input, Job, Output, stage

if TYPE_CHECKING:
    from lunarsite.grid import Cells
    from lunarsite.site.label.clones import CloneSums


@stage
def clones(
    job: Job,
    grid: GridSettings,
    rules: RulesSettings,
    uncertainty: UncertaintySettings,
    dem: Annotated[Path, Input(DEM)],
    elevation_error: Annotated[Path, Input(ELEVATION_ERROR)],
    clones: Annotated[Path, Output(CLONES)],
    shard: int,
) -> None:
    """Count for one shard of the cells in how many clones of the elevation model each rule's slope limit holds."""
    from lunarsite import grid as geometry
    from lunarsite.artefact import ArtefactError
    from lunarsite.artefact import partial as partials
    from lunarsite.site.label.clones import CloneError, Clones, SlopeLimits
    from lunarsite.site.layers import opened_layer

    places = _places(grid)
    job.seed = uncertainty.seed
    drawn = Clones(places, SlopeLimits.of(rules, places.grid.pixel_m), uncertainty)
    chosen = geometry.shard(len(drawn.blocks), shard, uncertainty.shards)
    job.log.info("%d of %d blocks of cells, %d clones each", len(chosen), len(drawn.blocks), uncertainty.draws)
    with (
        opened_layer(dem, DEM, places.grid) as heights,
        opened_layer(elevation_error, ELEVATION_ERROR, places.grid) as errors,
    ):
        try:
            sums = drawn.sums(heights, errors, chosen, lambda done, total: job.progress(done, total, "block"))
        except CloneError as error:
            raise ArtefactError(
                f"{elevation_error}: {error}; give an error wherever {dem} has a height, or leave"
                " source.local.elevation_error out, so that terrain.elevation_error_m holds everywhere"
            ) from error
    partials.write(clones, CLONES, sums.arrays(), _plan(job, grid, rules, uncertainty), job.stamp(CLONES))


@stage
def labels(
    job: Job,
    grid: GridSettings,
    rules: RulesSettings,
    uncertainty: UncertaintySettings,
    cells: Annotated[Path, Input(CELLS)],
    clones: Annotated[tuple[Path, ...], Input(CLONES)],
    illumination: Annotated[Path | None, Input(ILLUMINATION_RECORD)],
    labels: Annotated[Path, Output(LABELS)],
    record: Annotated[Path, Output(LABELS_RECORD)],
) -> None:
    """Give each cell its label and its probability under every rule."""
    import numpy as np

    from lunarsite.artefact import ArtefactError, table
    from lunarsite.artefact import record as records
    from lunarsite.site.label.clones import SlopeLimits
    from lunarsite.site.label.labels import CELL_COLUMNS, LabelError, joined, label_table
    from lunarsite.site.label.labels_record import errors_of, labels_record

    places = _places(grid)
    job.seed = uncertainty.seed
    validated = None if illumination is None else records.read(illumination, ILLUMINATION_RECORD)[0]
    measured = errors_of(validated, rules, uncertainty)
    errors = measured.used(uncertainty.remove_bias)
    for what, error in (("light", errors.light), ("Earth view", errors.earth)):
        job.log.info("%s: bias %.3g %%, sigma %.3g %% (%s)", what, error.bias_pct, error.sigma_pct, error.source)
    limits = SlopeLimits.of(rules, places.grid.pixel_m)
    frame, _ = table.read(cells, CELLS, CELL_COLUMNS)
    if not np.array_equal(frame["cell_id"].to_numpy(), np.arange(places.count)):
        raise ArtefactError(
            f"{cells}: its {len(frame)} cells are not the {places.count} of the run's grid; rerun site-cells"
        )
    try:
        sums = joined(_gathered(clones, uncertainty, rules), places.count)
        found = label_table(frame, rules, limits, sums, uncertainty.draws, errors)
    except LabelError as error:
        raise ArtefactError(
            f"{cells}: {error}; rerun site-cells and label-clones with the settings of this run"
        ) from error
    told = labels_record(found, frame, rules, limits, sums, uncertainty, measured)
    for metric in told.metrics:
        job.log.info(
            "%s: %s %s", metric.name, "unknown" if metric.value is None else f"{metric.value:.6g}", metric.unit
        )
    table.write(labels, LABELS, found, job.stamp(LABELS))
    records.write(record, LABELS_RECORD, told, job.stamp(LABELS_RECORD))


def _places(grid: GridSettings) -> Cells:
    from lunarsite.grid import Cells, Grid

    area = Grid.centred(grid.half_width_m, grid.pixel_m, grid.cell_m, grid.pole)
    return Cells(area, grid.cell_m, grid.latitude_limit_deg)


def _drawn_under(rules: RulesSettings, uncertainty: UncertaintySettings) -> dict[str, Any]:
    """Return the settings that make clones what they are; errors of light and Earth view have no part in them."""
    slopes = {
        name: {"max_slope_deg": rule.max_slope_deg, "slope_buffer_m": rule.slope_buffer_m}
        for name, rule in rules.named().items()
    }
    kept = {"draws", "correlation_m", "seed", "shards"}
    return {"rules": slopes, "uncertainty": uncertainty.model_dump(mode="json", include=kept)}


def _plan(job: Job, grid: GridSettings, rules: RulesSettings, uncertainty: UncertaintySettings) -> dict[str, Any]:
    """Return what shards that are gathered together must agree on."""
    return {"grid": grid.model_dump(mode="json"), "inputs": job.inputs, **_drawn_under(rules, uncertainty)}


def _gathered(paths: tuple[Path, ...], uncertainty: UncertaintySettings, rules: RulesSettings) -> list[CloneSums]:
    import json
    from contextlib import ExitStack

    from lunarsite.artefact import ArtefactError, partial
    from lunarsite.site.label.clones import CloneSums

    mend = "rerun label-clones with the settings of this run"
    if len(paths) != uncertainty.shards:
        raise ArtefactError(f"{len(paths)} shards of clones given, the settings have {uncertainty.shards}; {mend}")
    with ExitStack() as stack:
        sources = [stack.enter_context(partial.opened(path, CLONES)) for path in paths]
        first = sources[0]
        for source in sources[1:]:
            if source.plan != first.plan:
                raise ArtefactError(f"{source.path}: was drawn under another plan than {first.path}; {mend}")
        plan = json.loads(first.plan)
        # Through JSON, so that tuples and whole numbers compare as the plan holds them.
        wanted = json.loads(json.dumps(_drawn_under(rules, uncertainty)))
        if {name: plan.get(name) for name in wanted} != wanted:
            raise ArtefactError(f"{first.path}: was drawn under other settings; {mend}")
        return [CloneSums(**{name: source.read(name) for name in source.names()}) for source in sources]
