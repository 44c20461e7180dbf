"""What anyone would try first: classical filters for noise, each with its best chance, as baselines for the networks.

All of them work where photon noise is even (the generalised Anscombe transform, Murtagh et al. 1995, A&AS 112,
179), with the camera's dark current, read noise and gain known to them, which is more than a user often has. The noise
that is left is estimated from the image itself (Immerkær 1996, CVIU 64, 300), and a strength relative to it is chosen
elsewhere, on ground that is not measured. So is whether the columns' stripes are taken off first. The result goes back
by squaring, and its mean is set to the image's own, because squares of means are not means of squares. This module must
not know the truth.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lunarsite.vision.enhance.sensor import Exposure

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Filter = Callable[[Floats, float, float], Floats]
"""From an image whose noise is even, that noise's standard deviation, and a strength, to a filtered image."""

_LAPLACIANS = np.array([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]])
"""Difference of two Laplacians: blind to slopes and curvature, six times as noisy as the image."""
_NORMAL_MEDIAN = 0.6744897501960817
"""Median of the absolute value of a standard normal number."""
_STRIPE_SIGMA_PX = 8.0
"""Column means less their own Gaussian mean of this width are stripes."""
_PATCH_PX, _SEARCH_PX = 5, 7
_CLAHE_TILE_PX, _CLAHE_BINS = 32, 256
_CLAHE_LIMIT = 2.0
"""Pixels of a bin over those of an even histogram's. At 1 nothing is equalised and the filter is the Gaussian mean,
which stands beside it: so the width of the mean is chosen, and the limit is not."""


@dataclass(frozen=True)
class Classical:
    """One filter.

    Attributes:
        name: Short name, as records hold it.
        words: What it is, with its source.
        strengths: Those to choose from; one if there is nothing to choose.
        unit: What a strength counts.
        apply: The filter.
        package: What must be installed for it, beyond lunarsite's own dependencies; '' if nothing.
        slow: Whether it takes so long that stripes are treated as the best of the others treats them.
        from_nothing: Whether at the first strength nothing is smoothed, so that no smaller one is left to try.
    """

    name: str
    words: str
    strengths: tuple[float, ...]
    unit: str
    apply: Filter
    package: str = ""
    slow: bool = False
    from_nothing: bool = False

    @property
    def ends(self) -> frozenset[float]:
        """Strengths beyond which there are others that were not tried; none if there is nothing to choose."""
        first, last = self.strengths[0], self.strengths[-1]
        return frozenset() if first == last else frozenset({last} if self.from_nothing else {first, last})

    @property
    def present(self) -> bool:
        """Whether what it needs is installed."""
        return not self.package or importlib.util.find_spec(self.package) is not None


def even(exposure: Exposure) -> Floats:
    """Return the image where its photon and read noise have a standard deviation of about 1, (H, W); NaN stays NaN."""
    electrons, conditions = _electrons(exposure), exposure.conditions
    return np.asarray(2.0 * np.sqrt(np.maximum(electrons + 0.375 + conditions.read_noise**2, 0.0)))


def uneven(filtered: Floats, exposure: Exposure, counted: Mask) -> Floats:
    """Return a filtered image in the scene's units, its mean over the counted pixels set to the image's own."""
    conditions = exposure.conditions
    electrons = 0.25 * np.maximum(filtered, 0.0) ** 2 - 0.375 - conditions.read_noise**2
    electrons += float(_electrons(exposure)[counted].mean()) - float(electrons[counted].mean())
    return (electrons - conditions.dark) / exposure.electrons_per_unit


def filtered(exposure: Exposure, method: Classical, strength: float, *, destriped: bool) -> Floats:
    """Return the image as a filter gives it, (H, W) in the scene's units; NaN where the image is unknown.

    Overexposed pixels are taken for unknown before the filter, which sees the nearest pixel in shadow in their place:
    a filter that mixed them in would spill light over the shadow's border.

    Args:
        exposure: The image.
        method: The filter.
        strength: One of its strengths.
        destriped: Whether offsets of columns are taken off first.

    Raises:
        ValueError: All of the image is unknown or overexposed.
    """
    known = np.isfinite(exposure.image)
    counted = known & ~exposure.overexposed
    image = filled(even(exposure), counted)
    if destriped:
        image = image - stripes(image, counted)
    result = uneven(method.apply(image, noise_sigma(image), strength), exposure, counted)
    return np.where(known, result, np.nan)


def filled(image: Floats, counted: Mask) -> Floats:
    """Return the image with the nearest counted pixel where one is not counted.

    Raises:
        ValueError: None is counted.
    """
    if not counted.any():
        raise ValueError("no pixel of the image is known and not overexposed: there is nothing to filter")
    row, col = ndimage.distance_transform_edt(~counted, return_distances=False, return_indices=True)
    return np.asarray(image[row, col])


