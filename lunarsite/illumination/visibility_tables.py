"""How long a body stands above a given latitude: the ephemeris, folded into tables that a horizon is looked up in.

An observer at colatitude c from the pole sees, in direction beta (from outward radial) and at elevation e, the point of
the sky over which stands the latitude b (positive towards the pole) with

    sin b = cos c sin e - sin c cos e cos beta.

With the horizon for e this is the critical latitude: of all the time that the body spends in that direction, it is in
sight while its sub-point lies poleward of b. Time is known by the sub-point's longitude instead, so the average turns
from longitude to direction. Along one direction the line of sight runs over the great circle through observer and
direction; at latitude b it has the longitude (as an angle on the map, like beta)

    mu - asin(tan b tan s),  mu = atan(cos c tan beta) at the equator,  sin s = sin c sin beta the shear,

and the Jacobian of longitude by direction is J - tan b K with J = cos c / (1 - sin(s)^2) and
K = sin c cos beta / (1 - sin(s)^2)^1.5. Hence two tables per definition of "in sight": the share of time with latitude
above b, and the same weighted with tan b. The disc is folded in: for the mean visible fraction with the body's mean
radius and a straight limb, for "any part" with the radius at each epoch.

The Sun's latitude stays within 1.6 deg, so its shear (0.3 deg at most) is left out and 36 longitudes suffice. The
Earth's reaches 7 deg and all its time lies within some 8 deg of longitude, so its tables also run over the shear.

Nothing here knows terrain or horizons.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lunarsite.grid import Pole
    from lunarsite.illumination.ephemeris import BodyTrack

MEAN, MEAN_TAN, ANY, ANY_TAN = range(4)
"""Last axis of the tables: mean disc fraction, the same weighted with tan b, any part, the same weighted with tan b."""


@dataclass(frozen=True)
class SunTables:
    """Share of time with the Sun above a critical latitude, by the direction it stands in.

    Attributes:
        values: (longitudes, n, 4) float32, relative to a Sun that spends its time evenly over all longitudes; the first
            bin starts at map direction 0, n runs over sin b from -sin_limit to sin_limit.
        sin_limit: Half width of the axis of sin b.
        radius_rad: Mean radius of the disc.
        parallax: Mean sine of the horizontal parallax.
        highest_deg: Highest latitude that any part of the disc ever reaches: ground with a higher critical latitude in
            all directions is permanently shadowed.
        pole: Pole of the map.
    """

    values: NDArray[np.float32]
    sin_limit: float
    radius_rad: float
    parallax: float
    highest_deg: float
    pole: Pole

    def towards(self, azimuth_rad: float) -> NDArray[np.float32]:
        """Table (n, 4) for a map direction, interpolated between the two nearest longitudes."""
        count = self.values.shape[0]
        position = (azimuth_rad / (2.0 * np.pi) * count - 0.5) % count
        first = int(position) % count
        fraction = np.float32(position - int(position))
        second = (first + 1) % count
        table: NDArray[np.float32] = (np.float32(1.0) - fraction) * self.values[first] + fraction * self.values[second]
        return table


@dataclass(frozen=True)
class EarthTables:
    """Share of time with the Earth above a critical latitude, by longitude and shear.

    Attributes:
        values: (longitudes, shears, n, 4) float32, share of all time per longitude bin.
        first_rad: Map direction of the first longitude bin's centre.
        bin_rad: Spacing of the longitude bins; azimuths of the sweep are to be spaced alike.
        shear_limit: Shears run from -shear_limit to shear_limit, as tan s.
        sin_limit: Half width of the axis of sin b.
        radius_rad: Mean radius of the disc.
        parallax: Mean sine of the horizontal parallax.
        pole: Pole of the map.
    """

    values: NDArray[np.float32]
    first_rad: float
    bin_rad: float
    shear_limit: float
    sin_limit: float
    radius_rad: float
    parallax: float
    pole: Pole

    def azimuths_rad(self) -> NDArray[np.float64]:
        """Map directions that a sweep must take so that all of the Earth's time is counted, for any pixel allowed."""
        # The direction of sight and the equator crossing mu differ by up to this much at the outermost pixel.
        sine_squared = self.shear_limit**2 / (1.0 + self.shear_limit**2)
        widest = 0.5 * sine_squared / (1.0 + np.sqrt(1.0 - sine_squared) - sine_squared)
        margin = int(np.ceil(widest / self.bin_rad))
        count = self.values.shape[0]
        return self.first_rad + self.bin_rad * np.arange(-margin, count + margin)


def map_direction_rad(lon_deg: NDArray[np.float64], pole: Pole) -> NDArray[np.float64]:
    """Direction on the polar map (from +x towards +y) in which a longitude lies, seen from the pole; -pi..pi."""
    lon = np.radians(lon_deg)
    return np.arctan2(np.cos(lon) if pole == "south" else -np.cos(lon), np.sin(lon))


