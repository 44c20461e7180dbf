"""The best sites: where they lie, and how firm their order is.

Sites are drawn as the polygons that their table holds. Every number is the table's; nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path as Outline
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.polygon import orient

from lunarsite.artefact import table
from lunarsite.artefact.contracts import SITE_RANKS, SITES
from lunarsite.artefact.stamp import ArtefactError, Stamp
from lunarsite.publish.crater_sheet import Ground, Sheet, densest, legend
from lunarsite.publish.figures import finish
from lunarsite.publish.polar_map import Feature, Labels, draw_features, draw_regions
from lunarsite.publish.rasters import View, whole_view
from lunarsite.publish.report import nearest
from lunarsite.publish.style import (
    BLACK,
    BLUE,
    FAINT,
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
from lunarsite.publish.words import number_words
from lunarsite.site.place.regions import Region

NUMBERED: Final = 20
"""Best sites that the map numbers and whose ranks are drawn."""
ZOOMS_M: Final = (120_000.0, 60_000.0)
"""Widths of the enlarged squares, map metres."""
_RANK_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000)


@dataclass(frozen=True)
class Sites:
    """The sites of a run with the ground that they lie on."""

    sites: gpd.GeoDataFrame
    draws: int
    """Draws of random weights and shifted limits."""
    stamp: Stamp
    ground: Ground
    regions: tuple[Region, ...]

    @classmethod
    def read(cls, sites: Path, ranks: Path, ground: Ground, regions: tuple[Region, ...]) -> Sites:
        """Read the sites and how their ranks were drawn.

        Raises:
            ArtefactError: A file breaks its contract, or the two speak of different sites.
        """
        found, stamp = table.read(sites, SITES)
        drawn, _ = table.read(ranks, SITE_RANKS, ["site_id", "draw"])
        if set(drawn["site_id"]) != set(found["site_id"]):
            raise ArtefactError(f"{ranks}: ranks other sites than {sites}; rerun place-sites")
        draws = int(drawn["draw"].max()) + 1 if len(drawn) else 0
        return cls(found.sort_values("rank", kind="stable"), draws, stamp, ground, regions)

    def draw_map(self) -> Figure:
        """Return the map of the sites with two squares enlarged, for two columns."""
        with styled():
            whole = whole_view(self.ground.grid)
            best = self.sites[self.sites["rank"] <= NUMBERED]
            zooms = [densest(best, whole, width) for width in ZOOMS_M]
            sheet = Sheet.of(whole, zooms, self.ground)
            for axes, view in sheet.panels:
                labels = Labels(axes, view)
                self._polygons(axes, view)
                self._numbers(axes, view, labels, best)
                draw_regions(axes, view, self.regions, labels)
                taken = [region.name for region in self.regions]
                draw_features(axes, view, self.ground.features, labels, 14 if view is whole else 4, taken)
            others = len(self.sites) - len(best)
            handles: list[Patch | Line2D] = [
                Patch(fc=BLUE, ec=BLACK, lw=0.4, label=f"the {number_words(len(best))} best sites, numbered")
            ]
            if others:
                handles.append(Patch(fc=SKY, ec=BLACK, lw=0.4, label=f"{number_words(others)} further sites"))
            if self.regions:
                handles.append(Line2D([], [], color=VERMILION, lw=1.2, label="Artemis III candidate region (2024)"))
            legend(sheet.figure, handles, 0.05, 1.12 / sheet.height)
            if self.sites.empty:
                sheet.say(0.5, 1.06, "No ground is good enough for a site.")
            lines = [
                "b, c: where most of the numbered sites lie. Polygons: the sites' shares of contiguous good cells.",
                "Names: IAU Gazetteer and literature. Regions: USGS, doi 10.5066/P1MEQ6UK.",
            ]
            finish(sheet.figure, "The best sites", self.stamp, self.ground.stamp, self.ground.grid.pixel_m, lines)
            return sheet.figure

    def _polygons(self, axes: Axes, view: View) -> None:
        """Draw the sites' outlines, the best ones last; small ones on a wide view keep a width that can be seen."""
        for numbered, colour in ((False, SKY), (True, BLUE)):
            part = self.sites[(self.sites["rank"] <= NUMBERED) == numbered]
            patches = [PathPatch(outline(shape)) for shape in part.geometry]
            wide = view.width_m > 2.0 * ZOOMS_M[0]
            axes.add_collection(
                PatchCollection(
                    patches, facecolors=colour, edgecolors=colour if wide else BLACK, linewidths=1.2 if wide else 0.4,
                    alpha=0.9, zorder=2.0 + numbered,
                )
            )  # fmt: skip

    def _numbers(self, axes: Axes, view: View, labels: Labels, best: pd.DataFrame) -> None:
        for rank, x, y in zip(best["rank"], best["x_m"], best["y_m"], strict=True):
            if view.holds(float(x), float(y)):
                gap = 0.011 * view.width_m
                labels.place(float(x), float(y), str(rank), gap, fontweight="bold", color=BLACK, path_effects=halo(2.0))

    def draw_ranks(self) -> Figure:
        """Return the rank intervals of the best sites and the share of draws that keeps them at the top."""
        return draw_ranks(self.sites, self.draws, self.ground.features, self.stamp)


