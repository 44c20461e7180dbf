"""What the rasters of ways and the probabilities say of cells: class of the way, and contiguous good ground.

This module must not know files.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lunarsite.grid import Cells
from lunarsite.site.reduction import Read, reduce_layer

Floats32 = NDArray[np.float32]

REACHED, NO_WAY, UNKNOWN = "reached", "no way", "unknown"


def cell_ways(path_m: Read, way: Read, cells: Cells) -> tuple[Floats32, NDArray[np.str_]]:
    """Return the shortest way from each kept cell, metres, and its class, each (count,).

    'reached' from a cell if a way leads from any of its pixels, the length being the least of theirs; 'no way' if it is
    known that none does; 'unknown' else. Where the cell is not 'reached' the length is NaN.

    Args:
        path_m: Reads the ways' lengths.
        way: Reads whether ways lead, as the contract REACH has it.
        cells: The cells.
    """
    shortest_m = reduce_layer(path_m, cells).min
    known = reduce_layer(way, cells).valid_fraction >= 1.0
    kinds = np.where(np.isnan(shortest_m), np.where(known, NO_WAY, UNKNOWN), REACHED)
    return shortest_m, kinds


def good_area_km2(probability: Floats32, least: float, cells: Cells) -> Floats32:
    """Return the true area of the contiguous good ground that each kept cell is part of, km2, (count,).

    Cells of good ground share edges. 0 on cells that are not good, NaN on those whose probability is unknown. Beside
    unknown cells, and at the edge of the kept ones, the area is a lower bound.

    Args:
        probability: Of each kept cell to meet the rule, (count,); NaN where unknown.
        least: Probability from which on a cell is good.
        cells: The cells.
    """
    good = np.zeros((cells.rows, cells.cols), dtype=np.bool_)
    good[cells.kept] = probability >= least
    pieces, count = ndimage.label(good)
    piece = pieces[cells.kept]
    area_m2 = np.bincount(piece, weights=cells.true_area_m2(), minlength=count + 1)
    area_m2[0] = 0.0
    return np.where(np.isnan(probability), np.nan, 1e-6 * area_m2[piece]).astype(np.float32)
