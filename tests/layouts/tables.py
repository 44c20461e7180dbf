"""Small files of the published catalogues, outlines and lists, with the exact names and layouts.

The craters are those of the synthetic Moon of seed 7. Names of columns are the publishers' where they are known (see
docs/catalogues.md), else those that the readers take.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely

from lunarsite.artefact import download
from lunarsite.artefact.contracts import DOWNLOAD
from lunarsite.artefact.download import Downloaded, Receipt
from lunarsite.artefact.stamp import Stamp
from lunarsite.grid import Grid, lonlat_to_xy, xy_to_lonlat
from lunarsite.source.features import read_features
from lunarsite.source.products import read_products
from lunarsite.source.synthetic import SyntheticMoon

RESOURCES = Path(__file__).parents[2] / "resources"
PRODUCTS = ("robbins_2018", "lu1319373", "lu1319381", "psr_polygons_south", "wueller_2026", "artemis_regions_2024")
LEAST_DIAMETER_M = 1_000.0

ROBBINS = (
    *("CRATER_ID", "LAT_CIRC_IMG", "LON_CIRC_IMG", "LAT_ELLI_IMG", "LON_ELLI_IMG", "DIAM_CIRC_IMG"),
    *("DIAM_CIRC_SD_IMG", "DIAM_ELLI_MAJOR_IMG", "DIAM_ELLI_MINOR_IMG", "DIAM_ELLI_ECCEN_IMG", "DIAM_ELLI_ELLIP_IMG"),
    *("DIAM_ELLI_ANGLE_IMG", "LAT_ELLI_SD_IMG", "LON_ELLI_SD_IMG", "DIAM_ELLI_MAJOR_SD_IMG"),
    *("DIAM_ELLI_MINOR_SD_IMG", "DIAM_ELLI_ANGLE_SD_IMG", "DIAM_ELLI_ECCEN_SD_IMG", "DIAM_ELLI_ELLIP_SD_IMG"),
    *("ARC_IMG", "PTS_RIM_IMG"),
)
"""Columns of lunar_crater_database_robbins_2018.csv."""
ESRI_SOUTH = (
    'PROJCS["Moon_South_Pole_Stereographic",GEOGCS["GCS_Moon_2000",DATUM["D_Moon_2000",'
    'SPHEROID["Moon_2000_IAU_IAG",1737400.0,0.0]],PRIMEM["Reference_Meridian",0.0],'
    'UNIT["Degree",0.0174532925199433]],PROJECTION["Stereographic"],PARAMETER["False_Easting",0.0],'
    'PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",0.0],PARAMETER["Scale_Factor",1.0],'
    'PARAMETER["Latitude_Of_Origin",-90.0],UNIT["Meter",1.0]]'
)
"""The polar map as ArcGIS writes it beside a shapefile."""


def write(product: str, folder: Path, half_width_m: float = 48_000.0) -> None:
    """Write all files of a product, as they are downloaded, into a folder.

    Args:
        product: One of `PRODUCTS`.
        folder: Where; it is made.
        half_width_m: The files hold what lies in a square of twice that size about the pole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (name,) = (file.name for file in read_products(RESOURCES / "products.yaml")[product].files)
    target = folder / name
    if product == "psr_polygons_south":
        frame = shadows(half_width_m).to_crs(ESRI_SOUTH)
        _zipped_shapefile(target, frame, target.stem)
    elif product == "artemis_regions_2024":
        _zipped_shapefile(target, regions().to_crs(ESRI_SOUTH), "A3_9regions")
    else:
        _TABLES[product](half_width_m).to_csv(target, index=False, lineterminator="\n")


def unpacked(product: str, folder: Path, half_width_m: float = 48_000.0) -> Path:
    """Write a product as it lies after fetching, archives unpacked, with its receipt; return the receipt."""
    write(product, folder, half_width_m)
    for archive in sorted([*folder.glob("*.zip"), *folder.glob("*.ZIP")]):
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)
    return receipt_of(product, folder)


def receipt_of(product: str, folder: Path) -> Path:
    """Write the receipt of whatever lies in a folder; return its path."""
    entry = read_products(RESOURCES / "products.yaml").get(product)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "receipt.json")
    held = Receipt(
        product=product,
        version="1" if entry is None else entry.version,
        title=product if entry is None else entry.title,
        licence="unknown" if entry is None else entry.licence,
        citation="nobody" if entry is None else entry.citation,
        files=tuple(
            Downloaded(
                name=path.relative_to(folder).as_posix(),
                bytes=path.stat().st_size,
                sha256="0" * 64,
                url="",
                checked="made up",
            )
            for path in files
        ),
    )
    path = folder / "receipt.json"
    download.write(path, DOWNLOAD, held, _stamp())
    return path


def _stamp() -> Stamp:
    return Stamp.model_validate(
        {
            "artefact": "download",
            "stage": "fetch-product",
            "run": "any",
            "settings_hash": "0" * 64,
            "code": "0" * 16,
            "inputs": {},
            "git_commit": None,
            "git_dirty": None,
            "seed": None,
            "origin": "published",
        }
    )


@cache
def moon() -> SyntheticMoon:
    """Return the Moon that all made-up products show."""
    return SyntheticMoon.build(read_features(RESOURCES / "named_features.csv"), seed=7)


