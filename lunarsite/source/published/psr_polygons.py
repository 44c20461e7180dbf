"""Published outlines of permanently shadowed regions, on the run's map, with areas of our own reckoning.

They are what the run's own permanent shadow is compared with. Which regions they hold (those of at least 5 km2, say) is
the publisher's choice; this module keeps all that touch the map.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray

from lunarsite.artefact import download
from lunarsite.artefact.atomic import replacing
from lunarsite.artefact.contracts import DOWNLOAD
from lunarsite.grid import Grid, Pole, lunar_crs, xy_to_lonlat
from lunarsite.source.kinds import LocalError
from lunarsite.source.published.shapes import Polygons, map_area_km2, read_polygons, true_area_km2, vector_file

_FIELD = "source.published.psr_polygons"
_WANTED = {"psr_id": ("PSR_ID", "ID", "OBJECTID"), "listed_km2": ("AREA_KM2", "AREA_SQKM", "AREA")}
_LAYER = "psr"
# GeoPackages hold the time of their making; a fixed one makes the same outlines the same bytes.
_TIME_OPTION, _NO_TIME = "OGR_CURRENT_DATE", "2000-01-01T00:00:00.000Z"


@dataclass(frozen=True)
class Outlines:
    """Outlines that touch the map, and what is to be told of them.

    Args:
        frame: psr_id (text), area_km2 (map plane), true_area_km2, lon_deg and lat_deg of the centroid, and the shape in
            map metres.
        read: How the file was read.
        listed_ratio: Median of the areas that the file lists over ours in the map plane; None if it lists none.
    """

    frame: gpd.GeoDataFrame
    read: Polygons
    listed_ratio: float | None


def read_psr_polygons(receipt: Path, grid: Grid) -> Outlines:
    """Read published outlines of permanently shadowed regions onto the run's map.

    Raises:
        ArtefactError: The receipt is broken, or a file is missing.
        LocalError: The product holds no vector file, or one that cannot be used, or none of its regions touches the
            map.
    """
    path = vector_file(download.files(receipt, DOWNLOAD), f"{_FIELD}: {receipt}")
    where = f"{_FIELD}: {path}"
    read = read_polygons(path, grid, where, _WANTED)
    shapely.prepare(read.shapes)
    kept = read.take(shapely.intersects(read.shapes, shapely.box(*grid.bounds_m)))
    if not kept.shapes.size:
        raise LocalError(
            f"{where}: none of its {read.read} outlines touches the run's map {grid.bounds_m} ({grid.pole} pole); check"
            " grid.pole, or set source.published.psr_polygons to null"
        )
    area = map_area_km2(kept.shapes)
    centres = shapely.get_coordinates(shapely.centroid(kept.shapes))
    lon_deg, lat_deg = xy_to_lonlat(centres[:, 0], centres[:, 1], grid.pole)
    numbers = np.arange(len(area))
    ids = kept.columns["psr_id"].astype(str) if "psr_id" in kept.columns else numbers.astype(str)
    values = {
        "psr_id": np.asarray(ids, dtype=object),
        "area_km2": area,
        "true_area_km2": true_area_km2(kept.shapes),
        "lon_deg": lon_deg,
        "lat_deg": lat_deg,
    }
    frame = gpd.GeoDataFrame(values, geometry=kept.shapes, crs=lunar_crs(grid.pole).to_wkt())
    return Outlines(frame, kept, _ratio(kept, area))


def _ratio(kept: Polygons, area_km2: NDArray[np.float64]) -> float | None:
    """Return the median of listed areas over ours; None where none is listed."""
    if "listed_km2" not in kept.columns or kept.columns["listed_km2"].dtype.kind not in "fiu":
        return None
    listed = kept.columns["listed_km2"].to_numpy(dtype=np.float64)
    known = np.isfinite(listed) & (listed > 0.0)
    return float(np.median(listed[known] / area_km2[known])) if known.any() else None


def write_outlines(path: Path, frame: gpd.GeoDataFrame, pole: Pole) -> None:
    """Write outlines as a GeoPackage of one layer, 'psr'; the same outlines give the same bytes."""
    before = pyogrio.get_gdal_config_option(_TIME_OPTION)
    pyogrio.set_gdal_config_options({_TIME_OPTION: _NO_TIME})
    try:
        with replacing(path) as partial:
            pyogrio.write_dataframe(
                frame.set_crs(lunar_crs(pole).to_wkt(), allow_override=True),
                partial,
                layer=_LAYER,
                driver="GPKG",
                geometry_type="MultiPolygon",
                promote_to_multi=True,
            )
    finally:
        pyogrio.set_gdal_config_options({_TIME_OPTION: before})
