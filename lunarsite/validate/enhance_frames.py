"""Enhanced ShadowCam frames, whose truth nobody knows: do they agree with the ground, and with each other?

Three questions, each asked of the raw frame, of the raw frame smoothed (Gaussian means, so that a gain of the network
is not just one of smoothing: of several widths the one that answers best stands for all), and of the enhanced one, on
the same pixels: ground that the elevation model says sees no part of the Sun, off its border, and that is not
overexposed.

- Does brightness follow the scattered light that the elevation model predicts? Rank correlation, of the images as they
  are and of what is left after their surroundings are taken off; the null are predictions moved aside.
- Do two frames of the same ground agree? Correlation over pairs; pairs moved aside are the null.
- Do the catalogue's craters stand out more than the same circles elsewhere in shadow?

Pixels next to each other say the same, and frames show the same ground, so intervals draw squares of the map. The last
question is asked elsewhere (`enhance_frame_craters`). This module must not know bounds and verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from lunarsite.artefact import images
from lunarsite.artefact.contracts import ENHANCED_FRAMES, FRAME_LIGHT, SHADOWCAM_FRAMES
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.validate.enhance_intervals import FEWEST_GROUNDS, Estimate, estimate
from lunarsite.validate.enhance_measures import eroded
from lunarsite.vision.enhance.ground import direction_deg
from lunarsite.vision.enhance.normalise import fit
from lunarsite.vision.learn import LearningError

Floats = NDArray[np.float64]
Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

SMOOTHED_PX = (0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
"""Widths of Gaussian means. The best is taken on what it is measured on, which favours it over the network."""
SURROUNDINGS_PX = 8.0
"""Width of the Gaussian mean that is taken off for the fine shading."""
BLOCK_M = 5_000.0
"""Side of the squares that intervals draw: shadows, and what is wrong about their light, are some km wide."""
LEAST_PX = 400
"""Frames and pairs with fewer pixels in shadow than this are not asked."""
MOST_PAIRS = 60
_BORDER_PX = 2
_MOVES = 20
_LEAST_MOVE_PX = 24
KINDS = ("raw", "smoothed", "enhanced")
MEANS = {f"smoothed {sigma:g}": sigma for sigma in SMOOTHED_PX}
VARIANTS = ("raw", *MEANS, "enhanced")


@dataclass(frozen=True)
class Frame:
    """One frame: its images 'raw' and 'enhanced', the prediction, and the pixels that count, each (H, W)."""

    name: str
    images: dict[str, Image]
    predicted: Image
    dark: Mask
    origin_px: tuple[int, int]
    """Row (southwards) and column of the upper-left pixel on the map's lattice of whole pixels from the pole."""
    pixel_m: float

    def block(self, window: tuple[slice, slice], mask: Mask) -> NDArray[np.int64]:
        """Return the number of the map's square that each pixel of a mask in a window lies in, (n,)."""
        row, col = np.nonzero(mask)
        row, col = row + window[0].start + self.origin_px[0], col + window[1].start + self.origin_px[1]
        down, right = (np.floor(at * self.pixel_m / BLOCK_M).astype(np.int64) for at in (row, col))
        return np.asarray(down * 1_000_003 + right)

    @property
    def whole(self) -> tuple[slice, slice]:
        """The window that is the whole frame."""
        return slice(0, self.dark.shape[0]), slice(0, self.dark.shape[1])

    @property
    def direction_deg(self) -> float:
        """Direction of the middle of its ground in shadow from the pole, clockwise from the map's +y."""
        row, col = (float(np.mean(at)) + 0.5 for at in np.nonzero(self.dark))
        x, y = col + self.origin_px[1], -(row + self.origin_px[0])
        return float(direction_deg(np.array([x]), np.array([y]))[0])

    def smoothed(self, sigma_px: float) -> Image:
        """Return the raw image's Gaussian mean in shadow, 0 elsewhere."""
        found = smooth(self.images["raw"], self.dark, sigma_px)
        return np.where(self.dark, found, 0.0).astype(np.float32)

    def shading(self, image: Image, *, fine: bool) -> Image:
        """Return an image as it is, or less its surroundings in shadow; what is not in shadow is 0."""
        if not fine:
            return image
        return np.where(self.dark, image - smooth(image, self.dark, SURROUNDINGS_PX), 0.0).astype(np.float32)


