"""The STAC catalogue of a run: one collection per room, one item per artefact.

Files: `catalog.json`, and beside it a folder with a collection and its items per room. All links are relative, so the
results folder can be moved as a whole. The Moon is named by the Solar System extension (`ssys:targets`), the map by
the projection extension; longitude and latitude are the Moon's, planetocentric and east positive, and never WGS 84.

STAC demands a time. An item's is the span over which the run averages light (`start_datetime`, `end_datetime`), in
which the terrain is taken as unchanging; nothing tells when a file was written, so the same run gives the same bytes.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pystac
from pyproj import CRS
from pystac.extensions.file import SCHEMA_URI as FILE_EXTENSION
from pystac.extensions.projection import SCHEMA_URI as PROJECTION_EXTENSION

from lunarsite.artefact.atomic import replacing, replacing_folder
from lunarsite.artefact.stamp import Origin
from lunarsite.grid import Grid, Pole, xy_to_lonlat
from lunarsite.publish.report import OF_ROCKS
from lunarsite.settings import GridSettings, SpanSettings

SOLAR_SYSTEM_EXTENSION = "https://stac-extensions.github.io/ssys/v1.1.1/schema.json"
_YEAR = dt.timedelta(days=365.25)
_BORDER_STEPS = 24
"""Places along each side of a grid by which its footprint is drawn."""
_SHA256_MULTIHASH = "1220"
"""Multihash prefix: function 0x12 (SHA-256), length 0x20."""
_MEDIA = {
    ".tif": pystac.MediaType.COG,
    ".parquet": pystac.MediaType.PARQUET,
    ".json": pystac.MediaType.JSON,
    ".html": pystac.MediaType.HTML,
    ".ubj": "application/octet-stream",
    ".h5": pystac.MediaType.HDF5,
    ".safetensors": "application/octet-stream",
}


@dataclass(frozen=True)
class Entry:
    """One artefact of the catalogue.

    `room` and `title` are for readers, `digest` is the file's SHA-256 in hex, `provenance` what else its stamp tells;
    `grid` is the raster's own grid and None for tables, models and records, which take the run's.
    """

    name: str
    room: str
    title: str
    path: Path
    digest: str
    run: str
    origin: Origin
    provenance: Mapping[str, Any]
    grid: Grid | None = None


def write_catalogue(
    path: Path, items: Path, title: str, entries: Sequence[Entry], grid: GridSettings, span: SpanSettings
) -> None:
    """Write the catalogue into `path` and its collections and items into the folder `items` beside it.

    Args:
        path: The catalogue's file.
        items: Folder for collections and items; what lies in it is replaced.
        title: Title of the run.
        entries: The artefacts.
        grid: The run's map.
        span: Time over which light is averaged.

    Raises:
        ValueError: The folder does not lie beside the catalogue.
    """
    if items.parent.resolve() != path.parent.resolve():
        raise ValueError(f"{items}: the catalogue's folder must lie beside {path}")
    start, end = interval(span)
    crs = _projection(grid.pole)
    root = _root(title, entries, [f"./{items.name}/{room}/collection.json" for room in _rooms(entries)])
    files: dict[Path, dict[str, Any]] = {}
    for room, members in _rooms(entries).items():
        folder = Path(items.name) / room
        boxes = []
        for entry in members:
            item = _item(entry, grid, crs, (start, end), path.parent / folder)
            boxes.append(item["bbox"])
            files[folder / f"{entry.name}.json"] = item
        files[folder / "collection.json"] = _collection(room, members, boxes, (start, end))
    with replacing_folder(items) as fresh:
        for place, content in files.items():
            target = fresh / place.relative_to(items.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_json(content), encoding="utf-8")
    with replacing(path) as partial:
        partial.write_text(_json(root), encoding="utf-8")


def interval(span: SpanSettings) -> tuple[dt.datetime, dt.datetime]:
    """Return the first and last moment of the run's time span, whole seconds, UTC."""
    start = dt.datetime.combine(span.start_utc, dt.time(), dt.UTC)
    return start, (start + span.years * _YEAR).replace(microsecond=0)


def footprint(grid: Grid) -> tuple[dict[str, Any], list[float]]:
    """Return the GeoJSON geometry and the box (degrees) that a grid covers.

    A grid that holds the pole covers all longitudes: its outline in longitude and latitude is a box, the smallest that
    holds it. Any other is the polygon of its border, in which longitudes may run past 180 degrees to stay in one piece.
    """
    left, bottom, right, top = grid.bounds_m
    x, y = _border(left, right, bottom, top)
    lon, lat = xy_to_lonlat(x, y, grid.pole)
    # A border that passes the pole within a step jumps in longitude, so such a grid counts as holding the pole.
    step = max(right - left, top - bottom) / _BORDER_STEPS
    if left - step <= 0.0 <= right + step and bottom - step <= 0.0 <= top + step:
        limits = (-90.0, float(lat.max())) if grid.pole == "south" else (float(lat.min()), 90.0)
        box = [-180.0, round(limits[0], 6), 180.0, round(limits[1], 6)]
        return _box_polygon(box), box
    lon = np.degrees(np.unwrap(np.radians(lon)))
    lon -= 360.0 * np.round(lon.mean() / 360.0)
    ring = [[round(float(a), 6), round(float(b), 6)] for a, b in zip(lon, lat, strict=True)]
    box = [round(float(v), 6) for v in (lon.min(), lat.min(), lon.max(), lat.max())]
    return {"type": "Polygon", "coordinates": [ring]}, box


