"""The charts: what drives the score (SHAP) and how, and agreement with the Artemis regions beside chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import Stamp
from lunarsite.publish.style import (
    BLACK,
    BLUE,
    FAINT,
    ORANGE,
    SMALL_PT,
    VERMILION,
    WIDE_IN,
    caption,
    header,
    new_figure,
    styled,
)
from lunarsite.publish.words import feature_words

MOST_FEATURES = 10
"""Features in the SHAP chart."""
SAMPLE = 1_500
"""Cells drawn per feature in the SHAP chart."""
_LANES = 7


def mean_absolute_shap(scores: pd.DataFrame) -> pd.Series[float]:
    """Return the mean absolute SHAP value of each feature over the known cells, largest first."""
    columns = [name for name in scores.columns if str(name).startswith("shap_")]
    means = scores[columns].abs().mean().rename(lambda name: str(name).removeprefix("shap_"))
    return means.sort_values(ascending=False, kind="stable")


def draw_shap(scores: pd.DataFrame, cells: pd.DataFrame, stamp: Stamp) -> Figure:
    """Return the chart of SHAP values: mean size by feature, and single cells coloured by the feature's value.

    Args:
        scores: The table of scores with its shap_ columns.
        cells: The cells' features, rows as in `scores`.
        stamp: The scores' stamp.
    """
    with styled():
        sizes = mean_absolute_shap(scores)[:MOST_FEATURES][::-1]
        height = 1.45 + 0.27 * max(len(sizes), 4)
        figure = new_figure(WIDE_IN, height)
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.0, 1.7))
        figure.subplots_adjust(left=0.28, right=0.9, top=1.0 - 0.55 / height, bottom=0.7 / height, wspace=0.07)
        position = np.arange(len(sizes))
        left.barh(position, sizes.to_numpy(), color=BLUE, height=0.62)
        for at, size in zip(position, sizes, strict=True):
            left.text(size, at, f" {size:.2f}", va="center", fontsize=SMALL_PT)
        left.set_xlim(0.0, float(sizes.max()) * 1.22 if len(sizes) and sizes.max() > 0 else 1.0)
        left.set_yticks(position, [feature_words(str(name)) for name in sizes.index])
        left.set_xlabel("Mean |SHAP| (log-odds)")
        left.set_title("Mean size")
        rows = sample_rows(scores)
        for at, name in zip(position, sizes.index, strict=True):
            _swarm(right, float(at), scores[f"shap_{name}"].to_numpy()[rows], cells[name].to_numpy()[rows])
        right.axvline(0.0, color=FAINT, lw=0.7, zorder=0.0)
        right.set_xlabel("SHAP value of a cell (log-odds; right: better)")
        right.set_title("Single cells")
        bar = figure.add_axes((0.915, 0.28, 0.012, 0.5))
        figure.colorbar(ScalarMappable(Normalize(0, 1), colormaps["cividis"]), cax=bar, ticks=[0, 1])
        bar.set_yticklabels(["low", "high"])
        bar.set_ylabel("Feature's value", fontsize=SMALL_PT, labelpad=-12)
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
        known = int((scores["rank"] > 0).sum())
        shown = f"{len(rows)} of {known} known cells, evenly by rank; cells that pass the rule are drawn more densely."
        caption(figure, f"SHAP values of the scorer. Right: {shown}")
        header(figure, "What drives the score", synthetic=stamp.origin == "synthetic")
        return figure


def sample_rows(scores: pd.DataFrame) -> NDArray[np.int64]:
    """Return the rows drawn in the SHAP chart: evenly spaced in rank, with passing cells enough to be seen."""
    known = np.flatnonzero(scores["rank"].to_numpy() > 0)
    by_rank = known[np.argsort(scores["rank"].to_numpy()[known], kind="stable")]
    passing = by_rank[scores["label"].to_numpy()[by_rank] == "suitable"]
    return np.union1d(_evenly(passing, SAMPLE // 3), _evenly(by_rank, SAMPLE - SAMPLE // 3))


def _evenly(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    if rows.size <= most:
        return rows
    return rows[np.linspace(0, rows.size - 1, most).round().astype(np.int64)]


def _swarm(axes: Axes, at: float, shap: NDArray[Any], values: NDArray[Any]) -> None:
    """Draw one feature's cells: along x their SHAP value, across it spread so that equal values do not hide."""
    low, high = (float(v) for v in np.nanquantile(values, (0.02, 0.98))) if np.isfinite(values).any() else (0.0, 1.0)
    shade = np.clip((values - low) / max(high - low, 1e-12), 0.0, 1.0)
    order = np.argsort(shap, kind="stable")
    span = max(float(np.nanmax(shap) - np.nanmin(shap)), 1e-12)
    bins = np.floor(120.0 * (shap[order] - np.nanmin(shap)) / span)
    first = np.searchsorted(bins, bins, side="left")
    place = np.arange(bins.size) - first
    crowd = np.searchsorted(bins, bins, side="right") - first
    lane = ((place % _LANES) - 0.5 * (_LANES - 1)) / _LANES
    across = lane * np.minimum(1.0, crowd / _LANES) * 0.78
    colours = colormaps["cividis"](shade[order])
    colours[~np.isfinite(shade[order])] = (0.6, 0.6, 0.6, 1.0)
    axes.scatter(shap[order], at + across, c=colours, s=2.2, linewidths=0.0, rasterized=True)


