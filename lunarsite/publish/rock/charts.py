"""Charts of how well rocks are segmented: overlap by class, calibration, and what is left when doubt is handed over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from lunarsite.publish.rock.looks import (
    CLASSES,
    MEAN,
    METHODS,
    STATISTICS,
    Look,
    class_look,
    class_words,
    in_order,
    look,
)
from lunarsite.publish.rock.tables import (
    CALIBRATION,
    RELIABILITY,
    RELIABILITY_BY_CLASS,
    RISK,
    RISK_OF_IMAGES,
    SEGMENTATION,
    Measured,
    Row,
)
from lunarsite.publish.style import FAINT, INK, SMALL_PT, WIDE_IN, caption, header, new_figure, styled

Panels = NDArray[np.object_]

BOUND: Final = 0.03
"""The calibration error that the best method is asked for on renders: drawn, not judged, here."""
_SHOWN: Final = ("majority", "no rocks", "classical", "single", "ensemble scaled")
"""Methods whose overlap is drawn beside each other; the tables have all."""
_DELIVERED: Final = "ensemble scaled"
"""What users get: its confidence is drawn by class too."""
_BANDED: Final = "entropy"
"""The order of doubt whose interval is drawn: bands of all of them would hide each other."""
_HEAD_IN, _PANEL_IN = 0.56, 1.6
_LEGEND_IN: Final = 0.36
"""Of the legend's foot, above a caption of two lines."""
_LINE_IN: Final = 0.13
"""Height of a line of the caption."""
_MARK_PT: Final = 3.2
_FEWEST: Final = 1e-4
"""Bins of a smaller share of the pixels than this are drawn hollow."""


def draw_overlap(found: Measured) -> Figure:
    """Draw IoU and boundary F1 by class for networks and baselines, a column for each group; for two columns."""
    groups = found.groups(SEGMENTATION)
    with styled():
        figure, panels = _grid(2, groups, bottom_in=1.15, hspace=0.22)
        methods = in_order((str(row["method"]) for row in found.rows(SEGMENTATION)), METHODS)
        methods = [method for method in methods if method in _SHOWN]
        for column, group in enumerate(groups):
            rows = found.rows(SEGMENTATION, group=group)
            for axes, name in zip(panels[:, column], ("iou", "boundary_f1"), strict=True):
                _bars(axes, rows, methods, name)
                axes.set_ylim(0.0, 1.0)
            panels[0, column].set_title(f"{group.capitalize()}{_count(rows)}")
        panels[0, 0].set_ylabel("IoU (1: masks agree)")
        panels[1, 0].set_ylabel("Boundary F1")
        handles = [Patch(fc=look(method).colour, ec=INK, lw=0.4, label=look(method).words) for method in methods]
        foot = _LEGEND_IN / figure.get_figheight()
        figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.06, foot), ncols=3)
        caption(
            figure,
            "Bars: 95 % intervals over scenes. No training saw these scenes; masks of photographs are drawn by hand"
            " and leave out\nmany small stones. Numbers from validate/rock.json.",
        )
        header(figure, "What is found, by class", synthetic=found.synthetic, real_among=found.photographs)
        return figure


def draw_reliability(found: Measured) -> Figure:
    """Draw confidence against accuracy, by method and by class, and calibration errors, by group; for two columns."""
    groups = found.groups(RELIABILITY)
    by_class = [row for row in found.optional(RELIABILITY_BY_CLASS) if row["method"] == _DELIVERED]
    methods = in_order((str(row["method"]) for row in found.rows(CALIBRATION)), METHODS)
    with styled():
        figure, panels = _grid(
            3 if by_class else 2, groups, bottom_in=1.42 if by_class else 1.29, hspace=0.34, share_y=False
        )
        for column, group in enumerate(groups):
            axes = panels[0, column]
            _as_told(axes)
            for method in methods:
                _curve(axes, found.rows(RELIABILITY, group=group, method=method), look(method))
            axes.set(xlim=(0.15, 1.01), ylim=(0.0, 1.02), xlabel="Confidence")
            axes.set_title(group.capitalize())
            _errors(panels[1, column], found.rows(CALIBRATION, group=group), methods)
            if column:
                axes.tick_params(labelleft=False)
        if by_class:
            _by_class(panels[2], by_class, groups)
        top = max((float(row["ece_high"] or row["ece"] or 0.0) for row in found.rows(CALIBRATION)), default=BOUND)
        for axes in panels[1]:
            axes.set_xlim(0.0, 1.08 * max(top, BOUND))
            # With trailing zeros the numbers of neighbours run into each other.
            axes.xaxis.set_major_formatter("{x:g}")
        if groups:
            panels[0, 0].set_ylabel("Share that is right")
        _legend(figure, methods, lines=3 if by_class else 2)
        told = f"\nBy class: pixels by the probability that '{look(_DELIVERED).words}' gives the class."
        caption(
            figure,
            f"Curves: pixels by confidence; on the line, 70 % sure is right in 70 %. Hollow: under {_FEWEST:g} of the"
            f" pixels. Signs: with\n95 % intervals over scenes; dotted: {BOUND:g}, asked of the best on renders."
            f" Numbers from validate/rock.json.{told if by_class else ''}",
        )
        header(figure, "Does confidence mean what it says?", synthetic=found.synthetic, real_among=found.photographs)
        return figure


