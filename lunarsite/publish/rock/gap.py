"""What closes the gap between renders and photographs: each training of the ablation, drawn and told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import fill
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lunarsite.publish.rock.tables import ABLATION, SEEDS, Measured, Row, with_interval
from lunarsite.publish.style import BLUE, FAINT, INK, ORANGE, WIDE_IN, caption, header, new_figure, styled

PANELS: Final = (
    ("photograph_miou", "photographs_miou", "Test photographs"),
    ("render_miou", "renders_miou", "Held-out renders"),
)
"""Column of the table of variants, column of that of seeds, words."""
_REACHED: Final = "photograph_miou"
"""Column that the sentences tell."""
_LABEL_CHARACTERS: Final = 44


def draw_gap(found: Measured) -> Figure:
    """Draw the mean IoU of each training on photographs and on renders, one below the other; for two columns."""
    rows = found.optional(ABLATION)
    with styled():
        height = 1.9 + 0.36 * max(len(rows), 3)
        figure = new_figure(WIDE_IN, height)
        panels = figure.subplots(1, 2, sharey=True)
        figure.subplots_adjust(left=0.36, right=0.985, top=1.0 - 0.56 / height, bottom=1.12 / height, wspace=0.1)
        for axes, (column, seed_column, words) in zip(panels, PANELS, strict=True):
            _trainings(axes, rows, found.optional(SEEDS), (column, seed_column))
            axes.set_title(words + (_photograph_scenes(rows) if column == _REACHED else ""))
            axes.set_xlabel("Mean IoU (1: masks agree)")
            axes.set_xlim(0.0, 1.0)
            axes.xaxis.set_major_formatter("{x:g}")
            axes.grid(lw=0.3, alpha=0.6, axis="x")
            axes.spines[["top", "right"]].set_visible(False)
        panels[0].set_yticks(range(len(rows)), [_label(row) for row in rows])
        panels[0].set_ylim(len(rows) - 0.5, -0.5)
        figure.legend(
            handles=_handles(), loc="lower left", bbox_to_anchor=(0.06, 0.36 / height), ncols=4, columnspacing=1.2
        )
        caption(
            figure,
            "Each training has what those above it have. Bars: 95 % intervals over scenes and seeds, too narrow for"
            "\nso few scenes of photographs. No training saw these scenes. Numbers from validate/rock.json.",
        )
        header(
            figure, "From renders to photographs: what helps", synthetic=found.synthetic, real_among=found.photographs
        )
        return figure


def sentences(found: Measured) -> Iterator[str]:
    """Yield what the chosen training reaches beside the least one and what finds no rock; nothing without variants."""
    rows = [row for row in found.optional(ABLATION) if row[_REACHED] is not None]
    chosen = next((row for row in rows if row["chosen"]), None)
    least = next((row for row in rows if row["seeds"]), None)
    if chosen is None or least is None:
        return
    parts = [f"{with_interval(least, _REACHED)} with '{least['variant']}' ({least['adds']})"]
    if chosen is not least:
        reached = with_interval(chosen, _REACHED)
        parts.append(f"{reached} with '{chosen['variant']}', which validation photographs chose")
    parts += [f"{with_interval(row, _REACHED)} where no rock is found at all" for row in rows if not row["seeds"]]
    yield f"From renders to photographs, the same small training again and again: mean IoU {'; '.join(parts)}."


def _label(row: Row) -> str:
    return fill(f"{row['variant']}: {row['adds']}", _LABEL_CHARACTERS)


def _photograph_scenes(rows: Sequence[Row]) -> str:
    counts = {int(row["photograph_scenes"]) for row in rows}
    return f" ({counts.pop()} scenes)" if len(counts) == 1 else ""


def _trainings(axes: Axes, rows: Sequence[Row], seeds: Sequence[Row], columns: tuple[str, str]) -> None:
    """Draw the mean over seeds of each training with its interval, and each seed beside it."""
    column, seed_column = columns
    for place, row in enumerate(rows):
        if row[column] is None:
            continue
        low, high = row[f"{column}_low"], row[f"{column}_high"]
        if low is not None and high is not None:
            axes.plot([float(low), float(high)], [place, place], color=INK, lw=0.9, zorder=2.0)
        for one in seeds:
            if one["variant"] == row["variant"] and one[seed_column] is not None:
                axes.plot(float(one[seed_column]), place + 0.24, "|", color=FAINT, ms=5.0, mew=1.0, zorder=2.0)
        _mark(axes, row, float(row[column]), place)


def _mark(axes: Axes, row: Row, value: float, place: int) -> None:
    colour = FAINT if not row["seeds"] else ORANGE if row["chosen"] else BLUE
    axes.plot(value, place, "x" if not row["seeds"] else "D" if row["chosen"] else "o", color=colour, ms=4.5, zorder=3)


def _handles() -> list[Line2D]:
    told = (
        (BLUE, "o", "mean over seeds"),
        (ORANGE, "D", "chosen by validation photographs"),
        (FAINT, "x", "nothing is learned"),
        (FAINT, "|", "one seed"),
    )
    return [Line2D([], [], ls="", marker=marker, ms=4.5, color=colour, label=words) for colour, marker, words in told]
