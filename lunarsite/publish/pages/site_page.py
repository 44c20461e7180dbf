"""The page of one site: its ground, light, reasons, rank, ways and criteria, and what is unknown of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lunarsite.publish.pages import charts, criteria, maps
from lunarsite.publish.pages.elements import (
    Link,
    embedded,
    interval,
    lines,
    percent,
    position,
    region_file,
    site_file,
)
from lunarsite.publish.pages.gather import SiteRun
from lunarsite.publish.report import Picture, Table, nearest
from lunarsite.publish.story import Fact
from lunarsite.publish.words import label_words, number_words, probability_words
from lunarsite.settings import RuleSettings

_SIZES = (20, 100)
"""Heads of the list that a site may stay in."""


def compose(run: SiteRun, site: pd.Series) -> dict[str, Any]:
    """Return what the template prints of a site.

    Args:
        run: The run.
        site: Its row among the sites.
    """
    rank = int(site["rank"])
    ranks = [int(other) for other in run.paged["rank"]]
    at = ranks.index(rank)
    near = nearest(run.features, float(site["lon"]), float(site["lat"]))
    region = next((region for region in run.regions if region.code == site["region"]), None)
    return {
        "rank": rank,
        "heading": f"Site {rank}" + (f": {near}" if near else ""),
        "place": position(site),
        "region": None if region is None else Link(region.name, region_file(region.code)),
        "before": Link(f"Site {ranks[at - 1]}", site_file(ranks[at - 1])) if at > 0 else None,
        "after": Link(f"Site {ranks[at + 1]}", site_file(ranks[at + 1])) if at + 1 < len(ranks) else None,
        "facts": facts(run, site),
        "pictures": pictures(run, site),
        "reasons_for": lines(str(site["reasons_for"])),
        "reasons_against": lines(str(site["reasons_against"])),
        "unknown": unknown(run, site),
        "rank_words": rank_words(run, site),
        "ways": ways_words(run, site),
        "criteria": criteria.table(site, run.sites, run.medians),
        "rules": rule_table(run, site),
        "estimates": estimates(run, site),
    }


def facts(run: SiteRun, site: pd.Series) -> tuple[Fact, ...]:
    """Return the numbers at the head of a site's page, each with what it is to be held against."""
    count = len(run.sites)
    target = run.chosen.scorer.target.upper()
    return (
        Fact(
            f"Probability to meet the {target} rule",
            probability_words(float(site["probability"])),
            "over clones of the terrain; no chance of a safe landing",
        ),
        Fact(f"Rank among {count} sites", str(site["rank"]), f"{interval(site)} in 95 % of the draws"),
        Fact("Draws that keep it in the top 20", percent(float(site["share_top_20"])), _chance(20, count)),
        Fact(
            "Slope in the ellipse",
            _degrees(site["ellipse_slope_mean_deg"]),
            f"greatest pixel {_degrees(site['ellipse_slope_max_deg'])}",
        ),
        Fact("Ellipse inside the site's polygon", percent(float(site["ellipse_inside_share"])), "of its area"),
        Fact(
            "Sunlight in the ellipse",
            _share(site["ellipse_sun_pct"]),
            f"of the time; Earth in view {_share(site['ellipse_earth_pct'])}",
        ),
        Fact(
            "From the ellipse to permanent shadow on foot",
            criteria.way_words(site, "walk"),
            f"rover {criteria.way_words(site, 'rover')}",
        ),
    )


def _chance(size: int, count: int) -> str:
    return f"a random order: {percent(min(1.0, size / count))}"


def _degrees(value: float) -> str:
    return "unknown" if np.isnan(value) else f"{value:.1f}°"


def _share(value: float) -> str:
    return "unknown" if np.isnan(value) else f"{value:.0f} %"


def rank_words(run: SiteRun, site: pd.Series) -> tuple[str, ...]:
    """Return how firm a site's rank is, in sentences with their nulls."""
    count = len(run.sites)
    method = run.chosen.ranking.method
    names = {"topsis": "TOPSIS", "weighted_sum": "the weighted sum"}
    other = "weighted_sum" if method == "topsis" else "topsis"
    kept = "; ".join(
        f"in the top {size} in {percent(float(site[f'share_top_{size}']))} of the draws ({_chance(size, count)})"
        for size in _SIZES
    )
    return (
        f"Ordered by {names[method]} it is site {site[f'rank_{method}']} of {count}; by {names[other]} it would be"
        f" {site[f'rank_{other}']}.",
        f"Under random weights and limits shifted by up to {100 * run.chosen.ranking.threshold_shift:g} % its rank lies"
        f" between {interval(site, 'and')} (95 % of the draws, median {site['rank_median']:.0f}). It stays {kept}.",
    )


