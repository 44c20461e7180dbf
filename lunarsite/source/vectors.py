"""Vector files from outside: opened safely, and brought from their coordinates to the Moon's.

Files are untrusted: their kind is decided before GDAL sees them (`kinds`), GDAL has no network, and their size and
numbers of features and points are bounded before they are worked on. Straight stretches are straight in the file's own
coordinates, so long ones are divided there before they are projected; between longitudes they go the short way round.
Coordinates are the Moon's. This module must not know what the shapes are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyogrio
import pyogrio.errors
import pyproj
import shapely
from numpy.typing import NDArray

from lunarsite.artefact.offline import OFFLINE
from lunarsite.grid import Grid, is_lunar, is_polar_map
from lunarsite.source.kinds import LocalError, vector_drivers

EARTH_BY_DECREE = ("GeoJSON", "GeoJSONSeq", "LIBKML", "KML")
"""Kinds that know no CRS but WGS 84, or none at all."""
_MOST_BYTES = 512 * 2**20
_MOST_FEATURES = 1_000_000
MOST_POINTS = 20_000_000
"""Points at most, before and after long stretches are divided."""
STEP_DEG = 0.05
"""Longest stretch between two points in longitude and latitude. At 80 degrees its chord is 3 cm off the parallel."""
STEP_M = 1_000.0
"""Longest stretch between two points of another map."""


@contextmanager
def offline() -> Iterator[None]:
    """Keep pyogrio's GDAL from the network, in all of the process."""
    before = {name: pyogrio.get_gdal_config_option(name) for name in OFFLINE}
    pyogrio.set_gdal_config_options(OFFLINE)
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(before)


def header(path: Path, where: str) -> tuple[str, str, pyproj.CRS | None]:
    """Return the one layer with geometry, the driver that reads the file, and its CRS.

    Args:
        path: A vector file of a listed kind (`kinds.vector_drivers`).
        where: What names the file, and the file, for messages.

    Raises:
        LocalError: It is missing, unreadable, too large, of another kind, or has no layer with geometry, or several.
    """
    if not path.is_file():
        raise LocalError(f"{where}: does not exist as a file; paths are relative to the folder snakemake is started in")
    if path.stat().st_size > _MOST_BYTES:
        raise LocalError(f"{where}: is larger than {_MOST_BYTES // 2**20} MiB; cut out what lies on the map (ogr2ogr)")
    drivers = vector_drivers(path, where)
    try:
        layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
        if not layers:
            raise LocalError(f"{where}: holds no geometry; give the layer of shapes (ogr2ogr out.gpkg FILE LAYER)")
        if len(layers) > 1:
            raise LocalError(
                f"{where}: has {len(layers)} layers with geometry {layers[:10]}, needs one; extract it"
                " (ogr2ogr out.gpkg FILE LAYER)"
            )
        found = pyogrio.read_info(path, layer=layers[0], force_feature_count=True)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, UnicodeDecodeError) as error:
        raise LocalError(f"{where}: is no readable vector file ({error}); give a GeoPackage or GeoJSON") from error
    driver = str(found["driver"])
    if driver not in drivers:
        raise LocalError(f"{where}: is a file of kind {driver}; convert it (ogr2ogr out.gpkg FILE)")
    if found["features"] > _MOST_FEATURES:
        raise LocalError(f"{where}: has {found['features']} features, at most {_MOST_FEATURES} are read; cut it")
    try:
        crs = None if found["crs"] is None else pyproj.CRS.from_user_input(found["crs"])
    except pyproj.exceptions.CRSError as error:
        told = str(error)[:200]
        raise LocalError(f"{where}: its CRS is none that is known ({told}); assign the right lunar one") from error
    return layers[0], driver, crs


def coordinates_of(
    crs: pyproj.CRS | None, driver: str, grid: Grid, where: str
) -> tuple[str, pyproj.Transformer | None, bool]:
    """Return what the coordinates are, what turns them to longitude and latitude, and whether a label was set aside.

    GeoJSON and KML are labelled with the Earth's WGS 84 by whoever reads them: theirs is set aside.

    Raises:
        LocalError: The file has no CRS, or one that is not the Moon's.
    """
    if crs is None and driver not in EARTH_BY_DECREE:
        raise LocalError(
            f"{where}: has no CRS; assign the right lunar one (ogr2ogr -a_srs IAU_2015:30135 out.gpkg FILE for the"
            " south polar map, IAU_2015:30100 for longitude and latitude)"
        )
    if crs is None or (driver in EARTH_BY_DECREE and crs.is_geographic and not is_lunar(crs)):
        return "lunar longitude and latitude", None, crs is not None
    if not is_lunar(crs):
        raise LocalError(
            f"{where}: its CRS is not on the Moon's sphere of 1737.4 km ({crs.name}); if they are lunar the label"
            " is wrong: assign the lunar CRS (ogr2ogr -a_srs IAU_2015:30100 out.gpkg FILE), do not reproject"
        )
    if is_polar_map(crs, grid.pole):
        return "the polar map", None, False
    if crs.is_geographic:
        return "lunar longitude and latitude", None, False
    geographic = crs.geodetic_crs
    return crs.name, pyproj.Transformer.from_crs(crs, geographic, always_xy=True), False


def check_degrees(parts: NDArray[np.object_], where: str) -> None:
    """Refuse points that are no longitude and latitude in degrees."""
    points = shapely.get_coordinates(parts)
    wrong = (np.abs(points[:, 0]) > 360.0) | (np.abs(points[:, 1]) > 90.0)
    if wrong.any():
        lon_deg, lat_deg = points[wrong][0]
        raise LocalError(
            f"{where}: it has a point at ({lon_deg:g}, {lat_deg:g}), which is no longitude and latitude in degrees;"
            " if the file is in map metres assign that CRS (ogr2ogr -a_srs IAU_2015:30135 out.gpkg FILE)"
        )


def short_way_round(parts: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return lines in longitude and latitude that go from point to point by less than half a turn."""
    points, part = shapely.get_coordinates(parts, return_index=True)
    stride = np.diff(points[:, 0])
    turns = np.where((np.abs(stride) > 180.0) & (np.diff(part) == 0), -np.round(stride / 360.0), 0.0)
    total = np.concatenate([[0.0], np.cumsum(turns)])
    _, first = np.unique(part, return_index=True)
    points[:, 0] += 360.0 * (total - total[first][part])
    lines: NDArray[np.object_] = shapely.linestrings(points, indices=part)
    return lines
