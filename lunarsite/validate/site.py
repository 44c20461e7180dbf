"""How close the sites lie to those of experts, of another system, and to what is known of the synthetic Moon.

Every share and distance stands beside what turning the sites about the pole gives, and what random cells give that
pass the same rule (or, for the sites of the regions' own catalogues, random known cells of the same regions).
Everything about experts and rivals is said twice, with and without the two regions of Mons Mouton. A table that was
not given leaves its part unknown, with the reason.

The claims and their bounds were fixed before any list of sites existed; `docs/validate.md` lists them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import JsonValue

from lunarsite.artefact.record import Metric, Record, Verdict
from lunarsite.settings import SiteReferenceSettings
from lunarsite.validate import nulls
from lunarsite.validate.null_rows import null_row, p_verdict, ungiven_verdict
from lunarsite.validate.site_evidence import Evidence
from lunarsite.validate.site_massifs import judge_massifs
from lunarsite.validate.site_points import (
    PRECISION,
    RECALL,
    TO_TARGET,
    Chosen,
    Finding,
    Floats,
    Ground,
    Points,
    agree,
)
from lunarsite.validate.site_rivals import Correlation, Others, correlate, duel, fair_sizes
from lunarsite.validate.site_truth import Massifs

Rows = list[dict[str, JsonValue]]

_NOWHERE = Points(np.zeros(0), np.zeros(0))
_SCOPES = (("all", "everywhere"), ("without_moutons", "without the two Moutons"))


@dataclass(frozen=True)
class Compared:
    """One choice of our sites against one table of others, on all ground or without the two Moutons."""

    others: Others
    scope: str
    scope_name: str
    chosen: Chosen
    sites: int
    targets: int
    findings: list[Finding]

    def find(self, measure: str, distance_km: float | None) -> Finding:
        """Return one of the findings."""
        return next(f for f in self.findings if (f.measure, f.distance_km) == (measure, distance_km))


def judge_site(
    evidence: Evidence,
    experts: Others,
    rivals: Others,
    massifs: Massifs | None,
    settings: SiteReferenceSettings,
    *,
    synthetic: bool,
) -> Record:
    """Return the record of the comparisons.

    Args:
        evidence: The run's sites and cells.
        experts: Experts' sites, or why there are none.
        rivals: Another system's sites, or why there are none.
        massifs: The synthetic Moon's gentle massifs; None where there is no such truth.
        settings: Numbers of sites, distances, draws and seed.
        synthetic: Whether the terrain is synthetic, for the notes.
    """
    angles = nulls.sorted_angles(settings.draws, settings.seed)
    grounds = {
        "all": evidence.terrain.ground,
        "without_moutons": replace(evidence.terrain.ground, left_out=evidence.moutons),
    }
    compared = [one for others in (experts, rivals) for one in _compare(others, evidence, grounds, settings, angles)]
    correlation = correlate(rivals, evidence.terrain.probability, evidence.terrain.ground, angles)
    truth = judge_massifs(massifs, evidence, settings.selected, angles, synthetic=synthetic)
    size, distance_km = max(settings.selected), middle(settings.distances_km)
    return Record(
        title="Sites against those of experts, of another system, and known truth",
        metrics=(*(m for one in compared for m in _metrics(one)), *_correlation_metrics(correlation), *truth.metrics),
        verdicts=(
            *(v for others in (experts, rivals) for v in _verdicts(others, compared, size, distance_km)),
            *(() if rivals.places is None else (_correlation_verdict(correlation),)),
            *truth.verdicts,
        ),
        tables={
            "given": [_given_row(others, grounds) for others in (experts, rivals)],
            "agreement": [row for one in compared for row in _rows(one)],
            "side_by_side": list(_side_by_side(experts, rivals, evidence, grounds, settings, angles)),
            "rival_scores": [_correlation_row(correlation)],
            **truth.tables,
        },
        notes=tuple(_notes(evidence, settings, experts, rivals, synthetic=synthetic)) + truth.notes,
    )


def middle(distances_km: Sequence[float]) -> float:
    """Return the middle one of the distances (the smaller of two): that of the claims."""
    found = sorted(set(distances_km))
    return found[(len(found) - 1) // 2]


def _compare(
    others: Others, evidence: Evidence, grounds: dict[str, Ground], settings: SiteReferenceSettings, angles: Floats
) -> Iterator[Compared]:
    draws = angles, settings.draws, settings.seed
    for scope, scope_name in _SCOPES:
        ground = grounds[scope]
        targets = 0 if others.places is None else int(ground.counts(others.places).sum())
        for made in evidence.chosen(settings.selected, ground):
            sites = 0 if made.places is None else int(ground.counts(made.places).sum())
            if others.places is None:
                chosen, against = replace(made, places=None, why=others.why), _NOWHERE
            else:
                chosen, against = made, others.places
            findings = agree(against, chosen, ground, settings.distances_km, draws)
            if chosen.key == "regional":
                # They were placed region by region, so longitude is not theirs to get right or wrong.
                findings = [replace(finding, rotation=None) for finding in findings]
            yield Compared(others, scope, scope_name, chosen, sites, targets, findings)


def _named(finding: Finding) -> str:
    return finding.measure if finding.distance_km is None else f"{finding.measure}_{finding.distance_km:g}km"


def _metrics(one: Compared) -> Iterator[Metric]:
    for found in one.findings:
        name = f"{one.others.key}_{_named(found)}_{one.chosen.key}_{one.scope}"
        yield Metric(name=name, value=found.value, unit="1" if found.distance_km else "km", why=found.why)
        for null_name, null in (("rotation", found.rotation), ("random", found.random)):
            if null_name == "random" or one.chosen.key != "regional":
                p = None if null is None else null.p
                yield Metric(name=f"p_{null_name}_{name}", value=p, unit="1", why=found.why if p is None else "")


def _rows(one: Compared) -> Rows:
    pool = "" if one.chosen.pool is None else one.chosen.pool.name
    return [
        {
            "of": one.others.name,
            "sites": one.chosen.name,
            "ground": one.scope_name,
            "sites_counted": one.sites,
            "others_counted": one.targets,
            "measure": found.measure,
            "within_km": found.distance_km,
            "value": found.value,
            **null_row("rotation", found.rotation),
            **null_row("random", found.random),
            "random_from": pool,
            "why_unknown": found.why,
        }
        for found in one.findings
    ]


def _verdicts(others: Others, compared: Sequence[Compared], size: int, distance_km: float) -> Iterator[Verdict]:
    if others.places is None:
        # All claims lack the same table: said once.
        yield ungiven_verdict(f"The run's sites agree with {others.name}", others.why)
        return
    for scope, _ in _SCOPES:
        where = "" if scope == "all" else ", without the two Moutons"
        one = next(c for c in compared if (c.others.key, c.scope, c.chosen.key) == (others.key, scope, f"top_{size}"))
        name, within = others.name, f"within {distance_km:g} km more often"
        for measure, km, claim in (
            (RECALL, distance_km, f"{name[0].upper()}{name[1:]} have one of the {size} best sites {within}"),
            (PRECISION, distance_km, f"The {size} best sites have one of {name} {within}"),
            (TO_TARGET, None, f"The {size} best sites lie closer to {name}"),
        ):
            found = one.find(measure, km)
            yield p_verdict(f"{claim} than turned about the pole{where}", found.rotation, found.why, _words(found))


def _words(found: Finding) -> str:
    """What was measured, what turning gives and what random cells give, in words."""
    if found.value is None or found.rotation is None:
        return found.why
    share = found.distance_km is not None

    def said(value: float) -> str:
        return f"{100 * value:.0f} %" if share else f"{value:.1f} km"

    chance = "" if found.random is None else f", random cells {said(found.random.median)} (p {found.random.p:.2g})"
    return (
        f"{said(found.value)}{'' if share else ' in the median'}; turned {said(found.rotation.median)}"
        f" ({said(found.rotation.low)} to {said(found.rotation.high)}){chance}."
    )


def _given_row(others: Others, grounds: dict[str, Ground]) -> dict[str, JsonValue]:
    row: dict[str, JsonValue] = {"of": others.name}
    counts = {
        scope: None if others.places is None else int(ground.counts(others.places).sum())
        for scope, ground in grounds.items()
    }
    return row | {
        "places": None if others.places is None else len(others.places),
        "listed_again": None if others.places is None else others.repeated,
        "on_known_ground": counts["all"],
        "without_the_moutons": counts["without_moutons"],
        "why_unknown": others.why,
    }


def _correlation_metrics(found: Correlation) -> list[Metric]:
    p = None if found.rotation is None else found.rotation.p
    return [
        Metric(name="rivals_spearman", value=found.value, unit="1", why=found.why),
        Metric(name="p_rotation_rivals_spearman", value=p, unit="1", why=found.why),
    ]


def _correlation_row(found: Correlation) -> dict[str, JsonValue]:
    return {
        "places": found.places,
        "spearman": found.value,
        **null_row("rotation", found.rotation),
        "why_unknown": found.why,
    }


def _correlation_verdict(found: Correlation) -> Verdict:
    said = ""
    if found.rotation is not None:
        said = (
            f"Spearman's correlation is {found.value:.2f} at {found.places} places; at their turned places"
            f" {found.rotation.median:.2f} ({found.rotation.low:.2f} to {found.rotation.high:.2f})."
        )
    return p_verdict("Another system's scores go with our probability at its places", found.rotation, found.why, said)


def _side_by_side(
    experts: Others,
    rivals: Others,
    evidence: Evidence,
    grounds: dict[str, Ground],
    settings: SiteReferenceSettings,
    angles: Floats,
) -> Iterator[dict[str, JsonValue]]:
    """Rows that set equally many sites of both systems against the experts'."""
    missing = "; ".join(others.why for others in (experts, rivals) if others.places is None)
    if missing:
        yield {"sites": None, "why_unknown": missing}
        return
    draws = angles, settings.draws, settings.seed
    assert experts.places is not None
    for scope, scope_name in _SCOPES:
        ground = grounds[scope]
        targets = experts.places.take(ground.counts(experts.places))
        for count in fair_sizes(settings.selected, rivals):
            ours, theirs = evidence.best(count), rivals.best(count)
            row: dict[str, JsonValue] = {"sites": count, "ground": scope_name}
            if ours is None or theirs is None:
                lacking = "we list fewer sites" if ours is None else "it lists fewer, or has no score to choose by"
                yield row | {"why_unknown": lacking}
                continue
            sides = {
                "ours": agree(targets, Chosen("ours", "ours", ours), ground, settings.distances_km, draws),
                "theirs": agree(targets, Chosen("theirs", "theirs", theirs), ground, settings.distances_km, draws),
            }
            counted = {"ours": ours.take(ground.counts(ours)), "theirs": theirs.take(ground.counts(theirs))}
            for index, found in enumerate(sides["ours"]):
                row = {"sites": count, "ground": scope_name, "measure": found.measure, "within_km": found.distance_km}
                for side, findings in sides.items():
                    rotation = findings[index].rotation
                    row |= {f"{side}": findings[index].value}
                    row |= {f"{side}_turned": None if rotation is None else rotation.median}
                    row |= {f"{side}_p": None if rotation is None else rotation.p}
                if found.measure == RECALL and found.distance_km is not None and all(map(len, counted.values())):
                    both = duel(targets, counted["ours"], counted["theirs"], found.distance_km)
                    row |= {"only_ours": both.only_ours, "only_theirs": both.only_theirs, "sign_test_p": both.p}
                yield row | {"why_unknown": ""}


def _notes(
    evidence: Evidence, settings: SiteReferenceSettings, experts: Others, rivals: Others, *, synthetic: bool
) -> Iterator[str]:
    yield (
        f"The run lists {len(evidence.sites)} sites, and {len(evidence.regional)} in the regions' own catalogues."
        " Recall is the share of the others' sites with one of ours within the distance, precision the share of ours"
        " with one of theirs. Distances are great circles."
    )
    yield (
        "The rotation null turns our sites about the pole: it keeps their latitudes and distances from each other. The"
        f" random null draws as many cells that pass the {evidence.target} rule, for the regions' catalogues as many"
        f" known cells of each region. {settings.draws} draws each, seed {settings.seed}; p = (k + 1) / (n + 1),"
        " one-sided, and no correction is made for the number of comparisons printed."
    )
    if experts.places is None and rivals.places is None:
        yield "No sites of experts or of another system were given, so agreement with them is unknown."
    elif not synthetic:
        yield (
            "Experts choose by more than light, slope and Earth view, and often within regions agreed before; that a"
            " site of ours has none of theirs near is no proof against it."
        )
    else:
        yield "The terrain is synthetic: agreement with real sites says nothing about the real Moon."
