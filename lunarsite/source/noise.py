"""Band-limited random relief that is a function of the place alone, so that every grid shows the same Moon.

Each octave is a lattice of independent random values, drawn by hashing the lattice's indices, and spread by cubic
B-splines. On a grid whose axes are the lattice's, the spline is separable and costs some nanoseconds per pixel and
octave. This module knows neither craters nor heights, only unit-variance noise.
"""

from __future__ import annotations

import math
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# A cubic B-spline over unit-variance white values has the variance 151/315 per axis, averaged over phases: in two
# dimensions that is the standard deviation.
_BSPLINE_RMS = 151.0 / 315.0
# Octaves are shifted against each other by an irrational step, lest their lattices' nodes coincide anywhere.
_GOLDEN = 0.6180339887498949
_SILVER = 0.7548776662466927


@nb.njit(cache=True, inline="always")
def _mix(value: Any) -> Any:
    """The finaliser of SplitMix64 (Steele et al. 2014): a bijection of 64 bits that scatters neighbours."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@nb.njit(cache=True)
def _lattice_value(key: Any, i: int, j: int) -> float:
    """Random value of a lattice node: mean 0, variance 1, nearly normal (sum of four uniforms)."""
    bits = _mix(
        key ^ _mix(np.uint64(i) * np.uint64(0x9E3779B97F4A7C15) ^ _mix(np.uint64(j) + np.uint64(0x632BE59BD9B4E019)))
    )
    total = np.int64(0)
    for _ in range(4):
        total += np.int64(bits & np.uint64(0xFFFF))
        bits >>= np.uint64(16)
    return (total / 65536.0 - 2.0 + 2.0 / 65536.0) * 1.7320508075688772


@nb.njit(cache=True)
def _weights(t: float) -> tuple[float, float, float, float]:
    s = 1.0 - t
    t2 = t * t
    return s * s * s / 6.0, (4.0 - 6.0 * t2 + 3.0 * t2 * t) / 6.0, (1.0 + 3.0 * (t + t2 - t2 * t)) / 6.0, t2 * t / 6.0


@nb.njit(parallel=True, cache=True)
def _add_on_axes(key: Any, u: Floats, v: Floats, amplitude: float, out: Floats) -> None:
    """Add amplitude x noise at lattice coordinates (v[row], u[col]) to out."""
    rows, cols = out.shape
    i_min = math.floor(min(u[0], u[-1])) - 1
    i_count = math.floor(max(u[0], u[-1])) - i_min + 3
    j_min = math.floor(min(v[0], v[-1])) - 1
    j_count = math.floor(max(v[0], v[-1])) - j_min + 3
    spread = np.empty((j_count, cols))
    for j in nb.prange(j_count):
        nodes = np.empty(i_count)
        for i in range(i_count):
            nodes[i] = _lattice_value(key, i + i_min, j + j_min)
        for col in range(cols):
            base = math.floor(u[col])
            w0, w1, w2, w3 = _weights(u[col] - base)
            i = base - 1 - i_min
            spread[j, col] = w0 * nodes[i] + w1 * nodes[i + 1] + w2 * nodes[i + 2] + w3 * nodes[i + 3]
    for row in nb.prange(rows):
        base = math.floor(v[row])
        w0, w1, w2, w3 = _weights(v[row] - base)
        j = base - 1 - j_min
        for col in range(cols):
            out[row, col] += amplitude * (
                w0 * spread[j, col] + w1 * spread[j + 1, col] + w2 * spread[j + 2, col] + w3 * spread[j + 3, col]
            )


@nb.njit(parallel=True, cache=True)
def _add_at_points(key: Any, u: Floats, v: Floats, amplitude: float, out: Floats) -> None:
    """Add amplitude x noise at lattice coordinates (v[n], u[n]) to out[n]."""
    for n in nb.prange(u.size):
        i, j = math.floor(u[n]), math.floor(v[n])
        a = _weights(u[n] - i)
        b = _weights(v[n] - j)
        total = 0.0
        for dj in range(4):
            line = 0.0
            for di in range(4):
                line += a[di] * _lattice_value(key, i - 1 + di, j - 1 + dj)
            total += b[dj] * line
        out[n] += amplitude * total


def octave_key(seed: int, stream: int, octave: int) -> np.uint64:
    """Return the hash key of one octave of one stream of noise."""
    return np.uint64(np.random.SeedSequence([seed, stream, octave]).generate_state(1, np.uint64)[0])


def _coordinates(position_m: Floats, spacing_m: float, octave: int, shift: float) -> Floats:
    return position_m / spacing_m + (octave + 1) * shift


def add_octave(
    out: Floats, x_m: Floats, y_m: Floats, *, seed: int, stream: int, octave: int, spacing_m: float, rms: float
) -> None:
    """Add one octave of noise to a grid.

    Args:
        out: Heights, (rows, cols), added to in place.
        x_m: Places of the columns, (cols,).
        y_m: Places of the rows, (rows,).
        seed: The Moon's seed.
        stream: What the noise is for; streams are independent.
        octave: Number of the octave; octaves are independent.
        spacing_m: Distance of the lattice's nodes; wavelengths are about twice as long and more.
        rms: Root mean square of the noise.
    """
    u, v = _coordinates(x_m, spacing_m, octave, _GOLDEN), _coordinates(y_m, spacing_m, octave, _SILVER)
    _add_on_axes(octave_key(seed, stream, octave), u, v, rms / _BSPLINE_RMS, out)


def add_octave_at(
    out: Floats, x_m: Floats, y_m: Floats, *, seed: int, stream: int, octave: int, spacing_m: float, rms: float
) -> None:
    """Add one octave of noise at single places; arguments as `add_octave`, all arrays (n,)."""
    u, v = _coordinates(x_m, spacing_m, octave, _GOLDEN), _coordinates(y_m, spacing_m, octave, _SILVER)
    _add_at_points(octave_key(seed, stream, octave), u, v, rms / _BSPLINE_RMS, out)
