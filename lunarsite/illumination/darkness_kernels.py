"""Compiled loops over the hours: critical latitudes of a place, and its nights and days."""

from __future__ import annotations

import math

import numba as nb
import numpy as np


@nb.njit(cache=True, error_model="numpy")
def critical_latitudes(  # type: ignore[no-untyped-def]
    x, y, cos_azimuth, sin_azimuth, tangent, parallax, radius, latitude_limit, first, step, critical
):
    """Critical latitude of the upper limb by the body's longitude, for one place.

    Each known direction gives one point (longitude, latitude) on the border between seen and hidden; between them the
    border is taken as linear. The formulas are derived in `visibility_tables`.

    Args:
        x: Map x of the place over the Moon's radius.
        y: Map y.
        cos_azimuth: Cosines of the directions, ascending, (m,).
        sin_azimuth: Sines.
        tangent: Tangent of the horizon's elevation, (m,).
        parallax: Sine of the body's horizontal parallax.
        radius: Its angular radius, rad.
        latitude_limit: Largest latitude that the body reaches, rad: only that far the border's slant is followed.
        first: Map direction of the first longitude wanted, rad.
        step: Spacing of the longitudes, rad.
        critical: Degrees, (n,), written; the limb is in sight while latitude + the epoch's radius exceeds it.
    """
    m = tangent.size
    n = critical.size
    full_turn = 2.0 * math.pi
    q = 1.0 / (1.0 + 0.25 * (x * x + y * y))
    cos_c = 2.0 * q - 1.0
    for k in range(n):
        critical[k] = 90.0
    last_place = 0.0
    last_value = 0.0
    for k in range(-1, m):
        i = k % m
        outward = (x * cos_azimuth[i] + y * sin_azimuth[i]) * q
        shear = (x * sin_azimuth[i] - y * cos_azimuth[i]) * q
        t = max(float(tangent[i]), -1.0e3)
        cos_e = 1.0 / math.sqrt(1.0 + t * t)
        sin_e = t * cos_e
        lifted_sin = sin_e + parallax * cos_e * cos_e
        lifted_cos = cos_e - parallax * cos_e * sin_e
        latitude = math.asin(min(max(cos_c * lifted_sin - outward * lifted_cos, -1.0), 1.0))
        root = math.sqrt(1.0 - shear * shear)
        value = math.degrees(latitude + radius * (1.0 - root))
        met = min(max(latitude, -latitude_limit), latitude_limit)
        azimuth = math.atan2(sin_azimuth[i], cos_azimuth[i])
        direction = azimuth - math.atan(shear * outward / (1.0 + cos_c - shear * shear))
        direction -= math.asin(math.tan(met) * shear / root)
        place = (direction - first) / full_turn
        place = (place - math.floor(place)) * full_turn / step
        if k >= 0:
            _fill(critical, last_place, last_value, place, value, full_turn / step)
        last_place, last_value = place, value


@nb.njit(cache=True, error_model="numpy")
def _fill(critical, place_a, value_a, place_b, value_b, turn):  # type: ignore[no-untyped-def]
    """Write the line between two points of the border at the whole places between them; places are modulo ``turn``."""
    width = place_b - place_a
    if width < -0.5 * turn:
        width += turn
    elif width > 0.5 * turn:
        width -= turn
    if width <= 0.0:
        return  # an overhang of the border: what is seen last counts
    slope = (value_b - value_a) / width
    whole = round(turn)
    for k in range(math.ceil(place_a), math.floor(place_a + width) + 1):
        index = k % whole
        if index < critical.size:
            critical[index] = value_a + slope * (k - place_a)


