"""Made-up ground for the tests of the crater room: bowls of known place and size, tiles of them, a network that knows
bowls a little."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from lunarsite.artefact import raster, table, tiles
from lunarsite.artefact.contracts import CRATER_TILES, CRATERS, DEM
from lunarsite.artefact.tiles import CRATER_FIELDS
from lunarsite.grid import Grid, scale_factor, xy_to_lonlat
from lunarsite.settings import NetworkSettings
from lunarsite.stage import Job
from lunarsite.vision.crater.loss import crater_loss
from lunarsite.vision.crater.network import DIAMETERS_PX, STRIDE, CraterNetwork, body_spec
from lunarsite.vision.crater.targets import Targets, rasterise

TINY = NetworkSettings(kind="plain-unet", channels=6, depth=2)
DEPTH_RATIO = 0.15
Floats = NDArray[np.float64]


def job(stage: str = "crater-test") -> Job:
    return Job(stage, "default", "0" * 16, "0" * 64, origin="synthetic", git=(None, None))


def bowls(shape: tuple[int, int], x_px: Floats, y_px: Floats, diameter_px: Floats) -> Floats:
    """Depth of parabolic bowls, pixels, (rows, cols); 0 at the centre of the first pixel."""
    found = np.zeros(shape)
    for x, y, diameter in zip(x_px, y_px, diameter_px, strict=True):
        reach = int(0.5 * diameter) + 2
        top, left = max(int(y) - reach, 0), max(int(x) - reach, 0)
        rows, cols = np.ogrid[top : int(y) + reach + 1, left : int(x) + reach + 1]
        part = found[top : int(y) + reach + 1, left : int(x) + reach + 1]
        share = np.hypot(rows - y, cols - x)[: part.shape[0], : part.shape[1]] / (0.5 * diameter)
        np.minimum(part, np.where(share < 1.0, DEPTH_RATIO * diameter * (share**2 - 1.0), 0.0), out=part)
    return found


def waves(shape: tuple[int, int], seed: int) -> Floats:
    """Rolling ground, pixels: a few waves far longer than the bowls are wide."""
    rng = np.random.default_rng(seed)
    return 3.0 * ndimage.gaussian_filter(rng.normal(0.0, 12.0, shape), 12.0) + rng.normal(0.0, 0.02, shape)


def scattered(count: int, size_px: int, least_px: float, largest_px: float, seed: int) -> tuple[Floats, Floats, Floats]:
    """Places and diameters of bowls that hardly overlap, the largest first, pixels."""
    rng = np.random.default_rng(seed)
    drawn = np.sort(least_px * (largest_px / least_px) ** rng.random(count))[::-1]
    kept: list[tuple[float, float, float]] = []
    for diameter in drawn:
        for x, y in rng.uniform(0.0, size_px, (20, 2)):
            if all(np.hypot(x - a, y - b) > 0.6 * (diameter + d) for a, b, d in kept):
                kept.append((x, y, float(diameter)))
                break
    x_px, y_px, diameter_px = np.array(kept).T
    return x_px, y_px, diameter_px


class Oracle(nn.Module):
    """Answers to bowls without training: how far their middle lies below their rim, for each of the four sizes."""

    def __init__(self) -> None:
        super().__init__()
        for index, diameter_px in enumerate(DIAMETERS_PX):
            radius = 0.5 * diameter_px / STRIDE
            reach = math.ceil(1.2 * radius)
            axis = torch.arange(-reach, reach + 1.0)
            distance = torch.hypot(axis[:, None], axis[None, :]) / radius
            rim, middle = ((distance > 0.9) & (distance < 1.15)).float(), (distance < 0.5).float()
            kernel = (rim / rim.sum() - middle / middle.sum()) / diameter_px
            self.register_buffer(f"kernel_{index}", kernel[None, None])

    def forward(self, heights: Tensor) -> Tensor:
        """Return raw outputs of a crater network: logits, octaves of 0, rims nowhere."""
        known = torch.isfinite(heights)
        level = torch.where(known, heights, 0.0).sum() / known.sum().clamp(min=1)
        half = functional.avg_pool2d(torch.where(known, heights - level, 0.0), STRIDE)
        kernels = [self.get_buffer(f"kernel_{index}") for index in range(len(DIAMETERS_PX))]
        drops = [functional.conv2d(half, kernel, padding=kernel.shape[-1] // 2) for kernel in kernels]
        centres = torch.cat([60.0 * (drop - 0.09) for drop in drops], dim=1)
        return torch.cat([centres, torch.zeros_like(centres), -3.0 * torch.ones_like(half)], dim=1)


@lru_cache(maxsize=1)
def trained() -> CraterNetwork:
    """A tiny network after a few dozen steps on bowls: enough that it answers to them and that seams would show."""
    size, steps, batch = 96, 40, 3
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = CraterNetwork(body_spec(TINY)).train()
        optimiser = torch.optim.AdamW(network.parameters(), lr=0.02)
        for step in range(steps):
            heights, targets = zip(*(_lesson(batch * step + item, size) for item in range(batch)), strict=True)
            lesson = {
                name: torch.from_numpy(np.stack([getattr(target, name) for target in targets]))
                for name in ("centre", "size", "size_weight", "rim")
            } | {"weight": torch.ones(batch, size // STRIDE, size // STRIDE)}
            loss, _ = crater_loss(network(torch.from_numpy(np.stack(heights)[:, None].astype(np.float32))), lesson)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            for group in optimiser.param_groups:
                group["lr"] = 0.02 * (1.0 - (step + 1) / steps) + 1e-4
    return network.eval()


def _lesson(seed: int, size: int) -> tuple[Floats, Targets]:
    x_px, y_px, diameter_px = scattered(7, size, 7.0, 34.0, seed)
    heights = bowls((size, size), x_px, y_px, diameter_px) + waves((size, size), seed)
    return heights, rasterise(*(part.astype(np.float32) for part in (x_px, y_px, diameter_px)), (size, size))


def catalogue(x_m: Floats, y_m: Floats, diameter_m: Floats) -> pd.DataFrame:
    """A given catalogue of craters at map places; diameters are true metres."""
    lon_deg, lat_deg = xy_to_lonlat(x_m, y_m)
    return pd.DataFrame(
        {
            "id": np.arange(x_m.size, dtype=np.int64),
            "name": None,
            "lon_deg": lon_deg,
            "lat_deg": lat_deg,
            "x_m": x_m,
            "y_m": y_m,
            "diameter_m": diameter_m,
            "depth_m": np.nan,
            "score": np.nan,
        }
    )


def moonlet(grid: Grid, seed: int, count: int = 400) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """Heights of a square map, metres, and the catalogue of its bowls of 8 to 40 pixels."""
    x_px, y_px, diameter_px = scattered(count, grid.cols, 8.0, 40.0, seed)
    heights = (bowls(grid.shape, x_px, y_px, diameter_px) + waves(grid.shape, seed)) * grid.pixel_m
    x_m, y_m = grid.x_min_m + (x_px + 0.5) * grid.pixel_m, grid.y_max_m - (y_px + 0.5) * grid.pixel_m
    return heights.astype(np.float32), catalogue(x_m, y_m, diameter_px * grid.pixel_m / scale_factor(x_m, y_m))


def write_moonlet(folder: Path, grid: Grid, seed: int = 0, count: int = 400) -> tuple[Path, Path]:
    """Write dem.tif and catalogue.parquet of a moonlet."""
    heights, craters = moonlet(grid, seed, count)
    dem, path = folder / "dem.tif", folder / "catalogue.parquet"
    raster.write(dem, DEM, grid, {"elevation_m": heights}, job("source-synthetic").stamp(DEM))
    write_catalogue(path, craters)
    return dem, path


def write_catalogue(path: Path, craters: pd.DataFrame) -> None:
    frame = gpd.GeoDataFrame(craters, geometry=gpd.points_from_xy(craters["x_m"], craters["y_m"]))
    frame["name"] = frame["name"].astype("string")
    table.write(path, CRATERS, frame, job("source-synthetic").stamp(CRATERS), "south")


def write_tiles(
    path: Path,
    images: NDArray[np.uint8],
    craters: list[tuple[Floats, Floats, Floats]],
    *,
    pixel_m: float = 240.0,
    height_m: tuple[float, float] = (0.0, 254.0),
    least_px: float = 4.0,
    split: list[int] | None = None,
) -> Path:
    """Write tiles; `craters` are (x_px, y_px, diameter_px) of each."""
    count = len(images)
    per_tile = {
        "longlat_bounds": np.zeros((count, 4)),
        "km_per_px": np.full(count, 1e-3 * pixel_m),
        "pix_distortion": np.ones(count),
        "elev_min_m": np.full(count, height_m[0]),
        "elev_max_m": np.full(count, height_m[1]),
        "least_diameter_px": np.full(count, least_px),
        "split": np.asarray(split if split is not None else [0] * count, dtype=np.float64),
    }
    tables = []
    for found in craters:
        x_px, y_px, diameter_px = (np.asarray(values, dtype=np.float32) for values in found)
        values = (x_px, y_px, diameter_px, 0 * x_px, 0 * x_px, diameter_px * np.float32(1e-3 * pixel_m))
        tables.append(dict(zip(CRATER_FIELDS, values, strict=True)))
    stamp = job("crater-tiles").stamp(CRATER_TILES)
    tiles.write(path, CRATER_TILES, images, np.zeros_like(images), per_tile, stamp, tables)
    return path
