"""The limits of the rule alone, and turns that keep the near side: how much of an agreement is the Earth's view."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lunarsite.artefact.record import Record
from lunarsite.settings import ArtemisSettings, RuleSettings
from lunarsite.validate import nulls
from lunarsite.validate.agreement import Agreement, Reference, Selection, agree, select_baselines
from lunarsite.validate.artemis import Ruled, judge
from lunarsite.validate.artemis_limits import limit_words
from lunarsite.validate.nulls import Null

from .places import CELLS, population, ranked_at_random, square

SETTINGS = ArtemisSettings(selected=(50,), selected_sites=(2,), draws=200, seed=3)
RULE = RuleSettings(max_slope_deg=5.0, min_illumination_pct=33.0, min_earth_visibility_pct=50.0)
X, Y = CELLS.centres_m()
FULL, NEAR = nulls.sorted_angles(800, 9), nulls.near_angles(800, 9)


def judged(margins: NDArray[np.float64]) -> Record:
    """The record of cells with these margins, and one region on the side of +x."""
    passing = np.asarray((margins >= 0.0).all(axis=0))
    found = replace(population(ranked_at_random(1)), margins=margins, suitable=passing)
    hls = replace(found, rank=None, by_score=None)
    ruled = (Ruled("cassa", RULE, found), Ruled("hls", RULE, hls))
    sites = np.zeros(0), np.zeros(0)
    return judge(ruled, sites, (square("A", 50.0, 0.0, 16.0),), SETTINGS, synthetic=False)


def near_side(slope: NDArray[np.float64]) -> NDArray[np.float64]:
    """Margins where the Earth is seen from x > 0, and light suffices everywhere."""
    return np.stack([slope, np.full(CELLS.count, 0.1), np.where(X > 0.0, 0.1, -0.1)])


def test_near_turns_stay_within_their_limit_either_way() -> None:
    signed = np.degrees(np.angle(np.exp(1j * NEAR)))
    assert np.abs(signed).max() <= nulls.NEAR_TURN_DEG
    assert signed.min() < -25.0
    assert signed.max() > 25.0
    assert (np.diff(NEAR) >= 0.0).all()
    assert ((NEAR >= 0.0) & (2.0 * np.pi > NEAR)).all()


def test_the_earths_view_alone_beats_all_turns_and_no_near_turn() -> None:
    # A choice of the whole near side: half of all turns take the region off it, and no near turn does.
    found = replace(population(ranked_at_random(1)), margins=near_side(np.ones(CELLS.count)))
    reference = Reference("all", "all", found, (square("A", 60.0, 0.0, 16.0),), FULL, NEAR)
    earth = next(one for one in select_baselines(found) if one.key == "earth")
    agreement = agree(reference, earth, SETTINGS)
    assert agreement.enrichment == pytest.approx(2.0, rel=0.01)
    assert agreement.rotation is not None
    assert agreement.near is not None
    assert agreement.rotation.median < 1.9
    assert (agreement.near.low, agreement.near.high) == pytest.approx((agreement.enrichment,) * 2, rel=1e-9)
    assert agreement.near.draws == NEAR.size
    assert agreement.random is None


def test_turns_all_and_near_are_those_of_each_alone() -> None:
    found = population(ranked_at_random(1))
    regions = (square("A", 45.0, 0.0, 16.0), square("MM", 0.0, 50.0, 12.0))
    reference = Reference("all", "all", found, regions, FULL, NEAR)
    weight = np.random.default_rng(0).uniform(size=CELLS.count)
    shares = reference.turned_shares(X, Y, weight)
    for angles, share in zip((FULL, NEAR), shares, strict=True):
        alone = nulls.weight_inside(reference.ground, X, Y, weight, angles) / weight.sum()
        np.testing.assert_allclose(share, alone, rtol=1e-9)


def test_each_limit_alone_is_told_for_every_rule() -> None:
    record = judged(near_side(np.where(Y > 0.0, 0.1, -0.1)))
    # The region is cut in half by the slope's limit: what it keeps is as much as of all ground.
    for prefix in ("", "hls_"):
        values = [record.metric(f"enrichment_{prefix}{key}_all") for key in ("slope", "light", "earth", "suitable")]
        assert values == pytest.approx([1.0, 1.0, 2.0, 2.0], rel=0.1)
        assert record.metric(f"p_near_turns_{prefix}earth_all") is not None
    assert "p_random_earth_all" not in {metric.name for metric in record.metrics}
    rows = {row["selection"]: row for row in record.tables["agreement"]}
    assert rows["all that pass Earth view and light"]["count"] == int((X > 0.0).sum())
    assert rows["all that pass the slope limit alone"]["random_p"] is None
    assert rows["all that pass the rule"]["near_turns_p"] is not None
    says = {row["where"]: str(row["says"]) for row in record.tables["in_words"]}
    told = says["all regions, limit by limit"]
    assert "Rule cassa: cells that pass the Earth-view limit alone lie inside 2.0" in told
    assert "Rule hls: " in told
    assert "Against turns of at most 30 degrees" in told


def test_a_limit_that_no_cell_passes_is_unknown() -> None:
    record = judged(near_side(np.full(CELLS.count, -1.0)))
    row = next(r for r in record.tables["agreement"] if r["selection"] == "all that pass the slope limit alone")
    assert (row["count"], row["why_unknown"]) == (None, "no cell passes it")
    says = {row["where"]: str(row["says"]) for row in record.tables["in_words"]}
    assert "what each limit gives is unknown, no cell passes the rule" in says["all regions, limit by limit"]


def words(earth: float, both: float, passing: float) -> str:
    null = Null(1.0, 0.5, 1.5, 0.25, 100)
    agreements = [
        Agreement(Selection(key, key, np.arange(3)), 0.1, 0.1, value, null, None, near=null)
        for key, value in (
            *(("slope", 0.5), ("light", 1.2), ("earth", earth)),
            *(("earth_and_light", both), ("suitable", passing)),
        )
    ]
    rows = limit_words([("cassa", "", {"all": agreements, "without_moutons": agreements})])
    assert [row["where"] for row in rows] == [
        "all regions, limit by limit",
        "without the two Moutons, limit by limit",
    ]
    return str(rows[0]["says"])


@pytest.mark.parametrize(
    ("enrichments", "said"),
    [
        ((1.8, 1.5, 2.0), ("gives 80 % of what exceeds the base rate", "works for the agreement (1.50 without it")),
        ((2.5, 2.4, 2.0), ("gives all of what exceeds", "works against the agreement (2.40 without it, 2.00 with)")),
        ((0.9, 1.1, 1.5), ("gives none of the agreement", "works for the agreement")),
        ((1.9, 0.82, 0.8), ("no agreement to explain", "Slope changes next to nothing.")),
    ],
)
def test_words_tell_what_the_earths_view_gives_and_how_slope_works(
    enrichments: tuple[float, float, float], said: tuple[str, str]
) -> None:
    told = words(*enrichments)
    assert all(part in told for part in said)
    assert "(slope alone 0.50, light alone 1.20)" in told
    assert "p is 0.25 for Earth view alone and 0.25 for the rule" in told
