"""The page of one candidate region: its ground, its sites, how the run agrees with it, and what is unknown of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lunarsite.artefact.record import Record
from lunarsite.publish.pages import maps
from lunarsite.publish.pages.criteria import way_words
from lunarsite.publish.pages.elements import Link, embedded, interval, position, site_file
from lunarsite.publish.pages.gather import SiteRun
from lunarsite.publish.pages.overview import RECORDS
from lunarsite.publish.pages.site_page import limit_words
from lunarsite.publish.record_words import TABLE_CAPTIONS
from lunarsite.publish.report import Table
from lunarsite.publish.sections import column_words, section
from lunarsite.publish.story import Fact
from lunarsite.publish.words import number_words, probability_words, rule_words
from lunarsite.site.place.regions import Region, inside

_RULE = "hls"
"""The rule by which a region's sites are chosen."""
_CAPTIONS = {
    "artemis": {
        "regions": "The region in the comparison with the run's choices: what of it passes the rule of the score, and"
        " why the rest does not.",
        "region_counts": "How much of each choice lies in the region, beside what turning it about the pole gives"
        " and what the region's share of the known area would hold.",
    },
    "sites_record": {
        "regions": "Its cells by the HLS rule, which its own sites are placed by: what fails it, and why there is no"
        " site if there is none."
    },
    "site": {},
}
_WORDS = {"count": "Inside the region"}


def compose(run: SiteRun, region: Region) -> dict[str, Any]:
    """Return what the template prints of a region.

    Args:
        run: The run.
        region: The region.
    """
    sites = run.tables["region_sites"]
    own = sites[sites["region"] == region.code]
    cells = run.tables["cells"]
    held = inside(region.outline, cells["x_m"].to_numpy(), cells["y_m"].to_numpy())
    figure = maps.draw_region(run, region.outline, region.name, own)
    steep = "tinted" if maps.tints(region.outline) else "outlined"
    alt = f"Map of {region.name}: shaded relief, steep ground {steep}, permanent shadow hatched, {len(own)} sites."
    caption = "The outline is the simplified envelope of its publication. Sites are numbered by their rank within it."
    picture = embedded("region", figure, run.chosen.publish.figure_dpi, alt, caption)
    return {
        "name": region.name,
        "code": region.code,
        "source": region.source,
        "facts": _facts(run, region, own, held),
        "picture": picture,
        "sites": site_table(run, own, region.name),
        "labels": label_table(run, held, region.name),
        "agreement": agreement(run, region),
        "unknown": unknown(run, own, held),
    }


def _facts(run: SiteRun, region: Region, own: pd.DataFrame, held: np.ndarray) -> tuple[Fact, ...]:
    label = run.labels[_RULE]
    here = label["probability"].to_numpy()[held]
    every = float(label["probability"].mean())
    mean = float(np.nanmean(here)) if np.isfinite(here).any() else float("nan")
    listed = run.sites
    among = int(inside(region.outline, listed["x_m"].to_numpy(), listed["y_m"].to_numpy()).sum())
    return (
        Fact("Area", f"{number_words(region.area_km2)} km²", "as published"),
        Fact("Cells", number_words(int(held.sum())), f"{number_words(int(np.isfinite(here).sum()))} of them known"),
        Fact(
            f"Cells expected to meet the {_RULE.upper()} rule",
            "unknown" if np.isnan(mean) else f"{100.0 * mean:.1f} %",
            f"{100.0 * every:.1f} % of all known cells",
        ),
        Fact("Sites of this region's list (HLS)", str(len(own)), _most(run)),
        Fact(f"Overall sites inside ({rule_words(run.chosen.scorer.target)})", str(among), f"of {len(listed)}"),
    )


def _most(run: SiteRun) -> str:
    sites = run.tables["region_sites"]
    found = sites["region"].value_counts()
    return f"most of any region: {int(found.max())}" if len(found) else "no region has any"


