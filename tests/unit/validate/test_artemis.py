from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lunarsite.artefact.record import Record, Verdict
from lunarsite.settings import ArtemisSettings, RuleSettings
from lunarsite.site.place.regions import Region
from lunarsite.validate import artemis
from lunarsite.validate.artemis import Ruled
from lunarsite.validate.population import Population

from .places import CELLS, part, population, ranked_at_random, ranked_towards, square

SETTINGS = ArtemisSettings(selected=(50, 200), selected_sites=(4, 9), draws=400, seed=3, match_km=15.0)
RULE = RuleSettings(max_slope_deg=5.0, min_illumination_pct=33.0, min_earth_visibility_pct=50.0)
NO_SITES = (np.zeros(0), np.zeros(0))
REGIONS = (square("A", 45.0, 0.0, 16.0), square("MM", 0.0, 50.0, 12.0), square("MP", -45.0, -20.0, 14.0))


def judge(
    found: Population,
    regions: tuple[Region, ...],
    settings: ArtemisSettings,
    *,
    synthetic: bool,
    sites: tuple[np.ndarray, np.ndarray] = NO_SITES,
    others: tuple[Ruled, ...] = (),
) -> Record:
    """Judge one rule's population, without sites unless some are given."""
    ruled = (Ruled("cassa", RULE, found), *others)
    return artemis.judge(ruled, sites, regions, settings, synthetic=synthetic)


def verdicts(record: Record, *words: str) -> list[Verdict]:
    return [verdict for verdict in record.verdicts if all(word in verdict.name for word in words)]


def test_a_choice_inside_a_region_beats_both_nulls() -> None:
    record = judge(population(ranked_towards(45.0, 0.0)), REGIONS, SETTINGS, synthetic=False)
    assert record.metric("share_top_50_all") == pytest.approx(1.0)
    expected = 1.0 / record.metric("base_rate_all")  # type: ignore[operator]
    assert record.metric("enrichment_top_50_all") == pytest.approx(expected)
    p = record.metric("p_random_top_50_all")
    assert p == pytest.approx(1.0 / 401.0)
    (with_moutons,) = verdicts(record, "200 best cells lie in the regions more")
    (without,) = verdicts(record, "200 best cells lie in the regions without")
    assert without.holds
    assert with_moutons.holds


def test_a_random_choice_beats_no_null() -> None:
    records = [judge(population(ranked_at_random(seed)), REGIONS, SETTINGS, synthetic=False) for seed in range(12)]
    p = [record.metric("p_rotation_top_200_all") for record in records]
    q = [record.metric("p_random_top_200_all") for record in records]
    assert 0.25 < float(np.mean(np.array(p, dtype=float))) < 0.75
    assert 0.25 < float(np.mean(np.array(q, dtype=float))) < 0.75


def test_the_rotation_null_knows_latitude_and_the_random_null_does_not() -> None:
    # All cells of a ring as far from the pole as the region: turning changes nothing but the lattice under the region,
    # while the random-cell null sees the ring's latitude as agreement.
    x, y = CELLS.centres_m()
    order = np.argsort(np.abs(np.hypot(x, y) - 45_000.0), kind="stable")
    rank = np.empty(order.size, dtype=np.int64)
    rank[order] = np.arange(1, order.size + 1)
    size = int((np.abs(np.hypot(x, y) - 45_000.0) < 6_000.0).sum())
    settings = ArtemisSettings(selected=(size,), draws=400, seed=3)
    record = judge(population(rank), (square("A", 45.0, 0.0, 16.0),), settings, synthetic=False)
    assert record.metric(f"p_random_top_{size}_all") == pytest.approx(1.0 / 401.0)
    null = next(m for m in record.metrics if m.name == f"enrichment_rotation_null_top_{size}_all")
    assert record.metric(f"enrichment_top_{size}_all") == pytest.approx(null.value, rel=0.05)
    assert null.low is not None
    assert null.high is not None
    assert null.high - null.low < 0.1 * null.high


def test_true_area_is_what_is_shared() -> None:
    record = judge(population(ranked_at_random(1)), REGIONS, SETTINGS, synthetic=False)
    x, y = CELLS.centres_m()
    held = np.zeros(CELLS.count, dtype=bool)
    for region in REGIONS:
        left, low, right, high = region.outline.bounds
        held |= (x > left) & (x < right) & (y > low) & (y < high)
    area = CELLS.true_area_m2()
    assert record.metric("base_rate_all") == pytest.approx(area[held].sum() / area.sum(), rel=1e-12)


