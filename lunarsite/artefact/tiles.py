"""Tiles: image and mask stacks in DeepMoon's HDF5 layout (Silburt et al. 2019), chunked by tile, one writer.

`input_images` (N, H, W) and `target_masks` (N, H, W) lie at the root; further per-tile arrays (bounds, scales) may
stand beside them, and where the contract says so one group of crater arrays per tile, craters/img_00000 and on. The
stamp is an attribute of the root group. Writing and reading hold a block of tiles at a time, never the whole file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lunarsite.artefact.atomic import replacing
from lunarsite.artefact.hdf5 import MOST_BLOCK_BYTES as _MOST_BLOCK_BYTES
from lunarsite.artefact.hdf5 import MOST_ITEMS as _MOST_TILES
from lunarsite.artefact.hdf5 import check_storage, hard
from lunarsite.artefact.stamp import ArtefactError, Stamp, parse_stamp

_STAMP = "lunarsite_stamp"
IMAGES, MASKS, CRATERS = "input_images", "target_masks", "craters"
CRATER_FIELDS = ("x_px", "y_px", "diameter_px", "lon", "lat", "diameter_km")
"""Arrays of a tile's craters: centre (0-based, whole numbers at pixel centres) and diameter in pixels, centre in
degrees, diameter in km. float32, one entry per crater, none at all where a tile has none."""

_MOST_CRATERS = 100_000
_MEND = "make the tiles again"

Craters = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class TilesSpec:
    """Contract of a tile file.

    Args:
        name: What the stamp says.
        size_px: Side of a tile, pixels.
        per_tile: Arrays with one entry per tile, (name, trailing shape).
        craters: Whether a group of crater arrays (CRATER_FIELDS) stands beside each image.
    """

    name: str
    size_px: int = 256
    per_tile: tuple[tuple[str, tuple[int, ...]], ...] = ()
    craters: bool = False


def group_name(index: int) -> str:
    """Return the name of a tile's group, as DeepMoon counts them."""
    return f"img_{index:05d}"


class TilesReader:
    """An open tile file that keeps its contract; tiles are read one block at a time."""

    def __init__(self, path: Path, spec: TilesSpec, file: h5py.File, stamp: Stamp) -> None:
        self.path, self.spec, self.stamp = path, spec, stamp
        self._file = file

    def __len__(self) -> int:
        return int(self._file[IMAGES].shape[0])

    def read(self, name: str, block: slice) -> NDArray[Any]:
        """Return a block of one of the file's arrays.

        Raises:
            ArtefactError: There is no such array, the block exceeds 2 GiB, or the file is damaged.
        """
        if name not in _shapes(self.spec):
            raise ArtefactError(f"{self.path}: '{self.spec.name}' has no array '{name}'")
        dataset = self._file[name]
        wanted = len(range(*block.indices(len(self)))) * int(np.prod(dataset.shape[1:])) * dataset.dtype.itemsize
        if wanted > _MOST_BLOCK_BYTES:
            raise ArtefactError(f"{self.path}: {wanted} bytes of '{name}' at once; read fewer tiles at a time")
        try:
            return np.asarray(dataset[block])
        except OSError as error:
            raise ArtefactError(f"{self.path}: '{name}' cannot be read ({error}); make the tiles again") from error

    def craters(self, index: int) -> dict[str, NDArray[np.float32]]:
        """Return the craters of one tile: CRATER_FIELDS, each (n,), n may be 0.

        Raises:
            ArtefactError: The contract has no craters, there is no such tile, or its group breaks the contract.
        """
        if not self.spec.craters or not 0 <= index < len(self):
            raise ArtefactError(f"{self.path}: '{self.spec.name}' has no craters of tile {index}")
        key = f"{CRATERS}/{group_name(index)}"
        group = hard(self.path, self._file[CRATERS], group_name(index), h5py.Group, _MEND)
        arrays = {name: hard(self.path, group, name, h5py.Dataset, _MEND) for name in CRATER_FIELDS}
        for name, array in arrays.items():
            check_storage(self.path, f"{key}/{name}", array, _MEND)
            if array.ndim != 1 or array.dtype != np.float32 or array.shape != arrays["x_px"].shape:
                raise ArtefactError(
                    f"{self.path}: '{key}/{name}' is {array.dtype} {array.shape}, needed are float32 arrays of one"
                    " length; make the tiles again"
                )
            if array.shape[0] > _MOST_CRATERS:
                raise ArtefactError(
                    f"{self.path}: '{key}' claims {array.shape[0]} craters, {_MOST_CRATERS} are allowed"
                )
        try:
            values = {name: np.asarray(array[:]) for name, array in arrays.items()}
        except OSError as error:
            raise ArtefactError(f"{self.path}: '{key}' cannot be read ({error}); make the tiles again") from error
        _check_craters(self.path, key, values)
        return values


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
        yield TilesReader(path, spec, file, stamp)


