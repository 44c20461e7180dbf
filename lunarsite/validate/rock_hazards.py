"""How many rocks of which size lie on the ground, found against true, with intervals over scenes.

The estimate is the hazards' own (`vision.rock.sizes.per_square_metre`): a rock stands for the ground on which it would
look wide enough. True rocks are counted in the same way, so that both sides see the same ground.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.validate.enhance_intervals import Estimate
from lunarsite.validate.rock_intervals import Draws
from lunarsite.vision.rock.camera import Camera
from lunarsite.vision.rock.sizes import LEAST_WIDTH_PX, SeenGround, ground_for, per_square_metre

Floats = NDArray[np.float64]

DIAMETERS_M = tuple(float(f"{value:.3g}") for value in np.geomspace(0.1, 3.2, 11))
"""Where the distribution is told."""
_BLOCK = 100


@dataclass(frozen=True)
class View:
    """One scene: its camera, and the ground that it shows by the truth and by what is said."""

    scene: str
    camera: Camera
    true: SeenGround
    said: SeenGround


@dataclass(frozen=True)
class Sizes:
    """N(>= D) per square metre at each of DIAMETERS_M, and how many rocks it rests on."""

    true: list[Estimate]
    found: list[Estimate]
    true_rocks: int
    found_rocks: int


def compare_sizes(views: Sequence[View], truth: pd.DataFrame, sizes: pd.DataFrame, draws: Draws) -> Sizes | None:
    """Return the size distributions, or None if there is no scene.

    Args:
        views: The scenes that count, in the order of the draws' images.
        truth: Columns of ROCK_TRUTH.
        sizes: Columns of ROCK_SIZES.
        draws: Of these scenes.
    """
    if not views:
        return None
    number = {view.scene: k for k, view in enumerate(views)}
    true, found = _true(views, truth, number), _found(sizes, number)
    return Sizes(
        distribution(*true, [view.true for view in views], draws, whole=False),
        distribution(*found, [view.said for view in views], draws, whole=True),
        len(true[0]),
        len(found[0]),
    )


def distribution(
    diameter_m: Floats, scene: NDArray[np.int64], grounds: Sequence[SeenGround], draws: Draws, *, whole: bool
) -> list[Estimate]:
    """Return N(>= D) per square metre at DIAMETERS_M.

    Args:
        diameter_m: (n,) of rocks that look wide enough.
        scene: (n,) number of the scene that each lies in.
        grounds: Seen ground of each scene.
        draws: Of the scenes.
        whole: Whether only rocks that lie whole in the picture were counted.
    """
    area = np.stack([ground_for(ground, diameter_m, whole=whole) for ground in grounds], axis=1)
    reached = np.stack([ground_for(ground, DIAMETERS_M, whole=whole) for ground in grounds], axis=1)

    def counted(weights: Floats) -> Floats:
        return per_square_metre(diameter_m, weights[:, scene], weights @ area.T, DIAMETERS_M, weights @ reached.T)

    weights = draws.weights
    parts = [counted(weights[start : start + _BLOCK]) for start in range(0, len(weights), _BLOCK)]
    drawn, value = np.concatenate(parts), counted(np.ones((1, len(grounds))))[0]
    return [draws.given(float(value[k]), drawn[:, k]) for k in range(len(DIAMETERS_M))]


def _true(views: Sequence[View], truth: pd.DataFrame, number: Mapping[str, int]) -> tuple[Floats, NDArray[np.int64]]:
    """Return diameters and scenes of the true rocks that show, in part at least, and would look wide enough."""
    kept = truth[truth["scene"].isin(list(number)) & (truth["visible_px"] > 0)]
    scene = kept["scene"].map(number).to_numpy(dtype=np.int64)
    cameras = [view.camera for view in views]
    focal, height, sin, cos = (
        np.array([getattr(camera, name) for camera in cameras])[scene]
        for name in ("focal_px", "height_m", "sin_pitch", "cos_pitch")
    )
    # The table tells no direction; off the axis a rock is less deep than that by the cosine of it.
    depth = kept["range_m"].to_numpy(dtype=np.float64) * cos + height * sin
    diameter = kept["diameter_m"].to_numpy(dtype=np.float64)
    wide = focal * diameter >= LEAST_WIDTH_PX * depth
    return np.asarray(diameter[wide]), scene[wide]


def _found(sizes: pd.DataFrame, number: Mapping[str, int]) -> tuple[Floats, NDArray[np.int64]]:
    """Return diameters and scenes of the rocks that were found, wide enough, and have a size in metres."""
    wide = sizes["diameter_px"] >= LEAST_WIDTH_PX
    kept = sizes[sizes["image"].isin(list(number)) & wide & sizes["diameter_m"].notna()]
    scene = np.asarray(kept["image"].map(number), dtype=np.int64)
    return np.asarray(kept["diameter_m"], dtype=np.float64), scene
