"""Files made to do harm: each is refused with a declared error, in bounded memory, or read as what it holds itself."""

from __future__ import annotations

import multiprocessing
import resource
import struct
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
from affine import Affine

from lunarsite.artefact import ArtefactError
from lunarsite.grid import Grid
from lunarsite.source.kinds import LocalError

GRID = Grid(-4_800.0, 4_800.0, 240.0, 40, 40)
FIELD = "source.local.dem"
AFFINE = Affine(240.0, 0.0, -4_800.0, 0.0, -240.0, 4_800.0)
MIB = 2**20


def raster(path: Path, value: float = 1.0, side: int = 40, **more: object) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", width=side, height=side, count=1, dtype="float32", crs="IAU_2015:30135",
        transform=AFFINE, **more
    ) as out:  # fmt: skip
        out.write(np.full((side, side), value, dtype=np.float32), 1)
    return path


def read(path: Path) -> np.ndarray:
    from lunarsite.source.local import opened

    with opened(path, GRID, FIELD) as found:
        return found.read()


# What must not be read along with a raster.


def decoy(folder: Path) -> Path:
    return raster(folder / "decoy.tif", 666.0, 20)


def mosaic_of(path: Path, side: int) -> str:
    return (
        f'<VRTDataset rasterXSize="{side}" rasterYSize="{side}"><VRTRasterBand dataType="Float32" band="1">'
        f"<SimpleSource><SourceFilename>{path}</SourceFilename><SourceBand>1</SourceBand></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )


def external_overview(path: Path) -> None:
    path.with_name("dem.tif.ovr").write_bytes(decoy(path.parent).read_bytes())


def virtual_overview(path: Path) -> None:
    path.with_name("dem.tif.ovr").write_text(mosaic_of(decoy(path.parent), 20))


def named_overview(path: Path) -> None:
    with rasterio.open(path, "r+") as out:
        out.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(decoy(path.parent)))


def side_metadata(path: Path) -> None:
    path.with_name("dem.tif.aux.xml").write_text(
        f'<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">{decoy(path.parent)}</MDI></Metadata>'
        "</PAMDataset>"
    )


@pytest.mark.parametrize("trap", [external_overview, virtual_overview, named_overview, side_metadata])
def test_a_raster_is_read_without_its_overviews(tmp_path: Path, trap: Callable[[Path], None]) -> None:
    from lunarsite.source.local import checked

    path = raster(tmp_path / "dem.tif")
    trap(path)
    with rasterio.open(path) as trapped:  # the trap works where nothing is done about it
        assert trapped.read(1, out_shape=(10, 10)).max() == 666.0
    assert read(path).max() == 1.0
    with checked(path, FIELD) as opened:
        assert opened.overviews(1) == []
        assert opened.read(1, out_shape=(10, 10)).max() == 1.0


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("dem.tif.msk", "VRT", "its mask, is no GeoTIFF"),
        ("DEM.TIF.MSK", "PK\x03\x04", "is a packed file"),
        ("dem.tif.aux.xml", "<PAMDataset><a>/vsicurl/http://127.0.0.1:9/x</a></PAMDataset>", "virtual file systems"),
        ("dem.tif.aux.xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><PAMDataset>&b;</PAMDataset>", "is no plain XML"),
        ("dem.tif.aux.xml", "<PAMDataset>", "is no plain XML"),
    ],
)
def test_files_beside_a_raster(tmp_path: Path, name: str, content: str, told: str) -> None:
    path = raster(tmp_path / "dem.tif")
    (tmp_path / name).write_text(mosaic_of(path, 40) if content == "VRT" else content)
    with pytest.raises(LocalError, match=told):
        read(path)


def test_a_mask_beside_a_raster_counts(tmp_path: Path) -> None:
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False):
        path = raster(tmp_path / "dem.tif")
        with rasterio.open(path, "r+") as out:
            mask = np.full((40, 40), 255, dtype=np.uint8)
            mask[:10] = 0
            out.write_mask(mask)
    assert (tmp_path / "dem.tif.msk").exists()
    found = read(path)
    assert np.isnan(found[:10]).all()
    assert (found[10:] == 1.0).all()


# Files that claim, hold or unpack to too much. Each is read in a process of its own with little memory.


