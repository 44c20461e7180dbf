"""The comparison region by region: what was chosen inside each, what chance puts there, and why nothing was.

The null of a region turns it alone about the pole, so it asks how often ground of that shape at that latitude holds as
many of the chosen cells or sites. Nine regions at several sizes are many comparisons; at 5 % one in twenty stands out
by chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import JsonValue

from lunarsite.settings import RuleSettings
from lunarsite.site.place.regions import Region, inside
from lunarsite.validate import nulls
from lunarsite.validate.agreement import MIN_DRAWS, Agreement, Floats, Reference, Selection
from lunarsite.validate.limits import Failing, failing, reason
from lunarsite.validate.null_rows import P_BOUND, null_row
from lunarsite.validate.nulls import Null
from lunarsite.validate.population import Population

Rows = list[dict[str, JsonValue]]


@dataclass(frozen=True)
class Count:
    """How many of a selection lie in one region. None where data are missing; `why` then says which."""

    selection: Selection
    count: int | None
    expected: float | None
    rotation: Null | None
    best: int | None = None
    """Place of the best of them in the selection's order, 1 the best."""
    why: str = ""


@dataclass(frozen=True)
class Counted:
    """One region: its known ground, what fails there, and the counts of all selections by their keys."""

    reference: Reference
    fails: Failing | None
    counts: dict[str, Count]

    @property
    def region(self) -> Region:
        """The region itself."""
        return self.reference.regions[0]

    def rows(self) -> Rows:
        """Return a row for each selection."""
        return [
            {
                "region": self.region.name,
                "code": self.region.code,
                "selection": found.selection.name,
                "of": found.selection.count,
                "count": found.count,
                "expected": found.expected,
                "best": found.best,
                **null_row("rotation", found.rotation),
                "why_unknown": found.why,
            }
            for found in self.counts.values()
        ]


def by_region(
    population: Population, regions: Sequence[Region], selections: Sequence[Selection], angles: Floats
) -> list[Counted]:
    """Return the counts of every selection in every region."""
    found = []
    for region in regions:
        reference = Reference(region.code, region.name, population, (region,), angles)
        fails = failing(population.margins, population.area_m2, reference.cell_inside)
        counts = {selection.key: _count(reference, selection) for selection in selections}
        found.append(Counted(reference, fails, counts))
    return found


def _count(reference: Reference, selection: Selection) -> Count:
    if selection.count is None:
        return Count(selection, None, None, None, why=selection.why)
    if not reference.base:
        return Count(selection, None, None, None, why=reference.why)
    x_m, y_m = selection.places(reference.population)
    held = np.flatnonzero(inside(reference.ground, x_m, y_m))
    expected = float(selection.count * reference.base)
    best = int(held[0]) + 1 if held.size and not selection.key.endswith("suitable") else None
    usable = reference.comparable
    if usable.sum() < MIN_DRAWS:
        why = f"only {int(usable.sum())} of {usable.size} turns stay on known ground; {MIN_DRAWS} are needed"
        return Count(selection, int(held.size), expected, None, best, why)
    turned = nulls.weight_inside(reference.ground, x_m, y_m, np.ones(selection.count), reference.angles)
    # Where a turn leads to less known ground, more would be found on as much ground. Where it covers a little more,
    # by the lattice of the cells, an equal count stays equal: small counts must tie with themselves.
    draws = turned[usable] * np.maximum(1.0, reference.base / reference.turned_base[usable])
    return Count(selection, int(held.size), expected, nulls.compare(float(held.size), draws), best)


