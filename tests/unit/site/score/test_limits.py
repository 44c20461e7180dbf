"""Cells near a limit weigh a set share of all, evenly along the input, and no other cell weighs more than one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lunarsite.settings import RulesSettings, ScorerSettings
from lunarsite.site.score.limits import STEPS, limit_weights, limits, near_limits
from lunarsite.site.score.scorer import margins, train
from tests.unit.site.score.test_sweeps import people_who_see_the_earth_never_or_always

CASSA = RulesSettings().cassa
Columns = dict[str, NDArray[np.float64]]


def columns(count: int, seed: int = 3) -> Columns:
    """Cells that keep slope and light with room to spare, and see the Earth more or less."""
    draws = np.random.default_rng(seed)
    earth = 50.0 + 15.0 * draws.beta(0.5, 2.0, count) * draws.choice([-1.0, 1.0], count)
    return {
        "slope_mean": draws.uniform(0.0, 2.0, count),
        "avg_illumination_pct": draws.uniform(60.0, 90.0, count),
        "earth_visibility_pct": earth,
    }


def test_limits_are_those_of_the_rule() -> None:
    slope, light, earth = limits(CASSA, "cassa")
    assert (slope.column, slope.limit, slope.direction) == ("slope_mean", 5.0, -1)
    assert (light.limit, earth.limit) == (33.0, 50.0)
    assert slope.values()[[0, -1]].tolist() == [2.5, 7.5]
    assert limits(CASSA.model_copy(update={"min_illumination_pct": 3.0}), "cassa")[1].values()[0] == 0.0


def test_cells_near_a_limit_keep_the_other_two() -> None:
    cells = {
        "slope_mean": np.array([4.9, 5.1, 5.1, 1.0]),
        "avg_illumination_pct": np.array([80.0, 80.0, 20.0, 80.0]),
        "earth_visibility_pct": np.array([90.0, 90.0, 90.0, 49.0]),
    }
    near = near_limits(cells, CASSA, "cassa")
    assert near.tolist() == [[True, True, False, False], [False] * 4, [False, False, False, True]]


def test_every_step_of_an_input_weighs_the_same() -> None:
    cells = columns(60_000)
    weight = limit_weights(cells, CASSA, "cassa", share=3.0)
    earth = limits(CASSA, "cassa")[2]
    counted, _ = np.histogram(cells["earth_visibility_pct"], earth.values())
    weighed, _ = np.histogram(cells["earth_visibility_pct"], earth.values(), weights=weight.astype(np.float64))
    each = 3.0 * 60_000 / (STEPS - 1)
    few = (counted < each) & (counted > each / 50.0)
    assert few.sum() > 40
    np.testing.assert_allclose(weighed[few], each, rtol=1e-4)
    assert weight.min() == 1.0
    assert weight.max() <= 50.0


def test_no_share_and_no_cell_near_leave_all_alike() -> None:
    assert (limit_weights(columns(500), CASSA, "cassa", share=0.0) == 1.0).all()
    far = columns(500) | {"earth_visibility_pct": np.full(500, 99.0)}
    assert (limit_weights(far, CASSA, "cassa", share=0.5) == 1.0).all()


def test_a_cell_near_two_limits_takes_the_larger_weight_and_none_weighs_beyond_the_bound() -> None:
    alone = {
        "slope_mean": np.r_[4.9, np.full(9_999, 40.0)],
        "avg_illumination_pct": np.r_[34.0, np.full(9_999, 0.0)],
        "earth_visibility_pct": np.full(10_000, 90.0),
    }
    weight = limit_weights(alone, CASSA, "cassa", share=5.0)
    assert weight[0] == 50.0
    assert (weight[1:] == 1.0).all()


def test_weights_mend_the_step_that_few_cells_leave() -> None:
    crowd = people_who_see_the_earth_never_or_always(few=0.02)
    quick = ScorerSettings(trees=150, learning_rate=0.1)
    errors = {}
    for share in (0.0, quick.limit_share):
        weight = limit_weights(crowd.columns, CASSA, "cassa", share)
        booster = train(crowd.features, crowd.probability, quick, weight=weight)
        near = near_limits(crowd.columns, CASSA, "cassa")[2]
        found = 1.0 / (1.0 + np.exp(-margins(booster, crowd.features[near]).astype(np.float64)))
        errors[share] = float(np.mean((found - crowd.probability[near]) ** 2))
    assert errors[quick.limit_share] < 0.7 * errors[0.0], errors