def _border(left: float, right: float, bottom: float, top: float) -> tuple[Any, Any]:
    """Return a closed ring of places on a rectangle's border, anticlockwise from the lower left."""
    share = np.arange(_BORDER_STEPS) / _BORDER_STEPS
    full, none = np.ones(_BORDER_STEPS), np.zeros(_BORDER_STEPS)
    x = left + (right - left) * np.concatenate([share, full, 1.0 - share, none, [0.0]])
    y = bottom + (top - bottom) * np.concatenate([none, share, full, 1.0 - share, [0.0]])
    return x, y


def _box_polygon(box: Sequence[float]) -> dict[str, Any]:
    west, south, east, north = box
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def _projection(pole: Pole) -> dict[str, Any]:
    crs = CRS.from_authority("IAU_2015", 30135 if pole == "south" else 30130)
    return {
        "proj:code": f"IAU_2015:{30135 if pole == 'south' else 30130}",
        "proj:wkt2": crs.to_wkt("WKT2_2019"),
        "proj:projjson": json.loads(crs.to_json()),
    }


def _rooms(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    rooms: dict[str, list[Entry]] = {}
    for entry in entries:
        rooms.setdefault(entry.room, []).append(entry)
    return rooms


def _root(title: str, entries: Sequence[Entry], children: Sequence[str]) -> dict[str, Any]:
    catalogue = pystac.Catalog(
        id=f"lunarsite-{entries[0].run}", title=title, description=_description(title, entries)
    ).to_dict()
    catalogue["stac_extensions"] = []
    catalogue["links"] = [
        _link("root", "./catalog.json"),
        *(_link("child", place) for place in children),
    ]
    return catalogue


def _description(title: str, entries: Sequence[Entry]) -> str:
    synthetic = any(entry.origin == "synthetic" for entry in entries if not entry.name.startswith(OF_ROCKS))
    warning = " SYNTHETIC: every artefact goes back to a made Moon." if synthetic else ""
    return f"{title}, run '{entries[0].run}': elevation, slope, light, cells, scores and verdicts.{warning}"


def _collection(
    room: str, members: Sequence[Entry], boxes: Sequence[Sequence[float]], times: tuple[dt.datetime, dt.datetime]
) -> dict[str, Any]:
    whole = [min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)]
    run, origin = members[0].run, members[0].origin
    collection = pystac.Collection(
        id=f"lunarsite-{run}-{room}",
        title=f"{room[0].upper()}{room[1:]}",
        description=f"Artefacts of the room '{room}' of run '{run}', origin: {origin}.",
        extent=pystac.Extent(pystac.SpatialExtent([whole]), pystac.TemporalExtent([list(times)])),
        license="other",
        keywords=["Moon", "lunar pole", origin],
    ).to_dict()
    collection["stac_extensions"] = [SOLAR_SYSTEM_EXTENSION]
    collection["summaries"] = {"ssys:targets": ["Moon"]}
    collection["ssys:targets"] = ["Moon"]
    collection["links"] = [
        _link("root", "../../catalog.json"),
        _link("parent", "../../catalog.json"),
        *(_link("item", f"./{entry.name}.json", "application/geo+json") for entry in members),
    ]
    return collection


def _item(
    entry: Entry, grid: GridSettings, crs: Mapping[str, Any], times: tuple[dt.datetime, dt.datetime], folder: Path
) -> dict[str, Any]:
    own = entry.grid or Grid.centred(grid.half_width_m, grid.pixel_m, grid.cell_m, grid.pole)
    geometry, box = footprint(own)
    left, bottom, right, top = own.bounds_m
    projected: dict[str, Any] = {**crs, "proj:bbox": [left, bottom, right, top]}
    if entry.grid is not None:
        projected["proj:shape"] = list(own.shape)
        projected["proj:transform"] = list(own.affine)[:6]
    item = pystac.Item(
        id=f"lunarsite-{entry.run}-{entry.name}",
        geometry=geometry,
        bbox=box,
        datetime=None,
        start_datetime=times[0],
        end_datetime=times[1],
        properties={
            "title": f"{entry.title} (synthetic)" if entry.origin == "synthetic" else entry.title,
            "ssys:targets": ["Moon"],
            **projected,
            "lunarsite:run": entry.run,
            "lunarsite:origin": entry.origin,
            **{f"lunarsite:{key}": value for key, value in entry.provenance.items()},
        },
        collection=f"lunarsite-{entry.run}-{entry.room}",
    ).to_dict()
    item["stac_extensions"] = [FILE_EXTENSION, PROJECTION_EXTENSION, SOLAR_SYSTEM_EXTENSION]
    item["assets"] = {
        "data": {
            "href": Path(os.path.relpath(entry.path.resolve(), folder.resolve())).as_posix(),
            "type": str(_MEDIA.get(entry.path.suffix, "application/octet-stream")),
            "title": entry.path.name,
            "roles": ["metadata" if entry.path.suffix in (".json", ".html") else "data"],
            "file:checksum": _SHA256_MULTIHASH + entry.digest,
            "file:size": entry.path.stat().st_size,
        }
    }
    item["links"] = [
        _link("root", "../../catalog.json"),
        _link("parent", "./collection.json"),
        _link("collection", "./collection.json"),
    ]
    return item


def _link(rel: str, href: str, media: str = "application/json") -> dict[str, str]:
    return {"rel": rel, "href": href, "type": media}


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"
