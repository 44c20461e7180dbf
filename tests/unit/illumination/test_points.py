"""Single places: gathered profiles, compass directions and hourly series."""

import numpy as np
import pytest

from lunarsite.grid import Grid, lonlat_to_xy
from lunarsite.illumination.ephemeris import BodyTrack, Ephemeris, ephemeris
from lunarsite.illumination.points import HorizonProfiles, ProfileGatherer, pixels_at, point_series
from lunarsite.illumination.visibility import accumulate_visibility, sweep_plan, visibility_model
from tests.unit.illumination.synthetic import SyntheticSweep


def one_epoch(lon_deg: float, lat_deg: float, distance_m: float = 1e18) -> BodyTrack:
    return BodyTrack(np.array([lon_deg]), np.array([lat_deg]), np.array([distance_m]), np.array([0.25]))


def flat_at(lon_deg: float, lat_deg: float, pole: str) -> HorizonProfiles:
    x, y = lonlat_to_xy([lon_deg], [lat_deg], pole)
    return HorizonProfiles(x, y, np.radians(np.arange(8) * 45.0), np.zeros((1, 8), np.float32), pole)


def series_of(profiles: HorizonProfiles, track: BodyTrack):
    now = np.array(["2030-01-01"], dtype="datetime64[ms]")
    return point_series(profiles, Ephemeris(now, 1.0, "utc", track, track)).sun


@pytest.mark.parametrize(
    ("pole", "place", "body", "elevation", "compass"),
    [
        # North of the place on its own meridian; south of it; a quarter turn east.
        ("south", (30.0, -85.0), (30.0, 0.0), 5.0, 0.0),
        ("south", (30.0, -85.0), (30.0, -87.0), 88.0, 180.0),
        ("south", (-120.0, -80.0), (-30.0, 0.0), 0.0, 90.0),
        ("north", (30.0, 85.0), (30.0, 0.0), 5.0, 180.0),
        ("north", (-120.0, 80.0), (-30.0, 0.0), 0.0, 90.0),
        ("north", (-120.0, 80.0), (150.0, 0.0), 0.0, 270.0),
    ],
)
def test_elevation_and_compass(pole, place, body, elevation, compass):
    found = series_of(flat_at(*place, pole), one_epoch(*body))
    assert found.elevation_deg[0, 0] == pytest.approx(elevation, abs=1e-4)
    assert (found.compass_deg[0, 0] - compass + 180) % 360 - 180 == pytest.approx(0.0, abs=1e-4)


def test_parallax_lowers_the_earth_by_its_horizontal_parallax():
    far, near = (series_of(flat_at(0.0, -89.0, "south"), one_epoch(0.0, 0.0, d)) for d in (1e18, 384_400_000.0))
    lowered = far.elevation_deg[0, 0] - near.elevation_deg[0, 0]
    assert lowered == pytest.approx(np.degrees(np.arcsin(1_737_400 / 384_400_000)), abs=1e-3)


def test_visible_fraction_at_the_limb():
    profiles = flat_at(0.0, -90.0, "south")
    for latitude, fraction in ((0.0, 0.5), (-0.25, 1.0), (0.25, 0.0)):
        assert series_of(profiles, one_epoch(10.0, latitude)).visible_fraction[0, 0] == pytest.approx(
            fraction, abs=1e-3
        )


def small_grid(pole: str = "south") -> Grid:
    return Grid(-40_000.0, 60_000.0, 20_000.0, 5, 4, pole)


