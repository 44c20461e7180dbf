"""What was measured of seeing into shadow, as the docs have it: a table and the verdicts, from a run's record.

    python -m lunarsite.publish.enhance_table results/reference/validate/enhance.json docs/enhance.md

puts them between the page's two marks, in place of what stands there. `tests/reference` holds the page against the
record of the reference run.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lunarsite.artefact import record
from lunarsite.artefact.atomic import replacing
from lunarsite.artefact.contracts import ENHANCE_RECORD
from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.publish.enhance_charts import CRATERS, LEVELS, Row, rows
from lunarsite.publish.enhance_looks import look
from lunarsite.publish.words import number_words

BEGIN: Final = "<!-- measured: begin (python -m lunarsite.publish.enhance_table) -->"
END: Final = "<!-- measured: end -->"
_HEADS: Final = ("electrons", "method", "PSNR, dB", "SSIM", "craters shown", "invented per 100 000 px")
_VERDICTS: Final = {True: "holds", False: "**does not hold**", None: "unknown"}


def measured(found: Record) -> str:
    """Return the table of every method by signal, and the verdicts, in Markdown.

    Raises:
        ArtefactError: The record lacks a table or a column.
    """
    craters = {(row["method"], row["electrons"]): row for row in rows(found, CRATERS)}
    lines = [f"| {' | '.join(_HEADS)} |", f"| {' | '.join(['---'] * len(_HEADS))} |"]
    for row in sorted(rows(found, LEVELS), key=lambda row: float(row["electrons"])):
        seen = craters[row["method"], row["electrons"]]
        numbers = (
            _cell(row, "psnr_db"),
            _cell(row, "ssim"),
            _cell(seen, "recall"),
            _cell(seen, "invented_per_100000px"),
        )
        cells = (number_words(row["electrons"]), look(str(row["method"])).words, *numbers)
        lines.append(f"| {' | '.join(cells)} |")
    claims = [
        f"- {_VERDICTS[one.holds]}: {one.name} ({number_words(one.value)}, asked: {one.bound})"
        for one in found.verdicts
    ]
    return "\n".join([*lines, "", *claims])


def filled(page: str, found: Record) -> str:
    """Return a page with what was measured between its marks.

    Raises:
        ArtefactError: The page lacks the marks, or the record a table.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ArtefactError(f"the page has no place for what was measured: '{BEGIN}' and behind it '{END}'")
    return f"{before}{BEGIN}\n\n{measured(found)}\n\n{END}{after}"


def main(arguments: Sequence[str]) -> None:
    """Fill a page (second argument) from a record (first)."""
    source, page = (Path(argument) for argument in arguments)
    text = filled(page.read_text(encoding="utf-8"), record.read(source, ENHANCE_RECORD)[0])
    with replacing(page) as partial:
        partial.write_text(text, encoding="utf-8")


def _cell(row: Row, name: str) -> str:
    if row[name] is None:
        return "unknown"
    ends = row[f"{name}_low"], row[f"{name}_high"]
    within = "" if None in ends else f" ({number_words(ends[0])} to {number_words(ends[1])})"
    return f"{number_words(row[name])}{within}"


if __name__ == "__main__":
    main(sys.argv[1:])
