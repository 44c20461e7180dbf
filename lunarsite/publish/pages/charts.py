"""Charts of a site: its light by month, slopes, what drives its score, how firm its rank is, its ways to shadow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import shapely
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lunarsite.artefact.contracts import SLOPE
from lunarsite.publish.pages.gather import SiteRun
from lunarsite.publish.pages.ground import ellipse, heights_along, window
from lunarsite.publish.pages.maps import MOVERS
from lunarsite.publish.rasters import View
from lunarsite.publish.style import (
    BLACK,
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    SKY,
    SMALL_PT,
    VERMILION,
    WIDE_IN,
    caption,
    header,
    new_figure,
    styled,
)
from lunarsite.publish.words import feature_words, number_words

MOST_FEATURES = 12
"""Features whose SHAP values are shown; the rest is one bar."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FEW_PIXELS = 80
"""Pixels of the ellipse up to which each is a dot of its own."""


def draw_months(run: SiteRun, site: pd.Series, months: pd.DataFrame) -> Figure:
    """Draw a site's light by calendar month: the mean over the years, and the worst and the best year.

    Args:
        run: The run.
        site: The site.
        months: Its rows of the table of months.
    """
    rule = run.chosen.rule
    limits = {"sun": rule.min_illumination_pct, "earth": rule.min_earth_visibility_pct}
    with styled():
        height = 2.55
        figure = new_figure(WIDE_IN, height)
        panels = figure.subplots(1, 2)
        figure.subplots_adjust(left=0.075, right=0.985, top=1.0 - 0.55 / height, bottom=0.83 / height, wspace=0.2)
        for axes, (body, name, colour) in zip(panels, (("sun", "Sun", ORANGE), ("earth", "Earth", BLUE)), strict=True):
            at = months["month"].to_numpy()
            mean, low, high = (100.0 * months[f"{body}_{end}"].to_numpy() for end in ("mean", "low", "high"))
            axes.fill_between(at, low, high, color=colour, alpha=0.3, lw=0.0)
            axes.plot(at, mean, color=colour, lw=1.4, marker="o", ms=3.0)
            axes.axhline(limits[body], color=VERMILION, lw=0.9, ls=(0, (4, 2)))
            axes.set(xlim=(0.6, 12.4), ylim=(0.0, 103.0), ylabel=f"{name} in view (% of time)")
            axes.set_xticks(np.arange(1, 13), _MONTHS)
            axes.spines[["top", "right"]].set_visible(False)
        handles: list[Any] = [
            Line2D([], [], color=FAINT, lw=1.4, marker="o", ms=3.0, label="mean of all years"),
            Patch(fc=FAINT, alpha=0.3, label="from the worst to the best year"),
            Line2D([], [], color=VERMILION, lw=0.9, ls=(0, (4, 2)), label="the rule's limit, for the whole time"),
        ]
        _legend(figure, handles, 3)
        words = f"Any part of the disc, {run.chosen.places.height_m:g} m above the ground; months of UTC."
        caption(figure, f"{words} {run.terrain}")
        header(figure, f"Site {site['rank']}: light by month", synthetic=run.synthetic)
        return figure


