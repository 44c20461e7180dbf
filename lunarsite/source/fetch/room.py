"""Room on the disk: looked at before it is needed, and told of when it is gone all the same."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lunarsite.source.fetch.errors import DiskError, FetchError, amount

if TYPE_CHECKING:
    from lunarsite.settings import FetchSettings

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def check_room(folder: Path, needed_bytes: int, settings: FetchSettings) -> None:
    """Check that a folder's disk can take so many bytes more.

    Args:
        folder: An existing folder.
        needed_bytes: What is still to come; none if negative.
        settings: Names the space that must stay free.

    Raises:
        DiskError: It cannot.
    """
    free = shutil.disk_usage(folder).free
    spare = settings.spare_disk_gib * 2**30
    if free - max(needed_bytes, 0) < spare:
        raise DiskError(
            f"{folder}: {amount(max(needed_bytes, 0))} are to come, but only {amount(free)} are free and"
            f" {amount(spare)} must stay so (source.fetch.spare_disk_gib); make room, or name another disk in"
            " source.fetch.folder"
        )


@contextlib.contextmanager
def telling_when_full(path: Path) -> Iterator[None]:
    """Turn the system's errors of writing beside `path` into ours.

    Raises:
        DiskError: The disk or the user's share of it is full.
        FetchError: The folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskError(
                f"{path}: the disk is full ({error.strerror}); what has come so far is kept in {path.name}.part and"
                " will be resumed; make room and start again"
            ) from error
        raise FetchError(f"{path}: cannot be written ({error})") from error
