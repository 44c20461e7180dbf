"""Another Sun: shading turned, and the photometric function of another ground.

From one image neither relief nor reflectance can be had. What is done here keeps what an image of rough ground must
have: in linear shading (Kube & Pentland 1988) the Fourier coefficients of log brightness are those of height times the
component of the wave vector along the light, so that dividing by one direction's component and multiplying by
another's turns the light. Cast shadows do not move. Photometry follows Hapke's (1986) opposition surge and the
Lommel-Seeliger law over level ground.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lunarsite.vision.rock.classes import SKY

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]

_FLOOR = 4.0
"""Levels added before logarithms: noise in the dark is no relief."""
_REGULAR = 0.15
"""Share of the squared wave number added: waves that the old light ran along it does not show, and they stay."""
_MOST_CHANGE = 1.1
"""Most change of log brightness by turned light."""
_COARSE_CYCLES = 3.0
"""Waves longer than a crop's third are left: they are brightness of ground, not shading."""
_TURN_DEG = (30.0, 180.0)
_FIELD_DEG = (30.0, 70.0)
_SURGE = (0.2, 0.9)
_SURGE_WIDTH = (0.03, 0.12)
_GAIN = (0.55, 1.5)


def relit(image: Bytes, mask: Bytes, generator: np.random.Generator) -> Bytes:
    """Return an image (h, w, 3) whose shading is that of light from another side; the sky (of `mask`) stays."""
    turn = np.radians(generator.uniform(*_TURN_DEG)) * generator.choice((-1.0, 1.0))
    ground = mask != SKY
    if not ground.any():
        return image
    light = np.log(image.mean(axis=2, dtype=np.float64) + _FLOOR)
    light = np.where(ground, light, light[ground].mean())
    old = _light_direction(light)
    change = _turned(light - light.mean(), old, old + turn)
    return _times(image, np.exp(np.clip(change, -_MOST_CHANGE, _MOST_CHANGE)), ground)


def changed_photometry(image: Bytes, mask: Bytes, generator: np.random.Generator) -> Bytes:
    """Return an image (h, w, 3) of ground with another falloff of brightness and another albedo; the sky stays.

    The surge is Hapke's B0 / (1 + tan(g / 2) / h), g the angle from the point opposite to the Sun, which lies in or
    near the picture; towards the horizon ground gets brighter as Lommel and Seeliger's law has it.
    """
    height, width = mask.shape
    field = np.radians(generator.uniform(*_FIELD_DEG))
    row, col = np.mgrid[:height, :width]
    at = generator.uniform(-0.5, 1.5) * height, generator.uniform(-0.5, 1.5) * width
    phase = np.hypot(row - at[0], col - at[1]) * field / width
    surge = generator.uniform(*_SURGE) / (1.0 + np.tan(np.minimum(phase, 3.0) / 2.0) / generator.uniform(*_SURGE_WIDTH))
    # Cosines of the Sun's and of the view's angle from the vertical; rows go from the horizon to the camera's feet.
    sun, view = generator.uniform(0.1, 0.7), np.linspace(0.05, 0.8, height)[:, None]
    law = sun / (sun + view)
    strength = generator.uniform(0.0, 1.0)
    factor = (1.0 + surge) * (law / law.mean()) ** strength
    gain = np.exp(generator.uniform(*np.log(_GAIN)))
    return _times(image, gain * factor / factor.mean(), mask != SKY)


def _light_direction(light: Floats) -> float:
    """Return the map direction, radians from +col towards +row, along which brightness varies most."""
    down, across = np.gradient(light)
    tensor = (across * across).mean(), (across * down).mean(), (down * down).mean()
    return float(0.5 * np.arctan2(2.0 * tensor[1], tensor[0] - tensor[2]))


def _turned(shading: Floats, old: float, new: float) -> Floats:
    """Return what turned light adds to a shading (h, w)."""
    down, across = np.fft.fftfreq(shading.shape[0])[:, None], np.fft.rfftfreq(shading.shape[1])[None, :]
    before, after = (np.cos(angle) * across + np.sin(angle) * down for angle in (old, new))
    square = across**2 + down**2
    fine = square * max(shading.shape) ** 2 > _COARSE_CYCLES**2
    ratio = np.where(fine, (after - before) * before / np.maximum(before**2 + _REGULAR * square, 1e-12), 0.0)
    return np.asarray(np.fft.irfft2(np.fft.rfft2(shading) * ratio, s=shading.shape))


def _times(image: Bytes, factor: Floats, where: NDArray[np.bool_]) -> Bytes:
    changed = np.clip(np.rint(image * factor[:, :, None]), 0.0, 255.0).astype(np.uint8)
    return np.where(where[:, :, None], changed, image)
