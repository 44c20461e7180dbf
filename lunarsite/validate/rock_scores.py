"""How right classes are: confusion, intersection over union, and boundaries, as counts that add up over images.

Pixels whose truth is unknown count nowhere, whatever is said of them. This module must not know networks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from lunarsite.artefact.contracts import ROCK_CLASSES

Classes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

COUNT = len(ROCK_CLASSES)
UNKNOWN = 255


def ratio(above: NDArray[Any], below: NDArray[Any]) -> Floats:
    """Return a quotient of arrays of one shape, NaN where the divisor is 0."""
    return np.asarray(np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below != 0.0))


def confusion(truth: Classes, classes: Classes) -> Floats:
    """Return (4, 4): pixels by their true class (rows) and by the class that is said (columns).

    Args:
        truth: (H, W), 255 where it is unknown.
        classes: (H, W) of 0 to 3.
    """
    known = truth != UNKNOWN
    both = truth[known].astype(np.int64) * COUNT + classes[known]
    return np.bincount(both, minlength=COUNT * COUNT).reshape(COUNT, COUNT).astype(np.float64)


def iou(matrix: Floats) -> Floats:
    """Return the intersection over union of each class, (..., 4), of confusions (..., 4, 4).

    NaN where a class neither is nor is said to be.
    """
    both = np.diagonal(matrix, axis1=-2, axis2=-1)
    either = matrix.sum(axis=-1) + matrix.sum(axis=-2) - both
    return ratio(both, either)


def mean_iou(matrix: Floats) -> Floats:
    """Return the mean over classes, (...), of confusions (..., 4, 4): over those that are there or said to be."""
    values = iou(matrix)
    known = np.isfinite(values)
    return ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1))


def error_rate(matrix: Floats) -> Floats:
    """Return the share of pixels whose class is wrong, (...)."""
    total = matrix.sum(axis=(-2, -1))
    right = np.diagonal(matrix, axis1=-2, axis2=-1).sum(axis=-1)
    return ratio(total - right, total)


def boundary(truth: Classes, classes: Classes, tolerance_px: float) -> Floats:
    """Return (4, 4): by class, boundary pixels of what is said, those of them near the truth's, and the reverse.

    A boundary pixel is of the class and has one of another known class above, below or beside it; the picture's border
    and unknown pixels make no boundary. Near is within the tolerance from pixel centre to pixel centre. The score of
    Csurka et al. 2013 (What is a good evaluation measure for semantic segmentation?), summed over images.
    """
    known = truth != UNKNOWN
    counts = np.zeros((COUNT, 4))
    for number in range(COUNT):
        said, true = (_edge(one == number, known) for one in (classes, truth))
        counts[number] = (len(said), _near(said, true, tolerance_px), len(true), _near(true, said, tolerance_px))
    return counts


def boundary_f1(counts: Floats) -> Floats:
    """Return the harmonic mean of precision and recall of each class's boundary, (..., 4), of counts (..., 4, 4).

    NaN where neither side has a boundary of that class, 0 where only one has.
    """
    said, said_near, true, true_near = (counts[..., k] for k in range(4))
    precision, recall = (np.nan_to_num(ratio(near, edge)) for near, edge in ((said_near, said), (true_near, true)))
    score = np.nan_to_num(ratio(2.0 * precision * recall, precision + recall))
    return np.where(said + true > 0.0, score, np.nan)


def mean_boundary_f1(counts: Floats) -> Floats:
    """Return the mean over the classes that have a boundary, (...)."""
    values = boundary_f1(counts)
    known = np.isfinite(values)
    return ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1))


_CROSS = ndimage.generate_binary_structure(2, 1)


def _edge(mask: Mask, known: Mask) -> NDArray[np.int64]:
    """Return rows and columns of boundary pixels, (n, 2)."""
    beside = ndimage.binary_dilation(known & ~mask, _CROSS)
    return np.argwhere(mask & known & beside)


def _near(points: NDArray[np.int64], others: NDArray[np.int64], tolerance_px: float) -> int:
    if not len(points) or not len(others):
        return 0
    # The bound is exclusive: a hair more lets whole pixels at the tolerance count.
    found = KDTree(others).query(points, distance_upper_bound=tolerance_px + 1e-6)[0]
    return int(np.isfinite(found).sum())
