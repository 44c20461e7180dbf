"""A population made by hand: all cells of a small cap, ranked as a test wants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import Polygon

from lunarsite.grid import Cells, Grid
from lunarsite.site.place.regions import Region
from lunarsite.validate.population import Population

CELLS = Cells(Grid.centred(96_000.0, 960.0, 960.0), 960.0, 87.0)


def population(rank: NDArray[np.int64], suitable: int = 50) -> Population:
    """All cells of the cap with the given ranks; the best `suitable` of them pass the rule."""
    (x, y), (lon, lat) = CELLS.centres_m(), CELLS.centres_lonlat()
    return Population(
        x_m=x,
        y_m=y,
        lon_deg=lon,
        lat_deg=lat,
        area_m2=CELLS.true_area_m2(),
        suitable=rank <= suitable,
        margins=np.stack([suitable - rank, np.full(rank.size, 0.1), 0.2 - 0.01 * (x > 0.0)]).astype(np.float64),
        rank=rank,
        by_score=np.argsort(rank, kind="stable"),
        by_rule=np.argsort(rank, kind="stable"),
        by_probability=np.argsort(rank, kind="stable"),
        cells=CELLS.count,
    )


def part(whole: Population, kept: NDArray[np.bool_]) -> Population:
    """Some cells of a population, in the order of their ranks."""
    assert whole.rank is not None
    order = np.argsort(whole.rank[kept], kind="stable")
    fields = ("x_m", "y_m", "lon_deg", "lat_deg", "area_m2", "suitable", "rank")
    return replace(
        whole,
        **{name: getattr(whole, name)[kept] for name in fields},
        margins=whole.margins[:, kept],
        **dict.fromkeys(("by_score", "by_rule", "by_probability"), order),
    )


def square(code: str, x_km: float, y_km: float, side_km: float) -> Region:
    """A square region around a place."""
    half = 500.0 * side_km
    x, y = 1000.0 * x_km, 1000.0 * y_km
    outline = Polygon([(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)])
    return Region(f"Square {code}", code, outline, side_km**2, "made by hand")


def ranked_towards(x_km: float, y_km: float) -> NDArray[np.int64]:
    """Ranks that fall with the distance from a place."""
    x, y = CELLS.centres_m()
    order = np.argsort(np.hypot(x - 1000.0 * x_km, y - 1000.0 * y_km), kind="stable")
    rank = np.empty(order.size, dtype=np.int64)
    rank[order] = np.arange(1, order.size + 1)
    return rank


def ranked_at_random(seed: int) -> NDArray[np.int64]:
    """Ranks without any order in space."""
    return np.random.default_rng(seed).permutation(CELLS.count).astype(np.int64) + 1
