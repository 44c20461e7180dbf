"""Replace a file or folder in one step, so that whoever looks sees the old one or the new one, never half of one."""

from __future__ import annotations

import glob
import os
import shutil
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
    _clear(path, "partial")
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}{path.suffix}")
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
    _clear(path, "scratch")
    place = path.with_name(f".{path.name}.scratch-{os.getpid()}{suffix}")
    try:
        yield place
    finally:
        place.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside `folder` to fill; on success put it in the place of `folder`.

    A folder cannot be renamed over one that is not empty. So the old one steps aside and goes last: a kill leaves a
    whole folder in place or, between the two renames, the old one beside it, which the next writer puts back. If the
    body raises, the new folder is removed and the old one stays.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    name = glob.escape(folder.name)
    aside = sorted(folder.parent.glob(f".{name}.old-*"))
    if aside and not folder.exists():
        aside.pop().replace(folder)
    for leftover in [*aside, *folder.parent.glob(f".{name}.partial-*")]:
        shutil.rmtree(leftover)
    fresh = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    old = folder.with_name(f".{folder.name}.old-{os.getpid()}")
    fresh.mkdir()
    try:
        yield fresh
        if folder.exists():
            folder.replace(old)
        try:
            fresh.replace(folder)
        except OSError:
            if old.exists():
                old.replace(folder)
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    if old.exists():
        shutil.rmtree(old)


def _clear(path: Path, word: str) -> None:
    # Format drivers hang suffixes of their own on a temporary file (GDAL: '.ovr.tmp'), so the name's tail is free.
    for stale in path.parent.glob(f".{glob.escape(path.name)}.{word}-*"):
        stale.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
