"""Which photographs of TCAM in the rock dataset share ground: dark spots brought onto each other at every shift.

Two pictures of the lander's camera show the same ground from one place, so a shift brings rocks onto rocks. What stands
out is not grey levels, which another Sun changes, but small dark spots (shadows, and rocks seen from their dark side)
against their surroundings. The height of the best shift is told in standard deviations over all shifts.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage, signal

from lunarsite.sky import black_above
from lunarsite.source.images import rocks
from lunarsite.source.images.members import below

ROOT = Path(__file__).resolve().parents[2]
MOON = Path(os.environ.get("LUNARSITE_REFERENCE", str(ROOT.parent / "shared" / "moon")))
FOLDER = MOON.parent / "images" / "rocks"
WIDTH_PX, HEIGHT_PX = 777, 571
"""All are brought to one size, whatever they were reduced to: the sides of the camera's pictures are as 4 to 3."""
LEAST_OVERLAP_PX = 25_000
MOST_ROWS_PX = 60
"""The camera was turned, and hardly tilted."""
SHARED, OTHER = 8.0, 7.0
"""Pairs that share ground are above the one (8.7 to 29.8), all others below the other (6.6 at most)."""

Floats = NDArray[np.float64]

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"REFERENCE DATA ABSENT: {FOLDER} (set LUNARSITE_REFERENCE)"),
]


@dataclass(frozen=True)
class Spots:
    """How much darker than its surroundings a pixel is (H, W), 0 in the sky; and where there is ground."""

    dark: Floats
    ground: Floats


def spots_of(image: NDArray[np.uint8]) -> Spots:
    picture = Image.fromarray(image).resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.BICUBIC)
    levels = np.asarray(picture)
    smooth = np.stack([ndimage.gaussian_filter(levels[..., band], 2.0) for band in range(3)], axis=-1)
    # The sky's edge is as dark as a shadow, and the same in every picture: ground begins below it.
    ground = (~ndimage.binary_dilation(black_above(smooth), iterations=8)).astype(np.float64)
    logarithm = np.log(levels.mean(axis=2) + 15.0)

    def smoothed(width_px: float) -> Floats:
        weight = ndimage.gaussian_filter(ground, width_px) + 1e-6
        return np.asarray(ndimage.gaussian_filter(logarithm * ground, width_px) / weight)

    detail = (smoothed(1.5) - smoothed(6.0)) * ground
    spread = np.sqrt(ndimage.gaussian_filter(detail**2, 25.0) / (ndimage.gaussian_filter(ground, 12.0) + 1e-6)) + 1e-3
    dark = np.maximum(-np.clip(detail / spread, -3.0, 3.0), 0.0)
    return Spots((dark - (dark * ground).sum() / ground.sum()) * ground, ground)


def height_of_best_shift(one: Spots, other: Spots) -> float:
    def over_shifts(a: Floats, b: Floats) -> Floats:
        return np.asarray(signal.fftconvolve(a, b[::-1, ::-1]))

    common = over_shifts(one.ground, other.ground)
    norm = over_shifts(one.dark**2, other.ground) * over_shifts(one.ground, other.dark**2)
    # Of few pixels a high correlation says little: it is weighed by the root of their number.
    score = over_shifts(one.dark, other.dark) / np.sqrt(np.maximum(norm, 1e-9)) * np.sqrt(np.maximum(common, 0.0))
    score[common < LEAST_OVERLAP_PX] = 0.0
    middle = HEIGHT_PX - 1
    score = score[middle - MOST_ROWS_PX : middle + MOST_ROWS_PX + 1]
    return float(score.max() / score[score != 0.0].std())


@cache
def photographs() -> dict[str, tuple[str, Spots]]:
    """Return scene and spots of each photograph of the lander's camera."""
    pairs, _ = rocks.pairs_of(below(FOLDER, rocks.CREDIT, "reference"), "either")
    found = [pair for pair in pairs if pair.name.startswith("TCAM")]
    return {pair.name: (pair.scene, spots_of(np.asarray(Image.open(pair.image).convert("RGB")))) for pair in found}


NAMES = ("TCAM1", "TCAM4", "TCAM7", "TCAM8", "TCAM9", "TCAM10", "TCAM13", "TCAM14", "TCAM17", "TCAM19", "TCAM21")
# Neighbours in a scene need not show each other's ground: 1 and 21 are both neighbours of 13.
JOINED = {("TCAM1", "TCAM7"), ("TCAM1", "TCAM13"), ("TCAM7", "TCAM13"), ("TCAM13", "TCAM21"), ("TCAM4", "TCAM14")} | {
    ("TCAM9", "TCAM10")
}


SCENES = {"TCAM1": {"TCAM1", "TCAM7", "TCAM13", "TCAM21"}, "TCAM4": {"TCAM4", "TCAM14"}, "TCAM9": {"TCAM9", "TCAM10"}}


def test_all_photographs_of_the_camera_are_asked_and_only_what_is_joined_is_one_scene() -> None:
    assert set(photographs()) == set(NAMES)
    found: dict[str, set[str]] = {}
    for name, (scene, _) in photographs().items():
        found.setdefault(scene, set()).add(name)
    assert found == SCENES | {name: {name} for name in ("TCAM8", "TCAM17", "TCAM19")}


@pytest.mark.parametrize(("one", "other"), list(combinations(NAMES, 2)))
def test_photographs_share_ground_where_their_scene_is_one(one: str, other: str) -> None:
    (scene, spots), (other_scene, other_spots) = photographs()[one], photographs()[other]
    height = height_of_best_shift(spots, other_spots)
    print(f"{one} {other}: {height:.1f}")
    if (one, other) in JOINED:
        assert height > SHARED
        assert scene == other_scene
    else:
        assert height < OTHER
