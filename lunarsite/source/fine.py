"""A user's finer elevation model of a part of the map: the grid of its own on which it is kept.

A model on the polar map keeps its own pixels, cut to those that touch the run's map, so that its heights are copied
number for number. One in another projection is put on a polar grid as fine as the longer side of its pixels: a
finer one would pretend to a resolution that the file has not. How its heights then come onto that grid is told and
done by `local`. This module must not know what the heights are used for.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from lunarsite.grid import Grid, is_polar_map
from lunarsite.source.kinds import LocalError
from lunarsite.source.local import checked, no_overlap
from lunarsite.source.placement import file_pixels_at

Floats = NDArray[np.float64]

# A grid of more pixels fills 16 GB: nobody means to.
_MOST_PX = 4e9
_PROBES = 41
# Points along each border of a file by which its place on the map is found.
_BORDER_POINTS = 2_001
_STEP_M = 1.0


def fine_grid(path: Path, run: Grid, field: str, band: int | None = None) -> Grid:
    """Return the grid on which a finer elevation model is kept.

    Args:
        path: The file.
        run: The grid of the run's near field.
        field: Name of the setting that names the file, for messages.
        band: The band that is read, of a file that may have others.

    Raises:
        LocalError: The file cannot be used (see `local.checked`), does not overlap the run's map, is no finer than the
            run's map, or far too large.
    """
    with checked(path, field, band) as dataset:
        return grid_of(dataset, path, run, field)


def grid_of(dataset: Any, path: Path, run: Grid, field: str) -> Grid:
    """Return the grid of an open data set whose header is sound; see `fine_grid`.

    Raises:
        LocalError: It does not overlap the run's map, is no finer than the run's map, or far too large.
    """
    own = is_polar_map(dataset.crs, run.pole) and _square(dataset)
    grid = _own_pixels(dataset, run) if own else _polar_pixels(dataset, run)
    if grid is None:
        raise no_overlap(path, run, field)
    if grid.pixel_m > run.pixel_m * (1.0 + 1e-6):
        raise LocalError(
            f"{field}: {path}: its pixels of {grid.pixel_m:g} m are larger than the run's own of {run.pixel_m:g} m"
            " (grid.pixel_m), so it tells nothing new; leave it out"
        )
    if grid.rows * grid.cols > _MOST_PX:
        raise LocalError(
            f"{field}: {path}: has {grid.rows} x {grid.cols} pixels on the run's map, at most {_MOST_PX:.0e} are read;"
            " cut out what matters (gdal_translate -projwin) and give several files"
        )
    return grid


def _square(dataset: Any) -> bool:
    """Whether pixels are square and north-up over the whole file, to a thousandth of a pixel."""
    affine = dataset.transform
    if affine.b or affine.d or affine.a <= 0.0 or affine.e >= 0.0:
        return False
    return bool(abs(affine.a + affine.e) / affine.a * max(dataset.height, dataset.width) < 1e-3)


def _own_pixels(dataset: Any, run: Grid) -> Grid | None:
    left, bottom, right, top = run.bounds_m
    affine = dataset.transform
    pixel_m = float(affine.a)
    first_col = max(0, math.floor((left - affine.c) / pixel_m))
    first_row = max(0, math.floor((affine.f - top) / pixel_m))
    last_col = min(dataset.width, math.ceil((right - affine.c) / pixel_m))
    last_row = min(dataset.height, math.ceil((affine.f - bottom) / pixel_m))
    if first_col >= last_col or first_row >= last_row:
        return None
    x_min_m, y_max_m = affine.c + first_col * pixel_m, affine.f - first_row * pixel_m
    return Grid(x_min_m, y_max_m, pixel_m, last_row - first_row, last_col - first_col, run.pole)


def _polar_pixels(dataset: Any, run: Grid) -> Grid | None:
    """Return the grid, snapped to whole pixels from the pole, that covers the file as far as the run's map goes."""
    pixel_m = _resolution_m(dataset, run)
    if pixel_m is None:
        return None
    along = np.linspace(0.0, 1.0, _BORDER_POINTS)
    ends = np.zeros_like(along), np.ones_like(along)
    cols = np.concatenate([along, along, *ends]) * dataset.width
    rows = np.concatenate([*ends, along, along]) * dataset.height
    x_m, y_m = _map_places(dataset, run, cols, rows)
    left, bottom, right, top = run.bounds_m
    first_col = math.floor(max(float(x_m.min()), left) / pixel_m)
    last_col = math.ceil(min(float(x_m.max()), right) / pixel_m)
    last_row = math.ceil(min(float(y_m.max()), top) / pixel_m)
    first_row = math.floor(max(float(y_m.min()), bottom) / pixel_m)
    if first_col >= last_col or first_row >= last_row:
        return None
    shape = last_row - first_row, last_col - first_col
    return Grid(first_col * pixel_m, last_row * pixel_m, pixel_m, *shape, run.pole)


def _resolution_m(dataset: Any, run: Grid) -> float | None:
    """Longer side of the file's pixels on the map, metres: the median over the ground that file and run share.

    None if they share none. Rounded to four digits, so that grids of like files are alike.
    """
    left, bottom, right, top = run.bounds_m
    x_m, y_m = (
        axis.ravel() for axis in np.meshgrid(np.linspace(left, right, _PROBES), np.linspace(bottom, top, _PROBES))
    )
    share = np.linspace(0.0, 1.0, _PROBES)
    cols, rows = (axis.ravel() for axis in np.meshgrid(share * dataset.width, share * dataset.height))
    own_x_m, own_y_m = _map_places(dataset, run, cols, rows)
    x_m, y_m = np.concatenate([x_m, own_x_m]), np.concatenate([y_m, own_y_m])
    on_map = (x_m >= left) & (x_m <= right) & (y_m >= bottom) & (y_m <= top)
    x_m, y_m = x_m[on_map], y_m[on_map]
    col, row = file_pixels_at(dataset, run, x_m, y_m)
    slack = 1e-6  # the file's own corners, there and back
    inside = (col >= -slack) & (col <= dataset.width + slack) & (row >= -slack) & (row <= dataset.height + slack)
    if not inside.any():
        return None
    x_m, y_m = x_m[inside], y_m[inside]
    east, west = (file_pixels_at(dataset, run, x_m + step, y_m) for step in (0.5 * _STEP_M, -0.5 * _STEP_M))
    north, south = (file_pixels_at(dataset, run, x_m, y_m + step) for step in (0.5 * _STEP_M, -0.5 * _STEP_M))
    col_x, row_x = (east[axis] - west[axis] for axis in (0, 1))
    col_y, row_y = (north[axis] - south[axis] for axis in (0, 1))
    area = np.abs(col_x * row_y - col_y * row_x)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Columns of the inverse matrix: one file pixel along a row, and along a column, in map metres.
        side_m = _STEP_M * np.maximum(np.hypot(row_x, row_y), np.hypot(col_x, col_y)) / area
    side_m = side_m[np.isfinite(side_m)]
    return float(f"{np.median(side_m):.4g}") if side_m.size else None


def _map_places(dataset: Any, run: Grid, cols: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """Return where places of the file (its columns and rows) lie on the map; those that lie nowhere are left out."""
    affine = dataset.transform
    transform = Transformer.from_crs(dataset.crs.to_wkt(), run.crs.to_wkt(), always_xy=True)
    east, north = affine.a * cols + affine.b * rows + affine.c, affine.d * cols + affine.e * rows + affine.f
    x_m, y_m = (np.asarray(axis) for axis in transform.transform(east, north))
    found = np.isfinite(x_m) & np.isfinite(y_m)
    return x_m[found], y_m[found]
