"""Light on the ground and what a camera makes of it.

Brightness is told as I/F: radiance over that of a white Lambert surface under the Sun at the zenith. Ground and rocks
follow Hapke's function with a two-lobed phase function and the opposition surge of shadows (Hapke 1993, Theory of
Reflectance and Emittance Spectroscopy), without macroscopic roughness: relief is there as such. Parameters are near the
Moon's at 643 nm (Sato et al. 2014, J. Geophys. Res. Planets 119, 1775). Into shadow comes what lit ground scatters: a
small share of its mean brightness, most of it to surfaces that look down at it. The Sun is the only lamp; there is no
air.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

GROUND_ALBEDO, ROCK_ALBEDO = 0.25, 0.38
"""Single-scattering albedo; rocks are brighter than the dust about them."""

_LOBE = 0.24
_BALANCE = 3.29 * math.exp(-17.4 * _LOBE**2) - 0.908
"""Of forward and backward lobe: the 'hockey stick' relation of Sato et al. (2014)."""
_SURGE, _SURGE_WIDTH = 1.6, 0.07

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sensor:
    """A camera's exposure.

    Attributes:
        level: What the 95th percentile of the ground's brightness is told as, full scale 1.
        gamma: Signal is told as its power of 1 / gamma.
        electrons: At full scale; fewer make more noise.
        tint: Factors of red, green and blue.
        vignetting: Loss of light at the corners.
    """

    level: float
    gamma: float
    electrons: float
    tint: tuple[float, float, float]
    vignetting: float


def reflectance(cos_incidence: Floats, cos_emission: Floats, cos_phase: Floats, albedo: Floats) -> Floats:
    """Return I/F by Hapke's function; 0 where the surface faces away from the Sun.

    Args:
        cos_incidence: Cosine of the angle between the normal and the Sun.
        cos_emission: Cosine of the angle between the normal and the viewer.
        cos_phase: Cosine of the angle between Sun and viewer.
        albedo: Single-scattering albedo, 0..1.
    """
    lit, seen = np.maximum(cos_incidence, 0.0), np.maximum(cos_emission, 1e-3)
    backward = 1.0 - 2.0 * _LOBE * cos_phase + _LOBE**2
    forward = 1.0 + 2.0 * _LOBE * cos_phase + _LOBE**2
    phase = 0.5 * (1.0 - _LOBE**2) * ((1.0 + _BALANCE) * backward**-1.5 + (1.0 - _BALANCE) * forward**-1.5)
    # tan(g / 2) from the cosine of g; it is infinite where the Sun stands opposite.
    half = np.sqrt(np.maximum(1.0 - cos_phase, 0.0) / np.maximum(1.0 + cos_phase, 1e-9))
    surge = _SURGE / (1.0 + half / _SURGE_WIDTH)
    gamma = np.sqrt(1.0 - albedo)
    many = (1.0 + 2.0 * lit) / (1.0 + 2.0 * lit * gamma) * ((1.0 + 2.0 * seen) / (1.0 + 2.0 * seen * gamma))
    found: Floats = 0.25 * albedo * lit / (lit + seen) * (phase * (1.0 + surge) + many - 1.0)
    return found


def scattered(up: Floats, mean: float, share: float) -> Floats:
    """Return the light that comes from lit ground, as I/F.

    Args:
        up: Upward component of the normals; ground fills half of the sky of an upright surface.
        mean: Mean brightness of the ground that is seen.
        share: Of that brightness a surface that looks straight down would show.
    """
    found: Floats = mean * share * (0.15 + 0.85 * 0.5 * (1.0 - up))
    return found


def texture(draws: np.random.Generator, cells: int = 256) -> Floats:
    """Return a periodic pattern of albedo (cells, cells) with mean 0 and spread 1, smooth patches with fine detail."""
    noise = np.fft.rfft2(draws.standard_normal((cells, cells)))
    frequency = np.hypot(np.fft.fftfreq(cells)[:, None], np.fft.rfftfreq(cells)[None, :])
    frequency[0, 0] = np.inf
    field = np.fft.irfft2(noise * frequency**-1.3, s=(cells, cells))
    pattern: Floats = field / field.std()
    return pattern


def textured(pattern: Floats, x_m: Floats, y_m: Floats, period_m: float) -> Floats:
    """Return the pattern at places of the ground."""
    cells = len(pattern)
    places = np.stack([y_m, x_m]) * (cells / period_m)
    found: Floats = ndimage.map_coordinates(pattern, places, order=1, mode="grid-wrap")
    return found


def photograph(
    brightness: Floats, ground: NDArray[np.bool_], sensor: Sensor, draws: np.random.Generator
) -> NDArray[np.uint8]:
    """Return what the sensor makes of I/F: (rows, cols, 3) uint8.

    Args:
        brightness: (rows, cols).
        ground: Pixels by which it is exposed.
        sensor: Its exposure.
        draws: Source of the noise.
    """
    rows, cols = brightness.shape
    shown = brightness[ground & (brightness > 0.0)]
    white = float(np.percentile(shown, 95.0)) if shown.size else 1.0
    row, col = np.linspace(-1.0, 1.0, rows)[:, None], np.linspace(-1.0, 1.0, cols)[None, :]
    falloff = 1.0 - sensor.vignetting * 0.5 * (row**2 + col**2)
    signal = (brightness * falloff * (sensor.level**sensor.gamma / max(white, 1e-9)))[:, :, None] * np.array(
        sensor.tint
    )
    noise = draws.standard_normal(signal.shape) * np.sqrt(np.maximum(signal, 0.0) / sensor.electrons + 1e-6)
    told = np.clip(signal + noise, 0.0, 1.0) ** (1.0 / sensor.gamma)
    return np.asarray(np.round(255.0 * told), dtype=np.uint8)
