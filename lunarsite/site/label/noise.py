"""Errors of an elevation model: Gaussian fields whose correlation falls exponentially with distance.

Fields are drawn by circulant embedding (Wood & Chan 1994, doi 10.1080/10618600.1994.10474655; Dietrich & Newsam 1997,
doi 10.1137/S1064827592240555): on a torus the covariance is diagonal in Fourier space, so white noise that is scaled
there and transformed has it exactly. The real and the imaginary part of one transform are two independent fields. The
torus is larger than the window by six correlation lengths: between any two pixels of the window the way around it
adds at most exp(-6), 0.25 % of the variance. A few of its eigenvalues may be a little below zero; they are set to zero
and the variance is put right.

This module must not know what the fields are added to.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from lunarsite.settings import SettingsError

Floats = NDArray[np.float32]

_REACH = 6.0
"""Correlation lengths after which nothing is left to speak of: exp(-6) = 0.25 %."""
_MOST_PX = 4096
"""Twice the longest reach, pixels. A torus is as long as its window and a reach, or two reaches. A window is a block of
at most 2048 pixels and the margins of slopes and buffer, so a torus may be longer than this by these margins and by
what makes it a length that transforms fast. White noise, factors and transform of 4096 x 4096 pixels take 0.3 GiB."""


def reach_px(correlation_m: float, pixel_m: float) -> int:
    """Return the pixels after which errors are taken to be independent.

    Raises:
        SettingsError: That is too far for fields that fit into memory.
    """
    reach = math.ceil(_REACH * correlation_m / pixel_m)
    most = _MOST_PX // 2
    if reach > most:
        raise SettingsError(
            f"site.uncertainty.correlation_m: is {correlation_m:g}, on pixels of {pixel_m:g} m it can be at most"
            f" {most * pixel_m / _REACH:g}; errors that reach farther tilt no slope, leave their long part out"
        )
    return reach


class ErrorField:
    """Pairs of independent standard-normal fields on a window of pixels, correlated as exp(-distance / correlation_m).

    Args:
        shape: Rows and columns of the window.
        pixel_m: Pixel size, metres.
        correlation_m: Distance at which the correlation has fallen to 1/e, metres; 0 makes white noise.

    Raises:
        SettingsError: The correlation reaches too far for fields that fit into memory.
    """

    def __init__(self, shape: tuple[int, int], pixel_m: float, correlation_m: float) -> None:
        reach = reach_px(correlation_m, pixel_m)
        rows, cols = (fft.next_fast_len(max(size + reach, 2 * reach), real=False) for size in shape)
        self._shape = shape
        self._amplitude = _amplitude((rows, cols), pixel_m, correlation_m)
        self._white = np.empty((rows, cols, 2), dtype=np.float32)

    def pair(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """Draw two independent fields, (rows, cols) each, of variance 1."""
        generator.standard_normal(out=self._white, dtype=np.float32)
        spectrum = self._white.view(np.complex64)[..., 0]
        spectrum *= self._amplitude
        fields = fft.fft2(spectrum, workers=1)[: self._shape[0], : self._shape[1]]
        return np.ascontiguousarray(fields.real), np.ascontiguousarray(fields.imag)


def _amplitude(torus: tuple[int, int], pixel_m: float, correlation_m: float) -> Floats:
    """Return the factors of white noise in Fourier space, (rows, cols)."""
    if correlation_m == 0.0:
        return np.full(torus, 1.0 / math.sqrt(math.prod(torus)), dtype=np.float32)
    down, across = (np.minimum(np.arange(size), size - np.arange(size)) * pixel_m for size in torus)
    covariance = np.exp(-np.hypot(down[:, None], across[None, :]) / correlation_m)
    eigenvalues = np.maximum(fft.fft2(covariance, workers=1).real, 0.0)
    return np.asarray(np.sqrt(eigenvalues / eigenvalues.sum()), dtype=np.float32)
