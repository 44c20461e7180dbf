"""Speed of blended tiles against a plain loop over tiles that neither overlap nor have a halo.

    python benchmarks/bench_tiling.py [--size 2048] [--tile 512] [--halo 64] [--repeats 3]

Both run one network, the plain U-Net of 16 channels with one view, over the same map. The plain loop is what the seams
of its tiles make unusable; what it shows is the price of the halo and of the blending. Times are wall-clock minima over
repeats taken in turn, so that a busy machine slows both alike. Tiles with their halo have ((tile + 2 halo) / tile)^2 as
many pixels: that part of the price is arithmetic. Limit: the blended result costs at most 1.25 times it.

Exit status: 0 if the limit holds, 1 if not.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from lunarsite.vision.learn.networks import NetworkSpec, build
from lunarsite.vision.learn.tiling import Floats, predict

STRIDE, OUTPUTS, LIMIT = 2, 9, 1.25


def plain_loop(network: nn.Module, image: Floats, tile: int) -> Floats:
    """The network over tiles side by side; the map's sides are multiples of the tile's."""
    found = np.empty((OUTPUTS, image.shape[1] // STRIDE, image.shape[2] // STRIDE), np.float32)
    with torch.inference_mode():
        for y in range(0, image.shape[1], tile):
            for x in range(0, image.shape[2], tile):
                piece = torch.from_numpy(image[None, :, y : y + tile, x : x + tile])
                values = network(piece.contiguous(memory_format=torch.channels_last))[0].numpy()
                found[:, y // STRIDE : (y + tile) // STRIDE, x // STRIDE : (x + tile) // STRIDE] = values
    return found


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock time of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> int:
    """Print images per second of both and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("size", 2048), ("tile", 512), ("halo", 64), ("repeats", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    if given.size % given.tile:
        parser.error("--size is a multiple of --tile")
    torch.manual_seed(0)
    network = build(NetworkSpec(kind="plain-unet", inputs=5, outputs=OUTPUTS, channels=16, depth=4, stride=STRIDE))
    network = network.eval().to(memory_format=torch.channels_last)
    image = np.random.default_rng(0).standard_normal((5, given.size, given.size)).astype(np.float32)
    ways: dict[str, Callable[[], object]] = {
        "plain loop": lambda: plain_loop(network, image, given.tile),
        "blended": lambda: predict(
            network, image, outputs=OUTPUTS, stride=STRIDE, tile_px=given.tile, halo_px=given.halo
        ),
    }
    for work in ways.values():
        work()
    times = [[seconds(work) for work in ways.values()] for _ in range(given.repeats)]
    plain, blended = (min(column) for column in zip(*times, strict=True))
    images = (given.size / 256) ** 2
    pixels = ((given.tile + 2 * given.halo) / given.tile) ** 2
    ratio = blended / plain
    holds = ratio <= LIMIT * pixels
    print(f"map of {given.size} x {given.size} pixels, tiles of {given.tile}, halo {given.halo}, {OUTPUTS} outputs")
    print(f"  plain loop {images / plain:8.1f} images of 256 x 256 per second")
    print(f"  blended    {images / blended:8.1f} images of 256 x 256 per second")
    print(f"  blended / plain: {ratio:.2f} of the time, for {pixels:.2f} of the pixels")
    print(f"  per pixel run: {ratio / pixels:.2f}, limit {LIMIT:.2f}: {'holds' if holds else 'FAILS'}")
    return 0 if holds else 1


if __name__ == "__main__":
    raise SystemExit(main())
