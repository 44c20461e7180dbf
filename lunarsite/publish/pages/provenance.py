"""What each number rests on: artefacts and stages behind it, source data, assumptions and settings.

Lineage is read from the stamps: an input's checksum names the artefact whose bytes a stage read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from lunarsite.artefact.download import Downloaded, Receipt
from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import Stamp
from lunarsite.publish.pages.elements import Link, interval, position
from lunarsite.publish.pages.gather import SiteRun
from lunarsite.publish.report import Table, provenance
from lunarsite.publish.sections import section
from lunarsite.publish.words import number_words, rule_words
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
        "Elevation: LOLA's published models, whose true resolution is coarser than their pixels where tracks are"
        " sparse.",
    ),
}
MOST_FILES = 6
"""Files of one product that are listed: an unpacked archive may have thousands."""
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
class Temporary:
    """Files between two stages that are deleted once both are done: what they hold, and what they were made from."""

    stage: str
    """How the name of the stage that reads them begins."""
    words: str
    inputs: tuple[str, ...]


TEMPORARY = {
    "partials": Temporary(
        "illumination-",
        "sums over directions, swept over the elevation models (temporary files)",
        ("dem", "far_dem"),
    ),
    "clones": Temporary(
        "label-", "slopes of clones of the elevation model (temporary files)", ("dem", "elevation_error")
    ),
}
"""By the name that the reading stage gives them."""


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
        "downloads": downloads_table(run.downloads) if run.downloads else None,
        "sources": (*SOURCES[run.origin], *EVERYWHERE),
        "assumptions": ASSUMPTIONS,
        "settings": settings_table(run),
        "notes": tuple(dict.fromkeys(note for found in run.records.values() for note in found.notes)),
    }


def headlines(run: SiteRun) -> Iterator[Headline]:
    """Yield the run's headline numbers: those at the head of the report, and the claims that it puts to the test."""
    name = rule_words(run.chosen.scorer.target)
    label = run.labels[run.chosen.scorer.target]
    scores = run.tables["scores"]
    known = int((label["label"] != "unknown").sum())
    passing = int((label["label"] == "suitable").sum())
    expected = float(np.nansum(label["probability"].to_numpy()))
    yield Headline(
        "Cells with a rank", number_words(int((scores["rank"] > 0).sum())), f"of {number_words(len(scores))}", "scores"
    )
    yield Headline(
        f"Cells that pass the {name} rule",
        number_words(passing),
        f"{number_words(round(expected))} on average over the terrain's clones; of {number_words(known)} known",
        "labels",
    )
    yield Headline(
        f"Cells unknown to the {name} rule",
        number_words(len(label) - known),
        f"of {number_words(len(label))}",
        "labels",
    )
    count = len(run.sites)
    pieces = int(run.sites["piece_id"].nunique())
    beside = f"on {number_words(pieces)} {'piece' if pieces == 1 else 'pieces'} of contiguous good ground"
    yield Headline("Sites", number_words(count), beside if count else "no ground is good enough", "sites")
    if count:
        area = float(run.sites["area_km2"].sum())
        yield Headline(
            "Area of the sites' polygons (km²)", number_words(round(area)), "true area, all together", "sites"
        )
        best = run.sites.iloc[0]
        yield Headline("Best site", position(best), f"rank {interval(best)} in 95 % of the draws", "sites")
        firm = int((run.sites["share_top_20"].head(20) >= 0.9).sum())
        yield Headline(
            "Sites of the top 20 that stay there in 90 % of the draws",
            str(firm),
            f"each would in {100.0 * min(1.0, 20 / count):.0f} % of random orders",
            "ranks",
        )
    for record in run.records:
        yield from _claims(record, run.records[record])


def _claims(name: str, found: Record) -> Iterator[Headline]:
    """Yield a record's verdicts with their bounds and reasons; those that lack one and the same thing share a row."""
    verdicts = section(found, {}, {}, metrics=False).verdicts
    for state, claim, value, bound, unit, why in () if verdicts is None else verdicts.rows:
        beside = "; ".join(part for part in (state, bound and f"bound {bound}", why) if part)
        yield Headline(f"{claim[:1].upper()}{claim[1:]}" + (f" ({unit})" if unit else ""), value, beside, name)


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


