"""The record of the craters' validation: what is compared, under which bounds, and what it means.

The bounds are those that the project set itself before the network was trained on the polar map; they hold for the real
Moon, the test ground and the usual tolerances of matching alone. On synthetic terrain, or with other tolerances, the
numbers are printed without bounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import JsonValue

from lunarsite.artefact.record import Metric, Record, Verdict
from lunarsite.grid import Pole, in_sector
from lunarsite.settings import CraterReferenceSettings
from lunarsite.validate import crater as measures
from lunarsite.validate import crater_comparison as comparison
from lunarsite.validate.crater import Quality, Row, Scene, with_interval
from lunarsite.validate.crater_counts import (
    SPLITS,
    Blocks,
    Catalogue,
    Detections,
    Ground,
    average_precision,
    curve,
    interval,
    rates,
    strict_tally,
)
from lunarsite.vision.crater.matching import CENTRE_TOLERANCE, DIAMETER_TOLERANCE, Circles, admissible, assign

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rows = list[dict[str, JsonValue]]

TEST = SPLITS.index("test")
NETWORK = "network"
LEAST_RELIEF = 0.03
"""Relief over diameter from which on the elevation model shows a hollow."""
_TURNS = 100
_BOUNDS: Mapping[float, Mapping[str, float]] = {
    3_000.0: {"f1": 0.73, "precision_better_half": 0.94, "recall_deep": 0.87, "f1_not_shallow": 0.82},
    5_000.0: {"f1": 0.74, "precision_better_half": 0.96, "recall_deep": 0.87, "f1_not_shallow": 0.84},
}
_CLAIMS = {
    "f1": "F1",
    "precision_better_half": "Precision of the better-scored half",
    "recall_deep": f"Recall of craters with depth/diameter >= {measures.DEEP:g}",
    "f1_not_shallow": f"F1 against craters with depth/diameter >= {measures.NOT_SHALLOW:g}",
}
NOTES = (
    "From a least diameter on, a catalogue crater is a hit or a miss by its own diameter; a detection is a false alarm"
    " if no catalogue crater of any size or place is its partner; one whose partner is smaller or off the ground is"
    " neither. The strict F1 cuts both sides before matching.",
    "Intervals are 2.5 and 97.5 % points over draws of blocks of ground; differences between detectors use the same"
    " draws. They tell of chance in the ground that was measured, not of other ground.",
    "Experts who count the same ground differ by up to 45 % (Robbins et al. 2014, Icarus 234, 109), and the catalogue"
    " holds worn and doubtful entries: neither side is the truth.",
    "DeepMoon's rule lets one crater serve many partners, and ring pixels saturate: both are for comparison only.",
)


@dataclass(frozen=True)
class Evidence:
    """All that is judged. The first detector is the one that is measured; the others are its rivals."""

    catalogue: Catalogue
    detectors: Sequence[Detections]
    detected_place: tuple[Floats, Floats]
    """Longitudes and latitudes of the first detector's craters."""
    relief: Floats
    """Relief over diameter of the catalogue's craters."""
    cut: Mask
    """Which of them a larger, fresher crater cuts."""
    chance_hollow: float | None
    """Share of the same circles, moved to where chance puts them, that show a hollow."""
    test_lon_deg: tuple[float, float]
    covered_lon_deg: tuple[float, float]
    largest_m: float
    pixel_m: float
    pole: Pole


