"""Lobate scarps: lines that a user brings in any common vector file, brought onto the run's map or refused.

Files are untrusted: their kind is decided before GDAL sees them (`kinds`), GDAL has no network, and their size and
numbers of lines and points are bounded before they are worked on. Straight
stretches are straight in the file's own coordinates, so long ones are divided there before they are projected; between
longitudes they go the short way round. Coordinates are the Moon's. GeoJSON and KML cannot say so and are labelled with
the Earth's WGS 84 by whoever reads them: there longitude and latitude are taken as the Moon's planetocentric ones and
never turned by the Earth's ellipsoid. This module must not know what scarps are used for.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pyogrio.errors
import pyproj
import shapely
from numpy.typing import NDArray

from lunarsite.grid import Grid, lonlat_to_xy
from lunarsite.source.kinds import LocalError
from lunarsite.source.vectors import (
    MOST_POINTS,
    STEP_DEG,
    STEP_M,
    check_degrees,
    coordinates_of,
    header,
    offline,
    short_way_round,
)

_LINES = ("LineString", "MultiLineString")


@dataclass(frozen=True)
class Scarps:
    """Lines on the run's map, and how they came there.

    Args:
        ids: Number of each line in its file, from 0, ascending.
        lines: LineStrings or MultiLineStrings in map metres, cut at the map's border.
        read: Number of lines in the file.
        empty: How many of them have no length.
        coordinates: What the coordinates were taken for.
        relabelled: Whether a label of WGS 84 was set aside.
    """

    ids: NDArray[np.int64]
    lines: NDArray[np.object_]
    read: int
    empty: int
    coordinates: str
    relabelled: bool


def read_scarps(path: Path, grid: Grid, field: str) -> Scarps:
    """Read lines and bring them onto the run's map.

    Args:
        path: A vector file (GeoPackage, GeoJSON, shapefile, FlatGeobuf, KML, MapInfo, GMT) with one layer of lines.
        grid: The run's map.
        field: Name of the setting that names the file, for messages.

    Raises:
        LocalError: The file is missing, unreadable, too large, holds something else than lines, has no lunar CRS, or
            holds numbers that are no places.
    """
    where = f"{field}: {path}"
    with offline():
        layer, driver, crs = header(path, where)
        lines = _load(path, layer, where)
    empty = shapely.is_empty(lines) | (shapely.length(lines) == 0.0)
    kept = np.flatnonzero(~empty)
    kind, transform, relabelled = coordinates_of(crs, driver, grid, where)
    lines = lines[kept]
    if kind != "the polar map":
        lines, index = _projected(lines, transform, grid, where)
        kept = kept[index]
    left, bottom, right, top = grid.bounds_m
    lines = shapely.clip_by_rect(lines, left, bottom, right, top)
    inside = ~shapely.is_empty(lines) & (shapely.length(lines) > 0.0)
    return Scarps(kept[inside].astype(np.int64), lines[inside], empty.size, int(empty.sum()), kind, relabelled)


def _load(path: Path, layer: str, where: str) -> NDArray[np.object_]:
    """Return the file's lines in two dimensions; features without geometry are empty lines."""
    try:
        with warnings.catch_warnings(), np.errstate(invalid="ignore"):  # points that are no numbers: refused below
            # Heights and measures of the points are of no use here.
            warnings.filterwarnings("ignore", "Measured", UserWarning)
            # Otherwise the shape would be left out.
            warnings.filterwarnings("error", "Unsupported geometry", RuntimeWarning)
            frame: gpd.GeoDataFrame = pyogrio.read_dataframe(path, layer=layer, columns=[])
    except (
        pyogrio.errors.DataSourceError,
        pyogrio.errors.DataLayerError,
        shapely.errors.GEOSException,
        RuntimeWarning,
    ) as error:
        raise LocalError(f"{where}: cannot be read ({error}); it may be truncated: copy it again") from error
    lines: NDArray[np.object_] = shapely.force_2d(frame.geometry.to_numpy())
    lines[shapely.is_missing(lines)] = shapely.LineString()
    kinds = {str(kind) for kind in gpd.GeoSeries(lines).geom_type} - set(_LINES)
    if kinds:
        raise LocalError(
            f"{where}: holds {', '.join(sorted(kinds))}, needs lines; outlines become lines with QGIS ('Polygons to"
            " lines')"
        )
    if (points := int(shapely.get_num_coordinates(lines).sum())) > MOST_POINTS:
        raise LocalError(f"{where}: has {points} points, at most {MOST_POINTS} are read; simplify its lines")
    coordinates, index = shapely.get_coordinates(lines, return_index=True)
    wrong = ~np.isfinite(coordinates).all(axis=1)
    if wrong.any():
        raise LocalError(f"{where}: feature {index[wrong][0]} has a point that is no number; mend or leave it out")
    return lines


def _projected(
    lines: NDArray[np.object_], transform: pyproj.Transformer | None, grid: Grid, where: str
) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Return lines on the map, divided finely enough, and the index of the line that each comes from, ascending."""
    parts, line_of_part = shapely.get_parts(lines, return_index=True)
    if transform is None:
        check_degrees(parts, where)
        parts, step = short_way_round(parts), STEP_DEG
    else:
        unit_m: float = transform.source_crs.axis_info[0].unit_conversion_factor if transform.source_crs else 1.0
        step = STEP_M / unit_m
    if shapely.get_num_coordinates(parts).sum() + shapely.length(parts).sum() / step > MOST_POINTS:
        raise LocalError(
            f"{where}: its lines are {shapely.length(parts).sum():g} long in their own coordinates, too long to be"
            " lines on the Moon; are the coordinates in the unit that the file declares?"
        )
    points, part = shapely.get_coordinates(shapely.segmentize(parts, step), return_index=True)
    lon_deg, lat_deg = points.T if transform is None else transform.transform(*points.T)
    with np.errstate(invalid="ignore"):
        x_m, y_m = lonlat_to_xy(lon_deg, lat_deg, grid.pole)
        # A stretch is a few kilometres long at most: one that ends beyond this does not touch the map.
        near = np.hypot(x_m, y_m) < 20_000.0 + 1.1 * max(map(abs, grid.bounds_m)) * np.sqrt(2.0)
    # A line goes on as long as one of its near points follows another.
    starts = np.r_[True, (np.diff(part) != 0) | ~near[:-1]]
    piece = np.cumsum(starts)[near]
    lone = np.bincount(piece, minlength=1)[piece] < 2
    x_m, y_m, piece, part = x_m[near][~lone], y_m[near][~lone], piece[~lone], part[near][~lone]
    if piece.size == 0:
        return np.array([], dtype=object), np.array([], dtype=np.int64)
    _, first, number = np.unique(piece, return_index=True, return_inverse=True)
    pieces = shapely.linestrings(np.column_stack([x_m, y_m]), indices=number)
    found, group = np.unique(line_of_part[part[first]], return_inverse=True)
    return shapely.multilinestrings(pieces, indices=group), found.astype(np.int64)