def ways_words(run: SiteRun, site: pd.Series) -> tuple[str, ...]:
    """Return what is known of the ways from a site to permanent shadow."""
    reach = run.chosen.reach
    sentences = []
    for mover, words, limit in (
        ("walk", "On foot", reach.walk_slope_deg),
        ("rover", "By rover", reach.rover_slope_deg),
    ):
        state = str(site[f"psr_{mover}"])
        over = f"over ground of at most {limit:g}°"
        said = {
            "reached": f"{criteria.way_words(site, mover)} {over}.",
            "no way": f"no way leads there {over}.",
            "unknown": "unknown, because slope or shadow of the ground is.",
        }
        sentences.append(f"{words}, from the ellipse's centre: {said.get(state, state)}")
    straight = float(site["psr_distance_m"])
    length = "unknown" if np.isnan(straight) else f"{straight / 1000.0:.2f} km"
    sentences.append(
        f"Straight, from the nearest pixel of the best cell: {length}. Only permanently shadowed regions of at least"
        f" {reach.psr_area_km2:g} km² count as destinations; steeper ground within a pixel, boulders and what a"
        " rover can really climb are not known here."
    )
    return tuple(sentences)


def unknown(run: SiteRun, site: pd.Series) -> tuple[str, ...]:
    """Return what is not known of a site: what its table says, and what no site of the run can know."""
    pixel = run.lattice.pixel_m
    minor = 2.0 * float(site["ellipse_semi_minor_m"])
    resolved = (
        f"The ellipse's shorter axis is {minor / pixel:.1f} pixels of {pixel:g} m wide: slopes, boulders and craters"
        " smaller than two pixels are not seen."
    )
    rest = "Dust, bearing strength, radio relays, propellant and the way to orbit are not looked at."
    pages = (
        () if run.months is not None else ("Light by calendar month: this run did not compute it for single sites.",)
    )
    return (*lines(str(site["unknown"])), *pages, resolved, rest)


def rule_table(run: SiteRun, site: pd.Series) -> Table:
    """Return what each rule says of the site's best cell: the hard label, the probability, the slope's spread."""
    row = int(run.row_of_cell[int(site["cell_id"])])
    rows = []
    for name, labels in run.labels.items():
        label = labels.iloc[row]
        slope = "unknown"
        if np.isfinite(label["slope_mean_deg"]):
            slope = f"{label['slope_mean_deg']:.2f} ± {label['slope_sigma_deg']:.2f}"
        rule = run.chosen.rules.named()[name]
        rows.append(
            (
                name.upper(),
                limit_words(rule, run.lattice.pixel_m),
                label_words(str(label["label"])),
                probability_words(float(label["probability"])),
                slope,
                str(label["unknown_because"]) or "nothing",
            )
        )
    return Table(
        "The rules at the site's best cell. The label is of the terrain as it is given; the probability is the share"
        " of its clones, drawn within the elevation's error, that meet the rule with light as uncertain as it is. It is"
        " the chance that the ground meets the rule, not that of a safe landing.",
        ("Rule", "Limits", "Label", "Probability", "Slope over clones (°)", "Unknown inputs"),
        tuple(rows),
        (False, False, False, True, True, False),
    )


def limit_words(rule: RuleSettings, pixel_m: float) -> str:
    """Return a rule's limits in words; a buffer narrower than a pixel is not resolved, and the mean slope is read."""
    buffer = f" with {rule.slope_buffer_m:g} m to steeper ground" if rule.slope_buffer_m else ""
    if 0.0 < rule.slope_buffer_m < pixel_m:
        buffer = f" (mean; the buffer of {rule.slope_buffer_m:g} m is not resolved)"
    return (
        f"slope ≤ {rule.max_slope_deg:g}°{buffer}, Sun ≥ {rule.min_illumination_pct:g} %,"
        f" Earth ≥ {rule.min_earth_visibility_pct:g} %"
    )


def estimates(run: SiteRun, site: pd.Series) -> Table:
    """Return the learned estimates of the site's best cell beside the base rate of all cells."""
    row = int(run.row_of_cell[int(site["cell_id"])])
    scores, held = run.tables["scores"], run.tables["held_out"]
    label = run.labels[run.chosen.scorer.target]
    base = float(label["probability"].mean())
    ranked = int((scores["rank"] > 0).sum())
    rows = (
        ("Monte Carlo over the rule's inputs", label["probability"].iloc[row], "what the score learns to copy"),
        ("Learned score", scores["probability"].iloc[row], _rank(int(scores["rank"].iloc[row]), ranked)),
        ("Trees that never saw this block of the map", held["probability"].iloc[row], _fold(held["fold"].iloc[row])),
        (
            "The same from context alone",
            held["context_probability"].iloc[row],
            "height, roughness and craters of the cell",
        ),
    )
    return Table(
        f"Probability that the best cell meets the {run.chosen.scorer.target.upper()} rule, by how it was estimated.",
        ("Estimate", "Probability", "Note"),
        (
            *((name, probability_words(float(value)), note) for name, value, note in rows),
            ("All cells, mean of the Monte Carlo", f"{base:.3f}", "the base rate"),
        ),
        (False, True, False),
    )


