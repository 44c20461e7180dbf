"""The chart of predicted light against ShadowCam's frames, frame by frame, beside simple guesses and chance.

Every number is read from the validation's record; nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lunarsite.artefact import record
from lunarsite.artefact.contracts import SHADOWCAM_RECORD
from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import ArtefactError, Stamp
from lunarsite.publish.style import (
    BLACK,
    BLUE,
    FAINT,
    GREEN,
    ORANGE,
    PURPLE,
    SMALL_PT,
    WIDE_IN,
    caption,
    header,
    new_figure,
    styled,
)

Row = Mapping[str, Any]
"""A row of a table of the record."""

FRAMES: Final = "frames"
GUESSES: Final[dict[str, tuple[str, str, str]]] = {
    "auc_height": ("the highest ground is lit", ORANGE, "^"),
    "auc_facing": ("ground turned to the Sun is lit", GREEN, "s"),
    "auc_other_moment": ("prediction for another moment", PURPLE, "D"),
    "auc_moved": ("prediction moved along the strip", BLACK, "x"),
}
"""What stands beside the prediction, by column: words, colour, marker."""
_NEEDS = ("frame", "auc", "auc_low", "auc_high", "why_no_auc", *GUESSES)
_ROW_IN = 0.2


@dataclass(frozen=True)
class Compared:
    """The record of the comparison with ShadowCam."""

    record: Record
    stamp: Stamp

    @classmethod
    def read(cls, path: Path) -> Compared:
        """Read the record.

        Raises:
            ArtefactError: It breaks its contract, or lacks the table of frames or a column of it.
        """
        found, stamp = record.read(path, SHADOWCAM_RECORD)
        rows(found)
        return cls(found, stamp)

    def draw_aucs(self) -> Figure:
        """Draw the area under the ROC curve of each frame beside simple guesses, a row for each; for two columns."""
        found = rows(self.record)
        with styled():
            height = 0.56 + _ROW_IN * max(len(found), 3) + 1.32
            figure = new_figure(WIDE_IN, height)
            axes = figure.subplots()
            figure.subplots_adjust(left=0.15, right=0.985, top=1.0 - 0.5 / height, bottom=1.3 / height)
            for at, row in enumerate(found):
                _frame(axes, float(at), row)
            axes.axvline(0.5, color=FAINT, lw=0.8, ls="--", zorder=1.0)
            axes.set_yticks(range(len(found)), [str(row["frame"]) for row in found])
            axes.set(xlim=(0.0, 1.01), ylim=(max(len(found), 3) - 0.5, -0.5))
            axes.set_xlabel("Area under the ROC curve: brightness against predicted light")
            axes.grid(axis="x", lw=0.3, alpha=0.6)
            axes.spines[["top", "right"]].set_visible(False)
            handles = [Line2D([], [], color=BLUE, lw=1.4, marker="o", ms=4.5, mec="white", label="prediction, 95 %")]
            handles += [
                Line2D([], [], color=colour, ls="", marker=marker, ms=4.0, mec=_edge(marker, colour), label=words)
                for words, colour, marker in GUESSES.values()
            ]
            handles.append(Line2D([], [], color=FAINT, lw=0.8, ls="--", label="chance"))
            figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.06, 0.36 / height), ncols=3)
            caption(
                figure,
                "Frames in the order of their times. Intervals over blocks of ground; what the others leave out is told"
                " in the report's table.\nShadowCam: NASA, KARI, Arizona State University. Numbers from"
                " validate/shadowcam.json.",
            )
            header(figure, "Predicted light against ShadowCam's frames", synthetic=self.stamp.origin == "synthetic")
            return figure


def rows(found: Record) -> Sequence[Row]:
    """Return the table of frames; empty if the record compares composites alone.

    Raises:
        ArtefactError: A row lacks a column.
    """
    listed = found.tables.get(FRAMES, [])
    for row in listed:
        absent = [column for column in _NEEDS if column not in row]
        if absent:
            raise ArtefactError(
                f"the record '{found.title}': table '{FRAMES}' lacks {absent}; rerun validate-shadowcam"
            )
    return listed


def _frame(axes: Axes, at: float, row: Row) -> None:
    if row["auc"] is None:
        axes.text(
            0.02,
            at,
            str(row["why_no_auc"]),
            fontsize=SMALL_PT,
            color=FAINT,
            va="center",
            parse_math=False,
            clip_on=True,
        )
        return
    for name, (_, colour, marker) in GUESSES.items():
        if row[name] is not None:
            axes.plot(
                [row[name]], [at], ls="", marker=marker, ms=4.0, color=colour, mec=_edge(marker, colour), mew=0.6,
                zorder=2.0,
            )  # fmt: skip
    if row["auc_low"] is not None and row["auc_high"] is not None:
        axes.plot([row["auc_low"], row["auc_high"]], [at] * 2, color=BLUE, lw=1.4, zorder=3.0)
    axes.plot([row["auc"]], [at], ls="", marker="o", ms=4.5, mec="white", mew=0.5, color=BLUE, zorder=4.0)


def _edge(marker: str, colour: str) -> str:
    """Return a marker's edge: white around a filled one, its colour where it is all edge."""
    return colour if marker == "x" else "white"
