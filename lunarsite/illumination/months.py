"""Sun and Earth over single places by calendar month: on average over the years, and in the worst and the best year.

What a planner asks of a place is not its average alone. The Moon's year of seasons has 346.6 days (the Sun's return to
the node of its equator), so it drifts through the calendar once in 18.6 years: near the pole any month is summer in one
year and winter in another, and the extremes say what the mean hides. The module must not know files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lunarsite.illumination.points import HorizonProfiles, point_series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lunarsite.illumination.ephemeris import Ephemeris

_BODIES = ("sun", "earth")
COLUMNS = ("place", "month", *(f"{body}_{name}" for body in _BODIES for name in ("mean", "low", "high")))


def whole_months(times: NDArray[np.datetime64], step_hours: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the calendar months (UTC) that a span covers from end to end.

    A month that the span's ends cut is left out: half a month is half a lunar day, which is no month's light.

    Args:
        times: Ascending epochs, evenly spaced, (t,).
        step_hours: Their spacing; each epoch stands for the step that follows it.

    Returns:
        The months as counts since January 1970, (m,), and for each epoch the index of its month or -1, (t,).
    """
    month_of = times.astype("datetime64[M]")
    end = times[-1] + np.timedelta64(round(step_hours * 3.6e6), "ms")
    found = np.unique(month_of)
    whole = found[(found.astype(times.dtype) >= times[0]) & ((found + 1).astype(times.dtype) <= end)]
    index = np.searchsorted(whole, month_of)
    index[index == whole.size] = 0
    inside = np.isin(month_of, whole)
    return whole.astype(np.int64), np.where(inside, index, -1)


def month_frame(names: Sequence[str], profiles: HorizonProfiles, sky: Ephemeris) -> pd.DataFrame:
    """Return the share of time with any part of the Sun and of the Earth in view, by place and calendar month.

    Places are walked one by one, so memory does not grow with their number; a place of 175 000 epochs takes 20 MB.

    Args:
        names: Names of the places, (n,).
        profiles: Their horizons without gaps.
        sky: Where the Sun and the Earth stand over the whole span.

    Returns:
        A row for each place and calendar month that the span holds at least once from end to end: the mean over the
        years, and the least and greatest year's. Rows ascend by place and month.
    """
    months, of_epoch = whole_months(sky.times, sky.step_hours)
    inside = of_epoch >= 0
    counts = np.bincount(of_epoch[inside], minlength=months.size)
    calendar = months % 12 + 1
    rows = []
    for place, name in enumerate(names):
        series = point_series(_single(profiles, place), sky)
        by_body = {}
        for body in _BODIES:
            seen = getattr(series, body).visible_fraction[0] > 0.0
            by_body[body] = np.bincount(of_epoch[inside], seen[inside], minlength=months.size) / np.maximum(counts, 1)
        for month in np.unique(calendar):
            shares = (by_body[body][calendar == month] for body in _BODIES)
            rows.append((name, month, *(value for share in shares for value in _spread(share))))
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.sort_values(["place", "month"], ignore_index=True)


def _single(profiles: HorizonProfiles, place: int) -> HorizonProfiles:
    one = slice(place, place + 1)
    return HorizonProfiles(
        profiles.x_m[one], profiles.y_m[one], profiles.azimuth_rad, profiles.tan_horizon[one], profiles.pole
    )


def _spread(shares: NDArray[np.float64]) -> tuple[float, float, float]:
    return float(shares.mean()), float(shares.min()), float(shares.max())
