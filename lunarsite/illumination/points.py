"""Single places: their horizon profiles, and the Sun and the Earth over them hour by hour.

Profiles are picked out of the same sweeps that make the averages. The series knows the exact geometry (the pixel's
centre on the sphere, parallax, a disc cut by a straight limb) and takes the horizon as linear between its directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lunarsite.grid import MOON_RADIUS_M, Grid, lonlat_to_xy, xy_to_lonlat
from lunarsite.illumination.visibility_tables import disc_fraction, map_direction_rad

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from lunarsite.grid import Pole
    from lunarsite.illumination.ephemeris import BodyTrack, Ephemeris
    from lunarsite.illumination.visibility_sums import VisibilityModel

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HorizonProfiles:
    """Horizons of n places in m directions.

    Attributes:
        x_m: Map x of the places, (n,).
        y_m: Map y, (n,).
        azimuth_rad: Map directions, ascending within 0..2 pi, (m,).
        tan_horizon: Tangent of the horizon's elevation, (n, m) float32, NaN = unknown.
        pole: Pole of the map.
    """

    x_m: Floats
    y_m: Floats
    azimuth_rad: Floats
    tan_horizon: NDArray[np.float32]
    pole: Pole

    def __post_init__(self) -> None:
        expected = (self.x_m.size, self.azimuth_rad.size)
        if self.tan_horizon.shape != expected or self.y_m.shape != self.x_m.shape:
            raise ValueError(
                f"tan_horizon has shape {self.tan_horizon.shape}, expected (places, directions) {expected}"
            )
        azimuth = self.azimuth_rad
        if azimuth.size < 4 or (np.diff(azimuth) <= 0).any() or azimuth[0] < 0 or azimuth[-1] >= 2.0 * np.pi:
            raise ValueError("azimuth_rad: give at least 4 directions, ascending within 0..2 pi")

    def __len__(self) -> int:
        """Number of places."""
        return int(self.x_m.size)

    def lonlat_deg(self) -> tuple[Floats, Floats]:
        """Longitude and latitude of the places."""
        return xy_to_lonlat(self.x_m, self.y_m, self.pole)

    def elevation_deg(self) -> NDArray[np.float32]:
        """Elevation of the horizon, (n, m)."""
        return np.degrees(np.arctan(self.tan_horizon))

    def compass_deg(self) -> Floats:
        """Directions clockwise from local north, (n, m), 0..360."""
        return _compass_deg(self.azimuth_rad[None, :], self.x_m[:, None], self.y_m[:, None], self.pole)

    def towards(self, index: int, azimuth_rad: Floats) -> Floats:
        """Tangent of the horizon of one place in any directions, linear between the known ones."""
        period = 2.0 * np.pi
        tangent: Floats = np.interp(azimuth_rad % period, self.azimuth_rad, self.tan_horizon[index], period=period)
        return tangent


class ProfileGatherer:
    """Picks the horizons of chosen pixels out of the sweeps of a plan.

    Args:
        grid: The pixels of the sweep.
        model: The plan of directions.
        rows: Rows of the chosen pixels, (n,).
        cols: Their columns, (n,).
        height: Which of the observer's heights.

    Raises:
        ValueError: If a pixel lies outside the grid.
    """

    def __init__(
        self,
        grid: Grid,
        model: VisibilityModel,
        rows: NDArray[np.int64],
        cols: NDArray[np.int64],
        height: int = 0,
    ) -> None:
        if rows.shape != cols.shape or rows.ndim != 1:
            raise ValueError(f"rows {rows.shape} and cols {cols.shape}: give two lists of the same length")
        outside = (rows < 0) | (rows >= grid.rows) | (cols < 0) | (cols >= grid.cols)
        if outside.any():
            first = int(np.flatnonzero(outside)[0])
            raise ValueError(f"pixel ({rows[first]}, {cols[first]}) lies outside the grid of {grid.shape}")
        self._grid, self._model, self._height = grid, model, height
        self._rows, self._cols = rows, cols
        self.tan_horizon = np.empty((model.size, rows.size), dtype=np.float32)
        self.done = np.zeros(model.size, dtype=np.bool_)

    def add(self, index: int, tan_horizon: NDArray[np.float32]) -> None:
        """Take the chosen pixels' horizons out of one direction's (heights, rows, cols)."""
        self._model.direction(index)
        self.tan_horizon[index] = tan_horizon[self._height, self._rows, self._cols]
        self.done[index] = True

    def merge(self, other: ProfileGatherer) -> None:
        """Take over the directions that another worker gathered for the same pixels."""
        if not (np.array_equal(other._rows, self._rows) and np.array_equal(other._cols, self._cols)):
            raise ValueError("gatherers of different pixels cannot be merged")
        self.tan_horizon[other.done] = other.tan_horizon[other.done]
        self.done |= other.done

    def result(self) -> HorizonProfiles:
        """The profiles, directions sorted; two directions of the plan that coincide count once.

        Raises:
            ValueError: If directions of the plan are missing.
        """
        if not self.done.all():
            missing = np.flatnonzero(~self.done)
            raise ValueError(f"{missing.size} of {self.done.size} directions are missing, first {missing[:5].tolist()}")
        azimuth = np.array([self._model.direction(k)[0] for k in range(self._model.size)]) % (2.0 * np.pi)
        _, order = np.unique(np.round(azimuth, 9), return_index=True)
        return HorizonProfiles(
            x_m=self._grid.x_m()[self._cols],
            y_m=self._grid.y_m()[self._rows],
            azimuth_rad=azimuth[order],
            tan_horizon=np.ascontiguousarray(self.tan_horizon[order].T),
            pole=self._grid.pole,
        )


def pixels_at(grid: Grid, lon_deg: ArrayLike, lat_deg: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the pixels that hold the places.

    Raises:
        ValueError: If a place lies outside the grid.
    """
    x, y = lonlat_to_xy(np.atleast_1d(lon_deg), np.atleast_1d(lat_deg), grid.pole)
    rows, cols = grid.index(x, y)
    outside = ~grid.contains(x, y)
    if outside.any():
        first = int(np.flatnonzero(outside)[0])
        place = f"{np.atleast_1d(lon_deg)[first]} E, {np.atleast_1d(lat_deg)[first]} N"
        raise ValueError(f"place {first} ({place}) lies outside the grid {grid.bounds_m}")
    return rows, cols


