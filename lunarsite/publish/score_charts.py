"""The charts of what the score is worth: calibration, skill by block size, and sweeps across the rule's limits.

Every number is read from the score's tables and from the record of the cross-validation; nothing is computed here.
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
from matplotlib.patches import Patch

from lunarsite.artefact.stamp import Stamp
from lunarsite.publish.style import (
    BLACK,
    BLUE,
    FAINT,
    GREEN,
    ORANGE,
    PURPLE,
    SMALL_PT,
    VERMILION,
    WIDE_IN,
    caption,
    header,
    new_figure,
    styled,
)
from lunarsite.publish.words import number_words

Row = Mapping[str, Any]
"""A row of a table of the record."""

FEW_CELLS: Final = 50
"""Bins of fewer cells are drawn hollow: their shares are of chance."""


@dataclass(frozen=True)
class Look:
    """How a model is called and drawn."""

    words: str
    colour: str
    dashes: Any
    marker: str


MODELS: Final[dict[str, Look]] = {
    "full": Look("full model", BLUE, "solid", "o"),
    "context": Look("context: height, roughness, craters", ORANGE, (0.0, (5.0, 1.6)), "s"),
    "logistic": Look("logistic regression", GREEN, (0.0, (3.0, 1.0, 1.0, 1.0)), "^"),
    "margin": Look("the rule's margin", PURPLE, (0.0, (1.2, 1.2)), "D"),
}
INPUTS: Final[dict[str, tuple[str, str, str]]] = {
    "slope": ("Slope", "Slope (degrees)", "°"),
    "light": ("Sunlight", "Sunlight (% of time)", " %"),
    "earth": ("Earth view", "Earth in view (% of time)", " %"),
}
"""Title, label of the axis and unit of a rule's inputs."""


def model_look(name: str) -> Look:
    """Return how a model is drawn; one that is not known here keeps its name, in black."""
    return MODELS.get(name, Look(name.replace("_", " "), BLACK, (0.0, (6.0, 1.0, 1.0, 1.0)), "v"))


def in_order(names: set[str]) -> list[str]:
    """Return models in the order of the legend, unknown ones last."""
    return [name for name in MODELS if name in names] + sorted(names - set(MODELS))


def draw_calibration(bins: pd.DataFrame, measures: Sequence[Row], block_km: float, stamp: Stamp) -> Figure:
    """Return the reliability curves on held-out blocks with counts and calibration errors, for two columns.

    Args:
        bins: Rows of the table of calibration: model, block_km, bin, predicted, expected, passing, cells.
        measures: Rows by model and block: model, block_km, and the two ECEs (None where unknown).
        block_km: The size of blocks that is shown, km.
        stamp: The stamp of the record.
    """
    with styled():
        shown = bins[bins["block_km"] == block_km]
        names = in_order(set(shown["model"]))
        height = 5.75
        figure = new_figure(WIDE_IN, height)
        (left, right), (counts, errors) = figure.subplots(2, 2, height_ratios=(2.6, 1.0))
        figure.subplots_adjust(
            left=0.085, right=0.98, top=1.0 - 0.55 / height, bottom=1.28 / height, wspace=0.16, hspace=0.34
        )
        for axes, column, title in (
            (left, "expected", "Against the Monte Carlo probability"),
            (right, "passing", "Against the hard rule"),
        ):
            axes.plot([0.0, 1.0], [0.0, 1.0], color=VERMILION, lw=0.9, ls="--", zorder=1.0)
            for name in reversed(names):
                _reliability(axes, shown[shown["model"] == name].sort_values("bin"), column, model_look(name))
            axes.set(xlim=(-0.02, 1.02), ylim=(-0.03, 1.04), xlabel="Predicted probability, mean of the bin")
            axes.set_title(title)
        left.set_ylabel("Mean probability of the rule")
        right.set_ylabel("Share that pass the rule")
        for name in reversed(names):
            part, look = shown[shown["model"] == name].sort_values("bin"), model_look(name)
            counts.plot(
                part["predicted"], part["cells"], color=look.colour, ls=look.dashes, lw=1.0, marker=look.marker,
                ms=3.2, mec="white", mew=0.3,
            )  # fmt: skip
        counts.set(xlim=(-0.02, 1.02), xlabel="Predicted probability, mean of the bin", ylabel="Cells of the bin")
        if len(shown):
            counts.set_yscale("log")
        for axes in (left, right, counts):
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(lw=0.3, alpha=0.6)
        _error_table(errors, names, [row for row in measures if float(row["block_km"]) == block_km])
        handles = [*_handles(names), Line2D([], [], color=VERMILION, lw=0.9, ls="--", label="perfect")]
        _legend(figure, handles, height, 0.38)
        words = f"On blocks of {block_km:g} km that the models had not seen. Hollow: fewer than {FEW_CELLS} cells."
        caption(figure, f"{words}\nNumbers from site/calibration.parquet and site/crossvalidation.json.")
        header(figure, "Does the probability mean what it says?", synthetic=stamp.origin == "synthetic")
        return figure


