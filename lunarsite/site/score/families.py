"""Families of features: statistics of one thing, which move together, count as one reason and are left out as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lunarsite.artefact.contracts import CELLS

_STATISTICS = ("mean", "std", "min", "max")


@dataclass(frozen=True)
class Family:
    """Features that describe one thing.

    Attributes:
        name: What they describe.
        features: Columns of the table of cells.
        direction: The way the trees may use it: 1 if more never lowers a score, -1 if more never raises it, 0 for both.
            Statistics of one thing share a direction, so that ground whose slopes all grow alike never gains. Of a
            statistic alone it is a choice and no law: with the mean as it is, a larger spread need not be worse.
        of_the_rule: Whether they are inputs of the rule or near copies of them.
    """

    name: str
    features: tuple[str, ...]
    direction: Literal[-1, 0, 1] = 0
    of_the_rule: bool = False


def _of(layer: str) -> tuple[str, ...]:
    return tuple(f"{layer}_{statistic}" for statistic in _STATISTICS)


SLOPE = Family("slope", (*_of("slope"), "buffered_slope_deg"), -1, of_the_rule=True)
LIGHT = Family("light", ("avg_illumination_pct", "illumination_min_pct"), 1, of_the_rule=True)
SHADOW = Family("shadow", ("psr_fraction",), -1, of_the_rule=True)
EARTH = Family("earth", ("earth_visibility_pct",), 1, of_the_rule=True)
HEIGHT = Family("height", ("elevation_mean", "elevation_min", "elevation_max"))
RELIEF = Family("relief", ("elevation_std",))
ROUGHNESS = Family("roughness", _of("roughness"))
HEIGHT_ERROR = Family("height error", _of("elevation_error"))
CRATERS = Family("craters", tuple(column.name for column in CELLS.columns if column.name.startswith("crater_")))

SLOPE_IN_HEIGHTS = frozenset({"elevation_min", "elevation_max", "elevation_std"})
"""Statistics of a cell's heights that give its slope away: the spread itself, and least and largest height by their
difference from each other or from the mean. On real ground each has a rank correlation of 0.98 with the mean slope."""

FAMILIES = (SLOPE, LIGHT, SHADOW, EARTH, HEIGHT, RELIEF, ROUGHNESS, HEIGHT_ERROR, CRATERS)
_FAMILY_OF = {feature: family for family in FAMILIES for feature in family.features}


def family_of(feature: str) -> Family:
    """Return the family of a feature.

    Raises:
        KeyError: It belongs to none.
    """
    if feature not in _FAMILY_OF:
        raise KeyError(f"the feature '{feature}' belongs to no family of lunarsite/site/score/families.py")
    return _FAMILY_OF[feature]


def directions(features: Sequence[str]) -> tuple[int, ...]:
    """Return the direction of each feature, as XGBoost's monotone constraints take them."""
    return tuple(family_of(feature).direction for feature in features)


def context_features(features: Sequence[str]) -> list[str]:
    """Return the features that are neither inputs of the rules nor near copies of them, alone or as a difference."""
    return [name for name in features if not family_of(name).of_the_rule and name not in SLOPE_IN_HEIGHTS]
