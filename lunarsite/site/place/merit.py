"""The criteria by which ground is ordered, and two ways to weigh them: the weighted sum and TOPSIS.

TOPSIS (Hwang & Yoon 1981, Multiple Attribute Decision Making, ch. 3) orders by closeness to the best value of every
criterion and distance from the worst. It is fed criteria stretched to 0..1 instead of the book's vector normalisation,
which keeps ratios: criteria that differ little compared with their size, as sunlight among well-lit sites, would hardly
count whatever their weight. Both ways take arrays with any number of leading axes, so that a thousand draws of weights
are weighed in one call. This module must not know files, cells or maps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.settings import WeightsSettings

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Criterion:
    """One criterion: its weight's name, the column that holds it, and which way is better."""

    name: str
    column: str
    unit: str
    higher_is_better: bool
    words: str
    beyond_rule: bool = True
    """Whether the rule says nothing of it."""


CRITERIA = (
    Criterion("probability", "probability", "1", True, "the probability that the ground meets the rule", False),
    Criterion("illumination", "illumination_pct", "% of time", True, "average sunlight", False),
    Criterion("longest_night", "longest_night_h", "h", False, "longest time without Sun"),
    Criterion("sun_and_earth", "sun_and_earth_h_per_year", "h per year", True, "time with Sun and Earth together"),
    Criterion("slope", "slope_deg", "degrees", False, "mean slope", False),
    Criterion("psr_walk", "psr_walk_m", "m", False, "way on foot to permanent shadow"),
    Criterion("craters", "crater_coverage_1km_pct", "%", False, "ground inside craters within 1 km"),
    Criterion("relief", "relief_p95_slope_deg", "degrees", False, "steep slopes at the scale of a lander"),
    Criterion("area", "good_area_km2", "km2", True, "area of the contiguous good ground"),
    Criterion("temperature", "temperature_k", "K", False, "temperature"),
    Criterion("ice", "ice_depth_m", "m", False, "depth at which ice is stable"),
    Criterion("scarps", "scarp_distance_m", "m", True, "distance to the nearest lobate scarp"),
)
NO_WAY = "no way"
_LOW, _HIGH = 0.05, 0.95


@dataclass(frozen=True)
class Scale:
    """The criteria that an order rests on.

    Attributes:
        used: Indices into CRITERIA.
        better: 1 where more is better, -1 where less is, (used,).
        weights: Weights of the used criteria, summing to 1.
        dropped: Why each other criterion is left out, by name.
    """

    used: NDArray[np.int64]
    better: Floats
    weights: Floats
    dropped: dict[str, str]

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        """The criteria that are used."""
        return tuple(CRITERIA[index] for index in self.used)


def values_of(frame: pd.DataFrame) -> Floats:
    """Return the criteria of places, (places, CRITERIA), NaN where unknown.

    Ground from which no way leads on foot to permanent shadow is known to be so: it takes the longest way of the
    others.
    """
    values = np.column_stack([frame[criterion.column].to_numpy(np.float64, na_value=np.nan) for criterion in CRITERIA])
    cut_off = (frame["psr_walk"] == NO_WAY).to_numpy(dtype=bool)
    way = values[:, _index("psr_walk")]
    reached = way[~np.isnan(way) & ~cut_off]
    way[cut_off] = reached.max() if reached.size else 0.0
    return values


def scale_of(values: Floats, weights: WeightsSettings) -> Scale:
    """Return the criteria that count for places: those with a weight that are known for any of them.

    The others share in proportion what a dropped criterion would have had. Where no criterion with a weight is known of
    any place, none is used: all merits are then equal and ties decide.
    """
    given = np.array([getattr(weights, criterion.name) for criterion in CRITERIA], dtype=np.float64)
    known = np.asarray((~np.isnan(values)).any(axis=0) | (len(values) == 0))
    dropped = {
        criterion.name: "its weight is 0" if weight == 0.0 else "it is unknown everywhere"
        for criterion, weight, has in zip(CRITERIA, given, known, strict=True)
        if weight == 0.0 or not has
    }
    used = np.flatnonzero((given > 0.0) & known)
    better = np.array([1.0 if CRITERIA[index].higher_is_better else -1.0 for index in used])
    return Scale(used, better, given[used] / max(given[used].sum(), 1e-300), dropped)