def draw_slopes(run: SiteRun, site: pd.Series) -> Figure:
    """Draw the slopes of a site's pixels: those of its polygon as a histogram, those of its ellipse one by one."""
    polygon: shapely.Geometry = site["geometry"]
    around = shapely.union(polygon, ellipse(site)).bounds
    ground = window(run.paths["slope"], SLOPE, View(around[0], around[2], around[1], around[3]))
    inside, landing = ground.inside(polygon), ground.inside(ellipse(site))
    limit = run.chosen.rule.max_slope_deg
    with styled():
        height = 2.75
        figure = new_figure(WIDE_IN, height)
        axes: Axes = figure.add_axes((0.075, 0.85 / height, 0.905, (height - 1.4) / height))
        top = max(float(np.max(inside, initial=0.0)), float(np.max(landing, initial=0.0)), limit) + 1.0
        bins = np.arange(0.0, np.ceil(2.0 * top) / 2.0 + 0.25, 0.5)
        tallest = 1.0
        if inside.size:
            share = 100.0 * np.histogram(inside, bins)[0] / inside.size
            tallest = float(share.max())
            axes.bar(bins[:-1], share, width=0.5, align="edge", color=SKY, ec="white", lw=0.4)
        low = -0.2 * tallest
        if landing.size <= _FEW_PIXELS:
            axes.plot(landing, np.full(landing.size, 0.5 * low), ls="", marker="o", ms=4.0, mfc="none", mec=BLACK)
        else:
            share = 100.0 * np.histogram(landing, bins)[0] / landing.size
            axes.stairs(share, bins, color=BLACK, lw=1.2)
        axes.axhline(0.0, color=FAINT, lw=0.5)
        axes.axvline(limit, color=VERMILION, lw=1.0, ls=(0, (4, 2)))
        axes.set(xlim=(0.0, bins[-1]), ylim=(low, 1.08 * tallest))
        axes.set_yticks([tick for tick in axes.get_yticks() if 0.0 <= tick <= 1.08 * tallest])
        axes.set_xlabel("Slope of a pixel (degrees)")
        axes.set_ylabel("Pixels of the polygon (%)")
        axes.spines[["top", "right"]].set_visible(False)
        beyond = f", {int((inside > limit).sum())} steeper than the limit"
        handles: list[Any] = [
            Patch(fc=SKY, label=f"polygon: {inside.size} pixels{beyond}"),
            Line2D([], [], ls="", marker="o", ms=4.0, mfc="none", mec=BLACK, label=f"ellipse: {landing.size} pixels"),
            Line2D([], [], color=VERMILION, lw=1.0, ls=(0, (4, 2)), label=f"limit of a cell's mean: {limit:g}°"),
        ]
        _legend(figure, handles, 3)
        caption(figure, f"Pixels whose centres lie inside; the ellipse's nearest pixel if none does. {run.terrain}")
        header(figure, f"Site {site['rank']}: slopes", synthetic=run.synthetic)
        return figure


def draw_drivers(run: SiteRun, site: pd.Series, shap: pd.Series, values: pd.Series) -> Figure:
    """Draw what the features add to the score of a site's best cell.

    Args:
        run: The run.
        site: The site.
        shap: SHAP values by feature, log-odds.
        values: The features' values in the cell.
    """
    order = shap.abs().sort_values(ascending=False, kind="stable").index
    shown, rest = list(order[:MOST_FEATURES]), list(order[MOST_FEATURES:])
    words = [f"{feature_words(str(name))}: {number_words(float(values[name]))}" for name in shown]
    bars = [float(shap[name]) for name in shown]
    if rest:
        words.append(f"{len(rest)} other features")
        bars.append(float(shap[rest].sum()))
    with styled():
        height = 1.15 + 0.2 * len(bars)
        figure = new_figure(WIDE_IN, height)
        axes: Axes = figure.add_axes((0.41, 0.62 / height, 0.52, (height - 1.02) / height))
        colours = [GREEN if value >= 0.0 else VERMILION for value in bars]
        axes.barh(np.arange(len(bars)), bars, color=colours, height=0.7)
        low, high = min(0.0, *bars), max(0.0, *bars)
        reach = max(-low, high, 1e-6)
        for row, value in enumerate(bars):
            side = "left" if value >= 0.0 else "right"
            gap = 0.015 * reach * (1.0 if value >= 0.0 else -1.0)
            axes.text(value + gap, row, f"{value:+.2f}", ha=side, va="center", fontsize=SMALL_PT, color=INK)
        axes.axvline(0.0, color=INK, lw=0.6)
        axes.set(ylim=(len(bars) - 0.4, -0.6), xlim=(low - 0.16 * reach, high + 0.16 * reach))
        axes.set_yticks(np.arange(len(bars)), words, parse_math=False)
        axes.set_xlabel("SHAP value: what it adds to the score (log-odds); right speaks for the cell, left against")
        axes.xaxis.label.set(ha="right", x=1.0)
        axes.tick_params(axis="y", length=0.0)
        axes.spines[["top", "right", "left"]].set_visible(False)
        caption(figure, f"Of the best cell. It explains the model, not the Moon. {run.terrain}")
        header(figure, f"Site {site['rank']}: what drives its score", synthetic=run.synthetic)
        return figure


