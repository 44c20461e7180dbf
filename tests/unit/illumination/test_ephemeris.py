"""The ephemeris against published figures, against SPICE and against the rules of time."""

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lunarsite.illumination import ephemeris as eph


def test_meeus_example_53a():
    # Astronomical Algorithms, 2nd ed., example 53.a: 1992 April 12, 0h TD.
    sun, earth = eph.tracks_at(np.array(["1992-04-12T00:00"], dtype="datetime64[ms]"), time_scale="tdb")
    assert sun.lon_deg[0] == pytest.approx(67.89, abs=0.01)  # given to two decimals
    assert sun.lat_deg[0] == pytest.approx(1.454, abs=0.005)
    # Meeus gives the optical + physical libration as seen from the Earth's centre.
    assert earth.lon_deg[0] == pytest.approx(-1.231, abs=0.005)
    assert earth.lat_deg[0] == pytest.approx(4.175, abs=0.005)


def spice_fixture() -> dict[str, np.ndarray]:
    spec = importlib.util.find_spec("lunarsky")
    assert spec is not None
    assert spec.origin is not None
    with np.load(Path(spec.origin).parent / "tests" / "data" / "spice_fixtures.npz") as data:
        return dict(data)


def test_orientation_agrees_with_spice():
    # Values computed with SPICE, carried by lunarsky for its own tests: rotation matrices J2000 -> MOON_ME.
    fixture = spice_fixture()
    axes = np.eye(3)
    with eph._kernels() as (_, orientation):
        angles = orientation.compute(eph._J2000_JD, fixture["ets"] / 86400.0, derivative=False)
    for k in range(3):
        rows = eph._sub_point(np.repeat(axes[:, k : k + 1], fixture["ets"].size, axis=1), angles, 0.0)
        expected = fixture["j2000_to_me"][:, :, k]
        lon, lat = np.radians(rows[0]), np.radians(rows[1])
        found = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
        assert np.degrees(np.abs(found - expected).max()) < 1e-4


def test_sub_points_agree_with_spice():
    fixture = spice_fixture()
    # J2000 is 2000-01-01 12:00 TDB; labels hold milliseconds, in which nothing here moves by 1e-6 deg.
    j2000 = np.datetime64("2000-01-01T12:00:00", "ms")
    times = j2000 + np.round(fixture["ets"] * 1000).astype("int64").astype("timedelta64[ms]")
    _, earth = eph.tracks_at(times, time_scale="tdb")
    x, y, z = fixture["earth_me"].T  # geometric: aberration is 0.0002 deg
    assert np.abs(earth.lon_deg - np.degrees(np.arctan2(y, x))).max() < 0.0003
    assert np.abs(earth.lat_deg - np.degrees(np.arctan2(z, np.hypot(x, y)))).max() < 0.0001
    assert earth.distance_m == pytest.approx(1000 * np.linalg.norm(fixture["earth_me"], axis=1), rel=1e-7)


def test_utc_and_tdb_differ_by_the_leap_seconds():
    utc = eph.tdb_seconds(np.array(["2020-06-01", "1972-01-01", "2016-12-31T23:59:59"], dtype="datetime64[ms]"))
    tdb = eph.tdb_seconds(np.array(["2020-06-01", "1972-01-01", "2016-12-31T23:59:59"], dtype="datetime64[ms]"), "tdb")
    assert utc - tdb == pytest.approx([69.184, 42.184, 68.184], abs=1e-6)


def test_aberration_moves_the_sun_by_twenty_arc_seconds():
    seconds = np.linspace(0, 3e7, 50)
    with eph._kernels() as (spk, _):
        sun, _ = eph._apparent_directions(spk, seconds)
        days = seconds / 86400.0
        j2000 = eph._J2000_JD
        geometric = spk[0, 10].compute(j2000, days) - spk[0, 3].compute(j2000, days) - spk[3, 301].compute(j2000, days)
    cross = np.linalg.norm(np.cross(sun.T, geometric.T), axis=1)
    angle = np.degrees(cross / np.linalg.norm(sun, axis=0) / np.linalg.norm(geometric, axis=0)) * 3600
    assert angle.min() > 19.0
    assert angle.max() < 22.0


def test_a_cycle_is_fast_and_within_the_known_bounds():
    start = time.process_time()
    cycle = eph.ephemeris("2007-01-01")
    spent = time.process_time() - start
    assert len(cycle.sun) == cycle.times.size == int(18.6 * 365.25 * 24)
    assert spent < 4.0  # 2 s on a quiet core
    assert 1.5 < np.abs(cycle.sun.lat_deg).max() < 1.60
    assert np.abs(cycle.earth.lat_deg).max() < 7.0
    assert np.abs(cycle.earth.lon_deg).max() < 8.3
    assert 0.260 < cycle.sun.radius_deg.min() < cycle.sun.radius_deg.max() < 0.273
    assert 0.88 < cycle.earth.radius_deg.min() < cycle.earth.radius_deg.max() < 1.03
    assert cycle.years == pytest.approx(18.6, abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"start": "2045-01-01"}, "kernel"),
        ({"start": "1890-01-01", "span_years": 1.0, "time_scale": "tdb"}, "kernel"),
        ({"start": "1960-01-01", "span_years": 1.0}, "time_scale='tdb'"),
        ({"span_years": -1.0}, "span_years"),
        ({"step_hours": 0.0}, "step_hours"),
        ({"span_years": 1e-6, "step_hours": 1.0}, "shorter step"),
        ({"time_scale": "gps"}, "time_scale"),
    ],
)
def test_bad_requests_say_what_to_mend(arguments, words):
    with pytest.raises(ValueError, match=words):
        eph.ephemeris(**arguments)


def test_no_times_and_not_a_time():
    with pytest.raises(ValueError, match="NaT"):
        eph.tracks_at(np.array([], dtype="datetime64[ms]"))
    with pytest.raises(ValueError, match="NaT"):
        eph.tracks_at(np.array(["NaT"], dtype="datetime64[ms]"))


def test_heavy_packages_are_not_imported():
    code = (
        "import sys; from lunarsite.illumination.ephemeris import ephemeris; ephemeris(span_years=0.01);"
        "sys.exit(any(name in sys.modules for name in ('astropy', 'lunarsky', 'skyfield_data')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_highest_limb_bounds_every_span():
    for pole, sign in (("south", -1.0), ("north", 1.0)):
        bound = eph.highest_limb_deg(pole)
        assert 1.84 < bound < 1.87
        for start in ("1975-01-01", "2000-01-01", "2023-01-01"):
            track = eph.ephemeris(start, span_years=2.0).sun
            assert (sign * track.lat_deg + track.radius_deg).max() < bound + 2e-4
