"""Compiled loops that turn one direction's horizon into averages, pixel by pixel.

Sums are kept as scaled integers, so that they do not depend on the order of the directions: any way of sharing the work
gives the same bits. The formulas are derived in `visibility_tables`; nothing here knows files or time.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np

F = np.float32
_LOWEST_TANGENT = F(-1.0e3)
_ZERO, _ONE, _HALF, _QUARTER = F(0.0), F(1.0), F(0.5), F(0.25)


@nb.njit(inline="always", error_model="numpy")
def _looked_up(table, row, fraction, jacobian, tan_jacobian, column):  # type: ignore[no-untyped-def]
    """Jacobian times share of time, minus the other Jacobian times the share weighted with tan b."""
    low = jacobian * table[row, column] - tan_jacobian * table[row, column + 1]
    high = jacobian * table[row + 1, column] - tan_jacobian * table[row + 1, column + 1]
    return max(low + (high - low) * fraction, _ZERO)


@nb.njit(inline="always", error_model="numpy")
def _geometry(x, y, cos_azimuth, sin_azimuth, tangent, parallax):  # type: ignore[no-untyped-def]
    """Sine of the critical latitude, and sin c cos beta, sin s, cos c; x and y in lunar radii."""
    q = _ONE / (_ONE + _QUARTER * (x * x + y * y))
    outward = (x * cos_azimuth + y * sin_azimuth) * q
    shear = (x * sin_azimuth - y * cos_azimuth) * q
    cos_c = q + q - _ONE
    t = max(tangent, _LOWEST_TANGENT)
    cos_e = _ONE / np.sqrt(_ONE + t * t)
    sin_e = t * cos_e
    # The observer stands above the Moon's centre: the body must rise by the parallax times cos e.
    lifted_sin = sin_e + parallax * cos_e * cos_e
    lifted_cos = cos_e - parallax * cos_e * sin_e
    return cos_c * lifted_sin - outward * lifted_cos, outward, shear, cos_c


@nb.njit(parallel=True, cache=True, error_model="numpy")
def add_sun(  # type: ignore[no-untyped-def]
    tangent, x, y, cos_azimuth, sin_azimuth, table, axis, body, scale, mean, any_part, sky, margin, unknown
):
    """Add one direction for one height of the observer.

    Args:
        tangent: Tangent of the horizon's elevation, (rows, cols) float32.
        x: Map x of the columns over the Moon's radius, float32.
        y: Map y of the rows over the Moon's radius, float32.
        cos_azimuth: Cosine of the map direction, float32.
        sin_azimuth: Its sine, float32.
        table: (n, 4) float32, see `SunTables.towards`.
        axis: Lower end of sin b and steps per unit of it, float32 pair.
        body: Radius in radians and sine of the parallax, float32 pair.
        scale: Integer units of 1.0, float32.
        mean: Sum of the mean visible fraction, int32, changed in place; likewise the next.
        any_part: Sum of the share of time with any part in sight.
        sky: Sum of the sky view.
        margin: Least sine of the critical latitude for the upper limb, float32.
        unknown: 1 where a horizon was NaN, uint8.
    """
    low, steps = axis
    radius, parallax = body
    last = F(table.shape[0] - 1) - F(1e-3)
    for i in nb.prange(tangent.shape[0]):
        for j in range(tangent.shape[1]):
            t = tangent[i, j]
            if math.isnan(t):
                unknown[i, j] = 1
                continue
            sine, outward, shear, cos_c = _geometry(x[j], y[i], cos_azimuth, sin_azimuth, t, parallax)
            inverse = _ONE / (_ONE - shear * shear)
            root = np.sqrt(inverse)
            jacobian = cos_c * inverse
            tan_jacobian = outward * inverse * root
            limb = sine + radius * (_ONE - _ONE / root)
            margin[i, j] = min(margin[i, j], limb)
            p = min(max((sine - low) * steps, _ZERO), last)
            k = int(p)
            mean[i, j] += int(_looked_up(table, k, p - F(k), jacobian, tan_jacobian, 0) * scale + _HALF)
            p = min(max((limb - low) * steps, _ZERO), last)
            k = int(p)
            any_part[i, j] += int(_looked_up(table, k, p - F(k), jacobian, tan_jacobian, 2) * scale + _HALF)
            up = max(t, _ZERO)
            sky[i, j] += int(scale / (_ONE + up * up) + _HALF)


@nb.njit(parallel=True, cache=True, error_model="numpy")
def add_groups(tangent, x, y, cos_azimuth, sin_azimuth, table, axis, parallax, scale, mean):  # type: ignore[no-untyped-def]
    """Add one direction to the mean visible fraction of each group of epochs.

    As `add_sun`; table is (n, 2, groups) float32 (share, share weighted with tan b), mean (rows, cols, groups) int32.
    """
    low, steps = axis
    last = F(table.shape[0] - 1) - F(1e-3)
    for i in nb.prange(tangent.shape[0]):
        for j in range(tangent.shape[1]):
            t = tangent[i, j]
            if math.isnan(t):
                continue
            sine, outward, shear, cos_c = _geometry(x[j], y[i], cos_azimuth, sin_azimuth, t, parallax)
            inverse = _ONE / (_ONE - shear * shear)
            jacobian = cos_c * inverse
            tan_jacobian = outward * inverse * np.sqrt(inverse)
            p = min(max((sine - low) * steps, _ZERO), last)
            k = int(p)
            fraction = p - F(k)
            for group in range(table.shape[2]):
                below = jacobian * table[k, 0, group] - tan_jacobian * table[k, 1, group]
                above = jacobian * table[k + 1, 0, group] - tan_jacobian * table[k + 1, 1, group]
                share = max(below + (above - below) * fraction, _ZERO)
                mean[i, j, group] += int(share * scale + _HALF)


@nb.njit(parallel=True, cache=True, error_model="numpy")
def add_earth(  # type: ignore[no-untyped-def]
    tangent, x, y, cos_azimuth, sin_azimuth, table, offset, axes, body, scale, mean, any_part, unknown
):
    """Add one direction of the Earth for one height of the observer.

    As `add_sun`, except:

    Args:
        tangent: As there.
        x: As there.
        y: As there.
        cos_azimuth: As there.
        sin_azimuth: As there.
        table: (longitudes, shears, n, 4) float32, see `EarthTables`.
        offset: Position of the map direction on the longitude axis, in bins.
        axes: Lower end of sin b, steps per unit of it, shear limit, steps per unit of shear, bins per radian; float32.
        body: Radius in radians and sine of the parallax.
        scale: Integer units of 1.0.
        mean: As there.
        any_part: As there.
        unknown: As there.
    """
    low, steps, shear_limit, shear_steps, bins_per_radian = axes
    radius, parallax = body
    last_longitude = table.shape[0] - 1
    last_shear = F(table.shape[1] - 1) - F(1e-3)
    last = F(table.shape[2] - 1) - F(1e-3)
    for i in nb.prange(tangent.shape[0]):
        for j in range(tangent.shape[1]):
            t = tangent[i, j]
            if math.isnan(t):
                unknown[i, j] = 1
                continue
            sine, outward, shear, cos_c = _geometry(x[j], y[i], cos_azimuth, sin_azimuth, t, parallax)
            inverse = _ONE / (_ONE - shear * shear)
            root = np.sqrt(inverse)
            crossing = offset - bins_per_radian * shear * outward / (_ONE + cos_c - shear * shear)
            if crossing <= _ZERO or crossing >= F(last_longitude):
                continue
            jacobian = cos_c * inverse
            tan_jacobian = outward * inverse * root
            limb = sine + radius * (_ONE - _ONE / root)
            a = int(crossing)
            fraction_a = crossing - F(a)
            p = min(max((shear * root + shear_limit) * shear_steps, _ZERO), last_shear)
            b = int(p)
            fraction_b = p - F(b)
            p = min(max((sine - low) * steps, _ZERO), last)
            k = int(p)
            fraction = p - F(k)
            p = min(max((limb - low) * steps, _ZERO), last)
            m = int(p)
            fraction_limb = p - F(m)
            share_mean = _ZERO
            share_any = _ZERO
            for da in range(2):
                weight_a = fraction_a if da == 1 else _ONE - fraction_a
                for db in range(2):
                    weight = weight_a * (fraction_b if db == 1 else _ONE - fraction_b)
                    part = table[a + da, b + db]
                    share_mean += weight * _looked_up(part, k, fraction, jacobian, tan_jacobian, 0)
                    share_any += weight * _looked_up(part, m, fraction_limb, jacobian, tan_jacobian, 2)
            mean[i, j] += int(share_mean * scale + _HALF)
            any_part[i, j] += int(share_any * scale + _HALF)
