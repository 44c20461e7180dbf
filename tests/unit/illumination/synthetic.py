"""A horizon engine without terrain, and the direct hourly average it is compared with."""

from collections.abc import Callable

import numpy as np

from lunarsite.grid import MOON_RADIUS_M, Grid
from lunarsite.illumination.ephemeris import BodyTrack


class SyntheticSweep:
    """Horizons from a function of map direction, the same for every pixel or with one row of parameters each."""

    def __init__(self, grid: Grid, elevation_rad: Callable[[float], np.ndarray]):
        self.shape = (1, *grid.shape)
        self.elevation_rad = elevation_rad

    def horizon(self, azimuth_rad, out=None):
        tangent = np.tan(np.broadcast_to(self.elevation_rad(azimuth_rad), self.shape))
        return tangent.astype(np.float32)


def map_vectors(grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors (rows, cols, 3) of up, map +x and map +y at each pixel, axes: map x, map y, the pole."""
    x, y = np.meshgrid(grid.x_m(), grid.y_m())
    q = (x * x + y * y) / (2 * MOON_RADIUS_M) ** 2
    up = np.stack([x / MOON_RADIUS_M, y / MOON_RADIUS_M, 1 - q], axis=-1) / (1 + q)[..., None]
    # Stereographic maps are conformal: +x and +y are the derivatives of the position, rescaled.
    along = []
    for axis, own in enumerate((x, y)):
        q_slope = 2 * own / (2 * MOON_RADIUS_M) ** 2
        numerator = np.zeros_like(up)
        numerator[..., axis] = 1.0 / MOON_RADIUS_M
        numerator[..., 2] = -q_slope
        derivative = (numerator - up * q_slope[..., None]) / (1 + q)[..., None]
        along.append(derivative / np.linalg.norm(derivative, axis=-1, keepdims=True))
    return up, along[0], along[1]


def body_vectors(track: BodyTrack, pole: str) -> np.ndarray:
    """Unit vectors (n, 3) towards a body in the axes of `map_vectors`."""
    lon, lat = np.radians(track.lon_deg), np.radians(track.lat_deg)
    sign = 1.0 if pole == "south" else -1.0
    return np.stack([np.cos(lat) * np.sin(lon), sign * np.cos(lat) * np.cos(lon), -sign * np.sin(lat)], axis=-1)


def elevation_and_azimuth(frame, vectors, track: BodyTrack) -> tuple[np.ndarray, np.ndarray]:
    """Elevation from the ground (with parallax) and map direction, radians, for one pixel's (up, ex, ey)."""
    up, ex, ey = frame
    sin_e = vectors @ up
    horizontal = np.hypot(vectors @ ex, vectors @ ey)
    elevation = np.arctan2(sin_e - MOON_RADIUS_M / track.distance_m, horizontal)
    return elevation, np.arctan2(vectors @ ey, vectors @ ex)


def direct_average(frame, vectors, track: BodyTrack, elevation_rad) -> tuple[float, float, float]:
    """Mean disc fraction, share of any part, and highest limb above the horizon (deg), epoch by epoch."""
    elevation, azimuth = elevation_and_azimuth(frame, vectors, track)
    radius = np.radians(track.radius_deg)
    q = np.clip((elevation - elevation_rad(azimuth)) / radius, -1, 1)
    limb = elevation + radius - elevation_rad(azimuth)
    disc = 0.5 + (q * np.sqrt(1 - q * q) + np.arcsin(q)) / np.pi
    return disc.mean(), (limb > 0).mean(), np.degrees(limb.max())
