"""What light, Earth view and shadow cost as the map grows: measured at three sizes, fitted, and extrapolated.

    python benchmarks/bench_illumination.py [--largest-pixels 5072]
    python benchmarks/bench_illumination.py --cap

CPU time of a direction is fitted as a x (pixels of the near field) + b x (pixels of the far field), by least squares;
the fit's error is printed beside it, and the extrapolated sizes are marked as such.

With --cap, one whole job is run instead, nothing extrapolated: the cap of 80 S at 240 m with its far field, 180 + 25
directions, 18.6 years hourly, Sun, Earth and permanent shadow summed in this one process, from terrain in memory to
finished maps. Compilation is counted where it is not cached. Limits: 150 s of wall time and 2 GiB of resident memory;
the exit status is 1 beyond either. Wall time is that of the machine as it is: the load average is printed beside it.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time

import numpy as np
from numpy.typing import NDArray

from lunarsite.grid import Grid
from lunarsite.illumination.ephemeris import ephemeris
from lunarsite.illumination.horizon import HorizonSweep, Terrain
from lunarsite.illumination.visibility import average_visibility, sweep_plan, visibility_model
from lunarsite.illumination.visibility_sums import Accumulator, VisibilityModel

HALF_WIDTH_M = 304_000.0
FAR_PX, FAR_PIXEL_M = 2560, 480.0
DIRECTIONS, EARTH_DIRECTIONS = 360, 25
BYTES_PER_PIXEL = 41  # heights twice (the caller's and the engine's), the horizon, and 29 bytes of sums and masks
SIZES = (("80 m, 80 S", 7608), ("40 m, 80 S", 15_216), ("20 m, 80 S", 30_432))
GLOBAL_100M_PIXELS = 3.79e13 / 100.0**2
CAP_PX, CAP_PIXEL_M, CAP_DIRECTIONS = 2536, 240.0, 180
LIMIT_WALL_S, LIMIT_GIB = 150.0, 2.0


def relief(rows: int, pixel_m: float) -> NDArray[np.float32]:
    """Return smooth hills of several wavelengths: the cost hardly depends on the relief."""
    at = (np.arange(rows) + 0.5) * pixel_m
    x, y = np.meshgrid(at, at)
    parts = (1_200.0 / k * np.sin(k * x / 31_000.0 + k) * np.cos(k * y / 27_000.0) for k in (1, 3, 9, 27))
    return sum(parts, np.zeros(x.shape)).astype(np.float32)


def seconds_per_direction(
    sweep: HorizonSweep, model: VisibilityModel, sums: Accumulator, directions: list[int]
) -> float:
    """Return the CPU time of one direction, sweep and accumulation together."""
    start = time.process_time()
    sweep_plan(sweep, model, [sums], directions)
    return (time.process_time() - start) / len(directions)


def whole_cap() -> bool:
    """Run the whole cap in this process and print what it took; return whether the limits hold."""
    half = 0.5 * CAP_PX * CAP_PIXEL_M
    far = Terrain(relief(FAR_PX, FAR_PIXEL_M), -614_400.0, 614_400.0, FAR_PIXEL_M)
    near = Terrain(relief(CAP_PX, CAP_PIXEL_M), -half, half, CAP_PIXEL_M)
    load_before = os.getloadavg()[0]
    wall, cpu = time.perf_counter(), time.process_time()
    span = ephemeris()
    maps = average_visibility(
        HorizonSweep(near, far),
        Grid(-half, half, CAP_PIXEL_M, CAP_PX, CAP_PX),
        span.sun,
        span.earth,
        CAP_DIRECTIONS,
        progress=expect_directions,
    )
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    known = all(np.isfinite(maps[name]).all() for name in ("sun_mean", "sun_any", "earth_mean", "earth_any"))
    known &= bool((maps["psr"] != 255).all())
    print(f"cap of {CAP_PX} x {CAP_PX} pixels of {CAP_PIXEL_M:g} m, {CAP_DIRECTIONS} + {EARTH_DIRECTIONS} directions")
    print(f"  wall {wall:.1f} s (at most {LIMIT_WALL_S:g}); load average {load_before:.1f} before", end="")
    print(f", {os.getloadavg()[0]:.1f} after, {os.cpu_count()} cores")
    print(f"  CPU  {cpu:.1f} s")
    print(f"  peak {peak_gib:.2f} GiB (at most {LIMIT_GIB:g})")
    print(f"  every pixel known: {known}; permanent shadow {maps['psr'].mean():.2%} of the pixels")
    return known and wall <= LIMIT_WALL_S and peak_gib <= LIMIT_GIB


def expect_directions(_: int, of: int) -> None:
    """Refuse a plan of another length than the one that is priced."""
    if of != CAP_DIRECTIONS + EARTH_DIRECTIONS:
        raise RuntimeError(f"the plan has {of} directions, priced are {CAP_DIRECTIONS + EARTH_DIRECTIONS}")


def main() -> int:
    """Measure, fit, extrapolate, print; the exit status says whether the limits of --cap hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest-pixels", type=int, default=5072, help="side of the largest map measured")
    parser.add_argument("--cap", action="store_true", help="run the whole cap at 240 m and hold it against its limits")
    options = parser.parse_args()
    if options.cap:
        return 0 if whole_cap() else 1
    scaling(options.largest_pixels)
    return 0


