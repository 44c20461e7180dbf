"""How well the chosen cells agree with the Artemis III candidate regions, and how well chance would.

For each selection (the N best by score, the N best by the plain rule, all cells that pass the rule) the share of its
true area inside the regions is divided by the share of all known area inside them: the enrichment. A rotation null
and a random-cell null stand beside it, and everything is said twice, with and without the two regions of Mons Mouton,
which hold more than half of all regions' area. The count of regions 'matched' within some kilometres of their centre,
which other systems report, is printed with what random cells reach.

The claims and their bounds were fixed before any result was looked at, but for the score against the plain rule, which
was restated afterwards; `docs/validate.md` lists them and says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from lunarsite.artefact.record import Metric, Record, Verdict
from lunarsite.settings import ArtemisSettings
from lunarsite.site.place.regions import Region, inside
from lunarsite.validate import nulls
from lunarsite.validate.agreement import (
    COMPARABLE_SHARE,
    Agreement,
    Gain,
    Match,
    Reference,
    Selection,
    agree,
    gain_of,
    match,
    select,
)
from lunarsite.validate.nulls import Null
from lunarsite.validate.population import Population

Rows = list[dict[str, JsonValue]]

P_BOUND = 0.05
"""Verdicts hold at this one-sided p-value: above the 95th percentile of the null."""


def judge(population: Population, regions: Sequence[Region], settings: ArtemisSettings, *, synthetic: bool) -> Record:
    """Return the record of the comparison.

    Args:
        population: Cells with known inputs.
        regions: The candidate regions on the run's map.
        settings: Sizes of the selections, draws, seed and the distance of a match.
        synthetic: Whether the terrain is synthetic, for the notes.
    """
    angles = nulls.sorted_angles(settings.draws, settings.seed)
    others = tuple(region for region in regions if not region.is_mouton)
    references = (
        Reference("all", "all regions", population, tuple(regions), angles),
        Reference("without_moutons", "without the two Moutons", population, others, angles),
    )
    chosen = select(population, settings.selected)
    agreements = {
        reference.key: [agree(reference, selection, settings) for selection in chosen] for reference in references
    }
    matches = [match(population, regions, selection, settings, angles) for selection in chosen]
    return Record(
        title="Agreement with the Artemis III candidate regions",
        metrics=tuple(_metrics(references, agreements, matches)),
        verdicts=tuple(_verdicts(sorted(set(settings.selected)), agreements, matches, settings.match_km)),
        tables={
            "agreement": [
                row for reference in references for row in _agreement_rows(reference, agreements[reference.key])
            ],
            "score_against_rule": [
                row for reference in references for row in _gain_rows(reference, agreements[reference.key])
            ],
            "matched_regions": [_match_row(counted) for counted in matches],
            "regions": _region_rows(population, regions, chosen),
        },
        notes=tuple(_notes(population, settings, references, synthetic=synthetic)),
    )


def _metrics(
    references: Sequence[Reference], agreements: Mapping[str, Sequence[Agreement]], matches: Sequence[Match]
) -> list[Metric]:
    metrics = []
    for reference in references:
        metrics.append(Metric(name=f"known_share_{reference.key}", value=reference.known_share, unit="1"))
        metrics.append(Metric(name=f"base_rate_{reference.key}", value=reference.base, unit="1", why=reference.why))
        for found in agreements[reference.key]:
            name = f"{found.selection.key}_{reference.key}"
            for quantity, value in (("share", found.share), ("enrichment", found.enrichment)):
                metrics.append(Metric(name=f"{quantity}_{name}", value=value, unit="1", why=found.why))
            for quantity, null in (("rotation", found.rotation), ("random", found.random)):
                metrics.append(_null_metric(f"enrichment_{quantity}_null_{name}", null, found.why))
                p = None if null is None else null.p
                metrics.append(Metric(name=f"p_{quantity}_{name}", value=p, unit="1", why=found.why))
        metrics += _gain_metrics(reference.key, agreements[reference.key])
    for counted in matches:
        name = f"matched_{counted.selection.key}"
        metrics.append(Metric(name=name, value=counted.matched, unit="regions", why=counted.why))
        metrics.append(_null_metric(f"{name}_random_null", counted.random, counted.why, "regions"))
    return metrics


def _score_and_rule(agreements: Sequence[Agreement]) -> list[tuple[int, Agreement, Agreement]]:
    """The agreements of the score and of the plain rule, by the size of both choices."""
    found = {agreement.selection.key: agreement for agreement in agreements}
    sizes = [int(key.removeprefix("top_")) for key in found if key.startswith("top_")]
    return [(size, found[f"top_{size}"], found[f"rule_{size}"]) for size in sizes]


def _gain_metrics(reference: str, agreements: Sequence[Agreement]) -> list[Metric]:
    """The score's gain over the plain rule at each size, with what turning both selections together gives."""
    metrics = []
    for size, score, rule in _score_and_rule(agreements):
        gain, name, why = gain_of(score, rule), f"{size}_{reference}", score.why or rule.why
        value, p = (None, None) if gain is None else (gain.value, gain.null.p)
        metrics.append(Metric(name=f"gain_over_rule_{name}", value=value, unit="1", why=why))
        metrics.append(_null_metric(f"gain_over_rule_rotation_null_{name}", None if gain is None else gain.null, why))
        metrics.append(Metric(name=f"p_gain_over_rule_{name}", value=p, unit="1", why=why))
    return metrics


