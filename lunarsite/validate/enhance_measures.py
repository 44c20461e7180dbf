"""How near an enhanced image comes to the truth: errors, structure, edges, spectrum, and whether its own errors hold.

Only pixels in shadow count. Differences are told as shares of the truth's range, which is the distance from the 1st to
the 99th percentile of the truth in shadow, one number for each scene whatever the method. Radiometry is kept by a good
enhancement, so images are compared as they are; beside that stands the comparison after the best gain and offset, which
forgives a method that changes brightness and contrast alone. What a scene cannot tell is NaN. This module must not know
methods.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

WINDOW_PX = 5
"""Reach of SSIM's Gaussian window (sigma 1.5 px, cut at 3.5 sigma; Wang et al. 2004) from its centre."""
FALSE_ALARMS = 0.02
"""Share of the pixels away from the truth's edges that may be called edges; the threshold is set to it, by image."""
SPECTRUM_EDGES = tuple(np.geomspace(1.0 / 48.0, 0.5, 11).tolist())
"""Of the spectrum's bins, cycles per pixel."""
LEAST_PX = 400
"""Fewer pixels in shadow than this are not measured."""
_EDGE_SIGMA_PX = 1.0
_EDGE_SHARE = 0.1
"""Of the truth's gradient maxima in shadow, this share (the strongest) are its edges."""
_NEAR_PX = 1
_AWAY_PX = 3
_FADE_PX = 6.0
"""Over so many pixels the spectrum's window falls to zero at the border of the shadow."""


@dataclass(frozen=True)
class Truth:
    """A scene's ground truth.

    Attributes:
        radiance: (H, W), the noise-free image; NaN where unknown.
        shadow: (H, W), the pixels that count: known, and no part of the Sun in sight.
    """

    radiance: Floats
    shadow: Mask

    @cached_property
    def range(self) -> float:
        """Distance from the 1st to the 99th percentile in shadow; 0 if there is none."""
        if not self.shadow.any():
            return 0.0
        low, high = np.percentile(self.radiance[self.shadow], (1.0, 99.0))
        return float(high - low)

    @property
    def measurable(self) -> bool:
        """Whether enough of the scene lies in shadow, and its radiance differs."""
        return int(self.shadow.sum()) >= LEAST_PX and self.range > 0.0

    @cached_property
    def inner(self) -> Mask:
        """Pixels whose whole window lies in shadow."""
        return eroded(self.shadow, WINDOW_PX)

    @cached_property
    def filled(self) -> Floats:
        """The truth, and its mean in shadow elsewhere."""
        return _filled(self.radiance, self.shadow)

    @cached_property
    def edges(self) -> tuple[Mask, Mask]:
        """The truth's edges, and the pixels away from them, both within the inner shadow."""
        maxima = _gradient_maxima(self.filled)
        strengths = np.where(self.inner, maxima, 0.0)
        found = strengths[strengths > 0.0]
        if found.size == 0:
            return np.zeros_like(self.shadow), self.inner
        edges = strengths > np.quantile(found, 1.0 - _EDGE_SHARE)
        return edges, np.asarray(self.inner & ~ndimage.binary_dilation(edges, iterations=_AWAY_PX))


def eroded(mask: Mask, reach_px: int) -> Mask:
    """Return the pixels around which the whole square of this reach is in the mask; beyond the border nothing is."""
    return np.asarray(ndimage.minimum_filter(mask, size=2 * reach_px + 1, mode="constant", cval=False))


def fitted(result: Floats, truth: Truth) -> Floats:
    """Return the result after the gain and offset that bring it nearest to the truth in shadow (least squares)."""
    x, y = result[truth.shadow], truth.radiance[truth.shadow]
    spread = float(np.var(x))
    gain = float(np.mean((x - x.mean()) * (y - y.mean()))) / spread if spread > 0.0 else 0.0
    return np.asarray(gain * (result - x.mean()) + y.mean())


def psnr_db(result: Floats, truth: Truth) -> float:
    """Return the peak signal-to-noise ratio in shadow, dB: the truth's range over the RMS error; infinite if equal."""
    error = float(np.mean((result - truth.radiance)[truth.shadow] ** 2))
    return float("inf") if error == 0.0 else float(10.0 * np.log10(truth.range**2 / error))


def ssim(result: Floats, truth: Truth) -> float:
    """Return the mean structural similarity over windows that lie in shadow; NaN if none does."""
    from skimage import metrics

    if not truth.inner.any():
        return float("nan")
    # What lies outside counts in no window that is kept; it must only be finite.
    similarity: Any = metrics.structural_similarity  # carries no types
    found = similarity(
        truth.filled,
        np.where(truth.shadow, result, truth.filled),
        data_range=truth.range,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )[1]
    return float(np.asarray(found)[truth.inner].mean())


