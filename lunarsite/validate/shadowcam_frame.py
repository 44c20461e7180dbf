"""A timed ShadowCam frame against the light that the elevation model predicts for its moment.

This is the test that average sunlight cannot give: where is the edge of the shadow now? Ground is predicted to be lit
if at least half of the Sun's disc is in sight. ShadowCam is made for the dark, and mapped frames leave out what
saturates it, so the sunlit ground lies in the gaps of a frame. Pixels in the gaps are known to be at least as bright as
any other, and tie at the top; what the pixels with data say alone stands beside it, and covers little sunlit ground.

Simple guesses stand beside the prediction, each with as much lit ground as it: the highest ground, and ground turned to
the Sun whatever stands in between. Then the prediction itself, moved along the strip, and that of another moment on the
same ground. The module must not know how light is predicted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, maximum_filter, minimum_filter
from scipy.stats import rankdata

from lunarsite.grid import Grid
from lunarsite.settings import ShadowCamReferenceSettings
from lunarsite.swath import covered
from lunarsite.validate.shadowcam_clusters import Squares, squares_of
from lunarsite.validate.shadowcam_ranks import Blocks, Estimate, auc_estimate, blocks_of, correlation_estimate
from lunarsite.validate.shadowcam_shifts import Registration, area, moved_far, register

Floats = NDArray[np.float64]
Single = NDArray[np.float32]
Mask = NDArray[np.bool_]

LIT_FRACTION = 0.5
"""Ground counts as lit from this share of the Sun's disc on."""
FEWEST_PIXELS = 100
LEAST_SHARE = 0.005
"""A frame with a smaller share of lit, or of dark ground than this is all dark, or all lit."""
LIMITS = (1.0, 0.5, 0.25, 0.125, 0.0625)
"""Brightness from which on a pixel counts as lit, as shares of the frame's largest; gaps always do."""
LEAST_SHARED = 0.1
"""Least share of a frame's ground that the prediction for another moment must know."""
FRACTIONS = (0.01, 0.05, 0.2, 0.5)
"""Shares of the Sun's disc from which on ground could count as lit instead: a slice of it may saturate the camera."""
EDGE_PX = 2.0
"""Ground within so many pixels of the elevation model from a predicted edge of shadow is near it."""
_BINS = 256
_NOTHING = Estimate()


@dataclass(frozen=True)
class Frame:
    """A frame and what is predicted of it, all (rows, cols) float32 with NaN = unknown; see FRAME_LIGHT."""

    name: str
    grid: Grid
    brightness: Single
    sun_fraction: Single
    sunlit: Single
    scattered: Single
    unshadowed: Single
    elevation: Single
    dem_pixel_m: float


@dataclass(frozen=True)
class Masks:
    """Which pixels of a frame are what, (rows, cols).

    `known`: with brightness, or in a gap, and with a prediction. `measured`: those of them with brightness. `lit`:
    predicted to be lit. `score`: brightness, infinite in gaps.
    """

    known: Mask
    measured: Mask
    lit: Mask
    score: Floats

    @classmethod
    def of(cls, frame: Frame) -> Masks:
        """Sort a frame's pixels."""
        valid = np.isfinite(frame.brightness)
        there = np.isfinite(frame.sun_fraction)
        known = covered(valid) & there
        score = np.where(valid, frame.brightness, np.inf).astype(np.float64)
        with np.errstate(invalid="ignore"):
            lit = frame.sun_fraction >= LIT_FRACTION
        return cls(known, valid & there, lit, score)


@dataclass(frozen=True)
class Overlap:
    """A threshold on brightness, and how the ground above it goes together with ground that is predicted to be lit.

    `chance` is the overlap that masks of the same sizes reach if they have nothing to do with each other.
    """

    limit: float
    lit: float
    dark: float
    chance: float
    agreement: float
    majority: float


@dataclass(frozen=True)
class Moment:
    """The prediction for another frame's moment on the same ground, and our own there."""

    name: str
    pixels: int
    own: float
    other: float


@dataclass(frozen=True)
class Labelled:
    """The area under the curve and the best small shift if ground counts as lit from another share of the disc on."""

    fraction: float
    auc: float | None
    registration: Registration | None


