"""Crater tiles in DeepMoon's layout (Silburt et al. 2019, Icarus 317, 27; Zenodo 1133969), read window by window.

Two writings of the layout are read:

- published: `input_images`, `target_masks`; groups `longlat_bounds`, `pix_distortion_coefficient` with one array per
  tile, img_00000 and on; the craters in a file of their own, a pandas table (HDFStore, fixed format) per tile. Heights
  are unknown (grey levels of an 8-bit map), so `elev_min_m` and `elev_max_m` are NaN.
- one file: the same quantities as arrays with one row per tile, `km_per_px`, `elev_min_m` and `elev_max_m` beside them,
  and the craters as groups craters/img_00000 and on of plain arrays.

Pixels: ours count from the first pixel's centre. The published tables are taken to count from its corner, since
DeepMoon scales the image's extent to 0..256, so half a pixel is taken off; the other writing counts as ours do.

Scale: `km_per_px` where the file has it, else the median of km over px of the tile's craters, else, where a tile has
none, the extent in latitude over the image's height times the distortion (DeepMoon's own formula; it is exact to 1 %).

Split: tiles that lie within the first 20 degrees of longitude of every 120 wholly validate, those that lie outside
wholly train, and those that straddle a border are left out: tiles overlap one another, and this way none of one split
shares ground with one of the other.

Caps: tiles that reach a latitude of 75 degrees or more are for neither. Runs lie there, and test ground of theirs must
not come in by way of the first training. This module must not know what is learned from the tiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunarsite.artefact.tiles import CRATER_FIELDS, group_name
from lunarsite.grid import MOON_RADIUS_M
from lunarsite.source import hdf5
from lunarsite.source.hdf5 import Hdf5File

TRAINING, VALIDATION, LEFT_OUT = 0, 1, -1
SECTOR_DEG, EVERY_DEG = 20.0, 120.0
CAP_DEG = 75.0
_SIDE_PX = 256
_MOST_TILES = 1_000_000
_MOST_CRATERS = 100_000
_BLOCK = 64
_PUBLISHED_OFFSET_PX = -0.5
_COLUMNS = {
    "x": "x_px",
    "y": "y_px",
    "Diameter (pix)": "diameter_px",
    "Long": "lon",
    "Lat": "lat",
    "Diameter (km)": "diameter_km",
}
_DISTORTIONS = ("pix_distortion_coefficient", "pix_distortion")

Craters = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Block:
    """Some tiles of a file: (n, 256, 256) images and masks, further arrays with n rows, craters of each."""

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    per_tile: dict[str, NDArray[np.float64]]
    craters: list[Craters]


class DeepMoonTiles:
    """Open files of tiles."""

    def __init__(self, images: Hdf5File, craters: Hdf5File | None) -> None:
        self._images, self._craters = images, craters or images
        self._root = "" if craters else "craters"
        self._distortion = next((name for name in _DISTORTIONS if images.has(name)), _DISTORTIONS[0])
        self.count = self._checked_count()

    def bounds_deg(self) -> NDArray[np.float64]:
        """Return lon min, lon max, lat min, lat max of every tile, (count, 4)."""
        return np.concatenate([self._bounds(block) for block in self._windows()])

    def blocks(
        self, split: NDArray[np.int64], least_diameter_px: float, least_diameter_km: float
    ) -> Iterator[tuple[int, Block]]:
        """Yield (tiles done, block) of the tiles that are in a split, in the file's order.

        Args:
            split: (count,) 0, 1, or -1 for tiles that are left out.
            least_diameter_px: The crater tables are complete from this diameter on, pixels ...
            least_diameter_km: ... and from this one, km: the larger of the two holds.
        """
        for window in self._windows():
            kept = np.flatnonzero(split[window] != LEFT_OUT)
            if kept.size == 0:
                continue
            numbers = [window.start + int(k) for k in kept]
            craters = [self._craters_of(number) for number in numbers]
            bounds, distortion = self._bounds(window)[kept], self._distortions(window)[kept]
            km_per_px = self._scales(window, kept, craters, bounds, distortion)
            low_m, high_m = (self._heights(name, window)[kept] for name in ("elev_min_m", "elev_max_m"))
            per_tile = {
                "longlat_bounds": bounds,
                "km_per_px": km_per_px,
                "pix_distortion": distortion,
                "elev_min_m": low_m,
                "elev_max_m": high_m,
                "least_diameter_px": np.maximum(least_diameter_px, least_diameter_km / km_per_px),
                "split": split[window][kept].astype(np.float64),
            }
            images = self._images.read("input_images", window, kinds="u")[kept]
            masks = self._images.read("target_masks", window)[kept]
            yield window.stop, Block(images, (masks > 0.5).astype(np.uint8), per_tile, craters)

    def _windows(self) -> list[slice]:
        return [slice(first, min(first + _BLOCK, self.count)) for first in range(0, self.count, _BLOCK)]

    def _checked_count(self) -> int:
        shape = self._images.shape("input_images", "u")
        if len(shape) != 3 or shape[1:] != (_SIDE_PX, _SIDE_PX) or not 0 < shape[0] <= _MOST_TILES:
            self._images.refuse(
                "input_images", f"has shape {shape}, needed is (N, {_SIDE_PX}, {_SIDE_PX}), N up to {_MOST_TILES}"
            )
        if self._images.read("input_images", slice(0, 0), kinds="u").dtype != np.uint8:
            self._images.refuse("input_images", "is not uint8")
        if self._images.shape("target_masks") != shape:
            self._images.refuse("target_masks", f"has shape {self._images.shape('target_masks')}, the images {shape}")
        if self._root and not self._craters.has(self._root):
            self._craters.refuse(
                "craters",
                "is missing",
                "published tiles have their craters in another file: name it in crater.pretraining_tiles.craters",
            )
        if self._craters.size(self._root) != shape[0]:
            self._craters.refuse(
                self._root or "/",
                f"has {self._craters.size(self._root)} crater tables, {self._images.path} has {shape[0]} tiles",
                "give the two files of one set (train, dev or test)",
            )
        return shape[0]

    def _rows(self, name: str, window: slice, width: int) -> NDArray[np.float64]:
        """Return (n, width) values of a quantity that is an array with a row per tile, or a group of small arrays."""
        count = window.stop - window.start
        if self._images.is_group(name):
            keys = [f"{name}/{group_name(number)}" for number in range(window.start, window.stop)]
            for key in keys:
                if int(np.prod(self._images.shape(key), dtype=np.float64)) != width:
                    self._images.refuse(key, f"has shape {self._images.shape(key)}, needed are {width} numbers")
            values = np.stack([self._images.read(key).reshape(width) for key in keys])
        else:
            shape = self._images.shape(name)
            if shape not in ((self.count, width), *([(self.count,)] if width == 1 else [])):
                self._images.refuse(
                    name, f"has shape {shape}, needed are {width} numbers for each of {self.count} tiles"
                )
            values = self._images.read(name, window).reshape(count, width)
        return values.astype(np.float64)

    def _legal(self, name: str, window: slice, values: NDArray[np.float64], legal: NDArray[np.bool_]) -> None:
        if not legal.all():
            first = int(np.flatnonzero(~legal)[0])
            self._images.refuse(
                name, f"of tile {window.start + first} is {values[first].tolist()}, which makes no sense"
            )

    def _bounds(self, window: slice) -> NDArray[np.float64]:
        bounds = self._rows("longlat_bounds", window, 4)
        west, east, south, north = bounds.T
        legal = (west >= -180.0) & (west < east) & (east <= 360.0) & (east - west <= 360.0)
        self._legal("longlat_bounds", window, bounds, legal & (south >= -90.0) & (south < north) & (north <= 90.0))
        return bounds

    def _distortions(self, window: slice) -> NDArray[np.float64]:
        distortion = self._rows(self._distortion, window, 1)[:, 0]
        self._legal(self._distortion, window, distortion, (distortion > 0.1) & (distortion < 10.0))
        return distortion

    def _heights(self, name: str, window: slice) -> NDArray[np.float64]:
        if not self._images.has(name):
            return np.full(window.stop - window.start, np.nan)
        heights_m = self._rows(name, window, 1)[:, 0]
        self._legal(name, window, heights_m, np.isnan(heights_m) | (np.abs(heights_m) <= 12_000.0))
        return heights_m

    def _scales(
        self,
        window: slice,
        kept: NDArray[np.int64],
        craters: list[Craters],
        bounds: NDArray[np.float64],
        distortion: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        if self._images.has("km_per_px"):
            km_per_px = self._rows("km_per_px", window, 1)[:, 0]
            self._legal("km_per_px", window, km_per_px, (km_per_px > 1e-4) & (km_per_px < 100.0))
            return km_per_px[kept]
        extent_km = np.radians(bounds[:, 3] - bounds[:, 2]) * 1e-3 * MOON_RADIUS_M
        by_extent = extent_km / (_SIDE_PX * distortion)
        by_craters = [
            float(np.median(c["diameter_km"] / c["diameter_px"])) if c["x_px"].size else np.nan for c in craters
        ]
        return np.where(np.isnan(by_craters), by_extent, by_craters)

    def _craters_of(self, number: int) -> Craters:
        key = f"{self._root}/{group_name(number)}".lstrip("/")
        file = self._craters
        columns = self._pandas(key) if file.has(f"{key}/axis0") else self._plain(key)
        found = {name: columns[name].astype(np.float32) for name in CRATER_FIELDS}
        for name, values in found.items():
            legal = np.isfinite(values)
            if name.startswith("diameter"):
                legal &= values > 0.0
            if not legal.all():
                row = int(np.flatnonzero(~legal)[0])
                file.refuse(
                    f"{key}/{name}", f"of crater {row} is {values[row]}", "leave the crater out or mend its row"
                )
        return found

    def _plain(self, key: str) -> dict[str, NDArray[Any]]:
        shapes = {name: self._craters.shape(f"{key}/{name}") for name in CRATER_FIELDS}
        if len(set(shapes.values())) != 1 or len(shapes["x_px"]) != 1 or shapes["x_px"][0] > _MOST_CRATERS:
            self._craters.refuse(key, f"has arrays of the shapes {shapes}, needed is one length up to {_MOST_CRATERS}")
        return {name: self._craters.read(f"{key}/{name}") for name in CRATER_FIELDS}

    def _pandas(self, key: str) -> dict[str, NDArray[Any]]:
        """Read a pandas table (HDFStore, fixed format) of numbers; blocks hold (rows, columns of the block)."""
        file, found = self._craters, dict[str, NDArray[Any]]()
        number = 0
        while file.has(f"{key}/block{number}_items"):
            items_key, values_key = f"{key}/block{number}_items", f"{key}/block{number}_values"
            names = [bytes(name).decode("utf-8", "replace") for name in file.read(items_key, kinds="S").ravel()]
            # Of a table without rows pandas writes a single blank number and an attribute with the shape.
            blank = file.has_attribute(values_key, "shape")
            shape = file.shape(values_key)
            if not blank and (len(shape) != 2 or shape[1] != len(names) or shape[0] > _MOST_CRATERS):
                file.refuse(values_key, f"has shape {shape}, needed is (up to {_MOST_CRATERS} rows, {len(names)})")
            values = np.empty((0, len(names))) if blank else file.read(values_key)
            found |= {_COLUMNS[name]: values[:, k] for k, name in enumerate(names) if name in _COLUMNS}
            number += 1
        absent = [name for name, ours in _COLUMNS.items() if ours not in found]
        if absent:
            file.refuse(key, f"lacks the column '{absent[0]}'", f"needed are {list(_COLUMNS)}")
        if len({column.size for column in found.values()}) != 1:
            file.refuse(key, "has blocks of different lengths")
        return found | {name: found[name] + _PUBLISHED_OFFSET_PX for name in ("x_px", "y_px")}


@contextmanager
def opened(images: Path, craters: Path | None, field: str) -> Iterator[DeepMoonTiles]:
    """Open tiles and check what their headers tell.

    Args:
        images: File of images and masks (and craters, where they lie in it).
        craters: File of the crater tables, if they lie in one of their own.
        field: Section of the settings that names the files as `images` and `craters`, for messages.

    Raises:
        LocalError: A file is missing or unreadable, keys, shapes or types are wrong, links lead out of it, or the two
            files are not of one set.
    """
    with hdf5.opened(images, f"{field}.images") as image_file:
        if craters is None:
            yield DeepMoonTiles(image_file, None)
        else:
            with hdf5.opened(craters, f"{field}.craters") as crater_file:
                yield DeepMoonTiles(image_file, crater_file)


def reaches_cap(bounds_deg: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether tiles with the bounds (n, 4), degrees, reach latitudes of 75 degrees or more at either pole."""
    return np.asarray((bounds_deg[:, 2] <= -CAP_DEG) | (bounds_deg[:, 3] >= CAP_DEG))


def split_by_longitude(bounds_deg: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return 0 (training), 1 (validation) or -1 (left out) of tiles with the bounds (n, 4), degrees."""
    west, width = bounds_deg[:, 0], bounds_deg[:, 1] - bounds_deg[:, 0]
    offset = west % EVERY_DEG
    inside = offset + width <= SECTOR_DEG
    outside = (offset >= SECTOR_DEG) & (offset + width <= EVERY_DEG)
    return np.where(inside, VALIDATION, np.where(outside, TRAINING, LEFT_OUT))
