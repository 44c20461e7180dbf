"""Ranks of brightness against what is predicted, with intervals from blocks of ground.

Neighbouring pixels tell the same, so intervals come from a bootstrap that draws blocks of ground, not pixels. All its
draws are taken at once: a statistic of weighted blocks is a product of the draws' weights with sums over blocks, or
over pairs of blocks. Brightness that is only known to be at least some number enters as infinity: such pixels tie with
each other above all others, which is all that ranks need. The module must not know what is ranked.

Sources: Hanley and McNeil 1982 (doi 10.1148/radiology.143.1.7063747) for the area under the curve as the chance that of
two pixels, one of each kind, the right one is the brighter; Haldane 1940 and Anscombe 1956 for the half that is added
to each count of an odds ratio.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]

FEWEST_BLOCKS = 5
"""An interval from fewer blocks would tell of the blocks' number alone."""
_CODES = 2_048
_LEVELS = (0.025, 0.975)
# Draws without one of the two kinds of pixels have no statistic; if they are many, neither has the ground.
_MOST_UNDEFINED = 0.1
_HALF = 0.5


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; None where it, or its interval, is unknown."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Blocks:
    """Pixels sorted into blocks of ground, and how often each draw takes each block.

    Args:
        block: Number of each pixel's block, 0.. without gaps, (n,).
        weights: (draws, blocks) float64; each row adds up to the number of blocks.
    """

    block: Numbers
    weights: Floats

    @property
    def count(self) -> int:
        """Number of blocks."""
        return int(self.weights.shape[1])

    def sums(self, values: Floats) -> Floats:
        """Return the sum of each block's values, (blocks,)."""
        return np.asarray(np.bincount(self.block, weights=values, minlength=self.count), dtype=np.float64)

    def of(self, held: Mask) -> Blocks:
        """Return the blocks of some of the pixels; a block that holds none of them counts for nothing."""
        return Blocks(self.block[held], self.weights)


def blocks_of(x_m: Floats, y_m: Floats, side_m: float, draws: int, seed: int) -> Blocks:
    """Sort pixels into square blocks of the map and draw blocks with replacement.

    Args:
        x_m: Map x of the pixels, (n,), n > 0.
        y_m: Their map y.
        side_m: Side of a block.
        draws: Number of draws.
        seed: Their seed.
    """
    cells = np.stack([np.floor(x_m / side_m), np.floor(y_m / side_m)], axis=1).astype(np.int64)
    _, block = np.unique(cells, axis=0, return_inverse=True)
    count = int(block.max()) + 1
    weights = np.random.default_rng(seed).multinomial(count, np.full(count, 1.0 / count), size=draws)
    return Blocks(block.ravel().astype(np.int64), weights.astype(np.float64))


def auc(score: Floats, positive: Mask) -> float | None:
    """Return the chance that a positive pixel scores above another one, ties counting half; None without both kinds."""
    n_positive = int(positive.sum())
    n_other = positive.size - n_positive
    if not (n_positive and n_other):
        return None
    ranks = rankdata(score)
    return float((ranks[positive].sum() - 0.5 * n_positive * (n_positive + 1)) / n_positive / n_other)


def auc_estimate(score: Floats, positive: Mask, blocks: Blocks) -> Estimate:
    """Return the area under the curve with its interval over blocks.

    The value is exact; within the draws, scores beyond 2048 different ones are told apart by 2048 quantiles.
    """
    value = auc(score, positive)
    if value is None:
        return Estimate()
    code, codes = _coded(score)
    counts = [
        np.bincount(blocks.block[kind] * codes + code[kind], minlength=blocks.count * codes)
        .reshape(blocks.count, codes)
        .astype(np.float64)
        for kind in (positive, ~positive)
    ]
    below = np.cumsum(counts[1], axis=1) - 0.5 * counts[1]
    # [i, j]: pairs of a positive pixel of block i above another one of block j.
    pairs = counts[0] @ below.T
    weights = blocks.weights
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = ((weights @ pairs) * weights).sum(axis=1) / (
            (weights @ counts[0].sum(axis=1)) * (weights @ counts[1].sum(axis=1))
        )
    return _estimate(value, drawn, blocks)


