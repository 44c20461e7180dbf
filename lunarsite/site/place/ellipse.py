"""The landing ellipse: its best place and direction on the pixels around a cell.

Of all ellipses that are centred on some pixels of the cell, in twelve directions, the one is taken whose slope has the
least root mean square, in which steep pixels weigh more, then which has the most light. Ellipses that are wholly known,
that meet the rule's limits of light and Earth view on average without touching permanent shadow, that lie in the site's
ground, and that touch no pixel steeper than the rule allows go before others, in this order. Only where none about the
cell's own pixels is without fault, those about pixels around the cell are tried, and taken if they have less of it.

A pixel counts by the share of it that lies inside. Counting the pixels whose centres do would favour directions that
happen to hold few of them, for among few the steepest is gentler: at 240 m an ellipse of 500 by 300 m has 7 to 9.
This module must not know scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from shapely import affinity
from shapely.geometry import Point, Polygon

from lunarsite.grid import Grid, scale_factor
from lunarsite.settings import RuleSettings

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ANGLES_DEG = tuple(np.arange(0.0, 180.0, 15.0).tolist())
# Values gathered at a time: at 20 m an ellipse has 1 200 pixels.
_GATHERED = 1_000_000
# Points along the semi-minor axis by which shares of pixels are counted: shares are good to some 2 %.
_POINTS, _MOST_POINTS_PER_PIXEL = 16, 64
_QUARTER_SEGMENTS = 16
# Shares inside the ground count in steps of this size: they are no better known, and less is no reason to leave a cell.
_INSIDE_STEP = 0.05


@dataclass(frozen=True)
class Patch:
    """Pixels around a place, on a grid of their own that may reach beyond the map; NaN is unknown.

    Attributes:
        grid: The patch's grid.
        slope_deg: Slope, degrees.
        sun_pct: Average sunlight, percent of time.
        earth_pct: Average Earth view, percent of time.
        shadow: 1 in permanent shadow, else 0.
        height_m: Height, metres.
        ground: 1 on the site's ground, else 0.
    """

    grid: Grid
    slope_deg: Floats
    sun_pct: Floats
    earth_pct: Floats
    shadow: Floats
    height_m: Floats
    ground: Floats


@dataclass(frozen=True)
class Ellipse:
    """A landing ellipse with the statistics of the pixels that it touches; None is unknown.

    Attributes:
        x_m: Map x of its centre.
        y_m: Map y of its centre.
        semi_axes_m: Semi-major and semi-minor axis, true metres.
        angle_deg: Direction of the major axis on the map, from +x towards +y.
        pixels: Number of pixels that it touches.
        known_share: Share of its area of which slope, light, Earth view and shadow are known.
        slope_mean_deg: Mean slope of its area.
        slope_max_deg: Slope of the steepest pixel that it touches.
        sun_pct: Mean sunlight of its area.
        earth_pct: Mean Earth view of its area.
        shadow_share: Share of its area in permanent shadow.
        height_range_m: Highest less lowest pixel that it touches.
        meets_light: Whether its means meet the limits of light and Earth view and no pixel is in permanent shadow.
    """

    x_m: float
    y_m: float
    semi_axes_m: tuple[float, float]
    angle_deg: float
    pixels: int
    known_share: float
    slope_mean_deg: float | None
    slope_max_deg: float | None
    sun_pct: float | None
    earth_pct: float | None
    shadow_share: float | None
    height_range_m: float | None
    meets_light: bool

    @property
    def outline(self) -> Polygon:
        """Its outline in map metres."""
        scale = float(scale_factor(self.x_m, self.y_m))
        circle = Point(0.0, 0.0).buffer(1.0, quad_segs=_QUARTER_SEGMENTS)
        wide = affinity.scale(circle, *(axis * scale for axis in self.semi_axes_m), origin=(0.0, 0.0))
        turned = affinity.rotate(wide, self.angle_deg, origin=(0.0, 0.0))
        return affinity.translate(turned, self.x_m, self.y_m)


@dataclass(frozen=True)
class Footprint:
    """Pixels that an ellipse about a pixel's centre touches, relative to that pixel, and its area's share in each."""

    rows: Ints
    cols: Ints
    shares: Floats


def footprint(semi_axes_m: tuple[float, float], angle_deg: float, pixel_m: float, scale: float) -> Footprint:
    """Return the pixels of an ellipse about a pixel's centre; the shares add up to 1.

    Args:
        semi_axes_m: Semi-major and semi-minor axis, true metres.
        angle_deg: Direction of the major axis on the map, from +x towards +y.
        pixel_m: Pixel size, map metres.
        scale: Map length by true length.
    """
    major, minor = (axis * scale / pixel_m for axis in semi_axes_m)
    reach = int(major + 0.5)
    points = 2 * min(_MOST_POINTS_PER_PIXEL, max(1, int(np.ceil(0.5 * _POINTS / minor)))) + 1
    width = 2 * reach + 1
    # From whole numbers: opposite points are exactly opposite, so the outline takes in both of a pair or neither.
    along_row = (2 * np.arange(width * points) + 1 - width * points) / (2 * points)
    row, col = along_row[:, None], along_row[None, :]
    cos, sin = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    # Rows count downwards, the angle runs from +x towards +y.
    along, across = col * cos - row * sin, col * sin + row * cos
    inside = (along / major) ** 2 + (across / minor) ** 2 <= 1.0
    counts = inside.reshape(width, points, width, points).sum(axis=(1, 3))
    rows, cols = np.nonzero(counts)
    shares = counts[rows, cols] / counts.sum()
    return Footprint(rows.astype(np.int64) - reach, cols.astype(np.int64) - reach, shares)


def reach_px(semi_axes_m: tuple[float, float], pixel_m: float, scale: float) -> int:
    """Return how many pixels beyond its centre's an ellipse may reach."""
    return int(max(semi_axes_m) * scale / pixel_m + 0.5) + 1