def stripes(image: Floats, counted: Mask) -> Floats:
    """Return the columns' offsets, (1, W): their means over counted pixels, less what changes slowly across columns."""
    share = counted.mean(axis=0)
    mean = np.where(counted, image, 0.0).sum(axis=0) / np.maximum(counted.sum(axis=0), 1)
    # Columns with few pixels tell little of their offset.
    weight = np.where(share > 0.0, share, 0.0)
    slow = ndimage.gaussian_filter1d(mean * weight, _STRIPE_SIGMA_PX) / np.maximum(
        ndimage.gaussian_filter1d(weight, _STRIPE_SIGMA_PX), 1e-12
    )
    return np.where(share > 0.25, mean - slow, 0.0)[None, :]


def noise_sigma(image: Floats) -> float:
    """Return the standard deviation of the image's noise, from the image alone: robust, blind to smooth ground."""
    response = ndimage.convolve(image, _LAPLACIANS, mode="reflect")[1:-1, 1:-1]
    # Quantised and constant images may have a median of zero.
    return max(float(np.median(np.abs(response))) / (6.0 * _NORMAL_MEDIAN), 1e-6)


def _electrons(exposure: Exposure) -> Floats:
    return exposure.image.astype(np.float64) * exposure.electrons_per_unit + exposure.conditions.dark


def _median(image: Floats, _: float, strength: float) -> Floats:
    return np.asarray(ndimage.median_filter(image, size=round(strength), mode="reflect"))


def _gaussian(image: Floats, _: float, strength: float) -> Floats:
    return np.asarray(ndimage.gaussian_filter(image, strength, mode="reflect"))


def _non_local(image: Floats, sigma: float, strength: float) -> Floats:
    from skimage.restoration import denoise_nl_means

    found = denoise_nl_means(
        image, patch_size=_PATCH_PX, patch_distance=_SEARCH_PX, h=strength * sigma, sigma=sigma, fast_mode=True
    )
    return np.asarray(found, np.float64)


def _variation(image: Floats, sigma: float, strength: float) -> Floats:
    from skimage.restoration import denoise_tv_chambolle

    found: Any = denoise_tv_chambolle  # carries no types
    return np.asarray(found(image, weight=strength * sigma), np.float64)


def _clahe(image: Floats, _: float, strength: float) -> Floats:
    from skimage.exposure import equalize_adapthist

    # Alone it would equalise the noise: it gets an image that is smoothed first.
    smooth: Floats = ndimage.gaussian_filter(image, strength, mode="reflect")
    low, high = float(smooth.min()), float(smooth.max())
    if not high > low:
        return smooth
    tile, limit = min(_CLAHE_TILE_PX, *image.shape), _CLAHE_LIMIT / _CLAHE_BINS
    found = equalize_adapthist((smooth - low) / (high - low), kernel_size=tile, clip_limit=limit, nbins=_CLAHE_BINS)
    return np.asarray(low + (high - low) * np.asarray(found, np.float64))


def _bm3d(image: Floats, sigma: float, strength: float) -> Floats:
    # Named in no import statement: its licence allows no commercial use, so that it is no dependency.
    package: Any = importlib.import_module("bm3d")
    return np.asarray(package.bm3d(image, sigma_psd=strength * sigma), np.float64)


CLASSICAL = (
    Classical(
        "median",
        "median of squares",
        (1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0, 17.0),
        "px",
        _median,
        from_nothing=True,
    ),
    Classical(
        "gaussian",
        "Gaussian mean",
        (0.0, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0),
        "px",
        _gaussian,
        from_nothing=True,
    ),
    Classical(
        "non-local means",
        "non-local means (Buades et al. 2005), patches of 5 px, 7 px around",
        (0.18, 0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6),
        "noise",
        _non_local,
    ),
    Classical(
        "total variation",
        "total variation (Chambolle 2004)",
        (0.18, 0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0),
        "noise",
        _variation,
    ),
    Classical(
        "bm3d",
        "BM3D (Dabov et al. 2007; Mäkinen et al. 2020)",
        (0.6, 0.8, 1.0, 1.25, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0),
        "noise",
        _bm3d,
        package="bm3d",
        slow=True,
    ),
    Classical(
        "clahe",
        f"contrast-limited adaptive histogram equalisation (Zuiderveld 1994), bins limited to {_CLAHE_LIMIT:g} times an"
        " even histogram's, after a Gaussian mean",
        (0.0, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0, 16.0),
        "px",
        _clahe,
        from_nothing=True,
    ),
)
"""Every classical baseline."""


def present() -> tuple[tuple[Classical, ...], tuple[Classical, ...]]:
    """Return the baselines that can run here, and those whose package is not installed."""
    return tuple(one for one in CLASSICAL if one.present), tuple(one for one in CLASSICAL if not one.present)
