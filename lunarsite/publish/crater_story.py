"""What the report says of craters: how many were detected, how good that is beside rivals and chance, what is new."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from lunarsite.artefact import record, table
from lunarsite.artefact.contracts import CRATER_CANDIDATES, CRATER_MODEL, CRATER_RECORD, DETECTED
from lunarsite.artefact.model import Card, read_tensors
from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.publish.crater_agreement import rows
from lunarsite.publish.crater_charts import detector_look
from lunarsite.publish.report import Table
from lunarsite.publish.words import number_words

CANDIDATES: Final = 20
"""Rows of the table of craters that the catalogue lacks."""
_SIZES_KM = (3, 5, 10, 20)
_NETWORK, _CHANCE = "network", "chance"
_LONGEST_LIST = 6
"""Longer lists of a model's card (a history of losses) are told by their length."""
_TEST_GROUND = (
    "The test ground is the sector crater.split.test_lon_deg of the settings. Training and tuning in a run leave it"
    " out; of a model that came ready, its card must say so."
)
PICTURES: Final[dict[str, tuple[str, str]]] = {
    "crater_map": (
        "Map of the detected craters as circles over shaded relief, coloured by score, with two squares enlarged:"
        " around the pole, and where craters lie most densely.",
        "Detected craters at or above the threshold of the score. Dark circles are nearly certain.",
    ),
    "crater_matches": (
        "Map of hits in solid blue, misses in dashed orange and false alarms in dotted black over shaded relief, on"
        " the test ground, with two squares enlarged.",
        "Hits, misses and false alarms against the given catalogue on the test ground. In the enlarged squares a hit's"
        " rim in the catalogue lies beside the detected one.",
    ),
    "crater_curve": (
        "Charts of precision against recall for the network, the network before fine-tuning and the classical"
        " detector, with lines of equal F1.",
        "Precision against recall as the threshold of the score falls, for each detector; markers: at its threshold.",
    ),
    "crater_reliability": (
        "Chart of the precision of detections by their score, beside the line on which both are equal, and counts.",
        "Whether the score means what it says: the share of detections that the catalogue confirms, by score.",
    ),
    "crater_recall": (
        "Charts of recall by diameter, with precision, and by depth over diameter, with intervals and counts.",
        "Which craters are found, by size and by how deep the catalogue says they are.",
    ),
    "crater_probability": (
        "Maps of the network's response to rims and to centres of craters, bright where it is sure.",
        "Quick-look of the network's response before any crater is made of it.",
    ),
}
"""Alternative texts and captions, in the order of the report."""


@dataclass(frozen=True)
class CraterFiles:
    """What a run has of craters; None where it has not."""

    detected: Path | None
    model: Path | None
    record: Path | None
    candidates: Path | None


@dataclass(frozen=True)
class CraterStory:
    """The report's section on craters."""

    record: Record | None
    sentences: tuple[str, ...]
    candidates: Table | None
    card: Table | None


def tell(files: CraterFiles) -> CraterStory | None:
    """Return what the report says of craters; None where the run detects none.

    Raises:
        ArtefactError: A file breaks its contract, the record has no table that is told of, or a record comes without
            detections.
    """
    if files.detected is None:
        given = [name for name in ("model", "record", "candidates") if getattr(files, name) is not None]
        if given:
            raise ArtefactError(
                f"the report got the craters' {', '.join(given)} without the detected craters; give both"
            )
        return None
    detected, _ = table.read(files.detected, DETECTED, ["diameter_m", "score", "accepted"])
    found = None if files.record is None else record.read(files.record, CRATER_RECORD)[0]
    card = None if files.model is None else read_tensors(files.model, CRATER_MODEL)[1]
    sentences = [counted(detected)]
    sentences += measured(found) if found is not None else [unmeasured(card)]
    candidates = None
    if files.candidates is not None:
        candidates = candidate_table(table.read(files.candidates, CRATER_CANDIDATES)[0])
    return CraterStory(found, tuple(sentences), candidates, None if card is None else card_table(card))


def counted(detected: pd.DataFrame) -> str:
    """Return how many craters were detected, by size."""
    accepted = detected[detected["accepted"]]
    if accepted.empty:
        return "No crater reached the threshold of the score."
    least_km = float(accepted["diameter_m"].min()) / 1000.0
    sizes = [(size, int((accepted["diameter_m"] >= 1000.0 * size).sum())) for size in _SIZES_KM]
    parts = [f"{number_words(count)} of at least {size} km" for size, count in sizes if count and size > least_km]
    words = f"{number_words(len(accepted))} {'craters' if len(accepted) > 1 else 'crater'} reached the threshold of the"
    words += f" score, {accepted['score'].min():.2f}"
    return f"{words}: {', '.join(parts)}." if parts else f"{words}."


def measured(found: Record) -> Iterator[str]:
    """Return how good the detections are, with their rivals and chance, and where they fall short of a bound."""
    headline = rows(found, "headline")
    for least_m in sorted({float(row["least_diameter_m"]) for row in headline}):
        of = {str(row["detector"]): row for row in headline if float(row["least_diameter_m"]) == least_m}
        size = f"craters of at least {least_m / 1000:g} km"
        own = of.pop(_NETWORK, None)
        if own is None or own["f1"] is None:
            yield f"For {size} nothing could be measured on the test ground."
            continue
        yield (
            f"On the test ground F1 for {size} is {_with_interval(own, 'f1')}:"
            f" {_with_interval(own, 'precision')} of the detections are in the catalogue (precision), and"
            f" {_with_interval(own, 'recall')} of the catalogue's craters are detected (recall)."
        )
        chance = of.pop(_CHANCE, None)
        gains = {str(row["over"]): row for row in rows(found, "gains") if float(row["least_diameter_m"]) == least_m}
        rivals = [_rival(name, row, gains.get(name)) for name, row in of.items()]
        if chance is not None:
            rivals.append(f"{_with_interval(chance, 'f1')} for the same detections at other longitudes, by chance")
        if rivals:
            yield f"For comparison, F1 is {'; '.join(rivals)}."
    yield _TEST_GROUND
    yield from _short_of(found)
    yield from _by_depth(rows(found, "by_depth"))
    yield from _lost(rows(found, "losses"))