def filled(values: Floats) -> Floats:
    """Return values with what is unknown of a place replaced by the median of the places of which it is known.

    Every criterion must be known of some place.
    """
    return np.where(np.isnan(values), np.nanmedian(values, axis=0), values) if len(values) else values


def weighted_sum(values: Floats, better: Floats, weights: Floats) -> Floats:
    """Return the merit 0..1 of places: the weighted sum of criteria stretched from the worst place to the best.

    Args:
        values: (..., places, criteria) without NaN.
        better: (criteria,) 1 where more is better, -1 where less is.
        weights: (..., criteria), summing to 1.

    Returns:
        (..., places). A criterion on which all places agree counts half for each.
    """
    return np.asarray((stretched(values, better) * weights[..., None, :]).sum(axis=-1))


def robust_weighted_sum(values: Floats, better: Floats, weights: Floats) -> Floats:
    """Return the weighted sum of criteria stretched as for TOPSIS."""
    return np.asarray((robustly_stretched(values, better) * weights[..., None, :]).sum(axis=-1))


def topsis(values: Floats, better: Floats, weights: Floats) -> Floats:
    """Return the closeness 0..1 of places to the best value of every criterion (TOPSIS, robustly stretched).

    Arguments and result are those of `weighted_sum`. Where all places agree on everything the closeness is 0.5.
    """
    weighted = robustly_stretched(values, better) * weights[..., None, :]
    to_best = np.sqrt(((weighted - weighted.max(axis=-2, keepdims=True)) ** 2).sum(axis=-1))
    to_worst = np.sqrt(((weighted - weighted.min(axis=-2, keepdims=True)) ** 2).sum(axis=-1))
    whole = to_best + to_worst
    return np.where(whole > 0.0, to_worst / np.where(whole > 0.0, whole, 1.0), 0.5)


def ranks(merit: Floats, *ties: Floats) -> NDArray[np.int64]:
    """Return ranks from 1 by falling merit; equal merits go by the falling values of `ties`, then by position."""
    order = np.lexsort((np.arange(merit.size), *(-tie for tie in reversed(ties)), -merit))
    found = np.empty(merit.size, dtype=np.int64)
    found[order] = np.arange(1, merit.size + 1)
    return found


def stretched(values: Floats, better: Floats) -> Floats:
    """Return criteria (..., places, criteria) as 0 for the worst place to 1 for the best, 0.5 where all agree."""
    return _stretched(values, values.min(axis=-2, keepdims=True), values.max(axis=-2, keepdims=True), better)


def robustly_stretched(values: Floats, better: Floats) -> Floats:
    """Return criteria as 0..1 from the 5 % to the 95 % quantile, cut off beyond, so that outliers do not flatten them.

    A criterion on which nine tenths of the places agree, as one that is unknown of most, goes from worst to best.
    """
    low, high = np.quantile(values, (_LOW, _HIGH), axis=-2, keepdims=True)
    flat = high <= low
    least, most = values.min(axis=-2, keepdims=True), values.max(axis=-2, keepdims=True)
    return _stretched(values, np.where(flat, least, low), np.where(flat, most, high), better)


def spread_shares(good: Floats, weights: Floats) -> Floats:
    """Return the share of each criterion in the variance of weighted, stretched criteria over places, (criteria,).

    It tells what an order rests on: distances of TOPSIS add up squares. All 0 where the places agree on everything.

    Args:
        good: (places, criteria), 0 worst to 1 best.
        weights: (criteria,).
    """
    variance = (good * weights).var(axis=0) if len(good) else np.zeros(weights.size)
    return np.asarray(variance / max(float(variance.sum()), 1e-300))


def _stretched(values: Floats, low: Floats, high: Floats, better: Floats) -> Floats:
    span = high - low
    found = np.clip((values - low) / np.where(span > 0.0, span, 1.0), 0.0, 1.0)
    return np.where(span > 0.0, np.where(better > 0.0, found, 1.0 - found), 0.5)


def _index(name: str) -> int:
    return next(index for index, criterion in enumerate(CRITERIA) if criterion.name == name)
