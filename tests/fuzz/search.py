"""Long searches: atheris (coverage-guided) where it is installed, else hypothesis."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz.targets import Target, check

_LONGEST_CALL_S = 10
_MOST_MEMORY_MIB = 3_000
_MOST_INPUT_BYTES = 65_536
_MODULES = ["lunarsite.source", "lunarsite.artefact", "pvl"]


class EndlessError(BaseException):
    """A call that did not end; no reader may catch this."""


@contextmanager
def ending(seconds: float) -> Iterator[None]:
    """End a call that takes longer, in processor time."""

    def end(*_: object) -> None:
        raise EndlessError(f"the call did not end within {seconds} s")

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, before)


@dataclass
class Finder:
    """Calls a target and keeps, of each kind of harm, the first input that did it."""

    target: Target
    folder: Path
    finds: list[str] = field(default_factory=list)
    calls: int = 0
    taken: int = 0
    _seen: set[tuple[str, ...]] = field(default_factory=set)

    def __call__(self, data: bytes) -> None:
        self.calls += 1
        try:
            with ending(_LONGEST_CALL_S):
                self.taken += check(self.target, data)
        except (Exception, EndlessError) as error:  # everything that is not declared is a find
            frames = traceback.extract_tb(error.__traceback__)
            kind = (type(error).__name__, *(f"{frame.filename}:{frame.lineno}" for frame in frames[-1:]))
            if kind not in self._seen:
                self._seen.add(kind)
                path = keep(self.target, data, self.folder)
                self.finds.append(f"{path}\n{''.join(traceback.format_exception(error))}")
                sys.stdout.write(f"{self.target.name}: {self.finds[-1]}\n")
                sys.stdout.flush()


def keep(target: Target, data: bytes, folder: Path) -> Path:
    """Write an input under a name of its own and return its path."""
    path = folder / target.name / f"{hashlib.sha256(data).hexdigest()[:16]}.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def engines() -> tuple[str, ...]:
    """Return the tools that are installed, the best first."""
    return ("atheris", "hypothesis") if find_spec("atheris") is not None else ("hypothesis",)


def search(targets: Sequence[Target], seconds: float, folder: Path, engine: str) -> int:
    """Search targets one after the other, each for its share of the time; return the number of finds."""
    share_s = seconds / len(targets)
    return sum(_one(target, share_s, folder, engine) for target in targets)


def _one(target: Target, seconds: float, folder: Path, engine: str) -> int:
    """Search one target in a process of its own, which a native mistake may end."""
    before = set((folder / target.name).glob("*.bin"))
    with tempfile.TemporaryDirectory(prefix="lunarsite-found-") as place:
        command = [sys.executable, "-m", "tests.fuzz", "--one", target.name, "--by", engine]
        command += ["--found", str(folder), "--place", place, "--seconds", str(seconds)]
        try:
            done = subprocess.run(command, check=False, timeout=4 * seconds + 120, capture_output=True, text=True)
            told, code = done.stdout + done.stderr, done.returncode
        except subprocess.TimeoutExpired as error:
            told, code = str(error.stdout), -1
        # What libFuzzer leaves when a call ends the process, takes too long, or takes too much memory.
        for path in Path(place).glob("*-*"):
            if path.is_file():
                keep(target, path.read_bytes(), folder)
    finds = set((folder / target.name).glob("*.bin")) - before
    summary = "; ".join(text for text in told.splitlines() if text.startswith("summary"))
    ended = summary or f"ended with {code}: {told[-3_000:]}"
    sys.stdout.write(f"{target.name}: {len(finds)} found; {ended}\n")
    for path in sorted(finds):
        sys.stdout.write(f"  {path}\n")
    if finds:
        sys.stdout.write(told[-6_000:])
    sys.stdout.flush()
    return len(finds)


def search_here(target: Target, seconds: float, folder: Path, place: Path, engine: str) -> None:
    """Search one target in this process until the time is out."""
    finder = Finder(target, folder)
    if engine == "atheris":
        _with_atheris(finder, seconds, place)
    else:
        _with_hypothesis(finder, seconds)


def _summary(finder: Finder, by: str) -> None:
    told = f"{finder.calls} calls, {finder.taken} taken, {len(finder.finds)} kinds of harm"
    sys.stdout.write(f"\nsummary by {by}: {told}\n")
    sys.stdout.flush()


def _with_hypothesis(finder: Finder, seconds: float) -> None:
    from hypothesis import HealthCheck, Phase, given, seed, settings

    from tests.fuzz.changes import inputs

    strategy, end = inputs(finder.target), time.monotonic() + seconds
    numbers = random.Random(0)

    def one(data: bytes) -> None:
        if time.monotonic() < end:
            finder(data)

    while time.monotonic() < end:
        rules = settings(
            max_examples=100,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=tuple(HealthCheck),
        )
        seed(numbers.getrandbits(64))(rules(given(strategy)(one)))()
    _summary(finder, "hypothesis")


def _with_atheris(finder: Finder, seconds: float, place: Path) -> None:
    import atheris

    seeds, words, corpus = finder.target.seeds(), place / "words.dict", place / "corpus"
    corpus.mkdir()
    for number, content in enumerate(seeds):
        (corpus / f"seed{number}").write_bytes(content)
    quoted = ("".join(f"\\x{byte:02x}" for byte in word[:64]) for word in finder.target.words)
    words.write_text("".join(f'"{word}"\n' for word in quoted))
    with atheris.instrument_imports(include=_MODULES, enable_loader_override=False):
        for content in seeds:  # readers are imported when they are first called
            finder(content)
    end = time.monotonic() + seconds

    def one(data: bytes) -> None:
        finder(data)
        if time.monotonic() > end:
            _summary(finder, "atheris")
            os._exit(0)  # libFuzzer has no other way out

    arguments = [
        "tests.fuzz",
        str(corpus),
        f"-max_total_time={int(2 * seconds) + 10}",
        f"-timeout={6 * _LONGEST_CALL_S}",
        f"-rss_limit_mb={_MOST_MEMORY_MIB}",
        f"-max_len={_MOST_INPUT_BYTES}",
        f"-artifact_prefix={place}/",
        f"-dict={words}",
        "-verbosity=0",
        "-close_fd_mask=0",
    ]
    atheris.Setup(arguments, one)
    atheris.Fuzz()
