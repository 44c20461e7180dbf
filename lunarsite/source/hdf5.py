"""A user's HDF5 files: members are taken only if they lie in the file itself and are plain numbers of a sane size.

HDF5 can point at other files, hold pickled objects, and claim arrays of any size. None of this is followed, unpacked or
allocated. This module must not know what the numbers mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, NoReturn, ParamSpec, TypeVar, cast

import h5py
import numpy as np
from numpy.typing import NDArray

from lunarsite.source.kinds import LocalError

_MOST_BYTES = 1 << 30
"""Read at once."""
_MOST_CHUNK_BYTES = 1 << 28
_FILTERS = {1, 2, 3, 32_000}
"""gzip, shuffle, Fletcher's checksum, LZF. HDF5 would look for others among the machine's libraries."""


# What h5py raises where a file's structure is damaged.
_DAMAGE = RuntimeError, LookupError, OSError, ValueError, TypeError, OverflowError
_P = ParamSpec("_P")
_R = TypeVar("_R")


def _told(method: Callable[Concatenate[Hdf5File, str, _P], _R]) -> Callable[Concatenate[Hdf5File, str, _P], _R]:
    """Make what a damaged file raises an error that names the file and the key."""

    @wraps(method)
    def guarded(self: Hdf5File, key: str, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return method(self, key, *args, **kwargs)
        except LocalError:
            raise
        except _DAMAGE as error:
            raise LocalError(
                f"{self.field}: {self.path}: '{key}' cannot be read ({error}); it may be truncated: copy it again"
            ) from error

    return cast("Callable[Concatenate[Hdf5File, str, _P], _R]", guarded)


class Hdf5File:
    """An open file of a user's. All errors are LocalErrors that name the setting, the file, the key and the mend."""

    def __init__(self, path: Path, field: str, file: h5py.File) -> None:
        self.path, self.field = path, field
        self._file = file

    def refuse(self, key: str, wrong: str, mend: str = "download or make the file again") -> NoReturn:
        """Raise the error for one key."""
        raise LocalError(f"{self.field}: {self.path}: '{key}' {wrong}; {mend}")

    @_told
    def has(self, key: str) -> bool:
        """Whether there is a member of that name, a link included."""
        parent, _, name = key.rpartition("/")
        group = self._member(parent, h5py.Group) if parent else self._file
        return group.get(name, getlink=True, default=None) is not None

    @_told
    def is_group(self, key: str) -> bool:
        """Whether a member is a group."""
        parent, _, name = key.rpartition("/")
        group = self._member(parent, h5py.Group) if parent else self._file
        return group.get(name, getclass=True, default=None) is h5py.Group

    @_told
    def size(self, key: str) -> int:
        """Return the number of members of a group; '' is the file itself."""
        return len(self._member(key, h5py.Group) if key else self._file)

    @_told
    def shape(self, key: str, kinds: str = "uif") -> tuple[int, ...]:
        """Return the shape of an array of numbers (`kinds`: numpy's letters for the types that are taken)."""
        return tuple(self._array(key, kinds).shape)

    @_told
    def has_attribute(self, key: str, name: str) -> bool:
        """Whether an array carries an attribute; its value is not looked at."""
        return name in self._member(key, h5py.Dataset).attrs

    @_told
    def read(self, key: str, block: slice | None = None, *, kinds: str = "uif") -> NDArray[Any]:
        """Return an array or a block of its first axis."""
        dataset = self._array(key, kinds)
        shape = list(dataset.shape)
        if block is not None:
            shape[0] = len(range(*block.indices(shape[0])))
        wanted = float(np.prod(shape, dtype=np.float64)) * dataset.dtype.itemsize
        if wanted > _MOST_BYTES:
            self.refuse(key, f"claims {wanted:.3g} bytes, {_MOST_BYTES} are read at once")
        return np.asarray(dataset[() if block is None else block])

    def _array(self, key: str, kinds: str) -> Any:
        dataset = self._member(key, h5py.Dataset)
        if dataset.dtype.kind not in kinds:
            what = "objects that only unpickling would open" if dataset.dtype.kind == "O" else str(dataset.dtype)
            self.refuse(key, f"holds {what}, needed is a plain array", "write it with fixed types")
        if dataset.is_virtual or dataset.external:
            self.refuse(key, "keeps its data in other files", "copy the data into one file (h5repack)")
        if dataset.shape is None:
            self.refuse(key, "is empty")
        filters = dataset.id.get_create_plist()
        numbers = {filters.get_filter(number)[0] for number in range(filters.get_nfilters())}
        if numbers - _FILTERS:
            self.refuse(
                key, f"is packed by filters {sorted(numbers - _FILTERS)}, which are not read", "repack it (h5repack)"
            )
        chunk_bytes = float(np.prod(dataset.chunks or (0,), dtype=np.float64)) * dataset.dtype.itemsize
        if chunk_bytes > _MOST_CHUNK_BYTES:
            self.refuse(key, f"has chunks of {chunk_bytes:.3g} bytes", "chunk it by tile (h5repack -l)")
        return dataset

    def _member(self, key: str, kind: type) -> Any:
        found: Any = self._file
        for name in key.split("/"):
            link = found.get(name, getlink=True, default=None) if isinstance(found, h5py.Group) else None
            if link is None:
                self.refuse(key, "is missing")
            if not isinstance(link, h5py.HardLink):
                self.refuse(key, "is a link", "links are not followed: copy the data into the file (h5repack --merge)")
            found = found[name]
        if not isinstance(found, kind):
            self.refuse(key, f"is a {type(found).__name__.lower()}, needed is a {kind.__name__.lower()}")
        return found


@contextmanager
def opened(path: Path, field: str) -> Iterator[Hdf5File]:
    """Open a user's HDF5 file.

    Raises:
        LocalError: It is missing, truncated or no HDF5 file.
    """
    if not path.exists():
        raise LocalError(f"{field}: {path}: does not exist; paths are relative to the folder snakemake is started in")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise LocalError(
            f"{field}: {path}: is no readable HDF5 file ({error}); it may be truncated: copy it again"
        ) from error
    with file:
        yield Hdf5File(path, field, file)
