"""A long search for mistakes in all readers of outside bytes: python -m tests.fuzz --minutes 10 (docs/fuzzing.md)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.fuzz.search import engines, search, search_here
from tests.fuzz.targets import TARGETS, by_name


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="time for all targets together")
    parser.add_argument("--target", action="append", choices=list(by_name()), help="only this one; may be repeated")
    parser.add_argument("--found", type=Path, default=Path(__file__).with_name("found"), help="where finds are kept")
    parser.add_argument("--by", choices=engines(), default=engines()[0], help="the tool that makes the inputs")
    parser.add_argument("--one", choices=list(by_name()), help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one is not None:
        search_here(by_name()[asked.one], asked.seconds, asked.found, asked.place, asked.by)
        return 0
    targets = [by_name()[name] for name in asked.target] if asked.target else list(TARGETS)
    return 1 if search(targets, 60.0 * asked.minutes, asked.found, asked.by) else 0


if __name__ == "__main__":
    sys.exit(main())
