"""Puts the report together: reads the artefacts and hands the template what it prints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lunarsite.artefact import record, table
from lunarsite.artefact.contracts import ARTEMIS_RECORD, CELLS, ILLUMINATION_RECORD, SCORER_RECORD, SCORES
from lunarsite.publish import crater_story, story
from lunarsite.publish import report as page
from lunarsite.publish.charts import MOST_FEATURES
from lunarsite.publish.crater_story import CraterFiles, tell
from lunarsite.publish.polar_map import read_named_features
from lunarsite.settings import GridSettings, PublishSettings, RulesSettings
from lunarsite.stage import Job

_IMPORTANCE = "importance"
Chosen = tuple[PublishSettings, GridSettings, RulesSettings, str]
"""Settings of the publication, the grid and the rules, and which rule the scorer learned."""


def compose(
    job: Job,
    settings: Chosen,
    cells: Path,
    scores: Path,
    scorer_record: Path,
    artemis: Path,
    illumination: Path | None,
    crater_files: CraterFiles,
    named_features: Path,
    figures: Mapping[str, Path],
) -> dict[str, Any]:
    """Return what the template prints.

    Raises:
        ArtefactError: A file breaks its contract.
    """
    publish, grid, rules, target = settings
    score_table, _ = table.read(scores, SCORES)
    cell_table, _ = table.read(cells, CELLS, [column.name for column in CELLS.columns])
    features = read_named_features(named_features)
    scorer, _ = record.read(scorer_record, SCORER_RECORD)
    agreement, _ = record.read(artemis, ARTEMIS_RECORD)
    records = [scorer, agreement]
    light = None if illumination is None else record.read(illumination, ILLUMINATION_RECORD)[0]
    if light is not None:
        records.append(light)
    craters = tell(crater_files)
    if craters is not None and craters.record is not None:
        records.append(craters.record)
    # The agreement's numbers all stand in its tables already.
    sections = [
        page.section(
            found, story.TABLE_WORDS, story.TABLE_CAPTIONS, metrics=found is not agreement, without=[_IMPORTANCE]
        )
        for found in records
    ]
    # The command line reads one stamp for each input under a contract, in the order of their digests.
    stamped = [name for name in job.inputs if name not in {f"{figure}_png" for figure in figures} | {"named_features"}]
    stamps = dict(zip(stamped, job.input_stamps, strict=True))
    origin = job.stamp(ARTEMIS_RECORD).origin
    return {
        "title": publish.title,
        "run": job.run,
        "origin": origin,
        "synthetic": job.synthetic,
        "seed": stamps["dem"].seed,
        "extent": story.extent_words(grid, origin),
        "facts": story.facts(score_table, features),
        "summary": story.summary(rules, target, grid),
        "tally": story.tally(records),
        "marks": {"holds": "holds", "does not hold": "fails", "unknown": "unknown"},
        "validations": sections,
        "scorer": sections[0],
        "light": None if light is None else sections[records.index(light)],
        "craters": craters,
        "crater_verdicts": None
        if craters is None or craters.record is None
        else sections[records.index(craters.record)].verdicts,
        "artemis_title": agreement.title,
        "pictures": story.pictures(figures, score_table, rules),
        "crater_pictures": list(crater_story.PICTURES),
        "best": page.top_cells(score_table, cell_table, features, publish.top_cells),
        "labels": page.label_counts(cell_table, {"label_cassa": "CASSA", "label_hls": "HLS"}),
        "causes": page.unknown_causes(cell_table, f"label_{target}"),
        "drivers": page.importance(scorer.tables.get(_IMPORTANCE, []), MOST_FEATURES),
        "limits": story.LIMITS,
        "provenance": page.provenance(stamps, job.inputs),
        "sources": story.SOURCES,
    }
