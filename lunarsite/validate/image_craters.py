"""Craters seen in images without learning: what an image shows, and what it shows that the truth does not.

A crater lit from one side is a known pattern: brightness follows the slope towards the light. Patterns of fresh
craters (Fassett and Thomson 2014, JGR Planets 119, 2255) of several sizes, lit from the light's direction, are
correlated with the image, normalised to -1..1 in each window (Lewis 1995; scikit-image's `match_template`), and of
overlapping peaks the best stays. The same pattern lit from the other side is its negative, so bumps are found at the
same cost; bowls are common on the Moon and bumps are not, and the correlation at which few bumps are found is where
craters are reliable.

Two images are compared with two thresholds. What is found in one at the high threshold counts as missing in the other
only if the other does not show it even at the low one: a crater just above a threshold here and just below it there is
no difference. This module must not know methods.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lunarsite.validate.enhance_measures import Truth
from lunarsite.vision.crater.classical import bowl
from lunarsite.vision.crater.matching import Circles, match

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEAST_PX, MOST_PX = 6.0, 30.0
"""Diameters that are looked for, pixels."""
SLACK = 0.1
"""The low threshold lies so far below the high one."""
MOST_BUMP_SHARE = 0.2
"""At the high threshold there are at most this many bumps for each bowl in the truth."""
THRESHOLDS = tuple(round(0.5 + 0.025 * k, 3) for k in range(17))
"""High thresholds that are tried."""
_STEP = 2.0**0.25
_REACH = 1.3
"""The window of a correlation reaches this many radii from the centre: floor, walls and rim."""
_LEAST_CONTRAST = 0.02
"""Standard deviation of the image along the pattern that a crater has at least, share of the truth's range."""
_INSIDE_SHARE = 0.9
"""Share of the window that must lie in shadow."""
_APART_RADII = 1.0


@dataclass(frozen=True)
class Seen:
    """Craters that an image shows: places and diameters in pixels, and correlation; each (n,), best first."""

    col: Floats
    row: Floats
    diameter_px: Floats
    score: Floats

    def __len__(self) -> int:
        """Return the number of craters."""
        return int(self.col.size)

    def above(self, threshold: float) -> Seen:
        """Return those at or above a threshold."""
        kept = self.score >= threshold
        return Seen(self.col[kept], self.row[kept], self.diameter_px[kept], self.score[kept])

    def circles(self) -> Circles:
        """Return them as circles on a map of pixels of one metre around the pole, where a map's lengths are true."""
        return Circles(self.col, self.row, self.diameter_px)


NONE = Seen(*(np.zeros(0) for _ in range(4)))


@lru_cache(maxsize=256)
def pattern(diameter_px: float, azimuth_deg: float) -> Floats:
    """Return the brightness of a fresh crater, less its mean, lit from a map direction, (n, n) with n odd.

    Brightness is the slope towards the light: small slopes under any law of reflection. Rows run down the map.

    Args:
        diameter_px: Rim to rim.
        azimuth_deg: Where the light comes from, clockwise from the top of the map.
    """
    reach = math.ceil(_REACH * 0.5 * diameter_px)
    # Finer than the pixels and averaged: a small crater's rim is thinner than a pixel.
    fine = 5
    side = (2 * reach + 1) * fine
    at = (np.arange(side) - 0.5 * (side - 1)) / fine
    height = bowl(np.hypot(at[:, None], at[None, :]) / (0.5 * diameter_px)) * diameter_px
    down, right = np.gradient(height, 1.0 / fine)
    azimuth = math.radians(azimuth_deg)
    # Ground that falls towards the light faces it: up the map is -row.
    lit = -(right * math.sin(azimuth) - down * math.cos(azimuth))
    found = lit.reshape(2 * reach + 1, fine, 2 * reach + 1, fine).mean(axis=(1, 3))
    found -= found.mean()
    found.setflags(write=False)
    return np.asarray(found)


def diameters_px(side_px: int) -> list[float]:
    """Return the sizes that are looked for in an image of this side, ascending."""
    count = round(math.log(MOST_PX / LEAST_PX) / math.log(_STEP)) + 1
    sizes = [LEAST_PX * _STEP**k for k in range(count)]
    return [size for size in sizes if 2 * math.ceil(_REACH * 0.5 * size) + 1 < side_px]


def seen(
    image: Floats,
    shadow: Mask,
    contrast: float,
    azimuth_deg: float,
    *,
    least: float = THRESHOLDS[0] - SLACK,
    bumps: bool = False,
) -> Seen:
    """Return the craters that an image shows in shadow.

    Args:
        image: (H, W); what is not in shadow may be anything, NaN included.
        shadow: (H, W), the pixels that count.
        contrast: The truth's range, or any other measure of contrast in the image's numbers.
        azimuth_deg: Where the light comes from; NaN if unknown.
        least: Least correlation.
        bumps: Look for bumps instead: what no crater looks like in this light.
    """
    if not shadow.any():
        return NONE
    known = np.where(shadow, image, float(np.mean(image[shadow])))
    found = []
    for diameter in diameters_px(min(image.shape)):
        score = correlation(known, shadow, contrast, diameter, azimuth_deg, bumps=bumps)
        peak = (score >= least) & (score == ndimage.maximum_filter(score, size=max(3, int(0.5 * diameter) | 1)))
        row, col = np.nonzero(peak)
        found.append(np.stack([col, row, np.full(col.size, diameter), score[row, col]], axis=1).astype(np.float64))
    peaks = np.concatenate(found) if found else np.zeros((0, 4))
    peaks = peaks[np.argsort(-peaks[:, 3], kind="stable")]
    return Seen(*peaks[_apart(peaks)].T)


