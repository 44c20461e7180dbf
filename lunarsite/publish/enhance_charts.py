"""The charts of seeing into shadow: metrics by signal level, and power and correlation by scale.

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
from matplotlib.ticker import NullFormatter

from lunarsite.artefact import record
from lunarsite.artefact.contracts import ENHANCE_RECORD
from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import ArtefactError, Stamp
from lunarsite.publish.enhance_looks import NETWORKS, in_order, look
from lunarsite.publish.style import FAINT, WIDE_IN, caption, header, new_figure, styled
from lunarsite.publish.words import number_words

Row = Mapping[str, Any]
"""A row of a table of the record."""

LEVELS: Final = "by_level"
CRATERS: Final = "craters"
SPECTRA: Final = "spectrum"
GAINS, PIXELS = "gains", "craters_by_pixel"
MEASURES: Final[tuple[tuple[str, str, str, str], ...]] = (
    (LEVELS, "psnr_db", "PSNR", "PSNR (dB), higher is better"),
    (LEVELS, "ssim", "SSIM", "SSIM, higher is better"),
    (CRATERS, "recall", "Craters shown", "Share of the truth's craters"),
    (CRATERS, "invented_per_100000px", "Craters invented", "Not in the truth (per 100 000 px)"),
)
"""What is drawn by signal: table, column, title and label of the axis.

