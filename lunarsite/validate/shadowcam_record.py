"""The record of light and shadow against ShadowCam: what is claimed, under which bounds, and what it means.

All bounds were set before any number was seen. That gaps of frames hold saturated, sunlit ground was seen in pictures
of the frames before any prediction was; what the pixels with data say without gaps stands under the same bound. No
threshold is chosen on what it is measured on: shares called deep are swept, and Otsu's method knows the image alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lunarsite.artefact.record import Metric, Record, Verdict
from lunarsite.settings import ShadowCamReferenceSettings
from lunarsite.validate.shadowcam_clusters import clusters
from lunarsite.validate.shadowcam_composite import Comparison
from lunarsite.validate.shadowcam_frame import LIT_FRACTION, FrameComparison
from lunarsite.validate.shadowcam_ranks import Estimate
from lunarsite.validate.shadowcam_rows import Rows, composite_row, frame_row, label_rows, sweep_rows, threshold_rows

Floats = NDArray[np.float64]
Reading = Callable[[FrameComparison], float | None]

AUC_BOUND = 0.9
"""Least area under the curve of a good frame, and of the median frame."""
FRAMES_BOUND = 20.0 / 26.0
"""Least share of frames that have an area under the curve: not all lit and not all dark."""
SHIFT_BOUND_M = 120.0
"""Largest median shift: half a pixel of an elevation model of 240 m."""
P_BOUND = 0.05
_LEVELS = (0.025, 0.975)
_FEWEST_CLUSTERS = 5


def judge_shadowcam(
    composites: Sequence[Comparison],
    frames: Sequence[FrameComparison],
    reference: ShadowCamReferenceSettings,
    *,
    synthetic: bool,
) -> Record:
    """Return the record of composites and frames.

    Args:
        composites: Each composite with each map of shadow.
        frames: All frames; empty if the run has none.
        reference: Draws and seed, for intervals over frames.
        synthetic: Whether the prediction is of a synthetic Moon.
    """
    metrics: list[Metric] = []
    verdicts: list[Verdict] = []
    tables: dict[str, Rows] = {}
    if composites:
        tables["composites"] = [composite_row(found) for found in composites]
        tables["composite_sweep"] = [row for found in composites for row in sweep_rows(found)]
        verdicts += [verdict for found in composites for verdict in _composite_verdicts(found, synthetic)]
    if frames:
        found, claims = _frame_claims(frames, reference, synthetic)
        metrics += found
        verdicts += claims
        tables["frames"] = [frame_row(frame, AUC_BOUND) for frame in frames]
        tables["frame_thresholds"] = threshold_rows(frames)
        tables["frame_labels"] = label_rows(frames)
    return Record(
        title="Light and shadow against ShadowCam's images",
        metrics=tuple(metrics),
        verdicts=tuple(verdicts),
        tables=tables,
        notes=tuple(_notes(composites, frames, reference, synthetic)),
    )


def _composite_verdicts(found: Comparison, synthetic: bool) -> list[Verdict]:
    name = f"{found.composite}, {found.map} shadow"
    half = next((step.crossed for step in found.sweep if step.wanted == 0.5), None)
    lift = Estimate() if half is None else half.lift
    told_lift = ""
    if half is not None and half.hit.value is not None:
        told_lift = (
            f"{100 * half.hit.value:.1f} % of the darker half is permanently shadowed, of all {100 * half.base:.1f} %"
        )
    p = None if found.null is None else found.null.p
    told_auc = ""
    if found.auc.value is not None and found.auc.low is not None and found.auc.high is not None:
        told_auc = f"{found.auc.value:.2f} ({found.auc.low:.2f} to {found.auc.high:.2f}); 0.5 is chance"
    return [
        _above(f"{name}: ground outside permanent shadow is brighter", found.auc, 0.5, told_auc, found.why, synthetic),
        _above(
            f"{name}: the darker half holds more permanent shadow than all", lift, 1.0, told_lift, found.why, synthetic
        ),
        _above(
            f"{name}: brightness rises with average sunlight",
            found.correlation,
            0.0,
            "Spearman's rank correlation",
            found.why,
            synthetic,
        ),
        _verdict(
            f"{name}: brightness tells shadow better than moved shadow",
            p,
            "p-value",
            f"<= {P_BOUND:g}",
            lambda value: value <= P_BOUND,
            f"shadow {found.null_kind}" if p is not None else found.why or "unknown: too few moves leave both kinds",
            synthetic,
        ),
    ]


def _above(name: str, found: Estimate, bound: float, told: str, why: str, synthetic: bool) -> Verdict:
    """Return the claim that the lower end of an interval lies above a bound."""
    lacking = why or ("unknown: too few blocks of ground for an interval" if found.value is not None else "unknown")
    return _verdict(
        name,
        found.low,
        "1",
        f"lower end of 95 % > {bound:g}",
        lambda value: value > bound,
        told if found.low is not None else lacking,
        synthetic,
    )


def _verdict(
    name: str, value: float | None, unit: str, bound: str, holds: Callable[[float], bool], why: str, synthetic: bool
) -> Verdict:
    if synthetic:
        value, why = None, "unknown: the prediction is of a synthetic Moon, the images are of the real one"
    return Verdict(
        name=name, value=value, unit=unit, bound=bound, holds=None if value is None else holds(value), why=why
    )


def _frame_claims(
    frames: Sequence[FrameComparison], reference: ShadowCamReferenceSettings, synthetic: bool
) -> tuple[list[Metric], list[Verdict]]:
    told = [frame for frame in frames if frame.auc.value is not None]
    least = math.ceil(FRAMES_BOUND * len(frames))
    cluster = dict(zip((id(frame) for frame in frames), clusters([frame.ground for frame in frames]), strict=True))

    def middle(read: Reading, of: Sequence[FrameComparison] = told) -> Estimate:
        known = [(value, cluster[id(frame)]) for frame in of if (value := read(frame)) is not None]
        return median([value for value, _ in known], [number for _, number in known], reference)

    gains = {
        "the highest ground": middle(lambda f: _less(f.auc.value, f.height)),
        "ground turned to the Sun, without cast shadows": middle(lambda f: _less(f.auc.value, f.facing)),
        "the prediction moved along the strip": middle(lambda f: _less(f.auc.value, _far(f))),
        "the prediction of another moment, on the same ground": middle(
            lambda f: None if f.moment is None else f.moment.own - f.moment.other
        ),
    }
    areas = middle(lambda f: f.auc.value)
    measured = middle(lambda f: f.measured.value)
    shifts = middle(_shift_m)
    scattered = middle(lambda f: f.scattered.value, frames)
    good = sum(frame.auc.value >= AUC_BOUND for frame in told if frame.auc.value is not None)
    few = f"unknown: {len(told)} of {len(frames)} frames are neither all lit nor all dark"
    metrics = [
        Metric(name="frames", value=len(frames), unit="1"),
        Metric(
            name="frame_clusters", value=len(set(cluster.values())), unit="1", why="frames of common ground are one"
        ),
        Metric(name="frames_with_auc", value=len(told), unit="1", why="the others are all lit or all dark"),
        Metric(name="frames_auc_good", value=good, unit="1", why=f"area under the curve at least {AUC_BOUND:g}"),
        _metric("frame_auc", areas, "median over frames; gaps count as brightest"),
        _metric("frame_auc_measured", measured, "median over frames; pixels with data alone"),
        _metric("frame_auc_clear", middle(lambda f: f.clear.value), "away from predicted edges of shadow"),
        _metric("frame_auc_height", middle(lambda f: f.height), "guess: the highest ground is lit"),
        _metric("frame_auc_facing", middle(lambda f: f.facing), "guess: ground turned to the Sun is lit"),
        _metric("frame_auc_moved", middle(_far), "prediction moved by 5 km on"),
        _metric(
            "frame_auc_other_moment",
            middle(lambda f: None if f.moment is None else f.moment.other),
            "prediction for another frame's moment, ground of both",
        ),
        _metric("frame_shift", shifts, "length of the shift that fits best", "m"),
        _metric("frame_shift_right", middle(lambda f: _part_m(f, "right_px")), "along the map's x", "m"),
        _metric("frame_shift_up", middle(lambda f: _part_m(f, "up_px")), "along the map's y", "m"),
        _metric(
            "frame_iou_lit_gaps",
            middle(lambda f: f.sweep[0].lit if f.sweep else None),
            "overlap of gaps with ground that is predicted to be lit",
        ),
        _metric(
            "frame_iou_lit", middle(lambda f: f.otsu.lit if f.otsu else None), "overlap of lit ground, Otsu's threshold"
        ),
        _metric(
            "frame_iou_lit_chance",
            middle(lambda f: f.otsu.chance if f.otsu else None),
            "unrelated masks of these sizes",
        ),
        _metric("frame_iou_dark", middle(lambda f: f.otsu.dark if f.otsu else None), "overlap of dark ground"),
        _metric(
            "frame_spearman_sunlit", middle(lambda f: f.sunlit.value, frames), "brightness and predicted, in the Sun"
        ),
        _metric(
            "frame_spearman_scattered",
            scattered,
            "brightness and predicted scattered light, in shadow",
        ),
    ]
    verdicts = [
        _verdict(
            "frames with an area under the curve",
            float(len(told)),
            "1",
            f">= {least}, {FRAMES_BOUND:.0%} of {len(frames)}",
            lambda value: value >= least,
            "frames of which at least half a per cent is predicted to be lit, and as much dark",
            synthetic,
        ),
        *(
            _verdict(
                f"median area under the curve of frames, {what}",
                found.value,
                "1",
                f">= {AUC_BOUND:g}",
                lambda value: value >= AUC_BOUND,
                _interval(found) if found.value is not None else few,
                synthetic,
            )
            for what, found in (("gaps as brightest", areas), ("pixels with data alone", measured))
        ),
        *(
            _above(
                f"prediction against {rival}: gain in area under the curve",
                found,
                0.0,
                f"median gain {found.value:.2f}" if found.value is not None else "",
                few if found.value is None else "unknown: too few frames for an interval",
                synthetic,
            )
            for rival, found in gains.items()
        ),
        _verdict(
            "median shift at which the prediction fits best",
            shifts.value,
            "m",
            f"<= {SHIFT_BOUND_M:g} m",
            lambda value: value <= SHIFT_BOUND_M,
            "registration of images and elevation model together" if shifts.value is not None else few,
            synthetic,
        ),
        _above(
            "brightness in shadow follows predicted scattered light",
            scattered,
            0.0,
            "median over frames of Spearman's rank correlation",
            "unknown: too few frames with shadow",
            synthetic,
        ),
    ]
    return metrics, verdicts


def median(values: Sequence[float], groups: Sequence[int], reference: ShadowCamReferenceSettings) -> Estimate:
    """Return the median with its interval (percentiles of a bootstrap); none with fewer than 5 groups.

    Args:
        values: One of each frame.
        groups: Frames of one number show the same ground, and are drawn together.
        reference: Draws and seed.
    """
    if not values:
        return Estimate()
    array = np.asarray(values, dtype=np.float64)
    names, at = np.unique(np.asarray(groups), return_inverse=True)
    if names.size < _FEWEST_CLUSTERS:
        return Estimate(float(np.median(array)))
    members = [np.flatnonzero(at == number) for number in range(names.size)]
    rng = np.random.default_rng(reference.seed)
    drawn = rng.integers(0, names.size, (reference.draws, names.size))
    medians = [np.median(array[np.concatenate([members[number] for number in row])]) for row in drawn]
    low, high = np.quantile(medians, _LEVELS)
    return Estimate(float(np.median(array)), float(low), float(high))


def _less(value: float | None, rival: float | None) -> float | None:
    return None if value is None or rival is None else value - rival


def _far(frame: FrameComparison) -> float | None:
    return float(np.median(frame.far)) if frame.far else None


def _shift_m(frame: FrameComparison) -> float | None:
    found = frame.registration
    return None if found is None else math.hypot(found.right_px, found.up_px) * frame.pixel_m


def _part_m(frame: FrameComparison, part: str) -> float | None:
    return None if frame.registration is None else float(getattr(frame.registration, part) * frame.pixel_m)


def _metric(name: str, found: Estimate, why: str, unit: str = "1") -> Metric:
    if found.value is None:
        why = f"unknown: no frame tells; {why}"
    return Metric(name=name, value=found.value, unit=unit, low=found.low, high=found.high, why=why)


def _interval(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return "too few frames for an interval"
    return f"95 % over frames: {found.low:.2f} to {found.high:.2f}"


def _notes(
    composites: Sequence[Comparison],
    frames: Sequence[FrameComparison],
    reference: ShadowCamReferenceSettings,
    synthetic: bool,
) -> list[str]:
    notes = []
    halves = [
        (found, step.crossed)
        for found in composites
        for step in found.sweep
        if step.wanted == 0.5 and step.crossed is not None and step.crossed.hit.value is not None
    ]
    if halves:
        shares = "; ".join(
            f"{found.composite}, {found.map}: {100 * (both.hit.value or 0.0):.0f} % of the darker half,"
            f" {100 * both.base:.0f} % of all ground"
            for found, both in halves
        )
        notes.append(
            "A share of dark ground that is permanently shadowed means nothing without the share of all ground that is"
            f" ({shares}). Agreements of 81 and 85 % that are told of such composites elsewhere are such shares, beside"
            " base rates of 83 and 86 %: they are the base rate."
        )
    if composites:
        notes.append(
            f"Intervals draw blocks of {reference.block_km:g} km; wide blocks are twice as wide. Saturated pixels are"
            " only known to be at least as bright as their number: they tie above all others, and figures without them"
            " stand beside. Odds ratios have half a pixel added to each count."
        )
    if frames:
        notes.append(
            f"Ground is predicted to be lit from {100 * LIT_FRACTION:g} % of the Sun's disc on. Mapped frames leave out"
            " what saturates the camera: gaps within a frame's strip count as brighter than all pixels with data."
            f" Intervals of a frame draw blocks of {reference.frame_block_km:g} km, those of medians draw clusters of"
            " frames: frames whose common ground is a fifth of the smaller one's or more, and chains of such, are drawn"
            " together."
        )
    if synthetic:
        notes.append("This is a synthetic Moon: its shadows have nothing to do with images of the real one.")
    return notes
