"""Light of a moment: CPU time of a scene, and the price and worth of finer rays.

    python benchmarks/bench_light.py [--tile-px 128] [--directions 32] [--reach-m 40000] [--repeat 3]

Made-up fractal ground with pixels of 40 m. A scene is what the stage light-scenes makes of a place and a pair of suns:
nested grids, sunlight on all ground within reach under both suns, and the light gathered from it. CPU time is that of
all threads together, the least of the repeats; kernels are compiled before the clock starts. Below it, gathering with
the usual sampling stands beside finer ones: the difference from the finest is the sampling's error.

Limit: 1.5 s of CPU for a scene of 128 x 128 pixels, 32 directions and 40 km. Exit status 1 beyond.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from lunarsite.grid import Grid
from lunarsite.illumination.light import render as rendering
from lunarsite.illumination.light import scatter
from lunarsite.illumination.light.moment import Sun
from lunarsite.illumination.light.nested import FARTHEST_M, Model, Nested, nested
from lunarsite.illumination.light.render import light_up, render

LIMIT_S, PIXEL_M, SIDE_PX = 1.5, 40.0, 2_560
SUNS = (Sun(120.0, -1.2), Sun(-30.0, 0.8))


def ground() -> Model:
    """Fractal hills, 350 m (one sigma) over 100 km."""
    draws = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(SIDE_PX)[:, None], np.fft.rfftfreq(SIDE_PX)[None, :])
    frequency[0, 0] = np.inf
    field = np.fft.irfft2(np.fft.rfft2(draws.standard_normal((SIDE_PX, SIDE_PX))) * frequency**-1.9, s=(SIDE_PX,) * 2)
    half_m = 0.5 * SIDE_PX * PIXEL_M
    grid = Grid(-half_m, half_m, PIXEL_M, SIDE_PX, SIDE_PX)
    return Model((350.0 * field / field.std()).astype(np.float32), grid)


def scene(model: Model, tile: Grid, directions: int, reach_m: float) -> Nested:
    around = nested([model], tile, max(FARTHEST_M, scatter.farthest_m(reach_m)))
    render(around, SUNS, directions=directions, reach_m=reach_m)
    return around


def samplings(around: Nested, directions: int, reach_m: float) -> None:
    """Print time and error of rays by how finely they sample, and of more of them."""
    usual = scatter.REACH_PX, scatter.STEP_PX
    rendering.REACH_PX = 96
    radiance = np.zeros((len(SUNS), around.height_m.size), np.float32)
    for number, sun in enumerate(SUNS):
        light_up(around, sun, reach_m, radiance[number])
    found = {}
    for reach_px, step_px, rays in ((96, 0.5, 4 * directions), (*usual, directions), (*usual, 4 * directions)):
        scatter.REACH_PX, scatter.STEP_PX = reach_px, step_px
        start = time.process_time()
        light = scatter.gather(around, radiance, rays, reach_m).irradiance
        found[reach_px, step_px, rays] = time.process_time() - start, light
    scatter.REACH_PX, scatter.STEP_PX = usual
    _, truth = next(iter(found.values()))
    print("reach px | step px | directions | CPU s | mean difference, share | correlation")
    for (reach_px, step_px, rays), (spent, light) in found.items():
        difference = np.abs(light - truth).mean() / truth.mean()
        correlation = np.corrcoef(light.ravel(), truth.ravel())[0, 1]
        print(f"{reach_px} | {step_px:g} | {rays} | {spent:.2f} | {difference:.3f} | {correlation:.4f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tile-px", type=int, default=128)
    parser.add_argument("--directions", type=int, default=32)
    parser.add_argument("--reach-m", type=float, default=40_000.0)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    model, side_m = ground(), options.tile_px * PIXEL_M
    tile = Grid(-0.5 * side_m, 0.5 * side_m, PIXEL_M, options.tile_px, options.tile_px)
    scene(model, tile, 4, options.reach_m)
    spent = []
    for _ in range(options.repeat):
        start = time.process_time()
        around = scene(model, tile, options.directions, options.reach_m)
        spent.append(time.process_time() - start)
    print(f"scene of {options.tile_px} px, {options.directions} directions: {min(spent):.2f} s of CPU")
    samplings(around, options.directions, options.reach_m)
    usual = (options.tile_px, options.directions, options.reach_m) == (128, 32, 40_000.0)
    holds = not usual or min(spent) <= LIMIT_S
    print(f"limit of {LIMIT_S:g} s: {'holds' if holds else 'FAILS'}" if usual else "limit: not for these options")
    return 0 if holds else 1


if __name__ == "__main__":
    raise SystemExit(main())
