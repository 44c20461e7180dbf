"""The table of labels: for each rule and cell the hard label, its probability and the clones' slope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.artefact.contracts import LABELS
from lunarsite.settings import RulesSettings
from lunarsite.site.label.clones import CloneSums, SlopeLimits
from lunarsite.site.label.probability import ShareError, share_at_least
from lunarsite.site.rules import labels, missing_inputs, rule_inputs, slope_column

Floats = NDArray[np.float64]

CELL_COLUMNS = (
    "cell_id",
    "slope_mean",
    "buffered_slope_deg",
    "avg_illumination_pct",
    "earth_visibility_pct",
    "label_cassa",
    "label_hls",
)
"""The columns of the cells that labels need."""

_SAME_SLOPE_DEG = 1e-3


class LabelError(ValueError):
    """Cells and clones that do not belong together."""


@dataclass(frozen=True)
class Errors:
    """Errors of the cells' sunlight and Earth view."""

    light: ShareError
    earth: ShareError

    def used(self, remove_bias: bool) -> Errors:
        """Return these errors, or if biases are to stay, those that biases widen instead of being taken off."""
        return self if remove_bias else Errors(self.light.widened(), self.earth.widened())


def joined(parts: Sequence[CloneSums], cells: int) -> CloneSums:
    """Return the sums of all shards in the order of the cells' ids.

    Raises:
        LabelError: Together they do not hold every cell once.
    """
    arrays = {name: np.concatenate([part.arrays()[name] for part in parts], axis=-1) for name in parts[0].arrays()}
    order = np.argsort(arrays["cell_id"], kind="stable")
    if not np.array_equal(arrays["cell_id"][order], np.arange(cells)):
        raise LabelError(f"the shards of clones hold {order.size} cells, not each of the {cells} once")
    return CloneSums(**{name: values[..., order] for name, values in arrays.items()})


def label_table(
    cells: pd.DataFrame, rules: RulesSettings, limits: SlopeLimits, clones: CloneSums, draws: int, errors: Errors
) -> pd.DataFrame:
    """Return the table of labels as its contract has it.

    Args:
        cells: The table of cells, in the order of their ids.
        rules: The rules.
        limits: Which slope each rule reads.
        clones: What the clones say of each cell, in the order of their ids.
        draws: Number of clones.
        errors: Errors of light and Earth view.

    Raises:
        LabelError: The cells were made from other slopes or under other rules.
    """
    parts = {name: _rule_columns(name, cells, rules, limits, clones, draws, errors) for name in sorted(rules.named())}
    frames = [pd.DataFrame({"cell_id": cells["cell_id"].to_numpy(), "rule": name} | parts[name]) for name in parts]
    whole = pd.concat(frames, ignore_index=True)
    kinds = {column.name: column.dtype for column in LABELS.columns if column.dtype.startswith("float")}
    return whole[[column.name for column in LABELS.columns]].astype(kinds)


def _rule_columns(
    name: str,
    cells: pd.DataFrame,
    rules: RulesSettings,
    limits: SlopeLimits,
    clones: CloneSums,
    draws: int,
    errors: Errors,
) -> dict[str, NDArray[Any]]:
    rule, index = rules.named()[name], limits.rules.index(name)
    columns = {column: cells[column].to_numpy() for column in rule_inputs(name, rule)}
    slope, light, earth = rule_inputs(name, rule)
    read = limits.reads[index]
    _check_slopes(columns[slope], clones.map_deg[read], slope_column(name, rule))
    label = labels(columns, rule, name)
    _check_labels(cells, name, label)
    # The share of clones is of the cell's slope alone; the other two factors are exact.
    probability = clones.passing[index] / draws
    probability = probability * share_at_least(columns[light], rule.min_illumination_pct, errors.light)
    probability = probability * share_at_least(columns[earth], rule.min_earth_visibility_pct, errors.earth)
    probability[label == "unknown"] = np.nan
    shift_deg = clones.shift_deg[read] / draws
    variance = np.maximum(clones.squares_deg2[read] - draws * shift_deg**2, 0.0) / (draws - 1)
    return {
        "label": label,
        "probability": probability,
        "slope_mean_deg": clones.map_deg[read] + shift_deg,
        "slope_sigma_deg": np.sqrt(variance),
        "unknown_because": missing_inputs(columns, rule, name),
    }


def _check_slopes(cells_deg: NDArray[Any], clones_deg: Floats, column: str) -> None:
    """Refuse cells whose slopes are not those of the elevation model that was cloned."""
    unlike = np.isnan(cells_deg) != np.isnan(clones_deg)
    unlike |= np.abs(np.nan_to_num(cells_deg) - np.nan_to_num(clones_deg)) > _SAME_SLOPE_DEG
    if unlike.any():
        raise LabelError(
            f"'{column}' of {int(unlike.sum())} cells is not the slope of the elevation model that was cloned; both"
            " must come from one model"
        )


def _check_labels(cells: pd.DataFrame, name: str, label: NDArray[np.object_]) -> None:
    """Refuse cells whose own labels say something else: they were made under other rules."""
    column = f"label_{name}"
    unlike = int((cells[column].to_numpy(dtype=object) != label).sum()) if column in cells else 0
    if unlike:
        raise LabelError(f"'{column}' of {unlike} cells is not what the rule '{name}' gives; were the limits changed?")
