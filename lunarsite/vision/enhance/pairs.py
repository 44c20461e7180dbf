"""Pairs for training: what the sensor makes of a scene, and what it would show if there were no noise.

Pair i is a function of the seed and of i alone. A scene is drawn, turned or mirrored, exposed at a signal drawn evenly
in its logarithm, and cropped; image and truth stand in the standard scale of the noisy image, as at inference, where
nothing else is there to fit it on. An image may be a corner of a scene or many scenes wide, so the scale is fitted on
the crop as often as on the whole, and shaken a little.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from lunarsite.artefact import images
from lunarsite.artefact.contracts.enhance import LIT_SCENES
from lunarsite.artefact.images import ImagesReader
from lunarsite.settings.enhance import SensorSettings
from lunarsite.vision.enhance.holes import filled
from lunarsite.vision.enhance.normalise import Scale, fit
from lunarsite.vision.enhance.sensor import Exposure, draw_conditions, expose
from lunarsite.vision.learn import LearningError

Item = dict[str, Tensor]

_LEAST_COUNTED = 0.1
"""Share of a crop that must lie in shadow and be known."""
_DRAWS = 8
"""Crops that are tried for it; the last is taken in any case, and counts for as much as it has."""
_ACROSS = 0.25
"""Share of the pairs whose stripes run along rows: mapped images lie at any angle to the sensor's columns."""
_JITTER_MEDIAN, _JITTER_SPREAD = 0.05, 0.1
"""Standard deviations of the scale's shifts, in spreads, and of the logarithm of the factor on its spread."""


def usable(path: Path, split: str) -> NDArray[np.int64]:
    """Return the numbers of a split's scenes ('training', 'validation' or 'test') that a camera can be exposed for.

    Scenes with fewer than a tenth of their pixels in shadow and known, or hardly any light in it, are left out.
    """
    found = []
    with images.opened(path, LIT_SCENES) as reader:
        splits = reader.read("split")
        for number in np.flatnonzero(splits == LIT_SCENES.class_number("split", split)):
            radiance, sun = scene(reader, int(number))
            counted = np.isfinite(radiance) & (sun == 0.0)
            if counted.mean() >= _LEAST_COUNTED and (radiance[counted] > 0.0).mean() >= _LEAST_COUNTED:
                found.append(int(number))
    return np.array(found, dtype=np.int64)


def scene(reader: ImagesReader, number: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a scene's scattered radiance and visible share of the Sun's disc, (H, W) each; NaN where unknown."""
    block = slice(number, number + 1)
    radiance, sun = (reader.read(name, block)[0] for name in ("scattered", "sun_fraction"))
    return np.where(np.isfinite(sun), radiance, np.nan), sun


def standard_pair(
    exposure: Exposure, radiance: NDArray[Any], scale: Scale
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return image, truth and weight (H, W) in a standard scale.

    All are finite, as at inference: holes and overexposed ground are filled from what surrounds them. The weight is 0
    where the truth is unknown or the image overexposed.
    """
    counted = np.isfinite(exposure.image) & np.isfinite(radiance) & ~exposure.overexposed
    seen = np.isfinite(exposure.image) & ~exposure.overexposed
    image = filled(scale.forward(exposure.image), seen)
    truth = np.where(counted, scale.forward(radiance), 0.0).astype(np.float32)
    return image, truth, counted.astype(np.float32)


class Pairs(Dataset[Item]):
    """Crops of `crop_px` pixels: `image`, `target` and `weight`, (1, n, n) each, in the standard scale.

    The file is opened by the process that reads.
    """

    def __init__(
        self, path: Path, scenes: Sequence[int] | NDArray[np.int64], count: int, crop_px: int, seed: int,
        sensor: SensorSettings,
    ) -> None:  # fmt: skip
        if not len(scenes):
            raise ValueError("there are no scenes to draw pairs from")
        self.path, self.scenes, self.count = path, np.asarray(scenes, np.int64), count
        self.crop_px, self.seed, self.sensor = crop_px, seed, sensor
        self._opened: ImagesReader | None = None
        self._stack = ExitStack()
        self._process = 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Item:
        """Return pair `index`."""
        if not 0 <= index < self.count:
            raise IndexError(index)
        rng = np.random.default_rng([self.seed, index])
        radiance, sun = scene(self._reader(), int(self.scenes[rng.integers(self.scenes.size)]))
        return pair(radiance, sun, self.crop_px, self.sensor, rng)

    def __getstate__(self) -> dict[str, Any]:
        """Leave an open file behind: another process opens its own."""
        return {**self.__dict__, "_opened": None, "_stack": ExitStack(), "_process": 0}

    def close(self) -> None:
        """Close what this process opened."""
        if self._process == os.getpid():
            self._stack.close()
        self._opened, self._stack = None, ExitStack()

    def _reader(self) -> ImagesReader:
        if self._opened is None or self._process != os.getpid():
            # After a fork the parent's handles are not ours to use, nor to close.
            self._stack, self._process = ExitStack(), os.getpid()
            self._opened = self._stack.enter_context(images.opened(self.path, LIT_SCENES))
        return self._opened


def pair(
    radiance: NDArray[Any], sun: NDArray[Any], crop_px: int, sensor: SensorSettings, rng: np.random.Generator
) -> Item:
    """Return one pair of a scene.

    Raises:
        LearningError: The scene is smaller than the crop, or gives the sensor no light.
    """
    if min(radiance.shape) < crop_px:
        raise LearningError(
            f"scenes of {radiance.shape} pixels are smaller than a crop of {crop_px}; lower"
            " enhance.denoiser.training.crop_px or raise enhance.scenes.tile_px"
        )
    turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
    radiance, sun = (_turned(values, turns, mirrored) for values in (radiance, sun))
    exposure = expose(radiance, sun, draw_conditions(sensor, rng), sensor, rng)
    whole = fit(exposure.image)
    counted = np.isfinite(exposure.image) & ~exposure.overexposed
    window, share = (slice(0, crop_px), slice(0, crop_px)), 0.0
    for _ in range(_DRAWS):
        top, left = (int(rng.integers(side - crop_px + 1)) for side in radiance.shape)
        window = slice(top, top + crop_px), slice(left, left + crop_px)
        share = float(counted[window].mean())
        if share >= _LEAST_COUNTED:
            break
    scale = fit(exposure.image[window]) if share >= _LEAST_COUNTED and rng.random() < 0.5 else whole
    shift, factor = rng.normal(0.0, _JITTER_MEDIAN), float(np.exp(rng.normal(0.0, _JITTER_SPREAD)))
    scale = Scale(scale.median + shift * scale.spread, scale.spread * factor, scale.most)
    across = rng.random() < _ACROSS
    arrays = [values[window] for values in standard_pair(exposure, radiance, scale)]
    return {
        name: torch.from_numpy(np.ascontiguousarray((values.T if across else values)[None]))
        for name, values in zip(("image", "target", "weight"), arrays, strict=True)
    }


def _turned(values: NDArray[Any], turns: int, mirrored: bool) -> NDArray[Any]:
    turned = np.rot90(values, turns)
    return turned[:, ::-1] if mirrored else turned
