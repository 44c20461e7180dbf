"""The probability that a cell meets a rule: the share of clones whose slope does, times that of light and Earth view.

Errors of slope, light and Earth view are taken to be independent of each other. Then the probability is a product, and
only the slope's factor has to be drawn. Light and Earth view have Gaussian errors of known size, so their factors are
integrals that are known exactly; drawing them too would give the same mean with more noise (Rao-Blackwell): of N draws
with probabilities s (slope) and t (the rest), the share that passes all has the variance st (1 - st) / N, the share
that passes the slope times t only t^2 s (1 - s) / N, which is smaller wherever t < 1. And it stays graded in light and
Earth view, where a share of 200 draws has 201 values.

A bias that was measured, what the map has too much of on average, is taken off first, so that the Gaussian is centred
on the best estimate of the truth and not on the map.

What independence leaves out: one elevation model makes all three. Ground that is too smooth in the model is too gentle
and too bright at once, so a cell that fails one limit in truth is likelier to fail the others too, and the probability
of meeting all three is somewhat higher than the product. The errors of light and Earth view are also shared by
neighbouring cells; that changes no cell's own probability.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ShareError:
    """Error of a map of shares of time, percent of time.

    Attributes:
        sigma_pct: One-sigma error about the bias; 0 makes a step, and a value on the limit passes.
        bias_pct: What the map exceeds the truth by on average; it is taken off.
        source: Where both come from.
    """

    sigma_pct: float
    bias_pct: float = 0.0
    source: str = ""

    def widened(self) -> ShareError:
        """Return the same error as a centred one: the bias is not taken off and widens it, to the root mean square."""
        return replace(self, sigma_pct=math.hypot(self.sigma_pct, self.bias_pct), bias_pct=0.0)


NO_ERROR = ShareError(0.0)


def share_at_least(value_pct: NDArray[Any], least_pct: float, error: ShareError) -> Floats:
    """Return the probability that a share of time whose error is Gaussian is at least so large; NaN where unknown.

    Args:
        value_pct: The map's shares of time, percent.
        least_pct: The limit, percent. No share is below 0: a limit of 0 is met with certainty.
        error: The map's error.
    """
    value = np.asarray(value_pct, dtype=np.float64) - error.bias_pct
    if least_pct <= 0.0:
        found = np.ones(value.shape)
    elif error.sigma_pct == 0.0:
        found = (value >= least_pct).astype(np.float64)
    else:
        found = np.asarray(ndtr((value - least_pct) / error.sigma_pct), dtype=np.float64)
    return np.where(np.isnan(value), np.nan, found)


def monte_carlo_error(share: Floats, draws: int) -> Floats:
    """Return the standard error of a share of so many draws."""
    return np.asarray(np.sqrt(share * (1.0 - share) / draws), dtype=np.float64)
