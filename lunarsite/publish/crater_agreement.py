"""What the charts and the report say of detected craters against the catalogue, out of the validation's record.

The record's tables are read here and nowhere else in this room; nothing is computed from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd
from matplotlib.figure import Figure

from lunarsite.artefact import record, table
from lunarsite.artefact.contracts import CRATER_CURVE, CRATER_RECORD
from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import ArtefactError, Stamp
from lunarsite.publish.crater_charts import Bins, draw_curve, draw_recall, draw_reliability

HEADLINE: Final = "test"
"""The split that is measured and nothing else."""
GROUND: Final = "on the test ground (crater.split)"
_RATES = ("precision", "recall", "f1")
_NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "headline": (
        "detector",
        "split",
        "least_diameter_m",
        *_RATES,
        *(f"{r}_{e}" for r in _RATES for e in ("low", "high")),
    ),
    "reliability": ("split", "score", "precision", "precision_low", "precision_high", "detections"),
    "by_diameter": ("split", "diameter", "craters", *(f"{r}{e}" for r in _RATES[:2] for e in ("", "_low", "_high"))),
    "gains": ("over", "least_diameter_m", "gain_f1", "gain_f1_low", "gain_f1_high"),
    "losses": ("least_diameter_m", "doubt", "share_of_misses"),
    "by_depth": ("split", "depth_ratio", "craters", "recall", "recall_low", "recall_high"),
}
"""Tables of the record and the columns that are read of them."""


@dataclass(frozen=True)
class Agreement:
    """The record of the validation with its curves."""

    record: Record
    curves: pd.DataFrame
    stamp: Stamp

    @classmethod
    def read(cls, found: Path, curve: Path) -> Agreement:
        """Read a record and its curves.

        Raises:
            ArtefactError: A file breaks its contract, the record lacks a table or a column, or the two are of
                different comparisons.
        """
        judged, stamp = record.read(found, CRATER_RECORD)
        curves, curve_stamp = table.read(curve, CRATER_CURVE)
        if stamp.inputs != curve_stamp.inputs or stamp.settings_hash != curve_stamp.settings_hash:
            raise ArtefactError(f"{curve}: comes from another comparison than {found}; rerun validate-crater")
        for name in _NEEDS:
            rows(judged, name)
        return cls(judged, curves, stamp)

    def curve(self) -> Figure:
        """Draw precision against recall on the measured ground."""
        shown = self.curves[self.curves["split"] == HEADLINE]
        return draw_curve(shown, rows(self.record, "headline"), GROUND, self.stamp)

    def reliability(self) -> Figure:
        """Draw score against precision on the measured ground."""
        return draw_reliability(rows(self.record, "reliability"), GROUND, self.stamp)

    def recall(self) -> Figure:
        """Draw recall by diameter and by depth over diameter on the measured ground."""
        sizes, depths = rows(self.record, "by_diameter"), rows(self.record, "by_depth")
        panels = (
            Bins("By size", "Diameter (km)", "diameter", sizes, ("recall", "precision")),
            Bins("By depth", "Depth over diameter, in the catalogue", "depth_ratio", depths, ("recall",)),
        )
        return draw_recall(panels, GROUND, self.stamp)


def rows(found: Record, name: str, split: str = HEADLINE) -> Sequence[Mapping[str, Any]]:
    """Return the rows of a table of the record, of one split where it tells splits apart.

    Raises:
        ArtefactError: The record lacks the table, or a row lacks a column.
    """
    if name not in found.tables:
        raise ArtefactError(f"the record '{found.title}' has no table '{name}'; rerun validate-crater")
    for row in found.tables[name]:
        absent = [column for column in _NEEDS[name] if column not in row]
        if absent:
            raise ArtefactError(f"the record '{found.title}': table '{name}' lacks {absent}; rerun validate-crater")
    return [row for row in found.tables[name] if row.get("split", split) == split]
