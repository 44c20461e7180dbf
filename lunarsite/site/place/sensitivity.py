"""How firm an order is: ranks under random weights and shifted limits.

In each draw the weights of the criteria come from a flat Dirichlet distribution, so that every mix is as likely as any
other and nobody's preference is built in, and each of the rule's three limits is shifted by itself, uniformly within a
share of its value. The probability that a site meets the shifted rule follows from the mean and spread of its slope
over the clones of the elevation model and from the errors of light and Earth view, all taken as Gaussian. Sites that
fall below the least probability are no good ground in that draw: they go behind all others, by probability. What is
unknown of a site is drawn anew from what is known of the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from lunarsite.settings import RankingSettings, RuleSettings
from lunarsite.site.place import merit
from lunarsite.site.place.merit import CRITERIA, Floats, Scale

Ranks = NDArray[np.int32]
Method = Literal["topsis", "weighted_sum"]
METHODS: tuple[Method, ...] = ("topsis", "weighted_sum")
_QUANTILES = (0.025, 0.5, 0.975)
# Numbers held at a time for a batch of draws: some ten arrays of this size, 8 bytes each, make 160 MB.
_BATCH = 2_000_000


@dataclass(frozen=True)
class RuleInputs:
    """What a rule reads of each site, (sites,), and its one-sigma errors."""

    slope_deg: Floats
    """Mean over the clones of the elevation model, degrees."""
    slope_sigma_deg: Floats
    light_pct: Floats
    """Less the bias of the map, as Earth view."""
    earth_pct: Floats
    light_sigma_pct: float
    earth_sigma_pct: float

    def probability(self, rule: RuleSettings, factors: Floats) -> Floats:
        """Return the probability of each site, (..., sites), under the limits times factors (..., 3)."""
        slope, light, earth = (factors[..., index, None] for index in range(3))
        return np.asarray(
            _passes(rule.max_slope_deg * slope - self.slope_deg, self.slope_sigma_deg)
            * _passes(self.light_pct - rule.min_illumination_pct * light, self.light_sigma_pct)
            * _passes(self.earth_pct - rule.min_earth_visibility_pct * earth, self.earth_sigma_pct)
        )


@dataclass(frozen=True)
class Sensitivity:
    """Ranks under every draw, (draws, sites), and the share of draws in which each site is no good ground, (sites,)."""

    ranks: Ranks
    below_share: Floats

    def interval(self) -> Floats:
        """Return the 2.5, 50 and 97.5 % quantiles of each site's rank, (3, sites)."""
        return np.quantile(self.ranks, _QUANTILES, axis=0) if self.ranks.size else np.zeros((3, self.ranks.shape[1]))

    def share_within(self, best: int) -> Floats:
        """Return the share of draws in which each site is among the `best` best, (sites,)."""
        return np.asarray((self.ranks <= best).mean(axis=0)) if self.ranks.size else np.zeros(self.ranks.shape[1])


def sensitivity(
    values: Floats,
    scale: Scale,
    inputs: RuleInputs,
    rule: RuleSettings,
    ranking: RankingSettings,
    least_probability: float,
    method: Method,
) -> Sensitivity:
    """Rank the sites under every draw.

    Args:
        values: (sites, CRITERIA), NaN where unknown.
        scale: The criteria that count; its weights are not used.
        inputs: What the rule reads of the sites.
        rule: The rule whose limits are shifted.
        ranking: Draws, largest shift and seed; its method is not used.
        least_probability: Sites below are no good ground in a draw.
        method: How the criteria are weighed.
    """
    sites = len(values)
    ranks = np.empty((ranking.draws, sites), dtype=np.int32)
    below = np.zeros(sites)
    if not sites:
        return Sensitivity(ranks, below)
    for batch, weights, factors, generator in _draws(ranking, scale.used.size, max(1, _BATCH // max(1, values.size))):
        probability = inputs.probability(rule, factors)
        drawn = _completed(values, scale, weights.shape[0], generator)
        for place, index in enumerate(scale.used):
            if CRITERIA[index].name == "probability":
                drawn[..., place] = probability
        good = probability >= least_probability
        order = np.where(good, 2.0 + merits(method, drawn, scale.better, weights), probability)
        # Stable: equal sites keep the order in which they came.
        position = np.argsort(-order, axis=1, kind="stable")
        np.put_along_axis(ranks[batch], position, np.arange(1, sites + 1, dtype=np.int32)[None, :], axis=1)
        below += (~good).sum(axis=0)
    return Sensitivity(ranks, below / ranking.draws)


def merits(method: Method, values: Floats, better: Floats, weights: Floats) -> Floats:
    """Return the merit of places by the method of that name."""
    return (merit.topsis if method == "topsis" else merit.weighted_sum)(values, better, weights)


def _draws(
    ranking: RankingSettings, used: int, batch: int
) -> Iterator[tuple[slice, Floats, Floats, np.random.Generator]]:
    """Yield draws in batches: weights (n, used), factors of the limits (n, 3), and a generator for the rest.

    Weights and limits are drawn at once from seeds of their own, so that they do not depend on the size of a batch.
    """
    by_weights, by_limits, by_unknown = np.random.SeedSequence(ranking.seed).spawn(3)
    generator = np.random.default_rng(by_weights)
    weights = generator.dirichlet(np.ones(used), ranking.draws) if used else np.zeros((ranking.draws, 0))
    shift = ranking.threshold_shift
    factors = np.random.default_rng(by_limits).uniform(1.0 - shift, 1.0 + shift, (ranking.draws, 3))
    unknown = np.random.default_rng(by_unknown)
    for start in range(0, ranking.draws, batch):
        part = slice(start, min(start + batch, ranking.draws))
        yield part, weights[part], factors[part], unknown


def _completed(values: Floats, scale: Scale, draws: int, generator: np.random.Generator) -> Floats:
    """Return the used criteria (draws, sites, used) with what is unknown drawn from what is known of other sites."""
    drawn = np.repeat(values[None, :, scale.used], draws, axis=0)
    for place in range(scale.used.size):
        missing = np.isnan(values[:, scale.used[place]])
        if missing.any():
            known = values[~missing, scale.used[place]]
            drawn[:, missing, place] = generator.choice(known, (draws, int(missing.sum())))
    return drawn


def _passes(excess: Floats, sigma: Floats | float) -> Floats:
    """Return the probability that excess plus a Gaussian error is at least 0; without an error, whether it is."""
    spread = np.asarray(sigma, dtype=np.float64)
    likely = ndtr(excess / np.where(spread > 0.0, spread, 1.0))
    return np.where(spread > 0.0, likely, (excess >= 0.0).astype(np.float64))
