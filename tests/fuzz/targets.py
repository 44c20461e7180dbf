"""Everything that takes bytes from outside, in one table: what is called, which errors are declared, good examples.

A target may do nothing with any bytes but return or raise an error that it declares, soon, without a warning, and with
a message that can be printed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

from lunarsite.artefact import ArtefactError, download
from lunarsite.artefact.contracts import DOWNLOAD
from lunarsite.source.kinds import LocalError
from tests.fuzz import seeds
from tests.fuzz.seeds import GRID

LONGEST_S = 5.0
"""Processor time of one call. The inputs are small: what takes longer is a way to make a run hang."""
LONGEST_MESSAGE = 6_000


@dataclass(frozen=True)
class Target:
    """A reader of outside bytes.

    Args:
        name: Its name, and that of the folder with what was found.
        run: Reads the bytes.
        errors: The errors that it declares.
        seeds: Makes inputs that it takes.
        words: Pieces that its syntax knows.
        native: Whether a library that is not Python reads the bytes: a mistake there may end the process.
    """

    name: str
    run: Callable[[bytes], object]
    errors: tuple[type[Exception], ...]
    seeds: Callable[[], tuple[bytes, ...]]
    words: tuple[bytes, ...] = ()
    native: bool = False


def check(target: Target, data: bytes) -> bool:
    """Call a target; return whether it took the bytes. What it must not do is raised."""
    began = time.process_time()
    taken = True
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Python says these to nobody but those who write tests.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        # What GDAL tells of a file that it reads nevertheless.
        warnings.filterwarnings("ignore", category=RuntimeWarning, module="pyogrio")
        try:
            target.run(data)
        except target.errors as error:
            taken = False
            message = str(error)
            message.encode()
            assert 0 < len(message) <= LONGEST_MESSAGE, f"a message of {len(message)} characters"
    took_s = time.process_time() - began
    assert took_s <= LONGEST_S, f"{len(data)} bytes took {took_s:.1f} s"
    return taken


@cache
def scratch() -> Path:
    """Return a folder that goes when the process ends."""
    holder = tempfile.TemporaryDirectory(prefix="lunarsite-fuzz-")
    _KEPT.append(holder)
    return Path(holder.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def file(name: str, data: bytes) -> Path:
    path = scratch() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def receipt(product: str, name: str, data: bytes) -> Path:
    """Write a product's only file and its receipt; nothing of it is flushed to disk."""
    path = file(f"{product}/{name}", data)
    entry = {"name": name, "bytes": len(data), "sha256": "0" * 64, "url": "", "checked": "made up"}
    path.with_name("receipt.json").write_text(json.dumps({**receipt_values(product), "files": [entry]}))
    return path.with_name("receipt.json")


def receipt_of_files(product: str, files: Mapping[str, bytes]) -> Path:
    """Write the files of a product and their receipt, into a folder that holds nothing else."""
    place = scratch() / product
    shutil.rmtree(place, ignore_errors=True)
    entries = []
    for name, data in files.items():
        file(f"{product}/{name}", data)
        entries.append({"name": name, "bytes": len(data), "sha256": "0" * 64, "url": "", "checked": "made up"})
    return file(f"{product}/receipt.json", json.dumps({**receipt_values(product), "files": entries}).encode())


def receipt_values(product: str) -> dict[str, Any]:
    texts = dict.fromkeys(("title", "licence", "citation"), "text")
    stamp: dict[str, Any] = {
        "schema_version": 1, "artefact": "download", "stage": "fetch-product", "run": "any", "settings_hash": "0" * 64,
        "code": "0" * 16, "inputs": {}, "git_commit": None, "git_dirty": None, "seed": None, "origin": "published",
    }  # fmt: skip
    return {"stamp": stamp, "product": product, "version": "1", **texts}


# The readers; each is imported when it is first called, so that a tool can watch its branches.


def _label(data: bytes) -> object:
    from lunarsite.source.published.pds3 import parse_label

    return parse_label(data)


def _label_error() -> type[Exception]:
    from lunarsite.source.published.pds3 import LabelError

    return LabelError


def _own_craters(data: bytes) -> object:
    from lunarsite.source.catalogue import read_craters

    return read_craters(file("craters.csv", data), GRID, "source.local.craters")


def _published_craters(product: str) -> Callable[[bytes], object]:
    def run(data: bytes) -> object:
        from lunarsite.source.published.catalogues import read_published_craters

        return read_published_craters(receipt(product, "craters.csv", data), GRID)

    return run


def _sites(data: bytes) -> object:
    from lunarsite.source.published.sites import read_published_sites

    return read_published_sites(receipt("wueller_2026", "sites.csv", data), GRID)


def _regions(data: bytes) -> object:
    from lunarsite.source.published.regions import read_published_regions

    return read_published_regions(receipt("artemis_regions_2024", "regions.geojson", data), GRID)


def _search_page(data: bytes) -> object:
    from lunarsite.source.archive.pages import read_search

    return read_search(data, "page")


def _item_page(data: bytes) -> object:
    from lunarsite.source.archive.pages import read_item

    return read_item(data, "page")


