"""A user's crater catalogue: a CSV table, checked row by row.

This module must not know what the craters are compared with.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.grid import Grid, lonlat_to_xy
from lunarsite.source.local import LocalError


def read_craters(path: Path, grid: Grid, field: str) -> pd.DataFrame:
    """Read a user's crater catalogue.

    Args:
        path: CSV with the columns lon_deg (-180..180 or 0..360), lat_deg and diameter_m, and if wanted id, name and
            depth_m (0 or empty: not measured).
        grid: Craters whose centre lies on it are kept.
        field: Name of the setting that names the file, for messages.

    Returns:
        id, name, lon_deg (-180..180), lat_deg, x_m, y_m, diameter_m, depth_m (NaN where not measured), by ascending id;
        the index counts from 0. `attrs['read']` is the number of rows in the file.

    Raises:
        LocalError: A column is missing, a value is no number or out of range, or ids repeat.
    """
    if not path.exists():
        raise LocalError(f"{field}: {path}: does not exist; paths are relative to the folder snakemake is started in")
    try:
        raw = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise LocalError(f"{field}: {path}: is no readable CSV table ({error})") from error
    absent = [name for name in ("lon_deg", "lat_deg", "diameter_m") if name not in raw.columns]
    if absent:
        raise LocalError(
            f"{field}: {path}: column '{absent[0]}' is missing; needed are lon_deg, lat_deg and diameter_m (metres),"
            f" it has {list(raw.columns)}"
        )
    lon_deg = _column(raw, "lon_deg", path, field, -180.0, 360.0)
    lat_deg = _column(raw, "lat_deg", path, field, -90.0, 90.0)
    diameter_m = _column(raw, "diameter_m", path, field, 1.0, 3e6)
    depth_m = np.full(len(raw), np.nan)
    if "depth_m" in raw.columns:
        depth_m = _column(raw, "depth_m", path, field, 0.0, 15_000.0, empty_ok=True)
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
    kept.attrs["read"] = len(raw)
    return kept


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
    raw: pd.DataFrame, name: str, path: Path, field: str, low: float, high: float, *, empty_ok: bool = False
) -> NDArray[np.float64]:
    values = pd.to_numeric(raw[name], errors="coerce").to_numpy(dtype=np.float64, copy=True)
    legal = np.isfinite(values) & (values >= low) & (values <= high)
    if empty_ok:
        legal |= (raw[name].str.strip() == "").to_numpy()
    if not legal.all():
        line = int(np.flatnonzero(~legal)[0]) + 2
        raise LocalError(
            f"{field}: {path}, line {line}: {name} is {raw[name].iloc[line - 2]!r}, allowed are {low:g}..{high:g}"
        )
    return values
