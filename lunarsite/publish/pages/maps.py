"""Maps of a site and of a region: every pixel as it is, unsmoothed, and on it what a planner must see.

Steep ground and permanent shadow are drawn along the pixels' edges, because nothing is known of where in a pixel a
limit is crossed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse, Patch, PathPatch
from matplotlib.path import Path as Outline
from shapely.geometry.base import BaseGeometry

from lunarsite.artefact.contracts import DEM, EARTH_ANY, PSR, SLOPE, SUN_ANY, SUN_MEAN
from lunarsite.publish.figures import unknown_ground
from lunarsite.publish.pages.furniture import furnish
from lunarsite.publish.pages.gather import SiteRun
from lunarsite.publish.pages.ground import Ground, square, window
from lunarsite.publish.rasters import View, hillshade
from lunarsite.publish.style import (
    BLACK,
    BLUE,
    GREEN,
    INK,
    PURPLE,
    SKY,
    SMALL_PT,
    VERMILION,
    WIDE_IN,
    caption,
    halo,
    header,
    new_figure,
    styled,
)

WIDE_M = 10_000.0
"""Width of the map of a site's surroundings, map metres."""
CLOSE_M = 1_000.0
"""Least width of the map of the ellipse; it is wider where the ellipse would touch its border."""
_CLOSE_OVER_AXIS = 1.2
_NUMBERED_PX = 9.0
"""Pixels across a map up to which each one's slope is written into it."""
_LINED_PX = 60.0
"""Pixels across a map up to which their edges are drawn."""
_OUTLINED_M = 12_000.0
"""Width of a map up to which steep ground is outlined; on wider ones outlines would hide the ground: it is tinted."""
_TINT = 0.3
MOVERS = {"walk": ("on foot", GREEN, "-"), "rover": ("by rover", PURPLE, (0, (3, 1.5)))}


@dataclass(frozen=True)
class _Layers:
    """The rasters of one view."""

    height: Ground
    slope: Ground
    shadow: Ground

    @classmethod
    def read(cls, run: SiteRun, view: View) -> _Layers:
        return cls(
            window(run.paths["dem"], DEM, view),
            window(run.paths["slope"], SLOPE, view),
            window(run.paths["psr"], PSR, view),
        )


def close_width_m(site: pd.Series) -> float:
    """Return the width of the map of a site's ellipse: 1 km, or what the ellipse needs."""
    return max(CLOSE_M, 2.0 * _CLOSE_OVER_AXIS * float(site["ellipse_semi_major_m"]))


def draw_site(run: SiteRun, site: pd.Series) -> Figure:
    """Draw a site's surroundings and its ellipse, side by side for two columns."""
    widths = WIDE_M, close_width_m(site)
    with styled():
        figure, panels = _panels(run, 2)
        for axes, width in zip(panels, widths, strict=True):
            view = square(float(site["x_m"]), float(site["y_m"]), width)
            layers = _Layers.read(run, view)
            across = width / run.lattice.pixel_m
            axes.set_title(f"{width / 1000.0:g} km wide, {across:.1f} pixels across", fontsize=SMALL_PT + 1.0)
            _relief(axes, layers, view, run.chosen.rule.max_slope_deg)
            _polygons(axes, run.sites, view, int(site["site_id"]), numbered=width == WIDE_M)
            _ways(axes, run.routes_of(int(site["site_id"])))
            _ellipse(axes, site)
            if across <= _NUMBERED_PX:
                _numbers(axes, layers.slope, view)
            furnish(axes, view, run.chosen.grid.pole, "the ellipse's centre")
        _legend(figure, _handles(run.chosen.rule.max_slope_deg))
        close = widths[1] / run.lattice.pixel_m
        words = "Right: slope of each pixel in degrees. " if close <= _NUMBERED_PX else ""
        caption(figure, f"{words}Light falls from the upper left. Lengths are the map's.\n{run.map_source}")
        title = f"Site {site['rank']}: surroundings and landing ellipse"
        header(figure, title, synthetic=run.synthetic)
        return figure


