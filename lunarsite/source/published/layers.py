"""Layers of light, shadow and slope from published rasters: tile by tile onto the run's grid.

A grid's pixel is known where a product has data all over it; of several products the first that knows a pixel fills
it. Reading is windowed: a tile takes some million file pixels at most, whatever the file's size. This module must not
know how the results are stored.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.windows import Window

from lunarsite.grid import Grid, Tile, is_polar_map
from lunarsite.source.kinds import LocalError
from lunarsite.source.local import MOST_SAMPLES, SAME_RESOLUTION, Quantity, declared_nodata, no_overlap
from lunarsite.source.placement import finest_pixels_per_pixel, is_upright, pixels_per_pixel, warped
from lunarsite.source.published.rasters import Source, is_integer
from lunarsite.source.resample import WHOLE, Axis, Bools, Floats, Method, largest, resampled

SHARE = Quantity("share of time", "1", 0.0, 1.0, "a share lies within 0..1; is it a percentage?")
SLOPE = Quantity("slope", "deg", 0.0, 90.0, "is a no-data value not declared?")
CLASSES = Quantity("class", "class", -math.inf, math.inf, "")

_TILE_FILE_PX = 1_024
_LEAST_TILE_PX, _MOST_TILE_PX = 32, 1_024
_SCAN_PX = 2_048
_UNKNOWN = 255
_MOST_NAMED = 6


@dataclass(frozen=True)
class Piece:
    """A tile's part of a file: its values there and how the grid's pixels lie on them."""

    rows: Axis
    cols: Axis
    values: Floats
    present: Bools


class Layer:
    """An open product, seen from the run's grid.

    Args:
        source: The product.
        grid: The run's grid.
        quantity: What it holds.
        dataset: Its pixels on the polar map: the file itself, or a view of it.
        file_pixels: Pixels of the file along a grid pixel's side: above 1 the file is finer.
        samples: Samples of the view along a grid pixel's side; None if it is the file itself.
        columns: Of the file's columns and rows, those that lie closer: how many along a grid pixel's side.
    """

    def __init__(
        self,
        source: Source,
        grid: Grid,
        quantity: Quantity,
        dataset: Any,
        file_pixels: float,
        samples: int | None = None,
        columns: float = 1.0,
    ) -> None:
        self.source, self.grid, self.quantity, self.file_pixels = source, grid, quantity, file_pixels
        self.samples, self.columns = samples, columns
        self._dataset = dataset
        self._scale = float(source.dataset.scales[0]), float(source.dataset.offsets[0])

    @property
    def finer(self) -> bool:
        """Whether several of its pixels lie in one of the grid's."""
        return self.file_pixels > SAME_RESOLUTION

    @property
    def pixel_m(self) -> float:
        """Side of its own pixels on the map, metres; the median over the grid where they differ."""
        return self.grid.pixel_m / self.file_pixels

    @property
    def skips(self) -> bool:
        """Whether it is sampled onto the map so coarsely that pixels of it lie between the samples."""
        return self.samples is not None and self.columns > self.samples * SAME_RESOLUTION

    @property
    def tile_px(self) -> int:
        """Side of tiles of which each needs a bounded part of the file, grid pixels: a power of two."""
        wanted = _TILE_FILE_PX / max(self.grid.pixel_m / self._dataset.transform.a, 1.0)
        return int(min(max(2 ** math.floor(math.log2(wanted)), _LEAST_TILE_PX), _MOST_TILE_PX))

    def piece(self, tile: Tile) -> Piece:
        """Return a tile's part of the file.

        Raises:
            LocalError: The file cannot be read to its end, or holds values that make no sense.
        """
        affine, pixel_m = self._dataset.transform, self.grid.pixel_m
        rows = Axis.of(
            (self.grid.y_max_m - affine.f) / affine.e, -pixel_m / affine.e, tile.core[0], self._dataset.height
        )
        cols = Axis.of((self.grid.x_min_m - affine.c) / affine.a, pixel_m / affine.a, tile.core[1], self._dataset.width)
        values, present = self._read(rows.window(), cols.window())
        _check(self, values[present])
        return Piece(rows, cols, values, present)

    def on_grid(self, tile: Tile, method: Method) -> tuple[Floats, Bools]:
        """Return a tile's values on the grid, and where the file has data all over a pixel. See `piece`."""
        piece = self.piece(tile)
        if not piece.present.any():
            return np.full((tile.rows, tile.cols), np.nan), np.zeros((tile.rows, tile.cols), dtype=bool)
        values, share = resampled(piece.rows, piece.cols, piece.values, piece.present, method)
        return values, share >= WHOLE

    def _read(self, rows: slice, cols: slice) -> tuple[Floats, Bools]:
        if rows.stop <= rows.start or cols.stop <= cols.start:
            shape = rows.stop - rows.start, cols.stop - cols.start
            return np.zeros(shape), np.zeros(shape, dtype=bool)
        return _numbers(self.source, self._dataset, Window.from_slices(rows, cols), self._scale)