def site_table(run: SiteRun, own: pd.DataFrame, name: str) -> Table:
    """Return the table of a region's sites; one whose best cell has a page of its own leads to it."""
    pages = {int(cell): int(rank) for cell, rank in zip(run.paged["cell_id"], run.paged["rank"], strict=True)}
    rows = []
    for _, site in own.iterrows():
        page = pages.get(int(site["cell_id"]))
        rows.append(
            (
                str(site["rank"]),
                position(site),
                probability_words(float(site["probability"])),
                f"{site['slope_deg']:.2f}",
                f"{site['illumination_pct']:.1f}",
                f"{site['earth_visibility_pct']:.1f}",
                way_words(site, "walk"),
                way_words(site, "rover"),
                f"{site['area_km2']:.1f}",
                interval(site),
                "none" if page is None else Link(f"site {page}", site_file(page)),
            )
        )
    columns = (
        *(
            "Rank",
            "Ellipse's centre",
            "Probability, HLS rule",
            "Slope (°)",
            "Sunlight (% of time)",
            "Earth view (% of time)",
        ),
        *("To permanent shadow on foot", "To permanent shadow by rover", "Area of its polygon (km²)"),
        *("Ranks in 95 % of draws", "Page of the overall list"),
    )
    text = {"Ellipse's centre", "Page of the overall list", *(column for column in columns if "shadow" in column)}
    return Table(
        f"Sites in {name} by the HLS rule, by rank within the region. Probability, slope, sunlight and Earth view are"
        " of the best cell, ways from the ellipse's centre. The probability is no chance of a safe landing.",
        columns,
        tuple(rows),
        tuple(column not in text for column in columns),
    )


def label_table(run: SiteRun, held: np.ndarray, name: str) -> Table:
    """Return how many cells of a region each rule passes, beside the share among all cells that are known."""
    rows = []
    for rule, labels in run.labels.items():
        here = labels["label"].to_numpy()[held]
        known = int((here != "unknown").sum())
        passing = int((here == "suitable").sum())
        every = labels["label"].to_numpy()
        base = float((every == "suitable").sum()) / max(int((every != "unknown").sum()), 1)
        expected = float(np.nansum(labels["probability"].to_numpy()[held]))
        rows.append(
            (
                rule.upper(),
                limit_words(run.chosen.rules.named()[rule], run.lattice.pixel_m),
                number_words(passing),
                "unknown" if not known else f"{100.0 * passing / known:.2g} %",
                f"{100.0 * base:.2g} %",
                f"{expected:.1f}",
                number_words(int(here.size) - known),
            )
        )
    return Table(
        f"Cells in {name} by rule: those that pass, their share of the known ones beside that of the whole map (the"
        " base rate), and how many pass on average over the terrain's clones.",
        ("Rule", "Limits", "Pass", "Share", "Base rate", "Expected over clones", "Unknown"),
        tuple(rows),
        (False, False, True, True, True, True, True),
    )


def agreement(run: SiteRun, region: Region) -> tuple[Table, ...]:
    """Return the rows of the records' tables that speak of one region, with their nulls."""
    tables: list[Table] = []
    for name, captions in _CAPTIONS.items():
        mine = {}
        for title, rows in run.records[name].tables.items():
            own = [row for row in rows if row.get("code") == region.code]
            if own:
                # The page is about one region: its name need not stand in every row.
                mine[title] = [
                    {key: value for key, value in row.items() if key not in ("code", "region")} for row in own
                ]
        told = Record(title=region.name, tables=mine)
        words = {**column_words(RECORDS[name], run.chosen.scorer.target), **_WORDS}
        tables += section(told, words, {**TABLE_CAPTIONS, **captions}).tables
    return tuple(tables)


def unknown(run: SiteRun, own: pd.DataFrame, held: np.ndarray) -> tuple[str, ...]:
    """Return what is not known of a region, most frequent first."""
    sentences = []
    for rule, labels in run.labels.items():
        because = labels["unknown_because"][held]
        counts = because[because != ""].value_counts()
        listed = sorted(counts.items(), key=lambda pair: (-int(pair[1]), str(pair[0])))
        sentences += [
            f"{number_words(int(n))} cells are unknown to the {rule.upper()} rule for want of {cause}."
            for cause, n in listed
        ]
    if not held.any():
        sentences.append("No cell of the run lies in it: the region is beyond the run's map or its least latitude.")
    elif not sentences:
        sentences.append("No cell lacks an input of a rule.")
    common = _common([str(text) for text in own["unknown"]])
    if common:
        sentences.append(f"Of all its sites is unknown: {'; '.join(common)}.")
    if own.empty:
        sentences.append("The region has no site: none of its ground is as probable to meet the rule as is asked for.")
    buffer = run.chosen.rules.hls.slope_buffer_m
    pixel = run.lattice.pixel_m
    if own.empty and buffer and pixel > buffer:  # else its sites' own words say so
        sentences.append(
            f"Pixels of {pixel:g} m do not resolve the HLS rule's buffer of {buffer:g} m to steeper ground; the mean"
            " slope of the cell is read instead."
        )
    return tuple(sentences)


def _common(texts: Sequence[str]) -> list[str]:
    """Return the lines that all texts share, in the order of the first."""
    sets = [set(text.splitlines()) for text in texts]
    return [line for line in texts[0].splitlines() if line and all(line in other for other in sets)] if texts else []
