"""The record of sites: what is claimed, and what stays unknown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lunarsite.artefact.record import Record
from lunarsite.settings import RuleSettings, SiteReferenceSettings
from lunarsite.validate.site import judge_site, middle
from lunarsite.validate.site_evidence import Evidence
from lunarsite.validate.site_points import Ground, Points
from lunarsite.validate.site_rivals import Others
from lunarsite.validate.site_truth import Massifs, Terrain

from .places import CELLS, square

SETTINGS = SiteReferenceSettings(selected=(5, 20), distances_km=(2.0, 5.0, 10.0), draws=150, seed=3)
CENTRES = Points(*CELLS.centres_m())
REGIONS = (square("A", 45.0, 0.0, 16.0), square("MM", 0.0, 50.0, 40.0))
NO_EXPERTS = Others("experts", "experts' sites", None, why="validation.site.experts names no table")
NO_RIVALS = Others("rivals", "another system's sites", None, why="validation.site.rivals names no table")
SITES = CENTRES.take(np.random.default_rng(4).choice(CELLS.count, 20, replace=False))
SITES.x_m[3], SITES.y_m[3] = 1e3, 55e3  # one lies in a Mouton


def evidence(sites: Points = SITES) -> Evidence:
    passing = np.random.default_rng(5).uniform(size=CELLS.count) < 0.2
    regional = Points(np.array([45e3, 47e3, 0.0]), np.array([0.0, 2e3, 50e3]))
    return Evidence(
        sites=sites,
        regional=regional,
        regional_code=np.array(["A", "A", "MM"]),
        terrain=Terrain(
            ground=Ground(CELLS, np.ones(CELLS.count, dtype=bool)),
            centres=CENTRES,
            area_m2=CELLS.true_area_m2(),
            passing={"cassa": passing, "hls": passing},
            margins=np.where(passing, 0.2, -0.2) * np.ones((3, 1)),
            probability=(CENTRES.x_m + 100e3) / 200e3,
        ),
        regions=REGIONS,
        target="cassa",
        rule=RuleSettings(max_slope_deg=5.0, min_illumination_pct=33.0, min_earth_visibility_pct=50.0),
    )


def judged(experts: Others = NO_EXPERTS, rivals: Others = NO_RIVALS, massifs: Massifs | None = None) -> Record:
    return judge_site(evidence(), experts, rivals, massifs, SETTINGS, synthetic=massifs is not None)


@pytest.fixture(scope="module")
def against_itself() -> Record:
    """Our own sites handed in as those of experts and of a rival."""
    rivals = replace(NO_RIVALS, places=SITES, score=SITES.x_m, why="")
    return judged(replace(NO_EXPERTS, places=SITES, why=""), rivals)


def test_nothing_given_leaves_everything_unknown_with_its_reason() -> None:
    record = judged()
    # One verdict for each table that is missing, and not one for each claim that lacks it.
    assert [verdict.name for verdict in record.verdicts] == [
        "The run's sites agree with experts' sites",
        "The run's sites agree with another system's sites",
        "The sites find the massifs that were built gentle",
    ]
    assert {verdict.holds for verdict in record.verdicts} == {None}
    for word, said in (
        ("xperts", "validation.site.experts names no table"),
        ("nother", "validation.site.rivals names no table"),
        ("assif", "the terrain is not synthetic"),
    ):
        whys = [verdict.why for verdict in record.verdicts if word in verdict.name]
        assert whys
        assert all(said in why for why in whys)
    assert all(row["why_unknown"] for row in record.tables["agreement"])
    assert all(metric.why for metric in record.metrics if metric.value is None)
    assert [row["places"] for row in record.tables["given"]] == [None, None]
    assert record.metric("experts_recall_5km_top_20_all") is None
    assert record.tables["side_by_side"][0]["why_unknown"]


def test_sites_against_themselves_agree_wholly(against_itself: Record) -> None:
    for others in ("experts", "rivals"):
        for measure in ("recall", "precision"):
            for scope in ("all", "without_moutons"):
                assert against_itself.metric(f"{others}_{measure}_2km_top_20_{scope}") == 1.0
        assert against_itself.metric(f"{others}_recall_2km_top_5_all") == 0.25
        assert against_itself.metric(f"{others}_precision_2km_top_5_all") == 1.0
        assert against_itself.metric(f"{others}_median_site_to_target_km_top_20_all") == 0.0
    held = {verdict.name: verdict.holds for verdict in against_itself.verdicts if "about the pole" in verdict.name}
    assert sum(holds is True for holds in held.values()) == 12
    assert against_itself.metric("rivals_spearman") == pytest.approx(1.0, abs=0.001)


def test_the_moutons_are_left_out_of_both_sides(against_itself: Record) -> None:
    within = (np.abs(SITES.x_m) < 20e3) & (np.abs(SITES.y_m - 50e3) < 20e3)
    assert within.sum() == 1
    counted = {
        (row["ground"], row["sites"]): (row["sites_counted"], row["others_counted"])
        for row in against_itself.tables["agreement"]
        if row["of"] == "experts' sites"
    }
    assert counted["everywhere", "20 best sites"] == (20, 20)
    assert counted["without the two Moutons", "20 best sites"] == (20 - within.sum(), 20 - within.sum())
    assert counted["without the two Moutons", "best sites of each region"][0] == 2


def test_regional_sites_have_cells_of_their_regions_as_their_null(against_itself: Record) -> None:
    rows = [row for row in against_itself.tables["agreement"] if row["sites"] == "best sites of each region"]
    assert {row["random_from"] for row in rows} == {"known cells"}
    assert {row["rotation_p"] for row in rows} == {None}
    assert all(row["random_p"] is not None for row in rows)


def test_both_systems_stand_side_by_side(against_itself: Record) -> None:
    rows = against_itself.tables["side_by_side"]
    equal = [row for row in rows if row["sites"] == 20]
    assert equal
    assert all(row["ours"] == row["theirs"] for row in equal)
    assert {row["sign_test_p"] for row in equal if row.get("measure") == "recall"} == {1.0}
    fewer = next(row for row in rows if row["sites"] == 5 and row.get("measure") == "recall")
    assert fewer["ours"] == fewer["theirs"] == 0.25
    assert {row["ground"] for row in rows} == {"everywhere", "without the two Moutons"}


def test_too_few_sites_are_unknown() -> None:
    found = judge_site(
        evidence(SITES.take(np.arange(7))),
        replace(NO_EXPERTS, places=SITES, why=""),
        NO_RIVALS,
        None,
        SETTINGS,
        synthetic=False,
    )
    assert found.metric("experts_precision_2km_top_5_all") == 1.0
    assert found.metric("experts_precision_2km_top_20_all") is None
    verdict = next(verdict for verdict in found.verdicts if "20 best sites" in verdict.name)
    assert (verdict.holds, verdict.why) == (None, "the run has 7 sites, 20 are needed")


def test_massifs_under_our_sites_are_recovered() -> None:
    massifs = Massifs(
        tuple("abcdef"),
        Points(SITES.x_m[:6], SITES.y_m[:6]),
        np.full(6, 3e3),
    )
    record = judged(massifs=massifs)
    recall, more_than_turned, precision = record.verdicts[-3:]
    assert (recall.value, recall.holds, recall.bound) == (1.0, True, ">= 0.8")
    assert "6 of 6 massifs hold cells that pass the rule; 100 % of those have a site" in recall.why
    assert more_than_turned.holds
    assert precision.value is not None
    assert record.metric("massif_precision") is not None
    assert [row["sites"] for row in record.tables["massif_recovery"]] == [
        "all sites",
        "5 best sites",
        "20 best sites",
        "all sites and those of the regions",
        "all cells that pass the rule",
    ]
    far = replace(massifs, middle=massifs.middle.turned(1.0))
    assert judged(massifs=far).verdicts[-3].value != 1.0


def test_the_claims_take_the_middle_distance() -> None:
    assert middle((10.0, 2.0, 5.0)) == 5.0
    assert middle((4.0, 2.0)) == 2.0
