"""What each number rests on: artefacts and stages behind it, source data, assumptions and settings.

Lineage is read from the stamps: an input's checksum names the artefact whose bytes a stage read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lunarsite.artefact.record import Metric, Record
from lunarsite.artefact.stamp import Stamp
from lunarsite.publish.pages.elements import Link, interval, position
from lunarsite.publish.pages.gather import SiteRun
from lunarsite.publish.report import Table, provenance
from lunarsite.publish.words import number_words
from lunarsite.settings import Section, section_path

SOURCES = {
    "synthetic": (
        "Elevation: the seeded synthetic south pole of this project. Named craters and massifs stand at their real"
        " places; everything else is drawn at random. It says nothing of the real Moon.",
    ),
    "local": (
        "Elevation and other layers: files that the user gave. Their accuracy is theirs; the stamps hold their"
        " checksums, and the settings of the run their paths.",
    ),
    "published": (
        "Elevation: published products (LOLA polar elevation models, PGDA 90; Barker et al. 2021, Planet. Space Sci."
        " 203, 105119), whose true resolution is coarser than their pixels where tracks are sparse.",
    ),
}
EVERYWHERE = (
    "Sun and Earth: JPL's DE421 ephemeris with its lunar orientation; sub-points are good to 0.0002°.",
    "Candidate regions: USGS data release 10.5066/P1MEQ6UK (2024), simplified four-corner envelopes.",
    "Names: IAU Gazetteer of Planetary Nomenclature, and the table of named features of this project.",
)
ASSUMPTIONS = (
    "The terrain is taken as unchanging, and as smooth between pixels: what is smaller than two pixels is not seen.",
    "The elevation's error is Gaussian with the correlation length of the settings; light and Earth view err"
    " independently of it, by the amount measured against published maps where the run has them.",
    "Light and Earth view are averages over the span of the settings; only the discs' visible parts count.",
    "Permanent shadow is what no part of the Sun's disc reaches from 1972 to 2049.",
    "Cells with an unknown input are unknown. They are never counted as unsuitable, and never enter a base rate.",
    "SHAP values explain the learned model and not the Moon.",
    "Weights of the ranking are a choice, not a measurement; the intervals of ranks say how much hangs on them.",
    "The Artemis regions enter no label, score, criterion or overall rank; agreement with them is measured afterwards.",
)


@dataclass(frozen=True)
class Headline:
    """A number that pages and report show large: its value, what stands beside it, the artefact that holds it."""

    words: str
    value: str
    beside: str
    artefact: str


def compose(run: SiteRun) -> dict[str, Any]:
    """Return what the template prints of a run's provenance."""
    return {
        "headlines": headline_table(run),
        "lineage": lineage_table(run.stamps, run.digests),
        "artefacts": provenance(run.stamps, run.digests),
        "sources": (*SOURCES[run.origin], *EVERYWHERE),
        "assumptions": ASSUMPTIONS,
        "settings": settings_table(run),
        "notes": tuple(dict.fromkeys(note for found in run.records.values() for note in found.notes)),
    }


def headlines(run: SiteRun) -> Iterator[Headline]:
    """Yield the run's headline numbers."""
    target = run.chosen.scorer.target
    label = run.labels[target]
    scores = run.tables["scores"]
    known = int((label["label"] != "unknown").sum())
    passing = int((label["label"] == "suitable").sum())
    expected = float(np.nansum(label["probability"].to_numpy()))
    yield Headline(
        "Cells with a rank", number_words(int((scores["rank"] > 0).sum())), f"of {number_words(len(scores))}", "scores"
    )
    yield Headline(
        f"Cells that pass the {target.upper()} rule",
        number_words(passing),
        f"{number_words(round(expected))} on average over the terrain's clones; of {number_words(known)} known",
        "labels",
    )
    count = len(run.sites)
    area = float(run.sites["area_km2"].sum())
    yield Headline("Sites", number_words(count), f"{number_words(round(area))} km² in all", "sites")
    if count:
        best = run.sites.iloc[0]
        yield Headline("Best site", position(best), f"rank {interval(best)} in 95 % of the draws", "sites")
        firm = int((run.sites["share_top_20"].head(20) >= 0.9).sum())
        yield Headline(
            "Sites of the top 20 that stay there in 90 % of the draws",
            str(firm),
            f"each would in {100.0 * min(1.0, 20 / count):.0f} % of random orders",
            "ranks",
        )
    for name in ("sites_record", "artemis", "site"):
        yield from _of_record(name, run.records[name])


