"""Relief at lander scale: time and memory by pixel size, and against scikit-image's rank filter.

    python benchmarks/bench_relief.py [--pixels-m 40 20 5 2 1] [--side-m 4800] [--radius-m 100] [--peer-at 20]

Made-up ground of `--side-m` squared for every pixel size, from heights in memory to the cells' figures. CPU time is
that of all threads together; kernels are compiled before the clock starts. The peer is scikit-image's
`filters.rank.percentile` with the same disc over slopes up to 30 degrees, in bins of 0.1 and of our 0.005 degrees (it
looks through all bins for every pixel, ours does not): one cell and its margin, per disc. It takes no account of discs
that are not whole. Peaks are the resident set of a process of its own for each size.

Limit: at most 2 microseconds of CPU for a disc of up to 31 417 pixels (100 m in pixels of 1 m), where a size has a
million discs. Exit status 1 beyond.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
import warnings
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from lunarsite.grid import Cells, Grid
from lunarsite.terrain.relief import disc_mask, disc_reach, survey

CELL_M, LIMIT_US, MOST_PX, LEAST_DISCS = 960.0, 2.0, 31_417, 1_000_000
PEER_BINS_DEG = (0.1, 0.005)


def ground(grid: Grid) -> np.ndarray:
    """Waves of some hundred metres, with a little noise."""
    draws = np.random.default_rng(0)
    x, y = grid.x_m()[None, :], grid.y_m()[:, None]
    waves = 20.0 * np.sin(x / 170.0) * np.cos(y / 230.0)
    return (waves + draws.normal(0.0, 0.01 * grid.pixel_m, grid.shape)).astype(np.float32)


def measure(pixel_m: float, side_m: float, radius_m: float) -> tuple[int, int, float, float]:
    """Return pixels, cells, CPU seconds and peak memory (MiB)."""
    size = round(side_m / pixel_m)
    grid = Grid(0.0, side_m, pixel_m, size, size)
    cells = Cells(Grid(0.0, side_m, 240.0, round(side_m / 240.0), round(side_m / 240.0)), CELL_M, 80.0)
    small = Grid(0.0, side_m, pixel_m, max(8, round(4.0 * radius_m / pixel_m)), max(8, round(4.0 * radius_m / pixel_m)))
    flat = np.zeros(small.shape, np.float32)
    list(survey(lambda window: flat[window], small, cells, radius_m, 8.0))
    heights = ground(grid)
    start = time.process_time()
    found = sum(len(part) for _, part in survey(lambda window: heights[window], grid, cells, radius_m, 8.0))
    spent = time.process_time() - start
    return grid.rows * grid.cols, found, spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def peer_us(pixel_m: float, radius_m: float, bin_deg: float) -> float:
    """CPU microseconds for a disc of scikit-image's rank filter."""
    from skimage.filters.rank import percentile

    mask = disc_mask(disc_reach(radius_m / pixel_m)).astype(np.uint8)
    size = round((CELL_M + 2.0 * radius_m) / pixel_m)
    slopes = np.random.default_rng(0).uniform(0.0, 30.0, (size, size))
    bins = np.round(slopes / bin_deg).astype(np.uint16)
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Bad rank filter performance", UserWarning)
        percentile(bins, mask, p0=0.95)
    return (time.process_time() - start) / bins.size * 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pixels-m", type=float, nargs="+", default=[40.0, 20.0, 5.0, 2.0, 1.0])
    parser.add_argument("--side-m", type=float, default=4_800.0)
    parser.add_argument("--radius-m", type=float, default=100.0)
    parser.add_argument("--peer-at", type=float, nargs="*", default=[20.0, 5.0])
    options = parser.parse_args()
    holds = True
    print("pixel m | discs | pixels of a disc | cells | CPU s | us a disc | peak MiB")
    for pixel_m in options.pixels_m:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            discs, cells, spent, peak = pool.submit(measure, pixel_m, options.side_m, options.radius_m).result()
        inside = int(disc_mask(disc_reach(options.radius_m / pixel_m)).sum())
        each = 1e6 * spent / discs
        print(f"{pixel_m:g} | {discs} | {inside} | {cells} | {spent:.2f} | {each:.2f} | {peak:.0f}")
        if inside <= MOST_PX and discs >= LEAST_DISCS and each > LIMIT_US:
            holds = False
    for pixel_m in options.peer_at:
        for bin_deg in PEER_BINS_DEG:
            spent = peer_us(pixel_m, options.radius_m, bin_deg)
            print(f"scikit-image at {pixel_m:g} m, bins of {bin_deg:g} deg: {spent:.2f} us a disc")
    print(f"limit of {LIMIT_US:g} us a disc (from {LEAST_DISCS} discs on): {'holds' if holds else 'FAILS'}")
    return 0 if holds else 1


if __name__ == "__main__":
    raise SystemExit(main())
