"""Speed of the horizon sweep: CPU nanoseconds per pixel and azimuth, against Embree and against naive marching.

    python benchmarks/bench_horizon.py [--sizes 1000 2000 4000 7600] [--peers-at 2000] [--repeats 3]

Times are CPU times (all threads together) and minima over repeats, so a busy machine inflates them little. Limits: at
most 40 ns at every size; at least 10 times faster than Embree and 50 times faster than naive marching.

Embree (optional: pip install embreex) answers 'is this ray blocked', not 'how high is the horizon': an elevation to
0.03 degrees within +-15 degrees takes a bisection of ten rays. Both figures are printed; the limit is held against a
single ray, the harder one. The naive march samples every pixel of a ray to the border, in float32, nearest
pixel, curvature included, compiled, without any of the corrections that the sweep makes.
"""

from __future__ import annotations

import argparse
import math
import resource
import sys
import time
from collections.abc import Callable

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from lunarsite.grid import MOON_RADIUS_M
from lunarsite.illumination.horizon import HorizonSweep, Terrain

PIXEL_M = 80.0
AZIMUTHS_RAD = (0.0, 0.3, 0.75, 1.2, math.pi / 2, 2.9, 4.1, 5.4)
BISECTION_RAYS = 10
LIMIT_NS, LIMIT_EMBREE, LIMIT_NAIVE = 40.0, 10.0, 50.0


def fractal_terrain(size: int, seed: int = 0) -> Terrain:
    """Power-law relief (Hurst exponent 0.8), 8 km from lowest to highest at 600 km, about 7 degrees of mean slope."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]).astype(np.float32)
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((size, size), dtype=np.float32)) * frequency**-1.8
    heights = np.fft.irfft2(spectrum, (size, size)).astype(np.float32)
    slope = np.hypot(*np.gradient(heights[:1000, :1000])).mean() / PIXEL_M
    heights *= np.float32(math.tan(math.radians(7.0)) / slope)
    return Terrain(heights, -0.5 * size * PIXEL_M, 0.5 * size * PIXEL_M, PIXEL_M)


def least_cpu_s(work: Callable[[], object], repeats: int) -> float:
    """Smallest CPU time of a call, all threads together."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def sweep_ns(terrain: Terrain, repeats: int, heights_m: tuple[float, ...] = (0.0,)) -> NDArray[np.float64]:
    """CPU ns per pixel for each azimuth."""
    sweep = HorizonSweep(terrain, observer_heights_m=heights_m)
    out = np.empty(sweep.shape, np.float32)
    sweep.horizon(0.1, out)
    seconds = [least_cpu_s(lambda azimuth=azimuth: sweep.horizon(azimuth, out), repeats) for azimuth in AZIMUTHS_RAD]
    return np.array(seconds) * 1e9 / terrain.height_m.size


@njit(parallel=True, fastmath=True)
def naive_march(heights: NDArray[np.float32], rows: NDArray[np.int64], cos: float, sin: float, pixel_m: float) -> float:
    """March every pixel of some rows to the border, one pixel at a time; return a checksum."""
    n_rows, n_cols = heights.shape
    total = np.zeros(rows.size, np.float32)
    step = np.float32(pixel_m)
    drop = np.float32(pixel_m / (2.0 * MOON_RADIUS_M))
    for i in prange(rows.size):
        row = rows[i]
        for col in range(n_cols):
            eye = heights[row, col]
            best = np.float32(-1e9)
            y, x, n = np.float32(row), np.float32(col), np.float32(0.0)
            while True:
                y -= np.float32(sin)
                x += np.float32(cos)
                n += np.float32(1.0)
                r, c = int(y + np.float32(0.5)), int(x + np.float32(0.5))
                if y < 0 or x < 0 or r >= n_rows or c >= n_cols:
                    break
                best = max(best, (heights[r, c] - eye) / (n * step) - n * drop)
            total[i] += best
    return total.sum()


def naive_ns(terrain: Terrain, repeats: int) -> float:
    """CPU ns per pixel of the naive march, on a sample of rows."""
    rows = np.arange(0, terrain.height_m.shape[0], 50)
    naive_march(terrain.height_m, rows[:1], 1.0, 0.0, PIXEL_M)
    seconds = [
        least_cpu_s(
            lambda azimuth=azimuth: naive_march(
                terrain.height_m, rows, math.cos(azimuth), math.sin(azimuth), terrain.pixel_m
            ),
            repeats,
        )
        for azimuth in AZIMUTHS_RAD[:4]
    ]
    return float(np.mean(seconds)) * 1e9 / (rows.size * terrain.height_m.shape[1])