@dataclass(frozen=True)
class BodySeries:
    """A body over n places at t epochs.

    Attributes:
        elevation_deg: Elevation of the disc's centre above the local horizontal plane, (n, t) float32.
        compass_deg: Direction clockwise from local north, (n, t) float32.
        above_horizon_deg: Elevation of the centre above the horizon in that direction, (n, t) float32, NaN = unknown.
        visible_fraction: Visible fraction of the disc, 0..1, (n, t) float32, NaN = unknown.
    """

    elevation_deg: NDArray[np.float32]
    compass_deg: NDArray[np.float32]
    above_horizon_deg: NDArray[np.float32]
    visible_fraction: NDArray[np.float32]


@dataclass(frozen=True)
class PointSeries:
    """The Sun and the Earth over n places; see `BodySeries`."""

    times: NDArray[np.datetime64]
    sun: BodySeries
    earth: BodySeries

    def frame(self, index: int) -> pd.DataFrame:
        """The series of one place as a table, one row per epoch."""
        import pandas as pd

        columns: dict[str, NDArray[np.generic]] = {"time": self.times}
        for name, body in (("sun", self.sun), ("earth", self.earth)):
            for quantity in ("elevation_deg", "compass_deg", "above_horizon_deg", "visible_fraction"):
                columns[f"{name}_{quantity}"] = getattr(body, quantity)[index]
        return pd.DataFrame(columns)


def point_series(profiles: HorizonProfiles, ephemeris: Ephemeris) -> PointSeries:
    """Elevations of the Sun and the Earth above the horizons of places, epoch by epoch.

    Memory is 32 bytes per place and epoch; a precession cycle of hours is 5 MB per place.
    """
    return PointSeries(
        times=ephemeris.times,
        sun=_body_series(profiles, ephemeris.sun),
        earth=_body_series(profiles, ephemeris.earth),
    )


def _body_series(profiles: HorizonProfiles, track: BodyTrack) -> BodySeries:
    vectors = body_vectors(track, profiles.pole)
    arrays = [np.empty((len(profiles), len(track)), dtype=np.float32) for _ in range(4)]
    for index in range(len(profiles)):
        x, y = float(profiles.x_m[index]), float(profiles.y_m[index])
        elevation, azimuth = topocentric(x, y, vectors, track.parallax_rad)
        above = np.degrees(elevation - np.arctan(profiles.towards(index, azimuth)))
        arrays[0][index] = np.degrees(elevation)
        arrays[1][index] = _compass_deg(azimuth, x, y, profiles.pole)
        arrays[2][index] = above
        arrays[3][index] = disc_fraction(above / track.radius_deg)
    return BodySeries(*arrays)


def body_vectors(track: BodyTrack, pole: Pole) -> Floats:
    """Unit vectors (3, t) towards a body; axes: map x, map y, the map's pole."""
    direction = map_direction_rad(track.lon_deg, pole)
    latitude = np.radians(track.lat_deg if pole == "north" else -track.lat_deg)
    level = np.cos(latitude)
    return np.stack([level * np.cos(direction), level * np.sin(direction), np.sin(latitude)])


def topocentric(x_m: float, y_m: float, vectors: Floats, parallax_rad: Floats | float) -> tuple[Floats, Floats]:
    """Elevation and map direction (radians, (t,)) of a body seen from a place on the map.

    Args:
        x_m: Map x of the place.
        y_m: Map y.
        vectors: Unit vectors from the Moon's centre, (3, t), see `body_vectors`.
        parallax_rad: Sine of the horizontal parallax.
    """
    u, v = x_m / (2.0 * MOON_RADIUS_M), y_m / (2.0 * MOON_RADIUS_M)
    q = u * u + v * v
    up = np.array([2.0 * u, 2.0 * v, 1.0 - q]) / (1.0 + q)
    # The derivatives of `up` along map x and y, which the conformal map keeps at right angles and of equal length.
    along_x = np.array([1.0 - u * u + v * v, -2.0 * u * v, -2.0 * u]) / (1.0 + q)
    along_y = np.array([-2.0 * u * v, 1.0 + u * u - v * v, -2.0 * v]) / (1.0 + q)
    east, north = along_x @ vectors, along_y @ vectors
    elevation = np.arctan2(up @ vectors - parallax_rad, np.hypot(east, north))
    return elevation, np.arctan2(north, east)


def _compass_deg(azimuth_rad: Floats, x_m: ArrayLike, y_m: ArrayLike, pole: Pole) -> Floats:
    """Map directions as degrees clockwise from local north, 0..360; north is outward on the southern map."""
    from_outward = azimuth_rad - np.arctan2(np.asarray(y_m), np.asarray(x_m))
    turned = -from_outward if pole == "south" else np.pi - from_outward
    compass: Floats = np.degrees(turned) % 360.0
    return compass
