"""Images: stacks of pictures, masks and what is known of each picture, in one HDF5 file, chunked image by image.

A stack is an array (n, ...) of one type; a side of its images is a number, or a name that stands for one number in the
whole file ("height"), so that smaller images are padded. Arrays with one entry per image (names, scenes, labels) stand
beside the stacks. Class names are part of the contract, and the file repeats them for readers that do not know it. The
file also tells whose images these are: licence and citation bind whatever is learned from them. Writing and reading
hold a block of images at a time, never the whole file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lunarsite.artefact.atomic import replacing
from lunarsite.artefact.hdf5 import MOST_BLOCK_BYTES, MOST_ITEMS, check_storage, hard
from lunarsite.artefact.stamp import ArtefactError, Stamp, canonical_json, parse_stamp

_STAMP, _CREDIT, _CLASSES = "lunarsite_stamp", "lunarsite_credit", "lunarsite_classes"
_MEND = "rerun the stage that writes it"
_MOST_SIDE_PX = 1 << 14
# On photographs and renders higher levels take half as long again and save less than one per cent.
_GZIP_LEVEL = 1
_CHECKED_BYTES = 1 << 25

Arrays = Mapping[str, NDArray[Any]]
Classes = tuple[tuple[int, str], ...]


class Credit(BaseModel):
    """Whose images these are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    licence: str
    citation: str
    notes: str = Field(default="", max_length=10_000)
    """What was left out, and why."""


@dataclass(frozen=True)
class Stack:
    """Images or masks: (n, *shape), a named side has one length in the whole file.

    Of a stack of classes (uint8) every number must be one of them.
    """

    name: str
    dtype: Literal["uint8", "uint16", "float32"]
    shape: tuple[int | str, ...]
    classes: Classes = ()


@dataclass(frozen=True)
class PerImage:
    """One value for each image."""

    name: str
    dtype: Literal["string", "uint8", "int64", "float64"]
    unit: str = ""
    classes: Classes = ()


@dataclass(frozen=True)
class ImagesSpec:
    """Contract of a file of images.

    Attributes:
        name: What the stamp says.
        stacks: Images and masks; the first holds the images.
        per_image: Arrays beside them.
        portable: Whether a run may use what another has made: images belong to no run.
        may_be_blank: Whether a file makes sense of which all images are zeros or unknown, as of maps of what they show.
    """

    name: str
    stacks: tuple[Stack, ...]
    per_image: tuple[PerImage, ...] = ()
    portable: bool = True
    may_be_blank: bool = False

    @property
    def arrays(self) -> tuple[Stack | PerImage, ...]:
        """Stacks and values per image, in the contract's order."""
        return (*self.stacks, *self.per_image)

    def array(self, name: str) -> Stack | PerImage:
        """Return what the contract says of an array."""
        for array in self.arrays:
            if array.name == name:
                return array
        raise ArtefactError(f"images '{self.name}' have no array '{name}'")

    def class_number(self, array: str, name: str) -> int:
        """Return the number that stands for a class in an array."""
        for number, known in self.array(array).classes:
            if known == name:
                return number
        raise ArtefactError(f"array '{array}' of images '{self.name}' has no class '{name}'")


class ImagesReader:
    """An open file that keeps its contract; images are read one block at a time."""

    def __init__(self, path: Path, spec: ImagesSpec, file: h5py.File, stamp: Stamp, credit: Credit) -> None:
        self.path, self.spec, self.stamp, self.credit = path, spec, stamp, credit
        self._file = file

    def __len__(self) -> int:
        return int(self._file[self.spec.stacks[0].name].shape[0])

    def sides(self, name: str) -> tuple[int, ...]:
        """Return the shape of one image of a stack."""
        return tuple(int(side) for side in self._file[self.spec.array(name).name].shape[1:])

    def read(self, name: str, block: slice | None = None) -> NDArray[Any]:
        """Return a block of images, or of values per image (all of them if none is named); text as objects.

        Raises:
            ArtefactError: There is no such array, the block exceeds 2 GiB, the file is damaged, or a number stands for
                no class.
        """
        array = self.spec.array(name)
        dataset, rows = self._file[name], block if block is not None else slice(None)
        wanted = len(range(*rows.indices(len(self)))) * int(np.prod(dataset.shape[1:])) * dataset.dtype.itemsize
        if wanted > MOST_BLOCK_BYTES:
            raise ArtefactError(f"{self.path}: {wanted} bytes of '{name}' at once; read fewer images at a time")
        try:
            values = np.asarray(dataset[rows])
        except OSError as error:
            raise ArtefactError(f"{self.path}: '{name}' cannot be read ({error}); {_MEND}") from error
        _check_classes(self.path, array, values)
        if array.dtype != "string":
            return values
        try:
            return np.array([text.decode("utf-8") for text in values], dtype=object)
        except UnicodeDecodeError as error:
            raise ArtefactError(f"{self.path}: '{name}' is no UTF-8 text ({error}); {_MEND}") from error


