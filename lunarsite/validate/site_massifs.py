"""Verdicts on the synthetic Moon's truth: the massifs that were built gentle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from lunarsite.artefact.record import Metric, Verdict
from lunarsite.validate.null_rows import null_row, p_verdict, ungiven_verdict
from lunarsite.validate.nulls import Null
from lunarsite.validate.site_evidence import Evidence
from lunarsite.validate.site_points import Floats, Points
from lunarsite.validate.site_truth import (
    Massifs,
    Offer,
    Recovery,
    massif_rows,
    offers,
    recover,
    recover_by_cells,
)

Rows = list[dict[str, JsonValue]]

LEAST_RECALL = 0.8
"""Of the massifs that hold passing cells, at least this share must have a site."""


@dataclass(frozen=True)
class Truth:
    """The part of the record that rests on known truth."""

    metrics: tuple[Metric, ...]
    verdicts: tuple[Verdict, ...]
    tables: dict[str, Rows] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def judge_massifs(
    massifs: Massifs | None, evidence: Evidence, selected: Sequence[int], angles: Floats, *, synthetic: bool
) -> Truth:
    """Return whether the sites find the massifs, with what turning the massifs gives."""
    size = max(selected)
    if massifs is None or not massifs.names:
        why = "no massif that was built gentle lies on this map"
        if massifs is None:
            why = (
                "the source's record of what was built gentle was not given"
                if synthetic
                else "the terrain is not synthetic, so no ground is known to be good by construction"
            )
        metrics = tuple(Metric(name=name, value=None, unit="1", why=why) for name in _METRICS)
        empty: dict[str, Rows] = {"massifs": [], "massif_recovery": [{"sites": None, "why_unknown": why}]}
        return Truth(metrics, (ungiven_verdict("The sites find the massifs that were built gentle", why),), empty)
    offer = offers(massifs, evidence.terrain, evidence.rule)
    known = massifs.take(offer.known)
    offering = offer.offering[offer.known]
    ground = evidence.terrain.ground
    everything = recover("all sites", known, offering, evidence.sites, ground, angles) if known.names else None
    # Told beside the claim: a list that is cut off overall may still go on within a region.
    both = evidence.sites.joined(evidence.regional)
    name = "all sites and those of the regions"
    with_regions = recover(name, known, offering, both, ground, angles) if known.names else None
    by_size = {}
    for count in sorted(set(selected)):
        best = evidence.best(count)
        why = f"the run has {len(evidence.sites)} sites, {count} are needed"
        name = f"{count} best sites"
        if best is None or not known.names:
            by_size[count] = Recovery(name, count, None, None, why=why if best is None else _NONE_KNOWN)
        else:
            by_size[count] = recover(name, known, offering, best, ground, angles)
    passing = evidence.terrain.centres.take(next(iter(evidence.terrain.passing.values())) & ground.known)
    cells = recover_by_cells(known, passing, ground, angles) if known.names else None
    found = [one for one in (everything, *by_size.values(), with_regions, cells) if one is not None]
    return Truth(
        _metrics(offer, everything, by_size[size], cells),
        _verdicts(offer, everything, by_size[size], size, _NONE_KNOWN),
        {
            "massifs": massif_rows(massifs, offer, evidence.sites, ground.cells.cell_m),
            "massif_recovery": [_row(one) for one in found],
        },
        (_said(massifs, offer, evidence.sites, everything),),
    )


_NONE_KNOWN = "no massif has a cell with known inputs"
_METRICS = (
    *("massifs", "massifs_offering", "massif_offering_share", "massif_recall", "p_rotation_massif_recall"),
    *("massif_recall_by_cells", "p_rotation_massif_recall_by_cells", "massif_median_km", "p_rotation_massif_median_km"),
    *("massif_precision", "p_rotation_massif_precision"),
)


def _metrics(offer: Offer, everything: Recovery | None, best: Recovery, cells: Recovery | None) -> tuple[Metric, ...]:
    known = int(offer.known.sum())
    nothing = Recovery("", 0, None, None, why=_NONE_KNOWN)
    everything, cells = everything or nothing, cells or nothing
    values: dict[str, tuple[float | None, str]] = {
        "massifs": (known, ""),
        "massifs_offering": (int(offer.offering.sum()), ""),
        "massif_offering_share": (float(offer.offering[offer.known].mean()) if known else None, _NONE_KNOWN),
        "massif_recall": (everything.recall, everything.why),
        "p_rotation_massif_recall": (_p(everything.recall_null), everything.why),
        "massif_recall_by_cells": (cells.recall, cells.why),
        "p_rotation_massif_recall_by_cells": (_p(cells.recall_null), cells.why),
        "massif_median_km": (everything.median_km, everything.why),
        "p_rotation_massif_median_km": (_p(everything.median_null), everything.why),
        "massif_precision": (best.precision, best.why),
        "p_rotation_massif_precision": (_p(best.precision_null), best.why),
    }
    units = {"massifs": "massifs", "massifs_offering": "massifs", "massif_median_km": "km"}
    return tuple(
        Metric(name=name, value=value, unit=units.get(name, "1"), why="" if value is not None else why)
        for name, (value, why) in values.items()
    )


def _p(null: Null | None) -> float | None:
    return None if null is None else null.p


def _verdicts(offer: Offer, everything: Recovery | None, best: Recovery, size: int, why: str) -> tuple[Verdict, ...]:
    recall = None if everything is None else everything.recall
    said = why
    if everything is not None:
        said = everything.why or "unknown"
        if recall is not None:
            said = (
                f"{int(offer.offering.sum())} of {int(offer.known.sum())} massifs hold cells that pass the rule;"
                f" {100 * recall:.0f} % of those have a site on the summit or within a cell of it."
            )
    return (
        Verdict(
            name="Massifs built gentle that hold passing cells have a site",
            value=recall,
            unit="1",
            bound=f">= {LEAST_RECALL:g}",
            holds=None if recall is None else recall >= LEAST_RECALL,
            why=said,
        ),
        p_verdict(
            "Massifs built gentle have a site more often than turned about the pole",
            None if everything is None else everything.recall_null,
            why if everything is None else everything.why,
            "" if everything is None else _share(everything.recall, everything.recall_null),
        ),
        p_verdict(
            f"The {size} best sites lie on massifs built gentle more often than turned about the pole",
            best.precision_null,
            best.why,
            _share(best.precision, best.precision_null),
        ),
    )


def _share(value: float | None, null: Null | None) -> str:
    if value is None or null is None:
        return ""
    return f"{100 * value:.0f} %; turned {100 * null.median:.0f} % ({100 * null.low:.0f} to {100 * null.high:.0f} %)."


def _row(one: Recovery) -> dict[str, JsonValue]:
    return {
        "sites": one.name,
        "count": one.chosen,
        "recall": one.recall,
        **null_row("recall_rotation", one.recall_null),
        "precision": one.precision,
        **null_row("precision_rotation", one.precision_null),
        "median_km": one.median_km,
        **null_row("median_rotation", one.median_null),
        "why_unknown": one.why,
    }


def _said(massifs: Massifs, offer: Offer, sites: Points, everything: Recovery | None) -> str:
    offering, known = int(offer.offering.sum()), int(offer.known.sum())
    found = "" if everything is None or everything.recall is None else f"{round(everything.recall * offering)} of them"
    return (
        f"{len(massifs.names)} pieces of high ground were built gentle on this map, {known} of them have known cells"
        f" and {offering} hold a cell that passes the rule; {found or 'none'} have one of the {len(sites)} sites."
        " Gentle ground that is too dark, or that younger craters roughened, cannot be found, and good ground elsewhere"
        " is no error: precision is told for comparison with chance alone."
    )
