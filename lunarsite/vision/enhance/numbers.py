"""Numbers of images in 32 bits, and what that takes away from them.

Results are written in 32 bits, which hold seven digits: a count of 8 on top of 100 000 000 is none there. How much was
lost is kept, so that an image can be refused whose signal is not in its first seven digits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def narrowed(values: NDArray[Any]) -> tuple[NDArray[np.float32], float]:
    """Return numbers in 32 bits, and by how much one of them was rounded at most; what is not finite stays so.

    Numbers beyond the reach of 32 bits become infinite and do not count as rounded.
    """
    if values.dtype == np.float32:
        return values, 0.0
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    if np.can_cast(values.dtype, np.float32):
        return narrow, 0.0
    known = np.isfinite(values) & np.isfinite(narrow)
    lost = np.abs(np.subtract(narrow, values, dtype=np.float64, where=known, out=np.zeros(values.shape)))
    return narrow, float(lost.max(initial=0.0))