def made_by_way(name: str, given: str, stamps: Mapping[str, Stamp]) -> Temporary | None:
    """Return the temporary files that an artefact's input was, if it was such; they are gone once a run is done."""
    found = TEMPORARY.get(_bare(given))
    return found if found is not None and stamps[name].stage.startswith(found.stage) else None


def ancestors(name: str, stamps: Mapping[str, Stamp], digests: Mapping[str, str]) -> list[str]:
    """Return all artefacts that one rests on, nearest first; those that the pages do not hold by their stage's name."""
    found: list[str] = []
    queue = [name]
    while queue:
        child = queue.pop(0)
        for given, known in parents(child, stamps, digests).items():
            way = None if known else made_by_way(child, given, stamps)
            rests = [(_bare(given), known)] if way is None else [(way.words, ""), *_behind(way, stamps)]
            for word, held in ((_word(*pair), pair[1]) for pair in rests):
                if word in found or held == name:
                    continue
                found.append(word)
                if held in stamps:
                    queue.append(held)
    return found


def _behind(way: Temporary, stamps: Mapping[str, Stamp]) -> list[tuple[str, str]]:
    """Return what temporary files rest on, as names given and names held; what no stamp of the run tells of is not."""
    given = {_bare(name) for stamp in stamps.values() for name in stamp.inputs}
    return [(name, name if name in stamps else "") for name in way.inputs if name in stamps or name in given]


def lineage_table(stamps: Mapping[str, Stamp], digests: Mapping[str, str]) -> Table:
    """Return which artefact was made by which stage from which others."""
    rows = []
    for name, stamp in stamps.items():
        made_of = []
        for given, known in parents(name, stamps, digests).items():
            way = None if known else made_by_way(name, given, stamps)
            made_of.append(_word(given, known) if way is None else way.words)
        made_of = list(dict.fromkeys(made_of))
        beyond = [word for word in ancestors(name, stamps, digests) if word not in made_of]
        rows.append(
            (name.replace("_", " "), stamp.stage, ", ".join(made_of) or "nothing", ", ".join(beyond), stamp.origin)
        )
    return Table(
        "Which stage made each artefact, of what, and what that rests on in turn. Files that these pages do not"
        " read bear the names that their stage gave them. Temporary files are gone once a run is done; what they rest"
        " on is told by the stage that makes them.",
        ("Artefact", "Stage", "Made of", "Which rests on", "Origin"),
        tuple(rows),
        (False, False, False, False, False),
    )


def _word(given: str, known: str) -> str:
    return (known or _bare(given)).replace("_", " ")


def _bare(given: str) -> str:
    """Return the name that a stage gave an input, without the number of one of many."""
    return given.split("[", maxsplit=1)[0]


def downloads_table(downloads: Sequence[Receipt]) -> Table:
    """Return which published products the run read: version, licence, whom to cite, and the bytes."""
    return Table(
        "Published products that the run read. Whoever passes results on keeps to these licences and citations."
        " Checksums are cut; the receipt beside each product's files holds them whole.",
        ("Product", "Version", "Licence", "Citation", "Files: SHA-256, from where, held against"),
        tuple(
            (
                f"{receipt.title} ({receipt.product})",
                receipt.version,
                receipt.licence,
                receipt.citation,
                "; ".join(_file_words(file) for file in receipt.files[:MOST_FILES])
                + (f"; and {len(receipt.files) - MOST_FILES} more" if len(receipt.files) > MOST_FILES else ""),
            )
            for receipt in sorted(downloads, key=lambda receipt: receipt.product)
        ),
        (False,) * 5,
    )


def _file_words(file: Downloaded) -> str:
    host = urlsplit(file.url).hostname
    return f"{file.name} {file.sha256[:16]}, {f'from {host}' if host else 'put there by a person'}, {file.checked}"


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
