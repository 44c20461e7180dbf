"""The strongest reasons for and against a cell, in words and numbers, from the SHAP values of its score.

SHAP values of features that describe one thing (mean, least and largest slope) are added up first: three reasons are
three different things. They say what moved the model's log-odds away from those of the average cell, and by how much,
no more: correlated families share what either could have told (Lundberg et al. 2020, doi 10.1038/s42256-019-0138-9).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from lunarsite.settings import RuleSettings
from lunarsite.site.score import families
from lunarsite.site.score.families import FAMILIES, Family, family_of

Values = Mapping[str, float]

_LEAST = 0.005
"""Less would be written as 0.00 log-odds, and is no reason."""


def reasons(features: Values, shap: Values, rule: RuleSettings, most: int = 3) -> tuple[list[str], list[str]]:
    """Return the strongest reasons for a cell and those against it, strongest first.

    Args:
        features: The cell's columns of the table of cells by name; NaN is unknown.
        shap: The cell's SHAP values in log-odds by the feature's name (without 'shap_'). All NaN: a cell without score,
            for which there are no reasons.
        rule: The rule that the scorer learned.
        most: Reasons of each kind at most.

    Raises:
        KeyError: A SHAP value belongs to no known feature, or `features` lacks the column of one.
        ValueError: Some SHAP values are NaN and others not.
    """
    unknown = [math.isnan(value) for value in shap.values()]
    if all(unknown):
        return [], []
    if any(unknown):
        raise ValueError(f"SHAP values of {[name for name in shap if math.isnan(shap[name])]} are NaN, others are not")
    shares = family_shares(shap)
    for name in shap:
        features[name]  # refused here, by name, rather than read as unknown
    order = sorted(shares, key=lambda family: -abs(shares[family]))

    def told(sign: int) -> list[str]:
        found = [family for family in order if sign * shares[family] >= _LEAST]
        return [f"{_words(family, features, rule)}: {shares[family]:+.2f} log-odds" for family in found[:most]]

    return told(1), told(-1)


def family_shares(shap: Values) -> dict[Family, float]:
    """Return the sum of the SHAP values of each family of which there is a feature, in the families' order."""
    sums: dict[Family, float] = {}
    for name, value in shap.items():
        family = family_of(name)
        sums[family] = sums.get(family, 0.0) + value
    return {family: sums[family] for family in FAMILIES if family in sums}


def _words(family: Family, features: Values, rule: RuleSettings) -> str:
    return _WORDS[family](features, rule)


def _known(features: Values, name: str) -> float | None:
    value = features.get(name, math.nan)
    return None if math.isnan(value) else float(value)


def _slope(features: Values, rule: RuleSettings) -> str:
    mean, steepest = _known(features, "slope_mean"), _known(features, "slope_max")
    buffered = _known(features, "buffered_slope_deg") if rule.slope_buffer_m > 0.0 else None
    limit = f" (the rule allows {rule.max_slope_deg:g}°)"
    if mean is None:
        return "slope unknown" + limit
    text = f"slope {mean:.1f}° on average"
    if buffered is not None and buffered != mean:
        text += f", {buffered:.1f}° with the steepest ground within {rule.slope_buffer_m:g} m"
    return text + limit + ("" if steepest is None else f", {steepest:.1f}° at the steepest pixel")


def _light(features: Values, rule: RuleSettings) -> str:
    mean, darkest = _known(features, "avg_illumination_pct"), _known(features, "illumination_min_pct")
    asked = f" (the rule asks for {rule.min_illumination_pct:g} %)"
    if mean is None:
        return "sunlight unknown" + asked
    at_worst = "" if darkest is None else f", {darkest:.1f} % at the darkest pixel"
    return f"sunlight {mean:.1f} % of the time" + asked + at_worst


def _shadow(features: Values, rule: RuleSettings) -> str:
    share = _known(features, "psr_fraction")
    if share is None:
        return "permanent shadow unknown"
    return "no permanent shadow" if share == 0.0 else f"permanent shadow on {100.0 * share:.1f} % of the cell"


def _earth(features: Values, rule: RuleSettings) -> str:
    asked = f" (the rule asks for {rule.min_earth_visibility_pct:g} %)"
    mean = _known(features, "earth_visibility_pct")
    return ("Earth view unknown" if mean is None else f"Earth in view {mean:.1f} % of the time") + asked


def _height(features: Values, rule: RuleSettings) -> str:
    mean = _known(features, "elevation_mean")
    return "height unknown" if mean is None else f"height {mean:.0f} m"


def _relief(features: Values, rule: RuleSettings) -> str:
    spread = _known(features, "elevation_std")
    return "spread of heights unknown" if spread is None else f"heights within the cell spread by {spread:.1f} m"


def _roughness(features: Values, rule: RuleSettings) -> str:
    mean = _known(features, "roughness_mean")
    return "roughness unknown" if mean is None else f"roughness {mean:.1f} m on average"


def _height_error(features: Values, rule: RuleSettings) -> str:
    mean = _known(features, "elevation_error_mean")
    return "error of heights unknown" if mean is None else f"heights known to {mean:.1f} m"


def _craters(features: Values, rule: RuleSettings) -> str:
    here, near = _known(features, "crater_coverage_pct"), _known(features, "crater_coverage_5km_pct")
    if here is None and near is None:
        return "craters unknown"
    places = ((here, "of the cell"), (near, "of the ground within 5 km"))
    return "craters on " + " and ".join(f"{share:.1f} % {place}" for share, place in places if share is not None)


_WORDS: dict[Family, Callable[[Values, RuleSettings], str]] = {
    families.SLOPE: _slope,
    families.LIGHT: _light,
    families.SHADOW: _shadow,
    families.EARTH: _earth,
    families.HEIGHT: _height,
    families.RELIEF: _relief,
    families.ROUGHNESS: _roughness,
    families.HEIGHT_ERROR: _height_error,
    families.CRATERS: _craters,
}