class TilesWriter:
    """Takes blocks of tiles; the file appears when the context ends without an error."""

    def __init__(self, path: Path, spec: TilesSpec, file: h5py.File) -> None:
        self.path, self.spec, self.count = path, spec, 0
        self._file = file
        self._stacks: dict[str, h5py.Dataset] = {}
        # A few numbers per tile; they are written in one piece at the end.
        self._per_tile: dict[str, list[NDArray[Any]]] = {name: [] for name, _ in spec.per_tile}
        self._craters = file.create_group(CRATERS) if spec.craters else None

    def append(
        self,
        images: NDArray[np.uint8],
        masks: NDArray[Any],
        per_tile: Mapping[str, NDArray[Any]],
        craters: Sequence[Craters] = (),
    ) -> None:
        """Add a block of tiles.

        Args:
            images: (n, size, size) uint8.
            masks: (n, size, size), of any type of number.
            per_tile: The contract's further arrays, (n, ...) each.
            craters: One entry per tile, {field: (k,)}, where the contract has craters.

        Raises:
            ArtefactError: Names, shapes or types break the contract, or differ from those of the blocks before.
        """
        shapes = _shapes(self.spec)
        masks = np.asarray(masks)
        arrays = {IMAGES: images, MASKS: masks.astype(np.uint8) if masks.dtype == np.bool_ else masks, **per_tile}
        if set(arrays) != set(shapes):
            raise ArtefactError(f"{self.path}: arrays {sorted(arrays)} given, '{self.spec.name}' has {sorted(shapes)}")
        for name, values in arrays.items():
            if values.shape != (len(images), *shapes[name]):
                raise ArtefactError(
                    f"{self.path}: '{name}' has shape {values.shape}, '{self.spec.name}' needs"
                    f" {(len(images), *shapes[name])}"
                )
        if len(craters) != (len(images) if self.spec.craters else 0):
            raise ArtefactError(f"{self.path}: craters of {len(craters)} tiles given for {len(images)} tiles")
        if self.count + len(images) > _MOST_TILES:
            raise ArtefactError(f"{self.path}: more than {_MOST_TILES} tiles; write several files")
        # Everything is checked before the first byte of the block is written.
        tables = [self._table(self.count + k, table) for k, table in enumerate(craters)]
        self._stack(IMAGES, arrays[IMAGES])
        self._stack(MASKS, arrays[MASKS])
        for name, parts in self._per_tile.items():
            if parts and parts[0].dtype != arrays[name].dtype:
                raise ArtefactError(f"{self.path}: '{name}' is {arrays[name].dtype}, before it was {parts[0].dtype}")
            parts.append(np.array(arrays[name]))
        for k, table in enumerate(tables):
            self._add_craters(self.count + k, table)
        self.count += len(images)

    def close(self, stamp: Stamp) -> None:
        """Write what was collected and check the whole."""
        if self.count == 0:
            raise ArtefactError(f"{self.path}: holds no tiles")
        for name, parts in self._per_tile.items():
            self._file.create_dataset(name, data=np.concatenate(parts), track_times=False)
        self._file.attrs[_STAMP] = stamp.to_json()
        _check_layout(self.path, self.spec, self._file)

    def _stack(self, name: str, values: NDArray[Any]) -> None:
        if name not in self._stacks:
            # Fixed chunks of one tile, and no object times, keep the bytes a function of the content.
            side = values.shape[1:]
            self._stacks[name] = self._file.create_dataset(
                name,
                shape=(0, *side),
                maxshape=(None, *side),
                dtype=values.dtype,
                chunks=(1, *side),
                compression="gzip",
                track_times=False,
            )
        stack = self._stacks[name]
        if stack.dtype != values.dtype:
            raise ArtefactError(f"{self.path}: '{name}' is {values.dtype}, before it was {stack.dtype}")
        stack.resize(self.count + len(values), axis=0)
        for k, tile in enumerate(values):
            stack[self.count + k] = tile

    def _table(self, index: int, table: Craters) -> dict[str, NDArray[np.float32]]:
        key = f"{CRATERS}/{group_name(index)}"
        if set(table) != set(CRATER_FIELDS):
            raise ArtefactError(f"{self.path}: '{key}' has {sorted(table)}, needed are {sorted(CRATER_FIELDS)}")
        values = {name: np.asarray(table[name], dtype=np.float32) for name in CRATER_FIELDS}
        if any(value.shape != (values["x_px"].size,) for value in values.values()):
            raise ArtefactError(f"{self.path}: '{key}': its arrays have no common length")
        if values["x_px"].size > _MOST_CRATERS:
            raise ArtefactError(f"{self.path}: '{key}' has {values['x_px'].size} craters, {_MOST_CRATERS} are allowed")
        _check_craters(self.path, key, values)
        return values

    def _add_craters(self, index: int, table: dict[str, NDArray[np.float32]]) -> None:
        assert self._craters is not None
        group = self._craters.create_group(group_name(index))
        for name, values in table.items():
            group.create_dataset(name, data=values, track_times=False)


