"""What kind of file a user's file is: told from its first bytes, before GDAL sees it.

GDAL opens by content, whatever a file is called: XML of a few lines sends it to any server or any other file. So a
file's kind is decided here, by a list; what is none of these, is packed, or names files of GDAL's virtual file systems
is refused unopened; so is what GDAL would read along with it, and overviews are never read (`ITSELF`). As a second wall
GDAL has no network while such a file is open (`OFFLINE`). This module must not know what the files are used for.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.parsers import expat

from lunarsite.artefact import ArtefactError


class LocalError(ArtefactError):
    """A user's file that cannot be used; the message names the setting, the file, what is wrong and what to do."""


_HEAD_BYTES = 2**20
"""So much of a file is looked at. GDAL itself tells the kind by a few kilobytes."""
_MOST_TABLE_BYTES, _MOST_LINE_BYTES = 2**30, 2**16
_MOST_XML_BYTES = 16 * 2**20
_VIRTUAL = re.compile(
    rb"/vsi(curl|s3|gs|az|adls|oss|swift|hdfs|webhdfs|zip|gzip|tar|7z|rar|mem|stdin|sparse|subfile|cached|crypt)",
    re.IGNORECASE,
)
_PACKED = {b"PK\x03\x04": "zip", b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"7z\xbc\xaf": "7z"}
_TAR = slice(257, 262)

_TIFFS = b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"
_JPEG2000 = b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51"
# Kinds whose text may name a file of pixels beside it.
_LABELLED = "PDS", "PDS4", "ISIS3"
_MEND_RASTER = "convert it on your side (gdal_translate FILE out.tif)"
_MEND_VRT = "make a plain mosaic of local files (gdalbuildvrt) or a GeoTIFF (gdal_translate)"
# Sources of a mosaic that do nothing but copy or scale pixels of files.
_VRT_SOURCES = {"simplesource", "complexsource", "averagedsource", "kernelfilteredsource"}

_MEND_VECTOR = "convert it on your side (ogr2ogr out.gpkg FILE)"
_VECTORS = {
    ".gpkg": ("GPKG",),
    ".geojson": ("GeoJSON", "GeoJSONSeq"),
    ".json": ("GeoJSON", "GeoJSONSeq"),
    ".geojsonl": ("GeoJSONSeq", "GeoJSON"),
    ".geojsons": ("GeoJSONSeq", "GeoJSON"),
    ".shp": ("ESRI Shapefile",),
    ".fgb": ("FlatGeobuf",),
    ".kml": ("LIBKML", "KML"),
    ".tab": ("MapInfo File",),
    ".mif": ("MapInfo File",),
    ".gmt": ("OGR_GMT",),
}
"""Drivers that may open a file of a suffix: kinds that hold their data themselves."""
_BINARY = b"sqlite format 3\x00", b"\x00\x00\x27\x0a", b"fgb"
# GDAL's pipelines are JSON too, its virtual layers XML, and GML fetches its schemas.
_JSON = (b"{", b"\x1e"), (b"gdal_streamed_alg",)
_LEADS: dict[str, tuple[tuple[bytes, ...], tuple[bytes, ...]]] = {
    **dict.fromkeys((".geojson", ".json", ".geojsonl", ".geojsons"), _JSON),
    ".gpkg": (_BINARY[:1], ()),
    ".shp": (_BINARY[1:2], ()),
    ".fgb": (_BINARY[2:], ()),
    ".kml": ((b"<",), (b"OGRVRTDataSource", b"opengis.net/gml")),
    ".tab": ((b"!table",), ()),
    ".mif": ((b"version",), ()),
    ".gmt": ((b"# @vgmt",), ()),
}
"""First bytes of a suffix's files, in small letters, and words that their heads must not hold."""
# Offset and values of SQLite's application id in a GeoPackage.
_GPKG_ID = slice(68, 72), (b"GPKG", b"GP10", b"GP11", b"GP12")


def raster_driver(path: Path, where: str) -> str:
    """Return the one driver of GDAL that may open a raster.

    Args:
        path: An existing file.
        where: Setting and file, for messages.

    Raises:
        LocalError: It is of no listed kind, packed, or a mosaic (VRT) that does more than join local files.
    """
    head = _head(path, where)
    _check_beside(path, where)
    driver = _plain_raster(head)
    if driver in _LABELLED:
        _check_virtual(head, where)
    if driver is not None:
        return driver
    if b"<vrtdataset" in head[:4_096].lower():
        _check_mosaic(path, where)
        return "VRT"
    raise LocalError(
        f"{where}: is no readable raster, for it is neither GeoTIFF, JPEG 2000, PDS, PDS4, ISIS cube nor VRT;"
        f" {_MEND_RASTER}"
    )


