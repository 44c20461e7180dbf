"""Compiled loops of the renderer: what rays from the lens meet, and what stands between that and the Sun.

Rays march over the heights of `ground`; rocks are convex bodies (an ellipsoid cut by planes, see `rocks`), each tried
for the pixels of its own box. Directions have length 1. Nothing here knows settings, random numbers or files.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np

BEHIND = 0.125
"""Share of a level that lies behind the lens."""

SUN_RADIUS = 0.00465
"""Of the Sun as the Moon sees it, radians."""

_FAR = np.inf


@nb.njit(cache=True, error_model="numpy")
def add_craters(heights, window, craters):  # type: ignore[no-untyped-def]
    """Lay craters on a level, in place.

    Args:
        heights: (n, n) float32 metres.
        window: (n, n) float32 weights of what is added.
        craters: (m, 4) row and column of the centre, diameter in cells, diameter times freshness in metres.
    """
    cells = heights.shape[0]
    for k in range(craters.shape[0]):
        row, col, diameter, size = craters[k]
        radius = 0.5 * diameter
        reach = 1.9 * radius
        for i in range(max(0, math.ceil(row - reach)), min(cells, math.floor(row + reach) + 1)):
            for j in range(max(0, math.ceil(col - reach)), min(cells, math.floor(col + reach) + 1)):
                r = math.sqrt((i - row) ** 2 + (j - col) ** 2) / radius
                if r >= 1.9:
                    continue
                # A fresh small crater is a fifth as deep as wide from rim to floor, a fifth of that its rim.
                dip = -0.16 * 0.5 * (1.0 + math.cos(math.pi * r)) if r < 1.0 else 0.0
                rim = 0.04 * math.exp(-(((r - 1.0) / 0.33) ** 2))
                heights[i, j] += window[i, j] * size * (dip + rim)


@nb.njit(inline="always", error_model="numpy")
def _direction(row, col, lens):  # type: ignore[no-untyped-def]
    """Unit vector of the ray through a pixel; see `camera.Camera`."""
    down, right = (row - lens[1]) / lens[0], (col - lens[2]) / lens[0]
    y, z = lens[4] - down * lens[3], -lens[3] - down * lens[4]
    inverse = 1.0 / math.sqrt(1.0 + down * down + right * right)
    return right * inverse, y * inverse, z * inverse


@nb.njit(inline="always", error_model="numpy")
def _level(x, y, side, levels):  # type: ignore[no-untyped-def]
    """Number of the finest level that covers a place, or -1; `side` is the finest one's, less two cells."""
    wanted = max(2.0 * abs(x), y / (1.0 - BEHIND), -y / BEHIND)
    k = 0
    while wanted > side:
        side *= 2.0
        k += 1
        if k == levels:
            return -1
    return k


@nb.njit(inline="always", error_model="numpy")
def _height(heights, x, y, cell, k):  # type: ignore[no-untyped-def]
    """Height of a place on a level, bilinear."""
    cells = heights.shape[1]
    step = cell * 2.0**k
    row, col = y / step + BEHIND * cells, x / step + 0.5 * cells
    i = min(max(int(row), 0), cells - 2)
    j = min(max(int(col), 0), cells - 2)
    p, q = row - i, col - j
    near = heights[k, i, j] * (1.0 - q) + heights[k, i, j + 1] * q
    far = heights[k, i + 1, j] * (1.0 - q) + heights[k, i + 1, j + 1] * q
    return near * (1.0 - p) + far * p


@nb.njit(cache=True, error_model="numpy")
def heights_at(heights, cell, x, y):  # type: ignore[no-untyped-def]
    """Return the height of places, NaN beyond the ground."""
    found = np.empty(x.size)
    side = cell * (heights.shape[1] - 2)
    for k in range(x.size):
        level = _level(x[k], y[k], side, heights.shape[0])
        found[k] = np.nan if level < 0 else _height(heights, x[k], y[k], cell, level)
    return found


