"""A ShadowCam composite against maps of average sunlight and permanent shadow.

A composite is the mean of images of ground that lies in shadow, lit by what the walls around it scatter. Is the deepest
dark permanently shadowed? Of ground of which nearly all is, nearly all of any choice is too: so every share stands
beside the base rate, and every agreement beside that of the answer 'shadow everywhere'. Chance has structure, because
shadow and brightness both come in large pieces: nulls keep the pieces and move them, about the pole where the shadow
is a map, round the composite's own frame where it is known there alone. The module must not know where maps are from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from lunarsite.grid import Grid
from lunarsite.settings import ShadowCamReferenceSettings
from lunarsite.validate.nulls import Null, compare
from lunarsite.validate.shadowcam_ranks import (
    Blocks,
    Crossed,
    Estimate,
    auc,
    auc_estimate,
    blocks_of,
    correlation_estimate,
    crossed,
)

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

DEEP_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Shares of a composite that are called deep in turn: its darkest tenth, fifth, ..."""
FEWEST_PIXELS = 50
UNKNOWN = 255
_TURNS_KNOWN = 0.99
# A null needs so many places that hold both shadow and other ground.
_FEWEST_DRAWS = 50
_LEAST_MOVE_M = 1_000.0
_UNKNOWN = Estimate()


@dataclass(frozen=True)
class Map:
    """A map of permanent shadow and of sunlight, under a composite.

    Args:
        name: 'computed' or 'published'.
        psr: Permanent shadow at the composite's pixels, 0, 1 or 255, (rows, cols).
        sun: Share of time with any part of the Sun in sight there, NaN = unknown, (rows, cols); None = not given.
        pixel_m: The map's own pixels.
        whole: The whole map of permanent shadow and its grid, if there is more of it than lies under the composite.
    """

    name: str
    psr: NDArray[np.uint8]
    sun: NDArray[np.float32] | None
    pixel_m: float
    whole: tuple[NDArray[np.uint8], Grid] | None = None


@dataclass(frozen=True)
class Composite:
    """A composite: brightness (NaN = no data), and the share of each pixel that is saturated, NaN = not told."""

    name: str
    grid: Grid
    brightness: NDArray[np.float32]
    saturated: NDArray[np.float32]


@dataclass(frozen=True)
class Sweep:
    """The darkest share of a composite: its brightest pixel, and how it goes together with shadow.

    `crossed` is None where the limit lies among saturated pixels, of which no order is known.
    """

    wanted: float
    brightness: float | None
    crossed: Crossed | None


@dataclass(frozen=True)
class Comparison:
    """What a composite and a map have in common. Fields that could not be told are None, `why` says the reason.

    Args:
        composite: Name of the composite.
        map: Name of the map.
        pixels: Pixels with brightness and known shadow.
        why: Why fields are unknown.
        base: Share of them in permanent shadow.
        saturated: How many of them are saturated, None = the source does not tell.
        auc: Chance that a pixel outside permanent shadow is brighter than one inside.
        auc_unsaturated: The same without saturated pixels.
        correlation: Rank correlation of brightness with sunlight.
        correlation_unsaturated: The same without saturated pixels.
        null: The area under the curve when shadow is moved.
        null_kind: How it was moved.
        coarser: Interval of `auc` with blocks twice as wide.
        sweep: What the darkest shares hold.
    """

    composite: str
    map: str
    map_pixel_m: float
    pixels: int
    why: str
    base: float | None = None
    saturated: int | None = None
    auc: Estimate = _UNKNOWN
    auc_unsaturated: Estimate = _UNKNOWN
    correlation: Estimate = _UNKNOWN
    correlation_unsaturated: Estimate = _UNKNOWN
    null: Null | None = None
    null_kind: str = ""
    coarser: Estimate = _UNKNOWN
    sweep: tuple[Sweep, ...] = ()


