"""Crater detection over a whole map: time, memory, and images per second against a plain loop over tiles.

    python benchmarks/bench_crater.py [--size 2534] [--dem FILE] [--model FILE] [--threads 2]

The map is a square of `--size` pixels of 240 m around the south pole (2534: the cap to 80 S): heights of `--dem`, any
lunar GeoTIFF, or made-up ones. `--model` is a trained model; without it a network of the shipped one's shape (plain
U-Net, 16 channels, depth 4) runs with random weights, which costs the same but leaves nothing sensible to extract.

Each part runs in a process of its own: all levels of the pyramid with 1 and with 8 views, blended and with halos; a
plain loop, tile by tile of 256 px, without halo or blending, over the same levels with 1 view; extraction and matching
of what the first part left; and the first part for larger least diameters. An image is 256 x 256 pixels of a level.
Peak memory is the process's resident set, which includes 0.3 to 0.5 GiB for the libraries.

Limits, on the whole cap with two threads: 300 s and 3 GiB for 8 views and extraction together. Exit status: 0 if they
hold or the map is smaller, 1 if not.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lunarsite.grid import Grid
from lunarsite.settings import DetectionSettings, InferenceSettings, NetworkSettings

PIXEL_M, TILE_PX, CAP_PX = 240.0, 256, 2_534
LIMIT_S, LIMIT_GIB = 300.0, 3.0
LEAST_M = (1_400.0, 2_000.0, 2_800.0, 5_600.0)
Maps = NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """What is run on what."""

    heights: Path
    size: int
    model: Path | None
    threads: int

    @property
    def grid(self) -> Grid:
        """The map."""
        half = 0.5 * self.size * PIXEL_M
        return Grid(-half, half, PIXEL_M, self.size, self.size)

    def read(self) -> Callable[[tuple[slice, slice]], Maps]:
        """Return a reader of windows; the heights are not held."""
        mapped = np.load(self.heights, mmap_mode="r")
        return lambda window: np.array(mapped[window])

    def network(self) -> Any:
        """Return the network that is timed."""
        import torch

        from lunarsite.vision.crater.model import load_network
        from lunarsite.vision.crater.network import CraterNetwork, body_spec

        torch.set_num_threads(self.threads)
        if self.model is not None:
            return load_network(self.model)[0]
        torch.manual_seed(0)
        return CraterNetwork(body_spec(NetworkSettings(kind="plain-unet", channels=16, depth=4))).eval()


@dataclass(frozen=True)
class Cost:
    """What a part took."""

    seconds: float
    images: float
    peak_gib: float
    note: str = ""

    def __str__(self) -> str:
        rate = f"{self.images / self.seconds:8.1f} images/s" if self.images else " " * 17
        return f"{self.seconds:8.1f} s {rate} {self.peak_gib:6.2f} GiB  {self.note}"


def make_heights(path: Path, size: int, dem: Path | None) -> None:
    """Write the map's heights, metres."""
    grid = Case(path, size, None, 1).grid
    if dem is not None:
        from lunarsite.source.local import opened

        with opened(dem, grid, "--dem") as source:
            np.save(path, np.asarray(source.read(), np.float32))
        return
    from scipy import ndimage

    rng, made = np.random.default_rng(0), np.zeros(grid.shape, np.float32)
    for sigma in (1.0, 4.0, 16.0, 64.0):
        wave = ndimage.gaussian_filter(rng.standard_normal(grid.shape, np.float32), sigma, mode="wrap")
        made += 12.0 * sigma * wave / wave.std()
    np.save(path, made)


def infer(case: Case, views: Literal[1, 4, 8], least_m: float, keep: Path | None = None) -> Cost:
    """Run all levels, as the stage does."""
    from lunarsite.vision.crater.inference import infer_shard, pyramid_of

    network, detection = case.network(), DetectionSettings(least_diameter_m=least_m)
    start, pyramid = time.perf_counter(), pyramid_of(case.grid, detection)
    # As the stage: what is kept of a level is in half precision.
    kept = [
        maps.astype(np.float16)
        for maps in infer_shard(case.read(), case.grid, pyramid, network, InferenceSettings(views=views), 0)
    ]
    seconds = time.perf_counter() - start
    if keep is not None:
        np.savez(keep, *kept)
    return Cost(seconds, _images(case, pyramid), _peak_gib(), f"{len(pyramid.pixel_m)} levels")


