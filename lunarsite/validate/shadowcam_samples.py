"""Pictures of frames and composites beside what is predicted of them, small enough for a report.

Frames are chosen by their rank in the area under the curve (worst, best and evenly between), not by their looks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lunarsite.artefact import images
from lunarsite.artefact.contracts import SHADOWCAM_SAMPLES
from lunarsite.artefact.images import Credit
from lunarsite.artefact.stamp import Stamp
from lunarsite.grid import Grid
from lunarsite.validate.shadowcam_composite import UNKNOWN, Composite, Map
from lunarsite.validate.shadowcam_frame import Frame, FrameComparison, Masks

Single = NDArray[np.float32]

FRAMES = 6
SIDE_PX = 192
"""Side of the window of a frame that is shown, and longer side of a composite, which is thinned out to it."""
LIMIT = 0.5
"""Share of a frame's largest brightness from which on its picture counts as lit."""
_CLASSES = {name: number for number, name in SHADOWCAM_SAMPLES.array("classes").classes}


@dataclass(frozen=True)
class Sample:
    """A picture: brightness, predicted light (share of the disc, or 1 outside permanent shadow), and what agrees.

    `auc` is NaN where unknown, and `limit` the brightness from which on the image counts as lit, or not deep.
    """

    kind: str
    name: str
    grid: Grid
    brightness: Single
    predicted: Single
    classes: NDArray[np.uint8]
    auc: float
    limit: float


def chosen_frames(found: Sequence[FrameComparison]) -> list[int]:
    """Return which frames are shown: the worst, the best, and evenly between by area under the curve.

    The first ones where none has any.
    """
    told = sorted(
        (number for number, frame in enumerate(found) if frame.auc.value is not None),
        key=lambda number: (found[number].auc.value or 0.0, number),
    )
    if not told:
        return list(range(min(FRAMES, len(found))))
    if len(told) <= FRAMES:
        return told
    return [told[round(place)] for place in np.linspace(0, len(told) - 1, FRAMES)]


def frame_sample(frame: Frame, found: FrameComparison) -> Sample:
    """Return the picture of a frame, where the prediction holds most of both kinds of ground."""
    masks = Masks.of(frame)
    measured = masks.score[masks.measured]
    limit = LIMIT * float(measured.max()) if measured.size else math.nan
    classes = _agreement(masks.known, masks.score >= limit, masks.lit)
    box = _window(masks.known & masks.lit, masks.known & ~masks.lit)
    auc = math.nan if found.auc.value is None else found.auc.value
    return _thinned(
        Sample("frame", frame.name, frame.grid, frame.brightness, frame.sun_fraction, classes, auc, limit), box
    )


def composite_sample(composite: Composite, computed: Map) -> Sample:
    """Return the picture of a composite and of shadow under it; its darker half counts as dark."""
    known = np.isfinite(composite.brightness) & (computed.psr != UNKNOWN)
    score = np.where(composite.saturated > 0.0, np.inf, composite.brightness)
    limit = float(np.quantile(score[known], 0.5, method="inverted_cdf")) if known.any() else math.nan
    classes = _agreement(known, score > limit, computed.psr == 0)
    predicted = np.where(computed.psr == UNKNOWN, np.nan, computed.psr == 0).astype(np.float32)
    shown = Sample(
        "composite", composite.name, composite.grid, composite.brightness, predicted, classes, math.nan, limit
    )
    return _thinned(shown, _box(np.isfinite(composite.brightness)))


def sample_arrays(sample: Sample, sides: dict[str, int]) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of the contract SHADOWCAM_SAMPLES for one picture."""
    rows, cols = sample.grid.shape
    shape = 1, sides["height"], sides["width"]
    stacks: dict[str, NDArray[np.generic]] = {
        "brightness": np.full(shape, np.nan, np.float32),
        "predicted": np.full(shape, np.nan, np.float32),
        "classes": np.full(shape, _CLASSES["unknown"], np.uint8),
    }
    for name, values in stacks.items():
        values[0, :rows, :cols] = getattr(sample, name)
    return {
        **stacks,
        "kind": np.array([SHADOWCAM_SAMPLES.class_number("kind", sample.kind)], dtype=np.uint8),
        "name": np.array([sample.name], dtype=object),
        "rows": np.array([rows], dtype=np.int64),
        "cols": np.array([cols], dtype=np.int64),
        "x_min_m": np.array([sample.grid.x_min_m]),
        "y_max_m": np.array([sample.grid.y_max_m]),
        "pixel_m": np.array([sample.grid.pixel_m]),
        "auc": np.array([sample.auc]),
        "limit": np.array([sample.limit]),
    }


def write_samples(path: Path, shown: Sequence[Sample], stamp: Stamp, credit: Credit) -> None:
    """Write pictures, at least one."""
    sides = {
        "height": max(sample.grid.rows for sample in shown),
        "width": max(sample.grid.cols for sample in shown),
    }
    with images.creating(path, SHADOWCAM_SAMPLES, stamp, credit, sides) as writer:
        for sample in shown:
            writer.append(sample_arrays(sample, sides))


def _agreement(known: NDArray[np.bool_], bright: NDArray[np.bool_], lit: NDArray[np.bool_]) -> NDArray[np.uint8]:
    names = {
        "both dark": ~bright & ~lit,
        "both lit": bright & lit,
        "image only": bright & ~lit,
        "prediction only": ~bright & lit,
    }
    classes = np.full(known.shape, _CLASSES["unknown"], np.uint8)
    for name, held in names.items():
        classes[known & held] = _CLASSES[name]
    return classes


def _box(held: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the rows and columns that hold something, all of them if none does."""
    found = []
    for axis in (1, 0):
        at = np.flatnonzero(held.any(axis=axis))
        found.append(slice(int(at[0]), int(at[-1]) + 1) if at.size else slice(0, held.shape[1 - axis]))
    return found[0], found[1]


def _window(lit: NDArray[np.bool_], dark: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the window of `SIDE_PX` pixels that holds most of the scarcer of two kinds, then of both."""
    both = []
    for kind in (lit, dark):
        total = np.zeros((kind.shape[0] + 1, kind.shape[1] + 1), dtype=np.int64)
        total[1:, 1:] = kind.cumsum(axis=0).cumsum(axis=1)
        rows, cols = (min(SIDE_PX, side) for side in kind.shape)
        both.append(total[rows:, cols:] - total[:-rows, cols:] - total[rows:, :-cols] + total[:-rows, :-cols])
    least, most = np.minimum(*both), np.maximum(*both)
    row, col = np.unravel_index(int(np.argmax(least * (lit.size + 1) + most)), least.shape)
    return slice(int(row), int(row) + rows), slice(int(col), int(col) + cols)


def _thinned(sample: Sample, box: tuple[slice, slice]) -> Sample:
    """Return a picture cut to a box, of which every so many-th pixel is taken."""
    rows, cols = box
    step = max(1, math.ceil(max(rows.stop - rows.start, cols.stop - cols.start) / SIDE_PX))
    part = slice(rows.start, rows.stop, step), slice(cols.start, cols.stop, step)
    shape = sample.classes[part].shape
    grid = Grid(
        sample.grid.x_min_m + cols.start * sample.grid.pixel_m,
        sample.grid.y_max_m - rows.start * sample.grid.pixel_m,
        step * sample.grid.pixel_m,
        shape[0],
        shape[1],
        sample.grid.pole,
    )
    return Sample(
        sample.kind,
        sample.name,
        grid,
        sample.brightness[part],
        sample.predicted[part],
        sample.classes[part],
        sample.auc,
        sample.limit,
    )