@contextmanager
def creating(path: Path, spec: TilesSpec, stamp: Stamp) -> Iterator[TilesWriter]:
    """Write tiles block by block; on success the file replaces `path` in one step.

    Raises:
        ArtefactError: A block breaks the contract, or none was given.
    """
    with replacing(path) as partial, h5py.File(partial, "w") as file:
        writer = TilesWriter(path, spec, file)
        yield writer
        writer.close(stamp)


def write(
    path: Path,
    spec: TilesSpec,
    images: NDArray[np.uint8],
    masks: NDArray[Any],
    per_tile: Mapping[str, NDArray[Any]],
    stamp: Stamp,
    craters: Sequence[Craters] = (),
) -> None:
    """Write tiles whole. See `TilesWriter.append` for the arguments and the errors raised."""
    with creating(path, spec, stamp) as writer:
        writer.append(images, masks, per_tile, craters)


def validate(path: Path, spec: TilesSpec) -> None:
    """Read every tile once and refuse what breaks the contract, a file of blank images included."""
    with opened(path, spec) as tiles:
        present = False
        for start in range(0, len(tiles), 64):
            present |= bool(tiles.read(IMAGES, slice(start, start + 64)).any())
            tiles.read(MASKS, slice(start, start + 64))
        for index in range(len(tiles) if spec.craters else 0):
            tiles.craters(index)
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


def _shapes(spec: TilesSpec) -> dict[str, tuple[int, ...]]:
    """Return the trailing shape of every array of the contract."""
    return {IMAGES: (spec.size_px,) * 2, MASKS: (spec.size_px,) * 2, **dict(spec.per_tile)}


def _check_craters(path: Path, key: str, values: Mapping[str, NDArray[np.float32]]) -> None:
    for name, array in values.items():
        legal = np.isfinite(array)
        if name.startswith("diameter"):
            legal &= array > 0.0
        if not legal.all():
            raise ArtefactError(f"{path}: '{key}/{name}' holds {array[~legal][0]}; make the tiles again")


def _check_layout(path: Path, spec: TilesSpec, file: h5py.File) -> None:
    shapes = _shapes(spec)
    absent = [name for name in (*shapes, *([CRATERS] if spec.craters else [])) if name not in file]
    if absent:
        raise ArtefactError(f"{path}: '{spec.name}' lacks {absent}; make the tiles again")
    arrays = {name: hard(path, file, name, h5py.Dataset, _MEND) for name in shapes}
    count = arrays[IMAGES].shape[0] if arrays[IMAGES].ndim else 0
    if count == 0:
        raise ArtefactError(f"{path}: holds no tiles")
    if count > _MOST_TILES:
        raise ArtefactError(f"{path}: claims {count} tiles, {_MOST_TILES} are allowed; make the tiles again")
    for name, trailing in shapes.items():
        if arrays[name].shape != (count, *trailing):
            raise ArtefactError(
                f"{path}: '{name}' has shape {arrays[name].shape}, '{spec.name}' needs {(count, *trailing)}"
            )
        check_storage(path, name, arrays[name], _MEND)
    if arrays[IMAGES].dtype != np.uint8:
        raise ArtefactError(f"{path}: '{IMAGES}' is {arrays[IMAGES].dtype}, DeepMoon's layout needs uint8")
    if spec.craters and len(hard(path, file, CRATERS, h5py.Group, _MEND)) != count:
        raise ArtefactError(f"{path}: has {len(file[CRATERS])} crater groups for {count} tiles; make the tiles again")
