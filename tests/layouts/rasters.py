"""Small files of the published rasters, with the exact names, types, scales, no-data values and pixels.

All show the synthetic Moon of seed 7. Light, Earth view and shadow follow from how far a place stands above its
surroundings: no horizons are computed, but what is high is lit and what is shadowed is not. Each file is the published
one cut to a square about the pole, on the published pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.crs import CRS
from rasterio.io import MemoryFile
from scipy.ndimage import gaussian_filter

from lunarsite.grid import Grid
from lunarsite.source.products import read_products

from .tables import RESOURCES, moon

MOON_ME = CRS.from_wkt(
    'PROJCS["MOON_ME_DE421 South Polar Stereographic",GEOGCS["MOON_ME_DE421",DATUM["MOON_ME_DE421",'
    'SPHEROID["Moon_Sphere",1737400,0]],PRIMEM["Reference_Meridian",0],UNIT["degree",0.0174532925199433]],'
    'PROJECTION["Polar_Stereographic"],PARAMETER["latitude_of_origin",-90],PARAMETER["central_meridian",0],'
    'PARAMETER["scale_factor",1],PARAMETER["false_easting",0],PARAMETER["false_northing",0],UNIT["metre",1]]'
)
SHARE_SCALE = 0.00004
"""Scale of the bands of PGDA 69."""
HEIGHT_SCALE = 0.5
"""SCALING_FACTOR of LOLA's labels."""
_SURROUNDINGS_M = 3_000.0

Maker = Callable[[Grid], np.ndarray]


@cache
def heights(grid: Grid) -> np.ndarray:
    """Return the Moon's heights, metres."""
    return moon().heights(grid)


def slope_deg(grid: Grid) -> np.ndarray:
    """Return slopes between neighbouring pixels, degrees."""
    down, right = np.gradient(heights(grid).astype(np.float64), grid.pixel_m)
    return np.degrees(np.arctan(np.hypot(down, right))).astype(np.float32)


def height_error(grid: Grid) -> np.ndarray:
    """Return height errors that grow with the slope, metres."""
    return (0.5 + 0.1 * slope_deg(grid)).astype(np.float32)


def sun(grid: Grid) -> np.ndarray:
    """Return the share of time with sunlight."""
    return np.clip(0.35 + 0.25 * _prominence(grid), 0.0, 0.88)


def earth(grid: Grid) -> np.ndarray:
    """Return the share of time with Earth view: more on the side that faces it."""
    facing = np.tanh(grid.y_m() / 30_000.0)[:, None]
    return np.clip(0.5 + 0.4 * facing + 0.15 * _prominence(grid), 0.0, 1.0)


def psr(grid: Grid) -> np.ndarray:
    """Return permanent shadow: 1 where the Sun never shines, else 0."""
    return (sun(grid) <= 0.0).astype(np.uint8)


def _prominence(grid: Grid) -> np.ndarray:
    """Height above the surroundings in units of 200 m; the same for any cut of a product."""
    margin = math.ceil(3.0 * _SURROUNDINGS_M / grid.pixel_m)
    corner = grid.x_min_m - margin * grid.pixel_m, grid.y_max_m + margin * grid.pixel_m
    wider = Grid(*corner, grid.pixel_m, grid.rows + 2 * margin, grid.cols + 2 * margin)
    ground = heights(wider).astype(np.float64)
    above = ground - gaussian_filter(ground, _SURROUNDINGS_M / grid.pixel_m, truncate=3.0)
    return above[margin:-margin, margin:-margin] / 200.0


def _as_shares(maker: Maker) -> Maker:
    return lambda grid: np.round(maker(grid) / SHARE_SCALE).astype(np.int16)


_FLOAT = {"nodata": np.nan, "crs": MOON_ME}
_SHARE = {"crs": MOON_ME, "scale": SHARE_SCALE}
_CLASS = {"crs": MOON_ME}
# Pixel size in metres, the published file's pixels along a side, its values, and how they are stored.
_LAYOUTS: dict[str, tuple[float, int, Maker, dict[str, object]]] = {
    "lola_dem_80s_80m": (80.0, 7_600, heights, _FLOAT),
    "lola_dem_80s_40m": (40.0, 15_200, heights, _FLOAT),
    "lola_dem_80s_20m": (20.0, 30_400, heights, _FLOAT),
    "lola_dem_80s_80m_error": (80.0, 7_600, height_error, _FLOAT),
    "lola_dem_80s_40m_error": (40.0, 15_200, height_error, _FLOAT),
    "lola_dem_80s_20m_error": (20.0, 30_400, height_error, _FLOAT),
    "lola_slope_80s_20m": (20.0, 30_400, slope_deg, _FLOAT),
    "lola_slope_80s_80m": (80.0, 7_600, slope_deg, _FLOAT),
    "lola_dem_60s_240m": (240.0, 7_760, heights, {}),
    "lola_dem_75s_120m": (120.0, 7_624, heights, {}),
    "sun_85s_60m": (60.0, 5_058, _as_shares(sun), _SHARE),
    "sun_75s_120m": (120.0, 7_624, _as_shares(sun), _SHARE),
    "sun_65s_240m": (240.0, 6_420, _as_shares(sun), _SHARE),
    "earth_85s_60m": (60.0, 5_058, _as_shares(earth), _SHARE),
    "earth_75s_120m": (120.0, 7_624, _as_shares(earth), _SHARE),
    "earth_65s_240m": (240.0, 6_420, _as_shares(earth), _SHARE),
    "psr_85s_60m": (60.0, 5_058, psr, _CLASS),
    "psr_75s_120m": (120.0, 7_624, psr, _CLASS),
}
PRODUCTS = tuple(_LAYOUTS)


