"""Image files from outside: TIFF, PNG, JPEG and JPEG 2000 of any size, with or without a map.

A file is recognised by its first bytes and opened by that one driver of GDAL, without network and without what lies
beside the file (sidecars, world files). Read are grey bands of integers or floats, strip by strip; what the file marks
as missing is unknown. This module must not know what is done with an image.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from lunarsite.artefact.offline import ITSELF, OFFLINE
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.vision.enhance.numbers import narrowed

Floats = NDArray[np.float32]

_DRIVERS = {
    b"II*\x00": "GTiff",
    b"MM\x00*": "GTiff",
    b"II+\x00": "GTiff",
    b"MM\x00+": "GTiff",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"\x00\x00\x00\x0cjP  ": "JP2OpenJPEG",
    b"\xff\x4f\xff\x51": "JP2OpenJPEG",
}
_NUMBERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
_SEALED = {
    **OFFLINE,
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "TRUE",
    # Its short cut for whole PNGs takes a truncated file for a whole one, and gives wrong numbers.
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": "NO",
    # Of itself GDAL takes a twentieth of the machine's memory.
    "GDAL_CACHEMAX": 128 * 2**20,
}
_MOST_WIDTH_PX, _MOST_PX = 100_000, 10_000_000_000
_MOST_BLOCK_BYTES = 2**28
_MOST_VALUE = 1e30
# Grey pictures that were saved in colour with losses differ by a few levels between their channels.
_MOST_COLOUR = 8
_OPAQUE = 255
_MEND_KIND = "convert it on your side (gdal_translate IN out.tif)"


class ImageFile:
    """An open image file, a source of rows; errors of reading name the file."""

    def __init__(self, path: Path, dataset: Any, bands: tuple[int, ...], placed: bool) -> None:
        self.path, self.dataset, self.bands, self._placed = path, dataset, bands, placed
        self.factor, self.offset = float(dataset.scales[bands[0] - 1]), float(dataset.offsets[bands[0] - 1])
        self._nodata = dataset.nodatavals[bands[0] - 1]
        self.rounding = 0.0
        """By how much a number that was read so far was rounded at most, to be a float32."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return int(self.dataset.height), int(self.dataset.width)

    @property
    def affine(self) -> Affine | None:
        """The map coordinates of its pixels; None if the file has none, or tells them by points or coefficients."""
        source = self.dataset
        # Where there are none the data set's own is not set at all: any numbers.
        absent = not self._placed or source.gcps[0] or (source.rpcs is not None and source.crs is None)
        return None if absent else source.transform

    @property
    def unit(self) -> str:
        """Unit of the band's numbers; empty if the file tells none."""
        return str(self.dataset.units[self.bands[0] - 1] or "")

    def read(self, rows: slice) -> Floats:
        """Return whole rows, (rows, W), the band's scale and offset applied; NaN where unknown.

        Raises:
            ArtefactError: The file is damaged, shows colours, or holds numbers that mark missing data untold.
        """
        window = Window(0, rows.start, self.dataset.width, rows.stop - rows.start)
        try:
            numbers = self.dataset.read(list(self.bands), window=window)
            missing = self.dataset.read_masks(self.bands[0], window=window) < _OPAQUE
        except RasterioError as error:
            raise ArtefactError(
                f"{self.path}: cannot be read to its end ({error.__cause__ or error}); it may be truncated: copy it"
                " again"
            ) from error
        stored = self._grey(numbers, missing) if len(self.bands) > 1 else numbers[0]
        missing |= ~np.isfinite(stored) if stored.dtype.kind == "f" else False
        if stored.dtype.kind == "f":
            missing |= self._beyond(stored, missing)
        if (self.factor, self.offset) != (1.0, 0.0):
            stored = stored.astype(np.float64) * self.factor + self.offset
        values, rounding = narrowed(np.where(missing, stored.dtype.type(0), stored))
        self.rounding = max(self.rounding, rounding)
        values[missing] = np.nan
        return values

    def _grey(self, numbers: NDArray[Any], missing: NDArray[np.bool_]) -> NDArray[Any]:
        """Return the mean of three channels that are nearly equal."""
        spread = numbers.max(axis=0).astype(np.float64) - numbers.min(axis=0)
        most = float(np.max(spread, where=~missing & np.isfinite(spread), initial=0.0))
        if most > (_MOST_COLOUR if numbers.dtype == np.uint8 else 0):
            raise ArtefactError(
                f"{self.path}: shows colours (its channels differ by up to {most:g}), and what they have to do with"
                " brightness is not known; name the band to be enhanced (--band 1)"
            )
        return np.asarray(numbers.mean(axis=0, dtype=np.float64)) if most else numbers[0]

    def _beyond(self, stored: NDArray[Any], missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return where numbers mark missing data: such lowest or highest numbers as round when they are declared."""
        beyond = ~missing & (np.abs(np.where(missing, 0, stored)) > _MOST_VALUE)
        if beyond.any() and (self._nodata is None or abs(self._nodata) <= _MOST_VALUE):
            raise ArtefactError(
                f"{self.path}: holds {stored[beyond][0]:g}, which is no brightness; if it marks missing data, tell the"
                f" file so (gdal_edit.py -a_nodata {stored[beyond][0]:g} FILE)"
            )
        return beyond


@contextmanager
def opened(path: Path, band: int | None = None) -> Iterator[ImageFile]:
    """Open an image from outside, after everything that its header tells is checked.

    Args:
        path: TIFF, PNG, JPEG or JPEG 2000.
        band: The band to read, from 1; None: the only one, or the grey of three equal ones. Alpha bands do not count.

    Raises:
        ArtefactError: It is missing, of another kind, too large, or has no band that can be enhanced.
    """
    driver = _driver(path)
    with ExitStack() as stack:
        stack.enter_context(rasterio.Env(**_SEALED))
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                dataset = stack.enter_context(rasterio.open(path.absolute(), driver=driver, **ITSELF))
        except (RasterioError, CRSError) as error:
            raise ArtefactError(f"{path}: is no readable {driver} ({error}); copy it again") from error
        except UnicodeDecodeError as error:
            raise ArtefactError(
                f"{path}: the name of its map system is no UTF-8 text; write it anew (gdal_edit.py -a_srs), or take it"
                " away (gdal_edit.py -a_srs None)"
            ) from error
        # Images need no map, but what else is told is told on.
        placed = not any(issubclass(warning.category, NotGeoreferencedWarning) for warning in told)
        for warning in told:
            if not issubclass(warning.category, NotGeoreferencedWarning):
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        _check_size(path, dataset)
        bands = _bands(path, dataset, band)
        _check_numbers(path, dataset, bands)
        _check_text(path, dataset)
        yield ImageFile(path, dataset, bands, placed)


def _driver(path: Path) -> str:
    if not path.is_file():
        raise ArtefactError(f"{path}: does not exist as a file")
    with path.open("rb") as file:
        head = file.read(16)
    for magic, driver in _DRIVERS.items():
        if head.startswith(magic):
            return driver
    raise ArtefactError(f"{path}: is neither TIFF, PNG, JPEG nor JPEG 2000; {_MEND_KIND}")


def _check_size(path: Path, dataset: Any) -> None:
    if dataset.width > _MOST_WIDTH_PX or dataset.width * dataset.height > _MOST_PX:
        raise ArtefactError(
            f"{path}: has {dataset.height} x {dataset.width} pixels; {_MOST_WIDTH_PX} across and {_MOST_PX} in all are"
            " read: cut it into parts (gdal_translate -srcwin)"
        )
    block = math.prod(dataset.block_shapes[0]) * sum(np.dtype(_dtype(kind)).itemsize for kind in dataset.dtypes)
    if block > _MOST_BLOCK_BYTES:
        raise ArtefactError(
            f"{path}: has blocks of {block} bytes, each of which would have to be in memory whole; write it in tiles"
            " (gdal_translate -co TILED=YES IN out.tif)"
        )


def _dtype(kind: str) -> str:
    return kind if kind in _NUMBERS else "complex128"


def _bands(path: Path, dataset: Any, band: int | None) -> tuple[int, ...]:
    if band is not None:
        if not 1 <= band <= dataset.count:
            raise ArtefactError(f"{path}: has {dataset.count} bands, there is no band {band}")
        return (band,)
    kinds = dataset.colorinterp
    if ColorInterp.palette in kinds:
        raise ArtefactError(
            f"{path}: its numbers stand for colours of a palette; write the grey itself (gdal_translate -expand gray)"
        )
    found = tuple(index for index, kind in enumerate(kinds, start=1) if kind is not ColorInterp.alpha)
    if len(found) not in (1, 3):
        raise ArtefactError(f"{path}: has {len(found)} bands; name the one to be enhanced (--band 1)")
    return found


def _check_text(path: Path, dataset: Any) -> None:
    """Refuse text that cannot be carried over: units and tags in another encoding."""
    try:
        _ = dataset.units, dataset.tags()
    except UnicodeDecodeError as error:
        raise ArtefactError(
            f"{path}: its units or tags are no UTF-8 text; write them anew (gdal_edit.py -units, -unsetmd)"
        ) from error


def _check_numbers(path: Path, dataset: Any, bands: tuple[int, ...]) -> None:
    kinds = {dataset.dtypes[band - 1] for band in bands}
    if len(kinds) > 1 or not kinds <= set(_NUMBERS):
        raise ArtefactError(f"{path}: holds {', '.join(sorted(kinds))}, read are integers and floats; {_MEND_KIND}")
    for name, values in (("scale", dataset.scales), ("offset", dataset.offsets)):
        found = {float(values[band - 1]) for band in bands}
        if len(found) > 1 or not all(math.isfinite(value) for value in found) or (name == "scale" and 0.0 in found):
            raise ArtefactError(f"{path}: the {name} of its bands is {sorted(found)}, which cannot be; mend its header")
