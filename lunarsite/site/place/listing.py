"""Lists of sites: pieces of good ground with their ellipses, criteria, order and reasons.

One function makes a list of any ground, so that the overall list and each region's are made alike. Landing regions
never enter the overall list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from shapely.geometry import Polygon

from lunarsite.artefact.contracts import SITES
from lunarsite.grid import Cells, xy_to_lonlat
from lunarsite.settings import PlacingSettings, RankingSettings, ReachSettings, RuleSettings
from lunarsite.site.place import merit as merits
from lunarsite.site.place import sensitivity as shaken
from lunarsite.site.place import words
from lunarsite.site.place.ellipse import Ellipse, best_ellipse
from lunarsite.site.place.ground import Ground, Piece, apart, best_places, good_ground, outline, pieces, unit_vectors
from lunarsite.site.place.merit import Floats, Scale
from lunarsite.site.place.patches import Ints, patch_around
from lunarsite.site.place.regions import Region, inside
from lunarsite.site.place.sensitivity import METHODS, Ranks, RuleInputs, Sensitivity
from lunarsite.site.place.ways import Ways, ways_from
from lunarsite.site.reduction import Read

Reasons = Callable[[int], tuple[list[str], list[str]]]
"""Returns the learned score's reasons for and against a cell, given its id."""


TOP = 20
"""Sites whose staying among the best of so many is watched."""
_RULE_READS = ("slope_mean_deg", "slope_sigma_deg", "illumination_pct", "earth_visibility_pct")


@dataclass(frozen=True)
class Task:
    """What a list of sites is made from: the map, a rule with its facts of every cell, and the run's settings.

    Attributes:
        cells: The map's cells.
        centres_m: Map x and y of all cells' centres.
        layers: Readers of 'slope', 'sun', 'earth', 'psr' and 'height'.
        facts: Row per cell as `facts.facts_of` returns it.
        name: Name of the rule that makes ground good.
        rule: That rule.
        ways: What reads the ways to shadow of each mover.
        reasons: The learned score's reasons.
        sigmas_pct: One-sigma errors of light and of Earth view, percent of time.
        biases_pct: What the probabilities take off the map's light and Earth view, percent of time.
        placing: Spacing, numbers and the ellipse.
        ranking: Weights, method and draws.
        reach: What the ways to shadow were computed for.
    """

    cells: Cells
    centres_m: tuple[Floats, Floats]
    layers: Mapping[str, Read]
    facts: pd.DataFrame
    name: str
    rule: RuleSettings
    ways: Ways
    reasons: Reasons
    sigmas_pct: tuple[float, float]
    biases_pct: tuple[float, float]
    placing: PlacingSettings
    ranking: RankingSettings
    reach: ReachSettings


@dataclass(frozen=True)
class Candidates:
    """Good ground in the order in which it is tried: facts and merit of its cells."""

    ground: Ground
    facts: pd.DataFrame
    merit: Floats


@dataclass(frozen=True)
class Listing:
    """Ranked sites: their rows, ellipses and ranks under every draw, all in the order of their ranks."""

    frame: gpd.GeoDataFrame
    ellipses: tuple[Ellipse, ...]
    ranks: Ranks
    scale: Scale
    below_share: Floats
    """Share of the draws in which shifted limits leave a site no good ground."""
    top_share: Mapping[str, float]
    """By each method, the share of draws in which one of its 20 best sites stays among the 20 best, on average."""
    spread: Floats
    """Share of each criterion of the scale in the variance of the weighted, stretched criteria of the sites."""
    probability_gap: float
    """Largest difference of the Gaussian probability at the rule's own limits from the Monte Carlo one."""


