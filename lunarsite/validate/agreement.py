"""Selections of cells or sites against regions: shares, enrichments, matched centres, each with its nulls.

A selection that cannot be made, or regions without known ground, give None and the reason, never a number. The module
must not know verdicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon

from lunarsite.grid import Pole, scale_factor, xy_to_lonlat
from lunarsite.settings import ArtemisSettings
from lunarsite.site.place.regions import Region, inside, union
from lunarsite.validate import nulls
from lunarsite.validate.nulls import Null
from lunarsite.validate.population import Population

Floats = NDArray[np.float64]

KNOWN_SHARE = 0.5
"""With less of the regions' area known than this, agreement with them is unknown."""
COMPARABLE_SHARE = 0.5
"""A turn counts only if the turned regions hold at least this share of the known area that they hold unturned."""
MIN_DRAWS = 100
"""With fewer comparable turns the rotation null is unknown."""
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Selection:
    """Chosen cells as indices into the population, or sites as places; neither, with the reason, where there is none.

    Cells count by their true area, sites one each.
    """

    key: str
    name: str
    chosen: NDArray[np.int64] | None
    why: str = ""
    sites: tuple[Floats, Floats] | None = None
    """Map x and y of the sites, metres."""
    baseline: bool = False
    """Whether it is a part of the rule, told for comparison. So many cells hold the base rate in any random choice, so
    that null is not drawn for it."""

    @property
    def count(self) -> int | None:
        """Number of cells or sites; None where they cannot be chosen."""
        if self.sites is not None:
            return int(self.sites[0].size)
        return None if self.chosen is None else int(self.chosen.size)

    def places(self, population: Population) -> tuple[Floats, Floats]:
        """Return map x and y of what was chosen.

        Raises:
            ValueError: Nothing could be chosen.
        """
        if self.sites is not None:
            return self.sites
        if self.chosen is None:
            raise ValueError(f"'{self.name}' cannot be chosen: {self.why}")
        return population.x_m[self.chosen], population.y_m[self.chosen]


@dataclass(frozen=True)
class Agreement:
    """A selection against one set of regions. Numbers are None where data are missing; `why` then says which."""

    selection: Selection
    share: float | None
    base: float | None
    enrichment: float | None
    rotation: Null | None
    random: Null | None
    why: str = ""
    turned: Floats | None = None
    """Share of the selection's area inside the turned regions, by comparable turn."""
    near: Null | None = None
    """The rotation null with near turns only."""


@dataclass(frozen=True)
class Reference:
    """A set of regions laid over the population, and what turning it costs."""

    key: str
    name: str
    population: Population
    regions: tuple[Region, ...]
    angles: Floats
    """All turns, radians in 0..2 pi, ascending."""
    near_angles: Floats = field(default_factory=lambda: np.zeros(0))
    """Near turns, likewise; none where they are not asked for."""

    _drawn: dict[tuple[int, bool, int, int], Floats] = field(default_factory=dict, compare=False)

    def random_shares(self, size: int, by_area: bool, settings: ArtemisSettings) -> Floats:
        """Return the share inside of random choices of `size` cells, (draws,); the same for all choices of a size."""
        key = size, by_area, settings.draws, settings.seed
        if key not in self._drawn:
            weights = self.population.area_m2 if by_area else np.ones(self.population.count)
            self._drawn[key] = nulls.random_shares(weights, self.cell_inside, size, settings.draws, settings.seed)
        return self._drawn[key]

    @cached_property
    def ground(self) -> MultiPolygon:
        """The ground inside any of the regions."""
        return union(self.regions)

    @cached_property
    def cell_inside(self) -> NDArray[np.bool_]:
        """Whether each cell of the population lies inside."""
        return inside(self.ground, self.population.x_m, self.population.y_m)

    @cached_property
    def known_share(self) -> float:
        """Share of the regions' area that cells of the population cover, at most 1."""
        population, held = self.population, self.cell_inside
        scale = scale_factor(population.x_m[held], population.y_m[held])
        on_map_m2 = float((population.area_m2[held] * scale**2).sum())
        return min(1.0, on_map_m2 / self.ground.area) if self.ground.area else 0.0

    @cached_property
    def base(self) -> float | None:
        """Share of the population's area inside; None if too little of the regions is known."""
        area = self.population.area_m2
        if self.known_share < KNOWN_SHARE:
            return None
        return float(area[self.cell_inside].sum() / area.sum())

    @property
    def why(self) -> str:
        """Why the regions cannot be compared with, or nothing."""
        known = f"only {100 * self.known_share:.2g} % of these regions' area is known"
        return "" if self.base else f"{known}, {100 * KNOWN_SHARE:g} % are needed"

    def turned_shares(self, x_m: Floats, y_m: Floats, weight: Floats) -> tuple[Floats, Floats]:
        """Return the share of places' weight inside the turned regions, by angle: all turns, and near turns."""
        both = np.concatenate([self.angles, self.near_angles])
        order = np.argsort(both, kind="stable")
        held = np.empty(both.size)
        held[order] = nulls.weight_inside(self.ground, x_m, y_m, weight, both[order]) / weight.sum()
        return held[: self.angles.size], held[self.angles.size :]

    @cached_property
    def _turned_bases(self) -> tuple[Floats, Floats]:
        return self.turned_shares(self.population.x_m, self.population.y_m, self.population.area_m2)

    @property
    def turned_base(self) -> Floats:
        """Share of the population's area inside the turned regions, by angle."""
        return self._turned_bases[0]

    @property
    def near_base(self) -> Floats:
        """The same by near turn."""
        return self._turned_bases[1]

    @property
    def comparable(self) -> NDArray[np.bool_]:
        """Which turns leave enough known area inside the regions to compare with."""
        return self.is_comparable(self.turned_base)

    def is_comparable(self, turned_base: Floats) -> NDArray[np.bool_]:
        """Which turns with these shares of the population's area leave enough of it inside the regions."""
        return np.asarray(turned_base >= COMPARABLE_SHARE * (self.base or 0.0))


