"""What a lander would make of the rocks beside the truth of rendered scenes: sizes, and the ground they cover."""

from __future__ import annotations

from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lunarsite.publish.rock.tables import ROCK_AREA, SIZES, Measured
from lunarsite.publish.style import (
    BLACK,
    BLUE,
    FAINT,
    SKY,
    SMALL_PT,
    VERMILION,
    WIDE_IN,
    caption,
    header,
    new_figure,
    styled,
)

_MARKS: Final = {"held-out renders": (SKY, "s"), "own renders": (BLUE, "o"), "photographs": (VERMILION, "^")}
"""Colour and marker of each group of images."""


def draw_hazards(found: Measured) -> Figure:
    """Draw rocks by size and the ground under rocks, found against true, on rendered scenes; for two columns."""
    with styled():
        height = 3.5
        figure = new_figure(WIDE_IN, height)
        left, right = figure.subplots(1, 2)
        figure.subplots_adjust(left=0.085, right=0.985, top=1.0 - 0.56 / height, bottom=0.95 / height, wspace=0.2)
        for axes in (left, right):
            axes.grid(lw=0.3, alpha=0.6)
            axes.spines[["top", "right"]].set_visible(False)
        _sizes(left, found)
        _areas(right, found)
        caption(
            figure,
            "Left: rendered scenes whose rocks and camera are known; metres over level ground, bars are 95 % intervals"
            " over scenes.\nRight: each image against its mask, from what is surely rock to what may be. Numbers from"
            " validate/rock.json.",
        )
        header(figure, "Hazards against the truth", synthetic=found.synthetic)
        return figure


def _sizes(axes: Axes, found: Measured) -> None:
    rows = sorted(found.rows(SIZES), key=lambda row: float(row["diameter_m"]))
    axes.set_title("Rocks by size")
    axes.set(xlabel="Diameter D (m)", ylabel="Rocks of at least D (per m² of ground)")
    if not rows:
        _nothing(axes)
        return
    for name, colour, words in (("truth_per_m2", BLACK, "truth"), ("found_per_m2", BLUE, "found")):
        known = [(float(row["diameter_m"]), float(row[name])) for row in rows if row[name]]
        mark = "o" if name == "found_per_m2" else ""
        axes.plot([x for x, _ in known], [y for _, y in known], label=words, color=colour, marker=mark, ms=3.5, lw=1.4)
    for row in rows:
        if row["found_per_m2_low"] and row["found_per_m2_high"]:
            ends = [float(row["found_per_m2_low"]), float(row["found_per_m2_high"])]
            axes.plot([float(row["diameter_m"])] * 2, ends, color=BLUE, lw=0.9)
    axes.set(xscale="log", yscale="log")
    diameters = [float(row["diameter_m"]) for row in rows]
    axes.set_xticks(diameters, [f"{diameter:.2g}" for diameter in diameters])
    axes.minorticks_off()
    axes.legend(loc="lower left")


def _areas(axes: Axes, found: Measured) -> None:
    rows = [row for row in found.rows(ROCK_AREA) if row["share"] is not None and row["truth_share"] is not None]
    axes.set_title("Ground under rocks")
    axes.set(xlabel="True share (%)", ylabel="Share found (%)")
    if not rows:
        _nothing(axes)
        return
    top = 100.0 * max(max(float(row["truth_share"]), float(row["share_high"] or row["share"])) for row in rows)
    axes.plot([0.0, 1.05 * top], [0.0, 1.05 * top], color=FAINT, lw=0.6)
    for group in found.groups(ROCK_AREA):
        colour, mark = _MARKS.get(group, (FAINT, "x"))
        own = [row for row in rows if row["group"] == group]
        points = [(100.0 * float(row["truth_share"]), 100.0 * float(row["share"])) for row in own]
        axes.plot(
            [x for x, _ in points], [y for _, y in points], mark, color=colour, ms=3.6, ls="", zorder=3.0, label=group
        )
        for row, (x, _) in zip(own, points, strict=True):
            if row["share_low"] is not None and row["share_high"] is not None:
                ends = [100.0 * float(row["share_low"]), 100.0 * float(row["share_high"])]
                axes.plot([x, x], ends, color=colour, lw=0.8, alpha=0.6, zorder=2.0)
    axes.legend(loc="upper left")
    axes.set(xlim=(0.0, 1.05 * top), ylim=(0.0, 1.05 * top))


def _nothing(axes: Axes) -> None:
    axes.text(0.5, 0.5, "nothing to measure", transform=axes.transAxes, fontsize=SMALL_PT, color=FAINT, ha="center")
    axes.set(xticks=[], yticks=[])
