"""How long is waited, and how often."""

from __future__ import annotations

import email.utils
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.source.fetch.errors import BrokenError, RefusedError
from lunarsite.source.fetch.patience import LONGEST_BACKOFF_S, Patience, retry_after_s

from .fetching import WALL

MIB = 2**20


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Tue, 02 Jan 2024 00:01:00 GMT", 60.0),
        ("Tuesday, 02-Jan-24 00:01:00 GMT", 60.0),
        ("Mon, 01 Jan 2024 00:00:00 GMT", 0.0),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("Tue, 99 Jan 2024 00:01:00 GMT", None),
    ],
)
def test_retry_after(value: str | None, expected: float | None) -> None:
    assert retry_after_s(value, WALL, 600.0) == expected


@given(st.text(max_size=60) | st.integers().map(str) | st.datetimes().map(email.utils.format_datetime))
def test_retry_after_of_any_server(value: str) -> None:
    try:
        found = retry_after_s(value, WALL, 600.0)
    except RefusedError:
        found = None
    assert found is None or 0.0 <= found <= 600.0


def test_a_wait_beyond_the_limit_is_refused() -> None:
    assert retry_after_s("600", WALL, 600.0) == 600.0
    with pytest.raises(RefusedError, match=r"asks to wait 601 s .*source.fetch.longest_wait_s \(600 s\)"):
        retry_after_s("601", WALL, 600.0)


def test_waits_double_up_to_a_limit() -> None:
    patience, waits = Patience(100, 0), []
    for _ in range(12):
        patience.note(0, None)
        waits.append(patience.wait_s(BrokenError("x"), 600.0))
    for number, wait in enumerate(waits):
        least = min(2.0**number, LONGEST_BACKOFF_S)
        assert least <= wait <= min(least + 1.0, LONGEST_BACKOFF_S)


def test_no_wait_is_longer_than_the_user_allows() -> None:
    patience = Patience(100, 0)
    for _ in range(9):
        patience.note(0, None)
    assert patience.wait_s(BrokenError("x"), 5.0) == 5.0
    assert patience.wait_s(BrokenError("x"), 0.0) == 0.0


def test_a_server_that_names_a_wait_gets_it() -> None:
    patience = Patience(3, 0)
    patience.note(0, None)
    assert 40.0 <= patience.wait_s(BrokenError("x", 40.0), 600.0) <= 41.0


def test_tries_without_progress_are_counted() -> None:
    patience = Patience(3, 5 * MIB)
    for expected in (False, False, True):
        patience.note(5 * MIB, 100 * MIB)
        assert patience.spent is expected


def test_progress_starts_the_count_anew_and_only_new_ground_is_progress() -> None:
    patience = Patience(2, 0)
    patience.note(0, 50 * MIB)
    patience.note(2 * MIB, 50 * MIB)
    assert not patience.spent
    # From zero again up to where it has been: no progress.
    patience.note(2 * MIB, 50 * MIB)
    assert patience.spent


def test_progress_of_a_large_file_is_a_hundredth_of_it() -> None:
    patience = Patience(2, 0)
    patience.note(0, 1_000 * MIB)
    patience.note(9 * MIB, 1_000 * MIB)
    assert patience.spent


def test_a_file_of_unknown_length_makes_no_progress() -> None:
    patience = Patience(2, 0)
    patience.note(10 * MIB, None)
    patience.note(50 * MIB, None)
    assert patience.spent


@given(st.integers(1, 20), st.integers(1, 10**10), st.integers(0, 2**32), st.floats(0.0, 3.0))
def test_tries_are_bounded_whatever_comes(attempts: int, length: int, seed: int, pace: float) -> None:
    patience, tries, done, draws = Patience(attempts, 0), 0, 0.0, random.Random(seed)
    while not patience.spent:
        done = min(done + pace * draws.random() * length / 100.0, length)
        patience.note(round(done), length)
        tries += 1
        assert tries <= 102 * attempts