def _check_beside(path: Path, where: str) -> None:
    """Refuse files of the same name that GDAL reads along with a raster, if they could send it elsewhere."""
    beside = {f"{path.name}{suffix}".lower(): suffix for suffix in (".msk", ".aux.xml")}
    for side in sorted(path.parent.iterdir()):
        suffix = beside.get(side.name.lower())
        if suffix == ".msk" and not _head(side, f"{where}: {side.name}").startswith(_TIFFS):
            raise LocalError(f"{where}: {side.name}, its mask, is no GeoTIFF; remove it or make it again")
        if suffix == ".aux.xml" and _xml(side, f"{where}: {side.name}") is None:
            raise LocalError(f"{where}: {side.name}, its metadata, is no plain XML; remove it or make it again")


def _plain_raster(head: bytes) -> str | None:
    """Return the driver of a raster that holds its pixels itself or beside its label, or None."""
    if head.startswith(_TIFFS):
        return "GTiff"
    if head.startswith(_JPEG2000):
        return "JP2OpenJPEG"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "PDS4" if b"Product_Observational" in head and b"<vrtdataset" not in head.lower() else None
    if b"IsisCube" in head[:4_096]:
        return "ISIS3"
    return "PDS" if b"PDS_VERSION_ID" in head[:4_096] else None


def _check_mosaic(path: Path, where: str) -> None:
    """Refuse a VRT that is more than a mosaic of local files of the other kinds."""
    root = _xml(path, where)
    if root is None or root.tag.lower() != "vrtdataset" or _subclass(root):
        raise LocalError(f"{where}: is a VRT that warps or computes; {_MEND_VRT}")
    for element in root.iter():
        name = str(element.tag).lower()
        computes = name == "vrtrasterband" and _subclass(element) not in ("", "vrtsourcedrasterband")
        fetches = name in ("sourcedataset", "group") or (name.endswith("source") and name not in _VRT_SOURCES)
        if computes or fetches:
            raise LocalError(f"{where}: is a VRT with a {element.tag} that does more than join files; {_MEND_VRT}")
        if name == "sourcefilename":
            _check_source(path, element, where)


def _check_source(path: Path, element: ET.Element, where: str) -> None:
    name = (element.text or "").strip()
    relative = {key.lower(): value for key, value in element.attrib.items()}.get("relativetovrt") == "1"
    source = path.resolve().parent / name if relative else Path(name)
    if "/vsi" in name.lower() or "://" in name or "<" in name or not source.is_file():
        raise LocalError(f"{where}: is a VRT of {name[:200]!r}, which is no local file; {_MEND_VRT}")
    head = _head(source, where)
    driver = _plain_raster(head)
    if driver in (None, "PDS4"):  # GDAL tells the source's kind again: no XML, which many of its drivers take
        raise LocalError(
            f"{where}: is a VRT of {name[:200]!r}, which is neither GeoTIFF, JPEG 2000, PDS nor ISIS cube; {_MEND_VRT}"
        )
    if driver in _LABELLED:
        _check_virtual(head, where)


def _subclass(element: ET.Element) -> str:
    return {key.lower(): value for key, value in element.attrib.items()}.get("subclass", "").lower()


def _xml(path: Path, where: str) -> ET.Element | None:
    """Return the root of an XML file without entities of its own, or None if it is none."""
    if path.stat().st_size > _MOST_XML_BYTES:
        raise LocalError(f"{where}: is XML of more than {_MOST_XML_BYTES // 2**20} MiB; {_MEND_VRT}")
    content = path.read_bytes()
    _check_virtual(content, where)
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        return None
    try:
        return ET.fromstring(content)  # noqa: S314 - entities are refused above
    except ET.ParseError:
        return None


def check_lines(path: Path, where: str) -> None:
    """Refuse a table of text whose parser would need any memory: too large, or with a line that is too long.

    Args:
        path: An existing file.
        where: Setting and file, for messages.

    Raises:
        LocalError: It has more than 1 GiB, a line of more than 64 KiB, or zero bytes, which no text holds.
    """
    if path.stat().st_size > _MOST_TABLE_BYTES:
        raise LocalError(f"{where}: is larger than {_MOST_TABLE_BYTES // 2**30} GiB; cut out what lies on the map")
    with path.open("rb") as file:
        number = 0
        while line := file.readline(_MOST_LINE_BYTES + 1):
            number += 1
            if len(line) > _MOST_LINE_BYTES or b"\x00" in line:
                wrong = "holds zero bytes" if b"\x00" in line else f"is longer than {_MOST_LINE_BYTES} bytes"
                raise LocalError(f"{where}, line {number}: {wrong}; is it a table of text (CSV)?")


