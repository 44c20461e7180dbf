"""Candidate landing regions: polygons given by their corners in longitude and latitude.

Sides are straight in the polar map plane, so the corners are projected first and everything else happens there. The
module must not know scores.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon

from lunarsite.artefact.stamp import ArtefactError
from lunarsite.grid import Pole, lonlat_to_xy

_COLUMNS = ("region", "code", "corner_index", "lon_deg", "lat_deg", "area_km2", "source")
_MOUTONS = frozenset({"MM", "MP"})


@dataclass(frozen=True)
class Region:
    """One region: its name, its code, its outline in map metres and where it comes from."""

    name: str
    code: str
    outline: Polygon
    area_km2: float
    """Area in the map plane as the source lists it."""
    source: str

    @property
    def is_mouton(self) -> bool:
        """Whether it is one of the two regions of Mons Mouton, which hold most of all regions' area."""
        return self.code in _MOUTONS


def read_regions(path: Path, pole: Pole = "south") -> tuple[Region, ...]:
    """Read regions from a table of corners, in the order of the file, on the polar map of `pole`.

    The corners of a region are listed in order around it, numbered from 0.

    Raises:
        ArtefactError: A column is missing, a corner is out of range, or an outline is no simple polygon.
    """
    try:
        corners = pd.read_csv(path, encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ArtefactError(f"{path}: is no readable CSV ({error}); give the table of region corners") from error
    absent = [column for column in _COLUMNS if column not in corners]
    if absent or corners.empty:
        raise ArtefactError(f"{path}: needs rows with the columns {', '.join(_COLUMNS)}; missing: {absent or 'rows'}")
    bounds = (("lon_deg", 180.0), ("lat_deg", 90.0))
    for column, limit in bounds:
        values = pd.to_numeric(corners[column], errors="coerce")
        if not values.abs().le(limit).all():
            row = int(np.flatnonzero(~values.abs().le(limit))[0]) + 2
            raise ArtefactError(f"{path}, line {row}: {column} must be a number within -{limit:g}..{limit:g}")
    return tuple(
        _region(path, str(code), rows.sort_values("corner_index"), pole)
        for code, rows in corners.groupby("code", sort=False)
    )


def _region(path: Path, code: str, rows: pd.DataFrame, pole: Pole) -> Region:
    x_m, y_m = lonlat_to_xy(rows["lon_deg"].to_numpy(), rows["lat_deg"].to_numpy(), pole)
    numbered = rows["corner_index"].tolist() == list(range(len(rows)))
    outline = Polygon(np.column_stack([x_m, y_m])) if len(rows) >= 3 else Polygon()
    if not numbered or outline.is_empty or not outline.is_valid:
        raise ArtefactError(
            f"{path}: region '{code}' is no simple polygon; list at least three corners in order, numbered from 0"
        )
    first = rows.iloc[0]
    return Region(str(first["region"]), code, outline, float(first["area_km2"]), str(first["source"]))


def union(regions: Iterable[Region]) -> MultiPolygon:
    """Return the ground that lies in any region; neighbours that overlap count once."""
    merged = shapely.union_all([region.outline for region in regions])
    return merged if isinstance(merged, MultiPolygon) else MultiPolygon([merged] if not merged.is_empty else [])


def inside(ground: Polygon | MultiPolygon, x_m: NDArray[np.float64], y_m: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each place (map metres) lies in a polygon."""
    shapely.prepare(ground)
    return np.asarray(shapely.contains_xy(ground, x_m, y_m), dtype=np.bool_)
