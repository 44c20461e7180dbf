"""What a robots.txt allows: the rules of RFC 9309."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.source.archive.robots import MOST_BYTES, Robots, read_robots

URL = "https://x.org"


def allows(text: str, path: str, agent: str = "lunarsite") -> bool:
    return read_robots(text.encode(), agent).allows(f"{URL}{path}")


@pytest.mark.parametrize(
    ("rules", "path", "allowed"),
    [
        ("Disallow: /", "/a", False),
        ("Disallow:", "/a", True),
        ("Disallow: /a", "/a", False),
        ("Disallow: /a", "/ab", False),
        ("Disallow: /a", "/b/a", True),
        ("Disallow: /a\nAllow: /a/b", "/a/b/c", True),
        ("Allow: /a/b\nDisallow: /a", "/a/c", False),
        ("Disallow: /a\nAllow: /a", "/a", True),
        ("Disallow: /*.php", "/x/y.php?z", False),
        ("Disallow: /*.php$", "/x/y.php?z", True),
        ("Disallow: /*.php$", "/x/y.php", False),
        ("Disallow: /a$", "/ab", True),
        ("Disallow: /a*b*c", "/a1b2c3", False),
        ("Disallow: /a*b*c", "/a1c2b", True),
        ("Disallow: /*?q=", "/s?q=1", False),
        ("Disallow: /*?q=", "/s", True),
        ("Disallow: /%7Ea", "/%7ea", False),
        ("Disallow: /ü", "/%C3%BC", False),
        ("Disallow: /a # for now", "/a", False),
        ("disallow : /a", "/a", False),
        ("Noindex: /a", "/a", True),
        ("Disallow: /a*$", "/abc", False),
        ("Disallow: /a**a$", "/a", True),
    ],
)
def test_rules(rules: str, path: str, allowed: bool) -> None:
    assert allows(f"User-agent: *\n{rules}", path) is allowed


def test_own_group_counts_alone_and_all_its_parts_do() -> None:
    text = """Disallow: /nobody
        User-agent: other
        User-agent: LunarSite/2
        Disallow: /a
        User-agent: *
        Disallow: /
        User-agent: lunarsite
        Disallow: /b
        Crawl-delay: 7.5"""
    assert not allows(text, "/a")
    assert not allows(text, "/b")
    assert allows(text, "/c")
    assert allows(text, "/nobody")
    assert not allows(text, "/b", agent="someone")
    assert allows(text, "/b", agent="other")
    assert read_robots(text.encode(), "lunarsite").delay_s == 7.5
    assert read_robots(text.encode(), "other").delay_s == 0.0


def test_no_rules_allow_everything() -> None:
    for text in ("", "\ufeff", "<html>Welcome</html>", "Crawl-delay: 5", "User-agent: *\nCrawl-delay: soon"):
        assert read_robots(text.encode(), "lunarsite") == Robots()
    assert Robots().allows(URL)


def test_byte_order_mark_and_line_ends() -> None:
    assert not allows("\ufeffUser-agent: *\r\nDisallow: /a\r", "/a")


def test_only_the_first_bytes_count() -> None:
    text = "User-agent: *\n" + "#" * MOST_BYTES + "\nDisallow: /"
    assert allows(text, "/a")


def test_hostile_patterns_take_no_time() -> None:
    robots = read_robots(("User-agent: *\n" + f"Disallow: /{'*a' * 900}$\n" * 200).encode(), "lunarsite")
    start = time.process_time()
    robots.allows(f"{URL}/{'a' * 5_000}b")
    assert time.process_time() - start < 2.0


def test_rules_of_others_and_too_many_rules_are_passed_over() -> None:
    """Every rule in every open group would be 30 000 x 40 000 of them."""
    others = "".join(f"User-agent: {k}\n" for k in range(15_000))
    start = time.process_time()
    assert read_robots((others + "Allow:\n" * 40_000).encode(), "lunarsite") == Robots()
    own = read_robots((others + "User-agent: *\n" + "Allow: /a\n" * 20_000).encode(), "lunarsite")
    assert len(own.rules) == 10_000
    assert time.process_time() - start < 2.0


@given(st.binary(max_size=300))
def test_any_bytes_are_rules(body: bytes) -> None:
    read_robots(b"User-agent: *\nDisallow: " + body, "lunarsite").allows(f"{URL}/a?b")
