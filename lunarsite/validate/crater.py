"""What is measured of detected craters against a catalogue: quality, where craters are lost, whether scores mean much.

Every table is a list of plain rows, as records hold them; what cannot be measured is None. This module must not know
bounds and verdicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from lunarsite.validate.crater_counts import (
    SPLITS,
    Blocks,
    Catalogue,
    Detections,
    Ground,
    Tally,
    interval,
    rates,
    squares,
    tally,
)
from lunarsite.vision.crater.matching import NOTHING

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Row = dict[str, JsonValue]

DIAMETER_EDGES_KM = (2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 20.0, 100.0)
DEPTH_EDGES = (0.0, 0.04, 0.05, 0.065, 0.08, 0.1, 0.15, 1.0)
DEEP, NOT_SHALLOW = 0.1, 0.08
"""Depth over diameter from which on a crater is plain to see, and below which it is worn."""
_BINS = 10
_FEWEST = 20
"""Fewer detections than this make no table of reliability."""


@dataclass(frozen=True)
class Scene:
    """A catalogue, a detector's craters, what is counted, and the blocks of the bootstrap."""

    catalogue: Catalogue
    detections: Detections
    ground: Ground
    blocks: Blocks

    def tally(self) -> Tally:
        """Return the tally of the accepted detections."""
        found = self.detections
        return tally(found, self.catalogue, self.ground, found.accepted, found.partner)


@dataclass(frozen=True)
class Quality:
    """Precision, recall and F1 with 95 % intervals (None: unknown), and the draws of F1 that they come from."""

    rates: tuple[float | None, float | None, float | None]
    intervals: tuple[tuple[float, float] | None, ...]
    f1_draws: Floats
    counts: Floats
    """Hits, false alarms, misses."""


def qualities(scenes: Sequence[Scene]) -> list[Quality]:
    """Return the quality of detectors on the same ground; all are drawn with the same blocks, so draws are paired."""
    tallies = [scene.tally() for scene in scenes]
    rows = [squares(one, s.detections, s.catalogue, s.blocks) for one, s in zip(tallies, scenes, strict=True)]
    drawn = rates(scenes[0].blocks.drawn(rows))
    found = []
    for one, draws in zip(tallies, drawn, strict=True):
        values = tuple(_known(value) for value in rates(one.counts))
        intervals = tuple(interval(draws[:, k]) if values[k] is not None else None for k in range(3))
        found.append(Quality((values[0], values[1], values[2]), intervals, draws[:, 2], one.counts))
    return found


def better_half(scene: Scene) -> float | None:
    """Return the precision of the better-scored half of the accepted detections that count."""
    one = scene.tally()
    counted = np.flatnonzero(one.hit | one.false_alarm)
    half = counted.size // 2
    if half == 0:
        return None
    best = counted[np.argsort(-scene.detections.score[counted], kind="stable")[:half]]
    return float(one.hit[best].mean())


def recall_of(scene: Scene, chosen: Mask) -> tuple[float | None, int]:
    """Return the recall of some of the catalogue's craters, and how many of them count."""
    one = scene.tally()
    counted = one.truth & chosen
    total = int(counted.sum())
    return (float((one.found & chosen).sum() / total) if total else None), total


def f1_of(scene: Scene, chosen: Mask) -> float | None:
    """Return F1 against some of the catalogue's craters; a match with another one is neither hit nor false alarm."""
    one = scene.tally()
    hits = float((one.found & chosen).sum())
    misses = float((one.truth & chosen).sum()) - hits
    return _known(rates(np.array([hits, float(one.false_alarm.sum()), misses]))[2])


def by_diameter(scene: Scene) -> list[Row]:
    """Return recall and precision by diameter: of the catalogue's crater for hits and misses, else the detection's.

    The scene's least diameter plays no part.
    """
    ground = Ground(scene.ground.split, 0.0, scene.ground.largest_m)
    found, catalogue, blocks = scene.detections, scene.catalogue, scene.blocks
    one = tally(found, catalogue, ground, found.accepted, found.partner)
    truth_at, own_at = blocks.ids(catalogue.circles), blocks.ids(found.circles)
    rows: list[Row] = []
    parts = []
    for low, high in pairwise(DIAMETER_EDGES_KM):
        theirs = _between(catalogue.circles.diameter_m / 1000.0, low, high)
        ours = _between(found.circles.diameter_m / 1000.0, low, high) & one.false_alarm
        parts.append((truth_at[one.found & theirs], own_at[ours], truth_at[one.truth & ~one.found & theirs]))
        rows.append({"split": SPLITS[ground.split], "diameter": f"{low:g} to {high:g} km"})
    return _binned(rows, parts, blocks, with_precision=True)


def by_depth(scene: Scene) -> list[Row]:
    """Return recall by the catalogue's depth over diameter, from the scene's least diameter on."""
    one, catalogue, blocks = scene.tally(), scene.catalogue, scene.blocks
    at = blocks.ids(catalogue.circles)
    rows: list[Row] = []
    parts = []
    for low, high in pairwise(DEPTH_EDGES):
        chosen = _between(catalogue.depth_ratio, low, high)
        parts.append((at[one.found & chosen], at[:0], at[one.truth & ~one.found & chosen]))
        words = (
            f"below {high:g}" if low == 0.0 else f"{low:g} to {high:g}" if high < DEPTH_EDGES[-1] else f"from {low:g}"
        )
        rows.append({"split": SPLITS[scene.ground.split], "depth_ratio": words})
    return _binned(rows, parts, blocks, with_precision=False)


