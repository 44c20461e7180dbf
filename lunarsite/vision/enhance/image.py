"""An image of any size, enhanced: seamless, in the image's own numbers, in the memory of one row of tiles.

An image is a source of rows: an array, or a file that is read from the top, each row once. It is brought to the
standard scale, which belongs to the whole image; unknown pixels are filled from what surrounds them, for the network
must see numbers there, and are unknown again afterwards. The network runs over tiles that fade into each other
(`vision.learn.tiling`), and the inverse of the scale gives the numbers back, with their errors. Nothing depends on how
the rows were read; on the tiles it depends as far as the network sees beyond half a halo.

Overexposed pixels, and those beyond the reach of the networks, keep their own numbers: there is nothing to reveal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lunarsite.settings.enhance import EnhancementSettings
from lunarsite.vision.enhance.denoiser import MOST_STANDARD
from lunarsite.vision.enhance.enhancer import Enhancer, load_cycle, load_denoiser
from lunarsite.vision.enhance.holes import FILL_REACH_PX, filled
from lunarsite.vision.enhance.normalise import Scale, fit_strips
from lunarsite.vision.enhance.numbers import narrowed
from lunarsite.vision.enhance.support import MARGIN_PX, UNKNOWN, support
from lunarsite.vision.learn import LearningError, ResultError
from lunarsite.vision.learn.tiling import predict_strips

Floats = NDArray[np.float32]
Progress = Callable[[float, float], None]

MOST_ROUNDING = 0.05
"""Of an image's spread: rounding to 32 bits by more than this would change what is seen."""
_READ_PX = 1 << 22
"""Pixels that are read at once to fit the scale."""


class Source(Protocol):
    """An image that is read from the top."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, pixels."""
        ...

    @property
    def rounding(self) -> float:
        """By how much a number that was read so far was rounded at most, to be a float32."""
        ...

    def read(self, rows: slice) -> Floats:
        """Return whole rows, (rows, W) float32; NaN where unknown."""
        ...


@dataclass(frozen=True)
class Enhanced:
    """An enhanced image, or some of its rows; all (rows, W)."""

    enhanced: Floats
    """In the image's numbers; NaN where unknown."""
    error: Floats
    """Standard error, in the image's numbers; NaN where unknown, overexposed, or beyond the reach of the networks."""
    support: NDArray[np.uint8]
    """1: borne out by the image's own signal; 0: not; 255: unknown."""


