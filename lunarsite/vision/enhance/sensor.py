"""The sensor: what a camera in low light makes of a scene's radiance.

Light gives each pixel electrons, column by column with a gain of its own (a line scanner has a detector per column).
Photons and dark current arrive by chance (Poisson), the read-out adds noise (normal) and an offset of its own to each
column, the stripes. A bias keeps the read noise of dark pixels above 0; the sum is companded by the square root, so
that the steps grow as the photon noise does, and rounded to the bits of a stored number. What exceeds the full scale
is overexposed, and so is all ground that sees any part of the Sun: the exposure is made for shadow, a thousand times
darker. The image is what a calibration that knows the mean of all this gives back: stored numbers expanded, bias and
mean dark current taken off, in the scene's units. Stripes, gains and the noise stay in it.

The chain follows ShadowCam (Robinson et al. 2023, J. Astron. Space Sci. 40, 149: a line scanner with time-delay
integration, 12 bits companded to 8) and the noise model of Moseley et al. (2021, CVPR) and Bickel et al. (2021, Nature
Communications 12, 5607): photon noise, dark current, read noise, companding. Smear, stray light and the point spread
function are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunarsite.settings.enhance import SensorSettings
from lunarsite.vision.learn import LearningError

Floats = NDArray[np.float32]

FULL_SCALE_ELECTRONS = 4095.0
"""Electrons of the largest number before companding: 12 bits, an electron each."""
BIAS_ELECTRONS = 16.0
"""Added before companding: five standard deviations of the largest read noise."""


@dataclass(frozen=True)
class Conditions:
    """Of one exposure; all in electrons."""

    electrons: float
    """Signal of the median pixel in shadow."""
    dark: float
    """Mean dark current over the exposure."""
    read_noise: float
    """Standard deviation."""
    stripes: float
    """Standard deviation of the columns' offsets."""


@dataclass(frozen=True)
class Exposure:
    """An image and how it was made."""

    image: Floats
    """(H, W), calibrated, in the scene's units; NaN where the scene is unknown. Overexposed pixels all hold the largest
    number that the sensor gives."""
    stored: NDArray[np.uint16]
    """(H, W), companded numbers; 0 where the scene is unknown."""
    overexposed: NDArray[np.bool_]
    """(H, W)."""
    electrons_per_unit: float
    """Electrons that a radiance of 1 in the scene's units gives."""
    conditions: Conditions


def draw_conditions(sensor: SensorSettings, rng: np.random.Generator, electrons: float | None = None) -> Conditions:
    """Return the conditions of an exposure, drawn from the settings' ranges.

    Args:
        sensor: The ranges.
        rng: Draws.
        electrons: Signal of the median pixel; None: drawn evenly in its logarithm.
    """
    low, high = np.log(sensor.least_electrons), np.log(sensor.most_electrons)
    # Drawn in either case, so that the same seed gives the same noise at every level.
    drawn = float(np.exp(rng.uniform(low, high)))
    return Conditions(
        drawn if electrons is None else electrons,
        *(
            float(rng.uniform(*limits))
            for limits in (sensor.dark_electrons, sensor.read_noise_electrons, sensor.stripe_electrons)
        ),
    )


def expose(
    radiance: NDArray[Any],
    sun_fraction: NDArray[Any],
    conditions: Conditions,
    sensor: SensorSettings,
    rng: np.random.Generator,
) -> Exposure:
    """Return what the sensor makes of a scene.

    Args:
        radiance: (H, W), at least 0, in any units; NaN where unknown. Columns of the sensor run along the first axis.
        sun_fraction: (H, W), visible share of the Sun's disc; above 0 a pixel is overexposed.
        conditions: Of this exposure. Its signal is that of the median of the pixels in shadow that get any light.
        sensor: Gains and bits.
        rng: Draws the noise; the same state gives the same image.

    Raises:
        LearningError: No pixel in shadow gets any light.
    """
    radiance = np.asarray(radiance, np.float64)
    known = np.isfinite(radiance)
    lit = known & (np.asarray(sun_fraction) > 0.0)
    counted = radiance[known & ~lit & (radiance > 0.0)]
    if counted.size == 0:
        raise LearningError("no pixel of the scene lies in shadow and gets any light: there is nothing to expose for")
    per_unit = conditions.electrons / float(np.median(counted))
    columns = radiance.shape[1]
    gain = np.maximum(1.0 + sensor.gain_spread * rng.standard_normal(columns), 0.0)
    offset = conditions.stripes * rng.standard_normal(columns)
    # Beyond a few times the full scale a pixel is overexposed whatever chance adds; larger means overflow.
    signal = np.minimum(np.where(known, radiance, 0.0) * per_unit * gain, 4.0 * FULL_SCALE_ELECTRONS)
    electrons = rng.poisson(signal + conditions.dark).astype(np.float64)
    electrons += offset + conditions.read_noise * rng.standard_normal(radiance.shape)
    overexposed = known & (lit | (electrons >= FULL_SCALE_ELECTRONS))
    electrons[overexposed] = FULL_SCALE_ELECTRONS
    stored = compand(electrons, sensor.bits)
    image = (expand(stored, sensor.bits) - conditions.dark) / per_unit
    return Exposure(
        np.where(known, image, np.nan).astype(np.float32),
        np.where(known, stored, 0).astype(np.uint16),
        overexposed,
        per_unit,
        conditions,
    )


def compand(electrons: NDArray[np.float64], bits: int) -> NDArray[np.uint16]:
    """Return stored numbers: the square root of the electrons and the bias, rounded; cut off at both ends."""
    share = np.clip((electrons + BIAS_ELECTRONS) / (FULL_SCALE_ELECTRONS + BIAS_ELECTRONS), 0.0, 1.0)
    return np.asarray(np.rint(np.sqrt(share) * (2**bits - 1)), np.uint16)


def expand(stored: NDArray[np.uint16], bits: int) -> NDArray[np.float64]:
    """Return the electrons that stored numbers stand for."""
    share = (stored.astype(np.float64) / (2**bits - 1)) ** 2
    return np.asarray(share * (FULL_SCALE_ELECTRONS + BIAS_ELECTRONS) - BIAS_ELECTRONS)
