"""Tiles: image and mask stacks in DeepMoon's HDF5 layout (Silburt et al. 2019), chunked by tile, one writer.

`input_images` (N, H, W) and `target_masks` (N, H, W) lie at the root; further per-tile arrays (bounds, scales) may
stand beside them. The stamp is an attribute of the root group.
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
from lunarsite.artefact.stamp import ArtefactError, Stamp, parse_stamp

_STAMP = "lunarsite_stamp"
IMAGES, MASKS = "input_images", "target_masks"


@dataclass(frozen=True)
class TilesSpec:
    """Contract of a tile file: name, side of a tile in pixels, and per-tile arrays {name: trailing shape}."""

    name: str
    size_px: int = 256
    per_tile: tuple[tuple[str, tuple[int, ...]], ...] = ()
    craters: bool = False


class TilesReader:
    """An open tile file that keeps its contract; tiles are read one block at a time."""

    def __init__(self, path: Path, file: h5py.File, stamp: Stamp) -> None:
        self.path, self.stamp = path, stamp
        self._file = file

    def __len__(self) -> int:
        return int(self._file[IMAGES].shape[0])

    def read(self, name: str, block: slice) -> NDArray[Any]:
        """Return a block of one of the file's arrays."""
        try:
            return np.asarray(self._file[name][block])
        except OSError as error:
            raise ArtefactError(f"{self.path}: '{name}' cannot be read ({error}); make the tiles again") from error


@contextmanager
def opened(path: Path, spec: TilesSpec) -> Iterator[TilesReader]:
    """Open a tile file after checking its layout.

    Raises:
        ArtefactError: It is missing, truncated or breaks the contract.
    """
    if not path.exists():
        raise ArtefactError(f"{path}: does not exist; run the stage that writes '{spec.name}' first")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ArtefactError(f"{path}: is no readable HDF5 file ({error}); make the tiles again") from error
    with file:
        text = file.attrs.get(_STAMP)
        stamp = parse_stamp(text if isinstance(text, str) else None, path, spec.name)
        _check_layout(path, spec, file)
        yield TilesReader(path, file, stamp)


def write(
    path: Path,
    spec: TilesSpec,
    images: NDArray[np.uint8],
    masks: NDArray[Any],
    per_tile: Mapping[str, NDArray[Any]],
    stamp: Stamp,
) -> None:
    """Write tiles whole.

    Raises:
        ArtefactError: Shapes break the contract.
    """
    with replacing(path) as partial, h5py.File(partial, "w", track_order=True) as file:
        for name, values in {IMAGES: images, MASKS: masks, **per_tile}.items():
            # Fixed chunks of one tile, and no object times, keep the bytes a function of the content.
            chunks = (1, *values.shape[1:]) if values.ndim == 3 else None
            compression = "gzip" if chunks else None
            file.create_dataset(name, data=values, chunks=chunks, compression=compression, track_times=False)
        file.attrs[_STAMP] = stamp.to_json()
        _check_layout(path, spec, file)


def validate(path: Path, spec: TilesSpec) -> None:
    """Read every tile once and refuse what breaks the contract, a file of blank images included."""
    with opened(path, spec) as tiles:
        present = False
        for start in range(0, len(tiles), 64):
            present |= bool(tiles.read(IMAGES, slice(start, start + 64)).any())
            tiles.read(MASKS, slice(start, start + 64))
        if not present:
            raise ArtefactError(f"{path}: all images are blank; look at its stage's log and inputs")


def read_stamp(path: Path) -> Stamp:
    """Return the stamp of any tile file."""
    try:
        with h5py.File(path, "r") as file:
            text = file.attrs.get(_STAMP)
            return parse_stamp(text if isinstance(text, str) else None, path)
    except OSError as error:
        raise ArtefactError(f"{path}: is no readable HDF5 file ({error}); make the tiles again") from error


def _check_layout(path: Path, spec: TilesSpec, file: h5py.File) -> None:
    shapes: dict[str, tuple[int, ...]] = {
        IMAGES: (spec.size_px,) * 2,
        MASKS: (spec.size_px,) * 2,
        **dict(spec.per_tile),
    }
    absent = [name for name in shapes if name not in file or not isinstance(file[name], h5py.Dataset)]
    if absent:
        raise ArtefactError(f"{path}: '{spec.name}' lacks {absent}; make the tiles again")
    count = file[IMAGES].shape[0] if file[IMAGES].ndim else 0
    if count == 0:
        raise ArtefactError(f"{path}: holds no tiles")
    for name, trailing in shapes.items():
        if file[name].shape != (count, *trailing):
            raise ArtefactError(
                f"{path}: '{name}' has shape {file[name].shape}, '{spec.name}' needs {(count, *trailing)}"
            )
    if file[IMAGES].dtype != np.uint8:
        raise ArtefactError(f"{path}: '{IMAGES}' is {file[IMAGES].dtype}, DeepMoon's layout needs uint8")