def variant(frame: Frame, kind: str) -> Image:
    """Return an image of a frame: one of `VARIANTS`."""
    return frame.smoothed(MEANS[kind]) if kind in MEANS else frame.images[kind]


def with_best_mean(told: Mapping[str, Estimate]) -> tuple[dict[str, Estimate], float | None]:
    """Return estimates of the `KINDS` from those of the `VARIANTS`, and the width of the mean that is largest."""
    known = {kind: told[kind].value for kind in MEANS}
    best = max(known, key=lambda kind: -np.inf if known[kind] is None else float(known[kind] or 0.0))
    width_px = None if known[best] is None else MEANS[best]
    return {"raw": told["raw"], "smoothed": told[best], "enhanced": told["enhanced"]}, width_px


def smooth(image: NDArray[Any], mask: Mask, sigma_px: float) -> Floats:
    """Return the Gaussian mean over the pixels of a mask alone."""
    weight = ndimage.gaussian_filter(mask.astype(np.float64), sigma_px)
    return np.asarray(ndimage.gaussian_filter(np.where(mask, image, 0.0), sigma_px) / np.maximum(weight, 1e-9))


def read_frames(frames: Path, enhanced: Path, light: Path) -> list[Frame]:
    """Return the frames that have shadow enough to be asked.

    Raises:
        ArtefactError: A file breaks its contract, or the three do not hold the same frames in the same order.
    """
    found = []
    with (
        images.opened(frames, SHADOWCAM_FRAMES) as raw,
        images.opened(enhanced, ENHANCED_FRAMES) as better,
        images.opened(light, FRAME_LIGHT) as lit,
    ):
        names = [str(name) for name in raw.read("frame")]
        for other in (better, lit):
            if [str(name) for name in other.read("frame")] != names:
                raise ArtefactError(f"{other.path}: holds other frames than {frames}; rerun the stage that writes it")
        facts = {key: raw.read(key) for key in ("rows", "cols", "pixel_m", "x_min_m", "y_max_m")}
        for k, name in enumerate(names):
            at, own = slice(k, k + 1), (slice(0, int(facts["rows"][k])), slice(0, int(facts["cols"][k])))
            values = raw.read("brightness", at)[0][own]
            sun, predicted = (lit.read(key, at)[0][own] for key in ("sun_fraction", "scattered"))
            result = better.read("enhanced", at)[0][own]
            try:
                overexposed = fit(values).overexposed(values)
            except LearningError:
                continue  # one number in all pixels: nothing to ask
            dark = eroded((sun == 0.0) & ~overexposed, _BORDER_PX)
            dark &= np.isfinite(values) & np.isfinite(predicted) & np.isfinite(result)
            if int(dark.sum()) < LEAST_PX:
                continue
            pixel_m = float(facts["pixel_m"][k])
            box = _box(dark)
            origin = (
                -round(float(facts["y_max_m"][k]) / pixel_m) + box[0].start,
                round(float(facts["x_min_m"][k]) / pixel_m) + box[1].start,
            )
            dark, values, result, predicted = (one[box].copy() for one in (dark, values, result, predicted))
            kinds = {"raw": values, "enhanced": result}
            kept = {kind: np.where(dark, image, 0.0).astype(np.float32) for kind, image in kinds.items()}
            light_of = np.where(dark, predicted, 0.0).astype(np.float32)
            found.append(Frame(name, kept, light_of, dark, origin, pixel_m))
    return found


def _box(mask: Mask) -> tuple[slice, slice]:
    """Return the smallest window that holds a mask, which holds something."""
    row, col = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return slice(int(row[0]), int(row[-1]) + 1), slice(int(col[0]), int(col[-1]) + 1)


