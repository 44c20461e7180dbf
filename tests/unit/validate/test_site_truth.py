"""Massifs that were built gentle: what they offer, and whether sites find them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from lunarsite.artefact import ArtefactError
from lunarsite.grid import lonlat_to_xy
from lunarsite.settings import RuleSettings
from lunarsite.validate import nulls
from lunarsite.validate.site_points import Ground, Points, distances_m
from lunarsite.validate.site_truth import (
    Massifs,
    Terrain,
    massif_rows,
    offers,
    read_massifs,
    recover,
    recover_by_cells,
)

from .places import CELLS

ANGLES = nulls.sorted_angles(400, 5)
RULE = RuleSettings(max_slope_deg=5.0, min_illumination_pct=33.0, min_earth_visibility_pct=50.0)
CENTRES = Points(*CELLS.centres_m())
EVERYWHERE = Ground(CELLS, np.ones(CELLS.count, dtype=bool))
# Three summits of 4 km radius at different directions and distances from the pole.
MASSIFS = Massifs(
    ("Good", "Dark", "Second"),
    Points(np.array([40e3, -50e3, 0.0]), np.array([0.0, 0.0, -60e3])),
    np.array([4e3, 4e3, 4e3]),
)


def terrain(ground: Ground = EVERYWHERE) -> Terrain:
    """All cells within 3 km of the first and the third summit pass; all about the second are too dark."""
    apart = distances_m(MASSIFS.middle, CENTRES)
    passing = (apart[[0, 2]] < 3e3).any(axis=0)
    margins = np.full((3, CELLS.count), 0.2)
    margins[0, ~passing] = -1.0
    margins[:, apart[1] < 8e3] = np.array([0.2, -0.3, 0.2])[:, None]
    return Terrain(
        ground=ground,
        centres=CENTRES,
        area_m2=CELLS.true_area_m2(),
        passing={"cassa": passing, "hls": passing | (apart[1] < 1e3)},
        margins=margins,
        probability=np.where(passing, 0.9, 0.1),
    )


def test_a_massif_without_passing_cells_offers_nothing_and_says_why() -> None:
    found = offers(MASSIFS, terrain(), RULE)
    np.testing.assert_array_equal(found.offering, [True, False, True])
    assert found.on_summit["cassa"][1] == 0
    assert found.on_summit["hls"][1] > 0
    # Cells of a disc of 4 km radius, on a map that is larger than the ground by the scale factor.
    assert found.cells[0] == pytest.approx(math.pi * 4.0**2 / 0.96**2, rel=0.1)
    assert found.why[1] == "100 % of it has less sunlight than 33 %"
    np.testing.assert_allclose(found.best_probability, [0.9, 0.1, 0.9])


def test_sites_on_massifs_are_found_and_by_more_than_chance() -> None:
    sites = Points(np.array([41e3, 500.0, 20e3]), np.array([500.0, -64.7e3, 20e3]))
    found = recover("sites", MASSIFS, np.array([True, False, True]), sites, EVERYWHERE, ANGLES)
    # The second site lies 4.7 km from the middle: beyond the summit, within a cell of it.
    assert (found.recall, found.precision) == (1.0, pytest.approx(2.0 / 3.0))
    assert found.recall_null is not None
    assert found.recall_null.p < 0.05
    assert found.precision_null is not None
    assert found.precision_null.p < 0.05
    assert found.median_km == pytest.approx((math.hypot(1.0, 0.5) + math.hypot(0.5, 4.7)) / 2.0, rel=0.01)
    missed = recover("sites", MASSIFS, np.array([True, False, True]), sites.take([2]), EVERYWHERE, ANGLES)
    assert (missed.recall, missed.precision) == (0.0, 0.0)
    assert missed.recall_null is not None
    assert missed.recall_null.p == 1.0


def test_the_null_of_one_massif_is_an_arc() -> None:
    one = MASSIFS.take(np.array([True, False, False]))
    site = Points(np.array([40e3]), np.array([0.0]))
    angles = nulls.sorted_angles(4_000, 9)
    found = recover("site", one, np.array([True]), site, EVERYWHERE, angles)
    assert found.recall_null is not None
    # Within 4.96 km of ground 40 km from the pole: an arc of twice this angle.
    expected = 2.0 * 2.0 * math.asin(0.5 * 4.96 / 40.0) / (2.0 * math.pi)
    assert found.recall_null.p == pytest.approx(expected, abs=4.0 * math.sqrt(expected / 4_000))


def test_passing_cells_find_the_massifs_that_offer_ground() -> None:
    run = terrain()
    found = recover_by_cells(MASSIFS, CENTRES.take(run.passing["cassa"]), EVERYWHERE, ANGLES)
    assert found.recall == pytest.approx(2.0 / 3.0)
    assert found.recall_null is not None
    assert found.recall_null.median == 0.0
    assert found.recall_null.p < 0.1
    assert recover_by_cells(MASSIFS, CENTRES.take(np.zeros(0, int)), EVERYWHERE, ANGLES).recall == 0.0


def test_without_sites_nothing_is_recovered_and_chance_is_unknown() -> None:
    none = Points(np.zeros(0), np.zeros(0))
    found = recover("sites", MASSIFS, np.array([True, False, True]), none, EVERYWHERE, ANGLES)
    assert (found.recall, found.recall_null, found.why) == (0.0, None, "there are no sites")
    nowhere = recover("sites", MASSIFS, np.zeros(3, dtype=bool), MASSIFS.middle, EVERYWHERE, ANGLES)
    assert (nowhere.recall, nowhere.precision) == (None, 1.0)
    assert nowhere.why == "no massif holds a cell that passes the rule"
    rows = massif_rows(MASSIFS, offers(MASSIFS, terrain(), RULE), none, 960.0)
    assert {row["nearest_site_km"] for row in rows} == {None}


def test_few_comparable_turns_leave_chance_unknown() -> None:
    half = Ground(CELLS, CENTRES.x_m > 20e3)
    one = MASSIFS.take(np.array([True, False, False]))
    found = recover("sites", one, np.array([True]), one.middle, half, ANGLES[::4])
    assert (found.recall, found.recall_null) == (1.0, None)
    assert "turns stay on known ground" in found.why


def test_rows_tell_the_nearest_site_and_the_best_one_on_it() -> None:
    sites = Points(np.array([42e3, 40e3, 0.0]), np.array([0.0, 0.0, 0.0]))
    rows = massif_rows(MASSIFS, offers(MASSIFS, terrain(), RULE), sites, 960.0)
    first, second = rows[0], rows[1]
    assert (first["best_site_rank"], first["nearest_site_rank"], first["nearest_site_km"]) == (1, 2, 0.0)
    assert (first["has_site"], first["why_not"]) == (True, "")
    assert (second["has_site"], second["offers_good_ground"]) == (False, False)
    assert second["why_not"] == "100 % of it has less sunlight than 33 %"
    assert rows[2]["why_not"] == "it offers good ground, but no listed site lies on it"


def test_massifs_are_read_from_the_sources_table() -> None:
    x, y = lonlat_to_xy(30.0, -88.0)
    row = {"name": "Peak", "x_m": float(x), "y_m": float(y), "diameter_m": 6_000.0, "kind": "peak"}
    found = read_massifs(Path("record.json"), [row])
    assert (found.names, found.radius_m.tolist()) == (("Peak",), [3_000.0])
    with pytest.raises(ArtefactError, match=r"record.json: .*diameter_m"):
        read_massifs(Path("record.json"), [{"name": "Peak", "x_m": 0.0, "y_m": 0.0}])
