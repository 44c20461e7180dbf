"""Good examples for each reader, and pieces of the syntaxes that they read: what a search for mistakes begins with."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

from lunarsite.grid import Grid

GRID = Grid(-4_800.0, 4_800.0, 240.0, 40, 40)


def labels() -> tuple[bytes, ...]:
    from tests.layouts.rasters import label_text

    return tuple(label_text("A.IMG", GRID, packed=packed).encode() for packed in (False, True))


def search_pages() -> tuple[bytes, ...]:
    from tests.layouts.pages import images_of, search_page

    return search_page("hubble", 1, images_of("hubble")[:3]), search_page("webb", 1, images_of("webb")[:2])


def item_pages() -> tuple[bytes, ...]:
    from tests.layouts.pages import images_of, item_page

    return item_page(images_of("hubble")[0]), item_page(images_of("webb")[0])


def pictures() -> tuple[bytes, ...]:
    import numpy as np
    from PIL import Image

    found = []
    rgb = np.arange(12 * 16 * 3, dtype=np.uint8).reshape(12, 16, 3)
    for mode, kind in (("RGB", "PNG"), ("L", "PNG"), ("P", "PNG"), ("RGBA", "PNG"), ("RGB", "JPEG"), ("L", "JPEG")):
        held = io.BytesIO()
        Image.fromarray(rgb).convert(mode).save(held, kind)
        found.append(held.getvalue())
    return tuple(found)


def any_pictures() -> tuple[bytes, ...]:
    """As `pictures`, and TIFFs, packed and plain, of 8 and 16 bits, and one that is to be shown turned."""
    import numpy as np
    from PIL import Image

    found = []
    grey = np.arange(12 * 16, dtype=np.uint16).reshape(12, 16)
    exif = Image.Exif()
    exif[0x0112] = 6
    for values, options in (
        (grey, {}),
        (grey.astype(np.uint8), {"compression": "tiff_deflate"}),
        (np.dstack([grey] * 3).astype(np.uint8), {"compression": "tiff_lzw", "exif": exif}),
    ):
        held = io.BytesIO()
        Image.fromarray(values).save(held, "TIFF", **options)
        found.append(held.getvalue())
    return (*pictures(), *found)


def rasters() -> tuple[bytes, ...]:
    with tempfile.TemporaryDirectory() as folder:
        return _rasters(Path(folder))


def _rasters(folder: Path) -> tuple[bytes, ...]:
    import numpy as np
    import rasterio
    from affine import Affine

    found = []
    for more in ({}, {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"}, {"nodata": -9999}):
        path = folder / "seed.tif"
        with rasterio.open(
            path, "w", driver="GTiff", width=40, height=40, count=1, dtype="int16", crs="IAU_2015:30135",
            transform=Affine(240.0, 0.0, -4_800.0, 0.0, -240.0, 4_800.0), **more
        ) as out:  # fmt: skip
            out.write(np.arange(1_600, dtype=np.int16).reshape(40, 40), 1)
        found.append(path.read_bytes())
    return tuple(found)


@cache
def grey_images() -> tuple[bytes, ...]:
    """Grey images of each kind that can be enhanced, with maps, scales and missing data."""
    import numpy as np
    from PIL import Image

    grey = Image.fromarray((np.arange(1_600) % 251).astype(np.uint8).reshape(40, 40))
    found = []
    for kind in ("PNG", "JPEG", "TIFF"):
        held = io.BytesIO()
        grey.save(held, kind)
        found.append(held.getvalue())
    return (*found, *rasters(), *packed_images())


END_OF_LABEL = b"\nEND\n#image#\n"
"""What parts a label from the image behind it, in the inputs of one target."""


def raw_images() -> tuple[bytes, ...]:
    text = labels()[0].rstrip()
    assert text.endswith(b"END")
    return (text[: -len(b"END")].rstrip() + END_OF_LABEL + bytes(2 * GRID.rows * GRID.cols),)


@cache
def packed_images() -> tuple[bytes, ...]:
    import numpy as np

    from tests.layouts.rasters import write_jp2

    found = []
    with tempfile.TemporaryDirectory() as folder:
        for tile_px in (None, 32):
            path = Path(folder) / "A.JP2"
            write_jp2(path, GRID, np.arange(1_600.0).reshape(40, 40), tile_px)
            found.append(path.read_bytes())
    return tuple(found)


def packed_label() -> bytes:
    from tests.layouts.rasters import label_text

    return label_text("A.JP2", GRID, packed=True).encode()


@cache
def mosaics() -> tuple[bytes, ...]:
    """A mosaic of the file seed.tif beside it."""
    from lunarsite.grid import lunar_crs

    source = (
        '<SimpleSource><SourceFilename relativeToVRT="1">seed.tif</SourceFilename><SourceBand>1</SourceBand>'
        '<SrcRect xOff="0" yOff="0" xSize="40" ySize="40"/><DstRect xOff="0" yOff="0" xSize="40" ySize="40"/>'
        "</SimpleSource>"
    )
    text = (
        f'<VRTDataset rasterXSize="40" rasterYSize="40"><SRS>{escape(lunar_crs().to_wkt())}</SRS>'
        "<GeoTransform>-4800,240,0,4800,0,-240</GeoTransform>"
        f'<VRTRasterBand dataType="Int16" band="1">{source}</VRTRasterBand></VRTDataset>'
    )
    return (text.encode(),)


_PARTS = (".shp", ".shx", ".dbf", ".prj")


def parts(data: bytes) -> dict[str, bytes]:
    """Return the parts of a shapefile that stand one after the other, each but the last behind its length."""
    found = {}
    for suffix in _PARTS[:-1]:
        length = int.from_bytes(data[:4], "little")
        found[f"psr{suffix}"], data = data[4 : 4 + length], data[4 + length :]
    return {**found, f"psr{_PARTS[-1]}": data}


@cache
def shapefiles() -> tuple[bytes, ...]:
    with tempfile.TemporaryDirectory() as folder:
        _write_outlines(Path(folder) / "psr.shp", "ESRI Shapefile")
        contents = [(Path(folder) / f"psr{suffix}").read_bytes() for suffix in _PARTS]
    return (b"".join(len(part).to_bytes(4, "little") + part for part in contents[:-1]) + contents[-1],)


@cache
def geopackages() -> tuple[bytes, ...]:
    with tempfile.TemporaryDirectory() as folder:
        _write_outlines(Path(folder) / "psr.gpkg", "GPKG")
        return ((Path(folder) / "psr.gpkg").read_bytes(),)


def _write_outlines(path: Path, driver: str) -> None:
    import geopandas as gpd
    import shapely

    from lunarsite.grid import lunar_crs

    shapes = [shapely.Polygon(SQUARE[0]), shapely.Point(-2_000.0, -2_000.0).buffer(500.0, 4)]
    frame = gpd.GeoDataFrame({"PSR_ID": ["a", "b"], "AREA_KM2": [4.0, 0.8]}, geometry=shapes, crs=lunar_crs().to_wkt())
    frame.to_file(path, driver=driver)


def tile_files() -> tuple[bytes, ...]:
    with tempfile.TemporaryDirectory() as folder:
        return _tile_file(Path(folder))


def _tile_file(folder: Path) -> tuple[bytes, ...]:
    import h5py
    import numpy as np

    path = folder / "seed.h5"
    with h5py.File(path, "w") as held:
        images = held.create_dataset("input_images", (2, 256, 256), "u1", chunks=(1, 256, 256), compression="gzip")
        images[:] = 7
        held.create_dataset("target_masks", (2, 256, 256), "f4", chunks=(1, 256, 256), compression="gzip")
        held["longlat_bounds"] = np.array([[1.0, 5, -5, 5], [40, 50, -5, 5]])
        held["pix_distortion"] = np.ones(2)
        for number in range(2):
            for name in ("x_px", "y_px", "diameter_px", "lon", "lat", "diameter_km"):
                held[f"craters/img_{number:05}/{name}"] = np.ones(1)
    return (path.read_bytes(),)


def archives(kind: str) -> Callable[[], tuple[bytes, ...]]:
    def seeds() -> tuple[bytes, ...]:
        import gzip
        import tarfile

        held = io.BytesIO()
        if kind == "zip":
            with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as packed:
                packed.writestr("a.txt", b"text" * 20)
                packed.writestr("b/c.txt", b"more")
            return (held.getvalue(),)
        with tarfile.open(fileobj=held, mode="w", format=tarfile.PAX_FORMAT) as plain:
            for name in ("a.txt", "n" * 120 + ".txt"):
                info = tarfile.TarInfo(name)
                info.size = 20
                plain.addfile(info, io.BytesIO(b"x" * 20))
        content = held.getvalue()[:5_120]
        return content, gzip.compress(content)

    return seeds


def json_of(*values: object) -> Callable[[], tuple[bytes, ...]]:
    return lambda: tuple(json.dumps(value).encode() for value in values)


def text(*texts: str) -> Callable[[], tuple[bytes, ...]]:
    return lambda: tuple(text.encode() for text in texts)


CRATERS = 'id,name,lon_deg,lat_deg,diameter_m,depth_m\n1,A,10.0,-89.95,2000,300\n2,"B, c",-20.0,-89.9,900,\n'
ROBBINS = "CRATER_ID,LAT_CIRC_IMG,LON_CIRC_IMG,DIAM_CIRC_IMG\n00-1,-89.95,10.0,2.5\n00-2,-89.9,340.0,1.0\n"
LU = "ID,Lon,Lat,Diameter_m,Depth_m\n1,10.0,-89.95,2500,300\n2,-20,-89.9,1000,100\n"
SITES = "name,lon,lat,sun_days,earth_days\nA,10,-89.5,20,10\nB,-20,-88,,3\n"
FRAMES = "file,utc,subsolar_lat_deg,subsolar_lon_deg\nM01.60m.tif,2023-01-02T03:04:05Z,-1.5,120.5\n"
LANDFORMS = "ESP_014156_1865_RED-0062.jpg 6\nESP_014156_1865_RED-0062-r90.jpg 6\n"
CLASSES = "0,other\n1,crater\n2,dark dune\n3,slope streak\n4,bright dune\n5,impact ejecta\n6,swiss cheese\n7,spider\n"
ROBOTS = (
    "User-agent: *\nDisallow: /private*/x$\nAllow: /images\nCrawl-delay: 2\n\nUser-agent: lunarsite\nDisallow: /a\n"
)
SQUARE = [[[-1_000, 1_000], [1_000, 1_000], [1_000, 3_000], [-1_000, 3_000], [-1_000, 1_000]]]
CRS_MEMBER = {"type": "name", "properties": {"name": "urn:ogc:def:crs:IAU_2015::30135"}}
LINE = {"type": "LineString", "coordinates": [[10, -89.95], [20, -89.94], [30, -89.9]]}
PRODUCT = """products:
  lola_dem:
    title: Elevation
    version: "2020.1"
    publisher: Somebody
    licence: public domain
    citation: none
    page: https://example.org/
    reader: published-elevation
    used_by: [published.dem]
    files:
      - {name: A.TIF, urls: [https://example.org/A.TIF], content: tiff, bytes: 100, size_is: published}
"""
PIN = {"key": "lola_dem/1/A.TIF", "sha256": "0" * 64, "bytes": 12, "url": "https://example.org/A.TIF"}
RECORD = {"id": 1, "files": [{"key": "a.tif", "size": 12, "checksum": "md5:" + "0" * 32}]}

CSV_WORDS = (
    b",",
    b'"',
    b"\n",
    b"\r\n",
    b";",
    b"\t",
    b"nan",
    b"inf",
    b"1e999",
    b"-0",
    b"\xef\xbb\xbf",
    b"=1+1",
    b"\x00",
)
JSON_WORDS = (b"{", b"[", b'"', b":", b",", b"null", b"NaN", b"1e999", b"\\ud800", b"[" * 3_000, b"true", b"-1")
HTML_WORDS = (
    *(b"<script>", b"</script>", b"<div id='content'>", b"<ul class='pagination'>", b"<!--", b"<![CDATA[", b"&#0;"),
    *(b"&nbsp;", b"&amp;", b"<td>", b"Orientation:", b"Credit:", b"id: '", b"\\'", b"\\u", b"]};", b"<p>" * 500),
    *(
        b"Position (RA):",
        b"North is -12.5 left of vertical",
        b"99999999999 x 1 px",
        b"-0",
        b"<!DOCTYPE",
        b"<!ENTITY a>",
    ),
)
LABEL_WORDS = (
    *(
        b"^IMAGE",
        b"OBJECT = ",
        b"END_OBJECT",
        b"GROUP = ",
        b"END",
        b"/*",
        b"*/",
        b"<M/PIX>",
        b"16#FF7FFFFB#",
        b"(1, 2)",
    ),
    *(b"{1, 2}", b'"/etc/passwd"', b"('../A.IMG', 2)", b"2001-01-01T00:00:00Z", b"23:59:60", b"1e999", b"NaN", b"-"),
    *(b"LINES = ", b"SAMPLE_TYPE = PC_REAL", b"MISSING_CONSTANT = ", b"2#1#", b"<", b">", b"(", b")", b"= =", b"\n"),
)
JP2_WORDS = (
    b"\xff\x51",
    b"\xff\x52",
    b"\xff\x90",
    b"\xff\xd9",
    b"jp2c",
    b"jp2h",
    b"uuid",
    b"\xff\xff\xff\xff",
    b"\x00\x00",
)
VRT_WORDS = (
    *(b"<ComplexSource>", b"<KernelFilteredSource>", b'subClass="VRTDerivedRasterBand"', b"/vsicurl/http://a", b"-1"),
    *(b"99999999999", b"NaN", b"1e999", b"<!DOCTYPE a>", b"&#0;", b"<SourceFilename>", b"<Overview>", b"../", b"<LUT>"),
    *(b"<ScaleRatio>0</ScaleRatio>", b"<NoDataValue>", b'dataType="CFloat64"', b"<VRTRasterBand>" * 200),
)
SHAPE_WORDS = (
    b"\xff\xff\xff\x7f",
    b"\x00\x00\x27\x0a",
    b"\x05\x00\x00\x00",
    b"\xff\xff\xff\xff",
    b"\x00" * 8,
    b"PROJCS[",
)
SQLITE_WORDS = (
    b"\xff\xff",
    b"GPKG",
    b"CREATE TABLE ",
    b"CREATE VIEW ",
    b"gpkg_contents",
    b"\x00\x00\x00\x00",
    b"GP\x00",
    b"POLYGON",
)
TIFF_WORDS = (b"\xff\xff\xff\xff", b"\x00\x00\x00\x80", b"\xff\xff", b"\x00\x00", b"II+\x00", b"\x00\x01", b"\x7f")
PRODUCT_WORDS = (
    *(b"&a ", b"*a", b"!!python/object:", b"- ", b"? ", b"<<: ", b"2001-13-01", b"0x", b"[" * 2_000, b"1:30", b"~"),
    *(b"zenodo: ", b"unpack: [a]", b"md5: ", b"bytes: -1", b"files: []", b"\t"),
)
TAR_WORDS = (b"0", b"7", b"\x80", b"ustar", b"../", b"12 size=", b"\x1f\x8b\x08", b"\x00" * 512)
ZIP_WORDS = (b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"\xff\xff\xff\xff", b"../", b"\x00\x00")
PICTURE_WORDS = (b"IHDR", b"IDAT", b"PLTE", b"tRNS", b"eXIf", b"acTL", b"zTXt", b"\xff\xe1", b"\xff\xc0", b"\xff\xc2")
CONTENT_WORDS = (b"<html><title>", b"\x89HDF\r\n\x1a\n", b"II*\x00", b"PK\x05\x06", b"<!--", b"\xff\xfe")
IMAGE_WORDS = (*TIFF_WORDS, *PICTURE_WORDS[:6], b"\xff\xd8\xff", b"\xff\xda", b"\xff\x51", b"jp2h", b"GDAL_METADATA")
ROBOTS_WORDS = (b"*", b"$", b"%2F", b"%", b"Allow:", b"Crawl-delay:", b"#", b"User-agent: lunarsite\n")
LINE_WORDS = (b".jpg ", b"-r90", b" 6\n", b"\x85", b",", b"\n", b"\xc2\xb2", b"999")
TIME_WORDS = (*CSV_WORDS, b"+23:59", b"0001-01-01", b"T24:00", b"-99")
HDF5_WORDS = (*TIFF_WORDS, b"TREE", b"SNOD", b"HEAP", b"OHDR", b"GCOL", b"\x89HDF\r\n\x1a\n")
