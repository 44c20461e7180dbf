"""Training crops: random windows of tiles, turned, mirrored and zoomed, with their targets.

Crop i is a function of the seed and of i alone, so a training that goes on after a kill sees what it would have seen.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.utils.data import Dataset

from lunarsite.artefact import tiles
from lunarsite.artefact.contracts import CRATER_TILES
from lunarsite.artefact.tiles import TilesReader
from lunarsite.vision.crater.network import STRIDE
from lunarsite.vision.crater.targets import SMALLEST_PX, rasterise

NOMINAL_RELIEF_PX = 0.35
"""Standard deviation of the height about its mean over 6 px, in pixels, of lunar ground at 240 m to 1 km: what tiles
without heights in metres are scaled to."""
_RELIEF_SIGMA_PX = 6.0
_RELIEF_JITTER = 0.15
"""Spread of the factor on the relief: one product's craters are shallower than another's."""
_ZOOM_OCTAVES = (-0.25, 1.5)
"""Inference sees the 474 m of the global models on pixels of 170 m, so a tile may be blown up by 2 ** 1.5."""
_UNLABELLED_PX = SMALLEST_PX
"""No zoom shows craters of more than this that the tile's labels leave out: below it rims are not taught either."""

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Share:
    """Tiles of one file that crops are drawn from."""

    path: Path
    chosen: NDArray[np.int64]
    """Numbers of the tiles."""
    weight: float
    """Share of the crops."""


def shares(files: Sequence[tuple[Path, float]], split: int) -> list[Share]:
    """Return the tiles of one split (0 training, 1 validation) of several files; files without any are left out."""
    found = []
    for path, weight in files:
        with tiles.opened(path, CRATER_TILES) as reader:
            chosen = np.flatnonzero(reader.read("split", slice(None)) == split)
        if chosen.size and weight > 0.0:
            found.append(Share(path, chosen, weight))
    return found


class CraterCrops(Dataset[Batch]):
    """Crops of `crop_px` pixels.

    Each item: `heights` (1, n, n), heights over pixel size, NaN without data; the targets `centre`, `size`,
    `size_weight` (4, n / 2, n / 2) and `rim` (n / 2, n / 2); `weight` (n / 2, n / 2), 1 where the targets hold.
    Files are opened by the process that reads.
    """

    def __init__(self, drawn_from: Sequence[Share], count: int, crop_px: int, seed: int) -> None:
        if not drawn_from:
            raise ValueError("there are no tiles to draw crops from")
        self.shares, self.count, self.crop_px, self.seed = drawn_from, count, crop_px, seed
        total = sum(share.weight for share in drawn_from)
        self.chances = [share.weight / total for share in drawn_from]
        self._opened: dict[Path, TilesReader] = {}
        self._stack = ExitStack()
        self._process = 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Batch:
        """Return crop `index`."""
        if not 0 <= index < self.count:
            raise IndexError(index)
        rng = np.random.default_rng([self.seed, index])
        share = self.shares[rng.choice(len(self.shares), p=self.chances)]
        return crop(self._reader(share.path), int(share.chosen[rng.integers(share.chosen.size)]), self.crop_px, rng)

    def __getstate__(self) -> dict[str, Any]:
        """Leave open files behind: another process opens its own."""
        return {**self.__dict__, "_opened": {}, "_stack": ExitStack(), "_process": 0}

    def close(self) -> None:
        """Close what this process opened."""
        if self._process == os.getpid():
            self._stack.close()
        self._opened, self._stack = {}, ExitStack()

    def _reader(self, path: Path) -> TilesReader:
        if self._process != os.getpid():
            # After a fork the parent's handles are not ours to use, nor to close.
            self._opened, self._stack, self._process = {}, ExitStack(), os.getpid()
        if path not in self._opened:
            self._opened[path] = self._stack.enter_context(tiles.opened(path, CRATER_TILES))
        return self._opened[path]


