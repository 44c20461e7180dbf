"""How long nights last: runs of darkness and light hour by hour, at the best-lit pixel of each cell.

Averages hide what a lander must survive. This takes the horizon profiles of chosen pixels, turns each into the critical
latitude by the Sun's longitude, and walks through the epochs of the ephemeris: dark is an epoch at which no part of the
Sun is in sight. Steps of an hour are needed (two hours are off by 3.5 h rms, six hours by 62 h). A night that is cut
off by the span's end counts with what lies inside. How the profiles came about is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from lunarsite.grid import MOON_RADIUS_M, Cells
from lunarsite.illumination import darkness_kernels as kernels
from lunarsite.illumination.visibility_tables import map_direction_rad, poleward_deg

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from lunarsite.grid import Pole
    from lunarsite.illumination.ephemeris import BodyTrack, Ephemeris
    from lunarsite.illumination.points import HorizonProfiles

_STEPS_PER_CIRCLE = 3600  # 0.1 deg of longitude: a fifth of what the Sun moves in an hour
_CHUNK = 8192  # places at once; progress is told in between

LONG_NIGHTS_H = (24.0, 72.0, 150.0)


@dataclass(frozen=True)
class NightStatistics:
    """Darkness and light of n places; float32, (n,), NaN where unknown or hardly ever lit.

    Attributes:
        lit_fraction: Share of time with any part of the Sun in sight (not masked where hardly ever lit).
        longest_night_h: Longest time without any part of the Sun, hours.
        longest_night_start: When it begins, datetime64[ms], NaT where masked or without any night.
        longest_light_h: Longest time with some of the Sun in sight, hours.
        nights_over_24h: Number of nights longer than 24 h in the whole span.
        nights_over_72h: Longer than 72 h.
        nights_over_150h: Longer than 150 h.
        best_month: First day of the calendar month of the span with most light, datetime64[ms].
        best_month_lit_fraction: Share of that month with light.
        earth_fraction: Share of time with any part of the Earth in sight.
        sun_and_earth_h_per_year: Hours per year with both in sight.
    """

    lit_fraction: NDArray[np.float32]
    longest_night_h: NDArray[np.float32]
    longest_night_start: NDArray[np.datetime64]
    longest_light_h: NDArray[np.float32]
    nights_over_24h: NDArray[np.float32]
    nights_over_72h: NDArray[np.float32]
    nights_over_150h: NDArray[np.float32]
    best_month: NDArray[np.datetime64]
    best_month_lit_fraction: NDArray[np.float32]
    earth_fraction: NDArray[np.float32]
    sun_and_earth_h_per_year: NDArray[np.float32]

    def frame(self) -> pd.DataFrame:
        """As a table, one row per place."""
        import pandas as pd

        return pd.DataFrame({item.name: getattr(self, item.name) for item in fields(self)})


def best_lit_pixels(
    sun_fraction: NDArray[np.float32], cells: Cells
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """The pixel of each kept cell with most light.

    Args:
        sun_fraction: Share of time with light, (rows, cols) on the cells' grid, NaN = unknown.
        cells: The cells.

    Returns:
        Rows and columns of the pixels, (count,) in the order of the cells' ids, and whether the cell has any known
        pixel; where it has none the pixel is the cell's first.

    Raises:
        ValueError: If the array does not lie on the cells' grid.
    """
    if sun_fraction.shape != cells.grid.shape:
        raise ValueError(f"sun_fraction has shape {sun_fraction.shape}, the cells' grid {cells.grid.shape}")
    size = cells.pixels_per_cell
    best = np.zeros((cells.rows, cells.cols), dtype=np.int64)
    known = np.zeros((cells.rows, cells.cols), dtype=np.bool_)
    for row in range(cells.rows):
        strip = sun_fraction[row * size : (row + 1) * size]
        block = np.full((size, cells.cols * size), -np.inf, dtype=np.float32)
        block[: strip.shape[0], : strip.shape[1]] = np.where(np.isnan(strip), -np.inf, strip)
        flat = block.reshape(size, cells.cols, size).transpose(1, 0, 2).reshape(cells.cols, size * size)
        best[row] = flat.argmax(axis=1)
        known[row] = flat.max(axis=1) > -np.inf
    cell_row, cell_col = np.nonzero(cells.kept)
    inside = best[cell_row, cell_col]
    return cell_row * size + inside // size, cell_col * size + inside % size, known[cell_row, cell_col]


def night_statistics(
    profiles: HorizonProfiles, ephemeris: Ephemeris, *, least_lit_fraction: float = 0.05
) -> NightStatistics:
    """Nights and days of places; see `NightStatistics`.

    Args:
        profiles: Horizons of n places; a place with any unknown direction is unknown.
        ephemeris: Epochs, hourly over a precession cycle for figures that stand for all time.
        least_lit_fraction: Places lit for a smaller share of time are masked: their nights last for seasons.

    Raises:
        ValueError: If the step is longer than a day, or the threshold is not a share.
    """
    if ephemeris.step_hours > 24.0:
        raise ValueError(f"step_hours = {ephemeris.step_hours}: nights need steps of a day at most, better an hour")
    if not 0.0 <= least_lit_fraction < 1.0:
        raise ValueError(f"least_lit_fraction = {least_lit_fraction}: give a share, 0 <= share < 1")
    n = len(profiles)
    epochs = ephemeris.times.size
    months, month_starts = _whole_months(ephemeris)
    sun = _Series.of(ephemeris.sun, profiles.pole, whole_circle=True)
    earth = _Series.of(ephemeris.earth, profiles.pole, whole_circle=False)
    limits = np.floor(np.array(LONG_NIGHTS_H) / ephemeris.step_hours + 1e-9).astype(np.int64)
    counts = np.empty((n, 6), dtype=np.int64)
    night_counts = np.empty((n, limits.size), dtype=np.int64)
    best = np.empty((n, 2), dtype=np.int64)
    known = np.asarray(np.logical_not(np.isnan(profiles.tan_horizon).any(axis=1)))
    for first in range(0, n, _CHUNK):
        part = slice(first, first + _CHUNK)
        kernels.nights(
            profiles.x_m[part] / MOON_RADIUS_M,
            profiles.y_m[part] / MOON_RADIUS_M,
            np.cos(profiles.azimuth_rad),
            np.sin(profiles.azimuth_rad),
            np.nan_to_num(profiles.tan_horizon[part], nan=0.0, posinf=np.inf, neginf=-np.inf),
            sun.body,
            sun.limb_deg,
            sun.index,
            earth.body,
            earth.limb_deg,
            earth.index,
            earth.axis,
            month_starts,
            limits,
            counts[part],
            night_counts[part],
            best[part],
        )
    return _statistics(ephemeris, counts, night_counts, best, (months, month_starts), known, least_lit_fraction, epochs)


def _statistics(
    ephemeris: Ephemeris,
    counts: NDArray[np.int64],
    night_counts: NDArray[np.int64],
    best: NDArray[np.int64],
    calendar: tuple[NDArray[np.datetime64], NDArray[np.int64]],
    known: NDArray[np.bool_],
    least_lit_fraction: float,
    epochs: int,
) -> NightStatistics:
    """Counts of epochs, turned into hours, shares and dates, and masked."""
    step = ephemeris.step_hours
    lit = counts[:, 0] / epochs
    shown = known & (lit >= least_lit_fraction)

    def masked(values: NDArray[np.floating], mask: NDArray[np.bool_] = shown) -> NDArray[np.float32]:
        return np.where(mask, values, np.nan).astype(np.float32)

    never = np.datetime64("NaT", "ms")
    start = np.where(
        shown & (counts[:, 2] >= 0), ephemeris.times[np.maximum(counts[:, 2], 0)].astype("datetime64[ms]"), never
    )
    months, month_starts = calendar
    if months.size:
        which = np.maximum(best[:, 0], 0)
        best_month = np.where(shown, months[which].astype("datetime64[ms]"), never)
        best_share = masked(best[:, 1] / np.diff(month_starts)[which])
    else:
        best_month = np.full(lit.size, never)
        best_share = np.full(lit.size, np.nan, dtype=np.float32)
    return NightStatistics(
        lit_fraction=masked(lit, known),
        longest_night_h=masked(counts[:, 1] * step),
        longest_night_start=start,
        longest_light_h=masked(counts[:, 3] * step),
        nights_over_24h=masked(night_counts[:, 0].astype(np.float64)),
        nights_over_72h=masked(night_counts[:, 1].astype(np.float64)),
        nights_over_150h=masked(night_counts[:, 2].astype(np.float64)),
        best_month=best_month,
        best_month_lit_fraction=best_share,
        earth_fraction=masked(counts[:, 4] / epochs, known),
        sun_and_earth_h_per_year=masked(counts[:, 5] * step / ephemeris.years),
    )


def _whole_months(ephemeris: Ephemeris) -> tuple[NDArray[np.datetime64], NDArray[np.int64]]:
    """The calendar months that lie wholly in the span, and the epochs at which they begin and the last one ends."""
    month = ephemeris.times.astype("datetime64[M]")
    starts = np.flatnonzero(np.diff(month.astype(np.int64), prepend=month[0].astype(np.int64) - 1))
    edges = np.append(starts, month.size)
    first_is_whole = ephemeris.times[0] == month[0].astype("datetime64[ms]")
    after = ephemeris.times[-1] + np.timedelta64(round(ephemeris.step_hours * 3_600_000), "ms")
    last_is_whole = after.astype("datetime64[M]") > month[-1]
    edges = edges[(0 if first_is_whole else 1) : (None if last_is_whole else -1)]
    return month[edges[:-1]], edges.astype(np.int64)


@dataclass(frozen=True)
class _Series:
    """A body's track as the kernel reads it."""

    body: NDArray[np.float64]
    limb_deg: NDArray[np.float32]
    index: NDArray[np.uint16]
    axis: NDArray[np.float64]

    @classmethod
    def of(cls, track: BodyTrack, pole: Pole, *, whole_circle: bool) -> _Series:
        direction = map_direction_rad(track.lon_deg, pole)
        step = 2.0 * np.pi / _STEPS_PER_CIRCLE
        first, count = 0.0, _STEPS_PER_CIRCLE
        if not whole_circle:
            centre = float(map_direction_rad(np.zeros(1), pole)[0])
            direction = np.angle(np.exp(1j * (direction - centre)))
            half = int(np.ceil(np.abs(direction).max() / step)) + 1
            first, count = centre - half * step, 2 * half + 1
            direction = direction + half * step
        index = np.round(direction / step).astype(np.int64) % _STEPS_PER_CIRCLE
        parallax = track.parallax_rad
        mean_parallax = float(parallax.mean())
        latitude = poleward_deg(track.lat_deg, pole) - np.degrees(parallax - mean_parallax)
        return cls(
            body=np.array(
                [
                    mean_parallax,
                    np.radians(track.radius_deg.mean()),
                    np.radians(np.abs(latitude).max() + track.radius_deg.max()),
                    _STEPS_PER_CIRCLE,
                ]
            ),
            limb_deg=(latitude + track.radius_deg).astype(np.float32),
            index=index.astype(np.uint16),
            axis=np.array([first, count], dtype=np.float64),
        )