def correlation(
    image: Floats, shadow: Mask, contrast: float, diameter_px: float, azimuth_deg: float, *, bumps: bool = False
) -> Floats:
    """Return how well a crater of one size fits at each pixel, -1 where window or contrast do not suffice, (H, W).

    Light from any direction gives a sum of the patterns lit from the top and from the right. The two are perpendicular
    and equally long, so where the direction is unknown the best one's correlation is the root of the squares of both.

    Args:
        image: (H, W), finite.
        shadow: (H, W), the pixels that count.
        contrast: The truth's range, or any other measure of contrast in the image's numbers.
        diameter_px: The crater's, rim to rim.
        azimuth_deg: Where the light comes from; NaN if unknown.
        bumps: Look for bumps instead; with unknown light they are no different.
    """
    from skimage import feature

    correlated: Any = feature.match_template  # carries no types
    side = pattern(diameter_px, 0.0).shape[0]
    inside = ndimage.uniform_filter(shadow.astype(np.float64), side, mode="constant") >= _INSIDE_SHARE
    azimuths = [azimuth_deg] if math.isfinite(azimuth_deg) else [0.0, 90.0]
    parts = [correlated(image, pattern(diameter_px, one), pad_input=True, mode="edge") for one in azimuths]
    best = (-parts[0] if bumps else parts[0]) if len(parts) == 1 else np.hypot(*parts)
    mean = ndimage.uniform_filter(image, side)
    spread = np.sqrt(np.maximum(ndimage.uniform_filter(image**2, side) - mean**2, 0.0))
    return np.where(inside & shadow & (best * spread >= _LEAST_CONTRAST * contrast), best, -1.0)


def _apart(peaks: Floats) -> list[int]:
    """Return the peaks that no better one of similar size overlaps, best first."""
    kept: list[int] = []
    for index, (col, row, diameter, _) in enumerate(peaks):
        others = peaks[kept]
        near = np.hypot(others[:, 0] - col, others[:, 1] - row) < _APART_RADII * 0.5 * np.minimum(
            others[:, 2], diameter
        )
        near &= np.abs(np.log2(others[:, 2] / diameter)) < 1.0
        if not near.any():
            kept.append(index)
    return kept


@dataclass(frozen=True)
class Compared:
    """Craters of a result against those of the truth, numbers of them."""

    truth: int
    """In the truth, at the high threshold."""
    result: int
    found: int
    """Of the truth's, those that the result shows at least at the low threshold."""
    invented: int
    """Of the result's, those that the truth does not show even at the low threshold."""

    @property
    def lost(self) -> int:
        """Of the truth's, those that the result does not show even at the low threshold."""
        return self.truth - self.found


def compared(result: Seen, truth: Seen, threshold: float) -> Compared:
    """Return what a result shows of the truth, one to one: centres within half a radius, diameters within 35 %.

    Args:
        result: Craters of the result, down to the low threshold at least.
        truth: Craters of the truth, likewise.
        threshold: The high threshold; the low one is `SLACK` below.
    """
    high, low = (tuple(one.above(level) for one in (result, truth)) for level in (threshold, threshold - SLACK))
    found = int((match(low[0].circles(), high[1].circles()) >= 0).sum())
    confirmed = int((match(high[0].circles(), low[1].circles()) >= 0).sum())
    return Compared(len(high[1]), len(high[0]), found, len(high[0]) - confirmed)


def reliable_threshold(truths: Sequence[Truth], azimuths_deg: Sequence[float]) -> tuple[float, float, float]:
    """Return the lowest high threshold at which the truth shows few bumps, and bowls and bumps per image there.

    If none has so few bumps, it is the highest that is tried.

    Args:
        truths: Scenes that are not measured.
        azimuths_deg: Where their light comes from.
    """
    pairs = [
        [seen(one.radiance, one.shadow, one.range, azimuth, bumps=bumps) for bumps in (False, True)]
        for one, azimuth in zip(truths, azimuths_deg, strict=True)
        if one.measurable
    ]
    threshold, bowls, bumps = THRESHOLDS[-1], 0, 0
    for threshold in THRESHOLDS:
        bowls, bumps = (sum(len(pair[kind].above(threshold)) for pair in pairs) for kind in (0, 1))
        if bumps <= MOST_BUMP_SHARE * bowls:
            break
    count = max(len(pairs), 1)
    return threshold, bowls / count, bumps / count