def crop(reader: TilesReader, number: int, crop_px: int, rng: np.random.Generator | None) -> Batch:
    """Return a crop of one tile: drawn by `rng`, or without one the tile's centre as it is."""
    image = reader.read(tiles.IMAGES, slice(number, number + 1))[0]
    pixel_m = 1000.0 * float(reader.read("km_per_px", slice(number, number + 1))[0])
    low_m, high_m = (float(reader.read(name, slice(number, number + 1))[0]) for name in ("elev_min_m", "elev_max_m"))
    least_px = float(reader.read("least_diameter_px", slice(number, number + 1))[0])
    craters = reader.craters(number)
    known = image > 0
    grey = image.astype(np.float32) - 1.0
    if rng is not None:
        # Undo the steps of the 8 bits: a blown-up staircase is nothing the ground has.
        grey += rng.uniform(-0.5, 0.5, image.shape).astype(np.float32)
    # The tile's true pixel stands for the map's, by which inference divides: at 80 degrees of latitude they differ by
    # 0.8 %, which the jitter of the relief covers.
    heights_px = grey * ((high_m - low_m) / 254.0 / pixel_m) if np.isfinite(high_m - low_m) else _nominal(grey, known)
    zoom = 1.0
    linear, offset = np.eye(2), np.full(2, 0.5 * (image.shape[0] - crop_px))
    if rng is not None:
        most = min(_ZOOM_OCTAVES[1], np.log2(_UNLABELLED_PX / max(least_px, 1e-3)))
        zoom = 2.0 ** rng.uniform(min(_ZOOM_OCTAVES[0], most - 0.5), most)
        linear, offset = _pose(rng, image.shape[0], crop_px, zoom)
    shape = (crop_px, crop_px)
    ground = ndimage.affine_transform(np.where(known, heights_px, 0.0), linear, offset, shape, order=1)
    # A crop's pixel counts only where all that it is interpolated from is known.
    inside = ndimage.affine_transform(ndimage.binary_erosion(known).astype(np.float32), linear, offset, shape, order=1)
    ground = np.where(inside > 0.99, ground * zoom, np.nan)
    if rng is not None:
        ground *= np.exp(rng.normal(0.0, _RELIEF_JITTER))
    at = (np.stack([craters["y_px"], craters["x_px"]], axis=1).astype(np.float64) - offset) @ np.linalg.inv(linear).T
    drawn = rasterise(at[:, 1], at[:, 0], craters["diameter_px"] * zoom, shape)
    whole = np.isfinite(ground).reshape(crop_px // STRIDE, STRIDE, crop_px // STRIDE, STRIDE)
    arrays: dict[str, NDArray[Any]] = {
        "heights": ground[None],
        "centre": drawn.centre,
        "size": drawn.size,
        "size_weight": drawn.size_weight,
        "rim": drawn.rim,
        "weight": np.asarray(whole.all(axis=(1, 3))),
    }
    return {name: torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)) for name, values in arrays.items()}


def _pose(
    rng: np.random.Generator, tile_px: int, crop_px: int, zoom: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the map (matrix, offset) from a crop's (row, column) to the tile's: any turn, either hand."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / zoom
    if rng.random() < 0.5:
        linear = linear @ np.diag([1.0, -1.0])
    # The centre keeps most of the crop on the tile.
    margin = min(0.45 * crop_px / zoom, 0.5 * tile_px - 1.0)
    centre = rng.uniform(margin, tile_px - margin, 2)
    return linear, centre - linear @ np.full(2, 0.5 * (crop_px - 1))


def _nominal(grey: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Scale a tile of unknown relief to the nominal one."""
    weight = ndimage.gaussian_filter(known.astype(np.float32), _RELIEF_SIGMA_PX)
    mean = ndimage.gaussian_filter(np.where(known, grey, 0.0), _RELIEF_SIGMA_PX) / np.maximum(weight, 1e-3)
    spread = float(np.std((grey - mean)[known])) if known.any() else 0.0
    return grey * np.float32(NOMINAL_RELIEF_PX / max(spread, 1e-3))
