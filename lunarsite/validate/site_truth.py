"""The synthetic Moon's massifs that were built gentle: do sites lie on them?

A massif that was built gentle may still be too dark, too steep by younger craters, or out of the Earth's sight. Only
one that holds a cell which passes the rule can be found, so recall is of those, and the others are told with the
limit that fails there. Chance is the massifs turned about the pole under the same sites and cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from scipy.spatial import cKDTree

from lunarsite.artefact import ArtefactError
from lunarsite.grid import MOON_RADIUS_M
from lunarsite.settings import RuleSettings
from lunarsite.validate import nulls
from lunarsite.validate.limits import failing, reason
from lunarsite.validate.nulls import Null
from lunarsite.validate.site_points import COMPARABLE_SHARE, MIN_DRAWS, Ground, Points, distances_m

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rows = list[dict[str, JsonValue]]

_TOUCH_M = 1e-3


@dataclass(frozen=True)
class Massifs:
    """Ground that was built gentle: its name, the middle of its summit, and the summit's radius in true metres."""

    names: tuple[str, ...]
    middle: Points
    radius_m: Floats

    def take(self, kept: Mask) -> Massifs:
        """Return some of them."""
        return Massifs(
            tuple(name for name, keep in zip(self.names, kept, strict=True) if keep),
            self.middle.take(kept),
            self.radius_m[kept],
        )

    def turned(self, angle: float) -> Massifs:
        """Return them after a turn about the pole."""
        return Massifs(self.names, self.middle.turned(angle), self.radius_m)


def read_massifs(path: Path, rows: Sequence[Mapping[str, Any]]) -> Massifs:
    """Return the massifs of the source's table `good_ground`.

    Raises:
        ArtefactError: A row lacks its name, place or diameter.
    """
    try:
        columns = [[float(row[name]) for row in rows] for name in ("x_m", "y_m", "diameter_m")]
        names = tuple(str(row["name"]) for row in rows)
    except (KeyError, TypeError, ValueError) as error:
        raise ArtefactError(
            f"{path}: a row of 'good_ground' lacks name, x_m, y_m or diameter_m ({error!r}); rerun the stage that wrote"
            " it"
        ) from error
    x_m, y_m, diameter_m = (np.array(column, dtype=np.float64) for column in columns)
    return Massifs(names, Points(x_m, y_m), 0.5 * diameter_m)


@dataclass(frozen=True)
class Terrain:
    """What the run says of its cells, (cells,) each but for the margins.

    Args:
        ground: Known cells.
        centres: Middles of all cells.
        area_m2: True areas.
        passing: Which cells pass the rule, by the rule's name; that of the scorer first.
        margins: Margins of the scorer's rule, (3, cells).
        probability: Monte Carlo probability of the scorer's rule, NaN where unknown.
    """

    ground: Ground
    centres: Points
    area_m2: Floats
    passing: dict[str, Mask]
    margins: Floats
    probability: Floats


@dataclass(frozen=True)
class Recovery:
    """How well one choice of sites (or cells) finds the massifs. None where it cannot be told; `why` says why."""

    name: str
    chosen: int
    recall: float | None
    recall_null: Null | None
    precision: float | None = None
    precision_null: Null | None = None
    median_km: float | None = None
    median_null: Null | None = None
    why: str = ""


@dataclass(frozen=True)
class Offer:
    """Which massifs hold cells that pass: on their summits, and within a cell of them."""

    cells: NDArray[np.int64]
    known: Mask
    on_summit: dict[str, NDArray[np.int64]]
    within_cell: NDArray[np.int64]
    best_probability: Floats
    why: tuple[str, ...]

    @property
    def offering(self) -> Mask:
        """Massifs with at least one passing cell of the scorer's rule on the summit."""
        return np.asarray(next(iter(self.on_summit.values())) > 0)


def offers(massifs: Massifs, terrain: Terrain, rule: RuleSettings) -> Offer:
    """Return what the rule finds on each massif; cells are held by the summit that their middle lies on."""
    cell_m = terrain.ground.cells.cell_m
    apart = distances_m(massifs.middle, terrain.centres)
    held = apart <= massifs.radius_m[:, None] + _TOUCH_M
    near = apart <= (massifs.radius_m + cell_m)[:, None] + _TOUCH_M
    known = held & terrain.ground.known
    first = next(iter(terrain.passing.values()))
    probability = np.nan_to_num(terrain.probability, nan=0.0)
    return Offer(
        cells=held.sum(axis=1),
        known=np.asarray(known.any(axis=1)),
        on_summit={name: (held & passing).sum(axis=1) for name, passing in terrain.passing.items()},
        within_cell=(near & first).sum(axis=1),
        best_probability=np.where(known.any(axis=1), np.where(known, probability, 0.0).max(axis=1), np.nan),
        why=tuple(reason(failing(terrain.margins, terrain.area_m2, one), rule) for one in held),
    )


