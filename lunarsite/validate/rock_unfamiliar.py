"""Whether a statistic of an image tells unfamiliar images from familiar ones: AUROC, false alarms, intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunarsite.validate.enhance_intervals import Estimate, estimate
from lunarsite.validate.rock_intervals import Draws
from lunarsite.vision.rock.ablation_scores import FEWEST_SCENES
from lunarsite.vision.rock.scores import ratio

Floats = NDArray[np.float64]

CAUGHT = 0.95
"""Share of the unfamiliar that is caught where false alarms are told."""


@dataclass(frozen=True)
class Detection:
    """How well a statistic tells two sets apart."""

    auroc: Estimate
    """Chance that an unfamiliar image has more of it than a familiar one; a tie is one half."""
    false_alarms: Estimate
    """Share of the familiar that is at or above the limit which 95 % of the unfamiliar reach."""


def detection(
    familiar: tuple[Floats, Sequence[str]], unfamiliar: tuple[Floats, Sequence[str]], draws: int, seed: int
) -> Detection:
    """Return how well a statistic tells two sets apart.

    Args:
        familiar: The statistic (n,) and the scenes of the images.
        unfamiliar: The same; if all its scenes are familiar ones (altered copies), both are drawn together.
        draws: Draws of scenes.
        seed: Of the draws.
    """
    values, others = familiar[0], unfamiliar[0]
    if not values.size or not others.size:
        nothing = estimate(None, np.full(draws, np.nan))
        return Detection(nothing, nothing)
    if set(unfamiliar[1]) <= set(familiar[1]):
        both = Draws([*familiar[1], *unfamiliar[1]], draws, seed)
        own, theirs = both.weights[:, : values.size], both.weights[:, values.size :]
        scenes = len(set(unfamiliar[1]))
    else:
        sets = Draws(familiar[1], draws, seed), Draws(unfamiliar[1], draws, seed + 1)
        own, theirs = (one.weights for one in sets)
        scenes = min(one.count for one in sets)
    won = (others[:, None] > values[None]) + 0.5 * (others[:, None] == values[None])
    auroc = ratio(((theirs @ won) * own).sum(axis=1), theirs.sum(axis=1) * own.sum(axis=1))
    alarms = _false_alarms(values, others, own, theirs)
    if scenes < FEWEST_SCENES:
        auroc, alarms = np.full(draws, np.nan), np.full(draws, np.nan)
    ones = np.ones((1, values.size)), np.ones((1, others.size))
    return Detection(
        estimate(float(won.mean()), auroc), estimate(float(_false_alarms(values, others, *ones)[0]), alarms)
    )


def _false_alarms(values: Floats, others: Floats, own: Floats, theirs: Floats) -> Floats:
    """Return the share of familiar images at or above the limit that catches 95 % of the unfamiliar, (n,)."""
    order = np.argsort(-others, kind="stable")
    caught = np.cumsum(theirs[:, order], axis=1)
    # The first at which enough are caught; a hair less forgives rounding.
    at = (caught >= CAUGHT * caught[:, -1:] - 1e-9).argmax(axis=1)
    above = values[None] >= others[order][at][:, None]
    return ratio((own * above).sum(axis=1), own.sum(axis=1))
