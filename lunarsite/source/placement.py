"""Where a raster lies on the run's map: its pixels beside the grid's, and a view of it from the grid.

Whatever its lunar CRS, and whichever way it counts longitude. This module must not know what the values are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from lunarsite.grid import Grid, is_polar_map, turned_crs

# A file's pixels are the grid's if they agree to this share of a pixel over the whole grid.
_ALIGNED_PX = 1e-3


def is_upright(dataset: Any) -> bool:
    """Whether rows run eastwards and columns southwards, neither turned."""
    affine = dataset.transform
    return not affine.b and not affine.d and affine.a > 0.0 and affine.e < 0.0


def same_pixels(dataset: Any, grid: Grid) -> bool:
    """Whether the raster's pixels are the grid's own."""
    affine = dataset.transform
    if not is_polar_map(dataset.crs, grid.pole) or affine.b or affine.d:
        return False
    extent_px = max(grid.rows, grid.cols)
    if any(abs(size / grid.pixel_m - 1.0) * extent_px > _ALIGNED_PX for size in (affine.a, -affine.e)):
        return False
    shifts = (affine.c - grid.x_min_m) / grid.pixel_m, (affine.f - grid.y_max_m) / grid.pixel_m
    return all(abs(shift - round(shift)) < _ALIGNED_PX for shift in shifts)


def pixels_per_pixel(dataset: Any, grid: Grid) -> tuple[bool, float]:
    """Return whether file and grid overlap, and the file's pixels along a grid pixel's side (median of probes)."""
    left, bottom, right, top = grid.bounds_m
    x_m, y_m = (axis.ravel() for axis in np.meshgrid(np.linspace(left, right, 41), np.linspace(bottom, top, 41)))
    half = 0.5 * grid.pixel_m
    col, row = file_pixels_at(dataset, grid, x_m, y_m)
    inside = (col >= 0) & (col <= dataset.width) & (row >= 0) & (row <= dataset.height)
    # A small file may lie between the probes: its own corners and middle are asked for, too.
    inside_any = bool(inside.any()) or _centre_on_grid(dataset, grid)
    probes = inside if inside.any() else np.ones_like(inside)
    x_m, y_m = x_m[probes], y_m[probes]
    east, west = file_pixels_at(dataset, grid, x_m + half, y_m), file_pixels_at(dataset, grid, x_m - half, y_m)
    north, south = file_pixels_at(dataset, grid, x_m, y_m + half), file_pixels_at(dataset, grid, x_m, y_m - half)
    area = (east[0] - west[0]) * (north[1] - south[1]) - (east[1] - west[1]) * (north[0] - south[0])
    area = area[np.isfinite(area)]
    if area.size == 0:
        return False, 1.0
    return inside_any, float(np.median(np.sqrt(np.abs(area))))


def finest_pixels_per_pixel(dataset: Any, grid: Grid) -> float:
    """Return how many of the file's columns, or of its rows if these are more, lie along a grid pixel's side.

    Where a file's pixels are long and narrow, as those in longitude and latitude are near a pole, this is more than
    `pixels_per_pixel` tells, which knows their area alone. Both are medians of probes over the grid, so that the few
    pixels about the pole, where all columns meet, do not count.
    """
    left, bottom, right, top = grid.bounds_m
    x_m, y_m = (axis.ravel() for axis in np.meshgrid(np.linspace(left, right, 41), np.linspace(bottom, top, 41)))
    col, row = file_pixels_at(dataset, grid, x_m, y_m)
    inside = (col >= 0) & (col <= dataset.width) & (row >= 0) & (row <= dataset.height)
    x_m, y_m = (axis[inside] if inside.any() else axis for axis in (x_m, y_m))
    half = 0.5 * grid.pixel_m
    east, west = file_pixels_at(dataset, grid, x_m + half, y_m), file_pixels_at(dataset, grid, x_m - half, y_m)
    north, south = file_pixels_at(dataset, grid, x_m, y_m + half), file_pixels_at(dataset, grid, x_m, y_m - half)
    # The most columns (and rows) that a way of a pixel's side crosses, whichever its direction.
    most = np.maximum(*(np.hypot(east[axis] - west[axis], north[axis] - south[axis]) for axis in (0, 1)))
    most = most[np.isfinite(most)]
    return float(np.median(most)) if most.size else 1.0


def file_pixels_at(
    dataset: Any, grid: Grid, x_m: NDArray[np.float64], y_m: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the (column, row) of map places in the file, whichever way the file counts longitude."""
    from pyproj import Transformer

    transform = Transformer.from_crs(grid.crs.to_wkt(), dataset.crs.to_wkt(), always_xy=True)
    east, north = (np.asarray(axis) for axis in transform.transform(x_m, y_m))
    affine = dataset.transform
    if dataset.crs.is_geographic:
        western = min(affine.c, affine.c + affine.a * dataset.width)
        east = western + (east - western) % 360.0
    inverse = ~affine
    return inverse.a * east + inverse.b * north + inverse.c, inverse.d * east + inverse.e * north + inverse.f