def best_ellipse(
    patch: Patch,
    centres: tuple[Ints, Ints],
    semi_axes_m: tuple[float, float],
    rule: RuleSettings,
    further: tuple[Ints, Ints] | None = None,
) -> Ellipse:
    """Return the best ellipse that is centred on one of some pixels of a patch.

    Args:
        patch: The pixels; the ellipses about all centres must lie on it.
        centres: Rows and columns of the candidates in the patch, at least one.
        semi_axes_m: The two semi-axes, true metres, in any order.
        rule: Its limits of slope, light and Earth view are asked for.
        further: Candidates that are tried only where all ellipses about `centres` have a fault.
    """
    axes = (max(semi_axes_m), min(semi_axes_m))
    ellipse, faults = _best(patch, centres, axes, rule)
    if any(faults) and further is not None and further[0].size:
        other, fewer = _best(patch, further, axes, rule)
        if fewer < faults:
            return other
    return ellipse


def _best(
    patch: Patch, centres: tuple[Ints, Ints], axes: tuple[float, float], rule: RuleSettings
) -> tuple[Ellipse, tuple[float, ...]]:
    """Return the best ellipse about some pixels and its faults, the gravest first, 0 where there is none."""
    rows, cols = centres
    middle = rows.size // 2
    x_m, y_m = patch.grid.x_m(), patch.grid.y_m()
    scale = float(scale_factor(x_m[cols[middle]], y_m[rows[middle]]))
    found: list[Floats] = []
    pixels: list[int] = []
    for angle in ANGLES_DEG:
        shape = footprint(axes, angle, patch.grid.pixel_m, scale)
        pixels.append(shape.rows.size)
        batch = max(1, _GATHERED // shape.rows.size)
        parts = [
            _statistics(patch, (rows[i : i + batch], cols[i : i + batch]), shape) for i in range(0, rows.size, batch)
        ]
        found.append(np.concatenate(parts, axis=1))
    table = np.stack(found, axis=1).reshape(len(_COLUMNS), -1)
    by = dict(zip(_COLUMNS, table, strict=True))
    lit = (by["sun"] >= rule.min_illumination_pct) & (by["earth"] >= rule.min_earth_visibility_pct)
    meets = lit & (by["shadow"] == 0.0)
    steep = ~(by["slope_max"] <= rule.max_slope_deg)
    outside = np.ceil((1.0 - by["inside"]) / _INSIDE_STEP - 1e-9).clip(0.0)
    faults = (1.0 - by["known"], ~meets, outside, steep)
    best = int(np.lexsort((-by["sun"], by["slope_rms"], *reversed(faults)))[0])
    angle, centre = divmod(best, rows.size)
    number = {name: None if np.isnan(values[best]) else float(values[best]) for name, values in by.items()}
    found_best = Ellipse(
        x_m=float(x_m[cols[centre]]),
        y_m=float(y_m[rows[centre]]),
        semi_axes_m=axes,
        angle_deg=ANGLES_DEG[angle],
        pixels=pixels[angle],
        known_share=float(by["known"][best]),
        slope_mean_deg=number["slope_mean"],
        slope_max_deg=number["slope_max"],
        sun_pct=number["sun"],
        earth_pct=number["earth"],
        shadow_share=number["shadow"],
        height_range_m=number["height_range"],
        meets_light=bool(meets[best]),
    )
    return found_best, tuple(float(fault[best]) for fault in faults)


_COLUMNS = ("known", "inside", "slope_mean", "slope_rms", "slope_max", "sun", "earth", "shadow", "height_range")


def _statistics(patch: Patch, centres: tuple[Ints, Ints], shape: Footprint) -> Floats:
    """Return the statistics of an ellipse's pixels about each centre, (_COLUMNS, centres)."""
    at = centres[0][:, None] + shape.rows[None, :], centres[1][:, None] + shape.cols[None, :]
    slope, sun, earth, shadow, height = (
        layer[at] for layer in (patch.slope_deg, patch.sun_pct, patch.earth_pct, patch.shadow, patch.height_m)
    )
    known = ~(np.isnan(slope) | np.isnan(sun) | np.isnan(earth) | np.isnan(shadow))
    return np.stack(
        [
            np.where(known.all(axis=1), 1.0, known @ shape.shares),
            patch.ground[at] @ shape.shares,
            _mean(slope, shape.shares),
            np.sqrt(_mean(slope**2, shape.shares)),
            _greatest(slope),
            _mean(sun, shape.shares),
            _mean(earth, shape.shares),
            _mean(shadow, shape.shares),
            _greatest(height) + _greatest(-height),
        ]
    )


def _mean(values: Floats, shares: Floats) -> Floats:
    """Return the mean of the known values of each row by shares, NaN where none is known."""
    known = ~np.isnan(values)
    whole = known @ shares
    total = np.where(known, values, 0.0) @ shares
    return np.where(known.any(axis=1), total / np.where(whole > 0.0, whole, 1.0), np.nan)


def _greatest(values: Floats) -> Floats:
    """Return the greatest of the known values of each row, NaN where none is known."""
    greatest = np.where(np.isnan(values), -np.inf, values).max(axis=1)
    return np.where(np.isneginf(greatest), np.nan, greatest)