def under(values: NDArray[np.generic], grid: Grid, onto: Grid, missing: float) -> NDArray[np.generic]:
    """Return the pixels of a map that hold the centres of another grid's pixels; `missing` beyond the map."""
    row, _ = grid.index(np.full(onto.rows, grid.x_min_m), onto.y_m())
    _, col = grid.index(onto.x_m(), np.full(onto.cols, grid.y_max_m))
    inside = ((row >= 0) & (row < grid.rows))[:, None] & ((col >= 0) & (col < grid.cols))[None, :]
    taken = values[np.clip(row, 0, grid.rows - 1)[:, None], np.clip(col, 0, grid.cols - 1)[None, :]]
    return np.where(inside, taken, np.asarray(missing, dtype=values.dtype))


def compare_composite(composite: Composite, given: Map, reference: ShadowCamReferenceSettings) -> Comparison:
    """Hold a composite against a map of permanent shadow and sunlight."""
    known = np.isfinite(composite.brightness) & (given.psr != UNKNOWN)
    told = bool(np.isfinite(composite.saturated[known]).any())
    saturated = (composite.saturated > 0.0) & known
    lit = given.psr[known] == 0
    pixels = int(known.sum())
    why = _why(pixels, lit)
    score = np.where(saturated, np.inf, composite.brightness)[known].astype(np.float64)
    base = float(1.0 - lit.mean()) if pixels else None
    if pixels < FEWEST_PIXELS:
        return Comparison(composite.name, given.name, given.pixel_m, pixels, why, base)
    x_m, y_m = (axis[known] for axis in np.meshgrid(composite.grid.x_m(), composite.grid.y_m()))
    blocks = blocks_of(x_m, y_m, 1e3 * reference.block_km, reference.draws, reference.seed)
    wide = blocks_of(x_m, y_m, 2e3 * reference.block_km, reference.draws, reference.seed)
    measured = np.isfinite(score)
    null, kind = _null(composite, given, known, score, lit, reference)
    return Comparison(
        composite=composite.name,
        map=given.name,
        map_pixel_m=given.pixel_m,
        pixels=pixels,
        why=why,
        base=base,
        saturated=int(saturated.sum()) if told else None,
        auc=auc_estimate(score, lit, blocks),
        auc_unsaturated=auc_estimate(score[measured], lit[measured], blocks.of(measured)),
        correlation=_sunlight(given, known, score, blocks, np.ones_like(measured)),
        correlation_unsaturated=_sunlight(given, known, score, blocks, measured),
        null=null,
        null_kind=kind,
        coarser=auc_estimate(score, lit, wide),
        sweep=tuple(_sweep(score, ~lit, share, blocks) for share in DEEP_SHARES),
    )


def _why(pixels: int, lit: Mask) -> str:
    if pixels < FEWEST_PIXELS:
        return f"unknown: {pixels} pixels have brightness and known shadow, {FEWEST_PIXELS} are needed"
    if lit.all() or not lit.any():
        return f"unknown: {'none' if lit.all() else 'all'} of its ground is permanently shadowed in this map"
    return ""


def _sunlight(given: Map, known: Mask, score: Floats, blocks: Blocks, held: Mask) -> Estimate:
    if given.sun is None:
        return Estimate()
    sun = given.sun[known].astype(np.float64)
    held = held & np.isfinite(sun)
    return correlation_estimate(score[held], sun[held], blocks.of(held))


def _sweep(score: Floats, shadowed: Mask, share: float, blocks: Blocks) -> Sweep:
    """Return how the darkest share goes together with shadow; pixels as bright as its brightest one belong to it."""
    limit = float(np.quantile(score, share, method="inverted_cdf"))
    if not math.isfinite(limit):
        return Sweep(share, None, None)
    return Sweep(share, limit, crossed(score <= limit, shadowed, blocks))