@dataclass(frozen=True)
class Paired:
    """Standard ranks of two images on common pixels, and the map's square of each pixel; each (n,)."""

    x: Floats
    y: Floats
    block: NDArray[np.int64]


def ranked(values: NDArray[Any]) -> Floats:
    """Return ranks with mean 0 and standard deviation 1; zeros if all are equal."""
    ranks = stats.rankdata(values).astype(np.float64)
    spread = float(ranks.std())
    return (ranks - ranks.mean()) / spread if spread > 0.0 else np.zeros_like(ranks)


class Squares:
    """Draws of the map's squares; every kind of image is drawn with the same ones."""

    def __init__(self, parts: Sequence[NDArray[np.int64]], draws: int, seed: int) -> None:
        self._ids = np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.int64)
        count = self._ids.size
        self._weights = (
            np.random.default_rng(seed).multinomial(count, np.full(count, 1.0 / count), size=draws).astype(np.float64)
            if count
            else np.zeros((draws, 0))
        )

    def correlation(self, pairs: Sequence[Paired]) -> Estimate:
        """Return the correlation of the ranks, pooled over frames or pairs, with its interval."""
        sums = np.zeros((self._ids.size, 3))
        for one in pairs:
            at = np.searchsorted(self._ids, one.block)
            for k, product in enumerate((one.x * one.y, one.x**2, one.y**2)):
                sums[:, k] += np.bincount(at, product, minlength=self._ids.size)
        value = _pooled(sums.sum(axis=0)[None])[0]
        draws = _pooled(self._weights @ sums)
        if self._ids.size < FEWEST_GROUNDS:
            draws = np.full(draws.shape, np.nan)
        return estimate(float(value) if np.isfinite(value) else None, draws)


def _pooled(sums: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[:, 0] / np.sqrt(sums[:, 1] * sums[:, 2]))


@dataclass(frozen=True)
class Agreement:
    """Correlations by kind of image, what the enhanced one gains over each other, and the null of the enhanced one."""

    by_kind: dict[str, Estimate]
    gains: dict[str, Estimate]
    smoothed_px: float | None
    """Width of the Gaussian mean that does best."""
    null: tuple[float, float, float] | None
    """Median, 2.5 and 97.5 % points over moves aside."""
    counted: int
    """Frames or pairs."""
    pixels: int


def with_light(frames: Sequence[Frame], draws: int, seed: int, *, fine: bool) -> Agreement:
    """Return how images follow the predicted scattered light in shadow.

    Args:
        frames: The frames.
        draws: Draws of squares.
        seed: Of draws and moves.
        fine: Take the surroundings off both first.
    """
    light = [frame.shading(frame.predicted, fine=fine) for frame in frames]
    pairs: dict[str, list[Paired]] = {}
    null = []
    for kind in VARIANTS:
        shown = [frame.shading(variant(frame, kind), fine=fine) for frame in frames]
        parts = [_with_light(*one, (0, 0)) for one in zip(frames, shown, light, strict=True)]
        pairs[kind] = [one for one in parts if one is not None]
        if kind == "enhanced":
            for move in _moves(seed):
                moved = [_with_light(*one, move) for one in zip(frames, shown, light, strict=True)]
                null.append(_plain([one for one in moved if one is not None]))
    return _agreement(pairs, np.array(null), draws, seed)


def between_frames(frames: Sequence[Frame], draws: int, seed: int, *, fine: bool) -> Agreement:
    """Return how frames of the same ground agree with each other; see `with_light`."""
    couples = overlaps(frames)
    pairs: dict[str, list[Paired]] = {}
    null = []
    for kind in VARIANTS:
        shown = [frame.shading(variant(frame, kind), fine=fine) for frame in frames]
        parts = [_between(frames, shown, one, (0, 0)) for one in couples]
        pairs[kind] = [one for one in parts if one is not None]
        if kind == "enhanced":
            for move in _moves(seed):
                moved = [_between(frames, shown, one, move) for one in couples]
                null.append(_plain([one for one in moved if one is not None]))
    return _agreement(pairs, np.array(null), draws, seed)


