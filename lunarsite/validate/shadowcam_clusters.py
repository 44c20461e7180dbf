"""Which frames show the same ground, so that a bootstrap draws them together.

Frames whose common ground is a fifth of the smaller one's or more belong together, and so do those that a chain of such
frames joins. Ground is counted in squares of a kilometre.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lunarsite.grid import Grid

Squares = frozenset[tuple[int, int]]
SQUARE_M = 1_000.0
LEAST_COMMON = 0.2
"""At a tenth the strips about the pole, which all cross, chain up to four clusters: too few for any interval."""


def squares_of(grid: Grid, mask: NDArray[np.bool_]) -> Squares:
    """Return the map's squares that the pixels of a mask lie in."""
    row, col = np.nonzero(mask)
    x, y = grid.x_m()[col], grid.y_m()[row]
    both = np.unique(np.floor(np.stack([x, y], axis=1) / SQUARE_M).astype(np.int64), axis=0)
    return frozenset((int(right), int(up)) for right, up in both)


def clusters(grounds: Sequence[Squares]) -> list[int]:
    """Return the number of each frame's cluster; one whose ground is not known is alone."""
    found = list(range(len(grounds)))
    for i, one in enumerate(grounds):
        for j in range(i):
            smaller = min(len(one), len(grounds[j]))
            if smaller and len(one & grounds[j]) >= LEAST_COMMON * smaller and found[i] != found[j]:
                kept, gone = sorted((found[i], found[j]))
                found = [kept if number == gone else number for number in found]
    return found
