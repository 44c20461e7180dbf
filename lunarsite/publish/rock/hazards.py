"""What a lander would make of the rocks: sizes and ground covered beside the truth, and sizes in all images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lunarsite.artefact import table
from lunarsite.artefact.contracts import ROCK_DISTRIBUTION
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
_FILES: Final = {"own renders": (BLUE, "o"), "the dataset's images": (VERMILION, "^")}
"""Colour and marker of the images of each file."""


def read_sizes(path: Path) -> pd.DataFrame:
    """Return the size distribution of all images of a file together; see ROCK_DISTRIBUTION.

    Raises:
        ArtefactError: The file breaks its contract.
    """
    sizes, _ = table.read(path, ROCK_DISTRIBUTION)
    return sizes[sizes["image"] == ""]


def draw_hazards(found: Measured, sizes: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw rocks by size and the ground under rocks, found against true, and rocks by size in all images; two columns.

    Args:
        found: The validation's record.
        sizes: Size distributions of `read_sizes`, by what the images are.
    """
    with styled():
        height = 6.2
        figure = new_figure(WIDE_IN, height)
        panels = figure.subplots(2, 2)
        figure.subplots_adjust(
            left=0.085, right=0.985, top=1.0 - 0.56 / height, bottom=1.1 / height, wspace=0.2, hspace=0.38
        )
        for axes in panels.flat:
            axes.grid(lw=0.3, alpha=0.6)
            axes.spines[["top", "right"]].set_visible(False)
        _sizes(panels[0, 0], found)
        _areas(panels[0, 1], found)
        _all(panels[1, 0], sizes, "diameter_m", "per_m2")
        panels[1, 0].set_title("All images: rocks by size")
        panels[1, 0].set(xlabel="Diameter D (m)", ylabel="Rocks of at least D (per m² of ground)")
        _all(panels[1, 1], sizes, "diameter_px", "per_mpx")
        panels[1, 1].set_title("All images: rocks by width")
        panels[1, 1].set(xlabel="Width D (px)", ylabel="Rocks of at least D (per 10⁶ px of ground)")
        caption(
            figure,
            "Top left: rendered scenes whose rocks and camera are known; metres over level ground, bars are 95 %"
            " intervals over scenes.\nTop right: each image against its mask, from what is surely rock to what may be."
            " Numbers from validate/rock.json.\nBelow: what is found in all images that the model calls familiar,"
            " training scenes too, and in how many; where\nnone can be seen there is no point. Numbers from"
            " rock/*_distribution.parquet.",
        )
        header(
            figure,
            "Hazards against the truth, and sizes in all images",
            synthetic=found.synthetic,
            real_among=found.photographs,
        )
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


def _all(axes: Axes, sizes: Mapping[str, pd.DataFrame], size: str, density: str) -> None:
    """Draw the cumulative distribution of each file; what is 0 or not known has no place on a scale of powers."""
    drawn = {name: rows[rows[size].notna() & (rows[density] > 0.0)] for name, rows in sizes.items()}
    drawn = {name: rows for name, rows in drawn.items() if len(rows)}
    if not drawn:
        _nothing(axes)
        return
    for name, rows in drawn.items():
        colour, mark = _FILES.get(name, (FAINT, "x"))
        label = f"{name} ({int(rows['images'].iloc[0])})"
        axes.plot(rows[size], rows[density], color=colour, marker=mark, ms=3.5, lw=1.4, label=label)
    axes.set(xscale="log", yscale="log")
    ticks = sorted({float(value) for rows in drawn.values() for value in rows[size]})
    axes.set_xticks(ticks[::2], [f"{value:.2g}" if value < 100.0 else f"{value:.0f}" for value in ticks[::2]])
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
