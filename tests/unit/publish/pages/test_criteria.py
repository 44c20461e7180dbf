from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.artefact.contracts import CRITERIA as CONTRACT
from lunarsite.artefact.contracts import SITES
from lunarsite.publish.pages.criteria import CRITERIA, NO_WAY, percentile, shown, table, way_words
from tests.stage.fake_sites import bare_sites

NAN = float("nan")
FINITE = st.floats(-1e6, 1e6)


def test_every_criterion_of_the_contract_is_shown() -> None:
    shown_columns = {criterion.column for criterion in CRITERIA}
    of_sites = {column.name for column in SITES.columns}
    assert shown_columns <= of_sites
    numbers = {column.name for column in CONTRACT.columns[3:] if column.dtype == "float32"}
    assert numbers <= shown_columns


def test_percentile() -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0, 5.0], 4.0, "more") == 75.0
    assert percentile([1.0, 2.0, 3.0, 4.0, 5.0], 4.0, "less") == 25.0
    assert percentile([2.0, 2.0, 2.0], 2.0, "more") == 50.0
    assert percentile([1.0, NAN, 3.0], 3.0, "more") == 100.0
    # No way is worse than any length, and known.
    assert percentile([1.0, math.inf, math.inf], 1.0, "less") == 100.0
    assert percentile([1.0, math.inf, math.inf], math.inf, "less") == 25.0


@pytest.mark.parametrize(
    ("values", "value", "better"), [([1.0], 1.0, "more"), ([1.0, NAN], NAN, "more"), ([1.0, 2.0], 1.0, "")]
)
def test_percentile_is_unknown(values: list[float], value: float, better: str) -> None:
    assert percentile(values, value, better) is None


@given(st.lists(FINITE, min_size=2, max_size=20), st.data())
def test_percentiles_of_both_directions_add_up(values: list[float], data: st.DataObject) -> None:
    value = data.draw(st.sampled_from(values))
    more, less = percentile(values, value, "more"), percentile(values, value, "less")
    assert more is not None
    assert less is not None
    assert more + less == pytest.approx(100.0)


def test_way_words() -> None:
    site = pd.Series({"psr_walk": "reached", "psr_walk_m": 1_234.0, "psr_rover": NO_WAY, "psr_rover_m": NAN})
    assert way_words(site, "walk") == "1.23 km"
    assert way_words(site, "rover") == "no way"


def test_the_table_tells_no_way_from_unknown() -> None:
    sites = bare_sites([(0.0, -89.0), (10.0, -88.0), (20.0, -87.0)])
    sites["psr_walk"] = ["reached", NO_WAY, "unknown"]
    sites["psr_walk_m"] = np.array([2_000.0, NAN, NAN])
    sites["temperature_k"] = NAN

    def row(site: int, words: str) -> tuple[str, ...]:
        found = table(sites.iloc[site], sites, {"psr_walk_m": 3_500.0})
        return next(row for row in found.rows if row[0] == words)

    way = "Way from the ellipse's centre to permanent shadow on foot"
    assert row(0, way)[1:7] == ("2.00", "km", "less", "100 %", NO_WAY, "3.50")
    assert row(1, way)[1:5] == (NO_WAY, "", "less", "0 %")
    assert row(2, way)[1:5] == ("unknown", "", "less", "")
    assert row(0, "Temperature")[1:7] == ("unknown", "", "less", "", "unknown", "")


def test_shown_scales_to_the_unit() -> None:
    criterion = next(c for c in CRITERIA if c.column == "scarp_distance_m")
    assert shown(12_345.0, criterion) == "12.3"
    assert shown(NAN, criterion) == "unknown"