def select_baselines(population: Population, prefix: str = "") -> list[Selection]:
    """Return the cells that pass each limit of the rule alone, and those that pass Earth view and light."""
    slope, light, earth = population.margins >= 0.0
    found = []
    for key, name, passing in (
        ("slope", "all that pass the slope limit alone", slope),
        ("light", "all that pass the light limit alone", light),
        ("earth", "all that pass the Earth-view limit alone", earth),
        ("earth_and_light", "all that pass Earth view and light", earth & light),
    ):
        cells = np.flatnonzero(passing)
        why = "" if cells.size else "no cell passes it"
        found.append(Selection(f"{prefix}{key}", name, cells if cells.size else None, why, baseline=True))
    return found


def select(population: Population, sizes: Sequence[int], prefix: str = "") -> list[Selection]:
    """Return the selections of cells: the best for each size, and all that pass the rule.

    The best are taken by score, where there is one, by Monte Carlo probability and by the rule's margin. `prefix` goes
    before the keys.
    """
    found = []
    for size in sorted(set(sizes)):
        for key, name, order in (
            ("top", "best by score", population.by_score),
            ("probability", "most probable", population.by_probability),
            ("rule", "best by rule margin", population.by_rule),
        ):
            if order is None:
                continue
            # A choice of nearly everything says nothing; the margin of two leaves the nulls something to choose from.
            enough = 2 * size <= order.size
            why = "" if enough else f"only {order.size} cells have known inputs, {2 * size} are needed"
            found.append(Selection(f"{prefix}{key}_{size}", f"{size} {name}", order[:size] if enough else None, why))
    passing = np.flatnonzero(population.suitable)
    why = "" if passing.size else "no cell passes the rule"
    found.append(Selection(f"{prefix}suitable", "all that pass the rule", passing if passing.size else None, why))
    return found


def select_sites(x_m: Floats, y_m: Floats, sizes: Sequence[int]) -> list[Selection]:
    """Return the best sites at each size and all of them; places in map metres come best first."""
    found = []
    for size in sorted(set(sizes)):
        enough = size <= x_m.size
        why = "" if enough else f"the run has {x_m.size} sites, {size} are needed"
        places = (x_m[:size], y_m[:size]) if enough else None
        found.append(Selection(f"sites_{size}", f"{size} best sites", None, why, places))
    some = x_m.size > 0
    why = "" if some else "the run has no site"
    found.append(Selection("sites", "all sites", None, why, (x_m, y_m) if some else None))
    return found


