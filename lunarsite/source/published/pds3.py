"""Labels of the Planetary Data System, version 3: what an image beside a label holds, and where it lies.

The text is parsed by pvl; this module bounds what goes in and checks what comes out, for a label is as untrusted as any
byte from outside. Nothing about a product is written down here: its numbers' type, scale and place are its label's.

Lines and samples are counted from 1 and stand for a pixel's centre; the offsets of the projection count from the centre
of the first pixel (PDS Data Dictionary, LINE_PROJECTION_OFFSET; LOLA's DSMAP_POLAR.CAT: X = (SAMPLE -
SAMPLE_PROJECTION_OFFSET - 1) MAP_SCALE). So the upper-left corner lies half a pixel beyond them. GDAL takes the offsets
for one that differs by a pixel, which is why its reader of labels is not used.
"""

from __future__ import annotations

import importlib
import math
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

from affine import Affine

from lunarsite.grid import MOON_RADIUS_M
from lunarsite.source.kinds import LocalError

# Those of LOLA have some 6 kB; pvl takes up to 80 microseconds a byte.
_MOST_BYTES = 32 * 1024
_MOST_NESTED = 16
_MOST_SIDE = 2_000_000
_MOST_PX = 4e10
# What may be wrong with a text that pvl cannot take; the parser walks its own call stack, and makes dates and numbers.
_PARSER_ERRORS = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, StopIteration, RecursionError)

Order = Literal["LSB", "MSB"]
Projection = Literal["polar", "cylindrical"]

_SAMPLES: dict[str, tuple[str, Order]] = {
    "LSB_INTEGER": ("i", "LSB"),
    "PC_INTEGER": ("i", "LSB"),
    "VAX_INTEGER": ("i", "LSB"),
    "LSB_UNSIGNED_INTEGER": ("u", "LSB"),
    "PC_UNSIGNED_INTEGER": ("u", "LSB"),
    "MSB_INTEGER": ("i", "MSB"),
    "SUN_INTEGER": ("i", "MSB"),
    "MAC_INTEGER": ("i", "MSB"),
    "INTEGER": ("i", "MSB"),
    "MSB_UNSIGNED_INTEGER": ("u", "MSB"),
    "SUN_UNSIGNED_INTEGER": ("u", "MSB"),
    "UNSIGNED_INTEGER": ("u", "MSB"),
    "PC_REAL": ("f", "LSB"),
    "IEEE_REAL": ("f", "MSB"),
    "SUN_REAL": ("f", "MSB"),
    "MAC_REAL": ("f", "MSB"),
}
_BITS = {"i": (16, 32), "u": (8, 16, 32), "f": (32, 64)}
_METRES = {"METER": 1.0, "METERS": 1.0, "M": 1.0, "KILOMETER": 1e3, "KILOMETERS": 1e3, "KM": 1e3}
_PER_PIXEL = {
    "M/PIX": 1.0,
    "M/PIXEL": 1.0,
    "METERS/PIXEL": 1.0,
    "KM/PIX": 1e3,
    "KM/PIXEL": 1e3,
    "KILOMETERS/PIXEL": 1e3,
}
_NO_DATA = ("MISSING_CONSTANT", "INVALID_CONSTANT", "NULL")
# An offset beyond this is a radius from the Moon's centre, metres.
_LEAST_RADIUS_M = 1e6


class LabelError(LocalError):
    """A label that cannot be used; the message names the keyword and what it says."""


