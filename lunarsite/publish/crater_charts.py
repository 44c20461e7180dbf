"""The charts of craters: precision against recall, score against precision, and recall by size and by depth.

Every number is read from the validation's record and from its table of curves; nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lunarsite.artefact.stamp import Stamp
from lunarsite.publish.style import (
    BLACK,
    BLUE,
    COLUMN_IN,
    FAINT,
    ORANGE,
    PURPLE,
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

Row = Mapping[str, Any]
"""A row of a table of the record."""


@dataclass(frozen=True)
class Detector:
    """How a detector is called and drawn."""

    words: str
    colour: str
    dashes: Any
    marker: str


DETECTORS: Final[dict[str, Detector]] = {
    "network": Detector("network", BLUE, "solid", "o"),
    "base": Detector("network before fine-tuning", ORANGE, (0.0, (5.0, 1.6)), "s"),
    "classical": Detector("classical detector", PURPLE, (0.0, (1.2, 1.2)), "^"),
    "chance": Detector("same detections at other longitudes", BLACK, "", "D"),
}
_F1_LINES = (0.5, 0.6, 0.7, 0.8, 0.9)


def detector_look(name: str) -> Detector:
    """Return how a detector is drawn; one that is not known here keeps its name, in black."""
    return DETECTORS.get(name, Detector(name.replace("_", " "), BLACK, (0.0, (3.0, 1.0, 1.0, 1.0)), "D"))


def draw_curve(curve: pd.DataFrame, points: Sequence[Row], ground: str, stamp: Stamp) -> Figure:
    """Return the chart of precision against recall by detector, a panel for each least diameter, for two columns.

    Args:
        curve: Rows of the table of curves: detector, least_diameter_m, score, precision, recall.
        points: Where the detectors stand at their thresholds: detector, least_diameter_m, precision, recall and their
            95 % intervals (None where unknown).
        ground: On what ground, in words.
        stamp: The record's stamp.
    """
    with styled():
        least = sorted(
            {float(value) for value in curve["least_diameter_m"]} | {float(p["least_diameter_m"]) for p in points}
        )
        found = set(curve["detector"]) | {str(point["detector"]) for point in points}
        names = [name for name in DETECTORS if name in found] + sorted(found - set(DETECTORS))
        columns = max(len(least), 2)
        height = 4.75
        figure = new_figure(WIDE_IN, height)
        panels = figure.subplots(1, columns, squeeze=False, sharey=True)[0]
        figure.subplots_adjust(left=0.075, right=0.985, top=1.0 - 0.56 / height, bottom=1.3 / height, wspace=0.08)
        for axes in panels[len(least) :]:
            axes.set_axis_off()
        for axes, diameter_m in zip(panels, least, strict=False):
            _f1_lines(axes)
            part = curve[curve["least_diameter_m"] == diameter_m]
            for name in reversed(names):
                look, rows = detector_look(name), part[part["detector"] == name].sort_values("score", ascending=False)
                axes.plot(rows["recall"], rows["precision"], color=look.colour, ls=look.dashes, lw=1.5, zorder=2.0)
            for point in points:
                if float(point["least_diameter_m"]) == diameter_m:
                    _point(axes, point)
            axes.set(xlim=(0.0, 1.0), ylim=(0.0, 1.02), xlabel="Recall")
            axes.set_title(f"Craters of at least {diameter_m / 1000:g} km")
            axes.spines[["top", "right"]].set_visible(False)
        panels[0].set_ylabel("Precision")
        handles = [
            Line2D(
                [], [], color=look.colour, ls=look.dashes, lw=1.5, marker=look.marker, ms=5.0, mec="white", mew=0.5,
                label=look.words,
            )
            for look in map(detector_look, names)
        ]  # fmt: skip
        handles.append(Line2D([], [], color=FAINT, lw=0.6, label="equal F1"))
        figure.legend(
            handles=handles, loc="lower left", bbox_to_anchor=(0.06, 0.4 / height), ncols=3, columnspacing=1.4
        )
        lines = f"Markers: at the threshold, with 95 % intervals over blocks of ground. One to one, {ground}."
        caption(figure, f"{lines}\nNumbers from validate/crater.json and validate/crater_curve.parquet.")
        header(figure, "Precision against recall", synthetic=stamp.origin == "synthetic")
        return figure


def _f1_lines(axes: Axes) -> None:
    """Draw faint lines of equal F1 with their values at the upper border of the chart."""
    for f1 in _F1_LINES:
        recall = np.linspace(f1 / (2.0 - f1), 1.0, 60)
        axes.plot(recall, f1 * recall / (2.0 * recall - f1), color=FAINT, lw=0.5, alpha=0.6, zorder=0.5)
        axes.text(
            1.0, f1 / (2.0 - f1), f"{f1:g}", fontsize=SMALL_PT, color=FAINT, ha="right", va="center",
            path_effects=halo(1.2),
        )  # fmt: skip


def _point(axes: Axes, row: Row) -> None:
    """Draw where a detector stands at its threshold, with its intervals."""
    if row["precision"] is None or row["recall"] is None:
        return
    look = detector_look(str(row["detector"]))
    style: dict[str, Any] = {"color": look.colour, "zorder": 3.0}
    at: dict[str, Any] = {"recall": row["recall"], "precision": row["precision"]}
    for name in at:
        ends: list[Any] = [row.get(f"{name}_low"), row.get(f"{name}_high")]
        if None not in ends:
            line = {**{key: [value] * 2 for key, value in at.items()}, name: ends}
            axes.plot(line["recall"], line["precision"], lw=1.1, **style)
    axes.plot([row["recall"]], [row["precision"]], ls="", marker=look.marker, ms=6.0, mec="white", mew=0.7, **style)


def draw_reliability(rows: Sequence[Row], ground: str, stamp: Stamp) -> Figure:
    """Return the chart of score against precision with counts, for one column.

    Args:
        rows: Bins of the score: score (mean), precision, precision_low, precision_high, detections.
        ground: On what ground, in words.
        stamp: The record's stamp.
    """
    with styled():
        height = 4.35
        figure = new_figure(COLUMN_IN, height)
        chart, bars = figure.subplots(2, 1, sharex=True, height_ratios=(3.0, 1.0))
        figure.subplots_adjust(left=0.16, right=0.965, top=1.0 - 0.42 / height, bottom=1.02 / height, hspace=0.09)
        known = [row for row in rows if row["precision"] is not None and row["score"] is not None]
        chart.plot([0.0, 1.0], [0.0, 1.0], color=VERMILION, lw=0.9, ls="--", label="score = precision", zorder=1.0)
        for row in known:
            if row.get("precision_low") is not None and row.get("precision_high") is not None:
                ends = row["precision_low"], row["precision_high"]
                chart.plot([row["score"]] * 2, ends, color=BLUE, lw=1.2, alpha=0.8, zorder=2.0)
        chart.plot(
            [row["score"] for row in known], [row["precision"] for row in known], color=BLUE, lw=0.8, marker="o",
            ms=4.5, mec="white", mew=0.5, label="detections by score, 95 %", zorder=3.0,
        )  # fmt: skip
        chart.set(ylim=(0.0, 1.03), ylabel="Precision (share confirmed)")
        chart.legend(loc="upper left")
        bars.vlines([row["score"] for row in known], 0.0, [row["detections"] for row in known], color=BLUE, lw=3.0)
        bars.set(xlim=(0.0, 1.0), ylabel="Detections", xlabel="Score")
        bars.set_ylim(bottom=0.0)
        bars.margins(y=0.15)
        for axes in (chart, bars):
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(lw=0.3, alpha=0.6)
        figure.align_ylabels()
        caption(figure, f"One to one, {ground}.\nNumbers from validate/crater.json.")
        header(figure, "Score and precision", synthetic=stamp.origin == "synthetic")
        return figure


@dataclass(frozen=True)
class Bins:
    """A panel of shares by bin."""

    title: str
    label: str
    """Label of the axis along the bins, with the unit."""
    name: str
    """Column that names the bins."""
    rows: Sequence[Row]
    """One per bin: its name, `craters` of the catalogue, and each series with its 95 % interval (_low, _high)."""
    series: tuple[str, ...]


_SERIES: Final = {
    "recall": Detector("recall", BLUE, "solid", "o"),
    "precision": Detector("precision", ORANGE, (0.0, (4.0, 1.6)), "s"),
}


def draw_recall(panels: Sequence[Bins], ground: str, stamp: Stamp) -> Figure:
    """Return the charts of recall (and precision) by bin with intervals and counts, for two columns."""
    with styled():
        height = 3.95
        figure = new_figure(WIDE_IN, height)
        widths = [
            max(len(panel.rows), 4) + sum(len(str(row[panel.name])) for row in panel.rows) / 4 for panel in panels
        ]
        drawn = figure.subplots(1, len(panels), squeeze=False, sharey=True, width_ratios=widths)[0]
        figure.subplots_adjust(left=0.075, right=0.985, top=1.0 - 0.56 / height, bottom=1.42 / height, wspace=0.07)
        for axes, panel in zip(drawn, panels, strict=False):
            for index, name in enumerate(panel.series):
                shift = 0.14 * (index - 0.5) if len(panel.series) > 1 else 0.0
                _series(axes, name, panel.rows, shift)
            for at, row in enumerate(panel.rows):
                count = number_words(row["craters"])
                axes.text(
                    at, 0.012, count, ha="center", va="bottom", fontsize=SMALL_PT, color=FAINT, path_effects=halo()
                )
            axes.set_xticks(np.arange(len(panel.rows)), [_two_lines(str(row[panel.name])) for row in panel.rows])
            axes.set(xlim=(-0.6, max(len(panel.rows), 1) - 0.4), ylim=(0.0, 1.03), xlabel=panel.label)
            axes.set_title(panel.title)
            axes.grid(axis="y", lw=0.3, alpha=0.6)
            axes.spines[["top", "right"]].set_visible(False)
        drawn[0].set_ylabel("Share")
        shown = [name for name in _SERIES if any(name in panel.series for panel in panels)]
        handles = [
            Line2D(
                [], [], color=look.colour, ls=look.dashes, lw=1.2, marker=look.marker, ms=4.5,
                label=f"{look.words}, 95 %",
            )
            for look in (_SERIES[name] for name in shown)
        ]  # fmt: skip
        figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.06, 0.42 / height), ncols=3)
        lines = f"Figures at the foot: craters of the catalogue. One to one, {ground}."
        caption(figure, f"{lines}\nNumbers from validate/crater.json.")
        header(figure, "Which craters are found", synthetic=stamp.origin == "synthetic")
        return figure


def _two_lines(name: str) -> str:
    """Return a bin's name without its unit, which the axis tells, broken before its last word."""
    return "\n".join(name.removesuffix(" km").rsplit(" ", 1))


def _series(axes: Axes, name: str, rows: Sequence[Row], shift: float) -> None:
    look = _SERIES[name]
    known = [(at + shift, row) for at, row in enumerate(rows) if row[name] is not None]
    for at, row in known:
        if row[f"{name}_low"] is not None and row[f"{name}_high"] is not None:
            ends = [row[f"{name}_low"], row[f"{name}_high"]]
            axes.plot([at] * 2, ends, color=look.colour, lw=1.3, alpha=0.85, zorder=2.0)
    axes.plot(
        [at for at, _ in known], [row[name] for _, row in known], color=look.colour, ls=look.dashes, lw=0.8,
        marker=look.marker, ms=4.5, mec="white", mew=0.5, zorder=3.0,
    )  # fmt: skip
