"""ShadowCam: composites of the floor of a shadowed crater, and mapped frames with their times.

Composites (Fassett 2024, Zenodo 11175455): one-band GeoTIFFs of 64-bit floats with pixels of 1.71 m; no data is the
lowest number there is. A user's own may hold what is saturated, and published sunlight, in further bands. Frames:
GeoTIFFs on the polar map, with a table images.csv that tells of each when it was taken and where the Sun stood
overhead. Both are averaged, area by area, onto polar grids of whole pixels from the pole, and read window by window: a
composite never enters memory whole. Brightness stays in the publisher's numbers, small negative ones (noise) included.
This module must not know what the brightness is compared with.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunarsite.grid import Grid
from lunarsite.source.fine import fine_grid
from lunarsite.source.images.members import ImageSet, listed
from lunarsite.source.kinds import LocalError
from lunarsite.source.local import Quantity, opened

BRIGHTNESS = Quantity("brightness", "1", -1.0, 1.0e3, "is its no-data value declared, and is it a calibrated image?")
FRAME_TABLE = "images.csv"
SATURATED = Quantity("mark of saturation", "1", 0.0, 1.0, "1 means saturated and 0 not; is it another band?")
VISIBILITY = Quantity("visibility of the Sun", "%", 0.0, 100.0, "it is a share of time in percent; is it another band?")
CACHE_BYTES = 128 * 2**20
"""What GDAL may keep of an image that is read; of itself it takes a twentieth of the machine's memory."""
_COLUMNS = ("file", "utc", "subsolar_lat_deg", "subsolar_lon_deg")
_MOST_SUBSOLAR_LAT_DEG = 2.0
_MOST_TABLE_BYTES = 1 << 24
_MOST_FRAME_PX = 1 << 24
_TIFF = (".tif", ".tiff")
_FIRST_KPLO_YEAR = 2022


@dataclass(frozen=True)
class Frame:
    """One mapped frame: its name, file, start of exposure, and the point below the Sun (longitude -180..180)."""

    name: str
    path: Path
    utc: dt.datetime
    subsolar_lon_deg: float
    subsolar_lat_deg: float


def part_of(images: ImageSet, part: str) -> Path:
    """Return the composite whose file is called `part`, suffix aside.

    Raises:
        LocalError: There is none, or more than one.
    """
    rasters = {name: path for name, path in images.files.items() if PurePosixPath(name).suffix.lower() in _TIFF}
    found = [path for name, path in rasters.items() if PurePosixPath(name).stem == part]
    if len(found) != 1:
        raise LocalError(
            f"{images.field}: holds {len(found)} rasters called '{part}', needed is one; there are"
            f" {listed((PurePosixPath(name).stem for name in rasters), 10) or 'none'}"
        )
    return found[0]


def snapped_grid(path: Path, run: Grid, pixel_m: float, field: str, band: int | None = None) -> Grid:
    """Return the polar grid onto which an image is averaged: pixels of `pixel_m`, whole ones from the pole.

    An image whose own pixels are as large or larger keeps these. It is cut to the run's map.

    Args:
        path: GeoTIFF with a lunar CRS.
        run: The run's map; the size of its pixels does not matter.
        pixel_m: Pixel size wanted, metres.
        field: Setting or product, for messages.
        band: The band that is read, of a file that may have others.

    Raises:
        LocalError: The file cannot be used, or does not overlap the run's map (see `fine.fine_grid`).
    """
    own = fine_grid(path, run, field, band)
    if own.pixel_m >= pixel_m * (1.0 - 1e-6):
        return own
    left, bottom, right, top = own.bounds_m
    first_col, last_col = math.floor(left / pixel_m + 1e-9), math.ceil(right / pixel_m - 1e-9)
    first_row, last_row = math.floor(bottom / pixel_m + 1e-9), math.ceil(top / pixel_m - 1e-9)
    shape = last_row - first_row, last_col - first_col
    return Grid(first_col * pixel_m, last_row * pixel_m, pixel_m, *shape, run.pole)


def parse_frames(data: bytes, where: str) -> list[tuple[str, dt.datetime, float, float]]:
    """Return (file, UTC, subsolar longitude in -180..180, subsolar latitude) of each line of a table of frames.

    Raises:
        LocalError: A column is missing, a time is none (without a zone it is UTC, as the column's name says), a number
            is none or out of range, or a frame stands there twice.
    """
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        absent = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
        if absent:
            raise LocalError(f"{where}: lacks the columns {absent}; needed are {list(_COLUMNS)}")
        rows = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise LocalError(f"{where}: is no readable CSV ({error})") from error
    found = [_frame(row, f"{where}: line {line}") for line, row in rows]
    # Frames are told apart by the first part of their files' names.
    twice = [name for name, count in Counter(_stem(name) for name, *_ in found).items() if count > 1]
    if twice or not found:
        raise LocalError(f"{where}: {'names twice: ' + listed(twice) if twice else 'tells of no frames'}")
    return found


