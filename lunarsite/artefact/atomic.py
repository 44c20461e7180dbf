"""Replace a file in one step, so that whoever looks sees the old file or the new one, never half of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on success flush it to disk and rename it over `path`.

    The temporary file keeps the target's suffix, which format drivers look at. If the body raises it is removed. A
    process that is killed leaves it behind; the next writer of the same target removes it (an output has one writer).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for stale in path.parent.glob(f".{_escaped(path.stem)}.partial-*{_escaped(path.suffix)}"):
        stale.unlink(missing_ok=True)
    partial = path.with_name(f".{path.stem}.partial-{os.getpid()}{path.suffix}")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def scratch(path: Path, suffix: str) -> Iterator[Path]:
    """Yield a path beside `path` for intermediate data; whatever lies there is removed in the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for stale in path.parent.glob(f".{_escaped(path.stem)}.scratch-*{_escaped(suffix)}"):
        stale.unlink(missing_ok=True)
    place = path.with_name(f".{path.stem}.scratch-{os.getpid()}{suffix}")
    try:
        yield place
    finally:
        place.unlink(missing_ok=True)


def _escaped(text: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in text)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
