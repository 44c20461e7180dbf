"""Records as the report and the pages print them: verdicts, numbers, tables and notes in plain words.

Nothing is left out silently: what is unknown throughout becomes a note that says why.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from lunarsite.artefact.record import Record
from lunarsite.publish import record_words
from lunarsite.publish.report import Section, Table
from lunarsite.publish.words import number_words, rule_words

_GIVEN = "given"
"""The table that says what there was to compare with, which is told even where it is nothing."""
_WHY = "why_unknown"
_UNITS = {"1": "", "km2": "km²", "deg": "°"}
_BEST = re.compile(r"top_(\d+)_cells")
_VERDICTS = {True: "holds", False: "does not hold", None: "unknown"}


def tell(name: str, found: Record, target: str) -> Section:
    """Return a record as the report prints it.

    Args:
        name: The section's name, see `record_words`.
        found: The record.
        target: The rule of the score, which some headings name.
    """
    own = record_words.SECTION_CAPTIONS.get(name, {})
    captions = {**own, **record_words.TABLE_CAPTIONS, **own}
    captions = {key: _named(words, target) for key, words in captions.items()}
    left_out = record_words.LEFT_OUT.get(name, ())
    tables: dict[str, list[dict[str, JsonValue]]] = {}
    lost: dict[str, list[str]] = {}
    for key, rows in found.tables.items():
        tables[key] = rows if key == _GIVEN else told(rows)
        if rows and not tables[key] and key not in left_out:
            why = "; ".join(dict.fromkeys(str(row[_WHY]) for row in rows))
            lost.setdefault(why, []).append(captions.get(key, _plain(key)).rstrip("."))
    notes = [f"Unknown throughout, because {why}: {'; '.join(names)}." for why, names in lost.items()]
    return section(
        found.model_copy(update={"tables": tables, "notes": (*found.notes, *notes)}),
        column_words(name, target),
        captions,
        metrics=name not in record_words.TOLD_IN_TABLES,
        without=left_out,
    )


def told(rows: Sequence[dict[str, JsonValue]]) -> list[dict[str, JsonValue]]:
    """Return a table's rows without those of a comparison (`of`, if there is one) that is unknown throughout."""
    known = {row.get("of") for row in rows if not row.get(_WHY)}
    return [row for row in rows if row.get("of") in known]


def column_words(name: str, target: str) -> dict[str, str]:
    """Return the headings of a section's tables by column, in the order in which columns come."""
    own = record_words.SECTION_WORDS.get(name, {})
    order = (*record_words.FIRST.get(name, ()), *record_words.TABLE_WORDS, *own)
    words = {**record_words.TABLE_WORDS, **own}
    return {key: _named(words[key], target) for key in order}


def _named(words: str, target: str) -> str:
    return words.replace("{rule}", rule_words(target))


def section(
    record: Record,
    words: Mapping[str, str],
    captions: Mapping[str, str],
    *,
    metrics: bool = True,
    without: Sequence[str] = (),
) -> Section:
    """Return a record for the report.

    Args:
        record: The record.
        words: Column names of its tables in words.
        captions: Captions of its tables; a table without one is captioned by its name.
        metrics: Whether its metrics are listed.
        without: Tables that are left out.
    """
    tables = []
    if metrics and record.metrics:
        tables.append(_metric_table(record))
    # Records are written with sorted keys; their tables come in the order of the captions, the rest after them.
    order = {name: place for place, name in enumerate(captions)}
    tables += [
        _record_table(name, rows, captions.get(name, _plain(name)), words)
        for name, rows in sorted(record.tables.items(), key=lambda table: order.get(table[0], len(order)))
        if rows and name not in without
    ]
    return Section(record.title, _verdict_table(record), tuple(tables), record.notes)


def _verdict_table(record: Record) -> Table | None:
    """Return a record's verdicts; claims that are unknown for one and the same reason share a row."""
    if not record.verdicts:
        return None
    reasons = Counter(verdict.why for verdict in record.verdicts if verdict.holds is None)
    shared: dict[str, list[str]] = {why: [] for why, count in reasons.items() if why and count > 1}
    rows = []
    for verdict in record.verdicts:
        claims = shared.get(verdict.why) if verdict.holds is None else None
        if claims is None:
            value, unit = number_words(verdict.value), unit_words(verdict.unit)
            rows.append((_VERDICTS[verdict.holds], verdict.name, value, verdict.bound, unit, verdict.why))
            continue
        claims.append(verdict.name)
        if len(claims) == reasons[verdict.why]:
            name = f"{len(claims)} claims: {'; '.join(claims)}"
            rows.append((_VERDICTS[None], name, "unknown", "", "", verdict.why))
    return Table(
        f"{record.title}: claims that could fail, each with its bound.",
        ("Verdict", "Claim", "Value", "Bound", "Unit", "Why"),
        tuple(rows),
        (False, False, True, False, False, False),
    )


