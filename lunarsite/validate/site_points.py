"""How close two sets of places lie to each other, and how close chance would lay them.

One set (the targets: experts' sites, say) stays, the other (the chosen: our sites) is turned about the pole, or
replaced by cells drawn at random. Each turn is treated exactly as what was observed: chosen places that come to lie on
unknown ground, or in regions that are left out, are dropped as they were dropped before turning.

Distances are great circles. The module must not know whose places they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from shapely.geometry import MultiPolygon

from lunarsite.grid import MOON_RADIUS_M, Cells
from lunarsite.site.place.regions import inside
from lunarsite.validate import nulls
from lunarsite.validate.nulls import Null

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

COMPARABLE_SHARE = 0.9
"""A turn counts only if at least this share of the places that are turned stays on known ground. Fewer places come near
to fewer targets, so turns that lose many of them would make chance look worse than it is."""
MIN_DRAWS = 100
"""With fewer comparable turns the rotation null is unknown."""
_TOUCH_M = 1e-3
"""Distances are good to far less than this; a place exactly at the limit counts as within it."""


@dataclass(frozen=True)
class Points:
    """Places in map metres, (n,) each. Distances on the sphere follow from the map alone, at either pole."""

    x_m: Floats
    y_m: Floats

    def __len__(self) -> int:
        return int(self.x_m.size)

    @cached_property
    def unit(self) -> Floats:
        """Unit vectors on the sphere, (n, 3), with the map's pole at +z (Snyder 1987, p. 158)."""
        u, v = self.x_m / (2.0 * MOON_RADIUS_M), self.y_m / (2.0 * MOON_RADIUS_M)
        square = u * u + v * v
        return np.column_stack([2.0 * u, 2.0 * v, 1.0 - square]) / (1.0 + square)[:, None]

    def take(self, kept: Mask | NDArray[np.int64]) -> Points:
        """Return some of the places."""
        return Points(self.x_m[kept], self.y_m[kept])

    def joined(self, other: Points) -> Points:
        """Return these places and others after them."""
        return Points(np.concatenate([self.x_m, other.x_m]), np.concatenate([self.y_m, other.y_m]))

    def turned(self, angle: float) -> Points:
        """Return the places after turning them about the pole, from +x towards +y, radians."""
        cosine, sine = math.cos(angle), math.sin(angle)
        return Points(cosine * self.x_m - sine * self.y_m, sine * self.x_m + cosine * self.y_m)


def distances_m(one: Points, other: Points) -> Floats:
    """Return the great-circle distances between two sets of places, (len(one), len(other)), metres."""
    # Half a chord is the sine of half the angle. Differences of unit vectors keep small distances exact.
    half_chords = np.minimum(0.5 * cdist(one.unit, other.unit), 1.0)
    return np.asarray(2.0 * MOON_RADIUS_M * np.arcsin(half_chords))


@dataclass(frozen=True)
class Ground:
    """Which places count.

    Args:
        cells: The run's cells.
        known: Which of them have every input of the rule, (cells,).
        left_out: Ground on which no place counts, map metres.
    """

    cells: Cells
    known: Mask
    left_out: MultiPolygon = field(default_factory=MultiPolygon)

    def is_known(self, places: Points) -> Mask:
        """Whether each place lies in a cell with known inputs."""
        ids = self.cells.id_at(places.x_m, places.y_m)
        return np.asarray((ids >= 0) & self.known[ids])

    def is_left_out(self, places: Points) -> Mask:
        """Whether each place lies on ground that is left out."""
        return inside(self.left_out, places.x_m, places.y_m)

    def counts(self, places: Points) -> Mask:
        """Whether each place is known and not left out."""
        return self.is_known(places) & ~self.is_left_out(places)


@dataclass(frozen=True)
class Pool:
    """Cells from which chance draws as many places as were chosen, group by group (regions, say).

    Args:
        places: Their centres.
        group: Group of each, (cells,).
        name: What they are, for the reader.
    """

    places: Points
    group: NDArray[np.str_]
    name: str

    def draws(self, wanted: dict[str, int], draws: int, seed: int) -> Iterator[Points]:
        """Yield `draws` random choices without repetition of so many cells of each group."""
        generator = np.random.default_rng(seed)
        members = {name: np.flatnonzero(self.group == name) for name in wanted}
        for _ in range(draws):
            parts = [
                generator.choice(members[name], count, replace=False, shuffle=False) for name, count in wanted.items()
            ]
            yield self.places.take(np.concatenate(parts))

    def lacks(self, wanted: dict[str, int]) -> str:
        """Why so many cells cannot be drawn with something left to choose from, or nothing."""
        for name, count in wanted.items():
            found = int((self.group == name).sum())
            if found < 2 * count:
                return f"only {found} {self.name}{f' in {name}' if name else ''}, {2 * count} are needed"
        return ""


@dataclass(frozen=True)
class Chosen:
    """A choice of places that is set against the targets. `places` is None, with the reason, where it cannot be made.

    `group` names the group of the random null's pool that each place stands for, (n,).
    """

    key: str
    name: str
    places: Points | None
    group: NDArray[np.str_] | None = None
    pool: Pool | None = None
    why: str = ""


