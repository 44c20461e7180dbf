"""Rocks: how many of which size lie on the ground, their shapes, and how deep they sit.

Sizes follow Golombek and Rapp (1997, J. Geophys. Res. 102, 4117): rocks of diameter D (m) and more cover the share
k exp(-q D) of the ground, q = 1.79 + 0.152 / k, with k the share under rocks of all sizes. The law was fitted to
landing sites on Mars and is used for the Moon as well (Wu et al. 2018, for Chang'e 3's site); here it gives scenes of
every abundance, not a statement about a place.

A rock is an ellipsoid, cut by planes where it broke, that sits in the ground. Its diameter is the mean width of what
stands out of level ground, over all horizontal directions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEAST_M, MOST_M = 0.05, 3.0
"""Diameters of the rocks that are drawn."""

MOST_ROCKS = 2_000_000
"""About one camera, before those are left out that it does not see."""

SHAPES, PLANES = 24, 18
_POINTS = 2_000

Floats = NDArray[np.float64]


class RenderError(ValueError):
    """Settings of which no scene can be made."""


@dataclass(frozen=True)
class Shapes:
    """Shapes of rocks of diameter 1.

    Attributes:
        frames: (n, 3, 3) from the rock's own axes (diameters) to the frame in which it is a cut unit sphere.
        planes: (n, PLANES, 4) normals and distances in that frame; those not in use lie outside of the sphere.
        lift: (n,) height of the centre over the ground.
        top: (n,) height of the highest point over the ground.
        radius: (n,) of the bounding sphere about the centre.
    """

    frames: Floats
    planes: Floats
    lift: Floats
    top: Floats
    radius: Floats


@dataclass(frozen=True)
class Rocks:
    """Rocks of a scene.

    Attributes:
        place: (m, 2) x and y, metres.
        diameter: (m,) metres.
        shape: (m,) int64 row of the shapes.
        turn: (m,) azimuth, radians.
        albedo: (m,) factor to the mean rock's.
    """

    place: Floats
    diameter: Floats
    shape: NDArray[np.int64]
    turn: Floats
    albedo: Floats

    def __len__(self) -> int:
        return len(self.diameter)

    def only(self, chosen: NDArray[np.bool_]) -> Rocks:
        """Return some of the rocks."""
        return Rocks(
            self.place[chosen], self.diameter[chosen], self.shape[chosen], self.turn[chosen], self.albedo[chosen]
        )


def per_m2(diameter_m: Floats, share: float) -> Floats:
    """Return the number of rocks per square metre and metre of diameter, given the share of the ground under rocks."""
    q = 1.79 + 0.152 / share
    density: Floats = share * q * np.exp(-q * diameter_m) * 4.0 / (math.pi * diameter_m**2)
    return density


def population(share: float, px_per_radian: float, farthest_m: float, draws: np.random.Generator) -> Rocks:
    """Draw the rocks about a camera: each size as far away as it would look two thirds of a pixel wide.

    Args:
        share: Share of the ground under rocks of all sizes (k); 0 for none.
        px_per_radian: Focal length in pixels.
        farthest_m: No rock lies farther away.
        draws: Source of random numbers.

    Raises:
        RenderError: More than MOST_ROCKS would be drawn.
    """
    edges = np.geomspace(LEAST_M, MOST_M, 401)
    middle, width = np.sqrt(edges[1:] * edges[:-1]), np.diff(edges)
    reach = np.minimum(1.5 * middle * px_per_radian, farthest_m)
    expected = per_m2(middle, share) * width * math.pi * reach**2 if share > 0.0 else np.zeros(400)
    if expected.sum() > MOST_ROCKS:
        raise RenderError(
            f"{expected.sum():.2g} rocks would lie within the camera's reach, {MOST_ROCKS} are allowed; make"
            " rock.render.width_px or rock_share smaller, or rock.render.camera.field_of_view_deg larger"
        )
    counts = draws.poisson(expected)
    size = np.repeat(np.arange(400), counts)
    count = len(size)
    diameter = edges[size] * (edges[size + 1] / edges[size]) ** draws.random(count)
    distance = reach[size] * np.sqrt(draws.random(count))
    azimuth = draws.uniform(0.0, 2.0 * math.pi, count)
    place = np.column_stack([distance * np.sin(azimuth), distance * np.cos(azimuth)])
    shape = draws.integers(0, SHAPES, count)
    turn = draws.uniform(0.0, 2.0 * math.pi, count)
    albedo = np.clip(draws.normal(1.0, 0.15, count), 0.5, 1.5)
    return Rocks(place, diameter, shape, turn, albedo)


def shapes(draws: np.random.Generator, count: int = SHAPES) -> Shapes:
    """Draw shapes, from blocks with many faces to rounded stones."""
    frames, planes = np.empty((count, 3, 3)), np.empty((count, PLANES, 4))
    lift, top, radius = np.empty(count), np.empty(count), np.empty(count)
    for k in range(count):
        axes = np.array([1.0, draws.uniform(0.6, 1.0), draws.uniform(0.45, 0.9)])
        tilt = stats.special_ortho_group.rvs(3, random_state=draws)
        # Mostly they rest on their broad side.
        turned = tilt if draws.random() < 0.3 else np.eye(3)
        angular = draws.random()
        used = round(6 + angular * (PLANES - 6))
        normals = draws.standard_normal((PLANES, 3))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        distances = np.where(np.arange(PLANES) < used, draws.uniform(0.5, 0.9, PLANES), 2.0)
        planes[k] = np.column_stack([normals, distances])
        frame = np.diag(1.0 / axes) @ turned
        points = surface(frame, planes[k], _POINTS)
        low, high = points[:, 2].min(), points[:, 2].max()
        sunk = low + draws.uniform(0.1, 0.5) * (high - low)
        width = mean_width(points[points[:, 2] >= sunk])
        frames[k] = frame * width
        lift[k], top[k] = -sunk / width, (high - sunk) / width
        radius[k] = 1.02 * np.linalg.norm(points, axis=1).max() / width
    return Shapes(frames, planes, lift, top, radius)


def ball(lift: float = 0.0) -> Shapes:
    """Return spheres of diameter 1 as shapes, their centre at a height (in diameters) over the ground; for tests."""
    planes = np.zeros((SHAPES, PLANES, 4))
    planes[:, :, 2], planes[:, :, 3] = 1.0, 2.0
    ones = np.ones(SHAPES)
    return Shapes(np.tile(2.0 * np.eye(3), (SHAPES, 1, 1)), planes, lift * ones, (lift + 0.5) * ones, 0.5 * ones)


def surface(frame: Floats, planes: Floats, count: int) -> Floats:
    """Return points (count, 3) of a body's surface, spread evenly over the directions of its frame."""
    turn = math.pi * (1.0 + math.sqrt(5.0)) * (np.arange(count) + 0.5)
    up = 1.0 - 2.0 * (np.arange(count) + 0.5) / count
    around = np.sqrt(1.0 - up**2)
    towards = np.column_stack([around * np.cos(turn), around * np.sin(turn), up])
    facing = towards @ planes[:, :3].T
    with np.errstate(divide="ignore"):
        room = np.where(facing > 0.0, planes[:, 3] / facing, np.inf)
    points: Floats = (np.minimum(1.0, room.min(axis=1))[:, None] * towards) @ np.linalg.inv(frame).T
    return points


def mean_width(points: Floats) -> float:
    """Return the width of a body over the ground, given points of its surface, averaged over horizontal directions."""
    angle = np.linspace(0.0, math.pi, 36, endpoint=False)
    along = points[:, :2] @ np.array([np.cos(angle), np.sin(angle)])
    return float((along.max(axis=0) - along.min(axis=0)).mean())
