"""How many craters of which size and depth: the population of the lunar south pole, drawn by place and seed.

Sizes follow N(>=D) of LU1319381 poleward of 75 S (Wu et al. 2022, doi 10.1029/2022GL100886), depths its p10, p50
and p90 of d/D. Small craters are drawn tile by tile, each from its own random stream, so that any window can be drawn
alone and is the same in every grid. This module knows maps and numbers; it does not make terrain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from lunarsite.grid import MOON_RADIUS_M, Pole, lonlat_to_xy, scale_factor
from lunarsite.source.features import CRATER, Feature
from lunarsite.source.profiles import fresh_depth_m

Floats = NDArray[np.float64]
Box = tuple[float, float, float, float]

LARGE_M = 4_000.0
"""From this diameter on a crater wipes out what it hits; smaller ones only add their relief."""
LARGEST_RANDOM_M = 150_000.0
"""Larger craters are real, named ones."""

_SIZE_M = np.array([1_000.0, 2_000.0, 3_000.0, 5_000.0, 10_000.0, 20_000.0, 50_000.0])
_PER_MILLION_KM2 = np.array([38_995.0, 14_059.0, 7_215.0, 2_361.0, 659.0, 226.0, 65.0])
# Below 1 km the catalogue runs thin; craters in equilibrium, as on the old highlands, go with the second power.
_EQUILIBRIUM_POWER = 2.0

_DEPTH_AT_M = np.array([1_220.0, 2_450.0, 3_900.0, 7_000.0, 12_200.0, 32_000.0])
_DEPTH_P10 = np.array([0.037, 0.042, 0.041, 0.041, 0.037, 0.023])
_DEPTH_P50 = np.array([0.059, 0.072, 0.077, 0.081, 0.074, 0.062])
_DEPTH_P90 = np.array([0.104, 0.112, 0.130, 0.160, 0.181, 0.116])
_P90_SIGMA = 1.2815515655446004

# A tile of small craters is this many times their band's upper diameter: some thousand craters.
_TILE_PER_DIAMETER = 128
_STREAM_LARGE, _STREAM_SMALL = 11, 12
_POLE_CODE: dict[Pole, int] = {"south": 0, "north": 1}


@dataclass(frozen=True)
class Craters:
    """Craters on the map, arrays (n,): centre in map metres, true diameter and rim-to-floor depth in metres."""

    x_m: Floats
    y_m: Floats
    diameter_m: Floats
    depth_m: Floats

    def __len__(self) -> int:
        return int(self.x_m.size)

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Craters:
        """Return the chosen craters."""
        return Craters(*(getattr(self, field.name)[which] for field in fields(self)))

    @property
    def freshness(self) -> Floats:
        """Depth over the depth of a fresh crater of the same size."""
        return np.asarray(self.depth_m / fresh_depth_m(self.diameter_m))


def join(parts: list[Craters]) -> Craters:
    """Return all craters of the parts, in order."""
    if not parts:
        return Craters(*(np.empty(0) for _ in fields(Craters)))
    return Craters(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Craters)))


def cumulative_per_m2(diameter_m: Floats | float) -> Floats:
    """Return the number of craters at least this large per square metre of the true surface."""
    log_size, log_count = np.log(_SIZE_M), np.log(_PER_MILLION_KM2 * 1e-12)
    wanted = np.log(np.asarray(diameter_m, dtype=np.float64))
    last_power = (log_count[-1] - log_count[-2]) / (log_size[-1] - log_size[-2])
    return np.exp(
        np.where(
            wanted < log_size[0],
            log_count[0] - _EQUILIBRIUM_POWER * (wanted - log_size[0]),
            np.where(
                wanted > log_size[-1],
                log_count[-1] + last_power * (wanted - log_size[-1]),
                np.interp(wanted, log_size, log_count),
            ),
        )
    )


def _draw_diameters(rng: np.random.Generator, n: int, low_m: float, high_m: float) -> Floats:
    """Draw diameters between two bounds by inverting the cumulative count."""
    nodes = np.geomspace(low_m, high_m, 65)
    counts = cumulative_per_m2(nodes)
    wanted = counts[-1] + (counts[0] - counts[-1]) * rng.random(n)
    return np.asarray(np.exp(np.interp(wanted, counts[::-1], np.log(nodes)[::-1])))


def _draw_depths(rng: np.random.Generator, diameter_m: Floats) -> Floats:
    """Draw rim-to-floor depths: log-normal on either side of the median, never deeper than fresh."""
    at = np.log(diameter_m)
    p10, p50, p90 = (
        np.interp(at, np.log(_DEPTH_AT_M), np.log(values)) for values in (_DEPTH_P10, _DEPTH_P50, _DEPTH_P90)
    )
    z = rng.standard_normal(diameter_m.size)
    ratio = np.exp(p50 + np.where(z < 0, p50 - p10, p90 - p50) * z / _P90_SIGMA)
    fresh = fresh_depth_m(diameter_m)
    return np.asarray(np.clip(ratio * diameter_m, 0.05 * fresh, fresh))


def _draw(
    rng: np.random.Generator, box_m: tuple[float, float, float, float], per_m2: float, band: tuple[float, float]
) -> Craters:
    """Draw craters of a band of diameters in a map rectangle, uniform on the true surface."""
    left, bottom, right, top = box_m
    n = rng.poisson(per_m2 * (right - left) * (top - bottom))
    x_m, y_m = left + (right - left) * rng.random(n), bottom + (top - bottom) * rng.random(n)
    diameter_m = _draw_diameters(rng, n, *band)
    depth_m = _draw_depths(rng, diameter_m)
    kept = rng.random(n) < scale_factor(x_m, y_m) ** -2.0
    return Craters(x_m, y_m, diameter_m, depth_m).take(kept)


def small_craters(
    bounds_m: tuple[float, float, float, float],
    *,
    seed: int,
    pole: Pole,
    density: float,
    min_diameter_m: float,
    margin: float,
) -> Craters:
    """Return the random craters from `min_diameter_m` up to `LARGE_M` that reach into a window.

    Args:
        bounds_m: Left, bottom, right, top of the window, map metres.
        seed: The Moon's seed.
        pole: The map's pole.
        density: Number of craters relative to the Moon's.
        min_diameter_m: Smallest diameter returned.
        margin: How many radii beyond its centre a crater reaches.

    Returns:
        The craters, large bands first, in an order that does not depend on the window.
    """
    left, bottom, right, top = bounds_m
    parts = []
    for band in range(math.ceil(math.log2(LARGE_M / min_diameter_m))):
        high_m = LARGE_M * 0.5**band
        per_m2 = density * float(cumulative_per_m2(0.5 * high_m) - cumulative_per_m2(high_m))
        tile_m = _TILE_PER_DIAMETER * high_m
        reach_m = 0.5 * high_m * margin * float(scale_factor(max(abs(left), abs(right)), max(abs(bottom), abs(top))))
        for j in range(math.floor((bottom - reach_m) / tile_m), math.floor((top + reach_m) / tile_m) + 1):
            for i in range(math.floor((left - reach_m) / tile_m), math.floor((right + reach_m) / tile_m) + 1):
                # SeedSequence takes no negative numbers; tiles are counted from far outside the map.
                key = [seed, _STREAM_SMALL, _POLE_CODE[pole], band, i + 2**24, j + 2**24]
                box = (i * tile_m, j * tile_m, (i + 1) * tile_m, (j + 1) * tile_m)
                tile = _draw(np.random.default_rng(key), box, per_m2, (0.5 * high_m, high_m))
                radius_m = 0.5 * tile.diameter_m * scale_factor(tile.x_m, tile.y_m) * margin
                near = (
                    (tile.diameter_m >= min_diameter_m) & (tile.x_m + radius_m > left) & (tile.x_m - radius_m < right)
                )
                parts.append(tile.take(near & (tile.y_m + radius_m > bottom) & (tile.y_m - radius_m < top)))
    return join(parts)


def large_craters(
    half_width_m: float, features: tuple[Feature, ...], *, seed: int, pole: Pole, density: float
) -> tuple[Craters, list[str]]:
    """Return all craters from `LARGE_M` on in a square about the pole, largest first, and their names ('' if random).

    Named craters take the place of the random ones nearest in size, and random ones keep off good ground and do not
    wreck named craters, so that counts and known places hold together.
    """
    rng = np.random.default_rng([seed, _STREAM_LARGE, _POLE_CODE[pole]])
    box = (-half_width_m, -half_width_m, half_width_m, half_width_m)
    per_m2 = density * float(cumulative_per_m2(LARGE_M) - cumulative_per_m2(LARGEST_RANDOM_M))
    drawn = _draw(rng, box, per_m2, (LARGE_M, LARGEST_RANDOM_M))
    named, names = _named_craters(features, half_width_m, pole)
    random = drawn.take(~_replaced(drawn, named))
    random = _moved(rng, random, named, _ground(features, pole), half_width_m)
    both = join([named, random])
    order = np.argsort(-both.diameter_m, kind="stable")
    labels = names + [""] * len(random)
    return both.take(order), [labels[index] for index in order]


def _named_craters(features: tuple[Feature, ...], half_width_m: float, pole: Pole) -> tuple[Craters, list[str]]:
    chosen = []
    for feature in features:
        x_m, y_m = lonlat_to_xy(feature.lon_deg, feature.lat_deg, pole)
        if feature.kind == CRATER and max(abs(float(x_m)), abs(float(y_m))) <= half_width_m:
            chosen.append((feature, float(x_m), float(y_m)))
    table = np.array([(x, y, feature.diameter_m, feature.relief_m) for feature, x, y in chosen]).reshape(-1, 4)
    return Craters(*table.T), [feature.name for feature, _, _ in chosen]


def _replaced(drawn: Craters, named: Craters) -> NDArray[np.bool_]:
    """Which random craters named ones of their size stand for, one each."""
    gone = np.zeros(len(drawn), dtype=np.bool_)
    for x, y, diameter in zip(named.x_m, named.y_m, named.diameter_m, strict=True):
        if diameter > LARGEST_RANDOM_M or len(drawn) == 0:
            continue
        unlike = np.abs(np.log(drawn.diameter_m / diameter)) + np.hypot(drawn.x_m - x, drawn.y_m - y) / 1e6
        best = int(np.argmin(np.where(gone, np.inf, unlike)))
        gone[best] = bool(unlike[best] < 0.7)
    return gone


def _ground(features: tuple[Feature, ...], pole: Pole) -> Floats:
    """Centre and radius of summits to keep free, (n, 3)."""
    rows = []
    for feature in features:
        x_m, y_m = lonlat_to_xy(feature.lon_deg, feature.lat_deg, pole)
        if feature.kind not in (CRATER, "basin") and math.hypot(float(x_m), float(y_m)) < MOON_RADIUS_M:
            rows.append((float(x_m), float(y_m), 0.5 * feature.diameter_m))
    return np.array(rows).reshape(-1, 3)


def _moved(rng: np.random.Generator, random: Craters, named: Craters, ground: Floats, half_width_m: float) -> Craters:
    """Redraw the places of random craters that would wreck a named crater or good ground."""
    x_m, y_m = random.x_m.copy(), random.y_m.copy()
    for _ in range(20):
        bad = np.flatnonzero(_wrecks(x_m, y_m, random.diameter_m, named, ground))
        if bad.size == 0:
            break
        x_m[bad] = half_width_m * (2.0 * rng.random(bad.size) - 1.0)
        y_m[bad] = half_width_m * (2.0 * rng.random(bad.size) - 1.0)
    return Craters(x_m, y_m, random.diameter_m, random.depth_m).take(
        ~_wrecks(x_m, y_m, random.diameter_m, named, ground)
    )


def _wrecks(x_m: Floats, y_m: Floats, diameter_m: Floats, named: Craters, ground: Floats) -> NDArray[np.bool_]:
    wrecks = np.zeros(x_m.size, dtype=np.bool_)
    for x, y, diameter in zip(named.x_m, named.y_m, named.diameter_m, strict=True):
        similar = diameter_m > 0.3 * diameter
        wrecks |= similar & (np.hypot(x_m - x, y_m - y) < 0.5 * diameter + 0.4 * diameter_m)
    for x, y, radius in ground:
        wrecks |= np.hypot(x_m - x, y_m - y) < radius + 0.75 * diameter_m
    return wrecks
