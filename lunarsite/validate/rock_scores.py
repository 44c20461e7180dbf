"""How right the boundaries of classes are, as counts that add up over images; overlap is in `vision.rock.scores`.

Pixels whose truth is unknown count nowhere, whatever is said of them. This module must not know networks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from lunarsite.vision.rock.classes import COUNT, UNKNOWN
from lunarsite.vision.rock.scores import Classes, Floats, ratio

Mask = NDArray[np.bool_]


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
