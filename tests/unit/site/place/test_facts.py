"""Facts of cells: the rule's own slope, tables that fit together, and refusals that say what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lunarsite.artefact import ArtefactError
from lunarsite.artefact.contracts import CRITERIA
from lunarsite.settings import RuleSettings
from lunarsite.site.place.facts import Tables, failing

RULE = RuleSettings(max_slope_deg=5.0, min_illumination_pct=33.0, min_earth_visibility_pct=50.0)


@pytest.fixture
def tables() -> Tables:
    ids = pd.RangeIndex(3, name="cell_id")
    cells = pd.DataFrame(
        {
            "slope_mean": [5.0, 6.0, np.nan],
            "buffered_slope_deg": [7.0, 8.0, np.nan],
            "avg_illumination_pct": [33.0, 20.0, 40.0],
            "earth_visibility_pct": [60.0, 49.0, np.nan],
        },
        index=ids,
    )
    labels = pd.DataFrame(
        {
            "cell_id": [0, 1, 2],
            "rule": "cassa",
            "label": ["suitable", "unsuitable", "unknown"],
            "probability": [0.5, 0.1, np.nan],
            "slope_mean_deg": [5.1, 6.1, np.nan],
            "slope_sigma_deg": [0.4, 0.4, np.nan],
        }
    )
    criteria = pd.DataFrame({column.name: 1.0 for column in CRITERIA.columns[3:]}, index=ids)
    scores = pd.DataFrame({"score": [1.0, -1.0, np.nan], "shap_slope_mean": [0.75, -2.0, np.nan]}, index=ids)
    return Tables(cells, labels, Path("labels.parquet"), criteria, scores, (2.9, 5.0), (0.0, 0.0))


def test_the_slope_is_the_one_that_the_rule_reads(tables: Tables) -> None:
    assert tables.facts("cassa", RULE)["slope_deg"].tolist()[:2] == [5.0, 6.0]
    buffered = RULE.model_copy(update={"slope_buffer_m": 100.0})
    assert tables.facts("cassa", buffered)["slope_deg"].tolist()[:2] == [7.0, 8.0]


def test_failing_limits_leave_out_the_unknown_and_the_limit_itself(tables: Tables) -> None:
    found = failing(tables.facts("cassa", RULE), RULE)
    assert {name: fails.tolist() for name, fails in found.items()} == {
        "slope": [False, True, False],
        "light": [False, True, False],
        "earth": [False, True, False],
    }


def test_reasons_come_from_the_cell_and_the_rule_that_was_learned(tables: Tables) -> None:
    told = tables.reasons(RULE, "cassa", "cassa")
    assert told(0) == (["slope 5.0° on average (the rule allows 5°): +0.75 log-odds"], [])
    assert told(1) == ([], ["slope 6.0° on average (the rule allows 5°): -2.00 log-odds"])
    assert told(2) == ([], [])
    assert "the CASSA rule, which the score learned," in tables.reasons(RULE, "cassa", "hls")(0)[0][0]


def test_tables_that_do_not_fit_are_refused(tables: Tables) -> None:
    with pytest.raises(ArtefactError, match=r"no labels of the rule 'hls', only of \['cassa'\]"):
        tables.facts("hls", RULE)
    with pytest.raises(ArtefactError, match="criteria: lists 2 cells, the run's cells are 3"):
        replace(tables, criteria=tables.criteria.iloc[:2]).facts("cassa", RULE)
    bare = tables.labels.assign(slope_sigma_deg=np.nan)
    with pytest.raises(ArtefactError, match="2 cells have a probability, but no slope_mean_deg or slope_sigma_deg"):
        replace(tables, labels=bare).facts("cassa", RULE)
    gap = tables.labels.iloc[[0, 2]]
    with pytest.raises(ArtefactError, match="does not list cells 0, 1, 2"):
        replace(tables, labels=gap).facts("cassa", RULE)
