"""Ground that has no rocks yet: fractal relief with small craters, at every scale that the camera sees.

Levels of n x n heights lie in each other, each twice as coarse and twice as wide as the one before, most of each before
the camera: a pixel's footprint grows with its distance, and so do the cells. A finer level repeats the one around it
and adds one octave of relief, and the craters that only it resolves.

Relief is self-affine: the root mean square difference of heights a distance L apart is s L^H (L in metres). On the Moon
H is 0.7 to 0.95, and slopes over metres are a few degrees (Rosenburg et al. 2011, J. Geophys. Res. 116, E02001;
Helfenstein and Shepard 1999, Icarus 141, 107, for millimetres to decimetres). Craters have the density at which old
ones vanish as fast as new ones form, N(>= D) = 10^-1.1 D^-2 per m2, D in m (Trask 1966; Xiao and Werner 2015,
J. Geophys. Res. 120, 2277).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, special

from lunarsite.vision.rock.camera import Camera
from lunarsite.vision.rock.render.kernels import BEHIND, add_craters

HURST = 0.8
FARTHEST_HEIGHTS = 1_500.0
"""Distance of the ground's end in heights of the camera: a quarter of a pixel below the horizon, or less."""

EQUILIBRIUM = 10.0**-1.1
_LEAST_CRATER_CELLS = 6.0  # in diameter; smaller ones are left to the next finer level
_FADE = 1.0 / 16.0  # of a level's side over which its own relief grows from nothing
_CELLS = (128, 1_024)

Heights = NDArray[np.float32]


@dataclass(frozen=True)
class Ground:
    """Heights about the camera's foot, which has height 0.

    Attributes:
        heights: (levels, n, n) metres, finest first; rows go forward, columns to the right.
        cell_m: Cell of the finest level.
    """

    heights: Heights
    cell_m: float

    @property
    def farthest_m(self) -> float:
        """How far forward there is ground."""
        levels, cells, _ = self.heights.shape
        return float((1.0 - BEHIND) * cells * self.cell_m * 2.0 ** (levels - 1))


def ground(
    camera: Camera, slope: float, crater_share: float, draws: np.random.Generator, *, flat: bool = False
) -> Ground:
    """Draw the ground that a camera sees.

    Args:
        camera: It tells how fine cells must be: a pixel's footprint where the lowest row meets the ground.
        slope: Root mean square slope over a metre, as a tangent.
        crater_share: Density of craters over that of equilibrium.
        draws: Source of random numbers.
        flat: Leave out relief and craters (for tests).
    """
    bottom = min(max(float(camera.depression_deg(camera.rows - 0.5, camera.middle[1])), 5.0), 90.0)
    nearest_m = camera.height_m / math.sin(math.radians(bottom))
    cell_m = nearest_m / camera.focal_px
    cells = int(np.clip(2 ** math.ceil(math.log2(1.35 * camera.focal_px)), *_CELLS))
    reach = FARTHEST_HEIGHTS * camera.height_m / ((1.0 - BEHIND) * cells * cell_m)
    levels = max(1, 1 + math.ceil(math.log2(reach)))
    heights = np.zeros((levels, cells, cells), dtype=np.float32)
    if flat:
        return Ground(heights, cell_m)
    window = _window(cells)
    for level in reversed(range(levels)):
        cell = cell_m * 2.0**level
        coarsest = level == levels - 1
        own = relief(cells, cell, slope, 0.0 if coarsest else 0.25, draws)
        if coarsest:
            heights[level] = own
        else:
            heights[level] = finer(heights[level + 1]) + window * own
        _craters(heights[level], window, cell, coarsest, crater_share, draws)
    # The camera stands on the ground: at the origin, on a sample of every level.
    heights -= heights[0, cells // 8, cells // 2]
    return Ground(heights, cell_m)


def relief(cells: int, cell_m: float, slope: float, lowest: float, draws: np.random.Generator) -> Heights:
    """Return a periodic piece of self-affine relief, (cells, cells) metres.

    Its spectrum is that of a field with the structure function slope^2 L^(2 H), cut below a frequency.

    Args:
        cells: Cells of a side.
        cell_m: Their size.
        slope: Root mean square slope over a metre.
        lowest: Least frequency, cycles per cell.
        draws: Source of random numbers.
    """
    exponent = 2.0 * HURST
    constant = (
        slope**2 * 2.0 ** (exponent + 1.0) * HURST * special.gamma(1.0 + HURST)
        / (4.0 * math.pi * (2.0 * math.pi) ** exponent * special.gamma(1.0 - HURST))
    )  # fmt: skip
    rows, cols = fft.fftfreq(cells).astype(np.float32), fft.rfftfreq(cells).astype(np.float32)
    frequency = np.hypot(rows[:, None], cols[None, :])
    frequency[0, 0] = np.inf
    amplitude = np.where(frequency > lowest, (frequency / cell_m) ** np.float32(-HURST - 1.0), np.float32(0.0))
    amplitude *= np.float32(math.sqrt(constant) / cell_m)
    noise = fft.rfft2(draws.standard_normal((cells, cells), dtype=np.float32))
    field: Heights = fft.irfft2(noise * amplitude, s=(cells, cells)).astype(np.float32)
    return field


def finer(parent: Heights) -> Heights:
    """Return the part of a level that the next finer one covers, at its cells (cubic interpolation)."""
    cells = len(parent)
    top, left = cells // 16, cells // 4
    # One row before and two after the part: samples of the finer level lie on the parent's and halfway between.
    part = parent[top - 1 : top + cells // 2 + 2, left - 1 : left + cells // 2 + 2]
    return _doubled(_doubled(part).T).T


def _doubled(values: Heights) -> Heights:
    inner = values[1:-2]
    doubled = np.empty((2 * len(inner), values.shape[1]), dtype=np.float32)
    doubled[0::2] = inner
    doubled[1::2] = (9.0 * (inner + values[2:-1]) - values[:-3] - values[3:]) / 16.0
    return doubled


def _window(cells: int) -> Heights:
    """Return 0 at a level's border and 1 a sixteenth of its side further in, smooth."""
    inward = np.minimum(np.arange(cells), np.arange(cells)[::-1]) / (_FADE * cells)
    ramp = np.clip(inward, 0.0, 1.0)
    smooth = ramp * ramp * (3.0 - 2.0 * ramp)
    window: Heights = (smooth[:, None] * smooth[None, :]).astype(np.float32)
    return window


def _craters(
    heights: Heights, window: Heights, cell_m: float, coarsest: bool, share: float, draws: np.random.Generator
) -> None:
    """Lay the craters that this level resolves and the next coarser does not."""
    cells = len(heights)
    least = _LEAST_CRATER_CELLS * cell_m
    most = cells * cell_m / 6.0 if coarsest else 2.0 * least
    if most <= least:
        return
    area = (cells * cell_m) ** 2
    count = draws.poisson(share * EQUILIBRIUM * area * (least**-2 - most**-2))
    drawn = draws.random((count, 4))
    # Diameters by the inverse of the cumulative distribution; most craters are old and shallow.
    diameter = (most**-2 + drawn[:, 0] * (least**-2 - most**-2)) ** -0.5
    freshness = 0.1 + 0.9 * drawn[:, 1] ** 4
    order = np.argsort(freshness, kind="stable")  # fresh ones lie on top
    place = drawn[:, 2:] * cells
    craters = np.column_stack([place, diameter / cell_m, diameter * freshness])[order]
    add_craters(heights, window, craters)
