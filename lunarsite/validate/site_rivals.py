"""Another system's sites: do its scores go with our probability, and which of the two comes closer to the experts?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lunarsite.grid import Pole, lonlat_to_xy
from lunarsite.validate import nulls
from lunarsite.validate.nulls import Null
from lunarsite.validate.site_points import COMPARABLE_SHARE, MIN_DRAWS, Ground, Points, distances_m
from lunarsite.validate.site_tables import PlaceTable, read_places

Floats = NDArray[np.float64]

LEAST_PLACES = 5
"""With fewer places a rank correlation says nothing."""
_TOUCH_M = 1e-3


@dataclass(frozen=True)
class Others:
    """Sites of others on the run's map; `places` is None, with the reason, where none were given."""

    key: str
    name: str
    places: Points | None
    score: Floats | None = None
    repeated: int = 0
    why: str = ""

    def best(self, count: int) -> Points | None:
        """Return the best `count` by score, or all if there are just so many; None where they cannot be told."""
        if self.places is None or len(self.places) < count:
            return None
        if len(self.places) == count:
            return self.places
        if self.score is None:
            return None
        return self.places.take(np.argsort(-self.score, kind="stable")[:count])


def read_others(path: Path | None, key: str, name: str, pole: Pole) -> Others:
    """Return the sites of others that a setting names, or why there are none.

    Raises:
        ArtefactError: The file is not what it must be.
    """
    if path is None:
        return Others(key, name, None, why=f"validation.site.{key} names no table")
    table: PlaceTable = read_places(path, f"validation.site.{key}", pole, scored=key == "rivals")
    return Others(
        key, name, Points(*lonlat_to_xy(table.lon_deg, table.lat_deg, pole)), table.score, repeated=table.repeated
    )


@dataclass(frozen=True)
class Correlation:
    """Spearman's correlation of their scores with our probability at their places; None where it cannot be told."""

    value: float | None
    places: int
    rotation: Null | None
    why: str = ""


def correlate(others: Others, probability: Floats, ground: Ground, angles: Floats) -> Correlation:
    """Return how their scores go with our probability, beside what their turned places give.

    A turn that leads to places of one probability shows no order, and counts as a correlation of 0.

    Args:
        others: Their places and scores.
        probability: Our probability of each cell, (cells,), NaN = unknown.
        ground: The run's cells, and which are known.
        angles: Angles of the rotation null, radians.
    """
    if others.places is None:
        return Correlation(None, 0, None, others.why)
    if others.score is None:
        return Correlation(None, 0, None, "the table has no column 'score'")
    theirs, ours = _paired(others.places, others.score, probability, ground)
    if theirs.size < LEAST_PLACES:
        return Correlation(None, int(theirs.size), None, f"only {theirs.size} of its places lie on known ground")
    value = _spearman(theirs, ours)
    if value is None:
        flat = "its scores are" if np.ptp(theirs) == 0.0 else "our probability is"
        return Correlation(None, int(theirs.size), None, f"{flat} the same at all places")
    draws = []
    for angle in angles:
        turned = _paired(others.places.turned(float(angle)), others.score, probability, ground)
        if turned[0].size >= max(LEAST_PLACES, COMPARABLE_SHARE * theirs.size):
            draws.append(_spearman(*turned) or 0.0)
    if len(draws) < MIN_DRAWS:
        why = f"only {len(draws)} of {angles.size} turns stay on known ground; {MIN_DRAWS} are needed"
        return Correlation(value, int(theirs.size), None, why)
    return Correlation(value, int(theirs.size), nulls.compare(value, np.array(draws)))


def _paired(places: Points, score: Floats, probability: Floats, ground: Ground) -> tuple[Floats, Floats]:
    """Their scores and our probabilities where the places are known."""
    ids = ground.cells.id_at(places.x_m, places.y_m)
    found = np.where(ids >= 0, probability[ids], np.nan)
    known = np.isfinite(found) & ground.is_known(places)
    return score[known], found[known]


def _spearman(one: Floats, other: Floats) -> float | None:
    """Spearman's rank correlation, ties at their mean rank; None if either is constant."""
    if np.ptp(one) == 0.0 or np.ptp(other) == 0.0:
        return None
    return float(stats.spearmanr(one, other).statistic)


@dataclass(frozen=True)
class Duel:
    """How many targets each of two equally many choices reaches, and a sign test of those that only one reaches."""

    ours: int
    theirs: int
    only_ours: int
    only_theirs: int
    p: float
    """Two-sided; targets that both or neither reach do not count (McNemar's test, exact)."""


def duel(targets: Points, ours: Points, theirs: Points, distance_km: float) -> Duel:
    """Return how two choices fare within a distance of the targets."""
    limit_m = 1000.0 * distance_km + _TOUCH_M
    first, second = (distances_m(targets, places).min(axis=1) <= limit_m for places in (ours, theirs))
    alone, other = int((first & ~second).sum()), int((second & ~first).sum())
    p = float(stats.binomtest(alone, alone + other).pvalue) if alone + other else 1.0
    return Duel(int(first.sum()), int(second.sum()), alone, other, p)


def fair_sizes(selected: Sequence[int], rivals: Others) -> list[int]:
    """Return the numbers of sites at which both systems are compared: the run's, and all that the other lists."""
    listed = [] if rivals.places is None else [len(rivals.places)]
    return sorted({*selected, *listed})
