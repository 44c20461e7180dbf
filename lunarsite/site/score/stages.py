"""Stages of the score: trees on the labels' probabilities, and what they are worth on held-out ground."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lunarsite.artefact.contracts import (
    CALIBRATION,
    CELLS,
    CROSSVALIDATION_RECORD,
    HELD_OUT,
    LABELS,
    SCORER,
    SCORER_RECORD,
    SCORES,
    SWEEPS,
)
from lunarsite.artefact.record import Record
from lunarsite.settings import CrossValidationSettings, GridSettings, RulesSettings, ScorerSettings
from lunarsite.stage import Input, Job, Output, stage

_THREADS = 2
"""As many as the stages' rules ask for."""


@stage
def train(
    job: Job,
    grid: GridSettings,
    rules: RulesSettings,
    scorer: ScorerSettings,
    cells: Annotated[Path, Input(CELLS)],
    labels: Annotated[Path, Input(LABELS)],
    scores: Annotated[Path, Output(SCORES)],
    model: Annotated[Path, Output(SCORER)],
    record: Annotated[Path, Output(SCORER_RECORD)],
    sweeps: Annotated[Path, Output(SWEEPS)],
) -> None:
    """Train the scorer on the probability of a rule, score, explain and rank the cells."""
    from lunarsite.artefact import ArtefactError, table
    from lunarsite.artefact import model as models
    from lunarsite.artefact import record as records
    from lunarsite.site.score.population import ScorerError
    from lunarsite.site.score.scoring import score_cells

    rule = rules.named()[scorer.target]
    notes: tuple[str, ...] = ()
    if 0.0 < rule.slope_buffer_m < grid.pixel_m:
        notes = (
            f"Pixels of {grid.pixel_m:g} m do not resolve the rule's buffer of {rule.slope_buffer_m:g} m to steeper"
            " ground; it reads the mean slope of the cell instead.",
        )
    frame, _ = table.read(cells, CELLS)
    label_frame, _ = table.read(labels, LABELS)
    job.seed = scorer.seed
    try:
        found = score_cells(frame, label_frame, rule, scorer, notes, _THREADS, job.log.info)
    except ScorerError as error:
        raise ArtefactError(f"{cells}, {labels}: {error}") from error
    _tell(job, found.record)
    table.write(scores, SCORES, found.scores, job.stamp(SCORES), grid.pole)
    models.write_trees(model, SCORER, found.booster, found.card, job.stamp(SCORER))
    records.write(record, SCORER_RECORD, found.record, job.stamp(SCORER_RECORD))
    table.write(sweeps, SWEEPS, found.sweeps, job.stamp(SWEEPS))


@stage
def crossvalidate(
    job: Job,
    rules: RulesSettings,
    scorer: ScorerSettings,
    crossvalidation: CrossValidationSettings,
    cells: Annotated[Path, Input(CELLS)],
    labels: Annotated[Path, Input(LABELS)],
    record: Annotated[Path, Output(CROSSVALIDATION_RECORD)],
    calibration: Annotated[Path, Output(CALIBRATION)],
    held_out: Annotated[Path, Output(HELD_OUT)],
) -> None:
    """Measure the scorer, the same of the context alone and two baselines on held-out blocks of the map."""
    from lunarsite.artefact import ArtefactError, table
    from lunarsite.artefact import record as records
    from lunarsite.site.score import crossvalidation as validation
    from lunarsite.site.score.crossvalidation_record import crossvalidation_record
    from lunarsite.site.score.population import ScorerError, population

    rule = rules.named()[scorer.target]
    frame, _ = table.read(cells, CELLS)
    label_frame, _ = table.read(labels, LABELS)
    job.seed = crossvalidation.seed
    try:
        people = population(frame, label_frame, scorer.target, rule)
    except ScorerError as error:
        raise ArtefactError(f"{cells}, {labels}: {error}") from error
    x_m, y_m = (frame[name].to_numpy()[people.known] for name in ("x_m", "y_m"))
    deals = validation.crossvalidate(
        people, x_m, y_m, rule, scorer, crossvalidation, _THREADS, lambda done, total: job.progress(done, total, "fold")
    )
    best = validation.headline(deals, crossvalidation)
    rows = validation.model_rows(deals, people, crossvalidation.headline_block_km, crossvalidation.seed)
    spun = validation.context_null(best, people, x_m, y_m, crossvalidation.seed)
    found = crossvalidation_record(rows, best.why, spun, scorer, crossvalidation)
    _tell(job, found)
    records.write(record, CROSSVALIDATION_RECORD, found, job.stamp(CROSSVALIDATION_RECORD))
    table.write(calibration, CALIBRATION, validation.calibration_table(deals, people), job.stamp(CALIBRATION))
    cell_id = frame["cell_id"].to_numpy()
    table.write(held_out, HELD_OUT, validation.held_out_table(cell_id, people, best), job.stamp(HELD_OUT))


def _tell(job: Job, found: Record) -> None:
    for metric in found.metrics:
        job.log.info("%s: %s", metric.name, "unknown" if metric.value is None else f"{metric.value:.6g}")
    for verdict in found.verdicts:
        told = {True: "holds", False: "does not hold", None: "unknown"}[verdict.holds]
        job.log.info("%s: %s (%s)", verdict.name, told, verdict.bound)
    for note in found.notes:
        job.log.info("%s", note)