def draw_agreement(record: Record, stamp: Stamp) -> Figure:
    """Return the chart of enrichments in the Artemis regions beside the 95 % intervals of both nulls."""
    with styled():
        rows = record.tables["agreement"]
        groups = list(dict.fromkeys(str(row["regions"]) for row in rows))
        names = list(dict.fromkeys(str(row["selection"]) for row in rows))
        height = 1.65 + 0.34 * len(names)
        figure = new_figure(WIDE_IN, height)
        panels = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
        # Names of choices stand left of the panels: room for the longest one.
        left = 0.04 + 0.0075 * max(len(name) for name in names)
        figure.subplots_adjust(left=left, right=0.97, top=1.0 - 0.52 / height, bottom=0.88 / height, wspace=0.08)
        for axes, group in zip(panels, groups, strict=True):
            _panel(axes, [row for row in rows if row["regions"] == group], names)
            axes.set_title(group[0].upper() + group[1:])
        panels[0].set_yticks(np.arange(len(names)), names[::-1])
        panels[0].set_ylim(-0.6, len(names) - 0.4)
        handles = [
            Line2D([], [], marker="D", ls="", ms=4.5, color=BLACK, label="measured"),
            Line2D([], [], color=BLUE, lw=4.0, alpha=0.75, label="turned about the pole: median, 95 %"),
            Line2D([], [], color=ORANGE, lw=4.0, alpha=0.75, label="random cells: median, 95 %"),
            Line2D([], [], color=VERMILION, lw=0.9, ls="--", label="no better than the base rate"),
        ]
        figure.legend(
            handles=handles, loc="lower left", bbox_to_anchor=(0.01, 0.22 / height), ncols=4, columnspacing=1.0
        )
        caption(
            figure,
            "Enrichment: share of the selected area inside the regions over the share of all known area inside.",
        )
        header(figure, "Agreement with the Artemis III candidate regions", synthetic=stamp.origin == "synthetic")
        return figure


def _panel(axes: Axes, rows: Sequence[dict[str, Any]], names: Sequence[str]) -> None:
    for row in rows:
        at = len(names) - 1 - names.index(str(row["selection"]))
        if row["enrichment"] is None:
            axes.text(1.1, at, "unknown", va="center", fontsize=SMALL_PT, color=FAINT, style="italic")
            continue
        for null, colour, shift in (("rotation", BLUE, 0.14), ("random", ORANGE, -0.14)):
            if row[f"{null}_low"] is not None:
                axes.plot(
                    [row[f"{null}_low"], row[f"{null}_high"]],
                    [at + shift] * 2,
                    color=colour,
                    lw=4.0,
                    alpha=0.75,
                    solid_capstyle="butt",
                )
                axes.plot([row[f"{null}_median"]], [at + shift], marker="|", ms=6.0, color=BLACK, mew=0.9)
        axes.plot([row["enrichment"]], [at], marker="D", ms=4.5, color=BLACK, zorder=3.0)
    axes.axvline(1.0, color=VERMILION, lw=0.9, ls="--", zorder=0.5)
    axes.set_xlim(left=0.0)
    axes.margins(x=0.08)
    axes.set_xlabel("Enrichment (1 = base rate)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", lw=0.3, alpha=0.6)


