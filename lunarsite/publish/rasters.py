"""Rasters at the resolution of a figure: read through the overviews, so that memory does not grow with the grid.

The shading of relief that maps lie on is made here too. It is decoration; nothing is measured on it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.windows import Window

from lunarsite.artefact import raster
from lunarsite.artefact.raster import RasterSpec
from lunarsite.artefact.stamp import ArtefactError, Stamp
from lunarsite.grid import Grid, Pole


@dataclass(frozen=True)
class View:
    """A rectangle of the polar map, map metres."""

    x_min_m: float
    x_max_m: float
    y_min_m: float
    y_max_m: float
    pole: Pole = "south"

    @property
    def width_m(self) -> float:
        """Width in map metres."""
        return self.x_max_m - self.x_min_m

    @property
    def height_m(self) -> float:
        """Height in map metres."""
        return self.y_max_m - self.y_min_m

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom, top, as matplotlib wants them."""
        return self.x_min_m, self.x_max_m, self.y_min_m, self.y_max_m

    def holds(self, x_m: float, y_m: float, margin: float = 0.0) -> bool:
        """Whether a place lies in the view, at least `margin` (a share of the view's size) from its border."""
        dx, dy = margin * self.width_m, margin * self.height_m
        return self.x_min_m + dx <= x_m <= self.x_max_m - dx and self.y_min_m + dy <= y_m <= self.y_max_m - dy


@dataclass(frozen=True)
class Picture:
    """One band at the resolution of a figure (NaN = no data), the part of the map that it shows, its stamp."""

    data: NDArray[np.float32]
    view: View
    grid: Grid
    stamp: Stamp

    @property
    def pixel_m(self) -> float:
        """Size of a shown pixel, map metres."""
        return self.view.width_m / float(self.data.shape[1])


def whole_view(grid: Grid) -> View:
    """Return the view of a whole grid."""
    left, bottom, right, top = grid.bounds_m
    return View(left, right, bottom, top, grid.pole)


def picture(path: Path, spec: RasterSpec, max_px: int, view: View | None = None, band: int = 1) -> Picture:
    """Read a band of a raster, or the part of it that a view shows, with at most `max_px` pixels a side.

    Values are averaged from the overviews (classes: most frequent), so memory is bounded by `max_px`.

    Raises:
        ArtefactError: The raster breaks its contract, or the view lies beside it.
    """
    with raster.opened(path, spec) as source:
        grid, stamp = source.grid, source.stamp
    rows, cols = _window(path, grid, view)
    factor = max(1, math.ceil(max(rows.stop - rows.start, cols.stop - cols.start) / max_px))
    shape = (math.ceil((rows.stop - rows.start) / factor), math.ceil((cols.stop - cols.start) / factor))
    with rasterio.open(path) as dataset:
        values = dataset.read(
            band,
            window=Window.from_slices(rows, cols),
            out_shape=shape,
            resampling=Resampling.average if spec.dtype == "float32" else Resampling.mode,
        )
    shown = np.where(spec.missing(values), np.nan, values).astype(np.float32)
    left, top = grid.x_min_m + cols.start * grid.pixel_m, grid.y_max_m - rows.start * grid.pixel_m
    right, bottom = grid.x_min_m + cols.stop * grid.pixel_m, grid.y_max_m - rows.stop * grid.pixel_m
    return Picture(shown, View(left, right, bottom, top, grid.pole), grid, stamp)


def _window(path: Path, grid: Grid, view: View | None) -> tuple[slice, slice]:
    if view is None:
        return slice(0, grid.rows), slice(0, grid.cols)
    (top, bottom), (left, right) = grid.index([view.x_min_m, view.x_max_m], [view.y_max_m, view.y_min_m])
    rows = slice(max(0, int(top)), min(grid.rows, int(bottom) + 1))
    cols = slice(max(0, int(left)), min(grid.cols, int(right) + 1))
    if rows.start >= rows.stop or cols.start >= cols.stop:
        raise ArtefactError(f"{path}: the view {view} lies beside its grid {grid}")
    return rows, cols


def hillshade(
    height_m: NDArray[np.float32], pixel_m: float, azimuth_deg: float = 315.0, elevation_deg: float = 40.0
) -> NDArray[np.float32]:
    """Return the brightness (0..1) of relief lit from a direction of the map, NaN where the slope is unknown.

    Args:
        height_m: Heights, (rows, cols), row 0 at the top.
        pixel_m: Pixel size.
        azimuth_deg: Direction of the light, clockwise from the map's top.
        elevation_deg: Its height over the horizon.
    """
    if min(height_m.shape) < 2:
        return np.full(height_m.shape, 0.5, dtype=np.float32)
    down, right = np.gradient(height_m, pixel_m)
    azimuth, elevation = math.radians(azimuth_deg), math.radians(elevation_deg)
    towards = (math.sin(azimuth) * math.cos(elevation), math.cos(azimuth) * math.cos(elevation), math.sin(elevation))
    lit = (-right * towards[0] + down * towards[1] + towards[2]) / np.sqrt(1.0 + right**2 + down**2)
    return np.asarray(np.clip(lit, 0.0, 1.0), dtype=np.float32)