def correlation_estimate(first: Floats, second: Floats, blocks: Blocks) -> Estimate:
    """Return Spearman's rank correlation with its interval over blocks; None where either is the same everywhere.

    Ranks are those among all pixels, in every draw: they stand for where a pixel lies in the distribution.
    """
    if first.size < 3:
        return Estimate()
    ranks = [rankdata(values) - 0.5 * (first.size + 1) for values in (first, second)]
    a, b = ranks
    sums = np.stack([blocks.sums(values) for values in (np.ones_like(a), a, b, a * a, b * b, a * b)], axis=1)
    value = _correlation(sums.sum(axis=0)[None])[0]
    if not np.isfinite(value):
        return Estimate()
    return _estimate(float(value), _correlation(blocks.weights @ sums), blocks)


@dataclass(frozen=True)
class Crossed:
    """What pixels chosen by one rule and by another have in common.

    Args:
        share: Share of the pixels that the first rule chooses.
        hit: Share of these that the second chooses too.
        base: Share of all pixels that the second chooses.
        lift: Their ratio.
        odds: Odds ratio, half a pixel added to each count.
        phi: Correlation of the two masks.
        agreement: Share of pixels on which the rules agree.
        majority: Share on which an answer agrees that is the same everywhere.
    """

    share: float
    hit: Estimate
    base: float
    lift: Estimate
    odds: Estimate
    phi: Estimate
    agreement: float
    majority: float


def crossed(chosen: Mask, other: Mask, blocks: Blocks) -> Crossed | None:
    """Return how two masks of pixels go together; None where the first chooses nothing or everything."""
    if not chosen.any() or chosen.all():
        return None
    cells = np.stack(
        [
            blocks.sums(kind.astype(np.float64))
            for kind in (chosen & other, chosen & ~other, ~chosen & other, ~chosen & ~other)
        ],
        axis=1,
    )
    observed = _crossed(cells.sum(axis=0)[None])
    drawn = _crossed(blocks.weights @ cells)
    both, first, second, neither = (float(cell) for cell in cells.sum(axis=0))
    base = (both + second) / chosen.size

    def known(name: str) -> Estimate:
        value = float(observed[name][0])
        return _estimate(value, drawn[name], blocks) if np.isfinite(value) else Estimate()

    return Crossed(
        share=(both + first) / chosen.size,
        hit=known("hit"),
        base=base,
        lift=known("lift"),
        odds=known("odds"),
        phi=known("phi"),
        agreement=(both + neither) / chosen.size,
        majority=max(base, 1.0 - base),
    )


def _crossed(cells: Floats) -> dict[str, Floats]:
    both, first, second, neither = cells.T
    total = cells.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        hit = both / (both + first)
        base = (both + second) / total
        spread = np.sqrt((both + first) * (second + neither) * (both + second) * (first + neither))
        odds = (both + _HALF) * (neither + _HALF) / ((first + _HALF) * (second + _HALF))
        # Where one kind is missing no odds can be told, whatever is added.
        odds = np.where((both + second > 0) & (first + neither > 0), odds, np.nan)
        return {
            "hit": hit,
            "lift": hit / base,
            "odds": odds,
            "phi": (both * neither - first * second) / spread,
        }


def _correlation(sums: Floats) -> Floats:
    """Return the correlation from (n, sum a, sum b, sum aa, sum bb, sum ab), (draws, 6)."""
    n, a, b, aa, bb, ab = sums.T
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = (aa - a * a / n) * (bb - b * b / n)
        # What rounding leaves of ranks that are all the same is no spread.
        spread = np.where(spread > 1e-12 * np.maximum(aa * bb, 1e-300), spread, np.nan)
        return np.asarray((ab - a * b / n) / np.sqrt(spread))


def _coded(score: Floats) -> tuple[Numbers, int]:
    """Return scores as numbers 0.., in their order and few enough, and how many there are."""
    known, code = np.unique(score, return_inverse=True)
    if known.size > _CODES:
        edges = np.unique(np.quantile(score, np.linspace(0.0, 1.0, _CODES + 1)[1:-1], method="inverted_cdf"))
        code = np.searchsorted(edges, score, side="left")
        return code.astype(np.int64), edges.size + 1
    return code.ravel().astype(np.int64), known.size


def _estimate(value: float, drawn: Floats, blocks: Blocks) -> Estimate:
    held = np.unique(blocks.block).size
    finite = drawn[np.isfinite(drawn)]
    if held < FEWEST_BLOCKS or finite.size < (1.0 - _MOST_UNDEFINED) * drawn.size:
        return Estimate(value)
    low, high = np.quantile(finite, _LEVELS)
    return Estimate(value, float(low), float(high))
