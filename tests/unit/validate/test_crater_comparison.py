"""DeepMoon's rule, ring pixels, turns about the pole, and what the elevation model shows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunarsite.grid import Grid, lonlat_to_xy, scale_factor, xy_to_lonlat
from lunarsite.validate.crater_comparison import RING_PIXEL_M, deepmoon_rule, ring_agreement, turned
from lunarsite.validate.crater_relief import crossed, known_at, relief_ratio
from lunarsite.vision.crater.matching import Circles

GRID = Grid(-24_000.0, 24_000.0, 240.0, 200, 200)


def circles(*rows: tuple[float, float, float]) -> Circles:
    return Circles(*np.array(rows, dtype=np.float64).reshape(-1, 3).T)


def test_deepmoons_rule_lets_one_crater_serve_many() -> None:
    truth = circles((0, 0, 4000))
    found = circles((0, 0, 4000), (2000, 0, 4000), (0, 0, 7900), (0, 0, 8100), (2700, 0, 4000))
    ours, theirs = deepmoon_rule(found, truth)
    assert ours.tolist() == [True, True, True, False, False]
    assert theirs.tolist() == [True]
    # sqrt(1.8) of the smaller radius, whichever side is smaller.
    for x_m, matched in ((2680, True), (2690, False)):
        assert deepmoon_rule(circles((x_m, 0, 6000)), truth)[0].tolist() == [matched]


def test_rings_of_the_same_craters_agree_and_apart_they_do_not() -> None:
    truth = circles((0, 0, 8000), (9000, 3000, 4000))
    assert ring_agreement(truth, truth) == (1.0, 1.0, 1.0)
    overlap, precision, recall = ring_agreement(circles((0, 0, 8000)), truth) or (0.0, 0.0, 0.0)
    assert precision == 1.0
    # A ring two pixels wide holds its length in pixels, twice.
    assert recall == pytest.approx(2 / 3, abs=0.02)
    assert overlap == recall
    shifted = ring_agreement(circles((4 * RING_PIXEL_M, 0, 8000)), circles((0, 0, 8000)))
    assert shifted is not None
    assert shifted[0] < 0.4
    assert ring_agreement(truth, circles()) is None
    with pytest.raises(ValueError, match="narrow the split"):
        ring_agreement(circles((-1e6, 0, 4000)), circles((1e6, 2e6, 4000)))


@settings(max_examples=50, deadline=None)
@given(
    lon=st.lists(st.floats(340.0, 399.0), min_size=1, max_size=6),
    angle=st.floats(0, 60),
    pole=st.sampled_from(["south", "north"]),
)
def test_a_turn_stays_in_the_sector_and_keeps_latitude(lon: list[float], angle: float, pole: str) -> None:
    lon_deg = (np.array(lon) + 180.0) % 360.0 - 180.0
    lat_deg = np.linspace(81.0, 89.0, lon_deg.size) * (-1.0 if pole == "south" else 1.0)
    x, y = lonlat_to_xy(lon_deg, lat_deg, pole)  # type: ignore[arg-type]
    moved, moved_deg = turned(Circles(x, y, np.full(x.size, 1e3)), lon_deg, lat_deg, (340.0, 40.0), angle, pole)  # type: ignore[arg-type]
    again_lon, again_lat = xy_to_lonlat(moved.x_m, moved.y_m, pole)  # type: ignore[arg-type]
    assert again_lat == pytest.approx(lat_deg)
    assert np.cos(np.radians(again_lon)) == pytest.approx(np.cos(np.radians(moved_deg)), abs=1e-9)
    from_start = (moved_deg - 340.0) % 360.0
    assert ((from_start < 60.0 + 1e-6) | (from_start > 360.0 - 1e-6)).all()
    assert ((from_start - ((lon_deg - 340.0) % 360.0) - angle + 30.0) % 60.0 - 30.0) == pytest.approx(0.0, abs=1e-6)


def heights(depth_m: float = 400.0) -> np.ndarray:
    x, y = GRID.x_m()[None, :], GRID.y_m()[:, None]
    r = np.hypot(x - 5_000.0, y + 3_000.0) / 4_000.0
    return (0.1 * x + 0.2 * y + depth_m * np.minimum(r * r, 1.0)).astype(np.float32)


def test_relief_is_that_of_the_bowl_whatever_the_slope() -> None:
    diameter_m = 8_000.0 / scale_factor(5_000.0, -3_000.0)
    found = relief_ratio(heights(), GRID, circles((5_000.0, -3_000.0, diameter_m), (-14_000.0, 12_000.0, diameter_m)))
    # Rim at the full depth (a third of it between 0.95 and 1), floor mean of r^2 over the rings within 0.3 radii.
    weights = np.array([0.0, 0.1, 0.2, 0.3]) + 0.05
    floor = 400.0 * float((weights * np.array([0.0, 0.1, 0.2, 0.3]) ** 2).sum() / weights.sum())
    rim = 400.0 * (1.0 * 0.9025 + 1.05 + 1.10) / 3.15
    assert found[0] == pytest.approx((rim - floor) / diameter_m, rel=0.02)
    assert found[1] == pytest.approx(0.0, abs=1e-4)
    assert relief_ratio(heights(-400.0), GRID, circles((5_000.0, -3_000.0, diameter_m)))[0] < -0.03


def test_relief_is_unknown_without_heights() -> None:
    holed = heights()
    holed[:, 120:] = np.nan
    assert np.isnan(relief_ratio(holed, GRID, circles((5_000.0, -3_000.0, 8_000.0)))[0])
    assert np.isnan(relief_ratio(heights(), GRID, circles((23_900.0, 23_900.0, 8_000.0)))[0]), "beyond the map"
    assert known_at(holed, GRID, np.array([0.0, 10_000.0, 90_000.0]), np.zeros(3)).tolist() == [True, False, False]


def test_a_rim_that_is_cut_by_a_larger_and_fresher_crater() -> None:
    big, on_rim = (0.0, 0.0, 20_000.0), (10_000.0, 0.0, 4_000.0)
    inside, far, as_large = (3_000.0, 0.0, 4_000.0), (60_000.0, 0.0, 4_000.0), (-10_000.0, 0.0, 15_000.0)
    places = circles(big, on_rim, inside, far, as_large)
    assert crossed(places, np.array([0.2, 0.1, 0.1, 0.1, 0.1])).tolist() == [False, True, False, False, False]
    assert not crossed(places, np.array([0.1, 0.2, 0.2, 0.2, 0.2])).any(), "a worn rim cuts nothing fresher"
    assert not crossed(places, np.array([np.nan] * 5)).any()
