"""Named features of the lunar south pole, read from the table of small facts `resources/named_features.csv`.

Craters are built into the synthetic Moon where they are on the real one; massifs, ridges, rims, peaks, plateaus and
plains are its good ground, known by construction. This module must not know how terrain is made.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from lunarsite.artefact import ArtefactError

CRATER = "crater"
BASIN = "basin"
HIGH_GROUND = frozenset({"massif", "plateau", "rim", "peak", "ridge", "plain"})
_KINDS = HIGH_GROUND | {CRATER, BASIN}
_COLUMNS = ("name", "kind", "lat_deg", "lon_deg", "diameter_m", "relief_m", "source")


class FeatureError(ArtefactError):
    """A table of named features that cannot be used; the message names file, line and field."""


@dataclass(frozen=True)
class Feature:
    """One named feature.

    `diameter_m` is the rim-to-rim diameter of a crater or basin, or the width of the gentle summit of high ground;
    `relief_m` the rim-to-floor depth of a crater, the step of a basin, or the summit's height over its surroundings.
    """

    name: str
    kind: str
    lat_deg: float
    lon_deg: float
    diameter_m: float
    relief_m: float
    source: str


def read_features(path: Path) -> tuple[Feature, ...]:
    """Read named features in the order of the file.

    Raises:
        FeatureError: A column is missing, or a value is out of its range or unknown.
    """
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = [column for column in _COLUMNS if column not in (reader.fieldnames or [])]
        if missing:
            raise FeatureError(f"{path}: column {missing[0]!r} is missing; the columns are {', '.join(_COLUMNS)}")
        return tuple(_feature(row, f"{path}, line {line}") for line, row in enumerate(reader, start=2))


def _feature(row: dict[str, str], where: str) -> Feature:
    numbers = {column: _number(row, column, where) for column in ("lat_deg", "lon_deg", "diameter_m", "relief_m")}
    if row["kind"] not in _KINDS:
        raise FeatureError(
            f"{where}: kind {row['kind']!r} is unknown; it is one of crater, basin, {sorted(HIGH_GROUND)}"
        )
    if not -90.0 <= numbers["lat_deg"] <= 90.0:
        raise FeatureError(f"{where}: lat_deg {numbers['lat_deg']:g} is not within -90..90")
    if not -180.0 <= numbers["lon_deg"] <= 180.0:
        raise FeatureError(f"{where}: lon_deg {numbers['lon_deg']:g} is not within -180..180")
    if numbers["diameter_m"] <= 0 or numbers["relief_m"] <= 0:
        raise FeatureError(f"{where}: diameter_m and relief_m must be positive")
    return Feature(name=row["name"], kind=row["kind"], source=row["source"], **numbers)


def _number(row: dict[str, str], column: str, where: str) -> float:
    try:
        value = float(row[column])
    except (TypeError, ValueError) as error:
        raise FeatureError(f"{where}: {column} {row[column]!r} is no number") from error
    if not math.isfinite(value):
        raise FeatureError(f"{where}: {column} {row[column]!r} is not finite")
    return value
