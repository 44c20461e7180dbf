"""The table of criteria: columns of the contract, unknown where nothing is known, no foreign cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lunarsite.artefact.contracts import CRITERIA
from lunarsite.grid import Cells, Grid
from lunarsite.site.criteria.gathering import (
    GatheringError,
    build_criteria,
    check_cells,
    probabilities,
    relief_columns,
)

CELLS = Cells(Grid.centred(9_600.0, 960.0, 960.0), 960.0, 89.7)


def test_whatever_is_not_given_is_unknown() -> None:
    found = build_criteria({"temperature_k": np.full(CELLS.count, 90.0)}, CELLS)
    assert tuple(found.columns) == (*(column.name for column in CRITERIA.columns), "geometry")
    assert (found["temperature_k"] == 90.0).all()
    rest = found.drop(columns=["cell_id", "lon", "lat", "temperature_k", "geometry", "psr_walk", "psr_rover"])
    assert rest.isna().all().all()
    assert (found[["psr_walk", "psr_rover"]] == "unknown").all().all()
    np.testing.assert_array_equal(found.geometry.x, CELLS.centres_m()[0])


def test_a_foreign_column_is_refused() -> None:
    with pytest.raises(GatheringError, match=r"\['dust'\] are no criteria"):
        build_criteria({"dust": np.zeros(CELLS.count)}, CELLS)


def test_tables_of_other_cells_are_refused() -> None:
    with pytest.raises(GatheringError, match=f"has 3 values from 0 to 2, .*cells 0 to {CELLS.count - 1}"):
        check_cells(pd.DataFrame({"cell_id": [0, 1, 2]}), CELLS)
    relief = pd.DataFrame({"cell_id": [0, CELLS.count]})
    with pytest.raises(GatheringError, match="rerun terrain-relief"):
        relief_columns(relief, CELLS)


def test_relief_stays_with_its_cell() -> None:
    names = ("pixel_m", "p95_slope_deg", "steep_share", "step_m")
    relief = pd.DataFrame({"cell_id": [3, 7]} | {name: [k + 1.0, k + 0.5] for k, name in enumerate(names)})
    found = relief_columns(relief, CELLS)
    assert found["relief_p95_slope_deg"][[3, 7]].tolist() == [2.0, 1.5]
    assert np.isnan(np.delete(found["relief_step_m"], [3, 7])).all()
    assert len(found) == 4
    none = relief_columns(relief.iloc[:0], CELLS)
    assert all(np.isnan(values).all() for values in none.values())


def test_probabilities_are_of_the_rule() -> None:
    both = pd.concat(
        [
            pd.DataFrame({"cell_id": np.arange(CELLS.count), "rule": rule, "probability": value})
            for rule, value in (("cassa", 0.25), ("hls", 0.75))
        ]
    )
    assert (probabilities(both, "hls", CELLS) == 0.75).all()
    with pytest.raises(GatheringError, match=r"holds \['cassa', 'hls'\], not site.scorer.target \('mine'\)"):
        probabilities(both, "mine", CELLS)
    with pytest.raises(GatheringError, match="'cell_id' has"):
        probabilities(both.iloc[1:], "cassa", CELLS)
