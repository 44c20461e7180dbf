"""How much of a rule's agreement with the regions each of its limits gives, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from lunarsite.validate.agreement import Agreement
from lunarsite.validate.nulls import NEAR_TURN_DEG

Rows = list[dict[str, JsonValue]]

_WHERE = {"all": "all regions, limit by limit", "without_moutons": "without the two Moutons, limit by limit"}
_SAME = 0.05
"""Enrichments that differ by less than this are told as equal."""


def limit_words(ruled: Sequence[tuple[str, str, Mapping[str, Sequence[Agreement]]]]) -> Rows:
    """Return sentences on what each limit of each rule gives, one row for each set of regions.

    Args:
        ruled: Name of a rule, prefix of its selections' keys, and its agreements by the regions' key.
    """
    rows: Rows = []
    for scope, where in _WHERE.items():
        said = [
            _says(name, {found.selection.key.removeprefix(prefix): found for found in agreements[scope]})
            for name, prefix, agreements in ruled
        ]
        rows.append({"where": where, "says": " ".join(said)})
    return rows


def _says(rule: str, found: Mapping[str, Agreement]) -> str:
    earth, both, passing = (found[key] for key in ("earth", "earth_and_light", "suitable"))
    enrichments = [one.enrichment for one in (earth, both, passing)]
    told = [value for value in enrichments if value is not None]
    if len(told) < len(enrichments):
        why = next(one.why for one in (earth, both, passing) if one.enrichment is None)
        return f"Rule {rule}: what each limit gives is unknown, {why}."
    by_earth, by_both, by_all = told
    alone = ", ".join(
        f"{name} alone {found[key].enrichment:.2f}"
        for key, name in (("slope", "slope"), ("light", "light"))
        if found[key].enrichment is not None
    )
    return (
        f"Rule {rule}: cells that pass the Earth-view limit alone lie inside {by_earth:.2f} times as often as the base"
        f" rate, those that pass Earth view and light {by_both:.2f} times, those that pass the rule {by_all:.2f} times"
        f"{f' ({alone})' if alone else ''}. {_earth_gives(by_earth, by_all)}"
        f" Slope {_slope_works(by_both, by_all)}.{_nulls(earth, passing)}"
    )


def _earth_gives(by_earth: float, by_all: float) -> str:
    if by_all <= 1.0:
        return "The rule gives no more than the base rate, so there is no agreement to explain."
    if by_earth <= 1.0:
        return "Earth view alone gives none of the agreement."
    share = 100.0 * (by_earth - 1.0) / (by_all - 1.0)
    if share >= 100.0:
        return "Earth view alone gives all of what exceeds the base rate."
    return f"Earth view alone gives {share:.0f} % of what exceeds the base rate."


def _slope_works(by_both: float, by_all: float) -> str:
    if abs(by_all - by_both) < _SAME:
        return "changes next to nothing"
    return (
        f"works {'for' if by_all > by_both else 'against'} the agreement ({by_both:.2f} without it, {by_all:.2f} with)"
    )


def _nulls(earth: Agreement, passing: Agreement) -> str:
    if earth.near is None or passing.near is None:
        return ""
    return (
        f" Against turns of at most {NEAR_TURN_DEG:g} degrees p is {earth.near.p:.2g} for Earth view alone and"
        f" {passing.near.p:.2g} for the rule."
    )
