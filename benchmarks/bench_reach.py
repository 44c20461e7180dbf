"""Ways to permanent shadow over the whole 80 S cap, and the same search against SciPy's Dijkstra on a smaller map.

    python benchmarks/bench_reach.py [--pixel-m 240] [--peer-size 500] [--in-turn]

Slope and shadow are made up of smoothed noise: about 14 % of the ground is steeper than 15 degrees, 1.6 % steeper than
25 degrees, 5 % lies in shadow. Both movers are searched side by side, each in a process of its own as the pipeline has
them, `--in-turn` one after the other. Time is that of regions, search and classes, without files, by the clock and of
the processor (a busy machine makes them differ); peak memory is the process's resident set, made-up layers included.
Memory grows with the number of pixels, time a little faster: the search keeps a heap.

The peer is `scipy.sparse.csgraph.dijkstra` with the same steps as the edges of a graph, by processor time. It is about
as fast as ours with the graph's making and faster without, but the graph takes some 100 bytes a pixel while it is made,
against ours of 26. Both must find the same lengths.

Limits: both movers within 60 s by the clock on two cores at 240 m; at most twice the time of the peer with its graph.
Exit status: 0 if they hold, 1 if not.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse import csgraph

from lunarsite.grid import Grid
from lunarsite.site.criteria.reach import find_ways, shadow_regions

MOVERS = {"walk": 15.0, "rover": 25.0}
LIMIT_S, LIMIT_RATIO = 60.0, 0.5


def made_up(grid: Grid) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return slope and permanent shadow."""
    draws = np.random.default_rng(0)

    def noise(width_m: float) -> NDArray[np.float32]:
        smooth = ndimage.gaussian_filter(draws.standard_normal(grid.shape, dtype=np.float32), width_m / grid.pixel_m)
        return np.asarray(smooth / smooth.std(), dtype=np.float32)

    slope_deg = np.clip(8.5 + 5.0 * noise(1_500.0) + 4.0 * noise(300.0), 0.0, 60.0)
    return slope_deg.astype(np.float32), (noise(2_500.0) > 1.645).astype(np.uint8)


def search(pixel_m: float, limit_deg: float) -> tuple[float, float, float, float]:
    """Return seconds by the clock and of the processor, peak memory (MiB) and reached share of one mover's cap."""
    grid = Grid.centred(304_000.0, pixel_m, 960.0)
    slope_deg, psr = made_up(grid)
    start, begun = time.perf_counter(), time.process_time()
    found = find_ways(slope_deg, shadow_regions(psr, grid, 1.0), grid, limit_deg)
    seconds, worked = time.perf_counter() - start, time.process_time() - begun
    unit = 1024.0 if sys.platform == "linux" else 1024.0**2
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return seconds, worked, peak_mib, float((found.way == 1.0).mean())


def graph(passable: NDArray[np.bool_], pixel_m: NDArray[np.float64]) -> Any:
    """Return the graph of the steps between passable pixels that `find_ways` allows."""
    number = np.arange(passable.size).reshape(passable.shape)
    starts, ends, lengths = [], [], []
    for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = (slice(0, passable.shape[0] - down), slice(max(0, -across), passable.shape[1] - max(0, across)))
        there = tuple(
            slice(part.start + shift, part.stop + shift) for part, shift in zip(here, (down, across), strict=True)
        )
        both = passable[here] & passable[there]
        starts.append(number[here][both])
        ends.append(number[there][both])
        lengths.append(0.5 * np.hypot(down, across) * (pixel_m[here] + pixel_m[there])[both])
    columns = (np.concatenate(lengths), (np.concatenate(starts), np.concatenate(ends)))
    return sparse.coo_array(columns, shape=(passable.size,) * 2).tocsr()


def against_peer(size: int) -> float:
    """Print both times on a map of size x size pixels of the map; return the peer's time with its graph over ours."""
    grid = Grid(-304_000.0, 304_000.0, 240.0, size, size)
    slope_deg, psr = made_up(grid)
    shadow = shadow_regions(psr, grid, 1.0)
    best = {"ours": np.inf, "peer": np.inf, "graph": np.inf}
    passable = slope_deg <= MOVERS["walk"]
    for _ in range(3):
        start = time.process_time()
        ours = find_ways(slope_deg, shadow, grid, MOVERS["walk"]).path_m
        best["ours"] = min(best["ours"], time.process_time() - start)
        start = time.process_time()
        steps = graph(passable, grid.pixel_m / grid.scale_factor())
        best["graph"] = min(best["graph"], time.process_time() - start)
        start = time.process_time()
        sources = np.flatnonzero(shadow.certain & passable)
        theirs = csgraph.dijkstra(steps, directed=False, indices=sources, min_only=True).reshape(grid.shape)
        best["peer"] = min(best["peer"], time.process_time() - start)
    np.testing.assert_allclose(ours, np.where(np.isfinite(theirs), theirs, np.nan), rtol=1e-6, atol=1e-3)
    ratio = (best["peer"] + best["graph"]) / best["ours"]
    print(
        f"{size} x {size} pixels: ours {best['ours']:.2f} s, SciPy {best['peer']:.2f} s and {best['graph']:.2f} s for"
        f" its graph; equal lengths; ratio {ratio:.2f} with the graph, at least {LIMIT_RATIO:g} wanted"
    )
    return ratio


def main() -> int:
    """Print times, memory and ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pixel-m", type=float, default=240.0)
    parser.add_argument("--peer-size", type=int, default=500)
    parser.add_argument("--in-turn", action="store_true")
    given = parser.parse_args()
    workers = 1 if given.in_turn else len(MOVERS)
    slowest = 0.0
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        jobs = {mover: pool.submit(search, given.pixel_m, limit_deg) for mover, limit_deg in MOVERS.items()}
        for mover, job in jobs.items():
            seconds, worked, peak_mib, reached = job.result()
            slowest = max(slowest, seconds)
            print(
                f"{mover}: {seconds:.1f} s ({worked:.1f} s of the processor), {peak_mib:.0f} MiB, a way leads from"
                f" {100.0 * reached:.1f} % of the pixels"
            )
    ratio = against_peer(given.peer_size)
    return 0 if slowest <= LIMIT_S and ratio >= LIMIT_RATIO else 1


if __name__ == "__main__":
    raise SystemExit(main())
