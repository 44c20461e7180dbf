"""What a member learns from: crops by index, drawn from files of scenes; and whole pictures that choose.

A crop depends on the seed and its index alone. Photographs with labels make up the share that the settings ask for, and
renders the rest. Masks of kind 'ground' hold tiny rocks that others leave out: those are unknown to the loss, neither
rock nor ground. The files are opened by the process that reads.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.utils.data import Dataset

from lunarsite.artefact import images
from lunarsite.artefact.contracts import ROCK_SCENES
from lunarsite.artefact.images import ImagesReader
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.settings.rock import RockLearningSettings, RockSplitSettings
from lunarsite.vision.rock.augment import augment
from lunarsite.vision.rock.classes import ROCKS, UNKNOWN
from lunarsite.vision.rock.split import TRAINING, VALIDATION, splits
from lunarsite.vision.rock.style import StyleStatistics, gathered, photographs
from lunarsite.vision.rock.views import normalised, reduced_size

Bytes = NDArray[np.uint8]
Item = dict[str, Tensor]

_PHOTOGRAPH = ROCK_SCENES.class_number("kind", "photograph")
_EVERY_ROCK = ROCK_SCENES.class_number("mask_kind", "ground")
LEAST_ROCK_SHARE = 100.0 / 480.0**2
"""Connected rock of a smaller area, as a share of the square of the longer side, is what masks of kind 'clean' leave
out: of 823 areas in the 84 of them that teach 95 % are larger, of 2 952 in 29 masks of kind 'ground', which all teach,
82 % are smaller."""
KEPT_BYTES = 512 * 2**20
"""Of reduced pictures and masks that a process keeps: reading one again costs as much as changing it does. Those of the
dataset here take 100 MB; of a larger one the first are kept."""


@dataclass(frozen=True)
class Place:
    """Where a picture is, and what it is."""

    file: int
    number: int
    photograph: bool
    every_rock: bool
    name: str
    scene: str


def places(paths: Sequence[Path], split: RockSplitSettings, part: int, *, labelled: bool) -> tuple[Place, ...]:
    """Return the pictures of one part of the split, in the files' order; `labelled`: photographs among them."""
    found = []
    for file, path in enumerate(paths):
        with images.opened(path, ROCK_SCENES) as reader:
            parts, kinds, masks = splits(reader, split), reader.read("kind"), reader.read("mask_kind")
            names, scenes = reader.read("name"), reader.read("scene")
        found += [
            Place(
                file,
                int(k),
                bool(kinds[k] == _PHOTOGRAPH),
                bool(masks[k] == _EVERY_ROCK),
                str(names[k]),
                str(scenes[k]),
            )
            for k in np.flatnonzero(parts == part)
            if labelled or kinds[k] != _PHOTOGRAPH
        ]
    return tuple(found)


def style_of(paths: Sequence[Path], split: RockSplitSettings) -> StyleStatistics | None:
    """Return the statistics of the photographs that may be seen, without their labels; None where there are none."""
    seen: list[Bytes] = []
    for path in paths:
        with images.opened(path, ROCK_SCENES) as reader:
            parts = splits(reader, split)
        seen += photographs(path, (parts == TRAINING) | (parts == VALIDATION))
    return gathered(seen) if seen else None


class _Pictures(Dataset[Item]):
    def __init__(self, paths: Sequence[Path], found: Sequence[Place], longest_side_px: int) -> None:
        self.paths, self.places, self.longest_side_px = tuple(paths), tuple(found), longest_side_px
        self._readers: dict[int, ImagesReader] = {}
        self._stack = ExitStack()
        self._process = 0
        self._kept: dict[int, tuple[Bytes, Bytes]] = {}
        self._kept_bytes = 0

    def __getstate__(self) -> dict[str, Any]:
        """Leave open files and kept pictures behind: another process opens and keeps its own."""
        nothing = {"_readers": {}, "_stack": ExitStack(), "_process": 0, "_kept": {}, "_kept_bytes": 0}
        return {**self.__dict__, **nothing}

    def close(self) -> None:
        """Close what this process opened."""
        if self._process == os.getpid():
            self._stack.close()
        self._readers, self._stack = {}, ExitStack()

    def picture(self, number: int) -> tuple[Bytes, Bytes]:
        """Return picture (h, w, 3) and mask (h, w), reduced as inference reduces them."""
        if number not in self._kept:
            place = self.places[number]
            image, mask = read_pair(self._reader(place.file), place.number, self.longest_side_px)
            pair = (image, without_tiny(mask) if place.every_rock else mask)
            for array in pair:
                array.flags.writeable = False
            if self._kept_bytes + pair[0].nbytes + pair[1].nbytes > KEPT_BYTES:
                return pair
            self._kept[number] = pair
            self._kept_bytes += pair[0].nbytes + pair[1].nbytes
        return self._kept[number]

    def _reader(self, file: int) -> ImagesReader:
        if self._process != os.getpid():
            # After a fork the parent's handles are not ours to use, nor to close.
            self._readers, self._stack, self._process = {}, ExitStack(), os.getpid()
        if file not in self._readers:
            self._readers[file] = self._stack.enter_context(images.opened(self.paths[file], ROCK_SCENES))
        return self._readers[file]


