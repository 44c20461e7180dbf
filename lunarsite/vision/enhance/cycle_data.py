"""The two domains of the CycleGAN: crops of sunlit and of shadowed ground, never of the same ground in one step.

What is drawn at a step is a function of the seed and of the step's number alone. The shadowed domain is what the sensor
makes of rendered scattered light; the sunlit one is rendered in sunlight. Real images may be mixed into either. All
stand in a standard scale of their own, cut off where only overexposed ground or a glint can be.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lunarsite.artefact import ArtefactError, images
from lunarsite.artefact.contracts import PSR_IMAGES
from lunarsite.artefact.contracts.enhance import LIT_SCENES
from lunarsite.artefact.images import Credit, ImagesReader
from lunarsite.settings.enhance import SensorSettings
from lunarsite.vision.enhance.normalise import Scale, fit
from lunarsite.vision.enhance.pairs import pair, scene, usable
from lunarsite.vision.learn import LearningError

Side = Literal["shadowed", "sunlit"]
SIDES: tuple[Side, Side] = ("shadowed", "sunlit")

MOST_STANDARD = 4.0
"""The networks see the standard scale cut off here, on both sides: 27 spreads from the median."""
REAL_SHARE = 0.25
"""Share of a side's crops that are real, where it has real images."""
_LEAST_VALID = 0.9
"""Share of a real tile that must be known."""
_LEAST_WEIGHT, _TRIES = 0.8, 6
"""Share of a crop that should be known and not overexposed, and how many crops are tried for it."""


@dataclass(frozen=True)
class Pool:
    """Images of one file that a side draws from."""

    numbers: NDArray[np.int64]
    grounds: NDArray[np.object_]
    """Of each of them; images of one ground may overlap."""


@dataclass(frozen=True)
class Drawn:
    """A step's crops."""

    shadowed: Tensor
    """(N, 1, n, n), in the standard scale, finite."""
    sunlit: Tensor
    grounds: dict[Side, frozenset[str]]


class Domains:
    """The training data of the CycleGAN; a context that keeps its files open.

    Raises:
        ArtefactError: A side has no images, all ground is one, or images are smaller than a crop.
    """

    def __init__(
        self, scenes: Path, real: Path | None, crop_px: int, batch: int, seed: int, sensor: SensorSettings
    ) -> None:
        self.scenes, self.real, self.crop_px, self.batch, self.seed = scenes, real, crop_px, batch, seed
        self.sensor = sensor
        self._stack = ExitStack()
        self.rendered = _rendered(scenes)
        self.photographed = {side: _photographed(real, side) for side in SIDES} if real is not None else {}

    def __enter__(self) -> Self:
        self._scenes = self._stack.enter_context(images.opened(self.scenes, LIT_SCENES))
        self.credits: list[Credit] = [self._scenes.credit]
        readers: list[tuple[ImagesReader, Path]] = [(self._scenes, self.scenes)]
        if self.real is not None:
            self._real = self._stack.enter_context(images.opened(self.real, PSR_IMAGES))
            self.credits.append(self._real.credit)
            readers.append((self._real, self.real))
        for reader, path in readers:
            side_px = min(reader.sides(reader.spec.stacks[0].name))
            if side_px < self.crop_px:
                raise ArtefactError(
                    f"{path}: images of {side_px} px are smaller than a crop of {self.crop_px}; lower"
                    " enhance.cycle.crop_px, or make larger images"
                )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def counts(self) -> dict[str, int]:
        """Return how many images there are to draw from."""
        found = {f"rendered_{side}": int(pool.numbers.size) for side, pool in self.rendered.items()}
        return found | {f"real_{side}": int(pool.numbers.size) for side, pool in self.photographed.items()}

    def draw(self, step: int) -> Drawn:
        """Return the crops of a step.

        The grounds are dealt out anew for every step, half of them to each side, so that no judge or generator ever
        meets a place in both lights at once.
        """
        rng = np.random.default_rng([self.seed, step])
        rendered, real_ones = _dealt(self.rendered, rng), _dealt(self.photographed, rng)
        while not all(rendered[side].size for side in SIDES):  # where few scenes have a side
            rendered = _dealt(self.rendered, rng)
        crops: dict[Side, list[NDArray[np.float32]]] = {side: [] for side in SIDES}
        grounds: dict[Side, set[str]] = {side: set() for side in SIDES}
        for side in SIDES:
            for _ in range(self.batch):
                real = rng.random() < REAL_SHARE and real_ones[side].size > 0
                crop, ground = self._crop(side, (real_ones if real else rendered)[side], real, rng)
                crops[side].append(crop)
                grounds[side].add(ground)
        shadowed, sunlit = (torch.from_numpy(np.stack(crops[side])[:, None]) for side in SIDES)
        return Drawn(shadowed, sunlit, {side: frozenset(names) for side, names in grounds.items()})

    def _crop(
        self, side: Side, choice: NDArray[np.int64], real: bool, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], str]:
        """Return a crop (n, n) and the name of its ground; the best of a few where too little is known."""
        pool = (self.photographed if real else self.rendered)[side]
        best, ground, most = np.empty(0, np.float32), "", -1.0
        for _ in range(_TRIES):
            index = int(choice[rng.integers(choice.size)])
            number = int(pool.numbers[index])
            if side == "shadowed" and not real:
                item = pair(*scene(self._scenes, number), self.crop_px, self.sensor, rng)
                crop, share = item["image"].numpy()[0], float(item["weight"].mean())
            else:
                reader, stack = (self._real, "images") if real else (self._scenes, "sunlit")
                crop, share = _standard_crop(reader.read(stack, slice(number, number + 1))[0], self.crop_px, rng)
            if share > most:
                best, ground, most = crop, str(pool.grounds[index]), share
            if most >= _LEAST_WEIGHT:
                break
        return np.clip(best, -MOST_STANDARD, MOST_STANDARD), ground