DEPENDENCE = 6
"""Features whose dependence is drawn."""
_TAIL = 0.001
"""Share of cells at each end of a feature's values that the charts of dependence leave out."""
_RULE_INPUTS = {
    "slope": ("slope_mean", "buffered_slope_deg"),
    "light": ("avg_illumination_pct",),
    "earth": ("earth_visibility_pct",),
}


def draw_dependence(scores: pd.DataFrame, cells: pd.DataFrame, limits: dict[str, float], stamp: Stamp) -> Figure:
    """Return how the SHAP value of each of the strongest features depends on its value, for two columns.

    Args:
        scores: The table of scores with its shap_ columns.
        cells: The cells' features, rows as in `scores`.
        limits: The rule's limits by input (slope, light, earth), in the units of the inputs.
        stamp: The scores' stamp.
    """
    with styled():
        names = [str(name) for name in mean_absolute_shap(scores).index if name in cells.columns][:DEPENDENCE]
        of_feature = {name: limits[key] for key, columns in _RULE_INPUTS.items() if key in limits for name in columns}
        rows = max(1, math.ceil(len(names) / 3))
        height = 0.95 + 1.95 * rows
        figure = new_figure(WIDE_IN, height)
        panels = figure.subplots(rows, 3, squeeze=False).ravel()
        figure.subplots_adjust(
            left=0.1, right=0.9, top=1.0 - 0.42 / height, bottom=0.83 / height, wspace=0.32, hspace=0.42
        )
        norm = LogNorm(1.0, max(10.0, 0.1 * float((scores["rank"] > 0).sum())))
        for axes, name in zip(panels, names, strict=False):
            _density(axes, cells[name].to_numpy(np.float64), scores[f"shap_{name}"].to_numpy(np.float64), norm)
            axes.axhline(0.0, color=FAINT, lw=0.7, zorder=0.5)
            if name in of_feature:
                axes.axvline(of_feature[name], color=VERMILION, lw=0.9, ls="--", zorder=3.0)
            axes.set_xlabel(feature_words(name))
            axes.spines[["top", "right"]].set_visible(False)
        for axes in panels[len(names) :]:
            axes.set_axis_off()
        for axes in panels[::3]:
            axes.set_ylabel("SHAP (log-odds)")
        figure.align_ylabels(panels[::3])
        bar = figure.add_axes((0.925, 0.28, 0.013, 0.5))
        figure.colorbar(ScalarMappable(norm, colormaps["viridis_r"]), cax=bar)
        bar.set_ylabel("Cells", fontsize=SMALL_PT, labelpad=0.0)
        if of_feature:
            handles = [Line2D([], [], color=VERMILION, lw=0.9, ls="--", label="the rule's limit")]
            figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.05, 0.18 / height))
        caption(figure, "Above zero a value speaks for the cell. 0.1 % of the cells at either end are cut off.")
        header(figure, "How the score depends on its strongest features", synthetic=stamp.origin == "synthetic")
        return figure


def _density(axes: Axes, values: NDArray[np.float64], shap: NDArray[np.float64], norm: LogNorm) -> None:
    """Draw how many cells have a value and its SHAP value, in hexagons."""
    known = np.isfinite(values) & np.isfinite(shap)
    if not known.any():
        axes.text(0.5, 0.5, "unknown", transform=axes.transAxes, ha="center", color=FAINT, style="italic")
        return
    low, high = np.quantile(values[known], (_TAIL, 1.0 - _TAIL))
    held = known & (values >= low) & (values <= high)
    axes.hexbin(
        values[held], shap[held], gridsize=(44, 26), norm=norm, cmap="viridis_r", mincnt=1, linewidths=0.1,
        zorder=2.0,
    )  # fmt: skip
