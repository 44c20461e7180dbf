"""What a lander makes of a segmented picture: how much rock, which sizes, and where there is room.

These are views from the ground. Metres hold for a camera that is known over ground that is level on the whole; an image
that is out of distribution (one from orbit, say) has no hazards, because its maps mean nothing; nor has one that shows
no ground, of which nobody knows whether it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunarsite.settings import RockHazardSettings
from lunarsite.vision.rock.camera import Camera
from lunarsite.vision.rock.classes import BACKGROUND, LARGE, SMALL
from lunarsite.vision.rock.ground_plan import UNKNOWN, YES, clearance_m, clearance_px
from lunarsite.vision.rock.sizes import Rock, rocks, seen_px

SURE, DOUBTFUL = 0.9, 0.1
"""Probabilities of being rock from which pixels count for the lower and the upper share.

Ground that may be rock by the upper share's measure is not free ground: a landing must not rest on the likelier of two
classes. One in ten such pixels is rock at the least, and a disc of a few metres holds hundreds of pixels."""


@dataclass(frozen=True)
class Hazards:
    """Hazards of a picture; arrays, shares and rocks as ROCK_HAZARD and ROCK_SIZES have them."""

    clearance: NDArray[np.float32]
    safe: NDArray[np.uint8]
    rock_area_share: float
    rock_area_share_low: float
    rock_area_share_high: float
    rocks: tuple[Rock, ...]
    ground_px: int
    """Pixels that show ground or rock."""
    seen_px: NDArray[np.int64] | None
    """(H,) pixels of each row that show level ground, of `sizes.seen_px`; None without a camera or hazards."""

    @property
    def safe_share(self) -> float:
        """Share of the ground of which it is known whether it is safe that is; NaN where it is known of none."""
        known = self.safe != UNKNOWN
        return float((self.safe[known] == YES).mean()) if known.any() else math.nan


def hazards(
    classes: NDArray[np.uint8],
    probability: NDArray[np.float32],
    camera: Camera | None,
    settings: RockHazardSettings,
    out_of_distribution: bool = False,
) -> Hazards:
    """Return the hazards of a picture.

    Args:
        classes: (H, W), numbers of ROCK_SCENES.
        probability: (H, W, 4) of background, small rocks, large rocks, sky; NaN where the class is unknown.
        camera: The camera of this picture (with its rows and columns), or None.
        settings: What is counted, and the room wanted.
        out_of_distribution: Whether the picture is of no familiar kind, or nothing tells.

    Raises:
        ValueError: The arrays' shapes, or the camera's picture, differ.
    """
    if probability.shape != (*classes.shape, 4):
        raise ValueError(
            f"classes are {classes.shape}, probabilities {probability.shape}; they need one more axis of 4"
        )
    if camera is not None and (camera.rows, camera.cols) != classes.shape:
        raise ValueError(f"the camera's picture is {camera.rows} x {camera.cols}, the maps are {classes.shape}")
    if out_of_distribution:
        nothing = np.full(classes.shape, np.nan, dtype=np.float32)
        return Hazards(nothing, np.full(classes.shape, UNKNOWN, dtype=np.uint8), *(math.nan,) * 3, (), 0, None)
    shares = area_shares(classes, probability)
    found = rocks(classes, probability, camera, settings.least_px)
    ground_px = int(np.isin(classes, (BACKGROUND, SMALL, LARGE)).sum())
    if camera is None:
        nowhere = np.full(classes.shape, UNKNOWN, dtype=np.uint8)
        return Hazards(clearance_px(classes), nowhere, *shares, found, ground_px, None)
    doubtful = probability[:, :, SMALL] + probability[:, :, LARGE] >= DOUBTFUL
    clearance, safe = clearance_m(classes, camera, settings.disc_radius_m, doubtful)
    return Hazards(clearance, safe, *shares, found, ground_px, seen_px(classes, camera))


def area_shares(classes: NDArray[np.uint8], probability: NDArray[np.float32]) -> tuple[float, float, float]:
    """Return the share of the ground's pixels that show rock, and those that surely and that possibly do.

    It is a share of the picture, in which rocks stand up: over the ground itself they cover less. NaN without ground.
    """
    rock = (classes == SMALL) | (classes == LARGE)
    ground = rock | (classes == BACKGROUND)
    if not ground.any():
        return math.nan, math.nan, math.nan
    sure = (probability[:, :, SMALL] + probability[:, :, LARGE])[ground]
    share = float(rock[ground].mean())
    # A pixel whose class is rock may be so, however small the probability that tipped it.
    low, high = float((rock[ground] & (sure >= SURE)).mean()), float((rock[ground] | (sure >= DOUBTFUL)).mean())
    return share, low, high