def _standard_crop(image: NDArray[Any], crop_px: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], float]:
    """Return a crop (n, n) in the standard scale, turned or mirrored by chance, and the share of it that is known.

    The scale is fitted on the crop as often as on the whole image; a crop of one value only takes the image's.
    """
    top, left = (int(rng.integers(side - crop_px + 1)) for side in image.shape)
    part = np.rot90(image[top : top + crop_px, left : left + crop_px], int(rng.integers(4)))
    part = part[:, ::-1] if rng.integers(2) else part
    scale = _fitted(part) if rng.random() < 0.5 else None
    standard = (scale or fit(image)).forward(part)
    return np.ascontiguousarray(np.nan_to_num(standard, nan=0.0)), float(np.isfinite(part).mean())


def _fitted(values: NDArray[Any]) -> Scale | None:
    """Return the standard scale of an image, None if it has no signal."""
    try:
        return fit(values)
    except LearningError:
        return None


def _dealt(pools: dict[Side, Pool], rng: np.random.Generator) -> dict[Side, NDArray[np.int64]]:
    """Return which of each pool's images a step may draw: of half of the grounds each, never both of one."""
    names = np.array(sorted({name for pool in pools.values() for name in pool.grounds}), dtype=object)
    order = rng.permutation(names)
    halves = dict(zip(SIDES, (set(order[: order.size // 2]), set(order[order.size // 2 :])), strict=True))
    return {
        side: np.flatnonzero([name in halves[side] for name in pools[side].grounds])
        if side in pools
        else np.zeros(0, np.int64)
        for side in SIDES
    }


def _rendered(path: Path) -> dict[Side, Pool]:
    numbers = usable(path, "training")
    with images.opened(path, LIT_SCENES) as reader:
        grounds = reader.read("ground")
        bright = np.array([n for n in numbers if _fitted(reader.read("sunlit", slice(n, n + 1))[0])], np.int64)
    if not bright.size or not numbers.size or len({*grounds[numbers], *grounds[bright]}) < 2:
        raise ArtefactError(
            f"{path}: holds scenes for training of {len(set(grounds[numbers]))} places; two at least are needed, so"
            " that no step shows one place in both lights: draw more tiles (enhance.scenes.tiles_per_model) or widen"
            " the sectors (enhance.scenes)"
        )
    return {"shadowed": Pool(numbers, grounds[numbers]), "sunlit": Pool(bright, grounds[bright])}


def _photographed(path: Path, side: Side) -> Pool:
    with images.opened(path, PSR_IMAGES) as reader:
        wanted = reader.read("domain") == PSR_IMAGES.class_number("domain", side)
        wanted &= reader.read("valid_share") >= _LEAST_VALID
        numbers = np.array(
            [n for n in np.flatnonzero(wanted) if _fitted(reader.read("images", slice(n, n + 1))[0])], np.int64
        )
        return Pool(numbers, reader.read("scene")[numbers])
