"""Room for a lander: how far ground that a picture shows is from rocks, over level ground.

The picture is laid out on a plan. Ground behind a rock is not seen, and counts as rock: nobody knows what lies there.
The plan ends where a pixel covers more of the ground's length than the disc that is wanted, or close below the horizon.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lunarsite.vision.rock.camera import Camera
from lunarsite.vision.rock.classes import BACKGROUND, LARGE, SMALL
from lunarsite.vision.rock.sizes import LEAST_DEPRESSION_DEG

PLAN_CELLS = 1_024
"""Cells of the longer side of a plan."""
NO, YES, UNKNOWN = 0, 1, 255

Floats = NDArray[np.float64]


def farthest_m(camera: Camera, radius_m: float) -> float:
    """Return how far a plan for discs of a radius reaches, metres over the ground."""
    by_horizon = camera.height_m / math.tan(math.radians(LEAST_DEPRESSION_DEG))
    # A pixel at the distance r covers about r^2 / (h f) of the ground's length.
    return min(by_horizon, max(math.sqrt(radius_m * camera.height_m * camera.focal_px), camera.height_m))


def clearance_px(classes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the distance of each pixel of ground from the nearest rock in pixels; see ROCK_HAZARD."""
    rock = (classes == SMALL) | (classes == LARGE)
    distance = ndimage.distance_transform_edt(~rock) if rock.any() else np.full(classes.shape, np.inf)
    found: NDArray[np.float32] = np.where((classes == BACKGROUND) | rock, distance, np.nan).astype(np.float32)
    return found


def clearance_m(
    classes: NDArray[np.uint8], camera: Camera, radius_m: float, doubtful: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return clearance in metres and whether a disc is safe; see ROCK_HAZARD.

    Distances are those of the plan's cells, of which there are at most PLAN_CELLS to a side.

    Args:
        classes: (H, W), numbers of ROCK_SCENES.
        camera: The camera of this picture.
        radius_m: Radius of the disc.
        doubtful: (H, W), ground that may be rock: a disc that holds any of it is not known to be safe. None: none is.
    """
    clearance = np.full(classes.shape, np.nan, dtype=np.float32)
    safe = np.full(classes.shape, UNKNOWN, dtype=np.uint8)
    rock = (classes == SMALL) | (classes == LARGE)
    clearance[rock], safe[rock] = 0.0, NO
    rows, cols = np.arange(classes.shape[0])[:, None], np.arange(classes.shape[1])[None, :]
    x, y = camera.on_ground(rows, cols)
    reach = farthest_m(camera, radius_m)
    near = np.hypot(x, y) <= reach
    ground = near & (classes == BACKGROUND)
    if not ground.any():
        return clearance, safe
    known = near & (ground | rock)
    cell = max(float(np.ptp(x[known])), float(np.ptp(y[known]))) / (PLAN_CELLS - 4)
    if cell == 0.0:
        return clearance, safe
    # A cell or more is added at each side.
    left, bottom = float(x[known].min()) - 2.0 * cell, float(y[known].min()) - 2.0 * cell
    shape = tuple(math.ceil((float(value[known].max()) - low) / cell) + 3 for value, low in ((y, bottom), (x, left)))
    row = np.floor((np.where(known, y, bottom) - bottom) / cell).astype(np.intp)
    col = np.floor((np.where(known, x, left) - left) / cell).astype(np.intp)
    maybe = np.zeros_like(rock) if doubtful is None else ground & doubtful
    seen, blocked = _plan((classes == BACKGROUND) & ~maybe, rock, camera, left, bottom, cell, shape, reach)
    blocked[row[known & rock], col[known & rock]] = True
    seen[row[known], col[known]] = True
    # Of a cell that several pixels share the worst of them counts.
    seen[row[maybe], col[maybe]] = False
    # Where the plan ends, what is seen ends.
    seen[[0, -1], :] = seen[:, [0, -1]] = False
    from_rock = cell * ndimage.distance_transform_edt(~blocked) if blocked.any() else np.full(shape, np.inf)
    from_unseen = cell * ndimage.distance_transform_edt(seen)
    free, inside = from_rock[row[ground], col[ground]], from_unseen[row[ground], col[ground]]
    clearance[ground] = free
    safe[ground] = np.select([free < radius_m, inside >= radius_m], [NO, YES], UNKNOWN)
    return clearance, safe


def _plan(
    free: NDArray[np.bool_],
    rock: NDArray[np.bool_],
    camera: Camera,
    left: float,
    bottom: float,
    cell: float,
    shape: tuple[int, ...],
    reach: float,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which cells are seen (free ground or rock), and which are rock: by the pixel that each middle falls on."""
    y = bottom + cell * (np.arange(shape[0])[:, None] + 0.5)
    x = left + cell * (np.arange(shape[1])[None, :] + 0.5)
    row, col, depth = camera.seen(x, y)
    with np.errstate(invalid="ignore"):
        shown = (depth > 0.0) & (np.abs(row - camera.middle[0]) <= 0.5 * camera.rows)
        shown &= (np.abs(col - camera.middle[1]) <= 0.5 * camera.cols) & (np.hypot(x, y) <= reach)
    i = np.clip(np.rint(np.where(shown, row, 0.0)), 0, camera.rows - 1).astype(np.intp)
    j = np.clip(np.rint(np.where(shown, col, 0.0)), 0, camera.cols - 1).astype(np.intp)
    stone = shown & rock[i, j]
    return stone | (shown & free[i, j]), stone