def _robots(data: bytes) -> object:
    from lunarsite.source.archive.robots import read_robots

    return read_robots(data, "lunarsite").allows("https://example.org/images/a?b=c")


def _picture(data: bytes) -> object:
    from lunarsite.source.archive.pictures import decode

    return decode(data, "picture", 64)


def _scene_picture(data: bytes) -> object:
    from lunarsite.source.images.decode import read_rgb

    return read_rgb(file("picture.png", data), "rocks")


def _rock_picture(data: bytes) -> object:
    from lunarsite.vision.rock.pictures import read_picture

    return read_picture(file("picture.png", data))


def _landform_labels(data: bytes) -> object:
    from lunarsite.source.images.landforms import parse_labels

    return parse_labels(data, "labels")


def _class_map(data: bytes) -> object:
    from lunarsite.source.images.landforms import check_class_map

    return check_class_map(data, "classes")


def _frames(data: bytes) -> object:
    from lunarsite.source.images.shadowcam import parse_frames

    return parse_frames(data, "frames")


def _receipt(data: bytes) -> object:
    file("a.img", b"a")
    return download.read(file("receipt.json", data), DOWNLOAD)


def _pins(data: bytes) -> object:
    from lunarsite.source.fetch.pins import read_pins

    return read_pins(file("checksums.lock", data))


def _zenodo(data: bytes) -> object:
    from lunarsite.source.fetch.zenodo import published_checksums

    return published_checksums(data)


def _products(data: bytes) -> object:
    from lunarsite.source.products import read_products

    return read_products(file("products.yaml", data))


def _content(data: bytes) -> object:
    from lunarsite.source.fetch.content import ContentError, check_content
    from lunarsite.source.products import Content

    path, refused = file("download", data), []
    for content in get_args(Content):
        try:
            check_content(path, content, "file")
        except ContentError as error:
            refused.append(error)
    if refused:
        raise max(refused, key=lambda error: len(str(error)))
    return None


def _tar(data: bytes) -> object:
    from lunarsite.source.fetch.archives import unpack

    return unpack(file("packed.tar", data), "tar", ("*.txt",), scratch())


def _zip(data: bytes) -> object:
    from lunarsite.source.fetch.archives import unpack

    return unpack(file("packed.zip", data), "zip", ("*.txt",), scratch())


