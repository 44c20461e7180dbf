"""Records: JSON files of metrics and verdicts, each with its bound and the reason for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError, model_validator

from lunarsite.artefact.atomic import replacing
from lunarsite.artefact.stamp import ArtefactError, Stamp, parse_stamp


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Metric(_Entry):
    """A measured number. `value` is None where it could not be measured; `why` then says what was missing."""

    name: str
    value: float | None
    unit: str = ""
    low: float | None = None
    """Lower end of its 95 % interval, if one was computed."""
    high: float | None = None
    why: str = ""


class Verdict(_Entry):
    """A claim that could fail: a value against a bound. `holds` is None where the value is unknown."""

    name: str
    value: float | None
    unit: str = ""
    bound: str
    """The bound in words and numbers, such as '<= 0.05'."""
    holds: bool | None
    why: str
    """What the claim rests on and why the bound is where it is."""

    @model_validator(mode="after")
    def _unknown_is_unknown(self) -> Self:
        if (self.value is None) != (self.holds is None):
            raise ValueError(f"verdict '{self.name}': value and holds are both given or both unknown")
        return self


class Record(_Entry):
    """Metrics and verdicts of one validation, with tables and notes for the report."""

    title: str
    metrics: tuple[Metric, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    tables: dict[str, list[dict[str, JsonValue]]] = {}
    """Named tables as lists of rows."""
    notes: tuple[str, ...] = ()
    """Plain sentences that a reader needs to judge the numbers."""

    def metric(self, name: str) -> float | None:
        """Return the value of the metric of that name; KeyError if there is none."""
        return next_named(self.metrics, name).value


def next_named(entries: tuple[Metric, ...], name: str) -> Metric:
    """Return the entry of that name; KeyError if there is none."""
    for entry in entries:
        if entry.name == name:
            return entry
    raise KeyError(name)


class RecordSpec(BaseModel):
    """Contract of a record: its name and the metrics that it must hold."""

    model_config = ConfigDict(frozen=True)

    name: str
    metrics: tuple[str, ...] = ()


def write(path: Path, spec: RecordSpec, record: Record, stamp: Stamp) -> None:
    """Write a record with its stamp as JSON."""
    _check(path, spec, record)
    values = {"stamp": stamp.model_dump(mode="json"), **record.model_dump(mode="json")}
    with replacing(path) as partial:
        partial.write_text(json.dumps(values, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def read(path: Path, spec: RecordSpec) -> tuple[Record, Stamp]:
    """Return a record and its stamp.

    Raises:
        ArtefactError: It is missing, truncated or breaks the contract.
    """
    values, stamp = _load(path, spec.name)
    try:
        record = Record.model_validate({key: value for key, value in values.items() if key != "stamp"})
    except ValidationError as error:
        raise ArtefactError(f"{path}: is no record ({error}); rerun the stage that writes it") from error
    _check(path, spec, record)
    return record, stamp


def validate(path: Path, spec: RecordSpec) -> None:
    """Read the record once and refuse what breaks the contract."""
    read(path, spec)


def read_stamp(path: Path) -> Stamp:
    """Return the stamp of any record."""
    return _load(path, None)[1]


def _load(path: Path, name: str | None) -> tuple[dict[str, Any], Stamp]:
    if not path.exists():
        raise ArtefactError(f"{path}: does not exist; run the stage that writes it first")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ArtefactError(f"{path}: is no readable JSON ({error}); rerun the stage that writes it") from error
    stamp = values.get("stamp") if isinstance(values, dict) else None
    return values, parse_stamp(json.dumps(stamp) if stamp else None, path, name)


def _check(path: Path, spec: RecordSpec, record: Record) -> None:
    names = {metric.name for metric in record.metrics}
    absent = [name for name in spec.metrics if name not in names]
    if absent:
        raise ArtefactError(f"{path}: record '{spec.name}' lacks the metrics {absent}")
