"""Seeded relief for tests: fractal ground with bowl-shaped craters, in metres."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter


def cratered_heights(size: int, seed: int = 0, relief_m: float = 600.0, pixel_m: float = 240.0) -> NDArray[np.float32]:
    """Return (size, size) heights: power-law fractal (Hurst exponent 0.8), smoothed at the pixel, and craters.

    Craters have a depth of a tenth of their diameter, raised rims and a size-frequency of N(>D) ~ D^-2.
    """
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) * frequency**-1.8
    ground = np.fft.irfft2(spectrum, (size, size))
    heights = ground / ground.std() * relief_m
    for _ in range(max(20, size // 4)):
        radius = min(3.0 / np.sqrt(rng.uniform(0.005, 1.0)), size / 8)
        centre_row, centre_col = rng.uniform(0, size, 2)
        rows, cols = (slice(max(0, int(at - 2 * radius)), int(at + 2 * radius) + 2) for at in (centre_row, centre_col))
        row, col = np.ogrid[:size, :size]
        distance = np.hypot(row[rows] - centre_row, col[:, cols] - centre_col) / radius
        depth_m = 0.2 * radius * pixel_m
        bowl = np.where(distance < 1.0, distance**2 - 1.0, 0.0) * depth_m
        heights[rows, cols] += bowl + 0.2 * depth_m * np.exp(-(((distance - 1.0) / 0.25) ** 2))
    return gaussian_filter(heights, 0.7).astype(np.float32)