@dataclass(frozen=True)
class Pds3Label:
    """What a label says of an image.

    Args:
        pointer: Name of the file of pixels, as the label writes it.
        skip_bytes: Bytes before the first pixel.
        lines: Rows.
        samples: Columns.
        kind: 'i' (signed), 'u' (unsigned) or 'f' (real).
        bits: Bits of a number.
        order: Order of its bytes.
        scale: Factor of the stored numbers, in `unit_m` or plain.
        offset: Summand after it.
        nodata: The stored number that marks missing data, or None.
        unit_m: Metres in the unit of scale and offset; None for numbers that are no lengths.
        projection: 'polar' (stereographic) or 'cylindrical' (simple: longitude and latitude).
        south: Whether the polar map's pole is the south pole; False for a cylindrical one.
        affine: From (column, row) of pixel corners to map metres, or to degrees of longitude and latitude.
        record_bytes: Length of a record, to which a file may be filled up.
    """

    pointer: str
    skip_bytes: int
    lines: int
    samples: int
    kind: str
    bits: int
    order: Order
    scale: float
    offset: float
    nodata: float | None
    unit_m: float | None
    projection: Projection
    south: bool
    affine: Affine
    record_bytes: int

    @property
    def dtype(self) -> str:
        """The numbers' type as numpy writes it, without the order of bytes."""
        names = {"i": "int", "u": "uint", "f": "float"}
        return f"{names[self.kind]}{self.bits}"

    @property
    def image_bytes(self) -> int:
        """Size of the pixels."""
        return self.lines * self.samples * self.bits // 8

    def to_metres(self) -> tuple[float, float]:
        """Return (scale, offset) that make the stored numbers metres above the sphere of 1737.4 km.

        PLANETARY_RADIUS = number x SCALING_FACTOR + OFFSET (LOLA's labels); an offset that is no radius is the height's
        own.

        Raises:
            LabelError: The label gives no unit of length.
        """
        if self.unit_m is None:
            raise LabelError("IMAGE.UNIT is no unit of length, needed is METER or KILOMETER")
        offset_m = self.offset * self.unit_m
        if offset_m > _LEAST_RADIUS_M:
            offset_m -= MOON_RADIUS_M
        return self.scale * self.unit_m, offset_m


def parse_label(text: bytes) -> Pds3Label:
    """Return what a detached label says, once it is sound.

    Args:
        text: The label's bytes.

    Raises:
        LabelError: It is too long, no label, lacks a keyword, or describes an image that is not read here: of several
            bands, in another projection, on another sphere, in the frame of the principal axes.
    """
    label = _parsed(text)
    image, pointer, skip_bytes, record_bytes = _image(label)
    lines, samples = (_whole(image, name, 1, _MOST_SIDE) for name in ("LINES", "LINE_SAMPLES"))
    if lines * samples > _MOST_PX:
        raise LabelError(f"LINES {lines} x LINE_SAMPLES {samples} are more pixels than any map of the Moon has")
    if _whole(image, "BANDS", 1, 10**6, 1) != 1:
        raise LabelError(f"IMAGE.BANDS is {image['BANDS']}, needed is 1")
    for name in ("LINE_PREFIX_BYTES", "LINE_SUFFIX_BYTES"):
        if _whole(image, name, 0, 10**9, 0) != 0:
            raise LabelError(f"IMAGE.{name} is {image[name]}; lines with other bytes between them are not read")
    kind, bits, order = _sample_type(image)
    projection, south, affine = _place(_group(label, "IMAGE_MAP_PROJECTION"))
    unit = image.get("UNIT")
    return Pds3Label(
        pointer=pointer,
        skip_bytes=skip_bytes,
        lines=lines,
        samples=samples,
        kind=kind,
        bits=bits,
        order=order,
        scale=_number(image, "SCALING_FACTOR", 1.0),
        offset=_number(image, "OFFSET", 0.0),
        nodata=_nodata(image, kind, bits, order),
        unit_m=_METRES.get(unit.upper()) if isinstance(unit, str) else None,
        projection=projection,
        south=south,
        affine=affine,
        record_bytes=record_bytes,
    )


def _parsed(text: bytes) -> Mapping[str, Any]:
    pvl = _pvl()
    if len(text) > _MOST_BYTES:
        raise LabelError(f"is longer than any label ({len(text)} bytes, at most {_MOST_BYTES // 1024} KiB are read)")
    if b"PDS_VERSION_ID" not in text[:4096]:
        raise LabelError("is no label of PDS version 3: PDS_VERSION_ID is missing")
    if b"\x00" in text:
        raise LabelError("holds bytes that are no text")
    depth = deepest = 0
    for byte in text:
        depth += (byte in b"({") - (byte in b")}")
        deepest = max(deepest, depth)
    if deepest > _MOST_NESTED or text.upper().count(b"OBJECT") > 2 * _MOST_NESTED * _MOST_NESTED:
        raise LabelError(f"nests more than {_MOST_NESTED} lists or objects")
    # pvl's own choice, the parser that forgives empty values, runs in circles where an object ends too early.
    parser = pvl.parser.PVLParser(grammar=pvl.grammar.OmniGrammar(), decoder=pvl.decoder.OmniDecoder())
    try:
        label = parser.parse(text.decode("latin-1"))
    except (*_PARSER_ERRORS, pvl.exceptions.ParseError, pvl.exceptions.QuantityError) as error:
        raise LabelError(f"is no readable label ({type(error).__name__}: {str(error)[:200]})") from error
    if not isinstance(label, Mapping):
        raise LabelError("is no readable label: it holds no keywords")
    return label


