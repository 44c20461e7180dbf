"""Tiles of the run's own map for training: heights and known craters at several pixel sizes, split by longitude.

Tiles lie in the map's own projection. A tile shows the ground of its split alone: pixels that reach beyond the ground
that the catalogue covers, into another split's sectors or into the sector that tests are blank (0), as is what has no
height. So tiles of different splits share no ground however they lie, and hardly any ground is lost along the sectors'
borders. The layout is DeepMoon's (Silburt et al. 2019). This module must not know networks.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lunarsite.artefact import ArtefactError
from lunarsite.artefact.contracts import CRATER_TILES, CRATERS, DEM
from lunarsite.grid import Grid, in_sector, scale_factor, xy_to_lonlat
from lunarsite.settings import CatalogueSettings, SplitSettings, TileSettings
from lunarsite.vision.crater.resample import ReadWindow, level_grid, level_heights

if TYPE_CHECKING:
    import pandas as pd

    from lunarsite.stage import Job

TRAINING, VALIDATION = 0, 1
SIZE_PX = CRATER_TILES.size_px
LEAST_DIAMETER_PX = 2.0
"""Smaller rings are blots; a finer level shows these craters."""
_LEAST_KNOWN = 1 / 8
"""Share of a tile that shows ground; less is not worth a tile ..."""
_LEAST_OF_ALL = 1 / 128
"""... unless a split has no better one at its pixel size."""
_STRIP_ROWS = 512
_TILES_AT_ONCE = 32
_SECTORS = "crater.catalogue.lon_deg and crater.split"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CutTile:
    """One tile of the map.

    Args:
        pixel_m: Its pixel size, map metres.
        row: Row of its first pixel on the level's grid; may lie outside it.
        col: Column of its first pixel.
        image: (256, 256) uint8; 0 unknown, 1..255 linear from `elev_min_m` to `elev_max_m`.
        mask: (256, 256) uint8; 1 on rings of one pixel, where the image is known.
        per_tile: The contract's further values.
        craters: CRATER_FIELDS; centres may lie outside the tile where the ring enters it.
    """

    pixel_m: float
    row: int
    col: int
    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    per_tile: dict[str, NDArray[Any]]
    craters: dict[str, NDArray[np.float32]]


def write_tiles(
    job: Job,
    tiling: TileSettings,
    split: SplitSettings,
    catalogue: CatalogueSettings,
    dem: Path,
    craters: Path,
    tiles: Path,
) -> None:
    """Cut the tiles of an elevation model and write them, a few at a time.

    Raises:
        ArtefactError: An input breaks its contract, or there is no ground to train or to validate on.
    """
    from lunarsite.artefact import raster, table
    from lunarsite.artefact import tiles as tile_files

    known = table.read(craters, CRATERS)[0]
    counts = [0, 0]
    with (
        raster.opened(dem, DEM) as source,
        tile_files.creating(tiles, CRATER_TILES, job.stamp(CRATER_TILES)) as writer,
    ):
        cut = cut_tiles(lambda window: source.read(window=window), source.grid, known, tiling, split, catalogue)
        while block := list(islice(cut, _TILES_AT_ONCE)):
            writer.append(
                np.stack([tile.image for tile in block]),
                np.stack([tile.mask for tile in block]),
                {name: np.stack([tile.per_tile[name] for tile in block]) for name, _ in CRATER_TILES.per_tile},
                [tile.craters for tile in block],
            )
            for tile in block:
                counts[int(tile.per_tile["split"])] += 1
        for word, count in zip(("training", "validation"), counts, strict=True):
            if count == 0:
                raise ArtefactError(f"{dem}: holds no ground for {word}; change {_SECTORS}, or take a larger map")
    job.log.info("%d tiles for training, %d for validation", *counts)


def cut_tiles(
    read_window: ReadWindow,
    grid: Grid,
    craters: pd.DataFrame,
    tiling: TileSettings,
    split: SplitSettings,
    catalogue: CatalogueSettings,
) -> Iterator[CutTile]:
    """Yield the tiles of a map: by pixel size, split, row and column. One level (4 bytes a pixel) is held at a time.

    Args:
        read_window: Reads (slice of rows, slice of columns) of the heights, metres, NaN where there are none.
        grid: Where they lie.
        craters: The given catalogue: lon_deg, lat_deg, x_m, y_m, diameter_m.
        tiling: Pixel sizes and halo.
        split: Sectors that validate and test; the rest trains.
        catalogue: What the given catalogue covers.
    """
    known = craters[craters["diameter_m"] >= catalogue.least_diameter_m]
    stride = SIZE_PX - 2 * tiling.halo_px
    for pixel_m in tiling.pixel_m:
        level = level_grid(grid, pixel_m)
        heights = level_heights(read_window, grid.shape, grid.pixel_m, pixel_m)
        # Another pixel size mixes neighbours of the source: as far as that, the ground must be the split's as well.
        reach_px = 0 if pixel_m == grid.pixel_m else math.ceil(grid.pixel_m / pixel_m)
        for number in (TRAINING, VALIDATION):
            ground = split_ground(level, split, catalogue, number, reach_px) & np.isfinite(heights)
            places = tile_places(ground, stride)
            log.log(
                logging.INFO if places else logging.WARNING,
                "%g m: %d tiles for %s",
                pixel_m,
                len(places),
                ("training", "validation")[number],
            )
            theirs = known[_belongs(known["lon_deg"].to_numpy(), split, catalogue, number)]
            for row, col in places:
                yield _cut(heights, ground, level, theirs, catalogue, number, row, col)


def split_ground(
    grid: Grid, split: SplitSettings, catalogue: CatalogueSettings, number: int, reach_px: int = 0
) -> NDArray[np.bool_]:
    """Return the pixels that lie in a split's sectors with all of their area, (rows, cols).

    Args:
        grid: The pixels.
        split: Sectors that validate and test.
        catalogue: The sector that the catalogue covers; ground outside it is in no split.
        number: 0 training, 1 validation.
        reach_px: Pixels within this distance of other ground are left out, too.
    """
    corner_x, corner_y = (
        _edges(axis, step) for axis, step in ((grid.x_m(), grid.pixel_m), (grid.y_m(), -grid.pixel_m))
    )
    ground = np.empty(grid.shape, dtype=np.bool_)
    for first in range(0, grid.rows, _STRIP_ROWS):
        last = min(first + _STRIP_ROWS, grid.rows)
        lon_deg, _ = xy_to_lonlat(corner_x[None, :], corner_y[first : last + 1, None], grid.pole)
        corners = _belongs(lon_deg, split, catalogue, number)
        ground[first:last] = corners[:-1, :-1] & corners[1:, :-1] & corners[:-1, 1:] & corners[1:, 1:]
    sectors = (split.validation_lon_deg, split.test_lon_deg, catalogue.lon_deg)
    widths = [(last - first) % 360.0 or 360.0 for first, last in sectors]
    # A sector and what is left beside it both have sides; next to the pole they pass between a pixel's corners.
    narrowest = min(width for pair in ((width, 360.0 - width) for width in widths) for width in pair if width > 0.0)
    near_px = 2.0 / math.sin(math.radians(0.5 * min(narrowest, 180.0)))
    ground &= np.hypot(grid.x_m()[None, :], grid.y_m()[:, None]) > near_px * grid.pixel_m
    if reach_px:
        block = np.ones((3, 3), dtype=np.bool_)
        ground = ndimage.binary_erosion(ground, block, iterations=reach_px, border_value=1)
    return ground


def tile_places(ground: NDArray[np.bool_], stride: int) -> list[tuple[int, int]]:
    """Return (row, col) of the first pixels of tiles that cover ground, no further than `stride` from one to the next.

    Rows of tiles are laid where there is ground, and in each row the tiles are spread over each run of columns with
    ground in it. Tiles that would show less than an eighth of ground are left out, but for the best one of all.
    """
    summed = np.pad(np.cumsum(np.cumsum(ground, axis=0, dtype=np.int64), axis=1), ((1, 0), (1, 0)))

    def count(row: int, col: int) -> int:
        top, bottom = (min(max(edge, 0), ground.shape[0]) for edge in (row, row + SIZE_PX))
        left, right = (min(max(edge, 0), ground.shape[1]) for edge in (col, col + SIZE_PX))
        return int(summed[bottom, right] - summed[top, right] - summed[bottom, left] + summed[top, left])

    shares: dict[tuple[int, int], float] = {}
    for row in _spread(np.asarray(ground.any(axis=1)), stride):
        for col in _spread(np.asarray(ground[max(row, 0) : row + SIZE_PX].any(axis=0)), stride):
            shares[row, col] = count(row, col) / SIZE_PX**2
    kept = [place for place, share in shares.items() if share >= _LEAST_KNOWN]
    if not kept and shares:
        best = max(shares, key=lambda place: shares[place])
        kept = [best] if shares[best] >= _LEAST_OF_ALL else []
    return kept


def ring_mask(
    x_px: NDArray[Any], y_px: NDArray[Any], diameter_px: NDArray[Any], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return 1 where a pixel's centre lies within half a pixel of a circle, 0 elsewhere, (rows, cols)."""
    mask = np.zeros(shape, dtype=np.uint8)
    for x, y, diameter in zip(x_px, y_px, diameter_px, strict=True):
        reach = 0.5 * float(diameter) + 1.0
        top, bottom = max(0, math.floor(y - reach)), min(shape[0], math.ceil(y + reach) + 1)
        left, right = max(0, math.floor(x - reach)), min(shape[1], math.ceil(x + reach) + 1)
        if top < bottom and left < right:
            distance = np.hypot(np.arange(left, right)[None, :] - x, np.arange(top, bottom)[:, None] - y)
            mask[top:bottom, left:right] |= np.abs(distance - 0.5 * diameter) <= 0.5
    return mask