@nb.njit(parallel=True, cache=True, error_model="numpy")
def nights(  # type: ignore[no-untyped-def]
    x,
    y,
    cos_azimuth,
    sin_azimuth,
    tangent,
    sun_body,
    sun_limb,
    sun_index,
    earth_body,
    earth_limb,
    earth_index,
    earth_axis,
    month_starts,
    limits,
    counts,
    night_counts,
    best,
):
    """Runs of darkness and light of many places.

    Args:
        x: Map x of the places over the Moon's radius, (n,).
        y: Map y, (n,).
        cos_azimuth: Cosines of the directions, (m,).
        sin_azimuth: Sines, (m,).
        tangent: Horizons, (n, m) float32.
        sun_body: Parallax, radius (rad), latitude limit (rad), steps per circle.
        sun_limb: Latitude of the Sun's upper limb per epoch, degrees towards the pole, (t,) float32.
        sun_index: Longitude step per epoch, (t,) uint16 (unsigned, so that no wrap-around is compiled in).
        earth_body: As for the Sun.
        earth_limb: As for the Sun.
        earth_index: Longitude step of the Earth's window per epoch.
        earth_axis: Map direction of the window's first step (rad), number of steps.
        month_starts: First epoch of each whole month and the end of the last, ascending, (k + 1,).
        limits: Lengths of nights to be counted, epochs, (l,).
        counts: Written, (n, 6) int64: lit epochs, longest night, its first epoch, longest light, epochs with the Earth
            in sight, epochs with both.
        night_counts: Written, (n, l): nights longer than each limit.
        best: Written, (n, 2): the month with most lit epochs, and their number.
    """
    epochs = sun_limb.size
    for i in nb.prange(x.size):
        place = (x[i], y[i], cos_azimuth, sin_azimuth, tangent[i])
        sun_border = _border(place, sun_body, 0.0, int(sun_body[3]))
        earth_border = _border(place, earth_body, earth_axis[0], int(earth_axis[1]))
        lit = np.zeros(-(-epochs // 8) * 8, np.uint8)
        n_lit, n_earth, n_both = _light(sun_limb, sun_index, sun_border, earth_limb, earth_index, earth_border, lit)
        counts[i, 0] = n_lit
        counts[i, 4] = n_earth
        counts[i, 5] = n_both
        _runs(lit, epochs, limits, counts[i], night_counts[i])
        best[i, 0], best[i, 1] = _best_month(lit, month_starts)


@nb.njit(cache=True, error_model="numpy")
def _border(place, body, first, steps):  # type: ignore[no-untyped-def]
    """Critical latitudes of one place at the longitudes of a body's window, float32."""
    x, y, cos_azimuth, sin_azimuth, tangent = place
    critical = np.empty(steps, np.float64)
    step = 2.0 * math.pi / body[3]
    critical_latitudes(x, y, cos_azimuth, sin_azimuth, tangent, body[0], body[1], body[2], first, step, critical)
    return critical.astype(np.float32)


@nb.njit(cache=True, error_model="numpy")
def _light(sun_limb, sun_index, sun_border, earth_limb, earth_index, earth_border, lit):  # type: ignore[no-untyped-def]
    """Write which epochs are lit; return how many are, with the Earth in sight, with both."""
    n_lit, n_earth, n_both = np.int64(0), np.int64(0), np.int64(0)
    for t in range(sun_limb.size):
        sun_up = np.uint8(sun_limb[t] > sun_border[sun_index[t]])
        earth_up = np.uint8(earth_limb[t] > earth_border[earth_index[t]])
        lit[t] = sun_up
        n_lit += np.int64(sun_up)
        n_earth += np.int64(earth_up)
        n_both += np.int64(sun_up & earth_up)
    return n_lit, n_earth, n_both


@nb.njit(cache=True, error_model="numpy")
def _best_month(lit, month_starts):  # type: ignore[no-untyped-def]
    """The month with the largest share of light, and its lit epochs; -1, -1 without whole months."""
    best, best_total, best_length = -1, -1, 1
    for month in range(month_starts.size - 1):
        total = 0
        for t in range(month_starts[month], month_starts[month + 1]):
            total += lit[t]
        length = month_starts[month + 1] - month_starts[month]
        if total * best_length > best_total * length:
            best, best_total, best_length = month, total, length
    return best, best_total


@nb.njit(cache=True, error_model="numpy")
def _runs(lit, epochs, limits, counts, night_counts):  # type: ignore[no-untyped-def]
    """Longest night (columns 1 and 2: length and first epoch), longest light (3), nights beyond each limit.

    ``lit`` is padded to whole words of eight epochs: runs are hundreds of epochs long, words inside one are skipped.
    """
    words = lit.view(np.uint64)
    all_lit = np.uint64(0x0101010101010101)
    counts[1] = 0
    counts[2] = -1
    counts[3] = 0
    for k in range(limits.size):
        night_counts[k] = 0
    start = 0
    t = 1
    while t <= epochs:
        same = all_lit if lit[start] == 1 else np.uint64(0)
        if t % 8 == 0:
            word = t // 8
            while word < words.size and words[word] == same:
                word += 1
            t = min(max(t, word * 8), epochs)
        if t < epochs and lit[t] == lit[start]:
            t += 1
            continue
        length = t - start
        if lit[start] == 0:
            if length > counts[1]:
                counts[1] = length
                counts[2] = start
            for k in range(limits.size):
                if length > limits[k]:
                    night_counts[k] += 1
        elif length > counts[3]:
            counts[3] = length
        start = t
        t += 1
