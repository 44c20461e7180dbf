"""What the report says of the best sites: the table of them with how firm their order is, and what is unknown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from lunarsite.artefact.contracts import CRITERIA
from lunarsite.publish.polar_map import Feature
from lunarsite.publish.report import Table, fixed, nearest
from lunarsite.publish.words import (
    feature_words,
    latitude_words,
    longitude_words,
    number_words,
    probability_words,
    rule_words,
)

LISTED: Final = 20
"""Best sites in the table."""
FIRM: Final = 0.9
"""A site that stays in the top 20 in so large a share of the draws is called firm."""
CRITERIA_COLUMNS: Final = [
    column.name
    for column in CRITERIA.columns
    if column.name not in ("cell_id", "lon", "lat") and column.dtype != "string"
]
"""Criteria with a number, as the report lists them."""
PAGES: Final = "pages/index.html"
PICTURES: Final[dict[str, tuple[str, str]]] = {
    "site_map": (
        "Map of the best sites over shaded relief: the polygons of the first twenty are numbered, others lighter, the"
        " Artemis regions outlined, with two squares enlarged.",
        "The best sites. A site is a part of a piece of contiguous good ground, so several sites may share a piece;"
        " polygons are drawn as they are.",
    ),
    "site_ranks": (
        "Chart of the rank intervals of the twenty best sites under random weights and shifted limits, and bars of the"
        " share of draws in which each stays in the top twenty.",
        "How firm the order is: where each site ranks when the weights are random and the limits shift.",
    ),
}
"""Alternative texts and captions, in the order of the report."""


def told(sites: pd.DataFrame, target: str) -> tuple[str, ...]:
    """Return what is said of the sites before their table, with what a random order would reach."""
    if sites.empty:
        return (f"No ground is good enough for a site by the {rule_words(target)} rule.",)
    count = len(sites)
    best = sites[sites["rank"] <= LISTED]
    firm = int((best["share_top_20"] >= FIRM).sum())
    null = min(1.0, LISTED / count)
    pieces, of_best = int(sites["piece_id"].nunique()), int(best["piece_id"].nunique())
    words = (
        f"{number_words(count)} {'sites' if count > 1 else 'site'} on {number_words(pieces)}"
        f" {'pieces' if pieces > 1 else 'piece'} of contiguous ground that is probable enough to meet the"
        f" {rule_words(target)} rule, each with its best place inside; the best"
        f" {len(best)} on {number_words(of_best)}.",
        f"Of the first {len(best)}, {firm} stay in the top {LISTED} in at least {100.0 * FIRM:.0f} % of the draws with"
        f" random weights and shifted limits. A random order would keep a site there in {100.0 * null:.3g} % of"
        " the draws.",
    )
    lost = best[best["psr_walk"] == "no way"]
    blind = best[best["psr_walk"] == "unknown"]
    return (
        *words,
        f"No way on foot leads to permanent shadow from {len(lost)} of them"
        + (f"; for {len(blind)} it is unknown." if len(blind) else "."),
    )


def site_table(sites: pd.DataFrame, features: Sequence[Feature], pages: int) -> Table:
    """Return the table of the best sites: where they are, how good, how firm, and how much of each is unknown.

    Args:
        sites: The table of sites.
        features: Named features; the nearest one is named.
        pages: Sites that have a page of their own.
    """
    best = sites[sites["rank"] <= LISTED].sort_values("rank", kind="stable")
    body, links = [], []
    for _, site in best.iterrows():
        rank = int(site["rank"])
        body.append(
            (
                str(rank),
                nearest(features, float(site["lon"]), float(site["lat"])),
                latitude_words(float(site["lat"]), 2),
                longitude_words(float(site["lon"]), 2),
                str(site["region"]) or "none",
                probability_words(float(site["probability"])),
                f"{site['rank_median']:.0f} ({site['rank_low']:.0f} to {site['rank_high']:.0f})",
                f"{100.0 * float(site['share_top_20']):.0f}",
                fixed(float(site["slope_deg"]), 1),
                fixed(float(site["illumination_pct"]), 1),
                fixed(float(site["earth_visibility_pct"]), 1),
                way(site),
                fixed(float(site["area_km2"]), 1),
                fixed(float(site["good_area_km2"]), 0),
                str(len(str(site["unknown"]).splitlines())),
            )
        )
        links.append(f"pages/site-{rank:03d}.html" if rank <= pages else "")
    columns = (
        "Rank", "Nearest named feature", "Latitude", "Longitude", "Artemis region", "Probability",
        "Rank in the draws: median (95 %)", f"In the top {LISTED} (% of draws)", "Slope (°)", "Sunlight (% of time)",
        "Earth view (% of time)", "Way on foot from the ellipse to permanent shadow (km)", "Area of its polygon (km²)",
        "Contiguous good ground around it (km²)", "Unknown criteria",
    )  # fmt: skip
    null = 100.0 * min(1.0, LISTED / max(len(sites), 1))
    return Table(
        f"The {len(body)} best sites. Probability: that the best cell meets the rule, which is no chance of a safe"
        f" landing. A random order would keep a site in the top {LISTED} in {null:.3g} % of the draws.",
        columns,
        tuple(body),
        tuple(column != "Nearest named feature" for column in columns),
        tuple(links) if any(links) else (),
    )


def way(site: Any) -> str:
    """Return the way on foot from a site to permanent shadow in words: kilometres, 'no way' or 'unknown'."""
    length = float(site["psr_walk_m"])
    return (
        f"{length / 1000.0:.1f}" if site["psr_walk"] == "reached" and math.isfinite(length) else str(site["psr_walk"])
    )


def criteria_table(criteria: pd.DataFrame) -> Table:
    """Return the table of the criteria beyond the rule: of how many cells each is known, and what values it has."""
    rows = []
    for name in CRITERIA_COLUMNS:
        values = criteria[name].to_numpy(dtype=np.float64)
        known = values[np.isfinite(values)]
        low, median, high = np.quantile(known, (0.05, 0.5, 0.95)) if known.size else (math.nan,) * 3
        rows.append(
            (
                feature_words(name),
                f"{100.0 * known.size / max(values.size, 1):.3g}",
                number_words(float(median)),
                f"{number_words(float(low))} to {number_words(float(high))}" if known.size else "unknown",
            )
        )
    return Table(
        "Criteria beyond the rule, over all cells. What no input of the run tells is unknown, and drops out of the"
        " order of the sites.",
        ("Criterion", "Cells known (%)", "Median", "5 to 95 % of the cells"),
        tuple(rows),
        (False, True, True, True),
    )