@dataclass(frozen=True)
class FrameComparison:
    """What a frame says of its prediction. `why` tells why it has no area under the curve, "" if it has one.

    Args:
        name: The frame.
        pixel_m: Its pixel size.
        pixels: Pixels that count: with brightness or in a gap, and with a prediction.
        gap_share: Share of them in gaps.
        lit_share: Share predicted to be lit.
        penumbra_share: Share with part of the Sun's disc in sight.
        edge_share: Share near a predicted edge of shadow.
        rim_ratio: Median brightness of pixels beside gaps over that of all others.
        dem_pixel_m: Pixels of the elevation model.
        why: Why there is no area under the curve.
        auc: Area under the curve of brightness for predicted light, gaps included.
        measured: The same of pixels with brightness alone.
        clear: The same of pixels away from predicted edges and penumbra.
        height: The same if the highest ground were lit.
        facing: The same if the ground were lit that is turned to the Sun most.
        registration: Best small shift.
        far: The area under the curve of far shifts.
        moment: Prediction of another moment.
        otsu: Overlap at the threshold that Otsu's method sets.
        sweep: Overlaps at `LIMITS`.
        labels: Other shares of the disc that could count as lit, `FRACTIONS`.
        sunlit: Rank correlation of brightness with predicted brightness where the Sun is in sight.
        scattered: The same in predicted shadow, with light scattered by sunlit ground.
        ground: The map's squares that its pixels lie in.
        measured_lit_share: Share of the pixels with brightness that is predicted to be lit.
        measured_edge_share: Share of those lit ones that is near a predicted edge or in penumbra.
    """

    name: str
    pixel_m: float
    pixels: int
    gap_share: float
    lit_share: float
    penumbra_share: float
    edge_share: float
    rim_ratio: float | None
    dem_pixel_m: float
    why: str
    auc: Estimate = _NOTHING
    measured: Estimate = _NOTHING
    clear: Estimate = _NOTHING
    height: float | None = None
    facing: float | None = None
    registration: Registration | None = None
    far: tuple[float, ...] = ()
    moment: Moment | None = None
    otsu: Overlap | None = None
    sweep: tuple[Overlap, ...] = ()
    labels: tuple[Labelled, ...] = ()
    sunlit: Estimate = _NOTHING
    scattered: Estimate = _NOTHING
    ground: Squares = frozenset()
    measured_lit_share: float | None = None
    measured_edge_share: float | None = None


def compare_frame(
    frame: Frame, others: Iterable[tuple[str, Single]], reference: ShadowCamReferenceSettings
) -> FrameComparison:
    """Hold a frame against its prediction.

    Args:
        frame: The frame.
        others: Names of other frames, and the share of the Sun's disc that is predicted for their moments on this
            frame's grid, NaN = unknown; the first that shares enough ground is taken.
        reference: Blocks, shifts, draws.
    """
    masks = Masks.of(frame)
    known, lit = masks.known, masks.lit
    pixels = int(known.sum())
    if pixels == 0:
        why = "none of its pixels has a prediction"
        return FrameComparison(frame.name, frame.grid.pixel_m, 0, 0.0, 0.0, 0.0, 0.0, None, frame.dem_pixel_m, why)
    edge = _near_edge(frame, masks)
    with np.errstate(invalid="ignore"):
        penumbra = (frame.sun_fraction > 0.0) & (frame.sun_fraction < 1.0)
    x_m, y_m = (axis[known] for axis in np.meshgrid(frame.grid.x_m(), frame.grid.y_m()))
    blocks = blocks_of(x_m, y_m, 1e3 * reference.frame_block_km, reference.draws, reference.seed)
    found = FrameComparison(
        name=frame.name,
        ground=squares_of(frame.grid, known),
        pixel_m=frame.grid.pixel_m,
        pixels=pixels,
        gap_share=_share(~masks.measured & known, known),
        lit_share=_share(lit & known, known),
        penumbra_share=_share(penumbra & known, known),
        edge_share=_share(edge & known, known),
        rim_ratio=_rim_ratio(frame.brightness, masks),
        dem_pixel_m=frame.dem_pixel_m,
        why=_why(int(masks.measured.sum()), pixels, int((lit & known).sum())),
        sunlit=_correlation(masks, frame.sun_fraction > 0.0, frame.sunlit, blocks),
        scattered=_correlation(masks, frame.sun_fraction == 0.0, frame.scattered, blocks),
        measured_lit_share=_share(lit & masks.measured, masks.measured) if masks.measured.any() else None,
        measured_edge_share=_share(seen & (edge | penumbra), seen) if (seen := lit & masks.measured).any() else None,
    )
    if found.why:
        return found
    return replace(
        found,
        auc=_area(masks, known, blocks),
        measured=_area(masks, masks.measured, blocks),
        clear=_area(masks, known & ~edge & ~penumbra, blocks),
        height=_guessed(masks, frame.elevation),
        facing=_guessed(masks, frame.unshadowed),
        registration=register(masks.score, lit, known, reference.most_shift_px),
        far=tuple(moved_far(masks.score, lit, known, frame.grid.pixel_m).tolist()),
        moment=_other_moment(masks, others),
        otsu=_overlap(masks, _otsu(masks)),
        sweep=tuple(_overlap(masks, share * _largest(masks)) for share in LIMITS),
        labels=tuple(_labelled(frame, masks, share, reference.most_shift_px) for share in FRACTIONS),
    )


def _why(measured: int, pixels: int, lit: int) -> str:
    if measured < FEWEST_PIXELS:
        return f"{measured} pixels have brightness and a prediction, {FEWEST_PIXELS} are needed"
    least = max(FEWEST_PIXELS, LEAST_SHARE * pixels)
    if lit < least:
        return f"all dark: {lit} of {pixels} pixels are predicted to be lit"
    if pixels - lit < least:
        return f"all lit: {pixels - lit} of {pixels} pixels are predicted to be dark"
    return ""


