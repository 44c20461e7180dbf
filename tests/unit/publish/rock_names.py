"""What a record of rocks has no words for when the report prints it."""

from __future__ import annotations

from lunarsite.artefact.record import Record
from lunarsite.publish import record_words
from lunarsite.publish.sections import column_words

PRINTED_ELSEWHERE = ("history",)
"""Tables whose columns are no part of the report."""


def without_words(told: Record) -> list[str]:
    """Return the metrics, tables, columns and verdicts of a record printed by their names for programs."""
    headings = column_words("rocks", "cassa")
    captions = record_words.SECTION_CAPTIONS["rocks"]
    left_out = record_words.LEFT_OUT["rocks"]
    missing = [f"metric {one.name}" for one in told.metrics if one.name not in record_words.METRIC_WORDS]
    missing += [f"verdict {one.name}" for one in told.verdicts if "_" in one.name or " " not in one.name]
    for table, rows in told.tables.items():
        if table in left_out:
            continue
        if table not in captions:
            missing.append(f"table {table}")
        keys = {key for row in rows for key in row} - record_words.HIDDEN
        ends = {f"{key}_{end}" for key in keys for end in ("low", "high")}
        if table not in PRINTED_ELSEWHERE:
            missing += sorted(f"column {table}.{key}" for key in keys - ends if key not in headings)
    return missing
