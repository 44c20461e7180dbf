"""Nights and days against a run-length count of the direct series, and against cases known by thought."""

from itertools import groupby

import numpy as np
import pytest

from lunarsite.grid import Cells, Grid
from lunarsite.illumination.darkness import best_lit_pixels, night_statistics
from lunarsite.illumination.ephemeris import BodyTrack, Ephemeris, ephemeris
from lunarsite.illumination.points import HorizonProfiles
from tests.unit.illumination.synthetic import body_vectors, elevation_and_azimuth, map_vectors

AZIMUTHS = np.radians(np.arange(180) * 2.0 + 1.0)


@pytest.fixture(scope="module")
def two_years() -> Ephemeris:
    return ephemeris("2030-01-01", span_years=2.0)


def profiles_of(elevation_deg: np.ndarray, x_m: np.ndarray, y_m: np.ndarray, pole: str = "south") -> HorizonProfiles:
    return HorizonProfiles(x_m, y_m, AZIMUTHS, np.tan(np.radians(elevation_deg)).astype(np.float32), pole)


def wavy_profiles(n: int, seed: int, pole: str) -> HorizonProfiles:
    rng = np.random.default_rng(seed)
    elevation = rng.uniform(-1.0, 1.5, (n, 1)) + sum(
        rng.normal(size=(n, 1)) * 1.5 / k * np.sin(k * AZIMUTHS + rng.uniform(0, 6.3, (n, 1))) for k in range(1, 9)
    )
    reach = 300_000.0 / np.sqrt(2)
    return profiles_of(elevation, rng.uniform(-reach, reach, n), rng.uniform(-reach, reach, n), pole)


def direct_limb_up(profiles: HorizonProfiles, index: int, track: BodyTrack) -> np.ndarray:
    """Whether any part of the disc is above the horizon, epoch by epoch, by plain geometry."""
    grid = Grid(profiles.x_m[index] - 1.0, profiles.y_m[index] + 1.0, 2.0, 1, 1, profiles.pole)
    frame = tuple(vector[0, 0] for vector in map_vectors(grid))
    elevation, azimuth = elevation_and_azimuth(frame, body_vectors(track, profiles.pole), track)
    tangent = np.interp(azimuth % (2 * np.pi), AZIMUTHS, profiles.tan_horizon[index], period=2 * np.pi)
    return elevation + np.radians(track.radius_deg) > np.arctan(tangent)


@pytest.mark.parametrize("pole", ["south", "north"])
def test_agrees_with_the_direct_series(two_years, pole):
    profiles = wavy_profiles(40, seed=1, pole=pole)
    found = night_statistics(profiles, two_years, least_lit_fraction=0.0)
    night_errors, light_errors = [], []
    for i in range(len(profiles)):
        lit = direct_limb_up(profiles, i, two_years.sun)
        earth = direct_limb_up(profiles, i, two_years.earth)
        assert found.lit_fraction[i] == pytest.approx(lit.mean(), abs=0.002)
        assert found.earth_fraction[i] == pytest.approx(earth.mean(), abs=0.003)
        assert found.sun_and_earth_h_per_year[i] == pytest.approx((lit & earth).mean() * 8766.0, abs=30.0)
        runs = [(state, sum(1 for _ in run)) for state, run in groupby(lit)]
        night_errors.append(found.longest_night_h[i] - max([n for state, n in runs if not state], default=0))
        light_errors.append(found.longest_light_h[i] - max([n for state, n in runs if state], default=0))
        for limit, counted in ((24, found.nights_over_24h[i]), (150, found.nights_over_150h[i])):
            assert abs(counted - sum(not state and n > limit for state, n in runs)) <= 2
    # A grazing Sun can join or part two nights, so single places may differ by much; most agree within two hours.
    assert np.mean(np.abs(night_errors) <= 2.0) >= 0.85
    assert np.mean(np.abs(light_errors) <= 2.0) >= 0.85


