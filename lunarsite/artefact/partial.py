"""Partials: what one shard of a job hands to the job that gathers the shards. Named arrays in HDF5, read by windows.

A partial keeps exact types (integer sums, float minima), for the gathered result must not depend on the sharing.
Nobody but the gathering stage reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lunarsite.artefact.atomic import replacing
from lunarsite.artefact.stamp import ArtefactError, Stamp, canonical_json, parse_stamp

_STAMP = "lunarsite_stamp"
_PLAN = "lunarsite_plan"
_MEND = "delete it and run its shard again"


@dataclass(frozen=True)
class PartialSpec:
    """Contract of a partial: its name. What arrays it holds is between the scattering and the gathering stage."""

    name: str


class PartialReader:
    """An open partial; arrays are read whole or by an index that numpy knows."""

    def __init__(self, path: Path, file: h5py.File, stamp: Stamp, plan: str) -> None:
        self.path, self.stamp, self.plan = path, stamp, plan
        self._file = file

    def names(self) -> list[str]:
        """Names of the arrays."""
        return sorted(self._file)

    def read(self, name: str, index: Any = ()) -> NDArray[Any]:
        """Return an array, or the part of it that `index` picks."""
        if name not in self._file:
            raise ArtefactError(f"{self.path}: has no array '{name}'; {_MEND}")
        try:
            return np.asarray(self._file[name][index])
        except OSError as error:
            raise ArtefactError(f"{self.path}: '{name}' cannot be read ({error}); {_MEND}") from error


def write(
    path: Path, spec: PartialSpec, arrays: Mapping[str, NDArray[Any]], plan: Mapping[str, Any], stamp: Stamp
) -> None:
    """Write named arrays.

    Args:
        path: The file.
        spec: Its contract.
        arrays: Arrays by name.
        plan: What all partials that are gathered together must agree on (grid, directions, heights), as JSON values.
        stamp: Its stamp.
    """
    if stamp.artefact != spec.name:
        raise ArtefactError(f"{path}: stamp of a '{stamp.artefact}' on a '{spec.name}'")
    with replacing(path) as partial, h5py.File(partial, "w") as file:
        for name, values in arrays.items():
            file.create_dataset(name, data=values, track_times=False)
        file.attrs[_STAMP] = stamp.to_json()
        file.attrs[_PLAN] = canonical_json(plan)


@contextmanager
def opened(path: Path, spec: PartialSpec) -> Iterator[PartialReader]:
    """Open a partial.

    Raises:
        ArtefactError: It is missing, truncated or breaks the contract.
    """
    with _file(path) as file:
        text, plan = (file.attrs.get(key) for key in (_STAMP, _PLAN))
        stamp = parse_stamp(text if isinstance(text, str) else None, path, spec.name)
        yield PartialReader(path, file, stamp, plan if isinstance(plan, str) else "")


def validate(path: Path, spec: PartialSpec) -> None:
    """Refuse a partial without arrays."""
    with opened(path, spec) as source:
        if not source.names():
            raise ArtefactError(f"{path}: holds no arrays; {_MEND}")


def read_stamp(path: Path) -> Stamp:
    """Return the stamp of any partial."""
    with _file(path) as file:
        text = file.attrs.get(_STAMP)
        return parse_stamp(text if isinstance(text, str) else None, path)


@contextmanager
def _file(path: Path) -> Iterator[h5py.File]:
    if not path.exists():
        raise ArtefactError(f"{path}: does not exist; run its shard first")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ArtefactError(f"{path}: is no readable HDF5 file ({error}); {_MEND}") from error
    with file:
        yield file