def _metric_table(record: Record) -> Table:
    rows = []
    for metric in record.metrics:
        interval = "" if metric.low is None else f"{number_words(metric.low)} to {number_words(metric.high)}"
        name = record_words.METRIC_WORDS.get(metric.name, _plain(metric.name))
        rows.append((name, number_words(metric.value), unit_words(metric.unit), interval, metric.why))
    return Table(
        f"{record.title}: measured numbers.",
        ("Number", "Value", "Unit", "95 % interval", "Note"),
        tuple(rows),
        (False, True, False, True, False),
    )


def _record_table(name: str, rows: Sequence[Mapping[str, Any]], caption: str, words: Mapping[str, str]) -> Table:
    """Return a record's table; columns x_median (or x), x_low, x_high become one."""
    # Records are written with sorted keys, so columns come in the order of their words; the rest follows, text first.
    known, found = list(words), {key for row in rows for key in row} - record_words.HIDDEN
    texts = {key for key in found if any(isinstance(row.get(key), str) for row in rows)}
    rest = sorted(found - words.keys(), key=lambda key: (key not in texts, *_natural(key)))
    keys = [key for key in known if key in found] + rest
    stems = {key: key.removesuffix("_median") for key in keys}
    ranges = {key: stem for key, stem in stems.items() if {f"{stem}_low", f"{stem}_high"} <= found}
    folded = {f"{stem}_{end}" for stem in ranges.values() for end in ("low", "high")}
    shown = [key for key in keys if key not in folded and any(row.get(key) not in (None, "") for row in rows)]
    percent = record_words.SHARES | record_words.SHARES_OF.get(name, frozenset())
    columns, numeric = [], []
    for key in shown:
        heading = words.get(key) or _heading(key)
        heading = f"{heading} (95 %)" if key in ranges and "95 %" not in heading else heading
        columns.append((f"{heading}, in %" if "95 %" in heading else f"{heading} (%)") if key in percent else heading)
        numeric.append(all(isinstance(row.get(key), int | float | None) for row in rows))
    body = [
        tuple(
            _record_cell(row, key, ranges.get(key), _percent_words if key in percent else number_words) for key in shown
        )
        for row in rows
    ]
    return Table(caption, tuple(columns), tuple(body), tuple(numeric))


def _heading(key: str) -> str:
    """Return the heading of a column without words of its own."""
    best = _BEST.fullmatch(key)
    return f"Of the {number_words(int(best[1]))} best cells by score" if best else _plain(key)


def _natural(name: str) -> tuple[str, int]:
    """Return a key that sorts names by their text, and those with a number in it by the number: 20 before 100."""
    number = re.search(r"\d+", name)
    return re.sub(r"\d+", "0", name), int(number[0]) if number else 0


def _record_cell(row: Mapping[str, Any], key: str, stem: str | None, words: Callable[[float], str]) -> str:
    """Return a cell in words; `stem` names the columns of its interval, if it has one, `words` puts its numbers."""
    value = row.get(key)
    ends = [None if stem is None else row.get(f"{stem}_{end}") for end in ("low", "high")]
    if value is not None and None not in ends:
        low, high = (words(end) for end in ends if end is not None)
        return f"{words(value)} ({low} to {high})"
    if value is None:
        return "none" if _nothing(row, key) else "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return words(value)
    return record_words.VALUE_WORDS.get(key, {}).get(str(value), str(value))


def _percent_words(share: float) -> str:
    """Return a share as a percentage of three digits, more only where they would make it all or nothing."""
    percent = 100.0 * share
    text = f"{percent:.3g}"
    return number_words(percent) if float(text) in (0.0, 100.0) else text


def _nothing(row: Mapping[str, Any], key: str) -> bool:
    """Whether a missing value says that there is nothing to tell of, and not that it is unknown."""
    return key in record_words.NOTHING and not row.get(_WHY)


def unit_words(unit: str) -> str:
    """Return a unit as it is printed; a pure number has none."""
    return _UNITS.get(unit, unit)


def _plain(name: str) -> str:
    words = " ".join(rule_words(word) for word in name.split("_"))
    return words[:1].upper() + words[1:]
