"""Rocks found in a mask: their widths in pixels and, over level ground, in metres; how many there are of which size.

A rock's width is measured across, so that a camera's tilt does not change it. Its lowest pixels are its foot: there it
leaves the ground nearest to the camera, half a diameter before its middle, if it is as deep as wide. Rocks that touch
in the picture, small or large, are one, and count as a wider one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from lunarsite.vision.rock.camera import Camera
from lunarsite.vision.rock.classes import BACKGROUND, CLASSES, LARGE, SMALL

LEAST_DEPRESSION_DEG = 2.0
"""Nearer to the horizon level ground tells no distance: a slope of one degree there doubles or halves it."""

LEAST_WIDTH_PX = 8.0
"""Of rocks in a size distribution; of narrower ones too many are missed."""

_AROUND = np.ones((3, 3), dtype=np.bool_)
_MOST_OF_FOCAL = 0.9  # half a rock's width: beyond, it stands beside the camera and not before it

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rock:
    """Connected pixels of rock.

    Attributes:
        kind: 'small_rocks' or 'large_rocks': what most of its pixels are; large where they are as many.
        row: Its lowest row, pixels.
        col: Mean column, pixels.
        area_px: Pixels.
        diameter_px: Width, pixels.
        range_m: Distance of its middle over the ground from below the camera, metres; None where it is not known.
        diameter_m: Diameter, metres; None likewise.
        probability: Mean probability of its pixels to be rock.
    """

    kind: str
    row: float
    col: float
    area_px: int
    diameter_px: float
    range_m: float | None
    diameter_m: float | None
    probability: float


@dataclass(frozen=True)
class SeenGround:
    """Level ground that pictures show, in pieces; each is as deep along the optical axis on the whole.

    Attributes:
        pixel_m: (n,) metres that a pixel spans across at each piece's depth.
        width_m: (n,) metres that the whole picture spans there.
        area_m2: (n,) ground of each piece, square metres.
    """

    pixel_m: Floats
    width_m: Floats
    area_m2: Floats


def rocks(
    classes: NDArray[np.uint8], probability: NDArray[np.float32], camera: Camera | None, least_px: int
) -> tuple[Rock, ...]:
    """Return the rocks of a mask in the order of their first pixels.

    A network that calls a rock's foot large and its top small has seen one rock: pixels of both kinds belong together.

    Args:
        classes: (H, W), numbers of ROCK_SCENES.
        probability: (H, W, 4) of background, small rocks, large rocks, sky.
        camera: The camera of this very picture, if it is known.
        least_px: Rocks of fewer pixels are left out.
    """
    labels, count = ndimage.label((classes == SMALL) | (classes == LARGE), structure=_AROUND)
    if not count:
        return ()
    numbers = np.arange(1, count + 1)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    large = np.bincount(labels[classes == LARGE], minlength=count + 1)[1:]
    means = ndimage.mean(probability[:, :, SMALL] + probability[:, :, LARGE], labels, numbers)
    found = []
    for number, box in enumerate(ndimage.find_objects(labels)):
        if areas[number] < least_px:
            continue
        name = CLASSES[LARGE if 2 * large[number] >= areas[number] else SMALL]
        width = float(box[1].stop - box[1].start)
        row = float(box[0].stop - 1)
        columns = np.nonzero(labels[box] == number + 1)[1]
        col = float(box[1].start + columns.mean())
        cut = box[0].stop == classes.shape[0] or box[1].start == 0 or box[1].stop == classes.shape[1]
        measured = None if camera is None or cut else in_metres(camera, row, col, width)
        distance, diameter = measured or (None, None)
        chance = float(np.clip(means[number], 0.0, 1.0))
        found.append(Rock(name, row, col, int(areas[number]), width, distance, diameter, chance))
    return tuple(found)


def in_metres(camera: Camera, row: float, col: float, width_px: float) -> tuple[float, float] | None:
    """Return the range of the middle and the diameter of a rock on level ground, metres.

    Args:
        camera: The camera.
        row: The rock's lowest row.
        col: Its middle column.
        width_px: Its width.

    Returns:
        None where its foot lies less than LEAST_DEPRESSION_DEG below the horizon, or it stands beside the camera.
    """
    foot = row + 0.5  # the lower edge of its lowest pixel
    if float(camera.depression_deg(foot, col)) < LEAST_DEPRESSION_DEG:
        return None
    x, y = (float(value) for value in camera.on_ground(foot, col))
    near = y * camera.cos_pitch + camera.height_m * camera.sin_pitch
    # w = f D / depth, and the middle is D / 2 farther from the camera over the ground than the foot.
    distance = math.hypot(x, y)
    deeper = 0.5 * camera.cos_pitch * (y / distance if distance > 0.0 else 1.0)
    if width_px * deeper > _MOST_OF_FOCAL * camera.focal_px:
        return None
    diameter = width_px * near / (camera.focal_px - width_px * deeper)
    return distance + 0.5 * diameter, diameter


def seen_px(classes: NDArray[np.uint8], camera: Camera) -> NDArray[np.int64]:
    """Return how many pixels of each row (H,) show level ground without rocks before it.

    It reaches to LEAST_DEPRESSION_DEG below the horizon; pixels of sky and unknown ones show none.
    """
    rows, cols = np.arange(classes.shape[0])[:, None], np.arange(classes.shape[1])[None, :]
    shown = (camera.depression_deg(rows, cols) >= LEAST_DEPRESSION_DEG) & (classes == BACKGROUND)
    return np.asarray(shown.sum(axis=1), dtype=np.int64)


def seen_ground(pixels: ArrayLike, camera: Camera) -> SeenGround:
    """Return the ground that a picture shows, a piece for each row that shows any.

    Without roll the ground behind a row is equally deep all along it, so that nothing is lost.

    Args:
        pixels: (H,) pixels of ground in each row, of `seen_px`.
        camera: The camera of this picture.
    """
    counted = np.asarray(pixels, dtype=np.float64)
    row = np.nonzero(counted)[0]
    _, y = camera.on_ground(row, camera.middle[1])
    pixel = (y * camera.cos_pitch + camera.height_m * camera.sin_pitch) / camera.focal_px
    return SeenGround(pixel, pixel * camera.cols, counted[row] * camera.ground_per_px(row, camera.middle[1]))


def pooled(grounds: Sequence[SeenGround]) -> SeenGround:
    """Return the ground of several pictures as that of one: for any diameter it holds the sum of theirs."""
    return SeenGround(
        *(
            np.concatenate([np.zeros(0), *(getattr(ground, name) for ground in grounds)])
            for name in ("pixel_m", "width_m", "area_m2")
        )
    )


def ground_for(ground: SeenGround, diameter_m: ArrayLike, *, whole: bool = True) -> Floats:
    """Return the ground on which rocks of each diameter (n,) look LEAST_WIDTH_PX wide or wider, (n,), square metres.

    Args:
        ground: What is seen.
        diameter_m: Diameters, metres.
        whole: Whether a rock must lie whole in the picture: then each piece of ground counts with the share of the
            picture's width that can hold the middle of such a rock.
    """
    diameter = np.atleast_1d(np.asarray(diameter_m, dtype=np.float64))
    far = _sums(ground.pixel_m, ground, diameter / LEAST_WIDTH_PX)
    if not whole:
        return far[0]
    # The share is 1 - D / width, and none where a rock is as wide as the picture. There it looks wide enough too, as
    # long as the picture has LEAST_WIDTH_PX columns.
    near = _sums(ground.width_m, ground, diameter)
    return np.asarray(np.maximum((far[0] - near[0]) - diameter * (far[1] - near[1]), 0.0))


def per_square_metre(
    diameter_m: ArrayLike, counted: ArrayLike, ground_m2: ArrayLike, wanted_m: ArrayLike, reached_m2: ArrayLike
) -> Floats:
    """Return how many rocks of a diameter and more lie on a square metre of ground, N(>= D), (..., k).

    A rock of some size is seen on the ground on which it looks wide enough, and whole in the picture; each rock that is
    counted stands for that ground (Horvitz and Thompson 1952; Miles' correction for edges), so that near small rocks
    and far large ones add up without bias. Ground that rocks hide counts as not seen.

    Args:
        diameter_m: (n,) of the rocks.
        counted: (..., n) how often each counts.
        ground_m2: (..., n) the ground that shows rocks of its size, over all pictures. A rock that stands where no
            ground is seen tells of none.
        wanted_m: (k,) diameters D.
        reached_m2: (..., k) the ground that shows rocks of that size. Where there is none N is not known: NaN.
    """
    counted, ground = np.broadcast_arrays(
        np.asarray(counted, dtype=np.float64), np.asarray(ground_m2, dtype=np.float64)
    )
    larger = np.asarray(diameter_m)[:, None] >= np.asarray(wanted_m)[None, :]
    per_rock = np.divide(counted, ground, out=np.zeros(ground.shape), where=ground > 0.0)
    return np.asarray(np.where(np.asarray(reached_m2) > 0.0, per_rock @ larger.astype(np.float64), np.nan))


def _sums(order: Floats, ground: SeenGround, ends: Floats) -> tuple[Floats, Floats]:
    """Return the sums of area, and of area over width, of the pieces at which `order` is at most each end."""
    index = np.argsort(order, kind="stable")
    last = np.searchsorted(order[index], ends, side="right")
    area = ground.area_m2[index]
    parts = (area, area / ground.width_m[index])
    total, inverse = (np.concatenate([[0.0], np.cumsum(part)])[last] for part in parts)
    return total, inverse
