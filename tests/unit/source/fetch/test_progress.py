"""Lines of progress: amounts, rates and times left."""

from __future__ import annotations

import threading

import pytest

from lunarsite.source.fetch.errors import amount, shown
from lunarsite.source.fetch.progress import Progress, duration

MIB = 2**20


class Time:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_rate_counts_what_was_received_and_not_what_was_there() -> None:
    clock, lines = Time(), list[str]()
    progress = Progress("moon", lines.append, clock)
    one, two = progress.file("one", 100 * MIB), progress.file("two", 100 * MIB)
    one.begin(50 * MIB, 100 * MIB)
    for _ in range(11):
        two.advance(2 * MIB)
        clock.now_s += 1.0
    assert lines == [
        "moon: 62 MiB of 200 MiB (31 %), 2.4 MiB/s, 58 s left",
        "moon: 72 MiB of 200 MiB (36 %), 2.2 MiB/s, 58 s left",
    ]


def test_rate_is_that_of_the_last_minute() -> None:
    clock = Time()
    progress = Progress("moon", lambda line: None, clock)
    bar = progress.file("one", None)
    bar.advance(500 * MIB)
    clock.now_s += 100.0
    bar.advance(0)
    clock.now_s += 10.0
    bar.advance(10 * MIB)
    assert progress.line() == "moon: 510 MiB, 1 MiB/s"


def test_a_file_that_begins_anew_is_not_counted_twice() -> None:
    progress = Progress("moon", lambda line: None, Time())
    bar = progress.file("one", 10 * MIB)
    bar.advance(5 * MIB)
    bar.begin(0, 10 * MIB)
    assert progress.line() == "moon: 0 bytes of 10 MiB (0 %)"


def test_threads_share_it() -> None:
    progress = Progress("moon", lambda line: None)
    bars = [progress.file(str(n), 1_000) for n in range(8)]
    threads = [threading.Thread(target=lambda bar=bar: [bar.advance(1) for _ in range(1_000)]) for bar in bars]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert progress.line().startswith("moon: 7.81 KiB of 7.81 KiB (100 %)")


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1536, "1.5 KiB"),
        (2**30, "1 GiB"),
        (1023 * 2**20, "0.999 GiB"),
        (2**53, "8.19e+03 TiB"),
    ],
)
def test_amounts(n_bytes: int, text: str) -> None:
    assert amount(n_bytes) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.0, "0 s"), (99.0, "99 s"), (720.0, "12 min"), (12_600.0, "3.5 h")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_addresses_are_shown_without_secrets() -> None:
    assert shown("https://me:word@host:8080/a/b?sign=x#y") == "https://host:8080/a/b"


def test_memory_does_not_grow_with_the_number_of_pieces() -> None:
    clock = Time()
    progress = Progress("moon", lambda line: None, clock)
    bar = progress.file("one", None)
    for _ in range(50_000):
        bar.advance(1_000)
        clock.now_s += 0.002
    assert len(progress._received) <= 60 / 0.25 + 2
    assert progress.line().endswith(", 488 KiB/s")
