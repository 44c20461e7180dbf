"""One scene: a camera over ground with rocks under a low Sun, its picture, and the truth of every pixel.

What a pixel shows is what the ray through its middle meets; its brightness is the mean of five rays. A mask is of kind
'clean': rocks that look narrower than six pixels (at a picture width of 384) are left out of it, as tiny ones are from
such masks of the published renders (of their rocks 1 % look narrower than 5.4 such pixels, 5 % than 9). A rock
in full shadow is in the mask all the same. Scene i is a pure function of settings, seed and i.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lunarsite.settings import RockRenderSettings
from lunarsite.vision.rock.camera import Camera
from lunarsite.vision.rock.classes import BACKGROUND, LARGE, SKY, SMALL
from lunarsite.vision.rock.render import kernels, light
from lunarsite.vision.rock.render.ground import Ground, ground
from lunarsite.vision.rock.render.rocks import Rocks, Shapes, population, shapes
from lunarsite.vision.rock.render.view import boxes

LEAST_WIDTH_PX = 6.0
"""Rocks that look narrower are left out of the mask, pixels at a picture width of 384."""
TOLD_PX = 2.0
"""Rocks that would look narrower from the lens are left out of the truth's table; less for pictures below WIDTH_PX."""
WIDTH_PX = 384
FARTHEST_HEIGHTS = 200.0
"""Rocks lie nearer than that, in heights of the camera."""

# The middle of a pixel, which tells its class, and four places on a turned square.
_OFFSETS = ((0.0, 0.0), (-0.125, -0.375), (0.375, -0.125), (0.125, 0.375), (-0.375, 0.125))
_LATTICE = 32

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Light:
    """The Sun and what it falls on.

    Attributes:
        elevation_deg: Height of the Sun.
        azimuth_deg: Its azimuth, from the camera's line of sight to the right.
        scattered: Share of the ground's brightness that comes into shadow.
        patches: Spread of the ground's albedo.
        rough: Roughness of rocks.
    """

    elevation_deg: float
    azimuth_deg: float
    scattered: float
    patches: float
    rough: float

    @property
    def sun(self) -> Floats:
        """Unit vector to the Sun."""
        elevation, azimuth = math.radians(self.elevation_deg), math.radians(self.azimuth_deg)
        level = math.cos(elevation)
        return np.array([level * math.sin(azimuth), level * math.cos(azimuth), math.sin(elevation)])


@dataclass(frozen=True)
class World:
    """What stands before the camera; `rocks` only those that may be seen or whose shadow may."""

    camera: Camera
    ground: Ground
    shapes: Shapes
    rocks: Rocks
    light: Light


