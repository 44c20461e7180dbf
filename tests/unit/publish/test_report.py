from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import JsonValue

from lunarsite.artefact.record import Metric, Record, Verdict
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.publish import report, story
from lunarsite.publish.polar_map import Feature
from lunarsite.publish.words import feature_words, number_words

SHACKLETON = Feature("Shackleton", "crater", -89.67, 129.78, 21_000.0)
MALAPERT = Feature("Malapert Massif", "massif", -85.99, -0.2, 10_000.0)
BASIN = Feature("South Pole-Aitken", "basin", -53.0, -169.0, 2_400_000.0)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "unknown"),
        (float("nan"), "unknown"),
        (3.0, "3"),
        (315034, "315\u202f034"),
        (1234.5, "1\u202f234"),
        (0.0123456, "0.0123"),
        (-2.5, "-2.5"),
        (0.0, "0"),
        (4.5e-7, "4.5e-07"),
    ],
)
def test_numbers_in_words(value: float | None, words: str) -> None:
    assert number_words(value) == words


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("slope_mean", "Slope, mean (°)"),
        ("elevation_error_max", "Elevation error, greatest (m)"),
        ("earth_visibility_pct", "Earth view, mean (% of time)"),
        ("something_new", "something_new"),
    ],
)
def test_features_in_words(column: str, words: str) -> None:
    assert feature_words(column) == words


def test_the_nearest_feature_is_named_by_its_edge() -> None:
    features = (SHACKLETON, MALAPERT, BASIN)
    assert report.nearest(features, 129.0, -89.6) == "in Shackleton"
    assert report.nearest(features, 0.0, -86.0) == "on Malapert Massif"
    # One degree of latitude is 30.3 km; the massif's edge is 5 km nearer.
    assert report.nearest(features, -0.2, -84.99) == "Malapert Massif, 25 km off"
    assert report.nearest((), 0.0, -85.0) == ""


def test_labels_are_counted_and_unknown_cells_explained() -> None:
    label = ["suitable", "unknown", "unknown", "unsuitable", "unknown"]
    labels = pd.DataFrame(
        {
            "rule": ["cassa"] * 5 + ["gentle"] * 5,
            "label": label + ["suitable"] * 5,
            "probability": [0.9, np.nan, np.nan, 0.4, np.nan] + [1.0] * 5,
            "unknown_because": ["", "light", "slope,light", "", "light"] + [""] * 5,
        }
    )
    table = report.label_counts(labels)
    assert table.rows == (("CASSA", "1", "1", "3", "1", "2"), ("gentle", "5", "0", "0", "5", "0"))
    assert "any missing input is unknown, even where another input fails" in table.caption
    assert "unless" not in table.caption
    assert report.unknown_causes(labels).rows == (
        ("CASSA", "sunlight", "2"),
        ("CASSA", "slope, sunlight", "1"),
        ("gentle", "nothing", "0"),
    )


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
    section = report.section(record, {"a": "A", "b_median": "B"}, {})
    assert section.verdicts is not None
    assert [row[0] for row in section.verdicts.rows] == ["holds", "unknown"]
    metrics, rows = section.tables
    assert metrics.rows == (
        ("gap km", "0.5", "km", "0.25 to 0.75", ""),
        ("lost", "unknown", "", "", "no data"),
    )
    assert rows.columns == ("A", "B (95 %)", "d")
    assert rows.rows == (("x", "1 (0.5 to 2)", "yes"), ("y", "unknown", "no"))
    assert report.section(record, {}, {}, metrics=False).tables[0].caption == "rows"


def test_tables_come_in_the_order_of_their_captions_and_columns_by_number() -> None:
    rows: list[dict[str, JsonValue]] = [{"top_1000_cells": 2, "top_20_cells": 1, "where": "here"}]
    record = Record(title="x", tables={"a": rows, "m": rows, "z": rows, "gone": rows})
    section = report.section(record, {}, {"z": "Last letter", "m": "Middle"}, without=["gone"])
    assert [table.caption for table in section.tables] == ["Last letter", "Middle", "a"]
    assert section.tables[0].columns == ("where", "top 20 cells", "top 1000 cells")


def test_claims_are_tallied() -> None:
    def verdict(holds: bool | None) -> Verdict:
        return Verdict(name="x", value=None if holds is None else 1.0, bound="x", holds=holds, why="x")

    record = Record(title="x", verdicts=tuple(verdict(state) for state in (True, True, False, None)))
    assert story.tally([record]) == "Of 4 claims 2 hold, 1 does not hold and 1 is unknown."
    assert story.tally([Record(title="x")]) == "No claim was put to a test."


def test_only_a_png_is_embedded(tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    path.write_text("<svg/>", encoding="utf-8")
    with pytest.raises(ArtefactError, match="is no PNG"):
        report.embed("slope", path, "alt", "caption")
