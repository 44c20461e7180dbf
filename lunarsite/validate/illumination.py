"""Computed light, Earth view and permanent shadow against published references.

Cell means are compared with a table of the published averages, permanent shadow with published polygons and areas.
Every agreement stands beside what a trivial guess reaches: the reference's own mean at that latitude for the averages,
displaced copies of our mask for the polygons. How the averages were computed is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from lunarsite.grid import Grid, map_radius_m, xy_to_lonlat

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

FEWEST_PAIRS = 3
"""With fewer cells that have both a value and a reference, agreement is unknown."""
_CONSTANT = 1e-9
"""Values whose range is below this share of their size differ by rounding alone."""

PUBLISHED_PSR_KM2 = (
    ("Mazarico et al. 2011, 240 m", 16_055.0),
    ("Barker et al. 2023, 20 m", 20_800.0),
    ("O'Brien & Byrne 2022, 30 m", 20_900.0),
)
"""Permanently shadowed area south of 80 S; finer elevation models find more of it."""


def cell_means(values: NDArray[np.float32], grid: Grid, x_m: Floats, y_m: Floats, cell_m: float) -> Floats:
    """Return exact area-weighted means of a raster over square cells that need not align with its pixels.

    The raster is taken as constant within a pixel; its double integral, interpolated linearly between pixel corners,
    is then exact. A cell that reaches beyond the raster or holds a pixel without data is NaN.

    Args:
        values: (rows, cols), NaN = no data.
        grid: Its grid.
        x_m: (n,) map x of the cells' centres.
        y_m: (n,) map y of the cells' centres.
        cell_m: Side of the cells, map metres.
    """
    unknown = np.isnan(values)
    sums = [_integral(np.where(unknown, 0.0, values)), _integral(unknown.astype(np.float64))]
    left, right = ((x_m + side * 0.5 * cell_m - grid.x_min_m) / grid.pixel_m for side in (-1, 1))
    top, bottom = ((grid.y_max_m - y_m + side * 0.5 * cell_m) / grid.pixel_m for side in (-1, 1))
    corners = ((bottom, right, 1.0), (top, right, -1.0), (bottom, left, -1.0), (top, left, 1.0))
    total, missing = (
        sum(sign * ndimage.map_coordinates(one, (row, col), order=1, mode="nearest") for row, col, sign in corners)
        for one in sums
    )
    outside = (left < -1e-9) | (top < -1e-9) | (right > grid.cols + 1e-9) | (bottom > grid.rows + 1e-9)
    means = total / (cell_m / grid.pixel_m) ** 2
    return np.where(outside | (missing > 1e-6), np.nan, means)


class Windowed(Protocol):
    """A raster of which windows can be read (`lunarsite.artefact.raster.RasterReader`)."""

    def read(self, band: str | None = None, window: tuple[slice, slice] | None = None) -> NDArray[Any]:
        """Return a window of (rows, cols) slices."""


def windowed_means(
    raster: Windowed, grid: Grid, x_m: Floats, y_m: Floats, cell_m: float, band_px: int = 1024
) -> Floats:
    """Return what `cell_means` does, reading a raster band by band: memory does not grow with its height.

    Args:
        raster: The raster; NaN = no data.
        grid: Its grid.
        x_m: (n,) map x of the cells' centres.
        y_m: (n,) map y of the cells' centres.
        cell_m: Side of the cells, map metres.
        band_px: Rows of a band; one that holds a single row of cells may have more.
    """
    means = np.full(x_m.size, np.nan)
    top = np.floor((grid.y_max_m - y_m - 0.5 * cell_m) / grid.pixel_m).astype(np.int64) - 1
    bottom = np.ceil((grid.y_max_m - y_m + 0.5 * cell_m) / grid.pixel_m).astype(np.int64) + 1
    order = np.argsort(top, kind="stable")
    while order.size:
        first = top[order[0]]
        inside = (bottom[order] <= first + band_px) | (top[order] == first)
        chosen, order = order[inside], order[~inside]
        rows = slice(max(first, 0), min(int(bottom[chosen].max()), grid.rows))
        if rows.start >= rows.stop:
            continue
        band = Grid(
            grid.x_min_m,
            grid.y_max_m - rows.start * grid.pixel_m,
            grid.pixel_m,
            rows.stop - rows.start,
            grid.cols,
            grid.pole,
        )
        values = raster.read(window=(rows, slice(0, grid.cols)))
        means[chosen] = cell_means(values, band, x_m[chosen], y_m[chosen], cell_m)
    return means


def _integral(values: NDArray[np.floating]) -> Floats:
    padded = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    np.cumsum(np.cumsum(values, axis=0, dtype=np.float64), axis=1, out=padded[1:, 1:])
    return padded


@dataclass(frozen=True)
class Agreement:
    """How well values agree with a reference; all in the reference's unit, but the correlation."""

    n: int
    bias: float | None
    rms: float | None
    correlation: float | None
    """None where either side is constant."""
    baseline_rms: float | None
    """RMS of the reference about its mean in the same ring of latitude: what latitude alone explains."""