def _area(masks: Masks, held: Mask, blocks: Blocks) -> Estimate:
    """Return the area under the curve over some of the known pixels; unknown with too few of either kind."""
    lit = masks.lit[held]
    if min(lit.sum(), (~lit).sum()) < FEWEST_PIXELS:
        return _NOTHING
    return auc_estimate(masks.score[held], lit, blocks.of(held[masks.known]))


def _guessed(masks: Masks, guess: Single) -> float | None:
    """Return the area under the curve if as much ground as is predicted were lit where a guess is largest."""
    held = masks.known & np.isfinite(guess)
    if not held.any():
        return None
    count = int(masks.lit[held].sum())
    largest = np.zeros(int(held.sum()), dtype=np.bool_)
    if count:
        largest[np.argsort(guess[held], kind="stable")[-count:]] = True
    return area(rankdata(masks.score[held]), largest)


def _labelled(frame: Frame, masks: Masks, fraction: float, most_px: int) -> Labelled:
    with np.errstate(invalid="ignore"):
        lit = frame.sun_fraction >= fraction
    value = area(rankdata(masks.score[masks.known]), lit[masks.known])
    return Labelled(fraction, value, register(masks.score, lit, masks.known, most_px))


def _other_moment(masks: Masks, others: Iterable[tuple[str, Single]]) -> Moment | None:
    """Return how the prediction of another moment does: of the first that shares enough ground with this frame."""
    least = LEAST_SHARED * np.count_nonzero(masks.known)
    for name, fraction in others:
        held = masks.known & np.isfinite(fraction)
        pixels = int(held.sum())
        if pixels < least:
            continue
        ranks = rankdata(masks.score[held])
        own, other = area(ranks, masks.lit[held]), area(ranks, fraction[held] >= LIT_FRACTION)
        if own is not None and other is not None:
            return Moment(name, pixels, own, other)
    return None


def _largest(masks: Masks) -> float:
    return float(masks.score[masks.measured].max())


def _otsu(masks: Masks) -> float:
    """Return Otsu's threshold (Otsu 1979) on the logarithm of brightness, gaps being as bright as the largest."""
    from skimage.filters import threshold_otsu

    measured = masks.score[masks.measured]
    # A logarithm needs a floor: noise around nothing is no dark ground of its own.
    floor = max(float(np.quantile(measured, 0.01)), 1e-4 * float(measured.max()), 1e-12)
    values = np.log(np.clip(masks.score[masks.known], floor, max(_largest(masks), 2.0 * floor)))
    if np.ptp(values) == 0.0:
        return float(np.exp(values[0]))
    return float(np.exp(threshold_otsu(values, nbins=_BINS)))  # type: ignore[no-untyped-call]


def _overlap(masks: Masks, limit: float) -> Overlap:
    bright, lit = masks.score[masks.known] >= limit, masks.lit[masks.known]
    first, second = float(bright.mean()), float(lit.mean())
    both, either = float((bright & lit).mean()), float((bright | lit).mean())
    expected = first * second
    return Overlap(
        limit=limit,
        lit=both / either,
        dark=(1.0 - either) / (1.0 - both) if both < 1.0 else 1.0,
        chance=expected / (first + second - expected),
        agreement=1.0 - either + both,
        majority=max(second, 1.0 - second),
    )


def _near_edge(frame: Frame, masks: Masks) -> Mask:
    """Return ground near a predicted edge of shadow."""
    reach = max(1, round(EDGE_PX * frame.dem_pixel_m / frame.grid.pixel_m))
    there = np.isfinite(frame.sun_fraction)
    size = 2 * reach + 1
    highest = maximum_filter(masks.lit & there, size=size)
    lowest = minimum_filter(masks.lit | ~there, size=size)
    return np.asarray(highest & ~lowest)


def _rim_ratio(brightness: Single, masks: Masks) -> float | None:
    """Return how much brighter pixels beside gaps are than others: saturated ground has a bright rim."""
    gaps = masks.known & ~masks.measured
    rim = binary_dilation(gaps, np.ones((3, 3), dtype=np.bool_)) & masks.measured
    rest = masks.measured & ~rim
    if min(rim.sum(), rest.sum()) < FEWEST_PIXELS:
        return None
    middle = float(np.median(brightness[rest]))
    return float(np.median(brightness[rim])) / middle if middle > 0.0 else None


def _correlation(masks: Masks, light: Mask, predicted: Single, blocks: Blocks) -> Estimate:
    """Return the rank correlation of brightness with what is predicted, over measured ground in one kind of light."""
    held = masks.measured & light & np.isfinite(predicted)
    if np.count_nonzero(held) < FEWEST_PIXELS:
        return _NOTHING
    return correlation_estimate(masks.score[held], predicted[held].astype(np.float64), blocks.of(held[masks.known]))


def _share(held: Mask, of: Mask) -> float:
    return float(np.count_nonzero(held) / np.count_nonzero(of))