class ImagesWriter:
    """Takes blocks of images; the file appears when the context ends without an error."""

    def __init__(self, path: Path, spec: ImagesSpec, file: h5py.File, sides: Mapping[str, int]) -> None:
        self.path, self.spec, self.count = path, spec, 0
        self.notes = ""
        """What was left out, and why, if that is known only in the end; it takes the place of the credit's notes."""
        self._file = file
        # Few bytes per image; they are written in one piece at the end.
        self._values: dict[str, list[NDArray[Any]]] = {array.name: [] for array in spec.per_image}
        self._stacks = {stack.name: self._created(stack, sides) for stack in spec.stacks}

    def append(self, arrays: Arrays) -> None:
        """Add a block: every array of the contract, (n, ...) each.

        Raises:
            ArtefactError: Names, shapes, types or classes break the contract.
        """
        names = {array.name for array in self.spec.arrays}
        if set(arrays) != names:
            raise ArtefactError(f"{self.path}: arrays {sorted(arrays)} given, '{self.spec.name}' has {sorted(names)}")
        count = len(arrays[self.spec.stacks[0].name])
        if self.count + count > MOST_ITEMS:
            raise ArtefactError(f"{self.path}: more than {MOST_ITEMS} images; write several files")
        # Everything is checked before the first byte of the block is written.
        for stack in self.spec.stacks:
            self._check(stack, arrays[stack.name], (count, *self._stacks[stack.name].shape[1:]))
        values = {array.name: self._checked_values(array, arrays[array.name], count) for array in self.spec.per_image}
        for stack in self.spec.stacks:
            dataset = self._stacks[stack.name]
            dataset.resize(self.count + count, axis=0)
            for k, image in enumerate(arrays[stack.name]):
                dataset[self.count + k] = image
        for name, value in values.items():
            self._values[name].append(value)
        self.count += count

    def close(self, stamp: Stamp, credit: Credit) -> None:
        """Write what was collected and check the whole."""
        if self.count == 0:
            raise ArtefactError(f"{self.path}: holds no images")
        for name, parts in self._values.items():
            self._file.create_dataset(name, data=np.concatenate(parts), track_times=False)
        self._file.attrs[_STAMP] = stamp.to_json()
        known = {**credit.model_dump(mode="json"), **({"notes": self.notes[:10_000]} if self.notes else {})}
        self._file.attrs[_CREDIT] = canonical_json(known)
        self._file.attrs[_CLASSES] = _classes_json(self.spec)
        _check_layout(self.path, self.spec, self._file)

    def _created(self, stack: Stack, sides: Mapping[str, int]) -> h5py.Dataset:
        shape = tuple(side if isinstance(side, int) else sides[side] for side in stack.shape)
        if not all(0 < side <= _MOST_SIDE_PX for side in shape):
            raise ArtefactError(f"{self.path}: images of {shape} pixels; sides of 1 to {_MOST_SIDE_PX} are allowed")
        # Chunks of one image, and no object times, keep the bytes a function of the content.
        return self._file.create_dataset(
            stack.name,
            shape=(0, *shape),
            maxshape=(None, *shape),
            dtype=stack.dtype,
            chunks=(1, *shape),
            compression="gzip",
            compression_opts=_GZIP_LEVEL,
            shuffle=np.dtype(stack.dtype).itemsize > 1,
            track_times=False,
        )

    def _check(self, array: Stack | PerImage, values: NDArray[Any], shape: tuple[int, ...]) -> None:
        if values.shape != shape or values.dtype != array.dtype:
            raise ArtefactError(
                f"{self.path}: '{array.name}' is {values.dtype} {values.shape}, '{self.spec.name}' needs"
                f" {array.dtype} {shape}"
            )
        _check_classes(self.path, array, values)

    def _checked_values(self, array: PerImage, values: NDArray[Any], count: int) -> NDArray[Any]:
        if array.dtype != "string":
            self._check(array, values, (count,))
            return np.array(values)
        texts = [str(value).encode("utf-8") for value in values]
        if len(texts) != count:
            raise ArtefactError(f"{self.path}: {len(texts)} values of '{array.name}' for {count} images")
        # numpy cuts zeros off the end of a text.
        if any(text.endswith(b"\0") for text in texts):
            raise ArtefactError(f"{self.path}: a value of '{array.name}' ends with a zero byte")
        return np.array(texts, dtype="S") if texts else np.empty(0, dtype="S1")


@contextmanager
def creating(
    path: Path, spec: ImagesSpec, stamp: Stamp, credit: Credit, sides: Mapping[str, int] | None = None
) -> Iterator[ImagesWriter]:
    """Write images block by block; on success the file replaces `path` in one step.

    Args:
        path: The file.
        spec: Its contract.
        stamp: What made it.
        credit: Whose images these are.
        sides: Lengths of the sides that the contract names.

    Raises:
        ArtefactError: A block breaks the contract, or none was given.
    """
    with replacing(path) as partial, h5py.File(partial, "w") as file:
        writer = ImagesWriter(path, spec, file, sides or {})
        yield writer
        writer.close(stamp, credit)


