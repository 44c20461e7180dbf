"""A user's own elevation model, or any other map: read onto the run's grid, or refused with a reason.

Any one-band raster with a lunar CRS and of a kind that `kinds` lists will do: the run's own map, the other writing of
it, another projection or longitude and latitude; integers with scale and offset or floats; any resolution. On the
run's own pixels values are copied; otherwise they are averaged (finer files) or interpolated (coarser files), and the
reading says so: nothing is warped in silence. This module must not know how values are stored afterwards or what they
are used for.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from lunarsite.artefact.offline import ITSELF, OFFLINE
from lunarsite.grid import Grid, is_lunar, is_polar_map
from lunarsite.source.kinds import LocalError, raster_driver
from lunarsite.source.placement import is_upright, pixels_per_pixel, same_pixels, warped
from lunarsite.source.resample import Axis, block_mean, resampled

Method = Literal["copied", "averaged", "interpolated"]
Block = tuple[slice, slice]

# A block is so many rows of the grid, fewer where rows are long, or need so many pixels of the file.
_BLOCK_ROWS = 512
_MOST_BLOCK_BYTES = 2**30
_BLOCK_PX = _BLOCK_ROWS * 8_192
MOST_SAMPLES = 16
"""Files in other projections are averaged over this many samples along a pixel's side at most."""
SAME_RESOLUTION = 1.05
"""Up to this many file pixels per grid pixel there is nothing to average."""


@dataclass(frozen=True)
class Quantity:
    """What a user's raster holds.

    Args:
        name: Its name, singular.
        unit: Its unit.
        least: Least value that makes sense.
        most: Largest value that makes sense.
        hint: What other values are likely to mean, for the message.
    """

    name: str
    unit: str
    least: float
    most: float
    hint: str


_UNDECLARED = "is a no-data value or the band's scale not declared?"
HEIGHT = Quantity(
    "height",
    "m",
    -12_000.0,
    12_000.0,
    f"heights stand on the sphere of 1737.4 km; is it a radius, or in km, or {_UNDECLARED}",
)
HEIGHT_ERROR = Quantity("height error", "m", 0.0, 5_000.0, f"is it a height, or in cm, or {_UNDECLARED}")
TEMPERATURE = Quantity("temperature", "K", 0.0, 500.0, f"is it in degrees Celsius, or {_UNDECLARED}")
ICE_DEPTH = Quantity("depth of ice", "m", 0.0, 1_000.0, f"is it in cm, or is depth counted downwards, or {_UNDECLARED}")


@dataclass(frozen=True)
class Reading:
    """How a user's raster comes onto the grid.

    Args:
        path: The file.
        method: 'copied' on the grid's own pixels, 'averaged' from finer ones, 'interpolated' from coarser ones.
        file_pixels: Pixels of the file along a grid pixel's side: above 1 the file is finer.
        scale: Factor of the stored numbers (GeoTIFF band scale).
        offset: Summand after it.
        nodata: The file's declared no-data value, or None.
        quantity: What the file holds.
        samples: Interpolated samples along a pixel's side that are averaged; 1 where none are.
        by_area: Whether the file's own pixels are averaged by their area, as those on the polar map are.
        band: The file's band, from 1.
    """

    path: Path
    method: Method
    file_pixels: float
    scale: float
    offset: float
    nodata: float | None
    quantity: Quantity = HEIGHT
    samples: int = 1
    by_area: bool = False
    band: int = 1

    def __str__(self) -> str:
        how = {
            "copied": "copied pixel by pixel",
            "averaged": f"averaged from {self.file_pixels:.2f} file pixels along a pixel's side",
            "interpolated": f"interpolated (bilinear) from {self.file_pixels:.3f} file pixels along a pixel's side",
        }[self.method]
        what, unit = self.quantity.name, self.quantity.unit
        return f"{self.path.name}: {how}; {what} = number x {self.scale:g} + {self.offset:g} {unit}"


