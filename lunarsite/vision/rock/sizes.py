"""Rocks found in a mask: their widths in pixels and, over level ground, in metres; how many there are of which size.

A rock's width is measured across, so that a camera's tilt does not change it. Its lowest pixels are its foot: there it
leaves the ground nearest to the camera, half a diameter before its middle, if it is as deep as wide. Rocks that touch
in the picture are one, and count as a wider one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from lunarsite.artefact.contracts import ROCK_SCENES
from lunarsite.vision.rock.camera import Camera

BACKGROUND, SMALL, LARGE, SKY, UNKNOWN = (
    ROCK_SCENES.class_number("masks", name) for name in ("background", "small_rocks", "large_rocks", "sky", "unknown")
)
LEAST_DEPRESSION_DEG = 2.0
"""Nearer to the horizon level ground tells no distance: a slope of one degree there doubles or halves it."""

LEAST_WIDTH_PX = 8.0
"""Of rocks in a size distribution; of narrower ones too many are missed."""

_AROUND = np.ones((3, 3), dtype=np.bool_)
_MOST_OF_FOCAL = 0.9  # half a rock's width: beyond, it stands beside the camera and not before it

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rock:
    """Connected pixels of one kind of rock.

    Attributes:
        kind: 'small_rocks' or 'large_rocks'.
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
    """Level ground that a picture shows, by its depth along the optical axis.

    Attributes:
        depth_m: (n,) ascending.
        area_m2: (n,) ground as deep or nearer, square metres.
        focal_px: The camera's.
        cols: Columns of the picture.
    """

    depth_m: Floats
    area_m2: Floats
    focal_px: float
    cols: int

    def up_to(self, depth_m: ArrayLike) -> Floats:
        """Return the ground that is as deep or nearer, square metres."""
        place = np.searchsorted(self.depth_m, np.asarray(depth_m, dtype=np.float64), side="right")
        area: Floats = np.concatenate([[0.0], self.area_m2])[place]
        return area


def rocks(
    classes: NDArray[np.uint8], probability: NDArray[np.float32], camera: Camera | None, least_px: int
) -> tuple[Rock, ...]:
    """Return the rocks of a mask, small ones first, in the order of their first pixels.

    Args:
        classes: (H, W), numbers of ROCK_SCENES.
        probability: (H, W, 4) of background, small rocks, large rocks, sky.
        camera: The camera of this very picture, if it is known.
        least_px: Rocks of fewer pixels are left out.
    """
    found = []
    sure = probability[:, :, SMALL] + probability[:, :, LARGE]
    for kind in (SMALL, LARGE):
        name = dict(ROCK_SCENES.array("masks").classes)[kind]
        labels, count = ndimage.label(classes == kind, structure=_AROUND)
        numbers = np.arange(1, count + 1)
        areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        means = np.atleast_1d(ndimage.mean(sure, labels, numbers)) if count else np.empty(0)
        for number, box in enumerate(ndimage.find_objects(labels)):
            if areas[number] < least_px:
                continue
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


def seen_ground(classes: NDArray[np.uint8], camera: Camera) -> SeenGround:
    """Return the level ground that a picture shows without rocks before it.

    It reaches to LEAST_DEPRESSION_DEG below the horizon; pixels of sky and unknown ones show none.
    """
    rows, cols = np.arange(classes.shape[0])[:, None], np.arange(classes.shape[1])[None, :]
    shown = (camera.depression_deg(rows, cols) >= LEAST_DEPRESSION_DEG) & (classes == BACKGROUND)
    row, col = np.nonzero(shown)
    _, y = camera.on_ground(row, col)
    depth = y * camera.cos_pitch + camera.height_m * camera.sin_pitch
    order = np.argsort(depth, kind="stable")
    area = np.cumsum(camera.ground_per_px(row, col)[order])
    return SeenGround(depth[order], area, camera.focal_px, classes.shape[1])


