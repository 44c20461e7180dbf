"""The criteria of a site in words: what each is, its unit, where it comes from and which way is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.publish.report import Table
from lunarsite.publish.words import probability_words


@dataclass(frozen=True)
class Criterion:
    """One criterion.

    Attributes:
        column: Its column among the sites.
        words: What it is.
        unit: Its unit as shown.
        digits: Decimals shown.
        better: Which way is better; '' where neither is.
        table: Table of cells that knows it for all cells: 'criteria', 'cells', 'labels', or '' if it is the site's own.
        source: Its column there.
        scale: Factor from the table's unit to the one shown.
    """

    column: str
    words: str
    unit: str
    digits: int
    better: Literal["more", "less", ""]
    table: Literal["criteria", "cells", "labels", ""]
    source: str = ""
    scale: float = 1.0

    @property
    def there(self) -> str:
        """The column in the table of cells."""
        return self.source or self.column


NO_WAY = "no way"
"""What criteria say of a way where none leads: known, and worse than any length."""
_SHADOW = "Permanent shadow"
_WAY = "Way from the ellipse's centre to permanent shadow"
_LIT = "of the cell's best-lit pixel"
CRITERIA = (
    Criterion("probability", "Probability that the ground meets the rule", "1", 3, "more", "labels"),
    Criterion("slope_deg", "Slope of the best cell, as the rule reads it", "°", 2, "less", "cells", "slope_mean"),
    Criterion("illumination_pct", "Sunlight of the best cell", "% of time", 1, "more", "cells", "avg_illumination_pct"),
    Criterion("earth_visibility_pct", "Earth view of the best cell", "% of time", 1, "more", "cells"),
    Criterion("ellipse_slope_mean_deg", "Slope in the ellipse, mean", "°", 2, "less", ""),
    Criterion("ellipse_slope_max_deg", "Slope in the ellipse, greatest pixel", "°", 2, "less", ""),
    Criterion("ellipse_sun_pct", "Sunlight in the ellipse", "% of time", 1, "more", ""),
    Criterion("ellipse_earth_pct", "Earth view in the ellipse", "% of time", 1, "more", ""),
    Criterion("longest_night_h", f"Longest night, {_LIT}", "h", 0, "less", "criteria"),
    Criterion("sun_and_earth_h_per_year", f"Sun and Earth together, {_LIT}", "h per year", 0, "more", "criteria"),
    Criterion("psr_distance_m", f"{_SHADOW}, straight from the cell", "km", 2, "less", "criteria", scale=1e-3),
    Criterion("psr_walk_m", f"{_WAY} on foot", "km", 2, "less", "criteria", scale=1e-3),
    Criterion("psr_rover_m", f"{_WAY} by rover", "km", 2, "less", "criteria", scale=1e-3),
    Criterion("crater_coverage_1km_pct", "Ground inside craters within 1 km", "%", 1, "less", "criteria"),
    Criterion("crater_count_1km", "Craters within 1 km", "1", 0, "less", "criteria"),
    Criterion("crater_coverage_5km_pct", "Ground inside craters within 5 km", "%", 1, "less", "criteria"),
    Criterion("crater_count_5km", "Craters within 5 km", "1", 0, "less", "criteria"),
    Criterion("relief_p95_slope_deg", "Lander-scale slope (95 %)", "°", 2, "less", "criteria"),
    Criterion("relief_steep_share", "Lander-scale ground that is steep", "%", 1, "less", "criteria", scale=100.0),
    Criterion("relief_step_m", "Lander-scale step height", "m", 2, "less", "criteria"),
    Criterion("relief_pixel_m", "Pixel of the finer elevation model", "m", 1, "", "criteria"),
    Criterion("good_area_km2", "Contiguous good ground around it", "km²", 1, "more", "criteria"),
    Criterion("temperature_k", "Temperature", "K", 0, "less", "criteria"),
    Criterion("ice_depth_m", "Depth at which ice is stable", "m", 2, "less", "criteria"),
    Criterion("scarp_distance_m", "Nearest lobate scarp", "km", 1, "more", "criteria", scale=1e-3),
)
_SOURCES = {
    "labels": "Monte Carlo labels",
    "cells": "cells",
    "criteria": "criteria",
    "": "pixels of the ellipse",
}
_WAYS = ("psr_walk_m", "psr_rover_m")
_FROM_ELLIPSE = "way from the ellipse; median of all: criteria"


def percentile(values: Sequence[float], value: float, better: str) -> float | None:
    """Return the share (0..100) of the other known values that `value` beats, ties counting half.

    Args:
        values: The values of all sites, this one among them; NaN are unknown and left out.
        value: This site's.
        better: 'more' or 'less'.

    Returns:
        None if the value is unknown, no direction is better, or nobody else is known.
    """
    known = np.asarray(values, dtype=np.float64)
    known = known[~np.isnan(known)]
    if np.isnan(value) or better not in ("more", "less") or known.size < 2:
        return None
    sign = 1.0 if better == "more" else -1.0
    beaten = float((sign * known < sign * value).sum())
    ties = float((known == value).sum()) - 1.0
    return 100.0 * (beaten + 0.5 * ties) / (known.size - 1)


def medians(cells: pd.DataFrame, criteria: pd.DataFrame, label: pd.DataFrame, slope: str) -> dict[str, float]:
    """Return the median over all cells that know a criterion, by its column; NaN where no cell does.

    Args:
        cells: The cells.
        criteria: Their criteria.
        label: Their labels by the rule of the score.
        slope: The cells' column that the rule reads as slope.
    """
    tables = {"cells": cells, "criteria": criteria, "labels": label}
    found = {}
    for criterion in CRITERIA:
        if criterion.table:
            column = slope if criterion.column == "slope_deg" else criterion.there
            values = tables[criterion.table][column].dropna()
            found[criterion.column] = float(values.median()) if len(values) else float("nan")
    return found


def table(site: pd.Series, sites: pd.DataFrame, of_cells: Mapping[str, float]) -> Table:
    """Return the table of a site's criteria beside those of the other sites and of all cells.

    Args:
        site: Its row among the sites.
        sites: All sites of the list.
        of_cells: Medians over all cells, see `medians`.
    """
    rows = []
    for criterion in CRITERIA:
        values = _values(criterion, sites)
        value = float(values[sites["site_id"].to_numpy() == site["site_id"]][0])
        share = percentile(values.tolist(), value, criterion.better)
        text = shown(value, criterion)
        known = values[~np.isnan(values)]
        rows.append(
            (
                criterion.words,
                text,
                "" if text in ("unknown", NO_WAY) or criterion.unit == "1" else criterion.unit,
                criterion.better,
                "" if share is None else f"{share:.0f} %",
                shown(float(np.median(known)) if known.size else float("nan"), criterion),
                shown(of_cells[criterion.column], criterion) if criterion.column in of_cells else "",
                _FROM_ELLIPSE if criterion.column in _WAYS else _SOURCES[criterion.table],
            )
        )
    return Table(
        f"Criteria of the site beside those of all {len(sites)} listed sites and of all cells that know them. A cell's"
        " way to permanent shadow is that of its best pixel, so medians of all cells are a little short.",
        (
            "Criterion",
            "Value",
            "Unit",
            "Better",
            "Beats of the sites",
            "Median of the sites",
            "Median of all cells",
            "From",
        ),
        tuple(rows),
        (False, True, False, False, True, True, True, False),
    )


def shown(value: float, criterion: Criterion) -> str:
    """Return a value of a criterion as it is shown, without its unit; a way without end is none."""
    if np.isnan(value):
        return "unknown"
    if criterion.column == "probability":
        return probability_words(value)
    return f"{value * criterion.scale:.{criterion.digits}f}" if np.isfinite(value) else NO_WAY


def way_words(site: pd.Series, mover: str) -> str:
    """Return the way to permanent shadow in words: its length, 'no way' or 'unknown'."""
    length = float(site[f"psr_{mover}_m"])
    state = str(site[f"psr_{mover}"])
    return f"{length / 1000.0:.2f} km" if state == "reached" and np.isfinite(length) else state


def _values(criterion: Criterion, sites: pd.DataFrame) -> NDArray[np.float64]:
    """Return a criterion of all sites; where no way leads its length is infinite, which is worst and not unknown."""
    values = sites[criterion.column].to_numpy(dtype=np.float64)
    state = criterion.column.removesuffix("_m")
    if criterion.column in _WAYS:
        values = np.where(sites[state].to_numpy() == NO_WAY, np.inf, values)
    return values
