"""What a network must better: two nulls, and a segmentation without learning.

- The **majority map** says of each place in the picture the class that is most frequent there in other scenes: sky
  above, ground below. It knows nothing of the image.
- **No rocks** says sky of what is black and reaches the picture's top, ground of all else. How sure it is of each
  class are the true classes' frequencies where it says so on validation images: it never finds a rock, and its
  probabilities can be believed.
- The **classical** one takes what is dark and touches the picture's top for sky, and for rocks compact spots that are
  brighter than their surroundings (or brighter and darker: a rock and its shadow), small ones and large ones by their
  width. Its parameters are those of the highest mean IoU on validation images.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lunarsite.vision.rock.ablation_scores import no_rocks
from lunarsite.vision.rock.classes import BACKGROUND, COUNT, LARGE, SKY, SMALL, UNKNOWN
from lunarsite.vision.rock.scores import Classes, confusion, iou, mean_iou

Image = NDArray[np.uint8]
Grey = NDArray[np.float32]
Floats = NDArray[np.float64]

PLACES = (32, 48)
"""Rows and columns that pictures of any size are divided into for the majority map."""


def class_places(truth: Classes) -> NDArray[np.int64]:
    """Return how many pixels of each class each place of a picture has, (rows, cols, 4)."""
    rows, cols = (np.arange(side) * places // side for side, places in zip(truth.shape, PLACES, strict=True))
    place = rows[:, None] * PLACES[1] + cols[None]
    known = truth != UNKNOWN
    both = place[known] * COUNT + truth[known]
    return np.bincount(both, minlength=PLACES[0] * PLACES[1] * COUNT).reshape(*PLACES, COUNT)


def majority(places: NDArray[np.int64], shape: tuple[int, int]) -> Classes:
    """Return the most frequent class of each place, spread over a picture of (H, W); ground where nothing is known."""
    most = places.argmax(axis=-1).astype(np.uint8)
    rows, cols = (np.arange(side) * count // side for side, count in zip(shape, PLACES, strict=True))
    return np.asarray(most[rows[:, None], cols[None]])


def true_frequencies(pairs: Iterable[tuple[Image, Classes]]) -> Floats | None:
    """Return how frequent each class is in truth (columns) where 'no rocks' says a class (rows), (4, 4).

    One pixel of each class is added, so that none is impossible. None without images.
    """
    found = [confusion(truth, no_rocks(image)) for image, truth in pairs]
    if not found:
        return None
    counts = np.sum(found, axis=0).T + 1.0
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def by_frequency(classes: Classes, frequency: Floats) -> NDArray[np.float32]:
    """Return the probabilities (4, H, W) of what is said (H, W), by `true_frequencies`."""
    return np.ascontiguousarray(frequency.astype(np.float32)[classes].transpose(2, 0, 1))


@dataclass(frozen=True)
class Classical:
    """The parameters; lengths are in pixels of a picture that is 384 wide."""

    sky_grey: float
    """Sky is darker than that, 0..255."""
    surroundings_px: float
    """Width of the Gaussian mean that spots are compared with."""
    contrast: float
    """Spots differ from it by that share of it."""
    shadows: bool
    """Whether dark spots count as well."""
    large_px: float
    """Spots at least that wide are large rocks."""


SKY_GREYS = (8.0, 20.0, 40.0)
GRID = tuple(itertools.product((6.0, 16.0), (0.15, 0.3, 0.5), (False, True), (16.0, 32.0)))
"""What is tried: the sky first, then the rocks on the rest."""
MOST_CHOOSE = 8
"""Validation images that choose, at most."""
_WIDTH = 384.0
_LEAST_PX = 9
_MOST_CHOOSE_PX = 240
_LEAST_GREY = 4.0


def classical(image: Image, parameters: Classical) -> Classes:
    """Return the classes (H, W) of an image (H, W, 3) by the classical baseline."""
    grey = image.astype(np.float32).mean(axis=-1)
    return rocks_of(grey, sky_of(grey, parameters.sky_grey), parameters)


def rocks_of(grey: Grey, sky: NDArray[np.bool_], parameters: Classical) -> Classes:
    """Return the classes (H, W) of a grey image whose sky is known."""
    scale = grey.shape[1] / _WIDTH
    ground = ~sky
    weight = ndimage.gaussian_filter(ground.astype(np.float32), parameters.surroundings_px * scale)
    around = ndimage.gaussian_filter(np.where(ground, grey, 0.0), parameters.surroundings_px * scale)
    around = around / np.maximum(weight, 1e-6)
    # In deep shadow a share of nearly nothing is noise.
    relative = np.where(ground, (grey - around) / np.maximum(around, _LEAST_GREY), 0.0)
    spots = np.abs(relative) > parameters.contrast if parameters.shadows else relative > parameters.contrast
    numbers = ndimage.label(ndimage.binary_closing(spots) & ground, np.ones((3, 3)))[0]
    area = np.bincount(numbers.ravel())
    wide = _widths(numbers, len(area))
    kinds = np.where(wide >= parameters.large_px * scale, LARGE, SMALL).astype(np.uint8)
    kinds[area < _LEAST_PX] = BACKGROUND
    kinds[0] = BACKGROUND
    return np.where(sky, np.uint8(SKY), kinds[numbers])


def sky_of(grey: Grey, below: float) -> NDArray[np.bool_]:
    """Return which pixels (H, W) are dark and connected to the top of the picture through dark ones.

    Specks in the sky (stars, the Earth) are filled; dark areas that do not touch the top are shadows.
    """
    dark = ndimage.gaussian_filter(grey, 1.0) < below
    numbers = ndimage.label(dark)[0]
    top = np.unique(numbers[0])
    sky = np.isin(numbers, top[top > 0])
    return np.asarray(ndimage.binary_fill_holes(sky))


def choose(pairs: Iterable[tuple[Image, Classes]]) -> tuple[Classical, float | None]:
    """Return the parameters of the highest mean IoU on images with truth, and that; None without any.

    Images are reduced by a whole number until their longer side is at most 240 pixels.
    """
    kept = [_reduced(image, truth) for image, truth in itertools.islice(pairs, MOST_CHOOSE)]
    if not kept:
        return Classical(SKY_GREYS[1], *GRID[0]), None
    overlaps = []
    for below in SKY_GREYS:
        found = [confusion(truth, np.where(sky_of(grey, below), SKY, BACKGROUND)) for grey, truth in kept]
        overlaps.append(iou(np.sum(found, axis=0))[SKY])
    below = SKY_GREYS[int(np.argmax(np.nan_to_num(overlaps)))]
    skies = [sky_of(grey, below) for grey, _ in kept]
    tried = [Classical(below, *values) for values in GRID]
    scores = [
        mean_iou(np.sum([confusion(t, rocks_of(g, sky, one)) for (g, t), sky in zip(kept, skies, strict=True)], axis=0))
        for one in tried
    ]
    best = int(np.argmax(np.nan_to_num(scores)))
    return tried[best], float(scores[best])


def _reduced(image: Image, truth: Classes) -> tuple[Grey, Classes]:
    step = max(1, -(-max(truth.shape) // _MOST_CHOOSE_PX))
    rows, cols = (side // step for side in truth.shape)
    blocks = image[: rows * step, : cols * step].reshape(rows, step, cols, step, 3)
    known = truth[step // 2 : rows * step : step, step // 2 : cols * step : step]
    return blocks.mean(axis=(1, 3, 4)).astype(np.float32), known


def _widths(numbers: NDArray[np.int64], count: int) -> Floats:
    """Return the width in columns of each labelled spot, (count,)."""
    found = np.zeros(count)
    for number, box in enumerate(ndimage.find_objects(numbers, max_label=count - 1), start=1):
        if box is not None:
            found[number] = box[1].stop - box[1].start
    return found


def described(parameters: Classical) -> str:
    """Return the parameters in words."""
    spots = "brighter or darker" if parameters.shadows else "brighter"
    return (
        f"sky below grey {parameters.sky_grey:g}, spots {spots} than their surroundings"
        f" ({parameters.surroundings_px:g} px) by {100 * parameters.contrast:g} %, large from"
        f" {parameters.large_px:g} px on, at a width of 384 px"
    )


def frequencies(counts: Sequence[NDArray[np.int64]], own: Sequence[int]) -> NDArray[np.int64]:
    """Return the summed places of all scenes but the ones named by index: a null must not know its own truth."""
    left_out = set(own)
    parts = [one for k, one in enumerate(counts) if k not in left_out]
    return np.sum(parts, axis=0, dtype=np.int64) if parts else np.zeros((*PLACES, COUNT), np.int64)