def candidates(task: Task) -> Candidates:
    """Return the good ground of a rule with the merit of each cell.

    The merit is the weighted sum of the criteria that the sites are ranked by, each stretched over the good cells from
    its 5 % to its 95 % quantile; what is unknown of a cell counts as the median of the others.
    """
    probability = task.facts["probability"].to_numpy(np.float64, na_value=np.nan)
    ground = good_ground(task.cells, probability, task.placing.least_probability)
    facts = task.facts.iloc[ground.ids].assign(good_area_km2=ground.area_km2, piece_id=ground.component)
    values = merits.values_of(facts)
    scale = merits.scale_of(values, task.ranking.weights)
    if not len(values):
        return Candidates(ground, facts, np.zeros(0))
    merit = merits.robust_weighted_sum(merits.filled(values[:, scale.used]), scale.better, scale.weights)
    return Candidates(ground, facts, merit)


def within(task: Task, found: Candidates, region: Region) -> Candidates:
    """Return the candidates whose cell's centre lies in a region."""
    x_m, y_m = task.centres_m
    chosen = inside(region.outline, x_m[found.ground.ids], y_m[found.ground.ids])
    return Candidates(found.ground.of(chosen), found.facts[chosen], found.merit[chosen])


def list_sites(
    task: Task,
    found: Candidates,
    spacing_m: float,
    most: int,
    region: Region | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Listing:
    """Place and rank the sites of some ground.

    Each place gets its ellipse at once, so that the spacing is that of the ellipses' centres. A cell about which no
    centre keeps it is passed over.

    Args:
        task: What they are made from.
        found: The ground.
        spacing_m: Least true distance of the ellipses' centres of two sites.
        most: Largest number of sites.
        region: The region that must hold the ellipses' centres; None for the whole map.
        progress: Told sites done and sites in all.
    """
    good = np.zeros(task.cells.kept.shape, dtype=np.bool_)
    good.ravel()[np.flatnonzero(task.cells.kept.ravel())[found.ground.ids]] = True
    ellipses: list[Ellipse] = []
    centres: list[Floats] = []

    def settle(place: int, taken: Floats) -> Floats | None:
        ellipse = _ellipse(task, good, int(found.ground.ids[place]), region, taken, spacing_m)
        if ellipse is None:
            return None
        ellipses.append(ellipse)
        centres.append(_unit(task, np.array([ellipse.x_m]), np.array([ellipse.y_m]))[0])
        if progress is not None:
            progress(len(ellipses), most)
        return centres[-1]

    chosen = best_places(found.merit, found.ground.unit, spacing_m, most, settle)
    placed = pieces(found.ground, chosen, spacing_m, np.array(centres).reshape(-1, 3))
    return _ranked(task, found.facts.iloc[chosen], placed, tuple(ellipses), region)


def _ellipse(
    task: Task, good: NDArray[np.bool_], cell: int, region: Region | None, taken: Floats, spacing_m: float
) -> Ellipse | None:
    """Return the best ellipse of a cell whose centre keeps the spacing from those taken, None if there is none."""
    axes = task.placing.ellipse_semi_axes_m
    around = patch_around(task.layers, task.cells, good, _centre(task, cell), axes)

    def free(centres: tuple[Ints, Ints], least_one: bool) -> tuple[Ints, Ints]:
        rows, cols = centres
        x_m, y_m = around.patch.grid.x_m()[cols], around.patch.grid.y_m()[rows]
        kept = apart(_unit(task, x_m, y_m), taken, spacing_m)
        if region is not None:
            held = inside(region.outline, x_m, y_m)
            # A region smaller than a pixel may hold the cell's centre and no pixel's.
            kept &= held if held.any() or not least_one else True
        return rows[kept], cols[kept]

    own, further = free(around.own, least_one=True), free(around.further, least_one=False)
    return best_ellipse(around.patch, own, axes, task.rule, further) if own[0].size else None


def _unit(task: Task, x_m: Floats, y_m: Floats) -> Floats:
    return unit_vectors(*xy_to_lonlat(x_m, y_m, task.cells.grid.pole))


def _centre(task: Task, cell: int) -> tuple[float, float]:
    return float(task.centres_m[0][cell]), float(task.centres_m[1][cell])


def _ranked(
    task: Task, facts: pd.DataFrame, placed: list[Piece], ellipses: tuple[Ellipse, ...], region: Region | None
) -> Listing:
    places = (np.array([ellipse.x_m for ellipse in ellipses]), np.array([ellipse.y_m for ellipse in ellipses]))
    facts = facts.assign(**ways_from(task.ways, task.cells.grid, *places))
    values = merits.values_of(facts)
    scale = merits.scale_of(values, task.ranking.weights)
    full = merits.filled(values[:, scale.used])
    by_method: dict[str, Floats] = {
        name: way(full, scale.better, scale.weights) if len(full) else np.zeros(0)
        for name, way in (("topsis", merits.topsis), ("weighted_sum", merits.weighted_sum))
    }
    # Equal merits go by probability, then by the order in which the places were chosen.
    probability = facts["probability"].to_numpy(np.float64)
    ranks = {name: merits.ranks(merit, probability) for name, merit in by_method.items()}
    order = np.argsort(ranks[task.ranking.method])
    columns = {name: facts[name].to_numpy(np.float64)[order] for name in _RULE_READS}
    inputs = RuleInputs(
        slope_deg=columns["slope_mean_deg"],
        slope_sigma_deg=columns["slope_sigma_deg"],
        light_pct=columns["illumination_pct"] - task.biases_pct[0],
        earth_pct=columns["earth_visibility_pct"] - task.biases_pct[1],
        light_sigma_pct=task.sigmas_pct[0],
        earth_sigma_pct=task.sigmas_pct[1],
    )
    firmness: dict[str, Sensitivity] = {
        method: shaken.sensitivity(
            values[order], scale, inputs, task.rule, task.ranking, task.placing.least_probability, method
        )
        for method in METHODS
    }
    drawn = firmness[task.ranking.method]
    kept = tuple(ellipses[index] for index in order)
    cells_of = [placed[index].ids for index in order]
    low, median, high = drawn.interval()
    area_km2 = task.cells.true_area_m2() / 1e6
    x_m, y_m = task.centres_m
    outlines = [outline(x_m[ids], y_m[ids], task.cells.cell_m) for ids in cells_of]
    shares = [_inside_share(*both) for both in zip(kept, outlines, strict=True)]
    frame = facts.iloc[order].reset_index(names="cell_id").assign(ellipse_inside_share=shares)
    frame = frame.assign(
        site_id=np.arange(1, len(frame) + 1),
        rank=np.arange(1, len(frame) + 1),
        region="" if region is None else region.code,
        cells=[ids.size for ids in cells_of],
        area_km2=[float(area_km2[ids].sum()) for ids in cells_of],
        **_ellipse_columns(task, kept),
        merit_topsis=by_method["topsis"][order],
        merit_weighted_sum=by_method["weighted_sum"][order],
        rank_topsis=ranks["topsis"][order],
        rank_weighted_sum=ranks["weighted_sum"][order],
        rank_low=low,
        rank_median=median,
        rank_high=high,
        share_top_20=drawn.share_within(TOP),
        share_top_100=drawn.share_within(100),
        **_sentences(task, frame, kept, values[order], scale),
    )
    own = inputs.probability(task.rule, np.ones(3))
    gap = float(np.abs(own - probability[order]).max()) if len(frame) else 0.0
    stretch = merits.robustly_stretched if task.ranking.method == "topsis" else merits.stretched
    return Listing(
        frame=typed(frame, outlines),
        ellipses=kept,
        ranks=drawn.ranks,
        scale=scale,
        below_share=drawn.below_share,
        top_share={
            method: float(each.share_within(TOP)[ranks[method][order] <= TOP].mean()) if len(frame) else np.nan
            for method, each in firmness.items()
        },
        spread=merits.spread_shares(stretch(full, scale.better) if len(full) else full, scale.weights),
        probability_gap=gap,
    )


def typed(frame: pd.DataFrame, outlines: list[Polygon]) -> gpd.GeoDataFrame:
    """Return the columns of a site in their order and types, with the outlines as geometry."""
    kinds = {column.name: "object" if column.dtype == "string" else column.dtype for column in SITES.columns}
    found = frame.reindex(columns=list(kinds)).astype(kinds)
    return gpd.GeoDataFrame(found, geometry=gpd.GeoSeries(outlines, index=found.index))


def rank_rows(listing: Listing) -> pd.DataFrame:
    """Return the ranks under every draw, as their contract has them."""
    draws, sites = listing.ranks.shape
    return pd.DataFrame(
        {
            "site_id": np.tile(listing.frame["site_id"].to_numpy(np.int64), draws),
            "draw": np.repeat(np.arange(draws, dtype=np.int32), sites),
            "rank": listing.ranks.ravel(),
        }
    )


def mark_regions(frame: gpd.GeoDataFrame, regions: tuple[Region, ...]) -> gpd.GeoDataFrame:
    """Return sites with the code of the first region that holds their ellipse's centre, '' where none does."""
    x_m, y_m = frame["x_m"].to_numpy(np.float64), frame["y_m"].to_numpy(np.float64)
    codes: NDArray[np.object_] = np.full(len(frame), "", dtype=object)
    for region in reversed(regions):
        codes[inside(region.outline, x_m, y_m)] = region.code
    return frame.assign(region=codes)


def _ellipse_columns(task: Task, ellipses: tuple[Ellipse, ...]) -> dict[str, Floats]:
    x_m = np.array([ellipse.x_m for ellipse in ellipses], dtype=np.float64)
    y_m = np.array([ellipse.y_m for ellipse in ellipses], dtype=np.float64)
    lon, lat = xy_to_lonlat(x_m, y_m, task.cells.grid.pole)

    def numbers(values: list[float | None]) -> Floats:
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)

    return {
        "lon": lon,
        "lat": lat,
        "x_m": x_m,
        "y_m": y_m,
        "ellipse_semi_major_m": numbers([ellipse.semi_axes_m[0] for ellipse in ellipses]),
        "ellipse_semi_minor_m": numbers([ellipse.semi_axes_m[1] for ellipse in ellipses]),
        "ellipse_map_angle_deg": numbers([ellipse.angle_deg for ellipse in ellipses]),
        "ellipse_slope_mean_deg": numbers([ellipse.slope_mean_deg for ellipse in ellipses]),
        "ellipse_slope_max_deg": numbers([ellipse.slope_max_deg for ellipse in ellipses]),
        "ellipse_sun_pct": numbers([ellipse.sun_pct for ellipse in ellipses]),
        "ellipse_earth_pct": numbers([ellipse.earth_pct for ellipse in ellipses]),
    }


def _inside_share(ellipse: Ellipse, ground: Polygon) -> float:
    """Return the share of an ellipse's area that lies in a site's polygon."""
    own = ellipse.outline
    return min(1.0, round(float(own.intersection(ground).area / own.area), 6))


def _sentences(
    task: Task, frame: pd.DataFrame, ellipses: tuple[Ellipse, ...], values: Floats, scale: Scale
) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"reasons_for": [], "reasons_against": [], "unknown": []}
    no_way = (frame["psr_walk"] == merits.NO_WAY).to_numpy(dtype=bool)
    told = zip(words.standing(values, scale, no_way), words.beside_others(values, scale, no_way), strict=True)
    for (_, row), ellipse, ((best, worst), (above, below)) in zip(frame.iterrows(), ellipses, told, strict=True):
        learned_for, learned_against = task.reasons(int(row["cell_id"]))
        against = [*learned_against, *words.against(row, ellipse, task.name, task.rule, task.reach), *worst]
        found["reasons_for"].append("\n".join(words.filled([*learned_for, *best], above)))
        found["reasons_against"].append("\n".join(words.filled(against, below)))
        found["unknown"].append("\n".join(words.unknown(row, ellipse, task.rule, task.cells.grid.pixel_m)))
    return found
