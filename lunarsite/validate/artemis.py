"""How well the chosen cells and sites agree with the Artemis III candidate regions, and how well chance would.

For each selection (the N best by score, by Monte Carlo probability and by the plain rule, all cells that pass the rule
or a limit of it alone, the best sites) the share inside the regions is divided by the share of all known area inside
them: the enrichment. Rotation nulls (all turns, and near turns) and a random-cell null stand beside it, and everything
is said twice, with and without the two regions of Mons Mouton, which hold more than half of all regions' area. What was
chosen is told region by region, with the limit that fails where nothing was. The count of regions 'matched' within some
kilometres of their centre, which other systems report, is printed with what random cells reach.

The claims and their bounds were fixed before any result was looked at. Some were made stricter, restated or given
company afterwards; `docs/validate.md` lists them and says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lunarsite.artefact.record import Record, Verdict
from lunarsite.settings import ArtemisSettings, RuleSettings
from lunarsite.site.place.regions import Region
from lunarsite.validate import nulls
from lunarsite.validate.agreement import (
    COMPARABLE_SHARE,
    Agreement,
    Floats,
    Gain,
    Match,
    Reference,
    Selection,
    agree,
    gain_of,
    match,
    select,
    select_baselines,
    select_sites,
)
from lunarsite.validate.artemis_limits import limit_words
from lunarsite.validate.artemis_regions import by_region, region_rows, region_words
from lunarsite.validate.artemis_rows import agreement_rows, gain_rows, match_row, metrics
from lunarsite.validate.null_rows import P_BOUND, p_verdict
from lunarsite.validate.population import Population

_SCOPES = (("all", "the regions"), ("without_moutons", "the regions without the two Moutons"))


@dataclass(frozen=True)
class Ruled:
    """A rule, its name as the settings have it, and the cells that are known under it."""

    name: str
    rule: RuleSettings
    population: Population


def judge(
    ruled: Sequence[Ruled],
    sites: tuple[Floats, Floats],
    regions: Sequence[Region],
    settings: ArtemisSettings,
    *,
    synthetic: bool,
) -> Record:
    """Return the record of the comparison.

    Args:
        ruled: The scorer's rule first, then the others that are compared.
        sites: Map x and y of the sites, best first.
        regions: The candidate regions on the run's map.
        settings: Sizes of the selections, draws, seed and the distance of a match.
        synthetic: Whether the terrain is synthetic, for the notes.
    """
    angles = nulls.sorted_angles(settings.draws, settings.seed)
    first, population = ruled[0], ruled[0].population
    references = _references(population, regions, angles, settings)
    chosen = select(population, settings.selected)
    placed = select_sites(*sites, settings.selected_sites)
    agreements = _agreements(references, [*chosen, *select_baselines(population), *placed], settings)
    matches = [match(population, regions, selection, settings, angles) for selection in chosen]
    others = [(other, _agreements_of_other(other, regions, angles, settings)) for other in ruled[1:]]
    counts = by_region(population, regions, [*chosen, *placed], angles)
    size = max(settings.selected)
    keys = (f"top_{size}", f"probability_{size}", "suitable", f"sites_{max(settings.selected_sites)}")
    return Record(
        title="Agreement with the Artemis III candidate regions",
        metrics=tuple(metrics(references, agreements, matches, [found for _, found in others])),
        verdicts=(
            *_verdicts(settings, agreements, matches),
            *(verdict for other, found in others for verdict in _other_verdicts(other.name, found, size)),
        ),
        tables={
            "in_words": [
                *region_words(first.name, first.rule, agreements, counts, keys),
                *limit_words([(first.name, "", agreements), *((o.name, f"{o.name}_", found) for o, found in others)]),
            ],
            "agreement": [row for ref in references for row in agreement_rows(ref.name, agreements[ref.key])],
            "agreement_of_other_rules": [
                {"rule": other.name, **row}
                for other, by_reference in others
                for ref in references
                for row in agreement_rows(ref.name, by_reference[ref.key])
            ],
            "score_against_rule": [row for ref in references for row in gain_rows(ref.name, agreements[ref.key])],
            "matched_regions": [match_row(counted) for counted in matches],
            "regions": region_rows(counts, {other.name: other.population for other in ruled[1:]}),
            "region_counts": [row for counted in counts for row in counted.rows()],
        },
        notes=tuple(_notes(first, settings, references, synthetic=synthetic)),
    )


def _references(
    population: Population, regions: Sequence[Region], angles: Floats, settings: ArtemisSettings
) -> tuple[Reference, ...]:
    others = tuple(region for region in regions if not region.is_mouton)
    near = nulls.near_angles(settings.draws, settings.seed)
    return (
        Reference("all", "all regions", population, tuple(regions), angles, near),
        Reference("without_moutons", "without the two Moutons", population, others, angles, near),
    )


def _agreements(
    references: Sequence[Reference], selections: Sequence[Selection], settings: ArtemisSettings
) -> dict[str, list[Agreement]]:
    return {
        reference.key: [agree(reference, selection, settings) for selection in selections] for reference in references
    }


def _agreements_of_other(
    other: Ruled, regions: Sequence[Region], angles: Floats, settings: ArtemisSettings
) -> dict[str, list[Agreement]]:
    """Return the agreements of a rule that no score was learned for; the keys of its selections tell the rule."""
    prefix = f"{other.name}_"
    selections = select(other.population, settings.selected, prefix) + select_baselines(other.population, prefix)
    return _agreements(_references(other.population, regions, angles, settings), selections, settings)


def _verdicts(
    settings: ArtemisSettings, agreements: Mapping[str, Sequence[Agreement]], matches: Sequence[Match]
) -> Iterator[Verdict]:
    size, placed = max(settings.selected), max(settings.selected_sites)
    by_key = {key: {found.selection.key: found for found in group} for key, group in agreements.items()}
    for reference, where in _SCOPES:
        for key, what in (
            (f"top_{size}", f"The {size} best cells"),
            ("suitable", "The cells that pass the rule"),
            (f"probability_{size}", f"The {size} most probable cells"),
            (f"sites_{placed}", f"The {placed} best sites"),
        ):
            yield _turned(by_key[reference][key], what, where)
    for reference, where in _SCOPES:
        for chosen in sorted(set(settings.selected)):
            yield _against_rule(by_key[reference], chosen, where)
    counted = next(found for found in matches if found.selection.key == f"top_{size}")
    yield p_verdict(
        f"The {size} best cells match more region centres within {settings.match_km:g} km than random cells do",
        counted.random,
        counted.why,
        "Other systems report this count; random cells match nearly all centres, so it says little.",
    )


def _other_verdicts(rule: str, agreements: Mapping[str, Sequence[Agreement]], size: int) -> Iterator[Verdict]:
    for reference, where in _SCOPES:
        by_key = {found.selection.key: found for found in agreements[reference]}
        for key, what in (
            (f"{rule}_suitable", f"The cells that pass the {rule} rule"),
            (f"{rule}_probability_{size}", f"The {size} cells most probable to pass the {rule} rule"),
        ):
            yield _turned(by_key[key], what, where)


def _turned(found: Agreement, what: str, where: str) -> Verdict:
    """Whether a selection lies in the regions more than turned about the pole, and more than the base rate.

    Ground that lies at longitudes where the rule is hardly ever met is met by few turned selections, so a selection may
    beat its turns and still lie in the regions less than ground chosen blindly: that is no agreement.
    """
    p = None if found.rotation is None else found.rotation.p
    enriched = found.enrichment is not None and found.enrichment > 1.0
    return Verdict(
        name=f"{what} lie in {where} more than turned about the pole",
        value=p,
        unit="p-value",
        bound=f"<= {P_BOUND:g}, and enrichment > 1",
        holds=None if p is None else p <= P_BOUND and enriched,
        why=(found.why or "unknown") if p is None else _turned_words(found),
    )


def _turned_words(found: Agreement) -> str:
    assert found.share is not None
    assert found.base is not None
    assert found.enrichment is not None
    p = [
        f"{name} {null.p:.2g}"
        for name, null in (("turned", found.rotation), ("near turns", found.near), ("random cells", found.random))
        if null is not None
    ]
    less = "" if found.enrichment > 1.0 else ", no more than the base rate, so the claim does not hold"
    return (
        f"{100 * found.share:.1f} % inside, where {100 * found.base:.1f} % of the known area lies: enrichment"
        f" {found.enrichment:.2f}{less}. p: {', '.join(p)}."
    )


def _against_rule(found: Mapping[str, Agreement], size: int, where: str) -> Verdict:
    """The learned score against the rule's own margin, with the gain that chance would give it."""
    score, rule = found[f"top_{size}"], found[f"rule_{size}"]
    gain = gain_of(score, rule)
    why = _gain_words(score, rule, gain)
    return p_verdict(
        f"The {size} best cells by score lie in {where} more than the {size} best by the plain rule",
        None if gain is None else gain.null,
        why,
        why,
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


def _notes(
    first: Ruled, settings: ArtemisSettings, references: Sequence[Reference], *, synthetic: bool
) -> Iterator[str]:
    population = first.population
    yield (
        f"{population.count} of {population.cells} cells have every input of the rule; only they enter shares and base"
        " rates. A cell with an unknown input is neither suitable nor unsuitable."
    )
    yield (
        f"The scorer's rule is {first.name}. The most probable cells have the largest Monte Carlo probability; among"
        " equal ones (many have probability 1) the rule's margin decides. Cells count by their true area, sites"
        " one each."
    )
    yield (
        "The rotation null turns the regions about the pole: it keeps the latitude and the clustering of the cells. The"
        " random-cell null keeps neither, so its p-values are too small for any clustered choice; it is not drawn for"
        " the limits alone, which far too many cells pass."
    )
    yield (
        "Most regions lie on the near side, and the rule asks for a view of the Earth, so all turns together ask little"
        f" more than that. Near turns go at most {nulls.NEAR_TURN_DEG:g} degrees either way and leave most of the"
        " regions on the near side. They, and the limits alone, were added after the first results had been seen; no"
        " verdict rests on them."
    )
    yield (
        f"The nulls have {settings.draws} draws each, seed {settings.seed}; p = (k + 1) / (n + 1), one-sided, and no"
        " correction is made for the number of comparisons printed."
    )
    yield (
        "The regions are simplified four-corner envelopes, wider than any site in them and chosen for many reasons"
        " besides light and slope; agreement with them is no measure of safety. Distance to and recall of expert sites"
        " are in the record of sites, where a run has a table of them."
    )
    usable = [int(reference.comparable.sum()) for reference in references if reference.base]
    if usable and min(usable) < settings.draws:
        yield (
            f"The known ground is not round about the pole: {min(usable)} of {settings.draws} turns leave at least"
            f" {100 * COMPARABLE_SHARE:.0f} % of the regions' known area known and were used."
        )
    if synthetic:
        yield (
            "The terrain is synthetic. Its named massifs and craters were put at their real places by construction, so"
            " agreement with real regions shows that the pipeline finds such ground, and nothing about the real Moon."
        )
