"""What is known of every cell that may become a site: the tables of the run, side by side under the sites' names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.artefact import ArtefactError, table
from lunarsite.artefact import record as records
from lunarsite.artefact.contracts import CELLS, CRITERIA, LABELS, LABELS_RECORD, SCORES
from lunarsite.settings import RuleSettings
from lunarsite.site.place.words import of_rule
from lunarsite.site.score.reasons import reasons

_LABELS = ("cell_id", "rule", "label", "probability", "slope_mean_deg", "slope_sigma_deg")
_CRITERIA = tuple(column.name for column in CRITERIA.columns if column.name not in ("lon", "lat"))
_ERRORS = ("light_sigma", "earth_sigma", "light_bias", "earth_bias")
_LIMITS = ("slope", "light", "earth")


@dataclass(frozen=True)
class Tables:
    """The run's tables, by cell id, and errors of light and Earth view, percent of time: one sigma, and the bias."""

    cells: pd.DataFrame
    labels: pd.DataFrame
    labels_path: Path
    criteria: pd.DataFrame
    scores: pd.DataFrame
    sigmas_pct: tuple[float, float]
    biases_pct: tuple[float, float]

    def facts(self, name: str, rule: RuleSettings) -> pd.DataFrame:
        """Return what is known of every cell under a rule, see `facts_of`.

        Raises:
            ArtefactError: There are no labels of that rule, or the tables do not list the same cells.
        """
        own = self.labels[self.labels["rule"] == name]
        if own.empty:
            raise ArtefactError(
                f"{self.labels_path}: has no labels of the rule '{name}', only of {sorted(set(self.labels['rule']))};"
                " rerun label-labels under the run's settings"
            )
        bare = own["probability"].notna() & own[["slope_mean_deg", "slope_sigma_deg"]].isna().any(axis=1)
        if bare.any():
            raise ArtefactError(
                f"{self.labels_path}: rule '{name}': {int(bare.sum())} cells have a probability, but no slope_mean_deg"
                " or slope_sigma_deg; rerun label-labels"
            )
        return facts_of(
            self.cells, _by_id(self.labels_path, own.drop(columns="rule")), self.criteria, self.scores, rule
        )

    def reasons(self, learned: RuleSettings, target: str, name: str) -> Callable[[int], tuple[list[str], list[str]]]:
        """Return what gives the reasons for and against a cell of the score that learned a rule.

        Args:
            learned: The rule that the score learned.
            target: Its name.
            name: Name of the rule that the sites are by; where it is another, the sentences say which is meant.
        """
        shap = self.scores.filter(regex="^shap_").rename(columns=lambda name: name.removeprefix("shap_"))
        features = self.cells[list(shap.columns)]

        def told(cell: int) -> tuple[list[str], list[str]]:
            speaking = reasons(_row(features, cell), _row(shap, cell), learned)
            return of_rule(speaking[0], target, name), of_rule(speaking[1], target, name)

        return told


def read_tables(cells: Path, labels: Path, labels_record: Path, criteria: Path, scores: Path, count: int) -> Tables:
    """Read the run's tables, given the number of cells of its grid.

    Raises:
        ArtefactError: One breaks its contract, the cells are not those of the grid, or the record of labels lacks an
            error or a bias of light or Earth view.
    """
    noted, _ = records.read(labels_record, LABELS_RECORD)
    errors = {
        metric.name: metric.value for metric in noted.metrics if metric.name in _ERRORS and metric.value is not None
    }
    lacking = [name for name in _ERRORS if name not in errors]
    if lacking:
        raise ArtefactError(f"{labels_record}: lacks a number for {', '.join(lacking)}; rerun label-labels")
    scored = pd.DataFrame(table.read(scores, SCORES)[0].drop(columns="geometry"))
    own = _by_id(cells, table.read(cells, CELLS, [column.name for column in CELLS.columns])[0])
    if len(own) != count:
        raise ArtefactError(f"{cells}: lists {len(own)} cells, the run's grid has {count}; rerun site-cells")
    return Tables(
        cells=own,
        labels=table.read(labels, LABELS, _LABELS)[0],
        labels_path=labels,
        criteria=_by_id(criteria, table.read(criteria, CRITERIA, _CRITERIA)[0]),
        scores=_by_id(scores, scored),
        sigmas_pct=(errors["light_sigma"], errors["earth_sigma"]),
        biases_pct=(errors["light_bias"], errors["earth_bias"]),
    )


def facts_of(
    cells: pd.DataFrame, labels: pd.DataFrame, criteria: pd.DataFrame, scores: pd.DataFrame, rule: RuleSettings
) -> pd.DataFrame:
    """Return a row per cell, by id: what the rule reads, its verdict and probability, score and criteria.

    The columns are named as those of the sites; `slope_mean_deg` and `slope_sigma_deg` over the clones follow.

    Raises:
        ArtefactError: The tables do not list the same cells.
    """
    for name, other in (("labels", labels), ("criteria", criteria), ("scores", scores)):
        if not other.index.equals(cells.index):
            raise ArtefactError(
                f"{name}: lists {len(other)} cells, the run's cells are {len(cells)}; rerun its stage on these cells"
            )
    slope = cells["buffered_slope_deg"] if rule.slope_buffer_m > 0.0 else cells["slope_mean"]
    own = pd.DataFrame(
        {
            "slope_deg": slope,
            "illumination_pct": cells["avg_illumination_pct"],
            "earth_visibility_pct": cells["earth_visibility_pct"],
            "score": scores["score"],
        }
    )
    return pd.concat([labels, own, criteria], axis=1)


def failing(facts: pd.DataFrame, rule: RuleSettings) -> dict[str, NDArray[np.bool_]]:
    """Return for each limit of the rule which cells fail it; unknown inputs fail none."""
    inputs = (
        facts["slope_deg"] > rule.max_slope_deg,
        facts["illumination_pct"] < rule.min_illumination_pct,
        facts["earth_visibility_pct"] < rule.min_earth_visibility_pct,
    )
    return {name: failed.to_numpy(dtype=bool) for name, failed in zip(_LIMITS, inputs, strict=True)}


def _row(frame: pd.DataFrame, cell: int) -> dict[str, float]:
    values = frame.iloc[cell].to_numpy(np.float64, na_value=np.nan)
    return {str(name): float(value) for name, value in zip(frame.columns, values, strict=True)}


def _by_id(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    found = frame.set_index("cell_id")
    if not np.array_equal(found.index.to_numpy(), np.arange(len(found))):
        raise ArtefactError(f"{path}: does not list cells 0, 1, 2, ... in order; rerun the stage that writes it")
    return found
