"""From a file's pixels to a grid's, exactly and by windows: means by area, interpolation, nearest, largest.

Both lie on the polar map, north up, so a grid's pixel covers a rectangle of file pixels and all that is needed are the
weights along either axis. Unlike GDAL's warper this tells what share of a pixel has data, and takes the largest value
as well as the mean. Edges that agree to a millionth of a file pixel are taken as equal: on the grid's own pixels values
are copied. This module must not know files, nor what the values mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Method = Literal["mean", "bilinear", "nearest"]

_SNAP_PX = 1e-6
WHOLE = 1.0 - 1e-6
"""A pixel of which this share has data counts as having data all over."""


@dataclass(frozen=True)
class Axis:
    """A stretch of a grid's pixels along one axis of a file.

    Args:
        low: Where each grid pixel begins, file pixels, (n,).
        high: Where it ends, (n,).
        size: File pixels along the axis.
    """

    low: Floats
    high: Floats
    size: int

    @classmethod
    def of(cls, first: float, step: float, pixels: slice, size: int) -> Axis:
        """Return the axis of grid pixels `pixels`, of which number 0 begins at `first` and each is `step` long."""
        edges = first + step * np.arange(pixels.start, pixels.stop + 1, dtype=np.float64)
        near = np.round(edges)
        edges = np.where(np.abs(edges - near) < _SNAP_PX, near, edges)
        return cls(edges[:-1], edges[1:], size)

    def window(self) -> slice:
        """Return the file pixels that any method needs, within the file; empty if the grid's lie outside it."""
        start = min(max(int(np.floor(self.low[0])) - 1, 0), self.size)
        return slice(start, max(start, min(int(np.ceil(self.high[-1])) + 1, self.size)))

    def area(self) -> csr_array:
        """Return the share of each grid pixel that each file pixel of the window covers, (n, window)."""
        first = np.floor(self.low).astype(np.int64)
        reach = int(np.max(np.ceil(self.high).astype(np.int64) - first))
        index = first[:, None] + np.arange(reach)
        overlap = np.minimum(self.high[:, None], index + 1.0) - np.maximum(self.low[:, None], index)
        return self._matrix(index, np.maximum(overlap, 0.0) / (self.high - self.low)[:, None])

    def bilinear(self) -> csr_array:
        """Return the weights of the two file pixels whose centres lie about each grid pixel's, (n, window)."""
        centre = 0.5 * (self.low + self.high) - 0.5
        near = np.round(centre)
        centre = np.where(np.abs(centre - near) < _SNAP_PX, near, centre)
        first = np.floor(centre).astype(np.int64)
        share = centre - first
        return self._matrix(first[:, None] + np.arange(2), np.stack([1.0 - share, share], axis=1))

    def nearest(self) -> csr_array:
        """Return 1 for the file pixel in which each grid pixel's centre lies, (n, window)."""
        index = np.floor(0.5 * (self.low + self.high) + _SNAP_PX).astype(np.int64)
        return self._matrix(index[:, None], np.ones((index.size, 1)))

    def spans(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return first and past-the-last file pixel of the window that each grid pixel touches."""
        window = self.window()
        low = np.clip(np.floor(self.low).astype(np.int64), window.start, window.stop)
        high = np.clip(np.ceil(self.high).astype(np.int64), window.start, window.stop)
        return low - window.start, high - window.start

    def _matrix(self, index: NDArray[np.int64], weight: Floats) -> csr_array:
        window = self.window()
        n, width = index.shape[0], window.stop - window.start
        kept = (weight > 0.0) & (index >= window.start) & (index < window.stop)
        rows = np.broadcast_to(np.arange(n)[:, None], index.shape)[kept]
        return csr_array((weight[kept], (rows, index[kept] - window.start)), shape=(n, width))


def resampled(rows: Axis, cols: Axis, values: Floats, present: Bools, method: Method) -> tuple[Floats, Floats]:
    """Return values on the grid's pixels, NaN where there is nothing, and the share of each pixel that has data.

    Weights of missing file pixels fall to those that are there. The share is by area whatever the method.

    Args:
        rows: The grid's rows, n of them.
        cols: Its columns, m of them.
        values: The file's values in the rows' and columns' windows; anything where they are missing.
        present: Where the file has values.
        method: 'mean' by area, 'bilinear' between pixel centres, or 'nearest'.
    """
    known = present.astype(np.float64)
    filled = np.where(present, values, 0.0)
    area = rows.area(), cols.area()
    share = _both(area[0], known, area[1])
    by = {
        "mean": area,
        "bilinear": (rows.bilinear(), cols.bilinear()),
        "nearest": (rows.nearest(), cols.nearest()),
    }[method]
    total = _both(by[0], filled, by[1])
    weight = share if method == "mean" else _both(by[0], known, by[1])
    # Weights of a whole pixel add up to 1 but for rounding, which must not change a copied value.
    weight = np.where(np.abs(weight - 1.0) < 1e-9, 1.0, weight)
    return np.where(weight > 1e-9, total / np.where(weight > 1e-9, weight, 1.0), np.nan), share


def largest(rows: Axis, cols: Axis, values: Floats, present: Bools) -> Floats:
    """Return the largest value of the file pixels that each grid pixel touches, NaN where there is none."""
    out = np.where(present, values, -np.inf)
    for axis, along in ((0, rows), (1, cols)):
        first, last = along.spans()
        # A slice that ends where it begins is one element to `reduceat`; those pixels lie outside the file.
        padded = np.pad(out, ((0, axis == 0), (0, axis == 1)), constant_values=-np.inf)
        out = np.maximum.reduceat(padded, np.stack([first, last], axis=1).ravel(), axis=axis)
        out = out[::2] if axis == 0 else out[:, ::2]
        out[(first == last) if axis == 0 else (slice(None), first == last)] = -np.inf
    return np.where(np.isneginf(out), np.nan, out)


def block_mean(values: Floats, n: int) -> Floats:
    """Return the mean of the finite values of each n x n block; NaN where there are none."""
    if n == 1:
        return values
    blocks = values.reshape(values.shape[0] // n, n, values.shape[1] // n, n)
    present = np.isfinite(blocks)
    count = present.sum(axis=(1, 3))
    total = np.where(present, blocks, 0.0).sum(axis=(1, 3))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _both(rows: csr_array, values: Floats, cols: csr_array) -> Floats:
    return np.asarray((cols @ (rows @ values).T).T)