def edge_recall(result: Floats, truth: Truth) -> float:
    """Return the share of the truth's edges that have an edge of the result within 1 px; NaN if it has none.

    Of the result the strongest gradient maxima are edges: as many as make `FALSE_ALARMS` of the pixels away from the
    truth's. So a method gains nothing by more or by steeper edges.
    """
    edges, away = truth.edges
    allowed = int(FALSE_ALARMS * away.sum())
    if not edges.any() or allowed == 0:
        return float("nan")
    maxima = _gradient_maxima(_filled(result, truth.shadow))
    wrong = np.sort(maxima[away & (maxima > 0.0)])[::-1]
    threshold = float(wrong[allowed]) if wrong.size > allowed else 0.0
    near = ndimage.maximum_filter(np.where(truth.shadow, maxima, 0.0), size=2 * _NEAR_PX + 1)
    return float((near[edges] > threshold).mean())


def spectrum(result: Floats, truth: Truth) -> Floats:
    """Return power of the truth, power of the result, and their cross power by frequency, (3, bins), range squared.

    All three are means over a ring, of images that fade out towards the border of the shadow. The result's power over
    the truth's is 1 where it has the right contrast; the cross power over the root of both is the correlation of the
    two at that scale, which noise and invention lower.
    """
    depth = ndimage.distance_transform_edt(np.pad(truth.shadow, 1))[1:-1, 1:-1]
    window = np.sin(0.5 * np.pi * np.clip(depth / _FADE_PX, 0.0, 1.0)) ** 2
    weight = float(window.sum())
    both = []
    for image in (truth.radiance, result):
        known = np.where(truth.shadow, image, 0.0)
        centred = np.where(truth.shadow, known - float((known * window).sum()) / weight, 0.0)
        both.append(np.fft.rfft2(window * centred / truth.range))
    rows, cols = truth.shadow.shape
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(cols)[None, :])
    at = np.digitize(frequency, SPECTRUM_EDGES) - 1
    inside = (at >= 0) & (at < len(SPECTRUM_EDGES) - 1)
    powers = (np.abs(both[0]) ** 2, np.abs(both[1]) ** 2, (both[0] * both[1].conj()).real)
    bins = len(SPECTRUM_EDGES) - 1
    counts = np.maximum(np.bincount(at[inside], minlength=bins), 1)
    norm = float((window**2).sum())
    return np.array([np.bincount(at[inside], power[inside], minlength=bins) / counts / norm for power in powers])


@dataclass(frozen=True)
class Errors:
    """What a method's own standard errors are worth on one scene; NaN where nothing tells."""

    within_one: float
    """Share of the pixels in shadow whose truth lies within one standard error, and within two."""
    within_two: float
    squared: tuple[float, float]
    """Sum of squared differences in range, over supported and unsupported pixels."""
    pixels: tuple[int, int]
    """How many there are."""


def errors(result: Floats, error: Floats, support: NDArray[np.uint8], truth: Truth) -> Errors:
    """Return how a method's standard errors and its mask of support agree with its differences from the truth.

    Args:
        result: (H, W) enhanced image.
        error: (H, W) standard errors in the same numbers.
        support: (H, W), 1 supported, 0 not, else unknown.
        truth: The truth.
    """
    counted = truth.shadow & np.isfinite(error) & np.isfinite(result)
    if not counted.any():
        return Errors(float("nan"), float("nan"), (0.0, 0.0), (0, 0))
    off = np.abs(result - truth.radiance)
    parts = [counted & (support == kind) for kind in (1, 0)]
    squares = [float(((off[part] / truth.range) ** 2).sum()) for part in parts]
    return Errors(
        float((off[counted] <= error[counted]).mean()),
        float((off[counted] <= 2.0 * error[counted]).mean()),
        (squares[0], squares[1]),
        (int(parts[0].sum()), int(parts[1].sum())),
    )


def _filled(image: Floats, mask: Mask) -> Floats:
    return np.where(mask, image, float(image[mask].mean()) if mask.any() else 0.0)


def _gradient_maxima(image: Floats) -> Floats:
    """Return the gradient's size where it is largest along its own direction, 0 elsewhere (Canny 1986's thinning)."""
    down, right = (ndimage.gaussian_filter(image, _EDGE_SIGMA_PX, order=order) for order in ((1, 0), (0, 1)))
    size = np.hypot(down, right)
    # The nearest of the eight neighbours ahead and behind.
    with np.errstate(invalid="ignore", divide="ignore"):
        step = [np.nan_to_num(np.rint(part / size)).astype(np.int64) for part in (down, right)]
    rows, cols = np.indices(image.shape)
    ahead, behind = (
        size[
            np.clip(rows + sign * step[0], 0, image.shape[0] - 1), np.clip(cols + sign * step[1], 0, image.shape[1] - 1)
        ]
        for sign in (1, -1)
    )
    return np.where((size >= ahead) & (size >= behind), size, 0.0)