def vector_drivers(path: Path, where: str) -> tuple[str, ...]:
    """Return the drivers of GDAL of which one is to open a vector file.

    pyogrio cannot hand them to GDAL, so the first bytes are held against the suffix until no other driver takes it.

    Args:
        path: An existing file.
        where: Setting and file, for messages.

    Raises:
        LocalError: Its suffix is none of the list, its bytes are of another kind, it is packed or could send GDAL
            elsewhere.
    """
    head, suffix = _head(path, where), path.suffix.lower()
    if suffix == ".csv":
        raise LocalError(f"{where}: holds no geometry, for it is a table of text; {_MEND_VECTOR}")
    if suffix not in _VECTORS:
        raise LocalError(
            f"{where}: is a file of kind '{suffix}', read are {', '.join(sorted(_VECTORS))}; {_MEND_VECTOR}"
        )
    if not _looks_like(suffix, head):
        raise LocalError(f"{where}: is no readable vector file, for it is not what its suffix says; {_MEND_VECTOR}")
    if suffix == ".gpkg":
        _check_geopackage(path, where)
    elif suffix == ".kml":
        _check_kml(path, where)
    elif suffix in (".tab", ".mif", ".gmt"):
        _check_virtual(head, where)
    return _VECTORS[suffix]


def _looks_like(suffix: str, head: bytes) -> bool:
    """Whether a file's first bytes are those of its suffix, and of no kind that points elsewhere."""
    start, forbidden = _LEADS[suffix]
    text = head if start[0] in _BINARY else head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if suffix == ".gpkg" and head[_GPKG_ID[0]] not in _GPKG_ID[1]:
        return False
    return text[:16].lower().startswith(start) and not any(word in head for word in forbidden)


def _check_geopackage(path: Path, where: str) -> None:
    """Refuse a GeoPackage with views and foreign virtual tables: reading them runs functions, which may fetch."""
    uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as database:
            rows = database.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    except sqlite3.Error as error:
        raise LocalError(f"{where}: is no readable vector file ({error}); {_MEND_VECTOR}") from error
    for kind, name, sql in rows:
        virtual = re.match(r"\s*create\s+virtual\s+table", sql or "", re.IGNORECASE)
        if kind == "view" or (virtual and not re.search(r"\busing\s+[\"'\[`]?rtree\b", sql, re.IGNORECASE)):
            raise LocalError(
                f"{where}: has a view or virtual table '{name}', which is not read; keep tables alone (ogr2ogr"
                " out.gpkg FILE LAYER)"
            )


def _check_kml(path: Path, where: str) -> None:
    """Refuse XML that is no KML, is not well-formed, or defines entities."""
    roots: list[str] = []
    parser = expat.ParserCreate(namespace_separator=" ")

    def begin(name: str, _: object) -> None:
        if not roots:
            roots.append(name.rpartition(" ")[2])

    def doctype(*_: object) -> None:
        raise LocalError(f"{where}: is XML with a document type, which is not read; leave it out")

    parser.StartElementHandler, parser.StartDoctypeDeclHandler = begin, doctype
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except expat.ExpatError as error:
        raise LocalError(f"{where}: is no readable vector file ({error}); {_MEND_VECTOR}") from error
    if roots != ["kml"]:
        raise LocalError(f"{where}: is XML of kind '{roots[0]}', not KML; {_MEND_VECTOR}")


def _head(path: Path, where: str) -> bytes:
    """Return a file's first bytes; refuse what is packed, for its size tells nothing of what it holds."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    packed = next((name for magic, name in _PACKED.items() if head.startswith(magic)), None)
    if packed is None and head[_TAR] == b"ustar":
        packed = "tar"
    if packed is not None:
        raise LocalError(f"{where}: is a packed file ({packed}), which is not read; unpack it")
    return head


def _check_virtual(content: bytes, where: str) -> None:
    found = _VIRTUAL.search(content)
    if found is not None:
        raise LocalError(
            f"{where}: names '{found.group().decode()}', one of GDAL's virtual file systems, which are not opened;"
            " keep the data in the file or beside it"
        )
