"""What a camera straight above would see of a tile: in direct light, and in the light that sunlit slopes scatter.

Direct light is lunar-Lambert's (`photometry`) times the visible share of the Sun's disc (`moment`); scattered light is
gathered from all ground within reach (`scatter`). The tile's own albedo may vary; the slopes that scatter light onto it
have the mean albedo, since a pixel gathers from thousands of them. A pixel does not tell the camera's angle: it is
taken to be straight above, which holds within some degrees for a nadir-looking camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunarsite.illumination.light.moment import Sun, sunlight
from lunarsite.illumination.light.nested import Nested
from lunarsite.illumination.light.photometry import ALBEDO, lommel_seeliger_weight, lunar_lambert
from lunarsite.illumination.light.scatter import REACH_PX, gather, levels_within

Images = NDArray[np.float32]


@dataclass(frozen=True)
class Rendered:
    """A tile under n suns, (n, rows, cols) float32 each; NaN = unknown or not asked for.

    Attributes:
        sun_fraction: Visible share of the Sun's disc.
        direct: I/F in direct light, cast shadows included.
        scattered: I/F in scattered light.
        unshadowed: I/F in direct light if no ground stood in the Sun's way.
        light_azimuth_deg: For each sun, the map direction that most of the light scattered into shadow comes from,
            clockwise from the map's +y.
    """

    sun_fraction: Images
    direct: Images
    scattered: Images
    unshadowed: Images
    light_azimuth_deg: tuple[float, ...]


def render(
    nested: Nested,
    suns: Sequence[Sun],
    *,
    directions: int,
    reach_m: float,
    texture: Images | None = None,
    wanted: NDArray[np.bool_] | None = None,
) -> Rendered:
    """Light a tile.

    Args:
        nested: Ground around the tile.
        suns: Sub-solar points.
        directions: Map directions from which scattered light is gathered.
        reach_m: How far away slopes still scatter light.
        texture: (rows, cols) albedo of the tile's pixels over the mean; 1 if None.
        wanted: Pixels to be done; all if None.
    """
    shape = nested.tile.shape
    wanted = np.ones(shape, np.bool_) if wanted is None else wanted
    albedo = np.full(shape, ALBEDO, np.float32) if texture is None else (ALBEDO * texture).astype(np.float32)
    radiance = np.zeros((len(suns), nested.height_m.size), np.float32)
    fraction, direct, unshadowed = (np.full((len(suns), *shape), np.nan, np.float32) for _ in range(3))
    for number, sun in enumerate(suns):
        light_up(nested, sun, reach_m, radiance[number])
        seen = sunlight(nested, 0, nested.tile_window(), sun)
        weight = lommel_seeliger_weight(90.0 - seen.elevation_deg)
        brightness = albedo * lunar_lambert(seen.cos_incidence, seen.cos_emission, weight)
        fraction[number] = np.where(wanted, seen.fraction, np.nan)
        direct[number] = np.where(wanted, brightness * seen.fraction, np.nan)
        unshadowed[number] = np.where(wanted, brightness, np.nan)
    found = gather(nested, radiance, directions, reach_m, wanted, counted=fraction == 0.0)
    azimuths = tuple(found.main_azimuth_deg(number) for number in range(len(suns)))
    return Rendered(fraction, direct, (albedo * found.irradiance).astype(np.float32), unshadowed, azimuths)


def light_up(nested: Nested, sun: Sun, reach_m: float, radiance: NDArray[np.float32]) -> None:
    """Fill in the I/F of all ground that scatters light onto the tile, in direct light; unknown ground stays dark."""
    for number in range(levels_within(nested, reach_m)):
        top, bottom, left, right = window = nested.window(number, REACH_PX + 2)
        seen = sunlight(nested, number, window, sun)
        lit = ALBEDO * seen.fraction * np.maximum(seen.cos_incidence, 0.0)
        nested.level(number, radiance)[top:bottom, left:right] = np.where(np.isfinite(lit), lit, 0.0)