def _rank(rank: int, ranked: int) -> str:
    return f"rank {number_words(rank)} of {number_words(ranked)} cells" if rank else "no rank: an input is unknown"


def _fold(fold: int) -> str:
    return "in no fold: its inputs are unknown" if fold < 0 else f"held out in fold {fold}"


def pictures(run: SiteRun, site: pd.Series) -> dict[str, Picture]:
    """Draw the figures of a site; those whose data the run lacks are left out."""
    rank, dpi = int(site["rank"]), run.chosen.publish.figure_dpi
    close = maps.close_width_m(site) / 1000.0
    limit = run.chosen.rule.max_slope_deg
    drawn: dict[str, tuple[Any, str, str]] = {
        "map": (
            maps.draw_site(run, site),
            f"Two maps of shaded relief: 10 km around site {rank} and {close:g} km around its landing ellipse, with"
            " steep ground outlined, permanent shadow hatched, the site's polygon and ways to shadow.",
            f"Surroundings and landing ellipse. Outlined in orange: steeper than {limit:g}°. Pixels are drawn as they"
            " are; nothing is known of what is smaller.",
        ),
        "light": (
            maps.draw_light(run, site),
            f"Two maps of 10 km around site {rank}: share of time with the Sun and with the Earth in view.",
            "Sunlight and Earth view as the rule reads them. Outlined in orange: below the rule's limit.",
        ),
        "slopes": (
            charts.draw_slopes(run, site),
            f"Histogram of the slopes in the polygon of site {rank}, and the slopes of the ellipse's pixels, with the"
            " rule's limit.",
            "The rule asks for the mean slope of a cell, so single pixels may pass its limit.",
        ),
        "ranks": (
            charts.draw_ranks(run, site, _ranks(run, int(site["site_id"]))),
            f"Histogram of the ranks of site {rank} over the draws of weights and limits.",
            "How often the site takes each rank when the weights are random and the limits shift.",
        ),
    }
    name = f"site-{rank:03d}"
    place = None if run.skies is None else next((p for p in run.skies.places if p.name == name), None)
    if run.skies is not None and place is not None:
        drawn["sky"] = (
            run.skies.page(place, f"Sky over site {rank}"),
            f"Horizon around site {rank} over the compass with the tracks of Sun and Earth, and when each is in view.",
            f"Horizon at the ellipse's centre with the tracks of Sun and Earth over {run.chosen.places.days:g} days.",
        )
    months = None if run.months is None else run.months[run.months["place"] == name]
    if months is not None and len(months):
        drawn["months"] = (
            charts.draw_months(run, site, months),
            f"Share of each calendar month with Sun and with Earth in view at site {rank}: mean, worst and best year.",
            "Light by month at the ellipse's centre. The Moon's seasons last 346.6 days and drift through the calendar,"
            " so a month may be polar summer in one year and winter in another: the band tells more than the mean.",
        )
    shap = _shap(run, int(site["cell_id"]))
    if shap is not None:
        drawn["drivers"] = (
            charts.draw_drivers(run, site, *shap),
            f"Bars of the SHAP values of the features of site {rank}'s best cell, largest first.",
            "What moved the learned score of the best cell, beside the feature's value there.",
        )
    ways = run.routes_of(int(site["site_id"]))
    if ways:
        drawn["ways"] = (
            charts.draw_ways(run, site, ways),
            f"Height along the ways from site {rank} to permanent shadow, on foot and by rover.",
            "Height along the shortest ways over ground that is not too steep.",
        )
    return {key: embedded(key, figure, dpi, alt, caption) for key, (figure, alt, caption) in drawn.items()}


def _ranks(run: SiteRun, site_id: int) -> pd.Series[int]:
    ranks = run.tables["ranks"]
    return ranks["rank"][ranks["site_id"] == site_id]


def _shap(run: SiteRun, cell_id: int) -> tuple[pd.Series, pd.Series] | None:
    """Return the SHAP values of a cell and its features' values, or None if none were kept for it."""
    row = int(run.row_of_cell[cell_id])
    scores, cells = run.tables["scores"], run.tables["cells"]
    columns = [str(name) for name in scores.columns if str(name).startswith("shap_")]
    names = [name.removeprefix("shap_") for name in columns if name.removeprefix("shap_") in cells.columns]
    values = scores.iloc[row][[f"shap_{name}" for name in names]].astype(np.float64)
    if not names or values.isna().all():
        return None
    values.index = pd.Index(names)
    return values.fillna(0.0), cells.iloc[row][names].astype(np.float64)
