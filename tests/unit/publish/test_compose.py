from __future__ import annotations

from pydantic import JsonValue

from lunarsite.artefact.record import Record
from lunarsite.publish import compose

Row = dict[str, JsonValue]


def test_comparisons_that_are_unknown_throughout_are_left_out() -> None:
    rows: list[Row] = [
        {"of": "experts", "value": 0.5, "why_unknown": ""},
        {"of": "experts", "value": None, "why_unknown": "too few turns"},
        {"of": "rivals", "value": None, "why_unknown": "no table"},
    ]
    assert compose.told(rows) == rows[:2]
    assert compose.told([{"value": None, "why_unknown": "no table"}]) == []
    assert compose.told([{"value": 1.0}, {"value": None, "why_unknown": "x"}]) == [
        {"value": 1.0},
        {"value": None, "why_unknown": "x"},
    ]


def test_what_is_left_out_is_said_with_its_reason() -> None:
    unknown: list[Row] = [{"of": "rivals", "value": None, "why_unknown": "no table is named"}]
    record = Record(title="x", tables={"given": unknown, "agreement": unknown, "top": unknown}, notes=("first",))
    section = compose._section("others", record)
    assert [table.columns for table in section.tables] == [("Compared with", "Why unknown")]
    assert section.notes[0] == "first"
    assert "Sites against those of others" in section.notes[1]
    assert section.notes[1].endswith("Because no table is named.")


def test_tables_that_are_told_elsewhere_leave_no_note() -> None:
    record = Record(title="x", tables={"top": [{"rank": 1}], "criteria": [{"words": "slope", "why_unknown": ""}]})
    section = compose._section("sites", record)
    assert [table.rows for table in section.tables] == [(("slope",),)]
    assert section.notes == ()
