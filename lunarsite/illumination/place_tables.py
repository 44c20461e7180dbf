"""Single places: those that a user's table names and the best sites, and the tables of their horizons and skies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.artefact import table
from lunarsite.artefact.contracts import SITES
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.artefact.table import TableSpec
from lunarsite.illumination.points import HorizonProfiles, PointSeries

_COLUMNS = ("name", "lon_deg", "lat_deg")
_MOST_PLACES = 10_000


def read_places(path: Path) -> pd.DataFrame:
    """Return the places of a CSV file with the columns name, lon_deg (-180..360) and lat_deg.

    Raises:
        ArtefactError: It is no such file; the message names the column and the mend.
    """
    try:
        frame = pd.read_csv(path, usecols=list(_COLUMNS), dtype={"name": str}, nrows=_MOST_PLACES + 1)
    except (ValueError, UnicodeDecodeError) as error:
        raise ArtefactError(f"{path}: needs the columns {', '.join(_COLUMNS)} ({error})") from error
    if not 0 < len(frame) <= _MOST_PLACES:
        raise ArtefactError(f"{path}: holds {len(frame)} places, 1 to {_MOST_PLACES} are allowed")
    if frame["name"].isna().any() or frame["name"].duplicated().any():
        raise ArtefactError(f"{path}: every place needs a name of its own in column 'name'")
    for column, low, high in (("lon_deg", -180.0, 360.0), ("lat_deg", -90.0, 90.0)):
        values = pd.to_numeric(frame[column], errors="coerce")
        if not values.between(low, high).all():
            raise ArtefactError(f"{path}: column '{column}' must hold degrees within {low:g}..{high:g}")
        frame[column] = values
    return frame[list(_COLUMNS)]


def site_places(sites: Path, most: int) -> tuple[list[str], tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return the best sites as places: their names 'site-001', ... by rank, and the ellipses' centres (lon, lat).

    Raises:
        ArtefactError: The table breaks its contract.
    """
    found, _ = table.read(sites, SITES, ["rank", "lon", "lat"])
    best = found.sort_values("rank").head(most)
    names = [f"site-{rank:03d}" for rank in best["rank"]]
    return names, (best["lon"].to_numpy(dtype=np.float64), best["lat"].to_numpy(dtype=np.float64))


def empty_frame(spec: TableSpec) -> pd.DataFrame:
    """Return the frame without rows that a table's contract asks for."""
    kinds = {"string": "object", "timestamp[ms]": "datetime64[ms]"}
    return pd.DataFrame({c.name: pd.Series(dtype=kinds.get(c.dtype, c.dtype)) for c in spec.columns})


def profile_frame(names: list[str], profiles: HorizonProfiles) -> pd.DataFrame:
    """Return the horizons, one row per place and direction, directions clockwise from local north."""
    lon_deg, lat_deg = profiles.lonlat_deg()
    parts = []
    for index, (name, compass, elevation) in enumerate(
        zip(names, profiles.compass_deg(), profiles.elevation_deg(), strict=True)
    ):
        order = np.argsort(compass, kind="stable")
        columns = {
            "place": name,
            "lon_deg": lon_deg[index],
            "lat_deg": lat_deg[index],
            "compass_deg": compass[order],
            "horizon_deg": elevation[order],
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def series_frame(names: list[str], series: PointSeries) -> pd.DataFrame:
    """Return the sky over the places, one row per place and epoch."""
    frames = []
    for index, name in enumerate(names):
        frame = series.frame(index).rename(columns={"time": "time_utc"})
        frame.insert(0, "place", name)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)