def poleward_deg(lat_deg: NDArray[np.float64], pole: Pole) -> NDArray[np.float64]:
    """Latitude counted positive towards the map's pole."""
    return -lat_deg if pole == "south" else lat_deg


def disc_fraction(height_in_radii: NDArray[np.float64]) -> NDArray[np.float64]:
    """Visible fraction of a uniform disc whose centre stands ``height_in_radii`` above a straight horizon."""
    q = np.clip(height_in_radii, -1.0, 1.0)
    fraction: NDArray[np.float64] = 0.5 + (q * np.sqrt(1.0 - q * q) + np.arcsin(q)) / np.pi
    return fraction


def sun_tables(
    track: BodyTrack,
    pole: Pole = "south",
    *,
    longitudes: int = 36,
    latitudes: int = 1024,
) -> SunTables:
    """Fold the Sun's track into tables; every epoch has the same weight.

    Args:
        track: The Sun's track, see `lunarsite.illumination.ephemeris`.
        pole: Pole of the map.
        longitudes: Longitude bins over the full circle.
        latitudes: Steps of the axis of sin b.

    Raises:
        ValueError: If the track is empty or the sizes are too small.
    """
    _check_sizes(track, longitudes, latitudes)
    return _fold_sun(_LatitudeAxis.of(track, pole, latitudes), map_direction_rad(track.lon_deg, pole), longitudes, pole)


def sun_tables_by_group(
    track: BodyTrack, groups: NDArray[np.int64], pole: Pole = "south", *, longitudes: int = 36, latitudes: int = 1024
) -> list[SunTables]:
    """One set of Sun tables per group of epochs (the months, say), on a common axis.

    Args:
        track: The Sun's track, n epochs.
        groups: Group of each epoch, 0..m-1, shape (n,); -1 leaves an epoch out.
        pole: Pole of the map.
        longitudes: Longitude bins.
        latitudes: Steps of sin b.

    Raises:
        ValueError: If the shapes differ or a group is empty.
    """
    if groups.shape != track.lat_deg.shape:
        raise ValueError(f"groups has shape {groups.shape}, the track {track.lat_deg.shape}: give one group per epoch")
    _check_sizes(track, longitudes, latitudes)
    axis = _LatitudeAxis.of(track, pole, latitudes)
    direction = map_direction_rad(track.lon_deg, pole)
    tables = []
    for group in range(int(groups.max()) + 1):
        chosen = groups == group
        if not chosen.any():
            raise ValueError(f"group {group} of the Sun's track is empty: number the groups without gaps")
        tables.append(_fold_sun(axis.where(chosen), direction[chosen], longitudes, pole))
    return tables


def _fold_sun(axis: _LatitudeAxis, direction: NDArray[np.float64], longitudes: int, pole: Pole) -> SunTables:
    index = np.floor(direction / (2.0 * np.pi) * longitudes).astype(np.int64) % longitudes
    values = axis.tables(index, longitudes) * (longitudes / direction.size)
    highest = float((axis.latitude_deg + axis.radius_deg).max())
    return SunTables(values.astype(np.float32), axis.sin_limit, axis.radius_rad, axis.parallax, highest, pole)


def earth_tables(
    track: BodyTrack,
    pole: Pole = "south",
    *,
    largest_colatitude_deg: float = 15.0,
    bin_deg: float = 1.0,
    shears: int = 9,
    latitudes: int = 512,
) -> EarthTables:
    """Fold the Earth's track into tables.

    Args:
        track: The Earth's track.
        pole: Pole of the map.
        largest_colatitude_deg: Colatitude of the outermost pixel that will be looked up.
        bin_deg: Width of the longitude bins, and spacing of the sweep's azimuths.
        shears: Steps over the shear; odd, so that no shear is one of them.
        latitudes: Steps of the axis of sin b.

    Raises:
        ValueError: If the track is empty or spread over more than a quarter of the circle, or a size is out of range.
    """
    _check_sizes(track, shears, latitudes)
    if not (0.0 < largest_colatitude_deg < 45.0 and 0.01 <= bin_deg <= 5.0):
        raise ValueError(
            f"largest_colatitude_deg = {largest_colatitude_deg} (0..45), bin_deg = {bin_deg} (0.01..5): out of range"
        )
    axis = _LatitudeAxis.of(track, pole, latitudes)
    centre = float(map_direction_rad(np.zeros(1), pole)[0])
    offset = np.angle(np.exp(1j * (map_direction_rad(track.lon_deg, pole) - centre)))
    if np.abs(offset).max() > np.pi / 4.0:
        raise ValueError("the Earth's track reaches longitudes beyond 45 deg: is it the Sun's?")
    shear_limit = float(np.tan(np.radians(largest_colatitude_deg)))
    shear = np.linspace(-shear_limit, shear_limit, shears)
    crossing = offset + np.arcsin(np.tan(np.radians(axis.latitude_deg)) * shear[:, None])
    bin_rad = float(np.radians(bin_deg))
    half = int(np.ceil(np.abs(crossing).max() / bin_rad)) + 1
    index = np.round(crossing / bin_rad).astype(np.int64) + half
    shares = np.stack([axis.tables(row, 2 * half + 1) for row in index], axis=1) / len(track)
    return EarthTables(
        values=np.ascontiguousarray(shares, dtype=np.float32),
        first_rad=centre - half * bin_rad,
        bin_rad=bin_rad,
        shear_limit=shear_limit,
        sin_limit=axis.sin_limit,
        radius_rad=axis.radius_rad,
        parallax=axis.parallax,
        pole=pole,
    )