def draw_light(run: SiteRun, site: pd.Series) -> Figure:
    """Draw sunlight and Earth view of a site's surroundings as the rule reads them, side by side for two columns."""
    rule = run.chosen.rule
    mean = run.chosen.rules.illumination == "mean"
    sun = (
        ("sun_mean", SUN_MEAN, "mean visible part of the Sun") if mean else ("sun_any", SUN_ANY, "any part of the Sun")
    )
    drawn = (
        (*sun, rule.min_illumination_pct, "Sunlight"),
        ("earth_any", EARTH_ANY, "any part of the Earth", rule.min_earth_visibility_pct, "Earth view"),
    )
    view = square(float(site["x_m"]), float(site["y_m"]), WIDE_M)
    with styled():
        figure, panels = _panels(run, 2, bars=True)
        for axes, (name, spec, words, limit, title) in zip(panels, drawn, strict=True):
            ground = window(run.paths[name], spec, view)
            share = 100.0 * ground.pixels
            norm, colours = Normalize(0.0, 100.0), colormaps["cividis"]
            shown = colours(norm(np.nan_to_num(share)))[..., :3]
            unknown = np.isnan(share)
            shown[unknown] = unknown_ground(share.shape)[unknown]
            axes.imshow(shown, extent=ground.extent, interpolation="nearest", zorder=0.5)
            _outline(axes, ground, np.nan_to_num(share, nan=np.inf) < limit, ec=VERMILION, lw=0.8)
            _polygons(axes, run.sites, view, int(site["site_id"]), numbered=False)
            _ellipse(axes, site)
            furnish(axes, view, run.chosen.grid.pole, "the ellipse's centre")
            axes.set_title(title, fontsize=SMALL_PT + 1.0)
            place = axes.get_position()
            bar = figure.add_axes((place.x0, place.y0 - 0.62 / _height(figure), place.width, 0.09 / _height(figure)))
            figure.colorbar(
                ScalarMappable(norm, colours), cax=bar, orientation="horizontal", label=f"{words} (% of time)"
            )
        handles: list[Any] = [
            Patch(fc="none", ec=VERMILION, label="below the rule's limit"),
            Patch(fc="none", ec=BLUE, label="site"),
            Line2D([], [], color=BLACK, lw=1.2, label="landing ellipse"),
        ]
        _legend(figure, handles)
        limits = f"{rule.min_illumination_pct:g} % for the Sun, {rule.min_earth_visibility_pct:g} % for the Earth"
        caption(figure, f"The rule's limits: {limits}.\n{run.map_source}")
        header(figure, f"Site {site['rank']}: light and Earth view around it", synthetic=run.synthetic)
        return figure


def draw_region(run: SiteRun, outline: shapely.Polygon, name: str, sites: pd.DataFrame) -> Figure:
    """Draw a candidate region with its own sites, for two columns; its limit of slope is the HLS rule's, as theirs is.

    Args:
        run: The run.
        outline: The region's outline, map metres.
        name: Its name.
        sites: Its sites, numbered by their rank within the region.
    """
    west, south, east, north = outline.bounds
    limit = run.chosen.rules.hls.max_slope_deg
    side = region_width_m(outline)
    view = square(0.5 * (west + east), 0.5 * (south + north), side)
    with styled():
        height = 6.9
        figure = new_figure(WIDE_IN, height)
        width = height - 1.55
        left = 0.5 * (WIDE_IN - width) + 0.15
        axes = figure.add_axes((left / WIDE_IN, 1.12 / height, width / WIDE_IN, width / height))
        layers = _Layers.read(run, view)
        _relief(axes, layers, view, limit)
        _patch(axes, [outline], fc="none", ec=BLACK, lw=1.6, zorder=3.0)
        _polygons(axes, sites, view, None, numbered=True)
        furnish(axes, view, run.chosen.grid.pole, "the middle")
        handles = [*_handles(limit, ways=False), Patch(fc="none", ec=BLACK, lw=1.6, label="region's outline")]
        if tints(outline):
            label = f"steeper than {limit:g}°"
            handles[0] = Patch(fc=(*_rgb(VERMILION), _TINT), ec="none", label=label)
        _legend(figure, handles)
        caption(figure, f"Numbers: rank within the region. Lengths are the map's.\n{run.map_source}")
        header(figure, f"{name}: its ground and sites", synthetic=run.synthetic)
        return figure


