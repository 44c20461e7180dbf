"""Where the Sun and the Earth stand over the Moon, offline.

Positions come from JPL's DE421 (carried by the package ``skyfield-data``), the Moon's orientation from the binary PCK
that belongs to it (carried by ``lunarsky``); neither package is imported, only its data file is read. Directions are
apparent, as seen from the Moon's centre: light time and stellar aberration are applied. They are given in the
mean-Earth frame, which is the frame of the LOLA maps. The observer's place (parallax, horizon) is not known here.

Time: labels are UTC unless ``time_scale="tdb"``. UTC is turned into TDB by the leap seconds and 32.184 s; the periodic
part of TDB - TT (below 2 ms) is left out. Confusing the two scales would move the sub-solar point by 0.01 deg.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jplephem.pck import PCK
from jplephem.spk import SPK

from lunarsite.grid import MOON_RADIUS_M, Pole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    TimeArray = NDArray[np.datetime64]

TimeScale = Literal["utc", "tdb"]

# The period in which the Moon's node runs once around the ecliptic, and with it the sub-solar latitude's cycle.
PRECESSION_CYCLE_YEARS = 18.6
DAYS_PER_YEAR = 365.25
SUN_RADIUS_M = 695_700_000.0  # IAU 2015 nominal solar radius
EARTH_RADIUS_M = 6_371_000.0  # mean radius
_LIGHT_KM_S = 299_792.458
_J2000_JD = 2_451_545.0
_DAY_S = 86_400.0
_TT_MINUS_TAI_S = 32.184
# Principal axes (DE421) to mean Earth axes, from NAIF's frame kernel moon_080317.tf: arc seconds about z, y, x.
_PA_TO_ME_ARCSEC = (-67.92, -78.56, -0.30)
_CHUNK = 32_768  # epochs at once: the Chebyshev coefficients of more would leave the cache

# TAI - UTC from each date on (IERS Bulletin C). None has been announced after 2017.
_LEAP_SECONDS: tuple[tuple[str, int], ...] = (
    ("1972-01-01", 10),
    ("1972-07-01", 11),
    ("1973-01-01", 12),
    ("1974-01-01", 13),
    ("1975-01-01", 14),
    ("1976-01-01", 15),
    ("1977-01-01", 16),
    ("1978-01-01", 17),
    ("1979-01-01", 18),
    ("1980-01-01", 19),
    ("1981-07-01", 20),
    ("1982-07-01", 21),
    ("1983-07-01", 22),
    ("1985-07-01", 23),
    ("1988-01-01", 24),
    ("1990-01-01", 25),
    ("1991-01-01", 26),
    ("1992-07-01", 27),
    ("1993-07-01", 28),
    ("1994-07-01", 29),
    ("1996-01-01", 30),
    ("1997-07-01", 31),
    ("1999-01-01", 32),
    ("2006-01-01", 33),
    ("2009-01-01", 34),
    ("2012-07-01", 35),
    ("2015-07-01", 36),
    ("2017-01-01", 37),
)


@dataclass(frozen=True)
class BodyTrack:
    """Sub-points of a body on the Moon over time.

    Attributes:
        lon_deg: Longitude of the sub-point, east positive, -180..180, shape (n,).
        lat_deg: Planetocentric latitude of the sub-point, shape (n,).
        distance_m: Distance of the body's centre from the Moon's centre, shape (n,).
        radius_deg: Angular radius of the body's disc, shape (n,).
    """

    lon_deg: FloatArray
    lat_deg: FloatArray
    distance_m: FloatArray
    radius_deg: FloatArray

    def __len__(self) -> int:
        """Number of epochs."""
        return int(self.lon_deg.size)

    @property
    def parallax_rad(self) -> FloatArray:
        """Sine of the body's horizontal parallax: the Moon's radius over the distance."""
        return MOON_RADIUS_M / self.distance_m

    def where(self, mask: NDArray[np.bool_]) -> BodyTrack:
        """Only the epochs at which ``mask`` (n,) holds."""
        return BodyTrack(self.lon_deg[mask], self.lat_deg[mask], self.distance_m[mask], self.radius_deg[mask])


@dataclass(frozen=True)
class Ephemeris:
    """Sub-solar and sub-Earth points at evenly spaced epochs.

    Attributes:
        times: Labels in ``time_scale``, datetime64[ms], shape (n,).
        step_hours: Spacing of the labels.
        time_scale: "utc" or "tdb".
        sun: The Sun's track.
        earth: The Earth's track.
    """

    times: TimeArray
    step_hours: float
    time_scale: TimeScale
    sun: BodyTrack
    earth: BodyTrack

    @property
    def years(self) -> float:
        """Length of the span in Julian years."""
        return self.times.size * self.step_hours / 24.0 / DAYS_PER_YEAR


def time_labels(start: str | np.datetime64, span_years: float, step_hours: float) -> TimeArray:
    """Evenly spaced time labels, datetime64[ms]; the end of the span is not included.

    Raises:
        ValueError: If the span or the step is not positive and finite, or the span is shorter than a step.
    """
    for name, value in (("span_years", span_years), ("step_hours", step_hours)):
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} = {value}: give a positive number")
    step_ms = round(step_hours * 3_600_000.0)
    count = int(np.floor(span_years * DAYS_PER_YEAR * 86_400_000.0 / max(step_ms, 1) + 1e-9))
    if step_ms < 1 or count < 1:
        raise ValueError(
            f"step_hours = {step_hours} does not fit into span_years = {span_years}: choose a shorter step"
        )
    offsets = (np.arange(count, dtype=np.int64) * step_ms).astype("timedelta64[ms]")
    times: TimeArray = np.asarray(start, dtype="datetime64[ms]") + offsets
    return times


def ephemeris(
    start: str | np.datetime64 = "2026-01-01",
    span_years: float = PRECESSION_CYCLE_YEARS,
    step_hours: float = 1.0,
    *,
    time_scale: TimeScale = "utc",
) -> Ephemeris:
    """Sub-solar and sub-Earth points over a span; by default hourly over one precession cycle.

    Args:
        start: First epoch, ISO 8601 without zone, in ``time_scale``.
        span_years: Length in Julian years.
        step_hours: Spacing in hours.
        time_scale: "utc" or "tdb"; UTC exists with leap seconds from 1972 on.

    Raises:
        ValueError: If the span leaves the kernels (1900..2050), or UTC is asked for before 1972.
    """
    times = time_labels(start, span_years, step_hours)
    sun, earth = tracks_at(times, time_scale=time_scale)
    return Ephemeris(times=times, step_hours=step_hours, time_scale=time_scale, sun=sun, earth=earth)


def tracks_at(times: TimeArray, *, time_scale: TimeScale = "utc") -> tuple[BodyTrack, BodyTrack]:
    """Tracks of the Sun and of the Earth at any epochs, shape (n,); see `ephemeris`."""
    seconds = tdb_seconds(times, time_scale)
    sun = np.empty((4, seconds.size))
    earth = np.empty((4, seconds.size))
    with _kernels() as (spk, orientation):
        _check_span(times, seconds, orientation)
        for first in range(0, seconds.size, _CHUNK):
            part = slice(first, first + _CHUNK)
            sun_icrf, earth_icrf = _apparent_directions(spk, seconds[part])
            angles = orientation.compute(_J2000_JD, seconds[part] / _DAY_S, derivative=False)
            sun[:, part] = _sub_point(sun_icrf, angles, SUN_RADIUS_M)
            earth[:, part] = _sub_point(earth_icrf, angles, EARTH_RADIUS_M)
    return BodyTrack(*sun), BodyTrack(*earth)


@functools.cache
def highest_limb_deg(pole: Pole) -> float:
    """Highest latitude towards a pole over which any part of the Sun's disc stands, 1972..2049, in degrees.

    Ground that is shadowed up to here is shadowed in any span. Sampled every six hours, in which the latitude moves by
    0.007 deg at most and near its extremes by less than 1e-4.
    """
    track = ephemeris("1972-01-01", span_years=77.9, step_hours=6.0).sun
    latitude = track.lat_deg if pole == "north" else -track.lat_deg
    return float((latitude + track.radius_deg - np.degrees(track.parallax_rad - track.parallax_rad.mean())).max())


def tdb_seconds(times: TimeArray, time_scale: TimeScale = "utc") -> FloatArray:
    """Seconds of TDB since J2000 (2000-01-01 12:00 TDB) of time labels, shape (n,).

    Raises:
        ValueError: If a label is not a time, or lies before 1972 in UTC, or the scale is unknown.
    """
    labels = np.atleast_1d(np.asarray(times, dtype="datetime64[ms]"))
    if labels.size == 0 or np.isnat(labels).any():
        raise ValueError("times: give at least one epoch, and no NaT")
    seconds: FloatArray = (labels - np.datetime64("2000-01-01T12:00:00", "ms")) / np.timedelta64(1, "s")
    if time_scale == "tdb":
        return seconds
    if time_scale != "utc":
        raise ValueError(f"time_scale = {time_scale!r}: give 'utc' or 'tdb'")
    steps = np.array([date for date, _ in _LEAP_SECONDS], dtype="datetime64[ms]")
    index = np.searchsorted(steps, labels, side="right") - 1
    if index.min() < 0:
        raise ValueError(f"{labels.min()} UTC lies before leap seconds (1972): give the times with time_scale='tdb'")
    tai_minus_utc = np.array([seconds_ for _, seconds_ in _LEAP_SECONDS], dtype=np.float64)
    return seconds + tai_minus_utc[index] + _TT_MINUS_TAI_S


def _data_file(package: str, relative: str) -> Path:
    """A data file of an installed package, found without importing the package."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"the package {package!r} is not installed: it carries {relative}")
    path = Path(spec.origin).parent / relative
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: reinstall {package!r}")
    return path