@dataclass(frozen=True)
class Finding:
    """One measure of one choice, with what chance gives. None where data are missing; `why` then says which."""

    measure: str
    distance_km: float | None
    value: float | None
    rotation: Null | None
    random: Null | None
    why: str = ""


RECALL, PRECISION = "recall", "precision"
TO_CHOSEN, TO_TARGET = "median_target_to_site_km", "median_site_to_target_km"


def measures(distances_km: Sequence[float]) -> list[tuple[str, float | None]]:
    """Return the measures that `measured` takes, in its order, as (name, distance)."""
    by_distance = [(name, km) for name in (RECALL, PRECISION) for km in distances_km]
    return [*by_distance, (TO_CHOSEN, None), (TO_TARGET, None)]


def measured(targets: Points, chosen: Points, distances_km: Sequence[float]) -> Floats:
    """Return recall and precision at each distance and the median distances both ways (km); NaN if a set is empty.

    Recall is the share of targets with a chosen place within the distance, precision the share of chosen places with a
    target within it.
    """
    if not len(targets) or not len(chosen):
        return np.full(2 * len(distances_km) + 2, np.nan)
    apart = distances_m(targets, chosen)
    of_targets, of_chosen = apart.min(axis=1), apart.min(axis=0)
    limits = 1000.0 * np.asarray(distances_km) + _TOUCH_M
    shares = [(nearest[None, :] <= limits[:, None]).mean(axis=1) for nearest in (of_targets, of_chosen)]
    medians = [[float(np.median(nearest)) / 1000.0] for nearest in (of_targets, of_chosen)]
    return np.concatenate([*shares, *medians])


def turned(targets: Points, chosen: Points, ground: Ground, distances_km: Sequence[float], angles: Floats) -> Floats:
    """Return the measures after turning the chosen places by each comparable angle, (turns, measures)."""
    found = []
    for angle in angles:
        places = chosen.turned(float(angle))
        known = ground.is_known(places)
        if known.mean() < COMPARABLE_SHARE:
            continue
        values = measured(targets, places.take(known & ~ground.is_left_out(places)), distances_km)
        if np.isfinite(values).all():
            found.append(values)
    return np.array(found).reshape(-1, 2 * len(distances_km) + 2)


def agree(
    targets: Points,
    chosen: Chosen,
    ground: Ground,
    distances_km: Sequence[float],
    draws: tuple[Floats, int, int],
) -> list[Finding]:
    """Return every measure of a choice against the targets, with its nulls.

    Args:
        targets: Places that stay; those that do not count on `ground` are left out.
        chosen: Places that are turned, and what chance may draw in their stead.
        ground: Which places count.
        distances_km: Distances of recall and precision.
        draws: Angles of the rotation null (radians), number of draws of the random null, its seed.
    """
    names = measures(distances_km)
    targets = targets.take(ground.counts(targets))
    if chosen.places is None or not len(targets):
        why = chosen.why or "none of these places lies on known ground of this run"
        return [Finding(name, km, None, None, None, why) for name, km in names]
    known = ground.is_known(chosen.places)
    places = chosen.places.take(known)
    kept = ~ground.is_left_out(places)
    observed = measured(targets, places.take(kept), distances_km)
    if not kept.any():
        return [Finding(name, km, None, None, None, "none of the sites counts here") for name, km in names]
    angles, count, seed = draws
    by_turning = turned(targets, places, ground, distances_km, angles)
    why = ""
    if len(by_turning) < MIN_DRAWS:
        why = f"only {len(by_turning)} of {angles.size} turns stay on known ground; {MIN_DRAWS} are needed"
    group = None if chosen.group is None else chosen.group[known][kept]
    by_chance, why_not = _by_chance(targets, chosen.pool, group, distances_km, count, seed)
    return [
        Finding(
            name,
            km,
            float(value),
            None if why else _null(name, float(value), by_turning[:, column]),
            None if by_chance is None else _null(name, float(value), by_chance[:, column]),
            "; ".join(reason for reason in (why, why_not) if reason),
        )
        for column, ((name, km), value) in enumerate(zip(names, observed, strict=True))
    ]


def _by_chance(
    targets: Points,
    pool: Pool | None,
    group: NDArray[np.str_] | None,
    distances_km: Sequence[float],
    draws: int,
    seed: int,
) -> tuple[Floats | None, str]:
    """Return the measures of random choices, (draws, measures), or None and why there are none.

    `group` is the group of each chosen place that counts.
    """
    if pool is None or group is None:
        return None, "there are no cells to draw from"
    names, counts = np.unique(group, return_counts=True)
    wanted = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
    lacking = pool.lacks(wanted)
    if lacking:
        return None, lacking
    drawn = pool.draws(wanted, draws, seed)
    return np.array([measured(targets, places, distances_km) for places in drawn]), ""


def _null(name: str, value: float, draws: Floats) -> Null:
    return (nulls.compare_small if name in (TO_CHOSEN, TO_TARGET) else nulls.compare)(value, draws)
