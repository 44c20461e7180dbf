"""The cells that a selection could have been drawn from, and the order in which score and plain rule draw them.

A cell belongs to the population if every input of the rule is known there and it has a rank: only such a cell could
have been chosen. Cells with an unknown input are left out of selections and base rates alike. Counting the steep ones
among them (which fail the rule whatever the light) would raise the share of area outside the regions and with it the
apparent agreement.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.artefact import table
from lunarsite.artefact.contracts import CELLS, SCORES
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.grid import Cells, Grid
from lunarsite.settings import GridSettings, RuleSettings
from lunarsite.site.rules import Target, rule_inputs, rule_margin

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Population:
    """Cells with known inputs, one entry each, in the order of their ids.

    `by_score` and `by_rule` are indices into the arrays, best first; `suitable` marks cells that pass the rule;
    `cells` counts all cells of the run, those with unknown inputs included.
    """

    x_m: Floats
    y_m: Floats
    lon_deg: Floats
    lat_deg: Floats
    area_m2: Floats
    suitable: NDArray[np.bool_]
    rank: NDArray[np.int64]
    by_score: NDArray[np.int64]
    by_rule: NDArray[np.int64]
    cells: int

    @property
    def count(self) -> int:
        """Number of cells in the population."""
        return int(self.area_m2.size)


def read_population(
    scores_path: Path, cells_path: Path, grid: GridSettings, rule: RuleSettings, target: Target
) -> Population:
    """Read scores and cells of one run and return the population.

    Raises:
        ArtefactError: The two tables or the run's grid do not list the same cells.
    """
    places = Cells(
        Grid.centred(grid.half_width_m, grid.pixel_m, grid.cell_m, grid.pole), grid.cell_m, grid.latitude_limit_deg
    )
    scores, _ = table.read(scores_path, SCORES, ["cell_id", "label", "rank"])
    inputs = list(rule_inputs(target))
    cells, _ = table.read(cells_path, CELLS, ["cell_id", *inputs])
    expected = np.arange(places.count)
    for path, frame in ((scores_path, scores), (cells_path, cells)):
        if not np.array_equal(frame["cell_id"].to_numpy(), expected):
            raise ArtefactError(
                f"{path}: its {len(frame)} cells are not the {places.count} of the run's grid; rerun its stage with"
                " the grid settings of this run"
            )
    return _population(places, scores, cells, rule, target)


def _population(
    places: Cells, scores: pd.DataFrame, cells: pd.DataFrame, rule: RuleSettings, target: Target
) -> Population:
    rank = scores["rank"].to_numpy()
    kept = (cells[list(rule_inputs(target))].notna().all(axis=1).to_numpy()) & (rank > 0)
    inputs = {name: cells[name].to_numpy()[kept] for name in rule_inputs(target)}
    margin = rule_margin(inputs, rule, target)
    kept_rank = rank[kept]
    (x_m, y_m), (lon_deg, lat_deg) = places.centres_m(), places.centres_lonlat()
    return Population(
        x_m=x_m[kept],
        y_m=y_m[kept],
        lon_deg=lon_deg[kept],
        lat_deg=lat_deg[kept],
        area_m2=places.true_area_m2()[kept],
        suitable=(scores["label"].to_numpy() == "suitable")[kept],
        rank=kept_rank,
        by_score=np.argsort(kept_rank, kind="stable"),
        by_rule=np.argsort(-margin, kind="stable"),
        cells=places.count,
    )