@contextlib.contextmanager
def _kernels() -> Iterator[tuple[Any, Any]]:
    """The SPK and the orientation segment (jplephem carries no types), closed at the end."""
    with (
        contextlib.closing(SPK.open(str(_data_file("skyfield_data", "data/de421.bsp")))) as spk,
        contextlib.closing(PCK.open(str(_data_file("lunarsky", "data/pck/moon_pa_de421_1900-2050.bpc")))) as pck,
    ):
        yield spk, pck.segments[0]


def _check_span(times: TimeArray, seconds: FloatArray, orientation: Any) -> None:
    first, last = orientation.initial_second, orientation.final_second
    if seconds.min() < first or seconds.max() > last:
        asked = f"{np.min(times)} .. {np.max(times)}"
        raise ValueError(
            f"span {asked} leaves the lunar orientation kernel (1900-01-01 .. 2050-01-01 TDB): shift the start"
        )


def _apparent_directions(spk: Any, seconds: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Apparent vectors (3, n) in km from the Moon's centre to the Sun and the Earth, ICRF axes."""
    days = seconds / _DAY_S
    earth_moon, earth_moon_v = spk[0, 3].compute_and_differentiate(_J2000_JD, days)
    moon, moon_v = spk[3, 301].compute_and_differentiate(_J2000_JD, days)
    earth, earth_v = spk[3, 399].compute_and_differentiate(_J2000_JD, days)
    sun, sun_v = spk[0, 10].compute_and_differentiate(_J2000_JD, days)
    observer, observer_v = earth_moon + moon, (earth_moon_v + moon_v) / _DAY_S
    return (
        _apparent(sun - observer, sun_v / _DAY_S, observer_v),
        _apparent(earth - moon, (earth_moon_v + earth_v) / _DAY_S, observer_v),
    )


def _apparent(vector: FloatArray, target_v: FloatArray, observer_v: FloatArray) -> FloatArray:
    """Light time (one step: the bodies move by less than 1e-4 of it) and stellar aberration, first order in v/c.

    The length stays the geometric distance: parallax and disc belong to the observer's own frame.
    """
    distance = np.linalg.norm(vector, axis=0)
    retarded = vector - target_v * (distance / _LIGHT_KM_S)
    direction = retarded / np.linalg.norm(retarded, axis=0) + observer_v / _LIGHT_KM_S
    apparent: FloatArray = direction * (distance / np.linalg.norm(direction, axis=0))
    return apparent


def _sub_point(vector_km: FloatArray, euler_rad: FloatArray, radius_m: float) -> FloatArray:
    """Rows: longitude deg, latitude deg, distance m, disc radius deg, from ICRF vectors and Euler angles (3, n)."""
    phi, theta, psi = euler_rad
    x, y, z = vector_km
    x, y = _turn(x, y, phi)
    y, z = _turn(y, z, theta)
    x, y = _turn(x, y, psi)
    about_z, about_y, about_x = (np.radians(angle / 3600.0) for angle in _PA_TO_ME_ARCSEC)
    x, y = _turn(x, y, about_z)
    z, x = _turn(z, x, about_y)
    y, z = _turn(y, z, about_x)
    distance_m = 1000.0 * np.sqrt(x * x + y * y + z * z)
    return np.stack(
        [
            np.degrees(np.arctan2(y, x)),
            np.degrees(np.arctan2(z, np.hypot(x, y))),
            distance_m,
            np.degrees(np.arcsin(radius_m / distance_m)),
        ]
    )


def _turn(first: FloatArray, second: FloatArray, angle_rad: FloatArray | float) -> tuple[FloatArray, FloatArray]:
    """Components after the axes turn by ``angle_rad`` in their plane: R3 for (x, y), R1 for (y, z), R2 for (z, x)."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return first * cos + second * sin, second * cos - first * sin
