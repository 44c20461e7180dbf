"""The report of a run: one HTML file that needs nothing else, readable on screen and on paper.

What it says comes from artefacts: verdicts and metrics from records, figures as they were drawn, cells from tables.
Here they are chosen, ordered and put into words.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from lunarsite.artefact.atomic import replacing
from lunarsite.artefact.stamp import ArtefactError, Origin, Stamp, merged_origin
from lunarsite.grid import MOON_RADIUS_M
from lunarsite.publish.polar_map import Feature
from lunarsite.publish.words import feature_words, label_words, number_words, rule_words

_TEMPLATES = Path(__file__).resolve().parent / "templates"
OF_ROCKS = "rock_"
"""How the names of what was made of rocks begin."""
_PNG = b"\x89PNG\r\n\x1a\n"
UNDECIDED = (0.05, 0.95)
"""Between these probabilities a cell's label is undecided."""


@dataclass(frozen=True)
class Table:
    """A table as the report prints it: every cell is text, `numeric` columns are set flush right."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    links: tuple[str, ...] = ()
    """Where the first cell of each row leads, relative to the report; '' where nowhere, none at all if empty."""


@dataclass(frozen=True)
class Picture:
    """A figure as the report embeds it."""

    name: str
    data: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Section:
    """A record as the report prints it."""

    title: str
    verdicts: Table | None
    tables: tuple[Table, ...]
    notes: tuple[str, ...]


def embed(name: str, path: Path, alt: str, caption: str) -> Picture:
    """Read a PNG for embedding.

    Raises:
        ArtefactError: The file is no PNG.
    """
    data = path.read_bytes()
    if not data.startswith(_PNG):
        raise ArtefactError(f"{path}: is no PNG; run publish-figures first and give its {name}_png")
    return Picture(name, base64.b64encode(data).decode("ascii"), alt, caption)


def top_cells(scores: pd.DataFrame, cells: pd.DataFrame, features: Sequence[Feature], most: int) -> Table:
    """Return the table of the best cells: where they are and what they are like.

    Args:
        scores: The table of scores.
        cells: The table of cells, rows as in `scores`.
        features: Named features; the nearest one is named.
        most: Number of rows.
    """
    rank = scores["rank"].to_numpy()
    best = np.flatnonzero((rank > 0) & (rank <= most))
    rows = []
    for index in best[np.argsort(rank[best])]:
        cell, ground = scores.iloc[index], cells.iloc[index]
        rows.append(
            (
                str(int(cell["rank"])),
                str(int(cell["cell_id"])),
                f"{abs(cell['lat']):.3f}° {'S' if cell['lat'] < 0 else 'N'}",
                f"{abs(cell['lon']):.3f}° {'E' if cell['lon'] >= 0 else 'W'}",
                nearest(features, float(cell["lon"]), float(cell["lat"])),
                fixed(float(cell["score"]), 3),
                label_words(str(cell["label"])),
                *(
                    fixed(ground[name], digits)
                    for name, digits in (
                        ("elevation_mean", 0),
                        ("slope_mean", 1),
                        ("slope_max", 1),
                        ("avg_illumination_pct", 1),
                        ("earth_visibility_pct", 1),
                        ("psr_fraction", 2),
                    )
                ),
            )
        )
    columns = (
        "Rank", "Cell", "Latitude", "Longitude", "Nearest named feature", "Score", "Rule", "Elevation (m)",
        "Slope, mean (°)", "Slope, greatest (°)", "Sunlight (% of time)", "Earth view (% of time)", "Permanent shadow",
    )  # fmt: skip
    text = {"Nearest named feature", "Rule"}
    return Table(
        f"The {len(rows)} best cells by score." if most > 1 else "The best cell by score.",
        columns,
        tuple(rows),
        tuple(column not in text for column in columns),
    )


def nearest(features: Sequence[Feature], lon_deg: float, lat_deg: float) -> str:
    """Return the nearest named feature in words: 'on' it within its radius, else its name and distance."""
    if not features:
        return ""
    lon = np.radians([feature.lon_deg for feature in features])
    lat = np.radians([feature.lat_deg for feature in features])
    here_lon, here_lat = math.radians(lon_deg), math.radians(lat_deg)
    half_chord = np.sin(0.5 * (lat - here_lat)) ** 2
    half_chord += np.cos(lat) * math.cos(here_lat) * np.sin(0.5 * (lon - here_lon)) ** 2
    distance_m = 2.0 * MOON_RADIUS_M * np.arcsin(np.sqrt(np.clip(half_chord, 0.0, 1.0)))
    # A basin covers everything; the rim of a crater is nearer to its cells than the crater's centre.
    radius_m = np.array([0.0 if feature.kind == "basin" else 0.5 * feature.diameter_m for feature in features])
    to_edge = np.where([feature.kind == "basin" for feature in features], np.inf, np.abs(distance_m - radius_m))
    at = int(np.argmin(to_edge))
    name = features[at].name
    if distance_m[at] <= radius_m[at]:
        return f"in {name}" if features[at].kind == "crater" else f"on {name}"
    return f"{name}, {max(1.0, to_edge[at] / 1000):.0f} km off"


def label_counts(labels: pd.DataFrame) -> Table:
    """Return the table of labels: how many cells each rule passes, refuses or cannot judge, beside what is expected.

    Args:
        labels: The table of labels.
    """
    rows = []
    for rule, part in labels.groupby("rule", sort=False):
        counts = part["label"].value_counts()
        undecided = int(part["probability"].between(*UNDECIDED).sum())
        rows.append(
            (
                rule_words(str(rule)),
                *(number_words(int(counts.get(key, 0))) for key in ("suitable", "unsuitable", "unknown")),
                number_words(round(float(part["probability"].sum()))),
                number_words(undecided),
            )
        )
    return Table(
        "Cells by label. A cell with any missing input is unknown, even where another input fails the rule. Expected:"
        " the sum of the cells' probabilities of meeting the rule; undecided: a probability from"
        f" {UNDECIDED[0]:g} to {UNDECIDED[1]:g}.",
        ("Rule", "Passes", "Fails", "Unknown", "Expected to meet it", "Undecided"),
        tuple(rows),
        (False, True, True, True, True, True),
    )


def unknown_causes(labels: pd.DataFrame) -> Table:
    """Return why cells are unknown to each rule: counts of each combination of missing inputs."""
    unknown = labels[labels["label"] == "unknown"]
    rows = []
    for rule in dict.fromkeys(str(rule) for rule in labels["rule"]):
        counts = unknown.loc[unknown["rule"] == rule, "unknown_because"].value_counts()
        causes = sorted((-int(count), str(cause)) for cause, count in counts.items())
        rows += [(rule_words(rule), _causes(cause), number_words(-count)) for count, cause in causes]
        if not causes:
            rows.append((rule_words(rule), "nothing", "0"))
    return Table("Unknown cells by what is missing.", ("Rule", "Missing", "Cells"), tuple(rows), (False, False, True))


def _causes(because: str) -> str:
    words = {"light": "sunlight", "earth": "Earth view", "": "not told"}
    parts = (part.strip() for part in because.split(","))
    return ", ".join(words.get(part, part) for part in parts)


def fixed(value: float, digits: int) -> str:
    """Return a number with so many decimals, 'unknown' if it is not finite."""
    return "unknown" if not math.isfinite(value) else f"{value:.{digits}f}"


def ground_origin(stamps: Mapping[str, Stamp]) -> Origin:
    """Return where the run's map comes from, given the stamps of its artefacts by name.

    Rendered rocks are no part of the map: they alone do not make a run of the real Moon synthetic.

    Raises:
        ArtefactError: There is no stamp of the map.
    """
    origin = merged_origin([stamp for name, stamp in stamps.items() if not name.startswith(OF_ROCKS)])
    if origin is None:
        raise ArtefactError("no artefact of the run's map is among those given; give its elevation")
    return origin


def provenance(stamps: Mapping[str, Stamp], digests: Mapping[str, str]) -> Table:
    """Return the table of provenance: what made each artefact, from what, and its checksum.

    Args:
        stamps: Stamp of each artefact by its name in the report.
        digests: SHA-256 of each file, by the same names.
    """
    rows = []
    for name, stamp in stamps.items():
        commit = "unknown" if stamp.git_commit is None else stamp.git_commit[:12]
        state = {True: " with local changes", False: "", None: ""}[stamp.git_dirty]
        inputs = ", ".join(f"{key} {value[:8]}" for key, value in sorted(stamp.inputs.items())) or "none"
        seed = "" if stamp.seed is None else str(stamp.seed)
        rows.append(
            (
                name.replace("_", " "),
                stamp.stage,
                stamp.origin,
                digests[name][:16],
                stamp.code,
                stamp.settings_hash[:12],
                seed,
                f"{commit}{state}",
                inputs,
            )
        )
    return Table(
        "Every artefact behind this report. Hashes are cut; the catalogue holds them whole.",
        ("Artefact", "Stage", "Origin", "SHA-256", "Code", "Settings", "Seed", "Commit", "Inputs (SHA-256)"),
        tuple(rows),
        (False,) * 9,
    )


def render(path: Path, context: Mapping[str, Any]) -> None:
    """Write the report from its template.

    Raises:
        jinja2.UndefinedError: The template asks for something that the context lacks.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    text = environment.get_template("report.html.j2").render({**context, "style": style})
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def importance(rows: Sequence[Mapping[str, Any]], most: int) -> Table:
    """Return the features that count most, from the scorer's record (feature, mean_abs_shap; largest first)."""
    listed = tuple((feature_words(str(row["feature"])), number_words(row["mean_abs_shap"])) for row in rows[:most])
    return Table(
        f"The {len(listed)} features with the largest mean absolute SHAP value over the ranked cells (log-odds).",
        ("Feature", "Mean |SHAP|"),
        listed,
        (False, True),
    )
