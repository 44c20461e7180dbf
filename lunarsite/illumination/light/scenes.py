"""Scenes: the same ground in sunlight, and in the light that sunlit slopes scatter into shadow.

For each place sub-solar points are drawn as the seasons give them: any longitude, latitude 1.55 degrees times the sine
of a random phase. Those are kept under which enough of the tile sees no part of the Sun while slopes around it are lit.
Brightness is that of the elevation model: between LOLA's ground tracks heights are interpolated, and noise along the
tracks looks like grooves. A network learns from such ground what an image of it would look like, not what is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from lunarsite.illumination.light.moment import Sun, sunlight
from lunarsite.illumination.light.nested import FARTHEST_M, Model, Nested, nested
from lunarsite.illumination.light.places import TRAINING, Place, Sectors, dealt, lattice_of, own_tiles, places
from lunarsite.illumination.light.render import Rendered, render
from lunarsite.illumination.light.scatter import farthest_m
from lunarsite.settings import LitScenesSettings

LARGEST_LATITUDE_DEG = 1.55
"""Of the sub-solar point; it moves about within +-1.54 to 1.59 degrees over 18.6 years."""

LEAST_LIT_SHARE = 1.0 / 3.0
"""Of the sunlit image; where no drawn sub-solar point lights so much, the one that lights most is taken."""

LEAST_LIT_AROUND = 0.05
"""Share of the ground around a tile that must be lit for light to be scattered."""

LEAST_SCATTERED = 1e-6
"""I/F of the median shadowed pixel, a 100 000th of sunlit ground's: no camera sees less."""

LEAST_KNOWN = 0.98
"""Share of the ground within reach whose height must be known."""

_FOR_TRAINING = 1
"""Seeds what is drawn for training alone apart from the rest."""
_CANDIDATES = 48
_SPARSE_PX = 24  # shares are estimated from so many squared pixels of the tile
_AROUND_LEVEL, _AROUND_PX = 2, 32

Images = NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """A place under two suns; arrays are (tile, tile) float32. See `contracts.LIT_SCENES`."""

    name: str
    place: Place
    height_m: Images
    scattered: Images
    sunlit: Images
    sun_fraction: Images
    shadow_sun: Sun
    sunlit_sun: Sun
    light_azimuth_deg: float


@dataclass(frozen=True)
class Ground:
    """The elevation models of a run: coarse ones first, and the one of the run's own map among them.

    Args:
        models: The models by falling pixel size.
        names: Their names, for the scenes'.
        own: Index of the run's own.
        drawn: Indices of the models on which places are drawn.
    """

    models: tuple[Model, ...]
    names: tuple[str, ...]
    own: int
    drawn: tuple[int, ...]

    def under(self, number: int) -> list[Model]:
        """Return the models that give the heights around a place on one of them, that one on top."""
        finer = {k for k in self.drawn if self.models[k].grid.pixel_m < self.models[number].grid.pixel_m}
        return [self.models[k] for k in range(len(self.models)) if k != number and k not in finer] + [
            self.models[number]
        ]


def scenes(ground: Ground, lit: LitScenesSettings) -> Iterator[tuple[int, list[Scene]]]:
    """Yield the scenes of each place that serves, with the number of places done so far, model by model.

    A model gives up to `lit.tiles_per_model` places; one without room for them gives fewer. On the run's own the splits
    take turns; a finer one covers so little ground that it often lies in one split as a whole. At last come up to
    `lit.training_tiles` more on the run's own, where its training sectors have room; they change nothing of the others.
    """
    sectors = Sectors(lit.validation_lon_deg, lit.test_lon_deg)
    lattice = lattice_of(ground.models[ground.own].grid, lit.tile_px)
    taken = set()
    for turn, number in enumerate(ground.drawn):
        model = ground.models[number]
        draws = np.random.default_rng([lit.seed, number])
        drawn = places(model, lattice, lit.tile_px, sectors, draws)
        make = partial(_scenes_at, ground, number, lit, draws)
        made = (
            dealt(drawn, make) if own_tiles(model, lattice, lit.tile_px) else (one for one in map(make, drawn) if one)
        )
        for done, found in enumerate(islice(made, lit.tiles_per_model), start=1):
            taken.add(found[0].place.ground)
            yield turn * lit.tiles_per_model + done, found
    draws = np.random.default_rng([lit.seed, ground.own, _FOR_TRAINING])
    drawn = places(ground.models[ground.own], lattice, lit.tile_px, sectors, draws)
    free = (place for place in drawn if place.split == TRAINING and place.ground not in taken)
    made = (one for one in map(partial(_scenes_at, ground, ground.own, lit, draws), free) if one)
    for done, found in enumerate(islice(made, lit.training_tiles), start=1):
        yield len(ground.drawn) * lit.tiles_per_model + done, found


