from __future__ import annotations

from pydantic import JsonValue

from lunarsite.artefact.record import Metric, Record, Verdict
from lunarsite.publish import sections
from lunarsite.publish.record_words import TABLE_WORDS

Row = dict[str, JsonValue]


def test_a_record_becomes_tables_in_plain_words() -> None:
    record = Record(
        title="Check",
        metrics=(
            Metric(name="gap_km", value=0.5, unit="km", low=0.25, high=0.75),
            Metric(name="lost", value=None, why="no data"),
        ),
        verdicts=(
            Verdict(name="It holds", value=1.0, bound=">= 1", holds=True, why="because"),
            Verdict(name="It is not known", value=None, bound=">= 1", holds=None, why="no data"),
        ),
        tables={
            "rows": [
                {"b_median": 1.0, "b_low": 0.5, "b_high": 2.0, "a": "x", "c": None, "d": True},
                {"b_median": None, "b_low": None, "b_high": None, "a": "y", "c": None, "d": False},
            ]
        },
    )
    made = sections.section(record, {"a": "A", "b_median": "B"}, {})
    assert made.verdicts is not None
    assert [row[0] for row in made.verdicts.rows] == ["holds", "unknown"]
    metrics, rows = made.tables
    assert metrics.rows == (
        ("Gap km", "0.5", "km", "0.25 to 0.75", ""),
        ("Lost", "unknown", "", "", "no data"),
    )
    assert rows.columns == ("A", "B (95 %)", "D")
    assert rows.rows == (("x", "1 (0.5 to 2)", "yes"), ("y", "unknown", "no"))
    assert sections.section(record, {}, {}, metrics=False).tables[0].caption == "Rows"


def test_tables_come_in_the_order_of_their_captions_and_columns_by_number() -> None:
    rows: list[dict[str, JsonValue]] = [{"top_1000_cells": 2, "top_20_cells": 1, "where": "here"}]
    record = Record(title="x", tables={"a": rows, "m": rows, "z": rows, "gone": rows})
    made = sections.section(record, {}, {"z": "Last letter", "m": "Middle"}, without=["gone"])
    assert [table.caption for table in made.tables] == ["Last letter", "Middle", "A"]
    assert made.tables[0].columns == ("Where", "Of the 20 best cells by score", "Of the 1\u202f000 best cells by score")


def test_comparisons_that_are_unknown_throughout_are_left_out() -> None:
    rows: list[Row] = [
        {"of": "experts", "value": 0.5, "why_unknown": ""},
        {"of": "experts", "value": None, "why_unknown": "too few turns"},
        {"of": "rivals", "value": None, "why_unknown": "no table"},
    ]
    assert sections.told(rows) == rows[:2]
    assert sections.told([{"value": None, "why_unknown": "no table"}]) == []
    assert sections.told([{"value": 1.0}, {"value": None, "why_unknown": "x"}]) == [
        {"value": 1.0},
        {"value": None, "why_unknown": "x"},
    ]


def test_what_is_left_out_is_said_with_its_reason() -> None:
    unknown: list[Row] = [{"of": "rivals", "value": None, "why_unknown": "no table is named"}]
    record = Record(title="x", tables={"given": unknown, "agreement": unknown, "massifs": unknown}, notes=("first",))
    made = sections.tell("others", record, "cassa")
    assert [table.columns for table in made.tables] == [("Compared with", "Why unknown")]
    assert made.notes[0] == "first"
    # One reason, one note.
    (note,) = made.notes[1:]
    assert note.startswith("Unknown throughout, because no table is named: Sites against those of others")
    assert "massifs" in note


def test_tables_that_are_told_elsewhere_leave_no_note() -> None:
    record = Record(title="x", tables={"top": [{"rank": 1}], "criteria": [{"words": "slope", "why_unknown": ""}]})
    made = sections.tell("sites", record, "cassa")
    assert [table.rows for table in made.tables] == [(("slope",),)]
    assert made.notes == ()


def test_claims_that_lack_one_and_the_same_thing_share_a_row() -> None:
    def lacking(name: str, why: str) -> Verdict:
        return Verdict(name=name, value=None, bound="<= 0.05", holds=None, why=why)

    held = Verdict(name="Held", value=0.01, bound="<= 0.05", holds=True, why="no table")
    claims = (lacking("A", "no table"), held, lacking("B", "no table"), lacking("C", "no way"))
    made = sections.section(Record(title="x", verdicts=claims), {}, {})
    assert made.verdicts is not None
    assert [row[:2] for row in made.verdicts.rows] == [
        ("holds", "Held"),
        ("unknown", "2 claims: A; B"),
        ("unknown", "C"),
    ]


def test_nothing_chosen_is_none_and_only_what_lacks_data_is_unknown() -> None:
    rows: list[Row] = [
        {"selection": "100 best by score", "of": 100, "count": 0, "best": None, "why_unknown": ""},
        {"selection": "all sites", "of": None, "count": None, "best": None, "why_unknown": "the run has no site"},
        {"selection": "20 best sites", "of": 20, "count": 1, "best": 7, "why_unknown": ""},
    ]
    made = sections.section(Record(title="x", tables={"t": rows}), sections.column_words("artemis", "cassa"), {})
    assert made.tables[0].columns[:4] == ("Chosen", "Chosen in all", "Number", "Best rank")
    assert made.tables[0].rows[0][3] == "none"
    assert made.tables[0].rows[1][1:4] == ("unknown", "unknown", "unknown")


def test_shares_are_percentages_with_their_intervals() -> None:
    row: Row = {
        "gain": -0.13,
        "share_inside": 0.0273,
        "rotation_median": 0.5,
        "rotation_low": 0.0,
        "rotation_high": 1.0,
    }
    record = Record(title="x", tables={"score_against_rule": [row], "agreement": [row]})
    by_gain, by_share = (
        dict(zip(table.columns, table.rows[0], strict=True))
        for table in sections.section(record, TABLE_WORDS, {"score_against_rule": "", "agreement": ""}).tables
    )
    assert by_share["Share inside (%)"] == "2.73"
    assert by_gain["Gain of the score (%)"] == "-13"
    assert [sections._percent_words(share) for share in (0.82997, 0.999999, 1.0, 0.0)] == ["83", "99.9999", "100", "0"]
    # Turning gives gains in one table and enrichments in the other.
    assert by_gain["Turned about the pole: median (95 %), in %"] == "50 (0 to 100)"
    assert by_share["Turned about the pole: median (95 %)"] == "0.5 (0 to 1)"


def test_headings_name_the_rule_and_whose_sites_they_count() -> None:
    words = sections.column_words("artemis", "hls")
    assert words["suitable_cells"] == "Cells that pass, HLS"
    assert words["sites"] == "Overall sites inside"
    assert sections.column_words("sites", "cassa")["sites"] == "Sites of this region's list (HLS)"
    assert next(iter(sections.column_words("others", "cassa"))) == "of"
    assert not any("{" in heading for heading in words.values())
