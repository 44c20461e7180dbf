"""Published polygons, brought onto the run's map: whole, valid, and with areas of our own reckoning.

A shapefile is several files; all of them must be there, the one with its coordinate system too. Sides are straight in
the file's own coordinates: those of another map or of longitude and latitude are divided before they are projected.
Rings that cross themselves are repaired, which is counted. This module must not know what the polygons outline.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyogrio.errors
import pyproj
import shapely
from numpy.typing import NDArray

from lunarsite.grid import Grid, lonlat_to_xy, scale_factor
from lunarsite.source.kinds import LocalError
from lunarsite.source.published.tables import bare
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

_SUFFIXES = (".shp", ".gpkg", ".geojson", ".json")
_BESIDE = {".shx": "index", ".dbf": "table", ".prj": "coordinate system"}
"""Parts of a shapefile that must stand beside the shapes."""
_KINDS = ("Polygon", "MultiPolygon")
_GAUSS, _WEIGHTS = np.polynomial.legendre.leggauss(6)


@dataclass(frozen=True)
class Polygons:
    """Polygons on the run's map, and how they came there.

    Args:
        shapes: Valid Polygons or MultiPolygons in map metres, (n,), in the file's order.
        columns: The wanted columns that the file has, under our names, (n,) rows.
        read: Number of features in the file.
        empty: How many of them have no area; they are left out.
        repaired: How many of the others were not valid.
        coordinates: What the coordinates were taken for.
        relabelled: Whether a label of the Earth's WGS 84 was set aside.
    """

    shapes: NDArray[np.object_]
    columns: pd.DataFrame
    read: int
    empty: int
    repaired: int
    coordinates: str
    relabelled: bool

    def take(self, kept: NDArray[np.bool_]) -> Polygons:
        """Return some of the polygons."""
        rows = self.columns[kept].reset_index(drop=True)
        numbers = (self.read, self.empty, self.repaired, self.coordinates, self.relabelled)
        return Polygons(self.shapes[kept], rows, *numbers)


def vector_file(files: Mapping[str, Path], where: str) -> Path:
    """Return the one vector file among a product's files.

    Raises:
        LocalError: There is none, or there are several, or a part of a shapefile is missing.
    """
    found = [path for path in files.values() if path.suffix.lower() in _SUFFIXES]
    if len(found) != 1:
        names = ", ".join(files)
        raise LocalError(
            f"{where}: needs one vector file ({', '.join(_SUFFIXES)}) among its files, has"
            f" {[path.name for path in found]} of [{names}]; remove the product's folder and fetch it again"
        )
    if found[0].suffix.lower() == ".shp":
        _check_shapefile(found[0], f"{where}: {found[0]}")
    return found[0]


def _check_shapefile(path: Path, where: str) -> None:
    """Refuse a shapefile of which a part is missing or cut off: what lacks its shapes is read as empty without a word.

    Lengths stand in the heads of the parts (ESRI 1998, Shapefile Technical Description): in 16-bit words, big-endian,
    at byte 24 of .shp and .shx; rows, length of the head and of a row, little-endian, at byte 4 of .dbf.
    """
    beside = {other.suffix.lower(): other for other in path.parent.iterdir() if other.stem == path.stem}
    for suffix, what in _BESIDE.items():
        if suffix not in beside:
            raise LocalError(
                f"{where}: its {what} ({path.stem}{suffix}) is missing; a shapefile is several files: put the missing"
                " one beside it, or fetch the product again"
            )
    heads = {}
    for suffix in (".shp", ".shx", ".dbf"):
        with beside[suffix].open("rb") as file:
            heads[suffix] = file.read(32)
        if len(heads[suffix]) < 32:
            raise LocalError(f"{where}: {beside[suffix].name} is cut off; fetch the product again")
    told = {suffix: 2 * int.from_bytes(heads[suffix][24:28], "big") for suffix in (".shp", ".shx")}
    rows, head, row = (int.from_bytes(heads[".dbf"][a:b], "little") for a, b in ((4, 8), (8, 10), (10, 12)))
    told[".dbf"] = head + rows * row
    for suffix, length in told.items():
        size = beside[suffix].stat().st_size
        # A table may end with a sign for its end.
        if not length <= size <= length + (suffix == ".dbf"):
            raise LocalError(f"{where}: {beside[suffix].name} has {size} bytes, not {length}; fetch the product again")
    if told[".shx"] != 100 + 8 * rows:
        raise LocalError(
            f"{where}: its table has {rows} rows, its index {(told['.shx'] - 100) // 8} shapes; fetch the product again"
        )


def read_polygons(
    path: Path, grid: Grid, where: str, wanted: Mapping[str, Sequence[str]], *, straight: bool = False
) -> Polygons:
    """Read polygons and bring them onto the run's map.

    Args:
        path: A vector file with one layer of polygons.
        grid: The run's map.
        where: Product and file, for messages.
        wanted: Names that publishers give a column, by our name for it; those that the file lacks are left out.
        straight: Sides are straight on the polar map, whatever coordinates the file has: corners alone are projected.

    Raises:
        LocalError: The file cannot be read, holds something else than polygons or too many points, has no lunar CRS, or
            a point is no place.
    """
    with offline():
        layer, driver, crs = header(path, where)
        frame = _load(path, layer, where, wanted)
    shapes = frame.geometry.to_numpy()
    kind, transform, relabelled = coordinates_of(crs, driver, grid, where)
    if kind != "the polar map":
        shapes = _projected(shapes, transform, grid, where, straight=straight)
    broken = ~shapely.is_valid(shapes)
    if broken.any():
        shapes[broken] = shapely.make_valid(shapes[broken], method="structure", keep_collapsed=False)
    full = shapely.area(shapes) > 0.0
    rows = pd.DataFrame(frame.drop(columns="geometry"))
    found = Polygons(shapes, rows, len(rows), int((~full).sum()), int((broken & full).sum()), kind, relabelled)
    return found.take(full)


def _load(path: Path, layer: str, where: str, wanted: Mapping[str, Sequence[str]]) -> gpd.GeoDataFrame:
    """Return the file's polygons in two dimensions, with the wanted columns; what has no geometry is empty."""
    try:
        names = [str(name) for name in pyogrio.read_info(path, layer=layer)["fields"]]
        theirs = {
            ours: next(name for name in names if bare(name) in {bare(one) for one in accepted})
            for ours, accepted in wanted.items()
            if {bare(name) for name in names} & {bare(one) for one in accepted}
        }
        with warnings.catch_warnings(), np.errstate(invalid="ignore"):  # points that are no numbers: refused below
            # Otherwise the shape would be left out.
            warnings.filterwarnings("error", "Unsupported geometry", RuntimeWarning)
            frame: gpd.GeoDataFrame = pyogrio.read_dataframe(path, layer=layer, columns=list(theirs.values()))
    except (
        pyogrio.errors.DataSourceError,
        pyogrio.errors.DataLayerError,
        shapely.errors.GEOSException,
        RuntimeWarning,
    ) as error:
        raise LocalError(f"{where}: cannot be read ({error}); it may be truncated: fetch the product again") from error
    except UnicodeDecodeError as error:
        raise LocalError(f"{where}: its table is no text ({error}); fetch the product again") from error
    frame = frame.rename(columns={name: ours for ours, name in theirs.items()})
    shapes: NDArray[np.object_] = shapely.force_2d(frame.geometry.to_numpy())
    shapes[shapely.is_missing(shapes)] = shapely.Polygon()
    kinds = {str(kind) for kind in gpd.GeoSeries(shapes).geom_type} - set(_KINDS)
    if kinds:
        raise LocalError(f"{where}: holds {', '.join(sorted(kinds))}, needs polygons; fetch the product again")
    if (points := int(shapely.get_num_coordinates(shapes).sum())) > MOST_POINTS:
        raise LocalError(f"{where}: has {points} points, at most {MOST_POINTS} are read")
    coordinates, index = shapely.get_coordinates(shapes, return_index=True)
    wrong = ~np.isfinite(coordinates).all(axis=1)
    if wrong.any():
        raise LocalError(f"{where}: feature {index[wrong][0]} has a point that is no number; fetch the product again")
    return frame.set_geometry(gpd.GeoSeries(shapes, index=frame.index, crs=frame.crs))


