"""Sentences of a site: reasons for and against beside the learned score's own, and what is unknown."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.settings import ReachSettings, RuleSettings
from lunarsite.site.place.ellipse import Ellipse
from lunarsite.site.place.merit import CRITERIA, NO_WAY, Criterion, Floats, Scale

REASONS = 3
"""Of each kind that a site is told at least, where there are so many."""
INSIDE = 0.9
"""Less of a landing ellipse in the site's ground speaks against it."""
_TENTH, _HALF = 0.1, 0.5
_MISSING = {
    "longest_night": "longest night: not computed for its cell",
    "sun_and_earth": "time with Sun and Earth together: not computed for its cell",
    "craters": "craters within 1 km: no catalogue knows all of this ground",
    "relief": "relief at the scale of a lander: no finer elevation model covers its cell",
    "temperature": "temperature: no map that the run was given covers its cell",
    "ice": "depth at which ice is stable: no map that the run was given covers its cell",
    "scarps": "distance to lobate scarps: the run was given none",
}


def standing(values: Floats, scale: Scale, no_way: NDArray[np.bool_]) -> list[tuple[list[str], list[str]]]:
    """Return for each site its strongest criterion beyond the rule among the best tenth of the sites, and the worst.

    Fewer than ten sites have no tenths: there is nothing to say then. Strength is the criterion's weight times how far
    the site's stretched value lies from the median of the sites.

    Args:
        values: (sites, CRITERIA), NaN where unknown.
        scale: The criteria that count.
        no_way: Sites from which no way leads on foot to permanent shadow: the length that stands for it is not theirs.
    """
    sites = len(values)
    found: list[tuple[list[str], list[str]]] = [([], []) for _ in range(sites)]
    if sites * _TENTH < 1.0:
        return found
    strength = np.zeros((2, sites, scale.used.size))
    for place, (criterion, better, weight) in enumerate(zip(scale.criteria, scale.better, scale.weights, strict=True)):
        if criterion.beyond_rule:
            merit = better * values[:, scale.used[place]]
            own = ~no_way if criterion.name == "psr_walk" else np.ones(sites, dtype=bool)
            known = merit[~np.isnan(merit)]
            span = float(np.ptp(known))
            if span > 0.0:
                distance = weight * (merit - np.median(known)) / span
                ahead = (known[None, :] > merit[:, None]).sum(axis=1)
                behind = (known[None, :] < merit[:, None]).sum(axis=1)
                strength[0, :, place] = np.where(own & (ahead < _TENTH * known.size), distance, 0.0)
                strength[1, :, place] = np.where(own & (behind < _TENTH * known.size), -distance, 0.0)
    strength = np.nan_to_num(strength, nan=0.0)
    for site in range(sites):
        for kind, word in ((0, "best"), (1, "worst")):
            place = int(strength[kind, site].argmax()) if scale.used.size else 0
            if scale.used.size and strength[kind, site, place] > 0.0:
                value = values[site, scale.used[place]]
                found[site][kind].append(f"{_said(scale.criteria[place], value)}: among the {word} tenth of the sites")
    return found


def beside_others(
    values: Floats, scale: Scale, no_way: NDArray[np.bool_]
) -> list[tuple[list[tuple[str, str]], list[tuple[str, str]]]]:
    """Return for each site the criteria in which it stands above most of the other sites, and those where below.

    Strongest first: by the share of the other sites that it beats, or that beat it, ties counting for neither. Each is
    the criterion's words and the sentence; a criterion in which half of the others or fewer are on one side says
    nothing. So even the best site's weak points are told, and the worst one's strong points.

    Args:
        values: (sites, CRITERIA), NaN where unknown.
        scale: The criteria that count.
        no_way: As for `standing`.
    """
    found: list[tuple[list[tuple[float, str, str]], list[tuple[float, str, str]]]] = [([], []) for _ in values]
    for criterion, better, column in zip(scale.criteria, scale.better, scale.used, strict=True):
        merit = better * values[:, column]
        known = np.sort(merit[~np.isnan(merit)])
        if known.size < 2:
            continue
        beaten = np.searchsorted(known, merit, side="left") / (known.size - 1)
        beating = (known.size - np.searchsorted(known, merit, side="right")) / (known.size - 1)
        for site in np.flatnonzero(~np.isnan(merit)):
            if criterion.name == "psr_walk" and no_way[site]:
                continue
            for kind, share, word in ((0, beaten[site], "worse"), (1, beating[site], "better")):
                if share > _HALF:
                    told = f"{_said(criterion, values[site, column])}: {100.0 * share:.0f} % of the sites are {word}"
                    found[site][kind].append((-share, criterion.words, told))
    return [([entry[1:] for entry in sorted(best)], [entry[1:] for entry in sorted(worst)]) for best, worst in found]


