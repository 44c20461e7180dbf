"""Criteria, weighted sum and TOPSIS: analytic cases, what is unknown, and properties."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.artefact.contracts import SITES
from lunarsite.settings import WeightsSettings
from lunarsite.site.place.merit import (
    CRITERIA,
    filled,
    ranks,
    robust_weighted_sum,
    scale_of,
    spread_shares,
    topsis,
    values_of,
    weighted_sum,
)

NAMES = [criterion.name for criterion in CRITERIA]


def table(count: int = 4, **columns: object) -> pd.DataFrame:
    base = {criterion.column: np.arange(1.0, count + 1.0) for criterion in CRITERIA}
    return pd.DataFrame(base | {"psr_walk": ["reached"] * count} | columns)


def weights(**given: float) -> WeightsSettings:
    return WeightsSettings(**(dict.fromkeys(NAMES, 0.0) | given))


def test_every_weight_has_a_criterion_and_every_criterion_a_column() -> None:
    assert list(WeightsSettings.model_fields) == NAMES
    assert {criterion.column for criterion in CRITERIA} <= {column.name for column in SITES.columns}


def test_no_way_is_the_longest_way_and_not_unknown() -> None:
    frame = table(psr_walk_m=[3.0, np.nan, np.nan, 7.0], psr_walk=["reached", "no way", "unknown", "reached"])
    way = values_of(frame)[:, NAMES.index("psr_walk")]
    np.testing.assert_array_equal(way, [3.0, 7.0, np.nan, 7.0])
    cut_off = table(psr_walk_m=np.nan, psr_walk="no way")
    assert (values_of(cut_off)[:, NAMES.index("psr_walk")] == 0.0).all()  # no contrast, but known


def test_unknown_everywhere_drops_out_and_the_others_share_its_weight() -> None:
    values = values_of(table(slope_deg=np.nan))
    scale = scale_of(values, weights(slope=0.5, probability=0.3, area=0.2))
    assert [criterion.name for criterion in scale.criteria] == ["probability", "area"]
    assert scale.weights == pytest.approx([0.6, 0.4])
    assert scale.dropped["slope"] == "it is unknown everywhere"
    assert scale.dropped["scarps"] == "its weight is 0"


def test_nothing_known_makes_all_equal() -> None:
    scale = scale_of(values_of(table(slope_deg=np.nan)), weights(slope=1.0))
    assert scale.used.size == 0
    nothing = np.zeros((4, 0))
    assert weighted_sum(nothing, scale.better, scale.weights).tolist() == [0.0] * 4
    assert topsis(nothing, scale.better, scale.weights).tolist() == [0.5] * 4


def test_what_is_unknown_of_some_is_the_median_of_the_others() -> None:
    assert filled(np.array([[1.0], [np.nan], [9.0], [2.0]]))[:, 0].tolist() == [1.0, 2.0, 9.0, 2.0]


def test_weighted_sum_by_hand() -> None:
    values = np.array([[0.0, 10.0], [5.0, 30.0], [10.0, 20.0]])
    found = weighted_sum(values, np.array([1.0, -1.0]), np.array([0.75, 0.25]))
    assert found == pytest.approx([0.25, 0.375, 0.875])
    level = weighted_sum(np.ones((3, 1)), np.array([1.0]), np.array([1.0]))
    assert level.tolist() == [0.5] * 3


def test_topsis_by_hand() -> None:
    values = np.array([[3.0, 8.0], [4.0, 6.0]])
    found = topsis(values, np.array([1.0, -1.0]), np.array([0.5, 0.5]))
    assert found == pytest.approx([0.0, 1.0])
    mixed = topsis(np.array([[3.0, 6.0], [4.0, 8.0]]), np.array([1.0, -1.0]), np.array([0.8, 0.2]))
    # Stretched to 0..1, each is the worst in one and the best in the other: distances 0.8 and 0.2.
    assert mixed == pytest.approx([0.2, 0.8])


def test_topsis_heeds_weights_whatever_the_size_of_the_numbers() -> None:
    # Sunlight of 41 to 59 % and a way of 0 to 20 km: what matters more decides, not what has the larger ratio.
    values = np.column_stack([np.linspace(41.0, 59.0, 21), np.linspace(0.0, 20_000.0, 21)])
    better = np.array([1.0, -1.0])
    for weights, first in (([0.65, 0.35], 20), ([0.35, 0.65], 0)):
        assert int(topsis(values, better, np.array(weights)).argmax()) in {first, first - 1, first + 1}
    np.testing.assert_allclose(
        *(topsis(same, better, np.array([0.7, 0.3])) for same in (values, values * [1.0, 1e-3] + [900.0, 7.0]))
    )


def test_a_criterion_known_of_few_still_tells_them_apart() -> None:
    values = np.full((40, 1), 5.0)
    values[3], values[4] = 9.0, 1.0
    found = robust_weighted_sum(values, np.array([1.0]), np.array([1.0]))
    assert (found[3], found[4], found[0]) == (1.0, 0.0, 0.5)


def test_shares_of_the_spread_by_hand() -> None:
    good = np.array([[0.0, 0.0, 0.5], [1.0, 0.5, 0.5]])
    # Variances 0.25 w², 0.0625 w², 0.
    assert spread_shares(good, np.array([0.5, 0.5, 0.0])) == pytest.approx([0.8, 0.2, 0.0])
    assert spread_shares(good[:1], np.ones(3)).tolist() == [0.0] * 3
    assert spread_shares(good[:0], np.ones(3)).tolist() == [0.0] * 3


def test_outliers_do_not_flatten_the_robust_sum() -> None:
    values = np.append(np.linspace(0.0, 1.0, 99), 1e6)[:, None]
    one = np.array([1.0])
    plain, robust = (way(values, one, one) for way in (weighted_sum, robust_weighted_sum))
    assert np.ptp(plain[:99]) < 1e-5
    assert np.ptp(robust[:99]) > 0.9


@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.integers(1, 6))
def test_merits_lie_in_range_dominance_holds_and_draws_are_rows(seed: int, places: int, criteria: int) -> None:
    draws = np.random.default_rng(seed)
    values = draws.uniform(0.0, 50.0, (3, places, criteria))
    better = draws.choice([-1.0, 1.0], criteria)
    shares = draws.dirichlet(np.ones(criteria), 3)
    # The first place is at least as good as the second in everything.
    values[:, 0] = np.where(better > 0.0, values[:, :2].max(axis=1), values[:, :2].min(axis=1))
    for way in (topsis, weighted_sum, robust_weighted_sum):
        found = way(values, better, shares)
        assert found.shape == (3, places)
        assert ((found >= 0.0) & (found <= 1.0 + 1e-12)).all()
        assert (found[:, 0] >= found[:, 1] - 1e-12).all()
        np.testing.assert_allclose(found[1], way(values[1], better, shares[1]))


def test_ties_go_by_the_second_key_then_by_position() -> None:
    assert ranks(np.array([0.5, 0.9, 0.5, 0.5]), np.array([0.1, 0.0, 0.3, 0.1])).tolist() == [3, 1, 2, 4]