def _image(data: bytes) -> object:
    from lunarsite.vision.enhance.reading import opened

    with opened(file("image", data)) as image:
        height, width = image.shape
        # As much as one strip of a row of tiles; a header may claim any number of rows.
        return image.read(slice(0, min(height, max(1, 2**20 // width)))), image.affine, image.unit, image.dataset.tags()


def _raster(data: bytes) -> object:
    from lunarsite.source.local import opened

    with opened(file("raster.tif", data), GRID, "source.local.dem") as raster:
        return raster.read()


def _published(product: str, files: Mapping[str, bytes]) -> object:
    from lunarsite.source.local import placed
    from lunarsite.source.published.rasters import opened

    with (
        opened(receipt_of_files(product, files), "dem") as source,
        placed(source.dataset, source.path, GRID, source.field) as raster,
    ):
        return raster.read()


def _raw_image(data: bytes) -> object:
    """A label and behind its end the image that it tells of."""
    text, _, pixels = data.partition(seeds.END_OF_LABEL)
    return _published("raw_image", {"A.LBL": text + seeds.END_OF_LABEL, "A.IMG": pixels})


def _packed_image(data: bytes) -> object:
    return _published("packed_image", {"A.LBL": seeds.packed_label(), "A.JP2": data})


def _own_packed_image(data: bytes) -> object:
    from lunarsite.source.local import opened

    with opened(file("own.jp2", data), GRID, "source.local.dem") as raster:
        return raster.read()


def _mosaic(data: bytes) -> object:
    from lunarsite.source.local import opened

    file("seed.tif", seeds.rasters()[0])
    with opened(file("mosaic.vrt", data), GRID, "source.local.dem") as raster:
        return raster.read()


def _shadow_outlines(name: str) -> Callable[[bytes], object]:
    """Outlines in one file, or in the parts of a shapefile one after the other, each after its length."""

    def run(data: bytes) -> object:
        from lunarsite.source.published.psr_polygons import read_psr_polygons

        files = seeds.parts(data) if name.endswith(".shp") else {name: data}
        return read_psr_polygons(receipt_of_files(f"psr_{Path(name).suffix[1:]}", files), GRID)

    return run


def _lines(data: bytes) -> object:
    from lunarsite.source.scarps import read_scarps

    return read_scarps(file("lines.geojson", data), GRID, "source.local.scarps")


def _tiles(data: bytes) -> object:
    from lunarsite.source import deepmoon

    with deepmoon.opened(file("tiles.h5", data), None, "tiles") as tiles:
        split = deepmoon.split_by_longitude(tiles.bounds_deg())
        return list(tiles.blocks(split, 5.0, 0.5))


def _outlines() -> tuple[bytes, ...]:
    shape = {"type": "Polygon", "coordinates": seeds.SQUARE}
    feature = {"type": "Feature", "properties": {"region": "A", "code": "a"}, "geometry": shape}
    return seeds.json_of({"type": "FeatureCollection", "crs": seeds.CRS_MEMBER, "features": [feature]})()


def _stretches() -> tuple[bytes, ...]:
    feature = {"type": "Feature", "properties": {}, "geometry": seeds.LINE}
    return seeds.json_of({"type": "FeatureCollection", "features": [feature]})()


_LOCAL, _ANY = (LocalError,), (ArtefactError,)
_RECEIPT_FILE = {"name": "a.img", "bytes": 1, "sha256": hashlib.sha256(b"a").hexdigest(), "url": "", "checked": "text"}
_RECEIPT = {**receipt_values("a"), "files": [_RECEIPT_FILE]}

TARGETS: tuple[Target, ...] = (
    Target("label", _label, (_label_error(),), seeds.labels, seeds.LABEL_WORDS),
    Target("own-craters", _own_craters, _LOCAL, seeds.text(seeds.CRATERS), seeds.CSV_WORDS),
    Target("robbins", _published_craters("robbins_2018"), _ANY, seeds.text(seeds.ROBBINS), seeds.CSV_WORDS),
    Target("lu1319373", _published_craters("lu1319373"), _ANY, seeds.text(seeds.LU), seeds.CSV_WORDS),
    Target("sites", _sites, _ANY, seeds.text(seeds.SITES), seeds.CSV_WORDS),
    Target("search-page", _search_page, _ANY, seeds.search_pages, seeds.HTML_WORDS),
    Target("item-page", _item_page, _ANY, seeds.item_pages, seeds.HTML_WORDS),
    Target("robots", _robots, (), seeds.text(seeds.ROBOTS), seeds.ROBOTS_WORDS),
    Target("landform-labels", _landform_labels, _LOCAL, seeds.text(seeds.LANDFORMS), seeds.LINE_WORDS),
    Target("landform-classes", _class_map, _LOCAL, seeds.text(seeds.CLASSES), seeds.LINE_WORDS),
    Target("shadowcam-frames", _frames, _LOCAL, seeds.text(seeds.FRAMES), seeds.TIME_WORDS),
    Target("receipt", _receipt, _ANY, seeds.json_of(_RECEIPT), seeds.JSON_WORDS),
    Target("pins", _pins, _ANY, seeds.json_of(seeds.PIN), seeds.JSON_WORDS),
    Target("zenodo", _zenodo, _ANY, seeds.json_of(seeds.RECORD), seeds.JSON_WORDS),
    Target("products", _products, _ANY, seeds.text(seeds.PRODUCT), seeds.PRODUCT_WORDS),
    Target("content", _content, _ANY, seeds.pictures, seeds.CONTENT_WORDS),
    Target("tar", _tar, _ANY, seeds.archives("tar"), seeds.TAR_WORDS),
    Target("zip", _zip, _ANY, seeds.archives("zip"), seeds.ZIP_WORDS),
    Target("archive-picture", _picture, _ANY, seeds.pictures, seeds.PICTURE_WORDS, native=True),
    Target("scene-picture", _scene_picture, _LOCAL, seeds.pictures, seeds.PICTURE_WORDS, native=True),
    Target("rock-picture", _rock_picture, _ANY, seeds.any_pictures, seeds.PICTURE_WORDS, native=True),
    Target("shadowed-image", _image, _ANY, seeds.grey_images, seeds.IMAGE_WORDS, native=True),
    Target("regions", _regions, _ANY, _outlines, seeds.JSON_WORDS, native=True),
    Target("scarps", _lines, _LOCAL, _stretches, seeds.JSON_WORDS, native=True),
    Target("raster", _raster, _LOCAL, seeds.rasters, seeds.TIFF_WORDS, native=True),
    Target("raw-image", _raw_image, _ANY, seeds.raw_images, seeds.LABEL_WORDS, native=True),
    Target("packed-image", _packed_image, _ANY, seeds.packed_images, seeds.JP2_WORDS, native=True),
    Target("own-packed-image", _own_packed_image, _LOCAL, seeds.packed_images, seeds.JP2_WORDS, native=True),
    Target("mosaic", _mosaic, _LOCAL, seeds.mosaics, seeds.VRT_WORDS, native=True),
    Target("psr-polygons", _shadow_outlines("psr.geojson"), _ANY, _outlines, seeds.JSON_WORDS, native=True),
    Target("psr-shapefile", _shadow_outlines("psr.shp"), _ANY, seeds.shapefiles, seeds.SHAPE_WORDS, native=True),
    Target("psr-geopackage", _shadow_outlines("psr.gpkg"), _ANY, seeds.geopackages, seeds.SQLITE_WORDS, native=True),
    Target("tiles", _tiles, _LOCAL, seeds.tile_files, seeds.HDF5_WORDS, native=True),
)


def by_name() -> dict[str, Target]:
    """Return the targets by name."""
    return {target.name: target for target in TARGETS}


def found_inputs(folder: Path) -> list[tuple[Target, Path]]:
    """Return what was found so far: inputs that once did harm, in a folder for each target."""
    return [(target, path) for target in TARGETS for path in sorted((folder / target.name).glob("*.bin"))]