def region_width_m(outline: shapely.Polygon) -> float:
    """Return the width of the map of a region."""
    west, south, east, north = outline.bounds
    return float(1.12 * max(east - west, north - south))


def tints(outline: shapely.Polygon) -> bool:
    """Whether steep ground is tinted on the map of a region, and not outlined."""
    return region_width_m(outline) > _OUTLINED_M


def _panels(run: SiteRun, count: int, *, bars: bool = False) -> tuple[Figure, list[Axes]]:
    foot = 1.72 if bars else 1.2
    width = (WIDE_IN - 0.55 * count - 0.12) / count
    height = width + 0.55 + foot
    figure = new_figure(WIDE_IN, height)
    panels = []
    for index in range(count):
        left = 0.5 + index * (width + 0.6)
        panels.append(figure.add_axes((left / WIDE_IN, foot / height, width / WIDE_IN, width / height)))
    return figure, panels


def _height(figure: Figure) -> float:
    return float(figure.get_figheight())


def _relief(axes: Axes, layers: _Layers, view: View, limit_deg: float) -> None:
    """Draw the shaded relief with steep ground outlined, shadow hatched and unknown ground in grey stripes."""
    ground = layers.height
    lit = hillshade(ground.pixels.astype(np.float32), ground.pixel_m).astype(np.float64)
    known = np.isfinite(lit)
    if known.any():
        low, high = np.quantile(lit[known], [0.01, 0.99])
        # Gentle ground is drawn pale: the least contrast keeps noise from looking like relief.
        spread = max(high - low, 0.12)
        middle = 0.5 * (low + high)
        lit = np.clip(0.5 + (lit - middle) / spread, 0.0, 1.0)
    shown = np.repeat((0.42 + 0.5 * np.nan_to_num(lit))[..., None], 3, axis=2)
    missing = ~known | np.isnan(ground.pixels)
    shown[missing] = unknown_ground(lit.shape)[missing]
    axes.imshow(shown, extent=ground.extent, interpolation="nearest", zorder=0.5)
    if view.width_m / ground.pixel_m <= _LINED_PX:
        _pixel_edges(axes, ground)
    steep = np.nan_to_num(layers.slope.pixels) > limit_deg
    if view.width_m <= _OUTLINED_M:
        _outline(axes, layers.slope, steep, ec=VERMILION, lw=0.8)
    else:
        _patch(axes, layers.slope.outlines(steep), fc=(*_rgb(VERMILION), _TINT), ec="none", zorder=1.2)
    shadow = np.nan_to_num(layers.shadow.pixels) == 1.0
    _patch(axes, layers.shadow.outlines(shadow), fc=(*_rgb(SKY), 0.25), ec=BLUE, lw=0.4, hatch="/////", zorder=1.4)


def _rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[start : start + 2], 16) / 255.0 for start in (1, 3, 5))
    return red, green, blue


def _pixel_edges(axes: Axes, ground: Ground) -> None:
    left, right, bottom, top = ground.extent
    rows, cols = ground.pixels.shape
    style: dict[str, Any] = {"color": "white", "lw": 0.25, "alpha": 0.5, "zorder": 0.8}
    axes.hlines(top - np.arange(rows + 1) * ground.pixel_m, left, right, **style)
    axes.vlines(left + np.arange(cols + 1) * ground.pixel_m, bottom, top, **style)


def _outline(axes: Axes, ground: Ground, mask: Any, **style: Any) -> None:
    _patch(axes, ground.outlines(np.asarray(mask, dtype=np.bool_)), fc="none", zorder=1.6, **style)