def draw_risk(found: Measured) -> Figure:
    """Draw the error that remains when the most doubtful pixels, or images, are handed over; for two columns."""
    groups = found.groups(RISK)
    tables = (RISK, RISK_OF_IMAGES)
    statistics = in_order((str(row["statistic"]) for table in tables for row in found.rows(table)), STATISTICS)
    with styled():
        figure, panels = _grid(2, groups, bottom_in=1.3, wspace=0.2, hspace=0.42, share_y=False)
        for line, table, words in zip(panels, tables, ("pixels", "images"), strict=True):
            for axes, group in zip(line, groups, strict=False):
                for statistic in statistics:
                    _remaining(axes, found.rows(table, group=group, statistic=statistic), statistic)
                axes.set_xlim(0.0, 100.0)
                axes.set_xlabel(f"Handed to a person (% of {words})")
                axes.set_ylim(bottom=0.0)
            if groups:
                line[0].set_ylabel("Wrong, of the rest (%)")
        for axes, group in zip(panels[0], groups, strict=False):
            axes.set_title(group.capitalize())
        _legend(figure, statistics)
        caption(
            figure,
            "Pixels, and whole images, the most doubtful first. The oracle hands over what is wrong. Band: 95 %"
            f" interval of {look(_BANDED).words}\nover scenes. No training saw these scenes; each panel has a scale of"
            " its own. Numbers from validate/rock.json.",
        )
        header(
            figure, "What is left when doubt is handed over", synthetic=found.synthetic, real_among=found.photographs
        )
        return figure


def _remaining(axes: Axes, rows: Sequence[Row], statistic: str) -> None:
    """Draw the error of the rest, in per cent, by the share that is handed over; the interval of one order only."""
    known = sorted((row for row in rows if row["error"] is not None), key=lambda row: float(row["handed_over"]))
    style = look(statistic)
    shares = [100.0 * float(row["handed_over"]) for row in known]
    axes.plot(shares, [100.0 * float(row["error"]) for row in known], **_line(style), zorder=3.0)
    within = [
        (share, 100.0 * float(row["error_low"]), 100.0 * float(row["error_high"]))
        for share, row in zip(shares, known, strict=True)
        if row["error_low"] is not None and row["error_high"] is not None
    ]
    if statistic == _BANDED and within:
        places, lows, highs = (list(column) for column in zip(*within, strict=True))
        axes.fill_between(places, lows, highs, color=style.colour, alpha=0.15, lw=0.0, zorder=1.0)


def _line(style: Look) -> dict[str, Any]:
    """Return how a curve and its sample in the legend are drawn: the same marks in both."""
    return {
        "color": style.colour,
        "ls": style.dashes,
        "lw": style.width,
        "marker": style.marker,
        "ms": _MARK_PT,
        "mew": 0.6,
    }