def tiff(entries: list[tuple[int, int, int, int]], tail: bytes = b"") -> bytes:
    """A classic TIFF with one directory of (tag, type, count, value)."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\x00" + struct.pack("<IH", 8, len(entries)) + body + bytes(4) + tail


def claims(width: int, height: int, *more: tuple[int, int, int, int]) -> Callable[[Path], None]:
    base = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 32), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1)]
    layout = more or ((273, 4, 1, 200), (278, 4, 1, height), (279, 4, 1, 2**31))
    content = tiff(sorted([*base, (339, 3, 1, 3), *layout]), bytes(400))
    return lambda path: path.write_bytes(content) and None


def georeferenced(path: Path, **more: object) -> None:
    """A raster of 120 000 x 120 000 pixels, in one block, in a few bytes."""
    with rasterio.open(
        path, "w", driver="GTiff", width=120_000, height=120_000, count=1, dtype="float64", crs="IAU_2015:30135",
        transform=Affine(0.08, 0.0, -4_800.0, 0.0, -0.08, 4_800.0), SPARSE_OK=True, BIGTIFF="YES", **more
    ):  # fmt: skip
        pass


def cut(path: Path) -> None:
    whole = raster(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def metadata(content: bytes) -> Callable[[Path], None]:
    """A sound raster whose GDAL_METADATA (tag 42112) is something else."""

    def make(path: Path) -> None:
        raster(path)
        with rasterio.open(path, "r+") as out:
            out.update_tags(A="x" * max(0, len(content) - 60))
        body = path.read_bytes()
        at = body.index(b"<GDALMetadata>")
        end = body.index(b"</GDALMetadata>") + len(b"</GDALMetadata>")
        path.write_bytes(body[:at] + content[: end - at].ljust(end - at) + body[end:])

    return make


def bomb() -> bytes:
    names = "".join(f'<!ENTITY {b} "{("&" + a + ";") * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    return f'<!DOCTYPE x [<!ENTITY a "lol">{names}]><GDALMetadata><Item name="A">&i;</Item></GDALMetadata>'.encode()


def many_tags(path: Path) -> None:
    body = b"".join(struct.pack("<HHII", 40_000, 1, 2**31, 8) for _ in range(65_000))
    path.write_bytes(b"II*\x00" + struct.pack("<IH", 8, 65_000) + body)


def circle(path: Path) -> None:
    content = bytearray(raster(path).read_bytes())
    first = struct.unpack_from("<I", content, 4)[0]
    count = struct.unpack_from("<H", content, first)[0]
    struct.pack_into("<I", content, first + 2 + 12 * count, first)
    path.write_bytes(content)


RASTERS: dict[str, tuple[Callable[[Path], None], bool]] = {
    "two thousand million pixels a side": (claims(2**31 - 1, 2**31 - 1), False),
    "more pixels than an int": (claims(2**32 - 1, 2**32 - 1), False),
    "a million pixels a side in one strip": (claims(10**6, 10**6), False),
    "tiles of a gigabyte": (
        claims(10**5, 10**5, (322, 4, 1, 65_520), (323, 4, 1, 65_520), (324, 4, 1, 200), (325, 4, 1, 100)),
        False,
    ),
    "one block of 115 GB": (lambda path: georeferenced(path, blockysize=120_000, compress="deflate"), False),
    "cut in the middle": (cut, False),
    "65 000 tags of 2 GB": (many_tags, False),
    "directories in a circle": (circle, True),
    "metadata that are a bomb": (metadata(bomb()), True),
    "metadata that nest": (metadata(b"<GDALMetadata>" + b"<a>" * 100_000), True),
    "metadata of 20 MB": (metadata(b"<GDALMetadata>" + b"x" * 20 * MIB), True),
}
"""Maker, and whether the file may still be read, for its pixels are sound."""


def tiles(path: Path, **more: object) -> h5py.File:
    file = h5py.File(path, "w")
    file.create_dataset("target_masks", (2, 256, 256), "f4", chunks=(1, 256, 256))
    file["longlat_bounds"] = np.array([[1.0, 5, -5, 5], [40, 50, -5, 5]])
    file["pix_distortion"] = np.ones(2)
    file.create_group("craters/img_00000")
    file.create_group("craters/img_00001")
    if more:
        file.create_dataset("input_images", **{"shape": (2, 256, 256), "dtype": "u1", **more})
    return file


def hdf5(**more: object) -> Callable[[Path], None]:
    return lambda path: tiles(path, **more).close()


def linked(link: object) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with tiles(path) as file:
            file["input_images"] = link

    return make


def stored_elsewhere(path: Path) -> None:
    tiles(path, external=[("/etc/passwd", 0, 2 * 256 * 256)]).close()


def deep(path: Path) -> None:
    with tiles(path) as file:
        group = file
        for _ in range(3_000):
            group = group.create_group("g")


def odd_filter(path: Path) -> None:
    with tiles(path) as file:
        kind = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        kind.set_chunk((1, 256, 256))
        kind.set_filter(32_123, h5py.h5z.FLAG_OPTIONAL, (1, 2, 3))
        space = h5py.h5s.create_simple((2, 256, 256))
        dataset = h5py.h5d.create(file.id, b"input_images", h5py.h5t.NATIVE_UINT8, space, kind)
        dataset.write_direct_chunk((0, 0, 0), b"not what it seems", 0)


HDF5S: dict[str, Callable[[Path], None]] = {
    "link to another file": linked(h5py.ExternalLink("/etc/passwd", "/x")),
    "link within": linked(h5py.SoftLink("/target_masks")),
    "data in another file": stored_elsewhere,
    "a million million tiles": hdf5(shape=(10**12, 256, 256), chunks=(1, 256, 256)),
    "chunks of a gigabyte": hdf5(shape=(16_384, 256, 256), chunks=(16_384, 256, 256)),
    "objects": hdf5(dtype=h5py.string_dtype()),
    "an unknown filter": odd_filter,
    "three thousand groups deep": deep,
}


def write(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content) and None


def long_line(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"lon_deg,lat_deg,diameter_m\n1,")
        file.truncate(2**30)


HEADER = b"id,lon_deg,lat_deg,diameter_m\n"
TABLES: dict[str, Callable[[Path], None]] = {
    "a line of a gigabyte": long_line,
    "a quote that never closes": write(HEADER + b'1,"' + b"1,2\n" * 200_000),
    "zero bytes": write(HEADER + b"1,1\x00,-89.9,1000\n"),
    "mixed encodings": write(HEADER + b"1,\xff\xfe1,-89.9,1000\n\xc3\x28"),
    "formula cells": write(HEADER + b'1,"=HYPERLINK(""http://127.0.0.1"")",-89.9,1000\n'),
    "ten million columns": write(b"lon_deg," * 10**7 + b"\n"),
    "ten million columns in a row": write(HEADER + b"1," * 10**7 + b"\n"),
}

PAGES: dict[str, Callable[[Path], None]] = {
    "a million tags deep": write(b"<div>" * 10**6),
    "entities in entities": write(bomb().replace(b"GDALMetadata", b"html")),
    "a script of 300 000 entries": write(
        b"<div id='content'><script>var images = [" + b"{id: 'a', title: ''}," * 300_000 + b"];</script></div>"
    ),
    "an attribute of megabytes": write(b"<div id='content' class='" + b"x" * 7 * MIB + b"'>"),
    "more than a page": write(b" " * 9 * MIB),
}

ROBOTS: dict[str, bytes] = {
    "rules of thousands of agents": b"".join(b"user-agent:%d\n" % k for k in range(15_000)) + b"allow:\n" * 50_000,
    "agents in every line": b"user-agent:*\nuser-agent:lunarsite\nallow:/*a*a*a*a*a*a*a*a$\n" * 10_000,
    "rules of all signs": b"user-agent:*\n" + b"disallow:/\xff%zz**$$\n" * 25_000,
    "one line": b"user-agent:*" * 45_000,
}
"""Nothing is refused in a robots.txt: what is no rule is none."""

LABEL = (
    b"PDS_VERSION_ID = PDS3\nRECORD_TYPE = FIXED_LENGTH\nRECORD_BYTES = 80\n^IMAGE = 'A.IMG'\nOBJECT = IMAGE\n"
    b"LINES = 40\nLINE_SAMPLES = 40\nSAMPLE_TYPE = LSB_INTEGER\nSAMPLE_BITS = 16\nUNIT = METER\nEND_OBJECT = IMAGE\n"
)
LABELS: dict[str, bytes] = {
    "absurd records": LABEL.replace(b"= 80", b"= 99999999999999999999").replace(b"'A.IMG'", b"('A.IMG', 9)"),
    "absurd lines": LABEL.replace(b"LINES = 40", b"LINES = 2147483647"),
    "a number of a million digits": LABEL.replace(b"= 80", b"= " + b"9" * 10**6),
    "lists in lists": LABEL.replace(b"= 80", b"= " + b"(" * 50_000),
    "objects in objects": LABEL + b"OBJECT = A\n" * 5_000,
    "a quote that never closes": LABEL + b'A = "' + b"x" * 100_000,
    "a comment that never closes": LABEL + b"/*" * 50_000,
    # pvl's forgiving parser goes in circles here.
    "a sign without a name": LABEL.replace(b"UNIT = METER\n", b"= =\n"),
    "an object that ends too early": LABEL.replace(b"SAMPLE_TYPE = LSB_INTEGER\n", b"SAMPLE_TYPE\n"),
}


def read_tiles(path: Path) -> object:
    from lunarsite.source import deepmoon

    with deepmoon.opened(path, None, FIELD) as file:
        return list(file.blocks(deepmoon.split_by_longitude(file.bounds_deg()), 5.0, 0.5))


def read_table(path: Path) -> object:
    from lunarsite.source.catalogue import read_craters

    return read_craters(path, GRID, FIELD)


def read_published_table(path: Path) -> object:
    from lunarsite.source.published.tables import look

    table = look(path, {"lon": ("lon_deg",), "lat": ("lat_deg",), "diameter": ("diameter_m",)}, (), FIELD)
    for chunk in table.chunks():
        if not chunk.map(str.isascii).all(axis=None) or not chunk.map(lambda text: "=" not in text).all(axis=None):
            raise LocalError("cells are refused where they are made numbers")
    return table


def read_page(path: Path) -> object:
    from lunarsite.source.archive.pages import read_item, read_search

    read_item(path.read_bytes(), "page")
    return read_search(path.read_bytes(), "page")


def read_rules(path: Path) -> object:
    from lunarsite.source.archive.robots import read_robots

    return read_robots(path.read_bytes(), "lunarsite").allows(f"https://example.org/{'a' * 2_000}b")


def read_label(path: Path) -> object:
    from lunarsite.source.published.pds3 import parse_label

    return parse_label(path.read_bytes())


READERS: dict[str, Callable[[Path], object]] = {
    "raster": read, "tiles": read_tiles, "table": read_table, "published table": read_published_table,
    "page": read_page, "label": read_label, "robots": read_rules,
}  # fmt: skip
CASES: list[tuple[str, str, Callable[[Path], object], bool]] = [
    *(("raster", name, make, may) for name, (make, may) in RASTERS.items()),
    *(("tiles", name, make, False) for name, make in HDF5S.items()),
    *(("table", name, make, False) for name, make in TABLES.items()),
    *(("published table", name, make, False) for name, make in TABLES.items()),
    *(("page", name, make, False) for name, make in PAGES.items()),
    *(("label", name, write(content), False) for name, content in LABELS.items()),
    *(("robots", name, write(content), True) for name, content in ROBOTS.items()),
]
MOST_MIB = 250


def confined(reader: str, path: Path, out: object) -> None:
    """Read a file with memory for little more than the libraries; send what came of it and the memory it took."""
    import warnings

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Path("/proc/self/statm").open() as statm:
        held = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + 2 * 1024 * MIB, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            READERS[reader](path)
            told = "read"
        except ArtefactError as error:
            told = f"refused: {error}"
        except BaseException as error:
            told = f"{type(error).__name__}: {str(error)[:300]}"
    out.send((told, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024))  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def server() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "lunarsite.source.local", "lunarsite.source.deepmoon", "pandas"])
    return context


@pytest.mark.parametrize(
    ("reader", "name", "make", "may_be_read"), [pytest.param(*case, id=f"{case[0]}: {case[1]}") for case in CASES]
)
def test_hostile_files(
    tmp_path: Path,
    reader: str,
    name: str,
    make: Callable[[Path], None],
    may_be_read: bool,
    server: multiprocessing.context.ForkServerContext,
) -> None:
    path = tmp_path / {"raster": "dem.tif", "tiles": "tiles.h5"}.get(reader, "file.csv")
    make(path)
    ours, theirs = server.Pipe(duplex=False)
    process = server.Process(target=confined, args=(reader, path, theirs))
    process.start()
    theirs.close()
    told, took_mib = ours.recv() if ours.poll(90) else (f"{name}: no answer", 0.0)
    process.join(5)
    path.unlink()
    assert told.startswith("refused: ") or (may_be_read and told == "read"), told
    assert len(told) < 6_000
    assert took_mib < MOST_MIB