def _cut(
    heights: NDArray[np.float32],
    ground: NDArray[np.bool_],
    level: Grid,
    craters: pd.DataFrame,
    catalogue: CatalogueSettings,
    number: int,
    row: int,
    col: int,
) -> CutTile:
    """Return one tile.

    Craters centred on another split's ground are not listed, so what a tile shows of their rims near a border is
    taught as no rim. That is accepted: their centres lie on blank ground, and to list them would tell of other splits.
    """
    window = np.full((SIZE_PX, SIZE_PX), np.nan, dtype=np.float64)
    top, bottom = max(row, 0), min(row + SIZE_PX, level.rows)
    left, right = max(col, 0), min(col + SIZE_PX, level.cols)
    inside = slice(top - row, bottom - row), slice(left - col, right - col)
    source = slice(top, bottom), slice(left, right)
    window[inside] = np.where(ground[source], heights[source], np.nan)
    image, low_m, high_m = _grey(window)
    place = Grid(
        level.x_min_m + col * level.pixel_m, level.y_max_m - row * level.pixel_m, level.pixel_m, SIZE_PX, SIZE_PX
    )
    left_m, bottom_m, right_m, top_m = place.bounds_m
    scale = float(scale_factor(0.5 * (left_m + right_m), 0.5 * (bottom_m + top_m)))
    km_per_px = 1e-3 * level.pixel_m / scale
    listed = _craters_on(place, craters)
    values = {
        "longlat_bounds": _lonlat_bounds(place, level.pole),
        "km_per_px": km_per_px,
        # The map is conformal: no axis is shorter than the other.
        "pix_distortion": 1.0,
        "elev_min_m": low_m,
        "elev_max_m": high_m,
        "least_diameter_px": max(LEAST_DIAMETER_PX, 1e-3 * catalogue.least_diameter_m / km_per_px),
        "split": float(number),
    }
    mask = ring_mask(listed["x_px"], listed["y_px"], listed["diameter_px"], image.shape)
    per_tile = {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}
    return CutTile(level.pixel_m, row, col, image, np.where(image > 0, mask, np.uint8(0)), per_tile, listed)