def _patch(axes: Axes, shapes: Sequence[BaseGeometry], **style: Any) -> None:
    """Draw polygons with their holes as one patch."""
    rings = [
        Outline(np.asarray(ring.coords), closed=True)
        for shape in shapes
        for part in getattr(shape, "geoms", [shape])
        for ring in (part.exterior, *part.interiors)
    ]
    if rings:
        axes.add_patch(PathPatch(Outline.make_compound_path(*rings), **style))


def _polygons(axes: Axes, sites: pd.DataFrame, view: View, chosen: int | None, *, numbered: bool) -> None:
    """Draw the polygons of the sites that a view touches; the chosen one stands out."""
    frame = shapely.box(view.x_min_m, view.y_min_m, view.x_max_m, view.y_max_m)
    columns = (sites["site_id"], sites["rank"], sites["x_m"], sites["y_m"], sites["geometry"])
    for site_id, rank, x_m, y_m, shape in zip(*columns, strict=True):
        if not shape.intersects(frame):
            continue
        own = chosen is None or site_id == chosen
        _patch(axes, [shape], fc="none", ec="white", lw=2.4 if own else 1.4, zorder=2.0)
        _patch(axes, [shape], fc="none", ec=BLUE, lw=1.4 if own else 0.7, zorder=2.1)
        if numbered and view.holds(x_m, y_m, 0.03) and site_id != chosen:
            text = axes.text(x_m, y_m, str(rank), fontsize=SMALL_PT + (1.5 if own else 0.0), color=BLUE)
            text.set(ha="center", va="center", fontweight="bold", path_effects=halo(2.0), zorder=3.5)


def _ellipse(axes: Axes, site: pd.Series) -> None:
    centre = float(site["x_m"]), float(site["y_m"])
    size = 2.0 * float(site["ellipse_semi_major_m"]), 2.0 * float(site["ellipse_semi_minor_m"])
    for colour, width in (("white", 2.6), (BLACK, 1.2)):
        axes.add_patch(
            Ellipse(
                centre, *size, angle=float(site["ellipse_map_angle_deg"]), fc="none", ec=colour, lw=width, zorder=3.0
            )
        )
    axes.plot(*centre, marker="+", ms=5.0, mew=1.0, color=BLACK, zorder=3.1)


def _ways(axes: Axes, ways: Mapping[str, pd.DataFrame]) -> None:
    for mover, (_, colour, dash) in MOVERS.items():
        if mover in ways:
            x, y = ways[mover]["x_m"].to_numpy(), ways[mover]["y_m"].to_numpy()
            axes.plot(x, y, color="white", lw=2.4, zorder=2.4)
            axes.plot(x, y, color=colour, lw=1.3, ls=dash, zorder=2.5)


def _numbers(axes: Axes, slope: Ground, view: View) -> None:
    x, y = slope.centres()
    for px, py, value in zip(x.ravel(), y.ravel(), slope.pixels.ravel(), strict=True):
        if view.holds(float(px), float(py), 0.02):
            text = "?" if math.isnan(value) else f"{value:.1f}°"
            # Above the middle, where the cross and the ways begin.
            label = axes.text(
                float(px),
                float(py) + 0.27 * slope.pixel_m,
                text,
                fontsize=SMALL_PT,
                ha="center",
                va="center",
                color=INK,
            )
            label.set(path_effects=halo(1.4), zorder=2.8)


def _handles(limit_deg: float, *, ways: bool = True) -> list[Any]:
    handles: list[Any] = [
        Patch(fc="none", ec=VERMILION, label=f"steeper than {limit_deg:g}°"),
        Patch(fc=(*_rgb(SKY), 0.25), ec=BLUE, lw=0.4, hatch="/////", label="permanent shadow"),
        Patch(fc="none", ec=BLUE, lw=1.4, label="site"),
    ]
    if ways:
        handles.append(Line2D([], [], color=BLACK, lw=1.2, label="landing ellipse"))
        handles += [
            Line2D([], [], color=colour, lw=1.3, ls=dash, label=f"to shadow {word}")
            for word, colour, dash in MOVERS.values()
        ]
    return handles


def _legend(figure: Figure, handles: list[Any]) -> None:
    height = _height(figure)
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.0, 0.33 / height), ncols=6, columnspacing=1.0)
