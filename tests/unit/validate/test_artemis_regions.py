"""Sites against the regions, each region alone, and what is said of it in words."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from lunarsite.artefact.record import Record
from lunarsite.settings import ArtemisSettings, RuleSettings
from lunarsite.site.place.regions import Region
from lunarsite.validate import nulls
from lunarsite.validate.agreement import Reference, Selection, agree, select, select_sites
from lunarsite.validate.artemis import Ruled, judge
from lunarsite.validate.artemis_regions import by_region
from lunarsite.validate.population import Population

from .places import CELLS, part, population, ranked_at_random, ranked_towards, square

SETTINGS = ArtemisSettings(selected=(50,), selected_sites=(2, 4), draws=200, seed=3)
RULE = RuleSettings(max_slope_deg=5.0, min_illumination_pct=33.0, min_earth_visibility_pct=50.0)
REGIONS = (square("A", 45.0, 0.0, 16.0), square("MM", 0.0, 50.0, 12.0), square("MP", -45.0, -20.0, 14.0))
ANGLES = nulls.sorted_angles(4_000, 9)
SITES = (np.array([45e3, 0.0, 0.0, 44e3]), np.array([0.0, 50e3, -70e3, 1e3]))


def judged(found: Population, regions: tuple[Region, ...] = REGIONS) -> Record:
    hls = replace(population(ranked_towards(0.0, 50.0)), rank=None, by_score=None)
    return judge((Ruled("cassa", RULE, found), Ruled("hls", RULE, hls)), SITES, regions, SETTINGS, synthetic=False)


@pytest.fixture(scope="module")
def record() -> Record:
    return judged(population(ranked_towards(45.0, 0.0)))


def test_sites_count_one_each(record: Record) -> None:
    assert record.metric("share_sites_2_all") == 1.0
    assert record.metric("share_sites_4_all") == 0.75
    assert record.metric("share_sites_2_without_moutons") == 0.5
    base = record.metric("base_rate_all")
    assert base is not None
    assert record.metric("enrichment_sites_4_all") == pytest.approx(0.75 / base)
    row = next(row for row in record.tables["agreement"] if row["selection"] == "4 best sites")
    assert (row["count"], row["random_p"] is None) == (4, False)
    held = {verdict.name: verdict.holds for verdict in record.verdicts if "4 best sites" in verdict.name}
    assert len(held) == 2
    assert set(held.values()) <= {True, False}


def test_probable_cells_are_a_choice_of_their_own() -> None:
    found = population(ranked_at_random(1))
    aimed = replace(found, by_probability=population(ranked_towards(45.0, 0.0)).by_probability)
    record = judged(aimed)
    assert record.metric("share_probability_50_all") == 1.0
    score = record.metric("share_top_50_all")
    assert score is not None
    assert score < 0.5


def test_other_rules_are_told_beside_without_a_score(record: Record) -> None:
    rows = record.tables["agreement_of_other_rules"]
    assert {row["rule"] for row in rows} == {"hls"}
    assert "50 best by score" not in {row["selection"] for row in rows}
    assert record.metric("share_hls_probability_50_all") == 1.0
    assert record.metric("share_hls_probability_50_without_moutons") == 0.0
    assert len([verdict for verdict in record.verdicts if "hls" in verdict.name]) == 4
    assert {row["suitable_cells_hls"] for row in record.tables["regions"]} == {0, 50}


def test_each_region_has_its_own_counts_and_null(record: Record) -> None:
    rows = {(row["code"], row["selection"]): row for row in record.tables["region_counts"]}
    inside = rows["A", "50 best by score"]
    assert (inside["count"], inside["of"], inside["best"]) == (50, 50, 1)
    assert inside["expected"] == pytest.approx(50 * 16.0**2 / (math.pi * 91.1**2), rel=0.1)
    assert isinstance(inside["rotation_p"], float)
    assert inside["rotation_p"] < 0.1
    assert rows["MM", "50 best by score"]["count"] == 0
    assert rows["MM", "50 best by score"]["rotation_p"] == 1.0
    assert rows["A", "all sites"]["count"] == 2
    assert rows["MM", "all sites"]["best"] == 2
    assert [row["sites"] for row in record.tables["regions"]] == [2, 1, 0]
    assert [row["best_site_rank"] for row in record.tables["regions"]] == [1, 2, None]


def test_the_null_of_one_site_in_a_region_is_the_regions_arc() -> None:
    # A ring sector of 30 degrees holds a site at its radius in a twelfth of all turns.
    found = population(ranked_at_random(1))
    turn = np.radians(np.linspace(-15.0, 15.0, 61))
    ring = [(r * math.cos(a), r * math.sin(a)) for r, order in ((60e3, turn), (30e3, turn[::-1])) for a in order]
    sector = replace(square("A", 0.0, 0.0, 1.0), outline=type(REGIONS[0].outline)(ring))
    site = select_sites(np.array([45e3]), np.array([0.0]), (1,))
    (counted,) = by_region(found, (sector,), site, ANGLES)
    rotation = counted.counts["sites_1"].rotation
    assert rotation is not None
    assert counted.counts["sites_1"].count == 1
    assert rotation.p == pytest.approx(1.0 / 12.0, abs=0.02)
    reference = Reference("all", "the sector", found, (sector,), ANGLES)
    whole = agree(reference, site[0], ArtemisSettings(draws=100)).rotation
    assert whole is not None
    assert whole.p == pytest.approx(1.0 / 12.0, abs=0.02)


def test_a_region_without_a_choice_says_which_limit_fails(record: Record) -> None:
    says = {row["where"]: str(row["says"]) for row in record.tables["in_words"]}
    assert says["Square A"].startswith("50 of 50 best by score, the best at place 1")
    assert "Nothing was chosen here: 100 % of it is steeper than 5 degrees." in says["Square MP"]
    assert "0 of 4 best sites" in says["Square MP"]
    assert "100.0 % inside" in says["all regions"]
    assert "4 best sites: 50.0 % inside" in says["without the two Moutons"]


def test_regions_off_the_known_ground_are_unknown_in_words_too() -> None:
    far = judged(population(ranked_towards(45.0, 0.0)), (*REGIONS, square("B", 500.0, 0.0, 16.0)))
    says = {row["where"]: str(row["says"]) for row in far.tables["in_words"]}
    assert says["Square B"].startswith("Unknown: only 0 % of these regions' area is known")
    row = far.tables["regions"][-1]
    assert (row["sites"], row["too_dark_share"], row["best_rank"]) == (None, None, None)


def test_a_region_that_turns_off_the_known_ground_has_no_null() -> None:
    whole = population(ranked_towards(30.0, 0.0))
    half = part(whole, whole.x_m > 0.0)
    (counted,) = by_region(half, (square("A", 30.0, 0.0, 12.0),), select(half, (50,)), ANGLES[::40])
    found = counted.counts["top_50"]
    assert found.count == 50
    assert found.rotation is None
    assert "turns stay on known ground" in found.why


def test_too_few_sites_are_unknown() -> None:
    few = select_sites(np.array([1.0]), np.array([2.0]), (1, 3))
    assert [(one.key, one.count) for one in few] == [("sites_1", 1), ("sites_3", None), ("sites", 1)]
    assert few[1].why == "the run has 1 sites, 3 are needed"
    none = select_sites(np.zeros(0), np.zeros(0), (1,))
    assert [one.why for one in none] == ["the run has 0 sites, 1 are needed", "the run has no site"]
    with pytest.raises(ValueError, match="the run has no site"):
        none[1].places(population(ranked_at_random(1)))
    assert Selection("a", "b", np.arange(3)).count == 3
    assert CELLS.count > 3