def frames_of(images: ImageSet) -> list[Frame]:
    """Return the frames of a set in the order of their times: those of its table.

    Raises:
        LocalError: The table is missing or broken, or a file that it names is; the message counts.
    """
    tables = [path for name, path in images.files.items() if PurePosixPath(name).name == FRAME_TABLE]
    if len(tables) != 1:
        raise LocalError(
            f"{images.field}: holds {len(tables)} tables {FRAME_TABLE}, needed is one with the columns"
            f" {list(_COLUMNS)}: when each frame was taken is not in the images"
        )
    if tables[0].stat().st_size > _MOST_TABLE_BYTES:
        raise LocalError(f"{images.field}: {tables[0]}: is larger than any table of frames")
    rows = parse_frames(tables[0].read_bytes(), f"{images.field}: {tables[0]}")
    rasters = {
        PurePosixPath(name).name: path
        for name, path in images.files.items()
        if PurePosixPath(name).suffix.lower() in _TIFF
    }
    wanted = {name for name, *_ in rows}
    missing, untold = wanted - rasters.keys(), rasters.keys() - wanted
    if missing:
        raise LocalError(
            f"{images.field}: {tables[0]}: of {len(wanted)} frames {len(missing)} are not there ({listed(missing)}),"
            f" and of {len(untold)} images it does not tell ({listed(untold) or 'none'})"
        )
    frames = [Frame(_stem(name), rasters[name], utc, lon, lat) for name, utc, lon, lat in rows]
    return sorted(frames, key=lambda frame: (frame.utc, frame.name))


def untold(images: ImageSet, frames: list[Frame]) -> list[str]:
    """Return the names of a set's rasters that are none of its frames: its table does not tell when they were taken."""
    known = {frame.path for frame in frames}
    return [
        name for name, path in images.files.items() if PurePosixPath(name).suffix.lower() in _TIFF and path not in known
    ]


def frame_grids(frames: list[Frame], run: Grid, pixel_m: float, field: str) -> list[Grid]:
    """Return the grid of each frame; see `snapped_grid`.

    Raises:
        LocalError: A frame cannot be used, or is too large to be held as one image.
    """
    grids = [snapped_grid(frame.path, run, pixel_m, field) for frame in frames]
    rows, cols = max(grid.rows for grid in grids), max(grid.cols for grid in grids)
    if rows * cols > _MOST_FRAME_PX:
        raise LocalError(
            f"{field}: frames of {rows} x {cols} pixels are too large to be kept as one image each; raise"
            " source.shadowcam_frames.pixel_m"
        )
    return grids


def frame_arrays(frames: list[Frame], grids: list[Grid], field: str) -> Iterator[Mapping[str, NDArray[Any]]]:
    """Yield the arrays of the contract SHADOWCAM_FRAMES, one frame at a time.

    Raises:
        LocalError: A frame cannot be read, or holds no data on the run's map.
    """
    rows, cols = max(grid.rows for grid in grids), max(grid.cols for grid in grids)
    for frame, grid in zip(frames, grids, strict=True):
        image = np.full((1, rows, cols), np.nan, dtype=np.float32)
        with opened(frame.path, grid, field, BRIGHTNESS) as raster:
            image[0, : grid.rows, : grid.cols] = raster.read()
        numbers = {
            "subsolar_lon_deg": frame.subsolar_lon_deg,
            "subsolar_lat_deg": frame.subsolar_lat_deg,
            "pixel_m": grid.pixel_m,
            "x_min_m": grid.x_min_m,
            "y_max_m": grid.y_max_m,
        }
        yield {
            "brightness": image,
            "frame": np.array([frame.name], dtype=object),
            "utc": np.array([frame.utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ")], dtype=object),
            "rows": np.array([grid.rows], dtype=np.int64),
            "cols": np.array([grid.cols], dtype=np.int64),
            **{name: np.array([value], dtype=np.float64) for name, value in numbers.items()},
        }


def _stem(name: str) -> str:
    """Name of a frame: its file's up to the first dot (M012728826S.60m.tif)."""
    return name.split(".", 1)[0]


def _frame(row: Mapping[str | None, Any], where: str) -> tuple[str, dt.datetime, float, float]:
    values = [row.get(name) for name in _COLUMNS]
    if None in row or not all(isinstance(value, str) and value.strip() for value in values):
        raise LocalError(f"{where}: has another number of values than columns, or empty ones")
    name, time, lat_text, lon_text = (str(value).strip() for value in values)
    if PurePosixPath(name).suffix.lower() not in _TIFF:
        raise LocalError(f"{where}: {name[:100]!r} is no GeoTIFF's name")
    try:
        utc = dt.datetime.fromisoformat(time)
        utc = utc.replace(tzinfo=dt.UTC) if utc.tzinfo is None else utc.astimezone(dt.UTC)
        lat_deg, lon_deg = float(lat_text), float(lon_text)
    except (ValueError, OverflowError) as error:
        raise LocalError(f"{where}: {error}; times are ISO 8601, angles degrees") from error
    if utc.year < _FIRST_KPLO_YEAR:
        raise LocalError(f"{where}: {time} is before ShadowCam flew")
    if not (abs(lat_deg) <= _MOST_SUBSOLAR_LAT_DEG and -180.0 <= lon_deg <= 360.0):
        raise LocalError(
            f"{where}: the Sun is never overhead at latitude {lat_text}, longitude {lon_text}; within 2 degrees of the"
            " equator and -180 to 360 degrees east are"
        )
    return PurePosixPath(name).name, utc, (lon_deg + 180.0) % 360.0 - 180.0, lat_deg
