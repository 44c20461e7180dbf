"""Unpaired images of sunlit and of permanently shadowed ground, cut into tiles with their radiometry kept.

Images lie in two folders of the user's: grey PNG or JPEG of 8 or 16 bits, one-band TIFF of integers or floats, with or
without a map, or what the archives give out: PDS3 images with their label in them or beside them (LROC NAC), raw images
with a PDS4 label beside them (OHRC). Numbers stay those of the file, its band's scale and offset applied; nothing is
stretched. Tiles cover an image evenly to its last pixel, so neighbours overlap where its sides are no whole number of
tiles.

Images of one product show the same ground and must not be split: the `scene` is the product's id where the name has one
(LROC NAC: M115143943; OHRC: the strip), else the name. Large TIFFs are read window by window. This module must not know
how images are learned from.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from lunarsite.artefact.offline import ITSELF, OFFLINE
from lunarsite.artefact.stamp import digest
from lunarsite.source.images.decode import read_grey
from lunarsite.source.images.members import ImageSet, listed
from lunarsite.source.kinds import LocalError, raster_driver
from lunarsite.source.local import check_blocks, declared_nodata

_PICTURES, _TIFFS = (".png", ".jpg", ".jpeg"), (".tif", ".tiff")
_RAW, _LABELS = ".img", (".xml", ".lbl")
_PDS3, _LABEL_HEAD_BYTES = b"PDS_VERSION_ID", 4_096
# Stored numbers below this say why there is none (null, saturated); of LROC's and ISIS's images of 16 bits.
_LEAST_PDS3_NUMBER = -32_752
# Grey pictures that were saved in colour with losses differ by a few levels between their channels.
_MOST_COLOUR = 8
_LEAST_VALID_SHARE = 0.5
_MOST_RASTER_PX = 4_000_000_000
_MOST_GROUP_BYTES = 2**25
_MOST_VALUE = 1e30
_NAC = re.compile(r"(?<![0-9A-Za-z])M(\d{7,13})(?!\d)")
_OHRC = re.compile(r"(ch2_ohr_[a-z]+_\d{8}T\d+)", re.IGNORECASE)
_SLICE = re.compile(r"(.+?)_x\d+_y\d+.*")


class _Image(Protocol):
    """An open image: its size, the largest number of its type, and windows of it (NaN: no data)."""

    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def full_scale(self) -> float: ...

    def read(self, row: int, col: int, size: int) -> NDArray[np.float32]:
        """Return a square window."""
        ...


@dataclass(frozen=True)
class _Picture:
    values: NDArray[Any]

    @property
    def height(self) -> int:
        return int(self.values.shape[0])

    @property
    def width(self) -> int:
        return int(self.values.shape[1])

    @property
    def full_scale(self) -> float:
        return float(np.iinfo(self.values.dtype).max)

    def read(self, row: int, col: int, size: int) -> NDArray[np.float32]:
        return np.asarray(self.values[row : row + size, col : col + size], dtype=np.float32)


@dataclass(frozen=True)
class _Raster:
    where: str
    dataset: Any
    nodata: float | None
    least: float

    @property
    def height(self) -> int:
        return int(self.dataset.height)

    @property
    def width(self) -> int:
        return int(self.dataset.width)

    @property
    def full_scale(self) -> float:
        dtype = np.dtype(self.dataset.dtypes[0])
        if dtype.kind not in "iu":
            return float("nan")
        return float(np.iinfo(dtype).max) * float(self.dataset.scales[0]) + float(self.dataset.offsets[0])

    def read(self, row: int, col: int, size: int) -> NDArray[np.float32]:
        try:
            stored = self.dataset.read(1, window=Window(col, row, size, size), masked=True)
        except RasterioError as error:
            raise LocalError(f"{self.where}: cannot be read ({error}); it may be truncated: copy it again") from error
        numbers = np.ma.getdata(stored).astype(np.float64)
        values = numbers * float(self.dataset.scales[0]) + float(self.dataset.offsets[0])
        unknown = np.ma.getmaskarray(stored) | ~np.isfinite(values) | (numbers == self.nodata) | (numbers < self.least)
        values[unknown] = np.nan
        if np.nanmax(np.abs(values), initial=0.0) > _MOST_VALUE:
            raise LocalError(f"{self.where}: holds numbers beyond {_MOST_VALUE:g}; is its no-data value not declared?")
        return values.astype(np.float32)


@dataclass(frozen=True)
class Cut:
    """Tiles of one image, as the contract PSR_IMAGES has them, and how many were left out for want of data."""

    arrays: Mapping[str, NDArray[Any]]
    left_out: int


def images_in(images: ImageSet) -> dict[str, Path]:
    """Return the images of a folder by name: the files to open, which of a raw image is the label beside it.

    Raises:
        LocalError: There are none, or files that are no images by their suffix, or a raw image without a label.
    """
    labels = {
        (place.parent, place.stem.lower()): path
        for name, path in images.files.items()
        if (place := PurePosixPath(name)).suffix.lower() in _LABELS
    }
    found = {}
    for name, path in images.files.items():
        place = PurePosixPath(name)
        if place.suffix.lower() in _PICTURES + _TIFFS:
            found[name] = path
        elif place.suffix.lower() == _RAW:
            label = path if _has_label(path) else labels.get((place.parent, place.stem.lower()))
            if label is None:
                raise LocalError(
                    f"{images.field}: {path}: has no label, neither in it (PDS3) nor beside it ({place.stem}.xml or"
                    f" {place.stem}.lbl); put the label of the product there too"
                )
            found[name] = label
    # GDAL's notes and tables of contents may lie beside images.
    beside = (".xml", ".csv", ".txt", ".md", ".json", ".lbl")
    others = [name for name in images.files if name not in found and not name.lower().endswith(beside)]
    if others or not found:
        raise LocalError(
            f"{images.field}: {len(found)} images (PNG, JPEG, TIFF) and {len(others)} other files"
            f" ({listed(others) or 'none'}); needed are images alone: convert the others, or move them away"
        )
    return found


def files_read(images: ImageSet, found: Mapping[str, Path]) -> dict[str, Path]:
    """Return what is read of a folder's images, for a digest: the images, and labels that stand beside them."""
    beside = {f"{name}, its label": path for name, path in found.items() if path != images.files[name]}
    return {**{name: images.files[name] for name in found}, **beside}