def draw_ranks(run: SiteRun, site: pd.Series, ranks: pd.Series[int]) -> Figure:
    """Draw how often a site takes each rank under random weights and shifted limits, beside a random order.

    Args:
        run: The run.
        site: The site.
        ranks: Its rank in each draw.
    """
    count = len(run.sites)
    step = max(1, -(-count // 50))
    bins = np.arange(0.5, count + step + 0.5, step)
    share = 100.0 * np.histogram(ranks, bins)[0] / max(len(ranks), 1)
    with styled():
        height = 2.6
        figure = new_figure(WIDE_IN, height)
        axes: Axes = figure.add_axes((0.075, 0.85 / height, 0.905, (height - 1.25) / height))
        axes.axvspan(site["rank_low"] - 0.5, site["rank_high"] + 0.5, color=SKY, alpha=0.25, lw=0.0)
        axes.bar(bins[:-1], share, width=step, align="edge", color=BLUE, ec="white", lw=0.4)
        axes.axvline(site["rank"], color=BLACK, lw=1.2)
        axes.axhline(100.0 * step / count, color=FAINT, lw=0.9, ls=(0, (4, 2)))
        axes.set(xlim=(0.5, count + 0.5), ylim=(0.0, 1.1 * max(float(share.max()), 100.0 * step / count)))
        axes.set_xlabel(f"Rank among the {count} sites" + (f" (in steps of {step})" if step > 1 else ""))
        axes.set_ylabel("Draws (%)")
        axes.spines[["top", "right"]].set_visible(False)
        handles: list[Any] = [
            Patch(fc=BLUE, label=f"{len(ranks)} draws"),
            Patch(fc=SKY, alpha=0.25, label="95 % of the draws"),
            Line2D([], [], color=BLACK, lw=1.2, label="its rank"),
            Line2D([], [], color=FAINT, lw=0.9, ls=(0, (4, 2)), label="a random order"),
        ]
        _legend(figure, handles, 4)
        shift = 100.0 * run.chosen.ranking.threshold_shift
        caption(figure, f"Random weights, and the rule's limits shifted by up to {shift:g} % each. {run.terrain}")
        header(figure, f"Site {site['rank']}: how firm its rank is", synthetic=run.synthetic)
        return figure


def draw_ways(run: SiteRun, site: pd.Series, ways: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw the height along the ways from a site to permanent shadow."""
    limits = {"walk": run.chosen.reach.walk_slope_deg, "rover": run.chosen.reach.rover_slope_deg}
    with styled():
        height = 2.6
        figure = new_figure(WIDE_IN, height)
        axes: Axes = figure.add_axes((0.095, 0.85 / height, 0.885, (height - 1.25) / height))
        handles: list[Any] = []
        for mover, (words, colour, dash) in MOVERS.items():
            if mover not in ways:
                continue
            way = ways[mover]
            heights = heights_along(run.paths["dem"], way["x_m"].to_numpy(), way["y_m"].to_numpy())
            along = way["path_m"].to_numpy() / 1000.0
            axes.plot(along, heights, color=colour, lw=1.4, ls=dash)
            axes.plot(along[-1:], heights[-1:], marker="s", ms=4.0, color=colour)
            label = f"{words} (at most {limits[mover]:g}°): {along[-1]:.2f} km"
            handles.append(Line2D([], [], color=colour, lw=1.4, ls=dash, label=label))
        handles.append(Line2D([], [], ls="", marker="s", ms=4.0, color=FAINT, label="shadow begins"))
        axes.set_xlabel("Way from the site (km)")
        axes.set_ylabel("Height (m)")
        axes.set_xlim(left=0.0)
        axes.ticklabel_format(axis="y", useOffset=False, style="plain")
        axes.spines[["top", "right"]].set_visible(False)
        _legend(figure, handles, 3)
        area = run.chosen.reach.psr_area_km2
        caption(
            figure, f"To permanently shadowed regions of at least {area:g} km²; heights above 1737.4 km. {run.terrain}"
        )
        header(figure, f"Site {site['rank']}: nearest ways to permanent shadow", synthetic=run.synthetic)
        return figure


def _legend(figure: Figure, handles: list[Any], columns: int) -> None:
    height = float(figure.get_figheight())
    figure.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0.0, 0.2 / height), ncols=columns, columnspacing=1.4
    )