def overlaps(frames: Sequence[Frame]) -> list[tuple[int, int]]:
    """Return the pairs of frames that share most ground in shadow, as indices."""
    found = []
    for i, one in enumerate(frames):
        for j in range(i + 1, len(frames)):
            common = _common(one, frames[j], (0, 0))
            count = 0 if common is None else int(common[2].sum())
            if count >= LEAST_PX:
                found.append((-count, i, j))
    return [(i, j) for _, i, j in sorted(found)[:MOST_PAIRS]]


def _agreement(pairs: dict[str, list[Paired]], null: Floats, draws: int, seed: int) -> Agreement:
    squares = Squares([one.block for one in pairs["raw"]], draws, seed)
    told = {kind: squares.correlation(parts) for kind, parts in pairs.items()}
    by_kind, width_px = with_best_mean(told)
    gains = {kind: by_kind["enhanced"] - by_kind[kind] for kind in ("raw", "smoothed")}
    known = null[np.isfinite(null)]
    points = tuple(float(value) for value in np.quantile(known, (0.5, 0.025, 0.975))) if known.size >= 10 else None
    within = None if points is None else (points[0], points[1], points[2])
    return Agreement(by_kind, gains, width_px, within, len(pairs["raw"]), sum(one.x.size for one in pairs["raw"]))


def _with_light(frame: Frame, shown: Image, light: Image, move: tuple[int, int]) -> Paired | None:
    both = frame.dark & np.roll(frame.dark, move, axis=(0, 1)) if any(move) else frame.dark
    if int(both.sum()) < LEAST_PX:
        return None
    moved = np.roll(light, move, axis=(0, 1)) if any(move) else light
    return Paired(ranked(shown[both]), ranked(moved[both]), frame.block(frame.whole, both))


def _between(
    frames: Sequence[Frame], shown: Sequence[Image], couple: tuple[int, int], move: tuple[int, int]
) -> Paired | None:
    one, other = (frames[k] for k in couple)
    common = _common(one, other, move)
    if common is None or int(common[2].sum()) < LEAST_PX:
        return None
    own, theirs, mask = common
    x, y = shown[couple[0]][own][mask], shown[couple[1]][theirs][mask]
    return Paired(ranked(x), ranked(y), one.block(own, mask))


def _common(
    one: Frame, other: Frame, move: tuple[int, int]
) -> tuple[tuple[slice, slice], tuple[slice, slice], Mask] | None:
    """Return the windows of two frames on common ground, the second moved, and where both are dark; None if none is."""
    if one.pixel_m != other.pixel_m:
        return None
    own, theirs = [], []
    for axis in (0, 1):
        shift = other.origin_px[axis] + move[axis] - one.origin_px[axis]
        start, stop = max(0, shift), min(one.dark.shape[axis], other.dark.shape[axis] + shift)
        if start >= stop:
            return None
        own.append(slice(start, stop))
        theirs.append(slice(start - shift, stop - shift))
    windows = (own[0], own[1]), (theirs[0], theirs[1])
    return *windows, one.dark[windows[0]] & other.dark[windows[1]]


def _moves(seed: int) -> list[tuple[int, int]]:
    rng = np.random.default_rng([seed, 1])
    angles, reach = rng.uniform(0.0, 2.0 * np.pi, _MOVES), rng.uniform(_LEAST_MOVE_PX, 3.0 * _LEAST_MOVE_PX, _MOVES)
    return [(round(r * np.sin(a)), round(r * np.cos(a))) for a, r in zip(angles, reach, strict=True)]


def _plain(pairs: Sequence[Paired]) -> float:
    sums = np.array([[(one.x * one.y).sum(), (one.x**2).sum(), (one.y**2).sum()] for one in pairs]).reshape(-1, 3)
    return float(_pooled(sums.sum(axis=0)[None])[0])