def judge_craters(
    evidence: Evidence, settings: CraterReferenceSettings, *, synthetic: bool
) -> tuple[Record, pd.DataFrame]:
    """Return the record, and the curves of precision and recall.

    Ground without a crater of the catalogue leaves its numbers unknown, with the reason.
    """
    blocks = Blocks(1000.0 * settings.block_km, settings.draws, settings.seed)
    usual = (settings.centre_tolerance, settings.diameter_tolerance) == (CENTRE_TOLERANCE, DIAMETER_TOLERANCE)
    metrics: list[Metric] = []
    verdicts: list[Verdict] = []
    tables: dict[str, Rows] = {name: [] for name in ("headline", "gains", "by_diameter", "by_depth", "reliability")}
    tables |= {name: [] for name in ("localisation", "losses", "other_measures")}
    areas, curves = _curves(evidence, settings)
    for least_m in sorted(set(settings.least_diameters_m)):
        for split in range(len(SPLITS)):
            ground = Ground(split, least_m, evidence.largest_m)
            scenes = [Scene(evidence.catalogue, one, ground, blocks) for one in evidence.detectors]
            found = measures.qualities(scenes)
            for scene, quality in zip(scenes, found, strict=True):
                tables["headline"].append(_headline(scene, quality, areas[scene.detections.name, split, least_m]))
            if split != TEST:
                continue
            tables["headline"].append(_chance(evidence, ground, settings))
            values = _test_metrics(scenes[0], found[0], areas[NETWORK, split, least_m], metrics)
            tables["gains"] += _gains(scenes, found)
            tables["localisation"].append(measures.localisation(scenes[0], evidence.pixel_m))
            tables["losses"] += measures.losses(scenes[0], evidence.relief, evidence.cut, LEAST_RELIEF)
            tables["other_measures"] += _other_measures(scenes)
            if not synthetic and usual:
                verdicts += _verdicts(least_m, values, scenes, found)
    _finest(evidence, settings, blocks, metrics, tables)
    notes = [_matching_note(settings), *NOTES, _hollow_note(evidence)]
    if evidence.catalogue.circles.x_m.size == 0:
        notes.append("The catalogue holds no crater on this map: nothing could be measured.")
    if synthetic:
        notes.append(
            "This is a synthetic Moon, whose catalogue is complete and exact: no bound is put to these numbers."
        )
    if not usual:
        notes.append(
            f"The bounds were set for matching within {CENTRE_TOLERANCE:g} radii and {100.0 * DIAMETER_TOLERANCE:g} %;"
            " with the tolerances of this run no bound is put to these numbers."
        )
    title = "Detected craters against the given catalogue"
    return Record(
        title=title, metrics=tuple(metrics), verdicts=tuple(verdicts), tables=tables, notes=tuple(notes)
    ), curves


def _curves(
    evidence: Evidence, settings: CraterReferenceSettings
) -> tuple[dict[tuple[str, int, float], float], pd.DataFrame]:
    """Return average precision by detector, split and least diameter, and the curves."""
    areas: dict[tuple[str, int, float], float] = {}
    parts = []
    for one in evidence.detectors:
        grounds = [
            Ground(split, least_m, evidence.largest_m)
            for least_m in sorted(set(settings.least_diameters_m))
            for split in range(len(SPLITS))
        ]
        for ground, (scores, counts) in zip(grounds, curve(one, evidence.catalogue, grounds), strict=True):
            areas[one.name, ground.split, ground.least_m] = average_precision(counts)
            values = rates(counts)
            parts.append(
                pd.DataFrame(
                    {
                        "detector": one.name,
                        "split": SPLITS[ground.split],
                        "least_diameter_m": ground.least_m,
                        "score": scores,
                        "precision": values[:, 0],
                        "recall": values[:, 1],
                    }
                )
            )
    return areas, pd.concat(parts, ignore_index=True)


def _headline(scene: Scene, quality: Quality, area: float) -> Row:
    strict = rates(strict_tally(scene.detections, scene.catalogue, scene.ground).counts)[2]
    row: Row = {
        "detector": scene.detections.name,
        "split": SPLITS[scene.ground.split],
        "least_diameter_m": scene.ground.least_m,
        "craters": int(quality.counts[0] + quality.counts[2]),
        "detections": int(quality.counts[0] + quality.counts[1]),
        "average_precision": _known(area),
        "strict_f1": _known(strict),
    }
    for name, value, within in zip(("precision", "recall", "f1"), quality.rates, quality.intervals, strict=True):
        row |= with_interval(name, value, within)
    return row


