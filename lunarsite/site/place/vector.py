"""Sites for other programs: GeoJSON in projected metres and a GeoPackage for QGIS.

RFC 7946 knows no coordinate system but WGS 84 of the Earth. The GeoJSON files therefore carry the older 'crs' member
(GeoJSON 2008), which GDAL and QGIS heed, and say in words and as PROJJSON what their coordinates are. A GeoPackage
keeps the lunar CRS but not its authority's code.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from pyproj import CRS

from lunarsite.artefact.atomic import replacing
from lunarsite.artefact.contracts import SITES
from lunarsite.artefact.stamp import Stamp
from lunarsite.grid import Pole, lunar_crs
from lunarsite.site.place.ellipse import Ellipse

_CODE: dict[Pole, int] = {"south": 30135, "north": 30130}
# GeoPackages hold the time of their making; a fixed one makes the same sites the same bytes.
_NO_TIME = "2000-01-01T00:00:00.000Z"
_TIME_OPTION = "OGR_CURRENT_DATE"


def write_geojson(path: Path, sites: gpd.GeoDataFrame, stamp: Stamp, pole: Pole) -> None:
    """Write sites as GeoJSON in map metres; what is unknown is null."""
    units = {column.name: column.unit for column in SITES.columns if column.unit}
    whole = {
        "type": "FeatureCollection",
        "name": stamp.artefact,
        "crs": {"type": "name", "properties": {"name": f"urn:ogc:def:crs:IAU_2015::{_CODE[pole]}"}},
        "lunarsite": {
            "coordinates": (
                f"metres (x, y) on the Moon's {pole} polar stereographic map (sphere of 1737.4 km,"
                f" IAU_2015:{_CODE[pole]}), not longitude and latitude, and not on the Earth, as readers of"
                " RFC 7946 assume"
            ),
            "projjson": json.loads(CRS.from_user_input(lunar_crs(pole).to_wkt()).to_json()),
            "stamp": stamp.model_dump(mode="json"),
            "units": units,
        },
        "features": [
            {
                "type": "Feature",
                "id": int(row["site_id"]),
                "properties": {column.name: _plain(row[column.name], column.dtype) for column in SITES.columns},
                "geometry": json.loads(shapely.to_geojson(row["geometry"])),
            }
            for _, row in sites.iterrows()
        ],
    }
    with replacing(path) as partial:
        partial.write_text(json.dumps(whole, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def write_geopackage(
    path: Path,
    lists: Mapping[str, tuple[gpd.GeoDataFrame, Sequence[Ellipse]]],
    routes: pd.DataFrame,
    pole: Pole,
) -> None:
    """Write a GeoPackage with a layer for each list of sites, one of all ellipses and one of the ways to shadow.

    Args:
        path: The file.
        lists: Sites and their ellipses by the name of their layer.
        routes: Points of ways, as the contract of routes has them.
        pole: The map's pole.
    """
    crs = lunar_crs(pole).to_wkt()
    layers = [(name, "Polygon", sites.set_crs(crs)) for name, (sites, _) in lists.items()]
    layers.append(("ellipses", "Polygon", _ellipses(lists, crs)))
    layers.append(("routes", "LineString", _lines(routes, crs)))
    before = pyogrio.get_gdal_config_option(_TIME_OPTION)
    with replacing(path) as partial:
        pyogrio.set_gdal_config_options({_TIME_OPTION: _NO_TIME})
        try:
            for name, kind, frame in layers:
                pyogrio.write_dataframe(frame, partial, layer=name, driver="GPKG", geometry_type=kind)
        finally:
            pyogrio.set_gdal_config_options({_TIME_OPTION: before})


def _ellipses(lists: Mapping[str, tuple[gpd.GeoDataFrame, Sequence[Ellipse]]], crs: str) -> gpd.GeoDataFrame:
    rows, outlines = [], []
    for name, (sites, ellipses) in lists.items():
        for (_, site), ellipse in zip(sites.iterrows(), ellipses, strict=True):
            rows.append(
                {
                    "list": name,
                    "site_id": int(site["site_id"]),
                    "region": site["region"],
                    "rank": int(site["rank"]),
                    "map_angle_deg": ellipse.angle_deg,
                    "inside_share": float(site["ellipse_inside_share"]),
                    "pixels": ellipse.pixels,
                    "known_share": ellipse.known_share,
                    "slope_mean_deg": ellipse.slope_mean_deg,
                    "slope_max_deg": ellipse.slope_max_deg,
                    "sun_pct": ellipse.sun_pct,
                    "earth_pct": ellipse.earth_pct,
                    "height_range_m": ellipse.height_range_m,
                    "meets_light": ellipse.meets_light,
                }
            )
            outlines.append(ellipse.outline)
    kinds = {
        "list": "str",
        "site_id": "int64",
        "region": "str",
        "rank": "int64",
        "pixels": "int64",
        "meets_light": "bool",
    }
    numbers = (
        "map_angle_deg",
        "inside_share",
        "known_share",
        "slope_mean_deg",
        "slope_max_deg",
        "sun_pct",
        "earth_pct",
        "height_range_m",
    )
    order = [
        "list",
        "site_id",
        "region",
        "rank",
        "map_angle_deg",
        "inside_share",
        "pixels",
        *numbers[2:],
        "meets_light",
    ]
    frame = pd.DataFrame(rows, columns=order).astype(kinds | dict.fromkeys(numbers, "float64"))
    return gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries(outlines, index=frame.index), crs=crs)


def _lines(routes: pd.DataFrame, crs: str) -> gpd.GeoDataFrame:
    """Return each way as a line with its length; a way of one point, which starts in the shadow, is no line."""
    rows, lines = [], []
    for (site, mover), points in routes.groupby(["site_id", "mover"], sort=True):
        if len(points) > 1:
            rows.append((site, mover, float(points["path_m"].iloc[-1])))
            lines.append(shapely.LineString(points[["x_m", "y_m"]].to_numpy(np.float64)))
    frame = pd.DataFrame(rows, columns=["site_id", "mover", "length_m"])
    frame = frame.astype({"site_id": "int64", "mover": "str", "length_m": "float64"})
    return gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries(lines, index=frame.index), crs=crs)


def _plain(value: Any, dtype: str) -> Any:
    """Return a value as JSON knows it; float32 with the digits that it has."""
    if dtype == "string":
        return str(value)
    if dtype.startswith("int"):
        return int(value)
    number = float(value)
    if math.isnan(number):
        return None
    return float(f"{number:.7g}") if dtype == "float32" else number
