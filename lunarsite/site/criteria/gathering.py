"""The table of criteria: one row for each cell, one column for each criterion, NaN where it is unknown.

This module must not know files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.artefact.contracts import CRITERIA
from lunarsite.grid import Cells
from lunarsite.site.criteria.ground import UNKNOWN

Columns = dict[str, NDArray[Any]]

IDENTITY = ("cell_id", "lon", "lat")
RELIEF_COLUMNS = {
    "pixel_m": "relief_pixel_m",
    "p95_slope_deg": "relief_p95_slope_deg",
    "steep_share": "relief_steep_share",
    "step_m": "relief_step_m",
}
"""Columns of the table of relief and what they are called here."""


class GatheringError(ValueError):
    """Tables that do not speak of the same cells; the message names the column at fault."""


def check_cells(frame: pd.DataFrame, cells: Cells) -> None:
    """Refuse a table that does not hold exactly the kept cells, in order.

    Raises:
        GatheringError: It has other cells.
    """
    if not np.array_equal(frame["cell_id"].to_numpy(), np.arange(cells.count)):
        raise GatheringError(
            f"'cell_id' has {len(frame)} values from {frame['cell_id'].min()} to {frame['cell_id'].max()}, the grid of"
            f" the settings has cells 0 to {cells.count - 1}; rerun its stage with this run's grid"
        )


def probabilities(labels: pd.DataFrame, rule: str, cells: Cells) -> NDArray[np.float32]:
    """Return the probability of each cell to meet a rule, (count,); NaN where unknown.

    Raises:
        GatheringError: The labels lack the rule or are of other cells.
    """
    own = labels[labels["rule"] == rule]
    if own.empty:
        raise GatheringError(
            f"'rule' holds {sorted(labels['rule'].unique())}, not site.scorer.target ('{rule}'); rerun label-labels"
        )
    check_cells(own, cells)
    return own["probability"].to_numpy(np.float32)


def relief_columns(relief: pd.DataFrame, cells: Cells) -> Columns:
    """Return the columns of relief for all cells, NaN where no finer elevation model covers the cell.

    Raises:
        GatheringError: The relief is of cells that the grid does not have.
    """
    at = relief["cell_id"].to_numpy()
    if at.size and (at.min() < 0 or at.max() >= cells.count):
        raise GatheringError(
            f"'cell_id' reaches from {at.min()} to {at.max()}, the grid of the settings has cells 0 to"
            f" {cells.count - 1}; rerun terrain-relief with this run's grid"
        )
    found: Columns = {}
    for theirs, ours in RELIEF_COLUMNS.items():
        found[ours] = np.full(cells.count, np.nan, dtype=np.float32)
        found[ours][at] = relief[theirs].to_numpy(np.float32)
    return found


def build_criteria(columns: Mapping[str, NDArray[Any]], cells: Cells) -> gpd.GeoDataFrame:
    """Return the table as its contract CRITERIA has it; a criterion that is not given is unknown everywhere.

    Raises:
        GatheringError: A column is none of the contract's.
    """
    foreign = sorted(set(columns) - {column.name for column in CRITERIA.columns[len(IDENTITY) :]})
    if foreign:
        raise GatheringError(f"{foreign} are no criteria of the contract '{CRITERIA.name}'")
    lon_deg, lat_deg = cells.centres_lonlat()
    whole: Columns = {"cell_id": np.arange(cells.count), "lon": lon_deg, "lat": lat_deg}
    for column in CRITERIA.columns[len(IDENTITY) :]:
        if column.name in columns:
            values = np.asarray(columns[column.name])
            whole[column.name] = values if column.dtype == "string" else values.astype(column.dtype)
        elif column.dtype == "string":
            whole[column.name] = np.full(cells.count, UNKNOWN)
        else:
            whole[column.name] = np.full(cells.count, np.nan, dtype=column.dtype)
    x_m, y_m = cells.centres_m()
    return gpd.GeoDataFrame(pd.DataFrame(whole), geometry=gpd.points_from_xy(x_m, y_m))
