"""A user's list of places, such as sites that experts chose: a CSV table, checked row by row.

Every row counts or the file is refused: a list that lost rows in silence would be agreed with too easily. The module
must not know what the places are compared with.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lunarsite.artefact import ArtefactError
from lunarsite.grid import Pole

Floats = NDArray[np.float64]

MOST_BYTES = 16 * 2**20
"""Larger files are refused."""
MOST_PLACES = 5_000
"""Longer lists are refused: each of them is compared anew after every turn about the pole."""


@dataclass(frozen=True)
class PlaceTable:
    """Places by longitude (-180..180, east) and latitude, degrees, (n,), in the order of the file.

    `score` is NaN-free, (n,), larger is better, or None if the table has no such column. A place that the file lists
    several times stands once, with its best score; `repeated` counts the rows that were left out so.
    """

    lon_deg: Floats
    lat_deg: Floats
    score: Floats | None
    repeated: int = 0

    def __len__(self) -> int:
        return int(self.lon_deg.size)


def read_places(path: Path, field: str, pole: Pole = "south", *, scored: bool = False) -> PlaceTable:
    """Read a table of places.

    Args:
        path: CSV in UTF-8, separated by commas, with the columns lon (degrees east, -180..180 or 0..360) and lat
            (planetocentric degrees). Further columns are left alone.
        field: Name of the setting that names the file, for messages.
        pole: The pole whose hemisphere all places must lie in.
        scored: Whether a column 'score' is read, if there is one.

    Raises:
        ArtefactError: The file is missing, too large or no CSV, lacks a column, or a row is broken, holds what is no
            number or lies beyond its range or at the other pole. The message names file, line and what to mend.
    """
    rows: dict[tuple[float, float], float] = {}
    count = 0
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ArtefactError(
                f"{field}: {path}: has {size} bytes, at most {MOST_BYTES} are read; list the places alone"
            )
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            has_score = _columns(reader.fieldnames, field, path) and scored
            for row in reader:
                count += 1
                where = f"{field}: {path}, line {reader.line_num}"
                if count > MOST_PLACES:
                    raise ArtefactError(f"{where}: more than {MOST_PLACES} places; give the best of them")
                place, score = _row(row, where, pole, has_score=has_score)
                rows[place] = max(score, rows.get(place, -math.inf))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ArtefactError(
            f"{field}: {path}: is no readable CSV ({error}); give a table in UTF-8 with the columns lon and lat"
        ) from error
    if not rows:
        raise ArtefactError(f"{field}: {path}: lists no place; give rows of lon and lat, or name no file")
    lon_deg, lat_deg = np.array(list(rows), dtype=np.float64).T
    scores = np.array(list(rows.values())) if has_score else None
    return PlaceTable(lon_deg, lat_deg, scores, repeated=count - len(rows))


def _columns(names: object, field: str, path: Path) -> bool:
    """Refuse a header without lon and lat; return whether it has a score."""
    found = [str(name).strip() for name in names] if isinstance(names, list) else []
    wrong = [name for name in ("lon", "lat") if found.count(name) != 1] + ["score"] * (found.count("score") > 1)
    if wrong or (isinstance(names, list) and found != list(names)):
        raise ArtefactError(
            f"{field}: {path}: the first line must name the columns lon and lat once each, separated by commas and"
            f" without blanks; it names {found or 'nothing'}"
        )
    return "score" in found


def _row(
    row: dict[str | None, str | list[str] | None], where: str, pole: Pole, *, has_score: bool
) -> tuple[tuple[float, float], float]:
    """Return ((longitude, latitude), score) of one row; the score is 0 where there is none."""
    if None in row:
        raise ArtefactError(f"{where}: has more values than the first line has names; quote values that hold commas")
    lon, lat = _number(row["lon"], "lon", where), _number(row["lat"], "lat", where)
    if not -180.0 <= lon <= 360.0:
        raise ArtefactError(f"{where}: lon is {lon:g}, must lie within -180..180 or 0..360 degrees east")
    if not abs(lat) <= 90.0:
        raise ArtefactError(f"{where}: lat is {lat:g}, must lie within -90..90 degrees; are lon and lat exchanged?")
    if lat * (1.0 if pole == "north" else -1.0) <= 0.0:
        sign = "positive" if pole == "north" else "negative"
        raise ArtefactError(f"{where}: lat {lat:g} is not at the {pole} pole of this run, where latitudes are {sign}")
    score = _number(row["score"], "score", where) if has_score else 0.0
    return ((lon + 180.0) % 360.0 - 180.0, lat), score


def _number(text: object, column: str, where: str) -> float:
    try:
        value = float(str(text))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ArtefactError(f"{where}: {column} is {text!r}, must be a finite number in every row; fill or drop it")
    return value
