"""Stages of the validation: from scores and references to records of verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lunarsite.artefact.contracts import ARTEMIS_RECORD, CELLS, SCORES
from lunarsite.settings import ArtemisSettings, GridSettings, RulesSettings, ScorerSettings
from lunarsite.stage import Input, Job, Output, stage


@stage
def artemis(
    job: Job,
    grid: GridSettings,
    rules: RulesSettings,
    scorer: ScorerSettings,
    comparison: ArtemisSettings,
    scores: Annotated[Path, Input(SCORES)],
    cells: Annotated[Path, Input(CELLS)],
    regions: Annotated[Path, Input(None)],
    artemis: Annotated[Path, Output(ARTEMIS_RECORD)],
) -> None:
    """Compare the best cells with the Artemis candidate regions, with nulls and the plain rule beside them."""
    from lunarsite.artefact import record as records
    from lunarsite.validate.artemis import judge
    from lunarsite.validate.population import read_population
    from lunarsite.validate.regions import read_regions

    rule = rules.cassa if scorer.target == "cassa" else rules.hls
    population = read_population(scores, cells, grid, rule, scorer.target)
    job.seed = comparison.seed
    outlines = read_regions(regions, grid.pole)
    job.log.info("%d of %d cells have all inputs of the rule", population.count, population.cells)
    result = judge(population, outlines, comparison, synthetic=job.synthetic)
    for verdict in result.verdicts:
        job.log.info("%s: %s, bound %s: %s", verdict.name, verdict.value, verdict.bound, verdict.holds)
    records.write(artemis, ARTEMIS_RECORD, result, job.stamp(ARTEMIS_RECORD))
