"""How bright lit ground looks from straight above: the lunar-Lambert function.

Brightness is told as I/F: radiance over that of a white Lambert surface under the Sun at the zenith.

The lunar-Lambert function is a weighted sum of the Lommel-Seeliger law, which holds for dark ground that scatters once,
and of Lambert's (McEwen 1991, Icarus 92, 298, doi 10.1016/0019-1035(91)90053-V),

    I/F = A (2 L mu0 / (mu0 + mu) + (1 - L) mu0),

with mu0 and mu the cosines of incidence and emission. The weight L falls with the phase angle; its polynomial for the
Moon is McEwen's (1996, Lunar Planet. Sci. 27, 841). At a pole the Sun stands near the horizon, so an image from above
has phase angles around 90 degrees and ground there is nearly Lambert's (L = 0.19).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

ALBEDO = 0.16
"""Mean albedo of highlands (Vasavada et al. 2012, J. Geophys. Res. 117, E00H18). Direct light is proportional to it,
scattered light to its square; nothing else depends on it."""

_WEIGHT = (1.0, -0.019, 2.42e-4, -1.46e-6)
"""Coefficients of L by powers of the phase angle in degrees."""

Floats = NDArray[np.float64]


def lommel_seeliger_weight(phase_deg: ArrayLike) -> Floats:
    """Return the weight L of the Lommel-Seeliger term, 0..1; beyond the polynomial's root (about 120 deg) it is 0."""
    phase = np.asarray(phase_deg, dtype=np.float64)
    polynomial = _WEIGHT[0] + phase * (_WEIGHT[1] + phase * (_WEIGHT[2] + phase * _WEIGHT[3]))
    weight: Floats = np.clip(polynomial, 0.0, 1.0)
    return weight


def lunar_lambert(cos_incidence: ArrayLike, cos_emission: ArrayLike, weight: ArrayLike) -> Floats:
    """Return the brightness of ground of albedo 1, as I/F.

    Args:
        cos_incidence: Cosine of the angle between the Sun and the ground's normal; 0 or less is not lit.
        cos_emission: Cosine of the angle between the viewer and the normal, 0..1.
        weight: Weight of the Lommel-Seeliger term, 0..1.
    """
    lit = np.maximum(np.asarray(cos_incidence, dtype=np.float64), 0.0)
    seen = np.asarray(cos_emission, dtype=np.float64)
    total = lit + seen
    # Ground that is neither lit nor seen has no brightness, whatever the quotient.
    lommel = np.divide(2.0 * lit, total, out=np.zeros(np.broadcast(lit, seen).shape), where=~(total <= 0.0))
    share = np.asarray(weight, dtype=np.float64)
    brightness: Floats = share * lommel + (1.0 - share) * lit
    return brightness