@dataclass
class ArraySource:
    """An image in memory, (H, W), any numbers; what is not finite is unknown."""

    values: NDArray[Any]
    rounding: float = 0.0

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, pixels."""
        height, width = self.values.shape
        return height, width

    def read(self, rows: slice) -> Floats:
        """Return whole rows."""
        values, rounding = narrowed(self.values[rows])
        self.rounding = max(self.rounding, rounding)
        # Too large for 32 bits is unknown, too.
        return np.where(np.isfinite(values), values, np.float32(np.nan))


def load_enhancer(method: Literal["denoiser", "cycle"], path: Path) -> Enhancer:
    """Return the network of a method from its file.

    Raises:
        ArtefactError: The file breaks its contract, as another method's does.
    """
    return load_denoiser(path) if method == "denoiser" else load_cycle(path)


def fit_scale(source: Source, progress: Progress | None = None) -> Scale:
    """Return the standard scale of an image.

    Raises:
        LearningError: It has no known pixels, they all hold one value, or their differences are lost in 32 bits.
    """
    height, width = source.shape
    step = max(1, _READ_PX // width)

    def strips() -> Iterator[Floats]:
        for start in range(0, height, step):
            yield source.read(slice(start, min(start + step, height)))
            if progress is not None:
                progress(min(start + step, height), height)

    scale = fit_strips(strips(), height * width)
    if source.rounding > MOST_ROUNDING * scale.spread:
        raise LearningError(
            f"the image's differences ({scale.spread:.3g} about {scale.median:.8g}) are lost in 32 bits, in which it is"
            " enhanced and written; subtract what all its pixels share first (gdal_calc.py -A IN --calc=A-OFFSET)"
        )
    return scale


def fit_scale_of(values: NDArray[Any]) -> Scale:
    """Return the standard scale of an image in memory, (H, W). See `fit_scale`."""
    return fit_scale(ArraySource(values))


def enhance_array(
    values: NDArray[Any],
    enhancer: Enhancer,
    settings: EnhancementSettings,
    scale: Scale | None = None,
    progress: Progress | None = None,
) -> Enhanced:
    """Return an image in memory, enhanced.

    Args:
        values: (H, W), any numbers; what is not finite is unknown.
        enhancer: The network.
        settings: Tiles.
        scale: The standard scale of the whole image, if `values` is a part of it; None: it is fitted.
        progress: Told (done, total) in tiles.

    Raises:
        LearningError: The image has no signal, or the network's result cannot be used.
    """
    if values.ndim != 2 or 0 in values.shape:
        raise LearningError(f"an image is (H, W) with at least one pixel, not {values.shape}")
    found = Enhanced(
        np.empty(values.shape, np.float32), np.empty(values.shape, np.float32), np.empty(values.shape, np.uint8)
    )
    scale = scale or fit_scale_of(values)
    for rows, strip in enhance_strips(ArraySource(values), scale, enhancer, settings, progress):
        found.enhanced[rows], found.error[rows], found.support[rows] = strip.enhanced, strip.error, strip.support
    return found


def enhance_strips(
    source: Source, scale: Scale, enhancer: Enhancer, settings: EnhancementSettings, progress: Progress | None = None
) -> Iterator[tuple[slice, Enhanced]]:
    """Yield an enhanced image from the top: (rows, their result). Each row of the source is read once.

    Args:
        source: The image.
        scale: Its standard scale.
        enhancer: The network.
        settings: Tiles.
        progress: Told (done, total) in tiles.

    Raises:
        ResultError: The network's result is not finite, or a variance is negative.
        LearningError: The sizes of tiles do not hold.
    """
    image, strips = _Standard(source, scale), _Strips(scale, source.shape[0])
    for rows, found in predict_strips(
        _Sparing(enhancer.network),
        image,
        outputs=2,
        stride=1,
        tile_px=settings.tile_px,
        halo_px=settings.halo_px,
        progress=progress,
    ):
        if float(found[1].min()) < 0.0:
            raise ResultError(f"the variance that '{enhancer.name}' tells is negative; its weights are spoiled")
        yield from strips.add(rows, image.raw(rows), found[0], np.sqrt(found[1]))


class _Strips:
    """Takes a network's strips and gives finished ones, which lag by the margin that the support looks at."""

    def __init__(self, scale: Scale, height: int) -> None:
        self._scale, self._height = scale, height
        self._first, self._done = 0, 0
        self._held: list[Floats] = []

    def add(self, rows: slice, raw: Floats, mean: Floats, error: Floats) -> Iterator[tuple[slice, Enhanced]]:
        """Take rows, the image's numbers and the standard result; yield what is finished."""
        new = (raw, mean, error)
        self._held = [np.concatenate(pair) for pair in zip(self._held, new, strict=True)] if self._held else list(new)
        ready = self._height if rows.stop == self._height else rows.stop - MARGIN_PX
        if ready <= self._done:
            return
        part = slice(self._done - self._first, ready - self._first)
        yield slice(self._done, ready), self._finished(part)
        keep = max(ready - MARGIN_PX, 0)
        self._held = [values[keep - self._first :] for values in self._held]
        self._first, self._done = keep, ready

    def _finished(self, part: slice) -> Enhanced:
        raw, mean, error = self._held
        image = self._scale.forward(raw)
        kept = self._scale.overexposed(raw) | (np.abs(image) >= MOST_STANDARD)
        found = support(image, mean, np.where(kept, np.float32(np.nan), error))[part]
        raw, mean, error, kept = raw[part], mean[part], error[part], kept[part]
        enhanced = np.where(kept | np.isnan(raw), raw, self._scale.inverse(mean))
        in_numbers = np.where(kept | np.isnan(raw), np.float32(np.nan), self._scale.error(mean, error))
        assert (found[np.isnan(raw)] == UNKNOWN).all()
        return Enhanced(enhanced, in_numbers, found)


class _Sparing(nn.Module):
    """Maps (N, 2, H, W), image and whether it is known, to mean and variance; spares tiles without known pixels."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Return mean and variance; 0 for tiles of which nothing is known."""
        if not bool(image[:, 1].any()):
            return torch.zeros_like(image)
        found: Tensor = self.network(image[:, :1])
        return found


class _Standard:
    """(2, H, W): an image in its standard scale, holes filled, and 1 where it is known. Windows come from the top."""

    def __init__(self, source: Source, scale: Scale) -> None:
        self.shape = (2, *source.shape)
        self._source, self._scale = source, scale
        self._raw, self._raw_first = np.empty((0, source.shape[1]), np.float32), 0
        self._values, self._rows = np.empty((2, 0, source.shape[1]), np.float32), slice(0, 0)

    def __getitem__(self, window: tuple[slice, slice, slice]) -> Floats:
        _, rows, cols = window
        if (rows.start, rows.stop) != (self._rows.start, self._rows.stop):
            self._load(rows)
        return self._values[:, :, cols]

    def raw(self, rows: slice) -> Floats:
        """Return the image's own numbers in rows of the last window."""
        return self._raw[rows.start - self._raw_first : rows.stop - self._raw_first]

    def _load(self, rows: slice) -> None:
        first = max(rows.start - FILL_REACH_PX, 0)
        last = min(rows.stop + FILL_REACH_PX, self.shape[1])
        held = self._raw[first - self._raw_first :]
        at = first + held.shape[0]
        if last > at:
            held = np.concatenate((held, self._source.read(slice(at, last))))
        self._raw, self._raw_first = held, first
        part = slice(rows.start - first, rows.stop - first)
        standard = self._scale.forward(held[: last - first])
        # Overexposed ground says nothing of itself, and would shine into its surroundings.
        known = np.isfinite(standard) & ~self._scale.overexposed(held[: last - first])
        known_filled = filled(standard, known)
        self._values, self._rows = np.stack((known_filled[part], known[part])).astype(np.float32, copy=False), rows