def test_too_few_cells_are_unknown_not_failed() -> None:
    settings = ArtemisSettings(selected=(50, CELLS.count), draws=100)
    record = judge(population(ranked_at_random(1), suitable=0), REGIONS, settings, synthetic=False)
    assert record.metric(f"share_top_{CELLS.count}_all") is None
    assert all(verdict.holds is None for verdict in record.verdicts if " 50 best" not in verdict.name)
    assert any("no cell passes the rule" in verdict.why for verdict in record.verdicts)
    assert any("have known inputs" in verdict.why for verdict in record.verdicts)


def test_regions_without_known_ground_are_unknown() -> None:
    record = judge(population(ranked_at_random(1)), (square("A", 500.0, 0.0, 16.0),), SETTINGS, synthetic=False)
    assert record.metric("base_rate_all") is None
    assert record.metric("enrichment_top_50_all") is None
    assert {verdict.holds for verdict in record.verdicts} == {None}


def test_an_empty_population_is_unknown() -> None:
    whole = population(ranked_at_random(1))
    empty = part(whole, np.zeros(whole.count, dtype=bool))
    record = judge(empty, REGIONS, SETTINGS, synthetic=False)
    assert {verdict.holds for verdict in record.verdicts} == {None}


def test_turns_off_the_known_ground_do_not_count() -> None:
    # Only half of the cap is known: turns that carry the region off it say nothing about chance.
    whole = population(ranked_towards(30.0, 0.0))
    half = part(whole, whole.x_m > 0.0)
    record = judge(half, (square("A", 30.0, 0.0, 12.0),), SETTINGS, synthetic=False)
    assert any("turns leave at least" in note for note in record.notes)
    assert record.metric("p_rotation_top_50_all") is not None
    few = ArtemisSettings(selected=(50,), draws=100)
    assert judge(half, (square("A", 30.0, 0.0, 12.0),), few, synthetic=False).metric("p_rotation_top_50_all") is None


def test_the_record_says_what_it_is_worth() -> None:
    record = judge(population(ranked_at_random(1)), REGIONS, SETTINGS, synthetic=True)
    assert any("synthetic" in note for note in record.notes)
    assert {row["regions"] for row in record.tables["agreement"]} == {"all regions", "without the two Moutons"}
    assert len(record.tables["regions"]) == 3
    assert {row["regions"] for row in record.tables["matched_regions"]} == {3}
    best = [row["best_rank"] for row in record.tables["regions"]]
    assert all(isinstance(rank, int) for rank in best)


def test_a_score_that_is_the_rule_gains_nothing() -> None:
    record = judge(population(ranked_towards(45.0, 0.0)), REGIONS, SETTINGS, synthetic=False)
    for gain in verdicts(record, "by the plain rule"):
        assert (gain.value, gain.holds) == (1.0, False)
        assert "neither does better" in gain.why


def test_a_score_that_finds_what_the_rule_misses_gains() -> None:
    found = population(ranked_towards(45.0, 0.0))
    away = replace(found, by_rule=found.by_rule[::-1].copy())
    gain = verdicts(judge(away, REGIONS, SETTINGS, synthetic=False), "by the plain rule")[0]
    assert gain.holds
    assert "The score does better, by more than turning both together gives" in gain.why
    worse = replace(found, by_score=found.by_probability[::-1].copy())
    record = judge(worse, REGIONS, SETTINGS, synthetic=False)
    loss = verdicts(record, "by the plain rule")[0]
    assert loss.holds is False
    assert "0.0 % of the score's area lies inside, 100.0 % of the rule's" in loss.why
    assert "The plain rule does better, by more than turning both together gives" in loss.why
    assert record.metric("gain_over_rule_50_all") == pytest.approx(-1.0)
    assert record.metric("p_gain_over_rule_50_all") == loss.value


