"""Plain words for what files call by column names: features, labels, verdicts."""

from __future__ import annotations

_STATISTICS = {"mean": "mean", "std": "spread", "min": "least", "max": "greatest"}
_LAYERS = {
    "elevation": ("Elevation", "m"),
    "slope": ("Slope", "°"),
    "roughness": ("Roughness", "m"),
    "elevation_error": ("Elevation error", "m"),
}
_FEATURES = {
    "lon": "Longitude (°)",
    "lat": "Latitude (°)",
    "x_m": "Map x (m)",
    "y_m": "Map y (m)",
    "crater_count": "Craters in the cell",
    "crater_coverage_pct": "Ground inside craters (%)",
    "crater_mean_diameter_m": "Craters, mean diameter (m)",
    "crater_max_diameter_m": "Craters, greatest diameter (m)",
    "crater_count_5km": "Craters within 5 km",
    "crater_coverage_5km_pct": "Ground inside craters within 5 km (%)",
    "crater_mean_diameter_5km_m": "Craters within 5 km, mean diameter (m)",
    "crater_max_diameter_5km_m": "Craters within 5 km, greatest diameter (m)",
    "avg_illumination_pct": "Sunlight, mean (% of time)",
    "illumination_min_pct": "Sunlight, darkest pixel (% of time)",
    "psr_fraction": "Permanent shadow (share)",
    "earth_visibility_pct": "Earth view, mean (% of time)",
    "buffered_slope_deg": "Slope with buffer (°)",
    "valid_fraction": "Known ground (share)",
    "longest_night_h": "Longest night (h)",
    "sun_and_earth_h_per_year": "Sun and Earth together (h per year)",
    "psr_distance_m": "Straight distance to permanent shadow (m)",
    "psr_walk_m": "Way on foot to permanent shadow (m)",
    "psr_rover_m": "Rover's way to permanent shadow (m)",
    "crater_count_1km": "Craters within 1 km",
    "crater_coverage_1km_pct": "Ground inside craters within 1 km (%)",
    "relief_pixel_m": "Pixel of the finer elevation model (m)",
    "relief_p95_slope_deg": "Slope at the scale of a lander, 95 % (°)",
    "relief_steep_share": "Steep ground at the scale of a lander (share)",
    "relief_step_m": "Step at the scale of a lander (m)",
    "good_area_km2": "Area of the contiguous good ground (km²)",
    "temperature_k": "Temperature (K)",
    "ice_depth_m": "Depth at which ice is stable (m)",
    "scarp_distance_m": "Distance to the nearest lobate scarp (m)",
}


def feature_words(column: str) -> str:
    """Return a feature's column name in plain words with its unit; an unknown column keeps its name."""
    if column in _FEATURES:
        return _FEATURES[column]
    layer, _, statistic = column.rpartition("_")
    if layer in _LAYERS and statistic in _STATISTICS:
        name, unit = _LAYERS[layer]
        return f"{name}, {_STATISTICS[statistic]} ({unit})"
    return column


def number_words(value: float | None, digits: int = 3) -> str:
    """Return a number with `digits` significant digits, without an exponent unless it is tiny; 'unknown' for None."""
    if value is None:
        return "unknown"
    if value != value:  # noqa: PLR0124 - NaN alone differs from itself
        return "unknown"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}".replace(",", "\u202f")
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", "\u202f")
    while digits < 7 and float(f"{value:.{digits}g}") == round(value):
        digits += 1  # 0.99998 is not 1
    return f"{value:.{digits}g}"


SURE = 0.995
"""From here on some hundred draws do not tell a probability from 1; up to one less it, not from 0."""


def probability_words(value: float) -> str:
    """Return a probability by Monte Carlo with the two decimals that some hundred draws bear; never as certain."""
    if value != value:  # noqa: PLR0124 - NaN alone differs from itself
        return "unknown"
    if value >= SURE:
        return "> 0.99"
    return "< 0.01" if value <= 1.0 - SURE else f"{value:.2f}"


def label_words(label: str) -> str:
    """Return what a label says of a cell."""
    return {"suitable": "passes", "unsuitable": "fails", "unknown": "unknown"}.get(label, label)


def rule_words(rule: str) -> str:
    """Return a rule's name as the report prints it: the two known rules as the abbreviations that they are."""
    return rule.upper() if rule in ("cassa", "hls") else rule


def latitude_words(lat_deg: float, digits: int = 3) -> str:
    """Return a latitude with its hemisphere."""
    return f"{abs(lat_deg):.{digits}f}° {'S' if lat_deg < 0 else 'N'}"


def longitude_words(lon_deg: float, digits: int = 3) -> str:
    """Return a longitude with its side."""
    return f"{abs(lon_deg):.{digits}f}° {'E' if lon_deg >= 0 else 'W'}"