def _null(
    composite: Composite,
    given: Map,
    known: Mask,
    score: Floats,
    lit: Mask,
    reference: ShadowCamReferenceSettings,
) -> tuple[Null | None, str]:
    """Return how the area under the curve stands among those of moved shadow, and how shadow was moved."""
    ranks = rankdata(score)
    observed = auc(score, lit)
    if given.whole is not None:
        drawn, kind = _turned(composite, given.whole, known, ranks, reference), "turned about the pole"
    else:
        drawn, kind = _shifted(composite, given, known, score), "moved round the composite's own frame"
    drawn = drawn[np.isfinite(drawn)]
    if observed is None or drawn.size < _FEWEST_DRAWS:
        return None, kind
    return compare(observed, drawn), kind


def _turned(
    composite: Composite,
    whole: tuple[NDArray[np.uint8], Grid],
    known: Mask,
    ranks: Floats,
    reference: ShadowCamReferenceSettings,
) -> Floats:
    """Return the area under the curve over shadow elsewhere at the same latitude, for each turn; NaN without both."""
    psr, grid = whole
    x_m, y_m = (axis[known] for axis in np.meshgrid(composite.grid.x_m(), composite.grid.y_m()))
    place = x_m + 1j * y_m
    angles = np.random.default_rng(reference.seed).uniform(0.0, 2.0 * math.pi, reference.draws)
    drawn = np.full(angles.size, np.nan)
    for number, angle in enumerate(angles):
        turned = place * np.exp(1j * angle)
        row, col = grid.index(turned.real, turned.imag)
        inside = (row >= 0) & (row < grid.rows) & (col >= 0) & (col < grid.cols)
        found = np.full(row.size, UNKNOWN, np.uint8)
        found[inside] = psr[row[inside], col[inside]]
        there = found != UNKNOWN
        if there.mean() < _TURNS_KNOWN:
            continue
        lit = found[there] == 0
        near = ranks if there.all() else rankdata(ranks[there])
        drawn[number] = _area(np.array([near[lit].sum()]), np.array([lit.sum()]), lit.size)[0]
    return drawn


def _shifted(composite: Composite, given: Map, known: Mask, score: Floats) -> Floats:
    """Return the area under the curve for every shift of the shadow round the frame of the composite, by at least 1 km.

    Shadow must be known in the whole frame; where it is not, its pixels go along as unknown, and shifts that bring many
    of them under the composite are left out.
    """
    ranks = np.zeros(known.shape)
    ranks[known] = rankdata(score)
    lit = given.psr == 0
    there = given.psr != UNKNOWN

    def summed(image: Floats, mask: Mask) -> Floats:
        """Sum of the image over the mask moved by each (row, column), circularly."""
        product = np.fft.rfft2(image) * np.conj(np.fft.rfft2(mask.astype(np.float64)))
        return np.asarray(np.fft.irfft2(product, s=image.shape))

    whole = known.astype(np.float64)
    n_lit, n_known = np.round(summed(whole, lit)), np.round(summed(whole, there))
    total = int(known.sum())
    drawn = _area(summed(ranks, lit), n_lit, total)
    drawn[n_known < _TURNS_KNOWN * total] = np.nan
    least = math.ceil(_LEAST_MOVE_M / composite.grid.pixel_m)
    rows, cols = (np.minimum(np.arange(side), side - np.arange(side)) for side in known.shape)
    drawn[np.hypot(rows[:, None], cols[None, :]) < least] = np.nan
    return drawn.ravel()


def _area(rank_sum: Floats, count: NDArray[np.generic], total: int) -> Floats:
    """Return the area under the curve of `count` of `total` pixels by the sum of their ranks; NaN without both kinds.

    A shift with hardly any pixels of one kind says nothing: a hundredth of all are needed.
    """
    chosen = np.asarray(count, dtype=np.float64)
    least = 0.01 * total
    with np.errstate(invalid="ignore", divide="ignore"):
        area = (rank_sum - 0.5 * chosen * (chosen + 1.0)) / (chosen * (total - chosen))
    return np.where((chosen >= least) & (total - chosen >= least), area, np.nan)