def _centre_on_grid(dataset: Any, grid: Grid) -> bool:
    from pyproj import Transformer

    transform = Transformer.from_crs(dataset.crs.to_wkt(), grid.crs.to_wkt(), always_xy=True)
    cols, rows = (
        np.array([0.0, 0.5, 1.0, 0.0, 1.0]) * dataset.width,
        np.array([0.0, 0.5, 1.0, 1.0, 0.0]) * dataset.height,
    )
    affine = dataset.transform
    east, north = affine.a * cols + affine.b * rows + affine.c, affine.d * cols + affine.e * rows + affine.f
    x_m, y_m = transform.transform(east, north)
    finite = np.isfinite(x_m) & np.isfinite(y_m)
    return bool(grid.contains(np.where(finite, x_m, 1e12), np.where(finite, y_m, 1e12)).any())


def warped(dataset: Any, grid: Grid, samples: int, resampling: Resampling, nodata: float | None) -> WarpedVRT:
    """Return a data set's numbers (float64, NaN where there are none) on a grid's pixels, or on finer ones.

    Args:
        dataset: A sound data set, whichever way it counts longitude.
        grid: The grid.
        samples: Pixels along a grid pixel's side.
        resampling: Bilinear or nearest. GDAL's average is not for this: it takes a pixel's footprint for a rectangle of
            the file, which is wrong across a file's 180th meridian and about the pole.
        nodata: The stored number that marks missing data (`local.declared_nodata`), or None.
    """
    affine, crs = dataset.transform, grid.crs
    if dataset.crs.is_geographic:
        # GDAL finds no longitudes beyond -180..180, such as those of a file that counts from 0 to 360.
        middle_deg = affine.c + 0.5 * affine.a * dataset.width
        affine = Affine(affine.a, affine.b, affine.c - middle_deg, affine.d, affine.e, affine.f)
        crs = turned_crs(middle_deg, grid.pole)
    is_float = np.dtype(dataset.dtypes[0]).kind == "f"
    # An undeclared NaN would otherwise spread to its neighbours.
    if nodata is None and is_float:
        nodata = np.nan
    return WarpedVRT(
        dataset,
        src_transform=affine,
        crs=crs,
        transform=Affine(grid.pixel_m / samples, 0.0, grid.x_min_m, 0.0, -grid.pixel_m / samples, grid.y_max_m),
        width=grid.cols * samples,
        height=grid.rows * samples,
        resampling=resampling,
        src_nodata=nodata,
        nodata=np.nan,
        dtype="float64",
        tolerance=0.01,
        # GDAL guesses the ratio of resolutions from windows that it has padded, and blurs: there is no reduction.
        XSCALE="1",
        YSCALE="1",
    )
