"""Hits, misses and false alarms of detected craters, by split and least diameter.

The rule of counting. Detections that count (the accepted ones, or all at or above a score) are matched one to one with
the whole catalogue. For a split's ground and a least diameter,

- a catalogue crater counts if its centre lies on the ground and its diameter is at least the least one: it is a **hit**
  if it has a partner, a **miss** otherwise;
- a detection is a **false alarm** if its centre lies on the ground, its diameter is at least the least one, and no
  catalogue crater of any size or place is its partner;
- a detection so near to the border of what the catalogue covers that its partner could lie beyond is no false alarm;
- a detection whose partner does not count (smaller than the least diameter, or centred beyond the ground) is neutral.

So an edge of size or place costs nobody anything. The strict variant, which cuts both sides at the least diameter
before matching, is told beside it: there a crater of 3.1 km that was measured as 2.9 km is a miss. This module must not
know where detections come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lunarsite.grid import MOON_RADIUS_M, in_sector
from lunarsite.settings import CatalogueSettings, SplitSettings
from lunarsite.vision.crater.matching import NOTHING, Circles, Pairs, admissible, assign

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

SPLITS = ("training", "validation", "test")
BEYOND = -1
"""Split of places that the catalogue does not cover, that the map has no height of, or beyond the latitude limit."""
_MOST_THRESHOLDS = 120


def split_of(
    lon_deg: Floats,
    lat_deg: Floats,
    known: Mask,
    latitude_limit_deg: float,
    coverage: CatalogueSettings,
    split: SplitSettings,
) -> Ints:
    """Return which split's ground each place lies on, as an index into `SPLITS`, or `BEYOND`.

    Args:
        lon_deg: Longitudes.
        lat_deg: Latitudes.
        known: Whether the map has a height there.
        latitude_limit_deg: Absolute latitude from which on ground counts.
        coverage: What the catalogue covers.
        split: Sectors of validation and test.
    """
    found = np.zeros(lon_deg.size, dtype=np.int64)
    found[in_sector(lon_deg, split.validation_lon_deg)] = SPLITS.index("validation")
    found[in_sector(lon_deg, split.test_lon_deg)] = SPLITS.index("test")
    found[~in_sector(lon_deg, coverage.lon_deg) | ~known | (np.abs(lat_deg) < latitude_limit_deg)] = BEYOND
    return found


def from_border_m(lon_deg: Floats, lat_deg: Floats, coverage: CatalogueSettings) -> Floats:
    """Return the distance along the surface to the nearest border of the covered sector; infinite where it has none.

    A detection near a border may be of a crater whose centre lies beyond it, which the catalogue need not hold.
    """
    nearest = np.full(lon_deg.size, np.inf)
    if (coverage.lon_deg[1] - coverage.lon_deg[0]) % 360.0 == 0.0:
        return nearest
    colatitude = np.radians(90.0 - np.abs(lat_deg))
    for border in coverage.lon_deg:
        away = np.radians(lon_deg - border)
        # A border is half a great circle: behind the pole the pole itself is its nearest point.
        angle = np.where(np.cos(away) > 0.0, np.arcsin(np.sin(colatitude) * np.abs(np.sin(away))), colatitude)
        nearest = np.minimum(nearest, MOON_RADIUS_M * angle)
    return nearest


@dataclass(frozen=True)
class Catalogue:
    """The catalogue's craters: circles, depth over diameter (NaN: not measured) and split; each (n,)."""

    circles: Circles
    depth_ratio: Floats
    split: Ints


@dataclass(frozen=True)
class Detections:
    """One detector's craters: circles, score, whether accepted, split, and the pairs they could form; each (n,)."""

    name: str
    circles: Circles
    score: Floats
    accepted: Mask
    split: Ints
    pairs: Pairs
    truths: int
    """Number of craters in the catalogue that the pairs point into."""

    @cached_property
    def partner(self) -> Ints:
        """Partner of each accepted detection in the catalogue."""
        return self.matched(self.accepted)

    def matched(self, chosen: Mask) -> Ints:
        """Return the partners when only the chosen detections exist."""
        return assign(self.pairs.of(chosen), len(self.circles), self.truths)


@dataclass(frozen=True)
class Ground:
    """What is counted: one split, from one diameter (metres) on up to the largest that is looked for."""

    split: int
    least_m: float
    largest_m: float

    def truths(self, catalogue: Catalogue) -> Mask:
        """Return which catalogue craters count."""
        diameter_m = catalogue.circles.diameter_m
        large = (diameter_m >= self.least_m) & (diameter_m <= self.largest_m)
        return np.asarray(large & (catalogue.split == self.split))


@dataclass(frozen=True)
class Tally:
    """Who counts as what: `truth` and `found` over the catalogue, `hit` and `false_alarm` over the detections."""

    truth: Mask
    found: Mask
    """Of the catalogue craters that count, those that have a partner."""
    hit: Mask
    false_alarm: Mask
    partner: Ints

    @property
    def counts(self) -> Floats:
        """Hits, false alarms, misses."""
        hits = int(self.found.sum())
        return np.array([hits, int(self.false_alarm.sum()), int(self.truth.sum()) - hits], dtype=np.float64)


def tally(detections: Detections, catalogue: Catalogue, ground: Ground, chosen: Mask, partner: Ints) -> Tally:
    """Count by the rule above.

    Args:
        detections: A detector's craters.
        catalogue: The catalogue.
        ground: What is counted.
        chosen: The detections that exist.
        partner: Their partners, as `Detections.matched(chosen)` gives them.
    """
    truth = ground.truths(catalogue)
    paired = chosen & (partner != NOTHING)
    hit = np.zeros_like(chosen)
    hit[paired] = truth[partner[paired]]
    found = np.zeros_like(truth)
    found[partner[hit]] = True
    large = (detections.circles.diameter_m >= ground.least_m) & (detections.split == ground.split)
    return Tally(truth, found, hit, np.asarray(chosen & ~paired & large), partner)