def embree_ns(terrain: Terrain, repeats: int) -> float | None:
    """CPU ns per occlusion ray of Embree over the triangulated terrain, aimed at the horizon; None if absent."""
    try:
        from embreex import rtcore_scene
        from embreex.mesh_construction import TriangleMesh
    except ImportError:
        return None
    z = terrain.height_m
    rows, cols = z.shape
    x, y = np.meshgrid(np.arange(cols, dtype=np.float32) * PIXEL_M, -np.arange(rows, dtype=np.float32) * PIXEL_M)
    x -= np.float32(0.5 * cols * PIXEL_M)
    y += np.float32(0.5 * rows * PIXEL_M)
    vertices = np.stack([x, y, z - (x * x + y * y) / np.float32(2.0 * MOON_RADIUS_M)], axis=-1).reshape(-1, 3)
    corner = (np.arange(rows - 1)[:, None] * cols + np.arange(cols - 1)[None, :]).ravel()
    triangles = np.concatenate(
        [
            np.stack([corner, corner + cols, corner + 1], axis=1),
            np.stack([corner + 1, corner + cols, corner + cols + 1], axis=1),
        ]
    ).astype(np.int32)
    scene = rtcore_scene.EmbreeScene()
    TriangleMesh(scene, vertices, triangles)
    sweep = HorizonSweep(terrain)
    times = []
    for azimuth in AZIMUTHS_RAD[:4]:
        tangent = sweep.horizon(azimuth)[0, ::20]
        directions = np.stack(
            [np.full_like(tangent, math.cos(azimuth)), np.full_like(tangent, math.sin(azimuth)), tangent], axis=-1
        )
        directions = np.ascontiguousarray(directions.reshape(-1, 3), np.float32)
        origins = vertices.reshape(rows, cols, 3)[::20].reshape(-1, 3) + np.float32([0.0, 0.0, 1.0])
        origins = np.ascontiguousarray(origins, np.float32)
        scene.run(origins[:10], directions[:10], query="OCCLUDED")
        seconds = least_cpu_s(lambda o=origins, d=directions: scene.run(o, d, query="OCCLUDED"), repeats)
        times.append(seconds * 1e9 / len(origins))
    return float(np.mean(times))


def report(name: str, value: float, limit: float, at_most: bool) -> bool:
    """Print a figure beside its limit; return whether it holds."""
    holds = value <= limit if at_most else value >= limit
    print(
        f"{name:<48} {value:10.1f}   {'at most' if at_most else 'at least'} {limit:g}: {'holds' if holds else 'FAILS'}"
    )
    return holds


def main() -> int:
    """Run the benchmark; the exit status says whether all limits hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 2000, 4000, 7600])
    parser.add_argument("--peers-at", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    fine = True
    for size in options.sizes:
        terrain = fractal_terrain(size)
        ns = sweep_ns(terrain, options.repeats)
        print(f"N = {size}: ns per azimuth " + " ".join(f"{value:.1f}" for value in ns))
        fine &= report(f"N = {size}: CPU ns per pixel and azimuth, mean", float(ns.mean()), LIMIT_NS, True)
        if size == options.peers_at:
            three = sweep_ns(terrain, options.repeats, (0.0, 2.0, 10.0))
            print(f"{'  three observer heights at once, ns':<48} {three.mean():10.1f}")
            naive = naive_ns(terrain, options.repeats)
            print(f"{'  naive float32 march, ns':<48} {naive:10.1f}")
            fine &= report("  times faster than the naive march", naive / ns.mean(), LIMIT_NAIVE, False)
            ray = embree_ns(terrain, options.repeats)
            if ray is None:
                print("  Embree NOT MEASURED: pip install embreex")
            else:
                print(f"{'  Embree, ns per ray':<48} {ray:10.1f}")
                fine &= report("  times faster than one ray of Embree", ray / ns.mean(), LIMIT_EMBREE, False)
                print(f"{'  times faster than a horizon by Embree':<48} {BISECTION_RAYS * ray / ns.mean():10.1f}")
    print(f"largest resident memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
