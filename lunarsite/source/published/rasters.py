"""Rasters of published products: which file of a product it is, and its pixels as an open data set.

A GeoTIFF is opened as a user's file is. The pixels beside a label of the Planetary Data System, raw or JPEG 2000, are
handed to GDAL by a description made from the checked label alone, so that nothing else of the label reaches it.
Memory: GDAL keeps at most 128 MiB of blocks, whatever the file's size; a JPEG 2000 image that is one tile is unpacked
whole. This module must not know what the values are used for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from lunarsite.artefact import contracts, download
from lunarsite.artefact.download import Receipt
from lunarsite.artefact.offline import OFFLINE
from lunarsite.grid import geographic_crs, lunar_crs
from lunarsite.source.kinds import LocalError, raster_driver
from lunarsite.source.local import HEIGHT, HEIGHT_ERROR, Quantity, check_blocks, checked
from lunarsite.source.published.pds3 import LabelError, Pds3Label, parse_label

CACHE_BYTES = 128 * 2**20
"""What GDAL may keep of files that are read or written."""
_TIFFS = (".tif", ".tiff")
_MOST_LABEL_BYTES = 2**20
_GDAL_TYPES = {
    "uint8": "Byte",
    "int16": "Int16",
    "uint16": "UInt16",
    "int32": "Int32",
    "uint32": "UInt32",
    "float32": "Float32",
    "float64": "Float64",
}
_LENGTHS = (HEIGHT, HEIGHT_ERROR)


class PublishedError(LocalError):
    """A published product that is not what it is taken for; the message names it, its file and what to do."""


@dataclass(frozen=True)
class Source:
    """An open raster of a product.

    Args:
        dataset: GDAL's data set, its header sound.
        path: Its file, or its label.
        field: Setting and product, for messages.
        receipt: What was fetched.
    """

    dataset: Any
    path: Path
    field: str
    receipt: Receipt

    @property
    def citation(self) -> str:
        """What a reader of the record must know of it."""
        return cited(self.receipt)


def cited(receipt: Receipt) -> str:
    """Return a product's name, version, title, citation and licence as a note."""
    of = f"{receipt.product}, version {receipt.version}"
    return f"{of}: {receipt.title.rstrip('.')}. {receipt.citation.rstrip('.')}. Licence: {receipt.licence.rstrip('.')}."


@contextmanager
def opened(receipt_path: Path, role: str, quantity: Quantity = HEIGHT) -> Iterator[Source]:
    """Open the raster of a product that has been fetched.

    Args:
        receipt_path: The product's receipt.
        role: Name of the setting that names the product, for messages.
        quantity: What it is to hold: scale and offset of a label mean different things for a length.

    Raises:
        ArtefactError: The receipt or a file is missing or has changed.
        PublishedError: The product has no raster or several, or the raster cannot be used; what is raised while it is
            open, too, tells the way out.
    """
    receipt, _ = download.read(receipt_path, contracts.DOWNLOAD)
    files = download.files(receipt_path, contracts.DOWNLOAD)
    field = f"{role} ({receipt.product})"
    try:
        with ExitStack() as stack:
            stack.enter_context(rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES))
            path = _raster_of(files, field, receipt_path)
            if path.suffix.lower() in _TIFFS:
                dataset = stack.enter_context(checked(path, field))
            else:
                dataset = stack.enter_context(_labelled(path, files, field, quantity))
            yield Source(dataset, path, field, receipt)
    except PublishedError:
        raise
    except LocalError as error:
        raise PublishedError(
            f"{error}; this is what was fetched as version {receipt.version}: remove {receipt_path.parent} and"
            " fetch it again, or bring a file of your own (source.kind: local)"
        ) from error


def _raster_of(files: dict[str, Path], field: str, receipt_path: Path) -> Path:
    """Return the product's one GeoTIFF, or its one label."""
    for suffixes in (_TIFFS, (".lbl",)):
        found = [path for path in files.values() if path.suffix.lower() in suffixes]
        if len(found) == 1:
            return found[0]
        if found:
            break
    raise LocalError(
        f"{field}: {receipt_path}: its files are {', '.join(files)}; needed is one GeoTIFF, or one label (.LBL) with"
        " its image"
    )