class Crops(_Pictures):
    """Training crops: `image` (3, n, n), normalised, and `target` (n, n), classes with 255 for unknown."""

    def __init__(
        self,
        paths: Sequence[Path],
        found: Sequence[Place],
        learning: RockLearningSettings,
        longest_side_px: int,
        style: StyleStatistics | None,
        seed: int,
    ) -> None:
        super().__init__(paths, found, longest_side_px)
        self.learning, self.style, self.seed = learning, style, seed
        real = np.array([place.photograph for place in found], dtype=bool)
        self.real, self.rendered = np.flatnonzero(real), np.flatnonzero(~real)
        if not len(found):
            raise ArtefactError(
                f"{', '.join(map(str, paths))}: no scenes are left to train on; lower rock.split's shares"
            )

    def __getitem__(self, index: int) -> Item:
        """Return crop `index`."""
        generator = np.random.default_rng([self.seed, index])
        real = generator.random() < self.learning.photograph_weight
        among = self.real if (real and self.real.size) or not self.rendered.size else self.rendered
        image, mask = self.picture(int(among[generator.integers(among.size)]))
        crop_px = self.learning.training.crop_px
        image, mask = augment(image, mask, self.learning.augmentation, crop_px, generator, self.style)
        return _item(image, mask)


class Whole(_Pictures):
    """Validation pictures, whole, at the upper left of a square of `side_px`: unknown beyond."""

    def __init__(self, paths: Sequence[Path], found: Sequence[Place], longest_side_px: int) -> None:
        super().__init__(paths, found, longest_side_px)
        self.side_px = -(-longest_side_px // 32) * 32

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Item:
        """Return picture `index`."""
        if not 0 <= index < len(self.places):
            raise IndexError(index)
        image, mask = self.picture(index)
        margins = [(0, self.side_px - length) for length in mask.shape]
        return _item(
            np.pad(image, (*margins, (0, 0)), mode="symmetric"), np.pad(mask, margins, constant_values=UNKNOWN)
        )


def read_pair(reader: ImagesReader, number: int, longest_side_px: int) -> tuple[Bytes, Bytes]:
    """Return picture `number` (h, w, 3) of a file and its mask (h, w), reduced to a longest side, without padding."""
    from PIL import Image

    block = slice(number, number + 1)
    rows, cols = (int(reader.read(name, block)[0]) for name in ("valid_height", "valid_width"))
    image, mask = (reader.read(name, block)[0, :rows, :cols] for name in ("images", "masks"))
    size = reduced_size(rows, cols, longest_side_px)
    if size != (rows, cols):
        image = np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BOX))
        mask = np.asarray(Image.fromarray(mask).resize(size[::-1], Image.Resampling.NEAREST))
    return image, mask


def without_tiny(mask: Bytes) -> Bytes:
    """Return a mask in which connected rock of less than LEAST_ROCK_SHARE is unknown."""
    least_px = LEAST_ROCK_SHARE * max(mask.shape) ** 2
    rock, touching = np.isin(mask, ROCKS), np.ones((3, 3), dtype=bool)
    labels, count = ndimage.label(rock, structure=touching)
    area = np.bincount(labels.ravel(), minlength=count + 1)
    return np.where(rock & (area[labels] < least_px), np.uint8(UNKNOWN), mask)


def _item(image: Bytes, mask: Bytes) -> Item:
    return {"image": normalised(image)[0], "target": torch.from_numpy(mask.astype(np.int64))}
