"""Null distributions: what chance alone would give.

Two nulls are drawn. The **rotation null** spins the regions about the pole under a fixed selection (which is the
same as spinning the selection the other way): latitude and clustering of the selection stay, only its longitude is
lost. It is computed exactly on the map plane, where a turn about the pole is a turn about the origin, and without
re-gridding: a place at radius r enters or leaves a turning outline when one of the outline's crossings with the
circle of radius r passes it, so each place contributes a few steps to a function of the angle, and the sum of all
steps is read off at any number of angles. The **random-cell null** draws cells anywhere with equal chance.

p-values are (k + 1) / (n + 1) with k draws at least as large as the observation (Davison and Hinkley 1997, p. 141).
The module must not know where selections come from.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon
from shapely.geometry.polygon import orient

from lunarsite.grid import MOON_RADIUS_M
from lunarsite.site.place.regions import inside

Floats = NDArray[np.float64]
_TURN = 2.0 * math.pi

NEAR_TURN_DEG = 30.0
"""Near turns go no further than this either way, so that ground stays on its side of the Moon, near or far."""


@dataclass(frozen=True)
class Null:
    """What a null's draws say about one observation: median, 95 % interval, one-sided p-value, number of draws."""

    median: float
    low: float
    high: float
    p: float
    draws: int


def compare(observed: float, draws: Floats) -> Null:
    """Return how an observation stands among the draws of its null (large values are the alternative).

    Raises:
        ValueError: There are no draws, or one is not finite.
    """
    if draws.size == 0 or not np.isfinite(draws).all():
        raise ValueError("a null needs at least one draw, all of them finite")
    low, median, high = np.quantile(draws, (0.025, 0.5, 0.975))
    # A draw that repeats the observation in another order of summation must count as equal to it.
    at_least = int((draws >= observed - 1e-12 * max(1.0, abs(observed))).sum())
    return Null(float(median), float(low), float(high), (at_least + 1) / (draws.size + 1), int(draws.size))


def compare_small(observed: float, draws: Floats) -> Null:
    """Return how an observation stands among the draws of its null, where small values are the alternative.

    Raises:
        ValueError: There are no draws, or one is not finite.
    """
    mirrored = compare(-observed, -draws)
    return Null(-mirrored.median, -mirrored.high, -mirrored.low, mirrored.p, mirrored.draws)


def sorted_angles(draws: int, seed: int) -> Floats:
    """Return `draws` random angles of turn (radians in 0..2 pi), ascending."""
    return np.sort(np.random.default_rng(seed).uniform(0.0, _TURN, draws))


def near_angles(draws: int, seed: int) -> Floats:
    """Return `draws` random angles of turn within `NEAR_TURN_DEG` either way, radians in 0..2 pi, ascending."""
    limit = math.radians(NEAR_TURN_DEG)
    return np.sort(np.mod(np.random.default_rng(seed).uniform(-limit, limit, draws), _TURN))


def weight_inside(ground: MultiPolygon, x_m: Floats, y_m: Floats, weight: Floats, angles: Floats) -> Floats:
    """Return the summed weight of the places inside `ground` after turning it by each angle about the pole.

    Args:
        ground: Polygons that do not overlap, map metres.
        x_m: Map x of the places, (n,).
        y_m: Map y of the places, (n,).
        weight: Weight of each place, (n,).
        angles: Angles from +x towards +y, radians in 0..2 pi, ascending, (draws,).

    Returns:
        (draws,) sums of weights.
    """
    start = float(weight[inside(ground, x_m, y_m)].sum())
    steps = np.zeros(angles.size + 1)
    radius, direction = np.hypot(x_m, y_m), np.arctan2(y_m, x_m)
    for polygon in ground.geoms:
        anticlockwise = orient(polygon)
        for ring in (anticlockwise.exterior, *anticlockwise.interiors):
            corners = np.asarray(ring.coords)
            for corner, following in itertools.pairwise(corners):
                for crossing, sign, touched in _crossings(corner, following, radius):
                    _add_steps(steps, angles, direction[touched] - crossing, -sign * weight[touched])
    total = start + np.cumsum(steps)[:-1]
    # Steps up and down cancel to within rounding only; what lies below it is nothing.
    return np.where(np.abs(total) > 1e-9 * float(weight.sum()), total, 0.0)


