"""The peak of memory that a stage's log tells: its own, whoever started it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lunarsite.command import high_water_kib, peak_memory_mib

PARENT = """
import subprocess, sys
held = bytearray(b"x") * (400 * 2**20)
child = (
    "import resource\\n"
    "from lunarsite.command import peak_memory_mib\\n"
    "print(peak_memory_mib(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
)
print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True).stdout)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's high-water mark is Linux's")
def test_the_peak_is_not_that_of_the_process_that_started_this_one() -> None:
    done = subprocess.run([sys.executable, "-c", PARENT], capture_output=True, text=True, check=True)
    own_mib, by_getrusage_mib = (float(word) for word in done.stdout.split())
    assert 5.0 < own_mib < 300.0
    assert by_getrusage_mib >= own_mib - 1.0


def test_the_peak_stays_when_memory_is_given_back() -> None:
    held = bytearray(b"x") * (64 * 2**20)
    before = peak_memory_mib()
    assert before > len(held) / 2**20
    del held
    # The kernel adds up its counters of each thread a little late.
    assert peak_memory_mib() >= before - 4.0


@pytest.mark.parametrize(
    ("status", "kib"),
    [
        ("Name:\tpython\nVmPeak:\t  999 kB\nVmHWM:\t  123456 kB\nVmRSS:\t 7 kB\n", 123_456),
        ("Name:\tVmHWM: 5 kB x\nVmRSS:\t 7 kB\n", None),
        ("", None),
    ],
)
def test_the_high_water_mark_is_read_from_its_own_line(status: str, kib: int | None) -> None:
    assert high_water_kib(status) == kib