class LocalRaster:
    """An open raster of the user's, ready to be read onto a grid block by block."""

    def __init__(self, field: str, reading: Reading, grid: Grid, dataset: Any) -> None:
        self.reading, self._field, self._grid, self._dataset = reading, field, grid, dataset

    def blocks(self) -> Iterator[tuple[Block, NDArray[np.float32]]]:
        """Yield (window of the grid, values in the quantity's unit) from the top; NaN where the file has none.

        Raises:
            LocalError: The file cannot be read to its end, holds values that make no sense, or none at all.
        """
        found = False
        finer = max(self.reading.samples, self.reading.file_pixels if self.reading.method == "averaged" else 1.0)
        height = int(max(1, min(_BLOCK_ROWS, _BLOCK_PX // (self._grid.cols * finer**2))))
        for first in range(0, self._grid.rows, height):
            block = slice(first, min(first + height, self._grid.rows)), slice(0, self._grid.cols)
            values = self._read(block)
            self._check(values)
            found |= bool(np.isfinite(values).any())
            yield block, values
        if not found:
            raise LocalError(
                f"{self._field}: {self.reading.path}: has no valid {self.reading.quantity.name} on the grid"
                f" {self._grid.bounds_m} (map metres);"
                " check that the file covers it, and its no-data value"
            )

    def read(self) -> NDArray[np.float32]:
        """Return the whole grid, (rows, cols). See `blocks` for the errors raised."""
        out = np.empty(self._grid.shape, dtype=np.float32)
        for block, values in self.blocks():
            out[block] = values
        return out

    def _read(self, block: Block) -> NDArray[np.float32]:
        if self.reading.by_area:
            values = self._mean(block)
        else:
            n = self.reading.samples
            window = Window(0, block[0].start * n, self._grid.cols * n, (block[0].stop - block[0].start) * n)
            values = block_mean(self._numbers(window), n)
        with np.errstate(over="ignore"):  # what is too large for 32 bits is refused as infinite
            return values.astype(np.float32)

    def _mean(self, block: Block) -> NDArray[np.float64]:
        """Mean of the file's own pixels, by their area in each of the grid's."""
        affine, grid = self._dataset.transform, self._grid
        rows = Axis.of((grid.y_max_m - affine.f) / affine.e, -grid.pixel_m / affine.e, block[0], self._dataset.height)
        cols = Axis.of((grid.x_min_m - affine.c) / affine.a, grid.pixel_m / affine.a, block[1], self._dataset.width)
        window = rows.window(), cols.window()
        if any(side.stop <= side.start for side in window):
            return np.full((block[0].stop - block[0].start, grid.cols), np.nan)
        values = self._numbers(Window.from_slices(*window))
        return resampled(rows, cols, values, np.isfinite(values), "mean")[0]

    def _numbers(self, window: Window) -> NDArray[np.float64]:
        """Values of a window of the data set, or of the grid where pixels are copied; NaN where there are none."""
        try:
            cut = self.reading.method == "copied"
            stored = self._cut(window) if cut else self._dataset.read(self.reading.band, window=window, masked=True)
        except RasterioError as error:
            raise LocalError(
                f"{self._field}: {self.reading.path}: cannot be read ({error}); it may be truncated: copy it again"
            ) from error
        numbers = np.ma.getdata(stored).astype(np.float64)
        values = numbers * self.reading.scale + self.reading.offset
        # The declared number is compared here, too: see `declared_nodata`.
        values[np.ma.getmaskarray(stored) | np.isinf(values) | (numbers == self.reading.nodata)] = np.nan
        return values

    def _cut(self, window: Window) -> Any:
        affine = self._dataset.transform
        row0 = round((affine.f - self._grid.y_max_m) / self._grid.pixel_m) + window.row_off
        col0 = round((self._grid.x_min_m - affine.c) / self._grid.pixel_m)
        rows, cols = window.height, window.width
        dtype = self._dataset.dtypes[self.reading.band - 1]
        out = np.ma.array(np.zeros((rows, cols), dtype=dtype), mask=True)
        top, bottom = max(row0, 0), min(row0 + rows, self._dataset.height)
        left, right = max(col0, 0), min(col0 + cols, self._dataset.width)
        if top < bottom and left < right:
            window = Window(left, top, right - left, bottom - top)
            part = self._dataset.read(self.reading.band, window=window, masked=True)
            out[top - row0 : bottom - row0, left - col0 : right - col0] = part
        return out

    def _check(self, values: NDArray[np.float32]) -> None:
        present = values[~np.isnan(values)]
        allowed = self.reading.quantity
        if present.size and (float(present.min()) < allowed.least or float(present.max()) > allowed.most):
            raise LocalError(
                f"{self._field}: {self.reading.path}: holds {float(present.min()):g}..{float(present.max()):g}, allowed"
                f" are {allowed.least:g}..{allowed.most:g} {allowed.unit}; {allowed.hint}"
            )


@contextmanager
def opened(
    path: Path, grid: Grid, field: str, quantity: Quantity = HEIGHT, band: int | None = None
) -> Iterator[LocalRaster]:
    """Open a user's raster for reading onto a grid.

    Args:
        path: One-band GeoTIFF (or another kind that `kinds` lists) with a lunar CRS.
        grid: Where the values are wanted.
        field: Name of the setting that names the file, for messages.
        quantity: What the file holds.
        band: The band that holds it, from 1; None: the file must have one band.

    Raises:
        LocalError: It is missing, unreadable, not one band, without CRS, of another body, or does not meet the grid.
    """
    with checked(path, field, band) as dataset, placed(dataset, path, grid, field, quantity, band or 1) as raster:
        yield raster


@contextmanager
def placed(
    dataset: Any, path: Path, grid: Grid, field: str, quantity: Quantity = HEIGHT, band: int = 1
) -> Iterator[LocalRaster]:
    """Make an open data set, whose header is sound, ready for reading onto a grid; see `opened`.

    Raises:
        LocalError: It does not meet the grid.
    """
    with ExitStack() as stack:
        reading = _plan(dataset, path, grid, field, quantity, band)
        source = dataset
        if reading.method != "copied" and not reading.by_area:
            source = stack.enter_context(warped(dataset, grid, reading.samples, Resampling.bilinear, reading.nodata))
        yield LocalRaster(field, reading, grid, source)


@contextmanager
def checked(path: Path, field: str, band: int | None = None) -> Iterator[Any]:
    """Open a user's raster and yield GDAL's data set if its header is sound: one band of numbers on the Moon.

    If a band is named there may be others.

    One driver of GDAL is tried, and GDAL has no network until the data set is closed.

    Raises:
        LocalError: It is missing, of no listed kind, unreadable, not one band, without CRS or georeference, or of
            another body.
    """
    if not path.is_file():
        raise LocalError(
            f"{field}: {path}: does not exist as a file; paths are relative to the folder snakemake is started in"
        )
    driver = raster_driver(path, f"{field}: {path}")
    # Sources of a mosaic stand beside the file itself, labels and side files beside the name that was given.
    place = path.resolve() if driver == "VRT" else path.absolute()
    with ExitStack() as stack:
        stack.enter_context(rasterio.Env(**OFFLINE))
        try:
            with warnings.catch_warnings():
                # A file without a geotransform is refused below, with a mend.
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                dataset = stack.enter_context(rasterio.open(place, driver=driver, **ITSELF))
        except (RasterioError, UnicodeDecodeError) as error:  # names of a damaged CRS are no text
            raise LocalError(f"{field}: {path}: is no readable raster ({error}); give a GeoTIFF") from error
        _check_header(dataset, path, field, band)
        yield dataset


def _check_header(dataset: Any, path: Path, field: str, band: int | None) -> None:
    if band is not None and not 1 <= band <= dataset.count:
        raise LocalError(f"{field}: {path}: has {dataset.count} bands, and band {band} is asked for; name another one")
    if band is None and dataset.count != 1:
        raise LocalError(
            f"{field}: {path}: has {dataset.count} bands, needs one; extract it (gdal_translate -b 1 in.tif out.tif)"
        )
    dtype = dataset.dtypes[(band or 1) - 1]
    if np.dtype(dtype).kind not in "iuf":
        raise LocalError(f"{field}: {path}: holds {dtype}, needs integers or floats; convert it")
    check_blocks(dataset, f"{field}: {path}")
    if dataset.crs is None:
        raise LocalError(
            f"{field}: {path}: has no CRS; assign the right lunar one (gdal_edit.py -a_srs IAU_2015:30135 {path.name}"
            " for the south polar map)"
        )
    if not is_lunar(dataset.crs):
        raise LocalError(
            f"{field}: {path}: its CRS is not on the Moon's sphere of 1737.4 km ({_short(dataset.crs)}); if the data"
            " are lunar the label is wrong: assign the lunar CRS with gdal_edit.py -a_srs, do not reproject"
        )
    if dataset.transform.is_identity or dataset.transform.is_degenerate:
        raise LocalError(f"{field}: {path}: is not georeferenced; assign its bounds with gdal_edit.py -a_ullr")


def check_blocks(dataset: Any, where: str) -> None:
    """Refuse a raster whose blocks are too large for the memory.

    Raises:
        LocalError: They are; the message begins with `where`.
    """
    block_bytes = math.prod(dataset.block_shapes[0]) * np.dtype(dataset.dtypes[0]).itemsize
    if block_bytes > _MOST_BLOCK_BYTES:
        raise LocalError(
            f"{where}: has blocks of {block_bytes} bytes, each of which would have to be in memory whole; write"
            " it in tiles (gdal_translate -co TILED=YES in.tif out.tif)"
        )


def _short(crs: CRS) -> str:
    text = str(crs.to_string())
    return text if len(text) <= 80 else text[:77] + "..."


def no_overlap(path: Path, grid: Grid, field: str) -> LocalError:
    """Return the error of a file that lies elsewhere than the run's grid."""
    return LocalError(
        f"{field}: {path}: does not overlap the run's grid {grid.bounds_m} (map metres, {grid.pole} pole); choose"
        " grid.half_width_m and grid.pole to fit it, or another file"
    )


def _plan(dataset: Any, path: Path, grid: Grid, field: str, quantity: Quantity, band: int) -> Reading:
    inside, file_pixels = pixels_per_pixel(dataset, grid)
    if not inside:
        raise no_overlap(path, grid, field)
    method: Method = "averaged" if file_pixels > SAME_RESOLUTION else "interpolated"
    if same_pixels(dataset, grid):
        method, file_pixels = "copied", 1.0
    samples = 1
    by_area = method == "averaged" and is_upright(dataset) and is_polar_map(dataset.crs, grid.pole)
    if method == "averaged" and not by_area:
        samples = min(math.ceil(file_pixels), MOST_SAMPLES)
    nodata = declared_nodata(dataset, band)
    scale, offset = float(dataset.scales[band - 1]), float(dataset.offsets[band - 1])
    return Reading(path, method, file_pixels, scale, offset, nodata, quantity, samples, by_area, band)


def declared_nodata(dataset: Any, band: int = 1) -> float | None:
    """Return the number that stands for missing data of a band, or None if none is declared.

    Files whose number is the lowest of 64 bits often declare it with 15 digits (-1.79769313486232e+308), which is
    lower still, so that GDAL reads it as minus infinity and finds it nowhere.
    """
    declared = dataset.nodatavals[band - 1]
    if declared is None:
        return None
    nodata = float(declared)
    return math.copysign(float(np.finfo(np.float64).max), nodata) if math.isinf(nodata) else nodata
