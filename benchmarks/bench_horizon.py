"""Speed of the horizon sweep: CPU nanoseconds per pixel and azimuth, against Embree and against naive marching.

    python benchmarks/bench_horizon.py [--sizes 1000 2000 4000 7600] [--peers-at 2000] [--repeats 3]

Times are CPU times (all threads together) and minima over repeats, so a busy machine inflates them little. Limits: at
most 40 ns at every size; at least 10 times faster than Embree and 50 times faster than naive marching.

Embree (optional: pip install embreex) answers 'is this ray blocked', not 'how high is the horizon': an elevation to
0.03 degrees within +-15 degrees takes a bisection of ten rays. Both figures are printed; the limit is held against a
single ray, the harder one. Rays start 1 m above the ground and are aimed at the horizon that the sweep finds from
there. The aim is checked: of rays a tenth of a degree lower Embree must find at least 80 percent blocked, of rays as
much higher at most 10.

The naive march samples every pixel of a ray to the border, in float32, nearest pixel, curvature included, compiled,
without any of the corrections that the sweep makes.

Exit status: 0 if every limit was measured and holds, 1 if one fails, 2 for wrong arguments, 3 if all that was measured
holds but a peer was SKIPPED (no embreex, or --peers-at not among the sizes).
"""

from __future__ import annotations

import argparse
import math
import resource
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from lunarsite.grid import MOON_RADIUS_M
from lunarsite.illumination.horizon import HorizonSweep, Terrain

PIXEL_M = 80.0
AZIMUTHS_RAD = (0.0, 0.3, 0.75, 1.2, math.pi / 2, 2.9, 4.1, 5.4)
BISECTION_RAYS = 10
EYE_M, AIM_CHECK_DEG = 1.0, 0.1
LIMIT_BLOCKED_BELOW, LIMIT_BLOCKED_ABOVE = 80.0, 10.0
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


def bent_vertices(terrain: Terrain) -> NDArray[np.float32]:
    """Return the corners of the mesh, (rows, cols, 3), in metres: the map bent down by r^2 / 2R."""
    rows, cols = terrain.height_m.shape
    x = terrain.x_min_m + (np.arange(cols) + 0.5) * terrain.pixel_m
    y = terrain.y_max_m - (np.arange(rows) + 0.5) * terrain.pixel_m
    x, y = np.meshgrid(x, y)
    z = terrain.height_m - (x * x + y * y) / (2.0 * MOON_RADIUS_M)
    return np.stack([x, y, z], axis=-1).astype(np.float32)


def aimed(vertices: NDArray[np.float32], azimuth_rad: float, tangent: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ray directions, (n, 3), for tangents of elevation over the local horizontal, which the bend tilts."""
    cos, sin = math.cos(azimuth_rad), math.sin(azimuth_rad)
    slope = tangent - (vertices[..., 0] * cos + vertices[..., 1] * sin) / MOON_RADIUS_M
    rays = np.stack([np.full_like(slope, cos), np.full_like(slope, sin), slope], axis=-1)
    return np.ascontiguousarray(rays.reshape(-1, 3), np.float32)


def embree_ns(terrain: Terrain, repeats: int) -> tuple[float, float, float] | None:
    """Time Embree's occlusion rays over the triangulated terrain, aimed at the horizon.

    Returns:
        CPU ns per ray, and the shares of rays blocked `AIM_CHECK_DEG` below and above the horizon; None if absent.
    """
    try:
        from embreex import rtcore_scene
        from embreex.mesh_construction import TriangleMesh
    except ImportError:
        return None
    vertices = bent_vertices(terrain)
    rows, cols = terrain.height_m.shape
    corner = (np.arange(rows - 1)[:, None] * cols + np.arange(cols - 1)[None, :]).ravel()
    triangles = np.concatenate(
        [
            np.stack([corner, corner + cols, corner + 1], axis=1),
            np.stack([corner + 1, corner + cols, corner + cols + 1], axis=1),
        ]
    ).astype(np.int32)
    scene = rtcore_scene.EmbreeScene()
    TriangleMesh(scene, vertices.reshape(-1, 3), triangles)
    sweep = HorizonSweep(terrain, observer_heights_m=(EYE_M,))
    starts = vertices[::20]
    origins = np.ascontiguousarray(starts.reshape(-1, 3) + np.array([0.0, 0.0, EYE_M], np.float32))

    def blocked(rays: NDArray[np.float32]) -> float:
        # For OCCLUDED, a ray that meets something comes back as 0 and a free one as -1.
        return float(np.mean(np.asarray(scene.run(origins, rays, query="OCCLUDED")) >= 0))

    times, below, above = [], [], []
    nudge = np.float32(math.tan(math.radians(AIM_CHECK_DEG)))
    for azimuth in AZIMUTHS_RAD[:4]:
        tangent = sweep.horizon(azimuth)[0, ::20]
        below.append(blocked(aimed(starts, azimuth, tangent - nudge)))
        above.append(blocked(aimed(starts, azimuth, tangent + nudge)))
        rays = aimed(starts, azimuth, tangent)
        seconds = least_cpu_s(partial(scene.run, origins, rays, query="OCCLUDED"), repeats)
        times.append(seconds * 1e9 / len(origins))
    return float(np.mean(times)), float(np.mean(below)), float(np.mean(above))


def report(name: str, value: float, limit: float, at_most: bool) -> bool:
    """Print a figure beside its limit; return whether it holds."""
    holds = value <= limit if at_most else value >= limit
    print(
        f"{name:<48} {value:10.1f}   {'at most' if at_most else 'at least'} {limit:g}: {'holds' if holds else 'FAILS'}"
    )
    return holds


def main() -> int:
    """Run the benchmark; the exit status says whether all limits were measured and hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 2000, 4000, 7600])
    parser.add_argument("--peers-at", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    fine, skipped = True, options.peers_at not in options.sizes
    if skipped:
        print(f"SKIPPED: naive march and Embree (--peers-at {options.peers_at} is not among the sizes)")
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
            measured = embree_ns(terrain, options.repeats)
            if measured is None:
                print("  SKIPPED: Embree (pip install embreex)")
                skipped = True
            else:
                ray, below, above = measured
                fine &= report("  percent blocked just below the horizon", 100.0 * below, LIMIT_BLOCKED_BELOW, False)
                fine &= report("  percent blocked just above the horizon", 100.0 * above, LIMIT_BLOCKED_ABOVE, True)
                print(f"{'  Embree, ns per ray':<48} {ray:10.1f}")
                fine &= report("  times faster than one ray of Embree", ray / ns.mean(), LIMIT_EMBREE, False)
                print(f"{'  times faster than a horizon by Embree':<48} {BISECTION_RAYS * ray / ns.mean():10.1f}")
    print(f"largest resident memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")
    if not fine:
        return 1
    return 3 if skipped else 0


if __name__ == "__main__":
    sys.exit(main())