@cache
def craters(half_width_m: float) -> pd.DataFrame:
    """Return its craters, largest first: the truth that the catalogues tell."""
    grid = Grid.centred(half_width_m, 240.0, 960.0)
    return moon().crater_table(grid, LEAST_DIAMETER_M)


def _robbins(half_width_m: float) -> pd.DataFrame:
    truth = craters(half_width_m)
    rows = len(truth)
    table = pd.DataFrame(dict.fromkeys(ROBBINS, np.zeros(rows)))
    table["CRATER_ID"] = [f"00-1-{number:06d}" for number in range(rows)]
    table["LAT_CIRC_IMG"] = table["LAT_ELLI_IMG"] = truth["lat_deg"].round(6)
    table["LON_CIRC_IMG"] = table["LON_ELLI_IMG"] = (truth["lon_deg"] % 360.0).round(6)
    table["DIAM_CIRC_IMG"] = table["DIAM_ELLI_MAJOR_IMG"] = (truth["diameter_m"] / 1000.0).round(5)
    table["DIAM_ELLI_MINOR_IMG"] = table["DIAM_ELLI_MAJOR_IMG"]
    table["ARC_IMG"], table["PTS_RIM_IMG"] = 1.0, 100
    return _with_far_side(table, "LAT_CIRC_IMG")


def _lu(half_width_m: float) -> pd.DataFrame:
    truth = craters(half_width_m)
    table = pd.DataFrame(
        {
            "ID": truth["id"] + 1,
            "Lon": truth["lon_deg"].round(6),
            "Lat": truth["lat_deg"].round(6),
            "Diameter (m)": truth["diameter_m"].round(1),
            "Depth (m)": truth["depth_m"].round(1),
        }
    )
    return _with_far_side(table, "Lat", "ID")


def _with_far_side(table: pd.DataFrame, lat: str, number: str | None = None) -> pd.DataFrame:
    """Add the same craters at the other pole: a catalogue is of the whole Moon."""
    other = table.assign(**{lat: -table[lat]})
    if number is not None:
        other[number] += len(table)
    return pd.concat([table, other], ignore_index=True)


def _wueller(half_width_m: float) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    x_m, y_m = rng.uniform(-0.9 * half_width_m, 0.9 * half_width_m, (2, 130))
    lon_deg, lat_deg = xy_to_lonlat(x_m, y_m)
    return pd.DataFrame(
        {
            "Site_ID": [f"S{number:03d}" for number in range(130)],
            "Longitude (deg)": lon_deg.round(5),
            "Latitude (deg)": lat_deg.round(5),
            "Sun days": rng.uniform(5.0, 25.0, 130).round(2),
            "Earth days": rng.uniform(8.0, 28.0, 130).round(2),
        }
    )


_TABLES = {"robbins_2018": _robbins, "lu1319373": _lu, "lu1319381": _lu, "wueller_2026": _wueller}


def shadows(half_width_m: float) -> gpd.GeoDataFrame:
    """Return made-up regions of permanent shadow on the polar map: floors of the largest craters.

    The second has a lit island, the last crosses itself.
    """
    table = craters(half_width_m).head(8)
    floors = [shapely.Point(row.x_m, row.y_m).buffer(max(0.3 * row.diameter_m, 1_400.0)) for row in table.itertuples()]
    floors[1] = floors[1].difference(floors[1].centroid.buffer(300.0))
    corner = 0.8 * half_width_m
    floors.append(shapely.Polygon([(corner, corner), (-corner, -corner), (corner, -corner), (-corner, corner)]))
    areas = [shape.area / 1e6 for shape in floors]
    ids = [f"SP_{number:06d}" for number in range(len(floors))]
    return gpd.GeoDataFrame({"PSR_ID": ids, "AREA_KM2": areas}, geometry=floors, crs=Grid.centred(96e3, 960, 960).crs)


def regions() -> gpd.GeoDataFrame:
    """Return the candidate regions of resources/artemis_regions.csv on the polar map."""
    table = pd.read_csv(RESOURCES / "artemis_regions.csv")
    rows: list[Mapping[str, object]] = []
    for number, (code, corners) in enumerate(table.groupby("code", sort=False), 1):
        x_m, y_m = lonlat_to_xy(corners["lon_deg"].to_numpy(), corners["lat_deg"].to_numpy())
        first = corners.iloc[0]
        shape = shapely.Polygon(np.column_stack([x_m, y_m]))
        names = {"OBJECTID": number, "Region": first["region"], "Area_km2": first["area_km2"], "RegionCode": code}
        rows.append({**names, "geometry": shape})
    return gpd.GeoDataFrame(rows, crs=Grid.centred(96e3, 960, 960).crs)


def _zipped_shapefile(target: Path, frame: gpd.GeoDataFrame, stem: str) -> None:
    folder = target.with_suffix(".folder")
    folder.mkdir()
    shape = folder / f"{stem}.shp"
    pyogrio.write_dataframe(frame, shape, driver="ESRI Shapefile")
    shape.with_suffix(".prj").write_text(ESRI_SOUTH)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for part in sorted(folder.iterdir()):
            packed.write(part, part.name)
            part.unlink()
    folder.rmdir()