def size_distribution(
    pictures: Iterable[tuple[ArrayLike, ArrayLike, SeenGround]],
    diameters_m: ArrayLike,
    least_width_px: float = LEAST_WIDTH_PX,
) -> tuple[Floats, NDArray[np.int64]]:
    """Return how many rocks of a diameter and more lie on a square metre of ground, N(>= D), and how many were counted.

    A rock of some size is seen on the ground on which it looks wide enough, and whole in the picture; each rock that is
    counted stands for that ground (Horvitz and Thompson 1952; Miles' correction for edges), so that near small rocks
    and far large ones add up without bias. Ground that rocks hide counts as not seen.

    Args:
        pictures: Diameters of the rocks of each picture in metres (NaN where it is not known) and in pixels, as
            ROCK_SIZES has them, and its seen ground.
        diameters_m: Diameters D.
        least_width_px: Narrower rocks are not counted.

    Returns:
        (n,) per square metre, NaN where no ground is seen on which a rock of the largest diameter would look wide
        enough, and (n,) rocks counted.
    """
    wanted = np.atleast_1d(np.asarray(diameters_m, dtype=np.float64))
    listed = [
        (np.asarray(metres, dtype=np.float64), np.asarray(pixels, dtype=np.float64), ground)
        for metres, pixels, ground in pictures
    ]
    known = np.concatenate([metres[(pixels >= least_width_px) & np.isfinite(metres)] for metres, pixels, _ in listed])
    areas = np.array([sum(_ground_for(ground, one, least_width_px) for _, _, ground in listed) for one in known])
    # A rock that stands where no ground is seen (before the first of it) tells of none.
    diameter, area = known[areas > 0.0], areas[areas > 0.0]
    larger = diameter[None, :] >= wanted[:, None]
    counts: NDArray[np.int64] = larger.sum(axis=1).astype(np.int64)
    if not any(_ground_for(ground, float(wanted.max()), least_width_px) > 0.0 for _, _, ground in listed):
        return np.full(wanted.shape, np.nan), counts
    return (larger / area).sum(axis=1), counts


def true_distribution(
    pictures: Iterable[tuple[ArrayLike, ArrayLike, Camera]], diameters_m: ArrayLike
) -> tuple[Floats, NDArray[np.int64]]:
    """Return N(>= D) of rocks that are known, hidden ones included, and how many were counted.

    Args:
        pictures: Diameters, ranges (metres, of ROCK_TRUTH) and camera of each picture.
        diameters_m: Diameters D.
    """
    wanted = np.atleast_1d(np.asarray(diameters_m, dtype=np.float64))
    total, counts = np.zeros(wanted.shape), np.zeros(wanted.shape, dtype=np.int64)
    listed = [
        (np.asarray(diameter, dtype=np.float64), np.asarray(distance, dtype=np.float64), camera)
        for diameter, distance, camera in pictures
    ]
    laid = [_view(camera) for _, _, camera in listed]
    for diameter, distance, camera in listed:
        counted = distance <= _told_to(camera, diameter)
        size = diameter[counted]
        area = np.zeros(size.shape)
        for (_, _, other), (reach, ground) in zip(listed, laid, strict=True):
            area += ground[np.searchsorted(reach, _told_to(other, size), side="right")]
        larger = size[None, :] >= wanted[:, None]
        counts += larger.sum(axis=1)
        total += (larger / np.maximum(area, 1e-12)).sum(axis=1)
    return total, counts


def _told_to(camera: Camera, diameter_m: Floats) -> Floats:
    """Return the range to which the truth has every rock of a diameter: it would look four pixels wide, or more."""
    by_horizon = camera.height_m / math.tan(math.radians(LEAST_DEPRESSION_DEG))
    slant = camera.focal_px * diameter_m / 4.0
    reach: Floats = np.minimum(np.sqrt(np.maximum(slant**2 - camera.height_m**2, 0.0)), by_horizon)
    return reach


def _view(camera: Camera) -> tuple[Floats, Floats]:
    """Return ranges of the level ground in a picture, ascending, and the ground that is nearer, from none to all."""
    rows, cols = np.arange(camera.rows)[:, None], np.arange(camera.cols)[None, :]
    row, col = np.nonzero(camera.depression_deg(rows, cols) >= LEAST_DEPRESSION_DEG)
    distance = np.hypot(*camera.on_ground(row, col))
    order = np.argsort(distance, kind="stable")
    area = np.cumsum(camera.ground_per_px(row, col)[order])
    return distance[order], np.concatenate([[0.0], area])


def _ground_for(ground: SeenGround, diameter_m: float, least_width_px: float) -> float:
    """Return the ground on which a rock would look wide enough, each piece with its share of whole rocks."""
    farthest = ground.focal_px * diameter_m / least_width_px
    last = int(np.searchsorted(ground.depth_m, farthest, side="right"))
    if last == 0:
        return 0.0
    areas = np.diff(ground.area_m2[:last], prepend=0.0)
    # The rock's width in pixels at each depth; as much of the picture's width cannot hold its middle.
    whole = np.clip(1.0 - ground.focal_px * diameter_m / ground.depth_m[:last] / ground.cols, 0.0, 1.0)
    return float((areas * whole).sum())
