"""The sky in pictures that are taken on the Moon: black, and in one piece with the upper edge.

Beside `grid` because two rooms need it: the source calls the sky of a mask unknown where nobody drew it, and vision
holds its networks against finding no rock at all. This module must not know files.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

BLACK = 20
"""Pixels of 8 bits whose brightest channel is below this level are sky or shadow."""


def black_above(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where (H, W) a picture (H, W, 3) is black in one piece with its upper edge; a shadow below is not.

    In a picture of ground alone a shadow that reaches the upper edge is taken for sky.
    """
    pieces, _ = ndimage.label(image.max(axis=2) < BLACK)
    top = np.unique(pieces[0])
    return np.asarray(np.isin(pieces, top[top > 0]))