def _null_metric(name: str, null: Null | None, why: str, unit: str = "1") -> Metric:
    if null is None:
        return Metric(name=name, value=None, unit=unit, why=why)
    return Metric(name=name, value=null.median, unit=unit, low=null.low, high=null.high, why="median of the null")


def _verdicts(
    sizes: Sequence[int], agreements: Mapping[str, Sequence[Agreement]], matches: Sequence[Match], match_km: float
) -> list[Verdict]:
    verdicts = []
    size = max(sizes)
    by_key = {key: {found.selection.key: found for found in group} for key, group in agreements.items()}
    for reference, where in (("all", "the regions"), ("without_moutons", "the regions without the two Moutons")):
        for key, what in ((f"top_{size}", f"The {size} best cells"), ("suitable", "The cells that pass the rule")):
            found = by_key[reference][key]
            p = None if found.rotation is None else found.rotation.p
            verdicts.append(
                Verdict(
                    name=f"{what} lie in {where} more than turned about the pole",
                    value=p,
                    unit="p-value",
                    bound=f"<= {P_BOUND:g}",
                    holds=None if p is None else p <= P_BOUND,
                    why=found.why or "Latitude and clustering of the cells are kept by the null, so only place counts.",
                )
            )
    for reference, where in (("all", "the regions"), ("without_moutons", "the regions without the two Moutons")):
        verdicts += [_against_rule(by_key[reference], chosen, where) for chosen in sizes]
    counted = next(found for found in matches if found.selection.key == f"top_{size}")
    p = None if counted.random is None else counted.random.p
    verdicts.append(
        Verdict(
            name=f"The {size} best cells match more region centres within {match_km:g} km than random cells do",
            value=p,
            unit="p-value",
            bound=f"<= {P_BOUND:g}",
            holds=None if p is None else p <= P_BOUND,
            why=counted.why
            or "Other systems report this count; random cells match nearly all centres, so it says little.",
        )
    )
    return verdicts


def _against_rule(found: Mapping[str, Agreement], size: int, where: str) -> Verdict:
    """The learned score against the rule's own margin, with the gain that chance would give it."""
    score, rule = found[f"top_{size}"], found[f"rule_{size}"]
    gain = gain_of(score, rule)
    p = None if gain is None else gain.null.p
    return Verdict(
        name=f"The {size} best cells by score lie in {where} more than the {size} best by the plain rule",
        value=p,
        unit="p-value",
        bound=f"<= {P_BOUND:g}",
        holds=None if p is None else p <= P_BOUND,
        why=_gain_words(score, rule, gain),
    )


def _gain_words(score: Agreement, rule: Agreement, gain: Gain | None) -> str:
    if gain is None:
        return score.why or rule.why
    assert score.share is not None
    assert rule.share is not None
    shares = f"{100 * score.share:.1f} % of the score's area lies inside, {100 * rule.share:.1f} % of the rule's"
    if gain.value == 0.0:
        return f"{shares}: neither does better."
    leader, p = ("The score", gain.null.p) if gain.value > 0.0 else ("The plain rule", gain.p_loss)
    than_chance = "more" if p <= P_BOUND else "no more"
    return f"{shares}. {leader} does better, by {than_chance} than turning both together gives (p {p:.2g})."


