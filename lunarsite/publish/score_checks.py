"""What the charts and the report say of the score on held-out ground, out of the cross-validation's record and tables.

The record's table of models is read here and nowhere else in this room; nothing is computed from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd
from matplotlib.figure import Figure

from lunarsite.artefact import record, table
from lunarsite.artefact.contracts import CALIBRATION, CELLS, CROSSVALIDATION_RECORD, SCORES, SWEEPS
from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import ArtefactError, Stamp
from lunarsite.publish.charts import draw_dependence
from lunarsite.publish.score_charts import draw_blocks, draw_calibration, draw_sweeps

MODELS_TABLE: Final = "models"
HEADLINE: Final = "headline_block_km"
"""The metric with the side of the headline's blocks."""
_NEEDS: Final = ("model", "block_km", "auc", "average_precision", "base_rate", "ece_probability", "ece_label")


@dataclass(frozen=True)
class ScoreChecks:
    """The score's checks as its figures need them."""

    cells: pd.DataFrame
    scores: pd.DataFrame
    swept: pd.DataFrame
    bins: pd.DataFrame
    record: Record
    score_stamp: Stamp
    stamp: Stamp

    @classmethod
    def read(cls, cells: Path, scores: Path, sweeps: Path, calibration: Path, crossvalidation: Path) -> ScoreChecks:
        """Read the tables and the record.

        Raises:
            ArtefactError: A file breaks its contract, the record lacks a table or a column, or two files are of
                different cells or cross-validations.
        """
        score_table, score_stamp = table.read(scores, SCORES)
        known = {column.name for column in CELLS.columns}
        names = (str(name).removeprefix("shap_") for name in score_table.columns if str(name).startswith("shap_"))
        cell_table, _ = table.read(cells, CELLS, ["cell_id", *(name for name in names if name in known)])
        if not score_table["cell_id"].equals(cell_table["cell_id"]):
            raise ArtefactError(f"{scores}: lists other cells than {cells}; rerun score-train")
        swept, _ = table.read(sweeps, SWEEPS)
        bins, bin_stamp = table.read(calibration, CALIBRATION)
        judged, stamp = record.read(crossvalidation, CROSSVALIDATION_RECORD)
        if stamp.inputs != bin_stamp.inputs or stamp.settings_hash != bin_stamp.settings_hash:
            raise ArtefactError(
                f"{calibration}: comes from another cross-validation than {crossvalidation}; rerun score-crossvalidate"
            )
        measures(judged)
        return cls(cell_table, score_table, swept, bins, judged, score_stamp, stamp)

    @property
    def models(self) -> set[str]:
        """Names of the models that are compared."""
        return {str(row["model"]) for row in measures(self.record)}

    def calibration(self) -> Figure:
        """Draw the reliability curves on the headline's blocks."""
        return draw_calibration(self.bins, measures(self.record), headline_km(self.record), self.stamp)

    def blocks(self) -> Figure:
        """Draw AUC and average precision by block size."""
        return draw_blocks(measures(self.record), headline_km(self.record), self.stamp)

    def sweeps(self) -> Figure:
        """Draw the sweeps across the rule's limits."""
        return draw_sweeps(self.swept, self.score_stamp)

    def dependence(self) -> Figure:
        """Draw how SHAP values depend on the features' values."""
        limits = {str(name): float(rows["limit"].iloc[0]) for name, rows in self.swept.groupby("input")}
        return draw_dependence(self.scores, self.cells, limits, self.score_stamp)


def measures(found: Record) -> Sequence[Mapping[str, Any]]:
    """Return the rows by model and size of blocks.

    Raises:
        ArtefactError: The record lacks the table, or a row lacks a column.
    """
    if MODELS_TABLE not in found.tables:
        raise ArtefactError(f"the record '{found.title}' has no table '{MODELS_TABLE}'; rerun score-crossvalidate")
    for row in found.tables[MODELS_TABLE]:
        absent = [column for column in _NEEDS if column not in row]
        if absent:
            raise ArtefactError(
                f"the record '{found.title}': table '{MODELS_TABLE}' lacks {absent}; rerun score-crossvalidate"
            )
    return found.tables[MODELS_TABLE]


def headline_km(found: Record) -> float:
    """Return the side of the headline's blocks, km.

    Raises:
        ArtefactError: The record does not tell it.
    """
    for metric in found.metrics:
        if metric.name == HEADLINE and metric.value is not None:
            return metric.value
    raise ArtefactError(f"the record '{found.title}' has no metric '{HEADLINE}'; rerun score-crossvalidate")
