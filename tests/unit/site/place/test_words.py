"""Sentences of a site: only what is true of it, with its numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from lunarsite.settings import ReachSettings, RuleSettings, WeightsSettings
from lunarsite.site.place.ellipse import Ellipse
from lunarsite.site.place.merit import CRITERIA, scale_of
from lunarsite.site.place.words import against, beside_others, filled, of_rule, resolves, standing, unknown

RULE = RuleSettings(max_slope_deg=5.0, min_illumination_pct=33.0, min_earth_visibility_pct=50.0, slope_buffer_m=100.0)
ELLIPSE = Ellipse(0.0, 0.0, (500.0, 300.0), 30.0, 15, 1.0, 2.0, 3.0, 60.0, 80.0, 0.0, 40.0, meets_light=True)
NAMES = [criterion.name for criterion in CRITERIA]
ROW = pd.Series(
    {criterion.column: 1.0 for criterion in CRITERIA}
    | {"psr_walk": "reached", "psr_rover": "reached", "score": 2.0}
    | {"ellipse_inside_share": 0.9}
)


def row(**changed: object) -> pd.Series:
    return pd.concat([ROW.drop(list(changed)), pd.Series(changed)])


def test_nothing_is_said_of_a_site_without_faults() -> None:
    assert against(ROW, ELLIPSE, "hls", RULE, ReachSettings()) == []
    assert unknown(ROW, ELLIPSE, RULE, 100.0) == []


def test_no_way_a_steep_pixel_and_darkness_speak_against_it() -> None:
    found = against(
        row(psr_walk="no way", ellipse_inside_share=0.894),
        replace(ELLIPSE, slope_max_deg=7.31, meets_light=False),
        "hls",
        RULE,
        ReachSettings(),
    )
    assert len(found) == 4
    assert "no way on foot over ground of at most 15°" in found[0]
    assert "1 km²" in found[0]
    assert "7.3°" in found[1]
    assert "the HLS rule allows 5°" in found[1]
    assert "only 89 % of the landing ellipse lies in" in found[2]
    assert "the HLS rule's limits of light and Earth view" in found[3]


def test_the_learned_rule_is_named_where_sites_are_by_another() -> None:
    told = ["slope 5.0° on average (the rule allows 5°): +0.75 log-odds", "height 12 m: +0.10 log-odds"]
    assert of_rule(told, "cassa", "cassa") == told
    assert of_rule(told, "cassa", "hls") == [
        "slope 5.0° on average (the CASSA rule, which the score learned, allows 5°): +0.75 log-odds",
        "height 12 m: +0.10 log-odds of the score, which learned the CASSA rule",
    ]


def test_each_unknown_is_named_once() -> None:
    bare = row(
        **dict.fromkeys((criterion.column for criterion in CRITERIA), np.nan), psr_walk="unknown", psr_rover="unknown"
    )
    found = unknown(bare, replace(ELLIPSE, known_share=0.75), RULE, 240.0)
    assert len(found) == len(set(found))
    for text in ("longest night", "scarps", "craters", "on foot", "by rover", "25 % of the landing ellipse", "100 m"):
        assert sum(text in line for line in found) == 1, text
    assert not [line for line in found if "ellipse itself" in line]
    assert any("ellipse itself" in line for line in unknown(ROW, ELLIPSE, RULE, 400.0))
    assert any("score" in line for line in unknown(row(score=np.nan), ELLIPSE, RULE, 50.0))


def test_an_ellipse_of_a_pixel_is_resolved() -> None:
    assert resolves((500.0, 300.0), 300.0)
    assert not resolves((500.0, 300.0), 301.0)


def test_best_and_worst_tenth_of_the_strongest_criterion() -> None:
    values = np.tile(np.linspace(1.0, 2.0, 20)[:, None], (1, len(CRITERIA)))
    zero = dict.fromkeys(NAMES, 0.0)
    scale = scale_of(values, WeightsSettings(**(zero | {"longest_night": 0.2, "area": 0.1, "slope": 5.0})))
    found = standing(values, scale, np.zeros(20, dtype=bool))
    # Slope is of the rule: it is the learned score's to tell. The night weighs more than the area.
    assert found[0] == (
        ["longest time without Sun 1 h: among the best tenth of the sites"],
        ["area of the contiguous good ground 1 km²: among the worst tenth of the sites"],
    )
    assert found[10] == ([], [])
    assert sum(bool(best) for best, _ in found) == 4  # two by their night, two by their area
    assert all(sentences == ([], []) for sentences in standing(values[:9], scale, np.zeros(9, dtype=bool)))


def test_a_length_that_stands_for_no_way_is_not_told() -> None:
    values = np.full((20, len(CRITERIA)), 1.0)
    values[:, NAMES.index("psr_walk")] = np.linspace(100.0, 5_000.0, 20)
    scale = scale_of(values, WeightsSettings(**(dict.fromkeys(NAMES, 0.0) | {"psr_walk": 1.0})))
    no_way = np.arange(20) == 19
    told = standing(values, scale, no_way)
    assert told[19] == ([], [])
    assert told[18][1] == ["way on foot to permanent shadow 4 742 m: among the worst tenth of the sites"]


def test_every_site_has_weak_points_beside_the_others() -> None:
    values = np.full((5, len(CRITERIA)), np.nan)
    values[:, NAMES.index("slope")] = [1.0, 2.0, 3.0, 4.0, 5.0]
    values[:, NAMES.index("area")] = [1.0, 1.0, 9.0, 1.0, np.nan]
    scale = scale_of(values, WeightsSettings(**(dict.fromkeys(NAMES, 0.0) | {"slope": 1.0, "area": 1.0})))
    told = beside_others(values, scale, np.zeros(5, dtype=bool))
    assert told[0] == ([("mean slope", "mean slope 1 degrees: 100 % of the sites are worse")], [])
    assert [sentence for _, sentence in told[3][1]] == ["mean slope 4 degrees: 75 % of the sites are better"]
    # In the middle nothing stands out but the area; three equal areas beat nothing, and one site of four beats them.
    assert [sentence for _, sentence in told[2][0]] == [
        "area of the contiguous good ground 9 km²: 100 % of the sites are worse"
    ]
    assert told[2][1] == []


def test_sentences_are_filled_up_without_repeating_a_criterion() -> None:
    further = [("mean slope", "mean slope 4: ..."), ("craters", "craters ..."), ("area", "area ...")]
    assert filled(["mean slope 4 degrees: among the worst"], further, 2) == [
        "mean slope 4 degrees: among the worst",
        "craters ...",
    ]
    assert filled(["a", "b", "c", "d"], further) == ["a", "b", "c", "d"]
