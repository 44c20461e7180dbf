"""Published outlines of candidate landing regions, as a table of corners like resources/artemis_regions.csv."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import shapely

from lunarsite.artefact import download
from lunarsite.artefact.atomic import replacing
from lunarsite.artefact.contracts import DOWNLOAD
from lunarsite.grid import Grid, xy_to_lonlat
from lunarsite.source.kinds import LocalError
from lunarsite.source.published.shapes import map_area_km2, read_polygons, vector_file

_WHERE = "artemis_regions_2024"
_WANTED = {
    "region": ("Region", "Name", "RegionName", "Region_Name"),
    "code": ("RegionCode", "Region_Code", "Code"),
    "area_km2": ("Area_km2", "Area_sqkm"),
}
_AREA_TOLERANCE = 0.01
_MOST_CORNERS = 10_000


def read_published_regions(receipt: Path, grid: Grid) -> pd.DataFrame:
    """Read the outlines of candidate regions.

    Sides are straight on the polar map, so corners alone are projected, whatever coordinates the file has.

    Returns:
        region, code, corner_index (from 0, around the outline), lon_deg (-180..180), lat_deg, area_km2 (map plane, as
        listed, else ours), source; regions in the file's order.

    Raises:
        ArtefactError: The receipt is broken, or a file is missing.
        LocalError: The product holds no vector file or one that cannot be used, a region has no name or code, several
            parts or holes, or is not as large as the file says.
    """
    found, _ = download.read(receipt, DOWNLOAD)
    path = vector_file({file.name: receipt.parent / file.name for file in found.files}, f"{_WHERE}: {receipt}")
    where = f"{_WHERE}: {path}"
    read = read_polygons(path, grid, where, _WANTED, straight=True)
    for name in ("region", "code"):
        if name not in read.columns:
            raise LocalError(f"{where}: has no column for the {name}; read are {', '.join(_WANTED[name])}")
    if read.repaired or read.empty:
        raise LocalError(f"{where}: {read.repaired + read.empty} of its {read.read} outlines are no simple polygons")
    if not read.shapes.size:
        raise LocalError(f"{where}: holds no regions")
    source = f"{found.citation} ({found.licence})"
    parts = []
    for shape, row, ours_km2 in zip(
        read.shapes, read.columns.itertuples(index=False), map_area_km2(read.shapes), strict=True
    ):
        pieces = shapely.get_parts(shape)
        code = str(row.code)
        if len(pieces) != 1 or shapely.get_num_interior_rings(pieces[0]):
            raise LocalError(f"{where}: region '{code}' has several parts or holes; a region is one outline")
        corners = shapely.get_coordinates(pieces[0])[:-1]
        if len(corners) > _MOST_CORNERS:
            raise LocalError(f"{where}: region '{code}' has {len(corners)} corners, at most {_MOST_CORNERS} are read")
        listed_km2 = float(getattr(row, "area_km2", ours_km2))
        if not abs(listed_km2 - ours_km2) <= _AREA_TOLERANCE * ours_km2:
            raise LocalError(
                f"{where}: region '{code}' is listed with {listed_km2:g} km2, its outline has {ours_km2:.1f} km2 on the"
                " map; the file's coordinates or its areas are not what they are taken for"
            )
        lon_deg, lat_deg = xy_to_lonlat(corners[:, 0], corners[:, 1], grid.pole)
        parts.append(
            pd.DataFrame(
                {
                    "region": str(row.region),
                    "code": code,
                    "corner_index": np.arange(len(corners)),
                    "lon_deg": lon_deg,
                    "lat_deg": lat_deg,
                    "area_km2": listed_km2,
                    "source": source,
                }
            )
        )
    table = pd.concat(parts, ignore_index=True)
    repeated = table[table["corner_index"] == 0]["code"].duplicated()
    if repeated.any():
        raise LocalError(f"{where}: two regions have one code; codes tell them apart")
    return table


def write_regions(path: Path, table: pd.DataFrame) -> None:
    """Write the corners as a CSV table, degrees to nine digits."""
    with replacing(path) as partial:
        table.to_csv(partial, index=False, float_format="%.9g", lineterminator="\n", encoding="utf-8")