def _reliability(axes: Axes, part: pd.DataFrame, column: str, look: Look) -> None:
    axes.plot(part["predicted"], part[column], color=look.colour, ls=look.dashes, lw=1.2, zorder=2.0)
    for few in (False, True):
        rows = part[(part["cells"] < FEW_CELLS) == few]
        axes.plot(
            rows["predicted"], rows[column], ls="", marker=look.marker, ms=4.4, color=look.colour, zorder=3.0,
            mfc="white" if few else look.colour, mec=look.colour if few else "white", mew=0.8 if few else 0.5,
        )  # fmt: skip


def _error_table(axes: Axes, names: Sequence[str], rows: Sequence[Row]) -> None:
    """Write the calibration errors of the models, one line each, in the models' colours."""
    axes.set_axis_off()
    axes.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0))
    style: dict[str, Any] = {"fontsize": SMALL_PT, "va": "center"}
    heads = ((0.0, "Calibration error (ECE)", "left"), (0.78, "probability", "right"), (1.0, "hard rule", "right"))
    for x, text, side in heads:
        axes.text(x, 0.93, text, ha=side, fontweight="bold", **style)
    of = {str(row["model"]): row for row in rows}
    for line, name in enumerate(names):
        y, look = 0.93 - 0.17 * (line + 1), model_look(name)
        axes.text(0.0, y, look.words, ha="left", color=look.colour, **style)
        for x, key in ((0.78, "ece_probability"), (1.0, "ece_label")):
            axes.text(x, y, number_words(of.get(name, {}).get(key)), ha="right", **style)


@dataclass(frozen=True)
class Skill:
    """A measure of skill: how it is called, its column, and what chance reaches."""

    title: str
    column: str
    chance: str
    """'half', or the column with chance's value."""


_SKILLS: Final = (
    Skill("Area under the ROC curve (AUC)", "auc", "half"),
    Skill("Average precision", "average_precision", "base_rate"),
)


def draw_blocks(measures: Sequence[Row], headline_km: float | None, stamp: Stamp) -> Figure:
    """Return AUC and average precision by block size for each model beside chance, for two columns.

    Args:
        measures: Rows by model and block: model, block_km, auc, average_precision, base_rate, and `_low` and `_high` of
            the first two where intervals are known.
        headline_km: The size of blocks of the headline, km; None if it is not known.
        stamp: The stamp of the record.
    """
    with styled():
        sizes = sorted({float(row["block_km"]) for row in measures})
        names = in_order({str(row["model"]) for row in measures})
        height = 4.0
        figure = new_figure(WIDE_IN, height)
        panels = figure.subplots(1, 2)
        figure.subplots_adjust(left=0.07, right=0.985, top=1.0 - 0.55 / height, bottom=1.3 / height, wspace=0.14)
        for axes, skill in zip(panels, _SKILLS, strict=True):
            for index, name in enumerate(names):
                shift = 0.1 * (index - 0.5 * (len(names) - 1))
                _by_size(axes, [row for row in measures if row["model"] == name], sizes, skill.column, shift)
            _chance(axes, measures, sizes, skill)
            labels = ["single\ncells" if size == 0.0 else f"{size:g} km" for size in sizes]
            axes.set_xticks(np.arange(len(sizes)), labels)
            axes.set_xlim(-0.5, max(len(sizes), 1) - 0.5)
            axes.set_xlabel("Side of the held-out blocks")
            axes.set_title(skill.title)
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(axis="y", lw=0.3, alpha=0.6)
            if headline_km in sizes:
                at = sizes.index(headline_km)
                axes.axvspan(at - 0.42, at + 0.42, color=FAINT, alpha=0.09, lw=0.0, zorder=0.2)
        handles = [*_handles(names), Line2D([], [], color=VERMILION, lw=0.9, ls="--", label="chance (no skill)")]
        if headline_km in sizes:
            handles.append(Patch(fc=FAINT, alpha=0.18, label="headline"))
        _legend(figure, handles, height, 0.3)
        words = "Against the hard rule's label. Bars: 95 % over blocks where the record has them."
        caption(figure, f"{words} Numbers from site/crossvalidation.json.")
        header(figure, "Skill on ground that was held out", synthetic=stamp.origin == "synthetic")
        return figure


