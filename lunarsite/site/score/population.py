"""Who the scorer learns from: cells whose inputs of the rule are known, what describes them, and what is learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.artefact.contracts import CELLS, REFERENCE_COLUMNS
from lunarsite.settings import RuleSettings
from lunarsite.site.rules import rule_inputs
from lunarsite.site.score.families import CRATERS

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]

REFERENCE_FEATURES = REFERENCE_COLUMNS[5:]
"""The 24 features of the reference system: all of its columns but the cell's id and place."""
FEATURES = (
    *REFERENCE_FEATURES,
    *(column.name for column in CELLS.columns if column.name.startswith("crater_") and "_5km" in column.name),
)
"""The features: those of the reference system and what craters lie within 5 km."""


class ScorerError(ValueError):
    """Cells from which no scorer can be learned."""


@dataclass(frozen=True)
class Population:
    """The cells of which a scorer is made.

    Attributes:
        known: Which of all cells have a probability to learn, (cells,).
        probability: The probability that each known cell keeps the rule, (known,), 0 to 1.
        suitable: Which of the known cells pass the hard rule, (known,).
        inputs: The three columns that the rule reads, of the known cells, (known, 3): slope, light, Earth view.
        features: Features of the known cells, (known, features), float32; NaN is unknown.
        left_out: Features that hold no value because the run has no crater to describe.
        craters_unknown: Known cells about which the catalogue tells nothing; the trees have them all the same.
    """

    known: Bools
    probability: Floats
    suitable: Bools
    inputs: pd.DataFrame
    features: pd.DataFrame
    left_out: tuple[str, ...]
    craters_unknown: int

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        """The rule's inputs by name, as the rules take them."""
        return {str(name): self.inputs[name].to_numpy() for name in self.inputs.columns}

    @property
    def names(self) -> list[str]:
        """Names of the features, in order."""
        return [str(name) for name in self.features.columns]


def population(cells: pd.DataFrame, labels: pd.DataFrame, target: str, rule: RuleSettings) -> Population:
    """Return the cells to learn from.

    Args:
        cells: The table of cells.
        labels: The table of labels.
        target: Name of the rule to learn.
        rule: Its limits.

    Raises:
        ScorerError: The labels lack the rule, are of other cells or contradict them, a feature holds no value at all,
            or no cell passes the rule, or none fails it.
    """
    rows = labels[labels["rule"] == target]
    if rows.empty:
        raise ScorerError(f"the labels hold no rule '{target}', only {sorted(set(labels['rule']))}; rerun label-labels")
    if not np.array_equal(rows["cell_id"], cells["cell_id"]):
        raise ScorerError(f"the labels of '{target}' are of other cells ({len(rows)}, not {len(cells)}); rerun them")
    probability = rows["probability"].to_numpy(dtype=np.float32)
    known = ~np.isnan(probability)
    columns = list(rule_inputs(target, rule))
    inputs = cells.loc[known, columns]
    if inputs.isna().any(axis=None):
        missing = int(inputs.isna().any(axis=1).sum())
        raise ScorerError(f"{missing} cells have a probability but lack one of {columns}; rerun label-labels")
    names = list(FEATURES)
    if columns[0] not in names and not cells[columns[0]].equals(cells["slope_mean"].rename(columns[0])):
        names.append(columns[0])
    empty = [name for name in names if cells[name][known].isna().all()]
    if empty and known.any() and set(empty) <= set(CRATERS.features):
        names = [name for name in names if name not in empty]
    elif empty:
        raise ScorerError(
            f"the columns {empty} hold no value in any cell whose inputs of the rule '{target}' are known"
            f" ({known.sum()} of {known.size}); look at the stages that feed them"
        )
    suitable = rows["label"].to_numpy()[known] == "suitable"
    counts = f"{suitable.sum()} pass and {(~suitable).sum()} fail of {known.size} cells"
    if not suitable.any():
        raise ScorerError(
            f"no cell passes the rule '{target}' ({counts}), so there is nothing to learn: relax site.rules.{target}"
            " or look at slope, light and Earth view"
        )
    if suitable.all():
        raise ScorerError(f"every known cell passes the rule '{target}' ({counts}): tighten site.rules.{target}")
    features = cells.loc[known, names].astype(np.float32)
    unknown_craters = int(cells.loc[known, "crater_count_5km"].isna().sum())
    return Population(known, probability[known], suitable, inputs, features, tuple(empty), unknown_craters)
