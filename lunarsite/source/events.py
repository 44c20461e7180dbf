"""Impacts and massifs as events that act on the height at a place, one after the other.

An event replaces part of the relief that it finds by its own, which stands on a plane fitted to what was there. The
planes are found first, at points about each event's rim, so that afterwards any place can be evaluated alone: the
height does not depend on the grid, the window or the number of threads. This module knows no population and no noise.
"""

from __future__ import annotations

import math
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from lunarsite.grid import MOON_RADIUS_M
from lunarsite.source.profiles import REACH, ProfileTable

Floats = NDArray[np.float64]

IMPACT, MASSIF = 0, 1

# Columns of an event. LEVEL is a crater's index of freshness, or the share of older relief that a summit keeps;
# WARP says how far the warp field shifts it.
KIND, X, Y, SCALE, RADIUS, OUTER, LEVEL, NODE, SIZE, WARP, BASE, SLOPE_X, SLOPE_Y = range(13)
HARMONICS = 13
"""First of the eight coefficients that make the outline irregular: cosine and sine of 2..5 times the azimuth."""
COLUMNS = HARMONICS + 8

# Share of the older relief that survives inside a crater.
_KEPT_BY_IMPACT = 0.12
# Fall of a summit from its middle, metres per metre: a gentle dome.
_DOME_SLOPE = 0.02
_FOUR_R2 = 4.0 * MOON_RADIUS_M**2
_STRIPS = 32
_OUTLINE_MOST = 1.25
# Reach of an event on the map: its outer radius, its outline, the scale between its centre and its border, its warp.
_SAFE_REACH = 1.5
RING_POINTS = 24


