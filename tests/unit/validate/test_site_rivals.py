"""Another system's sites: scores against our probability, and both systems against experts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lunarsite.validate import nulls
from lunarsite.validate.site_points import Ground, Points
from lunarsite.validate.site_rivals import Others, correlate, duel, fair_sizes, read_others

from .places import CELLS

ANGLES = nulls.sorted_angles(300, 5)
CENTRES = Points(*CELLS.centres_m())
EVERYWHERE = Ground(CELLS, np.ones(CELLS.count, dtype=bool))
# Our probability falls from east to west.
PROBABILITY = (CENTRES.x_m - CENTRES.x_m.min()) / np.ptp(CENTRES.x_m)


def rivals(count: int = 60, seed: int = 1) -> Others:
    """Cells drawn at random, scored as we do but for some noise."""
    rng = np.random.default_rng(seed)
    cells = rng.choice(CELLS.count, count, replace=False)
    return Others("rivals", "theirs", CENTRES.take(cells), PROBABILITY[cells] + 0.05 * rng.normal(size=count))


def test_scores_that_follow_our_probability_do_so_by_more_than_chance() -> None:
    found = correlate(rivals(), PROBABILITY, EVERYWHERE, ANGLES)
    assert found.value is not None
    assert found.value > 0.9
    assert found.rotation is not None
    # Turned by half a circle the order is reversed, by a quarter it is lost.
    assert found.rotation.low < -0.8
    assert abs(found.rotation.median) < 0.3
    assert found.rotation.p < 0.1
    exact = replace(rivals(), score=np.exp(PROBABILITY[EVERYWHERE.cells.id_at(*_places(rivals()))]))
    assert correlate(exact, PROBABILITY, EVERYWHERE, ANGLES).value == pytest.approx(1.0)


def _places(others: Others) -> tuple[np.ndarray, np.ndarray]:
    assert others.places is not None
    return others.places.x_m, others.places.y_m


def test_scores_of_another_order_do_not() -> None:
    shuffled = replace(rivals(), score=np.random.default_rng(3).permutation(60).astype(float))
    found = correlate(shuffled, PROBABILITY, EVERYWHERE, ANGLES)
    assert found.value is not None
    assert abs(found.value) < 0.35
    assert found.rotation is not None
    assert found.rotation.p > 0.05


def test_what_cannot_be_correlated_is_unknown() -> None:
    whole = rivals()
    for others, probability, said in (
        (Others("rivals", "theirs", None, why="not given"), PROBABILITY, "not given"),
        (replace(whole, score=None), PROBABILITY, "no column 'score'"),
        (replace(whole, score=np.ones(60)), PROBABILITY, "its scores are the same"),
        (whole, np.ones(CELLS.count), "our probability is the same"),
        (whole, np.full(CELLS.count, np.nan), "only 0 of its places"),
    ):
        found = correlate(others, probability, EVERYWHERE, ANGLES)
        assert (found.value, found.rotation) == (None, None)
        assert said in found.why


def test_half_known_ground_leaves_chance_unknown_where_turns_lead_off_it() -> None:
    east = Ground(CELLS, CENTRES.x_m > 0.0)
    whole = rivals()
    kept = CENTRES.x_m[CELLS.id_at(*_places(whole))] > 30e3
    assert whole.places is not None
    assert whole.score is not None
    others = replace(whole, places=whole.places.take(kept), score=whole.score[kept])
    found = correlate(others, PROBABILITY, east, ANGLES[::3])
    assert found.value is not None
    assert found.rotation is None
    assert "turns stay on known ground" in found.why


def test_a_duel_counts_what_only_one_side_reaches() -> None:
    targets = Points(np.arange(8) * 10e3, np.zeros(8))
    ours, theirs = targets.take(np.arange(7)), targets.take(np.array([6, 7]))
    found = duel(targets, ours, theirs, 1.0)
    assert (found.ours, found.theirs, found.only_ours, found.only_theirs) == (7, 2, 6, 1)
    # Seven that differ, one of them against us: twice (1 + 7) of 128 orders.
    assert found.p == pytest.approx(2.0 * 8.0 / 128.0)
    assert duel(targets, ours, ours, 1.0).p == 1.0


def test_both_systems_are_compared_at_equal_numbers() -> None:
    whole = rivals(30)
    assert fair_sizes((20, 100), whole) == [20, 30, 100]
    assert fair_sizes((20,), Others("rivals", "theirs", None)) == [20]
    best = whole.best(20)
    assert best is not None
    assert whole.score is not None
    assert whole.places is not None
    assert set(best.x_m) <= set(whole.places.x_m[whole.score >= np.sort(whole.score)[10]])
    assert whole.best(100) is None
    unscored = replace(whole, score=None)
    assert unscored.best(20) is None
    assert unscored.best(30) is whole.places


def test_tables_are_read_under_their_setting(tmp_path: Path) -> None:
    path = tmp_path / "rivals.csv"
    path.write_text("lon,lat,score\n0,-88,3\n90,-89,4\n", encoding="utf-8")
    found = read_others(path, "rivals", "theirs", "south")
    assert found.places is not None
    assert found.score is not None
    assert found.places.x_m[0] == pytest.approx(0.0, abs=1e-9)
    assert found.places.y_m[0] > 60_000.0
    assert read_others(path, "experts", "experts'", "south").score is None
    missing = read_others(None, "experts", "experts'", "south")
    assert (missing.places, missing.why) == (None, "validation.site.experts names no table")