def _check_sizes(track: BodyTrack, bins: int, latitudes: int) -> None:
    if len(track) == 0:
        raise ValueError("the track is empty: give at least one epoch")
    if bins < 1 or latitudes < 16:
        raise ValueError(f"{bins} longitude or shear bins, {latitudes} latitudes: at least 1 and 16 are needed")


@dataclass(frozen=True)
class _LatitudeAxis:
    """The axis of sin b, and the track's latitudes on it."""

    sin_limit: float
    count: int
    latitude_deg: NDArray[np.float64]
    radius_deg: NDArray[np.float64]
    radius_rad: float
    parallax: float

    @classmethod
    def of(cls, track: BodyTrack, pole: Pole, count: int) -> _LatitudeAxis:
        parallax = track.parallax_rad
        mean_parallax = float(parallax.mean())
        # The mean parallax is applied to the horizon, where it is exact; here only the epoch's departure from it.
        latitude = poleward_deg(track.lat_deg, pole) - np.degrees(parallax - mean_parallax)
        needed = float(np.sin(np.radians((np.abs(latitude) + track.radius_deg).max()))) * 1.01
        radius_rad = float(np.radians(track.radius_deg.mean()))
        return cls(needed, count, latitude, track.radius_deg, radius_rad, mean_parallax)

    def where(self, chosen: NDArray[np.bool_]) -> _LatitudeAxis:
        """The same axis with a part of the epochs."""
        return replace(self, latitude_deg=self.latitude_deg[chosen], radius_deg=self.radius_deg[chosen])

    def tables(self, index: NDArray[np.int64], bins: int) -> NDArray[np.float64]:
        """Cumulative tables (bins, count, 4): time with the body above each latitude, by the bin of each epoch."""
        tangent = np.tan(np.radians(self.latitude_deg))
        centre = self._position(self.latitude_deg)
        limb = self._position(self.latitude_deg + self.radius_deg)
        disc_seen, limb_seen = self._disc_seen(), self._limb_seen()
        one = np.ones_like(tangent)
        columns = [
            self._histogram(index, bins, weight, position) @ seen
            for position, seen in ((centre, disc_seen), (limb, limb_seen))
            for weight in (one, tangent)
        ]
        return np.stack(columns, axis=-1)

    def _sines(self) -> NDArray[np.float64]:
        return np.linspace(-self.sin_limit, self.sin_limit, self.count)

    def _position(self, latitude_deg: NDArray[np.float64]) -> NDArray[np.float64]:
        sine = np.sin(np.radians(latitude_deg))
        return (sine + self.sin_limit) * ((self.count - 1) / (2.0 * self.sin_limit))

    def _histogram(
        self, index: NDArray[np.int64], bins: int, weight: NDArray[np.float64], position: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Weights by (bin, latitude), each epoch shared linearly between the two nearest latitudes."""
        first = np.clip(np.floor(position).astype(np.int64), 0, self.count - 2)
        fraction = position - first
        cell = index * self.count + first
        size = bins * self.count
        low = np.bincount(cell, weights=weight * (1.0 - fraction), minlength=size)
        high = np.bincount(cell + 1, weights=weight * fraction, minlength=size)
        return np.asarray(low + high).reshape(bins, self.count)

    def _disc_seen(self) -> NDArray[np.float64]:
        """(latitude of the body, critical latitude): visible fraction of the mean disc."""
        latitude = np.arcsin(self._sines())
        return disc_fraction((latitude[:, None] - latitude[None, :]) / self.radius_rad)

    def _limb_seen(self) -> NDArray[np.float64]:
        """(latitude of the upper limb, critical latitude): 1 above, 0 below, half at the same step."""
        index = np.arange(self.count)
        return np.heaviside((index[:, None] - index[None, :]).astype(np.float64), 0.5)
