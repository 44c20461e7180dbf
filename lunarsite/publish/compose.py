"""Puts the report together: reads the artefacts and hands the template what it prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lunarsite.artefact import record, table
from lunarsite.artefact.contracts import (
    ARTEMIS_RECORD,
    CELLS,
    CRITERIA,
    CROSSVALIDATION_RECORD,
    ILLUMINATION_RECORD,
    LABELS,
    LABELS_RECORD,
    SCORER_RECORD,
    SCORES,
    SITE_RECORD,
    SITES,
    SITES_RECORD,
    SLOPE_RECORD,
)
from lunarsite.artefact.record import Record
from lunarsite.publish import crater_story, enhance_story, score_story, site_story, story
from lunarsite.publish import report as page
from lunarsite.publish.charts import MOST_FEATURES
from lunarsite.publish.crater_story import CraterFiles, tell
from lunarsite.publish.enhance_story import EnhanceFiles
from lunarsite.publish.polar_map import read_named_features
from lunarsite.publish.rock import story as rock_story
from lunarsite.publish.rock.story import RockFiles
from lunarsite.publish.sections import tell as tell_record
from lunarsite.settings import GridSettings, PublishSettings, RulesSettings
from lunarsite.stage import Job

_IMPORTANCE = "importance"
_LABEL_COLUMNS = ["rule", "label", "probability", "unknown_because"]


@dataclass(frozen=True)
class Chosen:
    """The settings that the report tells of."""

    publish: PublishSettings
    grid: GridSettings
    rules: RulesSettings
    target: str
    """The rule whose probability the scorer learned."""
    method: str
    """The network that enhances."""
    pages: int
    """Best sites that have a page of their own."""


@dataclass(frozen=True)
class Files:
    """The artefacts behind the report; None where a run has none."""

    cells: Path
    scores: Path
    labels: Path
    criteria: Path
    sites: Path
    scorer_record: Path
    labels_record: Path
    crossvalidation: Path
    sites_record: Path
    site_record: Path
    artemis: Path
    illumination: Path | None
    slopes: Path | None
    craters: CraterFiles
    enhance: EnhanceFiles
    shadowcam: Path | None
    rocks: RockFiles
    named_features: Path


def compose(job: Job, chosen: Chosen, files: Files, figures: Mapping[str, Path]) -> dict[str, Any]:
    """Return what the template prints.

    Args:
        job: The running stage, which has read the inputs' stamps and checksums.
        chosen: The settings.
        files: The artefacts.
        figures: The PNGs by the figures' names.

    Raises:
        ArtefactError: A file breaks its contract, or a record lacks what is told of it.
    """
    score_table, _ = table.read(files.scores, SCORES)
    cell_table, _ = table.read(files.cells, CELLS, [column.name for column in CELLS.columns])
    labels, _ = table.read(files.labels, LABELS, _LABEL_COLUMNS)
    sites, _ = table.read(files.sites, SITES)
    features = read_named_features(files.named_features)
    records = _records(files)
    craters = tell(files.craters)
    if craters is not None and craters.record is not None:
        records["craters"] = craters.record
    shadow = enhance_story.tell(files.enhance, chosen.method)
    if shadow is not None:
        records["enhance"] = shadow.record
    compared = enhance_story.read_shadowcam(files.shadowcam)
    if compared is not None:
        records["shadowcam"] = compared
    rocks = rock_story.tell(files.rocks)
    if rocks is not None:
        records["rocks"] = rocks.record
    records["labels"] = slopes_read(records["labels"], chosen.rules, chosen.grid.pixel_m)
    sections = {name: tell_record(name, found, chosen.target) for name, found in records.items()}
    # The command line reads one stamp for each input under a contract, in the order of their digests.
    stamped = [name for name in job.inputs if name not in {f"{figure}_png" for figure in figures} | {"named_features"}]
    stamps = dict(zip(stamped, job.input_stamps, strict=True))
    origin = page.ground_origin(stamps)
    scorer = records["scorer"]
    return {
        "title": chosen.publish.title,
        "run": job.run,
        "origin": origin,
        "synthetic": origin == "synthetic",
        "seed": stamps["dem"].seed,
        "extent": story.extent_words(chosen.grid, origin),
        "facts": story.facts(score_table, sites, features),
        "summary": story.summary(chosen.rules, chosen.target, chosen.grid),
        "tally": story.tally(list(records.values())),
        "marks": {"holds": "holds", "does not hold": "fails", "unknown": "unknown"},
        "sections": sections,
        "worth": score_story.worth(records["crossvalidation"]),
        "worth_tables": score_story.tables(records["crossvalidation"]),
        "craters": craters,
        "shadow": shadow,
        "shadow_pictures": enhance_story.SEEN,
        "shadowcam_pictures": enhance_story.COMPARED,
        "rocks": rocks,
        "rock_pictures": tuple(rock_story.PICTURES),
        "pictures": story.pictures(figures, score_table, chosen.rules),
        "crater_pictures": list(crater_story.PICTURES),
        "best": page.top_cells(score_table, cell_table, features, chosen.publish.top_cells),
        "labels": page.label_counts(labels),
        "causes": page.unknown_causes(labels),
        "sites_told": site_story.told(sites, chosen.target),
        "sites": site_story.site_table(sites, features, chosen.pages),
        "site_pages": site_story.PAGES,
        "criteria": site_story.criteria_table(table.read(files.criteria, CRITERIA, site_story.CRITERIA_COLUMNS)[0]),
        "drivers": page.importance(scorer.tables.get(_IMPORTANCE, []), MOST_FEATURES),
        "limits": story.limits(chosen.grid),
        "provenance": page.provenance(stamps, job.inputs),
        "sources": story.SOURCES,
    }


def slopes_read(found: Record, rules: RulesSettings, pixel_m: float) -> Record:
    """Return the labels' record with words for a rule whose buffer the pixels do not resolve: it reads the mean."""
    named = rules.named()
    hidden = {name for name, rule in named.items() if 0.0 < rule.slope_buffer_m < pixel_m}
    rows = [
        {**row, "slope": "mean slope (buffer not resolved)"} if row.get("rule") in hidden else row
        for row in found.tables.get("rules", [])
    ]
    return found.model_copy(update={"tables": {**found.tables, "rules": rows}})


def _records(files: Files) -> dict[str, Record]:
    """Return the records by the names of their sections, in the order in which their claims are listed."""
    listed = (
        ("scorer", files.scorer_record, SCORER_RECORD),
        ("crossvalidation", files.crossvalidation, CROSSVALIDATION_RECORD),
        ("labels", files.labels_record, LABELS_RECORD),
        ("sites", files.sites_record, SITES_RECORD),
        ("others", files.site_record, SITE_RECORD),
        ("artemis", files.artemis, ARTEMIS_RECORD),
        ("light", files.illumination, ILLUMINATION_RECORD),
        ("slopes", files.slopes, SLOPE_RECORD),
    )
    return {name: record.read(path, spec)[0] for name, path, spec in listed if path is not None}