def _projected(
    shapes: NDArray[np.object_], transform: pyproj.Transformer | None, grid: Grid, where: str, *, straight: bool
) -> NDArray[np.object_]:
    """Return polygons on the map, their sides divided finely enough unless they are straight there."""
    polygons, shape_of_polygon = shapely.get_parts(shapes, return_index=True)
    rings, polygon_of_ring = shapely.get_rings(polygons, return_index=True)
    if rings.size == 0:
        return shapes
    if transform is None:
        check_degrees(rings, where)
        rings, step = short_way_round(rings), STEP_DEG
    else:
        unit_m = transform.source_crs.axis_info[0].unit_conversion_factor if transform.source_crs else 1.0
        step = STEP_M / unit_m
    if not straight:
        if shapely.get_num_coordinates(rings).sum() + shapely.length(rings).sum() / step > MOST_POINTS:
            raise LocalError(
                f"{where}: its outlines are {shapely.length(rings).sum():g} long in their own coordinates, too long for"
                " the Moon; are the coordinates in the unit that the file declares?"
            )
        rings = shapely.segmentize(rings, step)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    lon_deg, lat_deg = points.T if transform is None else transform.transform(*points.T)
    if not (np.isfinite(lon_deg).all() and np.isfinite(lat_deg).all()):
        raise LocalError(f"{where}: has a point that its own CRS does not know; fetch the product again")
    x_m, y_m = (np.clip(axis, -1e9, 1e9) for axis in lonlat_to_xy(lon_deg, lat_deg, grid.pole))
    # A ring's last point is its first: not to within rounding after whole turns, but exactly.
    last = np.r_[np.flatnonzero(np.diff(ring)), ring.size - 1]
    first = np.r_[0, last[:-1] + 1]
    x_m[last], y_m[last] = x_m[first], y_m[first]
    closed = shapely.linearrings(np.column_stack([x_m, y_m]), indices=ring)
    whole = shapely.polygons(closed, indices=polygon_of_ring)
    count = np.bincount(shape_of_polygon, minlength=shapes.size)
    result: NDArray[np.object_] = np.full(shapes.size, shapely.Polygon(), dtype=object)
    several = np.flatnonzero(count > 0)
    result[several] = shapely.multipolygons(whole, indices=np.searchsorted(several, shape_of_polygon))
    return result