def _agreement_rows(reference: Reference, agreements: Sequence[Agreement]) -> Rows:
    return [
        {
            "regions": reference.name,
            "selection": found.selection.name,
            "cells": None if found.selection.chosen is None else int(found.selection.chosen.size),
            "share_inside": found.share,
            "base_rate": found.base,
            "enrichment": found.enrichment,
            **_null_row("rotation", found.rotation),
            **_null_row("random", found.random),
            "why_unknown": found.why,
        }
        for found in agreements
    ]


def _gain_rows(reference: Reference, agreements: Sequence[Agreement]) -> Rows:
    rows: Rows = []
    for size, score, rule in _score_and_rule(agreements):
        gain = gain_of(score, rule)
        rows.append(
            {
                "regions": reference.name,
                "cells": size,
                "share_by_score": score.share,
                "share_by_rule": rule.share,
                "gain": None if gain is None else gain.value,
                **_null_row("rotation", None if gain is None else gain.null),
                "p_rule_better": None if gain is None else gain.p_loss,
                "why_unknown": score.why or rule.why,
            }
        )
    return rows


def _match_row(counted: Match) -> dict[str, JsonValue]:
    return {
        "selection": counted.selection.name,
        "regions_matched": counted.matched,
        "regions": counted.regions,
        **_null_row("random", counted.random),
        **_null_row("rotation", counted.rotation),
        "why_unknown": counted.why,
    }


def _null_row(name: str, null: Null | None) -> dict[str, JsonValue]:
    return {
        f"{name}_median": None if null is None else null.median,
        f"{name}_low": None if null is None else null.low,
        f"{name}_high": None if null is None else null.high,
        f"{name}_p": None if null is None else null.p,
    }


def _region_rows(population: Population, regions: Sequence[Region], selections: Sequence[Selection]) -> Rows:
    rows: Rows = []
    for region in regions:
        held = inside(region.outline, population.x_m, population.y_m)
        known = float(population.area_m2[held].sum())
        row: dict[str, JsonValue] = {
            "region": region.name,
            "code": region.code,
            "listed_area_km2": region.area_km2,
            "known_area_km2": known / 1e6,
            "suitable_cells": int((held & population.suitable).sum()),
            "best_rank": int(population.rank[held].min()) if held.any() else None,
        }
        for selection in selections:
            if selection.key.startswith("top_"):
                count = None if selection.chosen is None else int(held[selection.chosen].sum())
                row[f"{selection.key}_cells"] = count
        rows.append(row)
    return rows


def _notes(
    population: Population, settings: ArtemisSettings, references: Sequence[Reference], *, synthetic: bool
) -> list[str]:
    notes = [
        f"{population.count} of {population.cells} cells have every input of the rule; only they enter shares and base"
        " rates. A cell with an unknown input is neither suitable nor unsuitable.",
        "The rotation null turns the regions about the pole: it keeps the latitude and the clustering of the cells. The"
        " random-cell null keeps neither, so its p-values are too small for any clustered choice.",
        f"Both nulls have {settings.draws} draws, seed {settings.seed}; p = (k + 1) / (n + 1), one-sided, and no"
        " correction is made for the number of comparisons printed.",
        "The regions are simplified four-corner envelopes, wider than any site in them and chosen for many reasons"
        " besides light and slope; agreement with them is no measure of safety. No table of expert sites was given, so"
        " distance to and recall of expert sites are not measured.",
    ]
    usable = [int(reference.comparable.sum()) for reference in references if reference.base]
    if usable and min(usable) < settings.draws:
        notes.append(
            f"The known ground is not round about the pole: {min(usable)} of {settings.draws} turns leave at least"
            f" {100 * COMPARABLE_SHARE:.0f} % of the regions' known area known and were used."
        )
    if synthetic:
        notes.append(
            "The terrain is synthetic. Its named massifs and craters were put at their real places by construction, so"
            " agreement with real regions shows that the pipeline finds such ground, and nothing about the real Moon."
        )
    return notes