@nb.njit(cache=True, error_model="numpy")
def meet_ground(heights, cell, lens, lens_m, offset, top_m, start):  # type: ignore[no-untyped-def]
    """Return how far the ray through each pixel runs to the ground, infinity where it meets none.

    Args:
        heights: (levels, n, n) float32.
        cell: Cell of the finest level, metres.
        lens: See `Camera.lens`.
        lens_m: Height of the lens, metres.
        offset: Row and column that are added to each pixel's.
        top_m: Greatest height of the ground.
        start: (rows, cols) distance before which there is no ground, metres.
    """
    rows, cols = start.shape
    levels = heights.shape[0]
    side = cell * (heights.shape[1] - 2)
    found = np.empty((rows, cols))
    for i in range(rows):
        for j in range(cols):
            dx, dy, dz = _direction(i + offset[0], j + offset[1], lens)
            found[i, j] = _FAR
            t = start[i, j]
            if t == _FAR:
                continue
            before = 0.0
            first = True
            while True:
                x, y, z = t * dx, t * dy, lens_m + t * dz
                k = _level(x, y, side, levels)
                if k < 0 or (dz >= 0.0 and z > top_m):
                    break
                gap = z - _height(heights, x, y, cell, k)
                if gap <= 0.0:
                    # A start beyond the ground was none; march from the lens.
                    if first and t > 0.0:
                        t = 0.0
                        first = False
                        continue
                    low, high = before, t
                    for _ in range(12):
                        middle = 0.5 * (low + high)
                        x, y, z = middle * dx, middle * dy, lens_m + middle * dz
                        k = _level(x, y, side, levels)
                        if z - _height(heights, x, y, cell, k) > 0.0:
                            low = middle
                        else:
                            high = middle
                    found[i, j] = high
                    break
                before, first = t, False
                # Ground rises by less than 45 degrees nearly everywhere; half a footprint is never stepped over.
                t += max(0.7 * gap, 0.5 * t / lens[0], 0.25 * cell)
    return found


@nb.njit(cache=True, error_model="numpy")
def ground_normals(heights, cell, lens, lens_m, offset, distance, rock, normals):  # type: ignore[no-untyped-def]
    """Fill in the normals (rows, cols, 3) of pixels that show ground: a distance, and no rock (-1)."""
    levels, cells = heights.shape[0], heights.shape[1]
    side = cell * (cells - 2)
    for i in range(distance.shape[0]):
        for j in range(distance.shape[1]):
            t = distance[i, j]
            if t == _FAR or rock[i, j] >= 0:
                continue
            dx, dy, _ = _direction(i + offset[0], j + offset[1], lens)
            x, y = t * dx, t * dy
            k = max(0, _level(x, y, side, levels))
            step = cell * 2.0**k
            # One cell to either side of the place: smooth across cells, unlike a cell's own slope.
            east = _height(heights, x + step, y, cell, k) - _height(heights, x - step, y, cell, k)
            north = _height(heights, x, y + step, cell, k) - _height(heights, x, y - step, cell, k)
            sx, sy = east / (2.0 * step), north / (2.0 * step)
            inverse = 1.0 / math.sqrt(1.0 + sx * sx + sy * sy)
            normals[i, j, 0], normals[i, j, 1], normals[i, j, 2] = -sx * inverse, -sy * inverse, inverse


@nb.njit(cache=True, error_model="numpy")
def _noise(lattice, x, y, z):  # type: ignore[no-untyped-def]
    """Trilinear value of a periodic (n, n, n, 3) lattice, n a power of two."""
    mask = lattice.shape[0] - 1
    fx, fy, fz = math.floor(x), math.floor(y), math.floor(z)
    p, q, r = x - fx, y - fy, z - fz
    i, j, k = int(fx) & mask, int(fy) & mask, int(fz) & mask
    i1, j1, k1 = (i + 1) & mask, (j + 1) & mask, (k + 1) & mask
    found = (0.0, 0.0, 0.0)
    for a, u in ((i, 1.0 - p), (i1, p)):
        for b, v in ((j, 1.0 - q), (j1, q)):
            for c, w in ((k, 1.0 - r), (k1, r)):
                weight = u * v * w
                corner = lattice[a, b, c]
                found = (found[0] + weight * corner[0], found[1] + weight * corner[1], found[2] + weight * corner[2])
    return found


