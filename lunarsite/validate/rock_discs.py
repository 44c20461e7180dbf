"""Whether ground that is called safe is: a wrong 'safe' is the error that costs a lander.

The answer is that of `vision.rock.hazard.hazards`, held against the true masks laid out in the same way, with nothing
in doubt. Judged is the ground, and what rocks hide of it, whose disc lies whole in the picture by the truth. Elsewhere
a disc can be known to hold a rock, and never to hold none, so that all ground together would look worse than it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunarsite.settings.rock import RockHazardSettings
from lunarsite.validate.enhance_intervals import Estimate
from lunarsite.validate.rock_intervals import Draws
from lunarsite.vision.rock.camera import Camera
from lunarsite.vision.rock.classes import BACKGROUND, ROCKS
from lunarsite.vision.rock.ground_plan import NO, YES, clearance_m
from lunarsite.vision.rock.hazard import hazards
from lunarsite.vision.rock.scores import Classes, ratio

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SafeDiscs:
    """How safe the ground is that is called so."""

    radius_m: float
    scenes: int
    called_rocky: Estimate
    """Share of the ground called safe whose true disc holds a rock."""
    rocky: Estimate
    """The same of all ground: what the null is wrong by, to which all ground is safe."""
    safe_called: Estimate
    """Share of the truly safe ground that is called safe."""
    judged_m2: float
    called_m2: float

    @property
    def difference(self) -> Estimate:
        """How much more often ground called safe holds a rock than all ground, paired."""
        return self.called_rocky - self.rocky


def disc_counts(
    truth: Classes, classes: Classes, probability: NDArray[np.float32], camera: Camera, settings: RockHazardSettings
) -> Floats:
    """Return (4,), square metres of level ground: judged, of that truly rocky, called safe, of that truly rocky.

    Args:
        truth: (H, W), 255 where it is unknown.
        classes: (H, W), what is said.
        probability: (4, H, W), of what is said.
        camera: Of this picture.
        settings: Radius of the disc.
    """
    without_rocks = np.where(np.isin(truth, ROCKS), np.uint8(BACKGROUND), truth)
    judged = clearance_m(without_rocks, camera, settings.disc_radius_m)[1] == YES
    rocky = judged & (clearance_m(truth, camera, settings.disc_radius_m)[1] == NO)
    called = judged & (hazards(classes, probability.transpose(1, 2, 0), camera, settings).safe == YES)
    rows, cols = (np.arange(side) for side in truth.shape)
    area = camera.ground_per_px(rows[:, None], cols[None])
    return np.array([area[one].sum() for one in (judged, rocky, called, called & rocky)])


def safe_discs(counts: Sequence[Floats], draws: Draws, radius_m: float) -> SafeDiscs | None:
    """Return how safe ground is that is called so; None without a scene.

    Args:
        counts: Of `disc_counts`, of each scene that counts, in the order of the draws' images.
        draws: Of these scenes.
        radius_m: Of the disc.
    """
    if not counts:
        return None
    ground = np.stack(counts)
    judged, _, called, _ = ground.sum(axis=0)
    return SafeDiscs(
        radius_m,
        draws.count,
        draws.of(ground, lambda sums: ratio(sums[:, 3], sums[:, 2])),
        draws.of(ground, lambda sums: ratio(sums[:, 1], sums[:, 0])),
        draws.of(ground, lambda sums: ratio(sums[:, 2] - sums[:, 3], sums[:, 0] - sums[:, 1])),
        float(judged),
        float(called),
    )
