"""Sites of each landing region, by the rule of the Human Landing System, and why a region has none."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
from pydantic import JsonValue

from lunarsite.site.place.ellipse import Ellipse
from lunarsite.site.place.listing import Listing, Task, candidates, list_sites, typed, within
from lunarsite.site.place.regions import Region
from lunarsite.site.place.summary import region_row


@dataclass(frozen=True)
class Regional:
    """The sites of all regions in one table, by region and rank, numbered through, and their ellipses."""

    frame: gpd.GeoDataFrame
    ellipses: tuple[Ellipse, ...]


def regional_sites(
    task: Task, regions: tuple[Region, ...]
) -> tuple[dict[str, Listing], list[dict[str, JsonValue]], Regional]:
    """Return the list of each region by its code, a row about each, and all lists as one.

    The merit of ground is stretched over the good ground of the whole map, the order of a region's sites over those
    sites alone.
    """
    found = candidates(task)
    x_m, y_m = task.centres_m
    lists, rows = {}, []
    for region in regions:
        own = within(task, found, region)
        listing = list_sites(task, own, 1_000.0 * task.placing.region_spacing_km, task.placing.most_per_region, region)
        lists[region.code] = listing
        rows.append(region_row(region, x_m, y_m, task.facts, own.ground.ids.size, listing, task.rule))
    return lists, rows, _joined(lists)


def _joined(lists: dict[str, Listing]) -> Regional:
    full = [lists[code] for code in sorted(lists) if not lists[code].frame.empty]
    if not full:
        return Regional(typed(pd.DataFrame(), []), ())
    frame = pd.concat([listing.frame for listing in full], ignore_index=True)
    frame["site_id"] = np.arange(1, len(frame) + 1)
    return Regional(
        gpd.GeoDataFrame(frame, geometry="geometry"), tuple(e for listing in full for e in listing.ellipses)
    )
