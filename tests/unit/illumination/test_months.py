"""Light of single places by calendar month."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.illumination.ephemeris import BodyTrack, Ephemeris
from lunarsite.illumination.months import COLUMNS, month_frame, whole_months
from lunarsite.illumination.points import HorizonProfiles


def hours(start: str, end: str, step_h: int = 6) -> np.ndarray:
    return np.arange(np.datetime64(start, "ms"), np.datetime64(end, "ms"), np.timedelta64(step_h * 3_600_000, "ms"))


def track(latitude_deg: np.ndarray) -> BodyTrack:
    """A body of no size, infinitely far, over longitude 0."""
    size = latitude_deg.size
    return BodyTrack(np.zeros(size), latitude_deg, np.full(size, 1e18), np.full(size, 1e-6))


def flat(count: int) -> HorizonProfiles:
    """Places at the south pole that see down to the level plane."""
    at = np.zeros(count)
    return HorizonProfiles(at, at, np.radians(np.arange(8) * 45.0), np.zeros((count, 8), np.float32), "south")


def sky(times: np.ndarray, sun_up: np.ndarray, earth_up: np.ndarray) -> Ephemeris:
    """Bodies that stand 1 degree above the south pole's plane where they are up, and as far below where not."""
    latitudes = (np.where(up, -1.0, 1.0) for up in (sun_up, earth_up))
    return Ephemeris(times, 6.0, "utc", *(track(latitude) for latitude in latitudes))


def test_mean_worst_and_best_year() -> None:
    times = hours("2025-01-01", "2028-01-01")
    year, month = times.astype("datetime64[Y]"), times.astype("datetime64[M]").astype(int) % 12 + 1
    # The Sun is up all of March of 2025, half of March of 2026 and never in March of 2027; otherwise always.
    march, day = month == 3, (times - times.astype("datetime64[M]")).astype("timedelta64[D]").astype(int)
    sun = ~march | (year == np.datetime64("2025")) | ((year == np.datetime64("2026")) & (day * 2 < 31))
    found = month_frame(["b", "a"], flat(2), sky(times, sun, month == 7))
    assert list(found.columns) == list(COLUMNS)
    assert found["place"].tolist() == ["a"] * 12 + ["b"] * 12
    assert found["month"].tolist() == [*range(1, 13)] * 2
    third = found.iloc[2]
    assert third["sun_high"] == 1.0
    assert third["sun_low"] == 0.0
    assert third["sun_mean"] == pytest.approx((1.0 + 16.0 / 31.0 + 0.0) / 3.0)
    others = found[found["month"] != 3]
    assert (others[["sun_mean", "sun_low", "sun_high"]] == 1.0).all(axis=None)
    assert (found["earth_mean"] == (found["month"] == 7)).all()


def test_months_that_the_span_cuts_are_left_out() -> None:
    times = hours("2025-01-15", "2025-04-10")
    months, index = whole_months(times, 6.0)
    assert (months % 12 + 1).tolist() == [2, 3]
    assert (index >= 0).sum() == (28 + 31) * 4
    found = month_frame(["a"], flat(1), sky(times, np.ones(times.size, bool), np.ones(times.size, bool)))
    assert found["month"].tolist() == [2, 3]


def test_a_span_without_a_whole_month_gives_no_rows() -> None:
    times = hours("2025-01-02", "2025-01-31")
    found = month_frame(["a"], flat(1), sky(times, np.ones(times.size, bool), np.ones(times.size, bool)))
    assert found.empty
    assert list(found.columns) == list(COLUMNS)


@given(first=st.integers(0, 400), days=st.integers(1, 500), step_h=st.sampled_from([1, 6, 24]))
def test_whole_months_hold_all_their_epochs(first: int, days: int, step_h: int) -> None:
    start = np.datetime64("2024-01-01", "D") + first
    times = hours(str(start), str(start + days), step_h)
    months, index = whole_months(times, float(step_h))
    for place, month in enumerate(months):
        begin = np.datetime64(int(month), "M")
        length = ((begin + 1).astype("datetime64[D]") - begin.astype("datetime64[D]")).astype(int)
        assert (index == place).sum() == length * 24 // step_h
    assert months.size <= days // 28