def filled(sentences: list[str], further: list[tuple[str, str]], most: int = REASONS) -> list[str]:
    """Return the sentences, and of further ones as many as it takes to make `most`, none on what is told already."""
    told = list(sentences)
    for words, sentence in further:
        if len(told) >= most:
            break
        if not any(words in line for line in told):
            told.append(sentence)
    return told


def title(rule: str) -> str:
    """Return a rule's name as sentences have it."""
    return f"the {rule.upper() if rule in ('cassa', 'hls') else rule} rule"


def of_rule(sentences: list[str], learned: str, rule: str) -> list[str]:
    """Return the learned score's sentences with the rule that it learned named, where sites are by another rule."""
    if learned == rule:
        return sentences
    name = title(learned)
    return [
        line.replace("the rule", f"{name}, which the score learned,", 1)
        if "the rule" in line
        else f"{line} of the score, which learned {name}"
        for line in sentences
    ]


def against(row: pd.Series, ellipse: Ellipse, name: str, rule: RuleSettings, reach: ReachSettings) -> list[str]:
    """Return what speaks against a site whatever the weights are: no way to shadow, a poor ellipse."""
    found = []
    for mover, by, limit in (("walk", "on foot", reach.walk_slope_deg), ("rover", "by rover", reach.rover_slope_deg)):
        if row[f"psr_{mover}"] == NO_WAY:
            found.append(
                f"no way {by} over ground of at most {limit:g}° leads to permanent shadow of at least"
                f" {reach.psr_area_km2:g} km²"
            )
    if ellipse.slope_max_deg is not None and ellipse.slope_max_deg > rule.max_slope_deg:
        found.append(
            f"the landing ellipse's steepest pixel has {ellipse.slope_max_deg:.1f}°"
            f" ({title(name)} allows {rule.max_slope_deg:g}° on average)"
        )
    share = float(row["ellipse_inside_share"])
    if share < INSIDE:
        found.append(f"only {100.0 * share:.0f} % of the landing ellipse lies in the site's good ground")
    if not ellipse.meets_light and ellipse.known_share == 1.0:
        found.append(
            f"no landing ellipse around its best place meets {title(name)}'s limits of light and Earth view on average"
            " without touching permanent shadow"
        )
    return found


def unknown(row: pd.Series, ellipse: Ellipse, rule: RuleSettings, pixel_m: float) -> list[str]:
    """Return what is unknown of a site, one sentence each; an empty list where nothing is."""
    found = [
        _MISSING[criterion.name]
        for criterion in CRITERIA
        if criterion.name in _MISSING and pd.isna(row[criterion.column])
    ]
    found += [
        f"way {name} to permanent shadow: slope or shadow is unknown at the ellipse's centre or on the way"
        for mover, name in (("walk", "on foot"), ("rover", "by rover"))
        if row[f"psr_{mover}"] == "unknown"
    ]
    if pd.isna(row["score"]):
        found.append("the learned score: an input of the scorer is missing in its cell")
    if ellipse.known_share < 1.0:
        found.append(f"{100.0 * (1.0 - ellipse.known_share):.0f} % of the landing ellipse's area")
    if 0.0 < rule.slope_buffer_m < pixel_m:
        found.append(
            f"steep ground within {rule.slope_buffer_m:g} m: pixels of {pixel_m:g} m do not resolve it,"
            " the mean slope stands for it"
        )
    if not resolves(ellipse.semi_axes_m, pixel_m):
        found.append(
            f"the landing ellipse itself: its semi-minor axis of {ellipse.semi_axes_m[1]:g} m is smaller than a pixel"
            f" of {pixel_m:g} m; the pixels that it touches stand for it"
        )
    return found


def resolves(semi_axes_m: tuple[float, float], pixel_m: float) -> bool:
    """Whether pixels resolve an ellipse: its semi-minor axis is at least one of them long."""
    return min(semi_axes_m) >= pixel_m


def _said(criterion: Criterion, value: float) -> str:
    number = f"{value:,.0f}".replace(",", " ") if abs(value) >= 100.0 else f"{value:.3g}"
    unit = criterion.unit.replace("km2", "km²")
    return f"{criterion.words} {number} {unit}"
