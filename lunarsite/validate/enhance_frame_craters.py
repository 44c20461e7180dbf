"""Do the catalogue's craters stand out in shadow, in raw and in enhanced frames?

At each crater that a frame could show (8 to 30 pixels, in shadow with its surroundings), and at one circle of the same
size a few diameters away where the catalogue knows none, the pattern of a crater lit from the best direction is
correlated with the image. How often the crater's correlation is the larger of the two, over all pairs of craters and
circles (AUC), needs no threshold and is 0.5 where craters do not show. Intervals draw craters, each with all its
sightings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.grid import scale_factor
from lunarsite.validate.enhance_frames import VARIANTS, Frame, Image, variant, with_best_mean
from lunarsite.validate.enhance_intervals import FEWEST_GROUNDS, Estimate, estimate
from lunarsite.validate.image_craters import correlation

Floats = NDArray[np.float64]

LEAST_PX, MOST_PX = 8.0, 30.0
_SIZES = (2.0**-0.25, 1.0, 2.0**0.25)
"""Of the catalogue's diameter: within the 35 % that match."""
_TRIES = 12
_AWAY_DIAMETERS = (2.0, 6.0)


@dataclass(frozen=True)
class Scores:
    """Best correlations at craters and at circles elsewhere, by image, and the craters' numbers; each (n,)."""

    craters: dict[str, Floats]
    circles: dict[str, Floats]
    crater_id: NDArray[np.int64]


@dataclass(frozen=True)
class Standing:
    """How craters stand out by kind of image: AUC, share at the threshold, and chance at it."""

    auc: dict[str, Estimate]
    recall: dict[str, Estimate]
    chance: dict[str, Estimate]
    craters: int
    sightings: int
    smoothed_px: float | None
    """Width of the Gaussian mean in which they stand out most."""


def score_frames(frames: Sequence[Frame], catalogue: pd.DataFrame, seed: int) -> Scores:
    """Return the correlations at the catalogue's craters and at circles elsewhere.

    Args:
        frames: The frames.
        catalogue: CRATERS' columns id, x_m, y_m, diameter_m.
        seed: Of the places elsewhere.
    """
    rng = np.random.default_rng([seed, 2])
    x_m, y_m = (catalogue[name].to_numpy(np.float64) for name in ("x_m", "y_m"))
    map_m = catalogue["diameter_m"].to_numpy(np.float64) * scale_factor(x_m, y_m)
    ids = catalogue["id"].to_numpy(np.int64)
    craters: dict[str, list[float]] = {kind: [] for kind in VARIANTS}
    circles: dict[str, list[float]] = {kind: [] for kind in VARIANTS}
    found = []
    for frame in frames:
        col = x_m / frame.pixel_m - frame.origin_px[1] - 0.5
        row = -y_m / frame.pixel_m - frame.origin_px[0] - 0.5
        size = map_m / frame.pixel_m
        shown = {kind: variant(frame, kind) for kind in VARIANTS}
        rows, cols = frame.dark.shape
        near = (col > -2.0 * MOST_PX) & (col < cols + 2.0 * MOST_PX) & (row > -2.0 * MOST_PX)
        near &= row < rows + 2.0 * MOST_PX
        known = np.stack([row[near], col[near], size[near]], axis=1)
        for k in np.flatnonzero(near & (size >= LEAST_PX) & (size <= MOST_PX)):
            here = _scores(frame, shown, row[k], col[k], size[k])
            if here is None:
                continue
            elsewhere = _elsewhere(frame, shown, known, (row[k], col[k], size[k]), rng)
            if elsewhere is None:
                continue
            found.append(int(ids[k]))
            for kind in VARIANTS:
                craters[kind].append(here[kind])
                circles[kind].append(elsewhere[kind])
    return Scores(
        {kind: np.array(values) for kind, values in craters.items()},
        {kind: np.array(values) for kind, values in circles.items()},
        np.array(found, np.int64),
    )


def standing(scores: Scores, threshold: float, draws: int, seed: int) -> Standing:
    """Return how craters stand out, with intervals over craters; all kinds of image are drawn with the same ones."""
    names, at = np.unique(scores.crater_id, return_inverse=True)
    count = names.size
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1.0 / count), size=draws) if count else None
    weights = np.zeros((draws, 0)) if drawn is None else drawn[:, at].astype(np.float64)
    areas_of: dict[str, Estimate] = {}
    recalls: dict[str, Estimate] = {}
    chances: dict[str, Estimate] = {}
    for kind in VARIANTS:
        here, away = scores.craters[kind], scores.circles[kind]
        wins = (here[:, None] > away[None, :]) + 0.5 * (here[:, None] == away[None, :])
        with np.errstate(invalid="ignore", divide="ignore"):
            total = weights.sum(axis=1)
            areas = ((weights @ wins) * weights).sum(axis=1) / total**2
            shares = [weights @ (one >= threshold) / total for one in (here, away)]
        areas_of[kind] = _known(float(wins.mean()) if wins.size else None, areas, count)
        for target, one, share in ((recalls, here, shares[0]), (chances, away, shares[1])):
            target[kind] = _known(float((one >= threshold).mean()) if one.size else None, share, count)
    auc, width_px = with_best_mean(areas_of)
    mean = f"smoothed {width_px:g}" if width_px is not None else VARIANTS[1]
    recall, chance = ({**one, "smoothed": one[mean]} for one in (recalls, chances))
    return Standing(auc, recall, chance, count, int(scores.crater_id.size), width_px)


def _known(value: float | None, draws: Floats, count: int) -> Estimate:
    return estimate(value, draws if count >= FEWEST_GROUNDS else np.full(draws.shape, np.nan))


def _scores(frame: Frame, shown: Mapping[str, Image], row: float, col: float, size: float) -> dict[str, float] | None:
    """Return the best correlation by image within half a radius of a place; None if it is not in shadow as a whole."""
    reach = math.ceil(1.3 * 0.5 * max(_SIZES) * size) + 1
    slack = math.ceil(0.25 * size)
    r, c, side = round(row), round(col), reach + slack
    window = slice(r - side, r + side + 1), slice(c - side, c + side + 1)
    inside = all(one.start >= 0 and one.stop <= n for one, n in zip(window, frame.dark.shape, strict=True))
    if not inside or not frame.dark[window].all():
        return None
    at = np.arange(2 * side + 1) - side
    close = np.hypot(at[:, None] - (row - r), at[None, :] - (col - c)) < 0.25 * size
    found = {}
    for kind, whole in shown.items():
        image = whole[window].astype(np.float64)
        best = [correlation(image, frame.dark[window], 0.0, share * size, float("nan")) for share in _SIZES]
        found[kind] = float(np.max(best, axis=0)[close].max())
    return found


def _elsewhere(
    frame: Frame,
    shown: Mapping[str, Image],
    known: Floats,
    crater: tuple[float, float, float],
    rng: np.random.Generator,
) -> dict[str, float] | None:
    """Return the scores at a circle of the same size where the catalogue has no crater; None if no try finds one."""
    row, col, size = crater
    for _ in range(_TRIES):
        angle, reach = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(*_AWAY_DIAMETERS) * size
        place = row + reach * math.sin(angle), col + reach * math.cos(angle)
        distance = np.hypot(known[:, 0] - place[0], known[:, 1] - place[1])
        alike = np.abs(np.log2(known[:, 2] / size)) < 1.0
        if (alike & (distance < 0.5 * (known[:, 2] + size))).any():
            continue
        found = _scores(frame, shown, place[0], place[1], size)
        if found is not None:
            return found
    return None
