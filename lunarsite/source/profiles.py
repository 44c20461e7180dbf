"""Radial profiles of impact craters, fresh to worn: the shapes that the synthetic Moon is built of.

Fresh simple craters follow Fassett and Thomson (2014, JGR Planets 119, 2255, doi 10.1002/2014JE004698); fresh complex
craters have a flat floor, a wall, a rim, ejecta falling with the third power of the distance and a central peak, with
the dimensions of Pike (1977) in the form that the project's notes give. Wear is partly diffusion of the slopes, partly
burial; together they bring the depth down to what is asked. This module knows one crater on a plain, and no map.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

REACH = 2.5
"""A crater's relief ends at this many radii."""
SIMPLE_LIMIT_M = 12_000.0
"""Diameter of the transition from simple to complex craters."""

_POINTS = 251
_FRESHNESS = np.linspace(0.04, 1.0, 25)
_DIAMETERS_M = np.array([6.0, 12.5, 15.0, 20.0, 28.0, 40.0, 60.0, 90.0, 130.0, 200.0, 320.0]) * 1e3
# Central peaks appear above this diameter, and grow into rings, which we do not build, near 150 km.
_PEAK_FROM_M = 15_000.0
_PEAK_TO_M = 150_000.0
_ROUNDING = 4e-4


@dataclass(frozen=True)
class ProfileTable:
    """Heights over the surrounding plain, in diameters.

    Args:
        height: (diameters, freshness levels, radii): by log-diameter node, by depth relative to the fresh crater's,
            by distance in radii from 0 to `REACH`.
        log_diameter: Natural logarithm of the nodes' diameters in metres, ascending.
        freshness: The levels, ascending and evenly spaced.
    """

    height: Floats
    log_diameter: Floats
    freshness: Floats


def fresh_depth_m(diameter_m: NDArray[np.float64] | float) -> Floats:
    """Return the rim-to-floor depth of fresh craters, metres: 0.218 D, or 1.044 D^0.301 km where that is less."""
    diameter = np.asarray(diameter_m, dtype=np.float64)
    return np.minimum(0.218 * diameter, 1044.0 * (diameter / 1000.0) ** 0.301)


def floor_share(diameter_m: float) -> float:
    """Return the diameter of a complex crater's flat floor over the crater's."""
    return float(min(0.187 * (diameter_m / 1000.0) ** 0.249, 0.8))


def simple_profile(x: Floats) -> Floats:
    """Return height over diameter of a fresh simple crater at x radii (Fassett and Thomson 2014)."""
    inner = -0.2288 + 0.2275 * x + 0.0831 * x**2 - 0.0395 * x**3
    outer = 0.1883 - 0.1871 * x + 0.0184 * x**2 + 0.0151 * x**3
    return np.where(x <= 0.2, -0.181, np.where(x <= 0.98, inner, np.where(x <= 1.5, outer, 0.0)))


def complex_profile(x: Floats, diameter_m: float) -> Floats:
    """Return height over diameter of a fresh complex crater at x radii."""
    size_km = diameter_m / 1000.0
    rim = 0.236 * size_km**0.399 / size_km
    floor = rim - float(fresh_depth_m(diameter_m)) / diameter_m
    edge = floor_share(diameter_m)
    climb = np.clip((x - edge) / (1.0 - edge), 0.0, 1.0)
    # Steeper above than below: slumped walls end in a talus on the floor.
    wall = floor + (rim - floor) * (0.75 * climb + 0.25 * climb * climb)
    fade = _smoothstep((REACH - x) / (REACH - 1.5))
    ejecta = rim * np.maximum(x, 1.0) ** -3.0 * fade
    peak = 0.0
    if _PEAK_FROM_M <= diameter_m <= _PEAK_TO_M:
        peak = 0.032 * size_km**0.9 / size_km * np.exp(-((x / (0.22 * edge)) ** 2))
    return np.asarray(np.where(x <= 1.0, wall, ejecta) + peak)


def build_profiles() -> ProfileTable:
    """Return the profiles of craters of all sizes and states of wear."""
    x = np.linspace(0.0, REACH, _POINTS)
    heights = np.empty((_DIAMETERS_M.size, _FRESHNESS.size, _POINTS))
    for node, diameter_m in enumerate(_DIAMETERS_M):
        simple = diameter_m < SIMPLE_LIMIT_M
        # A short diffusion rounds the complex profile's foot of the wall and crest, which are no knife edges.
        fresh = simple_profile(x) if simple else _diffused(complex_profile(x, diameter_m), x, _ROUNDING)
        # Creep wears small craters, burial large ones: the share of diffusion falls from 0.75 to 0.05.
        diffusive = 0.75 if simple else max(0.05, 0.25 * (1.0 - math.log(diameter_m / 12e3) / math.log(130.0 / 12.0)))
        heights[node] = _worn(fresh, x, diffusive)
    return ProfileTable(heights, np.log(_DIAMETERS_M), _FRESHNESS)


def _worn(fresh: Floats, x: Floats, diffusive: float) -> Floats:
    """Return the profile at every freshness: freshness^diffusive by diffusion, the rest by scaling."""
    states = [fresh]
    step = 2e-4
    while _relief(states[-1], x) > _FRESHNESS[0] ** diffusive * _relief(fresh, x):
        states.append(_diffused(states[-1], x, step))
        step *= 1.12
    relief = np.array([_relief(state, x) for state in states]) / _relief(fresh, x)
    rows = []
    for freshness in _FRESHNESS:
        wanted = freshness**diffusive
        upper = int(np.clip(np.searchsorted(-relief, -wanted), 1, relief.size - 1))
        share = np.clip((relief[upper - 1] - wanted) / (relief[upper - 1] - relief[upper]), 0.0, 1.0)
        shape = (1.0 - share) * states[upper - 1] + share * states[upper]
        rows.append(shape * (freshness * _relief(fresh, x) / _relief(shape, x)))
    return np.array(rows)


def _relief(profile: Floats, x: Floats) -> float:
    """Rim to floor."""
    return float(profile[(x > 0.7) & (x < 1.6)].max() - profile[x < 1.0].min())


def _diffused(profile: Floats, x: Floats, time: float) -> Floats:
    """One implicit step of radial diffusion; time in squared radii; the outer border stays where it is."""
    from scipy.linalg import solve_banded

    n, dx = x.size, x[1] - x[0]
    outer = (x + 0.5 * dx) * time / dx**2
    inner = (x - 0.5 * dx) * time / dx**2
    area = np.where(x > 0, x, 0.125 * dx)
    inner[0] = 0.0
    bands = np.zeros((3, n))
    bands[0, 1:] = -(outer / area)[:-1]
    bands[1] = 1.0 + (outer + inner) / area
    bands[2, :-1] = -(inner / area)[1:]
    bands[0, n - 1] = -(outer / area)[n - 2]
    bands[1, n - 1], bands[2, n - 2] = 1.0, 0.0
    return np.asarray(solve_banded((1, 1), bands, profile))


def _smoothstep(t: Floats) -> Floats:
    t = np.clip(t, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
