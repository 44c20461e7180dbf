"""A crater catalogue: a table of text, checked row by row.

This module must not know what the craters are compared with.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.grid import Grid, lonlat_to_xy
from lunarsite.settings import CatalogueColumns
from lunarsite.source.kinds import LocalError, check_lines

_LONGITUDES = {"-180..180": (-180.0, 180.0), "0..360": (0.0, 360.0)}
_UNITS = {"m": 1.0, "km": 1000.0}
_LINE = "line"
_LARGEST_M = 3e6
_DEEPEST_M = 15_000.0
_LEAST_PIXELS = 2.0
_MOST_COVERS = 20.0
"""Saturated ground is covered about once by each octave of diameters."""


@dataclass(frozen=True)
class Declared:
    """What a catalogue is declared to be; nothing of it is guessed from the values.

    Args:
        where: What names the file, and the file, for messages.
        columns: Names of its columns.
        lon: Range of its longitudes, degrees east.
        diameter_unit_m: Metres in the unit of its diameters.
        depth_unit_m: Metres in the unit of its depths.
        mend_lon: What to do about a longitude beyond its range, for messages.
        mend_unit: What to do about a diameter that cannot be in its unit.
    """

    where: str
    columns: CatalogueColumns
    lon: tuple[float, float]
    diameter_unit_m: float
    depth_unit_m: float
    mend_lon: str
    mend_unit: str


def read_craters(
    path: Path,
    grid: Grid,
    field: str,
    *,
    lon: Literal["-180..180", "0..360"] = "-180..180",
    unit: Literal["m", "km"] = "m",
    columns: CatalogueColumns | None = None,
) -> pd.DataFrame:
    """Read a user's crater catalogue.

    How it counts longitude and which unit it has are declared. A catalogue that contradicts what is declared is
    refused, not reinterpreted.

    Args:
        path: CSV with columns for longitude (east), latitude, diameter and, if wanted, depth (0 or empty: not
            measured), id and name.
        grid: Craters whose centre lies on it are kept.
        field: Name of the setting that names the file, for messages; `<field>_lon` and so on are named beside it.
        lon: Range of its longitudes, degrees.
        unit: Unit of its diameters and depths.
        columns: Names of its columns.

    Returns:
        id, name, lon_deg (-180..180), lat_deg, x_m, y_m, diameter_m, depth_m (NaN where not measured), by ascending id;
        the index counts from 0. `attrs['read']` is the number of rows in the file.

    Raises:
        LocalError: There is no crater in it or none on the grid, a column is missing, a value is no number or out of
            range, ids repeat, or the diameters cannot be in the declared unit.
    """
    names = columns or CatalogueColumns()
    raw = _read_table(path, field, names)
    other_lon = next(name for name in _LONGITUDES if name != lon)
    other_unit = next(name for name in _UNITS if name != unit)
    declared = Declared(
        f"{field}: {path}",
        names,
        _LONGITUDES[lon],
        _UNITS[unit],
        _UNITS[unit],
        f"if it counts {other_lon}, set {field}_lon: {other_lon}",
        f"if it is in {other_unit}, set {field}_unit: {other_unit}",
    )
    return gathered([on_grid(raw, grid, declared)], grid, declared, len(raw))


def on_grid(raw: pd.DataFrame, grid: Grid, declared: Declared) -> pd.DataFrame:
    """Return those rows of a table of text whose craters lie on the grid, all rows checked.

    Args:
        raw: Text, (rows, columns); the index counts the file's rows from 0.
        grid: Craters whose centre lies on it are kept.
        declared: What the columns are.

    Raises:
        LocalError: A value is no number or out of range.
    """
    names, where = declared.columns, declared.where
    lon_deg = _column(raw, names.lon, where, *declared.lon, mend=declared.mend_lon)
    lat_deg = _column(raw, names.lat, where, -90.0, 90.0)
    unit_m, mend = declared.diameter_unit_m, declared.mend_unit
    diameter_m = unit_m * _column(raw, names.diameter, where, 1.0 / unit_m, _LARGEST_M / unit_m, mend=mend)
    depth_m = np.full(len(raw), np.nan)
    if names.depth in raw.columns:
        deepest = _DEEPEST_M / declared.depth_unit_m
        depth_m = declared.depth_unit_m * _column(raw, names.depth, where, 0.0, deepest, empty_ok=True, mend=mend)
        depth_m[depth_m == 0.0] = np.nan
    # The opposite pole lies at infinity; a million kilometres off will do.
    x_m, y_m = (np.clip(axis, -1e12, 1e12) for axis in lonlat_to_xy(lon_deg, lat_deg, grid.pole))
    unnamed = np.full(len(raw), "", dtype=object)
    ids = raw.index.to_numpy(dtype=np.int64)
    if "id" in raw.columns:
        ids = _column(raw, "id", where, 0.0, 2.0**53).astype(np.int64)
    frame = pd.DataFrame(
        {
            "id": ids,
            "name": raw["name"].to_numpy(dtype=object) if "name" in raw.columns else unnamed,
            "lon_deg": np.where(lon_deg > 180.0, lon_deg - 360.0, lon_deg),
            "lat_deg": lat_deg,
            "x_m": x_m,
            "y_m": y_m,
            "diameter_m": diameter_m,
            "depth_m": depth_m,
            _LINE: raw.index.to_numpy(dtype=np.int64) + 2,
        }
    )
    kept: pd.DataFrame = frame[grid.contains(x_m, y_m)]
    return kept


def gathered(parts: Sequence[pd.DataFrame], grid: Grid, declared: Declared, read: int) -> pd.DataFrame:
    """Return the parts of a catalogue that `on_grid` gave as `read_craters` returns it.

    Args:
        parts: At least one.
        grid: The grid they lie on.
        declared: What the catalogue was declared to be.
        read: Number of rows in the file.

    Raises:
        LocalError: There is no crater, ids repeat, or the diameters cannot be in the declared unit.
    """
    frame = pd.concat(parts)
    if frame.empty:
        raise LocalError(
            f"{declared.where}: none of its {read} craters lies on the run's map {grid.bounds_m} ({grid.pole} pole);"
            " check grid.pole and the columns for longitude and latitude, or leave the catalogue out"
        )
    repeated = frame["id"].duplicated()
    if repeated.any():
        first = frame[repeated].sort_values(_LINE).iloc[0]
        raise LocalError(f"{declared.where}, line {first[_LINE]}: id {first['id']} stands twice")
    kept = frame.drop(columns=_LINE).sort_values("id", kind="stable").reset_index(drop=True)
    unit = next((name for name, size_m in _UNITS.items() if size_m == declared.diameter_unit_m))
    _check_unit(kept["diameter_m"].to_numpy(), grid, f"{declared.where}: read in {unit}", declared.mend_unit)
    kept.attrs["read"] = read
    return kept


def _read_table(path: Path, field: str, names: CatalogueColumns) -> pd.DataFrame:
    if not path.exists():
        raise LocalError(f"{field}: {path}: does not exist; paths are relative to the folder snakemake is started in")
    check_lines(path, f"{field}: {path}")
    try:
        with warnings.catch_warnings():
            # Rows longer than the header: pandas would cut them off.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            raw = pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False, encoding="utf-8-sig")
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise LocalError(f"{field}: {path}: is no readable CSV table ({error})") from error
    needed = [names.lon, names.lat, names.diameter]
    if names.depth != CatalogueColumns().depth:
        needed.append(names.depth)
    absent = [name for name in needed if name not in raw.columns]
    if absent:
        raise LocalError(
            f"{field}: {path}: column '{absent[0]}' is missing; needed are {', '.join(needed)}, it has"
            f" {list(raw.columns)}; name its columns in {field}_columns"
        )
    if raw.empty:
        raise LocalError(f"{field}: {path}: holds no craters; give a catalogue with rows, or leave it out")
    return raw


def _check_unit(diameter_m: NDArray[np.float64], grid: Grid, what: str, mend: str) -> None:
    """Refuse diameters that no catalogue of this map's craters can have: a factor of a thousand shows at either end."""
    largest_m = float(diameter_m.max())
    if largest_m < _LEAST_PIXELS * grid.pixel_m:
        raise LocalError(
            f"{what}: its largest crater on the map is {largest_m:g} m across, less than {_LEAST_PIXELS:g} pixels of"
            f" {grid.pixel_m:g} m: the map shows none of them; {mend}"
        )
    map_m2 = grid.rows * grid.cols * grid.pixel_m**2
    times = float(np.minimum(0.25 * np.pi * diameter_m**2, map_m2).sum() / map_m2)
    if times > _MOST_COVERS:
        raise LocalError(f"{what}: its craters would cover the map {times:.0f} times over; {mend}")


def _column(
    raw: pd.DataFrame, name: str, where: str, low: float, high: float, *, empty_ok: bool = False, mend: str = ""
) -> NDArray[np.float64]:
    values = pd.to_numeric(raw[name], errors="coerce").to_numpy(dtype=np.float64, copy=True)
    legal = np.isfinite(values) & (values >= low) & (values <= high)
    if empty_ok:
        legal |= (raw[name].str.strip() == "").to_numpy()
    if not legal.all():
        row = int(np.flatnonzero(~legal)[0])
        # A number that is out of range may be right in another convention; what is no number is not.
        hint = f"; {mend}" if mend and np.isfinite(values[row]) else ""
        raise LocalError(
            f"{where}, line {raw.index[row] + 2}: {name} is {raw[name].iloc[row]!r},"
            f" allowed are {low:g}..{high:g}{hint}"
        )
    return values