def _rival(name: str, row: Mapping[str, Any], gain: Mapping[str, Any] | None) -> str:
    words = f"{_with_interval(row, 'f1')} for the {detector_look(name).words}"
    return words if gain is None else f"{words}, a gain of {_with_interval(gain, 'gain_f1')}"


def _with_interval(row: Mapping[str, Any], name: str) -> str:
    if row[name] is None:
        return "unknown"
    if row.get(f"{name}_low") is None or row.get(f"{name}_high") is None:
        return f"{row[name]:.2f}"
    return f"{row[name]:.2f} (95 %: {row[f'{name}_low']:.2f} to {row[f'{name}_high']:.2f})"


def _short_of(found: Record) -> Iterator[str]:
    short = [f"{v.name} ({number_words(v.value)}, asked: {v.bound})" for v in found.verdicts if v.holds is False]
    if short:
        yield f"It falls short in: {'; '.join(short)}."
    unknown = [verdict.name for verdict in found.verdicts if verdict.holds is None]
    if unknown:
        yield f"Unknown remain: {'; '.join(unknown)}."


def _lost(losses: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Return what speaks against the craters that are missed, from the smallest of the least diameters on."""
    least_m = min((float(row["least_diameter_m"]) for row in losses), default=0.0)
    shares = [
        f"{row['doubt']}: {100.0 * row['share_of_misses']:.0f} %"
        for row in losses
        if float(row["least_diameter_m"]) == least_m and row["share_of_misses"] is not None
    ]
    if shares:
        yield f"What speaks against the missed craters of at least {least_m / 1000:g} km: {'; '.join(shares)}."


def _by_depth(depths: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    known = [row for row in depths if row["recall"] is not None]
    if len(known) > 1:
        first, last = known[0], known[-1]
        yield (
            f"Recall depends on how deep the catalogue says a crater is: {first['recall']:.2f} for a depth over"
            f" diameter {first['depth_ratio']}, {last['recall']:.2f} for one {last['depth_ratio']}."
        )


def unmeasured(card: Card | None) -> str:
    """Return that nothing was measured in this run, and where to read what was measured elsewhere."""
    words = "How good they are was not measured here: this run has no catalogue to compare them with."
    if card is None or not card.training:
        return f"{words} Nor does the model say where it was measured."
    return f"{words} Where the model was trained and measured, and how well it did there, stands on its card, below."


def candidate_table(candidates: pd.DataFrame, most: int = CANDIDATES) -> Table:
    """Return the table of the best-scored craters that the catalogue lacks."""
    best = candidates.sort_values(["score", "id"], ascending=[False, True], kind="stable").head(most)
    body = []
    for _, row in best.iterrows():
        lat, lon, depth_m = float(row["lat_deg"]), float(row["lon_deg"]), float(row["depth_m"])
        body.append(
            (
                str(int(row["id"])),
                f"{abs(lat):.3f}° {'S' if lat < 0 else 'N'}",
                f"{abs(lon):.3f}° {'E' if lon >= 0 else 'W'}",
                f"{float(row['diameter_m']) / 1000:.2f}",
                f"{depth_m:.0f}" if np.isfinite(depth_m) else "unknown",
                f"{depth_m / float(row['diameter_m']):.3f}" if np.isfinite(depth_m) else "unknown",
                f"{float(row['score']):.2f}",
            )
        )
    shown, total = number_words(len(best)), number_words(len(candidates))
    return Table(
        f"Craters that the catalogue lacks: the {shown} best-scored of {total} with a depression in the elevation"
        " model. Diameters are true ones, depths from rim to floor.",
        ("Crater", "Latitude", "Longitude", "Diameter (km)", "Depth (m)", "Depth over diameter", "Score"),
        tuple(body),
        (True,) * 7,
    )


def card_table(card: Card, words: str = "The model's card") -> Table:
    """Return a model's card: how it was trained, on what, and what was measured, key by key; `words` name it."""
    parts: dict[str, Any] = {"training": card.training, "calibration": card.spec.get("calibration")}
    body = tuple((key, value) for name, part in parts.items() for key, value in _flat(name, part))
    return Table(
        f"{words}: on what it was trained and tuned, and what was measured.",
        ("Entry", "Value"),
        body or (("training", "unknown"),),
        (False, False),
    )


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield the leaves of nested values with their paths in words."""
    if isinstance(value, Mapping):
        for key in sorted(value):
            yield from _flat(f"{name}: {str(key).replace('_', ' ')}", value[key])
    elif isinstance(value, list):
        plain = all(isinstance(part, str | int | float | None) for part in value)
        short = plain and len(value) <= _LONGEST_LIST
        yield name, ", ".join(_leaf(part) for part in value) if short else f"{len(value)} entries"
    elif value is not None:
        yield name, _leaf(value)


def _leaf(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number_words(value) if isinstance(value, int | float) else str(value)