@nb.njit(cache=True, inline="always")
def _smoothstep(t: float) -> float:
    t = min(max(t, 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@nb.njit(cache=True, inline="always")
def _profile(table: Floats, node: int, level: float, distance: float) -> float:
    """Height over diameter, bilinear in freshness and distance (radii)."""
    top = table.shape[1] - 1
    lev = min(max(level, 0.0), top - 1e-9)
    i = int(lev)
    f = lev - i
    at = distance * ((table.shape[2] - 1) / REACH)
    j = int(at)
    if j >= table.shape[2] - 1:
        return 0.0
    g = at - j
    lower = table[node, i, j] * (1.0 - g) + table[node, i, j + 1] * g
    upper = table[node, i + 1, j] * (1.0 - g) + table[node, i + 1, j + 1] * g
    return float(lower * (1.0 - f) + upper * f)


@nb.njit(cache=True, inline="always")
def _outline(event: Floats, c: float, s: float) -> float:
    """Radius of the irregular outline relative to the mean, in the direction (cos, sin)."""
    total = 0.0
    cn, sn = c, s
    for n in range(4):
        cn, sn = cn * c - sn * s, sn * c + cn * s
        total += event[HARMONICS + 2 * n] * cn + event[HARMONICS + 2 * n + 1] * sn
    # A smooth limit: a sharp one would leave radial creases.
    return 1.0 + total / math.sqrt(1.0 + (total / (_OUTLINE_MOST - 1.0)) ** 2)


@nb.njit(cache=True)
def _apply(event: Floats, table: Floats, x: float, y: float, warp_x: float, warp_y: float, height: float) -> float:
    """Return the height at a place after an event."""
    dx, dy = x - event[X] + event[WARP] * warp_x, y - event[Y] + event[WARP] * warp_y
    squared = dx * dx + dy * dy
    # Chord on the sphere: |p - c|^2 over the scale factors of both places, exact in the stereographic map.
    distance = math.sqrt(squared / (event[SCALE] * (1.0 + (x * x + y * y) / _FOUR_R2)))
    if distance > event[OUTER] * _OUTLINE_MOST:
        return height
    flat = math.sqrt(squared)
    c, s = (dx / flat, dy / flat) if flat > 0.0 else (1.0, 0.0)
    distance /= _outline(event, c, s)
    if distance >= event[OUTER]:
        return height
    plane = event[BASE] + event[SLOPE_X] * dx + event[SLOPE_Y] * dy
    if event[KIND] == IMPACT:
        r = distance / event[RADIUS]
        kept = _KEPT_BY_IMPACT + (1.0 - _KEPT_BY_IMPACT) * _smoothstep((r - 0.5) / 0.75)
        relief = event[SIZE] * _profile(table, int(event[NODE]), event[LEVEL], r)
        return float(kept * height + (1.0 - kept) * plane + relief)
    lift = (1.0 - event[LEVEL]) * _smoothstep((event[OUTER] - distance) / (event[OUTER] - event[RADIUS]))
    return float(height + lift * (event[BASE] + event[SIZE] - _DOME_SLOPE * distance - height))


@nb.njit(cache=True)
def _settle(
    events: Floats, table: Floats, ring_x: Floats, ring_y: Floats, warp_x: Floats, warp_y: Floats, ring_h: Floats
) -> None:
    """Give each event the plane it stands on, from the heights about its rim after all earlier events."""
    for k in range(events.shape[0]):
        xk, yk = events[k, X], events[k, Y]
        reach = events[k, OUTER] * events[k, SCALE]
        for i in range(k):
            far = _SAFE_REACH * events[i, OUTER] * events[i, SCALE] + reach
            if abs(events[i, X] - xk) < far and abs(events[i, Y] - yk) < far:
                for n in range(ring_x.shape[1]):
                    ring_h[k, n] = _apply(
                        events[i], table, ring_x[k, n], ring_y[k, n], warp_x[k, n], warp_y[k, n], ring_h[k, n]
                    )
        mean = 0.0
        mx = 0.0
        my = 0.0
        norm = 0.0
        for n in range(ring_x.shape[1]):
            mean += ring_h[k, n]
            mx += ring_h[k, n] * (ring_x[k, n] - xk)
            my += ring_h[k, n] * (ring_y[k, n] - yk)
            norm += (ring_x[k, n] - xk) ** 2 + (ring_y[k, n] - yk) ** 2
        events[k, BASE] = mean / ring_x.shape[1]
        events[k, SLOPE_X] = 2.0 * mx / norm
        events[k, SLOPE_Y] = 2.0 * my / norm


@nb.njit(parallel=True, cache=True)
def _act(events: Floats, table: Floats, x: Floats, y: Floats, warp_x: Floats, warp_y: Floats, out: Floats) -> None:
    rows, cols = out.shape
    step = abs(x[1] - x[0]) if cols > 1 else 1.0
    for strip in nb.prange(_STRIPS):
        first, last = rows * strip // _STRIPS, rows * (strip + 1) // _STRIPS
        if first == last:
            continue
        low, high = min(y[first], y[last - 1]), max(y[first], y[last - 1])
        for k in range(events.shape[0]):
            reach = _SAFE_REACH * events[k, OUTER] * events[k, SCALE]
            if events[k, Y] + reach < low or events[k, Y] - reach > high:
                continue
            begin = max(0, int((events[k, X] - reach - x[0]) / step))
            end = min(cols, int((events[k, X] + reach - x[0]) / step) + 2)
            for row in range(first, last):
                if abs(y[row] - events[k, Y]) <= reach:
                    for col in range(begin, end):
                        out[row, col] = _apply(
                            events[k], table, x[col], y[row], warp_x[row, col], warp_y[row, col], out[row, col]
                        )


@nb.njit(parallel=True, cache=True)
def _add_simple(craters: Floats, table: Floats, x: Floats, y: Floats, out: Floats) -> None:
    rows, cols = out.shape
    step = abs(x[1] - x[0]) if cols > 1 else 1.0
    for strip in nb.prange(_STRIPS):
        first, last = rows * strip // _STRIPS, rows * (strip + 1) // _STRIPS
        if first == last:
            continue
        low, high = min(y[first], y[last - 1]), max(y[first], y[last - 1])
        for k in range(craters.shape[0]):
            xk, yk, radius, level = craters[k, 0], craters[k, 1], craters[k, 2], craters[k, 3]
            scale = 1.0 + (xk * xk + yk * yk) / _FOUR_R2
            reach = REACH * radius * scale
            if yk + reach < low or yk - reach > high:
                continue
            begin = max(0, int((xk - reach - x[0]) / step))
            end = min(cols, int((xk + reach - x[0]) / step) + 2)
            for row in range(first, last):
                dy2 = (y[row] - yk) ** 2
                if dy2 <= reach * reach:
                    for col in range(begin, end):
                        distance = math.sqrt((x[col] - xk) ** 2 + dy2) / (radius * scale)
                        if distance < REACH:
                            out[row, col] += 2.0 * radius * _profile(table, 0, level, distance)


@nb.njit(parallel=True, cache=True)
def _calm(places: Floats, x: Floats, y: Floats, out: Floats) -> None:
    rows, cols = out.shape
    step = abs(x[1] - x[0]) if cols > 1 else 1.0
    for row in nb.prange(rows):
        for k in range(places.shape[0]):
            xk, yk, inner, outer, share = places[k, 0], places[k, 1], places[k, 2], places[k, 3], places[k, 4]
            if abs(y[row] - yk) >= outer:
                continue
            begin = max(0, int((xk - outer - x[0]) / step))
            end = min(cols, int((xk + outer - x[0]) / step) + 2)
            for col in range(begin, end):
                weight = _smoothstep((outer - math.hypot(x[col] - xk, y[row] - yk)) / (outer - inner))
                out[row, col] += weight * (share - out[row, col])


def calm(places: Floats, x_m: Floats, y_m: Floats) -> Floats:
    """Return the share of young relief that stands at each place, (rows, cols): 1 but for smooth floors and summits.

    Args:
        places: (n, 5): map x and y, inner and outer radius on the map, share within the inner radius; later ones win.
        x_m: Places of the columns.
        y_m: Places of the rows.
    """
    out = np.ones((y_m.size, x_m.size))
    _calm(places, x_m, y_m, out)
    return out


def ring(events: Floats) -> tuple[Floats, Floats]:
    """Return the places about each event at which its plane is found, (events, RING_POINTS) each.

    A crater's lie on its rim and at half its radius, a massif's about its foot.
    """
    angle = np.linspace(0.0, 2.0 * np.pi, RING_POINTS, endpoint=False)
    share = np.where(np.arange(RING_POINTS) % 3 == 0, 0.5, 1.05)
    radius = np.where(events[:, KIND] == MASSIF, events[:, OUTER], events[:, RADIUS]) * events[:, SCALE]
    offset = radius[:, None] * np.where(events[:, KIND, None] == MASSIF, 1.0, share[None, :])
    return events[:, X, None] + offset * np.cos(angle), events[:, Y, None] + offset * np.sin(angle)


def settle(
    events: Floats,
    profiles: ProfileTable,
    ring_m: tuple[Floats, Floats],
    warp_m: tuple[Floats, Floats],
    heights: Floats,
) -> None:
    """Fill in the planes of all events in their order; `heights` holds the relief on the rings before the first."""
    _settle(events, profiles.height, *ring_m, *warp_m, heights)


def act(
    events: Floats, profiles: ProfileTable, x_m: Floats, y_m: Floats, warp_m: tuple[Floats, Floats], out: Floats
) -> None:
    """Let all settled events act on a block of heights in place; the warp is (rows, cols) like the heights."""
    _act(events, profiles.height, x_m, y_m, *warp_m, out)


def add_simple(craters: Any, profiles: ProfileTable, x_m: Floats, y_m: Floats, out: Floats) -> None:
    """Add the relief of small craters (`population.Craters`) to a block of heights, in place."""
    table = np.column_stack([craters.x_m, craters.y_m, 0.5 * craters.diameter_m, levels(profiles, craters.freshness)])
    _add_simple(table, profiles.height, x_m, y_m, out)


def levels(profiles: ProfileTable, freshness: Floats) -> Floats:
    """Return the fractional index of a freshness in the profile table."""
    low, high = profiles.freshness[0], profiles.freshness[-1]
    return np.asarray((freshness - low) / (high - low) * (profiles.freshness.size - 1))
