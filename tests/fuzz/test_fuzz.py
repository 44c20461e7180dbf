"""A short search for mistakes in all readers of outside bytes, and everything that longer ones have found."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz.changes import changed, inputs
from tests.fuzz.search import Finder
from tests.fuzz.targets import TARGETS, Target, by_name, check, found_inputs

FOUND = Path(__file__).with_name("found")


def test_names_are_distinct() -> None:
    assert len(by_name()) == len(TARGETS)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_one_good_example_at_least_is_taken(target: Target) -> None:
    taken = []
    for seed in target.seeds():
        with contextlib.suppress(*target.errors):
            target.run(seed)
            taken.append(seed)
    assert taken or target.name == "content"


@pytest.mark.parametrize(
    ("target", "path"), [pytest.param(*found, id=f"{found[0].name}-{found[1].stem}") for found in found_inputs(FOUND)]
)
def test_what_was_found_does_no_harm_any_more(target: Target, path: Path) -> None:
    check(target, path.read_bytes())


def test_every_find_belongs_to_a_target() -> None:
    assert {path.parent.name for path in FOUND.glob("*/*")} <= set(by_name())


# Readers that call libraries of other languages take milliseconds, and a mistake there would end all tests.
QUICK = [target for target in TARGETS if not target.native]


@pytest.mark.parametrize("target", QUICK, ids=lambda target: target.name)
def test_a_short_search_finds_nothing(target: Target) -> None:
    @settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=tuple(HealthCheck),
    )
    @given(inputs(target))
    def search(data: bytes) -> None:
        check(target, data)

    search()


class MistakeError(Exception):
    pass


def careless(data: bytes) -> None:
    if b"harm" in data:
        raise MistakeError
    if b"refuse" in data:
        raise ValueError("refused")


CARELESS = Target("careless", careless, (ValueError,), lambda: (b"ham",), (b"harm", b"r"))


def test_a_search_finds_a_mistake_once_and_keeps_its_input(tmp_path: Path) -> None:
    finder = Finder(CARELESS, tmp_path)
    for data in (b"ham", b"refuse", b"harm", b"more harm"):
        finder(data)
    assert (finder.calls, finder.taken, len(finder.finds)) == (4, 1, 1)
    (kept,) = (tmp_path / "careless").iterdir()
    assert kept.read_bytes() == b"harm"
    assert "MistakeError" in finder.finds[0]


def test_changes_reach_a_mistake(tmp_path: Path) -> None:
    finder = Finder(CARELESS, tmp_path)

    @settings(max_examples=200, database=None)
    @given(inputs(CARELESS))
    def search(data: bytes) -> None:
        finder(data)

    search()
    assert len(finder.finds) == 1


def slow(data: bytes) -> None:
    import time

    end = time.process_time() + 5.1
    while time.process_time() < end:
        pass


@pytest.mark.parametrize("message", ["", "long " * 5_000, "a lone \udcff surrogate"])
def test_messages_that_nobody_can_read_are_mistakes(message: str) -> None:
    def run(_: bytes) -> None:
        raise ValueError(message)

    with pytest.raises((AssertionError, UnicodeEncodeError)):
        check(Target("any", run, (ValueError,), tuple), b"")


def test_a_slow_call_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match=r"0 bytes took 5\.\d s"):
        check(Target("slow", slow, (), tuple), b"")


@given(st.binary(max_size=50), st.lists(st.tuples(st.text(), st.integers(0, 65_535), st.integers(0, 400), st.binary())))
def test_changes_take_anything(seed: bytes, changes: list[tuple[str, int, int, bytes]]) -> None:
    assert len(changed(seed, changes)) <= 4 * len(seed) + 65_536