def _grey(heights: NDArray[np.float64]) -> tuple[NDArray[np.uint8], float, float]:
    """Return heights as 1..255 (0 where unknown), and the heights of 1 and of 255."""
    low_m, high_m = float(np.nanmin(heights)), float(np.nanmax(heights))
    share = (heights - low_m) / max(high_m - low_m, 1e-6)
    return np.where(np.isfinite(share), np.rint(1.0 + 254.0 * share), 0.0).astype(np.uint8), low_m, high_m


def _craters_on(place: Grid, craters: pd.DataFrame) -> dict[str, NDArray[np.float32]]:
    """Return the craters whose circle enters a tile."""
    x_m, y_m = craters["x_m"].to_numpy(), craters["y_m"].to_numpy()
    diameter_m = craters["diameter_m"].to_numpy()
    x_px, y_px = (x_m - place.x_min_m) / place.pixel_m - 0.5, (place.y_max_m - y_m) / place.pixel_m - 0.5
    diameter_px = diameter_m * scale_factor(x_m, y_m) / place.pixel_m
    nearest, farthest = (
        np.hypot(*(pick(at, size) for at, size in ((x_px, place.cols), (y_px, place.rows))))
        for pick in (_to_nearest, _to_farthest)
    )
    enters = (nearest <= 0.5 * diameter_px) & (0.5 * diameter_px <= farthest) & (diameter_px >= LEAST_DIAMETER_PX)
    columns = {
        "x_px": x_px,
        "y_px": y_px,
        "diameter_px": diameter_px,
        "lon": craters["lon_deg"].to_numpy(),
        "lat": craters["lat_deg"].to_numpy(),
        "diameter_km": 1e-3 * diameter_m,
    }
    return {name: values[enters].astype(np.float32) for name, values in columns.items()}