def _grid(
    count: int,
    groups: Sequence[str],
    *,
    bottom_in: float,
    wspace: float = 0.09,
    hspace: float = 0.2,
    share_y: bool = True,
) -> tuple[Figure, Panels]:
    """Return a figure of `count` panels for each group, and the panels (count, groups or more).

    A group has a column; of one group alone the panels stand side by side.
    """
    alone = len(groups) == 1 and count > 1
    shape = (1, count) if alone else (count, max(len(groups), 2))
    height = _HEAD_IN + bottom_in + _PANEL_IN * shape[0] * (1.0 + 0.5 * hspace)
    figure = new_figure(WIDE_IN, height)
    panels: Panels = figure.subplots(*shape, squeeze=False, sharey="row" if share_y and not alone else "none")
    figure.subplots_adjust(
        left=0.08,
        right=0.975,
        top=1.0 - _HEAD_IN / height,
        bottom=bottom_in / height,
        wspace=0.24 if alone else wspace,
        hspace=hspace,
    )
    panels = panels.T if alone else panels
    for axes in panels.ravel():
        axes.grid(lw=0.3, alpha=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[:, len(groups) :].ravel():
        axes.set_axis_off()
    return figure, panels


def _bars(axes: Axes, rows: Sequence[Row], methods: Sequence[str], name: str) -> None:
    """Draw a bar for each class and method, with its interval; what could not be measured has none."""
    classes = [MEAN, *CLASSES]
    width = 0.8 / max(len(methods), 1)
    for place, method in enumerate(methods):
        at = {str(row["class"]): row for row in rows if row["method"] == method}
        for index, kind in enumerate(classes):
            row = at.get(kind)
            if row is None or row[name] is None:
                continue
            x = index + width * (place - 0.5 * (len(methods) - 1))
            axes.bar(x, float(row[name]), width, fc=look(method).colour, ec=INK, lw=0.3, zorder=2.0)
            _interval(axes, row, name, x, upright=True)
    axes.set_xticks(range(len(classes)), [_short(kind) for kind in classes])
    axes.tick_params(axis="x", length=0.0)
    axes.grid(visible=False, axis="x")


def _interval(axes: Axes, row: Row, name: str, at: float, *, upright: bool) -> None:
    """Draw the interval of a number at a place of the other axis, if it has one."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if low is not None and high is not None:
        ends, place = [float(low), float(high)], [at, at]
        axes.plot(*((place, ends) if upright else (ends, place)), color=INK, lw=0.9, zorder=3.0)


def _short(kind: str) -> str:
    """Return a class for the foot of a narrow column."""
    return "mean" if kind == MEAN else class_words(kind).replace(" rocks", "\nrocks")


def _count(rows: Sequence[Row]) -> str:
    counts = {int(row["scenes"]) for row in rows if row.get("scenes") is not None}
    return f" ({counts.pop()} scenes)" if len(counts) == 1 else ""


def _as_told(axes: Axes) -> None:
    """Draw the line on which what is told is right as often as it claims."""
    axes.plot([0.0, 1.0], [0.0, 1.0], color=FAINT, lw=0.6, zorder=1.0)


def _by_class(line: Sequence[Axes], rows: Sequence[Row], groups: Sequence[str]) -> None:
    """Draw a panel for each group: the probability of a class against the share that is of it, a curve per class."""
    classes = in_order((str(row["class"]) for row in rows), CLASSES)
    for axes, group in zip(line, groups, strict=False):
        _as_told(axes)
        for name in classes:
            _curve(axes, [row for row in rows if (row["group"], row["class"]) == (group, name)], class_look(name))
        axes.set(xlim=(0.0, 1.01), ylim=(0.0, 1.02), xlabel="Probability of the class")
        axes.tick_params(labelleft=axes is line[0])
    line[0].set_ylabel("Share that is of it")
    handles = [Line2D([], [], **_line(class_look(name)), label=class_words(name)) for name in classes]
    line[0].legend(handles=handles, loc="upper left", handlelength=1.6, borderaxespad=0.2)


def _curve(axes: Axes, rows: Sequence[Row], style: Look) -> None:
    known = sorted(
        (float(row["confidence"]), float(row["accuracy"]), float(row["share"]))
        for row in rows
        if row["confidence"] is not None and row["accuracy"] is not None
    )
    axes.plot([x for x, *_ in known], [y for _, y, _ in known], color=style.colour, ls=style.dashes, lw=style.width)
    for x, y, share in known:
        inside = style.colour if share >= _FEWEST else "white"
        axes.plot(x, y, style.marker, ms=_MARK_PT, mec=style.colour, mew=0.6, mfc=inside)


def _errors(axes: Axes, rows: Sequence[Row], methods: Sequence[str]) -> None:
    """Draw the expected calibration error of each method, the first at the top."""
    at = {str(row["method"]): row for row in rows}
    axes.axvline(BOUND, color=FAINT, lw=0.8, ls=(0.0, (1.2, 1.2)), zorder=1.0)
    for place, method in enumerate(methods):
        row, style = at.get(method), look(method)
        if row is None or row["ece"] is None:
            axes.text(
                0.02,
                place,
                "not measured",
                fontsize=SMALL_PT,
                color=FAINT,
                va="center",
                transform=axes.get_yaxis_transform(),
            )
            continue
        axes.plot(float(row["ece"]), place, style.marker, ms=4.5, color=style.colour, zorder=3.0)
        _interval(axes, row, "ece", place, upright=False)
    # Colours and signs of the legend name them.
    axes.set_yticks([])
    axes.set_ylim(len(methods) - 0.4, -0.6)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlabel("Expected calibration error")


def _legend(figure: Figure, names: Sequence[str], lines: int = 2) -> None:
    """Write the legend above a caption of so many lines."""
    handles = [Line2D([], [], **_line(style), label=style.words) for style in map(look, names)]
    foot_in = _LEGEND_IN + _LINE_IN * (lines - 2)
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.06, foot_in / figure.get_figheight()),
        ncols=3,
        columnspacing=1.2,
    )