def _crossings(corner: Floats, following: Floats, radius: Floats) -> list[tuple[Floats, float, NDArray[np.bool_]]]:
    """Return where circles about the origin cross one edge of an anticlockwise ring.

    Each entry holds the crossings' directions (radians), +1 if the ring's interior lies ahead when the circle is
    followed anticlockwise, else -1, and which of the circles cross so. Whether a corner lies inside a circle is decided
    once per corner, so that neighbouring edges agree and no crossing is lost or counted twice.
    """
    edge = following - corner
    length = float(np.hypot(*edge))
    along = edge / length
    foot = -float(corner @ along)
    distance = float(along[0] * corner[1] - along[1] * corner[0])
    half_chord = np.sqrt(np.maximum(radius**2 - distance**2, 0.0))
    corner_in, following_in = (np.hypot(*place) < radius for place in (corner, following))
    passes = ~corner_in & ~following_in & (radius > abs(distance)) & (0.0 < foot < length)
    found = []
    # Followed from the corner, the edge enters the circle at foot - half_chord and leaves it at foot + half_chord.
    # Left of the edge lies the interior; the circle's tangent points left of the edge where the edge leaves it.
    for side, sign, touched in (
        (-1.0, -1.0, (~corner_in & following_in) | passes),
        (1.0, 1.0, (corner_in & ~following_in) | passes),
    ):
        reach = foot + side * half_chord[touched]
        place = corner[:, None] + along[:, None] * reach
        found.append((np.arctan2(place[1], place[0]), sign, touched))
    return found


def _add_steps(steps: Floats, angles: Floats, at: Floats, weight: Floats) -> None:
    """Add `weight` to all sorted angles from `at` (any turn of it) on; `steps` holds differences between angles."""
    index = np.searchsorted(angles, np.mod(at, _TURN))
    steps += np.bincount(index, weights=weight, minlength=steps.size)


def matched_by_rotation(
    centres_lonlat_deg: Floats, lon_deg: Floats, lat_deg: Floats, reach_m: float, angles: Floats
) -> Floats:
    """Return how many centres have a place within `reach_m` (great circle) after turning the centres by each angle.

    Args:
        centres_lonlat_deg: Longitude and latitude of the centres, (m, 2).
        lon_deg: Longitude of the places, (n,).
        lat_deg: Latitude of the places, (n,).
        reach_m: Distance on the sphere.
        angles: Angles towards larger longitude, radians in 0..2 pi, ascending, (draws,).
    """
    matched = np.zeros(angles.size)
    lon, lat = np.radians(lon_deg), np.radians(lat_deg)
    for centre_lon, centre_lat in np.radians(centres_lonlat_deg):
        cosine = (math.cos(reach_m / MOON_RADIUS_M) - np.sin(lat) * math.sin(centre_lat)) / np.maximum(
            np.cos(lat) * math.cos(centre_lat), 1e-15
        )
        near = cosine < 1.0
        half_width = np.arccos(np.clip(cosine[near], -1.0, 1.0))
        middle = lon[near] - centre_lon
        steps = np.zeros(angles.size + 1)
        _add_steps(steps, angles, middle - half_width, np.ones(half_width.size))
        _add_steps(steps, angles, middle + half_width, -np.ones(half_width.size))
        # An arc that holds angle 0 starts before it, and so is counted from the beginning.
        opens, closes = np.mod(middle - half_width, _TURN), np.mod(middle + half_width, _TURN)
        whole_circle = half_width >= math.pi
        start = int(((opens > closes) | whole_circle).sum())
        matched += (start + np.round(np.cumsum(steps)[:-1])) > 0
    return matched


def near_any(centres_lonlat_deg: Floats, lon_deg: Floats, lat_deg: Floats, reach_m: float) -> NDArray[np.bool_]:
    """Return which places lie within `reach_m` (great circle) of which centre, (n, m)."""
    lon, lat = np.radians(lon_deg)[:, None], np.radians(lat_deg)[:, None]
    centre_lon, centre_lat = np.radians(centres_lonlat_deg[:, 0]), np.radians(centres_lonlat_deg[:, 1])
    half_chord_squared = (
        np.sin(0.5 * (lat - centre_lat)) ** 2 + np.cos(lat) * np.cos(centre_lat) * np.sin(0.5 * (lon - centre_lon)) ** 2
    )
    return np.asarray(half_chord_squared <= math.sin(0.5 * reach_m / MOON_RADIUS_M) ** 2)


def random_shares(weight: Floats, held: NDArray[np.bool_], size: int, draws: int, seed: int) -> Floats:
    """Return the share of weight that is held in each of `draws` random choices of `size` cells, (draws,)."""
    return np.array(
        [
            weight[chosen][held[chosen]].sum() / weight[chosen].sum()
            for chosen in _chosen(weight.size, size, draws, seed)
        ]
    )


def random_matches(near: NDArray[np.bool_], size: int, draws: int, seed: int) -> Floats:
    """Return how many columns of `near` (cells, centres) hold in each of `draws` random choices of cells, (draws,)."""
    return np.array([float(near[chosen].any(axis=0).sum()) for chosen in _chosen(near.shape[0], size, draws, seed)])


def _chosen(population: int, size: int, draws: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield random choices without repetition, one at a time: all of a large choice together would not fit memory."""
    generator = np.random.default_rng(seed)
    for _ in range(draws):
        yield generator.choice(population, size, replace=False, shuffle=False)