def _chance(evidence: Evidence, ground: Ground, settings: CraterReferenceSettings) -> Row:
    """Return what the network's accepted detections reach at other longitudes of the test sector: median and 95 %."""
    own = evidence.detectors[0]
    here = own.accepted & (own.split == TEST)
    circles, (lon_deg, lat_deg) = own.circles.take(here), (axis[here] for axis in evidence.detected_place)
    truth = ground.truths(evidence.catalogue)
    row: Row = {
        "detector": "chance",
        "split": SPLITS[TEST],
        "least_diameter_m": ground.least_m,
        "craters": int(truth.sum()),
        "detections": int((circles.diameter_m >= ground.least_m).sum()),
        "average_precision": None,
        "strict_f1": None,
    }
    empty = {"precision": None, "recall": None, "f1": None}
    if not truth.any() or not len(circles):
        return row | {f"{name}{end}": None for name in empty for end in ("", "_low", "_high")}
    width = (evidence.test_lon_deg[1] - evidence.test_lon_deg[0]) % 360.0 or 360.0
    # A turn by less than a twentieth of the sector would move small craters by too little near the pole.
    angles = np.random.default_rng(settings.seed).uniform(0.05 * width, 0.95 * width, _TURNS)
    counts = np.array(
        [_turned_counts(evidence, ground, settings, circles, lon_deg, lat_deg, float(angle)) for angle in angles]
    )
    values = rates(counts)
    for index, name in enumerate(empty):
        known = values[:, index][np.isfinite(values[:, index])]
        row |= with_interval(name, float(np.median(known)) if known.size else None, interval(values[:, index]))
    return row


def _turned_counts(
    evidence: Evidence,
    ground: Ground,
    settings: CraterReferenceSettings,
    circles: Circles,
    lon_deg: Floats,
    lat_deg: Floats,
    angle_deg: float,
) -> Floats:
    moved, moved_deg = comparison.turned(circles, lon_deg, lat_deg, evidence.test_lon_deg, angle_deg, evidence.pole)
    pairs = admissible(moved, evidence.catalogue.circles, settings.centre_tolerance, settings.diameter_tolerance)
    partner = assign(pairs, len(moved), len(evidence.catalogue.circles))
    truth = ground.truths(evidence.catalogue)
    paired = partner >= 0
    hits = int(truth[partner[paired]].sum())
    alarming = ~paired & (moved.diameter_m >= ground.least_m) & in_sector(moved_deg, evidence.covered_lon_deg)
    false_alarms = int(alarming.sum())
    return np.array([hits, false_alarms, int(truth.sum()) - hits], dtype=np.float64)


def _test_metrics(scene: Scene, quality: Quality, area: float, metrics: list[Metric]) -> dict[str, float | None]:
    """Add the metrics of the measured detector on the test ground, and return those that bounds are put to."""
    catalogue, size = scene.catalogue, _size(scene.ground.least_m)
    absent = f"no catalogue crater of at least {size} on the test ground" if quality.rates[2] is None else ""
    values: dict[str, float | None] = {}
    for name, value, within in zip(("precision", "recall", "f1"), quality.rates, quality.intervals, strict=True):
        low, high = within or (None, None)
        why = absent or ("" if value is not None else "nothing was detected")
        metrics.append(Metric(name=f"{name}_{size}", value=value, unit="1", low=low, high=high, why=why))
        values[name] = value
    deep, deep_count = measures.recall_of(scene, catalogue.depth_ratio >= measures.DEEP)
    values["recall_deep"] = deep
    values["f1_not_shallow"] = measures.f1_of(scene, catalogue.depth_ratio >= measures.NOT_SHALLOW)
    values["precision_better_half"] = measures.better_half(scene)
    extra = {
        "average_precision": (_known(area), "area under precision over recall, by steps"),
        "precision_better_half": (values["precision_better_half"], "of the accepted detections, by score"),
        "recall_deep": (deep, f"{deep_count} craters with depth/diameter >= {measures.DEEP:g}"),
        "f1_not_shallow": (
            values["f1_not_shallow"],
            f"craters with depth/diameter >= {measures.NOT_SHALLOW:g}; matches of others are neutral",
        ),
    }
    metrics += [Metric(name=f"{name}_{size}", value=value, unit="1", why=text) for name, (value, text) in extra.items()]
    return values


def _gains(scenes: Sequence[Scene], found: Sequence[Quality]) -> Rows:
    """Return how much better the measured detector's F1 is than each rival's, with paired intervals."""
    rows: Rows = []
    for rival, quality in zip(scenes[1:], found[1:], strict=True):
        gain, within = _gain(found[0], quality)
        row: Row = {"over": rival.detections.name, "least_diameter_m": rival.ground.least_m}
        rows.append(row | with_interval("gain_f1", gain, within))
    return rows