def squares(one: Tally, detections: Detections, catalogue: Catalogue, blocks: Blocks) -> tuple[Ints, Ints, Ints]:
    """Return the squares of hits, false alarms and misses: a hit lies where the catalogue's crater lies."""
    truth = blocks.ids(catalogue.circles)
    own = blocks.ids(detections.circles)
    return truth[one.found], own[one.false_alarm], truth[one.truth & ~one.found]


def strict_tally(detections: Detections, catalogue: Catalogue, ground: Ground) -> Tally:
    """Count with both sides cut at the least diameter and the ground's edge before they are matched."""
    truth = ground.truths(catalogue)
    large = (detections.circles.diameter_m >= ground.least_m) & (detections.split == ground.split)
    chosen = detections.accepted & large
    pairs = detections.pairs.of(chosen)
    kept = truth[pairs.truth]
    pairs = Pairs(pairs.detection[kept], pairs.truth[kept], pairs.distance_m[kept], pairs.cost[kept])
    partner = assign(pairs, len(detections.circles), detections.truths)
    return tally(detections, catalogue, ground, chosen, partner)


def rates(counts: Floats) -> Floats:
    """Return precision, recall and F1 of hits, false alarms and misses, along the last axis; NaN where undefined."""
    hits, false_alarms, misses = np.moveaxis(counts, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, recall = hits / (hits + false_alarms), hits / (hits + misses)
        f1 = 2.0 * hits / (2.0 * hits + false_alarms + misses)
    # Without any crater in the catalogue nothing is measured, whatever was detected.
    f1 = np.where(hits + misses > 0.0, f1, np.nan)
    return np.stack([np.where(hits + misses > 0.0, precision, np.nan), recall, f1], axis=-1)


@dataclass(frozen=True)
class Blocks:
    """Squares of the map that the bootstrap draws; every detector of a comparison is drawn with the same squares."""

    side_m: float
    draws: int
    seed: int

    def ids(self, places: Circles) -> Ints:
        """Return the number of the square that holds each centre."""
        col, row = (np.floor(axis / self.side_m).astype(np.int64) for axis in (places.x_m, places.y_m))
        return row * 1_000_003 + col

    def drawn(self, rows: Sequence[Sequence[Ints]]) -> Floats:
        """Return counts of each draw, (rows, draws, kinds), from the squares of what is counted.

        Args:
            rows: For each row (detector, bin) the same number of arrays of squares, such as hits', false alarms',
                misses'. All rows are drawn with the same squares.
        """
        squares = np.unique(np.concatenate([part for row in rows for part in row]))
        if squares.size == 0:
            return np.zeros((len(rows), self.draws, len(rows[0])))
        per_square = np.array(
            [[np.bincount(np.searchsorted(squares, part), minlength=squares.size) for part in row] for row in rows],
            dtype=np.float64,
        )
        generator = np.random.default_rng(self.seed)
        weights = generator.multinomial(squares.size, np.full(squares.size, 1.0 / squares.size), size=self.draws)
        return np.asarray(np.einsum("ds,tks->tdk", weights.astype(np.float64), per_square, optimize=True))


def interval(draws: Floats) -> tuple[float, float] | None:
    """Return the 2.5 and 97.5 % points of the draws; None if one of 20 of them or more is undefined."""
    known = draws[np.isfinite(draws)]
    if known.size < 0.95 * draws.size or known.size == 0:
        return None
    low, high = np.quantile(known, (0.025, 0.975))
    return float(low), float(high)


def curve(detections: Detections, catalogue: Catalogue, grounds: list[Ground]) -> list[tuple[Floats, Floats]]:
    """Return scores (descending) and counts (thresholds, 3) at or above each, for each ground.

    Detections are matched anew at every threshold, so a point is what that threshold would have given.
    """
    scores = np.unique(detections.score)[::-1]
    if scores.size > _MOST_THRESHOLDS:
        # Evenly by the number of detections; the least and the greatest score stay.
        ordered = np.sort(detections.score)[::-1]
        at = np.unique(np.linspace(0, ordered.size - 1, _MOST_THRESHOLDS).round().astype(np.int64))
        scores = np.unique(ordered[at])[::-1]
    rows: list[list[Floats]] = [[] for _ in grounds]
    for score in scores:
        chosen = detections.score >= score
        partner = detections.matched(chosen)
        for row, ground in zip(rows, grounds, strict=True):
            row.append(tally(detections, catalogue, ground, chosen, partner).counts)
    return [(scores, np.array(row).reshape(-1, 3)) for row in rows]


def average_precision(counts: Floats) -> float:
    """Return the area under precision over recall as a sum of steps, from counts by descending score; NaN if none."""
    if counts.size == 0:
        return float("nan")
    precision, recall, _ = np.moveaxis(rates(counts), -1, 0)
    steps = np.diff(recall, prepend=0.0)
    # Before the first detection that counts, precision is undefined and recall is zero.
    return float(np.sum(np.where(steps > 0.0, precision * steps, 0.0))) if np.isfinite(recall).all() else float("nan")


def prepared(
    name: str,
    circles: Circles,
    score: Floats,
    accepted: Mask,
    split: Ints,
    catalogue: Catalogue,
    tolerances: tuple[float, float],
) -> Detections:
    """Return a detector's craters with the pairs that they could form with the catalogue's."""
    pairs = admissible(circles, catalogue.circles, *tolerances)
    return Detections(name, circles, score, accepted, split, pairs, len(catalogue.circles))