def agreement(ours: Floats, reference: Floats, lat_deg: Floats, ring_deg: float = 0.5) -> Agreement:
    """Compare values with a reference where both are known; with fewer than three such pairs nothing is known."""
    known = np.isfinite(ours) & np.isfinite(reference)
    if known.sum() < FEWEST_PAIRS:
        return Agreement(int(known.sum()), None, None, None, None)
    mine, other = ours[known], reference[known]
    difference = mine - other
    ring = np.floor(lat_deg[known] / ring_deg)
    ring_mean = pd.Series(other).groupby(ring).transform("mean").to_numpy()
    return Agreement(
        int(known.sum()),
        float(difference.mean()),
        float(np.sqrt(np.mean(difference**2))),
        None if _is_constant(mine) or _is_constant(other) else float(np.corrcoef(mine, other)[0, 1]),
        float(np.sqrt(np.mean((other - ring_mean) ** 2))),
    )


def _is_constant(values: Floats) -> bool:
    return bool(np.ptp(values) <= _CONSTANT * np.abs(values).max())


def by_bin(
    ours: Floats, reference: Floats, axis: Floats, edges: Sequence[float]
) -> list[dict[str, float | int | None]]:
    """Return count, bias and RMS of `ours` minus `reference` by bins of `axis`; None where a bin is empty."""
    known = np.isfinite(ours) & np.isfinite(reference)
    rows: list[dict[str, float | int | None]] = []
    for low, high in pairwise(edges):
        chosen = known & (axis >= low) & (axis < high)
        difference = (ours - reference)[chosen]
        empty = difference.size == 0
        rows.append(
            {
                "from": low,
                "to": high,
                "cells": int(difference.size),
                "bias": None if empty else float(difference.mean()),
                "rms": None if empty else float(np.sqrt(np.mean(difference**2))),
            }
        )
    return rows


def cap_mask(grid: Grid, latitude_limit_deg: float) -> Mask:
    """Which pixels lie at or poleward of an absolute latitude."""
    limit_m = map_radius_m(90.0 - latitude_limit_deg)
    return np.asarray(np.hypot(grid.x_m()[None, :], grid.y_m()[:, None]) <= limit_m)


def true_area_km2(mask: Mask, grid: Grid) -> float:
    """True area of a mask's pixels on the sphere."""
    return float(np.sum((grid.pixel_m / grid.scale_factor()[mask]) ** 2)) / 1e6


def large_regions(mask: Mask, grid: Grid, min_area_km2: float, x_min_m: float | None) -> Mask:
    """Keep the regions of a mask that are as large as the reference's and lie on the side that it covers.

    Regions are connected through pixels' sides; area is measured in the map plane, as the LROC product does.
    """
    labels, count = ndimage.label(mask)
    size = np.bincount(labels.ravel(), minlength=count + 1)
    keep = size * (grid.pixel_m**2 / 1e6) >= min_area_km2
    if x_min_m is not None and count:
        columns = np.broadcast_to(grid.x_m()[None, :], grid.shape)
        centroid_x_m = np.bincount(labels.ravel(), columns.ravel(), count + 1) / np.maximum(size, 1)
        keep &= centroid_x_m >= x_min_m
    keep[0] = False
    return np.asarray(keep[labels])


def overlap(ours: Mask, reference: Mask) -> float:
    """Intersection over union of two masks; NaN if both are empty."""
    union = np.count_nonzero(ours | reference)
    return float(np.count_nonzero(ours & reference) / union) if union else float("nan")


def phi(ours: Mask, reference: Mask, known: Mask) -> float:
    """Correlation of two masks over known pixels (Matthews 1975); NaN where either is the same everywhere."""
    n = float(np.count_nonzero(known))
    a, b = (np.count_nonzero(mask & known) for mask in (ours, reference))
    both = np.count_nonzero(ours & reference & known)
    spread = (a * (n - a)) * (b * (n - b))
    return float((n * both - a * b) / np.sqrt(spread)) if spread > 0 else float("nan")


def displaced(mask: Mask, shift_px: int, directions: int = 8) -> Iterator[Mask]:
    """Yield copies of a mask that are moved in several directions; what comes in from outside is False."""
    for angle in 2.0 * np.pi * np.arange(directions) / directions:
        yield _moved(mask, round(shift_px * np.sin(angle)), round(shift_px * np.cos(angle)))


def _moved(mask: Mask, down: int, right: int) -> Mask:
    moved = np.zeros_like(mask)
    (to_row, from_row), (to_col, from_col) = (
        (slice(max(step, 0), max(size + min(step, 0), 0)), slice(max(-step, 0), max(size - max(step, 0), 0)))
        for step, size in zip((down, right), mask.shape, strict=True)
    )
    moved[to_row, to_col] = mask[from_row, from_col]
    return moved


def displaced_overlap(ours: Mask, reference: Mask, shift_px: int, directions: int = 8) -> list[float]:
    """Return the overlap after shifting our mask in several directions: what as much shadow reaches by chance."""
    return [overlap(copy, reference) for copy in displaced(ours, shift_px, directions)]


def rasterised(shapes: Sequence[object], grid: Grid) -> Mask:
    """Return which pixel centres lie inside any of the polygons (shapely, on the polar map)."""
    from rasterio.features import rasterize

    return np.asarray(rasterize(shapes, out_shape=grid.shape, transform=grid.affine, dtype="uint8"), dtype=np.bool_)


def latitudes(x_m: Floats, y_m: Floats, grid: Grid) -> Floats:
    """Absolute latitude of map places, degrees."""
    return np.abs(xy_to_lonlat(x_m, y_m, grid.pole)[1])
