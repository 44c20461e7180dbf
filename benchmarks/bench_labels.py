"""Clones of the elevation model against the least work that they can be, by time and memory, at a chosen pixel size.

    python benchmarks/bench_labels.py [--pixel-m 240] [--draws 200] [--shards 2]

The made-up 80 S cap (608 km square, 315 034 cells) lies in memory-mapped files. Ours counts for the shipped rules in
how many of the draws each cell's slope holds, in as many processes as there are shards. The limit is what no way of
drawing clones can go without: for each draw and pixel one normal number, half a complex Fourier transform (each gives
two fields) and one pass of slopes, all in caches, without margins, buffers, cells and counts. It is timed on a small
block and scaled up. Both are CPU seconds, which a busy machine does not stretch much; wall-clock time and peak memory
of each process (RssAnon of Linux, sampled) stand beside. Kernels are compiled before the clock starts.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from bench_cells import Peak, lola_grid
from scipy import fft

from lunarsite.gradient import slope_deg
from lunarsite.grid import Cells, Grid, shard
from lunarsite.settings import RulesSettings, UncertaintySettings
from lunarsite.site.label.clones import Clones, SlopeLimits
from lunarsite.site.reduction import Floats, Slices

ERROR_M = np.float32(6.2)


def make_heights(folder: Path, pixel_m: float) -> None:
    """Write smooth waves with a little noise."""
    grid, draws = lola_grid(pixel_m), np.random.default_rng(0)
    heights = np.lib.format.open_memmap(folder / "dem.npy", "w+", np.float32, grid.shape)
    x = np.sin(grid.x_m() / 9e3)
    for row, y in enumerate(np.cos(grid.y_m() / 7e3)):
        heights[row] = 800.0 * x * y + draws.normal(0.0, 3.0, grid.cols)
    heights.flush()


def clones_of(grid: Grid, draws: int) -> Clones:
    return Clones(Cells(grid, 960.0), SlopeLimits.of(RulesSettings(), grid.pixel_m), UncertaintySettings(draws=draws))


def run_ours(folder: Path, pixel_m: float, draws: int, index: int, shards: int) -> dict[str, float]:
    """Draw the clones of one shard."""
    small = clones_of(Grid.centred(4_800.0, pixel_m, 960.0), 2)
    flat = np.zeros(small.cells.grid.shape, np.float32)
    small.sums(flat.__getitem__, flat.__getitem__, range(len(small.blocks)))
    heights, made, peak = np.load(folder / "dem.npy", mmap_mode="r"), clones_of(lola_grid(pixel_m), draws), Peak()

    def height(window: Slices) -> Floats:
        return np.array(heights[window])

    def error(window: Slices) -> Floats:
        return np.full(heights[window].shape, ERROR_M)

    wall, cpu = time.perf_counter(), time.process_time()
    found = made.sums(height, error, shard(len(made.blocks), index, shards))
    return {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "cells": float(found.cell_id.size),
        "peak_mib": peak.mib(),
    }


def run_limit(pixel_m: float) -> float:
    """Return the least CPU time of a draw, nanoseconds per pixel: numbers, transform, slopes."""
    side, random = 512, np.random.default_rng(0)
    white = np.empty((side, side, 2), np.float32)
    heights, scale = np.zeros((side + 2, side + 2), np.float32), np.ones((side, side))

    def pair() -> None:
        random.standard_normal(out=white, dtype=np.float32)
        fft.fft2(white.view(np.complex64)[..., 0], workers=1)
        for _ in range(2):
            slope_deg(heights, scale, pixel_m)

    pair()
    best = min(_cpu_s(pair) for _ in range(20))
    return 1e9 * best / (2 * side * side)


def _cpu_s(work: Callable[[], None]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pixel-m", type=float, default=240.0)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--shards", type=int, default=2)
    options = parser.parse_args()
    pixel_m, draws, shards = options.pixel_m, options.draws, options.shards
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_heights(folder, pixel_m)
        with ProcessPoolExecutor(min(shards, os.cpu_count() or 1), mp_context=spawn) as pool:
            jobs = [pool.submit(run_ours, folder, pixel_m, draws, index, shards) for index in range(shards)]
            parts = [job.result() for job in jobs]
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            least_ns = pool.submit(run_limit, pixel_m).result()
    cpu_s, cells = sum(part["cpu_s"] for part in parts), sum(part["cells"] for part in parts)
    pixels = cells * (960.0 / pixel_m) ** 2
    limit_s = 1e-9 * least_ns * pixels * draws
    print(f"{draws} clones of {cells:.0f} cells, {pixels:.3g} pixels of {pixel_m:g} m; {shards} shards")
    wall_s, peak_mib = (max(part[name] for part in parts) for name in ("wall_s", "peak_mib"))
    print(
        f"  ours   {cpu_s:8.1f} s of CPU, {1e9 * cpu_s / (pixels * draws):.1f} ns per pixel and draw; slowest shard"
        f" {wall_s:.1f} s by the clock, largest {peak_mib:.0f} MiB"
    )
    print(f"  limit  {limit_s:8.1f} s of CPU, {least_ns:.1f} ns: one normal number, half a transform, one slope")
    print(f"  ratio  {cpu_s / limit_s:8.1f} x")


if __name__ == "__main__":
    main()