def test_a_wall_around_half_the_circle_at_the_pole(two_years):
    # At the pole the Sun runs around level: hidden behind 180 deg of wall for half of each synodic month.
    elevation = np.where(np.sin(AZIMUTHS) > 0, 40.0, -10.0)[None]
    found = night_statistics(profiles_of(elevation, np.array([0.0]), np.array([0.0])), two_years)
    half_month_h = 29.53 * 24 / 2
    assert found.longest_night_h[0] == pytest.approx(half_month_h, abs=12.0)
    assert found.longest_light_h[0] == pytest.approx(half_month_h, abs=12.0)
    assert found.lit_fraction[0] == pytest.approx(0.5, abs=0.02)
    assert found.nights_over_150h[0] == found.nights_over_24h[0]
    assert 24 <= found.nights_over_150h[0] <= 26
    assert found.earth_fraction[0] == 0.0  # the wall stands towards longitude 0
    assert found.sun_and_earth_h_per_year[0] == 0.0


def test_the_open_pole_has_one_long_day_a_year(two_years):
    found = night_statistics(profiles_of(np.zeros((1, 180)), np.array([0.0]), np.array([0.0])), two_years)
    # Half a draconic year (346.6 d), shortened by the limb's 0.27 of 1.55 deg at either end: 10 deg of phase each.
    assert 150 * 24 < found.longest_night_h[0] < 157 * 24
    assert found.best_month_lit_fraction[0] == 1.0
    month = found.best_month[0].astype("datetime64[M]")
    inside = two_years.times.astype("datetime64[M]") == month
    assert (-two_years.sun.lat_deg[inside] > -0.27).all()
    begins = two_years.times == found.longest_night_start[0]
    assert -two_years.sun.lat_deg[begins][0] == pytest.approx(-two_years.sun.radius_deg[begins][0], abs=0.02)


def test_never_dark_hardly_lit_and_unknown(two_years):
    elevation = np.full((3, 180), -20.0)
    elevation[1] = 20.0
    elevation[2, 7] = np.nan
    found = night_statistics(profiles_of(elevation, np.zeros(3), np.zeros(3)), two_years)
    assert found.lit_fraction[:2] == pytest.approx([1.0, 0.0])
    assert np.isnan(found.lit_fraction[2])
    assert found.longest_night_h[0] == 0.0
    assert np.isnat(found.longest_night_start[0])
    assert found.longest_light_h[0] == two_years.times.size
    for name, values in found.frame().items():
        if name not in {"lit_fraction", "earth_fraction"}:
            assert values.isna()[1], name
        assert values.isna()[2], name


def test_a_short_span_has_no_whole_month():
    span = ephemeris("2030-01-05", span_years=0.03)
    found = night_statistics(profiles_of(np.full((1, 180), -20.0), np.zeros(1), np.zeros(1)), span)
    assert np.isnat(found.best_month[0])
    assert np.isnan(found.best_month_lit_fraction[0])
    assert found.longest_light_h[0] == span.times.size


def test_bad_requests_are_refused():
    profiles = profiles_of(np.zeros((1, 180)), np.zeros(1), np.zeros(1))
    with pytest.raises(ValueError, match="step_hours"):
        night_statistics(profiles, ephemeris(span_years=1.0, step_hours=48.0))
    with pytest.raises(ValueError, match="least_lit_fraction"):
        night_statistics(profiles, ephemeris(span_years=0.1), least_lit_fraction=5.0)


def test_best_lit_pixel_of_each_cell():
    grid = Grid(-1920.0, 1920.0, 240.0, 15, 16)  # the last row of cells reaches beyond the border
    cells = Cells(grid)
    light = np.random.default_rng(0).uniform(0.0, 1.0, grid.shape).astype(np.float32)
    light[0:4, 0:4] = np.nan
    light[4:8, 4:7] = np.nan
    rows, cols, known = best_lit_pixels(light, cells)
    assert rows.size == cells.count == 16
    assert known.sum() == 15
    assert not known[0]
    for cell, (row, col) in enumerate(zip(rows, cols, strict=True)):
        block = light[cell // 4 * 4 : cell // 4 * 4 + 4, cell % 4 * 4 : cell % 4 * 4 + 4]
        if known[cell]:
            assert light[row, col] == np.nanmax(block)
        assert (row // 4, col // 4) == (cell // 4, cell % 4)
    with pytest.raises(ValueError, match="cells' grid"):
        best_lit_pixels(light[:-1], cells)