@contextmanager
def layer(source: Source, grid: Grid, quantity: Quantity) -> Iterator[Layer]:
    """See a product from a grid; one that is not on the polar map is sampled onto it, finely enough to be averaged.

    Raises:
        LocalError: It does not meet the grid.
    """
    dataset = source.dataset
    inside, file_pixels = pixels_per_pixel(dataset, grid)
    if not inside:
        raise no_overlap(source.path, grid, source.field)
    samples, columns = None, 1.0
    with ExitStack() as stack:
        if not is_upright(dataset) or not is_polar_map(dataset.crs, grid.pole):
            # Sampled at the nearest pixel, a class stays one, and a mean over fine samples is one by area.
            samples, columns = 1, finest_pixels_per_pixel(dataset, grid)
            if quantity is CLASSES or file_pixels > 1.0:
                # Long and narrow pixels need more samples than their area tells.
                samples = min(max(math.ceil(file_pixels * 4.0), math.ceil(columns), 1), MOST_SAMPLES)
            how = Resampling.nearest if quantity is CLASSES or samples > 1 else Resampling.bilinear
            dataset = stack.enter_context(warped(dataset, grid, samples, how, declared_nodata(dataset)))
        yield Layer(source, grid, quantity, dataset, file_pixels, samples, columns)


def check_order(layers: Sequence[Layer]) -> None:
    """Refuse maps that do not stand finest first, for the first that knows a pixel fills it.

    Raises:
        LocalError: A map is finer than the one before it; the message names the setting and both files.
    """
    for before, after in pairwise(layers):
        if after.file_pixels > before.file_pixels * SAME_RESOLUTION:
            sizes = [each.pixel_m for each in (before, after)]
            raise LocalError(
                f"{after.source.field}: {after.source.path} has pixels of {sizes[1]:.4g} m and stands behind"
                f" {before.source.path} with {sizes[0]:.4g} m, which would hide it; name the finest product first"
            )


def shares(layers: Sequence[Layer], counts: NDArray[np.int64]) -> Iterator[tuple[Tile, NDArray[np.float32]]]:
    """Yield (tile, share of time) of maps of light, the first of which that knows a pixel fills it; else NaN.

    Args:
        layers: The maps, the best first.
        counts: The number of pixels that each has filled is added to it, (layers,).
    """
    for tile in _tiles(layers):
        out = np.full((tile.rows, tile.cols), np.nan, dtype=np.float32)
        for index, each in enumerate(layers):
            todo = np.isnan(out)
            if not todo.any():
                break
            values, whole = each.on_grid(tile, "mean" if each.finer else "bilinear")
            todo &= whole
            out[todo] = values[todo]
            counts[index] += int(todo.sum())
        yield tile, out


def shadow(
    layers: Sequence[tuple[Layer, float]], counts: NDArray[np.int64]
) -> Iterator[tuple[Tile, NDArray[np.uint8]]]:
    """Yield (tile, 1 for shadow, 0, or 255 where unknown) of maps of permanent shadow, the best first.

    A finer map makes a pixel shadow if at least half of its area is; of a coarser one the nearest pixel counts.

    Args:
        layers: The maps and the value of their shadow (`shadow_value`).
        counts: The number of pixels that each has filled is added to it, (layers,).
    """
    for tile in _tiles([each for each, _ in layers]):
        out = np.full((tile.rows, tile.cols), _UNKNOWN, dtype=np.uint8)
        for index, (each, value) in enumerate(layers):
            todo = out == _UNKNOWN
            if not todo.any():
                break
            piece = each.piece(tile)
            if not piece.present.any():
                continue
            dark = (piece.values == value).astype(np.float64)
            found, share = resampled(piece.rows, piece.cols, dark, piece.present, "mean" if each.finer else "nearest")
            todo &= (share >= WHOLE) & np.isfinite(found)
            # Half of a pixel in four parts may add up to a hair less.
            out[todo] = (found[todo] >= 0.5 - 1e-9).astype(np.uint8)
            counts[index] += int(todo.sum())
        yield tile, out


