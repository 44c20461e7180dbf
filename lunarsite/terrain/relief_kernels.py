"""Compiled loop: a rank statistic over discs, one about every pixel.

scikit-image's rank filters do the same, but look through all bins of the histogram for every pixel, so bins must be
coarse, and leave out pixels without a value instead of telling that the disc is not whole. Here the histogram and the
place of the rank in it go along with the disc (Huang, Yang and Tang 1979, IEEE Trans. ASSP 27, 13, doi
10.1109/TASSP.1979.1163188): a pixel costs two disc diameters whatever the number of bins.
"""

from __future__ import annotations

import numba as nb
import numpy as np


@nb.njit(cache=True, parallel=True)
def disc_rank(bins, reach, rank, n_bins, out):  # type: ignore[no-untyped-def]
    """Bin of the rank-th smallest pixel of each disc; -1 where a pixel of the disc has no value.

    Args:
        bins: (m + 2 radius, n + 2 radius) bins of the pixels; n_bins where a pixel has no value.
        reach: (2 radius + 1,) pixels to either side of the disc's middle in each of its rows.
        rank: Rank wanted, from 1 to the number of the disc's pixels.
        n_bins: Number of bins.
        out: (m, n) int32, written.
    """
    diameter = reach.size
    radius = diameter // 2
    for i in nb.prange(out.shape[0]):
        count = np.zeros(n_bins + 1, np.int32)
        for k in range(diameter):
            for col in range(radius - reach[k], radius + reach[k] + 1):
                count[bins[i + k, col]] += 1
        place = 0  # the bin that holds the rank
        below = 0  # pixels in bins below it
        for j in range(out.shape[1]):
            if j > 0:
                for k in range(diameter):
                    old = bins[i + k, radius + j - 1 - reach[k]]
                    new = bins[i + k, radius + j + reach[k]]
                    count[old] -= 1
                    count[new] += 1
                    below += int(new < place) - int(old < place)
            if count[n_bins] > 0:
                out[i, j] = -1
                continue
            while below >= rank:
                place -= 1
                below -= count[place]
            while below + count[place] < rank:
                below += count[place]
                place += 1
            out[i, j] = place