def region_rows(counted: Sequence[Counted], others: Mapping[str, Population]) -> Rows:
    """Return a row for each region: its ground, its best cell and site, and what fails there.

    Args:
        counted: The regions.
        others: Populations of other rules by the rule's name, whose passing cells are counted too.
    """
    rows: Rows = []
    for one in counted:
        population, held = one.reference.population, one.reference.cell_inside
        ranks = None if population.rank is None else population.rank[held]
        row: dict[str, JsonValue] = {
            "region": one.region.name,
            "code": one.region.code,
            "listed_area_km2": one.region.area_km2,
            "known_area_km2": float(population.area_m2[held].sum()) / 1e6,
            "known_share": one.reference.known_share,
            "suitable_cells": int((held & population.suitable).sum()),
        }
        for name, other in others.items():
            inside_other = inside(one.region.outline, other.x_m, other.y_m)
            row[f"suitable_cells_{name}"] = int((inside_other & other.suitable).sum())
        row["best_rank"] = int(ranks.min()) if ranks is not None and ranks.size else None
        for key, found in one.counts.items():
            if key.startswith("top_"):
                row[f"{key}_cells"] = found.count
        row["sites"] = one.counts["sites"].count
        row["best_site_rank"] = one.counts["sites"].best
        shares = Failing(np.nan, np.nan, np.nan, np.nan).row() if one.fails is None else one.fails.row()
        rows.append(row | {name: None if one.fails is None else share for name, share in shares.items()})
    return rows


def region_words(
    rule_name: str,
    rule: RuleSettings,
    agreements: Mapping[str, Sequence[Agreement]],
    counted: Sequence[Counted],
    keys: tuple[str, str, str, str],
) -> Rows:
    """Return sentences on where the choices agree with the list of regions, and where they do not.

    Args:
        rule_name: Name of the rule whose cells are chosen.
        rule: Its limits.
        agreements: Agreements with and without the Moutons.
        counted: The regions.
        keys: Keys of the selections that are told: cells by score and by probability, passing cells, sites.
    """
    rows: Rows = []
    for scope, group in agreements.items():
        by_key = {found.selection.key: found for found in group}
        where = "all regions" if scope == "all" else "without the two Moutons"
        says = " ".join(_overall(by_key[key]) for key in keys)
        rows.append({"where": where, "says": f"Rule {rule_name}. {says}"})
    rows += [{"where": one.region.name, "says": _region_says(one, rule, keys)} for one in counted]
    return rows


def _overall(found: Agreement) -> str:
    name = found.selection.name
    if found.share is None or found.base is None or found.enrichment is None:
        return f"{name[0].upper()}{name[1:]}: unknown, {found.why}."
    less = ", fewer than the base rate" if found.enrichment < 1.0 else ""
    said = (
        f"{name[0].upper()}{name[1:]}: {100 * found.share:.1f} % inside, where {100 * found.base:.1f} % of the known"
        f" area lies ({found.enrichment:.2f} times{less})"
    )
    if found.rotation is None:
        return f"{said}; what turning gives is unknown, {found.why}."
    more = "more than" if found.rotation.p <= P_BOUND else "no more than"
    more = f"though {more}" if less and found.rotation.p <= P_BOUND else more
    near = "" if found.near is None else f", near turns {found.near.p:.2g}"
    return (
        f"{said}, {more} turned about the pole ({found.rotation.median:.1f} times,"
        f" {found.rotation.low:.1f} to {found.rotation.high:.1f}; p {found.rotation.p:.2g}{near})."
    )


def _region_says(one: Counted, rule: RuleSettings, keys: tuple[str, str, str, str]) -> str:
    told = [one.counts[key] for key in keys]
    unknown = next((found.why for found in told if found.count is None and not found.selection.why), "")
    if unknown:
        return f"Unknown: {unknown}."
    parts, nothing = [], True
    for found in told:
        if found.count is None:
            parts.append(f"{found.selection.name}: unknown, {found.why}")
            continue
        chance = "" if found.rotation is None else f"; p {found.rotation.p:.2g}"
        best = "" if found.best is None else f", the best at place {found.best}"
        parts.append(f"{found.count} of {found.selection.name}{best} ({found.expected:.1f} expected{chance})")
        chosen = found.selection.key != keys[2]
        nothing = nothing and not (chosen and found.count)
    said = ". ".join(part[0].upper() + part[1:] for part in parts)
    if not nothing:
        return f"{said}."
    return f"Nothing was chosen here: {reason(one.fails, rule)}. {said}."
