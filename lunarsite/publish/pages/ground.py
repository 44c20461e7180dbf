"""Windows of the run's rasters around a place: pixels as they are, and what lies in a polygon or an ellipse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio import features
from shapely.geometry.base import BaseGeometry

from lunarsite.artefact import raster
from lunarsite.artefact.raster import RasterSpec
from lunarsite.grid import Grid
from lunarsite.publish.rasters import View

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ground:
    """A window of a raster at its own resolution.

    Attributes:
        pixels: Its values, (rows, cols), row 0 at the top; NaN = unknown, or beyond the map.
        x_min_m: Left edge, map metres.
        y_max_m: Upper edge, map metres.
        pixel_m: Pixel size.
    """

    pixels: Floats
    x_min_m: float
    y_max_m: float
    pixel_m: float

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom, top, as matplotlib wants them."""
        rows, cols = self.pixels.shape
        right, bottom = self.x_min_m + cols * self.pixel_m, self.y_max_m - rows * self.pixel_m
        return self.x_min_m, right, bottom, self.y_max_m

    def centres(self) -> tuple[Floats, Floats]:
        """Map x and y of the pixels' centres, (rows, cols) each."""
        rows, cols = self.pixels.shape
        x = self.x_min_m + (np.arange(cols) + 0.5) * self.pixel_m
        y = self.y_max_m - (np.arange(rows) + 0.5) * self.pixel_m
        across, down = np.meshgrid(x, y)
        return across, down

    def outlines(self, mask: NDArray[np.bool_]) -> list[BaseGeometry]:
        """Return the pixels of a mask as polygons along the pixels' edges, map metres."""
        transform = Affine(self.pixel_m, 0.0, self.x_min_m, 0.0, -self.pixel_m, self.y_max_m)
        found = features.shapes(mask.astype(np.uint8), mask=mask, transform=transform)
        return [shapely.geometry.shape(shape) for shape, _ in found]

    def inside(self, ground: BaseGeometry) -> Floats:
        """Return the known pixels whose centres lie in a polygon; the nearest one if none does."""
        x, y = self.centres()
        shapely.prepare(ground)
        held = shapely.contains_xy(ground, x, y)
        if not held.any():
            centre = ground.centroid
            held = np.zeros(self.pixels.shape, dtype=np.bool_)
            held[np.unravel_index(np.argmin(np.hypot(x - centre.x, y - centre.y)), held.shape)] = True
        known: Floats = self.pixels[held & np.isfinite(self.pixels)]
        return known


def square(x_m: float, y_m: float, width_m: float) -> View:
    """Return the square view of a width about a place."""
    half = 0.5 * width_m
    return View(x_m - half, x_m + half, y_m - half, y_m + half)


def window(path: Path, spec: RasterSpec, view: View, pad: int = 2) -> Ground:
    """Read the pixels that a view touches and `pad` more on each side, NaN beyond the map's border.

    Memory is 8 bytes per pixel of the view: 2 MB for 10 km of 20 m pixels.

    Raises:
        ArtefactError: The raster breaks its contract.
    """
    with raster.opened(path, spec) as source:
        grid = source.grid
        rows, cols = _span(grid, view, pad)
        inner = (
            slice(max(rows.start, 0), min(rows.stop, grid.rows)),
            slice(max(cols.start, 0), min(cols.stop, grid.cols)),
        )
        values = np.full((rows.stop - rows.start, cols.stop - cols.start), np.nan)
        if inner[0].start < inner[0].stop and inner[1].start < inner[1].stop:
            read = source.read(window=inner)
            into = (
                slice(inner[0].start - rows.start, inner[0].stop - rows.start),
                slice(inner[1].start - cols.start, inner[1].stop - cols.start),
            )
            values[into] = np.where(spec.missing(read), np.nan, read)
    left, top = grid.x_min_m + cols.start * grid.pixel_m, grid.y_max_m - rows.start * grid.pixel_m
    return Ground(values, left, top, grid.pixel_m)


def _span(grid: Grid, view: View, pad: int) -> tuple[slice, slice]:
    top = math.floor((grid.y_max_m - view.y_max_m) / grid.pixel_m) - pad
    bottom = math.ceil((grid.y_max_m - view.y_min_m) / grid.pixel_m) + pad
    left = math.floor((view.x_min_m - grid.x_min_m) / grid.pixel_m) - pad
    right = math.ceil((view.x_max_m - grid.x_min_m) / grid.pixel_m) + pad
    return slice(top, bottom), slice(left, right)


def ellipse(site: pd.Series, points: int = 96) -> shapely.Polygon:
    """Return a site's landing ellipse as a polygon, map metres."""
    turn = np.linspace(0.0, 2.0 * np.pi, points, endpoint=False)
    along = site["ellipse_semi_major_m"] * np.cos(turn)
    across = site["ellipse_semi_minor_m"] * np.sin(turn)
    angle = math.radians(site["ellipse_map_angle_deg"])
    x = site["x_m"] + along * math.cos(angle) - across * math.sin(angle)
    y = site["y_m"] + along * math.sin(angle) + across * math.cos(angle)
    return shapely.Polygon(np.column_stack([x, y]))


def heights_along(dem: Path, x_m: Floats, y_m: Floats) -> Floats:
    """Return the height of the pixel under each place of a way, NaN where it is unknown or beyond the map.

    Pixels are picked one by one, so that a long way does not read the rectangle around it.
    """
    with rasterio.open(dem) as dataset:
        values = np.array([sample[0] for sample in dataset.sample(zip(x_m, y_m, strict=True), indexes=1)])
        nodata = dataset.nodata
    heights = values.astype(np.float64)
    heights[~np.isfinite(heights)] = np.nan
    if nodata is not None and np.isfinite(nodata):
        heights[heights == nodata] = np.nan
    left, bottom, right, top = dataset.bounds
    beyond = (x_m < left) | (x_m >= right) | (y_m <= bottom) | (y_m > top)
    return np.where(beyond, np.nan, heights)