def test_gathered_profiles_are_the_sweeps_and_shards_merge():
    span = ephemeris("2030-01-01", span_years=0.2)
    grid = small_grid()
    model = visibility_model(grid, span.sun, span.earth, 90)
    level = np.arange(20.0).reshape(5, 4)
    sweep = SyntheticSweep(grid, lambda a: np.radians(level + 3.0 * np.sin(a)))
    rows, cols = np.array([0, 4, 2]), np.array([3, 0, 2])
    gatherers = [ProfileGatherer(grid, model, rows, cols) for _ in range(2)]
    for part, gatherer in enumerate(gatherers):
        sweep_plan(sweep, model, [gatherer], range(part, model.size, 2))
    with pytest.raises(ValueError, match="directions are missing"):
        gatherers[0].result()
    gatherers[0].merge(gatherers[1])
    profiles = gatherers[0].result()
    # Some of the Earth's directions are the Sun's too.
    assert 90 < profiles.azimuth_rad.size < model.size
    expected = level[rows, cols][:, None] + 3.0 * np.sin(profiles.azimuth_rad)
    assert profiles.elevation_deg() == pytest.approx(expected, abs=1e-4)
    assert profiles.x_m == pytest.approx(grid.x_m()[cols])
    # A profile between its directions.
    assert np.degrees(np.arctan(profiles.towards(0, np.array([-0.01])))) == pytest.approx(3.0 - 0.03, abs=0.01)
    # North is outward on the southern map.
    outward = np.argmin(
        np.abs(np.angle(np.exp(1j * (profiles.azimuth_rad - np.arctan2(profiles.y_m, profiles.x_m)[0]))))
    )
    assert abs((profiles.compass_deg()[0, outward] + 180) % 360 - 180) < 2.1


def test_the_series_average_is_the_sweeps_average():
    span = ephemeris("2030-01-01", span_years=3.0)
    grid = small_grid()
    model = visibility_model(grid, span.sun, span.earth, 180)
    level = np.linspace(-1.0, 2.0, 20).reshape(5, 4)
    sweep = SyntheticSweep(grid, lambda a: np.radians(level + 2.0 * np.sin(a + level) + np.sin(3 * a)))
    average = accumulate_visibility(sweep, grid, model).result()
    rows, cols = np.array([1, 3]), np.array([1, 2])
    gatherer = ProfileGatherer(grid, model, rows, cols)
    sweep_plan(sweep, model, [gatherer])
    series = point_series(gatherer.result(), span)
    for body, values in (("sun", series.sun), ("earth", series.earth)):
        expected = average[f"{body}_mean"][0, rows, cols]
        assert values.visible_fraction.mean(axis=1) == pytest.approx(expected, abs=1.5e-3)
    frame = series.frame(1)
    assert list(frame.columns[:3]) == ["time", "sun_elevation_deg", "sun_compass_deg"]
    assert len(frame) == span.times.size
    assert not frame.isna().any().any()


def test_unknown_horizons_stay_unknown():
    x, y = lonlat_to_xy([0.0], [-89.0], "south")
    unknown = HorizonProfiles(x, y, np.radians(np.arange(8) * 45.0), np.full((1, 8), np.nan, np.float32), "south")
    found = series_of(unknown, one_epoch(0.0, 0.0))
    assert np.isnan(found.visible_fraction).all()
    assert np.isnan(found.above_horizon_deg).all()


def test_pixels_at():
    grid = small_grid()
    x, y = grid.x_m()[3], grid.y_m()[1]
    lon, lat = np.degrees(np.arctan2(x, y)), -90.0 + np.degrees(2 * np.arctan(np.hypot(x, y) / 3_474_800.0))
    rows, cols = pixels_at(grid, lon, lat)
    assert (rows.tolist(), cols.tolist()) == ([1], [3])
    with pytest.raises(ValueError, match="place 1"):
        pixels_at(grid, [lon, 0.0], [lat, -80.0])


def test_bad_profiles_and_pixels_are_refused():
    grid = small_grid()
    span = ephemeris("2030-01-01", span_years=0.1)
    model = visibility_model(grid, span.sun, None, 36)
    with pytest.raises(ValueError, match="outside the grid"):
        ProfileGatherer(grid, model, np.array([5]), np.array([0]))
    with pytest.raises(ValueError, match="same length"):
        ProfileGatherer(grid, model, np.array([1, 2]), np.array([0]))
    one, other = (ProfileGatherer(grid, model, np.array([k]), np.array([k])) for k in (1, 2))
    with pytest.raises(ValueError, match="different pixels"):
        one.merge(other)
    zero = np.zeros(1)
    with pytest.raises(ValueError, match="places, directions"):
        HorizonProfiles(zero, zero, np.linspace(0, 6, 8), np.zeros((1, 7), np.float32), "south")
    with pytest.raises(ValueError, match="ascending"):
        HorizonProfiles(zero, zero, np.linspace(6, 0, 8), np.zeros((1, 8), np.float32), "south")
