from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lunarsite.artefact.record import Record, Verdict
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.publish import report, story
from lunarsite.publish.polar_map import Feature
from lunarsite.publish.words import feature_words, number_words, probability_words

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
    ("value", "words"),
    [(1.0, "> 0.99"), (0.995, "> 0.99"), (0.9949, "0.99"), (0.5, "0.50"), (0.0051, "0.01"), (0.0, "< 0.01")],
)
def test_a_probability_of_some_hundred_draws_is_never_certain(value: float, words: str) -> None:
    assert probability_words(value) == words
    assert probability_words(float("nan")) == "unknown"


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