def _gain(own: Quality, rival: Quality) -> tuple[float | None, tuple[float, float] | None]:
    if own.rates[2] is None or rival.rates[2] is None:
        return None, None
    return own.rates[2] - rival.rates[2], interval(own.f1_draws - rival.f1_draws)


def _other_measures(scenes: Sequence[Scene]) -> Rows:
    rows: Rows = []
    for scene in scenes:
        found, truth = scene.detections, scene.ground.truths(scene.catalogue)
        here = found.accepted & (found.split == scene.ground.split)
        here &= found.circles.diameter_m >= scene.ground.least_m
        ours = comparison.deepmoon_rule(found.circles.take(here), scene.catalogue.circles)[0]
        theirs = comparison.deepmoon_rule(found.circles.take(found.accepted), scene.catalogue.circles)[1]
        rings = comparison.ring_agreement(found.circles.take(here), scene.catalogue.circles.take(truth))
        overlap, precision, recall = rings or (None, None, None)
        rows.append(
            {
                "detector": found.name,
                "least_diameter_m": scene.ground.least_m,
                "deepmoon_precision": float(ours.mean()) if ours.size else None,
                "deepmoon_recall": float(theirs[truth].mean()) if truth.any() else None,
                "ring_iou": overlap,
                "ring_precision": precision,
                "ring_recall": recall,
            }
        )
    return rows


def _finest(
    evidence: Evidence,
    settings: CraterReferenceSettings,
    blocks: Blocks,
    metrics: list[Metric],
    tables: dict[str, Rows],
) -> None:
    """Add what is told once, from the smallest of the least diameters on: tables by bin and the score's reliability."""
    least_m = min(settings.least_diameters_m)
    for split in range(len(SPLITS)):
        scene = Scene(evidence.catalogue, evidence.detectors[0], Ground(split, least_m, evidence.largest_m), blocks)
        tables["by_diameter"] += measures.by_diameter(scene)
        tables["by_depth"] += measures.by_depth(scene)
        rows, gap = measures.reliability(scene)
        tables["reliability"] += rows
        if split == TEST:
            why = "mean distance of precision from score, ten bins" if gap is not None else "too few detections"
            metrics.append(Metric(name="calibration_error", value=gap, unit="1", why=why))


def _verdicts(
    least_m: float, values: Mapping[str, float | None], scenes: Sequence[Scene], found: Sequence[Quality]
) -> list[Verdict]:
    verdicts = []
    size = f"D >= {least_m / 1000.0:g} km"
    counts = f"{found[0].counts[0] + found[0].counts[2]:.0f} craters of the catalogue on the test ground"
    for name, bound in _BOUNDS.get(least_m, {}).items():
        value = values[name]
        verdicts.append(
            Verdict(
                name=f"{_CLAIMS[name]}, {size}",
                value=value,
                unit="1",
                bound=f">= {bound:g}",
                holds=None if value is None else value >= bound,
                why=f"{counts}; bound set before the network was trained on the polar map",
            )
        )
    for scene, quality in zip(scenes[1:], found[1:], strict=True):
        gain, within = _gain(found[0], quality)
        low = None if gain is None or within is None else within[0]
        verdicts.append(
            Verdict(
                name=f"F1 above that of '{scene.detections.name}', {size}",
                value=low,
                unit="1",
                bound="> 0 at the lower end of the gain's 95 % interval",
                holds=None if low is None else low > 0.0,
                why="unknown: nothing to compare" if gain is None else f"gain {gain:+.3f}, paired draws of blocks",
            )
        )
    return verdicts


def _matching_note(settings: CraterReferenceSettings) -> str:
    return (
        f"Matching is one to one: centres closer than {settings.centre_tolerance:g} of the catalogue crater's radius,"
        f" diameters within {100.0 * settings.diameter_tolerance:g} % of its own, as many pairs as possible, and of"
        " those the closest."
    )


def _hollow_note(evidence: Evidence) -> str:
    if evidence.chance_hollow is None:
        return f"A hollow is a relief (rim less floor, means) of at least {LEAST_RELIEF:g} diameters."
    return (
        f"A hollow is a relief (rim less floor, means) of at least {LEAST_RELIEF:g} diameters in the elevation model;"
        f" {100.0 * evidence.chance_hollow:.0f} % of circles of the same sizes at other places show one by chance."
    )


def _size(least_m: float) -> str:
    return f"{least_m / 1000.0:g}km"


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