def map_area_km2(shapes: NDArray[np.object_]) -> NDArray[np.float64]:
    """Return areas in the map plane, km2."""
    return np.asarray(shapely.area(shapes), dtype=np.float64) / 1e6


def true_area_km2(shapes: NDArray[np.object_]) -> NDArray[np.float64]:
    """Return areas on the sphere of polygons on the polar map, km2.

    An area of dx dy on the map is dx dy / k^2 on the sphere, with k the map's scale; that is the divergence of
    (x, y) / (2 k), so the area is the integral of (x dy - y dx) / (2 k) around the rings. Along a straight side
    x dy - y dx is constant, and 1 / k is integrated by Gauss's rule of six points.
    """
    polygons, shape_of_polygon = shapely.get_parts(shapes, return_index=True)
    rings, polygon_of_ring = shapely.get_rings(polygons, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    same = np.flatnonzero(np.diff(ring) == 0)
    start, end = points[same], points[same + 1]
    share = 0.5 * (1.0 + _GAUSS)[:, None, None]
    between = start + share * (end - start)
    mean = 0.5 * np.einsum("i,ij->j", _WEIGHTS, 1.0 / scale_factor(between[..., 0], between[..., 1]))
    cross = start[:, 0] * end[:, 1] - end[:, 0] * start[:, 1]
    of_ring = np.abs(np.bincount(ring[same], weights=0.5 * cross * mean, minlength=rings.size))
    outer = np.r_[True, np.diff(polygon_of_ring) != 0][: rings.size]
    signed = np.where(outer, of_ring, -of_ring)
    of_polygon = np.bincount(polygon_of_ring, weights=signed, minlength=polygons.size)
    return np.asarray(np.bincount(shape_of_polygon, weights=of_polygon, minlength=shapes.size)) / 1e6