Craters are found by their size in pixels, so invention is counted by pixels: by area, scenes of large pixels, which
have much area and few craters, would hide what is invented in those of small ones."""
_METHOD = ("method", "kind", "electrons")
_FREQUENCIES = (0.03, 0.1, 0.3)


def _with_ends(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}{end}" for name in names for end in ("", "_low", "_high"))


def _measured(table: str) -> tuple[str, ...]:
    return _with_ends(*(name for held, name, *_ in MEASURES if held == table))


_NEEDS: Final[dict[str, tuple[str, ...]]] = {
    LEVELS: (*_METHOD, *_measured(LEVELS)),
    CRATERS: (*_METHOD, *_measured(CRATERS), *_with_ends("revealed_per_100000px")),
    GAINS: ("method", "over", "electrons", *_with_ends("gain_psnr_db", "gain_ssim")),
    PIXELS: ("pixel_m", "method", "electrons", "invented_per_100km2"),
    SPECTRA: ("method", "electrons", "cycles_per_px", "power_ratio", "correlation"),
}


@dataclass(frozen=True)
class Measured:
    """The record of the validation of enhancement."""

    record: Record
    stamp: Stamp

    @classmethod
    def read(cls, path: Path) -> Measured:
        """Read the record.

        Raises:
            ArtefactError: It breaks its contract, or lacks a table or a column that is drawn.
        """
        found, stamp = record.read(path, ENHANCE_RECORD)
        for name in _NEEDS:
            rows(found, name)
        return cls(found, stamp)

    def draw_levels(self) -> Figure:
        """Draw each metric against the signal of the median pixel, a line for each method; for two columns."""
        of = {table: rows(self.record, table) for table in (LEVELS, CRATERS)}
        methods = in_order(str(row["method"]) for found in of.values() for row in found)
        with styled():
            height = 6.3
            figure = new_figure(WIDE_IN, height)
            panels = figure.subplots(2, 2)
            figure.subplots_adjust(
                left=0.085, right=0.985, top=1.0 - 0.56 / height, bottom=1.3 / height, wspace=0.2, hspace=0.36
            )
            levels = sorted({float(row["electrons"]) for found in of.values() for row in found})
            for axes, (table, name, title, label) in zip(panels.ravel(), MEASURES, strict=True):
                for place, method in enumerate(methods):
                    # Side by side, so that intervals do not hide one another.
                    shift = 1.03 ** (place - 0.5 * (len(methods) - 1))
                    _line(axes, method, [row for row in of[table] if row["method"] == method], name, shift)
                axes.set_xscale("log")
                axes.set_xticks(levels, [number_words(level) for level in levels])
                axes.minorticks_off()
                axes.set(xlabel="Electrons of the median pixel", ylabel=label)
                axes.set_title(title)
                _plain(axes)
            for axes in panels[1]:
                axes.set_ylim(bottom=0.0)
            _legend(figure, methods, height)
            caption(
                figure,
                "Bars: 95 % intervals over grounds. Scenes rendered from elevation models, on ground that no training"
                " saw, in shadow alone.\nThe filters' strengths were chosen on validation ground, for each level."
                " Numbers from validate/enhance.json.",
            )
            header(figure, "What enhancement gains, by signal", synthetic=self._synthetic)
            return figure

    def draw_spectrum(self) -> Figure:
        """Draw power and correlation with the truth by scale, a column for each signal level; for two columns."""
        found = rows(self.record, SPECTRA)
        levels = sorted({float(row["electrons"]) for row in found})
        methods = in_order(str(row["method"]) for row in found)
        with styled():
            height = 5.6
            figure = new_figure(WIDE_IN, height)
            panels = figure.subplots(2, max(len(levels), 2), squeeze=False, sharex=True, sharey="row")
            figure.subplots_adjust(
                left=0.085, right=0.985, top=1.0 - 0.56 / height, bottom=1.32 / height, wspace=0.07, hspace=0.12
            )
            for axes in panels[:, len(levels) :].ravel():
                axes.set_axis_off()
            for column, level in enumerate(levels):
                for axes, name in zip(panels[:, column], ("power_ratio", "correlation"), strict=True):
                    for method in methods:
                        part = [r for r in found if r["method"] == method and float(r["electrons"]) == level]
                        known = sorted((float(r["cycles_per_px"]), float(r[name])) for r in part if _drawn(r, name))
                        style = look(method)
                        axes.plot(
                            [at for at, _ in known], [value for _, value in known], color=style.colour,
                            ls=style.dashes, lw=style.width, zorder=3.0 if method in NETWORKS else 2.0,
                        )  # fmt: skip
                    axes.axhline(1.0, color=FAINT, lw=0.6, zorder=1.0)
                    axes.set_xscale("log")
                    axes.set_xticks(_FREQUENCIES, [f"{at:g}" for at in _FREQUENCIES])
                    axes.minorticks_off()
                    _plain(axes)
                panels[0, column].set_title(f"{number_words(level)} electrons")
                panels[0, column].set_yscale("log")
                # Labels between powers of ten are wider than the margin.
                panels[0, column].yaxis.set_minor_formatter(NullFormatter())
                panels[1, column].set_xlabel("Frequency (cycles per pixel)")
                panels[1, column].set_ylim(top=1.05)
            panels[0, 0].set_ylabel("Power over the truth's")
            panels[1, 0].set_ylabel("Correlation with the truth")
            _legend(figure, methods, height)
            caption(
                figure,
                "Power above 1 is noise or invention, below 1 detail that is lost; the correlation tells how much of"
                " the power is the truth's.\nScenes on ground that no training saw. Numbers from"
                " validate/enhance.json.",
            )
            header(figure, "What is kept, by scale", synthetic=self._synthetic)
            return figure

    @property
    def _synthetic(self) -> bool:
        return self.stamp.origin == "synthetic"


def rows(found: Record, name: str) -> Sequence[Row]:
    """Return the rows of a table of the record.

    Raises:
        ArtefactError: The record lacks the table, or a row lacks a column.
    """
    if name not in found.tables:
        raise ArtefactError(f"the record '{found.title}' has no table '{name}'; rerun validate-enhance")
    for row in found.tables[name]:
        absent = [column for column in _NEEDS[name] if column not in row]
        if absent:
            raise ArtefactError(f"the record '{found.title}': table '{name}' lacks {absent}; rerun validate-enhance")
    return found.tables[name]


def _drawn(row: Row, name: str) -> bool:
    """Whether a number is known and has a place on its axis: that of power is logarithmic."""
    return row[name] is not None and (name != "power_ratio" or float(row[name]) > 0.0)


def _line(axes: Axes, method: str, found: Sequence[Row], name: str, shift: float) -> None:
    style = look(method)
    known = sorted((float(row["electrons"]) * shift, row) for row in found if row[name] is not None)
    over = 3.0 if method in NETWORKS else 2.0
    for at, row in known:
        if row[f"{name}_low"] is not None and row[f"{name}_high"] is not None:
            axes.plot([at] * 2, [row[f"{name}_low"], row[f"{name}_high"]], color=style.colour, lw=0.9, zorder=over)
    axes.plot(
        [at for at, _ in known], [row[name] for _, row in known], color=style.colour, ls=style.dashes, lw=style.width,
        marker=style.marker, ms=4.0, mec="white", mew=0.3, zorder=over,
    )  # fmt: skip


def _plain(axes: Axes) -> None:
    axes.grid(lw=0.3, alpha=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _legend(figure: Figure, methods: Sequence[str], height: float) -> None:
    handles = [
        Line2D(
            [], [], color=style.colour, ls=style.dashes, lw=style.width, marker=style.marker, ms=4.0, mec="white",
            mew=0.3, label=style.words,
        )
        for style in map(look, methods)
    ]  # fmt: skip
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.06, 0.36 / height), ncols=5, columnspacing=1.2)
