"""Geometry of horizon lines: how a straight line on the polar map becomes a plane problem on the sphere.

This module knows the map and the sphere; it must not know heights. Its results are plain numbers and arrays that
the compiled kernels (`horizon_march`, `horizon_hull`) take as they are.

**Distance along a map line.** With rho the map distance from the pole, the scale of the polar stereographic map is
k = 1 + rho^2 / 4R^2. On a straight map line that passes the pole at distance w, put u along the line, u = 0 at the
foot of the perpendicular, and K = 1 + w^2 / 4R^2. The central angle travelled along the line is

    theta(u) = integral du / (R k) = integral du / (R (K + u^2 / 4R^2)) = (2 / sqrt K) atan(u / (2 R sqrt K)).

A straight map line is a circle through the antipode of the map's pole and departs from the great circle that leaves
P in the same direction by s^2 w / 4R^2 after a distance s: 0.1 km after 70 km at 80 degrees latitude, which moves
horizons by 0.003 degrees rms. Its arc is longer than the great-circle arc by less than 2e-5 of itself.

**The plane that keeps horizons straight.** In the plane of the line a point at angle theta and radius r = R + z has
Cartesian x = r sin(theta), y = r cos(theta). The projective map

    a = x / y = tan(theta),   b = -1 / y = -sqrt(1 + a^2) / r

keeps straight lines straight and turns the local vertical into the direction of b, so 'seen over' on the sphere,
curvature included, is 'above the line' in (a, b), and the horizon is a tangent to an upper convex hull. A sight line
that leaves P with elevation e has the slope mu = db/da = (tan(e) - a) / (r sqrt(1 + a^2)) there, hence

    tan(e) = a + mu r sqrt(1 + a^2) = a - mu (1 + a^2) / b,

linear in mu. With the reduced height z* = z / (1 + z / R), R b = sqrt(1 + a^2) (z* / R - 1) is linear in what the
grid holds and r / R = 1 / (1 - z* / R): no division by radii is left, so grids are stored reduced. (The gnomonic form
of the same idea, and the O(N) sweep: Timonen & Westerholm 2010, Computer Graphics Forum 29, 517, doi
10.1111/j.1467-8659.2009.01621.x.) Nothing is lost by an error in theta that is smooth along the line, since b is
computed from a: it would only shift distances by that much.

**Lines of a sweep.** For a direction of sight the axis of the grid that lies closer to it is called 'along', the
other 'across'. Position p = 0, 1, ... counts along, p = 0 at the border that the sight leaves through, so p grows
from the obstacles towards the observers. Line k meets position p at the across coordinate k + sigma p, with
|sigma| <= 1, between the pixels k + offset[p] and k + offset[p] + 1: offset and fraction are the same for all lines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lunarsite.grid import MOON_RADIUS_M

MAX_COLATITUDE_DEG = 45.0
"""Beyond this the straight map line strays too far from the great circle for a horizon."""

TANGENT_TERMS = 8
"""Coefficients of the polynomial for tan(theta); eight keep 1e-9 of the distance at 45 degrees colatitude."""

_AXIS_SNAP = 1e-12
_BULGE_PX = 3.0  # farther away the bulge of a bilinear cell moves the horizon by less than 0.005 degrees rms


class MapLines(NamedTuple):
    """Where line k, position p lies on the map: u = u_0 + k u_k + p u_p along the sight, w = w_0 + k w_k across."""

    u_0: float
    u_k: float
    u_p: float
    w_0: float
    w_k: float


class FarLines(NamedTuple):
    """Where line k, position p lies on the far grid, in its fractional rows and columns, and the far step in p."""

    row_0: float
    row_k: float
    row_p: float
    col_0: float
    col_k: float
    col_p: float
    step_p: float


NO_FAR_LINES = FarLines(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
"""Stands where there is no far grid."""


class TangentFit(NamedTuple):
    """Squared nodes t^2, (terms,), and the matrix that turns tan(theta) / t there into the polynomial in t^2."""

    nodes: NDArray[np.float64]
    inverse: NDArray[np.float64]


class Strides(NamedTuple):
    """Flat index of (position p, across pixel c): first + p along + c across."""

    first: int
    along: int
    across: int


@dataclass(frozen=True)
class GridFrame:
    """Plain numbers of a grid: centre of the upper-left pixel on the map, pixel size, shape."""

    x_first_m: float
    y_first_m: float
    pixel_m: float
    rows: int
    cols: int

    def largest_radius_m(self) -> float:
        """Map distance from the pole to the farthest pixel centre's corner of the grid."""
        x_last_m = self.x_first_m + (self.cols - 1) * self.pixel_m
        y_last_m = self.y_first_m - (self.rows - 1) * self.pixel_m
        return math.hypot(
            max(abs(self.x_first_m), abs(x_last_m)) + self.pixel_m,
            max(abs(self.y_first_m), abs(y_last_m)) + self.pixel_m,
        )