def _binned(
    rows: list[Row], parts: Sequence[Sequence[NDArray[np.int64]]], blocks: Blocks, *, with_precision: bool
) -> list[Row]:
    drawn = rates(blocks.drawn(parts))
    filled: list[Row] = []
    for row, part, draws in zip(rows, parts, drawn, strict=True):
        hits, false_alarms, misses = (one.size for one in part)
        precision, recall, _ = rates(np.array([hits, false_alarms, misses], dtype=np.float64))
        found = row | {"craters": hits + misses} | with_interval("recall", _known(recall), interval(draws[:, 1]))
        if with_precision:
            found |= {"detections": hits + false_alarms}
            found |= with_interval("precision", _known(precision), interval(draws[:, 0]))
        filled.append(found)
    return filled


def reliability(scene: Scene) -> tuple[list[Row], float | None]:
    """Return score against precision in bins of equally many detections, and the expected calibration error.

    All detections take part, accepted or not, matched at once. The error is the mean distance of a bin's precision from
    its mean score (Naeini et al. 2015, AAAI 29).
    """
    found = scene.detections
    everything = np.ones(len(found.circles), dtype=bool)
    one = tally(found, scene.catalogue, scene.ground, everything, found.matched(everything))
    counted = np.flatnonzero(one.hit | one.false_alarm)
    if counted.size < _FEWEST or not one.truth.any():
        return [], None
    order = counted[np.argsort(found.score[counted], kind="stable")]
    at = scene.blocks.ids(found.circles)
    rows: list[Row] = []
    gap = 0.0
    for part in np.array_split(order, _BINS):
        hit = one.hit[part]
        score, precision = float(found.score[part].mean()), float(hit.mean())
        gap += part.size / order.size * abs(score - precision)
        with np.errstate(invalid="ignore"):
            drawn = scene.blocks.drawn([(at[part[hit]], at[part[~hit]])])[0]
            within = interval(drawn[:, 0] / drawn.sum(axis=1))
        rows.append(
            {
                "split": SPLITS[scene.ground.split],
                "score": score,
                **with_interval("precision", precision, within),
                "detections": int(part.size),
            }
        )
    return rows, gap


def localisation(scene: Scene, pixel_m: float) -> Row:
    """Return errors of the hits: of the centre in radii and pixels, of the diameter as a ratio; medians and spreads."""
    one, pairs = scene.tally(), scene.detections.pairs
    kept = one.hit[pairs.detection] & (one.partner[pairs.detection] == pairs.truth)
    diameter_m = scene.catalogue.circles.diameter_m[pairs.truth[kept]]
    row: Row = {"least_diameter_m": scene.ground.least_m, "hits": int(kept.sum())}
    names = ("centre_radii_median", "centre_radii_p90", "centre_px_median", "diameter_ratio_median", "diameter_spread")
    if not kept.any():
        return row | dict.fromkeys(names)
    radii = pairs.distance_m[kept] / (0.5 * diameter_m)
    ratio = scene.detections.circles.diameter_m[pairs.detection[kept]] / diameter_m
    low, high = np.quantile(ratio, (0.16, 0.84))
    values = (
        np.median(radii),
        np.quantile(radii, 0.9),
        np.median(pairs.distance_m[kept]) / pixel_m,
        np.median(ratio),
        0.5 * (high - low),
    )
    return row | {name: float(value) for name, value in zip(names, values, strict=True)}


def losses(scene: Scene, relief: Floats, cut: Mask, least_relief: float) -> list[Row]:
    """Return what speaks against the catalogue's craters, and how many of those are missed.

    Args:
        scene: The scene.
        relief: Relief over diameter of each catalogue crater in the elevation model, NaN where unknown.
        cut: Which of them a larger, fresher crater cuts.
        least_relief: Below this the elevation model shows no hollow.
    """
    one = scene.tally()
    flat = relief < least_relief
    causes = (
        ("no hollow in the elevation model", flat),
        ("cut by the rim of a larger, fresher crater", cut & ~flat),
        ("shallow in the catalogue, depth/diameter < 0.05", ~cut & ~flat & (scene.catalogue.depth_ratio < 0.05)),
    )
    rest = ~flat & ~cut & ~(scene.catalogue.depth_ratio < 0.05)
    missed = one.truth & ~one.found
    rows: list[Row] = []
    for name, chosen in (*causes, ("none of these", rest)):
        total, lost = int((one.truth & chosen).sum()), int((missed & chosen).sum())
        rows.append(
            {
                "least_diameter_m": scene.ground.least_m,
                "doubt": name,
                "craters": total,
                "missed": lost,
                "share_missed": lost / total if total else None,
                "share_of_misses": lost / int(missed.sum()) if missed.any() else None,
            }
        )
    return rows


def candidates(detections: Detections, relief: Floats, least_relief: float) -> Mask:
    """Return the accepted detections on covered ground without a partner whose ground is hollow."""
    return np.asarray(
        detections.accepted
        & (detections.partner == NOTHING)
        & (detections.split >= 0)
        & (np.nan_to_num(relief, nan=-1.0) > least_relief)
    )


def with_interval(name: str, value: float | None, within: tuple[float, float] | None) -> Row:
    """Return a value and its interval as three entries of a row."""
    low, high = (None, None) if within is None or value is None else within
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _between(values: Floats, low: float, high: float) -> Mask:
    return np.asarray((values >= low) & (values < high))


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