@contextmanager
def opened(path: Path, spec: ImagesSpec) -> Iterator[ImagesReader]:
    """Open a file of images after checking its layout.

    Raises:
        ArtefactError: It is missing, truncated or breaks the contract.
    """
    if not path.exists():
        raise ArtefactError(f"{path}: does not exist; run the stage that writes '{spec.name}' first")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ArtefactError(f"{path}: is no readable HDF5 file ({error}); {_MEND}") from error
    with file:
        stamp = parse_stamp(_text(file, _STAMP), path, spec.name)
        try:
            credit = Credit.model_validate_json(_text(file, _CREDIT) or "")
        except ValidationError as error:
            raise ArtefactError(f"{path}: does not tell whose images it holds ({error}); {_MEND}") from error
        _check_layout(path, spec, file)
        yield ImagesReader(path, spec, file, stamp, credit)


def validate(path: Path, spec: ImagesSpec) -> None:
    """Read every image once and refuse what breaks the contract, a file of blank images included."""
    with opened(path, spec) as images:
        present = False
        for stack in spec.stacks:
            image_bytes = int(np.prod(images.sides(stack.name))) * np.dtype(stack.dtype).itemsize
            step = max(1, _CHECKED_BYTES // image_bytes)
            for start in range(0, len(images), step):
                values = images.read(stack.name, slice(start, start + step))
                present |= stack is spec.stacks[0] and bool((np.abs(values) > 0).any())
        for array in spec.per_image:
            images.read(array.name)
        if not present and not spec.may_be_blank:
            raise ArtefactError(f"{path}: all images are blank; look at its stage's log and inputs")


def read_stamp(path: Path) -> Stamp:
    """Return the stamp of any file of images."""
    try:
        with h5py.File(path, "r") as file:
            return parse_stamp(_text(file, _STAMP), path)
    except OSError as error:
        raise ArtefactError(f"{path}: is no readable HDF5 file ({error}); {_MEND}") from error


def _text(file: h5py.File, name: str) -> str | None:
    text = file.attrs.get(name)
    return text if isinstance(text, str) else None


def _classes_json(spec: ImagesSpec) -> str:
    arrays = [array for array in spec.arrays if array.classes]
    return json.dumps({array.name: {str(number): name for number, name in array.classes} for array in arrays})


def _check_classes(path: Path, array: Stack | PerImage, values: NDArray[Any]) -> None:
    if not array.classes:
        return
    if array.dtype == "uint8":
        legal = np.zeros(256, dtype=np.bool_)
        legal[[number for number, _ in array.classes]] = True
        wrong = ~legal[values]
    else:
        wrong = ~np.isin(values, [number for number, _ in array.classes])
    if wrong.any():
        known = ", ".join(f"{number} {name}" for number, name in array.classes)
        raise ArtefactError(f"{path}: '{array.name}' holds {values[wrong][0]}, classes are {known}; {_MEND}")


def _check_layout(path: Path, spec: ImagesSpec, file: h5py.File) -> None:
    arrays = {array.name: hard(path, file, array.name, h5py.Dataset, _MEND) for array in spec.stacks}
    values = {array.name: hard(path, file, array.name, h5py.Dataset, _MEND) for array in spec.per_image}
    first = arrays[spec.stacks[0].name]
    count = first.shape[0] if first.ndim else 0
    if not 0 < count <= MOST_ITEMS:
        raise ArtefactError(f"{path}: claims {count} images, 1 to {MOST_ITEMS} are allowed; {_MEND}")
    sides: dict[str, int] = {}
    for stack in spec.stacks:
        found = arrays[stack.name]
        check_storage(path, stack.name, found, _MEND)
        fits = found.ndim == len(stack.shape) + 1 and found.dtype == stack.dtype and found.shape[0] == count
        for side, length in zip(stack.shape, found.shape[1:] if fits else (), strict=True) if fits else ():
            wanted = side if isinstance(side, int) else sides.setdefault(side, length)
            fits &= length == wanted and 0 < length <= _MOST_SIDE_PX
        if not fits:
            raise ArtefactError(
                f"{path}: '{stack.name}' is {found.dtype} {found.shape}, '{spec.name}' needs {stack.dtype}"
                f" {(count, *stack.shape)}; {_MEND}"
            )
    for array in spec.per_image:
        found = values[array.name]
        check_storage(path, array.name, found, _MEND, text=array.dtype == "string")
        if found.shape != (count,) or array.dtype not in ("string", found.dtype.name):
            raise ArtefactError(
                f"{path}: '{array.name}' is {found.dtype} {found.shape}, '{spec.name}' needs {array.dtype} {(count,)};"
                f" {_MEND}"
            )
