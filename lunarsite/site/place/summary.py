"""What the sites are worth, as a record: counts, order, how firm it is beside chance, what the map cannot resolve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
from pydantic import JsonValue
from scipy.stats import kendalltau

from lunarsite.artefact.record import Metric, Record, Verdict
from lunarsite.settings import PlacingSettings, RankingSettings, RuleSettings
from lunarsite.site.place.facts import failing
from lunarsite.site.place.ground import Ground
from lunarsite.site.place.listing import TOP, Candidates, Listing
from lunarsite.site.place.merit import CRITERIA
from lunarsite.site.place.regions import Region, inside
from lunarsite.site.place.words import resolves

_FIRM = 0.9
_METHODS = {"topsis": "TOPSIS", "weighted_sum": "the weighted sum"}
_LIMITS = {"slope": "slope", "light": "sunlight", "earth": "Earth view"}
_ROW = (
    *("rank", "site_id", "lon", "lat", "region", "area_km2", "probability", "slope_deg", "illumination_pct"),
    *("earth_visibility_pct", "longest_night_h", "psr_walk", "psr_walk_m", "merit_topsis", "merit_weighted_sum"),
    *("rank_topsis", "rank_weighted_sum", "rank_low", "rank_median", "rank_high", "share_top_20", "share_top_100"),
)


def summary(
    target: str,
    found: Candidates,
    listing: Listing,
    by_region: Mapping[str, Listing],
    regions: list[dict[str, JsonValue]],
    placing: PlacingSettings,
    ranking: RankingSettings,
    notes: Sequence[str],
) -> Record:
    """Return the record of a run's sites.

    Args:
        target: Name of the rule of the overall list.
        found: Its good ground.
        listing: The overall list.
        by_region: The list of each region by its code.
        regions: Rows of the table of regions.
        placing: Spacing and numbers.
        ranking: Method, weights and draws.
        notes: Plain sentences on what the run cannot resolve.
    """
    sites = listing.frame
    metrics = (
        Metric(name="good_cells", value=float(found.ground.ids.size), unit="1"),
        Metric(name="good_area", value=_whole_area(found.ground), unit="km2"),
        Metric(name="pieces_of_good_ground", value=float(found.ground.components), unit="1"),
        Metric(name="sites", value=float(len(sites)), unit="1"),
        Metric(name="pieces_of_sites", value=float(sites["piece_id"].nunique()), unit="1"),
        Metric(name=f"pieces_of_top_{TOP}", value=float(sites["piece_id"].head(TOP).nunique()), unit="1"),
        Metric(name="area_of_sites", value=float(sites["area_km2"].sum()), unit="km2"),
        Metric(name="region_sites", value=float(sum(len(each.frame) for each in by_region.values())), unit="1"),
        Metric(name="regions_with_sites", value=float(sum(not each.frame.empty for each in by_region.values()))),
        *_firmness(listing),
        Metric(
            name="probability_gap",
            value=listing.probability_gap if len(sites) else None,
            unit="1",
            why="largest difference at a site of the probability that the shifted limits start from (Gaussian slope)"
            " from that of the clones"
            if len(sites)
            else "there are no sites",
        ),
    )
    return Record(
        title="Sites",
        metrics=metrics,
        verdicts=(_verdict(listing),),
        tables={
            "top": _rows(sites.head(TOP), _ROW),
            "criteria": _criteria(sites, listing, ranking),
            "regions": regions,
        },
        notes=(*_said(target, found, listing, placing, ranking), *notes),
    )


def region_row(
    region: Region,
    x_m: np.ndarray,
    y_m: np.ndarray,
    facts: pd.DataFrame,
    good: int,
    listing: Listing,
    rule: RuleSettings,
) -> dict[str, JsonValue]:
    """Return the row of a region: its cells, what fails the rule there, its sites, and why it has none.

    Args:
        region: The region.
        x_m: Map x of all cells' centres.
        y_m: Their map y.
        facts: The rule's facts of all cells.
        good: Number of good cells in the region.
        listing: Its sites.
        rule: The rule.
    """
    held = inside(region.outline, x_m, y_m)
    known = held & facts["probability"].notna().to_numpy()
    count, unknown = int(known.sum()), int(held.sum() - known.sum())
    failed = {name: int((fails & known).sum()) for name, fails in failing(facts, rule).items()}
    return {
        "code": region.code,
        "region": region.name,
        "cells": int(held.sum()),
        "unknown_cells": unknown,
        **{f"cells_failing_{name}": number for name, number in failed.items()},
        "good_cells": good,
        "sites": len(listing.frame),
        "why": _why(int(held.sum()), count, failed, good, len(listing.frame)),
    }


def _why(held: int, known: int, failed: Mapping[str, int], good: int, sites: int) -> str:
    if sites:
        return ""
    if not held:
        return "no cell of the map has its centre in it"
    if not known:
        return "an input of the rule is unknown in all of its cells"
    if good:
        raise ValueError("a region with good ground has a site")
    shares = ", ".join(
        f"{_LIMITS[name]} in {100.0 * number / known:.0f} %"
        for name, number in sorted(failed.items(), key=lambda item: -item[1])
        if number
    )
    of_known = f"of its {known} known cells none is probable enough to meet the rule"
    return f"{of_known}; the limit fails for {shares}" if shares else of_known


def _whole_area(ground: Ground) -> float:
    return float(ground.cells.true_area_m2()[ground.ids].sum()) / 1e6


def _firmness(listing: Listing) -> list[Metric]:
    sites = len(listing.frame)
    frame = listing.frame
    if sites < 2:
        why = "an order needs at least two sites"
        names = (
            *("kendall_tau", "top_20_firm", "top_20_mean_share", "top_20_mean_share_topsis"),
            *("top_20_mean_share_weighted_sum", "top_20_chance", "top_20_below_share", "sites_removed_per_draw"),
        )
        return [Metric(name=name, value=None, why=why) for name in names]
    tau = _tau(listing)
    top = frame.head(TOP)
    share = top["share_top_20"].to_numpy(np.float64)
    chance = min(1.0, TOP / sites)
    return [
        Metric(
            name="kendall_tau",
            value=tau,
            unit="1",
            why="TOPSIS against the weighted sum; a random order has 0 on average",
        ),
        Metric(
            name="top_20_firm",
            value=float((share >= _FIRM).sum()),
            unit="1",
            why=f"of the {len(top)} best sites, those that stay among the {TOP} best in at least 90 % of the draws",
        ),
        Metric(
            name="top_20_mean_share",
            value=float(share.mean()),
            unit="1",
            why=f"share of the draws in which one of the {len(top)} best sites stays among the {TOP} best, on average",
        ),
        *(
            Metric(
                name=f"top_20_mean_share_{method}",
                value=mean,
                unit="1",
                why=f"the same for the order and the {len(top)} best sites of {_METHODS[method]}",
            )
            for method, mean in listing.top_share.items()
        ),
        Metric(
            name="top_20_chance",
            value=chance,
            unit="1",
            why=f"the same share for sites in random order: {TOP} of {sites}",
        ),
        Metric(
            name="top_20_below_share",
            value=float(listing.below_share[: len(top)].mean()),
            unit="1",
            why="share of the draws in which shifted limits leave one of the best sites no good ground, on average",
        ),
        Metric(
            name="sites_removed_per_draw",
            value=float(listing.below_share.sum()),
            unit="1",
            why=f"of the {sites} sites, those that the shifted limits leave no good ground in a draw, on average",
        ),
    ]


def _tau(listing: Listing) -> float:
    return float(kendalltau(listing.frame["rank_topsis"], listing.frame["rank_weighted_sum"]).statistic)


def _verdict(listing: Listing) -> Verdict:
    sites = len(listing.frame)
    value = float(listing.frame["share_top_20"].head(TOP).mean()) if sites > TOP else None
    return Verdict(
        name="the 20 best sites stay among the 20 best",
        value=value,
        unit="share of draws",
        bound=">= 0.5",
        holds=None if value is None else value >= 0.5,
        why=(
            f"mean over the 20 best sites; a random order would have {TOP / sites:.3f}. Below one half the list of the"
            " 20 best is more a matter of weights and limits than of ground. By method: "
            + ", ".join(f"{_METHODS[method]} {share:.3f}" for method, share in listing.top_share.items())
            + f". Shifted limits remove {listing.below_share.sum():.3g} of the {sites} sites in a draw, on average; new"
            " ones are not looked for: which sites are ranked at all is fixed by the weights and limits of the run"
            if sites > TOP
            else f"{sites} sites are no more than 20: nothing can leave the 20 best"
        ),
    )


def _rows(frame: gpd.GeoDataFrame, columns: Sequence[str]) -> list[dict[str, JsonValue]]:
    return [
        {
            name: None if pd.isna(row[name]) else row[name].item() if hasattr(row[name], "item") else row[name]
            for name in columns
        }
        for _, row in frame.iterrows()
    ]


def _criteria(sites: gpd.GeoDataFrame, listing: Listing, ranking: RankingSettings) -> list[dict[str, JsonValue]]:
    scale = listing.scale
    spread = dict(zip((criterion.name for criterion in scale.criteria), listing.spread.tolist(), strict=True))
    used = dict(zip((criterion.name for criterion in scale.criteria), scale.weights.tolist(), strict=True))
    return [
        {
            "name": criterion.name,
            "words": criterion.words,
            "column": criterion.column,
            "unit": criterion.unit,
            "better": "more" if criterion.higher_is_better else "less",
            "weight_given": float(getattr(ranking.weights, criterion.name)),
            "weight_used": used.get(criterion.name, 0.0),
            "share_of_weighted_spread": spread.get(criterion.name, 0.0),
            "sites_known": int(sites[criterion.column].notna().sum()),
            "left_out_because": scale.dropped.get(criterion.name, ""),
        }
        for criterion in CRITERIA
    ]


def _said(
    target: str, found: Candidates, listing: Listing, placing: PlacingSettings, ranking: RankingSettings
) -> list[str]:
    sites = len(listing.frame)
    notes = [
        f"Good ground: cells that meet the rule '{target}' with a probability of at least"
        f" {placing.least_probability:g}. Centres of the landing ellipses lie at least {placing.spacing_km:g} km apart"
        f" in the overall list, {placing.region_spacing_km:g} km in that of a region; landing regions play no part in"
        " the overall list."
    ]
    if not sites:
        known = int(found.ground.ids.size)
        notes.append(f"There are {known} cells of good ground, so there are no sites; the lists are empty.")
        return notes
    pieces = listing.frame["piece_id"]
    best = f"; the best {TOP} lie on {pieces.head(TOP).nunique()}" if sites > TOP else ""
    notes.append(
        f"The {sites} sites lie on {pieces.nunique()} of {found.ground.components} pieces of contiguous good"
        f" ground{best}."
    )
    if sites == placing.most:
        notes.append(
            f"The list ends at {placing.most} sites, as site.placing.most asks; there may be more good ground."
        )
    if sites > 1:
        notes.append(
            f"TOPSIS and the weighted sum agree by a Kendall's tau of {_tau(listing):.2f} (1: the same order, 0:"
            " unrelated). TOPSIS takes criteria stretched from their 5 % to their 95 % quantile and measures straight"
            " distances to the best and the worst, so that one great weakness counts more than several small ones; the"
            " weighted sum stretches each from its worst to its best and adds up."
        )
    unknown = [name for name, why in listing.scale.dropped.items() if why != "its weight is 0"]
    if unknown:
        notes.append(
            f"Unknown for every site, so without part in the order: {', '.join(unknown)}. The others share"
            " their weights in proportion."
        )
    if not listing.scale.used.size:
        notes.append("No criterion with a weight is known of any site: the order goes by probability alone.")
    notes.append(
        f"Ranks under {ranking.draws} draws: weights from a flat Dirichlet distribution over the criteria in use, and"
        f" each limit of the rule shifted by itself, uniformly within ±{100.0 * ranking.threshold_shift:g} %. Sites"
        f" that the shifted limits make less probable than {placing.least_probability:g} go behind all others."
        " Unknown values of a site are drawn from those known of others. The sites themselves stay those that the run's"
        " own weights and limits chose."
    )
    notes.append(
        "Ways to permanent shadow start at the ellipse's centre. The longest time without Sun and the time with Sun and"
        " Earth together are those of the best-lit pixel of the site's cell, which may lie beside the ellipse; the"
        " other criteria are of the cell."
    )
    return notes


def resolution_notes(rules: Mapping[str, RuleSettings], placing: PlacingSettings, pixel_m: float) -> list[str]:
    """Return what pixels of a size cannot tell of rules and landing ellipses, one sentence each."""
    notes = [
        f"Pixels of {pixel_m:g} m do not resolve the {name} rule's buffer of {rule.slope_buffer_m:g} m to steeper"
        " ground; it reads the mean slope of the cell instead. Its sites are not shown to keep that distance."
        for name, rule in rules.items()
        if 0.0 < rule.slope_buffer_m < pixel_m
    ]
    axes = placing.ellipse_semi_axes_m
    if resolves(axes, pixel_m):
        area_px = np.pi * axes[0] * axes[1] / pixel_m**2
        notes.append(
            f"A landing ellipse of {max(axes):g} by {min(axes):g} m (semi-axes) holds about {area_px:.0f} pixels of"
            f" {pixel_m:g} m; slopes and obstacles smaller than a pixel are not in its figures."
        )
    else:
        notes.append(
            f"Pixels of {pixel_m:g} m do not resolve the landing ellipse of {max(axes):g} by {min(axes):g} m"
            " (semi-axes): its figures are those of the few pixels that it touches."
        )
    return notes
