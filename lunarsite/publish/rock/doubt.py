"""What the network calls unfamiliar: how far images of each kind lie from those it knows, and what tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lunarsite.publish.rock.looks import GROUPS, STATISTICS, STRANGERS, in_order, look
from lunarsite.publish.rock.tables import DETECTION, QUANTILES, UNFAMILIARITY, Measured, Row
from lunarsite.publish.style import BLUE, FAINT, INK, SMALL_PT, VERMILION, WIDE_IN, caption, header, new_figure, styled

KINDS: Final = (*GROUPS, *STRANGERS)
"""Kinds of images, in their order."""
_LEAST_ROW_IN, _SIGN_IN = 0.27, 0.046
"""Height of a row at least, and for each statistic in it, with a gap to the next row."""
_BAND: Final = "#F1F1F1"
"""Behind every other row, so that it is clear which signs are of which kind."""


def draw_unfamiliar(found: Measured) -> Figure:
    """Draw the unfamiliarity of each kind of image beside the limit, and what tells kinds apart; for two columns."""
    drawn = _statistic(found)
    spreads = {str(row["images"]): row for row in found.rows(UNFAMILIARITY, statistic=drawn)}
    told = found.rows(DETECTION)
    kinds = in_order({*spreads, *(str(row["images"]) for row in told)}, KINDS)
    statistics = in_order((str(row["statistic"]) for row in told), STATISTICS)
    with styled():
        row_in = max(_LEAST_ROW_IN, _SIGN_IN * (len(statistics) + 1.5))
        height = 1.87 + row_in * max(len(kinds), 4)
        figure = new_figure(WIDE_IN, height)
        left, right = figure.subplots(1, 2, sharey=True)
        figure.subplots_adjust(left=0.24, right=0.985, top=1.0 - 0.56 / height, bottom=1.2 / height, wspace=0.1)
        for axes in (left, right):
            axes.grid(lw=0.3, alpha=0.6, axis="x")
            axes.spines[["top", "right"]].set_visible(False)
            for place in range(1, len(kinds), 2):
                axes.axhspan(place - 0.5, place + 0.5, fc=_BAND, lw=0.0, zorder=0.0)
        for place, kind in enumerate(kinds):
            if kind in spreads:
                _spread(left, spreads[kind], place)
                _not_judged(left, spreads[kind], place)
            _scores(right, [row for row in told if row["images"] == kind], statistics, place)
        if found.limit is not None:
            left.axvline(found.limit, color=VERMILION, lw=1.0, ls=(0.0, (4.0, 1.6)), zorder=1.0)
        right.axvline(0.5, color=FAINT, lw=0.8, ls=(0.0, (1.2, 1.2)), zorder=1.0)
        left.set_yticks(range(len(kinds)), [_label(kind, [*spreads.values(), *told]) for kind in kinds])
        left.set_ylim(len(kinds) - 0.5, -0.5)
        left.set_xlim(left=0.0)
        left.set_xlabel(look(drawn).words.capitalize())
        left.set_title("How unfamiliar")
        right.set_xlim(0.0, 1.02)
        against = " and ".join(dict.fromkeys(str(row["against"]) for row in told)) or "renders"
        right.set_xlabel(f"AUROC against {against}")
        right.set_title("What tells them apart")
        _legend(figure, statistics, height)
        caption(
            figure,
            "Left: median, middle half, 5 to 95 % of the images that show ground; dashed: the card's limit, beyond"
            " which maps mean nothing.\nRight: with 95 % intervals; dotted: chance. Numbers from validate/rock.json.",
        )
        header(figure, "Does it know what it does not know?", synthetic=found.synthetic, real_among=found.photographs)
        return figure


def _statistic(found: Measured) -> str:
    """Return what is drawn: the first of the known statistics of which the record has quantiles."""
    names = in_order((str(row["statistic"]) for row in found.rows(UNFAMILIARITY)), STATISTICS)
    return names[0] if names else next(iter(STATISTICS))


def _label(kind: str, rows: Sequence[Row]) -> str:
    """Return a kind of images and how many of them were asked."""
    return f"{kind} ({next(int(row['count']) for row in rows if row['images'] == kind)})"


def _spread(axes: Axes, row: Row, place: int) -> None:
    """Draw the range of an image kind's unfamiliarity."""
    q05, q25, q50, q75, q95 = (row[name] for name in QUANTILES)
    if q50 is None:
        return
    if q05 is not None and q95 is not None:
        axes.plot([float(q05), float(q95)], [place, place], color=INK, lw=0.8, zorder=2.0)
    if q25 is not None and q75 is not None:
        axes.plot([float(q25), float(q75)], [place, place], color=BLUE, lw=6.0, solid_capstyle="butt", zorder=2.5)
    axes.plot(float(q50), place, "|", color="white", ms=6.0, mew=1.4, zorder=3.0)


def _not_judged(axes: Axes, row: Row, place: int) -> None:
    """Tell, at the right edge of its row, how many images of a kind show no ground that could be judged."""
    if row["not_judged"]:
        words = f"{row['not_judged']} of {row['count']} not judged"
        where = axes.get_yaxis_transform()
        axes.text(0.99, place - 0.06, words, transform=where, fontsize=SMALL_PT, color=INK, ha="right")


def _scores(axes: Axes, rows: Sequence[Row], statistics: Sequence[str], place: int) -> None:
    """Draw how well each statistic tells a kind of image from the familiar renders."""
    at = {str(row["statistic"]): row for row in rows}
    for index, statistic in enumerate(statistics):
        row = at.get(statistic)
        if row is None or row["auroc"] is None:
            continue
        step = 1.0 / (len(statistics) + 1.5)
        y, style = place + step * (index - 0.5 * (len(statistics) - 1)), look(statistic)
        if row["auroc_low"] is not None and row["auroc_high"] is not None:
            axes.plot([float(row["auroc_low"]), float(row["auroc_high"])], [y, y], color=style.colour, lw=0.9)
        axes.plot(float(row["auroc"]), y, style.marker or "o", color=style.colour, ms=3.2, zorder=3.0)
    if not rows:
        axes.text(1.02, place, "the others against these", fontsize=SMALL_PT, color=FAINT, va="center", ha="right")


def _legend(figure: Figure, statistics: Sequence[str], height: float) -> None:
    handles = [
        Line2D([], [], ls="", marker=style.marker or "o", ms=4.0, color=style.colour, label=style.words)
        for style in map(look, statistics)
    ]
    figure.legend(handles=handles, loc="lower right", bbox_to_anchor=(0.99, 0.36 / height), ncols=4, columnspacing=1.2)
