"""Data sets of Kaggle, which gives them to registered users: fetched by its own client, if the user has it and a token.

The client (https://github.com/Kaggle/kaggle-api) reads the token itself; nothing here opens or prints it. It is started
without a shell and writes into a folder of its own, which is watched: a client that stands still, brings far more than
the table says, or leaves no room on the disk is ended. Only whole files of the declared kind leave that folder.
"""

from __future__ import annotations

import contextlib
import glob
import logging
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lunarsite.source.fetch.content import ContentError, check_content
from lunarsite.source.fetch.control import Control
from lunarsite.source.fetch.errors import DiskError, FetchError, amount
from lunarsite.source.fetch.file import locked
from lunarsite.source.products import ProductFile

if TYPE_CHECKING:
    from lunarsite.settings import FetchSettings

_LOG = logging.getLogger("lunarsite.fetch")
_LOCK, _WORKSHOP, _SAID = "kaggle", ".kaggle-", "said.txt"
_POLL_S, _TELL_S, _END_S = 0.2, 30.0, 10.0
_MOST_TIMES = 3
"""So many times the size in the table may come, which is an estimate; and at least so much more:"""
_MORE_BYTES = 2**26
_MOST_SAID = 2_000


def fetch_set(
    program: str, data_set: str, missing: Sequence[ProductFile], folder: Path, settings: FetchSettings, control: Control
) -> None:
    """Have the client fetch a data set, and put its files into the product's folder.

    They are not judged beyond their size and kind: they are then held to checksums as files that a person puts there.

    Args:
        program: Path of the client.
        data_set: '<owner>/<name>' on Kaggle.
        missing: Files that are to come.
        folder: The product's folder, which exists.
        settings: read_timeout_s: a client that brings nothing for ten times as long is ended; spare_disk_gib.
        control: Ends the client.

    Raises:
        FetchError: The client fails, or brings other files.
        DiskError: The disk has no room.
        StoppedError: `control` was asked to stop.
    """
    with locked(folder / _LOCK, control):
        missing = [file for file in missing if not (folder / file.name).is_file()]  # another process may have had them
        if not missing:
            return
        with _workshop(folder) as shop:
            call = [program, "datasets", "download", "-d", data_set, "-p", str(shop)]
            _LOG.info("%s: asks Kaggle's client, %s", data_set, program)
            said = f"\nIt said: {text}" if (text := _run(call, shop, missing, settings, control)) else ""
            for file in missing:
                _place(shop / Path(file.name).name, folder / file.name, file, f"{data_set}, from Kaggle's client", said)


def _run(
    call: Sequence[str], shop: Path, missing: Sequence[ProductFile], settings: FetchSettings, control: Control
) -> str:
    """Run the client to its end and return what it said."""
    most = _MOST_TIMES * sum(file.bytes or 0 for file in missing) + _MORE_BYTES
    patience_s = 10 * settings.read_timeout_s
    with (shop / _SAID).open("wb") as said, _started(call, said.fileno()) as process:
        came, came_s, told_s = 0, time.monotonic(), time.monotonic()
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_S)
                break
            control.check()
            total, now = _total(shop), time.monotonic()
            if total > most:
                raise FetchError(
                    f"{call[0]}: brings more than {amount(most)}, and was ended; see resources/products.yaml"
                )
            if shutil.disk_usage(shop).free < settings.spare_disk_gib * 2**30:
                raise DiskError(
                    f"{shop.parent}: less than {settings.spare_disk_gib} GiB are free; make room and try again"
                )
            if total != came:
                came, came_s = total, now
            elif now - came_s > patience_s:
                raise FetchError(f"{call[0]}: has brought nothing for {patience_s:g} s, and was ended; try again")
            if now - told_s > _TELL_S:
                told_s = now
                _LOG.info("%s has brought %s", call[0], amount(total))
    text = _tail(shop / _SAID)
    if process.returncode != 0:
        raise FetchError(f"{' '.join(call[:5])}: ended with {process.returncode}: {text or 'it said nothing'}")
    return text


@contextlib.contextmanager
def _started(call: Sequence[str], output: int) -> Iterator[subprocess.Popen[bytes]]:
    """Yield the client, in a process group of its own; whatever is left of that is ended."""
    try:
        process = subprocess.Popen(  # noqa: S603 - no shell; the table's pattern lets no option through
            call, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    except OSError as error:
        raise FetchError(f"{call[0]}: cannot be started ({error}); mend or remove Kaggle's client") from error
    try:
        yield process
    finally:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_END_S)


@contextlib.contextmanager
def _workshop(folder: Path) -> Iterator[Path]:
    """Yield an empty folder within the folder; those that a killed process left behind are removed first."""
    for stale in folder.glob(f"{glob.escape(_WORKSHOP)}*"):
        shutil.rmtree(stale)
    shop = folder / f"{_WORKSHOP}{os.getpid()}"
    shop.mkdir()
    try:
        yield shop
    finally:
        shutil.rmtree(shop)


def _place(source: Path, target: Path, file: ProductFile, where: str, said: str) -> None:
    """Rename a file that the client has brought into place, if it is what it should be."""
    if source.is_symlink() or not source.is_file():
        there = ", ".join(sorted(path.name for path in source.parent.iterdir() if path.name != _SAID)[:5])
        raise FetchError(f"{where}: there is no file {source.name}; there is {there or 'nothing'}{said}")
    size = source.stat().st_size
    if file.size_is == "published" and file.bytes is not None and size != file.bytes:
        raise FetchError(f"{where}: {source.name} has {size} bytes, the publisher's file has {file.bytes}{said}")
    try:
        check_content(source, file.content, f"{where}: {source.name}")
    except ContentError as error:
        raise FetchError(f"{error}{said}") from error
    with source.open("rb") as opened:
        os.fsync(opened.fileno())
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)


def _total(folder: Path) -> int:
    """Return the bytes of all files below a folder; files that vanish meanwhile count nothing."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += Path(root, name).lstat().st_size
    return total


def _tail(path: Path) -> str:
    """Return the end of what the client said, in one line that can be printed."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _MOST_SAID))
        text = file.read().decode("utf-8", errors="replace")
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