def recover(name: str, massifs: Massifs, offering: Mask, sites: Points, ground: Ground, angles: Floats) -> Recovery:
    """Return recall and median distance of the massifs that offer good ground, and the sites' precision on any massif.

    A site is on a massif if it lies on its summit or within one cell of it. The massifs are turned; those that come to
    lie on unknown ground are dropped, and a turn that drops more than a tenth of them does not count.
    """
    if not len(sites):
        return Recovery(name, 0, 0.0 if offering.any() else None, None, why="there are no sites")
    recall, median_km = _found(massifs.take(offering), sites, ground)
    precision = _precision(massifs, sites, ground)
    by_turn = []
    for angle in angles:
        turned = massifs.turned(float(angle))
        known = ground.is_known(turned.middle)
        if known.mean() < COMPARABLE_SHARE or (offering.any() and not (known & offering).any()):
            continue
        found = _found(turned.take(known & offering), sites, ground)
        by_turn.append((*found, _precision(turned.take(known), sites, ground)))
    draws = np.array(by_turn).reshape(-1, 3)
    enough, some = len(draws) >= MIN_DRAWS, bool(offering.any())
    why = "" if enough else f"only {len(draws)} of {angles.size} turns stay on known ground; {MIN_DRAWS} are needed"
    return Recovery(
        name,
        len(sites),
        recall if some else None,
        nulls.compare(recall, draws[:, 0]) if enough and some else None,
        precision,
        nulls.compare(precision, draws[:, 2]) if enough else None,
        median_km if some else None,
        nulls.compare_small(median_km, draws[:, 1]) if enough and some else None,
        why if some else "no massif holds a cell that passes the rule",
    )


def recover_by_cells(massifs: Massifs, passing: Points, ground: Ground, angles: Floats) -> Recovery:
    """Return the share of all massifs with a passing cell on or within a cell of their summit, with its null."""
    name = "all cells that pass the rule"
    if not len(passing):
        return Recovery(name, 0, 0.0, None, why="no cell passes the rule")
    tree = cKDTree(passing.unit)

    def share(some: Massifs) -> float:
        chords, _ = tree.query(some.middle.unit)
        apart_m = 2.0 * MOON_RADIUS_M * np.arcsin(np.minimum(0.5 * chords, 1.0))
        return float((apart_m <= some.radius_m + ground.cells.cell_m + _TOUCH_M).mean())

    draws = []
    for angle in angles:
        turned = massifs.turned(float(angle))
        known = ground.is_known(turned.middle)
        if known.mean() >= COMPARABLE_SHARE:
            draws.append(share(turned.take(known)))
    if len(draws) < MIN_DRAWS:
        why = f"only {len(draws)} of {angles.size} turns stay on known ground; {MIN_DRAWS} are needed"
        return Recovery(name, len(passing), share(massifs), None, why=why)
    return Recovery(name, len(passing), share(massifs), nulls.compare(share(massifs), np.array(draws)))


def _found(massifs: Massifs, sites: Points, ground: Ground) -> tuple[float, float]:
    """Share of the massifs with a site on them, and the median distance (km) from their middles to the nearest site."""
    if not len(massifs.middle):
        return 0.0, 0.0
    nearest_m = distances_m(massifs.middle, sites).min(axis=1)
    reach_m = massifs.radius_m + ground.cells.cell_m + _TOUCH_M
    return float((nearest_m <= reach_m).mean()), float(np.median(nearest_m)) / 1000.0


def _precision(massifs: Massifs, sites: Points, ground: Ground) -> float:
    """Share of the sites that lie on a massif."""
    reach_m = massifs.radius_m + ground.cells.cell_m + _TOUCH_M
    return float((distances_m(massifs.middle, sites) <= reach_m[:, None]).any(axis=0).mean())


def massif_rows(massifs: Massifs, offer: Offer, sites: Points, cell_m: float) -> Rows:
    """Return a row for each massif: what it offers, and the nearest site. `sites` come best first."""
    apart = distances_m(massifs.middle, sites)
    rows: Rows = []
    for index, name in enumerate(massifs.names):
        reach_m = float(massifs.radius_m[index]) + cell_m + _TOUCH_M
        nearest = int(apart[index].argmin()) if len(sites) else None
        on_it = np.flatnonzero(apart[index] <= reach_m)
        row: dict[str, JsonValue] = {
            "massif": name,
            "summit_km": 2e-3 * float(massifs.radius_m[index]),
            "cells": int(offer.cells[index]),
            **{f"passing_{rule}": int(found[index]) for rule, found in offer.on_summit.items()},
            "passing_within_a_cell": int(offer.within_cell[index]),
            "best_probability": float(offer.best_probability[index]) if offer.known[index] else None,
            "offers_good_ground": bool(offer.offering[index]) if offer.known[index] else None,
            "has_site": bool(on_it.size),
            "best_site_rank": int(on_it[0]) + 1 if on_it.size else None,
            "nearest_site_km": None if nearest is None else float(apart[index, nearest]) / 1000.0,
            "nearest_site_rank": None if nearest is None else nearest + 1,
            "why_not": _why_not(offer, index, found=bool(on_it.size)),
        }
        rows.append(row)
    return rows


def _why_not(offer: Offer, index: int, *, found: bool) -> str:
    """Why a massif has no site, or offers no good ground though it has one; nothing where there is nothing to say."""
    if not offer.offering[index]:
        return offer.why[index]
    return "" if found else "it offers good ground, but no listed site lies on it"