def scaling(largest: int) -> None:
    """Measure three sizes, fit, extrapolate, print."""
    far = Terrain(relief(FAR_PX, FAR_PIXEL_M), -614_400.0, 614_400.0, FAR_PIXEL_M)
    sky = ephemeris(span_years=1.0, step_hours=6.0)
    rows, sun, earth = [], [], []
    print("  pixels      CPU s per direction   CPU-ns per pixel    peak MiB")
    print("              Sun      Earth        Sun     Earth")
    for side in (largest // 4, largest // 2, largest):
        pixel_m = 2.0 * HALF_WIDTH_M / side
        grid = Grid(-HALF_WIDTH_M, HALF_WIDTH_M, pixel_m, side, side)
        sweep = HorizonSweep(Terrain(relief(side, pixel_m), -HALF_WIDTH_M, HALF_WIDTH_M, pixel_m), far)
        model = visibility_model(grid, sky.sun, sky.earth, DIRECTIONS)
        sums = Accumulator(grid, model)
        sweep_plan(sweep, model, [sums], [0, DIRECTIONS])  # compiles
        rows.append([side**2, FAR_PX**2])
        sun.append(seconds_per_direction(sweep, model, sums, list(range(7, DIRECTIONS, 60))))
        earth.append(seconds_per_direction(sweep, model, sums, [DIRECTIONS + k for k in (4, 9, 14)]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"  {side:5d}^2    {sun[-1]:7.3f}  {earth[-1]:7.3f}    {1e9 * sun[-1] / side**2:7.1f}"
            f"  {1e9 * earth[-1] / side**2:7.1f}    {peak:7.0f}"
        )
    design = np.array(rows, dtype=float)
    fits = [np.linalg.lstsq(design / np.array(cost)[:, None], np.ones(3), rcond=None)[0] for cost in (sun, earth)]
    for name, fit, cost in (("Sun", fits[0], sun), ("Earth", fits[1], earth)):
        error = np.abs(design @ fit / np.array(cost) - 1.0).max()
        print(
            f"  {name}: {1e9 * fit[0]:.1f} ns per near pixel + {1e9 * fit[1]:.1f} ns per far pixel, off by {error:.1%}"
        )
    print(f"extrapolated, {DIRECTIONS} + {EARTH_DIRECTIONS} directions:")
    for name, pixels in (*((n, float(s) ** 2) for n, s in SIZES), ("100 m, all the Moon", GLOBAL_100M_PIXELS)):
        size = np.array([pixels, FAR_PX**2])
        hours = (DIRECTIONS * size @ fits[0] + EARTH_DIRECTIONS * size @ fits[1]) / 3600.0
        print(f"  {name:20s} {pixels:9.3g} pixels  {hours:8.2f} CPU h  {pixels * BYTES_PER_PIXEL / 2**30:7.1f} GiB")


if __name__ == "__main__":
    sys.exit(main())