class LineIndex(NamedTuple):
    """Pixels across the sight, and the lines' `offsets` and `fractions` at each position, (n_along,), see above."""

    n_across: int
    offsets: NDArray[np.int64]
    fractions: NDArray[np.float64]


@dataclass(frozen=True)
class SweepFrame:
    """One direction of sight over one grid.

    `lines` places the lines on the map, `stored` places (position, across pixel) among the heights with their margin,
    `plain` in a plane of the result.
    """

    index: LineIndex
    lines: MapLines
    stored: Strides
    plain: Strides


class NearSamples(NamedTuple):
    """The places near a pixel where its ray is sampled, each a mean of pixels around it.

    `offset` (samples, nodes) are the pixels' indices relative to the observer's among the heights with their margin,
    `weight` (samples, nodes) sum to 1, `distance_m` (samples,) is measured on the map.
    """

    offset: NDArray[np.int64]
    weight: NDArray[np.float32]
    distance_m: NDArray[np.float64]


def sight_vector(azimuth_rad: float) -> tuple[float, float]:
    """Return the map direction (x, y) of an azimuth; directions within 1e-12 of an axis lie on it."""
    cos, sin = math.cos(azimuth_rad), math.sin(azimuth_rad)
    cos = 0.0 if abs(cos) < _AXIS_SNAP else cos
    sin = 0.0 if abs(sin) < _AXIS_SNAP else sin
    return cos, sin


def is_steep(azimuth_rad: float) -> bool:
    """Whether the sight runs along the rows' axis (more up or down than sideways)."""
    cos, sin = sight_vector(azimuth_rad)
    return abs(sin) > abs(cos)


def sweep_frame(grid: GridFrame, azimuth_rad: float, margin: int) -> SweepFrame:
    """Lay the lines of one azimuth over a grid whose heights are stored with a margin (pixels) on every side."""
    cos, sin = sight_vector(azimuth_rad)
    rows, cols, pixel = grid.rows, grid.cols, grid.pixel_m
    width = cols + 2 * margin
    if is_steep(azimuth_rad):
        backwards = sin < 0.0  # the sight leaves through the last row
        n_along, n_across = rows, cols
        step_back = -1 if backwards else 1
        first_along = rows - 1 if backwards else 0
        first_x, first_y = grid.x_first_m, grid.y_first_m - first_along * pixel
        across_x, across_y = 1.0, 0.0
        sigma = -cos / abs(sin)
        stored = Strides((first_along + margin) * width + margin, step_back * width, 1)
        plain = Strides(first_along * cols, step_back * cols, 1)
    else:
        backwards = cos > 0.0  # the sight leaves through the last column
        n_along, n_across = cols, rows
        step_back = -1 if backwards else 1
        first_along = cols - 1 if backwards else 0
        first_x, first_y = grid.x_first_m + first_along * pixel, grid.y_first_m
        across_x, across_y = 0.0, -1.0
        sigma = sin / abs(cos)
        stored = Strides(margin * width + margin + first_along, step_back, width)
        plain = Strides(first_along, step_back, cols)
    position = sigma * np.arange(n_along, dtype=np.float64)
    offsets = np.floor(position)
    lines = MapLines(
        u_0=first_x * cos + first_y * sin,
        u_k=(across_x * cos + across_y * sin) * pixel,
        u_p=-pixel / max(abs(cos), abs(sin)),
        w_0=first_y * cos - first_x * sin,
        w_k=(across_y * cos - across_x * sin) * pixel,
    )
    return SweepFrame(LineIndex(n_across, offsets.astype(np.int64), position - offsets), lines, stored, plain)


def far_lines(near: GridFrame, far: GridFrame, azimuth_rad: float, lines: MapLines) -> FarLines:
    """Express the near grid's lines in the far grid's rows and columns.

    Lines are sampled twice per far pixel: steps of a whole pixel miss crests, and lower horizons over rough far terrain
    by 0.002 degrees on average.
    """
    cos, sin = sight_vector(azimuth_rad)
    # A point (u, w) of the map is u (cos, sin) + w (-sin, cos).
    x = [lines.u_0 * cos - lines.w_0 * sin, lines.u_k * cos - lines.w_k * sin, lines.u_p * cos]
    y = [lines.u_0 * sin + lines.w_0 * cos, lines.u_k * sin + lines.w_k * cos, lines.u_p * sin]
    return FarLines(
        row_0=(far.y_first_m - y[0]) / far.pixel_m,
        row_k=-y[1] / far.pixel_m,
        row_p=-y[2] / far.pixel_m,
        col_0=(x[0] - far.x_first_m) / far.pixel_m,
        col_k=x[1] / far.pixel_m,
        col_p=x[2] / far.pixel_m,
        step_p=0.5 * far.pixel_m / near.pixel_m,
    )


