"""How well a predicted mask of light fits an image when it is moved: a little to register it, far to tell chance.

Small shifts are compared on one set of pixels, those under which the prediction is known however it is moved, so that
the image's ranks stay the same. A far one has the pieces of the true prediction at wrong places.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter
from scipy.stats import rankdata

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

FAR_STEP_M = 5_000.0
"""Far shifts are whole multiples of this along the frame's strip."""
_LEAST_CORE = 0.3
_LEAST_OVERLAP = 0.25
# With fewer pixels of either kind there is nothing to rank.
_FEWEST = 100


@dataclass(frozen=True)
class Registration:
    """The small shift of the prediction that fits best: pixels to the right and up, and what it gains.

    `still` is the area under the curve without a shift on the same pixels, `at_limit` whether the best shift is as long
    as any that was tried, so that a longer one could be better.
    """

    right_px: int
    up_px: int
    best: float
    still: float
    at_limit: bool


def register(score: Floats, lit: Mask, known: Mask, most_px: int) -> Registration | None:
    """Return the best shift of a prediction within `most_px` pixels along rows and columns.

    Args:
        score: Brightness, (rows, cols); infinite where it is only known to be at least some number.
        lit: Ground that is predicted to be lit.
        known: Pixels with brightness and a prediction.
        most_px: Largest shift along either axis.

    Returns:
        None where too little ground has a prediction under every shift, or one kind of ground is missing.
    """
    if most_px == 0:
        return None
    core = minimum_filter(known, size=2 * most_px + 1, mode="constant", cval=False)
    row, col = np.nonzero(core)
    if row.size < max(_LEAST_CORE * np.count_nonzero(known), 2 * _FEWEST):
        return None
    ranks = rankdata(score[core])
    moves = range(-most_px, most_px + 1)
    found = {
        (right, up): area(ranks, lit[row + up, col - right])
        for up in moves
        for right in moves
        if right * right + up * up <= most_px * most_px
    }
    still = found[(0, 0)]
    if still is None:
        return None
    # Of shifts that fit alike the shortest is taken.
    right, up = max(found, key=lambda move: (found[move] or 0.0, -math.hypot(*move)))
    at_limit = math.hypot(right, up) > most_px - 1
    return Registration(right, up, found[(right, up)] or 0.0, still, at_limit)


def moved_far(score: Floats, lit: Mask, known: Mask, pixel_m: float) -> Floats:
    """Return the area under the curve for predictions moved along the strip by multiples of `FAR_STEP_M`, both ways.

    Args:
        score: Brightness, (rows, cols).
        lit: Ground that is predicted to be lit.
        known: Pixels with brightness and a prediction.
        pixel_m: Pixel size, metres.
    """
    row, col = np.nonzero(known)
    if row.size < 2 * _FEWEST:
        return np.empty(0)
    along = _direction(row, col)
    length_px = np.ptp(row * along[0] + col * along[1])
    found = []
    for number in range(1, int(0.5 * length_px * pixel_m / FAR_STEP_M) + 1):
        for sign in (1.0, -1.0):
            down, right = (round(sign * number * FAR_STEP_M / pixel_m * part) for part in along)
            from_row, from_col = row - down, col - right
            inside = (from_row >= 0) & (from_row < known.shape[0]) & (from_col >= 0) & (from_col < known.shape[1])
            inside[inside] = known[from_row[inside], from_col[inside]]
            if inside.mean() < _LEAST_OVERLAP:
                continue
            value = area(rankdata(score[row[inside], col[inside]]), lit[from_row[inside], from_col[inside]])
            if value is not None:
                found.append(value)
    return np.array(found)


def area(ranks: Floats, lit: Mask) -> float | None:
    """Return the area under the curve by the ranks of brightness; None with fewer than 100 pixels of either kind."""
    chosen = int(np.count_nonzero(lit))
    other = lit.size - chosen
    if min(chosen, other) < _FEWEST:
        return None
    return float((ranks[lit].sum() - 0.5 * chosen * (chosen + 1)) / chosen / other)


def _direction(row: NDArray[np.int64], col: NDArray[np.int64]) -> tuple[float, float]:
    """Return the unit vector (down, right) along which pixels are spread most."""
    places = np.stack([row, col]).astype(np.float64)
    _, vectors = np.linalg.eigh(np.cov(places))
    return float(vectors[0, 1]), float(vectors[1, 1])