def texture(shape: tuple[int, int], spread: float, draws: np.random.Generator) -> Images:
    """Return albedo over its mean: a fractal whose amplitude grows with the wavelength, never below a third.

    The spectrum is that of a random surface of Hurst exponent 0.5: smooth patches with detail down to the pixel.
    """
    noise = np.fft.rfft2(draws.standard_normal(shape))
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :])
    frequency[0, 0] = np.inf
    field = np.fft.irfft2(noise * frequency**-1.5, s=shape)
    albedo: Images = np.clip(1.0 + spread * field / field.std(), 1.0 / 3.0, 5.0 / 3.0).astype(np.float32)
    return albedo


def _scenes_at(
    ground: Ground, number: int, lit: LitScenesSettings, draws: np.random.Generator, place: Place
) -> list[Scene]:
    around = nested(ground.under(number), place.tile, max(FARTHEST_M, farthest_m(lit.reach_m)))
    if around.known_share(lit.reach_m) < LEAST_KNOWN:
        return []
    pairs = _suns(around, lit, draws)
    if not pairs:
        return []
    albedo = texture(place.tile.shape, lit.albedo_spread, draws)
    suns = list(dict.fromkeys(sun for pair in pairs for sun in pair))
    rendered = render(around, suns, directions=lit.directions, reach_m=lit.reach_m, texture=albedo)
    top, bottom, left, right = around.tile_window()
    height_m = around.level(0)[top:bottom, left:right].copy()
    found = []
    for turn, (dark, bright) in enumerate(pairs):
        scene = _scene(rendered, suns.index(dark), suns.index(bright))
        if scene is None or not serves(*scene[:3], lit.least_shadow_share):
            continue
        place_m = f"{place.tile.x_min_m:.0f}_{place.tile.y_max_m:.0f}"
        name = f"{ground.names[number]}_{place_m}_{turn}"
        azimuth = rendered.light_azimuth_deg[suns.index(dark)]
        found.append(Scene(name, place, height_m, *scene, dark, bright, azimuth))
    return found


def _scene(rendered: Rendered, dark: int, bright: int) -> tuple[Images, Images, Images] | None:
    """Return scattered light, sunlit image and the Sun's visible share, or None where a pixel is unknown."""
    scattered, fraction = rendered.scattered[dark], rendered.sun_fraction[dark]
    sunlit = rendered.direct[bright] + rendered.scattered[bright]
    if not all(np.isfinite(image).all() for image in (scattered, sunlit, fraction)):
        return None
    return scattered, sunlit, fraction


def serves(scattered: Images, sunlit: Images, sun_fraction: Images, least_shadow_share: float) -> bool:
    """Whether enough of a scene is dark, and light is scattered into the dark."""
    dark = sun_fraction == 0.0
    if dark.mean() < max(least_shadow_share, 1.0 / dark.size):
        return False
    return bool(np.median(scattered[dark]) >= LEAST_SCATTERED and (sunlit > 0.0).any())


def _suns(around: Nested, lit: LitScenesSettings, draws: np.random.Generator) -> list[tuple[Sun, Sun]]:
    """Draw sub-solar points and return pairs of one that leaves the tile dark and one that lights it."""
    every = max(1, lit.tile_px // _SPARSE_PX)
    near, far = around.tile_window(), around.window(_AROUND_LEVEL, _AROUND_PX)
    dark: list[Sun] = []
    shares: list[tuple[float, Sun]] = []
    for lon, phase in draws.uniform(-1.0, 1.0, (_CANDIDATES, 2)):
        sun = Sun(180.0 * float(lon), LARGEST_LATITUDE_DEG * float(np.sin(np.pi * phase)))
        share = float((sunlight(around, 0, near, sun, every).fraction > 0.0).mean())
        shares.append((share, sun))
        if 1.0 - share >= lit.least_shadow_share and len(dark) < lit.suns_per_tile:
            seen = sunlight(around, _AROUND_LEVEL, far, sun, 2 * every)
            if float((seen.fraction * seen.cos_incidence > 0.0).mean()) >= LEAST_LIT_AROUND:
                dark.append(sun)
        enough = sum(share >= LEAST_LIT_SHARE for share, _ in shares)
        if len(dark) == lit.suns_per_tile and enough >= lit.suns_per_tile:
            break
    bright = [sun for share, sun in shares if share >= LEAST_LIT_SHARE] or [max(shares, key=lambda one: one[0])[1]]
    return [(sun, bright[turn % len(bright)]) for turn, sun in enumerate(dark)]


def of_models(far: Model | None, own: Model, fine: Sequence[Model], names: Sequence[str]) -> Ground:
    """Order a run's elevation models.

    Args:
        far: The far field, or None.
        own: The run's own map.
        fine: Finer models of parts of it.
        names: Names of the own model and the finer ones.
    """
    order = sorted(range(len(fine)), key=lambda k: (-fine[k].grid.pixel_m, k))
    before = [] if far is None else [far]
    first = len(before)
    return Ground(
        (*before, own, *(fine[k] for k in order)),
        (*(["far"] * first), names[0], *(names[1 + k] for k in order)),
        first,
        tuple(range(first, first + 1 + len(fine))),
    )
