"""How many rocks of which size there are where all are known: what an estimate from pictures is held against."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lunarsite.vision.rock.camera import Camera
from lunarsite.vision.rock.sizes import LEAST_DEPRESSION_DEG

Floats = NDArray[np.float64]


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
    listed = [(np.asarray(diameter), np.asarray(distance), camera) for diameter, distance, camera in pictures]
    laid = [_view(camera) for _, _, camera in listed]
    for diameter, distance, camera in listed:
        size = diameter[distance <= _told_to(camera, diameter)]
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
    return np.minimum(np.sqrt(np.maximum(slant**2 - camera.height_m**2, 0.0)), by_horizon)


def _view(camera: Camera) -> tuple[Floats, Floats]:
    """Return ranges of the level ground in a picture, ascending, and the ground that is nearer, from none to all."""
    rows, cols = np.arange(camera.rows)[:, None], np.arange(camera.cols)[None, :]
    row, col = np.nonzero(camera.depression_deg(rows, cols) >= LEAST_DEPRESSION_DEG)
    distance = np.hypot(*camera.on_ground(row, col))
    order = np.argsort(distance, kind="stable")
    area = np.cumsum(camera.ground_per_px(row, col)[order])
    return distance[order], np.concatenate([[0.0], area])
