"""Building the table of cells against a plain loop over cells, by time and peak memory, at a chosen pixel size.

    python benchmarks/bench_cells.py [--pixel-m 240] [--source memory-mapped|files] [--peer-cells 20000]

Seven made-up layers of the 80 S cap (608 km square) are written to a scratch folder, as memory-mapped arrays or as
the stages' cloud-optimised GeoTIFFs. Ours makes all columns of all cells of them. The peer does for each of
`--peer-cells` cells what ours does for all, by numpy calls on slices of arrays in memory, and is scaled up; it is our
own, there is no published one to run. Each part runs in a process of its own, so that peaks do not mix. Kernels are
compiled before the clock starts; the time of that is printed. Peak memory is what the process owns (RssAnon of Linux,
sampled): mapped files are the page cache's. Elsewhere it is the resident set.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import resource
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunarsite.artefact import raster
from lunarsite.artefact.contracts import DEM, EARTH_ANY, ELEVATION_ERROR, PSR, ROUGHNESS, SLOPE, SUN_ANY
from lunarsite.artefact.raster import RasterSpec
from lunarsite.grid import Cells, Grid
from lunarsite.settings import RulesSettings
from lunarsite.site.cells import LAYERS, TERRAIN, build_cells, layer_statistics
from lunarsite.site.craters import Catalogue
from lunarsite.site.layers import opened_layer
from lunarsite.site.reduction import Slices
from lunarsite.site.survey import Survey, whole_map
from lunarsite.stage import Job

THREADS = 2
SPECS: dict[str, RasterSpec] = dict(
    zip(LAYERS, (DEM, SLOPE, ROUGHNESS, ELEVATION_ERROR, SUN_ANY, EARTH_ANY, PSR), strict=True)
)
RANGES = {"elevation": 3000.0, "slope": 25.0, "roughness": 20.0, "elevation_error": 6.2}


def lola_grid(pixel_m: float) -> Grid:
    """LOLA's square of 608 km; its side is no whole number of cells, so the last cells are cut off."""
    size = round(608_000.0 / pixel_m)
    return Grid(-304_000.0, 304_000.0, pixel_m, size, size)


def make_layers(folder: Path, pixel_m: float, source: str) -> None:
    """Write smooth waves with a little noise: they compress about as well as real layers."""
    grid, draws = lola_grid(pixel_m), np.random.default_rng(0)
    tile = draws.normal(0.0, 0.01, (grid.cols,)).astype(np.float32)
    for index, (name, spec) in enumerate(SPECS.items()):
        x, y = np.sin((2 + index) * grid.x_m() / 5e4), np.cos((3 + index) * grid.y_m() / 4e4)
        values = np.empty(grid.shape, np.float32)
        for row in range(grid.rows):
            values[row] = 0.5 + 0.24 * (x + y[row]) + np.roll(tile, 37 * row)
        values = np.clip(values, 0.0, 1.0, out=values)
        values *= RANGES.get(name, 1.0)
        if name == "psr":
            values = (values > 0.8).astype(np.uint8)
        if source == "files":
            job = Job("bench-cells", "bench", "0" * 16, "0" * 64, origin="synthetic")
            raster.write(folder / f"{name}.tif", spec, grid, {spec.bands[0].name: values}, job.stamp(spec))
        else:
            np.save(folder / f"{name}.npy", values)


def catalogue(cells: Cells) -> Catalogue:
    """Twenty thousand craters, sizes falling with the second power."""
    draws = np.random.default_rng(1)
    x_m, y_m = draws.uniform(-304_000, 304_000, (2, 20_000))
    return Catalogue(x_m, y_m, np.minimum(1_000 / np.sqrt(draws.random(20_000)), 2e5), Survey(whole_map(cells)))


def run_ours(folder: Path, pixel_m: float, source: str) -> dict[str, float]:
    """Build the table of all cells."""
    warm = _timed(lambda: _build(_small(), contextlib.ExitStack()))
    cells, peak = Cells(lola_grid(pixel_m), 960.0), Peak()
    start = time.perf_counter()
    with contextlib.ExitStack() as stack:
        layers = {name: _layer(folder, name, cells.grid, source, stack) for name in LAYERS}
        statistics = layer_statistics(layers, cells, RulesSettings().hls.slope_buffer_m, THREADS)
    middle = time.perf_counter()
    frame = build_cells(statistics, catalogue(cells), cells, RulesSettings())
    end = time.perf_counter()
    return {
        "cells": float(len(frame)),
        "compile_s": warm,
        "statistics_s": middle - start,
        "table_s": end - middle,
        "seconds": end - start,
        "peak_mib": peak.mib(),
    }