def slopes(each: Layer) -> Iterator[tuple[Tile, NDArray[np.float32], NDArray[np.float32]]]:
    """Yield (tile, mean slope, largest slope), degrees, of a finer map of slopes; NaN where it has not all of a pixel.

    A map that is coarser than the grid knows no other slope in a pixel: both are the interpolated one.
    """
    for tile in _tiles([each]):
        piece = each.piece(tile)
        shape = tile.rows, tile.cols
        if not piece.present.any():
            nothing = np.full(shape, np.nan, dtype=np.float32)
            yield tile, nothing, nothing
            continue
        mean, share = resampled(
            piece.rows, piece.cols, piece.values, piece.present, "mean" if each.finer else "bilinear"
        )
        most = largest(piece.rows, piece.cols, piece.values, piece.present) if each.finer else mean
        whole = share >= WHOLE
        yield tile, np.where(whole, mean, np.nan).astype(np.float32), np.where(whole, most, np.nan).astype(np.float32)


def shadow_value(source: Source) -> float:
    """Return the value that a map of permanent shadow gives to shadow, told from all of its pixels.

    Raises:
        LocalError: It has not exactly the two values 0 and 1, or 0 and 255, or shadow would be most of the map.
    """
    dataset = source.dataset
    counts: dict[float, int] = {}
    scale = float(dataset.scales[0]), float(dataset.offsets[0])
    for row in range(0, dataset.height, _SCAN_PX):
        for col in range(0, dataset.width, _SCAN_PX):
            window = Window(col, row, min(_SCAN_PX, dataset.width - col), min(_SCAN_PX, dataset.height - row))
            values, present = _numbers(source, dataset, window, scale)
            _count(values[present], counts)
            if len(counts) > _MOST_NAMED:
                raise _no_classes(source, counts)
    for value in (1.0, 255.0):
        if set(counts) == {0.0, value}:
            if counts[value] > counts[0.0]:
                raise LocalError(
                    f"{source.field}: {source.path}: {value:g} covers {counts[value] / sum(counts.values()):.0%} of the"
                    " map, more than permanent shadow can: is it the lit ground that is marked?"
                )
            return value
    raise _no_classes(source, counts)


def _count(values: Floats, counts: dict[float, int]) -> None:
    for value in (0.0, 1.0, 255.0):
        found = values == value
        if found.any():
            counts[value] = counts.get(value, 0) + int(found.sum())
            values = values[~found]
    for value, number in zip(*np.unique(values, return_counts=True), strict=True):
        counts[float(value)] = counts.get(float(value), 0) + int(number)


def _no_classes(source: Source, counts: dict[float, int]) -> LocalError:
    named = ", ".join(f"{value:g}" for value in sorted(counts)[:_MOST_NAMED]) or "none"
    more = " and more" if len(counts) >= _MOST_NAMED else ""
    return LocalError(
        f"{source.field}: {source.path}: a map of permanent shadow has the values 0 and 1, or 0 and 255, of which the"
        f" larger is shadow; this one has {named}{more} beside no-data ({source.dataset.nodata}), so that which of"
        " them is shadow is not certain"
    )


def _numbers(source: Source, dataset: Any, window: Window, scale: tuple[float, float]) -> tuple[Floats, Bools]:
    try:
        stored = dataset.read(1, window=window, masked=True)
    except RasterioError as error:
        raise LocalError(f"{source.field}: {source.path}: cannot be read ({error}); it may be truncated") from error
    numbers = np.ma.getdata(stored).astype(np.float64)
    present = ~np.ma.getmaskarray(stored) & (numbers != declared_nodata(source.dataset))
    values = numbers if scale == (1.0, 0.0) else numbers * scale[0] + scale[1]
    return values, present & np.isfinite(values)


def _check(each: Layer, present: Floats) -> None:
    allowed, source = each.quantity, each.source
    if present.size == 0 or allowed is CLASSES:
        return
    low, high = float(present.min()), float(present.max())
    # A scale such as 0.00004 makes 25 000 a hair more than 1.
    slack = 1e-9
    if low >= allowed.least - slack and high <= allowed.most + slack:
        return
    hint = allowed.hint
    if is_integer(source) and source.dataset.scales[0] == 1.0:
        hint = (
            f"it stores {source.dataset.dtypes[0]} and its band declares no scale: write the one that the publisher"
            " states into the file (gdal_edit.py -scale)"
        )
    raise LocalError(
        f"{source.field}: {source.path}: holds {low:g}..{high:g}, allowed are {allowed.least:g}..{allowed.most:g}"
        f" {allowed.unit}; {hint}"
    )


def _tiles(layers: Sequence[Layer]) -> Iterator[Tile]:
    return layers[0].grid.tiles(min(each.tile_px for each in layers))