@nb.njit(cache=True, error_model="numpy")
def _crossed(o, d, planes):  # type: ignore[no-untyped-def]
    """Where a ray enters and leaves a body in its own frame, and the plane by which it enters (-1: the sphere).

    The body is the unit sphere cut by planes (normal, distance); it is missed where it is left before it is entered.
    """
    dd = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
    od = o[0] * d[0] + o[1] * d[1] + o[2] * d[2]
    oo = o[0] * o[0] + o[1] * o[1] + o[2] * o[2]
    inside = od * od - dd * (oo - 1.0)
    if inside <= 0.0:
        return 1.0, 0.0, -1
    root = math.sqrt(inside)
    enter, leave, by = (-od - root) / dd, (-od + root) / dd, -1
    for k in range(planes.shape[0]):
        a, b, c, distance = planes[k]
        along = a * d[0] + b * d[1] + c * d[2]
        room = distance - (a * o[0] + b * o[1] + c * o[2])
        if along > 0.0:
            leave = min(leave, room / along)
        elif along < 0.0:
            if room / along > enter:
                enter, by = room / along, k
        elif room < 0.0:
            return 1.0, 0.0, -1
        if enter >= leave:
            return 1.0, 0.0, -1
    return enter, leave, by


@nb.njit(cache=True, error_model="numpy")
def _turned(m, x, y, z):  # type: ignore[no-untyped-def]
    return (
        m[0, 0] * x + m[0, 1] * y + m[0, 2] * z,
        m[1, 0] * x + m[1, 1] * y + m[1, 2] * z,
        m[2, 0] * x + m[2, 1] * y + m[2, 2] * z,
    )


@nb.njit(cache=True, error_model="numpy")
def meet_rocks(  # type: ignore[no-untyped-def]
    centres, frames, shapes, planes, boxes, lattice, rough, lens, lens_m, offset, distance, rock, normals
):
    """Put rocks before the ground, in place: distance, number of the rock and normal of pixels that show one.

    Args:
        centres: (m, 3) metres.
        frames: (m, 3, 3) from metres about the centre to the body's frame.
        shapes: (m,) row of `planes`.
        planes: (shapes, p, 4) normals and distances in the body's frame.
        boxes: (m, 4) first and last row, first and last column that may show the rock.
        lattice: (n, n, n, 3) noise that roughens normals.
        rough: How much.
        lens: See `Camera.lens`.
        lens_m: Height of the lens.
        offset: Row and column that are added to each pixel's.
        distance: (rows, cols) of what is met so far.
        rock: (rows, cols) int32, -1 for none.
        normals: (rows, cols, 3).
    """
    for n in range(centres.shape[0]):
        m = frames[n]
        body = planes[shapes[n]]
        o = _turned(m, -centres[n, 0], -centres[n, 1], lens_m - centres[n, 2])
        for i in range(boxes[n, 0], boxes[n, 1] + 1):
            for j in range(boxes[n, 2], boxes[n, 3] + 1):
                dx, dy, dz = _direction(i + offset[0], j + offset[1], lens)
                d = _turned(m, dx, dy, dz)
                enter, leave, by = _crossed(o, d, body)
                if enter >= leave or enter <= 0.0 or enter >= distance[i, j]:
                    continue
                distance[i, j] = enter
                rock[i, j] = n
                px, py, pz = o[0] + enter * d[0], o[1] + enter * d[1], o[2] + enter * d[2]
                if by < 0:
                    nx, ny, nz = px, py, pz
                else:
                    nx, ny, nz = body[by, 0], body[by, 1], body[by, 2]
                coarse = _noise(lattice, 3.1 * px + n, 3.1 * py, 3.1 * pz)
                fine = _noise(lattice, 11.0 * px, 11.0 * py + n, 11.0 * pz)
                nx += rough * (coarse[0] + 0.8 * fine[0])
                ny += rough * (coarse[1] + 0.8 * fine[1])
                nz += rough * (coarse[2] + 0.8 * fine[2])
                # A plane's normal turns with the inverse of the transposed frame, of which this is the transposed.
                wx = m[0, 0] * nx + m[1, 0] * ny + m[2, 0] * nz
                wy = m[0, 1] * nx + m[1, 1] * ny + m[2, 1] * nz
                wz = m[0, 2] * nx + m[1, 2] * ny + m[2, 2] * nz
                inverse = 1.0 / math.sqrt(wx * wx + wy * wy + wz * wz)
                normals[i, j, 0], normals[i, j, 1], normals[i, j, 2] = wx * inverse, wy * inverse, wz * inverse