def test_the_score_is_set_against_the_rule_at_each_size_with_and_without_the_moutons() -> None:
    # The score finds a Mouton, the rule the other region: which does better depends on the reference.
    found = replace(population(ranked_towards(0.0, 50.0)), by_rule=population(ranked_towards(45.0, 0.0)).by_probability)
    record = judge(found, REGIONS, SETTINGS, synthetic=False)
    gains = verdicts(record, "by the plain rule")
    assert len(gains) == 2 * len(SETTINGS.selected)
    assert {gain.holds for gain in gains if "without the two Moutons" in gain.name} == {False}
    rows = record.tables["score_against_rule"]
    assert [row["cells"] for row in rows] == [50, 200, 50, 200]
    assert {row["gain"] for row in rows[2:]} == {-1.0}
    for row, gain in zip(rows, gains, strict=True):
        assert row["rotation_p"] == gain.value
        assert row["gain"] == row["share_by_score"] - row["share_by_rule"]  # type: ignore[operator]
    for gain in gains:
        if "without the two Moutons" in gain.name:
            assert "The plain rule does better, by more than" in gain.why


def test_a_gain_that_turning_gives_as_often_is_not_called_one() -> None:
    found = replace(population(ranked_at_random(1)), by_rule=population(ranked_at_random(2)).by_probability)
    gains = verdicts(judge(found, REGIONS, SETTINGS, synthetic=False), "by the plain rule")
    assert all(gain.holds is False for gain in gains)
    assert all("by no more than turning both together gives" in gain.why for gain in gains)


def test_equal_choices_in_another_order_gain_nothing() -> None:
    found = population(ranked_towards(53.0, 0.0))  # half inside
    for seed in range(5):
        order = found.by_probability.copy()
        np.random.default_rng(seed).shuffle(order[:200])
        record = judge(replace(found, by_rule=order), REGIONS, SETTINGS, synthetic=False)
        assert record.metric("gain_over_rule_200_all") == 0.0
        assert "neither does better" in verdicts(record, " 200 best cells by score")[0].why


def test_the_same_seed_gives_the_same_record() -> None:
    first, second = (judge(population(ranked_at_random(1)), REGIONS, SETTINGS, synthetic=True) for _ in range(2))
    assert first == second


def test_regions_mostly_off_the_known_ground_are_unknown() -> None:
    # The cap ends 91 km from the pole: a region around its border is known by half, one a little further out by less.
    for x_km, known in ((86.0, True), (95.0, False)):
        record = judge(population(ranked_at_random(1)), (square("A", x_km, 0.0, 16.0),), SETTINGS, synthetic=False)
        assert (record.metric("base_rate_all") is not None) == known
        share = record.metric("known_share_all")
        assert share is not None
        assert (share >= 0.5) == known


def test_centres_beside_the_known_ground_are_not_counted() -> None:
    regions = (square("A", 45.0, 0.0, 16.0), square("B", 300.0, 0.0, 16.0))
    record = judge(population(ranked_towards(45.0, 0.0)), regions, SETTINGS, synthetic=False)
    assert {row["regions"] for row in record.tables["matched_regions"]} == {1}
    assert record.metric("matched_top_50") == 1.0


def test_more_than_turned_is_no_agreement_below_the_base_rate() -> None:
    # One of 200 cells lies in the region, the others about the pole: hardly any turn holds it, and yet ground chosen
    # blindly would have put more inside.
    x, y = CELLS.centres_m()
    order = np.argsort(np.hypot(x, y), kind="stable")
    one = int(np.argmin(np.hypot(x - 70e3, y)))
    order = np.concatenate([[one], order[order != one]])
    rank = np.empty(order.size, dtype=np.int64)
    rank[order] = np.arange(1, order.size + 1)
    record = judge(population(rank), (square("A", 70.0, 0.0, 12.0),), SETTINGS, synthetic=False)
    enrichment = record.metric("enrichment_top_200_all")
    assert enrichment is not None
    assert 0.5 < enrichment < 1.0
    (verdict,) = verdicts(record, "200 best cells lie in the regions more")
    assert verdict.value is not None
    assert verdict.value <= 0.05
    assert verdict.holds is False
    assert verdict.bound == "<= 0.05, and enrichment > 1"
    assert "0.5 % inside, where 0.5 % of the known area lies: enrichment 0.98" in verdict.why
    assert "no more than the base rate" in verdict.why
    for null in ("turned", "near turns", "random cells"):
        assert f"{null} " in verdict.why.split("p: ")[1]
    (overall,) = (row for row in record.tables["in_words"] if row["where"] == "all regions")
    assert "fewer than the base rate), though more than turned about the pole" in str(overall["says"])
