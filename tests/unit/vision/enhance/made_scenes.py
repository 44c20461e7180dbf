"""Made-up scenes: rough ground under a soft light, a corner in the Sun, a hole without data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lunarsite.artefact import images
from lunarsite.artefact.contracts.enhance import LIT_SCENES
from lunarsite.artefact.images import Credit
from lunarsite.stage import Job

CREDIT = Credit(title="made-up scenes", licence="CC0", citation="tests")
TRAINING, VALIDATION, TEST = 0, 1, 2


def radiance(tile_px: int, seed: int) -> NDArray[np.float32]:
    """Return scattered I/F of rough ground, about 3e-4."""
    rng = np.random.default_rng(seed)
    rough = sum(
        size * ndimage.gaussian_filter(rng.standard_normal((tile_px, tile_px)), size, mode="wrap") for size in (2, 4, 8)
    )
    slope = np.gradient(np.asarray(rough), axis=1)
    return np.asarray(3e-4 * np.clip(1.0 + 0.4 * slope / slope.std(), 0.02, None), np.float32)


def write_scenes(
    path: Path, splits: Sequence[int], tile_px: int = 64, seed: int = 1, lit_px: int = 8, unknown_px: int = 4
) -> None:
    """Write a scene for each of `splits`; the first `lit_px` rows see the Sun, a hole of `unknown_px` is unknown."""
    found: dict[str, list[Any]] = {array.name: [] for array in LIT_SCENES.arrays}
    for number, split in enumerate(splits):
        scattered = radiance(tile_px, seed + number)
        sun = np.zeros_like(scattered)
        sun[:lit_px] = 0.5
        height = np.cumsum(scattered / 3e-4 - 1.0, axis=1).astype(np.float32)
        sunlit = np.where(sun > 0.0, 0.05, 0.02).astype(np.float32) + scattered
        for values in (scattered, sun, height, sunlit):
            values[20 : 20 + unknown_px, 20 : 20 + unknown_px] = np.nan
        # Validation ground lies between 115 and 155 degrees of longitude, test ground west of 0.
        values_: dict[str, Any] = {
            "scattered": scattered, "sunlit": sunlit, "sun_fraction": sun, "height": height,
            "name": f"scene {number}", "ground": f"ground {number // 2}", "split": split,
            "x_min_m": (40_000.0, 90_000.0, -90_000.0)[split] + 3_000.0 * number,
            "y_max_m": (40_000.0, -70_000.0, 0.0)[split],
            "pixel_m": 40.0, "shadow_lon_deg": 30.0, "shadow_lat_deg": -1.0, "sunlit_lon_deg": 200.0,
            "sunlit_lat_deg": 1.0, "light_azimuth_deg": 90.0,
        }  # fmt: skip
        for name, value in values_.items():
            found[name].append(value)
    arrays = {
        array.name: np.array(found[array.name], dtype=object if array.dtype == "string" else array.dtype)
        for array in LIT_SCENES.arrays
    }
    stamp = Job("light-scenes", "default", "code", "settings", origin="synthetic", git=(None, None)).stamp(LIT_SCENES)
    with images.creating(path, LIT_SCENES, stamp, CREDIT, {"tile": tile_px}) as writer:
        writer.append(arrays)