def plain_loop(case: Case) -> Cost:
    """Run all levels tile by tile, side by side."""
    import torch

    from lunarsite.vision.crater.inference import pyramid_of
    from lunarsite.vision.crater.network import STRIDE, Response
    from lunarsite.vision.crater.resample import level_heights

    response, read = Response(case.network()).eval(), case.read()
    start, pyramid = time.perf_counter(), pyramid_of(case.grid, DetectionSettings())
    for pixel_m in pyramid.pixel_m:
        heights = level_heights(read, case.grid.shape, case.grid.pixel_m, pixel_m) / np.float32(pixel_m)
        whole = [math.ceil(side / TILE_PX) * TILE_PX for side in heights.shape]
        heights = np.pad(heights, [(0, w - side) for w, side in zip(whole, heights.shape, strict=True)], mode="reflect"
                         if min(heights.shape) > TILE_PX else "edge")  # fmt: skip
        found = np.empty((9, whole[0] // STRIDE, whole[1] // STRIDE), np.float32)
        with torch.inference_mode():
            for y in range(0, whole[0], TILE_PX):
                for x in range(0, whole[1], TILE_PX):
                    tile = torch.from_numpy(heights[None, None, y : y + TILE_PX, x : x + TILE_PX].copy())
                    at = np.s_[:, y // STRIDE : (y + TILE_PX) // STRIDE, x // STRIDE : (x + TILE_PX) // STRIDE]
                    found[at] = response(tile)[0].numpy()
    return Cost(time.perf_counter() - start, _images(case, pyramid), _peak_gib())


def extract(case: Case, kept: Path) -> tuple[Cost, Cost]:
    """Join the levels to craters and the raster; match the craters with as many others."""
    from lunarsite.vision.crater.inference import find_candidates, probability_strips, pyramid_of
    from lunarsite.vision.crater.matching import Circles, match

    with np.load(kept) as file:
        outputs = [file[name].astype(np.float32) for name in file.files]
    read, detection = case.read(), DetectionSettings()
    start, pyramid = time.perf_counter(), pyramid_of(case.grid, detection)
    found = find_candidates(read, case.grid, pyramid, outputs, detection, InferenceSettings().least_probability)
    for _ in probability_strips(case.grid, pyramid, outputs, read):
        pass
    middle = time.perf_counter()
    rng = np.random.default_rng(0)
    moved = rng.normal(0.0, 0.1, (2, found.x_m.size)) * found.diameter_m
    match(
        Circles(found.x_m, found.y_m, found.diameter_m),
        Circles(found.x_m + moved[0], found.y_m + moved[1], found.diameter_m),
    )
    end, note = time.perf_counter(), f"{found.x_m.size} candidates"
    return Cost(middle - start, 0.0, _peak_gib(), note), Cost(end - middle, 0.0, _peak_gib(), note)


def _images(case: Case, pyramid: Any) -> float:
    from lunarsite.vision.crater.resample import level_shape

    return sum(math.prod(level_shape(case.grid.shape, PIXEL_M, pixel_m)) for pixel_m in pyramid.pixel_m) / TILE_PX**2


def _peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _alone(work: Callable[..., Any], *arguments: Any) -> Any:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def main() -> int:
    """Print what each part takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=CAP_PX)
    parser.add_argument("--dem", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        case = Case(Path(name) / "heights.npy", given.size, given.model, given.threads)
        kept = Path(name) / "outputs.npz"
        _alone(make_heights, case.heights, case.size, given.dem)
        print(f"map of {case.size} x {case.size} pixels of {PIXEL_M:g} m, {case.threads} threads")
        one = _alone(infer, case, 1, LEAST_M[0], kept)
        print(f"  {'all levels, 1 view':<36} {one}")
        plain = _alone(plain_loop, case)
        print(f"  {'plain loop over tiles, 1 view':<36} {plain}")
        ratio = (one.images / one.seconds) / (plain.images / plain.seconds)
        print(f"  {'blended / plain, images per second':<36} {ratio:8.2f}")
        extraction, matching = _alone(extract, case, kept)
        print(f"  {'extraction and raster':<36} {extraction}")
        print(f"  {'matching':<36} {matching}")
        for least_m in LEAST_M[1:]:
            print(f"  {f'all levels from {least_m / 1000:g} km, 1 view':<36} {_alone(infer, case, 1, least_m)}")
        eight = _alone(infer, case, 8, LEAST_M[0])
        print(f"  {'all levels, 8 views':<36} {eight}")
    if case.size < CAP_PX:
        print("limits hold for the whole cap alone: not judged")
        return 0
    seconds, peak = eight.seconds + extraction.seconds, max(eight.peak_gib, extraction.peak_gib)
    holds = seconds <= LIMIT_S and peak <= LIMIT_GIB
    print(f"8 views and extraction: {seconds:.0f} s of {LIMIT_S:.0f}, {peak:.2f} GiB of {LIMIT_GIB:g}: "
          f"{'holds' if holds else 'FAILS'}")  # fmt: skip
    return 0 if holds else 1


if __name__ == "__main__":
    raise SystemExit(main())