def grid_of(product: str, half_width_m: float) -> Grid:
    """Return the published pixels within a square about the pole, which lies between pixels."""
    pixel_m, side, _, _ = _LAYOUTS[product]
    half = max(1, min(side // 2, int(half_width_m // pixel_m)))
    return Grid(-half * pixel_m, half * pixel_m, pixel_m, 2 * half, 2 * half)


def write(product: str, folder: Path, half_width_m: float = 48_000.0) -> None:
    """Write all files of a product, as they are downloaded, into a folder.

    Args:
        product: One of `PRODUCTS`.
        folder: Where; it is made.
        half_width_m: The files hold what lies in a square of twice that size about the pole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [file.name for file in read_products(RESOURCES / "products.yaml")[product].files]
    grid = grid_of(product, half_width_m)
    _, _, maker, stored = _LAYOUTS[product]
    if any(name.endswith(".LBL") for name in names):
        image = next(name for name in names if name.endswith(".IMG"))
        write_img(folder / image, grid, maker(grid))
        return
    (name,) = names
    write_tiff(folder / name, grid, maker(grid), **stored)


def write_tiff(path: Path, grid: Grid, values: np.ndarray, *, crs: CRS = MOON_ME, **stored: object) -> Path:
    """Write a cloud-optimised GeoTIFF; `scale` and `nodata` are declared if given."""
    profile = {"driver": "GTiff", "width": grid.cols, "height": grid.rows, "count": 1, "dtype": values.dtype.name}
    profile |= {"crs": crs, "transform": grid.affine, "nodata": stored.get("nodata")}
    with MemoryFile() as memory:
        with memory.open(**profile) as dataset:
            dataset.write(values, 1)
            if "scale" in stored:
                dataset.scales = (stored["scale"],)
        with memory.open() as dataset:
            rasterio.shutil.copy(dataset, path, driver="COG", blocksize=512, compress="DEFLATE")
    return path


def write_img(path: Path, grid: Grid, ground: np.ndarray, *, scale: float = HEIGHT_SCALE, **changes: str) -> Path:
    """Write LOLA's raw image of heights and its detached label; return the label."""
    np.round(ground / scale).astype("<i2").tofile(path)
    label = path.with_suffix(".LBL")
    label.write_text(label_text(path.name, grid, scale=scale, **changes), encoding="ascii", newline="")
    return label


def write_jp2(path: Path, grid: Grid, ground: np.ndarray, tile_px: int | None = None) -> Path:
    """Write LOLA's lossless JPEG 2000 image of heights and its detached label; return the label."""
    tiles = {} if tile_px is None else {"BLOCKXSIZE": tile_px, "BLOCKYSIZE": tile_px}
    numbers = np.round(ground / HEIGHT_SCALE).astype(np.int16)
    profile = {"driver": "GTiff", "width": grid.cols, "height": grid.rows, "count": 1, "dtype": "int16"}
    with MemoryFile() as memory:
        with memory.open(**profile, crs=MOON_ME, transform=grid.affine) as dataset:
            dataset.write(numbers, 1)
        with memory.open() as dataset:
            how = {"QUALITY": "100", "REVERSIBLE": "YES", "GMLJP2": "NO", **tiles}
            rasterio.shutil.copy(dataset, path, driver="JP2OpenJPEG", **how)
    label = path.with_suffix(".LBL")
    label.write_text(label_text(path.name, grid, packed=True), encoding="ascii", newline="")
    return label


def label_text(name: str, grid: Grid, *, packed: bool = False, scale: float = HEIGHT_SCALE, **changes: str) -> str:
    """Return the text of a label as those of LOLA's gridded data records; `changes` replace keywords' values."""
    image = f"""OBJECT                        = IMAGE
  NAME                        = HEIGHT
  DESCRIPTION                 = "Each sample represents height relative to a
    reference radius (OFFSET) and is generated using preprocessed LOLA data
    (TAB), extracted by software at the LOLA SOC."
  LINES                       = {grid.rows}
  LINE_SAMPLES                = {grid.cols}
  MAXIMUM                     = 7000.
  MINIMUM                     = -9000.
  SAMPLE_TYPE                 = LSB_INTEGER
  SAMPLE_BITS                 = 16
  UNIT                        = METER
  SCALING_FACTOR              = {scale}
  OFFSET                      = 1737400.

/* NOTE:                                                                   */
/* Conversion from Digital Number to HEIGHT, i.e. elevation in meters, is: */
/* HEIGHT = (DN * SCALING_FACTOR).                                         */
/* The conversion from Digital Number to PLANETARY_RADIUS in meters is:    */
/* PLANETARY_RADIUS = (DN * SCALING_FACTOR) + OFFSET                       */
/* where OFFSET is the radius of a reference sphere.                       */

END_OBJECT                    = IMAGE"""
    pointer = f"""RECORD_TYPE                   = FIXED_LENGTH
FILE_RECORDS                  = {grid.rows}
RECORD_BYTES                  = {2 * grid.cols}
^IMAGE                        = "{name}"
"""
    if packed:
        pointer = ""
        image = f"""OBJECT                        = COMPRESSED_FILE
  FILE_NAME                   = "{name}"
  RECORD_TYPE                 = UNDEFINED
  ENCODING_TYPE               = "JP2"
  ENCODING_TYPE_VERSION_NAME  = "ISO/IEC15444-1:2004"
  INTERCHANGE_FORMAT          = BINARY
  UNCOMPRESSED_FILE_NAME      = "{Path(name).stem}.IMG"
  REQUIRED_STORAGE_BYTES      = {2 * grid.rows * grid.cols}
END_OBJECT                    = COMPRESSED_FILE

OBJECT                        = UNCOMPRESSED_FILE
  FILE_NAME                   = "{Path(name).stem}.IMG"
  RECORD_TYPE                 = FIXED_LENGTH
  RECORD_BYTES                = {2 * grid.cols}
  FILE_RECORDS                = {grid.rows}
  ^IMAGE                      = "{Path(name).stem}.IMG"
{image}
END_OBJECT                    = UNCOMPRESSED_FILE"""
    text = f"""PDS_VERSION_ID                = "PDS3"

/*** FILE FORMAT ***/
{pointer}
/*** GENERAL DATA DESCRIPTION PARAMETERS ***/
PRODUCT_VERSION_ID            = "V2.0"
DATA_SET_ID                   = "LRO-L-LOLA-4-GDR-V1.0"
PRODUCT_ID                    = "{Path(name).stem}"
INSTRUMENT_HOST_NAME          = "LUNAR RECONNAISSANCE ORBITER"
INSTRUMENT_NAME               = "LUNAR ORBITER LASER ALTIMETER"
INSTRUMENT_ID                 = "LOLA"
TARGET_NAME                   = "MOON"
START_TIME                    = 2009-07-13T17:33:17
STOP_TIME                     = 2016-11-29T05:48:19
PRODUCT_CREATION_TIME         = 2017-03-15T00:00:00
PRODUCER_ID                   = LRO_LOLA_TEAM

{image}

OBJECT                        = IMAGE_MAP_PROJECTION
  ^DATA_SET_MAP_PROJECTION     = "DSMAP_POLAR.CAT"
  MAP_PROJECTION_TYPE          = "POLAR STEREOGRAPHIC"
  MAP_RESOLUTION               = {np.radians(1.0) * 1_737_400.0 / grid.pixel_m:.2f} <pix/deg>
  A_AXIS_RADIUS                = 1737.4 <km>
  B_AXIS_RADIUS                = 1737.4 <km>
  C_AXIS_RADIUS                = 1737.4 <km>
  FIRST_STANDARD_PARALLEL      = 'N/A'
  SECOND_STANDARD_PARALLEL     = 'N/A'
  POSITIVE_LONGITUDE_DIRECTION = "EAST"
  CENTER_LATITUDE              = -90 <deg>
  CENTER_LONGITUDE             = 0 <deg>
  REFERENCE_LATITUDE           = 'N/A'
  REFERENCE_LONGITUDE          = 'N/A'
  LINE_FIRST_PIXEL             = 1
  LINE_LAST_PIXEL              = {grid.rows}
  SAMPLE_FIRST_PIXEL           = 1
  SAMPLE_LAST_PIXEL            = {grid.cols}
  MAP_PROJECTION_ROTATION      = 0.0
  MAP_SCALE                    = {grid.pixel_m:g} <m/pix>
  MAXIMUM_LATITUDE             = -60 <deg>
  MINIMUM_LATITUDE             = -90 <deg>
  WESTERNMOST_LONGITUDE        = 0 <deg>
  EASTERNMOST_LONGITUDE        = 360 <deg>
  LINE_PROJECTION_OFFSET       = {grid.y_max_m / grid.pixel_m - 0.5} <pix>
  SAMPLE_PROJECTION_OFFSET     = {-grid.x_min_m / grid.pixel_m - 0.5} <pix>
  COORDINATE_SYSTEM_TYPE       = "BODY-FIXED ROTATING"
  COORDINATE_SYSTEM_NAME       = "MEAN EARTH/POLAR AXIS OF DE421"
END_OBJECT                    = IMAGE_MAP_PROJECTION

END
"""
    for keyword, value in changes.items():
        head, mark, tail = text.partition(f"{keyword} ")
        if not mark:
            raise KeyError(keyword)
        text = f"{head}{mark}= {value}\n{tail.split(chr(10), 1)[1]}"
    return text.replace("\n", "\r\n")
