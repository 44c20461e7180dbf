"""The cells that a selection could have been drawn from, and the orders in which they are drawn.

Three orders: the learned score's, the plain rule's margin, and the Monte Carlo probability that a cell meets the rule,
ties broken by the margin.

A cell belongs to the population if every input of the rule is known there and it has a rank, where the rule is the one
that the scorer learned: only such a cell could have been chosen. Cells with an unknown input are left out of selections
and base rates alike. Counting the steep ones among them (which fail the rule whatever the light) would raise the share
of area outside the regions and with it the apparent agreement.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.artefact import table
from lunarsite.artefact.contracts import CELLS, LABELS, SCORES
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.grid import Cells, Grid
from lunarsite.settings import GridSettings, RuleSettings
from lunarsite.site.rules import Target, limit_margins, rule_inputs

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Population:
    """Cells with known inputs, one entry each, in the order of their ids.

    `by_score`, `by_rule` and `by_probability` are indices into the arrays, best first; the first and `rank` are None
    for a rule that no score was learned for, the last lists the cells with a probability alone. `suitable` marks cells
    that pass the rule, `margins` (3, n) says by how much they pass or fail the limits of slope, light and Earth view.
    `cells` counts all cells of the run, those with unknown inputs included.
    """

    x_m: Floats
    y_m: Floats
    lon_deg: Floats
    lat_deg: Floats
    area_m2: Floats
    suitable: NDArray[np.bool_]
    margins: Floats
    rank: NDArray[np.int64] | None
    by_score: NDArray[np.int64] | None
    by_rule: NDArray[np.int64]
    by_probability: NDArray[np.int64]
    cells: int

    @property
    def count(self) -> int:
        """Number of cells in the population."""
        return int(self.area_m2.size)


def read_population(
    scores_path: Path | None,
    cells_path: Path,
    labels_path: Path,
    grid: GridSettings,
    rule: RuleSettings,
    target: Target,
) -> Population:
    """Read labels, cells and, for the scorer's rule, scores of one run and return the population of one rule.

    Raises:
        ArtefactError: The tables or the run's grid do not list the same cells.
    """
    places = cells_of(grid)
    cells, _ = table.read(cells_path, CELLS, ["cell_id", *rule_inputs(target, rule)])
    labels = read_labels(labels_path, target, places)
    check_cells(cells_path, cells["cell_id"].to_numpy(), places)
    rank = None
    if scores_path is not None:
        scores, _ = table.read(scores_path, SCORES, ["cell_id", "rank"])
        check_cells(scores_path, scores["cell_id"].to_numpy(), places)
        rank = scores["rank"].to_numpy()
    return _population(places, rank, cells, labels, rule, target)


def cells_of(grid: GridSettings) -> Cells:
    """Return the cells of the run."""
    lattice = Grid.centred(grid.half_width_m, grid.pixel_m, grid.cell_m, grid.pole)
    return Cells(lattice, grid.cell_m, grid.latitude_limit_deg)


def read_labels(path: Path, rule: str, places: Cells) -> pd.DataFrame:
    """Return label and probability of one rule, a row for each cell in the order of their ids.

    Raises:
        ArtefactError: The file has no labels of that rule, or lists other cells than the run's.
    """
    labels, _ = table.read(path, LABELS, ["cell_id", "rule", "label", "probability"])
    found = labels[labels["rule"] == rule].reset_index(drop=True)
    if found.empty:
        raise ArtefactError(
            f"{path}: has no labels of the rule '{rule}', only of {sorted(set(labels['rule']))}; rerun the stage that"
            " writes it with the rules of this run"
        )
    check_cells(path, found["cell_id"].to_numpy(), places)
    return found


def check_cells(path: Path, ids: NDArray[np.int64], places: Cells) -> None:
    """Refuse a table that does not list the run's cells once each, in order.

    Raises:
        ArtefactError: It does not.
    """
    if not np.array_equal(ids, np.arange(places.count)):
        raise ArtefactError(
            f"{path}: its {ids.size} cells are not the {places.count} of the run's grid; rerun its stage with the grid"
            " settings of this run"
        )


def _population(
    places: Cells,
    rank: NDArray[np.int64] | None,
    cells: pd.DataFrame,
    labels: pd.DataFrame,
    rule: RuleSettings,
    target: Target,
) -> Population:
    """Return the population; `cells` and `labels` hold a row for each cell of the run, in the order of their ids."""
    inputs = {name: cells[name].to_numpy() for name in rule_inputs(target, rule)}
    margins = limit_margins(inputs, rule, target)
    kept = np.isfinite(margins).all(axis=0)
    if rank is not None:
        kept &= rank > 0
    margin = margins[:, kept].min(axis=0)
    probability = labels["probability"].to_numpy(dtype=np.float64)[kept]
    by_probability = np.lexsort((-margin, -probability))
    (x_m, y_m), (lon_deg, lat_deg) = places.centres_m(), places.centres_lonlat()
    return Population(
        x_m=x_m[kept],
        y_m=y_m[kept],
        lon_deg=lon_deg[kept],
        lat_deg=lat_deg[kept],
        area_m2=places.true_area_m2()[kept],
        suitable=(labels["label"].to_numpy() == "suitable")[kept],
        margins=margins[:, kept],
        rank=None if rank is None else rank[kept],
        by_score=None if rank is None else np.argsort(rank[kept], kind="stable"),
        by_rule=np.argsort(-margin, kind="stable"),
        by_probability=by_probability[np.isfinite(probability[by_probability])],
        cells=places.count,
    )
