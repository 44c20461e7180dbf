"""The tables of the record that are drawn and told of, checked when the record is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lunarsite.artefact import record
from lunarsite.artefact.contracts import ROCK_RECORD
from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import ArtefactError, Stamp
from lunarsite.publish.rock.looks import GROUPS, PHOTOGRAPHS, in_order
from lunarsite.publish.words import number_words

Row = Mapping[str, Any]
"""A row of a table of the record."""

SEGMENTATION: Final = "segmentation"
CALIBRATION: Final = "calibration"
RELIABILITY: Final = "reliability"
RELIABILITY_BY_CLASS: Final = "reliability_by_class"
UNFAMILIARITY: Final = "unfamiliarity"
DETECTION: Final = "out_of_distribution"
RISK: Final = "risk_coverage"
RISK_OF_IMAGES: Final = "risk_coverage_images"
SIZES: Final = "sizes"
ROCK_AREA: Final = "rock_area"
ABLATION: Final = "ablation"
SEEDS: Final = "seeds"
LIMIT: Final = "unfamiliarity_limit"
"""A metric: what an image's unfamiliarity must not exceed."""


def with_interval(row: Row, name: str) -> str:
    """Return a number of a row in words, with its 95 % interval where it has one."""
    if row[name] is None:
        return "unknown"
    value = number_words(row[name])
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    return value if low is None or high is None else f"{value} (95 %: {number_words(low)} to {number_words(high)})"


def _with_ends(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}{end}" for name in names for end in ("", "_low", "_high"))


QUANTILES: Final = ("q05", "q25", "q50", "q75", "q95")
_NEEDS: Final[dict[str, tuple[str, ...]]] = {
    SEGMENTATION: ("group", "method", "kind", "class", "scenes", "images", *_with_ends("iou", "boundary_f1")),
    CALIBRATION: ("group", "method", "kind", *_with_ends("ece")),
    RELIABILITY: ("group", "method", "confidence", "accuracy", "share"),
    UNFAMILIARITY: ("images", "statistic", "count", "not_judged", *QUANTILES, "flagged_share"),
    DETECTION: ("images", "statistic", "against", "count", *_with_ends("auroc")),
    RISK: ("group", "statistic", "handed_over", *_with_ends("error")),
    RISK_OF_IMAGES: ("group", "statistic", "handed_over", *_with_ends("error")),
    SIZES: ("diameter_m", "truth_per_m2", *_with_ends("found_per_m2")),
    ROCK_AREA: ("group", "scene", "truth_share", "share", "share_low", "share_high"),
}
_NEEDS_IF_THERE: Final[dict[str, tuple[str, ...]]] = {
    RELIABILITY_BY_CLASS: ("group", "method", "class", "confidence", "accuracy", "share"),
    ABLATION: (
        "variant",
        "adds",
        "seeds",
        "chosen",
        "photograph_scenes",
        *_with_ends("photograph_miou", "render_miou"),
    ),
    SEEDS: ("variant", "photographs_miou", "renders_miou"),
}
"""Of tables that not every record has: those of the ablation only a run that trains its variants."""


@dataclass(frozen=True)
class Measured:
    """The record of the validation of rocks."""

    record: Record
    stamp: Stamp

    @classmethod
    def read(cls, path: Path) -> Measured:
        """Read the record.

        Raises:
            ArtefactError: It breaks its contract, or lacks a table or a column that is drawn.
        """
        found, stamp = record.read(path, ROCK_RECORD)
        return cls.checked(found, stamp)

    @classmethod
    def checked(cls, found: Record, stamp: Stamp) -> Measured:
        """Return a record whose tables have what is drawn of them.

        Raises:
            ArtefactError: A table or a column is absent.
        """
        lacking = [name for name in _NEEDS if name not in found.tables]
        if lacking:
            raise ArtefactError(f"the record '{found.title}' has no table '{lacking[0]}'; rerun validate-rock")
        there = {name: columns for name, columns in _NEEDS_IF_THERE.items() if name in found.tables}
        for name, columns in {**_NEEDS, **there}.items():
            absent = sorted({column for row in found.tables[name] for column in columns if column not in row})
            if absent:
                raise ArtefactError(f"the record '{found.title}': table '{name}' lacks {absent}; rerun validate-rock")
        return cls(found, stamp)

    @property
    def synthetic(self) -> bool:
        """Whether any of it goes back to the synthetic Moon or to rendered rocks."""
        return self.stamp.origin == "synthetic"

    @property
    def photographs(self) -> bool:
        """Whether photographs are among the images."""
        return PHOTOGRAPHS in self.groups(SEGMENTATION)

    def rows(self, table: str, **where: object) -> Sequence[Row]:
        """Return the rows of a table in which each of these columns has its value."""
        return [
            row for row in self.record.tables[table] if all(row[column] == value for column, value in where.items())
        ]

    def optional(self, table: str) -> Sequence[Row]:
        """Return the rows of a table that only some runs have; none where it is absent."""
        return self.record.tables.get(table, [])

    def groups(self, table: str) -> list[str]:
        """Return the groups of images that a table tells of, in their order."""
        return in_order((str(row["group"]) for row in self.record.tables[table]), GROUPS)

    @property
    def limit(self) -> float | None:
        """Return what an image's unfamiliarity must not exceed; None where the record does not say."""
        return next((metric.value for metric in self.record.metrics if metric.name == LIMIT), None)
