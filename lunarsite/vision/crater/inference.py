"""The network over a whole map: every level in shards of tile rows, then the shards' outputs joined to craters.

Memory is bounded by the finest level, whose pixel follows from the smallest diameter and not from the elevation
model's: 20 m heights are averaged as they are read. This module knows no paths; heights come through a reader.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from lunarsite.artefact.contracts import DETECTED
from lunarsite.grid import Grid, scale_factor, shard, xy_to_lonlat
from lunarsite.settings import DetectionSettings, InferenceSettings, SettingsError
from lunarsite.vision.crater.calibration import Calibration
from lunarsite.vision.crater.depth import measure_depths
from lunarsite.vision.crater.detect import Peaks, find_peaks, merge
from lunarsite.vision.crater.network import OUTPUTS, STRIDE, Response
from lunarsite.vision.crater.pyramid import Pyramid, combine, enlarge
from lunarsite.vision.crater.resample import ReadWindow, level_heights, level_shape
from lunarsite.vision.learn.tiling import predict

Maps = NDArray[np.float32]
Progress = Callable[[float, float], None]

_RIM = len(OUTPUTS) - 1
_STRIP_ROWS = 512
_LEAST_PIXEL_RATIO = 0.5
"""Finest level's pixel over the elevation model's: below it a level shows interpolation and no ground."""


@dataclass(frozen=True)
class Candidates:
    """What a map shows before it is scored, strongest first. Places and diameters in true metres on the sphere."""

    x_m: NDArray[np.float64]
    y_m: NDArray[np.float64]
    diameter_m: NDArray[np.float64]
    depth_m: NDArray[np.float64]
    response: NDArray[np.float64]


def pyramid_of(grid: Grid, detection: DetectionSettings) -> Pyramid:
    """Return the levels that see the wanted diameters anywhere on a map.

    Diameters on the map exceed true ones by the map's scale. A level has at least two output pixels a side.

    Raises:
        SettingsError: The least diameter asks for pixels below half the elevation model's.
    """
    corner_m = max(abs(value) for value in grid.bounds_m)
    largest_m = min(detection.largest_diameter_m * float(scale_factor(corner_m, corner_m)), *_extent_m(grid))
    pyramid = Pyramid.covering(detection.least_diameter_m, max(largest_m, detection.least_diameter_m))
    ratio = pyramid.pixel_m[0] / grid.pixel_m
    if ratio < _LEAST_PIXEL_RATIO - 1e-9:
        legal_m = math.ceil(detection.least_diameter_m * _LEAST_PIXEL_RATIO / ratio)
        raise SettingsError(
            f"crater.detection.least_diameter_m: {detection.least_diameter_m:g} m needs pixels of"
            f" {pyramid.pixel_m[0]:.3g} m, below half of the elevation model's {grid.pixel_m:g} m; set it to"
            f" {legal_m} m or more, or use a finer elevation model"
        )
    return pyramid


def infer_shard(
    read: ReadWindow,
    grid: Grid,
    pyramid: Pyramid,
    network: nn.Module,
    inference: InferenceSettings,
    index: int,
    progress: Progress | None = None,
) -> Iterator[Maps]:
    """Yield the outputs of every level, finest first: (9, rows of the shard, cols), float32.

    Args:
        read: Reads windows of the elevation model, metres.
        grid: The elevation model's grid.
        pyramid: The levels.
        network: A crater network in evaluation mode.
        inference: Tiles, views, shards.
        index: The shard: which rows of tiles of every level are run.
        progress: Told (done, total) in output pixels.
    """
    response = Response(network).eval()
    total = sum(math.prod(level_shape(grid.shape, grid.pixel_m, pixel_m)) for pixel_m in pyramid.pixel_m)
    done = 0
    for pixel_m in pyramid.pixel_m:
        heights = level_heights(read, grid.shape, grid.pixel_m, pixel_m)
        rows = shard(math.ceil(heights.shape[0] / inference.tile_px), index, inference.shards)
        if len(rows) == 0:
            yield np.zeros((len(OUTPUTS), 0, math.ceil(heights.shape[1] / STRIDE)), np.float32)
        else:
            yield predict(
                response,
                (heights / np.float32(pixel_m))[None],
                outputs=len(OUTPUTS),
                stride=STRIDE,
                tile_px=inference.tile_px,
                halo_px=inference.halo_px,
                views=inference.views,
                rows=rows,
            )
        done += heights.size
        if progress is not None:
            progress(done, total)


def find_candidates(
    read: ReadWindow, grid: Grid, pyramid: Pyramid, outputs: Sequence[Maps], detection: DetectionSettings, least: float
) -> Candidates:
    """Return the candidates of a map: each crater once, within the wanted diameters, on known ground.

    Args:
        read: Reads windows of the elevation model, metres.
        grid: The elevation model's grid.
        pyramid: The levels.
        outputs: (9, rows, cols) of every level, all shards joined.
        detection: The wanted diameters, true metres.
        least: Least response of a candidate.
    """
    peaks = merge(find_peaks((combine(pyramid, outputs, scale) for scale in pyramid.scales()), least))
    finest_m = max(pyramid.pixel_m[0], grid.pixel_m)
    heights = level_heights(read, grid.shape, grid.pixel_m, finest_m)
    peaks = peaks.take(_on_known_ground(peaks, heights, finest_m))
    x_m, y_m = grid.x_min_m + peaks.right_m, grid.y_max_m - peaks.down_m
    diameter_m = peaks.diameter_m / scale_factor(x_m, y_m)
    kept = (diameter_m >= detection.least_diameter_m) & (diameter_m <= detection.largest_diameter_m)
    kept &= grid.contains(x_m, y_m)
    peaks = peaks.take(kept)
    depth_m = measure_depths(heights, finest_m, peaks.right_m, peaks.down_m, peaks.diameter_m)
    return Candidates(x_m[kept], y_m[kept], diameter_m[kept], depth_m, peaks.response)


def detections(candidates: Candidates, calibration: Calibration, grid: Grid) -> gpd.GeoDataFrame:
    """Return the table of detected craters, ids from 1 by descending score."""
    score = calibration.score(candidates.response, candidates.diameter_m)
    order = np.lexsort((candidates.x_m, candidates.y_m, -score))
    lon_deg, lat_deg = xy_to_lonlat(candidates.x_m, candidates.y_m, grid.pole)
    columns: dict[str, NDArray[Any]] = {
        "lon_deg": lon_deg,
        "lat_deg": lat_deg,
        "x_m": candidates.x_m,
        "y_m": candidates.y_m,
        "diameter_m": candidates.diameter_m,
        "depth_m": candidates.depth_m,
        "score": score,
        "response": candidates.response,
        "accepted": score >= calibration.threshold,
    }
    frame = pd.DataFrame({name: values[order] for name, values in columns.items()})
    frame.insert(0, "id", np.arange(1, len(frame) + 1, dtype=np.int64))
    frame = frame[[column.name for column in DETECTED.columns]]
    return gpd.GeoDataFrame(frame, geometry=gpd.points_from_xy(frame["x_m"], frame["y_m"]))


def probability_strips(
    grid: Grid, pyramid: Pyramid, outputs: Sequence[Maps], read: ReadWindow
) -> Iterator[tuple[slice, dict[str, Maps]]]:
    """Yield (rows of the grid, {'centre', 'rim'}): the highest response over all sizes, NaN where heights are.

    Args:
        grid: The elevation model's grid.
        pyramid: The levels.
        outputs: (9, rows, cols) of every level.
        read: Reads windows of the elevation model.
    """
    finest_m = STRIDE * pyramid.pixel_m[0]
    shape = outputs[0].shape[1:]
    centre, rim = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for scale in pyramid.scales():
        maps = combine(pyramid, outputs, scale)
        np.maximum(centre, enlarge(maps.centre, finest_m / maps.pixel_m, shape), out=centre)
    for pixel_m, level in zip(pyramid.pixel_m, outputs, strict=True):
        np.maximum(rim, enlarge(level[_RIM], pyramid.pixel_m[0] / pixel_m, shape), out=rim)
    factor = grid.pixel_m / finest_m
    for start in range(0, grid.rows, _STRIP_ROWS):
        rows = slice(start, min(start + _STRIP_ROWS, grid.rows))
        unknown = ~np.isfinite(read((rows, slice(0, grid.cols))))
        strip = {}
        for name, values in (("centre", centre), ("rim", rim)):
            part = np.clip(enlarge(values, factor, (rows.stop - rows.start, grid.cols), rows.start), 0.0, 1.0)
            part[unknown] = np.nan
            strip[name] = part
        yield rows, strip


def _on_known_ground(peaks: Peaks, heights: Maps, pixel_m: float) -> NDArray[np.bool_]:
    row = (peaks.down_m / pixel_m).astype(np.int64)
    col = (peaks.right_m / pixel_m).astype(np.int64)
    inside = (row >= 0) & (row < heights.shape[0]) & (col >= 0) & (col < heights.shape[1])
    row, col = row.clip(0, heights.shape[0] - 1), col.clip(0, heights.shape[1] - 1)
    return np.asarray(inside & np.isfinite(heights[row, col]))


def _extent_m(grid: Grid) -> tuple[float, float]:
    return grid.rows * grid.pixel_m, grid.cols * grid.pixel_m