def tangent_fit(largest_radius_m: float) -> TangentFit:
    """Prepare the polynomial tan(theta) = t (c_0 + c_1 t^2 + ...), t = u / (2 R sqrt K), for a map of this radius."""
    largest = (largest_radius_m / (2.0 * MOON_RADIUS_M)) ** 2
    angle = (np.arange(TANGENT_TERMS) + 0.5) * np.pi / TANGENT_TERMS
    unit_nodes = 0.5 - 0.5 * np.cos(angle)
    powers = np.arange(TANGENT_TERMS)
    inverse = np.linalg.inv(unit_nodes[:, None] ** powers[None, :])
    return TangentFit(unit_nodes * largest, np.ascontiguousarray(inverse / largest ** powers[:, None]))


def near_samples(azimuth_rad: float, pixel_m: float, count: int, width: int) -> tuple[NearSamples, NearSamples]:
    """List where a ray from a pixel centre is sampled within `count` pixels along.

    The surface between pixel centres is bilinear: along a ray it is a chain of parabolas that bends where the ray
    crosses a row or a column of centres. Its horizon lies at these crossings, up to the bulge of the parabolas in
    between, which matters next to the observer only. Ground closer than one pixel belongs to the observer's own
    pixel and is not resolved, so the first sample lies at one pixel.

    Args:
        azimuth_rad: Map direction of sight.
        pixel_m: Pixel size.
        count: Number of samples in pixels along.
        width: Length of a stored row, margin included.

    Returns:
        The crossings (two pixels each; an even number), and the places inside cells: at one pixel's distance and
        half-way between crossings up to `_BULGE_PX` (four pixels each).
    """
    cos, sin = sight_vector(azimuth_rad)
    steep = is_steep(azimuth_rad)
    along, across = (-sin, cos) if steep else (cos, -sin)  # in index directions: rows grow downwards
    slope = abs(across / along)
    side = 1 if across > 0 else -1
    ahead = 1 if along > 0 else -1
    stretch_m = pixel_m / abs(along)

    crossings = [(float(d), slope * d, True) for d in range(1, count + 1)]
    for n in range(1, math.floor(count * slope) + 1):
        d = n / slope
        if 1e-9 < d - math.floor(d) < 1.0 - 1e-9:
            crossings.append((d, float(n), False))
    crossings.sort()
    if len(crossings) % 2:
        crossings.append(crossings[-1])  # the march takes them in pairs
    on_lines = [_between_two(d, a, on_along) for d, a, on_along in crossings]

    places = [abs(along), *(0.5 * (one[0] + two[0]) for one, two in pairwise(crossings) if two[0] <= _BULGE_PX)]
    in_cells = [_among_four(d, slope * d) for d in places]

    def assemble(samples: list[list[tuple[int, int, float]]], distances: list[float]) -> NearSamples:
        table = np.array(samples, dtype=np.float64)
        along_px = (ahead * table[:, :, 0]).astype(np.int64)
        across_px = (side * table[:, :, 1]).astype(np.int64)
        row, col = (along_px, across_px) if steep else (across_px, along_px)
        return NearSamples(row * width + col, table[:, :, 2].astype(np.float32), stretch_m * np.array(distances))

    return assemble(on_lines, [crossing[0] for crossing in crossings]), assemble(in_cells, places)


def _between_two(along: float, across: float, on_along: bool) -> list[tuple[int, int, float]]:
    """Weigh the two pixels beside a place that has an integer coordinate (`along` if on_along)."""
    free = across if on_along else along
    low = math.floor(free)
    weight = free - low
    high = low if weight == 0.0 else low + 1
    if on_along:
        return [(round(along), low, 1.0 - weight), (round(along), high, weight)]
    return [(low, round(across), 1.0 - weight), (high, round(across), weight)]


def _among_four(along: float, across: float) -> list[tuple[int, int, float]]:
    """Weigh the four pixels around a place bilinearly; pixels without weight are named by one that has some."""
    i, j = math.floor(along), math.floor(across)
    f, g = along - i, across - j
    i1, j1 = (i if f == 0.0 else i + 1), (j if g == 0.0 else j + 1)
    return [(i, j, (1 - f) * (1 - g)), (i1, j, f * (1 - g)), (i, j1, (1 - f) * g), (i1, j1, f * g)]
