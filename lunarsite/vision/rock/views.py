"""An image as the network sees it: reduced, normalised, mirrored, scaled and padded; and maps brought back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from lunarsite.settings.rock import RockInferenceSettings
from lunarsite.vision.learn import LearningError
from lunarsite.vision.learn.networks import MULTIPLE_PX

Floats = NDArray[np.float32]

_UP, _LEFT = -2, -1
"""Axes that a mirrored view turns around."""
_FLIPS: dict[int, tuple[tuple[int, ...], ...]] = {
    1: ((),),
    2: ((), (_LEFT,)),
    4: ((), (_LEFT,), (_UP,), (_UP, _LEFT)),
}


@dataclass(frozen=True)
class View:
    """One way to look at an image."""

    flip: tuple[int, ...]
    """Axes that are turned around."""
    scale: float

    @property
    def upside_down(self) -> bool:
        """Whether the last row is the picture's upper edge."""
        return _UP in self.flip


AS_IT_IS = View((), 1.0)
"""Neither mirrored nor scaled."""


def views_of(settings: RockInferenceSettings) -> tuple[View, ...]:
    """Return the views that are averaged: every mirrored one at every scale."""
    return tuple(View(flip, scale) for scale in settings.scales for flip in _FLIPS[settings.flips])


def reduced_size(height: int, width: int, longest_side_px: int) -> tuple[int, int]:
    """Return (height, width) of an image whose longer side is brought down to a length; small ones stay."""
    scale = min(1.0, longest_side_px / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def reduced(image: NDArray[np.uint8], longest_side_px: int) -> NDArray[np.uint8]:
    """Return an image (H, W, 3) no longer than that, each pixel the mean of those it stands for.

    Raises:
        LearningError: It is no RGB image of 8 bits.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise LearningError(f"an image is (H, W, 3) of 8 bits, not {image.shape} of {image.dtype}")
    size = reduced_size(image.shape[0], image.shape[1], longest_side_px)
    if size == image.shape[:2]:
        return image
    return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BOX))


def filled(image: NDArray[np.uint8], known: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return an image (H, W, 3) whose unknown pixels are black at the top and have the nearest known colour elsewhere.

    Pixels above the topmost known one of their column reach the picture's upper edge: they are taken for a sky that was
    cut out, which is black. In columns without any known pixel the sky ends where it does in the nearest column with
    some. All others have the nearest known colour of their row, and rows without any are those of the nearest row that
    has some: black would pass for sky there and move the horizon, and along a row the ground is about as far below it
    everywhere.

    Raises:
        LearningError: Nothing is known.
    """
    some = known.any(axis=1)
    if not some.any():
        raise LearningError("no pixel of the image is known")
    found = image.copy()
    for row in np.flatnonzero(some & ~known.all(axis=1)):
        missing = np.flatnonzero(~known[row])
        found[row, missing] = image[row, _nearest(np.flatnonzero(known[row]), missing)]
    missing = np.flatnonzero(~some)
    found[missing] = found[_nearest(np.flatnonzero(some), missing)]
    columns = np.flatnonzero(known.any(axis=0))
    top = known.argmax(axis=0)[_nearest(columns, np.arange(known.shape[1]))]
    for number in range(int(top.max())):
        found[number, number < top] = 0
    return found


def _nearest(places: NDArray[np.intp], wanted: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return which of some places, in their order, is nearest to each wanted one; of two the former."""
    after = np.searchsorted(places, wanted).clip(max=len(places) - 1)
    before = np.maximum(after - 1, 0)
    former = np.abs(wanted - places[before]) <= np.abs(places[after] - wanted)
    return places[np.where(former, before, after)]


def normalised(image: NDArray[np.uint8]) -> Tensor:
    """Return an image (H, W, 3) as (1, 3, H, W), -1 to 1."""
    values = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
    return (values[None].float() / 255.0 - 0.5) / 0.5


def looked_at(image: Tensor, view: View) -> Tensor:
    """Return an image (1, 3, h, w) as a network is given it: scaled, padded, mirrored."""
    if view.scale != 1.0:
        size = _scaled(image, view)
        image = functional.interpolate(image, size=size, mode="bilinear", align_corners=False, antialias=True)
    return torch.flip(padded(image), view.flip)


def brought_back(values: Tensor, image: Tensor, view: View) -> Tensor:
    """Return a result (1, C, ., .) of a view of an image (1, 3, h, w) as (1, C, h, w)."""
    height, width = _scaled(image, view)
    values = torch.flip(values, view.flip)[..., :height, :width]
    if view.scale == 1.0:
        return values
    size = image.shape[-2:]
    return functional.interpolate(values, size=size, mode="bilinear", align_corners=False, antialias=True)


def padded(image: Tensor) -> Tensor:
    """Return an image (N, C, h, w), padded at the right and below by reflection to multiples of 32.

    An image that is narrower than its margin is reflected again and again.
    """
    for axis in (_UP, _LEFT):
        length = image.shape[axis]
        if length % MULTIPLE_PX == 0:
            continue
        # 0 1 2 3 2 1 0 1 ...: there and back, the ends once.
        period = max(2 * (length - 1), 1)
        at = torch.arange(length + -length % MULTIPLE_PX) % period
        image = image.index_select(axis, torch.minimum(at, period - at) if length > 1 else at)
    return image


def _scaled(image: Tensor, view: View) -> tuple[int, int]:
    return tuple(max(1, round(side * view.scale)) for side in image.shape[-2:])  # type: ignore[return-value]


def enlarged_strips(maps: Floats, height: int, width: int, strip_rows: int) -> Iterator[tuple[slice, Floats]]:
    """Yield maps (..., h, w), enlarged to a size, from the top: (rows, (..., rows, width)). Bilinear.

    Values stay within their range, and sums over channels stay what they are.
    """
    col, col_share = _between(np.arange(width), maps.shape[-1], width)
    for start in range(0, height, strip_rows):
        rows = slice(start, min(start + strip_rows, height))
        if maps.shape[-2:] == (height, width):
            yield rows, maps[..., rows, :]
            continue
        row, row_share = _between(np.arange(rows.start, rows.stop), maps.shape[-2], height)
        some = _mixed(maps, row, row_share[:, None], -2)
        yield rows, _mixed(some, col, col_share, -1)


def enlarged(maps: Floats, height: int, width: int) -> Floats:
    """Return maps (..., h, w) as (..., height, width); see `enlarged_strips`."""
    return next(enlarged_strips(maps, height, width, height))[1]


def _between(at: NDArray[Any], few: int, many: int) -> tuple[NDArray[np.int64], Floats]:
    """Return the lower neighbour among `few` of pixels `at` of `many`, and the share of the upper one."""
    place = np.clip((at + 0.5) * (few / many) - 0.5, 0.0, few - 1.0)
    lower = np.minimum(place.astype(np.int64), max(few - 2, 0))
    return lower, (place - lower).astype(np.float32)


def _mixed(maps: Floats, lower: NDArray[np.int64], share: Floats, axis: int) -> Floats:
    if maps.shape[axis] == 1:
        return np.repeat(maps, len(lower), axis=axis)
    below, above = np.take(maps, lower, axis=axis), np.take(maps, lower + 1, axis=axis)
    return np.asarray(below + share * (above - below), dtype=np.float32)
