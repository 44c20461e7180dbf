"""The comparison with the Artemis regions as metrics and rows of the record's tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

from lunarsite.artefact.record import Metric
from lunarsite.validate.agreement import Agreement, Match, Reference, gain_of
from lunarsite.validate.null_rows import null_metric, null_row

Rows = list[dict[str, JsonValue]]


def metrics(
    references: Sequence[Reference],
    agreements: Mapping[str, Sequence[Agreement]],
    matches: Sequence[Match],
    others: Sequence[Mapping[str, Sequence[Agreement]]],
) -> Iterator[Metric]:
    """Yield the metrics: of each set of regions, of each selection in it, and of matched centres.

    Args:
        references: The sets of regions.
        agreements: Agreements of the scorer's rule and of the sites, by the set's key.
        matches: Counts of matched regions.
        others: Agreements of other rules, by the set's key; their selections' keys tell the rule.
    """
    for reference in references:
        yield Metric(name=f"known_share_{reference.key}", value=reference.known_share, unit="1")
        yield Metric(name=f"base_rate_{reference.key}", value=reference.base, unit="1", why=reference.why)
        for found in (*agreements[reference.key], *(one for other in others for one in other[reference.key])):
            name = f"{found.selection.key}_{reference.key}"
            for quantity, value in (("share", found.share), ("enrichment", found.enrichment)):
                yield Metric(name=f"{quantity}_{name}", value=value, unit="1", why=found.why)
            kinds = [("rotation", found.rotation), ("near_turns", found.near), ("random", found.random)]
            for quantity, null in kinds[:-1] if found.selection.baseline else kinds:
                yield null_metric(f"enrichment_{quantity}_null_{name}", null, found.why)
                p = None if null is None else null.p
                yield Metric(name=f"p_{quantity}_{name}", value=p, unit="1", why=found.why)
        yield from _gain_metrics(reference.key, agreements[reference.key])
    for counted in matches:
        name = f"matched_{counted.selection.key}"
        yield Metric(name=name, value=counted.matched, unit="regions", why=counted.why)
        yield null_metric(f"{name}_random_null", counted.random, counted.why, "regions")


def _score_and_rule(agreements: Sequence[Agreement]) -> list[tuple[int, Agreement, Agreement]]:
    """The agreements of the score and of the plain rule, by the size of both choices."""
    found = {agreement.selection.key: agreement for agreement in agreements}
    sizes = [int(key.removeprefix("top_")) for key in found if key.startswith("top_")]
    return [(size, found[f"top_{size}"], found[f"rule_{size}"]) for size in sizes]


def _gain_metrics(reference: str, agreements: Sequence[Agreement]) -> Iterator[Metric]:
    """The score's gain over the plain rule at each size, with what turning both selections together gives."""
    for size, score, rule in _score_and_rule(agreements):
        gain, name, why = gain_of(score, rule), f"{size}_{reference}", score.why or rule.why
        value, p = (None, None) if gain is None else (gain.value, gain.null.p)
        yield Metric(name=f"gain_over_rule_{name}", value=value, unit="1", why=why)
        yield null_metric(f"gain_over_rule_rotation_null_{name}", None if gain is None else gain.null, why)
        yield Metric(name=f"p_gain_over_rule_{name}", value=p, unit="1", why=why)


def agreement_rows(regions: str, agreements: Sequence[Agreement]) -> Rows:
    """Return a row for each selection against one set of regions, named `regions`."""
    return [
        {
            "regions": regions,
            "selection": found.selection.name,
            "count": found.selection.count,
            "share_inside": found.share,
            "base_rate": found.base,
            "enrichment": found.enrichment,
            **null_row("rotation", found.rotation),
            **null_row("near_turns", found.near),
            **null_row("random", found.random),
            "why_unknown": found.why,
        }
        for found in agreements
    ]


def gain_rows(regions: str, agreements: Sequence[Agreement]) -> Rows:
    """Return the score's gain over the plain rule at each size, against one set of regions."""
    rows: Rows = []
    for size, score, rule in _score_and_rule(agreements):
        gain = gain_of(score, rule)
        rows.append(
            {
                "regions": regions,
                "cells": size,
                "share_by_score": score.share,
                "share_by_rule": rule.share,
                "gain": None if gain is None else gain.value,
                **null_row("rotation", None if gain is None else gain.null),
                "p_rule_better": None if gain is None else gain.p_loss,
                "why_unknown": score.why or rule.why,
            }
        )
    return rows


def match_row(counted: Match) -> dict[str, JsonValue]:
    """Return how many regions' centres a selection comes near to, with what chance reaches."""
    return {
        "selection": counted.selection.name,
        "regions_matched": counted.matched,
        "regions": counted.regions,
        **null_row("random", counted.random),
        **null_row("rotation", counted.rotation),
        "why_unknown": counted.why,
    }