@contextmanager
def _labelled(path: Path, files: dict[str, Path], field: str, quantity: Quantity) -> Iterator[Any]:
    """Open the pixels that a label describes."""
    where = f"{field}: {path}"
    if path.stat().st_size > _MOST_LABEL_BYTES:
        raise LocalError(f"{where}: is longer than any label")
    try:
        label = parse_label(path.read_bytes())
        scale, offset = label.to_metres() if quantity in _LENGTHS else (label.scale, label.offset)
    except LabelError as error:
        raise LocalError(f"{where}: {error}") from error
    pixels = _pixels(label, files, where)
    with rasterio.Env(**OFFLINE):
        band = (
            _packed_band(label, pixels, where) if pixels.suffix.lower() == ".jp2" else _raw_band(label, pixels, where)
        )
        with MemoryFile(_description(label, band, scale, offset), ext=".vrt") as memory:
            try:
                dataset = memory.open(driver="VRT")
            except RasterioError as error:
                raise LocalError(f"{where}: its image cannot be opened ({error})") from error
            with dataset:
                yield dataset


def _pixels(label: Pds3Label, files: dict[str, Path], where: str) -> Path:
    """Return the file that a label points to: one of the product's, in the label's own folder."""
    own = {Path(name).name.upper(): path for name, path in files.items()}
    found = own.get(label.pointer.upper())
    if found is None or found.suffix.lower() not in (".img", ".jp2"):
        raise LocalError(
            f"{where}: points to '{label.pointer[:120]}', which is no image (.IMG, .JP2) of this product; its files are"
            f" {', '.join(files)}"
        )
    return found


def _raw_band(label: Pds3Label, pixels: Path, where: str) -> str:
    """Return the description of a raw image, whose size must be what the label says."""
    size, needed = pixels.stat().st_size, label.skip_bytes + label.image_bytes
    if not needed <= size <= needed + max(label.record_bytes - 1, 0):
        raise LocalError(
            f"{where}: tells of {needed} bytes ({label.lines} x {label.samples} numbers of {label.bits} bits), but"
            f" {pixels.name} has {size}; one of the two is of another version, or truncated"
        )
    width = label.bits // 8
    return (
        f'<VRTRasterBand dataType="{_GDAL_TYPES[label.dtype]}" band="1" subClass="VRTRawRasterBand">'
        f'<SourceFilename relativeToVRT="0">{escape(str(pixels.resolve()))}</SourceFilename>'
        f"<ImageOffset>{label.skip_bytes}</ImageOffset><PixelOffset>{width}</PixelOffset>"
        f"<LineOffset>{width * label.samples}</LineOffset><ByteOrder>{label.order}</ByteOrder>"
    )


def _packed_band(label: Pds3Label, pixels: Path, where: str) -> str:
    """Return the description of a JPEG 2000 image, which must be what the label says."""
    if raster_driver(pixels, where) != "JP2OpenJPEG":
        raise LocalError(f"{where}: {pixels.name} is no JPEG 2000 image")
    try:
        with rasterio.open(pixels, driver="JP2OpenJPEG") as image:
            # Of an image of one tile the decoder unpacks what is asked for, of several each tile whole.
            check_blocks(image, f"{where}: {pixels.name}")
            found = image.height, image.width, image.count, image.dtypes[0]
    except RasterioError as error:
        raise LocalError(f"{where}: {pixels.name} cannot be opened ({error})") from error
    wanted = label.lines, label.samples, 1, label.dtype
    if found != wanted:
        raise LocalError(
            f"{where}: {pixels.name} has {found[0]} x {found[1]} pixels, {found[2]} bands of {found[3]}; the label"
            f" tells of {wanted[0]} x {wanted[1]}, 1 band of {wanted[3]}"
        )
    return (
        f'<VRTRasterBand dataType="{_GDAL_TYPES[label.dtype]}" band="1"><SimpleSource>'
        f'<SourceFilename relativeToVRT="0">{escape(str(pixels.resolve()))}</SourceFilename>'
        "<SourceBand>1</SourceBand></SimpleSource>"
    )


def _description(label: Pds3Label, band: str, scale: float, offset: float) -> bytes:
    crs: CRS = lunar_crs("south" if label.south else "north")
    if label.projection == "cylindrical":
        crs = CRS.from_wkt(geographic_crs().to_wkt())
    a = label.affine
    nodata = "" if label.nodata is None else f"<NoDataValue>{label.nodata!r}</NoDataValue>"
    return (
        f'<VRTDataset rasterXSize="{label.samples}" rasterYSize="{label.lines}">'
        f"<SRS>{escape(crs.to_wkt())}</SRS>"
        f"<GeoTransform>{a.c!r},{a.a!r},0,{a.f!r},0,{a.e!r}</GeoTransform>"
        f"{band}{nodata}<Scale>{scale!r}</Scale><Offset>{offset!r}</Offset></VRTRasterBand></VRTDataset>"
    ).encode()


def is_integer(source: Source) -> bool:
    """Whether a raster stores integers."""
    return np.dtype(source.dataset.dtypes[0]).kind in "iu"