def _of_record(name: str, found: Record) -> Iterator[Headline]:
    """Yield a record's verdicts, and its enrichments and plain counts beside their nulls."""
    for verdict in found.verdicts:
        state = {True: "holds", False: "does not hold", None: "unknown"}[verdict.holds]
        beside = f"{state}: {verdict.why}" if verdict.holds is None else f"{state}; bound {verdict.bound}"
        unit = f" ({verdict.unit})" if verdict.unit not in ("", "1") else ""
        yield Headline(f"{verdict.name}{unit}", number_words(verdict.value), beside, name)
    metrics = {metric.name: metric for metric in found.metrics}
    for metric in found.metrics:
        if metric.name.startswith("enrichment_") and "_null_" not in metric.name:
            beside = _null_words(metrics, metric.name.removeprefix("enrichment_"))
            yield Headline(metric.name.replace("_", " "), number_words(metric.value), beside, name)
        elif name == "sites_record":
            beside = metric.why if metric.low is None else f"{number_words(metric.low)} to {number_words(metric.high)}"
            yield Headline(metric.name.replace("_", " "), number_words(metric.value), beside, name)


def _null_words(metrics: Mapping[str, Metric], key: str) -> str:
    words = []
    for kind, said in (("rotation", "turned about the pole"), ("random", "random cells")):
        null, p = metrics.get(f"enrichment_{kind}_null_{key}"), metrics.get(f"p_{kind}_{key}")
        if null is not None and null.value is not None and null.low is not None:
            interval_words = f"{number_words(null.low)} to {number_words(null.high)}"
            chance = "" if p is None or p.value is None else f", p {number_words(p.value)}"
            words.append(f"{said}: {interval_words}{chance}")
    return "; ".join(words) or "no null was measured"


def headline_table(run: SiteRun) -> Table:
    """Return the headline numbers with the artefact and stage that each rests on."""
    rows = []
    for found in headlines(run):
        stamp = run.stamps[found.artefact]
        artefact = Link(found.artefact.replace("_", " "), "#artefacts")
        rows.append((found.words, found.value, found.beside, artefact, stamp.stage))
    return Table(
        "Headline numbers: what stands beside each, the artefact that holds it and the stage that made it. What that"
        " artefact rests on stands below.",
        ("Number", "Value", "Beside it", "Artefact", "Stage"),
        tuple(rows),
        (False, True, False, False, False),
    )


def parents(name: str, stamps: Mapping[str, Stamp], digests: Mapping[str, str]) -> dict[str, str]:
    """Return an artefact's inputs by the names its stage gave them, with the names we hold them by ('': we do not)."""
    names = {digest: known for known, digest in digests.items()}
    return {given: names.get(digest, "") for given, digest in sorted(stamps[name].inputs.items())}


def ancestors(name: str, stamps: Mapping[str, Stamp], digests: Mapping[str, str]) -> list[str]:
    """Return all artefacts that one rests on, nearest first; those that the pages do not hold by their stage's name."""
    found: list[str] = []
    queue = [name]
    while queue:
        for given, known in parents(queue.pop(0), stamps, digests).items():
            word = _word(given, known)
            if word in found or known == name:
                continue
            found.append(word)
            if known in stamps:
                queue.append(known)
    return found


def lineage_table(stamps: Mapping[str, Stamp], digests: Mapping[str, str]) -> Table:
    """Return which artefact was made by which stage from which others."""
    rows = []
    for name, stamp in stamps.items():
        made_of = list(dict.fromkeys(_word(*pair) for pair in parents(name, stamps, digests).items()))
        beyond = [word for word in ancestors(name, stamps, digests) if word not in made_of]
        rows.append(
            (name.replace("_", " "), stamp.stage, ", ".join(made_of) or "nothing", ", ".join(beyond), stamp.origin)
        )
    return Table(
        "Which stage made each artefact, of what, and what that rests on in turn. Files that these pages do not"
        " read bear the names that their stage gave them.",
        ("Artefact", "Stage", "Made of", "Which rests on", "Origin"),
        tuple(rows),
        (False, False, False, False, False),
    )


def _word(given: str, known: str) -> str:
    return (known or given.split("[", maxsplit=1)[0]).replace("_", " ")


def settings_table(run: SiteRun) -> Table:
    """Return the settings that the pages know, with what each means."""
    chosen = run.chosen
    rows: list[tuple[str, ...]] = []
    for part in (chosen.grid, chosen.rules, chosen.scorer, chosen.reach, chosen.ranking, chosen.places):
        rows += _settings(section_path(type(part)), part)
    return Table(
        "Settings of the map, rules, score, ways, ranking and places. Those of other stages stand in the run's"
        " configuration, whose hash each stamp holds.",
        ("Setting", "Value", "Meaning"),
        tuple(rows),
        (False, False, False),
    )


def _settings(path: str, part: Section) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        if isinstance(value, Section):
            rows += _settings(f"{path}.{name}", value)
        elif isinstance(value, Mapping):
            for key, item in value.items():
                rows += _settings(f"{path}.{name}.{key}", item)
        else:
            rows.append((f"{path}.{name}", "none" if value is None else str(value), field.description or ""))
    return rows
