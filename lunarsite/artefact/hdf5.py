"""HDF5 members that can be trusted: plain arrays of a sane size that lie in the very file, no links, no objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from lunarsite.artefact.stamp import ArtefactError

# What a file may claim before anything is read for it: far above any use, far below what a machine cannot hold.
MOST_ITEMS = 1_000_000
"""Images or tiles of a file."""
MOST_BLOCK_BYTES = 1 << 31
"""Read at once."""
_MOST_CHUNK_BYTES = 1 << 26
_MOST_TEXT_BYTES = 8_192


def hard(path: Path, group: h5py.Group, name: str, kind: type, mend: str) -> Any:
    """Return a member of a group that lies in this very file; links that lead elsewhere are refused."""
    link = group.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink) or group.get(name, getclass=True) is not kind:
        raise ArtefactError(
            f"{path}: '{group.name.rstrip('/')}/{name}' is absent, a link, or no {kind.__name__.lower()}; {mend}"
        )
    return group[name]


def check_storage(path: Path, key: str, dataset: Any, mend: str, *, text: bool = False) -> None:
    """Refuse what is no plain array in this file, or needs an absurd buffer to be read.

    Args:
        path: The file, for messages.
        key: The array, for messages.
        dataset: The array.
        mend: What to do, for messages.
        text: Whether it must hold text of fixed length instead of numbers.
    """
    kind, size = dataset.dtype.kind, dataset.dtype.itemsize
    if kind != "S" if text else (kind not in "uifb" or size > 8):
        raise ArtefactError(
            f"{path}: '{key}' holds {dataset.dtype}, needed are {'text' if text else 'numbers'}; {mend}"
        )
    if text and size > _MOST_TEXT_BYTES:
        raise ArtefactError(f"{path}: '{key}' holds text of {size} bytes, {_MOST_TEXT_BYTES} are allowed; {mend}")
    if dataset.is_virtual or dataset.external:
        raise ArtefactError(f"{path}: '{key}' lies in other files; {mend}")
    chunk_bytes = int(np.prod(dataset.chunks or (0,), dtype=np.float64)) * size
    if chunk_bytes > _MOST_CHUNK_BYTES:
        raise ArtefactError(f"{path}: '{key}' has chunks of {chunk_bytes} bytes; chunk it image by image")
