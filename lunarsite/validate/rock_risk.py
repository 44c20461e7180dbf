"""What error remains if the most uncertain part is handed to a human: risk-coverage curves (Geifman & El-Yaniv 2017).

Uncertainties of pixels are counted in narrow bins, so that a curve needs one pass and little memory; pixels of one bin
are handed over in no order, which is also how ties count.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lunarsite.vision.rock.classes import UNKNOWN
from lunarsite.vision.rock.scores import Classes, ratio

Floats = NDArray[np.float64]

HANDED_OVER = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)
"""Shares at which curves are told."""
_LEAST, _MOST, _BINS = 1e-9, 1.5, 1_024
# Most pixels are nearly certain: bins of equal ratio tell them apart as well as the doubtful ones.
_EDGES = np.concatenate([[0.0], np.geomspace(_LEAST, _MOST, _BINS)])


def risk_counts(uncertainty: NDArray[np.float32], wrong: NDArray[np.bool_], truth: Classes) -> Floats:
    """Return (bins, 2): pixels and how many of them are wrong, from the least uncertain on.

    Args:
        uncertainty: (H, W), 0 to ln 4; what is smaller than 1e-9 is equal.
        wrong: (H, W).
        truth: (H, W), 255 where it is unknown.
    """
    known = truth != UNKNOWN
    at = np.clip(np.searchsorted(_EDGES, uncertainty[known], side="right") - 1, 0, _BINS - 1)
    counts = (np.bincount(at, weights, _BINS) for weights in (None, wrong[known]))
    return np.stack([np.asarray(one, dtype=np.float64) for one in counts], axis=-1)


def remaining_error(counts: Floats, handed_over: float) -> Floats:
    """Return the error of what remains, (n,), of counts (n, bins, 2).

    Args:
        counts: Things and wrong ones by rising uncertainty.
        handed_over: Share that is handed over, the most uncertain first; less than 1.
    """
    whole = np.cumsum(counts, axis=1)
    kept = (1.0 - handed_over) * whole[:, -1, 0]
    return ratio(np.array([_at(one, limit) for one, limit in zip(whole, kept, strict=True)]), kept)


def at_share(handed_over: float) -> Callable[[Floats], Floats]:
    """Return `remaining_error` at one share, as a measure of summed counts."""
    return lambda counts: remaining_error(counts, handed_over)


def area(counts: Floats) -> Floats:
    """Return the area under the curve, (n,): the mean over coverages 0 to 1 of the error of what is kept.

    Exact for the counts: within a bin wrong pixels come evenly, so the error at coverage c is a / c + b.
    """
    whole = np.cumsum(counts, axis=1)
    total = whole[:, -1:, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        end = whole / total[..., None]
        start = np.concatenate([np.zeros_like(end[:, :1]), end[:, :-1]], axis=1)
        width = end[..., 0] - start[..., 0]
        slope = np.where(width > 0.0, (end[..., 1] - start[..., 1]) / width, 0.0)
        offset = start[..., 1] - slope * start[..., 0]
        # The first bin with pixels starts at coverage 0, where nothing is wrong yet.
        growth = np.where((width > 0.0) & (start[..., 0] > 0.0), end[..., 0] / start[..., 0], 1.0)
        found = (offset * np.log(growth) + slope * width).sum(axis=1)
    return np.where(total[:, 0] > 0.0, found, np.nan)


def total_error(counts: Floats) -> Floats:
    """Return the error with nothing handed over, (n,): also the curve, and the area, of handing over at random."""
    return ratio(counts[..., 1].sum(axis=1), counts[..., 0].sum(axis=1))


def oracle_error(handed_over: float) -> Callable[[Floats], Floats]:
    """Return the measure of what remains if all that is handed over is wrong, as long as something wrong is left."""
    kept = 1.0 - handed_over
    return lambda counts: np.maximum(total_error(counts) - handed_over, 0.0) / kept


def oracle_area(counts: Floats) -> Floats:
    """Return the least possible area at the same error e, (n,): e + (1 - e) ln(1 - e)."""
    error = total_error(counts)
    right = 1.0 - error
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(right > 0.0, error + right * np.log(np.where(right > 0.0, right, 1.0)), error)


def image_error(statistic: Floats, counts: Floats, weights: Floats, handed_over: float) -> Floats:
    """Return the error of the pixels of the images that are kept, (n,), if whole images are handed over.

    Args:
        statistic: (images,), the images of the largest are handed over first.
        counts: (images, 2): pixels and wrong ones.
        weights: (n, images): how often each image is there.
        handed_over: Share of the images.
    """
    order = np.argsort(statistic, kind="stable")
    there = np.cumsum(weights[:, order], axis=1)
    kept = (1.0 - handed_over) * there[:, -1:]
    # How much of each image's weight lies below the limit: an image at it counts in part.
    inside = np.clip(kept - (there - weights[:, order]), 0.0, weights[:, order])
    sums = inside @ counts[order]
    return ratio(sums[:, 1], sums[:, 0])


def _at(whole: Floats, limit: float) -> float:
    """Return how many wrong ones are among the `limit` least uncertain things of cumulated counts (bins, 2)."""
    return float(np.interp(limit, np.concatenate([[0.0], whole[:, 0]]), np.concatenate([[0.0], whole[:, 1]])))
