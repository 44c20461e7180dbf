"""A network over a map of any size: tiles on a fixed lattice, blended where they meet, in bounded memory.

A tile of `tile_px` is given to the network with a halo on every side, and its result is used up to half a halo beyond
its borders. There neighbours fade into each other: their weights are differences of one smooth step per border of the
lattice, so they sum to 1 everywhere. Every value that is used has at least half a halo of context, and where two tiles
disagree there is no seam. The map is continued by reflection; the last tile of a row or column is no larger than the
map needs.

The lattice belongs to the map and not to the job: shards of tile rows, put together, are the whole result, bit by bit,
for which the rows that reach into a shard are run in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lunarsite.vision.learn import LearningError, ResultError
from lunarsite.vision.learn.networks import MULTIPLE_PX

Floats = NDArray[np.float32]
Views = Literal[1, 4, 8]


@dataclass(frozen=True)
class Span:
    """One tile along one axis: what of the map it reads and what of the result it is used for."""

    start: int
    """First pixel of the image that is read; negative, and beyond the map's size at the end, means its reflection."""
    stop: int
    used: slice
    """Pixels of the result to which the tile contributes."""
    weight: Floats
    """(used,), its share of each of them."""
    offset: int
    """Where `used` begins in the network's result for the tile."""


def tile_rows(height: int, tile_px: int) -> int:
    """Return the number of tile rows of a map: what shards are dealt out of."""
    return -(-height // tile_px)


def spans(size: int, stride: int, tile_px: int, halo_px: int) -> list[Span]:
    """Return the tiles along an axis of `size` pixels; their weights sum to 1 at every pixel of the result."""
    out_size, out_tile, reach = -(-size // stride), tile_px // stride, halo_px // stride // 2
    found, count = [], tile_rows(size, tile_px)
    for index in range(count):
        start, end = index * tile_px, min((index + 1) * tile_px, -(-size // MULTIPLE_PX) * MULTIPLE_PX)
        first, last = index == 0, index == count - 1
        low = 0 if first else index * out_tile - reach
        high = out_size if last else min((index + 1) * out_tile + reach, out_size)
        at = np.arange(low, high, dtype=np.float64) + 0.5
        weight = (1.0 if first else _step(at - index * out_tile, reach)) - (
            0.0 if last else _step(at - (index + 1) * out_tile, reach)
        )
        used = np.broadcast_to(weight, at.shape).astype(np.float32)
        found.append(Span(start - halo_px, end + halo_px, slice(low, high), used, low - (start - halo_px) // stride))
    return found


def predict(
    network: nn.Module,
    image: Any,
    *,
    outputs: int,
    stride: int,
    tile_px: int,
    halo_px: int,
    views: Views = 1,
    rows: range | None = None,
    activation: Callable[[Tensor], Tensor] | None = None,
    batch: int = 1,
    progress: Callable[[float, float], None] | None = None,
) -> Floats:
    """Return a network's result over a map.

    Args:
        network: Maps (N, C, h, w) to (N, outputs, h / stride, w / stride) for multiples of 32; it is run in evaluation
            mode, where it lies.
        image: (C, H, W), float32; anything with a shape whose windows `image[:, a:b, c:d]` are arrays.
        outputs: Channels of the result.
        stride: Pixels of the image per pixel of the result.
        tile_px: Side of a tile without its halo, a multiple of 32.
        halo_px: Margin on each side, a multiple of 32, or 0 for tiles without context or blending.
        views: 1; 4 quarter turns; 8 turns and their mirror images, averaged. Not for outputs with a direction.
        rows: Tile rows of this shard; all of them if None.
        activation: Turns the network's outputs into what views and tiles are averaged in: probabilities, not logits,
            so `torch.sigmoid` where the network gives logits. None: they are averaged as they come.
        batch: Tiles that are given to the network at once; memory grows with it. Batch sizes change the result by
            rounding.
        progress: Told (done, total) in tiles.

    Returns:
        (outputs, R, ceil(W / stride)), float32; R is ceil(H / stride), or the part of it that the tile rows cover.

    Raises:
        LearningError: Sizes do not fit the lattice, or the network's result has another shape than stated or is not
            finite.
    """
    height, width = (-(-size // stride) for size in image.shape[-2:])
    result: Floats | None = None
    top = 0
    for where, values in predict_strips(
        network,
        image,
        outputs=outputs,
        stride=stride,
        tile_px=tile_px,
        halo_px=halo_px,
        views=views,
        rows=rows,
        activation=activation,
        batch=batch,
        progress=progress,
    ):
        if result is None:
            step, top = tile_px // stride, where.start
            bottom = height if rows is None else min(rows.stop * step, height)
            result = np.empty((outputs, bottom - top, width), np.float32)
        result[:, where.start - top : where.stop - top] = values
    return np.empty((outputs, 0, width), np.float32) if result is None else result


def predict_strips(
    network: nn.Module,
    image: Any,
    *,
    outputs: int,
    stride: int,
    tile_px: int,
    halo_px: int,
    views: Views = 1,
    rows: range | None = None,
    activation: Callable[[Tensor], Tensor] | None = None,
    batch: int = 1,
    progress: Callable[[float, float], None] | None = None,
) -> Iterator[tuple[slice, Floats]]:
    """Yield a network's result over a map from the top: (rows of the result, (outputs, rows, columns)).

    Together the strips are what `predict` returns, bit by bit, and each tile is run once; memory is that of one row of
    tiles, whatever the map's height. Windows of the image are asked for from the top, too. See `predict` for the
    arguments and the errors raised.
    """
    _check(image, tile_px, halo_px, stride, views)
    height, width = image.shape[1:]
    down, across = (spans(size, stride, tile_px, halo_px) for size in (height, width))
    rows = range(len(down)) if rows is None else rows
    if rows.step != 1 or not 0 <= rows.start <= rows.stop <= len(down):
        raise LearningError(f"the map has tile rows 0 to {len(down) - 1}, not {rows}")
    step, out_height = tile_px // stride, -(-height // stride)
    top, bottom = min(rows.start * step, out_height), min(rows.stop * step, out_height)
    reaching = [span for span in down if max(span.used.start, top) < min(span.used.stop, bottom)]
    done, total = 0, len(reaching) * len(across)
    # Rows from `top` on that have values, but not yet all of them.
    held = np.zeros((outputs, 0, -(-width // stride)), np.float32)
    with _evaluating(network) as device:
        for index, vertical in enumerate(reaching):
            strip = np.zeros((outputs, min(vertical.used.stop, bottom) - top, held.shape[2]), np.float32)
            strip[:, : held.shape[1]] = held
            for group in _groups(across, batch):
                tiles = np.stack([_window(image, vertical, horizontal) for horizontal in group])
                found = _averaged(network, torch.from_numpy(tiles).to(device), views, activation)
                _check_found(found, (outputs, tiles.shape[2] // stride, tiles.shape[3] // stride), vertical)
                for horizontal, values in zip(group, found, strict=True):
                    _add(strip, top, vertical, horizontal, values)
                done += len(group)
                if progress is not None:
                    progress(done, total)
            last = index + 1 == len(reaching)
            ready = bottom if last else max(reaching[index + 1].used.start, top)
            if ready > top:
                yield slice(top, ready), strip[:, : ready - top]
            held, top = strip[:, ready - top :], ready


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[torch.device]:
    """Put a network into evaluation mode, give the device that it lies on, and put its modes back."""
    modes = {module: module.training for module in network.modules()}
    parameter = next(network.parameters(), None)
    try:
        network.eval()
        yield torch.device("cpu") if parameter is None else parameter.device
    finally:
        for module, training in modes.items():
            module.training = training


def _averaged(network: nn.Module, tiles: Tensor, views: Views, activation: Callable[[Tensor], Tensor] | None) -> Floats:
    total: Tensor | None = None
    # Not around the whole: a generator would leave the mode on for whoever takes its strips.
    with torch.inference_mode():
        for view in range(views):
            turned = torch.rot90(tiles, view % 4, (2, 3))
            turned = turned.flip(3) if view >= 4 else turned
            found = network(turned.contiguous(memory_format=torch.channels_last)).float()
            found = found if activation is None else activation(found)
            found = torch.rot90(found.flip(3) if view >= 4 else found, -(view % 4), (2, 3))
            total = found if total is None else total + found
        assert total is not None
        return np.asarray((total / views).cpu().numpy())


def _check_found(found: Floats, expected: tuple[int, int, int], vertical: Span) -> None:
    if found.shape[1:] != expected:
        raise ResultError(f"the network gives {found.shape[1:]} for a tile, not {expected} as stated")
    if not np.isfinite(found).all():
        raise ResultError(
            f"the network's result is not finite at rows {vertical.used.start} to {vertical.used.stop} of the result;"
            " its weights are spoiled, or the image holds values beyond what it was trained on"
        )


def _add(result: Floats, top: int, vertical: Span, horizontal: Span, values: Floats) -> None:
    """Add a tile's weighted values (outputs, h, w) to the rows from `top` on that `result` holds."""
    low, high = max(vertical.used.start, top), min(vertical.used.stop, top + result.shape[1])
    cut = slice(low - vertical.used.start, high - vertical.used.start)
    share = vertical.weight[cut, None] * horizontal.weight[None, :]
    y, x = vertical.offset + cut.start, horizontal.offset
    part = values[:, y : y + share.shape[0], x : x + share.shape[1]]
    result[:, low - top : high - top, horizontal.used] += share * part


def _window(image: Any, vertical: Span, horizontal: Span) -> Floats:
    """Return (C, h, w): the tile with its halo, the map continued by reflection about its border pixels."""
    (y, rows), (x, cols) = (
        _reflected(span, size) for span, size in zip((vertical, horizontal), image.shape[1:], strict=True)
    )
    return np.asarray(image[:, y, x], np.float32)[:, rows[:, None], cols]


def _reflected(span: Span, size: int) -> tuple[slice, NDArray[np.int64]]:
    """Return the pixels of the map that a tile needs and, for each pixel of the tile, which of them it is."""
    period = max(2 * (size - 1), 1)
    at = np.abs((np.arange(span.start, span.stop) + size - 1) % period - (size - 1))
    low = int(at.min())
    return slice(low, int(at.max()) + 1), at - low


def _groups(across: list[Span], batch: int) -> Iterator[list[Span]]:
    """Yield tiles of one width, `batch` at most. They are the same in every shard, as a result may depend on them."""
    for _, same in groupby(across, lambda span: span.stop - span.start):
        spans_ = list(same)
        yield from (spans_[at : at + batch] for at in range(0, len(spans_), batch))


def _step(distance: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Return a step from 0 at -reach to 1 at +reach, smooth in its first derivative; sharp if there is no reach."""
    t = np.clip(0.5 + 0.5 * distance / max(reach, 0.5), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def _check(image: Any, tile_px: int, halo_px: int, stride: int, views: int) -> None:
    if len(image.shape) != 3 or 0 in image.shape:
        raise LearningError(f"the image is (C, H, W) with at least one pixel, not {tuple(image.shape)}")
    if tile_px < MULTIPLE_PX or tile_px % MULTIPLE_PX or halo_px < 0 or halo_px % MULTIPLE_PX or halo_px > tile_px:
        raise LearningError(
            f"tile_px and halo_px are multiples of {MULTIPLE_PX}, the halo no wider than the tile; "
            f"not {tile_px} and {halo_px}"
        )
    if stride < 1 or MULTIPLE_PX % stride or views not in (1, 4, 8):
        raise LearningError(f"stride divides {MULTIPLE_PX} and views are 1, 4 or 8; not {stride} and {views}")
