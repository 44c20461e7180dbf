"""Averages against a direct hourly series, against cases known by thought, and shared among workers."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunarsite.grid import Grid
from lunarsite.illumination.ephemeris import BodyTrack, Ephemeris, ephemeris
from lunarsite.illumination.visibility import accumulate_visibility, average_visibility, visibility_model
from lunarsite.illumination.visibility_sums import Accumulator, VisibilityModel
from lunarsite.illumination.visibility_tables import disc_fraction, earth_tables, sun_tables, sun_tables_by_group
from tests.unit.illumination.synthetic import (
    SyntheticSweep,
    body_vectors,
    direct_average,
    map_vectors,
)


@pytest.fixture(scope="module")
def cycle() -> Ephemeris:
    return ephemeris("2007-01-01")


@pytest.fixture(scope="module")
def year() -> Ephemeris:
    return ephemeris("2030-01-01", span_years=1.0, step_hours=2.0)


def cap(pole: str = "south", n: int = 10) -> Grid:
    return Grid(-304_000.0, 304_000.0, 608_000.0 / n, n, n, pole)


def wavy(grid: Grid, amplitude_deg: float, seed: int, highest_deg: float = 3.0):
    """A smooth random horizon for each pixel: eight harmonics of direction about a random level."""
    rng = np.random.default_rng(seed)
    size = np.radians(amplitude_deg) / np.sqrt(np.arange(1, 9))
    sizes = rng.normal(size=(8, *grid.shape)) * size[:, None, None]
    phases = rng.uniform(0, 2 * np.pi, (8, *grid.shape))
    level = np.radians(rng.uniform(-1.0, highest_deg, grid.shape))

    def elevation_rad(azimuth, pixel=(slice(None), slice(None))):
        waves = [sizes[k][pixel] * np.sin((k + 1) * azimuth + phases[k][pixel]) for k in range(8)]
        return level[pixel] + sum(waves)

    return elevation_rad


@pytest.mark.parametrize("pole", ["south", "north"])
def test_averages_agree_with_the_direct_series(cycle, pole):
    grid = cap(pole)
    horizon = wavy(grid, 2.0, seed=3, highest_deg=9.0)
    found = average_visibility(SyntheticSweep(grid, horizon), grid, cycle.sun, cycle.earth, 180)
    up, ex, ey = map_vectors(grid)
    sun, earth = body_vectors(cycle.sun, pole), body_vectors(cycle.earth, pole)
    errors, psr_right = [], []
    for i, j in np.random.default_rng(0).integers(0, grid.rows, (40, 2)):
        frame = up[i, j], ex[i, j], ey[i, j]
        mean, any_part, highest = direct_average(frame, sun, cycle.sun, lambda a: horizon(a, (i, j)))  # noqa: B023
        e_mean, e_any, _ = direct_average(frame, earth, cycle.earth, lambda a: horizon(a, (i, j)))  # noqa: B023
        truth = {"sun_mean": mean, "sun_any": any_part, "earth_mean": e_mean, "earth_any": e_any}
        errors.append([100 * (found[name][0, i, j] - value) for name, value in truth.items()])
        if abs(highest) > 0.1:
            psr_right.append(bool(found["psr"][0, i, j]) == (highest < 0))
            assert found["psr_margin_deg"][0, i, j] == pytest.approx(-highest, abs=0.3)
    rms = np.sqrt(np.mean(np.square(errors), axis=0))
    assert rms[0] < 0.045  # percent of time, absolute; the corners of this map lie at 76 deg
    assert rms.max() < 0.07
    assert np.abs(np.mean(errors, axis=0)).max() < 0.03
    assert all(psr_right)
    assert 0 < np.count_nonzero(found["psr"] == 1) < found["psr"].size


def test_the_jacobian_is_needed(cycle):
    # A wall all around except in one direction: without the Jacobian the share of that direction is off by 3 %.
    grid = Grid(250_000.0, 10_000.0, 20_000.0, 1, 1)
    horizon = lambda a: np.where(np.cos(a) > 0.5, np.radians(-3.0), np.radians(30.0))  # noqa: E731
    found = average_visibility(SyntheticSweep(grid, horizon), grid, cycle.sun, None, 720)
    up, ex, ey = map_vectors(grid)
    frame = up[0, 0], ex[0, 0], ey[0, 0]
    mean, any_part, _ = direct_average(frame, body_vectors(cycle.sun, "south"), cycle.sun, horizon)
    assert found["sun_mean"][0, 0, 0] == pytest.approx(mean, abs=5e-4)
    assert found["sun_any"][0, 0, 0] == pytest.approx(any_part, abs=5e-4)
    assert mean - 1.0 / 3.0 < -0.0012  # the share of direction alone is 1/3


def test_flat_ground_at_the_pole_sees_half(cycle):
    grid = Grid(-50.0, 50.0, 100.0, 1, 1)
    found = average_visibility(SyntheticSweep(grid, lambda a: 0.0), grid, cycle.sun, cycle.earth, 36)
    # On level ground at the pole the Sun's latitude alone decides; the parallax takes 0.0007 deg.
    latitude = -cycle.sun.lat_deg - np.degrees(cycle.sun.parallax_rad)
    expected = disc_fraction(latitude / cycle.sun.radius_deg).mean()
    assert found["sun_mean"][0, 0, 0] == pytest.approx(expected, abs=2e-4)
    assert found["sun_any"][0, 0, 0] == pytest.approx((latitude > -cycle.sun.radius_deg).mean(), abs=5e-4)
    assert found["earth_mean"][0, 0, 0] == pytest.approx(0.475, abs=0.02)  # below half: the parallax is 0.26 deg
    assert found["sky_view"][0, 0, 0] == pytest.approx(1.0, abs=1e-6)
    assert found["psr"][0, 0, 0] == 0


@given(degrees=st.floats(-4.0, 60.0), row=st.integers(0, 9))
@settings(max_examples=20, deadline=None)
def test_a_level_horizon_gives_known_sky_and_shadow(year, degrees, row):
    grid = Grid(-304_000.0 + row * 60_800.0, 30_400.0, 60_800.0, 1, 1)
    model = visibility_model(grid, year.sun, None, 36)
    found = accumulate_visibility(SyntheticSweep(grid, lambda a: np.radians(degrees)), grid, model).result()
    assert found["sky_view"][0, 0, 0] == pytest.approx(np.cos(np.radians(max(degrees, 0.0))) ** 2, abs=1e-5)
    assert 0.0 <= found["sun_mean"][0, 0, 0] <= found["sun_any"][0, 0, 0] + 2e-3 <= 1.0 + 2e-3
    # The Sun never climbs above the colatitude plus its highest latitude.
    colatitude = np.degrees(2 * np.arctan(np.hypot(grid.x_m()[0], grid.y_m()[0]) / (2 * 1_737_400.0)))
    if degrees > colatitude + 2.0:
        assert found["psr"][0, 0, 0] == 1
        assert found["sun_any"][0, 0, 0] == 0.0
    if degrees < colatitude - 2.0:
        assert found["psr"][0, 0, 0] == 0


def test_a_wall_towards_the_earth_hides_it_and_only_it(year):
    grid = Grid(-60_000.0, 60_000.0, 30_000.0, 4, 4)
    wall = lambda a: np.radians(40.0 if abs(a - np.pi / 2) < np.radians(25.0) else -10.0)  # noqa: E731
    found = average_visibility(SyntheticSweep(grid, wall), grid, year.sun, year.earth, 360)
    assert (found["earth_any"] == 0.0).all()
    # 50 of 360 degrees of direction are walled; the Jacobian shifts that by some percent.
    assert found["sun_any"] == pytest.approx(1.0 - 50.0 / 360.0, abs=0.012)
    opposite = lambda a: np.radians(40.0 if abs(a - 1.5 * np.pi) < np.radians(25.0) else -30.0)  # noqa: E731
    open_sky = average_visibility(SyntheticSweep(grid, opposite), grid, year.sun, year.earth, 360)
    assert open_sky["earth_mean"] == pytest.approx(1.0, abs=1e-3)


def test_earth_stands_over_longitude_zero_at_both_poles(year):
    for pole, towards in (("south", np.pi / 2), ("north", -np.pi / 2)):
        azimuths = earth_tables(year.earth, pole).azimuths_rad()
        assert np.cos(azimuths - towards).min() > np.cos(np.radians(20.0))
        grid = cap(pole, n=2)
        wall = lambda a, t=towards: np.radians(40.0 if np.cos(a - t) > 0.9 else -10.0)  # noqa: E731
        assert (
            average_visibility(SyntheticSweep(grid, wall), grid, year.sun, year.earth, 36)["earth_any"] == 0.0
        ).all()


@pytest.mark.parametrize("parts", [2, 8])
def test_workers_parts_merge_to_the_same_bits(year, parts):
    grid = cap(n=6)
    sweep = SyntheticSweep(grid, wavy(grid, 3.0, seed=5))
    groups = (np.arange(len(year.sun)) * 3 // len(year.sun)).astype(np.int64)
    model = visibility_model(grid, year.sun, year.earth, 60, groups=groups)
    whole = accumulate_visibility(sweep, grid, model).result()
    shards = [accumulate_visibility(sweep, grid, model, range(k, model.size, parts)) for k in range(parts)]
    total = shards[-1]
    for shard in shards[:-1]:
        total.absorb({name: array.copy() for name, array in shard.state().items()})
    for name, array in total.result().items():
        np.testing.assert_array_equal(array, whole[name], err_msg=name)


def test_groups_average_to_the_whole_and_match_their_own_series(cycle):
    grid = cap(n=4)
    horizon = wavy(grid, 3.0, seed=9)
    month = cycle.times.astype("datetime64[M]").astype(np.int64) % 12
    found = average_visibility(SyntheticSweep(grid, horizon), grid, cycle.sun, None, 180, groups=month)
    assert found["sun_groups"].shape == (1, 12, 4, 4)
    share = np.bincount(month) / month.size
    whole = np.einsum("hgij,g->hij", found["sun_groups"], share)
    # Each group has its own distribution over longitudes, so the weighted mean is not the same sum.
    np.testing.assert_allclose(whole, found["sun_mean"], atol=2e-4)
    july = cycle.sun.where(month == 6)
    up, ex, ey = map_vectors(grid)
    frame = up[1, 2], ex[1, 2], ey[1, 2]
    mean, _, _ = direct_average(frame, body_vectors(july, "south"), july, lambda a: horizon(a, (1, 2)))
    assert found["sun_groups"][0, 6, 1, 2] == pytest.approx(mean, abs=0.004)


def test_unknown_ground_stays_unknown(year):
    grid = cap(n=3)

    def horizon(azimuth):
        elevation = np.zeros(grid.shape)
        elevation[1, 2] = np.nan
        return elevation

    found = average_visibility(SyntheticSweep(grid, horizon), grid, year.sun, year.earth, 36)
    for name, array in found.items():
        unknown = array[0] == 255 if name == "psr" else np.isnan(array[0])
        assert unknown.sum() == 1, name
        assert unknown[1, 2], name


def test_heights_are_independent(year):
    grid = cap(n=3)
    model = visibility_model(grid, year.sun, None, 36)
    low, high = (SyntheticSweep(grid, lambda a, level=level: np.radians(level)) for level in (3.0, -1.0))
    both = Accumulator(grid, model, n_heights=2)
    for index in range(model.size):
        azimuth, _ = model.direction(index)
        both.add(index, np.concatenate([low.horizon(azimuth), high.horizon(azimuth)]))
    found = both.result()
    for height, sweep in enumerate((low, high)):
        alone = accumulate_visibility(sweep, grid, model).result()
        for name in alone:
            np.testing.assert_array_equal(found[name][height], alone[name][0])


def test_an_infinitely_low_horizon_is_open_sky(year):
    grid = cap(n=2)
    model = visibility_model(grid, year.sun, None, 36)
    sums = Accumulator(grid, model)
    for index in range(model.size):
        sums.add(index, np.full((1, 2, 2), -np.inf, dtype=np.float32))
    found = sums.result()
    assert found["sun_mean"] == pytest.approx(1.0, abs=1e-3)
    assert (found["psr"] == 0).all()


def test_incomplete_doubled_or_foreign_parts_are_refused(year):
    grid = cap(n=2)
    model = visibility_model(grid, year.sun, None, 36)
    flat = np.zeros((1, 2, 2), dtype=np.float32)
    sums = Accumulator(grid, model)
    sums.add(0, flat)
    with pytest.raises(ValueError, match="35 of 36 directions are missing"):
        sums.result()
    with pytest.raises(ValueError, match="added before"):
        sums.add(0, flat)
    with pytest.raises(ValueError, match="not in the plan"):
        sums.add(36, flat)
    with pytest.raises(ValueError, match="expected float32"):
        sums.add(1, flat.astype(np.float64))
    with pytest.raises(ValueError, match="expected float32"):
        sums.add(1, flat[0])
    other = Accumulator(grid, model)
    other.add(0, flat)
    with pytest.raises(ValueError, match="in both"):
        sums.merge(other)
    with pytest.raises(ValueError, match="different grids"):
        sums.merge(Accumulator(cap(n=3), model))
    with pytest.raises(ValueError, match="the state holds"):
        sums.absorb({"done": sums.done})
    with pytest.raises(ValueError, match="pole"):
        Accumulator(cap("north", n=2), model)
    with pytest.raises(ValueError, match="n_heights"):
        Accumulator(grid, model, n_heights=0)


def test_bad_tables_are_refused(year):
    empty = year.sun.where(np.zeros(len(year.sun), dtype=bool))
    with pytest.raises(ValueError, match="empty"):
        sun_tables(empty)
    with pytest.raises(ValueError, match="45 deg"):
        earth_tables(year.sun)
    with pytest.raises(ValueError, match="bin_deg"):
        earth_tables(year.earth, bin_deg=0.0)
    with pytest.raises(ValueError, match="one group per epoch"):
        sun_tables_by_group(year.sun, np.zeros(3, dtype=np.int64))
    groups = np.zeros(len(year.sun), dtype=np.int64)
    groups[0] = 2
    with pytest.raises(ValueError, match="group 1"):
        sun_tables_by_group(year.sun, groups)
    with pytest.raises(ValueError, match="at least 8"):
        VisibilityModel(sun_tables(year.sun), None, 4)
    with pytest.raises(ValueError, match="the Earth's for the north"):
        VisibilityModel(sun_tables(year.sun), earth_tables(year.earth, "north"), 36)


def test_tables_conserve_time_and_fall_with_latitude(cycle):
    tables = sun_tables(cycle.sun)
    assert tables.values[:, 0, [0, 2]].mean(axis=0) == pytest.approx([1.0, 1.0], abs=1e-5)
    assert np.abs(tables.values[:, -1]).max() < 1e-6
    assert (np.diff(tables.values[:, :, 0], axis=1) < 1e-6).all()
    assert (tables.values[:, :, 2] >= tables.values[:, :, 0] - 2e-3).all()
    assert 1.7 < tables.highest_deg < 1.9
    earth = earth_tables(cycle.earth)
    assert earth.values[:, :, 0, 0].sum(axis=0) == pytest.approx(1.0, abs=1e-5)


def test_disc_fraction():
    q = np.linspace(-1.5, 1.5, 301)
    assert disc_fraction(np.array([-2.0, -1.0, 0.0, 1.0, 3.0])) == pytest.approx([0, 0, 0.5, 1, 1])
    assert disc_fraction(q) + disc_fraction(-q) == pytest.approx(np.ones(301))
    # A quarter of a disc's diameter below the top: the segment's area is r^2 (pi/3 - sqrt(3)/4).
    assert disc_fraction(np.array([-0.5]))[0] == pytest.approx((np.pi / 3 - np.sqrt(3) / 4) / np.pi)


def test_progress_counts_directions(year):
    grid = cap(n=2)
    seen: list[tuple[int, int]] = []
    model = visibility_model(grid, year.sun, None, 36)
    accumulate_visibility(SyntheticSweep(grid, lambda a: 0.0), grid, model, [3, 7], lambda *done: seen.append(done))
    assert seen == [(1, 2), (2, 2)]


def test_a_track_of_one_epoch_is_counted_whole():
    track = BodyTrack(np.array([33.0]), np.array([-1.2]), np.array([1.5e11]), np.array([0.266]))
    grid = cap(n=2)
    found = average_visibility(SyntheticSweep(grid, lambda a: np.radians(-20.0)), grid, track, None, 36)
    assert found["sun_any"] == pytest.approx(1.0, abs=0.03)


def test_permanent_shadow_does_not_depend_on_the_span(year, cycle):
    grid = cap(n=6)
    sweep = SyntheticSweep(grid, wavy(grid, 2.0, seed=3, highest_deg=9.0))
    short, long = (average_visibility(sweep, grid, span.sun, None, 72) for span in (year, cycle))
    np.testing.assert_allclose(short["psr_margin_deg"], long["psr_margin_deg"], atol=2e-4)


def test_the_number_of_threads_changes_nothing(year):
    grid = cap(n=9)
    sweep = SyntheticSweep(grid, wavy(grid, 3.0, seed=8))
    model = visibility_model(grid, year.sun, year.earth, 36)
    threads = numba.get_num_threads()
    many = accumulate_visibility(sweep, grid, model).state()
    numba.set_num_threads(1)
    try:
        one = accumulate_visibility(sweep, grid, model).state()
    finally:
        numba.set_num_threads(threads)
    for name, array in one.items():
        np.testing.assert_array_equal(array, many[name], err_msg=name)