def _to_nearest(at: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    return np.maximum(np.maximum(-0.5 - at, at - (size - 0.5)), 0.0)


def _to_farthest(at: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    return np.maximum(np.abs(at + 0.5), np.abs(at - (size - 0.5)))


def _lonlat_bounds(place: Grid, pole: Any) -> NDArray[np.float64]:
    """Return lon min, lon max, lat min, lat max of a tile, degrees; lon max may exceed 180."""
    left, bottom, right, top = place.bounds_m
    corners_deg, corner_lat_deg = xy_to_lonlat([left, right, right, left], [top, top, bottom, bottom], pole)
    nearest = xy_to_lonlat(min(max(left, 0.0), right), min(max(bottom, 0.0), top), pole)
    lat_deg = np.append(corner_lat_deg, nearest[1])
    if left <= 0.0 <= right and bottom <= 0.0 <= top:
        return np.array([-180.0, 180.0, lat_deg.min(), lat_deg.max()])
    # Seen from the pole a square without it spans less than half a turn, from one corner to another.
    middle_deg = float(xy_to_lonlat(0.5 * (left + right), 0.5 * (bottom + top), pole)[0])
    offset_deg = (corners_deg - middle_deg + 180.0) % 360.0 - 180.0
    first_deg = (middle_deg + offset_deg.min() + 180.0) % 360.0 - 180.0
    return np.array([first_deg, first_deg + np.ptp(offset_deg), lat_deg.min(), lat_deg.max()])


def _belongs(
    lon_deg: NDArray[np.float64], split: SplitSettings, catalogue: CatalogueSettings, number: int
) -> NDArray[np.bool_]:
    validates, tests = in_sector(lon_deg, split.validation_lon_deg), in_sector(lon_deg, split.test_lon_deg)
    # What tests belongs to no split, even if sectors overlap that the settings should have refused.
    return in_sector(lon_deg, catalogue.lon_deg) & ~tests & (validates if number == VALIDATION else ~validates)


def _edges(centres_m: NDArray[np.float64], step_m: float) -> NDArray[np.float64]:
    """Return the borders of pixels, one more than there are centres."""
    return np.append(centres_m - 0.5 * step_m, centres_m[-1] + 0.5 * step_m)


def _spread(present: NDArray[np.bool_], stride: int) -> list[int]:
    """Return the starts of tiles that cover each run of True, evenly; a run shorter than a tile lies in its middle."""
    borders = np.flatnonzero(np.diff(np.concatenate(([False], present, [False])).astype(np.int8)))
    starts: list[int] = []
    for first, last in borders.reshape(-1, 2).tolist():
        spare = last - first - SIZE_PX
        if spare <= 0:
            starts.append(first + spare // 2)
        else:
            starts += np.rint(np.linspace(first, first + spare, math.ceil(spare / stride) + 1)).astype(int).tolist()
    return starts