def outline(shape: Polygon | MultiPolygon) -> Outline:
    """Return a polygon with its holes as a path."""
    # A hole is one only if it runs the other way round than what surrounds it.
    parts = [orient(part) for part in (shape.geoms if isinstance(shape, MultiPolygon) else (shape,))]
    rings = [np.asarray(ring.coords) for part in parts for ring in (part.exterior, *part.interiors)]
    return Outline.make_compound_path(*(Outline(ring, closed=True) for ring in rings))


def draw_ranks(sites: pd.DataFrame, draws: int, features: Sequence[Feature], stamp: Stamp) -> Figure:
    """Return the chart of the best sites' ranks under sensitivity, for two columns.

    Args:
        sites: The table of sites, by rank.
        draws: Draws behind the intervals.
        features: Named features; the nearest one names a site.
        stamp: The sites' stamp.
    """
    with styled():
        best = sites[sites["rank"] <= NUMBERED]
        count = len(best)
        height = 1.65 + 0.185 * max(count, 4)
        figure = new_figure(WIDE_IN, height)
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(2.1, 1.0))
        figure.subplots_adjust(left=0.3, right=0.97, top=1.0 - 0.55 / height, bottom=0.95 / height, wspace=0.06)
        position = np.arange(count)[::-1]
        left.hlines(position, best["rank_low"], best["rank_high"], color=BLUE, lw=4.0, alpha=0.45)
        left.plot(best["rank_median"], position, ls="", marker="|", ms=7.0, mew=1.3, color=BLUE)
        left.plot(best["rank"], position, ls="", marker="D", ms=4.2, color=BLACK, mec="white", mew=0.4)
        left.axvline(NUMBERED, color=VERMILION, lw=0.9, ls="--", zorder=0.5)
        most = max(float(best["rank_high"].max()) if count else 1.0, float(NUMBERED))
        left.set_xscale("log")
        ticks = [tick for tick in _RANK_TICKS if tick <= 1.3 * most]
        left.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        left.set_xticks([], minor=True)
        left.set_xlim(0.9, 1.25 * most)
        left.set_xlabel(f"Rank among {number_words(len(sites))} sites")
        left.set_title("Rank, and where it falls")
        right.barh(position, 100.0 * best["share_top_20"], color=BLUE, height=0.6)
        null = 100.0 * min(1.0, NUMBERED / max(len(sites), 1))
        right.axvline(null, color=VERMILION, lw=0.9, ls="--", zorder=2.0)
        right.set(xlim=(0.0, 103.0), xlabel="Draws that keep it (%)")
        right.set_title(f"Stays in the top {NUMBERED}")
        names = [
            f"{nearest(features, float(lon), float(lat))}   {rank}"
            for lon, lat, rank in zip(best["lon"], best["lat"], best["rank"], strict=True)
        ]
        left.set_yticks(position, names, parse_math=False)
        left.set_ylim(-0.7, max(count, 1) - 0.3)
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(axis="y", length=0.0)
            axes.grid(axis="x", lw=0.3, alpha=0.6)
        if not count:
            left.text(0.5, 0.5, "no site", transform=left.transAxes, ha="center", fontsize=SMALL_PT, color=FAINT)
        handles = [
            Line2D([], [], marker="D", ls="", ms=4.2, color=BLACK, label="rank"),
            Line2D([], [], color=BLUE, lw=4.0, alpha=0.45, label="95 % of the draws"),
            Line2D([], [], marker="|", ls="", ms=7.0, mew=1.3, color=BLUE, label="median of the draws"),
            Line2D([], [], color=VERMILION, lw=0.9, ls="--", label=f"left: rank {NUMBERED}; right: random order"),
        ]
        figure.legend(
            handles=handles, loc="lower left", bbox_to_anchor=(0.01, 0.3 / height), ncols=4, columnspacing=1.2
        )
        words = f"{number_words(draws)} draws of random weights and shifted limits."
        caption(figure, f"{words} Numbers from site/sites.parquet. Named after the nearest feature.")
        header(figure, "How firm the order is", synthetic=stamp.origin == "synthetic")
        return figure