def run_peer(folder: Path, pixel_m: float, source: str, count: int) -> dict[str, float]:
    """Do the same for some cells one by one, without craters and labels, which are cheap."""
    grid, peak = lola_grid(pixel_m), Peak()
    cells = Cells(grid, 960.0)
    with contextlib.ExitStack() as stack:
        whole = (slice(0, grid.rows), slice(0, grid.cols))
        layers = {name: _layer(folder, name, grid, source, stack)(whole) for name in LAYERS}
    rows, cols = np.nonzero(cells.kept)
    chosen = np.random.default_rng(2).choice(cells.count, min(count, cells.count), replace=False)
    start = time.perf_counter()
    for index in np.sort(chosen):
        _one_cell(layers, rows[index], cols[index], cells.pixels_per_cell)
    seconds = (time.perf_counter() - start) * cells.count / chosen.size
    return {"cells": float(chosen.size), "seconds": seconds, "peak_mib": peak.mib()}


def _one_cell(layers: dict[str, NDArray[np.float32]], row: int, col: int, size: int) -> dict[str, float]:
    place = slice(row * size, (row + 1) * size), slice(col * size, (col + 1) * size)
    found: dict[str, float] = {}
    for name in TERRAIN:
        pixels = layers[name][place]
        valid = pixels[~np.isnan(pixels)].astype(np.float64)
        if valid.size:
            found |= {
                f"{name}_mean": valid.mean(), f"{name}_std": valid.std(), f"{name}_min": valid.min(),
                f"{name}_max": valid.max(),
            }  # fmt: skip
    for name in LAYERS[4:]:
        pixels = layers[name][place]
        valid = pixels[~np.isnan(pixels)].astype(np.float64)
        if valid.size:
            found |= {f"{name}_mean": valid.mean(), f"{name}_min": valid.min()}
    return found


def _layer(folder: Path, name: str, grid: Grid, source: str, stack: contextlib.ExitStack) -> Any:
    if source == "files":
        return stack.enter_context(opened_layer(folder / f"{name}.tif", SPECS[name], grid))
    mapped = np.load(folder / f"{name}.npy", mmap_mode="r")

    def read(window: Slices) -> NDArray[np.float32]:
        return np.array(mapped[window], dtype=np.float32)

    return read


def _small() -> Cells:
    return Cells(Grid.centred(4_800.0, 80.0, 960.0), 960.0)


def _build(cells: Cells, stack: contextlib.ExitStack) -> None:
    layers = {name: np.ones(cells.grid.shape, np.float32).__getitem__ for name in LAYERS}
    with stack:
        build_cells(layer_statistics(layers, cells, 100.0, 1), catalogue(cells), cells, RulesSettings())


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


class Peak:
    """Samples the memory that this process owns until it is asked for the greatest."""

    def __init__(self) -> None:
        self._most_mib, self._done = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def mib(self) -> float:
        self._done.set()
        self._thread.join()
        return self._most_mib or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    def _sample(self) -> None:
        status = Path("/proc/self/status")
        while status.exists() and not self._done.wait(0.005):
            owned = next(line for line in status.read_text().splitlines() if line.startswith("RssAnon"))
            self._most_mib = max(self._most_mib, float(owned.split()[1]) / 1024)


def _alone(work: Callable[..., Any], *arguments: Any) -> Any:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pixel-m", type=float, default=240.0)
    parser.add_argument("--source", choices=("memory-mapped", "files"), default="memory-mapped")
    parser.add_argument("--peer-cells", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, pixel_m, source = Path(name), options.pixel_m, options.source
        _alone(make_layers, folder, pixel_m, source)
        ours = _alone(run_ours, folder, pixel_m, source)
        peer = _alone(run_peer, folder, pixel_m, source, options.peer_cells)
    size = lola_grid(pixel_m).rows
    print(f"seven layers of {size} x {size} pixels of {pixel_m:g} m, {source}; {THREADS} threads")
    print(
        f"  ours   {ours['seconds']:8.2f} s  {ours['peak_mib']:7.0f} MiB  {ours['cells']:.0f} cells"
        f"  (layers {ours['statistics_s']:.2f} s, craters, labels and table {ours['table_s']:.2f} s;"
        f" compiling before {ours['compile_s']:.1f} s)"
    )
    print(
        f"  loop   {peer['seconds']:8.2f} s  {peer['peak_mib']:7.0f} MiB  scaled up from {peer['cells']:.0f} cells,"
        " layers in memory, without craters and table"
    )
    print(
        f"  ratio  {peer['seconds'] / ours['seconds']:8.1f} x in time,"
        f" {peer['peak_mib'] / ours['peak_mib']:.1f} x in memory"
    )


if __name__ == "__main__":
    main()
