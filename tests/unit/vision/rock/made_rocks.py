"""Made-up scenes of rocks: a black sky, rough ground, bright discs on it; photographs are brown, renders grey."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunarsite.artefact import images
from lunarsite.artefact.contracts import ROCK_SCENES
from lunarsite.artefact.images import Credit
from lunarsite.stage import Job

CREDIT = Credit(title="made-up rocks", licence="CC0", citation="tests")
RENDER, PHOTOGRAPH = 0, 1
_DRAWN = 2


def scene(side_px: int, seed: int, kind: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a picture (side, side, 3) and its mask (side, side)."""
    rng = np.random.default_rng([seed, kind])
    rows, cols = np.mgrid[:side_px, :side_px].astype(float)
    levels = 90.0 + 8.0 * rng.standard_normal((side_px, side_px))
    mask = np.zeros((side_px, side_px), np.uint8)
    for radius, number in ((side_px / 8.0, 2), (side_px / 16.0, 1), (side_px / 20.0, 1)):
        row, col = rng.uniform(0.5, 0.9) * side_px, rng.uniform(0.1, 0.9) * side_px
        disc = np.hypot(rows - row, cols - col) <= radius
        levels[disc] += 80.0
        mask[disc] = number
    sky = rows < rng.uniform(0.2, 0.35) * side_px
    levels[sky], mask[sky] = 0.0, 3
    colour = np.array([1.1, 1.0, 0.8]) if kind == PHOTOGRAPH else np.ones(3)
    return np.asarray(np.clip(levels[..., None] * colour, 0.0, 255.0), np.uint8), mask


def write_scenes(
    path: Path,
    kinds: Sequence[int],
    side_px: int = 64,
    seed: int = 1,
    padding_px: int = 0,
    scenes: Sequence[str] | None = None,
    mask_kinds: Sequence[int] | None = None,
    stage: str = "images-rocks",
) -> None:
    """Write a scene for each of `kinds`; each its own scene unless `scenes` groups them."""
    count, side = len(kinds), side_px + padding_px
    pictures = np.zeros((count, side, side, 3), np.uint8)
    masks = np.full((count, side, side), 255, np.uint8)
    for number, kind in enumerate(kinds):
        pictures[number, :side_px, :side_px], masks[number, :side_px, :side_px] = scene(side_px, seed + number, kind)
    names = [f"{('render', 'PCAM')[kind]}{number:04d}" for number, kind in enumerate(kinds)]
    drawn = [_DRAWN if kind == PHOTOGRAPH else 0 for kind in kinds]
    unknown = np.full(count, np.nan)
    arrays: dict[str, Any] = {
        "images": pictures,
        "masks": masks,
        "name": np.array(names, dtype=object),
        "scene": np.array(names if scenes is None else list(scenes), dtype=object),
        "kind": np.array(kinds, np.uint8),
        "mask_kind": np.array(drawn if mask_kinds is None else mask_kinds, np.uint8),
        "valid_height": np.full(count, side_px, np.int64),
        "valid_width": np.full(count, side_px, np.int64),
        "unknown_share": np.zeros(count),
        "camera_height_m": unknown,
        "camera_pitch_deg": unknown,
        "camera_field_of_view_deg": unknown,
    }
    stamp = Job(stage, "default", "code", "settings", origin="local", git=(None, None)).stamp(ROCK_SCENES)
    with images.creating(path, ROCK_SCENES, stamp, CREDIT, {"height": side, "width": side}) as writer:
        writer.append(arrays)
