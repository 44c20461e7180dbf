"""Made-up ground around the pole, where map and sphere agree to a part in a million."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lunarsite.grid import Grid
from lunarsite.illumination.light.nested import Model, Nested, nested

Heights = NDArray[np.float32]


def model(
    height_m: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]], pixel_m: float, side: int
) -> Model:
    """Heights as a function of map x and y, on a square of `side` pixels about the pole."""
    half_m = 0.5 * side * pixel_m
    grid = Grid(-half_m, half_m, pixel_m, side, side)
    x, y = np.meshgrid(grid.x_m(), grid.y_m())
    return Model(np.broadcast_to(height_m(x, y), grid.shape).astype(np.float32), grid)


def centred(side: int, pixel_m: float) -> Grid:
    """A square tile about the pole."""
    half_m = 0.5 * side * pixel_m
    return Grid(-half_m, half_m, pixel_m, side, side)


def around(ground: Model, side: int, farthest_m: float = 20_000.0) -> Nested:
    """The ground around a tile about the pole, in the model's own pixels."""
    return nested([ground], centred(side, ground.grid.pixel_m), farthest_m)


def relief(side: int, pixel_m: float, seed: int) -> Model:
    """Smooth random hills some hundred metres high."""
    draws = np.random.default_rng(seed)
    waves = [
        (draws.uniform(600.0, 4_000.0), draws.uniform(0.0, 2.0 * np.pi), draws.uniform(0.0, 2.0 * np.pi))
        for _ in range(12)
    ]

    def height(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        parts = [
            0.02 * length * np.sin(2.0 * np.pi * (x * np.cos(turn) + y * np.sin(turn)) / length + phase)
            for length, turn, phase in waves
        ]
        return np.sum(parts, axis=0)

    return model(height, pixel_m, side)
