"""Cumulative size distributions: how many rocks of a size and more there are, picture by picture and over all of them.

In pixels they tell of the picture and need no camera. In metres they tell of the ground, where the camera is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lunarsite.vision.rock.sizes import LEAST_WIDTH_PX, Rock, SeenGround, ground_for, per_square_metre, pooled

ALL = ""
"""Name of all pictures together."""
WIDTHS_PX = (3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0, 96.0, 128.0, 192.0, 256.0, 384.0, 512.0)
"""Where the distribution is told in pixels."""
DIAMETERS_M = tuple(float(f"{0.1 * 2.0 ** (0.5 * step):.3g}") for step in range(-4, 13))
"""Where it is told in metres: from 2.5 cm, which a rover's camera sees at its feet, to 6.4 m."""

Floats = NDArray[np.float64]
Row = dict[str, str | int | float]


@dataclass(frozen=True)
class Census:
    """What one picture adds to the distributions.

    Attributes:
        widths_px: Widths of its rocks, pixels.
        ground_px: Pixels that show ground or rock.
        diameters_m: Diameters of those rocks that count in metres; see `counting_m`.
        ground: Level ground that it shows; None where the camera is not known.
    """

    widths_px: Sequence[float]
    ground_px: int
    diameters_m: Sequence[float]
    ground: SeenGround | None


def counting_m(rocks: Sequence[Rock]) -> tuple[float, ...]:
    """Return the diameters, metres, of the rocks that are wide enough to count and whose size is known."""
    return tuple(
        rock.diameter_m for rock in rocks if rock.diameter_m is not None and rock.diameter_px >= LEAST_WIDTH_PX
    )


def size_distribution(
    diameters_m: ArrayLike, ground: SeenGround, wanted_m: ArrayLike
) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Return N(>= D) per square metre, how many rocks it rests on, and the ground on which one of D would be counted.

    Args:
        diameters_m: Diameters of the rocks that count, of all pictures; see `counting_m`.
        ground: Ground of all pictures; see `pooled`.
        wanted_m: (k,) diameters D.

    Returns:
        (k,) each; N is NaN where there is no such ground.
    """
    wanted = np.atleast_1d(np.asarray(wanted_m, dtype=np.float64))
    diameters = np.asarray(diameters_m, dtype=np.float64).reshape(-1)
    standing_for, reached = ground_for(ground, diameters), ground_for(ground, wanted)
    known = standing_for > 0.0
    density = per_square_metre(diameters, np.ones(diameters.shape), standing_for, wanted, reached)
    counts = (diameters[known][None, :] >= wanted[:, None]).sum(axis=1)
    return density, counts.astype(np.int64), reached


def distributions(pictures: Sequence[tuple[str, Census]]) -> Iterator[Row]:
    """Yield the rows of ROCK_DISTRIBUTION but for their numbers: those of all pictures, then those of each.

    Args:
        pictures: Name and census of each; those that are out of distribution have none.
    """
    if pictures:
        yield from _rows(ALL, [census for _, census in pictures])
    for name, census in pictures:
        yield from _rows(name, [census])


def _rows(name: str, pictures: Sequence[Census]) -> Iterator[Row]:
    widths = np.concatenate([np.asarray(one.widths_px, dtype=np.float64) for one in pictures])
    ground_px = sum(one.ground_px for one in pictures)
    told: Row = {"image": name, "images": len(pictures)}
    for width in WIDTHS_PX:
        rocks = int((widths >= width).sum())
        per_mpx = 1e6 * rocks / ground_px if ground_px else math.nan
        yield {**told, **_SIZES, "diameter_px": width, "rocks": rocks, "ground_px": ground_px, "per_mpx": per_mpx}
    seen = {number: one.ground for number, one in enumerate(pictures) if one.ground is not None}
    if not seen:
        return
    told["images"] = len(seen)
    diameters = [diameter for number in seen for diameter in pictures[number].diameters_m]
    found = zip(DIAMETERS_M, *size_distribution(diameters, pooled(list(seen.values())), DIAMETERS_M), strict=True)
    for diameter, density, count, reached in found:
        values = {"diameter_m": diameter, "rocks": int(count), "ground_m2": float(reached), "per_m2": float(density)}
        yield {**told, **_SIZES, **values}


_SIZES: Row = {
    "diameter_px": math.nan,
    "diameter_m": math.nan,
    "rocks": 0,
    "ground_px": math.nan,
    "ground_m2": math.nan,
    "per_mpx": math.nan,
    "per_m2": math.nan,
}
"""The columns of a size in their order: NaN in the other unit's."""