def _pvl() -> ModuleType:
    with warnings.catch_warnings():
        # pvl 1.3 warns of a class of its own when it defines it.
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        return importlib.import_module("pvl")


def _group(within: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = within.get(name)
    if not isinstance(found, Mapping):
        raise LabelError(f"OBJECT {name} is missing")
    return found


def _image(label: Mapping[str, Any]) -> tuple[Mapping[str, Any], str, int, int]:
    """Return the image's keywords, the file it points to, the bytes before the first pixel, and a record's length.

    A label of a compressed image describes the file that it unpacks to, within UNCOMPRESSED_FILE, and the one that is
    there within COMPRESSED_FILE (PDS Standards Reference, 3.8).
    """
    packed, unpacked = label.get("COMPRESSED_FILE"), label.get("UNCOMPRESSED_FILE")
    if isinstance(packed, Mapping) and isinstance(unpacked, Mapping):
        name = packed.get("FILE_NAME")
        if not isinstance(name, str):
            raise LabelError("COMPRESSED_FILE.FILE_NAME is missing")
        return _group(unpacked, "IMAGE"), name, 0, 0
    record_bytes = _whole(label, "RECORD_BYTES", 0, 10**9, 0)
    pointer, skip_bytes = label.get("^IMAGE"), 0
    if isinstance(pointer, list | tuple) and len(pointer) == 2:
        pointer, start = pointer
        unit = str(getattr(start, "units", "")).upper()
        count = getattr(start, "value", start)
        if unit not in ("", "BYTES") or not isinstance(count, int) or not 1 <= count < 2**40:
            raise LabelError(f"^IMAGE begins at {start}, which is no record and no byte")
        if unit == "" and record_bytes == 0:
            raise LabelError(f"^IMAGE begins at record {count}, but RECORD_BYTES is missing")
        skip_bytes = (count - 1) * (1 if unit else record_bytes)
    if not isinstance(pointer, str):
        raise LabelError(f"^IMAGE is {str(pointer)[:80]!r}, needed is the name of a file beside the label")
    return _group(label, "IMAGE"), pointer, skip_bytes, record_bytes


def _sample_type(image: Mapping[str, Any]) -> tuple[str, int, Order]:
    name = str(image.get("SAMPLE_TYPE")).upper()
    if name not in _SAMPLES:
        raise LabelError(f"IMAGE.SAMPLE_TYPE is {name[:80]}, read are {', '.join(_SAMPLES)}")
    kind, order = _SAMPLES[name]
    bits = _whole(image, "SAMPLE_BITS", 1, 128)
    if bits not in _BITS[kind]:
        raise LabelError(f"IMAGE.SAMPLE_BITS is {bits}, read are {_BITS[kind]} of {name}")
    return kind, bits, order


def _nodata(image: Mapping[str, Any], kind: str, bits: int, order: Order) -> float | None:
    found = {_constant(image, name, kind, bits) for name in _NO_DATA if not _absent(image.get(name))}
    if len(found) > 1:
        raise LabelError(f"IMAGE declares {len(found)} numbers of missing data, one is read")
    return found.pop() if found else None


def _constant(image: Mapping[str, Any], name: str, kind: str, bits: int) -> float:
    """Return a stored number that marks missing data; 16#FF7FFFFB# is the bits of a real number, not its value."""
    value = image[name]
    if kind == "f" and isinstance(value, int) and 2**24 < value < 2**bits:
        packed = value.to_bytes(bits // 8, "big")
        return float(struct.unpack(">f" if bits == 32 else ">d", packed)[0])
    number = _number(image, name)
    low, high = (0, 2**bits) if kind == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    if kind != "f" and not (number == int(number) and low <= number < high):
        raise LabelError(f"IMAGE.{name} is {value}, which {bits} bits do not hold")
    return number


def _place(map_: Mapping[str, Any]) -> tuple[Projection, bool, Affine]:
    _check_frame(map_)
    kind = str(map_.get("MAP_PROJECTION_TYPE")).upper().replace("_", " ").strip()
    line0, sample0 = (_number(map_, f"{axis}_PROJECTION_OFFSET") for axis in ("LINE", "SAMPLE"))
    lat_deg, lon_deg = _number(map_, "CENTER_LATITUDE"), _number(map_, "CENTER_LONGITUDE")
    if kind == "POLAR STEREOGRAPHIC":
        if abs(abs(lat_deg) - 90.0) > 1e-9 or lon_deg != 0.0:
            raise LabelError(
                f"CENTER_LATITUDE, CENTER_LONGITUDE are {lat_deg:g}, {lon_deg:g}; read are maps about a pole, with"
                " longitude 0 upwards in the south and downwards in the north"
            )
        pixel = _pixel_m(map_)
        return "polar", lat_deg < 0.0, Affine(pixel, 0.0, -(sample0 + 0.5) * pixel, 0.0, -pixel, (line0 + 0.5) * pixel)
    if kind in ("SIMPLE CYLINDRICAL", "EQUIRECTANGULAR"):
        if lat_deg != 0.0:
            raise LabelError(f"CENTER_LATITUDE is {lat_deg:g} of a cylindrical map, read is 0")
        step = 1.0 / _positive(map_, "MAP_RESOLUTION")
        west, north = lon_deg - (sample0 + 0.5) * step, (line0 + 0.5) * step
        if north > 90.0 + 0.5 * step or not -720.0 <= west <= 720.0:
            raise LabelError(f"the map begins at longitude {west:g} and latitude {north:g}, which is nowhere")
        return "cylindrical", False, Affine(step, 0.0, west, 0.0, -step, north)
    raise LabelError(f"MAP_PROJECTION_TYPE is {kind[:80]}, read are POLAR STEREOGRAPHIC and SIMPLE CYLINDRICAL")


def _check_frame(map_: Mapping[str, Any]) -> None:
    for axis in "ABC":
        radius_m = 1e3 * _number(map_, f"{axis}_AXIS_RADIUS")
        if abs(radius_m - MOON_RADIUS_M) > 0.5:
            raise LabelError(
                f"{axis}_AXIS_RADIUS is {radius_m:g} m, needed is the Moon's sphere of {MOON_RADIUS_M:g} m"
            )
    frame = str(map_.get("COORDINATE_SYSTEM_NAME", "")).upper()
    if "MEAN EARTH" not in frame:
        raise LabelError(
            f"COORDINATE_SYSTEM_NAME is '{frame[:80]}', needed is MEAN EARTH/POLAR AXIS: other frames lie up to a"
            " kilometre off"
        )
    if str(map_.get("POSITIVE_LONGITUDE_DIRECTION", "EAST")).upper() != "EAST":
        raise LabelError("POSITIVE_LONGITUDE_DIRECTION is not EAST")
    if not _absent(map_.get("MAP_PROJECTION_ROTATION")) and _number(map_, "MAP_PROJECTION_ROTATION") != 0.0:
        raise LabelError("MAP_PROJECTION_ROTATION is not 0; turned maps are not read")


def _pixel_m(map_: Mapping[str, Any]) -> float:
    value = _positive(map_, "MAP_SCALE")
    unit = str(getattr(map_["MAP_SCALE"], "units", "")).upper()
    if unit not in _PER_PIXEL:
        raise LabelError(f"MAP_SCALE is in '{unit[:40]}', read are {', '.join(_PER_PIXEL)}")
    pixel_m = value * _PER_PIXEL[unit]
    if not _absent(map_.get("MAP_RESOLUTION")):
        wanted = math.radians(1.0) * MOON_RADIUS_M / _positive(map_, "MAP_RESOLUTION")
        if abs(pixel_m / wanted - 1.0) > 0.01:
            raise LabelError(f"MAP_SCALE is {pixel_m:g} m, but MAP_RESOLUTION says {wanted:g} m at the pole")
    return pixel_m


def _absent(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.upper() in ("N/A", "UNK", "NULL", ""))


def _number(within: Mapping[str, Any], name: str, default: float | None = None) -> float:
    value = within.get(name)
    if _absent(value) and default is not None:
        return default
    value = getattr(value, "value", value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e300 < value < 1e300:
        raise LabelError(f"{name} is {str(value)[:80]!r}, needed is a number")
    return float(value)


def _positive(within: Mapping[str, Any], name: str) -> float:
    value = _number(within, name)
    if not 1e-9 < value < 1e9:
        raise LabelError(f"{name} is {value:g}, needed is a positive number")
    return value


def _whole(within: Mapping[str, Any], name: str, least: int, most: int, default: int | None = None) -> int:
    value = _number(within, name, default)
    if value != int(value) or not least <= value <= most:
        raise LabelError(f"{name} is {value:g}, needed is a whole number within {least}..{most}")
    return int(value)