def agree(reference: Reference, selection: Selection, settings: ArtemisSettings) -> Agreement:
    """Return how much of a selection's area lies in the regions, and how much chance would put there."""
    population = reference.population
    if selection.count is None:
        return Agreement(selection, None, reference.base, None, None, None, selection.why)
    if not reference.base:
        return Agreement(selection, None, None, None, None, None, reference.why)
    places = selection.places(population)
    area = np.ones(selection.count) if selection.chosen is None else population.area_m2[selection.chosen]
    held = inside(reference.ground, *places)
    share = float(area[held].sum() / area.sum())
    turned, near_turned = reference.turned_shares(*places, area)
    enrichment = share / reference.base
    # Sites are few: an equal count must tie with itself, though the turned regions hold some cells more.
    most_base = np.inf if selection.sites is None else reference.base
    rotation, why = _turned_null(reference, enrichment, turned, reference.turned_base, most_base, "turns")
    near, why_near = None, ""
    if reference.near_angles.size:
        near, why_near = _turned_null(reference, enrichment, near_turned, reference.near_base, most_base, "near turns")
    random = None
    if not selection.baseline and selection.count <= population.count:
        by_chance = reference.random_shares(selection.count, selection.sites is None, settings)
        random = nulls.compare(enrichment, by_chance / reference.base)
    whys = "; ".join(reason for reason in (why, why_near) if reason)
    kept = turned[reference.comparable]
    return Agreement(selection, share, reference.base, enrichment, rotation, random, whys, kept, near)


def _turned_null(
    reference: Reference, enrichment: float, turned: Floats, base: Floats, most_base: float, name: str
) -> tuple[Null | None, str]:
    """Return how an enrichment stands among those after comparable turns; None and the reason if they are too few.

    Args:
        reference: The regions.
        enrichment: That of the selection unturned.
        turned: Share of the selection inside the turned regions, by turn.
        base: Share of the known area inside the turned regions, by turn.
        most_base: No base counts as larger than this.
        name: What the turns are called.
    """
    usable = reference.is_comparable(base)
    if usable.sum() < MIN_DRAWS:
        return None, f"only {int(usable.sum())} of {usable.size} {name} stay on known ground; {MIN_DRAWS} are needed"
    return nulls.compare(enrichment, turned[usable] / np.minimum(base[usable], most_base)), ""


@dataclass(frozen=True)
class Gain:
    """Share of one selection inside the regions less that of another, beside the same after turning both together.

    `null.p` is for a gain as large as `value` by chance, `p_loss` for one as small.
    """

    value: float
    null: Null
    p_loss: float


def gain_of(one: Agreement, other: Agreement) -> Gain | None:
    """Return the gain in share of `one` over `other`, with its paired rotation null; None where either is unknown.

    Both selections are turned by the same angles, so what they have in common cancels.
    """
    if one.share is None or other.share is None or one.rotation is None or other.rotation is None:
        return None
    if one.turned is None or other.turned is None:
        return None
    value, turned = one.share - other.share, one.turned - other.turned
    # Equal selections in another order differ by rounding alone.
    value = 0.0 if abs(value) < _ROUNDING else value
    return Gain(value, nulls.compare(value, turned), nulls.compare(-value, -turned).p)


@dataclass(frozen=True)
class Match:
    """How many regions a selection 'matches', and how many chance does."""

    selection: Selection
    matched: int | None
    regions: int
    random: Null | None
    rotation: Null | None
    why: str = ""


def match(
    population: Population,
    regions: Sequence[Region],
    selection: Selection,
    settings: ArtemisSettings,
    angles: Floats,
) -> Match:
    """Return how many region centres a selection comes near to, and how many chance would."""
    if selection.chosen is None:
        return Match(selection, None, len(regions), None, None, selection.why)
    centres = np.array([(region.outline.centroid.x, region.outline.centroid.y) for region in regions])
    pole: Pole = "south" if population.lat_deg[0] < 0 else "north"
    centres_deg = np.column_stack(xy_to_lonlat(centres[:, 0], centres[:, 1], pole))
    reach_m = 1000.0 * settings.match_km
    near = nulls.near_any(centres_deg, population.lon_deg, population.lat_deg, reach_m)
    # A centre beside the known ground can be matched by nothing, chance included, and is left out.
    reachable = near.any(axis=0)
    if not reachable.any():
        return Match(selection, None, 0, None, None, "no cell with known inputs lies near a region's centre")
    near, centres_deg = near[:, reachable], centres_deg[reachable]
    chosen = selection.chosen
    turned = nulls.matched_by_rotation(
        centres_deg, population.lon_deg[chosen], population.lat_deg[chosen], reach_m, angles
    )
    matched = int(near[chosen].any(axis=0).sum())
    return Match(
        selection,
        matched,
        int(reachable.sum()),
        nulls.compare(matched, nulls.random_matches(near, chosen.size, settings.draws, settings.seed)),
        nulls.compare(matched, turned),
    )
