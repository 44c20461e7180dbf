"""A user's crater catalogue: a CSV table, checked row by row.

This module must not know what the craters are compared with.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.grid import Grid, lonlat_to_xy
from lunarsite.settings import CatalogueColumns
from lunarsite.source.kinds import LocalError

_LONGITUDES = {"-180..180": (-180.0, 180.0), "0..360": (0.0, 360.0)}
_UNITS = {"m": 1.0, "km": 1000.0}
_LARGEST_M = 3e6
_DEEPEST_M = 15_000.0
_LEAST_PIXELS = 2.0
_MOST_COVERS = 20.0
"""Saturated ground is covered about once by each octave of diameters."""


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
    west, east = _LONGITUDES[lon]
    other = next(name for name in _LONGITUDES if name != lon)
    lon_deg = _column(raw, names.lon, path, field, west, east, mend=f"if it counts {other}, set {field}_lon: {other}")
    lat_deg = _column(raw, names.lat, path, field, -90.0, 90.0)
    factor, other = _UNITS[unit], next(name for name in _UNITS if name != unit)
    mend = f"if it is in {other}, set {field}_unit: {other}"
    diameter_m = factor * _column(raw, names.diameter, path, field, 1.0 / factor, _LARGEST_M / factor, mend=mend)
    depth_m = np.full(len(raw), np.nan)
    if names.depth in raw.columns:
        deepest = _DEEPEST_M / factor
        depth_m = factor * _column(raw, names.depth, path, field, 0.0, deepest, empty_ok=True, mend=mend)
        depth_m[depth_m == 0.0] = np.nan
    # The opposite pole lies at infinity; a million kilometres off will do.
    x_m, y_m = (np.clip(axis, -1e12, 1e12) for axis in lonlat_to_xy(lon_deg, lat_deg, grid.pole))
    unnamed = np.full(len(raw), "", dtype=object)
    frame = pd.DataFrame(
        {
            "id": _ids(raw, path, field),
            "name": raw["name"].to_numpy(dtype=object) if "name" in raw.columns else unnamed,
            "lon_deg": np.where(lon_deg > 180.0, lon_deg - 360.0, lon_deg),
            "lat_deg": lat_deg,
            "x_m": x_m,
            "y_m": y_m,
            "diameter_m": diameter_m,
            "depth_m": depth_m,
        }
    )
    kept = frame[grid.contains(x_m, y_m)].sort_values("id", kind="stable").reset_index(drop=True)
    if kept.empty:
        raise LocalError(
            f"{field}: {path}: none of its {len(raw)} craters lies on the run's map {grid.bounds_m} ({grid.pole} pole);"
            " check grid.pole and the columns for longitude and latitude, or leave the catalogue out"
        )
    _check_unit(kept["diameter_m"].to_numpy(), grid, f"{field}: {path}: read in {unit}", mend)
    kept.attrs["read"] = len(raw)
    return kept


def _read_table(path: Path, field: str, names: CatalogueColumns) -> pd.DataFrame:
    if not path.exists():
        raise LocalError(f"{field}: {path}: does not exist; paths are relative to the folder snakemake is started in")
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


def _ids(raw: pd.DataFrame, path: Path, field: str) -> NDArray[np.int64]:
    if "id" not in raw.columns:
        return np.arange(len(raw), dtype=np.int64)
    ids = _column(raw, "id", path, field, 0.0, 2.0**53).astype(np.int64)
    repeated = pd.Series(ids).duplicated()
    if repeated.any():
        line = int(np.flatnonzero(repeated.to_numpy())[0]) + 2
        raise LocalError(f"{field}: {path}, line {line}: id {raw['id'].iloc[line - 2]} stands twice")
    return ids


def _column(
    raw: pd.DataFrame,
    name: str,
    path: Path,
    field: str,
    low: float,
    high: float,
    *,
    empty_ok: bool = False,
    mend: str = "",
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
            f"{field}: {path}, line {row + 2}: {name} is {raw[name].iloc[row]!r}, allowed are {low:g}..{high:g}{hint}"
        )
    return values