def _has_label(path: Path) -> bool:
    with path.open("rb") as file:
        return _PDS3 in file.read(_LABEL_HEAD_BYTES)


def check_apart(sunlit: Mapping[str, Path], shadowed: Mapping[str, Path], field: str) -> None:
    """Refuse an image that lies in both folders, under whatever name.

    Raises:
        LocalError: There is one; the message names both files.
    """
    bytes_of = {digest(path): path for path in sunlit.values()}
    for path in shadowed.values():
        same = bytes_of.get(digest(path))
        if same is not None:
            raise LocalError(f"{field}: {path} and {same} are the same image; it is sunlit or shadowed, not both")


def scene_of(name: str) -> str:
    """Return the product that an image was cut from, by its name; the name without suffix if it tells none."""
    stem = PurePosixPath(name).stem
    for pattern in (_NAC, _OHRC, _SLICE):
        if match := pattern.search(stem):
            return match[0] if pattern is _NAC else match[1]
    return stem


def starts(length: int, size: int) -> list[int]:
    """Return where tiles begin along a side: as few as cover it, evenly spread, the first at 0, the last at its end."""
    count = -(-length // size)
    return [0] if count == 1 else [round(k * (length - size) / (count - 1)) for k in range(count)]


def tiles_of(name: str, path: Path, domain: int, size: int, field: str) -> Iterator[Cut]:
    """Yield the tiles of one image, 32 MiB at a time; those with data on less than half of them are left out.

    Args:
        name: The image's name in its folder.
        path: The file.
        domain: Its class in the contract.
        size: Side of a tile, pixels.
        field: Setting that names the folder, for messages.

    Raises:
        LocalError: The file is smaller than a tile, damaged, of another kind, or shows colours.
    """
    with _opened(path, field) as image:
        if min(image.height, image.width) < size:
            raise LocalError(
                f"{field}: {path}: has {image.height} x {image.width} pixels, a tile {size} x {size}; leave the image"
                " out, or lower source.psr_images.tile_px"
            )
        together = max(_MOST_GROUP_BYTES // (4 * size**2), 1)
        all_cols = starts(image.width, size)
        for row in starts(image.height, size):
            for first in range(0, len(all_cols), together):
                yield _cut(image, name, domain, size, row, all_cols[first : first + together])


def _cut(image: _Image, name: str, domain: int, size: int, row: int, cols: list[int]) -> Cut:
    """Return tiles of one row that begin at these columns."""
    tiles = np.stack([image.read(row, col, size) for col in cols])
    share = np.isfinite(tiles).mean(axis=(1, 2))
    kept = share >= _LEAST_VALID_SHARE
    count = int(kept.sum())
    return Cut(
        {
            "images": tiles[kept],
            "name": np.array([name] * count, dtype=object),
            "scene": np.array([scene_of(name)] * count, dtype=object),
            "domain": np.full(count, domain, dtype=np.uint8),
            "row": np.full(count, row, dtype=np.int64),
            "col": np.array(cols, dtype=np.int64)[kept],
            "full_scale": np.full(count, image.full_scale, dtype=np.float64),
            "valid_share": share[kept].astype(np.float64),
        },
        len(cols) - count,
    )


@contextmanager
def _opened(path: Path, field: str) -> Iterator[_Image]:
    if path.suffix.lower() in _PICTURES:
        yield _Picture(read_grey(path, field, _MOST_COLOUR))
        return
    where = f"{field}: {path}"
    driver, labelled = raster_driver(path, where), path.suffix.lower() in (_RAW, *_LABELS)
    if driver not in (("PDS", "PDS4") if labelled else ("GTiff",)):
        kind = "label of PDS3 or PDS4" if labelled else "TIFF"
        raise LocalError(f"{where}: is no {kind}, whatever its name says; convert it (gdal_translate)")
    with ExitStack() as stack:
        stack.enter_context(rasterio.Env(**OFFLINE, GDAL_ERROR_ON_LIBJPEG_WARNING="TRUE"))
        try:
            with warnings.catch_warnings():
                # Images need no map here.
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                if labelled:
                    _check_place(path, driver, where)
                dataset = stack.enter_context(rasterio.open(path.absolute(), driver=driver, **ITSELF))
        except RasterioError as error:
            raise LocalError(f"{where}: is no readable image ({error}); it may be truncated: copy it again") from error
        if dataset.count != 1 or np.dtype(dataset.dtypes[0]).kind not in "iuf":
            raise LocalError(
                f"{where}: has {dataset.count} bands of {dataset.dtypes[0]}, needed is one of integers or floats;"
                " extract it (gdal_translate -b 1 in.tif out.tif)"
            )
        if dataset.width * dataset.height > _MOST_RASTER_PX:
            raise LocalError(f"{where}: has {dataset.height} x {dataset.width} pixels; cut it into parts")
        check_blocks(dataset, where)
        special = driver == "PDS" and dataset.dtypes[0] == "int16"
        least = float(_LEAST_PDS3_NUMBER) if special else -np.inf
        yield _Raster(where, dataset, declared_nodata(dataset), least)


def _check_place(path: Path, driver: str, where: str) -> None:
    """Refuse a label that points to a file of another folder."""
    # With ITSELF GDAL tells of no files.
    with rasterio.open(path.absolute(), driver=driver) as dataset:
        away = [name for name in dataset.files if Path(name).resolve().parent != path.resolve().parent]
    if away:
        raise LocalError(f"{where}: points to {away[0][:200]!r}; a label and its image lie in one folder")