@dataclass(frozen=True)
class Scene:
    """A picture and its truth.

    Attributes:
        image: (rows, cols, 3) uint8.
        mask: (rows, cols) uint8, classes of ROCK_SCENES.
        rock: (rows, cols) int32, the number of the rock that a pixel shows, -1 for none.
        camera: The camera.
        diameter_m, range_m, visible_px: (m,) of the rocks that are in the picture or hidden there.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    rock: NDArray[np.int32]
    camera: Camera
    diameter_m: Floats
    range_m: Floats
    visible_px: NDArray[np.int64]


def scene(render: RockRenderSettings, number: int) -> Scene:
    """Draw scene `number`."""
    draws = np.random.default_rng([render.seed, number])
    around = world(render, draws)
    sensor = light.Sensor(
        level=draws.uniform(0.45, 0.9),
        gamma=draws.uniform(1.0, 2.2),
        electrons=10.0 ** draws.uniform(3.0, 4.5),
        tint=_tint(draws),
        vignetting=draws.uniform(0.0, 0.25),
    )
    return picture(around, sensor, render.large_heights, draws)


def world(render: RockRenderSettings, draws: np.random.Generator) -> World:
    """Draw a camera, the ground, its rocks and the Sun."""
    mean = render.camera
    camera = Camera(
        mean.height_m * math.exp(draws.uniform(-0.35, 0.35)),
        float(np.clip(mean.pitch_deg + draws.uniform(-8.0, 8.0), -60.0, 89.0)),
        mean.field_of_view_deg,
        render.height_px,
        render.width_px,
    )
    land = ground(camera, slope=draws.uniform(0.04, 0.12), crater_share=draws.uniform(0.1, 1.0), draws=draws)
    forms = shapes(draws)
    share = draws.uniform(*render.rock_share)
    stones = population(share, camera.focal_px, FARTHEST_HEIGHTS * camera.height_m, draws)
    half = 0.5 * mean.field_of_view_deg + 10.0
    # No photograph looks into the Sun.
    azimuth = draws.uniform(half, 360.0 - half)
    sky = Light(
        elevation_deg=draws.uniform(*render.sun_elevation_deg),
        azimuth_deg=azimuth,
        scattered=10.0 ** draws.uniform(-2.0, -0.7),
        patches=draws.uniform(0.02, 0.12),
        rough=draws.uniform(0.25, 0.7),
    )
    return World(camera, land, forms, stones, sky)


def picture(world: World, sensor: light.Sensor, large_heights: float, draws: np.random.Generator) -> Scene:
    """Look at a world.

    Args:
        world: The world.
        sensor: The camera's exposure.
        large_heights: Rocks wider than that many heights of the camera are large.
        draws: Source of random numbers: textures and noise.
    """
    camera, land = world.camera, world.ground
    cast, rocks = _cast(world)
    patterns = light.texture(draws), light.texture(draws)
    lattice = draws.uniform(-1.0, 1.0, (_LATTICE, _LATTICE, _LATTICE, 3)).astype(np.float32)
    start = np.zeros((camera.rows, camera.cols))
    total = np.zeros((camera.rows, camera.cols))
    top_m = float(land.heights.max())
    for turn, offset in enumerate(_OFFSETS):
        distance = kernels.meet_ground(
            land.heights, land.cell_m, camera.lens(), camera.height_m, np.array(offset), top_m, start
        )
        if turn == 0:
            # The other rays of a pixel meet no ground before its neighbours do.
            start = 0.97 * ndimage.minimum_filter(distance, size=3, mode="nearest")
        rock, brightness = _look(world, cast, rocks, distance, np.array(offset), top_m, patterns, lattice)
        total += brightness / len(_OFFSETS)
        if turn == 0:
            numbers, sky = rock, np.isinf(distance) & (rock < 0)
    mask, visible = _mask(numbers, sky, rocks.diameter > large_heights * camera.height_m)
    image = light.photograph(total, ~sky, sensor, draws)
    told, range_m = _told(camera, rocks, cast.centres, visible)
    return Scene(image, mask, numbers, camera, rocks.diameter[told], range_m[told], visible[told])


@dataclass(frozen=True)
class _Cast:
    """Rocks as the kernels take them."""

    centres: Floats
    frames: Floats
    radii: Floats
    shown: NDArray[np.int64]
    """(m, 4) pixels that may show each, of no pixel (first row past the last) where it cannot be seen."""
    shading: NDArray[np.int64]
    """(m, 4) pixels that may show its shadow."""


def _cast(world: World) -> tuple[_Cast, Rocks]:
    """Set the rocks on the ground, and leave out those of which neither they nor their shadows can be seen."""
    camera, rocks, forms = world.camera, world.rocks, world.shapes
    foot = kernels.heights_at(world.ground.heights, world.ground.cell_m, rocks.place[:, 0], rocks.place[:, 1])
    centres = np.column_stack([rocks.place, foot + forms.lift[rocks.shape] * rocks.diameter])
    radii = forms.radius[rocks.shape] * rocks.diameter
    clear = np.linalg.norm(centres - [0.0, 0.0, camera.height_m], axis=1) > radii + 0.25 * camera.height_m
    shown, seen = boxes(camera, centres, radii)
    # Shadows fall on ground that may fall away behind the rock: twice as long as on level ground.
    long = 2.0 * (forms.top[rocks.shape] * rocks.diameter) / math.tan(math.radians(max(world.light.elevation_deg, 1.0)))
    shading, shades = boxes(camera, centres, radii, centres - long[:, None] * world.light.sun)
    shown[~seen] = shading[~shades] = (1, 0, 1, 0)
    kept = np.isfinite(foot) & clear & (seen | shades)
    rocks = rocks.only(kept)
    sine, cosine = np.sin(rocks.turn), np.cos(rocks.turn)
    turned = np.zeros((len(rocks), 3, 3))
    turned[:, 0, 0] = turned[:, 1, 1] = cosine
    turned[:, 0, 1], turned[:, 1, 0], turned[:, 2, 2] = sine, -sine, 1.0
    frames = forms.frames[rocks.shape] @ turned / rocks.diameter[:, None, None]
    return _Cast(centres[kept], frames, radii[kept], shown[kept], shading[kept]), rocks


def _look(
    world: World,
    cast: _Cast,
    rocks: Rocks,
    distance: Floats,
    offset: Floats,
    top_m: float,
    patterns: tuple[Floats, Floats],
    lattice: NDArray[np.float32],
) -> tuple[NDArray[np.int32], Floats]:
    """Return the rock that each ray meets and the brightness it brings; `distance` is changed in place."""
    camera, land, sun = world.camera, world.ground, world.light.sun
    lens = camera.lens()
    rock = np.full(distance.shape, -1, dtype=np.int32)
    normals = np.zeros((*distance.shape, 3))
    bodies = (cast.centres, cast.frames, rocks.shape, world.shapes.planes)
    view = (lens, camera.height_m, offset)
    kernels.meet_rocks(*bodies, cast.shown, lattice, world.light.rough, *view, distance, rock, normals)
    kernels.ground_normals(land.heights, land.cell_m, *view, distance, rock, normals)
    free = kernels.ground_shade(land.heights, land.cell_m, *view, top_m, distance, normals, sun)
    kernels.rock_shade(*bodies, cast.radii, cast.shading, *view, distance, rock, sun, free)

    rays = camera.directions(np.arange(camera.rows)[:, None] + offset[0], np.arange(camera.cols)[None, :] + offset[1])
    length = np.sqrt(sum(ray**2 for ray in rays))
    towards = np.stack([ray / length for ray in rays], axis=-1)
    met = np.isfinite(distance)
    far = np.where(met, distance, 0.0)
    x, y = far * towards[..., 0], far * towards[..., 1]
    # Detail that is finer than a pixel's footprint is left out.
    fine = 1.0 / (1.0 + (far / (12.0 * camera.height_m)) ** 2)
    coarse = light.textured(patterns[0], x, y, 25.0 * camera.height_m)
    patches = 1.0 + world.light.patches * (coarse + fine * light.textured(patterns[1], x, y, 2.0 * camera.height_m))
    stone = light.ROCK_ALBEDO * (rocks.albedo[np.maximum(rock, 0)] if len(rocks) else 1.0)
    albedo = np.clip(np.where(rock >= 0, stone, light.GROUND_ALBEDO) * np.clip(patches, 0.5, 1.5), 0.0, 0.95)
    direct = free * light.reflectance(normals @ sun, -(normals * towards).sum(axis=-1), -(towards @ sun), albedo)
    mean = float(direct[met].mean()) if met.any() else 0.0
    brightness = direct + light.scattered(normals[..., 2], mean, world.light.scattered) * albedo / light.GROUND_ALBEDO
    return rock, np.where(met, brightness, 0.0)


def _mask(
    rock: NDArray[np.int32], sky: NDArray[np.bool_], large: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the classes of pixels, and the number of pixels that show each rock."""
    visible = np.bincount(rock[rock >= 0], minlength=len(large)).astype(np.int64)
    kinds = np.full(len(large) + 1, BACKGROUND, dtype=np.uint8)
    least = LEAST_WIDTH_PX * rock.shape[1] / WIDTH_PX
    for number, found in enumerate(ndimage.find_objects(rock + 1)):
        if found is not None:
            width = found[1].stop - found[1].start
            kinds[number] = BACKGROUND if width < least else LARGE if large[number] else SMALL
    # Number -1, no rock, is the last kind: background.
    mask = np.where(sky, np.uint8(SKY), kinds[rock])
    return mask, visible


def _told(
    camera: Camera, rocks: Rocks, centres: Floats, visible: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], Floats]:
    """Return which rocks the truth's table has, and their distances over the ground."""
    row, col, depth = camera.seen(centres[:, 0], centres[:, 1], centres[:, 2])
    inside = (np.abs(row - camera.middle[0]) <= 0.5 * camera.rows) & (
        np.abs(col - camera.middle[1]) <= 0.5 * camera.cols
    )
    least = TOLD_PX * min(1.0, camera.cols / WIDTH_PX)
    wide = rocks.diameter * camera.focal_px >= least * np.maximum(depth, 1e-9)
    return (inside | (visible > 0)) & wide, np.hypot(centres[:, 0], centres[:, 1])


def _tint(draws: np.random.Generator) -> tuple[float, float, float]:
    """Return factors of red, green and blue: grey for half of the cameras, else brownish as Chang'e's."""
    warm = draws.uniform(0.0, 0.15) if draws.random() < 0.5 else 0.0
    return 1.0, 1.0 - 0.5 * warm, 1.0 - 1.5 * warm
