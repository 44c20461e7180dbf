"""A detector without learning: bowls in the elevation model by normalised correlation, as a baseline.

The map is sampled at scales in steps of sqrt(2). At each, the elevation model less its surroundings (a Gaussian of a
third of the crater's width) is correlated with fresh bowls of two sizes treated likewise (Fassett and Thomson 2014, JGR
Planets 119, 2255), normalised to -1..1 in each window (Lewis 1995; scikit-image's `match_template`). Peaks over place
and size are fitted by parabolas, and of overlapping ones the best stays. This module must not know a catalogue.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from lunarsite.grid import Grid, scale_factor
from lunarsite.vision.crater.resample import level_heights

if TYPE_CHECKING:
    from lunarsite.vision.crater.inference import Candidates

Floats = NDArray[np.float64]
Image = NDArray[np.float32]

_LEAST_PX = 8.0
"""The smaller bowl of a level is this many pixels wide; the larger one by the fourth root of 2."""
_PER_LEVEL = 2
_STEP = 2.0**0.25
_REACH = 1.5
"""The window of a correlation reaches this many radii from the centre: rim and inner ejecta."""
_SURROUNDINGS = 0.35
"""Sigma of the Gaussian that is taken off, diameters."""
_LEAST_CORRELATION = 0.2
_WEIGHT_OF_DEPTH = 0.3
"""Response = correlation times (depth over a fresh crater's) to this power: shape first, then depth.

This, the surroundings and the window were chosen on ground that neither validates nor tests.
"""
_OVERLAP_RADII = 0.6
_OVERLAP_SIZES = 0.5
"""Of two peaks closer than so many radii of the smaller, and so many octaves, one stays."""


@dataclass(frozen=True)
class _Layer:
    """Correlation with one size of bowl, and depth relative to a fresh crater's, on the pixels of its level."""

    response: Image
    contrast: Image
    pixel_m: float
    diameter_m: float


def bowl(x: Floats) -> Floats:
    """Return height over diameter of a fresh simple crater at x radii (Fassett and Thomson 2014)."""
    inner = -0.2288 + 0.2275 * x + 0.0831 * x**2 - 0.0395 * x**3
    outer = 0.1883 - 0.1871 * x + 0.0184 * x**2 + 0.0151 * x**3
    return np.where(x <= 0.2, -0.181, np.where(x <= 0.98, inner, np.where(x <= 1.5, outer, 0.0)))


def detect_classical(heights: Image, grid: Grid, least_diameter_m: float, largest_diameter_m: float) -> Candidates:
    """Return bowls that stand out of a map, by descending response (0..1).

    Args:
        heights: (rows, cols) metres, NaN where unknown.
        grid: Its grid.
        least_diameter_m: Smallest diameter that is looked for, true metres.
        largest_diameter_m: Largest.
    """
    from lunarsite.vision.crater.depth import measure_depths
    from lunarsite.vision.crater.inference import Candidates

    found: list[Floats] = []
    below: _Layer | None = None
    here: _Layer | None = None
    for above in [*_layers(heights, grid, least_diameter_m, largest_diameter_m), None]:
        if here is not None:
            found.append(_peaks(below, here, above))
        below, here = here, above
    peaks = np.concatenate(found) if found else np.zeros((0, 5))
    response = peaks[:, 3] * np.clip(peaks[:, 4], 0.0, 1.0) ** _WEIGHT_OF_DEPTH
    peaks, response = (values[np.argsort(-response, kind="stable")] for values in (peaks, response))
    # Sizes were found on the map, whose lengths are longer than true ones.
    scale = scale_factor(grid.x_min_m + peaks[:, 0], grid.y_max_m - peaks[:, 1])
    wanted = (peaks[:, 2] >= least_diameter_m * scale) & (peaks[:, 2] <= largest_diameter_m * scale)
    wanted &= grid.contains(grid.x_min_m + peaks[:, 0], grid.y_max_m - peaks[:, 1])
    peaks, response, scale = peaks[wanted], response[wanted], scale[wanted]
    best = _best(peaks[:, 0], peaks[:, 1], peaks[:, 2])
    (right_m, down_m, diameter_m), response, scale = peaks[best, :3].T, response[best], scale[best]
    depth_m = measure_depths(heights, grid.pixel_m, right_m, down_m, diameter_m)
    return Candidates(grid.x_min_m + right_m, grid.y_max_m - down_m, diameter_m / scale, depth_m, response)


def _layers(heights: Image, grid: Grid, least_m: float, largest_m: float) -> Iterator[_Layer]:
    """Yield the correlation with bowls of every size, ascending; one size beyond each end, so that ends can peak."""
    # Sizes of the map are up to a few percent above true ones.
    first = math.floor(math.log(least_m) / math.log(_STEP)) - 1
    last = math.ceil(math.log(1.05 * largest_m) / math.log(_STEP)) + 1
    pixel_m, level, known = 0.0, heights, np.isfinite(heights)
    for index, size in enumerate(range(first, last + 1)):
        diameter_m = _STEP**size
        if index % _PER_LEVEL == 0:
            pixel_m = diameter_m / _LEAST_PX
            level = level_heights(lambda window: heights[window], grid.shape, grid.pixel_m, pixel_m)
            if min(level.shape) < 2.0 * _REACH * _LEAST_PX:
                return
            known = np.isfinite(level)
            level = _filled(level, known)
        yield _layer(level, known, pixel_m, diameter_m)


def _filled(level: Image, known: NDArray[np.bool_]) -> Image:
    """Return heights with the nearest known one where there is none."""
    if known.all() or not known.any():
        return np.where(known, level, np.float32(0.0))
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    return np.asarray(level[tuple(nearest)])


def _layer(level: Image, known: NDArray[np.bool_], pixel_m: float, diameter_m: float) -> _Layer:
    import skimage.feature

    match_template: Any = skimage.feature.match_template  # it has no type hints
    sigma = _SURROUNDINGS * diameter_m / pixel_m
    radius = 0.5 * diameter_m / pixel_m
    half = math.ceil(_REACH * radius)
    wide = half + math.ceil(4.0 * sigma)
    axis = np.arange(-wide, wide + 1, dtype=np.float64)
    shape = (bowl(np.hypot(axis[:, None], axis[None, :]) / radius) * diameter_m).astype(np.float32)
    shape -= ndimage.gaussian_filter(shape, sigma)
    template = shape[wide - half : wide + half + 1, wide - half : wide + half + 1]
    relief = level - ndimage.gaussian_filter(level, sigma)
    response = match_template(relief, template, pad_input=True, mode="edge").astype(np.float32)
    # Depth relative to a fresh crater's: the slope of the regression of the window on the template.
    width = 2 * half + 1
    mean = ndimage.uniform_filter(relief, width)
    spread = np.sqrt(np.maximum(ndimage.uniform_filter(relief * relief, width) - mean * mean, 0.0))
    contrast = response * spread / template.std()
    if not known.all():
        response[ndimage.minimum_filter(known, size=max(3, round(2.0 * radius)), mode="nearest") == 0] = -1.0
    return _Layer(response, contrast.astype(np.float32), pixel_m, diameter_m)


def _peaks(below: _Layer | None, here: _Layer, above: _Layer | None) -> Floats:
    """Return peaks of one size: rows of distance from the left and upper border, diameter, correlation, contrast.

    A peak is no lower than its eight neighbours and than the next sizes at the same place. Place and size are
    refined by parabolas through three values.
    """
    layer = here.response
    highest = ndimage.maximum_filter(layer, size=3, mode="nearest")
    row, col = np.nonzero((layer == highest) & (layer > _LEAST_CORRELATION))
    inside = (row > 0) & (col > 0) & (row < layer.shape[0] - 1) & (col < layer.shape[1] - 1)
    row, col = row[inside], col[inside]
    value = layer[row, col].astype(np.float64)
    right, down = (col + 0.5) * here.pixel_m, (row + 0.5) * here.pixel_m
    smaller, larger = (_at(other, right, down, value) for other in (below, above))
    top = (value >= smaller) & (value >= larger)
    row, col, value, right, down = row[top], col[top], value[top], right[top], down[top]
    right = right + here.pixel_m * _vertex(layer[row, col - 1], value, layer[row, col + 1])
    down = down + here.pixel_m * _vertex(layer[row - 1, col], value, layer[row + 1, col])
    diameter_m = here.diameter_m * _STEP ** _vertex(smaller[top], value, larger[top])
    return np.column_stack([right, down, diameter_m, value, here.contrast[row, col]])


def _at(layer: _Layer | None, right_m: Floats, down_m: Floats, otherwise: Floats) -> Floats:
    """Return a layer's response at places of another, bilinear; `otherwise` where there is no such layer."""
    if layer is None:
        return otherwise
    places = (down_m / layer.pixel_m - 0.5, right_m / layer.pixel_m - 0.5)
    return np.asarray(ndimage.map_coordinates(layer.response, places, order=1, mode="nearest"), dtype=np.float64)


def _vertex(before: NDArray[np.floating], at: Floats, after: NDArray[np.floating]) -> Floats:
    """Return where the parabola through three equidistant values peaks, in steps from the middle one, within half."""
    bend = before - 2.0 * at + after
    with np.errstate(invalid="ignore", divide="ignore"):
        offset = 0.5 * (before - after) / bend
    return np.clip(np.where(bend < 0.0, offset, 0.0), -0.5, 0.5)


def _best(x_m: Floats, y_m: Floats, diameter_m: Floats) -> NDArray[np.bool_]:
    """Return which peaks stay when of those that overlap in place and size the first one does."""
    alive = np.ones(x_m.size, dtype=bool)
    if not x_m.size:
        return alive
    octave = np.log2(diameter_m)
    places = np.column_stack([x_m, y_m])
    reach_m = 0.5 * _OVERLAP_RADII * diameter_m
    near = cKDTree(places).query_ball_point(places, reach_m)
    for first in range(x_m.size):
        if not alive[first]:
            continue
        others = np.asarray(near[first], dtype=np.int64)
        others = others[(others > first) & alive[others]]
        close = np.hypot(x_m[others] - x_m[first], y_m[others] - y_m[first]) < reach_m[others]
        alive[others[close & (np.abs(octave[others] - octave[first]) < _OVERLAP_SIZES)]] = False
    return alive