def _by_size(axes: Axes, rows: Sequence[Row], sizes: Sequence[float], column: str, shift: float) -> None:
    known = sorted((row for row in rows if row[column] is not None), key=lambda row: float(row["block_km"]))
    if not known:
        return
    look = model_look(str(known[0]["model"]))
    at = [sizes.index(float(row["block_km"])) + shift for row in known]
    for x, row in zip(at, known, strict=True):
        ends: list[Any] = [row.get(f"{column}_low"), row.get(f"{column}_high")]
        if None not in ends:
            axes.plot([x, x], ends, color=look.colour, lw=1.3, zorder=2.0)
    axes.plot(
        at, [row[column] for row in known], color=look.colour, ls=look.dashes, lw=0.9, marker=look.marker, ms=4.8,
        mec="white", mew=0.5, zorder=3.0,
    )  # fmt: skip


def _chance(axes: Axes, measures: Sequence[Row], sizes: Sequence[float], skill: Skill) -> None:
    if skill.chance == "half":
        levels = dict.fromkeys(sizes, 0.5)
    else:
        levels = {float(row["block_km"]): row[skill.chance] for row in measures if row[skill.chance] is not None}
    for size, level in levels.items():
        at = sizes.index(size)
        axes.plot([at - 0.45, at + 0.45], [level, level], color=VERMILION, lw=0.9, ls="--", zorder=1.0)
    axes.set_ylim(-0.03 if skill.chance != "half" else 0.45, 1.03)


def draw_sweeps(sweeps: pd.DataFrame, stamp: Stamp) -> Figure:
    """Return what the scorer makes of cells as one input alone is moved across its limit, for two columns.

    Args:
        sweeps: The table of sweeps: input, limit, value, probability_low, probability_median, probability_high, cells.
        stamp: Its stamp.
    """
    with styled():
        names = [name for name in INPUTS if name in set(sweeps["input"])]
        height = 3.35
        figure = new_figure(WIDE_IN, height)
        panels = figure.subplots(1, max(len(names), 1), sharey=True, squeeze=False)[0]
        figure.subplots_adjust(left=0.075, right=0.985, top=1.0 - 0.55 / height, bottom=1.05 / height, wspace=0.11)
        for axes, name in zip(panels, names, strict=False):
            title, label, unit = INPUTS[name]
            rows = sweeps[sweeps["input"] == name].sort_values("value")
            limit, value = float(rows["limit"].iloc[0]), rows["value"].to_numpy()
            axes.fill_between(
                value, rows["probability_low"], rows["probability_high"], color=BLUE, alpha=0.22, lw=0.0, zorder=1.0
            )
            axes.plot(value, rows["probability_median"], color=BLUE, lw=1.6, marker="o", ms=1.8, zorder=3.0)
            falls = name == "slope"
            step = [1.0, 1.0, 0.0, 0.0] if falls else [0.0, 0.0, 1.0, 1.0]
            axes.plot([value[0], limit, limit, value[-1]], step, color=FAINT, lw=0.9, ls=(0.0, (1.2, 1.2)), zorder=2.0)
            axes.axvline(limit, color=VERMILION, lw=0.9, ls="--", zorder=0.8)
            count = number_words(int(rows["cells"].max()))
            axes.set_title(f"{title}: limit {limit:g}{unit}")
            axes.text(
                0.97 if falls else 0.03, 0.95, f"{count} cells", transform=axes.transAxes, fontsize=SMALL_PT,
                ha="right" if falls else "left", va="top", color=FAINT,
            )  # fmt: skip
            axes.set(xlabel=label, ylim=(-0.03, 1.04), xlim=(value[0], value[-1]))
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(axis="y", lw=0.3, alpha=0.6)
        if not names:
            panels[0].text(0.5, 0.5, "unknown: no cell lies near the limits", ha="center", color=FAINT, style="italic")
        panels[0].set_ylabel("Probability of the scorer")
        handles = [
            Line2D([], [], color=BLUE, lw=1.6, label="median of the cells"),
            Patch(fc=BLUE, alpha=0.22, label="10 to 90 % of the cells"),
            Line2D([], [], color=FAINT, lw=0.9, ls=(0.0, (1.2, 1.2)), label="the hard rule's step"),
            Line2D([], [], color=VERMILION, lw=0.9, ls="--", label="limit"),
        ]
        _legend(figure, handles, height, 0.28)
        caption(figure, "Cells near the limits; one input is moved, all else stays. Numbers from site/sweeps.parquet.")
        header(figure, "Is the score soft?", synthetic=stamp.origin == "synthetic")
        return figure


def _handles(names: Sequence[str]) -> list[Any]:
    looks = map(model_look, names)
    return [
        Line2D(
            [], [], color=look.colour, ls=look.dashes, lw=1.2, marker=look.marker, ms=4.5, mec="white", mew=0.5,
            label=look.words,
        )
        for look in looks
    ]  # fmt: skip


def _legend(figure: Figure, handles: Sequence[Any], height: float, inches: float) -> None:
    figure.legend(
        handles=list(handles), loc="lower left", bbox_to_anchor=(0.05, inches / height), ncols=3, columnspacing=1.3
    )
