"""Ranks under random weights and shifted limits: analytic truths, unknown values, chance, and seeds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from lunarsite.settings import RankingSettings, RuleSettings
from lunarsite.site.place import sensitivity as module
from lunarsite.site.place.merit import CRITERIA, Floats, Scale, scale_of
from lunarsite.site.place.sensitivity import RuleInputs, sensitivity

RULE = RuleSettings(max_slope_deg=5.0, min_illumination_pct=33.0, min_earth_visibility_pct=50.0)
NAMES = [criterion.name for criterion in CRITERIA]
RANKING = RankingSettings(draws=400)


def inputs(sites: int, slope: float | Floats = 1.0, light: float | Floats = 80.0, sigma: float = 0.5) -> RuleInputs:
    def spread(value: float | Floats) -> Floats:
        return np.broadcast_to(np.asarray(value, dtype=float), (sites,)).copy()

    return RuleInputs(spread(slope), spread(sigma), spread(light), spread(90.0), 3.0, 5.0)


def scaled(values: Floats, ranking: RankingSettings = RANKING) -> Scale:
    return scale_of(values, ranking.weights)


def table(sites: int, **columns: Floats) -> Floats:
    values = np.full((sites, len(CRITERIA)), np.nan)
    values[:, NAMES.index("probability")] = 1.0
    for name, column in columns.items():
        values[:, NAMES.index(name)] = column
    return values


def test_probability_is_the_product_of_three_gaussians() -> None:
    site = RuleInputs(np.array([4.5]), np.array([0.5]), np.array([36.0]), np.array([45.0]), 3.0, 5.0)
    assert site.probability(RULE, np.ones(3)) == pytest.approx(ndtr(1.0) * ndtr(1.0) * ndtr(-1.0))
    shifted = site.probability(RULE, np.array([[1.1, 1.0, 1.0], [1.0, 1.1, 0.9]]))
    assert shifted[:, 0] == pytest.approx([ndtr(2.0) * ndtr(1.0) * ndtr(-1.0), ndtr(1.0) * ndtr(-0.1) * ndtr(0.0)])


def test_without_errors_the_limit_itself_passes() -> None:
    exact = RuleInputs(np.array([5.0, 5.1]), np.zeros(2), np.full(2, 33.0), np.full(2, 50.0), 0.0, 0.0)
    assert exact.probability(RULE, np.ones(3)).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("method", ["topsis", "weighted_sum"])
def test_a_site_better_in_everything_is_always_first(method: str) -> None:
    best_first = np.linspace(1.0, 0.0, 30)
    values = table(30, illumination=50.0 * best_first, slope=4.0 - 3.0 * best_first, area=best_first)
    ranking = RankingSettings.model_validate({"draws": 200, "method": method})
    found = sensitivity(values, scaled(values), inputs(30), RULE, ranking, 0.5, ranking.method)
    assert (found.ranks == np.arange(1, 31)).all()
    assert found.interval()[:, 4].tolist() == [5.0, 5.0, 5.0]
    assert found.share_within(20).tolist() == [1.0] * 20 + [0.0] * 10


def test_opposed_criteria_share_the_draws_evenly() -> None:
    # By the weighted sum the first wins where its criterion weighs more: half of all draws, by symmetry.
    values = table(2, illumination=np.array([1.0, 0.0]), area=np.array([0.0, 1.0]))
    ranking = RankingSettings(draws=4_000, method="weighted_sum")
    found = sensitivity(values, scaled(values), inputs(2), RULE, ranking, 0.5, ranking.method)
    assert (found.ranks[:, 0] == 1).mean() == pytest.approx(0.5, abs=0.03)
    assert (np.sort(found.ranks, axis=1) == [1, 2]).all()


def test_a_site_that_fails_a_shifted_limit_goes_behind() -> None:
    # The first is best by merit, but its slope of 4.9 degrees fails limits below 4.9: a shift under -2 %.
    values = table(3, area=np.array([9.0, 5.0, 1.0]))
    ranking = RankingSettings(draws=4_000)
    read = inputs(3, slope=np.array([4.9, 1.0, 1.0]), sigma=0.0)
    found = sensitivity(values, scaled(values), read, RULE, ranking, 0.5, ranking.method)
    assert found.below_share[0] == pytest.approx(0.4, abs=0.03)
    assert found.below_share[1:].tolist() == [0.0, 0.0]
    assert (found.ranks[:, 0] == 3).mean() == found.below_share[0]
    firm = RankingSettings(draws=50, threshold_shift=0.0)
    assert sensitivity(values, scaled(values, firm), read, RULE, firm, 0.5, "topsis").below_share.tolist() == [0.0] * 3


def test_those_behind_are_ordered_by_probability() -> None:
    values = table(3, area=np.array([9.0, 5.0, 1.0]))
    read = inputs(3, slope=np.array([20.0, 8.0, 1.0]))
    found = sensitivity(values, scaled(values), read, RULE, RANKING, 0.5, "topsis")
    assert (found.ranks == [3, 2, 1]).all()


def test_unknown_values_are_drawn_from_the_known() -> None:
    # Of one criterion, known at 0 and 10: a site of which it is unknown ties with either in half of the draws.
    values = table(3, area=np.array([10.0, 0.0, np.nan]))
    ranking = RankingSettings(draws=4_000)
    found = sensitivity(values, scaled(values), inputs(3), RULE, ranking, 0.5, ranking.method)
    assert (found.ranks[:, 2] == 3).mean() == pytest.approx(0.5, abs=0.03)  # a tie goes to the earlier site
    assert (found.ranks[:, 2] == 2).mean() == pytest.approx(0.5, abs=0.03)


def test_equal_sites_keep_their_order_and_none_is_legal() -> None:
    values = table(4, area=np.ones(4))
    assert (sensitivity(values, scaled(values), inputs(4), RULE, RANKING, 0.5, "topsis").ranks == [1, 2, 3, 4]).all()
    nothing = table(0)
    found = sensitivity(nothing, scaled(nothing), inputs(0), RULE, RANKING, 0.5, "topsis")
    assert (found.ranks.shape, found.interval().shape, found.share_within(20).size) == ((400, 0), (3, 0), 0)


def test_draws_follow_the_seed_and_not_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = np.random.default_rng(5)
    values = table(25, illumination=draws.uniform(size=25), area=draws.uniform(size=25), slope=draws.uniform(size=25))
    whole = sensitivity(values, scaled(values), inputs(25, light=34.0), RULE, RANKING, 0.5, "topsis")
    monkeypatch.setattr(module, "_BATCH", 7 * values.size)
    parts = sensitivity(values, scaled(values), inputs(25, light=34.0), RULE, RANKING, 0.5, "topsis")
    assert (whole.ranks == parts.ranks).all()
    other = RANKING.model_copy(update={"seed": 14})
    assert (sensitivity(values, scaled(values), inputs(25), RULE, other, 0.5, "topsis").ranks != whole.ranks).any()
    assert (np.sort(whole.ranks, axis=1) == np.arange(1, 26)).all()