@nb.njit(cache=True, error_model="numpy")
def ground_shade(heights, cell, lens, lens_m, offset, top_m, distance, normals, sun):  # type: ignore[no-untyped-def]
    """Return the share of the Sun's disc, (rows, cols), that the ground leaves free; 0 where a surface faces away.

    The disc's height over the ridges that a ray passes tells the share, as of a disc cut by a straight edge.
    """
    rows, cols = distance.shape
    levels = heights.shape[0]
    side = cell * (heights.shape[1] - 2)
    free = np.zeros((rows, cols))
    for i in range(rows):
        for j in range(cols):
            t = distance[i, j]
            facing = normals[i, j, 0] * sun[0] + normals[i, j, 1] * sun[1] + normals[i, j, 2] * sun[2]
            if t == _FAR or facing <= 0.0:
                continue
            dx, dy, dz = _direction(i + offset[0], j + offset[1], lens)
            x, y, z = t * dx, t * dy, lens_m + t * dz
            k = max(0, _level(x, y, side, levels))
            step = cell * 2.0**k
            s = 1.5 * step
            share = 1.0
            while share > 0.0:
                px, py, pz = x + s * sun[0], y + s * sun[1], z + s * sun[2]
                k = _level(px, py, side, levels)
                if k < 0 or pz > top_m:
                    break
                gap = pz - _height(heights, px, py, cell, k)
                share = min(share, 0.5 + 0.5 * gap / (s * SUN_RADIUS))
                s += max(1.5 * gap, cell * 2.0**k)
            free[i, j] = max(share, 0.0)
    return free


@nb.njit(cache=True, error_model="numpy")
def rock_shade(  # type: ignore[no-untyped-def]
    centres, frames, shapes, planes, radii, boxes, lens, lens_m, offset, distance, rock, sun, free
):
    """Set `free` to 0, in place, where a rock stands between a pixel's place and the Sun.

    Args: As of `meet_rocks`, with `radii` of the rocks' bounding spheres and boxes that may show their shadows.
    """
    for n in range(centres.shape[0]):
        m = frames[n]
        body = planes[shapes[n]]
        d = _turned(m, sun[0], sun[1], sun[2])
        most = radii[n] ** 2
        for i in range(boxes[n, 0], boxes[n, 1] + 1):
            for j in range(boxes[n, 2], boxes[n, 3] + 1):
                t = distance[i, j]
                # A convex body casts no shadow on itself: its dark side faces away.
                if free[i, j] <= 0.0 or rock[i, j] == n:
                    continue
                dx, dy, dz = _direction(i + offset[0], j + offset[1], lens)
                x, y, z = t * dx - centres[n, 0], t * dy - centres[n, 1], lens_m + t * dz - centres[n, 2]
                along = x * sun[0] + y * sun[1] + z * sun[2]
                if along > radii[n] or x * x + y * y + z * z - along * along > most:
                    continue
                enter, leave, _ = _crossed(_turned(m, x, y, z), d, body)
                if enter < leave and leave > 0.0:
                    free[i, j] = 0.0
